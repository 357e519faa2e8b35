# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from truthmark.index.engine import Database, _PostgresConnection, open_database, sqlite_file
from truthmark.index.sql import (
    POSTGRESQL,
    SQLITE,
    Column,
    Kind,
    Sql,
    Table,
    all_of,
    from_database,
    is_one_of,
)

TABLE = Table(
    "sold",
    (
        Column("block_number", Kind.INTEGER),
        Column("index", Kind.WIDE),
        Column("change", Kind.SIGNED),
        Column("is_paid", Kind.BOOLEAN),
        Column("key", Kind.BINARY),
        Column("note", Kind.TEXT, is_nullable=True),
    ),
    key=("block_number",),
    indexed=("key",),
    is_clustered=True,
)
WIDE = 2**255
COLUMNS = [
    [1, 2],
    [7, WIDE.to_bytes(32, "big")],
    [-1, (-(2**200)).to_bytes(32, "big", signed=True)],
    [True, 0],
    [b"\x00", b"\xff"],
    ["é", None],
]


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = made(url)
    yield opened
    opened.close()


def made(url: str) -> Database:
    opened = open_database(url)
    with opened.transaction(write=True) as connection:
        for statement in TABLE.create(connection.dialect):
            connection.execute(statement)
    return opened


def numbers(database: Database) -> list[int]:
    with database.transaction(write=False) as connection:
        return [row[0] for row in connection.execute("SELECT block_number FROM sold")]


def add(database: Database, number: int) -> None:
    with database.transaction(write=True) as connection:
        connection.insert(TABLE, [[number], [0], [0], [False], [b""], [None]])


def plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    pairs = zip(TABLE.columns, row, strict=True)
    return tuple(None if v is None else from_database(column.kind, v) for column, v in pairs)


def test_create__tables__are_those_of_earlier_releases() -> None:
    """A file that is there already must go on serving: only quotes may differ."""
    assert TABLE.create(SQLITE) == [
        'CREATE TABLE IF NOT EXISTS "sold" ("block_number" BIGINT NOT NULL, '
        '"index" BIGINT NOT NULL, "change" BIGINT NOT NULL, "is_paid" BOOLEAN NOT NULL, '
        '"key" BLOB NOT NULL, "note" TEXT, PRIMARY KEY ("block_number")) WITHOUT ROWID',
        'CREATE INDEX IF NOT EXISTS "ix_sold_key" ON "sold" ("key")',
    ]
    assert TABLE.create(POSTGRESQL)[0] == (
        'CREATE TABLE IF NOT EXISTS "sold" ("block_number" BIGINT NOT NULL, '
        '"index" NUMERIC(78, 0) NOT NULL, "change" NUMERIC(78, 0) NOT NULL, '
        '"is_paid" BOOLEAN NOT NULL, "key" BYTEA NOT NULL, "note" TEXT, '
        'PRIMARY KEY ("block_number"))'
    )


def test_transaction__new_file__outlives_what_it_did_before(tmp_path: Path) -> None:
    database = made(f"sqlite:///{tmp_path / 'a folder' / 'index.sqlite'}")
    with database.transaction(write=False) as connection:
        assert connection.scalar("PRAGMA journal_mode") == "wal"
        assert connection.scalar("PRAGMA synchronous") == 1
        assert connection.scalar("PRAGMA busy_timeout") == 60_000
        assert connection.scalar("PRAGMA cache_size") == -65_536


def test_insert__values_of_every_kind__are_found_by_value(database: Database) -> None:
    with database.transaction(write=True) as connection:
        connection.insert(TABLE, COLUMNS)
        whole = connection.execute(f"SELECT {TABLE.selected('t')} FROM sold t")
        assert [plain(row) for row in whole] == [
            (1, 7, -1, True, b"\x00", "é"),
            (2, WIDE, -(2**200), False, b"\xff", None),
        ]
        found = connection.execute('SELECT s.block_number FROM sold s WHERE s."index" >= ?', [WIDE])
        assert found == [(2,)]
        assert list(connection.parts("SELECT block_number FROM sold", 1)) == [[(1,)], [(2,)]]


def test_transaction__fails__leaves_nothing_and_serves_again(database: Database) -> None:
    with pytest.raises(RuntimeError), database.transaction(write=True) as connection:
        connection.insert(TABLE, COLUMNS)
        raise RuntimeError
    assert numbers(database) == []
    with pytest.raises(database.error, match=r"(?i)unique"):
        for _ in range(2):
            add(database, 5)
    assert numbers(database) == [5]


def test_transaction__others_write_meanwhile__reader_sees_one_moment(database: Database) -> None:
    add(database, 1)
    count = "SELECT count(*) FROM sold"
    with database.transaction(write=False) as connection:
        assert connection.scalar(count) == 1
        add(database, 2)
        assert connection.scalar(count) == 1
    assert numbers(database) == [1, 2]


def test_transaction__in_memory__keeps_what_was_written() -> None:
    database = made("sqlite://")
    add(database, 3)
    with pytest.raises(RuntimeError), database.transaction(write=True):
        raise RuntimeError
    assert numbers(database) == [3]
    database.close()


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ([], []),
        ([b"\xff"], [2]),
        (Sql("SELECT key FROM sold WHERE block_number < ?", (2,)), [1]),
    ],
)
def test_is_one_of__values_or_query__are_among_them(
    database: Database, wanted: Any, found: list[int]
) -> None:
    where = all_of([is_one_of("s.key", wanted), Sql("s.block_number > ?", (0,))])
    with database.transaction(write=True) as connection:
        connection.insert(TABLE, COLUMNS)
        query = f"SELECT s.block_number FROM sold s{where.text}"
        assert [row[0] for row in connection.execute(query, where.values)] == found


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:////home/me/index.db", Path("/home/me/index.db")),
        ("sqlite+pysqlite:///here.db", Path("here.db")),
        ("sqlite://", None),
        ("sqlite:///:memory:", None),
        ("postgresql://me@there/index", None),
    ],
)
def test_sqlite_file__urls__name_the_file(url: str, file: Path | None) -> None:
    assert sqlite_file(url) == file


def test_postgres__statements__reach_the_driver_as_it_takes_them() -> None:
    """What the driver is given; a server runs the follower's tests."""
    given: list[Any] = []

    def run(*statement: Any) -> Any:
        given.append(statement)
        return SimpleNamespace(returns_rows=False)

    connection = _PostgresConnection(SimpleNamespace(exec_driver_sql=run))  # type: ignore[arg-type]
    connection.insert(TABLE, COLUMNS)
    connection.execute(Sql('DELETE FROM sold WHERE "index" = ?', (WIDE,)))
    (insert, rows), delete = given
    assert insert.endswith("VALUES (%s, %s, %s, %s, %s, %s)")
    assert rows == [
        (1, Decimal(7), Decimal(-1), True, b"\x00", "é"),
        (2, Decimal(WIDE), Decimal(-(2**200)), False, b"\xff", None),
    ]
    assert delete == ('DELETE FROM sold WHERE "index" = %s', (WIDE,))
