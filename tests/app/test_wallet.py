# SPDX-License-Identifier: Apache-2.0
"""A visitor of somebody else's server takes their money out with a wallet of their browser."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.app.serving import serve
from tests.utils.browsers import PATIENCE_MS, browser, faults
from tests.utils.devnets import net
from tests.utils.relays import make_papers, team_terms
from tests.utils.wallets import add_wallet, bend, prompts
from truthmark.bounty.client import BountyClient
from truthmark.bounty.payouts import Status
from truthmark.testing.network import Devnet

__all__ = ["browser", "net"]

pytestmark = [pytest.mark.browser, pytest.mark.chain]


@pytest.fixture(scope="module")
def owed(net: Devnet, tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """Have bounties refunded that nobody joined; returns what may be taken out, by token."""
    client, relay = BountyClient(net.session("requester")), net.session("relay")
    owner = client.session.address
    papers = make_papers(tmp_path_factory.mktemp("papers"))
    parties = {"requester": owner, "receiver": owner, "relay": relay.address}
    tokens = [token.address for token in net.profile.tokens[:2]]
    asked = [team_terms(papers.document, **parties, token=token) for token in tokens]
    numbers = [client.create(terms) for terms in asked]
    net.warp(asked[0].join_seconds + 1)
    for number, terms in zip(numbers, asked, strict=True):
        client.close_joining(number, terms)
        assert client.read(number).status is Status.REFUNDED
    return {it: int(client.board.functions.balances(it, owner).call()) for it in tokens}


@pytest.fixture
def page(
    browser: Browser, net: Devnet, owed: dict[str, int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    """Open the earnings page of a server that holds nobody's keys, in a browser with a wallet."""
    log = tmp_path_factory.mktemp("app") / "app.log"
    with serve(net.home("stranger"), log, is_local=False) as here:
        context = browser.new_context()
        add_wallet(context, net, net.session("requester").address)
        window = context.new_page()
        window.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        window.goto(f"{here}/earnings")
        yield window
        context.close()


def test_earnings__visitor_with_a_wallet__takes_out_by_one_confirmation(
    page: Page, net: Devnet, owed: dict[str, int]
) -> None:
    session = net.session("requester")

    def held() -> dict[str, int]:
        account = session.address
        return {it: session.token(it).functions.balanceOf(account).call() for it in owed}

    before = held()
    page.get_by_role("button", name="Test <b>wallet</b>").click()
    page.get_by_role("button", name="Switch to devnet").click()
    withdraw = page.get_by_role("button", name=re.compile("^Withdraw "))
    expect(withdraw).to_be_visible()
    card = page.locator(".tm-wallet .offer")
    expect(card).to_contain_text(session.address)
    expect(card).to_contain_text("gas alone")
    assert faults(page) == []

    page.evaluate("testWallet.declines = true")
    withdraw.click()
    status = page.locator(".tm-wallet [role=status]")
    expect(status).to_have_text("You declined; nothing was sent.")
    page.evaluate("testWallet.declines = false")

    # Another account, of which the wallet has told nobody yet, and then told.
    other = net.session("buyer").address
    page.evaluate("account => { testWallet.account = account; }", other)
    withdraw.click()
    expect(status).to_contain_text("Another account is chosen")
    assert held() == before
    page.evaluate("account => testWallet.heard.accountsChanged([account])", other)
    expect(page.get_by_text("The contracts hold nothing for this account.")).to_be_visible()
    expect(withdraw).to_have_count(0)

    page.evaluate(
        "account => { testWallet.account = account; testWallet.heard.accountsChanged([account]); }",
        session.address,
    )
    # Both tokens by one confirmation, as this wallet can.
    bend(page, able=True)
    before_prompts = prompts(page)
    withdraw.click()
    expect(page.get_by_text("It came to your address.")).to_be_visible()
    expect(page.get_by_text("The contracts hold nothing for this account.")).to_be_visible()
    assert held() == {it: before[it] + units for it, units in owed.items()}
    assert all(owed.values())
    assert prompts(page)[len(before_prompts) :] == ["wallet_sendCalls"]
