# SPDX-License-Identifier: Apache-2.0
"""A receiver's rounds without a chain: no bounty keeps the others waiting."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.utils.bounties import REF, make_terms
from tests.utils.waiting import wait_for
from truthmark.bounty.payouts import Status
from truthmark.bounty.record import Record
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.view import Seen
from truthmark.bounty.workspace import Workspace
from truthmark.errors import BountyError, GasError, TransactionPendingError
from truthmark.node import receiver
from truthmark.node.receiver import ReceiverRole
from truthmark.node.status import Metrics, Notifier


class Run:
    """As much of a requester's bounty as rounds touch."""

    def __init__(self, session: Any, workspace: Workspace, **_: Any) -> None:
        ref = workspace.ref
        assert ref is not None
        self.ref, self.workspace = ref, workspace
        self.is_over = self.is_followed = self.is_closed = self.ends = False
        self.steps = self.collected = self.offered = 0
        self.fails: Exception | None = None
        self.wants_files = self.wants_offer = False

    def has_to_offer(self, seen: Seen) -> bool:
        return self.wants_offer

    def offer(self) -> None:
        self.offered += 1
        raise BountyError("another relay than the terms name")

    def has_to_collect(self, seen: Seen) -> bool:
        return self.wants_files

    def collect(self, seen: Seen) -> None:
        self.collected += 1
        raise OSError("disk full")

    def step(self, view: Any, seen: Seen) -> None:
        self.steps += 1
        if self.fails is not None:
            raise self.fails
        self.is_over = self.ends

    def note_followed(self) -> None:
        self.is_followed = True

    def close(self) -> None:
        self.is_closed = True


class World:
    def __init__(self, home: Path, patch: pytest.MonkeyPatch) -> None:
        self.home = home
        self.told: list[str] = []
        self.pending = False
        board = SimpleNamespace(address=REF.board)
        profile = SimpleNamespace(chain_id=REF.chain_id, native=lambda wei: f"{wei} wei")
        chain = SimpleNamespace(balance=lambda account, block: 5, bounty_board=board)
        self.session: Any = SimpleNamespace(
            home=home,
            profile=profile,
            chain=chain,
            address="0x" + "ee" * 20,
            journal=SimpleNamespace(resume=self.resume),
        )
        self.block: Any = SimpleNamespace(number=1, timestamp=1, hash=b"")
        self.broken: dict[int, Any] = {}
        view = SimpleNamespace(refresh=lambda: self.block, look=self.look)
        patch.setattr(receiver, "BountyView", lambda session: view)
        patch.setattr(receiver, "RequesterRun", Run)

    def resume(self, timeout: float) -> None:
        if self.pending:
            raise TransactionPendingError("not confirmed yet")

    def look(self, numbers: Any) -> dict[int, Any]:
        return {number: self.broken.get(number, self.seen()) for number in numbers}

    def seen(self) -> Seen:
        from truthmark.bounty.commits import Commits
        from truthmark.bounty.roster import Roster

        record = Record(
            REF, make_terms(), bytes(32), Roster([]), Commits([]), frozenset(), Status.OPEN
        )
        return Seen(record, 1, self.block, 1, 1)

    def add(self, number: int, **ref: Any) -> Workspace:
        made = Workspace(self.home / "bounties" / f"{number:016x}")
        made.save_terms(make_terms())
        place = {"chain_id": REF.chain_id, "board": REF.board} | ref
        made.save_ref(BountyRef(bounty_id=number, **place))
        return made

    def role(self, **options: Any) -> ReceiverRole:
        notifier = Notifier(say=self.told.append)
        return ReceiverRole(self.session, metrics=Metrics(), notifier=notifier, **options)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def run_of(role: ReceiverRole, number: int) -> Run:
    found: Any = role.runs[number]
    assert isinstance(found, Run)
    return found


