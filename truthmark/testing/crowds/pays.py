# SPDX-License-Identifier: Apache-2.0
"""What a draw pays whom, with attackers and without."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from truthmark.labels.scoring import ABSENT, LEAST_HELD, NOBODY, ONE, held_gold, judge, millionths
from truthmark.testing.crowds.draws import Draw, Generator, Mask, deal
from truthmark.testing.crowds.sets import Crowd

FULL = 3
"""Quarters of the way at which the full price is paid."""
MOST = 0.5
"""Of mean honest pay, what attackers who know nothing may earn on able crowds."""

Attack = Callable[[Draw, Generator], None]
"""Changes a draw: takes accounts over, and says what they say."""


@dataclass(frozen=True, slots=True)
class Pay:
    """What one draw pays, as parts of the full price of what was committed.

    Attributes:
        honest: Mean over the honest's labels.
        attackers: Mean over the attackers' labels; NaN for none.
        half: Whether the bounty ends HALF; pay is then not counted.
        unscored: Of all labels, those of accounts with too little gold to be scored.
    """

    honest: float
    attackers: float
    half: bool
    unscored: float


def pay_of(draw: Draw) -> Pay:
    """Return what a draw pays; accounts with too little gold are left out on both sides."""
    gold, classes = draw.gold, draw.crowd.n_classes
    entries, holders = draw.labels[gold.items], draw.workers[gold.items]
    verdict = judge(entries, gold.answers, classes)
    if verdict.half:
        return Pay(np.nan, np.nan, True, np.nan)
    earned = millionths(verdict, entries, gold.answers, holders, workers=draw.n_workers, full=FULL)
    held = held_gold(verdict, entries, gold.answers, holders, draw.n_workers)
    committed = draw.workers[(draw.workers != NOBODY) & (draw.labels != ABSENT)]
    labels = np.bincount(committed, minlength=draw.n_workers)
    scored = held >= LEAST_HELD

    def mean(who: Mask) -> float:
        weight = labels * (who & scored)
        return float((earned * weight).sum() / weight.sum() / ONE) if weight.sum() else np.nan

    return Pay(
        mean(~draw.is_attacker),
        mean(draw.is_attacker),
        False,
        float(labels[~scored].sum() / max(1, labels.sum())),
    )


@dataclass(frozen=True, slots=True)
class Pays:
    """The same over draws.

    Attributes:
        honest: Mean, of draws without HALF.
        attackers: Mean, of draws without HALF.
        ratio: Of those two.
        half: Share of the draws that end HALF.
        unscored: Mean share of labels in accounts with too little gold.
    """

    honest: float
    attackers: float
    ratio: float
    half: float
    unscored: float


def pays(crowd: Crowd, rounds: int, attack: Attack | None, draws: int) -> Pays:
    """Replay a crowd under an attack."""
    found = []
    for seed in range(draws):
        rng = np.random.default_rng([seed, rounds])
        draw = deal(crowd, rounds, rng)
        if attack is not None:
            attack(draw, rng)
        found.append(pay_of(draw))
    live = [pay for pay in found if not pay.half]
    honest = mean_of(pay.honest for pay in live)
    attackers = mean_of(pay.attackers for pay in live)
    return Pays(
        honest,
        attackers,
        attackers / honest if honest else np.nan,
        1 - len(live) / len(found),
        mean_of(pay.unscored for pay in live),
    )


def mean_of(values: Iterable[float]) -> float:
    """Return the mean of what is known; NaN where nothing is."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
