# SPDX-License-Identifier: Apache-2.0
"""Rules of the market's model: from a purchase to its end."""

from dataclasses import replace
from typing import Any

import boa
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.stateful.ledger_records import BURN
from tests.stateful.market_state import MarketState, mostly, picks, rarely
from tests.utils.drafts import INSPECTION, deliver_arguments, word_of
from tests.utils.permits import sign_admission, sign_voucher
from truthmark.keys.curve import G, add
from truthmark.market.records import CustodyStatus, PurchaseStatus


class SaleRules(MarketState):
    """What buyers and custodians do for one purchase after another."""

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
