# SPDX-License-Identifier: Apache-2.0
"""`truthmark labels` on files: what is printed, and what is refused."""

import csv
import io
import json
from pathlib import Path

import pandas as pd
import pytest

from tests.utils.cli import Person
from tests.utils.made_crowds import make_crowd
from truthmark.labels import GoldWeighted, MajorityVote
from truthmark.labels.methods import METHODS

CROWD, TRUTH = make_crowd(40, 8, 2, 4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    CROWD.to_csv(tmp_path / "answers.csv", index=False)
    TRUTH.iloc[:12].to_csv(tmp_path / "gold.csv")
    predictions = pd.DataFrame(0.5, index=TRUTH.index, columns=["a", "b"])
    predictions.to_csv(tmp_path / "model.csv")
    return tmp_path


@pytest.fixture
def labels(folder: Path):
    person = Person(folder / "home")
    return lambda *words: person("labels", *words)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("method", METHODS)
def test_aggregate__each_method__prints_a_label_a_task(labels, folder: Path, method: str) -> None:
    more = ["--gold", folder / "gold.csv"] if METHODS[method].takes_gold else []
    more += ["--predictions", folder / "model.csv"] if method == "crowdlab" else []
    shown = labels("aggregate", folder / "answers.csv", "--method", method, *more).ok()
    found = {row["task"]: row["label"] for row in rows(shown.out)}
    assert list(found) == list(TRUTH.index)
    assert sum(found[task] == TRUTH[task] for task in found) >= 30
    assert not (folder / "home").exists()


def test_aggregate__goldw__prints_margins_and_confidence(labels, folder: Path) -> None:
    files = [folder / "answers.csv", "--gold", folder / "gold.csv"]
    shown = labels("aggregate", *files, "--confidence").ok()
    model = GoldWeighted().fit(CROWD, TRUTH.iloc[:12])
    for row in rows(shown.out):
        assert row["label"] == model.labels_[row["task"]]
        assert int(row["margin"]) == model.margins_[row["task"]]
        assert 0 < float(row["confidence"]) <= 1
    as_json = json.loads(labels("aggregate", *files, "--json").ok().out)
    assert as_json["method"] == "goldw"
    assert as_json["labels"][0] == {
        "task": "t000",
        "label": model.labels_["t000"],
        "margin": int(model.margins_["t000"]),
    }


def test_aggregate__no_method_and_no_gold__is_the_majority(labels, folder: Path) -> None:
    shown = labels("aggregate", folder / "answers.csv").ok()
    assert [row["label"] for row in rows(shown.out)] == MajorityVote().fit(CROWD).labels_.to_list()


def test_aggregate__auto__says_what_it_chose(labels, folder: Path) -> None:
    files = [folder / "answers.csv", "--gold", folder / "gold.csv"]
    shown = labels("aggregate", *files, "--method", "auto").ok()
    assert "chose " in shown.err


def test_aggregate__ids_that_look_like_numbers__stay_text(labels, folder: Path) -> None:
    path = folder / "ids.csv"
    path.write_text("item,worker,label\n007,1,01\n7,1,1\n")
    assert labels("aggregate", path).ok().out == "item,label\n007,01\n7,1\n"


@pytest.mark.parametrize(
    ("files", "words", "message"),
    [
        ({"a": "task,worker,label\n"}, [], "has no rows"),
        ({"a": "task,worker,label\n1,w,x\n1,w,y\n"}, [], "answered '1' twice"),
        ({"a": "task,worker,label\n1,w,\n"}, [], "line 2 has no label"),
        ({"a": "task,worker,label\n1,w,x\n"}, ["--method", "goldw"], "needs gold"),
        ({"a": "task,worker,label\n1,w,x\n"}, ["--method", "glad"], "needs two classes"),
        ({"a": "task,worker,label\n1,w,x\n"}, ["--confidence"], "fitted on gold"),
        ({"a": "task,worker,label\n1,w,x\n"}, ["--classes", "y,z"], "none of the classes"),
        ({"a": "task,worker,label\n1,w,x\n", "g": "task,label\n01,x\n"}, [], "no task of"),
        ({"a": "task,worker,label\n1,w,x\n", "g": "task,label\n1,z\n"}, [], "nobody answered"),
        (
            {"a": "task,worker,label\n1,w,x\n", "g": "task,label\n1,x\n2,x\n"},
            [],
            "--drop-unknown-gold",
        ),
        (
            {"a": "task,worker,label\n1,w,x\n", "g": "task,label\n1,x\n"},
            ["--method", "wawa"],
            "wawa uses no gold",
        ),
        ({"a": "task,worker,label\n1,w,x\n"}, ["--shares", "x=2,y"], "is not a share"),
        ({"a": "task,worker,label\n1,w,x\n"}, ["--classes", "x,,y"], "each class once"),
    ],
)
def test_aggregate__what_cannot_be_right__is_refused_in_one_line(
    labels, folder: Path, files: dict[str, str], words: list[str], message: str
) -> None:
    for name, text in files.items():
        (folder / name).write_text(text)
    gold = ["--gold", folder / "g"] if "g" in files else []
    shown = labels("aggregate", folder / "a", *gold, *words)
    assert shown.code != 0
    assert message in shown.err
    assert len(shown.err.strip().splitlines()) == 1
    assert shown.out == ""


def test_aggregate__shares_classes_and_unknown_gold__are_used_as_is_said(
    labels, folder: Path
) -> None:
    (folder / "g").write_text("task,label\nt000,c\nnone,a\n")
    files = [folder / "answers.csv", "--gold", folder / "g", "--drop-unknown-gold"]
    shown = labels("aggregate", *files, "--classes", "a,b,c", "--shares", "a=.1,b=.1,c=.8").ok()
    assert rows(shown.out)[0]["label"] == "c"


def test_agreement__with_gold__shows_what_is_measured(labels, folder: Path) -> None:
    files = [folder / "answers.csv", "--gold", folder / "gold.csv"]
    found = json.loads(labels("agreement", *files, "--json").ok().out)
    assert found["tasks"] == 40
    assert 0 < found["alpha"] < 1
    assert {row["gold"] for row in found["classes"]} == {"a", "b"}
    assert len(found["worker_table"]) == 8
    assert found["coinciding_errors"] == []
    text = labels("agreement", *files).ok().out
    assert "answers to gold, by class" in text
    assert "accounts whose errors" not in text


def test_agreement__ordinal__needs_an_order(labels, folder: Path) -> None:
    shown = labels("agreement", folder / "answers.csv", "--ordinal")
    assert shown.code == 3
    assert "by --classes" in shown.err
    ordered = labels("agreement", folder / "answers.csv", "--ordinal", "--classes", "a,b").ok()
    assert "alpha ordinal" in ordered.out
    CROWD.assign(label=CROWD.label.map({"a": 2, "b": 10})).to_csv(folder / "n.csv", index=False)
    found = json.loads(labels("agreement", folder / "n.csv", "--ordinal", "--json").ok().out)
    assert found["alpha_ordinal"] == pytest.approx(found["alpha"])


def test_agreement__one_class__is_undefined(labels, folder: Path) -> None:
    (folder / "a").write_text("task,worker,label\n1,w,x\n1,v,x\n")
    assert "undefined" in labels("agreement", folder / "a").ok().out
    assert json.loads(labels("agreement", folder / "a", "--json").ok().out)["alpha"] is None
