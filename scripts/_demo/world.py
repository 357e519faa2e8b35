# SPDX-License-Identifier: Apache-2.0
"""The machines of the demonstration: a chain, a seller, three custodians, buyers.

Each has a folder of its own and, where it has a process, a process of its own. Blocks travel over
HTTP only: the seller's machine serves them until it is gone, then the custodians' do.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx

from truthmark.market.session import Session
from truthmark.market.validator import ValidatorOwner
from truthmark.storage import LocalStore
from truthmark.storage.serve import GatewayServer
from truthmark.testing.devnet import PASSPHRASE, Devnet

CUSTODIANS = ("custodian1", "custodian2", "custodian3")
MARGIN_SECONDS = 3
START_SECONDS = 60


@dataclass
class NodeProcess:
    """A custodian's daemon."""

    role: str
    process: "subprocess.Popen[str]"
    status_url: str
    blocks_url: str
    log: IO[str]

    def stop(self) -> None:
        """End it and wait until it has."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()


class World:
    """Everything that runs, and its end.

    Args:
        folder: Emptied first.
        on_start: Called with steps done and in all while the chain is being set up.
    """

    def __init__(self, folder: Path, on_start: Callable[[int, int], None]) -> None:
        """Start the chain and deploy the protocol."""
        if folder.exists():
            shutil.rmtree(folder)
        self.folder = folder
        self.net = Devnet.start(folder, progress=on_start)
        self.nodes: list[NodeProcess] = []
        self.seller_blocks: GatewayServer | None = None
        self._away: Path | None = None

    # ---------------------------------------------------------------- the seller

    def open_seller(self) -> Session:
        """Return a session at the seller's machine, whose store is served while it is up."""
        store = self.net.home("seller") / "store"
        store.mkdir(parents=True, exist_ok=True)
        if self.seller_blocks is None:
            self.seller_blocks = GatewayServer(LocalStore(store))
        return self.net.session("seller", storage=(f"local:{store}",))

    def take_seller_away(self) -> Path:
        """End all that runs of the seller and move his machine, keys and blocks out of reach."""
        if self.seller_blocks is not None:
            self.seller_blocks.close()
            self.seller_blocks = None
        self._away = self.folder.with_name(self.folder.name + "-seller-is-away")
        if self._away.exists():
            shutil.rmtree(self._away)
        self.net.home("seller").rename(self._away)
        return self._away

    def bring_seller_back(self) -> None:
        """Put the seller's machine back."""
        if self._away is not None:
            self._away.rename(self.net.home("seller"))
            self._away = None

    # ------------------------------------------------------------ the custodians

    def register_custodians(self, fee: int) -> None:
        """Let each custodian stake and publish an offer, in test dollars."""
        token = self.net.profile.token("TUSD").address
        for role in CUSTODIANS:
            with self.net.session(role) as session:
                owner = ValidatorOwner(session)
                owner.register()
                owner.stake(10)
                owner.publish_offer(
                    {token: (fee, 0)},
                    max_bytes=1 << 30,
                    max_term_seconds=400 * 86_400,
                    min_delivery_seconds=10,
                    min_inspection_seconds=10,
                    max_lock=100 * 10**18,
                )

    def start_custodians(self) -> None:
        """Start each custodian's daemon in a process of its own."""
        for role in CUSTODIANS:
            self.nodes.append(self._start_node(role))

    def _start_node(self, role: str) -> NodeProcess:
        home = self.net.home(role)
        storage = [f"local:{home / 'store'}"]
        if self.seller_blocks is not None:
            storage.append(f"gateway:{self.seller_blocks.url}")
        (home / "node.ready").unlink(missing_ok=True)
        log = (home / "node.log").open("a")
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "truthmark.cli.main", "node", "run"),
                *("--as", "custodian", "--margin", str(MARGIN_SECONDS)),
                *("--status-port", "0", "--blocks-port", "0", "--ready-file", "node.ready"),
            ],
            cwd=home,
            env=self.environment(role, storage),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
        )
        deadline = time.monotonic() + START_SECONDS
        while not (home / "node.ready").exists():
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise RuntimeError(f"{role} did not start; see {home / 'node.log'}")
            time.sleep(0.1)
        ready: dict[str, Any] = json.loads((home / "node.ready").read_text())
        return NodeProcess(role, process, ready["status"], ready["blocks"], log)

    def stop_custodians(self) -> None:
        """End the daemons."""
        for node in self.nodes:
            node.stop()
        self.nodes = []

    def health(self, node: NodeProcess) -> dict[str, Any]:
        """Ask a node how it is doing."""
        found: dict[str, Any] = httpx.get(f"{node.status_url}/health", timeout=10).json()
        return found

    # ---------------------------------------------------------------- the buyers

    def storage(self, role: str) -> tuple[str, ...]:
        """Return what a role reads from: its own disk, then whichever custodian answers."""
        own = f"local:{self.net.home(role) / 'store'}"
        return (own, *(f"gateway:{node.blocks_url}" for node in self.nodes))

    def environment(self, role: str, storage: Sequence[str]) -> dict[str, str]:
        """Return the environment of a role's processes."""
        return {
            **os.environ,
            "TRUTHMARK_HOME": str(self.net.home(role)),
            "TRUTHMARK_STORAGE": ",".join(storage),
            "TRUTHMARK_PASSPHRASE": PASSPHRASE,
            "PYTHONUNBUFFERED": "1",
        }

    def run_cli(self, role: str, *arguments: str, storage: Sequence[str]) -> str:
        """Run a command of the CLI as a role and return what it printed.

        Raises:
            RuntimeError: It failed.
        """
        done = subprocess.run(
            [sys.executable, "-m", "truthmark.cli.main", *arguments],
            env=self.environment(role, storage),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"truthmark {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def warp(self, seconds: int) -> None:
        """Let chain time pass."""
        self.net.warp(seconds)

    def close(self) -> None:
        """End everything."""
        self.stop_custodians()
        if self.seller_blocks is not None:
            self.seller_blocks.close()
        self.net.stop()
        self.bring_seller_back()
