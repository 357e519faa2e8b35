# SPDX-License-Identifier: Apache-2.0
"""What workers take from a queue is run once, and what is held for a session is held throughout."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

from tests.utils.queued import take

ROOT = Path(__file__).resolve().parents[2]
CONFTEST = """
import pytest

@pytest.fixture(scope="session")
def held():
    with open("held", "a") as file:
        file.write("begun ")
    yield
    with open("held", "a") as file:
        file.write("ended")

@pytest.fixture(scope="module")
def own(request):
    yield
    with open("held", "a") as file:
        file.write(f"{request.node.path.stem} ")
"""
PASSES = "def test_one(held, own): pass\ndef test_two(held, own): pass\n"
FAILS = "def test_three(held): assert 1 == 2\n"
BROKEN = "import nothing_of_this_name\n"
NOT_TAKEN = "raise SystemExit('nobody should import this')\n"


def test_take__queues__are_emptied_in_turn(tmp_path: Path) -> None:
    first, then = tmp_path / "first", tmp_path / "then"
    first.write_text("a\nb\n")
    then.write_text("c\n")
    assert [take([first, then]) for _ in range(4)] == ["a", "b", "c", None]
    assert first.read_text() == then.read_text() == ""


def test_plugin__files_of_a_queue__are_run_and_told(tmp_path: Path) -> None:
    sources = {"conftest": CONFTEST, "test_a": PASSES, "test_b": BROKEN, "test_c": FAILS}
    sources |= {"test_d": PASSES, "test_e": NOT_TAKEN}
    for name, source in sources.items():
        (tmp_path / f"{name}.py").write_text(source)
    # A line may name several: they go to one worker.
    (tmp_path / "queue").write_text("test_a.py\ntest_b.py\ntest_c.py test_d.py\n")
    arguments = ["-p", "tests.utils.queued", "--queue=queue", "--junitxml=report.xml", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert (tmp_path / "held").read_text() == "begun test_a test_d ended"
    assert "test_a.py: 2 passed in" in done.stdout
    assert "test_b.py: 1 failed in" in done.stdout
    assert "test_c.py test_d.py: 1 failed, 2 passed in" in done.stdout
    assert "1 failed, 4 passed, 1 error in" in done.stdout
    cases = [*ET.parse(tmp_path / "report.xml").getroot().iter("testcase")]
    assert sum(not len(case) for case in cases) == 4
    assert sum(case.find("failure") is not None for case in cases) == 1
    assert sum(case.find("error") is not None for case in cases) == 1
