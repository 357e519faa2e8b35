# SPDX-License-Identifier: Apache-2.0
"""A command that labels: an item on its standard input (or as a file), an answer on its output.

It runs once an item, in a process group of its own that is ended when its time is over, without the
settings and passphrases of this program. What it is asked is in `LABEL_CLASSES` (JSON),
`LABEL_KIND`, `LABEL_BOUNTY` and `LABEL_MEDIA`.
"""

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

from truthmark.agents.agent import Agent, Answer, Task
from truthmark.agents.replies import read_text
from truthmark.bounty.items import Item
from truthmark.errors import AgentError
from truthmark.text import one_line

PLACE: Final = "{}"
"""Stands in the command for the path of a file with the item."""

_MAX_REPLY: Final = 64 * 1024
_SHOWN: Final = 200
_PRIVATE_KEY: Final = re.compile(r"\s*(0x)?[0-9a-fA-F]{64}\s*")


class CommandAgent(Agent):
    """A command.

    Args:
        command: As typed in a shell, but no shell runs it; `{}` stands for a file of the item,
            which else comes on standard input.
        timeout: Seconds for an item.

    Raises:
        AgentError: There is no such program.
    """

    is_shareable = True

    def __init__(self, command: str, *, timeout: float) -> None:
        """Find the program."""
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise AgentError(f"{command!r} is no command ({error}); mend its quotes") from error
        if not self._words or shutil.which(self._words[0]) is None:
            raise AgentError(
                f"{command!r} is no module:object, no .onnx file, no URL, and no program of this"
                " machine; check its name"
            )
        self._timeout = timeout

    def answer(self, task: Task, items: Sequence[Item]) -> list[Answer]:
        """Run the command for each item."""
        return [read_text(self._run(task, item), task.classes) for item in items]

    def _run(self, task: Task, item: Item) -> str:
        with contextlib.ExitStack() as stack:
            words = self._words
            if PLACE in words:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="label-")))
                path = folder / f"item{item.media.suffix}"
                path.write_bytes(item.data)
                words = [str(path) if word == PLACE else word for word in words]
            # Of files, a program that writes without end fills a disk no further than its time.
            given, out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
            if words is self._words:
                given.write(item.data)
                given.seek(0)
            try:
                process = subprocess.Popen(
                    words,
                    stdin=given,
                    stdout=out,
                    stderr=err,
                    env=_environment(task, item),
                    start_new_session=True,
                )
            except OSError as error:
                raise AgentError(f"{words[0]} cannot be run ({error.strerror})") from error
            try:
                code = process.wait(self._timeout)
            except subprocess.TimeoutExpired as error:
                raise AgentError(
                    f"{words[0]} gave no answer within {self._timeout:g} s; allow it more, or mend"
                    " it"
                ) from error
            finally:
                # Also what it started and left behind.
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            reply = _read(out, _MAX_REPLY)
            if code:
                said = one_line(_read(err, _MAX_REPLY))[-_SHOWN:]
                raise AgentError(
                    f"{words[0]} ended with code {code}" + (f": {said}" if said else "")
                )
        return reply


def _read(file: BinaryIO, limit: int) -> str:
    file.seek(0)
    data = file.read(limit + 1)
    if len(data) > limit:
        raise AgentError(f"the reply is longer than {limit} bytes; print the answer alone")
    return data.decode("utf-8", "replace")


def _environment(task: Task, item: Item) -> dict[str, str]:
    """Return this program's environment without its settings, passphrases and keys."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("TRUTHMARK_") and not _PRIVATE_KEY.fullmatch(value)
    }
    return kept | {
        "LABEL_BOUNTY": str(task.bounty),
        "LABEL_CLASSES": json.dumps(task.classes),
        "LABEL_KIND": task.kind,
        "LABEL_MEDIA": item.media.mime,
    }
