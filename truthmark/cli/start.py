# SPDX-License-Identifier: Apache-2.0
"""Where the `truthmark` script begins.

Nothing is begun while modules are loaded, so Ctrl-C just ends the process then: as an exception it
would leave a traceback from wherever the loading was. Therefore nothing else is imported up here.
"""

import os
import signal
from types import FrameType
from typing import NoReturn

_INTERRUPTED = 130  # what shells give to a program that Ctrl-C ended


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    os._exit(_INTERRUPTED)


def _listen() -> None:
    """End at once on Ctrl-C, unless whoever started this has it ignored."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _leave)


_listen()


def main() -> NoReturn:
    """Run the command line."""
    from truthmark.cli.main import main as run

    try:
        run()
    except KeyboardInterrupt:  # once more, while the first one was told of
        os._exit(_INTERRUPTED)
    finally:
        _listen()  # nothing is left to do but to end
