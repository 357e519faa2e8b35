# SPDX-License-Identifier: Apache-2.0
"""What is noted of a sampled segment before its rows are let go."""

import contextlib
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

from truthmark.arrow import pa, pc
from truthmark.codec.shard_index import Segment
from truthmark.codec.storage_types import has_values
from truthmark.hashing import sha256

MARK_SIZE: Final = 8
MAX_MARKS: Final = 5_000
"""Rows of a listing of which a mark is kept."""
MAX_CLASSES: Final = 64
"""Different values that a column of classes may have."""
_MAX_CELLS: Final = 100_000
"""Cells of a segment that marks are made of; a schema may have a hundred thousand columns."""
_MAX_TEXT: Final = 16 << 20
"""Characters of a segment that marks are made of: of a dictionary, each row may have all of it."""
_MAX_DENSE: Final = 16 << 20
"""Bytes of a column of a segment that is written out to be counted: rows share what is in a
dictionary or a run, and may be a thousand times as much."""
_MAX_CHUNKS: Final = 64
"""The same in parts, which may share a dictionary."""
_LONG: Final = 4_096
"""Bytes of a text from which on its hash stands for it."""
_MAX_CLASS: Final = 256
"""Bytes of a value that may be a class."""
_LEAST_TEXT: Final = 16
"""Characters that a row must have to be told from others by chance."""


@dataclass(slots=True)
class ColumnFacts:
    """One column in one segment.

    Attributes:
        nulls: How many cells are null.
        nans: How many are NaN.
        counts: How often each value is there; None where there are many.
        low: Least value, where there is an order; None else.
        high: Largest value.
    """

    nulls: int
    nans: int = 0
    counts: Counter[str] | None = None
    low: Any = None
    high: Any = None


@dataclass(slots=True)
class SegmentFacts:
    """One segment.

    Attributes:
        segment: Of the index.
        rows: How many it has.
        columns: By name, but for those of which nothing can be said.
        marks: Of some rows, chosen by chance, `MARK_SIZE` bytes each.
    """

    segment: Segment
    rows: int
    columns: dict[str, ColumnFacts]
    marks: list[bytes]


@dataclass(slots=True)
class TableFacts:
    """What the sampled segments of a table say."""

    segments: dict[int, SegmentFacts] = field(default_factory=dict)

    def add(self, segment: Segment, table: "pa.Table", chance: random.Random, marks: int) -> None:
        """Note a segment.

        Args:
            segment: Of the index.
            table: Its rows, decoded and validated.
            chance: Chooses rows.
            marks: Of how many rows a mark is kept.
        """
        columns = {
            name: found
            for position, name in enumerate(table.schema.names)
            if (found := _column(table.column(position))) is not None
        }
        chosen = sorted(chance.sample(range(table.num_rows), min(marks, table.num_rows)))
        self.segments[segment.number] = SegmentFacts(
            segment, table.num_rows, columns, row_marks(table, chosen)
        )


