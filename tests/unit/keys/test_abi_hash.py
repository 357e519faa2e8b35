# SPDX-License-Identifier: Apache-2.0
"""Words are encoded as the ABI encodes static values; eth-abi is the witness."""

import pytest
from eth_abi import encode
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st

from truthmark.errors import KeysError
from truthmark.keys.abi_hash import address_bytes, hash_words, tag, word
from truthmark.types import Point

uints = st.integers(0, 2**256 - 1)


@given(
    uints, st.binary(min_size=32, max_size=32), st.binary(min_size=20, max_size=20), uints, uints
)
def test_hash_words__static_values__hashes_their_abi_encoding(number, digest, account, x, y):
    address = "0x" + account.hex()
    expected = encode(
        ["uint256", "bytes32", "address", "(uint256,uint256)"], [number, digest, address, (x, y)]
    )
    assert hash_words(number, digest, address, Point(x, y)) == keccak(expected)


@pytest.mark.parametrize("value", [-1, 2**256, b"", bytes(31), bytes(33), Point(-1, 0)])
def test_word__value_that_does_not_fit__is_refused(value):
    with pytest.raises(KeysError):
        word(value)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "0x",
        "0x" + "11" * 19,
        "0x" + "11" * 21,
        "11" * 20,
        "0x" + "zz" * 20,
        "0x" + " 1" * 20,
        "0x" + "11 " * 13 + "1",
    ],
)
def test_address_bytes__no_address__is_refused(address):
    with pytest.raises(KeysError, match="not an address"):
        address_bytes(address)


def test_address_bytes__any_case__is_read():
    assert address_bytes("0xAb" + "0c" * 19) == address_bytes("0xaB" + "0C" * 19)


def test_tag__text__is_its_keccak():
    assert tag("truthmark/delivery/1") == keccak(b"truthmark/delivery/1")
