# SPDX-License-Identifier: Apache-2.0
"""The two hash functions of the protocol."""

import hashlib

import sha3


def keccak256(data: bytes | bytearray | memoryview) -> bytes:
    """Return the 32-byte Keccak-256 digest that the EVM computes (not SHA3-256)."""
    return bytes(sha3.keccak_256(data).digest())


def sha256(data: bytes | bytearray | memoryview) -> bytes:
    """Return the 32-byte SHA-256 digest."""
    return hashlib.sha256(data).digest()
