# SPDX-License-Identifier: Apache-2.0
"""Buying on the data set's page: fetch, check, ask, pay, follow, open; and when it goes wrong."""

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from app import services
from tests.app.conftest import MAIN, SECONDS, Start
from tests.app.screen import button, click, has_button, page, shown, texts
from tests.utils.app_market import AppMarket
from tests.utils.fault_proxy import Fault, FaultProxy
from truthmark.keys.accounts import Wallet
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import Version
from truthmark.market.opened import opened_places
from truthmark.market.seller import Seller
from truthmark.market.settlement import Settlement
from truthmark.storage.serve import GatewayServer
from truthmark.testing.network import role_key

STEPS = ("Paid", "Part", "Verified", "Refunded")


def held(market: AppMarket, role: str, symbol: str = "TUSD") -> int:
    session = market.session(role)
    token = session.profile.token(symbol).address
    return int(session.token(token).functions.balanceOf(session.address).call())


def paid_out(market: AppMarket, version: Version, role: str = "copycat") -> int:
    """Pay the seller, or another, what the contracts hold for them; return what they have then."""
    session = market.session(role)
    Settlement(session).withdraw(version.terms.token, session.address)
    return held(market, role)


def newest_purchase(market: AppMarket, role: str, version: Version) -> str:
    session = market.session(role)
    found = Catalogue.of(session).purchases(buyer=session.address, terms_id=version.terms_id)
    return found[-1].purchase_id.hex()


def steps(at) -> list[tuple[str, str]]:
    """Return the tracker's steps with their colours."""
    found = []
    for element in at.markdown:
        colour, _, rest = element.value.removeprefix(":").partition("-badge[")
        label = shown(rest.removesuffix("]")).strip()
        if rest and label.startswith(STEPS):
            found.append((label, colour))
    return found


def again(at):
    """Look again after the second for which the app trusts its last look at the chain."""
    services.reading._sync.clear()
    at.run()
    assert not at.exception
    return at


@pytest.mark.chain
def test_buy__direct_sale__goes_from_price_to_first_rows(
    start: Start, market: AppMarket, tmp_path: Path
):
    iris = market.versions["iris"]
    had = held(market, "buyer")
    at = start("dataset", dataset=iris.ref)
    assert "You pay\n2.5 TUSD" in page(at)
    assert "The key is kept by the seller alone, who must be there to deliver." in page(at)
    assert f"truthmark get {iris.ref} ./data" in page(at)
    click(at, "Buy")
    assert "every byte matches what the seller committed to" in page(at)
    assert held(market, "buyer") == had  # nothing is paid before a yes
    click(at, "Pay 2.5 TUSD")
    assert held(market, "buyer") == had - 2_500_000
    assert steps(at) == [("Paid", "green"), ("Part 1 of 1", "blue"), ("Verified", "gray")]
    assert not has_button(at, "Buy")
    market.deliver(iris)
    again(at)
    assert steps(at) == [("Paid", "green"), ("Part 1 of 1", "green"), ("Verified", "green")]
    click(at, "Open")
    assert "The key opens every part of the data." in page(at)
    bought = at.dataframe[-1].value
    source = pd.read_csv(market.table("iris")).head(services.buying.FIRST_ROWS)
    pd.testing.assert_frame_equal(bought, source, check_dtype=False)
    at.text_input(key=next(t.key for t in at.text_input if "folder" in t.key)).input(
        str(tmp_path / "iris")
    )
    click(at, "Save")
    files = list((tmp_path / "iris").rglob("*.parquet"))
    assert len(files) == 1
    assert opened_places(market.session("buyer"), iris) == [tmp_path / "iris"]
    pd.testing.assert_frame_equal(pd.read_parquet(files[0]), pd.read_csv(market.table("iris")))
    # Another visit knows it, pays nothing and opens it again.
    at = start("my_data")
    assert "Iris, measured by hand" in page(at)
    at.button(key=f"purchase_open_{newest_purchase(market, 'buyer', iris)}").click().run()
    assert "The key opens every part of the data." in page(at)
    assert held(market, "buyer") == had - 2_500_000


@pytest.mark.chain
def test_buy__two_of_three_custodians__parts_are_counted(start: Start, market: AppMarket):
    reviews = market.versions["reviews"]
    had = held(market, "buyer3")
    at = click(start("dataset", role="buyer3", dataset=reviews.ref), "Buy")
    assert "The key is kept by 2 of 3 custodians." in page(at)
    click(at, "Pay 25.2 TUSD")
    assert held(market, "buyer3") == had - 25_200_000
    market.deliver(reviews, "custodian2")
    again(at)
    assert [colour for _, colour in steps(at)] == ["green", "green", "blue", "gray"]
    assert not has_button(at, "Open")
    market.deliver(reviews, "custodian1")
    again(at)
    assert steps(at) == [
        ("Paid", "green"),
        ("Part 1 of 2", "green"),
        ("Part 2 of 2", "green"),
        ("Verified", "green"),
    ]
    click(at, "Open")
    assert list(at.dataframe[-1].value.columns) == ["item", "worker", "label", "truth"]


