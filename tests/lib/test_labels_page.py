# SPDX-License-Identifier: Apache-2.0
"""The page of labels, run block by block, and its table against the methods there are."""

import re
from pathlib import Path

import pandas as pd

from tests.utils.pages import run_script, script_of
from truthmark.labels.methods import METHODS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "labels.md").read_text("utf-8")


def test_labels_page__every_block_in_order__works(tmp_path: Path) -> None:
    done = run_script(script_of(PAGE), tmp_path)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert "tasks are unsure" in done.stdout
    labels = pd.read_csv(tmp_path / "labels.csv", dtype=str)
    assert labels[["task", "label"]].values.tolist() == [
        ["001", "cat"],
        ["002", "dog"],
        ["003", "cat"],
    ]


def test_labels_page__table_of_methods__is_of_all_and_true() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `([\w-]+)` \| (\S+) \|.*?\| ([^|]*) \|$", PAGE, re.M)
    assert {name for _, name, _, _ in rows} == set(METHODS)
    for kind, name, gold, falls in rows:
        method = METHODS[name]
        assert method.make().__class__.__name__ == kind
        assert gold == ("needs" if method.needs_gold else "takes" if method.takes_gold else "–")
        assert method.needs_gold or "ring" in falls, f"{name} does not tell of rings"
