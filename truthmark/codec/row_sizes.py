# SPDX-License-Identifier: Apache-2.0
"""Tells how many plain bytes rows have, without encoding them."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_DEEPEST: Final = 8


class RowSizes:
    """Counts the bytes of rows of one schema: values and offsets, without masks and padding.

    What is nested in a way that is not counted here counts as nothing: a count is a basis for
    predictions, which need not be exact.
    """

    def __init__(self, schema: "pa.Schema") -> None:
        """Find the columns whose rows differ in size."""
        import numpy as np

        self._fixed = 0.0
        self._fixed_ends = np.zeros(0)  # made once for as many rows as were ever asked for
        # Where each of them is (field numbers, outermost first), and the bytes of one element.
        self._texts: list[tuple[int, ...]] = []
        self._lists: list[tuple[tuple[int, ...], float]] = []
        for number, field in enumerate(schema):
            self._add((number,), field.type)

    def ends(self, table: "pa.Table") -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        """Return, for each row, the bytes of the rows up to and including it."""
        import numpy as np
        import pyarrow.compute as pc

        if len(self._fixed_ends) < table.num_rows:
            numbers = np.arange(1, 2 * table.num_rows + 1, dtype=np.float64)
            self._fixed_ends = numbers * max(self._fixed, 0.125)
        ends = self._fixed_ends[: table.num_rows]
        if not self._texts and not self._lists:
            return ends
        sizes = np.zeros(table.num_rows)
        for path in self._texts:
            lengths = pc.binary_length(_column(table, path))
            sizes += pc.fill_null(lengths, 0).to_numpy()
        for path, size in self._lists:
            lengths = pc.list_value_length(_column(table, path))
            sizes += pc.fill_null(lengths, 0).to_numpy() * size
        return ends + np.cumsum(sizes)

    def largest(self, batch: "pa.RecordBatch") -> float:
        """Return the bytes of the largest row of a batch that has rows."""
        import numpy as np
        import pyarrow as pa

        return float(np.diff(self.ends(pa.Table.from_batches([batch])), prepend=0.0).max())

    def _add(self, path: tuple[int, ...], kind: "pa.DataType") -> None:
        import pyarrow as pa

        if (width := _width(kind)) is not None:
            self._fixed += width
        elif pa.types.is_struct(kind) and len(path) < _DEEPEST:
            for number, field in enumerate(kind):
                self._add((*path, number), field.type)
        elif _is_text(kind):
            self._fixed += 8 if pa.types.is_large_unicode(kind) else 4
            self._texts.append(path)
        elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
            self._fixed += 8
            if (element := _width(kind.value_type)) is not None:
                self._lists.append((path, element))


def _is_text(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    tests = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_binary,
        pa.types.is_large_binary,
    )
    return any(test(kind) for test in tests)


def _width(kind: "pa.DataType") -> float | None:
    """Return the bytes of one value where all have the same."""
    import pyarrow as pa

    if isinstance(kind, pa.FixedSizeListType):
        element = _width(kind.value_type)
        return None if element is None else element * kind.list_size
    if isinstance(kind, pa.DictionaryType):
        return _width(kind.index_type)
    try:
        return float(kind.bit_width) / 8
    except ValueError:
        return 0.0 if pa.types.is_null(kind) else None


def _column(table: "pa.Table", path: tuple[int, ...]) -> "pa.ChunkedArray":
    import pyarrow.compute as pc

    column = table.column(path[0])
    return pc.struct_field(column, list(path[1:])) if path[1:] else column
