# SPDX-License-Identifier: Apache-2.0
"""When a relay sends what has come together: few calls cost less gas, and nobody waits for long."""

from dataclasses import dataclass

_MARGIN_PART = 4


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What a bounty's document says of it.

    Attributes:
        rows: So many are sent at once.
        seconds: The oldest waits at most so long.
    """

    rows: int
    seconds: int

    def sends_at(self, waiting: int, oldest: int | None, latest: int) -> int | None:
        """Return when waiting rows are sent, chain time; None where none waits.

        Args:
            waiting: How many wait.
            oldest: When the first of them came.
            latest: The last moment at which sending is safe.
        """
        if oldest is None or not waiting:
            return None
        if waiting >= self.rows:
            return oldest
        return min(oldest + self.seconds, latest)


def safe_until(deadline: int, window: int, margin: int) -> int:
    """Return the last moment to send something so that it is mined before a deadline.

    Args:
        deadline: Chain time.
        window: Seconds that end with it; a short one is not eaten up by the margin.
        margin: Seconds that a transaction may take.
    """
    return deadline - min(margin, window // _MARGIN_PART)
