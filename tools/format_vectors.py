# SPDX-License-Identifier: Apache-2.0
"""Makes the test vectors of docs/format.md; shares no code with the package, on purpose.

    python tools/format_vectors.py                  print the vectors as JSON
    python tools/format_vectors.py --check PAGE     compare them with the ones in a page
    python tools/format_vectors.py --write FOLDER   write the example containers too

Curve, Keccak, tree, CIDs and canonical JSON are written here from their specifications, as
plainly as possible; only AES, SHA-256 and Arrow come from elsewhere. Standard library,
`cryptography` and `pyarrow` are all it needs.
"""

import base64
import hashlib
import json
import sys
from pathlib import Path

import pyarrow as pa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)
S = 4096
DIGEST = pa.binary(32)
NUMBERS = pa.schema(
    [("number", pa.int32()), pa.field("word", pa.dictionary(pa.int8(), pa.string()))]
)

PATHS = {
    "accepted": [
        "b", ".hidden", "a b", "-rf", "README.md", "a/b.png", "x" * 240, "日本語/写真.jpg",
        "console", "a.con", "com", "com10.txt", "com\u0663",
    ],
    "refused": [
        "", "/a", "a/", "a//b", ".", "../a", "a/../b", "a\\b", "C:x", "a?b", "a\nb", "a\x85b",
        " a", "a ", "a.", "x" * 241, "é" * 121, "/".join("a" * 33), "/".join(["x" * 240] * 5),
        "a\u200bb", "\u202ea", "con", "CON.txt", "nul .tar.gz", "Lpt9", "com²", "cloc\u212a$",
        "con\u00a0.txt", "nul\u3000", "aux\u2009.tar.gz",
    ],
    "refused_together": [
        ["a", "A"], ["straße", "STRASSE"], ["é", "e\u0301"], ["a", "a/b"], ["A/b", "a"],
    ],
}  # fmt: skip
# Each pair is replaced in the first manifest, and what comes out must be refused.
REFUSED_MANIFESTS = [
    ['"count":3', '"count":0'],
    ['"count":3', '"count":3.0'],
    ['"count":3', '"count": 3'],
    ['"count":3', '"count":3,"count":3'],
    ['"format":"tmk1"', '"format":"tmk2"'],
    ['"shard_size":4096', '"shard_size":4097'],
    ['"shard_size":4096', '"shard_size":2048'],
    ['"licence":"CC0-1.0"', '"licence":""'],
    ['"licence":"CC0-1.0"', '"licence":"CC0\\n"'],
    ['"licence":"CC0-1.0",', ""],
    ['"provenance":null', '"provenance":[]'],
    ['"provenance":null', '"provenance":' + '{"a":' * 64 + "1" + "}" * 64],
    ['"provenance":null', '"provenance":null,"q":1'],
    ['"index":"b', '"index":"B'],
    ['"root":"0x8b', '"root":"0x8B'],
    ['"root":"0x', '"root":"'],
    ['"x":"0x75', '"x":"0x76'],
]
# segment, first_row, rows, decoded_bytes of each shard.
INDEXES = {
    "accepted": [
        [[0, 0, 0, 900]],
        [[0, 0, 0, 900], [1, 0, 0, 4080]],
        [[0, 0, 0, 900], [0, 0, 0, 0], [2, 0, 3, 264]],
        [[0, 0, 0, 900], [1, 0, 0, 8160], [1, 0, 0, 0], [2, 0, 3, 264], [3, 3, 5, 264]],
        [[0, 0, 0, 900], [2, 0, 3, 264], *[[2, 0, 0, 0]] * 63],
    ],
    "refused": [
        [[1, 0, 0, 4080]],
        [[0, 0, 0, 900], [3, 0, 3, 264]],
        [[0, 0, 0, 900], [2, 0, 3, 264], [4, 3, 5, 264]],
        [[0, 0, 0, 900], [2, 0, 3, 264], [1, 0, 0, 4080]],
        [[0, 0, 0, 900], [2, 0, 3, 264], [3, 3, 5, 264], [2, 0, 0, 0]],
        [[0, 0, 1, 900]],
        [[0, 0, 0, 900], [1, 0, 1, 4080]],
        [[0, 0, 0, 900], [2, 0, 0, 264]],
        [[0, 0, 0, 900], [2, 1, 3, 264]],
        [[0, 0, 0, 900], [2, 0, 3, 264], [3, 4, 5, 264]],
        [[0, 0, 0, 900], [2, 0, 3, 264], [2, 0, 1, 0]],
        [[0, 0, 0, 900], [2, 0, 3, 264], [2, 0, 0, 1]],
        [[0, 0, 0, 900], [2, 0, 3, 264], [2, 1, 0, 0]],
        [[0, 0, 0, 900], [2, 0, 3, 264], *[[2, 0, 0, 0]] * 64],
    ],
}
# Each pair is replaced in `segment_in_frames`, and what comes out must be refused.
REFUSED_SEGMENTS = [
    ["0x1d010000", "0x00000000"],
    ["0x1d010000", "0x1c010000"],
    ["0x1d010000", "0x1e010000"],
    ["0x1d010000", "0xfeffffff"],
    ["28b52ffd2064", "502a4d186c000000"],
    ["28b52ffd2064", "27b52ffd2064"],
    ["28b52ffd2064", "28b52ffd2164"],
    ["28b52ffd2064", "28b52ffd2864"],
    ["28b52ffd2064", "28b52ffd0064"],
    ["28b52ffd2064", "28b52ffd2065"],
    ["28b52ffd2064", "28b52ffd2464"],
    ["28b52ffda0a4000000", "28b52ffda0a5000000"],
    ["28b52ffda0a4000000", "28b52ffda0a3000000"],
    ["23000000", "22000000"],
    ["23000000", "2b000000"],
]
_FILE = ["a.txt", "bytes", None, 0, 10, None]
_TABLE = ["t.parquet", "table", "train", 0, 3, "S"]
# path, kind, split, offset, length, schema; of a container with 4,080 bytes of stream and 3 rows.
# "S" stands for the schema message of the first version's table.
FILES_TABLES = {
    "accepted": [
        [_FILE, _TABLE],
        [_TABLE],
        [["a.txt", "bytes", None, 4070, 10, None], _TABLE],
        [_FILE, ["b.txt", "bytes", "test", 10, 0, None], _TABLE],
        [["a", "table", None, 0, 0, "S"], ["b", "table", None, 0, 3, "S"]],
    ],
    "refused": [
        [["../a", "bytes", None, 0, 10, None], _TABLE],
        [["a.txt", "link", None, 0, 10, None], _TABLE],
        [["a.txt", "bytes", ".train", 0, 10, None], _TABLE],
        [["a.txt", "bytes", None, 0, 10, "S"], _TABLE],
        [["t.parquet", "table", None, 0, 3, None]],
        [["t.parquet", "table", None, 0, 3, "SS"]],
        [["a.txt", "bytes", None, 4071, 10, None], _TABLE],
        [_FILE, ["b.txt", "bytes", None, 9, 10, None], _TABLE],
        [_FILE, ["b.txt", "bytes", None, 5, 0, None], _TABLE],
        [_FILE, ["A.txt", "bytes", None, 10, 10, None], _TABLE],
        [_FILE, ["a.txt/b", "bytes", None, 10, 10, None], _TABLE],
        [["t.parquet", "table", None, 1, 3, "S"]],
        [["t.parquet", "table", None, 0, 2, "S"]],
        [["a", "table", None, 0, 2, "S"], ["b", "table", None, 1, 2, "S"]],
        [_FILE],
        [[None, "bytes", None, 0, 10, None], _TABLE],
    ],
}


