# SPDX-License-Identifier: Apache-2.0
"""Three people label a bounty in browsers: a real relay, a real chain, each in their own way."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.utils.browsers import PATIENCE_MS, browser, faults
from tests.utils.devnets import net
from tests.utils.label_bounty import Posted, Rounds, post, rounds, serve_pages
from tests.utils.label_page import ask_to_join
from tests.utils.relays import team_terms
from tests.utils.waiting import wait_for
from tests.utils.wallets import NAME, add_wallet, bend, prompts
from truthmark.bounty.client import BountyClient
from truthmark.bounty.document import Document
from truthmark.bounty.flows.sending import read_proof
from truthmark.bounty.gates import deploy_allow_list
from truthmark.bounty.items import Item
from truthmark.bounty.label_file import open_notes
from truthmark.bounty.payouts import Status
from truthmark.bounty.relay_client import RelayClient
from truthmark.bounty.sealing import open_with_key
from truthmark.bounty.secrets import RequesterSecrets, find_secrets
from truthmark.bounty.terms import Terms
from truthmark.node.relay.server import AppServer
from truthmark.testing.network import Devnet

__all__ = ["browser", "net", "rounds"]

pytestmark = [pytest.mark.browser, pytest.mark.chain]

PAYEES = ["0x" + f"e{n}" * 20 for n in range(3)]
DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 780},
    "color_scheme": "dark",
    "has_touch": True,
    "is_mobile": True,
    "reduced_motion": "reduce",
}
NAMES = ("cat", "dog")
ITEMS = 24


@pytest.fixture(scope="module")
def other_server(net: Devnet, rounds: Rounds) -> Iterator[AppServer]:
    """Serve the page on a network that names two watch nodes, of which one is the bounty's own."""
    with serve_pages(net, rounds.server.url, rounds.watch_url) as server:
        yield server


# That a draft is on disk; the page waits a moment for more of it.
KEPT = """(text) => new Promise((resolve) => {
  indexedDB.open('truthmark-label').onsuccess = ({target: {result}}) => {
    const values = result.transaction('values').objectStore('values').getAll();
    values.onsuccess = () => {
      result.close();
      resolve(values.result.some(({draft}) => draft?.text === text));
    };
  };
})"""
# Phones show notices by a service worker alone.
NO_NOTICES = """globalThis.Notification = class extends Notification {
    constructor() { super(...[]); } };"""


class Person:
    """Somebody with a link."""

    def __init__(
        self, browser: Browser, link: str, payee: str, *, away: str = "", **looks: Any
    ) -> None:
        self.link, self.payee = link, payee
        self.context: BrowserContext = browser.new_context(**looks)
        self.asked: list[str] = []
        self.context.on("request", lambda request: self.asked.append(request.url))
        if away:
            self.lose(away)
        self.codes: dict[int, int] = {}
        self.page = self.open()

    def open(self) -> Page:
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.goto(self.link)
        return self.page

    def lose(self, away: str) -> None:
        """Reach nobody at addresses of this kind."""
        self.context.route(away, lambda route: route.abort())

    def practice(self, key: str, said: str) -> None:
        """Answer the one item of practice."""
        self.see()
        assert faults(self.page) == []
        self.page.keyboard.press(key)
        expect(self.page.locator(".tm-verdict")).to_contain_text(said)
        expect(self.page.locator(".tm-verdict")).to_contain_text("Only cats do.")
        assert faults(self.page) == []
        self.page.keyboard.press("Enter")

    def join(self) -> None:
        page = self.page
        assert faults(page) == []
        assert "privateKey" in ask_to_join(page, self.payee)
        expect(page.get_by_role("heading", name="You have joined")).to_be_visible()

    def see(self) -> tuple[str, str]:
        """Wait for an item, and return which of how many it is, and its text."""
        text = self.page.locator(".tm-stage[aria-busy=false] .tm-text")
        shown = text.text_content() or ""
        return self.page.locator(".tm-stage").get_attribute("aria-label") or "", shown

    def label(self, count: int, *, taps: bool = False) -> None:
        """Answer so many items by what they say."""
        for _ in range(count):
            place, text = self.see()
            code = int("barks" in text)
            self.codes[int(text.split()[1].rstrip(":"))] = code
            if taps:
                self.page.get_by_role("button", name=NAMES[code], exact=True).tap()
            else:
                self.page.keyboard.press(str(code + 1))
            self.page.wait_for_function(
                "(place) => document.querySelector('.tm-stage').ariaLabel !== place", arg=place
            )


