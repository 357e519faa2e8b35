# SPDX-License-Identifier: Apache-2.0
"""What a purchase costs now, from which custody, and whether the account can pay it."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from truthmark.errors import (
    KeysError,
    NotForSaleError,
    PriceError,
)
from truthmark.market.catalogue import BUYING_SECONDS, Catalogue
from truthmark.market.drafts.delivery import check_custody
from truthmark.market.drafts.order import (
    purchase_cost,
)
from truthmark.market.entries import Epoch, EpochState, Version
from truthmark.market.records import CustodyStatus, bits
from truthmark.market.seller import require_open
from truthmark.session import Session

if TYPE_CHECKING:
    from truthmark.market.preview import PreviewState

NO_VOUCHER = (0, 0, bytes(32), b"")


@dataclass(frozen=True, slots=True)
class Quote:
    """What a purchase would cost now, and from which custody."""

    version: Version
    epoch: Epoch
    state: EpochState
    price: int
    """the listed one, or the voucher's"""
    total: int
    """with the custodians' fees"""
    agreed: "PreviewState | None" = None
    """how its sample stood when somebody agreed to buy; None where nobody looked"""

    def rank(self, max_total: int | None) -> tuple[bool, bool, int, int]:
        """Return what is smallest for the quote to take.

        Custodians deliver also when the seller is gone, so they go before a cheaper seller; but
        whatever costs too much comes last.
        """
        is_over_budget = max_total is not None and self.total > max_total
        return is_over_budget, self.epoch.custody.is_direct, self.total, -self.state.end


def _why_not_for_sale(
    version: Version, epochs: Sequence[Epoch], states: Sequence[EpochState], now: int
) -> str:
    for epoch, state in zip(epochs, states, strict=True):
        custody = epoch.custody
        if state.is_awaited(custody, now):
            return (
                f"{version.ref} is not for sale yet: {len(bits(state.accepted))} of "
                f"{custody.count} custodians have accepted; try again later"
            )
    why = "no custody of it was ever opened"
    if epochs:
        custody, state = epochs[-1].custody, states[-1]
        accepted = len(bits(state.accepted))
        if state.status in (CustodyStatus.OPENED, CustodyStatus.LAPSED):
            why = f"only {accepted} of {custody.count} custodians accepted its key in time"
        elif state.outlasts(version.terms, now + BUYING_SECONDS):
            why = "what its custodians were given is not what the seller committed to"
        elif state.status is CustodyStatus.LIVE and now <= state.end:
            why = "its key is kept for less time than delivering and checking may take"
        elif state.status is CustodyStatus.CLOSED:
            why = "those who kept its key failed or left"
        else:
            why = "the time for which its key was kept is over"
    return f"{version.ref} is not for sale now: {why}; ask the seller to renew it"


class Quoter:
    """Finds what a purchase costs.

    Args:
        session: Whose account would pay.
    """

    def __init__(self, session: Session) -> None:
        """Use a session."""
        self.session = session

    def quote(
        self,
        version: Version,
        *,
        voucher: Sequence[Any] = NO_VOUCHER,
        max_total: int | None = None,
    ) -> Quote:
        """Find a custody to buy from, and what a purchase costs now.

        Of the custodies that outlast both windows and whose dealing is right, one with custodians
        is taken before the seller alone, then the cheapest, among equals the one that lasts
        longest.

        Args:
            version: What to buy.
            voucher: A `struct Voucher` that the seller signed.
            max_total: The most to pay, fees included; what costs more is taken only where all do.

        Raises:
            NotForSaleError: Nothing can be bought now.
            EndpointsDisagreeError: This name stands for something else.
        """
        session = self.session
        status, listed = Catalogue.of(session).status(version)
        require_open(version, status)
        Catalogue.of(session).require_unpaused()
        Catalogue.of(session).require_agreed(version)
        price = voucher[0] if voucher[1] else listed
        now = session.chain.time()
        epochs = Catalogue.of(session).epochs(version.terms_id)
        states = Catalogue.of(session).states(epochs)
        candidates = []
        for epoch, state in zip(epochs, states, strict=True):
            if state.outlasts(version.terms, now + BUYING_SECONDS):
                with contextlib.suppress(KeysError):
                    check_custody(version.terms, epoch.custody, epoch.custodians, epoch.share_keys)
                    total = purchase_cost(price, epoch.custody)
                    candidates.append(Quote(version, epoch, state, price, total))
        if not candidates:
            raise NotForSaleError(_why_not_for_sale(version, epochs, states, now))
        return min(candidates, key=lambda quote: quote.rank(max_total))

    def require_affordable(self, quote: Quote, max_total: int | None) -> None:
        """Refuse what costs more than may be paid, or than the account has.

        Raises:
            PriceError: It does.
        """
        if max_total is not None:
            self._require_within(quote, max_total)
        session, token = self.session, quote.version.terms.token
        held = session.held(token)
        if held < quote.total:
            show = session.profile.amount
            raise PriceError(
                f"{quote.version.ref} costs {show(quote.total, token)}; {session.address} has "
                f"{show(held, token)}, which is not enough; send it more"
            )

    def _require_within(self, quote: Quote, max_total: int) -> None:
        if quote.total > max_total:
            show, token = self.session.profile.amount, quote.version.terms.token
            costs = (
                f"{quote.version.ref} costs {show(quote.total, token)}, more than "
                f"{show(max_total, token)}"
            )
            raise PriceError(
                f"{costs}; raise --max-price", page=f"{costs}; ask for the price again"
            )
