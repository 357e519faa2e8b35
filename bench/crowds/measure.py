# SPDX-License-Identifier: Apache-2.0
"""How good the labels of a draw are."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from truthmark.labels.base import Aggregator
from truthmark.labels.bwa import BWA
from truthmark.labels.dawid_skene import DawidSkene, OneCoinDawidSkene
from truthmark.labels.goldw import NONE, Votes, goldw
from truthmark.labels.scoring import judge
from truthmark.labels.voting import MajorityVote
from truthmark.testing.crowds.draws import Draw, deal
from truthmark.testing.crowds.pays import Attack, mean_of
from truthmark.testing.crowds.sets import Crowd, Ints

METHODS: dict[str, Callable[[], Aggregator]] = {
    "majority": MajorityVote,
    "dawid-skene": DawidSkene,
    "one-coin": OneCoinDawidSkene,
    "bwa": BWA,
}
"""What labels without gold; rings sway all of them."""


def accuracies(crowd: Crowd, rounds: int, attack: Attack | None, draws: int) -> dict[str, float]:
    """Return how often each method labels items right that are no gold, ties split."""
    found: dict[str, list[float]] = {name: [] for name in (*METHODS, "goldw")}
    for seed in range(draws):
        rng = np.random.default_rng([seed, rounds])
        draw = deal(crowd, rounds, rng)
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
    return {name: mean_of(values) for name, values in found.items()}


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