def test_label_page__account_that_a_gate_admits__writes_texts_and_signs_twice(
    browser: Browser, net: Devnet, rounds: Rounds
) -> None:
    expect.set_options(timeout=PATIENCE_MS)
    labeler, other = net.session("labeler").address, net.session("stranger").address
    number = _ask_for_texts(net, rounds.server.url, [labeler])
    context = browser.new_context(**DESK)
    add_wallet(context, net, other)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{rounds.server.url}/label/{number}")

    # One who may not come; one who may, declines first, and is on another network.
    page.get_by_role("button", name=f"Use the account of {NAME}").click()
    expect(page.get_by_text("The gate does not let")).to_be_visible()
    bend(page, account=labeler)
    page.get_by_role("button", name=f"Use the account of {NAME}").click()
    expect(page.get_by_text("is asked to sign twice")).to_be_visible()
    expect(page.get_by_label("Where you want to be paid")).to_have_value(labeler.lower())
    assert faults(page) == []
    ask_to_join(page)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Paid to")
    assert faults(page) == []
    sign = page.get_by_role("button", name=f"Sign with {NAME}")
    bend(page, declines=True)
    sign.click()
    expect(dialog.get_by_role("alert")).to_have_text("You declined; nothing was sent.")
    page.get_by_role("button", name="Close", exact=True).click()
    expect(page.get_by_text("You did not sign, so nothing was sent")).to_be_visible()
    bend(page, declines=False)
    page.get_by_role("button", name="Join", exact=True).click()
    sign.click()

    # What is half written outlives the page; another key may skip.
    box = page.get_by_label("Your text")
    box.fill("  half a ")
    wait_for(lambda: page.evaluate(KEPT, "  half a "), "a draft that is kept", PATIENCE_MS / 1_000)
    page.reload()
    expect(box).to_have_value("  half a ")
    expect(box).to_be_focused()
    assert faults(page) == []
    asked = []
    for text in (None, "a <b>\N{SNOWMAN}</b>", ""):
        asked.append(page.locator(".tm-stage .tm-text").text_content() or "")
        place = page.locator(".tm-stage").get_attribute("aria-label")
        if text is None:
            page.keyboard.type("cat")
        elif text:
            page.keyboard.type(text)
            page.keyboard.press("Shift+Enter")
            page.keyboard.type("second line")
        else:
            page.keyboard.press("Enter")
            expect(page.get_by_text("an empty text is no answer")).to_be_visible()
            _skip_by(page, "q")
        if text != "":
            page.keyboard.press("Enter")
        page.wait_for_function(
            "(place) => document.querySelector('.tm-stage').ariaLabel !== place", arg=place
        )
    asked.append(page.locator(".tm-stage .tm-text").text_content() or "")
    page.keyboard.type("the last")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 item skipped")).to_be_visible()
    page.keyboard.press("Enter")

    # Sealed, and then the account is switched.
    expect(page.get_by_text("Your labels are sealed, and kept in this browser.")).to_be_visible()
    assert faults(page) == []
    bend(page, account=other, chain="0x1")
    sign.click()
    expect(page.get_by_text("Choose the account")).to_be_visible()
    bend(page, account=labeler)
    sign.click()
    expect(page.get_by_role("heading", name="Done")).to_be_visible()
    assert prompts(page) == ["eth_signTypedData_v4"]  # since the reload; one before it

    record = BountyClient(net.session("stranger")).read(number)
    secrets = find_secrets(net.session("requester").vault, record.terms.key)
    with RelayClient(rounds.server.url) as relay:
        file = relay.file(record.ref, 0, record.commits.standing[0].commitment)
    opened = open_with_key(record.scheme(0), file.run, secrets.scalar, file.seats)
    texts = open_notes(opened.shared, file.notes)["texts"]
    numbers = [text.split()[-1] for text in asked]
    wanted = ["half a cat", "a <b>\N{SNOWMAN}</b>\nsecond line", "the last"]
    assert texts == dict(zip([numbers[n] for n in (0, 1, 3)], wanted, strict=True))
    assert not rounds.problems
    context.close()


