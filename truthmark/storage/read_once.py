# SPDX-License-Identifier: Apache-2.0
"""What strangers have published, read once in the background and then kept in a file.

A thing is named by a hash that commits to it, so what was kept never changes. Strangers may name
what nobody has: who needs many things waits for all of them together only so long, the rest is
read meanwhile, and those that were not to be had are left alone for a while.
"""

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import astuple, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from truthmark.errors import TruthmarkError
from truthmark.storage.cache_file import open_cache
from truthmark.waiting import Deadline

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

RETRY_SECONDS = 600
"""Before a thing that was nowhere to be had is looked for again."""

_READERS = 8
_MOST_VALUES = 500  # in one statement

Question = TypeVar("Question")
Thing = TypeVar("Thing", bound="DataclassInstance")


class ReadOnce(Generic[Question, Thing]):
    """Things that were read, in a file of their own, and those that are being read.

    Args:
        path: The file.
        look: Reads and checks one thing, in several threads.
        retry_seconds: Before one that was nowhere to be had is looked for again.

    Attributes:
        kind: What is kept of a thing: a dataclass of texts, numbers and bytes.
        wrong: Raised where a thing is not what commits to it, and so stays for ever.
    """

    kind: ClassVar[Any]
    wrong: ClassVar[tuple[type[TruthmarkError], ...]] = ()

    def __init__(
        self,
        path: Path,
        look: Callable[[Question], Thing],
        *,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        """Name the file; nothing is read yet."""
        self._path = path
        self._look = look
        self._retry_seconds = retry_seconds
        self._change = threading.Condition()
        self._wanted: deque[Question] = deque()
        self._asked: set[bytes] = set()  # wanted, or being read just now
        self._brought: list[tuple[bytes, Thing | None, float | None]] = []  # not in the file yet
        self._readers = 0
        names = [field.name for field in fields(self.kind)]
        self._columns = ", ".join(names)
        # Named by its columns: a file of another version is not misread, and costs one reading.
        self._table = f'"{self.kind.__name__} {self._columns}"'

    def key(self, question: Question) -> bytes:
        """Return what names the thing that is asked for."""
        raise NotImplementedError

    def read(self, questions: Sequence[Question], deadline: Deadline) -> dict[bytes, Thing | None]:
        """Return things by their keys, from the file or else from where they are published.

        Args:
            questions: Which, the most wanted first.
            deadline: When to go on without those that have not come.

        Returns:
            Those that came; None where there is none or it is not what it should be.

        Raises:
            ConfigError: The file cannot be used.
        """
        known = self.known([self.key(question) for question in questions])
        if missing := [question for question in questions if self.key(question) not in known]:
            known |= self.fetch(missing, deadline)
        return known

    def known(self, keys: Sequence[bytes]) -> dict[bytes, Thing | None]:
        """Return the things that were read before; None for those that cannot be had now.

        Raises:
            ConfigError: The file cannot be used.
        """
        found: dict[bytes, Thing | None] = {}
        with self._open() as file:
            self._keep(file)
            for start in range(0, len(keys), _MOST_VALUES):
                some = keys[start : start + _MOST_VALUES]
                rows = file.execute(
                    f"SELECT key, is_there, retry_at, {self._columns} FROM {self._table} "  # noqa: S608
                    f"WHERE key IN ({', '.join('?' * len(some))})",
                    some,
                )
                for key, is_there, retry_at, *values in rows:
                    if is_there:
                        found[key] = self.kind(*values)
                    elif retry_at is None or time.time() < retry_at:
                        found[key] = None
        return found

    def fetch(self, questions: Sequence[Question], deadline: Deadline) -> dict[bytes, Thing | None]:
        """Read things from where they are published, several at once.

        What has not come by the deadline goes on being read, after what others ask for later.

        Args:
            questions: Which, the most wanted first.
            deadline: When to go on without the rest.

        Returns:
            Those that came; None where there is none or it is not what it should be.

        Raises:
            ConfigError: The file cannot be used.
        """
        wanted = {self.key(question): question for question in questions}
        with self._change:
            new = [question for key, question in wanted.items() if key not in self._asked]
            self._asked.update(wanted)
            # Before what was asked for earlier: somebody is waiting for these now.
            self._wanted.extendleft(reversed(new))
            for _ in range(min(_READERS - self._readers, len(new))):
                self._readers += 1
                # Not a pool: its threads would be waited for at the end of the process.
                threading.Thread(target=self._work, name="reader", daemon=True).start()
            while not self._asked.isdisjoint(wanted) and not deadline.is_over:
                self._change.wait(deadline.left)
        return self.known(list(wanted)) if wanted else {}

    def _work(self) -> None:
        """Read what is wanted until nothing is."""
        while True:
            with self._change:
                if not self._wanted:
                    self._readers -= 1
                    return
                question = self._wanted.popleft()
            thing, retry_at = self._read(question)
            with self._change:
                self._brought.append((self.key(question), thing, retry_at))
                self._asked.discard(self.key(question))
                self._change.notify_all()

    def _read(self, question: Question) -> tuple[Thing | None, float | None]:
        try:
            return self._look(question), None
        except self.wrong:
            return None, None
        except (TruthmarkError, OSError, ValueError, RuntimeError):
            # Also where the session was closed meanwhile: nobody waits for it any more.
            return None, time.time() + self._retry_seconds

    def _keep(self, file: sqlite3.Connection) -> None:
        """Put what readers have brought into the file."""
        with self._change:
            brought, self._brought = self._brought, []
        places = ", ".join("?" * (3 + len(fields(self.kind))))
        try:
            for key, thing, retry_at in brought:
                values = (None,) * len(fields(self.kind)) if thing is None else astuple(thing)
                file.execute(
                    f"INSERT OR REPLACE INTO {self._table} "  # noqa: S608
                    f"(key, is_there, retry_at, {self._columns}) VALUES ({places})",
                    (key, thing is not None, retry_at, *values),
                )
        except sqlite3.Error:
            with self._change:
                self._brought += brought  # once the file can be used again
            raise

    def _open(self) -> AbstractContextManager[sqlite3.Connection]:
        table = f"{self._table} (key BLOB PRIMARY KEY, is_there, retry_at REAL, {self._columns})"
        return open_cache(self._path, table, at_once=True)
