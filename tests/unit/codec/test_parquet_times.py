# SPDX-License-Identifier: Apache-2.0
"""Times that other writers put into Parquet files come back, or the file is refused."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from truthmark.codec import tables as reading
from truthmark.errors import CodecError

FAR = [datetime(1, 1, 1), None, datetime(1500, 2, 3, 4, 5, 6, 789), datetime(9999, 12, 31, 23)]


def read(path: Path) -> pa.Table:
    table = reading.open_table(path, path.name)
    return pa.Table.from_batches(table.batches(), table.schema)


def write_int96(path: Path, times: pa.Array) -> None:
    nested = pa.array([[{"t": time}] for time in times], pa.list_(pa.struct([("t", times.type)])))
    table = pa.table({"n": range(len(times)), "a.b": times, "deep": nested})
    pq.write_table(table, path, use_deprecated_int96_timestamps=True, store_schema=False)


def test_open_table__int96_of_any_year__comes_back(tmp_path: Path) -> None:
    write_int96(tmp_path / "x.parquet", pa.array(FAR, pa.timestamp("us")))
    table = read(tmp_path / "x.parquet")
    assert table["a.b"].to_pylist() == FAR
    assert [row[0]["t"] for row in table["deep"].to_pylist()] == FAR


def test_open_table__int96_with_nanoseconds__comes_back(tmp_path: Path) -> None:
    counts = [-315619200000000001, -1, 0, 1, 2**63 - 10**12]
    write_int96(tmp_path / "x.parquet", pa.array(counts, pa.timestamp("ns")))
    table = read(tmp_path / "x.parquet")
    assert table.schema.field("a.b").type == pa.timestamp("ns")
    assert table["a.b"].cast(pa.int64()).to_pylist() == counts


def test_open_table__int96_that_no_unit_holds__is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    with pq.ParquetWriter(
        path,
        pa.schema([("t", pa.timestamp("ns"))]),
        use_deprecated_int96_timestamps=True,
        store_schema=False,
    ) as writer:
        writer.write_table(pa.table({"t": pa.array([1], pa.timestamp("ns"))}))
    near = path.read_bytes()
    # The day number stands behind the nanoseconds of the day: one plain value of 12 bytes.
    value = (1).to_bytes(8, "little") + (2_440_588).to_bytes(4, "little")
    assert near.count(value) == 1
    far = value[:8] + (5_000_000).to_bytes(4, "little")
    path.write_bytes(near.replace(value, far))
    with pytest.raises(CodecError, match=r"years beyond 1677 to 2262 .*--raw"):
        read(path)


@pytest.mark.parametrize(
    ("values", "kind", "is_old"),
    [
        ([date(1582, 10, 14), None], pa.date32(), True),
        ([date(1582, 10, 15), None], pa.date32(), False),
        ([datetime(1582, 10, 14, 23), None], pa.timestamp("us"), True),
        ([None, datetime(1582, 10, 15)], pa.timestamp("ms"), False),
        ([[datetime(1, 1, 1)]], pa.list_(pa.timestamp("us")), True),
    ],
)
@pytest.mark.parametrize(
    ("metadata", "is_julian"),
    [
        ({"org.apache.spark.version": "2.4.8"}, True),
        ({"org.apache.spark.version": "3.5.0", "org.apache.spark.legacyDateTime": ""}, True),
        ({"org.apache.spark.version": "3.5.0"}, False),
        ({"other": "2.4.8"}, False),
    ],
)
def test_open_table__old_days_of_spark__are_refused_where_another_calendar_counts(
    values: list[Any],
    kind: Any,
    is_old: bool,
    metadata: dict[str, str],
    is_julian: bool,
    tmp_path: Path,
) -> None:
    table = pa.table({"x": pa.array(values, kind)}).replace_schema_metadata(metadata)
    pq.write_table(table, tmp_path / "x.parquet")
    if is_old and is_julian:
        with pytest.raises(CodecError, match=r"Julian calendar; write it again .*--raw"):
            read(tmp_path / "x.parquet")
    else:
        assert read(tmp_path / "x.parquet")["x"].to_pylist() == values


def test_open_table__page_that_differs_from_its_checksum__is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    numbers = [123456789012345678 + i for i in range(100)]
    pq.write_table(
        pa.table({"x": numbers}),
        path,
        write_page_checksum=True,
        compression="none",
        use_dictionary=False,
        write_statistics=False,
    )
    data = path.read_bytes()
    value = numbers[50].to_bytes(8, "little")
    assert data.count(value) == 1
    path.write_bytes(data.replace(value, bytes(8)))
    with pytest.raises(CodecError, match="repair it, or pack it byte for byte"):
        read(path)
