# SPDX-License-Identifier: Apache-2.0
"""`goldw` for tables: workers weigh what gold and agreement say of them, whichever is less."""

from typing import Any, Self

import numpy as np
import pandas as pd

from truthmark.errors import ConfigError
from truthmark.labels.answers import Answers
from truthmark.labels.base import Aggregator, normalise
from truthmark.labels.goldw import goldw
from truthmark.labels.integers import Ints

_PARTS = 1_000_000


class GoldWeighted(Aggregator):
    """Labels by `goldw-v3`, exact to the last digit (see `truthmark.labels.goldw`).

    Attributes:
        skills_: the weight of each worker, in thousandths of a nat; whole numbers.
        margins_: the largest sum of weights less the second, by task; whole numbers.
        probas_: each class's share of an item's weights; 1 for what gold says.
    """

    skills_: "pd.Series[Any]"
    margins_: "pd.Series[Any]"

    def fit(
        self,
        data: pd.DataFrame,
        true_labels: "pd.Series[Any] | None" = None,
        shares: "pd.Series[Any] | None" = None,
    ) -> Self:
        """Weigh workers, and label the tasks.

        Args:
            data: The answers.
            true_labels: Gold: the right label of some tasks, by task.
            shares: How often each class is, by class, where that is known (`goldw+shares`); read
                to a millionth.

        Raises:
            ConfigError: Answers or gold cannot be used, there is no gold, or a share is missing.
        """
        if true_labels is None or not len(true_labels):
            raise ConfigError("goldw needs gold: the right label of some tasks; give true_labels")
        answers = Answers.of(data)
        gold = answers.gold(true_labels)
        parts = None if shares is None else share_parts(shares, answers.classes)
        found = goldw(answers.votes, gold, shares=parts)
        self.skills_ = answers.by_worker(found.weights, "skill")
        self.margins_ = answers.by_task(found.margins, "margin")
        probas = normalise(found.sums.astype(np.float64))
        known = np.flatnonzero(gold >= 0)
        probas[known] = 0.0
        probas[known, gold[known]] = 1.0
        self.probas_ = answers.probabilities(probas)
        self.labels_ = answers.labelled(found.labels)
        return self


def share_parts(shares: "pd.Series[Any]", classes: "pd.Index[Any]") -> Ints:
    """Return shares of classes in whole millionths.

    Args:
        shares: Above 0, by class; of any sum.
        classes: All of them, in their order.

    Raises:
        ConfigError: A class has none, or one that is not above 0, or there are others.
    """
    others = shares.index.difference(classes)
    if len(others) or shares.index.has_duplicates:
        raise ConfigError(f"shares are of each class once: {', '.join(map(str, classes))}")
    given = shares.reindex(classes).to_numpy(np.float64)
    if not (np.isfinite(given).all() and (given > 0).all()):
        bad = classes[int(np.flatnonzero(~(np.isfinite(given) & (given > 0)))[0])]
        raise ConfigError(f"the share of {bad!r} is missing or not above 0; give one of each class")
    parts: Ints = np.maximum(1, np.rint(given / given.sum() * _PARTS)).astype(np.int64)
    return parts
