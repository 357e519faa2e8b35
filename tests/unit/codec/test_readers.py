# SPDX-License-Identifier: Apache-2.0
"""Every reader says, cell by cell, what independent readers say: csv and json of Python, DuckDB.

Files are made at random, chunks and blocks are so short that rows and cells cross their ends.
What a reader refuses must be something that the independent one refuses too, or one of the few
things that are refused by rule.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from truthmark.codec import tables as reading
from truthmark.codec.csv_quotes import misplaced_quote
from truthmark.errors import CodecError

COUNTS = [20, pytest.param(3_000, marks=[pytest.mark.assure, pytest.mark.timeout(3_600)])]
EAST = timezone(timedelta(hours=5, minutes=30))


@contextmanager
def short_chunks(size: int) -> Iterator[None]:
    """Read all files by chunks of `size` bytes; 0 for the usual sizes."""
    with pytest.MonkeyPatch.context() as patch:
        if size:
            patch.setattr(reading, "_WHOLE_FILE_SIZE", 0)
            patch.setattr(reading, "_CSV_BLOCK_SIZE", size)
            patch.setattr(reading, "_CSV_CELLS_SIZE", 1)
            patch.setattr(reading, "_JSON_CHUNK_SIZE", size)
            patch.setattr(reading, "_PARQUET_BATCH_ROWS", size)
        yield


def read(path: Path) -> pa.Table:
    table = reading.open_table(path, path.name)
    found = pa.Table.from_batches(table.batches(), table.schema)
    found.validate(full=True)
    return found


def run(count: int, check: Callable[..., None], **strategies: Any) -> None:
    settings(max_examples=count, deadline=None)(given(**strategies)(check))()


def is_number(value: Any, text: str) -> bool:
    """Tell whether a value is exactly the number that a text says, its sign of zero included."""
    said = Decimal(text)
    held = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    return held == said and (said != 0 or said.is_signed() == held.is_signed())


SIZES = st.sampled_from([0, 1, 3, 17, 64, 200])

# ------- CSV

NUMBERS = st.one_of(
    st.integers(-(10**25), 10**25).map(str),
    st.integers(-50, 50).map(str),
    st.floats().map(repr),
    st.floats(-1e6, 1e6).map(lambda number: f"{number:.17g}"),
    st.floats(-1e6, 1e6).map(lambda number: f"{number:.3f}"),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
)
CELLS = st.one_of(
    NUMBERS,
    st.integers(0, 200).map(lambda number: f"{number:03}"),
    st.dates().map(str),
    st.datetimes().map(str),
    st.datetimes().map(lambda time: time.isoformat(timespec="seconds") + "Z"),
    st.times().map(str),
    st.sampled_from(["true", "TRUE", "nan", "NA", "null", "", " ", "+1", "1e3", "-0", "0x1", '"']),
    st.text(st.sampled_from('ab,;\t"\n\r\\ é\0'), max_size=6),
)
COLUMN = st.one_of(*(st.lists(kind, min_size=6, max_size=6) for kind in (CELLS, *CELLS.branches)))  # type: ignore[attr-defined]


def cell_says(value: Any, kind: pa.DataType, text: str) -> bool:
    """Tell whether a value keeps a cell; how texts become types stands in csv_tables."""
    if value is None:
        return text == ""
    if pa.types.is_string(kind):
        return bool(value == text)
    if pa.types.is_boolean(kind):
        return text in (("true", "True", "TRUE") if value else ("false", "False", "FALSE"))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return text == repr(value) or is_number(value, text)
    back = pa.scalar(value, kind).cast(pa.string()).as_py()
    return bool(back == text.replace("T", " "))


def same_cells(table: pa.Table, rows: list[list[str]]) -> None:
    assert table.num_rows == len(rows)
    for number, column in enumerate(table.columns):
        for value, row in zip(column.to_pylist(), rows, strict=True):
            assert cell_says(value, column.type, row[number]), (value, row[number], column.type)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(("suffix", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_open_table__written_csv__is_what_csv_and_duckdb_read(
    suffix: str, delimiter: str, count: int, tmp_path: Path
) -> None:
    path = tmp_path / f"x.{suffix}"

    def check(columns: list[list[str]], end: str, quoting: int, size: int) -> None:
        names = [f"c{i}" for i in range(len(columns))]
        file = io.StringIO()
        if any({"\r", "\n"} & set(cell) for column in columns for cell in column):
            quoting = csv.QUOTE_ALL  # Python quotes only what its own line end would break
        writer = csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=quoting)  # type: ignore[arg-type]
        writer.writerows([names, *zip(*columns, strict=True)])
        path.write_text(file.getvalue(), encoding="utf-8", newline="")
        rows = list(csv.reader(io.StringIO(file.getvalue(), newline=""), delimiter=delimiter))[1:]
        with short_chunks(size):
            if (found := misplaced_quote(path, delimiter, len(names))) is not None:
                # By rule: such texts cannot be told from rows that lone quotes swallow.
                assert "reads as rows" in found
                return
            table = read(path)
        same_cells(table, [row for row in rows if row or len(names) == 1])
        content = file.getvalue()
        if end == "\n" and len(names) > 1 and not {"\r", "\0"} & set(content):
            for column, name in zip(table.columns, names, strict=True):
                for value, (text,) in zip(
                    column.to_pylist(), by_duckdb(path, delimiter, name), strict=True
                ):
                    assert cell_says(value, column.type, text or "")

    run(
        count,
        check,
        columns=st.lists(COLUMN, min_size=2, max_size=4),
        end=st.sampled_from(["\n", "\r\n", "\r"]),
        quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
        size=SIZES,
    )


def by_duckdb(path: Path, delimiter: str, name: str) -> list[tuple[str | None]]:
    return duckdb.execute(
        f"select {name} from read_csv(?, delim=?, quote='\"', escape='\"', header=true, "
        "all_varchar=true, auto_detect=false, columns=?, new_line='\\n')",
        [str(path), delimiter, {f"c{i}": "VARCHAR" for i in range(_width(path, delimiter))}],
    ).fetchall()


def _width(path: Path, delimiter: str) -> int:
    return path.read_text(encoding="utf-8").partition("\n")[0].count(delimiter) + 1


@pytest.mark.parametrize("count", [200, pytest.param(60_000, marks=pytest.mark.assure)])
def test_open_table__any_csv_text__is_refused_or_what_csv_reads(count: int, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"

    def check(text: str, size: int) -> None:
        path.write_text("a,b\n" + text, encoding="utf-8", newline="")
        try:
            source = io.StringIO("a,b\n" + text, newline="")
            rows = [row for row in csv.reader(source, strict=True) if row][1:]
            is_table = all(len(row) == 2 for row in rows)
        except csv.Error:
            is_table = False
        try:
            with short_chunks(size):
                table = read(path)
        except CodecError as error:
            assert not is_table or "reads as rows" in str(error)
        else:
            assert is_table
            same_cells(table, rows)

    run(count, check, text=st.text(st.sampled_from('ab1,"\n\r '), max_size=24), size=SIZES)


# ------- JSON lines


class Number(str):
    """A number as it is spelled in JSON."""


JSON_NUMBERS = NUMBERS.filter(lambda text: text.lstrip("-")[0].isdigit()).map(
    lambda text: Number(text.replace("E+", "e"))
)
LEAVES = st.sampled_from(
    [
        JSON_NUMBERS,
        st.integers(-(2**64), 2**65).map(lambda number: Number(str(number))),
        st.integers(-9, 9).map(lambda number: Number(str(number))),
        st.floats(allow_nan=False, allow_infinity=False).map(lambda number: Number(repr(number))),
        st.booleans(),
        st.text(max_size=4),
        st.sampled_from(["2024-01-31", "2024-01-31T12:00:00+02:00", "1", "null", ""]),
        st.nothing(),
    ]
)


def json_kinds(below: Any) -> Any:
    """Return a strategy of strategies: one type, of which a column then has many values."""
    objects = st.dictionaries(st.sampled_from(["a", "b", "", "a.b", "é"]), below, max_size=3)
    return st.one_of(
        below.map(lambda kind: st.lists(st.none() | kind, max_size=3)),
        objects.map(
            lambda kinds: st.fixed_dictionaries(
                {}, optional={key: st.none() | kind for key, kind in kinds.items()}
            )
        ),
    )


KINDS = st.recursive(LEAVES, json_kinds, max_leaves=5)


def spelled(value: Any) -> str:
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(spelled, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{spelled(v)}" for k, v in value.items()) + "}"
    return json.dumps(value)


def json_says(value: Any, said: Any) -> bool:
    """Tell whether what was read keeps what Python's parser says, numbers being their texts."""
    if said is None or value is None:
        return said is None and value is None
    if isinstance(said, Number):
        return not isinstance(value, bool) and is_number(value, said)
    if isinstance(said, list):
        return len(value) == len(said) and all(map(json_says, value, said))
    if isinstance(said, dict):
        return set(said) <= set(value) and all(
            json_says(value[key], said.get(key)) for key in value
        )
    return type(value) is type(said) and bool(value == said)


