# SPDX-License-Identifier: Apache-2.0
"""Fetching a version, and checking it against the chain; needs no wallet and costs nothing.

What was fetched before is read from where it was put, and checked: storage may be away then.
"""

import io
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from truthmark.cid import CID, cid_of_stream, raw_cid
from truthmark.errors import CodecError, IntegrityError, LimitError, MarketError
from truthmark.market.drafts.terms import contradicts
from truthmark.market.entries import Version
from truthmark.session import Session
from truthmark.types import Progress

if TYPE_CHECKING:
    from truthmark.codec import Manifest, ShardIndex
    from truthmark.codec.limits import Limits
    from truthmark.storage import Storage


def require_of(version: Version, manifest: "Manifest", where: object = "this folder") -> None:
    """Refuse what was packed otherwise than what was listed, such as before a change.

    Args:
        version: What was listed.
        manifest: Of what is at hand.
        where: Where that is.

    Raises:
        MarketError: They are not the same.
    """
    if manifest.digest != version.terms.manifest:
        raise MarketError(
            f"{where} does not hold what was listed as {version.ref}, but other data or another "
            "packing of it; use the folder that was listed, or let it be fetched again"
        )


class Fetcher:
    """Fetches what was listed.

    Args:
        session: Whose storage, catalogue and home folder are used.
    """

    def __init__(self, session: Session) -> None:
        """Use a session."""
        self.session = session

    def manifest(self, version: Version) -> "Manifest":
        """Return a version's manifest, checked against the terms.

        Raises:
            StorageError: No storage has it.
            CodecError: It is not a manifest, or contradicts the terms.
        """
        from truthmark.codec.limits import MANIFEST_NAME, MAX_MANIFEST_SIZE

        cid = raw_cid(version.terms.manifest)
        data = self._fetched(version, MANIFEST_NAME, cid, MAX_MANIFEST_SIZE)
        return _checked(self.session.storage.read_block(cid) if data is None else data, version)

    def preview(self, version: Version) -> dict[str, Any]:
        """Return a version's public card; no wallet is needed.

        Raises:
            StorageError: No storage has it.
            CodecError: It is not what the seller committed to.
        """
        return self.look(version)[0]

    def look(self, version: Version) -> tuple[dict[str, Any], int]:
        """Return a version's public card, and the bytes of its container.

        Raises:
            StorageError: No storage has it.
            CodecError: It is not what the seller committed to.
        """
        manifest = self.manifest(version)
        return self.card(version, manifest), manifest.size

    def card(self, version: Version, manifest: "Manifest") -> dict[str, Any]:
        """Return the public card of a version with this manifest.

        Raises:
            StorageError: No storage has it.
            CodecError: It is not a card.
        """
        from truthmark.codec import read_card
        from truthmark.codec.limits import CARD_NAME, MAX_CARD_SIZE

        if manifest.card_size > MAX_CARD_SIZE:
            raise LimitError(f"the card of {version.ref} is too large to be read")
        return read_card(self._read(version, CARD_NAME, manifest.card, manifest.card_size))

    def fetch(self, version: Version, progress: Progress | None = None) -> Path:
        """Download a version and verify it against the chain; needs no wallet and costs nothing.

        Goes on where it was interrupted; what was checked is not fetched again. What is here whole
        needs no storage.

        Args:
            version: What to fetch.
            progress: Called with bytes of the container there and in all.

        Returns:
            A folder with container, index, manifest and card.

        Raises:
            StorageError: A block is nowhere to be had.
            CodecError: What the seller committed to contradicts itself.
        """
        from truthmark.codec import verify
        from truthmark.codec.limits import (
            CARD_NAME,
            DATA_NAME,
            INDEX_NAME,
            MANIFEST_NAME,
            MAX_CARD_SIZE,
        )
        from truthmark.codec.shard_index import check_index_size
        from truthmark.config.files import write_atomically

        manifest = self.manifest(version)
        folder = self.folder(version)
        folder.mkdir(parents=True, exist_ok=True)
        storage, terms = self.session.storage, version.terms
        check_index_size(manifest.index_size, manifest.count)
        with self.session.exclusive(f"fetch-{version.terms_id.hex()}"):
            with suppress(CodecError, OSError):
                verify(folder, digest=terms.manifest, root=terms.root, progress=progress).require()
                return folder
            storage.get(manifest.index, folder / INDEX_NAME, max_size=manifest.index_size)
            storage.get(manifest.card, folder / CARD_NAME, max_size=MAX_CARD_SIZE)
            storage.get(
                manifest.container, folder / DATA_NAME, progress=progress, max_size=manifest.size
            )
            write_atomically(folder / MANIFEST_NAME, manifest.to_bytes())
            verify(folder, digest=terms.manifest, root=terms.root).require()
        return folder

    def folder(self, version: Version) -> Path:
        """Return where `fetch` puts a version."""
        return self.session.home / "datasets" / version.terms_id.hex()

    def index(
        self,
        version: Version,
        manifest: "Manifest | None" = None,
        limits: "Limits | None" = None,
    ) -> "ShardIndex":
        """Return a version's public index of shards, checked against the terms.

        Args:
            version: Whose.
            manifest: Of the version, where it is known already.
            limits: What may be spent on it.

        Raises:
            StorageError: No storage has the index.
            CodecError: What the seller committed to contradicts itself.
        """
        from truthmark.codec import ShardIndex, check_index
        from truthmark.codec.limits import DEFAULT_LIMITS, INDEX_NAME
        from truthmark.codec.shard_index import check_index_size

        manifest = manifest or self.manifest(version)
        check_index_size(manifest.index_size, manifest.count)
        data = self._read(version, INDEX_NAME, manifest.index, manifest.index_size)
        index = ShardIndex.from_bytes(data, manifest.count, limits or DEFAULT_LIMITS)
        check_index(index, manifest)
        return index

    def missing_bytes(self, version: Version) -> int:
        """Return how many bytes of a version's container are not on this machine yet.

        Raises:
            StorageError: No storage has the index.
            CodecError: What the seller committed to contradicts itself.
        """
        from truthmark.codec.limits import DATA_NAME

        if (self.folder(version) / DATA_NAME).exists():  # it appears when it is whole
            return 0
        storage, manifest = self.session.storage, self.manifest(version)
        index = self.index(version, manifest)
        shards = (raw_cid(index.sha256(i)) for i in range(manifest.count))
        # A gateway that is the only storage holds them itself, but elsewhere.
        here = sum(storage.has_block(cid) for cid in shards) if storage.writable else 0
        return manifest.shard_size * (manifest.count - here)

    def _read(self, version: Version, name: str, cid: CID, size: int) -> bytes:
        """Return a small file of a version, from what was fetched, else from storage."""
        data = self._fetched(version, name, cid, size)
        return self.session.storage.read_range(cid, 0, size) if data is None else data

    def _fetched(self, version: Version, name: str, cid: CID, size: int) -> bytes | None:
        """Return a file that was fetched, if it is here and the one that `cid` names."""
        from truthmark.codec.reading import read_limited

        with suppress(CodecError):
            data = read_limited(self.folder(version) / name, size)
            return data if cid_of_stream(io.BytesIO(data)) == cid else None
        return None


def read_manifest(storage: "Storage", version: Version) -> "Manifest":
    """Read a version's manifest from storage and check it against the terms.

    For those who keep it there; others take it from `Fetcher.manifest`.

    Raises:
        StorageError: The storage does not have it.
        CodecError: It is not a manifest, or contradicts the terms.
    """
    return _checked(storage.read_block(raw_cid(version.terms.manifest)), version)


def _checked(data: bytes, version: Version) -> "Manifest":
    from truthmark.codec import Manifest

    manifest = Manifest.from_bytes(data)
    if contradicts(manifest, version.terms):
        raise IntegrityError(
            f"the manifest of {version.ref} contradicts its terms; do not buy or keep it"
        )
    return manifest
