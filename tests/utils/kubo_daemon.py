# SPDX-License-Identifier: Apache-2.0
"""Real Kubo daemons on loopback.

The binary is taken from `TRUTHMARK_KUBO`, from the `PATH`, from the user's cache, or built once
from `tools/kubo/go.mod`, where version and every source byte are pinned.
"""

import atexit
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from truthmark.errors import ConfigError, StorageUnavailableError
from truthmark.types import Progress

PACKAGE: Final = "github.com/ipfs/kubo/cmd/ipfs"
PROFILES: Final = "test,unixfs-v1-2025"
OLDEST: Final = (0, 40)  # the first release with the profile unixfs-v1-2025
START_SECONDS: Final = 60.0
SOURCE: Final = Path(__file__).resolve().parents[2] / "tools" / "kubo"


def kubo_binary(*, build: bool = True, progress: Progress | None = None) -> Path:
    """Return an `ipfs` binary that can be used, building it if there is none.

    Args:
        build: whether to build (minutes, once a machine) when none is found.
        progress: called with compiled and all packages while building.

    Raises:
        ConfigError: there is none and it cannot be built here.
    """
    if named := os.environ.get("TRUTHMARK_KUBO"):
        path = Path(named).expanduser()
        if not os.access(path, os.X_OK) or not path.is_file():
            raise ConfigError(f"kubo: TRUTHMARK_KUBO={named} is not a program; correct or unset it")
        return path
    found = shutil.which("ipfs")
    if found and _version(Path(found)) >= OLDEST:
        return Path(found)
    target = _cache_dir() / "ipfs"
    if target.is_file():
        return target
    if not build:
        raise ConfigError("kubo: not built yet; run `tools/kubo/build` or set TRUTHMARK_KUBO")
    _build(target, progress)
    return target


class KuboProcess:
    """One running daemon; stop it with `stop()` or by leaving its `with` block.

    Attributes:
        repo: its IPFS_PATH.
        api: multiaddress of its RPC API, e.g. `/ip4/127.0.0.1/tcp/5001`.
        gateway: URL of its HTTP gateway, e.g. `http://127.0.0.1:8080`.
    """

    def __init__(self, binary: Path, repo: Path, process: "subprocess.Popen[bytes]") -> None:
        """Take over a started `process`; use `start_kubo`."""
        self.binary = binary
        self.repo = repo
        self.process = process
        self.api = ""
        self.gateway = ""

    @property
    def url(self) -> str:
        """What `truthmark.storage.open_storage` takes for this daemon."""
        return f"kubo:{self.api}"

    def swarm_addresses(self) -> list[str]:
        """Return the addresses at which other nodes reach this one."""
        return self.run("id", "--format=<addrs>").split()

    def connect(self, other: "KuboProcess") -> None:
        """Connect to `other`, so that the two exchange blocks."""
        self.run("swarm", "connect", other.swarm_addresses()[0])

    def run(self, *arguments: str) -> str:
        """Run `ipfs <arguments>` against this daemon and return what it prints."""
        return _ipfs(self.binary, self.repo, *arguments)

    def stop(self, *, kill: bool = False) -> None:
        """End the daemon; twice is harmless. `kill` sends SIGKILL, as a crash would be."""
        atexit.unregister(self.stop)
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(15)

    def __enter__(self) -> "KuboProcess":
        """Return the running daemon."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the daemon."""
        self.stop()


def start_kubo(
    repo: Path, *, binary: Path | None = None, progress: Progress | None = None
) -> KuboProcess:
    """Start a daemon of its own that talks to nobody but whom it is told to.

    Loopback only, free ports, no bootstrap, no mDNS, no routing, no AutoConf, no telemetry.

    Args:
        repo: its folder; made if missing, else the daemon continues with what it holds.
        binary: an `ipfs` program; found or built by `kubo_binary` if None.
        progress: passed to `kubo_binary`.

    Raises:
        ConfigError: there is no binary.
        StorageUnavailableError: it does not come up; the message names its log.
    """
    binary = binary or kubo_binary(progress=progress)
    repo = Path(repo)
    if not (repo / "config").is_file():
        repo.mkdir(parents=True, exist_ok=True)
        _ipfs(binary, repo, "init", "--profile", PROFILES)
    _configure(repo / "config")
    for name in ("api", "gateway"):
        (repo / name).unlink(missing_ok=True)  # a killed daemon leaves its old addresses
    log = repo / "daemon.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(binary), "daemon"],
            env=_environment(repo),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    daemon = KuboProcess(binary, repo, process)
    atexit.register(daemon.stop)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        daemon.api = _read(repo / "api")
        daemon.gateway = _read(repo / "gateway")
        # "Daemon is ready" comes after both files, when the node answers.
        if daemon.api and daemon.gateway and _answers(daemon):
            return daemon
        time.sleep(0.05)
    daemon.stop(kill=True)
    raise StorageUnavailableError(f"kubo: the daemon did not come up; read {log}")


