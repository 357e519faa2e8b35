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

from tests.utils.containers import P, S, pack, reopened
from truthmark.codec import CardPolicy, extract, open_container, packer
from truthmark.codec import estimate as estimating
from truthmark.codec import tables as reading
from truthmark.errors import CodecError, ConfigError, LimitError, MalformedError

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


@pytest.mark.parametrize(("name", "write"), FILES, ids=[name for name, _ in FILES])
def test_pack__table_file__reads_back_equal(name: str, write: Any, tmp_path: Path) -> None:
    write(tmp_path / name)
    with reopened(tmp_path / name, tmp_path) as container:
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


def test_pack__dataframe_with_mixed_column__is_refused(tmp_path: Path) -> None:
    with pytest.raises(CodecError, match="cannot hold"):
        pack(pd.DataFrame({"x": [1, "a", object()]}), tmp_path / "packed")


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


def test_pack__folder_with_a_link__is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "secret").write_text("key")
    (tmp_path / "f" / "x").symlink_to(tmp_path / "secret")
    with pytest.raises(CodecError, match="link"):
        pack(tmp_path / "f", tmp_path / "packed")


def test_pack__folder_of_links_to_folders__is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "x").symlink_to(tmp_path)
    with pytest.raises(CodecError, match="link"):
        pack(tmp_path / "f", tmp_path / "packed")


@pytest.mark.parametrize("source", ["empty folder", "nowhere", 7, {}])
def test_pack__nothing_to_pack__is_refused(source: Any, tmp_path: Path) -> None:
    (tmp_path / "empty folder").mkdir()
    with pytest.raises(ConfigError):
        pack(tmp_path / source if isinstance(source, str) else source, tmp_path / "packed")


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


def test_pack__table_without_columns__is_refused(tmp_path: Path) -> None:
    with pytest.raises(CodecError, match="no columns"):
        pack(pa.table({}), tmp_path / "packed")


def test_pack__same_column_name_twice__reads_back_equal(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array(["a"])], names=["x", "x"])
    with reopened(table, tmp_path) as container:
        assert container.to_table().equals(table)
        with pytest.raises(ConfigError, match="twice"):
            container.to_table(columns=["x"])


def tall_table(rows: int = 60_000) -> pa.Table:
    random = np.random.default_rng(3)
    return pa.table(
        {
            "row": np.arange(rows),
            "noise": random.integers(0, 2**62, rows),
            "text": [f"row {i % 977}" for i in range(rows)],
        }
    )


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bounds=st.tuples(st.integers(0, 60_000), st.integers(0, 60_000)).map(sorted))
def test_to_table__any_range__opens_only_the_shards_it_needs(
    bounds: list[int], tall: tuple[pa.Table, Any], tmp_path: Path
) -> None:
    table, container = tall
    low, high = bounds
    asked: list[int] = []
    opener = container.opener
    original = opener.open_into
    opener.open_into = lambda i, buffer: (asked.append(i), original(i, buffer))
    try:
        assert container.to_table(rows=range(low, high)).equals(table.slice(low, high - low))
    finally:
        opener.open_into = original
    needed = {
        shard
        for run in container.index.table_segments
        if run.first_row < high and run.first_row + run.rows > low and low < high
        for shard in range(run.shard, run.shard + run.shards)
    }
    assert set(asked) == needed


@pytest.fixture(scope="module")
def tall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[pa.Table, Any]]:
    folder = tmp_path_factory.mktemp("tall")
    table = tall_table()
    with reopened(table, folder) as container:
        assert len(container.index.table_segments) > 4
        yield table, container


@pytest.mark.parametrize("rows", [range(-1, 5), range(5, 3), range(0, 60_001), range(0, 9, 2)])
def test_to_table__impossible_range__is_refused(rows: range, tall: tuple[pa.Table, Any]) -> None:
    with pytest.raises(ConfigError, match="rows"):
        tall[1].to_table(rows=rows)


def test_iter_batches__two_processors__gives_the_same_order(tall: tuple[pa.Table, Any]) -> None:
    table, container = tall
    got = pa.Table.from_batches(container.iter_batches(processes=2))
    assert got.equals(table)


