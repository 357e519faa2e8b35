# SPDX-License-Identifier: Apache-2.0
"""A DataFrame comes back as it was, or is refused."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from truthmark.codec.frames import from_pandas, to_frame
from truthmark.errors import CodecError

EAST = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    "values",
    [
        [datetime(2024, 1, 1, tzinfo=EAST), datetime(2024, 1, 1, tzinfo=UTC)],
        [datetime(2024, 1, 1, tzinfo=EAST), datetime(2024, 1, 1)],
        [date(2024, 1, 1), datetime(2024, 1, 1, 5)],
        ["a", b"b"],
        [[b"b"], ["a"]],
        [time(1, 2, tzinfo=EAST)],
        [pd.Timestamp("2024-01-01 00:00:00.000000001")],
        [{"a": [datetime(2024, 1, 1, tzinfo=EAST)]}, {"a": [datetime(2024, 1, 1)]}],
        [2**53 + 1, 0.5],
        [2**64 - 1, -1],
        [1, "1"],
        [True, 1],
        [{"a": [2**53 + 1]}, {"a": [0.5]}],
        [np.array([2**53 + 1]), np.array([0.5])],
        ["\ud800"],
        [1 + 2j],
    ],
    ids=str,
)
def test_from_pandas__object_that_would_change__is_refused_in_one_line(values: list[Any]) -> None:
    frame = pd.DataFrame({"n": range(len(values)), "x": pd.Series(values, dtype=object)})
    with pytest.raises(CodecError, match="convert it to one type first") as caught:
        from_pandas(frame)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        ["a", None, "b"],
        [b"a", None],
        [1, 2.5, None],
        [True, None, False],
        [Decimal("1.5"), Decimal("1.55"), None],
        [date(2024, 1, 1), None],
        [datetime(2024, 1, 1, tzinfo=EAST), datetime(2024, 2, 1, tzinfo=EAST)],
        [datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)],
        [time(1, 2, 3, 4)],
        [timedelta(days=-1, microseconds=1)],
        [[1, None, 2.5], [], None],
        [{"a": 1, "b": [{"c": "x"}]}, {"a": None, "b": []}],
    ],
    ids=str,
)
def test_from_pandas__objects__come_back(values: list[Any]) -> None:
    frame = pd.DataFrame({"x": pd.Series(values, dtype=object)})
    assert from_pandas(frame)["x"].to_pylist() == values


def test_from_pandas__vectors__come_back() -> None:
    vectors = [np.arange(5, dtype=np.float32), np.zeros(0, np.float32)]
    table = from_pandas(pd.DataFrame({"x": pd.Series(vectors)}))
    assert table["x"].to_pylist() == [[0, 1, 2, 3, 4], []]


def test_from_pandas__missing_values__are_null() -> None:
    frame = pd.DataFrame({"x": pd.Series([float("nan"), pd.NA, pd.NaT, None, "a"], dtype=object)})
    assert from_pandas(frame)["x"].to_pylist() == [None] * 4 + ["a"]


def test_from_pandas__names_that_become_one__are_refused() -> None:
    frame = pd.DataFrame([[1, 2]], columns=pd.Index(["1", 1], dtype=object))
    with pytest.raises(CodecError, match="more than one column '1'; rename them"):
        from_pandas(frame)


BIG = 2**53 + 1


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (pa.int64(), [BIG, None, -BIG]),
        (pa.uint64(), [2**64 - 1, None, 0]),
        (pa.list_(pa.int64()), [[BIG, None], None, []]),
        (pa.large_list(pa.uint64()), [[BIG, None], None, []]),
        (pa.struct([("n", pa.int64())]), [{"n": BIG}, {"n": None}, None]),
        (pa.map_(pa.string(), pa.int64()), [[("a", BIG), ("b", None)], None, []]),
        (pa.list_(pa.struct([("n", pa.int64())])), [[{"n": BIG}, {"n": None}], None, []]),
    ],
    ids=str,
)
def test_to_frame__big_numbers_beside_missing_ones__are_kept(
    kind: pa.DataType, values: list[object]
) -> None:
    table = pa.table({"other": [1, 2, 3], "x": pa.chunked_array([pa.array(values, kind)])})
    shown = to_frame(table)["x"]
    assert [None if v is None or v is pd.NA else v for v in shown] == values


def test_to_frame__whole_numbers_that_floats_hold__are_as_pandas_has_them() -> None:
    frame = to_frame(pa.table({"few": [1, None], "all": [BIG, BIG + 1]}))
    assert [str(kind) for kind in frame.dtypes] == ["float64", "int64"]


def test_to_frame__index_of_pandas__stays_the_index() -> None:
    source = pd.DataFrame({"x": pd.array([BIG, None], "Int64")}, index=pd.Index([7, 8], name="i"))
    table = pa.Table.from_pandas(source)
    plain = table.replace_schema_metadata(None)
    pd.testing.assert_frame_equal(to_frame(table), source)
    assert to_frame(plain)["x"].tolist() == [BIG, pd.NA]


VIEW, BYTES_VIEW = pa.string_view(), pa.binary_view()
LONG = "a text that is not stored inline"


def _plain(value: Any) -> Any:
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, list | tuple):
        return type(value)(map(_plain, value))
    return {k: _plain(v) for k, v in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (VIEW, [LONG, None]),
        (pa.list_(VIEW), [[LONG, None], None, []]),
        (pa.large_list(BYTES_VIEW), [[b"x", None], None]),
        (pa.list_(VIEW, 2), [["a", None], None]),
        (pa.struct([("a", VIEW), ("b", pa.list_(VIEW))]), [{"a": LONG, "b": [LONG]}, None]),
        (pa.list_(pa.struct([("a", VIEW)])), [[{"a": LONG}], None]),
        (pa.map_(pa.string(), pa.list_(VIEW)), [[("k", [LONG])], None]),
        (pa.list_view(VIEW), [[LONG, None], None]),
        (pa.list_(pa.list_view(VIEW)), [[[LONG], None], None]),
        (pa.struct([("a", pa.large_list_view(BYTES_VIEW))]), [{"a": [b"x"]}, None]),
    ],
    ids=str,
)
def test_to_frame__views_of_texts_inside_of_others__are_kept(
    kind: pa.DataType, values: list[Any]
) -> None:
    table = pa.table({"x": pa.array(values, kind), "n": pa.array(range(len(values)))})
    frame = to_frame(table)
    assert [_plain(value) for value in frame["x"]] == values
    assert frame["n"].tolist() == list(range(len(values)))