# Last, as no receiver is at work behind it.


def test_label_page__three_people__label_seal_and_hand_out(
    browser: Browser, net: Devnet, rounds: Rounds, other_server: AppServer
) -> None:
    expect.set_options(timeout=PATIENCE_MS)
    posted = Posted(net, rounds.server.url, items=ITEMS, batch=2)
    place = f"/label/{posted.number}"
    link = f"{rounds.server.url}{place}"
    # Where the chain cannot be read the page waits, and opens by itself.
    desk = Person(browser, link, PAYEES[0], away="**/rpc", **DESK)
    expect(desk.page.get_by_role("alert")).to_contain_text("does not answer; trying again.")
    desk.context.unroute_all()
    phone = Person(browser, link, PAYEES[1], permissions=["notifications"], **PHONE)
    phone.page.add_init_script(NO_NOTICES)
    phone.page.reload()
    hasty = Person(browser, other_server.url + place, PAYEES[2], **DESK)

    desk.practice("2", "No, it is cat")
    expect(desk.page.get_by_role("heading", name="0 of 1 right")).to_be_visible()
    phone.practice("1", "Right")
    expect(phone.page.get_by_role("heading", name="1 of 1 right")).to_be_visible()
    hasty.see()
    hasty.page.get_by_role("button", name="Stop practicing").click()
    phone.join()
    phone.page.get_by_label("Tell me when it starts").check()
    expect(phone.page.get_by_text("The browser shows no notices here")).to_be_hidden()
    for person in (desk, hasty):
        person.join()
    expect(desk.page.get_by_text("You may close this page. Labeling begins by")).to_be_visible()

    # All with keys.
    desk.see()
    assert faults(desk.page) == []
    desk.label(ITEMS)
    expect(desk.page.get_by_role("heading", name=f"All {ITEMS} are answered")).to_be_visible()
    assert faults(desk.page) == []
    # The relay is away just then.
    desk.lose("**/v1/**")
    desk.page.keyboard.press("Enter")
    expect(desk.page.get_by_text("The relay does not answer; trying again")).to_be_visible()
    expect(desk.page.get_by_text("Going on by itself.")).to_be_visible()
    desk.context.unroute_all()

    # With a thumb; the network goes in the middle, and the page is loaded again without one.
    phone.see()
    told = """navigator.serviceWorker.ready.then((worker) => worker.getNotifications())
        .then((all) => all.map(({title}) => title))"""
    wait_for(lambda: phone.page.evaluate(told) == ["Labeling has started"], "a notice", 60)
    phone.label(9, taps=True)
    expect(phone.page.get_by_text("All are on this device")).to_be_visible()
    assert faults(phone.page) == []
    phone.page.evaluate("navigator.serviceWorker.ready.then(() => 1)")
    phone.context.set_offline(True)
    phone.page.reload()
    expect(phone.page.get_by_text(f"9 of {ITEMS} answered")).to_be_visible()
    phone.label(ITEMS - 9, taps=True)
    phone.page.get_by_role("button", name="Seal and send").tap()
    expect(phone.page.get_by_text("Going on by itself.")).to_be_visible()
    # Away before it is on the chain, with nobody who goes on.
    phone.page.close()
    phone.context.set_offline(False)
    phone.open()

    # With second thoughts; and away, too, but with a node that goes on.
    hasty.label(20)
    for _ in range(2):
        hasty.see()
        for key in ("s", "Backspace"):  # the second while the first is being written
            hasty.page.keyboard.press(key)
        expect(hasty.page.get_by_text("Taken back.")).to_be_visible()
        expect(hasty.page.get_by_text(f"20 of {ITEMS} answered")).to_be_visible()
    hasty.page.keyboard.press("f")
    hasty.page.get_by_label("Your note").fill("it may do both")
    hasty.page.get_by_role("button", name="Save the note").click()
    _, flagged = hasty.see()
    hasty.page.keyboard.press("ArrowLeft")
    _, skipped = hasty.see()
    hasty.page.keyboard.press("s")
    expect(hasty.page.get_by_text("20 of 24 answered · 1 skipped · 1 flagged")).to_be_visible()
    hasty.codes[int(skipped.split()[1].rstrip(":"))] = 2
    hasty.page.get_by_role("button", name="Finish early").click()
    hasty.page.get_by_role("button", name="Seal and send 20").click()
    watch = rounds.watch_url.partition("//")[2]
    left = hasty.page.get_by_text(f"You may close this page: {watch} will finish for you")
    expect(left).to_be_visible()
    hasty.page.close()
    with RelayClient(rounds.server.url) as relay:
        wait_for(lambda: len(relay.files(posted.number)) == 3, "all files", PATIENCE_MS / 1_000)
    sent = [url for url in hasty.asked if "/deposits/" in url or "/files/" in url]
    assert {url.partition("/v1/")[0] for url in sent} == {rounds.watch_url}
    hasty.open()

    others = (other_server.url, rounds.watch_url)
    for person in (desk, phone, hasty):
        expect(person.page.get_by_role("heading", name="Done")).to_be_visible()
        assert faults(person.page) == []
        known = (rounds.server.url, "blob:", *(others if person is hasty else ()))
        assert [url for url in person.asked if not url.startswith(known)] == []
    notes = _require_delivered(net, posted, rounds.server.url, [desk, phone, hasty])
    assert notes[2]["flags"] == {flagged.split()[1].rstrip(":"): "it may do both"}
    assert not rounds.problems
    _disprove(net, rounds, posted, desk, phone)
    for person in (desk, phone, hasty):
        person.context.close()


