# SPDX-License-Identifier: Apache-2.0
"""A validator does their whole job by clicking: from registering to taking the stake out."""

from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app import services
from app.views import WalletCall
from tests.app.conftest import Start
from tests.app.screen import click, has_button, page, shown
from tests.app.test_buying import again
from tests.utils.anvil import send_as_wallet
from tests.utils.app_market import AppMarket
from tests.utils.injections import HOSTILE
from truthmark.market import asking
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import ValidatorOffer
from truthmark.market.settlement import Settlement
from truthmark.market.validator import ValidatorOwner
from truthmark.testing.network import role_address
from truthmark.text import clean

pytestmark = pytest.mark.chain

ROLE = "custodian4"


def metrics(at: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in at.metric}


def offers(market: AppMarket) -> list[ValidatorOffer]:
    session = market.session(ROLE)
    return Catalogue.of(session).offers(session.address)


def publish(at: AppTest, **fields: object) -> AppTest:
    """Fill in the form of an offer, and send it."""
    key = f"validators_{role_address(ROLE)}"
    at.number_input(key=f"{key}_fee").set_value(fields.get("fee", 0.25))
    at.selectbox(key=f"{key}_token").select("TUSD")
    at.number_input(key=f"{key}_days").set_value(fields.get("days", 40))
    at.number_input(key=f"{key}_lock").set_value(fields.get("lock", 50.0))
    at.text_input(key=f"{key}_url").input(str(fields.get("url", "")))
    box = at.checkbox(key=f"{key}_unsampled")
    (box.check if fields.get("unsampled") else box.uncheck)()
    return click(at, "Publish")


def send(market: AppMarket, sender: str, call: Any) -> None:
    """Send as a wallet of the browser does."""
    to, data = (call.to, call.data) if isinstance(call, WalletCall) else (call.contract.address, "")
    sent = {"from": sender, "to": to, "data": data or "0x" + call.data.hex()}
    send_as_wallet(market.net.chain, sent)


