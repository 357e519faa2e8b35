# SPDX-License-Identifier: Apache-2.0
"""The market's page: search, filters, cards, pages."""

import pytest

from app import services
from tests.app.conftest import Start
from tests.app.screen import click, page
from tests.utils.app_market import AppMarket
from truthmark.market.seller import Seller

NEWEST_FIRST = ["reviews", "weather", "digits", "diabetes", "cancer", "iris", "wine"]


def refs(at) -> list[str]:
    """Return which data sets the cards lead to."""
    return [c.value.split(" ")[1] for c in at.caption if c.value.startswith("no. ")]


def expected(market: AppMarket, *names: str) -> list[str]:
    return [market.versions[name].ref for name in names]


@pytest.mark.chain
def test_market__no_filter__shows_every_open_listing_newest_first(start: Start, market: AppMarket):
    at = start()
    ours = expected(market, *NEWEST_FIRST)
    assert [ref for ref in refs(at) if ref in ours] == ours
    text = page(at)
    for fact in (
        "Movie reviews, labelled by a crowd",
        "25 TUSD",
        "10,000 rows",
        "72.0 KiB",
        "Apache-2.0",
        "2 of 3 custodians",
        "50 TUSD bond",
        "seller keeps the key",
        "1,797 files",
    ):
        assert fact in text


@pytest.mark.chain
def test_market__words__must_all_be_in_title_or_description(start: Start, market: AppMarket):
    at = start()
    at.text_input(key="market_text").input("AMAZON mechanical answer").run()
    assert refs(at) == expected(market, "reviews", "weather")
    at.text_input(key="market_text").input("amazon wine").run()
    assert refs(at) == []
    assert "Nothing for sale here matches." in page(at)


@pytest.mark.chain
def test_market__token_price_and_order__filter_and_sort(start: Start, market: AppMarket):
    at = start()
    assert at.number_input(key="market_max").disabled
    at.selectbox(key="market_token").select("TUSD").run()
    at.number_input(key="market_max").set_value(12.0).run()
    at.selectbox(key="market_order").select("Lowest price").run()
    ours = expected(market, "iris", "wine", "weather", "diabetes")
    assert [ref for ref in refs(at) if ref in set(expected(market, *NEWEST_FIRST))] == ours
    at.selectbox(key="market_token").select("TEUR").run()
    assert refs(at) == expected(market, "cancer")


@pytest.mark.chain
def test_market__licence__filters(start: Start, market: AppMarket):
    at = start()
    at.selectbox(key="market_licence").select("LicenseRef-research-only").run()
    assert refs(at) == expected(market, "diabetes")


@pytest.mark.chain
def test_market__seller__filters_by_how_the_address_begins(start: Start, market: AppMarket):
    seller = market.versions["wine"].terms.seller
    at = start()
    at.text_input(key="market_seller").input(seller[:10].lower()).run()
    assert set(expected(market, *NEWEST_FIRST)) <= set(refs(at))
    at.text_input(key="market_seller").input("0x00000000").run()
    assert refs(at) == []


@pytest.mark.chain
def test_market__more_than_a_page__is_turned(
    start: Start, market: AppMarket, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(services.browsing, "PAGE_SIZE", 3)
    at = start()
    first = refs(at)
    assert len(first) == 3
    click(at, "Next")
    second = refs(at)
    assert len(second) == 3
    assert not set(first) & set(second)
    click(at, "Previous")
    assert refs(at) == first
    click(at, "Next")
    at.text_input(key="market_text").input("iris").run()
    assert refs(at) == expected(market, "iris")


@pytest.mark.chain
def test_market__paused_listing__is_not_shown(start: Start, market: AppMarket):
    iris, seller = market.versions["iris"], Seller(market.session("seller"))
    seller.set_paused(iris, True)
    assert iris.ref not in refs(again(start()))
    seller.set_paused(iris, False)
    assert iris.ref in refs(again(start()))


def again(at):
    """Look again after the second for which the app trusts its last look at the chain."""
    services.reading._sync.clear()
    return at.run()
