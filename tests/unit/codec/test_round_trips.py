# SPDX-License-Identifier: Apache-2.0
"""What goes in comes out, for every kind of input."""

import datetime
import decimal
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import csv

from tests.utils.containers import Draft, P, S, pack, reopened
from truthmark.codec import CardPolicy, extract, open_container
from truthmark.errors import CodecError, ConfigError

TABLE = pa.table({"item": [1, 2, 3], "label": ["cat", None, "dog"], "score": [0.5, 1.5, None]})


def write_csv(path: Path) -> None:
    csv.write_csv(TABLE, path)


def write_tsv(path: Path) -> None:
    csv.write_csv(TABLE, path, csv.WriteOptions(delimiter="\t"))


def write_lines(path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in TABLE.to_pylist()))


def write_parquet(path: Path) -> None:
    pq.write_table(TABLE, path)


def write_arrow_file(path: Path) -> None:
    with pa.ipc.new_file(path, TABLE.schema) as writer:
        writer.write_table(TABLE, max_chunksize=2)


def write_arrow_stream(path: Path) -> None:
    with pa.ipc.new_stream(path, TABLE.schema) as writer:
        writer.write_table(TABLE, max_chunksize=2)


FILES = [
    ("x.csv", write_csv),
    ("x.tsv", write_tsv),
    ("x.jsonl", write_lines),
    ("x.ndjson", write_lines),
    ("x.parquet", write_parquet),
    ("x.pq", write_parquet),
    ("x.arrow", write_arrow_file),
    ("x.feather", write_arrow_file),
    ("stream.arrow", write_arrow_stream),
]


@pytest.mark.parametrize("preview", [False, True], ids=["blind", "sample"])
@pytest.mark.parametrize(("name", "write"), FILES, ids=[name for name, _ in FILES])
def test_pack__table_file__reads_back_equal(
    name: str, write: Any, preview: bool, tmp_path: Path
) -> None:
    write(tmp_path / name)
    with reopened(tmp_path / name, tmp_path, preview=preview) as container:
        assert [file.path for file in container.files] == [name]
        assert container.to_table().to_pylist() == TABLE.to_pylist()
        assert container.files[0].rows == 3
        assert container.files[0].schema.names == TABLE.schema.names


@pytest.mark.parametrize(("name", "write"), FILES, ids=[name for name, _ in FILES])
def test_pack__table_file_as_bytes__keeps_every_byte(name: str, write: Any, tmp_path: Path) -> None:
    write(tmp_path / name)
    with reopened(tmp_path / name, tmp_path, raw=True) as container:
        assert container.read_bytes(name) == (tmp_path / name).read_bytes()


@pytest.mark.parametrize("name", [name for name, _ in FILES])
def test_pack__file_that_is_no_such_table__says_how_to_pack_it(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"" if name.endswith("sv") else b"\x00\xffno table at all\n")
    with pytest.raises(CodecError, match="--raw"):
        pack(tmp_path / name, tmp_path / "packed")
    assert not (tmp_path / "packed").exists()


def readers() -> Iterator[tuple[str, Any]]:
    yield "table", TABLE
    yield "batch", TABLE.to_batches()[0]
    yield "reader", pa.RecordBatchReader.from_batches(TABLE.schema, TABLE.to_batches(1))
    yield "chunks", pa.concat_tables([TABLE.slice(0, 1), TABLE.slice(1)])


@pytest.mark.parametrize("kind", ["table", "batch", "reader", "chunks"])
def test_pack__arrow_in_memory__reads_back_equal(kind: str, tmp_path: Path) -> None:
    with reopened(dict(readers())[kind], tmp_path) as container:
        assert container.to_table().equals(TABLE)


def test_pack__dataframe__keeps_index_types_and_categories(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "kind": pd.Categorical(["a", "b", "a"], categories=["b", "a", "c"], ordered=True),
            "when": pd.to_datetime(["2024-01-01", None, "2024-01-03"]).tz_localize("UTC"),
            "text": ["x", None, "z"],
        },
        index=pd.Index([10, 20, 30], name="id"),
    )
    with reopened(frame, tmp_path) as container:
        pd.testing.assert_frame_equal(container.to_pandas(), frame)


