# SPDX-License-Identifier: Apache-2.0
"""The market: searching, and listings as cards."""

from decimal import Decimal

from app import views
from app.services.reading import (
    PATIENCE_SECONDS,
    chain_now,
    listed_versions,
    shared_reader,
    shared_session,
)
from app.services.sampled import badges_of
from app.services.texts import PAGE_SIZE, title_of
from truthmark.market.cards import Card
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import Epoch, EpochState, Version
from truthmark.session import Session
from truthmark.text import clean, format_size
from truthmark.waiting import Deadline


def tokens() -> tuple[str, ...]:
    """Return the symbols of the tokens that something may be sold for."""
    profile = shared_session().profile
    stake = profile.stake_token
    return tuple(t.symbol for t in profile.tokens if t.address != stake)


def search(
    text: str = "",
    *,
    token: str | None = None,
    max_price: Decimal | None = None,
    seller: str = "",
    licence: str | None = None,
    cheapest_first: bool = False,
    page: int = 1,
) -> views.Found:
    """Return a page of what is for sale; of each listing the newest version that can be bought.

    Args:
        text: Words that title or description must contain, in any case.
        token: Symbol of the sale token.
        max_price: In units of `token`; ignored without it.
        seller: How the seller's address begins.
        licence: As the card has it.
        cheapest_first: Else the newest come first; counts only with `token`.
        page: From 1; the last one where there are fewer.
    """
    reader = shared_reader()
    session = reader.session
    wanted = session.profile.token(token) if token else None
    limit = None
    if wanted is not None and max_price is not None:
        _, limit = session.profile.parse_amount(f"{max_price:f} {wanted.symbol}")
    offered = set(Catalogue.of(session).offered())
    candidates = [v for v in listed_versions(session) if v.terms_id in offered]
    cards = reader.cards.read(candidates, Deadline(PATIENCE_SECONDS))
    words = text.lower().split()
    fitting: list[tuple[Version, Card]] = []
    for version in candidates:
        card = cards.get(version.terms_id)
        if card is None:
            continue
        if wanted is not None and version.terms.token.lower() != wanted.address.lower():
            continue
        if limit is not None and version.price > limit:
            continue
        if seller and not version.terms.seller.lower().startswith(seller.strip().lower()):
            continue
        if licence and _licence(card) != licence:
            continue
        if all(word in card.searched for word in words):
            fitting.append((version, card))
    if cheapest_first and wanted is not None:
        fitting.sort(key=lambda entry: entry[0].price)
    pages = max(1, -(-len(fitting) // PAGE_SIZE))
    page = min(max(page, 1), pages)
    shown = fitting[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    badges = badges_of(session, [version for version, _ in shown])
    return views.Found(
        listings=tuple(
            _listing(session, version, card, keeping, badges.get(version.terms_id, ""))
            for (version, card), keeping in zip(
                shown, _keepings(session, [version for version, _ in shown]), strict=True
            )
        ),
        total=len(fitting),
        pages=pages,
        page=page,
        pending=sum(v.terms_id not in cards for v in candidates),
        hidden=sum(card is None for card in cards.values()),
        licences=tuple(sorted({_licence(card) for card in cards.values() if card is not None})),
    )


def _listing(
    session: Session, version: Version, card: Card, keeping: tuple[str, bool, bool], sampled: str
) -> views.Listing:
    terms, show = version.terms, session.profile.amount
    text, is_kept, is_direct = keeping
    return views.Listing(
        ref=version.ref,
        title=title_of(card),
        summary=clean(card.summary, 160),
        licence=_licence(card),
        price=str(show(version.price, terms.token)),
        rows=card.rows,
        files=card.files,
        size=format_size(card.size),
        bond=str(show(terms.bond, terms.token)) if terms.bond else None,
        custody=text,
        is_kept=is_kept,
        is_direct=is_direct,
        sampled=sampled,
    )


def _licence(card: Card) -> str:
    return clean(card.licence, 80)


def _keepings(session: Session, versions: list[Version]) -> list[tuple[str, bool, bool]]:
    """Return who keeps each key now, whether anyone does, and whether it is the seller."""
    epochs = [list(reversed(Catalogue.of(session).epochs(v.terms_id))) for v in versions]
    states = iter(Catalogue.of(session).states([epoch for each in epochs for epoch in each]))
    now = chain_now(session)
    return [
        _keeping(version, [(epoch, next(states)) for epoch in each], now)
        for version, each in zip(versions, epochs, strict=True)
    ]


def _keeping(
    version: Version, epochs: list[tuple[Epoch, EpochState]], now: int
) -> tuple[str, bool, bool]:
    for epoch, state in epochs:
        custody = epoch.custody
        if state.outlasts(version.terms, now):
            if custody.is_direct:
                return "seller keeps the key", True, True
            return f"{custody.threshold} of {custody.count} custodians", True, False
    for epoch, state in epochs:
        if state.is_awaited(epoch.custody, now):
            return "waiting for custodians", False, False
    return "no custodians now", False, False