def _answers(daemon: KuboProcess) -> bool:
    try:
        daemon.run("id")
    except StorageUnavailableError:
        return False
    return True


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return ""


def _environment(repo: Path) -> dict[str, str]:
    return {**os.environ, "IPFS_PATH": str(repo), "IPFS_TELEMETRY": "off"}


def _ipfs(binary: Path, repo: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            [str(binary), *arguments],
            env=_environment(repo),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise StorageUnavailableError(
            f"kubo: `ipfs {arguments[0]}` gave no answer in 60 s; is the machine overloaded?"
        ) from error
    if done.returncode:
        reason = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise StorageUnavailableError(
            f"kubo: `ipfs {' '.join(arguments)}` failed: {reason[-1] if reason else 'no reason'}"
        )
    return done.stdout


def _configure(path: Path) -> None:
    config: dict[str, Any] = json.loads(path.read_text())
    loopback = "/ip4/127.0.0.1/tcp/0"
    config["Addresses"].update(API=loopback, Gateway=loopback, Swarm=[loopback])
    config["Bootstrap"] = []
    config.setdefault("AutoConf", {})["Enabled"] = False
    config["DNS"] = {"Resolvers": {}}
    config["Discovery"]["MDNS"]["Enabled"] = False
    config["Routing"] = {"Type": "none", "DelegatedRouters": []}
    config["Ipns"]["DelegatedPublishers"] = []
    config["Swarm"]["DisableNatPortMap"] = True
    config.setdefault("Version", {})["SwarmCheckEnabled"] = False
    temporary = path.with_name("config.new")
    temporary.write_text(json.dumps(config, indent=2))
    temporary.chmod(0o600)  # the node's private key is in it
    temporary.replace(path)


def _version(binary: Path) -> tuple[int, ...]:
    try:
        done = subprocess.run(
            [str(binary), "version", "--number"],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return (0,)
    found = re.match(r"(\d+)\.(\d+)", done.stdout)
    return (int(found[1]), int(found[2])) if found else (0,)


def _cache_dir() -> Path:
    import platformdirs

    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum"):
        digest.update((SOURCE / name).read_bytes())
    return Path(platformdirs.user_cache_dir("truthmark")) / "kubo" / digest.hexdigest()[:16]


def _build(target: Path, progress: Progress | None) -> None:
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        raise ConfigError(
            "kubo: no ipfs and no go to build it; install either or set TRUTHMARK_KUBO"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target.parent / "lock"):
        if target.is_file():  # another process built it meanwhile
            return
        total = 0
        if progress is not None:
            listed = subprocess.run(
                [go, "list", "-deps", PACKAGE],
                cwd=SOURCE,
                capture_output=True,
                text=True,
                check=False,
            )
            total = len(listed.stdout.splitlines())
        temporary = target.with_name(f"ipfs.{os.getpid()}.tmp")
        command = [go, "build", "-v", "-mod=readonly", "-trimpath", "-ldflags=-s -w"]
        # No tables for debuggers, which would not be linked: a fifth less to compile. And the
        # compiler, which is gone soon, hardly looks for garbage: a seventh less.
        command.append("-gcflags=all=-dwarf=false")
        process = subprocess.Popen(
            [*command, "-o", str(temporary), PACKAGE],
            cwd=SOURCE,
            env={**os.environ, "GOGC": "800"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        done, last = 0, ""
        assert process.stderr is not None
        try:
            for line in process.stderr:  # with -v one package a line, and errors
                done, last = done + 1, line.strip() or last
                if progress is not None and total:
                    progress(min(done, total), total)
            if process.wait():
                raise ConfigError(f"kubo: building it failed: {last}; see {SOURCE / 'go.mod'}")
            temporary.replace(target)
            if progress is not None and total:
                progress(total, total)
        finally:
            if process.poll() is None:
                process.kill()
            temporary.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Find or build the binary and print where it is."""

    def show(done: int, total: int) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\rbuilding Kubo: {done}/{total} packages")
            sys.stderr.flush()

    path = kubo_binary(progress=show)
    sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
