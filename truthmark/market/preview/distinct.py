# SPDX-License-Identifier: Apache-2.0
"""How many different values a column has, by the segments of a sample in which each stands.

The estimate is that of Chao and Lin for what is drawn without replacement (Biometrics 68, 2012): it
follows from how many values stand in one segment alone and how many in just two. A column of
which no value is there twice comes out as long as it is, one of classes as what was seen.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from truthmark.arrow import pa
from truthmark.codec.storage_types import has_values

if TYPE_CHECKING:
    import numpy as np

_MAX_CELLS: Final = 4_000_000
"""Of a table in which different values are counted, those of its dictionaries among them; columns
behind them have no such figure."""


@dataclass(frozen=True)
class Met:
    """In how many segments of a sample the values of a column stand.

    Attributes:
        of_value: Of each different value, in how many segments.
        value: By pair of a value and a segment that has it, the value.
        segment: By pair, the segment.
        segments: How many were opened.
        all_segments: How many there are.
        rows: In all of them.
        rows_left: In those that were not opened.
    """

    of_value: "np.ndarray[Any, Any]"
    value: "np.ndarray[Any, Any]"
    segment: "np.ndarray[Any, Any]"
    segments: int
    all_segments: int
    rows: int
    rows_left: int

    @property
    def seen(self) -> int:
        """How many different values there are in the sample."""
        return len(self.of_value)

    def estimate(self) -> float:
        """Return about how many there are in all."""
        once, twice = (int((self.of_value == n).sum()) for n in (1, 2))
        return self._estimate(self.seen, once, twice, self.segments)

    def spread(self) -> float:
        """Return by how much the estimate would change from sample to sample.

        By the jackknife: each segment in turn is left out.
        """
        import numpy as np

        count = self.segments
        if count < 2:
            return 0.0
        met = self.of_value[self.value]
        one, two, three = (np.bincount(self.segment[met == n], minlength=count) for n in (1, 2, 3))
        once, twice = (int((self.of_value == n).sum()) for n in (1, 2))
        without = [
            self._estimate(self.seen - a, once - a + b, twice - b + c, count - 1)
            for a, b, c in zip(one.tolist(), two.tolist(), three.tolist(), strict=True)
        ]
        middle = sum(without) / count
        squares = sum((found - middle) ** 2 for found in without)
        left = 1 - count / self.all_segments
        return math.sqrt(squares * (count - 1) / count * left)

    def _estimate(self, seen: int, once: int, twice: int, count: int) -> float:
        if not once or count >= self.all_segments:
            return float(seen)
        again = 2 * twice * count / (count - 1) if count > 1 else 0.0
        share = count / self.all_segments
        return seen + once**2 / (again + once * share / (1 - share))


class DistinctCounter:
    """Counts the different values of the columns of a table's sample.

    Args:
        table: Rows of all segments that were opened, in their order.
        lengths: How many rows each of these has.
        all_segments: How many segments were drawn from.
        rows: How many rows these have.
    """

    def __init__(
        self, table: "pa.Table", lengths: "list[int]", all_segments: int, rows: int
    ) -> None:
        """Keep them."""
        self._table, self._lengths = table, lengths
        self._all_segments, self._rows = all_segments, rows
        self._left = _MAX_CELLS
        self._known: dict[str, Met | None] = {}

    def count(self, column: str) -> Met | None:
        """Return where the values of a column stand; None where they cannot be compared."""
        if column not in self._known:
            self._known[column] = self._count(column)
        return self._known[column]

    def _count(self, column: str) -> Met | None:
        import numpy as np

        positions = self._table.schema.get_all_field_indices(column)
        self._left -= self._table.num_rows
        if not positions or self._left < 0:
            return None
        values = self._table.column(positions[-1])
        if not has_values(values.type):
            return None
        dictionaries, used = _dictionaries(values)
        self._left -= sum(map(len, dictionaries))
        if self._left < 0:
            return None
        try:
            codes = _codes(values) if not dictionaries else _shared(values, dictionaries, used)
        except (pa.ArrowException, ValueError):
            return None  # of a type whose values Arrow does not compare
        if codes is None:
            return None
        segment = np.repeat(np.arange(len(self._lengths)), self._lengths)
        is_value = codes >= 0
        pairs = np.unique(codes[is_value].astype(np.int64) * len(self._lengths) + segment[is_value])
        value, where = np.divmod(pairs, len(self._lengths))
        _, value, of_value = np.unique(value, return_inverse=True, return_counts=True)
        return Met(
            of_value,
            value,
            where,
            len(self._lengths),
            self._all_segments,
            self._rows,
            self._rows - self._table.num_rows,
        )


def _dictionaries(column: "pa.ChunkedArray") -> "tuple[list[pa.Array], list[int]]":
    """Return the dictionaries of a column, and which of them each chunk has.

    Of a segment of next to no bytes thousands of batches can share one that is large: each is
    returned once.
    """
    if not pa.types.is_dictionary(column.type):
        return [], []
    places: dict[tuple[int, ...], int] = {}
    found: list[pa.Array] = []
    used: list[int] = []
    for chunk in column.chunks:
        values = chunk.dictionary
        addresses = (0 if it is None else it.address for it in values.buffers())
        key = (len(values), values.offset, *addresses)
        if key not in places:
            places[key] = len(found)
            found.append(values)
        used.append(places[key])
    return found, used


def _shared(
    column: "pa.ChunkedArray", dictionaries: "Sequence[pa.Array]", used: Sequence[int]
) -> "np.ndarray[Any, Any] | None":
    """Return what `_codes` does, for the chunks of a column by the dictionary that each has."""
    import numpy as np

    # Each may hold the values of another, and one may hold a value twice.
    alike = _codes(pa.chunked_array(dictionaries, column.type.value_type))
    if alike is None:
        return None
    parts = np.split(alike, np.cumsum([len(it) for it in dictionaries])[:-1])
    own = [np.append(part, -1) for part in parts]  # an index of -1, for none, is the last
    found = [
        own[number][_numbers(chunk.indices)]
        for chunk, number in zip(column.chunks, used, strict=True)
    ]
    return np.asarray(np.concatenate(found))


def _codes(column: "pa.ChunkedArray") -> "np.ndarray[Any, Any] | None":
    """Return a number for each value, the same for equal ones, and -1 where there is none."""
    import numpy as np

    kind = column.type
    if not _is_plain(kind):
        return None
    whole = column.combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        return None  # more text than one array holds
    if pa.types.is_floating(kind):
        # As elsewhere values are counted: what is not a number is none, and -0.0 is 0.0.
        floats = whole.to_numpy(zero_copy_only=False) + 0.0
        whole = pa.array(floats, kind, mask=np.isnan(floats))
    return _numbers(whole.dictionary_encode().indices)


def _numbers(indices: "pa.Array") -> "np.ndarray[Any, Any]":
    """Return indices as numbers, -1 where there is none."""
    import numpy as np

    plain = indices.cast(pa.int64()).fill_null(-1)
    return np.asarray(plain.to_numpy(zero_copy_only=False))


def _is_plain(kind: "pa.DataType") -> bool:
    """Whether values are numbers, times, texts or bytes."""
    return bool(
        pa.types.is_primitive(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
    )
