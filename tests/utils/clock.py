# SPDX-License-Identifier: Apache-2.0
"""Time for tests."""


class Clock:
    """Stands still until it is told; in the place of the module `time`.

    Attributes:
        now: Seconds.
    """

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now
