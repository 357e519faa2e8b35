# SPDX-License-Identifier: Apache-2.0
"""Where in which stored file a leaf's bytes stand.

Nothing is known only here: a lost or damaged index is made again from the files and their nodes.
"""

import fcntl
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, TypeVar

from truthmark.storage.limits import MAX_BLOCK, MAX_FILE

_T = TypeVar("_T")

IndexRow = tuple[bytes, int, int]
"""SHA-256 of a leaf, its first byte in the file, its length."""

_VERSION: Final = 1
_BUSY_SECONDS: Final = 60.0
# Full, locked, unreadable: making the index again would not help.
_NOT_DAMAGE: Final = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}
_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS files (id INTEGER PRIMARY KEY, root TEXT NOT NULL UNIQUE)",
    # A leaf that stands twice in a file is found by its first place.
    "CREATE TABLE IF NOT EXISTS leaves (digest BLOB NOT NULL, file INTEGER NOT NULL,"
    " start INTEGER NOT NULL, length INTEGER NOT NULL, PRIMARY KEY (digest, file)) WITHOUT ROWID",
)


class LeafIndex:
    """A SQLite file; a connection an operation, so that threads and processes may share it."""

    def __init__(
        self, path: Path, whole_files: Callable[[], Iterator[tuple[str, Iterable[IndexRow]]]]
    ) -> None:
        """Use the index at `path`; `whole_files` yields what it has to hold when made again."""
        self._path = path
        self._whole_files = whole_files

    def find(self, digest: bytes) -> list[tuple[str, int, int]]:
        """Return `(root, first byte, length)` of every file that holds the leaf."""
        query = (
            "SELECT root, start, length FROM leaves JOIN files ON files.id = file WHERE digest = ?"
        )
        # A damaged index may say anything; whether the bytes are right, their hash decides.
        return [
            row for row in self._run(lambda db: list(db.execute(query, (digest,)))) if _is_sane(row)
        ]

    def add(self, root: str, rows: Callable[[], Iterable[IndexRow]]) -> None:
        """Record the leaves of the file `root`; `rows` yields them."""

        def change(db: sqlite3.Connection) -> None:
            with db:
                db.execute("BEGIN IMMEDIATE")
                _add(db, root, rows())

        self._run(change)

    def keep_only(self, roots: set[str]) -> None:
        """Forget every file that is not in `roots`."""

        def change(db: sqlite3.Connection) -> None:
            with db:
                db.execute("BEGIN IMMEDIATE")
                for number, root in db.execute("SELECT id, root FROM files").fetchall():
                    if root not in roots:
                        db.execute("DELETE FROM leaves WHERE file = ?", (number,))
                        db.execute("DELETE FROM files WHERE id = ?", (number,))

        self._run(change)

    def _run(self, action: Callable[[sqlite3.Connection], _T]) -> _T:
        used = self._inode()
        try:
            with closing(self._connect()) as db:
                return action(db)
        except (sqlite3.DatabaseError, UnicodeError) as error:
            # Errors of Python's module, about text that is not UTF-8, have no code.
            if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in _NOT_DAMAGE:
                raise
            self._discard(used)
            with closing(self._connect()) as db:
                return action(db)

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            if db.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
                with db:
                    db.execute("BEGIN IMMEDIATE")
                    for statement in _SCHEMA:
                        db.execute(statement)
                    for root, rows in self._whole_files():
                        _add(db, root, rows)
                    db.execute(f"PRAGMA user_version = {_VERSION}")
        except BaseException:
            db.close()
            raise
        return db

    def _discard(self, damaged: int | None) -> None:
        """Remove the damaged index, unless another process has made it again already."""
        with self._path.with_name("index.lock").open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if damaged is None or self._inode() == damaged:
                self._path.unlink(missing_ok=True)
                self._path.with_name(self._path.name + "-journal").unlink(missing_ok=True)

    def _inode(self) -> int | None:
        try:
            return self._path.stat().st_ino
        except FileNotFoundError:
            return None


def _is_sane(row: Sequence[object]) -> bool:
    root, start, length = row
    return (
        isinstance(root, str)
        and root.isalnum()  # a CID, and no path
        and isinstance(start, int)
        and isinstance(length, int)
        and 0 <= start < MAX_FILE
        and 0 < length <= MAX_BLOCK
    )


def _add(db: sqlite3.Connection, root: str, rows: Iterable[IndexRow]) -> None:
    db.execute("INSERT OR IGNORE INTO files (root) VALUES (?)", (root,))
    (number,) = db.execute("SELECT id FROM files WHERE root = ?", (root,)).fetchone()
    db.executemany(
        "INSERT OR IGNORE INTO leaves VALUES (?, ?, ?, ?)",
        ((digest, number, start, length) for digest, start, length in rows),
    )
