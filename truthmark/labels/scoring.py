# SPDX-License-Identifier: Apache-2.0
"""Which gold counts, what a class weighs, and what a worker's answers earn (docs/bounties.md).

In words: every class is worth the same, a skip is a wrong answer, guessing pays nothing, three
quarters of the way from guessing to perfect pay the full price, a straight line between. All is
integers, so a contract finds the same numbers.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from truthmark.errors import ConfigError

ONE: Final = 1_000_000
"""The full price, in millionths."""
ABSENT: Final = 254
"""The entry of a seat that nobody answers for."""
SKIP: Final = 255
"""The entry of an answer that is not a class."""
MAX_CLASSES: Final = 254
MAX_GOLD: Final = 2048
LEAST_HELD: Final = 4
"""With fewer scoring gold items in the whole run, nobody could have scored a worker."""
NOBODY: Final = -1
"""Stands for the holder of a seat that nobody holds."""

Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.integer[Any]]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the answers on gold say of the gold.

    Attributes:
        half: Why the bounty ends HALF, or nothing.
        counted: Whether each gold item has enough answers.
        excluded: Whether so many agree against each gold item that it is not used.
        classes: How many classes score.
        weights: Of a right answer in each class, in millionths; zeros in HALF.
    """

    half: str
    counted: Mask
    excluded: Mask
    classes: int
    weights: Ints

    @property
    def kept(self) -> Mask:
        """Whether each gold item counts and is not excluded."""
        return self.counted & ~self.excluded


def least_answers(rounds: int) -> int:
    """Return how many answers a gold item needs to count, and how many against it to exclude it."""
    return min(3, rounds)


def least_gold(rounds: int) -> int:
    """Return how many gold items the smallest run must be expected to hold.

    With few rounds, seats that are never committed leave more gold with too few answers.
    """
    return {2: 14, 3: 20}.get(rounds, 10)


def why_malformed(
    gold_items: Numbers,
    answers: Numbers,
    *,
    items: int,
    classes: int,
) -> str:
    """Return what makes gold unusable, or nothing where it is well-formed.

    Args:
        gold_items: The items, strictly ascending.
        answers: Their classes.
        items: N, how many items the bounty has.
        classes: C.
    """
    count = len(gold_items)
    if len(answers) != count or not 0 < count <= MAX_GOLD:
        return f"gold has 1 to {MAX_GOLD} items with an answer each"
    if int(gold_items[0]) < 0 or int(gold_items[-1]) >= items or (np.diff(gold_items) <= 0).any():
        return f"gold items must ascend from 0 to {items - 1}, each once"
    if int(answers.min()) < 0 or int(answers.max()) >= classes:
        return f"gold answers are classes from 0 to {classes - 1}"
    held = np.bincount(answers, minlength=classes)
    if int((2 * (held > 0).sum() * held >= count)[held > 0].sum()) < 2:
        return "gold needs two classes with at least half of an even share each"
    return ""


def judge(entries: Numbers, answers: Numbers, classes: int) -> Verdict:
    """Find which gold counts, which is excluded, and what each class weighs.

    Args:
        entries: A row a gold item, a column a round: a class, ABSENT or SKIP. Any other byte
            is as a skip.
        answers: Gold's class of each item.
        classes: C, 2 to 254.

    Raises:
        ConfigError: Shapes differ, or a value is not a byte or no class.
    """
    given, gold = _checked(entries, answers, classes)
    count, rounds = given.shape
    least = least_answers(rounds)
    answered = (given != ABSENT).sum(1)
    counted = answered >= least
    rows, columns = np.nonzero((given < classes) & (given != gold[:, None]))
    votes = np.bincount(rows * classes + given[rows, columns], minlength=count * classes)
    most = votes.reshape(count, classes).max(1, initial=0)
    excluded = counted & (most >= least) & (3 * most >= 2 * answered)
    held = np.bincount(gold[counted & ~excluded], minlength=classes)
    scoring = (held > 0) & (2 * (held > 0).sum() * held >= held.sum())
    scored = int(scoring.sum())
    half = ""
    if not counted.any():
        half = "nothing counts"
    elif 10 * int(excluded.sum()) > 3 * int(counted.sum()):
        half = "excluded"
    elif scored < 2:
        half = "classes"
    weights = np.zeros(classes, np.int64)
    if not half:
        weights[scoring] = ONE * held[scoring].sum() // (scored * held[scoring])
    return Verdict(half, counted, excluded, scored, weights)


