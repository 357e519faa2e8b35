# SPDX-License-Identifier: Apache-2.0
"""The label page in a real browser, with a core of the test's instead of a relay and a chain."""

import base64
import io
import json
import re
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from tests.utils.browsers import PATIENCE_MS, browser, faults
from tests.utils.injections import HOSTILE
from tests.utils.label_page import ask_to_join
from tests.utils.node_js import ROOT, TESTS
from truthmark.text import clean

__all__ = ["browser"]

pytestmark = pytest.mark.browser

WEB = ROOT / "truthmark" / "web"
HERE = "http://localhost"
UNSAFE = "http://label.example"
PAYEE = "0x" + "ab" * 20
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Label</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/src/label/label.css"></head>
<body><main id="label"></main></body></html>"""
OPEN = """async (id) => {
  const core = await import("/fake_core.js"), {App} = await import("/src/label/app.js");
  globalThis.app = new App(document.getElementById("label"), {core, base: location.origin,
    bountyId: id, code: globalThis.scene.code});
  void globalThis.app.start();
}"""
# A score that lies about an answer of each class, and a wallet whose name would act.
SCORED = """([classes, name]) => {
  const line = (own) => ({gold: own, item: own, seat: 0, index: own, answer: own, own,
    said: (own + 1) % classes, outcome: "wrong", isDisputed: true});
  const lines = Array.from({length: classes + 1}, (_, own) => line(own));
  scene.fee = 420_000_000_000_000n;
  scene.standing = {
    phase: "challenge", end: "settled", until: 9_000, now: 1_000, worker: 0, seats: 2, score: "0x5",
    oneSource: true, pay: {price: 7, bond: 0, withheld: 3},
    judgement: {posted: 700_000, computed: 700_000, mark: 0, half: name, lines},
    lies: lines.map(({gold, said, own}) =>
      ({kind: "answer", opens: "answer", worker: 0, gold, round: 0, claimed: said, truth: own})),
  };
  const info = {uuid: "hostile", name, icon: ""}, provider = {request: async () => null};
  addEventListener("eip6963:requestProvider", () => dispatchEvent(
    new CustomEvent("eip6963:announceProvider", {detail: {info, provider}})));
  dispatchEvent(new Event("online"));
}"""
Open = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Return a function that opens the page in a context of its own, with a scene."""
    contexts = []

    def serve(route: Route) -> None:
        path = re.sub(r"^https?://[^/]+|[?#].*$", "", route.request.url)
        if not route.request.url.startswith((HERE, UNSAFE)):
            route.abort()
        elif path.startswith("/src/"):
            route.fulfill(path=WEB / path.lstrip("/"))
        elif path == "/fake_core.js":
            route.fulfill(path=TESTS / "fake_core.js")
        else:
            route.fulfill(body=PAGE, content_type="text/html")

    def open_one(
        scene: dict[str, Any] | None = None, *, before: str = "", here: str = HERE, **more: Any
    ) -> Page:
        context = browser.new_context(**more)
        contexts.append(context)
        context.route("**/*", serve)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{here}/label/7")
        page.evaluate(f"() => {{ globalThis.scene = {json.dumps(scene or {})}; {before} }}")
        page.evaluate(OPEN, 7)
        return page

    expect.set_options(timeout=PATIENCE_MS)
    yield open_one
    for context in contexts:
        context.close()


def practice(page: Page) -> None:
    for _ in range(2):
        item(page)
        page.keyboard.press("1")
        page.get_by_role("button", name="Next").click()


def item(page: Page) -> None:
    """Wait until an item can be answered."""
    expect(
        page.locator(".tm-stage[aria-busy=false] .tm-text, .tm-stage .tm-pair")
    ).not_to_have_count(0)


def join(page: Page) -> None:
    ask_to_join(page, PAYEE)


