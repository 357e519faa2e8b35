# SPDX-License-Identifier: Apache-2.0
"""How likely a label is right: fitted on gold that the label did not see, never what EM believes.

What EM calls a probability is one only if its model is true; a ring makes it sure of what is wrong.
Here gold is split; each part is labelled by what the rest of it says (`goldw`), and how often those
labels are right, by their margin and class, is what the confidence of all others is read from. It
is a logistic curve with a prior, so that little gold says little:

    log odds = a + b·margin ÷ √(sum of weights) + c·lead ÷ √(sum of parts) + d·ln(sum of weights)
             + what the class adds                                              (in nats)

with a around 0 (a margin of nothing is a coin), b around .7, c around .5, d around 0, and classes
alike. A worker's part is their weight by `goldw` as a part of the largest. The lead is that of the
label over the next by how often each worker says each class where the labels of other items
are another; each worker counts by their part, so a ring, whose accounts weigh little, says little
here too. It sees who mixes up which classes, which weights do not.
"""

from typing import Any

import numpy as np
import pandas as pd

from truthmark.errors import ConfigError
from truthmark.labels.answers import Answers, Floats, check_gold
from truthmark.labels.goldw import NONE, Votes, Weighted, goldw

LEAST_GOLD = 10
"""With less gold a confidence would be a guess."""

# Prior of a, of b, c, d, and of what each class adds: where it lies, and how much it weighs.
_SLOPES = (0.7, 0.5, 0.0)
_INTERCEPT_WEIGHT = 1.0
_SLOPE_WEIGHT = 10.0
_CLASS_WEIGHT = 2.0
_STEPS = 100
_CLOSE = 1e-9

_SMOOTHING = 4.0
"""Answers in each class that all workers' confusion stands for, beside a worker's own."""
_LEAST_PARTS = 0.5


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
    """Return (N, 4 + C): one; margin, lead and sum as they stand in the curve; the class chosen."""
    total = np.maximum(1, found.sums.sum(1)) / 1_000
    chosen = found.sums.argmax(1)
    matrix = np.zeros((votes.n_items, 1 + len(_SLOPES) + votes.n_classes))
    matrix[:, 0] = 1
    matrix[:, 1] = found.margins / 1_000 / np.sqrt(total)
    matrix[:, 2] = _leads(votes, found, chosen)
    matrix[:, 3] = np.log(total)
    matrix[np.arange(votes.n_items), 1 + len(_SLOPES) + chosen] = 1
    return matrix


def _leads(votes: Votes, found: Weighted, chosen: Any) -> Floats:
    """Return the lead of the class chosen, by the root of the parts that answered the item."""
    if votes.n_classes == 1:
        return np.zeros(votes.n_items)
    is_said = votes.labels < votes.n_classes
    items, workers, labels = votes.items[is_said], votes.workers[is_said], votes.labels[is_said]
    believed = found.labels[items]
    counts = np.zeros((votes.n_workers, votes.n_classes, votes.n_classes))
    np.add.at(counts, (workers, believed, labels), 1.0)
    of_all = counts.sum(0) + 1
    counts += _SMOOTHING * of_all / of_all.sum(1, keepdims=True)
    # What the others make of an item must not rest on this answer to it.
    answers = np.arange(len(items))
    said, asked = counts[workers, :, labels], counts.sum(2)[workers]
    said[answers, believed] -= 1
    asked[answers, believed] -= 1
    parts = found.weights / max(1, int(found.weights.max(initial=0)))
    shares = np.bincount(believed, minlength=votes.n_classes) + 1.0
    logs = np.tile(np.log(shares / shares.sum()), (votes.n_items, 1))
    np.add.at(logs, items, parts[workers, None] * (np.log(said) - np.log(asked)))
    rows = np.arange(votes.n_items)
    own = logs[rows, chosen]
    logs[rows, chosen] = -np.inf
    answered = np.bincount(items, parts[workers], minlength=votes.n_items)
    lead: Floats = (own - logs.max(1)) / np.sqrt(np.maximum(_LEAST_PARTS, answered))
    return lead


def fit_curve(features: Floats, right: Any) -> Floats:
    """Return the coefficients (4 + C,) that are likeliest under the prior.

    Newton's steps, each halved until it gains: the sum is strictly concave, but a whole step
    may leap over its top and away.

    Args:
        features: Those of each label, (n, 4 + C); see `_features`.
        right: Whether each label is right, (n,).
    """
    weight = np.full(features.shape[1], _CLASS_WEIGHT)
    weight[0] = _INTERCEPT_WEIGHT
    slopes = slice(1, 1 + len(_SLOPES))
    weight[slopes] = _SLOPE_WEIGHT
    centre = np.zeros(features.shape[1])
    centre[slopes] = _SLOPES

    def likelihood(at: Floats) -> float:
        odds = features @ at
        away = at - centre
        return float((right * odds - np.logaddexp(0, odds)).sum() - weight @ (away * away) / 2)

    found, gained = centre.copy(), likelihood(centre)
    for _ in range(_STEPS):
        chance = _sigmoid(features @ found)
        slope = features.T @ (right - chance) - weight * (found - centre)
        bend = (features * (chance * (1 - chance))[:, None]).T @ features + np.diag(weight)
        step = np.linalg.solve(bend, slope)
        while (reached := likelihood(found + step)) < gained and np.abs(step).max() > _CLOSE:
            step /= 2
        if np.abs(step).max() <= _CLOSE:
            break
        found, gained = found + step, reached
    return found


def _sigmoid(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(x, -500, 500)))
