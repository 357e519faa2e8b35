# SPDX-License-Identifier: Apache-2.0
"""What a relay has accepted, in SQLite or PostgreSQL: on disk before anyone is told so.

Each method is one transaction. Writers of a relay come one after the other, so what one has read
still holds when it writes.
"""

import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa

from truthmark.bounty.commits import Commit
from truthmark.bounty.relay_models import DepositRequest, Offer
from truthmark.bounty.roster import Row
from truthmark.errors import ConfigError
from truthmark.hashing import keccak256
from truthmark.node.relay import schema as t
from truthmark.node.relay.database import faults_explained, open_engine
from truthmark.node.relay.guests import admit, find_join, joins_of, set_guests
from truthmark.node.relay.kept import (
    DONE,
    DROPPED,
    SENT,
    Batch,
    Deposit,
    Join,
    Kind,
    Notice,
    Served,
    WaitingCommit,
    batch_of,
    deposit_of,
    served_of,
    waiting_of,
)
from truthmark.node.relay.refusals import ConflictError
from truthmark.node.relay.rows import Wish

_MAX_NOTICES: Final = 10_000
_MAX_REMEMBERED: Final = 512


class RelayStore:
    """A relay's database.

    Args:
        url: Of SQLite or PostgreSQL, as SQLAlchemy has it.
        place: Names chain, board and account; a database serves one of them.

    Raises:
        ConfigError: It cannot be used, or is another relay's.
    """

    def __init__(self, url: str, place: str) -> None:
        """Open the database; its tables are made if there are none."""
        self._writing = threading.RLock()
        self._served: dict[int, Served] = {}
        try:
            self._engine = open_engine(url)
            t.metadata.create_all(self._engine)
            found = self._claim(place)
        except (sa.exc.SQLAlchemyError, ImportError, OSError) as error:
            kind = type(error.__cause__ or error).__name__
            raise ConfigError(
                f"the relay's database cannot be used ({kind}); correct relay_db, "
                "such as postgresql+psycopg://user@host/name"
            ) from error
        if found != place:
            self._engine.dispose()
            raise ConfigError(
                "the relay's database belongs to another chain, board or account; name another one "
                "with --relay-db"
            )

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _claim(self, place: str) -> str:
        with self._write() as connection:
            found = connection.scalar(sa.select(t.facts.c.value).where(t.facts.c.name == "place"))
            if found is None:
                connection.execute(t.facts.insert().values(name="place", value=place))
            return str(found or place)

    @contextmanager
    def _write(self) -> Iterator[sa.Connection]:
        with self._writing, faults_explained(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _read(self) -> Iterator[sa.Connection]:
        with faults_explained(), self._engine.connect() as connection:
            yield connection

    # ------------------------------------------------------------------ what is served

    def served(self, bounty_id: int) -> Served | None:
        """Return a bounty that is served, or None."""
        # Every question about a bounty begins here, and offers may be long.
        known = self._served.get(bounty_id)
        if known is not None:
            return known
        with self._writing:  # so that nothing older than what is written now is remembered
            with self._read() as connection:
                found = _one(connection, bounty_id)
            if found is not None:
                self._served[bounty_id] = found
                if len(self._served) > _MAX_REMEMBERED:
                    self._served.pop(next(iter(self._served)))
            return found

    def all_served(self, *, is_over: bool | None = None) -> list[Served]:
        """Return what is served, the newest first."""
        query = sa.select(t.bounties.c.bounty_id).order_by(t.bounties.c.bounty_id.desc())
        if is_over is not None:
            query = query.where(t.bounties.c.is_over == is_over)
        with self._read() as connection:
            numbers = list(connection.scalars(query))
        return [found for number in numbers if (found := self.served(number)) is not None]

    def offer(self, bounty_id: int, terms_hash: bytes, offer: Offer) -> str:
        """Keep a requester's offer, and return a fresh token for uploads.

        Who is not invited any more and not on their way to the chain is removed.

        Raises:
            ConflictError: A later one is here, or another one of this number.
        """
        token = secrets.token_urlsafe(24)
        with self._write() as connection:
            self._served.pop(bounty_id, None)
            old = _one(connection, bounty_id)
            if old is not None and old.terms_hash != terms_hash:
                _forget(connection, bounty_id)  # it stood on a branch that the chain has left
                old = None
            if old is not None and offer.number < old.offer.number:
                raise ConflictError("a later offer is here already; give this one a higher number")
            if old is not None and offer.number == old.offer.number and offer != old.offer:
                raise ConflictError("another offer has this number; give a higher one")
            values = {
                "terms_hash": terms_hash,
                "number": offer.number,
                "offer": offer.model_dump_json(),
                "token_hash": keccak256(token.encode()),
            }
            if old is None:
                values |= {"bounty_id": bounty_id, "is_over": False}
                connection.execute(t.bounties.insert().values(**values))
            else:
                where = t.bounties.c.bounty_id == bounty_id
                connection.execute(t.bounties.update().where(where).values(**values))
            if old is None or old.offer != offer:
                set_guests(connection, bounty_id, offer)
        return token

    def is_requester(self, bounty_id: int, token: str) -> bool:
        """Return whether a token is that of the newest offer."""
        with self._read() as connection:
            query = sa.select(t.bounties.c.token_hash).where(t.bounties.c.bounty_id == bounty_id)
            kept = connection.scalar(query)
        return kept is not None and secrets.compare_digest(bytes(kept), keccak256(token.encode()))

    def end(self, bounty_id: int) -> None:
        """Note that nothing is left to be done for a bounty."""
        with self._write() as connection:
            self._served.pop(bounty_id, None)
            where = t.bounties.c.bounty_id == bounty_id
            connection.execute(t.bounties.update().where(where).values(is_over=True))

    # ------------------------------------------------------------------ joining

    def joins(self, bounty_id: int) -> list[Join]:
        """Return all who asked for seats, in order."""
        with self._read() as connection:
            return joins_of(connection, bounty_id)

    def find_join(self, bounty_id: int, signer: str) -> Join | None:
        """Return what a signer asked for."""
        with self._read() as connection:
            return find_join(connection, bounty_id, signer)

    def join(
        self,
        bounty_id: int,
        wish: Wish,
        signature: bytes,
        code: str | None,
        at: int,
        has_place: Callable[[list[Join]], bool],
        reader: str | None = None,
    ) -> Join:
        """Note a wish; the same again changes nothing.

        Args:
            bounty_id: The bounty.
            wish: The wish.
            signature: Of it.
            code: An invitation's.
            at: Chain time.
            has_place: Tells whether there is a place behind those who came before.
            reader: A key that may ask for the items' keys, too.

        Raises:
            RefusedError: They are not invited, asked for something else before, or it is full.
        """
        with self._write() as connection:
            served = _one(connection, bounty_id)
            known = find_join(connection, bounty_id, wish.signer)
            if known is not None and known.reason is None:
                if known.wish != wish:
                    raise ConflictError(
                        f"{wish.signer} asked for other seats before, and that stands"
                    )
                return known
            guest = None
            if served is not None and served.offer.is_invited_only:
                guest = admit(connection, bounty_id, wish.signer, code)
            if not has_place(joins_of(connection, bounty_id)):
                raise ConflictError("all seats are taken; look for another bounty")
            if known is not None:  # they were removed, and are invited again
                connection.execute(t.joins.delete().where(t.joins.c.number == known.number))
            connection.execute(
                t.joins.insert().values(
                    bounty_id=bounty_id,
                    signer=wish.signer,
                    payee=wish.payee,
                    seats=wish.seats,
                    signature=signature,
                    at=at,
                    guest=guest,
                )
            )
            where = (t.readers.c.bounty_id == bounty_id) & (t.readers.c.signer == wish.signer)
            connection.execute(t.readers.delete().where(where))
            if reader is not None:
                row = {"bounty_id": bounty_id, "signer": wish.signer, "reader": reader}
                connection.execute(t.readers.insert().values(**row))
            found = find_join(connection, bounty_id, wish.signer)
            assert found is not None
            return found

    def reader(self, bounty_id: int, signer: str) -> str | None:
        """Return the key that may ask for a signer's items beside them."""
        where = (t.readers.c.bounty_id == bounty_id) & (t.readers.c.signer == signer)
        with self._read() as connection:
            return connection.scalar(sa.select(t.readers.c.reader).where(where))

    def remove_join(self, bounty_id: int, signer: str, reason: str) -> None:
        """Let somebody who waits have no seats after all."""
        with self._write() as connection:
            where = (t.joins.c.bounty_id == bounty_id) & (t.joins.c.signer == signer)
            connection.execute(t.joins.update().where(where).values(reason=reason, batch=None))

    def guests(self, bounty_id: int) -> list[tuple[str, str, str | None]]:
        """Return who is invited: address or hash of a code, name, and who showed the code."""
        with self._read() as connection:
            query = sa.select(t.guests).where(t.guests.c.bounty_id == bounty_id)
            return [(row.guest, row.name, row.signer) for row in connection.execute(query)]

    # ------------------------------------------------------------------ commits

    def commits(self, bounty_id: int, seed: bytes) -> list[WaitingCommit]:
        """Return all signed commits under a seed, in the order in which they came."""
        with self._read() as connection:
            where = (t.commits.c.bounty_id == bounty_id) & (t.commits.c.seed == seed)
            query = sa.select(t.commits).where(where).order_by(t.commits.c.number)
            return [waiting_of(row) for row in connection.execute(query)]

    def commit(
        self, bounty_id: int, seed: bytes, commit: Commit, signature: bytes, at: int
    ) -> WaitingCommit:
        """Note a signed commit; the same again changes nothing.

        Raises:
            ConflictError: The worker signed another one before.
        """
        with self._write() as connection:
            where = (
                (t.commits.c.bounty_id == bounty_id)
                & (t.commits.c.seed == seed)
                & (t.commits.c.worker == commit.worker)
            )
            row = connection.execute(sa.select(t.commits).where(where)).one_or_none()
            if row is None:
                connection.execute(
                    t.commits.insert().values(
                        bounty_id=bounty_id,
                        seed=seed,
                        worker=commit.worker,
                        seats=commit.seats,
                        commitment=commit.commitment,
                        signature=signature,
                        at=at,
                    )
                )
                return WaitingCommit(commit, at, None)
        known = waiting_of(row)
        if known.commit != commit:
            raise ConflictError(
                f"worker {commit.worker} gave another commit before, and the first one counts"
            )
        return known

    # ------------------------------------------------------------------ batches

    def open_batches(self, bounty_id: int, kind: Kind) -> list[Batch]:
        """Return the batches that are not confirmed on the chain, in order."""
        where = _of_kind(bounty_id, kind) & (t.batches.c.state == SENT)
        with self._read() as connection:
            query = sa.select(t.batches).where(where).order_by(t.batches.c.number)
            return [batch_of(row) for row in connection.execute(query)]

    def plan_enroll(self, bounty_id: int, rows: Sequence[Row], *, is_last: bool) -> Batch:
        """Fix what the next `enroll` brings, before it is sent."""
        signers = [row.signer for row in rows if not row.is_gap]
        data = b"".join(row.pack() for row in rows)
        with self._write() as connection:
            batch = _plan(connection, bounty_id, "enroll", data, is_last=is_last)
            where = (t.joins.c.bounty_id == bounty_id) & t.joins.c.signer.in_(signers)
            connection.execute(t.joins.update().where(where).values(batch=batch.number))
        return batch

    def plan_commit(self, bounty_id: int, seed: bytes, rows: Sequence[Commit]) -> Batch:
        """Fix what the next `commit` brings, before it is sent."""
        workers = [row.worker for row in rows]
        data = b"".join(row.pack() for row in rows)
        with self._write() as connection:
            batch = _plan(connection, bounty_id, "commit", data, is_last=False)
            where = (
                (t.commits.c.bounty_id == bounty_id)
                & (t.commits.c.seed == seed)
                & t.commits.c.worker.in_(workers)
            )
            connection.execute(t.commits.update().where(where).values(batch=batch.number))
        return batch

    def finish(self, bounty_id: int, batch: Batch) -> None:
        """Note that a batch is confirmed on the chain."""
        with self._write() as connection:
            _set_state(connection, bounty_id, batch, DONE)

    def drop(self, bounty_id: int, batch: Batch) -> None:
        """Let those of a batch that cannot take effect any more wait again."""
        table = t.joins if batch.kind == "enroll" else t.commits
        with self._write() as connection:
            _set_state(connection, bounty_id, batch, DROPPED)
            where = (table.c.bounty_id == bounty_id) & (table.c.batch == batch.number)
            connection.execute(table.update().where(where).values(batch=None))

    # ------------------------------------------------------------------ files

    def put_file(self, bounty_id: int, worker: int, commitment: bytes, data: bytes) -> bool:
        """Keep a label file; returns whether it is new. The first of a commitment stays."""
        values = {"commitment": commitment, "data": data, "size": len(data)}
        return self._put(t.files, bounty_id, worker, values)

    def files(self, bounty_id: int) -> list[tuple[int, int, bytes]]:
        """Return worker, size and commitment of all label files."""
        table = t.files
        query = sa.select(table.c.worker, table.c.size, table.c.commitment)
        query = query.where(table.c.bounty_id == bounty_id).order_by(table.c.worker)
        with self._read() as connection:
            return [
                (row.worker, row.size, bytes(row.commitment)) for row in connection.execute(query)
            ]

    def file(self, bounty_id: int, worker: int) -> bytes | None:
        """Return a label file."""
        with self._read() as connection:
            row = _row(connection, t.files, bounty_id, worker)
        return None if row is None else bytes(row.data)

    def put_acknowledgement(
        self, bounty_id: int, worker: int, commitment: bytes, signature: bytes
    ) -> bool:
        """Keep an acknowledgement; returns whether it is new."""
        values = {"commitment": commitment, "signature": signature}
        return self._put(t.acknowledgements, bounty_id, worker, values)

    def acknowledgements(self, bounty_id: int) -> dict[int, bytes]:
        """Return by worker which commitment was acknowledged."""
        table = t.acknowledgements
        query = sa.select(table.c.worker, table.c.commitment)
        with self._read() as connection:
            found = connection.execute(query.where(table.c.bounty_id == bounty_id))
            return {row.worker: bytes(row.commitment) for row in found}

    def acknowledgement(self, bounty_id: int, worker: int) -> bytes | None:
        """Return the receiver's signature for a worker's file."""
        with self._read() as connection:
            row = _row(connection, t.acknowledgements, bounty_id, worker)
        return None if row is None else bytes(row.signature)

    def _put(self, table: sa.Table, bounty_id: int, worker: int, values: dict[str, Any]) -> bool:
        with self._write() as connection:
            known = _row(connection, table, bounty_id, worker)
            if known is not None and bytes(known.commitment) == values["commitment"]:
                return False
            connection.execute(table.delete().where(_of(table, bounty_id, worker)))
            key = {"bounty_id": bounty_id, "worker": worker}
            connection.execute(table.insert().values(**key, **values))
            return True

    # ------------------------------------------------------------------ deposits

    def put_deposit(
        self, bounty_id: int, seed: bytes, worker: int, request: DepositRequest
    ) -> Deposit:
        """Keep a deposit; a later one of the same commit may add the secret.

        Raises:
            ConflictError: Another commit was deposited before, under the same seed.
        """
        where = _of_seed(bounty_id, seed, worker)
        with self._write() as connection:
            row = connection.execute(sa.select(t.deposits).where(where)).one_or_none()
            if row is None:
                connection.execute(
                    t.deposits.insert().values(
                        bounty_id=bounty_id,
                        seed=seed,
                        worker=worker,
                        seats=request.seats,
                        commitment=request.commitment,
                        signature=request.signature,
                        file=request.file,
                        sealed_secret=request.sealed_secret,
                        state="kept",
                    )
                )
            elif bytes(row.commitment) != request.commitment or row.seats != request.seats:
                raise ConflictError(
                    f"worker {worker} left another commit before, and the first one counts"
                )
            elif row.sealed_secret is None and request.sealed_secret is not None:
                connection.execute(
                    t.deposits.update().where(where).values(sealed_secret=request.sealed_secret)
                )
            return deposit_of(connection.execute(sa.select(t.deposits).where(where)).one())

    def deposits(self, bounty_id: int, seed: bytes) -> list[Deposit]:
        """Return all deposits of a bounty under a seed."""
        where = (t.deposits.c.bounty_id == bounty_id) & (t.deposits.c.seed == seed)
        query = sa.select(t.deposits).where(where)
        with self._read() as connection:
            found = connection.execute(query.order_by(t.deposits.c.worker))
            return [deposit_of(row) for row in found]

    def deposit(self, bounty_id: int, seed: bytes, worker: int) -> Deposit | None:
        """Return a worker's deposit under a seed."""
        query = sa.select(t.deposits).where(_of_seed(bounty_id, seed, worker))
        with self._read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else deposit_of(row)

    def deposited(self) -> list[int]:
        """Return the bounties of which there are deposits."""
        with self._read() as connection:
            return list(connection.scalars(sa.select(t.deposits.c.bounty_id).distinct()))

    def set_deposit_state(self, bounty_id: int, seed: bytes, worker: int, state: str) -> None:
        """Note what was done last for who left a deposit."""
        with self._write() as connection:
            where = _of_seed(bounty_id, seed, worker)
            connection.execute(t.deposits.update().where(where).values(state=state))

    def drop_deposits(self, bounty_id: int) -> None:
        """Forget the deposits of a bounty that is over."""
        with self._write() as connection:
            connection.execute(t.deposits.delete().where(t.deposits.c.bounty_id == bounty_id))

    # ------------------------------------------------------------------ notices

    def add_notices(self, bounty_id: int, urls: Sequence[str], body: str, due_at: int) -> None:
        """Note what is to be posted; beyond ten thousand that wait, nothing more is kept."""
        if not urls:
            return
        with self._write() as connection:
            count = connection.scalar(sa.select(sa.func.count()).select_from(t.notices)) or 0
            if count + len(urls) <= _MAX_NOTICES:
                rows = [
                    {"bounty_id": bounty_id, "url": url, "body": body, "tries": 0, "due_at": due_at}
                    for url in urls
                ]
                connection.execute(t.notices.insert(), rows)

    def due_notices(self, now: int, limit: int = 20) -> list[Notice]:
        """Return what is to be posted now."""
        query = sa.select(t.notices).where(t.notices.c.due_at <= now)
        with self._read() as connection:
            found = connection.execute(query.order_by(t.notices.c.due_at).limit(limit))
            return [Notice(row.number, row.url, row.body, row.tries) for row in found]

    def delay_notice(self, number: int, due_at: int) -> None:
        """Post it again later."""
        with self._write() as connection:
            where = t.notices.c.number == number
            values = {"due_at": due_at, "tries": t.notices.c.tries + 1}
            connection.execute(t.notices.update().where(where).values(**values))

    def drop_notice(self, number: int) -> None:
        """Forget it: it arrived, or never will."""
        with self._write() as connection:
            connection.execute(t.notices.delete().where(t.notices.c.number == number))


def _one(connection: sa.Connection, bounty_id: int) -> Served | None:
    query = sa.select(t.bounties).where(t.bounties.c.bounty_id == bounty_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else served_of(row)


def _forget(connection: sa.Connection, bounty_id: int) -> None:
    for table in t.metadata.sorted_tables:
        if "bounty_id" in table.c:
            connection.execute(table.delete().where(table.c.bounty_id == bounty_id))


def _of_kind(bounty_id: int, kind: str) -> sa.ColumnElement[bool]:
    return (t.batches.c.bounty_id == bounty_id) & (t.batches.c.kind == kind)


def _plan(
    connection: sa.Connection, bounty_id: int, kind: Kind, data: bytes, *, is_last: bool
) -> Batch:
    where = _of_kind(bounty_id, kind)
    count = connection.scalar(sa.select(sa.func.count()).select_from(t.batches).where(where)) or 0
    values = {"kind": kind, "number": count, "is_last": is_last, "state": SENT}
    connection.execute(t.batches.insert().values(bounty_id=bounty_id, rows=data, **values))
    return Batch(kind, count, data, is_last, SENT)


def _set_state(connection: sa.Connection, bounty_id: int, batch: Batch, state: str) -> None:
    where = _of_kind(bounty_id, batch.kind) & (t.batches.c.number == batch.number)
    connection.execute(t.batches.update().where(where).values(state=state))


def _of(table: sa.Table, bounty_id: int, worker: int) -> sa.ColumnElement[bool]:
    return (table.c.bounty_id == bounty_id) & (table.c.worker == worker)


def _of_seed(bounty_id: int, seed: bytes, worker: int) -> sa.ColumnElement[bool]:
    return _of(t.deposits, bounty_id, worker) & (t.deposits.c.seed == seed)


def _row(
    connection: sa.Connection, table: sa.Table, bounty_id: int, worker: int
) -> sa.Row[Any] | None:
    return connection.execute(sa.select(table).where(_of(table, bounty_id, worker))).one_or_none()
