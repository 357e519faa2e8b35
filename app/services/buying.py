# SPDX-License-Identifier: Apache-2.0
"""Paying, waiting for the key, opening, disputing, taking money back."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import pyarrow as pa
import streamlit as st

from app import views
from app.remedy_views import Checked
from app.services.accounts import my_session, my_synced_session
from app.services.datasets import price_of
from app.services.reading import (
    PATIENCE_SECONDS,
    chain_now,
    find_purchase,
    find_version,
    shared_reader,
    version_of,
)
from app.services.remedies import check_purchase
from app.services.texts import MAX_TABLES, PAGE_SIZE, rows_of, title_of
from app.views import Mark
from truthmark.codec import Container, File, open_container
from truthmark.config.units import about
from truthmark.errors import (
    BoughtBeforeError,
    ConfigError,
    MalformedError,
    MarketError,
    NotForSaleError,
)
from truthmark.market.catalogue import Catalogue
from truthmark.market.endings import why_revoked
from truthmark.market.entries import Purchase, Version
from truthmark.market.flows import purchasing
from truthmark.market.opened import require_free, write_out
from truthmark.market.purchase import Buyer, Opened, WrongKeyDispute
from truthmark.market.quote import Quote
from truthmark.market.records import PurchaseStatus, VersionStatus
from truthmark.market.settlement import Settlement
from truthmark.session import Session
from truthmark.text import clean, format_size, format_time
from truthmark.types import Progress, bar_of
from truthmark.waiting import Deadline

FIRST_ROWS: Final = 20
_MAX_FILES: Final = 50
_QUOTE, _DISPUTE = (f"services.{name}" for name in ("quote", "dispute"))
_DOUBT: Final = "paid_before"


def prepare(ref: str, progress: Progress, *, blind: bool = False) -> views.Price:
    """See a version's sample, fetch it, check every byte, ask what it costs now; pays nothing.

    Args:
        ref: Its name.
        progress: Called with bytes fetched and in all.
        blind: It may be data of which nobody, or hardly anyone, but the seller has seen anything.

    Raises:
        NotForSaleError: It cannot be bought now, or its sample is bad.
        UnsampledError: Too little of it could be seen, and `blind` is not given.
        PriceError: The account has not enough.
        TruthmarkError: It cannot be fetched, or is not what the seller committed to.
    """
    session = my_synced_session()
    version = find_version(session, ref)
    _, quote = purchasing.prepare(session, version, blind=blind, bar=bar_of(progress))
    st.session_state[_QUOTE] = (session.address, version.ref, quote)
    return price_of(session, quote)


def prepared(ref: str) -> views.Price | None:
    """Return the price that was asked for and not paid yet."""
    held = st.session_state.get(_QUOTE)
    if held is None or held[:2] != (my_session().address, ref):
        return None
    return price_of(my_session(), held[2])


def forget_price() -> None:
    """Pay nothing after all."""
    st.session_state.pop(_QUOTE, None)
    st.session_state.pop(_DOUBT, None)


def may_be_paid_already(ref: str) -> bool:
    """Whether `pay` held back, because it is not sure that earlier money came back."""
    return st.session_state.get(_DOUBT) == (my_session().address, ref)


def pay(ref: str, *, again: bool = False) -> None:
    """Pay what `prepare` said, and no more; see `may_be_paid_already`.

    Args:
        ref: What to buy.
        again: Pay also where it was bought before and the money may not have come back.

    Raises:
        MarketError: The price is not known.
        TruthmarkError: It cannot be bought, or the account is locked; nothing is paid twice.
    """
    session = my_session()
    held = st.session_state.get(_QUOTE)
    if held is None or held[:2] != (session.address, ref):
        raise MarketError("the price is not known any more; check the data set again")
    quote: Quote = held[2]
    try:
        Buyer(session).buy(quote, max_total=quote.total, again=again)
    except BoughtBeforeError:
        st.session_state[_DOUBT] = held[:2]
        return
    except NotForSaleError:
        forget_price()  # what was agreed to is no more
        raise
    forget_price()


def purchase_of(ref: str) -> views.Purchase | None:
    """Return the account's newest purchase of a version, refunded ones too, if there is any."""
    session = my_synced_session()
    version = find_version(session, ref)
    found = Catalogue.of(session).purchases(buyer=session.address, terms_id=version.terms_id)
    return _purchase(session, found[-1]) if found else None


def purchase_by_key(key: str) -> views.Purchase:
    """Return a purchase of the account as it is now.

    Raises:
        MarketError: It is not on the chain any more.
    """
    session = my_session()
    return _purchase(session, find_purchase(session, key))


