# SPDX-License-Identifier: Apache-2.0
"""The role `receiver`: a requester's bounties from the first join to the last payout.

What is done with one of them stands in `bounty/flows/running`; fetching and opening go on beside
the rounds, so that a slow relay makes no score late.
"""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING

from truthmark.bounty import reader
from truthmark.bounty.flows.collecting import acknowledgement_for
from truthmark.bounty.flows.running import RequesterRun, is_done
from truthmark.bounty.payouts import Status
from truthmark.bounty.phases import phase_of
from truthmark.bounty.relay_client import RelayClient
from truthmark.bounty.view import BountyView, Seen
from truthmark.bounty.workspace import Workspace
from truthmark.errors import BountyError, TruthmarkError
from truthmark.keys.abi_hash import address_bytes
from truthmark.node.job_pool import JobPool
from truthmark.node.relay.refusals import ConflictError, MissingError, RefusedError
from truthmark.node.rounds import BountyRounds, resume
from truthmark.node.status import Metrics, Notifier
from truthmark.session import Session

if TYPE_CHECKING:
    from truthmark.chain.connection import Block

FollowUp = Callable[[Session, Workspace], object]
"""Begins what comes after a bounty that is over, such as its next wave, which names it in its
draft. Asked again after a kill, it begins nothing twice."""


def no_follow_up(session: Session, workspace: Workspace) -> None:
    """Begin nothing."""


