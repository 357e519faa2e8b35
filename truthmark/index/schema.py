# SPDX-License-Identifier: Apache-2.0
"""SQL tables made from contract interfaces: one for each event of each contract.

Structs become one column for each field (`terms.public_key.x` is `terms_public_key_x`), arrays
become JSON text. Columns are typed, and nothing is rounded: see `Kind.WIDE`.
"""

import functools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from truthmark.chain.abi import Event, is_dynamic, load_artifact
from truthmark.chain.parameters import Parameter
from truthmark.config.profile import ChainProfile
from truthmark.hashing import keccak256
from truthmark.index.sql import Column, Kind, Table, from_database, to_sqlite

SCHEMA_VERSION = 3
"""Part of the fingerprint: tables of another version are not read."""

OWN_COLUMNS = ("block_number", "log_index", "tx_hash")
"""Columns that every event table begins with; the first two are its key."""


@dataclass(frozen=True)
class Leaf:
    """One column of an event table and the value it comes from.

    Attributes:
        column: Its name.
        path: Names of the parameter and, within structs, of the fields.
        type: As in the ABI; an array here is one value.
        indexed: Whether the value is a topic.
        parameter: What the ABI says of it.
    """

    column: str
    path: tuple[str, ...]
    type: str
    indexed: bool
    parameter: Parameter

    @property
    def is_hash(self) -> bool:
        """Whether only the hash of the value is known."""
        return self.indexed and is_dynamic(self.parameter)

    @property
    def is_word(self) -> bool:
        """Whether the value is one 32-byte word."""
        return self.is_hash or not is_dynamic(self.parameter)

    @cached_property
    def kind(self) -> Kind:
        """What the column holds."""
        if self.is_hash or self.type.startswith("bytes"):
            return Kind.BINARY if self.is_word or self.type == "bytes" else Kind.TEXT
        if self.type == "bool":
            return Kind.BOOLEAN
        if match := re.fullmatch(r"(u?)int(\d+)", self.type):
            fits = int(match[2]) < 64 or (not match[1] and int(match[2]) == 64)
            return Kind.INTEGER if fits else Kind.WIDE if match[1] else Kind.SIGNED
        return Kind.TEXT


