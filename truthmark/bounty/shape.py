# SPDX-License-Identifier: Apache-2.0
"""How a bounty is cut: batches, rounds and runs, so that everyone can be judged on enough gold."""

from dataclasses import dataclass
from typing import Final

from truthmark.bounty.terms import MAX_BATCH, MAX_RUN, MAX_SEATS, Terms
from truthmark.errors import BountyError
from truthmark.labels.scoring import MAX_GOLD, least_gold

GOOD_GOLD: Final = 20
"""Gold items a run, at which pay follows skill closely (docs/bounties-crowds.md)."""
ROUNDS: Final = 5
TEAM_ROUNDS: Final = 3
SHARE: Final = 5
"""One labeler gives at most one in so many of all labels."""

_BATCH: Final = 50
_SEATS_A_ROUND: Final = (20, 60)


@dataclass(frozen=True, slots=True)
class Shape:
    """The numbers of the terms that say who labels how much.

    Attributes:
        items: N.
        rounds: K.
        batch: B.
        gold: G; 0 in team mode.
        min_run: Seats of a labeler, at least.
        max_run: And at most.
        min_seats: Fewer on the roster, and the bounty is refunded.
        idle: People of a team for whom there is no work.
    """

    items: int
    rounds: int
    batch: int
    gold: int
    min_run: int
    max_run: int
    min_seats: int
    idle: int = 0

    @property
    def per_round(self) -> int:
        """Seats a round, R."""
        return -(-self.items // self.batch)

    @property
    def seats(self) -> int:
        """Seats of all rounds."""
        return self.rounds * self.per_round

    @property
    def labels(self) -> int:
        """How many labels are bought at most."""
        return self.items * self.rounds

    @property
    def least_labels(self) -> int:
        """How many labels a labeler gives at least."""
        return min(self.items, self.min_run * self.batch)

    @property
    def most_labels(self) -> int:
        """And at most."""
        return min(self.items, self.max_run * self.batch)

    @property
    def gold_in_least(self) -> float:
        """How many gold items the smallest run may expect."""
        return self.min_run * self.gold / self.per_round

    @classmethod
    def of(cls, terms: Terms) -> "Shape":
        """Return the shape of terms."""
        return cls(
            terms.items,
            terms.rounds,
            terms.batch,
            terms.gold_count,
            terms.min_run,
            terms.max_run,
            terms.min_seats,
        )


def advised_gold(items: int, rounds: int) -> int:
    """Return how much gold is advised for so many items: one in twenty, within what helps.

    Args:
        items: How many items the bounty has.
        rounds: K.
    """
    least = 5 * max(GOOD_GOLD, least_gold(rounds))
    return min(MAX_GOLD, items // 2, max(least, items // 20))


def shape_open(items: int, *, rounds: int = ROUNDS, gold: int, batch: int | None = None) -> Shape:
    """Cut a bounty that is judged on gold.

    The smallest run is as short as the gold allows, and divides a round, so that no seats are
    left over.

    Args:
        items: N.
        rounds: K, 2 or more.
        gold: G.
        batch: B; chosen so that runs are short, if not given.

    Raises:
        BountyError: There is too little gold, or there are too many items for it.
    """
    if rounds < 2:
        raise BountyError("gold needs 2 labels an item or more; or leave it out and invite a team")
    least = least_gold(rounds)
    for aim in (max(GOOD_GOLD, least), least):
        found = [
            (run * size, -size, run)
            for size in ([batch] if batch is not None else _batches(items))
            if rounds * -(-items // size) < MAX_SEATS
            for run in [_least_run(-(-items // size), gold, aim)]
            if run is not None
        ]
        if found:
            _, size, min_run = min(found)
            break
    else:
        raise BountyError(_too_little(items, rounds, gold, batch))
    size = -size
    per_round = -(-items // size)
    cap = min(MAX_RUN, per_round, max(min_run, rounds * per_round // SHARE))
    return Shape(
        items=items,
        rounds=rounds,
        batch=size,
        gold=gold,
        min_run=min_run,
        max_run=cap // min_run * min_run,
        min_seats=-(-9 * min(3, rounds) * per_round // 10),
    )


def shape_team(
    items: int,
    *,
    people: int,
    rounds: int | None = None,
    batch: int | None = None,
    most: int = MAX_RUN * MAX_BATCH,
) -> Shape:
    """Cut a bounty for people one knows, so that each has the same share.

    Args:
        items: N.
        people: How many are invited.
        rounds: K: how many of them judge an item; if not given, up to three, so that all have
            the same to do.
        batch: B; chosen if not given.
        most: Items of one person; `terms.MAX_HASHES` where labels are texts.

    Raises:
        BountyError: There are too few people, or too many items for them.
    """
    if rounds is None:
        choices = [k for k in range(min(TEAM_ROUNDS, people), 0, -1) if people % k == 0]
    elif people < rounds:
        raise BountyError(
            f"{rounds} labels an item need as many people, and {people} are invited; invite more,"
            " or take fewer labels"
        )
    else:
        choices = [rounds]
    for chosen in choices:
        found = _team(items, people, chosen, batch, most)
        if found is not None:
            return found
    each = min(most, MAX_RUN * (batch or MAX_BATCH))
    raise BountyError(
        f"so few people cannot label {items} items in one bounty, {people // choices[-1] * each} at"
        " most; invite more, or split the items"
    )


def _team(items: int, people: int, rounds: int, batch: int | None, most: int) -> Shape | None:
    each_round = people // rounds
    found = []
    for size in [batch] if batch is not None else range(1, MAX_BATCH + 1):
        per_round = -(-items // size)
        run = -(-per_round // each_round)
        if run <= MAX_RUN and run * size <= most and rounds * per_round < MAX_SEATS:
            # Equal shares first; then batches of about ten, so that a prefix can be committed.
            waste = run * each_round - per_round
            found.append((waste * size, abs(size - 10), size, run, per_round))
    if not found:
        return None
    waste, _, size, run, per_round = min(found)
    return Shape(
        items=items,
        rounds=rounds,
        batch=size,
        gold=0,
        min_run=run if waste == 0 else 1,
        max_run=run,
        min_seats=1,
        idle=people - rounds * -(-per_round // run),
    )


def _batches(items: int) -> range:
    """Return the sizes of batches to choose from: some dozens of seats a round, or fifty items."""
    low, high = (max(1, -(-items // seats)) for seats in reversed(_SEATS_A_ROUND))
    return range(min(low, _BATCH - 10), min(high, MAX_BATCH) + 1)


def _least_run(per_round: int, gold: int, aim: int) -> int | None:
    """Return the shortest run that divides a round and expects so much gold; None for none."""
    needed = max(1, -(-aim * per_round // max(1, gold)))
    divisors = (run for run in range(needed, min(MAX_RUN, per_round) + 1) if per_round % run == 0)
    return next(divisors, None)


def _too_little(items: int, rounds: int, gold: int, batch: int | None) -> str:
    least = least_gold(rounds)
    longest = min(items, MAX_RUN * (batch or MAX_BATCH))
    needed = max(least, -(-least * items // longest))
    if needed > MAX_GOLD:
        return f"{items} items are too many for one bounty with gold; split them"
    if gold >= needed:
        needed = -(-5 * needed // 4)
    if needed > items:
        return (
            f"too few items ({items}) to judge people on gold among them: about {needed} known"
            " answers are needed; bring more items, or invite a team"
        )
    good = max(needed, advised_gold(items, rounds))
    return (
        f"{gold} gold items are too few for {items} items and {rounds} labels each: about"
        f" {needed} are needed, {good} are good; know more answers"
        " (`truthmark bounty gold`), or invite a team"
    )
