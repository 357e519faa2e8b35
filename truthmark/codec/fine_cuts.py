# SPDX-License-Identifier: Apache-2.0
"""Cuts a table into many small segments, so that chance can open some of them for everybody.

A segment is one shard wherever that costs little; where columns are many, or rows are large, it
is the fewest whole shards that hold them without waste. Encoding is what takes the time, the more
so the smaller the segments, so a cut should be right at once: the size of a segment is predicted
from the plain bytes of just those rows that it would have.
"""

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from truthmark.codec.limits import MAX_SEGMENT_SHARDS
from truthmark.codec.row_sizes import EvenEnds, RowSizes
from truthmark.codec.segments import (
    MAX_DECODED,
    MAX_READ,
    SLACK,
    Encoded,
    RowQueue,
    Scratch,
    decoded_size,
    one_batch,
    padded,
    schema_message,
    write_messages,
)
from truthmark.codec.storage_types import holds_type
from truthmark.errors import CodecError

if TYPE_CHECKING:
    import pyarrow as pa

    from truthmark.codec.row_sizes import Ends

# What cutting may add to a table, against the same rows encoded by the megabyte: where shards are
# few, the files table and the last one, which is not full, take their part of a tenth in all.
_MOST_ADDED: Final = 0.08
_PARTLY_FULL: Final = 2
HEAD_BYTES: Final = 4 << 20
# Rows that are large for a shard get as many shards as they fill so far, or this many.
_GOOD_FILL: Final = 0.97
_ENOUGH_SHARDS: Final = 16
# Below this a cut is made once more.
_POOR_FILL: Final = 0.88
_TRIES: Final = 4
# Of values that hardly take room a segment need not have more, though its shard is not full.
_MOST_ROWS: Final = 1 << 20
_FIRST_ERROR: Final = 0.004
_LEAST: Final = 1e-6
_END: Final = b"\xff\xff\xff\xff\x00\x00\x00\x00"


@dataclass(frozen=True, slots=True)
class _Choice:
    """Rows for the next segment.

    Attributes:
        rows: how many.
        plain: their plain bytes.
        shards: for how many shards.
        is_all: whether no more may be taken, so that the shards need not be full.
    """

    rows: int
    plain: float
    shards: int
    is_all: bool


class Encoder:
    """Encodes rows of one schema into messages without the schema's.

    Where there are no dictionaries, which a stream writes when they change only, one stream
    serves many segments: beginning one takes as long as encoding some rows.
    """

    def __init__(self, schema: "pa.Schema", *, use_threads: bool) -> None:
        """Encode rows of `schema`."""
        import pyarrow as pa

        self.schema = schema
        self.sizes = RowSizes(schema)
        self.prefix = len(schema_message(schema))
        self._options = pa.ipc.IpcWriteOptions(compression="zstd", use_threads=use_threads)
        self._has_dictionaries = any(holds_type(kind, pa.DictionaryType) for kind in schema.types)
        self._memory: Scratch | None = None
        self._sink: pa.NativeFile | None = None
        self._stream: pa.RecordBatchStreamWriter | None = None

    def scratch(self, payload: int) -> Scratch:
        """Return memory for the largest segment, and for the head of a table."""
        return Scratch(self.prefix + max(MAX_SEGMENT_SHARDS * payload, 2 * HEAD_BYTES) + SLACK)

    def write(self, batches: "list[pa.RecordBatch]", scratch: Scratch) -> int | None:
        """Write the messages of `batches`; return their length, None where it is too long."""
        if self._has_dictionaries:
            return write_messages(batches, self.schema, self._options, scratch, self.prefix)
        size = self._write_on(batches, scratch)
        if size is None and self._sink is not None:
            self._sink = None  # there was little room left
            size = self._write_on(batches, scratch)
        if size is None:
            self._sink = None
        return size

    def decoded_size(self, batches: "list[pa.RecordBatch]") -> int:
        """Return the length of the messages of `batches` when written without compression."""
        import pyarrow as pa

        if self._has_dictionaries:
            return decoded_size(batches, self.schema) - self.prefix
        return sum(int(pa.ipc.get_record_batch_size(batch)) for batch in batches) + len(_END)

    def _write_on(self, batches: "list[pa.RecordBatch]", scratch: Scratch) -> int | None:
        import pyarrow as pa

        if self._memory is None:
            self._memory = Scratch(len(scratch.memory) - len(_END))
        try:
            if self._sink is None or self._stream is None:
                self._sink = pa.FixedSizeBufferWriter(self._memory.buffer)
                self._stream = pa.ipc.new_stream(self._sink, self.schema, options=self._options)
            # The schema comes with the first batch.
            start = int(self._sink.tell()) or self.prefix
            for batch in batches:
                self._stream.write_batch(batch)
            stop = int(self._sink.tell())
        except (pa.ArrowInvalid, OSError):
            return None
        end = self.prefix + stop - start
        scratch.memory[self.prefix : end] = self._memory.memory[start:stop]
        scratch.memory[end : end + len(_END)] = _END
        return stop - start + len(_END)


