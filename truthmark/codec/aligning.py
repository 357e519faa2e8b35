# SPDX-License-Identifier: Apache-2.0
"""Finds the segments of an older table in a changed one, also where rows came in or went."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from truthmark.arrow import pa, pc

if TYPE_CHECKING:
    from truthmark.codec.previous import OldSegment
    from truthmark.codec.segments import RowQueue

# How many first rows, and then whole segments, are compared before rows are taken for new.
_MOST_PLACES: Final = 1000
_MOST_SEGMENTS: Final = 16


def aligned(
    rows: "RowQueue", olds: "Sequence[OldSegment]"
) -> "Iterator[tuple[int, OldSegment | None]]":
    """Yield how many new rows come next, and which old segment has exactly those behind them.

    The caller takes these rows from `rows` before it goes on. Rows that are left when this ends
    are new.
    """
    landmarks: _Landmarks | None = None
    position = 0
    while position < len(olds) and rows.fill(1):
        old = olds[position]
        if rows.fill(old.rows) == old.rows and old.holds(rows.peek(old.rows)):
            position += 1
            yield 0, old
            continue
        if landmarks is None:
            landmarks = _Landmarks(olds[position:], position)
        found = landmarks.find(rows, position, 2 * old.rows)
        if found is None:
            # As many rows as the segment had: what follows may be where it was.
            yield min(old.rows, rows.available), None
        else:
            skipped, position = found
            yield skipped, olds[position]
            position += 1


class _Landmarks:
    """The first rows of old segments, by their value in the column that tells them best apart."""

    def __init__(self, olds: "Sequence[OldSegment]", position: int) -> None:
        self._olds = dict(enumerate(olds, position))
        self._first = {k: old.first_row() for k, old in self._olds.items()}
        self._column, self._by_value = self._choose()

    def find(self, rows: "RowQueue", position: int, window: int) -> tuple[int, int] | None:
        """Return where in the next `window` rows an old segment begins, and which one."""
        if self._column is None:
            return None
        column = rows.peek(rows.fill(window)).column(self._column)
        values = pa.array([value for value in self._by_value if value is not None], column.type)
        places = pc.indices_nonzero(pc.is_in(column, value_set=values))
        compared = 0
        for place in places.slice(0, _MOST_PLACES).to_pylist():
            for k in self._by_value[column[place].as_py()]:
                if k < position or not self._begins(rows, place, k):
                    continue
                compared += 1
                if compared > _MOST_SEGMENTS:
                    return None
                end = place + self._olds[k].rows
                if rows.fill(end) == end and self._olds[k].holds(rows.peek(end).slice(place)):
                    return place, k
        return None

    def _begins(self, rows: "RowQueue", place: int, k: int) -> bool:
        return bool(rows.peek(place + 1).slice(place).equals(self._first[k]))

    def _choose(self) -> "tuple[int | None, dict[object, list[int]]]":
        best: tuple[int | None, dict[object, list[int]]] = (None, {})
        fields = next(iter(self._first.values())).schema
        for number, field in enumerate(fields):
            if not _is_plain(field.type):
                continue
            by_value: dict[object, list[int]] = defaultdict(list)
            for k, row in self._first.items():
                by_value[row.column(number)[0].as_py()].append(k)
            if len(by_value) > len(best[1]):
                best = number, by_value
        return best


def _is_plain(kind: "pa.DataType") -> bool:
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_string, pa.types.is_binary)
    return any(test(kind) for test in tests)
