# SPDX-License-Identifier: Apache-2.0
"""Skips are failures where everything is required; parts of a campaign add up and go on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.utils.parts import part_of

ROOT = Path(__file__).resolve().parents[2]
CONFTEST = """
from tests.utils.parts import PartsPlugin
from tests.utils.require import RequirePlugin

def pytest_addoption(parser):
    parser.addoption("--part")

def pytest_configure(config):
    config.pluginmanager.register(RequirePlugin())
    if config.getoption("part"):
        config.pluginmanager.register(PartsPlugin(config.getoption("part"), config))
"""


@pytest.fixture
def project(tmp_path):
    """Return a function that runs pytest on the given test file and returns what it printed."""
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / ".gitignore").write_text("build/\n__pycache__/\n.pytest_cache/\n")
    (tmp_path / "conftest.py").write_text(CONFTEST)

    def run(source, *arguments, require=""):
        (tmp_path / "test_it.py").write_text(source)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *arguments],
            cwd=tmp_path,
            env={
                **os.environ,
                # A source that is changed within a second may have the size of the one before.
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONPATH": str(ROOT),
                "TRUTHMARK_REQUIRE": require,
                # Loading Ape's and all others takes longer than the test.
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout

    return run


IN_TEST = "import pytest\ndef test_a(): pytest.skip('no kubo here')\n"
IN_MODULE = "import pytest\npytest.skip('no kubo here', allow_module_level=True)\n"
BY_MARK = "import pytest\n@pytest.mark.skipif(True, reason='no kubo here')\ndef test_a(): pass\n"


@pytest.mark.parametrize("source", [IN_TEST, IN_MODULE, BY_MARK])
def test_skip__nothing_required__is_listed_with_its_reason(project, source):
    printed = project(source)
    assert "NOT TESTED HERE" in printed
    assert "1 skipped: no kubo here" in printed


@pytest.mark.parametrize("source", [IN_TEST, IN_MODULE, BY_MARK])
def test_skip__all_required__is_a_failure(project, source):
    printed = project(source, require="all")
    assert "although TRUTHMARK_REQUIRE=all: no kubo here" in printed
    assert "skipped in" not in printed
    assert "1 failed" in printed or "1 error" in printed


def test_xfail__all_required__stays_expected(project):
    source = "import pytest\n@pytest.mark.xfail(strict=True)\ndef test_a(): assert False\n"
    assert "1 xfailed" in project(source, require="all")


CASES = "import pytest\n@pytest.mark.parametrize('i', range(20))\ndef test_a(i): assert i != 3\n"


def test_part__all_parts__run_each_test_once():
    cases = [f"tests/x.py::test_a[{i}]" for i in range(200)]
    counts = [sum(part_of(case, 4) == part for case in cases) for part in (1, 2, 3, 4)]
    assert sum(counts) == 200
    assert min(counts) > 25


def test_part__run_again__runs_only_what_has_not_passed(project):
    assert "1 failed, 19 passed" in project(CASES, "--part", "1/1")
    again = project(CASES, "--part", "1/1")
    assert "19 passed before" in again
    assert "1 failed, 19 deselected" in again


def test_part__under_xdist__goes_on_as_well(project):
    assert "1 failed, 19 passed" in project(CASES, "--part", "1/1", "-p", "xdist", "-n", "2")
    assert "1 failed in" in project(CASES, "--part", "1/1", "-p", "xdist", "-n", "2")


def test_part__source_changed__starts_over(project):
    project(CASES, "--part", "1/1")
    assert "20 passed" in project(CASES.replace("!= 3", ">= 0"), "--part", "1/1")
