# SPDX-License-Identifier: Apache-2.0
"""What each worker is paid, by how a bounty ended (docs/bounties.md)."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from truthmark.bounty.assignment import Assignment
from truthmark.bounty.evidence import CHUNK, PayEvidence
from truthmark.bounty.roster import Roster
from truthmark.bounty.score import Score, is_fine
from truthmark.bounty.terms import Terms
from truthmark.errors import BountyError
from truthmark.labels.scoring import ONE, Ints, pay

MAX_CHUNKS = 16
"""Chunks of the roster in one payout."""


class Status(IntEnum):
    """How a bounty stands; the board's numbers."""

    NONE = 0
    OPEN = 1
    DRAWN = 2
    LABEL = 3
    SCORED = 4
    SCORED_HALF = 5
    REFUNDED = 6
    SETTLED = 7
    HALF = 8
    FLAT = 9
    PROVEN = 10

    @property
    def has_ended(self) -> bool:
        """Whether nothing but payouts is left."""
        return self >= Status.REFUNDED

    @property
    def unchallenged(self) -> "Status":
        """How it ends if no lie is proven; itself where there is no score that stands."""
        return {Status.SCORED: Status.SETTLED, Status.SCORED_HALF: Status.HALF}.get(self, self)


@dataclass(frozen=True, slots=True)
class Payment:
    """What one worker gets.

    Attributes:
        worker: The row of the roster.
        payee: Who gets it.
        price: Of what was accepted.
        bond: The share of the bond.
        withheld: Of the full price, what is burned.
    """

    worker: int
    payee: str
    price: int
    bond: int
    withheld: int

    @property
    def total(self) -> int:
        """What is credited."""
        return self.price + self.bond


def payments(
    *, terms: Terms, roster: Roster, committed: Ints, status: Status, score: Score | None
) -> list[Payment]:
    """Return what each worker who committed gets, in the order of the roster.

    Args:
        terms: Of the bounty.
        roster: All of it.
        committed: Seats that each worker committed.
        status: How the bounty ended, or would.
        score: What was posted; needed for SETTLED and HALF.

    Raises:
        BountyError: There is no such end, or no score.
    """
    earned = _millionths(terms, len(roster), status, score)
    share = 0
    if status in (Status.FLAT, Status.PROVEN):
        left = terms.bond - (terms.reward if status is Status.PROVEN else 0)
        share = left // max(1, int(roster.runs.sum()))
    counter = Assignment(bytes(32), items=terms.items, batch=terms.batch, rounds=terms.rounds)
    found = []
    for worker in np.flatnonzero(committed).tolist():
        seats = int(committed[worker])
        labels = counter.labels_in(int(roster.starts[worker]), seats)
        full = terms.price * labels
        price = pay(terms.price, labels, int(earned[worker]))
        found.append(Payment(worker, roster.rows[worker].payee, price, share * seats, full - price))
    return found


def chunks_to_pay(roster: Roster, call: int, chunk: int, score: Score | None) -> PayEvidence:
    """Return the evidence that pays the workers of up to 16 chunks of a call.

    Args:
        roster: All of it.
        call: An `enroll` call.
        chunk: The first of its chunks to pay.
        score: The score, where it stands: SETTLED or HALF.
    """
    first = sum(len(rows) for rows in roster.calls[:call]) + CHUNK * chunk
    return PayEvidence(
        call,
        roster.heads(call),
        chunk,
        first,
        int(roster.starts[first]),
        roster.chunks(call)[chunk : chunk + MAX_CHUNKS],
        score.judged if score else bytes(32),
        score.pack_lines() if score else b"",
    )


def _millionths(terms: Terms, workers: int, status: Status, score: Score | None) -> Ints:
    if status in (Status.FLAT, Status.PROVEN):
        return np.full(workers, ONE)
    if status is Status.REFUNDED:
        return np.zeros(workers, np.int64)
    if status not in (Status.SETTLED, Status.HALF):
        raise BountyError(f"a bounty that is {status.name} pays nobody yet; wait for its end")
    if score is None or len(score.lines) != workers:
        raise BountyError("the score's lines are missing; fetch the score")
    fine = ONE // 2 if status is Status.HALF else np.minimum(score.lines, ONE)
    if terms.is_team:
        fine = ONE
    return np.where(is_fine(score.lines), fine, 0)
