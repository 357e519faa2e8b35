# SPDX-License-Identifier: Apache-2.0
"""Bad data in the app: found, judged, shown to everybody, rejected, ruled on, reviewed."""

import re

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.conftest import Start
from tests.app.screen import button, click, has_button, page, texts
from tests.app.test_buying import again, held, paid_out
from tests.app.test_pages import JARGON, PROOFS
from tests.utils.app_market import AppMarket
from truthmark.config.settings import DEVNET_PASSPHRASE
from truthmark.market.drafts.terms import Assurance
from truthmark.market.entries import Version

pytestmark = pytest.mark.chain


def bought(start: Start, market: AppMarket, version: Version, role: str) -> AppTest:
    """Buy in the app, let the seller deliver, and look at the data set again."""
    at = click(again(start("dataset", role=role, dataset=version.ref)), "Buy")
    click(at, "Pay ")
    market.deliver(version, "copycat")
    return again(at)


def agree(at: AppTest, label: str) -> AppTest:
    """Say yes to what cannot be taken back, and press its button."""
    wanted = button(at, label)
    assert wanted.disabled
    at.checkbox(key=f"{wanted.key}_known").check().run()
    return click(at, label)


def test_check__random_bytes__shown_to_all_and_disputed_by_who_bought_nothing(
    start: Start, market: AppMarket
):
    forged = market.sell_forged("random bytes", price="5 TUSD", bond="8 TUSD")
    had, stranger_had = held(market, "buyer3"), paid_out(market, forged, "stranger")
    other = market.session("buyer3").wallet.new("other", DEVNET_PASSPHRASE)
    market.net.fund(str(other.address), {}, 10**18)
    at = bought(start, market, forged, "buyer3")
    click(at, "Check every part")
    text = page(at)
    assert "does not open: the seller encrypted something else than they committed to" in text
    assert not JARGON.search("\n".join(texts(at, skip=PROOFS)))
    assert "A contract can see that. A dispute ends the sale for everybody" in text
    assert re.search(r"of the bond; it costs about 0\.0*[1-9]\d{0,2} ETH for gas", text)
    assert f"is seen under {market.session('buyer3').address}; it cannot be taken back" in text
    # It can be seen under another account, which then sends it; what was agreed to is asked again.
    at.checkbox(key=f"{button(at, 'Show it to everybody').key}_known").check().run()
    (box,) = [it for it in at.selectbox if it.label == "Seen under"]
    box.select("other").run()
    assert f"is seen under {other.address}; it cannot be taken back" in page(at)
    agree(at, "Show it to everybody")
    assert "Everybody's computer can see now what is wrong with it." in page(at)
    assert (
        market.session("buyer3").chain.rpc.call("eth_getTransactionCount", other.address, "latest")
        == "0x1"
    )
    # Who has not bought it has the contract judge what is open now.
    at = again(start("dataset", role="stranger", dataset=forged.ref))
    assert "rotten" in page(at) and "the committed key does not open it" in page(at)
    assert not JARGON.search("\n".join(texts(at, skip=PROOFS)))
    assert not has_button(at, "Buy")
    click(at, "Look for a part to dispute")
    agree(at, "Dispute")
    assert "The dispute was right: 4 TUSD came to you." in page(at)
    assert held(market, "stranger") == stranger_had + 4_000_000
    at = again(start("my_data", role="buyer3"))
    assert "a part of it was proven not to be sealed under its key: take your money" in page(at)
    click(at, "Take 5 TUSD back")
    assert held(market, "buyer3") == had


def test_open__random_bytes__says_what_is_wrong_and_a_dispute_pays(start: Start, market: AppMarket):
    forged = market.sell_forged("random bytes", price="5 TUSD", bond="8 TUSD")
    had = paid_out(market, forged, "buyer3")
    at = click(bought(start, market, forged, "buyer3"), "Open")
    assert "A contract can see that." in page(at)
    agree(at, "Dispute")
    assert "The dispute was right: 5 TUSD and 4 TUSD of the seller's bond came to you" in page(at)
    assert held(market, "buyer3") == had + 4_000_000


def test_reject__no_table__burns_the_guarantee_and_all_are_told(start: Start, market: AppMarket):
    forged = market.sell_forged("no table", price="5 TUSD", assurance=Assurance(5_000))
    had = held(market, "buyer3")
    at = click(bought(start, market, forged, "buyer3"), "Check every part")
    assert "No contract can judge that." in page(at)
    assert "It opens, but cannot be read" in page(at) and "get it again" not in page(at)
    assert not has_button(at, "Dispute")
    agree(at, "Show it to everybody")
    assert "2.5 TUSD are burned" in page(at)
    assert "you get nothing" in page(at)
    agree(at, "Reject it")
    assert "Rejected; 2.5 TUSD are burned." in page(at)
    assert not has_button(at, "Reject")
    assert held(market, "buyer3") == had - 5_000_000
    click(at, "Publish the review")
    assert "Choose one to five stars first." in page(at)
    at.feedback[0].set_value(0)
    at.text_area[0].input("no table at all")
    click(at, "Publish the review")
    assert "Your review is published." in page(at)
    # The next one reads it, and what it would cost to make one up.
    at = again(start("dataset", role="buyer", dataset=forged.ref))
    text = page(at)
    assert "Rejected 1 time, which burned 2.5 TUSD." in text
    assert "no table at all" in text and "1 of 5" in text
    assert f"{market.session('buyer3').address} paid 5 TUSD" in text
    assert "Faking it costs a seller at least" in text
    assert not has_button(at, "Buy")


def test_confirm__all_right__pays_the_seller_then_the_arbiter_rules(
    start: Start, market: AppMarket
):
    arbiter = market.session("stranger").address
    forged = market.sell_forged(
        "all right", price="5 TUSD", bond="8 TUSD", assurance=Assurance(0, arbiter)
    )
    at = click(bought(start, market, forged, "buyer3"), "Check every part")
    text = page(at)
    assert "Every part opens and can be read." in text
    assert not has_button(at, "Show it") and not has_button(at, "Publish")
    assert f"Its arbiter may end its sale; tell them what is wrong:\n{arbiter}" in text
    seller_had = paid_out(market, forged)
    agree(at, "Pay the seller now")
    assert "The seller is paid. You can review it now." in page(at)
    assert has_button(at, "Publish the review")
    assert paid_out(market, forged) == seller_had + 5_000_000
    at = again(start("dataset", role="buyer", dataset=forged.ref))
    assert "You are its arbiter" not in page(at)
    at = again(start("dataset", role="stranger", dataset=forged.ref))
    at.text_input(key=f"dataset_rewarded_{forged.ref}").input("0x12").run()
    assert "is not an address" in page(at)
    buyer = market.session("buyer3").address
    at.text_input(key=f"dataset_rewarded_{forged.ref}").input(buyer).run()
    assert f"4 TUSD go to {buyer}" in page(at)
    agree(at, "End its sale")
    assert "Its sale has ended" in page(at)
    at = again(start("dataset", role="buyer", dataset=forged.ref))
    assert "revoked, as its arbiter ended its sale: do not buy it" in page(at)
