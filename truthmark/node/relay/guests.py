# SPDX-License-Identifier: Apache-2.0
"""Who may join a bounty, and who asked to: the rows of both."""

from typing import Any

import sqlalchemy as sa

from truthmark.bounty.relay_models import Offer, code_hash
from truthmark.node.relay import schema as t
from truthmark.node.relay.kept import (
    Join,
)
from truthmark.node.relay.refusals import ForbiddenError
from truthmark.node.relay.rows import Wish


def set_guests(connection: sa.Connection, bounty_id: int, offer: Offer) -> None:
    """Let those join whom an offer invites, and remove who waits and is not invited any more."""
    where = t.guests.c.bounty_id == bounty_id
    query = sa.select(t.guests.c.guest, t.guests.c.signer).where(where)
    shown = {row.guest: row.signer for row in connection.execute(query)}
    wanted = {entry.account: entry.name for entry in offer.invited} | {
        "0x" + entry.code_hash.hex(): entry.name for entry in offer.invitations
    }
    connection.execute(t.guests.delete().where(where))
    if wanted:
        rows = [
            {"bounty_id": bounty_id, "guest": guest, "name": name, "signer": shown.get(guest)}
            for guest, name in wanted.items()
        ]
        connection.execute(t.guests.insert(), rows)
    if not offer.is_invited_only:
        return
    for join in joins_of(connection, bounty_id):
        if join.batch is None and join.reason is None and join.guest not in wanted:
            connection.execute(
                t.joins.update()
                .where(t.joins.c.number == join.number)
                .values(reason="the requester took the invitation back")
            )


def admit(connection: sa.Connection, bounty_id: int, signer: str, code: str | None) -> str:
    """Return the invitation by which a signer may join, noting who showed its code.

    Args:
        connection: Of the transaction.
        bounty_id: The bounty.
        signer: Who wants to join.
        code: That they show, if any.

    Raises:
        ForbiddenError: They are not invited.
    """
    named = connection.execute(
        sa.select(t.guests).where(
            (t.guests.c.bounty_id == bounty_id) & (t.guests.c.guest == signer)
        )
    ).one_or_none()
    if named is not None:
        return str(named.guest)
    if code is None:
        raise ForbiddenError(
            "only those whom the requester invited may join; ask the requester for an invitation,"
            " and join with its code"
        )
    where = (t.guests.c.bounty_id == bounty_id) & (t.guests.c.guest == "0x" + code_hash(code).hex())
    row = connection.execute(sa.select(t.guests).where(where)).one_or_none()
    if row is None:
        raise ForbiddenError(
            "this invitation is not known here, or was taken back; ask for another"
        )
    if row.signer not in (None, signer):
        raise ForbiddenError("this invitation was used by another key; ask for another one")
    connection.execute(t.guests.update().where(where).values(signer=signer))
    return str(row.guest)


def _read_join(row: sa.Row[Any]) -> Join:
    wish = Wish(row.signer, row.payee, row.seats)
    return Join(row.number, wish, row.at, row.guest, row.batch, row.reason)


def joins_of(connection: sa.Connection, bounty_id: int) -> list[Join]:
    """Return all who asked for seats, in order."""
    query = sa.select(t.joins).where(t.joins.c.bounty_id == bounty_id).order_by(t.joins.c.number)
    return [_read_join(row) for row in connection.execute(query)]


def find_join(connection: sa.Connection, bounty_id: int, signer: str) -> Join | None:
    """Return what a signer asked for."""
    where = (t.joins.c.bounty_id == bounty_id) & (t.joins.c.signer == signer)
    row = connection.execute(sa.select(t.joins).where(where)).one_or_none()
    return None if row is None else _read_join(row)
