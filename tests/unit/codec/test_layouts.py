# SPDX-License-Identifier: Apache-2.0
"""What is opened loads as its source did: layouts of folders × tools that read folders."""

import gzip
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import polars
import pyarrow as pa
import pyarrow.dataset
import pytest

from tests.utils.containers import pack
from truthmark.codec import extract, open_container

Content = Mapping[str, Any]

A, B, C = ({"a": [number, number + 1], "label": ["x", "y"]} for number in (1, 3, 5))
NO_LABEL = {"a": [7, 8, 9]}


def config(*lines: str) -> str:
    return (
        "---\nlicense: mit  # as it is\nconfigs:\n" + "\n".join(lines) + "\n---\n# Mine\n\nT'ext\n"
    )


LAYOUTS: dict[str, Content] = {
    "one file": {"data.csv": A},
    "several files": {"a.csv": A, "b.csv": B, "c.csv": C},
    "two splits": {"train.csv": A, "test.csv": NO_LABEL},
    "split folders": {"train/a.csv": A, "train/b.csv": B, "test/c.csv": NO_LABEL},
    "in data/": {"data/train.csv": A, "data/test.csv": NO_LABEL},
    "split folders in data/": {"data/train/0.parquet": A, "data/test/0.parquet": NO_LABEL},
    "shards": {
        "data/train-00000-of-00002.parquet": A,
        "data/train-00001-of-00002.parquet": B,
        "data/test-00000-of-00001.parquet": NO_LABEL,
        "data/gold-00000-of-00001.parquet": C,
    },
    "words in names": {"my_train_1.jsonl": A, "my_train_2.jsonl": B, "dev-x.jsonl": C},
    "words in folders": {"en/training set/x.csv": A, "en/eval.1/x.csv": NO_LABEL},
    "other case": {"Train/x.csv": A, "Test/x.csv": B},
    "partitions": {"year=2023/part-0.parquet": A, "year=2024/part-0.parquet": B},
    "partitions of Spark": {
        "year=2023/month=1/part-0.parquet": A,
        "year=2024/month=2/part-0.parquet": B,
        "_SUCCESS": "",
    },
    "odd names": {"[a]{b} 'c'.csv": A, "z [1].csv": B},
    "other suffix wins": {"b.jsonl": A, "a.csv": B},
    "with a text": {"train.csv": A, "test.csv": NO_LABEL, "LICENSE": "MIT"},
    "README without configs": {"train.csv": A, "test.csv": B, "README.md": "# Mine\n"},
    "README that leaves room": {
        "b.jsonl": A,
        "a.csv": B,
        "README.md": "---\npretty_name: x\n---\n",
    },
    "names in configs": {
        "x.csv": A,
        "y.csv": NO_LABEL,
        "README.md": config(
            "- config_name: default",
            "  data_files:",
            "  - split: train",
            "    path: x.csv # here",
            "  - split: test",
            "    path: 'y.csv'",
        ),
    },
    "patterns in configs": {
        "one/x.csv": A,
        "one/y.csv": B,
        "one/z.parquet": C,
        "two/x.csv": NO_LABEL,
        "README.md": config(
            "- config_name: one",
            "  data_files: one/*.csv",
            "- config_name: two",
            '  data_files: [{split: gold, path: "two/**"}]',
        ),
    },
    "lists in configs": {
        "x.csv": A,
        "y.csv": B,
        "[z].csv": C,
        "w.parquet": C,
        "README.md": config(
            "  - config_name: default",
            "    default: true",
            "    data_files:",
            "    - split: validation",
            "      path:",
            '        - "[x-y].csv"',
            "        - '[[]z].csv'",
        ),
    },
    "patterns that must become lists": {
        "x.csv": A,
        "y.csv": B,
        "z.parquet": C,
        "README.md": config(
            "- config_name: a",
            "  data_files:",
            "  - ?.c*",
            "- config_name: b",
            '  data_files: "?.csv"',
            "- {config_name: c, data_files: [y.csv, x.csv]}",
        ),
    },
    "data_dir in configs": {
        "p/x.csv": A,
        "q/x.csv": B,
        "README.md": config(
            "- config_name: p",
            "  data_files: p/x.csv",
            "- config_name: q",
            "  data_dir: q",
            "  data_files: x.csv",
        ),
    },
    "reading options in configs": {
        "x.csv": "a;label\n1;x\n2;y\n",
        "README.md": config("- config_name: default", "  data_files: x.csv", '  sep: ";"'),
    },
    "repository within": {
        "sub/x.csv": A,
        "sub/README.md": config("- config_name: default", "  data_files: x.csv"),
    },
}

