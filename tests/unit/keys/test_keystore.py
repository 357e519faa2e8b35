# SPDX-License-Identifier: Apache-2.0
"""Keystore files as other wallets write them, and what only looks like one."""

import copy
import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from tests.utils.keystores import ADDRESS, FOUNDRY, KEY, made
from truthmark.errors import KeysError, PassphraseError
from truthmark.keys.accounts import Wallet
from truthmark.keys.keystore import read_keystore


def saved(folder: Path, content: object, name: str = "carol") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def upper(value: Any) -> Any:
    if isinstance(value, dict):
        return {name.upper(): upper(entry) for name, entry in value.items()}
    return value


@pytest.mark.parametrize("how", [{}, {"n": 2, "r": 1}, {"p": 4}, {"c": 1}, {"c": 1_000}])
def test_open__any_derivation__gives_the_key(tmp_path: Path, how: dict[str, int]) -> None:
    keystore = read_keystore(saved(tmp_path, made(**how)))
    assert keystore.address == ADDRESS
    assert keystore.open("words") == KEY
    with pytest.raises(PassphraseError, match="does not open"):
        keystore.open("word")


def test_open__iv_begins_with_zeros__is_written_shorter_by_eth_keyfile(tmp_path: Path) -> None:
    """One of 256 files of Ape and of our own wallet has such an iv."""
    from eth_keyfile import create_keyfile_json

    for _ in range(20_000):
        content = create_keyfile_json(KEY, b"words", kdf="pbkdf2", iterations=1)
        if len(content["crypto"]["cipherparams"]["iv"]) < 32:
            break
    assert read_keystore(saved(tmp_path, content)).open("words") == KEY


@pytest.mark.parametrize(
    "address",
    [ADDRESS, ADDRESS[2:], ADDRESS.lower(), ADDRESS[2:].upper(), "0X" + ADDRESS[2:].lower()],
)
def test_read__address_in_any_spelling__is_the_same(tmp_path: Path, address: str) -> None:
    keystore = read_keystore(saved(tmp_path, made() | {"address": address}))
    assert keystore.address == ADDRESS
    assert keystore.open("words") == KEY


@pytest.mark.parametrize("address", [None, "", ...])
def test_read__no_address__opens_all_the_same(tmp_path: Path, address: object) -> None:
    content = made() | {"address": address}
    if address is ...:
        del content["address"]
    keystore = read_keystore(saved(tmp_path, content))
    assert keystore.address is None
    assert keystore.open("words") == KEY


def test_read__capitals_of_others__do_not_matter(tmp_path: Path) -> None:
    content = made()
    ethers = {"Crypto": content["crypto"], "version": 3, "x-ethers": {"client": "ethers/6"}}
    assert read_keystore(saved(tmp_path, ethers)).open("words") == KEY
    assert read_keystore(saved(tmp_path, upper(content))).open("words") == KEY


def test_open__short_key__is_the_number_it_stands_for(tmp_path: Path) -> None:
    content = made(key=b"\x07")
    del content["address"]
    assert read_keystore(saved(tmp_path, content)).open("words") == bytes(31) + b"\x07"


def test_open__passphrase_of_composed_letters__is_tried_both_ways(tmp_path: Path) -> None:
    composed = unicodedata.normalize("NFKC", "pässwörter")
    apart = unicodedata.normalize("NFD", composed)
    keystore = read_keystore(saved(tmp_path, made(composed)))
    assert keystore.open(apart) == keystore.open(composed) == KEY
    assert read_keystore(saved(tmp_path, made(apart))).open(apart) == KEY


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("version", 1),
        ("version", None),
        ("version", "3.0"),
        ("address", "11" * 19),
        ("address", 5),
        ("crypto", []),
        ("crypto.cipher", "aes-128-cbc"),
        ("crypto.cipherparams", None),
        ("crypto.cipherparams.iv", "11"),
        ("crypto.ciphertext", "11" * 33),
        ("crypto.ciphertext", 5),
        ("crypto.mac", "zz" * 32),
        ("crypto.mac", None),
        ("crypto.kdf", "argon2id"),
        ("crypto.kdfparams", "x"),
        ("crypto.kdfparams.salt", "1"),
        ("crypto.kdfparams.n", 0),
        ("crypto.kdfparams.n", 1),
        ("crypto.kdfparams.n", 17),
        ("crypto.kdfparams.n", -16),
        ("crypto.kdfparams.n", 16.0),
        ("crypto.kdfparams.n", True),
        ("crypto.kdfparams.n", 2**21),
        ("crypto.kdfparams.n", 2**400),
        ("crypto.kdfparams.r", 2**29),
        ("crypto.kdfparams.p", 2**29),
        ("crypto.kdfparams.dklen", 16),
        ("crypto.kdfparams.dklen", 2**40),
    ],
)
def test_read__what_will_not_do__is_refused_before_any_work(
    tmp_path: Path, path: str, value: object
) -> None:
    content = copy.deepcopy(made())
    *above, last = path.split(".")
    inner = content
    for name in above:
        inner = inner[name]
    inner[last] = value
    with pytest.raises(KeysError) as refused:
        read_keystore(saved(tmp_path, content))
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(("name", "value"), [("c", 10**9), ("c", 0), ("prf", "hmac-md5")])
def test_read__pbkdf2_that_will_not_do__is_refused(
    tmp_path: Path, name: str, value: object
) -> None:
    content = made(c=10)
    content["crypto"]["kdfparams"][name] = value
    with pytest.raises(KeysError, match="cannot be used"):
        read_keystore(saved(tmp_path, content))


def test_read__name_twice__is_refused(tmp_path: Path) -> None:
    content = made()
    content["Crypto"] = content["crypto"]
    with pytest.raises(KeysError, match="not a keystore"):
        read_keystore(saved(tmp_path, content))


@pytest.mark.parametrize("key", [bytes(32), b"\xff" * 32])
def test_open__no_key_inside__is_refused(tmp_path: Path, key: bytes) -> None:
    content = made(key=key)
    del content["address"]
    with pytest.raises(KeysError, match="holds no key"):
        read_keystore(saved(tmp_path, content)).open("words")


def test_open__another_address__is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeysError, match="another address"):
        read_keystore(saved(tmp_path, made() | {"address": "11" * 20})).open("words")


def test_accounts__file_of_foundry__is_listed_without_its_address(tmp_path: Path) -> None:
    path = saved(tmp_path, FOUNDRY)
    saved(tmp_path, "{", "torn")
    wallet = Wallet(tmp_path)
    assert [(a.alias, a.address, a.path) for a in wallet.accounts()] == [("carol", None, path)]
    assert [line.split(" is ")[0] for line in wallet.broken()] == [str(tmp_path / "torn.json")]
    assert len(wallet.load("carol", "devnet")) == 32
    with pytest.raises(PassphraseError, match="of account carol"):
        wallet.load("carol", "wrong")
