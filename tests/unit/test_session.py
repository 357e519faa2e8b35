# SPDX-License-Identifier: Apache-2.0
"""Orders that may be given again, turns among processes, permits and fresh secrets."""

import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from tests.utils.drafts import scalar
from tests.utils.offline_market import CHAIN_ID, DOLLAR, OfflineMarket, address
from tests.utils.permits import private_key
from truthmark.codec import open_container, read_manifest
from truthmark.config.profile import ChainProfile
from truthmark.config.settings import Settings, load_settings
from truthmark.errors import (
    ChainError,
    ChainUnavailableError,
    ConfigError,
    KeysError,
    MarketError,
    RevertedError,
    TruthmarkError,
)
from truthmark.hashing import keccak256
from truthmark.keys.abi_hash import hash_words
from truthmark.keys.accounts import Wallet
from truthmark.keys.curve import multiply
from truthmark.keys.vault import Vault
from truthmark.market.permits import PERMIT_SECONDS, sign_permit
from truthmark.market.planned_call import batch_key
from truthmark.market.seller_secret import pack_dataset, secret_cek, seller_cek
from truthmark.session import Session, Signer, known_passphrase, open_session

OWNER = Signer(private_key("owner"))


class FakeJournal:
    """A journal that keeps what it is told in memory; `send` leaves things on their way."""

    def __init__(self) -> None:
        self.on_its_way: dict[str, Any] = {}
        self.done: dict[str, Any] = {}
        self.sent: list[str] = []

    def pending(self) -> list[Any]:
        return list(self.on_its_way.values())

    def result(self, key: str) -> Any:
        return self.done.get(key)

    def send(self, intent: Any) -> Any:
        self.sent.append(intent.key)
        self.on_its_way[intent.key] = intent
        return self.wait(intent.key)

    def wait(self, key: str) -> Any:
        self.on_its_way.pop(key)
        self.done[key] = SimpleNamespace(succeeded=True, key=key)
        return self.done[key]


class SessionHarness:
    """A session whose account's history a test sets by hand."""

    def __init__(self, offline: OfflineMarket) -> None:
        self.session = offline.session
        self.journal = FakeJournal()
        self.session.__dict__ |= {"journal": self.journal, "signer": OWNER}
        self.session._signer = OWNER
        self.nonce = 0
        self.contract = SimpleNamespace(address=address(0xC0), role="registry")
        offline.chain.rpc = SimpleNamespace(call=lambda *_: hex(self.nonce))

    def call(self, data: bytes = b"abcd") -> Any:
        contract = self.contract

        def intent(key: str, purpose: str, **_: Any) -> Any:
            return SimpleNamespace(key=key, to=contract.address, data=data, purpose=purpose)

        function = SimpleNamespace(name="fund")
        return SimpleNamespace(contract=contract, data=data, function=function, intent=intent)


@pytest.fixture
def harness(offline: OfflineMarket) -> SessionHarness:
    return SessionHarness(offline)


def test_send_repeatable__given_again_later__is_sent_again(harness: SessionHarness) -> None:
    for nonce in (0, 1):
        harness.nonce = nonce
        harness.session.send_repeatable(harness.call(), "fund")
    assert len(set(harness.journal.sent)) == 2


def test_send_repeatable__repeated_after_a_kill__is_waited_for(harness: SessionHarness) -> None:
    call = harness.call()
    # Killed after it was sent; by now it is mined, so the account's nonce has moved on.
    harness.journal.on_its_way["fund:begun"] = call.intent("fund:begun", "fund")
    harness.nonce = 1
    assert harness.session.send_repeatable(call, "fund").key == "fund:begun"
    assert harness.journal.sent == []


def test_send__orders_about_purchases_alike_in_64_bits__are_both_sent(
    harness: SessionHarness,
) -> None:
    """A buyer chooses salts until the ids of two purchases begin alike."""
    alike = [SimpleNamespace(purchase_id=b"\xab" * 8 + bytes([number]) * 24) for number in range(2)]
    keys = [batch_key("deliver:1", [purchase]) for purchase in alike]  # type: ignore[list-item]
    for key in keys:
        harness.session.send(harness.call(), key, "deliver 1 part")
    assert harness.journal.sent == keys


def test_send_repeatable__something_else_is_on_its_way__is_sent(harness: SessionHarness) -> None:
    other = harness.call(b"other")
    harness.journal.on_its_way["x"] = other.intent("x", "fund")
    harness.session.send_repeatable(harness.call(), "fund")
    assert len(harness.journal.sent) == 1


def test_send__done_under_its_key__is_not_sent_again(harness: SessionHarness) -> None:
    first = harness.session.send(harness.call(), "buy:1", "buy")
    assert harness.session.send(harness.call(b"another proof"), "buy:1", "buy") is first
    harness.journal.on_its_way["buy:2"] = harness.call().intent("buy:2", "buy")
    assert harness.session.send(harness.call(), "buy:2", "buy").key == "buy:2"
    assert harness.journal.sent == ["buy:1"]


