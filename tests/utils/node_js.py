# SPDX-License-Identifier: Apache-2.0
"""Node with the pages' locked packages, for tests of what runs in browsers."""

import os
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tools import web
from truthmark.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests" / "web"


@cache
def node_command() -> list[str]:
    """Return what runs Node; skip where Node or the packages are not to be had."""
    try:
        web.fetch_modules()
        return web.node()
    except ConfigError as error:
        pytest.skip(str(error))


def run_node(
    *arguments: str, stdin: str = "", more: dict[str, str] | None = None, seconds: float = 120
) -> str:
    """Run Node and return what it prints; a failure shows all of it."""
    done = subprocess.run(
        [*node_command(), *arguments],
        cwd=ROOT,
        input=stdin,
        env={**os.environ, **(more or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
