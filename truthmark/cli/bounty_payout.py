# SPDX-License-Identifier: Apache-2.0
"""`truthmark bounty payout`: pays everybody of a bounty that has ended."""

import click

from truthmark.cli.command import State, command, json_option
from truthmark.cli.output import amount_json, echo, echo_json, info
from truthmark.cli.param_types import BOUNTY


@command()
@click.argument("bounty", type=BOUNTY)
@click.option(
    "--everybody", is_flag=True, help="Also pay out to all others; you pay the gas of each."
)
@json_option
@click.pass_obj
def payout(state: State, bounty: int, everybody: bool, as_json: bool) -> None:
    """Pay everyone in BOUNTY after it has ended; anyone may.

    You pay the gas, and get the tip that its terms give for that. What is yours is paid out to you
    at once; what is others' waits for them, or for `truthmark withdraw --for`.
    """
    from truthmark.bounty.client import BountyClient
    from truthmark.bounty.flows.paying import pay_all
    from truthmark.flows.royalties import read_pools
    from truthmark.market.catalogue import Catalogue

    with state.session(signs=True, sends=True) as session:
        payees = None if everybody else [session.address]
        paid = pay_all(session, bounty, payees=payees, say=info)
        if as_json:
            echo_json(
                {
                    "bounty": bounty,
                    "paid": [
                        {"payee": payee, **amount_json(session, units, paid.token)}
                        for payee, units in paid.amounts.items()
                    ],
                }
            )
            return
        for payee, units in paid.amounts.items():
            echo(f"{session.profile.amount(units, paid.token)} paid to {payee}")
        if not paid.amounts:
            info("nothing is left to pay out")
        if Catalogue.of(session).made_by(bounty):
            pools = read_pools(session, BountyClient(session).read(bounty))
            if any(pool.due for pool in pools):
                due = " and ".join(
                    str(session.profile.amount(sum(pool.due.values()), pool.token))
                    for pool in pools
                    if pool.due
                )
                info(f"sales owe its labelers {due} more: truthmark royalties draw {bounty}")
