# SPDX-License-Identifier: Apache-2.0
"""Run every test that a fresh clone can run, and close with one line that adds them up.

Two runners share the tree: Ape runs tests/functional on anvil, plain pytest all else. Then the
coverage of the packages named in pyproject.toml is held against its floor. Tests of what is not
among them run without a tracer: it makes contracts in titanoboa take two and a half times as long.
"""

import os
import shutil
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "build" / "test"
WORKERS = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
# Long ones first, so that short ones fill up what is left.
UNTRACED = (
    *("tests/stateful", "tests/faults/test_storage_*.py", "tests/lib/test_storage_*.py"),
    "tests/unit/contracts",
)


@dataclass
class Totals:
    """What all runners together have said."""

    passed: int = 0
    failed: int = 0
    skipped: Counter[str] = field(default_factory=Counter)

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
        self.failed += failed or bool(exit_code)


def main() -> int:
    """Run both runners; return 0 if nothing failed."""
    # Where pytest, ape and anvil are, also when this was not started by make.
    os.environ["PATH"] = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    shutil.rmtree(RESULTS, ignore_errors=True)
    RESULTS.mkdir(parents=True)
    _build_kubo()
    totals = Totals()
    _run_ape(totals)
    _run_pytest(totals)
    _run_pytest_traced(totals)
    totals.failed += _count_uncovered()
    if totals.skipped:
        print("\n!!! NOT TESTED HERE (with TRUTHMARK_REQUIRE=all these are failures):")
        for reason, count in sorted(totals.skipped.items()):
            print(f"{count:6} skipped: {reason}")
    skipped = totals.skipped.total()
    print(f"\ntotal: {totals.passed} passed, {totals.failed} failed, {skipped} skipped")
    return 1 if totals.failed else 0


def _build_kubo() -> None:
    """Build Kubo now, if it must be: within a test its minutes would run into the time limit."""
    from truthmark.errors import ConfigError
    from truthmark.testing.kubo import kubo_binary

    def show(done: int, total: int) -> None:
        if done % 100 == 0 or done == total:
            print(f"building Kubo, once: {done} of {total} packages", flush=True)

    try:
        kubo_binary(progress=show)
    except ConfigError as error:
        print(f"tests against Kubo will not run: {error}", flush=True)


def _run_ape(totals: Totals) -> None:
    print("=== contracts under Ape, on anvil: ape test tests/functional", flush=True)
    if not shutil.which("anvil"):
        reason = "tests/functional: there is no anvil"
        print(reason)
        if os.environ.get("TRUTHMARK_REQUIRE") == "all":
            totals.failed += 1
        else:
            totals.skipped[reason] += 1
        return
    report = RESULTS / "ape.xml"
    # In one process: Ape connects no worker of xdist, and these tests share one deployment anyway.
    command = ["ape", "test", "tests/functional", "--quiet", f"--junitxml={report}"]
    totals.add(report, subprocess.run(command, cwd=ROOT, check=False).returncode)


def _run_pytest(totals: Totals) -> None:
    print("=== contracts on titanoboa, and storage: pytest", flush=True)
    places = [str(path) for pattern in UNTRACED for path in sorted(ROOT.glob(pattern))]
    totals.add(*_pytest("untraced", places))


def _run_pytest_traced(totals: Totals) -> None:
    print("=== all else, and how much of it is covered: pytest", flush=True)
    others = [f"--ignore-glob={ROOT / pattern}" for pattern in UNTRACED]
    totals.add(*_pytest("traced", [*others, "--cov", "--cov-report="]))


def _pytest(name: str, arguments: list[str]) -> tuple[Path, int]:
    """Run pytest; return where its report is, and its exit code."""
    report = RESULTS / f"{name}.xml"
    command = [
        *("pytest", "-p", "no:ape_test", "--quiet", f"--junitxml={report}", "--durations=15"),
        *(*WORKERS, *arguments),
    ]
    environment = {**os.environ, "COVERAGE_FILE": str(RESULTS / "coverage")}
    return report, subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def _count_uncovered() -> int:
    """Print the coverage of each package that has a floor; return how many are below it."""
    from coverage import Coverage

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["truthmark"]
    floor = settings["coverage-floor"]
    coverage = Coverage(str(RESULTS / "coverage"), config_file=str(ROOT / "pyproject.toml"))
    coverage.load()
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


if __name__ == "__main__":
    sys.exit(main())
