# SPDX-License-Identifier: Apache-2.0
"""The group `truthmark agent`."""

import click

from truthmark.cli.commands import AGENT
from truthmark.cli.lazy_group import LazyGroup


@click.group(cls=LazyGroup, entries=AGENT)
def agent() -> None:
    """Programs that label."""
