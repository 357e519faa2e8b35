# SPDX-License-Identifier: Apache-2.0
"""Sealed shares against RFC 9180 written out, and bundles against random bytes."""

import hmac
import os
from dataclasses import replace
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from truthmark.errors import KeysError, MalformedError
from truthmark.keys import curve, sealing
from truthmark.keys.curve import N
from truthmark.keys.sealing import ShareContext
from truthmark.types import Point

AES_128_GCM, AES_256_GCM = 1, 2


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


def expand(secret: bytes, info: bytes, size: int) -> bytes:
    """HKDF-Expand, RFC 5869, section 2.3."""
    output = block = b""
    counter = 1
    while len(output) < size:
        block = hmac_sha256(secret, block + info + bytes([counter]))
        output += block
        counter += 1
    return output[:size]


def open_by_rfc9180(sealed: bytes, private: bytes, info: bytes, aad: bytes, aead: int) -> bytes:
    """Single-shot open in base mode: RFC 9180, sections 4.1, 5.1 and 6.1, as written there."""
    kem = b"KEM" + (0x20).to_bytes(2, "big")
    hpke = b"HPKE" + b"".join(i.to_bytes(2, "big") for i in (0x20, 1, aead))

    def labeled_extract(suite: bytes, salt: bytes, label: bytes, material: bytes) -> bytes:
        return hmac_sha256(salt or bytes(32), b"HPKE-v1" + suite + label + material)

    def labeled_expand(suite: bytes, prk: bytes, label: bytes, text: bytes, size: int) -> bytes:
        return expand(prk, size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + text, size)

    encapsulated, ciphertext = sealed[:32], sealed[32:]
    key = X25519PrivateKey.from_private_bytes(private)
    shared = key.exchange(X25519PublicKey.from_public_bytes(encapsulated))
    context = encapsulated + key.public_key().public_bytes_raw()
    secret = labeled_expand(
        kem, labeled_extract(kem, b"", b"eae_prk", shared), b"shared_secret", context, 32
    )
    schedule = (
        b"\0"
        + labeled_extract(hpke, b"", b"psk_id_hash", b"")
        + labeled_extract(hpke, b"", b"info_hash", info)
    )
    prk = labeled_extract(hpke, secret, b"secret", b"")
    size = 16 if aead == AES_128_GCM else 32
    aead_key = labeled_expand(hpke, prk, b"key", schedule, size)
    nonce = labeled_expand(hpke, prk, b"base_nonce", schedule, 12)
    return AESGCM(aead_key).decrypt(nonce, ciphertext, aad)


def test_open_by_rfc9180__published_vector__opens():
    # RFC 9180, appendix A.1.1: DHKEM(X25519), HKDF-SHA256, AES-128-GCM, base, sequence 0.
    sealed = bytes.fromhex(
        "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431"
        "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a"
    )
    private = bytes.fromhex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8")
    info = bytes.fromhex("4f6465206f6e2061204772656369616e2055726e")
    plain = open_by_rfc9180(sealed, private, info, b"Count-0", AES_128_GCM)
    assert plain == b"Beauty is truth, truth beauty"


@pytest.fixture
def custodian() -> bytes:
    return os.urandom(32)


@pytest.fixture
def context() -> ShareContext:
    return ShareContext(
        chain_id=1,
        registry="0x" + "4e" * 20,
        seller="0x" + "5e" * 20,
        dataset_key=curve.multiply(5),
        epoch=3,
        custodian=2,
    )


def test_seal_share__any_share__opens_with_the_key_of_the_custodian(custodian, context):
    public = sealing.encryption_public_key(custodian)
    for share in (1, 2, N - 1, curve.random_scalar()):
        sealed = sealing.seal_share(share, public, context)
        assert len(sealed) == sealing.SEALED_BYTES == 80
        assert sealing.open_share(sealed, custodian, context, curve.multiply(share)) == share


def test_seal_share__what_it_writes__is_rfc9180(custodian, context):
    share = curve.random_scalar()
    sealed = sealing.seal_share(share, sealing.encryption_public_key(custodian), context)
    plain = open_by_rfc9180(sealed, custodian, context.info(), b"", AES_256_GCM)
    assert plain == share.to_bytes(32, "big")


def test_info__every_field__is_in_its_place(context):
    assert context.info() == b"".join(
        (
            b"truthmark/share/1",
            (1).to_bytes(32, "big"),
            b"\x4e" * 20,
            b"\x5e" * 20,
            context.dataset_key.x.to_bytes(32, "big"),
            context.dataset_key.y.to_bytes(32, "big"),
            (3).to_bytes(32, "big"),
            (2).to_bytes(32, "big"),
        )
    )


