# SPDX-License-Identifier: Apache-2.0
"""How measured figures are recorded: a JSON list a benchmark, and a Markdown table made of it.

Every figure of speed or size stands beside a peer or a limit measured in the same run, because
machines differ.
"""

import ast
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
SIZE_LIMIT = 23_347
"""Bytes of a contract's code; the chain takes 24,576, and what is left is for mending."""
CROWDS = ROOT.parent / "shared" / "data"
"""Sets of real answers, where they lie beside the repository; it ships two itself."""
SPEED = (
    *("codec", "sampled", "opening", "preview", "logs", "bounties", "photos", "relay", "soak"),
    *("labelpage", "prompts", "pages", "search", "cli", "install", "labels"),
)
"""The benchmarks that docs/speed.md shows, in this order."""
LONG = frozenset({"soak"})
"""Those that take hours, and are only run by name."""

_T = TypeVar("_T")
_HEAD = ("what", "measured", "promised", "compared with", "holds")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure.

    Attributes:
        name: what was measured.
        value: what was found.
        unit: of `value`, `peer_value`, and of `floor` where that is a number.
        floor: what is promised: a bound for `value`, or words such as "≥ 0.85 × peer".
        peer: what it is compared with.
        peer_value: what was found for that.
        ratio: `value / peer_value`.
        holds: whether the promise is kept; None where nothing is promised.
    """

    name: str
    value: float
    unit: str
    floor: float | str | None = None
    peer: str | None = None
    peer_value: float | None = None
    ratio: float | None = None
    holds: bool | None = None


def write(name: str, figures: Sequence[Figure]) -> Path:
    """Write `bench/results/<name>.json` and return where that is."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    rows = [asdict(figure) for figure in figures]
    path.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return path


def read(name: str) -> list[Figure]:
    """Return the figures that were recorded as `bench/results/<name>.json`."""
    return [Figure(**row) for row in json.loads((RESULTS / f"{name}.json").read_text("utf-8"))]


def exit_code(figures: Sequence[Figure]) -> int:
    """Return 1 if a figure does not hold, else 0."""
    return int(any(figure.holds is False for figure in figures))


def markdown(figures: Sequence[Figure]) -> str:
    """Return the figures as one aligned table."""
    rows = [_HEAD, *(_cells(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join(lines) + "\n"


def page_table(figures: Sequence[Figure]) -> str:
    """Return the table as `make format` writes tables, or the two would undo each other's work."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in markdown(figures).splitlines()
    ]
    rows[1] = ["--"] * len(rows[1])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def median_pair(turns: Sequence[tuple[_T, _T]], value: Callable[[_T], float]) -> tuple[_T, _T]:
    """Return the turn whose ratio is the median: one in which something else ran decides nothing.

    Args:
        turns: What was found for ours and for the peer, one after the other; an odd number.
        value: Which figure of it.
    """
    ranked = sorted(turns, key=lambda turn: value(turn[0]) / value(turn[1]))
    return ranked[len(ranked) // 2]


def speed_page() -> str:
    """Return docs/speed.md, made of what was recorded last."""
    page = """# Speed

What `make bench` measured last, on two cores. Every figure stands beside a peer or a limit that was
measured in the same run: machines differ, ratios less so. Each benchmark writes its part again.
"""
    for name in SPEED:
        if not (RESULTS / f"{name}.json").exists():
            continue  # not measured yet
        source = (ROOT / "bench" / f"{name}.py").read_text("utf-8")
        page += f"\n## {name}\n\n{ast.get_docstring(ast.parse(source))}\n\n{page_table(read(name))}"
    return page


class Report:
    """Collects figures that are held against a peer or a limit of the same run.

    Usage example::

        report = Report("codec")
        report.add("pack", 1.1, "GB/s", peer="cipher, hash, copy", peer_value=1.2, at_least=0.85)
        report.write()
    """

    def __init__(self, name: str) -> None:
        """Begin `bench/results/<name>.json`."""
        self._name = name
        self.figures: list[Figure] = []

    def add(
        self,
        name: str,
        value: float,
        unit: str,
        *,
        peer: str | None = None,
        peer_value: float | None = None,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> None:
        """Add a figure and print it.

        Args:
            name: what was measured.
            value: what was found.
            unit: of `value` and `peer_value`.
            peer: what it is compared with.
            peer_value: what was found for that, in this run.
            at_least: bound of `value / peer_value`, or of `value` where there is no peer.
            at_most: the same from above; give one of the two.
        """
        ratio = None if peer_value is None else value / peer_value
        found = value if ratio is None else ratio
        floor: str | None = None
        holds = None
        scale = unit if ratio is None else "× peer"
        if at_least is not None:
            floor, holds = f"≥ {at_least:g} {scale}", found >= at_least
        elif at_most is not None:
            floor, holds = f"≤ {at_most:g} {scale}", found <= at_most
        figure = Figure(
            name,
            round(value, 4),
            unit,
            floor,
            peer,
            None if peer_value is None else round(peer_value, 4),
            None if ratio is None else round(ratio, 4),
            holds,
        )
        self.figures.append(figure)
        print(" | ".join(cell for cell in _cells(figure) if cell), flush=True)

    def write(self) -> int:
        """Print the table, write it as JSON and into docs/speed.md; return the exit code."""
        print(markdown(self.figures))
        write(self._name, self.figures)
        (ROOT / "docs" / "speed.md").write_text(speed_page(), "utf-8")
        return exit_code(self.figures)


def _cells(figure: Figure) -> tuple[str, str, str, str, str]:
    promised = figure.floor
    if promised is None:
        promised = ""
    elif not isinstance(promised, str):
        promised = _amount(promised, figure.unit)
    compared = ""
    if figure.peer is not None and figure.peer_value is not None:
        compared = f"{figure.peer}: {_amount(figure.peer_value, figure.unit)}"
        if figure.ratio is not None:
            compared += f" (× {figure.ratio:.2f})"
    holds = {None: "", True: "yes", False: "**no**"}[figure.holds]
    return figure.name, _amount(figure.value, figure.unit), promised, compared, holds


def _amount(value: float, unit: str) -> str:
    is_whole = isinstance(value, int) or value >= 1_000
    number = f"{value:,.0f}" if is_whole else f"{value:.4g}"
    return f"{number} {unit}"
