# SPDX-License-Identifier: Apache-2.0
"""The daemon: rounds until it is told to stop."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from truthmark.errors import ChainError, ConfigError, TruthmarkError
from truthmark.market.asking import PATH as PRESENCE_PATH
from truthmark.market.asking import is_there
from truthmark.market.catalogue import Catalogue
from truthmark.node.custodian import CustodianRole
from truthmark.node.policy import Policy
from truthmark.node.presence import Presence
from truthmark.node.server import StatusServer
from truthmark.node.status import Health, Metrics, Notifier
from truthmark.session import is_devnet

if TYPE_CHECKING:
    from truthmark.session import Session

log = logging.getLogger(__name__)

STOP_SECONDS = 10.0
"""What a round in progress gets to end by itself; being cut off does no harm, either."""


@dataclass(frozen=True)
class NodeSettings:
    """How a node runs.

    Attributes:
        validator: The validator's address; the account's own if None.
        policy: Its limits.
        poll_seconds: Between rounds; from the chain's block time if None.
        status_port: Of `/health` and `/metrics`; 0 takes a free one, None opens none.
        blocks_port: Where kept blocks are served to buyers; 0 takes a free one, None serves none.
        blocks_host: Where the block server listens; others reach it where this is not loopback.
        notify_url: Where messages to the operator are posted.
        dry_run: Decide and log, but send nothing.
    """

    validator: str | None = None
    policy: Policy = field(default_factory=Policy)
    poll_seconds: float | None = None
    status_port: int | None = None
    blocks_port: int | None = None
    blocks_host: str = "127.0.0.1"
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
        """Stop cleanly at SIGTERM and Ctrl-C; for the main thread of a process."""

        def stop(*_: object) -> None:
            self.stop()
            # A round may hang on an endpoint that does not answer. All that matters is on disk.
            timer = threading.Timer(STOP_SECONDS, os._exit, (0,))
            timer.daemon = True
            timer.start()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)

    def run(self) -> None:
        """Run until stopped.

        Whatever was on its way when the node was killed is finished first.

        Raises:
            ConfigError: The account does not act for the validator, or a port is taken.
            ChainError: The chain cannot be read at the start, or is not the profile's.
            KeysError: The account's key cannot be read.
        """
        session, settings = self.session, self.settings
        validator = settings.validator or session.address
        if not session.chain.staking.functions.is_actor(validator, session.address).call():
            raise ConfigError(
                f"{session.address} neither owns nor operates validator {validator}; register "
                "with `truthmark stake register`, or name the validator with --validator"
            )
        # What threads share is opened before there are any.
        _ = session.signer, session.storage, session.vault, Catalogue.of(session)
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
        with ExitStack() as closing:
            closing.callback(role.close)
            status_url, blocks_url = self._serve(closing)
            log.info("validator %s, account %s", validator, session.address)
            if self._on_ready is not None:
                self._on_ready(status_url, blocks_url)
            while not self._stop.is_set():
                self._round(role, notifier)
                self._stop.wait(pause)
            self.health.problem = "stopped"
        log.info("stopped")

    def _serve(self, closing: ExitStack) -> tuple[str | None, str | None]:
        """Open the endpoints that are wanted, and return their addresses."""
        settings = self.settings
        status_url = blocks_url = None
        if settings.status_port is not None:
            status = StatusServer(self.health, self.metrics, port=settings.status_port)
            closing.callback(status.close)
            status_url = status.url
        if settings.blocks_port is not None:
            from truthmark.storage.serve import GatewayServer

            presence = Presence(
                self.session.signer,
                self.health,
                validator=settings.validator or self.session.address,
                chain_id=self.session.profile.chain_id,
                staking=self.session.chain.staking.address,
            )
            blocks = GatewayServer(
                self.session.storage,
                host=settings.blocks_host,
                port=settings.blocks_port,
                pages={PRESENCE_PATH: presence.answer},
            )
            closing.callback(blocks.close)
            blocks_url = blocks.url
        return status_url, blocks_url

    def _round(self, role: CustodianRole, notifier: Notifier) -> None:
        health = self.health
        try:
            health.custodies = role.round()
        except Exception as error:  # an outage, a full disk, a fault of ours: the next round comes
            is_outage = isinstance(error, ChainError)
            if not isinstance(error, TruthmarkError):
                log.exception("this should not happen; please report it")
            health.problem = str(error) or type(error).__name__
            self.metrics.problems.labels("outage" if is_outage else "round").inc()
            notifier.notify("outage", health.problem, about="outage")
            return
        if notifier.is_open("outage", "outage"):
            notifier.resolve("outage", "outage")
            notifier.notify("back", f"working again at block {role.view.block.number}", about="")
            notifier.resolve("back", "")
        is_first = health.round_at is None
        health.block, health.chain_time = role.view.block.number, role.view.block.timestamp
        health.sent = role.pending
        health.problem, health.round_at = "", time.monotonic()
        if is_first:
            # Beside the rounds: the server at that address may take its time.
            threading.Thread(target=self._ask_oneself, args=(notifier,), daemon=True).start()

    def _ask_oneself(self, notifier: Notifier) -> None:
        """Tell the operator where sellers will not find the node."""
        session = self.session
        validator = self.settings.validator or session.address
        try:
            offer = next(iter(Catalogue.of(session).offers(validator)), None)
        except TruthmarkError as error:
            log.info("the offer cannot be read now: %s", error)
            return
        if offer is None:
            log.info("no offer is published, so nothing new is kept; `truthmark stake offer`")
        elif not offer.url:
            log.info(
                "the offer names no address of this node (`truthmark stake offer --url`), so "
                "sellers know of it only by what it does on the chain"
            )
        elif not is_there(
            offer,
            chain_id=session.profile.chain_id,
            staking=session.chain.staking.address,
            now=self.health.chain_time,
            allow_private=is_devnet(session.settings),
        ):
            notifier.notify(
                "problem",
                f"the offer says that this node answers at {offer.url}, but it does not when asked "
                "from here; check --blocks-port, --blocks-host and the way in, or publish the "
                "right address with `truthmark stake offer --url`",
                about="presence",
            )
