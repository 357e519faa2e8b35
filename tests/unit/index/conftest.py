# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.utils.anvil import require_anvil
from tests.utils.token_chain import deploy_token
from truthmark.chain.connection import Chain, connect_chain
from truthmark.config.profile import ChainProfile
from truthmark.testing.anvil import AnvilProcess, start_anvil


@pytest.fixture
def process(tmp_path: Path) -> Iterator[AnvilProcess]:
    require_anvil()
    with start_anvil(log=tmp_path / "anvil.log") as process:
        yield process


@pytest.fixture
def profile(process: AnvilProcess, tmp_path: Path) -> ChainProfile:
    return deploy_token(process.url, tmp_path)


@pytest.fixture
def chain(profile: ChainProfile) -> Chain:
    return connect_chain(profile)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an index is kept: each test that asks for it runs on both databases."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'index.sqlite'}"
