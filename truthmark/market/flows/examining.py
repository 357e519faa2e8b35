# SPDX-License-Identifier: Apache-2.0
"""From what was bought to what is wrong with it, who can judge that, and what it says to others."""

from dataclasses import dataclass

from truthmark import codec
from truthmark.codec.limits import DATA_NAME
from truthmark.codec.shards import ContentOpener, FileShards
from truthmark.config.units import about
from truthmark.errors import MarketError
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import Purchase, Version
from truthmark.market.flows import purchasing
from truthmark.market.purchase import Buyer, Opened
from truthmark.market.records import PurchaseStatus
from truthmark.market.remedies import Remedies, Unsealed, find_unsealed_in
from truthmark.market.settlement import Settlement
from truthmark.market.verdicts import MAX_JUDGED, split_price
from truthmark.session import Session
from truthmark.text import format_size, format_time, plural
from truthmark.types import Bar, Say, no_bar, quiet


@dataclass(frozen=True, slots=True)
class Examined:
    """What was bought, and what is wrong with it.

    Attributes:
        opened: What was bought, with its key, which is the one that the seller committed to.
        found: Why it cannot be read; None where all of it can.
        unsealed: What a contract can judge of that; None where it can judge nothing.
        why_not: Why no contract can, where a part does not open; empty otherwise.
    """

    opened: Opened
    found: codec.Unreadable | None
    unsealed: Unsealed | None = None
    why_not: str = ""


def examine(
    session: Session, version: Version, purchase: Purchase, say: Say = quiet, bar: Bar = no_bar
) -> Examined:
    """Open every part of what was bought and read all of it; sends nothing.

    Args:
        session: Of the buyer.
        version: What was bought.
        purchase: The purchase.
        say: Told what happens.
        bar: Shows how far fetching and opening are.

    Raises:
        WrongKeyDispute: The key is not the one that the seller committed to; `dispute` with it.
        MarketError: The key has not come yet.
        TruthmarkError: An endpoint lies, the data cannot be fetched, or a secret is missing.
    """
    if purchase.status is PurchaseStatus.PAID:
        raise MarketError(
            f"the key of {version.ref} has not come yet; if it does not come until "
            f"{format_time(purchase.deadline, session.chain.time())}, run `truthmark refund`"
        )
    folder = purchasing.fetch(session, version, bar=bar)
    opened = Buyer(session, say).receive(version, purchase, folder)
    with bar("opening", "bytes") as progress:
        found = codec.find_unreadable(folder, opened.cek, progress=progress)
    if found is None or found.shard is None or found.key is None:
        return Examined(opened, found)
    size = codec.read_manifest(folder).shard_size
    if size > MAX_JUDGED:
        why_not = f"its parts of {format_size(size)} are too large for a contract"
        return Examined(opened, found, why_not=why_not)
    return Examined(opened, found, find_unsealed_in(folder, found.shard, found.key))


def keys_to_show(session: Session, examined: Examined) -> tuple[bytes, ...]:
    """Return the keys that show everybody what is rotten in what was bought.

    Raises:
        MarketError: Nothing is rotten, or everybody can see it already.
    """
    opened, found, ref = examined.opened, examined.found, examined.opened.version.ref
    if found is None:
        raise MarketError(
            f"all of {ref} opens and can be read: showing parts of it would prove nothing, and "
            "give them away"
        )
    manifest = codec.read_manifest(opened.folder)
    index = codec.read_index(opened.folder, manifest)
    size = manifest.shard_size
    source = FileShards(opened.folder / DATA_NAME, shard_size=size, count=manifest.count)
    try:
        opener = ContentOpener(index, source, cek=opened.cek, shard_size=size)
        keys = Remedies(session).keys_to_expose(opened.version, opener, found.shards)
    finally:
        source.close()
    if not keys:
        raise MarketError(f"what is rotten in {ref} is open to everybody already")
    return keys


