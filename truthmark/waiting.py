# SPDX-License-Identifier: Apache-2.0
"""How long to wait, and how often to try again."""

import time
from dataclasses import dataclass, field


class Deadline:
    """A moment of this machine's clock, which no one can set back.

    Args:
        seconds: From now.
    """

    __slots__ = ("_until",)

    def __init__(self, seconds: float) -> None:
        """Begin now."""
        self._until = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds until then; never below 0."""
        return max(self._until - time.monotonic(), 0.0)

    @property
    def is_over(self) -> bool:
        """Whether it has passed."""
        return time.monotonic() >= self._until


@dataclass(slots=True)
class Backoff:
    """The pauses between attempts at something that stumbles: each twice as long as the last.

    What is silent does not stumble: once `patience` has passed there is no other attempt, which
    would only double the wait.

    Args:
        attempts: How many there are in all.
        first: Seconds before the second.
        patience: Seconds after which there is no further attempt.
        longest: Seconds that no pause exceeds, however long somebody asks to wait.
    """

    attempts: int
    first: float
    patience: float
    longest: float = 60.0
    _made: int = field(default=0, init=False)
    _deadline: Deadline = field(init=False)

    def __post_init__(self) -> None:
        """Begin now."""
        self._deadline = Deadline(self.patience)

    def pause(self, asked: float = 0.0) -> float | None:
        """Return for how long to wait after an attempt that failed; None if it was the last.

        Args:
            asked: Seconds that the other side asks to wait.
        """
        self._made += 1
        if self._made >= self.attempts or self._deadline.is_over:
            return None
        return min(max(asked, growing(self.first, self._made)), self.longest)


def growing(first: float, number: int, longest: float = 60.0) -> float:
    """Return the pause after attempt `number`, from 1: `first`, then twice as long each time."""
    return min(first * 2.0 ** min(max(number - 1, 0), 30), longest)
