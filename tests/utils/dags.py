# SPDX-License-Identifier: Apache-2.0
"""Trees made by hand, right and wrong, and a storage in memory that counts what is asked."""

import hashlib
from collections import Counter

from truthmark.cid import CID, DAG_PB, raw_cid
from truthmark.errors import BlockNotFoundError
from truthmark.storage.block_storage import Storage

FILE = b"\x08\x02"  # UnixFS Data.Type = File


def varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*encoded, value))


def field(number: int, value: int | bytes) -> bytes:
    """Encode one protobuf field: a varint or a byte string."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def link(cid: CID, size: int, name: bytes = b"") -> bytes:
    return field(2, field(1, cid.to_bytes()) + field(2, name) + field(3, size))


def unixfs(sizes: list[int], total: int | None = None) -> bytes:
    total = sum(sizes) if total is None else total
    return field(1, FILE + field(3, total) + b"".join(field(4, size) for size in sizes))


def node(children: list[tuple[CID, int]]) -> bytes:
    """Encode an inner node over `(cid, bytes below)`."""
    return b"".join(link(cid, size) for cid, size in children) + unixfs([s for _, s in children])


def node_cid(data: bytes) -> CID:
    return CID(DAG_PB, hashlib.sha256(data).digest())


def leaf_cid(data: bytes) -> CID:
    return raw_cid(hashlib.sha256(data).digest())


class MemoryStore(Storage):
    """Blocks in a dictionary; `asked` counts what was read, `fail_after` makes it break."""

    name = "memory"

    def __init__(self, workers: int = 1) -> None:
        self.workers = workers
        self.held: dict[CID, bytes] = {}
        self.asked: Counter[CID] = Counter()
        self.fail_after: int | None = None

    def add(self, data: bytes, *, inner: bool = False) -> CID:
        cid = node_cid(data) if inner else leaf_cid(data)
        self.held[cid] = data
        return cid

    def take(self, source: Storage, cid: CID) -> CID:
        """Copy the tree `cid` from another storage."""
        self.held.update(source.blocks(cid))
        return cid

    def _fetch(self, cid: CID) -> bytes:
        if self.fail_after is not None and sum(self.asked.values()) >= self.fail_after:
            raise BlockNotFoundError("memory: told to fail; nothing to do")
        self.asked[cid] += 1
        if cid not in self.held:
            raise BlockNotFoundError(f"memory: no block {cid}; add it")
        return self.held[cid]

    def _holds(self, cid: CID) -> bool:
        return cid in self.held

    def pins(self) -> list[CID]:
        return []
