# SPDX-License-Identifier: Apache-2.0
"""Cuts a table into segments that fill whole shards.

A segment is an Arrow IPC stream without its schema message, which stands once in the files
table. How many rows make a full segment is predicted from what was encoded so far; a cut that
misses is made once more with what it taught.
"""

import contextlib
import mmap
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from truthmark.arrow import pa
from truthmark.codec.decoder_child import MAX_ARRAYS, count_fields
from truthmark.codec.limits import MAX_SEGMENT_SHARDS
from truthmark.codec.storage_types import holds_type
from truthmark.errors import CodecError, MalformedError

MIN_FILL: Final = 0.9
MAX_ROWS: Final = 1 << 24
MAX_DECODED: Final = 64 << 20
"""Where a cut is made even if its shards are not full."""
MAX_READ: Final = 128 << 20
"""What a reader decodes at once unless told otherwise (`Limits.segment_bytes`)."""
_MIN_FRAMES: Final = 8
# A segment aims at this many times what one row costs (frames of all columns, dictionaries).
_FRAME_SHARE: Final = 48
_USUAL_SHARDS: Final = 4
_TRIES: Final = 4
_SAMPLE_ROWS: Final = 65536
_SAMPLE_BYTES: Final = 2 << 20
_FIRST_ERROR: Final = 0.01
_SLACK: Final = 64 << 10
_LEAST: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Encoded:
    """One segment, ready to seal.

    Attributes:
        payloads: `shards` payloads end to end, zeros after the stream's end.
        size: bytes of the stream.
        shards: how many.
        rows: how many rows.
        decoded_bytes: length of the messages when written without compression.
    """

    payloads: memoryview
    size: int
    shards: int
    rows: int
    decoded_bytes: int

    def fill(self, payload: int) -> float:
        """Return the part of the shards that the stream fills."""
        return self.size / (self.shards * payload)


class RowQueue:
    """Rows of a table that are read ahead as far as the next segment needs.

    Attributes:
        available: rows that were read and not left behind.
        dropped: rows that were.
    """

    def __init__(self, batches: Iterator["pa.RecordBatch"], schema: "pa.Schema", path: str) -> None:
        """Take rows from `batches` as they are needed; `path` names the table in errors."""
        self.schema = schema
        self._path = path
        self._batches = batches
        self._queue: deque[pa.RecordBatch] = deque()
        self._skipped = 0  # rows of the first batch
        self.available = self.dropped = 0

    def fill(self, rows: int) -> int:
        """Read until `rows` rows are there or no more come; return how many are.

        Raises:
            MalformedError: a batch is not valid Arrow: readers would refuse what was bought.
        """
        while self.available < rows and (batch := next(self._batches, None)) is not None:
            check_batch(batch, self._path)
            if batch.num_rows:
                self._queue.append(batch)
                self.available += batch.num_rows
        return min(rows, self.available)

    def peek(self, rows: int) -> "pa.Table":
        """Return the next `rows` rows, which `fill` has read."""
        return pa.Table.from_batches(self.batches(rows), self.schema)

    def batches(self, rows: int) -> "list[pa.RecordBatch]":
        """Return the next `rows` rows, which `fill` has read, in as few batches as they came in."""
        parts = []
        left, start = rows, self._skipped
        for batch in self._queue:
            if not left:
                break
            part = batch.slice(start, min(left, batch.num_rows - start))
            parts.append(part)
            left -= part.num_rows
            start = 0
        return parts

    def drop(self, rows: int) -> None:
        """Leave the next `rows` rows behind."""
        self.available -= rows
        self.dropped += rows
        self._skipped += rows
        while self._queue and self._skipped >= self._queue[0].num_rows:
            self._skipped -= self._queue.popleft().num_rows


class Scratch:
    """Memory for one encoded segment, used again and again; untouched pages cost nothing."""

    def __init__(self, size: int) -> None:
        """Reserve `size` bytes."""
        self.memory = memoryview(mmap.mmap(-1, size))
        self.buffer = pa.py_buffer(self.memory)


