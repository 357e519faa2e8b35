# SPDX-License-Identifier: Apache-2.0
"""A node in a process that a test may kill; forked from one that has imported everything."""

import logging
import multiprocessing
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from truthmark.node.daemon import Node
from truthmark.node.relay import opening  # what a relay needs is imported once, for all
from truthmark.node.settings import NodeSettings
from truthmark.session import connect

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__, opening.__name__])


def run_node(home: Path, given: dict[str, Any]) -> None:
    """Run a devnet role's node until it is killed; its log is added to `node.log`."""
    logging.basicConfig(filename=home / "node.log", level=logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        with connect(home, ask_passphrase=lambda _: "devnet") as session:
            settings = NodeSettings(**({"margin": 60, "poll": 0.02} | given))
            Node(session, settings).run()
    except BaseException:
        logging.exception("the node ended by itself")
        raise


def start_node(home: Path, **settings: Any) -> BaseProcess:
    """Start a node; `kill()` is SIGKILL."""
    process = _CONTEXT.Process(target=run_node, args=(home, settings), daemon=True)
    process.start()
    return process