def test_label_page__strings_that_would_act__are_only_text(open_page: Open) -> None:
    asked: list[str] = []
    page = open_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: asked.append(f"a dialog: {dialog.message}"))
    flat = [text.replace("\n", " ") for text in HOSTILE]
    everything = "\n\n".join(HOSTILE)
    number = 100
    for text in [*flat, "\n".join(flat)]:
        scene = {
            "words": text,
            "explanation": text,
            "symbol": text,
            "classes": ["cat", *(flat if "\n" in text else [text])],
            "says": text,
            "document": {
                "title": text.replace("\n", " "),
                "guidelines": f"{text}\n\n{everything}",
                "licence": text,
                "flags": [text],
            },
        }
        page.evaluate("(given) => { globalThis.app.close(); globalThis.scene = given; }", scene)
        page.evaluate(OPEN, (number := number + 1))
        item(page)
        page.keyboard.press("2" if "\n" not in text else "1")
        expect(page.locator(".tm-verdict")).to_be_visible()
        title = page.locator("h1").evaluate("(heading) => heading.textContent")
        assert title == clean(text.replace("\n", " "), 200)
        _require_harmless(page)
        page.get_by_role("button", name="Stop practicing").click()
        expect(page.get_by_role("heading", name="Join")).to_be_visible()
        _require_harmless(page)
    join(page)
    item(page)
    page.keyboard.press("f")
    page.get_by_label("Your note").fill(everything)
    page.get_by_role("button", name="Save the note").click()
    for _ in range(4):
        item(page)
        page.keyboard.press("1")
    page.get_by_role("button", name="Seal and send").click()
    expect(page.get_by_role("heading", name="Done")).to_be_visible()
    _require_harmless(page)
    flags = page.evaluate("globalThis.scene.given.notes.flags")
    assert flags == {"0": everything[:500].strip()}
    page.evaluate(SCORED, [len(flat), everything])
    expect(page.get_by_role("heading", name="This score is wrong")).to_be_visible()
    expect(page.locator(".tm-lines tbody tr")).to_have_count(len(flat) + 1)
    expect(page.get_by_role("button", name="Disprove it with")).to_be_visible()
    expect(page.get_by_role("region", name="Disprove it")).to_contain_text("0.00042 ETH")
    _require_harmless(page)
    assert faults(page) == []
    outside = [url for url in asked if not url.startswith((HERE, "blob:"))]
    assert outside == []


def _require_harmless(page: Page) -> None:
    """Everything on the page is the page's own; links lead to where they say, and nothing ran."""
    found = page.evaluate(
        """() => {
          const root = document.getElementById("label");
          const bad = [...root.querySelectorAll("script,iframe,object,embed,style,link,meta,base,"
            + "math,form:not(.tm-join),video,marquee,template,svg:not(.tm-icon),use,animate,img")];
          const acts = ({name, value}) => name.startsWith("on")
            || /^\\s*(javascript|data|vbscript):/i.test(value);
          const leads = (link) => /^https?:$/.test(link.protocol) && /noopener/.test(link.rel);
          for (const each of root.querySelectorAll("*")) {
            if ([...each.attributes].some(acts) || (each.href && !leads(each))) bad.push(each);
          }
          const isLong = document.title.length > 200;
          return [globalThis.owned, isLong, ...bad.map((each) => each.outerHTML)];
        }"""
    )
    assert found == [None, False]