@dataclass(frozen=True)
class EventTable:
    """An event of a contract, and the table of its logs.

    Attributes:
        role: Of the contract in the profile.
        address: Of the contract, in lower case.
        event: What the ABI says.
        leaves: The table's columns behind `OWN_COLUMNS`.
        table: In the database.
    """

    role: str
    address: str
    event: Event
    leaves: tuple[Leaf, ...]
    table: Table

    def values(self, row: Sequence[Any]) -> dict[str, Any]:
        """Return what a row holds by column, from all columns as a driver gives them."""
        return {
            column.name: from_database(column.kind, value)
            for column, value in zip(self.table.columns, row, strict=True)
        }

    def args(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return an event's values by name, as `Contract.logs` gives them, from `values`."""
        values = {leaf.path: from_column(leaf, row[leaf.column]) for leaf in self.leaves}
        return {part.name: _gather(part, (part.name,), values) for part in self.event.inputs}


@dataclass(frozen=True)
class Schema:
    """All tables of the index of a profile.

    Attributes:
        events: By role and event, such as ("market", "Purchased").
        start: The first block that can hold logs.
        fingerprint: Changes with anything that the tables' content depends on.
        cursor: How far the index has come, up to where it was held against the contracts' own
            figures, and up to where against another endpoint's word: one row.
        blocks: Blocks that hold logs, and others by which a reorganisation is noticed.
    """

    events: Mapping[tuple[str, str], EventTable]
    start: int
    fingerprint: str
    cursor: Table
    blocks: Table

    @property
    def tables(self) -> list[Table]:
        """All tables."""
        return [self.cursor, self.blocks, *(entry.table for entry in self.events.values())]


_CURSOR = Table(
    "index_cursor",
    (
        Column("id", Kind.INTEGER),
        Column("fingerprint", Kind.TEXT),
        Column("number", Kind.INTEGER),
        Column("hash", Kind.BINARY, is_nullable=True),
        Column("timestamp", Kind.INTEGER),
        Column("generation", Kind.INTEGER),
        Column("audited", Kind.INTEGER),
        Column("agreed", Kind.INTEGER),
    ),
    key=("id",),
)

_BLOCKS = Table(
    "blocks",
    (
        Column("number", Kind.INTEGER),
        Column("hash", Kind.BINARY),
        Column("timestamp", Kind.INTEGER),
        Column("has_logs", Kind.BOOLEAN),
    ),
    key=("number",),
)


def build_schema(profile: ChainProfile) -> Schema:
    """Make the tables for a profile's contracts from their compiled artifacts.

    Raises:
        ConfigError: The profile names a contract that is not known here.
    """
    contracts = (
        (role, info.artifact, info.address.lower(), info.block)
        for role, info in sorted(profile.contracts.items())
    )
    return _build_schema(profile.chain_id, tuple(contracts))


# Every command needs it twice, for the name of the file and for what is in it.
@functools.lru_cache(maxsize=8)
def _build_schema(chain_id: int, contracts: tuple[tuple[str, str, str, int], ...]) -> Schema:
    events = {}
    identity: list[Any] = [SCHEMA_VERSION, chain_id]
    for role, artifact, address, block in contracts:
        names: set[str] = set()
        for event in load_artifact(artifact).events.values():
            table = make_event_table(role, address, event)
            assert event.name not in names  # Vyper has no overloaded events
            names.add(event.name)
            events[role, event.name] = table
            columns = [(leaf.column, leaf.type, leaf.indexed) for leaf in table.leaves]
            identity.append([role, address, block, event.signature, columns])
    start = min((block for *_, block in contracts), default=0)
    fingerprint = keccak256(json.dumps(identity).encode()).hex()[:16]
    return Schema(events, start, fingerprint, _CURSOR, _BLOCKS)


def make_event_table(role: str, address: str, event: Event) -> EventTable:
    """Make the table of an event of the contract at `address` (in lower case)."""
    leaves: list[Leaf] = []
    taken = set(OWN_COLUMNS)
    for part in event.inputs:
        for leaf in _leaves(part, (part.name,), part.indexed):
            column = leaf.column
            while column in taken:
                column += "_"
            taken.add(column)
            leaves.append(Leaf(column, leaf.path, leaf.type, leaf.indexed, leaf.parameter))
    name = f"{role}_{snake_case(event.name)}"
    own = (
        Column("block_number", Kind.INTEGER),
        Column("log_index", Kind.INTEGER),
        Column("tx_hash", Kind.BINARY),
    )
    table = Table(
        name,
        (*own, *(Column(leaf.column, leaf.kind) for leaf in leaves)),
        key=("block_number", "log_index"),
        # What is indexed in the event is what people look for.
        indexed=tuple(leaf.column for leaf in leaves if leaf.indexed),
        is_clustered=True,  # rows come in the order of the key
    )
    return EventTable(role, address, event, tuple(leaves), table)


def _leaves(part: Parameter, path: tuple[str, ...], indexed: bool) -> Iterator[Leaf]:
    if part.components and not part.item and not indexed:
        for field in part.components:
            yield from _leaves(field, (*path, field.name), indexed)
    else:
        yield Leaf("_".join(path), path, part.type, indexed, part)


def snake_case(name: str) -> str:
    """Return "VersionListed" as "version_listed"."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def to_column(leaf: Leaf, value: Any) -> Any:
    """Turn a decoded value into what its column holds in SQLite."""
    if leaf.is_hash:
        return value
    if leaf.kind.is_wide:
        return to_sqlite(value)
    if leaf.parameter.item:
        return json.dumps(value, default=lambda raw: "0x" + raw.hex())
    # PostgreSQL's text cannot hold the NUL that a contract may emit.
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}") if leaf.type == "string" else value


def from_column(leaf: Leaf, value: Any) -> Any:
    """Turn what `EventTable.values` gives for a column into the value that was decoded."""
    if leaf.parameter.item and not leaf.is_hash:
        return leaf.parameter.from_decoded(_unjson(leaf.parameter, json.loads(value)))
    return value


def _unjson(part: Parameter, value: Any) -> Any:
    """Give JSON's values the types that eth-abi decodes."""
    if item := part.item:
        return [_unjson(item, entry) for entry in value]
    if part.components:
        return [_unjson(p, entry) for p, entry in zip(part.components, value, strict=True)]
    if part.type == "string":
        return value.encode()
    return bytes.fromhex(value[2:]) if part.type.startswith("bytes") else value


def _gather(part: Parameter, path: tuple[str, ...], values: Mapping[tuple[str, ...], Any]) -> Any:
    if path in values:
        return values[path]
    fields = [_gather(field, (*path, field.name), values) for field in part.components]
    return part.named(fields)
