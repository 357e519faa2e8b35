# SPDX-License-Identifier: Apache-2.0
"""A visitor of somebody else's server takes their money out with a wallet of their browser."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.app.serving import serve
from tests.utils.browsers import browser
from tests.utils.devnets import net
from tests.utils.relays import make_papers, team_terms
from tests.utils.wallets import add_wallet
from truthmark.bounty.client import BountyClient
from truthmark.bounty.payouts import Status
from truthmark.testing.network import Devnet

__all__ = ["browser", "net"]

pytestmark = [pytest.mark.browser, pytest.mark.chain]

PATIENCE_MS = 30_000


@pytest.fixture(scope="module")
def owed(net: Devnet, tmp_path_factory: pytest.TempPathFactory) -> int:
    """Have a bounty that nobody joined refunded; return what its requester may take out."""
    client, relay = BountyClient(net.session("requester")), net.session("relay")
    owner, token = client.session.address, net.profile.tokens[1].address
    papers = make_papers(tmp_path_factory.mktemp("papers"))
    parties = {"requester": owner, "receiver": owner, "relay": relay.address}
    terms = team_terms(papers.document, **parties, token=token)
    number = client.create(terms)
    net.warp(terms.join_seconds + 1)
    client.close_joining(number, terms)
    assert client.read(number).status is Status.REFUNDED
    return int(client.board.functions.balances(token, owner).call())


@pytest.fixture
def page(
    browser: Browser, net: Devnet, owed: int, tmp_path_factory: pytest.TempPathFactory
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
    page: Page, net: Devnet, owed: int
) -> None:
    session = net.session("requester")
    token = session.token(net.profile.tokens[1].address).functions
    before = token.balanceOf(session.address).call()
    page.get_by_role("button", name="Test <b>wallet</b>").click()
    page.get_by_role("button", name="Switch to devnet").click()
    withdraw = page.get_by_role("button", name=re.compile("^Withdraw "))
    expect(withdraw).to_be_visible()
    card = page.locator(".tm-wallet .offer")
    expect(card).to_contain_text(session.address)
    expect(card).to_contain_text("gas alone")

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
    assert token.balanceOf(session.address).call() == before
    page.evaluate("account => testWallet.heard.accountsChanged([account])", other)
    expect(page.get_by_text("The contracts hold nothing for this account.")).to_be_visible()
    expect(withdraw).to_have_count(0)

    page.evaluate(
        "account => { testWallet.account = account; testWallet.heard.accountsChanged([account]); }",
        session.address,
    )
    withdraw.click()
    expect(page.get_by_text("It came to your address.")).to_be_visible()
    expect(page.get_by_text("The contracts hold nothing for this account.")).to_be_visible()
    assert token.balanceOf(session.address).call() == before + owed > before
