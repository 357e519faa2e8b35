# SPDX-License-Identifier: Apache-2.0
"""Which bounties of a home are the account's: a locked account is told apart from none."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.utils.bounties import REF, make_terms
from truthmark.bounty.flows.own_bounties import own_bounties
from truthmark.bounty.workspace import FOLDER, Workspace
from truthmark.errors import ConfigError


class Locked:
    """A session whose account's file names no address."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.profile = SimpleNamespace(chain_id=REF.chain_id)
        self.chain = SimpleNamespace(bounty_board=SimpleNamespace(address=REF.board))

    @property
    def address(self) -> str:
        raise ConfigError("the account is locked")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in ("a", "b", "c"):
        workspace = Workspace(tmp_path / FOLDER / name)
        workspace.save_terms(make_terms())
        workspace.save_ref(REF)
    (tmp_path / FOLDER / "a" / "terms.json").write_text("[")
    unreadable = tmp_path / FOLDER / "b" / "terms.json"
    unreadable.unlink()
    unreadable.mkdir()
    return tmp_path


def test_own_bounties__damaged_and_unreadable__are_left_out(home: Path) -> None:
    session: Any = Locked(home)
    session = SimpleNamespace(**vars(session), address=make_terms().requester.lower())
    assert [workspace.folder.name for _, workspace in own_bounties(session)] == ["c"]
    session.address = REF.board
    assert list(own_bounties(session)) == []


def test_own_bounties__locked_account_without_address__says_so(home: Path) -> None:
    session: Any = Locked(home)
    with pytest.raises(ConfigError, match="locked"):
        list(own_bounties(session))
