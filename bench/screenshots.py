# SPDX-License-Identifier: Apache-2.0
"""Draws the app's pages on a seeded network, to be looked at: `python -m bench.screenshots`.

Writes build/screenshots/<page>-<look>.png for each page and look: light and dark on a desk, light
and dark on a phone. With `--readme`, those of the README are written to docs/images, too; with
`--net FOLDER` the seeded network there is used again, or made.
"""

import tempfile
from pathlib import Path
from typing import Any, Final

import click
from playwright.sync_api import BrowserContext, Page, sync_playwright

from bench.browsing import PATIENCE_MS, require_chromium
from tests.app.serving import serve
from tests.utils.browsers import ARGUMENTS
from truthmark.testing.network import Devnet
from truthmark.testing.seeding import Seeded

ROOT: Final = Path(__file__).resolve().parents[1]
BUILD: Final = ROOT / "build" / "screenshots"
IMAGES: Final = ROOT / "docs" / "images"
SETTLED: Final = (
    "() => document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'"
    " && !document.querySelector('[data-testid=stSkeleton], [data-stale=true]')"
)

DESK: Final[dict[str, Any]] = {"viewport": {"width": 1280, "height": 860}}
PHONE: Final[dict[str, Any]] = {
    **{"viewport": {"width": 390, "height": 800}, "is_mobile": True, "has_touch": True},
    "device_scale_factor": 2,
}
LOOKS: Final[dict[str, dict[str, Any]]] = {
    f"{place}-{theme}": {**shape, "color_scheme": theme}
    for place, shape in (("desk", DESK), ("phone", PHONE))
    for theme in ("light", "dark")
}
README: Final = {
    "market-desk-light": "market",
    "asked-desk-light": "asked",
    "label-desk-light": "label",
    "label-phone-dark": "label-phone",
}
"""What the README shows, and the name that it has there."""
TALL: Final = {"asked-desk-light": 1_180, "asked-desk-dark": 1_180}
"""Pages whose charts are below the first screen."""


@click.command()
@click.option("--net", "folder", type=click.Path(path_type=Path), help="Of a seeded network.")
@click.option("--readme", "for_readme", is_flag=True, help="Write docs/images, too.")
@click.option("--only", default="", help="Pages whose names begin so; several with commas.")
def main(folder: Path | None, for_readme: bool, only: str) -> None:
    """Draw the pages."""
    program = require_chromium()
    BUILD.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as temporary,
        sync_playwright() as playwright,
        Devnet.start(folder or Path(temporary) / "net", block_time=1) as net,
    ):
        seeded = net.seed()
        net.start_relay()
        browser = playwright.chromium.launch(executable_path=program, args=[*ARGUMENTS])
        for role, pages in pages_of(seeded).items():
            wanted = {
                name: path
                for name, path in pages.items()
                if name.startswith(tuple(only.split(",")))
            }
            if not wanted:
                continue
            with serve(net.home(role), Path(temporary) / f"{role}.log") as here:
                for look, shape in LOOKS.items():
                    context = browser.new_context(**shape)
                    for name, path in wanted.items():
                        draw(context, here + path, f"{name}-{look}")
                    context.close()
        browser.close()
    if for_readme:
        for shown, name in README.items():
            (IMAGES / f"{name}.png").write_bytes((BUILD / f"{shown}.png").read_bytes())


def pages_of(seeded: Seeded) -> dict[str, dict[str, str]]:
    """Return by role the pages that it looks at: name, and path with what it is about."""
    bounties = seeded.bounties
    return {
        "labeler": {
            "bounties": "/bounties",
            "bounty": f"/bounty?bounty={bounties['open']}",
            "scored": f"/bounty?bounty={bounties['scored']}",
            "label": f"/label/{bounties['open']}",
            "earnings": "/earnings",
        },
        "requester": {
            "asked": f"/asked?bounty={bounties['settled']}",
            "team": f"/asked?bounty={bounties['team']}",
            "new_bounty": "/new_bounty",
        },
        "buyer": {
            "market": "/",
            "dataset": f"/dataset?dataset={seeded.listings['kept']}",
            "sampled": f"/dataset?dataset={seeded.listings['sampled']}",
            "my_data": "/my_data",
            "network": "/network",
        },
        "custodian1": {"validators": "/validators"},
        "seller": {"sell": "/sell"},
    }


def draw(context: BrowserContext, url: str, name: str) -> None:
    """Write a picture of a page, once it has come to rest."""
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    if name in TALL:
        page.set_viewport_size({"width": DESK["viewport"]["width"], "height": TALL[name]})
    page.goto(url)
    if "/label/" in url:
        page.locator(".tm-stage[aria-busy=false] > *").first.wait_for()
    else:
        settle(page)
    page.screenshot(path=BUILD / f"{name}.png")  # what is read again just now is not yet faded
    page.close()
    click.echo(name)


def settle(page: Page) -> None:
    """Wait until the server has drawn everything, and pictures and charts are there."""
    page.get_by_test_id("stMain").wait_for()
    for _ in range(2):  # what is read in the background is drawn by a second run
        page.wait_for_function(SETTLED)
        page.wait_for_timeout(1_500)


if __name__ == "__main__":
    main()