@pytest.mark.parametrize(
    "change",
    [
        {"chain_id": 2},
        {"registry": "0x" + "4f" * 20},
        {"seller": "0x" + "5f" * 20},
        {"dataset_key": curve.multiply(6)},
        {"epoch": 4},
        {"custodian": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_open_share__under_another_name__is_refused(custodian, context, change):
    sealed = sealing.seal_share(7, sealing.encryption_public_key(custodian), context)
    with pytest.raises(KeysError, match="does not open"):
        sealing.open_share(sealed, custodian, replace(context, **change), curve.multiply(7))


def test_open_share__key_of_another_custodian__is_refused(custodian, context):
    sealed = sealing.seal_share(7, sealing.encryption_public_key(custodian), context)
    with pytest.raises(KeysError, match="does not open"):
        sealing.open_share(sealed, os.urandom(32), context, curve.multiply(7))


@pytest.mark.parametrize("share_key", [curve.multiply(8), curve.INFINITY, Point(5, 1)])
def test_open_share__not_the_share_of_the_key__is_refused(custodian, context, share_key):
    sealed = sealing.seal_share(7, sealing.encryption_public_key(custodian), context)
    with pytest.raises(KeysError, match="not the share"):
        sealing.open_share(sealed, custodian, context, share_key)


@pytest.mark.parametrize("plain", [b"", bytes(31) + b"\x07\x00", (N + 7).to_bytes(32, "big")])
def test_open_share__sealed_but_not_a_share__is_refused(custodian, context, plain):
    key = X25519PublicKey.from_public_bytes(sealing.encryption_public_key(custodian))
    sealed = sealing.SUITE.encrypt(plain, key, context.info())
    with pytest.raises(KeysError, match="not the share"):
        sealing.open_share(sealed, custodian, context, curve.multiply(7))


def test_open_share__any_bit_flipped__is_refused(custodian, context):
    sealed = sealing.seal_share(7, sealing.encryption_public_key(custodian), context)
    for position in range(len(sealed)):
        damaged = bytearray(sealed)
        damaged[position] ^= 1 << position % 8
        # Also the top bit of the point, which X25519 ignores (RFC 7748, section 5): HPKE hashes it.
        with pytest.raises(KeysError, match="does not open"):
            sealing.open_share(bytes(damaged), custodian, context, curve.multiply(7))


@given(st.binary(max_size=200))
def test_open_share__random_bytes__are_refused(sealed):
    context = ShareContext(1, "0x" + "4e" * 20, "0x" + "5e" * 20, curve.multiply(5), 0, 1)
    with pytest.raises(KeysError):
        sealing.open_share(sealed, b"k" * 32, context, curve.multiply(7))


@pytest.mark.parametrize("share", [0, N, -1])
def test_seal_share__share_out_of_range__is_refused(custodian, context, share):
    with pytest.raises(KeysError, match="scalar"):
        sealing.seal_share(share, sealing.encryption_public_key(custodian), context)


# The points of small order on Curve25519 and its twist that fit 32 bytes canonically: 0, 1, two of
# order 8, and p - 1 (D. J. Bernstein, "A state-of-the-art Diffie-Hellman function").
SMALL_ORDER = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]


@pytest.mark.parametrize("public", [*map(bytes.fromhex, SMALL_ORDER), b"", bytes(31), bytes(33)])
def test_seal_share__key_that_hides_nothing__is_refused(context, public):
    with pytest.raises(KeysError, match="no usable X25519 key"):
        sealing.seal_share(7, public, context)


@pytest.mark.parametrize("private", [b"", bytes(31), bytes(33)])
def test_encryption_public_key__not_32_bytes__is_refused(private):
    with pytest.raises(KeysError, match="32 bytes"):
        sealing.encryption_public_key(private)


@given(st.lists(st.binary(min_size=80, max_size=80), min_size=1, max_size=16))
def test_bundle__any_shares__comes_back(sealed):
    data = sealing.write_bundle(sealed)
    assert len(data) == 6 + 80 * len(sealed) <= sealing.MAX_BUNDLE_BYTES
    assert sealing.read_bundle(data) == sealed


@pytest.mark.parametrize("sealed", [[], [bytes(79)], [bytes(80), bytes(81)], [bytes(80)] * 17])
def test_write_bundle__not_1_to_16_shares__is_refused(sealed):
    with pytest.raises(KeysError, match="bundle"):
        sealing.write_bundle(sealed)


def test_read_bundle__other_version__says_so():
    with pytest.raises(MalformedError, match="version 2"):
        sealing.read_bundle(b"TMKS\x02\x01" + bytes(80))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"TMKS",
        b"TMKS\x01",
        b"TMKS\x01\x00",
        b"TMKX\x01\x01" + bytes(80),
        b"TMKS\x01\x11" + bytes(80 * 17),
        b"TMKS\x01\x01" + bytes(79),
        b"TMKS\x01\x01" + bytes(81),
        b"TMKS\x01\xff" + bytes(80),
    ],
)
def test_read_bundle__malformed__is_refused(data):
    with pytest.raises(MalformedError):
        sealing.read_bundle(data)


@pytest.mark.parametrize("count", [10_000, pytest.param(100_000, marks=pytest.mark.assure)])
def test_read_bundle__mutated_bundles__are_refused_or_canonical(count):
    random = Random(f"bundles {count}")
    for _ in range(count):
        shares = [random.randbytes(80) for _ in range(random.randrange(1, 5))]
        data = bytearray(sealing.write_bundle(shares))
        for _ in range(random.randrange(1, 4)):
            kind = random.randrange(4)
            if kind == 0:
                data[random.randrange(min(len(data), 8))] = random.randrange(256)
            elif kind == 1:
                del data[random.randrange(len(data)) :]
            elif kind == 2:
                data += random.randbytes(random.randrange(100))
            else:
                at = random.randrange(len(data) + 1)
                data[at:at] = random.randbytes(80)
            if not data:
                break
        try:
            read = sealing.read_bundle(bytes(data))
        except MalformedError:
            continue
        assert sealing.write_bundle(read) == data


def test_write_bundle__known_shares__has_not_changed():
    # Bundles are read from IPFS for as long as a custody lives.
    expected = b"TMKS\x01\x02" + b"a" * 80 + b"b" * 80
    assert sealing.write_bundle([b"a" * 80, b"b" * 80]) == expected
