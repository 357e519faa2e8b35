# SPDX-License-Identifier: Apache-2.0
"""Rules of the market's model: what is said of data by buyers, readers and arbiters."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.stateful.ledger_records import BURN
from tests.stateful.market_sale_rules import SaleRules
from tests.stateful.market_state import flags, mostly, picks, rarely
from tests.utils.drafts import sealing_arguments
from truthmark.market.records import PurchaseStatus, VersionStatus

RUNNING = (VersionStatus.OPEN, VersionStatus.PAUSED, VersionStatus.RETIRED)


class VerdictRules(SaleRules):
    """Reject, dispute a sealing, rule, review."""

    @rule(pick=picks, last=st.integers(0, 4), rejects=flags)
    def sell_and_hear(self, pick: int, last: int, rejects: bool) -> None:
        """Sell, and let the buyer say what it was worth: what chance alone would seldom do."""
        count = len(self.orders)
        self.sell(pick, last, "no" if rejects else "wait")
        if len(self.orders) > count:
            (self.reject if rejects else self.review)(0, True)

    @precondition(lambda self: self.orders)
    @rule(pick=picks, is_buyer=mostly)
    def reject(self, pick: int, is_buyer: bool) -> None:
        purchase = self.order(pick, PurchaseStatus.DELIVERED)
        sender = purchase.receipt.buyer if is_buyer else self.w.seller
        is_allowed = self.ledger.reject(purchase.id, sender)
        arguments = (*purchase.listing.keeping, purchase.receipt.astuple())
        self.call(is_allowed, self.w.market.reject, *arguments, sender=sender)

    # A judgement takes as long as a hundred other calls.
    @rule(pick=picks, shard=st.sampled_from([1, 1, 2]), spoiled=rarely, seldom=st.integers(0, 3))
    def dispute_sealing(self, pick: int, shard: int, spoiled: bool, seldom: int) -> None:
        listing = self.version(pick, *RUNNING)
        if seldom and not spoiled:
            return
        terms, opened, ciphertext = sealing_arguments(listing, shard)
        if spoiled:
            ciphertext = ciphertext[1:] + b"\0"
        is_true = shard == 1 and not self.kind[listing.terms_id] and not spoiled
        sender = self.accounts[pick % len(self.accounts)]
        sender = self.w.stranger if sender == BURN else sender
        is_allowed = self.ledger.dispute_sealing(listing.terms_id, is_true, sender)
        function = self.w.market.dispute_sealing
        self.call(is_allowed, function, terms, opened, ciphertext, sender=sender)

    @rule(pick=picks, who=st.integers(0, 3), rewarded=picks, seldom=st.integers(0, 1))
    def rule_as_arbiter(self, pick: int, who: int, rewarded: int, seldom: int) -> None:
        listing = self.version(pick, *RUNNING)
        if seldom:
            return
        senders = (self.w.gate, self.w.seller, self.w.stranger, listing.terms.arbiter)
        sender = self.w.owner if senders[who] == BURN else senders[who]
        to = self.accounts[rewarded % len(self.accounts)]
        is_allowed = self.ledger.rule(listing.terms_id, to, sender)
        terms = listing.terms.astuple()
        self.call(is_allowed, self.w.market.rule, terms, to, sender=sender)

    @precondition(lambda self: self.orders)
    @rule(pick=picks, is_buyer=mostly)
    def review(self, pick: int, is_buyer: bool) -> None:
        purchase = self.order(pick, PurchaseStatus.REJECTED, PurchaseStatus.SETTLED)
        sender = purchase.receipt.buyer if is_buyer else self.w.seller
        is_allowed = self.ledger.review(purchase.id, sender)
        arguments = (purchase.listing.custody.astuple(), purchase.receipt.astuple(), 3, "so")
        self.call(is_allowed, self.w.reviews.review, *arguments, sender=sender)
