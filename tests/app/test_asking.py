# SPDX-License-Identifier: Apache-2.0
"""Asking: from a folder of this machine to a bounty that runs by itself, without a browser."""

import base64
import io
import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from app.services import asked, drafts, funding, wallets
from app.services.runs import LOG_NAME, runner_of
from tests.app.conftest import Start
from tests.app.screen import click, has_button, page, shown
from tests.app.test_buying import again
from tests.utils.anvil import send_as_wallet
from tests.utils.app_market import AppMarket
from tests.utils.injections import HOSTILE
from truthmark.bounty.client import BountyClient
from truthmark.bounty.items import Item, Media
from truthmark.bounty.workspace import Workspace
from truthmark.errors import BountyError, ConfigError
from truthmark.flows.sending_back import send_back

pytestmark = pytest.mark.chain

PEOPLE = ("Ann", "Bob")


def light_or_dark(picture: bytes) -> str:
    """Answer as somebody would who looks."""
    grey = Image.open(io.BytesIO(picture)).convert("L").resize((1, 1))
    return "light" if float(np.asarray(grey)[0, 0]) > 128 else "dark"


def draw(folder: Path, count: int) -> Path:
    """Fill a folder with light and dark pictures."""
    rng = np.random.default_rng(count)
    folder.mkdir()
    for n in range(count):
        grey = rng.integers(140, 240) if n % 2 else rng.integers(10, 110)
        pixels = np.clip(rng.normal(grey, 15, (24, 32, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{n:03}.png")
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return draw(tmp_path / "photos", 12)


@pytest.fixture
def home(market: AppMarket) -> Iterator[Path]:
    """The requester's home; what still runs there afterwards is ended."""
    path = market.net.home("requester")
    yield path
    runner = runner_of(str(path))
    for workspace in Workspace.all(path):
        (workspace.folder / LOG_NAME).unlink(missing_ok=True)
    for begun in runner._started.values():
        if begun.process.poll() is None:
            begun.process.kill()
            begun.process.wait()


def read(at: AppTest, path: Path) -> AppTest:
    click(at, "Begin")
    at.text_input(key="ask_path").input(str(path))
    return click(at, "Read")


def to_price(at: AppTest, path: Path, title: str) -> AppTest:
    """Fill in all for a team."""
    read(at, path)
    assert "12 items: pictures." in page(at)
    click(at, "Next")
    at.text_input(key="ask_title").input(title)
    at.text_area(key="ask_classes").input("light\ndark = d")
    at.text_area(key="ask_guidelines").input("Rather light, or rather dark?").run()
    click(at, "Next")
    at.text_area(key="ask_people").input("\n".join(PEOPLE))
    return click(at, "Next")


def form_of(at: AppTest) -> Any:
    return drafts.find_form(at.query_params["ask"])


def test_new_bounty__closed_in_the_middle__goes_on_where_it_was(
    start: Start, home: Path, photos: Path
) -> None:
    at = to_price(start("new_bounty", role="requester"), photos, "Closed in the middle")
    at.text_input(key="ask_price").input("0.07").run()
    key = form_of(at).key
    again = start("new_bounty", role="requester")
    assert "Closed in the middle" in page(again)
    again = start("new_bounty", role="requester", ask=key)
    assert again.text_input(key="ask_price").value == "0.07"
    text = page(again)
    assert "This computer must be on at some time between" in text
    assert "24 (12 items × 2)" in [shown(cell) for cell in again.table[0].value.iloc[:, 0]]
    assert "or everybody is paid in full without a score" in text


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ("light", "two classes or more"),
        ("light\nlight", "the class light is there twice"),
        ("light = x\ndark = x", "two classes have the key x"),
        ("light = xy\ndark", "a key is one letter or digit"),
    ],
)
def test_new_bounty__classes_that_cannot_be_answered__are_refused_in_one_line(
    start: Start, home: Path, photos: Path, answers: str, told: str
) -> None:
    at = read(start("new_bounty", role="requester"), photos)
    click(at, "Next")
    at.text_area(key="ask_classes").input(answers).run()
    click(at, "Next")
    assert [told in shown(error.value).lower() for error in at.error] == [True]
    assert "2 · Question" in page(at)


def test_new_bounty__own_answers__are_kept_and_can_be_taken_back(
    start: Start, home: Path, photos: Path
) -> None:
    at = read(start("new_bounty", role="requester"), photos)
    click(at, "Next")
    at.text_area(key="ask_classes").input("light\ndark").run()
    click(at, "Next")
    at.radio(key="ask_who").set_value("Anyone").run()
    for _ in range(3):
        click(at, "light")
    click(at, "I cannot say")
    assert "3 × light" in page(at)
    click(at, "Undo")
    click(at, "Undo")
    assert "2 × light" in page(at)
    key = form_of(at).key
    assert (drafts.folder_of(key) / "gold.csv").read_text().count("light") == 2
    click(start("new_bounty", role="requester", ask=key), "dark")
    assert (drafts.folder_of(key) / "gold.csv").read_text().count("dark") == 1


def previewed(at: AppTest) -> dict[str, Any]:
    """Return what the label page draws."""
    (found,) = at.get("bidi_component")
    data = json.loads(found.proto.json or found.proto.mixed.json)["preview"]
    items = [base64.b64decode(item) for item in data["items"]]
    assert all(Item.from_bytes(item).media is Media.TEXT for item in items)
    return {**data, "items": [item[1:].decode() for item in items]}


def test_new_bounty__hosted__shows_cost_preview_and_commands_and_keeps_nothing(
    start: Start, home: Path
) -> None:
    index = home / "index"  # of the chain's events, which anyone can read
    before = sorted(path for path in home.rglob("*") if not path.is_relative_to(index))
    at = start("new_bounty", role="requester", is_local=False)
    text = page(at)
    assert "truthmark bounty create ./photos --classes cat,dog --price '0.05 TEUR'" in text
    assert any("who guesses" in str(frame.value) for frame in at.dataframe)
    assert "To pay in" in text
    assert not has_button(at, "Begin") and not has_button(at, "Pay")
    assert previewed(at)["items"] == ["It purrs.", "It barks.", "It sleeps all day."]
    # What is typed is what labelers would see, and what the commands say.
    at.text_area(key="ask_classes").input("very good = g\nit's bad")
    at.text_input(key="ask_title").input("Good or bad?")
    at.text_area(key="ask_guidelines").input("Say what you feel.")
    at.text_area(key="ask_examples").input("\n".join([*HOSTILE[:8], "", "  the end  "])).run()
    assert not at.exception and not at.error
    shown_there = previewed(at)
    assert shown_there["classes"] == [
        {"name": "very good", "key": "g"},
        {"name": "it's bad", "key": ""},
    ]
    assert shown_there["title"], shown_there["kind"] == ("Good or bad?", "text")
    assert shown_there["items"] == [*(it.strip() for it in HOSTILE[:8]), "the end"]
    (command,) = [code.value for code in at.code if "bounty create" in code.value]
    words = shlex.split(command.splitlines()[1])
    assert words[words.index("--classes") + 1] == "very good=g,it's bad"
    at.number_input(key="ask_team_size").set_value(3).run()
    assert "--team team.txt" in page(at) and "bounty gold" not in page(at)
    # What cannot be is said in a line, and nothing was written on the server for all that.
    for wrong in ("one alone", "a,b\nc"):
        at.text_area(key="ask_classes").input(wrong).run()
        assert at.error and not at.exception
    at.text_area(key="ask_classes").input("a\nb")
    at.text_area(key="ask_examples").input("").run()
    assert ["Type an item or two" in shown(error.value) for error in at.error] == [True]
    after = sorted(path for path in home.rglob("*") if not path.is_relative_to(index))
    assert after == before


def test_new_bounty__paid_again_and_folder_changed__is_paid_once_for_what_was_shown(
    start: Start, market: AppMarket, home: Path, photos: Path
) -> None:
    at = to_price(start("new_bounty", role="requester"), photos, "Paid once")
    click(at, "Next")
    click(at, "Make it ready")
    session = market.session("requester")
    client, form = BountyClient(session), form_of(at)
    token = session.profile.token(form.token).address
    before = session.held(token)
    # The folder is changed meanwhile: what is paid for is what was shown.
    (photos / "000.png").unlink()
    number = funding.fund(form, lambda done, total: None)
    held = session.held(token)
    assert held == before - client.read(number).terms.pot
    assert client.read(number).terms.items == 12
    # In another window, or after a kill, the same button does nothing any more.
    assert funding.fund(form, lambda done, total: None) == number
    assert session.held(token) == held
    with pytest.raises(BountyError, match="cannot be changed any more"):
        funding.withdraw_offer(form)
    at.run()
    assert f"This is bounty {number} by now" in page(at)
    guests = asked.invitations(number)
    assert [guest.name for guest in guests] == list(PEOPLE)
    asked.invite_again(number, "Bob")
    assert asked.invitations(number)[1].link != guests[1].link
    assert asked.hours_on()[-1][0] == number
    text = page(start("asked", role="requester", bounty=str(number)))
    assert "Nothing on this machine runs it" in text and guests[0].link in text
    assert f"no. {number}" in page(start("asked", role="requester"))


def test_review__more_than_the_account_has__is_said_and_nothing_is_sent(
    start: Start, market: AppMarket, home: Path, photos: Path
) -> None:
    at = to_price(start("new_bounty", role="requester"), photos, "Too expensive")
    at.text_input(key="ask_price").input("9000000").run()
    click(at, "Next")
    assert "Your account here lacks" in page(at)
    click(at, "Make it ready")
    assert "pay in more, or ask for less" in shown(at.error[0].value)
    assert not has_button(at, "Pay")


def test_topping_up__account_lacks_token_and_gas__a_wallet_sends_just_that(
    market: AppMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, chain = market.session("requester"), market.net.chain
    monkeypatch.setattr(wallets, "my_session", lambda: session)
    profile, payer = session.profile, market.session("buyer").address
    token = profile.token("TUSD")
    dollar = session.token(token.address).functions
    held, coins = dollar.balanceOf(session.address).call(), session.chain.balance(session.address)
    assert wallets.topping_up("0.01 TUSD", 100_000, payer) == ("", ())
    price = int(chain.rpc("eth_gasPrice"), 16)
    gas = (coins // 2 + 10**18) // price  # twice of which is a little more than there is
    total = str(profile.amount(held + 5, token.address))
    said, (action,) = wallets.topping_up(total, gas, payer)
    assert said.startswith("0.000005 TUSD and ")
    for call in action.calls:
        sent = {"from": payer, "to": call.to, "value": hex(call.value)}
        send_as_wallet(chain, sent | ({"data": call.data} if call.data else {}))
    assert dollar.balanceOf(session.address).call() == held + 5
    assert session.chain.balance(session.address) == coins + action.calls[1].value > coins
    assert wallets.topping_up(total, 0, payer) == ("", ())


def test_give_back__tokens_and_coins_that_are_left__come_to_the_wallet(
    start: Start, market: AppMarket
) -> None:
    # Nothing else comes to their account meanwhile, as to that of who asks.
    session = market.session("copycat")
    wallet = "0x" + "7e" * 20
    token = session.profile.token("TUSD").address
    dollar = session.token(token).functions
    market.net.fund(session.address, {token: 5})
    at = start("asked", role="copycat")
    assert at.multiselect(key=f"give_back_{session.address}_what").value
    assert has_button(at, "Send it there")
    at.text_input(key=f"give_back_{session.address}_to_").input(wallet).run()
    held, coins = dollar.balanceOf(session.address).call(), session.chain.balance(session.address)
    try:
        click(at, "Send it there")
        assert not at.exception
        assert f"went to {wallet}" in page(at)
        assert dollar.balanceOf(wallet).call() == held
        assert dollar.balanceOf(session.address).call() == 0
        # Coins too, but for a little more than the gas of sending them.
        assert session.chain.balance(wallet) > 0.99 * coins
        assert 0 < session.chain.balance(session.address) < 10**16
    finally:
        market.net.fund(session.address, {token: held}, coins)


@pytest.mark.parametrize("to", ["0x12", "0x" + "00" * 20, "the account itself"])
def test_send_back__address_of_nobody_or_itself__moves_nothing(market: AppMarket, to: str) -> None:
    session = market.session("requester")
    to = session.address if to.startswith("the") else to
    with pytest.raises(ConfigError):
        send_back(session, to, [], coins=True)


def test_new_bounty__classes_in_another_order__answers_stay_what_they_were(
    start: Start, home: Path, photos: Path, tmp_path: Path
) -> None:
    at = read(start("new_bounty", role="requester"), photos)
    click(at, "Next")
    at.text_area(key="ask_classes").input("light\ndark").run()
    click(at, "Next")
    at.radio(key="ask_who").set_value("Anyone").run()
    click(at, "light")
    click(at, "I cannot say")
    at.button(key="ask_back").click().run()
    at.text_area(key="ask_classes").input("dark\nlight\nneither").run()
    click(at, "Next")
    # Neither has the first answer become dark, nor the skip the third class.
    assert "1 × light" in page(at)
    click(at, "neither")
    assert "1 × light · 1 × neither" in page(at)
    click(at, "Undo")
    assert "1 × light" in page(at) and "neither ·" not in page(at)
    known = tmp_path / "known.csv"
    known.write_text("item,answer\n000.png,dark\n001.png,grey\n")
    at.text_input(key="ask_given").input(str(known))
    click(at, "Use them")
    assert "'grey' of 001.png is no class" in shown(at.error[0].value)
    known.write_text("item,answer\n000.png,dark\n001.png,light\n")
    click(at, "Use them")
    assert form_of(at).given == str(known)


def test_new_bounty__files_dropped__are_its_items_and_named_as_files_alone(
    start: Start, home: Path
) -> None:
    at = start("new_bounty", role="requester")
    click(at, "Begin")
    at.radio(key="ask_where").set_value("Files that I drop here").run()
    click(at, "Read")
    assert ["drop some files first" in shown(error.value).lower() for error in at.error] == [True]
    dropped = [
        (name, f"number {n}".encode(), "text/plain")
        for n, name in enumerate(("a.txt", "../../b.txt", "a.txt", "c.txt"))
    ]
    at.file_uploader(key="ask_files").set_value(dropped)
    click(at, "Read")
    assert "4 items: texts." in page(at)
    kept = drafts.folder_of(form_of(at).key) / "dropped"
    assert sorted(path.name for path in kept.iterdir()) == ["2-a.txt", "a.txt", "b.txt", "c.txt"]
    # One table is read as that; what was dropped before is gone.
    table = "text\n" + "\n".join(f"line {n}" for n in range(5))
    at.file_uploader(key="ask_files").set_value([("lines.csv", table.encode(), "text/csv")])
    at.text_input(key="ask_column").input("text")
    click(at, "Read")
    assert "5 items: texts." in page(at)
    assert [path.name for path in kept.iterdir()] == ["lines.csv"]


def test_new_bounty__data_that_was_bought__is_unpacked_for_it_alone(
    start: Start, market: AppMarket, home: Path
) -> None:
    frame = pd.DataFrame({"text": [f"line {n}" for n in range(7)]})
    sold = market.sell(frame, title="Lines to be labeled", price="1 TUSD")
    at = start("new_bounty", role="requester")
    click(at, "Begin")
    at.radio(key="ask_where").set_value("Data that I bought").run()
    click(at, "Read")
    assert ["choose a purchase first" in shown(error.value).lower() for error in at.error] == [True]
    at = click(again(start("dataset", role="requester", dataset=sold.ref)), "Buy")
    click(at, "Pay 1 TUSD")
    market.deliver(sold)
    at = start("new_bounty", role="requester")
    click(at, "Begin")
    at.radio(key="ask_where").set_value("Data that I bought").run()
    assert any("Lines to be labeled" in label for label in at.selectbox(key="ask_bought").options)
    at.text_input(key="ask_column").input("text")
    click(at, "Read")
    assert "7 items: texts." in page(at)
    assert form_of(at).path == str(drafts.folder_of(form_of(at).key) / "bought")