def millionths(
    verdict: Verdict,
    entries: Numbers,
    answers: Numbers,
    holders: Numbers,
    *,
    workers: int,
    full: int,
) -> Ints:
    """Return what each worker earns of the price, as if all were marked fine.

    Args:
        verdict: What `judge` found.
        entries: A row a gold item, a column a round.
        answers: Gold's class of each item.
        holders: Of the same shape as `entries`: the worker whose whole run by the roster holds the
            item in the round, committed or not, or NOBODY.
        workers: How many there are.
        full: At how many quarters of the way from guessing to perfect the full price is paid.

    Returns:
        0 to 10^6 for each worker; zeros in HALF, where no line counts.

    Raises:
        ConfigError: Shapes differ, or a value is out of range.
    """
    given, gold = _checked(entries, answers, len(verdict.weights))
    held_by = np.asarray(holders, np.int64)
    if held_by.shape != given.shape:
        raise ConfigError("entries and holders differ in shape; give a holder for each entry")
    if held_by.size and not (held_by.min() >= NOBODY and held_by.max() < workers):
        raise ConfigError(f"a holder is no worker; give {NOBODY} to {workers - 1}")
    if full not in (2, 3):
        raise ConfigError("the full price is paid at 2 or 3 quarters of the way; choose one")
    if verdict.half:
        return np.zeros(workers, np.int64)
    worth = verdict.weights[gold]
    rows, columns = np.nonzero(_is_held(verdict, given, gold, held_by))
    who, entry = held_by[rows, columns], given[rows, columns]
    held = np.bincount(who, minlength=workers)
    is_right, is_answer = entry == gold[rows], entry != ABSENT
    right = _sums(who[is_right], worth[rows[is_right]], workers)
    answered = _sums(who[is_answer], worth[rows[is_answer]], workers)
    return np.where(held < LEAST_HELD, ONE // 2, _line(right, answered, verdict.classes, full))


def held_gold(
    verdict: Verdict, entries: Numbers, answers: Numbers, holders: Numbers, workers: int
) -> Ints:
    """Return how many gold items of each worker's whole run could have scored them.

    Args:
        verdict: What `judge` found.
        entries: A row a gold item, a column a round.
        answers: Gold's class of each item.
        holders: Of the same shape: as for `millionths`.
        workers: How many there are.
    """
    given, gold = _checked(entries, answers, len(verdict.weights))
    held_by = np.asarray(holders, np.int64)
    return np.bincount(held_by[_is_held(verdict, given, gold, held_by)], minlength=workers)


def pay(price: int, items: int, earned: int) -> int:
    """Return what `items` labels earn, in the token's smallest unit.

    Args:
        price: Of a label.
        items: How many the committed seats hold.
        earned: Millionths of the price.
    """
    return price * items * earned // ONE


def _is_held(verdict: Verdict, given: Ints, gold: Ints, held_by: Ints) -> Mask:
    # What a worker left unanswered is held, whether it counts or not: where all rounds must answer
    # for an item to count, who commits a prefix alone would else have no gold to be scored on.
    could_score = verdict.kept[:, None] | (given == ABSENT)
    held: Mask = (held_by != NOBODY) & could_score & (verdict.weights[gold] > 0)[:, None]
    return held


def _line(right: Ints, answered: Ints, classes: int, full: int) -> Ints:
    # Weights of one class sum to at most 10^6 G''/C', so all but ONE * x is below 2^43; that is
    # needed only where x is less than the way.
    q = ONE + answered
    x = 4 * (classes * right - q)
    way = full * (classes - 1) * q
    return np.where(x >= way, ONE, ONE * np.clip(x, 0, way) // way)


def _sums(who: Ints, worth: Ints, workers: int) -> Ints:
    total = np.zeros(workers, np.int64)
    np.add.at(total, who, worth)
    return total


def _checked(entries: Numbers, answers: Numbers, classes: int) -> tuple[Ints, Ints]:
    given, gold = np.asarray(entries, np.int64), np.asarray(answers, np.int64)
    if not 2 <= classes <= MAX_CLASSES:
        raise ConfigError(f"a bounty has 2 to {MAX_CLASSES} classes, not {classes}")
    if given.ndim != 2 or not given.shape[1] or gold.shape != (len(given),):
        raise ConfigError("give a row of entries and one answer for each gold item")
    if not 0 < len(gold) <= MAX_GOLD:
        raise ConfigError(f"gold has 1 to {MAX_GOLD} items, not {len(gold)}")
    if not (gold.min() >= 0 and gold.max() < classes):
        raise ConfigError(f"a gold answer is not a class; give 0 to {classes - 1}")
    if given.min() < 0 or given.max() > SKIP:
        raise ConfigError(
            f"an entry is not a byte; give classes, {ABSENT} for absent, {SKIP} to skip"
        )
    return given, gold
