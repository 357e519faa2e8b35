# SPDX-License-Identifier: Apache-2.0
"""Curve, Keccak, tree, CIDs and canonical JSON, from their specifications, as plainly as can be."""

import base64
import hashlib
import json

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)
S = 4096


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


def hexed(data):
    """Write bytes as 0x and lower-case hex."""
    return "0x" + data.hex()


def point(p):
    """Write a point."""
    return {"x": hexed(u256(p[0])), "y": hexed(u256(p[1]))}


def canonical(value):
    """RFC 8785 for the values used here: ASCII keys, no fractions."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
