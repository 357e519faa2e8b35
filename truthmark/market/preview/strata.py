# SPDX-License-Identifier: Apache-2.0
"""The strata of a container: what chance picks from, after what older versions have shown."""

from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import accumulate
from typing import Final

from truthmark.codec.decoder_child import fields_of
from truthmark.codec.files_table import BYTES, TABLE, Entry, read_schema
from truthmark.codec.limits import (
    BYTES_SEGMENT,
    FILES_SEGMENT,
    PATIENT,
    payload_size,
)
from truthmark.codec.sampling import LEAST_SEGMENTS, draws_of_part
from truthmark.codec.shard_index import Segment, ShardIndex
from truthmark.errors import CodecError, MalformedError
from truthmark.hashing import sha256

STREAM: Final = "files"
POOL: Final = "small tables"
MAX_FILES_SHARDS: Final = 1_024
"""Shards that segment 0 may have; a larger one is not opened."""
MAX_FILE_SHARDS: Final = 64
"""First shards of a drawn file that are opened."""


class Structure:
    """What index and files table say together.

    Args:
        index: public.
        entries: segment 0, decoded.
        shard_size: S.
        columns: says of a table what its columns are; `column_text` if not given.

    Attributes:
        tables: position of each table in the files table, with its segments.
        files: position of each file of the byte stream that has bytes, in order of the bytes.
        stream: segment 1, if there is one.
    """

    def __init__(
        self,
        index: ShardIndex,
        entries: Sequence[Entry],
        shard_size: int,
        columns: "Callable[[Entry], bytes] | None" = None,
    ) -> None:
        """Put the two together.

        Raises:
            MalformedError: a segment has rows of two tables.
        """
        self.index, self.entries = index, entries
        self.columns = cache(columns or column_text)
        self.payload = payload_size(shard_size)
        self.stream = index.segments.get(BYTES_SEGMENT)
        self.files = sorted(
            (i for i, entry in enumerate(entries) if entry.kind == BYTES and entry.length),
            key=lambda i: entries[i].offset,
        )
        self.tables = self._tables()

    def _tables(self) -> list[tuple[int, list[Segment]]]:
        found: list[tuple[int, list[Segment]]] = []
        segments = iter(self.index.table_segments)
        segment = next(segments, None)
        for position, entry in enumerate(self.entries):
            if entry.kind != TABLE:
                continue
            end, mine = entry.offset + entry.length, []
            while segment is not None and segment.first_row < end:
                if segment.first_row + segment.rows > end:
                    raise MalformedError(
                        f"segment {segment.number} has rows of {entry.path!r} and of another table"
                    )
                mine.append(segment)
                segment = next(segments, None)
            found.append((position, mine))
        return found

    @cached_property
    def units(self) -> int:
        """How many segments there are, the byte stream counted by its shards, without segment 0."""
        stream = self.stream.shards if self.stream else 0
        return stream + len(self.index.table_segments)

    @cached_property
    def file_shards(self) -> list[int]:
        """The shards of the byte stream that hold bytes of some file, in order."""
        assert self.stream is not None or not self.files
        found: list[int] = []
        for i in self.files:
            first, last = self._span(i)
            found += range(max(first, found[-1] + 1) if found else first, last + 1)
        return found

    def shards_of_file(self, position: int) -> range:
        """Return the first shards that hold a file, at most `MAX_FILE_SHARDS`."""
        first, last = self._span(position)
        return range(first, min(last, first + MAX_FILE_SHARDS - 1) + 1)

    def is_whole(self, position: int) -> bool:
        """Whether `shards_of_file` holds all of a file."""
        first, last = self._span(position)
        return last - first < MAX_FILE_SHARDS

    def files_on(self, shard: int) -> list[int]:
        """Return the files that have bytes in a shard of the byte stream."""
        assert self.stream is not None
        start = (shard - self.stream.shard) * self.payload
        low = bisect_right(self._ends, start)
        found = []
        for i in self.files[low:]:
            if self.entries[i].offset >= start + self.payload:
                break
            found.append(i)
        return found

    @cached_property
    def _ends(self) -> list[int]:
        return [self.entries[i].offset + self.entries[i].length for i in self.files]

    def _span(self, position: int) -> tuple[int, int]:
        assert self.stream is not None
        entry, first = self.entries[position], self.stream.shard
        last = (entry.offset + entry.length - 1) // self.payload
        return first + entry.offset // self.payload, first + last

    @property
    def loose_bytes(self) -> int:
        """Bytes of the stream that belong to no file, but for the filling of its last shard."""
        size = self.stream.shards * self.payload if self.stream else 0
        loose = size - sum(self.entries[i].length for i in self.files)
        return loose if loose >= self.payload else 0

    def name_of(self, segment: Segment, columns: bytes) -> bytes:
        """Return what a segment has in common with the one it was taken over from.

        As many shards of the same ciphertext and key in the same order, the same number of rows
        and of decoded bytes, by which clients bound what they decode, and the same columns.
        """
        index = self.index
        pairs = b"".join(
            index.sha256(i) + index.key_hash(i)
            for i in range(segment.shard, segment.shard + segment.shards)
        )
        decoded = 0 if segment.number == BYTES_SEGMENT else segment.decoded_bytes
        sizes = segment.rows.to_bytes(4, "big") + decoded.to_bytes(8, "big")
        return sha256(sizes + sha256(columns) + sha256(pairs))

    @cached_property
    def stream_name(self) -> bytes:
        """The same of the byte stream, whose files must be cut alike."""
        assert self.stream is not None
        files = b"".join(
            entry.path.encode()
            + b"\0"
            + entry.offset.to_bytes(8, "big")
            + entry.length.to_bytes(8, "big")
            for entry in self.entries
            if entry.kind == BYTES
        )
        return self.name_of(self.stream, files)


