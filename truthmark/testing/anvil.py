# SPDX-License-Identifier: Apache-2.0
"""Find, fetch and run anvil, the local chain.

The version is pinned, by hash, in `node/package-lock.json`. It is fetched once for each user with
`npm ci` and kept in the user's cache folder, so that clones and installed packages share one copy.
Only the native binary is ever run: npm's shims are slow and lose exit codes.
"""

import atexit
import contextlib
import json
import os
import platform
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Self

import httpx
from platformdirs import user_cache_path

from truthmark.config.files import write_atomically
from truthmark.errors import ChainUnavailableError, ConfigError
from truthmark.hashing import sha256
from truthmark.testing.npm import npm_ci
from truthmark.waiting import Deadline

HARDFORK = "prague"
"""What the contracts are compiled for (their `evm-version` pragma)."""

MNEMONIC = "test test test test test test test test test test test junk"
"""Anvil's own; its keys are public knowledge and good for nothing but local chains."""

_PACKAGES = {
    ("Linux", "x86_64"): "anvil-linux-amd64",
    ("Linux", "aarch64"): "anvil-linux-arm64",
    ("Darwin", "arm64"): "anvil-darwin-arm64",
    ("Darwin", "x86_64"): "anvil-darwin-amd64",
}
_ELSEWHERE = "install Foundry's anvil and put it on PATH, or name it in TRUTHMARK_ANVIL"
_OLDEST = (1, 0)  # the first release with the prague fork
_START_SECONDS = 30.0
_STOP_SECONDS = 10.0
_STATE_INTERVAL_SECONDS = 2
_PAST_STATES = 256
"""Beside those in memory; a usual node keeps 128 in all, and each may take megabytes."""
# Trusts nobody: to read the certificates of all who are trusted takes ten times as long as a call.
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def anvil_binary() -> Path:
    """Return the path of a native anvil, fetching the pinned one if there is none.

    Looked for in this order: the file named by `TRUTHMARK_ANVIL`; the pinned one, if it was
    fetched before; a native `anvil` on PATH, 1.0 or newer; the pinned one, fetched now.

    Raises:
        ConfigError: There is none and none can be fetched.
    """
    if named := os.environ.get("TRUTHMARK_ANVIL"):
        binary = Path(named)
        if not _is_native(binary):
            raise ConfigError(
                f"TRUTHMARK_ANVIL names {named}, which is not an executable binary; "
                "correct or unset it"
            )
        return binary
    pinned = _pinned_binary()
    if pinned is not None and pinned.exists():
        return pinned
    return _binary_on_path() or fetch_anvil()


def fetch_anvil() -> Path:
    """Fetch the pinned anvil into the user's cache, unless it is there, and return its path.

    An interrupted fetch leaves nothing that a later one would take for whole.

    Raises:
        ConfigError: This machine's kind has no pinned binary, there is no npm, or npm failed.
    """
    binary = _pinned_binary()
    if binary is None:
        machine = f"{platform.system()} {platform.machine()}"
        raise ConfigError(f"no anvil is pinned for {machine}; {_ELSEWHERE}")
    if binary.exists():
        return binary
    folder = _pinned_folder()
    pins = {name: _pin(name) for name in ("package.json", "package-lock.json")}
    npm_ci(pins, folder, binary.relative_to(folder), what="anvil", otherwise=_ELSEWHERE)
    return binary


