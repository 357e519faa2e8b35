# SPDX-License-Identifier: Apache-2.0
"""Tables and queries as plain SQL, and the little in which SQLite and PostgreSQL differ.

A command reads one new block and a few rows. Loading SQLAlchemy for that took three quarters of
its processor time, and nothing here needs a query to be built of objects: both databases speak the
same SQL but for types, a locked row, and the sign that stands for a value. So queries are text with
`?` for each value, and `truthmark.index.engine` hands them to the driver.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

_INT64 = 2**63


class Kind(Enum):
    """What a column holds."""

    INTEGER = "integer"  # of 64 bits, with a sign
    WIDE = "wide"
    """An integer of up to 256 bits, kept whole.

    PostgreSQL has a type for it. SQLite's integers end at 2^63 - 1: larger ones are 32 bytes,
    which SQLite sorts behind all integers and among themselves by value, so that comparing and
    sorting work on the mixture too. (Only signed values below -2^63 sort wrong; no event has any.)
    """
    SIGNED = "signed"  # as WIDE, with a sign
    BOOLEAN = "boolean"
    BINARY = "binary"
    TEXT = "text"

    @property
    def is_wide(self) -> bool:
        """Whether it is an integer of more than 64 bits."""
        return self in (Kind.WIDE, Kind.SIGNED)


def to_sqlite(value: int) -> int | bytes:
    """Return what stands for an integer of up to 256 bits in SQLite."""
    if -_INT64 <= value < _INT64:
        return value
    return value.to_bytes(32, "big", signed=value < 0)


def _wide(value: Any) -> int:
    return int.from_bytes(value, "big") if isinstance(value, bytes) else int(value)


def _signed(value: Any) -> int:
    return int.from_bytes(value, "big", signed=True) if isinstance(value, bytes) else int(value)


_FROM_DATABASE: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.WIDE: _wide,
    Kind.SIGNED: _signed,
    Kind.BOOLEAN: bool,
    Kind.BINARY: bytes,
}


def from_database(kind: Kind, value: Any) -> Any:
    """Turn what a driver gives for a value that is not null into what it stands for."""
    convert = _FROM_DATABASE.get(kind)
    return value if convert is None else convert(value)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a database writes what others write otherwise.

    Attributes:
        types: Names of the column types.
        clustered: Ends the definition of a table whose rows lie in the order of its key.
        lock_row: Ends a query whose rows nobody else may change before the transaction ends.
        lock_all: Waits for others that make tables; nothing where a writer is alone anyway.
        has_table: Query for one row if there is a table of a name.
    """

    types: Mapping[Kind, str]
    clustered: str
    lock_row: str
    lock_all: str
    has_table: str


SQLITE = Dialect(
    types={
        Kind.INTEGER: "BIGINT",
        Kind.WIDE: "BIGINT",
        Kind.SIGNED: "BIGINT",
        Kind.BOOLEAN: "BOOLEAN",
        Kind.BINARY: "BLOB",
        Kind.TEXT: "TEXT",
    },
    clustered=" WITHOUT ROWID",
    lock_row="",
    lock_all="",
    has_table="SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?",
)

POSTGRESQL = Dialect(
    types={
        Kind.INTEGER: "BIGINT",
        Kind.WIDE: "NUMERIC(78, 0)",
        Kind.SIGNED: "NUMERIC(78, 0)",
        Kind.BOOLEAN: "BOOLEAN",
        Kind.BINARY: "BYTEA",
        Kind.TEXT: "TEXT",
    },
    clustered="",
    lock_row=" FOR UPDATE",
    # Any number that nobody else takes.
    lock_all=f"SELECT pg_advisory_xact_lock({0x7472757468})",
    has_table="SELECT 1 FROM pg_class WHERE relname = ? AND relkind = 'r' "
    "AND pg_table_is_visible(oid)",
)


def quoted(name: str) -> str:
    """Return a name as SQL takes any name: events have fields such as `index` and `end`."""
    return f'"{name}"'


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        name: As it is.
        kind: What it holds.
        is_nullable: Whether it may be empty.
    """

    name: str
    kind: Kind
    is_nullable: bool = False


@dataclass(frozen=True)
class Table:
    """A table of the index.

    Attributes:
        name: As it is.
        columns: In their order.
        key: Names of the columns of its primary key.
        indexed: Names of the columns that people look for.
        is_clustered: Whether its rows lie in the order of its key.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    indexed: tuple[str, ...] = ()
    is_clustered: bool = False

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of its columns."""
        return tuple(column.name for column in self.columns)

    def selected(self, alias: str) -> str:
        """Return all columns for a query in which the table has another name.

        SQLite takes a quoted name that is no column's for a text, unless a table stands before it.
        """
        return ", ".join(f"{alias}.{quoted(name)}" for name in self.names)

    def create(self, dialect: Dialect) -> list[str]:
        """Return the statements that make the table and its indexes where there are none."""
        parts = [
            f"{quoted(column.name)} {dialect.types[column.kind]}"
            f"{'' if column.is_nullable else ' NOT NULL'}"
            for column in self.columns
        ]
        parts.append(f"PRIMARY KEY ({', '.join(map(quoted, self.key))})")
        end = dialect.clustered if self.is_clustered else ""
        return [
            f"CREATE TABLE IF NOT EXISTS {quoted(self.name)} ({', '.join(parts)}){end}",
            *(
                f"CREATE INDEX IF NOT EXISTS {quoted(f'ix_{self.name}_{name}')} "
                f"ON {quoted(self.name)} ({quoted(name)})"
                for name in self.indexed
            ),
        ]

    @cached_property
    def insert(self) -> str:
        """The statement that adds a row."""
        names = ", ".join(map(quoted, self.names))
        marks = ", ".join("?" * len(self.columns))
        return f"INSERT INTO {quoted(self.name)} ({names}) VALUES ({marks})"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Sql:
    """A piece of SQL: a query, or a condition within one.

    Attributes:
        text: With `?` for each value.
        values: In their order.
    """

    text: str
    values: tuple[Any, ...] = ()


def is_one_of(column: str, wanted: "Sql | Sequence[Any]") -> Sql:
    """Return the condition that a column has one of some values, or one that a query gives.

    Args:
        column: As SQL names it.
        wanted: The values, or a query for one column.
    """
    if isinstance(wanted, Sql):
        return Sql(f"{column} IN ({wanted.text})", wanted.values)
    # Nothing is one of none; PostgreSQL knows no empty list.
    return Sql(f"{column} IN ({', '.join('?' * len(wanted)) or 'NULL'})", tuple(wanted))


def all_of(conditions: Sequence[Sql]) -> Sql:
    """Join conditions into ` WHERE ...`; nothing where there are none."""
    if not conditions:
        return Sql("")
    text = " AND ".join(f"({condition.text})" for condition in conditions)
    return Sql(f" WHERE {text}", tuple(v for condition in conditions for v in condition.values))
