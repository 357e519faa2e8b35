# SPDX-License-Identifier: Apache-2.0
"""A result as tables and in the formats of other programs."""

import csv
import io
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.unit.bounty.test_verify import finished
from truthmark.bounty.exports import FORMATS, Labeled, export
from truthmark.bounty.items import Item, Media
from truthmark.bounty.result import Result
from truthmark.bounty.result_tables import Notes, Tables, summary_of, tables_of, warnings_of
from truthmark.bounty.verify import Finding, labels_of, verify, votes_of
from truthmark.errors import BountyError, ConfigError
from truthmark.labels.goldw import NONE

CLASSES = ("cat", "dog")


@pytest.fixture(scope="module")
def bounty() -> tuple[Result, Finding]:
    _, result = finished(random.Random(3), classes=2, rounds=3)
    return result, verify(result)


@pytest.fixture(scope="module")
def tables(bounty: tuple[Result, Finding]) -> Tables:
    result, finding = bounty
    names = [f"photos/{number}.jpg" for number in range(result.record.terms.items)]
    worker = next(iter(finding.opened))
    items = result.record.assignment.items_of(int(result.record.roster.starts[worker]), 1)
    told = {"seconds": {str(items[0]): 2.5, "x": 3}, "flags": {str(items[1]): "blurred"}}
    return tables_of(
        result, finding, classes=CLASSES, names=names, notes={worker: Notes.read(told)}
    )


def test_tables__finished_bounty__a_row_a_label_and_an_item(
    bounty: tuple[Result, Finding], tables: Tables
) -> None:
    result, finding = bounty
    votes, labels = votes_of(result.record, finding.opened), finding.labels
    assert votes is not None and labels is not None
    assert tables.labels.num_rows == len(votes.items)
    assert tables.items.num_rows == result.record.terms.items
    rows = {(row["item"], row["worker"]): row for row in tables.labels.to_pylist()}
    for item, worker, code in zip(
        votes.items.tolist(), votes.workers.tolist(), votes.labels.tolist(), strict=True
    ):
        row = rows[item, worker]
        assert row["label"] == (CLASSES[code] if code < 2 else None)
        start = int(result.record.roster.starts[worker])
        assert row["round"] == start // result.record.terms.per_round
    for number, row in enumerate(tables.items.to_pylist()):
        label = int(labels.labels[number])
        assert row["label"] == (None if label == NONE else CLASSES[label])
        assert (row["margin"], row["name"]) == (labels.margins[number], f"photos/{number}.jpg")
        given = [entry["label"] for (item, _), entry in rows.items() if item == number]
        real = [one for one in given if one is not None]
        assert row["labels"] == len(real)
        if real:
            assert row["agreement"] == pytest.approx(real.count(row["label"]) / len(real), abs=5e-5)
    gold = result.known_gold()
    kept = tables.items.filter(tables.items["is_gold"])
    assert {*kept["item"].to_pylist()} <= {*gold.items.tolist()}
    assert all(0 <= value <= 1 for value in tables.items["confidence"].to_pylist() if value)
    assert tables.items.schema.metadata[b"truthmark.terms"].decode()[2:] == (
        result.record.terms.hash.hex()
    )


def test_tables__seconds_and_flags__beside_their_labels(tables: Tables) -> None:
    told = [row for row in tables.labels.to_pylist() if row["seconds"] is not None]
    flagged = [row for row in tables.labels.to_pylist() if row["flag"] is not None]
    assert [row["seconds"] for row in told] == [2.5]
    assert [row["flag"] for row in flagged] == ["blurred"]


def test_tables__workers__what_they_did_and_got(
    bounty: tuple[Result, Finding], tables: Tables
) -> None:
    result, finding = bounty
    paid = {payment.worker: payment.total for payment in finding.payments}
    for row in tables.workers.to_pylist():
        assert row["signer"] == result.record.roster.rows[row["worker"]].signer
        assert row["paid_units"] == str(paid[row["worker"]])
        assert 0 <= row["gold_right"] <= row["gold"] <= row["labels"]
    summary = summary_of(tables)
    assert summary["workers"] == len(finding.opened)
    assert sum(summary["classes"].values()) == summary["labeled"]
    rows = tables.items.to_pylist()
    for item, shown in zip(summary["least_margins"], summary["least_sure"], strict=True):
        assert shown == {"name": f"photos/{item}.jpg", "label": rows[item]["label"]}


def test_tables__nothing_came__refused(bounty: tuple[Result, Finding]) -> None:
    result, _ = bounty
    empty = Result(result.record, {}, {}, result.gold, result.gold_salt)
    with pytest.raises(BountyError, match="no labels"):
        tables_of(empty, verify(empty), classes=CLASSES)


@pytest.mark.parametrize("notes", [{}, {"seconds": 3}, {"seconds": {"a": 1, "2": "x", "3": -1}}])
def test_notes__of_another_type__left_out(notes: dict[str, Any]) -> None:
    assert Notes.read(notes) == Notes({}, {})