@dataclass
class AnvilProcess:
    """A running anvil.

    It can be made again from a recorded `url`, `pid` and `log`, so that one process starts a chain
    and another stops it.

    Usage example::

        with start_anvil() as chain:
            print(chain.rpc("eth_blockNumber"))
    """

    url: str
    pid: int
    log: Path
    _child: subprocess.Popen[bytes] | None = field(default=None, repr=False, compare=False)

    def rpc(self, method: str, *params: object) -> object:
        """Call a JSON-RPC method and return its result.

        Raises:
            ChainUnavailableError: Nothing answers, or the answer is an error.
        """
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        try:
            answer = httpx.post(
                self.url, json=request, timeout=30, verify=_NO_TLS, trust_env=False
            ).json()
        except (httpx.HTTPError, ValueError) as error:
            raise ChainUnavailableError(
                f"anvil at {self.url} does not answer ({error}); see {self.log}"
            ) from error
        if "error" in answer:
            raise ChainUnavailableError(f"anvil refused {method}: {answer['error']['message']}")
        return answer["result"]

    def is_running(self) -> bool:
        """Tell whether the process is alive and still is this anvil."""
        if self._child is not None:
            return self._child.poll() is None
        # Not from /proc, which macOS does not have.
        command = ["ps", "-o", "stat=,comm=", "-p", str(self.pid)]
        shown = subprocess.run(command, capture_output=True, text=True, check=False)
        state, _, name = shown.stdout.strip().partition(" ")
        # A process that has ended and that nobody has waited for is still listed, as Z.
        return not state.startswith("Z") and Path(name.strip()).name == "anvil"

    def stop(self) -> None:
        """End the process, and wait until it has; does nothing if it is gone already.

        With a state file, the state is written on the way out.
        """
        atexit.unregister(self.stop)
        if self.is_running():
            self._end()
        shutil.rmtree(_past_states(self.log), ignore_errors=True)

    def _end(self) -> None:
        deadline = Deadline(_STOP_SECONDS)
        self._signal(signal.SIGTERM)
        while self.is_running() and not deadline.is_over:
            time.sleep(0.02)
        if self.is_running():
            self._signal(signal.SIGKILL)
            if self._child is not None:
                self._child.wait()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start_anvil(
    *,
    port: int | None = None,
    chain_id: int | None = None,
    block_time: int | None = None,
    fork_url: str | None = None,
    state: Path | None = None,
    log: Path | None = None,
    accounts: int = 20,
    detach: bool = False,
    extra: Sequence[str] = (),
) -> AnvilProcess:
    """Start anvil on a loopback port and return once it answers.

    Args:
        port: Where to listen; a free port if not given.
        chain_id: 31337 if not given, or the upstream's id where `fork_url` is.
        block_time: Seconds between blocks; a block for each transaction if not given.
        fork_url: An upstream endpoint to fork from.
        state: A file to start from if it exists. The state is written there every two seconds
            and at the end, so a killed chain comes back nearly as it was.
        log: Where anvil's output goes; a new temporary file if not given.
        accounts: How many accounts are funded; their keys are derived from MNEMONIC.
        detach: Leave it running when this process ends.
        extra: More arguments for anvil, as they are.

    Raises:
        ConfigError: There is no anvil.
        ChainUnavailableError: It ended, or did not answer within 30 seconds.
    """
    if chain_id is None and fork_url is None:
        chain_id = 31337
    command = [
        str(anvil_binary()),
        *("--host", "127.0.0.1", "--port", str(port or 0), "--hardfork", HARDFORK),
        *("--mnemonic", MNEMONIC, "--accounts", str(accounts), "--color", "never"),
    ]
    if chain_id is not None:
        command += ["--chain-id", str(chain_id)]
    if block_time is not None:
        command += ["--block-time", str(block_time)]
    if fork_url is not None:
        command += ["--fork-url", fork_url]
    if state is not None:
        _keep_first_genesis(state)
        command += ["--state", str(state), "--state-interval", str(_STATE_INTERVAL_SECONDS)]
    if log is None:
        handle, name = tempfile.mkstemp(prefix="anvil-", suffix=".log")
        os.close(handle)
        log = Path(name)
    shutil.rmtree(_past_states(log), ignore_errors=True)  # of one that was killed
    command += ["--cache-path", str(_past_states(log))]
    command += ["--max-persisted-states", str(_PAST_STATES), *extra]
    with log.open("wb") as output:
        # A session of its own: Ctrl-C in the terminal is ours to turn into a clean stop.
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    process = AnvilProcess("", child.pid, log, child)
    if not detach:
        atexit.register(process.stop)
    try:
        _wait_until_ready(process)
    except BaseException:
        process.stop()
        raise
    return process


def _past_states(log: Path) -> Path:
    """Return where anvil keeps the states of blocks long past, which it never deletes itself.

    Beside its log. By itself it would take the user's home, a few gigabytes in a day of tests.
    """
    return log.with_name(f"{log.name}.states")


def _keep_first_genesis(state: Path) -> None:
    """Leave only the chain's own block 0 in a saved state.

    Each start makes a block 0, which anvil saves beside the one it has loaded; which of them it
    takes when it is started again is chance, and to everybody the chain is another one then.
    """
    try:
        saved = json.loads(state.read_bytes())
        first = [block for block in saved["blocks"] if int(block["header"]["number"], 16) == 0]
    except (OSError, ValueError, KeyError, TypeError):
        return  # a new chain, or a state whose damage anvil reports itself
    if len(first) < 2:
        return
    own = min(first, key=lambda block: int(block["header"]["timestamp"], 16))
    saved["blocks"] = [block for block in saved["blocks"] if block is own or block not in first]
    write_atomically(state, json.dumps(saved).encode())


def _wait_until_ready(process: AnvilProcess) -> None:
    """Learn the port from the log (anvil chose it), then wait for the first answer."""
    deadline = Deadline(_START_SECONDS)
    while not deadline.is_over:
        if not process.is_running():
            raise ChainUnavailableError(f"anvil ended at once: {_reason(process.log)}")
        found = re.search(rb"Listening on (127\.0\.0\.1:\d+)", process.log.read_bytes())
        if found:
            process.url = f"http://{found[1].decode()}"
            with contextlib.suppress(ChainUnavailableError):
                process.rpc("eth_chainId")
                return
        time.sleep(0.02)
    raise ChainUnavailableError(
        f"anvil did not answer within {_START_SECONDS:.0f} s; see {process.log}"
    )


def _reason(log: Path) -> str:
    """Return what anvil calls an error, or else the first line that it printed."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return next(iter(errors + lines), f"no output in {log}")


def _pin(name: str) -> bytes:
    return resources.files("truthmark.testing").joinpath("node", name).read_bytes()


@cache
def _pinned_folder() -> Path:
    digest = sha256(_pin("package.json") + _pin("package-lock.json")).hex()[:16]
    return user_cache_path("truthmark") / "anvil" / digest


def _pinned_binary() -> Path | None:
    """Return where the pinned binary is or would be; None if none is pinned for this machine."""
    package = _PACKAGES.get((platform.system(), platform.machine()))
    if package is None:
        return None
    return _pinned_folder() / "node_modules" / "@foundry-rs" / package / "bin" / "anvil"


def _is_native(file: Path) -> bool:
    """Tell a binary from a script such as npm's shim."""
    try:
        with file.open("rb") as head:
            return head.read(2) != b"#!" and os.access(file, os.X_OK)
    except OSError:
        return False


def _binary_on_path() -> Path | None:
    for folder in os.get_exec_path():
        binary = Path(folder) / "anvil"
        if not _is_native(binary):
            continue
        shown = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
        version = re.search(r"(\d+)\.(\d+)\.\d+", shown.stdout)
        if version and (int(version[1]), int(version[2])) >= _OLDEST:
            return binary
    return None


if __name__ == "__main__":
    sys.stdout.write(f"{fetch_anvil() if sys.argv[1:] == ['--pinned'] else anvil_binary()}\n")
