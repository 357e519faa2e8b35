# SPDX-License-Identifier: Apache-2.0
"""Dawid-Skene: who errs how, and what is right, each found by the other in turn (EM).

Dawid and Skene, "Maximum likelihood estimation of observer error-rates using the EM algorithm",
1979. One-coin: Zhang and others, "Spectral methods meet EM", 2016.
Steps, start, limits and the end are those of crowd-kit, so results are equal.
"""

from typing import Any, Literal, Self

import numpy as np
import pandas as pd

from truthmark.errors import ConfigError
from truthmark.labels.answers import Answers, Floats
from truthmark.labels.base import Aggregator, ones
from truthmark.labels.goldw import NONE
from truthmark.labels.kernels import EPSILON, spread, sweep, sweep_coin, vote


class DawidSkene(Aggregator):
    """Each worker has a table of what they say where a class is right.

    Args:
        n_iter: Steps at most.
        tol: The end: the bound of the likelihood, an answer, grows by less.
        initial_error_strategy: How `initial_error` of `fit` is used: `assign` begins with it,
            `addition` adds it to the first counts.

    Attributes:
        errors_: for each worker and label (rows, where the worker gave it) how often they say it
            where a class (columns) is right.
        priors_: the classes' shares.
        loss_history_: the bound of the likelihood, an answer, after each step.
    """

    errors_: pd.DataFrame
    priors_: "pd.Series[Any]"
    loss_history_: list[float]

    def __init__(
        self,
        n_iter: int = 100,
        tol: float = 1e-5,
        initial_error_strategy: Literal["assign", "addition"] | None = None,
    ) -> None:
        self.n_iter = n_iter
        self.tol = tol
        self.initial_error_strategy = initial_error_strategy

    def fit(
        self,
        data: pd.DataFrame,
        true_labels: "pd.Series[Any] | None" = None,
        initial_error: pd.DataFrame | None = None,
    ) -> Self:
        """Find labels and errors.

        Args:
            data: The answers.
            true_labels: The right label of some tasks, by task.
            initial_error: As `errors_`; used if `initial_error_strategy` says how.

        Raises:
            ConfigError: Answers, gold or errors cannot be used.
        """
        answers = Answers.of(data)
        gold = answers.gold(true_labels)
        starts, workers, labels = answers.starts, answers.workers, answers.labels
        n_workers, n_classes = answers.n_workers, answers.n_classes
        posterior = start(answers, gold)
        prior = posterior.mean(0)
        counts = np.zeros((n_workers, n_classes, n_classes))
        spread(starts, workers, labels, posterior, counts)
        said = np.zeros((n_workers, n_classes), np.bool_)
        said[workers, labels] = True
        errors = _normalise_errors(self._begin(answers, counts, initial_error), said)
        self.loss_history_ = []
        loss = -np.inf
        for _ in range(self.n_iter):
            counts = np.zeros_like(counts)
            mass, weighed = np.zeros(n_classes), np.zeros(n_classes)
            logs = np.log(errors)
            prior = np.maximum(prior, EPSILON)
            entropy, _ = sweep(
                *(starts, workers, labels, logs, np.log(prior), gold),
                *(posterior, counts, mass, weighed),
            )
            prior = mass / answers.n_items
            errors = _normalise_errors(counts.copy(), said)
            joint = float((counts * np.log(errors)).sum())
            joint += float(weighed @ np.log(np.maximum(prior, EPSILON)))
            new = (joint + entropy) / len(labels)
            self.loss_history_.append(new)
            if new - loss < self.tol:
                break
            loss = new
        self.priors_ = pd.Series(prior, index=answers.classes.rename("label"), name="prior")
        self.errors_ = error_frame(answers, errors, said)
        self._keep(answers, np.maximum(posterior, EPSILON, out=posterior))
        return self

    def _begin(self, answers: Answers, counts: Floats, given: pd.DataFrame | None) -> Floats:
        """Return the first counts, as `initial_error_strategy` says."""
        how = self.initial_error_strategy
        if how not in (None, "assign", "addition"):
            raise ConfigError(f"initial_error_strategy is 'assign' or 'addition', not {how!r}")
        if how is None or given is None:
            return counts
        if list(given.index.names) != ["worker", "label"]:
            raise ConfigError("the index of initial_error is (worker, label); set it so")
        rows = pd.MultiIndex.from_product([answers.people, answers.classes])
        known = given.reindex(rows)[list(answers.classes)].to_numpy(np.float64, copy=True)
        known = known.reshape(counts.shape)
        if how == "assign":
            missing = np.isnan(known).all((1, 2))
            if missing.any():
                who = answers.people[int(np.flatnonzero(missing)[0])]
                raise ConfigError(
                    f"initial_error has no rows of {who!r}; give some for each worker"
                )
            return np.nan_to_num(known)
        total: Floats = counts + np.nan_to_num(known)
        return total


