# SPDX-License-Identifier: Apache-2.0
"""What is remembered of an endpoint while it is asked: its answers so far, and what it bears."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from truthmark.chain.node_errors import Kind, Refusal
from truthmark.errors import (
    MalformedReplyError,
)

Params = Sequence[object]


Request = tuple[str, Params]


Parse = Callable[[Any], Any]


BATCH = 100  # requests in one HTTP body; several providers refuse more


@dataclass
class Habits:
    """What this session has learnt of an endpoint.

    Attributes:
        most: Questions that it takes in one body; halved whenever it refuses so many.
        batch: Questions to put into one body now: fewer while there is trouble.
        worked_in_a_row: Bodies of this size that were answered.
        grows_after: How many of them it takes to try longer ones.
        busy_until: When it may be asked again, by the client's clock.
        busy_in_a_row: Bodies that it did not want to read just now.
    """

    most: int = BATCH
    batch: int = BATCH
    worked_in_a_row: int = 0
    grows_after: int = 8
    busy_until: float = 0.0
    busy_in_a_row: int = 0

    def refused(self, count: int) -> None:
        """Note that so many questions are too many."""
        self.most = max(1, min(self.most, count // 2))
        self.batch = min(self.batch, self.most)

    def failed(self, count: int) -> None:
        """Note that a body got no proper answer, which may have been too long a one."""
        if count > 1:
            self.batch = max(1, min(self.batch, count // 2))
            # It may be so for ever: the wall is not run into each time round.
            self.grows_after = min(2 * self.grows_after, 10_000)
            self.worked_in_a_row = 0

    def worked(self, count: int) -> None:
        """Note that a body was answered."""
        self.busy_in_a_row = 0
        self.worked_in_a_row += count >= self.batch
        if self.worked_in_a_row >= self.grows_after:
            self.batch = min(2 * self.batch, self.most)
            self.worked_in_a_row = 0


@dataclass
class Sheet:
    """What one endpoint has answered to questions that belong together.

    Attributes:
        requests: The questions.
        parse: Makes of a result what is wanted, or refuses it with MalformedReplyError.
        answers: By place: what was made of a result, or an error that counts as an answer.
        unable: Errors that say that this endpoint cannot tell.
        doubts: Errors of unknown meaning, and results that cannot be used.
        tries: How often each of these came.
    """

    requests: Sequence[Request]
    parse: Parse | None
    answers: dict[int, Any] = field(default_factory=dict)
    unable: dict[int, Exception] = field(default_factory=dict)
    doubts: dict[int, Exception] = field(default_factory=dict)
    tries: Counter[int] = field(default_factory=Counter)

    @property
    def is_answered(self) -> bool:
        """Whether there is nothing left to ask or to doubt."""
        return len(self.answers) == len(self.requests)

    @property
    def is_believable(self) -> bool:
        """Whether there is at least an error for every question."""
        return len(self.answers | self.unable | self.doubts) == len(self.requests)

    @property
    def least_tries(self) -> float:
        """How often every doubt came; infinite where there is none."""
        return min((self.tries[place] for place in self.doubts), default=math.inf)

    def open(self) -> list[int]:
        """Return the places that this endpoint may still be asked for."""
        done = self.answers.keys() | self.unable.keys()
        return [place for place in range(len(self.requests)) if place not in done]

    def outcomes(self) -> list[Any]:
        """Return what is known, in the order of the questions."""
        known = self.doubts | self.unable | self.answers
        return [known[place] for place in range(len(self.requests))]

    def note(self, place: int, outcome: Any) -> None:
        """Take a result, or the refusal of one that is worth keeping."""
        self.doubts.pop(place, None)
        self.tries[place] += 1
        if not isinstance(outcome, Refusal):
            try:
                self.answers[place] = self.parse(outcome) if self.parse else outcome
            except MalformedReplyError as error:
                self.doubts[place] = error
        elif outcome.kind in (Kind.REVERTED, Kind.ANSWER):
            self.answers[place] = outcome.error
        elif outcome.kind is Kind.UNABLE:
            self.unable[place] = outcome.error
        else:
            self.doubts[place] = outcome.error
