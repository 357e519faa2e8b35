# SPDX-License-Identifier: Apache-2.0
"""What accounts sign for others to use: vouchers, admissions, permits; and who signs in tests."""

from typing import Any

from eth_account import Account

from tests.utils.drafts import ZERO_32, Listing, Place, word_of
from truthmark.keys import typed

NO_PERMIT = (0, 0, ZERO_32, ZERO_32)
NO_VOUCHER = (0, 0, ZERO_32, b"")
NO_ADMISSION = (0, b"")


def private_key(role: str) -> bytes:
    """Return the key of a role that signs."""
    return word_of("private key", role)


def address_of_role(role: str) -> str:
    return str(Account.from_key(private_key(role)).address)


def sign_voucher(
    listing: Listing,
    account: str,
    price: int,
    expiry: int,
    nonce: bytes = ZERO_32,
    signer: str = "seller",
    place: Place | None = None,
) -> tuple[Any, ...]:
    """Return the contract's `struct Voucher`."""
    place = place or listing.place
    message = typed.voucher(
        chain_id=place.chain_id,
        market=place.market,
        terms_id=listing.terms_id,
        account=account,
        price=price,
        expiry=expiry,
        nonce=nonce,
    )
    return (price, expiry, nonce, typed.sign(message, private_key(signer)))


def sign_admission(
    listing: Listing,
    account: str,
    expiry: int,
    signer: str = "gate",
    place: Place | None = None,
) -> tuple[Any, ...]:
    """Return the contract's `struct Admission`."""
    place = place or listing.place
    message = typed.admission(
        chain_id=place.chain_id,
        market=place.market,
        terms_id=listing.terms_id,
        account=account,
        expiry=expiry,
    )
    return (expiry, typed.sign(message, private_key(signer)))


def sign_permit(
    token: Any,
    chain_id: int,
    owner_role: str,
    spender: str,
    amount: int,
    deadline: int,
    nonce: int = 0,
    name: str = "Test Dollar",
) -> tuple[Any, ...]:
    """Return the contract's `struct Permit` for a test token (EIP-2612)."""
    signed = Account.sign_typed_data(
        private_key(owner_role),
        {
            "name": name,
            "version": "1",
            "chainId": chain_id,
            "verifyingContract": str(token),
        },
        {
            "Permit": [
                {"name": "owner", "type": "address"},
                {"name": "spender", "type": "address"},
                {"name": "value", "type": "uint256"},
                {"name": "nonce", "type": "uint256"},
                {"name": "deadline", "type": "uint256"},
            ]
        },
        {
            "owner": address_of_role(owner_role),
            "spender": spender,
            "value": amount,
            "nonce": nonce,
            "deadline": deadline,
        },
    )
    return (deadline, signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big"))
