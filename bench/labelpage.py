# SPDX-License-Identifier: Apache-2.0
"""How long a labeler in a browser waits: `python -m bench.labelpage`.

500 pictures of 260 kB, encrypted, by a real relay on a local chain to the page in Chromium. From
the link to the first item of practice that can be answered, each time in a fresh browser without
anything kept; the worst of five. From a key to the second frame after it, in which the next picture
is seen, and to the answer on disk: of all 500, at five a second, which is faster than people are,
while the page still brings the others to this device.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from bench.report import Report
from tests.utils.browsers import ARGUMENTS, find_chromium
from tests.utils.label_bounty import Rounds, post
from truthmark.bounty.document import Document
from truthmark.bounty.items import Item, Media
from truthmark.bounty.secrets import RequesterSecrets
from truthmark.bounty.terms import Terms
from truthmark.testing.network import Devnet, role_address

ITEMS, BATCH = 500, 50
SIZE = 260_000
OPENINGS = 5
A_SECOND = 5
PATIENCE_MS = 120_000
FIRST_SECONDS = 3.0
NEXT_MS = 50.0
PAYEE = "0x" + "e1" * 20
ANSWERABLE = ".tm-stage[aria-busy=false] img"
WATCH = """() => {
  const times = globalThis.times = {seen: [], kept: []};
  let pressed = 0;
  addEventListener("keydown", (event) => { pressed = event.timeStamp; }, true);
  new MutationObserver(() => {
    const from = pressed;
    requestAnimationFrame(() => requestAnimationFrame((now) => times.seen.push(now - from)));
  }).observe(document.querySelector(".tm-stage"), {childList: true});
  const put = IDBObjectStore.prototype.put;
  IDBObjectStore.prototype.put = function (...given) {
    const from = pressed;
    this.transaction.addEventListener("complete", () => times.kept.push(performance.now() - from));
    return put.apply(this, given);
  };
}"""


def main() -> int:
    """Measure, write the table, and return 1 if a figure does not hold."""
    program = find_chromium()
    if program is None:
        print("error: there is no Chromium; install the package chromium", file=sys.stderr)
        return 2
    report = Report("labelpage")
    with tempfile.TemporaryDirectory() as folder, Devnet.start(Path(folder) / "net") as net:
        rounds = Rounds(net, role_address("requester"))
        try:
            number = post_pictures(net, rounds.server.url)
            link = f"{rounds.server.url}/label/{number}"
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=program, args=[*ARGUMENTS])
                measure(report, browser, link)
                browser.close()
        finally:
            rounds.close()
    report.write()
    return int(any(figure.holds is False for figure in report.figures))


def post_pictures(net: Devnet, url: str) -> int:
    """Ask a team of one for labels of pictures; return the bounty's number."""

    def terms_of(made: RequesterSecrets, document: Document) -> Terms:
        seats = ITEMS // BATCH
        return Terms(
            requester=role_address("requester"),
            token=net.profile.tokens[1].address,
            relay=role_address("relay"),
            receiver=made.receiver,
            document=document.hash,
            salt=made.terms_salt,
            key_x=made.key.x,
            key_y=made.key.y,
            items=ITEMS,
            classes=2,
            rounds=1,
            batch=BATCH,
            full=0,
            min_seats=seats,
            min_run=seats,
            max_run=seats,
            price=1_000,
            relay_fee=10,
            join_seconds=86_400,
            label_seconds=86_400,
            grace_seconds=600,
            release_seconds=600,
            score_seconds=3_600,
            challenge_seconds=3_600,
        )

    made = pictures()
    shown = next(made)
    number, _ = post(net, url, made, shown, terms_of, kind="image", title="Which one is it?")
    return number


def pictures() -> Iterator[Item]:
    """Yield one picture more than are labeled, each of the size."""
    draw = np.random.default_rng(1)
    for number in range(ITEMS + 1):
        # Soft spots under a grain, as a photo has; the grain sets how many bytes there are.
        small = draw.integers(0, 255, (12, 16, 3), np.uint8)
        large = np.asarray(Image.fromarray(small).resize((1_200, 900)), np.int16)
        grained = np.clip(large + draw.normal(0, 9, large.shape), 0, 255).astype(np.uint8)
        buffer = BytesIO()
        Image.fromarray(grained).save(buffer, "JPEG", quality=72, comment=str(number).encode())
        data = buffer.getvalue()
        # What stands behind the end of a JPEG is not drawn.
        yield Item(Media.JPEG, data + bytes(max(0, SIZE - len(data))))


def measure(report: Report, browser: Browser, link: str) -> None:
    """Open the page, label everything, and add the figures."""
    opened = []
    for _ in range(OPENINGS):
        page = browser.new_context().new_page()
        page.set_default_timeout(PATIENCE_MS)
        begun = time.perf_counter()
        page.goto(link, wait_until="commit")
        page.wait_for_selector(ANSWERABLE)
        opened.append(time.perf_counter() - begun)
        page.context.close()
    report.add("from the link to the first item", max(opened), "s", at_most=FIRST_SECONDS)
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(link)
    join(page)
    page.evaluate(WATCH)
    for number in range(ITEMS):
        begun = time.perf_counter()
        page.wait_for_selector(ANSWERABLE)  # a key for what is not seen yet answers nothing
        page.keyboard.press(str(1 + number % 2))
        page.wait_for_timeout(max(0.0, 1_000 * (1 / A_SECOND - (time.perf_counter() - begun))))
    page.wait_for_selector(f"text=All {ITEMS} are answered")
    times = page.evaluate("globalThis.times")
    # The last answer is followed by a question, and not by an item.
    seen = times["seen"][: ITEMS - 1]
    name = f"key to next item, of {ITEMS} of {SIZE // 1_000} kB"
    report.add(f"{name}: median", float(np.median(seen)), "ms")
    report.add(f"{name}: 95 %", float(np.quantile(seen, 0.95)), "ms", at_most=NEXT_MS)
    report.add("key to answer on disk: 95 %", float(np.quantile(times["kept"], 0.95)), "ms")
    report.add("answers on disk", len(times["kept"]), "answers", at_least=ITEMS)


def join(page: Page) -> None:
    """Go from the first item of practice to the first that counts."""
    page.wait_for_selector(ANSWERABLE)
    page.get_by_role("button", name="Stop practicing").click()
    page.get_by_label("Where you want to be paid").fill(PAYEE)
    with page.expect_download():
        page.get_by_role("button", name="Save the recovery file").click()
    page.get_by_role("button", name="Join", exact=True).click()
    page.wait_for_selector(".tm-chain + .tm-work")
    page.wait_for_selector(ANSWERABLE)


if __name__ == "__main__":
    sys.exit(main())
