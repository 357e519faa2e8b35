# SPDX-License-Identifier: Apache-2.0
"""The secret y of a purchase: from a wallet's signature, or random with a recovery file.

Buyers who lost their disk can open what they bought with their wallet alone: `buy` emits the salt,
the wallet signs the same words again, and y follows. That needs a wallet whose signatures repeat
(RFC 6979), so the first time we ask twice. Where the two differ, or are not the account's own
(contract, multi-party and some hardware wallets), y is random and a recovery file holds it.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from truthmark.errors import KeysError, UnrepeatableSignatureError
from truthmark.hashing import keccak256
from truthmark.keys.abi_hash import address_bytes, hash_words, word
from truthmark.keys.curve import N, is_valid, multiply, random_scalar
from truthmark.keys.files import read_limited, save_record
from truthmark.keys.typed import TypedData, signer_of, typed_data
from truthmark.types import Point

NOTICE = (
    "This signature opens the data that you are buying. Whoever has it can read the data. "
    "It costs nothing. Sign it only in software that you trust to keep it."
)
Sign = Callable[[TypedData], bytes]
"""Asks a wallet to sign typed data; returns the 65 bytes of `eth_signTypedData_v4`."""

_SECRET_PREFIX = b"truthmark/purchase-secret/1"
_FORMAT = "truthmark/recovery/1"
_MAX_FILE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class PurchaseKey:
    """The buyer's key of one purchase."""

    chain_id: int
    market: str
    account: str
    """the buyer"""
    salt: bytes
    """32 bytes; `buy` emits it"""
    secret: int = field(repr=False)
    """y"""
    from_wallet: bool
    """whether the wallet alone can give the secret again"""

    @property
    def point(self) -> Point:
        """Y = y * G."""
        return multiply(self.secret)

    def to_record(self) -> dict[str, Any]:
        """Return the key as JSON values, for the vault and recovery files."""
        return {
            "chain_id": self.chain_id,
            "market": self.market,
            "account": self.account,
            "salt": self.salt.hex(),
            "secret": word(self.secret).hex(),
            "from_wallet": self.from_wallet,
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "PurchaseKey":
        """Return the key that `to_record` turned into `record`.

        Raises:
            KeysError: A value is missing or wrong.
        """
        try:
            key = cls(
                chain_id=int(record["chain_id"]),
                market=str(record["market"]),
                account=str(record["account"]),
                salt=bytes.fromhex(record["salt"]),
                secret=int.from_bytes(bytes.fromhex(record["secret"]), "big"),
                from_wallet=record["from_wallet"] is True,
            )
            address_bytes(key.market)
            address_bytes(key.account)
        except (KeyError, TypeError, ValueError) as error:
            raise KeysError("a purchase key lacks a value; use another copy") from error
        if len(key.salt) != 32 or not 0 < key.secret < N or key.chain_id < 0:
            raise KeysError("a purchase key has a value out of range; use another copy")
        return key


def new_salt() -> bytes:
    """Return 32 random bytes for one purchase."""
    return secrets.token_bytes(32)


def purchase_id(custody_id: bytes, base: Point, receipt_digest: bytes) -> bytes:
    """Return the id of the purchase with U = `base` in a custody, 32 bytes."""
    return hash_words(custody_id, base, receipt_digest)


def opening_message(*, chain_id: int, market: str, account: str, salt: bytes) -> TypedData:
    """Return what the wallet signs. It holds only what the chain and the wallet know.

    Raises:
        KeysError: A value does not fit its type.
    """
    return typed_data(
        "PurchaseKey",
        ("notice", "string", NOTICE),
        ("account", "address", account),
        ("salt", "bytes32", salt),
        chain_id=chain_id,
        contract=market,
    )


def secret_from_signature(message: TypedData, signature: bytes) -> int:
    """Return y, the hash of a signature of an `opening_message`, mod N.

    v and the sign of s are left out, as wallets write them differently for one signature.

    Raises:
        UnrepeatableSignatureError: It is not the account's own signature.
        KeysError: The signature hashes to no usable key (once in 2^128).
    """
    account = message["message"]["account"]
    signer = signer_of(message, signature)
    if signer is None or signer.lower() != account.lower():
        raise UnrepeatableSignatureError(
            "the wallet answered with something else than a signature by the account's own key; "
            "use a random key and keep its recovery file"
        )
    s = int.from_bytes(signature[32:64], "big")
    digest = keccak256(_SECRET_PREFIX + signature[:32] + word(min(s, N - s)))
    secret = int.from_bytes(digest, "big") % N
    if not is_valid(multiply(secret)):
        raise KeysError("this salt gives no usable key; buy with another one")
    return secret


def derive_key(
    sign: Sign, *, chain_id: int, market: str, account: str, salt: bytes, is_known: bool
) -> PurchaseKey:
    """Derive the key of a purchase from the buyer's wallet, before or after buying.

    Args:
        sign: Asks the wallet.
        chain_id: The chain of the market.
        market: The market.
        account: The buyer, whose wallet it is.
        salt: The purchase's 32 bytes; fresh from `new_salt`, or from the event.
        is_known: Whether this wallet has been asked twice before, with equal answers.

    Raises:
        UnrepeatableSignatureError: The wallet cannot give the key again; use `random_key`.
        KeysError: A value does not fit its type.
    """
    message = opening_message(chain_id=chain_id, market=market, account=account, salt=salt)
    secret = secret_from_signature(message, sign(message))
    if not is_known and secret_from_signature(message, sign(message)) != secret:
        raise UnrepeatableSignatureError(
            "the wallet signs the same words differently each time, so it could not open the data "
            "again; use a random key and keep its recovery file"
        )
    return PurchaseKey(chain_id, market, account, salt, secret, from_wallet=True)


def random_key(
    recovery_file: Path, *, chain_id: int, market: str, account: str, salt: bytes
) -> PurchaseKey:
    """Make a random key for a purchase; it exists only once its recovery file is on disk.

    Args:
        recovery_file: Where to save it; must not exist.
        chain_id: The chain of the market.
        market: The market.
        account: The buyer.
        salt: The purchase's 32 bytes.

    Raises:
        KeysError: A value does not fit its type, or the file cannot be written.
    """
    key = PurchaseKey(chain_id, market, account, salt, random_scalar(), from_wallet=False)
    # Refuses what could not be read back.
    PurchaseKey.from_record(key.to_record())
    save_recovery(key, recovery_file)
    return read_recovery(recovery_file)


def save_recovery(key: PurchaseKey, path: Path) -> None:
    """Write a recovery file, mode 0600, fsynced.

    Raises:
        KeysError: There is such a file already, or it cannot be written.
    """
    point = key.point
    record = {
        "format": _FORMAT,
        "note": "Anyone who has this file can open the data of one purchase. Keep it safe.",
        **key.to_record(),
        "public": word(point).hex(),
    }
    save_record(path, record)


def read_recovery(path: Path) -> PurchaseKey:
    """Read a recovery file.

    Raises:
        KeysError: There is no such file, or it is not a recovery file, or was damaged.
    """
    try:
        data = read_limited(path, _MAX_FILE_BYTES)
    except FileNotFoundError as error:
        raise KeysError(f"there is no {path}; name the recovery file you saved") from error
    try:
        record = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise KeysError(f"{path} is not a recovery file; name the one you saved") from error
    if not isinstance(record, dict) or record.get("format") != _FORMAT:
        raise KeysError(f"{path} is not a recovery file of this version; update truthmark")
    key = PurchaseKey.from_record(record)
    if word(key.point).hex() != record.get("public"):
        raise KeysError(f"{path} is damaged: its key and its public point differ; use a copy")
    return key
