# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.utils.token_chain import account, token_chain
from truthmark.chain.connection import Chain
from truthmark.chain.journal import Journal
from truthmark.testing.anvil import AnvilProcess


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[AnvilProcess, Chain]]:
    """A chain of the test's own with the protocol token, held by account 0."""
    with token_chain(tmp_path) as (process, chain):
        yield process, chain


@pytest.fixture
def process(place: tuple[AnvilProcess, Chain]) -> AnvilProcess:
    return place[0]


@pytest.fixture
def chain(place: tuple[AnvilProcess, Chain]) -> Chain:
    return place[1]


@pytest.fixture
def journal(chain: Chain, tmp_path: Path) -> Journal:
    return Journal(chain, account(0), tmp_path / "journal", timeout=60)
