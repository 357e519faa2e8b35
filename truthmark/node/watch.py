# SPDX-License-Identifier: Apache-2.0
"""The role `watch`: acts for labelers who have left their signed commit and sealed file here.

It overrides what the relay posts wrongly or leaves out, hands the labels to the requester, posts
them on chain where nobody signs for them, and proves lies of scores: those that need nothing but
the chain for any labeler, the others for those who left their secret. It earns fees and rewards.
Without a secret it can read nothing. Everything is decided again in each round from the chain.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from truthmark.bounty import posting, reader
from truthmark.bounty.client import BountyClient
from truthmark.bounty.label_file import LabelFile
from truthmark.bounty.labeler import SignedCommit, Step, is_acknowledged, next_step
from truthmark.bounty.lies import Knowledge, Lie, find_lies
from truthmark.bounty.payouts import Status
from truthmark.bounty.record import Record
from truthmark.bounty.relay_client import RelayClient
from truthmark.bounty.sealing import OpenedRun, SealedRun, UnreadableError
from truthmark.bounty.view import BountyView, Seen
from truthmark.bounty.watching import derive_watch_key, open_secret
from truthmark.config.files import write_atomically
from truthmark.errors import (
    ConfigError,
    KeysError,
    RelayError,
    RevertedError,
    TruthmarkError,
)
from truthmark.keys.curve import multiply
from truthmark.node.job_pool import JobPool
from truthmark.node.relay.relay import Relay
from truthmark.node.rounds import BountyRounds, resume
from truthmark.node.status import Metrics, Notifier
from truthmark.waiting import Deadline

if TYPE_CHECKING:
    from truthmark.chain.connection import Block

log = logging.getLogger(__name__)

_BOUNTY_SECONDS: Final = 120.0
"""For all relays of a bounty, one time; the rest comes in later rounds, or goes on chain."""

_SCORED: Final = (Status.SCORED, Status.SCORED_HALF)


@dataclass(frozen=True, slots=True)
class Held:
    """A deposit, read.

    Attributes:
        signed: Commit, signature and labels; the secret is 0 where none was left.
        file: The label file.
        state: What was done last, in a word.
    """

    signed: SignedCommit
    file: LabelFile
    state: str

    @property
    def worker(self) -> int:
        """The row of the roster."""
        return self.signed.commit.worker


class WatchRole:
    """Deposits, and scores that may lie.

    Args:
        relay: Takes the deposits; its account pays the gas, and gets fees and rewards.
        find_relays: Returns where a bounty's labels are handed out; may take its time.
        gas_reserve: In wei; below it the operator is told.
        metrics: Counts what is done.
        notifier: Tells the operator.
        open_relay: Makes a client of an address.
        dry_run: Decide and log, but send nothing.
    """

    name = "watch"

    def __init__(
        self,
        relay: Relay,
        find_relays: Callable[[Record], Sequence[str]],
        *,
        gas_reserve: int,
        metrics: Metrics,
        notifier: Notifier,
        open_relay: Callable[[str], RelayClient] = RelayClient,
        dry_run: bool = False,
    ) -> None:
        """Take the role; nothing is done before the first round."""
        self.metrics = metrics
        self.notifier = notifier
        session = relay.session
        self._session = session
        self._desk = relay
        self._find_relays = find_relays
        self._rounds = BountyRounds(self.name, session, metrics, notifier, gas_reserve)
        self._open_relay = open_relay
        self._dry_run = dry_run
        self._client = BountyClient(session, waits=False)
        self._view = BountyView(session)
        self._pool = JobPool(2, "watch")
        self._relays: dict[str, RelayClient] = {}
        self._judged: dict[int, tuple[object, Lie | None]] = {}
        self._figures: dict[str, int] = {}
        self._scored: set[int] = set()
        self._read_until = -1
        self._key = derive_watch_key(
            session.signer.sign_typed,
            chain_id=session.profile.chain_id,
            board=self._client.board.address,
        )

    def close(self) -> None:
        """End the work beside the rounds."""
        self._pool.close()
        for relay in self._relays.values():
            relay.close()

    def health(self) -> Mapping[str, int]:
        """Return how many bounties and deposits it watches."""
        return dict(self._figures)

    def tick(self) -> "Block":
        """Look at all deposits and scores once, do what is due, and return the block looked at.

        Trouble with one bounty does not keep the others waiting.

        Raises:
            ChainError: The chain cannot be read.
            ConfigError: Index or journal cannot be used.
        """
        if not self._dry_run:
            resume(self._session)
        self._desk.views.refresh()
        block = self._view.refresh()
        self._rounds.watch_gas(block, "labelers who left their commits here lose their pay")
        deposited = self._desk.store.deposited()
        looked = self._view.look([*deposited, *self._look_for_scores(block)])
        count = 0
        for number, seen in looked.items():
            with self._rounds.guarded(number):
                if isinstance(seen, TruthmarkError):
                    raise seen
                held = self._held(seen.record) if number in deposited else []
                count += len(held)
                self._care(seen, held)
        self._figures = {"bounties": len(looked), "deposits": count}
        self.metrics.deposits.set(count)
        return block

    def _look_for_scores(self, block: "Block") -> set[int]:
        """Return the bounties whose score may still be disproved."""
        if self._view.has_turned:
            self._scored, self._read_until = set(), -1
        index, after = self._session.follower.index, (self._read_until, 2**31)
        for event in ("Scored", "LieProven", "BountyEnded"):
            rows = index.events(reader.BOARD, event, after=after, until_block=block.number)
            numbers = {row.args["bounty_id"] for row in rows}
            self._scored = self._scored | numbers if event == "Scored" else self._scored - numbers
        self._read_until = block.number
        return self._scored

    def _held(self, record: Record) -> list[Held]:
        found = []
        for deposit in self._desk.store.deposits(record.ref.bounty_id, record.seed):
            file = LabelFile.from_bytes(deposit.file)
            secret = 0
            if deposit.sealed_secret is not None:
                try:
                    secret = open_secret(
                        self._key, record.ref, deposit.worker, deposit.sealed_secret
                    )
                    if multiply(secret) != file.run.point:
                        raise KeysError(f"the secret of worker {deposit.worker} is another one's")
                except KeysError as error:
                    secret = 0
                    self.notifier.notify("problem", f"bounty {record.ref.bounty_id}: {error}")
            signed = SignedCommit(deposit.commit, deposit.signature, file.run, secret)
            found.append(Held(signed, file, deposit.state))
        return found

    # ------------------------------------------------------------------ one bounty

    def _care(self, seen: Seen, held: list[Held]) -> None:
        record = seen.record
        if record.status is Status.LABEL:
            self._carry(seen, held)
        elif record.status in _SCORED and seen.now <= seen.mark + record.terms.challenge_seconds:
            self._judge(seen, held)
        elif record.status.has_ended:
            if record.ref.bounty_id in self._desk.store.deposited():
                self._drop(seen)
            self._judged.pop(record.ref.bounty_id, None)

    def _drop(self, seen: Seen) -> None:
        """Drop the deposits of a bounty that has ended for good; they may be nowhere else."""
        final = self._session.chain.final_block()
        if final.timestamp < seen.mark:
            return  # another block may undo it
        self._client.require_certain(seen.record, final.hash)
        self._desk.store.drop_deposits(seen.record.ref.bounty_id)

    def _carry(self, seen: Seen, held: list[Held]) -> None:
        """Bring commits and labels of those who left to where they count."""
        record, to_hand = seen.record, []
        to_post: dict[int, SealedRun] = {}
        acknowledged = self._acknowledged(record, held)
        for one in held:
            step = next_step(
                record,
                one.signed,
                now=seen.now,
                mark=seen.mark,
                acknowledged=one.worker in acknowledged,
                lies=False,
            )
            match step:
                case Step.OVERRIDE:
                    self._override(seen, one)
                case Step.HAND_OUT | Step.POST:
                    to_hand.append(one)
                    if step is Step.POST:
                        to_post[one.worker] = one.signed.run
                    self._note(record, one, "handing out")
                case Step.LOST:
                    self._note(record, one, "lost")
                    self.notifier.notify(
                        "missed",
                        f"bounty {record.ref.bounty_id}: the commit of worker {one.worker} is not"
                        " on chain, and can no longer come there",
                    )
                case Step.WATCH:
                    self._note(record, one, "delivered")
                case _:
                    self._note(record, one, "waiting")
        if to_hand:
            name = "hand out", record.ref.bounty_id
            job = self._pool.ask(name, partial(self._hand_out, record, to_hand))
            if job.is_done:
                self._pool.forget(name)
        times = record.terms.deadlines(seen.mark)
        # Who is paid for it first, the relay, may be at it.
        patience = times.commit + 5 * record.terms.release_seconds // 8
        if to_post and seen.now > patience:
            self._post(record, to_post)

    def _override(self, seen: Seen, one: Held) -> None:
        record = seen.record
        index, number = self._session.follower.index, record.ref.bounty_id
        latest = reader.read_record(self._session.chain, index, number)
        if latest.commits.standing.get(one.worker) == one.signed.commit:
            return  # it is there, and not final yet
        shown = posting.override(latest, one.signed.commit, one.signed.signature)
        self._send("override", lambda: self._client.override(latest, shown), record)
        self._note(record, one, "overriding")

    def _post(self, record: Record, runs: dict[int, SealedRun]) -> None:
        together, alone = posting.plan_postings(record, runs)
        for shown, files in together:
            send = partial(self._client.post_sealed_chunk, record, shown, files)
            self._send("post", send, record)
        for one in alone:
            self._send("post", partial(self._client.post_sealed, record, one), record)

    def _hand_out(self, record: Record, held: list[Held]) -> None:
        """Give labels to whom they are for, and take the signatures; beside the rounds."""
        number, patience = record.ref.bounty_id, Deadline(_BOUNTY_SECONDS)
        for url in self._find_relays(record):
            if patience.is_over:
                return  # those of other bounties wait for their turn
            try:
                relay = self._relays.get(url) or self._open_relay(url)
                self._relays[url] = relay
                there = {entry.worker: entry for entry in relay.files(number)}
                for one in held:
                    if patience.is_over:
                        return
                    entry = there.get(one.worker)
                    if entry is None or entry.commitment != one.signed.commit.commitment:
                        relay.put_file(number, one.file)
                        continue
                    if not entry.is_acknowledged:
                        continue
                    signature = relay.acknowledgement(number, one.worker)
                    if signature is not None and is_acknowledged(
                        record, one.signed.commit, signature
                    ):
                        self._keep_signature(record, one.worker, signature)
            except (RelayError, ConfigError) as error:
                log.info("bounty %s: %s", number, error)

    # ---------------------------------------------------------------------- scores

    def _judge(self, seen: Seen, held: list[Held]) -> None:
        """Look for lies of a score, and send the proof of the first."""
        record = seen.record
        number, score = record.ref.bounty_id, record.require_score()
        signatures = self._acknowledged(record, held)
        secrets = {one.worker: one.signed.secret for one in held if one.signed.secret}
        matter = score.hash, sorted(signatures), sorted(secrets)
        if self._judged.get(number, (None,))[0] != matter:
            known = Knowledge(self._open(record, held), signatures, secrets)
            self._judged[number] = matter, next(find_lies(record, known), None)
        lie = self._judged[number][1]
        if lie is None:
            for one in held:
                self._note(record, one, "scored")
            return
        if not held and not record.terms.reward:
            return
        self._send("prove", partial(self._client.prove, record, lie), record)
        self.notifier.notify("lie", f"bounty {number}: {lie.says}; the proof is sent")
        for one in held:
            self._note(record, one, "proving")

    def _open(self, record: Record, held: list[Held]) -> dict[int, OpenedRun]:
        """Open the labels of those who left their secret, as far as they are what stands."""
        found = {}
        for one in held:
            commit = one.signed.commit
            if not one.signed.secret or record.commits.standing.get(one.worker) != commit:
                continue
            shared = multiply(one.signed.secret, record.terms.key)
            try:
                found[one.worker] = OpenedRun(
                    record.scheme(one.worker), one.signed.run, shared, commit.seats
                )
            except UnreadableError as error:
                log.info("%s", error)
        return found

    # ------------------------------------------------------------------- internals

    def _acknowledged(self, record: Record, held: list[Held]) -> dict[int, bytes]:
        """Return by worker the receiver's signature, as far as it is here and counts."""
        found = {}
        for one in held:
            try:
                signature = self._signature_path(record, one.worker).read_bytes()
            except FileNotFoundError:
                continue
            if is_acknowledged(record, one.signed.commit, signature):
                found[one.worker] = signature
        return found

    def _keep_signature(self, record: Record, worker: int, signature: bytes) -> None:
        path = self._signature_path(record, worker)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, signature)

    def _signature_path(self, record: Record, worker: int) -> Path:
        folder = f"{record.ref.bounty_id}-{record.terms.hash.hex()[:16]}"
        return self._session.home / "node" / "watch" / folder / f"{worker}.sig"

    def _note(self, record: Record, one: Held, state: str) -> None:
        if state != one.state:
            number, seed = record.ref.bounty_id, record.seed
            self._desk.store.set_deposit_state(number, seed, one.worker, state)

    def _send(self, kind: str, send: Callable[[], None], record: Record) -> None:
        """Send, without waiting; what a contract refuses is what somebody was faster with."""
        number = record.ref.bounty_id
        if self._dry_run:
            log.info("would %s for bounty %s", kind, number)
            return
        before = self._client.sent
        try:
            send()
        except RevertedError as error:
            self.metrics.problems.labels("refused").inc()
            log.info("bounty %s: %s was refused: %s", number, kind, error)
        self.metrics.actions.labels(kind).inc(self._client.sent - before)
