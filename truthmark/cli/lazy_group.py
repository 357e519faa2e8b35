# SPDX-License-Identifier: Apache-2.0
"""A group that loads a command when it is asked for; its help loads none."""

import importlib
from collections.abc import Mapping
from typing import Any

import click

from truthmark.cli import interrupts
from truthmark.cli.command import Group
from truthmark.cli.commands import Entry


class LazyGroup(Group):
    """A group of the commands of a table.

    Args:
        entries: The commands by name.
        arguments: As `click.Group` takes them, like the options.
        options: As there.
    """

    def __init__(self, *arguments: Any, entries: Mapping[str, Entry], **options: Any) -> None:
        """Take the table; nothing is loaded yet."""
        super().__init__(*arguments, **options)
        self.entries = entries

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        if cmd_name not in self.entries:
            return None
        entry = self.entries[cmd_name]
        module = importlib.import_module(f"truthmark.cli.{entry.module}")
        loaded = getattr(module, entry.function or cmd_name.replace("-", "_"))
        interrupts.check()  # what came while it was loaded
        assert isinstance(loaded, click.Command)  # the table names commands
        return loaded

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in self.entries.items()])
