# SPDX-License-Identifier: Apache-2.0
"""Keys of a version and of its shards, and the leaf that commits to a shard.

All hash inputs are concatenations of fixed-length parts; integers are big-endian.
"""

from typing import Final

from truthmark.errors import WrongKeyError
from truthmark.hashing import keccak256, sha256
from truthmark.types import Point

CEK_SIZE: Final = 32
NO_WRAP: Final = bytes(32)
"""The wrap word of a shard whose key follows from the CEK alone."""


def cek_from_point(key_point: Point) -> bytes:
    """Return the content key of a version: `sha256("tmk1/cek" ‖ K.x ‖ K.y)`."""
    return sha256(b"tmk1/cek" + key_point.x.to_bytes(32, "big") + key_point.y.to_bytes(32, "big"))


def shard_key(cek: bytes, i: int, ciphertext_sha256: bytes, wrap_word: bytes) -> bytes:
    """Return K_i, the AES-256 key of shard `i`.

    `sha256("tmk1/shard" ‖ CEK ‖ u32 i)` for a shard with wrap word zero, else the wrap word
    XOR `wrap_mask`. A wrong CEK gives a wrong key: compare `sha256(K_i)` before using it.
    """
    if wrap_word == NO_WRAP:
        return fresh_key(cek, i)
    return _xor(wrap_word, wrap_mask(cek, i, ciphertext_sha256))


def fresh_key(cek: bytes, i: int) -> bytes:
    """Return the key of a shard that this version encrypted itself."""
    return sha256(b"tmk1/shard" + cek + i.to_bytes(4, "big"))


def wrap_mask(cek: bytes, i: int, ciphertext_sha256: bytes) -> bytes:
    """Return `sha256("tmk1/wrap" ‖ CEK ‖ u32 i ‖ sha256(ciphertext_i))`."""
    return sha256(b"tmk1/wrap" + cek + i.to_bytes(4, "big") + ciphertext_sha256)


def wrap_key(key: bytes, cek: bytes, i: int, ciphertext_sha256: bytes) -> bytes:
    """Return the public wrap word that lets `cek` open shard `i`, encrypted earlier under `key`."""
    return _xor(key, wrap_mask(cek, i, ciphertext_sha256))


def shard_leaf(i: int, ciphertext_sha256: bytes, key_hash: bytes, wrap_word: bytes) -> bytes:
    """Return `keccak256(0x01 ‖ u32 i ‖ sha256(ciphertext_i) ‖ sha256(K_i) ‖ w_i)`."""
    return keccak256(b"\x01" + i.to_bytes(4, "big") + ciphertext_sha256 + key_hash + wrap_word)


def check_cek(cek: bytes) -> bytes:
    """Return `cek` if it has the length of one.

    Raises:
        WrongKeyError: it does not.
    """
    if len(cek) != CEK_SIZE:
        raise WrongKeyError(f"key: {len(cek)} bytes; a content key has {CEK_SIZE}")
    return bytes(cek)


def _xor(a: bytes, b: bytes) -> bytes:
    return (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).to_bytes(32, "big")
