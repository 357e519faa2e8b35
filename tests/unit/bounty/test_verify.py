# SPDX-License-Identifier: Apache-2.0
"""Results of bounties: written, read, and checked from scratch."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.utils import bounty_reference as ref
from tests.utils.bounties import SECRET, Case, make_case, make_terms
from truthmark.bounty.commits import Commit, Commits
from truthmark.bounty.gold import Gold
from truthmark.bounty.payouts import Status, chunks_to_pay, payments
from truthmark.bounty.result import Result
from truthmark.bounty.roster import Roster, Row, gap
from truthmark.bounty.score import NOT_DELIVERED, UNREADABLE
from truthmark.bounty.verify import Anchors, labels_of, verify, votes_of
from truthmark.errors import BountyError
from truthmark.keys.curve import add, multiply
from truthmark.labels.goldw import NONE
from truthmark.types import Point

SHAPE: dict[str, Any] = {"items": 400, "batch": 20, "gold_count": 100, "runs": (5, 10)}


def finished(rng: random.Random, status: Status | None = None, **fixed: Any) -> tuple[Case, Result]:
    """Return a bounty of sound terms that has ended, and its result."""
    case = make_case(rng, **SHAPE | fixed)
    items, answers = np.array(case.plain["gold"]).T
    gold = Gold(items, answers)
    # A run of the drawn roster may be shorter than the terms allow.
    rows = [
        row if case.record.committed[w] or row.is_gap else gap(row.seats)
        for w, row in enumerate(case.record.roster.rows)
    ]
    smallest = min(row.seats for row in rows if not row.is_gap)
    terms = replace(
        case.record.terms,
        gold_count=len(gold),
        gold_commitment=gold.commitment(b"\5" * 32),
        min_run=min(5, smallest),
        bond=10**6,
    )
    if smallest < 5:
        return finished(rng, status, **fixed)
    record = replace(case.record, terms=terms, roster=Roster([rows[:3], rows[3:]]))
    case = Case(case.plain, record, case.runs, case.secrets)
    score = case.true_score
    end = status or (Status.HALF if score.is_half else Status.SETTLED)
    posted = score if end in (Status.SETTLED, Status.HALF) else None
    record = replace(record, score=posted, status=end)
    shared = {worker: multiply(SECRET, run.point) for worker, run in case.runs.items()}
    return case, Result(record, case.runs, shared, gold, b"\5" * 32)


@pytest.mark.untraced
def test_verify__true_result__has_no_problem_and_makes_labels() -> None:
    rng = random.Random(4)
    steps: list[tuple[int, int]] = []
    for number in range(6):
        case, result = finished(rng, skill=1.0 if number else 0.8)
        again = Result.from_json(result.to_json())
        assert again.to_json() == result.to_json()
        done = verify(again, Anchors.of(result.record), progress=lambda *step: steps.append(step))
        assert not done.problems
        assert steps[-1] == (len(case.runs), len(case.runs))
        assert done.opened.keys() == case.runs.keys()
        paid = result.record.payments()
        plain = [(p.worker, p.payee.lower(), p.total, p.withheld) for p in paid]
        mine = [(p.worker, p.payee.lower(), p.total, p.withheld) for p in done.payments]
        assert mine == plain and len(paid) == len(case.runs)
        assert done.labels is not None
        gold = dict(case.plain["gold"])
        labels = done.labels.labels.tolist()
        assert all(labels[item] == answer for item, answer in gold.items())
        assert len(labels) == 400 and labels.count(NONE) < 40


def test_votes_of__all_workers__are_their_codes_by_item() -> None:
    case, result = finished(random.Random(6))
    votes = votes_of(result.record, case.opened)
    assert votes is not None
    plain, found = case.plain, set()
    starts = [sum(row["seats"] for row in plain["roster"][:w]) for w in range(len(plain["roster"]))]
    for item in range(400):
        for k in range(3):
            seat, index = ref.seat_of(plain["seed"], 400, 20, item, k)
            holder = ref.holder_of(plain["roster"], seat)
            if holder is not None and holder[1] < plain["committed"][holder[0]]:
                code = plain["labels"][holder[0]][(seat - starts[holder[0]]) * 20 + index]
                found.add((item, holder[0], min(code, 2), k))
    mine = list(
        zip(votes.items.tolist(), votes.workers.tolist(), votes.labels.tolist(), strict=True)
    )
    assert sorted(mine) == sorted(entry[:3] for entry in found)


def tampered(result: Result) -> dict[str, tuple[Result, str]]:
    record, worker = result.record, next(iter(result.runs))
    score, run = record.score, result.runs[worker]
    assert score is not None
    lines = score.lines.copy()
    lines[worker] = 7
    entries = score.entries.copy()
    entries[entries < 2] ^= 1
    shared = dict(result.shared)
    shared[worker] = add(shared[worker], multiply(1))
    off = dict(result.shared) | {worker: Point(1, 1)}
    flipped = bytes([run.sealed[0] ^ 128]) + run.sealed[1:]
    runs = dict(result.runs) | {worker: replace(run, sealed=flipped)}
    beyond = Commit(worker, 63, b"\1" * 32)
    other = Gold(score.gold.items, 1 - score.gold.answers)
    return {
        "line": (
            replace(result, record=replace(record, score=replace(score, lines=lines))),
            "lies",
        ),
        "entries": (
            replace(result, record=replace(record, score=replace(score, entries=entries))),
            "lies",
        ),
        "S": (replace(result, shared=shared), "do not open"),
        "no point": (replace(result, shared=off), "no point"),
        "sealed": (replace(result, runs=runs), "not those committed"),
        "gold": (
            replace(result, record=replace(record, score=replace(score, gold=other))),
            "not what the requester committed",
        ),
        "short": (
            replace(result, record=replace(record, score=replace(score, lines=score.lines[:-1]))),
            "not one line",
        ),
        "half": (replace(result, record=replace(record, status=Status.HALF)), "says otherwise"),
        "seed": (replace(result, record=replace(record, seed=b"\1" * 32)), "seed"),
        "status": (replace(result, record=replace(record, status=Status.FLAT)), "status"),
        "terms": (
            replace(result, record=replace(record, terms=replace(record.terms, price=1))),
            "terms hash",
        ),
        "roster": (
            replace(result, record=replace(record, roster=Roster([record.roster.rows]))),
            "roster",
        ),
        "committed": (
            replace(result, record=replace(record, commits=Commits([[beyond]]))),
            "do not hold",
        ),
    }


@pytest.mark.parametrize("name", list(tampered(finished(random.Random(4))[1])))
def test_verify__tampered_result__is_found_out(name: str) -> None:
    _, result = finished(random.Random(4))
    changed, why = tampered(result)[name]
    by_chain = name in ("seed", "status", "terms", "roster")
    found = verify(changed, Anchors.of(result.record) if by_chain else None)
    assert any(why in problem for problem in found.problems), found.problems
    assert found.labels is None and not found.payments


def test_verify__labels_that_the_score_calls_unreadable__are_left_out_and_told() -> None:
    case, result = finished(random.Random(4))
    record, worker = result.record, next(iter(result.runs))
    score = record.make_score(
        gold=record.require_score().gold,
        salt=record.require_score().salt,
        codes={w: run.codes for w, run in case.opened.items() if w != worker},
        marks={worker: UNREADABLE},
    )
    shared = dict(result.shared) | {worker: multiply(5)}
    scored = replace(record, score=score)
    found = verify(replace(result, record=scored, shared=shared))
    assert not found.problems and found.labels is not None
    assert f"the labels of worker {worker} do not open to what they committed to" in found.warnings
    assert worker not in found.opened
    # Before there is a score, nobody has said anything else of them.
    unscored = replace(record, score=None, status=Status.LABEL)
    assert verify(replace(result, record=unscored, shared=shared)).labels is not None


def test_verify__without_what_opens_labels__checks_the_rest_and_says_so() -> None:
    _, result = finished(random.Random(4))
    found = verify(replace(result, shared={}))
    assert not found.problems and found.payments and found.labels is None
    assert "cannot be checked with what is here" in found.warnings[-1]


@pytest.mark.parametrize("status", [Status.FLAT, Status.PROVEN])
def test_verify__flat__pays_all_in_full_with_shares_of_the_bond(status: Status) -> None:
    case, result = finished(random.Random(4), status)
    found = verify(result, Anchors.of(result.record))
    assert not found.problems and found.labels is not None
    record = result.record
    left = 10**6 - (record.terms.reward if status is Status.PROVEN else 0)
    share = left // int(record.roster.runs.sum())
    for payment in found.payments:
        labels = ref.labels_in(
            400,
            20,
            int(record.roster.starts[payment.worker]),
            int(record.committed[payment.worker]),
        )
        assert payment.price == 1_000 * labels and payment.withheld == 0
        assert payment.bond == share * int(record.committed[payment.worker])
        assert payment.total == payment.price + payment.bond
    # Where the file does not tell of the gold, all weigh the same.
    unknown = replace(result, gold=None)
    labels = labels_of(unknown, case.opened)
    assert labels is not None and len(set(labels.weights.tolist())) == 1
    assert not verify(unknown).problems


def test_payments__before_the_end_or_without_lines__are_refused() -> None:
    _, result = finished(random.Random(4))
    record = result.record

    def pay(status: Status, **changed: Any) -> Any:
        arguments: dict[str, Any] = {
            "terms": record.terms,
            "roster": record.roster,
            "committed": record.committed,
            "status": status,
            "score": record.score,
        }
        return payments(**arguments | changed)

    with pytest.raises(BountyError, match="wait for its end"):
        pay(Status.SCORED)
    with pytest.raises(BountyError, match="lines are missing"):
        pay(Status.SETTLED, score=None)
    assert {payment.total for payment in pay(Status.REFUNDED)} == {0}
    assert record.score is not None
    marked = record.score.lines.copy()
    marked[:] = 2**22 + 1  # no mark, and nobody disproved it
    marked[int(np.flatnonzero(record.committed)[0])] = NOT_DELIVERED
    paid = pay(Status.SETTLED, score=replace(record.score, lines=marked))
    assert paid[0].price == 0 and all(payment.withheld == 0 for payment in paid[1:])
    team = make_terms(items=400, batch=20, gold_count=0, full=0, bond=0, reward=0)
    paid = pay(Status.SETTLED, terms=team, score=replace(record.score, lines=marked))
    assert paid[0].price == 0 and all(payment.withheld == 0 for payment in paid[1:])


def test_chunks_to_pay__many_rows__show_where_they_stand() -> None:
    rows = [Row("0x" + f"{w + 1:040x}", "0x" + "aa" * 20, 1 + w % 3) for w in range(100)]
    roster = Roster([rows[:10], rows[10:]])
    evidence = chunks_to_pay(roster, 1, 1, None)
    assert evidence.first_worker == 42 and evidence.first_seat == sum(
        row.seats for row in rows[:42]
    )
    assert evidence.rows == roster.chunks(1)[1:] and evidence.heads == roster.heads(1)
    assert evidence.judged == bytes(32) and evidence.lines == b""
    _, result = finished(random.Random(4))
    score = result.record.score
    assert score is not None
    evidence = chunks_to_pay(result.record.roster, 0, 0, score)
    assert (evidence.judged, evidence.lines) == (score.judged, score.pack_lines())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda value: value.pop("terms"),
        lambda value: value["terms"].pop("price"),
        lambda value: value["terms"].update(relay=str(2**160)),
        lambda value: value["terms"].update(salt="0x12"),
        lambda value: value.update(format="something"),
        lambda value: value.update(seed="12"),
        lambda value: value.update(seed="xy"),
        lambda value: value.update(status="DONE"),
        lambda value: value["score"].update(entries="00"),
        lambda value: value["roster"].__setitem__(0, "0102"),
        lambda value: value["commits"].append("0102"),
        lambda value: value["overrides"].append("0102"),
        lambda value: value["gold"].update(items="0102"),
        lambda value: value["workers"].update({"0": {"root": "00" * 32, "sealed": "00" * 40}}),
        lambda value: value.update(workers=[]),
    ],
)
def test_from_json__what_is_no_result__is_refused(spoil: Callable[[Any], Any]) -> None:
    _, result = finished(random.Random(4))
    value = json.loads(result.to_json())
    spoil(value)
    with pytest.raises(BountyError):
        Result.from_json(json.dumps(value).encode())
    with pytest.raises(BountyError):
        Result.from_json(b"\xff")


def test_verify__doubled_signer_and_malformed_gold__are_told() -> None:
    _, result = finished(random.Random(4), Status.FLAT)
    record, gold = result.record, result.gold
    assert gold is not None
    doubled = "0x" + "77" * 20
    rows = [row if row.is_gap else replace(row, signer=doubled) for row in record.roster.rows]
    found = verify(replace(result, record=replace(record, roster=Roster([rows]))))
    assert any("more than once" in warning for warning in found.warnings)
    one = Gold(gold.items, np.zeros_like(gold.answers))
    terms = replace(record.terms, gold_commitment=one.commitment(b"\5" * 32))
    found = verify(replace(result, record=replace(record, terms=terms), gold=one))
    assert any("malformed" in problem for problem in found.problems)
    short = Roster([[replace(row, payee="0x" + "00" * 20) for row in record.roster.rows]])
    found = verify(replace(result, record=replace(record, roster=short)))
    assert any("pay nobody" in problem for problem in found.problems)
    # Labels of somebody who committed nothing.
    stray = next(w for w in range(len(record.roster)) if not record.committed[w])
    run = next(iter(result.runs.values()))
    found = verify(replace(result, runs={**result.runs, stray: run}, shared=result.shared))
    assert any("not those committed" in problem for problem in found.problems)
    # A posting relay may bring nothing, and a posted bounty no runs.
    assert verify(replace(result, runs={}, shared={})).labels is None
