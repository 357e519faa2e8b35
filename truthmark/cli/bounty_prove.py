# SPDX-License-Identifier: Apache-2.0
"""`truthmark bounty prove`: sends a proof that a labeler's browser made ready."""

from pathlib import Path

import click

from truthmark.bounty.flows.sending import MAX_BYTES, send_proof
from truthmark.cli.command import State, command
from truthmark.cli.output import info
from truthmark.cli.param_types import FILE


@command()
@click.argument("file", type=FILE)
def prove(state: State, file: Path) -> None:
    """Prove that a score is wrong, by a FILE that a label page saved; anyone may.

    You pay the gas, and get the reward that the bounty's terms give to who is first; everybody who
    labeled is paid in full. It is refused before anything is sent where it proves nothing.
    """
    with file.open("rb") as opened:
        data = opened.read(MAX_BYTES + 1)
    with state.session(signs=True, sends=True) as session:
        record = send_proof(session, data)
        reward = session.profile.amount(record.terms.reward, record.terms.token)
        info(
            f"it is proven: everybody who labeled bounty {record.ref.bounty_id} is paid in full;"
            f" the reward of {reward} is yours: truthmark withdraw"
        )