def test_validators__whole_job__is_done_by_clicking(start: Start, market: AppMarket) -> None:
    session, owner = market.session(ROLE), market.session("buyer").address
    tokens = session.token(session.profile.stake_token).functions
    send(market, session.address, tokens.transfer(owner, tokens.balanceOf(session.address).call()))
    at = start("validators", role=ROLE)
    assert "One ticket of stake is 100 TMK" in page(at)
    assert "Your account here lacks 100 TMK" in page(at)
    click(at, "Become a validator")
    assert "This account is a validator now." in page(at)
    at.number_input(key="validators_tickets").set_value(3).run()
    # They did not ask for that yet, so it is told as what it would take, and folded away.
    assert "To add 3 tickets, your account here lacks 300 TMK" in page(at)
    assert "Send it more from a wallet" in [it.label for it in at.expander]
    # The stake comes from a wallet of its owner by one transaction, and goes back there at the end.
    lacks, (action,) = services.lacking_for_stake(3, owner)
    assert lacks == "300 TMK" and len(action.calls) == 1
    send(market, owner, action.calls[0])
    assert "your account here lacks" not in page(at.run())
    click(at, "Add 3 tickets")
    assert metrics(at)["Stake"] == metrics(at)["Free"] == "300 TMK"

    # An address that no seller would ask is refused, and nothing is published.
    publish(at, url="ftp://node.example")
    assert ["is not an address of a node" in shown(it.value) for it in at.error] == [True]
    assert offers(market) == []
    publish(at, unsampled=True, url="https://node.example:8080")
    assert "You ask 0.25 TUSD a sale, up to 10.0 GiB for up to 40 d" in page(at)
    (offer,) = offers(market)
    token = market.net.profile.token("TUSD").address
    assert (offer.takes_unsampled, offer.url) == (True, "https://node.example:8080")
    assert {it.lower(): fee for it, fee in offer.fees.items()} == {token.lower(): (250_000, 0)}
    assert (offer.max_lock, offer.max_period_seconds) == (50 * 10**18, 40 * 86_400)
    # Another offer takes the place of the first.
    publish(at, fee=0.5)
    (offer,) = offers(market)
    assert (offer.takes_unsampled, offer.url) == (False, "")

    # A seller chooses them; they keep a part, stay silent at a sale, and are fined.
    publish(at, unsampled=True)
    version = market.sell(
        market.table("iris"),
        title="Kept by one alone",
        price="4 TUSD",
        custodians=[session.address],
        threshold=1,
        lock="50 TMK",
        penalty="20 TMK",
        period="1h",
        max_periods=1,
    )
    market.accept(version, roles=(ROLE,))
    at = again(start("validators", role=ROLE))
    assert metrics(at)["At risk for obligations"] == "50 TMK"
    (kept,) = (frame.value for frame in at.dataframe if "part" in frame.value.columns)
    assert kept.loc[0, ["data set", "status", "at risk"]].tolist() == [
        version.ref,
        "running",
        "50 TMK",
    ]
    click(at, "Take no new obligations")
    assert "You take no new obligations." in page(at)
    click(at, "Take new obligations")
    assert "You take new obligations." in page(at)
    buying = click(again(start("dataset", role="buyer2", dataset=version.ref)), "Buy")
    click(buying, "Pay ")
    market.net.warp(21)
    click(again(buying), "Take ")
    at = again(start("validators", role=ROLE))
    assert "20 TMK of the stake was lost and not paid back" in page(at)
    assert metrics(at)["Stake"] == "280 TMK"
    assert "Your account here lacks 20 TMK" in page(at)
    send(market, owner, services.lacking_for_cover("20 TMK", owner)[1][0].calls[0])
    click(at.run(), "Pay it back")
    assert "The stake is covered again." in page(at)
    assert metrics(at)["Stake"] == "300 TMK" and not has_button(at, "Pay it back")

    # They leave: the offer first, then what is free, then what the obligation held.
    click(at, "Take the offer back")
    assert "You offer nothing yet, so no seller can choose you." in page(at)
    assert [offer.fees for offer in offers(market)] in ([], [{}])
    at.number_input(key="validators_tickets").set_value(9).run()
    click(at, "Take 9 tickets out")
    assert "Only 3 tickets stand for stake; take out fewer" in "".join(
        shown(it.value) for it in at.error
    )
    at.number_input(key="validators_tickets").set_value(2).run()
    click(at, "Take 2 tickets out")
    assert "2 tickets on the way out; the next at" in page(at)
    assert not has_button(at, "Withdraw what is free")
    market.net.warp(86_401)
    at = again(start("validators", role=ROLE))
    stake = session.profile.contracts["token"].address
    had = int(session.token(stake).functions.balanceOf(session.address).call())
    click(at, "Withdraw what is free")
    assert "200 TMK came to you." in page(at)
    now = int(session.token(stake).functions.balanceOf(session.address).call())
    assert now - had == 200 * 10**18
    assert not has_button(at, "Withdraw what is free")
    before = tokens.balanceOf(owner).call()
    at.text_input(key=f"give_back_{session.address}_to_").input(owner).run()
    at.multiselect(key=f"give_back_{session.address}_what").set_value(["TMK"]).run()
    # One obligation runs, and takes gas.
    assert not at.checkbox(key=f"give_back_{session.address}_coins_True").value
    click(at, "Send it there")
    assert tokens.balanceOf(session.address).call() == 0
    assert tokens.balanceOf(owner).call() - before == now
    assert Settlement(session).credits(stake, session.address) == {}
    assert len(ValidatorOwner(market.session(ROLE)).tickets()) == 1


def test_validators__hostile_addresses_of_nodes__are_neither_shown_nor_asked(
    start: Start, market: AppMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The only text in an offer; a stranger writes it past our client, which would refuse it."""
    asked: list[str] = []
    monkeypatch.setattr(asking, "read_small", lambda url, *_, **__: asked.append(url) or b"{}")
    found = Catalogue.of(market.session(ROLE)).offers()
    hostile = [
        replace(found[i % len(found)], url=text)
        for i, text in enumerate([*HOSTILE, "\n".join(HOSTILE)])
    ]
    monkeypatch.setattr(Catalogue, "offers", lambda self, validator=None: hostile)
    services.staking._offers.clear()
    said = page(start("validators"))
    services.staking._offers.clear()
    assert not any(clean(text) in said or text in said for text in HOSTILE)
    assert all("not seen for a day" in said or "seen within a day" in said for _ in found)
    # Of what is plainly an address, though nobody's, a node is asked; of nothing else.
    assert all(url.startswith(("http://evil.example", "https://evil.example")) for url in asked)
