# SPDX-License-Identifier: Apache-2.0
"""Files of strangers, opened as what their names say they are, in a child process under limits.

Noise is valid Arrow, and a folder of noise named .jpg is a valid container: whether a file is a
picture is known only to who opens it.
"""

import contextlib
import os
import re
import signal
import struct
import subprocess
import threading
import time
from enum import Enum
from pathlib import PurePosixPath
from typing import Final

from truthmark.codec import media_child as child
from truthmark.codec.child_environment import child_command, child_environment
from truthmark.codec.decoder import CRASHES
from truthmark.errors import UnableError

_SUFFIX: Final = re.compile(r"\.(?=[0-9]*[A-Za-z])[A-Za-z0-9]{1,11}")
_LONGEST_NAME: Final = 4_096
"""Characters at the end of a path that are looked at."""

SECONDS: Final = 60.0
"""Of processor time for opening one file: a hundred times what an honest one takes."""
_PATIENCE: Final = 5.0
"""How many times as long a busy computer may take for that."""
_END_SECONDS: Final = 5.0
_TRIES: Final = 2
"""A file of which the child dies is opened by another one before anything is said of it."""


class Opened(Enum):
    """What opening a file has come to."""

    YES = "opens"
    NO = "does not open"
    UNKNOWN = "of a type that nothing here opens, or too large"


def kind_of(name: str) -> str | None:
    """Return what a path, or the name of a column, says that something is; None if nothing.

    Args:
        name: such as `train/cat.JPG`, or `jpeg` as the name of a column.
    """
    suffix = _suffix(name) or f".{name[:_LONGEST_NAME]}"
    return _KINDS.get(suffix.lower())


def is_typed(name: str) -> bool:
    """Whether a path says a type, be it one that is opened here or not."""
    return _SUFFIX.fullmatch(_suffix(name)) is not None


def _suffix(path: str) -> str:
    # A stranger's path may have millions of parts: only the last one says something.
    end = path[-_LONGEST_NAME:].rstrip("/")
    return PurePosixPath(end.rpartition("/")[2]).suffix


class MediaOpener:
    """Opens files, in one child process as long as none of them ends it.

    Attributes:
        spent: Seconds that opening has taken so far.

    Usage example::

        with MediaOpener() as media:
            media.open("JPEG", data)
    """

    def __init__(self, *, seconds: float = SECONDS) -> None:
        """Start nothing yet.

        Args:
            seconds: of processor time, for each file.
        """
        self._seconds = seconds
        self._child: _Child | None = None
        self.spent = 0.0

    def __enter__(self) -> "MediaOpener":
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the child."""
        if self._child is not None:
            self._child.close()

    def open(self, kind: str, data: bytes) -> Opened:
        """Open a file as what it is said to be.

        Args:
            kind: As `kind_of` returns it; "" for one that is not known.
            data: Its bytes.

        Raises:
            UnableError: This computer lacks what opens it, or was too slow; of the file that says
                nothing.
        """
        if not kind or len(data) > child.MAX_FILE:
            return Opened.UNKNOWN
        start = time.monotonic()
        try:
            answer = self._ask(kind, data)
        finally:
            self.spent += time.monotonic() - start
        if answer == child.MISSING:
            raise UnableError(f"a {kind} file cannot be opened on this computer: {_PILLOW}")
        if answer == child.SHORT:
            raise UnableError(
                f"this computer does not grant a program the {child.MEMORY >> 20} MiB of memory "
                f"that opening a {kind} file may take; close programs, or raise their limits"
            )
        return _ANSWERS.get(answer, Opened.NO)

    def _ask(self, kind: str, data: bytes) -> int:
        """Return the child's answer, `FAILS` where the file crashes it.

        Raises:
            UnableError: It died of something else, or hung.
        """
        code: int | None = None
        for _ in range(_TRIES):
            if self._child is None:
                self._child = _Child()
            answer = self._child.ask(kind, data, self._seconds)
            if answer is not None:
                return answer
            code = self._child.ended()
            self._child = None
            if code == -signal.SIGXCPU:
                return child.FAILS
        if code is not None and -code in CRASHES:
            return child.FAILS
        raise UnableError(
            f"the process that opens a {kind} file was ended from outside, or was too slow; see "
            "that this computer has enough free memory, and try again"
        )


_KINDS: Final = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe"), "JPEG"),
    ".png": "PNG",
    ".webp": "WEBP",
    ".gif": "GIF",
    **dict.fromkeys((".wav", ".wave"), "WAV"),
    ".flac": "FLAC",
    ".json": "JSON",
    **dict.fromkeys((".jsonl", ".ndjson"), "JSONL"),
    **dict.fromkeys((".parquet", ".pq"), "PARQUET"),
    ".safetensors": "SAFETENSORS",
    ".onnx": "ONNX",
    ".pdf": "PDF",
    ".zip": "ZIP",
    **dict.fromkeys((".txt", ".md", ".rst", ".csv", ".tsv", ".xml", ".html", ".htm"), "TEXT"),
    **dict.fromkeys((".yaml", ".yml", ".toml", ".ini", ".py", ".srt", ".vtt", ".svg"), "TEXT"),
}
_ANSWERS: Final = {child.OPENS: Opened.YES, child.LACKS: Opened.UNKNOWN}
_PILLOW: Final = "pictures need Pillow; install it: `pip install 'truthmark[images]'`"


class _Child:
    """One child process; used by one thread."""

    def __init__(self) -> None:
        try:
            self._process = subprocess.Popen(
                child_command(child.__file__),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=child_environment(),
            )
        except (OSError, MemoryError) as error:
            raise UnableError(
                f"this computer cannot start another process ({error}); close programs, or raise "
                "their limits"
            ) from error

    def ask(self, kind: str, data: bytes, seconds: float) -> int | None:
        """Return the child's answer; None if it died or hung."""
        assert self._process.stdin is not None and self._process.stdout is not None
        # The first question also waits for the child's imports.
        patience = _PATIENCE * seconds + child.START_SECONDS
        timer = threading.Timer(patience, self._process.kill)
        timer.daemon = True
        timer.start()
        try:
            head = struct.pack(child.HEAD, kind.encode().ljust(16), len(data), seconds)
            self._process.stdin.write(head)
            self._process.stdin.write(data)
            self._process.stdin.flush()
            answer = os.read(self._process.stdout.fileno(), 1)
        except OSError:
            return None
        finally:
            timer.cancel()
        return answer[0] if answer else None

    def ended(self) -> int:
        """Wait for its end, and return how it came: less than 0 by a signal."""
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self.close()
        return self._process.wait()

    def close(self) -> None:
        """End it."""
        self._process.kill()
        with contextlib.suppress(OSError):
            self._process.__exit__(None, None, None)
