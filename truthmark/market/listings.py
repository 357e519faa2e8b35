# SPDX-License-Identifier: Apache-2.0
"""Versions of listings as the index has them: found, filtered and ordered by the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from truthmark.index.database import EventIndex
from truthmark.index.sql import Kind, Sql, all_of, from_database, is_one_of
from truthmark.market.records import VersionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionFilter:
    """Which versions are wanted; what is None lets everything pass.

    Attributes:
        after: Block number and log index behind which the version was listed.
        terms_ids: These only.
        listing_id: Of this listing.
        number: With this number within its listing.
        seller: With ERC-55 capitals.
        token: Of the sale, with ERC-55 capitals.
        public_key: x of the dataset key.
        bounty: Number of the bounty whose labelers get a royalty.
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
    bounty: int | None = None
    max_price: int | None = None
    older_than: int | None = None
    is_offered: bool = False
    buyable_at: int | None = None


def find_versions(index: EventIndex, wanted: VersionFilter) -> list[dict[str, Any]]:
    """Return what the logs say of versions, the newest listing and version first.

    Returns:
        For each the arguments of its event, with the price and status that later events gave it,
        and `listed_at`, the Unix time of its block.
    """
    entry = index.event_table("registry", "VersionListed")
    rows = _run(
        index,
        wanted,
        f"{entry.table.selected('v')}, {_price(index)}, {_status(index)}, b.timestamp",
        "JOIN blocks b ON b.number = v.block_number",
    )
    return [
        {
            **entry.args(entry.values(row[:-3])),
            "price": from_database(Kind.WIDE, row[-3]),
            "status": VersionStatus(row[-2]),
            "listed_at": row[-1],
        }
        for row in rows
    ]


def find_terms_ids(index: EventIndex, wanted: VersionFilter) -> list[bytes]:
    """Return only the ids of terms, in the same order."""
    return [bytes(terms_id) for (terms_id,) in _run(index, wanted, "v.terms_id")]


def find_tokens(index: EventIndex) -> list[str]:
    """Return the addresses of all tokens in which anything was ever listed."""
    table = index.table("registry", "VersionListed")
    query = f"SELECT DISTINCT terms_token FROM {table} ORDER BY terms_token"  # noqa: S608
    with index.read() as connection:
        return [str(token) for (token,) in connection.execute(query)]


def _run(
    index: EventIndex, wanted: VersionFilter, columns: str, joined: str = ""
) -> list[tuple[Any, ...]]:
    """Return columns of the wanted versions, whose table is `v`."""
    conditions = _conditions(index, wanted)
    table = index.table("registry", "VersionListed")
    kept = [] if wanted.buyable_at is None else [_is_kept(index, wanted.buyable_at)]
    newest = Sql("")
    if wanted.is_offered:
        offered = all_of([Sql(f"{_status(index)} = {int(VersionStatus.OPEN)}"), *kept])
        newest = Sql(
            "JOIN (SELECT v.block_number, v.log_index, row_number() OVER "  # noqa: S608
            "(PARTITION BY v.listing_id ORDER BY v.version DESC) AS place "
            f"FROM {table} v{offered.text}) r ON r.block_number = v.block_number "
            "AND r.log_index = v.log_index AND r.place = 1",
            offered.values,
        )
    else:
        conditions += kept
    where = all_of(conditions)
    query = (
        f"SELECT {columns} FROM {table} v {newest.text} {joined}{where.text} "  # noqa: S608
        "ORDER BY v.listing_id DESC, v.version DESC"
    )
    with index.read() as connection:
        return connection.execute(query, (*newest.values, *where.values))


def _conditions(index: EventIndex, wanted: VersionFilter) -> list[Sql]:
    """Return what is asked of a version itself."""
    found = []
    if wanted.after is not None:
        found.append(Sql("(v.block_number, v.log_index) > (?, ?)", wanted.after))
    if wanted.terms_ids is not None:
        found.append(is_one_of("v.terms_id", wanted.terms_ids))
    if wanted.older_than is not None:
        found.append(Sql("v.listing_id < ?", (wanted.older_than,)))
    if wanted.max_price is not None:
        found.append(Sql(f"{_price(index)} <= ?", (wanted.max_price,)))
    for column, value in (
        ("listing_id", wanted.listing_id),
        ("version", wanted.number),
        ("seller", wanted.seller),
        ("terms_token", wanted.token),
        ("terms_public_key_x", wanted.public_key),
        ("terms_bounty", wanted.bounty),
    ):
        if value is not None:
            found.append(Sql(f"v.{column} = ?", (value,)))
    return found


def _price(index: EventIndex) -> str:
    """Return the price of version `v` now."""
    return f"coalesce({_last(index, 'VersionRepriced', 'price')}, v.price)"


def _status(index: EventIndex) -> str:
    """Return how later events left version `v`; docs/protocol.md says which end it for good."""
    retired = _happened(index, "VersionRetired")
    return (
        f"CASE WHEN {_happened(index, 'VersionRevoked')} THEN {int(VersionStatus.REVOKED)} "
        f"WHEN {retired} AND {_happened(index, 'VersionClosed')} "
        f"THEN {int(VersionStatus.CLOSED)} "
        f"WHEN {retired} THEN {int(VersionStatus.RETIRED)} "
        f"WHEN coalesce({_last(index, 'VersionPaused', 'is_paused')}, FALSE) "
        f"THEN {int(VersionStatus.PAUSED)} ELSE {int(VersionStatus.OPEN)} END"
    )


def _is_kept(index: EventIndex, now: int) -> Sql:
    """Return whether some custody of version `v` lasts through both windows of a purchase."""
    opened, accepted, extended, closed = (
        index.table("registry", event)
        for event in ("CustodyOpened", "CustodyAccepted", "CustodyExtended", "CustodyClosed")
    )
    until = "v.terms_delivery_seconds + v.terms_inspection_seconds + ?"
    # The acceptance that makes a custody live says so; in direct mode it comes with the opening.
    return Sql(
        f"EXISTS (SELECT 1 FROM {opened} o WHERE o.terms_id = v.terms_id "  # noqa: S608
        f"AND (o.custody_end >= {until} OR EXISTS (SELECT 1 FROM {extended} x "
        f'WHERE x.custody_id = o.custody_id AND x."end" >= {until})) '
        f"AND EXISTS (SELECT 1 FROM {accepted} a WHERE a.custody_id = o.custody_id AND a.is_live) "
        f"AND NOT EXISTS (SELECT 1 FROM {closed} c WHERE c.custody_id = o.custody_id))",
        (now, now),
    )


def _happened(index: EventIndex, event: str) -> str:
    table = index.table("registry", event)
    return f"EXISTS (SELECT 1 FROM {table} h WHERE h.terms_id = v.terms_id)"  # noqa: S608


def _last(index: EventIndex, event: str, column: str) -> str:
    """Return a value of the newest event of version `v`."""
    table = index.table("registry", event)
    return (
        f"(SELECT l.{column} FROM {table} l WHERE l.terms_id = v.terms_id "  # noqa: S608
        "ORDER BY l.block_number DESC, l.log_index DESC LIMIT 1)"
    )
