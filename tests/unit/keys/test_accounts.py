# SPDX-License-Identifier: Apache-2.0
"""Keystore files: ours open elsewhere, others' open here, and keys come from no command line."""

import io
import json
import stat
import sys
from types import SimpleNamespace

import pytest
from eth_account import Account as EthAccount

from tests.utils.keystores import ADDRESS, KEY
from truthmark.errors import KeysError, PassphraseError
from truthmark.keys import accounts as accounts_module
from truthmark.keys.accounts import Wallet, parse_private_key, private_key_from
from truthmark.keys.curve import N

# Test vectors of the Web3 Secret Storage definition; the passphrase of both is "testpassword".
SCRYPT_VECTOR = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "83dbcc02d8ccb40e466191a123791e0e"},
        "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
        "kdf": "scrypt",
        "kdfparams": {
            "dklen": 32,
            "n": 262144,
            "p": 8,
            "r": 1,
            "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
        },
        "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3,
    "address": "008aeeda4d805471df9b2a5b0f38a0c3bcba786b",
}
PBKDF2_VECTOR = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
        "kdf": "pbkdf2",
        "kdfparams": {
            "c": 262144,
            "dklen": 32,
            "prf": "hmac-sha256",
            "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
        },
        "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3,
    "address": "008aeeda4d805471df9b2a5b0f38a0c3bcba786b",
}


@pytest.fixture
def accounts(tmp_path) -> Wallet:
    # Little work: these keys protect nothing.
    return Wallet(tmp_path / "accounts", work=2**4)


def test_new__account__opens_with_its_passphrase(accounts):
    account = accounts.new("seller", "secret words")
    key = accounts.load("seller", "secret words")
    assert EthAccount.from_key(key).address == account.address
    assert accounts.accounts() == [account] == [accounts.account("seller")]
    assert accounts.new("buyer", "x").address != account.address
    assert [a.alias for a in accounts.accounts()] == ["buyer", "seller"]


def test_add__key__is_written_privately_and_encrypted(accounts):
    account = accounts.add("seller", KEY, "testpassword")
    assert account.address == ADDRESS
    assert stat.S_IMODE(account.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(account.path.parent.stat().st_mode) == 0o700
    keystore = json.loads(account.path.read_text())
    assert keystore["version"] == 3
    assert keystore["crypto"]["kdf"] == "scrypt"
    assert KEY.hex() not in account.path.read_text()


@pytest.mark.untraced
def test_add__by_default__takes_the_usual_work(tmp_path):
    account = Wallet(tmp_path).add("seller", KEY, "testpassword")
    parameters = json.loads(account.path.read_text())["crypto"]["kdfparams"]
    assert (parameters["n"], parameters["r"] * parameters["p"]) == (accounts_module.SCRYPT_WORK, 8)
    assert Wallet(tmp_path).load("seller", "testpassword") == KEY


@pytest.mark.parametrize("vector", [SCRYPT_VECTOR, PBKDF2_VECTOR], ids=["scrypt", "pbkdf2"])
@pytest.mark.untraced
def test_load__published_vectors__give_their_key(accounts, vector):
    accounts.folder.mkdir()
    (accounts.folder / "vector.json").write_text(json.dumps(vector))
    assert accounts.load("vector", "testpassword") == KEY
    assert accounts.account("vector").address == ADDRESS


@pytest.mark.untraced
def test_load__file_of_ape__opens_and_ape_opens_ours(accounts):
    from ape_accounts.accounts import KeyfileAccount

    account = accounts.add("seller", KEY, "testpassword")
    theirs = KeyfileAccount(keyfile_path=account.path)
    assert (theirs.alias, theirs.address) == ("seller", ADDRESS)
    theirs.unlock(passphrase="testpassword")
    assert theirs.locked is False
    # Ape adds the public key to its own files.
    keystore = {**json.loads(account.path.read_text()), "public_key": "ab" * 64}
    (accounts.folder / "ape.json").write_text(json.dumps(keystore))
    assert accounts.load("ape", "testpassword") == KEY


def test_load__wrong_passphrase__is_refused(accounts):
    accounts.add("seller", KEY, "testpassword")
    with pytest.raises(PassphraseError, match="not the passphrase"):
        accounts.load("seller", "testpasswort")


def test_load__no_account__says_so(accounts):
    with pytest.raises(KeysError, match="there is no account buyer"):
        accounts.load("buyer", "x")
    assert accounts.accounts() == []


def test_add__name_taken__leaves_the_old_one(accounts):
    accounts.add("seller", KEY, "testpassword")
    with pytest.raises(KeysError, match="exists"):
        accounts.new("seller", "other")
    assert accounts.load("seller", "testpassword") == KEY


def test_add__name_taken_meanwhile__leaves_the_old_one(accounts, monkeypatch):
    accounts.add("seller", KEY, "testpassword")
    path = accounts.folder / "seller.json"
    with monkeypatch.context() as patch:
        patch.setattr(type(path), "exists", lambda self: self.is_dir())
        with pytest.raises(KeysError, match="exists"):
            accounts.new("seller", "other")
    assert accounts.load("seller", "testpassword") == KEY


@pytest.mark.parametrize(
    "alias", ["", ".hidden", "../up", "a/b", "a b", "x" * 65, "0x" + "11" * 32, "ab" * 32]
)
def test_add__unusable_name__is_refused(accounts, alias):
    with pytest.raises(KeysError, match="not an account name"):
        accounts.add(alias, KEY, "testpassword")


def test_add__empty_passphrase__is_refused(accounts):
    with pytest.raises(KeysError, match="empty passphrase"):
        accounts.add("seller", KEY, "")


@pytest.mark.parametrize("key", [b"", bytes(32), N.to_bytes(32, "big"), bytes(33)])
def test_add__no_key__is_refused(accounts, key):
    with pytest.raises(KeysError, match="not a private key"):
        accounts.add("seller", key, "x")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"address": "00"}',
        '{"crypto": {}}',
        '{"crypto": {}, "address": 5}',
        "[" * 50_000,
        " " * 100_000,
    ],
)
def test_accounts__other_files__are_passed_over(accounts, text):
    account = accounts.add("seller", KEY, "testpassword")
    (accounts.folder / "other.json").write_text(text)
    assert accounts.accounts() == [account]
    with pytest.raises(KeysError):
        accounts.load("other", "x")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["crypto", "kdf"], "unknown"),
        (["crypto", "ciphertext"], "11" * 32),
        (["crypto", "kdfparams"], {}),
        (["crypto", "mac"], "zz"),
        (["version"], 2),
        (["address"], "11" * 20),
    ],
)
def test_load__damaged_file__is_refused(accounts, path, value):
    account = accounts.add("seller", KEY, "testpassword")
    keystore = json.loads(account.path.read_text())
    inner = keystore
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    account.path.write_text(json.dumps(keystore))
    with pytest.raises(KeysError):
        accounts.load("seller", "testpassword")


