# SPDX-License-Identifier: Apache-2.0
"""`truthmark attack`: try to be paid without working, on recorded crowds."""

from pathlib import Path
from typing import Any

import click

from truthmark.cli.command import command, json_option
from truthmark.cli.output import echo, echo_json, info, table
from truthmark.cli.param_types import FILE
from truthmark.errors import ConfigError
from truthmark.testing.crowds.pays import MOST, Pays, pays
from truthmark.testing.crowds.sets import find_set, known_sets, load
from truthmark.testing.crowds.strategies import load_strategy

_ROUNDS = (2, 3, 5)


@command()
@click.argument("strategy", type=FILE)
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="SET",
    help="A recorded crowd: its name, or a folder with answer.csv and truth.csv; all that are here"
    " unless given.",
)
@click.option(
    "--draws", type=click.IntRange(1, 1000), default=10, show_default=True, help="Of each cell."
)
@json_option
def attack(strategy: Path, sets: tuple[str, ...], draws: int, as_json: bool) -> None:
    """Try to be paid without working: what STRATEGY would earn on recorded crowds.

    STRATEGY is a Python file of yours with a function answer(item, round, rng, …) that returns a
    class. It runs in this process: run none that you do not trust.
    """
    tried = load_strategy(strategy)
    folders = [find_set(name) for name in sets] or list(known_sets().values())
    if not folders:
        raise ConfigError(
            "there are no recorded crowds here; name a folder with answer.csv (item, worker,"
            " label) and truth.csv (item, truth) by --set"
        )
    found: list[dict[str, Any]] = []
    for folder in folders:
        crowd = load(folder)
        info(f"trying {crowd.name}")
        for rounds in _ROUNDS:
            earned = pays(crowd, rounds, tried, draws)
            row = {"crowd": crowd.name, "able": crowd.is_able, "labels_per_item": rounds}
            found.append(row | _of(earned))
    if as_json:
        echo_json({"strategy": str(strategy), "at_most": MOST, "crowds": found})
        return
    head = ["crowd", "able", "labels an item", "it earns", "the honest", "of honest pay", "HALF"]
    table([[_shown(value) for value in row.values()] for row in found], head)
    able = [row["of_honest_pay"] for row in found if row["able"] and row["of_honest_pay"]]
    echo()
    if not able:
        echo(
            "No able crowd is among these (the median labeler right in 75 % of each of two"
            " classes, or twice chance): nothing is promised of such."
        )
    elif max(able) <= MOST:
        echo(f"On able crowds it earns at most {max(able):.2f} of honest pay; {MOST} is the limit.")
    else:
        echo(
            f"It earns {max(able):.2f} of honest pay on an able crowd, where {MOST} is the limit"
            " for who knows nothing. If it knows nothing of the items, please report it."
        )


def _of(earned: Pays) -> dict[str, Any]:
    return {
        "earned": _number(earned.attackers),
        "honest": _number(earned.honest),
        "of_honest_pay": _number(earned.ratio),
        "half": round(earned.half, 4),
    }


def _number(value: float) -> float | None:
    """Return a number as JSON has it; None where all draws ended HALF."""
    return round(value, 4) if value == value else None


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "–"
    return f"{value:.2f}" if isinstance(value, float) else str(value)
