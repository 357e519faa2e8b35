# SPDX-License-Identifier: Apache-2.0
"""Shares on their way to custodians: HPKE to registered keys, and the bundle that carries them.

HPKE is RFC 9180 in base mode with X25519, HKDF-SHA256 and AES-256-GCM. The info string names what
a share belongs to, so a bundle opens only under the chain, registry, seller, dataset key, epoch
and index it was sealed for; no other seller can list it as theirs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from truthmark.errors import KeysError, MalformedError
from truthmark.keys.abi_hash import address_bytes, word
from truthmark.keys.curve import N, is_valid, multiply
from truthmark.keys.sharing import MAX_CUSTODIANS
from truthmark.types import Point

SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
SEALED_BYTES = 32 + 32 + 16
"""The encapsulated key, the share, the tag."""
MAX_BUNDLE_BYTES = 4096
"""What readers fetch at most; a bundle of this version is smaller."""

_MAGIC = b"TMKS"
_VERSION = 1
_HEADER_BYTES = len(_MAGIC) + 2


@dataclass(frozen=True, slots=True)
class ShareContext:
    """What a share belongs to."""

    chain_id: int
    registry: str
    seller: str
    dataset_key: Point
    epoch: int
    custodian: int
    """j, counted from 1."""

    def info(self) -> bytes:
        """Return the HPKE info string."""
        return b"".join(
            (
                b"truthmark/share/1",
                word(self.chain_id),
                address_bytes(self.registry),
                address_bytes(self.seller),
                word(self.dataset_key),
                word(self.epoch),
                word(self.custodian),
            )
        )


def encryption_public_key(private_key: bytes) -> bytes:
    """Return the 32 bytes that a validator registers.

    Raises:
        KeysError: The private key is not 32 bytes.
    """
    return _private_key(private_key).public_key().public_bytes_raw()


def seal_share(share: int, public_key: bytes, context: ShareContext) -> bytes:
    """Seal a share to a custodian's registered key.

    Args:
        share: s_j, 0 < s_j < N.
        public_key: The 32 bytes that the custodian registered.
        context: What the share belongs to.

    Returns:
        80 bytes, different at every call.

    Raises:
        KeysError: The share or the key cannot be used.
    """
    if not 0 < share < N:
        raise KeysError("a share must be a scalar from 1 to N - 1; deal again")
    info = context.info()
    try:
        key = X25519PublicKey.from_public_bytes(public_key)
        return SUITE.encrypt(share.to_bytes(32, "big"), key, info)
    except ValueError as error:
        # Also the keys of small order, to which every shared secret is zero.
        raise KeysError(
            f"custodian {context.custodian} registered no usable X25519 key; choose another one"
        ) from error


def open_share(sealed: bytes, private_key: bytes, context: ShareContext, share_key: Point) -> int:
    """Open a sealed share and check it against its share key.

    Args:
        sealed: 80 bytes from the bundle.
        private_key: The custodian's X25519 private key, 32 bytes.
        context: What the share is said to belong to.
        share_key: P_j of the custody record.

    Returns:
        s_j with s_j * G = P_j.

    Raises:
        KeysError: It does not open with this key for this context, or is another share.
    """
    key = _private_key(private_key)
    info = context.info()
    try:
        plaintext = SUITE.decrypt(sealed, key, info)
    except (InvalidTag, ValueError) as error:
        raise KeysError(
            f"the share of custodian {context.custodian} does not open with this key for this "
            "custody; do not accept it"
        ) from error
    share = int.from_bytes(plaintext, "big")
    is_share = len(plaintext) == 32 and 0 < share < N
    if not is_share or not is_valid(share_key) or multiply(share) != share_key:
        raise KeysError(
            f"what is sealed for custodian {context.custodian} is not the share of its share key; "
            "do not accept this custody"
        )
    return share


def write_bundle(sealed: Sequence[bytes]) -> bytes:
    """Join the sealed shares of custodians 1 to n into the one file a custody record points at.

    `TMKS`, the version 1, n (one byte each), then n times 80 bytes.

    Raises:
        KeysError: There are not 1 to 16 shares of 80 bytes.
    """
    if not 1 <= len(sealed) <= MAX_CUSTODIANS or any(len(s) != SEALED_BYTES for s in sealed):
        raise KeysError(f"a bundle holds 1 to {MAX_CUSTODIANS} sealed shares of 80 bytes")
    return _MAGIC + bytes([_VERSION, len(sealed)]) + b"".join(sealed)


def read_bundle(data: bytes) -> list[bytes]:
    """Split a bundle into the sealed shares of custodians 1 to n.

    Raises:
        MalformedError: The bytes are no bundle of this version; there is one encoding of each.
    """
    if len(data) < _HEADER_BYTES or data[: len(_MAGIC)] != _MAGIC:
        raise MalformedError("these bytes are no bundle of sealed shares; check the custody's CID")
    version, count = data[len(_MAGIC) : _HEADER_BYTES]
    if version != _VERSION:
        raise MalformedError(f"bundle version {version} is unknown; update truthmark")
    if not 1 <= count <= MAX_CUSTODIANS or len(data) != _HEADER_BYTES + count * SEALED_BYTES:
        raise MalformedError("a bundle of sealed shares is cut or too long; do not accept it")
    return [
        data[start : start + SEALED_BYTES]
        for start in range(_HEADER_BYTES, len(data), SEALED_BYTES)
    ]


def _private_key(private_key: bytes) -> X25519PrivateKey:
    try:
        return X25519PrivateKey.from_private_bytes(private_key)
    except ValueError as error:
        raise KeysError("an X25519 private key is 32 bytes; check the vault") from error
