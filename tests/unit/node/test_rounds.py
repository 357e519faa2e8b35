# SPDX-License-Identifier: Apache-2.0
"""Rounds of several roles: trouble is told once, until it is over, and stays where it is."""

from types import SimpleNamespace
from typing import Any

import pytest

from truthmark.errors import (
    BountyError,
    ChainUnavailableError,
    GasError,
    RevertedError,
    TransactionPendingError,
)
from truthmark.node.rounds import BountyRounds, resume
from truthmark.node.status import Metrics, Notifier


class World:
    """A role's account, and what its operator is told."""

    def __init__(self) -> None:
        self.gas = 9
        self.told: list[str] = []
        chain = SimpleNamespace(balance=lambda account, block: self.gas)
        profile = SimpleNamespace(native=lambda wei: f"{wei} wei")
        self.session: Any = SimpleNamespace(chain=chain, profile=profile, address="0xee")
        self.notifier = Notifier(say=self.told.append)
        self.rounds = self.of("relay")

    def of(self, role: str) -> BountyRounds:
        return BountyRounds(role, self.session, Metrics(), self.notifier, 10)

    def fail(self, number: int, error: Exception | None = None) -> None:
        with self.rounds.guarded(number, ChainUnavailableError):
            if error is not None:
                raise error


@pytest.fixture
def world() -> World:
    return World()


def test_guarded__trouble_again_after_it_was_over__is_told_again(world: World) -> None:
    for error in (RevertedError("refused"), RevertedError("refused"), None, BountyError("lost")):
        world.fail(7, error)
    world.fail(8, ZeroDivisionError("of its own"))
    assert world.told == ["bounty 7: refused", "bounty 7: lost", "bounty 8: of its own"]
    world.rounds = world.of("watch")  # in the same node, with trouble of its own
    world.fail(7, BountyError("lost"))
    assert world.told[3:] == ["bounty 7: lost"]


def test_guarded__no_gas__told_once_for_all_bounties(world: World) -> None:
    world.fail(7, GasError("no gas"))
    world.fail(8, GasError("no gas"))
    assert world.told == ["bounty 7: no gas"]


def test_guarded__what_ends_the_round__is_raised(world: World) -> None:
    with pytest.raises(ChainUnavailableError):
        world.fail(7, ChainUnavailableError("away"))
    assert not world.told


def test_watch_gas__low__told_once_until_it_is_filled_up(world: World) -> None:
    block: Any = SimpleNamespace(hash=b"")
    for gas in (9, 8, 10, 9):
        world.gas = gas
        world.rounds.watch_gas(block, "nothing is sent")
    assert [text.split(", ")[0] for text in world.told] == ["account 0xee holds 9 wei"] * 2
    assert world.told[0].endswith("fill it up, or nothing is sent")


def test_resume__not_confirmed_yet__is_not_waited_for(world: World) -> None:
    asked: list[float] = []

    def pending(timeout: float) -> None:
        asked.append(timeout)
        raise TransactionPendingError("not confirmed yet")

    world.session.journal = SimpleNamespace(resume=pending)
    resume(world.session)
    assert asked == [0]
