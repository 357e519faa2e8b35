# SPDX-License-Identifier: Apache-2.0
"""The index: one public row a shard, from which the tree is recomputed without a key."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from truthmark.arrow import pa
from truthmark.codec import decoder
from truthmark.codec.derive import shard_leaf
from truthmark.codec.limits import (
    BYTES_SEGMENT,
    DEFAULT_LIMITS,
    FILES_SEGMENT,
    FIRST_TABLE_SEGMENT,
    MAX_SEGMENT_SHARDS,
    Limits,
)
from truthmark.codec.tree import Tree
from truthmark.errors import LimitError, MalformedError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

# A row has 120 bytes; the rest is for Arrow's own frame.
_ROW_ALLOWANCE: Final = 160
_FRAME_ALLOWANCE: Final = 64 << 10
MAX_INDEX_SIZE: Final = 256 << 20


def schema() -> "pa.Schema":
    """Return the one schema of an index."""
    digest = pa.binary(32)
    return pa.schema(
        [
            pa.field("sha256", digest, nullable=False),
            pa.field("key_hash", digest, nullable=False),
            pa.field("wrap_word", digest, nullable=False),
            pa.field("segment", pa.uint32(), nullable=False),
            pa.field("first_row", pa.uint64(), nullable=False),
            pa.field("rows", pa.uint32(), nullable=False),
            pa.field("decoded_bytes", pa.uint64(), nullable=False),
        ]
    )


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of shards that is decoded together.

    Attributes:
        number: 0 the files table, 1 the byte stream, from 2 on segments of tables.
        shard: its first shard.
        shards: how many.
        first_row: number of its first row among all rows of the container.
        rows: how many.
        decoded_bytes: length of its Arrow messages when written without compression, so a limit
            to what its decoded buffers have.
    """

    number: int
    shard: int
    shards: int
    first_row: int
    rows: int
    decoded_bytes: int


