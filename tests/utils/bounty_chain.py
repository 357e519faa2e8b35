# SPDX-License-Identifier: Apache-2.0
"""A whole bounty on a development chain, with all whom it takes."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.utils.bounties import make_document
from truthmark.bounty import labeler, posting
from truthmark.bounty.client import BountyClient
from truthmark.bounty.commits import Commit
from truthmark.bounty.document import Document
from truthmark.bounty.gold import Gold, draw_gold
from truthmark.bounty.labeler import SignedCommit, Step
from truthmark.bounty.record import Record
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.roster import Row, gap
from truthmark.bounty.score import Score
from truthmark.bounty.sealing import OpenedRun, open_with_key
from truthmark.bounty.secrets import RequesterSecrets, find_secrets, new_secrets
from truthmark.bounty.terms import Terms
from truthmark.bounty.workspace import Workspace
from truthmark.keys.curve import address_of, multiply
from truthmark.keys.vault import Vault
from truthmark.testing.network import Devnet, role_address

ITEMS, RUNS = 395, (10, 10, 10, 10, 10, 5)
KEYS = [bytes([n]) * 32 for n in range(1, 7)]
SIGNERS = [address_of(multiply(int.from_bytes(key, "big"))) for key in KEYS]
PAYEES = ["0x" + f"{0xF0 + n:02x}" * 20 for n in range(6)]


def crowd_terms(
    net: Devnet, made: RequesterSecrets, document: Document, gold: Gold, **sizes: int
) -> Terms:
    """Return terms of the requester, who lets a crowd label: two classes, and hours for all."""
    return Terms(
        requester=role_address("requester"),
        token=net.profile.tokens[1].address,
        relay=role_address("relay"),
        receiver=made.receiver,
        gold_commitment=gold.commitment(made.gold_salt),
        gold_count=len(gold),
        document=document.hash,
        salt=made.terms_salt,
        key_x=made.key.x,
        key_y=made.key.y,
        classes=2,
        price=1_000,
        reward=5_000,
        relay_fee=10,
        tip=5,
        post_call_fee=20,
        post_worker_fee=4,
        post_seat_fee=3,
        join_seconds=3_600,
        label_seconds=3_600,
        grace_seconds=600,
        release_seconds=600,
        score_seconds=3_600,
        challenge_seconds=3_600,
        **sizes,
    )


class Bounty:
    """One bounty of six labelers who answer all items alike, and a gap."""

    def __init__(self, net: Devnet, folder: Path) -> None:
        self.net, self.folder = net, folder
        self.requester = BountyClient(net.session("requester"))
        self.relay = BountyClient(net.session("relay"))
        self.stranger = BountyClient(net.session("stranger"))
        self.truth = np.random.default_rng(0).integers(0, 2, ITEMS)
        self.gold = draw_gold(self.truth, classes=2, count=80, seed=1)
        made = new_secrets(self.requester.session.vault)
        items = replace(make_document().items, count=ITEMS)
        self.document = make_document(items=items, relay_urls=("http://relay",))
        self.terms = crowd_terms(
            net,
            made,
            self.document,
            self.gold,
            items=ITEMS,
            rounds=3,
            batch=20,
            min_seats=54,
            min_run=5,
            max_run=10,
            bond=200_000,
        )
        home = self.requester.session.home
        self.workspace = Workspace.of_key(home, self.terms.key)
        self.workspace.save_document(self.document)
        self.workspace.save_gold(self.gold)
        self.workspace.save_terms(self.terms)
        self.number = self.requester.create(self.terms)
        board = self.requester.board.address
        self.workspace.save_ref(BountyRef(net.profile.chain_id, board, self.number))

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
        return record.make_score(
            gold=self.gold,
            salt=find_secrets(self.requester.session.vault, self.terms.key).gold_salt,
            codes={w: run.codes for w, run in opened.items() if w not in marks},
            marks=marks,
        )

    def balances(self) -> list[int]:
        board = self.stranger.board.functions
        return [board.balances(self.terms.token, payee).call() for payee in PAYEES]


def flip(score: Score, record: Record) -> Score:
    """Say the other class where somebody answered."""
    entries = score.entries.copy()
    seats, _ = record.assignment.seats_of(score.gold.items)
    mine = record.roster.holders_of(seats) == 2
    g, k = np.argwhere(mine & (entries < 2))[0]
    entries[g, k] = 1 - entries[g, k]
    return replace(score, entries=entries)