def test_send__refused_before__is_sent_again(harness: SessionHarness) -> None:
    harness.journal.done["buy:1"] = SimpleNamespace(succeeded=False)
    assert harness.session.send(harness.call(), "buy:1", "buy").succeeded


# -------------------------------------------------------------------- allowances


class Allowances:
    """A token whose `approve` a test lets refuse."""

    def __init__(
        self, harness: SessionHarness, allowed: int, *, only_from_zero: bool = False
    ) -> None:
        self.harness = harness
        self.allowed = allowed
        self.only_from_zero = only_from_zero
        self.functions = self
        harness.session.token = lambda address: self  # type: ignore[assignment, method-assign, return-value]
        harness.session.send_repeatable = self.take  # type: ignore[assignment, method-assign]

    def allowance(self, owner: str, spender: str) -> Any:
        return SimpleNamespace(call=lambda: self.allowed)

    def approve(self, spender: str, amount: int) -> int:
        return amount

    def take(self, amount: Any, purpose: str) -> Any:
        if self.only_from_zero and self.allowed and amount:
            raise RevertedError("not from there")
        self.allowed = amount
        self.harness.journal.sent.append(purpose)


def test_allow__enough_or_nothing_to_take__sends_nothing(harness: SessionHarness) -> None:
    token = Allowances(harness, 7)
    harness.session.allow(DOLLAR.address, address(1), 7)
    token.allowed = 0
    harness.session.allow(DOLLAR.address, address(1), 0)
    assert harness.journal.sent == []


def test_allow__too_little__approves_what_is_needed(harness: SessionHarness) -> None:
    token = Allowances(harness, 6)
    harness.session.allow(DOLLAR.address, address(1), 7_000_000)
    assert token.allowed == 7_000_000
    assert harness.journal.sent == ["allow 7 TUSD to be taken"]


def test_allow__token_takes_it_only_from_zero__ends_the_old_one_first(
    harness: SessionHarness,
) -> None:
    token = Allowances(harness, 6, only_from_zero=True)
    harness.session.allow(DOLLAR.address, address(1), 7)
    assert token.allowed == 7
    assert len(harness.journal.sent) == 2


def test_allow__token_refuses_anyhow__is_its_refusal(
    harness: SessionHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = Allowances(harness, 0)

    def refuse(amount: int, purpose: str) -> None:
        raise RevertedError("frozen")

    monkeypatch.setattr(harness.session, "send_repeatable", refuse)
    with pytest.raises(RevertedError, match="frozen"):
        harness.session.allow(DOLLAR.address, address(1), 7)
    assert token.allowed == 0


# ------------------------------------------------------------------------- turns


def test_alone__threads__take_turns(offline: OfflineMarket) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with offline.session.exclusive("buy"):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert most == 1


def test_alone__another_process_is_killed__gives_way(offline: OfflineMarket) -> None:
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from truthmark.config.settings import Settings\n"
        "from truthmark.session import Session\n"
        "from tests.utils.offline_market import PROFILE\n"
        "s = Session(Settings(home=Path(sys.argv[1])))\n"
        "s.__dict__['profile'] = PROFILE\n"
        "with s.exclusive('buy'):\n"
        "    print('in', flush=True)\n"
        "    time.sleep(60)\n"
    )
    home = str(offline.session.home)
    child = subprocess.Popen([sys.executable, "-c", code, home], stdout=subprocess.PIPE, text=True)
    entered = threading.Event()

    def enter() -> None:
        with offline.session.exclusive("buy"):
            entered.set()

    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "in\n"
        thread = threading.Thread(target=enter)
        thread.start()
        assert not entered.wait(0.2)
        with offline.session.exclusive("something else"):
            pass
    finally:
        child.kill()
        child.wait()
    assert entered.wait(30)
    thread.join()


def test_alone__home_cannot_be_written__says_so(offline: OfflineMarket) -> None:
    offline.session.home.mkdir(parents=True, exist_ok=True)
    (offline.session.home / "locks").write_text("a file")
    with (
        pytest.raises(ConfigError, match="give rights to the home folder"),
        offline.session.exclusive("buy"),
    ):
        raise AssertionError("it went on without the lock")


# ------------------------------------------------------------------------ session


def test_session__no_account__says_how_to_choose_one(tmp_path: Path) -> None:
    with Session(Settings(home=tmp_path)) as session, pytest.raises(ConfigError, match="--account"):
        _ = session.address


