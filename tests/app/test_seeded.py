# SPDX-License-Identifier: Apache-2.0
"""A seeded network: each state is there by chain and library, and the app's pages show it."""

import json
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from app import bounty_views, services
from app.services import bounties as bounties_service
from app.services import one_bounty
from app.services.wallets import claims_of
from tests.app.conftest import Start
from tests.app.screen import bounties_on, click, has_button, page, texts
from tests.app.seeded_world import (
    World,
    hostile_documents,
    net,
    observer,
    phone,
    purchase_of,
    seeded,
    start,
    steps,
    undone,
    url,
    window,
    world,
)
from tests.app.serving import serve
from tests.app.test_pages import JARGON, PROOFS
from tests.app.windows import button, check, markup, open_window, settle
from tests.utils.anvil import send_as_wallet
from tests.utils.browsers import browser
from truthmark.bounty.answer_log import AnswerLog
from truthmark.bounty.client import BountyClient
from truthmark.bounty.flows.results import collect_result
from truthmark.bounty.payouts import Status
from truthmark.bounty.phases import phase_of
from truthmark.bounty.workspace import Workspace
from truthmark.errors import ConfigError
from truthmark.market.catalogue import Catalogue
from truthmark.market.records import PurchaseStatus, VersionStatus
from truthmark.market.settlement import Settlement
from truthmark.market.validator import ValidatorOwner
from truthmark.session import Session
from truthmark.testing.network import Devnet, role_address
from truthmark.testing.seeding import Seeded
from truthmark.text import clean

__all__ = ["browser", "net", "observer", "phone", "seeded", "start", "steps", "undone"]
__all__ += ["url", "window", "world"]

pytestmark = [pytest.mark.chain]


# ------------------------------------------------------------------------ the seed itself


def test_seed__progress__ends_at_the_whole(seeded: Seeded, steps: list[tuple[int, int]]) -> None:
    total = steps[-1][1]
    assert steps == [(number, total) for number in range(1, total + 1)]


def test_seed__listings__have_each_state(seeded: Seeded, observer: Session) -> None:
    catalogue = Catalogue.of(observer)
    found = {
        name: catalogue.status(catalogue.version(ref))[0] for name, ref in seeded.listings.items()
    }
    assert found == {
        "kept": VersionStatus.OPEN,
        "direct": VersionStatus.OPEN,
        "late": VersionStatus.OPEN,
        "royalty": VersionStatus.OPEN,
        "paused": VersionStatus.PAUSED,
        "retired": VersionStatus.RETIRED,
        "sampled": VersionStatus.OPEN,
        "copied": VersionStatus.REVOKED,
    }
    assert len(catalogue.versions()) == len(found)
    ids = {name: catalogue.version(ref).terms_id for name, ref in seeded.listings.items()}
    open_ones = {ids[name] for name in ("kept", "direct", "royalty", "sampled")}
    assert catalogue.buyable(list(ids.values())) == open_ones
    assert catalogue.epochs(ids["kept"])[-1].custody.count == 3
    assert catalogue.epochs(ids["direct"])[-1].custody.count == 1
    royalty = catalogue.version(seeded.listings["royalty"]).terms
    assert royalty.royalty_bps == 1_000
    assert royalty.bounty == seeded.bounties["settled"]


def test_seed__purchases__have_each_state(seeded: Seeded, observer: Session) -> None:
    bought = partial(purchase_of, observer, seeded)
    now = observer.chain.time()
    waiting, delivered = bought("waiting"), bought("delivered")
    assert waiting.status is PurchaseStatus.PAID
    assert waiting.deadline > now
    assert delivered.status is PurchaseStatus.DELIVERED
    assert bought("settled").status is PurchaseStatus.SETTLED
    assert bought("refunded").status is PurchaseStatus.REFUNDED
    assert bought("disputed").status is PurchaseStatus.REFUNDED


def test_seed__bounties__have_each_state(seeded: Seeded, observer: Session) -> None:
    client = BountyClient(observer)
    records = {name: client.read(number) for name, number in seeded.bounties.items()}
    assert {name: record.status for name, record in records.items()} == {
        "settled": Status.SETTLED,
        "flat": Status.FLAT,
        "refunded": Status.REFUNDED,
        "scored": Status.SCORED,
        "labeling": Status.LABEL,
        "open": Status.OPEN,
        "team": Status.OPEN,
    }
    assert client.board.functions.bounty_count().call() == len(records)
    now = observer.chain.time()
    for name in ("scored", "labeling", "open", "team"):
        until = phase_of(records[name], client.mark(seeded.bounties[name]), now).until
        assert until is not None, name
        assert until > now + 3_600, name
    assert records["team"].terms.is_team
    assert len(records["labeling"].roster) == 2


