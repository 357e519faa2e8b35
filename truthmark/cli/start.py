# SPDX-License-Identifier: Apache-2.0
"""Where the `truthmark` script begins.

Nothing is begun while modules are loaded, so Ctrl-C just ends the process then: as an exception it
would leave a traceback from wherever the loading was. So nothing is imported up here that has
to be loaded first: `_signal` is what `signal` adds enumerations to, and `os` is there already.
"""

import _signal  # type: ignore[import-not-found]
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any, NoReturn

_INTERRUPTED = 130  # what shells give to a program that Ctrl-C ended

_code = _INTERRUPTED


def _leave(number: int, frame: "FrameType | None") -> "NoReturn":
    os._exit(_code)


def _handle(handler: "Any") -> None:
    # By the alarm, `interrupts` tells of a Ctrl-C that came while a module was loaded.
    for number in (_signal.SIGINT, _signal.SIGALRM):
        _signal.signal(number, handler)


def _listen() -> None:
    """End at once on Ctrl-C, unless the program that started this has it ignored."""
    if _signal.getsignal(_signal.SIGINT) is not _signal.SIG_IGN:
        _handle(_leave)


_listen()


def _ignore() -> None:
    _handle(_signal.SIG_IGN)


def main() -> "NoReturn":
    """Run the command line."""
    global _code
    import atexit

    # First registered, so last of all: after it Python forgets our handler, and Ctrl-C would make a
    # failure of what is done.
    atexit.register(_ignore)
    from truthmark.cli.main import main as run

    try:
        run()
    except KeyboardInterrupt:  # once more, while the first one was told of
        os._exit(_INTERRUPTED)
    except SystemExit as error:
        # All is said: who is impatient now only leaves earlier.
        _code = error.code if isinstance(error.code, int) else 0
        raise
    finally:
        _listen()