class Cutter:
    """Encodes the rows of one table, segment by segment."""

    def __init__(self, rows: RowQueue, payload: int, *, path: str, use_threads: bool) -> None:
        """Cut `rows` for shards of `payload` bytes; `path` names the table in errors."""
        self._rows = rows
        self._payload = payload
        self._path = path
        self._prefix = len(schema_message(rows.schema))
        self._options = pa.ipc.IpcWriteOptions(compression="zstd", use_threads=use_threads)
        self._frame = 0
        self._row_size = 0.0
        self._row_decoded = 0.0
        # Mean relative error of the predictions, which sets how close to full we dare to aim.
        self._error = _FIRST_ERROR

    def scratch(self) -> Scratch:
        """Return memory in which `next` may encode."""
        return Scratch(self._prefix + MAX_SEGMENT_SHARDS * self._payload + _SLACK)

    def next(self, scratch: Scratch, *, at_most: int = MAX_ROWS) -> Encoded | None:
        """Encode the next segment, of at most `at_most` rows, into `scratch`; None at the end.

        Raises:
            CodecError: one row alone does not fit into a segment.
        """
        if not self._rows.fill(1):
            return None
        if not self._frame:
            self._learn(scratch)
        aim = self._aimed_shards()
        best_rows, best_fill = 0, 0.0
        tried: set[int] = set()
        while len(tried) < _TRIES:
            wanted = self._predict(aim, at_most)
            rows = self._rows.fill(wanted)
            if rows in tried:
                break
            tried.add(rows)
            segment = self._encode(rows, scratch)
            if segment is None:
                continue
            is_last = rows < wanted or rows == at_most
            if is_last or self._is_good(segment, aim):
                return self._take(segment)
            if segment.fill(self._payload) > best_fill:
                best_rows, best_fill = rows, segment.fill(self._payload)
        return self._take(self._encode_fitting(best_rows or min(tried), scratch))

    def _learn(self, scratch: Scratch) -> None:
        # One row alone shows the frame; more of them the slope that the first guess needs.
        first_decoded = decoded_size(one_batch(self._rows.peek(1)), self._rows.schema)
        one = self._encode(1, scratch)
        self._frame = one.size if one is not None else self._payload
        self._row_decoded = float(first_decoded)
        rows = self._rows.fill(max(2, min(_SAMPLE_ROWS, _SAMPLE_BYTES // first_decoded)))
        self._row_size = float(self._frame)
        some = self._encode(rows, scratch)
        if some is not None:
            self._row_decoded = max(some.decoded_bytes / rows, _LEAST)
        self._error = _FIRST_ERROR  # what came before was not a prediction

    def _aimed_shards(self) -> int:
        by_frame = -(-_FRAME_SHARE * self._frame // self._payload)
        return max(_USUAL_SHARDS, min(by_frame, MAX_SEGMENT_SHARDS))

    def _predict(self, shards: int, at_most: int) -> int:
        aim = 1 - min(max(2 * self._error, 0.004), 0.05)
        rows = (aim * shards * self._payload - self._frame) / self._row_size
        rows = min(rows, MAX_DECODED / self._row_decoded, at_most, MAX_ROWS)
        return max(1, int(rows))

    def _is_good(self, segment: Encoded, aim: int) -> bool:
        if segment.decoded_bytes >= MIN_FILL * MAX_DECODED or segment.rows == MAX_ROWS:
            return True  # more rows would be more than a reader decodes at once
        least = min(_MIN_FRAMES * self._frame, int(MIN_FILL * aim * self._payload))
        return segment.fill(self._payload) >= MIN_FILL and segment.size >= least

    def _encode_fitting(self, rows: int, scratch: Scratch) -> Encoded:
        # Rows so unlike each other that no prediction held: shrink until something fits.
        while (segment := self._encode(rows, scratch)) is None:
            if rows == 1:
                raise CodecError(
                    f"{self._path}: one row is larger than a segment of 64 shards of "
                    f"{self._payload} bytes; keep such values as files of their own"
                )
            rows //= 2
        return segment

    def _take(self, segment: Encoded) -> Encoded:
        self._rows.drop(segment.rows)
        self._row_decoded = max(segment.decoded_bytes / segment.rows, _LEAST)
        return segment

    def _encode(self, rows: int, scratch: Scratch) -> Encoded | None:
        """Encode the next `rows` rows; None where they are larger than a segment may be."""
        batches = one_batch(self._rows.peek(rows))
        size = write_messages(batches, self._rows.schema, self._options, scratch, self._prefix)
        decoded = decoded_size(batches, self._rows.schema) - self._prefix
        if size is None or -(-size // self._payload) > MAX_SEGMENT_SHARDS:
            self._row_size = max(self._row_size, 2 * MAX_SEGMENT_SHARDS * self._payload / rows)
            return None
        predicted = self._frame + rows * self._row_size
        self._error += (min(abs(size - predicted) / size, 0.2) - self._error) / 4
        if rows > 1:
            self._row_size = max((size - self._frame) / rows, _LEAST)
        if decoded > MAX_READ:
            self._row_decoded = max(self._row_decoded, decoded / rows)
            return None
        return padded(scratch, self._prefix, size, self._payload, rows, decoded)


def padded(
    scratch: Scratch, prefix: int, size: int, payload: int, rows: int, decoded: int
) -> Encoded:
    """Return what stands in `scratch` behind `prefix`, with zeros up to the end of its shards."""
    shards = -(-size // payload)
    payloads = scratch.memory[prefix : prefix + shards * payload]
    payloads[size:] = bytes(len(payloads) - size)
    return Encoded(payloads, size, shards, rows, decoded)


def check_batch(batch: "pa.RecordBatch", path: str) -> None:
    """Check every value of a batch that a file or a caller gave; `path` names the table.

    Raises:
        MalformedError: it is not valid Arrow: readers would refuse what was bought.
    """
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid as error:
        reason = " ".join(str(error).split())[:200]
        raise MalformedError(
            f"{path}: holds values that its types do not allow ({reason}); "
            "repair them before packing"
        ) from error


def schema_message(schema: "pa.Schema") -> bytes:
    """Return the encapsulated schema message with which a stream of this schema begins."""
    return bytes(schema.serialize().to_pybytes())


def one_batch(table: "pa.Table") -> "list[pa.RecordBatch]":
    """Return the rows as one batch, whose columns compress best, where that can be made.

    Raises:
        CodecError: they stay so many batches that no reader would take them.
    """
    batches = table.to_batches()
    if len(batches) > 1 and all(_can_combine(kind) for kind in table.schema.types):
        with contextlib.suppress(pa.ArrowNotImplementedError, pa.ArrowInvalid):
            return list(table.unify_dictionaries().combine_chunks().to_batches())
    if len(batches) > 1 and len(batches) * count_fields(table.schema) > MAX_ARRAYS:
        raise CodecError(
            f"a table comes in {len(batches):,} small batches, which its dictionaries keep from "
            "being put together; write it in larger ones, or without these dictionaries"
        )
    return list(batches)


def _can_combine(kind: "pa.DataType") -> bool:
    """Tell whether batches of a type become one rightly: pyarrow confuses some dictionaries."""
    if not isinstance(kind, pa.DictionaryType):
        return not holds_type(kind, pa.DictionaryType)
    value = kind.value_type
    tests = (pa.types.is_integer, pa.types.is_string, pa.types.is_large_string, pa.types.is_binary)
    return any(test(value) for test in tests)


def decoded_size(batches: "list[pa.RecordBatch]", schema: "pa.Schema") -> int:
    """Return the length of the stream of `batches` without compression; copies nothing.

    It stands for `nbytes` everywhere, as that one dies on some nested columns without rows.
    """
    sink = pa.MockOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return int(sink.size())


def encoded_size(rows: "pa.Table | pa.RecordBatch") -> int:
    """Return the length of a stream of rows with each buffer compressed by itself."""
    sink = pa.MockOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd", use_threads=False)
    with pa.ipc.new_stream(sink, rows.schema, options=options) as writer:
        writer.write(rows)
    return int(sink.size())


def write_messages(
    batches: "list[pa.RecordBatch]",
    schema: "pa.Schema",
    options: "pa.ipc.IpcWriteOptions",
    scratch: Scratch,
    prefix: int,
) -> int | None:
    """Write a stream into `scratch`; return its length behind the schema, None if too long."""
    sink = pa.FixedSizeBufferWriter(scratch.buffer)
    try:
        with pa.ipc.new_stream(sink, schema, options=options) as writer:
            for batch in batches:
                writer.write_batch(batch)
        return int(sink.tell()) - prefix
    except (pa.ArrowInvalid, OSError):
        return None
