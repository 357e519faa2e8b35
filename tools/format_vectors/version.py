# SPDX-License-Identifier: Apache-2.0
"""A version of a data set, sealed part by part, and the Arrow messages in it."""

import base64

import pyarrow as pa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from spec import (
    G,
    S,
    base_point,
    bytes_cid,
    canonical,
    file_cid,
    hexed,
    keccak256,
    multiply,
    point,
    sha,
    tree_path,
    tree_root,
    u32,
    u256,
)

DIGEST = pa.binary(32)


def messages(*batches, compression=None, deltas=False):
    """Return an Arrow stream of batches and the length of its schema message."""
    sink, schema = pa.BufferOutputStream(), batches[0].schema
    options = pa.ipc.IpcWriteOptions(compression=compression, emit_dictionary_deltas=deltas)
    with pa.ipc.new_stream(sink, schema, options=options) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue().to_pybytes(), len(schema.serialize())


def frame(content, zeros=0):
    """Return a zstd frame of content as it is and zeros as one block of them."""
    size = len(content) + zeros
    head = bytes([0x20, size]) if size < 128 else b"\xa0" + size.to_bytes(4, "little")
    blocks = ((not zeros) | len(content) << 3).to_bytes(3, "little") + content
    if zeros:
        blocks += (1 | 1 << 1 | zeros << 3).to_bytes(3, "little") + b"\0"
    return b"\x28\xb5\x2f\xfd" + head + blocks


def in_frames(*frames):
    """Return a segment of zstd frames."""
    return len(b"".join(frames)).to_bytes(4, "little") + b"".join(frames)


def files_table(entries, compression=None):
    """Return the files table as an Arrow stream."""
    schema = pa.schema(
        [
            pa.field("path", pa.string(), False),
            pa.field("kind", pa.string(), False),
            pa.field("split", pa.string()),
            pa.field("offset", pa.uint64(), False),
            pa.field("length", pa.uint64(), False),
            pa.field("schema", pa.binary()),
        ]
    )
    columns = [pa.array(c, f.type) for c, f in zip(zip(*entries, strict=True), schema, strict=True)]
    return messages(pa.record_batch(columns, schema=schema), compression=compression)[0]


class Version:
    """One version of the example: derives its keys and seals shards."""

    def __init__(self, scalar):
        """Derive everything from the secret scalar."""
        self.s = scalar
        self.pk = multiply(scalar, G)
        self.c, self.base = base_point(self.pk)
        self.k = multiply(scalar, self.base)
        self.cek = sha(b"tmk1/cek", u256(self.k[0]), u256(self.k[1]))
        self.shards = []

    def seal(self, plaintext, row):
        """Encrypt one payload as the next shard."""
        i = len(self.shards)
        key = sha(b"tmk1/shard", self.cek, u32(i))
        payload = plaintext.ljust(S - 16, b"\0")
        sealed = AESGCM(key).encrypt(bytes(12), payload, None)
        shard = {"payload": payload, "key": key, "ciphertext": sealed, "wrap": bytes(32)}
        self.shards.append({**shard, "row": row})

    def seal_segment(self, number, first_row, rows, stream, decoded):
        """Encrypt a stream of any length as the next shards."""
        for start in range(0, len(stream), S - 16):
            tail = (0, 0) if start else (rows, decoded)
            self.seal(stream[start : start + S - 16], (number, first_row, *tail))

    def inherit(self, shard, row):
        """Take over a shard of an older version."""
        i = len(self.shards)
        mask = sha(b"tmk1/wrap", self.cek, u32(i), sha(shard["ciphertext"]))
        wrap = bytes(a ^ b for a, b in zip(shard["key"], mask, strict=True))
        self.shards.append({**shard, "wrap": wrap, "row": row})

    def finish(self, card):
        """Write index, card and manifest."""
        rows = [shard["row"] for shard in self.shards]
        digests = [sha(shard["ciphertext"]) for shard in self.shards]
        hashes = [sha(shard["key"]) for shard in self.shards]
        wraps = [shard["wrap"] for shard in self.shards]
        self.leaves = [
            keccak256(b"\x01" + u32(i) + digests[i] + hashes[i] + wraps[i])
            for i in range(len(rows))
        ]
        schema = pa.schema(
            [pa.field(name, DIGEST, False) for name in ("sha256", "key_hash", "wrap_word")]
            + [
                pa.field("segment", pa.uint32(), False),
                pa.field("first_row", pa.uint64(), False),
                pa.field("rows", pa.uint32(), False),
                pa.field("decoded_bytes", pa.uint64(), False),
            ]
        )
        columns = [digests, hashes, wraps, *(list(column) for column in zip(*rows, strict=True))]
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, schema) as writer:
            arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
        self.index = sink.getvalue().to_pybytes()
        self.card = canonical(card)
        self.manifest = canonical(
            {
                "format": "tmk1",
                "shard_size": S,
                "count": len(rows),
                "root": hexed(tree_root(self.leaves)),
                "container": file_cid([(digest, S) for digest in digests]),
                "index": bytes_cid(self.index),
                "index_size": len(self.index),
                "card": bytes_cid(self.card),
                "card_size": len(self.card),
                "public_key": {"x": hexed(u256(self.pk[0])), "y": hexed(u256(self.pk[1]))},
                "licence": "CC0-1.0",
                "provenance": None,
            }
        )

    def write(self, folder):
        """Write the four files."""
        folder.mkdir(parents=True)
        data = b"".join(shard["ciphertext"] for shard in self.shards)
        (folder / "data.tmk").write_bytes(data)
        (folder / "index.arrow").write_bytes(self.index)
        (folder / "card.json").write_bytes(self.card)
        (folder / "manifest.json").write_bytes(self.manifest)

    def vectors(self):
        """Return what a reader computes on the way."""
        return {
            "secret": hexed(u256(self.s)),
            "public_key": point(self.pk),
            "base_counter": self.c,
            "base": point(self.base),
            "key_point": point(self.k),
            "cek": hexed(self.cek),
            "shards": [
                {
                    "key": hexed(shard["key"]),
                    "key_hash": hexed(sha(shard["key"])),
                    "wrap_word": hexed(shard["wrap"]),
                    "sha256": hexed(sha(shard["ciphertext"])),
                    "payload_but_trailing_zeros": hexed(shard["payload"].rstrip(b"\0")),
                    "begins": hexed(shard["ciphertext"][:16]),
                    "tag": hexed(shard["ciphertext"][-16:]),
                    "leaf": hexed(leaf),
                    "index_row": list(shard["row"]),
                }
                for shard, leaf in zip(self.shards, self.leaves, strict=True)
            ],
            "path_of_shard_2": [hexed(node) for node in tree_path(self.leaves, 2)],
            **self.public_vectors(),
        }

    def public_vectors(self):
        """Return what everybody sees."""
        return {
            "root": hexed(tree_root(self.leaves)),
            "index_base64": base64.b64encode(self.index).decode(),
            "card": self.card.decode(),
            "manifest": self.manifest.decode(),
            "manifest_sha256": hexed(sha(self.manifest)),
            "manifest_cid": file_cid([(sha(self.manifest), len(self.manifest))]),
        }
