# SPDX-License-Identifier: Apache-2.0
"""How many blocks to ask an endpoint for at once: each has a limit of its own, and hides it."""

from dataclasses import dataclass

_FEW_LOGS = 5_000  # an answer with fewer lets the next range be twice as long
_STEPS_AFTER_REFUSAL = 10  # a range that was refused is not tried again at once


@dataclass
class BlockRange:
    """A number of blocks that is halved when it is refused, down to one, and doubled after a while.

    Attributes:
        size: How many blocks to ask for next.
        most: How many at most.
    """

    size: int
    most: int
    _steps_before_growth: int = 0

    def shorten(self, first: int, last: int) -> None:
        """Note that a question about these blocks was refused, however the endpoint says so."""
        self.size = max((last - first + 1) // 2, 1)
        self._steps_before_growth = _STEPS_AFTER_REFUSAL

    def note(self, blocks: int, logs: int) -> None:
        """Note that a question was answered: about so many blocks, with so many logs."""
        if logs < _FEW_LOGS and blocks >= self.size:
            self._steps_before_growth -= 1
            if self._steps_before_growth < 0:
                self.size = min(self.size * 2, self.most)
