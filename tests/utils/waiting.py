# SPDX-License-Identifier: Apache-2.0
"""Waiting for what another thread or process does."""

import time
from collections.abc import Callable


def wait_for(holds: Callable[[], object], what: str, seconds: float = 300) -> None:
    """Return once `holds()` is true; fail, naming `what`, where that takes too long."""
    deadline, pause = time.monotonic() + seconds, 0.01
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(pause)
        # To ask costs a processor, which what is waited for needs.
        pause = min(1.2 * pause, 0.1)
