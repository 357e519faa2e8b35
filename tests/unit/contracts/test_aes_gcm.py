# SPDX-License-Identifier: Apache-2.0
"""AES-256 and GHASH in a contract, against published vectors and against `cryptography`.

On anvil: titanoboa takes a second for what it does in five milliseconds.
"""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.utils.anvil import anvil_process
from tests.utils.contracts import plain
from tests.utils.tokens import deployer
from truthmark.chain.abi import Artifact
from truthmark.testing.anvil import AnvilProcess

__all__ = ["anvil_process"]
pytestmark = pytest.mark.chain

NONCE = bytes(12)
AT = "0x" + "c1" * 20
ONES = 2**128 - 1
Ask = Callable[..., Any]

# FIPS 197, appendix C.3; NIST SP 800-38A, F.1.5.
AES = [
    (
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        "00112233445566778899aabbccddeeff",
        "8ea2b7ca516745bfeafc49904b496089",
    ),
    *(
        ("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", clear, cipher)
        for clear, cipher in (
            ("6bc1bee22e409f96e93d7e117393172a", "f3eed1bdb5d2a03c064b5a7e3db181f8"),
            ("ae2d8a571e03ac9c9eb76fac45af8e51", "591ccb10d410ed26dc5ba74a31362870"),
            ("30c81c46a35ce411e5fbc1191a0a52ef", "b6ed21b99ca6f4f9f153e7b1beafed1d"),
            ("f69f2445df4f9b17ad2b417be66c3710", "23304b7a39f9f3ff067d8d8f9e24ecc7"),
        )
    ),
]
# The specification of GCM by McGrew and Viega, test cases 2 and 3 (GHASH), 13 and 14 (AES-256).
GHASH = [
    (
        "66e94bd4ef8a2c3b884cfa59ca342b2e",
        "0388dace60b6a392f328c2b971b2fe78",
        "f38cbb1ad69223dcc3457ae5b6b0f885",
    ),
    (
        "b83b533708bf535d0aa6e52980d53b78",
        "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
        "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985",
        "7f1b32b81b820d02614f8895ac1d4eac",
    ),
]
TAGS = [
    ("", "530f8afbc74536b9a963b4f1c4cb738b"),
    ("cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"),
]


@pytest.fixture(scope="module")
def ask(anvil_process: AnvilProcess) -> Ask:
    """Return what calls a function of the harness."""
    data = deployer("test/AesGcmHarness").compiler_data
    anvil_process.rpc("anvil_setCode", AT, "0x" + data.bytecode_runtime.hex())
    entry = {"abi": abi_of(data), "bytecode": data.bytecode.hex()}
    artifact = Artifact.from_dict("AesGcmHarness", entry)

    def call(name: str, *args: Any) -> Any:
        function = artifact.function(name, args, {})
        request = {"to": AT, "data": "0x" + function.encode(args).hex()}
        answer = anvil_process.rpc("eth_call", request, "latest")
        return plain(function.decode(bytes.fromhex(str(answer)[2:])))

    return call


def abi_of(data: Any) -> Any:
    from vyper.compiler.output import build_abi_output

    return build_abi_output(data)


def tag_of(ask: Ask, key: bytes, sealed: bytes) -> int:
    """Return the tag that belongs to a ciphertext, as the judge computes it."""
    hash_key, mask = ask("encrypt", int.from_bytes(key, "big"), 0, 1)
    return int(ask("hash", hash_key, sealed)[0]) ^ mask


def number(text: str) -> int:
    return int(text, 16)


def ghash(hash_key: int, data: bytes) -> int:
    """Multiply bit by bit, as NIST SP 800-38D has it (algorithms 1 and 2)."""
    blocks = [data[at : at + 16] for at in range(0, len(data), 16)]
    blocks.append((8 * len(data)).to_bytes(16, "big"))
    state = 0
    for block in blocks:
        x, z, v = state ^ int.from_bytes(block, "big"), 0, hash_key
        for bit in range(127, -1, -1):
            if x >> bit & 1:
                z ^= v
            v = v >> 1 ^ (0xE1 << 120 if v & 1 else 0)
        state = z
    return state


@pytest.mark.parametrize(("key", "clear", "cipher"), AES)
def test_encrypt__published_vectors__agree(ask: Ask, key: str, clear: str, cipher: str) -> None:
    assert ask("encrypt", number(key), number(clear), 0)[0] == number(cipher)
    assert ask("encrypt", number(key), 0, number(clear))[1] == number(cipher)


@pytest.mark.parametrize(("hash_key", "data", "expected"), GHASH)
def test_hash__published_vectors__agree(ask: Ask, hash_key: str, data: str, expected: str) -> None:
    sealed = bytes.fromhex(data)
    assert ghash(number(hash_key), sealed) == number(expected)
    # What stands in the place of the tag is told, and not hashed.
    assert ask("hash", number(hash_key), sealed + b"\1" * 16) == [
        number(expected),
        int.from_bytes(b"\1" * 16, "big"),
    ]


@pytest.mark.parametrize(("cipher", "tag"), TAGS)
def test_tag__published_vectors__agree(ask: Ask, cipher: str, tag: str) -> None:
    assert tag_of(ask, bytes(32), bytes.fromhex(cipher) + bytes(16)) == number(tag)


def test_encrypt__500_keys_with_two_blocks_each__agree_with_cryptography(ask: Ask) -> None:
    random = Random("aes")
    # Each bit of a key and of a block alone, as NIST's known answers have them; then at random.
    cases = [(1 << bit, 1 << bit // 2, ONES >> bit // 2) for bit in range(256)]
    cases += [tuple(random.getrandbits(n) for n in (256, 128, 128)) for _ in range(244)]
    for key, first, second in cases:
        cipher = Cipher(algorithms.AES(key.to_bytes(32, "big")), modes.ECB()).encryptor()
        expected = [
            int.from_bytes(cipher.update(block.to_bytes(16, "big")), "big")
            for block in (first, second)
        ]
        assert list(ask("encrypt", key, first, second)) == expected


def test_hash__300_hash_keys__agree_with_multiplying_bit_by_bit(ask: Ask) -> None:
    random = Random("ghash")
    # All bits set: nowhere do more of them meet in one place.
    special = [0, 1, 1 << 127, ONES, ONES // 31, ONES // 3, ONES - ONES // 3]
    cases = [(h, x.to_bytes(16, "big") * 3) for h in special for x in special]
    while len(cases) < 300:
        cases.append((random.getrandbits(128), random.randbytes(16 * random.randrange(9))))
    for hash_key, data in cases:
        assert ask("hash", hash_key, data + random.randbytes(16))[0] == ghash(hash_key, data)


def test_tag__700_shards__agree_with_cryptography(ask: Ask) -> None:
    random = Random("gcm")
    sizes = [16 * (i % 40) for i in range(690)] + [4_080] * 5 + [8_176, 16_368, 32_752, 65_520] * 2
    for size in sizes:
        key, clear = random.randbytes(32), random.randbytes(size)
        sealed = AESGCM(key).encrypt(NONCE, clear, None)
        assert tag_of(ask, key, sealed) == int.from_bytes(sealed[-16:], "big")
