# SPDX-License-Identifier: Apache-2.0
"""Hashes over 32-byte words, as the contracts' `keccak256(abi_encode(...))` makes them."""

from truthmark.errors import KeysError
from truthmark.hashing import keccak256
from truthmark.types import Point

Word = int | bytes | str | Point


def address_bytes(address: str) -> bytes:
    """Return the 20 bytes of a hex address (checksummed or not).

    Raises:
        KeysError: It is not 20 bytes of hex with a leading `0x`.
    """
    try:
        raw = bytes.fromhex(address[2:])
    except ValueError:
        raw = b""
    if len(raw) != 20 or len(address) != 42 or address[:2].lower() != "0x":
        raise KeysError(f"{address!r} is not an address; give 0x and 40 hex digits")
    return raw


def word(value: Word) -> bytes:
    """Encode one static ABI value.

    Args:
        value: A uint256 as `int`, a bytes32 as `bytes`, an address as hex `str`, or a `Point`.

    Returns:
        32 bytes, or 64 for a point.

    Raises:
        KeysError: The value does not fit its type.
    """
    if isinstance(value, Point):
        return word(value.x) + word(value.y)
    if isinstance(value, int):
        if not 0 <= value < 2**256:
            raise KeysError(f"{value} is no uint256; give a number from 0 to 2^256 - 1")
        return value.to_bytes(32, "big")
    if isinstance(value, bytes):
        if len(value) != 32:
            raise KeysError(f"{len(value)} bytes are no bytes32; give exactly 32")
        return value
    return bytes(12) + address_bytes(value)


def hash_words(*values: Word) -> bytes:
    """Return keccak256 of the words of `values`, 32 bytes."""
    return keccak256(b"".join(map(word, values)))


def tag(text: str) -> bytes:
    """Return the domain tag for `text`: keccak256 of its UTF-8 bytes."""
    return keccak256(text.encode())
