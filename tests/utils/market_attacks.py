# SPDX-License-Identifier: Apache-2.0
"""What the attacks on the market share."""

from typing import Any

import boa

from tests.utils.drafts import FEE, KEEPING_FEE, PERIOD, PRICE, Listing, Purchase, make_content
from tests.utils.market import ZERO, MarketContracts

BAD = make_content(5, 3, frozenset({0}))
"""A dataset whose key does not open its first shard."""


COST = PRICE + 2 * FEE


def status(w: MarketContracts, purchase: Purchase) -> int:
    return w.purchase(purchase)[0]


def burned(w: MarketContracts) -> int:
    """Return the stake that was burned."""
    return w.entry(w.staking, ZERO, w.stake_token)


def late(w: MarketContracts, purchase: Purchase) -> None:
    """Go to the first second in which a purchase can be refunded or settled."""
    boa.env.timestamp = max(w.now, w.purchase(purchase)[2] + 1)


def extensible(
    w: MarketContracts, keeping_balance: int = 100 * KEEPING_FEE, **overrides: Any
) -> Listing:
    listing = w.create_listing(**overrides)
    w.top_up(listing, keeping_balance)
    boa.env.timestamp = listing.custody.end - PERIOD // 3
    return listing
