# SPDX-License-Identifier: Apache-2.0
"""`truthmark dispute`, `expose`, `reject`, `rule` and `review`: when what was sold is bad."""

from typing import NoReturn

import click

from truthmark import codec
from truthmark.cli.after import settle_dispute
from truthmark.cli.command import State, command, resolve_address, yes_option
from truthmark.cli.output import ask, echo, info, progress_bar
from truthmark.cli.param_types import ACCOUNT, DATASET
from truthmark.codec.limits import DATA_NAME
from truthmark.codec.shards import ContentOpener, FileShards
from truthmark.errors import DeliveryError, MarketError
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import Purchase, Version
from truthmark.market.flows import purchasing
from truthmark.market.purchase import Buyer, Opened, WrongKeyDispute
from truthmark.market.records import PurchaseStatus
from truthmark.market.remedies import Remedies, Unsealed, find_unsealed_in
from truthmark.market.reviews import review as send_review
from truthmark.market.settlement import Settlement
from truthmark.market.verdicts import MAX_JUDGED, split_price
from truthmark.session import Session
from truthmark.text import format_size, format_time, plural


@command()
@click.argument("dataset", type=DATASET)
@yes_option
@click.pass_obj
def dispute(state: State, dataset: str, yes: bool) -> None:
    """Find out what is wrong with DATASET, and have the contract judge what it can.

    First the key, if you bought it: if it is another one than the seller committed to, you get your
    money back and half of the bond. Then the sealing, whether you bought it or not: a part that
    does not open under its own key ends the sale, pays open purchases back, and half of the bond is
    yours. If neither is wrong, says what is left. What each costs and does is said first.
    """
    with state.session(sends=True) as session:
        version = Catalogue.of(session).find(dataset)
        purchase = Buyer(session).find_purchase(version)
        if purchase is None:
            _dispute_published(session, version, yes=yes)
            return
        opened = _open(session, version, purchase, yes=yes)
        with progress_bar("opening") as progress:
            found = codec.find_unreadable(opened.folder, opened.cek, progress=progress)
        if found is None:
            raise MarketError(
                f"the key of {version.ref} opens every part, and all of it can be read; there is "
                f"nothing to dispute{_left_for_content(session, version, purchase)}"
            )
        if found.shard is not None and found.key is not None:
            manifest = codec.read_manifest(opened.folder)
            if manifest.shard_size <= MAX_JUDGED:
                unsealed = find_unsealed_in(opened.folder, found.shard, found.key)
                _dispute_sealing(session, version, unsealed, purchase, yes=yes)
                return
            info(f"its parts of {format_size(manifest.shard_size)} are too large for a contract")
        _tell_rest(session, version, purchase, found)


def _dispute_published(session: Session, version: Version, *, yes: bool) -> None:
    """Dispute the sealing of a part whose key is public; nobody has to buy for that."""
    with progress_bar("opening", "parts") as progress:
        unsealed = Remedies(session).find_published(version, progress)
    if unsealed is None:
        raise MarketError(
            f"this account has not bought {version.ref}, and all of it that is open to everybody "
            "is sealed as it should be; there is nothing to dispute"
        )
    _dispute_sealing(session, version, unsealed, None, yes=yes)


def _open(session: Session, version: Version, purchase: Purchase, *, yes: bool) -> Opened:
    """Return what was bought with its key, or dispute that.

    Raises:
        MarketError: The key has not come yet.
        DeliveryError: It is wrong; says where the money is.
    """
    if purchase.status is PurchaseStatus.PAID:
        raise MarketError(
            f"the key of {version.ref} has not come yet; if it does not come until "
            f"{format_time(purchase.deadline, session.chain.time())}, run `truthmark refund`"
        )
    buyer = Buyer(session, info)
    with progress_bar("fetching") as progress:
        folder = buyer.fetch(version, progress)
    try:
        return buyer.receive(version, purchase, folder)
    except WrongKeyDispute as wrong:
        settle_dispute(session, wrong, yes=yes)


