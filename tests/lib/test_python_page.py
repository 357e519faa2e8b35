# SPDX-License-Identifier: Apache-2.0
"""The library's page, run block by block as a newcomer would, on a network of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(bash|python)\n(.*?)^```$", re.M | re.S)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An empty folder; the network that was started in it is stopped."""
    yield tmp_path
    if (tmp_path / "net").exists():
        command = [sys.executable, "-m", "truthmark.cli", "devnet", "down", "net"]
        subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=False)


def script(page: str) -> str:
    """Return the page's blocks as one program of the shell; each in Python is a process."""
    lines = ["set -euo pipefail"]
    for language, text in FENCE.findall(page):
        lines += [text] if language == "bash" else ["python - <<'END'", text.rstrip(), "END"]
    return "\n".join(lines)


def test_python_page__every_block_in_order__works(folder: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TRUTHMARK_")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script((ROOT / "docs" / "python.md").read_text())],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert "1@1 8 TUSD Handwritten digits" in done.stdout
    assert "(5000, 2) 1000" in done.stdout
    bought = pd.concat(map(pd.read_parquet, sorted((folder / "digits").rglob("*.parquet"))))
    assert list(bought["digit"]) == [n % 10 for n in range(5000)]
