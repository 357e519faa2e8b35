# SPDX-License-Identifier: Apache-2.0
"""What every storage can do."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

from truthmark.cid import CID, DEFAULT_CHUNK_SIZE, EMPTY_CID
from truthmark.errors import ConfigError, StorageError
from truthmark.storage.dag import leaf_bytes, parse_node, visit, walk
from truthmark.storage.fetch import fetch_file, read_ahead
from truthmark.storage.limits import MAX_FILE, check_block
from truthmark.types import Progress


@dataclass(frozen=True, slots=True)
class Stat:
    """What one storage knows of a file.

    Attributes:
        cid: its root.
        size: bytes of the file.
        blocks: distinct blocks of its tree, inner nodes included.
        local_blocks: how many of these the storage holds itself.
        pinned: whether it keeps the file until told otherwise.
    """

    cid: CID
    size: int
    blocks: int
    local_blocks: int
    pinned: bool

    @property
    def complete(self) -> bool:
        """Whether the storage holds every block itself."""
        return self.local_blocks == self.blocks


class Storage(ABC):
    """Content-addressed files: local folder, Kubo node, gateways, or several of them.

    Everything follows from being able to read a block: files, ranges, trees, limits.

    Every method raises `StorageUnavailableError` where the storage does not answer,
    `BlockNotFoundError` where it lacks a block, `BlockMismatchError` where it sends other bytes,
    and `LimitError` or `MalformedError` where a tree breaks the limits or the format.

    Attributes:
        name: How messages call it.
        writable: Whether `put`, `put_block`, `pin` and `unpin` work.
        workers: How many blocks are worth asking for at once.
    """

    name: str
    writable: bool = False
    workers: int = 1

    @abstractmethod
    def _fetch(self, cid: CID) -> bytes:
        """Return what the storage answers for `cid`; `read_block` checks it."""

    @abstractmethod
    def _holds(self, cid: CID) -> bool:
        """Return whether this storage holds the block itself, without asking others."""

    @abstractmethod
    def pins(self) -> list[CID]:
        """Return the roots that are kept, in the order of their texts."""

    def put(
        self,
        source: Path | bytes,
        *,
        chunk: int = DEFAULT_CHUNK_SIZE,
        pin: bool = True,
        progress: Progress | None = None,
    ) -> CID:
        """Store a file in chunks of `chunk` bytes and return its CID, the same everywhere."""
        raise self._read_only()

    def put_block(self, cid: CID, data: bytes) -> None:
        """Store one block, unpinned."""
        raise self._read_only()

    def pin(self, cid: CID, *, progress: Progress | None = None) -> None:
        """Keep the whole file from now on, fetching what is missing."""
        raise self._read_only()

    def unpin(self, cid: CID) -> None:
        """Stop keeping the file; harmless if it is not pinned."""
        raise self._read_only()

    def _read_only(self) -> StorageError:
        return StorageError(f"{self.name}: only reads; add a local or kubo storage to write")

    def read_block(self, cid: CID) -> bytes:
        """Return one block, checked against its CID."""
        # Nodes never send the empty block to each other: asking for it would hang.
        if cid == EMPTY_CID:
            return b""
        return check_block(cid, self._fetch(cid), self.name)

    def has_block(self, cid: CID) -> bool:
        """Return whether this storage holds the block itself, without asking others."""
        return cid == EMPTY_CID or self._holds(cid)

    def get(
        self,
        cid: CID,
        dest: Path,
        *,
        progress: Progress | None = None,
        resume: bool = True,
        max_size: int = MAX_FILE,
    ) -> None:
        """Write the file to `dest`, which appears only when every block was checked.

        See `truthmark.storage.fetch.fetch_file`.
        """
        fetch_file(self, cid, dest, progress=progress, resume=resume, max_size=max_size)

    def read_range(self, cid: CID, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`, fewer at the end; fetch only what holds them.

        Raises:
            ConfigError: a negative offset or length.
        """
        if offset < 0 or length < 0:
            raise ConfigError(f"storage: no bytes {offset}+{length}; use positive numbers")
        leaves = walk(self.read_block, cid, start=offset, stop=offset + length).leaves
        read = partial(leaf_bytes, self.read_block)
        return b"".join(
            data[max(0, offset - leaf.offset) : offset + length - leaf.offset]
            for leaf, data in read_ahead(leaves, read, self.workers)
        )

    def blocks(self, cid: CID) -> Iterator[tuple[CID, bytes]]:
        """Yield every distinct block of the tree once, parents before children."""

        def read(found: tuple[CID, bytes | None]) -> bytes:
            return self.read_block(found[0]) if found[1] is None else found[1]

        seen: set[CID] = set()
        distinct = (
            found
            for found in visit(self.read_block, cid)
            if found[0] not in seen and not seen.add(found[0])  # type: ignore[func-returns-value]
        )
        for (block_cid, _), data in read_ahead(distinct, read, self.workers):
            yield block_cid, data

    def has(self, cid: CID) -> bool:
        """Return whether this storage holds every block of the tree itself."""

        def read_held(wanted: CID) -> bytes:
            if not self.has_block(wanted):
                raise _AbsentError
            return self.read_block(wanted)

        try:
            return all(
                node is not None or self.has_block(block_cid)
                for block_cid, node in visit(read_held, cid)
            )
        except _AbsentError:
            return False

    def stat(self, cid: CID) -> Stat:
        """Return size, blocks and pin state of a file."""
        seen: set[CID] = set()
        held = size = 0
        for block_cid, node in visit(self.read_block, cid):
            if block_cid == cid:
                size = len(self.read_block(cid)) if node is None else parse_node(node).size
            if block_cid not in seen:
                seen.add(block_cid)
                held += self.has_block(block_cid)
        return Stat(cid, size, len(seen), held, cid in self.pins())

    def close(self) -> None:  # noqa: B027 (a storage without connections has nothing to do)
        """Let go of connections and files."""

    def __enter__(self) -> Self:
        """Return the open storage."""
        return self

    def __exit__(self, *_: Any) -> None:
        """Close the storage."""
        self.close()


class _AbsentError(StorageError):
    """A block that `has` looks for is not held here."""
