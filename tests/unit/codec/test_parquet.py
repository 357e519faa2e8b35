# SPDX-License-Identifier: Apache-2.0
"""What Parquet cannot hold is told, and written as Arrow instead; the rest comes back the same."""

from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.utils import arrow_cases
from tests.utils.containers import pack
from truthmark.codec import CardPolicy, extract, open_container
from truthmark.codec.parquet import CannotHoldError, parquet_problem, write_parquet
from truthmark.errors import CodecError

BOX = pa.list_(pa.float32(), 4)
BOXES = pa.array([[1, 2, 3, 4], None, [5, 6, 7, 8]], BOX)
UNHELD = {
    "empty struct": pa.table({"x": pa.array([{}, None], pa.struct([]))}),
    "negative scale": pa.table({"x": pa.array([None, 1200], pa.decimal128(9, -2))}),
    "one name twice": pa.table([[1], [2]], names=["x", "x"]),
    "one name twice below": pa.table(
        {"x": pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"])}
    ),
    "lists of no size": pa.table({"x": pa.array([[], None], pa.list_(pa.int8(), 0))}),
    "interval": pa.table({"x": pa.array([None], pa.month_day_nano_interval())}),
    "runs": pa.table({"x": pa.RunEndEncodedArray.from_arrays([2], ["a"])}),
    "union": pa.table({"x": pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])])}),
    "no bytes": pa.table({"x": pa.array([b""], pa.binary(0))}),
    "a missing value where none may be": pa.table(
        [pa.array([1, None])], schema=pa.schema([pa.field("x", pa.int64(), nullable=False)])
    ),
    "seconds too far away": pa.table({"x": pa.array([1 << 60], pa.timestamp("s"))}),
}


def extracted(source: Any, folder: Path, format: Any = None) -> tuple[Path, list[str]]:
    _, cek = pack(source, folder / "packed")
    notes: list[str] = []
    with open_container(folder / "packed", cek=cek) as container:
        extract(container, folder / "out", format, note=notes.append)
    return folder / "out", notes


def read_arrow(path: Path) -> pa.Table:
    is_file = path.read_bytes()[:6] == b"ARROW1"
    with (pa.ipc.open_file if is_file else pa.ipc.open_stream)(path) as reader:
        return reader.read_all()


def written(table: pa.Table, path: Path) -> Path:
    with pa.ipc.new_file(path, table.schema) as file:
        file.write_table(table)
    return path


@pytest.mark.parametrize("table", UNHELD.values(), ids=UNHELD.keys())
def test_extract__table_that_parquet_cannot_hold__is_arrow_and_said(
    table: pa.Table, tmp_path: Path
) -> None:
    assert parquet_problem(table) is not None
    out, notes = extracted({"bad": table, "good": pa.table({"x": [1]})}, tmp_path)
    assert read_arrow(out / "bad.arrow").equals(table)
    assert pq.read_table(out / "good.parquet").to_pydict() == {"x": [1]}
    assert not (out / "bad.parquet").exists()
    assert len(notes) == 1 and notes[0].startswith("bad.arrow: is in Arrow") and len(notes[0]) < 300
    assert "bad.arrow" in (out / "README.md").read_text()


@pytest.mark.parametrize("table", UNHELD.values(), ids=UNHELD.keys())
def test_pack__table_that_parquet_cannot_hold__is_noted(table: pa.Table, tmp_path: Path) -> None:
    packed, _ = pack({"bad": table, "good": pa.table({"x": [1]})}, tmp_path / "packed")
    (note,) = packed.notes
    assert note.startswith("bad.arrow: Parquet cannot hold it (") and len(note) < 300


def test_pack__many_tables_that_parquet_cannot_hold__are_one_note(tmp_path: Path) -> None:
    packed, _ = pack({"a": UNHELD["runs"], "b": UNHELD["runs"]}, tmp_path / "packed")
    (note,) = packed.notes
    assert note.startswith("a.arrow and 1 more: Parquet cannot hold it (")


