# SPDX-License-Identifier: Apache-2.0
"""`truthmark dispute`, `expose`, `confirm`, `reject`, `rule`, `review`: judging what was sold."""

from dataclasses import replace
from typing import NoReturn

import click

from truthmark import codec
from truthmark.cli.after import settle_dispute
from truthmark.cli.command import State, command, resolve_address, yes_option
from truthmark.cli.output import echo, info, progress_bar, require_yes
from truthmark.cli.param_types import ACCOUNT, DATASET
from truthmark.config.units import Amount
from truthmark.errors import DeliveryError, MarketError
from truthmark.market.entries import Purchase, Version
from truthmark.market.flows import examining
from truthmark.market.flows.examining import Examined
from truthmark.market.purchase import Buyer, WrongKeyDispute
from truthmark.market.records import PurchaseStatus
from truthmark.market.remedies import Remedies, Unsealed
from truthmark.market.reviews import review as send_review
from truthmark.market.verdicts import split_price
from truthmark.session import Session
from truthmark.text import format_time


@command()
@click.argument("dataset", type=DATASET)
@yes_option
def dispute(state: State, dataset: str, yes: bool) -> None:
    """Find out what is wrong with DATASET, and have the contract judge what it can.

    First the key, if you bought it: if it is another one than the seller committed to, you get your
    money back and half of the bond. Then the sealing, whether you bought it or not: a part that
    does not open under its own key ends the sale, pays open purchases back, and half of the bond is
    yours. If neither is wrong, says what is left. What each costs and does is said first.
    """
    with state.version(dataset, sends=True) as (session, version):
        purchase = Buyer(session).find_purchase(version)
        if purchase is None:
            _dispute_published(session, version, yes=yes)
            return
        done = _examine(session, version, purchase, yes=yes)
        if done.found is None:
            raise MarketError(
                f"the key of {version.ref} opens every part, and all of it can be read; there is "
                f"nothing to dispute{_left_for_content(session, version, purchase)}"
            )
        if done.unsealed is not None:
            _dispute_sealing(session, version, done.unsealed, purchase, yes=yes)
            return
        if done.why_not:
            info(done.why_not)
        _tell_rest(session, version, purchase, done.found)


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


def _examine(session: Session, version: Version, purchase: Purchase, *, yes: bool) -> Examined:
    """Look at all that was bought; or dispute its key, if that is wrong.

    Raises:
        MarketError: The key has not come yet.
        DeliveryError: It is wrong; says where the money is.
    """
    try:
        return examining.examine(session, version, purchase, info, progress_bar)
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
    info(examining.dispute_text(session, version, unsealed))
    require_yes("dispute?", "nothing was disputed", yes=yes)
    refunded, won = examining.dispute_sealing(session, version, unsealed, purchase)
    back = f"{show(refunded, terms.token)} and " if refunded else ""
    half = show(won, terms.token)
    echo(f"{version.ref} was proven wrong; {back}{half} were paid to {session.address}")
    if purchase is not None and not refunded:
        info("this purchase was settled before, so what it cost is gone")


def _tell_rest(
    session: Session, version: Version, purchase: Purchase, found: "codec.Unreadable"
) -> NoReturn:
    """Say what is left where no contract can judge what is wrong.

    Raises:
        DeliveryError: Always, as there is no data.
    """
    ref = version.ref
    info(f"the key of {ref} is the one that the seller committed to; {examining.found_text(found)}")
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
        parts.append(
            f"`truthmark reject {version.ref}` burns {_burned(session, version, purchase)} of your "
            f"price until {format_time(purchase.deadline, now)}"
        )
    if terms.has_arbiter:
        parts.append(f"its arbiter {terms.arbiter} may rule on it")
    if purchase.status.is_reviewable:
        parts.append(f"`truthmark review {version.ref} SCORE TEXT` tells others")
    return "".join(f"; {part}" for part in parts)


def _burned(session: Session, version: Version, purchase: Purchase) -> Amount:
    split = split_price(purchase.receipt.price, version.terms, is_rejected=True)
    return session.profile.amount(split.burned, version.terms.token)


