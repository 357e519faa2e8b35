# SPDX-License-Identifier: Apache-2.0
"""What the cases of what the registry refuses share."""

from collections.abc import Callable
from typing import Any

from tests.utils.drafts import Listing
from tests.utils.market import MarketContracts

Call = Callable[[], Any]


def opened(w: MarketContracts) -> Listing:
    return w.list_version(w.draft_listing())


def ended(w: MarketContracts) -> Listing:
    listing = w.create_listing()
    w.retire(listing)
    return listing
