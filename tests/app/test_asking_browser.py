# SPDX-License-Identifier: Apache-2.0
"""A requester's whole job by clicking: a folder, paid labels, and kills in each phase between."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.app.serving import serve
from tests.app.test_asking import draw
from tests.app.windows import button, check_faults, open_context, settle
from tests.utils.app_market import AppMarket
from tests.utils.browsers import browser
from tests.utils.label_page import ask_to_join
from tests.utils.waiting import wait_for
from truthmark.bounty.client import BountyClient
from truthmark.bounty.flows.run_lock import running_pid
from truthmark.bounty.payouts import Status
from truthmark.bounty.workspace import Workspace
from truthmark.testing.network import role_address

__all__ = ["browser"]

pytestmark = [pytest.mark.browser, pytest.mark.chain]

CONTRAST = Path(__file__).with_name("contrast.js")
PATIENCE = 120  # seconds, against hangs alone


@pytest.fixture
def window(browser: Browser, market: AppMarket, tmp_path: Path) -> Iterator[Page]:
    """Open the app of the requester's machine; what it leaves running is ended."""
    with (
        serve(market.net.home("requester"), tmp_path / "app.log") as url,
        open_context(browser, 1280, 900, base_url=url) as context,
    ):
        yield context.new_page()
    session = market.session("requester")
    for workspace in Workspace.all(session.home):
        pid = None if workspace.ref is None else running_pid(session, workspace.ref.bounty_id)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)


IS_LIGHT = """() => {
  const [picture] = document.querySelectorAll('.tm-stage[aria-busy=false] img');
  const canvas = Object.assign(document.createElement('canvas'), {width: 1, height: 1});
  const pen = canvas.getContext('2d');
  pen.drawImage(picture, 0, 0, 1, 1);
  return pen.getImageData(0, 0, 1, 1).data[0] > 128;
}"""


def answers(link: str) -> bool:
    try:
        return httpx.get(link).is_success
    except httpx.TransportError:
        return False


class Member:
    """One of a team, in a browser of their own, with the link that they were sent."""

    def __init__(self, browser: Browser, link: str, payee: str) -> None:
        self.context = browser.new_context(viewport={"width": 390, "height": 780})
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE * 1_000)
        wait_for(lambda: answers(link), "a relay that is started again", PATIENCE)
        self.page.goto(link)
        # The code counts once, so it does not stay where others could read it.
        expect(self.page.get_by_label("Invitation code")).to_have_value(link.rpartition("=")[2])
        assert "#" not in self.page.url
        ask_to_join(self.page, payee)
        expect(self.page.get_by_role("heading", name="You have joined")).to_be_visible()

    def label(self, count: int) -> None:
        """Answer so many pictures as somebody would who looks."""
        for _ in range(count):
            self.page.locator(".tm-stage[aria-busy=false] img").wait_for()
            place = self.page.locator(".tm-stage").get_attribute("aria-label")
            self.page.keyboard.press("1" if self.page.evaluate(IS_LIGHT) else "2")
            self.page.wait_for_function(
                "(place) => document.querySelector('.tm-stage').ariaLabel !== place", arg=place
            )

    def seal(self) -> None:
        self.page.get_by_role("button", name="Seal and send").click()

    def see_it_done(self) -> None:
        expect(self.page.get_by_role("heading", name="Done")).to_be_visible()
        self.context.close()


def kill(market: AppMarket, number: int) -> None:
    """Kill the process that runs a bounty; the app starts another one by itself."""
    session = market.session("requester")
    wait_for(lambda: running_pid(session, number), "a process", PATIENCE)
    pid = running_pid(session, number)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: running_pid(session, number) not in (None, pid), "another one", PATIENCE)


def fill(page: Page, name: str, text: str) -> None:
    page.get_by_role("textbox", name=name).fill(text)


def ask(page: Page, photos: Path) -> int:
    """Ask a team of three about a folder; returns the bounty's number."""
    page.goto("/new_bounty")
    button(page, "ask_begin").click()
    fill(page, "Path of a folder", str(photos))
    button(page, "ask_read").click()
    expect(page.get_by_text("12 items: pictures.")).to_be_visible()
    settle(page)
    button(page, "ask_next").click()
    fill(page, "Title", "Light or dark?")
    fill(page, "What may be answered", "light\ndark")
    fill(page, "What to answer when", "Is the picture rather light, or rather dark?")
    try_preview(page)
    button(page, "ask_next").click()
    fill(page, "Their names", "Ann\nBob\nCid")
    button(page, "ask_next").click()
    expect(page.get_by_text("To pay in")).to_be_visible()
    settle(page)
    button(page, "ask_next").click()
    button(page, "ask_review").click()
    expect(page.get_by_text("Pay", exact=False).last).to_be_visible()
    expect(page.get_by_text("This computer must be on at some time between")).to_be_visible()
    check_faults(page)
    button(page, "ask_fund").click()
    expect(page.get_by_text("It is paid in, as bounty")).to_be_visible()
    return int(page.url.rpartition("=")[2])


