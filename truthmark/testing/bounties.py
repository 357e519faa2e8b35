# SPDX-License-Identifier: Apache-2.0
"""The machines of a local network's bounties: a relay, a watch node, labelers' homes.

Nodes run in threads of this process, each with a home, a key and a database of its own, and
speak HTTP with each other. Labelers have neither accounts nor gas: their keys are made for a
bounty, and they are paid at addresses that the chain has never seen.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

from truthmark.agents.agent import Agent
from truthmark.agents.running import Wish, join, label
from truthmark.bounty.flows.handing_out import WatchNode
from truthmark.bounty.flows.labeling import Labeling, Stage
from truthmark.config.settings import DEVNET_PASSPHRASE, load_settings
from truthmark.keys.curve import address_of, multiply, random_scalar
from truthmark.node.daemon import Node
from truthmark.node.relay.kept import WaitingCommit
from truthmark.node.relay.opening import own_watch_key, relay_of
from truthmark.node.relay.views import View
from truthmark.node.settings import NodeSettings, RoleName
from truthmark.session import Session
from truthmark.testing.roles import Network
from truthmark.types import Progress

_POLL: Final = 0.25
_PATIENCE: Final = 180
# Labelers are machines of their own, which mostly wait: for disks and for each other.
_THREADS: Final = ThreadPoolExecutor(8)


@dataclass(frozen=True)
class Program:
    """A labeler.

    Attributes:
        name: For people, and for the name of its home.
        kind: What it is like, such as honest.
        agent: What it says of items.
    """

    name: str
    kind: str
    agent: Agent


class NodeThread:
    """A node of one role of the devnet.

    Args:
        session: Its account.
        settings: What it does.
    """

    def __init__(self, session: Session, settings: NodeSettings) -> None:
        """Start it; it is up when this returns."""
        self.session, self.settings = session, settings
        ready: queue.Queue[Mapping[str, str]] = queue.Queue()
        self._node = Node(session, settings, on_ready=ready.put)
        self._thread = threading.Thread(target=self._node.run, daemon=True)
        self._thread.start()
        self.urls = ready.get(timeout=_PATIENCE)

    def close(self) -> None:
        """Stop it."""
        self._node.stop()
        self._thread.join()


class Labeler:
    """A program that labels, at a machine of its own.

    Args:
        program: What it is.
        session: Its home, in which there need be no account.
        bounty_id: The bounty that it takes part in.
        relay: Where the bounty is served.
        account: As which it labels, if it has one; a key made for this bounty otherwise.
        payee: Where it is paid; an address that the chain has never seen, if not given.

    Attributes:
        payee: Where it is paid.
        stage: How far it is.
        worker: Its row on the roster.
        seats: How many batches it labeled.
        is_away: Whether its machine is off.
        said: What it was told on its way.
    """

    def __init__(
        self,
        program: Program,
        session: Session,
        bounty_id: int,
        *,
        relay: str,
        account: str = "",
        payee: str = "",
    ) -> None:
        """Take part in a bounty; nothing is asked yet."""
        self.program = program
        self.said: list[str] = []
        self.labeling = Labeling(session, bounty_id, relay=relay, say=self.said.append)
        self.payee = payee or address_of(multiply(random_scalar()))
        self.stage: Stage | None = None
        self.worker = self.seats = 0
        self.is_away = False
        self._account = account

    def join(self) -> None:
        """Ask the relay for a place."""
        wish = Wish(self.payee, account=self._account, agrees=True)
        offer = self.labeling.offer()
        join(self.program.agent, self.labeling, replace(wish, seats=offer.terms.min_run))

    def advance(self) -> None:
        """Do what can be done now; label, when there is a place."""
        self.stage = self.labeling.advance()
        if self.stage is Stage.LABELING:
            place = self.labeling.place().place
            self.worker, self.seats = place.worker, place.seats
            label(self.program.agent, self.labeling)
            self.stage = self.labeling.advance()

    def close(self) -> None:
        """Close connections."""
        self.labeling.close()
        self.labeling.session.close()


class BountyNetwork:
    """Relay, watch node and labelers of one network.

    Args:
        net: The chain and its roles.
        folder: Where labelers' homes are.
        relay_port: Where the relay listens; 0 takes a free port.
    """

    def __init__(self, net: Network, folder: Path, *, relay_port: int = 0) -> None:
        """Start the relay."""
        self.net, self.folder = net, folder
        self._closing = ExitStack()
        # A relay serves strangers for a fee; this one knows its requester.
        with net.session("requester") as requester:
            known = requester.address
        self.relay = self._node("relay", "relay", relay_requesters=(known,), relay_port=relay_port)

    @cached_property
    def watch_node(self) -> WatchNode:
        """A watch node, started when it is first asked for.

        It is of the labelers' choice: one that the requester names gets nothing before commits
        count.
        """
        watch = self._node("watch", "watch")
        return WatchNode(watch.urls["relay"], own_watch_key(watch.session))

    def _node(self, role: str, name: RoleName, **settings: object) -> NodeThread:
        session = self.net.session(role)
        node = NodeThread(session, _settings(name, **settings))
        self._closing.callback(node.close)
        return node

    @contextmanager
    def receiver(self, bounty_id: int) -> Iterator[None]:
        """Run the requester's node for one bounty."""
        node = NodeThread(
            self.net.session("requester"), _settings("receiver", bounties=(bounty_id,))
        )
        try:
            yield
        finally:
            node.close()

    @property
    def relay_url(self) -> str:
        """Where requesters and labelers find the relay."""
        return self.relay.urls["relay"]

    def leave_out(self, labeler: "Labeler") -> None:
        """Let the relay forget what one worker commits, as a hostile one would."""
        relay = relay_of(self.relay.session, self.relay.settings)
        honest, number = relay.waiting_commits, labeler.labeling.bounty_id
        entry = labeler.labeling.folder.entry
        assert entry is not None  # they have joined

        def forgetful(view: View) -> list[WaitingCommit]:
            record, rows = view.record, honest(view)
            if record.ref.bounty_id != number:
                return rows
            worker = record.roster.worker_of(entry.signer)
            return [row for row in rows if row.commit.worker != worker]

        relay.waiting_commits = forgetful  # type: ignore[method-assign]

    def labeler(
        self, program: Program, bounty_id: int, *, account: str = "", payee: str = ""
    ) -> Labeler:
        """Give a program a home of its own.

        Args:
            program: Which.
            bounty_id: Which bounty it takes part in.
            account: A role of the devnet as which it labels, with gas for a proof.
            payee: Where it is paid; an address that the chain has never seen, if not given.
        """
        if account:
            session = self.net.session(account)
        else:
            name = program.name.replace(",", "").replace(" ", "-")
            home = self.folder / f"{bounty_id}-{name}"
            self.net.profile.save(home / "profiles")
            store = (f"local:{home / 'store'}",)
            session = Session(
                load_settings(home, profile=self.net.profile.name, storage=store),
                ask_passphrase=lambda _: DEVNET_PASSPHRASE,
            )
        labeler = Labeler(
            program, session, bounty_id, relay=self.relay_url, account=account, payee=payee
        )
        self._closing.callback(labeler.close)
        return labeler

    def close(self) -> None:
        """Stop all nodes."""
        self._closing.close()


def join_all(labelers: Iterable[Labeler]) -> None:
    """Let all labelers ask for a place."""
    list(_THREADS.map(Labeler.join, labelers))


def advance_all(
    labelers: Iterable[Labeler],
    done: Callable[[], bool],
    *,
    what: str,
    progress: Progress | None = None,
) -> None:
    """Let labelers go on until something holds.

    Args:
        labelers: Who.
        done: Whether it holds.
        what: What is waited for, in words.
        progress: Told how many have done a step, and of how many.

    Raises:
        RuntimeError: It does not come to hold.
    """
    labelers = [one for one in labelers if not one.is_away]
    deadline = time.monotonic() + _PATIENCE
    while not done():
        if time.monotonic() > deadline:
            stages = "; ".join(f"{one.program.name}: {one.stage}" for one in labelers)
            raise RuntimeError(f"waited in vain for {what} ({stages})")
        for number, _ in enumerate(_THREADS.map(Labeler.advance, labelers), 1):
            if progress is not None:
                progress(number, len(labelers))
        time.sleep(0.1)


def _settings(role: RoleName, **settings: object) -> NodeSettings:
    return NodeSettings(roles=(role,), poll=_POLL, margin=3, **settings)  # type: ignore[arg-type]
