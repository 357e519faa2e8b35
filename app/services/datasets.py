# SPDX-License-Identifier: Apache-2.0
"""One data set: what is public of it, who keeps its key, and what it costs."""

from collections.abc import Sequence
from typing import Any, Final

import streamlit as st

from app import views
from app.services.markdown import plain
from app.services.reading import (
    PATIENCE_SECONDS,
    chain_now,
    find_version,
    listed_versions,
    shared_reader,
)
from app.services.texts import counts_of, day_of, paragraphs_of, said_of, tables_of
from truthmark.codec import Manifest
from truthmark.errors import KeysError, NotForSaleError, TruthmarkError
from truthmark.flows.provenance import provenance_of
from truthmark.market.assurance import arbiter_text, guarantee_text
from truthmark.market.catalogue import Catalogue
from truthmark.market.drafts.delivery import check_custody
from truthmark.market.endings import why_revoked
from truthmark.market.entries import Epoch, EpochState, Version
from truthmark.market.life import is_seller_silent, seller_seen_at
from truthmark.market.purchase import Buyer
from truthmark.market.quote import Quote
from truthmark.market.records import BPS, ZERO_ADDRESS, CustodyStatus, Terms, VersionStatus, bits
from truthmark.market.reuse import find_reuse
from truthmark.market.surface import dataset_uri
from truthmark.session import Session
from truthmark.text import clean, format_duration, format_size, format_time, plural
from truthmark.waiting import Deadline

_MOST_REUSED: Final = 3
_STATUS: Final = {
    VersionStatus.OPEN: "",
    VersionStatus.PAUSED: "paused by the seller",
    VersionStatus.RETIRED: "no longer sold",
    VersionStatus.CLOSED: "no longer sold",
}


@st.cache_resource(max_entries=64, show_spinner=False)
def _public_part(
    key: str, terms_id: bytes, _session: Session, _version: Version
) -> tuple[Manifest, dict[str, Any]]:
    buyer = Buyer(_session)
    manifest = buyer.manifest(_version)
    return manifest, buyer.card(_version, manifest)


def dataset(ref: str) -> views.Dataset:
    """Return all that is public of a version.

    Raises:
        NotForSaleError: There is none of this name.
        ChainError: The chain cannot be read.
    """
    session = shared_reader().session
    version = find_version(session, ref)
    terms, profile = version.terms, session.profile
    show = profile.amount
    card: dict[str, Any] = {"title": "", "description": "", "licence": ""}
    manifest: Manifest | None = None
    problem = ""
    try:
        manifest, card = _public_part(profile.name, version.terms_id, session, version)
    except (TruthmarkError, OSError, ValueError) as error:
        problem = said_of(error)
    epochs = Catalogue.of(session).epochs(version.terms_id)
    siblings = [v for v in listed_versions(session) if v.listing_id == version.listing_id]
    buyable = Catalogue.of(session).buyable([v.terms_id for v in siblings])
    quote, why_not = _try_quote(session, version)
    origin = provenance_of(session, version)
    reused = find_reuse(session, version, Deadline(PATIENCE_SECONDS))
    return views.Dataset(
        ref=version.ref,
        title=clean(card["title"], 200) or "Untitled",
        description=paragraphs_of(plain(card["description"])),
        licence=clean(card["licence"], 256) or "unknown",
        status=_status(session, version),
        size=format_size(manifest.size) if manifest else "unknown",
        seller=terms.seller,
        listed=day_of(version.listed_at),
        problem=problem,
        warnings=tuple(it.line for it in reused[:_MOST_REUSED]),
        counts=counts_of(card),
        tables=tables_of(card),
        price=price_of(session, quote) if quote else None,
        why_not=why_not,
        listed_price=str(show(version.price, terms.token)),
        delivery=format_duration(terms.delivery_seconds),
        inspection=format_duration(terms.inspection_seconds),
        bond=str(show(terms.bond, terms.token)) if terms.bond else None,
        assurance=(guarantee_text(terms.guarantee_bps), arbiter_text(terms.arbiter)),
        gate=None if terms.gate.lower() == ZERO_ADDRESS else terms.gate,
        royalty=royalty_of(terms),
        provenance=tuple(origin.lines) if origin is not None else (),
        custody=_custodies(session, version),
        versions=tuple(
            views.Sibling(
                v.ref,
                day_of(v.listed_at),
                str(show(v.price, v.terms.token)),
                _status(session, v)
                or ("for sale" if v.terms_id in buyable else "not for sale now"),
            )
            for v in siblings
        ),
        sold=_sold(session, version),
        uri=dataset_uri(session, version),
        evidence=_evidence(session, version, manifest, epochs),
    )


def _status(session: Session, version: Version) -> str:
    """Return what stands against buying a version; nothing if it is open."""
    if version.status is VersionStatus.REVOKED:
        return f"revoked, as {why_revoked(session, version)}: do not buy it"
    return _STATUS[version.status]


def custody_of(ref: str) -> tuple[views.Custody, ...]:
    """Return who keeps the key of a version as it is now, the newest first.

    Raises:
        NotForSaleError: There is none of this name.
        ChainError: The chain cannot be read.
    """
    session = shared_reader().session
    return _custodies(session, find_version(session, ref))


