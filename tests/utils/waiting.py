# SPDX-License-Identifier: Apache-2.0
"""Waiting for what another thread or process does."""

import time
from collections.abc import Callable


def wait_for(holds: Callable[[], object], what: str, seconds: float = 300) -> None:
    """Return once `holds()` is true; fail, naming `what`, where that takes too long."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.01)
