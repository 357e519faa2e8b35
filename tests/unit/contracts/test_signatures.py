# SPDX-License-Identifier: Apache-2.0
"""Whose signature counts: keys first, then contracts by ERC-1271, whatever those answer."""

from random import Random
from typing import Any

import boa
import pytest
from eth_account import Account
from eth_keys import keys

from tests.utils.drafts import word_of
from tests.utils.permits import address_of_role, private_key
from tests.utils.tokens import deployer
from truthmark.keys.curve import N

DIGEST = word_of("digest")
MAGIC = bytes.fromhex("1626ba7e") + bytes(28)
GAS = 3_000_000


@pytest.fixture(scope="module")
def harness() -> Any:
    return deployer("test/RecordsHarness").deploy()


def sign(digest: bytes = DIGEST, role: str = "signer") -> bytes:
    signature = keys.PrivateKey(private_key(role)).sign_msg_hash(digest)
    return (
        signature.r.to_bytes(32, "big")
        + signature.s.to_bytes(32, "big")
        + bytes([27 + signature.v])
    )


SIGNER = address_of_role("signer")


def contract(answer: str) -> str:
    """Deploy a signer that answers with raw code, to any call."""
    source = f"""
# pragma version 0.4.3
# pragma evm-version prague
@external
@raw_return
@view
def isValidSignature(digest: bytes32, signature: Bytes[1024]) -> Bytes[1024]:
    {answer}
"""
    return str(boa.loads(source).address)


# --------------------------------------------------------------------- keys


@pytest.mark.parametrize("count", [2_000, pytest.param(40_000, marks=pytest.mark.assure)])
def test_is_signer__random_keys__only_the_signer_of_the_digest(harness: Any, count: int) -> None:
    random = Random(f"signatures {count}")
    for i in range(count):
        key = keys.PrivateKey(random.randbytes(32))
        digest = random.randbytes(32)
        signature = key.sign_msg_hash(digest)
        raw = signature.to_bytes()[:64] + bytes([27 + signature.v])
        address = key.public_key.to_checksum_address()
        kind = i % 4
        if kind == 1:
            place = random.randrange(64)
            raw = raw[:place] + bytes([raw[place] ^ 1 << random.randrange(8)]) + raw[place + 1 :]
        elif kind == 2:
            digest = bytes([digest[0] ^ 1]) + digest[1:]
        elif kind == 3:
            address = Account.from_key(random.randbytes(32)).address
        assert harness.is_signer(address, digest, raw) == (kind == 0)


def test_is_signer__mirrored_s__is_the_signer_too(harness: Any) -> None:
    raw = sign()
    s = N - int.from_bytes(raw[32:64], "big")
    mirrored = raw[:32] + s.to_bytes(32, "big") + bytes([27 + 28 - raw[64]])
    assert harness.is_signer(SIGNER, DIGEST, mirrored)


@pytest.mark.parametrize("v", [0, 1, 26, 29, 255])
def test_is_signer__other_v__is_nobody(harness: Any, v: int) -> None:
    assert not harness.is_signer(SIGNER, DIGEST, sign()[:64] + bytes([v]))


@pytest.mark.parametrize("length", [0, 1, 64, 66, 1024])
def test_is_signer__other_length__is_no_key(harness: Any, length: int) -> None:
    assert not harness.is_signer(SIGNER, DIGEST, (sign() + bytes(1024))[:length])


def test_is_signer__zero_address__has_signed_nothing(harness: Any) -> None:
    # What `ecrecover` says of nonsense must not pass for the zero address.
    zero = "0x" + "00" * 20
    for raw in (bytes(65), bytes(64) + b"\x1b", bytes(32) + b"\x01" * 32 + b"\x1b"):
        assert not harness.is_signer(zero, DIGEST, raw)


def test_is_signer__account_with_delegated_code__signs_by_its_key(harness: Any) -> None:
    # EIP-7702: the account has code now, of any kind, and still signs as before.
    with boa.env.anchor():
        refusing = contract("return abi_encode(False)")
        boa.env.set_code(SIGNER, bytes.fromhex("ef0100" + refusing[2:]))
        assert boa.env.get_code(SIGNER)
        assert harness.is_signer(SIGNER, DIGEST, sign())
        assert not harness.is_signer(SIGNER, DIGEST, sign(role="another"))


