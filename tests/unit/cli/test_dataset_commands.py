# SPDX-License-Identifier: Apache-2.0
"""`truthmark dataset`: packing, inspecting, verifying and opening without a chain."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from tests.utils.cli import Person
from truthmark.cli.main import USAGE


def test_dataset__pack_inspect_verify_open__gives_the_rows_back(
    on_devnet: Person, tmp_path: Path, source: Path
) -> None:
    packed, opened = tmp_path / "packed", tmp_path / "opened"
    shown = on_devnet(
        *("dataset", "pack", source, packed, "--licence", "CC-BY-4.0", "--examples", 2, "--json"),
        "--yes",
    ).ok()
    assert shown.json["parts"] >= 1
    inspected = on_devnet("dataset", "inspect", packed, "--json").ok().json
    assert inspected["card"]["title"] == "points"
    assert inspected["licence"] == "CC-BY-4.0"
    assert len(inspected["card"]["examples"][0]) == 2
    assert on_devnet("dataset", "verify", packed, "--json").ok().json["holds"] is True
    done = on_devnet("dataset", "open", packed, opened, "--format", "original", "--json").ok()
    assert done.json["files"][0]["rows"] == 500
    assert pd.read_csv(opened / "points.csv").equals(pd.read_csv(source))


def test_dataset_pack__asked__shows_what_becomes_public_and_takes_no_for_an_answer(
    on_devnet: Person, tmp_path: Path, source: Path
) -> None:
    packed = tmp_path / "packed"
    arguments = ("dataset", "pack", source, packed, "--licence", "MIT")
    shown = on_devnet(*arguments, stdin="n\n").refused(8, "nothing was written")
    assert "columns: x (int64), name (" in shown.err
    assert not packed.exists()
    on_devnet(*arguments).refused(3, "no terminal to answer")
    assert not packed.exists()
    on_devnet(*arguments, stdin="y\n").ok()
    assert packed.is_dir()


def test_dataset_pack__with_a_sample__says_what_becomes_public_before_it_asks(
    on_devnet: Person, tmp_path: Path, source: Path
) -> None:
    packed = tmp_path / "packed"
    arguments = ("dataset", "pack", source, packed, "--licence", "MIT")
    little = " ".join(on_devnet(*arguments, stdin="n\n").refused(8, "nothing was").err.split())
    assert "names and structure" in little
    assert "this is too little data to draw from (1 part)" in little
    assert little.index("names and structure") < little.index("write it?")
    pd.DataFrame({"x": np.random.default_rng(1).random(300_000)}).to_csv(source, index=False)
    more = " ".join(on_devnet(*arguments, stdin="n\n").refused(8, "nothing was").err.split())
    drawn = r"about [\d,]+ of 300,000 rows, about [\d.]+ % of the data \(\d+ draws from \d+ parts\)"
    assert re.search(drawn, more)
    assert "at most" in more
    assert not packed.exists()
    told = " ".join(on_devnet(*arguments, "--yes").ok().err.split())
    assert re.search(drawn, told)
    assert told.index("names and structure") < told.index("packed into")
    card = on_devnet("dataset", "inspect", packed, "--json").ok().json["card"]
    assert card["extra"]["preview"]["rule"] == "preview-v1"


def test_dataset_pack__blind__says_so_and_asks_for_no_sample(
    on_devnet: Person, tmp_path: Path, source: Path
) -> None:
    packed = tmp_path / "packed"
    arguments = ("dataset", "pack", source, packed, "--licence", "MIT", "--blind")
    shown = " ".join(on_devnet(*arguments, "--hide-schema", stdin="y\n").ok().err.split())
    assert "blind: no sample: no one but you" in shown
    assert (
        "preview"
        not in on_devnet("dataset", "inspect", packed, "--json").ok().json["card"]["extra"]
    )


def test_dataset_pack__columns_hidden_with_a_sample__is_refused(
    on_devnet: Person, tmp_path: Path, source: Path
) -> None:
    arguments = ("dataset", "pack", source, tmp_path / "packed", "--licence", "MIT", "--yes")
    on_devnet(*arguments, "--hide-schema").refused(3, "pack without it, with --blind")
    on_devnet(*arguments, "--blind", "--draws", 20).refused(3, "for data that has a sample")
    assert not (tmp_path / "packed").exists()


def test_dataset_pack__what_cannot_be_packed__leaves_nothing(
    on_devnet: Person, tmp_path: Path, source: Path
) -> None:
    packed = tmp_path / "packed"
    on_devnet("dataset", "pack", source, packed, "--yes").refused(3, "--licence")
    on_devnet("dataset", "pack", tmp_path / "no", packed, "--yes").refused(USAGE, "does not exist")
    assert not packed.exists()


def test_dataset_verify__changed_byte__is_found(
    on_devnet: Person, tmp_path: Path, source: Path
) -> None:
    packed = tmp_path / "packed"
    on_devnet("dataset", "pack", source, packed, "--licence", "MIT", "--yes").ok()
    data = bytearray((packed / "data.tmk").read_bytes())
    data[-1] ^= 1
    (packed / "data.tmk").write_bytes(data)
    on_devnet("dataset", "verify", packed).refused(4, "fetch them again")
    shown = on_devnet("dataset", "verify", packed, "--json").refused(4)
    assert shown.json["bad_parts"] == [shown.json["parts"] - 1]


def test_dataset__folder_that_is_none__is_refused(on_devnet: Person, tmp_path: Path) -> None:
    for name in ("inspect", "verify"):
        on_devnet("dataset", name, tmp_path).refused(3, "not a packed folder")
    on_devnet("dataset", "open", tmp_path, tmp_path / "x").refused(3, "not a packed folder")
