# SPDX-License-Identifier: Apache-2.0
"""A plugin of pytest that notes what a run's workers execute of the packages that have a floor.

It is loaded before all else, so that it sees imports. It looks at those packages alone, and not at
the controller nor at processes that tests start (nodes, command lines, decoders): these add four
lines in all, and would take half as long again.
"""

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from coverage import Coverage

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["truthmark"]


def _start() -> Coverage:
    folders = [str(ROOT / "truthmark" / name) for name in SETTINGS["covered-packages"]]
    coverage = Coverage(data_suffix=True, config_file=str(ROOT / "pyproject.toml"), source=folders)
    coverage.start()
    return coverage


# xdist sets it where it starts a worker.
_COVERAGE = _start() if "PYTEST_XDIST_WORKER" in os.environ else None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish() -> Iterator[None]:
    try:
        yield
    finally:
        if _COVERAGE is not None:
            _COVERAGE.stop()
            _COVERAGE.save()