SAYS_MORE = ("with a text", "other suffix wins")
"""Without a README of their own: something must be said beside the tables."""


def write(folder: Path, content: Content) -> Path:
    for name, value in content.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(value, str):
            path.write_text(value)
        elif path.suffix == ".csv":
            pd.DataFrame(value).to_csv(path, index=False)
        elif path.suffix == ".jsonl":
            pd.DataFrame(value).to_json(path, orient="records", lines=True)
        else:
            pd.DataFrame(value).to_parquet(path)
    return folder


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path], Any]]:
    """Return what `datasets` loads of a folder: rows by split and config; None if it refuses."""
    home = tmp_path_factory.mktemp("hf")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "HF_HOME": str(home),
            "HF_HUB_OFFLINE": "1",
            "HF_DATASETS_OFFLINE": "1",
            "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        }.items():
            patch.setenv(name, value)
        datasets = pytest.importorskip("datasets")
        cache = str(home / "cache")

        def load_all(folder: Path) -> Any:
            try:
                return {
                    name: [
                        (split, rows.to_list())
                        for split, rows in datasets.load_dataset(
                            str(folder), name, cache_dir=cache
                        ).items()
                    ]
                    for name in datasets.get_dataset_config_names(str(folder))
                }
            except (
                datasets.exceptions.DatasetGenerationError,
                datasets.exceptions.DataFilesNotFoundError,
                FileNotFoundError,
                ValueError,
            ):
                return None

        yield load_all


def opened(source: Any, folder: Path, format: Any = "parquet", **options: Any) -> Path:
    _, cek = pack(source, folder / "packed", **options)
    with open_container(folder / "packed", cek=cek) as container:
        # The same name: `datasets` calls what it caches after it.
        return extract(container, folder / "out" / "folder", format)


def outcome(read: Callable[[Path], Any], folder: Path) -> Any:
    """Return what a tool reads, or that it refuses: splits may have different columns."""
    try:
        return read(folder)
    except (pa.ArrowException, polars.exceptions.PolarsError) as error:
        return type(error)


def by_pandas(folder: Path) -> Any:
    frame = pd.read_parquet(folder)
    return sorted(frame.columns), len(frame)


def by_polars(folder: Path) -> Any:
    frame = polars.scan_parquet(folder, hive_partitioning=True).collect()
    return sorted(frame.columns), len(frame)


def by_arrow(folder: Path) -> Any:
    table = pyarrow.dataset.dataset(folder, partitioning="hive").to_table()
    return sorted(table.column_names), table.num_rows


@pytest.mark.parametrize("name", LAYOUTS)
def test_extract__layout__loads_as_its_source(
    name: str, tmp_path: Path, load: Callable[[Path], Any]
) -> None:
    source = write(tmp_path / "in" / "folder", LAYOUTS[name])
    out = opened(source, tmp_path)
    for folder in (".", "sub") if name == "repository within" else (".",):
        loaded = load(out / folder)
        assert loaded == load(source / folder)
        assert loaded or folder == "."
    names = [path.suffix for path in source.rglob("*") if path.is_file()]
    if set(names) - {""} == {".parquet"}:
        for read in (by_pandas, by_polars, by_arrow):
            assert outcome(read, out) == outcome(read, source)
    if name in SAYS_MORE:
        assert (out / "README.md").exists()
    elif not list(source.rglob("README.md")):
        # Tables alone are read as one folder, whatever they were before.
        rows = sum(len(value["a"]) for value in LAYOUTS[name].values() if value)
        assert len(pd.read_parquet(out, columns=["a"])) == rows
        assert len(polars.scan_parquet(out, extra_columns="ignore").select("a").collect()) == rows
    mine = LAYOUTS[name].get("README.md")
    if mine is not None:
        text = (out / "README.md").read_text()
        assert text.endswith(mine.rpartition("---\n")[2])
        assert "license: mit  # as it is" in text or "license" not in mine


