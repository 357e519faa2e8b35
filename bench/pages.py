# SPDX-License-Identifier: Apache-2.0
"""Clicks through the app in a real browser: `python -m bench.pages [--bounties 1000]`.

A seeded network, on which a stranger has posted a thousand bounties more, each with a title of its
own. For each page a session goes there and back nine times, after one time that does not count:
from the click until the page's heading is there, the server has drawn everything and nothing is
left of the page before. Given is the median. The whole stack is in it: Chromium, Streamlit, index,
chain.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page, sync_playwright

from bench.browsing import PATIENCE_MS, require_chromium
from bench.report import Report
from bench.screenshots import DESK, SETTLED, settle
from tests.app.serving import serve
from tests.utils.bounties import make_document
from tests.utils.browsers import ARGUMENTS
from tests.utils.posting import post_team
from truthmark.session import Session
from truthmark.testing.network import Devnet
from truthmark.testing.seeding import Seeded

TURNS: Final = 9
SECONDS: Final = 1.0

_CLICK: Final = """
([selector, heading]) => new Promise((done) => {
  const app = document.querySelector('[data-testid=stApp]');
  const isThere = () => app.dataset.testScriptState === 'notRunning'
    && document.querySelector('h1')?.innerText.trim() === heading
    && !document.querySelector('[data-testid=stSkeleton], [data-stale=true]');
  const began = performance.now();
  const look = () => isThere() ? done(performance.now() - began) : requestAnimationFrame(look);
  document.querySelector(selector).click();
  requestAnimationFrame(look);
})
"""


@dataclass(frozen=True, slots=True)
class Click:
    """One click that is measured.

    Attributes:
        role: Whose account the server acts with.
        page: Name of what it leads to.
        start: Path of the page on which it is done.
        link: Selector of what is clicked.
        heading: Of the page that it leads to.
        back: Selector of what one returns by, where the browser's way back leads further.
    """

    role: str
    page: str
    start: str
    link: str
    heading: str
    back: str = ""


def main(arguments: list[str] | None = None) -> int:
    """Measure and write the table; return 1 if a figure does not hold."""
    parser = argparse.ArgumentParser(prog="bench.pages", description=__doc__.splitlines()[0])
    parser.add_argument("--bounties", type=int, default=1_000, help="how many are posted")
    count = parser.parse_args(arguments).bounties
    program = require_chromium()
    report = Report("pages")
    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as playwright,
        Devnet.start(Path(folder) / "net", block_time=1) as net,
    ):
        seeded = net.seed()
        net.start_relay()
        with net.session("stranger") as stranger:
            post(stranger, count)
        browser = playwright.chromium.launch(executable_path=program, args=[*ARGUMENTS])
        found: dict[str, float] = {}
        for role in dict.fromkeys(click.role for click in clicks(seeded)):
            with open_app(browser, net, role) as page:
                for click in clicks(seeded):
                    if click.role == role:
                        found[click.page] = measure(page, click)
                        print(f"{click.page}: {found[click.page]:.3f} s", flush=True)
        browser.close()
    for name, seconds in found.items():
        report.add(f"{name}, {count:,} bounties", seconds, "s", at_most=SECONDS)
    return report.write()


def clicks(seeded: Seeded) -> Iterator[Click]:
    """Yield a click to each page: by the menu, or where the page before has a link to it."""
    bounties, kept = seeded.bounties, seeded.listings["kept"]
    menu = {
        "buyer": ("Market", "My data", "Network"),
        "seller": ("Sell",),
        "labeler": ("Bounties", "Earnings"),
        "requester": ("New bounty", "Asked"),
        "custodian1": ("Validators",),
    }
    for role, names in menu.items():
        for name in names:
            start = "/sell" if name == "Network" else "/network"
            yield Click(role, name, start, f"a[href$='/{_path(name)}']", name)
    dataset = f"a[href*='dataset={kept.replace('@', '%40')}']"
    yield Click("buyer", "a data set", "/", dataset, "Opinions about a hotel")
    scored = f"a[href*='bounty={bounties['scored']}']"
    yield Click("labeler", "a bounty", "/earnings", scored, "Opinions that are scored")
    settled = f".st-key-asked_look_{bounties['settled']} button"
    # The page only changes its address there, and draws itself again.
    yield Click(
        *("requester", "a bounty that was asked", "/asked", settled, "Handwritten digits"),
        back=".st-key-asked_all button",
    )


def _path(name: str) -> str:
    return "" if name == "Market" else name.lower().replace(" ", "_")


def post(session: Session, count: int) -> None:
    """Post bounties for teams, which nobody is invited to."""
    for number in range(count):
        post_team(session, replace(make_document(), title=f"Pictures of street {number}"))


@contextmanager
def open_app(browser: Browser, net: Devnet, role: str) -> Iterator[Page]:
    """Serve the app to a role, and open a window."""
    with serve(net.home(role), net.folder / f"{role}.log") as here:
        context = browser.new_context(base_url=here, **DESK)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        yield page
        context.close()


def measure(page: Page, click: Click) -> float:
    """Return the median of what a click took, seconds."""
    page.goto(click.start)
    settle(page)
    page.locator(click.link).first.wait_for()
    taken = []
    for _ in range(TURNS + 1):
        taken.append(float(page.evaluate(_CLICK, [click.link, click.heading])) / 1000)
        if click.back:
            page.locator(click.back).first.click()
        else:
            page.go_back()
        page.locator("h1", has_text=click.heading).wait_for(state="hidden")
        page.locator(click.link).first.wait_for()
        page.wait_for_function(SETTLED)
    return statistics.median(taken[1:])


if __name__ == "__main__":
    sys.exit(main())
