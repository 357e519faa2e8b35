# SPDX-License-Identifier: Apache-2.0
"""Invitations taken back and made new, while people still join."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from truthmark.bounty.flows import inviting
from truthmark.bounty.payouts import Status
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.workspace import Guest, Workspace
from truthmark.errors import BountyError, ConfigError

BOARD = "0x" + "b0" * 20
HOOK = "http://127.0.0.1:9/hook"


class Client:
    """What the chain says of a bounty."""

    status = Status.OPEN

    def __init__(self, session: Any) -> None:
        pass

    def ref(self, number: int) -> BountyRef:
        return BountyRef(31337, BOARD, number)

    def read(self, number: int) -> Any:
        return SimpleNamespace(status=self.status)


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    @contextlib.contextmanager
    def exclusive(what: str) -> Iterator[None]:
        yield

    monkeypatch.setattr(Client, "status", Status.OPEN)
    monkeypatch.setattr(inviting, "BountyClient", Client)
    return SimpleNamespace(home=tmp_path, exclusive=exclusive)


@pytest.fixture
def workspace(session: Any) -> Workspace:
    made = Workspace(session.home / "bounties" / "0007")
    made.save_ref(BountyRef(31337, BOARD, 7))
    made.save_guests([Guest("Ann", "", "a" * 16), Guest("Bob", "0x" + "11" * 20)], [HOOK])
    return made


def test_revoke__one_of_two__other_stays_with_the_hooks(session: Any, workspace: Workspace) -> None:
    inviting.revoke(session, 7, "Ann")
    assert [guest.name for guest in workspace.guests] == ["Bob"]
    assert workspace.webhooks == [HOOK]


def test_revoke__last_one__is_refused_as_everybody_could_join_then(
    session: Any, workspace: Workspace
) -> None:
    inviting.revoke(session, 7, "Ann")
    with pytest.raises(BountyError, match="everybody could join"):
        inviting.revoke(session, 7, "Bob")
    assert [guest.name for guest in workspace.guests] == ["Bob"]


def test_invite_again__lost_code__old_one_is_gone(session: Any, workspace: Workspace) -> None:
    new = inviting.invite_again(session, 7, "Ann")
    assert new.code != "a" * 16 and len(new.code) >= 16
    assert workspace.guests[0] == new and workspace.guests[1].name == "Bob"
    with pytest.raises(BountyError, match="own account"):
        inviting.invite_again(session, 7, "Bob")


def test_invite__new_name__gets_a_code_of_their_own(session: Any, workspace: Workspace) -> None:
    assert inviting.invite(session, 7, "Cleo").code not in ("", "a" * 16)
    with pytest.raises(BountyError, match="Cleo is invited already"):
        inviting.invite(session, 7, "Cleo")
    with pytest.raises(ConfigError, match="names nobody"):
        inviting.invite(session, 7, "   ")
    assert [guest.name for guest in workspace.guests] == ["Ann", "Bob", "Cleo"]


def test_invite__everybody_may_join__is_refused_as_nobody_else_could_then(
    session: Any, workspace: Workspace
) -> None:
    workspace.save_guests([])
    with pytest.raises(BountyError, match="everybody may join"):
        inviting.invite(session, 7, "Cleo")
    assert workspace.guests == []


@pytest.mark.parametrize("status", [Status.DRAWN, Status.LABEL, Status.SETTLED, Status.REFUNDED])
def test_invitations__joining_is_over__stay_as_they_are(
    session: Any, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, status: Status
) -> None:
    monkeypatch.setattr(Client, "status", status)
    for change in (inviting.revoke, inviting.invite_again, inviting.invite):
        with pytest.raises(BountyError, match="nobody joins bounty 7 any more"):
            change(session, 7, "Ann")
    assert workspace.guests[0].code == "a" * 16


def test_revoke__unknown_name__says_so(session: Any, workspace: Workspace) -> None:
    with pytest.raises(BountyError, match="nobody is invited to bounty 7 as Zoe"):
        inviting.revoke(session, 7, "Zoe")
