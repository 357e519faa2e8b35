# SPDX-License-Identifier: Apache-2.0
"""Fetching a version, and checking it against the chain; needs no wallet and costs nothing."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from truthmark.cid import raw_cid
from truthmark.errors import IntegrityError, LimitError, MarketError
from truthmark.market.drafts.terms import contradicts
from truthmark.market.entries import Version
from truthmark.session import Session
from truthmark.types import Progress

if TYPE_CHECKING:
    from truthmark.codec import Manifest, ShardIndex
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

    def manifest(self, terms_manifest: bytes) -> "Manifest":
        """Fetch a manifest by its digest.

        Raises:
            StorageError: No storage has it.
            MalformedError: The seller committed to something that is not a manifest.
        """
        from truthmark.codec import Manifest

        return Manifest.from_bytes(self.session.storage.read_block(raw_cid(terms_manifest)))

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
        from truthmark.codec import read_card
        from truthmark.codec.limits import MAX_CARD_SIZE

        manifest = self._manifest_of(version)
        if manifest.card_size > MAX_CARD_SIZE:
            raise LimitError(f"the card of {version.ref} is too large to be read")
        card = self.session.storage.read_range(manifest.card, 0, manifest.card_size)
        return read_card(card), manifest.size

    def fetch(self, version: Version, progress: Progress | None = None) -> Path:
        """Download a version and verify it against the chain; needs no wallet and costs nothing.

        Goes on where it was interrupted; what was checked is not fetched again.

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

        manifest = self._manifest_of(version)
        folder = self.session.home / "datasets" / version.terms_id.hex()
        folder.mkdir(parents=True, exist_ok=True)
        storage = self.session.storage
        check_index_size(manifest.index_size, manifest.count)
        with self.session.exclusive(f"fetch-{version.terms_id.hex()}"):
            storage.get(manifest.index, folder / INDEX_NAME, max_size=manifest.index_size)
            storage.get(manifest.card, folder / CARD_NAME, max_size=MAX_CARD_SIZE)
            storage.get(
                manifest.container, folder / DATA_NAME, progress=progress, max_size=manifest.size
            )
            write_atomically(folder / MANIFEST_NAME, manifest.to_bytes())
            verify(folder, digest=version.terms.manifest, root=version.terms.root).require()
        return folder

    def index(self, version: Version) -> "ShardIndex":
        """Return a version's public index of shards, checked against the terms.

        Raises:
            StorageError: No storage has the index.
            CodecError: What the seller committed to contradicts itself.
        """
        from truthmark.codec import ShardIndex, check_index
        from truthmark.codec.shard_index import check_index_size

        manifest = self._manifest_of(version)
        check_index_size(manifest.index_size, manifest.count)
        data = self.session.storage.read_range(manifest.index, 0, manifest.index_size)
        index = ShardIndex.from_bytes(data, manifest.count)
        check_index(index, manifest)
        return index

    def missing_bytes(self, version: Version) -> int:
        """Return how many bytes of a version's container are not on this machine yet.

        Raises:
            StorageError: No storage has the index.
            CodecError: What the seller committed to contradicts itself.
        """
        storage, manifest = self.session.storage, self._manifest_of(version)
        index = self.index(version)
        shards = (raw_cid(index.sha256(i)) for i in range(manifest.count))
        return manifest.shard_size * sum(not storage.has_block(cid) for cid in shards)

    def _manifest_of(self, version: Version) -> "Manifest":
        return read_manifest(self.session.storage, version)


def read_manifest(storage: "Storage", version: Version) -> "Manifest":
    """Fetch a version's manifest and check it against the terms.

    Raises:
        StorageError: No storage has it.
        CodecError: It is not a manifest, or contradicts the terms.
    """
    from truthmark.codec import Manifest

    manifest = Manifest.from_bytes(storage.read_block(raw_cid(version.terms.manifest)))
    if contradicts(manifest, version.terms):
        raise IntegrityError(
            f"the manifest of {version.ref} contradicts its terms; do not buy or keep it"
        )
    return manifest
