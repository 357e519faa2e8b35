# SPDX-License-Identifier: Apache-2.0
"""Where the money of a bounty must be, by docs/protocol.md, kept beside the contracts.

One `Ledger` a bounty: it is told what happened and says what every account has been credited. It is
written from the page, not from the contracts.
"""

from collections import Counter
from dataclasses import dataclass, field

from tests.utils.bounty_rows import ZERO, Terms

ONE = 10**6
MARKS = (2**22, 2**23)
REFUNDED, SETTLED, HALF, FLAT, PROVEN = 6, 7, 8, 9, 10


@dataclass
class Ledger:
    """What a bounty has credited to whom, and what is still to come.

    Attributes:
        credited: account -> all credits so far; the zero address is what is burned.
        committed: worker -> seats committed.
        paid: Workers who have been paid.
        status: Of the end, or 0.
    """

    terms: Terms
    requester: str
    relay: str
    treasury: str
    credited: Counter[str] = field(default_factory=Counter)
    committed: dict[int, int] = field(default_factory=dict)
    overridden: set[int] = field(default_factory=set)
    posted: set[int] = field(default_factory=set)
    post_calls: int = 0
    roster_seats: int = 0
    paid: set[int] = field(default_factory=set)
    status: int = 0

    @property
    def taken(self) -> int:
        """What came in."""
        return self.terms.pot + self.terms.bond

    def commit(self, worker: int, seats: int) -> None:
        self.committed[worker] = seats

    def override(self, worker: int, seats: int, sender: str) -> None:
        self.committed[worker] = seats
        self.overridden.add(worker)
        self.credited[sender] += self.terms.relay_fee

    def post(self, workers: set[int], sender: str) -> None:
        t, fresh = self.terms, workers - self.posted
        seats = sum(self.committed[w] for w in fresh)
        self.post_calls += 1
        self.posted |= fresh
        self.credited[sender] += (
            t.post_call_fee + len(fresh) * t.post_worker_fee + seats * t.post_seat_fee
        )

    @property
    def bond_left(self) -> int:
        return self.terms.bond - (self.terms.reward if self.status == PROVEN else 0)

    def end(self, status: int, challenger: str | None = None) -> None:
        """Credit all that does not depend on single workers."""
        t, self.status = self.terms, status
        if status == REFUNDED:
            self.credited[self.requester] += self.taken
            return
        seats, workers = sum(self.committed.values()), len(self.committed)
        posted_seats = sum(self.committed[w] for w in self.posted)
        unused = (
            (t.seats - seats) * (t.seat_price + t.seat_fee)
            + (t.most_workers - workers) * (t.relay_fee + t.tip)
            + (t.most_workers - self.post_calls) * t.post_call_fee
            + (t.most_workers - len(self.posted)) * t.post_worker_fee
            + (t.seats - posted_seats) * t.post_seat_fee
        )
        is_flat = status in (FLAT, PROVEN)
        self.credited[self.requester] += unused + (0 if is_flat else t.bond)
        self.credited[self.relay] += (workers - len(self.overridden)) * t.relay_fee
        self.credited[self.treasury] += seats * t.seat_fee
        if challenger is not None:
            self.credited[challenger] += t.reward
        if is_flat:
            share = self.bond_left // self.roster_seats
            self.credited[ZERO] += self.bond_left - share * seats

    def pay(self, worker: int, payee: str, labels: int, line: int, payer: str) -> None:
        """Credit a worker who is not paid yet for the items that their seats hold."""
        t, seats = self.terms, self.committed[worker]
        self.paid.add(worker)
        price = t.price * labels
        if self.status in (FLAT, PROVEN):
            amount, bonus = price, self.bond_left // self.roster_seats * seats
        else:
            bonus = 0
            millionths = min(line, ONE)
            if line in MARKS:
                millionths = 0
            elif self.status == HALF:
                millionths = ONE // 2
            elif t.gold_count == 0:
                millionths = ONE
            amount = price * millionths // ONE
        self.credited[payee] += amount + bonus
        self.credited[ZERO] += price - amount
        self.credited[self.requester] += (seats * t.batch - labels) * t.price
        self.credited[payer] += t.tip

    @property
    def is_paid_out(self) -> bool:
        return self.status == REFUNDED or (self.status != 0 and self.paid == set(self.committed))
