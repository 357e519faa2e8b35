# SPDX-License-Identifier: Apache-2.0
"""What a node tells about itself: health, metrics, and messages to its operator."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

log = logging.getLogger(__name__)

STALE_SECONDS = 120.0
"""A node whose last good round is longer ago is not ready, whatever it says."""

_MAX_SAID = 10_000
_MAX_WAITING = 1_000


@dataclass
class Health:
    """What the health endpoint says.

    Attributes:
        problem: Why the last round failed; empty if it did not.
        block: Newest block seen.
        chain_time: Its timestamp.
        roles: What each role says of itself, by its name.
        round_at: End of the last good round, by `time.monotonic`; None before the first.
    """

    problem: str = "starting"
    block: int = 0
    chain_time: int = 0
    roles: dict[str, Mapping[str, int]] = field(default_factory=dict)
    round_at: float | None = None

    @property
    def is_ready(self) -> bool:
        """Whether the node does its work."""
        return (
            not self.problem
            and self.round_at is not None
            and time.monotonic() - self.round_at < STALE_SECONDS
        )

    def to_dict(self) -> dict[str, object]:
        """Return what `/health` answers."""
        return {
            "is_ready": self.is_ready,
            "problem": self.problem,
            "block": self.block,
            "chain_time": self.chain_time,
            "roles": {name: dict(figures) for name, figures in self.roles.items()},
        }


class Metrics:
    """A node's figures for Prometheus; one registry each, so that tests can run several nodes."""

    def __init__(self) -> None:
        """Make the figures."""
        self.registry = CollectorRegistry()
        self.block = self._gauge("truthmark_block", "Newest block seen")
        self.custodies = self._gauge("truthmark_custodies", "Custodies that the node answers for")
        self.purchases = self._gauge("truthmark_purchases_waiting", "Purchases not delivered yet")
        self.sent = self._gauge("truthmark_transactions_pending", "Sent and not confirmed yet")
        self.gas = self._gauge("truthmark_gas_wei", "What is left for gas")
        self.free_stake = self._gauge("truthmark_free_stake", "Stake not locked, smallest unit")
        self.bounties = self._gauge("truthmark_bounties", "Bounties of ours that are not over")
        self.deposits = self._gauge("truthmark_deposits", "Deposits of labelers that are watched")
        self.actions = Counter(
            "truthmark_actions", "Transactions sent, by kind", ["kind"], registry=self.registry
        )
        self.missed = Counter(
            "truthmark_missed", "Purchases not delivered in time", registry=self.registry
        )
        self.problems = Counter(
            "truthmark_problems", "What failed, by kind", ["kind"], registry=self.registry
        )

    def text(self) -> bytes:
        """Return the figures in Prometheus' text format."""
        return bytes(generate_latest(self.registry))

    def _gauge(self, name: str, says: str) -> Gauge:
        return Gauge(name, says, registry=self.registry)


@dataclass
class Notifier:
    """Tells the operator what matters, each thing once.

    Attributes:
        url: Where messages are posted as JSON `{"kind", "text"}`; only logged if None.
        say: Told the texts too, for who sits in front of it.
    """

    url: str | None = None
    say: Callable[[str], None] | None = None
    _said: dict[tuple[str, str], None] = field(default_factory=dict, repr=False)
    _queue: "queue.Queue[tuple[str, str]]" = field(
        default_factory=lambda: queue.Queue(_MAX_WAITING), repr=False
    )
    _thread: threading.Thread | None = field(default=None, repr=False)

    def notify(self, kind: str, text: str, about: str | None = None) -> None:
        """Notify the operator, unless this was said before.

        Args:
            kind: Such as "accepted", "low-gas", "missed".
            text: One line.
            about: What it is about, where the text changes while the matter does not.
        """
        matter = kind, text if about is None else about
        if matter in self._said:
            return
        self._said[matter] = None
        if len(self._said) > _MAX_SAID:
            del self._said[next(iter(self._said))]
        log.warning("%s: %s", kind, text, extra={"kind": kind})
        if self.say is not None:
            self.say(text)
        if self.url is None:
            return
        # In a thread of its own: an operator's slow endpoint must not make a delivery late.
        if self._thread is None:
            self._thread = threading.Thread(target=self._post_all, daemon=True, name="notify")
            self._thread.start()
        try:
            self._queue.put_nowait((kind, text))
        except queue.Full:
            log.warning("too many messages wait for the operator's endpoint; this one is dropped")

    def is_open(self, kind: str, about: str) -> bool:
        """Whether a matter was told and is not over."""
        return (kind, about) in self._said

    def resolve(self, kind: str, about: str) -> None:
        """Say that something is over, so that it is told again when it comes again."""
        self._said.pop((kind, about), None)

    def _post_all(self) -> None:
        with httpx.Client(timeout=10) as client:
            while True:
                kind, text = self._queue.get()
                try:
                    client.post(str(self.url), json={"kind": kind, "text": text})
                except (httpx.HTTPError, httpx.InvalidURL) as error:
                    # Not the error's text: the address may hold a token.
                    log.warning("cannot notify the operator (%s)", type(error).__name__)
                finally:
                    self._queue.task_done()
