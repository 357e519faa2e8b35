# SPDX-License-Identifier: Apache-2.0
"""What the model of the market begins with, and how its rules choose and call."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, ClassVar

import boa
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

from tests.stateful.ledger_model import MarketLedger
from tests.stateful.ledger_records import BURN, BountyFacts
from tests.utils.bounty_board import Bounty
from tests.utils.drafts import FEE_BPS, Listing, Purchase
from tests.utils.market import TICKET, UNBONDING, MarketContracts
from tests.utils.royalties import Royalties, full_price, pay_of
from tests.utils.staking_ledger import StakingLedger
from tests.utils.tokens import WELL_BEHAVED, Mode
from truthmark.config.units import to_checksum_address
from truthmark.market.records import CustodyStatus, PurchaseStatus, VersionStatus

GAS = 16_000_000

# Ways to misbehave that leave the contracts' own coins alone; the others (a fee from the sender, a
# balance that lies) rob the users of that token and nobody else, see test_ledger.py. For each
# whether coins come in and whether they go out.
MODES = {
    WELL_BEHAVED: (True, True),
    Mode.NO_RETURN: (True, True),
    Mode.HOOK_BEFORE: (True, True),
    Mode.HOOK_AFTER: (True, True),
    Mode.FALSE_AND_STAYS: (False, False),
    Mode.TRUE_BUT_STAYS: (False, True),
    Mode.FEE_FROM_RECEIVER: (False, True),
    Mode.PAUSED: (False, False),
    Mode.REVERT_BOMB: (False, False),
    Mode.NOT_A_BOOL: (False, False),
    Mode.SHORT_RETURN: (False, False),
}

picks = st.integers(0, 2**16)
shifts = st.sampled_from([-1, 0, 1])
flags = st.booleans()
rarely = st.sampled_from([False] * 7 + [True])
mostly = st.sampled_from([True] * 7 + [False])


def prefer(items: Sequence[Any], pick: int, is_wanted: Callable[[Any], bool]) -> Any:
    """Choose one, four times of five one that is wanted, if there is any; late ones more often."""
    if pick % 5:
        items = [it for it in items if is_wanted(it)] or items
    place = pick // 5
    return items[-1 - place % len(items) // (1 + place % 2)]


def mask(numbers: Sequence[int] | set[int]) -> int:
    return sum(1 << j - 1 for j in numbers)


class MarketState(RuleBasedStateMachine):
    """Two sellers, two buyers, five custodians, an owner, a gate, a stranger, and two tokens."""

    contracts: ClassVar[MarketContracts]
    royal: ClassVar[Royalties]
    bounties: ClassVar[list[Bounty]]
    """one that settled, one whose score was proven false, one that nobody has ended"""
    effects: ClassVar[Counter[str]]
    """in how many runs a function took effect"""
    start: ClassVar[int]
    hostile: ClassVar[Any]
    layout: ClassVar[dict[str, int]]
    """slots of the maps and counters"""
    balances: ClassVar[dict[str, int]]
    """slot of the map of balances in each token"""

    def __init__(self) -> None:
        super().__init__()
        self.undo = ExitStack()
        self.undo.enter_context(boa.env.anchor())
        boa.env.timestamp = self.start
        w = self.w = replace(self.contracts, number=0, parts={})
        self.sellers = [w.seller, w.stranger]
        self.buyers = [w.buyer, w.other_buyer]
        self.tokens = {str(it.address): it for it in (w.token, self.hostile)}
        self.mode = WELL_BEHAVED
        self.accounts = sorted(
            {
                *(w.seller, w.payee, w.buyer, w.other_buyer, w.stranger, w.treasury, BURN),
                *w.custodians,
            }
        )
        staking = StakingLedger(TICKET, UNBONDING, now=w.now)
        for custodian in w.custodians:
            staking.register(custodian, w.operators[custodian])
            staking.stake(custodian, 2)
        self.ledger = MarketLedger(staking, str(w.registry.address), w.treasury, FEE_BPS, now=w.now)
        for b in self.bounties:
            workers = sorted(b.ledger.committed)
            # Of the one that nobody has ended the end is known: silence pays all.
            price = {w: b.terms.price * b.paper.labels_in(w, b.paper.committed(w)) for w in workers}
            self.ledger.bounties[b.id] = BountyFacts(
                earned={w: pay_of(b, w) for w in workers} if b.ledger.status else price,
                payees={w: to_checksum_address(b.paper.rows[w].payee) for w in workers},
                full=full_price(b),
                has_ended=b.ledger.status != 0,
            )
        self.payees = sorted(
            {p for it in self.ledger.bounties.values() for p in it.payees.values()}
        )
        self.listings: list[Listing] = []  # one for each version, with its first custody
        self.epochs: list[Listing] = []  # one for each custody
        self.orders: list[Purchase] = []  # one for each purchase that was ever sent
        self.slots: dict[Any, int] = {}
        self.kind: dict[bytes, bool] = {}  # terms id -> whether its key is good
        self.done: set[str] = set()  # functions that took effect
        self.lost: dict[tuple[str, str], int] = {}

    # ------------------------------------------------------------- helpers

    @property
    def now(self) -> int:
        return self.ledger.now

    def call(self, is_allowed: bool, function: Callable[..., Any], *args: Any, sender: str) -> Any:
        """Make a call that the ledger has already answered."""
        if is_allowed:
            result = function(*args, sender=sender, gas=GAS)
            self.done.add(function.fn_ast.name)
            return result
        with pytest.raises(boa.BoaError):
            function(*args, sender=sender, gas=GAS)
        return None

    def epoch(self, pick: int, *wanted: CustodyStatus) -> Listing:
        """Choose a custody, four times of five one with a wanted status, if there is any."""
        return prefer(
            self.epochs,
            pick,
            lambda it: self.ledger.custodies[it.custody_id].status in wanted,
        )

    def version(self, pick: int, *wanted: VersionStatus) -> Listing:
        return prefer(
            self.listings, pick, lambda it: self.ledger.versions[it.terms_id].status in wanted
        )

    def order(self, pick: int, *wanted: PurchaseStatus) -> Purchase:
        return prefer(self.orders, pick, lambda it: self.ledger.purchases[it.id].status in wanted)

    def orders_of(self, custody_id: bytes, pick: int) -> list[Purchase]:
        """Choose up to three purchases, most of them of one custody."""
        of_it = [it for it in self.orders if it.listing.custody_id == custody_id]
        found = [of_it[(pick >> shift) % len(of_it)] for shift in (0, 3, 6)] if of_it else []
        return found[: 1 + pick % 3]

    def seller_of(self, listing: Listing, is_stranger: bool) -> str:
        return self.w.buyer if is_stranger else listing.terms.seller

    def travel_to(self, moment: int) -> None:
        boa.env.timestamp = moment
        self.ledger.now = self.ledger.staking.now = moment

    def set_mode(self, mode: Mode) -> None:
        self.mode = mode
        self.hostile.set_mode(mode)
        self.ledger.pays[str(self.hostile.address)] = MODES[mode][0]
