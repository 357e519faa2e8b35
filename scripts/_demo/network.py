# SPDX-License-Identifier: Apache-2.0
"""The machines of the demonstration: a chain, a seller, three custodians, buyers.

Each has a folder of its own and, where it has a process, a process of its own. Blocks travel over
HTTP only: the seller's machine serves them until it is gone, then the custodians' do.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from truthmark.session import Session
from truthmark.storage import LocalStore
from truthmark.storage.serve import GatewayServer
from truthmark.testing.custodians import NodeProcess
from truthmark.testing.network import Devnet
from truthmark.testing.role_market import CUSTODIANS


class DemoNetwork:
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
        self.seller_blocks: GatewayServer | None = None
        self._stored: Path | None = None

    # ---------------------------------------------------------------- the seller

    def open_seller(self) -> Session:
        """Return a session at the seller's machine, whose store is served while it is up."""
        store = self.net.home("seller") / "store"
        store.mkdir(parents=True, exist_ok=True)
        if self.seller_blocks is None:
            self.seller_blocks = GatewayServer(LocalStore(store))
        return self.net.session("seller", storage=(f"local:{store}",))

    def take_seller_away(self) -> Path:
        """End all that runs of the seller and move their machine, keys and blocks out of reach."""
        if self.seller_blocks is not None:
            self.seller_blocks.close()
            self.seller_blocks = None
        self._stored = self.folder.with_name(self.folder.name + "-seller-offline")
        if self._stored.exists():
            shutil.rmtree(self._stored)
        self.net.home("seller").rename(self._stored)
        return self._stored

    def bring_seller_back(self) -> None:
        """Put the seller's machine back."""
        if self._stored is not None:
            self._stored.rename(self.net.home("seller"))
            self._stored = None

    # ------------------------------------------------------------ the custodians

    def start_custodians(self, *more: str) -> None:
        """Let three validators stake and offer, and start each one's node in its own process.

        Args:
            more: Storages from which they read, beside the seller's.
        """
        assert self.seller_blocks is not None  # from where they fetch what they are to keep
        storage = [f"gateway:{self.seller_blocks.url}", *more]
        self.net.start_custodians(len(CUSTODIANS), storage=storage)

    @property
    def nodes(self) -> list[NodeProcess]:
        """The custodians' processes."""
        return self.net.custodians

    # ---------------------------------------------------------------- the buyers

    def storage(self, role: str) -> tuple[str, ...]:
        """Return what a role reads from: its own disk, then whichever custodian answers."""
        own = f"local:{self.net.home(role) / 'store'}"
        return (own, *(f"gateway:{node.url}" for node in self.nodes))

    def environment(self, role: str, storage: Sequence[str]) -> dict[str, str]:
        """Return the environment of a role's processes."""
        return {
            **os.environ,
            "TRUTHMARK_HOME": str(self.net.home(role)),
            "TRUTHMARK_STORAGE": ",".join(storage),
        }

    def run_cli(self, role: str, *arguments: str, storage: Sequence[str]) -> str:
        """Run a command of the CLI as a role and return what it printed.

        Raises:
            RuntimeError: It failed.
        """
        done = subprocess.run(
            [sys.executable, "-m", "truthmark.cli", *arguments],
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

    def run_app(self) -> None:
        """Run the app as the buyer until Ctrl-C; it prints its address."""
        # What others have published since is in the store that they share.
        shared = f"local:{self.folder / 'store'}"
        environment = self.environment("buyer", (*self.storage("buyer"), shared))
        environment["STREAMLIT_SERVER_HEADLESS"] = "true"
        with contextlib.suppress(KeyboardInterrupt):
            subprocess.run(
                [sys.executable, "-m", "truthmark.cli", "app"], env=environment, check=False
            )

    def warp(self, seconds: int) -> None:
        """Let chain time pass."""
        self.net.warp(seconds)

    def close(self) -> None:
        """End everything."""
        if self.seller_blocks is not None:
            self.seller_blocks.close()
        self.net.stop()
        self.bring_seller_back()
