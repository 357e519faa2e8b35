# SPDX-License-Identifier: Apache-2.0
"""Containers for tests: honest ones packed, hostile ones made by hand yet correctly committed."""

import io
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
from coincurve import PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from truthmark.cid import build_dag, cid_of_stream
from truthmark.codec import files_table, open_container, packer, verify
from truthmark.codec.derive import fresh_key
from truthmark.codec.files_table import Entry
from truthmark.codec.limits import payload_size
from truthmark.codec.manifest import Manifest, to_canonical_json
from truthmark.codec.shard_index import ShardIndex
from truthmark.codec.shards import ShardSource
from truthmark.hashing import sha256
from truthmark.types import Point

PUBLIC_KEY = Point(*PrivateKey(b"\1" * 32).public_key.point())
LICENCE = "CC0-1.0"
S = 4096
P = payload_size(S)
STREAM_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"


def pack(source: Any, target: Path, **options: Any) -> tuple[packer.Packed, bytes]:
    """Pack with a fresh content key; return what was made and the key."""
    cek = os.urandom(32)
    packed = packer.pack(
        source, target, **{"cek": cek, "public_key": PUBLIC_KEY, "licence": LICENCE, **options}
    )
    return packed, cek


def reopened(source: Any, folder: Path, **options: Any) -> Any:
    """Pack, verify, and return the open container."""
    packed, cek = pack(source, folder / "packed", **options)
    assert verify(folder / "packed", digest=packed.manifest.digest, root=packed.root).holds
    return open_container(folder / "packed", cek=cek)


@dataclass
class Part:
    """One segment as a hostile packer states it."""

    number: int
    plaintext: bytes
    rows: int = 0
    first_row: int = 0
    decoded: int | None = None
    shards: int | None = None

    @property
    def count(self) -> int:
        return self.shards or max(1, -(-len(self.plaintext) // P))


class MemoryShards(ShardSource):
    """Shards in memory; counts what was asked for."""

    def __init__(self, shards: Sequence[bytes]) -> None:
        self.shards = list(shards)
        self.asked: list[int] = []

    def read(self, i: int) -> bytes:
        self.asked.append(i)
        return self.shards[i]


@dataclass
class Forged:
    """A container whose commitments hold, whatever is inside."""

    cek: bytes
    shards: list[bytes]
    index: ShardIndex
    index_bytes: bytes
    card_bytes: bytes
    manifest: Manifest
    extra: dict[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "data.tmk").write_bytes(b"".join(self.shards))
        (folder / "index.arrow").write_bytes(self.index_bytes)
        (folder / "card.json").write_bytes(self.card_bytes)
        (folder / "manifest.json").write_bytes(self.manifest.to_bytes())
        return folder

    @property
    def source(self) -> tuple[ShardIndex, MemoryShards]:
        return self.index, MemoryShards(self.shards)


def forge(
    parts: Sequence[Part],
    *,
    cek: bytes | None = None,
    public_key: Point = PUBLIC_KEY,
    random: Collection[int] = (),
    card: Mapping[str, Any] | None = None,
) -> Forged:
    """Seal `parts` as they are and commit to them; shards in `random` are random bytes instead."""
    cek = cek or os.urandom(32)
    shards, keys, rows = [], [], []
    for part in parts:
        decoded = len(part.plaintext) + 4096 if part.decoded is None else part.decoded
        for k in range(part.count):
            payload = part.plaintext[k * P : (k + 1) * P].ljust(P, b"\0")
            key = fresh_key(cek, len(shards))
            sealed = AESGCM(key).encrypt(bytes(12), payload, None)
            shards.append(os.urandom(S) if len(shards) in random else sealed)
            keys.append(key)
            tail = (0, 0) if k else (part.rows, decoded)
            rows.append((part.number, part.first_row, *tail))
    numbers = np.array(rows, dtype=np.uint64)
    index = ShardIndex(
        b"".join(sha256(shard) for shard in shards),
        b"".join(sha256(key) for key in keys),
        bytes(32) * len(shards),
        tuple(np.ascontiguousarray(numbers[:, column]) for column in range(4)),
    )
    plain = {"format": "tmk1-card", "title": "", "description": "", "licence": LICENCE}
    card_bytes = to_canonical_json({**plain, **(card or {})}, "card")
    index_bytes = index.to_bytes()
    manifest = Manifest(
        shard_size=S,
        count=len(shards),
        root=index.tree.root,
        container=build_dag((sha256(shard), S) for shard in shards).root,
        index=cid_of_stream(io.BytesIO(index_bytes)),
        index_size=len(index_bytes),
        card=cid_of_stream(io.BytesIO(card_bytes)),
        card_size=len(card_bytes),
        public_key=public_key,
        licence=LICENCE,
    )
    return Forged(cek, shards, index, index_bytes, card_bytes, manifest)


def stream_of(table: pa.Table, compression: str | None = None) -> tuple[bytes, bytes]:
    """Return the schema message and the messages behind it."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    message = table.schema.serialize().to_pybytes()
    return message, sink.getvalue().to_pybytes()[len(message) :]


@dataclass
class Draft:
    """The parts of a small honest container, to be changed before it is forged.

    It has one file of 14 bytes and one table of three rows.
    """

    table: pa.Table = field(
        default_factory=lambda: pa.table({"item": [1, 2, 3], "label": ["cat", None, "dog"]})
    )
    entries: list[Entry] = field(default_factory=list)
    bytes_part: bytes | None = b"Hello, buyer.\n"
    decoded: int = 1 << 20

    def __post_init__(self) -> None:
        self.schema, self.segment = stream_of(self.table)
        if not self.entries:
            self.entries = [
                Entry("hello.txt", "bytes", None, 0, 14),
                Entry("t.parquet", "table", "train", 0, self.table.num_rows, self.schema),
            ]

    def change(self, position: int, **fields: Any) -> "Draft":
        """Change one entry of the files table."""
        self.entries[position] = replace(self.entries[position], **fields)
        return self

    def parts(self, files: bytes | None = None, **segment: Any) -> list[Part]:
        """Return the segments; `segment` changes fields of the table's."""
        found = [Part(0, files_table.encode(self.entries) if files is None else files)]
        if self.bytes_part is not None:
            shards = max(1, -(-len(self.bytes_part) // P))
            found.append(Part(1, self.bytes_part, decoded=shards * P))
        if self.table.num_rows:
            rows, decoded = self.table.num_rows, self.decoded
            found.append(replace(Part(2, self.segment, rows=rows, decoded=decoded), **segment))
        return found

    def forge(self, files: bytes | None = None, **segment: Any) -> Forged:
        """Seal and commit."""
        return forge(self.parts(files, **segment))


def decoder_peaks() -> list[int]:
    """Return the peak resident bytes of each decoder child of this process."""
    peaks = []
    for process in psutil.Process().children():
        if any("decoder_child" in word for word in process.cmdline()):
            status = Path(f"/proc/{process.pid}/status").read_text()
            peaks.append(int(status.partition("VmHWM:")[2].split()[0]) << 10)
    return peaks
