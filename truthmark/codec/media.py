# SPDX-License-Identifier: Apache-2.0
"""Files of strangers, opened as what their names say they are, in a child process under limits.

Noise is valid Arrow, and a folder of noise named .jpg is a valid container: whether a file is a
picture is known only to who opens it.
"""

import contextlib
import os
import re
import struct
import subprocess
import sys
import threading
import time
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import Final

from truthmark.codec import media_child as child
from truthmark.codec.child_environment import child_environment

_SUFFIX: Final = re.compile(r"\.(?=[0-9]*[A-Za-z])[A-Za-z0-9]{1,11}")

SECONDS: Final = 5.0
"""For opening one file."""
_DEATHS: Final = 8
"""Times that the child may die or hang; what is left then counts as not opened."""


class Opened(Enum):
    """What opening a file has come to."""

    YES = "opens"
    NO = "does not open"
    UNKNOWN = "of a type that nothing here opens"


def kind_of(name: str) -> str | None:
    """Return what a path, or the name of a column, says that something is; None if nothing.

    Args:
        name: such as `train/cat.JPG`, or `jpeg` as the name of a column.
    """
    suffix = PurePosixPath(name).suffix or f".{name}"
    return _KINDS.get(suffix.lower())


def is_typed(name: str) -> bool:
    """Whether a path says a type, be it one that is opened here or not."""
    return _SUFFIX.fullmatch(PurePosixPath(name).suffix) is not None


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
            seconds: for each file.
        """
        self._seconds = seconds
        self._child: _Child | None = None
        self._deaths = 0
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
        """
        if not kind:
            return Opened.UNKNOWN
        if self._child is None:
            if self._deaths == _DEATHS:
                return Opened.NO
            self._child = _Child()
        start = time.monotonic()
        answer = self._child.ask(kind, data, self._seconds)
        self.spent += time.monotonic() - start
        if answer is None:
            self._deaths += 1
            self._child.close()
            self._child = None
        return _ANSWERS.get(answer or 0, Opened.NO)


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
_ANSWERS: Final = {
    child.OPENS: Opened.YES,
    child.FAILS: Opened.NO,
    child.LACKS: Opened.UNKNOWN,
}


class _Child:
    """One child process; used by one thread."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-s", str(Path(child.__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=child_environment(),
        )

    def ask(self, kind: str, data: bytes, seconds: float) -> int | None:
        """Return the child's answer; None if it died or hung."""
        assert self._process.stdin is not None and self._process.stdout is not None
        # The first question also waits for the child's imports.
        timer = threading.Timer(seconds + child.START_SECONDS, self._process.kill)
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

    def close(self) -> None:
        """End it."""
        self._process.kill()
        with contextlib.suppress(OSError):
            self._process.__exit__(None, None, None)
