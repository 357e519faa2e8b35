# SPDX-License-Identifier: Apache-2.0
"""What terms lead people to expect, before anyone pays in: drawn by the pay rule itself."""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from truthmark.bounty.terms import Terms
from truthmark.errors import BountyError
from truthmark.labels.scoring import NOBODY, ONE, Ints, Verdict, millionths


@dataclass(frozen=True, slots=True)
class Outlook:
    """Parts of the full price, for who takes the smallest run and commits all of it.

    Attributes:
        mean: On average.
        low: One in ten gets less.
        high: One in ten gets more.
    """

    mean: float
    low: float
    high: float


def outlook(terms: Terms, *, skill: float | None, draws: int = 1000, seed: int = 0) -> Outlook:
    """Return what somebody may expect whose answers are right as often in each class.

    Gold is taken to be even by class and none of it excluded.

    Args:
        terms: With gold.
        skill: How often they are right; None for who guesses, all classes alike.
        draws: How many runs to draw.
        seed: Draws the same again.

    Raises:
        BountyError: There is no gold: everyone who delivers is paid in full.
    """
    if terms.is_team:
        raise BountyError("in team mode everyone who delivers is paid in full; there is no gold")
    shape = _Shape(
        terms.classes, terms.gold_count, terms.items, terms.min_run * terms.batch, terms.full
    )
    return _drawn(shape, skill, draws, seed)


class _Shape(NamedTuple):
    """All that matters of terms."""

    classes: int
    gold_count: int
    items: int
    run: int
    full: int


@lru_cache(maxsize=4_096)
def _drawn(terms: _Shape, skill: float | None, draws: int, seed: int) -> Outlook:
    """Draw what comes out; many bounties have the same shape."""
    rng = np.random.default_rng(seed)
    classes, shape = terms.classes, (terms.gold_count, draws)
    answers: Ints = np.arange(terms.gold_count) % classes
    guesses = rng.integers(0, classes, shape)
    others = (answers[:, None] + rng.integers(1, classes, shape)) % classes
    is_right = rng.random(shape) < (skill or 0)
    entries = guesses if skill is None else np.where(is_right, answers[:, None], others)
    # Which of the gold lies in a run: so many places of a shuffled order.
    run = min(terms.items, terms.run)
    held = np.zeros(shape, bool)
    counts = rng.hypergeometric(terms.gold_count, terms.items - terms.gold_count, run, draws)
    for draw, count in enumerate(counts.tolist()):
        held[rng.permutation(terms.gold_count)[:count], draw] = True
    tally = np.bincount(answers, minlength=classes)
    scoring = int((tally > 0).sum())
    weights = np.zeros(classes, np.int64)
    weights[tally > 0] = ONE * terms.gold_count // (scoring * tally[tally > 0])
    verdict = Verdict("", np.ones(shape[0], bool), np.zeros(shape[0], bool), scoring, weights)
    holders = np.where(held, np.arange(draws), NOBODY)
    earned = millionths(verdict, entries, answers, holders, workers=draws, full=terms.full) / ONE
    low, high = np.quantile(earned, [0.1, 0.9])
    return Outlook(float(earned.mean()), float(low), float(high))