@pytest.mark.parametrize("count", COUNTS)
def test_open_table__json_lines__are_what_json_and_duckdb_read(count: int, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"

    def check(data: st.DataObject, size: int) -> None:
        kinds = data.draw(st.lists(KINDS, min_size=1, max_size=3))
        columns = {f"c{i}": st.none() | kind for i, kind in enumerate(kinds)}
        rows = data.draw(
            st.lists(st.fixed_dictionaries({}, optional=columns), min_size=1, max_size=6)
        )
        path.write_text("".join(spelled(row) + "\n" for row in rows), encoding="utf-8")
        names = {name for row in rows for name in row}
        if not names:
            return
        with short_chunks(size):
            table = read(path)
        assert set(table.column_names) == names
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        said = [json.loads(line, parse_int=Number, parse_float=Number) for line in lines]
        for value, row in zip(table.to_pylist(), said, strict=True):
            assert json_says(value, row), (value, row)
        for column, name in zip(table.columns, table.column_names, strict=True):
            # DuckDB spells numbers in its own way, which only numbers can be compared with.
            is_number_text = any(isinstance(row.get(name), Number) for row in said)
            if not (pa.types.is_string(column.type) and is_number_text):
                same_by_duckdb(column, path, name)

    run(count, check, data=st.data(), size=SIZES)


def same_by_duckdb(column: pa.ChunkedArray, path: Path, name: str) -> None:
    """Compare whole numbers, texts and truths; DuckDB has one kind of fractions, floats."""
    query = "select json->>? from read_ndjson_objects(?)"
    if pa.types.is_integer(column.type) or pa.types.is_boolean(column.type):
        found = duckdb.execute(query, [f'$."{name}"', str(path)]).fetchall()
        said = [None if text is None else json.loads(text) for (text,) in found]
        assert column.to_pylist() == said
    elif pa.types.is_string(column.type):
        found = duckdb.execute(query, [f'$."{name}"', str(path)]).fetchall()
        if not any("\0" in (text or "") for text in column.to_pylist()):
            assert column.to_pylist() == [text for (text,) in found]


# ------- Parquet

MICROSECONDS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))
PARQUET = {
    "bool": (pa.bool_(), st.booleans()),
    "u8": (pa.uint8(), st.integers(0, 255)),
    "i16": (pa.int16(), st.integers(-(2**15), 2**15 - 1)),
    "u32": (pa.uint32(), st.integers(0, 2**32 - 1)),
    "i64": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "u64": (pa.uint64(), st.integers(0, 2**64 - 1)),
    "f32": (pa.float32(), st.floats(width=32, allow_nan=False)),
    "f64": (pa.float64(), st.floats(allow_nan=False)),
    "d9": (pa.decimal128(9, 2), st.decimals(-99999, 99999, places=2)),
    "d38": (pa.decimal128(38, 5), st.decimals(-(10**30), 10**30, places=5)),
    "text": (pa.string(), st.text(st.characters(codec="utf-8", exclude_characters="\0"))),
    "bytes": (pa.binary(), st.binary(max_size=9)),
    "date": (pa.date32(), st.dates(date(1, 1, 1), date(9999, 12, 31))),
    "time": (pa.time64("us"), st.times()),
    "ms": (pa.timestamp("ms"), MICROSECONDS.map(lambda time: time.replace(microsecond=0))),
    "us": (pa.timestamp("us"), MICROSECONDS),
    "utc": (pa.timestamp("us", "UTC"), MICROSECONDS.map(lambda time: time.replace(tzinfo=EAST))),
    "list": (
        pa.list_(pa.list_(pa.int64())),
        st.lists(st.none() | st.lists(st.none() | st.integers(-9, 9), max_size=2), max_size=2),
    ),
    "struct": (
        pa.struct([("a", pa.string()), ("b", pa.list_(pa.uint64()))]),
        st.fixed_dictionaries(
            {
                "a": st.none() | st.text("xy"),
                "b": st.none() | st.lists(st.integers(0, 2**64 - 1), max_size=2),
            }
        ),
    ),
    "map": (
        pa.map_(pa.string(), pa.int32()),
        st.dictionaries(st.text("xy"), st.integers(-9, 9), max_size=2).map(
            lambda pairs: list(pairs.items())
        ),
    ),
}