def test_session__passphrase_needed_and_nobody_to_ask__says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRUTHMARK_PASSPHRASE", raising=False)
    account = Wallet(tmp_path / "accounts", work=2).add("me", private_key("me"), "secret")
    with Session(Settings(home=tmp_path, account="me")) as session:
        # The address is in the file's clear part.
        assert session.address == account.address == Signer(private_key("me")).address
        with pytest.raises(
            ConfigError, match=r"of account me is needed .* set TRUTHMARK_PASSPHRASE"
        ):
            _ = session.signer
    with Session(
        Settings(home=tmp_path, account="me"), ask_passphrase=lambda prompt: "secret"
    ) as session:
        assert session.signer.address == account.address


def test_session__passphrase_in_the_environment__is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Wallet(tmp_path / "accounts", work=2).add("me", private_key("me"), "secret")
    monkeypatch.setenv("TRUTHMARK_PASSPHRASE", "secret")
    with open_session(str(tmp_path), account="me") as session:
        assert session.signer.address == Signer(private_key("me")).address


def test_session__ask_passphrase_given__comes_before_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Wallet(tmp_path / "accounts", work=2).add("me", private_key("me"), "secret")
    monkeypatch.setenv("TRUTHMARK_PASSPHRASE", "another")
    asked: list[str] = []

    def ask(account: str) -> str:
        asked.append(account)
        return "secret"

    with open_session(tmp_path, account="me", ask_passphrase=ask) as session:
        assert session.signer.address == Signer(private_key("me")).address
    assert asked == ["me"]


@pytest.mark.parametrize(
    ("name", "chain_id", "expected"),
    [("devnet", 31337, "devnet"), ("devnet", 1, None), ("other", 31337, None)],
)
def test_known_passphrase__nothing_in_the_environment__only_a_devnet_has_one(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    chain_id: int,
    expected: str | None,
) -> None:
    monkeypatch.delenv("TRUTHMARK_PASSPHRASE", raising=False)
    ChainProfile(name, chain_id, rpc=("http://127.0.0.1:1",)).save(tmp_path / "profiles")
    assert known_passphrase(load_settings(tmp_path, profile=name)) == expected


def test_session__account_from_the_environment__signs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUTHMARK_TEST_KEY", private_key("me").hex())
    with Session(Settings(home=tmp_path, account="env:TRUTHMARK_TEST_KEY")) as session:
        assert session.address == Signer(private_key("me")).address


def test_connect__settings_by_name__are_used(tmp_path: Path) -> None:
    with open_session(tmp_path / "home", profile="sepolia", signer=OWNER) as session:
        assert (session.home, session.settings.profile) == (tmp_path / "home", "sepolia")
        assert session.address == OWNER.address
        assert session.profile.chain_id == 11155111


def test_connect__unknown_setting__is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no setting 'colour'"):
        open_session(tmp_path, colour="blue")


# ------------------------------------------------------------------------ permits


class PermitToken:
    """A token that says what a test wants of itself."""

    def __init__(self, name: str = "Test Dollar", version: str = "1", **domain: Any) -> None:
        self.address = address(0xD0)
        self.answers: dict[str, Any] = {
            "name": name,
            "nonces": 7,
            "DOMAIN_SEPARATOR": separator(
                name, version, domain.get("chain_id", CHAIN_ID), domain.get("token", self.address)
            ),
        }
        self.functions = self

    def name(self) -> Any:
        return self._answer("name")

    def nonces(self, owner: str) -> Any:
        return self._answer("nonces")

    def DOMAIN_SEPARATOR(self) -> Any:
        return self._answer("DOMAIN_SEPARATOR")

    def _answer(self, name: str) -> Any:
        answer = self.answers[name]

        def call() -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer

        return SimpleNamespace(call=call)


def separator(name: str, version: str, chain_id: int, token: str) -> bytes:
    kind = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    return hash_words(
        keccak256(kind), keccak256(name.encode()), keccak256(version.encode()), chain_id, token
    )


def permit(offline: OfflineMarket, token: PermitToken) -> Any:
    offline.session._signer = OWNER
    offline.session.__dict__["signer"] = OWNER
    offline.chain.time = offline.chain.next_time = lambda: 5_000
    return sign_permit(offline.session, token, address(0xC1), 123)  # type: ignore[arg-type]


@pytest.mark.parametrize("version", ["1", "2"])
def test_sign_permit__token_with_permits__is_signed_for_it_alone(
    offline: OfflineMarket, version: str
) -> None:
    deadline, v, r, s = permit(offline, PermitToken(version=version))
    assert deadline == 5_000 + PERMIT_SECONDS
    message = encode_typed_data(
        {
            "name": "Test Dollar",
            "version": version,
            "chainId": CHAIN_ID,
            "verifyingContract": address(0xD0),
        },
        {
            "Permit": [
                {"name": n, "type": t}
                for n, t in (
                    ("owner", "address"),
                    ("spender", "address"),
                    ("value", "uint256"),
                    ("nonce", "uint256"),
                    ("deadline", "uint256"),
                )
            ]
        },
        {
            "owner": OWNER.address,
            "spender": address(0xC1),
            "value": 123,
            "nonce": 7,
            "deadline": deadline,
        },
    )
    assert Account.recover_message(message, signature=r + s + bytes([v])) == OWNER.address


