# SPDX-License-Identifier: Apache-2.0
"""A plugin of pytest that takes files of tests from queues, one after the other.

    pytest -p tests.utils.queued --queue=first --queue=then

Several processes share the queues, which are files with a path in each line, or several paths that
go to one process. Each imports and collects only what it takes, and what a fixture holds for the
session it holds from its first file to its last. (Under xdist each worker collects all 11,000
tests: 15 s of a processor, five times.)
"""

import fcntl
import gc
import resource
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest


def take(queues: list[Path]) -> str | None:
    """Take the next line of the first queue that has one; None where all are empty."""
    for queue in queues:
        with queue.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            first, *others = file.read().splitlines() or [None]
            if first:
                file.seek(0)
                file.truncate()
                file.write("".join(f"{line}\n" for line in others))
                return first
    return None


class Break(pytest.Item):
    """Stands for what comes after a file: what is held for the session is to stay."""

    def runtest(self) -> None:
        raise NotImplementedError("this is no test")


class QueuePlugin:
    """Runs what it takes, and says in a line how each file went."""

    def __init__(self, queues: list[Path]) -> None:
        self.queues = queues
        self.outcomes: Counter[str] = Counter()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        pause, collected = Break.from_parent(session, name="break"), 0
        while (name := take(self.queues)) is not None:
            begun, used = time.monotonic(), _processor_time()
            self.outcomes.clear()
            # tests/conftest.py freezes what is there when all is imported: no garbage.
            gc.collect()
            gc.disable()
            items = [*session.perform_collect(name.split())]
            gc.enable()
            collected += len(items)
            for item, following in pairwise([*items, pause]):
                session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                if session.shouldstop:
                    raise session.Interrupted(session.shouldstop)
            self._say(session, name, time.monotonic() - begun, _processor_time() - used)
        session.testscollected = collected
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[report.outcome] += 1

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.outcomes["failed"] += 1

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        # No dot: the line of the file says how many passed.
        return ("passed", "", "") if report.when == "call" and report.passed else None

    def _say(self, session: pytest.Session, name: str, wall: float, processor: float) -> None:
        terminal = session.config.pluginmanager.get_plugin("terminalreporter")
        counts = ", ".join(f"{count} {word}" for word, count in sorted(self.outcomes.items()))
        times = f"{wall:.1f} s, {processor:.1f} s of a processor"
        terminal.write_line(f"{name}: {counts or 'nothing to run'} in {times}")


def _processor_time() -> float:
    """Return the seconds of this process, and of those that it started and that have ended."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--queue", action="append", type=Path, help="a file that names files of tests")


def pytest_configure(config: pytest.Config) -> None:
    if queues := config.getoption("queue"):
        config.args = []  # what is collected before any file is taken
        config.pluginmanager.register(QueuePlugin(queues))
