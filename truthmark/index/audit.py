# SPDX-License-Identifier: Apache-2.0
"""Holds the index against what the contracts themselves say at its tip.

An endpoint may leave logs out of an answer without a word. The contracts count listings, versions,
custodies, purchases, parts of keys, tickets and stake, and keep a word for each version, custody,
purchase and validator; from the events alone the same figures follow. Where they differ, an event
is missing.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from truthmark.chain.connection import Chain
from truthmark.chain.contracts import Call
from truthmark.index.database import EventIndex, Tip
from truthmark.index.engine import Connection
from truthmark.index.sql import Sql, all_of, is_one_of, quoted

# As the contracts number them.
_OPEN, _PAUSED, _RETIRED, _CLOSED_VERSION, _REVOKED = 1, 2, 3, 4, 5
_OPENED, _LIVE, _CLOSED, _LAPSED = 1, 2, 3, 4
_PAID, _DELIVERED, _SETTLED, _REFUNDED, _REJECTED = 1, 2, 3, 4, 5

_ROLES = {"registry": "DatasetRegistry", "market": "DatasetMarket", "staking": "ValidatorStaking"}
# contract, event, what it is about, the contract's counter of those, in words
_COUNTED = (
    ("registry", "VersionListed", "listing_id", "listing_count", "listing"),
    ("market", "Purchased", "purchase_id", "purchase_count", "purchase"),
)
_OF_VERSION = (
    *("VersionListed", "VersionRepriced", "VersionPaused", "VersionRetired", "VersionRevoked"),
    *("VersionClosed", "CustodyOpened"),
)
_OF_CUSTODY = (
    *("CustodyOpened", "CustodyAccepted", "CustodyLapsed", "CustodyExtended", "CustodyClosed"),
    "CustodianReleased",
)
_OF_PURCHASE = ("Purchased", "Delivered", "Settled", "Rejected", "Refunded")
_OF_VALIDATOR = (
    *("ValidatorRegistered", "OperatorChanged", "EncryptionKeyChanged", "AvailabilityChanged"),
    *("TicketsStaked", "StakeToppedUp", "UnbondingRequested", "TicketsWithdrawn", "StakeLocked"),
    *("LockReleased", "StakeSlashed"),
)

Row = dict[str, Any]
Rows = dict[Any, list[Row]]
"""Rows of an event by what they are about, in the order of the chain."""


def find_gap(chain: Chain, index: EventIndex, tip: Tip, since: int | None) -> str | None:
    """Tell which events the index lacks, as far as the contracts let it be known.

    Args:
        chain: Is asked how things stand at the tip.
        index: Whose tip is `tip`.
        tip: How far it has come.
        since: Only what has events above this block is compared, and the counters of all.
            If None, everything is.

    Returns:
        What is missing, for people; None where nothing is.

    Raises:
        NodeError: The node does not have the state of that block.
        ChainError: The chain cannot be read.
    """
    return _Audit(chain, index, tip, since).run()


class _Audit:
    def __init__(self, chain: Chain, index: EventIndex, tip: Tip, since: int | None) -> None:
        self._chain = chain
        self._index = index
        self._tip = tip
        self._since = since
        infos = chain.profile.contracts
        self._has = {
            role
            for role, artifact in _ROLES.items()
            if role in infos
            and infos[role].artifact == artifact
            and infos[role].block <= tip.number
        }

    def run(self) -> str | None:
        with self._index.read() as connection:
            checks = self._counters(connection)
            if "registry" in self._has:
                if lost := self._lost_listing(connection) or self._orphan(connection):
                    return lost
                checks += [*self._versions(connection), *self._custodies(connection)]
            if {"registry", "market"} <= self._has:
                checks += self._purchases(connection)
            if "staking" in self._has:
                checks += self._validators(connection)
        values = self._chain.batch([call for call, _, _ in checks], block=self._tip.hash or 0)
        for value, (_, expected, what) in zip(values, checks, strict=True):
            found = value
            if isinstance(expected, Mapping):
                found = {name: getattr(value, name) for name in expected}
            if found != expected:
                return what
        return None

    # ------------------------------------------------------------------ reading rows

    def _rows(
        self, connection: Connection, role: str, event: str, key: str, wanted: Iterable[Any] | None
    ) -> Rows:
        entry = self._index.event_table(role, event)
        query = f"SELECT {entry.table.selected('e')} FROM {quoted(entry.table.name)} e"  # noqa: S608
        order = " ORDER BY block_number, log_index"
        found: Rows = defaultdict(list)
        for part in [None] if wanted is None else _parts(sorted(wanted)):
            where = all_of([] if part is None else [is_one_of(f"e.{quoted(key)}", part)])
            for row in connection.execute(query + where.text + order, where.values):
                values = entry.values(row)
                found[values[key]].append(values)
        return found

    def _touched(
        self, connection: Connection, role: str, events: Sequence[str], key: str
    ) -> set[Any] | None:
        """Return what the rows to be checked are about; None for everything."""
        if self._since is None:
            return None
        found: set[Any] = set()
        for event in events:
            query = (
                f"SELECT DISTINCT e.{quoted(key)} FROM {self._index.table(role, event)} e "  # noqa: S608
                "WHERE e.block_number > ?"
            )
            rows = connection.execute(query, (self._since,))
            found.update(_plain(value) for (value,) in rows)
        return found

    # ------------------------------------------------------------------ registry

    def _lost_listing(self, connection: Connection) -> str | None:
        """Find a gap in the numbers of listings and of their versions."""
        lost = connection.scalar(
            f"SELECT listing_id FROM {self._index.table('registry', 'VersionListed')} "  # noqa: S608
            "GROUP BY listing_id "
            "HAVING count(DISTINCT version) <> max(version) OR min(version) <> 1 LIMIT 1"
        )
        return None if lost is None else f"a version of listing {lost}"

    def _orphan(self, connection: Connection) -> str | None:
        """Find an event of something that was never begun."""
        pairs = [("registry", e, "terms_id", "registry", "VersionListed") for e in _OF_VERSION]
        pairs += [("registry", e, "custody_id", "registry", "CustodyOpened") for e in _OF_CUSTODY]
        if "market" in self._has:
            pairs.append(("market", "Purchased", "custody_id", "registry", "CustodyOpened"))
            pairs += [("market", e, "purchase_id", "market", "Purchased") for e in _OF_PURCHASE]
        for role, event, key, first_role, first in pairs:
            table, begun = self._index.table(role, event), self._index.table(first_role, first)
            if table == begun:
                continue
            column = quoted(key)
            conditions = [
                Sql(f"NOT EXISTS (SELECT 1 FROM {begun} b WHERE b.{column} = e.{column})")  # noqa: S608
            ]
            if self._since is not None:
                conditions.append(Sql("e.block_number > ?", (self._since,)))
            where = all_of(conditions)
            query = f"SELECT 1 FROM {table} e{where.text} LIMIT 1"  # noqa: S608
            if connection.scalar(query, where.values) is not None:
                return f"the {first} that belongs to a {event}"
        return None

    def _counters(self, connection: Connection) -> list[tuple[Call, Any, str]]:
        checks = []
        for role, event, key, counter, thing in _COUNTED:
            if role in self._has:
                query = f"SELECT count(DISTINCT e.{quoted(key)}) FROM "  # noqa: S608
                known = connection.scalar(f"{query}{self._index.table(role, event)} e")
                call = getattr(self._chain.contracts[role].functions, counter)()
                what = f"a {thing}: of those that the {role} counts it holds {known}"
                checks.append((call, known, what))
        return checks

    def _versions(self, connection: Connection) -> list[tuple[Call, Any, str]]:
        ids = self._touched(connection, "registry", _OF_VERSION, "terms_id")
        if ids == set():
            return []
        listed, repriced, paused, retired, revoked, closed, opened = (
            self._rows(connection, "registry", event, "terms_id", ids) for event in _OF_VERSION
        )
        table = self._index.table("registry", "VersionListed")
        newest = dict(
            connection.execute(f"SELECT listing_id, max(version) FROM {table} GROUP BY listing_id")  # noqa: S608
        )
        checks = []
        for key, (row, *_) in listed.items():
            status = _PAUSED if paused[key] and paused[key][-1]["is_paused"] else _OPEN
            status = _RETIRED if retired[key] else status
            status = _CLOSED_VERSION if closed[key] and status == _RETIRED else status
            expected = {
                "status": _REVOKED if revoked[key] else status,
                "price": (repriced[key][-1] if repriced[key] else row)["price"],
                "listing_id": row["listing_id"],
                "version": row["version"],
                "epochs": len(opened[key]),
                "is_superseded": row["version"] < newest[row["listing_id"]],
            }
            call = self._chain.registry.functions.versions(key)
            name = f"{row['listing_id']}@{row['version']}"
            checks.append((call, expected, f"an event of listing {name}"))
        return checks

    def _custodies(self, connection: Connection) -> list[tuple[Call, Any, str]]:
        ids = self._touched(connection, "registry", _OF_CUSTODY, "custody_id")
        if ids == set():
            return []
        opened, accepted, lapsed, extended, closed, _ = (
            self._rows(connection, "registry", event, "custody_id", ids) for event in _OF_CUSTODY
        )
        checks = []
        for key, (row, *_) in opened.items():
            taken = _bits(entry["index"] for entry in accepted[key])
            status = _LIVE if taken == (1 << row["custody_count"]) - 1 else _OPENED
            status = _CLOSED if closed[key] else _LAPSED if lapsed[key] else status
            fined = 0
            for entry in closed[key]:
                fined |= entry["fined"]
            expected = {
                "status": status,
                "accepted": taken,
                "fined": fined,
                "end": extended[key][-1]["end"] if extended[key] else row["custody_end"],
            }
            call = self._chain.registry.functions.custodies(key)
            checks.append((call, expected, f"an event of custody 0x{key.hex()[:16]}"))
        return checks

    # ------------------------------------------------------------------ market

    def _purchases(self, connection: Connection) -> list[tuple[Call, Any, str]]:
        ids = self._touched(connection, "market", _OF_PURCHASE, "purchase_id")
        if ids == set():
            return []
        bought, delivered, settled, rejected, refunded = (
            self._rows(connection, "market", event, "purchase_id", ids) for event in _OF_PURCHASE
        )
        opened = self._index.table("registry", "CustodyOpened")
        rows = connection.execute(f"SELECT custody_id, custody_threshold FROM {opened}")  # noqa: S608
        thresholds = {_plain(key): int(threshold) for key, threshold in rows}
        checks = []
        for key, (row, *_) in bought.items():
            parts = _bits(part["index"] for part in delivered[key])
            paid_out = settled[key] or rejected[key]
            if paid_out and parts.bit_count() == thresholds[row["custody_id"]]:
                continue  # whole, and it never changes again
            status = (
                _DELIVERED if any(part["inspection_until"] for part in delivered[key]) else _PAID
            )
            for ended, by in ((refunded, _REFUNDED), (rejected, _REJECTED), (settled, _SETTLED)):
                status = by if ended[key] else status
            expected = {"status": status, "delivered": parts}
            call = self._chain.market.functions.purchases(key)
            checks.append((call, expected, f"an event of purchase 0x{key.hex()[:16]}"))
        return checks

    # ------------------------------------------------------------------ staking

    def _validators(self, connection: Connection) -> list[tuple[Call, Any, str]]:
        names = self._touched(connection, "staking", _OF_VALIDATOR, "validator")
        if names == set():
            return []
        rows = {e: self._rows(connection, "staking", e, "validator", names) for e in _OF_VALIDATOR}
        checks = []
        for name in set().union(*rows.values()):
            of = {event: by_name[name] for event, by_name in rows.items()}
            call = self._chain.staking.functions.validator(name)
            checks.append((call, _figures(of), f"an event of validator {name}"))
        staked = self._index.table("staking", "TicketsStaked")
        texts = connection.execute(f"SELECT ticket_ids FROM {staked}")  # noqa: S608
        places = {place for (text,) in texts for place in json.loads(text)}
        call = self._chain.staking.functions.place_count()
        return [*checks, (call, len(places), "an event about tickets")]


def _figures(of: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Return what follows for a validator from its events."""

    def total(*events: str) -> int:
        return sum(row["amount"] for event in events for row in of[event])

    def tickets(event: str) -> int:
        return sum(len(json.loads(row["ticket_ids"])) for row in of[event])

    keys = [*of["ValidatorRegistered"], *of["EncryptionKeyChanged"]]
    operators = [*of["ValidatorRegistered"], *of["OperatorChanged"]]
    away = [not row["is_available"] for row in of["AvailabilityChanged"][-1:]]
    unbonded, withdrawn = tickets("UnbondingRequested"), tickets("TicketsWithdrawn")
    return {
        "operator": operators[-1]["operator"] if operators else None,
        "encryption_key": keys[-1]["encryption_key"] if keys else None,
        "is_available": away != [True],
        "stake": total("TicketsStaked", "StakeToppedUp")
        - total("StakeSlashed", "TicketsWithdrawn"),
        "locked": total("StakeLocked") - total("LockReleased", "StakeSlashed"),
        "unbonding": total("UnbondingRequested") - total("TicketsWithdrawn"),
        "ticket_count": tickets("TicketsStaked") - unbonded,
        "unbonding_ticket_count": unbonded - withdrawn,
    }


def _bits(indices: Iterable[int]) -> int:
    found = 0
    for index in indices:
        found |= 1 << (index - 1)
    return found


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def _parts(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """Cut into pieces that a query takes."""
    return [values[at : at + 500] for at in range(0, len(values), 500)]
