# SPDX-License-Identifier: Apache-2.0
"""An agent on bounties: joins, labels, hands out, watches; one bounty, or many unattended.

Who is in it goes through `bounty/flows/labeling`, as people do; so after a kill it goes on, and no
bounty is labeled twice from one home folder.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from truthmark.agents.agent import Agent, Answer, Task
from truthmark.bounty.answer_log import AnswerLog
from truthmark.bounty.client import BountyClient
from truthmark.bounty.document import Document
from truthmark.bounty.flows.board import open_briefs
from truthmark.bounty.flows.item_shelf import ItemShelf
from truthmark.bounty.flows.labeling import Labeling, Stage
from truthmark.bounty.items import Item
from truthmark.bounty.labeling_folder import LabelingFolder
from truthmark.errors import (
    AgentError,
    BountyError,
    ChainError,
    ChainUnavailableError,
    RelayError,
    RelayUnavailableError,
    TruthmarkError,
)
from truthmark.session import Session
from truthmark.text import plural
from truthmark.types import Bar, Say, no_bar, quiet

MAX_FAILED: Final = 0.05
"""Of the items of a run, for which a program may have no answer; they are skipped."""

AT_ONCE: Final = 4
"""How many bounties a crew answers at the same time, unless told otherwise."""

_ROUNDS_BETWEEN_SEARCHES: Final = 20
_TRIES: Final = 10
"""How often to ask for a place where relay or chain are away, or behind."""
_OVER: Final = (Stage.ENDED, Stage.MISSED)
_SIGNED: Final = (Stage.COMMITTED, Stage.RELEASING, Stage.DELIVERED, Stage.SCORED)
"""Nothing but the end of a bounty may end the work on it after that."""

Judge = Callable[[Document], bool]
"""Whether a bounty is one for the agent."""


def task_of(bounty: int, document: Document) -> Task:
    """Return what a bounty asks of a program."""
    return Task(bounty, tuple(entry.name for entry in document.classes), document.kind)


def practice_score(agent: Agent, labeling: Labeling, document: Document) -> float | None:
    """Return which part of the practice items an agent answers rightly; None where there are none.

    Raises:
        AgentError: It has no answer to one.
    """
    if not document.practice:
        return None
    shelf, task = labeling.shown_items(document), task_of(labeling.bounty_id, document)
    items = [shelf.shown(entry.item) for entry in document.practice]
    codes = [
        code
        for at in range(0, len(items), agent.batch)
        for code in agent.answer(task, items[at : at + agent.batch])
    ]
    right = sum(code == entry.answer for code, entry in zip(codes, document.practice, strict=True))
    return right / len(items)


def label(agent: Agent, labeling: Labeling, *, say: Say = quiet, bar: Bar = no_bar) -> None:
    """Answer all items of a labeler's run, and sign; where time runs out, the complete seats.

    Args:
        agent: Answers.
        labeling: At LABELING.
        say: Told what happens.
        bar: Shows how far it is.

    Raises:
        AgentError: It has no answer to too many items; nothing is signed then.
        BountyError: Something is not as it must be.
    """
    Sitting(agent, labeling, say=say, bar=bar).answer()
    with labeling.answers() as log:
        labeling.commit(log)


class Sitting:
    """An agent at one run of items, which it may answer in a thread of its own.

    Args:
        agent: Answers.
        labeling: At LABELING.
        say: Told what happens.
        bar: Shows how far it is.

    Raises:
        AgentError: It cannot label this.
        BountyError: Something is not as it must be.
    """

    def __init__(
        self, agent: Agent, labeling: Labeling, *, say: Say = quiet, bar: Bar = no_bar
    ) -> None:
        """See to it that all is there to answer."""
        self._agent, self._labeling, self._say, self._bar = agent, labeling, say, bar
        self._run = labeling.place()
        self._task = task_of(labeling.bounty_id, self._run.document)
        agent.prepare(self._task)
        self._shelf = labeling.open_items(self._run)
        self._is_stopped = False
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None

    def answer(self) -> None:
        """Answer what has no answer yet; each is on disk at once.

        Raises:
            AgentError: It has no answer to too many items.
            BountyError: Answers cannot be written, or another program is answering.
        """
        with self._labeling.answers() as log:
            self._answer_all(log)

    def start(self) -> None:
        """Answer in a thread."""
        # A daemon: a program that hangs must not keep this one from ending.
        self._thread = threading.Thread(target=self._work, name="sitting", daemon=True)
        self._thread.start()

    @property
    def is_going_on(self) -> bool:
        """Whether the thread has not ended."""
        return self._thread is not None and self._thread.is_alive()

    def require_done(self) -> None:
        """Raise what ended the thread before all was answered, if anything did."""
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Ask the thread to end after the items that it is at."""
        self._is_stopped = True

    def _work(self) -> None:
        try:
            self.answer()
        except Exception as error:  # who looks after the thread raises it
            self._error = error

    def _answer_all(self, log: AnswerLog) -> None:
        agent, task, run, say = self._agent, self._task, self._run, self._say
        left = [item for item in run.items if item not in log.codes]
        allowed, failed = int(MAX_FAILED * len(run.items)), 0
        with self._bar("labeling", "items") as progress:
            for at in range(0, len(left), agent.batch):
                numbers = left[at : at + agent.batch]
                if self._is_stopped:
                    raise AgentError("stopped; what was answered is kept")
                if self._labeling.session.chain.time() > run.last_call:
                    say("time is over; the batches that are complete are committed")
                    return
                begun = time.monotonic()
                codes = _answers(agent, task, self._shelf, numbers, say)
                seconds = (time.monotonic() - begun) / len(numbers)
                failed += codes.count(None)
                if failed > allowed:
                    raise AgentError(
                        f"the program has no answer to {failed} of"
                        f" {plural(len(run.items), 'item')}; mend it, and go on: nothing is signed"
                        " yet"
                    )
                for number, code in zip(numbers, codes, strict=True):
                    if isinstance(code, str):
                        log.write(number, code, seconds)
                    else:
                        log.answer(number, task.skip if code is None else code, seconds)
                if progress is not None:
                    progress(at + len(numbers), len(left))


