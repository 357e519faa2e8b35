# SPDX-License-Identifier: Apache-2.0
"""Sends what a custodian's round has decided, each once, without waiting for it."""

import logging
from collections import Counter
from collections.abc import Iterable

from truthmark.errors import ChainError, RevertedError
from truthmark.market.planned_call import PlannedCall
from truthmark.node.rounds import resume
from truthmark.node.status import Metrics, Notifier
from truthmark.session import Session

log = logging.getLogger(__name__)

MAX_REPEATS = 8
"""How often the same is sent again after it took effect and a reorganisation undid its cause; and
how often it may be refused before the operator is told."""


class Sender:
    """Sends planned calls through the journal.

    Attributes:
        pending: Keys of what is sent and not confirmed; in a dry run, of what was said.
        tip: The newest block that the round knows.

    Args:
        session: Whose account sends.
        metrics: Counts what is sent and what is refused.
        notifier: Tells the operator what is refused again and again.
        dry_run: Say what would be sent, and send nothing.
    """

    def __init__(
        self, session: Session, *, metrics: Metrics, notifier: Notifier, dry_run: bool
    ) -> None:
        """Send nothing yet."""
        self.pending: set[str] = set()
        self.tip = 0
        self._session, self._dry_run = session, dry_run
        self._metrics, self._notifier = metrics, notifier
        self._refusals: Counter[str] = Counter()

    def resume(self) -> None:
        """Bring along what was sent before, and note what is not confirmed yet.

        Raises:
            ChainError: The chain cannot be read.
            ConfigError: The journal cannot be used.
        """
        resume(self._session)
        self.pending = {intent.key for intent in self._session.journal.pending()}

    def submit_all(self, kind: str, calls: Iterable[PlannedCall]) -> None:
        """Send transactions of one kind, as `submit` does.

        Raises:
            ChainError: One cannot be sent now.
        """
        for planned in calls:
            self.submit(kind, planned)

    def submit(self, kind: str, planned: PlannedCall) -> None:
        """Send a transaction, once, without waiting for it.

        What took effect and is due all the same (a reorganisation put it before its cause) is sent
        again under another name, but not for ever. What a contract refuses is mostly what somebody
        else was faster with; what stays due is met again in the next round.

        Raises:
            ChainError: It cannot be sent now.
        """
        if self._dry_run:
            if planned.key not in self.pending:  # say it once
                self.pending.add(planned.key)
                log.info("would %s: %s", kind, planned.purpose)
            return
        journal = self._session.journal
        for number in range(1, MAX_REPEATS + 1):
            key = planned.key if number == 1 else f"{planned.key}#{number}"
            if key in self.pending:
                return
            done = journal.result(key)
            if done is None or not done.succeeded:
                try:
                    journal.submit(
                        planned.call.intent(key, planned.purpose, not_after=planned.not_after)
                    )
                except RevertedError as error:
                    self._note_refusal(planned, error)
                    return
                self.pending.add(key)
                self._refusals.pop(planned.key, None)
                self._metrics.actions.labels(kind).inc()
                log.info("%s (%s)", planned.purpose, key, extra={"kind": kind})
                return
            if done.block_number > self.tip:
                return  # it is so new that what we know does not show it yet
        raise ChainError(f"{planned.purpose} took effect {MAX_REPEATS} times and is due again")

    def _note_refusal(self, planned: PlannedCall, error: RevertedError) -> None:
        self._metrics.problems.labels("refused").inc()
        log.info("%s: %s", planned.purpose, error)
        self._refusals[planned.key] += 1
        if self._refusals[planned.key] == MAX_REPEATS:
            self._notifier.notify(
                "problem", f"{planned.purpose} is refused again and again: {error}"
            )
