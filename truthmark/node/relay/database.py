# SPDX-License-Identifier: Apache-2.0
"""The database of a relay: SQLite or PostgreSQL, and what is said where it fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa

from truthmark.errors import ConfigError, StorageError

_BUSY_SECONDS: Final = 30.0


@contextmanager
def faults_explained() -> Iterator[None]:
    """Say of a database that fails what to look at.

    Raises:
        StorageError: It does.
    """
    try:
        yield
    except sa.exc.SQLAlchemyError as error:  # a full disk, a server that is down
        raise StorageError(
            f"the relay's database cannot be used now ({type(error).__name__}); look at disk and "
            "server, nothing that was accepted is lost"
        ) from error


def open_engine(url: str) -> sa.Engine:
    """Return the engine of a database.

    Args:
        url: Of SQLite or PostgreSQL, as SQLAlchemy has it.

    Raises:
        ConfigError: It names neither.
    """
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "postgresql":
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        return sa.create_engine(parsed, pool_pre_ping=True, pool_size=8, max_overflow=32)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise ConfigError("relay_db names no SQLite file nor PostgreSQL; correct it")
    engine = sa.create_engine(
        parsed, pool_size=8, max_overflow=32, connect_args={"timeout": _BUSY_SECONDS}
    )

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        connection.isolation_level = None  # SQLAlchemy begins, not the driver
        # Power may fail at any moment, and what was accepted must be there afterwards.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine
