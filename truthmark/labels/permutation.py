# SPDX-License-Identifier: Apache-2.0
"""The order in which a round of a bounty goes through its items (docs/bounties.md).

A keyed permutation of [0, count): a Feistel network over two halves of about √count, which walks
on while it leaves the range. The same numbers as `contracts/modules/permutation.vy`.
"""

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from truthmark.errors import ConfigError
from truthmark.hashing import keccak256

MAX_ITEMS: Final = 2**24 - 1

_MIX_1: Final = np.uint64(11400714819323198485)
_MIX_2: Final = np.uint64(15485907640880692627)
_HALF: Final = np.uint64(32)

Ints = npt.NDArray[np.int64]
_Words = npt.NDArray[np.uint64]


def round_key(seed: bytes, round_: int) -> int:
    """Return the key of a round: keccak256(seed ‖ word(round)) as a number.

    Args:
        seed: The bounty's, 32 bytes.
        round_: Counted from 0.
    """
    return int.from_bytes(keccak256(seed + round_.to_bytes(32, "big")), "big")


def places_of(key: int, count: int, items: npt.NDArray[np.integer[Any]] | None = None) -> Ints:
    """Return the place of each item in the order of a round.

    Args:
        key: Of `round_key`.
        count: How many items there are, 1 to 2^24 - 1.
        items: Which to place, each below `count`; all of them unless given.

    Raises:
        ConfigError: `count` or an item is out of range.
    """
    if not 1 <= count <= MAX_ITEMS:
        raise ConfigError(f"a bounty has 1 to {MAX_ITEMS} items, not {count}; split it")
    if items is None:
        x = np.arange(count, dtype=np.uint64)
    else:
        given = np.asarray(items)
        if given.size and (given.min() < 0 or given.max() >= count):
            raise ConfigError(f"an item is not in 0 to {count - 1}; number them from 0")
        x = given.astype(np.uint64)
    width = math.isqrt(count - 1) + 1
    halves = np.uint64(width), np.uint64(-(-count // width))
    subkeys = [np.uint64(key >> shift & 0xFFFFFFFF) for shift in (0, 32, 64, 96)]
    x = _step(x, halves, subkeys)
    # A product of the halves is below count + √count: few walk on, and fewer twice.
    outside = np.flatnonzero(x >= count)
    while len(outside):
        x[outside] = _step(x[outside], halves, subkeys)
        outside = outside[x[outside] >= count]
    return x.astype(np.int64)


def order_of(key: int, count: int) -> Ints:
    """Return the items of a round by place: the inverse of `places_of`.

    Args:
        key: Of the round, a number of 256 bits.
        count: N, the items.

    Raises:
        ConfigError: `count` is out of range.
    """
    order = np.empty(count, np.int64)
    order[places_of(key, count)] = np.arange(count)
    return order


def _step(x: _Words, halves: tuple[np.uint64, np.uint64], subkeys: list[np.uint64]) -> _Words:
    width, height = halves
    left, right = x % width, x // width
    for first, second in (subkeys[:2], subkeys[2:]):
        left = (left + _mix(right, first)) % width
        right = (right + _mix(left, second)) % height
    return left + width * right


def _mix(value: _Words, subkey: np.uint64) -> _Words:
    # Products wrap at 2^64, as the page has it.
    mixed = (value + subkey) * _MIX_1
    mixed ^= mixed >> _HALF
    mixed *= _MIX_2
    mixed >>= _HALF
    return mixed