def test_pack__dict_of_splits__reads_each(tmp_path: Path) -> None:
    splits = {"train": TABLE, "test": TABLE.slice(1).to_pandas()}
    with reopened(splits, tmp_path) as container:
        assert set(container.splits) == {"train", "test"}
        assert container.to_table(split="train").equals(TABLE)
        assert container.to_table(split="test").num_rows == 2
        with pytest.raises(ConfigError, match="2 tables fit"):
            container.to_table()


def test_to_pandas__only_files__says_what_to_call(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "1.png").write_bytes(b"png")
    with reopened(tmp_path / "in", tmp_path) as container:
        with pytest.raises(ConfigError, match=r"no table in it, but 1 files .*extract.*read_bytes"):
            container.to_pandas()
        assert repr(container) == "<Container: tables 0, rows 0, other files 1>"


def test_pack__dict_of_folders__prefixes_the_split(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").write_bytes(b"png")
    with reopened({"train": tmp_path / "a"}, tmp_path) as container:
        assert container.read_bytes("train/1.png") == b"png"
        assert container.files[0].split == "train"


def image_folder(folder: Path) -> Path:
    for split, count in (("train", 40), ("validation", 10), ("test", 10)):
        (folder / split / "images").mkdir(parents=True)
        rows = []
        for i in range(count):
            (folder / split / "images" / f"{i}.png").write_bytes(bytes([i]) * (i * 97))
            rows.append({"file_name": f"images/{i}.png", "label": i % 3})
        pd.DataFrame(rows).to_csv(folder / split / "metadata.csv", index=False)
    (folder / "LICENSE").write_text("free\n")
    (folder / ".hidden").write_text("no\n")
    return folder


def test_pack__image_folder__keeps_bytes_tables_and_splits(tmp_path: Path) -> None:
    source = image_folder(tmp_path / "images")
    packed, cek = pack(source, tmp_path / "packed")
    assert packed.skipped == (".hidden",)
    with open_container(tmp_path / "packed", cek=cek) as container:
        assert set(container.splits) == {"train", "validation", "test"}
        for file in container.files:
            if not file.is_table:
                assert container.read_bytes(file.path) == (source / file.path).read_bytes()
        labels = container.to_pandas("validation/metadata.csv")
        assert list(labels["label"]) == [i % 3 for i in range(10)]


@pytest.mark.parametrize(
    "size",
    [0, 1, P - 1, P, P + 1, 2 * P - 1, 2 * P, 2 * P + 1, 16 * S, 16 * S + 1, 100_000],
)
def test_pack__bytes_around_shard_boundaries__come_back(size: int, tmp_path: Path) -> None:
    data = np.random.default_rng(size).bytes(size)
    (tmp_path / "x").write_bytes(data)
    with reopened(tmp_path / "x", tmp_path, shard_size=S) as container:
        assert container.read_bytes("x") == data
        assert container.manifest.count == 1 + -(-size // P)
        extract(container, tmp_path / "out")
    assert (tmp_path / "out" / "x").read_bytes() == data


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(
        st.one_of(st.integers(0, 40), st.integers(P - 3, P + 3)), min_size=1, max_size=9
    ),
    processes=st.integers(1, 3),
)
def test_pack__many_files__come_back(
    sizes: list[int], processes: int, tmp_path_factory: Any
) -> None:
    folder = tmp_path_factory.mktemp("many")
    (folder / "in").mkdir()
    for i, size in enumerate(sizes):
        (folder / "in" / f"{i}").write_bytes(bytes([i + 1]) * size)
    with reopened(folder / "in", folder, shard_size=S, processes=processes) as container:
        extract(container, folder / "out", processes=processes)
        for i, size in enumerate(sizes):
            assert (folder / "out" / f"{i}").read_bytes() == bytes([i + 1]) * size
            assert container.read_bytes(f"{i}", 1, size - 1) == bytes([i + 1]) * max(size - 2, 0)


def many_types() -> pa.Table:
    rows = 50
    day = datetime.date(2024, 1, 1)
    return pa.table(
        {
            "null": pa.nulls(rows),
            "bool": pa.array([None, True, False, True, False] * 10),
            "int8": pa.array(range(rows), pa.int8()),
            "half": pa.array(np.arange(rows, dtype=np.float16)),
            "nan": pa.array([float("nan")] * rows),
            "text": pa.array([None, "a", "é" * 50, "", "z"] * 10),
            "large": pa.array(["x" * i for i in range(rows)], pa.large_string()),
            "view": pa.array(["view of a long string " * 2] * rows, pa.string_view()),
            "binary": pa.array([bytes([i]) * i for i in range(rows)]),
            "fixed": pa.array([bytes([i]) * 7 for i in range(rows)], pa.binary(7)),
            "decimal": pa.array([decimal.Decimal(i) / 4 for i in range(rows)]),
            "date": pa.array([day + datetime.timedelta(i) for i in range(rows)]),
            "stamp": pa.array(range(rows), pa.timestamp("ns", "Europe/Berlin")),
            "time": pa.array(range(rows), pa.time64("us")),
            "span": pa.array(range(rows), pa.duration("ms")),
            "list": pa.array([[i] * (i % 4) if i % 5 else None for i in range(rows)]),
            "fixed_list": pa.array([[i, i] for i in range(rows)], pa.list_(pa.int16(), 2)),
            "struct": pa.array([{"a": i, "b": {"c": [str(i)]}} for i in range(rows)]),
            "map": pa.array([[("k", i)] for i in range(rows)], pa.map_(pa.string(), pa.int32())),
            "dict": pa.array(["x", "y", None, "z", "x"] * 10).dictionary_encode(),
            "dict_list": pa.array(
                [[f"v{i % 3}"] for i in range(rows)],
                pa.list_(pa.dictionary(pa.int8(), pa.string())),
            ),
            "runs": pa.RunEndEncodedArray.from_arrays(
                pa.array([20, 50], pa.int32()), pa.array(["a", "b"])
            ),
            "union": pa.UnionArray.from_sparse(
                pa.array([0, 1] * 25, pa.int8()), [pa.array(range(rows)), pa.array(["u"] * rows)]
            ),
        },
        metadata={"huggingface": '{"info": {}}', "mine": "kept"},
    )


def test_pack__every_arrow_type__reads_back_equal(tmp_path: Path) -> None:
    table = many_types()
    with reopened(table, tmp_path, shard_size=S) as container:
        got = container.to_table()
        assert got.schema.equals(table.schema, check_metadata=True)
        assert got.drop_columns("nan").equals(table.drop_columns("nan"))
        assert np.isnan(got["nan"].to_numpy()).all()
        extract(container, tmp_path / "arrow", "arrow")
        with pa.ipc.open_file(tmp_path / "arrow" / "data.arrow") as file:
            assert file.read_all().schema.equals(table.schema, check_metadata=True)


def test_pack__nested_dictionaries_that_differ__read_back_equal(tmp_path: Path) -> None:
    kind = pa.list_(pa.dictionary(pa.int8(), pa.string()))
    parts = [pa.table({"x": pa.array([[f"{k}{i}"] for i in range(5)], kind)}) for k in "abc"]
    reader = pa.RecordBatchReader.from_batches(
        parts[0].schema, [batch for part in parts for batch in part.to_batches()]
    )
    with reopened(reader, tmp_path) as container:
        expected = [row for part in parts for row in part.to_pylist()]
        assert container.to_table().to_pylist() == expected


def test_pack__unknown_extension_type__is_read_as_its_storage(tmp_path: Path) -> None:
    metadata = {
        "ARROW:extension:name": "somebody.elses",
        "ARROW:extension:metadata": "\x80\x04pickle?",
    }
    schema = pa.schema([pa.field("x", pa.int32(), metadata=metadata)])
    with reopened(pa.table({"x": pa.array([1, 2], pa.int32())}, schema), tmp_path) as container:
        assert container.to_table()["x"].to_pylist() == [1, 2]
        assert container.to_table().schema.field("x").metadata == {
            b"truthmark:extension:name": b"somebody.elses",
            b"truthmark:extension:metadata": b"\xc2\x80\x04pickle?",
        }


@pytest.mark.parametrize("columns", [1, 65])
@pytest.mark.parametrize("rows", [0, 1, 5000])
def test_pack__empty_and_wide_tables__read_back_equal(
    columns: int, rows: int, tmp_path: Path
) -> None:
    random = np.random.default_rng(columns)
    table = pa.table({f"c{i}": random.integers(0, 9, rows) for i in range(columns)})
    with reopened(table, tmp_path) as container:
        assert container.to_table().equals(table)
        if rows:
            part = container.to_table(rows=range(rows - 1, rows), columns=["c0"])
            assert part.equals(table.slice(rows - 1).select(["c0"]))


def test_pack__same_column_name_twice__reads_back_equal(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array(["a"])], names=["x", "x"])
    with reopened(table, tmp_path) as container:
        assert container.to_table().equals(table)
        with pytest.raises(ConfigError, match="twice"):
            container.to_table(columns=["x"])


