# SPDX-License-Identifier: Apache-2.0
"""Local networks for tests; `net` is the fixture, one for a module, whose time a test moves."""

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from tests.utils.anvil import require_anvil
from truthmark.testing.network import Devnet


@contextmanager
def open_devnet(folder: Path, *, block_time: int | None = None) -> Iterator[Devnet]:
    """Start a network, and stop it; its time stands still between transactions if not said."""
    require_anvil()
    shutil.copytree(_deployed(), folder, dirs_exist_ok=True)
    with Devnet.start(folder, block_time=block_time) as net:
        yield net


@cache
def _deployed() -> Path:
    """Deploy once in this process: a network that goes on from there starts five times as fast."""
    kept = Path(tempfile.mkdtemp(prefix="truthmark-deployed-"))
    atexit.register(shutil.rmtree, kept, ignore_errors=True)
    with Devnet.start(kept, block_time=None):
        pass
    # The rest names this folder and this port.
    for path in kept.iterdir():
        if path.name not in ("chain.state", "deployment.json", "journal"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return kept


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    with open_devnet(tmp_path_factory.mktemp("net")) as started:
        yield started
