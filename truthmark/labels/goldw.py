# SPDX-License-Identifier: Apache-2.0
"""`goldw-v3`: labels weighted by gold and by agreement, in integers alone.

Anyone who has the same answers and the same gold gets the same labels, margins and weights, to the
last digit. The rule, with LN of `integers`, C classes, and s and 2 as what a newcomer starts with:

* Weight by gold: max(0, LN(c·(C-1) + s) - LN(x + 2)), with c right and x wrong on scored gold.
  A skip counts as wrong. s is 6 where all answers on scored gold together are right five times of
  seven or more, else 4: in a good crowd one wrong answer says less of a person than of the item,
  and a ring that is large enough to sway labels makes a crowd worse than that.
* Weight by agreement: the same with s = 4, with c and x counted against what the *other* answers of
  an item say, weighted, on items without gold. Items where the others weigh nothing say nothing,
  and skips are not compared. Twice, the first time with the weights by gold.
* The smaller of the two counts; that by gold alone where fewer than five answers were compared.
* An item's label is the class with the largest sum of weights, the lowest of equals; its margin is
  that sum less the second. Items with gold take the gold answer. Items nobody answered have none.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from truthmark.errors import ConfigError
from truthmark.labels.integers import Ints, ln_milli_of

NONE = -1
"""Stands for a class where there is none: no gold, no label."""

_PASSES = 2
_LEAST_COMPARED = 5
_START = 4
_START_AMONG_ABLE = 6
_ABLE = (5, 2)
"""Right to wrong on scored gold, all answers together."""

Mask = npt.NDArray[np.bool_]
AnyInts = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class Votes:
    """Answers as arrays of one length, an entry an answer.

    Attributes:
        items: places of the items, 0 up.
        workers: places of the workers, 0 up.
        labels: classes, 0 up; `n_classes` is a skip.
        n_items: how many items there are, answered or not.
        n_workers: how many workers there are.
        n_classes: how many classes there are.
    """

    items: AnyInts
    workers: AnyInts
    labels: AnyInts
    n_items: int
    n_workers: int
    n_classes: int

    def __post_init__(self) -> None:
        """Refuse what would be counted in the wrong place.

        Raises:
            ConfigError: Lengths differ, or a place or class is out of range.
        """
        shape = (len(self.labels),)
        if not self.items.shape == self.workers.shape == self.labels.shape == shape:
            raise ConfigError("items, workers and labels differ in length; give one of each")
        if self.n_classes < 1:
            raise ConfigError("there are no classes; name at least one")
        for name, places, end in (
            ("an item", self.items, self.n_items),
            ("a worker", self.workers, self.n_workers),
            ("a label", self.labels, self.n_classes + 1),
        ):
            if len(places) and not (int(places.min()) >= 0 and int(places.max()) < end):
                raise ConfigError(f"{name} is not in 0 to {end - 1}; number them from 0")


@dataclass(frozen=True, slots=True)
class Weighted:
    """What `goldw` finds.

    Attributes:
        labels: the class of each item, NONE where nobody answered and there is no gold.
        margins: largest sum of weights less the second, each item; in thousandths of a nat.
        sums: of weights, each item and class.
        weights: of each worker.
    """

    labels: Ints
    margins: Ints
    sums: Ints
    weights: Ints


def goldw(
    votes: Votes,
    gold: AnyInts,
    *,
    scored: Mask | None = None,
    excluded: Mask | None = None,
    shares: Ints | None = None,
) -> Weighted:
    """Aggregate by `goldw-v3`.

    Args:
        votes: The answers.
        gold: The class of each item, NONE where it has no gold.
        scored: Items whose gold weighs workers; all that have gold and are not excluded, unless
            given.
        excluded: Items whose gold does not count (a bounty's excluded gold): they neither weigh
            workers nor take the gold answer, and agreement is not counted on them either.
        shares: How often each class is, in whole parts of any number (such as a million), each at
            least 1, where that is known: `goldw+shares`.

    Raises:
        ConfigError: An array has another shape or holds what is not a class.
    """
    gold = np.asarray(gold, np.int64)
    if gold.shape != (votes.n_items,):
        raise ConfigError(f"gold has the shape {gold.shape}; give one class an item")
    if gold.size and not (gold.min() >= NONE and gold.max() < votes.n_classes):
        raise ConfigError(f"gold holds what is not a class; give {NONE} to {votes.n_classes - 1}")
    has_gold = gold != NONE
    trusted = has_gold if excluded is None else has_gold & ~_mask(excluded, votes.n_items)
    judged = trusted if scored is None else trusted & _mask(scored, votes.n_items)
    weights = worker_weights(votes, np.where(judged, gold, NONE), has_gold)
    sums = _sum_weights(votes, weights)
    if shares is not None:
        shares = np.asarray(shares, np.int64)
        if shares.shape != (votes.n_classes,) or shares.min() < 1:
            raise ConfigError("give a share of at least 1 for each class, in whole parts")
        sums += ln_milli_of(shares) - ln_milli_of(shares.min())
    best, _, top, second = _two_best(sums)
    answered = np.bincount(votes.items, minlength=votes.n_items) > 0
    labels = np.where(answered, best, NONE)
    labels[trusted] = gold[trusted]
    return Weighted(labels, top - second, sums, weights)


def worker_weights(votes: Votes, gold: AnyInts, has_gold: Mask) -> Ints:
    """Return the weight of each worker, in thousandths of a nat.

    Args:
        votes: The answers.
        gold: The class of each item whose gold is scored, else NONE.
        has_gold: Items on which agreement is not counted.
    """
    judged = gold[votes.items]
    counted, right = judged != NONE, judged == votes.labels
    hits = int((counted & right).sum())
    is_able = hits > 0 and _ABLE[1] * hits >= _ABLE[0] * (int(counted.sum()) - hits)
    by_gold = _weights(votes, counted, right, _START_AMONG_ABLE if is_able else _START)[0]
    compared = ~has_gold[votes.items] & (votes.labels < votes.n_classes)
    weights = by_gold
    for _ in range(_PASSES):
        agrees, is_said = others_agree(votes, weights)
        by_agreement, count = _weights(votes, compared & is_said, agrees, _START)
        weights = np.where(count >= _LEAST_COMPARED, np.minimum(by_gold, by_agreement), by_gold)
    return weights


def _weights(votes: Votes, counted: Mask, right: Mask, start: int) -> tuple[Ints, Ints]:
    """Return each worker's weight by counted answers, and how many those are."""
    total = np.bincount(votes.workers[counted], minlength=votes.n_workers)
    c = np.bincount(votes.workers[counted & right], minlength=votes.n_workers)
    weight = ln_milli_of(c * (votes.n_classes - 1) + start) - ln_milli_of(total - c + 2)
    return np.maximum(0, weight), total


def _sum_weights(votes: Votes, weights: Ints) -> Ints:
    """Return the sum of weights of each item and class."""
    said = votes.labels < votes.n_classes
    sums = np.zeros((votes.n_items, votes.n_classes), np.int64)
    place = votes.items[said].astype(np.int64) * votes.n_classes + votes.labels[said]
    np.add.at(sums.reshape(-1), place, weights[votes.workers[said]])
    return sums


def others_agree(votes: Votes, weights: Ints) -> tuple[Mask, Mask]:
    """Tell of each answer whether the others' heaviest class is the same, and if they have one.

    Taking an answer away lowers its own class alone. So the heaviest class stays where it was,
    unless the answer was for it: then the second contends.

    Args:
        votes: All answers.
        weights: Of the workers, shape (W,).
    """
    best, runner_up, top, second = (
        part[votes.items] for part in _two_best(_sum_weights(votes, weights))
    )
    is_best = votes.labels == best
    left = top - np.where(is_best, weights[votes.workers], 0)
    stays = (left > second) | ((left == second) & (best < runner_up))
    return is_best & stays, np.maximum(left, second) > 0


def _two_best(sums: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Return the heaviest class and the second of each row, the lowest of equals; then both sums.

    Where there is one class alone, the second is one beyond it, of the sum 0.
    """
    rows = np.arange(len(sums))
    best = sums.argmax(1) if len(sums) else np.zeros(0, np.int64)
    top = sums[rows, best]
    if sums.shape[1] == 1:
        return best, best + 1, top, np.zeros_like(top)
    rest = sums.copy()
    rest[rows, best] = np.iinfo(np.int64).min
    runner_up = rest.argmax(1) if len(sums) else best
    return best, runner_up, top, rest[rows, runner_up]


def _mask(given: Mask, count: int) -> Mask:
    mask = np.asarray(given)
    if mask.shape != (count,) or mask.dtype != np.bool_:
        raise ConfigError("give yes or no for each item")
    return mask