def test_seed__requester__has_the_result_and_the_invitations(net: Devnet, seeded: Seeded) -> None:
    with net.session("requester") as requester:
        brought = collect_result(requester, seeded.bounties["settled"])
        assert not brought.finding.problems
        assert brought.tables is not None
        assert brought.tables.items.num_rows == 30
        by_number = {w.ref.bounty_id: w for w in Workspace.all(requester.home) if w.ref}
        guests = by_number[seeded.bounties["team"]].guests
    assert [guest.name for guest in guests] == ["Ada", "Grace", "Katherine"]
    assert {guest.name: guest.code for guest in guests} == seeded.invitations
    assert all(seeded.invitations.values())


def test_seed__earnings__wait_to_be_withdrawn(seeded: Seeded, observer: Session) -> None:
    dollar = observer.profile.token("TUSD").address
    assert sum(Settlement(observer).credits(dollar, role_address("seller")).values()) > 0
    board = BountyClient(observer).board
    assert board.functions.balances(dollar, role_address("labeler")).call() > 0


def test_seed__validators__have_stake_and_offers(
    net: Devnet, seeded: Seeded, observer: Session
) -> None:
    roles = ("custodian1", "custodian2", "custodian3")
    offered = {offer.validator.address for offer in Catalogue.of(observer).offers()}
    assert offered == {role_address(role) for role in roles}
    for role in roles:
        with net.session(role) as session:
            Catalogue.of(session).sync()
            assert len(ValidatorOwner(session).tickets()) == 30


def test_seed__again__adds_nothing(net: Devnet, seeded: Seeded) -> None:
    def sent() -> list[str]:
        roles = ("seller", "buyer", "requester", "relay", "custodian1")
        return [
            net.chain.rpc("eth_getTransactionCount", role_address(it), "latest") for it in roles
        ]

    before = sent()
    assert net.seed() == seeded
    assert sent() == before


def test_seed__interrupted_before__says_to_begin_again(tmp_path: Path) -> None:
    (tmp_path / "seeded.json").write_text(json.dumps({}))
    with pytest.raises(ConfigError, match="devnet down --remove"):
        Seeded.read(tmp_path)
    (tmp_path / "seeded.json").unlink()
    assert Seeded.read(tmp_path) is None


# ---------------------------------------------------------------------- the pages on it


# -------------------------------------------------------------------------- in general


def test_pages__with_all_states__speak_the_readers_words(start: Start, world: World) -> None:
    places: list[tuple[str, bool, dict[str, str]]] = [
        *((name, True, {}) for name in ("bounties", "earnings", "validators")),
        *(("bounty", True, {"bounty": world[name]}) for name in world.seeded.bounties),
        ("bounties", False, {}),
        ("bounty", False, {"bounty": world["scored"]}),
        ("validators", False, {}),
    ]
    for name, is_local, query in places:
        at = start(name, is_local=is_local, **query)
        said = texts(at, skip=PROOFS)
        assert not [(text, JARGON.findall(text)) for text in said if JARGON.search(text)]
        assert not at.error, (name, query)


def test_bounties__filters__leave_what_fits(start: Start, world: World) -> None:
    seen = page(at := start())
    assert "about 28.8 TUSD an hour" in seen
    assert "2.5\N{NO-BREAK SPACE}s an answer in the requester's trial" in seen
    assert "1 of 2 earlier bounties ended by silence or a proven lie" in seen
    assert re.search(r"Starts by (tomorrow )?\d\d:\d\d, or as soon as \d+ more batches", seen)
    at.text_input(key="bounties_text").input("DIGITS labeled").run()
    assert bounties_on(at) == [world["open"]]
    at.text_input(key="bounties_text").input("").run()
    at.selectbox(key="bounties_kind").select("texts").run()
    assert bounties_on(at) == [world["team"]]
    at.selectbox(key="bounties_kind").select("any").run()
    at.selectbox(key="bounties_access").select_index(1).run()
    assert bounties_on(at) == [world["open"]]
    at.selectbox(key="bounties_access").select_index(0).run()
    at.selectbox(key="bounties_token").select("TUSD").run()
    at.selectbox(key="bounties_order").select_index(2).run()
    assert not at.exception
    assert bounties_on(at)[0] == world["team"]
    at.selectbox(key="bounties_stage").select_index(2).run()
    assert set(bounties_on(at)) == {world[name] for name in ("settled", "flat", "refunded")}
    at.text_input(key="bounties_text").input("nothing has this").run()
    assert "No bounty here matches." in page(at)


