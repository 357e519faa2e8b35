# SPDX-License-Identifier: Apache-2.0
"""`truthmark app`: with which network it starts, and as whom."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.utils.cli import Person
from truthmark.cli import app as module
from truthmark.errors import ConfigError

Served = list[tuple[dict[str, str], int | None]]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("PROFILE", "HOME", "RPC", "STORAGE", "ACCOUNT"):
        monkeypatch.delenv(f"TRUTHMARK_{name}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("truthmark.config.settings.Path.home", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Served:
    """Serve nothing; return with which settings, and where, the app would have been served."""
    found: Served = []
    monkeypatch.setattr(module, "serve", lambda _, given, port: found.append((given, port)) or 0)
    return found


@pytest.fixture
def started(bare: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Start no network; return the folders in which one would have been."""
    folders: list[Path] = []

    class Net:
        def home(self, role: str) -> Path:
            return bare / role

    @contextlib.contextmanager
    def running(folder: Path) -> Iterator[Net]:
        folders.append(folder)
        yield Net()

    monkeypatch.setattr(module, "running", running)
    return folders


@pytest.fixture
def somebody(bare: Path) -> Person:
    return Person(bare, TRUTHMARK_HOME=None)


def test_app__bare_without_a_terminal__says_the_line_that_starts_one(somebody, served, started):
    somebody("app").refused(ConfigError.exit_code, "`truthmark app --devnet` starts a local one")
    assert not started
    assert not served


@pytest.mark.parametrize("wants", [True, False])
def test_offer__on_a_terminal__does_what_is_answered(monkeypatch, wants: bool):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(module, "ask", lambda question, *, yes: wants)
    with contextlib.nullcontext() if wants else pytest.raises(ConfigError, match="nothing was"):
        module.offer()


def test_app__network_wanted__acts_as_one_of_its_roles(somebody, bare, served, started):
    somebody("app", "--devnet", bare / "net", "--port", 8599).ok()
    assert started == [bare / "net"]
    assert served == [({"home": str(bare / "buyer")}, 8599)]


def test_app__settings_on_the_command_line__reach_the_server(somebody, bare, served, started):
    somebody("--home", bare / "h", "--rpc", "http://a,http://b", "app").ok()
    assert served == [({"home": str(bare / "h"), "rpc": "http://a,http://b"}, None)]
    assert not started


def test_app__a_profile_in_the_environment__is_enough(bare, served, started):
    Person(bare, TRUTHMARK_HOME=None, TRUTHMARK_PROFILE="sepolia")("app").ok()
    assert served == [({}, None)]
    assert not started


def test_app__packages_missing__says_which_to_install(somebody, served, monkeypatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    somebody("app").refused(ConfigError.exit_code, "pip install 'truthmark[app]'")
    assert not served
