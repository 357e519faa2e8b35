# SPDX-License-Identifier: Apache-2.0
"""BWA: a weighted average of each class's votes, workers weighed by how far off they are.

Li, Rubinstein and Cohn, "Truth inference at scale: a Bayesian model for adjudicating highly
redundant crowd annotations", 2019.
"""

from typing import Any, Self

import numpy as np
import pandas as pd

from truthmark.labels.answers import Answers
from truthmark.labels.base import Aggregator, normalise
from truthmark.labels.kernels import average_class


class BWA(Aggregator):
    """Bayesian weighted averaging.

    Args:
        n_iter: Steps at most, for each class.
        shape: Prior answers of a worker, off as far as answers are on the whole.
        pull: Prior answers of an item, at the mean of all.

    Attributes:
        skills_: the weight of each worker, the mean over classes.
    """

    skills_: "pd.Series[Any]"

    def __init__(self, n_iter: int = 500, shape: float = 15.0, pull: float = 1.0) -> None:
        self.n_iter = n_iter
        self.shape = shape
        self.pull = pull

    def fit(self, data: pd.DataFrame, true_labels: "pd.Series[Any] | None" = None) -> Self:
        """Find labels and weights.

        Args:
            data: The answers.
            true_labels: The right label of some tasks, by task.

        Raises:
            ConfigError: The answers cannot be used, or there is one class alone.
        """
        answers = Answers.of(data)
        answers.require_two_classes("BWA")
        gold = answers.gold(true_labels)
        scores = np.empty((answers.n_items, answers.n_classes))
        weights = np.zeros(answers.n_workers)
        for c in range(answers.n_classes):
            scores[:, c], found = average_class(
                *(answers.starts, answers.workers, answers.labels, c, gold),
                *(self.shape, 4 * (1 - 1 / answers.n_classes), self.pull),
                *(answers.n_workers, self.n_iter),
            )
            weights += found / answers.n_classes
        known = np.flatnonzero(gold >= 0)
        scores[known] = 0.0
        scores[known, gold[known]] = 1.0
        self.skills_ = answers.by_worker(weights, "skill")
        self._keep(answers, normalise(scores))
        return self