def try_preview(page: Page) -> None:
    """Label one's own items as labelers will, before anything is paid."""
    page.get_by_role("textbox", name="Title").focus()  # so that what was filled in is taken
    stage = page.get_by_role("region", name="picture 1 of 5")
    expect(stage.locator("img")).to_be_visible()
    expect(page.get_by_role("button", name="light", exact=True)).to_be_visible()
    check_faults(page)
    stage.focus()
    for number in range(2, 6):
        page.keyboard.press("1")
        expect(page.get_by_role("region", name=f"picture {number} of 5")).to_be_visible()
    page.keyboard.press("2")
    page.get_by_role("button", name="Seal and send").click()
    expect(page.get_by_text("labelers would have sealed 5 answers now")).to_be_visible()


def test_app__requester__asks_is_killed_in_each_phase_and_has_the_labels(
    browser: Browser, window: Page, market: AppMarket, tmp_path: Path
) -> None:
    number = ask(window, draw(tmp_path / "photos", 12))
    links = window.get_by_test_id("stCode").filter(has_text="#code=")
    expect(links).to_have_count(3)
    urls = [text.strip() for text in links.all_inner_texts()]
    expect(window.get_by_text("it serves labelers, signs, scores and pays out")).to_be_visible()
    settle(window)
    check_faults(window)
    kill(market, number)  # while people join
    roles = ("labeler", "stranger", "buyer2")
    team = [Member(browser, url, role_address(role)) for url, role in zip(urls, roles, strict=True)]
    board = BountyClient(market.session("requester")).board.functions

    def wait_until(status: Status) -> None:
        wait_for(lambda: board.state(number).call().status == status, status.name, PATIENCE)

    wait_until(Status.DRAWN)
    market.net.chain.rpc("anvil_mine", "0x4")
    wait_until(Status.LABEL)
    for member in team:
        member.label(6)
    kill(market, number)  # while they label
    for member in team:
        member.label(6)
        member.seal()
    for member in team:  # the relay posts all commits at once
        member.see_it_done()
    expect(window.get_by_text("Agreement (alpha)")).to_be_visible()
    kill(market, number)  # while labels are here, and not scored
    market.net.warp(7_200 + 900 + 1_201)
    wait_until(Status.SCORED)
    kill(market, number)  # while it may be disproved
    market.net.warp(21_601)
    # While the page is drawn again, what was there stands beside what comes.
    expect(
        window.get_by_text("everybody whose labels arrived is paid in full").first
    ).to_be_visible()
    expect(window.get_by_text("it serves labelers, signs, scores and pays out")).to_have_count(0)
    settle(window)
    check_faults(window)
    (folder,) = (w.folder for w in Workspace.all(market.net.home("requester")) if _is(w, number))
    assert sorted(Workspace(folder).people.values()) == ["Ann", "Bob", "Cid"]
    key = market.session("requester").signer.private_key.hex()
    assert key not in (folder / "run.log").read_text()

    window.emulate_media(color_scheme="dark")
    window.get_by_role("radio", name="Use them").click()
    settle(window)
    assert window.evaluate(CONTRAST.read_text()) == []  # what is chosen, too
    fill(window, "Or write all of it", str(tmp_path / "labels"))
    window.get_by_role("button", name="Write").click()
    expect(window.get_by_text("Written:")).to_be_visible()
    assert (tmp_path / "labels" / "result.json").is_file()
    assert (tmp_path / "labels" / "items.parquet").is_file()
    button(window, "asked_sell").click()
    expect(window.get_by_role("heading", name="1 · Your data")).to_be_visible()
    expect(window.get_by_role("textbox", name="or enter the path")).to_have_value(
        str(market.net.home("requester") / "results" / f"31337-{number}" / "pictures")
    )


def _is(workspace: Workspace, number: int) -> bool:
    return workspace.ref is not None and workspace.ref.bounty_id == number
