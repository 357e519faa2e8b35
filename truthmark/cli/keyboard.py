# SPDX-License-Identifier: Apache-2.0
"""Single keys from a terminal, without waiting for Enter; what is typed ahead is not lost."""

import codecs
import os
import re
import sys
import termios
import tty
from collections import deque
from typing import Any, Final, Self

import click

from truthmark.errors import ConfigError

LEFT: Final = ("\x1b[D", "\x1bOD")
RIGHT: Final = ("\x1b[C", "\x1bOC")
ENTER: Final = ("\r", "\n")
BACKSPACE: Final = ("\x7f", "\x08")

_KEY: Final = re.compile(r"\x1b[\[O][0-9;]*[ -/]*[@-~]?|.", re.DOTALL)
"""A sequence that a key such as an arrow sends, or a character."""
_LONGEST: Final = 4_096
_END: Final = "\x04"
_LINE_ENDS: Final = (*ENTER, _END)


class Keyboard:
    """The terminal's keys, one at a time, while it is entered.

    Raises:
        ConfigError: There is no terminal.
    """

    def __init__(self) -> None:
        """Look for the terminal."""
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise ConfigError(
                "labeling at the keyboard needs a terminal; use one, or give --answers FILE"
            )
        self._terminal = sys.stdin.fileno()
        self._before: list[Any] = termios.tcgetattr(self._terminal)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._typed: deque[str] = deque()
        self.is_at_end = False
        """Whether the last line was none: the person pressed Ctrl-D, or the terminal is gone."""

    def key(self) -> str:
        """Wait for a key: a character, or the sequence that an arrow sends.

        Raises:
            ConfigError: The terminal is gone.
            KeyboardInterrupt: It was Ctrl-C.
        """
        while not self._typed:
            data = os.read(self._terminal, _LONGEST)
            if not data:
                raise ConfigError("the terminal is gone; run the command again to go on")
            self._typed.extend(_KEY.findall(self._decoder.decode(data)))
        return self._typed.popleft()

    def line(self, prompt: str) -> str:
        """Ask for a line of text; returns it without spaces around."""
        click.echo(prompt, nl=False, err=True)
        ahead: list[str] = []
        self._take(ahead)
        if not ahead or ahead[-1] not in _LINE_ENDS:
            self._set(self._before)
            while not ahead or ahead[-1] not in _LINE_ENDS:
                # Not through the stream of Python, which would keep lines typed ahead from `key`.
                data = os.read(self._terminal, _LONGEST)
                self._typed.extend(_KEY.findall(self._decoder.decode(data)) if data else [_END])
                self._take(ahead)
            self._enter()
        self.is_at_end = ahead[-1] == _END
        return "".join(ahead).strip(f"{_END} \r\n\t")

    def _take(self, line: list[str]) -> None:
        """Move what was typed to a line, as far as that goes."""
        while self._typed and (not line or line[-1] not in _LINE_ENDS):
            line.append(self._typed.popleft())

    def edit(self, text: str) -> str | None:
        """Have a text written in the person's editor; None where nothing was saved.

        Raises:
            ConfigError: There is no editor.
        """
        self._set(self._before)
        try:
            found: str | None = click.edit(text, require_save=False)
        except click.ClickException as error:
            raise ConfigError(
                f"no editor could be opened ({error.message}); set EDITOR, or write one line"
            ) from error
        finally:
            self._enter()
        return found

    def __enter__(self) -> Self:
        self._enter()
        return self

    def __exit__(self, *_: object) -> None:
        self._set(self._before)

    def _enter(self) -> None:
        # Without dropping what was typed while the last item was drawn.
        tty.setcbreak(self._terminal, termios.TCSADRAIN)

    def _set(self, mode: list[Any]) -> None:
        termios.tcsetattr(self._terminal, termios.TCSADRAIN, mode)
