# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C that counts although a library swallowed it.

Python tells of it by an exception at whatever line is running; a library that imports another one
there may take it for a failed import and go on. Nothing is paid after that.
"""

import signal
from types import FrameType

_was_interrupted = False


class Interrupt(KeyboardInterrupt):
    """Ctrl-C, by a name of our own.

    Python kills itself at its end, whatever was made of it and whatever code was to be given, where
    a plain KeyboardInterrupt once passed through C that runs Python, as some libraries do.
    """


def listen() -> None:
    """Remember every Ctrl-C from now on, beside raising `Interrupt`.

    Unless the program that started this has it ignored.
    """
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _interrupt)


def check() -> None:
    """Raise `Interrupt` if there was a Ctrl-C that nobody has heard of."""
    if _was_interrupted:
        raise Interrupt


def _interrupt(number: int, frame: FrameType | None) -> None:
    global _was_interrupted
    _was_interrupted = True
    raise Interrupt
