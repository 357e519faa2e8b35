# SPDX-License-Identifier: Apache-2.0
"""Public cards of versions, each fetched and checked once and then kept in the home folder.

A card is named by the id of the terms that commit to it, so what was kept never changes. Sellers
may commit to cards that nobody has: reading many waits for all of them together only so long, and
those that were not to be had are left alone for a while.
"""

import contextlib
import json
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from truthmark.errors import CodecError, ConfigError, StorageError
from truthmark.market.entries import Version
from truthmark.market.fetch import Fetcher
from truthmark.session import Session
from truthmark.waiting import Deadline

RETRY_SECONDS = 600
"""Before a card that was nowhere to be had is looked for again."""

_KEPT_SIZE = 64 * 1024  # larger cards are read again where they are shown
_READERS = 8
_SCHEMA = """
CREATE TABLE IF NOT EXISTS cards (
    terms_id BLOB PRIMARY KEY,
    searched TEXT,
    card TEXT,
    retry_at REAL
)
"""


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of a version's card.

    Attributes:
        searched: Title and description in lower case.
        encoded: The card as JSON; None where it is too large to be kept.
    """

    searched: str
    encoded: str | None = field(repr=False)

    @property
    def content(self) -> dict[str, Any] | None:
        """The card, where it was kept."""
        return None if self.encoded is None else json.loads(self.encoded)


class Cards:
    """Cards that were read, in a file of their own.

    Args:
        path: The file.
        preview: Reads and checks a version's card.
    """

    def __init__(self, path: Path, preview: Callable[[Version], dict[str, Any]]) -> None:
        """Name the file; nothing is read yet."""
        self._path = path
        self._preview = preview

    @classmethod
    def of(cls, session: Session) -> Self:
        """Return those that a session keeps."""
        return cls(session.index_folder / "cards.sqlite", Fetcher(session).preview)

    def read(self, versions: Sequence[Version], deadline: Deadline) -> dict[bytes, dict[str, Any]]:
        """Return the cards of versions, by terms; those that are not to be had are left out.

        Args:
            versions: Of which.
            deadline: When to go on without the rest.
        """
        if not versions:
            return {}
        known = self.known([version.terms_id for version in versions])
        if missing := [version for version in versions if version.terms_id not in known]:
            known |= self.fetch(missing, deadline)
        found = {terms_id: card.content for terms_id, card in known.items() if card is not None}
        return {terms_id: content for terms_id, content in found.items() if content is not None}

    def known(self, terms_ids: Sequence[bytes]) -> dict[bytes, Card | None]:
        """Return the cards that were read before; None for those that cannot be had now."""
        found: dict[bytes, Card | None] = {}
        with self._open() as file:
            for terms_id in terms_ids:
                row = file.execute(
                    "SELECT searched, card, retry_at FROM cards WHERE terms_id = ?", (terms_id,)
                ).fetchone()
                if row is None:
                    continue
                searched, content, retry_at = row
                if searched is not None:
                    found[terms_id] = Card(searched, content)
                elif retry_at is None or time.time() < retry_at:
                    found[terms_id] = None
        return found

    def fetch(self, versions: Sequence[Version], deadline: Deadline) -> dict[bytes, Card | None]:
        """Read cards from the storage, several at once.

        Args:
            versions: Of which.
            deadline: When to go on without the rest.

        Returns:
            Those that came, by terms; None where there is none or it is not what it should be.
        """
        todo: queue.SimpleQueue[Version] = queue.SimpleQueue()
        done: queue.SimpleQueue[tuple[bytes, Card | None, float | None]] = queue.SimpleQueue()
        for version in versions:
            todo.put(version)
        stop = threading.Event()

        def work() -> None:
            while not stop.is_set():
                try:
                    version = todo.get_nowait()
                except queue.Empty:
                    return
                done.put((version.terms_id, *self._read(version)))

        # Not a pool: its threads would be waited for at the end of the process.
        for _ in range(min(_READERS, len(versions))):
            threading.Thread(target=work, name="cards", daemon=True).start()
        found: dict[bytes, Card | None] = {}
        with self._open() as file:
            while len(found) < len(versions):
                try:
                    entry = done.get(timeout=deadline.left)
                except queue.Empty:
                    break
                terms_id, card, retry_at = entry
                found[terms_id] = card
                row = (card.searched, card.encoded) if card is not None else (None, None)
                file.execute(
                    "INSERT OR REPLACE INTO cards VALUES (?, ?, ?, ?)", (terms_id, *row, retry_at)
                )
        stop.set()
        return found

    def _read(self, version: Version) -> tuple[Card | None, float | None]:
        try:
            card = self._preview(version)
        except StorageError:
            return None, time.time() + RETRY_SECONDS
        except CodecError:  # as what was committed to is wrong, it stays so
            return None, None
        encoded = json.dumps(card)
        searched = f"{card['title']} {card['description']}".lower()
        return Card(searched, encoded if len(encoded) <= _KEPT_SIZE else None), None

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Each row by itself: others search meanwhile.
            file = sqlite3.connect(self._path, timeout=60, isolation_level=None)
            with contextlib.closing(file):
                file.execute("PRAGMA journal_mode = WAL")
                file.execute("PRAGMA synchronous = NORMAL")
                file.execute(_SCHEMA)
                yield file
        except (sqlite3.Error, OSError) as error:
            raise ConfigError(
                f"cannot use {self._path} ({error}); check disk space and rights, or remove it: "
                "it is built again"
            ) from error
