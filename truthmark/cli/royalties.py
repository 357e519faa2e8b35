# SPDX-License-Identifier: Apache-2.0
"""`truthmark royalties`: what sales owe the labelers of a bounty, and drawing it."""

from collections.abc import Iterable, Sequence
from typing import Any

import click

from truthmark.bounty.client import BountyClient
from truthmark.cli.command import State, group, json_option
from truthmark.cli.output import amount_json, echo, echo_json, info
from truthmark.cli.param_types import BOUNTY
from truthmark.flows.royalties import Drawn, read_pools, unsettled_sales
from truthmark.flows.royalties import draw as draw_all
from truthmark.market.catalogue import Catalogue
from truthmark.session import Session
from truthmark.text import format_time, plural


@group()
def royalties() -> None:
    """What sales of labeled data owe those who labeled it.

    `truthmark list --bounty` lists data that a bounty made, with a royalty for its labelers.
    """


@royalties.command()
@click.argument("bounty", type=BOUNTY)
@json_option
def show(state: State, bounty: int, as_json: bool) -> None:
    """Show what sales have paid for the labelers of BOUNTY, and what is left to draw."""
    with state.session() as session:
        record = BountyClient(session).read(bounty)
        pools = read_pools(session, record)
        sold_as = [version.ref for version in Catalogue.of(session).made_by(bounty)]
        if as_json:
            pool_values = [
                {
                    **amount_json(session, pool.paid_in, pool.token),
                    "drawn": str(sum(pool.drawn.values())),
                    "due": str(sum(pool.due.values())),
                }
                for pool in pools
            ]
            echo_json({"bounty": bounty, "datasets": sold_as, "pools": pool_values})
            return
        if not pools:
            info(f"nothing is sold with a royalty for bounty {bounty}")
            return
        echo(f"bounty {bounty} made {', '.join(sold_as)}")
        for pool in pools:
            paid_in = session.profile.amount(pool.paid_in, pool.token)
            due = session.profile.amount(sum(pool.due.values()), pool.token)
            echo(f"  sales have paid {paid_in} for its labelers; {due} can be drawn now")
        if waiting := unsettled_line(session, bounty):
            info(waiting)
        if not record.status.has_ended:
            info("labelers draw their parts once the bounty has ended")


@royalties.command()
@click.argument("bounty", type=BOUNTY)
@json_option
def draw(state: State, bounty: int, as_json: bool) -> None:
    """Credit all labelers of BOUNTY with what sales owe them; anyone may.

    You pay the gas. What is yours is paid out to you at once; what is others' waits for them, or
    for `truthmark withdraw --for`.
    """
    with state.session(signs=True, sends=True) as session:
        drawn = draw_all(session, bounty, payees=[session.address], say=info)
        if as_json:
            echo_json({"bounty": bounty, **drawn_json(session, drawn)})
            return
        print_drawn(session, drawn)
        if not any(one.amounts or one.paid for one in drawn):
            info("nothing has come since it was drawn last")
        if waiting := unsettled_line(session, bounty):
            info(waiting)


def print_drawn(session: Session, drawn: Iterable[Drawn]) -> None:
    """Print what was drawn of each pool, and who was paid at once."""
    for one in drawn:
        if one.amounts:
            total = session.profile.amount(sum(one.amounts.values()), one.token)
            echo(f"{total} of royalties credited to {plural(len(one.amounts), 'labeler')}")
        for payee, units in one.paid.items():
            echo(f"{session.profile.amount(units, one.token)} of royalties paid to {payee}")


def drawn_json(session: Session, drawn: Sequence[Drawn]) -> dict[str, Any]:
    """Return the same for programs: `credited`, and `paid`."""

    def listed(amounts: dict[str, int], token: str) -> list[dict[str, Any]]:
        return [
            {"payee": payee, **amount_json(session, units, token)}
            for payee, units in amounts.items()
        ]

    return {
        "credited": [row for one in drawn for row in listed(one.amounts, one.token)],
        "paid": [row for one in drawn for row in listed(one.paid, one.token)],
    }


def unsettled_line(session: Session, bounty: int) -> str:
    """Return what is still to come of sales that are not settled; "" for nothing."""
    open_sales = unsettled_sales(session, bounty)
    if not open_sales:
        return ""
    at = format_time(max(one.deadline for one in open_sales), session.chain.time())
    return (
        f"{plural(len(open_sales), 'sale')} not settled yet: labelers' parts come with the"
        f" settlement, which anyone can make after the buyer's time to check it, now {at} at the"
        " latest; then draw again"
    )
