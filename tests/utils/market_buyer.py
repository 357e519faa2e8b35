# SPDX-License-Identifier: Apache-2.0
"""A buyer in a process of its own, to be killed at a certain point or at any."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from truthmark.chain.journal import Journal
from truthmark.chain.journal_store import JournalStore
from truthmark.keys.vault import Vault
from truthmark.market import purchase as purchase_module
from truthmark.market.purchase import Buyer
from truthmark.testing.network import Devnet

POINTS: dict[str, tuple[Any, str, bool]] = {
    "after fetching": (Buyer, "fetch", True),
    "before the key is kept": (Vault, "put_purchase_key", False),
    "after the key is kept": (Vault, "put_purchase_key", True),
    "after the order is written down": (JournalStore, "add", True),
    "after the signed bytes are kept": (JournalStore, "add_attempt", True),
    "after the broadcast": (Journal, "_broadcast", True),
    "before the receipt is kept": (JournalStore, "finish", False),
    "after the receipt is kept": (JournalStore, "finish", True),
    "before waiting": (Buyer, "wait", False),
    "after waiting": (Buyer, "wait", True),
    "before the key is combined": (purchase_module, "content_key", False),
}

SLOW = "slow to pay"

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(
    [
        __name__,
        *("truthmark.market.surface", "truthmark.chain.connection", "truthmark.index.follower"),
        *("truthmark.storage.multi", "truthmark.keys.accounts", "eth_account"),
    ]
)


def start_buyer(net: Devnet, role: str, ref: str, max_price: str, point: str = "") -> BaseProcess:
    """Start a buyer, who is killed at a point if one is named, or is `SLOW` to pay."""
    process = _processes.Process(target=_buy, args=(net.folder, role, ref, max_price, point))
    process.start()
    return process


def _buy(folder: Path, role: str, ref: str, max_price: str, point: str) -> None:
    from truthmark.market.surface import get

    with Devnet.open(folder).session(role) as session:
        if point == SLOW:
            _hesitate()
        elif point:
            _kill_at(*POINTS[point])
        get(ref, max_price=max_price, session=session, blind=True)


def _kill_at(owner: Any, name: str, after: bool) -> None:
    original: Callable[..., Any] = getattr(owner, name)

    def fatal(*args: Any, **kwargs: Any) -> None:
        if after:
            original(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, fatal)


def _hesitate() -> None:
    """Give others time between seeing that nothing was bought yet and paying."""
    original = Buyer.purchase_key

    def late(buyer: Buyer) -> Any:
        time.sleep(1.0)
        return original(buyer)

    Buyer.purchase_key = late  # type: ignore[method-assign]
