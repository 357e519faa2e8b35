# SPDX-License-Identifier: Apache-2.0
"""What every program that labels is to the rest: items in, classes or texts out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from truthmark.bounty.items import Item


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked of every item.

    Attributes:
        bounty: Its number.
        classes: The answers' names; the number of a class is its place. None where texts are asked.
        kind: What an item is, as the bounty's document says.
    """

    bounty: int
    classes: tuple[str, ...]
    kind: str

    @property
    def skip(self) -> int:
        """The code of a skip."""
        return len(self.classes)


Answer = int | str
"""The code of a class or a skip; or a text, where texts are asked."""


class Agent(ABC):
    """A program that labels."""

    batch = 1
    """How many items it takes at once."""

    is_shareable = False
    """Whether several threads may ask it at once."""

    def prepare(self, task: Task) -> None:  # noqa: B027 # most can do any task
        """Refuse a task that it cannot do; does nothing unless a subclass knows better.

        Raises:
            AgentError: It cannot; the message says why.
        """

    @abstractmethod
    def answer(self, task: Task, items: Sequence[Item]) -> Sequence[Answer]:
        """Return an answer for each item.

        Raises:
            AgentError: It has no answer, or one that is none.
        """

    def close(self) -> None:  # noqa: B027 # most hold nothing
        """Let go of what it holds; nothing unless a subclass holds something."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
