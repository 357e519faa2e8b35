# SPDX-License-Identifier: Apache-2.0
"""Keys that a wallet gives again, keys that it cannot, and the files that then hold them."""

import json
import stat

import pytest
from eth_account import Account
from eth_utils import keccak

from truthmark.errors import KeysError, UnrepeatableSignatureError
from truthmark.keys import curve, purchase, typed
from truthmark.keys.abi_hash import hash_words
from truthmark.keys.curve import N
from truthmark.keys.purchase import PurchaseKey

MARKET = "0x" + "4d" * 20
BUYER = Account.from_key(b"\xb0" * 32)
STRANGER = Account.from_key(b"\x57" * 32)

KNOWN_DIGEST = "111a89fff889f40463b019237b7dccfc845d9d65a84653aa6123750623943994"
KNOWN_SECRET = 0xCA8A515D71786EDD6DE57386C6B932364EF9DC086A0A4BCB272B06B663229A20


class Wallet:
    """Signs typed data, and counts how often it was asked."""

    def __init__(self, account=BUYER, change=lambda signature, count: signature):
        self.account, self.change, self.asked = account, change, []

    def __call__(self, message):
        self.asked.append(message)
        return self.change(typed.sign(message, self.account.key), len(self.asked))


def where(**changes):
    values = {"chain_id": 5, "market": MARKET, "account": BUYER.address, "salt": b"s" * 32}
    return {**values, **changes}


def test_derive_key__wallet_that_repeats__gives_the_same_key_again():
    first = purchase.derive_key(Wallet(), **where(), is_known=False)
    again = purchase.derive_key(Wallet(), **where(), is_known=True)
    assert first == again
    assert first.from_wallet
    assert 0 < first.secret < N
    assert first.point == curve.multiply(first.secret)


def test_derive_key__first_time__asks_twice_and_later_once():
    new, known = Wallet(), Wallet()
    purchase.derive_key(new, **where(), is_known=False)
    purchase.derive_key(known, **where(), is_known=True)
    assert len(new.asked) == 2
    assert new.asked[0] == new.asked[1]
    assert len(known.asked) == 1


def test_derive_key__other_purchase_or_market_or_buyer__gives_another_key():
    keys = {
        purchase.derive_key(Wallet(account), **where(**change), is_known=True).secret
        for account, change in [
            (BUYER, {}),
            (BUYER, {"salt": b"t" * 32}),
            (BUYER, {"chain_id": 6}),
            (BUYER, {"market": "0x" + "4e" * 20}),
            (STRANGER, {"account": STRANGER.address}),
        ]
    }
    assert len(keys) == 5


def test_derive_key__known_signature__has_not_changed():
    # Buyers come back after years: the words, the hash and so the key may not change.
    key = purchase.derive_key(Wallet(), **where(), is_known=True)
    signature = typed.sign(purchase.opening_message(**where()), BUYER.key)
    digest = keccak(b"truthmark/purchase-secret/1" + signature[:64])
    assert key.secret == int.from_bytes(digest, "big") % N
    assert typed.digest(purchase.opening_message(**where())).hex() == KNOWN_DIGEST
    assert key.secret == KNOWN_SECRET


def test_opening_message__what_the_wallet_shows__says_what_the_signature_opens():
    message = purchase.opening_message(**where())
    assert "Whoever has it can read the data" in message["message"]["notice"]
    assert message["domain"]["verifyingContract"] == MARKET
    assert set(message["message"]) == {"notice", "account", "salt"}


def flip_s(signature: bytes, count: int) -> bytes:
    """The other valid form of the same signature: N - s, and the other v."""
    s = N - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])


def low_v(signature: bytes, count: int) -> bytes:
    """As hardware wallets write v."""
    return signature[:64] + bytes([signature[64] - 27])


@pytest.mark.parametrize("form", [flip_s, low_v])
def test_derive_key__same_signature_in_another_form__gives_the_same_key(form):
    plain = purchase.derive_key(Wallet(), **where(), is_known=True)
    assert purchase.derive_key(Wallet(change=form), **where(), is_known=True) == plain

    def alternating(signature, count):
        return form(signature, count) if count % 2 else signature

    assert purchase.derive_key(Wallet(change=alternating), **where(), is_known=False) == plain


def another_nonce(message) -> bytes:
    """A valid signature by the buyer with another nonce, as MPC wallets make them."""
    nonce, secret = 123456789, int.from_bytes(BUYER.key, "big")
    point = curve.multiply(nonce)
    r = point.x % N
    e = int.from_bytes(typed.digest(message), "big")
    s = (e + r * secret) * pow(nonce, -1, N) % N
    return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([27 + point.y % 2])


