# SPDX-License-Identifier: Apache-2.0
"""Guesses how large tables become when encoded, to choose the size of shards."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Final

from truthmark.arrow import pa
from truthmark.codec.fine_cuts import HEAD_BYTES, Encoder, Head, head_bytes
from truthmark.codec.limits import (
    MAX_SEGMENT_SHARDS,
    MAX_SHARD_SIZE,
    MIN_SHARD_SIZE,
    payload_size,
)
from truthmark.codec.row_sizes import RowSizes
from truthmark.codec.segments import MAX_DECODED, check_batch, decoded_size, encoded_size
from truthmark.codec.sources import Plan

if TYPE_CHECKING:
    from truthmark.codec.tables import Table

SHARDS_AT_LEAST: Final = 16
# For a sample: so many shards, of sizes whose sealing a contract can judge.
_SAMPLED_SHARDS: Final = 1024
_SAMPLED_SIZES: Final = (8 << 10, 16 << 10, 32 << 10, 64 << 10)
# A row may be so many times as large as the largest that was seen; compressing may add a little.
_ROW_MARGIN: Final = 2
_KNOWN_ROW_MARGIN: Final = 1.02
_ENOUGH_DECODED: Final = 32 << 20
_STEP: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is chosen for a plan before it is packed.

    Attributes:
        shard_size: bytes of a shard, by default.
        encoded: about how many bytes the plan encodes to.
        heads: first rows of tables, by their paths, that were measured for small segments.
    """

    shard_size: int
    encoded: int
    heads: dict[str, Head] = field(default_factory=dict)


def choose_shard_size(plan: Plan) -> Estimate:
    """Return the default shard size for `plan`, and about how many bytes it encodes to.

    The size is the largest power of two not above a sixteenth of the encoded size, and small
    enough that a shard of very compressible rows stays within what a reader decodes at once.
    Tables that can be read only once are replaced in `plan` by ones that begin with the rows
    read here.
    """
    encoded, seen = _sample_all(plan, SHARDS_AT_LEAST * MAX_SHARD_SIZE)
    ratio = max([1.0, *(sample.ratio for sample in seen)])
    ceiling = min(encoded / SHARDS_AT_LEAST, MAX_DECODED / 2 / ratio, MAX_SHARD_SIZE)
    size = max(MIN_SHARD_SIZE, 1 << max(int(ceiling), 1).bit_length() - 1)
    return Estimate(size, encoded)


def choose_sampled_size(plan: Plan) -> Estimate:
    """Return the same for data of which a sample is drawn.

    The size is about a 1,024th of the encoded size, from 8 to 64 KiB. It is larger if the largest
    table's segments would take several shards of it anyway (many columns, large rows) and not
    become larger by that; and larger than 64 KiB only if a row would not fit into a segment.
    """
    encoded, seen = _sample_all(plan, _SAMPLED_SHARDS * _SAMPLED_SIZES[-1], is_sampled=True)
    wanted = encoded / _SAMPLED_SHARDS
    usual = min(_SAMPLED_SIZES, key=lambda size: abs(math.log2(size / max(wanted, 1))))
    largest = max(seen, key=lambda sample: sample.encoded, default=None)
    if largest is None or not largest.first:
        return Estimate(usual, encoded)
    head = largest.head()
    size = _fewest_bytes(usual, head, encoded)
    row = max(sample.largest for sample in seen)
    while size < MAX_SHARD_SIZE and MAX_SEGMENT_SHARDS * payload_size(size) < row:
        size *= 2
    return Estimate(size, encoded, {largest.table.path: head})


def _fewest_bytes(usual: int, head: Head, encoded: int) -> int:
    """Return the largest size, from `usual` on, whose segments have as few bytes as any."""
    sizes = [size for size in _SAMPLED_SIZES if size >= usual]
    best, fewest = usual, math.inf
    for size in sizes:
        segment = head.least_shards(payload_size(size), encoded) * size
        if segment <= fewest:
            best, fewest = size, segment
        if segment == size:
            break  # larger ones can only have more
    return best


