# SPDX-License-Identifier: Apache-2.0
"""Custodians that do not accept: who is chosen, and what dealing again costs."""

import re
from collections.abc import Iterator

import pytest

from tests.utils.nodes import ManualNode, MarketHarness, open_harness, run_rounds
from truthmark.errors import NotForSaleError, PriceError
from truthmark.market.catalogue import Catalogue
from truthmark.market.choosing import CustodyWish, choose_custody
from truthmark.market.records import CustodyStatus
from truthmark.market.redealing import AGAIN_SECONDS, deal_again, find_lapsed, take_fees_back
from truthmark.market.settlement import Settlement

pytestmark = pytest.mark.chain

TUSD = 10**6
NAMES = ("custodian1", "custodian2", "custodian3")


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MarketHarness]:
    """A network of three validators of whom nobody has a node, each asking 1 TUSD for keeping."""
    with open_harness(tmp_path_factory.mktemp("redealing") / "net", []) as opened:
        for name in NAMES:
            opened.register(name, keeping_fee=TUSD)
        yield opened


def choose(harness: MarketHarness, count: int | None):
    session = harness.session("seller")
    Catalogue.of(session).sync()
    return choose_custody(
        session,
        session.profile.token("TUSD"),
        session.profile.windows["small"],
        1,
        CustodyWish(custodians=count, threshold=1, period_seconds=86_400),
    )


def test_deal_again__no_custodian_accepted__costs_no_more_and_goes_to_others(
    harness: MarketHarness,
) -> None:
    seller = harness.session("seller")
    had = seller.held(harness.token)
    sale = harness.sell([], custodians=1, threshold=1, max_keeping="1 TUSD")
    assert had - seller.held(harness.token) == TUSD
    with pytest.raises(NotForSaleError, match="accepted, or still may"):
        deal_again(seller, sale.version, sale.epoch)
    harness.warp_to(sale.epoch.custody.accept_until + 1)
    assert find_lapsed(seller, sale.version) == [(sale.epoch, list(sale.epoch.custodians))]
    again = deal_again(seller, sale.version, sale.epoch).epoch
    assert set(again.custodians) < {harness.address(n) for n in NAMES} - set(sale.epoch.custodians)
    assert again.custody.epoch == 1
    assert again.custody.accept_until - harness.now() <= AGAIN_SECONDS
    # What was paid for the first is back and went to the second; repeated, nothing is paid.
    assert had - seller.held(harness.token) == TUSD
    assert deal_again(seller, sale.version, sale.epoch).epoch.custody_id == again.custody_id
    assert had - seller.held(harness.token) == TUSD
    assert Settlement(seller).credits(harness.token, seller.address) == {}
    assert harness.state(sale).status is CustodyStatus.LAPSED
    # The second lapses too, and what was paid comes back for good.
    harness.warp_to(again.custody.accept_until + 1)
    assert take_fees_back(seller, sale.version) == TUSD
    assert take_fees_back(seller, sale.version) == 0
    assert seller.held(harness.token) == had


def test_deal_again__others_ask_more__pays_nothing(harness: MarketHarness) -> None:
    seller = harness.session("seller")
    sale = harness.sell([], custodians=1, threshold=1, max_keeping="1 TUSD")
    harness.warp_to(sale.epoch.custody.accept_until + 1)
    had = seller.held(harness.token)
    others = [n for n in NAMES if harness.address(n) not in sale.epoch.custodians]
    for name in others:
        harness.publish_offer(name, keeping_fee=2 * TUSD)
    with pytest.raises(PriceError, match="only for more than was agreed"):
        deal_again(seller, sale.version, sale.epoch)
    assert seller.held(harness.token) == had + TUSD  # what lapsed came back
    assert deal_again(seller, sale.version, sale.epoch, max_keeping=2 * TUSD).receipts
    for name in others:
        harness.publish_offer(name, keeping_fee=TUSD)


def test_choose_custody__no_custodian_shows_life__takes_few_and_names_them(
    harness: MarketHarness,
) -> None:
    harness.net.warp(90_000)
    choice = choose(harness, None)
    assert len(choice.validators) == 1  # what the threshold needs
    assert choice.silent == tuple(v.address for v in choice.validators)
    assert len(choose(harness, 3).silent) == 3
    with pytest.raises(NotForSaleError, match=re.escape("3 of 4 custodians offer this (0 of them")):
        choose(harness, 4)


def test_choose_custody__one_acts__comes_first_though_it_asks_more(harness: MarketHarness) -> None:
    lively = "custodian3"
    harness.publish_offer(lively, fee=2 * TUSD, keeping_fee=0)
    sale = harness.sell([harness.address(lively)], threshold=1, fee="2 TUSD")
    with ManualNode(harness.net, lively) as node:
        run_rounds(lambda: harness.is_live(sale), node)
    choice = choose(harness, None)
    assert [v.address for v in choice.validators] == [harness.address(lively)]
    assert choice.silent == ()
    two = choose(harness, 2)
    assert two.validators[0].address == harness.address(lively)
    assert len(two.silent) == 1
    harness.net.warp(90_000)
    assert choose(harness, 3).silent == tuple(v.address for v in choose(harness, 3).validators)
    harness.publish_offer(lively, keeping_fee=TUSD)
