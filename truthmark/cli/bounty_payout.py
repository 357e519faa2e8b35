# SPDX-License-Identifier: Apache-2.0
"""`truthmark bounty payout`: pays everybody of a bounty that has ended."""

import click

from truthmark.bounty.client import BountyClient
from truthmark.bounty.flows.paying import pay_all
from truthmark.cli.command import State, command, json_option
from truthmark.cli.output import amount_json, echo, echo_json, info
from truthmark.cli.param_types import BOUNTY
from truthmark.cli.royalties import drawn_json, print_drawn
from truthmark.flows.royalties import Drawn, draw_pool, read_pools
from truthmark.keys.abi_hash import address_bytes
from truthmark.market.catalogue import Catalogue
from truthmark.session import Session


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

    What sales of its labels owe them is drawn too, in tokens that the profile lists; in others,
    which may be worth less than the gas, `truthmark royalties draw` does it.
    """
    with state.session(signs=True, sends=True) as session:
        payees = None if everybody else [session.address]
        paid = pay_all(session, bounty, payees=payees, say=info)
        if not as_json:
            for payee, units in paid.amounts.items():
                echo(f"{session.profile.amount(units, paid.token)} paid to {payee}")
        drawn = _draw_known(session, bounty, payees)
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


def _draw_known(session: Session, bounty: int, payees: list[str] | None) -> list[Drawn]:
    """Draw the royalties in listed tokens, and say where others are left.

    Raises:
        ChainError: It was refused.
    """
    if not Catalogue.of(session).made_by(bounty):
        return []
    record = BountyClient(session).read(bounty)
    pools = read_pools(session, record)
    listed = {address_bytes(token.address) for token in session.profile.tokens}
    known = [pool for pool in pools if address_bytes(pool.token) in listed]
    for pool in pools:
        if pool not in known and pool.due:
            amount = session.profile.amount(sum(pool.due.values()), pool.token)
            info(f"sales owe the labelers {amount} too: truthmark royalties draw {bounty}")
    return [draw_pool(session, record, pool, payees=payees, say=info) for pool in known]