class ReceiverRole:
    """A requester's bounties.

    Args:
        session: Of the requester.
        metrics: Counts what is done.
        notifier: Tells the operator.
        bounties: Which ones, with their later waves; all of this home if not given.
        own_relay: Returns where the account's own relay answers, if this node is one: it stands
            for the addresses of documents whose terms name it.
        open_relay: Makes a client of such an address.
        withdraws: Whether what comes back is paid out to the requester at the end.
        gas_reserve: In wei; below it the operator is told.
        follow_up: Begins what comes after a bounty; may take its time.
        dry_run: Log in which phase each is, but fetch and send nothing.

    Attributes:
        runs: By number, the bounties; what is over and followed leaves them.
        seen: By number, how each stood at the last look.
    """

    name = "receiver"

    def __init__(
        self,
        session: Session,
        *,
        metrics: Metrics,
        notifier: Notifier,
        bounties: Collection[int] | None = None,
        own_relay: Callable[[], str] = str,
        open_relay: Callable[[str], RelayClient] = RelayClient,
        withdraws: bool = True,
        gas_reserve: int = 0,
        follow_up: FollowUp = no_follow_up,
        dry_run: bool = False,
    ) -> None:
        """Take the role; nothing is done before the first round."""
        self.metrics = metrics
        self.runs: dict[int, RequesterRun] = {}
        self.seen: dict[int, Seen] = {}
        self._session = session
        self._notifier = notifier
        self._bounties = None if bounties is None else {*bounties}
        self._own_relay = own_relay
        self._open_relay = open_relay
        self._withdraws = withdraws
        self._follow_up = follow_up
        self._dry_run = dry_run
        self._known: set[str] = set()
        self._ended: set[int] = set()
        self._view = BountyView(session)
        self._rounds = BountyRounds(self.name, session, metrics, notifier, gas_reserve)
        self._pool = JobPool(2, "labels")

    @property
    def is_over(self) -> bool:
        """Whether there are bounties, and nothing is left to do for any."""
        runs = self.runs.values()
        return bool(runs or self._ended) and all(run.is_over and run.is_followed for run in runs)

    def close(self) -> None:
        """End the work beside the rounds."""
        self._pool.close()
        for run in self.runs.values():
            run.close()

    def health(self) -> Mapping[str, int]:
        """Return how many bounties are not over."""
        return {"bounties": sum(not run.is_over for run in self.runs.values())}

    def tick(self) -> "Block":
        """Look at every bounty once, do what is due, and return the block that was looked at.

        Raises:
            ChainError: The chain cannot be read.
            ConfigError: Index or journal cannot be used.
        """
        if not self._dry_run:
            resume(self._session)
        block = self._view.refresh()
        self._find()
        running = [number for number, run in self.runs.items() if not run.is_over]
        self.metrics.bounties.set(len(running))
        self._rounds.watch_gas(block, "no score can be posted and everybody is paid in full")
        for number, seen in self._view.look(running).items():
            with self._rounds.guarded(number):
                if isinstance(seen, TruthmarkError):
                    raise seen
                self.seen[number] = seen
                self._process(self.runs[number], seen)
                if self.runs[number].is_over:
                    del self.seen[number]  # it holds all of its record
                    self.runs[number].close()
        for number, run in list(self.runs.items()):
            if run.is_over and not run.is_followed and not self._dry_run:
                self._follow(number, run)
            if run.is_over and run.is_followed:  # a node that runs for years keeps its number alone
                self._ended.add(number)
                del self.runs[number]
        return block

    # --------------------------------------------------------------------- labelers

    def take_file(self, bounty_id: int, worker: int, data: bytes) -> None:
        """Keep a label file whose commit is final, and sign for it.

        Args:
            bounty_id: The bounty's number.
            worker: The row of the roster.
            data: The file.

        Raises:
            RefusedError: It is not what stands on chain for the worker, or the bounty is not here.
            StorageError: It cannot be written.
        """
        run, seen = self._run_of(bounty_id)
        if seen.record.status is not Status.LABEL:
            raise ConflictError("labeling is over; what comes now changes nothing")
        if worker not in seen.record.commits.standing:
            raise ConflictError(
                "its commit is not confirmed on chain yet; keep the file until it is"
            )
        try:
            run.take_file(seen.record, worker, data)
        except RefusedError:
            raise
        except BountyError as error:
            raise RefusedError(str(error)) from error

    def acknowledgement(self, bounty_id: int, worker: int) -> bytes:
        """Return the receiver's signature for a worker's labels.

        Raises:
            MissingError: There is none.
        """
        run, seen = self._run_of(bounty_id)
        signature = acknowledgement_for(seen.record, run.workspace, worker)
        if signature is None:
            raise MissingError(f"nothing is acknowledged for worker {worker} yet")
        return signature

    def _run_of(self, bounty_id: int) -> tuple[RequesterRun, Seen]:
        run, seen = self.runs.get(bounty_id), self.seen.get(bounty_id)
        if run is None or seen is None:
            raise MissingError(f"bounty {bounty_id} is not received here, or not any more")
        return run, seen

    # ----------------------------------------------------------------------- rounds

    def _process(self, run: RequesterRun, seen: Seen) -> None:
        if self._dry_run:
            phase = phase_of(seen.record, seen.mark, seen.now)
            self._notifier.notify("phase", f"bounty {run.ref.bounty_id}: {phase.says}")
            return
        offer = "offer", run.ref.bounty_id
        if run.has_to_offer(seen):
            job = self._pool.ask(offer, run.offer)
            if job.is_done:
                self._pool.forget(offer)
            elif job.error is not None:
                self._rounds.problem("relay", str(job.error), about=f"relay of {run.ref.bounty_id}")
        else:
            self._notifier.resolve("problem", f"relay of {run.ref.bounty_id}")
        name = "collect", run.ref.bounty_id
        if run.has_to_collect(seen):
            job = self._pool.ask(name, partial(run.collect, seen))
            if job.is_done:
                self._pool.forget(name)
                self._notifier.resolve("problem", f"labels of {run.ref.bounty_id}")
            elif job.error is not None:
                text = f"bounty {run.ref.bounty_id}: labels are not fetched: {job.error}"
                self._rounds.problem("labels", text, about=f"labels of {run.ref.bounty_id}")
        run.step(self._view, seen)

    def _follow(self, number: int, run: RequesterRun) -> None:
        """Begin what comes after a bounty, beside the rounds."""
        name = "follow", number
        job = self._pool.ask(name, partial(self._follow_up, self._session, run.workspace))
        if job.is_done:
            run.note_followed()
            self._pool.forget(name)
        elif job.error is not None:
            self._rounds.problem("wave", f"bounty {number}: {job.error}", about=f"after {number}")

    def _find(self) -> None:
        """Take on what was created since the last round."""
        session = self._session
        board = getattr(session.chain, reader.BOARD).address
        for workspace in Workspace.all(session.home):
            matter = str(workspace.folder)
            if matter in self._known:
                continue
            try:
                if is_done(workspace):
                    self._known.add(matter)
                    continue
                number = workspace.number_on(session.profile.chain_id, board)
                if (
                    number is None
                    or number in self.runs.keys() | self._ended
                    or not self._is_wanted(workspace, number)
                ):
                    continue
                is_own = address_bytes(workspace.terms.relay) == address_bytes(session.address)
                own = self._own_relay() if is_own else ""
                run = RequesterRun(
                    session,
                    workspace,
                    relays=[own] if own else None,
                    open_relay=self._open_relay,
                    tell=self._notifier.notify,
                    withdraws=self._withdraws,
                )
            except TruthmarkError as error:
                self._rounds.problem("workspace", str(error), about=matter)
                continue
            self.runs[number] = run
            self._known.add(matter)

    def _is_wanted(self, workspace: Workspace, number: int) -> bool:
        """Whether a bounty was named, or is a later wave of one that was."""
        if self._bounties is None or number in self._bounties:
            return True
        job = workspace.draft.get("job")
        if not isinstance(job, dict) or job.get("before") not in self._bounties:
            return False
        self._bounties.add(number)
        return True