def test_label_page__what_can_go_wrong__is_said_with_what_to_do(open_page: Open) -> None:
    """One line each; and no answer is lost."""
    unsafe = open_page(here=UNSAFE).get_by_role("alert")
    expect(unsafe).to_contain_text("ask for a link that begins with https")
    for status, said in (
        ({"status": 3}, "takes no more labelers"),
        ({"relay": {"is_full": True, "taken": 2}}, "All places are taken"),
    ):
        page = open_page({"status": status})
        practice(page)
        expect(page.get_by_text(said)).to_be_visible()
        expect(page.get_by_role("button", name="Join", exact=True)).to_have_count(0)
        page.context.close()

    refusing = (
        "IDBFactory.prototype.open = () => { throw new DOMException('no', 'SecurityError'); };"
    )
    page = open_page(before=refusing)
    practice(page)  # goes on without
    expect(page.get_by_text("does not let the page keep anything")).to_be_visible()

    page = open_page(
        {"status": {"relay": {"is_full": False, "is_invited_only": True, "taken": 0}},
         "refusal": "the code was used before, by another key; ask for a new one"}
    )  # fmt: skip
    practice(page)
    alert = page.locator(".tm-join .tm-field-said")
    page.get_by_role("button", name="Join", exact=True).click()
    page.get_by_label("Where you want to be paid").fill(PAYEE)
    page.get_by_role("button", name="Join", exact=True).click()
    expect(alert).to_contain_text("paste the code")
    page.get_by_label("Invitation code").fill("code-of-ann")
    page.get_by_role("button", name="Join", exact=True).click()
    expect(alert).to_contain_text("Save the recovery file first")
    join(page)
    expect(alert).to_have_text("The code was used before, by another key; ask for a new one.")
    page.context.close()

    page = open_page()
    practice(page)
    join(page)
    item(page)
    page.keyboard.press("1")
    expect(page.get_by_text("1 of 4 answered")).to_be_visible()
    page.evaluate(
        "() => { globalThis.put = IDBObjectStore.prototype.put; IDBObjectStore.prototype.put ="
        " () => { throw new DOMException('full', 'QuotaExceededError'); }; }"
    )
    item(page)
    page.keyboard.press("2")
    expect(page.locator(".tm-problem")).to_contain_text("no space left on this device")
    expect(page.locator(".tm-stage")).to_have_attribute("aria-label", "text 2 of 4")
    expect(page.get_by_text("1 of 4 answered")).to_be_visible()
    page.evaluate("() => { IDBObjectStore.prototype.put = globalThis.put; }")
    page.keyboard.press("2")
    expect(page.get_by_text("2 of 4 answered")).to_be_visible()
    expect(page.locator(".tm-problem")).to_be_hidden()

    # Another tab of the same browser answers only once it has taken over.
    other = page.context.new_page()
    other.goto(f"{HERE}/label/7")
    other.evaluate("() => { globalThis.scene = {}; }")
    other.evaluate(f"() => {{ ({OPEN})(7); }}")
    other.get_by_role("button", name="Go on here").click()
    expect(page.get_by_text("Going on in another tab")).to_be_visible()
    expect(other.get_by_text("2 of 4 answered")).to_be_visible()


@pytest.mark.parametrize("size", [(1_280, 800), (390, 780)])
def test_label_page__picture_of_any_shape__is_seen_whole(
    open_page: Open, size: tuple[int, int]
) -> None:
    for shape in ((30, 120), (24, 24), (300, 20)):
        data = io.BytesIO()
        Image.new("RGB", shape, "teal").save(data, "PNG")
        scene = {"pairs": True, "picture": base64.b64encode(data.getvalue()).decode()}
        page = open_page(scene, viewport={"width": size[0], "height": size[1]})
        practice(page)
        join(page)
        for count in (1, 2):  # alone, and in a pair
            expect(page.locator(".tm-stage img")).to_have_count(count)
            stage = page.locator(".tm-stage").bounding_box()
            assert stage is not None
            for picture in page.locator(".tm-stage img").all():
                box = picture.bounding_box()
                assert box is not None
                assert box["y"] >= stage["y"] and box["height"] > 50
                assert box["y"] + box["height"] <= stage["y"] + stage["height"] + 1
            page.keyboard.press("1")