def test_pack__gzip__is_packed_as_bytes(tmp_path: Path) -> None:
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n"))
    with reopened(tmp_path / "x.csv.gz", tmp_path) as container:
        assert container.files[0].kind == "bytes"


def test_pack__linked_file__is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"data")
    (tmp_path / "name.bin").symlink_to(tmp_path / "real")
    with reopened(tmp_path / "name.bin", tmp_path) as container:
        assert container.read_bytes("name.bin") == b"data"


def test_card__default__shows_no_rows_and_no_paths(tmp_path: Path) -> None:
    packed, _ = pack(image_folder(tmp_path / "in"), tmp_path / "packed", title="T")
    text = (tmp_path / "packed" / "card.json").read_text()
    assert "images/" not in text and "metadata" not in text and "examples" not in packed.card
    counts = {count["split"]: count for count in packed.card["counts"]}
    assert counts["train"]["files"] == 40 and counts["train"]["rows"] == 40
    assert counts[None]["files"] == 1


def test_card__nothing_wanted__shows_nothing(tmp_path: Path) -> None:
    policy = CardPolicy(schema=False, counts=False)
    packed, _ = pack(TABLE, tmp_path / "packed", card=policy)
    assert packed.card.keys() == {
        "format", "title", "description", "licence", "splits", "extra",
    }  # fmt: skip


