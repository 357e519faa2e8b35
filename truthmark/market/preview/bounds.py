# SPDX-License-Identifier: Apache-2.0
"""What draws that were all good show of the rest: at most so much of it is otherwise."""

from dataclasses import dataclass
from typing import Final

DOUBT: Final = 0.05
"""Chance that more than the bound is otherwise, and yet no draw met it."""
MANY_TRIES: Final = 10_000
"""How often a seller may have listed only to be lucky."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The two bounds of a number of draws.

    Attributes:
        draws: m.
        one_try: Share of the bytes, and of the rows, that may be otherwise.
        many_tries: The same if the seller listed `MANY_TRIES` times to be lucky.
    """

    draws: int
    one_try: float
    many_tries: float

    @classmethod
    def of(cls, draws: int) -> "Bounds":
        """Return those of `draws` draws, half by shard and half by row."""
        return cls(draws, bound(draws), bound(draws, MANY_TRIES))

    @property
    def lines(self) -> list[str]:
        """Both in words."""
        return [
            f"{self.draws} draws found nothing wrong: with 95 % certainty at most "
            f"{_percent(self.one_try)} of the bytes and at most {_percent(self.one_try)} of the "
            "rows are otherwise",
            f"even if the seller listed {MANY_TRIES:,} times to be lucky, at most "
            f"{_percent(self.many_tries)} of each",
        ]


def bound(draws: int, tries: int = 1) -> float:
    """Return the largest bad share that `draws` good draws leave possible, `1 - (0.05/R)^(2/m)`.

    The exponent is 2/m because half of the draws go by shard and half by row, and a lie may be
    met by one half only.

    Args:
        draws: m; 0 leaves everything possible.
        tries: R, how often the seller may have tried.
    """
    if draws <= 0:
        return 1.0
    return float(1.0 - (DOUBT / tries) ** (2.0 / draws))


def detection(draws: int, bad_shards: float, bad_rows: float) -> float:
    """Return the chance that draws meet a lie.

    Args:
        draws: m: the even ones by shard, the odd ones by row.
        bad_shards: Share of the shards that are bad.
        bad_rows: Share of the rows that are bad.
    """
    by_row = draws // 2
    return float(1.0 - (1.0 - bad_shards) ** (draws - by_row) * (1.0 - bad_rows) ** by_row)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"
