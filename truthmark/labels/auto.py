# SPDX-License-Identifier: Apache-2.0
"""`auto`: the method that is right most often on gold it was not shown."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import pandas as pd

from truthmark.errors import ConfigError
from truthmark.labels.answers import check_gold
from truthmark.labels.base import Aggregator
from truthmark.labels.bayes import EBCC, IBCC
from truthmark.labels.bwa import BWA
from truthmark.labels.dawid_skene import OneCoinDawidSkene
from truthmark.labels.gold_weighted import GoldWeighted

CANDIDATES: dict[str, Callable[[], Aggregator]] = {
    "ebcc": EBCC,
    "one-coin": OneCoinDawidSkene,
    "bwa": BWA,
    "goldw": GoldWeighted,
    "ibcc": IBCC,
}
"""What is chosen among; of equals, the first."""

LEAST_GOLD = 10
"""With less gold nothing can be told, and the candidate that rings sway least is used."""

_STEADY = "goldw"
_SURE = 1.0


class Auto(Aggregator):
    """Chooses a method by gold: each part of it is judged by what the rest of it leads to.

    The first candidate stays unless another is right more often by more than the spread of that
    difference: small gold says little, and would else choose by luck.

    Args:
        folds: Parts that gold is split into.
        random_state: Of that split: the same number gives the same result.

    Attributes:
        method_: the name of the method chosen.
        model_: the method itself, fitted with all gold.
        scores_: how often each candidate was right on gold it was not shown.
    """

    method_: str
    model_: Aggregator
    scores_: "pd.Series[Any]"

    def __init__(self, folds: int = 5, random_state: int = 0) -> None:
        self.folds = folds
        self.random_state = random_state

    def fit(self, data: pd.DataFrame, true_labels: "pd.Series[Any] | None" = None) -> Self:
        """Choose, and label the tasks by what was chosen.

        Args:
            data: The answers.
            true_labels: Gold: the right label of some tasks, by task.

        Raises:
            ConfigError: Answers or gold cannot be used, or there is no gold.
        """
        if true_labels is None or not len(true_labels):
            raise ConfigError("auto chooses by gold: the right label of some tasks; give it")
        check_gold(true_labels)
        self.method_, self.scores_ = _STEADY, pd.Series(dtype=float, name="score")
        if len(true_labels) >= LEAST_GOLD:
            right = self._judge(data, true_labels)
            self.scores_ = right.mean().rename("score")
            self.method_ = _choose(right)
        self.model_ = CANDIDATES[self.method_]().fit(data, true_labels)
        self.labels_, self.probas_ = self.model_.labels_, self.model_.probas_
        return self

    def _judge(self, data: pd.DataFrame, gold: "pd.Series[Any]") -> pd.DataFrame:
        """Tell of each gold task and candidate whether it is right without that task's gold."""
        gold = gold.sort_index()
        order = np.random.default_rng(self.random_state).permutation(len(gold))
        parts = []
        for part in np.array_split(order, min(self.folds, len(gold))):
            held = gold.iloc[part]
            rest = gold.drop(held.index)
            parts.append(
                pd.DataFrame(
                    {
                        name: make().fit(data, rest).labels_.loc[held.index] == held
                        for name, make in CANDIDATES.items()
                    }
                )
            )
        return pd.concat(parts)


def _choose(right: pd.DataFrame) -> str:
    """Return the candidate to use."""
    names = list(right.columns)
    best = names[0]
    for name in names[1:]:
        gain = right[name].to_numpy(np.int64) - right[best].to_numpy(np.int64)
        if gain.sum() > _SURE * max(1.0, float(np.sqrt(len(gain)) * gain.std(ddof=1))):
            best = name
    return best
