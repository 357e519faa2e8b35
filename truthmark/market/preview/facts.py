# SPDX-License-Identifier: Apache-2.0
"""What is noted of a sampled segment before its rows are let go."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from truthmark.codec.shard_index import Segment
from truthmark.hashing import sha256

if TYPE_CHECKING:
    import pyarrow as pa

MARK_SIZE: Final = 8
MAX_MARKS: Final = 5_000
"""Rows of a listing of which a mark is kept."""
MAX_CLASSES: Final = 64
"""Different values that a column of classes may have."""
_LEAST_TEXT: Final = 16
"""Characters that a row must have to be told from others by chance."""


@dataclass(slots=True)
class ColumnFacts:
    """One column in one segment.

    Attributes:
        nulls: How many.
        counts: How often each value is there; None where there are many.
        low: Least value, where there is an order; None else.
        high: Largest value.
    """

    nulls: int
    counts: Counter[str] | None = None
    low: Any = None
    high: Any = None


@dataclass(slots=True)
class SegmentFacts:
    """One segment.

    Attributes:
        segment: Of the index.
        rows: How many it has.
        columns: By name.
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
            name: _column(table.column(position))
            for position, name in enumerate(table.schema.names)
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
    for row in rows:
        text = "\x1f".join(sorted(_text(column[row]) for column in columns))
        if len(text) >= _LEAST_TEXT:
            marks.append(blake2b(text.encode("utf-8", "replace"), digest_size=MARK_SIZE).digest())
    return marks


def is_flat(kind: "pa.DataType") -> bool:
    """Whether a cell of a type is no larger in Python than its bytes in the table."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        kind = kind.value_type
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    return not pa.types.is_nested(kind)


def _text(cell: "pa.Scalar") -> str:
    value = value_of(cell)
    return sha256(value).hex() if isinstance(value, bytes) else repr(value)


def value_of(cell: "pa.Scalar") -> Any:
    """Return a value as Python has it, or as text where Python has none, as after the year 9999."""
    import pyarrow as pa

    try:
        return cell.as_py()
    except (pa.ArrowException, ArithmeticError, ValueError, TypeError, NotImplementedError):
        return str(cell)


def _column(column: "pa.ChunkedArray") -> ColumnFacts:
    import pyarrow as pa
    import pyarrow.compute as pc

    found = ColumnFacts(column.null_count)
    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    try:
        if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_string(kind):
            found.counts = _counts(column)
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            found.low, found.high = pc.min_max(column).as_py().values()
    except (pa.ArrowException, ValueError, OverflowError):
        pass  # what cannot be compared has no such figures
    return found


def _counts(column: "pa.ChunkedArray") -> Counter[str] | None:
    import pyarrow.compute as pc

    if pc.count_distinct(column).as_py() > MAX_CLASSES:
        return None
    counted = pc.value_counts(column.drop_null()).to_pylist()
    return Counter({str(entry["values"]): entry["counts"] for entry in counted})
