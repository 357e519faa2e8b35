# SPDX-License-Identifier: Apache-2.0
"""How likely a label is right: fitted on gold that the label did not see, never what EM believes.

What EM calls a probability is one only if its model is true; a ring makes it sure of what is wrong.
Here gold is split; each part is labelled by what the rest of it says (`goldw`), and how often those
labels are right, by their margin and class, is what the confidence of all others is read from. It
is a logistic curve with a prior, so that little gold says little:

    log odds = a + b·margin ÷ √(sum of weights) + what the class adds        (in nats)

with a around 0 (a margin of nothing is a coin), b around 1, and classes alike.
"""

from typing import Any

import numpy as np
import pandas as pd

from truthmark.errors import ConfigError
from truthmark.labels.answers import Answers, Floats, check_gold
from truthmark.labels.goldw import NONE, Votes, Weighted, goldw

LEAST_GOLD = 10
"""With less gold a confidence would be a guess."""

# Prior: how many (a, b, each class) it weighs, and where it lies.
_SLOPE = 1.0
_SLOPE_WEIGHT = 3.0
_STEPS = 100


def calibrated_confidence(
    data: pd.DataFrame,
    true_labels: "pd.Series[Any]",
    folds: int = 5,
    random_state: int = 0,
) -> "pd.Series[Any]":
    """Return how likely each label that `goldw` finds is right.

    Args:
        data: The answers.
        true_labels: Gold: the right label of some tasks, by task. It should be drawn by chance
            from the tasks, else it says nothing of the others.
        folds: Parts that gold is split into.
        random_state: Of that split: the same number gives the same result.

    Returns:
        By task; 1 for tasks with gold.

    Raises:
        ConfigError: Answers or gold cannot be used, or there is too little gold.
    """
    check_gold(true_labels)
    if len(true_labels) < LEAST_GOLD:
        raise ConfigError(
            f"{len(true_labels)} gold tasks are too few for a confidence; give {LEAST_GOLD}"
        )
    answers = Answers.of(data)
    gold = answers.gold(true_labels)
    votes = answers.votes
    known = np.flatnonzero(gold != NONE)
    order = np.random.default_rng(random_state).permutation(known)
    features, right = [], []
    for part in np.array_split(order, min(folds, len(order))):
        shown = gold.copy()
        shown[part] = NONE
        found = goldw(votes, shown)
        features.append(_features(votes, found)[part])
        right.append(found.labels[part] == gold[part])
    curve = fit_curve(np.concatenate(features), np.concatenate(right))
    chance = _sigmoid(_features(votes, goldw(votes, gold)) @ curve)
    chance[known] = 1.0
    return answers.by_task(chance, "confidence")


def _features(votes: Votes, found: Weighted) -> Floats:
    """Return (N, 2 + C): one, the margin by the root of the sum, the class chosen."""
    total = np.maximum(1, found.sums.sum(1)) / 1_000
    matrix = np.zeros((votes.n_items, 2 + votes.n_classes))
    matrix[:, 0] = 1
    matrix[:, 1] = found.margins / 1_000 / np.sqrt(total)
    matrix[np.arange(votes.n_items), 2 + found.sums.argmax(1)] = 1
    return matrix


def fit_curve(features: Floats, right: Any) -> Floats:
    """Return the coefficients, by Newton's steps; the sum is strictly concave."""
    weight = np.ones(features.shape[1])
    weight[1] = _SLOPE_WEIGHT
    centre = np.zeros(features.shape[1])
    centre[1] = _SLOPE
    found = centre.copy()
    for _ in range(_STEPS):
        chance = _sigmoid(features @ found)
        slope = features.T @ (right - chance) - weight * (found - centre)
        bend = (features * (chance * (1 - chance))[:, None]).T @ features + np.diag(weight)
        step = np.linalg.solve(bend, slope)
        found = found + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-9:
            break
    return found


def _sigmoid(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(x, -500, 500)))
