# SPDX-License-Identifier: Apache-2.0
"""Labels on their way to the requester: fetched, opened, put on disk, and only then signed for."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, Protocol

from truthmark.bounty import reader
from truthmark.bounty.annotations import SKIPPED
from truthmark.bounty.label_file import LabelFile, open_notes
from truthmark.bounty.labeler import is_acknowledged
from truthmark.bounty.receiving import Received, acknowledgement, read_file, receive
from truthmark.bounty.record import Record
from truthmark.bounty.relay_client import RelayClient
from truthmark.bounty.result_tables import Notes
from truthmark.bounty.secrets import RequesterSecrets
from truthmark.bounty.text_tables import texts_of
from truthmark.bounty.verify import codes_by_item
from truthmark.bounty.workspace import Workspace
from truthmark.errors import BountyError, RelayError, RelayUnavailableError
from truthmark.keys.abi_hash import address_bytes
from truthmark.keys.typed import TypedData, sign
from truthmark.session import Session
from truthmark.waiting import Deadline

SignTyped = Callable[[TypedData], bytes]

_RELAY_SECONDS: Final = 60.0
"""For all files of a bounty at one look."""


class Tell(Protocol):
    """Tells the operator what matters, each matter once; a node's notifier does."""

    def __call__(self, kind: str, text: str, about: str | None = None) -> None:
        """Take a kind, a line, and what it is about where the text changes."""


@dataclass(frozen=True)
class Collected:
    """What a collector had at the end of a look.

    Attributes:
        record: The bounty as it was seen.
        now: Chain time at that look; what came to a relay before is here.
        received: By worker, labels that are what stands on chain.
        unreadable: Workers who posted on chain what nobody can open.
        silent: Relays that could not be asked, with what was wrong.
        unserved: Those of them that know nothing of the bounty.
    """

    record: Record | None = None
    now: int = 0
    received: Mapping[int, Received] = field(default_factory=dict)
    unreadable: frozenset[int] = frozenset()
    silent: Mapping[str, str] = field(default_factory=dict)
    unserved: frozenset[str] = frozenset()

    @property
    def missing(self) -> list[int]:
        """Workers who committed and of whom nothing is here."""
        standing = self.record.commits.standing if self.record is not None else {}
        return [w for w in standing if w not in self.received and w not in self.unreadable]