@pytest.mark.parametrize(
    "token",
    [
        PermitToken(version="3"),
        PermitToken(chain_id=1),
        PermitToken(token=address(0xBAD)),
    ],
)
def test_sign_permit__domain_that_is_not_understood__signs_nothing(
    offline: OfflineMarket, token: PermitToken
) -> None:
    assert permit(offline, token) is None


@pytest.mark.parametrize("function", ["name", "DOMAIN_SEPARATOR", "nonces"])
def test_sign_permit__token_without_permits__signs_nothing(
    offline: OfflineMarket, function: str
) -> None:
    token = PermitToken()
    token.answers[function] = ChainError("no such function")
    assert permit(offline, token) is None


def test_sign_permit__chain_does_not_answer__does_not_take_it_for_a_token_without(
    offline: OfflineMarket,
) -> None:
    token = PermitToken()
    token.answers["name"] = ChainUnavailableError("gone")
    with pytest.raises(ChainUnavailableError):
        permit(offline, token)


# ------------------------------------------------------------------------ packing


def test_pack_dataset__fresh_secret__is_in_the_vault_before_the_folder_is_there(
    tmp_path: Path,
) -> None:
    vault = Vault(tmp_path / "vault")
    kept_before: list[int] = []
    frame = pd.DataFrame({"a": range(10)})
    for name in ("one", "two"):

        def note(manifest: Any, name: str = name) -> None:
            assert not (tmp_path / name).exists()
            kept_before.append(vault.seller_secret(manifest.public_key))

        pack_dataset(frame, tmp_path / name, vault, licence="MIT", note=note)
    first, second = (read_manifest(tmp_path / n).public_key for n in ("one", "two"))
    assert [multiply(secret) for secret in kept_before] == [first, second]
    assert first != second
    with open_container(tmp_path / "one", cek=seller_cek(vault, first)) as container:
        assert container.to_pandas()["a"].tolist() == list(range(10))


def decline(*_: Any) -> None:
    raise MarketError("nothing was written")


def interrupted(*_: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("source", "options"),
    [
        ("there is no such file", {}),
        ("empty", {}),
        ("link", {}),
        ("broken.parquet", {}),
        ("good.txt", {"licence": ""}),
        ("good.txt", {"shard_size": 5}),
        ("good.txt", {"title": "x" * 999}),
        ("good.txt", {"review": decline}),
        ("good.txt", {"progress": interrupted}),
    ],
)
def test_pack_dataset__failed__leaves_no_secret(
    source: str, options: dict[str, Any], tmp_path: Path
) -> None:
    vault = Vault(tmp_path / "vault")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "x").symlink_to("nowhere")
    (tmp_path / "broken.parquet").write_text("PAR1")
    (tmp_path / "good.txt").write_text("good")
    with pytest.raises((TruthmarkError, KeyboardInterrupt)):
        pack_dataset(tmp_path / source, tmp_path / "one", vault, **{"licence": "MIT", **options})
    assert list(vault.entries()) == []
    assert not (tmp_path / "one").exists()


def test_pack_dataset__target_in_use__leaves_no_secret(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "mine").write_text("mine")
    vault = Vault(tmp_path / "vault")
    with pytest.raises(ConfigError, match="exists already"):
        pack_dataset(pd.DataFrame({"a": [1]}), tmp_path / "one", vault, licence="MIT")
    assert list(vault.entries()) == []


def test_pack_dataset__previous_of_another_vault__is_refused(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": range(10)})
    pack_dataset(frame, tmp_path / "one", Vault(tmp_path / "vault"), licence="MIT")
    with pytest.raises(KeysError, match="has no seller-secret"):
        pack_dataset(
            frame,
            tmp_path / "two",
            Vault(tmp_path / "other"),
            licence="MIT",
            previous=tmp_path / "one",
        )
    assert not (tmp_path / "two").exists()


def test_pack_dataset__vault_cannot_be_written__packs_nothing(tmp_path: Path) -> None:
    (tmp_path / "vault").write_text("a file")
    frame = pd.DataFrame({"a": range(10)})
    with pytest.raises(KeysError):
        pack_dataset(frame, tmp_path / "one", Vault(tmp_path / "vault"), licence="MIT")
    assert not (tmp_path / "one").exists()


def test_secret_cek__another_secret__is_refused() -> None:
    with pytest.raises(KeysError, match="of another version"):
        secret_cek(scalar("a"), multiply(scalar("b")))
