# SPDX-License-Identifier: Apache-2.0
"""MACE: a worker who does not know the answer gives one by a habit of their own.

Hovy and others, "Learning whom to trust with MACE", 2013.
"""

from typing import Any, Literal, Self

import numpy as np
import pandas as pd

from truthmark.errors import ConfigError
from truthmark.labels.answers import Answers, Floats
from truthmark.labels.base import Aggregator
from truthmark.labels.kernels import sweep_mace


class MACE(Aggregator):
    """Each worker knows the answer so often, and otherwise draws from a strategy of their own.

    crowd-kit 1.4 orders workers and labels by name in one half of a step and by appearance in the
    other, and begins each restart alike. Here they are ordered once, and each restart begins
    otherwise, the first as crowd-kit does; so results are equal where workers and labels appear
    in their order, and there is one restart.

    Args:
        n_restarts: Beginnings by chance; the one with the best likelihood counts.
        n_iter: Steps of each.
        method: `vb` with priors, or `em` without.
        smoothing: Not used, as in crowd-kit: counts are smoothed by .01 ÷ classes.
        default_noise: How far beginnings lie apart.
        alpha: Prior answers of a worker without knowing.
        beta: ... by knowing.
        random_state: Of chance: the same number gives the same result.
        verbose: Nothing is shown; there for those who come from crowd-kit.

    Attributes:
        spamming_: how often each worker answers without knowing, and by knowing; (W, 2).
        thetas_: what they say without; (W, C), in the order of sorted workers and classes.
    """

    spamming_: Floats
    thetas_: Floats

    def __init__(
        self,
        n_restarts: int = 10,
        n_iter: int = 50,
        method: Literal["vb", "em"] = "vb",
        smoothing: float = 0.1,
        default_noise: float = 0.5,
        alpha: float = 0.5,
        beta: float = 0.5,
        random_state: int = 0,
        verbose: int = 0,
    ) -> None:
        self.n_restarts = n_restarts
        self.n_iter = n_iter
        self.method = method
        self.smoothing = smoothing
        self.default_noise = default_noise
        self.alpha = alpha
        self.beta = beta
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, data: pd.DataFrame) -> Self:
        """Find labels and strategies.

        Raises:
            ConfigError: The answers cannot be used, or a setting is out of range.
        """
        if self.n_restarts < 1:
            raise ConfigError(f"n_restarts is {self.n_restarts}; give at least 1")
        answers = Answers.of(data)
        best: tuple[float, Floats, Floats, Floats] | None = None
        for restart in range(self.n_restarts):
            spamming, thetas = self._begin(answers, self.random_state + restart)
            likelihood, posterior, spam, copied = _step(answers, spamming, thetas)
            for _ in range(self.n_iter):
                spamming, thetas = self._share(spam, copied)
                likelihood, posterior, spam, copied = _step(answers, spamming, thetas)
            if best is None or likelihood > best[0]:
                best = likelihood, posterior, spamming, thetas
        assert best is not None, "there is at least one beginning"
        self.spamming_, self.thetas_ = best[2:]
        self._keep(answers, best[1])
        return self

    def _begin(self, answers: Answers, seed: int) -> tuple[Floats, Floats]:
        parts = []
        for width in (2, answers.n_classes):
            # As crowd-kit draws: both parts from the same beginning of the same numbers.
            drawn = np.random.RandomState(seed).random_sample((answers.n_workers, width))
            part = 1 + (1 + self.default_noise) * drawn
            parts.append(part / part.sum(1, keepdims=True))
        return parts[0], parts[1]

    def _share(self, spam: Floats, copied: Floats) -> tuple[Floats, Floats]:
        """Return shares by expected answers."""
        if self.method == "vb":
            return _vary(spam, np.array([self.alpha, self.beta])), _vary(copied, np.array(10.0))
        smooth = 0.01 / copied.shape[1]
        spam, copied = spam + smooth, copied + smooth
        return spam / spam.sum(1, keepdims=True), copied / copied.sum(1, keepdims=True)


def _step(
    answers: Answers, spamming: Floats, thetas: Floats
) -> tuple[float, Floats, Floats, Floats]:
    """Return likelihood, posterior, and expected answers: without and by knowing; said without."""
    posterior = np.empty((answers.n_items, answers.n_classes))
    known, copied = np.zeros(answers.n_workers), np.zeros_like(thetas)
    likelihood = sweep_mace(
        *(answers.starts, answers.workers, answers.labels),
        *(np.ascontiguousarray(spamming[:, 1]), spamming[:, :1] * thetas),
        *(posterior, known, copied),
    )
    return likelihood, posterior, np.stack([copied.sum(1), known], 1), copied


def _vary(counts: Floats, prior: Any) -> Floats:
    """Return exp(E[log share]) under a Dirichlet; sums to less than 1."""
    from scipy.special import digamma

    counts = counts + prior
    shares: Floats = np.exp(digamma(counts) - digamma(counts.sum(1, keepdims=True)))
    return shares
