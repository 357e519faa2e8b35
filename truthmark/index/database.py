# SPDX-License-Identifier: Apache-2.0
"""The index on disk: event tables, and how far they have come.

Several processes may follow the chain into one index, and others may read: whoever adds to it
says in the same transaction what it adds to, and does nothing if somebody else was faster.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from truthmark.config import ChainProfile
from truthmark.errors import ConfigError
from truthmark.index.decode import Logs
from truthmark.index.schema import EventTable, build_schema

KEEP_BLOCKS = 4096
"""Headers kept behind the tip, to find where a reorganisation began; further back only those of
blocks with logs and a few others are."""

_KEEP_EACH = 1024
_COPY_ROWS = 10_000
_ADVISORY_LOCK = 0x7472757468  # any number that nobody else takes


@dataclass(frozen=True)
class Tip:
    """How far an index has come.

    Attributes:
        number: Of the last block whose logs are in the index.
        hash: Of that block; None before the first.
        timestamp: Of that block: chain time as far as the index knows.
        generation: Counts what was added and taken back.
    """

    number: int
    hash: bytes | None
    timestamp: int
    generation: int


@dataclass(frozen=True)
class EventRow:
    """An event, from the index.

    Attributes:
        contract: Role of the contract in the profile.
        event: Such as "Purchased".
        args: Values by name, as `Contract.logs` gives them.
        block_number: Where it is.
        log_index: Place in its block.
        tx_hash: As 0x text.
        timestamp: Of its block.
        block_hash: 32 bytes.
    """

    contract: str
    event: str
    args: Mapping[str, Any]
    block_number: int
    log_index: int
    tx_hash: str
    timestamp: int
    block_hash: bytes


@dataclass(frozen=True)
class StoredBlock:
    """A block that the index remembers."""

    number: int
    hash: bytes
    timestamp: int
    has_logs: bool


class Index:
    """Event tables of a profile's contracts in a SQL database.

    Usage example::

        index = Index(profile, "sqlite:////home/me/index.sqlite")
        for sale in index.events("market", "Purchased", buyer=me):
            print(sale.args["price"], sale.timestamp)
        listed = index.table("registry", "VersionListed")
        with index.read() as connection:
            connection.execute(sa.select(listed.c.price).where(listed.c.terms_token == usdc))

    Attributes:
        schema: The tables.
        engine: For queries of one's own.
    """

    def __init__(self, profile: ChainProfile, url: str) -> None:
        """Open an index, making its tables if there are none.

        Args:
            profile: Whose contracts.
            url: SQLAlchemy URL.

        Raises:
            ConfigError: The URL cannot be used, or the index is of other contracts.
        """
        self.schema = build_schema(profile)
        self.engine = _make_engine(url)
        self._url = sa.make_url(url).render_as_string(hide_password=True)
        with self._write() as connection:
            if connection.dialect.name == "postgresql":
                lock = sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)
                connection.execute(sa.select(lock))
            self._prepare(connection)

    def close(self) -> None:
        """Close the connections to the database."""
        self.engine.dispose()

    def table(self, contract: str, event: str) -> sa.Table:
        """Return the table of an event, for queries of one's own.

        Raises:
            ConfigError: There is no such event.
        """
        return self.event_table(contract, event).table

    def event_table(self, contract: str, event: str) -> EventTable:
        """Return how an event is kept.

        Raises:
            ConfigError: There is no such event.
        """
        try:
            return self.schema.events[contract, event]
        except KeyError:
            raise ConfigError(f"the index has no event {event} of contract {contract}") from None

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection on which all queries see the index at one moment.

        Raises:
            ConfigError: The database cannot be read.
        """
        with self._errors_explained(), self.engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    def tip(self) -> Tip:
        """Return how far the index has come."""
        with self.read() as connection:
            return self._tip(connection)

    def events(
        self,
        contract: str,
        event: str,
        *,
        after: tuple[int, int] = (-1, -1),
        until_block: int | None = None,
        limit: int | None = None,
        **equal: Any,
    ) -> list[EventRow]:
        """Return events in the order in which they happened.

        Args:
            contract: Role of the contract.
            event: Such as "Purchased".
            after: Block number and log index behind which to begin.
            until_block: Last block to consider, such as the newest that counts as final.
            limit: How many at most.
            equal: Values that columns must have, such as `buyer=me` or `terms_token=usdc`; or a
                query for one column, whose values are those that it may have.

        Raises:
            ConfigError: There is no such event or column.
        """
        entry = self.event_table(contract, event)
        table, blocks = entry.table, self.schema.blocks
        query = (
            sa.select(table, blocks.c.timestamp, blocks.c.hash)
            .join(blocks, blocks.c.number == table.c.block_number)
            .where(sa.tuple_(table.c.block_number, table.c.log_index) > sa.tuple_(*after))
            .order_by(table.c.block_number, table.c.log_index)
            .limit(limit)
        )
        if until_block is not None:
            query = query.where(table.c.block_number <= until_block)
        for name, value in equal.items():
            if name not in table.c:
                raise ConfigError(f"event {event} has no column {name}")
            column = table.c[name]
            query = query.where(
                column.in_(value) if isinstance(value, sa.Select) else column == value
            )
        with self.read() as connection:
            rows = connection.execute(query).all()
        width = len(table.c)
        names = table.c.keys()
        found = []
        for row in rows:
            values = dict(zip(names, row[:width], strict=True))
            found.append(
                EventRow(
                    contract=contract,
                    event=event,
                    args=entry.args(values),
                    block_number=values["block_number"],
                    log_index=values["log_index"],
                    tx_hash="0x" + values["tx_hash"].hex(),
                    timestamp=row[width],
                    block_hash=bytes(row[width + 1]),
                )
            )
        return found

    def counts(self) -> dict[str, int]:
        """Return how many events of each kind the index holds, by table."""
        tables = [entry.table for entry in self.schema.events.values()]
        with self.read() as connection:
            return {
                table.name: connection.execute(
                    sa.select(sa.func.count()).select_from(table)
                ).scalar_one()
                for table in tables
            }

    # ------------------------------------------------------------------ for the follower

    def stored_blocks(self, below: int, limit: int) -> list[StoredBlock]:
        """Return remembered blocks below a height, the highest first."""
        blocks = self.schema.blocks
        query = (
            sa.select(blocks).where(blocks.c.number < below).order_by(blocks.c.number.desc())
        ).limit(limit)
        with self.read() as connection:
            return [StoredBlock(*row) for row in connection.execute(query)]

    def append(self, tip: Tip, logs: Logs, blocks: Sequence[StoredBlock], new: StoredBlock) -> bool:
        """Add the logs of the blocks that follow the tip.

        Args:
            tip: What the logs follow on.
            logs: All of the blocks after the tip up to `new`.
            blocks: Those to remember; all that hold logs are among them.
            new: The last block.

        Returns:
            False if the index has another tip by now; nothing is added then.
        """
        with self._write() as connection:
            if self._tip(connection, lock=True) != tip:
                return False
            for name, columns in logs.columns.items():
                self._add_rows(connection, self.schema.metadata.tables[name], columns)
            remembered = {block.number: block for block in (*blocks, new)}
            rows = [(b.number, b.hash, b.timestamp, b.has_logs) for b in remembered.values()]
            self._add_rows(connection, self.schema.blocks, list(zip(*rows, strict=True)))
            self._forget(connection, tip.number, new.number)
            self._set_tip(connection, tip, new.number, new.hash, new.timestamp)
        return True

    def roll_back(self, tip: Tip, to: StoredBlock | None) -> bool:
        """Take back what the index holds above a block (above nothing: all of it).

        Returns:
            False if the index has another tip by now; nothing is taken back then.
        """
        number = self.schema.start - 1 if to is None else to.number
        with self._write() as connection:
            if self._tip(connection, lock=True) != tip:
                return False
            for entry in self.schema.events.values():
                above = entry.table.c.block_number > number
                connection.execute(entry.table.delete().where(above))
            blocks = self.schema.blocks
            connection.execute(blocks.delete().where(blocks.c.number > number))
            self._set_tip(
                connection, tip, number, to.hash if to else None, to.timestamp if to else 0
            )
            cursor = self.schema.cursor
            connection.execute(
                cursor.update().where(cursor.c.audited > number).values(audited=number)
            )
        return True

    def audited(self) -> int:
        """Return the block up to which the index agreed with the contracts' own figures."""
        with self.read() as connection:
            return int(connection.execute(sa.select(self.schema.cursor.c.audited)).scalar_one())

    def note_audit(self, tip: Tip) -> None:
        """Remember that the index agrees up to its tip, if that is its tip still."""
        with self._write() as connection:
            if self._tip(connection, lock=True) == tip:
                connection.execute(self.schema.cursor.update().values(audited=tip.number))

    def replace(self, other: "Index") -> None:
        """Take over all that another index of the same contracts holds, at once or not at all.

        Args:
            other: In SQLite.
        """
        tables = [*(entry.table for entry in self.schema.events.values()), self.schema.blocks]
        cursor = self.schema.cursor
        with other.read() as source, self._write() as connection:
            old = self._tip(connection, lock=True)
            for table in tables:
                connection.execute(table.delete())
                # As the database keeps them: nothing is decoded on the way.
                rows = source.exec_driver_sql(
                    f"SELECT {', '.join(name_of(column) for column in table.c)} FROM {table.name}"  # noqa: S608
                )
                while part := rows.fetchmany(_COPY_ROWS):
                    self._add_rows(connection, table, list(zip(*part, strict=True)))
            new = other._tip(source)
            self._set_tip(connection, old, new.number, new.hash, new.timestamp)
            connection.execute(cursor.update().values(audited=new.number))

    def _prepare(self, connection: Connection) -> None:
        cursor, found = self.schema.cursor, None
        # The row is written after all tables: where it is, none has to be looked for.
        if sa.inspect(connection).has_table(cursor.name):
            found = connection.execute(sa.select(cursor.c.fingerprint)).scalar()
        if found is None:
            self.schema.metadata.create_all(connection)
            row = {
                "id": 1,
                "fingerprint": self.schema.fingerprint,
                "number": self.schema.start - 1,
                "timestamp": 0,
                "generation": 0,
                "audited": self.schema.start - 1,
            }
            connection.execute(cursor.insert().values(row))
        elif found != self.schema.fingerprint:
            raise ConfigError(
                f"the index {self._url} is of other contracts or another release; "
                "set index_url to a new one"
            )

    def _tip(self, connection: Connection, *, lock: bool = False) -> Tip:
        cursor = self.schema.cursor
        query = sa.select(cursor.c.number, cursor.c.hash, cursor.c.timestamp, cursor.c.generation)
        row = connection.execute(query.with_for_update() if lock else query).one()
        return Tip(row[0], bytes(row[1]) if row[1] is not None else None, row[2], row[3])

    def _set_tip(
        self, connection: Connection, old: Tip, number: int, block_hash: bytes | None, time: int
    ) -> None:
        connection.execute(
            self.schema.cursor.update().values(
                number=number, hash=block_hash, timestamp=time, generation=old.generation + 1
            )
        )

    def _forget(self, connection: Connection, old: int, new: int) -> None:
        """Drop headers that nobody needs any more; once for every few hundred blocks."""
        if old // 256 == new // 256:
            return
        blocks = self.schema.blocks
        connection.execute(
            blocks.delete().where(
                blocks.c.number < new - KEEP_BLOCKS,
                sa.not_(blocks.c.has_logs),
                blocks.c.number % _KEEP_EACH != 0,
            )
        )

    def _add_rows(
        self, connection: Connection, table: sa.Table, columns: Sequence[Sequence[Any]]
    ) -> None:
        if connection.dialect.name != "sqlite":
            names = table.c.keys()
            rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
            connection.execute(table.insert(), rows)
            return
        # Straight to the driver: SQLAlchemy's handling of each value would take most of the time.
        statement = str(table.insert().compile(dialect=connection.dialect))
        connection.exec_driver_sql(statement, list(zip(*columns, strict=True)))

    @contextlib.contextmanager
    def _write(self) -> Iterator[Connection]:
        with self._errors_explained(), self.engine.connect() as connection:
            connection.execution_options(truthmark_write=True)
            with connection.begin():
                yield connection

    @contextlib.contextmanager
    def _errors_explained(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
            raise ConfigError(
                f"cannot use the index ({reason}); check disk space and rights, then build it "
                "anew with `truthmark index rebuild`"
            ) from error


def name_of(column: sa.Column[Any]) -> str:
    """Return a column's name as SQL takes any name."""
    return '"' + column.name + '"'


def default_index_url(profile: ChainProfile, folder: Path) -> str:
    """Return the URL of a profile's index in a folder of indexes.

    Another release or other contracts get another file, so nothing has to be removed by hand.
    """
    name = f"{profile.name}-{build_schema(profile).fingerprint}.sqlite"
    return f"sqlite:///{folder / name}"


def _make_engine(url: str) -> Engine:
    try:
        parsed = sa.make_url(url)
        engine = sa.create_engine(parsed)
    except (ArgumentError, NoSuchModuleError) as error:
        raise ConfigError(
            f"index_url is not a database URL ({error}); write it like sqlite:////folder/index.db"
        ) from error
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the index's database needs a driver that is not installed; pip install {error.name}"
        ) from error
    if engine.dialect.name not in ("sqlite", "postgresql"):
        raise ConfigError("the index can be kept in SQLite or PostgreSQL; correct index_url")
    if engine.dialect.name == "sqlite":
        if parsed.database and parsed.database != ":memory:":
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        sa.event.listen(engine, "connect", _set_up_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, see `_begin_sqlite`
    connection.execute("PRAGMA busy_timeout = 60000")
    connection.execute("PRAGMA journal_mode = WAL")  # readers go on while somebody writes
    connection.execute("PRAGMA synchronous = NORMAL")  # what is lost is fetched again
    connection.execute("PRAGMA cache_size = -65536")  # KiB: indexes of hashes grow everywhere


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes its place at once: one that first read could not become a writer later
    # without losing what it read.
    write = connection.get_execution_options().get("truthmark_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
