# SPDX-License-Identifier: Apache-2.0
"""What `bounty estimate`, `gold`, `pilot` and `create` are told alike, and how it is shown."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from truthmark.bounty.answers import Known, read_known
from truthmark.bounty.document import Kind, LabelClass
from truthmark.bounty.planning import TIMES, Estimate
from truthmark.bounty.sources.found import Reading
from truthmark.bounty.terms import Terms
from truthmark.cli.command import option_group
from truthmark.cli.output import info
from truthmark.cli.param_types import AMOUNT, DURATION, SOURCE, Choice
from truthmark.errors import ConfigError
from truthmark.text import plural

KINDS: Sequence[Kind] = ("text", "image", "audio", "pair", "number")
TIES = ("first", "second", "tie")
"""What may be answered of a pair, unless something else is said."""

source_argument = click.argument("source", type=SOURCE)

_CLASS = re.compile(r"(?P<name>.+?)(?:=(?P<key>\S))?")


def read_classes(text: str | None, kind: Kind | None = None) -> tuple[LabelClass, ...]:
    """Return classes that are written as `cat,dog`, or with keys as `cat=c,dog=d`.

    Raises:
        ConfigError: There are fewer than two, or two of one name.
    """
    if text is None:
        if kind == "pair":
            return tuple(map(LabelClass, TIES))
        raise ConfigError(
            "say what may be answered: --classes cat,dog; a team may be asked for texts: --text"
        )
    found = []
    for part in text.split(","):
        match = _CLASS.fullmatch(part.strip())
        if match is None:
            raise ConfigError(f"{text!r} names an answer that is empty; write them like cat,dog")
        found.append(LabelClass(match["name"].strip(), match["key"] or ""))
    names = [entry.name for entry in found]
    if len(names) < 2 or len({*names}) < len(names):
        raise ConfigError(f"{text!r} names {len({*names})} answers; write two or more: cat,dog")
    return tuple(found)


source_options = option_group(
    click.option(
        "--column",
        metavar="COLUMN",
        help="What of a table is labeled: texts or paths; two with a comma for pairs.",
    ),
    click.option(
        "--kind",
        type=Choice(KINDS),
        metavar="KIND",
        help=f"What an item is: {', '.join(KINDS)}.",
    ),
    click.option(
        "--id", "names", metavar="COLUMN", help="Column that names rows; else their numbers."
    ),
)
"""What says how a source is read."""


classes_option = click.option(
    "--classes", metavar="A,B,…", help="What may be answered; cat=c says the key too."
)
text_option = click.option(
    "--text", is_flag=True, help="Ask a team for texts, instead of --classes."
)
times_option = click.option(
    "--times",
    type=Choice(tuple(TIMES)),
    default="small",
    show_default=True,
    metavar="NAME",
    help="How long the steps take: demo, small (hours) or careful (days).",
)
rounds_option = click.option(
    "--labels-per-item",
    type=click.IntRange(1, 9),
    metavar="K",
    help="How many people judge an item.  [default: 5; fewer in a team]",
)
full_option = click.option(
    "--full",
    type=click.IntRange(2, 3),
    default=3,
    show_default=True,
    help="At how many quarters of the way from guessing to perfect the full price is paid.",
)
price_option = click.option(
    "--price", type=AMOUNT, required=True, help='For a label, such as "0.05 TUSD".'
)
seconds_option = click.option(
    "--seconds-per-item", type=click.FloatRange(0.1, 86_400), help="What an item takes."
)
label_within_option = click.option(
    "--label-within",
    type=DURATION,
    help="How long there is to label.  [default: as --times has it]",
)


def read_guidelines(path: Path | None, title: str) -> str:
    """Return what to answer when, from a file; the title if there is none.

    Raises:
        ConfigError: It cannot be read.
    """
    if path is None:
        return title
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as a text; save it as UTF-8") from error


def read_gold(path: Path | None) -> dict[str, Known]:
    """Return the answers of a file; none without one."""
    return {} if path is None else read_known(path)


def read_predictions(path: Path | None) -> dict[str, str] | None:
    """Return a model's answers by name; None without a file."""
    return None if path is None else {n: known.answer for n, known in read_known(path).items()}


def tell_reading(reading: Reading) -> None:
    """Say what became of a source."""
    shown = f", and {len(reading.shown)} that you know for practice" if reading.shown else ""
    info(f"{plural(len(reading.names), 'item')} to label{shown}")
    for line in reading.lines():
        info(line)


def estimate_json(terms: Terms, found: Estimate) -> dict[str, Any]:
    """Return the same as JSON values; amounts in the token's smallest unit, as texts."""
    return {
        "token": terms.token,
        "items": terms.items,
        "labels_per_item": terms.rounds,
        "labels": found.labels,
        "gold": terms.gold_count,
        "batch": terms.batch,
        "min_run": terms.min_run,
        "max_run": terms.max_run,
        "for_labelers": str(found.for_labels),
        "for_others": str(found.for_others),
        "bond": str(found.bond),
        "to_pay_in": str(found.total),
        "an_hour": None if found.an_hour is None else str(found.an_hour),
        "least_seconds": found.least_seconds,
        "seconds": found.seconds,
        "guesser": None if found.guesser is None else found.guesser.mean,
        "honest": {str(skill): outlook.mean for skill, outlook in found.honest.items()},
    }
