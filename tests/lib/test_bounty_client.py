# SPDX-License-Identifier: Apache-2.0
"""Whole bounties on anvil, through the library alone."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from truthmark.bounty import labeler, posting, reader
from truthmark.bounty.client import BountyClient
from truthmark.bounty.commits import Commit
from truthmark.bounty.flows.paying import pay_all
from truthmark.bounty.gold import Gold, draw_gold
from truthmark.bounty.labeler import SignedCommit, Step
from truthmark.bounty.lies import Knowledge, Lie, find_lies
from truthmark.bounty.payouts import Payment, Status, payments
from truthmark.bounty.proofs import NotProvenError
from truthmark.bounty.record import Record
from truthmark.bounty.result import Result
from truthmark.bounty.roster import Row, gap
from truthmark.bounty.score import NOT_DELIVERED, UNREADABLE, Score, make_score
from truthmark.bounty.sealing import OpenedRun, open_with_key
from truthmark.bounty.secrets import RequesterSecrets, find_secrets, new_secrets
from truthmark.bounty.terms import Terms
from truthmark.errors import BountyError, ConfigError, RevertedError
from truthmark.keys.curve import address_of, multiply
from truthmark.keys.vault import Vault
from truthmark.testing.anvil import anvil_binary
from truthmark.testing.network import Devnet

pytestmark = pytest.mark.chain

ITEMS, RUNS = 395, (10, 10, 10, 10, 10, 5)
KEYS = [bytes([n]) * 32 for n in range(1, 7)]
SIGNERS = [address_of(multiply(int.from_bytes(key, "big"))) for key in KEYS]
PAYEES = ["0x" + f"{0xF0 + n:02x}" * 20 for n in range(6)]


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    try:
        anvil_binary()
    except ConfigError as error:
        pytest.skip(str(error))
    with Devnet.start(tmp_path_factory.mktemp("bounties"), block_time=None) as started:
        yield started


class Bounty:
    """One bounty of six labelers who answer all items alike, and a gap."""

    def __init__(self, net: Devnet, folder: Path) -> None:
        self.net, self.folder = net, folder
        self.requester = BountyClient(net.session("seller"))
        self.relay = BountyClient(net.session("buyer"))
        self.stranger = BountyClient(net.session("stranger"))
        self.truth = np.random.default_rng(0).integers(0, 2, ITEMS)
        self.gold = draw_gold(self.truth, classes=2, count=80, seed=1)
        made = new_secrets(self.requester.session.vault)
        self.terms = self._terms(made)
        self.number = self.requester.create(self.terms)

    def _terms(self, made: RequesterSecrets) -> Terms:
        session = self.requester.session
        return Terms(
            requester=session.address,
            token=self.net.profile.tokens[1].address,
            relay=self.relay.session.address,
            receiver=self.relay.session.address,
            gold_commitment=self.gold.commitment(made.gold_salt),
            document=bytes(32),
            salt=made.terms_salt,
            key_x=made.key.x,
            key_y=made.key.y,
            items=ITEMS,
            classes=2,
            rounds=3,
            batch=20,
            gold_count=80,
            min_seats=54,
            min_run=5,
            max_run=10,
            price=1_000,
            bond=200_000,
            reward=5_000,
            relay_fee=10,
            tip=5,
            post_call_fee=20,
            post_worker_fee=4,
            post_seat_fee=3,
            join_seconds=3600,
            label_seconds=3600,
            grace_seconds=600,
            release_seconds=600,
            score_seconds=3600,
            challenge_seconds=3600,
        )

    def enroll(self) -> None:
        rows = list(map(Row, SIGNERS, PAYEES, RUNS))
        self.relay.enroll(self.number, self.terms, rows[:2], closes=False)
        self.relay.enroll(self.number, self.terms, [*rows[2:], gap(5)], closes=True)
        self.net.chain.rpc("anvil_mine", "0x4")
        self.stranger.fix_seed(self.number)

    def label(self, worker: int) -> SignedCommit:
        record = self.stranger.read(self.number)
        found = labeler.find_place(
            record,
            self.terms.hash,
            signer=SIGNERS[worker],
            payee=PAYEES[worker],
            now=self.now(),
            needed=60,
            mark=self.stranger.mark(self.number),
        )
        answers = {item: int(self.truth[item]) for item in found.items.tolist() if item >= 0}
        codes = labeler.codes_of(found, answers, 2, 20)
        if worker == 3:
            codes = codes[:140]  # seven seats of ten
        vault = Vault(self.folder / f"vault-{self.number}-{worker}")
        return labeler.sign_once(vault, record, worker, codes, KEYS[worker])

    def now(self) -> int:
        time = self.net.status().time
        assert time is not None
        return time

    def step(self, signed: SignedCommit, *, acknowledged: bool = False) -> Step:
        return labeler.next_step(
            self.stranger.read(self.number, final=True),
            signed,
            now=self.now(),
            mark=self.stranger.mark(self.number),
            acknowledged=acknowledged,
            lies=False,
        )

    def commit_all(self) -> dict[int, SignedCommit]:
        """Worker 1's commit is posted wrongly and worker 4's left out; both override."""
        signed = {worker: self.label(worker) for worker in range(6)}
        wrong = Commit(1, 10, b"\x66" * 32)
        posted = [signed[0].commit, wrong, *(signed[w].commit for w in (2, 3, 5))]
        self.relay.commit(self.number, self.terms, posted)
        assert self.step(signed[1]) is Step.OVERRIDE
        assert self.step(signed[4]) is Step.WAIT
        self.net.warp(3601)
        assert self.step(signed[4]) is Step.OVERRIDE
        for worker in (1, 4):
            record = self.stranger.read(self.number)
            shown = posting.override(record, signed[worker].commit, signed[worker].signature)
            self.stranger.override(record, shown)
        record = self.stranger.read(self.number)
        assert all(self.step(one) is Step.HAND_OUT for one in signed.values())
        assert {w: c.commitment for w, c in record.commits.standing.items()} == {
            w: one.commit.commitment for w, one in signed.items()
        }
        self.net.warp(600 + 301)
        assert self.step(signed[2]) is Step.POST
        self.stranger.post_sealed(record, posting.posting(record, 2, signed[2].run))
        self.stranger.post_sealed(record, posting.posting(record, 4, signed[4].run))
        assert self.step(signed[2]) is Step.WATCH
        self.net.warp(600)
        return signed

    def opened(self, signed: dict[int, SignedCommit]) -> dict[int, OpenedRun]:
        record = self.requester.read(self.number)
        secret = find_secrets(self.requester.session.vault, self.terms.key).scalar
        return {
            worker: open_with_key(record.scheme(worker), one.run, secret, one.commit.seats)
            for worker, one in signed.items()
        }

    def true_score(
        self, opened: dict[int, OpenedRun], marks: dict[int, int] | None = None
    ) -> Score:
        record = self.requester.read(self.number)
        marks = marks or {}
        return make_score(
            terms=self.terms,
            assignment=record.assignment,
            roster=record.roster,
            committed=record.committed,
            gold=self.gold,
            salt=find_secrets(self.requester.session.vault, self.terms.key).gold_salt,
            codes={w: run.codes for w, run in opened.items() if w not in marks},
            marks=marks,
        )

    def balances(self) -> list[int]:
        board = self.stranger.board.functions
        return [board.balances(self.terms.token, payee).call() for payee in PAYEES]


def paid(record: Record) -> list[Payment]:
    return payments(
        terms=record.terms,
        roster=record.roster,
        committed=record.committed,
        status=record.status,
        score=record.score,
    )


def finish(bounty: Bounty, before: list[int], expected: Status) -> Record:
    bounty.stranger.payout(bounty.stranger.read(bounty.number))
    record = bounty.stranger.read(bounty.number)
    assert record.status is expected
    gained = [now - then for now, then in zip(bounty.balances(), before, strict=True)]
    by_worker = {payment.worker: payment.total for payment in paid(record)}
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
    assert [payment.withheld for payment in paid(record)] == [0] * 6
    # Somebody else was faster; what is owed is paid out all the same, and once.
    owed = dict(zip(map(str.lower, PAYEES), bounty.balances(), strict=True))
    out = pay_all(bounty.relay.session, bounty.number)
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


def flip(score: Score, record: Record) -> Score:
    """Say the other class where somebody answered."""
    entries = score.entries.copy()
    seats, _ = record.assignment.seats_of(score.gold.items)
    mine = record.roster.holders_of(seats) == 2
    g, k = np.argwhere(mine & (entries < 2))[0]
    entries[g, k] = 1 - entries[g, k]
    return replace(score, entries=entries)


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
        client.enroll(bounty.number, bounty.terms, [], closes=True)
    bounty.requester.cite(bounty.number, bounty.terms, SIGNERS[0])
    assert client.board.functions.citing(bounty.number).call().lower() == SIGNERS[0]
    assert client.read(bounty.number).status is Status.OPEN
    assert Gold.parse(b"").items.tolist() == []
