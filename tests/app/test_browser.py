# SPDX-License-Identifier: Apache-2.0
"""The app in a real browser, on a real server."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from app.services.markdown import plain
from tests.app.serving import serve
from tests.app.windows import button, check, markup, open_context, open_window, settle
from tests.utils.app_market import HOSTILE, AppMarket, hostile_title, hostile_titles
from tests.utils.browsers import browser
from tests.utils.fault_proxy import Fault, FaultProxy
from truthmark.market.drafts.terms import Assurance
from truthmark.market.flows import purchasing
from truthmark.text import clean

__all__ = ["browser"]

pytestmark = [pytest.mark.browser, pytest.mark.chain]

CONTRAST = Path(__file__).with_name("contrast.js")
JOINER = "\N{WORD JOINER}"


@pytest.fixture(scope="module")
def way(market: AppMarket) -> Iterator[FaultProxy]:
    """Stand between the app and the chain."""
    with FaultProxy(int(market.net.profile.rpc[0].rpartition(":")[2])) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def url(
    market: AppMarket, way: FaultProxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Serve the app as a buyer's own machine would."""
    log = tmp_path_factory.mktemp("app") / "app.log"
    with serve(market.net.home("buyer"), log, rpc=way.url) as here:
        yield here


@pytest.fixture(scope="module")
def desk(browser: Browser) -> Iterator[BrowserContext]:
    """Provide one browser."""
    with open_context(browser, 1360, 900, color_scheme="light") as context:
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        yield context


@pytest.fixture
def page(desk: BrowserContext, url: str) -> Iterator[Page]:
    with open_window(desk, url) as window:
        yield window


def search(page: Page, url: str, text: str) -> None:
    page.goto(url)
    box = page.get_by_placeholder("Search titles and descriptions")
    box.fill(text)
    box.press("Enter")


def test_app__visitor__searches_opens_and_copies_the_command(
    page: Page, url: str, market: AppMarket
) -> None:
    page.goto(url)
    expect(page.get_by_text("Handwritten digits, images")).to_be_visible()
    search(page, url, "movie mechanical")
    expect(page.get_by_text("1 data set for sale")).to_be_visible()
    expect(page.get_by_text("Handwritten digits, images")).to_have_count(0)
    page.get_by_role("link", name="View").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Movie reviews, labelled by a crowd")
    ref = market.versions["reviews"].ref
    expect(page).to_have_url(f"{url}/dataset?dataset={ref.replace('@', '%40')}")
    expect(page.get_by_text("2 of 3 custodians hand over the key")).to_be_visible()
    expect(button(page, "dataset_buy")).to_be_enabled()
    line = page.get_by_test_id("stCode").filter(has_text="truthmark get").first
    line.hover()
    line.get_by_role("button").click()
    assert page.evaluate("navigator.clipboard.readText()") == f"truthmark get {ref} ./data"
    settle(page)
    for name in ("My data", "Sell", "Network", "Market"):
        page.get_by_role("link", name=name, exact=True).first.click()
        expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
        settle(page)


def test_app__buyer__pays_and_follows_the_parts_without_reloading(
    page: Page, url: str, market: AppMarket
) -> None:
    version = market.versions["weather"]
    page.goto(f"{url}/dataset?dataset={version.ref}")
    page.get_by_text("Buy it although hardly anyone but the seller has seen it").click()
    button(page, "dataset_buy").click()
    button(page, "dataset_pay").click()
    expect(page.get_by_text("Part 1 of 2")).to_be_visible()
    market.deliver(version, "custodian1")
    market.deliver(version, "custodian3")
    # The page looks again by itself.
    button(page, "purchase_open").click()
    expect(page.get_by_text("The key opens every part of the data.")).to_be_visible()
    check(page, "opened")


def test_app__buyer_of_bad_data__has_each_remedy_in_boxes_without_a_fault(
    page: Page, url: str, market: AppMarket
) -> None:
    buyer = market.session("buyer")
    forged = market.sell_forged(
        "random bytes", price="5 TUSD", bond="8 TUSD", assurance=Assurance(5_000, buyer.address)
    )
    purchasing.buy(buyer, forged, agree=lambda quote: True, blind=True)
    market.deliver(forged, "copycat")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{url}/dataset?dataset={forged.ref}")
    page.get_by_text("Is something wrong with it?").click()
    button(page, "purchase_check").click()
    expect(page.get_by_text("A contract can see that.")).to_be_visible()
    page.get_by_text("What was it worth?").click()
    expect(page.get_by_role("button", name="Pay the seller now")).to_be_visible()
    page.get_by_placeholder("0x…").fill(buyer.address)
    page.get_by_placeholder("0x…").press("Enter")
    labels = ("Dispute", "Show it to everybody", "Reject it", "Pay the seller now", "End its sale")
    for label in labels:
        expect(page.get_by_role("button", name=label)).to_be_disabled()
    check(page, "boxes in the light")
    page.emulate_media(color_scheme="dark")
    expect(page.get_by_test_id("stApp")).to_have_css("color-scheme", "dark")
    check(page, "boxes in the dark")


