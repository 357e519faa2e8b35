# SPDX-License-Identifier: Apache-2.0
"""Who acts: chosen in the menu, kept in the page's address, named on what pays and lists."""

import pytest
from streamlit.testing.v1 import AppTest

from app import services
from tests.app.conftest import MAIN, SECONDS, Start
from tests.app.screen import click, has_button, page
from tests.utils.app_market import AppMarket


def visit(**query: str) -> AppTest:
    """Open the app at an address, as the account that the environment names."""
    at = AppTest.from_file(MAIN, default_timeout=SECONDS)
    at.query_params.update(query)
    at.run()
    assert not at.exception
    return at


@pytest.mark.chain
def test_role__chosen_and_loaded_again__stays(start: Start, market: AppMarket):
    at = start()
    assert "role" not in at.query_params
    at.selectbox(key="account_role").select("buyer2").run()
    assert at.query_params["role"] == "buyer2"
    # What loading the page again does: a visit that knows the address alone.
    again = visit(role="buyer2")
    assert again.selectbox(key="account_role").value == "buyer2"
    assert market.session("buyer2").address in page(again)


@pytest.mark.chain
@pytest.mark.parametrize("named", ["../seller", "nobody", "", "x" * 5_000])
def test_role__address_names_none_that_is_here__is_dropped(
    start: Start, market: AppMarket, named: str
):
    start()
    at = visit(role=named)
    assert at.selectbox(key="account_role").value == "buyer"
    assert market.session("buyer").address in page(at)
    assert "role" not in at.query_params


@pytest.mark.chain
def test_role__address_changes_later__nobody_else_acts(start: Start, market: AppMarket):
    start()
    at = visit(role="buyer2")
    at.query_params["role"] = "seller"
    at.run()
    assert at.selectbox(key="account_role").value == "buyer2"
    assert at.query_params["role"] == "buyer2"


@pytest.mark.chain
def test_role__hosted__address_is_not_asked(start: Start):
    start(is_local=False)
    at = visit(role="seller")
    assert not at.error
    assert not [box for box in at.selectbox if box.key == "account_role"]


@pytest.mark.chain
def test_pay__role_changed_after_the_price__is_not_offered_nor_done(
    start: Start, market: AppMarket, monkeypatch: pytest.MonkeyPatch
):
    at = start("dataset", dataset=market.versions["wine"].ref)
    click(at, "Buy")
    assert has_button(at, "Pay 4 TUSD as buyer")
    paid: list[str] = []
    monkeypatch.setattr(services, "pay", lambda ref, **_: paid.append(ref))
    drawn = next(b for b in at.button if b.key.startswith("dataset_pay_"))
    assert market.session("buyer").address in drawn.key
    at.selectbox(key="account_role").select("buyer3")
    drawn.click()
    at.run()
    assert not at.exception
    assert paid == []
    assert not has_button(at, "Pay")