def _dispute_sealing(
    session: Session,
    version: Version,
    unsealed: Unsealed,
    purchase: Purchase | None,
    *,
    yes: bool,
) -> None:
    """Say what a dispute does, and do it on a yes."""
    show, terms = session.profile.amount, version.terms
    info(
        f"part {unsealed.shard} of {version.ref} is not sealed under the key that the seller "
        "committed to; the contract can see that"
    )
    half = show(terms.bond // 2, terms.token)
    info(
        f"a dispute ends the sale for everybody, pays open purchases back, and brings you {half} "
        "of the bond; it makes the key of that part public, and no other"
    )
    if not ask("dispute?", yes=yes):
        raise MarketError("nothing was disputed")
    Remedies(session).dispute_sealing(version, unsealed)
    back = ""
    if purchase is not None and purchase.status is PurchaseStatus.DELIVERED:
        Settlement(session).refund([purchase])
        back = f"{show(purchasing.paid(session, purchase), terms.token)} and "
    Settlement(session).withdraw(terms.token, session.address)
    echo(f"{version.ref} was proven wrong; {back}{half} were paid to {session.address}")
    if purchase is not None and not back:
        info("this purchase was settled before, so what it cost is gone")


def _tell_rest(
    session: Session, version: Version, purchase: Purchase, found: "codec.Unreadable"
) -> NoReturn:
    """Say what is left where no contract can judge what is wrong.

    Raises:
        DeliveryError: Always, as there is no data.
    """
    ref = version.ref
    info(f"the key of {ref} is the one that the seller committed to, but {found.text}")
    info("no contract sees that; what is left:")
    if found.shards:
        info(f"`truthmark expose {ref}` shows it to everybody, so that nobody buys it any more")
    left = _left_for_content(session, version, purchase)
    if left:
        info(left.removeprefix("; "))
    raise DeliveryError(f"{ref} is paid for and cannot be read; warn others of it")


def _left_for_content(session: Session, version: Version, purchase: Purchase) -> str:
    """Return what a buyer can do who finds the data bad, in words; empty if nothing is left."""
    parts, terms = [], version.terms
    now = session.chain.time()
    if purchase.status is PurchaseStatus.DELIVERED and now <= purchase.deadline:
        split = split_price(purchase.receipt.price, terms, is_rejected=True)
        burned = session.profile.amount(split.burned, terms.token)
        parts.append(
            f"`truthmark reject {version.ref}` burns {burned} of your price until "
            f"{format_time(purchase.deadline, now)}"
        )
    if terms.has_arbiter:
        parts.append(f"its arbiter {terms.arbiter} may rule on it")
    if purchase.status.is_reviewable:
        parts.append(f"`truthmark review {version.ref} SCORE TEXT` tells others")
    return "".join(f"; {part}" for part in parts)


@command()
@click.argument("dataset", type=DATASET)
@click.option("--from", "sender", type=ACCOUNT, help="Another account of this home sends it.")
@yes_option
@click.pass_obj
def expose(state: State, dataset: str, sender: str | None, yes: bool) -> None:
    """Show everybody what is rotten in DATASET, which you bought.

    Looks for a part that does not open or cannot be read, and publishes the keys of that part
    alone. Everybody's computer tries them for itself; if it is so, nobody buys DATASET any more.
    It cannot be taken back, and is seen under your address, or that of --from.
    """
    with state.session(sends=True) as session:
        version = Catalogue.of(session).find(dataset)
        purchase = Buyer(session).require_purchase(version)
        opened = _open(session, version, purchase, yes=yes)
        with progress_bar("opening") as progress:
            found = codec.find_unreadable(opened.folder, opened.cek, progress=progress)
        if found is None:
            raise MarketError(
                f"all of {version.ref} opens and can be read: showing parts of it would prove "
                "nothing, and give them away"
            )
        keys = _keys_of(session, opened, found)
        if not keys:
            raise MarketError(f"what is rotten in {version.ref} is open to everybody already")
        info(f"{version.ref}: {found.text}")
        with _acting(state, session, sender) as acting:
            info(
                f"this publishes {plural(len(keys), 'key')} of that part for good, and is seen "
                f"under {acting.address}; it cannot be taken back"
            )
            if not ask("show it to everybody?", yes=yes):
                raise MarketError("nothing was published")
            Remedies(acting).expose(version, keys)
        echo(f"{version.ref} is exposed; everybody's computer can see it now")


def _keys_of(session: Session, opened: Opened, found: "codec.Unreadable") -> tuple[bytes, ...]:
    """Return the keys that show everybody what is rotten in what was bought."""
    manifest = codec.read_manifest(opened.folder)
    index = codec.read_index(opened.folder, manifest)
    size = manifest.shard_size
    source = FileShards(opened.folder / DATA_NAME, shard_size=size, count=manifest.count)
    try:
        opener = ContentOpener(index, source, cek=opened.cek, shard_size=size)
        return Remedies(session).keys_to_expose(opened.version, opener, found.shards)
    finally:
        source.close()


def _acting(state: State, session: Session, sender: str | None) -> Session:
    """Return the session of the account that sends; ending it leaves the other one open."""
    from dataclasses import replace

    account = session.settings.account if sender is None else sender
    return Session(
        replace(session.settings, account=account), ask_passphrase=state.passphrase, say=info
    )


@command()
@click.argument("dataset", type=DATASET)
@yes_option
@click.pass_obj
def reject(state: State, dataset: str, yes: bool) -> None:
    """Have the guaranteed share of your price for DATASET burned, as it is not what was offered.

    Within the time to check it, and for good. You get nothing back: that is why nobody needs to
    doubt it. Custodians are paid, the seller gets what is left. Who hopes to prove a wrong key or a
    bad sealing must not reject: that brings the money back.
    """
    with state.session(sends=True) as session:
        version = Catalogue.of(session).find(dataset)
        purchase = Buyer(session).require_purchase(version)
        remedies = Remedies(session)
        remedies.require_rejectable(version, purchase)
        show, token = session.profile.amount, version.terms.token
        price = purchase.receipt.price
        burned = split_price(price, version.terms, is_rejected=True).burned
        if burned:
            info(
                f"of the {show(price, token)} that you paid {show(burned, token)} are burned, and "
                f"{show(price - burned, token)} go to the seller, less fees; you get nothing"
            )
        else:
            info(
                "the seller chose a guarantee of 0%: nothing is burned, it only counts as rejected"
            )
        info("it is final: a purchase that was rejected is not paid back by any later dispute")
        if not ask("reject?", yes=yes):
            raise MarketError("nothing was rejected")
        remedies.reject(version, purchase)
        echo(f"{version.ref} is rejected; {show(burned, token)} are burned")


@command()
@click.argument("dataset", type=DATASET)
@click.option("--reward", type=ACCOUNT, required=True, help="Who gets half of the bond.")
@yes_option
@click.pass_obj
def rule(state: State, dataset: str, reward: str, yes: bool) -> None:
    """End the sale of DATASET, whose arbiter you are.

    Open purchases are paid back, half of the bond goes to --reward, the rest is burned. It cannot
    be taken back.
    """
    with state.session(sends=True) as session:
        version = Catalogue.of(session).find(dataset)
        rewarded = resolve_address(session, reward)
        show, terms = session.profile.amount, version.terms
        info(
            f"{version.ref} ends for everybody; {show(terms.bond // 2, terms.token)} go to "
            f"{rewarded}, the rest of the bond is burned"
        )
        if not ask("rule against it?", yes=yes):
            raise MarketError("nothing was ruled")
        Remedies(session).rule(version, rewarded)
        echo(f"{version.ref} is revoked")


@command()
@click.argument("dataset", type=DATASET)
@click.argument("score", type=click.IntRange(1, 5))
@click.argument("text", required=False, default="")
@yes_option
@click.pass_obj
def review(state: State, dataset: str, score: int, text: str, yes: bool) -> None:
    """Say what DATASET, which you bought, was worth: SCORE from 1, bad, to 5, good, and TEXT.

    Once for each purchase, for everybody, and never taken back. It is shown with what you paid.
    """
    with state.session(sends=True) as session:
        version = Catalogue.of(session).find(dataset)
        purchase = Buyer(session).require_purchase(version)
        price = session.profile.amount(purchase.receipt.price, version.terms.token)
        info(f"everybody sees it, with your address {session.address} and that you paid {price}")
        if not ask("publish it?", yes=yes):
            raise MarketError("nothing was published")
        send_review(session, version, purchase, score, text)
        echo(f"{version.ref} is reviewed")