@pytest.mark.parametrize("splits", [["train", "test"], ["first", "gold-round"], ["test", "zero"]])
def test_extract__tables_in_memory__load_by_split(
    splits: list[str], tmp_path: Path, load: Callable[[Path], Any]
) -> None:
    tables = dict(
        zip(
            splits,
            (pa.table(A), pa.table({"a": [7, 8, 9]}) if splits[0] == "train" else pa.table(B)),
            strict=True,
        )
    )
    loaded = load(opened(tables, tmp_path))["default"]
    assert {name: len(rows) for name, rows in loaded} == {
        split.replace("-", "_"): tables[split].num_rows for split in splits
    }


def test_extract__folders_by_split__load_by_split(
    tmp_path: Path, load: Callable[[Path], Any]
) -> None:
    first = write(tmp_path / "a", {"x.csv": A, "train.csv": B})
    other = write(tmp_path / "b", {"x.csv": C})
    loaded = load(opened({"zero": first, "train": other}, tmp_path))["default"]
    assert [(name, len(rows)) for name, rows in loaded] == [("train", 2), ("zero", 4)]


@pytest.mark.parametrize("format", ["arrow", "original"])
def test_extract__other_formats__load_too(
    format: str, tmp_path: Path, load: Callable[[Path], Any]
) -> None:
    source = write(tmp_path / "in" / "folder", LAYOUTS["patterns in configs"])
    out = opened(source, tmp_path, format)
    assert load(out) == load(source)


def test_extract__readme_of_windows__keeps_its_line_ends(tmp_path: Path) -> None:
    text = config("- config_name: default", "  data_files: x.csv").replace("\n", "\r\n")
    source = write(tmp_path / "in", {"x.csv": A})
    (source / "README.md").write_bytes(text.encode())
    out = opened(source, tmp_path)
    assert (out / "README.md").read_bytes() == text.replace("x.csv", "x.parquet").encode()


@pytest.mark.parametrize(
    ("table", "other"),
    [("train.csv", "test.csv.gz"), ("a.csv", "b.csv.gz"), ("train.jsonl", "test.json")],
)
def test_extract__table_loaded_with_a_file__loads_as_its_source(
    table: str, other: str, tmp_path: Path, load: Callable[[Path], Any]
) -> None:
    text = '{"a": 1}\n' if "json" in table else "a\n1\n"
    source = write(tmp_path / "in" / "folder", {table: text})
    (source / other).write_bytes(gzip.compress(text.encode()) if "gz" in other else text.encode())
    out = opened(source, tmp_path)
    assert load(source) is not None
    assert load(out) == load(source)


def test_pack__json_beside_tables__leaves_them_tables(tmp_path: Path) -> None:
    source = write(tmp_path / "in", {"a.jsonl": '{"a": 1}\n', "schema.json": "{}", "x.csv.gz": ""})
    assert sorted(path.name for path in opened(source, tmp_path).glob("a.*")) == ["a.parquet"]


@pytest.mark.parametrize("names", [("part-0", "part-1"), ("a.snappy", "year=2024/b.gz")])
def test_extract__parquet_without_its_suffix__stays_one_table(
    names: tuple[str, str], tmp_path: Path
) -> None:
    for name in names:
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "in" / name)
    out = opened(tmp_path / "in", tmp_path)
    assert not (out / "README.md").exists()
    assert pa.dataset.dataset(out, format="parquet").count_rows() == 2


