# SPDX-License-Identifier: Apache-2.0
"""Run every test that a fresh clone can run, and close with a table of folders and their sums.

Ape runs tests/functional on anvil; workers of plain pytest take all other files from two queues.
Those that cover the packages named in pyproject.toml run with a tracer, are taken by two workers
and are held against the packages' floor. The other workers run beside them without one, which makes
Python take half as long again, and titanoboa twice as long; they are joined by the two when nothing
is left to trace. There are more workers than cores, so that the cores are busy also while some of
them wait.

Workers are forked from a process that has imported what takes long, of other people's packages,
and has loaded the contracts.

What tests write is kept in memory where there is room: journals and keys wait for the disk at
each step, and five workers for each other there.
"""

import gc
import importlib
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import warnings
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "build" / "test"
COVERAGE = RESULTS / "coverage"
WORKERS = ("traced-1", "traced-2", "worker-1", "worker-2", "worker-3")
IMPORTED = (
    *("numpy", "pandas", "pyarrow.dataset", "pyarrow.parquet", "numba", "PIL.Image"),
    *("boa", "web3", "eth_account", "coincurve", "cryptography.x509", "hypothesis", "requests"),
    *("pydantic", "sqlalchemy", "fastapi", "starlette.testclient", "uvicorn", "typer.testing"),
    *("streamlit.testing.v1", "playwright.sync_api", "rich.console"),
)
SLOWEST = 25
"""tests that are named at the end"""
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
# Whole files go to a worker: one that is long must not begin last. The first ones mostly wait, for
# networks and browsers, and leave the cores to the traced ones.
LONG_FIRST = (
    *("app/test_asking_browser.py", "lib/test_python_page.py", "lib/test_notebook.py"),
    *("web/test_label_browser.py", "lib/test_ask_page.py", "lib/test_readme.py"),
    *("app/test_seeded.py", "web/test_label_views.py", "lib/test_deploy_page.py"),
    *("stateful", "fork", "unit/contracts/test_secp256k1.py"),
    *("unit/contracts/test_hostile_tokens_market.py", "unit/test_bootstrap.py"),
    *("faults", "lib", "app", "web", "unit"),
)


@dataclass
class Totals:
    """What all runners together have said."""

    passed: int = 0
    failures: list[str] = field(default_factory=list)
    """each in a line: what failed, and how"""
    skipped: Counter[str] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    tests: Counter[str] = field(default_factory=Counter)
    slowest: list[tuple[float, str]] = field(default_factory=list)

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
                self.slowest.append((float(case.get("time", 0)), _name(case)))
                folder = "/".join(case.get("classname", "").split(".test_")[0].split("."))
                self.seconds[folder] += float(case.get("time", 0))
                self.tests[folder] += 1
        # Five: others had taken all files.
        if exit_code not in (0, 5) and not failures:
            failures.append(f"{report.stem}: ended with {exit_code}; see its lines above")
        self.failures += failures

    def join(self, other: "Totals") -> None:
        """Add what another runner has said."""
        self.passed += other.passed
        self.failures += other.failures
        self.slowest += other.slowest
        for name in ("skipped", "seconds", "tests"):
            getattr(self, name).update(getattr(other, name))


def _describe(case: ET.Element, failure: ET.Element) -> str:
    """Name a test that failed, with the first line of its error."""
    message = (failure.get("message") or failure.text or "").strip() or "no reason given"
    return f"{_name(case)}: {' '.join(message.splitlines()[0].split())[:300]}"


def _name(case: ET.Element) -> str:
    return f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"