# ---------------------------------------------------------------- contracts


@pytest.mark.parametrize("signature", [b"", b"x", bytes(65), bytes(1024)], ids=len)
def test_is_signer__contract_that_answers_yes__has_signed(harness: Any, signature: bytes) -> None:
    signer = contract(f"return abi_encode(0x{MAGIC.hex()})")
    assert harness.is_signer(signer, DIGEST, signature)


def test_is_signer__contract__is_asked_about_digest_and_signature(harness: Any) -> None:
    source = f"""
# pragma version 0.4.3
# pragma evm-version prague
@external
@view
def isValidSignature(digest: bytes32, signature: Bytes[1024]) -> bytes4:
    if digest == 0x{DIGEST.hex()} and signature == b"yes":
        return 0x1626ba7e
    return 0xffffffff
"""
    signer = boa.loads(source).address
    assert harness.is_signer(signer, DIGEST, b"yes")
    assert not harness.is_signer(signer, DIGEST, b"no")
    assert not harness.is_signer(signer, word_of("another"), b"yes")


@pytest.mark.parametrize(
    "answer",
    [
        'raise "no"',
        "return abi_encode(False)",
        "return abi_encode(True)",
        'return b""',
        f"return slice(abi_encode(0x{MAGIC.hex()}), 0, 4)",
        f"return slice(abi_encode(0x{MAGIC.hex()}), 0, 31)",
        f"return abi_encode(0x{(bytes(28) + MAGIC[:4]).hex()})",
        f"return abi_encode(0x{(MAGIC[:4] + bytes(27) + b'!').hex()})",
        "return abi_encode(max_value(uint256))",
    ],
)
def test_is_signer__contract_that_answers_something_else__has_not(
    harness: Any, answer: str
) -> None:
    assert not harness.is_signer(contract(answer), DIGEST, b"")


def test_is_signer__contract_that_answers_too_much__counts_its_first_word(harness: Any) -> None:
    # Copied is one word, so a bomb of an answer costs the caller nothing; OpenZeppelin and others
    # read no more either.
    yes = contract(f"return concat(abi_encode(0x{MAGIC.hex()}), empty(bytes32))")
    no = contract(f"return concat(empty(bytes32), abi_encode(0x{MAGIC.hex()}))")
    assert harness.is_signer(yes, DIGEST, b"")
    assert not harness.is_signer(no, DIGEST, b"")


def test_is_signer__contract_that_burns_all_gas__has_not_signed(harness: Any) -> None:
    source = """
# pragma version 0.4.3
# pragma evm-version prague
@external
@view
def isValidSignature(digest: bytes32, signature: Bytes[1024]) -> bytes4:
    waste: uint256 = 0
    for i: uint256 in range(2**64):
        waste = i
    return 0x1626ba7e
"""
    signer = boa.loads(source).address
    # A 64th of the gas is left to the caller, enough to say no.
    assert not harness.is_signer(signer, DIGEST, b"", gas=GAS)


def test_is_signer__contract_that_wants_to_write__cannot(harness: Any) -> None:
    source = """
# pragma version 0.4.3
# pragma evm-version prague
calls: public(uint256)
@external
def isValidSignature(digest: bytes32, signature: Bytes[1024]) -> bytes4:
    self.calls += 1
    return 0x1626ba7e
"""
    signer = boa.loads(source)
    assert not harness.is_signer(signer.address, DIGEST, b"", gas=GAS)
    assert signer.calls() == 0


@pytest.mark.parametrize("digest", [DIGEST, bytes(32)], ids=["digest", "zero"])
@pytest.mark.parametrize("number", range(1, 11))
def test_is_signer__precompile__has_no_code_and_is_not_asked(
    harness: Any, number: int, digest: bytes
) -> None:
    # The identity precompile (4) echoes the call, which begins with the magic; with a digest of
    # zeros behind it, that is the very answer of a signer.
    signer = "0x" + number.to_bytes(20, "big").hex()
    assert not harness.is_signer(signer, digest, b"")
    assert not harness.is_signer(signer, digest, bytes(65))
