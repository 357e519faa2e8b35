# SPDX-License-Identifier: Apache-2.0
"""`truthmark bounty cite`: lets an account sell what a bounty made, with a royalty."""

import click

from truthmark.bounty.client import BountyClient
from truthmark.cli.command import State, command, resolve_address
from truthmark.cli.output import info
from truthmark.cli.param_types import ACCOUNT, BOUNTY


@command()
@click.argument("bounty", type=BOUNTY)
@click.argument("seller", type=ACCOUNT)
def cite(state: State, bounty: int, seller: str) -> None:
    """Let SELLER list what your BOUNTY made, with a royalty for labelers.

    One account at a time. What is listed already stays as it is. Where you sell yourself,
    `truthmark list --bounty` does this.
    """
    with state.session(signs=True, sends=True) as session:
        client, address = BountyClient(session), resolve_address(session, seller)
        client.cite(bounty, client.read(bounty).terms, address)
        info(f"{address} may list data of bounty {bounty} with a royalty")
