# SPDX-License-Identifier: Apache-2.0
"""A job in waves: after the first, only items that are still unsure are asked again.

Each wave is a bounty of its own, on its own items and with its own gold. The labels of all waves
together are `goldw` over all their answers: a worker is their signer, so who keeps their key over
the waves of a job is weighed by the gold of all of them.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from truthmark.bounty.gold import Gold
from truthmark.bounty.result import Result
from truthmark.bounty.sealing import OpenedRun
from truthmark.bounty.verify import verdict_of, votes_of
from truthmark.errors import BountyError, ConfigError
from truthmark.labels.goldw import NONE, Votes, Weighted, goldw
from truthmark.labels.scoring import Ints, Mask, Verdict

WAVES: Final = (2, 2, 3)
"""The rounds of each wave."""
BELOW: Final = 1_600
"""Items with a smaller margin are asked again; thousandths of a nat (docs/waves.md)."""
LATER: Final = 75
"""Of that, in per cent, what counts from the second wave on: what four answers leave open, more
answers are less likely to settle."""


@dataclass(frozen=True, slots=True)
class Wave:
    """The opened labels of one bounty of a job.

    Attributes:
        items: Of the job, ascending: which of its items each item of the bounty is.
        votes: The answers, items and workers numbered as in the bounty.
        signers: Of each worker; the same signer in two waves is the same worker.
        gold: Of the bounty.
        verdict: What its answers say of it; None without gold.
    """

    items: Ints
    votes: Votes
    signers: Sequence[Hashable]
    gold: Gold
    verdict: Verdict | None


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """All waves as one set of answers.

    Attributes:
        labels: Of all items of the job.
        trusted: Which items take their answer from gold.
        waves: How many were joined.
    """

    labels: Weighted
    trusted: Mask
    waves: int

    def unsure(self, below: int = BELOW) -> Ints:
        """Return the items to ask again, ascending; what gold answers is sure.

        Args:
            below: The margin below which an item is unsure after the first wave, in thousandths of
                a nat; after later ones it is three quarters of that.
        """
        least = below if self.waves == 1 else below * LATER // 100
        return np.flatnonzero((self.labels.margins < least) & ~self.trusted)


def wave_of(result: Result, opened: dict[int, OpenedRun], items: Ints) -> Wave:
    """Return a bounty as a wave of a job.

    Args:
        result: The bounty.
        opened: By worker, their labels.
        items: Of the job, ascending: which of its items each item of the bounty is.

    Raises:
        BountyError: Its codes are hashes, which nobody can weigh.
    """
    votes = votes_of(result.record, opened)
    if votes is None:
        raise BountyError("labels that are hashes have no waves; ask all items at once")
    signers = [row.signer.lower() for row in result.record.roster.rows]
    return Wave(items, votes, signers, result.known_gold(), verdict_of(result, opened))


def join_waves(waves: Sequence[Wave], n_items: int) -> Joined:
    """Label the items of a job by all waves that were labeled.

    Args:
        waves: In the order in which they were.
        n_items: How many items the job has.

    Raises:
        BountyError: There is no wave, or one does not fit the others.
    """
    if not waves:
        raise BountyError("there is no wave to label by; label the first")
    places: dict[Hashable, int] = {}
    items, workers, labels = [], [], []
    gold = np.full(n_items, NONE, np.int64)
    scored, excluded = np.zeros((2, n_items), np.bool_)
    for wave in waves:
        _require_fitting(wave, waves[0].votes.n_classes, n_items)
        mine = np.array([places.setdefault(s, len(places)) for s in wave.signers], np.int64)
        items.append(wave.items[wave.votes.items])
        workers.append(mine[wave.votes.workers])
        labels.append(wave.votes.labels)
        known = wave.items[wave.gold.items]
        gold[known] = wave.gold.answers
        if wave.verdict is not None:
            scored[known], excluded[known] = wave.verdict.kept, wave.verdict.excluded
    votes = Votes(
        np.concatenate(items),
        np.concatenate(workers),
        np.concatenate(labels),
        n_items,
        len(places),
        waves[0].votes.n_classes,
    )
    found = goldw(votes, gold, scored=scored, excluded=excluded)
    return Joined(found, (gold != NONE) & ~excluded, len(waves))


def _require_fitting(wave: Wave, classes: int, n_items: int) -> None:
    count = len(wave.items)
    if wave.votes.n_classes != classes:
        raise BountyError("the waves of a job have the same classes; these are of different jobs")
    if wave.votes.n_items != count or wave.votes.n_workers != len(wave.signers):
        raise BountyError("a wave's items and signers are not those of its bounty; read it again")
    if count and not (wave.items[0] >= 0 and wave.items[-1] < n_items):
        raise BountyError(f"a wave asks of items that are not among the job's {n_items}")
    if (np.diff(wave.items) <= 0).any():
        raise BountyError("a wave's items must ascend, each once; number them again")


def parse_waves(text: str) -> tuple[int, ...]:
    """Return the labels an item of each wave; none where nothing is written.

    Raises:
        ConfigError: It is written in another way than `2+2+3`.
    """
    if not text.strip():
        return ()
    parts = [part.strip() for part in text.split("+")]
    if not all(part.isdecimal() for part in parts):
        raise ConfigError(f"{text!r} is no list of waves; write it like 2+2+3")
    return tuple(map(int, parts))