def test_pack__extension_type__is_noted(tmp_path: Path) -> None:
    column = pa.ExtensionArray.from_storage(
        pa.uuid(), pa.array([b"0123456789abcdef"], pa.binary(16))
    )
    packed, _ = pack(pa.table({"id": column, "x": [1]}), tmp_path / "packed")
    (note,) = packed.notes
    assert note.startswith("data.arrow: extension types are packed") and note.endswith(": id")


def test_pack__sample_that_cannot_be_shown__is_refused(tmp_path: Path) -> None:
    table = pa.table({"x": pa.array([1 << 60], pa.timestamp("s"))})
    with pytest.raises(CodecError, match="pack without examples"):
        pack(table, tmp_path / "packed", card=CardPolicy(examples=1))


@pytest.mark.parametrize("table", UNHELD.values(), ids=UNHELD.keys())
def test_extract__parquet_was_asked_for_and_cannot_hold_it__is_refused(
    table: pa.Table, tmp_path: Path
) -> None:
    with pytest.raises(CodecError, match="--format arrow") as caught:
        extracted(table, tmp_path, "parquet")
    assert str(caught.value).isprintable()
    assert not (tmp_path / "out").exists()


def test_extract__nobody_listens__is_a_warning(tmp_path: Path) -> None:
    _, cek = pack(UNHELD["runs"], tmp_path / "packed")
    with (
        open_container(tmp_path / "packed", cek=cek) as container,
        pytest.warns(UserWarning, match="data.arrow: is in Arrow"),
    ):
        extract(container, tmp_path / "out")


@pytest.mark.parametrize(
    "column",
    [
        BOXES,
        pa.StructArray.from_arrays([BOXES], fields=[pa.field("b", BOX)]),
        pa.array([None, {"b": [1, 2, 3, 4]}], pa.struct([pa.field("b", BOX)])),
        pa.array([[[1, 2, 3, 4], None], None, []], pa.list_(BOX)),
        pa.array([[[1, 2, 3, 4], None], None], pa.list_(BOX, 2)),
        pa.array([[("k", None)], [("l", [1, 2, 3, 4])]], pa.map_(pa.string(), BOX)),
        pa.array([[1, float("nan"), 3, None], None], BOX),
    ],
)
def test_extract__fixed_size_list_is_missing__parquet_is_read_by_everybody(
    column: pa.Array, tmp_path: Path
) -> None:
    out, notes = extracted(pa.table({"x": column}), tmp_path)
    assert not notes
    assert str(pq.read_table(out / "data.parquet")["x"].to_pylist()) == str(column.to_pylist())
    assert len(pd.read_parquet(out / "data.parquet")) == len(column)


def test_extract__no_fixed_size_list_is_missing__stays_of_fixed_size(tmp_path: Path) -> None:
    table = pa.table({"x": BOXES.drop_null()}).replace_schema_metadata({"huggingface": "{}"})
    out, _ = extracted(table, tmp_path)
    got = pq.read_table(out / "data.parquet")
    assert got.equals(table) and got.schema.metadata == table.schema.metadata


@pytest.mark.parametrize(
    "column",
    [
        pa.array([["a"], None, []], pa.list_(pa.string_view())),
        pa.array([{"s": b"a"}, None], pa.struct([("s", pa.binary_view())])),
        pa.array([[["a"]], None, [[None]]], pa.list_view(pa.large_list_view(pa.string_view()))),
    ],
)
def test_extract__views__are_plain_for_every_reader_of_parquet(
    column: pa.Array, tmp_path: Path
) -> None:
    out, notes = extracted(pa.table({"x": column}), tmp_path)
    assert not notes
    wanted = column.to_pylist()
    assert pq.read_table(out / "data.parquet")["x"].to_pylist() == wanted
    assert len(pd.read_parquet(out / "data.parquet")) == len(column)
    assert pl.read_parquet(out / "data.parquet")["x"].to_list() == wanted


def test_extract__dictionaries_inside_change_on_the_way__parquet_is_read_whole(
    tmp_path: Path,
) -> None:
    def rows(*texts: str) -> pa.RecordBatch:
        values = pa.array(texts).dictionary_encode()
        lists = pa.ListArray.from_arrays(pa.array(range(len(texts) + 1), pa.int32()), values)
        return pa.record_batch({"s": pa.StructArray.from_arrays([values], ["t"]), "l": lists})

    table = pa.Table.from_batches([rows("a", "b"), rows("c", "b"), rows("d")])
    out, notes = extracted(table, tmp_path)
    assert not notes
    with pq.ParquetFile(out / "data.parquet") as file:
        assert file.read().to_pylist() == table.to_pylist()


