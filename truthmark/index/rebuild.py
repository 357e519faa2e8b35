# SPDX-License-Identifier: Apache-2.0
"""Builds an index from scratch from the chain; the old one serves until the new one is whole."""

import sqlite3
from pathlib import Path

from truthmark.chain.connection import Chain
from truthmark.errors import ConfigError
from truthmark.index.database import EventIndex
from truthmark.index.engine import sqlite_file
from truthmark.index.follower import Follower, SyncResult
from truthmark.types import Progress


def rebuild(chain: Chain, url: str, folder: Path, progress: Progress | None = None) -> SyncResult:
    """Read everything from the chain again, and put it in the place of what the index holds.

    It is read into a file beside, and taken over in one transaction: those who read meanwhile see
    the old index, and one that is killed leaves it as it was. A damaged file is replaced.

    Args:
        chain: With the contracts to follow.
        url: URL of the index, in SQLite or PostgreSQL.
        folder: Where the new one is built; one process at a time may do so.
        progress: Called with blocks done and blocks in all.

    Raises:
        ChainError: The chain cannot be read, or its endpoints leave out events.
        ConfigError: The index cannot be written, or is of other contracts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / "rebuild.sqlite"
    _remove(beside)
    try:
        follower = Follower(chain, f"sqlite:///{beside}")
        try:
            result = follower.sync(progress=progress)
            try:
                _take_over(chain, url, follower.index)
            except ConfigError as error:
                damaged = sqlite_file(url)
                if damaged is None or not _is_damage(error.__cause__):
                    raise
                follower.index.close()
                # What is left of the old log must never be applied to the new file.
                _remove(damaged)
                beside.replace(damaged)
        finally:
            follower.index.close()
    finally:
        _remove(beside)
    return result


def _take_over(chain: Chain, url: str, new: EventIndex) -> None:
    index = EventIndex(chain.profile, url)
    try:
        index.replace(new)
    finally:
        index.close()


def _is_damage(error: BaseException | None) -> bool:
    """Tell a file that is not a database (any more) from one that cannot be used just now."""
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(
        error, sqlite3.OperationalError
    )


def _remove(path: Path) -> None:
    for end in ("-wal", "-shm", "-journal", ""):
        path.with_name(path.name + end).unlink(missing_ok=True)
