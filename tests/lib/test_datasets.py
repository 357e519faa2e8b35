# SPDX-License-Identifier: Apache-2.0
"""The catalogue in datasets/ against what is there: files, checksums, recipes, cards, baselines."""

import csv
import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = ROOT / "datasets"
GIVEN = ROOT.parent / "shared" / "data"
ENTRIES: dict[str, dict[str, Any]] = {
    entry["name"]: entry
    for entry in json.loads((CATALOGUE / "catalogue.json").read_text("utf-8"))["datasets"]
}
CROWD = [name for name, entry in ENTRIES.items() if "workers" in entry]
SHIPPED = [name for name in CROWD if ENTRIES[name]["shipped"]]


def load_recipe(name: str) -> ModuleType:
    """Import a recipe by its path, as there is no package to import it from."""
    path = CATALOGUE / ENTRIES[name]["recipe"]
    spec = importlib.util.spec_from_file_location(f"recipe_of_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def source_of(name: str) -> Path:
    if ENTRIES[name]["shipped"]:
        return CATALOGUE / name
    if not (GIVEN / name).is_dir():
        pytest.skip("data sets that are not shipped: their files are not on this machine")
    return GIVEN / name


def build_crowd(name: str, target: Path) -> pa.Table:
    source = source_of(name)
    return load_recipe(name).build(name, target, None if ENTRIES[name]["shipped"] else source)


def run_recipe(name: str, *arguments: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    named = [name] if name in CROWD else []
    command = [sys.executable, CATALOGUE / ENTRIES[name]["recipe"], *named, *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("digits") / "built"
    load_recipe("digits").build(target)
    return target


@pytest.fixture
def hugging_face(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """`datasets.load_dataset`, with a cache of its own and without a network."""
    import datasets

    assert datasets.__file__ is not None, "a folder named datasets hides the library"
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()

    def load(*arguments: str, **options: Any) -> Any:
        return datasets.load_dataset(*arguments, cache_dir=str(tmp_path / "cache"), **options)

    return load


# ------- the catalogue


def test_catalogue__folders__one_entry_each_with_card_and_recipe() -> None:
    folders = {path.name for path in CATALOGUE.glob("[!._]*") if path.is_dir()}
    assert folders == set(ENTRIES)
    for name, entry in ENTRIES.items():
        assert entry["recipe"] == ("crowd.py" if name in CROWD else f"{name}/recipe.py")
        assert (CATALOGUE / entry["recipe"]).is_file()
        assert (CATALOGUE / name / "README.md").is_file()
    assert not list(CATALOGUE.rglob("__init__.py"))


@pytest.mark.parametrize("name", ENTRIES)
def test_catalogue__files_in_a_folder__are_those_listed(name: str) -> None:
    present = {path.name for path in (CATALOGUE / name).iterdir()} - {"__pycache__"}
    shipped = {*ENTRIES[name]["files"], "NOTICE"} if ENTRIES[name]["shipped"] else set()
    own = set() if name in CROWD else {"recipe.py"}
    assert present == {"README.md", *own, *shipped}


@pytest.mark.parametrize("name", CROWD)
def test_catalogue__input_files__match_checksum_and_rows(name: str) -> None:
    source = source_of(name)
    for file_name, file in ENTRIES[name]["files"].items():
        data = (source / file_name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == file["sha256"]
        assert len(list(csv.reader(data.decode().splitlines()))) == file["rows"] + 1


@pytest.mark.parametrize("name", ENTRIES)
def test_card__front_matter__names_the_licence_of_the_catalogue(name: str) -> None:
    _, front_matter, text = (CATALOGUE / name / "README.md").read_text("utf-8").split("---\n", 2)
    card = yaml.safe_load(front_matter)
    assert card["license"] == ENTRIES[name]["license"].lower()
    assert card["pretty_name"] == ENTRIES[name]["title"]
    assert ENTRIES[name]["source"]["url"] in text or "doi.org/10.24432/C50P49" in text
    for heading in ("## Files", "## Source and licence", "## Known limits"):
        assert heading in text


@pytest.mark.parametrize("name", CROWD)
def test_card__counts_and_baseline__are_those_of_the_catalogue(name: str) -> None:
    card = (CATALOGUE / name / "README.md").read_text("utf-8")
    entry = ENTRIES[name]
    assert f"{entry['rows']:,} answers by {entry['workers']} workers" in card
    assert f"to {entry['items']:,} items" in card
    assert f"| {entry['majority_vote_percent']:.2f} |" in card


@pytest.mark.parametrize("name", CROWD)
def test_card__counts_by_class__are_those_of_the_files(name: str) -> None:
    card = (CATALOGUE / name / "README.md").read_text("utf-8")
    answers = _read(source_of(name) / "answer.csv")
    truth = _read(source_of(name) / "truth.csv")
    truth = truth[truth["item"].isin(answers["item"])]
    for label in ENTRIES[name]["classes"]:
        code = label["code"]
        counts = ((answers["label"] == code).sum(), (truth["truth"] == code).sum())
        assert f"| {code} | {label['name']} | {counts[0]:,} | {counts[1]:,} |" in card


def test_catalogue_page__rows__are_those_of_the_catalogue() -> None:
    page = (CATALOGUE / "README.md").read_text("utf-8")
    for name, entry in ENTRIES.items():
        (line,) = [line for line in page.splitlines() if line.startswith(f"| [{name}](")]
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        expected = [entry["license"], f"{entry['rows']:,}"]
        if name in CROWD:
            expected += [f"{entry['items']:,}", str(entry["workers"]), str(len(entry["classes"]))]
            expected += [f"{entry['majority_vote_percent']:.2f}"]
            assert cells[2:] == expected
        else:
            assert cells[2:4] == expected


# ------- crowd sets


@pytest.mark.parametrize("name", CROWD)
def test_crowd_build__given_files__writes_the_table_of_the_catalogue(
    name: str, tmp_path: Path
) -> None:
    entry = ENTRIES[name]
    build_crowd(name, tmp_path / "table.parquet")
    table = pq.read_table(tmp_path / "table.parquet")
    assert table.column_names == ["item", "worker", "label", "truth"]
    assert table.num_rows == entry["rows"]
    frame = table.to_pandas()
    assert frame["item"].nunique() == entry["items"]
    assert frame["worker"].nunique() == entry["workers"]
    assert frame.loc[frame["truth"].notna(), "item"].nunique() == entry["items_with_truth"]

    # Row by row the same as the files, by another reader and another join.
    codes = [label["code"] for label in entry["classes"]]
    answers = _read(source_of(name) / "answer.csv")
    truth = _read(source_of(name) / "truth.csv").set_index("item")["truth"]
    assert frame["item"].tolist() == answers["item"].tolist()
    assert frame["worker"].tolist() == answers["worker"].tolist()
    assert [codes[label] for label in frame["label"]] == answers["label"].tolist()
    expected = answers["item"].map(truth)
    found = frame["truth"].map(lambda label: codes[int(label)], na_action="ignore")
    assert found.fillna("").tolist() == expected.fillna("").tolist()


@pytest.mark.parametrize("name", CROWD)
def test_crowd_majority_vote__given_files__is_the_baseline_of_the_catalogue(
    name: str, tmp_path: Path
) -> None:
    table = build_crowd(name, tmp_path / "table.parquet")
    accuracy = load_recipe(name).majority_vote_accuracy(table)
    assert round(float(accuracy * 100), 2) == ENTRIES[name]["majority_vote_percent"]
    assert accuracy == _majority_vote(table.to_pandas())


def test_crowd_majority_vote__ties__are_split() -> None:
    rows = [("a", 0, 0), ("a", 1, 0), ("b", 1, 1), ("c", 0, 2), ("d", 0, None)]
    table = pa.table(
        {
            "item": [item for item, _, _ in rows],
            "label": [label for _, label, _ in rows],
            "truth": [truth for _, _, truth in rows],
        }
    )
    # a: one of two leaders, b: right, c: wrong, d: no truth.
    expected = (Fraction(1, 2) + 1 + 0) / 3
    assert load_recipe("sp_amt").majority_vote_accuracy(table) == expected


@pytest.mark.parametrize("name", SHIPPED)
def test_crowd_table__pandas_polars_and_hugging_face__read_it(
    name: str, tmp_path: Path, hugging_face: Callable[..., Any]
) -> None:
    target = tmp_path / f"{name}.parquet"
    build_crowd(name, target)
    entry = ENTRIES[name]
    names = [label["name"] for label in entry["classes"]]
    assert len(pd.read_parquet(target)) == len(pl.read_parquet(target)) == entry["rows"]
    loaded = hugging_face("parquet", data_files=str(target), split="train")
    assert loaded.num_rows == entry["rows"]
    assert loaded.features["label"].names == loaded.features["truth"].names == names
    assert pq.read_schema(target).metadata[b"license"] == b"Apache-2.0"


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_folder__hugging_face__loads_it_by_its_card(
    name: str, hugging_face: Callable[..., Any]
) -> None:
    for config, file in (("answer", "answer.csv"), ("truth", "truth.csv")):
        loaded = hugging_face(str(CATALOGUE / name), config, split="train")
        assert loaded.num_rows == ENTRIES[name]["files"][file]["rows"]


@pytest.mark.parametrize("file_name", ["answer.csv", "truth.csv"])
def test_crowd_build__file_changed_by_one_byte__is_refused(file_name: str, tmp_path: Path) -> None:
    recipe = load_recipe("sp_amt")
    source, target = tmp_path / "source", tmp_path / "out" / "table.parquet"
    shutil.copytree(CATALOGUE / "sp_amt", source)
    recipe.build("sp_amt", target, source)
    target.unlink()
    data = bytearray((source / file_name).read_bytes())
    data[-2] ^= 1
    (source / file_name).write_bytes(data)
    with pytest.raises(recipe.RecipeError, match=rf"{file_name} has SHA-256 .* get the file"):
        recipe.build("sp_amt", target, source)
    assert not list(target.parent.iterdir())


def test_crowd_build__folder_without_the_files__is_refused(tmp_path: Path) -> None:
    recipe = load_recipe("ms")
    with pytest.raises(recipe.RecipeError, match="is not there: name the folder"):
        recipe.build("ms", tmp_path / "table.parquet", tmp_path)
    assert not list(tmp_path.iterdir())


def test_crowd_build__target_exists__is_left_alone(tmp_path: Path) -> None:
    recipe = load_recipe("sp_amt")
    target = tmp_path / "table.parquet"
    target.write_text("mine")
    with pytest.raises(recipe.RecipeError, match="already there"):
        recipe.build("sp_amt", target)
    assert target.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [target]


def test_crowd_build__writing_fails__leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_the_disk(table: pa.Table, where: Path, **_: Any) -> None:
        where.write_bytes(b"PAR1")
        raise OSError("no space left on device")

    recipe = load_recipe("sp_amt")
    monkeypatch.setattr(pq, "write_table", fill_the_disk)
    with pytest.raises(OSError, match="no space left"):
        recipe.build("sp_amt", tmp_path / "table.parquet")
    assert not list(tmp_path.iterdir())


# ------- digits


def _content(pixels: np.ndarray, labels: np.ndarray) -> str:
    """The checksum that the card of digits defines."""
    rows = (bytes(image) + bytes([label]) for image, label in zip(pixels, labels, strict=True))
    return hashlib.sha256(b"".join(rows)).hexdigest()


@pytest.mark.parametrize("split", ["train", "test"])
def test_digits_images__decoded__have_the_content_of_the_catalogue(
    digits: Path, split: str
) -> None:
    folder = digits / "images" / split
    with (folder / "metadata.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["file_name"] for row in rows} == {path.name for path in folder.glob("*.png")}
    greys = [np.asarray(Image.open(folder / row["file_name"])) for row in rows]
    assert all(grey.shape == (8, 8) and grey.dtype == np.uint8 for grey in greys)
    pixels = (np.stack(greys).reshape(-1, 64).astype(int) * 16 + 127) // 255
    labels = np.array([int(row["label"]) for row in rows])
    expected = ENTRIES["digits"]["splits"][split]
    assert len(rows) == expected["rows"]
    assert _content(pixels.astype(np.uint8), labels) == expected["content_sha256"]


@pytest.mark.parametrize("split", ["train", "test"])
def test_digits_table__pandas_and_polars__have_the_content_of_the_catalogue(
    digits: Path, split: str
) -> None:
    path = digits / "table" / f"{split}.parquet"
    expected = ENTRIES["digits"]["splits"][split]["content_sha256"]
    frame = pd.read_parquet(path)
    assert _content(np.stack(list(frame["pixels"])), frame["label"].to_numpy()) == expected
    table = pl.read_parquet(path)
    assert _content(table["pixels"].to_numpy(), table["label"].to_numpy()) == expected
    assert pq.read_schema(path).metadata[b"license"] == b"CC-BY-4.0"


def test_digits__splits_together__are_all_rows_of_the_catalogue() -> None:
    entry = ENTRIES["digits"]
    assert sum(split["rows"] for split in entry["splits"].values()) == entry["rows"]


def test_digits_images__imagefolder__loads_both_splits(
    digits: Path, hugging_face: Callable[..., Any]
) -> None:
    loaded = hugging_face("imagefolder", data_dir=str(digits / "images"))
    assert {split: loaded[split].num_rows for split in loaded} == {"train": 1437, "test": 360}
    first = loaded["train"][0]
    assert (first["image"].size, first["image"].mode, first["label"]) == ((8, 8), "L", 0)


def test_digits_table__hugging_face__has_the_labels_of_the_images_found_by_the_card(
    digits: Path, hugging_face: Callable[..., Any]
) -> None:
    images = hugging_face(str(digits))
    table = hugging_face("parquet", data_dir=str(digits / "table"))
    for split, expected in ENTRIES["digits"]["splits"].items():
        assert images[split].num_rows == table[split].num_rows == expected["rows"]
        assert images[split]["label"][:] == table[split]["label"][:]
    assert table["train"].features["label"].names == [str(digit) for digit in range(10)]
    assert len(table["train"][0]["pixels"]) == 64


def test_digits_build__scikit_learn_changed__is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sklearn.datasets

    changed = sklearn.datasets.load_digits()
    changed.data[1500, 20] += 1
    monkeypatch.setattr(sklearn.datasets, "load_digits", lambda: changed)
    recipe = load_recipe("digits")
    with pytest.raises(recipe.RecipeError, match=r"digits \(test\) have changed: install"):
        recipe.build(tmp_path / "digits")
    assert not list(tmp_path.iterdir())


def test_digits_build__target_exists__is_left_alone(tmp_path: Path) -> None:
    recipe = load_recipe("digits")
    with pytest.raises(recipe.RecipeError, match="already there"):
        recipe.build(tmp_path)
    assert not list(tmp_path.iterdir())


# ------- as scripts, as the catalogue's page tells


def test_script__ready_recipes__run_from_any_folder(tmp_path: Path) -> None:
    for name in (name for name, entry in ENTRIES.items() if entry["ready"]):
        done = run_recipe(name, Path(name), cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert (tmp_path / name).exists()
        if name in CROWD:
            assert f"{ENTRIES[name]['majority_vote_percent']:.2f} %" in done.stdout


def test_script__recipe_given_a_folder__runs(tmp_path: Path) -> None:
    done = run_recipe("cf", source_of("cf"), Path("cf.parquet"), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert pq.read_metadata(tmp_path / "cf.parquet").num_rows == ENTRIES["cf"]["rows"]


def test_script__no_crowd_set__names_the_recipe_to_run(tmp_path: Path) -> None:
    command = [sys.executable, CATALOGUE / "crowd.py", "digits", "x.parquet"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "error: digits is no crowd set: run digits/recipe.py\n"


def test_script__wrong_input__says_so_in_one_line(tmp_path: Path) -> None:
    done = run_recipe("cf", tmp_path, Path("cf.parquet"), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def _read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def _majority_vote(frame: pd.DataFrame) -> Fraction:
    """The same figure from sorted counts, for comparison with the recipe's."""
    frame = frame[frame["truth"].notna()]
    counts = frame.groupby(["item", "label", "truth"]).size().rename("answers").reset_index()
    leaders = counts[counts["answers"] == counts.groupby("item")["answers"].transform("max")]
    tied = leaders.groupby("item")["label"].transform("size")
    right = leaders["label"] == leaders["truth"]
    total = sum((Fraction(1, int(k)) for k in tied[right]), Fraction(0))
    return total / int(frame["item"].nunique())
