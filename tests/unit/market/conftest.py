# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.utils.paper_market import Paper


@pytest.fixture
def paper(tmp_path: Path) -> Iterator[Paper]:
    """Provide a market without a chain."""
    market = Paper(tmp_path)
    yield market
    market.close()
