# SPDX-License-Identifier: Apache-2.0
"""Custodians of a devnet: validators with stake and an offer, each with a node of its own."""

import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from truthmark.errors import ConfigError
from truthmark.market.catalogue import Catalogue
from truthmark.session import Session
from truthmark.testing.ports import free_port, is_free
from truthmark.waiting import Deadline

FEE: Final = "0.1 TUSD"
"""What each asks for a sale."""

_TICKETS: Final = 30
_MARGIN_SECONDS: Final = 3
_START_SECONDS: Final = 60
_STOP_SECONDS: Final = 20
_STATUS: Final = re.compile(r"^status: (\S+)/health", re.M)
_BLOCKS: Final = re.compile(r"^blocks: gateway:(\S+)", re.M)
_RELAY: Final = re.compile(r"^relay: (\S+)", re.M)


@dataclass
class NodeProcess:
    """A node of a role, in a process of its own.

    Attributes:
        role: Of the devnet.
        pid: Of the process.
        status_url: Where `/health` and `/metrics` are.
        url: Where it serves: a custodian the blocks that it keeps, a relay labelers.
    """

    role: str
    pid: int
    status_url: str
    url: str
    _child: "subprocess.Popen[bytes] | None" = field(default=None, repr=False, compare=False)

    def is_running(self) -> bool:
        """Tell whether the process is alive and still is this node."""
        if self._child is not None:
            return self._child.poll() is None
        try:
            command = Path(f"/proc/{self.pid}/cmdline").read_bytes()
            state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        # One that is ending has no command line any more, but may still hold its ports.
        is_this = not command or (b"truthmark" in command and b"node" in command)
        return is_this and state not in ("Z", "X")

    def stop(self) -> None:
        """End it and wait until it has."""
        deadline = Deadline(_STOP_SECONDS)
        if self.is_running():
            os.kill(self.pid, signal.SIGTERM)
        while self.is_running():
            if deadline.is_over:
                os.kill(self.pid, signal.SIGKILL)
                deadline = Deadline(_STOP_SECONDS)
            time.sleep(0.05)


def find_port(session: Session) -> int:
    """Return where a role's node may serve blocks: where its offer says, if that is free."""
    Catalogue.of(session).sync()
    offers = Catalogue.of(session).offers(session.address)
    before = urlsplit(offers[0].url).port if offers and offers[0].url else None
    return before if before is not None and is_free(before) else free_port()


def register_custodian(session: Session, url: str = "") -> None:
    """Let a role stake and publish an offer in the network's test dollar, unless it has.

    Args:
        session: A custodian's.
        url: Where its node will answer.

    Raises:
        ChainError: A contract refuses.
    """
    from truthmark.market.validator import ValidatorOwner

    token, fee = session.profile.parse_amount(FEE)
    owner = ValidatorOwner(session)
    if not session.chain.staking.functions.is_actor(session.address, session.address).call():
        owner.register()
        owner.stake(_TICKETS)
    Catalogue.of(session).sync()
    if any(offer.url == url for offer in Catalogue.of(session).offers(session.address)):
        return
    lock = session.profile.parse_amount("100 TMK")[1]
    owner.publish_offer(
        {token.address: (fee, 0)},
        max_bytes=1 << 34,
        max_period_seconds=400 * 86_400,
        min_delivery_seconds=10,
        min_inspection_seconds=10,
        max_lock=lock,
        # Nobody loses anything by a listing on a local network, and most there are small.
        takes_unsampled=True,
        url=url,
    )


def start_custodian(
    role: str, home: Path, *, port: int, storage: Sequence[str] = ()
) -> NodeProcess:
    """Start a role's node and return once it is up.

    Args:
        role: Of the devnet, registered before.
        home: Its home folder.
        port: Where it serves blocks.
        storage: What its node keeps blocks in and reads from, instead of the home's settings.

    Raises:
        ConfigError: It did not start.
    """
    options = ("--as", "custodian", "--settle-wait", "1s", "--blocks-port", str(port))
    return _start(role, home, options, _BLOCKS, storage)


def start_relay(role: str, home: Path) -> NodeProcess:
    """Start the node of a home whose node.toml says that it is a relay; return once it is up.

    Args:
        role: Of the devnet.
        home: Its home folder.

    Raises:
        ConfigError: It did not start.
    """
    return _start(role, home, ("--as", "relay"), _RELAY)


def _start(
    role: str,
    home: Path,
    options: Sequence[str],
    served: "re.Pattern[str]",
    storage: Sequence[str] = (),
) -> NodeProcess:
    log = home / "node.log"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TRUTHMARK_")}
    environment["TRUTHMARK_HOME"] = str(home)
    if storage:
        environment["TRUTHMARK_STORAGE"] = ",".join(storage)
    with log.open("wb") as output:
        child = subprocess.Popen(
            [
                *(sys.executable, "-m", "truthmark.cli", "node", "run", *options),
                *("--margin", str(_MARGIN_SECONDS), "--status-port", "0"),
            ],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C in the terminal is for the program that started it to turn into a clean stop.
            start_new_session=True,
        )
    deadline = Deadline(_START_SECONDS)
    while True:
        text = log.read_text(errors="replace")
        status, place = _STATUS.search(text), served.search(text)
        # Before its first round it does not say that it is there.
        if status and place and _is_healthy(status[1]):
            return NodeProcess(role, child.pid, status[1], place[1], child)
        if child.poll() is not None or deadline.is_over:
            child.kill()
            child.wait()
            raise ConfigError(f"{role} did not start; see {log}")
        time.sleep(0.05)


def _is_healthy(status_url: str) -> bool:
    place = http.client.HTTPConnection(urlsplit(status_url).netloc, timeout=5)
    with contextlib.closing(place):
        try:
            place.request("GET", "/health")
            return place.getresponse().status == HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
