# SPDX-License-Identifier: Apache-2.0
"""Where rows of one size end: computed, and as a list of them would say."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truthmark.codec.row_sizes import EvenEnds, RowSizes


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
