# SPDX-License-Identifier: Apache-2.0
"""A team's invitations while people still join: taken back, or made new.

The folder of the bounty says who may join; `bounty run` tells the relay of each change.
"""

from dataclasses import replace

from truthmark.bounty.client import BountyClient
from truthmark.bounty.payouts import Status
from truthmark.bounty.team import new_code, parse_team
from truthmark.bounty.workspace import Guest, Workspace
from truthmark.errors import BountyError
from truthmark.session import Session


def invite(session: Session, bounty_id: int, text: str) -> Guest:
    """Invite one more, for a place that is free.

    Args:
        session: Of the requester.
        bounty_id: The bounty's number.
        text: A name, an address, or both.

    Raises:
        BountyError: Nobody joins any more, everybody may join, or the name is taken.
        ConfigError: It is no name.
    """
    (member,) = parse_team(text.splitlines()[0] if text.strip() else "", "the invitation")
    with session.exclusive(f"bounty-guests-{bounty_id}"):
        workspace = _open(session, bounty_id)
        guests = workspace.guests
        if not guests:
            raise BountyError(f"everybody may join bounty {bounty_id}; nobody needs an invitation")
        if any(one.name == member.name for one in guests):
            raise BountyError(f"{member.name} is invited already; use another name")
        new = Guest(member.name, member.account, "" if member.account else new_code())
        workspace.save_guests([*guests, new], workspace.webhooks)
        return new


def revoke(session: Session, bounty_id: int, name: str) -> None:
    """Take an invitation back; who is enrolled already stays.

    Args:
        session: Of the requester.
        bounty_id: The bounty's number.
        name: Of who was invited.

    Raises:
        BountyError: Nobody joins any more, nobody was invited so, or nobody would be left: where
            nobody is invited, everybody may join.
    """
    with session.exclusive(f"bounty-guests-{bounty_id}"):
        workspace, guest = _find(session, bounty_id, name)
        left = [one for one in workspace.guests if one != guest]
        if not left:
            raise BountyError(
                f"{name} is the last who is invited, and without any everybody could join; invite"
                " somebody else first"
            )
        workspace.save_guests(left, workspace.webhooks)


def invite_again(session: Session, bounty_id: int, name: str) -> Guest:
    """Make a new code for somebody, such as who lost theirs; the old one counts no more.

    Args:
        session: Of the requester.
        bounty_id: The bounty's number.
        name: Of who is invited by a code.

    Raises:
        BountyError: Nobody joins any more, or nobody was invited so.
    """
    with session.exclusive(f"bounty-guests-{bounty_id}"):
        workspace, guest = _find(session, bounty_id, name)
        if not guest.code:
            raise BountyError(f"{name} joins with their own account and needs no invitation")
        new = replace(guest, code=new_code())
        guests = [new if one == guest else one for one in workspace.guests]
        workspace.save_guests(guests, workspace.webhooks)
        return new


def _open(session: Session, bounty_id: int) -> Workspace:
    client = BountyClient(session)
    workspace = Workspace.find(session.home, client.ref(bounty_id))
    if client.read(bounty_id).status is not Status.OPEN:
        raise BountyError(f"nobody joins bounty {bounty_id} any more; invitations stay as they are")
    return workspace


def _find(session: Session, bounty_id: int, name: str) -> tuple[Workspace, Guest]:
    workspace = _open(session, bounty_id)
    for guest in workspace.guests:
        if guest.name == name:
            return workspace, guest
    raise BountyError(f"nobody is invited to bounty {bounty_id} as {name}; reload the page")