@dataclass
class _Sample:
    """What the beginning of a table shows.

    Attributes:
        table: which one.
        encoded: about how many bytes the whole table encodes to.
        usual: encoded bytes to plain ones, as rows are counted.
        ratio: decoded bytes to encoded ones.
        first: the first megabytes of its rows.
        largest: plain bytes that no row is likely to exceed, with what stands around it.
    """

    table: "Table"
    encoded: int = 0
    usual: float = 1.0
    ratio: float = 1.0
    first: "list[pa.RecordBatch]" = field(default_factory=list)
    largest: float = 0.0

    def head(self) -> Head:
        """Measure the first rows, of which there is at least one."""
        rows = pa.Table.from_batches(self.first)
        return Head(rows, Encoder(self.table.schema), self.usual)


def _sample_all(plan: Plan, enough: int, *, is_sampled: bool = False) -> tuple[int, list[_Sample]]:
    """Return about how many bytes `plan` encodes to; tables are looked at up to `enough`.

    For a sample, of a table whose rows are counted, the first rows are enough.
    """
    encoded = plan.bytes_size
    seen = []
    for position, table in enumerate(plan.tables):
        if encoded >= enough:
            encoded += table.size  # the choice is made; only the progress bar reads this
            continue
        # Twice as much is so much more that a poor extrapolation does not matter.
        most = encoded_most = _ENOUGH_DECODED
        if is_sampled and table.rows is not None:
            most, encoded_most = HEAD_BYTES, head_bytes(table.schema)
        plan.tables[position], sample = _sample(table, 2 * enough, most, encoded_most)
        encoded += sample.encoded
        seen.append(sample)
    return encoded, seen


def _sample(table: "Table", surely: int, most: int, encoded_most: int) -> "tuple[Table, _Sample]":
    """Look at the first `most` plain bytes of a table, and encode the first `encoded_most`."""
    batches = table.batches()
    spool: list[pa.RecordBatch] = []
    encoded = encoded_plain = encoded_rows = decoded = 0
    found = _Sample(table)
    sizes, counted = RowSizes(table.schema), 0.0
    while decoded < most and found.encoded < surely:
        batch = next(batches, None)
        if batch is None:
            if encoded_plain == decoded:
                found.encoded = encoded
            break
        if table.once:
            spool.append(batch)
        for part in _parts(batch, table.path, min(encoded_most, _STEP)):
            if decoded < HEAD_BYTES:
                found.first.append(part)
            plain = decoded_size([part], part.schema)
            if not encoded or decoded + plain / 2 < encoded_most:
                encoded += encoded_size(part)
                encoded_plain += plain
                encoded_rows += part.num_rows
                counted += sizes.total(part)
                found.encoded = int(encoded * _scale(table, encoded_rows, encoded_plain))
            decoded += plain
            if decoded >= most or found.encoded >= surely:
                break
    found.ratio = encoded_plain / max(encoded, 1)
    found.usual = encoded / max(counted, 1)
    if table.largest is not None:
        found.largest = _KNOWN_ROW_MARGIN * table.largest
    else:
        rows_of_part = (sizes.largest(part) for part in found.first)
        found.largest = _ROW_MARGIN * max(rows_of_part, default=0.0)
    if table.once:
        table = replace(table, batches=lambda: chain(spool, batches))
    return table, found


def _scale(table: "Table", rows: int, decoded: int) -> float:
    """Return how many times what was read the whole table is likely to be."""
    if table.rows is not None:
        return table.rows / max(rows, 1)
    if table.size:
        return max(table.size / max(decoded, 1), 1.0)
    return 2.0  # nothing tells how much follows in a stream that can be read once


def _parts(batch: "pa.RecordBatch", path: str, plain: int) -> "Iterator[pa.RecordBatch]":
    """Yield parts of about so many plain bytes."""
    # What a slice lies in is at least what it holds, so the first part is rather too small.
    step = max(1, batch.num_rows * plain // max(batch.get_total_buffer_size(), 1))
    first = 0
    while first < batch.num_rows:
        part = batch.slice(first, step)
        check_batch(part, path)
        yield part
        first += part.num_rows
        size = decoded_size([part], part.schema)
        step = max(1, part.num_rows * plain // max(size, 1))
