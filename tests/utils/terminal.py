# SPDX-License-Identifier: Apache-2.0
"""A pseudo-terminal in the place of this process's own, with somebody at its keyboard."""

import os
import pty
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


class Terminal:
    """What was shown, and keys to press."""

    def __init__(self, main: int) -> None:
        self._main, self._shown = main, bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def press(self, keys: str) -> None:
        """Press keys once the program reads single ones; before that the terminal edits a line."""
        threading.Thread(target=self._press, args=(keys,), daemon=True).start()

    def _press(self, keys: str) -> None:
        for _ in range(2_000):
            if not termios.tcgetattr(self._main)[3] & termios.ICANON:
                os.write(self._main, keys.encode())
                return
            time.sleep(0.005)

    def type(self, text: str, *, once: str = "") -> None:
        """Type lines, now or once something is shown, into a terminal that edits lines."""
        threading.Thread(target=self._type, args=(text, once), daemon=True).start()

    def _type(self, text: str, once: str) -> None:
        for _ in range(2_000):
            if once in self.shown:
                os.write(self._main, text.encode())
                return
            time.sleep(0.005)

    @property
    def shown(self) -> str:
        return self._shown.decode("utf-8", "replace")

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._main, 65_536)
            except OSError:  # the other end is closed
                return
            if not data:
                return
            self._shown += data

    def join(self) -> None:
        self._reader.join(5)


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """Put a terminal of 24 lines and 80 columns in the place of stdin and stderr."""
    main, other = pty.openpty()
    made = Terminal(main)
    stdin: Any = os.fdopen(os.dup(other), "r")
    stderr: Any = os.fdopen(os.dup(other), "w", buffering=1)
    with monkeypatch.context() as patched:
        patched.setattr("sys.stdin", stdin)
        patched.setattr("sys.stderr", stderr)
        patched.setenv("COLUMNS", "80")
        patched.setenv("LINES", "24")
        patched.setenv("TERM", "xterm")
        for name in ("TERM_PROGRAM", "KITTY_WINDOW_ID", "LC_TERMINAL", "TMUX"):
            patched.delenv(name, raising=False)
        try:
            yield made
        finally:
            for file in (stdin, stderr):
                file.close()
            os.close(other)
            made.join()
            os.close(main)