class OneCoinDawidSkene(Aggregator):
    """Each worker has one skill: how often they are right, whatever the class.

    Args:
        n_iter: Steps at most.
        tol: The end: the bound of the likelihood, an answer, grows by less.

    Attributes:
        skills_: how often each worker is right.
        errors_: the same as `DawidSkene` has it.
        priors_: the classes' shares.
        loss_history_: the bound of the likelihood, an answer, after each step.
    """

    skills_: "pd.Series[Any]"
    errors_: pd.DataFrame
    priors_: "pd.Series[Any]"
    loss_history_: list[float]

    def __init__(self, n_iter: int = 100, tol: float = 1e-5) -> None:
        self.n_iter = n_iter
        self.tol = tol

    def fit(self, data: pd.DataFrame, true_labels: "pd.Series[Any] | None" = None) -> Self:
        """Find labels and skills.

        Args:
            data: The answers.
            true_labels: The right label of some tasks, by task.

        Raises:
            ConfigError: Answers or gold cannot be used, or there is one class alone.
        """
        answers = Answers.of(data)
        answers.require_two_classes("one-coin")
        gold = answers.gold(true_labels)
        starts, workers, labels = answers.starts, answers.workers, answers.labels
        n_classes, total = answers.n_classes, answers.per_worker
        posterior = start(answers, gold)
        prior = posterior.mean(0)
        skills = np.bincount(workers, posterior[answers.items, labels]) / total
        self.loss_history_ = []
        loss = -np.inf
        right, wrong = _coin(skills, n_classes)
        for _ in range(self.n_iter):
            sums, mass, weighed = (np.zeros(k) for k in (len(total), n_classes, n_classes))
            prior = np.maximum(prior, EPSILON)
            base, gain = np.log(wrong), np.log(right) - np.log(wrong)
            entropy = sweep_coin(
                *(starts, workers, labels, base, gain, np.log(prior), gold),
                *(posterior, sums, mass, weighed),
            )
            prior = mass / answers.n_items
            skills = sums / total
            right, wrong = _coin(skills, n_classes)
            joint = float(sums @ np.log(right) + (total - sums) @ np.log(wrong))
            joint += float(weighed @ np.log(np.maximum(prior, EPSILON)))
            new = (joint + entropy) / len(labels)
            self.loss_history_.append(new)
            if new - loss < self.tol:
                break
            loss = new
        errors = np.repeat(wrong[:, None, None], n_classes, 1).repeat(n_classes, 2)
        errors[:, np.arange(n_classes), np.arange(n_classes)] = right[:, None]
        said = np.zeros(errors.shape[:2], np.bool_)
        said[workers, labels] = True
        self.priors_ = pd.Series(prior, index=answers.classes.rename("label"), name="prior")
        self.skills_ = answers.by_worker(skills, "skill")
        self.errors_ = error_frame(answers, errors, said)
        self._keep(answers, np.maximum(posterior, EPSILON, out=posterior))
        return self


def start(answers: Answers, gold: Any) -> Floats:
    """Return each item's shares of votes; items with gold are what that says.

    Args:
        answers: All answers, as numbers.
        gold: Class by item, -1 where it is not known, shape (N,).
    """
    posterior = np.empty((answers.n_items, answers.n_classes))
    weights = ones(answers.n_workers)
    vote(answers.items, answers.workers, answers.labels, weights, posterior)
    known = np.flatnonzero(gold != NONE)
    posterior[known] = 0.0
    posterior[known, gold[known]] = 1.0
    return posterior


def error_frame(answers: Answers, errors: Floats, said: Any) -> pd.DataFrame:
    """Return (W, C, C) errors as a frame: workers and the labels they gave, by classes.

    Args:
        answers: All answers, as numbers.
        errors: Share of labels by worker and class, shape (W, C, C).
        said: Whether a worker gave a label at all, shape (W, C).
    """
    who, what = np.nonzero(said)
    index = pd.MultiIndex.from_arrays(
        [answers.people.take(who), answers.classes.take(what)], names=["worker", "label"]
    )
    return pd.DataFrame(errors[who, what], index=index, columns=answers.classes.rename("label"))


def _normalise_errors(counts: Floats, said: Any) -> Floats:
    """Make counts shares of what each worker says, where a class is right; in place."""
    np.maximum(counts, EPSILON, out=counts)
    counts[~said] = 0.0
    counts /= counts.sum(1, keepdims=True)
    counts[~said] = 1.0  # never looked at; its log is 0
    return counts


def _coin(skills: Floats, n_classes: int) -> tuple[Floats, Floats]:
    """Return how often each worker is right, and says one given wrong class."""
    most = 1 - EPSILON
    return (
        np.clip(skills, EPSILON, most),
        np.clip((1 - skills) / (n_classes - 1), EPSILON, most),
    )
