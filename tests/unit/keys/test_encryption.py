# SPDX-License-Identifier: Apache-2.0
"""Encryption keys that follow from the operator's key."""

import pytest

from truthmark.errors import KeysError
from truthmark.keys.encryption import (
    MAX_ROTATIONS,
    derive_encryption_key,
    find_encryption_keys,
)
from truthmark.keys.sealing import encryption_public_key
from truthmark.keys.typed import TypedData, sign

MARKET = "0x" + "aa" * 20
VALIDATOR = "0x" + "bb" * 20
OPERATOR, OTHER = b"\x01" * 32, b"\x02" * 32


def signer(key: bytes):  # type: ignore[no-untyped-def]
    def sign_typed(message: TypedData) -> bytes:
        return sign(message, key)

    return sign_typed


def derive(key: bytes = OPERATOR, **changes: object) -> bytes:
    place = {"chain_id": 1, "market": MARKET, "validator": VALIDATOR, "number": 0}
    return derive_encryption_key(signer(key), **(place | changes))  # type: ignore[arg-type]


def find(public_keys: list[bytes], key: bytes = OPERATOR) -> dict[bytes, bytes]:
    return find_encryption_keys(
        signer(key), public_keys, chain_id=1, market=MARKET, validator=VALIDATOR
    )


def test_derive_encryption_key__same_place__is_the_same_key() -> None:
    assert derive() == derive()
    assert len(derive()) == 32


@pytest.mark.parametrize(
    "changes",
    [
        {"key": OTHER},
        {"chain_id": 2},
        {"market": "0x" + "ac" * 20},
        {"validator": "0x" + "bc" * 20},
        {"number": 1},
    ],
)
def test_derive_encryption_key__anything_else__is_another_key(changes: dict[str, object]) -> None:
    assert derive(**changes) != derive()  # type: ignore[arg-type]


def test_derive_encryption_key__known_input__stays_what_it_is() -> None:
    """A release that derived other keys would lose its users' shares."""
    assert derive().hex() == KNOWN


KNOWN = "41dbc1f5825638c26b87ce6023e7d34c19cbd35840d1a47487e5c1cac1e25aaf"


def test_find_encryption_keys__after_rotations__finds_all_that_were_registered() -> None:
    private = [derive(number=n) for n in range(4)]
    public = [encryption_public_key(key) for key in private]
    assert find(public) == dict(zip(public, private, strict=True))
    assert find([public[3], public[1]]) == {public[1]: private[1], public[3]: private[3]}


def test_find_encryption_keys__some_of_another_operator__finds_its_own() -> None:
    own, foreign = encryption_public_key(derive()), encryption_public_key(derive(OTHER))
    assert find([foreign, own]) == {own: derive()}


def test_find_encryption_keys__none_is_its_own__says_what_to_do() -> None:
    with pytest.raises(KeysError, match=r"truthmark stake rotate-key"):
        find([encryption_public_key(derive(OTHER))])
    last = encryption_public_key(derive(number=MAX_ROTATIONS))
    with pytest.raises(KeysError, match=r"truthmark stake rotate-key"):
        find([last])
