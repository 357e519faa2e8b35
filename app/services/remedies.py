# SPDX-License-Identifier: Apache-2.0
"""When what was sold is bad: found, judged, shown to everybody, rejected, ruled on, reviewed."""

from typing import Final

import streamlit as st

from app import remedy_views as views
from app.services.accounts import acting_as, acting_session, my_session, my_synced_session
from app.services.reading import (
    chain_now,
    find_purchase,
    find_version,
    forget_sync,
    shared_reader,
    version_of,
)
from app.services.texts import amount_of, said_of
from truthmark.config.units import to_checksum_address
from truthmark.errors import MarketError, UnableError
from truthmark.market import reviews
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import Purchase, Version
from truthmark.market.flows import examining
from truthmark.market.flows.examining import Examined
from truthmark.market.purchase import Buyer
from truthmark.market.records import PurchaseStatus, VersionStatus
from truthmark.market.remedies import Remedies, Unsealed
from truthmark.market.reviews import Review, reviews_of
from truthmark.market.verdicts import split_price
from truthmark.session import Session
from truthmark.text import clean, format_time, plural
from truthmark.types import Progress, bar_of

_EXAMINED, _UNSEALED = (f"services.{name}" for name in ("examined", "unsealed"))
_MOST_REVIEWS: Final = 20
_ENDED: Final = (VersionStatus.REVOKED, VersionStatus.CLOSED)


# --------------------------------------------------------------------- of a purchase


def choices_of(key: str) -> views.Choices:
    """Return what else the account may do about a purchase of its own.

    Raises:
        MarketError: It is not on the chain any more.
    """
    session = my_session()
    version, purchase = _bought(session, key)
    now = chain_now(session)
    is_open = purchase.status is PurchaseStatus.DELIVERED
    is_revoked = version.status is VersionStatus.REVOKED
    own = next(
        (it for it in reviews_of(session, version) if it.purchase_id == purchase.purchase_id), None
    )
    can_reject = is_open and not is_revoked and now <= purchase.deadline
    return views.Choices(
        reject=_sentence(examining.reject_text(session, version, purchase)) if can_reject else "",
        reject_until=format_time(purchase.deadline, now),
        confirm=_sentence(examining.confirm_text(session, version, purchase))
        if is_open and not is_revoked
        else "",
        review=_sentence(examining.review_text(session, version, purchase))
        if own is None and purchase.status.is_reviewable
        else "",
        review_later="You can review it once the seller is paid for good: when the time to check "
        "it is over and the sale is settled, or as soon as you pay them yourself."
        if is_open
        else "",
        own=None if own is None else _review(session, version, own),
        arbiter=version.terms.arbiter
        if version.terms.has_arbiter and version.status not in _ENDED
        else "",
    )


def check_purchase(key: str, progress: Progress) -> views.Checked:
    """Open every part of a purchase and read all of it; sends nothing.

    Raises:
        WrongKeyDispute: Its key is wrong.
        TruthmarkError: An endpoint lies, the data cannot be fetched, or a secret is missing.
    """
    session = my_session()
    version, purchase = _bought(session, key)
    done = examining.examine(session, version, purchase, bar=bar_of(progress))
    st.session_state[_EXAMINED] = (session.address, key, done, ())
    if done.found is None:
        return views.Checked("")
    note, expose, dispute = done.why_not, "", ""
    if done.unsealed is not None and version.status not in _ENDED:
        dispute = examining.dispute_text(session, version, done.unsealed)
    keys: tuple[bytes, ...] = ()
    try:
        keys = examining.keys_to_show(session, done)
        expose = examining.expose_text(session, keys)
    except (MarketError, UnableError) as error:
        note = note or said_of(error)
    st.session_state[_EXAMINED] = (session.address, key, done, keys)
    return views.Checked(
        _sentence(clean(examining.found_text(done.found), 400)),
        dispute=_sentence(dispute),
        expose=_sentence(expose),
        note=_sentence(note),
    )


def dispute_part(key: str) -> str:
    """Have the part judged that `check_purchase` found; return in words what that brought.

    Raises:
        MarketError: Nothing was found that a contract can judge.
        TruthmarkError: The market refuses, or the account is locked.
    """
    session = my_session()
    done = _examined(session, key)
    if done.unsealed is None:
        raise MarketError("no contract can judge what is wrong; show it to everybody instead")
    version, purchase = _bought(session, key)
    refunded, half = examining.dispute_sealing(session, version, done.unsealed, purchase)
    st.session_state.pop(_EXAMINED)
    token = version.terms.token
    back = f"{amount_of(session, refunded, token)} and " if refunded else ""
    return f"{back}{amount_of(session, half, token)} of the seller's bond"


def expose_under(key: str, account: str) -> str:
    """Return what showing it under an account of this machine does, in a sentence.

    Args:
        key: Of the purchase.
        account: By name.

    Raises:
        MarketError: It has to be checked first.
    """
    session = my_session()
    _examined(session, key)
    keys = st.session_state[_EXAMINED][3]
    with acting_session(account) as acting:
        return _sentence(examining.expose_text(acting, keys))


def expose(key: str, account: str = "", passphrase: str = "") -> None:
    """Show everybody what `check_purchase` found.

    Args:
        key: Of the purchase.
        account: Which one of this machine sends it, by name; the one that acts if empty.
        passphrase: Of that other account.

    Raises:
        MarketError: Nothing was found, or everybody can see it already.
        TruthmarkError: It cannot be sent, or the account is locked.
    """
    session = my_session()
    done = _examined(session, key)
    keys = examining.keys_to_show(session, done)
    with acting_session(account, passphrase) as acting:
        Remedies(acting).expose(done.opened.version, keys)
    st.session_state.pop(_EXAMINED)
    forget_sync()


