# SPDX-License-Identifier: Apache-2.0
"""Items whose answer the requester knows: fixed by a commitment, shown with the score.

Drawn evenly by class, so that pay, which weighs classes alike, rests on enough of each. Against a
model: only items on which its predictions are no better than chance within each class, so that
accounts that answer as the model does earn what guessing earns.
"""

import secrets
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from truthmark.errors import BountyError
from truthmark.hashing import keccak256
from truthmark.keys.abi_hash import word
from truthmark.labels.scoring import Ints, Numbers, why_malformed

ENTRY_BYTES: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class Gold:
    """Gold items in ascending order, with their answers.

    Attributes:
        items: Places of items, strictly ascending.
        answers: The class of each.
    """

    items: Ints
    answers: Ints

    def __len__(self) -> int:
        """How many there are."""
        return len(self.items)

    def pack(self) -> bytes:
        """Return u24 item and u8 answer of each."""
        words = (self.items << 8) | self.answers
        return words.astype(">u4").tobytes()

    @classmethod
    def parse(cls, packed: bytes) -> Self:
        """Return the gold of packed bytes.

        Raises:
            BountyError: It is not a whole number of entries.
        """
        if len(packed) % ENTRY_BYTES:
            raise BountyError(f"gold is {ENTRY_BYTES} bytes an item; fetch the score again")
        words = np.frombuffer(packed, ">u4").astype(np.int64)
        return cls(words >> 8, words & 255)

    def commitment(self, salt: bytes) -> bytes:
        """Return what the terms carry, 32 bytes.

        Args:
            salt: 32 bytes.
        """
        return keccak256(word(salt) + self.pack())

    def require_sound(self, *, items: int, classes: int) -> None:
        """Refuse gold that could not be scored with.

        Args:
            items: How many items the bounty has.
            classes: How many classes there are.

        Raises:
            BountyError: It is malformed; the message says why.
        """
        if why := why_malformed(self.items, self.answers, items=items, classes=classes):
            raise BountyError(f"{why}; draw it again")


def draw_gold(
    answers: Numbers,
    *,
    classes: int,
    count: int,
    against: Numbers | None = None,
    seed: int | None = None,
) -> Gold:
    """Draw gold evenly by class from items whose answer is known.

    A class with too few items gives all it has; the others make up for it.

    Args:
        answers: The known class of each item, below 0 where it is not known.
        classes: C.
        count: How many gold items.
        against: A model's class for each item. In each class, the share of gold on which it is
            right is then 1 / C at most: what guessing gets.
        seed: Draws the same again; from the system's randomness if not given.

    Raises:
        BountyError: There are not enough items, or they are too one-sided for gold.
    """
    known = np.asarray(answers, np.int64)
    if int(known.max(initial=-1)) >= classes:
        raise BountyError(f"a known answer is no class; give 0 to {classes - 1}")
    rng = np.random.default_rng(secrets.randbits(128) if seed is None else seed)
    pools = [rng.permutation(np.flatnonzero(known == c)) for c in range(classes)]
    if against is None:
        ready = pools
    else:
        guesses = np.asarray(against, np.int64)
        if guesses.shape != known.shape:
            raise BountyError("predictions and items differ in number; give one each")
        ready = [_at_chance(pool, guesses[pool] == c, classes) for c, pool in enumerate(pools)]
    wanted = _even([len(pool) for pool in ready], count)
    if sum(wanted) < count:
        where = "" if against is None else " on which the model is no better than chance"
        raise BountyError(
            f"gold of {count} items needs as many known answers{where}; there are {sum(wanted)}"
        )
    chosen = [
        pool[:number]
        if against is None
        else _at_chance(pool, np.asarray(against)[pool] == c, classes, number)
        for c, (pool, number) in enumerate(zip(ready, wanted, strict=True))
    ]
    items = np.sort(np.concatenate(chosen))
    gold = Gold(items, known[items])
    gold.require_sound(items=len(known), classes=classes)
    return gold


def _even(sizes: list[int], count: int) -> list[int]:
    """Return how many to take of each, as evenly as their sizes allow."""
    wanted = [0] * len(sizes)
    left = count
    while left:
        open_ = [c for c, size in enumerate(sizes) if wanted[c] < size]
        if not open_:
            break
        each = max(1, left // len(open_))
        for c in open_:
            step = min(each, sizes[c] - wanted[c], left)
            wanted[c] += step
            left -= step
    return wanted


def _at_chance(pool: Ints, is_right: Ints, classes: int, number: int | None = None) -> Ints:
    """Return items of a class of which the model has at most one in `classes` right.

    As many as there are for `number` None; else `number` of them, with as many right ones as
    chance has and as there are.
    """
    right, wrong = pool[is_right], pool[~is_right]
    if number is None:
        number = len(wrong) + min(len(right), len(wrong) // (classes - 1))
    hits = min(len(right), number // classes)
    hits = max(hits, number - len(wrong))
    return np.concatenate([right[:hits], wrong[: number - hits]])
