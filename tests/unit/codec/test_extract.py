# SPDX-License-Identifier: Apache-2.0
"""What a buyer gets: ordinary files that other tools read."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import polars
import pyarrow as pa
import pyarrow.dataset
import pytest

from tests.unit.codec.test_round_trips import TABLE, image_folder, many_types, write_csv
from tests.utils.containers import pack
from truthmark.codec import extract, open_container
from truthmark.errors import CodecError, ConfigError


def extracted(source: Any, folder: Path, format: Any = "parquet", **options: Any) -> Path:
    _, cek = pack(source, folder / "packed", **options)
    with open_container(folder / "packed", cek=cek) as container:
        return extract(container, folder / "out", format)


def test_extract__parquet__is_read_by_everybody(tmp_path: Path) -> None:
    out = extracted(TABLE, tmp_path)
    frame = TABLE.to_pandas()
    pd.testing.assert_frame_equal(pd.read_parquet(out / "data.parquet"), frame)
    assert pyarrow.dataset.dataset(out / "data.parquet").to_table().equals(TABLE)
    assert polars.read_parquet(out / "data.parquet").to_dicts() == TABLE.to_pylist()


def test_extract__splits__are_found_by_hugging_face(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    out = extracted({"train": TABLE, "test": TABLE.slice(1)}, tmp_path, title='A "title": [x]')
    loaded = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    assert {name: len(rows) for name, rows in loaded.items()} == {"train": 3, "test": 2}
    assert loaded["train"][0]["label"] == "cat"


def test_extract__image_folder__is_found_by_hugging_face(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    image = pytest.importorskip("PIL.Image")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    source = image_folder(tmp_path / "in")
    for path in source.rglob("*.png"):
        image.new("L", (3, 3)).save(path)
    (source / "LICENSE").unlink()
    out = extracted(source, tmp_path)
    loaded = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    assert {name: len(rows) for name, rows in loaded.items()} == {
        "train": 40,
        "validation": 10,
        "test": 10,
    }
    assert loaded["test"][4]["label"] == 1
    assert loaded["test"][4]["image"].size == (3, 3)


def test_extract__hugging_face_features__survive(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"y": datasets.ClassLabel(names=["no", "yes"])})
    table = datasets.Dataset.from_dict({"y": [1, 0]}, features=features).data.table
    out = extracted(table, tmp_path, "arrow")
    with pa.ipc.open_file(out / "data.arrow") as file:
        again = datasets.Features.from_arrow_schema(file.schema)
    assert again["y"].names == ["no", "yes"]


def test_extract__original__writes_what_the_suffix_says(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_csv(tmp_path / "in" / "a.csv")
    (tmp_path / "in" / "b.jsonl").write_text('{"x":1,"y":["é"]}\n{"x":2,"y":[]}\n')
    (tmp_path / "in" / "c.bin").write_bytes(b"\0\1")
    out = extracted(tmp_path / "in", tmp_path, "original")
    assert pd.read_csv(out / "a.csv").equals(pd.read_csv(tmp_path / "in" / "a.csv"))
    lines = [json.loads(line) for line in (out / "b.jsonl").read_text().splitlines()]
    assert lines == [{"x": 1, "y": ["é"]}, {"x": 2, "y": []}]
    assert (out / "c.bin").read_bytes() == b"\0\1"


def test_extract__json_lines_of_many_types__are_json(tmp_path: Path) -> None:
    table = many_types().select(["date", "decimal", "binary", "time", "span", "nan", "text"])
    (tmp_path / "in").mkdir()
    pack_source = {"x": table}
    _, cek = pack(pack_source, tmp_path / "packed")
    with open_container(tmp_path / "packed", cek=cek) as container:
        from truthmark.codec.extraction import _writer

        with _writer(tmp_path / "x.jsonl", "json", table.schema) as write:
            for batch in container.iter_batches():
                write(batch)
    rows = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert len(rows) == 50 and rows[1]["date"] == "2024-01-02"
    assert rows[1]["decimal"] == 0.25


def test_extract__original_json_lines__has_the_numbers_that_were_packed(tmp_path: Path) -> None:
    values = ["9007199254740993", "0.25", "null", "-12345678901234567890.5"]
    (tmp_path / "x.jsonl").write_text("".join(f'{{"x":{value},"n":[1]}}\n' for value in values))
    _, cek = pack(tmp_path / "x.jsonl", tmp_path / "packed")
    with open_container(tmp_path / "packed", cek=cek) as container:
        extract(container, tmp_path / "out", "original")
    lines = (tmp_path / "out" / "x.jsonl").read_text().splitlines()
    said = [json.loads(line, parse_float=Decimal, parse_int=Decimal)["x"] for line in lines]
    assert said == [None if value == "null" else Decimal(value) for value in values]


def test_extract__csv_of_nested_columns__says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"x":[1]}\n')
    table = pa.table({"x": [[1]]})
    _, cek = pack({"a": table}, tmp_path / "packed")
    with open_container(tmp_path / "packed", cek=cek) as container:
        from truthmark.codec.extraction import _write_table

        with pytest.raises(CodecError, match="extract as arrow"):
            _write_table(container, container.tables[0], tmp_path / "x.csv", "csv", 1)


def test_extract__names_that_would_meet__stay_apart(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_csv(tmp_path / "in" / "a.csv")
    (tmp_path / "in" / "a.jsonl").write_text('{"x":1}\n')
    out = extracted(tmp_path / "in", tmp_path)
    names = sorted(path.name for path in out.iterdir())
    assert names == ["README.md", "a.jsonl.parquet", "a.parquet"]


def test_extract__own_readme__is_kept(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "README.md").write_text("mine")
    out = extracted(tmp_path / "in", tmp_path)
    assert (out / "README.md").read_text() == "mine"


HOSTILE = [
    '"\n---\nconfigs: []',
    "<script>alert(1)</script>",
    "[x](javascript:1)",
    "`x`|y",
    "!!python/x",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_readme__text_of_the_seller__stays_text(text: str, tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    out = extracted({"first": TABLE}, tmp_path, title=text, description=text)
    readme = (out / "README.md").read_text()
    head = yaml.safe_load(readme.split("---\n")[1])
    assert head["pretty_name"] == text
    assert head["configs"][0]["data_files"][0]["split"] == "first"
    body = readme.split("\n---\n", 1)[1]
    assert "<script" not in body and "](" not in body and "`x`" not in body


@pytest.mark.parametrize("format", ["csv", "", "../x"])
def test_extract__unknown_format__is_refused(format: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="choose one of"):
        extracted(TABLE, tmp_path, format)


def test_extract__target_in_use__is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x").write_text("mine")
    with pytest.raises(ConfigError, match="exists"):
        extracted(TABLE, tmp_path)
    assert (tmp_path / "out" / "x").read_text() == "mine"


def test_extract__target_is_a_link__is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="exists"):
        extracted(TABLE, tmp_path)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("processes", [1, 2])
def test_extract__progress__ends_at_its_total(processes: int, tmp_path: Path) -> None:
    _, cek = pack(image_folder(tmp_path / "in"), tmp_path / "packed")
    seen: list[tuple[int, int]] = []
    with open_container(tmp_path / "packed", cek=cek) as container:
        extract(
            container,
            tmp_path / "out",
            processes=processes,
            progress=lambda *step: seen.append(step),
        )
    assert seen[-1][0] == seen[-1][1]
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
