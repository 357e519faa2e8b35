# SPDX-License-Identifier: Apache-2.0
"""Majority, Wawa, ZeroBasedSkill: votes, weighed by how often people agree with the others.

Wawa (worker agreement with aggregate) is Appen's; it and ZeroBasedSkill are as crowd-kit has them.
"""

from abc import abstractmethod
from typing import Any, Literal, Self

import numpy as np
import pandas as pd

from truthmark.errors import ConfigError
from truthmark.labels.answers import Answers, Floats
from truthmark.labels.base import Aggregator, ones
from truthmark.labels.kernels import vote

MissingSkill = Literal["error", "ignore", "value"]


class MajorityVote(Aggregator):
    """Each task gets the label that most people gave it; of equals, the first class.

    Args:
        on_missing_skill: What becomes of workers without a skill, where skills are given: `error`
            refuses, `ignore` leaves their answers out, `value` gives them `default_skill`.
        default_skill: See there.

    Attributes:
        skills_: how often each worker agrees with the labels found.

    >>> MajorityVote().fit_predict(answers)  # doctest: +SKIP
    """

    skills_: "pd.Series[Any]"

    def __init__(
        self,
        on_missing_skill: MissingSkill = "error",
        default_skill: float | None = None,
    ) -> None:
        self.on_missing_skill = on_missing_skill
        self.default_skill = default_skill

    def fit(self, data: pd.DataFrame, skills: "pd.Series[Any] | None" = None) -> Self:
        """Count votes.

        Args:
            data: The answers.
            skills: What each worker's vote weighs, by worker; 1 unless given.

        Raises:
            ConfigError: The answers cannot be used, or skills are missing.
        """
        answers = Answers.of(data)
        weights = ones(answers.n_workers)
        if skills is not None:
            weights = self._weights(answers, skills)
        self.skills_ = answers.by_worker(_vote(self, answers, weights), "skill")
        return self

    def _weights(self, answers: Answers, skills: "pd.Series[Any]") -> Floats:
        weights = skills.reindex(answers.people).to_numpy(np.float64, copy=True)
        missing = np.isnan(weights)
        if missing.any():
            if self.on_missing_skill == "value" and self.default_skill is not None:
                weights[missing] = self.default_skill
            elif self.on_missing_skill == "ignore":
                weights[missing] = 0.0
                unheard = np.bincount(answers.items[~missing[answers.workers]])
                if len(unheard) < answers.n_items or not unheard.all():
                    raise ConfigError(
                        "some tasks have no worker with a known skill; give their workers one"
                    )
            else:
                who = answers.people[int(np.flatnonzero(missing)[0])]
                raise ConfigError(
                    f"{int(missing.sum())} workers have no skill, such as {who!r}; give skills of "
                    "all, or on_missing_skill='value' with default_skill"
                )
        return weights


class _Weighted(Aggregator):
    """A method that finds a skill for each worker, then lets them vote with it."""

    skills_: "pd.Series[Any]"

    def fit(self, data: pd.DataFrame) -> Self:
        """Find skills, and label the tasks by them.

        Raises:
            ConfigError: The answers cannot be used.
        """
        answers = Answers.of(data)
        skills = self._skills(answers)
        self.skills_ = answers.by_worker(skills, "skill")
        _vote(self, answers, skills)
        return self

    def predict(self, data: pd.DataFrame | None = None) -> "pd.Series[Any]":
        """Label these tasks, also others than those of `fit`, by the skills found.

        Raises:
            ConfigError: Nothing was fitted, or there are workers without a skill.
        """
        if data is not None:
            self._apply(data)
        return super().predict()

    def predict_proba(self, data: pd.DataFrame | None = None) -> pd.DataFrame:
        """Return each class's share of skill, as `predict`.

        Raises:
            ConfigError: Nothing was fitted, or there are workers without a skill.
        """
        if data is not None:
            self._apply(data)
        return super().predict_proba()

    def _apply(self, data: pd.DataFrame) -> None:
        self._require_fitted("skills_")
        voted = MajorityVote().fit(data, self.skills_)
        self.labels_, self.probas_ = voted.labels_, voted.probas_

    @abstractmethod
    def _skills(self, answers: Answers) -> Floats: ...


class Wawa(_Weighted):
    """Workers' votes weigh by how often they agree with the majority."""

    def _skills(self, answers: Answers) -> Floats:
        return _votes(answers, ones(answers.n_workers))[2]


class ZeroBasedSkill(_Weighted):
    """Workers' votes weigh by how often they agree with such a vote, step by step.

    Args:
        n_iter: Steps.
        lr_init: How far the first step goes towards the agreement found.
        lr_steps_to_reduce: After how many steps they become shorter.
        lr_reduce_factor: ... by this factor.
        eps: Added to the skill at the beginning, 1 ÷ classes.
    """

    def __init__(
        self,
        n_iter: int = 100,
        lr_init: float = 1.0,
        lr_steps_to_reduce: int = 20,
        lr_reduce_factor: float = 0.5,
        eps: float = 1e-5,
    ) -> None:
        self.n_iter = n_iter
        self.lr_init = lr_init
        self.lr_steps_to_reduce = lr_steps_to_reduce
        self.lr_reduce_factor = lr_reduce_factor
        self.eps = eps

    def _skills(self, answers: Answers) -> Floats:
        skills = np.full(answers.n_workers, 1 / answers.n_classes + self.eps)
        rate = self.lr_init
        for step in range(1, self.n_iter + 1):
            if step % self.lr_steps_to_reduce == 0:
                rate *= self.lr_reduce_factor
            skills = skills + rate * (_votes(answers, skills)[2] - skills)
        return skills


def _votes(answers: Answers, weights: Floats) -> tuple[Floats, Any, Floats]:
    """Return shares of an item's weights, the place of the largest, how often workers agree."""
    items, workers, labels = answers.items, answers.workers, answers.labels
    shares = np.empty((answers.n_items, answers.n_classes))
    best, accuracy = vote(items, workers, labels, weights, shares)
    if answers.repeats:
        # As in crowd-kit, the same answer twice is one here.
        said = pd.DataFrame({"i": items, "w": workers, "l": labels})
        once = ~said.duplicated().to_numpy()
        is_best = labels[once] == best[items[once]]
        right = np.bincount(workers[once], is_best, minlength=answers.n_workers)
        accuracy = right / np.bincount(workers[once], minlength=answers.n_workers)
    return shares, best, accuracy


def _vote(method: Aggregator, answers: Answers, weights: Floats) -> Floats:
    """Label the tasks by votes; return how often workers agree with that."""
    shares, best, accuracy = _votes(answers, weights)
    method._keep(answers, shares, best)
    return accuracy
