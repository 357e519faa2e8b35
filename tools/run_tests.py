# SPDX-License-Identifier: Apache-2.0
"""Run every test that a fresh clone can run, and close with a table of folders and their sums.

Three runners share the tree: Ape runs tests/functional on anvil, plain pytest all else. What covers
the packages named in pyproject.toml runs with a tracer and is held against their floor. All else
runs beside it without one, which makes Python take half as long again, and titanoboa twice as long.
There are more workers than cores, so that the cores are busy also while some of them wait.

What tests write is kept in memory where there is room: journals and keys wait for the disk at
each step, and five workers for each other there.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "build" / "test"
COVERAGE = RESULTS / "coverage"
PYTEST = ("pytest", "--quiet", "--durations=15")
BY_FILE = ("--dist", "loadfile", "--no-loadscope-reorder")
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["truthmark"]
TRACED = (
    *("tests/lib/test_market*.py", "tests/lib/test_cli_market*.py", "tests/lib/test_index_*.py"),
    *("tests/lib/test_stored.py", "tests/lib/test_redealing.py", "tests/lib/test_royalties.py"),
    *("tests/lib/test_bounty_*.py", "tests/lib/test_relay.py", "tests/lib/test_cli.py"),
    *("tests/lib/test_node*.py", "tests/unit/node/relay/test_*.py"),
    *("tests/lib/test_samples.py", "tests/lib/test_remedies.py"),
    # What a node looks at and keeps of samples.
    *(f"tests/unit/node/test_{name}.py" for name in ("samples", "keeping", "holdings")),
    *("tests/lib/test_cli_attack.py", "tests/lib/test_replay.py", "tests/faults/test_relay_*.py"),
    *("tests/unit/cli/test_*.py", "tests/unit/agents/test_*.py"),
    "tests/faults/test_lying_endpoints.py",
    *(f"tests/unit/{package}/**/test_*.py" for package in SETTINGS["covered-packages"]),
)
ADDS_LITTLE = frozenset(
    ROOT / "tests" / f"{name}.py"
    for name in (
        *(
            "lib/test_bounty_client",
            "lib/test_cli_market_tokens",
            "unit/node/relay/test_relay_schema",
        ),
        *("unit/bounty/test_crowds", "unit/bounty/test_labeler", "unit/bounty/test_outlook"),
        *("unit/chain/test_journal_endpoints", "unit/index/test_engine", "unit/keys/test_curve"),
        *("unit/keys/test_delivery", "unit/keys/test_proofs", "unit/keys/test_sharing"),
        "unit/keys/test_typed",
        *("unit/market/test_cards", "unit/market/test_catalogue", "unit/market/test_records"),
        *("unit/market/test_settlement", "unit/market/preview/test_exposures"),
        "unit/market/preview/test_packed",
    )
)
"""what `TRACED` names, but covers what others beside it do, for the time that it takes

