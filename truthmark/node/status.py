# SPDX-License-Identifier: Apache-2.0
"""What a node tells about itself: health, metrics, and messages to its operator."""

import logging
import threading
from dataclasses import dataclass, field

import httpx
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

log = logging.getLogger(__name__)


@dataclass
class Health:
    """What the health endpoint says."""

    is_ready: bool = False
    block: int = 0
    chain_time: int = 0
    custodies: int = 0
    problem: str = ""


class Metrics:
    """A node's figures for Prometheus; one registry each, so that tests can run several nodes."""

    def __init__(self) -> None:
        """Make the figures."""
        self.registry = CollectorRegistry()
        self.block = Gauge("truthmark_block", "Newest block seen", registry=self.registry)
        self.custodies = Gauge("truthmark_custodies", "Custodies on duty", registry=self.registry)
        self.gas = Gauge("truthmark_gas_wei", "What is left for gas", registry=self.registry)
        self.free_stake = Gauge("truthmark_free_stake", "Stake not locked", registry=self.registry)
        self.actions = Counter(
            "truthmark_actions", "Transactions by kind", ["kind"], registry=self.registry
        )
        self.missed = Counter(
            "truthmark_missed", "Deliveries that came too late", registry=self.registry
        )
        self.problems = Counter("truthmark_problems", "Rounds that failed", registry=self.registry)

    def text(self) -> bytes:
        """Return the figures in Prometheus' text format."""
        return bytes(generate_latest(self.registry))


@dataclass
class Notifier:
    """Tells the operator what matters, each thing once.

    Attributes:
        url: Where messages are posted as JSON `{"kind", "text"}`; only logged if None.
    """

    url: str | None = None
    _said: set[tuple[str, str]] = field(default_factory=set)

    def tell(self, kind: str, text: str) -> None:
        """Say something to the operator, unless it was said before.

        Args:
            kind: Such as "accepted", "low-gas", "missed".
            text: One line.
        """
        if (kind, text) in self._said:
            return
        self._said.add((kind, text))
        log.warning("%s: %s", kind, text)
        if self.url is not None:
            # In its own thread: an operator's slow endpoint must not make a delivery late.
            threading.Thread(target=self._post, args=(kind, text), daemon=True).start()

    def _post(self, kind: str, text: str) -> None:
        try:
            httpx.post(str(self.url), json={"kind": kind, "text": text}, timeout=10)
        except httpx.HTTPError as error:
            log.warning("cannot notify the operator: %s", error)