def test_default_folder__as_ape__follows_its_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("APE_DATA_FOLDER", str(tmp_path))
    assert accounts_module.default_folder() == tmp_path / "accounts" == Wallet().folder
    monkeypatch.delenv("APE_DATA_FOLDER")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert accounts_module.default_folder() == tmp_path / "home" / ".ape" / "accounts"


@pytest.mark.parametrize("text", [KEY.hex(), "0x" + KEY.hex(), f" 0X{KEY.hex().upper()}\n"])
def test_parse_private_key__hex__is_the_key(text):
    assert parse_private_key(text) == KEY


@pytest.mark.parametrize("text", ["", "0x", "ab", KEY.hex() + "00", "z" + KEY.hex()[1:], "0" * 64])
def test_parse_private_key__anything_else__is_refused_without_repeating_it(text):
    with pytest.raises(KeysError) as caught:
        parse_private_key(text)
    assert KEY.hex()[1:20] not in str(caught.value)


def no_passphrase(alias: str) -> str:
    raise AssertionError(f"asked for the passphrase of {alias}")


def test_private_key_from__each_source__gives_the_key(accounts, monkeypatch):
    accounts.add("seller", KEY, "testpassword")
    assert private_key_from("seller", accounts, lambda alias: "testpassword") == KEY
    monkeypatch.setenv("SELLER_KEY", "0x" + KEY.hex())
    assert private_key_from("env:SELLER_KEY", accounts, no_passphrase) == KEY
    monkeypatch.setattr(sys, "stdin", io.StringIO(KEY.hex() + "\nmore"))
    assert private_key_from("stdin", accounts, no_passphrase) == KEY
    secrets = {("truthmark", "s"): KEY.hex()}
    ring = SimpleNamespace(get_password=lambda service, name: secrets[service, name])
    monkeypatch.setitem(sys.modules, "keyring", ring)
    assert private_key_from("keyring:s", accounts, no_passphrase) == KEY


@pytest.mark.parametrize("source", [KEY.hex(), "0x" + KEY.hex(), KEY.hex()[:50]])
def test_private_key_from__a_key_on_the_command_line__is_refused(accounts, source):
    with pytest.raises(KeysError, match="never put a key on a command line") as caught:
        private_key_from(source, accounts, no_passphrase)
    assert source not in str(caught.value)


def test_private_key_from__nothing_there__says_where(accounts, monkeypatch):
    monkeypatch.delenv("SELLER_KEY", raising=False)
    with pytest.raises(KeysError, match="environment has no SELLER_KEY"):
        private_key_from("env:SELLER_KEY", accounts, no_passphrase)
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    with pytest.raises(KeysError, match="not a private key"):
        private_key_from("stdin", accounts, no_passphrase)
    monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_password=lambda *_: None))
    with pytest.raises(KeysError, match="keyring has no seller"):
        private_key_from("keyring:seller", accounts, no_passphrase)
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(KeysError, match="pip install keyring"):
        private_key_from("keyring:seller", accounts, no_passphrase)
    with pytest.raises(KeysError, match="there is no account nobody"):
        private_key_from("nobody", accounts, lambda alias: "x")
    with pytest.raises(KeysError, match="not an account name"):
        private_key_from("vault:seller", accounts, lambda alias: "x")
