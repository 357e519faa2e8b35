# SPDX-License-Identifier: Apache-2.0
"""The same results as crowd-kit's, on answers made by chance and on a real set (vectors.json).

The vectors are what crowd-kit found (tools/label_vectors.py); it need not be installed.
"""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from truthmark.labels.answers import LabelsWarning
from truthmark.labels.dawid_skene import DawidSkene, OneCoinDawidSkene
from truthmark.labels.glad import GLAD
from truthmark.labels.mace import MACE
from truthmark.labels.voting import MajorityVote, Wawa, ZeroBasedSkill

ROOT = Path(__file__).resolve().parents[3]
VECTORS = json.loads(Path(__file__).with_name("vectors.json").read_text("utf-8"))
METHODS: dict[str, Any] = {
    "MajorityVote": MajorityVote,
    "Wawa": Wawa,
    "ZeroBasedSkill": ZeroBasedSkill,
    "DawidSkene": DawidSkene,
    "OneCoinDawidSkene": OneCoinDawidSkene,
    "GLAD": GLAD,
    "MACE": lambda: MACE(n_restarts=1),
}
MADE = pd.DataFrame(VECTORS["made"]["answers"])
# GLAD's search goes on by chance of the last digits: crowd-kit itself differs from itself by as
# much when rows are in another order.
TOLERANCE = {"GLAD": 1e-5}


def value_of(model: Any, name: str) -> np.ndarray:
    value = getattr(model, name)
    return value if isinstance(value, np.ndarray) else value.sort_index().to_numpy()


@pytest.mark.parametrize("name", METHODS)
def test_fit__made_answers__finds_what_crowd_kit_found(name: str) -> None:
    model = METHODS[name]().fit(MADE.sample(frac=1, random_state=1))
    for attribute, expected in VECTORS["made"]["found"][name].items():
        if attribute == "labels_":
            assert model.labels_.to_list() == expected
        else:
            found = value_of(model, attribute)
            assert found == pytest.approx(np.array(expected), abs=TOLERANCE.get(name, 1e-9))


def test_fit__dawid_skene_with_gold__finds_what_crowd_kit_found() -> None:
    model = DawidSkene().fit(MADE, pd.Series(VECTORS["made"]["gold"]))
    expected = VECTORS["made"]["found"]["DawidSkene with gold"]
    assert model.labels_.to_list() == expected["labels_"]
    assert model.errors_.to_numpy() == pytest.approx(np.array(expected["errors_"]), abs=1e-9)


@pytest.mark.parametrize("name", METHODS)
def test_fit__real_answers__finds_what_crowd_kit_found(name: str) -> None:
    """Five pairs of task and worker are there twice in this set."""
    answers = pd.read_csv(ROOT / "datasets" / "cf_amt" / "answer.csv", dtype=str)
    with pytest.warns(LabelsWarning, match="5 answers"):
        model = METHODS[name]().fit(answers)
    expected = VECTORS["cf_amt"]["found"][name]
    assert model.labels_.to_list() == expected["labels_"]
    if "skills_" in expected:
        assert model.skills_.to_numpy() == pytest.approx(np.array(expected["skills_"]), abs=1e-9)


@pytest.mark.parametrize("name", METHODS)
def test_fit__rows_in_any_order__finds_the_same(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one = METHODS[name]().fit(MADE)
        other = METHODS[name]().fit(MADE.iloc[::-1])
    assert one.labels_.equals(other.labels_)
    assert list(one.labels_.index) == sorted(set(MADE.task))
