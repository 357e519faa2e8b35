# SPDX-License-Identifier: Apache-2.0
"""Which seat judges which item in which round; nobody chooses, the seed does."""

from functools import cache

import numpy as np

from truthmark.errors import BountyError
from truthmark.labels.permutation import order_of, places_of, round_key
from truthmark.labels.scoring import Ints

NO_ITEM = -1
"""Stands for the item where the short last seat of a round has none."""


class Assignment:
    """Items, rounds and seats of a bounty whose seed is fixed.

    Args:
        seed: 32 bytes.
        items: N.
        batch: B.
        rounds: K.
    """

    def __init__(self, seed: bytes, *, items: int, batch: int, rounds: int) -> None:
        """Take the numbers; orders are made when they are asked for."""
        self.seed, self.items, self.batch, self.rounds = seed, items, batch, rounds
        self.per_round = -(-items // batch)
        self._order = cache(lambda k: order_of(round_key(seed, k), items))

    def seats_of(self, items: Ints) -> tuple[Ints, Ints]:
        """Return where items are judged.

        Args:
            items: Any of the bounty's.

        Returns:
            The seat, and the index in it, a row an item and a column a round.

        Raises:
            ConfigError: An item is out of range.
        """
        places = np.stack(
            [places_of(round_key(self.seed, k), self.items, items) for k in range(self.rounds)],
            axis=1,
        )
        seats = np.arange(self.rounds) * self.per_round + places // self.batch
        return seats, places % self.batch

    def items_of(self, start: int, seats: int) -> Ints:
        """Return the items of consecutive seats of one round, in the order in which they stand.

        Args:
            start: First seat, counted over all rounds.
            seats: How many; they do not leave the round.

        Returns:
            `seats * batch` items; NO_ITEM behind the last of a short seat.

        Raises:
            BountyError: The seats cross a round, or are none of the bounty's.
        """
        round_, first = divmod(start, self.per_round)
        if not 0 <= start < self.rounds * self.per_round or first + seats > self.per_round:
            raise BountyError(f"{seats} seats from seat {start} do not lie in one round")
        items = self._order(round_)[first * self.batch : (first + seats) * self.batch]
        missing = seats * self.batch - len(items)
        return np.concatenate([items, np.full(missing, NO_ITEM)]) if missing else items

    def labels_in(self, start: int, seats: int) -> int:
        """Return how many items consecutive seats of one round hold.

        Args:
            start: First seat, counted over all rounds.
            seats: How many; they do not leave the round.
        """
        first = start % self.per_round
        return min(self.items, (first + seats) * self.batch) - min(self.items, first * self.batch)