def test_extract__readme_with_an_anchor__keeps_it(tmp_path: Path) -> None:
    text = config(
        "- config_name: a", "  data_files: &f x.csv", "- config_name: b", "  data_files: *f"
    )
    out = opened(write(tmp_path / "in", {"x.csv": A, "README.md": text}), tmp_path)
    assert (out / "README.md").read_text() == text.replace("x.csv", "x.parquet")


@pytest.mark.parametrize(
    "text",
    [
        "---\nconfigs: [\n---\n",
        "---\nconfigs: " + "[" * 5000 + "\n---\n",
        "---\nconfigs:\n- " + "- " * 5000 + "\n---\n",
        "---\nconfigs: 3\n---\n",
        "---\nconfigs:\n- x\n- data_files: {a: b}\n- data_files: [[x.csv]]\n---\n",
        "---\nconfigs:\n- data_files: ['[z-a]', '" + "*a" * 100 + "', '**/**/**/**/**/x']\n---\n",
        "---\nconfigs: &a [*a]\n---\n",
        "---\n!!python/object/apply:os.system ['touch x']\n---\n",
        "\ufeff---\nconfigs: []\n---\n",
    ],
)
def test_extract__readme_that_makes_no_sense__stays_as_it_is(text: str, tmp_path: Path) -> None:
    source = write(tmp_path / "in", {"x.csv": A, "a" * 200 + ".csv": A, "README.md": text})
    out = opened(source, tmp_path)
    assert (out / "README.md").read_text() == text
    assert len(list(out.iterdir())) == 3


def test_extract__readme_that_is_not_text__stays_as_it_is(tmp_path: Path) -> None:
    source = write(tmp_path / "in", {"x.csv": A})
    (source / "README.md").write_bytes(b"---\nconfigs: \xff\n---\n")
    out = opened(source, tmp_path)
    assert (out / "README.md").read_bytes() == b"---\nconfigs: \xff\n---\n"


KEPT: dict[str, Content] = {
    "reading options": LAYOUTS["reading options in configs"],
    "save_to_disk": {"d.arrow": "no table", "state.json": "{}", "dataset_info.json": "{}"},
    "Delta": {"p=1/x.parquet": A, "_delta_log/00000000000000000000.json": "{}"},
    "Iceberg": {"data/x.parquet": A, "metadata/v1.metadata.json": "{}"},
    "Dask": {"x.parquet": A, "_metadata": "PAR1"},
    "checksums": {"x.parquet": A, ".x.parquet.crc": "crc"},
}


@pytest.mark.parametrize("name", KEPT)
def test_pack__tables_that_others_describe__stay_the_files_they_are(
    name: str, tmp_path: Path
) -> None:
    source = write(tmp_path / "in", KEPT[name])
    packed, cek = pack(source, tmp_path / "packed", hidden=True)
    assert any("packed as files" in note for note in packed.notes)
    with open_container(tmp_path / "packed", cek=cek) as container:
        assert not container.tables
        out = extract(container, tmp_path / "out")
    for path in KEPT[name]:
        assert (out / path).read_bytes() == (source / path).read_bytes()


def test_pack__usual_reading_options__are_tables(tmp_path: Path) -> None:
    readme = config("- config_name: x", "  data_files: x.csv", '  sep: ","', "  features: []")
    source = write(tmp_path / "in", {"x.csv": A, "README.md": readme})
    packed, cek = pack(source, tmp_path / "packed")
    assert not packed.notes
    with open_container(tmp_path / "packed", cek=cek) as container:
        assert [file.path for file in container.tables] == ["x.csv"]


