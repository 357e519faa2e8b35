# SPDX-License-Identifier: Apache-2.0
"""GLAD: workers have an ability and tasks an ease; what is right shows which.

Whitehill and others, "Whose vote should count more", 2009. Steps, priors and the end are those of
crowd-kit, and so is the search for parameters (scipy's conjugate gradients), so results are equal.
"""

from typing import Any, Self

import numpy as np
import pandas as pd

from truthmark.errors import ConfigError
from truthmark.labels.answers import Answers, Floats
from truthmark.labels.base import Aggregator
from truthmark.labels.kernels import glad_gradient, glad_posterior, glad_value

_NORMAL = 0.5 * np.log(2 * np.pi)
_BEYOND = 38.58
"""So far from its mean no parameter is: the density there is 0, as floats go."""


class GLAD(Aggregator):
    """A worker is right by σ(alpha·exp(beta)): alpha their ability, exp(beta) the ease of the task.

    Args:
        n_iter: Steps at most.
        tol: The end: the likelihood grows by less.
        silent: Nothing is shown; there for those who come from crowd-kit.
        labels_priors: The classes' shares; alike unless given.
        alphas_priors_mean: Mean of each worker's ability beforehand; 1 unless given.
        betas_priors_mean: ... of each task's ease; 1 unless given.
        m_step_max_iter: Steps of each search for parameters.
        m_step_tol: The end of each.

    Attributes:
        alphas_: abilities of workers.
        betas_: logs of the ease of tasks.
        priors_: the classes' shares.
        loss_history_: the likelihood after each step.
    """

    alphas_: "pd.Series[Any]"
    betas_: "pd.Series[Any]"
    priors_: "pd.Series[Any]"
    loss_history_: list[float]

    def __init__(
        self,
        n_iter: int = 100,
        tol: float = 1e-5,
        silent: bool = True,
        labels_priors: "pd.Series[Any] | None" = None,
        alphas_priors_mean: "pd.Series[Any] | None" = None,
        betas_priors_mean: "pd.Series[Any] | None" = None,
        m_step_max_iter: int = 25,
        m_step_tol: float = 1e-2,
    ) -> None:
        self.n_iter = n_iter
        self.tol = tol
        self.silent = silent
        self.labels_priors = labels_priors
        self.alphas_priors_mean = alphas_priors_mean
        self.betas_priors_mean = betas_priors_mean
        self.m_step_max_iter = m_step_max_iter
        self.m_step_tol = m_step_tol

    def fit(self, data: pd.DataFrame) -> Self:
        """Find labels, abilities and ease.

        Raises:
            ConfigError: The answers cannot be used, there is one class alone, or a prior is
                missing.
        """
        from scipy.optimize import minimize

        answers = Answers.of(data)
        answers.require_two_classes("GLAD")
        shares = _given(self.labels_priors, answers.classes, 1 / answers.n_classes, "labels_priors")
        centre = np.concatenate(
            [
                _given(self.alphas_priors_mean, answers.people, 1.0, "alphas_priors_mean"),
                _given(self.betas_priors_mean, answers.tasks, 1.0, "betas_priors_mean"),
            ]
        )
        with np.errstate(divide="ignore"):
            prior = np.log(shares)
        likelihood = _Likelihood(answers, centre)
        found = np.ones(len(centre))
        self.loss_history_ = []
        likelihood.believe(found, prior)
        value = -likelihood.value(found)
        for _ in range(self.n_iter):
            last = value
            likelihood.believe(found, prior)
            found = minimize(
                likelihood.value,
                found,
                method="CG",
                jac=likelihood.gradient,
                tol=self.m_step_tol,
                options={"maxiter": self.m_step_max_iter},
            ).x
            value = -likelihood.value(found) / (len(answers.labels) * answers.n_classes)
            self.loss_history_.append(value)
            if value - last < self.tol:
                break
        self.priors_ = pd.Series(shares, index=answers.classes.rename("label"), name="prior")
        self.alphas_ = answers.by_worker(found[: answers.n_workers], "alpha")
        self.betas_ = answers.by_task(found[answers.n_workers :], "beta")
        self._keep(answers, likelihood.posterior)
        return self


class _Likelihood:
    """Minus the expected log-likelihood of answers and parameters, and its slope.

    Args:
        answers: The answers.
        centre: Means of the parameters beforehand: of workers, then tasks.
    """

    def __init__(self, answers: Answers, centre: Floats) -> None:
        self.arrays = answers.starts, answers.workers, answers.labels
        self.n_workers = answers.n_workers
        self.centre = centre
        self.posterior = np.empty((answers.n_items, answers.n_classes))

    def believe(self, found: Floats, prior: Floats) -> None:
        """Set the posterior by parameters."""
        glad_posterior(*self.arrays, *self._split(found), prior, self.posterior)

    def value(self, found: Floats) -> float:
        value = glad_value(*self.arrays, *self._split(found), self.posterior)
        away = found - self.centre
        if np.abs(away).max() > _BEYOND:
            return np.inf
        value -= 0.5 * float(away @ away) + len(away) * _NORMAL
        return float(np.inf if np.isnan(value) else -value)

    def gradient(self, found: Floats) -> Floats:
        slope = self.centre - found
        alphas, betas = self._split(slope)
        glad_gradient(*self.arrays, *self._split(found), self.posterior, alphas, betas)
        return -slope

    def _split(self, found: Floats) -> tuple[Floats, Floats]:
        return found[: self.n_workers], found[self.n_workers :]


def _given(
    values: "pd.Series[Any] | None", index: "pd.Index[Any]", default: float, name: str
) -> Floats:
    if values is None:
        return np.full(len(index), default)
    found = values.reindex(index).to_numpy(np.float64)
    if np.isnan(found).any():
        missing = index[int(np.flatnonzero(np.isnan(found))[0])]
        raise ConfigError(f"{name} says nothing of {missing!r}; give a value of each")
    return found
