# SPDX-License-Identifier: Apache-2.0
"""The group `truthmark bounty`; each command is in a module of its own."""

import click

from truthmark.cli.commands import BOUNTY
from truthmark.cli.lazy_group import LazyGroup


@click.group(cls=LazyGroup, entries=BOUNTY)
def bounty() -> None:
    """Have items labeled, or label them, and be paid by a rule.

    Bounties are named by number, such as 12.
    """
