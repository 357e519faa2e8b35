# SPDX-License-Identifier: Apache-2.0
"""A validator's encryption keys, which follow from its operator's key.

A node that lost its disk derives them again, finds by the registered public keys which ones it
used, and opens its shares again; the operator's key is the only thing to back up.
"""

from collections.abc import Callable, Collection

from truthmark.errors import KeysError
from truthmark.hashing import sha256
from truthmark.keys.sealing import encryption_public_key
from truthmark.keys.typed import TypedData, typed_data

NOTICE = (
    "This signature is the key to the shares that this validator keeps. Sign it only in your "
    "own node."
)
MAX_ROTATIONS = 64
"""How many keys a node looks for; a validator that rotates yearly has one for life."""

_PREFIX = b"truthmark/encryption-key/1"


def derive_encryption_key(
    sign: Callable[[TypedData], bytes],
    *,
    chain_id: int,
    market: str,
    validator: str,
    number: int,
) -> bytes:
    """Return a validator's `number`-th X25519 private key, 32 bytes.

    Args:
        sign: Signs typed data with the operator's key, the same each time (RFC 6979).
        chain_id: The chain of the market.
        market: The market.
        validator: The validator's address.
        number: 0 for the first key, 1 for the one after the first rotation, ...
    """
    message = typed_data(
        "EncryptionKey",
        ("notice", "string", NOTICE),
        ("validator", "address", validator),
        ("number", "uint256", number),
        chain_id=chain_id,
        contract=market,
    )
    return sha256(_PREFIX + sign(message)[:64])


def find_encryption_keys(
    sign: Callable[[TypedData], bytes],
    registered: Collection[bytes],
    *,
    chain_id: int,
    market: str,
    validator: str,
) -> dict[bytes, bytes]:
    """Return the private keys of registered public keys, as far as they are this operator's.

    Args:
        sign: As for `derive_encryption_key`.
        registered: The public keys that the validator has ever registered.
        chain_id: The chain of the market.
        market: The market.
        validator: The validator's address.

    Raises:
        KeysError: None of them is this operator's.
    """
    found: dict[bytes, bytes] = {}
    wanted = set(registered)
    for number in range(MAX_ROTATIONS):
        if not wanted:
            break
        private_key = derive_encryption_key(
            sign, chain_id=chain_id, market=market, validator=validator, number=number
        )
        public_key = encryption_public_key(private_key)
        if public_key in wanted:
            found[public_key] = private_key
            wanted.remove(public_key)
    if not found:
        raise KeysError(
            "no registered encryption key is this operator's; register one with "
            "`truthmark stake rotate-key`"
        )
    return found
