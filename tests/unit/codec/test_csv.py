# SPDX-License-Identifier: Apache-2.0
"""A CSV file loses no content when it is packed as a table."""

import csv
import io
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.codec.test_csv_quotes import SWALLOWING
from tests.utils.containers import pack
from truthmark.codec import extract, open_container
from truthmark.codec import tables as reading
from truthmark.codec.extraction import _writer
from truthmark.errors import CodecError

INT, FLOAT, TEXT = pa.int64(), pa.float64(), pa.string()


@pytest.fixture(params=["small", "large"], autouse=True)
def size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "large":
        monkeypatch.setattr(reading, "_WHOLE_FILE_SIZE", 0)
        monkeypatch.setattr(reading, "_CSV_BLOCK_SIZE", 1 << 12)


def read(path: Path, content: str | bytes) -> pa.Table:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    table = reading.open_table(path, path.name)
    return pa.Table.from_batches(table.batches(), table.schema)


def column(folder: Path, *cells: str) -> pa.ChunkedArray:
    return read(folder / "x.csv", "n,x\n" + "".join(f"1,{cell}\n" for cell in cells))["x"]


NUMBERS: list[tuple[list[str], Any, list[Any]]] = [
    (["1", "-5", "0"], INT, [1, -5, 0]),
    (["9223372036854775807", "-9223372036854775808"], INT, [2**63 - 1, -(2**63)]),
    (["1", "", "3"], INT, [1, None, 3]),
    (["1", "2.5"], FLOAT, [1.0, 2.5]),
    (["1.50", "-0.0", "0.000", ".5", "1.", "1e5", "2E-3"], FLOAT, [1.5, 0, 0, 0.5, 1, 1e5, 2e-3]),
    (["0.30000000000000004", "1.2345678901234568e+17"], FLOAT, [0.1 + 0.2, 1.2345678901234568e17]),
    (["5e-324", "1.7976931348623157e308"], FLOAT, [5e-324, 1.7976931348623157e308]),
    (["0.10000000000000000000", "inf", "-inf"], FLOAT, [0.1, math.inf, -math.inf]),
    (["true", "false", ""], pa.bool_(), [True, False, None]),
    (["True", "False"], pa.bool_(), [True, False]),
    (["FALSE", "TRUE", ""], pa.bool_(), [False, True, None]),
]


@pytest.mark.parametrize(("cells", "kind", "values"), NUMBERS, ids=lambda value: str(value)[:30])
def test_open_table__cells_that_come_back__are_typed(
    cells: list[str], kind: Any, values: list[Any], tmp_path: Path
) -> None:
    found = column(tmp_path, *cells)
    assert found.type == kind
    assert found.to_pylist() == values


@pytest.mark.parametrize(
    "cell",
    [
        *("007", "00", "-0", "-007", "+1", " 1", "1 ", "0x10", "1_000", "00.5", "-00.5", "+0.5"),
        *("12345678901234567890123", "10000000000000000000000", "9223372036854775808"),
        *("0.1000000000000000055", "2.0000000000000000000001", "1e400", "1e-400", "4e-324"),
        *("tRUE", "yes", "NA", "NaN", "nan", "-nan", "null", "None", "#N/A", "-"),
        *("2024-1-1", "2024-02-30", "12:30", "24:00:00", "2024-01-01 10:00"),
        *("2024-01-01T10:00:00+02:00", "2024-01-01 10:00:00.5", "1.5.5"),
        *("0000-01-01", "0000-12-31 23:59:59"),
    ],
)
@pytest.mark.parametrize("others", [[], ["1"], ["1.5"], ["true"], ["2024-01-01"]], ids=str)
@pytest.mark.untraced
def test_open_table__cell_that_would_change__stays_text(
    cell: str, others: list[str], tmp_path: Path
) -> None:
    for cells in ([cell, *others], [*others, cell], [*others * 2000, cell]):
        found = column(tmp_path, *cells)
        assert found.type == TEXT
        assert found.to_pylist() == cells


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ("2024-01-31", pa.date32()),
        ("23:59:59", pa.time32("s")),
        ("2024-01-31 23:59:59", pa.timestamp("s")),
        ("2024-01-31T23:59:59", pa.timestamp("s")),
        ("2024-01-31 23:59:59.125", pa.timestamp("ms")),
        ("2024-01-31 23:59:59.125000", pa.timestamp("us")),
        ("2024-01-31 23:59:59.000000001", pa.timestamp("ns")),
        ("2024-01-31 23:59:59Z", pa.timestamp("s", "UTC")),
    ],
)
def test_open_table__times__come_back(cell: str, kind: Any, tmp_path: Path) -> None:
    found = column(tmp_path, cell, "", cell)
    assert found.type == kind
    texts = [str(text)[-len(cell) :] for text in found.drop_null().cast(TEXT).to_pylist()]
    assert texts == [cell.replace("T", " ")] * 2