def test_app__chain_is_away__is_said_in_one_line_and_passes_by_itself(
    page: Page, url: str, market: AppMarket, way: FaultProxy
) -> None:
    search(page, url, "movie mechanical")
    expect(page.get_by_text("1 data set for sale")).to_be_visible()
    seller = page.get_by_label("Seller")
    seller.fill("0x")
    seller.press("Enter")
    other = page.context.new_page()
    other.goto(f"{url}/dataset?dataset={market.versions['weather'].ref}")
    expect(other.get_by_text("custodians hand over the key")).to_be_visible()
    way.fault = Fault.REFUSE
    said = re.compile("does not answer|cannot be reached")
    # What is looked at again by itself, what is asked for, and what is opened.
    expect(other.get_by_test_id("stAlert").get_by_text(said)).to_be_visible()
    box = page.get_by_placeholder("Search titles and descriptions")
    box.fill("digits")
    box.press("Enter")
    expect(page.get_by_test_id("stAlert").get_by_text(said)).to_be_visible()
    expect(seller).to_have_count(0)
    opened = page.context.new_page()
    opened.goto(f"{url}/asked?bounty=1")
    expect(opened.get_by_test_id("stAlert").get_by_text(said)).to_be_visible()
    for each in (page, other, opened):
        expect(each.get_by_test_id("stException")).to_have_count(0)
    way.fault = None
    expect(page.get_by_text("Handwritten digits, images")).to_be_visible()
    for each in (page, other, opened):
        expect(each.get_by_text(said)).to_have_count(0)
    for field, typed in ((box, "digits"), (seller, "0x")):
        expect(field).to_have_value(typed)
    for each in (other, opened):
        each.close()


def test_app__hostile_texts__are_only_text(page: Page, url: str, market: AppMarket) -> None:
    titles = hostile_titles()
    for number, texts in enumerate(titles):
        market.sell_hostile(texts, number)
    search(page, url, "hostile-")
    expect(page.get_by_text(f"{len(titles)} data sets for sale")).to_be_visible()
    settle(page)
    for number, texts in enumerate(titles):
        heading = page.get_by_role("heading", name=f"hostile-{number:02}")
        assert _read(heading) == _seen(hostile_title(texts, number))
    assert markup(page) == []
    all_of_it = market.sell_hostile(HOSTILE, 99)
    # The app looks at the chain at most once a second, and a visitor may be faster.
    for _ in range(20):
        page.goto(f"{url}/dataset?dataset={all_of_it.ref}")
        settle(page)
        if page.get_by_role("heading", level=1).count():
            break
        page.wait_for_timeout(500)
    expect(page.get_by_role("heading", level=1)).to_contain_text("hostile-99")
    settle(page)
    description = _read(page.get_by_test_id("stText"))
    for text in HOSTILE:
        # Behind what begins a comment or the like, Markdown has no meaning any more.
        ways = [it.split("\n") for it in (plain(text), text)]
        assert any(all(_seen(line) in description for line in lines) for lines in ways), text
    assert markup(page) == []
    assert "owned" not in page.title()
    assert page.evaluate("globalThis.owned") is None


@pytest.mark.assure
def test_app__every_page__text_stands_out_in_both_themes(
    page: Page, url: str, market: AppMarket
) -> None:
    faint = {}
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for name, path in _places(market).items():
        page.goto(f"{url}/{path}")
        settle(page)
        page.evaluate("document.querySelectorAll('details').forEach(it => { it.open = true; })")
        for scheme in schemes:
            page.emulate_media(color_scheme=scheme)
            expect(page.get_by_test_id("stApp")).to_have_css("color-scheme", scheme)
            settle(page)
            for found in page.evaluate(CONTRAST.read_text()):
                faint[found] = f"{scheme} {name}: {found}"
    assert not faint, "\n".join(faint.values())


def test_app__on_a_phone__filters_are_folded_and_nothing_is_at_fault(
    page: Page, url: str, market: AppMarket
) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    for name, path in _places(market).items():
        page.goto(f"{url}/{path}")
        check(page, name)
    page.goto(url)
    settle(page)
    seller = page.get_by_label("Seller", exact=True)
    expect(seller).to_be_hidden()
    page.get_by_text("Filters", exact=True).click()
    expect(seller).to_be_visible()


def test_app__loaded_again__same_role_acts(page: Page, url: str, market: AppMarket) -> None:
    path = f"{url}/dataset?dataset={market.versions['iris'].ref}"
    page.goto(f"{path}&role=buyer2")
    expect(page.get_by_text(re.compile("buyer2 · 0x"))).to_be_visible()
    page.get_by_role("link", name="Network", exact=True).first.click()
    expect(page).to_have_url(f"{url}/network?role=buyer2")
    time = page.get_by_test_id("stMetricValue").nth(3)
    before = time.inner_text()
    market.net.warp(30)
    expect(time).not_to_have_text(before)  # without loading it again
    page.reload()
    expect(page.get_by_text(re.compile("buyer2 · 0x"))).to_be_visible()


def _places(market: AppMarket) -> dict[str, str]:
    ref = market.versions["reviews"].ref
    return {
        "market": "",
        "dataset": f"dataset?dataset={ref}",
        "my_data": "my_data",
        "sell": "sell",
        "network": "network",
    }


def test_app__inside_of_another_page__is_not_shown(page: Page, url: str) -> None:
    frames: list[str] = []
    page.on("framenavigated", lambda frame: frames.append(frame.url))
    page.set_content(f"<iframe src='{url}/market'></iframe>")
    while not frames:
        page.wait_for_timeout(100)
    assert frames == ["chrome-error://chromewebdata/"]


def _seen(text: str) -> str:
    return " ".join(clean(text[:200], 200).split())


def _read(locator: Locator) -> str:
    return " ".join(locator.first.inner_text().replace(JOINER, "").split())


def test_app__label_page__is_the_module_of_the_plain_one(page: Page, url: str) -> None:
    page.goto(f"{url}/label?bounty=987654")
    expect(page.get_by_role("heading", name="The bounty cannot be opened")).to_be_visible()
    link = page.get_by_role("link", name="On a page of its own")
    expect(link).to_have_attribute("href", re.compile(r"/label/987654$"))