@pytest.mark.parametrize("named", ["99999", "-1", "x" * 500, "<b>", "1e3", "٧", ""])
def test_bounty__name_of_nothing__says_so(start: Start, world: World, named: str) -> None:
    text = page(start("bounty", bounty=named))
    assert "There is no bounty 99999" in text or "Choose a bounty" in text


# ------------------------------------------------------------------------ one's own part


def test_bounty__scored__each_answer_and_the_pay_are_shown(start: Start, world: World) -> None:
    at = start("bounty", bounty=world["scored"])
    text = page(at)
    for said in (
        "Your part",
        "Computed again on this page: the same as was posted.",
        "Your answers that were checked",
        "Nothing in this score can be proven wrong with what is known here.",
        "Each of the 2 answers is worth the same",
        "Commitment to your labels, on chain",
    ):
        assert said in text, said
    metrics = {metric.label: metric.value for metric in at.metric}
    with world.net.session("labeler") as session:
        record = BountyClient(session).read(int(world["scored"]))
        row = next(n for n, r in enumerate(record.roster.rows) if r.payee == session.address)
        payment = {p.worker: p for p in record.payments(Status.SETTLED)}[row]
        amount = session.profile.amount(payment.total, record.terms.token)
    assert metrics["You get, if it stands"] == str(amount)
    (table,) = (frame.value for frame in at.dataframe)
    counted = {
        kind: int((table["counts as"].str.startswith(kind)).sum()) for kind in ("right", "wrong")
    }
    assert f"{counted['right']} right · {counted['wrong']} wrong" in text
    # A stranger sees the score's state, and nobody's part.
    other = page(start("bounty", role="buyer", bounty=world["scored"]))
    assert "Your part" not in other and "Is the score right?" in other


