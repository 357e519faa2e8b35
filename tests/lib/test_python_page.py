# SPDX-License-Identifier: Apache-2.0
"""The library's page, run block by block as a newcomer would, on a network of its own."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.utils.pages import run_script, script_of, stop_network

pytestmark = [pytest.mark.chain]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An empty folder; the network that was started in it is stopped."""
    yield tmp_path
    stop_network(tmp_path)


def test_python_page__every_block_in_order__works(folder: Path) -> None:
    done = run_script(script_of((ROOT / "docs" / "python.md").read_text()), folder)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert "1@1 8 TUSD Handwritten digits" in done.stdout
    assert "(5000, 2) 1000" in done.stdout
    bought = pd.concat(map(pd.read_parquet, sorted((folder / "digits").rglob("*.parquet"))))
    assert list(bought["digit"]) == [n % 10 for n in range(5000)]
