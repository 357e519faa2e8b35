# SPDX-License-Identifier: Apache-2.0
"""Public cards of versions, each fetched and checked once and then kept in the home folder."""

import json
from dataclasses import dataclass, field
from typing import Any, Self

from truthmark.errors import CodecError
from truthmark.market.entries import Version
from truthmark.market.fetch import Fetcher
from truthmark.session import Session
from truthmark.storage.read_once import RETRY_SECONDS, ReadOnce

_KEPT_SIZE = 64 * 1024  # larger cards are read again where they are shown
_SUMMARY = 160


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


class Cards(ReadOnce[Version, Card]):
    """Cards by the ids of the terms that commit to them."""

    kind = Card
    wrong = (CodecError,)

    @classmethod
    def of(cls, session: Session, *, retry_seconds: float = RETRY_SECONDS) -> Self:
        """Return those of a session, which all that use it share."""
        path, look = session.index_folder / "cards.sqlite", Fetcher(session).look

        def read(version: Version) -> Card:
            return Card.from_content(*look(version))

        return session.part(cls, lambda: cls(path, read, retry_seconds=retry_seconds))

    def key(self, question: Version) -> bytes:
        """Return the id of the version's terms."""
        return question.terms_id


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
