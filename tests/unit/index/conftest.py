# SPDX-License-Identifier: Apache-2.0
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.utils.token_chain import deploy_token
from truthmark.chain.connection import Chain, connect_chain
from truthmark.config.profile import ChainProfile
from truthmark.errors import ConfigError
from truthmark.testing.anvil import AnvilProcess, anvil_binary, start_anvil

# Where a PostgreSQL is at hand, its URL has every test of the follower run on it too.
POSTGRES = os.environ.get("TRUTHMARK_TEST_POSTGRES")


@pytest.fixture
def process(tmp_path: Path) -> Iterator[AnvilProcess]:
    try:
        anvil_binary()
    except ConfigError as error:
        pytest.skip(str(error))
    with start_anvil(log=tmp_path / "anvil.log") as process:
        yield process


@pytest.fixture
def profile(process: AnvilProcess, tmp_path: Path) -> ChainProfile:
    return deploy_token(process.url, tmp_path)


@pytest.fixture
def chain(profile: ChainProfile) -> Chain:
    return connect_chain(profile)


@pytest.fixture(params=["sqlite", "postgresql"] if POSTGRES else ["sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'index.sqlite'}"
    assert POSTGRES is not None
    import sqlalchemy as sa

    engine = sa.create_engine(POSTGRES)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    engine.dispose()
    return POSTGRES
