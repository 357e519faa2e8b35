# SPDX-License-Identifier: Apache-2.0
"""The journal on disk: a SQLite file for each account and chain, synced at every commit.

A lock file beside it keeps the processes of one account apart; SQLite alone would not, because
choosing a nonce and signing must not be interleaved with another process doing the same.
"""

import contextlib
import fcntl
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from truthmark.chain.transactions import Intent, TransactionReceipt
from truthmark.errors import ConfigError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS intents (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    recipient TEXT,
    data BLOB NOT NULL,
    value TEXT NOT NULL,
    purpose TEXT NOT NULL,
    gas INTEGER,
    not_after INTEGER,
    state TEXT NOT NULL,
    nonce INTEGER UNIQUE,
    receipt TEXT,
    block INTEGER,
    error TEXT,
    only_nonce INTEGER
);
CREATE TABLE IF NOT EXISTS attempts (
    tx_hash TEXT PRIMARY KEY,
    key TEXT NOT NULL REFERENCES intents (key),
    nonce INTEGER NOT NULL,
    raw BLOB NOT NULL,
    max_fee TEXT NOT NULL,
    tip TEXT NOT NULL,
    gas INTEGER NOT NULL,
    height INTEGER NOT NULL,
    cancels INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS attempts_by_key ON attempts (key, nonce);
"""


class State(StrEnum):
    """How far an intent has come."""

    QUEUED = "queued"  # decided on, nothing signed
    SENT = "sent"  # bound to a nonce, signed, maybe broadcast, maybe on the chain
    DONE = "done"  # took effect, confirmed
    FAILED = "failed"  # took no effect: refused, before or after it was sent


@dataclass(frozen=True)
class Attempt:
    """A signed transaction for an intent; all of one intent and nonce exclude each other.

    Attributes:
        tx_hash: As 0x text.
        nonce: Of the account.
        raw: What is broadcast, byte for byte.
        max_fee: Wei offered for a unit of gas.
        tip: Wei of it offered to the block's proposer.
        gas: The limit.
        height: The chain's when it was signed.
        cancels: It does nothing but use up the nonce, so that the others cannot come any more.
    """

    tx_hash: str
    nonce: int
    raw: bytes
    max_fee: int
    tip: int
    gas: int
    height: int
    cancels: bool


@dataclass(frozen=True)
class Entry:
    """An intent as the journal knows it."""

    intent: Intent
    state: State
    nonce: int | None
    receipt: TransactionReceipt | None
    error: str | None
    attempts: tuple[Attempt, ...]


class JournalStore:
    """An open journal; the lock is held as long as it exists (see `open_store`)."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def add(self, intent: Intent) -> Entry:
        """Write an intent down before anything is done about it, and return its entry.

        One that is known stays as it is, except that a failed one is queued again.

        Raises:
            ConfigError: The key stands for something else.
        """
        known = self.find(intent.key)
        if known is None or known.state is State.FAILED:
            with self._db:
                self._db.execute(
                    "INSERT INTO intents "
                    "(key, recipient, data, value, purpose, gas, not_after, only_nonce, state) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET "
                    "recipient = excluded.recipient, data = excluded.data, value = excluded.value,"
                    "purpose = excluded.purpose, gas = excluded.gas, "
                    "not_after = excluded.not_after, only_nonce = excluded.only_nonce, "
                    "state = excluded.state, nonce = NULL, "
                    "receipt = NULL, block = NULL, error = NULL",
                    (
                        intent.key,
                        intent.to,
                        intent.data,
                        str(intent.value),
                        intent.purpose,
                        intent.gas,
                        intent.not_after,
                        intent.nonce,
                        State.QUEUED,
                    ),
                )
        elif (known.intent.to, known.intent.data, known.intent.value) != (
            intent.to,
            intent.data,
            intent.value,
        ):
            raise ConfigError(
                f"the journal already has another transaction named {intent.key!r}; "
                "use another key for this one"
            )
        return self.get(intent.key)

    def find(self, key: str) -> Entry | None:
        """Return an intent's entry, or None."""
        entries = self._entries("key = ?", key)
        return entries[0] if entries else None

    def get(self, key: str) -> Entry:
        """Return an intent's entry.

        Raises:
            ConfigError: The journal has none of that key.
        """
        if entry := self.find(key):
            return entry
        raise ConfigError(f"the journal has no transaction named {key!r}")

    def signed(self, prefix: str) -> list[Entry]:
        """Return entries whose key begins so and for which anything was ever signed, by age."""
        return self._entries(
            "substr(key, 1, length(?)) = ? AND key IN (SELECT key FROM attempts)", prefix, prefix
        )

    def highest_nonce(self, key: str) -> int:
        """Return the highest nonce that an intent was ever bound to; -1 if it never was."""
        row = self._db.execute("SELECT max(nonce) FROM attempts WHERE key = ?", (key,)).fetchone()
        return -1 if row[0] is None else int(row[0])

    def mined(self) -> int:
        """Return how many nonces are used up by what is on the chain."""
        row = self._db.execute(
            "SELECT count(DISTINCT nonce) FROM intents WHERE receipt IS NOT NULL"
        ).fetchone()
        return int(row[0])

    def in_state(self, state: State) -> list[Entry]:
        """Return entries by nonce, then by age."""
        return self._entries("state = ?", state)

    def unfinished(self) -> list[Entry]:
        """Return what is on its way by nonce, then what is queued by age."""
        return self.in_state(State.SENT) + self.in_state(State.QUEUED)

    def finished_from_nonce(self, nonce: int) -> list[Entry]:
        """Return finished entries that were bound to this nonce or a later one."""
        return self._entries("state IN ('done', 'failed') AND nonce >= ?", nonce)

    def finished_from_block(self, block: int) -> list[Entry]:
        """Return finished entries on the chain in this block or a later one."""
        return self._entries("state IN ('done', 'failed') AND block >= ?", block)

    def next_nonce(self) -> int:
        """Return the number after the highest nonce ever bound."""
        row = self._db.execute("SELECT max(nonce) FROM attempts").fetchone()
        return 0 if row[0] is None else row[0] + 1

    def add_attempt(self, key: str, attempt: Attempt) -> None:
        """Bind an intent to the attempt's nonce and keep the signed bytes."""
        with self._db:
            self._db.execute(
                "UPDATE intents SET state = 'sent', nonce = ? WHERE key = ?", (attempt.nonce, key)
            )
            self._db.execute(
                "INSERT OR IGNORE INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    attempt.tx_hash,
                    key,
                    attempt.nonce,
                    attempt.raw,
                    str(attempt.max_fee),
                    str(attempt.tip),
                    attempt.gas,
                    attempt.height,
                    attempt.cancels,
                ),
            )

    def finish(self, key: str, receipt: TransactionReceipt, error: str | None) -> None:
        """Record a confirmed receipt: done, or failed where there is an error."""
        with self._db:
            self._db.execute(
                "UPDATE intents SET state = ?, receipt = ?, block = ?, error = ? WHERE key = ?",
                (
                    State.FAILED if error else State.DONE,
                    receipt.to_json(),
                    receipt.block_number,
                    error,
                    key,
                ),
            )

    def refuse(self, key: str, error: str) -> None:
        """Record that nothing was sent for an intent, and why."""
        with self._db:
            self._db.execute(
                "UPDATE intents SET state = 'failed', nonce = NULL, error = ? WHERE key = ?",
                (error, key),
            )

    def reopen(self, key: str) -> None:
        """Watch a finished intent again: a reorganisation took it off the chain."""
        with self._db:
            self._db.execute(
                "UPDATE intents SET state = 'sent', receipt = NULL, block = NULL, error = NULL "
                "WHERE key = ?",
                (key,),
            )

    def unbind(self, key: str) -> None:
        """Queue an intent again whose nonce was used up by something else."""
        with self._db:
            self._db.execute(
                "UPDATE intents SET state = 'queued', nonce = NULL WHERE key = ?", (key,)
            )

    def _entries(self, where: str, *values: object) -> list[Entry]:
        rows = self._db.execute(
            "SELECT key, recipient, data, value, purpose, gas, not_after, state, nonce, receipt, "  # noqa: S608 - constant conditions only
            f"error, only_nonce FROM intents WHERE {where} ORDER BY nonce, number",
            values,
        ).fetchall()
        return [
            Entry(
                intent=Intent(key, to, data, int(wei), purpose, gas, not_after, only),
                state=State(state),
                nonce=nonce,
                receipt=TransactionReceipt.from_json(receipt) if receipt else None,
                error=error,
                attempts=self._attempts(key, nonce),
            )
            for (
                key,
                to,
                data,
                wei,
                purpose,
                gas,
                not_after,
                state,
                nonce,
                receipt,
                error,
                only,
            ) in rows
        ]

    def _attempts(self, key: str, nonce: int | None) -> tuple[Attempt, ...]:
        rows = self._db.execute(
            "SELECT tx_hash, nonce, raw, max_fee, tip, gas, height, cancels FROM attempts "
            "WHERE key = ? AND nonce = ? ORDER BY rowid",
            (key, nonce),
        )
        return tuple(
            Attempt(tx_hash, nonce, raw, int(max_fee), int(tip), gas, height, bool(cancels))
            for tx_hash, nonce, raw, max_fee, tip, gas, height, cancels in rows
        )


@contextlib.contextmanager
def open_store(path: Path) -> Iterator[JournalStore]:
    """Open the journal at `path` alone: other processes and threads wait.

    Raises:
        ConfigError: The file cannot be used.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with contextlib.closing(sqlite3.connect(path)) as connection:
                connection.execute("PRAGMA journal_mode = DELETE")
                connection.execute("PRAGMA synchronous = EXTRA")
                connection.executescript(_SCHEMA)
                columns = [row[1] for row in connection.execute("PRAGMA table_info(intents)")]
                if "only_nonce" not in columns:  # a journal of Truthmark before this column
                    connection.execute("ALTER TABLE intents ADD COLUMN only_nonce INTEGER")
                yield JournalStore(connection)
    except (sqlite3.Error, PermissionError) as error:
        raise ConfigError(
            f"cannot use the transaction journal {path} ({error}); free disk space, or restore "
            "the file from a backup: without it a payment could be sent twice"
        ) from error