def _disprove(net: Devnet, rounds: Rounds, posted: Posted, wronged: Person, other: Person) -> None:
    """A lie about one's answers is seen by them alone, and proven by a click, from any account."""
    stranger = net.session("stranger")
    token = stranger.token(posted.terms.token)
    before = token.functions.balanceOf(stranger.address).call()
    rounds.stop_receiving()
    net.warp(3_600 + 600 + 601)
    posted.lie_about(net, rounds.server.url, wronged.payee)
    add_wallet(wronged.context, net, stranger.address)
    # The relay, which may be the requester's, withholds what shows the lie.
    withheld = re.compile(r"/v1/bounties/\d+/(roster|commits)$")
    wronged.context.route(withheld, lambda route: route.abort())
    sent: list[str] = []
    wronged.context.on("request", lambda request: sent.append(request.post_data or ""))
    for person in (wronged, other):
        person.page.reload()

    expect(other.page.get_by_role("heading", name="Your score")).to_be_visible()
    expect(other.page.get_by_text("Nothing in it can be proven wrong")).to_be_visible()
    assert faults(other.page) == []
    page = wronged.page
    expect(page.get_by_role("heading", name="This score is wrong")).to_be_visible()
    proving = page.get_by_role("region", name="Disprove it")
    expect(proving).to_contain_text(re.compile(r"Your answer in batch 1?\d, no. \d was"))
    expect(proving).to_contain_text("your answer to this one item")
    expect(page.get_by_text(" – not so")).to_have_count(1)
    page.get_by_text("How is this known?").click()
    expect(page.get_by_text("No server was told an answer of yours.")).to_be_visible()
    assert faults(page) == []
    with page.expect_download() as saved:
        proving.get_by_role("button", name="Save the proof as a file").click()
    number, call = read_proof(BountyClient(stranger), saved.value.path().read_bytes())
    assert number == posted.number
    call.call(sender=stranger.address)  # it would be taken from anyone who has the file

    click = proving.get_by_role("button", name=f"Disprove it with {NAME}")
    bend(page, declines=True)
    click.click()
    expect(proving).to_contain_text("You declined; nothing was sent.")
    bend(page, declines=False)
    click.click()
    expect(page.get_by_role("heading", name="The score was disproved")).to_be_visible()
    expect(page.get_by_text("It is proven: everybody is paid in full")).to_be_visible()
    assert faults(page) == []
    assert prompts(page)[1:] == ["eth_sendTransaction"]
    page.reload()  # the chain knows who has proven it
    expect(page.get_by_role("heading", name="The score was disproved")).to_be_visible()
    taking = page.get_by_role("button", name=f"Take the reward out with {NAME}")
    bend(page, account=wronged.payee)
    taking.click()
    expect(page.get_by_text("shows another account")).to_be_visible()
    bend(page, account=stranger.address)
    taking.click()
    expect(page.get_by_text(f"came to the account of {NAME}")).to_be_visible()
    assert prompts(page) == ["eth_sendTransaction"]
    assert faults(page) == []
    after = token.functions.balanceOf(stranger.address).call()
    assert after - before == posted.terms.reward > 0
    assert BountyClient(stranger).read(posted.number).status is Status.PROVEN
    shown = call.data[-32 * 8 :].hex()  # what opens the answer
    assert not any(shown in body for body in sent)


