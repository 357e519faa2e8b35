# SPDX-License-Identifier: Apache-2.0
"""Selling: from a file of this machine to a listing, with a look at what becomes public."""

from pathlib import Path

import pandas as pd
import pytest

from app import services
from tests.app.conftest import Start
from tests.app.screen import click, has_button, page
from tests.utils.app_market import AppMarket
from truthmark.market.catalogue import Catalogue
from truthmark.market.records import CustodyStatus

KEY = "sell_way"


def describe(at, path: Path, title: str, examples: int = 2):
    at.text_input(key="sell_path").input(str(path))
    at.text_input(key="sell_title").input(title)
    at.text_area(key="sell_description").input("Two columns.\n\nNothing else.")
    at.slider(key="sell_examples").set_value(examples)
    return click(at, "Check")


def back_up(at, file: Path):
    at.text_input[0].input(str(file))
    for box in at.text_input[1:3]:
        box.input("a passphrase")
    return click(at, "Make a backup")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "prices.csv"
    pd.DataFrame({"town": ["Ulm", "Bonn", "Jena"] * 40, "price": range(120)}).to_csv(
        path, index=False
    )
    return path


@pytest.mark.chain
def test_sell__file_kept_by_the_seller__is_reviewed_backed_up_and_listed(
    start: Start, market: AppMarket, source: Path, tmp_path: Path
):
    at = describe(start("sell", role="stranger"), source, "Prices of towns")
    text = page(at)
    assert "2 · This becomes public" in text
    assert "Prices of towns" in text
    assert "120 rows" in text
    assert "this is too little data to draw from (1 part)" in text
    frames = [frame.value for frame in at.dataframe]
    assert list(frames[0].columns) == ["town", "price"]
    assert len(frames[0]) == 2
    assert list(frames[1]["column"]) == ["town", "price"]
    assert not has_button(at, "List it")  # not without a backup
    back_up(at, tmp_path / "keys.tmkb")
    assert (tmp_path / "keys.tmkb").stat().st_size > 100
    at.number_input(key="sell_price").set_value(7.25)
    at.number_input(key="sell_bond").set_value(1.5)
    at.selectbox(key=KEY).select("I keep it and stay online")
    at.selectbox(key="sell_windows").select("demo")
    click(at, "List it")
    assert "For sale as no. " in page(at)
    assert "truthmark deliver --follow" in page(at)
    services.reading._sync.clear()
    at = start("market")
    at.text_input(key="market_text").input("prices of towns").run()
    text = page(at)
    assert "7.25 TUSD" in text
    assert "1.5 TUSD bond" in text


@pytest.mark.chain
def test_sell__without_a_sample__says_that_nobody_will_have_seen_it(start: Start, source: Path):
    at = start("sell", role="stranger")
    at.checkbox(key="sell_sample").uncheck()
    at = describe(at, source, "Blind")
    assert "None: no one but you will have seen this data before." in page(at)


@pytest.mark.chain
def test_sell__columns_kept_private_with_a_sample__is_refused(start: Start, source: Path):
    at = start("sell", role="stranger")
    at.checkbox(key="sell_columns").uncheck()
    at = describe(at, source, "Hidden")
    assert "to keep them private, sell without one" in page(at)


@pytest.mark.chain
def test_sell__custodians__are_waited_for(start: Start, market: AppMarket, source, tmp_path):
    at = describe(start("sell", role="buyer3"), source, "Kept by others", examples=0)
    assert len(at.dataframe) == 1  # columns, and no rows
    back_up(at, tmp_path / "keys.tmkb")
    at.selectbox(key=KEY).select_index(0)
    assert at.selectbox(key=KEY).value.startswith("3 custodians keep it, any 2")
    at.selectbox(key="sell_windows").select("demo")
    at.number_input(key="sell_days").set_value(30)
    click(at, "List it")
    assert "For sale" not in page(at)
    listed = at.session_state["sell_listed"]
    market.accept(Catalogue.of(market.session("buyer3")).version(listed))
    at.run()
    assert f"For sale as no. {listed}." in page(at)
    assert "deliver --follow" not in page(at)


