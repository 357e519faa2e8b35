# SPDX-License-Identifier: Apache-2.0
"""The README, run line by line as a newcomer would, on a network of its own."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.utils.pages import plain_environment, script_of, stop_network

pytestmark = [pytest.mark.chain, pytest.mark.timeout(420)]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """What a newcomer's clone has; whatever they started is stopped."""
    (tmp_path / "datasets").symlink_to(ROOT / "datasets")
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parents[1])
    yield tmp_path
    stop_network(tmp_path)


def test_readme__every_block_in_order__works(folder: Path) -> None:
    script = script_of((ROOT / "README.md").read_text())
    output, errors = folder / "output", folder / "errors"
    with output.open("wb") as told, errors.open("wb") as disputed:
        shell = subprocess.Popen(
            ["bash", "-c", script],
            cwd=folder,
            env=plain_environment(),
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=disputed,
            start_new_session=True,
        )
        try:
            code = shell.wait(timeout=360)
        finally:  # the validator's node, where it was not reached to end it
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
    said, disputes = output.read_text(), errors.read_text()
    assert code == 0, f"{said[-2000:]}\n{disputes[-2000:]}"
    # What a newcomer lists last completes at once, and all that is shown can be bought.
    assert disputes.count("for sale as ") == 2
    assert "no sign of life" not in disputes
    bought = pd.concat(map(pd.read_parquet, sorted((folder / "bought").rglob("*.parquet"))))
    sold = pd.read_csv(folder / "datasets" / "sp_amt" / "answer.csv")
    pd.testing.assert_frame_equal(bought.reset_index(drop=True), sold)
    assert "(10000, 3)" in said  # what the integrator's program prints
