# SPDX-License-Identifier: Apache-2.0
"""Document, list of items and items of the bounties that a relay serves, as files.

Each is written beside its place, held against its hash, and then put there: what is in its place is
right. Items are never held in memory whole.
"""

import mmap
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final, TypeVar

from truthmark.bounty.document import MAX_BYTES as MAX_DOCUMENT
from truthmark.bounty.document import Document
from truthmark.bounty.items import DATA_NAME, MANIFEST_NAME, Items, manifest_bytes
from truthmark.bounty.terms import Terms
from truthmark.cid import cid_of_file
from truthmark.config.files import sync_path
from truthmark.errors import StorageError, TruthmarkError
from truthmark.node.relay.refusals import ConflictError, MissingError, RefusedError

DOCUMENT_NAME: Final = "document.json"
KINDS: Final = ("document", "manifest", "data")

_NAMES: Final = {"document": DOCUMENT_NAME, "manifest": MANIFEST_NAME, "data": DATA_NAME}
_T = TypeVar("_T")
_MAX_DOCUMENTS: Final = 64
MAX_OPEN: Final = 16
"""Bounties whose items are held open, with two descriptors each; opening is a matter of
microseconds."""
PIECE: Final = 1 << 18
"""Bytes of an item that are read at once."""


class Papers:
    """The files of bounties, by number and hash of their terms.

    Args:
        folder: Where they are.
        max_bytes: Of the items of one bounty.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        """Name the folder; it is made when something is put there."""
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._documents: OrderedDict[Path, Document] = OrderedDict()
        self._items: OrderedDict[Path, tuple[Items, IO[bytes]]] = OrderedDict()
        self._busy: set[Path] = set()

    def path(self, bounty_id: int, terms: Terms, kind: str) -> Path:
        """Return where one of the three is, or would be."""
        return self._folder / f"{bounty_id}-{terms.hash.hex()[:16]}" / _NAMES[kind]

    def missing(self, bounty_id: int, terms: Terms) -> list[str]:
        """Return what is not here yet."""
        return [kind for kind in KINDS if not self.path(bounty_id, terms, kind).exists()]

    def document(self, bounty_id: int, terms: Terms) -> Document | None:
        """Return the document, if it is here."""
        path = self.path(bounty_id, terms, "document")
        with self._lock:
            if path in self._documents:
                self._documents.move_to_end(path)
                return self._documents[path]
            try:
                found = Document.from_bytes(path.read_bytes())
            except FileNotFoundError:
                return None
            _keep(self._documents, path, found, _MAX_DOCUMENTS)
            return found

    def item(self, bounty_id: int, terms: Terms, number: int) -> tuple[int, Iterator[bytes]]:
        """Return the length of an item as it is stored, and its bytes in pieces.

        Raises:
            MissingError: Items are not here yet, or there is none of this number.
        """
        items, file = self._opened(self.path(bounty_id, terms, "data"))
        if number >= items.count + items.shown:
            raise MissingError(f"there is no item {number}; there are {items.count + items.shown}")
        offset, length = items.place(number)

        def pieces() -> Iterator[bytes]:
            for at in range(offset, offset + length, PIECE):
                yield os.pread(file.fileno(), min(PIECE, offset + length - at), at)

        return length, pieces()

    def _opened(self, path: Path) -> tuple[Items, IO[bytes]]:
        with self._lock:
            if path in self._items:
                self._items.move_to_end(path)
                return self._items[path]
            try:
                file = path.open("rb", buffering=0)
            except OSError as error:
                raise MissingError(
                    "the requester has not brought the items yet; try again later"
                ) from error
            # Each reader holds the file; it is closed when there is none.
            found = _items(path.with_name(MANIFEST_NAME)), file
            _keep(self._items, path, found, MAX_OPEN)
            return found

    def limit(self, bounty_id: int, terms: Terms, kind: str) -> int:
        """Return how many bytes one of the three has at most, or exactly.

        Raises:
            RefusedError: What says so must come first, or it is too much for this relay.
        """
        if kind == "document":
            return MAX_DOCUMENT
        document = self.document(bounty_id, terms)
        if document is None:
            raise ConflictError("the document comes first, then the list of items, then the items")
        info = document.items
        if kind == "manifest":
            return manifest_bytes(info.count + info.shown)
        manifest = self.path(bounty_id, terms, "manifest")
        if not manifest.exists():
            raise ConflictError("the list of items comes first, then the items")
        size = _items(manifest).size
        if size > self._max_bytes:
            raise RefusedError(
                f"the items have {size} bytes, this relay takes {self._max_bytes}; make them "
                "smaller, or run a relay of your own"
            )
        return size

    @contextmanager
    def receive(self, bounty_id: int, terms: Terms, kind: str) -> Iterator[IO[bytes]]:
        """Give a file to write one of the three to; it is checked and put in its place at the end.

        Raises:
            ConflictError: Somebody else is writing it.
            RefusedError: It is not what terms and document name.
            StorageError: It cannot be written.
        """
        partial = self.path(bounty_id, terms, kind).with_name(f".{_NAMES[kind]}.partial")
        with self._placing(bounty_id, terms, kind, partial), partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def fetched(self, bounty_id: int, terms: Terms, kind: str) -> Iterator[Path]:
        """Give a path for one of the three; it is checked and put in its place at the end.

        Beside the path what came so far is kept, where the rest did not come.

        Raises:
            ConflictError: Somebody else is writing it.
            RefusedError: It is not what terms and document name.
            StorageError: It cannot be written.
        """
        path = self.path(bounty_id, terms, kind).with_name(f".{_NAMES[kind]}.fetched")
        with self._placing(bounty_id, terms, kind, path):
            yield path

    @contextmanager
    def _placing(self, bounty_id: int, terms: Terms, kind: str, written: Path) -> Iterator[None]:
        path = self.path(bounty_id, terms, kind)
        with self._lock:
            if path in self._busy:
                raise ConflictError("it is being brought already; wait until that has ended")
            self._busy.add(path)
        try:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                yield
                self._check(bounty_id, terms, kind, written)
                written.replace(path)
                sync_path(path.parent)
                sync_path(path.parent.parent)
            except OSError as error:
                if isinstance(error, StorageError):
                    raise
                raise StorageError(
                    f"the relay cannot write ({error.strerror}); tell its operator"
                ) from error
        finally:
            with suppress(OSError):
                written.unlink(missing_ok=True)
            with self._lock:
                self._busy.discard(path)

    def _check(self, bounty_id: int, terms: Terms, kind: str, path: Path) -> None:
        try:
            if kind == "document":
                Document.from_bytes(path.read_bytes()).require_fits(terms)
                return
            document = self.document(bounty_id, terms)
            assert document is not None  # `limit` was asked before
            info = document.items
            named = info.manifest if kind == "manifest" else info.data
            if cid_of_file(path) != named:
                raise RefusedError(f"this is not the {kind} that the document names")
            if kind == "manifest":
                _items(path).require_fits(info)
        except RefusedError:
            raise
        except (TruthmarkError, ValueError) as error:  # an empty file cannot be mapped
            raise RefusedError(str(error)) from error


def _keep(kept: "OrderedDict[Path, _T]", path: Path, value: _T, most: int) -> None:
    kept[path] = value
    if len(kept) > most:
        kept.popitem(last=False)


def _nothing(offset: int, length: int) -> bytes:
    return b""


def _items(manifest: Path) -> Items:
    """Read a list of items, which may be too long for memory."""
    with manifest.open("rb") as file:
        return Items(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), _nothing)
