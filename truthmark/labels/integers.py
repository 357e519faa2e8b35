# SPDX-License-Identifier: Apache-2.0
"""LN(k) = floor(1000·ln k), the same to the last digit on every machine: no float takes part.

LN(k) is the number of whole m ≥ 1 with e^(m/1000) ≤ k. So a table of the least k for each m says
all; it is made with integers of 256 binary places, between two bounds that must round alike.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from truthmark.errors import ConfigError

Ints = npt.NDArray[np.int64]

MOST = 2**63 - 1
"""The largest k that LN takes."""

_PLACES = 256


@lru_cache(maxsize=1)
def _least() -> Ints:
    """Return the least k with LN(k) ≥ m, for each m from 0 up; 43,669 values."""
    one = 1 << _PLACES
    low, term, n = 0, one, 0
    while term:  # the series of e^(1/1000), each term rounded down
        low += term
        n += 1
        term //= 1000 * n
    high = low + n + 1  # each term lost less than one, and so did the tail
    least = [1]
    below = above = one
    while True:
        below = below * low >> _PLACES
        above = (above * high >> _PLACES) + 1
        k = (below >> _PLACES) + 1  # e^(m/1000) is never whole: it is transcendental
        assert k == (above >> _PLACES) + 1, "more binary places are needed"
        if k > MOST:
            return np.array(least, np.int64)
        least.append(k)


def ln_milli(k: int) -> int:
    """Return floor(1000·ln k).

    Args:
        k: From 1 to 2^63 - 1.

    Raises:
        ConfigError: It is out of that range.
    """
    if not 1 <= k <= MOST:
        raise ConfigError(f"LN takes 1 to 2^63 - 1, not {k}; use a count of that range")
    return int(np.searchsorted(_least(), k, side="right")) - 1


def ln_milli_of(k: Ints) -> Ints:
    """Return floor(1000·ln k) of each.

    Args:
        k: Of any shape, each from 1 to 2^63 - 1.

    Raises:
        ConfigError: One is out of that range.
    """
    k = np.asarray(k, np.int64)
    if k.size and int(k.min()) < 1:
        raise ConfigError(f"LN takes 1 to 2^63 - 1, not {k.min()}; use counts of that range")
    return np.searchsorted(_least(), k, side="right").astype(np.int64) - 1
