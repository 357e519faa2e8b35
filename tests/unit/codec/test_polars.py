# SPDX-License-Identifier: Apache-2.0
"""DataFrames of polars, and others that speak Arrow's C interface, come back as they were."""

import datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from tests.utils.containers import pack, reopened
from truthmark.codec import extract
from truthmark.errors import CodecError, ConfigError

FRAME = pl.DataFrame(
    {
        "whole": [1, None, 2**62 + 1],
        "unsigned": pl.Series([2**64 - 1, 0, None], dtype=pl.UInt64),
        "text": ["x", None, "longer than the twelve bytes of a view"],
        "bytes": [b"1", None, b"\x00"],
        "date": [datetime.date(2020, 1, 1), None, datetime.date(1, 1, 1)],
        "moment": [datetime.datetime(2020, 1, 1, 1, 2, 3, 456)] * 3,
        "span": [datetime.timedelta(microseconds=1)] * 3,
        "exact": [Decimal("1.10"), None, Decimal("2.00")],
        "kind": pl.Series(["a", "b", None], dtype=pl.Categorical),
        "size": pl.Series(["small", None, "large"], dtype=pl.Enum(["small", "large"])),
        "list": [[1, 2], None, []],
        "pair": pl.Series([[1, 2], [3, 4], None], dtype=pl.Array(pl.Int8, 2)),
        "both": [{"n": 1, "t": "z"}, {"n": None, "t": None}, {"n": 2, "t": ""}],
    }
)


def test_pack__polars__comes_back_equal(tmp_path: Path) -> None:
    with reopened(FRAME, tmp_path) as container:
        back = pl.from_arrow(container.to_table())
        assert isinstance(back, pl.DataFrame)
        assert back.cast(FRAME.schema).equals(FRAME)  # type: ignore[arg-type]
        folder = extract(container, tmp_path / "out", format="parquet")
    assert pl.read_parquet(folder / "data.parquet").to_dicts() == FRAME.to_dicts()


def test_pack__splits_of_polars__are_named(tmp_path: Path) -> None:
    with reopened({"train": FRAME, "test": FRAME.head(1)}, tmp_path) as container:
        assert container.to_table(split="test").num_rows == 1


class Stream:
    """A table of some other library."""

    columns = ("a",)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return pa.table({"a": [1, 2]}).__arrow_c_stream__(requested_schema)


def test_pack__another_library_over_the_c_interface__is_read(tmp_path: Path) -> None:
    with reopened(Stream(), tmp_path) as container:
        assert container.to_table().to_pydict() == {"a": [1, 2]}


def test_pack__lazy_frame__is_told_to_collect(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="collect it first"):
        pack(FRAME.lazy(), tmp_path / "packed")


def test_pack__polars_column_of_objects__is_refused(tmp_path: Path) -> None:
    frame = pl.DataFrame({"o": pl.Series([object()], dtype=pl.Object)})
    with pytest.raises(CodecError, match=r"'o' .* holds Python's objects"):
        pack(frame, tmp_path / "packed")


def test_pack__polars_series__is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot pack Series"):
        pack(FRAME["whole"], tmp_path / "packed")