def plain(value: Any, name: str) -> Any:
    """Return a value as both Arrow and DuckDB give it; times in UTC, which INT96 does not say."""
    if name == "map" and value is not None:
        return dict(value)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).replace(tzinfo=None)
    return value


def write_arrow(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, row_group_size=3, store_schema=False)


def write_int96(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, use_deprecated_int96_timestamps=True, store_schema=False)


def write_old(table: pa.Table, path: Path) -> None:
    pq.write_table(
        table, path, version="1.0", use_compliant_nested_type=False, store_decimal_as_integer=True
    )


def write_duckdb(table: pa.Table, path: Path) -> None:
    connection = duckdb.connect()
    connection.register("made", table)
    connection.execute("set timezone='UTC'")
    connection.execute(f"copy made to '{path}' (format parquet)")


def write_polars(table: pa.Table, path: Path) -> None:
    import polars as pl

    pl.from_arrow(table).write_parquet(path, row_group_size=3)  # type: ignore[union-attr]


@pytest.mark.parametrize("count", [4, pytest.param(400, marks=pytest.mark.assure)])
@pytest.mark.parametrize("write", [write_arrow, write_int96, write_old, write_duckdb, write_polars])
@pytest.mark.untraced
def test_open_table__parquet_of_any_writer__is_what_went_in_and_what_duckdb_reads(
    write: Callable[[pa.Table, Path], None], count: int, tmp_path: Path
) -> None:
    path = tmp_path / "x.parquet"

    def check(data: st.DataObject, size: int) -> None:
        arrays = {
            name: pa.array(data.draw(st.lists(st.none() | values, min_size=5, max_size=5)), kind)
            for name, (kind, values) in PARQUET.items()
            if not (write is write_polars and name == "map")
        }
        table = pa.table(arrays)
        write(table, path)
        with short_chunks(size):
            found = read(path)
        connection = duckdb.connect()
        connection.execute("set timezone='UTC'")
        by_duckdb = connection.execute(f"select * from '{path}'").fetchall()
        for number, name in enumerate(table.column_names):
            values = [plain(value, name) for value in found[name].to_pylist()]
            assert values == [plain(value, name) for value in table[name].to_pylist()], name
            assert values == [plain(row[number], name) for row in by_duckdb], name

    run(count, check, data=st.data(), size=st.sampled_from([0, 1, 2]))
