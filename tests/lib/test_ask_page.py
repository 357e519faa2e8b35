# SPDX-License-Identifier: Apache-2.0
"""The requester's page, run block by block as a newcomer would, on a network of its own."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.utils.pages import run_script, script_of, stop_network
from truthmark.bounty.exports import FORMATS
from truthmark.bounty.planning import TIMES

pytestmark = [pytest.mark.chain]

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "ask.md").read_text("utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An empty folder; the network that was started in it is stopped."""
    yield tmp_path
    stop_network(tmp_path)


def test_ask_page__every_block_in_order__works(folder: Path) -> None:
    done = run_script(script_of(PAGE), folder)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    items = pd.read_csv(folder / "labels" / "items.csv")
    assert list(items["label"]) == ["light" if n % 2 else "dark" for n in range(60)]
    assert len([*(folder / "labels" / "light").iterdir()]) == 30
    result = json.loads((folder / "labels" / "result.json").read_text())
    assert result["status"] == "SETTLED"
    workers = pd.read_parquet(folder / "labels" / "workers.parquet")
    assert list(workers["paid_units"]) == ["3000000", "3000000"]
    assert "everything holds" in done.stderr


def test_ask_page__formats_and_times__are_those_there_are() -> None:
    assert all(f"`{name}`" in PAGE or f"--format {name}" in PAGE for name in FORMATS)
    assert "small" in TIMES
