# SPDX-License-Identifier: Apache-2.0
"""The daemon: rounds until it is told to stop."""

import logging
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from truthmark.errors import ChainError, ConfigError, TransactionPendingError
from truthmark.node.custodian import CustodianRole
from truthmark.node.policy import Policy
from truthmark.node.server import StatusServer
from truthmark.node.status import Health, Metrics, Notifier

if TYPE_CHECKING:
    from truthmark.market.session import Session

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NodeSettings:
    """How a node runs.

    Attributes:
        validator: The validator's address; the account's own if None.
        policy: Its limits.
        poll_seconds: Between rounds; from the chain's block time if None.
        status_port: Of `/health` and `/metrics`; 0 takes a free one, None opens none.
        blocks_port: Where kept blocks are served to buyers; 0 takes a free one, None serves none.
        host: Where both listen.
        notify_url: Where messages to the operator are posted.
        dry_run: Decide and log, but send nothing.
    """

    validator: str | None = None
    policy: Policy = field(default_factory=Policy)
    poll_seconds: float | None = None
    status_port: int | None = None
    blocks_port: int | None = None
    host: str = "127.0.0.1"
    notify_url: str | None = None
    dry_run: bool = False


class Node:
    """A validator's daemon with the role `custodian`.

    Args:
        session: Its account is the validator's operator or owner.
        settings: How it runs.
        on_ready: Called once, when everything is up, with the URLs of status and blocks.
    """

    def __init__(
        self,
        session: "Session",
        settings: NodeSettings,
        on_ready: Callable[[str | None, str | None], None] | None = None,
    ) -> None:
        """Prepare; nothing is opened yet."""
        self.session = session
        self.settings = settings
        self.health = Health()
        self.metrics = Metrics()
        self._on_ready = on_ready
        self._stop = threading.Event()

    def stop(self) -> None:
        """End the daemon after the round it is in."""
        self._stop.set()

    def stop_on_signals(self) -> None:
        """Stop cleanly at SIGTERM and Ctrl-C."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())

    def run(self) -> None:
        """Run until stopped.

        Whatever was on its way when the node was killed is finished first.

        Raises:
            ConfigError: The account does not act for the validator, or a port is taken.
            ChainMismatchError: The chain is not the profile's.
        """
        session, settings = self.session, self.settings
        validator = settings.validator or session.address
        if not session.chain.staking.functions.is_actor(validator, session.address).call():
            raise ConfigError(
                f"{session.address} neither owns nor operates validator {validator}; register "
                "with `truthmark stake register`"
            )
        notifier = Notifier(settings.notify_url)
        role = CustodianRole(
            session,
            validator,
            settings.policy,
            metrics=self.metrics,
            notifier=notifier,
            dry_run=settings.dry_run,
        )
        pause = settings.poll_seconds
        if pause is None:
            pause = min(max(session.profile.block_time / 2, 0.2), 6.0)
        closers: list[Callable[[], None]] = []
        try:
            status_url = blocks_url = None
            if settings.status_port is not None:
                status = StatusServer(
                    self.health, self.metrics, host=settings.host, port=settings.status_port
                )
                closers.append(status.close)
                status_url = status.url
            if settings.blocks_port is not None:
                from truthmark.storage.serve import GatewayServer

                blocks = GatewayServer(
                    session.storage, host=settings.host, port=settings.blocks_port
                )
                closers.append(blocks.close)
                blocks_url = blocks.url
            if self._on_ready is not None:
                self._on_ready(status_url, blocks_url)
            while not self._stop.is_set():
                self._round(role, notifier)
                self._stop.wait(pause)
        finally:
            self.health.is_ready = False
            for close in closers:
                close()

    def _round(self, role: CustodianRole, notifier: Notifier) -> None:
        try:
            if not self.settings.dry_run:
                self.session.journal.resume(timeout=0)
            role.round(self.health)
            self.health.is_ready, self.health.problem = True, ""
        except TransactionPendingError as error:
            # What was sent goes on by itself; nothing new is decided on top of it.
            log.info("%s", error)
        except ChainError as error:
            # An outage ends nothing; the next round comes.
            self.health.is_ready, self.health.problem = False, str(error)
            self.metrics.problems.inc()
            notifier.tell("chain", str(error))
