# SPDX-License-Identifier: Apache-2.0
"""From a name to data that is open, or to the money back."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from truthmark.errors import ConfigError, MarketError
from truthmark.market.catalogue import Catalogue
from truthmark.market.drafts.order import purchase_cost
from truthmark.market.entries import Purchase, Version
from truthmark.market.flows.sampling import AgreeUnsampled, nobody, require_seen
from truthmark.market.purchase import NO_ADMISSION, Buyer, Opened, WrongKeyDispute
from truthmark.market.quote import NO_VOUCHER, Quote
from truthmark.market.records import PurchaseStatus, VersionStatus
from truthmark.market.settlement import Settlement, overdue
from truthmark.session import Session
from truthmark.text import format_time
from truthmark.types import Bar, Say, no_bar, quiet

Agree = Callable[[Quote], bool]
"""Asked before anything is paid; a no, or what it raises, ends the flow."""


def prepare(
    session: Session,
    version: Version,
    *,
    limit: int | None = None,
    voucher: Sequence[Any] = NO_VOUCHER,
    blind: bool = False,
    agree_unsampled: AgreeUnsampled = nobody,
    waits: bool = False,
    say: Say = quiet,
    bar: Bar = no_bar,
) -> tuple[Path, Quote]:
    """See its sample, fetch a version, check every byte, and find what it costs; pays nothing.

    Args:
        session: Who buys.
        version: What.
        limit: The most to pay, fees included, in the token's smallest unit.
        voucher: A price that the seller signed for this account.
        blind: It may be data of which nobody, or hardly anyone, but the seller has seen anything.
        agree_unsampled: Else asked that.
        waits: Wait for a seller who has not opened the sample yet.
        say: Told what happens.
        bar: Shows how far fetching is.

    Raises:
        NotForSaleError: It cannot be bought now, or its sample is bad or not to be had.
        UnsampledError: Too little of it could be seen, and nobody agreed to that.
        PriceError: It costs more, or the account has not enough.
        TruthmarkError: It cannot be fetched, or is not what the seller committed to.
    """
    buyer = Buyer(session)

    def quote() -> Quote:
        found = buyer.quote(version, voucher=voucher, max_total=limit)
        buyer.require_affordable(found, limit)
        return found

    quote()  # what stands in the way is better said before a long download
    seen = require_seen(
        session, version, blind=blind, agree=agree_unsampled, waits=waits, say=say, bar=bar
    )
    folder = fetch(session, version, say, bar)
    return folder, replace(quote(), agreed=seen.state)


def fetch(session: Session, version: Version, say: Say = quiet, bar: Bar = no_bar) -> Path:
    """Download a version and verify it against the chain, as `Fetcher.fetch` says."""
    with bar("fetching", "bytes") as progress:
        folder = Buyer(session).fetch(version, progress)
    say("fetched; every byte is the one that the seller committed to")
    return folder


def buy(
    session: Session,
    version: Version,
    *,
    agree: Agree,
    max_price: str | None = None,
    unattended: bool = False,
    voucher: Sequence[Any] = NO_VOUCHER,
    admission: Sequence[Any] = NO_ADMISSION,
    again: bool = False,
    blind: bool = False,
    agree_unsampled: AgreeUnsampled = nobody,
    say: Say = quiet,
    bar: Bar = no_bar,
) -> tuple[Path, Purchase]:
    """See its sample, fetch, check and pay for a version, unless this account has bought it before.

    Repeated after a kill it goes on where it was, and nothing is paid twice.

    Args:
        session: Who buys.
        version: What.
        agree: Asked what it costs.
        max_price: The most to pay, fees included, such as "25 USDC"; as is agreed if not given.
        unattended: Nobody is there to agree, so `max_price` must be given.
        voucher: A price that the seller signed for this account (`Seller.write_voucher`).
        admission: The signed leave of the gate, where the version has one.
        again: Pay also where it was bought before; each such call pays.
        blind: As for `prepare`, like the next.
        agree_unsampled: As there.
        say: Told what happens.
        bar: Shows how far fetching is.

    Returns:
        The folder of what was fetched, and the purchase.

    Raises:
        ConfigError: Nothing says how much it may cost.
        PriceError: It costs more, or the account has not enough.
        NotForSaleError: It cannot be bought now, or its sample is bad or not to be had.
        UnsampledError: Too little of it could be seen, and nobody agreed to that.
        BoughtBeforeError: It was bought before, and it is not sure that the money came back.
        MarketError: It was not agreed to.
    """
    limit = None
    if max_price is not None:
        limit = session.profile.read_amount(max_price, version.terms.token)
    buyer = Buyer(session, say)
    earlier = None if again else buyer.find_earlier(version)
    if earlier is not None:
        folder = fetch(session, version, say, bar)
        say("it was bought before; nothing is paid again")
        return folder, earlier
    if limit is None and unattended:
        raise ConfigError(
            'with --yes say how much it may cost, such as --max-price "25 TUSD"',
            page='say how much it may cost, such as "25 TUSD"',
        )
    folder, quote = prepare(
        session,
        version,
        limit=limit,
        voucher=voucher,
        blind=blind,
        agree_unsampled=agree_unsampled,
        waits=not unattended,
        say=say,
        bar=bar,
    )
    if not agree(quote):
        raise MarketError("nothing was bought")
    purchase = buyer.buy(
        quote,
        max_total=quote.total if limit is None else limit,
        voucher=voucher,
        admission=admission,
        again=again,
    )
    say("paid; the money goes to the seller only after the key came and you could check it")
    return folder, purchase


def get(
    session: Session, version: Version, *, say: Say = quiet, bar: Bar = no_bar, **options: Any
) -> Opened:
    """Buy a version, wait for its key, and check that it opens everything.

    Args:
        session: Who buys.
        version: What.
        say: Told what happens.
        bar: Shows how far it is.
        options: As `buy` takes them.

    Raises:
        TruthmarkError: As `buy` and `receive`.
    """
    folder, purchase = buy(session, version, say=say, bar=bar, **options)
    return receive(session, version, purchase, folder, say, bar)


def receive(
    session: Session,
    version: Version,
    purchase: Purchase,
    folder: Path,
    say: Say = quiet,
    bar: Bar = no_bar,
) -> Opened:
    """Wait for the key of what was bought, and check that it opens every shard.

    Raises:
        WrongKeyDispute: It does not; `dispute` with it.
        DeliveryError: It does not come in time, or the money came back already.
        TruthmarkError: An endpoint lies, or a secret is missing.
    """
    buyer = Buyer(session, say)
    if purchase.status is PurchaseStatus.PAID:
        until = format_time(purchase.deadline, session.chain.time())
        say(f"waiting for the key, which comes until {until}; you may stop this and go on later")
    with bar("parts of the key", "parts") as progress:
        purchase = buyer.wait(purchase, progress)
    return buyer.receive(version, purchase, folder)


def dispute(session: Session, wrong: WrongKeyDispute) -> None:
    """Prove on the chain that a key is wrong, and pay out what that brings back."""
    Buyer(session).dispute(wrong)
    _pay_out(session, {wrong.opened.version.terms.token})


def refund(session: Session, purchases: Sequence[Purchase]) -> None:
    """Take the money of purchases back that are `refundable`, and pay it out."""
    if purchases:
        Settlement(session).refund(purchases)
    catalogue = Catalogue.of(session)
    _pay_out(session, {catalogue.with_terms(p.terms_id).terms.token for p in purchases})


def refundable(session: Session, purchases: Sequence[Purchase], now: int) -> list[Purchase]:
    """Return those whose money can be taken back: the key came too late, or was proven wrong."""
    late = {p.purchase_id for p in overdue(purchases, now)}
    catalogue = Catalogue.of(session)
    return [
        p
        for p in purchases
        if p.purchase_id in late
        or (
            p.status in (PurchaseStatus.PAID, PurchaseStatus.DELIVERED)
            and catalogue.with_terms(p.terms_id).status is VersionStatus.REVOKED
        )
    ]


def paid(session: Session, purchase: Purchase) -> int:
    """Return what a purchase cost, with the custodians' fees, in the token's smallest unit."""
    custody = Catalogue.of(session).epoch(purchase.custody_id).custody
    return purchase_cost(purchase.receipt.price, custody)


def _pay_out(session: Session, tokens: set[str]) -> None:
    for token in tokens:
        Settlement(session).withdraw(token, session.address)
