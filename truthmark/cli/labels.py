# SPDX-License-Identifier: Apache-2.0
"""`truthmark labels`: labels of many people made one a task, without a chain."""

import csv
import math
import sys
import warnings
from pathlib import Path
from typing import Any

import click

from truthmark.cli.command import group, json_option
from truthmark.cli.output import echo, echo_json, info, print_fields, table
from truthmark.cli.param_types import FILE
from truthmark.errors import ConfigError

_METHODS = (
    "majority",
    "wawa",
    "zbs",
    "dawid-skene",
    "one-coin",
    "ibcc",
    "ebcc",
    "glad",
    "mace",
    "bwa",
    "crowdlab",
    "goldw",
    "auto",
)


def _split(context: click.Context, parameter: click.Parameter, text: str | None) -> Any:
    """Read names with commas between them."""
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    if not all(names) or len(set(names)) < len(names):
        raise click.BadParameter("write each class once, with commas between them")
    return names


def _split_shares(context: click.Context, parameter: click.Parameter, text: str | None) -> Any:
    """Read class=share with commas between them."""
    if text is None:
        return None
    shares = {}
    for part in text.split(","):
        name, _, number = part.rpartition("=")
        try:
            shares[name.strip()] = float(number)
        except ValueError:
            shares[name.strip()] = math.nan
        if not name.strip() or not 0 < shares[name.strip()] < math.inf:
            raise click.BadParameter(
                f"{part.strip()!r} is not a share; write such as yes=0.1,no=0.9"
            )
    return shares


answers_argument = click.argument("answers", type=FILE)
gold_option = click.option(
    "--gold", type=FILE, help="CSV of right labels: task (or item), label (or truth)."
)
drop_option = click.option(
    "--drop-unknown-gold", is_flag=True, help="Leave out gold of tasks without answers."
)
duplicates_option = click.option(
    "--duplicates",
    type=click.Choice(["refuse", "all", "first", "last"]),
    default="refuse",
    show_default=True,
    help="What becomes of a worker's second answer to a task.",
)
classes_option = click.option(
    "--classes",
    callback=_split,
    metavar="A,B,…",
    help="All classes in their order; those that were answered, sorted, unless given.",
)


@group()
def labels() -> None:
    """Turn many people's labels into one for each item, and see how good they are.

    ANSWERS is a CSV file with the columns task (or item), worker, label.
    """


@labels.command()
@answers_argument
@click.option(
    "--method",
    type=click.Choice(_METHODS),
    metavar="NAME",
    help=f"{', '.join(_METHODS)}; goldw with --gold, else majority, unless given.",
)
@gold_option
@drop_option
@click.option(
    "--predictions", type=FILE, help="For crowdlab: CSV of task and a probability a class."
)
@click.option(
    "--shares",
    callback=_split_shares,
    metavar="A=0.9,…",
    help="For goldw: how often each class is, where that is known.",
)
@click.option(
    "--confidence", is_flag=True, help="Add how likely goldw's label is right, fitted on gold."
)
@duplicates_option
@classes_option
@json_option
def aggregate(
    answers: Path,
    method: str | None,
    gold: Path | None,
    drop_unknown_gold: bool,
    predictions: Path | None,
    shares: dict[str, float] | None,
    confidence: bool,
    duplicates: Any,
    classes: list[str] | None,
    as_json: bool,
) -> None:
    """Print a label for each task, as CSV: task, label, and margin where goldw finds it."""
    import pandas as pd

    from truthmark.labels.auto import Auto
    from truthmark.labels.files import read_predictions
    from truthmark.labels.gold_weighted import GoldWeighted
    from truthmark.labels.methods import aggregate as fit

    method = method or ("goldw" if gold else "majority")
    data, known = _read(answers, gold, duplicates, classes, drop_unknown_gold)
    if confidence and (method != "goldw" or known is None):
        raise ConfigError("a confidence is fitted on gold, for goldw; use --method goldw --gold")
    model = fit(
        method,
        data,
        known,
        predictions=read_predictions(predictions) if predictions else None,
        shares=pd.Series(shares) if shares else None,
    )
    if isinstance(model, Auto):
        info(f"chose {model.method_}")
        method = model.method_
    fitted = model.model_ if isinstance(model, Auto) else model
    columns: dict[str, Any] = {"label": model.labels_}
    if isinstance(fitted, GoldWeighted):
        columns["margin"] = fitted.margins_
    if confidence:
        from truthmark.labels.confidence import calibrated_confidence

        assert known is not None, "checked above"
        columns["confidence"] = calibrated_confidence(data, known).round(4)
    name = str(model.labels_.index.name)
    head = [name, *columns]
    values = [model.labels_.index.tolist(), *(column.tolist() for column in columns.values())]
    rows = zip(*values, strict=True)
    if as_json:
        found = [dict(zip(head, row, strict=True)) for row in rows]
        echo_json({"method": method, "labels": found})
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)


@labels.command()
@answers_argument
@gold_option
@drop_option
@click.option("--ordinal", is_flag=True, help="Also alpha for classes in an order.")
@duplicates_option
@classes_option
@json_option
def agreement(
    answers: Path,
    gold: Path | None,
    drop_unknown_gold: bool,
    ordinal: bool,
    duplicates: Any,
    classes: list[str] | None,
    as_json: bool,
) -> None:
    """Show how far workers agree, with each other and with gold, and accounts to look at."""
    from truthmark.labels.report import measure

    data, known = _read(answers, gold, duplicates, classes, drop_unknown_gold)
    found = measure(data, known, ordinal=ordinal)
    if as_json:
        echo_json(found)
        return
    print_fields(
        (key.replace("_", " "), _shown(found[key]))
        for key in ("tasks", "workers", "answers", "alpha", "alpha_ordinal", "mean_margin")
        if key in found
    )
    for key, title in (
        ("classes", "answers to gold, by class"),
        ("confusion", "what a class (row) was answered as"),
        ("worker_table", "workers"),
        ("coinciding_errors", "accounts whose errors coincide"),
        ("better_on_gold", "accounts that agree with others on gold more than elsewhere"),
    ):
        if found.get(key):
            echo(f"\n{title}")
            head = list(found[key][0])
            table([[_shown(row[name]) for name in head] for row in found[key]], head, indent=2)


def _read(
    answers: Path, gold: Path | None, duplicates: Any, classes: list[str] | None, drop: bool
) -> Any:
    from truthmark.labels.answers import LabelsWarning
    from truthmark.labels.files import read_both

    warnings.simplefilter("ignore", LabelsWarning)  # duplicates are allowed on the command line
    return read_both(answers, gold, duplicates=duplicates, classes=classes, drop_unknown=drop)


def _shown(value: Any) -> Any:
    if value is None:
        return "undefined"
    return f"{value:.4g}" if isinstance(value, float) else value
