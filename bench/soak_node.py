# SPDX-License-Identifier: Apache-2.0
"""The node that bench.soak watches: relay, receiver and watch in a process of its own.

    python -m bench.soak_node HOME

Prints JSON, a line at a time: first where it answers, then every second what it uses. Nothing of
the node is another than in `truthmark node run`, but that requests are counted, and that one
address may ask without limit: all labelers of the soak have the same.
"""

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from truthmark.config.settings import DEVNET_PASSPHRASE
from truthmark.node.daemon import Node
from truthmark.node.relay import opening
from truthmark.node.relay.limits import Rates
from truthmark.node.relay.opening import own_watch_key
from truthmark.node.role import Role
from truthmark.node.settings import NodeSettings
from truthmark.session import connect

POLL = 0.5
MARGIN = 3
UNLIMITED = 1e12


class Count:
    """Counts what is answered, and what fails: statuses from 500."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.requests = self.failed = 0

    def of(self, app: Any) -> Any:
        """Return an app whose answers are counted."""

        async def counted(scope: Any, receive: Any, send: Any) -> None:
            async def answer(message: Any) -> None:
                if message["type"] == "http.response.start":
                    self.requests += 1
                    self.failed += message["status"] >= 500
                await send(message)

            await app(scope, receive, answer)

        return counted


class Watched:
    """Prints what a node uses, after its rounds.

    Args:
        count: Of its requests.
    """

    def __init__(self, count: Count) -> None:
        """Begin."""
        self.node: Node | None = None
        self._count = count
        self._rounds = 0
        self._begun = time.thread_time()
        self._next = 0.0

    def after_round(self, roles: Sequence[Role]) -> bool:
        """Note a round, which is of this thread; print once a second."""
        self._rounds += 1
        if time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + 1
        assert self.node is not None
        problems = [
            sample.value
            for metric in self.node.metrics.problems.collect()
            for sample in metric.samples
            if sample.name.endswith("_total")
        ]
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        say(
            memory=pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
            descriptors=len([*Path("/proc/self/fd").iterdir()]),
            rounds=self._rounds,
            round_seconds=time.thread_time() - self._begun,
            seconds=time.process_time(),
            requests=self._count.requests,
            failed=self._count.failed,
            problems=sum(problems),
            running=sum(role.health().get("bounties", 0) for role in roles),
        )
        return False


def say(**facts: object) -> None:
    """Print a line."""
    print(json.dumps(facts), flush=True)


def main() -> None:
    """Run until told to stop."""
    count = Count()
    create, watched = opening.create_app, Watched(count)
    opening.create_app = lambda relay: count.of(  # type: ignore[assignment]
        create(relay, Rates(UNLIMITED, UNLIMITED))
    )
    with connect(Path(sys.argv[1]), ask_passphrase=lambda _: DEVNET_PASSPHRASE) as session:
        settings = NodeSettings(roles=("relay", "receiver", "watch"), poll=POLL, margin=MARGIN)
        node = Node(
            session,
            settings,
            on_ready=lambda urls: say(url=urls["relay"], key=own_watch_key(session).hex()),
            on_round=watched.after_round,
        )
        watched.node = node
        node.stop_on_signals()
        node.run()


if __name__ == "__main__":
    main()
