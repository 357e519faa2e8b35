# SPDX-License-Identifier: Apache-2.0
"""Bounties without gold: everyone who delivers is paid, and marks are all that a score says."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.utils import bounty_reference as ref
from tests.utils.bounties import REF, SECRET, make_terms, prove
from truthmark.bounty.commits import Commit, Commits
from truthmark.bounty.gold import Gold
from truthmark.bounty.lies import Knowledge, Lie, find_lies
from truthmark.bounty.payouts import Status, payments
from truthmark.bounty.proofs import NotProvenError, ProofKind
from truthmark.bounty.record import Record
from truthmark.bounty.result import Result
from truthmark.bounty.roster import Roster, Row
from truthmark.bounty.score import NOT_DELIVERED, UNREADABLE, Score
from truthmark.bounty.sealing import Codes, SealedRun, open_with_key, seal
from truthmark.bounty.verify import verify, votes_of
from truthmark.errors import BountyError
from truthmark.keys.curve import multiply

NO_GOLD = Gold(np.zeros(0, np.int64), np.zeros(0, np.int64))
TEAM: dict[str, Any] = {
    "gold_count": 0,
    "gold_commitment": bytes(32),
    "full": 0,
    "bond": 0,
    "reward": 0,
    "rounds": 1,
    "min_seats": 1,
    "max_run": 10,
}


def team(classes: int) -> tuple[Record, dict[int, SealedRun], dict[int, Codes]]:
    terms = make_terms(**TEAM | ({"classes": classes} if classes else {"classes": 0, "batch": 5}))
    rows = [Row(f"0x{w:040x}", f"0x{w + 9:040x}", 5) for w in range(1, 4)]
    record = Record(
        REF, terms, b"\x09" * 32, Roster([rows]), Commits([]), frozenset(), Status.SETTLED
    )
    rng, runs, codes = np.random.default_rng(0), {}, {}
    for worker in range(2):
        count = 5 * terms.batch
        shape = (count,) if classes else (count, 32)
        codes[worker] = rng.integers(0, classes or 256, shape).astype(np.uint8)
        runs[worker] = seal(
            record.scheme(worker), secret=worker + 7, key=terms.key, codes=codes[worker]
        )
    commits = Commits([[Commit(w, 5, run.commitment) for w, run in runs.items()]])
    return replace(record, commits=commits), runs, codes


def scored(record: Record, codes: dict[int, Codes], marks: dict[int, int]) -> Score:
    return record.make_score(
        gold=NO_GOLD,
        salt=bytes(32),
        codes={worker: code for worker, code in codes.items() if worker not in marks},
        marks=marks,
    )


@pytest.mark.parametrize("classes", [0, 2, 7])
def test_team__all_fine__is_paid_in_full_and_verified(classes: int) -> None:
    record, runs, codes = team(classes)
    score = scored(record, codes, {})
    assert not score.is_half and score.lines.tolist() == [0, 0, 0]
    assert score.entry_chunks() == score.gold_chunks() == score.heads == []
    plain = {"half": "", "kept": [], "classes": 0, "weights": []}
    assert score.hash == ref.score_hashes([], [], plain, [0, 0, 0])["score"]
    record = replace(record, score=score)
    shared = {worker: multiply(SECRET, run.point) for worker, run in runs.items()}
    result = Result(record, runs, shared)
    found = verify(Result.from_json(result.to_json()))
    assert not found.problems and not found.warnings
    assert [payment.withheld for payment in found.payments] == [0, 0]
    assert (found.labels is None) == (classes == 0)
    assert (votes_of(record, found.opened) is None) == (classes == 0)
    assert not list(find_lies(record, Knowledge(found.opened)))


def test_team__false_marks__are_disproved_and_lines_are_no_lies() -> None:
    record, runs, codes = team(2)
    opened = {w: open_with_key(record.scheme(w), run, SECRET, 5) for w, run in runs.items()}
    score = scored(record, codes, {0: NOT_DELIVERED, 1: UNREADABLE})
    record = replace(record, score=score, posted=frozenset({0}), status=Status.SCORED)
    lies = list(find_lies(record, Knowledge(opened, {}, {1: 8})))
    assert [(lie.kind, lie.worker) for lie in lies] == [
        (ProofKind.DELIVERED, 0),
        (ProofKind.READABLE, 1),
    ]
    for lie in lies:
        prove(record, lie)
    paid = payments(
        terms=record.terms,
        roster=record.roster,
        committed=record.committed,
        status=Status.SETTLED,
        score=score,
    )
    assert [payment.price for payment in paid] == [0, 0]
    line = {
        "worker": 0,
        "gold": [],
        "entries": [],
        "verdict": score.verdict_struct(),
        "lines": score.pack_lines(),
        "roster": record.roster.evidence(0),
    }
    with pytest.raises(NotProvenError, match="team mode"):
        prove(record, Lie(ProofKind.LINE, 0, "", line))


def test_make_score__labels_and_marks__are_given_for_each_who_committed() -> None:
    record, _, codes = team(2)
    for mine, marks in (({0: codes[0]}, {}), (codes, {0: NOT_DELIVERED})):
        with pytest.raises(BountyError, match="give their labels, or a mark"):
            record.make_score(
                gold=NO_GOLD,
                salt=bytes(32),
                codes=mine,
                marks=marks,
            )
    assert scored(record, codes, {1: UNREADABLE}).lines.tolist() == [0, UNREADABLE, 0]


def test_from_posted__score_of_another_length__is_refused() -> None:
    record, _, _ = team(2)
    for entries, lines in (([b"\0"], b""), ([], b"\0")):
        with pytest.raises(BountyError, match="another length"):
            Score.from_posted(
                terms=record.terms, salt=bytes(32), gold=b"", entries=entries, lines=lines
            )
