# SPDX-License-Identifier: Apache-2.0
"""`make app` on a machine that knows no network."""

import io
from pathlib import Path

import pytest

from scripts import app as script
from truthmark.errors import ConfigError


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("PROFILE", "HOME", "RPC", "STORAGE", "ACCOUNT"):
        monkeypatch.delenv(f"TRUTHMARK_{name}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("truthmark.config.settings.Path.home", lambda: tmp_path)
    return tmp_path


def test_is_bare__nothing_says_which_network__is_bare(bare: Path, monkeypatch):
    assert script.is_bare()
    monkeypatch.setenv("TRUTHMARK_PROFILE", "sepolia")
    assert not script.is_bare()
    monkeypatch.delenv("TRUTHMARK_PROFILE")
    monkeypatch.setenv("TRUTHMARK_HOME", str(bare / "devnet" / "buyer"))
    assert not script.is_bare()


def test_main__bare_without_a_terminal__says_the_line_that_starts_one(
    bare: Path, monkeypatch, capsys
):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr(script, "serve", lambda _: pytest.fail("an app that cannot connect"))
    assert script.main([]) == ConfigError.exit_code
    said = capsys.readouterr().err
    assert "make app DEVNET=1" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(("answer", "wants"), [("", True), ("Y", True), ("n", False), ("?", False)])
def test_offer__on_a_terminal__does_what_is_answered(answer: str, wants: bool, capsys):
    assert script.offer(True, lambda _: answer) is wants


def test_main__network_wanted__app_acts_as_one_of_its_roles(bare: Path, monkeypatch):
    started: list[str] = []

    class Net:
        class chain:
            pass

        def home(self, role: str) -> Path:
            return bare / role

        def stop(self) -> None:
            started.append("stopped")

    def start(folder: Path, *, custodians: int) -> Net:
        started.append(f"{custodians} custodians")
        return Net()

    served: list[dict[str, str]] = []
    monkeypatch.setattr(script, "FOLDER", bare / "net")
    monkeypatch.setattr(script.Devnet, "start", start)
    monkeypatch.setattr(script, "serve", lambda found: served.append(found) or 0)
    assert script.main(["--devnet"]) == 0
    assert started == ["3 custodians", "stopped"]
    assert served == [{"TRUTHMARK_HOME": str(bare / "buyer")}]
