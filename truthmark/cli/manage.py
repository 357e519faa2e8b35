# SPDX-License-Identifier: Apache-2.0
"""What a seller does with a listing later: price, pause, end, keeping balance."""

from functools import partial

import click

from truthmark.cli.command import State, command, yes_option
from truthmark.cli.output import ask, echo, info, require_yes
from truthmark.cli.param_types import AMOUNT, DATASET, amount_type
from truthmark.errors import MarketError
from truthmark.market.endings import REVOKED_TEXT
from truthmark.market.entries import Version
from truthmark.market.records import VersionStatus
from truthmark.market.seller import Seller
from truthmark.session import Session
from truthmark.text import format_duration, format_time


@command()
@click.argument("dataset", type=DATASET)
@click.argument("price", type=AMOUNT)
def reprice(state: State, dataset: str, price: str) -> None:
    """Set the PRICE of DATASET for later buyers, such as "30 TUSD"."""
    with state.version(dataset, signs=True) as (session, version):
        amount = session.profile.read_amount(price, version.terms.token)
        Seller(session).reprice(version, amount)
        shown = session.profile.amount(amount, version.terms.token)
        echo(f"{version.ref} costs {shown} now")


@command()
@click.argument("dataset", type=DATASET)
def pause(state: State, dataset: str) -> None:
    """Stop selling DATASET for a while."""
    with state.version(dataset, signs=True) as (session, version):
        Seller(session).set_paused(version, True)
        echo(f"{version.ref} is paused; `truthmark resume {version.ref}` sells it again")


@command()
@click.argument("dataset", type=DATASET)
def resume(state: State, dataset: str) -> None:
    """Sell a paused DATASET again."""
    with state.version(dataset, signs=True) as (session, version):
        Seller(session).set_paused(version, False)
        echo(f"{version.ref} is for sale again")


@command()
@click.argument("dataset", type=DATASET)
@yes_option
def retire(state: State, dataset: str, yes: bool) -> None:
    """Stop selling DATASET for ever; what was sold is still delivered."""
    with state.version(dataset, signs=True) as (session, version):
        seller = Seller(session)
        seller.require_running(version)
        require_yes(f"stop selling {version.ref} for good?", "nothing was changed", yes=yes)
        seller.retire(version)
        done, wait = f"{version.ref} is retired", _both_windows(version)
        if back := _left(
            session, version.terms.token, version.terms.bond, seller.keeping_balance(version)
        ):
            done += (
                f"; `truthmark close {version.ref}` gives back {back} after {format_duration(wait)}"
            )
        echo(done)


@command()
@click.argument("dataset", type=DATASET)
def close(state: State, dataset: str) -> None:
    """Take the bond back after the end of DATASET.

    Also gives back what is left in the keeping balance. Says how much it is; it is an error if
    there is nothing.
    """
    with state.version(dataset, sends=True) as (session, version):
        seller = Seller(session)
        if version.status in (VersionStatus.OPEN, VersionStatus.PAUSED):
            raise MarketError(
                f"{version.ref} is still {version.status.name.lower()}; "
                f"`truthmark retire {version.ref}` comes first"
            )
        bond, keeping_balance = version.terms.bond, seller.keeping_balance(version)
        if version.status is not VersionStatus.RETIRED:
            bond = 0  # it was credited before, or lost
        back = _left(session, version.terms.token, bond, keeping_balance)
        if not back:
            raise MarketError(f"there is nothing to take back: {_why_nothing(version)}")
        if version.status is VersionStatus.RETIRED:
            wait = _both_windows(version)
            stopped = session.chain.registry.functions.versions(version.terms_id).call().stopped_at
            now = session.chain.time()
            if now <= stopped + wait:
                raise MarketError(
                    f"buyers may still dispute {version.ref}; come back after "
                    f"{format_time(stopped + wait, now)}"
                )
        seller.close(version)
        echo(f"{version.ref}: {back} credited to {version.terms.payee}")
        info("`truthmark withdraw` pays it out")


@command()
@click.argument("dataset", type=DATASET)
@click.argument("amount", type=amount_type(zero='write how much to pay, such as "1 TUSD"'))
@yes_option
def top_up(state: State, dataset: str, amount: str, yes: bool) -> None:
    """Pay custodians of DATASET for staying longer.

    AMOUNT goes into its keeping balance; what is left of it at the end is the seller's.
    """
    with state.version(dataset, signs=True) as (session, version):
        seller = Seller(session)
        units = session.profile.read_amount(amount, version.terms.token)
        seller.require_running(version)
        seller.require_funds(version.terms.token, units, "for the keeping balance")
        shown = session.profile.amount(units, version.terms.token)
        if version.terms.seller.lower() != session.address.lower() and not ask(
            f"{version.ref} is not yours: what is left of your {shown} goes to its seller in the "
            "end; go on?",
            yes=yes,
        ):
            raise MarketError("nothing was paid")
        seller.top_up(version, units)
        echo(f"{shown} paid into the keeping balance of {version.ref}")


def _both_windows(version: Version) -> int:
    """Return for how many seconds buyers may still dispute after the last purchase."""
    return version.terms.delivery_seconds + version.terms.inspection_seconds


def _left(session: Session, token: str, bond: int, keeping_balance: int) -> str:
    """Return the text of what comes back of a version; empty if that is nothing."""
    show = partial(session.profile.amount, token_address=token)
    parts = [f"the bond of {show(bond)}"] if bond else []
    parts += [f"{show(keeping_balance)} from the keeping balance"] if keeping_balance else []
    return " and ".join(parts)


def _why_nothing(version: Version) -> str:
    if version.status is VersionStatus.REVOKED:
        return f"{version.ref} was revoked, which loses the bond: {REVOKED_TEXT}"
    if version.status is VersionStatus.CLOSED:
        return f"{version.ref} was closed before; `truthmark withdraw` pays out what is credited"
    return f"{version.ref} has no bond, and its keeping balance is empty"
