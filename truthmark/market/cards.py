# SPDX-License-Identifier: Apache-2.0
"""Public cards of versions, each fetched and checked once and then kept in the home folder.

A card is named by the id of the terms that commit to it, so what was kept never changes. Sellers
may commit to cards that nobody has: who needs many waits for all of them together only so long,
the rest is read in the background, and those that were not to be had are left alone for a while.
"""

import contextlib
import json
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from truthmark.errors import CodecError, ConfigError, TruthmarkError
from truthmark.market.entries import Version
from truthmark.market.fetch import Fetcher
from truthmark.session import Session
from truthmark.waiting import Deadline

RETRY_SECONDS = 600
"""Before a card that was nowhere to be had is looked for again."""

Look = Callable[[Version], tuple[dict[str, Any], int]]
"""Reads and checks a version's card; returns it with the bytes of the version's container."""

_KEPT_SIZE = 64 * 1024  # larger cards are read again where they are shown
_SUMMARY = 160
_READERS = 8
_MOST_VALUES = 500  # in one statement
_SCHEMA = """
DROP TABLE IF EXISTS cards;
CREATE TABLE IF NOT EXISTS known_cards (
    terms_id BLOB PRIMARY KEY,
    searched TEXT,
    title TEXT,
    summary TEXT,
    licence TEXT,
    rows INTEGER,
    files INTEGER,
    size INTEGER,
    encoded TEXT,
    retry_at REAL
)
"""


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of a version's card; its texts are the seller's.

    Attributes:
        searched: Title and description in lower case.
        title: One line or more.
        summary: How the description begins, on one line.
        licence: An SPDX expression, or the seller's name of a licence.
        rows: Of all tables; None where the card counts nothing.
        files: Of all splits; None likewise.
        size: Bytes of the version's container.
        encoded: The card as JSON; None where it is too large to be kept.
    """

    searched: str
    title: str
    summary: str
    licence: str
    rows: int | None
    files: int | None
    size: int
    encoded: str | None = field(repr=False)

    @classmethod
    def from_content(cls, content: dict[str, Any], size: int) -> Self:
        """Return what is kept of a card, as `read_card` gives it."""
        title, description, encoded = content["title"], content["description"], json.dumps(content)
        return cls(
            searched=f"{title} {description}".lower(),
            title=title,
            summary=_shortened(description),
            licence=content["licence"],
            rows=_counted(content, "rows"),
            files=_counted(content, "files"),
            size=size,
            encoded=encoded if len(encoded) <= _KEPT_SIZE else None,
        )

    @property
    def content(self) -> dict[str, Any] | None:
        """The card, where it was kept."""
        return None if self.encoded is None else json.loads(self.encoded)


_COLUMNS = ", ".join(field.name for field in fields(Card))
_INSERT = (
    f"INSERT OR REPLACE INTO known_cards (terms_id, {_COLUMNS}, retry_at) "  # noqa: S608
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class Cards:
    """Cards that were read, in a file of their own, and those that are being read.

    Args:
        path: The file.
        look: Reads and checks a version's card, in several threads.
        retry_seconds: Before a card that was nowhere to be had is looked for again.
    """

    def __init__(self, path: Path, look: Look, *, retry_seconds: float = RETRY_SECONDS) -> None:
        """Name the file; nothing is read yet."""
        self._path = path
        self._look = look
        self._retry_seconds = retry_seconds
        self._change = threading.Condition()
        self._wanted: deque[Version] = deque()
        self._asked: set[bytes] = set()  # wanted, or being read just now
        self._brought: list[tuple[bytes, Card | None, float | None]] = []  # not in the file yet
        self._readers = 0

    @classmethod
    def of(cls, session: Session, *, retry_seconds: float = RETRY_SECONDS) -> Self:
        """Return those of a session, which all that use it share."""
        path, look = session.index_folder / "cards.sqlite", Fetcher(session).look
        return session.part(cls, lambda: cls(path, look, retry_seconds=retry_seconds))

    def read(self, versions: Sequence[Version], deadline: Deadline) -> dict[bytes, Card | None]:
        """Return the cards of versions, by terms, from the file or else from the storage.

        Args:
            versions: Of which, the most wanted first.
            deadline: When to go on without those that have not come.

        Returns:
            Those that came; None where there is none or it is not what it should be.
        """
        known = self.known([version.terms_id for version in versions])
        if missing := [version for version in versions if version.terms_id not in known]:
            known |= self.fetch(missing, deadline)
        return known

    def known(self, terms_ids: Sequence[bytes]) -> dict[bytes, Card | None]:
        """Return the cards that were read before; None for those that cannot be had now."""
        found: dict[bytes, Card | None] = {}
        with self._open() as file:
            self._keep(file)
            for start in range(0, len(terms_ids), _MOST_VALUES):
                some = terms_ids[start : start + _MOST_VALUES]
                places = ", ".join("?" * len(some))
                rows = file.execute(
                    f"SELECT terms_id, retry_at, {_COLUMNS} FROM known_cards "  # noqa: S608
                    f"WHERE terms_id IN ({places})",
                    some,
                )
                for terms_id, retry_at, searched, *rest in rows:
                    if searched is not None:
                        found[terms_id] = Card(searched, *rest)
                    elif retry_at is None or time.time() < retry_at:
                        found[terms_id] = None
        return found

    def fetch(self, versions: Sequence[Version], deadline: Deadline) -> dict[bytes, Card | None]:
        """Read cards from the storage, several at once.

        What has not come by the deadline goes on being read, after what others ask for later.

        Args:
            versions: Of which, the most wanted first.
            deadline: When to go on without the rest.

        Returns:
            Those that came, by terms; None where there is none or it is not what it should be.
        """
        wanted = {version.terms_id for version in versions}
        with self._change:
            new = [version for version in versions if version.terms_id not in self._asked]
            self._asked.update(version.terms_id for version in new)
            # Before what was asked for earlier: somebody is waiting for these now.
            self._wanted.extendleft(reversed(new))
            for _ in range(min(_READERS - self._readers, len(new))):
                self._readers += 1
                # Not a pool: its threads would be waited for at the end of the process.
                threading.Thread(target=self._work, name="cards", daemon=True).start()
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
                version = self._wanted.popleft()
            card, retry_at = self._read(version)
            with self._change:
                self._brought.append((version.terms_id, card, retry_at))
                self._asked.discard(version.terms_id)
                self._change.notify_all()

    def _read(self, version: Version) -> tuple[Card | None, float | None]:
        try:
            return Card.from_content(*self._look(version)), None
        except CodecError:  # as what was committed to is wrong, it stays so
            return None, None
        except (TruthmarkError, OSError, ValueError, RuntimeError):
            # Also where the session was closed meanwhile: nobody waits for it any more.
            return None, time.time() + self._retry_seconds

    def _keep(self, file: sqlite3.Connection) -> None:
        """Put what readers have brought into the file."""
        with self._change:
            brought, self._brought = self._brought, []
        try:
            for terms_id, card, retry_at in brought:
                values = (None,) * 8 if card is None else astuple(card)
                file.execute(_INSERT, (terms_id, *values, retry_at))
        except sqlite3.Error:
            with self._change:
                self._brought += brought  # once the file can be used again
            raise

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Each row by itself: others search meanwhile.
            file = sqlite3.connect(self._path, timeout=60, isolation_level=None)
            with contextlib.closing(file):
                file.execute("PRAGMA journal_mode = WAL")
                file.execute("PRAGMA synchronous = NORMAL")
                file.executescript(_SCHEMA)
                yield file
        except (sqlite3.Error, OSError) as error:
            raise ConfigError(
                f"cannot use {self._path} ({error}); check disk space and rights, or remove it: "
                "it is built again"
            ) from error


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SUMMARY else line[: _SUMMARY - 1] + "…"


def _counted(content: dict[str, Any], what: str) -> int | None:
    """Return how many rows or files a card counts in all splits; sellers may write anything."""
    counts = content.get("counts")
    if not isinstance(counts, list):
        return None
    numbers = [entry.get(what) for entry in counts if isinstance(entry, dict)]
    found = sum(n for n in numbers if type(n) is int and 0 <= n < 2**63)
    return found if numbers and found < 2**63 else None
