# SPDX-License-Identifier: Apache-2.0
"""Checks a container without its key, and finds out who is to blame when a key does not fit."""

import hashlib
import queue
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from truthmark.cid import CID, build_dag, cid_of_file
from truthmark.codec.container import check_index, read_index, read_manifest
from truthmark.codec.derive import check_cek, shard_key
from truthmark.codec.limits import CARD_NAME, DATA_NAME, DEFAULT_LIMITS, Limits
from truthmark.codec.manifest import Manifest
from truthmark.codec.ordered_map import ordered_map
from truthmark.codec.shard_index import ShardIndex
from truthmark.codec.shards import FileShards, ShardSource
from truthmark.errors import IntegrityError
from truthmark.hashing import sha256
from truthmark.types import Progress


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a check without the key found.

    Attributes:
        manifest: what the container must be.
        container: CID that the shards' hashes in the index give.
        bad_shards: numbers of shards that differ from the index; get these again.
    """

    manifest: Manifest
    container: CID
    bad_shards: tuple[int, ...]

    @property
    def holds(self) -> bool:
        """Whether every byte is the one that was committed to."""
        return not self.bad_shards

    def require(self) -> "VerifyReport":
        """Return the report if all holds.

        Raises:
            IntegrityError: some shards differ.
        """
        if self.bad_shards:
            raise IntegrityError(
                f"{len(self.bad_shards)} of {self.manifest.count} shards differ from what was "
                f"committed to, first {self.bad_shards[0]}; fetch them again"
            )
        return self


def verify(
    folder: Path,
    *,
    digest: bytes | None = None,
    root: bytes | None = None,
    limits: Limits = DEFAULT_LIMITS,
    processes: int = 1,
    progress: Progress | None = None,
) -> VerifyReport:
    """Check the folder of a container against its manifest, and that against the chain.

    Recomputes the tree from the index, the CIDs of container, index and card, and the hash of
    every shard. Needs no key: whether the shards open is known only to who has it.

    Args:
        folder: holds `data.tmk`, `index.arrow`, `manifest.json` and `card.json`.
        digest: SHA-256 of the manifest as it stands on chain.
        root: root as it stands on chain.
        limits: what may be spent.
        processes: processors to use.
        progress: called with bytes checked, and all.

    Raises:
        IntegrityError: manifest, index or card are not what was committed to, or the container
            has another size. Shards that differ are in the report instead.
        MalformedError: a part does not follow the format.
    """
    manifest = read_manifest(folder)
    if digest is not None and manifest.digest != digest:
        raise IntegrityError(f"{folder}: its manifest is not the one on chain; fetch it again")
    if root is not None and manifest.root != root:
        raise IntegrityError(f"{folder}: its root is not the one on chain; fetch it again")
    index = read_index(folder, manifest, limits)
    check_index(index, manifest)
    card = folder / CARD_NAME
    if (
        not card.is_file()
        or card.stat().st_size != manifest.card_size
        or cid_of_file(card) != manifest.card
    ):
        raise IntegrityError(f"{card}: is not the file that the manifest names; fetch it again")
    container = container_cid(index, manifest)
    shards = FileShards(folder / DATA_NAME, shard_size=manifest.shard_size, count=manifest.count)
    try:
        bad = []
        for i, fits in enumerate(_check_shards(shards, index, manifest.shard_size, processes)):
            if not fits:
                bad.append(i)
            if progress is not None:
                progress((i + 1) * manifest.shard_size, manifest.size)
    finally:
        shards.close()
    return VerifyReport(manifest, container, tuple(bad))


def container_cid(index: ShardIndex, manifest: Manifest) -> CID:
    """Return the CID of the container that `index` describes.

    Raises:
        IntegrityError: it is not the one that the manifest names.
    """
    size = manifest.shard_size
    cid = build_dag((index.sha256(i), size) for i in range(index.count)).root
    if cid != manifest.container:
        raise IntegrityError("manifest: the container's CID does not follow from the index")
    return cid


@dataclass(frozen=True, slots=True)
class WrongKey:
    """A shard whose committed key hash a key does not give, with the proof of the commitment.

    Attributes:
        i: number of the shard.
        ciphertext_sha256: as committed to.
        key_hash: as committed to.
        wrap_word: as committed to.
        path: siblings from the leaf to the root's top.
    """

    i: int
    ciphertext_sha256: bytes
    key_hash: bytes
    wrap_word: bytes
    path: tuple[bytes, ...]


def find_wrong_key(index: ShardIndex, cek: bytes) -> WrongKey | None:
    """Return the first shard for which `cek` does not give the committed key, None if all fit.

    Reads no shard: key, hash and wrap word follow from the index alone. If this finds nothing,
    yet a shard does not open, the seller encrypted something else under the committed key.
    """
    check_cek(cek)
    for i in range(index.count):
        key = shard_key(cek, i, index.sha256(i), index.wrap_word(i))
        if sha256(key) != index.key_hash(i):
            return WrongKey(
                i,
                index.sha256(i),
                index.key_hash(i),
                index.wrap_word(i),
                tuple(index.tree.path(i)),
            )
    return None


def _check_shards(
    shards: ShardSource, index: ShardIndex, shard_size: int, processes: int
) -> Iterator[bool]:
    spare: queue.SimpleQueue[bytearray] = queue.SimpleQueue()
    for _ in range(processes):
        spare.put(bytearray(shard_size))

    def check(i: int) -> bool:
        buffer = spare.get()
        try:
            shards.read_into(i, buffer)
            return hashlib.sha256(buffer).digest() == index.sha256(i)
        finally:
            spare.put(buffer)

    return ordered_map(check, range(index.count), processes)
