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
    from typing import NoReturn

_INTERRUPTED = 130  # what shells give to a program that Ctrl-C ended


def _leave(number: int, frame: "FrameType | None") -> "NoReturn":
    os._exit(_INTERRUPTED)


def _listen() -> None:
    """End at once on Ctrl-C, unless the program that started this has it ignored."""
    if _signal.getsignal(_signal.SIGINT) is not _signal.SIG_IGN:
        _signal.signal(_signal.SIGINT, _leave)


_listen()


def main() -> "NoReturn":
    """Run the command line."""
    from truthmark.cli.main import main as run

    try:
        run()
    except KeyboardInterrupt:  # once more, while the first one was told of
        os._exit(_INTERRUPTED)
    finally:
        _listen()  # nothing is left to do but to end
