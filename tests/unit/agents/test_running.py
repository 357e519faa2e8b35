# SPDX-License-Identifier: Apache-2.0
"""Agents on bounties: joining only what they can do, failing without harm, many at once."""

import random
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.utils.bounties import REF
from tests.utils.labeling import MARK, PAYEE, RELAY_URL, World, world
from truthmark import surface
from truthmark.agents import running
from truthmark.agents.agent import Agent, Task
from truthmark.bounty.flows.board import Brief
from truthmark.bounty.flows.labeling import Labeling, Stage
from truthmark.bounty.items import Item
from truthmark.bounty.payouts import Status
from truthmark.errors import (
    AgentError,
    BountyError,
    ChainUnavailableError,
    RelayError,
    RelayUnavailableError,
)

__all__ = ["world"]


class Reader(Agent):
    """Reads the answer from the text; fails at some items as often as told."""

    batch = 16

    def __init__(self, fails: dict[int, int] | None = None, *, wrong: bool = False) -> None:
        self.fails, self.wrong, self.asked = fails or {}, wrong, 0

    def answer(self, task: Task, items: Sequence[Item]) -> list[int]:
        self.asked += len(items)
        for item in items:
            words = item.text.split()
            number = int(words[1]) if words[0] == "item" else -1
            if self.fails.get(number, 0):
                self.fails[number] -= 1
                raise AgentError("no idea")
        codes = [task.classes.index(item.text.split()[-1]) for item in items]
        return [1 - code for code in codes] if self.wrong else codes


def begin(world: World, home: Path, agent: Agent, **wish: Any) -> Labeling:
    labeling = world.labeling(home)
    running.join(agent, labeling, running.Wish(PAYEE, seats=5, **wish))
    world.enroll()
    assert labeling.advance() is Stage.LABELING
    return labeling


def test_label__all_items__are_answered_and_signed(world: World, tmp_path: Path) -> None:
    agent = Reader()
    labeling = begin(world, tmp_path, agent)
    assert labeling.folder.practice == 1.0
    running.label(agent, labeling)
    assert labeling.advance() is Stage.COMMITTED
    world.post()
    assert labeling.advance() is Stage.DELIVERED
    (signer,) = world.joins
    opened = world.opened()[world.record.roster.worker_of(signer)]
    assert (opened.codes == world.truth[list(labeling_items(world))]).all()


def labeling_items(world: World) -> list[int]:
    (signer,) = world.joins
    worker = world.record.roster.worker_of(signer)
    start = int(world.record.roster.starts[worker])
    items: list[int] = world.record.assignment.items_of(start, 5).tolist()
    return items


def test_label__few_items_without_answer__are_asked_again_then_skipped(
    world: World, tmp_path: Path
) -> None:
    labeling = begin(world, tmp_path, Reader())
    once, never = labeling.place().items[3], labeling.place().items[7]
    said: list[str] = []
    running.label(Reader({once: 1, never: 9}), labeling, say=said.append)
    with labeling.answers() as log:
        assert log.codes[never] == 2 and log.codes[once] == int(world.truth[once])
    assert said == [f"item {never} is skipped: no idea"]
    assert labeling.advance() is Stage.COMMITTED


def test_label__many_items_without_answer__nothing_is_signed_and_the_rest_is_kept(
    world: World, tmp_path: Path
) -> None:
    labeling = begin(world, tmp_path, Reader())
    items = labeling.place().items
    with pytest.raises(AgentError, match="no answer to 6 of 100 items"):
        running.label(Reader(dict.fromkeys(items[32:38], 9)), labeling)
    assert labeling.advance() is Stage.LABELING
    mended = Reader()
    running.label(mended, labeling)
    assert mended.asked == 100 - 32
    assert labeling.advance() is Stage.COMMITTED


def test_label__time_is_over__complete_batches_are_signed(world: World, tmp_path: Path) -> None:
    labeling = begin(world, tmp_path, Reader())
    last_call = labeling.place().last_call

    class Slow(Reader):
        def answer(self, task: Task, items: Sequence[Item]) -> list[int]:
            found = super().answer(task, items)
            if self.asked > 40:
                world.now = last_call + 1  # the chain goes on while the program thinks
            return found

    said: list[str] = []
    running.label(Slow(), labeling, say=said.append)
    assert said == ["time is over; the batches that are complete are committed"]
    assert labeling.advance() is Stage.COMMITTED
    assert [commit.seats for commit in world.commits] == [2]


