# SPDX-License-Identifier: Apache-2.0
"""What the rounds of roles have in common: how they begin, and that trouble stays where it is."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from truthmark.errors import GasError, TransactionPendingError, TruthmarkError
from truthmark.node.status import Metrics, Notifier
from truthmark.session import Session

if TYPE_CHECKING:
    from truthmark.chain.connection import Block

log = logging.getLogger(__name__)


def resume(session: Session) -> None:
    """Bring along what was sent before, by this process or one that was killed; wait for nothing.

    Raises:
        ChainError: The chain cannot be read.
        ConfigError: The journal cannot be used.
    """
    try:
        session.journal.resume(timeout=0)
    except TransactionPendingError as error:
        log.info("%s", error)


def reason_of(error: Exception) -> str:
    """Say an error in a line; one that nobody foresaw with its kind."""
    return str(error) if isinstance(error, TruthmarkError) else f"{type(error).__name__}: {error}"


@dataclass(frozen=True, slots=True)
class BountyRounds:
    """The rounds of a role that looks after bounties.

    Attributes:
        role: Its name; what is told of it is told apart from other roles' by that.
        session: Whose account acts.
        metrics: Counts problems.
        notifier: Tells the operator.
        gas_reserve: In wei; below it the operator is told.
    """

    role: str
    session: Session
    metrics: Metrics
    notifier: Notifier
    gas_reserve: int

    def watch_gas(self, block: "Block", otherwise: str) -> None:
        """Tell the operator, once, that gas gets low.

        Args:
            block: At which.
            otherwise: What happens if nobody fills it up.
        """
        session = self.session
        gas = session.chain.balance(session.address, block.hash)
        self.metrics.gas.set(gas)
        if gas >= self.gas_reserve:
            self.notifier.resolve("low-gas", self.role)
            return
        text = (
            f"account {session.address} holds {session.profile.native(gas)}, less than the"
            f" gas reserve; fill it up, or {otherwise}"
        )
        self.notifier.notify("low-gas", text, about=self.role)

    @contextmanager
    def guarded(self, number: int, *ends: type[Exception]) -> Iterator[None]:
        """Keep trouble with one bounty from the others: it is told, once, until it is over.

        Args:
            number: The bounty's.
            ends: What is not one bounty's trouble, and ends the round.
        """
        about = f"{self.role} {number}"
        try:
            yield
            self.notifier.resolve("problem", about)
        except ends:
            raise
        except GasError as error:
            self.problem("gas", f"bounty {number}: {error}", about=f"{self.role} gas")
        except Exception as error:  # no bounty may keep the others waiting
            if not isinstance(error, TruthmarkError):
                log.exception("bounty %s", number)
            self.problem("bounty", f"bounty {number}: {error}", about=about)

    def problem(self, kind: str, text: str, about: str) -> None:
        """Count a problem, and tell the operator unless that was done.

        Args:
            kind: As which it is counted.
            text: One line.
            about: What it is about.
        """
        self.metrics.problems.labels(kind).inc()
        self.notifier.notify("problem", text, about=about)
