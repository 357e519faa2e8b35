# SPDX-License-Identifier: Apache-2.0
"""What a custodian keeps: the share of the key, and the bytes of the version.

Everything here may wait for a storage, so `truthmark.node.job_pool` does it beside the rounds.
"""

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from truthmark.cid import CID
from truthmark.codec import Manifest, check_index, container_cid
from truthmark.codec.limits import MAX_CARD_SIZE
from truthmark.codec.shard_index import ShardIndex, check_index_size
from truthmark.config.files import write_atomically
from truthmark.errors import IntegrityError, KeysError, StorageError
from truthmark.market.custodian import Custodian, CustodySlot
from truthmark.market.entries import Version
from truthmark.market.fetch import read_manifest
from truthmark.node.job_pool import StoppedError, TurnOverError
from truthmark.session import Session
from truthmark.types import Progress

if TYPE_CHECKING:
    from truthmark.storage import Storage


def fetch_manifest(storage: "Storage", version: Version) -> Manifest:
    """Fetch a version's manifest, and refuse what no node keeps.

    Raises:
        StorageError: It cannot be fetched.
        CodecError: It is not a manifest, contradicts the terms, or names too large a file.
    """
    manifest = read_manifest(storage, version)
    check_index_size(manifest.index_size, manifest.count)
    if manifest.card_size > MAX_CARD_SIZE:
        raise IntegrityError(f"the card of {version.ref} is larger than cards are; do not keep it")
    return manifest


class PinnedSet:
    """The bytes that this node keeps, and which pins are its own.

    A storage may be shared with others, such as a seller on the same machine, whose pins are not
    ours to remove. So what we pin is noted, before it is pinned, in a file for each version.

    Args:
        folder: Of the notes.
    """

    def __init__(self, folder: Path) -> None:
        """Name the folder; it is made when first needed."""
        self._folder = folder
        self._lock = threading.Lock()

    def keep(
        self,
        storage: "Storage",
        terms_id: bytes,
        manifest: Manifest,
        progress: Progress,
    ) -> None:
        """Pin container, index, manifest and card, checked against what is on the chain.

        Args:
            storage: Where they are kept, and fetched from.
            terms_id: The version's.
            manifest: Likewise.
            progress: Told how far fetching is.

        Raises:
            StorageError: Something cannot be fetched or kept.
            CodecError: The parts do not belong together.
        """
        parts = manifest.container, manifest.index, manifest.card, manifest.cid
        if not _missing(storage, parts):
            return
        index = ShardIndex.from_bytes(
            _whole(storage, manifest.index, manifest.index_size, "index"), manifest.count
        )
        # The root commits to the shards' hashes, and these to the container's CID, so what is
        # pinned under that CID is what buyers check; none of its bytes need be read for it.
        check_index(index, manifest)
        container_cid(index, manifest)
        _whole(storage, manifest.card, manifest.card_size, "card")
        self._note(storage, terms_id, parts)
        for cid in parts:
            storage.pin(cid, progress=progress)

    def keep_older(
        self, storage: "Storage", terms_id: bytes, blocks: Sequence[CID], progress: Progress
    ) -> None:
        """Pin what must stay of older versions for one that is kept, as much as can be had.

        Args:
            storage: Where they are kept, and fetched from.
            terms_id: The version's.
            blocks: As `blocks_of_older` finds them.
            progress: Told how far fetching is.

        Raises:
            StorageError: Something cannot be fetched or kept; all else is.
        """
        self._note(storage, terms_id, blocks)
        failure: Exception | None = None
        for cid in _missing(storage, blocks):
            progress(0, 0)
            try:
                storage.pin(cid, progress=progress)
            except (StoppedError, TurnOverError):
                raise
            except (StorageError, IntegrityError) as error:
                failure = error
        if failure is not None:
            raise failure

    def _note(self, storage: "Storage", terms_id: bytes, parts: Sequence[CID]) -> None:
        """Note which pins are about to be ours, beside those that are."""
        pinned = set(_own(storage).pins())
        with self._lock:
            notes = self._notes()
            ours = set().union(*notes.values())
            new = {str(cid) for cid in parts if cid not in pinned or str(cid) in ours}
            note = sorted(new | notes.get(terms_id.hex(), set()))
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self._folder / terms_id.hex(), json.dumps(note).encode())

    def drop(self, storage: "Storage", terms_id: bytes) -> None:
        """Unpin what only this version needed, and free its place on the disk.

        Raises:
            StorageError: It cannot be freed now; done again, this goes on.
        """
        from truthmark.storage import LocalStore

        with self._lock:
            notes = self._notes()
            others = set().union(*(cids for name, cids in notes.items() if name != terms_id.hex()))
            store = _own(storage)
            ours = [CID.parse(cid) for cid in sorted(notes.get(terms_id.hex(), set()) - others)]
            for cid in ours:
                store.unpin(cid)
            if isinstance(store, LocalStore):
                store.free(ours)
            (self._folder / terms_id.hex()).unlink(missing_ok=True)

    def _notes(self) -> dict[str, set[str]]:
        if not self._folder.is_dir():
            return {}
        return {
            path.name: set(json.loads(path.read_text(encoding="utf-8")))
            for path in self._folder.iterdir()
            if not path.name.startswith(".")
        }


def take_share(
    session: Session, version: Version, slot: CustodySlot, keys: Callable[[], Sequence[bytes]]
) -> None:
    """Make sure that the vault has the share, opening it from the sealed ones if need be.

    Args:
        session: Whose vault and storage are used.
        version: The custody's version.
        slot: The slot in it.
        keys: Gives the validator's encryption keys, the likeliest first.

    Raises:
        KeysError: The dealing or the share is wrong, or sealed to none of these keys.
        StorageError: The sealed shares cannot be fetched.
    """
    epoch = slot.epoch
    share_key = epoch.share_keys[slot.index - 1]
    if session.vault.find_share(epoch.custody_id, slot.index, share_key) is not None:
        return
    failure = KeysError("the validator has registered no encryption key of this operator")
    for private_key in keys():
        try:
            Custodian(session).take_share(version, slot, private_key)
            return
        except KeysError as error:
            failure = error
    raise failure


def _missing(storage: "Storage", parts: Sequence[CID]) -> list[CID]:
    """Return what is not pinned, or not there."""
    own = _own(storage)
    pinned = set(own.pins())
    return [cid for cid in parts if cid not in pinned or not own.has(cid)]


def _own(storage: "Storage") -> "Storage":
    """Return the storage that pins go to; the others are read from."""
    from truthmark.storage import MultiStore

    if isinstance(storage, MultiStore):
        return next((store for store in storage.stores if store.writable), storage)
    return storage


def _whole(storage: "Storage", cid: CID, size: int, what: str) -> bytes:
    """Read a file that must be of this size; a longer one would be pinned as well."""
    data = storage.read_range(cid, 0, size + 1)
    if len(data) != size:
        raise IntegrityError(f"the {what} is not as long as the manifest says; do not keep it")
    return data
