# SPDX-License-Identifier: Apache-2.0
"""The tests of Arrow types with every pyarrow that is allowed, each installed beside ours."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
VERSIONS = ["25.0.0", "25.0.1", "26.0.0", "26.0.1"]
TESTS = [
    f"tests/unit/codec/{name}.py" for name in ("test_arrow_types", "test_parquet", "test_decoder")
]

pytestmark = [pytest.mark.assure, pytest.mark.network]


def run(arguments: list[str], **environment: str) -> str:
    made = subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stdout[-3000:] + made.stderr[-3000:]
    return made.stdout


def test_versions__released_and_allowed__are_all_tried() -> None:
    dependencies = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"][
        "dependencies"
    ]
    (floor,) = (found[1] for line in dependencies if (found := re.match(r"pyarrow>=(\d+)$", line)))
    listed = run(["-m", "pip", "index", "versions", "pyarrow"])
    released = re.search(r"Available versions: (.*)", listed)
    assert released is not None
    allowed = [v for v in released[1].split(", ") if int(v.split(".")[0]) >= int(floor)]
    assert sorted(allowed) == sorted(VERSIONS)


@pytest.mark.parametrize("version", VERSIONS)
def test_arrow_types__with_this_pyarrow__come_back(version: str, tmp_path: Path) -> None:
    # The newest numpy too: later versions of pyarrow want another than the one that is locked.
    wanted = ["-m", "pip", "install", "-q", "--no-deps", "--target", str(tmp_path)]
    run([*wanted, f"pyarrow=={version}", "numpy"])
    environment = {"PYTHONPATH": str(tmp_path), "TRUTHMARK_ARROW_SEEDS": "1000:400"}
    shown = run(["-c", "import pyarrow; print(pyarrow.__version__)"], **environment)
    assert shown.strip() == version
    run(["-m", "pytest", "-q", "-n", "0", *TESTS], **environment)