class Shared(Agent):
    """An agent that several threads ask: in turn, unless it is made for more.

    Args:
        agent: Which.
    """

    def __init__(self, agent: Agent) -> None:
        """Take the agent."""
        self._agent, self._lock = agent, threading.Lock()
        self.batch = agent.batch

    def prepare(self, task: Task) -> None:
        """Refuse what the agent cannot do."""
        self._agent.prepare(task)

    def answer(self, task: Task, items: Sequence[Item]) -> Sequence[Answer]:
        """Ask the agent, once it is free."""
        if self._agent.is_shareable:
            return self._agent.answer(task, items)
        with self._lock:
            return self._agent.answer(task, items)


def _answers(
    agent: Agent, task: Task, shelf: ItemShelf, numbers: Sequence[int], say: Say
) -> list[Answer | None]:
    """Return an answer an item; None where the program has no answer, also when asked again."""
    items = [shelf.item(number) for number in numbers]
    try:
        codes = agent.answer(task, items)
    except AgentError:
        return [_answer_one(agent, task, n, i, say) for n, i in zip(numbers, items, strict=True)]
    return list(codes)


def _answer_one(agent: Agent, task: Task, number: int, item: Any, say: Say) -> Answer | None:
    try:
        return agent.answer(task, [item])[0]
    except AgentError as error:
        say(f"item {number} is skipped: {error}")
        return None


@dataclass
class Wish:
    """How an agent takes part.

    Attributes:
        payee: Who is paid.
        seats: How many batches at most; as many as allowed if None.
        code: The invitation's.
        account: Labels as this account; with fresh keys if empty.
        worth: By token in lower case, what its smallest unit is worth in wei.
        agrees: Whether to join in spite of doubts.
        least_practice: Which part of the practice items must be right, where there are some.
    """

    payee: str
    seats: int | None = None
    code: str = ""
    account: str = ""
    worth: dict[str, float] = field(default_factory=dict)
    agrees: bool = False
    least_practice: float = 0.0


def join(agent: Agent, labeling: Labeling, wish: Wish, *, say: Say = quiet) -> None:
    """Join a bounty for an agent, if it can do what is asked.

    Raises:
        AgentError: It cannot, or not well enough.
        BountyError: It cannot be joined, or something speaks against it.
    """
    offer = labeling.offer()
    agent.prepare(task_of(labeling.bounty_id, offer.document))
    right = practice_score(agent, labeling, offer.document)
    if right is not None:
        labeling.folder.keep_practice(right)
        say(f"bounty {labeling.bounty_id}: {right:.0%} of the practice items are right")
        if right < wish.least_practice:
            raise AgentError(
                f"bounty {labeling.bounty_id}: {right:.0%} of the practice items are right, wanted"
                f" are {wish.least_practice:.0%}; nothing was joined"
            )
    labeling.join(
        payee=wish.payee,
        seats=wish.seats,
        code=wish.code,
        account=wish.account,
        worth=wish.worth.get(offer.terms.token.lower()),
        agree=lambda _: wish.agrees,
    )


def take_part(
    agent: Agent,
    labeling: Labeling,
    enter: Callable[[], None],
    *,
    told: Callable[[Stage], None] = lambda _: None,
    say: Say = quiet,
    bar: Bar = no_bar,
) -> None:
    """Join where that was not done before, wait for a place, label, and sign.

    Args:
        agent: Answers.
        labeling: Of the bounty.
        enter: Joins.
        told: Told of every new stage.
        say: Told what happens.
        bar: Shows how far it is.

    Raises:
        AgentError: It cannot label this.
        BountyError: It cannot be joined, or is over.
    """
    stage = labeling.advance()
    if stage is Stage.OUTSIDE:
        enter()
    if stage in (Stage.OUTSIDE, Stage.WAITING):
        stage = labeling.wait({*Stage} - {Stage.WAITING}, told=told)
    if stage is Stage.MISSED:
        raise BountyError(f"bounty {labeling.bounty_id} is over without your labels")
    if stage is Stage.LABELING:
        label(agent, labeling, say=say, bar=bar)