def test_tick__bounties_of_this_board__are_taken_on_and_others_are_not(world: World) -> None:
    for number in (1, 2, 3):
        world.add(number)
    world.add(4, chain_id=1)
    world.add(5, board="0x" + "b9" * 20)
    Workspace(world.home / "bounties" / "new").save_draft({"source": "x"})  # not on chain yet
    done = world.add(6)
    done.save_progress({"is_over": True, "is_followed": True})
    (world.home / "bounties" / "broken").mkdir()
    (world.home / "bounties" / "broken" / "bounty.json").write_text("{}")
    role = world.role(bounties=[1, 3, 4, 5, 6])
    assert role.tick() is world.block
    assert sorted(role.runs) == [1, 3]
    assert [text for text in world.told if "broken" in text]
    everything = world.role()
    everything.tick()
    assert sorted(everything.runs) == [1, 2, 3]
    assert everything.health() == {"bounties": 3}


def test_tick__trouble_with_one__the_others_go_on(world: World) -> None:
    for number in (1, 2, 3):
        world.add(number)
    role = world.role()
    role.tick()
    run_of(role, 1).fails = GasError("no gas left")
    world.broken[2] = BountyError("cannot be read as the board holds it")
    world.pending = True
    role.tick()
    assert [run_of(role, n).steps for n in (1, 2, 3)] == [2, 1, 2]
    assert {text.split(": ")[1] for text in world.told} == {
        "no gas left",
        "cannot be read as the board holds it",
    }
    run_of(role, 3).fails = ZeroDivisionError()
    role.tick()
    assert run_of(role, 1).steps == 3


def test_tick__collecting_or_offering_fails__told_and_the_step_is_taken(world: World) -> None:
    world.add(1)
    role = world.role()
    role.tick()
    run = run_of(role, 1)
    run.wants_files = run.wants_offer = True
    wait_for(lambda: role.tick() and run.collected and run.offered, "work beside the rounds")
    wait_for(
        lambda: (
            role.tick() and [text for text in world.told if "another relay than the terms" in text]
        ),
        "a message",
    )
    wait_for(
        lambda: role.tick() and [text for text in world.told if "disk full" in text], "a message"
    )
    assert run.steps > 3  # a full disk makes no score late
    role.close()


def test_tick__dry_run__says_the_phase_and_does_nothing(world: World) -> None:
    world.add(1)
    role = world.role(dry_run=True)
    role.tick()
    assert run_of(role, 1).steps == 0
    assert world.told == ["bounty 1: labelers join through the relay"]


def test_tick__low_gas__told_once(world: World) -> None:
    role = world.role(gas_reserve=6)
    role.tick()
    role.tick()
    assert len([text for text in world.told if "no score can be posted" in text]) == 1


def test_tick__what_comes_after_fails__is_tried_again_and_not_over(world: World) -> None:
    world.add(1)
    tries: list[int] = []

    def follow_up(session: Any, workspace: Workspace) -> None:
        tries.append(1)
        raise BountyError("the next wave cannot be paid")

    role = world.role(follow_up=follow_up)
    role.tick()
    run_of(role, 1).is_over = True
    wait_for(lambda: role.tick() and world.told, "a message")
    assert "next wave cannot be paid" in world.told[0]
    assert not role.is_over
    role.close()


def test_tick__bounty_is_over__its_connections_are_closed(world: World) -> None:
    world.add(1)
    world.add(2)
    role = world.role()
    role.tick()
    run_of(role, 1).ends = True
    role.tick()
    assert [run_of(role, number).is_closed for number in (1, 2)] == [True, False]
    assert [*role.seen] == [2]


def test_tick__bounty_is_over_and_followed__is_kept_no_longer(world: World) -> None:
    world.add(1)
    role = world.role()
    role.tick()
    run_of(role, 1).ends = True
    wait_for(lambda: role.tick() and not role.runs, "the end")
    assert role.is_over
    role.tick()
    assert not role.runs
    role.close()
