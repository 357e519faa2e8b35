# SPDX-License-Identifier: Apache-2.0
"""The app on this machine: `make app`.

With the settings of this machine where there are some. In a bare shell, where nothing says which
network to use, it offers to start a local one, whose roles the app then acts as.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from truthmark.config.profile import profile_names
from truthmark.config.settings import load_settings
from truthmark.errors import ConfigError, TruthmarkError
from truthmark.testing.network import Devnet

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "devnet"
CUSTODIANS = 3
ROLE = "buyer"
DEVNET = "--devnet"


def main(arguments: list[str]) -> int:
    """Run the app until Ctrl-C; return the exit code.

    Args:
        arguments: `--devnet` starts a local network without asking.
    """
    try:
        wants = DEVNET in arguments
        if not wants and is_bare():
            wants = offer(sys.stdin.isatty(), input)
            if not wants:
                return ConfigError.exit_code
        if not wants:
            return serve({})
        with running(FOLDER) as net:
            return serve({"TRUTHMARK_HOME": str(net.home(ROLE))})
    except KeyboardInterrupt:
        return 130
    except TruthmarkError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def is_bare() -> bool:
    """Whether nothing on this machine says which network to use."""
    settings = load_settings()
    if settings.named or "TRUTHMARK_HOME" in os.environ:
        return False
    return settings.profile not in profile_names(settings.home)


def offer(is_terminal: bool, ask: Callable[[str], str]) -> bool:
    """Return whether to start a local network; where nobody can be asked, say how."""
    if not is_terminal:
        print(
            "no network is set up here; `make app DEVNET=1` starts a local one with custodians "
            "and test money, and the app on it",
            file=sys.stderr,
        )
        return False
    print("No network is set up here, so there is nothing to connect to.")
    answer = ask(f"Start a local one with {CUSTODIANS} custodians and test money? [Y/n] ")
    if answer.strip().lower() in ("", "y", "yes"):
        return True
    print("`truthmark init` sets this machine up for another network.")
    return False


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Devnet]:
    """Give the network in a folder, which is started and ended here unless it runs already."""
    if (folder / "devnet.json").is_file() and (net := Devnet.open(folder)).chain.is_running():
        yield net
        return
    print("starting a chain, contracts and custodians; it goes on with what it held before")
    net = Devnet.start(folder, custodians=CUSTODIANS)
    try:
        yield net
    finally:
        net.stop()


def serve(environment: dict[str, str]) -> int:
    """Run the app's server on loopback, as this machine's own."""
    command = (sys.executable, "-m", "streamlit", "run", "app/streamlit_app.py")
    server = subprocess.Popen(
        [*command, "--server.address", "127.0.0.1", "--server.showEmailPrompt", "false"],
        cwd=ROOT,
        env={**os.environ, "TRUTHMARK_APP_LOCAL": "1", **environment},
    )
    while True:
        # Ctrl-C reaches the server too, which ends by itself.
        with contextlib.suppress(KeyboardInterrupt):
            return server.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
