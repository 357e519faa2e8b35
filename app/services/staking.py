# SPDX-License-Identifier: Apache-2.0
"""Validators: who has what at stake and offers what, and the stake of this machine's account."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import streamlit as st

from app import income_views, views
from app.services.accounts import my_session, my_synced_session
from app.services.bounties import clock_at
from app.services.reading import PATIENCE_SECONDS, board, chain_now, is_local, shared_reader
from app.services.texts import amount_of
from app.services.wallets import topping_up
from truthmark.bounty.flows.board import Brief
from truthmark.bounty.payouts import Status
from truthmark.errors import MarketError
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import ValidatorOffer
from truthmark.market.life import Signs, find_signs
from truthmark.market.records import CustodyStatus
from truthmark.market.settlement import Settlement
from truthmark.market.validator import ValidatorOwner
from truthmark.session import Session
from truthmark.text import clean, format_duration, format_size, format_time
from truthmark.waiting import Deadline

VALIDATORS_PAGE_SIZE: Final = 20
_GAS: Final = 250_000
"""Of registering, of an offer, and of an approval with what pays back what was slashed."""
_GAS_A_TICKET: Final = 100_000

_STATUSES: Final = {
    CustodyStatus.OPENED: "waiting for the others",
    CustodyStatus.LIVE: "running",
    CustodyStatus.CLOSED: "ending",
    CustodyStatus.LAPSED: "did not come about",
}


def validators(page: int = 1) -> income_views.Validators:
    """Return who has registered, with what they have at stake and what they offer.

    Args:
        page: From 1; the last one where there are fewer.

    Raises:
        ChainError: The chain cannot be read.
    """
    session = shared_reader().session
    catalogue, staking = Catalogue.of(session), session.chain.staking.functions
    addresses = [validator.address for validator in catalogue.validators()]
    pages = max(1, -(-len(addresses) // VALIDATORS_PAGE_SIZE))
    page = min(max(page, 1), pages)
    shown = addresses[(page - 1) * VALIDATORS_PAGE_SIZE : page * VALIDATORS_PAGE_SIZE]
    states = session.chain.batch([staking.validator(address) for address in shown])
    offers, signs = _offers(f"{session.home} {session.profile.name}", session)
    by_address = {offer.validator.address: offer for offer in offers}
    return income_views.Validators(
        rows=tuple(
            income_views.Validator(
                address=address,
                stake=_stake(session, state.stake),
                at_risk=_stake(session, state.locked),
                offer=_offer_text(session, by_address.get(address)),
                is_available=bool(state.is_available) and address in by_address,
                is_alive=address in signs and signs[address].shows_life,
            )
            for address, state in zip(shown, states, strict=True)
        ),
        total=len(addresses),
        pages=pages,
        page=page,
        ticket=_stake(session, int(staking.TICKET().call())),
        unbonding=format_duration(int(staking.UNBONDING_SECONDS().call())),
    )


@st.cache_data(ttl=15, max_entries=8, show_spinner=False)
def _offers(place: str, _session: Session) -> tuple[list[ValidatorOffer], dict[str, Signs]]:
    """Return the offers, and who shows life; asking their nodes takes up to a second."""
    offers = Catalogue.of(_session).offers()
    return offers, find_signs(_session, offers, patience=1.0)


def my_validator() -> income_views.MyValidator | None:
    """Return the stake and obligations of this machine's account; None where it has no account.

    Raises:
        ChainError: The chain cannot be read.
    """
    if not is_local() or my_session().settings.account is None:
        return None
    session = my_synced_session()
    owner, staking = ValidatorOwner(session), session.chain.staking.functions
    validator = session.address
    state, free, ticket = session.chain.batch(
        [staking.validator(validator), staking.free(validator), staking.TICKET()]
    )
    if not int(state.operator, 16):
        return income_views.MyValidator(address=validator, is_registered=False)
    now, tickets = chain_now(session), owner.tickets()
    owed = sum(Settlement(session).credits(session.profile.stake_token, validator).values())
    ripe = sum(0 < t.unbonding_until <= now for t in tickets)
    waiting = sorted(t.unbonding_until for t in tickets if t.unbonding_until > now)
    offers = Catalogue.of(session).offers(validator)
    missing = owner.missing()
    return income_views.MyValidator(
        address=validator,
        is_registered=True,
        operator=state.operator,
        is_available=bool(state.is_available),
        stake=_stake(session, state.stake),
        free=_stake(session, free),
        at_risk=_stake(session, state.locked),
        missing=_stake(session, missing) if missing else None,
        standing=sum(not t.unbonding_until for t in tickets),
        leaving=tuple(format_time(until, now) for until in waiting[:5]),
        leaving_count=len(waiting),
        can_take_out=ripe > 0 or owed > 0,
        free_tickets=int(free // ticket),
        offer=_offer_text(session, offers[0] if offers else None),
        obligations=tuple(
            income_views.Obligation(
                ref=obligation.ref,
                part=obligation.index,
                status=_STATUSES.get(obligation.status, "over"),
                locked=_stake(session, obligation.locked),
                ends=format_time(obligation.end, now) if obligation.end else "",
                is_fined=obligation.fined,
            )
            for obligation in owner.obligations()
        ),
    )


def challengeable() -> tuple[income_views.Scored, ...]:
    """Return the scores that can still be disproved, those that close first in front.

    Raises:
        ConfigError: This network has no bounties.
        ChainError: The chain cannot be read.
    """
    reader = shared_reader()
    session, headings = reader.session, reader.headings
    now = chain_now(session)
    found = [
        brief
        for brief in board(session).briefs.values()
        if brief.status in (Status.SCORED, Status.SCORED_HALF)
        and brief.phase(now).name == "challenge"
    ]
    found.sort(key=lambda brief: brief.phase(now).until or 0)
    known = headings.read([brief.terms for brief in found], Deadline(PATIENCE_SECONDS))

    def title(brief: Brief) -> str:
        heading = known.get(headings.key(brief.terms))
        return "" if heading is None else clean(heading.title, 200)

    return tuple(
        income_views.Scored(
            number=brief.bounty_id,
            title=title(brief),
            clock=clock_at(brief, now),
            reward=amount_of(session, brief.terms.reward, brief.terms.token),
        )
        for brief in found
    )


def lacking_for_stake(tickets: int, payer: str) -> tuple[str, tuple[views.WalletAction, ...]]:
    """Return what the account of this machine lacks for some tickets, and what sends it.

    Args:
        tickets: How many are to be added.
        payer: The account of a wallet of the browser; empty where none is connected yet.

    Raises:
        ChainError: The chain cannot be read.
    """
    session = my_session()
    ticket = session.chain.staking.functions.TICKET().call()
    return topping_up(_stake(session, tickets * ticket), _GAS + tickets * _GAS_A_TICKET, payer)


def lacking_for_cover(missing: str, payer: str) -> tuple[str, tuple[views.WalletAction, ...]]:
    """Return what the account lacks to pay back what was slashed, as `lacking_for_stake` does."""
    return topping_up(missing, _GAS, payer)


# ------------------------------------------------------------------------------- actions


def register() -> None:
    """Register the account as a validator that operates itself.

    Raises:
        TruthmarkError: It was refused, or the account is locked.
    """
    ValidatorOwner(_sending()).register()


def add_stake(tickets: int) -> None:
    """Put down stake for some tickets.

    Raises:
        TruthmarkError: It was refused, or the account is locked.
    """
    ValidatorOwner(_sending()).stake(tickets)


def take_stake_out(tickets: int) -> None:
    """Begin to take some tickets out, the newest first.

    Raises:
        ConfigError: There are not so many.
        TruthmarkError: It was refused, or the account is locked.
    """
    ValidatorOwner(_sending()).take_out(tickets)


def withdraw_stake() -> str:
    """Pay out the tickets whose time is over, and what else is owed in the stake token.

    Raises:
        MarketError: There is nothing.
        TruthmarkError: It was refused, or the account is locked.
    """
    owner = ValidatorOwner(_sending())
    _, paid = owner.withdraw()
    if not paid:
        raise MarketError("nothing can be taken out now")
    return _stake(owner.session, paid)


def top_up_stake() -> None:
    """Pay back what was slashed.

    Raises:
        TruthmarkError: It was refused, or the account is locked.
    """
    owner = ValidatorOwner(_sending())
    owner.top_up(owner.missing())


def set_available(is_available: bool) -> None:
    """Take new obligations, or no more.

    Raises:
        TruthmarkError: It was refused, or the account is locked.
    """
    ValidatorOwner(_sending()).set_available(is_available)


def publish_offer(
    *, fee: Decimal, token: str, days: int, lock: Decimal, takes_unsampled: bool, url: str
) -> None:
    """Say what the account's node asks for keeping a key.

    Args:
        fee: For each sale, in units of `token`.
        token: Its symbol.
        days: The longest period.
        lock: Stake for one obligation, in units of the stake token.
        takes_unsampled: Whether to keep also what no client has seen a sample of.
        url: Where the node answers; may be empty.

    Raises:
        TruthmarkError: It was refused, or the account is locked.
    """
    session = _sending()
    paid_in, units = session.profile.parse_amount(f"{fee:f} {token}")
    stake = session.profile.token(session.profile.stake_token).symbol
    _, most = session.profile.parse_amount(f"{lock:f} {stake}")
    ValidatorOwner(session).publish_offer(
        {paid_in.address: (units, 0)},
        max_period_seconds=days * 86_400,
        max_lock=most,
        takes_unsampled=takes_unsampled,
        url=url.strip(),
    )


def withdraw_offer() -> None:
    """Take the offer back; running obligations go on.

    Raises:
        TruthmarkError: It was refused, or the account is locked.
    """
    ValidatorOwner(_sending()).withdraw_offer()


# ------------------------------------------------------------------------------- internals


def _sending() -> Session:
    session = my_synced_session()
    session.require_account()
    return session


def _stake(session: Session, units: int) -> str:
    return amount_of(session, units, session.profile.stake_token)


def _offer_text(session: Session, offer: ValidatorOffer | None) -> str:
    """Return what a validator asks, in words; empty where they offer nothing."""
    if offer is None:
        return ""
    listed = {token.address.lower() for token in session.profile.tokens}
    fees = [
        amount_of(session, per_sale, token)
        for token, (per_sale, _) in offer.fees.items()
        if token.lower() in listed
    ]
    asked = _some(fees) if fees else "fees in tokens that are not listed here"
    return clean(
        f"{asked} a sale, up to {format_size(offer.max_bytes)} for up to "
        f"{format_duration(offer.max_period_seconds)}",
        200,
    )


def _some(fees: Sequence[str]) -> str:
    return " or ".join(fees[:3])
