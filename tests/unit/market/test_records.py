# SPDX-License-Identifier: Apache-2.0
"""Ids as Python makes them, against eth-abi's encoding of the contracts' own structs."""

from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from truthmark.chain.abi import load_artifact
from truthmark.chain.parameters import Parameter
from truthmark.config.units import to_checksum_address
from truthmark.hashing import keccak256
from truthmark.market.records import (
    Custody,
    PurchaseStatus,
    Receipt,
    Terms,
    bits,
    custodians_hash,
    obligation_id,
    share_keys_hash,
)
from truthmark.types import Point

LISTING = load_artifact("DatasetRegistry").functions["list_version"][0]
TERMS, CUSTODY = (next(p for p in LISTING.inputs if p.name == n) for n in ("terms", "custody"))
RECEIPT = next(
    p
    for p in load_artifact("DatasetMarket").functions["is_reader"][0].inputs
    if p.name == "receipt"
)

words = st.integers(0, 2**256 - 1)
hashes = st.binary(min_size=32, max_size=32)
addresses = st.binary(min_size=20, max_size=20).map(lambda b: to_checksum_address("0x" + b.hex()))
points = st.builds(Point, words, words)
KINDS = {
    "uint256": words,
    "bytes32": hashes,
    "address": addresses,
    "(uint256,uint256)": points,
}


def records(kind: type, struct: Parameter) -> st.SearchStrategy[Any]:
    """Make records whose fields are those of the contract's struct, in its order."""
    return st.builds(kind, **{field.name: KINDS[field.type] for field in struct.components})


def abi_hash(kind: type, struct: Parameter, record: Any) -> bytes:
    values = [getattr(record, field.name) for field in struct.components]
    return keccak256(encode([struct.type], [values]))


@given(records(Terms, TERMS))
def test_terms_id__any_terms__is_the_hash_of_the_contracts_struct(terms: Terms) -> None:
    assert terms.terms_id == abi_hash(Terms, TERMS, terms)


@given(records(Custody, CUSTODY))
def test_custody_id__any_custody__is_the_hash_of_the_contracts_struct(custody: Custody) -> None:
    assert custody.custody_id == abi_hash(Custody, CUSTODY, custody)


@given(records(Receipt, RECEIPT), hashes)
def test_purchase_id__any_receipt__is_nested_as_the_protocol_says(
    receipt: Receipt, custody_id: bytes
) -> None:
    digest = keccak256(
        encode(["address", "uint256", "bytes32"], [receipt.buyer, receipt.price, receipt.salt])
    )
    assert receipt.digest == digest
    assert receipt.purchase_id(custody_id) == keccak256(
        encode(
            ["bytes32", "uint256", "uint256", "bytes32"],
            [custody_id, receipt.base.x, receipt.base.y, digest],
        )
    )


@pytest.mark.parametrize(
    ("kind", "struct"), [(Terms, TERMS), (Custody, CUSTODY), (Receipt, RECEIPT)]
)
def test_fields__each_struct__are_in_the_contracts_order(kind: Any, struct: Parameter) -> None:
    assert list(kind.__dataclass_fields__) == [field.name for field in struct.components]


@given(st.lists(addresses, max_size=16))
def test_custodians_hash__any_list__is_that_of_an_encoded_array(custodians: list[str]) -> None:
    assert custodians_hash(custodians) == keccak256(encode(["address[]"], [custodians]))


@given(st.lists(points, max_size=16))
def test_share_keys_hash__any_list__is_that_of_an_encoded_array(keys: list[Point]) -> None:
    assert share_keys_hash(keys) == keccak256(encode(["(uint256,uint256)[]"], [keys]))


@given(hashes, st.integers(1, 16))
def test_obligation_id__any_custody__is_that_of_the_words(custody_id: bytes, index: int) -> None:
    expected = keccak256(encode(["bytes32", "uint256"], [custody_id, index]))
    assert obligation_id(custody_id, index) == expected


@given(records(Terms, TERMS))
def test_from_chain__what_the_chain_layer_decodes__is_the_record(terms: Terms) -> None:
    decoded = TERMS.from_decoded(list(map(_raw, terms.astuple())))
    assert Terms.from_chain(decoded) == terms


@given(records(Custody, CUSTODY))
def test_from_chain__a_custody__is_the_record(custody: Custody) -> None:
    decoded = CUSTODY.from_decoded(list(map(_raw, custody.astuple())))
    assert Custody.from_chain(decoded) == custody


def _raw(value: Any) -> Any:
    """Write a value as eth-abi decodes it: points as plain tuples, addresses in lower case."""
    if isinstance(value, Point):
        return tuple(value)
    return value.lower() if isinstance(value, str) else value


def test_terms_id__any_field_changed__is_another() -> None:
    terms = _sample_terms()
    for name in terms.__dataclass_fields__:
        changed = replace(terms, **{name: _other(getattr(terms, name))})
        assert changed.terms_id != terms.terms_id, name


def _sample_terms() -> Terms:
    return Terms.from_chain(
        [
            *(f"0x{n:040x}" for n in (1, 2, 3)),
            *(bytes([n]) * 32 for n in (4, 5)),
            6,
            (7, 8),
            (9, 10),
            bytes([11]) * 32,
            f"0x{12:040x}",
            *range(13, 20),
            f"0x{20:040x}",
        ]
    )


def _other(value: Any) -> Any:
    if isinstance(value, Point):
        return Point(value.x, value.y + 1)
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1])
    return f"0x{int(value, 16) + 1:040x}" if isinstance(value, str) else value + 1


def test_purchase_status__each__says_whether_a_key_came_and_whether_it_is_over() -> None:
    assert {it.name for it in PurchaseStatus if it.has_key} == {"DELIVERED", "SETTLED", "REJECTED"}
    assert {it.name for it in PurchaseStatus if it.is_over} == {"SETTLED", "REFUNDED", "REJECTED"}


@pytest.mark.parametrize(
    ("bitmap", "expected"),
    [(0, []), (1, [1]), (0b101, [1, 3]), (0x8000, [16]), (0xFFFF, list(range(1, 17)))],
)
def test_bits__a_map__names_custodians_from_one(bitmap: int, expected: list[int]) -> None:
    assert bits(bitmap) == expected
