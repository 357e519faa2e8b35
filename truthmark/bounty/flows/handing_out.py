# SPDX-License-Identifier: Apache-2.0
"""What a labeler does after signing: the commit on chain, the file to the requester, the proof.

Nothing that opens or moves the labels leaves this machine before exactly their commit is on chain
and confirmed. What needs a transaction needs an account with some gas; without one the labeler is
told, and a node that they left their commit with does it.
"""

import base64
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from truthmark.bounty import labeler, posting
from truthmark.bounty.flows.desk import Desk
from truthmark.bounty.label_file import LabelFile, seal_notes
from truthmark.bounty.labeler import SignedCommit, Step
from truthmark.bounty.lies import Knowledge, Lie, find_lies
from truthmark.bounty.payouts import Status
from truthmark.bounty.record import Record
from truthmark.bounty.relays import relay_client, relay_models
from truthmark.bounty.sealing import OpenedRun
from truthmark.bounty.view import Seen
from truthmark.bounty.watching import seal_secret
from truthmark.errors import BountyError, ChainError, ConfigError, RelayError, RevertedError
from truthmark.keys.curve import multiply
from truthmark.text import format_time
from truthmark.waiting import Deadline

_HELPERS_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class WatchNode:
    """A node that a labeler lets act for them when they are gone.

    Attributes:
        url: Of its API.
        key: To which secrets are sealed, 32 bytes; None to leave none.
    """

    url: str
    key: bytes | None = None


