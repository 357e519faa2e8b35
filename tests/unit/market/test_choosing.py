# SPDX-License-Identifier: Apache-2.0
"""Who is chosen to keep a key, without a chain."""

import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from truthmark.config.profile import Windows
from truthmark.errors import NotForSaleError
from truthmark.market import choosing
from truthmark.market.choosing import choose_by_offers
from truthmark.market.drafts.custody import CustodyRequest, Validator
from truthmark.market.entries import ValidatorOffer
from truthmark.market.life import Signs

TOKEN = "0x" + "11" * 20
WINDOWS = Windows(600, 600, 600)
ASKED = CustodyRequest(
    threshold=1, fee=0, keeping_fee=0, lock=5, penalty=1, period_seconds=100, max_periods=1
)


def offer(number: int, **changes: Any) -> ValidatorOffer:
    found = ValidatorOffer(
        validator=Validator("0x" + f"{number:02x}" * 20, bytes(32)),
        fees={TOKEN: (number, 0)},
        max_bytes=100,
        max_period_seconds=100,
        min_delivery_seconds=1,
        min_inspection_seconds=1,
        max_lock=5,
        is_available=True,
        free_stake=5,
    )
    return replace(found, **changes)


@pytest.fixture
def choose(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what chooses among three offers, of which the most expensive takes unsampled data."""
    offers = [offer(1), offer(2), offer(3, takes_unsampled=True)]
    session: Any = SimpleNamespace(address="0x" + "ee" * 20)
    catalogue = SimpleNamespace(offers=lambda: offers)
    monkeypatch.setattr(choosing.Catalogue, "of", lambda _: catalogue)
    monkeypatch.setattr(
        choosing, "find_signs", lambda _, asked: {o.validator.address: Signs() for o in asked}
    )

    def chosen(count: int, *, is_sampled: bool) -> list[int]:
        found = choose_by_offers(
            session, TOKEN, WINDOWS, ASKED, count, 50, is_sampled=is_sampled
        ).validators
        return [int(v.address[2:4], 16) for v in found]

    return chosen


def test_choose_by_offers__a_sample_can_be_drawn__takes_the_cheapest(choose: Any) -> None:
    assert choose(1, is_sampled=True) == [1]
    assert choose(3, is_sampled=True) == [1, 2, 3]


def test_choose_by_offers__unsampled__takes_only_who_takes_it_and_says_why(choose: Any) -> None:
    assert choose(1, is_sampled=False) == [3]
    with pytest.raises(NotForSaleError, match=re.escape("1 of 2 custodians")) as refused:
        choose(2, is_sampled=False)
    assert "2 more would, if a sample could be drawn from it" in str(refused.value)
