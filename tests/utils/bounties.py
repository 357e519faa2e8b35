# SPDX-License-Identifier: Apache-2.0
"""Whole bounties without a chain: what a chain would say, and what each party has."""

import random
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from tests.utils import bounty_reference as ref
from tests.utils import bounty_vectors
from truthmark.bounty import messages
from truthmark.bounty.commits import Commit, Commits
from truthmark.bounty.document import Document, ItemsInfo, LabelClass, Practice
from truthmark.bounty.gold import Gold
from truthmark.bounty.lies import Knowledge, require_proven
from truthmark.bounty.payouts import Status
from truthmark.bounty.record import Record
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.roster import Roster, Row
from truthmark.bounty.score import Score
from truthmark.bounty.sealing import OpenedRun, SealedRun, open_with_key, seal
from truthmark.bounty.terms import Terms
from truthmark.cid import raw_cid
from truthmark.keys import typed
from truthmark.keys.curve import multiply

REF = BountyRef(31337, "0x" + "b0" * 20, 7)
SECRET = 0xB0B
RECEIVER_KEY = b"\x17" * 32


def receiver_address() -> str:
    key = multiply(int.from_bytes(RECEIVER_KEY, "big"))
    return "0x" + ref.keccak(ref.word(key.x), ref.word(key.y))[12:].hex()


def make_terms(**fixed: Any) -> Terms:
    key = multiply(SECRET)
    defaults: dict[str, Any] = {
        "requester": "0x" + "11" * 20,
        "token": "0x" + "22" * 20,
        "relay": "0x" + "33" * 20,
        "receiver": receiver_address(),
        "document": ref.keccak(b"document"),
        "salt": ref.keccak(b"terms"),
        "key_x": key.x,
        "key_y": key.y,
        "items": 400,
        "classes": 2,
        "rounds": 3,
        "batch": 20,
        "gold_count": 80,
        "gold_commitment": ref.keccak(b"gold"),
        "full": 3,
        "min_seats": 54,
        "min_run": 5,
        "max_run": 10,
        "price": 1_000,
        "bond": 120_000,
        "reward": 5_000,
        "relay_fee": 10,
        "tip": 5,
        "post_call_fee": 20,
        "post_worker_fee": 4,
        "post_seat_fee": 3,
        "fee_bps": 100,
        "join_seconds": 60,
        "label_seconds": 3_600,
        "grace_seconds": 60,
        "release_seconds": 60,
        "score_seconds": 600,
        "challenge_seconds": 600,
    }
    return Terms(**defaults | fixed)


def make_document(**fixed: Any) -> Document:
    """Return the document of a bounty; `fixed` takes the place of its fields."""
    defaults: dict[str, Any] = {
        "title": "Cats and dogs",
        "guidelines": "What is in the picture?",
        "classes": (LabelClass("cat"), LabelClass("dog", "d")),
        "kind": "image",
        "items": ItemsInfo(400, 2, raw_cid(b"m" * 32), raw_cid(b"d" * 32), True),
        "examples": (0,),
        "practice": (Practice(1, 1, "It barks."),),
        "licence": "CC0-1.0",
    }
    return Document(**defaults | fixed)


@dataclass
class Case:
    """A bounty of the plain reference, sealed and posted, with what each party has."""

    plain: dict[str, Any]
    record: Record
    runs: dict[int, SealedRun]
    secrets: dict[int, int]

    @cached_property
    def opened(self) -> dict[int, OpenedRun]:
        """Every worker's labels, as their own client has them."""
        return {
            worker: open_with_key(
                self.record.scheme(worker), run, SECRET, int(self.record.committed[worker])
            )
            for worker, run in self.runs.items()
        }

    @cached_property
    def true_score(self) -> Score:
        """What an honest requester posts."""
        plain, record = self.plain, self.record
        marks = {w: mark for w, mark in enumerate(plain["marks"]) if mark}
        items, answers = np.array(plain["gold"]).T
        return record.make_score(
            gold=Gold(items, answers),
            salt=b"\5" * 32,
            codes={w: run.codes for w, run in self.opened.items() if w not in marks},
            marks=marks,
        )

    def posted(self, score: Score) -> Record:
        """Return what the chain says once this score is on it."""
        return replace(self.record, score=score, status=Status.SCORED)

    def acknowledge(self, worker: int) -> bytes:
        """Return the receiver's signature for a worker's labels."""
        commitment = self.record.commits.standing[worker].commitment
        message = messages.acknowledged(
            REF, self.record.terms.hash, worker=worker, commitment=commitment
        )
        return typed.sign(message, RECEIVER_KEY)

    def knowledge(self, worker: int, *, acknowledged: bool = False) -> Knowledge:
        """Return what one labeler, or their watch node, has."""
        if worker not in self.opened:
            return Knowledge()
        return Knowledge(
            {worker: self.opened[worker]},
            {worker: self.acknowledge(worker)} if acknowledged else {},
            {worker: self.secrets[worker]},
        )


def make_case(rng: random.Random, *, overrides: bool = True, **fixed: Any) -> Case:
    """Return a small bounty with gaps, prefixes, marks, overrides and several calls."""
    plain = bounty_vectors.make_bounty(rng, **fixed)
    terms = make_terms(
        **{name: plain[name] for name in ("items", "classes", "rounds", "batch", "full")},
        gold_count=len(plain["gold"]),
    )
    rows = [Row(row["signer"], row["payee"], row["seats"]) for row in plain["roster"]]
    cut = rng.randint(0, len(rows))
    roster = Roster([rows[:cut], rows[cut:]])
    record = Record(REF, terms, plain["seed"], roster, Commits([]), frozenset(), Status.LABEL)
    runs, secrets, commits = {}, {}, []
    for worker, seats in enumerate(plain["committed"]):
        if seats:
            secrets[worker] = rng.randrange(1, ref.ORDER)
            runs[worker] = seal(
                record.scheme(worker),
                secret=secrets[worker],
                key=terms.key,
                codes=np.array(plain["labels"][worker], np.uint8),
            )
            commits.append(Commit(worker, seats, runs[worker].commitment))
    rng.shuffle(commits)
    signed = [commit for commit in commits if overrides and rng.random() < 0.15]
    # Of those who overrode, the relay posted something else, or nothing.
    posted = [
        Commit(commit.worker, 1, b"\x66" * 32) if commit in signed else commit
        for commit in commits
        if commit not in signed or rng.random() < 0.5
    ]
    cut = rng.randint(0, len(posted))
    calls = [call for call in (posted[:cut], posted[cut:]) if call]
    record = replace(record, commits=Commits(calls, signed))
    return Case(plain, record, runs, secrets)


prove = require_proven
"""Checks a lie's evidence as the contract does, against what the board says."""