class Collector:
    """Collects the labels of one bounty.

    Args:
        session: Whose index is read.
        workspace: Where files are kept.
        secrets: Of the bounty.
        relays: Where labelers hand out their files.
        sign: Signs as the receiver of the terms; None where its key is not here.
        tell: Tells the operator.

    Attributes:
        last: What the last look had.
    """

    def __init__(
        self,
        session: Session,
        workspace: Workspace,
        secrets: RequesterSecrets,
        relays: Sequence[RelayClient],
        *,
        sign: SignTyped | None,
        tell: Tell,
    ) -> None:
        """Have nothing yet."""
        self.last = Collected()
        self._session = session
        self._workspace = workspace
        self._secret = secrets.scalar
        self._relays = relays
        self._sign = sign
        self._tell = tell
        self._received: dict[int, Received] = {}
        self._handed: set[tuple[str, int]] = set()
        # Labelers bring files while others are fetched.
        self._lock = threading.RLock()
        self._textless: dict[int, set[str]] = {}
        """Workers whose texts did not come with their hashes, and where they were asked for."""

    def forget(self) -> None:
        """Drop what is in memory; it is on disk, too."""
        self.last, self._received = Collected(), {}

    @property
    def owes_signatures(self) -> bool:
        """Whether the receiver has not signed for all labels that are here."""
        handed = {worker for _, worker in self._handed}
        return self._sign is not None and any(
            one.opened is not None and worker not in handed
            for worker, one in self.last.received.items()
        )

    def collect(self, record: Record, now: int) -> None:
        """Fetch what can be had of the labels that stand on chain; may take its time.

        Args:
            record: What is confirmed.
            now: Chain time.

        Raises:
            StorageError: The workspace cannot be written.
        """
        standing = record.commits.standing
        with self._lock:
            for worker, one in list(self._received.items()):
                if worker not in standing or standing[worker].commitment != one.run.commitment:
                    del self._received[worker]  # overridden since
            self._take_kept(record)
        silent, unserved = {}, set()
        for relay in self._relays:
            try:
                self._take_from(relay, record)
            except RelayError as error:
                silent[relay.url] = str(error)
                if error.status == HTTPStatus.NOT_FOUND:
                    unserved.add(relay.url)
        unreadable = self._take_posted(record)
        with self._lock:
            received = dict(self._received)
        self.last = Collected(record, now, received, unreadable, silent, frozenset(unserved))

    def take(self, record: Record, worker: int, data: bytes) -> None:
        """Take a file that its labeler brought: kept, and signed for, before this returns.

        Args:
            record: What is confirmed.
            worker: Who is said to have brought it.
            data: The file.

        Raises:
            BountyError: It is not what stands on chain for the worker, or does not open.
            StorageError: The workspace cannot be written.
        """
        file = read_file(record, worker, data)
        with self._lock:
            if worker not in self._received or worker in self._textless:
                self._keep(record, worker, file, "the labeler")
            one = self._received[worker]
            if one.run.commitment != record.commits.standing[worker].commitment:
                raise BountyError("the commit was overridden a moment ago; send it again")
            if one.opened is None:
                raise BountyError("these labels do not open to what was committed to")
            if self._sign is None:
                raise BountyError("the key of the receiver is not here; try again later")
            if acknowledgement_for(record, self._workspace, worker) is None:
                signature = self._sign(acknowledgement(record, worker))
                self._workspace.put_acknowledgement(worker, signature)

    def _take_kept(self, record: Record) -> None:
        """Open what the workspace has, as after a restart."""
        for worker, data in self._workspace.files():
            if worker in self._received or worker not in record.commits.standing:
                continue
            try:
                file = read_file(record, worker, data)
                one = receive(record, worker, file.run, self._secret)
                self._received[worker] = one
                if self._lacks_texts(record, file, one):
                    self._textless.setdefault(worker, set())
            except BountyError:
                # Of a commit that was overridden since, or damaged: what stands is fetched again.
                self._workspace.set_aside(worker)

    def _take_from(self, relay: RelayClient, record: Record) -> None:
        patience = Deadline(_RELAY_SECONDS)
        for entry in relay.files(record.ref.bounty_id):
            if patience.is_over:
                # What came is kept. A score that waits for one that drips comes too late.
                raise RelayUnavailableError(f"{relay.url} answers too slowly; it is asked again")
            worker = entry.worker
            standing = record.commits.standing.get(worker)
            if standing is None or standing.commitment != entry.commitment:
                continue  # not confirmed yet, or not what stands: nothing is signed for it
            if worker not in self._received or self._may_have_texts(relay, worker):
                try:
                    file = relay.file(record.ref, worker, entry.commitment)
                    self._keep(record, worker, file, relay.url)
                except RelayError:
                    raise
                except BountyError as error:
                    self._tell("file", f"{relay.url}: {error}", about=f"{relay.url} {worker}")
                    continue
            if not entry.is_acknowledged:
                self._acknowledge(relay, record, worker)

    def _take_posted(self, record: Record) -> frozenset[int]:
        """Take what workers posted on chain, and return whose that nobody can open."""
        left = [worker for worker in record.posted if worker not in self._received]
        if not left:
            return frozenset()
        runs = reader.read_posted(self._session.follower.index, record.ref.bounty_id)
        unreadable = set()
        for worker in left:
            run = runs.get(worker)
            if run is None:
                unreadable.add(worker)
            else:
                seats = record.commits.standing[worker].seats
                self._keep(record, worker, LabelFile(record.ref, worker, seats, run), "the chain")
        return frozenset(unreadable)

    def _may_have_texts(self, relay: RelayClient, worker: int) -> bool:
        """Whether a relay that was not asked yet may have texts that another one left out."""
        return worker in self._textless and relay.url not in self._textless[worker]

    def _lacks_texts(self, record: Record, file: LabelFile, one: Received) -> bool:
        """Whether texts that were committed to are not in a file; its notes are nobody's word."""
        if record.terms.classes or one.opened is None:
            return False
        try:
            notes = Notes.read(open_notes(one.opened.shared, file.notes))
        except BountyError:
            notes = Notes()
        codes = codes_by_item(record, file.worker, one.opened).values()
        found = texts_of(record, {file.worker: one.opened}, {file.worker: notes})[file.worker]
        return len(found) < sum(code != SKIPPED for code in codes)

    def _keep(self, record: Record, worker: int, file: LabelFile, source: str) -> None:
        """Open labels and put them on disk."""
        with self._lock:
            self._keep_locked(record, worker, file, source)

    def _keep_locked(self, record: Record, worker: int, file: LabelFile, source: str) -> None:
        one = receive(record, worker, file.run, self._secret)
        if self._lacks_texts(record, file, one):
            is_first = worker not in self._textless
            self._textless.setdefault(worker, set()).add(source)
            self._tell(
                "texts",
                f"bounty {record.ref.bounty_id}: {source} has the hashes of worker {worker} without"
                " all of their texts; ask the worker for them, for hashes alone are paid, too",
                about=f"{record.ref.bounty_id} {worker} texts",
            )
            if not is_first:
                return  # what is here is as good
        else:
            self._textless.pop(worker, None)
        if self._workspace.file(worker) is not None:
            self._workspace.set_aside(worker)
        self._workspace.put_file(worker, file.to_bytes())
        self._received[worker] = one
        if one.opened is None:
            self._tell(
                "unreadable",
                f"bounty {record.ref.bounty_id}: the labels of worker {worker} do not open to what"
                " they committed to; nothing is signed for them, and the score says so",
                about=f"{record.ref.bounty_id} {worker}",
            )

    def _acknowledge(self, relay: RelayClient, record: Record, worker: int) -> None:
        """Sign for labels that are on disk and open."""
        matter = relay.url, worker
        # A relay that goes on denying what it was handed is not asked again and again; the labeler
        # posts on chain then.
        if self._sign is None or self._received[worker].opened is None or matter in self._handed:
            return
        signature = self._sign(acknowledgement(record, worker))
        self._workspace.put_acknowledgement(worker, signature)
        relay.put_acknowledgement(record.ref.bounty_id, worker, signature)
        self._handed.add(matter)


