# SPDX-License-Identifier: Apache-2.0
"""Connections to the index's database: SQLite by the standard library, PostgreSQL by SQLAlchemy.

Both take the same SQL (see `truthmark.index.sql`). SQLAlchemy, which keeps PostgreSQL's
connections, comes with the extra `postgres` and is loaded for a URL of PostgreSQL only.
"""

import contextlib
import re
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from truthmark.errors import ConfigError
from truthmark.index.sql import POSTGRESQL, SQLITE, Dialect, Kind, Sql, Table, to_sqlite

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection as EngineConnection
    from sqlalchemy.engine import Engine

_SQLITE_URL = re.compile(r"sqlite(?:\+pysqlite)?://(?:/(.*))?", re.DOTALL)


class Connection(ABC):
    """A connection in the middle of a transaction.

    Attributes:
        dialect: How its database writes things.
    """

    dialect: Dialect

    @abstractmethod
    def execute(self, query: str | Sql, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows, none if it gives none.

        Args:
            query: With `?` for each value.
            values: If they are not in `query`; integers may have 256 bits.
        """

    @abstractmethod
    def parts(self, query: str, size: int) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of a query, `size` at a time, without holding all of them."""

    @abstractmethod
    def insert(self, table: Table, columns: Sequence[Sequence[Any]]) -> None:
        """Add rows.

        Args:
            table: Where.
            columns: For each column its values, in the form in which SQLite keeps them.
        """

    def scalar(self, query: str | Sql, values: Sequence[Any] = ()) -> Any:
        """Return the first value of the first row, None if there is none."""
        rows = self.execute(query, values)
        return rows[0][0] if rows else None


class Database(ABC):
    """Where an index is kept.

    Attributes:
        url: As it may be shown.
        error: What it raises when it cannot be used.
    """

    url: str
    error: type[Exception]

    @abstractmethod
    def transaction(self, *, write: bool) -> contextlib.AbstractContextManager[Connection]:
        """Give a connection on which everything happens at one moment, or not at all.

        Args:
            write: Whether it will change something; readers are not kept waiting by readers.
        """

    @abstractmethod
    def close(self) -> None:
        """Close what nobody is using."""


def open_database(url: str) -> Database:
    """Open what a URL names; a SQLite file is made with its folder if there is none.

    Raises:
        ConfigError: The URL cannot be used.
    """
    if not url.startswith("sqlite"):
        if not url.startswith("postgresql"):
            raise ConfigError(
                f"index_url is not a database URL of SQLite or PostgreSQL ({url!r}); write it "
                "like sqlite:////folder/index.db or postgresql://user@host/database"
            )
        return _PostgresDatabase(url)
    return _SqliteDatabase(url)


def sqlite_file(url: str) -> Path | None:
    """Return the file of a SQLite URL; None for one in memory, and for another database."""
    match = _SQLITE_URL.fullmatch(url)
    return None if not match or match[1] in (None, "", ":memory:") else Path(match[1])


class _SqliteDatabase(Database):
    error = sqlite3.Error

    def __init__(self, url: str) -> None:
        if not _SQLITE_URL.fullmatch(url):
            raise ConfigError(
                f"index_url is not a database URL ({url!r}); write it like "
                "sqlite:////folder/index.db"
            )
        if re.search(r"\?\w+=", url):
            raise ConfigError(
                f"index_url {url!r} has options, which SQLite's index does not take; end it with "
                "the file's name"
            )
        self.url = url
        self._file = sqlite_file(url)
        if self._file:
            self._file.parent.mkdir(parents=True, exist_ok=True)
        self._idle: list[sqlite3.Connection] = []  # taking and giving back needs no lock

    @contextlib.contextmanager
    def transaction(self, *, write: bool) -> Iterator[Connection]:
        try:
            raw = self._idle.pop()
        except IndexError:
            raw = self._connect()
        try:
            # A writer takes its place at once: one that first read could not become a writer
            # later without losing what it read.
            raw.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            yield _SqliteConnection(raw)
            raw.execute("COMMIT")
        except BaseException:
            try:
                if raw.in_transaction:
                    raw.execute("ROLLBACK")
            except sqlite3.Error:
                raw.close()
            else:
                self._idle.append(raw)
            raise
        self._idle.append(raw)

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _connect(self) -> sqlite3.Connection:
        # Threads hand a connection on when they are done with it, and never share one.
        raw = sqlite3.connect(
            str(self._file or ":memory:"),
            check_same_thread=False,
            isolation_level=None,  # we say BEGIN ourselves
        )
        try:
            raw.execute("PRAGMA busy_timeout = 60000")
            raw.execute("PRAGMA page_size = 8192")  # fewer of them; of a fresh file only
            raw.execute("PRAGMA journal_mode = WAL")  # readers go on while somebody writes
            raw.execute("PRAGMA synchronous = NORMAL")  # what is lost is fetched again
            # Pages of indexes change again and again: they go into the file less often (16 MiB).
            raw.execute("PRAGMA wal_autocheckpoint = 2048")
            raw.execute("PRAGMA cache_size = -65536")  # KiB: indexes of hashes grow everywhere
        except BaseException:
            raw.close()
            raise
        return raw


class _SqliteConnection(Connection):
    dialect = SQLITE

    def __init__(self, raw: sqlite3.Connection) -> None:
        self._raw = raw

    def execute(self, query: str | Sql, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        text, values = _parted(query, values)
        bound = [to_sqlite(value) if type(value) is int else value for value in values]
        return self._raw.execute(text, bound).fetchall()

    def parts(self, query: str, size: int) -> Iterator[list[tuple[Any, ...]]]:
        cursor = self._raw.execute(query)
        while rows := cursor.fetchmany(size):
            yield rows

    def insert(self, table: Table, columns: Sequence[Sequence[Any]]) -> None:
        self._raw.executemany(table.insert, zip(*columns, strict=True))


class _PostgresDatabase(Database):
    def __init__(self, url: str) -> None:
        try:
            from sqlalchemy.exc import SQLAlchemyError
        except ModuleNotFoundError as error:
            raise ConfigError(
                "an index in PostgreSQL needs packages that are not installed; "
                "pip install 'truthmark[postgres]'"
            ) from error
        self.error = SQLAlchemyError
        self._engine = _make_engine(url)
        self.url = self._engine.url.render_as_string(hide_password=True)

    @contextlib.contextmanager
    def transaction(self, *, write: bool) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            if not write:
                connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield _PostgresConnection(connection)

    def close(self) -> None:
        self._engine.dispose()


class _PostgresConnection(Connection):
    dialect = POSTGRESQL

    def __init__(self, connection: "EngineConnection") -> None:
        self._connection = connection

    def execute(self, query: str | Sql, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        text, values = _parted(query, values)
        result = self._connection.exec_driver_sql(_for_driver(text), tuple(values))
        return [tuple(row) for row in result] if result.returns_rows else []

    def parts(self, query: str, size: int) -> Iterator[list[tuple[Any, ...]]]:
        result = self._connection.exec_driver_sql(
            _for_driver(query), (), execution_options={"stream_results": True}
        )
        for rows in result.partitions(size):
            yield [tuple(row) for row in rows]

    def insert(self, table: Table, columns: Sequence[Sequence[Any]]) -> None:
        pairs = zip(table.columns, columns, strict=True)
        kept = [_for_postgres(column.kind, values) for column, values in pairs]
        rows = list(zip(*kept, strict=True))
        if rows:
            self._connection.exec_driver_sql(_for_driver(table.insert), rows)


def _parted(query: str | Sql, values: Sequence[Any]) -> tuple[str, Sequence[Any]]:
    return (query.text, query.values) if isinstance(query, Sql) else (query, values)


def _for_driver(text: str) -> str:
    """Write a query as PostgreSQL's drivers take it."""
    return text.replace("?", "%s")


def _for_postgres(kind: Kind, values: Sequence[Any]) -> Sequence[Any]:
    """Turn SQLite's form of a column's values into PostgreSQL's."""
    if kind.is_wide:
        signed = kind is Kind.SIGNED
        return [
            Decimal(int.from_bytes(v, "big", signed=signed) if isinstance(v, bytes) else v)
            for v in values
        ]
    return [bool(value) for value in values] if kind is Kind.BOOLEAN else values


def _make_engine(url: str) -> "Engine":
    import sqlalchemy as sa
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    try:
        made = sa.make_url(url)
        if made.drivername == "postgresql":  # else SQLAlchemy takes a driver that we do not bring
            made = made.set(drivername="postgresql+psycopg")
        return sa.create_engine(made)
    except (ArgumentError, NoSuchModuleError) as error:
        raise ConfigError(
            f"index_url is not a database URL ({error}); write it like "
            "postgresql://user@host/database"
        ) from error
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the index's database needs {error.name}, which is not installed; "
            "pip install 'truthmark[postgres]'"
        ) from error