@dataclass(frozen=True)
class Stratum:
    """What one share of the draws falls on.

    Attributes:
        name: path of the table, `STREAM` or `POOL`.
        is_stream: its units are shards and files, not segments and rows.
        segments: of tables, in order; empty for the byte stream.
        shards: shards of the byte stream, in order; empty for tables.
        files: positions of files; empty for tables.
        rows: how many; of the byte stream, files.
        tables: positions of its tables in the files table.
    """

    name: str
    is_stream: bool
    segments: tuple[Segment, ...] = ()
    shards: Sequence[int] = ()
    files: Sequence[int] = ()
    tables: tuple[int, ...] = ()

    @property
    def units(self) -> int:
        """n_k."""
        return len(self.shards) if self.is_stream else len(self.segments)

    @property
    def shard_count(self) -> int:
        """s_k."""
        return len(self.shards) if self.is_stream else sum(s.shards for s in self.segments)

    @property
    def rows(self) -> int:
        """r_k: rows, or files."""
        return len(self.files) if self.is_stream else sum(s.rows for s in self.segments)

    @cached_property
    def shard_ends(self) -> list[int]:
        """Of each segment, how many shards of the stratum end with it."""
        return list(accumulate(segment.shards for segment in self.segments))

    @cached_property
    def row_ends(self) -> list[int]:
        """Of each segment, how many rows of the stratum end with it."""
        return list(accumulate(segment.rows for segment in self.segments))


@dataclass(frozen=True)
class Strata:
    """All of a container.

    Attributes:
        drawn: those that are drawn from; their place is k.
        draws: m_k of each.
        left_out: those with too few segments, which nobody samples.
        taken_over: numbers of the segments that older versions have shown, of tables or 1.
    """

    drawn: tuple[Stratum, ...]
    draws: tuple[int, ...]
    left_out: tuple[Stratum, ...]
    taken_over: tuple[Segment, ...]


def find_strata(structure: Structure, asked: int, taken: Collection[bytes] = ()) -> Strata:
    """Cut a container into strata.

    Args:
        structure: of the container.
        asked: m of the card.
        taken: names (`Structure.name_of`) of the segments that older versions have shown and in
            which they could have been drawn. Each counts once: a repeated segment is new.
    """
    left, taken_over = set(taken), []

    def is_new(name: bytes, segment: Segment) -> bool:
        if name not in left:
            return True
        left.discard(name)
        taken_over.append(segment)
        return False

    drawn: list[Stratum] = []
    left_out: list[Stratum] = []
    if (
        structure.stream
        and structure.files
        and (not left or is_new(structure.stream_name, structure.stream))
    ):
        shards = structure.file_shards
        stream = Stratum(STREAM, True, shards=shards, files=structure.files)
        (drawn if len(shards) >= LEAST_SEGMENTS else left_out).append(stream)
    small: list[Stratum] = []
    for position, segments in structure.tables:
        if not segments:
            continue  # of many tables without rows nobody asks what their columns are
        entry = structure.entries[position]
        columns = structure.columns(entry) if left else b""
        new = tuple(
            segment
            for segment in segments
            if not left or is_new(structure.name_of(segment, columns), segment)
        )
        if not new:
            continue
        stratum = Stratum(entry.path, False, segments=new, tables=(position,))
        (drawn if len(new) >= LEAST_SEGMENTS else small).append(stratum)
    if sum(stratum.units for stratum in small) >= LEAST_SEGMENTS:
        drawn.append(
            Stratum(
                POOL,
                False,
                segments=tuple(segment for stratum in small for segment in stratum.segments),
                tables=tuple(position for stratum in small for position in stratum.tables),
            )
        )
    else:
        left_out += small
    shards_in_all = sum(stratum.shard_count for stratum in drawn)
    rows_in_all = sum(stratum.rows for stratum in drawn)
    draws = tuple(
        draws_of_part(
            asked,
            stratum.units,
            (stratum.shard_count, shards_in_all),
            (stratum.rows, rows_in_all),
        )
        for stratum in drawn
    )
    return Strata(tuple(drawn), draws, tuple(left_out), tuple(taken_over))


def column_text(entry: Entry) -> bytes:
    """Return names and types of a table's columns: what pandas notes of an index is no part of it.

    No two schemas have the same: within a text of a type a name may look like another type, so the
    fields of which it is made follow it, and each text stands there by its hash. What cannot be
    read as a schema is like no other.
    """
    try:
        schema = read_schema(entry, PATIENT)
    except CodecError:
        return b"\0" + (entry.schema or b"")
    found, waiting = [], list(reversed(list(schema)))
    while waiting:
        field = waiting.pop()
        parts = fields_of(field.type)
        for text in (field.name, str(field.type)):
            found.append(sha256(text.encode("utf-8", "replace")))
        found.append(bytes([field.nullable]) + len(parts).to_bytes(4, "big"))
        waiting += reversed(parts)
    return b"\1" + b"".join(found)


def files_shards(index: ShardIndex) -> range:
    """Return the shards of segment 0, which are always opened."""
    run = index.segments[FILES_SEGMENT]
    return range(run.shard, run.shard + run.shards)
