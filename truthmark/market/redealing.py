# SPDX-License-Identifier: Apache-2.0
"""What a seller does when custodians did not accept in time: take the fees back, deal to others.

Only a custody whose time to be accepted is over is dealt again: nobody can accept it any more, so
two dealings never count at once. Its keeping fees come back first and pay for the next one.
"""

from functools import partial

from truthmark.config.profile import Windows
from truthmark.errors import NotForSaleError, PriceError, RevertedError
from truthmark.market.catalogue import Catalogue
from truthmark.market.choosing import choose_by_offers
from truthmark.market.drafts.custody import CustodyRequest
from truthmark.market.entries import Epoch, Version
from truthmark.market.fetch import Fetcher
from truthmark.market.preview import OnAccept, look
from truthmark.market.records import CustodyStatus, bits
from truthmark.market.seller import Listed, Seller
from truthmark.market.settlement import Settlement
from truthmark.session import Session

AGAIN_SECONDS = 600
"""How long each dealing waits, where it was agreed to deal again."""

MOST_AGAIN = 2
"""How often at most."""


def find_lapsed(session: Session, version: Version) -> list[tuple[Epoch, list[str]]]:
    """Return the custodies of a version that not all accepted in time, the oldest first.

    Returns:
        Each with the addresses of those who did not accept; those whose fees came back too.
    """
    epochs = Catalogue.of(session).epochs(version.terms_id)
    now = session.chain.time()
    found = []
    for epoch, state in zip(epochs, Catalogue.of(session).states(epochs), strict=True):
        is_late = state.status is CustodyStatus.OPENED and now > epoch.custody.accept_until
        if is_late or state.status is CustodyStatus.LAPSED:
            accepted = bits(state.accepted)
            missing = [a for j, a in enumerate(epoch.custodians, 1) if j not in accepted]
            found.append((epoch, missing))
    return found


def fees_due(session: Session, version: Version) -> int:
    """Return the keeping fees that `take_fees_back` brings, in the token's smallest unit."""
    epochs = [epoch for epoch, _ in find_lapsed(session, version)]
    return sum(
        epoch.custody.count * epoch.custody.keeping_fee
        for epoch, state in zip(epochs, Catalogue.of(session).states(epochs), strict=True)
        if state.status is CustodyStatus.OPENED
    )


def take_fees_back(session: Session, version: Version) -> int:
    """Bring back the keeping fees of custodies that not all accepted in time, and free the stakes.

    Returns:
        What was paid to the account, in the sale token's smallest unit.
    """
    settlement = Settlement(session)
    epochs = [epoch for epoch, _ in find_lapsed(session, version)]
    fees = 0
    for epoch, state in zip(epochs, Catalogue.of(session).states(epochs), strict=True):
        if state.status is not CustodyStatus.OPENED:
            continue
        lapse = settlement.plan_lapse(version, epoch)
        try:
            session.send(*lapse)
        except RevertedError:
            # Anyone may do this; somebody was faster.
            if Catalogue.of(session).states([epoch])[0].status is not CustodyStatus.LAPSED:
                raise
        fees += epoch.custody.count * epoch.custody.keeping_fee
    if fees:
        before = session.held(version.terms.token)
        settlement.withdraw(version.terms.token, session.address)
        fees = session.held(version.terms.token) - before
    Catalogue.of(session).sync()
    return fees


def deal_again(
    session: Session, version: Version, lapsed: Epoch, *, max_keeping: int | None = None
) -> Listed:
    """Deal the key of a version, whose newest custody was not accepted in time, to others.

    On the same conditions: no more for keeping than before, unless more was agreed, and no higher
    fee for buyers. Those who accepted may be chosen again, those who did not are not. Repeated
    after a kill, it goes on where it was.

    Args:
        session: The seller's.
        version: What is sold.
        lapsed: The custody that lapsed.
        max_keeping: The most to pay all custodians for keeping, in the token's smallest unit; what
            was paid before if not given.

    Raises:
        NotForSaleError: There are not enough others, or this custody did not lapse.
        PriceError: They ask more.
        ChainError: The registry refuses, or is not reached.
    """
    terms, custody = version.terms, lapsed.custody
    missing = {epoch.custody_id: silent for epoch, silent in find_lapsed(session, version)}.get(
        lapsed.custody_id
    )
    if missing is None:
        raise NotForSaleError(
            f"the key of {version.ref} is not to be dealt again: its custodians accepted, or still "
            "may; `truthmark renew` deals it again"
        )
    take_fees_back(session, version)
    windows = Windows(terms.delivery_seconds, terms.inspection_seconds, AGAIN_SECONDS)
    choice = choose_by_offers(
        session,
        terms.token,
        windows,
        CustodyRequest.of(custody),
        None,
        Fetcher(session).manifest(version).size,
        is_sampled=look(session, version).rule.on_accept is not OnAccept.BY_OFFER,
        most=custody.count,
        without=missing,
    )
    agreed = custody.count * custody.keeping_fee if max_keeping is None else max_keeping
    if choice.keeping > agreed or choice.offer.fee > custody.fee:
        show = partial(session.profile.amount, token_address=terms.token)
        raise PriceError(
            f"others would keep the key of {version.ref} only for more than was agreed "
            f"({show(choice.keeping)} at once and {show(choice.offer.fee)} for each "
            "delivery); `truthmark renew` deals it to them"
        )
    return Seller(session).open_custody(
        version,
        offer=choice.offer,
        validators=choice.validators,
        acceptance_seconds=AGAIN_SECONDS,
    )
