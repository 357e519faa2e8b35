# SPDX-License-Identifier: Apache-2.0
"""Sizes of the format, and what a reader grants to bytes from outside."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

MIN_SHARD_SIZE: Final = 4 << 10
MAX_SHARD_SIZE: Final = 1 << 20
TAG_SIZE: Final = 16
MAX_SEGMENT_SHARDS: Final = 64
MAX_MANIFEST_SIZE: Final = 1 << 20
MAX_CARD_SIZE: Final = 1 << 20
MAX_COUNT: Final = 2**32 - 1
MAX_PACKED_COUNT: Final = 2_236_950
"""Shards whose index readers take: as ours writes it, 256 MiB."""

FILES_SEGMENT: Final = 0
BYTES_SEGMENT: Final = 1
FIRST_TABLE_SEGMENT: Final = 2

DATA_NAME: Final = "data.tmk"
INDEX_NAME: Final = "index.arrow"
MANIFEST_NAME: Final = "manifest.json"
CARD_NAME: Final = "card.json"


def is_packed(folder: Path) -> bool:
    """Whether a folder is what `pack` makes."""
    names = (DATA_NAME, INDEX_NAME, MANIFEST_NAME, CARD_NAME)
    return all((folder / name).is_file() for name in names)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a reader will spend on a container that somebody else made.

    Declared sizes are checked against these before anything is allocated, and what is decoded
    against the declared sizes; raise a limit only for data whose origin you trust.

    Attributes:
        segment_bytes: decoded bytes of one table segment.
        files_table_bytes: decoded bytes of the files table.
        files: entries of the files table.
        schema_bytes: one table's encoded schema.
        seconds: for decoding one segment. Says nothing of the container, as how much processor time
            one may take does (`decoder_child.PROCESSOR_SECONDS`), but how long this computer waits.
    """

    segment_bytes: int = 128 << 20
    files_table_bytes: int = 96 << 20
    files: int = 1_000_000
    schema_bytes: int = 8 << 20
    seconds: float = 10.0


DEFAULT_LIMITS: Final = Limits()
PATIENT: Final = replace(DEFAULT_LIMITS, seconds=300.0)
"""Where something is said of a seller: that a computer is busy must not be part of it."""


def payload_size(shard_size: int) -> int:
    """Return the plaintext bytes of a shard: its size less the tag of the cipher."""
    return shard_size - TAG_SIZE


def is_shard_size(size: object) -> bool:
    """Tell whether `size` is a power of two from 4 KiB to 1 MiB."""
    return (
        isinstance(size, int)
        and not isinstance(size, bool)
        and MIN_SHARD_SIZE <= size <= MAX_SHARD_SIZE
        and size & (size - 1) == 0
    )
