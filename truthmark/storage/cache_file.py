# SPDX-License-Identifier: Apache-2.0
"""Files of what can be found again: SQLite that several processes use, and that may be removed."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from truthmark.errors import ConfigError


@contextlib.contextmanager
def open_cache(path: Path, *tables: str, at_once: bool = False) -> Iterator[sqlite3.Connection]:
    """Open such a file, which is made where there is none.

    Args:
        path: Where it is.
        tables: Name and columns of each, as SQL has them.
        at_once: Keep each row by itself, as others read meanwhile; else all at the end, or nothing.

    Raises:
        ConfigError: It cannot be used.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(path, timeout=60)) as file:
            file.isolation_level = None if at_once else "DEFERRED"
            file.execute("PRAGMA journal_mode = WAL")
            file.execute("PRAGMA synchronous = NORMAL")
            for table in tables:
                file.execute(f"CREATE TABLE IF NOT EXISTS {table}")
            with file:
                yield file
    except (sqlite3.Error, OSError) as error:
        raise ConfigError(
            f"cannot use {path} ({error}); check disk space and rights, or remove it: it is built "
            "again"
        ) from error