def add(a, b):
    """Add two points of secp256k1; None is infinity."""
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, P) % P
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P) % P
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def multiply(k, point):
    """Multiply by doubling and adding."""
    result = None
    while k:
        if k & 1:
            result = add(result, point)
        point, k = add(point, point), k >> 1
    return result


def keccak256(data):
    """Keccak-256 with the original padding, straight from the specification."""
    rotations, x, y = {}, 1, 0
    for t in range(24):
        rotations[x, y] = (t + 1) * (t + 2) // 2 % 64
        x, y = y, (2 * x + 3 * y) % 5
    rotations[0, 0] = 0
    constants, register = [], 1
    for _ in range(24):
        word = 0
        for j in range(7):
            if register & 1:
                word |= 1 << (2**j - 1)
            register <<= 1
            if register & 0x100:
                register ^= 0x171
        constants.append(word)
    mask, rate = 2**64 - 1, 136
    data = bytearray(data) + b"\x01" + bytes(-(len(data) + 1) % rate)
    data[-1] |= 0x80
    state = {(x, y): 0 for x in range(5) for y in range(5)}

    def rotate(value, count):
        return (value << count | value >> (64 - count)) & mask if count else value

    for start in range(0, len(data), rate):
        for k in range(rate // 8):
            lane = data[start + 8 * k : start + 8 * k + 8]
            state[k % 5, k // 5] ^= int.from_bytes(lane, "little")
        for constant in constants:
            c = [0] * 5
            for (x, _), lane in state.items():
                c[x] ^= lane
            d = [c[x - 1] ^ rotate(c[(x + 1) % 5], 1) for x in range(5)]
            b = {}
            for (x, y), lane in state.items():
                b[y, (2 * x + 3 * y) % 5] = rotate(lane ^ d[x], rotations[x, y])
            state = {
                (x, y): b[x, y] ^ (~b[(x + 1) % 5, y] & mask & b[(x + 2) % 5, y])
                for x in range(5)
                for y in range(5)
            }
            state[0, 0] ^= constant
    return b"".join(state[k % 5, k // 5].to_bytes(8, "little") for k in range(4))


def sha(*parts):
    """SHA-256 of the concatenation."""
    return hashlib.sha256(b"".join(parts)).digest()


def u32(value):
    """Four bytes, big-endian."""
    return value.to_bytes(4, "big")


def u256(value):
    """Thirty-two bytes, big-endian."""
    return value.to_bytes(32, "big")


def base_point(pk):
    """Return the counter and the base derived from a public key."""
    for c in range(256):
        x = int.from_bytes(keccak256(b"tmk1/base" + u256(pk[0]) + u256(pk[1]) + bytes([c])), "big")
        x %= P
        y = pow(x**3 + 7, (P + 1) // 4, P)
        if 0 < x < N and (y * y - x**3 - 7) % P == 0:
            return c, (x, y if y % 2 == 0 else P - y)
    raise AssertionError("not found")


def tree_root(leaves):
    """Return the root, by padding to a power of two and hashing level by level."""
    level = list(leaves)
    while len(level) & (len(level) - 1):
        level.append(bytes(32))
    while len(level) > 1:
        level = [keccak256(b"\x02" + level[k] + level[k + 1]) for k in range(0, len(level), 2)]
    return keccak256(b"\x03" + u32(len(leaves)) + level[0])


def tree_path(leaves, i):
    """Return the siblings of leaf i, from the leaf upwards."""
    level, path = list(leaves), []
    while len(level) & (len(level) - 1):
        level.append(bytes(32))
    while len(level) > 1:
        path.append(level[i ^ 1])
        level = [keccak256(b"\x02" + level[k] + level[k + 1]) for k in range(0, len(level), 2)]
        i >>= 1
    return path


def varint(value):
    """Seven bits a byte, least first."""
    out = b""
    while value >= 128:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def field(number, value):
    """Return a protobuf field: bytes with their length, or a number."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def node(links):
    """Return the DAG-PB node above `links`: (binary CID, bytes of the file, Tsize) each."""
    block = b"".join(
        field(2, field(1, cid) + field(2, b"") + field(3, total)) for cid, _, total in links
    )
    data = field(1, 2) + field(3, sum(size for _, size, _ in links))
    return block + field(1, data + b"".join(field(4, size) for _, size, _ in links))


def leaf(digest, size):
    """Return the link to a chunk of a file."""
    return b"\x01\x55\x12\x20" + digest, size, size


def file_cid(chunks):
    """Return the CID of a file given (sha256, size) of its chunks."""
    level = [leaf(digest, size) for digest, size in chunks]
    if not level:
        level = [leaf(sha(b""), 0)]
    while len(level) > 1:
        above = []
        for start in range(0, len(level), 1024):
            part = level[start : start + 1024]
            block = node(part)
            above.append(
                (
                    b"\x01\x70\x12\x20" + sha(block),
                    sum(size for _, size, _ in part),
                    len(block) + sum(total for _, _, total in part),
                )
            )
        level = above
    return "b" + base64.b32encode(level[0][0]).decode().rstrip("=").lower()


def bytes_cid(data):
    """Return the CID of a file in chunks of 1 MiB."""
    chunks = [data[k : k + 2**20] for k in range(0, len(data), 2**20)]
    return file_cid([(sha(chunk), len(chunk)) for chunk in chunks])


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


def hexed(data):
    """Write bytes as 0x and lower-case hex."""
    return "0x" + data.hex()


def point(p):
    """Write a point."""
    return {"x": hexed(u256(p[0])), "y": hexed(u256(p[1]))}


def canonical(value):
    """RFC 8785 for the values used here: ASCII keys, no fractions."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


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


def make_card(title, splits):
    """Return a card without counts, tables and examples."""
    return {
        "description": "",
        "extra": {},
        "format": "tmk1-card",
        "licence": "CC0-1.0",
        "splits": splits,
        "title": title,
    }


def example():
    """Return the two versions: a file and a table, then one more file."""
    first, second = b"Hello, buyer.\n", b"One more file.\n"
    batch = pa.record_batch(
        [pa.array([1, 2, 3], pa.int32()), pa.array(["cat", None, "dog"])], names=["item", "label"]
    )
    stream, cut = messages(batch)
    schema, segment = stream[:cut], stream[cut:]
    one = Version(0x1111)
    table = ("train.parquet", "table", "train", 0, 3, schema)
    files = files_table([("hello.txt", "bytes", None, 0, len(first), None), table])
    one.seal(files, (0, 0, 0, len(files)))
    one.seal(first, (1, 0, 0, S - 16))
    one.seal(segment, (2, 0, 3, len(segment)))
    card = make_card("Example", ["train"])
    one.finish(card)
    two = Version(0x2222)
    more = ("more.txt", "bytes", None, S - 16, len(second), None)
    files = files_table([("hello.txt", "bytes", None, 0, len(first), None), more, table])
    two.seal(files, (0, 0, 0, len(files)))
    two.inherit(one.shards[1], (1, 0, 0, 2 * (S - 16)))
    two.seal(second, (1, 0, 0, 0))
    two.inherit(one.shards[2], (2, 0, 3, len(segment)))
    two.finish(card)
    return one, two


def number(row):
    """Return the row of the other dataset's table."""
    words = ("red", "green", "blue", None) if row < 1200 else ("blue", "black", None)
    return row * row * 40503 % 2**31, words[row % len(words)]


def number_batch(start, stop):
    """Return rows of the other dataset's table."""
    numbers, words = zip(*(number(row) for row in range(start, stop)), strict=True)
    columns = [pa.array(numbers, pa.int32()), pa.array(words).dictionary_encode()]
    dictionary = columns[1].dictionary
    indices = columns[1].indices.cast(pa.int8())
    columns[1] = pa.DictionaryArray.from_arrays(indices, dictionary)
    return pa.record_batch(columns, schema=NUMBERS)


def other_example():
    """Return a dataset without byte stream: an empty file and a table of two segments."""
    made = Version(0x3333)
    parts = [number_batch(0, 700), number_batch(700, 1200)], [number_batch(1200, 1800)]
    schema = NUMBERS.serialize().to_pybytes()
    entries = [("empty.txt", "bytes", None, 0, 0, None)]
    entries.append(("numbers.arrow", "table", None, 0, 1800, schema))
    made.seal_segment(0, 0, 0, files_table(entries, "zstd"), len(files_table(entries, None)))
    plain, cut = messages(*parts[0])
    made.seal_segment(2, 0, 1200, plain[cut:], len(plain) - cut)
    plain, cut = messages(*parts[1])
    made.seal_segment(
        3, 1200, 600, messages(*parts[1], compression="zstd")[0][cut:], len(plain) - cut
    )
    made.finish(make_card("Other", []))
    return made


def grown_word(row):
    """Return the row of the grown dictionaries' table."""
    return None if row % 7 == 6 else f"word {row * 31 % (20 if row < 100 else 40)}"


def grown_example():
    """Return a table whose dictionaries grow by deltas, or are replaced, within a segment."""
    made = Version(0x4444)

    def batch(words, start, stop):
        known = {word: i for i, word in enumerate(words)}
        indices = pa.array([known.get(grown_word(row)) for row in range(start, stop)], pa.int16())
        column = pa.DictionaryArray.from_arrays(indices, pa.array(words))
        return pa.record_batch([column], names=["word"])

    few, more = ([f"word {i}" for i in range(size)] for size in (20, 40))
    grown = batch(few, 0, 100), batch(more, 100, 250)
    replaced = batch(more, 250, 300), batch(more[::-1], 300, 400)
    schema = grown[0].schema.serialize().to_pybytes()
    entries = [("grown.arrow", "table", None, 0, 400, schema)]
    made.seal_segment(0, 0, 0, files_table(entries, "lz4"), len(files_table(entries, None)))
    for number, first_row, rows, batches, deltas in (
        (2, 0, 250, grown, True),
        (3, 250, 150, replaced, False),
    ):
        plain, cut = messages(*batches, deltas=deltas)
        stored, _ = messages(*batches, deltas=deltas, compression="lz4")
        made.seal_segment(number, first_row, rows, stored[cut:], len(plain) - cut)
    made.finish(make_card("Grown", []))
    return made


def framed_example():
    """Return a table of three segments: in frames of zstd, in frames by hand, and as messages."""
    made = Version(0x5555)
    parts = [number_batch(start, start + 200) for start in (0, 200, 400)]
    schema = NUMBERS.serialize().to_pybytes()
    files = files_table([("framed.arrow", "table", None, 0, 600, schema)])
    made.seal(files, (0, 0, 0, len(files)))
    first, second, third = (messages(part)[0][len(schema) :] for part in parts)
    codec = pa.Codec("zstd")
    zstd = [codec.compress(piece, asbytes=True) for piece in (first[:900], first[900:])]
    by_hand = frame(second[:500]), frame(b""), frame(second[500:-4], 4)
    stored = in_frames(*zstd), in_frames(*by_hand), third
    for k, (plain, segment) in enumerate(zip((first, second, third), stored, strict=True)):
        made.seal_segment(2 + k, 200 * k, 200, segment, len(plain))
    made.finish(make_card("Framed", []))
    return made


def vectors(one, two, other, grown, framed):
    """Return everything that the page shows."""
    leaves = [keccak256(b"\x01" + bytes([i])) for i in range(9)]
    digest = sha(b"leaf")
    return {
        "keccak256_of_nothing": hexed(keccak256(b"")),
        "tree_roots": {
            str(count): hexed(tree_root(leaves[:count])) for count in (1, 2, 3, 4, 5, 8, 9)
        },
        "cids": {
            "of_bytes": {
                "0": bytes_cid(b""),
                "10": bytes_cid(bytes(10)),
                "1048576": bytes_cid(bytes(2**20)),
                "1048577": bytes_cid(bytes(2**20 + 1)),
                "5242880": bytes_cid(bytes(5 * 2**20)),
            },
            "of_leaves": {
                str(count): file_cid([(digest, S)] * count) for count in (1, 2, 1024, 1025, 2049)
            },
            "node_of_2_leaves": hexed(node([leaf(digest, S)] * 2)),
        },
        "paths": PATHS,
        "refused_manifests": REFUSED_MANIFESTS,
        "index_rows": INDEXES,
        "files_tables": FILES_TABLES,
        "segment_in_frames": hexed(segment_in_frames(one)),
        "refused_segments": REFUSED_SEGMENTS,
        "first_version": one.vectors(),
        "second_version": two.vectors(),
        "other_dataset": {
            "secret": hexed(u256(other.s)),
            "cek": hexed(other.cek),
            "index_rows": [shard["row"] for shard in other.shards],
            "table_rows": {row: number(row) for row in (0, 1, 1199, 1200, 1799)},
            **other.public_vectors(),
        },
        "grown_dictionaries": {
            "secret": hexed(u256(grown.s)),
            "cek": hexed(grown.cek),
            "index_rows": [shard["row"] for shard in grown.shards],
            "table_rows": {row: grown_word(row) for row in (0, 6, 99, 100, 120, 249, 250, 399)},
            **grown.public_vectors(),
        },
        "in_frames": {
            "secret": hexed(u256(framed.s)),
            "cek": hexed(framed.cek),
            "index_rows": [shard["row"] for shard in framed.shards],
            "table_rows": {row: number(row) for row in (0, 199, 200, 399, 400, 599)},
            **framed.public_vectors(),
        },
    }


def segment_in_frames(one):
    """Return the segment of the first version's table in two frames."""
    messages = one.shards[2]["payload"][: one.shards[2]["row"][3]]
    return in_frames(frame(messages[:100]), frame(messages[100:-4], 4))


def main(arguments):
    """Print, check or write."""
    one, two = example()
    other, grown, framed = other_example(), grown_example(), framed_example()
    found = json.dumps(vectors(one, two, other, grown, framed), indent=1)
    if arguments[:1] == ["--check"]:
        page = Path(arguments[1]).read_text()
        if found not in page:
            raise SystemExit(f"{arguments[1]} does not hold these vectors; paste them again")
    elif arguments[:1] == ["--write"]:
        one.write(Path(arguments[1], "first"))
        two.write(Path(arguments[1], "second"))
        other.write(Path(arguments[1], "other"))
        grown.write(Path(arguments[1], "grown"))
        framed.write(Path(arguments[1], "framed"))
        print(found)
    else:
        print(found)


if __name__ == "__main__":
    main(sys.argv[1:])
