# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.utils.offline_market import OfflineMarket


@pytest.fixture
def offline(tmp_path: Path) -> Iterator[OfflineMarket]:
    """Provide a market without a chain."""
    market = OfflineMarket(tmp_path)
    yield market
    market.close()
