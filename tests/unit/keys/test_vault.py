# SPDX-License-Identifier: Apache-2.0
"""The vault keeps what it was given, whole, through kills, wrong passphrases and damage."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from truthmark.errors import KeysError, PassphraseError
from truthmark.keys import curve
from truthmark.keys.curve import N
from truthmark.keys.purchase import PurchaseKey
from truthmark.keys.vault import Vault
from truthmark.types import Point

MARKET = "0x" + "4d" * 20
BUYER = "0x" + "b0" * 20
ROOT = Path(__file__).parents[3]
# Less work than for real: what is tested is not how long it takes.
LITTLE = {"log_work": 10}


@pytest.fixture
def vault(tmp_path) -> Vault:
    return Vault(tmp_path / "vault")


def purchase_key(salt: bytes = b"s" * 32, secret: int = 5) -> PurchaseKey:
    return PurchaseKey(5, MARKET, BUYER, salt, secret, from_wallet=False)


def fill(vault: Vault) -> None:
    vault.put_seller_secret(7, title="digits")
    vault.put_purchase_key(purchase_key())
    vault.put_share(9, b"c" * 32, 2)
    vault.mark_repeatable(BUYER)


def contents(vault: Vault) -> dict:
    return {entry: vault.get(*entry) for entry in vault.entries()}


def test_put__record__is_there_for_another_process(vault):
    vault.put("kind", "name", {"a": [1, None, "text"]})
    again = Vault(vault.folder)
    assert again.get("kind", "name") == {"a": [1, None, "text"]}
    assert list(again.entries()) == [("kind", "name")]
    assert again.find("kind", "other") is None
    assert again.names("nothing") == []


def test_entries__no_vault_yet__are_none(vault):
    assert list(vault.entries()) == []


def test_put__files__are_private(vault):
    fill(vault)
    for path in vault.folder.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_put__same_again__does_nothing(vault):
    vault.put("kind", "name", {"a": 1, "b": 2})
    vault.put("kind", "name", {"b": 2, "a": 1})
    assert vault.get("kind", "name") == {"a": 1, "b": 2}


def test_put__another_record__keeps_the_old_one(vault):
    vault.put("kind", "name", {"a": 1})
    with pytest.raises(KeysError, match="old one was kept"):
        vault.put("kind", "name", {"a": 2})
    assert vault.get("kind", "name") == {"a": 1}


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", ".a", "-a", "a.b", "x" * 201, "a\n"])
def test_put__unusable_name__is_refused(vault, name):
    for kind, own in ((name, "name"), ("kind", name)):
        for call in (vault.get, vault.find):
            with pytest.raises(KeysError, match="names are"):
                call(kind, own)
        with pytest.raises(KeysError, match="names are"):
            vault.put(kind, own, {})
    assert not vault.folder.exists()


def test_put__too_large__is_refused(vault):
    with pytest.raises(KeysError, match="too large"):
        vault.put("kind", "name", {"a": "x" * 70_000})
    assert vault.find("kind", "name") is None


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b"[" * 50_000, b" " * 100_000])
def test_get__damaged_file__is_refused(vault, data):
    vault.put("kind", "name", {"a": 1})
    (vault.folder / "kind" / "name.json").write_bytes(data)
    with pytest.raises(KeysError):
        vault.get("kind", "name")


def test_get__no_record__says_where_it_looked(vault):
    with pytest.raises(KeysError, match="has no kind name"):
        vault.get("kind", "name")


# ------------------------------------------------------------------ what is kept


def test_seller_secret__kept__comes_back_by_its_dataset_key(vault):
    dataset_key = vault.put_seller_secret(7, title="digits", pages=3)
    assert dataset_key == curve.multiply(7)
    assert vault.seller_secret(dataset_key) == 7
    with pytest.raises(KeysError, match="has no seller-secret"):
        vault.seller_secret(curve.multiply(8))


@pytest.mark.parametrize("secret", [0, N])
def test_put_seller_secret__zero__is_refused(vault, secret):
    with pytest.raises(KeysError, match="dataset key"):
        vault.put_seller_secret(secret)


def test_seller_secret__opposite_key__is_refused(vault):
    # The same x: found by name, but it is not the secret of this key.
    dataset_key = vault.put_seller_secret(7)
    with pytest.raises(KeysError, match="does not give"):
        vault.seller_secret(curve.negate(dataset_key))


def test_purchase_key__kept__comes_back_by_chain_market_and_salt(vault):
    key, other = purchase_key(), purchase_key(salt=b"t" * 32, secret=6)
    vault.put_purchase_key(key)
    vault.put_purchase_key(other)
    assert vault.find_purchase_key(5, MARKET, b"s" * 32) == key
    assert vault.find_purchase_key(6, MARKET, b"s" * 32) is None
    assert vault.find_purchase_key(5, BUYER, b"s" * 32) is None
    assert vault.find_purchase_key(5, MARKET, b"t" * 32) == other
    with pytest.raises(KeysError, match="old one was kept"):
        vault.put_purchase_key(purchase_key(secret=7))


def test_share__kept__comes_back_where_it_fits_the_share_key(vault):
    vault.put_share(9, b"c" * 32, 2)
    assert vault.find_share(b"c" * 32, 2, curve.multiply(9)) == 9
    assert vault.find_share(b"c" * 32, 1, curve.multiply(9)) is None
    assert vault.find_share(b"d" * 32, 2, curve.multiply(9)) is None
    with pytest.raises(KeysError, match="does not give"):
        vault.find_share(b"c" * 32, 2, curve.multiply(10))
    for share in (0, N):
        with pytest.raises(KeysError, match="scalar"):
            vault.put_share(share, b"e" * 32, 1)


def test_is_repeatable__marked__is_remembered_in_any_case_of_letters(vault):
    assert not vault.is_repeatable(BUYER)
    vault.mark_repeatable(BUYER)
    vault.mark_repeatable("0x" + "B0" * 20)
    assert vault.is_repeatable("0x" + "B0" * 20)
    assert not vault.is_repeatable(MARKET)


# ----------------------------------------------------------------------- backups


def test_backup__filled_vault__restores_into_an_empty_one(vault, tmp_path):
    fill(vault)
    path = tmp_path / "backup"
    assert vault.backup(path, "words", **LITTLE) == 4
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    other = Vault(tmp_path / "other")
    assert other.restore(path, "words") == 4
    assert contents(other) == contents(vault)
    assert other.seller_secret(curve.multiply(7)) == 7
    # And again, into what is there already.
    assert other.restore(path, "words") == 4
    assert contents(other) == contents(vault)


def test_backup__what_it_writes__shows_nothing(vault, tmp_path):
    fill(vault)
    vault.backup(tmp_path / "backup", "words", **LITTLE)
    data = (tmp_path / "backup").read_bytes()
    for text in (b"secret", b"kind", b"digits", BUYER[2:].encode(), b"seller"):
        assert text not in data


def test_backup__usual_work__restores(vault, tmp_path):
    vault.put_seller_secret(7)
    # In a process of its own: tests/conftest.py makes the work little in this one.
    code = "import sys, pathlib, truthmark.keys.vault as v; p = pathlib.Path; "
    code += "v.Vault(p(sys.argv[1])).backup(p(sys.argv[2]), 'words')"
    subprocess.run([sys.executable, "-c", code, vault.folder, tmp_path / "backup"], check=True)
    assert (tmp_path / "backup").read_bytes()[5] == 17
    assert Vault(tmp_path / "other").restore(tmp_path / "backup", "words") == 1


def test_backup__twice__uses_another_salt_and_nonce(vault, tmp_path):
    fill(vault)
    for name in ("a", "b"):
        vault.backup(tmp_path / name, "words", **LITTLE)
    headers = [(tmp_path / name).read_bytes()[:34] for name in ("a", "b")]
    assert headers[0][:6] == headers[1][:6]
    assert headers[0][6:22] != headers[1][6:22]
    assert headers[0][22:] != headers[1][22:]


def test_backup__file_exists__leaves_it_alone(vault, tmp_path):
    fill(vault)
    (tmp_path / "backup").write_text("something precious")
    with pytest.raises(KeysError, match="left alone"):
        vault.backup(tmp_path / "backup", "words", **LITTLE)
    assert (tmp_path / "backup").read_text() == "something precious"


@pytest.mark.parametrize("options", [{"log_work": 9}, {"log_work": 21}])
def test_backup__work_out_of_range__is_refused(vault, tmp_path, options):
    with pytest.raises(KeysError, match="scrypt"):
        vault.backup(tmp_path / "backup", "words", **options)


def test_backup__empty_passphrase__is_refused(vault, tmp_path):
    with pytest.raises(KeysError, match="empty passphrase"):
        vault.backup(tmp_path / "backup", "", **LITTLE)


def test_restore__wrong_passphrase__is_refused(vault, tmp_path):
    fill(vault)
    vault.backup(tmp_path / "backup", "words", **LITTLE)
    other = Vault(tmp_path / "other")
    with pytest.raises(PassphraseError, match="does not open"):
        other.restore(tmp_path / "backup", "word")
    assert not other.folder.exists()


def test_restore__any_byte_changed_or_cut__is_refused(vault, tmp_path):
    vault.put_seller_secret(7)
    vault.backup(tmp_path / "backup", "words", **LITTLE)
    data = (tmp_path / "backup").read_bytes()
    other, damaged = Vault(tmp_path / "other"), tmp_path / "damaged"
    for position in range(len(data)):
        # The byte of scrypt's work is bounded before it is believed; 11 is a valid other one.
        changed = bytearray(data)
        changed[position] ^= 1
        damaged.write_bytes(changed)
        with pytest.raises(KeysError):
            other.restore(damaged, "words")
    for size in range(len(data)):
        damaged.write_bytes(data[:size])
        with pytest.raises(KeysError):
            other.restore(damaged, "words")
    for work in (0, 9, 21, 63, 255):
        damaged.write_bytes(data[:5] + bytes([work]) + data[6:])
        with pytest.raises(KeysError, match="damaged"):
            other.restore(damaged, "words")
    assert not other.folder.exists()


def test_restore__no_file__says_so(vault, tmp_path):
    with pytest.raises(KeysError, match="there is no"):
        vault.restore(tmp_path / "backup", "words")


def test_restore__other_secret_here__replaces_nothing(vault, tmp_path):
    vault.put_share(9, b"c" * 32, 2)
    vault.backup(tmp_path / "backup", "words", **LITTLE)
    other = Vault(tmp_path / "other")
    other.put_share(10, b"c" * 32, 2)
    with pytest.raises(KeysError, match="old one was kept"):
        other.restore(tmp_path / "backup", "words")
    assert other.find_share(b"c" * 32, 2, curve.multiply(10)) == 10


# ------------------------------------------------------------------------- kills

WRITER = """
import sys
from pathlib import Path
from truthmark.keys.vault import Vault
vault = Vault(Path(sys.argv[1]))
start = int(sys.argv[2])
print("ready", flush=True)
for secret in range(start, start + 100_000):
    point = vault.put_seller_secret(secret, note="x" * 5_000)
    print(secret, flush=True)
