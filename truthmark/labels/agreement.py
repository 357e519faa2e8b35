# SPDX-License-Identifier: Apache-2.0
"""How far people agree, with each other and with gold: alpha, kappa, confusion, intervals.

Krippendorff, "Content analysis", 2004, chapter 11 (alpha); Cohen, "A coefficient of agreement for
nominal scales", 1960 (kappa); Wilson, "Probable inference, the law of succession, and statistical
inference", 1927 (intervals).
"""

import math
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import pandas as pd

from truthmark.errors import ConfigError
from truthmark.labels.answers import Answers, Floats
from truthmark.labels.base import ones
from truthmark.labels.goldw import NONE
from truthmark.labels.kernels import tally


def krippendorff_alpha(
    data: pd.DataFrame, level: Literal["nominal", "ordinal"] = "nominal"
) -> float:
    """Return Krippendorff's alpha: 1 where all agree, 0 where they do as by chance.

    Args:
        data: The answers.
        level: `nominal` counts any two labels as equally far apart; `ordinal` by how many answers
            lie between. Then labels are numbers, or a Categorical that says their order.

    Returns:
        Alpha; not a number where it has no meaning: no task has two answers, or all those are of
        one class.

    Raises:
        ConfigError: The answers cannot be used, or labels have no order.
    """
    if level not in ("nominal", "ordinal"):
        raise ConfigError(f"the level is nominal or ordinal, not {level!r}")
    answers = Answers.of(data)
    if level == "ordinal":
        _require_order(data["label"])
    votes = _votes(answers)
    sizes = votes.sum(1)
    votes, sizes = votes[sizes > 1], sizes[sizes > 1]
    if not len(votes):
        return math.nan
    scaled = votes / (sizes - 1)[:, None]
    # How often two answers to one task are these two; a pair is counted from both sides.
    pairs = scaled.T @ votes - np.diag(scaled.sum(0))
    totals = votes.sum(0)
    apart = _apart(totals, level)
    by_chance = float((np.outer(totals, totals) * apart).sum() / (totals.sum() - 1))
    return math.nan if by_chance == 0 else 1 - float((pairs * apart).sum()) / by_chance


def _apart(totals: Floats, level: str) -> Floats:
    """Return the squared distance of any two classes."""
    if level == "nominal":
        return np.ones((len(totals),) * 2) - np.eye(len(totals))
    middle = np.cumsum(totals) - totals / 2
    apart: Floats = np.square(np.subtract.outer(middle, middle), dtype=np.float64)
    return apart


def _require_order(labels: "pd.Series[Any]") -> None:
    if isinstance(labels.dtype, pd.CategoricalDtype) or pd.api.types.is_numeric_dtype(labels):
        return
    raise ConfigError(
        "ordinal alpha needs to know the order of labels; make them numbers, or name all classes "
        "in their order"
    )


def cohen_kappa(data: pd.DataFrame, least_tasks: int = 2) -> pd.DataFrame:
    """Return Cohen's kappa of each two workers who answered the same tasks.

    Args:
        data: The answers; a worker's first one to a task counts.
        least_tasks: Pairs with fewer common tasks are left out.

    Returns:
        A row a pair: `worker`, `other`, `tasks` they share, `agreement`, `kappa`; the latter not a
        number where both say one and the same class all the time.

    Raises:
        ConfigError: The answers cannot be used.
    """
    answers = Answers.of(data)
    rows = pd.DataFrame(
        {"item": answers.items, "worker": answers.workers, "label": answers.labels}
    ).drop_duplicates(["item", "worker"])
    pairs = rows.merge(rows, on="item")
    pairs = pairs[pairs["worker_x"] < pairs["worker_y"]]
    found = []
    for key, both in pairs.groupby(["worker_x", "worker_y"], sort=True):
        if len(both) < least_tasks:
            continue
        x, y = both["label_x"].to_numpy(), both["label_y"].to_numpy()
        same = float((x == y).mean())
        counts = [np.bincount(said, minlength=answers.n_classes) for said in (x, y)]
        chance = float(counts[0] @ counts[1]) / len(both) ** 2
        kappa = math.nan if chance == 1 else (same - chance) / (1 - chance)
        who = answers.people.take(np.array(key))
        found.append((*who, len(both), same, kappa))
    return pd.DataFrame(found, columns=["worker", "other", "tasks", "agreement", "kappa"])