@pytest.mark.chain
def test_sell__no_custodian_accepts__key_goes_to_others_as_agreed(
    start: Start, market: AppMarket, source: Path, tmp_path: Path
):
    at = describe(start("sell", role="buyer2"), source, "Passed on", examples=0)
    back_up(at, tmp_path / "keys.tmkb")
    at.selectbox(key=KEY).select_index(0)
    assert at.checkbox(key="sell_deals_again").value
    at.number_input(key="sell_days").set_value(30)
    click(at, "List it")
    session = market.session("buyer2")
    version = Catalogue.of(session).version(at.session_state["sell_listed"])
    first = Catalogue.of(session).epochs(version.terms_id)[0]
    now = session.chain.time()
    assert first.custody.accept_until - now <= 600  # and not the day of its time limits
    assert "Not yet: " + first.custodians[0] in page(at)
    market.net.warp(first.custody.accept_until - now + 1)
    services.reading._sync.clear()
    # All three did not accept, and there are no others: that is said, and nothing is lost.
    at.run()
    assert "0 of 3 custodians offer this" in page(at)
    Catalogue.of(session).sync()
    assert len(Catalogue.of(session).epochs(version.terms_id)) == 1
    assert Catalogue.of(session).states([first])[0].status is CustodyStatus.LAPSED


@pytest.mark.chain
def test_sell__uploaded_file__leaves_no_copy(start: Start, market: AppMarket, source: Path):
    at = start("sell", role="stranger")
    at.file_uploader(key="sell_upload").upload("../towns.csv", source.read_bytes(), "text/csv")
    click(at, "Check")
    assert "120 rows" in page(at)
    assert at.session_state["sell_packed"].title == "towns"
    home = market.net.home("stranger")
    assert not list(home.rglob("towns.csv"))
    assert not list(home.glob(".upload-*"))


@pytest.mark.chain
def test_sell__changed_mind__leaves_nothing_behind(start: Start, market: AppMarket, source: Path):
    at = describe(start("sell", role="stranger"), source, "Never listed")
    folder = Path(at.session_state["sell_packed"].folder)
    assert folder.is_dir()
    click(at, "Change it")
    assert not folder.exists()
    assert has_button(at, "Check")


@pytest.mark.chain
@pytest.mark.parametrize(
    ("path", "told"),
    [("", "There is nothing at no path"), ("/nowhere/x.csv", "nothing at /nowhere")],
)
def test_sell__no_such_file__is_said(start: Start, market: AppMarket, path: str, told: str):
    at = start("sell", role="stranger")
    at.text_input(key="sell_path").input(path)
    click(at, "Check")
    assert told in page(at)
    assert "sell_packed" not in at.session_state


@pytest.mark.chain
def test_buy__seller_was_not_seen_for_a_day__is_warned_of(start: Start, market: AppMarket):
    ref = market.sell(market.table("wine"), title="Kept by one who left", price="4 TUSD").ref
    services.reading._sync.clear()
    assert "was last seen on the chain" not in page(start("dataset", role="buyer", dataset=ref))
    market.net.warp(86_400 + 60)
    services.reading._sync.clear()
    text = page(start("dataset", role="buyer", dataset=ref))
    assert "The seller must hand the key over, and was last seen on the chain" in text
    assert "ago)" in text  # by chain time, each time that it is drawn


@pytest.mark.chain
def test_sell__what_a_bounty_brought__comes_with_its_labelers_share_until_something_else_is_sold(
    start: Start, market: AppMarket, source: Path, tmp_path: Path
):
    at = start("sell", role="buyer2")
    given = {"sell_from": 7, "sell_path": str(source), "sell_title": "Labeled towns"}
    for name, value in given.items():
        at.session_state[name] = value
    at.run()
    assert at.text_input(key="sell_path").value == str(source)
    assert at.text_input(key="sell_title").value == "Labeled towns"
    click(at, "Check")
    back_up(at, tmp_path / "keys.tmkb")
    assert at.number_input(key="sell_royalty").value == 5.0
    at.selectbox(key=KEY).select("I keep it and stay online")
    at.selectbox(key="sell_windows").select("demo")
    # There is no bounty 7, so nothing is listed in its name.
    click(at, "List it")
    assert "There is no bounty 7" in page(at)
    click(at, "Change it")
    click(at, "Sell something else")
    assert at.text_input(key="sell_path").value == ""
    assert "sell_from" not in at.session_state
