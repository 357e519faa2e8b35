# SPDX-License-Identifier: Apache-2.0
"""The way back to a wallet: what was chosen stays chosen, and what is said of it is true."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app import services, views
from app.components import acting, giving_back
from app.services import returning
from tests.app.screen import click, page
from tests.utils.offline_market import address

WALLET, ONE, TWO, THREE = address(0x3A), address(0xD0), address(0xD1), address(0xD2)


def left(*tokens: views.LeftToken) -> views.Left:
    return views.Left(account=address(1), tokens=tokens, coins="", running=())


def test_giving_back__refund_comes_and_amounts_are_alike__choice_stays_what_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = views.LeftToken(ONE, "TUSD", "5", "")
    two = views.LeftToken(TWO, f"TUSD {TWO}", "5", "")
    now = [left(one, two)]
    given: list[tuple[str, ...]] = []

    def give_back(to: str, tokens: tuple[str, ...], *, coins: bool) -> str:
        given.append(tokens)
        return "It is said so."

    monkeypatch.setattr(returning, "left", lambda: now[0])
    monkeypatch.setattr(returning, "give_back", give_back)
    monkeypatch.setattr(giving_back, "wallet", lambda *_: None)
    monkeypatch.setattr(acting, "unlock_first", lambda: True)
    monkeypatch.setattr(services, "wallet_offer", lambda _: None)

    def draw() -> None:
        from app.components.giving_back import giving_back

        giving_back()

    at = AppTest.from_function(draw).run()
    at.text_input(key=f"give_back_{address(1)}_to_").input(WALLET).run()
    click(at, "Send it there")
    at.multiselect(key=f"give_back_{address(1)}_what").set_value([f"TUSD {TWO}"]).run()
    now[0] = left(one, views.LeftToken(TWO, f"TUSD {TWO}", "25", "20"))
    at.run()
    assert f"TUSD {TWO}: 25, 20 of it still in the contracts" in page(at)
    click(at, "Send it there")
    assert not at.exception
    assert given == [(ONE, TWO), (TWO,)]
    assert "It is said so." in page(at)
    # What comes later is sent, too, if it is not taken out.
    now[0] = left(one, two, views.LeftToken(THREE, "TMK", "100", ""))
    at.run()
    click(at, "Send it there")
    assert given[-1] == (TWO, THREE)


def test_giving_back__account_begins_to_need_its_gas__coins_are_not_chosen_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [views.Left(account=address(1), tokens=(), coins="1 ETH", running=())]
    monkeypatch.setattr(returning, "left", lambda: now[0])
    monkeypatch.setattr(giving_back, "wallet", lambda *_: None)
    monkeypatch.setattr(services, "wallet_offer", lambda _: None)

    def draw() -> None:
        from app.components.giving_back import giving_back

        giving_back()

    at = AppTest.from_function(draw).run()
    assert at.checkbox[0].value
    now[0] = replace(now[0], running=(7,))
    at.run()
    assert not at.exception and "as long as bounty 7 runs" in page(at)
    assert not at.checkbox[0].value
    # What was ticked for one account is not for another.
    at.checkbox[0].check().run()
    now[0] = replace(now[0], account=address(2))
    at.run()
    assert not at.checkbox[0].value


@pytest.mark.parametrize(
    ("held", "sent", "says"),
    [
        (9, {}, "9 wei stays here: it is too little to pay for its own gas."),
        (
            9,
            {ONE: 5},
            f"5 TUSD went to {WALLET}. 9 wei stays here: it is too little to pay for its own gas.",
        ),
        (9, {ONE: 5, "": 70}, f"5 TUSD and 70 wei went to {WALLET}."),
        (0, {}, "Nothing was left."),
    ],
)
def test_give_back__coins_below_their_gas__says_that_they_stay(
    held: int, sent: dict[str, int], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = SimpleNamespace(
        amount=lambda units, token: f"{units} TUSD", native=lambda wei: f"{wei} wei"
    )
    session: Any = SimpleNamespace(
        address=address(1),
        profile=profile,
        chain=SimpleNamespace(balance=lambda _: held),
        require_account=lambda: None,
    )
    monkeypatch.setattr(returning, "my_session", lambda: session)
    monkeypatch.setattr(returning, "send_back", lambda *_, **__: sent)
    assert returning.give_back(WALLET, (ONE,), coins=True) == says


def test_left__two_tokens_of_one_symbol__have_names_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = [SimpleNamespace(token=token, units=5, owed=0) for token in (ONE, TWO)]
    profile = SimpleNamespace(
        token=lambda token: SimpleNamespace(symbol="TUSD"), amount=lambda units, token: "5 TUSD"
    )
    session: Any = SimpleNamespace(
        address=address(1), profile=profile, chain=SimpleNamespace(balance=lambda _: 0)
    )
    monkeypatch.setattr(returning, "my_session", lambda: session)
    monkeypatch.setattr(returning, "held_by", lambda _: held)
    monkeypatch.setattr(returning, "running", lambda _: ())
    found = returning.left()
    assert [token.name for token in found.tokens] == [f"TUSD {ONE}", f"TUSD {TWO}"]
