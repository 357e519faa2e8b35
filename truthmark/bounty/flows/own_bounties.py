# SPDX-License-Identifier: Apache-2.0
"""The bounties that were created in a home: whose they are, and which of them are left to run."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from truthmark.bounty import reader
from truthmark.bounty.flows.running import is_done
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.workspace import Workspace
from truthmark.errors import BountyError, KeysError
from truthmark.keys.abi_hash import address_bytes
from truthmark.session import Session
from truthmark.text import clean


def own_bounties(session: Session) -> Iterator[tuple[int, Workspace]]:
    """Yield number and folder of each bounty of the session's account; damaged ones are left out.

    Raises:
        ConfigError: This network has no bounties, or the account is locked and its file names no
            address.
    """
    chain_id, board = _place(session)
    mine = address_bytes(session.address)
    for workspace in Workspace.all(session.home):
        # Damaged ones, and those that cannot be read, are told of by `bounty run`.
        with contextlib.suppress(BountyError, KeysError):
            number = workspace.number_on(chain_id, board)
            if number is None or address_bytes(workspace.terms.requester) != mine:
                continue
            yield number, workspace


def bounties_to_run(session: Session, named: str | None) -> list[tuple[int, Workspace]]:
    """Return number and folder of the bounties that are left to run.

    Args:
        session: Of the requester.
        named: One by its number or folder; all of this home if not given.

    Raises:
        BountyError: There are none.
    """
    workspaces = Workspace.all(session.home) if named is None else [_named(session, named)]
    places = [(workspace.number_on(*_place(session)), workspace) for workspace in workspaces]
    found = [
        (number, workspace)
        for number, workspace in places
        if number is not None and not is_done(workspace)
    ]
    if not found and named is not None:
        raise BountyError(
            f"{clean(named, 200)} is on no chain of this profile yet; finish"
            " `truthmark bounty create`"
        )
    if not found:
        raise BountyError(
            "there are no bounties of this home, or all are over; create one with `truthmark bounty"
            " create`"
        )
    return found


def find_over(session: Session, named: str) -> str:
    """Return how a bounty ended, in words, if nothing of it is left to do; else "".

    Args:
        session: Of the requester.
        named: The bounty, by its number or folder.

    Raises:
        BountyError: This home has none of it.
    """
    workspace = _named(session, named)
    if not is_done(workspace):
        return ""
    ref, ended = workspace.ref, workspace.progress.get("ended")
    number = named if ref is None else ref.bounty_id
    if ended == "REFUNDED":
        return f"bounty {number} is over: it did not take place, and the money came back"
    return (
        f"bounty {number} is over, and everybody is paid; its labels: truthmark bounty result"
        f" {number}"
    )


def in_home(session: Session, workspace: Workspace) -> Workspace:
    """Return a workspace if it is one, and this home's.

    Args:
        session: Of this home.
        workspace: Any folder.

    Raises:
        BountyError: It is not.
    """
    if not workspace.has_terms:
        raise BountyError(f"{workspace.folder} is no folder of a bounty; name one, or its number")
    if workspace.folder.parent.parent != session.home.absolute():
        said = f"{workspace.folder} is not in this home"
        raise BountyError(f"{said}; use --home with the one it is in", page=f"{said}; use its own")
    return workspace


def _named(session: Session, named: str) -> Workspace:
    """Return the folder of a bounty that was named by its number, or by its folder."""
    if named.isdecimal():
        return Workspace.find(session.home, BountyRef(*_place(session), int(named)))
    return in_home(session, Workspace(Path(named).expanduser().absolute()))


def _place(session: Session) -> tuple[int, str]:
    """Return chain and board of the bounties that this session reaches."""
    return session.profile.chain_id, getattr(session.chain, reader.BOARD).address