def reject(key: str) -> str:
    """Have the guaranteed share of a price burned; return how much that was.

    Raises:
        MarketError: It cannot be rejected now.
        TruthmarkError: The market refuses, or the account is locked.
    """
    session = my_session()
    version, purchase = _bought(session, key)
    Remedies(session).reject(version, purchase)
    burned = split_price(purchase.receipt.price, version.terms, is_rejected=True).burned
    return amount_of(session, burned, version.terms.token)


def confirm(key: str) -> None:
    """Have the seller paid at once.

    Raises:
        MarketError: It cannot be confirmed now.
        TruthmarkError: The market refuses, or the account is locked.
    """
    session = my_session()
    Remedies(session).confirm(*_bought(session, key))


def review(key: str, score: int, text: str) -> None:
    """Say what a purchase was worth.

    Raises:
        MarketError: It cannot be reviewed, or that is no review.
        TruthmarkError: It cannot be sent, or the account is locked.
    """
    session = my_session()
    version, purchase = _bought(session, key)
    reviews.review(session, version, purchase, score, text)
    forget_sync()


# --------------------------------------------------------------------- of a data set


def said_of_dataset(ref: str) -> views.Said:
    """Return what buyers said of a version.

    Raises:
        NotForSaleError: There is none of this name.
        ChainError: The chain cannot be read.
    """
    session = shared_reader().session
    version = find_version(session, ref)
    found = reviews_of(session, version)
    rejected = [
        split_price(it.receipt.price, version.terms, is_rejected=True).burned
        for it in Catalogue.of(session).purchases(terms_id=version.terms_id)
        if it.status is PurchaseStatus.REJECTED
    ]
    burned = amount_of(session, sum(rejected), version.terms.token)
    return views.Said(
        reviews=tuple(_review(session, version, it) for it in found[:_MOST_REVIEWS]),
        total=len(found),
        rejected=f"Rejected {plural(len(rejected), 'time')}, which burned {burned}."
        if rejected
        else "",
    )


def judging_of(ref: str) -> views.Judging:
    """Return what the account may do about a version that it need not have bought.

    Raises:
        NotForSaleError: There is none of this name.
        ChainError: The chain cannot be read.
    """
    if not acting_as():
        return views.Judging()
    session = shared_reader().session
    version = find_version(session, ref)
    terms = version.terms
    if version.status in _ENDED:
        return views.Judging()
    return views.Judging(
        can_dispute=Buyer(my_session()).find_purchase(version) is None,
        is_arbiter=terms.has_arbiter and terms.arbiter.lower() == acting_as().lower(),
    )


def find_unsealed(ref: str, progress: Progress) -> str:
    """Look for a public part that is not sealed under its key; return what a dispute does.

    Args:
        ref: Name of the version.
        progress: Called with parts tried and in all.

    Returns:
        Empty where there is none.

    Raises:
        TruthmarkError: Something cannot be fetched.
    """
    session = my_synced_session()
    version = find_version(session, ref)
    found = Remedies(session).find_published(version, progress)
    if found is None:
        return ""
    st.session_state[_UNSEALED] = (session.address, version.ref, found)
    return _sentence(examining.dispute_text(session, version, found))


def dispute_public(ref: str) -> str:
    """Have the part judged that `find_unsealed` found; return what of the bond that brought.

    Raises:
        MarketError: Nothing was found.
        TruthmarkError: The market refuses, or the account is locked.
    """
    session = my_session()
    version = find_version(session, ref)
    held = st.session_state.get(_UNSEALED)
    if held is None or held[:2] != (session.address, version.ref):
        raise MarketError("look for the part again first")
    unsealed: Unsealed = held[2]
    _, half = examining.dispute_sealing(session, version, unsealed, None)
    st.session_state.pop(_UNSEALED)
    forget_sync()
    return amount_of(session, half, version.terms.token)


def ruling(ref: str, rewarded: str) -> str:
    """Return in a sentence what ruling against a version does.

    Raises:
        ConfigError: That is no address.
        NotForSaleError: There is no such version.
    """
    session = my_session()
    return _sentence(
        examining.rule_text(
            session, find_version(session, ref), to_checksum_address(rewarded.strip())
        )
    )


def rule(ref: str, rewarded: str) -> None:
    """End a version as its arbiter.

    Raises:
        ConfigError: That is no address, or this account is not the arbiter.
        TruthmarkError: The market refuses, or the account is locked.
    """
    session = my_synced_session()
    Remedies(session).rule(find_version(session, ref), to_checksum_address(rewarded.strip()))
    forget_sync()


# ------------------------------------------------------------------------- internals


def _bought(session: Session, key: str) -> tuple[Version, Purchase]:
    purchase = find_purchase(session, key)
    return version_of(session, purchase.terms_id), purchase


def _examined(session: Session, key: str) -> Examined:
    held = st.session_state.get(_EXAMINED)
    if held is None or held[:2] != (session.address, key):
        raise MarketError("it has to be checked first; check every part again")
    return held[2]  # type: ignore[no-any-return]


def _review(session: Session, version: Version, found: Review) -> views.Review:
    token, now = version.terms.token, chain_now(session)
    how = ", at a price that the seller signed for them" if found.is_by_voucher else ""
    return views.Review(
        score=found.score,
        text=clean(found.text, 400),
        by=f"{found.reviewer} paid {amount_of(session, found.price, token)}{how} · "
        f"{format_time(found.time, now)}",
        cost=f"Faking it costs a seller at least {amount_of(session, found.cost, token)}.",
    )


def _sentence(text: str) -> str:
    text = clean(text, 600)
    return f"{text[:1].upper()}{text[1:]}." if text else ""
