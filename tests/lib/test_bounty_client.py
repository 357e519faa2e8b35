# SPDX-License-Identifier: Apache-2.0
"""Whole bounties on anvil, through the library alone."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.utils.bounty_chain import PAYEES, SIGNERS, Bounty, flip
from tests.utils.devnets import net
from truthmark.bounty import reader
from truthmark.bounty.client import BountyClient
from truthmark.bounty.flows.paying import pay_all
from truthmark.bounty.gold import Gold
from truthmark.bounty.lies import Knowledge, Lie, find_lies
from truthmark.bounty.payouts import Status
from truthmark.bounty.proofs import NotProvenError
from truthmark.bounty.record import Record
from truthmark.bounty.result import Result
from truthmark.bounty.score import NOT_DELIVERED, UNREADABLE, Score
from truthmark.errors import BountyError, RevertedError
from truthmark.testing.network import Devnet

__all__ = ["net"]

pytestmark = pytest.mark.chain


def finish(bounty: Bounty, before: list[int], expected: Status) -> Record:
    bounty.stranger.payout(bounty.stranger.read(bounty.number))
    record = bounty.stranger.read(bounty.number)
    assert record.status is expected
    gained = [now - then for now, then in zip(bounty.balances(), before, strict=True)]
    by_worker = {payment.worker: payment.total for payment in record.payments()}
    assert gained == [by_worker[worker] for worker in range(6)]
    return record


def test_bounty__honest_score__settles_and_verifies_against_the_chain(
    net: Devnet, tmp_path: Path
) -> None:
    bounty = Bounty(net, tmp_path)
    bounty.enroll()
    signed = bounty.commit_all()
    opened = bounty.opened(signed)
    score = bounty.true_score(opened)
    record = bounty.requester.read(bounty.number)
    with pytest.raises(BountyError, match="not what the terms commit to"):
        bounty.requester.score(record, replace(score, salt=bytes(32)))
    bounty.requester.score(record, score)
    record = bounty.stranger.read(bounty.number)
    assert record.score is not None and record.score.hash == score.hash
    assert (record.status, record.posted) == (Status.SCORED, frozenset({2, 4}))
    assert not list(find_lies(record, Knowledge(opened)))
    honest = Lie(1, 0, "", _evidence_of_truth(record))  # type: ignore[arg-type]
    with pytest.raises(NotProvenError):
        bounty.stranger.prove(record, honest)
    with pytest.raises(BountyError, match="has not ended; pay it out after"):
        pay_all(bounty.stranger.session, bounty.number)
    net.warp(3601)
    before = bounty.balances()
    record = finish(bounty, before, Status.SETTLED)
    # All right, but for who left a part of the gold unanswered, as those are scored on the rest.
    assert [payment.withheld for payment in record.payments()] == [0] * 6
    # Somebody else was faster; what is owed is paid out all the same, and once.
    owed = dict(zip(map(str.lower, PAYEES), bounty.balances(), strict=True))
    relay = bounty.relay.session.address
    out = pay_all(bounty.relay.session, bounty.number)
    assert out.amounts.pop(relay) == 40  # its fee for the four whose rows it posted rightly
    assert {payee.lower(): units for payee, units in out.amounts.items()} == owed
    assert bounty.balances() == [0] * 6
    assert not pay_all(bounty.relay.session, bounty.number).amounts
    shared = {worker: run.shared for worker, run in opened.items()}
    result = Result(record, {w: one.run for w, one in signed.items()}, shared)
    found = bounty.stranger.verify(Result.from_json(result.to_json()))
    assert not found.problems and found.labels is not None
    # Of a few items some seats are empty; all answers are right.
    answered = found.labels.labels >= 0
    assert (found.labels.labels[answered] == bounty.truth[answered]).all()
    lying = replace(record, seed=b"\1" * 32)
    assert bounty.stranger.verify(replace(result, record=lying)).problems
    with pytest.raises(BountyError, match="seed of bounty"):
        reader.require_anchored(lying, reader.read_anchors(bounty.stranger.session.chain, record))


def _evidence_of_truth(record: Record) -> dict[str, Any]:
    from truthmark.bounty.evidence import CommitsChunk, Opening

    score = record.require_score()
    seats, _ = record.assignment.seats_of(score.gold.items)
    holder = int(record.roster.holders_of(seats)[0, 0])
    return {
        "gold": 0,
        "round_": 0,
        "worker": holder,
        "judged": score.judged_chunk(0),
        "roster": record.roster.evidence(holder),
        "commits": CommitsChunk(),
        "opening": Opening(),
    }


def invent(score: Score, record: Record) -> Score:
    """Say a class where nobody holds the seat."""
    entries = score.entries.copy()
    seats, _ = record.assignment.seats_of(score.gold.items)
    g, k = np.argwhere(record.roster.holders_of(seats) < 0)[0]
    entries[g, k] = 0
    return replace(score, entries=entries)


def underpay(score: Score, record: Record) -> Score:
    lines = score.lines.copy()
    lines[1] -= 1
    return replace(score, lines=lines)


@pytest.mark.parametrize(
    "lie,mark",
    [
        (flip, 0),
        (None, UNREADABLE),
        pytest.param(invent, 0, marks=pytest.mark.assure),
        pytest.param(underpay, 0, marks=pytest.mark.assure),
        pytest.param(None, NOT_DELIVERED, marks=pytest.mark.assure),
    ],
)
def test_bounty__every_kind_of_lie__is_proven_and_all_are_paid_in_full(
    net: Devnet, tmp_path: Path, lie: Callable[[Score, Record], Score] | None, mark: int
) -> None:
    bounty = Bounty(net, tmp_path)
    bounty.enroll()
    signed = bounty.commit_all()
    opened = bounty.opened(signed)
    record = bounty.requester.read(bounty.number)
    score = bounty.true_score(opened, {2: mark} if mark else None)
    bounty.requester.score(record, lie(score, record) if lie is not None else score)
    record = bounty.stranger.read(bounty.number)
    known = Knowledge({2: opened[2]}, {}, {2: signed[2].secret})
    found = next(find_lies(record, known))
    before = bounty.balances()
    bounty.stranger.prove(record, found)
    record = bounty.stranger.read(bounty.number)
    assert record.status is Status.PROVEN
    finish(bounty, before, Status.PROVEN)


def test_read__no_such_bounty_or_refused_calls__are_told(net: Devnet, tmp_path: Path) -> None:
    client = BountyClient(net.session("stranger"))
    with pytest.raises(BountyError, match="there is no bounty 999"):
        client.read(999)
    bounty = Bounty(net, tmp_path)
    with pytest.raises(RevertedError):
        client.end(bounty.number, bounty.terms)
    with pytest.raises(RevertedError):
        client.close_joining(bounty.number, bounty.terms)
    with pytest.raises(BountyError, match="1 to 1024 rows"):
        client.enroll(bounty.number, bounty.terms, [], closes=False)
    bounty.requester.cite(bounty.number, bounty.terms, SIGNERS[0])
    assert client.board.functions.citing(bounty.number).call().lower() == SIGNERS[0]
    assert client.read(bounty.number).status is Status.OPEN
    assert Gold.parse(b"").items.tolist() == []
