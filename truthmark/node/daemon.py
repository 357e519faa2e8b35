# SPDX-License-Identifier: Apache-2.0
"""The daemon: rounds of its roles until it is told to stop."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

from truthmark.errors import ChainError, TruthmarkError
from truthmark.market.asking import PATH as PRESENCE_PATH
from truthmark.market.asking import is_there
from truthmark.market.catalogue import Catalogue
from truthmark.node.presence import Presence
from truthmark.node.receiver import ReceiverRole
from truthmark.node.role import Role
from truthmark.node.roles import open_role
from truthmark.node.server import StatusServer
from truthmark.node.settings import NodeSettings
from truthmark.node.status import Health, Metrics, Notifier
from truthmark.session import Session, private_networks

log = logging.getLogger(__name__)

STOP_SECONDS = 10.0
"""What a round in progress gets to end by itself; being cut off does no harm, either."""


class Node:
    """A daemon with one or several roles.

    Args:
        session: Its account acts; for a custodian it is the validator's operator or owner.
        settings: How it runs.
        on_ready: Called once, when everything is up, with the URLs of "status", "blocks",
            "relay" and "receiver", as far as they are served.
        on_round: Called after each round with the roles; the daemon ends when it returns True.
        say: Told what the operator is told.
    """

    def __init__(
        self,
        session: Session,
        settings: NodeSettings,
        on_ready: Callable[[Mapping[str, str]], None] | None = None,
        *,
        on_round: Callable[[Sequence[Role]], bool] | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        """Prepare; nothing is opened yet."""
        self.session = session
        self.settings = settings
        self.health = Health()
        self.metrics = Metrics()
        self._on_ready = on_ready
        self._on_round = on_round
        self._say = say
        self._stop = threading.Event()

    def stop(self) -> None:
        """End the daemon after the round it is in."""
        self._stop.set()

    @property
    def was_stopped(self) -> bool:
        """Whether it was told to end."""
        return self._stop.is_set()

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
            ConfigError: The account may not have a role, or a port is taken.
            ChainError: The chain cannot be read at the start, or is not the profile's.
            KeysError: The account's key cannot be read.
        """
        session, settings = self.session, self.settings
        # What threads share is opened before there are any.
        _ = session.signer, session.storage, session.vault, Catalogue.of(session)
        notifier = Notifier(settings.notify, self._say)
        pause = settings.poll or 2 * session.profile.poll_seconds
        with ExitStack() as closing:
            roles = []
            for name in settings.roles:
                role = open_role(name, session, settings, self.metrics, notifier)
                closing.callback(role.close)
                roles.append(role)
            urls = self._serve(closing, roles)
            log.info("%s, account %s", ", ".join(settings.roles), session.address)
            if self._on_ready is not None:
                self._on_ready(urls)
            while not self._stop.is_set():
                self._round(roles, notifier)
                if self._on_round is not None and self._on_round(roles):
                    break
                self._stop.wait(pause)
            self.health.problem = "stopped"
        log.info("stopped")

    def _serve(self, closing: ExitStack, roles: Sequence[Role]) -> dict[str, str]:
        """Open the endpoints that are wanted, and return their addresses."""
        settings = self.settings
        urls: dict[str, str] = {}
        if settings.status_port is not None:
            status = StatusServer(self.health, self.metrics, port=settings.status_port)
            closing.callback(status.close)
            urls["status"] = status.url
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
            urls["blocks"] = blocks.url
        if {"relay", "watch"} & {*settings.roles}:
            from truthmark.node.relay.opening import serve

            relay = serve(self.session, settings)
            closing.callback(relay.close)
            urls["relay"] = relay.url
        for role in roles:
            if isinstance(role, ReceiverRole) and settings.receiver_port is not None:
                from truthmark.node.receiver_api import serve_receiver

                receiver = serve_receiver(role, settings)
                closing.callback(receiver.close)
                urls["receiver"] = receiver.url
        return urls

    def _round(self, roles: Sequence[Role], notifier: Notifier) -> None:
        health, failed = self.health, ""
        for role in roles:
            try:
                block = role.tick()
            except Exception as error:  # an outage, a full disk, a fault of ours: a round follows
                is_outage = isinstance(error, ChainError)
                if not isinstance(error, TruthmarkError):
                    log.exception("this should not happen; please report it")
                failed = failed or str(error) or type(error).__name__
                self.metrics.problems.labels("outage" if is_outage else "round").inc()
                continue
            health.roles[role.name] = role.health()
            health.block, health.chain_time = block.number, block.timestamp
            self.metrics.block.set(block.number)
        if failed:
            health.problem = failed
            notifier.notify("outage", failed, about="outage")
            return
        if notifier.is_open("outage", "outage"):
            notifier.resolve("outage", "outage")
            notifier.notify("back", f"working again at block {health.block}", about="")
            notifier.resolve("back", "")
        is_first = health.round_at is None
        health.problem, health.round_at = "", time.monotonic()
        if is_first and "custodian" in self.settings.roles:
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
            private=private_networks(session.settings),
        ):
            notifier.notify(
                "problem",
                f"the offer says that this node answers at {offer.url}, but it does not when asked "
                "from here; check --blocks-port, --blocks-host and the way in, or publish the "
                "right address with `truthmark stake offer --url`",
                about="presence",
            )
