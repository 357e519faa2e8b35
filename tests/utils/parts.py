# SPDX-License-Identifier: Apache-2.0
"""`--part i/n` runs one of n parts of the tests, and what passed is not run again.

For campaigns of hours on a machine that may be taken away: each pass is recorded at once in
`build/assure/`, under a hash of the sources, so that the same command goes on where it was ended,
and starts over when a source has changed.
"""

import hashlib
import subprocess
from pathlib import Path

import pytest


class PartsPlugin:
    """Registered by tests/conftest.py when `--part` is given."""

    def __init__(self, part: str, config: pytest.Config) -> None:
        try:
            index, count = (int(number) for number in part.split("/"))
        except ValueError:
            raise pytest.UsageError(f"--part {part}: say which of how many, as in 1/4") from None
        if not 1 <= index <= count:
            raise pytest.UsageError(
                f"--part {part}: the first is 1/{count}, the last {count}/{count}"
            )
        self.index, self.count = index, count
        self.record = config.rootpath / "build" / "assure" / source_hash(config.rootpath)
        self.passed = set(self.record.read_text().split("\n")) if self.record.exists() else set()
        self.skipped_over = 0
        # Under xdist the workers choose, all alike, and the controller hears of every pass.
        self.records = not hasattr(config, "workerinput")

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        ours = [item for item in items if part_of(item.nodeid, self.count) == self.index]
        left = [item for item in ours if item.nodeid not in self.passed]
        self.skipped_over = len(ours) - len(left)
        config.hook.pytest_deselected(items=[item for item in items if item not in set(left)])
        items[:] = left

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if self.records and report.when == "call" and report.passed:
            self.record.parent.mkdir(parents=True, exist_ok=True)
            with self.record.open("a") as record:
                record.write(f"{report.nodeid}\n")

    def pytest_report_collectionfinish(self) -> str:
        return (
            f"part {self.index} of {self.count}; {self.skipped_over} passed before, not run again"
        )


def part_of(nodeid: str, count: int) -> int:
    """Return the part, from 1 to `count`, that a test belongs to, on every machine alike."""
    return int.from_bytes(hashlib.sha256(nodeid.encode()).digest()[:8], "big") % count + 1


def source_hash(root: Path) -> str:
    """Return a hash of every file that git tracks or would, as it is in the work tree."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=root, capture_output=True, check=True).stdout.split(b"\0")
    digest = hashlib.sha256()
    for name in sorted(set(names) - {b""}):
        file = root / name.decode()
        if file.is_file():
            digest.update(name + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]
