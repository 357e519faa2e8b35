# SPDX-License-Identifier: Apache-2.0
"""The index on disk: event tables, and how far they have come.

Several processes may follow the chain into one index, and others may read: anyone who adds to it
says in the same transaction what it adds to, and does nothing if somebody else was faster.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from truthmark.config.profile import ChainProfile
from truthmark.errors import ConfigError
from truthmark.index.decode import Logs
from truthmark.index.engine import Connection, open_database
from truthmark.index.schema import EventTable, build_schema
from truthmark.index.sql import Sql, Table, all_of, from_database, is_one_of, quoted

KEEP_BLOCKS = 4096
"""Headers kept behind the tip, to find where a reorganisation began; further back only those of
blocks with logs and a few others are."""

_KEEP_EACH = 1024
_COPY_ROWS = 10_000
_EVERYTHING = Sql("")


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


class StoredBlock(NamedTuple):
    """A block that the index remembers; a row of its table."""

    number: int
    hash: bytes
    timestamp: int
    has_logs: bool


class Told(NamedTuple):
    """What there is of some blocks.

    Attributes:
        rows: Of events, each behind its table's name.
        blocks: Number, hash and time of those that hold them; None for a time that is not known.
    """

    rows: frozenset[tuple[Any, ...]]
    blocks: frozenset[tuple[int, bytes, int | None]]


class EventIndex:
    """Event tables of a profile's contracts in a SQL database.

    Usage example::

        index = EventIndex(profile, "sqlite:////home/me/index.sqlite")
        for sale in index.events("market", "Purchased", buyer=me):
            print(sale.args["price"], sale.timestamp)
        listed = index.table("registry", "VersionListed")
        with index.read() as connection:
            connection.execute(f"SELECT price FROM {listed} WHERE terms_token = ?", [usdc])

    Attributes:
        schema: The tables.
    """

    def __init__(self, profile: ChainProfile, url: str) -> None:
        """Open an index, making its tables if there are none.

        Args:
            profile: Whose contracts.
            url: Such as `sqlite:////folder/index.db` or `postgresql://user@host/database`.

        Raises:
            ConfigError: The URL cannot be used, or the index is of other contracts.
        """
        self.schema = build_schema(profile)
        self._database = open_database(url)
        with self.write() as connection:
            if connection.dialect.lock_all:
                connection.execute(connection.dialect.lock_all)
            self._prepare(connection)

    @property
    def url(self) -> str:
        """Where it is kept, without a password."""
        return self._database.url

    def close(self) -> None:
        """Close the connections to the database."""
        self._database.close()

    def table(self, contract: str, event: str) -> str:
        """Return the name of an event's table, for queries of one's own.

        Raises:
            ConfigError: There is no such event.
        """
        return quoted(self.event_table(contract, event).table.name)

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
        with self._errors_explained(), self._database.transaction(write=False) as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection on which everything is changed at once or not at all.

        Raises:
            ConfigError: The database cannot be written.
        """
        with self._errors_explained(), self._database.transaction(write=True) as connection:
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
        conditions = [Sql("(e.block_number, e.log_index) > (?, ?)", after)]
        if until_block is not None:
            conditions.append(Sql("e.block_number <= ?", (until_block,)))
        for name, value in equal.items():
            if name not in entry.table.names:
                raise ConfigError(f"event {event} has no column {name}")
            column = f"e.{quoted(name)}"
            is_query = isinstance(value, Sql)
            conditions.append(
                is_one_of(column, value) if is_query else Sql(f"{column} = ?", (value,))
            )
        query = self.timed_rows(entry, all_of(conditions))
        if limit is not None:
            query = Sql(f"{query.text} LIMIT ?", (*query.values, limit))
        with self.read() as connection:
            rows = connection.execute(query)
        found = []
        for row in rows:
            values = entry.values(row[:-2])
            found.append(
                EventRow(
                    contract=contract,
                    event=event,
                    args=entry.args(values),
                    block_number=values["block_number"],
                    log_index=values["log_index"],
                    tx_hash="0x" + values["tx_hash"].hex(),
                    timestamp=row[-2],
                    block_hash=bytes(row[-1]),
                )
            )
        return found

    def timed_rows(self, entry: EventTable, where: Sql = _EVERYTHING) -> Sql:
        """Return the query for an event's rows in order, each with its block's time and hash.

        Args:
            entry: Which event; its table is `e` in the query, and the blocks are `b`.
            where: Such as `all_of` gives.
        """
        return Sql(
            f"SELECT {entry.table.selected('e')}, b.timestamp, b.hash "  # noqa: S608
            f"FROM {quoted(entry.table.name)} e JOIN blocks b ON b.number = e.block_number"
            f"{where.text} ORDER BY e.block_number, e.log_index",
            where.values,
        )

    def counts(self) -> dict[str, int]:
        """Return how many events of each kind the index holds, by table."""
        names = [entry.table.name for entry in self.schema.events.values()]
        with self.read() as connection:
            return {
                name: int(connection.scalar(f"SELECT count(*) FROM {quoted(name)}"))  # noqa: S608
                for name in names
            }

    # ------------------------------------------------------------------ for the follower

    def stored_blocks(self, below: int, limit: int) -> list[StoredBlock]:
        """Return remembered blocks below a height, the highest first."""
        query = (
            "SELECT number, hash, timestamp, has_logs FROM blocks "
            "WHERE number < ? ORDER BY number DESC LIMIT ?"
        )
        with self.read() as connection:
            return [
                StoredBlock(number, bytes(hash_), timestamp, bool(has_logs))
                for number, hash_, timestamp, has_logs in connection.execute(query, (below, limit))
            ]

    def append(
        self,
        tip: Tip,
        logs: Logs,
        blocks: Sequence[StoredBlock],
        new: StoredBlock,
        *,
        is_agreed: bool = False,
    ) -> bool:
        """Add the logs of the blocks that follow the tip.

        Args:
            tip: What the logs follow on.
            logs: All of the blocks after the tip up to `new`.
            blocks: Those to remember; all that hold logs are among them.
            new: The last block.
            is_agreed: Endpoints in two places tell of these logs.

        Returns:
            False if the index has another tip by now; nothing is added then.
        """
        tables = {entry.table.name: entry.table for entry in self.schema.events.values()}
        with self.write() as connection:
            if self._tip(connection, lock=True) != tip:
                return False
            for name, columns in logs.columns.items():
                connection.insert(tables[name], columns)
            remembered = {block.number: block for block in (*blocks, new)}
            connection.insert(self.schema.blocks, [*zip(*remembered.values(), strict=True)])
            self._forget(connection, tip.number, new.number)
            self._set_tip(connection, tip, new.number, new.hash, new.timestamp)
            if is_agreed:
                connection.execute(
                    "UPDATE index_cursor SET agreed = ? WHERE agreed = ?", (new.number, tip.number)
                )
        return True

    def roll_back(self, tip: Tip, to: StoredBlock | None) -> bool:
        """Take back what the index holds above a block (above nothing: all of it).

        Returns:
            False if the index has another tip by now; nothing is taken back then.
        """
        number = self.schema.start - 1 if to is None else to.number
        with self.write() as connection:
            if self._tip(connection, lock=True) != tip:
                return False
            for entry in self.schema.events.values():
                table = quoted(entry.table.name)
                connection.execute(f"DELETE FROM {table} WHERE block_number > ?", (number,))  # noqa: S608
            connection.execute("DELETE FROM blocks WHERE number > ?", (number,))
            self._set_tip(
                connection, tip, number, to.hash if to else None, to.timestamp if to else 0
            )
            for mark in ("audited", "agreed"):
                query = f"UPDATE index_cursor SET {mark} = ? WHERE {mark} > ?"  # noqa: S608
                connection.execute(query, (number, number))
        return True

    def audited(self) -> int:
        """Return the block up to which the index agreed with the contracts' own figures."""
        with self.read() as connection:
            return int(connection.scalar("SELECT audited FROM index_cursor"))

    def note_audit(self, tip: Tip) -> None:
        """Remember that the index agrees up to its tip, if that is its tip still."""
        with self.write() as connection:
            if self._tip(connection, lock=True) == tip:
                connection.execute("UPDATE index_cursor SET audited = ?", (tip.number,))

    def agreed(self) -> int:
        """Return the block up to which endpoints in two places tell of the same events."""
        with self.read() as connection:
            return int(connection.scalar("SELECT agreed FROM index_cursor"))

    def note_agreed(self, tip: Tip, number: int) -> bool:
        """Remember that they do up to a block, if the index has that tip still; tell whether."""
        with self.write() as connection:
            if self._tip(connection, lock=True) != tip:
                return False
            connection.execute("UPDATE index_cursor SET agreed = ?", (number,))
        return True

    def told(self, first: int, last: int) -> Told:
        """Return all that the index holds of some blocks, as `told_by` makes it of logs.

        Args:
            first: Number of the first block.
            last: Number of the last one.
        """
        span = (first, last)
        with self.read() as connection:
            blocks = connection.execute(
                "SELECT number, hash, timestamp FROM blocks "
                "WHERE has_logs AND number BETWEEN ? AND ?",
                span,
            )
            columns = {}
            for entry in self.schema.events.values() if blocks else ():
                table = entry.table
                query = (
                    f"SELECT {table.selected('e')} FROM {quoted(table.name)} e "  # noqa: S608
                    "WHERE e.block_number BETWEEN ? AND ?"
                )
                if rows := connection.execute(query, span):
                    columns[table.name] = list(zip(*rows, strict=True))
        return self._told(columns, {(number, bytes(hash_), time) for number, hash_, time in blocks})

    def told_by(self, logs: Logs) -> Told:
        """Return what an endpoint tells of some blocks, so that it can be compared with `told`.

        Args:
            logs: With the times of their blocks; those that are not among them are None.
        """
        times = logs.timestamps
        blocks = {(number, hash_, times.get(number)) for number, hash_ in logs.hashes.items()}
        return self._told(logs.columns, blocks)

    def _told(
        self,
        columns: Mapping[str, Sequence[Sequence[Any]]],
        blocks: Iterable[tuple[int, bytes, int | None]],
    ) -> Told:
        tables = {entry.table.name: entry.table for entry in self.schema.events.values()}
        rows = {
            (name, *row)
            for name, values in columns.items()
            for row in zip(
                *(
                    [from_database(column.kind, value) for value in given]
                    for column, given in zip(tables[name].columns, values, strict=True)
                ),
                strict=True,
            )
        }
        return Told(frozenset(rows), frozenset(blocks))

    def replace(self, other: "EventIndex") -> None:
        """Take over all that another index of the same contracts holds, at once or not at all.

        Args:
            other: In SQLite.
        """
        tables = [*(entry.table for entry in self.schema.events.values()), self.schema.blocks]
        with other.read() as source, self.write() as connection:
            old = self._tip(connection, lock=True)
            for table in tables:
                self._copy(source, connection, table)
            new = other._tip(source)
            self._set_tip(connection, old, new.number, new.hash, new.timestamp)
            connection.execute(
                "UPDATE index_cursor SET audited = ?, agreed = ?", (new.number, other.agreed())
            )

    def _copy(self, source: Connection, target: Connection, table: Table) -> None:
        name = quoted(table.name)
        target.execute(f"DELETE FROM {name}")  # noqa: S608
        # As the database keeps them: nothing is decoded on the way.
        for rows in source.parts(f"SELECT {table.selected('t')} FROM {name} t", _COPY_ROWS):  # noqa: S608
            target.insert(table, list(zip(*rows, strict=True)))

    def _prepare(self, connection: Connection) -> None:
        cursor, found = self.schema.cursor, None
        # The row is written after all tables: where it is, none has to be looked for.
        if connection.scalar(connection.dialect.has_table, (cursor.name,)):
            found = connection.scalar("SELECT fingerprint FROM index_cursor")
        if found is None:
            for table in self.schema.tables:
                for statement in table.create(connection.dialect):
                    connection.execute(statement)
            before = self.schema.start - 1
            row = (1, self.schema.fingerprint, before, None, 0, 0, before, before)
            connection.insert(cursor, [[value] for value in row])
        elif found != self.schema.fingerprint:
            raise ConfigError(
                f"the index {self.url} is of other contracts or another release; "
                "set index_url to a new one"
            )

    def _tip(self, connection: Connection, *, lock: bool = False) -> Tip:
        query = "SELECT number, hash, timestamp, generation FROM index_cursor"
        ((number, hash_, timestamp, generation),) = connection.execute(
            query + connection.dialect.lock_row if lock else query
        )
        return Tip(number, None if hash_ is None else bytes(hash_), timestamp, generation)

    def _set_tip(
        self, connection: Connection, old: Tip, number: int, block_hash: bytes | None, time: int
    ) -> None:
        connection.execute(
            "UPDATE index_cursor SET number = ?, hash = ?, timestamp = ?, generation = ?",
            (number, block_hash, time, old.generation + 1),
        )

    def _forget(self, connection: Connection, old: int, new: int) -> None:
        """Drop headers that nobody needs any more; once for every few hundred blocks."""
        if old // 256 == new // 256:
            return
        connection.execute(
            "DELETE FROM blocks WHERE number < ? AND NOT has_logs AND number / ? * ? <> number",
            (new - KEEP_BLOCKS, _KEEP_EACH, _KEEP_EACH),
        )

    @contextlib.contextmanager
    def _errors_explained(self) -> Iterator[None]:
        try:
            yield
        except self._database.error as error:
            reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
            raise ConfigError(
                f"cannot use the index ({reason}); check disk space and rights, then build it "
                "again with `truthmark index rebuild`"
            ) from error


def default_index_url(profile: ChainProfile, folder: Path) -> str:
    """Return the URL of a profile's index in a folder of indexes.

    Another release or other contracts get another file, so nothing has to be removed by hand.
    """
    name = f"{profile.name}-{build_schema(profile).fingerprint}.sqlite"
    return f"sqlite:///{folder / name}"