def purchases(page: int = 1) -> tuple[int, tuple[views.Purchase, ...], int]:
    """Return a page of the account's purchases, the newest first.

    Args:
        page: From 1; the last one where there are fewer.

    Returns:
        Which page it is, what is on it, and how many pages there are.
    """
    session = my_synced_session()
    found = Catalogue.of(session).purchases(buyer=session.address)[::-1]
    pages = max(1, -(-len(found) // PAGE_SIZE))
    page = min(max(page, 1), pages)
    shown = found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    return page, tuple(_purchase(session, purchase) for purchase in shown), pages


def open_purchase(key: str, progress: Progress) -> views.Opened | views.WrongKey | Checked:
    """Combine the parts of a purchase's key, check it against all of the data, and open that.

    Returns:
        What is in it, or what is wrong with it.

    Raises:
        TruthmarkError: An endpoint lies, the data cannot be fetched, or a secret is missing.
    """
    session = my_session()
    purchase = find_purchase(session, key)
    version = version_of(session, purchase.terms_id)
    folder = purchasing.fetch(session, version, bar=bar_of(progress))
    try:
        opened = Buyer(session).receive(version, purchase, folder)
    except WrongKeyDispute as dispute:
        st.session_state[_DISPUTE] = (key, dispute)
        return _wrong_key(session, dispute)
    try:
        return _contents(opened)
    except MalformedError:
        checked = check_purchase(key, progress)
        if not checked.wrong:
            raise
        return checked


def check(key: str, progress: Progress) -> views.WrongKey | Checked:
    """Open every part of a purchase and read all of it; sends nothing.

    Raises:
        TruthmarkError: An endpoint lies, the data cannot be fetched, or a secret is missing.
    """
    try:
        return check_purchase(key, progress)
    except WrongKeyDispute as dispute:
        st.session_state[_DISPUTE] = (key, dispute)
        return _wrong_key(my_session(), dispute)


def _contents(opened: Opened) -> views.Opened:
    with open_container(opened.folder, cek=opened.cek) as container:
        tables = [_first_rows(container, file) for file in container.tables[:MAX_TABLES]]
        files = [file for file in container.files if not file.is_table]
        return views.Opened(
            tables=tuple(tables),
            files=tuple((clean(f.path, 200), format_size(f.size or 0)) for f in files[:_MAX_FILES]),
            file_count=len(files),
        )


def _first_rows(container: Container, file: File) -> views.Table:
    rows = range(min(FIRST_ROWS, file.rows or 0))
    table = container.to_table(file.path, rows=rows).slice(0, FIRST_ROWS)
    shown = views.Table(name=clean(file.path, 200), rows=file.rows)
    try:
        return replace(shown, example_rows=rows_of(table.to_pylist()))
    except (
        ArithmeticError,
        LookupError,
        NotImplementedError,
        TypeError,
        ValueError,
        pa.ArrowException,
    ):
        # Arrow holds times, time zones, intervals and texts that Python has no value for.
        return replace(shown, note="its rows cannot be shown here; save it to use it elsewhere")


def save_purchase(key: str, folder: str, progress: Progress) -> str:
    """Write what was bought into a new folder as Parquet and files; return the folder.

    Raises:
        TruthmarkError: The folder cannot be made, or the data cannot be opened.
    """
    if not folder.strip():
        raise ConfigError("say where it should go; name a new folder")
    session = my_session()
    purchase = find_purchase(session, key)
    version = version_of(session, purchase.terms_id)
    opened = Buyer(session).receive(version, purchase, purchasing.fetch(session, version))
    target = Path(folder.strip()).expanduser().absolute()
    require_free(target)
    with open_container(opened.folder, cek=opened.cek) as container:
        write_out(session, version, container, target, None, progress)
    return str(target)


def dispute(key: str) -> str:
    """Prove on the chain that the key of a purchase is wrong; return what came back.

    Raises:
        MarketError: `open_purchase` has not found the key to be wrong.
        TruthmarkError: The market refuses, or the account is locked.
    """
    session = my_session()
    held = st.session_state.get(_DISPUTE)
    if held is None or held[0] != key:
        raise MarketError("the key has to be checked first; open the purchase again")
    dispute: WrongKeyDispute = held[1]
    purchasing.dispute(session, dispute)
    st.session_state.pop(_DISPUTE)
    return _brings(session, dispute)


def take_back(key: str) -> str:
    """Take the money of a purchase back that failed; return what came back.

    Raises:
        TruthmarkError: It cannot be refunded, or the account is locked.
    """
    session = my_session()
    purchase = find_purchase(session, key)
    if not purchasing.refundable(session, [purchase], chain_now(session)):
        raise MarketError("this purchase cannot be refunded now; reload the page")
    purchasing.refund(session, [purchase])
    return _paid(session, purchase)


def credits() -> tuple[str, ...]:
    """Return what the contracts hold for the account, of each token that is listed."""
    session = my_synced_session()
    settlement = Settlement(session)
    amounts = (
        (sum(settlement.credits(token.address, session.address).values()), token.address)
        for token in session.profile.tokens
    )
    return tuple(str(session.profile.amount(a, token)) for a, token in amounts if a)


def withdraw() -> str:
    """Pay out to the account all that the contracts hold for it; return what they paid.

    Raises:
        MarketError: There is nothing.
        TruthmarkError: A contract refuses, or the account is locked.
    """
    session = my_session()
    amounts = ((_withdraw(session, token.address), token) for token in session.profile.tokens)
    paid = [str(session.profile.amount(units, token.address)) for units, token in amounts if units]
    if not paid:
        raise MarketError("nothing can be taken out now; reload the page")
    return " and ".join(paid)


def _withdraw(session: Session, token: str) -> int:
    """Pay out one token; return how much the contracts say that they paid."""
    return sum(
        int(log.args["amount"])
        for receipt in Settlement(session).withdraw(token, session.address)
        for ledger in session.chain.contracts.values()
        for log in ledger.logs(receipt.logs)
        if log.event == "Withdrawn"
    )


def _paid(session: Session, purchase: Purchase) -> str:
    token = version_of(session, purchase.terms_id).terms.token
    return str(session.profile.amount(purchasing.paid(session, purchase), token))


def _purchase(session: Session, purchase: Purchase) -> views.Purchase:
    version = version_of(session, purchase.terms_id)
    threshold = Catalogue.of(session).epoch(purchase.custody_id).custody.threshold
    cards = shared_reader().cards.read([version], Deadline(PATIENCE_SECONDS))
    card = cards.get(version.terms_id)
    can_refund = bool(purchasing.refundable(session, [purchase], chain_now(session)))
    has_key = purchase.status.has_key
    return views.Purchase(
        key=purchase.purchase_id.hex(),
        ref=version.ref,
        title=title_of(card) if card else "its description cannot be read now",
        paid=_paid(session, purchase),
        bought=format_time(purchase.bought_at),
        steps=_steps(purchase, threshold, can_refund),
        note=_note(session, purchase, version, can_refund),
        can_open=has_key,
        can_refund=can_refund,
        is_over=purchase.status.is_over,
    )


def _steps(purchase: Purchase, threshold: int, is_failed: bool) -> tuple[views.Step, ...]:
    """Return paid → part 1 of t → ... → verified, each with how far it is."""
    came = min(len(purchase.delivered), threshold)
    is_verified = purchase.status.has_key
    steps = [views.Step("Paid", Mark.DONE)]
    steps += [
        views.Step(f"Part {i} of {threshold}", Mark.DONE if i <= came else Mark.TODO)
        for i in range(1, threshold + 1)
    ]
    steps.append(views.Step("Verified", Mark.DONE if is_verified else Mark.TODO))
    if purchase.status is PurchaseStatus.REFUNDED:
        return (*(s for s in steps if s.mark is Mark.DONE), views.Step("Refunded", Mark.DONE))
    at = next((i for i, step in enumerate(steps) if step.mark is Mark.TODO), None)
    if at is not None:
        steps[at] = replace(steps[at], mark=Mark.FAILED if is_failed else Mark.NOW)
    return tuple(steps)


def _note(session: Session, purchase: Purchase, version: Version, can_refund: bool) -> str:
    now = chain_now(session)
    until = format_time(purchase.deadline, now)
    if purchase.status is PurchaseStatus.REFUNDED:
        return "Your money was given back."
    if purchase.status is PurchaseStatus.REJECTED:
        return "Rejected: the guaranteed part of your price is burned, and the data stays yours."
    if purchase.status is PurchaseStatus.SETTLED:
        return "Finished: the seller is paid, and the data is yours to open."
    if version.status is VersionStatus.REVOKED:
        return f"Revoked, as {why_revoked(session, version)}: take your money back."
    if can_refund:
        return "The key did not come in time: take your money back."
    if purchase.status is PurchaseStatus.PAID:
        return f"The key comes until {until}, or you can take your money back."
    if now > purchase.deadline:
        return "The contract has verified the key. The time for disputes is over."
    return (
        "The contract has verified the key. The seller is paid later; should the key not open the "
        f"data, you can dispute until {until}."
    )


def wrong_key(key: str) -> views.WrongKey | None:
    """Return what `open_purchase` found to be wrong, with the time that is left now."""
    session = my_synced_session()
    held = st.session_state.get(_DISPUTE)
    return _wrong_key(session, held[1]) if held is not None and held[0] == key else None


def _wrong_key(session: Session, dispute: WrongKeyDispute) -> views.WrongKey:
    opened, now = dispute.opened, chain_now(session)
    cost = Buyer(session).dispute_cost(dispute)
    return views.WrongKey(
        cost="" if cost is None else str(session.profile.native(about(cost))),
        brings=_brings(session, dispute),
        until=format_time(opened.purchase.deadline, now),
        is_late=now > opened.purchase.deadline,
    )


def _brings(session: Session, dispute: WrongKeyDispute) -> str:
    opened = dispute.opened
    token = opened.version.terms.token
    reward = session.profile.amount(dispute.reward, token)
    return f"{_paid(session, opened.purchase)} and {reward} of the seller's bond"