def row_marks(table: "pa.Table", rows: Sequence[int]) -> list[bytes]:
    """Return marks of those of some rows that say enough to be told from others.

    Rows with the same values have the same mark, whatever their columns are called and in which
    order they stand.
    """
    marks = []
    # A nested cell of next to no bytes can hold two thousand million nothings.
    columns = [column for column in table.columns if is_flat(column.type)]
    left = _MAX_TEXT
    for row in rows[: max(1, _MAX_CELLS // max(1, len(columns)))]:
        if left <= 0:
            break
        text = "\x1f".join(sorted(_text(column[row]) for column in columns))
        left -= len(text)
        if len(text) >= _LEAST_TEXT:
            marks.append(blake2b(text.encode("utf-8", "replace"), digest_size=MARK_SIZE).digest())
    return marks


def is_flat(kind: "pa.DataType") -> bool:
    """Whether Python has cells of a type, no larger than their bytes in the table."""
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        kind = kind.value_type
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    return has_values(kind) and not pa.types.is_nested(kind)


def _text(cell: "pa.Scalar") -> str:
    plain = _unwrapped(cell)
    if plain.is_valid and isinstance(plain, pa.BinaryScalar):
        # Python's own text of a long one takes many times its bytes.
        data = plain.as_buffer()
        if data.size > _LONG or not _is_text(plain.type):
            return sha256(data).hex()
    return repr(value_of(cell))


def _is_text(kind: "pa.DataType") -> bool:
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(test(kind) for test in tests)


def _unwrapped(cell: "pa.Scalar") -> "pa.Scalar":
    while cell.is_valid and isinstance(
        cell, pa.DictionaryScalar | pa.RunEndEncodedScalar | pa.ExtensionScalar
    ):
        cell = cell.value
    return cell


def value_of(cell: "pa.Scalar") -> Any:
    """Return a value as Python has it, or as text where Python has none, as after the year 9999."""
    with contextlib.suppress(Exception):  # years, time zones and whatever else Arrow takes
        return cell.as_py()
    plain = _unwrapped(cell)
    number = getattr(plain, "value", None)
    return f"{number} of {plain.type}" if isinstance(number, int) else str(plain.type)


def _column(column: "pa.ChunkedArray") -> ColumnFacts | None:
    plain = _written_out(column)
    if plain is None:
        return None
    found, kind = ColumnFacts(plain.null_count), plain.type
    try:
        if pa.types.is_floating(kind):
            found.nans = pc.sum(pc.is_nan(plain)).as_py() or 0
        if _is_class(kind):
            found.counts = _counts(plain)
        if pa.types.is_integer(kind) or pa.types.is_floating(kind):
            found.low, found.high = map(_ordered, pc.min_max(plain).as_py().values())
    except (pa.ArrowException, ValueError, OverflowError):
        pass  # what cannot be compared has no such figures
    return found


def _written_out(column: "pa.ChunkedArray") -> "pa.ChunkedArray | None":
    """Return a column without dictionary and runs; None where that cannot be, or is too much.

    What is null in a dictionary or a run is no null of the column to Arrow.
    """
    kind = column.type
    if not (pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind)):
        return column
    if column.num_chunks > _MAX_CHUNKS or not has_values(kind):
        return None
    try:
        size = sum(len(chunk) * _longest(_shared(chunk)) for chunk in column.chunks)
        if size > _MAX_DENSE:
            return None
        if pa.types.is_dictionary(kind):
            return column.cast(kind.value_type)
        return pc.run_end_decode(column)
    except (pa.ArrowException, ValueError):
        return None


def _shared(array: "pa.Array") -> "pa.Array":
    return array.dictionary if isinstance(array, pa.DictionaryArray) else array.values


def _longest(values: "pa.Array") -> int:
    """Return how many bytes the longest value has, at least eight."""
    if pa.types.is_primitive(values.type) or pa.types.is_decimal(values.type):
        return max(8, int(values.type.bit_width) // 8)
    return max(8, pc.max(pc.binary_length(values)).as_py() or 0)


def _is_class(kind: "pa.DataType") -> bool:
    return bool(pa.types.is_boolean(kind) or pa.types.is_integer(kind) or _is_text(kind))


def _ordered(value: Any) -> Any:
    """Return a number; None for one that is none, as the least of nothing but these is."""
    return None if value != value else value


def _counts(column: "pa.ChunkedArray") -> Counter[str] | None:
    if pc.count_distinct(column).as_py() > MAX_CLASSES:
        return None
    # One so long would take memory to keep it beside the table.
    if _is_text(column.type) and (pc.max(pc.binary_length(column)).as_py() or 0) > _MAX_CLASS:
        return None
    counted = pc.value_counts(column.drop_null()).to_pylist()
    return Counter({str(entry["values"]): entry["counts"] for entry in counted})
