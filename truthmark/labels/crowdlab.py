# SPDX-License-Identifier: Apache-2.0
"""CROWDLAB: answers and a model's predictions, each weighed by how far it can be trusted.

Goh, Tkachenko and Mueller, "CROWDLAB: supervised learning to infer consensus labels and quality
scores for data with multiple annotators", 2022.
"""

from typing import Any, Self

import numpy as np
import pandas as pd

from truthmark.errors import ConfigError
from truthmark.labels.answers import Answers, Floats
from truthmark.labels.base import Aggregator, normalise, ones
from truthmark.labels.kernels import tally

_LEAST = 1e-6
"""The least weight of a worker, so that every item has some."""


class CROWDLAB(Aggregator):
    """A weighted mean of what a model predicts and what each answer makes likely.

    Attributes:
        skills_: the weight of each worker.
        model_weight_: that of the model.
    """

    skills_: "pd.Series[Any]"
    model_weight_: float

    def fit(self, data: pd.DataFrame, predictions: pd.DataFrame | None = None) -> Self:
        """Weigh workers and model, and label the tasks.

        Args:
            data: The answers.
            predictions: A model's probability of each class (columns) for each task (index). It
                must not have been trained on these answers of the same task: predict by
                cross-validation.

        Raises:
            ConfigError: The answers cannot be used, or a prediction is missing or no probability.
        """
        if predictions is None:
            raise ConfigError("CROWDLAB needs a model's predictions: tasks by classes")
        answers = Answers.of(data)
        answers.require_two_classes("CROWDLAB")
        model = _probabilities(answers, predictions)
        votes = tally(
            *(answers.starts, answers.workers, answers.labels),
            *(ones(answers.n_workers), answers.n_classes),
        )
        # Where votes are equal, the model says which of the classes is meant.
        consensus = (votes + model / 2).argmax(1)
        sizes = np.diff(answers.starts)
        shared = sizes > 1
        weights, trust, model_weight = _weights(answers, votes, consensus, model, shared)
        other = (1 - trust) / (answers.n_classes - 1)
        scores = tally(
            *(answers.starts, answers.workers, answers.labels),
            *(weights * (trust - other), answers.n_classes),
        )
        scores += np.bincount(answers.items, weights[answers.workers])[:, None] * other
        scores += model_weight * model
        self.skills_ = answers.by_worker(weights, "skill")
        self.model_weight_ = model_weight
        self._keep(answers, normalise(scores))
        return self


def _weights(
    answers: Answers, votes: Floats, consensus: Any, model: Floats, shared: Any
) -> tuple[Floats, float, float]:
    """Return weights of workers, how often an answer is the consensus, the model's weight."""
    items, workers, labels = answers.items, answers.workers, answers.labels
    if not shared.any():
        # Nothing tells who is right: everybody counts alike, and as the model does.
        return ones(answers.n_workers), 1 - 1 / (2 * answers.n_classes), 1.0
    of_shared = shared[items]
    agrees = labels == consensus[items]
    sizes = votes.sum(1)
    trust = float(np.bincount(items[agrees], minlength=len(sizes))[shared] @ (1 / sizes[shared]))
    trust /= int(shared.sum())
    # How often a worker's answer is another's to the same task.
    same = np.bincount(workers, np.where(of_shared, votes[items, labels] - 1, 0), answers.n_workers)
    pairs = np.bincount(workers, np.where(of_shared, sizes[items] - 1, 0), answers.n_workers)
    usual = float(same.sum() / pairs.sum())
    agreement = np.divide(same, pairs, out=np.full(len(pairs), usual), where=pairs > 0)
    best = np.bincount(consensus[shared]).argmax()
    baseline = 1 - float((consensus[shared] == best).mean())  # error of one class for all
    baseline = max(baseline, _LEAST)
    by_model = 1 - float((model[shared].argmax(1) == consensus[shared]).mean())
    weights = np.maximum(1 - (1 - agreement) / baseline, _LEAST)
    model_weight = max(1 - by_model / baseline, _LEAST) * float(np.sqrt(sizes.mean()))
    return weights, trust, model_weight


def _probabilities(answers: Answers, predictions: pd.DataFrame) -> Floats:
    """Return predictions in the order of tasks and classes.

    Raises:
        ConfigError: Some are missing, or not from 0 to 1 with the sum 1.
    """
    if not isinstance(predictions, pd.DataFrame):
        raise ConfigError("predictions are a DataFrame of tasks by classes")
    if predictions.index.has_duplicates or predictions.columns.has_duplicates:
        raise ConfigError("predictions name a task or a class twice; leave one of them out")
    for what, wanted, there in (
        ("task", answers.tasks, predictions.index),
        ("class", answers.classes, predictions.columns),
    ):
        missing = wanted[~wanted.isin(there)]
        if len(missing):
            raise ConfigError(f"predictions have no {what} {missing[0]!r}; predict all")
    others = predictions.columns[~predictions.columns.isin(answers.classes)]
    if len(others):
        raise ConfigError(f"predictions have the class {others[0]!r}, which nobody answered")
    model = predictions.loc[answers.tasks, answers.classes].to_numpy(np.float64)
    is_bad = ~((model >= 0).all(1) & (np.abs(model.sum(1) - 1) < 1e-3))
    if is_bad.any():
        task = answers.tasks[int(np.flatnonzero(is_bad)[0])]
        raise ConfigError(f"predictions of {task!r} are no probabilities with the sum 1; mend them")
    return model
