# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C that counts, and breaks nothing, whatever is running when it comes.

Python tells of it by an exception at whatever line that is. A library that is just being loaded may
take it for a failed import and go on, or, where it is C, crash; so it is told when that is over.
What is swallowed all the same is remembered: nothing is paid after it.
"""

import signal
from types import FrameType
from typing import NoReturn

_was_interrupted = False
_AGAIN = 0.02  # seconds


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
        signal.signal(signal.SIGALRM, _interrupt)


def check() -> None:
    """Raise `Interrupt` if there was a Ctrl-C that nobody has heard of."""
    if _was_interrupted:
        _tell()


def _interrupt(number: int, frame: FrameType | None) -> None:
    global _was_interrupted
    _was_interrupted = True
    if _is_loading(frame):
        signal.setitimer(signal.ITIMER_REAL, _AGAIN)
    else:
        _tell()


def _tell() -> NoReturn:
    # The alarm would tell of the same Ctrl-C once more, while this one is being answered.
    signal.setitimer(signal.ITIMER_REAL, 0)
    raise Interrupt


def _is_loading(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False