@pytest.mark.parametrize("words", [None, b"junk", b"{}", b'{"index_columns": [3]}', b"[]"])
def test_extract__pandas_cannot_read_its_own_words__they_are_left_out(
    words: bytes | None, tmp_path: Path
) -> None:
    lists = pd.array([[1], None], dtype=pd.ArrowDtype(pa.list_(pa.int64())))
    table = pa.Table.from_pandas(pd.DataFrame({"a": lists}))
    if words is not None:
        table = table.replace_schema_metadata({"pandas": words})
    for format in ("parquet", "arrow"):
        out, _ = extracted(table, tmp_path / format, format)
        path = out / f"data.{format}"
        read = pq.read_table(path) if format == "parquet" else read_arrow(path)
        assert len(read.to_pandas()) == 2
        assert read["a"].to_pylist() == [[1], None]


def test_write_parquet__values_come_back_changed__is_refused(tmp_path: Path) -> None:
    first, then = pa.table({"x": BOXES}), pa.table({"x": BOXES.take([2, 1, 0])})
    readings = iter([first.to_batches(), then.to_batches()])
    with pytest.raises(CannotHoldError, match="come back changed"):
        write_parquet(tmp_path / "x", first.schema, lambda: next(readings))


def test_write_parquet__disk_refuses__is_no_fault_of_the_table() -> None:
    table = pa.table({"x": range(1_000_000)})
    with pytest.raises(OSError) as caught:
        write_parquet(Path("/dev/full"), table.schema, table.to_batches)
    assert not isinstance(caught.value, CannotHoldError) and caught.value.errno


@pytest.mark.parametrize("seed", arrow_cases.seeds())
def test_extract__any_types__come_back_from_whatever_was_written(seed: int, tmp_path: Path) -> None:
    table = arrow_cases.table(seed, made=False)
    out, notes = extracted(table, tmp_path)
    file = out / ("data.arrow" if notes else "data.parquet")
    got = read_arrow(file) if notes else pq.read_table(file)
    assert got.to_pylist() == table.to_pylist()


def test_extract__dictionaries_change_on_the_way__is_an_arrow_stream(tmp_path: Path) -> None:
    kind = pa.list_(pa.dictionary(pa.int8(), pa.string()))
    parts = [pa.array([[f"{k}{i}" for i in range(3)]], kind) for k in "ab"]
    table = pa.table({"x": pa.chunked_array(parts)})
    out, _ = extracted(table, tmp_path, "arrow")
    assert read_arrow(out / "data.arrow").to_pylist() == table.to_pylist()


def test_extract__names_that_would_meet_a_file_or_folder__stay_apart(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "b.Parquet").mkdir(parents=True)
    (folder / "b.Parquet" / "x.bin").write_bytes(b"bytes")
    for name in ("A.tsv", "a.csv", "b.csv"):
        (folder / name).write_text(f"from\n{name}\n")
    (folder / "a.jsonl").write_text('{"from": "a.jsonl"}\n')
    written(pa.table({"from": ["a.feather"]}), folder / "a.feather")
    pq.write_table(pa.table({"from": ["a.csv.parquet"]}), folder / "a.csv.parquet")
    out, _ = extracted(folder, tmp_path)
    found = {
        path.name: pq.read_table(path)["from"].to_pylist()
        for path in out.glob("*.parquet")
        if path.is_file()
    }
    assert found == {
        "A.parquet": ["A.tsv"],
        "a.csv.2.parquet": ["a.csv"],
        "a.csv.parquet": ["a.csv.parquet"],
        "a.feather.parquet": ["a.feather"],
        "a.jsonl.parquet": ["a.jsonl"],
        "b.csv.parquet": ["b.csv"],
    }
    assert (out / "b.Parquet" / "x.bin").read_bytes() == b"bytes"
