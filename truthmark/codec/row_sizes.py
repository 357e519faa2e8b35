# SPDX-License-Identifier: Apache-2.0
"""Tells how many plain bytes rows have, without encoding them."""

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, overload

from truthmark.arrow import pa

if TYPE_CHECKING:
    import numpy as np

    Ends = np.ndarray[tuple[int], np.dtype[np.float64]]

_DEEPEST: Final = 8


@dataclass(frozen=True, slots=True)
class EvenEnds:
    """Where rows end that are all of one size: as an array of them answers, but not made.

    Attributes:
        size: bytes of a row.
        count: how many rows.
    """

    size: float
    count: int

    def __len__(self) -> int:
        """Return how many rows there are."""
        return self.count

    @overload
    def __getitem__(self, row: int) -> float: ...
    @overload
    def __getitem__(self, row: slice) -> "EvenEnds": ...
    def __getitem__(self, row: int | slice) -> "float | EvenEnds":
        """Return where a row ends, -1 being the last, or the ends of the first rows."""
        if isinstance(row, slice):
            return EvenEnds(self.size, len(range(self.count)[row]))
        return self.size * (row + 1 if row >= 0 else self.count + row + 1)

    def part(self, first: int, count: int) -> "EvenEnds":
        """Return the ends of `count` of these rows, counted from where the `first` begins."""
        return EvenEnds(self.size, count)

    def searchsorted(self, plain: float, side: Literal["left", "right"] = "left") -> int:
        """Return how many rows end before `plain` bytes, or, with "right", not after them."""
        rows = plain / self.size
        before = math.ceil(rows) - 1 if side == "left" else math.floor(rows)
        return min(max(before, 0), self.count)


@dataclass(frozen=True, slots=True)
class EndsFrom:
    """Where some of many rows end, from the first of them on: as a slice answers, but not made.

    Attributes:
        ends: of all of the rows.
        first: how many stand before these.
        count: how many these are.
        before: where the rows before them end.
    """

    ends: "memoryview[float]"
    first: int
    count: int
    before: float

    def __len__(self) -> int:
        """Return how many rows there are."""
        return self.count

    @overload
    def __getitem__(self, row: int) -> float: ...
    @overload
    def __getitem__(self, row: slice) -> "EndsFrom": ...
    def __getitem__(self, row: int | slice) -> "float | EndsFrom":
        """Return where a row ends, -1 being the last, or the ends of the first rows."""
        if isinstance(row, slice):
            return EndsFrom(self.ends, self.first, len(range(self.count)[row]), self.before)
        return self.ends[self.first + (row if row >= 0 else self.count + row)] - self.before

    def part(self, first: int, count: int) -> "EndsFrom":
        """Return the ends of `count` of these rows, counted from where the `first` begins."""
        first += self.first
        return EndsFrom(self.ends, first, count, self.ends[first - 1] if first else 0.0)

    def searchsorted(self, plain: float, side: Literal["left", "right"] = "left") -> int:
        """Return how many rows end before `plain` bytes, or, with "right", not after them."""
        # NumPy takes longer to be asked than to answer.
        bisect = bisect_left if side == "left" else bisect_right
        stop = self.first + self.count
        return bisect(self.ends, self.before + plain, self.first, stop) - self.first


class RowSizes:
    """Counts the bytes of rows of one schema: values and offsets, without masks and padding.

    What is nested in a way that is not counted here counts as nothing: a count is a basis for
    predictions, which need not be exact.

    Attributes:
        even: bytes of a row, where all have the same; else None.
        words: after how many rows each column of even ones has filled whole words of 8 bytes, up
            to which Arrow fills them: some rows less take as much room.
    """

    def __init__(self, schema: "pa.Schema") -> None:
        """Find the columns whose rows differ in size."""
        self._fixed = 0.0
        self.words = 1
        # Where each of them is (field numbers, outermost first), and the bytes of one element.
        self._variable: list[tuple[tuple[int, ...], float]] = []
        for number, field in enumerate(schema):
            self._add((number,), field.type)
        # Bits and nothings take room, too.
        self._fixed = max(self._fixed, 0.125)
        self.even = None if self._variable else self._fixed

    def ends(self, table: "pa.Table") -> EndsFrom | EvenEnds:
        """Return, for each row, the bytes of the rows up to and including it."""
        if self.even is not None:
            return EvenEnds(self.even, table.num_rows)
        ends: Any = self._sums(table)
        return EndsFrom(memoryview(ends), 0, table.num_rows, 0.0)

    def total(self, batch: "pa.RecordBatch") -> float:
        """Return the bytes of all rows of a batch that has rows."""
        return float(self.ends(pa.Table.from_batches([batch]))[-1])

    def largest(self, batch: "pa.RecordBatch") -> float:
        """Return the bytes of the largest row of a batch that has rows."""
        import numpy as np

        if self.even is not None:
            return self.even
        return float(np.diff(self._sums(pa.Table.from_batches([batch])), prepend=0.0).max())

    def _sums(self, table: "pa.Table") -> "Ends":
        import numpy as np

        ends = np.arange(1, table.num_rows + 1, dtype=np.float64)
        ends *= self._fixed
        for path, element in self._variable:
            _add_lengths(ends, table.column(path[0]), path[1:], element)
        return ends

    def _add(self, path: tuple[int, ...], kind: "pa.DataType") -> None:
        if (width := _width(kind)) is not None:
            self._fixed += width
            self.words = max(self.words, 64 // math.gcd(64, round(8 * width)))
        elif pa.types.is_struct(kind) and len(path) < _DEEPEST:
            for number, field in enumerate(kind):
                self._add((*path, number), field.type)
        elif _is_text(kind):
            self._fixed += _offset_size(kind)
            self._variable.append((path, 1.0))
        elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
            self._fixed += _offset_size(kind)
            if (element := _width(kind.value_type)) is not None:
                self._variable.append((path, element))


def _is_text(kind: "pa.DataType") -> bool:
    tests = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_binary,
        pa.types.is_large_binary,
    )
    return any(test(kind) for test in tests)


def _width(kind: "pa.DataType") -> float | None:
    """Return the bytes of one value where all have the same."""
    if isinstance(kind, pa.FixedSizeListType):
        element = _width(kind.value_type)
        return None if element is None else element * kind.list_size
    if isinstance(kind, pa.DictionaryType):
        return _width(kind.index_type)
    try:
        return float(kind.bit_width) / 8
    except ValueError:
        return 0.0 if pa.types.is_null(kind) else None


def _offset_size(kind: "pa.DataType") -> int:
    tests = (pa.types.is_large_string, pa.types.is_large_binary, pa.types.is_large_list)
    return 8 if any(test(kind) for test in tests) else 4


def _add_lengths(
    ends: "Ends", column: "pa.ChunkedArray", path: tuple[int, ...], element: float
) -> None:
    """Add to the end of each row the elements of a column up to and including it: its offsets."""
    import numpy as np

    row, before = 0, 0.0
    for chunk in column.chunks:
        for number in path:
            chunk = chunk.field(number)
        if not len(chunk):
            continue
        kind = np.int64 if _offset_size(chunk.type) == 8 else np.int32
        offsets: Any = np.frombuffer(chunk.buffers()[1], kind)
        offsets = offsets[chunk.offset : chunk.offset + len(chunk) + 1]
        part = ends[row : row + len(chunk)]
        part += offsets[1:] if element == 1 else element * offsets[1:]
        part += before - element * float(offsets[0])
        row += len(chunk)
        before += element * float(offsets[-1] - offsets[0])
