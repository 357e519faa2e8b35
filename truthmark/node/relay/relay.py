# SPDX-License-Identifier: Apache-2.0
"""What a relay accepts, and what it answers: the rules, without HTTP and without sending anything.

Nobody has to trust it, so it has only to be honest to those who use it honestly: what is accepted
is checked first (signatures, roster, chain), is on disk when it is answered, and stands.
"""

import json
import logging
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from truthmark.bounty import messages
from truthmark.bounty.commits import Commit, chunks_of
from truthmark.bounty.document import POST_ROWS, POST_SECONDS
from truthmark.bounty.items import item_key
from truthmark.bounty.labeler import is_acknowledged
from truthmark.bounty.payouts import Status
from truthmark.bounty.phases import phase_of
from truthmark.bounty.record import Record
from truthmark.bounty.relay_models import (
    Acknowledgement,
    BountyStatus,
    Calls,
    CommitRequest,
    CommitState,
    FileEntry,
    Joined,
    JoinRequest,
    JoinState,
    Keys,
    KeysRequest,
    OfferReply,
    OfferRequest,
    RelayInfo,
    WatchKey,
)
from truthmark.bounty.roster import Row
from truthmark.bounty.terms import NO_ACCOUNT, Terms
from truthmark.errors import BountyError, ChainError
from truthmark.keys.abi_hash import address_bytes
from truthmark.keys.typed import signer_of
from truthmark.node.relay.deposits import Deposits
from truthmark.node.relay.kept import Join, Served, WaitingCommit
from truthmark.node.relay.lookup import Lookup, parse_file, require_labeling
from truthmark.node.relay.papers import Papers
from truthmark.node.relay.policy import RelayPolicy
from truthmark.node.relay.refusals import (
    ConflictError,
    ForbiddenError,
    MissingError,
    RefusedError,
)
from truthmark.node.relay.rhythm import Rhythm, safe_until
from truthmark.node.relay.rows import Wish, is_full, rows_for
from truthmark.node.relay.signatures import admits
from truthmark.node.relay.store import RelayStore
from truthmark.node.relay.views import View, Views
from truthmark.session import Session

log = logging.getLogger(__name__)

_LIST_SECONDS: Final = 0.5
_WAIT_PART: Final = 8


