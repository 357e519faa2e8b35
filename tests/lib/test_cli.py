# SPDX-License-Identifier: Apache-2.0
"""What `--help` says of every command, and docs/cli.md, which is made of it."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from tests.utils.cli import Person
from truthmark.cli.agent import agent
from truthmark.cli.bounty import bounty
from truthmark.cli.commands import AGENT, BOUNTY, TOPICS
from truthmark.cli.main import cli

ROOT = Path(__file__).resolve().parents[2]


def walk(command: click.Command, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(command, click.Group):
        return [path]
    context = click.Context(command)
    found = [path] if path else []
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None
        found += walk(below, (*path, name))
    return found


COMMANDS = walk(cli)
WIDE: dict[str, Any] = {"terminal_width": 96, "max_content_width": 96}


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help__any_command__explains_itself_without_a_home(
    path: tuple[str, ...], tmp_path: Path
) -> None:
    shown = Person(tmp_path / "none")(*path, "--help").ok()
    assert f"Usage: cli {' '.join(path)}" in shown.out
    assert not (tmp_path / "none").exists()


def test_help__every_option__says_what_it_is_for() -> None:
    for path in COMMANDS:
        command: click.Command = cli
        for name in path:
            assert isinstance(command, click.Group)
            found = command.get_command(click.Context(command), name)
            assert found is not None
            command = found
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                is_plain = parameter.name == "kind"  # its choices say it all
                assert parameter.help or is_plain, (path, parameter.name)


def test_help__first_line_of_a_command__is_not_cut() -> None:
    shown = Person(Path("none"))("--help").ok().out
    assert not re.search(r"\.\.\.$", shown.partition("Set up:")[2], re.M)
    for names in TOPICS.values():
        for name in names:
            assert re.search(rf"^  {name} ", shown, re.M), name


def test_help__line_of_the_table__is_what_the_command_says() -> None:
    context = click.Context(cli)
    for names in TOPICS.values():
        for name, entry in names.items():
            command = cli.get_command(context, name)
            assert command is not None
            assert command.get_short_help_str(200) == entry.help, name
    for group, entries in ((bounty, BOUNTY), (agent, AGENT)):
        for name, entry in entries.items():
            command = group.get_command(context, name)
            assert command is not None
            assert command.get_short_help_str(200) == entry.help, name


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--help"], "Put data up for sale."),
        (["bounty", "--help"], BOUNTY["payout"].help),
        (["agent", "--help"], AGENT["run"].help),
    ],
    ids=["all", "bounty", "agent"],
)
def test_help__of_a_lazy_group__loads_no_command(arguments: list[str], shown: str) -> None:
    code = (
        "import contextlib, sys\n"
        "from truthmark.cli.main import cli\n"
        "with contextlib.suppress(SystemExit):\n"
        f"    cli.main({arguments})\n"
        "print(sorted(m for m in sys.modules if m.startswith('truthmark.')), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown in done.stdout
    entries = [entry for names in (*TOPICS.values(), BOUNTY, AGENT) for entry in names.values()]
    modules = {entry.module for entry in entries} - {arguments[0]}
    assert "'truthmark.cli.main'" in done.stderr
    assert modules.isdisjoint(re.findall(r"'truthmark\.cli\.(\w+)", done.stderr))
    packages = set(re.findall(r"'truthmark\.(\w+)", done.stderr))
    assert packages.isdisjoint({"market", "index", "chain", "codec", "storage", "testing"})


def test_help__words__are_those_of_the_reader() -> None:
    for path in COMMANDS:
        shown = Person(Path("none"))(*path, "--help").ok().out
        assert not re.search(r"\b(CEK|leaf|leaves|root|basis points?|bps)\b", shown, re.I), path


def test_help__60_columns__is_not_wider() -> None:
    for path in COMMANDS:
        shown = reference(path, terminal_width=60)
        for line in shown.splitlines()[1:]:
            assert len(line) <= 60, (path, line)


def test_reference__docs__is_what_help_says() -> None:
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for path in COMMANDS:
        name = " ".join(("truthmark", *path))
        assert reference(path) in text, f"docs/cli.md is not up to date about `{name}`"


def reference(path: tuple[str, ...], **width: Any) -> str:
    """Return the part of docs/cli.md about a command; see `python -m tests.lib.test_cli`."""
    wide = {**WIDE, **width}
    context = click.Context(cli, info_name="truthmark", **{**cli.context_settings, **wide})
    command: click.Command = cli
    for name in path:
        assert isinstance(command, click.Group)
        found = command.get_command(context, name)
        assert found is not None
        command = found
        context = click.Context(command, parent=context, info_name=name, **wide)
    lines = [line.rstrip() for line in command.get_help(context).splitlines()]
    shown = "\n".join(lines)
    return f"### truthmark {' '.join(path)}\n\n```text\n{shown}\n```\n"


if __name__ == "__main__":
    # Writes the reference part of docs/cli.md again.
    page = ROOT / "docs" / "cli.md"
    head = page.read_text(encoding="utf-8").partition("## Reference\n")[0]
    page.write_text(head + "## Reference\n\n" + "\n".join(map(reference, COMMANDS)), "utf-8")
