# SPDX-License-Identifier: Apache-2.0
"""Cuts a table into many small segments, so that chance can open some of them for everybody.

A segment is one shard wherever that costs little; where rows are large, or columns very many, it
is the fewest whole shards that hold them without waste. Encoding is what takes the time, the more
so the smaller the segments, so a cut should be right at once: the size of a segment is predicted
from the plain bytes of just those rows that it would have.
"""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Final

from truthmark.arrow import pa
from truthmark.codec.limits import MAX_SEGMENT_SHARDS
from truthmark.codec.packed_messages import END, FramePacker
from truthmark.codec.row_sizes import EndsFrom, EvenEnds, RowSizes
from truthmark.codec.segments import (
    MAX_DECODED,
    MAX_READ,
    Encoded,
    RowQueue,
    Scratch,
    decoded_size,
    encoded_size,
    one_batch,
    padded,
    schema_message,
)
from truthmark.codec.storage_types import holds_type
from truthmark.errors import CodecError

# What cutting may add to a table, against the same rows encoded by the megabyte: of a tenth in all
# what shards are not full takes its part and, where they are few, the files table and the last one.
_MOST_ADDED: Final = 0.075
_FITTING: Final = (1.0, 0.98, 0.96, 0.94)
_PARTLY_FULL: Final = 2
# The first rows of a table, which show how it compresses: enough of each column, and not too many.
HEAD_BYTES: Final = 4 << 20
_LEAST_HEAD_BYTES: Final = 1 << 20
_COLUMN_HEAD_BYTES: Final = 64 << 10
_COUNTED_ROWS: Final = 1 << 16
# Rows that are large for a shard get as many shards as they fill so far, or this many.
_GOOD_FILL: Final = 0.97
_ENOUGH_SHARDS: Final = 16
# Below this a cut is made once more.
_POOR_FILL: Final = 0.88
_TRIES: Final = 4
# So many times are rows that fill whole words so few that they may be left out.
_MANY_WORDS: Final = 16
# Of values that hardly take room a segment need not have more, though its shard is not full.
_MOST_ROWS: Final = 1 << 20
# Rows beside some of so few plain bytes may be as many again before their size is asked for.
_SURELY: Final = 4 << 20
_FIRST_ERROR: Final = 0.004
_LEAST: Final = 1e-6


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


def head_bytes(schema: "pa.Schema") -> int:
    """Return how many plain bytes at the beginning of a table show how it compresses."""
    return min(max(_LEAST_HEAD_BYTES, len(schema) * _COLUMN_HEAD_BYTES), HEAD_BYTES)


class Encoder:
    """Encodes rows of one schema into messages without the schema's, in frames."""

    def __init__(self, schema: "pa.Schema") -> None:
        """Encode rows of `schema`."""
        self.schema = schema
        self.sizes = RowSizes(schema)
        self._frames = FramePacker()
        self._surely = 0  # so many rows are not too many
        self._head = len(schema_message(schema))
        self._has_dictionaries = any(holds_type(kind, pa.DictionaryType) for kind in schema.types)

    def learn(self, batches: "list[pa.RecordBatch]") -> None:
        """Find out on rows of about one segment which columns are better kept apart."""
        batches = self._combined(batches)
        if len(batches) == 1 and not self._has_dictionaries and self.size(batches) is not None:
            self._frames.learn(batches[0].serialize())

    def encode(self, batches: "list[pa.RecordBatch]") -> tuple[list[bytes], int] | None:
        """Return a segment of rows, in parts, and the length of its messages.

        None where that is more than a reader decodes at once.
        """
        batches = self._combined(batches)
        rows = sum(batch.num_rows for batch in batches)
        # To ask takes as long as to copy some columns, and next to these rows there is no need.
        if rows > self._surely and self._decoded_size(batches) > MAX_READ:
            return None
        messages = self._messages(batches)
        decoded = sum(map(len, messages)) + len(END)
        if decoded > MAX_READ:
            return None
        self._surely = rows if decoded > _SURELY else 2 * rows
        return self._frames.pack(messages), decoded

    def size(self, batches: "list[pa.RecordBatch]") -> int | None:
        """Return the length of a segment of rows, as far as they make one."""
        found = self.encode(batches)
        return None if found is None else sum(map(len, found[0]))

    def _combined(self, batches: "list[pa.RecordBatch]") -> "list[pa.RecordBatch]":
        if len(batches) == 1:
            return batches
        return one_batch(pa.Table.from_batches(batches, self.schema))

    def _decoded_size(self, batches: "list[pa.RecordBatch]") -> int:
        if self._has_dictionaries:
            return decoded_size(batches, self.schema) - self._head
        return sum(int(pa.ipc.get_record_batch_size(batch)) for batch in batches) + len(END)

    def _messages(self, batches: "list[pa.RecordBatch]") -> "list[pa.Buffer]":
        if not self._has_dictionaries:
            return [batch.serialize() for batch in batches]
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self.schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
        stream = sink.getvalue()
        return [stream.slice(self._head, len(stream) - self._head - len(END))]


