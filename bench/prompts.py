# SPDX-License-Identifier: Apache-2.0
"""How often a wallet asks its person: `python -m bench.prompts`.

Counted in Chromium by a wallet that announces itself as browsers' wallets do, through the whole way
of a labeler: from the link to labels that the requester has signed for, by the key of the browser
with the wallet's account as payee, and where a gate of the terms wants the account itself. A
requester pays by the account of their own machine: counted is what that signs until a bounty is
paid in.
"""

import sys

from playwright.sync_api import Browser, Page, sync_playwright

from bench.browsing import PATIENCE_MS, labeling_net, require_chromium
from bench.report import Report
from tests.utils.browsers import ARGUMENTS
from tests.utils.label_bounty import post
from tests.utils.label_page import ask_to_join
from tests.utils.relays import team_terms
from tests.utils.wallets import NAME, add_wallet, prompts
from truthmark.bounty.document import Document
from truthmark.bounty.gates import deploy_allow_list
from truthmark.bounty.items import Item
from truthmark.bounty.secrets import RequesterSecrets
from truthmark.bounty.terms import NO_ACCOUNT, Terms
from truthmark.testing.network import Devnet, role_address

ITEMS = 4
BY_KEY, BY_ACCOUNT, REQUESTER = 0, 2, 2


def main() -> int:
    """Count, write the table, and return 1 if a figure does not hold."""
    program = require_chromium()
    report = Report("prompts")
    with labeling_net() as (net, rounds), sync_playwright() as playwright:
        gate = deploy_allow_list(net.session("requester"), [role_address("labeler")])
        before = _signed(net)
        is_open = ask(net, rounds.server.url)
        paid_in = _signed(net) - before
        is_gated = ask(net, rounds.server.url, gate)
        browser = playwright.chromium.launch(executable_path=program, args=[*ARGUMENTS])
        by_key = label(browser, net, f"{rounds.server.url}/label/{is_open}")
        by_account = label(browser, net, f"{rounds.server.url}/label/{is_gated}")
        browser.close()
    unit = "prompts"
    report.add("labeler, by the browser's key", by_key, unit, at_most=BY_KEY)
    report.add("labeler, where a gate wants the account", by_account, unit, at_most=BY_ACCOUNT)
    report.add("requester, until it is paid in", paid_in, "signatures", at_most=REQUESTER)
    return report.write()


def _signed(net: Devnet) -> int:
    """Return how many transactions the requester's account has sent."""
    count = net.chain.rpc("eth_getTransactionCount", role_address("requester"), "latest")
    return int(count, 16)


def ask(net: Devnet, url: str, gate: str = NO_ACCOUNT) -> int:
    """Ask a team of one for labels of some texts; return the bounty's number."""

    def terms_of(made: RequesterSecrets, document: Document) -> Terms:
        return team_terms(
            document,
            requester=role_address("requester"),
            token=net.profile.tokens[1].address,
            relay=role_address("relay"),
            receiver=made.receiver,
            gate=gate,
            salt=made.terms_salt,
            key_x=made.key.x,
            key_y=made.key.y,
            items=ITEMS,
            batch=2,
            min_seats=2,
            max_run=2,
        )

    items = [Item.of_text(f"item {number}") for number in range(ITEMS)]
    return post(net, url, items, Item.of_text("one to practice on"), terms_of)[0]


def label(browser: Browser, net: Devnet, link: str) -> int:
    """Label all of a bounty in a browser with a wallet; return how often that asked."""
    context = browser.new_context()
    add_wallet(context, net, role_address("labeler"))
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(link)
    page.get_by_role("button", name="Stop practicing").click()
    page.get_by_role("button", name=f"Take that of {NAME}").wait_for()
    account = page.get_by_role("button", name=f"Use the account of {NAME}")
    is_gated = account.count() > 0
    if is_gated:
        account.click()
        page.get_by_text("is asked to sign twice").wait_for()
    else:
        page.get_by_role("button", name=f"Take that of {NAME}").click()
    ask_to_join(page)
    if is_gated:
        _sign(page)
    for number in range(ITEMS):
        page.get_by_role("region", name=f"text {number + 1} of {ITEMS}").wait_for()
        page.locator(".tm-stage[aria-busy=false] .tm-text").wait_for()
        page.keyboard.press("1")
    page.get_by_role("button", name="Seal and send").click()
    if is_gated:
        _sign(page)
    page.get_by_role("heading", name="Done").wait_for()
    asked = len(prompts(page))
    context.close()
    return asked


def _sign(page: Page) -> None:
    page.get_by_role("button", name=f"Sign with {NAME}").click()


if __name__ == "__main__":
    sys.exit(main())