@pytest.mark.chain
@pytest.mark.parametrize(
    ("value", "kind"),
    [(2**62, pa.timestamp("s")), (1, pa.timestamp("s", tz="No/Where"))],
    ids=["year too large", "no such time zone"],
)
def test_open__rows_that_cannot_be_shown__says_so(
    start: Start, market: AppMarket, tmp_path: Path, value: int, kind: pa.DataType
):
    table = pa.table({"time": pa.array([value], kind)})
    with pa.ipc.new_file(tmp_path / "hostile.arrow", table.schema) as file:
        file.write_table(table)
    hostile = market.sell(tmp_path / "hostile.arrow", title="Strange times", price="1 TUSD")
    at = click(again(start("dataset", role="buyer3", dataset=hostile.ref)), "Buy")
    click(at, "Pay 1 TUSD")
    market.deliver(hostile)
    click(again(at), "Open")
    assert "The key opens every part of the data." in page(at)
    assert "hostile.arrow · 1 row\nits rows cannot be shown here; save it" in page(at)


@pytest.mark.chain
def test_buy__store_stops_in_the_middle__says_so_and_loses_nothing(
    start: Start, market: AppMarket, monkeypatch: pytest.MonkeyPatch
):
    kept = market.sell(market.table("wine"), title="In a store that stops", price="4 TUSD")
    had = held(market, "buyer3")
    said = "no answer for block"
    with (
        GatewayServer(market.session("seller").storage) as server,
        FaultProxy(int(server.url.rpartition(":")[2])) as way,
    ):
        monkeypatch.setenv("TRUTHMARK_STORAGE", f"gateway:{way.url}")
        at = again(start("dataset", role="buyer3", dataset=kept.ref))
        way.fault = Fault.REFUSE
        click(at, "Buy")
        assert [said in shown(it.value) for it in at.error] == [True]
        assert held(market, "buyer3") == had
        way.fault = None
        click(at, "Buy")
        way.fault = Fault.REFUSE  # what was checked is here, and is paid for
        click(at, "Pay 4 TUSD")
        assert not at.error
        market.deliver(kept)
        assert [colour for _, colour in steps(again(at))] == ["green"] * 3
        # Another day, when what was fetched is gone, too.
        shutil.rmtree(market.net.home("buyer3") / "datasets")
        at = again(start("dataset", role="buyer3", dataset=kept.ref))
        click(at, "Open")
        assert [said in shown(it.value) for it in at.error] == [True]
        assert has_button(at, "Open") and not has_button(at, "Buy")
        way.fault = None
        click(at, "Open")
        assert "The key opens every part of the data." in page(at)
    assert held(market, "buyer3") == had - 4_000_000


@pytest.mark.chain
def test_buy__not_agreed__pays_nothing(start: Start, market: AppMarket):
    wine = market.versions["wine"]
    had = held(market, "buyer")
    at = click(start("dataset", dataset=wine.ref), "Buy")
    click(at, "Not now")
    assert has_button(at, "Buy")
    assert held(market, "buyer") == had


@pytest.mark.chain
def test_buy__price_raised_meanwhile__is_refused(start: Start, market: AppMarket):
    wine = market.versions["wine"]
    had = held(market, "buyer3")
    at = click(start("dataset", role="buyer3", dataset=wine.ref), "Buy")
    seller = Seller(market.session("seller"))
    seller.reprice(wine, 6_000_000)
    click(at, "Pay 4 TUSD")
    assert at.error
    seller.reprice(wine, wine.price)
    assert held(market, "buyer3") == had


@pytest.mark.chain
def test_refund__key_did_not_come__money_is_back(start: Start, market: AppMarket):
    late = market.sell(market.table("wine"), title="Never handed over", price="4 TUSD")
    had = paid_out(market, late, "buyer2")
    at = click(again(start("dataset", role="buyer2", dataset=late.ref)), "Buy")
    click(at, "Pay 4 TUSD")
    assert not has_button(at, "Take")
    market.net.warp(21)
    again(at)
    assert ("Part 1 of 1", "red") in steps(at)
    assert not has_button(at, "Open")
    at = start("my_data", role="buyer2")
    click(at, "Take 4 TUSD back")
    assert "4 TUSD came back." in page(at)
    assert steps(at)[:2] == [("Paid", "green"), ("Refunded", "green")]
    assert held(market, "buyer2") == had
    # Who failed once sells nothing more before the seller deals the key again.
    at = again(start("dataset", role="buyer2", dataset=late.ref))
    assert not has_button(at, "Buy")
    assert f"{late.ref} is not for sale now: those who kept its key failed or left" in page(at)
    at = start("market", role="buyer2")
    at.text_input(key="market_text").input("never handed").run()
    assert "Nothing for sale here matches" in page(at)