def test_segments__tall_table__are_filled(tall: tuple[pa.Table, Any]) -> None:
    container = tall[1]
    runs = container.index.table_segments
    assert all(1 <= run.shards <= 64 for run in runs)
    file_size = pa.MockOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_file(file_size, tall[0].schema, options=options) as writer:
        writer.write_table(tall[0])
    assert container.manifest.size <= 1.2 * file_size.size()


def test_pack__rows_of_wildly_different_size__come_back(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    sizes = random.choice([1, 10, 300, 9_000, 60_000], 300)
    table = pa.table({"x": [random.bytes(int(size)) for size in sizes]})
    with reopened(table, tmp_path) as container:
        assert container.to_table().equals(table)


def test_pack__row_larger_than_a_segment__says_what_to_do(tmp_path: Path) -> None:
    table = pa.table({"x": [np.random.default_rng(1).bytes(65 * S)]})
    with pytest.raises(CodecError, match="files of their own"):
        pack(table, tmp_path / "packed", shard_size=S)
    assert not (tmp_path / "packed").exists()


def test_pack__very_compressible_rows__stay_within_what_readers_grant(tmp_path: Path) -> None:
    table = pa.table({"x": np.zeros(20_000_000, dtype=np.int64)})
    with reopened(table, tmp_path) as container:
        assert max(run.decoded_bytes for run in container.index.table_segments) < 128 << 20
        assert container.to_table().equals(table)


def test_pack__stream_larger_than_the_sample__is_spooled_and_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimating, "_ENOUGH_DECODED", 1 << 16)
    table = tall_table(30_000)
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(1000))
    with reopened(reader, tmp_path) as container:
        assert container.to_table().equals(table)


def test_pack__large_csv_whose_types_change_late__is_read_with_wider_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_WHOLE_FILE_SIZE", 0)
    monkeypatch.setattr(reading, "_CSV_BLOCK_SIZE", 1 << 12)
    rows = [f"{i},,2024-01-01,{i}" for i in range(2000)]
    rows += ["1.5,7,2024-01-01T10:00:00,word"]
    (tmp_path / "x.csv").write_text("a,b,c,d\n" + "\n".join(rows) + "\n")
    with reopened(tmp_path / "x.csv", tmp_path) as container:
        table = container.to_table()
        # A day and a point in time are not written alike: only as texts both come back.
        kinds = [pa.float64(), pa.int64(), pa.string(), pa.string()]
        assert table.schema.types == kinds
        assert table.num_rows == 2001
        assert table.to_pylist()[-1]["d"] == "word"


def test_pack__large_json_lines_whose_fields_come_late__are_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_JSON_CHUNK_SIZE", 1 << 10)
    lines = [{"a": i} for i in range(500)] + [{"a": 0.5, "b": {"c": ["x"]}}]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with reopened(tmp_path / "x.jsonl", tmp_path) as container:
        table = container.to_table()
        assert table.num_rows == 501
        assert table.to_pylist()[-1] == lines[-1]
        assert table.to_pylist()[0] == {"a": 0.0, "b": None}


def test_pack__large_arrow_batches__are_read_in_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_MAPPED_SIZE", 1 << 16)
    table = tall_table(20_000)
    with pa.ipc.new_file(tmp_path / "x.arrow", table.schema) as writer:
        writer.write_table(table)
    with reopened(tmp_path / "x.arrow", tmp_path) as container:
        assert container.to_table().equals(table)


def test_pack__gzip__is_packed_as_bytes(tmp_path: Path) -> None:
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n"))
    with reopened(tmp_path / "x.csv.gz", tmp_path) as container:
        assert container.files[0].kind == "bytes"


def test_pack__linked_file__is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"data")
    (tmp_path / "name.bin").symlink_to(tmp_path / "real")
    with reopened(tmp_path / "name.bin", tmp_path) as container:
        assert container.read_bytes("name.bin") == b"data"


