# SPDX-License-Identifier: Apache-2.0
"""Labels that are texts: hashes on chain, what was written beside, tables, and anyone's check."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from tests.utils.bounties import RECEIVER_KEY, REF, SECRET, make_terms
from truthmark.bounty.annotations import MAX_LETTERS, SKIPPED, annotation, annotation_code
from truthmark.bounty.answer_log import MAX_NOTE, AnswerLog
from truthmark.bounty.assignment import NO_ITEM
from truthmark.bounty.commits import Commit, Commits
from truthmark.bounty.exports import FORMATS, OF_CLASSES, Labeled, export
from truthmark.bounty.flows.collecting import Collector, acknowledgement_for
from truthmark.bounty.gold import Gold
from truthmark.bounty.items import Item
from truthmark.bounty.label_file import MAX_BYTES, LabelFile, open_notes, seal_notes
from truthmark.bounty.labeler import Place, hashes_of, is_acknowledged
from truthmark.bounty.payouts import Status
from truthmark.bounty.receiving import receive, true_score
from truthmark.bounty.record import Record
from truthmark.bounty.relay_client import RelayClient
from truthmark.bounty.result import Result
from truthmark.bounty.result_tables import Notes, Tables
from truthmark.bounty.roster import Roster, Row
from truthmark.bounty.sealing import open_with_key, seal
from truthmark.bounty.text_tables import (
    text_summary_of,
    text_tables_of,
    text_warnings_of,
    texts_of,
)
from truthmark.bounty.verify import Anchors, Finding, verify
from truthmark.bounty.workspace import Workspace
from truthmark.errors import BountyError, ConfigError
from truthmark.keys import typed
from truthmark.keys.curve import multiply

ITEMS, BATCH = 10, 4


def word_on(item: int, worker: int) -> str:
    """Return what a worker writes of an item; every seventh is skipped."""
    return "" if (item + worker) % 7 == 0 else f"worker {worker} sees “{item}”\nand more"


@dataclass
class Case:
    """Two people who wrote on ten items each."""

    record: Record
    files: dict[int, LabelFile]

    @property
    def result(self) -> Result:
        runs = {worker: file.run for worker, file in self.files.items()}
        shared = {worker: multiply(SECRET, run.point) for worker, run in runs.items()}
        return Result(self.record, runs, shared)

    def notes(self, worker: int) -> Notes:
        file = self.files[worker]
        return Notes.read(open_notes(multiply(SECRET, file.run.point), file.notes))


@pytest.fixture(scope="module")
def case() -> Case:
    fixed: dict[str, Any] = {"items": ITEMS, "classes": 0, "rounds": 2, "batch": BATCH}
    team: dict[str, Any] = {"gold_count": 0, "gold_commitment": bytes(32), "full": 0}
    terms = make_terms(**fixed, **team, min_seats=1, min_run=3, max_run=3, bond=0, reward=0)
    rows = [Row(f"0x{n:040x}", f"0x{n + 8:040x}", 3) for n in (1, 2)]
    record = Record(REF, terms, b"\7" * 32, Roster([rows]), Commits([]), frozenset(), Status.LABEL)
    files = {}
    for worker in (0, 1):
        items = record.assignment.items_of(3 * worker, 3)
        place = Place(worker, 3 * worker, 3, items)
        texts = {item: word_on(item, worker) for item in items.tolist() if item != NO_ITEM}
        codes = hashes_of(place, texts, BATCH)
        secret = 1 + worker
        run = seal(record.scheme(worker), secret=secret, key=terms.key, codes=codes)
        told = {"texts": {str(item): text for item, text in texts.items() if text}}
        told["seconds"] = {"3": 2.5}  # type: ignore[dict-item]
        if worker:
            del told["texts"]["4"]  # it never came
            told["texts"]["5"] = "something else"
        notes = seal_notes(multiply(secret, terms.key), told)
        files[worker] = LabelFile(REF, worker, 3, run, notes)
    commits = Commits([[Commit(w, 3, file.run.commitment) for w, file in files.items()]])
    record = replace(record, commits=commits)
    received = {w: receive(record, w, file.run, SECRET) for w, file in files.items()}
    none, salt = Gold.parse(b""), bytes(32)
    score = true_score(record, gold=none, salt=salt, received=received, acknowledgements={})
    return Case(replace(record, score=score, status=Status.SETTLED), files)


@pytest.fixture(scope="module")
def checked(case: Case) -> tuple[Result, Finding, Tables]:
    notes = {worker: case.notes(worker) for worker in case.files}
    finding = verify(case.result)
    result = replace(case.result, texts=texts_of(case.record, finding.opened, notes))
    names = [f"n{item}" for item in range(ITEMS)]
    return result, finding, text_tables_of(result, finding, names=names, notes=notes)


# ------------------------------------------------------------------------ what is written


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (" a cat ", "a cat"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ('[{"x": 1,\t"y": 2}]', '[{"x": 1,\t"y": 2}]'),
        ("猫" * MAX_LETTERS, "猫" * MAX_LETTERS),
    ],
)
def test_annotation__a_text__is_kept_as_it_is_committed_to(text: str, kept: str) -> None:
    assert annotation(text) == kept


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (" \n ", "empty"),
        ("x" * (MAX_LETTERS + 1), f"at most {MAX_LETTERS} letters"),
        ("a\x1b[2J", "control character"),
        ("a\ud800", "control character"),
        ("a\x9bm", "control character"),
    ],
)
def test_annotation__no_text__refused(text: str, says: str) -> None:
    with pytest.raises(BountyError, match=says):
        annotation(text)


def test_log__texts__are_answers_and_travel_with_the_notes(tmp_path: Path) -> None:
    with AnswerLog(tmp_path / "answers.log") as log:
        log.write(3, "a cat", 2.0)
        log.answer(4, 0)
        log.write(4, "a dog")
        log.write(5, "a cow")
        log.answer(5, 0)
        log.write(6, "a bee")
        assert log.undo() == 6
    with AnswerLog(tmp_path / "answers.log") as log:
        assert log.texts == {3: "a cat", 4: "a dog"} and [*log.codes] == [3, 4, 5]
        assert log.codes[5] == 0
        assert log.to_notes() == {"seconds": {"3": 2.0}, "texts": {"3": "a cat", "4": "a dog"}}


def test_notes__as_long_as_they_may_be__fit_a_label_file() -> None:
    worst = {str(item): "\U0001f408" * MAX_LETTERS for item in range(256)}
    flags = {str(item): "\U0001f408" * MAX_NOTE for item in range(256)}
    seconds = {str(item): 3_599.9 for item in range(256)}
    notes = seal_notes(multiply(7), {"texts": worst, "flags": flags, "seconds": seconds})
    assert len(notes) + 256 * 32 + 1_000 < MAX_BYTES
    assert open_notes(multiply(7), notes)["texts"] == worst
    quotes = seal_notes(multiply(7), {"texts": {"1": '"\n\\' * 600}})
    assert len(quotes) < 4 * MAX_LETTERS


def test_notes__of_other_types__texts_are_left_out() -> None:
    assert Notes.read({"texts": {"1": "a", "x": "b", "2": 5}}).texts == {1: "a"}
    assert not Notes.read({"texts": ["a"]}).texts


# ------------------------------------------------------------------------------- results


def test_text_tables__each_label__is_written_skipped_or_missing(
    checked: tuple[Result, Finding, Tables],
) -> None:
    result, finding, tables = checked
    rows = tables.labels.to_pylist()
    assert len(rows) == 2 * ITEMS and not finding.problems
    for row in rows:
        said = word_on(row["item"], row["worker"])
        is_lost = row["worker"] == 1 and row["item"] in (4, 5)
        assert row["text"] == (None if is_lost else said or None)
        assert row["state"] == ("missing" if is_lost else "written" if said else "skipped")
        assert row["round"] == row["worker"] and row["name"] == f"n{row['item']}"
        assert row["seconds"] == (2.5 if row["item"] == 3 else None)
    items = tables.items.to_pylist()
    assert items[3]["texts"] == [word_on(3, 0), word_on(3, 1)] and items[3]["labels"] == 2
    assert items[4]["texts"] == [word_on(4, 0)] and items[4]["labels"] == 2
    workers = tables.workers.to_pylist()
    assert [row["missing"] for row in workers] == [0, 2]
    assert [int(row["paid_units"]) for row in workers] == [p.total for p in finding.payments]
    (line,) = text_warnings_of(tables)
    assert "2 texts did not come" in line and "worker 1: 2" in line
    summary = text_summary_of(tables)
    assert (summary["labels"], summary["missing"], summary["labeled"]) == (20, 2, ITEMS)
    assert result.texts.keys() == {0, 1}


def test_verify__result_with_texts__each_is_held_against_what_was_committed(
    checked: tuple[Result, Finding, Tables],
) -> None:
    result = checked[0]
    again = Result.from_json(result.to_json())
    assert again.to_json() == result.to_json() and again.texts == result.texts
    done = verify(again, Anchors.of(result.record))
    assert not done.problems and done.labels is None
    for texts, says in (
        ({0: result.texts[0] | {3: "a lie"}}, "worker 0 on item 3 is not what they committed"),
        ({0: {99: "of no item"}}, "worker 0 on item 99 is not"),
        ({7: {1: "of nobody"}}, "texts of worker 7, who has committed to none"),
    ):
        (problem,) = verify(replace(again, texts=texts)).problems
        assert says in problem
    value = json.loads(result.to_json())
    value["workers"]["0"]["texts"] = {"3": 5}
    with pytest.raises(BountyError, match="damaged"):
        Result.from_json(json.dumps(value).encode())


@pytest.mark.parametrize("name", FORMATS)
def test_export__texts__whole_or_refused_with_what_fits(
    checked: tuple[Result, Finding, Tables], tmp_path: Path, name: str
) -> None:
    labeled = Labeled(checked[2], (), "text", lambda n: Item.of_text(f"item {n}"), "Say it")
    if name in OF_CLASSES:
        with pytest.raises(ConfigError, match="is for classes, and these are texts; use parquet"):
            export(labeled, name, tmp_path)
        return
    assert all(path.exists() for path in export(labeled, name, tmp_path))
    said = word_on(3, 1)
    if name == "csv":
        assert json.dumps([word_on(3, 0), said], ensure_ascii=False).replace('"', '""') in (
            (tmp_path / "items.csv").read_text()
        )
    if name == "label-studio":
        task = json.loads((tmp_path / "label-studio.json").read_text())[3]
        assert task["annotations"][1]["result"][0]["value"] == {"text": [said]}
    if name == "argilla":
        record = json.loads((tmp_path / "argilla.jsonl").read_text().splitlines()[3])
        assert record["responses"]["text"][1]["value"] == said and not record["suggestions"]


# ----------------------------------------------------------------------------- collecting


class Holder:
    """A relay with label files."""

    def __init__(self, url: str, files: dict[int, LabelFile]) -> None:
        self.url, self._files = url, files

    def files(self, bounty_id: int) -> list[Any]:
        return [
            SimpleNamespace(worker=w, commitment=file.run.commitment, is_acknowledged=True)
            for w, file in self._files.items()
        ]

    def file(self, ref: object, worker: int, commitment: bytes) -> LabelFile:
        return self._files[worker]


def test_collector__relay_left_the_texts_out__said_and_taken_from_another(
    case: Case, tmp_path: Path
) -> None:
    told: list[str] = []
    bare = {0: replace(case.files[0], notes=b"")}
    relays = [Holder("http://bad.example", bare), Holder("http://good.example", case.files)]
    collector = Collector(
        cast(Any, None),
        Workspace(tmp_path),
        cast(Any, SimpleNamespace(scalar=SECRET)),
        [cast(RelayClient, relay) for relay in relays],
        sign=None,
        tell=lambda kind, text, about=None: told.append(text),
    )
    collector.collect(case.record, 5)
    collector.collect(case.record, 6)
    kept = {worker: LabelFile.from_bytes(data) for worker, data in Workspace(tmp_path).files()}
    assert {w: f.notes for w, f in kept.items()} == {w: f.notes for w, f in case.files.items()}
    assert ["http://bad.example" in text for text in told[:1]] == [True]
    assert [text.split()[2] for text in told] == ["http://bad.example", "http://good.example"]
    assert collector.last.received.keys() == {0, 1}


def collector(folder: Path, told: list[str]) -> Collector:
    return Collector(
        cast(Any, None),
        Workspace(folder),
        cast(Any, SimpleNamespace(scalar=SECRET)),
        [],
        sign=lambda message: typed.sign(message, RECEIVER_KEY),
        tell=lambda kind, text, about=None: told.append(text),
    )


def test_take__file_of_the_labeler__kept_and_signed_for_once_and_texts_may_follow(
    case: Case, tmp_path: Path
) -> None:
    told: list[str] = []
    mine = collector(tmp_path, told)
    bare = replace(case.files[0], notes=b"").to_bytes()
    mine.take(case.record, 0, bare)
    signature = acknowledgement_for(case.record, Workspace(tmp_path), 0)
    assert signature is not None
    assert is_acknowledged(case.record, case.record.commits.standing[0], signature)
    assert len(told) == 1 and "without all of their texts" in told[0]
    mine.take(case.record, 0, case.files[0].to_bytes())
    mine.take(case.record, 0, bare)  # what is better stays
    kept = Workspace(tmp_path).file(0)
    assert kept is not None and LabelFile.from_bytes(kept).notes == case.files[0].notes
    again = collector(tmp_path, told)
    again.collect(case.record, 5)
    assert again.last.received.keys() == {0} and not again.last.silent


def test_take__not_what_stands__refused_and_nothing_is_kept(case: Case, tmp_path: Path) -> None:
    mine = collector(tmp_path, [])
    other = case.files[1].to_bytes()
    with pytest.raises(BountyError, match="of worker 1, not of 0"):
        mine.take(case.record, 0, other)
    bent = replace(case.files[0], run=replace(case.files[0].run, root=bytes(32)))
    with pytest.raises(BountyError, match="not what stands on chain"):
        mine.take(case.record, 0, bent.to_bytes())
    with pytest.raises(BountyError, match="no label file"):
        mine.take(case.record, 0, b"rubbish")
    early = replace(case.record, commits=Commits([]))
    with pytest.raises(BountyError, match="not what stands on chain"):
        mine.take(early, 0, case.files[0].to_bytes())
    assert not [*Workspace(tmp_path).files()] and not Workspace(tmp_path).acknowledged()


def test_codes__texts_and_skips__are_hashes_and_zero(case: Case) -> None:
    opened = open_with_key(case.record.scheme(0), case.files[0].run, SECRET, 3)
    items = case.record.assignment.items_of(0, 3).tolist()
    for item, code in zip(items, opened.codes, strict=True):
        text = "" if item == NO_ITEM else word_on(item, 0)
        assert bytes(code) == annotation_code(text)
    assert annotation_code("") == SKIPPED == bytes(np.zeros(32, np.uint8))