def test_card__samples__are_short_json(tmp_path: Path) -> None:
    packed, _ = pack(many_types(), tmp_path / "packed", card=CardPolicy(examples=3))
    assert len(packed.card["examples"][0]) == 3
    assert packed.card["examples"][0][1]["struct"] == {"a": 1, "b": {"c": ["1"]}}


def test_open_container__shards_from_elsewhere__needs_the_manifest(tmp_path: Path) -> None:
    forged = Draft().forge()
    with pytest.raises(ConfigError, match="manifest"):
        open_container(forged.source, cek=forged.cek)
    container = open_container(forged.source, cek=forged.cek, manifest=forged.manifest)
    assert container.read_bytes("hello.txt") == b"Hello, buyer.\n"
    assert container.to_table().num_rows == 3


def test_open_container__no_such_folder__is_one_line(tmp_path: Path) -> None:
    with pytest.raises(CodecError, match="is this the folder"):
        open_container(tmp_path / "nowhere", cek=bytes(32))


def test_to_pandas__pandas_metadata_that_makes_no_sense__is_ignored(tmp_path: Path) -> None:
    table = TABLE.replace_schema_metadata({"pandas": '{"index_columns": [{"kind": 7}]}'})
    with reopened(table, tmp_path) as container:
        assert list(container.to_pandas()["item"]) == [1, 2, 3]
