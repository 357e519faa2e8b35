# SPDX-License-Identifier: Apache-2.0
"""A real browser for tests, and what it finds wrong with a page."""

import shutil
from collections.abc import Iterator
from functools import cache

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.utils.node_js import node_command
from tools import web

PLACES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
SERIOUS = ("serious", "critical")
PATIENCE_MS = 120_000
"""against hangs alone; for every test that a worker runs, as `expect` has one for all"""


def find_chromium() -> str | None:
    """Return where Chromium is, if it is anywhere."""
    return next((found for name in PLACES if (found := shutil.which(name))), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Provide Chromium; skip where there is none."""
    program = find_chromium()
    if program is None:
        pytest.skip("there is no Chromium; install the package chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=[*ARGUMENTS])
        yield opened
        opened.close()


def faults(page: Page) -> list[str]:
    """Return what axe-core holds against a page as it stands, in earnest."""
    if not page.evaluate("'axe' in window"):
        # Not as a script of the page, which its policy would refuse.
        page.context.new_cdp_session(page).send("Runtime.evaluate", {"expression": _axe()})
    found = page.evaluate(
        "async () => (await axe.run(document, {resultTypes: ['violations']})).violations.flatMap("
        "({id, impact, nodes}) => nodes.map("
        "({html, failureSummary}) => [impact, `${id}: ${html} ${failureSummary}`]))"
    )
    return [text for impact, text in found if impact in SERIOUS]


@cache
def _axe() -> str:
    node_command()
    return (web.fetch_modules() / "axe-core" / "axe.min.js").read_text()
