# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C that counts although a library swallowed it.

Python tells of it by an exception at whatever line is running; a library that imports another one
there may take it for a failed import and go on. Nothing is paid after that.
"""

import signal
from types import FrameType

_was_interrupted = False


def listen() -> None:
    """Remember every Ctrl-C from now on, beside raising KeyboardInterrupt as always."""
    signal.signal(signal.SIGINT, _interrupt)


def check() -> None:
    """Raise KeyboardInterrupt if there was a Ctrl-C that nobody has heard of."""
    if _was_interrupted:
        raise KeyboardInterrupt


def _interrupt(number: int, frame: FrameType | None) -> None:
    global _was_interrupted
    _was_interrupted = True
    raise KeyboardInterrupt