def test_derive_key__wallet_that_does_not_repeat__is_refused():
    message = purchase.opening_message(**where())
    assert typed.signer_of(message, another_nonce(message)) == BUYER.address
    wallet = Wallet(change=lambda signature, count: [signature, another_nonce(message)][count - 1])
    with pytest.raises(UnrepeatableSignatureError, match="differently each time"):
        purchase.derive_key(wallet, **where(), is_known=False)


@pytest.mark.parametrize(
    "answer",
    [
        lambda signature, count: typed.sign(purchase.opening_message(**where()), STRANGER.key),
        lambda signature, count: b"",
        lambda signature, count: bytes(65),
        lambda signature, count: signature + b"\0" * 64,
    ],
    ids=["another account's", "nothing", "zeros", "a contract wallet's"],
)
def test_derive_key__not_the_accounts_own_signature__is_refused(answer):
    with pytest.raises(UnrepeatableSignatureError, match="own key"):
        purchase.derive_key(Wallet(change=answer), **where(), is_known=True)


def test_random_key__new_file__holds_the_key_when_it_returns(tmp_path):
    path = tmp_path / "recovery.json"
    key = purchase.random_key(path, **where())
    assert not key.from_wallet
    assert purchase.read_recovery(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert purchase.random_key(tmp_path / "other.json", **where()).secret != key.secret


def test_random_key__file_cannot_be_written__gives_no_key(tmp_path):
    path = tmp_path / "recovery.json"
    path.write_text("something precious")
    with pytest.raises(KeysError, match="left alone"):
        purchase.random_key(path, **where())
    assert path.read_text() == "something precious"
    with pytest.raises(KeysError, match="cannot be"):
        purchase.random_key(path / "below a file", **where())


@pytest.mark.parametrize(
    "change", [{"salt": b"short"}, {"market": "0x"}, {"account": "me"}, {"chain_id": -1}]
)
def test_random_key__values_that_do_not_fit__write_nothing(tmp_path, change):
    with pytest.raises(KeysError):
        purchase.random_key(tmp_path / "recovery.json", **where(**change))
    assert not list(tmp_path.iterdir())


@pytest.fixture
def recovery(tmp_path):
    path = tmp_path / "recovery.json"
    purchase.random_key(path, **where())
    return path


@pytest.mark.parametrize("name", ["chain_id", "market", "account", "salt", "secret", "public"])
def test_read_recovery__value_missing__is_refused(recovery, name):
    record = json.loads(recovery.read_text())
    del record[name]
    recovery.write_text(json.dumps(record))
    with pytest.raises(KeysError):
        purchase.read_recovery(recovery)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("secret", "00" * 32),
        ("secret", "01" * 32),
        ("secret", "ff" * 32),
        ("secret", 5),
        ("salt", "00" * 31),
        ("market", "0x"),
        ("account", None),
        ("chain_id", "one"),
        ("chain_id", -1),
        ("format", "truthmark/recovery/2"),
        ("public", "00" * 64),
    ],
)
def test_read_recovery__value_wrong__is_refused(recovery, name, value):
    record = json.loads(recovery.read_text())
    recovery.write_text(json.dumps({**record, name: value}))
    with pytest.raises(KeysError):
        purchase.read_recovery(recovery)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 50_000, b" " * 100_000]
)
def test_read_recovery__no_recovery_file__is_refused(tmp_path, data):
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(KeysError):
        purchase.read_recovery(path)


def test_read_recovery__no_file__says_so(tmp_path):
    with pytest.raises(KeysError, match="there is no"):
        purchase.read_recovery(tmp_path / "nothing.json")


def test_purchase_key__its_text__does_not_show_the_secret():
    key = PurchaseKey(5, MARKET, BUYER.address, b"s" * 32, 987654321, from_wallet=False)
    assert "987654321" not in repr(key)
    assert PurchaseKey.from_record(key.to_record()) == key


def test_new_salt__twice__differs():
    assert len(purchase.new_salt()) == 32
    assert purchase.new_salt() != purchase.new_salt()


def test_purchase_id__all_parts__are_hashed():
    receipt = hash_words(BUYER.address, 10, b"s" * 32)
    base = curve.multiply(3)
    assert purchase.purchase_id(b"c" * 32, base, receipt) == hash_words(b"c" * 32, base, receipt)