class Head:
    """The first rows of a table, which show what cutting it small would add.

    Attributes:
        encoder: encodes as is best for segments of the size that was asked for last.
        frame: bytes of a segment that are not its rows.
    """

    def __init__(self, rows: "pa.Table", encoder: Encoder, usual: float | None = None) -> None:
        """Encode some of the first megabytes of `rows`, of which there is at least one.

        Args:
            rows: of a table, from its first one.
            encoder: of the table.
            usual: encoded bytes, by the megabyte, to plain ones, where that was measured.
        """
        self.encoder = encoder
        self._learned = 0
        self._ends = encoder.sizes.ends(rows)
        self._count = max(1, int(self._ends.searchsorted(head_bytes(rows.schema))))
        self._table = rows.slice(0, self._count)
        self._sizes: dict[int, int | None] = {}
        # Against plain bytes, as the first rows may be larger or smaller than those behind them.
        self._usual = usual or encoded_size(self._table) / self._plain(self._count)
        # Of one row hardly anything is compressed: what is not the row is the frame around it.
        self.frame = max((self._size(1) or 0) - self._plain(1), 0.0)

    def learn(self, room: int) -> None:
        """Encode from now on as is best for segments of so many bytes."""
        if room == self._learned:
            return
        self.encoder.learn(self._batches(self._rows(room)))
        self._learned = room
        self._sizes.clear()

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
        self.learn(payload)
        most = 1 + _MOST_ADDED - min(_PARTLY_FULL * payload / max(encoded, 1), _MOST_ADDED / 2)

        def is_enough(shards: int) -> bool:
            rows = self._rows(shards * payload)
            size = self._size(rows)
            if size is None or rows == self._count:
                return True
            # As many as fit, or some less: Arrow fills columns up to whole words, which shows.
            fitting = min(rows, rows * shards * payload // size)
            tried = [max(1, int(part * fitting)) for part in _FITTING]
            added = [(self._size(some) or 0) / self._plain(some) for some in tried]
            return max(added) <= most * self._usual

        enough = 1
        while enough < MAX_SEGMENT_SHARDS and not is_enough(enough):
            enough *= 2
        return bisect_left(range(enough), True, lo=enough // 2 + 1, key=is_enough)

    def _rows(self, room: int) -> int:
        """Return how many rows are about so many encoded bytes."""
        return min(max(1, int(self._ends.searchsorted(room / self._usual))), self._count)

    def _plain(self, rows: int) -> float:
        return float(self._ends[rows - 1])

    def _size(self, rows: int) -> int | None:
        if rows not in self._sizes:
            self._sizes[rows] = self.encoder.size(self._batches(rows))
        return self._sizes[rows]

    def _batches(self, rows: int) -> "list[pa.RecordBatch]":
        return list(self._table.slice(0, rows).to_batches())


class _RowEnds:
    """Where the next rows of a table end, counted for many segments at once."""

    def __init__(self, rows: RowQueue, sizes: RowSizes) -> None:
        self._rows, self._sizes = rows, sizes
        self._first = 0
        self._known: EndsFrom | EvenEnds = EvenEnds(1.0, 0)

    def up_to(self, count: int) -> "EndsFrom | EvenEnds":
        """Return, for each of `count` rows that were read, the plain bytes up to its end."""
        skipped = self._rows.dropped - self._first
        if skipped + count > len(self._known):
            self._first, skipped = self._rows.dropped, 0
            most = min(max(count, _COUNTED_ROWS), self._rows.available)
            self._known = self._sizes.ends(self._rows.peek(most))
        return self._known.part(skipped, count)


class FineCutter:
    """Encodes the rows of one table, segment by segment, each of as few shards as may be."""

    def __init__(
        self, rows: RowQueue, payload: int, *, encoded: int, path: str, head: Head | None = None
    ) -> None:
        """Cut `rows` for shards of `payload` bytes.

        Args:
            rows: of the table.
            payload: plaintext bytes of a shard.
            encoded: about how many bytes the container has.
            path: names the table in errors.
            head: its first rows, where they were measured.
        """
        self._rows, self._payload, self._path = rows, payload, path
        self._encoded = encoded
        self._head = head
        self._encoder = head.encoder if head else Encoder(rows.schema)
        self._ends = _RowEnds(rows, self._encoder.sizes)
        self._least = 0
        self._frame, self._ratio = 0.0, 1.0
        # Mean relative error of the predictions, which sets how close to full we dare to aim.
        self._error = _FIRST_ERROR
        self._window = 8

    def scratch(self) -> Scratch:
        """Return memory in which `next` may encode."""
        return Scratch(MAX_SEGMENT_SHARDS * self._payload)

    def next(self, scratch: Scratch, *, at_most: int = _MOST_ROWS) -> Encoded | None:
        """Encode the next segment, of at most `at_most` rows, into `scratch`; None at the end.

        Raises:
            CodecError: one row alone does not fit into a segment.
        """
        if not self._rows.fill(1):
            return None
        if not self._least:
            self._learn()
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

    def _learn(self) -> None:
        head, self._head = self._head, None
        if head is None:
            ends, _ = self._look_ahead(head_bytes(self._rows.schema), _MOST_ROWS)
            head = Head(self._rows.peek(len(ends)), self._encoder)
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
            is_last = is_all and rows == len(ends)
            if not is_last:
                rows = self._whole_words(rows)
            fill = self._size(ends[rows - 1]) / room
            if fill > best_fill or is_last:
                best, best_fill = _Choice(rows, float(ends[rows - 1]), shards, is_last), fill
            if is_last or fill >= _GOOD_FILL * aim or shards >= reach:
                break
        return best if best.rows else _Choice(1, float(ends[0]), MAX_SEGMENT_SHARDS, is_all=True)

    def _whole_words(self, rows: int) -> int:
        """Return so many rows, or a few less, that columns fill whole words, as Arrow has them."""
        sizes = self._encoder.sizes
        if sizes.even is None or rows < _MANY_WORDS * sizes.words:
            return rows
        return rows - rows % sizes.words

    def _look_ahead(self, plain: float, at_most: int) -> tuple[EndsFrom | EvenEnds, bool]:
        """Return the ends of rows up to `plain` bytes, and whether no more may be taken."""
        most = min(at_most, _MOST_ROWS)
        while True:
            wanted = min(self._window, most)
            known = self._rows.fill(wanted)
            ends = self._ends.up_to(known)
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
        found = self._encoder.encode(self._rows.batches(rows))
        if found is None:
            return None, None
        parts, decoded = found
        size = sum(map(len, parts))
        if size > MAX_SEGMENT_SHARDS * self._payload:
            return None, size
        end = 0
        for part in parts:
            scratch.memory[end : end + len(part)] = part
            end += len(part)
        return padded(scratch, 0, size, self._payload, rows, decoded), size

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
