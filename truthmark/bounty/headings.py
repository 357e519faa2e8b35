# SPDX-License-Identifier: Apache-2.0
"""What a list of bounties shows of each document: read once, checked, and kept in the home."""

import json
from dataclasses import dataclass
from typing import Self

from truthmark.bounty.document import Document
from truthmark.bounty.terms import Terms
from truthmark.cid import raw_cid
from truthmark.errors import BountyError
from truthmark.keys.abi_hash import hash_words
from truthmark.session import Session
from truthmark.storage.read_once import RETRY_SECONDS, ReadOnce

_SEARCHED = 4_000  # characters of the guidelines


@dataclass(frozen=True, slots=True)
class Heading:
    """What is kept of a document; its texts are the requester's.

    Attributes:
        title: One line.
        kind: What an item is.
        seconds_per_item: As a pilot measured; None where nobody did.
        searched: Title and the beginning of the guidelines, in lower case.
        encoded_classes: The names of the classes, as JSON.
        encoded_flags: Warnings of content, as JSON.
    """

    title: str
    kind: str
    seconds_per_item: float | None
    searched: str
    encoded_classes: str
    encoded_flags: str

    @classmethod
    def of(cls, document: Document) -> Self:
        """Return what is kept of a document."""
        return cls(
            title=document.title,
            kind=document.kind,
            seconds_per_item=document.seconds_per_item,
            searched=f"{document.title} {document.guidelines[:_SEARCHED]}".lower(),
            encoded_classes=json.dumps([entry.name for entry in document.classes]),
            encoded_flags=json.dumps(document.flags),
        )

    @property
    def classes(self) -> list[str]:
        """The names of the classes."""
        return [str(name) for name in json.loads(self.encoded_classes)]

    @property
    def flags(self) -> list[str]:
        """Warnings of content."""
        return [str(flag) for flag in json.loads(self.encoded_flags)]


class Headings(ReadOnce[Terms, Heading]):
    """Headings by terms: a document counts only where it does not contradict them."""

    kind = Heading
    wrong = (BountyError,)

    @classmethod
    def of(cls, session: Session, *, retry_seconds: float = RETRY_SECONDS) -> Self:
        """Return those of a session, which all that use it share.

        Args:
            session: Whose chain, storage and home are used.
            retry_seconds: After how long what could not be read is tried again.
        """

        def read(terms: Terms) -> Heading:
            return Heading.of(read_document(session, terms))

        path = session.index_folder / "headings.sqlite"
        return session.part(cls, lambda: cls(path, read, retry_seconds=retry_seconds))

    def key(self, question: Terms) -> bytes:
        """Return what names the document with all that it repeats of the terms."""
        return hash_words(question.document, question.items, question.classes)


def read_document(session: Session, terms: Terms) -> Document:
    """Return the document of terms from the configured storage.

    Args:
        session: Whose chain, storage and home are used.
        terms: The bounty's terms.

    Raises:
        StorageError: It is not to be had there.
        BountyError: It is there, and contradicts the terms: do not label for them.
    """
    document = Document.from_bytes(session.storage.read_block(raw_cid(terms.document)))
    document.require_fits(terms)
    return document
