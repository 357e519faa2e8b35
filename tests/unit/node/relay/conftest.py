# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest
import schemathesis.pytest.plugin

from tests.utils.relays import PaperDesk


def pytest_configure(config: pytest.Config) -> None:
    # It makes the tests of a schema.
    config.pluginmanager.register(schemathesis.pytest.plugin, "schemathesis")


@pytest.fixture
def desk(tmp_path: Path) -> PaperDesk:
    made = PaperDesk(tmp_path)
    made.offer()
    made.papers.bring(made.client, 7)
    return made
