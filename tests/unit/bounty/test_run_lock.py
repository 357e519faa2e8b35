# SPDX-License-Identifier: Apache-2.0
"""One process a bounty: who runs it, and who is kept out."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from truthmark.bounty.flows.run_lock import is_running, run_lock, running_pid
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.workspace import Workspace
from truthmark.errors import BountyError

BOARD = "0x" + "b0" * 20
HOLD = """
import sys, time, types, pathlib
from truthmark.bounty.flows.run_lock import run_lock
session = types.SimpleNamespace(
    home=pathlib.Path(sys.argv[1]), profile=types.SimpleNamespace(chain_id=31337)
)
with run_lock(session, [7], is_all=False):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def session(tmp_path: Path) -> Any:
    return SimpleNamespace(home=tmp_path, profile=SimpleNamespace(chain_id=31337))


def workspace(session: Any, number: int, before: int | None = None) -> Workspace:
    made = Workspace(session.home / "bounties" / f"{number:016x}")
    made.save_ref(BountyRef(31337, BOARD, number))
    made.save_draft({"job": None if before is None else {"first": 1, "before": before, "wave": 1}})
    return made


def test_run_lock__same_bounty_twice__second_is_told_who_has_it(session: Any) -> None:
    one, other = workspace(session, 7), workspace(session, 8)
    with run_lock(session, [7], is_all=False):
        assert is_running(session, one) and not is_running(session, other)
        assert running_pid(session, 7) == os.getpid()
        with (
            pytest.raises(BountyError, match=rf"bounty 7 is being run by process {os.getpid()}"),
            run_lock(session, [7, 8], is_all=False),
        ):
            raise AssertionError
        # What it took before it was refused is free again.
        assert not is_running(session, other)
    assert not is_running(session, one) and running_pid(session, 7) is None


def test_run_lock__all_of_a_home__counts_for_what_comes_later(session: Any) -> None:
    with run_lock(session, [], is_all=True):
        assert is_running(session, workspace(session, 9))
        with (
            pytest.raises(BountyError, match="your bounties are being run"),
            run_lock(session, [], is_all=True),
        ):
            raise AssertionError


def test_is_running__later_wave__is_run_by_who_runs_an_earlier_one(session: Any) -> None:
    workspace(session, 1), workspace(session, 2, before=1)
    third = workspace(session, 3, before=2)
    with run_lock(session, [1], is_all=False):
        assert is_running(session, third)
        assert running_pid(session, 3) is None
    assert not is_running(session, third)


def test_run_lock__process_is_killed__is_free_at_once(session: Any) -> None:
    one = workspace(session, 7)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(session.home)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        assert is_running(session, one) and running_pid(session, 7) == process.pid
    finally:
        process.kill()
        process.communicate()
    assert not is_running(session, one)
    with run_lock(session, [7], is_all=False):
        assert running_pid(session, 7) == os.getpid()