def _ask_for_texts(net: Devnet, url: str, admitted: list[str]) -> int:
    """Post a team's bounty of four items behind a gate; returns its number."""
    gate = deploy_allow_list(net.session("requester"), admitted)

    def terms_of(made: RequesterSecrets, document: Document) -> Terms:
        return team_terms(
            document,
            requester=net.session("requester").address,
            token=net.profile.tokens[1].address,
            relay=net.session("relay").address,
            receiver=made.receiver,
            gate=gate,
            salt=made.terms_salt,
            key_x=made.key.x,
            key_y=made.key.y,
            classes=0,
            items=4,
            batch=2,
            min_seats=2,
            max_run=2,
        )

    items = [Item.of_text(f"describe item {number}") for number in range(4)]
    fields: dict[str, Any] = {"classes": (), "practice": (), "examples": (0,)}
    return post(net, url, items, Item.of_text("describe"), terms_of, **fields)[0]


def _skip_by(page: Page, key: str) -> None:
    """Let another key skip, and skip by it."""
    page.keyboard.press("Escape")
    page.keyboard.press("k")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="skip").click()
    page.keyboard.press(key)
    expect(dialog.get_by_text(f"{key.upper()} now stands for skip")).to_be_visible()
    assert faults(page) == []
    dialog.get_by_role("button", name="Use these keys").click()
    page.keyboard.press("s")  # not any more
    page.keyboard.press(key)


def _require_delivered(
    net: Devnet, posted: Posted, url: str, people: list[Person]
) -> list[dict[str, Any]]:
    """Each one's answers stand on the chain, sealed, for who they wanted to be paid."""
    record = BountyClient(net.session("stranger")).read(posted.number)
    secrets = find_secrets(net.session("requester").vault, record.terms.key)
    notes = []
    for person in people:
        rows = [row.payee.lower() for row in record.roster.rows]
        worker = rows.index(person.payee)
        with RelayClient(url) as relay:
            commitment = record.commits.standing[worker].commitment
            file = relay.file(record.ref, worker, commitment)
        opened = open_with_key(record.scheme(worker), file.run, secrets.scalar, file.seats)
        run = record.assignment.items_of(int(record.roster.starts[worker]), file.seats)
        assert dict(zip(run.tolist(), opened.codes.tolist(), strict=True)) == person.codes
        notes.append(open_notes(opened.shared, file.notes))
        assert {int(item) for item in notes[-1]["seconds"]} <= person.codes.keys()
    return notes
