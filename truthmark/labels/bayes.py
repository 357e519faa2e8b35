# SPDX-License-Identifier: Apache-2.0
"""IBCC and EBCC: Dawid-Skene with a prior for every table, found by variational Bayes.

Kim and Ghahramani, "Bayesian classifier combination", 2012; Li, Rubinstein and Cohn, "Exploiting
worker correlation for label aggregation in crowdsourcing", 2019, whose priors these are.
"""

from typing import Any, Self

import numpy as np
import pandas as pd

from truthmark.labels.answers import Answers, Floats
from truthmark.labels.base import Aggregator
from truthmark.labels.dawid_skene import error_frame, start
from truthmark.labels.kernels import sweep

_SETTLED = 1e-3
"""The end: no class of an item is thought more or less likely by more than this."""


class IBCC(Aggregator):
    """Each worker has a table of errors, with a prior that they are rather right than wrong.

    Args:
        n_iter: Steps at most.
        right: Prior answers of a worker that are right, for each class.
        wrong: ... that are each given wrong class.
        shares: Prior items of each class.

    Attributes:
        errors_: as `DawidSkene` has it: the mean of what is thought.
        priors_: the classes' shares.
        bound_: bound of the log-likelihood.
    """

    errors_: pd.DataFrame
    priors_: "pd.Series[Any]"
    bound_: float

    def __init__(
        self, n_iter: int = 500, right: float = 4.0, wrong: float = 1.0, shares: float = 1.0
    ) -> None:
        self.n_iter = n_iter
        self.right = right
        self.wrong = wrong
        self.shares = shares

    def fit(self, data: pd.DataFrame, true_labels: "pd.Series[Any] | None" = None) -> Self:
        """Find labels and errors.

        Args:
            data: The answers.
            true_labels: The right label of some tasks, by task.

        Raises:
            ConfigError: Answers or gold cannot be used.
        """
        answers = Answers.of(data)
        self._finish(answers, *self._find(answers, answers.gold(true_labels)))
        return self

    def _find(self, answers: Answers, gold: Any) -> tuple[Floats, Floats, float]:
        """Return posterior (N, C), counts (W, C, C·M) and bound."""
        return self._run(answers, gold, start(answers, gold)[:, :, None])

    def _run(
        self, answers: Answers, gold: Any, states: Floats, spread_of_groups: float = 1.0
    ) -> tuple[Floats, Floats, float]:
        """Iterate from (N, C, M) states to posterior, counts and bound."""
        from scipy.special import digamma

        n_workers, n_classes, groups = answers.n_workers, answers.n_classes, states.shape[2]
        prior = np.repeat(self._prior(n_classes), groups, 1)
        counts = np.zeros((n_workers, n_classes, n_classes * groups))
        flat = states.reshape(answers.n_items, -1)
        for c in range(n_classes):
            chosen = answers.labels == c
            np.add.at(counts[:, c], answers.workers[chosen], flat[answers.items[chosen]])
        mass = flat.sum(0)
        posterior = states.sum(2)
        entropy = 0.0
        for _ in range(self.n_iter):
            tables = counts + prior
            logs = digamma(tables) - digamma(tables.sum(1, keepdims=True))
            of_groups = mass.reshape(n_classes, groups) + spread_of_groups / groups
            of_classes = of_groups.sum(1) - spread_of_groups + self.shares
            shares = digamma(of_groups) - digamma(of_groups.sum(1, keepdims=True))
            shares += (digamma(of_classes) - digamma(of_classes.sum()))[:, None]
            last = posterior.copy()
            counts = np.zeros_like(counts)
            mass = np.zeros_like(mass)
            _, entropy = sweep(
                *(answers.starts, answers.workers, answers.labels, logs, shares.ravel(), gold),
                *(posterior, counts, mass, np.zeros(n_classes)),
            )
            if np.abs(posterior - last).max() < _SETTLED:
                break
        bound = entropy + self._evidence(counts, prior, mass, n_classes, spread_of_groups)
        return posterior, counts, bound

    def _prior(self, n_classes: int) -> Floats:
        """Return prior answers, (label, class)."""
        return np.where(np.eye(n_classes, dtype=bool), self.right, self.wrong)

    def _evidence(
        self, counts: Floats, prior: Floats, mass: Floats, n_classes: int, spread_of_groups: float
    ) -> float:
        """Return what the tables and shares add to the bound: a ratio of Beta functions each."""
        groups = len(mass) // n_classes
        by_class = mass.reshape(n_classes, groups)
        first = spread_of_groups / groups
        found = (_log_beta(counts + prior, 1) - _log_beta(prior[None], 1)).sum()
        found += (_log_beta(by_class + first, 1) - _log_beta(np.full((1, groups), first), 1)).sum()
        found += _log_beta(by_class.sum(1) + self.shares, 0)
        found -= _log_beta(np.full(n_classes, self.shares), 0)
        return float(found)

    def _finish(self, answers: Answers, posterior: Floats, counts: Floats, bound: float) -> None:
        said = np.zeros((answers.n_workers, answers.n_classes), np.bool_)
        said[answers.workers, answers.labels] = True
        tables = counts.reshape(*counts.shape[:2], answers.n_classes, -1).sum(3)
        tables = tables + self._prior(answers.n_classes)
        self.errors_ = error_frame(answers, tables / tables.sum(1, keepdims=True), said)
        shares = posterior.sum(0) + self.shares
        index = answers.classes.rename("label")
        self.priors_ = pd.Series(shares / shares.sum(), index=index, name="prior")
        self.bound_ = bound
        self._keep(answers, posterior)


class EBCC(IBCC):
    """IBCC whose classes consist of groups of items, on which workers err together.

    Args:
        n_groups: Groups of each class.
        n_restarts: Beginnings by chance; the one with the best bound counts.
        random_state: Of chance: the same number gives the same result.
        group_share: Prior items of a class, spread over its groups.
        n_iter: Steps at most.
        right: Prior answers of a worker that are right, for each class and group.
        wrong: ... that are each given wrong class.
        shares: Prior items of each class.

    Attributes:
        errors_: as `DawidSkene` has it, all groups of a class together.
        priors_: the classes' shares.
        bound_: bound of the log-likelihood.
    """

    def __init__(
        self,
        n_groups: int = 10,
        n_restarts: int = 1,
        random_state: int = 0,
        group_share: float = 0.1,
        n_iter: int = 500,
        right: float = 4.0,
        wrong: float = 1.0,
        shares: float = 1.0,
    ) -> None:
        super().__init__(n_iter, right, wrong, shares)
        self.n_groups = n_groups
        self.n_restarts = n_restarts
        self.random_state = random_state
        self.group_share = group_share

    def _find(self, answers: Answers, gold: Any) -> tuple[Floats, Floats, float]:
        first = start(answers, gold)
        rng = np.random.default_rng(self.random_state)
        best: tuple[Floats, Floats, float] | None = None
        for _ in range(self.n_restarts):
            groups = rng.dirichlet(np.ones(self.n_groups), first.shape)
            groups *= first[:, :, None]
            found = self._run(answers, gold, groups, self.group_share)
            if best is None or found[2] > best[2]:
                best = found
        assert best is not None, "there is at least one beginning"
        return best


def _log_beta(table: Floats, axis: int) -> Any:
    """Return the log of the multivariate Beta function along an axis."""
    from scipy.special import gammaln

    return gammaln(table).sum(axis) - gammaln(table.sum(axis))
