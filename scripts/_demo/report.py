# SPDX-License-Identifier: Apache-2.0
"""What the demonstration prints and keeps: steps as they happen, and a closing report."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table


@dataclass
class Row:
    """What one role paid and earned."""

    role: str
    paid: str
    earned: str
    gas: int


@dataclass
class Report:
    """Everything that the demonstration found out.

    Attributes:
        steps: Seconds of each step.
        verified: What was checked, by whom.
        refused: What was tried and refused, with the reason given.
        rows: Who paid and earned what.
        gas: By transaction.
        figures: Others, by name.
    """

    steps: dict[str, float] = field(default_factory=dict)
    verified: list[dict[str, str]] = field(default_factory=list)
    refused: list[dict[str, str]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    gas: dict[str, int] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write the report as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=2, default=str) + "\n")


class Transcript:
    """Where the demonstration is shown.

    Args:
        report: Filled as it goes.
        console: Where to print.
    """

    def __init__(self, report: Report, console: Console) -> None:
        """Show on a console."""
        self.report = report
        self.console = console

    @contextmanager
    def section(self, title: str) -> Iterator[None]:
        """Run a step under a heading, and time it."""
        self.console.print()
        self.console.rule(f"[bold]{title}", align="left")
        begin = time.monotonic()
        yield
        self.report.steps[title] = round(time.monotonic() - begin, 2)

    @contextmanager
    def progress_bar(self, text: str) -> "Iterator[Any]":
        """Show a progress bar; yields a function of done and total."""
        columns = (TextColumn("  {task.description}"), BarColumn(30), TimeElapsedColumn())
        # Where the output is no terminal, a bar would only leave blank lines.
        hidden = not self.console.is_terminal
        with Progress(*columns, console=self.console, transient=True, disable=hidden) as progress:
            task = progress.add_task(text, total=None)

            def advance(done: int, total: int) -> None:
                progress.update(task, completed=done, total=max(total, 1))

            yield advance

    def info(self, text: str) -> None:
        """Print a line."""
        self.console.print(f"  {text}", highlight=False)

    def show(self, thing: object) -> None:
        """Print something that is not text, such as a frame, indented."""
        for line in str(thing).splitlines():
            self.console.print(f"    {line}", highlight=False, markup=False)

    def verified(self, what: str, by: str) -> None:
        """Say what was checked, and by whom."""
        self.report.verified.append({"what": what, "by": by})
        self.info(f"[green]✓[/] {what}  [dim]({by})[/]")

    def refused(self, what: str, reason: str) -> None:
        """Say what could not be done, and what was answered."""
        self.report.refused.append({"what": what, "reason": reason})
        self.info(f"[green]✓ refused:[/] {what}  [dim]({reason})[/]")

    def gas(self, name: str, used: int) -> None:
        """Note a transaction's gas."""
        self.report.gas[name] = used

    def close(self, totals: Mapping[str, str]) -> None:
        """Print the closing tables."""
        money = Table(title="Who paid and earned what", title_justify="left")
        for heading in ("role", "paid", "earned", "gas spent"):
            money.add_column(heading, justify="left" if heading == "role" else "right")
        for row in self.report.rows:
            money.add_row(row.role, row.paid, row.earned, f"{row.gas:,}")
        gas = Table(title="Gas by transaction", title_justify="left")
        gas.add_column("transaction")
        gas.add_column("gas", justify="right")
        for name, used in self.report.gas.items():
            gas.add_row(name, f"{used:,}")
        self.console.print()
        self.console.print(money)
        self.console.print(gas)
        for name, text in totals.items():
            self.console.print(f"{name}: {text}", highlight=False)