class Head:
    """The first rows of a table, which show what cutting it small would add.

    Attributes:
        frame: bytes of a segment that are not its rows.
    """

    def __init__(self, rows: "pa.Table", encoder: Encoder, scratch: Scratch) -> None:
        """Encode the first megabytes of `rows`, of which there is at least one."""
        self._encoder, self._scratch = encoder, scratch
        self._ends = encoder.sizes.ends(rows)
        self._count = max(1, int(self._ends.searchsorted(HEAD_BYTES)))
        self._table = rows.slice(0, self._count)
        self._sizes: dict[int, int | None] = {}
        one = self._size(1)
        # Of one row hardly anything is compressed: what is not the row is the frame around it.
        self.frame = 0.0 if one is None else max(one - self._plain(1), 0.0)
        whole = self._size(self._count)
        # Against plain bytes, as the first rows may be larger or smaller than those behind them.
        self._usual = None if whole is None else whole / self._plain(self._count)

    def ratio(self, shards: int, payload: int) -> float:
        """Return encoded bytes of rows to plain ones, in a segment of so many shards."""
        rows = self._rows(shards * payload)
        size = self._size(rows)
        if size is None:
            return 1.0
        return max((size - self.frame) / self._plain(rows), _LEAST)

    def least_shards(self, payload: int, encoded: int) -> int:
        """Return the fewest shards of a segment that cutting adds no more than a little to.

        Args:
            payload: plaintext bytes of a shard.
            encoded: about how many bytes the container has.
        """
        most = 1 + _MOST_ADDED - min(_PARTLY_FULL * payload / max(encoded, 1), _MOST_ADDED / 2)

        def is_enough(shards: int) -> bool:
            rows = self._rows(shards * payload)
            size = self._size(rows)
            if size is None or self._usual is None or rows == self._count:
                return True
            return size <= most * self._usual * self._plain(rows)

        enough = 1
        while enough < MAX_SEGMENT_SHARDS and not is_enough(enough):
            enough *= 2
        return bisect_left(range(enough), True, lo=enough // 2 + 1, key=is_enough)

    def _rows(self, room: int) -> int:
        """Return how many rows are about so many encoded bytes."""
        if self._usual is None:
            return self._count  # rows that are larger than all of this
        return min(max(1, int(self._ends.searchsorted(room / self._usual))), self._count)

    def _plain(self, rows: int) -> float:
        return float(self._ends[rows - 1])

    def _size(self, rows: int) -> int | None:
        if rows not in self._sizes:
            batches = one_batch(self._table.slice(0, rows))
            self._sizes[rows] = self._encoder.write(batches, self._scratch)
        return self._sizes[rows]


class FineCutter:
    """Encodes the rows of one table, segment by segment, each of as few shards as may be."""

    def __init__(
        self, rows: RowQueue, payload: int, *, encoded: int, path: str, use_threads: bool
    ) -> None:
        """Cut `rows` for shards of `payload` bytes.

        Args:
            rows: of the table.
            payload: plaintext bytes of a shard.
            encoded: about how many bytes the container has.
            path: names the table in errors.
            use_threads: whether columns are encoded at the same time.
        """
        self._rows, self._payload, self._path = rows, payload, path
        self._encoded = encoded
        self._encoder = Encoder(rows.schema, use_threads=use_threads)
        self._least = 0
        self._frame, self._ratio = 0.0, 1.0
        # Mean relative error of the predictions, which sets how close to full we dare to aim.
        self._error = _FIRST_ERROR
        self._window = 8

    def scratch(self) -> Scratch:
        """Return memory in which `next` may encode."""
        return self._encoder.scratch(self._payload)

    def next(self, scratch: Scratch, *, at_most: int = _MOST_ROWS) -> Encoded | None:
        """Encode the next segment, of at most `at_most` rows, into `scratch`; None at the end.

        Raises:
            CodecError: one row alone does not fit into a segment.
        """
        if not self._rows.fill(1):
            return None
        if not self._least:
            self._learn(scratch)
        best_rows, best_fill = 0, 0.0
        tried: set[int] = set()
        while len(tried) < _TRIES:
            choice = self._choose(at_most)
            if choice.rows in tried:
                break
            tried.add(choice.rows)
            segment = self._encode(choice, scratch)
            if segment is None:
                continue
            fill = segment.fill(self._payload)
            is_full = choice.is_all or fill >= _POOR_FILL or choice.rows == 1
            if is_full and segment.shards <= choice.shards:
                return self._take(segment)
            if fill > best_fill:
                best_rows, best_fill = choice.rows, fill
        return self._take(self._encode_fitting(best_rows or min(tried), scratch))

    def _learn(self, scratch: Scratch) -> None:
        ends, _ = self._look_ahead(HEAD_BYTES, _MOST_ROWS)
        head = Head(self._rows.peek(len(ends)), self._encoder, scratch)
        self._least = head.least_shards(self._payload, self._encoded)
        self._frame, self._ratio = head.frame, head.ratio(self._least, self._payload)

    def _choose(self, at_most: int) -> _Choice:
        """Return the rows for the fewest shards that they fill well."""
        aim = 1 - min(max(2.5 * self._error, 0.004), 0.08)
        plain = self._least * self._payload / self._ratio
        ends, is_all = self._look_ahead(plain, at_most)
        reach = self._least
        if ends.searchsorted(plain) * (1 - _GOOD_FILL) < 1:
            # So few rows fill it that some shards more may hold them with less waste.
            reach = max(reach, _ENOUGH_SHARDS)
            ends, is_all = self._look_ahead(plain * reach / self._least, at_most)
        best = _Choice(0, 0.0, MAX_SEGMENT_SHARDS, is_all=False)
        best_fill = 0.0
        for shards in range(self._least, MAX_SEGMENT_SHARDS + 1):
            room = shards * self._payload
            most = (aim * room - self._frame) / self._ratio
            rows = int(ends.searchsorted(most, "right"))
            if not rows:
                continue
            fill = self._size(ends[rows - 1]) / room
            is_last = is_all and rows == len(ends)
            if fill > best_fill or is_last:
                best, best_fill = _Choice(rows, float(ends[rows - 1]), shards, is_last), fill
            if is_last or fill >= _GOOD_FILL * aim or shards >= reach:
                break
        return best if best.rows else _Choice(1, float(ends[0]), MAX_SEGMENT_SHARDS, is_all=True)

    def _look_ahead(self, plain: float, at_most: int) -> "tuple[Ends | EvenEnds, bool]":
        """Return the ends of rows up to `plain` bytes, and whether no more may be taken."""
        most = min(at_most, _MOST_ROWS)
        while True:
            wanted = min(self._window, most)
            known = self._rows.fill(wanted)
            even = self._encoder.sizes.even
            ends: Ends | EvenEnds
            if even is None:
                ends = self._encoder.sizes.ends(self._rows.peek(known))
            else:
                ends = EvenEnds(even, known)
            is_all = known < self._window
            if ends[-1] > MAX_DECODED:  # a reader does not decode more at once
                return ends[: max(1, int(ends.searchsorted(MAX_DECODED)))], True
            if is_all or ends[-1] >= plain:
                break
            self._window *= 2
        # Next time hardly more than what was needed.
        needed = int(ends.searchsorted(plain)) + 1
        self._window = max(8, needed + needed // 8)
        return ends, is_all

    def _encode(self, choice: _Choice, scratch: Scratch) -> Encoded | None:
        """Encode the next rows and learn from it; None where they are more than a segment holds."""
        segment, size = self._write(choice.rows, scratch)
        if size is None:
            self._ratio *= 2
            return None
        predicted = self._size(choice.plain)
        error = abs(size - predicted) / size
        self._error += (min(error, 0.2) - self._error) / 8
        found = max((size - self._frame) / choice.plain, _LEAST)
        # One segment is like the ones before it, unless it is not.
        self._ratio += (found - self._ratio) * (0.4 if error < 0.05 else 1.0)
        return segment

    def _size(self, plain: float) -> float:
        """Return the predicted length of a segment."""
        return self._frame + self._ratio * plain

    def _write(self, rows: int, scratch: Scratch) -> tuple[Encoded | None, int | None]:
        batches = one_batch(self._rows.peek(rows))
        size = self._encoder.write(batches, scratch)
        if size is None or size > MAX_SEGMENT_SHARDS * self._payload:
            return None, size
        decoded = self._encoder.decoded_size(batches)
        if decoded > MAX_READ:
            return None, None
        return padded(scratch, self._encoder.prefix, size, self._payload, rows, decoded), size

    def _encode_fitting(self, rows: int, scratch: Scratch) -> Encoded:
        # Rows so unlike each other that no prediction held: shrink until something fits.
        while (segment := self._write(rows, scratch)[0]) is None:
            if rows == 1:
                raise CodecError(
                    f"{self._path}: one row is larger than {MAX_SEGMENT_SHARDS} parts of "
                    f"{self._payload} bytes, which a sample is drawn from; keep such values as "
                    "files of their own, or pack it with --blind",
                    page=f"{self._path}: one row is larger than {MAX_SEGMENT_SHARDS} parts of "
                    f"{self._payload} bytes; keep such values as files of their own, or pack it "
                    "without a sample",
                )
            rows //= 2
        return segment

    def _take(self, segment: Encoded) -> Encoded:
        self._rows.drop(segment.rows)
        return segment