class Relay:
    """A node's relay, and its desk for deposits.

    Args:
        session: Whose account relays.
        store: What was accepted.
        folder: Where papers are kept.
        policy: The operator's.
        views: How bounties stand; read from the session's chain if not given.

    Attributes:
        url: Under which others reach it.
        local_url: Under which it is reached from this machine; empty while it does not listen.
        lookup: Finds bounties.
        deposits: Takes what labelers leave, if this node watches.
    """

    def __init__(
        self,
        session: Session,
        store: RelayStore,
        folder: Path,
        policy: RelayPolicy,
        views: Views | None = None,
    ) -> None:
        """Open nothing yet; `views.refresh` must have looked once before anything is asked."""
        self.session = session
        self.account = session.address
        self.store = store
        self.policy = policy
        self.url = policy.url
        self.local_url = ""
        self.papers = Papers(folder, policy.max_bytes)
        self.views = views or Views(session)
        self.lookup = Lookup(session, store, policy, self.views)
        self.deposits = Deposits(session, store, policy, self.lookup)
        self._listing = threading.Lock()
        self._listed: tuple[float, list[BountyStatus]] = (0.0, [])

    @property
    def now(self) -> int:
        """Chain time."""
        return self.views.block.timestamp

    # ------------------------------------------------------------------ everybody

    def info(self, requester: str | None = None) -> RelayInfo:
        """Return who this is, and whether a requester is served for less than others."""
        roles = [("relay", self.policy.relays), ("watch", self.policy.watches)]
        return RelayInfo(
            chain_id=self.session.profile.chain_id,
            board=self.views.client.board.address,
            account=self.account,
            url=self.url,
            version=self.policy.version,
            roles=[name for name, is_on in roles if is_on],
            watch=[*self._own_watch(), *self.policy.watch],
            min_fees=dict(self.policy.min_fees),
            knows_requester=requester is not None and self._knows(requester),
            max_bytes=self.policy.max_bytes,
            fetches=self.policy.fetches,
        )

    def _knows(self, requester: str) -> bool:
        return requester in {self.account, *self.policy.requesters}

    def _own_watch(self) -> list[WatchKey]:
        return [WatchKey(url=self.url, key=self.policy.watch_key)] if self.policy.watches else []

    def statuses(self) -> list[BountyStatus]:
        """Return how all served bounties stand that are not over."""
        # Everybody asks this first, and nobody needs it newer than this.
        with self._listing:
            if time.monotonic() > self._listed[0]:
                found = self._list()
                self._listed = time.monotonic() + _LIST_SECONDS, found
            return self._listed[1]

    def _list(self) -> list[BountyStatus]:
        found = []
        for served in self.store.all_served(is_over=False):
            try:
                found.append(self.status(served.bounty_id))
            except (BountyError, ChainError) as error:  # one must not hide the others
                log.info("bounty %d: %s", served.bounty_id, error)
        return found

    def status(self, bounty_id: int) -> BountyStatus:
        """Return how a bounty stands."""
        served, view = self.lookup.served(bounty_id)
        record, terms = view.record, view.terms
        roster = record.roster
        is_open, is_labeling = record.status is Status.OPEN, record.status is Status.LABEL
        times = terms.deadlines(view.mark) if is_labeling else None
        joins = self.store.joins(bounty_id)
        waiting = self.waiting_joins(record, joins) if is_open else []
        rows = self._rows(record, waiting)
        taken = sum(row.seats for row in [*roster.rows, *rows] if not row.is_gap)
        position = roster.position + sum(row.seats for row in rows)
        fresh = self.waiting_commits(view)
        document = self.papers.document(bounty_id, terms)
        missing = self.papers.missing(bounty_id, terms)
        return BountyStatus(
            bounty_id=bounty_id,
            terms_hash=terms.hash,
            title="" if document is None else document.title,
            status=int(record.status),
            phase=phase_of(record, view.mark, self.now).name,
            chain_time=self.now,
            join_until=view.mark + terms.join_seconds if is_open else view.mark,
            label_until=times.label if times else None,
            commit_until=times.commit if times else None,
            post_until=times.post if times else None,
            score_until=times.score if times else None,
            seed=record.seed,
            seats=terms.seats,
            min_seats=terms.min_seats,
            taken=taken,
            is_full=not is_open or is_full(terms, position, len(roster) + len(rows)),
            is_invited_only=served.offer.is_invited_only,
            waiting=len(waiting),
            enrolled=int((roster.runs > 0).sum()),
            committed=int((record.committed > 0).sum()),
            uncommitted=len(fresh),
            posted=len(record.posted),
            files=len(self.store.files(bounty_id)),
            acknowledged=len(self.store.acknowledgements(bounty_id)),
            next_enroll_at=self.enrolls_at(view, waiting) if is_open else None,
            next_post_at=self.posts_at(view, fresh) if is_labeling else None,
            has_document="document" not in missing,
            has_manifest="manifest" not in missing,
            has_data="data" not in missing,
            is_encrypted=document is not None and document.items.encrypted,
        )

    def roster(self, bounty_id: int) -> Calls:
        """Return what `enroll` calls brought to the chain."""
        roster = self.lookup.view(bounty_id).record.roster
        calls = [roster.chunks(number) for number in range(len(roster.calls))]
        return Calls(calls=calls, block=self.views.block.number)

    def commits(self, bounty_id: int) -> Calls:
        """Return what `commit` calls brought."""
        commits = self.lookup.view(bounty_id).record.commits
        return Calls(
            calls=[chunks_of(rows) for rows in commits.calls], block=self.views.block.number
        )

    # ------------------------------------------------------------------ requesters

    def offer(self, bounty_id: int, request: OfferRequest) -> OfferReply:
        """Take a requester's offer: from now on the bounty is served.

        Raises:
            RefusedError: It is not theirs, or nothing for this relay.
        """
        if not self.policy.relays:
            raise ForbiddenError("this node does not relay; the terms must name one that does")
        view = self.lookup.find(bounty_id)
        terms = view.terms
        if request.terms_hash != terms.hash:
            raise ConflictError("the board holds other terms for this bounty; read them again")
        if address_bytes(terms.relay) != address_bytes(self.account):
            raise ForbiddenError(f"the terms name another relay ({terms.relay}); offer it there")
        self._require_paid(terms)
        ref = view.record.ref
        message = messages.serve(ref, terms.hash, offer_hash=request.offer.hash)
        if not self.lookup.is_signed(message, request.signature, terms.requester):
            raise ForbiddenError("the requester of the terms has not signed this offer")
        token = self.store.offer(bounty_id, terms.hash, request.offer)
        missing = self.papers.missing(bounty_id, terms)
        return OfferReply(upload_token=token, missing=missing)

    def require_requester(self, bounty_id: int, token: str | None) -> Terms:
        """Return the terms of a bounty, for its requester alone.

        Raises:
            ForbiddenError: The token is not that of the newest offer.
        """
        view = self.lookup.view(bounty_id)
        if token is None or not self.store.is_requester(bounty_id, token):
            raise ForbiddenError("only with the token that the newest offer brought; offer again")
        return view.terms

    def joined(self, bounty_id: int) -> list[Joined]:
        """Return who was invited, and who asked for seats."""
        roster = self.lookup.view(bounty_id).record.roster
        enrolled = {row.signer for row in roster.rows if not row.is_gap}
        guests = self.store.guests(bounty_id)
        names = {guest: name for guest, name, _ in guests}
        joins = self.store.joins(bounty_id)
        came = {join.guest for join in joins}
        found = [
            Joined(
                account=join.wish.signer,
                name=names.get(join.guest or "", ""),
                state="enrolled"
                if join.wish.signer in enrolled
                else "waiting"
                if join.reason is None
                else "removed",
            )
            for join in joins
        ]
        return found + [
            Joined(account=guest if len(guest) == 42 else None, name=name, state="invited")
            for guest, name, _ in guests
            if guest not in came
        ]

    def _require_paid(self, terms: Terms) -> None:
        if self._knows(terms.requester):
            return
        least = self.policy.min_fees.get(terms.token)
        if least is None:
            raise ForbiddenError("this relay does not serve strangers who pay in this token")
        if terms.relay_fee < least:
            raise ForbiddenError(
                f"this relay asks for a fee of {least} a worker, in the token's smallest unit, and "
                f"the terms pay {terms.relay_fee}"
            )

    # ------------------------------------------------------------------ joining

    def join(self, bounty_id: int, request: JoinRequest) -> JoinState:
        """Note that somebody wants seats.

        Raises:
            RefusedError: They cannot have any.
        """
        view = self.lookup.view(bounty_id)
        record, terms = view.record, view.terms
        wish = Wish(request.signer, request.payee, request.seats)
        known = self.store.find_join(bounty_id, wish.signer)
        if known is not None and known.wish == wish and known.reason is None:
            return self._join_state(view, known)
        until = self.joins_until(view)
        if record.status is not Status.OPEN or self.now >= until:
            raise ConflictError("joining is over; look for another bounty")
        if NO_ACCOUNT in (wish.signer, wish.payee):
            raise RefusedError("signer and payee are accounts, not zero")
        if wish.seats < terms.min_run:
            raise RefusedError(f"the terms ask for at least {terms.min_run} seats; take more")
        message = messages.join(
            record.ref, terms.hash, signer=wish.signer, payee=wish.payee, seats=wish.seats
        )
        if not self.lookup.is_signed(message, request.signature, wish.signer):
            raise ForbiddenError("this join is not signed by its signer")
        if terms.gate != NO_ACCOUNT and not self.is_admitted(view, wish.signer):
            raise ForbiddenError("the gate of the terms does not admit this signer")

        def has_place(joins: list[Join]) -> bool:
            if any(batch.is_last for batch in self.store.open_batches(bounty_id, "enroll")):
                return False  # the call that closes joining is on its way
            waiting = [join.wish for join in self.waiting_joins(record, joins)]
            rows = self._rows_for(record, [*waiting, wish])
            return bool(rows) and rows[-1].signer == wish.signer

        found = self.store.join(
            bounty_id,
            wish,
            request.signature,
            request.code,
            self.now,
            has_place,
            request.reader,
        )
        return self._join_state(view, found)

    def join_state(self, bounty_id: int, signer: str) -> JoinState:
        """Return how a signer's wish stands.

        Raises:
            MissingError: There is none.
        """
        view = self.lookup.view(bounty_id)
        known = self.store.find_join(bounty_id, signer)
        if known is None:
            raise MissingError(f"{signer} has not asked for seats here")
        return self._join_state(view, known)

    def _join_state(self, view: View, join: Join) -> JoinState:
        for worker, row in enumerate(view.record.roster.rows):
            if row.signer == join.wish.signer:
                return JoinState(state="enrolled", worker=worker, seats=row.seats, payee=row.payee)
        wish = join.wish
        common = {"worker": None, "seats": wish.seats, "payee": wish.payee}
        if join.reason is not None:
            return JoinState(state="removed", reason=join.reason, **common)
        if view.record.status is not Status.OPEN:
            reason = "joining ended before the relay could enroll"
            return JoinState(state="removed", reason=reason, **common)
        waiting = self.waiting_joins(view.record, self.store.joins(view.record.ref.bounty_id))
        return JoinState(state="waiting", enrolls_by=self.enrolls_at(view, waiting), **common)

    def joins_until(self, view: View) -> int:
        """Return the last moment to enroll somebody safely."""
        terms = view.terms
        return safe_until(
            view.mark + terms.join_seconds, terms.join_seconds, self.policy.margin_seconds
        )

    def waiting_joins(self, record: Record, joins: Iterable[Join]) -> list[Join]:
        """Return those who wait for a row: not removed, and not on the chain."""
        enrolled = {row.signer for row in record.roster.rows}
        return [join for join in joins if join.reason is None and join.wish.signer not in enrolled]

    def is_admitted(self, view: View, signer: str) -> bool:
        """Ask the gate of a bounty."""
        return admits(self.session.chain, view.terms.gate, view.record.ref.bounty_id, signer)

    def enrolls_at(self, view: View, waiting: list[Join]) -> int | None:
        """Return when waiting joins are sent at the latest, if nothing hurries that."""
        oldest = min((join.at for join in waiting), default=None)
        terms = view.terms
        workers = -(-terms.seats // terms.max_run)  # as many at least
        rhythm = self._rhythm(view, workers, terms.join_seconds)
        return rhythm.sends_at(len(waiting), oldest, self.joins_until(view))

    def _rows(self, record: Record, waiting: list[Join]) -> list[Row]:
        return self._rows_for(record, [join.wish for join in waiting])

    def _rows_for(self, record: Record, wishes: list[Wish]) -> list[Row]:
        roster = record.roster
        return rows_for(record.terms, wishes, position=roster.position, workers=len(roster))

    def _rhythm(self, view: View, workers: int, window: int) -> Rhythm:
        """Return when the rows of a bounty with so many workers are sent.

        Never so late that a crash costs a part of the window that could be missed.
        """
        document = self.papers.document(view.record.ref.bounty_id, view.terms)
        soon = max(1, window // _WAIT_PART)
        if document is None:
            return Rhythm(POST_ROWS, min(POST_SECONDS, soon))
        return Rhythm(document.rows_to_post(workers), min(document.post_seconds, soon))

    # ------------------------------------------------------------------ labeling

    def keys(self, bounty_id: int, request: KeysRequest) -> Keys:
        """Return the keys of a worker's items.

        Raises:
            RefusedError: They are not this worker's, or there are none.
        """
        served, view = self.lookup.served(bounty_id)
        record, row = self.lookup.settled_row(view, request.worker)
        secret = served.offer.items_secret
        if secret is None:
            raise MissingError("the items of this bounty need no keys")
        terms = record.terms
        message = messages.item_keys(record.ref, terms.hash, record.seed, worker=request.worker)
        reader = self.store.reader(bounty_id, row.signer)
        asker = signer_of(message, request.signature)
        is_reader = reader is not None and asker is not None and asker == reader
        if not is_reader and not self.lookup.is_signed(message, request.signature, row.signer):
            raise ForbiddenError("this question is not signed by the row's signer")
        start = int(record.roster.starts[request.worker])
        items = record.assignment.items_of(start, row.seats).tolist()
        return Keys(keys={item: item_key(secret, item) for item in items if item >= 0})

    def commit(self, bounty_id: int, request: CommitRequest) -> CommitState:
        """Take a signed commit, to be posted.

        Raises:
            RefusedError: It is not the worker's, or it comes too late.
        """
        view = self.lookup.view(bounty_id)
        record, row = self.lookup.settled_row(view, request.worker)
        require_labeling(view)
        commit = Commit(request.worker, request.seats, request.commitment)
        self.lookup.require_commit(record, row, commit, request.signature)
        if commit.worker not in record.commits.standing and self.now > self.commits_until(view):
            raise ConflictError("it is too late to be posted by the relay; override it yourself")
        self.store.commit(bounty_id, record.seed, commit, request.signature, self.now)
        return self.commit_state(bounty_id, request.worker)

    def commit_state(self, bounty_id: int, worker: int) -> CommitState:
        """Return how a worker's commit stands.

        Raises:
            MissingError: There is none.
        """
        view = self.lookup.view(bounty_id)
        record = view.record
        given = {entry.commit.worker: entry for entry in self.store.commits(bounty_id, record.seed)}
        entry, standing = given.get(worker), record.commits.standing.get(worker)
        if standing is None:
            if entry is None:
                raise MissingError(f"worker {worker} has not committed here")
            return CommitState(
                state="waiting",
                seats=entry.commit.seats,
                commitment=entry.commit.commitment,
                posts_by=self.posts_at(view, self.waiting_commits(view)),
            )
        found = {"seats": standing.seats, "commitment": standing.commitment}
        if worker in record.commits.overrides:
            return CommitState(state="overridden", **found)
        call = record.commits.evidence(worker).call
        tx, block = view.sent[call]
        is_same = entry is None or entry.commit == standing
        return CommitState(state="posted" if is_same else "differs", tx=tx, block=block, **found)

    def commits_until(self, view: View) -> int:
        """Return the last moment to post commits safely."""
        terms = view.terms
        window, margin = terms.label_seconds, self.policy.margin_seconds
        return safe_until(terms.deadlines(view.mark).label, window, margin)

    def waiting_commits(self, view: View) -> list[WaitingCommit]:
        """Return commits that are not on the chain."""
        record = view.record
        if record.status is not Status.LABEL:
            return []
        return [
            entry
            for entry in self.store.commits(record.ref.bounty_id, record.seed)
            if entry.commit.worker not in record.commits.standing
        ]

    def posts_at(self, view: View, waiting: list[WaitingCommit]) -> int | None:
        """Return when waiting commits are posted at the latest, if nothing hurries that."""
        oldest = min((entry.at for entry in waiting), default=None)
        rhythm = self._rhythm(view, len(view.record.roster), view.terms.label_seconds)
        return rhythm.sends_at(len(waiting), oldest, self.commits_until(view))

    # ------------------------------------------------------------------ files

    def put_file(self, bounty_id: int, worker: int, data: bytes) -> bool:
        """Keep a label file whose commit is final; returns whether it is new.

        Raises:
            RefusedError: It is not what was committed, or its commit is not final yet.
        """
        served, view = self.lookup.served(bounty_id)
        record, _ = self.lookup.settled_row(view, worker)
        require_labeling(view)
        file = parse_file(data)
        commit = Commit(file.worker, file.seats, file.run.commitment)
        if (file.ref, file.worker) != (record.ref, worker):
            raise RefusedError("this file is of another bounty or worker")
        standing = record.commits.standing.get(worker)
        if standing is None:
            raise ConflictError(
                "its commit is not confirmed on chain yet; keep the file until it is"
            )
        if standing != commit:
            raise ConflictError("this file is not what the worker committed to")
        is_new = self.store.put_file(bounty_id, worker, commit.commitment, data)
        if is_new:
            self.notify(served, "file", worker=worker)
        return is_new

    def files(self, bounty_id: int) -> list[FileEntry]:
        """Return which label files are here.

        Raises:
            MissingError: The bounty is not served. It is the requester's side that asks: they have
                to offer it, again where it was lost, while all others wait for that.
        """
        if self.store.served(bounty_id) is None:
            raise MissingError(f"bounty {bounty_id} is not served here; its requester offers it")
        self.lookup.served(bounty_id)
        acknowledged = self.store.acknowledgements(bounty_id)
        return [
            FileEntry(
                worker=worker,
                size=size,
                commitment=commitment,
                is_acknowledged=acknowledged.get(worker) == commitment,
            )
            for worker, size, commitment in self.store.files(bounty_id)
        ]

    def file(self, bounty_id: int, worker: int) -> bytes:
        """Return a label file.

        Raises:
            MissingError: It is not here.
        """
        self.lookup.served(bounty_id)
        data = self.store.file(bounty_id, worker)
        if data is None:
            raise MissingError(f"the file of worker {worker} is not here")
        return data

    def put_acknowledgement(self, bounty_id: int, worker: int, request: Acknowledgement) -> bool:
        """Keep the receiver's word; returns whether it is new.

        Raises:
            RefusedError: It is not the receiver's, or about no commit.
        """
        view = self.lookup.view(bounty_id)
        record, _ = self.lookup.settled_row(view, worker)
        standing = record.commits.standing.get(worker)
        if standing is None:
            raise ConflictError(f"worker {worker} has no confirmed commit to acknowledge")
        if not is_acknowledged(record, standing, request.signature):
            raise ForbiddenError("this is not signed by the receiver of the terms")
        commitment = standing.commitment
        return self.store.put_acknowledgement(bounty_id, worker, commitment, request.signature)

    def acknowledgement(self, bounty_id: int, worker: int) -> Acknowledgement:
        """Return the receiver's word for a worker.

        Raises:
            MissingError: There is none.
        """
        self.lookup.served(bounty_id)
        signature = self.store.acknowledgement(bounty_id, worker)
        if signature is None:
            raise MissingError(f"nothing is acknowledged for worker {worker} yet")
        return Acknowledgement(signature=signature)

    # ------------------------------------------------------------------ notices

    def notify(self, served: Served, event: str, **facts: int | str) -> None:
        """Note something that the requester wants to be told."""
        body = {"event": event, "bounty_id": served.bounty_id, "relay": self.account} | facts
        self.store.add_notices(served.bounty_id, served.offer.webhooks, json.dumps(body), 0)