"""


@pytest.mark.parametrize(
    "kills", [20, pytest.param(200, marks=[pytest.mark.assure, pytest.mark.timeout(900)])]
)
def test_put__killed_at_random_points__loses_nothing_and_leaves_nothing_half(tmp_path, kills):
    random = Random(f"kills {kills}")
    vault = Vault(tmp_path / "vault")
    promised = set()
    for run in range(kills):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(vault.folder), str(1 + run * 100_000)],
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )
        assert process.stdout.readline() == "ready\n"
        # Let it get to a few entries, then end it wherever it is.
        for _ in range(random.randrange(6)):
            promised.add(int(process.stdout.readline()))
        os.kill(process.pid, signal.SIGKILL)
        rest = process.stdout.read().split("\n")
        process.wait()
        process.stdout.close()
        promised.update(int(line) for line in rest[:-1])
    assert promised
    for secret in promised:
        assert vault.seller_secret(curve.multiply(secret)) == secret
    # Whatever else is there is whole, and goes into a backup.
    for kind, name in vault.entries():
        record = vault.get(kind, name)
        assert curve.multiply(int(record["secret"], 16)) == Point(
            int(name, 16), int(record["y"], 16)
        )
    assert vault.backup(tmp_path / "backup", "words", **LITTLE) >= len(promised)
