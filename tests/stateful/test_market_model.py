# SPDX-License-Identifier: Apache-2.0
"""Registry, market and staking against a ledger in Python: every call of every role, in any order.

Each rule asks the ledger first, so every call must succeed or be refused as the ledger says. After
each call every word and entry is compared, read from storage, and all contracts must be solvent. At
the end everybody gets out alone, with entries paused by a hostile owner, and nothing is left.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, ClassVar

import boa
import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.stateful.ledger_model import BURN, BountyFacts, Custody, MarketLedger, Version
from tests.stateful.running import run_machine
from tests.utils.bounty_board import PROVEN, SETTLED, Bounty
from tests.utils.drafts import (
    BOND,
    DELIVERY,
    FEE,
    FEE_BPS,
    INSPECTION,
    KEEPING_FEE,
    PERIOD,
    WINDOWS,
    Listing,
    Purchase,
    deliver_arguments,
    make_content,
    sign_admission,
    sign_voucher,
    word_of,
)
from tests.utils.market import TICKET, UNBONDING, MarketContracts
from tests.utils.royalties import Royalties, deploy_royalties, full_price, pay_of
from tests.utils.staking_ledger import StakingLedger
from tests.utils.tokens import WELL_BEHAVED, Mode, deploy_hostile_token
from truthmark.config.units import to_checksum_address
from truthmark.hashing import keccak256
from truthmark.keys.abi_hash import word
from truthmark.keys.curve import G, add
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


class MarketMachine(RuleBasedStateMachine):
    """Two sellers, two buyers, five custodians, an owner, a gate, a stranger, and two tokens."""

    contracts: ClassVar[MarketContracts]
    royal: ClassVar[Royalties]
    bounties: ClassVar[list[Bounty]]
    """one that settled, one whose score was proven false, one that nobody has ended"""
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
        self.lost: dict[tuple[str, str], int] = {}

    def teardown(self) -> None:
        try:
            self.everybody_gets_out()
        finally:
            self.undo.close()

    # ------------------------------------------------------------- helpers

    @property
    def now(self) -> int:
        return self.ledger.now

    def call(self, is_allowed: bool, function: Callable[..., Any], *args: Any, sender: str) -> Any:
        """Make a call that the ledger has already answered."""
        if is_allowed:
            return function(*args, sender=sender, gas=GAS)
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

    # ------------------------------------------------------------- listing

    @initialize(hostile=flags, good=flags, n=st.integers(3, 5))
    def start_with_a_listing(self, hostile: bool, good: bool, n: int) -> None:
        self.cite(0, 0)
        self.list_version(0, False, n, 2, hostile, good, 0, False, 1, False, 1, 500)
        self.accept_all(0)
        self.buy(0, 0, 0, True, True, True, False, False)
        self.top_up(0, 20)

    @rule(
        seller=st.integers(0, 1),
        gated=rarely,
        n=st.sampled_from([0, 1, 3, 3, 4, 5]),
        t=st.integers(1, 3),
        hostile=rarely,
        good=flags,
        free=st.integers(0, 3),
        again=rarely,
        pick=picks,
        is_stranger=rarely,
        bounty=st.integers(0, 4),
        bps=st.sampled_from([0, 1, 500, 500, 9_750, 9_751]),
    )
    def list_version(
        self,
        seller: int,
        gated: bool,
        n: int,
        t: int,
        hostile: bool,
        good: bool,
        free: int,
        again: bool,
        pick: int,
        is_stranger: bool,
        bounty: int,
        bps: int,
    ) -> None:
        w = self.w
        owed = bps if bounty or bps == 9_751 else 0
        t = max(1, min(t, (n + 1) // 2))
        content = make_content(seller, 3, frozenset() if good else frozenset({0}))
        previous = None
        if self.listings and pick % 3 == 0:
            previous = self.listings[pick % len(self.listings)]
        listing = w.draft_listing(
            n,
            seller=self.sellers[seller],
            payee=w.payee,
            token=str((self.hostile if hostile else w.token).address),
            content=content,
            threshold=t,
            price=[1_000_000, 999, 0, 2**100][free],
            fee=[FEE, 0][free == 2],
            keeping_fee=0 if n == 0 else [KEEPING_FEE, KEEPING_FEE, 0, 1][free],
            bond=[BOND, 0, 1, BOND][free],
            lock=0 if n == 0 else [1_000, 4_000, 10_000, 1][free],
            penalty=0 if n == 0 else [300, 4_000, 0, 1][free],
            gate=w.gate if gated else BURN,
            manifest=word_of("manifest", 0 if again else len(self.listings) + 1),
            accept_until=self.now + 1_000,
            end=self.now + 1_000 + [PERIOD, WINDOWS][free == 1],
            last_end=self.now + 1_000 + 3 * PERIOD,
            fee_bps=self.ledger.fee_bps if not again else FEE_BPS,
            bounty=bounty,
            royalty_bps=owed,
        )
        sender = self.seller_of(listing, is_stranger)
        version = Version(
            seller=listing.terms.seller,
            payee=listing.terms.payee,
            token=listing.terms.token,
            bond=listing.terms.bond,
            fee_bps=listing.terms.fee_bps,
            delivery=DELIVERY,
            inspection=INSPECTION,
            has_gate=gated,
            price=listing.price,
            listing=0,
            number=0,
            royalty_bps=owed,
            bounty=bounty,
        )
        is_allowed = self.ledger.list_version(
            listing.terms_id,
            version,
            listing.custody_id,
            self.record(listing),
            sender,
            previous.terms_id if previous else None,
        )
        arguments = listing.list_arguments(previous.terms if previous else None)
        self.call(is_allowed, w.registry.list_version, *arguments, sender=sender)
        if is_allowed:
            self.listings.append(listing)
            self.epochs.append(listing)
            self.kind[listing.terms_id] = good

    def record(self, listing: Listing) -> Custody:
        it = listing.custody
        return Custody(
            version=it.terms_id,
            custodians=listing.custodians,
            threshold=it.threshold,
            fee=it.fee,
            keeping_fee=it.keeping_fee,
            lock=it.lock,
            penalty=it.penalty,
            period=it.period_seconds,
            accept_until=it.accept_until,
            end=it.end,
            last_end=it.last_end,
        )

    @rule(pick=picks, n=st.sampled_from([0, 3, 4]), wrong_epoch=rarely, is_stranger=rarely)
    def open_custody(self, pick: int, n: int, wrong_epoch: bool, is_stranger: bool) -> None:
        version = self.listings[pick % len(self.listings)]
        epochs = self.ledger.versions[version.terms_id].epochs
        epoch = epochs + (1 if wrong_epoch else 0)
        extra = {"custodians": (version.terms.seller,), "threshold": 1} if n == 0 else {}
        listing = self.w.next_custody(version, n, epoch=epoch, dealing=epoch, **extra)
        if n == 0:
            direct = {"lock": 0, "penalty": 0, "keeping_fee": 0}
            listing = listing.with_custody(replace(listing.custody, **direct))
        sender = self.seller_of(version, is_stranger)
        is_allowed = self.ledger.open_custody(
            listing.custody_id, self.record(listing), epoch, sender
        )
        self.call(is_allowed, self.w.registry.open_custody, *listing.opening, sender=sender)
        if is_allowed:
            self.epochs.append(listing)

    @rule(pick=picks, price=st.sampled_from([0, 1, 1_000_000, 2**128 - 1, 2**128]), other=rarely)
    def reprice(self, pick: int, price: int, other: bool) -> None:
        listing = self.version(pick, VersionStatus.OPEN)
        sender = self.seller_of(listing, other)
        is_allowed = self.ledger.reprice(listing.terms_id, price, sender)
        terms = listing.terms.astuple()
        self.call(is_allowed, self.w.registry.reprice, terms, price, sender=sender)

    @rule(pick=picks, is_paused=flags, other=rarely)
    def set_version_paused(self, pick: int, is_paused: bool, other: bool) -> None:
        listing = self.version(pick, VersionStatus.OPEN)
        sender = self.seller_of(listing, other)
        is_allowed = self.ledger.set_version_paused(listing.terms_id, is_paused, sender)
        terms = listing.terms.astuple()
        self.call(is_allowed, self.w.registry.set_version_paused, terms, is_paused, sender=sender)

    @precondition(lambda self: len(self.listings) > 1)
    @rule(pick=picks, other=rarely)
    def retire(self, pick: int, other: bool) -> None:
        listing = self.version(pick, VersionStatus.OPEN)
        sender = self.seller_of(listing, other)
        is_allowed = self.ledger.retire(listing.terms_id, sender)
        self.call(is_allowed, self.w.registry.retire, listing.terms.astuple(), sender=sender)

    @rule(pick=picks, fees=st.sampled_from([0, 1, 4, 20]))
    def top_up(self, pick: int, fees: int) -> None:
        listing = self.version(pick, VersionStatus.OPEN)
        amount = fees * KEEPING_FEE
        is_allowed = self.ledger.top_up(listing.terms_id, amount)
        terms = listing.terms.astuple()
        self.call(is_allowed, self.w.registry.top_up, terms, amount, sender=self.w.stranger)

    @rule(pick=picks)
    def close_version(self, pick: int) -> None:
        ended = (VersionStatus.RETIRED, VersionStatus.CLOSED, VersionStatus.REVOKED)
        listing = self.version(pick, *ended)
        is_allowed = self.ledger.close_version(listing.terms_id)
        terms = listing.terms.astuple()
        self.call(is_allowed, self.w.registry.close_version, terms, sender=self.w.stranger)

    # ------------------------------------------------------------- custody

    @rule(pick=picks, j=st.integers(0, 6), who=st.sampled_from(["owner", "operator", "other"]))
    def accept(self, pick: int, j: int, who: str) -> None:
        listing = self.epoch(pick, CustodyStatus.OPENED)
        sender = self.custodian(listing, j, who)
        is_allowed = self.ledger.accept(listing.custody_id, j, sender)
        self.call(is_allowed, self.w.registry.accept, *listing.accepting, j, sender=sender)

    @rule(pick=picks)
    def accept_all(self, pick: int) -> None:
        waiting = [
            it
            for it in self.epochs
            if self.ledger.custodies[it.custody_id].status == CustodyStatus.OPENED
        ]
        if not waiting:
            return
        listing = waiting[pick % len(waiting)]
        for j in range(1, listing.custody.count + 1):
            sender = listing.custodians[j - 1]
            is_allowed = self.ledger.accept(listing.custody_id, j, sender)
            self.call(is_allowed, self.w.registry.accept, *listing.accepting, j, sender=sender)

    def custodian(self, listing: Listing, j: int, who: str) -> str:
        if not 1 <= j <= listing.custody.count or who == "other":
            return self.w.custodians[(j + 1) % len(self.w.custodians)]
        custodian = listing.custodians[j - 1]
        return self.w.operators.get(custodian, custodian) if who == "operator" else custodian

    @rule(pick=picks)
    def release(self, pick: int) -> None:
        listing = self.epoch(pick, CustodyStatus.LIVE, CustodyStatus.CLOSED)
        is_open = self.ledger.custodies[listing.custody_id].status == CustodyStatus.OPENED
        function = self.w.registry.lapse if is_open else self.w.registry.release
        is_allowed = self.ledger.release(listing.custody_id)
        self.call(is_allowed, function, *listing.keeping, sender=self.w.stranger)

    @rule(pick=picks, j=st.integers(0, 6), who=st.sampled_from(["owner", "operator", "other"]))
    def extend(self, pick: int, j: int, who: str) -> None:
        listing = self.epoch(pick, CustodyStatus.LIVE)
        sender = self.custodian(listing, j, who)
        staying = self.w.staying(listing, j)
        is_allowed = self.ledger.extend(listing.custody_id, j, sender)
        self.call(is_allowed, *staying, sender=sender)

    @rule(pick=picks, leaver=st.integers(0, 5), shift=st.sampled_from([0, 1, PERIOD // 3]))
    def extend_together(self, pick: int, leaver: int, shift: int) -> None:
        """Go to the last third of a custody's period, and let all but one stay."""
        listing = self.epoch(pick, CustodyStatus.LIVE)
        end = self.ledger.custodies[listing.custody_id].end
        if not self.now <= end - 1 - shift:
            return
        self.travel_to(end - 1 - shift if shift else end - 1)
        for j in range(1, listing.custody.count + 1):
            if j != leaver:
                sender = listing.custodians[j - 1]
                staying = self.w.staying(listing, j)
                is_allowed = self.ledger.extend(listing.custody_id, j, sender)
                self.call(is_allowed, *staying, sender=sender)

    @rule(pick=picks, door=st.sampled_from(["close_custody", "revoke"]))
    def inner_doors(self, pick: int, door: str) -> None:
        listing = self.epoch(pick)
        registry = self.w.registry
        if door == "close_custody":
            arguments: tuple[Any, ...] = (listing.custody.astuple(), 1)
        else:
            arguments = (listing.terms.astuple(), listing.custody.astuple(), self.w.stranger)
        self.call(False, getattr(registry, door), *arguments, sender=self.w.stranger)

    # ----------------------------------------------------------- royalties

    @rule(pick=picks, who=st.integers(0, 3))
    def cite(self, pick: int, who: int) -> None:
        """Let the requester name a seller, or nobody."""
        b = self.bounties[pick % len(self.bounties)]
        seller = [*self.sellers, self.sellers[0], BURN][who]
        self.royal.cite(b, seller)
        self.ledger.bounties[b.id].citing = seller

    @rule(pick=picks)
    def end_bounty(self, pick: int) -> None:
        """End the bounty that nobody has ended, if its time has come."""
        b = self.bounties[-1]
        facts = self.ledger.bounties[b.id]
        is_allowed = not facts.has_ended and self.now > b.score_until
        sender = self.accounts[pick % len(self.accounts)]
        self.call(is_allowed, self.royal.harness.board.end_bounty, *b.head, sender=sender)
        facts.has_ended = facts.has_ended or is_allowed

    @rule(pick=picks, hostile=flags, forged=rarely)
    def draw_royalty(self, pick: int, hostile: bool, forged: bool) -> None:
        """Draw for a chunk of a roster, of a pool that may be empty."""
        b = self.bounties[pick % len(self.bounties)]
        token = self.hostile if hostile else self.w.token
        first, end = self.chunks(b)[pick % len(self.chunks(b))]
        evidence = list(self.royal.evidence(b, first))
        if forged:
            evidence[5] = evidence[5][:21] + evidence[5][1:21] + evidence[5][41:]
        drawn = None
        if not forged:
            workers = [w for w in range(first, end) if w in b.ledger.committed]
            drawn = self.ledger.draw(b.id, str(token.address), workers)
        arguments = (token, *b.head, tuple(evidence))
        sender = self.accounts[pick % len(self.accounts)]
        function = self.w.market.draw_royalty
        assert self.call(drawn is not None, function, *arguments, sender=sender) == drawn

    def chunks(self, b: Bounty) -> list[tuple[int, int]]:
        """Return the chunks of a roster, each its first row and the one behind it."""
        starts = self.royal.chunks(b)
        return list(zip(starts, [*starts[1:], len(b.paper.rows)], strict=True))

    # ------------------------------------------------------------- staking

    @rule(
        k=st.integers(0, 4),
        place=picks,
        what=st.sampled_from(["come", "come", "go", "stake", "unbond", "withdraw"]),
    )
    def stake(self, k: int, place: int, what: str) -> None:
        """Do what owners of stake do; staking has a model of its own, too."""
        custodian, ledger, staking = self.w.custodians[k], self.ledger.staking, self.w.staking
        if what in ("come", "go"):
            ledger.set_available(custodian, custodian, what == "come")
            staking.set_available(custodian, what == "come", sender=custodian)
        elif what == "stake":
            ledger.stake(custodian, 1)
            self.w.stake_token.mint(custodian, TICKET)
            self.w.stake_token.approve(staking, TICKET, sender=custodian)
            staking.stake(1, sender=custodian)
        else:
            own = ledger.tickets_of(custodian, unbonding=what == "withdraw")
            if not own:
                return
            ids = [own[place % len(own)]]
            if what == "unbond":
                answer, function = ledger.unbond(custodian, ids), staking.unbond
            else:
                answer, function = ledger.withdraw_tickets(custodian, ids), staking.withdraw_tickets
            self.call(not isinstance(answer, str), function, ids, sender=custodian)

    # ------------------------------------------------------------- selling

    @rule(
        pick=picks,
        buyer=st.integers(0, 1),
        off=st.sampled_from([0] * 8 + [-1, 1]),
        own_proof=mostly,
        own_custody=mostly,
        admitted=mostly,
        with_voucher=st.sampled_from([False, False, False, True]),
        twice=rarely,
    )
    def buy(
        self,
        pick: int,
        buyer: int,
        off: int,
        own_proof: bool,
        own_custody: bool,
        admitted: bool,
        with_voucher: bool,
        twice: bool,
    ) -> None:
        w = self.w
        listing = self.epoch(pick, CustodyStatus.LIVE)
        if not own_custody:
            other = self.epochs[pick % len(self.epochs)]
            listing = replace(listing, custody=other.custody)
        account = self.buyers[buyer]
        listed = self.ledger.versions[listing.terms_id].price
        price = max(0, listed + off)
        voucher: Any = (0, 0, bytes(32), b"")
        said = None
        if with_voucher:
            expiry = max(1, self.now + [0, 1, -1, 500][pick % 4])
            nonce = word_of("nonce", pick % 3)
            price = max(0, listed // 2 + (off if off > 0 else 0))
            holder = account if pick % 7 else w.stranger
            signer = "seller" if listing.terms.seller == w.seller else "stranger"
            voucher = sign_voucher(listing, holder, price, expiry, nonce, signer)
            said = (
                (listing.terms_id, account, price, expiry, nonce),
                price,
                expiry,
                holder == account,
            )
        purchase = w.draft_purchase(listing, account, price=price)
        if twice and self.orders:
            purchase = self.order(pick)
            listing, account, price = purchase.listing, purchase.receipt.buyer, purchase.order[0]
            said, voucher = None, (0, 0, bytes(32), b"")
        is_gated = listing.terms.gate != BURN
        admission = (0, b"")
        if is_gated:
            whose = account if admitted else w.stranger
            admission = sign_admission(listing, whose, self.now)
        sender = account if own_proof else w.stranger
        is_allowed = self.ledger.buy(
            purchase.id,
            listing.terms_id,
            listing.custody_id,
            account,
            price,
            is_proven=own_proof,
            is_admitted=admitted,
            voucher=said,
        )
        arguments = purchase.arguments((0, 0, bytes(32), bytes(32)), voucher, admission)
        self.call(is_allowed, w.market.buy, *arguments, sender=sender)
        if is_allowed:
            self.orders.append(purchase)

    @precondition(lambda self: self.orders)
    @rule(pick=picks, j=st.integers(1, 5), wrong=rarely, never_sent=rarely)
    def deliver(self, pick: int, j: int, wrong: bool, never_sent: bool) -> None:
        w = self.w
        first = self.order(pick, PurchaseStatus.PAID)
        listing = first.listing
        j = 1 + (j - 1) % listing.custody.count
        batch = [first, *self.orders_of(listing.custody_id, pick)]
        if never_sent:
            batch.append(w.draft_purchase(listing, number=10**6))
        parts = [w.part(it, j) for it in batch]
        good = [True] * len(batch)
        if wrong:
            place = pick % len(batch)
            parts[place] = replace(parts[place], point=add(parts[place].point, G))
            good[place] = False
        is_allowed = self.ledger.deliver(
            listing.custody_id, j, [(it.id, ok) for it, ok in zip(batch, good, strict=True)]
        )
        arguments = deliver_arguments(listing, j, parts)
        self.call(is_allowed, w.market.deliver, *arguments, sender=w.stranger)

    @rule(pick=picks, last=st.integers(0, 4), end=st.sampled_from(["wait", "dispute", "no"]))
    def sell(self, pick: int, last: int, end: str) -> None:
        """Buy, deliver, and perhaps go on to the end: what chance alone would seldom do."""
        count = len(self.orders)
        self.buy(pick, pick % 2, 0, True, True, True, False, False)
        if len(self.orders) == count:
            return
        purchase = self.orders[-1]
        listing = purchase.listing
        order = [1 + (last + i) % listing.custody.count for i in range(listing.custody.count)]
        for j in order[: listing.custody.threshold]:
            is_allowed = self.ledger.deliver(listing.custody_id, j, [(purchase.id, True)])
            arguments = deliver_arguments(listing, j, [self.w.part(purchase, j)])
            self.call(is_allowed, self.w.market.deliver, *arguments, sender=self.w.stranger)
        if end == "wait":
            self.travel_to(self.now + INSPECTION + 1)
            self.settle(0)
        elif end == "dispute":
            self.dispute(0, 0, False)

    @precondition(lambda self: self.orders)
    @rule(pick=picks)
    def settle(self, pick: int) -> None:
        first = self.order(pick, PurchaseStatus.DELIVERED)
        batch = [first, *self.orders_of(first.listing.custody_id, pick)]
        listing = first.listing
        is_allowed = self.ledger.settle(
            listing.terms_id, listing.custody_id, [it.id for it in batch]
        )
        receipts = [it.receipt.astuple() for it in batch]
        sender = self.w.stranger
        self.call(is_allowed, self.w.market.settle, *listing.keeping, receipts, sender=sender)

    @precondition(lambda self: self.orders)
    @rule(pick=picks, is_buyer=mostly)
    def confirm(self, pick: int, is_buyer: bool) -> None:
        purchase = self.order(pick, PurchaseStatus.DELIVERED)
        sender = purchase.receipt.buyer if is_buyer else self.w.seller
        is_allowed = self.ledger.confirm(purchase.id, sender)
        receipt = purchase.receipt.astuple()
        arguments = (*purchase.listing.keeping, receipt)
        self.call(is_allowed, self.w.market.confirm, *arguments, sender=sender)

    @precondition(lambda self: self.orders)
    @rule(pick=picks)
    def refund(self, pick: int) -> None:
        first = self.order(pick, PurchaseStatus.PAID)
        listing = first.listing
        batch = [first, *self.orders_of(listing.custody_id, pick)]
        is_allowed = self.ledger.refund(listing.custody_id, [it.id for it in batch])
        receipts = [it.receipt.astuple() for it in batch]
        arguments = (listing.terms.astuple(), listing.custody.astuple(), receipts)
        self.call(is_allowed, self.w.market.refund, *arguments, sender=self.w.stranger)

    @precondition(lambda self: self.orders)
    @rule(pick=picks, shard=st.sampled_from([0, 0, 0, 1]), spoiled=rarely)
    def dispute(self, pick: int, shard: int, spoiled: bool) -> None:
        purchase = self.order(pick, PurchaseStatus.DELIVERED)
        state = self.ledger.purchases[purchase.id]
        t = purchase.listing.custody.threshold
        order = state.delivered if len(state.delivered) == t else list(range(1, t + 1))
        evidence = self.w.draft_evidence(purchase, order, shard)
        if spoiled:
            evidence.secret += 1
        is_true = shard == 0 and not self.kind[purchase.listing.terms_id] and not spoiled
        is_allowed = self.ledger.dispute(purchase.id, is_true)
        if is_allowed:
            self.w.dispute(purchase, evidence)
        else:
            with pytest.raises(boa.BoaError):
                self.w.dispute(purchase, evidence)

    # --------------------------------------------------------- money, owner

    @rule(
        pick=picks,
        place=st.sampled_from(["registry", "market"]),
        hostile=flags,
        share=st.sampled_from([0, 0, 1, 2, 3, 4]),
    )
    def withdraw(self, pick: int, place: str, hostile: bool, share: int) -> None:
        """Take all of an entry, a part, exactly all, or one unit more."""
        token = self.hostile if hostile else self.w.token
        account = self.accounts[pick % len(self.accounts)]
        entry = self.ledger.entries[place].get((str(token.address), account), 0)
        self.take_out(place, token, account, [0, 1, entry // 2, entry, entry + 1][share])

    def take_out(self, place: str, token: Any, account: str, amount: int) -> None:
        contract = getattr(self.w, place)
        entry = self.ledger.entries[place].get((str(token.address), account), 0)
        goes_out = token is self.w.token or MODES[self.mode][1]
        arguments = (token, account, amount)
        if account == BURN or amount > entry or (entry and not goes_out):
            self.call(False, contract.withdraw, *arguments, sender=self.w.stranger)
            return
        before = token.balanceOf(contract)
        paid = self.ledger.withdraw(place, str(token.address), account, amount)
        assert contract.withdraw(*arguments, sender=self.w.stranger, gas=GAS) == paid
        stayed = paid - (before - token.balanceOf(contract))
        # A token that only says that it paid leaves its coins with us, to nobody's harm but its
        # user's.
        key = (place, str(token.address))
        self.lost[key] = self.lost.get(key, 0) + stayed
        assert stayed == (paid if token is self.hostile and self.mode == Mode.TRUE_BUT_STAYS else 0)

    @rule(mode=st.sampled_from([*MODES, *[WELL_BEHAVED] * len(MODES)]))
    def misbehave(self, mode: Mode) -> None:
        self.set_mode(mode)

    def set_mode(self, mode: Mode) -> None:
        self.mode = mode
        self.hostile.set_mode(mode)
        self.ledger.pays[str(self.hostile.address)] = MODES[mode][0]

    @rule(pick=picks, place=st.sampled_from(["registry", "market"]), when=flags)
    def call_back(self, pick: int, place: str, when: bool) -> None:
        """Top up by a token that takes an entry out of either contract meanwhile."""
        hostile = str(self.hostile.address)
        keeping_balances = [it for it in self.listings if it.terms.token == hostile]
        if not keeping_balances:
            return
        listing = keeping_balances[pick % len(keeping_balances)]
        account = self.accounts[pick % len(self.accounts)]
        contract = getattr(self.w, place)
        data = contract.withdraw.prepare_calldata(self.hostile, account, 0)
        self.set_mode(Mode.HOOK_AFTER if when else Mode.HOOK_BEFORE)
        self.hostile.set_hook(contract, data, 1)
        amount = 4 * KEEPING_FEE
        is_allowed = self.ledger.top_up(listing.terms_id, amount)
        terms = listing.terms.astuple()
        self.call(is_allowed, self.w.registry.top_up, terms, amount, sender=self.w.stranger)
        if is_allowed:
            # The registry is locked; the market is not, and pays what it owes.
            can = place == "market" and account != BURN
            assert self.hostile.hook_success() == can
            if can:
                self.ledger.withdraw("market", hostile, account)
        self.hostile.set_hook(BURN, b"", 0)

    @rule(is_paused=rarely, bps=st.sampled_from([0, 1, FEE_BPS, 250]))
    def own(self, is_paused: bool, bps: int) -> None:
        """Do what the owner may."""
        registry, owner = self.w.registry, self.w.owner
        registry.set_fee_bps(bps, sender=owner)
        self.ledger.fee_bps = bps
        if is_paused != self.ledger.is_paused:
            (registry.pause if is_paused else registry.unpause)(sender=owner)
            self.ledger.is_paused = is_paused

    # ---------------------------------------------------------------- time

    def travel_to(self, moment: int) -> None:
        boa.env.timestamp = moment
        self.ledger.now = self.ledger.staking.now = moment

    @rule(seconds=st.sampled_from([1, 12, 100, DELIVERY, INSPECTION, WINDOWS, PERIOD]))
    def wait(self, seconds: int) -> None:
        self.travel_to(self.now + seconds)

    @rule(pick=picks, shift=shifts)
    def wait_for_a_deadline(self, pick: int, shift: int) -> None:
        """Go to the second of a deadline, or one before or after."""
        moments = set()
        for version in self.ledger.versions.values():
            if version.stopped_at:
                moments |= {version.stopped_at + k * version.windows for k in (1, 2)}
        for custody in self.ledger.custodies.values():
            moments |= {custody.accept_until, custody.end, custody.previous_end}
            moments |= {custody.end - WINDOWS, custody.end - custody.period // 3}
            moments |= {custody.end + WINDOWS, custody.previous_end + WINDOWS}
            if custody.stopped_at:
                moments.add(custody.stopped_at + 2 * WINDOWS)
        moments |= {it.deadline for it in self.ledger.purchases.values()}
        ahead = sorted(it + shift for it in moments if it + shift >= self.now)
        if ahead:
            self.travel_to(ahead[pick % min(4, len(ahead))])

    # ---------------------------------------------------------- comparing

    def read(self, place: str, slot: int, *keys: bytes) -> int:
        """Read a word of a contract's storage; a hash map's is keyed in turn."""
        key = (slot, *keys)
        if key not in self.slots:
            at = word(slot)
            for part in keys:
                at = keccak256(at + part)
            self.slots[key] = int.from_bytes(at, "big")
        return int(boa.env.get_storage(getattr(self.w, place).address, self.slots[key]))

    def held_in(self, token: Any, contract: Any) -> int:
        """Read what a contract has of a token: calls of views would be half of the time."""
        place = keccak256(word(self.balances[str(token.address)]) + word(str(contract.address)))
        return int(boa.env.get_storage(token.address, int.from_bytes(place, "big")))

    @invariant()
    def words_agree(self) -> None:
        ledger, slot = self.ledger, self.layout
        for version_id, it in ledger.versions.items():
            found = self.read("registry", slot["_versions"], version_id)
            assert found == pack(
                (it.status, 8),
                (it.price, 128),
                (it.listing, 40),
                (it.number, 16),
                (it.epochs, 16),
                (it.stopped_at, 40),
                (it.is_superseded, 8),
            )
            assert self.read("registry", slot["keeping_balances"], version_id) == it.keeping_balance
        for custody_id, c in ledger.custodies.items():
            found = self.read("registry", slot["_custodies"], custody_id)
            assert found == pack(
                (c.status, 8),
                *((mask(it), 16) for it in (c.accepted, c.active, c.previous_active)),
                *((mask(it), 16) for it in (c.votes, c.fined, c.released)),
                (c.end, 40),
                (c.previous_end, 40),
                (c.stopped_at, 40),
                (INSPECTION, 32),
            )
        for purchase_id, p in ledger.purchases.items():
            found = self.read("market", slot["_purchases"], purchase_id)
            assert found & 2**64 - 1 == pack(
                (p.status, 8), (mask(p.delivered), 16), (p.deadline, 40)
            )
        for (bounty, token), pool in ledger.pools.items():
            if bounty:
                found = self.read("market", slot["pools"], word(bounty), word(token))
                assert found == pool
        for (bounty, token, worker), units in ledger.drawn.items():
            keys = word(bounty), word(token), word(worker)
            assert self.read("market", slot["drawn"], *keys) == units
        assert self.read("registry", slot["listing_count"]) == ledger.listing_count
        assert self.read("market", slot["purchase_count"]) == len(ledger.purchases)

    @invariant()
    def entries_agree_and_all_are_solvent(self) -> None:
        for place in ("registry", "market"):
            slot = self.layout[f"{place} balances"]
            for token in self.tokens:
                for account in self.accounts:
                    found = self.read(place, slot, word(token), word(account))
                    assert found == self.ledger.entries[place].get((token, account), 0)
                contract = getattr(self.w, place)
                held = self.ledger.held(place, token)
                ledger = self.ledger
                flow = ledger.paid_in[place, token] - ledger.paid_out[place, token]
                assert held == flow
                lost = self.lost.get((place, token), 0)
                assert self.held_in(self.tokens[token], contract) == held + lost
        slot = self.layout["market balances"]
        for token in self.tokens:
            assert self.ledger.left_in_pools(token) >= 0
            for account in self.payees:
                found = self.read("market", slot, word(token), word(account))
                assert found == self.ledger.entries["market"].get((token, account), 0)
        staking = self.ledger.staking
        slot = self.layout["staking balances"]
        owed = 0
        for custodian in self.w.custodians:
            funds = self.read("staking", self.layout["_funds"], word(custodian))
            bonded, locked = funds >> 160, funds >> 64 & 2**96 - 1
            unbonding = self.read("staking", self.layout["_unbonding"], word(custodian))
            assert locked == staking.locked(custodian)
            assert bonded == staking.people[custodian].bonded
            assert unbonding == staking.unbonding(custodian)
            token = word(str(self.w.stake_token.address))
            entry = self.read("staking", slot, token, word(custodian))
            assert entry == staking.entries.get(custodian, 0)
            owed += bonded + unbonding + entry
        burned = self.read("staking", slot, word(str(self.w.stake_token.address)), word(BURN))
        assert burned == staking.burned
        assert self.held_in(self.w.stake_token, self.w.staking) == owed + burned

    # ---------------------------------------------------------------- exit

    def everybody_gets_out(self) -> None:
        """Let each role alone empty what is its own, with the owner hostile and entries paused."""
        if not self.listings:
            return
        w, ledger = self.w, self.ledger
        self.set_mode(WELL_BEHAVED)
        if not ledger.is_paused:
            w.registry.pause(sender=w.owner)
            ledger.is_paused = True
        self.everything_ends()
        self.words_agree()
        self.entries_agree_and_all_are_solvent()
        for role in self.accounts:
            if role != BURN:
                with boa.env.anchor():  # none has left before them
                    self.gets_out(role)
        for role in (*self.accounts, *self.payees):
            if role != BURN:
                self.gets_out(role)
        for place in ("registry", "market"):
            contract = getattr(w, place)
            for token in self.tokens.values():
                burned = contract.balances(token, BURN)
                left = token.balanceOf(contract)
                if place == "market":
                    burned += ledger.left_in_pools(str(token.address))
                assert left == burned + self.lost.get((place, str(token.address)), 0)
        assert w.stake_token.balanceOf(w.staking) == ledger.staking.burned

    def everything_ends(self) -> None:
        """Do what anyone may: deliver nothing more, refund, settle, retire, release, close."""
        w, ledger = self.w, self.ledger
        self.travel_to(self.now + DELIVERY + 1)
        for purchase in self.orders:
            if ledger.purchases[purchase.id].status == PurchaseStatus.PAID:
                ledger.refund(purchase.listing.custody_id, [purchase.id])
                w.refund(purchase)
        self.travel_to(self.now + INSPECTION + 1)
        for purchase in self.orders:
            if ledger.purchases[purchase.id].status != PurchaseStatus.DELIVERED:
                continue
            listing = purchase.listing
            if ledger.versions[listing.terms_id].status == VersionStatus.REVOKED:
                ledger.refund(listing.custody_id, [purchase.id])
                w.refund(purchase)
            else:
                assert ledger.settle(listing.terms_id, listing.custody_id, [purchase.id])
                w.settle(purchase)
        for listing in self.listings:
            if ledger.versions[listing.terms_id].is_running:
                ledger.retire(listing.terms_id, listing.terms.seller)
                w.retire(listing)
        self.travel_to(self.now + 2 * WINDOWS + 1)
        for listing in self.epochs:
            if ledger.custodies[listing.custody_id].status != CustodyStatus.LAPSED:
                assert ledger.release(listing.custody_id)
                w.release(listing)
        for listing in self.listings:
            assert ledger.close_version(listing.terms_id)
            w.close_version(listing)
        for b in self.bounties:
            if not ledger.bounties[b.id].has_ended:
                self.travel_to(max(self.now, b.score_until + 1))
                self.end_bounty(0)
            for token in self.tokens.values():
                for first, end in self.chunks(b):
                    workers = [it for it in range(first, end) if it in b.ledger.committed]
                    assert self.royal.draw(b, first, token) == ledger.draw(
                        b.id, str(token.address), workers
                    )
        for token in self.tokens:
            for place in ("registry", "market"):
                entries = ledger.entries[place].items()
                due = sum(amount for (its_token, _), amount in entries if its_token == token)
                if place == "market":
                    due += ledger.left_in_pools(token)
                assert ledger.held(place, token) == due
        assert not ledger.staking.obligations

    def gets_out(self, role: str) -> None:
        w, ledger = self.w, self.ledger
        for place in ("registry", "market"):
            for address, token in self.tokens.items():
                entry = ledger.entries[place].get((address, role), 0)
                before = token.balanceOf(role)
                assert getattr(w, place).withdraw(token, role, 0, sender=role) == entry
                assert token.balanceOf(role) - before == entry
        if role not in ledger.staking.people:
            return
        staking = ledger.staking
        entitled = staking.people[role].bonded + staking.unbonding(role)
        entitled += staking.entries.get(role, 0)
        before = w.stake_token.balanceOf(role)
        active = staking.tickets_of(role, unbonding=False)
        every = active + staking.tickets_of(role, unbonding=True)
        if active:
            w.staking.unbond(active, sender=role)
        boa.env.timestamp += UNBONDING
        if every:
            w.staking.withdraw_tickets(every, sender=role)
        w.staking.withdraw(w.stake_token, role, 0, sender=role)
        assert w.stake_token.balanceOf(role) - before == entitled


def pack(*fields: tuple[int, int]) -> int:
    found = offset = 0
    for value, width in fields:
        assert 0 <= value < 1 << width
        found |= int(value) << offset
        offset += width
    return found


@pytest.fixture(scope="module", autouse=True)
def deployed() -> Any:
    """Deploy once; each run of the machine starts from here."""
    with boa.env.anchor():
        royal = MarketMachine.royal = deploy_royalties()
        contracts = MarketMachine.contracts = royal.contracts
        small: dict[str, Any] = {"items": 24, "batch": 2, "min_run": 6, "max_run": 12}
        MarketMachine.bounties = [
            royal.end(SETTLED, 3, **small, seats=lambda w: 5 if w == 1 else 63),
            royal.end(PROVEN, 4, **small, gap=1),
            royal.harness.start(5, **small, cuts=(2,)),
        ]
        MarketMachine.start = royal.contracts.now
        hostile = MarketMachine.hostile = deploy_hostile_token()
        for token in (contracts.token, hostile):
            for account in (
                contracts.seller,
                contracts.stranger,
                contracts.buyer,
                contracts.other_buyer,
            ):
                token.mint(account, 2**140)
                for spender in (contracts.registry, contracts.market):
                    token.approve(spender, 2**256 - 1, sender=account)
        MarketMachine.layout = {
            name: getattr(contract._storage, name).slot
            for contract, names in (
                (
                    contracts.registry,
                    ("_versions", "_custodies", "keeping_balances", "listing_count"),
                ),
                (contracts.market, ("_purchases", "purchase_count", "pools", "drawn")),
                (contracts.staking, ("_funds", "_unbonding")),
            )
            for name in names
        }
        MarketMachine.balances = {str(hostile.address): hostile._storage._balances.slot}
        for it in (contracts.token, contracts.stake_token):
            kept = it.compiler_data.storage_layout["storage_layout"]["erc20"]
            MarketMachine.balances[str(it.address)] = kept["balanceOf"]["slot"]
        for place in ("registry", "market", "staking"):
            storage = getattr(contracts, place).compiler_data.storage_layout["storage_layout"]
            MarketMachine.layout[f"{place} balances"] = storage["ledger"]["balances"]["slot"]
        yield


def run(examples: int) -> None:
    run_machine(MarketMachine, examples, suppress_health_check=list(hypothesis.HealthCheck))


@pytest.mark.timeout(600)
def test_market__any_calls_in_any_order__agree_with_the_ledger() -> None:
    run(40)


@pytest.mark.assure
@pytest.mark.parametrize("part", range(10))
def test_market__long_campaign__agrees_with_the_ledger(part: int) -> None:
    """1,000 runs in ten parts, so that a campaign can be resumed."""
    run(100)
