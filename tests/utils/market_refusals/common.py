# SPDX-License-Identifier: Apache-2.0
"""What the cases of what the market refuses share."""

from collections.abc import Callable
from typing import Any

import boa

from tests.utils.drafts import Purchase, make_content
from tests.utils.market import MarketContracts

Call = Callable[[], Any]


def delivered(w: MarketContracts) -> Purchase:
    return w.bought_and_delivered(w.create_listing(content=make_content(5, 3, frozenset({0}))))


def ready(w: MarketContracts) -> Purchase:
    purchase = delivered(w)
    boa.env.timestamp = w.purchase(purchase)[2] + 1
    return purchase
