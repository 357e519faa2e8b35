# SPDX-License-Identifier: Apache-2.0
"""Answers, gold and predictions in CSV files. Ids and labels are text, and stay as they are."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from truthmark.errors import ConfigError, MalformedError
from truthmark.labels.answers import task_column

Duplicates = Literal["refuse", "all", "first", "last"]

_TASK = ("task", "item")
_TRUTH = ("label", "truth")


def read_answers(
    path: Path | str,
    *,
    duplicates: Duplicates = "refuse",
    classes: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Read answers: columns `task` (or `item`), `worker`, `label`, and others that do not matter.

    Args:
        path: A CSV file with a header, in UTF-8.
        duplicates: What becomes of somebody's second answer to a task: `refuse` the file, let
            `all` count, or the `first` or the `last` alone.
        classes: All classes in their order; those in the file, sorted, unless given.

    Raises:
        MalformedError: The file is no such table, a value is missing or no class, or somebody
            answered a task twice.
    """
    frame = _read(path, (_TASK, ("worker",), ("label",)))
    task = frame.columns[0]
    twice = frame.duplicated([task, "worker"])
    if twice.any() and duplicates == "refuse":
        line = frame.index[int(twice.to_numpy().nonzero()[0][0])]
        raise MalformedError(
            f"{path}: {frame['worker'][line]!r} answered {frame[task][line]!r} twice (line {line}; "
            f"{int(twice.sum())} such rows); say by --duplicates which count"
        )
    if duplicates in ("first", "last"):
        frame = frame.drop_duplicates([task, "worker"], keep=duplicates)
    if classes is not None:
        known = frame["label"].isin(classes)
        if not known.all():
            line = frame.index[int((~known).to_numpy().nonzero()[0][0])]
            raise MalformedError(
                f"{path}: line {line} says {frame['label'][line]!r}, which is none of the classes"
            )
        frame["label"] = pd.Categorical(frame["label"], categories=list(classes))
    return frame.reset_index(drop=True)


def read_gold(path: Path | str) -> "pd.Series[Any]":
    """Read gold: columns `task` (or `item`) and `label` (or `truth`).

    Raises:
        MalformedError: The file is no such table, a value is missing, or a task is there twice.
    """
    frame = _read(path, (_TASK, _TRUTH))
    task, label = frame.columns
    twice = frame.duplicated(task)
    if twice.any():
        line = frame.index[int(twice.to_numpy().nonzero()[0][0])]
        raise MalformedError(f"{path}: line {line} names {frame[task][line]!r} again; leave it out")
    return frame.set_index(task)[label]


def read_predictions(path: Path | str) -> pd.DataFrame:
    """Read a model's predictions: a column `task` (or `item`), and one for each class.

    Raises:
        MalformedError: The file is no such table, or a value is not a number.
    """
    frame = _read(path, (_TASK,), all_columns=True)
    task = next(name for name in _TASK if name in frame.columns)
    numbers = frame.drop(columns=task)
    for name in numbers.columns:
        for line, text in numbers[name].items():
            if not _is_number(text):
                raise MalformedError(
                    f"{path}: line {line}: {text!r} is not a probability of {name!r}"
                )
    return numbers.astype(float).set_axis(frame[task].to_numpy(), axis=0).rename_axis(task)


def _read(
    path: Path | str, wanted: Sequence[Sequence[str]], *, all_columns: bool = False
) -> pd.DataFrame:
    """Read columns as text; rows are indexed by their line. A column may have one of some names."""
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, None)
            if header is None:
                raise MalformedError(f"{path} is empty; its first line names the columns")
            names = [_one_of(path, header, options) for options in wanted]
            if len(set(header)) < len(header):
                twice = next(name for name in header if header.count(name) > 1)
                raise MalformedError(f"{path} has two columns {twice!r}; rename one")
            chosen = list(range(len(header))) if all_columns else [header.index(n) for n in names]
            rows, lines = [], []
            for row in reader:
                if not row:
                    continue  # an empty line holds nothing
                if len(row) != len(header):
                    raise MalformedError(
                        f"{path}: line {reader.line_num} has {len(row)} values, and the first "
                        f"line {len(header)}; mend it"
                    )
                picked = [row[place] for place in chosen]
                if not all(picked):
                    name = header[chosen[picked.index("")]]
                    raise MalformedError(
                        f"{path}: line {reader.line_num} has no {name}; fill it in, or leave it out"
                    )
                rows.append(picked)
                lines.append(reader.line_num)
    except UnicodeDecodeError as error:
        raise MalformedError(f"{path} is not in UTF-8; convert it") from error
    except csv.Error as error:
        raise MalformedError(f"{path} is not a CSV file: {error}; mend or rewrite it") from error
    if not rows:
        raise MalformedError(f"{path} has no rows; there is nothing to work on")
    columns = [header[place] for place in chosen]
    return pd.DataFrame(rows, columns=columns, index=lines, dtype=object)


def _one_of(path: Path | str, header: list[str], options: Sequence[str]) -> str:
    found = [name for name in options if name in header]
    if len(found) == 1:
        return found[0]
    if found:
        raise MalformedError(f"{path} has the columns {' and '.join(found)}; leave one out")
    there = ", ".join(header)[:100]
    raise MalformedError(
        f"{path} has no column {' or '.join(options)}, but: {there}; name it in the first line"
    )


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def read_both(
    answers: Path,
    gold: Path | None,
    *,
    duplicates: Duplicates = "refuse",
    classes: Sequence[str] | None = None,
    drop_unknown: bool = False,
) -> "tuple[pd.DataFrame, pd.Series[Any] | None]":
    """Read answers, and gold of the same tasks.

    Args:
        answers: As `read_answers` takes it, like the next two.
        gold: As `read_gold` takes it.
        duplicates: As there.
        classes: As there.
        drop_unknown: Leave out gold of tasks that nobody answered.

    Returns:
        Answers, and right labels by task: None where there are none.

    Raises:
        MalformedError: A file cannot be used.
        ConfigError: Gold is of other tasks.
    """
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