def test_join__cannot_do_it__nothing_is_joined(world: World, tmp_path: Path) -> None:
    class Other(Reader):
        def prepare(self, task: Task) -> None:
            raise AgentError("knows other classes")

    with pytest.raises(AgentError, match="other classes"):
        running.join(Other(), world.labeling(tmp_path / "a"), running.Wish(PAYEE))
    wish = running.Wish(PAYEE, least_practice=0.5)
    with pytest.raises(AgentError, match="0% of the practice items are right"):
        running.join(Reader(wrong=True), world.labeling(tmp_path / "b"), wish)
    labeling = world.labeling(tmp_path / "c", devnet=False)
    with pytest.raises(BountyError, match="say what the token is worth"):
        running.join(Reader(), labeling, running.Wish(PAYEE))
    assert not world.joins
    running.join(Reader(), labeling, running.Wish(PAYEE, agrees=True))
    assert len(world.joins) == 1


# ------------------------------------------------------------------------------- many


class Lives:
    """What happens to the bounty, round by round, while a crew works."""

    def __init__(self, world: World) -> None:
        self.world, self.rounds = world, 0

    def __call__(self, _: float) -> None:
        self.rounds += 1
        for thread in threading.enumerate():
            if thread.name == "sitting":
                thread.join(20)
        assert self.rounds < 60, "the crew never ends"
        world = self.world
        if world.record.status is Status.OPEN and world.joins:
            world.enroll()
        elif world.commits and not world.record.commits.standing:
            world.post()
        elif world.record.status is Status.LABEL and 0 < len(world.record.commits.standing) == len(
            world.files
        ):
            world.now = MARK + 5_000
            world.score()
        elif world.record.status is Status.SCORED:
            world.record = replace(world.record, status=Status.SETTLED)


def crew(
    world: World, home: Path, monkeypatch: pytest.MonkeyPatch, agent: Agent, **options: Any
) -> tuple[running.Crew, list[str]]:
    said: list[str] = []
    brief = Brief(REF.bounty_id, world.terms, Status.OPEN, MARK, 0)
    monkeypatch.setattr(running, "open_briefs", lambda _: [brief])
    monkeypatch.setattr(running, "BountyClient", lambda _: FakeClient())
    monkeypatch.setattr(running.time, "sleep", Lives(world))
    defaults: dict[str, Any] = {"fits": lambda _: True, "limit": 1, "say": said.append}
    made = running.Crew(world.session(home), agent, running.Wish(PAYEE), **defaults | options)
    return made, said


class FakeClient:
    class board:  # as the client has it
        address = REF.board