def wilson(right: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return Wilson's interval of a share: where it lies so surely, given what was counted.

    Args:
        right: How many were.
        total: Of how many; with none, anything is possible.
        confidence: How surely, between 0 and 1.

    Raises:
        ConfigError: Counts or confidence are out of range.
    """
    if not 0 <= right <= total:
        raise ConfigError(f"{right} of {total} is not a share; give 0 to all of them")
    if not 0 < confidence < 1:
        raise ConfigError(f"a confidence lies between 0 and 1, not at {confidence}")
    if total == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = right / total
    centre = share + z * z / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    low, high = (centre - spread) / scale, (centre + spread) / scale
    return (0.0 if right == 0 else low), (1.0 if right == total else high)


def confusion(data: pd.DataFrame, true_labels: "pd.Series[Any]") -> pd.DataFrame:
    """Return how often a class (rows) was answered as which (columns), on tasks with gold.

    Args:
        data: Table with `task`, `worker` and `label`.
        true_labels: Gold: classes by task.

    Raises:
        ConfigError: Answers or gold cannot be used.
    """
    answers = Answers.of(data)
    gold = answers.gold(true_labels)
    counts = np.zeros((answers.n_classes, answers.n_classes), np.int64)
    truth = gold[answers.items]
    known = truth != NONE
    np.add.at(counts, (truth[known], answers.labels[known]), 1)
    return pd.DataFrame(
        counts, index=answers.classes.rename("gold"), columns=answers.classes.rename("label")
    )


def class_table(counts: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Return for each class of a confusion how many answers to it are right, with the interval.

    Args:
        counts: As `confusion` returns it.
        confidence: Of the interval.
    """
    values = counts.to_numpy()
    rows = [
        (
            int(values[c, c]),
            int(values[c].sum()),
            *wilson(values[c, c], values[c].sum(), confidence),
        )
        for c in range(len(values))
    ]
    table = pd.DataFrame(rows, index=counts.index, columns=["right", "answers", "low", "high"])
    table.insert(2, "share", table["right"] / table["answers"].where(table["answers"] > 0))
    return table


def worker_table(
    data: pd.DataFrame, true_labels: "pd.Series[Any] | None" = None, confidence: float = 0.95
) -> pd.DataFrame:
    """Return what is known of each worker.

    Args:
        data: The answers.
        true_labels: Gold, if there is some.
        confidence: Of the interval.

    Returns:
        A row a worker: `answers`; `agreement`, how often their answers are those of another to the
        same task, on the whole; with gold `right` of `gold` answers, the share and its interval
        (`low`, `high`).

    Raises:
        ConfigError: Answers or gold cannot be used.
    """
    answers = Answers.of(data)
    votes = _votes(answers)
    items, workers, labels = answers.items, answers.workers, answers.labels
    same = np.bincount(workers, votes[items, labels] - 1, answers.n_workers)
    others = np.bincount(workers, votes.sum(1)[items] - 1, answers.n_workers)
    table = pd.DataFrame({"answers": answers.per_worker}, index=answers.people)
    table["agreement"] = np.divide(
        same, others, out=np.full(answers.n_workers, math.nan), where=others > 0
    )
    if true_labels is None:
        return table
    truth = answers.gold(true_labels)[items]
    known = truth != NONE
    table["gold"] = np.bincount(workers[known], minlength=answers.n_workers)
    table["right"] = np.bincount(workers[known & (truth == labels)], minlength=answers.n_workers)
    table["share"] = table["right"] / table["gold"].where(table["gold"] > 0)
    intervals = [
        wilson(int(right), int(total), confidence)
        for right, total in zip(table["right"], table["gold"], strict=True)
    ]
    table["low"] = [low for low, _ in intervals]
    table["high"] = [high for _, high in intervals]
    return table


def vote_margins(data: pd.DataFrame) -> "pd.Series[Any]":
    """Return for each task by how many votes the first class leads, as a share of all votes.

    Raises:
        ConfigError: The answers cannot be used.
    """
    answers = Answers.of(data)
    votes = _votes(answers)
    if votes.shape[1] == 1:
        return answers.by_task(np.ones(answers.n_items), "margin")
    best = np.partition(votes, -2, 1)[:, -2:]
    return answers.by_task((best[:, 1] - best[:, 0]) / votes.sum(1), "margin")


def _votes(answers: Answers) -> Floats:
    """Return how many answers each item has of each class."""
    counts: Floats = tally(
        answers.starts,
        answers.workers,
        answers.labels,
        ones(answers.n_workers),
        answers.n_classes,
    )
    return counts
