# SPDX-License-Identifier: Apache-2.0
"""The README and the pages of the tasks, run line by line as a newcomer would."""

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

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """What a newcomer's clone has; the network that they started is stopped."""
    (tmp_path / "datasets").symlink_to(ROOT / "datasets")
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parents[1])
    yield tmp_path
    stop_network(tmp_path)


def run_pages(folder: Path, *pages: str) -> tuple[str, str]:
    """Run pages as one script; return what they printed, and what they said of it."""
    script = "\n".join(script_of((ROOT / page).read_text()) for page in pages)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    output, errors = folder / "output", folder / "errors"
    with output.open("wb") as printed, errors.open("wb") as said:
        shell = subprocess.Popen(
            ["bash", "-c", script],
            cwd=folder,
            env=plain_environment() | {"PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=said,
            start_new_session=True,
        )
        try:
            code = shell.wait(timeout=800)
        finally:  # a validator's node, where it was not reached to end it
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
    texts = output.read_text(), errors.read_text()
    assert code == 0, "\n".join(text[-2000:] for text in texts)
    return texts


def check_bought(folder: Path) -> None:
    bought = pd.concat(map(pd.read_parquet, sorted((folder / "bought").rglob("*.parquet"))))
    sold = pd.read_csv(folder / "datasets" / "sp_amt" / "answer.csv")
    pd.testing.assert_frame_equal(bought.reset_index(drop=True), sold)


@pytest.mark.chain
def test_readme__every_block_in_order__works(folder: Path) -> None:
    printed, said = run_pages(folder, "README.md")
    assert said.count("for sale as ") == 1
    check_bought(folder)
    assert "worker" in printed  # what the program prints


@pytest.mark.chain
def test_task_pages__sell_then_buy_then_keep_keys__work(folder: Path) -> None:
    _, said = run_pages(folder, "docs/sell.md", "docs/buy.md", "docs/node.md")
    # What is listed last completes at once, with the validator who came last among the custodians.
    assert said.count("for sale as ") == 2
    assert "no sign of life" not in said
    check_bought(folder)