def test_open_table__empty_cells__differ_from_empty_texts(tmp_path: Path) -> None:
    content = 'a,b,c,d\n,x,1,\n"",,,\nNA,"",2,\n'
    table = read(tmp_path / "x.csv", content)
    assert table.schema.types == [TEXT, TEXT, INT, pa.null()]
    assert [column.to_pylist() for column in table.columns] == [
        [None, "", "NA"],
        ["x", None, ""],
        [1, None, 2],
        [None, None, None],
    ]


def test_open_table__one_column__keeps_empty_lines(tmp_path: Path) -> None:
    assert read(tmp_path / "x.csv", "a\n1\n\n3\n")["a"].to_pylist() == [1, None, 3]
    assert read(tmp_path / "x.csv", "\na\n1\n3\n")["a"].to_pylist() == [1, 3]


def test_open_table__late_empty_columns__find_their_types(tmp_path: Path) -> None:
    rows = [f"{i},,{i},{i}0000000000000" for i in range(20_000)]
    table = read(tmp_path / "x.csv", "a,b,c,d\n" + "\n".join([*rows, "1.5,7,word,0.5"]) + "\n")
    assert table.schema.types == [FLOAT, INT, TEXT, TEXT]
    assert table["c"].to_pylist() == [*map(str, range(20_000)), "word"]
    assert table["d"][1].as_py() == "10000000000000"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_open_table__quotes_that_keep_the_rule__are_read(end: str, tmp_path: Path) -> None:
    cells = ['a"b', 'x, ""y"" \nz', "Dear John\n\nHello, there", "5 pounds,\n6, 7", " ", "'", "\\"]
    rows = [[f"n{i}", cell] for i, cell in enumerate(cells * 500)]
    file = io.StringIO()
    csv.writer(file, lineterminator=end).writerows([["n", "x"], *rows])
    content = file.getvalue() + f'1,a"b{end}2,5"{end}3, "x"{end}'
    table = read(tmp_path / "x.csv", content)
    assert table["x"].to_pylist() == [*(row[1] for row in rows), 'a"b', '5"', ' "x"']


def test_open_table__cell_longer_than_a_block__is_read(tmp_path: Path) -> None:
    table = read(tmp_path / "x.csv", "n,x\n" + "1,a\n" * 3000 + f"2,{'b' * 20_000}\n")
    assert table["x"][-1].as_py() == "b" * 20_000


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_open_table__header_alone__is_a_table_without_rows(end: str, tmp_path: Path) -> None:
    table = read(tmp_path / "x.csv", "a,b" + end)
    assert (table.column_names, table.num_rows) == (["a", "b"], 0)


