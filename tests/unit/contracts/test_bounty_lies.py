# SPDX-License-Identifier: Apache-2.0
"""Drawn lies of every kind in drawn bounties: each is proven, and what is true is not."""

import random
from collections.abc import Callable

import boa
import pytest

from tests.utils import bounty_reference as ref
from tests.utils.bounty_board import (
    NO_OPENING,
    NOT_DELIVERED,
    PROVEN,
    UNREADABLE,
    Bounty,
    BountyHarness,
    bounties,
    deployed_bounties,
)

__all__ = ["bounties", "deployed_bounties"]

Lie = Callable[[Bounty, random.Random], bool]
"""Posts a score with a lie and proves it; tells whether there was room for the lie."""


def draw_bounty(h: BountyHarness, rng: random.Random) -> Bounty:
    """A small bounty of any shape, with gaps and prefixes."""
    return h.start(
        rng.getrandbits(32),
        classes=rng.choice([2, 3, 5, 254]),
        rounds=rng.choice([4, 5, 7]),
        full=rng.choice([2, 3]),
        items=rng.choice([23, 24]),
        batch=2,
        min_run=6,
        max_run=12,
        gap=rng.choice([0, 0, 1]),
        skill=rng.choice([0.6, 0.8, 0.95]),
        seats=lambda w: rng.choice([12, 12, 12, 3]),
    )


def some_entry(b: Bounty, rng: random.Random, *, absent: bool) -> tuple[int, int] | None:
    found = [
        (g, k)
        for g in range(len(b.paper.gold))
        for k in range(b.terms.rounds)
        if (b.paper.entry(g, k) == ref.ABSENT) is absent
    ]
    return rng.choice(found) if found else None


def lie_about(
    b: Bounty, rng: random.Random, *, absent: bool, bytes_: list[int], opens: bool
) -> bool:
    at = some_entry(b, rng, absent=absent)
    if at is None:
        return False
    g, k = at
    entries = b.paper.entries()
    entries[g][k] = rng.choice([byte for byte in bytes_ if byte != entries[g][k]])
    b.post_score(entries).prove_answer(g, k, opening=None if opens else NO_OPENING)
    return True


def other_answer(b: Bounty, rng: random.Random) -> bool:
    answers = [*range(b.terms.classes), ref.SKIP]
    return lie_about(b, rng, absent=False, bytes_=answers, opens=True)


def denied(b: Bounty, rng: random.Random) -> bool:
    return lie_about(b, rng, absent=False, bytes_=[ref.ABSENT], opens=False)


def invented(b: Bounty, rng: random.Random) -> bool:
    return lie_about(b, rng, absent=True, bytes_=[*range(254), ref.SKIP], opens=False)


def no_answer_at_all(b: Bounty, rng: random.Random) -> bool:
    junk = list(range(b.terms.classes, ref.ABSENT))
    return bool(junk) and lie_about(b, rng, absent=False, bytes_=junk, opens=False)


def other_line(b: Bounty, rng: random.Random) -> bool:
    entries = b.paper.entries()
    if b.paper.verdict(entries)["half"]:
        return False
    lines, worker = b.paper.lines(entries), rng.choice(b.lives())
    line = rng.choice([lines[worker] + 1, rng.randrange(10**6), 2**22 + 1, 2**24 - 1])
    lines[worker] = line + (line == lines[worker])
    b.post_score(entries, lines).prove_line(worker)
    return True


def not_delivered(b: Bounty, rng: random.Random) -> bool:
    worker = rng.choice(b.lives())
    b.paper.marks = {worker: NOT_DELIVERED}
    b.post_score().prove_delivered(worker, b.paper.acknowledge(worker))
    return True


def unreadable(b: Bounty, rng: random.Random) -> bool:
    worker = rng.choice(b.lives())
    b.paper.marks = {worker: UNREADABLE}
    b.post_score().prove_readable(worker)
    return True


LIES: tuple[Lie, ...] = (
    other_answer,
    denied,
    invented,
    no_answer_at_all,
    other_line,
    not_delivered,
    unreadable,
)


def check(h: BountyHarness, seed: int, told: set[str]) -> None:
    """Draw a bounty; tell each lie in it, and try to disprove the truth."""
    rng = random.Random(seed)
    with boa.env.anchor():
        b = draw_bounty(h, rng)
        for lie in LIES:
            with boa.env.anchor():
                if lie(b, rng):
                    assert b.status == PROVEN
                    told.add(lie.__name__)
            b.paper.marks = {}
        b.post_score()
        at = some_entry(b, rng, absent=False)
        assert at is not None
        with boa.reverts("proofs: the entry is true"):
            b.prove_answer(*at)
        reason = "proofs: no line counts" if b.score.is_half else "proofs: the line is true"
        with boa.reverts(reason):
            b.prove_line(rng.choice(b.lives()))


def test_lies__of_forty_bounties__are_proven_and_truths_are_not(bounties: BountyHarness) -> None:
    told: set[str] = set()
    for seed in range(40):
        check(bounties, seed, told)
    assert told == {lie.__name__ for lie in LIES}


@pytest.mark.assure
@pytest.mark.parametrize("part", range(50))
def test_lies__of_5000_bounties__are_proven_and_truths_are_not(
    bounties: BountyHarness, part: int
) -> None:
    for seed in range(1_000 + 100 * part, 1_100 + 100 * part):
        check(bounties, seed, set())
