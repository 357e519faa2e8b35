# SPDX-License-Identifier: Apache-2.0
"""`truthmark bounty payout`: pays everybody of a bounty that has ended."""

import click

from truthmark.bounty.flows.paying import pay_all
from truthmark.cli.command import State, command, json_option
from truthmark.cli.output import amount_json, echo, echo_json, info
from truthmark.cli.param_types import BOUNTY
from truthmark.cli.royalties import drawn_json, print_drawn
from truthmark.flows.royalties import draw_listed


@command()
@click.argument("bounty", type=BOUNTY)
@click.option(
    "--everybody", is_flag=True, help="Also pay out to all others; you pay the gas of each."
)
@json_option
def payout(state: State, bounty: int, everybody: bool, as_json: bool) -> None:
    """Pay everyone in BOUNTY after it has ended; anyone may.

    You pay the gas, and get the tip that its terms give for that. What is yours is paid out to you
    at once; what is others' waits for them, or for `truthmark withdraw --for`.

    What sales of its labels owe them is drawn too, in tokens that the profile lists; in others,
    which may be worth less than the gas, `truthmark royalties draw` does it.
    """
    with state.session(signs=True, sends=True) as session:
        payees = None if everybody else [session.address]
        paid = pay_all(session, bounty, payees=payees, say=info)
        if not as_json:
            for payee, units in paid.amounts.items():
                echo(f"{session.profile.amount(units, paid.token)} paid to {payee}")
        drawn = draw_listed(session, bounty, payees=payees, say=info)
        if as_json:
            labels = [
                {"payee": payee, **amount_json(session, units, paid.token)}
                for payee, units in paid.amounts.items()
            ]
            echo_json({"bounty": bounty, "paid": labels, "royalties": drawn_json(session, drawn)})
            return
        print_drawn(session, drawn)
        if not paid.amounts and not any(one.amounts or one.paid for one in drawn):
            info("nothing is left to pay out")
