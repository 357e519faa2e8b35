# SPDX-License-Identifier: Apache-2.0
"""Where rows of one size end: computed, and as a list of them would say."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truthmark.codec.row_sizes import EndsFrom, EvenEnds, RowSizes


@given(
    eighths=st.integers(1, 4000),
    count=st.integers(1, 300),
    place=st.floats(-0.5, 1.5),
    is_at_an_end=st.booleans(),
)
def test_even_ends__any_place__answers_as_an_array_does(
    eighths: int, count: int, place: float, is_at_an_end: bool
) -> None:
    size = eighths / 8  # as sizes are: bits of a value
    ends, listed = EvenEnds(size, count), np.arange(1, count + 1) * size
    plain = place * size * count
    if is_at_an_end:
        plain = size * int(place * count)
    assert ends.searchsorted(plain) == listed.searchsorted(plain)
    assert ends.searchsorted(plain, "right") == listed.searchsorted(plain, "right")
    first = 1 + int(abs(place) * count) % count
    assert len(ends) == len(listed)
    assert (ends[-1], ends[first - 1]) == (listed[-1], listed[first - 1])
    assert (len(ends[:first]), ends[:first][-1]) == (first, listed[first - 1])


@given(
    sizes=st.lists(st.integers(0, 9), min_size=1, max_size=40),
    first=st.integers(0, 39),
    plain=st.integers(-1, 200),
)
def test_ends_from__any_place__answers_as_a_slice_does(
    sizes: list[int], first: int, plain: int
) -> None:
    known = np.cumsum(sizes, dtype=np.float64)
    first %= len(sizes)
    count = max(1, (len(sizes) - first) // 2)
    before = float(known[first - 1]) if first else 0.0
    ends = EndsFrom(memoryview(known), 0, len(known), 0.0).part(first, count)
    listed = known[first : first + count] - before
    assert ends.searchsorted(plain) == listed.searchsorted(plain)
    assert ends.searchsorted(plain, "right") == listed.searchsorted(plain, "right")
    assert len(ends) == len(listed)
    assert (ends[-1], ends[count - 1], ends[0]) == (listed[-1], listed[count - 1], listed[0])
    assert (len(ends[:1]), ends[:1][-1]) == (1, listed[0])


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        ([pa.int64()], 1),
        ([pa.int64(), pa.int16()], 4),
        ([pa.int8(), pa.int32()], 8),
        ([pa.bool_(), pa.int8()], 64),
        ([pa.binary(12)], 2),
        ([pa.null()], 1),
    ],
)
def test_row_sizes__even_rows__say_how_many_fill_whole_words(
    kinds: list[pa.DataType], words: int
) -> None:
    schema = pa.schema([(f"c{k}", kind) for k, kind in enumerate(kinds)])
    assert RowSizes(schema).words == words


@pytest.mark.parametrize(
    ("column", "even"),
    [
        (pa.array([1, 2], pa.int16()), 2.0),
        (pa.array([[1.0, 2.0]], pa.list_(pa.float32(), 2)), 8.0),
        (pa.array([True]), 0.125),
        (pa.nulls(3), 0.125),
        (pa.array(["a"]), None),
        (pa.array([[1]]), None),
    ],
)
def test_row_sizes__columns_of_each_kind__are_even_if_all_values_have_one_size(
    column: pa.Array, even: float | None
) -> None:
    assert RowSizes(pa.schema([("x", column.type)])).even == even


def test_row_sizes__texts_in_a_slice__are_counted_from_its_start() -> None:
    table = pa.table({"x": ["aaaa", "bb", "", "cccc"], "n": pa.array([1, 2, 3, 4], pa.int32())})
    sizes = RowSizes(table.schema)
    ends = sizes.ends(table.slice(1))
    assert [ends[row] for row in range(len(ends))] == [10.0, 18.0, 30.0]
    assert sizes.largest(table.to_batches()[0]) == 12.0