def test_bounty__score_is_wrong__is_offered_to_be_disproved(
    start: Start, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # That a score is found to be wrong, and proven so: test_bounty_service.py.
    start("bounties")
    found = services.challenge_of(int(world["scored"]))
    assert found is not None and not found.wrongs
    lie = replace(found, wrongs=("Item 3: the score says that labeler 0 said cat",))
    monkeypatch.setattr(one_bounty, "_challenge", lambda *_: lie)
    proven: list[int] = []
    monkeypatch.setattr(services, "disprove", lambda number: proven.append(number) or "5 TUSD")
    one_bounty._public_bounty.clear()
    hosted = start("bounty", is_local=False, bounty=world["scored"])
    assert "Item 3: the score says that labeler 0 said cat" in page(hosted)
    assert not has_button(hosted, "Disprove it")
    one_bounty._public_bounty.clear()
    at = start("bounty", bounty=world["scored"])
    click(at, "Disprove it as labeler")
    assert proven == [int(world["scored"])]
    assert "5 TUSD is yours" in page(at)

    # After a reload the chain alone knows that it was proven, and by whom.
    monkeypatch.setattr(one_bounty, "_challenge", lambda *_: None)
    # It pays out what is owed in other tokens, too, and says all of that.
    monkeypatch.setattr(services, "withdraw", lambda: "5 TUSD and 3 TMK")
    for account, is_own in (
        (world.net.session("labeler").address, True),
        ("0x" + "12" * 20, False),
    ):
        kept = bounty_views.Kept(int(world["scored"]), account, "5 TUSD")
        monkeypatch.setattr(one_bounty, "_kept", lambda *_, kept=kept: kept)
        at = start("bounty", bounty=world["scored"])
        assert "keeps 5 TUSD for the account that did" in page(at)
        assert has_button(at, "Take it out") == is_own
        if is_own:
            click(at, "Take it out")
            assert "5 TUSD and 3 TMK came to you" in page(at)
    one_bounty._public_bounty.clear()
    hosted = start("bounty", is_local=False, bounty=world["scored"])
    assert "take it out with the wallet that sent the proof" in page(hosted)
    one_bounty._public_bounty.clear()


def test_bounty__relay_is_away__says_so_and_shows_the_rest(start: Start, world: World) -> None:
    assert "None can be shown just now" not in page(start("bounty", bounty=world["team"]))
    world.net.stop_relay()
    try:
        text = page(start("bounty", role="buyer2", bounty=world["open"]))
        assert "None can be shown just now" in text
        assert "Which digit is it?" in text
    finally:
        world.net.start_relay()


def test_bounty__labeled_on_this_machine__own_answers_stand_beside(
    start: Start, world: World
) -> None:
    world.bring_labeling("scored")
    at = start("bounty", bounty=world["scored"])
    (table,) = (frame.value for frame in at.dataframe)
    assert (table["you said"] == table["you said, by the score"]).all()
    assert "not on this machine to compare with" not in page(at)


# ------------------------------------------------------------------ money, stake, time


def test_asked__unsure_items__are_answered_there_and_kept_for_the_next_wave(
    start: Start, world: World
) -> None:
    at = start("asked", role="requester", bounty=world["settled"])
    at.button_group(key="asked_part").select("Unclear items").run()
    assert not at.exception
    at.number_input(key=f"asked_below_{world['settled']}").set_value(1_000_000)
    click(at, "What would it cost?")
    workspace = world.workspace("settled")
    words = [entry.name for entry in workspace.document.classes]
    for turn in range(8):
        at.button(key=f"knowing_{turn % len(words)}").click().run()
        assert not at.exception
    at.button(key="knowing_undo").click().run()
    with AnswerLog(workspace.folder / "own-answers.log") as log:
        assert [log.codes[item] for item in log.codes] == [n % len(words) for n in range(7)]


def test_asked__one_bounty_after_another__what_was_typed_stays_with_its_own(
    start: Start, world: World
) -> None:
    at = start("asked", role="requester")
    for name in ("settled", "scored"):
        at.button(key=f"asked_look_{world[name]}").click().run()
        assert not at.exception
        assert at.query_params["bounty"] == world[name]
        at.button_group(key="asked_part").select("Use them").run()
        assert at.query_params["bounty"] == world[name]
        field = at.text_input(key=f"asked_folder_{world[name]}")
        assert not field.value
        field.input(f"~/{name}").run()
        at.button(key="asked_all").click().run()
        assert not at.exception
        assert "bounty" not in at.query_params


@pytest.mark.usefixtures("undone")
def test_claims_of__what_sales_owe__comes_by_the_calls_of_a_wallet(world: World) -> None:
    with world.net.session("stranger") as session:
        Catalogue.of(session).sync()
        record = BountyClient(session).read(int(world["settled"]))
        labeler = role_address("labeler")
        payees = [row.payee for row in record.roster.rows if row.payee != labeler]
        claims = {it: claims_of(session, record, it, waits_for_payout=False) for it in payees}
        payee, (claim,) = next((it, found) for it, found in claims.items() if found)
        assert claim.title.startswith("Take out ") and ("Paid to", payee) in claim.details
        token = session.profile.token("TUSD").address
        dollar = session.token(token).functions
        before = dollar.balanceOf(payee).call()
        for call in claim.calls:  # as anyone's wallet would
            sent = {"from": role_address("stranger"), "to": call.to, "data": call.data}
            send_as_wallet(world.net.chain, sent)
        gained = dollar.balanceOf(payee).call() - before
        assert claim.action == f"Draw {session.profile.amount(gained, token)}"
        assert claims_of(session, record, payee, waits_for_payout=False) == ()


def test_earnings__labeler__sees_each_bounty_and_withdraws(start: Start, world: World) -> None:
    at = start("earnings")
    text = page(at)
    for title in ("Opinions that are scored", "Handwritten digits", "requester falls silent"):
        assert title in text
    assert "if nobody disproves it" in text and "paid" in text
    assert "Sales of these labels owe you 0.25 TUSD more." in text
    click(at, "Draw it")
    assert "0.25 TUSD was paid out." in page(at)
    click(at, "Withdraw all of it")
    assert "TUSD came to you." in page(at)
    assert "The contracts hold nothing for this account." in page(at)
    with world.net.session("labeler") as session:
        dollar = session.profile.token("TUSD").address
        assert Settlement(session).credits(dollar, session.address) == {}


def test_earnings__hosted__asks_for_an_address_and_names_the_command(
    start: Start, world: World
) -> None:
    at = start("earnings", is_local=False)
    assert not has_button(at, "Withdraw")
    seller = role_address("seller")
    at.text_input(key="earnings_address").input(seller).run()
    assert f"truthmark withdraw --for {seller}" in page(at)
    at.text_input(key="earnings_address").input("0x12").run()
    assert "is not an address" in page(at)


def test_validators__owner__stakes_stops_and_takes_out(start: Start, world: World) -> None:
    at = start("validators", role="custodian1")
    assert {m.label: m.value for m in at.metric}["Stake"] == "3000 TMK"
    click(at, "Add 1 ticket")
    assert "1 ticket added." in page(at)
    assert {m.label: m.value for m in at.metric}["Stake"] == "3100 TMK"
    click(at, "Take 1 ticket out")
    assert "1 ticket on the way out; the next at" in page(at)
    click(at, "Take no new obligations")
    assert "You take no new obligations." in page(at)
    click(at, "Check all of them")
    assert "nothing can be proven wrong" in page(at)
    with world.net.session("custodian1") as session:
        session.follower.sync()
        tickets = ValidatorOwner(session).tickets()
        assert sum(1 for ticket in tickets if ticket.unbonding_until) == 1
        state = session.chain.staking.functions.validator(session.address).call()
        assert not state.is_available
    other = page(start("validators", role="buyer"))
    assert "This account is no validator yet." in other
    assert "not seen for a day" in other or "seen within a day" in other


def test_warp__session_of_another_chain__is_none_of_the_network(world: World) -> None:
    with world.net.session("labeler") as session:
        assert Devnet.of(session) is not None
        session.__dict__["profile"] = replace(session.profile, rpc=("http://127.0.0.1:9",))
        assert Devnet.of(session) is None


# ------------------------------------------------------------------------ a real browser


@pytest.mark.browser
def test_app__labeler_on_a_phone__looks_around_and_follows_their_money(
    window: Page, url: str, world: World
) -> None:
    window.goto(f"{url}/label/{world['open']}")  # where practice is kept
    world.keep_practice(window, "open")
    window.goto(f"{url}/bounties")
    expect(window.get_by_text("an hour at your pace: 90 % right and 2.5 s")).to_be_visible()
    expect(window.get_by_text("Digits to be labeled", exact=True)).to_be_visible()
    check(window, "bounties")
    window.locator(f"a[href*='bounty={world['open']}']").click()
    expect(window.get_by_role("heading", level=1)).to_have_text("Digits to be labeled")
    link = window.get_by_role("link", name="Practice and label").first
    expect(link).to_have_attribute("href", f"/label/{world['open']}")
    expect(window.get_by_test_id("stImage").locator("img")).to_have_count(3)
    check(window, "bounty")
    window.goto(f"{url}/earnings")
    expect(window.get_by_role("link", name="How it came to that").first).to_be_visible()
    check(window, "earnings")
    window.get_by_role("link", name="How it came to that").first.click()
    expect(window.get_by_text("Your part")).to_be_visible()
    check(window, "own part")
    window.goto(f"{url}/bounties")
    for number in world.hostile:
        window.locator(f"a[href*='bounty={number}']").click()
        expect(window.get_by_text("What is asked")).to_be_visible()
        settle(window)
        assert markup(window) == []
        window.go_back()
    assert window.evaluate("globalThis.owned") is None


@pytest.mark.browser
def test_app__labeler_inside_the_app__goes_on_by_a_recovery_file_and_answers(
    phone: BrowserContext, url: str, world: World, tmp_path: Path
) -> None:
    number = int(world["labeling"])
    (tmp_path / "recovery.json").write_text(json.dumps(world.recovery(number)))
    window = phone.new_page()
    window.goto(f"{url}/label?bounty={number}")
    item = window.locator(".tm-stage[aria-busy=false] img")
    item.wait_for()
    window.get_by_role("button", name="Stop practicing").click()
    expect(window.get_by_text("takes no more labelers")).to_be_visible()
    window.get_by_text("I have joined before, elsewhere").click()
    chooser = window.get_by_label("Open the recovery file that you saved then")
    chooser.set_input_files(tmp_path / "recovery.json")
    expect(window.get_by_text(re.compile(r"^0 of \d+ answered"))).to_be_visible()
    item.wait_for()
    check(window, "label")
    window.keyboard.press("1")
    answered = window.get_by_text(re.compile(r"^1 of \d+ answered"))
    expect(answered).to_be_visible()
    # Streamlit keeps nothing of it; the browser does.
    window.goto(f"{url}/bounties")
    window.goto(f"{url}/label?bounty={number}")
    expect(answered).to_be_visible()
    window.close()


@pytest.mark.browser
def test_app__requester__looks_at_one_of_the_list_and_stays_there(
    phone: BrowserContext, world: World, tmp_path: Path
) -> None:
    number = world["settled"]
    # A role in the address would have it written again at each click, whatever a link does.
    with (
        serve(world.net.home("requester"), tmp_path / "app.log") as here,
        open_window(phone, here) as window,
    ):
        window.goto(f"{here}/asked")
        button(window, f"asked_look_{number}").click()
        expect(window.get_by_role("heading", level=1)).to_have_text("Handwritten digits")
        expect(window).to_have_url(f"{here}/asked?bounty={number}")
        check(window, "asked")
        window.get_by_text("Use them", exact=True).click()
        expect(window.get_by_role("button", name="Write")).to_be_visible()
        expect(window.get_by_role("heading", level=1)).to_have_text("Handwritten digits")
        button(window, "asked_all").click()
        expect(window.get_by_role("heading", level=1)).to_have_text("Asked")
        expect(window).to_have_url(f"{here}/asked")


@pytest.mark.browser
def test_app__validator__adds_stake_and_checks_scores(window: Page, url: str, world: World) -> None:
    window.goto(f"{url}/validators?role=custodian2")
    expect(window.get_by_test_id("stMetricValue").first).to_have_text("3000 TMK")
    check(window, "validators")
    window.locator("[class*=st-key-validators_add] button").click()
    expect(window.get_by_test_id("stMetricValue").first).to_have_text("3100 TMK")
    window.get_by_role("tab", name="All validators").click()
    expect(window.get_by_text("3 validators, by when they registered")).to_be_visible()


def test_hostile_texts__in_every_field__are_shown_as_they_are(
    start: Start, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounties_service, "BOUNTY_PAGE_SIZE", 100)
    documents = dict(zip(world.hostile, hostile_documents(), strict=True))
    listed = page(start())
    for number, document in documents.items():
        assert clean(document.title, 200) in listed
        at = start("bounty", bounty=str(number))
        said = page(at)
        for text in [entry.name for entry in document.classes]:
            assert clean(text) in said
        elements: list[Any] = [*at.markdown, *at.caption, *at.title, *at.text, *at.warning]
        assert not any(getattr(element, "allow_html", False) for element in elements)
        shown = "".join(element.value for element in elements)
        assert not re.search("[\x00-\x09\x0b-\x1f\u200b\u202e\u2066]", shown)
        assert "alert(1)" not in "".join(link.proto.url for link in at.get("link_button"))


# Last, as days pass.


def test_warp__development_network__skips_to_the_next_phase_and_pays_out(
    start: Start, world: World
) -> None:
    assert not has_button(start("bounty", is_local=False, bounty=world["scored"]), "Skip")
    at = start("bounty", bounty=world["scored"])
    click(at, "Skip to then")
    text = page(at)
    assert "Nobody disproved the score" in text
    assert not has_button(at, "Skip to then")
    click(at, "Pay out")
    assert "TUSD came to you." in page(at)
    assert not has_button(at, "Pay out")
    with world.net.session("labeler") as session:
        assert BountyClient(session).read(int(world["scored"])).status is Status.SETTLED


def test_seed__network_stopped_and_started_again__is_as_it_was(net: Devnet, seeded: Seeded) -> None:
    # What is saved of a chain is a snapshot: all states stand in it.
    with net.session("stranger") as session:
        before = BountyClient(session).read(seeded.bounties["scored"]).status
    net.stop()
    with Devnet.start(net.folder) as again:
        assert again.seed() == seeded
        relay = again.start_relay()
        assert relay.url == f"http://127.0.0.1:{seeded.relay_port}"
        assert Devnet.open(net.folder).relay == relay
        with again.session("stranger") as session:
            status = BountyClient(session).read(seeded.bounties["scored"]).status
    assert status is before
    assert not relay.is_running()
    assert Devnet.open(net.folder).relay is None
