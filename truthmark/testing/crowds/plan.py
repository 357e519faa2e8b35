# SPDX-License-Identifier: Apache-2.0
"""How large the bounty is in which a crowd is replayed, and what its seats are."""

from dataclasses import dataclass

import numpy as np

from truthmark.bounty.terms import MAX_RUN, MAX_WORKERS
from truthmark.errors import ConfigError
from truthmark.labels.goldw import NONE
from truthmark.labels.permutation import MAX_ITEMS
from truthmark.labels.scoring import MAX_GOLD, least_gold
from truthmark.testing.crowds.draws import Generator, Mask
from truthmark.testing.crowds.sets import Crowd, Ints

_BATCH = 50
_WASTE = 0.02
"""Of a round's seats, those that no whole run takes."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A bounty for a crowd.

    Attributes:
        sources: The crowd's item behind each item of the bounty.
        is_first: Whether it is the first of its source; the others are copies.
        rounds: K.
        batch: B.
        run: Seats of each labeler.
        gold: How many items.
    """

    sources: Ints
    is_first: Mask
    rounds: int
    batch: int
    run: int
    gold: int

    @property
    def items(self) -> int:
        """N."""
        return len(self.sources)

    @property
    def per_round(self) -> int:
        """Seats of a round."""
        return -(-self.items // self.batch)

    @property
    def labelers(self) -> int:
        """Whole runs of all rounds."""
        return self.rounds * (self.per_round // self.run)


def make_plan(
    crowd: Crowd, rng: Generator, *, rounds: int, labelers: int | None, labels: int | None
) -> Plan:
    """Return the bounty in which a crowd is replayed.

    Each item of the crowd once and runs of 50 labels, unless more are needed to hold enough gold,
    or the crowd is smaller. Where numbers are given, items are as many as those labelers label in
    these rounds: a part of the crowd's, or some of them more than once.

    Args:
        crowd: Whose answers.
        rng: Draws which items.
        rounds: K, 2 to 9.
        labelers: How many accounts, about; None for as many as it takes.
        labels: Of each, about; None for what is said above.

    Raises:
        ConfigError: No such bounty is sound; the message says what to change.
    """
    count = len(crowd.truth)
    if labelers is not None:
        if not rounds <= labelers <= MAX_WORKERS:
            raise ConfigError(f"{rounds} rounds take {rounds} to {MAX_WORKERS} labelers; give such")
        each = labels or max(1, rounds * count // labelers)
        count = -(-labelers * each // rounds)
    if count > MAX_ITEMS:
        raise ConfigError(f"so many labels need {count} items; a bounty has {MAX_ITEMS} at most")
    sources = np.resize(rng.permutation(len(crowd.truth)), count)
    known = int((crowd.truth[sources] != NONE).sum())
    most_gold = min(MAX_GOLD, known // 2)
    least = least_gold(rounds)
    # A run of n labels holds n·gold/items gold items.
    needed = -(-least * count // max(1, most_gold))
    if labels is not None and labels < needed:
        raise ConfigError(
            f"{labels} labels a labeler hold too little gold, as the truth of {known} of {count}"
            f" items is known; give {needed} labels or more"
        )
    each = labels or (
        max(needed, rounds * count // labelers)
        if labelers is not None
        else max(needed, _BATCH, -(-count * rounds // crowd.n_workers))
    )
    if needed > count:
        raise ConfigError(
            f"the truth of {known} items is known; rounds of {least} gold items need {2 * least}"
        )
    batch, run = _seats(count, min(each, count))
    per_round = -(-count // batch)
    gold = min(most_gold, max(known // 10, -(-least * per_round // run)))
    return Plan(sources, np.arange(count) < len(crowd.truth), rounds, batch, run, gold)


def _seats(items: int, each: int) -> tuple[int, int]:
    """Return items of a seat and seats of a run, so that runs of about `each` fill a round.

    Raises:
        ConfigError: A run would have more seats than there may be.
    """
    found = []
    for batch in range(min(_BATCH, each), 0, -1):
        per_round, run = -(-items // batch), max(1, round(each / batch))
        rest = per_round % run / per_round
        if run <= min(MAX_RUN, per_round):
            found.append((rest, batch, run))
            if rest <= _WASTE:
                break
    if not found:
        raise ConfigError(
            f"a labeler labels at most {MAX_RUN * _BATCH} items in a run; give fewer labels"
        )
    _, batch, run = min(found, key=lambda one: (one[0], -one[1]))
    return batch, run