def test_warnings__ring_that_answers_alike__named_and_rare_class_too(
    bounty: tuple[Result, Finding],
) -> None:
    result, finding = bounty
    record, gold = result.record, result.known_gold()
    items = {
        worker: record.assignment.items_of(int(record.roster.starts[worker]), run.seats)
        for worker, run in finding.opened.items()
    }
    pairs = [(one, other) for one in items for other in items if one < other]
    ring = max(pairs, key=lambda pair: len({*items[pair[0]]} & {*items[pair[1]]}))
    truth = np.zeros(record.terms.items, np.int64)
    truth[gold.items] = gold.answers
    rng = np.random.default_rng(0)
    changed = {}
    for worker, run in finding.opened.items():
        mine = items[worker]
        errs = mine % 2 == 0 if worker in ring else rng.random(len(mine)) < 0.05
        one = object.__new__(type(run))
        codes = np.where(errs, 1 - truth[mine], truth[mine])
        one.__dict__ |= run.__dict__ | {"codes": codes.astype(np.uint8)}
        changed[worker] = one
    found = replace(finding, opened=changed, labels=labels_of(result, changed))
    lines = warnings_of(result, found, CLASSES)
    assert any("dog is only" in line for line in lines), lines
    many = warnings_of(result, found, (*CLASSES, *(f"breed {number}" for number in range(98))))
    assert not any("is only" in line for line in many), many  # of a hundred answers all are rare
    assert any("coincide" in line for line in lines), lines


# --------------------------------------------------------------------------- formats


def labeled(tables: Tables, kind: Any = "text") -> Labeled:
    picture = io.BytesIO()
    Image.new("L", (8, 6)).save(picture, "PNG")

    def load(number: int) -> Item:
        if kind == "image":
            return Item(Media.PNG, picture.getvalue())
        if kind == "pair":
            return Item.of_pair(Item.of_text(f"a{number}"), Item.of_text(f"b{number}"))
        return Item.of_text(f"größe {number}")

    return Labeled(tables, CLASSES, kind, load, "A bounty")


def test_export__tables_of_each_kind__the_same_rows(tables: Tables, tmp_path: Path) -> None:
    made = labeled(tables)
    for name in ("parquet", "arrow", "csv"):
        export(made, name, tmp_path)
    items = pq.read_table(tmp_path / "items.parquet")
    with pa.memory_map(str(tmp_path / "items.arrow")) as source:
        assert pa.ipc.open_file(source).read_all().equals(items)
    with (tmp_path / "items.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == [one or "" for one in items["label"].to_pylist()]
    assert rows[7]["text"] == "größe 7" == items["text"][7].as_py()
    assert items.schema.metadata[b"truthmark.bounty"] == b"7"
    assert pq.read_table(tmp_path / "labels.parquet").num_rows == tables.labels.num_rows


def test_export__annotation_tools__everybodys_answers_and_the_label(
    tables: Tables, tmp_path: Path
) -> None:
    made = labeled(tables)
    export(made, "label-studio", tmp_path)
    export(made, "argilla", tmp_path)
    tasks = json.loads((tmp_path / "label-studio.json").read_text("utf-8"))
    records = [
        json.loads(line) for line in (tmp_path / "argilla.jsonl").read_text("utf-8").splitlines()
    ]
    answers = made.answers()
    for task, record, row in zip(tasks, records, tables.items.to_pylist(), strict=True):
        expected = [answer["label"] for answer in answers.get(row["item"], [])]
        given = [one["result"][0]["value"]["choices"][0] for one in task["annotations"]]
        assert given == expected == [one["value"] for one in record["responses"]["label"]]
        assert task["data"]["text"] == record["fields"]["text"] == f"größe {row['item']}"
        if row["label"] is not None:
            assert record["suggestions"]["label"]["value"] == row["label"]
            assert task["predictions"][0]["result"][0]["value"]["choices"] == [row["label"]]


def test_export__pictures__files_and_what_they_are(tables: Tables, tmp_path: Path) -> None:
    made = labeled(tables, "image")
    export(made, "coco", tmp_path)
    export(made, "image-folder", tmp_path / "sorted")
    coco = json.loads((tmp_path / "coco.json").read_text("utf-8"))
    assert coco["categories"] == [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    assert {(image["width"], image["height"]) for image in coco["images"]} == {(8, 6)}
    assert all((tmp_path / image["file_name"]).is_file() for image in coco["images"])
    by_item = {entry["image_id"]: entry["category_id"] for entry in coco["annotations"]}
    rows = tables.items.to_pylist()
    for row in rows:
        assert by_item.get(row["item"]) == {"cat": 1, "dog": 2, None: None}[row["label"]]
    for name in CLASSES:
        files = [*(tmp_path / "sorted" / name).iterdir()]
        assert len(files) == sum(row["label"] == name for row in rows)


def test_export__pairs__what_was_preferred(tables: Tables, tmp_path: Path) -> None:
    export(labeled(tables, "pair"), "trl", tmp_path)
    lines = (tmp_path / "preference.jsonl").read_text("utf-8").splitlines()
    rows = [row for row in tables.items.to_pylist() if row["label"] is not None]
    for line, row in zip(lines, rows, strict=True):
        chosen, rejected = ("a", "b") if row["label"] == "cat" else ("b", "a")
        record = json.loads(line)
        assert record["chosen"] == f"{chosen}{row['item']}"
        assert record["rejected"] == f"{rejected}{row['item']}"


@pytest.mark.parametrize(
    ("name", "kind"), [("coco", "text"), ("image-folder", "pair"), ("trl", "image"), ("x", "text")]
)
def test_export__format_that_does_not_fit__refused(
    tables: Tables, tmp_path: Path, name: str, kind: str
) -> None:
    with pytest.raises(ConfigError):
        export(labeled(tables, kind), name, tmp_path)


def test_export__classes_alike_as_folders__refused(tables: Tables, tmp_path: Path) -> None:
    made = replace(labeled(tables, "image"), classes=("a/b", "a_b"))
    with pytest.raises(ConfigError, match="same name"):
        export(made, "image-folder", tmp_path)
    assert {*FORMATS} >= {"parquet", "arrow", "csv"}
