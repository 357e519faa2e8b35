# SPDX-License-Identifier: Apache-2.0
"""A bounty's result as tables: a row a label, a row an item, a row a worker.

What can be checked is in the result file (`result`); these are made of it, and of what only the
requester has: the names of items, seconds and remarks. Each table says in its metadata of which
bounty it is and how its labels were found.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from truthmark.arrow import pa, pc
from truthmark.bounty.assignment import NO_ITEM
from truthmark.bounty.record import Record
from truthmark.bounty.result import Result
from truthmark.bounty.score import NOT_DELIVERED, UNREADABLE
from truthmark.bounty.verify import Finding, verdict_of, votes_of
from truthmark.errors import BountyError
from truthmark.labels.goldw import NONE, Votes
from truthmark.labels.scoring import ONE, Verdict
from truthmark.text import plural

if TYPE_CHECKING:
    import pandas as pd

METHOD: Final = "goldw-v2"
LEAST_SHARE: Final = 0.15
"""A class that is rarer than this is found better when its share is known."""
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Notes:
    """What a worker told the requester beside their labels.

    Attributes:
        seconds: What each item took, by item.
        flags: Remarks, by item.
        texts: What they wrote, by item, where a label is a text.
    """

    seconds: Mapping[int, float] = field(default_factory=dict)
    flags: Mapping[int, str] = field(default_factory=dict)
    texts: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def read(cls, notes: Mapping[str, Any]) -> "Notes":
        """Read what `label_file.open_notes` gave; what is of another type is left out."""
        seconds, flags, texts = (notes.get(name) for name in ("seconds", "flags", "texts"))
        return cls(
            {
                int(item): float(value)
                for item, value in (seconds if isinstance(seconds, dict) else {}).items()
                if item.isdecimal() and isinstance(value, int | float) and 0 <= value < 86_400
            },
            {
                int(item): str(text)[:500]
                for item, text in (flags if isinstance(flags, dict) else {}).items()
                if item.isdecimal()
            },
            {
                int(item): text
                for item, text in (texts if isinstance(texts, dict) else {}).items()
                if item.isdecimal() and isinstance(text, str)
            },
        )


@dataclass(frozen=True, slots=True)
class Tables:
    """A result for people and programs.

    Attributes:
        labels: A row a label: item, name, worker, round, label (null for a skip), seconds, flag.
        items: A row an item: item, name, label, margin, confidence, labels that were given, share
            of them that agree, whether the label is the requester's gold.
        workers: A row a worker: signer, payee, labels, right and wrong on gold, weight, pay.
        provenance: Of which bounty, and how.
    """

    labels: "pa.Table"
    items: "pa.Table"
    workers: "pa.Table"
    provenance: dict[str, str]


def tables_of(
    result: Result,
    finding: Finding,
    *,
    classes: Sequence[str],
    names: Sequence[str] = (),
    notes: Mapping[int, Notes] | None = None,
) -> Tables:
    """Return a checked result as tables.

    Args:
        result: The bounty.
        finding: What checking it found.
        classes: Their names, by number.
        names: Of the items; their numbers if there are none.
        notes: By worker, what they told beside.

    Raises:
        BountyError: There are no labels, or codes are hashes.
    """
    record, opened = result.record, finding.opened
    answers = answers_of(result, finding)
    votes = answers.votes
    if finding.labels is None or not len(votes.items):
        raise BountyError("there are no labels to make tables of; wait until some came")
    called = list(names) or [str(number) for number in range(record.terms.items)]
    words = np.array([*classes, None], object)
    notes = notes or {}
    rounds = _rounds(result, opened)
    told = [
        (notes[w].seconds.get(i), notes[w].flags.get(i)) if w in notes else (None, None)
        for i, w in zip(votes.items.tolist(), votes.workers.tolist(), strict=True)
    ]
    provenance = provenance_of(result)
    labels = pa.table(
        {
            "item": pa.array(votes.items, pa.int32()),
            "name": pa.array([called[i] for i in votes.items.tolist()], pa.string()),
            "worker": pa.array(votes.workers, pa.int32()),
            "round": pa.array(rounds, pa.int8()),
            "label": pa.array(words[votes.labels], pa.string()),
            "seconds": pa.array([seconds for seconds, _ in told], pa.float64()),
            "flag": pa.array([flag for _, flag in told], pa.string()),
        }
    )
    return Tables(
        stamped(labels.sort_by([("item", "ascending"), ("round", "ascending")]), provenance),
        stamped(_items(result, finding, answers, words, called), provenance),
        stamped(_workers(result, finding, answers), provenance),
        provenance,
    )


def provenance_of(result: Result) -> dict[str, str]:
    """Return of which bounty labels are, and how they were found."""
    record = result.record
    return {
        "truthmark.bounty": str(record.ref.bounty_id),
        "truthmark.board": record.ref.board,
        "truthmark.chain_id": str(record.ref.chain_id),
        "truthmark.terms": "0x" + record.terms.hash.hex(),
        "truthmark.document": "0x" + record.terms.document.hex(),
        "truthmark.status": record.status.name,
        "truthmark.method": METHOD,
    }


def stamped(table: "pa.Table", provenance: Mapping[str, str]) -> "pa.Table":
    """Return a table that says in its metadata of which bounty it is.

    Args:
        table: Labels or items.
        provenance: Bounty, and what its figures rest on.
    """
    return table.replace_schema_metadata(
        {name.encode(): value.encode() for name, value in provenance.items()}
    )


def _rounds(result: Result, opened: Mapping[int, Any]) -> "np.ndarray[Any, Any]":
    """Return the round of each label, in the order of `votes_of`."""
    record = result.record
    found = [np.zeros(0, np.int64)]
    for worker, run in opened.items():
        start = int(record.roster.starts[worker])
        mine = record.assignment.items_of(start, run.seats)
        count = int((mine != NO_ITEM).sum())
        found.append(np.full(count, start // record.terms.per_round, np.int64))
    return np.concatenate(found)


def _items(
    result: Result,
    finding: Finding,
    answers: "Answered",
    words: "np.ndarray[Any, Any]",
    names: Sequence[str],
) -> "pa.Table":
    record, labels, votes = result.record, finding.labels, answers.votes
    assert labels is not None  # `tables_of` has checked
    count, classes = record.terms.items, record.terms.classes
    real = votes.labels < classes
    tally = np.zeros((count, classes), np.int64)
    np.add.at(tally, (votes.items[real], votes.labels[real]), 1)
    given = tally.sum(1)
    chosen = np.maximum(labels.labels, 0)
    agreeing = tally[np.arange(count), chosen]
    verdict = answers.verdict
    is_gold = np.zeros(count, bool)
    is_gold[result.known_gold().items] = True if verdict is None else ~verdict.excluded
    with np.errstate(invalid="ignore", divide="ignore"):
        agreement = np.where(given > 0, agreeing / np.maximum(given, 1), np.nan)
    none = (labels.labels == NONE) | (labels.labels >= classes)
    return pa.table(
        {
            "item": pa.array(np.arange(count), pa.int32()),
            "name": pa.array(list(names), pa.string()),
            "label": pa.array(words[np.where(none, classes, chosen)], pa.string()),
            "margin": pa.array(labels.margins, pa.int64()),
            "confidence": pa.array(_confidence(count, answers).round(4), from_pandas=True),
            "labels": pa.array(given, pa.int16()),
            "agreement": pa.array(agreement.round(4), from_pandas=True),
            "is_gold": pa.array(is_gold),
        }
    )


def _confidence(count: int, answers: "Answered") -> "np.ndarray[Any, Any]":
    """Return how likely each label is right, fitted on gold; not a number without enough of it."""
    from truthmark.labels.confidence import LEAST_GOLD, calibrated_confidence

    unknown = np.full(count, np.nan)
    data, gold = answers.data, answers.gold
    if len(gold) < LEAST_GOLD or data.empty:
        return unknown
    known = gold[gold.index.isin(data["task"])]
    if len(known) < LEAST_GOLD:
        return unknown
    found = calibrated_confidence(data, known)
    unknown[found.index.to_numpy()] = found.to_numpy()
    return unknown


@dataclass(frozen=True, slots=True)
class Answered:
    """What was answered.

    Attributes:
        votes: All labels as arrays.
        verdict: What they say of the gold; None without gold.
        data: Labels that are no skips, for `truthmark.labels`.
        gold: The gold that was kept, likewise.
    """

    votes: Votes
    verdict: Verdict | None
    data: "pd.DataFrame"
    gold: "pd.Series[Any]"


def answers_of(result: Result, finding: Finding) -> Answered:
    """Return what was answered in a bounty.

    Args:
        result: What was downloaded or kept.
        finding: What checking it found.

    Raises:
        BountyError: Codes are hashes.
    """
    import pandas as pd

    record = result.record
    votes = votes_of(record, finding.opened)
    if votes is None:
        raise BountyError("labels that are hashes of annotations have no classes to count")
    real = votes.labels < record.terms.classes
    data = pd.DataFrame(
        {
            "task": votes.items[real],
            "worker": votes.workers[real],
            "label": pd.Categorical(votes.labels[real], categories=range(record.terms.classes)),
        }
    )
    gold, verdict = result.known_gold(), verdict_of(result, finding.opened)
    kept = np.ones(len(gold), bool) if verdict is None else verdict.kept
    return Answered(votes, verdict, data, pd.Series(gold.answers[kept], index=gold.items[kept]))


def _workers(result: Result, finding: Finding, answers: Answered) -> "pa.Table":
    record, terms = result.record, result.record.terms
    data, gold = answers.data, answers.gold
    on_gold = data[data["task"].isin(gold.index)]
    is_right = on_gold["label"].to_numpy() == gold.reindex(on_gold["task"]).to_numpy()
    rows = len(record.roster)
    answered = np.bincount(on_gold["worker"], minlength=rows)
    right = np.bincount(on_gold["worker"][is_right], minlength=rows)
    given = np.bincount(data["worker"], minlength=rows)
    paid = {payment.worker: payment for payment in finding.payments}
    workers = np.flatnonzero(record.committed).tolist()
    score, marks = record.score, marks_of(record)
    lines = [int(score.lines[w]) if score is not None else None for w in workers]
    weights = finding.labels.weights if finding.labels is not None else np.zeros(rows, np.int64)
    is_scored = score is not None and not score.is_half and not terms.is_team
    return pa.table(
        {
            "worker": pa.array(workers, pa.int32()),
            "signer": [record.roster.rows[w].signer for w in workers],
            "payee": [record.roster.rows[w].payee for w in workers],
            "labels": pa.array(given[workers], pa.int32()),
            "gold": pa.array(answered[workers], pa.int32()),
            "gold_right": pa.array(right[workers], pa.int32()),
            "weight": pa.array(weights[workers], pa.int64()),
            "share_of_price": pa.array(
                [
                    min(line, ONE) / ONE
                    if is_scored and line is not None and w not in marks
                    else None
                    for w, line in zip(workers, lines, strict=True)
                ],
                pa.float64(),
            ),
            "mark": pa.array([marks.get(w, "") for w in workers], pa.string()),
            "paid_units": pa.array(
                [str(paid[w].total) if w in paid else None for w in workers], pa.string()
            ),
        }
    )


def marks_of(record: Record) -> dict[int, str]:
    """Return by worker the mark of the score, of those who have one."""
    if record.score is None:
        return {}
    words = {NOT_DELIVERED: "not delivered", UNREADABLE: "unreadable"}
    lines = enumerate(record.score.lines.tolist())
    return {worker: words[line] for worker, line in lines if line in words}


def warnings_of(result: Result, finding: Finding, classes: Sequence[str]) -> list[str]:
    """Return what a requester should look at before trusting the labels, a line each.

    Accounts whose errors coincide, accounts that do better on gold than elsewhere, and classes so
    rare that their share should be told.

    Args:
        result: The bounty.
        finding: What checking it found.
        classes: Their names.
    """
    import pandas as pd

    from truthmark.labels.accounts import better_on_gold, coinciding_errors

    if finding.labels is None or result.record.terms.classes == 0:
        return []
    answers = answers_of(result, finding)
    data, gold = answers.data, answers.gold
    if data.empty:
        return []
    lines = []
    labels = finding.labels.labels
    known = np.flatnonzero(labels != NONE)
    best = pd.Series(labels[known], index=known)
    alike = coinciding_errors(data, best[best.index.isin(data["task"])])
    for _, group in alike.groupby("group"):
        people = sorted({*group["worker"].tolist(), *group["other"].tolist()})
        lines.append(
            f"the errors of {plural(len(people), 'account')} coincide more than chance explains"
            f" (workers {_listed(people)}); they may be one person or one model"
        )
    on_gold = gold[gold.index.isin(data["task"])]
    if len(on_gold):
        better = better_on_gold(data, on_gold)
        for worker, row in better.iterrows():
            lines.append(
                f"worker {worker} agrees with others in {row['agreed_gold']:.0%} on gold and"
                f" {row['agreed']:.0%} elsewhere; they may know the gold"
            )
    found = np.bincount(labels[known], minlength=len(classes)) / max(1, len(known))
    rare = [
        f"{name} is only {found[number]:.1%}"
        for number, name in enumerate(classes)
        if 0 < found[number] < LEAST_SHARE * 2 / len(classes)
    ]
    if rare:
        lines.append(
            f"{_listed(rare)} of all labels; where you know how often it is, tell it (`truthmark"
            " labels aggregate --shares`), and rare ones are found better"
        )
    return lines


def _listed(people: Sequence[Any]) -> str:
    more = f" and {len(people) - _SHOWN} more" if len(people) > _SHOWN else ""
    return ", ".join(map(str, people[:_SHOWN])) + more


def summary_of(tables: Tables) -> dict[str, Any]:
    """Return how many labels of each class there are, and how sure they are, as JSON values."""
    items = tables.items
    counts = (
        items.filter(pc.is_valid(items["label"])).group_by("label").aggregate([([], "count_all")])
    )
    margins = items["margin"].to_numpy()
    unsure = np.argsort(margins, kind="stable")[:_SHOWN].tolist()
    names, labels = (items[column].take(unsure).to_pylist() for column in ("name", "label"))
    return {
        "items": items.num_rows,
        "labeled": items.num_rows - items["label"].null_count,
        "labels": tables.labels.num_rows,
        "workers": tables.workers.num_rows,
        "classes": dict(
            sorted(zip(counts["label"].to_pylist(), counts["count_all"].to_pylist(), strict=True))
        ),
        "least_margins": unsure,
        "least_sure": [
            {"name": name, "label": label} for name, label in zip(names, labels, strict=True)
        ],
    }
