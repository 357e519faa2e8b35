# SPDX-License-Identifier: Apache-2.0
"""A passphrase, a private key and secrets of the vault appear in nothing that the app lets out."""

import io
import logging
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app import services
from app.services.runs import Runner
from tests.app.conftest import MAIN, SECONDS, Start
from tests.app.screen import click, page
from tests.app.test_buying import again
from tests.utils.app_market import AppMarket
from tests.utils.bounties import REF
from truthmark.keys.accounts import Wallet
from truthmark.keys.vault import Vault
from truthmark.testing.network import role_key

pytestmark = pytest.mark.chain

PASSPHRASE = "canary-of-the-passphrase"
WRONG = "canary-that-was-mistyped"
KEY = role_key("buyer3")
SECRET = 0xCA7A417CA7A417CA7A417CA7A417CA7A417CA7A417CA7A417CA7A417CA7A4170


def canaries() -> Iterator[bytes]:
    """Yield each secret in every writing in which it could slip out."""
    yield from (PASSPHRASE.encode(), WRONG.encode())
    for secret in (KEY, SECRET.to_bytes(32, "big")):
        yield from (secret, secret.hex().encode(), secret.hex().upper().encode())
        yield str(int.from_bytes(secret, "big")).encode()
        yield repr(secret)[2:-1].encode()


CANARIES = tuple(canaries())


def slips(data: bytes) -> list[bytes]:
    return [canary for canary in CANARIES if canary in data]


def sent(at: AppTest) -> bytes:
    """Return all that a browser is sent of a page, whatever it draws of it."""
    found: list[bytes] = []

    def walk(block: Any) -> None:
        proto = getattr(block, "proto", None)
        if hasattr(proto, "SerializeToString"):
            found.append(proto.SerializeToString())
        for child in getattr(block, "children", {}).values():
            walk(child)

    walk(at._tree)
    assert len(found) > 10
    return b"\n".join([*found, repr(dict(at.query_params)).encode()])


@pytest.fixture
def home(market: AppMarket, tmp_path: Path) -> Path:
    """The home of an account with a passphrase, and a secret in the vault."""
    home = tmp_path / "home"
    replace(market.net.profile, name="elsewhere").save(home / "profiles")
    Wallet(home / "accounts", work=2).add("me", KEY, PASSPHRASE)
    Vault(home / "vault").put_seller_secret(SECRET)
    store = market.net.folder / "store"
    (home / "config.toml").write_text(f'profile = "elsewhere"\nstorage = ["local:{store}"]\n')
    return home


def test_canaries__app_is_unlocked_pays_opens_and_fails__are_nowhere(
    start: Start,
    market: AppMarket,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    start()  # takes what other tests set out of the environment
    monkeypatch.setenv("TRUTHMARK_HOME", str(home))
    iris = market.versions["iris"]
    at = AppTest.from_file(MAIN, default_timeout=SECONDS).run()
    at.query_params["dataset"] = iris.ref
    at.switch_page("app_pages/dataset.py").run()
    click(click(at, "Buy"), "Pay 2.5 TUSD")
    pages = [sent(at)]
    for typed in (WRONG, PASSPHRASE):
        next(box for box in at.text_input if box.label == "Passphrase").input(typed)
        click(at, "Unlock")
        pages.append(sent(at))
    assert "Your account is locked" not in page(at)
    click(at, "Pay 2.5 TUSD")
    market.deliver(iris)
    click(again(at), "Open")
    assert "The key opens every part of the data." in page(at)
    pages.append(sent(at))
    for name in ("my_data", "sell", "validators", "asked", "network"):
        at.switch_page(f"app_pages/{name}.py").run()
        assert not at.exception
        pages.append(sent(at))

    # What nobody thought of ends in a traceback, on the page and in the log.
    def fail(*_: object) -> None:
        session = services.accounts.my_session()
        key, passphrase = session.signer.private_key, PASSPHRASE
        assert key and passphrase
        raise RuntimeError("nobody thought of this")

    with monkeypatch.context() as broken:
        broken.setattr(services, "purchases", fail)
        at.switch_page("app_pages/my_data.py").run()
    assert len(at.exception) == 1 and "redacted" in at.exception[0].message
    pages.append(sent(at))
    pages += [repr(list(it.stack_trace)).encode() for it in at.exception]
    session = at.session_state["services.session"][1]
    pages += [repr(it).encode() for it in (session, session.signer, session.vault, session.wallet)]
    out, err = capfd.readouterr()
    logged = "\n".join(record.getMessage() for record in caplog.records)
    told = "\n".join(map(str, (out, err, logged, caplog.text)))
    assert "nobody thought of this" in told
    assert slips(told.encode()) == []
    assert [slips(it) for it in pages] == [[]] * len(pages)
    # On disk: the account's file is sealed, and only the vault has the vault's secret.
    for path in home.rglob("*"):
        if path.is_file() and home / "vault" not in path.parents:
            assert slips(path.read_bytes()) == [], path


def test_canaries__process_that_runs_a_bounty__is_given_the_key_by_a_pipe_alone(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    begun: list[tuple[Any, dict[str, Any]]] = []
    given: list[bytes] = []

    class Pipe(io.BytesIO):
        def close(self) -> None:
            given.append(self.getvalue())
            super().close()

    def begin(command: Any, **options: Any) -> Any:
        begun.append((command, options))
        return SimpleNamespace(stdin=Pipe(), poll=lambda: None)

    monkeypatch.setattr(subprocess, "Popen", begin)
    session: Any = SimpleNamespace(
        settings=SimpleNamespace(profile="elsewhere"), signer=SimpleNamespace(private_key=KEY)
    )
    workspace: Any = SimpleNamespace(ref=REF, folder=tmp_path)
    Runner(home)._open(session, workspace)
    ((command, options),) = begun
    assert command[-3:] == ["bounty", "run", str(REF.bounty_id)]
    assert slips(repr((command, options)).encode()) == []
    assert b"".join(given) == KEY.hex().encode() + b"\n"
    assert slips((tmp_path / "run.log").read_bytes()) == []
