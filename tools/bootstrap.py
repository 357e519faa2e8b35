# SPDX-License-Identifier: Apache-2.0
"""Make `.venv` ready: packages by hash from requirements.lock, this project, the pinned anvil.

What is locked is installed as it stands, without a resolver, and then checked to be whole: a
resolver asks the index for more than the lock names (the newest of what one package wants as an
extra of another), and so works on the day of the lock only.

Every target of the Makefile runs this first; an argument of `EXTRAS` makes one more environment,
beside the project's own. Each step leaves a stamp that
holds the hash of what it was made from; a step whose stamp still fits is skipped, so that a second
run only reads four small files. An interrupted step has no stamp and runs again, on what it had
already fetched.

Needs nothing but the standard library, and runs (to find a newer one) on any Python from 3.7 up.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements.lock"
LOCKS = ROOT / "tools"
# Each lives by itself, in .venv/<name> by tools/<name>.lock: Vyper's formatter and linter want
# another click than Ape does, crowd-kit an older scikit-learn, and few build the documents.
EXTRAS = {
    "vyper-lint": "install Vyper's formatter and linter",
    "peers": "install what labels are compared with",
    "docs": "install what builds the documents (170 MB)",
}
PIN = ROOT / "truthmark" / "testing" / "node"
WEB = ROOT / "truthmark" / "web"
LOG = ROOT / "build" / "bootstrap.log"
# Ape's pins (numpy 1.26, web3 7) have no wheels for a newer one; the library has no such limit.
VERSIONS = ((3, 11), (3, 12))
HOW_TO_GET_PYTHON = (
    "on Debian or Ubuntu run `apt-get install python3.11 python3.11-venv`, with pyenv "
    "`pyenv install 3.11`; or name one: `PYTHON=/path/to/python3.11 make ...`"
)


class BootstrapError(Exception):
    """What is wrong, and what to do, in one line."""


def main() -> int:
    """Bring `.venv` up to date; return the exit code."""
    LOG.parent.mkdir(exist_ok=True)
    try:
        with _alone():
            steps = _steps() + [_extra_step(name) for name in EXTRAS if name in sys.argv[1:]]
            for number, step in enumerate(steps, 1):
                if not step.is_done():
                    step.run(f"[{number}/{len(steps)}]")
    except BootstrapError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; run the same command again to go on", file=sys.stderr)
        return 130
    return 0


class Step:
    """One thing to do, the files that it depends on, and what must exist once it is done."""

    def __init__(
        self,
        name: str,
        title: str,
        inputs: list[Path],
        result: str,
        action: Callable[[Progress], object],
    ) -> None:
        self.title, self.action = title, action
        self.result, self.stamp = VENV / "bin" / result, VENV / "stamps" / name
        # A venv holds its own path: one that was moved is made again.
        digest = hashlib.sha256(str(ROOT).encode())
        for file in inputs:
            digest.update(file.read_bytes())
        self.digest = digest.hexdigest()

    def is_done(self) -> bool:
        """Tell whether the result stands, made from the inputs as they are now."""
        return (
            self.result.exists() and self.stamp.exists() and self.stamp.read_text() == self.digest
        )

    def run(self, place: str) -> None:
        """Do it and leave the stamp."""
        with Progress(f"{place} {self.title}") as progress:
            self.action(progress)
        self.stamp.parent.mkdir(exist_ok=True)
        self.stamp.write_text(self.digest)


def _steps() -> list[Step]:
    pins, pages = ([at / "package.json", at / "package-lock.json"] for at in (PIN, WEB))
    return [
        Step("venv", "make .venv", [], "python", _make_venv),
        Step("packages", "install packages (2 GB, once)", [LOCK], "pip", _install_packages),
        Step("project", "install truthmark", [ROOT / "pyproject.toml"], "truthmark", _install_self),
        Step("anvil", "fetch anvil", pins, "anvil", _link_anvil),
        Step("web", "fetch what bundles pages", pages, str(WEB / "node_modules"), _fetch_web),
    ]


def _extra_step(name: str) -> Step:
    venv, lock = VENV / name, LOCKS / f"{name}.lock"

    def make(progress: Progress) -> None:
        _run([str(PYTHON), "-m", "venv", "--clear", str(venv)], _advise_venv)
        install_lock(venv / "bin" / "python", lock, progress)

    return Step(name, EXTRAS[name], [lock], f"../{name}/bin/python", make)


def _make_venv(progress: Progress) -> None:
    python = _find_python()
    _run([python, "-m", "venv", "--clear", str(VENV)], _advise_venv)


def _install_packages(progress: Progress) -> None:
    install_lock(PYTHON, LOCK, progress)


def install_lock(python: Path, lock: Path, progress: Progress) -> None:
    """Install exactly what a lock file names, and see that nothing it needs is missing.

    Args:
        python: Of the environment.
        lock: Exact versions with hashes.
        progress: Told how far it is.

    Raises:
        BootstrapError: Something cannot be fetched, is not what was locked, or is not locked.
    """
    total = sum("==" in line for line in lock.read_text().splitlines())
    seen = 0

    def follow(line: str) -> None:
        nonlocal seen
        if line.startswith(("Collecting", "Requirement already satisfied")):
            seen += 1
            progress.text = f"{min(seen, total)} of {total} fetched"
        elif line.startswith("Installing"):
            progress.text = "unpacking"

    exactly = ["--no-deps", "--require-hashes", "-r", str(lock)]
    _run([*_pip(python), "install", "--progress-bar=off", *exactly], _advise_pip, follow)
    _run(
        [*_pip(python), "check"],
        lambda output: f"{lock.name} is not whole; run `make lock`, or report it",
    )


def _install_self(progress: Progress) -> None:
    itself = ["--no-deps", "--no-build-isolation", "-e", str(ROOT)]
    _run([*_pip(PYTHON), "install", *itself], _advise_pip)
    # As pip does with what it installs: else short commands are slow where Python may not keep
    # what it compiles.
    _run(
        [str(PYTHON), "-m", "compileall", "-q", str(ROOT / "truthmark")], lambda _: "cannot compile"
    )


def _pip(python: Path) -> list[str]:
    return [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input"]


def _link_anvil(progress: Progress) -> None:
    """Put anvil on .venv's own PATH, where Ape looks for it.

    A machine without one can still do everything that needs no chain.
    """
    link = VENV / "bin" / "anvil"
    with contextlib.suppress(FileNotFoundError):
        link.unlink()
    try:
        output = _run([str(PYTHON), "-m", "truthmark.testing.anvil"], lambda _: "there is no anvil")
    except BootstrapError as error:
        print(f"\nwarning: {error}; tests of contracts will be skipped", file=sys.stderr)
    else:
        link.symlink_to(output.splitlines()[-1])


def _fetch_web(progress: Progress) -> None:
    """Put the packages of the pages beside their sources; all but their tests works without."""
    try:
        _run([str(PYTHON), "tools/web.py", "--modules"], lambda _: "no npm can be reached")
    except BootstrapError as error:
        print(f"\nwarning: {error}; tests of pages will be skipped", file=sys.stderr)


def _find_python() -> str:
    """Return the path of the first Python of a version that the lock file serves."""
    names = [os.environ.get("PYTHON"), "python3.11", "python3.12", sys.executable, "python3"]
    found = []
    for name in names:
        path = shutil.which(name) if name else None
        version = _version_of(path) if path else None
        if path and version in VERSIONS:
            return path
        if version:
            found.append(f"{path} is {version[0]}.{version[1]}")
    others = "; ".join(dict.fromkeys(found)) or "no other either"
    raise BootstrapError(f"no Python 3.11 or 3.12 here ({others}): {HOW_TO_GET_PYTHON}")


def _version_of(python: str) -> tuple[int, int] | None:
    """Return (major, minor), or None where it does not run (such as a pyenv shim without one)."""
    ask = "import sys; print(*sys.version_info[:2])"
    try:
        shown = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    major, minor = shown.stdout.split()
    return int(major), int(minor)


def _run(
    command: list[str],
    advise: Callable[[str], str],
    follow: Callable[[str], None] = lambda line: None,
) -> str:
    """Run a command with its output in the log, and return the output.

    Args:
        command: What to run.
        advise: Given the output of a failure, returns what to do about it.
        follow: Called with each line of output.
    """
    lines = []
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    with LOG.open("a") as log:
        print("$", *command, file=log, flush=True)
        with subprocess.Popen(
            command,
            cwd=str(ROOT),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            universal_newlines=True,
        ) as child:
            for line in child.stdout or ():
                print(line, end="", file=log, flush=True)
                lines.append(line.rstrip())
                follow(line)
    if child.returncode:
        reasons = [line for line in lines if "error" in line.lower()] or lines[-1:]
        reason = reasons[-1].strip() if reasons else f"exit code {child.returncode}"
        raise BootstrapError(f"{advise(chr(10).join(lines))} ({reason}; see {LOG})")
    return "\n".join(lines)


def _advise_venv(output: str) -> str:
    if "ensurepip" in output:
        return f"this Python cannot make virtual environments; {HOW_TO_GET_PYTHON}"
    return "cannot make .venv; remove it and run the command again"


def _advise_pip(output: str) -> str:
    if "THESE PACKAGES DO NOT MATCH THE HASHES" in output:
        return "a package is not the one that was locked; your package index may be tampered with"
    if "No space left" in output:
        return "the disk is full; about 4 GB are needed"
    for sign in ("Connection", "timed out", "Name or service", "No matching distribution"):
        if sign in output:
            return "the package index cannot be reached; check the network or pip's settings"
    return "pip failed; run the command again"


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Hold a lock, so that two targets at once do not install into one another's feet."""
    with (LOG.parent / "bootstrap.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print("waiting for another set-up to end ...", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Progress:
    """One line for a step: redrawn each second on a terminal, elsewhere printed every 20 s."""

    def __init__(self, title: str) -> None:
        self.title, self.text = title, "..."
        self.started, self.live = time.monotonic(), sys.stderr.isatty()
        self.over = threading.Event()
        self.ticker = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Progress:
        self._write()
        self.ticker.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.over.set()
        self.ticker.join()
        self.text = "failed" if kind else "done"
        self._write()
        if self.live:
            print(file=sys.stderr)

    def _tick(self) -> None:
        while not self.over.wait(1 if self.live else 20):
            self._write()

    def _write(self) -> None:
        line = f"{self.title}: {self.text} ({time.monotonic() - self.started:.0f} s)"
        start, end = ("\r\033[K", "") if self.live else ("", "\n")
        print(start + line, end=end, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
