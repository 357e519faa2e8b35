# SPDX-License-Identifier: Apache-2.0
"""JSON lines lose no content when they are packed as a table."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from truthmark.codec import json_tables
from truthmark.codec import tables as reading
from truthmark.codec.json_fields import MAX_FIELDS
from truthmark.errors import CodecError

INT, FLOAT, TEXT = pa.int64(), pa.float64(), pa.string()


@pytest.fixture(params=["small", "large"], autouse=True)
def size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "large":
        monkeypatch.setattr(reading, "_WHOLE_FILE_SIZE", 0)
        monkeypatch.setattr(reading, "_JSON_CHUNK_SIZE", 1)


def read(path: Path, content: str | bytes) -> pa.Table:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    table = reading.open_table(path, path.name)
    found = pa.Table.from_batches(table.batches(), table.schema)
    found.validate(full=True)
    return found


def column(folder: Path, *values: str) -> pa.ChunkedArray:
    return read(folder / "x.jsonl", "".join(f'{{"x":{value}}}\n' for value in values))["x"]


VALUES: list[tuple[list[str], Any, list[Any]]] = [
    (["1", "-5", "0", "null"], INT, [1, -5, 0, None]),
    (["9223372036854775807", "-9223372036854775808"], INT, [2**63 - 1, -(2**63)]),
    (["18446744073709551615", "0"], pa.uint64(), [2**64 - 1, 0]),
    (
        ["18446744073709551615", "-1"],
        pa.decimal128(20, 0),
        [Decimal(2**64 - 1), Decimal(-1)],
    ),
    (["1", "2.5", "1e5", "1.50"], FLOAT, [1.0, 2.5, 1e5, 1.5]),
    (["9007199254740992", "0.5"], FLOAT, [2.0**53, 0.5]),
    (
        ["9007199254740993", "0.25"],
        pa.decimal128(18, 2),
        [Decimal(9007199254740993), Decimal("0.25")],
    ),
    (["0.30000000000000004", "5e-324"], FLOAT, [0.1 + 0.2, 5e-324]),
    (
        ["0.1", "0.10000000000000000055"],
        pa.decimal128(21, 20),
        [Decimal("0.1"), Decimal("0.10000000000000000055")],
    ),
    (["-0", "1"], FLOAT, [-0.0, 1.0]),
    (["1e400", "2.50"], TEXT, ["1e400", "2.50"]),
    (["9" * 39, "1"], TEXT, ["9" * 39, "1"]),
    (["true", "null", "false"], pa.bool_(), [True, None, False]),
    (['"1999-12-31"', '"2024-01-31T12:00:00+02:00"'], TEXT, None),
    (['""', "null"], TEXT, ["", None]),
    (['"\\u0000"', '"\\ud83d\\ude00"', '"\u2028"'], TEXT, ["\0", "😀", "\u2028"]),
    (["null", "null"], pa.null(), [None, None]),
    (["{}", "null"], pa.struct([]), [{}, None]),
    (["[]", "null"], pa.list_(pa.null()), [[], None]),
    (
        ["[1,null]", "[18446744073709551615]", "[]", "null"],
        pa.list_(pa.uint64()),
        [[1, None], [2**64 - 1], [], None],
    ),
    (
        ['{"a":{"b":[{"c":9007199254740993}]}}', '{"a":{"b":[{"c":0.5,"d":"2024-01-01"}]}}'],
        pa.struct(
            [
                (
                    "a",
                    pa.struct(
                        [("b", pa.list_(pa.struct([("c", pa.decimal128(17, 1)), ("d", TEXT)])))]
                    ),
                )
            ]
        ),
        [
            {"a": {"b": [{"c": Decimal(9007199254740993), "d": None}]}},
            {"a": {"b": [{"c": Decimal("0.5"), "d": "2024-01-01"}]}},
        ],
    ),
]


@pytest.mark.parametrize(("values", "kind", "expected"), VALUES, ids=lambda value: str(value)[:40])
def test_open_table__json_values__come_back(
    values: list[str], kind: Any, expected: list[Any] | None, tmp_path: Path
) -> None:
    found = column(tmp_path, *values)
    assert found.type == kind
    assert found.to_pylist() == (expected or [json.loads(value) for value in values])


def test_open_table__minus_zero__keeps_its_sign(tmp_path: Path) -> None:
    assert [str(value) for value in column(tmp_path, "-0", "0", "-0.0").to_pylist()] == [
        "-0.0",
        "0.0",
        "-0.0",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a":1}\n{"a":"1"}\n', "'a' holds numbers and text in different rows"),
        ('{"a":1}\n{"a":true}\n', "'a' holds numbers and true or false"),
        ('{"a":{"b":[1]}}\n{"a":{"b":[[1]]}}\n', r"'a.b\[\]' holds lists and numbers"),
        ('{"a":{}}\n{"a":[]}\n', "'a' holds lists and objects"),
        ('{"a":1}\n\n{"a":1,"b":2,"a":3}\n', "line 3: .*key 'a' is there twice"),
        ('{"a":{"b":1,"b":1}}\n', "line 1: .*key 'b' is there twice"),
        ('{"a":NaN}\n', "line 1: .*NaN is not a number of JSON"),
        ('{"a":-Infinity}\n', "line 1: .*-Infinity is not a number of JSON"),
        ('{"a":1}\n{"a":"\\ud800"}\n', "line 2: it has half a surrogate pair"),
        ('{"\\udfff":1}\n', "line 1: it has half a surrogate pair"),
        (b'{"a":1}\n{"a":"\xff"}\n', "line 2: it is not UTF-8 text"),
        ('{"a":1}\n'.encode("utf-16"), "line 1: it is not UTF-8 text"),
        ('{"a":1} x\n', "line 1: something follows"),
        ('{"a":1}{"a":2}\n', "line 1: something follows"),
        ('{"a":1}\r{"a":2}\r', "line 1: something follows"),
        ('{"a":1},\n{"a":2}\n', "line 1: something follows"),
        ('[{"a":1}]\n', "line 1: it is not JSON object"),
        ('{"a":1}\n2\n', "line 2: it is not JSON object"),
        ('{\n"a":1\n}\n', "line 1: it is not JSON"),
        ('{"a":01}\n', "line 1: it is not JSON"),
        ('{"a":"x\ty"}\n', "line 1: it is not JSON"),
        ('{"a":' + "9" * 5000 + "}\n", "line 1: it is not JSON that a table can hold"),
        ('{"a":' + "[" * 60 + "]" * 60 + "}\n", "nested deeper than 48 levels"),
        ('{"a":' + "[" * 90_000 + "]" * 90_000 + "}\n", "line 1: it is nested too deeply"),
        (" \n\n", "the file is empty"),
        ("{}\n{}\n", "the table has no columns"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_open_table__json_that_would_change__is_refused_in_one_line(
    content: str | bytes, message: str, tmp_path: Path
) -> None:
    with pytest.raises(CodecError, match=message) as caught:
        read(tmp_path / "x.jsonl", content)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_open_table__byte_order_mark_and_empty_lines__are_dropped(tmp_path: Path) -> None:
    content = '\ufeff{"a":1}\r\n\r\n \t{"a" : 2}\t\r\n\n{"a":3}'
    assert read(tmp_path / "x.jsonl", content)["a"].to_pylist() == [1, 2, 3]


def test_open_table__odd_keys__stay_apart(tmp_path: Path) -> None:
    row = {"": 1, "a.b": 2, "a": {"b": 3}, "A": 4, "\0": 5, "é": 6, "e\u0301": 7}
    table = read(tmp_path / "x.jsonl", json.dumps(row) + "\n")
    assert table.to_pylist() == [row]
    assert table.column_names == list(row)


def test_open_table__keys_that_come_late_or_seldom__are_complete(tmp_path: Path) -> None:
    rows = [{"n": i, "of": {f"k{i % 60}": i}} for i in range(600)]
    table = read(tmp_path / "x.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    found = [
        {"n": row["n"], "of": {key: v for key, v in row["of"].items() if v is not None}}
        for row in table.to_pylist()
    ]
    assert found == rows


def test_open_table__a_key_for_each_row__is_refused(tmp_path: Path) -> None:
    rows = "".join(f'{{"of":{{"k{i}":{i}}}}}\n' for i in range(MAX_FIELDS + 1))
    with pytest.raises(CodecError, match=f"more than {MAX_FIELDS}"):
        read(tmp_path / "x.jsonl", rows)


def test_open_table__very_long_line__is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_tables, "LARGEST_LINE", 1 << 21)
    with pytest.raises(CodecError, match="a line of more than 2 MiB"):
        read(tmp_path / "x.jsonl", '{"a":"' + "x" * (4 << 20) + '"}\n')


def test_open_table__file_that_changes_meanwhile__is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"a":1}\n')
    table = reading.open_table(path, path.name)
    path.write_text('{"a":1}\n{"a":2}\n')
    with pytest.raises(CodecError, match="changed while it was packed; try again"):
        list(table.batches())
