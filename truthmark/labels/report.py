# SPDX-License-Identifier: Apache-2.0
"""What answers say of themselves and of those who gave them, as tables of plain values."""

import math
from typing import Any

import pandas as pd

from truthmark.errors import ConfigError
from truthmark.labels import accounts
from truthmark.labels import agreement as measures
from truthmark.labels.answers import Answers
from truthmark.labels.gold_weighted import GoldWeighted
from truthmark.labels.voting import MajorityVote


def measure(
    data: pd.DataFrame, known: "pd.Series[Any] | None" = None, *, ordinal: bool = False
) -> dict[str, Any]:
    """Return how far workers agree, with each other and with gold, and accounts to look at.

    Args:
        data: The answers.
        known: The right label of some tasks, by task.
        ordinal: Also as classes in an order: that of the categories, or of the numbers they are.

    Raises:
        ConfigError: Classes have no order.
    """
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


def _in_order(labels: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return labels with an order: that of --classes, or of the numbers they are."""
    if isinstance(labels.dtype, pd.CategoricalDtype):
        return labels
    numbers = pd.to_numeric(labels, errors="coerce")
    if numbers.isna().any():
        word = labels[numbers.isna()].iloc[0]
        raise ConfigError(f"label {word!r} is not a number; name all in their order by --classes")
    return numbers


def _records(frame: pd.DataFrame, with_index: bool = True) -> list[dict[str, Any]]:
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
