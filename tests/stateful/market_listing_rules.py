# SPDX-License-Identifier: Apache-2.0
"""Rules of the market's model: versions are listed, and custodians keep them."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.stateful.ledger_records import BURN, Custody, Version
from tests.stateful.market_state import MarketState, flags, picks, rarely
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
    make_content,
    word_of,
)
from truthmark.market.records import CustodyStatus, VersionStatus


class ListingRules(MarketState):
    """What sellers and custodians do."""

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
        guarantee=st.sampled_from([0, 1, 3_333, 5_000, 10_000, 10_001]),
        arbiter=st.integers(0, 2),
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
        guarantee: int,
        arbiter: int,
    ) -> None:
        w = self.w
        owed = bps if bounty or bps == 9_751 else 0
        t = max(1, min(t, (n + 1) // 2))
        # The first shard of what is bad has another key than it should, the second is not sealed.
        bad = (frozenset({0}), frozenset({1}))
        content = make_content(seller, 3) if good else make_content(seller, 3, *bad)
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
            guarantee_bps=guarantee,
            arbiter=[BURN, w.gate, self.sellers[seller]][arbiter],
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
            guarantee_bps=guarantee,
            arbiter=listing.terms.arbiter,
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
            arguments = (listing.terms.astuple(), self.w.stranger)
        self.call(False, getattr(registry, door), *arguments, sender=self.w.stranger)
