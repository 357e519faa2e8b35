# SPDX-License-Identifier: Apache-2.0
"""Guesses how large tables become when encoded, to choose the size of shards."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Final

from truthmark.codec.limits import MAX_SHARD_SIZE, MIN_SHARD_SIZE
from truthmark.codec.segments import MAX_DECODED, check_batch, decoded_size
from truthmark.codec.sources import Plan

if TYPE_CHECKING:
    import pyarrow as pa

    from truthmark.codec.tables import Table

SHARDS_AT_LEAST: Final = 16
_ENOUGH_ENCODED: Final = SHARDS_AT_LEAST * MAX_SHARD_SIZE
# So much more than enough that a poor extrapolation does not matter.
_SURELY_ENOUGH: Final = 2 * _ENOUGH_ENCODED
_ENOUGH_DECODED: Final = 32 << 20
_STEP: Final = 4 << 20


def choose_shard_size(plan: Plan) -> tuple[int, int]:
    """Return the default shard size for `plan`, and about how many bytes it encodes to.

    The size is the largest power of two not above a sixteenth of the encoded size, and small
    enough that a shard of very compressible rows stays within what a reader decodes at once.
    Tables that can be read only once are replaced in `plan` by ones that begin with the rows
    read here.
    """
    encoded = plan.bytes_size
    ratio = 1.0
    for position, table in enumerate(plan.tables):
        if encoded >= _ENOUGH_ENCODED:
            encoded += table.size  # the choice is made; only the progress bar reads this
            continue
        plan.tables[position], size, found = _sample(table)
        encoded += size
        ratio = max(ratio, found)
    ceiling = min(encoded / SHARDS_AT_LEAST, MAX_DECODED / 2 / ratio, MAX_SHARD_SIZE)
    return max(MIN_SHARD_SIZE, 1 << max(int(ceiling), 1).bit_length() - 1), encoded


def _sample(table: "Table") -> "tuple[Table, int, float]":
    batches = table.batches()
    spool: list[pa.RecordBatch] = []
    encoded = decoded = rows = 0
    expected = 0
    while decoded < _ENOUGH_DECODED and expected < _SURELY_ENOUGH:
        batch = next(batches, None)
        if batch is None:
            expected = encoded
            break
        if table.once:
            spool.append(batch)
        for part in _parts(batch, table.path):
            encoded += _encoded_size(part)
            decoded += decoded_size([part], part.schema)
            rows += part.num_rows
            expected = int(encoded * _scale(table, rows, decoded))
            if decoded >= _ENOUGH_DECODED or expected >= _SURELY_ENOUGH:
                break
    ratio = decoded / max(encoded, 1)
    if table.once:
        table = replace(table, batches=lambda: chain(spool, batches))
    return table, expected, ratio


def _scale(table: "Table", rows: int, decoded: int) -> float:
    """Return how many times what was read the whole table is likely to be."""
    if table.rows is not None:
        return table.rows / max(rows, 1)
    if table.size:
        return max(table.size / max(decoded, 1), 1.0)
    return 2.0  # nothing tells how much follows in a stream that can be read once


def _parts(batch: "pa.RecordBatch", path: str) -> "Iterator[pa.RecordBatch]":
    # What a slice lies in is at least what it holds, so the first part is rather too small.
    step = max(1, batch.num_rows * _STEP // max(batch.get_total_buffer_size(), 1))
    first = 0
    while first < batch.num_rows:
        part = batch.slice(first, step)
        check_batch(part, path)
        yield part
        first += part.num_rows
        size = decoded_size([part], part.schema)
        step = max(1, part.num_rows * _STEP // max(size, 1))


def _encoded_size(batch: "pa.RecordBatch") -> int:
    import pyarrow as pa

    sink = pa.MockOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch)
    return int(sink.size())
