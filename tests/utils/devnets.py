# SPDX-License-Identifier: Apache-2.0
"""Local networks for tests; `net` is the fixture, one for a module, whose time a test moves."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.utils.anvil import require_anvil
from truthmark.testing.network import Devnet


@contextmanager
def open_devnet(folder: Path, *, block_time: int | None = None) -> Iterator[Devnet]:
    """Start a network, and stop it; its time stands still between transactions if not said."""
    require_anvil()
    with Devnet.start(folder, block_time=block_time) as net:
        yield net


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    with open_devnet(tmp_path_factory.mktemp("net")) as started:
        yield started
