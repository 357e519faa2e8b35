# SPDX-License-Identifier: Apache-2.0
"""How commands talk: results on stdout, everything else on stderr."""

import contextlib
import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click

from truthmark.cli import interrupts, layout
from truthmark.errors import ConfigError, MarketError
from truthmark.session import Session
from truthmark.text import INVISIBLE, clean, one_line
from truthmark.types import Progress

_LEAST_WIDTH = 40


def width(*, of_errors: bool = False) -> int:
    """Return how wide what is shown may be: of `COLUMNS`, or of the terminal; else endless."""
    said = os.environ.get("COLUMNS", "")
    if said.isdecimal() and 0 < int(said) < layout.NO_WIDTH:
        return max(int(said), _LEAST_WIDTH)
    stream = sys.stderr if of_errors else sys.stdout
    with contextlib.suppress(AttributeError, OSError, ValueError):
        if stream.isatty():
            return max(os.get_terminal_size(stream.fileno()).columns, _LEAST_WIDTH)
    return layout.NO_WIDTH


def info(text: str) -> None:
    """Tell what happens."""
    for line in layout.wrap(one_line(text), width(of_errors=True), rest="  "):
        click.echo(line, err=True)


def echo(text: str = "") -> None:
    """Print a line of the result; where it must be broken, what follows is indented."""
    body = text.lstrip(" \n")
    before = text[: len(text) - len(body)]
    click.echo(before[: before.rfind("\n") + 1], nl=False)
    indent = before[before.rfind("\n") + 1 :]
    for line in layout.wrap(body, width(), indent, indent + "  "):
        click.echo(line)


_has_answered = False


def begin() -> None:
    """Note that nothing was printed yet; several commands may run in one process."""
    global _has_answered
    _has_answered = False


def echo_error(kind: str, message: str, exit_code: int) -> bool:
    """Print an error as JSON, unless a result is there already: stdout holds one document.

    Returns:
        Whether it was printed.
    """
    if _has_answered:
        return False
    echo_json({"error": {"kind": kind, "message": message, "exit_code": exit_code}})
    return True


def echo_json(value: Any) -> None:
    """Print the result as JSON; what could act on a terminal is written as escapes."""
    global _has_answered
    _has_answered = True
    text = json.dumps(value, indent=2, ensure_ascii=False)
    # Line ends within texts are escapes already; these are those between the entries.
    click.echo("\n".join(map(_escaped, text.split("\n"))))


def _escaped(text: str) -> str:
    return "".join(
        json.dumps(char)[1:-1] if unicodedata.category(char) in INVISIBLE else char for char in text
    )


def ask(question: str, *, yes: bool) -> bool:
    """Ask for a yes; `yes` says it was given on the command line.

    Raises:
        ConfigError: There is no terminal to answer.
        KeyboardInterrupt: There was a Ctrl-C before.
    """
    interrupts.check()
    if yes:
        return True
    _prompt(f"{question} [y/N]")
    return _answer().lower() in ("y", "yes")


def require_yes(question: str, nothing: str, *, yes: bool) -> None:
    """Ask for a yes, and end the command without one.

    Args:
        question: What is asked.
        nothing: What to say of a no, such as "nothing was paid".
        yes: It was given on the command line.

    Raises:
        ConfigError: There is no terminal to answer.
        MarketError: The answer was no.
        KeyboardInterrupt: There was a Ctrl-C before.
    """
    if not ask(question, yes=yes):
        raise MarketError(nothing)


def ask_text(question: str, instead: str) -> str:
    """Ask for a line of text.

    Args:
        question: What is asked.
        instead: What to write on the command line where there is no terminal to answer.

    Raises:
        ConfigError: There is no terminal to answer.
    """
    _prompt(f"{question}:")
    return _answer(instead)


def _prompt(text: str) -> None:
    click.echo(
        "\n".join(layout.wrap(one_line(text), width(of_errors=True))) + " ", nl=False, err=True
    )


def _answer(instead: str = "--yes") -> str:
    line = sys.stdin.readline(4_096)
    if not sys.stdin.isatty():
        click.echo(err=True)  # a terminal shows the end of the line itself
    if not line:
        raise ConfigError(f"there is no terminal to answer; add {instead}")
    return line.strip()


def table(rows: Iterable[Sequence[object]], head: Sequence[str], indent: int = 0) -> None:
    """Print rows in columns."""
    cleaned = [[clean(cell, 200) for cell in row] for row in rows]
    for line in layout.table_lines(cleaned, head, width() - indent):
        click.echo(" " * indent + line)


def print_fields(pairs: Iterable[tuple[str, object]], indent: int = 0) -> None:
    """Print names with what they stand for; lines of nothing are left out."""
    kept = [(name, clean(value)) for name, value in pairs if value not in (None, "")]
    for line in layout.fact_lines(kept, width(), indent):
        click.echo(line)


@contextlib.contextmanager
def progress_bar(what: str, unit: str = "bytes") -> Iterator[Progress | None]:
    """Give a progress bar on stderr; None where that is no terminal.

    Args:
        what: What is going on.
        unit: `bytes`, or what is counted.
    """
    if not sys.stderr.isatty():
        yield None
        return
    # Loaded only where there is a terminal to draw on.
    from rich import progress as rich
    from rich.console import Console

    is_bytes = unit == "bytes"
    columns = (
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.DownloadColumn(binary_units=True) if is_bytes else rich.MofNCompleteColumn(),
        rich.TimeElapsedColumn(),
    )
    with rich.Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def amount_json(session: Session, units: int, token: str) -> dict[str, Any]:
    """Return an amount as JSON values; units as text, as they may not fit a float."""
    amount = session.profile.amount(units, token)
    return {
        "units": str(units),
        "token": token,
        "symbol": amount.symbol,
        "text": str(amount),
    }
