# SPDX-License-Identifier: Apache-2.0
"""What tests of the registry expect of its events and words."""

from typing import Any

from tests.utils.drafts import Listing
from tests.utils.market import MarketContracts
from truthmark.market.records import CustodyStatus

NO_CUSTODY = {
    "status": 0,
    "accepted": 0,
    "active": 0,
    "previous_active": 0,
    "votes": 0,
    "fined": 0,
    "released": 0,
    "end": 0,
    "previous_end": 0,
    "stopped_at": 0,
    "inspection_seconds": 0,
}


def event_custody(listing: Listing) -> dict[str, Any]:
    return {name: getattr(listing.custody, name) for name in listing.custody.__slots__}


def opened(listing: Listing) -> dict[str, Any]:
    custody = listing.custody
    return NO_CUSTODY | {
        "status": CustodyStatus.OPENED,
        "end": custody.end,
        "inspection_seconds": listing.terms.inspection_seconds,
    }


def live(listing: Listing) -> dict[str, Any]:
    everybody = (1 << listing.custody.count) - 1
    return opened(listing) | {
        "status": CustodyStatus.LIVE,
        "accepted": everybody,
        "active": everybody,
    }


def held_by(w: MarketContracts, account: str) -> int:
    return int(w.token.balanceOf(account))