class ShardIndex:
    """The public rows of all shards.

    Attributes:
        count: how many shards.
        segment: `(count,)` u32; the others are like it: first_row u64, rows u32,
            decoded_bytes u64.
    """

    def __init__(
        self,
        sha256: bytes,
        key_hash: bytes,
        wrap_word: bytes,
        numbers: "tuple[npt.NDArray[np.uint64], ...]",
    ) -> None:
        """Take the columns as they are: digests end to end, then the four of integers."""
        self._sha256, self._key_hash, self._wrap_word = sha256, key_hash, wrap_word
        self.segment, self.first_row, self.rows, self.decoded_bytes = numbers
        self.count = len(self.segment)

    def sha256(self, i: int) -> bytes:
        """Return the SHA-256 of the ciphertext of shard `i`, tag included."""
        return self._sha256[32 * i : 32 * i + 32]

    def key_hash(self, i: int) -> bytes:
        """Return the SHA-256 of K_i."""
        return self._key_hash[32 * i : 32 * i + 32]

    def wrap_word(self, i: int) -> bytes:
        """Return w_i; 32 zero bytes where the key follows from the CEK alone."""
        return self._wrap_word[32 * i : 32 * i + 32]

    def leaf(self, i: int) -> bytes:
        """Return leaf `i` of the tree."""
        return shard_leaf(i, self.sha256(i), self.key_hash(i), self.wrap_word(i))

    @cached_property
    def tree(self) -> Tree:
        """The tree over all leaves."""
        return Tree([self.leaf(i) for i in range(self.count)])

    @cached_property
    def segments(self) -> dict[int, Segment]:
        """Every segment by its number, in order."""
        return {segment.number: segment for segment in self._runs()}

    @property
    def table_segments(self) -> list[Segment]:
        """The segments of tables, in order of their rows."""
        return [run for number, run in self.segments.items() if number >= FIRST_TABLE_SEGMENT]

    def to_bytes(self) -> bytes:
        """Return the index as an uncompressed Arrow IPC file."""
        columns: list[pa.Array] = [
            pa.FixedSizeBinaryArray.from_buffers(
                pa.binary(32), self.count, [None, pa.py_buffer(digests)]
            )
            for digests in (self._sha256, self._key_hash, self._wrap_word)
        ]
        numbers = (self.segment, self.first_row, self.rows, self.decoded_bytes)
        for field, values in zip(list(schema())[3:], numbers, strict=True):
            columns.append(pa.array(values, field.type))
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, schema()) as writer:
            writer.write_batch(pa.record_batch(columns, schema=schema()))
        return bytes(sink.getvalue().to_pybytes())

    @classmethod
    def from_bytes(cls, data: bytes, count: int, limits: Limits = DEFAULT_LIMITS) -> "ShardIndex":
        """Read an index that must have `count` rows and describe a container.

        Raises:
            LimitError: it is larger than `count` rows can be.
            MalformedError: it is not such an index; the message says what is wrong.
        """
        check_index_size(len(data), count)
        table = decoder.decode_file(data, len(data), what="index", seconds=limits.seconds)
        if not table.schema.equals(schema()):
            raise MalformedError("index: its columns are not those of TMK1; get it again")
        if table.num_rows != count:
            raise MalformedError(
                f"index: {table.num_rows} rows for {count} shards; it belongs to something else"
            )
        if any(column.null_count for column in table.columns):
            raise MalformedError("index: has nulls; get it again")
        index = cls(
            _digest_bytes(table, "sha256"),
            _digest_bytes(table, "key_hash"),
            _digest_bytes(table, "wrap_word"),
            tuple(
                table[name].to_numpy().astype("uint64")
                for name in ("segment", "first_row", "rows", "decoded_bytes")
            ),
        )
        index._check()
        return index

    def _runs(self) -> Iterator[Segment]:
        import numpy as np

        starts = np.flatnonzero(self.segment != _shifted(self.segment))
        ends = np.append(starts[1:], self.count)
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            yield Segment(
                number=int(self.segment[start]),
                shard=start,
                shards=end - start,
                first_row=int(self.first_row[start]),
                rows=int(self.rows[start]),
                decoded_bytes=int(self.decoded_bytes[start]),
            )

    def _check(self) -> None:
        first = self.segment != _shifted(self.segment)
        if self.rows[~first].any() or self.decoded_bytes[~first].any():
            raise MalformedError("index: a continued segment declares rows; get it again")
        if (self.first_row[~first] != _shifted(self.first_row)[~first]).any():
            raise MalformedError("index: a continued segment declares a row; get it again")
        expected = FILES_SEGMENT
        row = 0
        for run in self._runs():
            if run.number == FIRST_TABLE_SEGMENT and expected == BYTES_SEGMENT:
                expected = FIRST_TABLE_SEGMENT  # there may be no byte stream
            if run.number != expected:
                raise MalformedError(
                    f"index: shard {run.shard} is of segment {run.number}, "
                    f"{expected} was due; get it again"
                )
            expected += 1
            is_table = run.number >= FIRST_TABLE_SEGMENT
            if run.first_row != row or is_table != bool(run.rows):
                raise MalformedError(
                    f"index: segment {run.number} does not continue the rows; get it again"
                )
            if is_table and run.shards > MAX_SEGMENT_SHARDS:
                raise MalformedError(
                    f"index: segment {run.number} has {run.shards} shards, "
                    f"{MAX_SEGMENT_SHARDS} are allowed"
                )
            row += run.rows


def check_index_size(size: int, count: int) -> None:
    """Refuse an index larger than `count` rows can be, before it is read.

    Raises:
        LimitError: it is.
    """
    allowed = min(count * _ROW_ALLOWANCE + _FRAME_ALLOWANCE, MAX_INDEX_SIZE)
    if size > allowed:
        raise LimitError(f"index: {size} bytes, {allowed} allowed for {count} shards")


def _shifted(values: "npt.NDArray[np.uint64]") -> "npt.NDArray[np.uint64]":
    # The value of the shard before; the first differs from whatever its own is.
    import numpy as np

    return np.concatenate([values[:1] + np.uint64(1), values[:-1]])


def _digest_bytes(table: "pa.Table", name: str) -> bytes:
    parts = []
    for chunk in table[name].chunks:
        parts.append(chunk.buffers()[1][32 * chunk.offset : 32 * (chunk.offset + len(chunk))])
    return b"".join(part.to_pybytes() for part in parts)
