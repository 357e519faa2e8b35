# SPDX-License-Identifier: Apache-2.0
"""What all methods of aggregation share: how they are called, and what they leave behind."""

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
import pandas as pd

from truthmark.errors import ConfigError
from truthmark.labels.answers import Answers, Floats


class Aggregator(ABC):
    """A method that makes one label of many an item.

    Methods are called as crowd-kit's are, and leave the same attributes:

    Attributes:
        labels_: the label of each task, a series named `agg_label`; sorted by task.
        probas_: what the method thinks of each class, a frame of tasks by labels. No measure of
            how sure one may be: see `truthmark.labels.confidence` for that.
    """

    labels_: "pd.Series[Any]"
    probas_: pd.DataFrame

    @abstractmethod
    def fit(self, data: pd.DataFrame, *args: Any, **kwargs: Any) -> Self:
        """Learn from answers, with columns `task` (or `item`), `worker`, `label`."""

    def fit_predict(self, data: pd.DataFrame, *args: Any, **kwargs: Any) -> "pd.Series[Any]":
        """Learn from answers, and return the label of each task; takes what `fit` takes."""
        return self.fit(data, *args, **kwargs).labels_

    def fit_predict_proba(self, data: pd.DataFrame, *args: Any, **kwargs: Any) -> pd.DataFrame:
        """Learn from answers, and return `probas_`; takes what `fit` takes."""
        return self.fit(data, *args, **kwargs).probas_

    def predict(self, data: pd.DataFrame | None = None) -> "pd.Series[Any]":
        """Return the labels of the tasks that `fit` saw; takes no others, unless a method says so.

        Raises:
            ConfigError: Nothing was fitted, or these are tasks that were not.
        """
        found: pd.Series[Any] = self._of_fitted(data, "labels_")
        return found

    def predict_proba(self, data: pd.DataFrame | None = None) -> pd.DataFrame:
        """Return `probas_` of the tasks that `fit` saw; as `predict`.

        Raises:
            ConfigError: Nothing was fitted, or these are tasks that were not.
        """
        found: pd.DataFrame = self._of_fitted(data, "probas_")
        return found

    def _of_fitted(self, data: pd.DataFrame | None, name: str) -> Any:
        self._require_fitted(name)
        found = getattr(self, name)
        if data is None:
            return found
        from truthmark.labels.answers import task_column

        wanted = pd.Index(data[task_column(data)].unique(), name=found.index.name).sort_values()
        if not wanted.isin(found.index).all():
            kind = type(self).__name__
            raise ConfigError(f"{kind} labels the tasks it was fitted on alone; fit on these too")
        return found.loc[wanted]

    def _require_fitted(self, name: str) -> None:
        if not hasattr(self, name):
            raise ConfigError(f"this {type(self).__name__} was not fitted; call fit(answers) first")

    def _keep(self, answers: Answers, values: Floats, best: Any = None) -> None:
        """Keep what is thought of each class, and the likeliest; the first of equals.

        Args:
            answers: The answers.
            values: What is thought, (N, C).
            best: Places of the likeliest, where that is known.
        """
        self.probas_ = answers.probabilities(values)
        self.labels_ = answers.labelled(values.argmax(1) if best is None else best)


def normalise(sums: Floats) -> Floats:
    """Divide each row (N, C) by its sum, in place, and return them; zeros become equal shares."""
    total = sums.sum(1, keepdims=True)
    is_empty = total[:, 0] == 0
    sums[is_empty] = 1.0
    total[is_empty] = sums.shape[1]
    sums /= total
    return sums


def ones(count: int) -> Floats:
    """Return weights that are all alike."""
    return np.ones(count)