def test_pack__same_key_twice__is_refused(tmp_path: Path) -> None:
    _, cek = pack(TABLE, tmp_path / "one")
    with pytest.raises(ConfigError, match="fresh secret"):
        pack(TABLE, tmp_path / "two", cek=cek)


@pytest.mark.parametrize(
    "options",
    [
        {"shard_size": 4095},
        {"shard_size": 2048},
        {"shard_size": 1 << 21},
        {"processes": 0},
        {"cek": b"short"},
        {"licence": ""},
        {"licence": "a\nb"},
        {"title": "x" * 201},
        {"provenance": {"x": float("nan")}},
        {"card": CardPolicy(extra={"x": {1, 2}})},
    ],
    ids=str,
)
def test_pack__argument_that_cannot_be__is_refused(options: Any, tmp_path: Path) -> None:
    with pytest.raises((CodecError, ConfigError)) as caught:
        pack(TABLE, tmp_path / "packed", **options)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "packed").exists()


def test_pack__target_in_use__is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "mine").write_text("precious")
    with pytest.raises(ConfigError, match="exists"):
        pack(TABLE, tmp_path / "packed")
    assert (tmp_path / "packed" / "mine").read_text() == "precious"


def test_pack__review_says_no__leaves_nothing(tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []

    def review(card: dict[str, Any], _: Any) -> None:
        seen.append(card)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(TABLE, tmp_path / "packed", title="Cats", review=review)
    assert seen[0]["title"] == "Cats"
    assert list(tmp_path.iterdir()) == []


def test_pack__progress__rises_to_its_total(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    pack(tall_table(), tmp_path / "packed", progress=lambda *step: seen.append(step))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == seen[-1][1]
    assert all(done < total for done, total in seen[:-1])


def test_pack__file_that_shrinks_meanwhile__is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    path.write_bytes(bytes(100_000))
    original = packer.choose_shard_size

    def shrink(plan: Any) -> Any:
        path.write_bytes(b"short")
        return original(plan)

    monkeypatch.setattr(packer, "choose_shard_size", shrink)
    with pytest.raises(CodecError, match="shorter"):
        pack(path, tmp_path / "packed")
    assert not (tmp_path / "packed").exists()


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


def test_read_bytes__of_a_table__is_refused(tall: tuple[pa.Table, Any]) -> None:
    with pytest.raises(ConfigError, match="to_table"):
        tall[1].read_bytes("data.arrow")
    with pytest.raises(ConfigError, match="not in the container"):
        tall[1].read_bytes("nothing")


def test_to_table__limits_lower_than_a_segment__is_refused(tmp_path: Path) -> None:
    from truthmark.codec import Limits

    _, cek = pack(tall_table(), tmp_path / "packed")
    with (
        open_container(
            tmp_path / "packed", cek=cek, limits=Limits(segment_bytes=1000)
        ) as container,
        pytest.raises(LimitError, match="raise Limits"),
    ):
        container.to_table()


def test_open_container__shards_from_elsewhere__needs_the_manifest(tmp_path: Path) -> None:
    from tests.utils.containers import Draft

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


def test_pack__text_that_is_no_utf8__is_refused_before_it_is_sold(tmp_path: Path) -> None:
    broken = pa.array([b"fine", b"\xff\xfe"]).view(pa.string())
    with pytest.raises(MalformedError, match="repair"):
        pack(pa.table({"x": broken}), tmp_path / "packed")
    pq.write_table(pa.table({"x": broken}), tmp_path / "x.parquet")
    with pytest.raises(MalformedError, match="repair"):
        pack(tmp_path / "x.parquet", tmp_path / "packed")
    assert not (tmp_path / "packed").exists()


def test_pack__arrow_stream_with_another_behind_it__is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.arrow"
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, TABLE.schema) as writer:
        writer.write_table(TABLE)
    one = path.read_bytes()
    path.write_bytes(one + bytes(64))
    with reopened(path, tmp_path) as container:
        assert container.to_table().num_rows == TABLE.num_rows
    path.write_bytes(one + one)
    with pytest.raises(CodecError, match="something follows the end of the stream"):
        pack(path, tmp_path / "other")