@command()
@click.argument("dataset", type=DATASET)
@click.option("--from", "sender", type=ACCOUNT, help="Another account of this home sends it.")
@yes_option
def expose(state: State, dataset: str, sender: str | None, yes: bool) -> None:
    """Show everybody what is rotten in DATASET, which you bought.

    Looks for a part that does not open or cannot be read, and publishes the keys of that part
    alone. Everybody's computer tries them for itself; if it is so, nobody buys DATASET any more.
    It cannot be taken back, and is seen under your address, or that of --from.
    """
    with state.version(dataset, sends=True) as (session, version):
        purchase = Buyer(session).require_purchase(version)
        done = _examine(session, version, purchase, yes=yes)
        keys = examining.keys_to_show(session, done)
        if done.found is not None:
            info(f"{version.ref}: {examining.found_text(done.found)}")
        with _acting(state, session, sender) as acting:
            info(examining.expose_text(acting, keys))
            require_yes("show it to everybody?", "nothing was published", yes=yes)
            Remedies(acting).expose(version, keys)
        echo(f"{version.ref} is exposed; everybody's computer can see it now")


def _acting(state: State, session: Session, sender: str | None) -> Session:
    """Return the session of the account that sends; ending it leaves the other one open."""
    account = session.settings.account if sender is None else sender
    return Session(
        replace(session.settings, account=account), ask_passphrase=state.passphrase, say=info
    )


@command()
@click.argument("dataset", type=DATASET)
@yes_option
def confirm(state: State, dataset: str, yes: bool) -> None:
    """Have the seller of DATASET paid now, as it is what you wanted.

    Before the time to check it is over, and for good: it cannot be disputed or rejected any more,
    and no later dispute brings your money back. Then you can review it.
    """
    with state.version(dataset, sends=True) as (session, version):
        purchase = Buyer(session).require_purchase(version)
        remedies = Remedies(session)
        remedies.require_confirmable(version, purchase)
        info(examining.confirm_text(session, version, purchase))
        require_yes("confirm?", "nothing was confirmed", yes=yes)
        remedies.confirm(version, purchase)
        echo(f"{version.ref} is confirmed, and its seller paid")


@command()
@click.argument("dataset", type=DATASET)
@yes_option
def reject(state: State, dataset: str, yes: bool) -> None:
    """Have the guaranteed share of your price for DATASET burned, as it is not what was offered.

    Within the time to check it, and for good. You get nothing back: that is why nobody needs to
    doubt it. Custodians are paid, the seller gets what is left. Who hopes to prove a wrong key or a
    bad sealing must not reject: that brings the money back.
    """
    with state.version(dataset, sends=True) as (session, version):
        purchase = Buyer(session).require_purchase(version)
        remedies = Remedies(session)
        remedies.require_rejectable(version, purchase)
        info(examining.reject_text(session, version, purchase))
        info("it is final: a purchase that was rejected is not paid back by any later dispute")
        require_yes("reject?", "nothing was rejected", yes=yes)
        remedies.reject(version, purchase)
        echo(f"{version.ref} is rejected; {_burned(session, version, purchase)} are burned")


@command()
@click.argument("dataset", type=DATASET)
@click.option("--reward", type=ACCOUNT, required=True, help="Who gets half of the bond.")
@yes_option
def rule(state: State, dataset: str, reward: str, yes: bool) -> None:
    """End the sale of DATASET, whose arbiter you are.

    Open purchases are paid back, half of the bond goes to --reward, the rest is burned. It cannot
    be taken back.
    """
    with state.version(dataset, sends=True) as (session, version):
        rewarded = resolve_address(session, reward)
        info(examining.rule_text(session, version, rewarded))
        require_yes("rule against it?", "nothing was ruled", yes=yes)
        Remedies(session).rule(version, rewarded)
        echo(f"{version.ref} is revoked")


@command()
@click.argument("dataset", type=DATASET)
@click.argument("score", type=click.IntRange(1, 5))
@click.argument("text", required=False, default="")
@yes_option
def review(state: State, dataset: str, score: int, text: str, yes: bool) -> None:
    """Say what DATASET, which you bought, was worth: SCORE from 1, bad, to 5, good, and TEXT.

    Once for each purchase, for everybody, and never taken back. It is shown with what you paid.
    """
    with state.version(dataset, sends=True) as (session, version):
        purchase = Buyer(session).require_purchase(version)
        info(examining.review_text(session, version, purchase))
        require_yes("publish it?", "nothing was published", yes=yes)
        send_review(session, version, purchase, score, text)
        echo(f"{version.ref} is reviewed")
