# SPDX-License-Identifier: Apache-2.0
"""Custodians that do not accept: who is chosen, and what dealing again costs."""

import re
from collections.abc import Iterator

import pytest

from tests.utils.nodes import Keeper, Stand, open_stand, turn
from truthmark.errors import NotForSaleError, PriceError
from truthmark.market.records import CustodyStatus
from truthmark.market.redealing import AGAIN_SECONDS, deal_again, find_lapsed, take_fees_back
from truthmark.market.settlement import Settlement
from truthmark.market.surface import choose_custody

pytestmark = pytest.mark.chain

TUSD = 10**6
NAMES = ("custodian1", "custodian2", "custodian3")


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A network of three validators of whom nobody has a node, each asking 1 TUSD for keeping."""
    with open_stand(tmp_path_factory.mktemp("redealing") / "net", []) as opened:
        for name in NAMES:
            opened.register(name, keeping_fee=TUSD)
        yield opened


def choose(stand: Stand, count: int | None):
    session = stand.session("seller")
    session.catalogue.sync()
    return choose_custody(
        session,
        session.profile.token("TUSD"),
        session.profile.windows["small"],
        1,
        custodians=count,
        threshold=1,
        term_seconds=86_400,
    )


def test_deal_again__nobody_accepted__costs_no_more_and_goes_to_others(stand: Stand) -> None:
    seller = stand.session("seller")
    had = seller.held(stand.token)
    sale = stand.sell([], custodians=1, threshold=1, max_keeping="1 TUSD")
    assert had - seller.held(stand.token) == TUSD
    with pytest.raises(NotForSaleError, match="accepted, or still may"):
        deal_again(seller, sale.version, sale.epoch)
    stand.warp_to(sale.epoch.custody.accept_until + 1)
    assert find_lapsed(seller, sale.version) == [(sale.epoch, list(sale.epoch.custodians))]
    again = deal_again(seller, sale.version, sale.epoch).epoch
    assert set(again.custodians) < {stand.address(n) for n in NAMES} - set(sale.epoch.custodians)
    assert again.custody.epoch == 1
    assert again.custody.accept_until - stand.now() <= AGAIN_SECONDS
    # What was paid for the first is back and went to the second; repeated, nothing is paid.
    assert had - seller.held(stand.token) == TUSD
    assert deal_again(seller, sale.version, sale.epoch).epoch.custody_id == again.custody_id
    assert had - seller.held(stand.token) == TUSD
    assert Settlement(seller).credits(stand.token, seller.address) == {}
    assert stand.state(sale).status is CustodyStatus.LAPSED
    # The second lapses too, and what was paid comes back for good.
    stand.warp_to(again.custody.accept_until + 1)
    assert take_fees_back(seller, sale.version) == TUSD
    assert take_fees_back(seller, sale.version) == 0
    assert seller.held(stand.token) == had


def test_deal_again__others_ask_more__pays_nothing(stand: Stand) -> None:
    seller = stand.session("seller")
    sale = stand.sell([], custodians=1, threshold=1, max_keeping="1 TUSD")
    stand.warp_to(sale.epoch.custody.accept_until + 1)
    had = seller.held(stand.token)
    others = [n for n in NAMES if stand.address(n) not in sale.epoch.custodians]
    for name in others:
        stand.publish_offer(name, keeping_fee=2 * TUSD)
    with pytest.raises(PriceError, match="only for more than was agreed"):
        deal_again(seller, sale.version, sale.epoch)
    assert seller.held(stand.token) == had + TUSD  # what lapsed came back
    assert deal_again(seller, sale.version, sale.epoch, max_keeping=2 * TUSD).receipts
    for name in others:
        stand.publish_offer(name, keeping_fee=TUSD)


def test_choose_custody__nobody_shows_life__takes_few_and_names_them(stand: Stand) -> None:
    stand.net.warp(90_000)
    choice = choose(stand, None)
    assert len(choice.validators) == 1  # what the threshold needs
    assert choice.silent == tuple(v.address for v in choice.validators)
    assert len(choose(stand, 3).silent) == 3
    with pytest.raises(NotForSaleError, match=re.escape("3 of 4 custodians offer this (0 of them")):
        choose(stand, 4)


def test_choose_custody__one_acts__comes_first_though_it_asks_more(stand: Stand) -> None:
    lively = "custodian3"
    stand.publish_offer(lively, fee=2 * TUSD, keeping_fee=0)
    sale = stand.sell([stand.address(lively)], threshold=1, fee="2 TUSD")
    with Keeper(stand.net, lively) as keeper:
        turn(lambda: stand.is_live(sale), keeper)
    choice = choose(stand, None)
    assert [v.address for v in choice.validators] == [stand.address(lively)]
    assert choice.silent == ()
    two = choose(stand, 2)
    assert two.validators[0].address == stand.address(lively)
    assert len(two.silent) == 1
    stand.net.warp(90_000)
    assert choose(stand, 3).silent == tuple(v.address for v in choose(stand, 3).validators)
    stand.publish_offer(lively, keeping_fee=TUSD)