def test_open_table__byte_order_mark_and_line_ends__are_dropped(tmp_path: Path) -> None:
    table = read(tmp_path / "x.csv", '\ufeff"a",b\r\n1,"x, ""y""\nz"\r\n')
    assert table.to_pylist() == [{"a": 1, "b": 'x, "y"\nz'}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name,n\nJürgen,1\n".encode("latin-1"), "is not UTF-8 text; save it again as UTF-8"),
        ("prénom,n\na,1\n".encode("latin-1"), "is not UTF-8 text"),
        (b"a,b\n" + b"1,2\n" * 9000 + b"\xff,1\n", "is not UTF-8 text"),
        ("a,b\n1,2\n".encode("utf-16"), "is not UTF-8 text"),
        ("a,b\n1,2\n".encode("utf-16-le"), "is not UTF-8 text"),
        ("a,a,b\n1,2,3\n", "has 2 columns named 'a'; rename them"),
        ("a,,\n1,2,3\n", "has 2 columns without a name; name them"),
        ("a;b;c\n1;2;3\n", "has semicolons and no commas in its header; save it with commas"),
        ("a\tb\n1\t2\n", "has tabs and no commas"),
        ("a|b\n1|2\n", "has vertical bars and no commas"),
        ("a,b\n1,2,3\n", "repair it"),
        ('"a,b\n' + "1,2\n" * 90_000, "repair it"),
        *((content, f"line {line}: ") for content, line in SWALLOWING),
        ("", "the file is empty"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_open_table__csv_that_would_be_misread__is_refused_in_one_line(
    content: str | bytes, message: str, tmp_path: Path
) -> None:
    with pytest.raises(CodecError, match=message) as caught:
        read(tmp_path / "x.csv", content)
    assert "or pack it byte for byte with --raw" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("id\ttext\n" + rows, line)
        for rows, line in (
            ('1\t"Hello" she said\n2\tplain\n', 2),
            ('1\tplain\n2\t"unbalanced\n3\tend"\n', 3),
            ('1\t"\n2\tb\n3\t"\n4\td\n', 2),
            ('"\tPUNCT\nb\tNOUN\n"\tPUNCT\n', 2),
            ('1\t"a\tb\nc"\n', 2),
        )
    ],
)
def test_open_table__tsv_with_quotes_that_are_none__is_refused(
    content: str, line: int, tmp_path: Path
) -> None:
    with pytest.raises(CodecError, match=f"x.tsv, line {line}: .*--raw"):
        read(tmp_path / "x.tsv", content)


def test_open_table__tsv__is_read_by_tabs(tmp_path: Path) -> None:
    table = read(tmp_path / "x.tsv", "a;b\tc\n007\t1\n")
    assert table.to_pylist() == [{"a;b": "007", "c": 1}]
    assert read(tmp_path / "x.tsv", "a, b\nx, y\n").to_pylist() == [{"a, b": "x, y"}]


CELLS = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.integers(0, 200).map(lambda number: f"{number:03}"),
    st.floats().map(repr),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.datetimes().map(str),
    st.dates().map(str),
    st.times().map(str),
    st.sampled_from(["true", "false", "NA", "", "1.50", "0e1", "1e-5", "-0.0", "T", "Z"]),
    st.text(st.characters(exclude_characters="\0\r", codec="utf-8"), max_size=4),
)


def meaning(cell: str) -> Any:
    """What must not change: the value of a number or truth; the text of all else."""
    try:
        number = Decimal(cell)
    except ArithmeticError:
        if cell in ("True", "TRUE", "False", "FALSE"):
            return cell.lower()
        return cell.replace("T", " ")
    return (number.is_signed(), number) if number.is_finite() else cell


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)
@given(
    cells=st.one_of(
        st.lists(CELLS, min_size=1, max_size=5),
        *(st.lists(kind, min_size=1, max_size=5) for kind in CELLS.branches),  # type: ignore[attr-defined]
    )
)
@pytest.mark.untraced
def test_extract__original__means_what_was_packed(cells: list[str], tmp_path_factory: Any) -> None:
    folder = tmp_path_factory.mktemp("csv")
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerows([["n", "x"], *([i, cell] for i, cell in enumerate(cells))])
    (folder / "x.csv").write_text(file.getvalue(), encoding="utf-8", newline="")
    table = reading.open_table(folder / "x.csv", "x.csv")
    with _writer(folder / "out.csv", "csv", table.schema) as write:
        for batch in table.batches():
            write(batch)
    with (folder / "out.csv").open(encoding="utf-8", newline="") as out:
        rows = list(csv.reader(out))
    assert [meaning(row[1]) for row in rows[1:]] == [meaning(cell) for cell in cells]


def test_pack__csv_extracted_as_original__is_the_same_text(tmp_path: Path) -> None:
    content = '"id","name","n","x","day"\n"007","",1,0.1,2024-01-31\n"12",,,1e+22,\n'
    (tmp_path / "x.csv").write_text(content)
    _, cek = pack(tmp_path / "x.csv", tmp_path / "packed")
    with open_container(tmp_path / "packed", cek=cek) as container:
        extract(container, tmp_path / "out", "original")
    assert (tmp_path / "out" / "x.csv").read_text() == content