def dispute_sealing(
    session: Session, version: Version, unsealed: Unsealed, purchase: Purchase | None
) -> tuple[int, int]:
    """Have a part judged that is not sealed under its key, and pay out what that brings.

    Args:
        session: Who disputes, and is paid half of the bond.
        version: Whose part it is.
        unsealed: The part.
        purchase: The account's, if it has bought the version.

    Returns:
        What came back of the purchase, nothing if its seller was paid before, and what of the
        bond, in the token's smallest unit.

    Raises:
        MarketError: The part is too large for a contract.
        NotForSaleError: The version has ended before.
        ChainError: The market refuses.
    """
    Remedies(session).dispute_sealing(version, unsealed)
    back, terms = 0, version.terms
    if purchase is not None and purchase.status is PurchaseStatus.DELIVERED:
        Settlement(session).refund([purchase])
        # Opening all of it may have taken hours, and somebody may have settled in them.
        Catalogue.of(session).sync()
        (now,) = Catalogue.of(session).purchases(purchase_id=purchase.purchase_id)
        if now.status is PurchaseStatus.REFUNDED:
            back = purchasing.paid(session, purchase)
    Settlement(session).withdraw(terms.token, session.address)
    return back, terms.bond // 2


def found_text(found: codec.Unreadable) -> str:
    """Return what is wrong with what was bought, in a sentence."""
    if found.shard is not None:
        return (
            f"part {found.shard} of it does not open: the seller encrypted something else than "
            "they committed to"
        )
    # Its bytes are the ones that were sold, so others cannot be had.
    return f"it opens, but cannot be read: {found.text.removesuffix('; get it again')}"


def dispute_text(session: Session, version: Version, unsealed: Unsealed) -> str:
    """Return what a dispute of a sealing does, costs and brings, in a sentence."""
    terms, cost = version.terms, Remedies(session).dispute_cost(unsealed)
    gas = "gas" if cost is None else f"about {session.profile.native(about(cost))} for gas"
    return (
        "a dispute ends the sale for everybody, pays open purchases back, and brings you "
        f"{session.profile.amount(terms.bond // 2, terms.token)} of the bond; it costs {gas} "
        "and makes the key of that part public, and no other"
    )


def expose_text(session: Session, keys: tuple[bytes, ...]) -> str:
    """Return what exposing does, in a sentence."""
    return (
        f"this publishes {plural(len(keys), 'key')} of that part for good, and is seen under "
        f"{session.address}; it cannot be taken back"
    )


def review_text(session: Session, version: Version, purchase: Purchase) -> str:
    """Return what a review shows of its writer, in a sentence."""
    price = session.profile.amount(purchase.receipt.price, version.terms.token)
    return (
        f"everybody sees it for good, with your address {session.address} and that you paid {price}"
    )


def rule_text(session: Session, version: Version, rewarded: str) -> str:
    """Return what ruling does, in a sentence."""
    half = session.profile.amount(version.terms.bond // 2, version.terms.token)
    return (
        f"{version.ref} ends for everybody, open purchases are paid back, {half} go to {rewarded}, "
        "and the rest of the bond is burned; it cannot be taken back"
    )


def reject_text(session: Session, version: Version, purchase: Purchase) -> str:
    """Return what rejecting does to a price, in a sentence."""
    show, token, price = session.profile.amount, version.terms.token, purchase.receipt.price
    burned = split_price(price, version.terms, is_rejected=True).burned
    if not burned:
        return "the seller chose a guarantee of 0%: nothing is burned, it only counts as rejected"
    return (
        f"of the {show(price, token)} that you paid {show(burned, token)} are burned, and "
        f"{show(price - burned, token)} go to the seller, less fees; you get nothing"
    )


def confirm_text(session: Session, version: Version, purchase: Purchase) -> str:
    """Return what confirming does, in a sentence."""
    show, token = session.profile.amount, version.terms.token
    return (
        f"the seller gets the {show(purchase.receipt.price, token)} now, less fees, and whatever "
        "turns out to be wrong later brings you nothing back; it is final"
    )
