# SPDX-License-Identifier: Apache-2.0
"""A plugin of pytest that notes what a worker executes of the packages that have a floor.

It is loaded before all else, so that it sees imports. It looks at those packages alone, and not at
processes that tests start (nodes, command lines, decoders): these add four lines in all, and would
take half as long again. It ends at the first file that is not to be traced.

It looks away from tests that are marked `untraced`: all that they execute, others execute as well.
What was set up for them, others share, so it is seen.
"""

import sys
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from coverage import Coverage

from tools.run_tests import traced

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["truthmark"]


def _start() -> Coverage:
    folders = [str(ROOT / "truthmark" / name) for name in SETTINGS["covered-packages"]]
    coverage = Coverage(data_suffix=True, config_file=str(ROOT / "pyproject.toml"), source=folders)
    coverage.start()
    return coverage


_FILES = frozenset(traced())
_RUNNING = [_start()]


def _end() -> None:
    while _RUNNING:
        coverage = _RUNNING.pop()
        coverage.stop()
        coverage.save()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if any(item.path not in _FILES for item in items):
        _end()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    if item.get_closest_marker("untraced") is None:
        return (yield)
    # Not by coverage itself, which would never look again at threads that run already.
    here, others = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)  # type: ignore[arg-type]  # as it is before it is ever set
    try:
        return (yield)
    finally:
        threading.settrace(others)  # type: ignore[arg-type]
        sys.settrace(here)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish() -> Iterator[None]:
    try:
        yield
    finally:
        _end()
