# SPDX-License-Identifier: Apache-2.0
"""Versions of listings as the index has them: found, filtered and ordered by the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from truthmark.index.database import Index
from truthmark.market.records import VersionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which versions are wanted; what is None lets everything pass.

    Attributes:
        after: Block number and log index behind which the version was listed.
        terms_ids: These only.
        listing_id: Of this listing.
        number: With this number within its listing.
        seller: With ERC-55 capitals.
        token: Of the sale, with ERC-55 capitals.
        public_key: x of the dataset key.
        max_price: In the token's smallest unit.
        older_than: Of listings with a lower number.
        is_offered: Only the newest open version of each listing (with `buyable_at`: the newest
            that can be bought).
        buyable_at: Only what can be bought at this chain time: with a custody that is live and
            outlasts both windows of a purchase made then.
    """

    after: tuple[int, int] | None = None
    terms_ids: Sequence[bytes] | None = None
    listing_id: int | None = None
    number: int | None = None
    seller: str | None = None
    token: str | None = None
    public_key: int | None = None
    max_price: int | None = None
    older_than: int | None = None
    is_offered: bool = False
    buyable_at: int | None = None


def find_versions(index: Index, wanted: Wanted) -> list[dict[str, Any]]:
    """Return what the logs say of versions, the newest listing and version first.

    Returns:
        For each the arguments of its event, with the price and status that later events gave it,
        and `listed_at`, the Unix time of its block.
    """
    entry = index.event_table("registry", "VersionListed")
    price, status, query = _query(index, wanted)
    blocks = index.schema.blocks
    rows = _run(
        index,
        query.join(blocks, blocks.c.number == entry.table.c.block_number).with_only_columns(
            *entry.table.c, price, status, blocks.c.timestamp
        ),
    )
    names, width = entry.table.c.keys(), len(entry.table.c)
    return [
        {
            **entry.args(dict(zip(names, row[:width], strict=True))),
            "price": row[width],
            "status": VersionStatus(row[width + 1]),
            "listed_at": row[width + 2],
        }
        for row in rows
    ]


def find_terms_ids(index: Index, wanted: Wanted) -> list[bytes]:
    """Return only the ids of terms, in the same order."""
    _, _, query = _query(index, wanted)
    listed = index.table("registry", "VersionListed").c
    return [bytes(row[0]) for row in _run(index, query.with_only_columns(listed.terms_id))]


def find_tokens(index: Index) -> list[str]:
    """Return the addresses of all tokens in which anything was ever listed."""
    token = index.table("registry", "VersionListed").c.terms_token
    return [str(row[0]) for row in _run(index, sa.select(token).distinct().order_by(token))]


def _run(index: Index, query: "sa.Select[Any]") -> Sequence[Any]:
    with index.read() as connection:
        return connection.execute(query).all()


def _query(
    index: Index, wanted: Wanted
) -> tuple["sa.ColumnElement[int]", "sa.ColumnElement[int]", "sa.Select[Any]"]:
    """Return price, status, and a query over the wanted versions."""
    listed = index.table("registry", "VersionListed")
    price = sa.func.coalesce(
        _last(index, "VersionRepriced", "price"), listed.c.price, type_=listed.c.price.type
    )
    status = _status(index)
    query = sa.select(listed).order_by(listed.c.listing_id.desc(), listed.c.version.desc())
    conditions = [] if wanted.buyable_at is None else [_is_kept(index, wanted.buyable_at)]
    if wanted.is_offered:
        place = sa.func.row_number().over(
            partition_by=listed.c.listing_id, order_by=listed.c.version.desc()
        )
        ranked = (
            sa.select(listed.c.block_number, listed.c.log_index, place.label("place"))
            .where(status == int(VersionStatus.OPEN), *conditions)
            .subquery()
        )
        query = query.join(
            ranked,
            sa.and_(
                ranked.c.block_number == listed.c.block_number,
                ranked.c.log_index == listed.c.log_index,
                ranked.c.place == 1,
            ),
        )
    else:
        query = query.where(*conditions)
    if wanted.after is not None:
        moment = sa.tuple_(listed.c.block_number, listed.c.log_index)
        query = query.where(moment > sa.tuple_(*wanted.after))
    if wanted.terms_ids is not None:
        query = query.where(listed.c.terms_id.in_(wanted.terms_ids))
    if wanted.older_than is not None:
        query = query.where(listed.c.listing_id < wanted.older_than)
    if wanted.max_price is not None:
        query = query.where(price <= sa.literal(wanted.max_price, listed.c.price.type))
    for column, value in (
        (listed.c.listing_id, wanted.listing_id),
        (listed.c.version, wanted.number),
        (listed.c.seller, wanted.seller),
        (listed.c.terms_token, wanted.token),
        (listed.c.terms_public_key_x, wanted.public_key),
    ):
        if value is not None:
            query = query.where(column == value)
    return price, status, query


def _status(index: Index) -> "sa.ColumnElement[int]":
    """Return how later events left a version; docs/protocol.md says which end it for good."""
    retired = _happened(index, "VersionRetired")
    return sa.case(
        (_happened(index, "VersionKilled"), int(VersionStatus.DEAD)),
        (
            sa.and_(retired, _happened(index, "VersionWoundUp")),
            int(VersionStatus.CLOSED),
        ),
        (retired, int(VersionStatus.RETIRED)),
        (
            sa.func.coalesce(_last(index, "VersionPaused", "is_paused"), sa.false()),
            int(VersionStatus.PAUSED),
        ),
        else_=int(VersionStatus.OPEN),
    )


def _is_kept(index: Index, now: int) -> "sa.ColumnElement[bool]":
    """Return whether some custody of a version lasts through both windows of a purchase."""
    listed = index.table("registry", "VersionListed").c
    opened, accepted, extended, closed = (
        index.table("registry", event).c
        for event in ("CustodyOpened", "CustodyAccepted", "CustodyExtended", "CustodyClosed")
    )
    until = listed.terms_delivery_seconds + listed.terms_inspection_seconds + now
    lasts = sa.or_(
        opened.custody_end >= until,
        sa.exists().where(extended.custody_id == opened.custody_id, extended.end >= until),
    )
    # The acceptance that makes a custody live says so; in direct mode it comes with the opening.
    is_live = sa.exists().where(
        accepted.custody_id == opened.custody_id, accepted.is_live == sa.true()
    )
    is_closed = sa.exists().where(closed.custody_id == opened.custody_id)
    return sa.exists().where(opened.terms_id == listed.terms_id, lasts, is_live, sa.not_(is_closed))


def _happened(index: Index, event: str) -> "sa.ColumnElement[bool]":
    listed, table = index.table("registry", "VersionListed"), index.table("registry", event)
    return sa.exists().where(table.c.terms_id == listed.c.terms_id).correlate(listed)


def _last(index: Index, event: str, column: str) -> "sa.ColumnElement[Any]":
    """Return a value of the newest event of a version."""
    listed, table = index.table("registry", "VersionListed"), index.table("registry", event)
    return (
        sa.select(table.c[column])
        .where(table.c.terms_id == listed.c.terms_id)
        .order_by(table.c.block_number.desc(), table.c.log_index.desc())
        .limit(1)
        .correlate(listed)
        .scalar_subquery()
    )
