# SPDX-License-Identifier: Apache-2.0
"""Items as a labeler has them: from this disk or a relay, each held against its hash."""

import contextlib
import time
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Final, TypeVar

from truthmark.bounty import messages
from truthmark.bounty.document import Document
from truthmark.bounty.flows.desk import Desk, is_early
from truthmark.bounty.items import Item, Items
from truthmark.bounty.record import Record
from truthmark.bounty.relays import relay_client, relay_models
from truthmark.cid import cid_of_stream
from truthmark.errors import BountyError, IntegrityError, RelayError, WrongKeyError
from truthmark.keys.typed import sign
from truthmark.waiting import Backoff

_T = TypeVar("_T")
_ATTEMPTS: Final = 60
_PATIENCE: Final = 120.0
_LONGEST_PAUSE: Final = 4.0
"""Relays bound what an address may ask, and a whole team may share one address."""


class ItemShelf:
    """Items by number; what was read once stays on this disk.

    Args:
        desk: Whose folder keeps them.
        document: Names them.
        relays: Who may have them.
        keys: Of encrypted items, by number.

    Raises:
        BountyError: The list of items is not that of the document.
        RelayError: Nobody has it.
    """

    def __init__(
        self,
        desk: Desk,
        document: Document,
        relays: "Sequence[relay_client.RelayClient]",
        keys: dict[int, bytes] | None = None,
    ) -> None:
        """Take the list of items, from disk or a relay."""
        self._desk, self._document, self._relays = desk, document, relays
        self._keys = keys or {}
        # Items come one by one, and not out of a file.
        self._items = Items(self._find_manifest(), lambda _offset, _length: b"")
        self._items.require_fits(document.items)

    def item(self, number: int) -> Item:
        """Return an item; those that everyone may read come after the last labeled one.

        Raises:
            IntegrityError: What came is not the item.
            WrongKeyError: There is no key for it, or a wrong one.
            RelayError: Nobody has it.
        """
        try:
            return self._items.opened(number, self._stored(number), self._keys.get(number))
        except WrongKeyError:
            self._desk.folder.forget_keys()  # so that the next run asks for others
            raise

    def shown(self, place: int) -> Item:
        """Return one of the items that everyone may read: an example, or one to practice on."""
        return self.item(self._document.items.count + place)

    def fetch(self, numbers: Sequence[int]) -> None:
        """Bring items to this disk, so that labeling needs no network."""
        with self._desk.bar("fetching items", "items") as progress:
            for done, number in enumerate(numbers, 1):
                self._stored(number)
                if progress is not None:
                    progress(done, len(numbers))

    def _stored(self, number: int) -> bytes:
        folder = self._desk.folder
        kept = folder.find_item(number)
        if kept is not None:
            with contextlib.suppress(IntegrityError):  # what a crash cut off comes again
                return self._items.check(number, kept)
        stored = self._ask(lambda r: r.item(self._desk.bounty_id, number, self._items))
        folder.keep_item(number, stored)
        return stored

    def _find_manifest(self) -> bytes:
        folder, wanted = self._desk.folder, self._document.items.manifest
        kept = folder.find_manifest()
        if kept is not None and cid_of_stream(BytesIO(kept)) == wanted:
            return kept
        data = self._ask(lambda r: r.manifest(self._desk.bounty_id, self._document))
        folder.keep_manifest(data)
        return data

    def _ask(self, question: "Callable[[relay_client.RelayClient], _T]") -> _T:
        """Return what the first relay gives; where none does, ask again those that say "later"."""
        backoff = Backoff(_ATTEMPTS, 1.0, _PATIENCE, _LONGEST_PAUSE)
        problem: Exception = RelayError("no relay is known that has the items; name one")
        relays = list(self._relays)
        while True:
            later = []
            for relay in relays:
                try:
                    return question(relay)
                except (RelayError, IntegrityError) as error:
                    problem = error
                    if isinstance(error, RelayError) and is_early(error):
                        later.append(relay)
            if not later or (pause := backoff.pause()) is None:
                raise problem
            time.sleep(pause)
            relays = later


def item_keys(desk: Desk, record: Record, worker: int, numbers: Sequence[int]) -> dict[int, bytes]:
    """Return the keys of a worker's items, from this disk or the relay.

    Args:
        desk: Whose.
        record: The bounty, whose seed is fixed.
        worker: The row of the roster.
        numbers: The items of the run.

    Raises:
        RelayError: The relay refuses.
        BountyError: It withholds some.
    """
    kept = desk.folder.find_keys()
    if set(numbers) <= set(kept):
        return kept
    entry = desk.entry
    message = messages.item_keys(desk.ref, record.terms.hash, record.seed, worker=worker)
    request = relay_models.KeysRequest(
        worker=worker, signature=sign(message, desk.key(entry.account))
    )
    keys = desk.relay(entry.relay).keys(desk.bounty_id, request)
    if not set(numbers) <= set(keys):
        raise BountyError(
            "the relay withholds keys of your items; ask the requester, or leave this bounty"
        )
    desk.folder.keep_keys(keys)
    return keys
