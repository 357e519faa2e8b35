# SPDX-License-Identifier: Apache-2.0
"""A labeler's secret on its way to a watch node, which may then prove a lie for them, and read.

HPKE (RFC 9180) in base mode with X25519, HKDF-SHA256 and AES-256-GCM, as shares are sealed to
custodians. The info string names bounty and worker, so what is sealed opens for no other.
"""

from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from truthmark.bounty.reference import BountyRef
from truthmark.errors import KeysError
from truthmark.hashing import sha256
from truthmark.keys.abi_hash import address_bytes, word
from truthmark.keys.curve import N
from truthmark.keys.sealing import SUITE
from truthmark.keys.typed import TypedData, typed_data

SEALED_BYTES: Final = 80
"""The encapsulated key, the secret, the tag."""

NOTICE: Final = (
    "This signature is the key to what labelers leave with this watch node. Sign it only in your "
    "own node."
)

_KEY: Final = b"truthmark/watch-key/1"
_INFO: Final = b"truthmark/label-watch/1"


def derive_watch_key(sign: Callable[[TypedData], bytes], *, chain_id: int, board: str) -> bytes:
    """Return the X25519 private key of a watch node, 32 bytes; it follows from its account.

    Args:
        sign: Signs typed data with the node's key, the same each time (RFC 6979).
        chain_id: The chain of the board.
        board: The contract.
    """
    message = typed_data(
        "WatchKey", ("notice", "string", NOTICE), chain_id=chain_id, contract=board
    )
    return sha256(_KEY + sign(message)[:64])


def seal_secret(key: bytes, ref: BountyRef, worker: int, secret: int) -> bytes:
    """Seal e of a worker to a watch node.

    Args:
        key: The node's X25519 public key, 32 bytes.
        ref: The bounty.
        worker: The row of the roster.
        secret: e.

    Returns:
        What the node alone can open, with this bounty and worker.

    Raises:
        KeysError: The key cannot be used.
    """
    try:
        public = X25519PublicKey.from_public_bytes(key)
        return SUITE.encrypt(word(secret), public, _info(ref, worker))
    except ValueError as error:
        raise KeysError("the watch node has no usable X25519 key; choose another one") from error


def open_secret(private_key: bytes, ref: BountyRef, worker: int, sealed: bytes) -> int:
    """Return e of a worker who left it with this node.

    Args:
        private_key: The node's X25519 private key, 32 bytes.
        ref: The bounty.
        worker: The row of the roster.
        sealed: What `seal_secret` gave.

    Raises:
        KeysError: It does not open with this key for this bounty and worker.
    """
    try:
        key = X25519PrivateKey.from_private_bytes(private_key)
        plain = SUITE.decrypt(sealed, key, _info(ref, worker))
    except (InvalidTag, ValueError) as error:
        raise KeysError(f"the secret of worker {worker} does not open with this key") from error
    secret = int.from_bytes(plain, "big")
    if len(plain) != 32 or not 0 < secret < N:
        raise KeysError(f"what worker {worker} left is no secret")
    return secret


def _info(ref: BountyRef, worker: int) -> bytes:
    place = word(ref.chain_id) + address_bytes(ref.board) + word(ref.bounty_id) + word(worker)
    return _INFO + place
