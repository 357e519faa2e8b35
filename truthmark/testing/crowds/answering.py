# SPDX-License-Identifier: Apache-2.0
"""What recorded workers say: what they really said of an item, else what they are likely to say.

A bounty's seats ask people about items they may never have seen. Such an answer is drawn from the
worker's confusion: how often they said each class where another was true, smoothed by how often all
did. So a replay's accuracy is never the crowd's own, the less the more of its answers are drawn.
"""

from dataclasses import dataclass

import numpy as np

from truthmark.labels.goldw import NONE
from truthmark.testing.crowds.draws import Generator, Mask
from truthmark.testing.crowds.sets import Crowd, Floats, Ints

SMOOTHING = 4.0
"""Answers in each class that the crowd's confusion stands for, beside a worker's own."""


@dataclass(frozen=True, slots=True)
class Said:
    """Answers to some items.

    Attributes:
        labels: A class each.
        drawn: Which were drawn, as the worker never answered the item.
    """

    labels: Ints
    drawn: Mask


class Answering:
    """The workers of a crowd, ready to be asked about any of its items.

    Args:
        crowd: Whose answers.

    Attributes:
        confusion: (W, C, C), how often a worker says each class where another is true.
        likely: The class of each item; where the truth is not known, what most said of it. Used
            to draw answers, never to judge.
        busiest: The workers by how much they answered, most first.
    """

    def __init__(self, crowd: Crowd) -> None:
        """Count who said what."""
        self.crowd = crowd
        self.likely = _likely(crowd)
        self.confusion = _confusion(crowd, self.likely)
        counts = np.bincount(crowd.workers, minlength=crowd.n_workers)
        self.busiest: Ints = np.argsort(-counts, kind="stable")
        keys = crowd.workers * len(crowd.truth) + crowd.items
        order = np.argsort(keys)
        self._keys, self._labels = keys[order], crowd.labels[order]

    def ask(self, worker: int, items: Ints, *, remembers: Mask, rng: Generator) -> Said:
        """Return what a worker says of items.

        Args:
            worker: Of the crowd.
            items: Of the crowd.
            remembers: Where the real answer counts; elsewhere one is drawn even so, because this
                is a copy of the item, or another account of the worker.
            rng: Draws.
        """
        wanted = worker * len(self.crowd.truth) + items
        at = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        known = (self._keys[at] == wanted) & remembers
        shares = self.confusion[worker, self.likely[items]]
        # The first class at which the running sum passes a number drawn between 0 and 1.
        passed = rng.random((len(items), 1)) >= np.cumsum(shares, 1)[:, :-1]
        return Said(np.where(known, self._labels[at], passed.sum(1)), ~known)


def _likely(crowd: Crowd) -> Ints:
    votes = np.zeros((len(crowd.truth), crowd.n_classes), np.int64)
    np.add.at(votes, (crowd.items, crowd.labels), 1)
    found: Ints = np.where(crowd.truth == NONE, votes.argmax(1), crowd.truth)
    return found


def _confusion(crowd: Crowd, likely: Ints) -> Floats:
    counts = np.zeros((crowd.n_workers, crowd.n_classes, crowd.n_classes))
    np.add.at(counts, (crowd.workers, likely[crowd.items], crowd.labels), 1.0)
    of_all = counts.sum(0) + 1
    of_all /= of_all.sum(1, keepdims=True)
    smoothed: Floats = counts + SMOOTHING * of_all
    smoothed /= smoothed.sum(2, keepdims=True)
    return smoothed
