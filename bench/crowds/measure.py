# SPDX-License-Identifier: Apache-2.0
"""What a draw pays whom, and how good its labels are."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.crowds.attacks import Attack
from bench.crowds.data import Crowd, Draw, Ints, replay
from truthmark.labels.base import Aggregator
from truthmark.labels.bwa import BWA
from truthmark.labels.dawid_skene import DawidSkene, OneCoinDawidSkene
from truthmark.labels.goldw import NONE, Votes, goldw
from truthmark.labels.scoring import (
    ABSENT,
    LEAST_HELD,
    NOBODY,
    ONE,
    held_gold,
    judge,
    millionths,
)
from truthmark.labels.voting import MajorityVote

FULL = 3
"""Quarters of the way at which the full price is paid."""

METHODS: dict[str, Callable[[], Aggregator]] = {
    "majority": MajorityVote,
    "dawid-skene": DawidSkene,
    "one-coin": OneCoinDawidSkene,
    "bwa": BWA,
}
"""What labels without gold; rings sway all of them."""


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

    def mean(who: npt.NDArray[np.bool_]) -> float:
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
        draw = replay(crowd, rounds, rng)
        if attack is not None:
            attack(draw, rng)
        found.append(pay_of(draw))
    live = [pay for pay in found if not pay.half]
    honest = _mean(pay.honest for pay in live)
    attackers = _mean(pay.attackers for pay in live)
    return Pays(
        honest,
        attackers,
        attackers / honest if honest else np.nan,
        1 - len(live) / len(found),
        _mean(pay.unscored for pay in live),
    )


def accuracies(crowd: Crowd, rounds: int, attack: Attack | None, draws: int) -> dict[str, float]:
    """Return how often each method labels items right that are no gold, ties split."""
    found: dict[str, list[float]] = {name: [] for name in (*METHODS, "goldw")}
    for seed in range(draws):
        rng = np.random.default_rng([seed, rounds])
        draw = replay(crowd, rounds, rng)
        if attack is not None:
            attack(draw, rng)
        votes = draw.votes()
        data = pd.DataFrame({"task": votes.items, "worker": votes.workers, "label": votes.labels})
        for name, method in METHODS.items():
            probas = method().fit_predict_proba(data)
            found[name].append(_accuracy(draw, probas.to_numpy(), probas.index, probas.columns))
        sums = _goldw(draw, votes)
        answered = np.unique(votes.items)
        found["goldw"].append(_accuracy(draw, sums[answered], answered, np.arange(crowd.n_classes)))
    return {name: _mean(values) for name, values in found.items()}


def _goldw(draw: Draw, votes: Votes) -> Ints:
    """Return the sums of weights by which a bounty labels its items."""
    gold = draw.gold
    known = np.full(len(draw.labels), NONE)
    known[gold.items] = gold.answers
    verdict = judge(draw.labels[gold.items], gold.answers, draw.crowd.n_classes)
    scored, excluded = np.zeros((2, len(known)), bool)
    scored[gold.items], excluded[gold.items] = verdict.kept, verdict.excluded
    return goldw(votes, known, scored=scored, excluded=excluded).sums


def _accuracy(draw: Draw, values: npt.NDArray[Any], items: Any, classes: Any) -> float:
    truth = draw.crowd.truth.copy()
    truth[draw.gold.items] = NONE
    asked = truth[items] != NONE
    best = np.isclose(values[asked], values[asked].max(1)[:, None], rtol=0, atol=1e-9)
    right = best & (np.asarray(classes)[None] == truth[items][asked][:, None])
    return float((right.sum(1) / best.sum(1)).mean())


def _mean(values: Iterable[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
