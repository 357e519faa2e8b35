# SPDX-License-Identifier: Apache-2.0
"""The app in a window of a real browser: waiting until it is drawn, and what must hold then."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.utils.browsers import PATIENCE_MS, faults


@contextmanager
def open_context(
    browser: Browser, width: int, height: int, **more: str
) -> Iterator[BrowserContext]:
    """Open what is like one device: what it has fetched of the app it need not fetch again."""
    context = browser.new_context(viewport={"width": width, "height": height}, **more)
    context.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    yield context
    context.close()


@contextmanager
def open_window(context: BrowserContext, url: str) -> Iterator[Page]:
    """Open a window that reaches the app and nothing else."""
    window = context.new_page()
    asked: list[str] = []
    window.on("request", lambda request: asked.append(request.url))
    window.on("dialog", lambda dialog: asked.append(f"a dialog: {dialog.message}"))
    yield window
    outside = [
        at
        for at in asked
        if not at.startswith((url, url.replace("http", "ws"), f"blob:{url}", "data:"))
    ]
    for opened in context.pages:
        opened.close()
    assert outside == []


def settle(page: Page) -> None:
    """Wait until the server has drawn everything."""
    app = page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
    expect(page.locator("[data-stale=true]")).to_have_count(0)


def check(page: Page, name: str) -> None:
    """Nothing is cut off, and axe-core finds no serious fault."""
    settle(page)
    assert page.viewport_size is not None
    wide = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
    assert wide <= page.viewport_size["width"], name
    check_faults(page, name)


def check_faults(page: Page, name: str = "") -> None:
    """axe-core finds no serious fault, also where parts are drawn again just now, and dimmed."""
    page.add_style_tag(content="[data-stale] {opacity: 1 !important; transition: none !important}")
    assert faults(page) == [], name


def button(page: Page, key: str) -> Locator:
    """Return the button whose key begins so."""
    return page.locator(f"[class*=st-key-{key}] button")


def markup(window: Page) -> list[str]:
    """Return the elements that only markup in somebody's text could bring onto a page."""
    kinds = "script, iframe, img, a[href^=http], a[href^='javascript'], a[href^=mailto], .katex"
    places = window.get_by_test_id("stMain").locator(kinds)
    return [str(place.evaluate("it => it.outerHTML")) for place in places.all()]
