# SPDX-License-Identifier: Apache-2.0
"""The app on a real server."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.app.conftest import ROOT
from tests.utils.pages import plain_environment
from truthmark.testing.ports import free_port

SERVER = ROOT / "app" / "streamlit_app.py"
START_SECONDS = 300  # against hangs alone


@contextlib.contextmanager
def serve(home: Path, log: Path, *, is_local: bool = True, rpc: str = "") -> Iterator[str]:
    """Serve the app, and give its address.

    Args:
        home: Of the account.
        log: File for what the server prints.
        is_local: As the machine of the account would, or as a server for strangers.
        rpc: Where the chain is asked, if not as the account's settings say.
    """
    port = free_port()
    environment = plain_environment() | {
        "TRUTHMARK_HOME": str(home),
        "TRUTHMARK_APP_LOCAL": "1" if is_local else "0",
        # Nobody edits it meanwhile, and who does is not told so on the page.
        "STREAMLIT_SERVER_FILE_WATCHER_TYPE": "none",
    }
    if rpc:
        environment["TRUTHMARK_RPC"] = rpc
    command = [*(sys.executable, "-m", "streamlit", "run", str(SERVER)), "--server.headless"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "true", "--server.address", "127.0.0.1", "--server.port", str(port)],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        here = f"http://127.0.0.1:{port}"
        _wait_for(here, process, log)
        yield here
    finally:
        process.terminate()
        process.wait(timeout=120)


def _wait_for(here: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"{here}/_stcore/health").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())
