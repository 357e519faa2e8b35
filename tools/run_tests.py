# SPDX-License-Identifier: Apache-2.0
"""Run every test that a fresh clone can run, and close with a table of folders and their sums.

Two runners share the tree: Ape runs tests/functional on anvil, plain pytest all else. What covers
the packages named in pyproject.toml runs with a tracer and is held against their floor. All else
runs beside it without one: it makes contracts in titanoboa take two and a half times as long. Each
half has two workers, so that two cores are busy also while some of them wait.
"""

import os
import shutil
import sqlite3
import subprocess
import sys
import time
import tomllib
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "build" / "test"
COVERAGE = RESULTS / "coverage"
PYTEST = (
    *("pytest", "-p", "no:ape_test", "--quiet", "--durations=15"),
    *("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"),
)
UNTRACED = (
    *("tests/stateful", "tests/fork", "tests/unit/contracts", "tests/lib/test_storage_*.py"),
    *("tests/faults/test_storage_*.py", "tests/lib/test_wheel.py", "tests/lib/test_readme.py"),
    *("tests/lib/test_*_page.py", "tests/lib/test_notebook.py"),
    *("tests/unit/test_plugins.py", "tests/unit/test_bootstrap.py", "tests/unit/test_artifacts.py"),
)


@dataclass
class Totals:
    """What all runners together have said."""

    passed: int = 0
    failed: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    tests: Counter[str] = field(default_factory=Counter)

    def add(self, report: Path, exit_code: int) -> None:
        """Count what a runner reported; one that ended badly without a failure is a failure."""
        failed = 0
        if report.exists():
            for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314 (our own file)
                skip = case.find("skipped")
                if case.find("failure") is not None or case.find("error") is not None:
                    failed += 1
                elif skip is not None:
                    self.skipped[skip.get("message") or "no reason given"] += 1
                else:
                    self.passed += 1
                folder = "/".join(case.get("classname", "").split(".test_")[0].split("."))
                self.seconds[folder] += float(case.get("time", 0))
                self.tests[folder] += 1
        self.failed += failed or bool(exit_code)


def main() -> int:
    """Run both runners; return 0 if nothing failed."""
    begun = time.monotonic()
    # Where pytest, ape and anvil are, also when this was not started by make.
    os.environ["PATH"] = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    # Hundreds of short processes must not compile every module again.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    shutil.rmtree(RESULTS, ignore_errors=True)
    RESULTS.mkdir(parents=True)
    _build_kubo()
    totals = Totals()
    with ThreadPoolExecutor(1) as beside:
        traced = beside.submit(_run_traced)
        _run_ape(totals)
        totals.add(*_run_untraced())
        totals.add(*traced.result())
    totals.failed += _count_uncovered()
    if totals.skipped:
        print("\n!!! NOT TESTED HERE (with TRUTHMARK_REQUIRE=all these are failures):")
        for reason, count in sorted(totals.skipped.items()):
            print(f"{count:6} skipped: {reason}")
    print("\n=== seconds (of a worker; four share the machine) and tests by folder")
    for folder, seconds in sorted(totals.seconds.items()):
        print(f"{folder:24} {seconds:7.0f} s {totals.tests[folder]:6} tests")
    print(f"{'sum':24} {totals.seconds.total():7.0f} s {totals.tests.total():6} tests")
    print(f"{'from begin to end':24} {time.monotonic() - begun:7.0f} s")
    skipped = totals.skipped.total()
    print(f"\ntotal: {totals.passed} passed, {totals.failed} failed, {skipped} skipped")
    return 1 if totals.failed else 0


def _build_kubo() -> None:
    """Build Kubo now, if it must be: within a test its minutes would run into the time limit."""
    sys.path.insert(0, str(ROOT))  # some installed packages bring a `tests` of their own
    from tests.utils.kubo_daemon import kubo_binary
    from truthmark.errors import ConfigError

    def show(done: int, total: int) -> None:
        if done % 100 == 0 or done == total:
            print(f"building Kubo, once: {done} of {total} packages", flush=True)

    try:
        kubo_binary(progress=show)
    except ConfigError as error:
        print(f"tests against Kubo will not run: {error}", flush=True)


def _run_ape(totals: Totals) -> None:
    if not shutil.which("anvil"):
        reason = "tests/functional: there is no anvil"
        print(reason)
        if os.environ.get("TRUTHMARK_REQUIRE") == "all":
            totals.failed += 1
        else:
            totals.skipped[reason] += 1
        return
    # In one process: Ape connects no worker of xdist, and these tests share one deployment anyway.
    totals.add(*_run("ape", ["ape", "test", "tests/functional", "--quiet"]))


def untraced() -> list[Path]:
    """Return what runs without a tracer: files and folders, long ones first."""
    return [path for pattern in UNTRACED for path in sorted(ROOT.glob(pattern))]


def traced() -> list[Path]:
    """Return the files that run with a tracer: short ones last, to fill up what is left."""
    others = set(untraced())
    return sorted(
        (
            path
            for path in (ROOT / "tests").rglob("test_*.py")
            if path.relative_to(ROOT / "tests").parts[0] != "functional"
            and others.isdisjoint([path, *path.parents])
        ),
        key=lambda path: (path.relative_to(ROOT).parts[1] == "unit", path),
    )


def _run_untraced() -> tuple[Path, int]:
    return _run("untraced", [*PYTEST, *map(str, untraced())])


def _run_traced() -> tuple[Path, int]:
    # Coverage starts by itself in each Python that finds this in its environment.
    more = {
        "COVERAGE_PROCESS_START": str(ROOT / "pyproject.toml"),
        "COVERAGE_FILE": str(COVERAGE),
    }
    return _run("traced", [*PYTEST, *map(str, traced())], more)


def _run(
    name: str, command: Sequence[str], environment: Mapping[str, str] | None = None
) -> tuple[Path, int]:
    """Run pytest or Ape and show each line with its name; return its report and exit code."""
    report = RESULTS / f"{name}.xml"
    with subprocess.Popen(
        [*command, f"--junitxml={report}"],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as child:
        for line in child.stdout or ():
            print(f"{name:8} | {line}", end="", flush=True)
    return report, child.returncode


def _count_uncovered() -> int:
    """Print the coverage of each package that has a floor; return how many are below it."""
    from coverage import Coverage

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["truthmark"]
    floor = settings["coverage-floor"]
    coverage = Coverage(str(COVERAGE), config_file=str(ROOT / "pyproject.toml"))
    written = [str(path) for path in RESULTS.glob("coverage.*") if _is_whole(path)]
    if not written:
        print("\nthe traced tests have written no coverage")
        return 1
    coverage.combine(written)
    below = 0
    print("\n=== lines and branches covered")
    for package in settings["covered-packages"]:
        folder = ROOT / "truthmark" / package
        with Path(os.devnull).open("w") as nowhere:
            percent = coverage.report(include=[f"{folder}/*"], file=nowhere)
        verdict = "" if percent >= floor else f", below the floor of {floor} %"
        below += percent < floor
        print(f"{package:10} {percent:5.1f} %{verdict}")
    return below


def _is_whole(data: Path) -> bool:
    """Tell whether a process came to write its coverage down.

    One that is killed at its end leaves a file without tables. So do decoders' children, which end
    when their channel closes and are killed at once all the same.
    """
    try:
        with closing(sqlite3.connect(data)) as connection:
            return connection.execute("SELECT 1 FROM coverage_schema").fetchone() is not None
    except sqlite3.DatabaseError:
        return False


if __name__ == "__main__":
    sys.exit(main())
