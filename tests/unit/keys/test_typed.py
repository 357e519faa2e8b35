# SPDX-License-Identifier: Apache-2.0
"""Typed data against the example of EIP-712 itself and against its definition by hand."""

import pytest
from eth_abi import encode
from eth_account import Account
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st

from truthmark.errors import KeysError
from truthmark.keys import typed
from truthmark.keys.curve import N

MARKET = "0x" + "4d" * 20
SELLER = Account.from_key(b"\x5e" * 32)

uints = st.integers(0, 2**256 - 1)
words = st.binary(min_size=32, max_size=32)

DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"


def by_hand(struct: bytes, *, chain_id: int = 5) -> bytes:
    domain = encode(
        ["bytes32", "bytes32", "bytes32", "uint256", "address"],
        [keccak(DOMAIN_TYPE), keccak(b"Truthmark"), keccak(b"1"), chain_id, MARKET],
    )
    return keccak(b"\x19\x01" + keccak(domain) + keccak(struct))


@given(words, words, uints, uints)
def test_voucher__any_values__hashes_as_the_contract_does(terms_id, nonce, price, expiry):
    message = typed.voucher(
        chain_id=5,
        market=MARKET,
        terms_id=terms_id,
        account=SELLER.address,
        price=price,
        expiry=expiry,
        nonce=nonce,
    )
    type_hash = keccak(
        b"Voucher(bytes32 terms_id,address account,uint256 price,uint256 expiry,bytes32 nonce)"
    )
    struct = encode(
        ["bytes32", "bytes32", "address", "uint256", "uint256", "bytes32"],
        [type_hash, terms_id, SELLER.address, price, expiry, nonce],
    )
    assert typed.digest(message) == by_hand(struct)


@given(words, uints)
def test_admission__any_values__hashes_as_the_contract_does(terms_id, expiry):
    message = typed.admission(
        chain_id=5, market=MARKET, terms_id=terms_id, account=SELLER.address, expiry=expiry
    )
    type_hash = keccak(b"Admission(bytes32 terms_id,address account,uint256 expiry)")
    struct = encode(
        ["bytes32", "bytes32", "address", "uint256"],
        [type_hash, terms_id, SELLER.address, expiry],
    )
    assert typed.digest(message) == by_hand(struct)


def mail() -> typed.TypedData:
    """The example of EIP-712."""
    person = [{"name": "name", "type": "string"}, {"name": "wallet", "type": "address"}]
    return {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "Person": person,
            "Mail": [
                {"name": "from", "type": "Person"},
                {"name": "to", "type": "Person"},
                {"name": "contents", "type": "string"},
            ],
        },
        "primaryType": "Mail",
        "domain": {
            "name": "Ether Mail",
            "version": "1",
            "chainId": 1,
            "verifyingContract": "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC",
        },
        "message": {
            "from": {"name": "Cow", "wallet": "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"},
            "to": {"name": "Bob", "wallet": "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"},
            "contents": "Hello, Bob!",
        },
    }


def test_sign__example_of_the_standard__gives_its_digest_and_signature():
    assert typed.digest(mail()).hex() == (
        "be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2"
    )
    signature = typed.sign(mail(), keccak(b"cow"))
    assert signature.hex() == (
        "4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d"
        "07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b91562"
        "1c"
    )
    assert typed.signer_of(mail(), signature) == "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"


def voucher(**changes) -> typed.TypedData:
    values = {
        "chain_id": 5,
        "market": MARKET,
        "terms_id": b"t" * 32,
        "account": SELLER.address,
        "price": 10,
        "expiry": 20,
        "nonce": b"n" * 32,
    }
    return typed.voucher(**{**values, **changes})


def test_signer_of__own_signature__is_the_signer():
    signature = typed.sign(voucher(), SELLER.key)
    assert len(signature) == 65
    assert signature[64] in (27, 28)
    assert typed.signer_of(voucher(), signature) == SELLER.address


@pytest.mark.parametrize(
    "change",
    [
        {"chain_id": 6},
        {"market": "0x" + "4e" * 20},
        {"terms_id": b"u" * 32},
        {"account": "0x" + "11" * 20},
        {"price": 11},
        {"expiry": 21},
        {"nonce": b"m" * 32},
    ],
    ids=lambda change: next(iter(change)),
)
def test_signer_of__another_message__is_somebody_else(change):
    signature = typed.sign(voucher(), SELLER.key)
    assert typed.signer_of(voucher(**change), signature) != SELLER.address


@given(st.binary(max_size=70))
def test_signer_of__random_bytes__is_nobody_we_know(signature):
    assert typed.signer_of(voucher(), signature) != SELLER.address


@pytest.mark.parametrize(
    "signature",
    [b"", bytes(64), bytes(66), bytes(65), b"\xff" * 65, N.to_bytes(32, "big") * 2 + b"\x1b"],
)
def test_signer_of__no_signature__is_none(signature):
    assert typed.signer_of(voucher(), signature) is None


@pytest.mark.parametrize(
    "change",
    [
        {"market": "0x12"},
        {"terms_id": b"t"},
        {"account": "somebody"},
        {"price": -1},
        {"expiry": 2**256},
        {"nonce": bytes(33)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_voucher__value_that_does_not_fit__is_refused(change):
    with pytest.raises(KeysError):
        voucher(**change)


@pytest.mark.parametrize("broken", [{}, {"types": {}}, {**mail(), "primaryType": "Nothing"}])
def test_digest__no_typed_data__is_refused(broken):
    with pytest.raises(KeysError, match="EIP-712"):
        typed.digest(broken)
