# SPDX-License-Identifier: Apache-2.0
"""What a seller does with a listing later: price, pause, end, pot."""

from typing import TYPE_CHECKING

import click

from truthmark.cli.base import State, command, find_version, yes_option
from truthmark.cli.output import ask, duration, moment, out, say
from truthmark.errors import MarketError

if TYPE_CHECKING:
    from truthmark.market.seller import Seller
    from truthmark.market.session import Session


@command()
@click.argument("dataset")
@click.argument("price")
@click.pass_obj
def reprice(state: State, dataset: str, price: str) -> None:
    """Set the PRICE of DATASET for later buyers, such as "30 TUSD"."""
    from truthmark.market.surface import read_amount

    with state.session() as session:
        version = find_version(session, dataset)
        amount = read_amount(session, price, version.terms.token)
        _seller(session).reprice(version, amount)
        shown = session.profile.format_amount(amount, version.terms.token)
        out(f"{version.ref} costs {shown} now")


@command()
@click.argument("dataset")
@click.pass_obj
def pause(state: State, dataset: str) -> None:
    """Stop selling DATASET for a while."""
    with state.session() as session:
        version = find_version(session, dataset)
        _seller(session).set_paused(version, True)
        out(f"{version.ref} is paused; `truthmark resume {version.ref}` sells it again")


@command()
@click.argument("dataset")
@click.pass_obj
def resume(state: State, dataset: str) -> None:
    """Sell a paused DATASET again."""
    with state.session() as session:
        version = find_version(session, dataset)
        _seller(session).set_paused(version, False)
        out(f"{version.ref} is for sale again")


@command()
@click.argument("dataset")
@yes_option
@click.pass_obj
def retire(state: State, dataset: str, yes: bool) -> None:
    """Stop selling DATASET for good; what was sold is still delivered."""
    with state.session() as session:
        version = find_version(session, dataset)
        if not ask(f"stop selling {version.ref} for good?", yes=yes):
            raise MarketError("nothing was changed")
        _seller(session).retire(version)
        wait = version.terms.delivery_seconds + version.terms.inspection_seconds
        out(
            f"{version.ref} is retired; your bond comes back with `truthmark wind-up "
            f"{version.ref}` after {duration(wait)}"
        )


@command("wind-up")
@click.argument("dataset")
@click.pass_obj
def wind_up(state: State, dataset: str) -> None:
    """Take the bond back after the end of DATASET.

    Also gives back what is left in the pot for custodians.
    """
    from truthmark.market.records import VersionStatus

    with state.session() as session:
        version = find_version(session, dataset)
        if version.status in (VersionStatus.OPEN, VersionStatus.PAUSED):
            raise MarketError(
                f"{version.ref} is still {version.status.name.lower()}; "
                f"`truthmark retire {version.ref}` comes first"
            )
        if version.status is VersionStatus.RETIRED:
            wait = version.terms.delivery_seconds + version.terms.inspection_seconds
            stopped = session.chain.registry.functions.versions(version.terms_id).call().stopped_at
            now = session.chain.time()
            if now <= stopped + wait:
                raise MarketError(
                    f"buyers may still complain about {version.ref}; come back after "
                    f"{moment(stopped + wait, now)}"
                )
        _seller(session).wind_up(version)
        out(f"credited to {version.terms.payee}")
        say("`truthmark withdraw` pays it out")


@command()
@click.argument("dataset")
@click.argument("amount")
@yes_option
@click.pass_obj
def fund(state: State, dataset: str, amount: str, yes: bool) -> None:
    """Pay custodians of DATASET for staying longer.

    AMOUNT goes into a pot; what is left in it at the end is the seller's.
    """
    from truthmark.market.surface import read_amount

    with state.session() as session:
        version = find_version(session, dataset)
        units = read_amount(session, amount, version.terms.token)
        shown = session.profile.format_amount(units, version.terms.token)
        if version.terms.seller.lower() != session.address.lower() and not ask(
            f"{version.ref} is not yours: what is left of your {shown} goes to its seller in the "
            "end; go on?",
            yes=yes,
        ):
            raise MarketError("nothing was paid")
        _seller(session).fund(version, units)
        out(f"{shown} paid into the pot of {version.ref}")


def _seller(session: "Session") -> "Seller":
    from truthmark.market.seller import Seller

    return Seller(session)
