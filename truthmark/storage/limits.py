# SPDX-License-Identifier: Apache-2.0
"""The limits of blocks and files, and the checks of a block that no storage may skip.

A storage answers with bytes from somewhere else. Whatever it says, a block counts only once its
SHA-256 is that of the CID.
"""

from typing import Final

from truthmark.cid import CID
from truthmark.errors import BlockMismatchError, ConfigError, LimitError
from truthmark.hashing import sha256

MAX_BLOCK: Final = 1 << 21
"""Bytes of the largest block that is taken; also the largest that Kubo nodes exchange."""

MAX_FILE: Final = 1 << 42
"""Bytes of the largest file that is read where the caller states no smaller limit."""


def check_block(cid: CID, data: bytes, source: str) -> bytes:
    """Return `data` if it is the block of `cid`.

    Raises:
        LimitError: it is larger than any block may be.
        BlockMismatchError: its SHA-256 is another.
    """
    if len(data) > MAX_BLOCK:
        raise LimitError(
            f"{source}: block {cid} is over {MAX_BLOCK} bytes; do not use this source for it"
        )
    if sha256(data) != cid.digest:
        raise BlockMismatchError(
            f"{source}: sent other bytes than those of block {cid}; use another source"
        )
    return data


def check_chunk(chunk: int) -> int:
    """Return `chunk` if blocks of so many bytes can be stored and exchanged.

    Raises:
        ConfigError: they cannot.
    """
    if not 1 <= chunk <= MAX_BLOCK:
        raise ConfigError(f"storage: chunk of {chunk} bytes; use 1 to {MAX_BLOCK}")
    return chunk