def signed_for(record: Record, workspace: Workspace) -> dict[int, bytes]:
    """Return by worker the receiver's signature for what stands on chain, as far as it was given.

    Args:
        record: The bounty.
        workspace: Where signatures are kept.
    """
    found = {w: acknowledgement_for(record, workspace, w) for w in workspace.acknowledged()}
    return {worker: signature for worker, signature in found.items() if signature is not None}


def acknowledgement_for(record: Record, workspace: Workspace, worker: int) -> bytes | None:
    """Return the receiver's signature for what stands on chain for a worker, if it was given.

    Args:
        record: The bounty, as the chain has it.
        workspace: The requester's folder of the bounty.
        worker: Row of the roster, from 0.
    """
    signature, standing = workspace.acknowledgement(worker), record.commits.standing.get(worker)
    if standing is None or signature is None or not is_acknowledged(record, standing, signature):
        return None
    return signature


def receiver_of(session: Session, secrets: RequesterSecrets, receiver: str) -> SignTyped | None:
    """Return what signs as the receiver of the terms; None where its key is not here.

    Args:
        session: Whose account may be the receiver.
        secrets: Of the bounty, from which the receiver's key may follow.
        receiver: Of the terms.
    """
    if address_bytes(secrets.receiver) == address_bytes(receiver):
        return lambda message: sign(message, secrets.receiver_key)
    if address_bytes(session.address) == address_bytes(receiver):
        return session.signer.sign_typed
    return None
