# SPDX-License-Identifier: Apache-2.0
"""What somebody answered so far, in a file that only grows: an answer is on disk once it is given.

Each line is JSON: `{"item": 5, "code": 1, "seconds": 2.4}`, a code of null where an answer was
taken back, `{"item": 5, "text": "a cat"}` where it is a text, or `{"item": 5, "note": "blurred"}`
for a flag. The last word on an item counts.
"""

import errno
import fcntl
import json
import math
import os
from pathlib import Path
from typing import Any, Final, Self

from truthmark.config.files import sync_path
from truthmark.errors import BountyError
from truthmark.keys.files import make_private_folder

WRITTEN: Final = -1
"""Stands for a text where others have a class."""
MAX_NOTE: Final = 500
MAX_SECONDS: Final = 3_600.0
"""What an answer took counts as no longer: somebody went away meanwhile."""


class AnswerLog:
    """The answers of one labeler, by item.

    Args:
        path: The file; made if there is none.

    Raises:
        BountyError: It is damaged, cannot be written, or another program is answering.
    """

    def __init__(self, path: Path) -> None:
        """Read what is there; a line that a crash cut off is taken away."""
        self.path = path
        self.codes: dict[int, int] = {}
        """By item, a class or the code of a skip; WRITTEN for a text."""
        self.texts: dict[int, str] = {}
        """By item, what was written."""
        self.seconds: dict[int, float] = {}
        self.notes: dict[int, str] = {}
        self._order: list[int] = []
        make_private_folder(path.parent)
        try:
            # Unbuffered: what could not be written must not come again with the next answer.
            self._file = path.open("a+b", buffering=0)
        except OSError as error:
            raise self._not_written(error) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise BountyError(f"another program is answering into {path}; end it first") from error
        self._read()

    def answer(self, item: int, code: int, seconds: float = 0.0) -> None:
        """Answer an item, or change the answer; on disk when this returns.

        Args:
            item: Its number.
            code: The class, or the code of a skip.
            seconds: What it took.

        Raises:
            BountyError: It cannot be written.
        """
        self._add({"item": item, "code": code, "seconds": round(min(seconds, MAX_SECONDS), 1)})

    def write(self, item: int, text: str, seconds: float = 0.0) -> None:
        """Answer an item by a text, or change the answer; on disk when this returns.

        Args:
            item: Its number.
            text: As `annotations.annotation` gives it.
            seconds: What it took.

        Raises:
            BountyError: It cannot be written.
        """
        self._add({"item": item, "text": text, "seconds": round(min(seconds, MAX_SECONDS), 1)})

    def undo(self) -> int | None:
        """Take the newest answer back; returns its item, or None where there is none.

        Raises:
            BountyError: It cannot be written.
        """
        if not self._order:
            return None
        item = self._order[-1]
        self._add({"item": item, "code": None})
        return item

    def flag(self, item: int, note: str) -> None:
        """Say that something is wrong with an item; an empty note takes that back.

        Args:
            item: Number of the item.
            note: What is wrong; "" for nothing.

        Raises:
            BountyError: It cannot be written.
        """
        self._add({"item": item, "note": note[:MAX_NOTE]})

    def to_notes(self) -> dict[str, Any]:
        """Return what travels to the requester beside the labels: seconds, flags, texts by item."""
        found: dict[str, Any] = {"seconds": {str(i): s for i, s in self.seconds.items() if s}}
        flags = {str(item): note for item, note in self.notes.items() if note}
        texts = {str(item): text for item, text in self.texts.items()}
        return found | ({"flags": flags} if flags else {}) | ({"texts": texts} if texts else {})

    def close(self) -> None:
        """Let others answer."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _add(self, entry: dict[str, Any]) -> None:
        line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        try:
            end = self._file.seek(0, os.SEEK_END)
            try:
                if self._file.write(line) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(self._file.fileno())
            except OSError:
                self._file.truncate(end)  # half a line would spoil the next one
                raise
        except OSError as error:
            raise self._not_written(error) from error
        self._take(entry)

    def _read(self) -> None:
        self._file.seek(0)
        data = self._file.read()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            self._file.truncate(whole)
        for number, line in enumerate(data[:whole].splitlines(), 1):
            try:
                self._take(json.loads(line))
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                self._file.close()
                raise BountyError(
                    f"line {number} of {self.path} is damaged; correct or remove that line"
                ) from error
        sync_path(self.path.parent)

    def _take(self, entry: dict[str, Any]) -> None:
        item = int(entry["item"])
        if "note" in entry:
            self.notes[item] = str(entry["note"])
            return
        if item in self.codes:
            self._order.remove(item)
        self.codes.pop(item, None)
        self.seconds.pop(item, None)
        self.texts.pop(item, None)
        if "text" in entry:
            self.texts[item] = str(entry["text"])
        code = WRITTEN if "text" in entry else entry["code"]
        if code is not None:
            self.codes[item] = int(code)
            seconds = float(entry.get("seconds", 0.0))
            self.seconds[item] = seconds if math.isfinite(seconds) else 0.0
            self._order.append(item)

    def _not_written(self, error: OSError) -> BountyError:
        return BountyError(
            f"{self.path} cannot be written ({error.strerror}); free space or give rights, and"
            " answer again"
        )
