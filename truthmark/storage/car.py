# SPDX-License-Identifier: Apache-2.0
"""Files as CAR archives: one stream of all blocks, to carry a file by hand or over plain HTTP.

Source: the CARv1 specification (ipld/specs, content-addressable archives).
"""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from truthmark.cid import CID
from truthmark.config.files import sync_path
from truthmark.errors import StorageError
from truthmark.storage.block_storage import Storage
from truthmark.storage.dag import walk
from truthmark.types import Progress

_CID_SIZE: Final = 36
# DAG-CBOR has one encoding of {"roots": [<one CID>], "version": 1}; these are its constant parts.
_HEADER_START: Final = b"\xa2\x65roots"
_HEADER_ROOT: Final = b"\xd8\x2a\x58\x25\x00"  # tag 42, 37 bytes, identity multibase
_HEADER_END: Final = b"\x67version\x01"


def write_car(
    store: Storage, cid: CID, stream: BinaryIO, *, on_block: Callable[[bytes], None] | None = None
) -> None:
    """Write the file `cid` to `stream`, parents before children, every block once."""
    header = _HEADER_START + b"\x81" + _HEADER_ROOT + cid.to_bytes() + _HEADER_END
    stream.write(_varint(len(header)) + header)
    for block, data in store.blocks(cid):
        stream.write(_varint(_CID_SIZE + len(data)) + block.to_bytes() + data)
        if on_block is not None:
            on_block(data)


def export_car(store: Storage, cid: CID, dest: Path, *, progress: Progress | None = None) -> None:
    """Write the file `cid` as an archive to `dest`, which appears only when it is whole.

    Args:
        store: where its blocks are read.
        cid: the file.
        dest: path of the archive.
        progress: called with bytes of the file that are written, and all.

    Raises:
        StorageError: a block is missing, or `dest` cannot be written.
    """
    dest = Path(dest)
    part = dest.with_name(dest.name + ".part")
    total = walk(store.read_block, cid).size if progress is not None else 0
    done = 0

    def count(data: bytes) -> None:
        nonlocal done
        done = min(done + len(data), total)  # inner nodes are no part of the file
        if progress is not None:
            progress(done, total)

    try:
        dest.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as stream:
            write_car(store, cid, stream, on_block=count)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(dest)
        sync_path(dest.parent)
    except StorageError:
        raise
    except OSError as error:
        hint = "free some space" if error.errno == errno.ENOSPC else "check the path"
        raise StorageError(f"{dest} cannot be written: {error.strerror}; {hint}") from error
    finally:
        part.unlink(missing_ok=True)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*encoded, value))