@pytest.mark.chain
def test_withdraw__refunded_by_a_stranger__is_paid_out(start: Start, market: AppMarket):
    late = market.sell(market.table("wine"), title="Refunded by a stranger", price="4 TUSD")
    had = paid_out(market, late, "buyer2")
    at = click(again(start("dataset", role="buyer2", dataset=late.ref)), "Buy")
    click(at, "Pay 4 TUSD")
    market.net.warp(21)
    stranger = market.session("stranger")
    Settlement(stranger).refund(Catalogue.of(stranger).purchases(terms_id=late.terms_id))
    assert held(market, "buyer2") == had - 4_000_000
    at = start("my_data", role="buyer2")
    assert "The contracts hold 4 TUSD for you." in page(at)
    click(at, "Withdraw")
    assert "4 TUSD came to you." in page(at)
    assert held(market, "buyer2") == had
    assert not has_button(at, "Withdraw")


@pytest.mark.chain
def test_dispute__wrong_key__price_and_half_the_bond_come_back(start: Start, market: AppMarket):
    copied = market.copy(market.versions["cancer"], price="3 TUSD", bond="10 TUSD", windows="demo")
    had = paid_out(market, copied, "buyer2")
    at = again(start("dataset", role="buyer2", dataset=copied.ref))
    click(at, "Buy")
    click(at, "Pay 3 TUSD")
    market.deliver(copied, "copycat")
    again(at)
    click(at, "Open")
    text = page(at)
    assert "This key does not open the data that the seller promised." in text
    assert "brings back 3 TUSD and 5 TUSD of the seller's bond" in text
    assert "ETH" in text  # what it costs
    click(at, "Dispute")
    assert "3 TUSD and 5 TUSD of the seller's bond came to you." in page(at)
    assert held(market, "buyer2") == had + 5_000_000
    at = again(start("dataset", role="buyer2", dataset=copied.ref))
    assert "its key was proven wrong: do not buy it" in page(at)
    assert not has_button(at, "Buy")


@pytest.mark.chain
def test_buy__hosted_app__offers_the_command_and_holds_no_key(start: Start, market: AppMarket):
    wine = market.versions["wine"]
    at = start("dataset", is_local=False, dataset=wine.ref)
    assert f"truthmark get {wine.ref} ./data" in page(at)
    assert not at.button
    assert not at.selectbox
    with pytest.raises(services.TruthmarkError, match="holds no user's keys"):
        services.pay(wine.ref)
    assert services.account() is None
    for name in ("my_data", "sell"):
        at = start(name, is_local=False)
        assert not at.button
        assert not at.text_input
        assert "This server holds no user's keys." in page(at)


@pytest.mark.chain
def test_is_local__server_that_others_reach__is_never(
    start: Start, market: AppMarket, monkeypatch: pytest.MonkeyPatch
):
    start()
    assert services.is_local()
    monkeypatch.setattr(services.reading.st, "get_option", {"server.address": "0.0.0.0"}.get)
    assert not services.is_local()
    monkeypatch.setattr(services.reading.st, "get_option", {"server.address": None}.get)
    assert not services.is_local()


@pytest.mark.chain
def test_account__role_switched__acts_as_the_other(start: Start, market: AppMarket):
    at = start("my_data")
    assert at.selectbox(key="account_role").value == "buyer"
    assert market.session("buyer").address in page(at)
    address = market.session("stranger").address
    assert address not in page(at)
    at.selectbox(key="account_role").select("stranger").run()
    assert address in page(at)
    assert "This account has not bought anything yet." in page(at)
    assert not has_button(at, "Open")


@pytest.mark.chain
def test_account__home_of_no_devnet__has_no_roles_and_needs_its_passphrase(
    start: Start, market: AppMarket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    home = tmp_path / "home"
    replace(market.net.profile, name="elsewhere").save(home / "profiles")
    Wallet(home / "accounts", work=2).add("me", role_key("buyer3"), "secret words")
    store = market.net.folder / "store"
    (home / "config.toml").write_text(f'profile = "elsewhere"\nstorage = ["local:{store}"]\n')
    start()
    monkeypatch.setenv("TRUTHMARK_HOME", str(home))
    wine = market.versions["wine"]
    at = AppTest.from_file(MAIN, default_timeout=SECONDS).run()
    at.query_params["dataset"] = wine.ref
    at.switch_page("app_pages/dataset.py").run()
    assert not at.exception
    assert not at.selectbox
    click(click(at, "Buy"), "Pay 4 TUSD")
    assert "Your account is locked." in page(at)
    box = next(t for t in at.text_input if t.label == "Passphrase")
    box.input("wrong words")
    click(at, "Unlock")
    assert "This is not the passphrase of account me" in page(at)
    next(t for t in at.text_input if t.label == "Passphrase").input("secret words")
    click(at, "Unlock")
    click(at, "Pay 4 TUSD")
    assert ("Paid", "green") in steps(at)
    assert "secret words" not in "".join(texts(at))
    market.deliver(wine)
    again(at)
    assert button(at, "Open")