def test_label_page__keys_pairs_and_many_classes__answer_what_is_seen(open_page: Open) -> None:
    page = open_page({"pairs": True, "document": {"kind": "pair"},
                      "classes": ["the first", "the second", "alike"]})  # fmt: skip
    heard = "(event) => (globalThis.heard ??= []).push(event.key)"
    page.evaluate(f"() => document.addEventListener('keydown', {heard})")
    practice(page)
    join(page)
    item(page)
    # The second pair is shown the other way round: what is seen first is answered by 1.
    seen = []
    for key in "1132":
        item(page)
        seen.append(page.locator(".tm-half .tm-text").first.inner_text())
        page.keyboard.down(key)
        page.keyboard.down(key)  # held: it answers once
        page.keyboard.up(key)
    assert seen == ["first 0", "second 1", "first 2", "second 3"]
    expect(page.get_by_role("heading", name="All 4 are answered")).to_be_visible()
    page.keyboard.press("Backspace")
    item(page)
    expect(page.get_by_text("3 of 4 answered")).to_be_visible()
    page.keyboard.press("k")
    page.get_by_role("button", name="the first").last.click()
    page.keyboard.press("q")
    page.get_by_role("button", name="Use these keys").click()
    page.keyboard.press("q")
    expect(page.get_by_role("heading", name="All 4 are answered")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Done")).to_be_visible()
    given = page.evaluate("globalThis.scene.given.answers")
    assert given == {"0": 0, "1": 1, "2": 2, "3": 1}
    assert page.evaluate("globalThis.heard ?? []") == []
    page.context.close()

    names = [f"tree {number:02}" for number in range(40)]
    page = open_page({"classes": names}, color_scheme="dark")
    practice(page)
    join(page)
    for typed in ("tree 17", "31", "tree 05"):
        item(page)
        page.keyboard.press("/")
        page.keyboard.type(typed)
        assert faults(page) == []
        page.keyboard.press("Enter")
        page.keyboard.press("Escape")
    item(page)
    page.get_by_role("option", name="tree 39").click()
    page.get_by_role("button", name="Seal and send").click()
    expect(page.get_by_role("heading", name="Done")).to_be_visible()
    assert page.evaluate("globalThis.scene.given.answers") == {"0": 17, "1": 31, "2": 5, "3": 39}


def test_label_page__relay_chain_or_store_away__says_so_and_goes_on_by_itself(
    open_page: Open,
) -> None:
    page = open_page({"away": "relay"})
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The relay does not answer; trying again.")
    _away(page, "chain")
    practice(page)
    expect(alert.first).to_contain_text("The chain does not answer; trying again.")
    expect(page.get_by_role("button", name="Join", exact=True)).to_have_count(0)
    _away(page, "")
    expect(alert.first).to_be_hidden()
    page.evaluate("globalThis.scene.away = 'store'")
    page.get_by_role("button", name="Practice again").click()
    expect(alert.last).to_contain_text("The store does not answer; trying again.")
    _away(page, "")
    item(page)
    page.get_by_role("button", name="Stop practicing").click()
    join(page)
    item(page)
    page.evaluate("globalThis.scene.away = 'store'")  # what is near is here by now
    for number in range(1, 5):
        page.keyboard.press("1")
        expect(page.get_by_text(f"{number} of 4 answered")).to_be_visible()
    page.get_by_role("button", name="Seal and send").click()
    expect(page.get_by_role("heading", name="Done")).to_be_visible()


def _away(page: Page, who: str) -> None:
    """Let nobody answer but the others, and the page notice that there is a network."""
    page.evaluate(
        "(who) => { globalThis.scene.away = who; dispatchEvent(new Event('online')); }", who
    )


def test_label_page__sounds__play_by_space_and_broken_ones_are_said(open_page: Open) -> None:
    data = io.BytesIO()
    with wave.open(data, "wb") as made:
        made.setparams((1, 1, 8_000, 0, "NONE", ""))
        made.writeframes(bytes([128]) * 80_000)
    sounds = [base64.b64encode(bytes_).decode() for bytes_ in (data.getvalue(), b"no sound")]
    page = open_page({"sounds": sounds, "document": {"kind": "audio"}})
    practice(page)
    join(page)
    sound = page.locator(".tm-stage[aria-busy=false] audio")
    expect(sound).to_have_attribute("aria-label", "sound 1 of 4: the sound to be labeled")
    assert faults(page) == []
    for is_paused in (False, True, False):
        page.keyboard.press("Space")
        expect(sound).to_have_js_property("paused", is_paused)
    page.keyboard.press("1")
    expect(page.get_by_text("This sound cannot be played: flag it")).to_be_visible()
    page.keyboard.press("Space")  # nothing to play
    page.keyboard.press("s")
    expect(page.get_by_text("2 of 4 answered · 1 skipped")).to_be_visible()
    expect(sound).to_have_js_property("paused", True)


def test_label_page__zoom_and_guidelines__come_and_go_by_key_and_click(open_page: Open) -> None:
    data = io.BytesIO()
    Image.effect_noise((1_200, 900), 60).save(data, "PNG")
    scene = {"picture": base64.b64encode(data.getvalue()).decode(), "document": {"kind": "image"}}
    page = open_page(scene, viewport={"width": 390, "height": 780})
    practice(page)
    join(page)
    stage = page.locator(".tm-stage[aria-busy=false]")
    picture = stage.locator("img")
    expect(picture).to_be_visible()
    larger = re.compile("tm-zoomed")
    page.keyboard.press("z")
    expect(stage).to_have_class(larger)
    assert faults(page) == []
    for key, side, sign in (
        *(("ArrowRight", "scrollLeft", 1), ("ArrowLeft", "scrollLeft", -1)),
        *(("ArrowDown", "scrollTop", 1), ("ArrowUp", "scrollTop", -1)),
    ):
        before = stage.evaluate("(it, side) => it[side]", side)
        page.keyboard.press(key)
        page.wait_for_function(
            "([side, before, sign]) => sign * document.querySelector('.tm-stage')[side]"
            " > sign * before",
            arg=[side, before, sign],
        )
    expect(stage).to_have_attribute("aria-label", "picture 1 of 4")
    page.keyboard.press("Escape")
    expect(stage).not_to_have_class(larger)
    picture.click()
    expect(stage).to_have_class(larger)
    picture.click()
    expect(stage).not_to_have_class(larger)
    page.keyboard.press("ArrowRight")
    expect(stage).to_have_attribute("aria-label", "picture 2 of 4")

    guide = page.get_by_role("complementary", name="Guidelines")
    expect(guide).to_be_hidden()
    page.keyboard.press("g")
    expect(guide).to_contain_text("Say who it is.")
    expect(guide.get_by_role("button")).to_be_focused()
    assert faults(page) == []
    page.keyboard.press("Escape")
    expect(guide).to_be_hidden()
    page.set_viewport_size({"width": 1_280, "height": 800})
    for is_shown in (True, False):
        page.keyboard.press("g")
        expect(guide).to_be_visible(visible=is_shown)
    page.keyboard.press("1")
    expect(page.get_by_text("1 of 4 answered")).to_be_visible()


WAITS = """scene.start = new Promise((begin) => { globalThis.begin = begin; });
    const make = AudioContext.prototype.createOscillator; globalThis.tones = 0;
    AudioContext.prototype.createOscillator = function () { tones += 1; return make.call(this); };
    globalThis.shown = [];"""
SHOWS = """globalThis.Notification = class extends Notification {
    constructor(title, options) { super(title, options); if (title) shown.push(title); } };"""
# As on phones, which show none without a service worker.
THROWS = """globalThis.Notification = class extends Notification {
    constructor() { super(...[]); } };"""


@pytest.mark.parametrize("shows", [True, False])
def test_label_page__start_while_practicing__is_told_by_sound_and_notice(
    open_page: Open, shows: bool
) -> None:
    page = open_page(before=WAITS + (SHOWS if shows else THROWS), permissions=["notifications"])
    practice(page)
    join(page)
    expect(page.get_by_role("heading", name="You have joined")).to_be_visible()
    page.get_by_label("Tell me when it starts").check()
    refused = page.get_by_text("The browser shows no notices here; there will be a sound.")
    expect(refused).to_be_visible(visible=not shows)
    page.get_by_role("button", name="Practice meanwhile").click()
    item(page)
    page.keyboard.press("1")
    expect(page.locator(".tm-verdict")).to_be_visible()
    page.evaluate("globalThis.begin()")
    expect(page.get_by_role("alert")).to_contain_text("From now on, answers count.")
    page.keyboard.press("1")  # of somebody who did not look up: it answers nothing
    assert page.evaluate("[tones, shown]") == [2, ["Labeling has started"] if shows else []]
    page.get_by_role("button", name="Begin").click()
    item(page)
    expect(page.get_by_text("0 of 4 answered")).to_be_visible()


def test_label_page__recovery_file__goes_on_in_another_browser(
    open_page: Open, tmp_path: Path
) -> None:
    page = open_page(before=WAITS)
    practice(page)
    join(page)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save the recovery file again").click()
    device = json.loads(saved.value.path().read_text())["entries"]["device"]
    (tmp_path / "other.json").write_text("{}")

    other = open_page()
    practice(other)
    other.get_by_text("I have joined before, elsewhere").click()
    chooser = other.get_by_label("Open the recovery file that you saved then")
    chooser.set_input_files(tmp_path / "other.json")
    expect(other.get_by_text("This is no recovery file of this bounty")).to_be_visible()
    chooser.set_input_files(saved.value.path())
    item(other)
    expect(other.get_by_text("0 of 4 answered")).to_be_visible()
    kept = other.evaluate("app._store.get('device')")
    assert kept == device