def royalty_of(terms: Terms) -> str | None:
    """Return in words what each sale owes the labelers of a bounty."""
    if not terms.bounty:
        return None
    return (
        f"Of each sale {terms.royalty_bps / 100:g}% goes to those who labeled for bounty "
        f"{terms.bounty}."
    )


def _custodies(session: Session, version: Version) -> tuple[views.Custody, ...]:
    epochs = Catalogue.of(session).epochs(version.terms_id)
    states = Catalogue.of(session).states(epochs)
    return tuple(
        _custody(session, version, epoch, state)
        for epoch, state in reversed(list(zip(epochs, states, strict=True)))
    )


def _try_quote(session: Session, version: Version) -> tuple[Quote | None, str]:
    try:
        return Buyer(session).quote(version), ""
    except NotForSaleError as error:
        return None, said_of(error)


def price_of(session: Session, quote: Quote) -> views.Price:
    """Return what a quote says, in words."""
    show, token = session.profile.amount, quote.version.terms.token
    custody = quote.epoch.custody
    protocol = quote.price * quote.version.terms.fee_bps // BPS
    return views.Price(
        price=str(show(quote.price, token)),
        custodians_text=custody.custodians_text,
        fee=str(show(custody.fee, token)) if custody.fee else None,
        custodians=custody.threshold,
        fees=str(show(quote.total - quote.price, token)),
        total=str(show(quote.total, token)),
        protocol_fee=str(show(protocol, token)) if protocol else None,
        warning=_silence(session, quote.version) if custody.is_direct else "",
    )


def silence_of(ref: str) -> str:
    """Return what to say now of a seller who keeps the key and seems to be gone.

    Raises:
        NotForSaleError: There is none of this name.
        ChainError: The chain cannot be read.
    """
    session = shared_reader().session
    return _silence(session, find_version(session, ref))


def _silence(session: Session, version: Version) -> str:
    if not is_seller_silent(session, version):
        return ""
    seen = format_time(seller_seen_at(session, version), chain_now(session))
    return (
        f"The seller must hand the key over, and was last seen on the chain {seen}. If it does not "
        f"come within {format_duration(version.terms.delivery_seconds)}, you take your money back."
    )


def _custody(session: Session, version: Version, epoch: Epoch, state: EpochState) -> views.Custody:
    custody, now = epoch.custody, chain_now(session)
    show = session.profile.amount
    is_sold = version.status in (VersionStatus.OPEN, VersionStatus.PAUSED)
    is_good = is_sold and state.status is CustodyStatus.LIVE and now <= state.end
    details: list[str] = []
    if is_sold and state.is_awaited(custody, now):
        missing = custody.count - len(bits(state.accepted))
        headline = f"Waiting for {plural(missing, 'custodian')} to accept"
        details.append(f"until {format_time(custody.accept_until, now)}")
    elif not is_good:
        headline = "Ended: nothing can be bought from these custodians"
    elif custody.is_direct:
        headline = "The seller keeps the key"
        details.append(f"until {format_time(state.end, now)}")
        details.append("The seller hands it over in person, so a program of theirs has to run.")
    else:
        headline = f"{custody.threshold} of {custody.count} custodians hand over the key"
        details.append(f"until {format_time(state.end, now)}")
        details.append("Each has only a part of it. The seller may be offline.")
    if custody.lock:
        stake = session.profile.stake_token
        details.append(
            f"Each has {show(custody.lock, stake)} at stake; one who stays silent loses "
            f"{show(custody.penalty, stake)}."
        )
    try:
        check_custody(version.terms, custody, epoch.custodians, epoch.share_keys)
    except KeysError as error:
        is_good = False
        details.append(f"Do not buy from these: {said_of(error)}")
    custodians = epoch.custodians if custody.lock else ()
    return views.Custody(headline, tuple(details), custodians, is_good)


def _sold(session: Session, version: Version) -> int:
    index = Catalogue.of(session).index
    query = f"SELECT count(*) FROM {index.table('market', 'Purchased')} WHERE terms_id = ?"  # noqa: S608
    with index.read() as connection:
        return int(connection.scalar(query, (version.terms_id,)))


def _evidence(
    session: Session, version: Version, manifest: Manifest | None, epochs: Sequence[Epoch]
) -> tuple[tuple[str, str], ...]:
    terms = version.terms
    return (
        ("Registry contract: terms, price, status, bond", session.chain.registry.address),
        ("Market contract: purchases, deliveries", session.chain.market.address),
        ("Id of the terms", f"0x{version.terms_id.hex()}"),
        ("Manifest", str(manifest.cid) if manifest else f"sha256 0x{terms.manifest.hex()}"),
        *(
            (("Container", str(manifest.container)), ("Card", str(manifest.card)))
            if manifest
            else ()
        ),
        (f"Root over {plural(terms.shard_count, 'shard')}", f"0x{terms.root.hex()}"),
        ("Dataset key", f"0x{terms.public_key.x:064x}"),
        ("Protocol fee", f"{terms.fee_bps} basis points of the price"),
        *((f"Custody, epoch {e.custody.epoch}", f"0x{e.custody_id.hex()}") for e in epochs),
    )