def snapshot(folder: Path) -> Path:
    """Make what `huggingface_hub` downloads: links to blobs."""
    blobs, made = folder / "blobs", folder / "snapshots" / "0123"
    blobs.mkdir(parents=True)
    (made / "data").mkdir(parents=True)
    write(folder, {"x.csv": A, "y.csv": B})
    for number, (name, depth) in enumerate(
        {"train.csv": "../..", "data/b.csv": "../../.."}.items()
    ):
        (folder / ("x.csv", "y.csv")[number]).rename(blobs / str(number))
        (made / name).symlink_to(f"{depth}/blobs/{number}")
    return made


def test_pack__snapshot_of_the_hub__needs_follow_links(tmp_path: Path) -> None:
    source = snapshot(tmp_path / "hub")
    with pytest.raises(Exception, match=r"data/b\.csv is a link; .*--follow-links") as refused:
        pack(source, tmp_path / "packed")
    assert "\n" not in str(refused.value)
    packed, cek = pack(source, tmp_path / "packed", follow_links=True)
    assert packed.notes == ("2 links followed out of the folder: data/b.csv …",)
    with open_container(tmp_path / "packed", cek=cek) as container:
        assert [file.path for file in container.tables] == ["data/b.csv", "train.csv"]
        assert container.to_table("data/b.csv").to_pydict() == B


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("nowhere", "leads nowhere"),
        ("x", "leads round in a loop"),
        (".", "a folder that holds it"),
        ("..", "a folder that holds it"),
        ("/dev/null", "neither a file nor a folder"),
        ("pipe", "neither a file nor a folder"),
    ],
)
def test_pack__link_that_cannot_be_followed__is_named(
    target: str, words: str, tmp_path: Path
) -> None:
    source = write(tmp_path / "in", {"sub/a.txt": "a"})
    os.mkfifo(tmp_path / "pipe")
    place = source / "sub" / "x"
    place.symlink_to(tmp_path / "pipe" if target == "pipe" else target)
    with pytest.raises(Exception, match=rf"sub/x.* {words}"):
        pack(source, tmp_path / "packed", follow_links=True)
    assert not (tmp_path / "packed").exists()


def test_pack__linked_folder_and_file__are_packed_by_their_names(tmp_path: Path) -> None:
    write(tmp_path / "other", {"t.txt": "there", "u.csv": A})
    source = write(tmp_path / "in", {"a.txt": "here"})
    (source / "more").symlink_to(tmp_path / "other")
    (source / "again.txt").symlink_to("a.txt")
    packed, cek = pack(source, tmp_path / "packed", follow_links=True)
    assert packed.notes == ("1 link followed out of the folder: more",)
    with open_container(tmp_path / "packed", cek=cek) as container:
        assert [file.path for file in container.files] == [
            "a.txt", "again.txt", "more/t.txt", "more/u.csv",
        ]  # fmt: skip
        assert container.read_bytes("again.txt") == b"here"
        assert container.read_bytes("more/t.txt") == b"there"


def test_pack__hidden__takes_hidden_files(tmp_path: Path) -> None:
    source = write(tmp_path / "in", {"a.txt": "a", ".b/c.txt": "c", ".d": "d"})
    packed, _ = pack(source, tmp_path / "packed")
    assert packed.skipped == (".b", ".d")
    packed, cek = pack(source, tmp_path / "all", hidden=True)
    assert packed.skipped == ()
    with open_container(tmp_path / "all", cek=cek) as container:
        assert [file.path for file in container.files] == [".b/c.txt", ".d", "a.txt"]


def test_pack__what_gets_lost__is_said(tmp_path: Path) -> None:
    source = write(tmp_path / "in", {"run.sh": "#!", "a.txt": "a"})
    (source / "run.sh").chmod(0o755)
    (source / "empty" / "inner").mkdir(parents=True)
    packed, _ = pack(source, tmp_path / "packed")
    assert len(packed.notes) == 2
    assert "1 empty folder not packed" in packed.notes[0] and "empty/inner" in packed.notes[0]
    assert "executable" in packed.notes[1] and "run.sh" in packed.notes[1]
