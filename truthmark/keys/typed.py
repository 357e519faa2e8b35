# SPDX-License-Identifier: Apache-2.0
"""What people sign in their wallets: EIP-712 typed data, in words that a wallet can show.

A message is the JSON object that `eth_signTypedData_v4` takes, so the same one goes to a browser
wallet, a hardware wallet or a key on this machine.

eth-account takes most of a second to import, so only what signs or hashes imports it.
"""

from typing import TYPE_CHECKING, Any

from truthmark.errors import KeysError
from truthmark.hashing import keccak256
from truthmark.keys.abi_hash import address_bytes, word

if TYPE_CHECKING:
    from eth_account.messages import SignableMessage

TypedData = dict[str, Any]

_DOMAIN_TYPE = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
]


def typed_data(
    primary: str,
    *fields: tuple[str, str, str | int | bytes],
    chain_id: int,
    contract: str,
    name: str = "Truthmark",
    version: str = "1",
) -> TypedData:
    """Return a message of Truthmark's domain, or of another one.

    Args:
        primary: The name of the struct.
        fields: Name, type and value of each of its fields, in order.
        chain_id: The chain of the contract.
        contract: What checks the signature, or what the message is about.
        name: Of the domain.
        version: Of the domain.

    Raises:
        KeysError: A value does not fit its type, or `contract` is not an address.
    """
    address_bytes(contract)
    return {
        "types": {
            "EIP712Domain": _DOMAIN_TYPE,
            primary: [{"name": field, "type": kind} for field, kind, _ in fields],
        },
        "primaryType": primary,
        "domain": {
            "name": name,
            "version": version,
            "chainId": chain_id,
            "verifyingContract": contract,
        },
        "message": {field: _shown(kind, value) for field, kind, value in fields},
    }


def voucher(
    *,
    chain_id: int,
    market: str,
    terms_id: bytes,
    account: str,
    price: int,
    expiry: int,
    nonce: bytes,
) -> TypedData:
    """Return a seller's offer of a price to one account.

    Args:
        chain_id: The chain of the market.
        market: The market that takes the voucher.
        terms_id: The version's terms, 32 bytes.
        account: Who may buy at this price.
        price: At most the listed one, in the sale token's smallest unit; also 0.
        expiry: The last second in which it counts, Unix time.
        nonce: 32 random bytes; each voucher is used once.

    Raises:
        KeysError: A value does not fit its type.
    """
    return typed_data(
        "Voucher",
        ("terms_id", "bytes32", terms_id),
        ("account", "address", account),
        ("price", "uint256", price),
        ("expiry", "uint256", expiry),
        ("nonce", "bytes32", nonce),
        chain_id=chain_id,
        contract=market,
    )


def admission(
    *, chain_id: int, market: str, terms_id: bytes, account: str, expiry: int
) -> TypedData:
    """Return a gate's word that it lets an account buy a version.

    Args:
        chain_id: The chain of the market.
        market: The market that asks for it.
        terms_id: The version's terms, 32 bytes.
        account: Who may buy.
        expiry: The last second in which it counts, Unix time.

    Raises:
        KeysError: A value does not fit its type.
    """
    return typed_data(
        "Admission",
        ("terms_id", "bytes32", terms_id),
        ("account", "address", account),
        ("expiry", "uint256", expiry),
        chain_id=chain_id,
        contract=market,
    )


def presence(
    *, chain_id: int, staking: str, validator: str, challenge: bytes, time: int
) -> TypedData:
    """Return a node's word that it is there, which nothing on any chain takes for anything.

    Args:
        chain_id: The chain of the staking contract.
        staking: The contract in which the validator is registered.
        validator: Whose node it is.
        challenge: What the asker made up for this question, 32 bytes.
        time: Of the newest block that the node has seen, Unix time.

    Raises:
        KeysError: A value does not fit its type.
    """
    return typed_data(
        "NodeIsThere",
        ("validator", "address", validator),
        ("challenge", "bytes32", challenge),
        ("time", "uint256", time),
        chain_id=chain_id,
        contract=staking,
    )


def digest(message: TypedData) -> bytes:
    """Return the 32 bytes that are signed (EIP-712: keccak256(0x1901 || domain || struct))."""
    signable = _signable(message)
    return keccak256(b"\x19" + signable.version + signable.header + signable.body)


def sign(message: TypedData, private_key: bytes) -> bytes:
    """Sign with a key on this machine (RFC 6979, so the same message gives the same signature).

    Returns:
        65 bytes: r, s, v with v 27 or 28.
    """
    from eth_account import Account

    return bytes(Account.sign_message(_signable(message), private_key).signature)


def signer_of(message: TypedData, signature: bytes) -> str | None:
    """Return the checksummed address whose key made `signature`, or None where there is none."""
    from eth_account import Account
    from eth_keys.exceptions import BadSignature

    signable = _signable(message)
    if len(signature) != 65:
        return None
    try:
        return str(Account.recover_message(signable, signature=signature))
    except (BadSignature, ValueError):
        return None


def _signable(message: TypedData) -> "SignableMessage":
    from eth_account.messages import encode_typed_data
    from eth_utils.exceptions import ValidationError

    try:
        return encode_typed_data(full_message=message)
    except (ValidationError, ValueError, TypeError, KeyError) as error:
        raise KeysError(f"this is no EIP-712 message ({error}); update truthmark") from error


def _shown(kind: str, value: Any) -> Any:
    """Return a value as wallets take it, once it was found to fit."""
    if kind == "address":
        address_bytes(value)
    elif kind != "string":
        packed = word(value)
        return "0x" + packed.hex() if kind == "bytes32" else value
    return value
