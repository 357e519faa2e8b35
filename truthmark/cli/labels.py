# SPDX-License-Identifier: Apache-2.0
"""`truthmark labels`: labels of many people made one a task, without a chain."""

import csv
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from truthmark.cli.command import group, json_option
from truthmark.cli.output import echo, echo_json, info, print_fields, table
from truthmark.cli.param_types import FILE
from truthmark.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

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
    data, known = _read(answers, gold, duplicates, classes, drop_unknown_gold)
    found = _measure(data, known, ordinal)
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


def _measure(data: "pd.DataFrame", known: "pd.Series[Any] | None", ordinal: bool) -> dict[str, Any]:
    from truthmark.labels import accounts
    from truthmark.labels import agreement as measures
    from truthmark.labels.answers import Answers
    from truthmark.labels.gold_weighted import GoldWeighted
    from truthmark.labels.voting import MajorityVote

    answers = Answers.of(data)
    found: dict[str, Any] = {
        "tasks": answers.n_items,
        "workers": answers.n_workers,
        "answers": len(answers.labels),
        "alpha": _plain(measures.krippendorff_alpha(data)),
    }
    if ordinal:
        ordered = data.assign(label=_in_order(data["label"]))
        found["alpha_ordinal"] = _plain(measures.krippendorff_alpha(ordered, "ordinal"))
    found["mean_margin"] = _plain(float(measures.vote_margins(data).mean()))
    if known is not None:
        counts = measures.confusion(data, known)
        found["classes"] = _records(measures.class_table(counts))
        found["confusion"] = _records(counts)
    workers = measures.worker_table(data, known)
    found["worker_table"] = _records(workers.sort_values("answers", ascending=False, kind="stable"))
    best = MajorityVote().fit(data) if known is None else GoldWeighted().fit(data, known)
    found["coinciding_errors"] = _records(accounts.coinciding_errors(data, best.labels_), False)
    if known is not None:
        found["better_on_gold"] = _records(accounts.better_on_gold(data, known))
    return found


def _read(
    answers: Path,
    gold: Path | None,
    duplicates: Any,
    classes: list[str] | None,
    drop_unknown: bool,
) -> "tuple[pd.DataFrame, pd.Series[Any] | None]":
    """Return answers and gold."""
    import warnings

    from truthmark.labels.answers import LabelsWarning, task_column
    from truthmark.labels.files import read_answers, read_gold

    warnings.simplefilter("ignore", LabelsWarning)  # duplicates are allowed on the command line
    data = read_answers(answers, duplicates=duplicates, classes=classes)
    if gold is None:
        return data, None
    known = read_gold(gold)
    there = known.index.isin(data[task_column(data)])
    if not there.any():
        raise ConfigError(f"no task of {gold} is in {answers}; write ids alike in both")
    if drop_unknown:
        known = known[there]
    elif not there.all():
        task = known.index[int((~there).nonzero()[0][0])]
        raise ConfigError(
            f"{gold}: {int((~there).sum())} tasks have no answers, such as {task!r}; write ids "
            "alike in both, or add --drop-unknown-gold"
        )
    return data, known


def _in_order(labels: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return labels with an order: that of --classes, or of the numbers they are."""
    import pandas as pd

    if isinstance(labels.dtype, pd.CategoricalDtype):
        return labels
    numbers = pd.to_numeric(labels, errors="coerce")
    if numbers.isna().any():
        word = labels[numbers.isna()].iloc[0]
        raise ConfigError(f"label {word!r} is not a number; name all in their order by --classes")
    return numbers


def _records(frame: "pd.DataFrame", with_index: bool = True) -> list[dict[str, Any]]:
    """Return rows as dictionaries of plain values."""
    frame = frame.reset_index() if with_index else frame
    return [
        {str(name): _plain(value) for name, value in row.items()}
        for row in frame.to_dict("records")
    ]


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; nothing for what is not a number."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float):
        return None if math.isnan(value) else value
    return value


def _shown(value: Any) -> Any:
    if value is None:
        return "undefined"
    return f"{value:.4g}" if isinstance(value, float) else value