class Crew:
    """An agent on many bounties at once, unattended.

    Args:
        session: Whose.
        agent: Answers.
        wish: How it takes part.
        fits: Which bounties are for it.
        limit: How many to join at most; None for no end.
        relay: Of bounties whose document names none.
        at_once: How many it answers at the same time.
        say: Told what happens.

    Attributes:
        stages: By bounty, how far each is.
    """

    def __init__(
        self,
        session: Session,
        agent: Agent,
        wish: Wish,
        *,
        fits: Judge,
        limit: int | None = None,
        relay: str | None = None,
        at_once: int = AT_ONCE,
        say: Say = quiet,
    ) -> None:
        """Take up what this home has begun."""
        self._session, self._agent, self._wish, self._fits = session, Shared(agent), wish, fits
        self._at_once = at_once
        self._sittings: dict[int, Sitting] = {}
        self._limit, self._relay, self._say = limit, relay, say
        self._client = BountyClient(session)
        self._running: dict[int, Labeling] = {}
        self._passed: set[int] = set()
        self._tries: Counter[int] = Counter()
        self._joined: set[int] = set()
        self._told: set[str] = set()
        self.stages: dict[int, Stage] = {}
        board = self._client.board.address
        for number, folder in LabelingFolder.all(session.home, session.profile.chain_id, board):
            if folder.entry is not None:
                self._running[number] = self._open(number)

    def close(self) -> None:
        """Have all sittings end, and close connections."""
        for sitting in self._sittings.values():
            sitting.stop()
        for labeling in self._running.values():
            labeling.close()

    def run(self, *, pause: float | None = None) -> None:
        """Work until `limit` bounties were joined and all are over; for ever without a limit."""
        rounds = 0
        while True:
            if rounds % _ROUNDS_BETWEEN_SEARCHES == 0 and not self._is_full:
                self._guarded("looking for bounties", self.search)
            self.round()
            if self._is_full and not self._running:
                return
            rounds += 1
            time.sleep(self._session.profile.poll_seconds if pause is None else pause)

    def search(self) -> None:
        """Join what is open, fits, and was not joined from this home before."""
        for brief in open_briefs(self._client):
            number = brief.bounty_id
            if self._is_full:
                return
            if number in self._passed or number in self._running or number in self.stages:
                continue
            self._tries[number] += 1
            is_settled = self._guarded(f"bounty {number}", partial(self._try, number))
            if is_settled or self._tries[number] >= _TRIES:
                self._passed.add(number)

    def round(self) -> None:
        """Advance every bounty once; those that are ready are answered beside."""
        for number in list(self._running):
            self._guarded(f"bounty {number}", partial(self._advance, number))

    @property
    def _is_full(self) -> bool:
        return self._limit is not None and len(self._joined) >= self._limit

    def _open(self, number: int) -> Labeling:
        def say(text: str) -> None:
            self._say(f"bounty {number}: {text}")

        return Labeling(self._session, number, relay=self._relay, say=say)

    def _try(self, number: int) -> None:
        labeling = self._open(number)
        if labeling.folder.entry is None and not self._fits(labeling.offer().document):
            labeling.close()
            return
        if labeling.folder.entry is None:
            join(self._agent, labeling, self._wish, say=self._say)
        # Else it was asked for a moment ago, and is not known whether the relay heard it.
        self._joined.add(number)
        self._running[number] = labeling

    def _advance(self, number: int) -> None:
        labeling = self._running[number]
        try:
            sitting = self._sittings.get(number)
            if sitting is not None:
                if sitting.is_going_on:
                    return
                del self._sittings[number]
                sitting.require_done()
                with labeling.answers() as log:
                    labeling.commit(log)
            stage = labeling.advance()
            self._note(number, stage)
            if stage is Stage.LABELING and len(self._sittings) < self._at_once:
                self._sittings[number] = Sitting(self._agent, labeling, say=self._say)
                self._sittings[number].start()
        except (ChainUnavailableError, RelayUnavailableError):
            raise  # they may come back
        except BountyError:
            reached = self.stages.get(number)
            if reached not in _SIGNED:
                self._drop(number)
            if reached is None:
                self._joined.discard(number)  # it never got a place
            raise
        if stage in _OVER:
            self._drop(number)

    def _note(self, number: int, stage: Stage) -> None:
        if self.stages.get(number) is not stage:
            self.stages[number] = stage
            self._say(f"bounty {number}: {stage}")

    def _drop(self, number: int) -> None:
        self._sittings.pop(number, None)
        self._running.pop(number).close()

    def _guarded(self, what: str, work: Callable[[], None]) -> bool:
        """Do something; no bounty may end the work on the others.

        Returns:
            Whether that is settled, and not only prevented for the moment.
        """
        try:
            work()
        except TruthmarkError as error:
            text = f"{what}: {error}"
            if text not in self._told:
                self._told.add(text)
                self._say(text)
            is_away = isinstance(error, ChainError | RelayUnavailableError)
            is_behind = isinstance(error, RelayError) and error.status in (404, 409)
            return not (is_away or is_behind)
        return True
