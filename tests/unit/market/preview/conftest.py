# SPDX-License-Identifier: Apache-2.0
"""A market on which samples are looked at."""

import pytest

from tests.utils.offline_market import OfflineMarket
from tests.utils.previews import PreviewMarket


@pytest.fixture
def market(offline: OfflineMarket) -> PreviewMarket:
    """Provide a market without a chain whose blocks are all final."""
    return PreviewMarket(offline)