def test_crew__one_bounty__is_joined_labeled_and_ends(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = Reader()
    made, said = crew(world, tmp_path, monkeypatch, agent)
    made.run()
    assert made.stages == {REF.bounty_id: Stage.ENDED}
    assert len(world.joins) == 1 and f"bounty {REF.bounty_id}: ended" in said
    asked = agent.asked
    # Another time from the same home: it was labeled before, so it is not joined again.
    world.record = replace(world.record, status=Status.OPEN)
    again, _ = crew(world, tmp_path, monkeypatch, agent, limit=None)
    again.search()
    assert len(world.joins) == 1 and agent.asked == asked


def test_crew__relay_and_chain_away_for_a_while__goes_on(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, said = crew(world, tmp_path, monkeypatch, Reader())
    lives, looks = Lives(world), iter(range(1_000))

    def sleep(pause: float) -> None:
        lives(pause)
        world.away = {RELAY_URL} if next(looks) % 2 else set()

    monkeypatch.setattr(running.time, "sleep", sleep)
    from truthmark.bounty.flows.desk import Desk

    look, chance = Desk.look, random.Random(5)

    def flaky(self: Desk) -> Any:
        if chance.random() < 0.25:
            raise ChainUnavailableError("the chain does not answer")
        return look(self)

    monkeypatch.setattr(Desk, "look", flaky)
    made.run()
    assert made.stages == {REF.bounty_id: Stage.ENDED}
    assert sum("does not answer" in text for text in said) <= 6


def test_crew__what_does_not_fit_or_is_doubtful__is_left_alone(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = crew(world, tmp_path / "a", monkeypatch, Reader(), fits=lambda _: False)
    made.search()
    world.past = type(world.past)(4, 2, 0, 0.5)
    doubtful, said = crew(world, tmp_path / "b", monkeypatch, Reader())
    doubtful.search()
    doubtful.search()
    assert not world.joins
    assert [text for text in said if "silence or a proven lie" in text] == said[-1:]


def test_crew__relay_that_has_not_seen_the_bounty_yet__is_asked_again(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = crew(world, tmp_path, monkeypatch, Reader())
    for status, away in ((404, False), (503, True)):
        world.refuses = (
            RelayUnavailableError("not confirmed", status)
            if away
            else RelayError("bounty 7 is not served here", status)
        )
        made.search()
    assert not world.joins
    world.refuses = None
    made.search()
    made.round()
    assert len(world.joins) == 1
    world.refuses = RelayError("only those whom the requester invited may join", 403)
    other, said = crew(world, tmp_path / "other", monkeypatch, Reader())
    other.search()
    world.refuses = None
    other.search()
    assert len(world.joins) == 1 and len(said) == 2  # practice, and why not


def test_label__relay_answers_later__is_asked_again_while_there_is_patience(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lives = Lives(world)

    def sleep(pause: float) -> None:
        if world.joins:
            lives(pause)
        elif len(pauses) == 3:
            world.refuses = None
        pauses.append(pause)

    pauses: list[float] = []
    monkeypatch.setattr(surface.time, "sleep", sleep)
    bounty = surface.Bounty(REF.bounty_id, session=world.session(tmp_path))  # type: ignore[arg-type]
    world.refuses = RelayUnavailableError("not offered to this relay yet", 503)
    with pytest.raises(RelayUnavailableError):
        bounty.label(Reader(), payee=PAYEE, patience=0)
    elsewhere = surface.Bounty(REF.bounty_id, session=world.session(tmp_path / "b"))  # type: ignore[arg-type]
    world.refuses = RelayError("not served here", 404)
    with pytest.raises(RelayError, match="not served here"):
        elsewhere.label(Reader(), payee=PAYEE, patience=1e9)
    assert not pauses
    world.refuses = RelayUnavailableError("not offered to this relay yet", 503)
    elsewhere.label(Reader(), payee=PAYEE, patience=1e9)
    assert len(world.joins) == 1 and len(pauses) > 3


def test_crew__trouble_after_signing__does_not_end_the_work(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, said = crew(world, tmp_path, monkeypatch, Reader())
    lives, looks = Lives(world), iter(range(1_000))
    from truthmark.bounty.flows.desk import Desk

    look = Desk.look

    def sleep(pause: float) -> None:
        lives(pause)
        broken = bool(world.commits) and next(looks) < 3

        def looked(self: Desk) -> Any:
            if broken:
                raise BountyError("cannot be read from the chain as the board holds it")
            return look(self)

        monkeypatch.setattr(Desk, "look", looked)

    monkeypatch.setattr(running.time, "sleep", sleep)
    made.run()
    assert made.stages == {REF.bounty_id: Stage.ENDED}
    assert any("as the board holds it" in text for text in said)


def test_crew__taken_up_after_a_kill__goes_on_with_what_was_begun(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = crew(world, tmp_path, monkeypatch, Reader())
    first.search()
    first.round()
    world.enroll()
    second, _ = crew(world, tmp_path, monkeypatch, Reader(), limit=0)
    second.run()
    assert second.stages == {REF.bounty_id: Stage.ENDED} and len(world.joins) == 1


def test_crew__agent_that_breaks__drops_the_bounty_and_goes_on(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(Reader):
        def answer(self, task: Task, items: Sequence[Item]) -> list[int]:
            if items[0].text.startswith("item"):
                raise AgentError("out of memory")
            return super().answer(task, items)

    made, said = crew(world, tmp_path, monkeypatch, Broken())
    made.run()
    assert any("no answer to" in text for text in said) and not world.commits


def test_shared__agent_not_made_for_threads__is_asked_in_turn() -> None:
    together = threading.Barrier(2)
    seen: list[bool] = []

    class Careful(Agent):
        inside = 0

        def answer(self, task: Task, items: Sequence[Item]) -> list[int]:
            self.inside += 1
            seen.append(self.inside == 1)
            if self.is_shareable:
                together.wait(10)  # both are here, or this breaks
            self.inside -= 1
            return [0]

    class Fast(Careful):
        is_shareable = True

    for agent in (Careful(), Fast()):
        shared = running.Shared(agent)
        threads = [
            threading.Thread(target=shared.answer, args=(Task(7, ("a", "b"), "text"), []))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert seen[:2] == [True, True] and seen[2:] == [True, False]


def test_crew__more_bounties_than_at_once__the_others_go_on_and_wait_their_turn(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, leave = threading.Event(), threading.Event()

    class Slow(Reader):
        def answer(self, task: Task, items: Sequence[Item]) -> list[int]:
            if items[0].text.startswith("item"):
                entered.set()
                assert leave.wait(20)
            return super().answer(task, items)

    made, _ = crew(world, tmp_path, monkeypatch, Slow(), at_once=1)
    made.search()
    world.enroll()
    made.round()
    assert entered.wait(20) and len(made._sittings) == 1
    made.round()  # waits for nobody
    assert made.stages == {REF.bounty_id: Stage.LABELING} and not world.commits
    second = made._open(REF.bounty_id)
    made._sittings[8] = made._sittings.pop(REF.bounty_id)
    made._advance(REF.bounty_id)  # no room: nothing is begun
    assert [*made._sittings] == [8]
    second.close()
    made._sittings[REF.bounty_id] = made._sittings.pop(8)
    leave.set()
    made._sittings[REF.bounty_id]._thread.join(20)  # type: ignore[union-attr]
    made.round()
    assert made.stages == {REF.bounty_id: Stage.COMMITTED} and len(world.commits) == 1
    made.close()
