# SPDX-License-Identifier: Apache-2.0
"""`truthmark app`: the app in a browser, for this machine's accounts."""

import contextlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

import truthmark
from truthmark.cli.command import State, command
from truthmark.cli.output import ask, info, progress_bar
from truthmark.cli.param_types import FOLDER
from truthmark.config.profile import profile_names
from truthmark.config.settings import Settings
from truthmark.errors import ConfigError

if TYPE_CHECKING:
    from truthmark.testing.network import Devnet

CUSTODIANS = 3
ROLE = "buyer"
_NEEDED = ("streamlit", "markdown_it")


@command()
@click.option(
    "--devnet",
    type=FOLDER,
    is_flag=False,
    flag_value="devnet",
    metavar="[FOLDER]",
    help="Start a local network, in FOLDER or in `devnet`, and act in it as the buyer; it ends "
    "with the app.",
)
@click.option("--port", type=click.IntRange(1, 65_535), help="Where the app answers.")
def app(state: State, devnet: Path | None, port: int | None) -> None:
    """Open the app in a browser: the market, labeling, asking for labels, stake.

    It acts with the accounts of this machine, once their passphrase is typed, and answers this
    machine alone. Ctrl-C ends it.
    """
    root = app_folder()
    if devnet is None and state.home is None and is_bare(state.settings):
        offer()
        devnet = Path("devnet")
    given = {name: _as_text(value) for name, value in state.given.items()}
    if state.home is not None:
        given["home"] = str(state.home)
    if devnet is None:
        code = serve(root, given, port)
    else:
        with running(devnet.absolute()) as net:
            code = serve(root, {**given, "home": str(net.home(ROLE))}, port)
    click.get_current_context().exit(code)


def app_folder() -> Path:
    """Return the folder in which the app is: of the wheel, or of a clone.

    Raises:
        ConfigError: It is not installed, or what it needs is not.
    """
    package = Path(truthmark.__file__).parent
    for folder in (package / "_app", package.parent):
        if (folder / "app" / "streamlit_app.py").is_file():
            break
    else:
        raise ConfigError("the app is not installed; pip install 'truthmark[app]'")
    if any(importlib.util.find_spec(name) is None for name in _NEEDED):
        raise ConfigError("the app needs more packages; pip install 'truthmark[app]'")
    return folder


def is_bare(settings: Settings) -> bool:
    """Whether nothing on this machine says which network to use."""
    if settings.named or "TRUTHMARK_HOME" in os.environ:
        return False
    return settings.profile not in profile_names(settings.home)


def offer() -> None:
    """Ask whether to start a local network.

    Raises:
        ConfigError: It is not wanted, or nobody can be asked.
    """
    start = "`truthmark app --devnet` starts a local one with test money"
    other = "`truthmark init` sets this machine up for another network"
    if not sys.stdin.isatty():
        raise ConfigError(f"no network is set up here; {start}, and {other}")
    info("no network is set up here, so there is nothing to connect to")
    if not ask(f"start a local one with {CUSTODIANS} custodians and test money?", yes=False):
        raise ConfigError(f"nothing was started; {other}")


@contextlib.contextmanager
def running(folder: Path) -> "Iterator[Devnet]":
    """Give the network in a folder, which is started and ended here unless it runs already."""
    # Not for a help: a network is made of everything there is.
    from truthmark.testing.network import Devnet

    if (folder / "devnet.json").is_file() and (net := Devnet.open(folder)).chain.is_running():
        yield net
        return
    with progress_bar("starting the network", "steps") as progress:
        net = Devnet.start(folder, custodians=CUSTODIANS, progress=progress)
    try:
        yield net
    finally:
        net.stop()


def serve(root: Path, settings: Mapping[str, str], port: int | None) -> int:
    """Run the app's server on loopback, as this machine's own; return its exit code."""
    command = [sys.executable, "-m", "streamlit", "run", "app/streamlit_app.py"]
    command += ["--server.address", "127.0.0.1", "--server.showEmailPrompt", "false"]
    if port is not None:
        command += ["--server.port", str(port)]
    named = {f"TRUTHMARK_{name.upper()}": value for name, value in settings.items()}
    server = subprocess.Popen(
        command, cwd=root, env={**os.environ, **named, "TRUTHMARK_APP_LOCAL": "1"}
    )
    try:
        return server.wait()
    finally:
        # Ctrl-C at a terminal has reached the server too; sent to this process alone it has not.
        server.terminate()
        with contextlib.suppress(KeyboardInterrupt):
            server.wait()


def _as_text(value: object) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)
