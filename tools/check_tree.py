# SPDX-License-Identifier: Apache-2.0
"""Check what no other linter looks at; print a line for each breach and exit 1 if there is one.

* every source file says under which licence it is, and the right one for its folder;
* no lock file names a host;
* every contract tells how it is stopped (`@custom:kill`), and leaves 5 % of the size limit free;
* ABI names are spelled right, for they cannot be mended once others use them.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
SOURCES = {".css", ".go", ".html", ".js", ".mod", ".py", ".sh", ".toml", ".vy", ".vyi", ".yaml"}
LOCKS = ("*.lock", "*package-lock.json", "*go.sum")
CODE_LIMIT = 24_576  # EIP-170
SPARE = 0.05


def main() -> int:
    """Run all checks; return the exit code."""
    files = [PurePosixPath(name) for name in _git("ls-files")]
    files = [file for file in files if (ROOT / file).is_file()]
    checks: tuple[Callable[[list[PurePosixPath]], Iterator[str]], ...] = (
        licences,
        locks,
        contracts,
        spelling,
    )
    problems = [problem for check in checks for problem in check(files)]
    if problems:
        print(*problems, sep="\n")
    return 1 if problems else 0


def licences(files: list[PurePosixPath]) -> Iterator[str]:
    """Yield the source files whose first lines do not name their folder's licence."""
    for file in files:
        if file.suffix not in SOURCES and file.name != "Makefile" and file.parts[0] != ".ci":
            continue
        wanted = "AGPL-3.0-only" if file.parts[0] == "contracts" else "Apache-2.0"
        head = (ROOT / file).read_text().split("\n")[:3]
        if not any(f"SPDX-License-Identifier: {wanted}" in line for line in head):
            yield f"{file}: put `SPDX-License-Identifier: {wanted}` in a comment on the first line"


def locks(files: list[PurePosixPath]) -> Iterator[str]:
    """Yield the lock files that would send everybody to somebody's package index."""
    for file in files:
        if any(file.match(pattern) for pattern in LOCKS):
            host = re.search(r"https?://[^/\s\"']+", (ROOT / file).read_text())
            if host:
                yield f"{file}: names the host {host[0]}; run `make lock`"


def contracts(files: list[PurePosixPath]) -> Iterator[str]:
    """Yield the contracts that do not say how to stop them, or are too large."""
    for file in files:
        if file.suffix != ".vy" or file.parent != PurePosixPath("contracts"):
            continue
        if not re.search(r"^@custom:kill \S", (ROOT / file).read_text(), re.MULTILINE):
            yield f"{file}: say in its docstring how it is stopped, after `@custom:kill`"
        size = _artifact(file).get("deployed_size", 0)
        if size > CODE_LIMIT * (1 - SPARE):
            yield f"{file}: {size} bytes, more than {CODE_LIMIT} less {SPARE:.0%}; make it smaller"


def spelling(files: list[PurePosixPath]) -> Iterator[str]:
    """Yield the words in names of ABIs that codespell calls misspelled."""
    for file in files:
        if file.suffix != ".vy" or file.parent != PurePosixPath("contracts"):
            continue
        words = sorted({word for name in _names(_artifact(file).get("abi", [])) for word in name})
        done = subprocess.run(
            [Path(sys.executable).parent / "codespell", "-"],
            cwd=ROOT,
            input="\n".join(words),
            capture_output=True,
            text=True,
            check=False,
        )
        for line in re.findall(r"^\t?(.* ==> .*)$", done.stdout, re.MULTILINE):
            yield f"{file}: a name in its ABI: {line}"


def _artifact(contract: PurePosixPath) -> dict:
    path = ROOT / "truthmark" / "chain" / "artifacts" / f"{contract.stem}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def _names(entries: list[dict]) -> Iterator[list[str]]:
    """Yield every name in an ABI, split into its words."""
    for entry in entries:
        yield re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", entry.get("name", ""))
        for key in ("inputs", "outputs", "components"):
            yield from _names(entry.get(key, []))


def _git(*arguments: str) -> list[str]:
    done = subprocess.run(
        ["git", *arguments, "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.split("\0")[:-1]


if __name__ == "__main__":
    sys.exit(main())