class HandingOut:
    """What is signed, on its way.

    Args:
        desk: The labeler's.
    """

    def __init__(self, desk: Desk) -> None:
        """Take the desk."""
        self._desk = desk
        # By commitment: after a reorganisation that draws another seed it is another one.
        self._commit_given = b""
        self._given: set[tuple[bytes, str]] = set()
        self._failures: Counter[str] = Counter()

    def step(self, seen: Seen, signed: SignedCommit) -> Step:
        """Do what is due now, and return what that was.

        Args:
            seen: The chain's word.
            signed: The labeler's.

        Raises:
            ChainError: The chain cannot be read.
        """
        record = seen.record
        acknowledgement = self._acknowledgement(record, signed)
        lie = self._find_lie(record, signed)
        step = labeler.next_step(
            record,
            signed,
            now=seen.now,
            mark=seen.mark,
            acknowledged=acknowledgement is not None,
            lies=lie is not None,
        )
        match step:
            case Step.WAIT:
                self._give_commit(signed, seen.now)
            case Step.OVERRIDE:
                return self._override(seen, signed)
            case Step.HAND_OUT | Step.POST:
                if self._hand_out(seen, signed):
                    return Step.WATCH
                if step is Step.POST:
                    self._post(record, signed)
            case Step.PROVE:
                assert lie is not None, "or there is nothing to prove"
                self._prove(record, lie)
        return step

    def leave_with(self, nodes: Sequence[WatchNode], seen: Seen, signed: SignedCommit) -> list[str]:
        """Leave the signed commit and the sealed file with nodes that act for who goes.

        Before the commit is on chain, no node of the bounty's own may have them: with the requester
        it could read the labels, post nothing, and nobody would be paid.

        Args:
            nodes: Which; those that get a key could also prove a lie, and read.
            seen: The chain's word.
            signed: The labeler's.

        Returns:
            The addresses of those that took it.
        """
        desk, record, commit = self._desk, seen.record, signed.commit
        document = desk.document(record.terms)
        own = {desk.entry.relay, *document.relay_urls, *document.receiver_urls}
        own = {url.rstrip("/") for url in own | {node.url for node in document.watch}}
        is_final = record.commits.standing.get(commit.worker) == commit
        if is_final and any(node.url.rstrip("/") in own for node in nodes):
            desk.certain(seen)  # as for handing out: one endpoint might lie for the requester
        taken = []
        for node in nodes:
            if node.url.rstrip("/") in own and not is_final and not record.terms.is_team:
                desk.tell(
                    f"{node.url} is the bounty's own; it gets nothing before the commit is on chain"
                )
                continue
            sealed = None
            if node.key is not None:
                sealed = seal_secret(node.key, desk.ref, commit.worker, signed.secret)
            request = relay_models.DepositRequest(
                seats=commit.seats,
                commitment=commit.commitment,
                signature=signed.signature,
                file=base64.b64encode(self._file(record, signed).to_bytes()),
                sealed_secret=sealed,
            )
            try:
                desk.relay(node.url, is_named=True).deposit(desk.bounty_id, commit.worker, request)
            except RelayError as error:
                desk.tell(f"nothing is left with {node.url}: {error}")
                continue
            taken.append(node.url)
        return taken

    # --------------------------------------------------------------------- commit

    def _give_commit(self, signed: SignedCommit, now: int) -> None:
        desk, commit = self._desk, signed.commit
        if self._commit_given == commit.commitment:
            return
        request = relay_models.CommitRequest(
            worker=commit.worker,
            seats=commit.seats,
            commitment=commit.commitment,
            signature=signed.signature,
        )
        try:
            state = desk.relay(desk.entry.relay).commit(desk.bounty_id, request)
        except RelayError as error:
            # What it does not post in time is overridden; see `labeler.next_step`.
            desk.trouble("the commit is signed and kept, but the relay does not take it", error)
            return
        self._commit_given = commit.commitment
        if state.state == "waiting" and state.posts_by is not None:
            at = format_time(state.posts_by, now)
            desk.tell(f"the relay posts your commit at the latest {at}", once="posts")

    def _override(self, seen: Seen, signed: SignedCommit) -> Step:
        """Put the signed commit in place of the relay's word, unless it is there but not final."""
        desk, times = self._desk, seen.record.terms.deadlines(seen.mark)
        latest = desk.client.read(desk.bounty_id)
        profile = desk.session.profile
        patience = 2 * profile.confirmations * profile.block_time
        standing = latest.commits.standing.get(signed.commit.worker)
        if standing == signed.commit and seen.now + patience < times.commit:
            return Step.WAIT
        shown = posting.override(latest, signed.commit, signed.signature)
        self._spend(
            "the relay posted something else for you, or nothing; your signed commit must replace"
            f" it until {format_time(times.commit)}",
            lambda: desk.client.override(latest, shown),
        )
        return Step.OVERRIDE

    # ----------------------------------------------------------------------- file

    def _file(self, record: Record, signed: SignedCommit) -> LabelFile:
        """Return the file that is handed out, with what the requester alone may read.

        Raises:
            BountyError: The texts that stand for the labels cannot be read.
        """
        file = signed.file(record)
        try:
            with self._desk.folder.answers() as answers:
                notes = answers.to_notes()
        except BountyError as error:
            if not record.terms.classes:
                raise  # the texts are what was asked for, and the first file of a commit stays
            # Labels are worth more than notes.
            self._desk.tell(f"handed out without seconds and flags: {error}", once="notes")
            return file
        shared = multiply(signed.secret, record.terms.key)
        return replace(file, notes=seal_notes(shared, notes))

    def _hand_out(self, seen: Seen, signed: SignedCommit) -> bool:
        """Give the file to relay and receiver; returns whether it is acknowledged."""
        desk, record, commitment = self._desk, seen.record, signed.commit.commitment
        if not any(given == commitment for given, _ in self._given):
            desk.certain(seen)
        patience = Deadline(_HELPERS_SECONDS)
        for helper in self._helpers(record):
            if patience.is_over:
                break  # what the labels need on chain must not wait for addresses that drip
            try:
                if (commitment, helper.url) not in self._given:
                    helper.put_file(desk.bounty_id, self._file(record, signed))
                    self._given.add((commitment, helper.url))
                signature = helper.acknowledgement(desk.bounty_id, signed.commit.worker)
            except RelayError as error:
                self._failures[helper.url] += 1
                desk.trouble(f"{helper.url} does not take the labels", error)
                continue
            if signature is None:
                continue
            if labeler.is_acknowledged(record, signed.commit, signature):
                desk.folder.keep_acknowledgement(signed.commit.commitment, signature)
                desk.tell("the requester has signed for your labels")
                return True
            desk.tell(f"{helper.url} shows a signature for your labels that is not the receiver's")
        return False

    def _helpers(self, record: Record) -> "list[relay_client.RelayClient]":
        """Return where files are handed out: the relay, and the requester's receiver beside.

        Who did not answer comes last the next time.
        """
        document, entry = self._desk.document(record.terms), self._desk.entry
        urls = dict.fromkeys([entry.relay, *document.relay_urls, *document.receiver_urls])
        return [self._desk.relay(url) for url in sorted(urls, key=self._failures.__getitem__)]

    def _acknowledgement(self, record: Record, signed: SignedCommit) -> bytes | None:
        found = self._desk.folder.find_acknowledgement(signed.commit.commitment)
        if found is not None and labeler.is_acknowledged(record, signed.commit, found):
            return found
        return None

    def _post(self, record: Record, signed: SignedCommit) -> None:
        shown = posting.posting(record, signed.commit.worker, signed.run)
        self._spend(
            "nobody has signed for your labels; they must be posted on chain, sealed",
            lambda: self._desk.client.post_sealed(record, shown),
        )

    # ---------------------------------------------------------------------- score

    def knowledge(self, record: Record, signed: SignedCommit) -> Knowledge:
        """Return what this labeler knows beside the chain, where their commit stands on it.

        Args:
            record: The bounty, as the chain has it.
            signed: The labeler's commit, and what it is of.
        """
        worker, acknowledgement = signed.commit.worker, self._acknowledgement(record, signed)
        if record.commits.standing.get(worker) != signed.commit:
            return Knowledge()
        shared = multiply(signed.secret, record.terms.key)
        opened = OpenedRun(record.scheme(worker), signed.run, shared, signed.commit.seats)
        return Knowledge(
            {worker: opened},
            {} if acknowledgement is None else {worker: acknowledgement},
            {worker: signed.secret},
        )

    def _find_lie(self, record: Record, signed: SignedCommit) -> Lie | None:
        """Return the first lie of the score that this labeler can prove, about any labeler."""
        if record.status not in (Status.SCORED, Status.SCORED_HALF):
            return None
        return next(find_lies(record, self.knowledge(record, signed)), None)

    def _prove(self, record: Record, lie: Lie) -> None:
        self._spend(
            f"the score is wrong ({lie.says}), which must be proven",
            lambda: self._desk.client.prove(record, lie),
        )

    def _spend(self, why: str, send: Callable[[], None]) -> None:
        """Send a transaction; where nobody here can pay for it, say so and go on."""
        desk = self._desk
        desk.tell(why)
        try:
            desk.session.require_account()
            send()
        except RevertedError as error:
            # Somebody else, such as a watch node, may have been faster; the chain will tell.
            desk.tell(f"the chain refuses that: {error}")
        except (ConfigError, ChainError) as error:
            desk.tell(f"that needs an account with some gas: {error}")