def main() -> int:
    """Run all runners; return 0 if nothing failed."""
    begun = time.monotonic()
    # A shell that starts this in the background has it ignore Ctrl-C, and so would all commands
    # that tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Where pytest, ape and anvil are, also when this was not started by make.
    os.environ["PATH"] = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    # Hundreds of short processes must not compile every module again.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    # As tests/conftest.py says: before titanoboa is imported.
    os.environ.setdefault("ETH_HASH_BACKEND", "pysha3")
    os.environ["COVERAGE_FILE"] = str(COVERAGE)
    shutil.rmtree(RESULTS, ignore_errors=True)
    RESULTS.mkdir(parents=True)
    # In a process of its own: workers are to see how our own modules are imported.
    building = multiprocessing.Process(target=_build_kubo)
    building.start()
    # Now, and not in the tests: they would wait for each other, and a tracer makes it far longer.
    subprocess.run([sys.executable, "-m", "tests.utils.compiled"], cwd=ROOT, check=False)
    building.join()
    queues = [RESULTS / "traced", RESULTS / "untraced"]
    for queue, files in zip(queues, (traced(), untraced()), strict=True):
        queue.write_text("".join(f"{file.relative_to(ROOT)}\n" for file in files))
    folder = Path(tempfile.mkdtemp(prefix="truthmark-test-", dir=find_memory()))
    # PostgreSQL runs under an account of its own where root runs the tests.
    folder.chmod(0o755)
    os.environ["TMPDIR"] = str(folder)
    ape = _start_ape()  # first, to run beside what this process does alone
    _import_packages()
    # Outside of what is undone at the end, and before there are threads: a worker's process leaves
    # this function by an exception, as all do that end.
    workers = [_fork_worker(name, queues) for name in WORKERS]
    totals = Totals()
    try:
        with ThreadPoolExecutor(len(workers) + 1) as followers:
            runs = [
                followers.submit(_follow_ape, ape),
                *(followers.submit(_follow_worker, *one) for one in workers),
            ]
            for run in runs:
                totals.join(run.result())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for queue in queues:
        totals.failures += [f"{left}: not run" for left in queue.read_text().splitlines()]
    totals.failures += _find_uncovered()
    if totals.skipped:
        print("\n!!! NOT TESTED HERE (with TRUTHMARK_REQUIRE=all these are failures):")
        for reason, count in sorted(totals.skipped.items()):
            print(f"{count:6} skipped: {reason}")
    print(f"\n=== the {SLOWEST} slowest tests, in seconds of a worker; five share the machine")
    for seconds, test in sorted(totals.slowest, reverse=True)[:SLOWEST]:
        print(f"{seconds:7.1f} s {test}")
    print("\n=== seconds and tests by folder")
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
    from tests.utils.kubo_daemon import kubo_binary
    from truthmark.errors import ConfigError

    def show(done: int, total: int) -> None:
        if done % 100 == 0 or done == total:
            print(f"building Kubo, once: {done} of {total} packages", flush=True)

    try:
        kubo_binary(progress=show)
    except ConfigError as error:
        print(f"tests against Kubo will not run: {error}", flush=True)


def _start_ape() -> subprocess.Popen[str] | None:
    """Start Ape, in one process: it connects no workers, and its tests share one deployment."""
    if not shutil.which("anvil"):
        return None
    return subprocess.Popen(
        ["ape", "test", "tests/functional", "--quiet", f"--junitxml={_report('ape')}"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def _follow_ape(ape: subprocess.Popen[str] | None) -> Totals:
    if ape is not None:
        return _follow("ape", ape.stdout or (), ape.wait)
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
    places = [tests / place for place in LONG_FIRST]
    files = [sorted(place.rglob("test_*.py")) if place.is_dir() else [place] for place in places]
    found = [*dict.fromkeys(path for some in files for path in some)]
    return [path for path in found if path not in others]


def _import_packages() -> None:
    """Import what takes long, once for all workers, and keep the collector off it."""
    gc.disable()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they say of each other
        for name in IMPORTED:
            importlib.import_module(name)
    from tests.utils.compiled import load_all

    load_all()
    assert not any(name.startswith("truthmark") for name in sys.modules), (
        "the tracer comes too late"
    )
    gc.freeze()
    gc.enable()


def _fork_worker(name: str, queues: Sequence[Path]) -> tuple[str, int, int]:
    """Start a worker; only the process that calls returns from here, all others leave.

    Returns:
        Its name, its process, and a descriptor from which to read what it prints.
    """
    source, target = os.pipe()
    if process := os.fork():
        os.close(target)
        return name, process, source
    os.close(source)
    for output in (1, 2):
        os.dup2(target, output)
    os.close(target)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    is_traced = name.startswith("traced")
    plugins = [*(["tests.utils.tracer"] if is_traced else []), "tests.utils.queued"]
    folder = Path(os.environ["TMPDIR"], name)
    arguments = ["--quiet", f"--junitxml={_report(name)}", f"--basetemp={folder}"]
    arguments += ["--override-ini=console_output_style=classic", "-p", "no:cacheprovider"]
    arguments += [part for plugin in plugins for part in ("-p", plugin)]
    arguments += [f"--queue={queue}" for queue in (queues if is_traced else queues[1:])]
    import pytest

    sys.argv = ["pytest", *arguments]
    sys.exit(pytest.main(arguments))


def _follow_worker(name: str, process: int, source: int) -> Totals:
    with os.fdopen(source, errors="replace") as lines:
        return _follow(name, lines, lambda: os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))


def _follow(name: str, lines: Iterable[str], wait: Callable[[], int]) -> Totals:
    """Show each line with its name; return what was reported in the end."""
    for line in lines:
        print(f"{name:8} | {line}", end="", flush=True)
    totals = Totals()
    totals.add(_report(name), wait())
    return totals


def _report(name: str) -> Path:
    return RESULTS / f"{name}.xml"


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
