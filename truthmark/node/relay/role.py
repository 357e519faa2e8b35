# SPDX-License-Identifier: Apache-2.0
"""The role `relay`: what the relay has accepted goes to the chain, round after round.

What a call brings is on disk before it is sent, and the next one is planned only when the chain
shows it, or when it can never take effect. So a relay that is killed goes on with exactly what it
had begun, and a reorganisation, after which the journal sends the same again, brings no row twice.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from truthmark.bounty.client import MAX_ROWS
from truthmark.bounty.label_file import LabelFile
from truthmark.bounty.payouts import Status
from truthmark.bounty.phases import SEED_SECONDS
from truthmark.bounty.posting import posting, postings
from truthmark.bounty.record import Record
from truthmark.bounty.roster import Row
from truthmark.bounty.sealing import SealedRun
from truthmark.bounty.terms import NO_ACCOUNT
from truthmark.errors import ChainUnavailableError, RevertedError, StorageError
from truthmark.node.job_pool import JobPool
from truthmark.node.relay.fetching import fetch_papers
from truthmark.node.relay.kept import Batch, Join, Kind, Served
from truthmark.node.relay.relay import Relay
from truthmark.node.relay.rows import is_full, rows_for
from truthmark.node.relay.views import View
from truthmark.node.relay.webhooks import Webhooks
from truthmark.node.rounds import BountyRounds, resume
from truthmark.node.status import Metrics, Notifier

if TYPE_CHECKING:
    from truthmark.chain.connection import Block

log = logging.getLogger(__name__)

_EVENTS: Final[dict[Kind, str]] = {"enroll": "enrolled", "commit": "committed"}

MAX_GATED_ROWS: Final = 64
"""Rows in one call where each asks a gate, which may use 100,000 gas."""


class RelayRole:
    """A relay's rounds.

    Args:
        relay: What it has accepted.
        gas_reserve: In wei; below it the operator is told.
        metrics: Counts what is done.
        notifier: Tells the operator.
        dry_run: Say what is served, but fix and send nothing.
    """

    name = "relay"

    def __init__(
        self,
        relay: Relay,
        *,
        gas_reserve: int,
        metrics: Metrics,
        notifier: Notifier,
        dry_run: bool = False,
    ) -> None:
        """Take the role; nothing is done before the first round."""
        self.relay = relay
        self.metrics = metrics
        self.notifier = notifier
        self._rounds = BountyRounds(self.name, relay.session, metrics, notifier, gas_reserve)
        self._dry_run = dry_run
        self._client = relay.views.client
        self._pool = JobPool(2, "papers") if relay.policy.fetches else None
        self._webhooks = Webhooks(relay.store, private=relay.policy.private)
        self._figures: dict[str, int] = {}
        self._said: dict[int, Status] = {}

    def close(self) -> None:
        """End what is done beside the rounds."""
        self._webhooks.close()
        if self._pool is not None:
            self._pool.close()

    def health(self) -> Mapping[str, int]:
        """Return what is served, and what waits to be sent."""
        return dict(self._figures)

    def tick(self) -> "Block":
        """Look at all bounties that are served, and send what is due.

        Trouble with one bounty does not keep the others waiting.

        Raises:
            ChainError: The chain cannot be read.
            ConfigError: Index or journal cannot be used.
        """
        relay = self.relay
        if not self._dry_run:
            resume(relay.session)
        block = relay.views.refresh()
        served = relay.store.all_served(is_over=False)
        waiting = 0
        for bounty in served:
            # Chain and database are those of all bounties.
            with self._rounds.guarded(bounty.bounty_id, ChainUnavailableError, StorageError):
                waiting += self._care(bounty)
        self._rounds.watch_gas(block, "nothing that was accepted here goes to the chain")
        self._figures = {"bounties": len(served), "waiting": waiting}
        self._webhooks.post_due(int(time.time()))
        return block

    def _fetch(self, pool: JobPool, served: Served, view: View) -> None:
        """Bring what is missing of a bounty from the storage, beside the rounds."""
        papers, number = self.relay.papers, served.bounty_id
        name = number, view.terms.hash
        if not papers.missing(number, view.terms):
            pool.forget(name)
            return
        storage, terms = self.relay.session.storage, view.terms
        job = pool.ask(name, lambda: fetch_papers(papers, storage, number, terms, check=pool.check))
        if job.error is not None and job.failures == 1:
            log.info("bounty %d: its papers are not fetched yet: %s", number, job.error)

    # ------------------------------------------------------------------ one bounty

    def _care(self, served: Served) -> int:
        """Do what is due for a bounty, and return how many rows wait."""
        relay = self.relay
        view = relay.views.get(served.bounty_id)
        if view.terms.hash != served.terms_hash:
            return 0  # the chain has left the branch on which it was; the requester offers again
        status = view.record.status
        if self._dry_run:
            if self._said.get(served.bounty_id) != status:
                self._said[served.bounty_id] = status
                log.info("would look after bounty %d (%s)", served.bounty_id, status.name)
            return 0
        if self._pool is not None and status <= Status.LABEL:
            self._fetch(self._pool, served, view)
        if status is Status.OPEN:
            return self._enroll(served, view)
        self._unshown(served, view, "enroll")
        if status is Status.DRAWN:
            is_known = relay.views.block.number >= view.seed_block
            if not is_known or relay.now > view.mark + SEED_SECONDS:
                return 0
            self._send("draw", served, lambda: self._client.fix_seed(served.bounty_id))
            return 0
        if status is Status.LABEL and view.is_settled:
            waiting = self._commit(served, view)
            self._post_sealed(served, view)
            return waiting
        if status.has_ended and view.final is view.record:
            relay.store.end(served.bounty_id)
            log.info("bounty %d has ended (%s)", served.bounty_id, status.name)
            relay.notify(served, "ended", status=int(status))
        return 0

    def _enroll(self, served: Served, view: View) -> int:
        relay, record, terms = self.relay, view.record, view.terms
        waiting = relay.waiting_joins(record, relay.store.joins(served.bounty_id))
        late = self._unshown(served, view, "enroll")
        if late is None and relay.now > view.mark + terms.join_seconds:
            if int(record.roster.runs.sum()) >= terms.min_seats:
                bounty_id = served.bounty_id
                self._send("close", served, lambda: self._client.close_joining(bounty_id, terms))
            return 0
        batch = late or self._plan_enroll(served, view, waiting)
        if batch is not None:
            self._send_enroll(served, view, batch)
        return len(waiting)

    def _unshown(self, served: Served, view: View, kind: Kind) -> Batch | None:
        """Return the batch that the chain does not show, if there is one; note what it confirms."""
        store = self.relay.store
        for batch in store.open_batches(served.bounty_id, kind):
            if view.final is not None and _shows(view.final, batch):
                store.finish(served.bounty_id, batch)
                rows = len(batch.rows if kind == "enroll" else batch.commits)
                self.relay.notify(served, _EVENTS[kind], rows=rows)
                self.metrics.actions.labels(kind).inc()
                log.info("bounty %d: %d rows %s", served.bounty_id, rows, _EVENTS[kind])
            elif not _shows(view.record, batch):
                return batch
        return None

    def _plan_enroll(self, served: Served, view: View, waiting: list[Join]) -> Batch | None:
        """Fix the next rows, if it is time for them."""
        relay, terms, roster = self.relay, view.terms, view.record.roster
        until, held = relay.joins_until(view), int(roster.runs.sum())
        # Those of a batch are never planned again: it may yet come back after a reorganisation.
        waiting = [join for join in waiting if join.batch is None]
        wishes = [join.wish for join in waiting]
        rows = rows_for(terms, wishes, position=roster.position, workers=len(roster))
        seats = held + sum(row.seats for row in rows if not row.is_gap)
        position = roster.position + sum(row.seats for row in rows)
        is_complete = is_full(terms, position, len(roster) + len(rows)) or self._all_came(served)
        at = relay.enrolls_at(view, waiting)
        is_due = at is not None and relay.now >= min(at, until)
        may_close = seats >= terms.min_seats and (is_complete or (is_due and relay.now >= until))
        if not may_close and not (rows and (is_due or is_complete)):
            return None
        if terms.gate != NO_ACCOUNT:
            refused = [w.signer for w in wishes if not relay.is_admitted(view, w.signer)]
            for signer in refused:
                reason = "the gate of the terms does not admit this signer any more"
                relay.store.remove_join(served.bounty_id, signer, reason)
            if refused:
                return None  # the others come in the next round
        limit = MAX_ROWS if terms.gate == NO_ACCOUNT else MAX_GATED_ROWS
        first = _without_gap(rows[:limit])
        is_last = may_close and len(first) == len(rows)
        return relay.store.plan_enroll(served.bounty_id, first, is_last=is_last)

    def _all_came(self, served: Served) -> bool:
        """Whether nobody else can join, because all who were invited have."""
        if not served.offer.is_invited_only:
            return False
        guests = {guest for guest, _, _ in self.relay.store.guests(served.bounty_id)}
        came = {
            join.guest for join in self.relay.store.joins(served.bounty_id) if join.reason is None
        }
        return guests <= came

    def _send_enroll(self, served: Served, view: View, batch: Batch) -> None:
        relay, roster = self.relay, view.record.roster
        bounty_id, terms, rows = served.bounty_id, view.terms, batch.rows

        def send() -> None:
            self._client.enroll(bounty_id, terms, rows, closes=batch.is_last)

        refusal = self._send("enroll", served, send)
        if refusal is None:
            return
        # It is on no chain. Where what it hangs on has changed, nobody is left out by planning
        # again; else the endpoint may be behind.
        wishes = [join.wish for join in relay.store.joins(bounty_id) if join.batch == batch.number]
        again = rows_for(terms, wishes, position=roster.position, workers=len(roster))
        is_late = relay.now > view.mark + terms.join_seconds
        if terms.gate != NO_ACCOUNT or again != rows or is_late:
            relay.store.drop(bounty_id, batch)
        else:
            raise refusal

    def _commit(self, served: Served, view: View) -> int:
        relay, record = self.relay, view.record
        bounty_id, terms = served.bounty_id, view.terms
        waiting = relay.waiting_commits(view)
        batch = self._unshown(served, view, "commit")
        if batch is None and relay.now <= terms.deadlines(view.mark).label:
            fresh = [entry for entry in waiting if entry.batch is None]
            at = relay.posts_at(view, fresh)
            is_everybody = int((record.roster.runs > 0).sum()) == (
                len(record.commits.standing) + len(fresh)
            )
            if at is not None and (is_everybody or relay.now >= at):
                rows = [entry.commit for entry in fresh[:MAX_ROWS]]
                batch = relay.store.plan_commit(bounty_id, record.seed, rows)
        if batch is not None:
            rows = batch.commits
            ours = {entry.commit for entry in relay.store.commits(bounty_id, record.seed)}
            # What was signed under a seed that the chain has left is worth nothing.
            if not ours.issuperset(rows) or self._send(
                "commit", served, lambda: self._client.commit(bounty_id, terms, rows)
            ):
                relay.store.drop(bounty_id, batch)
        return len(waiting)

    def _post_sealed(self, served: Served, view: View) -> None:
        """Put sealed labels on chain, half-way, for whom the receiver has not signed."""
        relay, record, terms = self.relay, view.record, view.terms
        times = terms.deadlines(view.mark)
        half = times.commit + terms.release_seconds // 2
        if not half < relay.now <= times.post:
            return
        acknowledged = relay.store.acknowledgements(served.bounty_id)
        runs: dict[int, SealedRun] = {}
        for worker, _, commitment in relay.store.files(served.bounty_id):
            standing = record.commits.standing.get(worker)
            if (
                worker not in record.posted
                and standing is not None
                and standing.commitment == commitment != acknowledged.get(worker)
            ):
                data = relay.store.file(served.bounty_id, worker)
                if data is not None:
                    runs[worker] = LabelFile.from_bytes(data).run
        alone = set(runs)
        for call, chunk in _chunks(record):
            shown, files = postings(record, runs, call, chunk)
            if not files:
                continue
            rows = record.commits.calls[call][32 * chunk : 32 * chunk + 32]
            alone -= {rows[file[0]].worker for file in files}
            self._send(
                "post",
                served,
                lambda shown=shown, files=files: self._client.post_sealed_chunk(  # type: ignore[misc]
                    record, shown, files
                ),
            )
        for worker in sorted(alone):
            one = posting(record, worker, runs[worker])
            self._send("post", served, lambda one=one: self._client.post_sealed(record, one))  # type: ignore[misc]

    # ------------------------------------------------------------------ sending

    def _send(self, kind: str, served: Served, send: Callable[[], None]) -> RevertedError | None:
        """Send, without waiting; what a contract refuses was sent nowhere and is returned.

        Raises:
            ChainError: It cannot be sent now; the next round tries again.
        """
        try:
            send()
        except RevertedError as error:
            self.metrics.problems.labels("refused").inc()
            log.info("bounty %d: %s was refused: %s", served.bounty_id, kind, error)
            return error
        return None


def _shows(record: Record, batch: Batch) -> bool:
    """Whether a record shows what a batch brings: no signer or worker is in two of them."""
    if batch.kind == "commit":
        return all(row.worker in record.commits.standing for row in batch.commits)
    enrolled = {row.signer for row in record.roster.rows if not row.is_gap}
    is_closed = record.status is not Status.OPEN
    return {row.signer for row in batch.rows if not row.is_gap} <= enrolled and (
        is_closed or not batch.is_last
    )


def _without_gap(rows: list[Row]) -> list[Row]:
    """A gap at the end of a call could come twice alike; it goes with the row behind it."""
    while rows and rows[-1].is_gap:
        rows = rows[:-1]
    return rows


def _chunks(record: Record) -> Iterator[tuple[int, int]]:
    for call, rows in enumerate(record.commits.calls):
        for chunk in range(-(-len(rows) // 32)):
            yield call, chunk
