# SPDX-License-Identifier: Apache-2.0
"""A crowd's answers dealt into the rounds of a bounty, as arrays."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from truthmark.bounty.gold import Gold, draw_gold
from truthmark.errors import BountyError
from truthmark.labels.goldw import NONE, Votes
from truthmark.labels.scoring import ABSENT, MAX_GOLD, NOBODY, least_gold
from truthmark.testing.crowds.sets import Crowd, Ints

Generator = np.random.Generator
Mask = npt.NDArray[np.bool_]


@dataclass(slots=True)
class Draw:
    """One replay: a row an item, a column a round.

    Attributes:
        crowd: Whose answers.
        workers: Who holds the item in the round; NOBODY where nobody does.
        labels: What they say; ABSENT where they have not committed.
        n_workers: Accounts, attackers included.
        is_attacker: Of each account.
        gold: Items the requester fixed.
    """

    crowd: Crowd
    workers: Ints
    labels: Ints
    n_workers: int
    is_attacker: Mask
    gold: Gold

    def copy(self) -> "Draw":
        """Return a draw that can be attacked without changing this one."""
        return replace(
            self,
            workers=self.workers.copy(),
            labels=self.labels.copy(),
            is_attacker=self.is_attacker.copy(),
        )

    def theirs(self) -> Mask:
        """Return which cells hold attackers' labels."""
        is_attacker = np.append(self.is_attacker, False)  # the last is NOBODY's
        found: Mask = is_attacker[self.workers] & (self.labels != ABSENT)
        return found

    def seize(self, share: float, rng: Generator) -> Mask:
        """Mark accounts with a share of all labels as attackers'; return which cells those are.

        Accounts are taken over in random order until they hold that share.
        """
        counts = np.bincount(self.workers[self.workers != NOBODY], minlength=self.n_workers)
        order = rng.permutation(self.n_workers)
        before = np.cumsum(counts[order]) - counts[order]
        self.is_attacker[order[before < share * counts.sum()]] = True
        return self.theirs()

    def votes(self) -> Votes:
        """Return what was committed as arrays of answers."""
        items, rounds = np.nonzero((self.workers != NOBODY) & (self.labels != ABSENT))
        return Votes(
            items,
            self.workers[items, rounds],
            self.labels[items, rounds],
            len(self.workers),
            self.n_workers,
            self.crowd.n_classes,
        )


def deal(crowd: Crowd, rounds: int, rng: Generator) -> Draw:
    """Return a draw: answer k of an item in a seeded shuffle is round k.

    Gold is drawn evenly by class from the items whose truth is known: a tenth of them or, where
    workers answered few, as much as the median label's worker needs to hold what the smallest run
    must be expected to hold; half of them at most.
    """
    order = rng.permutation(len(crowd.items))
    order = order[np.argsort(crowd.items[order], kind="stable")]
    items = crowd.items[order]
    starts = np.searchsorted(items, np.arange(len(crowd.truth)))
    rank = np.arange(len(items)) - starts[items]
    kept = rank < rounds
    workers = np.full((len(crowd.truth), rounds), NOBODY)
    labels = np.full((len(crowd.truth), rounds), ABSENT)
    workers[items[kept], rank[kept]] = crowd.workers[order][kept]
    labels[items[kept], rank[kept]] = crowd.labels[order][kept]
    known = np.flatnonzero(crowd.truth != NONE)
    share = np.bincount(workers[known][workers[known] != NOBODY], minlength=crowd.n_workers)
    typical = float(np.median(np.repeat(share, share))) / max(1, len(known))
    needed = int(np.ceil(least_gold(rounds) / max(typical, 1e-9)))
    count = min(max(len(known) // 10, needed), len(known) // 2, MAX_GOLD)
    return Draw(
        crowd,
        workers,
        labels,
        crowd.n_workers,
        np.zeros(crowd.n_workers, bool),
        gold_of(crowd, count, rng),
    )


def gold_of(crowd: Crowd, count: int, rng: Generator, against: Ints | None = None) -> Gold:
    """Draw gold, fewer items where there are not so many."""
    while True:
        try:
            return draw_gold(
                crowd.truth,
                classes=crowd.n_classes,
                count=count,
                against=against,
                seed=int(rng.integers(2**63)),
            )
        except BountyError:
            if count < 8:
                raise
            count = count * 9 // 10