Found with a context of coverage for each file: each was taken out that cost most seconds for each
line and branch that it alone had, as long as no package came nearer than .4 % to its floor.
"""
MEMORY = Path("/dev/shm")  # noqa: S108 (a folder of our own is made in it)
ROOM = 8 << 30
"""of memory for what tests write, three times what they do"""
# Whole files go to a worker: one that is long must not begin last.
LONG_FIRST = ("stateful", "fork", "faults", "lib", "app", "web", "unit")


@dataclass
class Totals:
    """What all runners together have said."""

    passed: int = 0
    failures: list[str] = field(default_factory=list)
    """each in a line: what failed, and how"""
    skipped: Counter[str] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    tests: Counter[str] = field(default_factory=Counter)

    def add(self, report: Path, exit_code: int) -> None:
        """Count what a runner reported; one that ended badly without a failure is a failure."""
        failures = []
        if report.exists():
            for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314 (our own file)
                skip = case.find("skipped")
                bad = [found for kind in ("failure", "error") for found in case.iter(kind)]
                if bad:
                    failures.append(_describe(case, bad[0]))
                elif skip is not None:
                    self.skipped[skip.get("message") or "no reason given"] += 1
                else:
                    self.passed += 1
                folder = "/".join(case.get("classname", "").split(".test_")[0].split("."))
                self.seconds[folder] += float(case.get("time", 0))
                self.tests[folder] += 1
        if exit_code and not failures:
            failures.append(f"{report.stem}: ended with {exit_code}; see its lines above")
        self.failures += failures

    def join(self, other: "Totals") -> None:
        """Add what another runner has said."""
        self.passed += other.passed
        self.failures += other.failures
        for name in ("skipped", "seconds", "tests"):
            getattr(self, name).update(getattr(other, name))


def _describe(case: ET.Element, failure: ET.Element) -> str:
    """Name a test that failed, with the first line of its error."""
    message = (failure.get("message") or failure.text or "").strip() or "no reason given"
    place = case.get("classname", "").replace(".", "/")
    return f"{place}.py::{case.get('name')}: {' '.join(message.splitlines()[0].split())[:300]}"


def main() -> int:
    """Run all runners; return 0 if nothing failed."""
    begun = time.monotonic()
    # Where pytest, ape and anvil are, also when this was not started by make.
    os.environ["PATH"] = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    # Hundreds of short processes must not compile every module again.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    shutil.rmtree(RESULTS, ignore_errors=True)
    RESULTS.mkdir(parents=True)
    _build_kubo()
    # Now, and not in the tests: they would wait for each other, and a tracer makes it far longer.
    subprocess.run([sys.executable, "-m", "tests.utils.compiled"], cwd=ROOT, check=False)
    totals = Totals()
    with (
        tempfile.TemporaryDirectory(
            prefix="truthmark-test-", dir=find_memory(), ignore_cleanup_errors=True
        ) as folder,
        ThreadPoolExecutor(3) as runners,
    ):
        # PostgreSQL runs under an account of its own where root runs the tests.
        Path(folder).chmod(0o755)
        os.environ["TMPDIR"] = folder
        runs = [runners.submit(run) for run in (_run_traced, _run_untraced, _run_ape)]
        for run in runs:
            totals.join(run.result())
    totals.failures += _find_uncovered()
    if totals.skipped:
        print("\n!!! NOT TESTED HERE (with TRUTHMARK_REQUIRE=all these are failures):")
        for reason, count in sorted(totals.skipped.items()):
            print(f"{count:6} skipped: {reason}")
    print("\n=== seconds (of a worker; five share the machine) and tests by folder")
    for folder, seconds in sorted(totals.seconds.items()):
        print(f"{folder:24} {seconds:7.0f} s {totals.tests[folder]:6} tests")
    print(f"{'sum':24} {totals.seconds.total():7.0f} s {totals.tests.total():6} tests")
    print(f"{'from begin to end':24} {time.monotonic() - begun:7.0f} s")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{'of all processors':24} {used.ru_utime + used.ru_stime:7.0f} s")
    # Last, for those who see no more of a log than its end.
    if totals.failures:
        print("\n=== failed")
        for failure in totals.failures:
            print(failure)
    failed, skipped = len(totals.failures), totals.skipped.total()
    print(f"\ntotal: {totals.passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


def find_memory() -> Path | None:
    """Return a folder in memory that programs may be run from; None where there is no room."""
    try:
        place = os.statvfs(MEMORY)
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    available = next(int(line.split()[1]) << 10 for line in lines if "MemAvailable" in line)
    room = min(place.f_bavail * place.f_frsize, available)
    return MEMORY if room >= ROOM and not place.f_flag & os.ST_NOEXEC else None


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


def _run_ape() -> Totals:
    if shutil.which("anvil"):
        # In one process: Ape connects no worker of xdist, and these tests share one deployment.
        return _run("ape", ["ape", "test", "tests/functional", "--quiet"])
    totals = Totals()
    reason = "tests/functional: there is no anvil"
    print(reason)
    if os.environ.get("TRUTHMARK_REQUIRE") == "all":
        totals.failures.append(reason)
    else:
        totals.skipped[reason] += 1
    return totals


def traced() -> list[Path]:
    """Return the files that run with a tracer, long ones first."""
    found = [path for pattern in TRACED for path in sorted(ROOT.glob(pattern))]
    return [path for path in found if path not in ADDS_LITTLE]


def untraced() -> list[Path]:
    """Return the files that run without: short ones last, to fill up what is left."""
    tests, others = ROOT / "tests", set(traced())
    found = [path for kind in LONG_FIRST for path in sorted((tests / kind).rglob("test_*.py"))]
    # The sort keeps the order of what it holds for equal.
    found.sort(key=lambda path: path not in ADDS_LITTLE)
    return [path for path in found if path not in others]


def _run_untraced() -> Totals:
    return _run("untraced", [*PYTEST, "-n", "3", *BY_FILE, *map(str, untraced())])


def _run_traced() -> Totals:
    # As a module: so this folder's `tests` is found before all else is loaded.
    command = [sys.executable, "-m", *PYTEST, "-p", "tests.utils.tracer", "-n", "2", *BY_FILE]
    return _run("traced", [*command, *map(str, traced())], {"COVERAGE_FILE": str(COVERAGE)})


def _run(name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> Totals:
    """Run pytest or Ape and show each line with its name; return what it reported."""
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
    totals = Totals()
    totals.add(report, child.returncode)
    return totals


def _find_uncovered() -> list[str]:
    """Print the coverage of each package that has a floor; return those that are below it."""
    from coverage import Coverage

    floor = SETTINGS["coverage-floor"]
    coverage = Coverage(str(COVERAGE), config_file=str(ROOT / "pyproject.toml"))
    written = [str(path) for path in RESULTS.glob("coverage.*")]
    if not written:
        return ["coverage: the traced tests have written none"]
    coverage.combine(written)
    below = []
    print("\n=== lines and branches covered")
    for package in SETTINGS["covered-packages"]:
        folder = ROOT / "truthmark" / package
        with Path(os.devnull).open("w") as nowhere:
            percent = coverage.report(include=[f"{folder}/*"], file=nowhere)
        print(f"{package:10} {percent:5.1f} %")
        if percent < floor:
            below.append(f"coverage: {package} has {percent:.1f} %, below the floor of {floor} %")
    return below


if __name__ == "__main__":
    sys.exit(main())
