# SPDX-License-Identifier: Apache-2.0
"""Buying at the command line, what goes wrong on the way, and what JSON promises."""

import re
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.utils.cli import Person
from tests.utils.cli_market import (
    DIRECT,
    PLENTY,
    Lister,
    address,
    buyer,
    expensive,
    frame,
    held,
    kept,
    net,
    seller,
    sold,
)
from truthmark.cli.main import INTERRUPTED
from truthmark.errors import EndpointsDisagreeError
from truthmark.testing.network import Devnet, role_key

__all__ = ["buyer", "expensive", "frame", "kept", "net", "seller", "sold"]


pytestmark = pytest.mark.chain


# --------------------------------------------------------------------- the main path


@pytest.mark.untraced
def test_sale__direct_mode_from_two_homes__ends_with_the_frame_and_the_money(
    seller: Person, buyer: Person, sold: Lister, frame: pd.DataFrame, net: Devnet, tmp_path: Path
) -> None:
    ref = sold("--bond", "10 TUSD")
    sellers, buyers = held(seller), held(buyer)

    found = buyer("search", "rows", "--max-price", "25 TUSD", "--json").ok().json
    assert ref in [hit["dataset"] for hit in found]
    shown = buyer("show", ref, "--json").ok().json
    assert shown["card"]["licence"] == "CC-BY-4.0"
    assert shown["terms"]["bond"]["text"] == "10 TUSD"
    assert shown["custody"][0]["is_direct"] is True

    bought = buyer("buy", ref, *PLENTY, "--json").ok().json
    assert bought["status"] == "paid"
    assert held(buyer) == buyers - 25_000_000
    assert buyer("buy", ref, *PLENTY).ok().out.strip() == bought["purchase"]
    assert held(buyer) == buyers - 25_000_000

    waiting = seller("sales", ref, "--json").ok().json[0]["purchases"]
    assert [(p["purchase"], p["status"]) for p in waiting] == [(bought["purchase"], "paid")]
    assert "delivered to" in seller("deliver", ref).ok().out
    assert "nothing to deliver" in seller("deliver", ref).ok().err

    got = buyer("get", ref, tmp_path / "data", *PLENTY, "--json").ok().json
    assert got["purchase"] == bought["purchase"]
    assert got["paid"]["text"] == "25 TUSD"
    table = pd.read_parquet(next((tmp_path / "data").glob("*.parquet")))
    pd.testing.assert_frame_equal(table, frame)
    assert held(buyer) == buyers - 25_000_000
    assert address(buyer) in buyer("show", ref).ok().out  # may still dispute

    seller("settle", ref).refused(8, "may dispute until")
    net.warp(7_300)
    assert "25 TUSD" in seller("settle", ref).ok().out
    seller("settle", ref).refused(8, "nothing to settle")
    owed = seller("balance", "--json").ok().json["tokens"]
    market = next(t["credits_by"]["market"] for t in owed if t["credits_by"])
    assert int(market["units"]) >= 25_000_000
    assert "paid to" in seller("withdraw").ok().out
    assert held(seller) == sellers + 25_000_000
    assert "nothing is owed" in seller("withdraw").ok().err
    assert seller("sales", ref, "--json").ok().json[0]["income"]["text"] == "25 TUSD"


def test_show__no_two_endpoints_agree_on_the_sample__tells_all_else(
    buyer: Person, sold: Lister, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disagree(*_: Any) -> Any:
        raise EndpointsDisagreeError("two endpoints say different things")

    ref = sold("--examples", "2", price="2 TUSD")
    monkeypatch.setattr("truthmark.cli.show.look", disagree)
    shown = buyer("show", ref).ok().out
    assert "offered for 2 TUSD with all fees; `truthmark get` looks at its sample first" in shown
    assert "It was not looked at: two endpoints say different things" in shown
    sample = buyer("show", ref, "--json").ok().json["sample"]
    assert sample["state"] is None
    assert len(sample["found"]) == 1


def test_purchases__from_paying_to_the_end__tell_state_place_and_what_to_do(
    seller: Person, buyer: Person, sold: Lister, net: Devnet, tmp_path: Path
) -> None:
    ref = sold("--examples", "2", price="2 TUSD")

    def stands(key: str = "next") -> Any:
        (entry,) = buyer("purchases", ref, "--json").ok().json
        return entry[key]

    other = Person(net.home("buyer2"))
    assert "can be bought now, for 2 TUSD" in other("show", ref).ok().out
    assert "has bought" in other("purchases", ref).ok().err
    buyer("buy", ref, *PLENTY).ok()
    assert "waits for it" in stands()
    assert f"`truthmark deliver {ref}`, before" in seller("sales", ref).ok().out
    seller("deliver", ref).ok()
    assert "truthmark dispute" in stands()
    # A full disk, or a folder that is lost later, costs nothing.
    for place in (tmp_path / "one", tmp_path / "two"):
        buyer("get", ref, place).ok()
    assert stands("opened") == [str(tmp_path / "one"), str(tmp_path / "two")]
    assert stands() is None
    key, me = tmp_path / "key", Person(tmp_path / "home")
    other("keys", "export", ref, key).refused(8, "has not bought")
    buyer("keys", "export", ref, key).ok()
    me("init", "--devnet", net.folder).ok()
    fetched = me("fetch", ref).ok().out.strip()
    me("dataset", "open", fetched, tmp_path / "mine", "--key", key).ok()
    assert len(pd.read_parquet(next((tmp_path / "mine").glob("*.parquet")))) == 3_000
    shutil.rmtree(tmp_path / "two")
    assert stands("opened") == [str(tmp_path / "one")]
    assert "bought" in buyer("search", "rows").ok().out
    buyer.env["COLUMNS"] = seller.env["COLUMNS"] = "60"
    try:
        shown = [
            buyer(*arguments).ok()
            for arguments in (("search",), ("show", ref), ("purchases",), ("balance",), ("doctor",))
        ]
        shown += [seller(*arguments).ok() for arguments in (("sales",), ("wallet", "list"))]
    finally:
        del buyer.env["COLUMNS"], seller.env["COLUMNS"]
    long = re.compile(r"0x[0-9a-f]{64}|baf[a-z0-9]{40,}|/[^ ]{30,}|0x[0-9a-fA-F]{40}")
    for line in [line for done in shown for line in (done.out + done.err).splitlines()]:
        assert len(line) <= 60 or long.search(line), line
    net.warp(7_300)
    seller("settle", ref).ok()
    assert stands("status") == "settled"


def test_purchases__key_does_not_come__says_how_the_money_comes_back(
    buyer: Person, sold: Lister, net: Devnet
) -> None:
    ref = sold(price="1 TUSD")
    buyer("buy", ref, *PLENTY).ok()
    net.warp(3_700)
    assert f"`truthmark refund {ref}`" in buyer("purchases", ref).ok().out
    buyer("refund", ref).ok()
    assert "refunded" in buyer("purchases", ref).ok().out


def test_get__no_room_at_the_target__is_refused_before_paying(
    buyer: Person, kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=1_000))
    buyer("get", kept, tmp_path / "data", *PLENTY).refused(3, "there is room for 1000 bytes")
    assert buyer("purchases", kept, "--json").ok().json == []
    buyer("get", kept, *PLENTY).refused(2, "Missing argument 'FOLDER'")


def test_get__disk_is_full_while_it_opens__stays_bought_and_opens_elsewhere(
    seller: Person,
    buyer: Person,
    sold: Lister,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ref = sold(price="1 TUSD")
    buyer("buy", ref, *PLENTY).ok()
    seller("deliver", ref).ok()
    before = held(buyer)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path / "data"))

    with monkeypatch.context() as patch:
        patch.setattr("truthmark.cli.buy.write_out", full)
        failed = buyer("get", ref, tmp_path / "data").refused(1, "No space left")
    assert f"truthmark get {ref} FOLDER" in failed.err
    buyer("get", ref, tmp_path / "other").ok()
    assert held(buyer) == before


def test_list__same_name_of_other_data__is_packed_beside_and_sold_too(
    seller: Person, frame: pd.DataFrame, tmp_path: Path
) -> None:
    refs = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        frame.head(5).to_parquet(folder / "twice.parquet")
        command = ("list", folder / "twice.parquet", "--price", "1 TUSD", *DIRECT)
        shown = seller(*command, "--backup", folder / "b").ok()
        refs.append(shown.out.strip())
    packed = seller.home / "packed"
    said = f"{packed}/twice holds other data of the same name, listed as {refs[0]}; this is packed"
    assert f"{said} beside it, into {packed}/twice-2" in shown.err
    frame.head(6).to_parquet(folder / "twice.parquet")
    shown = seller(*command, "--backup", folder / "c").ok()
    assert f"{packed}/twice-2 holds {folder}/twice.parquet as it was before it cha" in shown.err
    assert f"list it as an update of {refs[1].partition('@')[0]}" in shown.err
    refs.append(shown.out.strip())
    assert seller(*command).ok().out.strip() == refs[-1]
    # The same file with other texts is something else, too; what is else is said.
    shown = seller(*command, "--title", "Twice", "--backup", folder / "d").ok()
    said = f"{packed}/twice-3 holds the same data with another --title, listed as {refs[2]};"
    assert said in shown.err
    refs.append(shown.out.strip())
    assert len(set(refs)) == 4


def test_deliver_watch__sale_comes__is_delivered_and_settled_until_interrupted(
    seller: Person, buyer: Person, sold: Lister, net: Devnet, tmp_path: Path
) -> None:
    ref = sold(price="3 TUSD")
    watching = seller.start("deliver", ref, "--follow")
    try:
        done = buyer.run("get", ref, tmp_path / "data", "--yes", "--blind", "--max-price", "3 TUSD")
        assert done.ok().out.strip() == str(tmp_path / "data")
        net.warp(7_300)
        assert watching.stdout is not None
        said = ""
        for line in watching.stdout:
            said += line
            if "settled" in line:
                break
    finally:
        watching.send_signal(signal.SIGINT)
        _, err = watching.communicate(timeout=300)
    assert watching.returncode == INTERRUPTED
    assert "delivered to" in said
    assert "settled" in said
    assert seller("sales", ref, "--json").json[0]["purchases"][0]["status"] == "settled"
    assert "Traceback" not in err


def test_get__own_home_and_imported_key__needs_only_the_devnets_folder(
    net: Devnet, seller: Person, sold: Lister, tmp_path: Path, frame: pd.DataFrame
) -> None:
    ref = sold(price="1 TUSD")
    me = Person(tmp_path / "me", MY_KEY="0x" + role_key("stranger").hex())
    me("init", "--devnet", net.folder).ok()
    me("wallet", "import", "me", "--from", "env:MY_KEY").ok()
    me("buy", ref, *PLENTY).ok()
    seller("deliver").ok()
    me("get", ref, tmp_path / "data", "--format", "arrow").ok()
    table = pd.read_feather(next((tmp_path / "data").glob("*.arrow")))
    pd.testing.assert_frame_equal(table, frame)
    assert me("doctor").ok().out.count("ok  ") >= 9


def test_get__home_lost__the_wallet_alone_opens_it_again(
    net: Devnet, seller: Person, buyer: Person, sold: Lister, tmp_path: Path
) -> None:
    ref = sold(price="1 TUSD")
    buyer("buy", ref, *PLENTY).ok()
    seller("deliver", ref).ok()
    again = Person(tmp_path / "again", MY_KEY="0x" + role_key("buyer").hex())
    again("init", "--devnet", net.folder, "--account", "env:MY_KEY").ok()
    before = held(buyer)
    again("get", ref, tmp_path / "data", "--yes").ok()
    assert held(buyer) == before


def test_get__asked_and_declined__pays_nothing(buyer: Person, kept: str, tmp_path: Path) -> None:
    before = held(buyer)
    shown = buyer("get", kept, tmp_path / "data", "--blind", stdin="n\n").refused(
        8, "nothing was bought"
    )
    assert "pay 7.5 TUSD?" in shown.err
    buyer("get", kept, tmp_path / "data").refused(3, "no terminal to answer")
    buyer("get", kept, tmp_path / "data", "--yes").refused(3, "--max-price")
    buyer("get", kept, tmp_path / "data", "--yes", "--blind", "--max-price", "7 TUSD").refused(
        8, "costs"
    )
    buyer("get", kept, tmp_path / "data", "--yes", "--blind", "--max-price", "9 TEUR").refused(
        8, "another"
    )
    assert held(buyer) == before
    assert not (tmp_path / "data").exists()


def test_get__target_taken__is_refused_before_paying(
    buyer: Person, kept: str, tmp_path: Path
) -> None:
    (tmp_path / "mine").write_text("x")
    buyer("get", kept, tmp_path, *PLENTY).refused(3, "exists already")
    assert buyer("show", kept, "--json").json["purchases"] == []


def test_get__target_that_cannot_be_made__is_refused_before_paying(
    buyer: Person, kept: str
) -> None:
    done = buyer("get", kept, "/proc/nowhere/data", *PLENTY)
    done.refused(3, "/proc/nowhere/data cannot be made")
    assert buyer("show", kept, "--json").json["purchases"] == []


def test_get__not_for_sale_or_too_expensive__is_said_before_the_download(
    seller: Person, buyer: Person, sold: Lister, tmp_path: Path
) -> None:
    ref = sold(price="7 TUSD")
    expensive = buyer(
        "get", ref, tmp_path / "data", "--yes", "--blind", "--max-price", "6 TUSD"
    ).refused(8, "costs")
    seller("pause", ref).ok()
    paused = buyer("get", ref, tmp_path / "data", *PLENTY).refused(8, "pause")
    for done in (expensive, paused):
        assert "fetch" not in done.err


def test_get__done_before__says_so_unless_the_folder_was_changed(
    seller: Person, buyer: Person, sold: Lister, tmp_path: Path
) -> None:
    ref = sold(price="1 TUSD")
    buyer("buy", ref, *PLENTY).ok()
    seller("deliver", ref).ok()
    data = tmp_path / "data"
    first, again = (buyer("get", ref, data).ok() for _ in range(2))
    assert "already" in again.err and again.out == first.out == f"{data}\n"
    buyer("get", ref, data, "--format", "arrow").refused(3, "exists already")
    (data / "note.txt").write_text("mine")
    buyer("get", ref, data).refused(3, "exists already")


def test_buy__more_than_the_account_has__says_what_it_has(buyer: Person, sold: Lister) -> None:
    ref = sold(price="10000000 TUSD")
    buyer("buy", ref, "--yes", "--blind", "--max-price", "10000000 TUSD").refused(8, "not enough")


# ------------------------------------------------------------------ when sales go wrong


def test_refund__not_delivered_in_time__brings_the_money_back(
    buyer: Person, sold: Lister, net: Devnet, tmp_path: Path
) -> None:
    first, second = sold(price="4 TUSD"), sold(price="6 TUSD")
    before = held(buyer)
    buyer("buy", first, *PLENTY).ok()
    buyer("buy", second, *PLENTY).ok()
    buyer("refund", first).refused(8, "a key may still come until")
    net.warp(3_700)
    assert f"{first}: 4 TUSD came back" in buyer("refund", first).ok().out
    assert held(buyer) == before - 6_000_000
    # `get` offers the same.
    buyer("get", second, tmp_path / "d", stdin="n\n").refused(8, "truthmark refund")
    buyer("get", second, tmp_path / "d", stdin="y\n").refused(8, "paid back")
    assert held(buyer) == before
    buyer("refund", first).refused(8, "nothing to refund")
    # The custody has failed, so it sells no more until it is renewed.
    buyer("buy", first, *PLENTY).refused(8, "renew")


def test_renew__after_a_refund__sells_again(
    seller: Person, buyer: Person, sold: Lister, net: Devnet
) -> None:
    ref = sold(price="2 TUSD")
    buyer("buy", ref, *PLENTY).ok()
    net.warp(3_700)
    buyer("refund", ref).ok()
    seller("renew", ref, "--custodians", "direct").ok()
    buyer("buy", ref, *PLENTY).ok()
    assert "delivered to" in seller("deliver", ref).ok().out
    buyer("renew", ref, "--custodians", "direct").refused(7, "restore a backup")


@pytest.fixture
def copied(net: Devnet, seller: Person, sold: Lister, tmp_path: Path) -> str:
    """Name a listing of a copycat: another seller's container under a key of their own."""
    from truthmark.codec import read_manifest
    from truthmark.keys.curve import random_scalar

    sold()
    newest = max((seller.home / "packed").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    folder = tmp_path / "copy"
    shutil.copytree(newest, folder)
    with net.session("copycat") as session:
        key = session.vault.put_seller_secret(random_scalar())
        manifest = replace(read_manifest(folder), public_key=key)
        (folder / "manifest.json").write_bytes(manifest.to_bytes())
    copycat = Person(net.home("copycat"))
    listed = copycat(
        *("list", folder, "--price", "5 TUSD", "--custodians", "direct", "--windows", "small"),
        *("--bond", "8 TUSD", "--backup", tmp_path / "b", "--yes"),
    )
    return listed.ok().out.strip()


def test_get__key_is_wrong__says_what_a_dispute_brings_and_sends_it_on_a_yes(
    net: Devnet, buyer: Person, copied: str, tmp_path: Path
) -> None:
    before = held(buyer)
    buyer("buy", copied, *PLENTY).ok()
    Person(net.home("copycat"))("deliver").ok()
    shown = buyer("get", copied, tmp_path / "d", stdin="n\n").refused(8, "truthmark dispute")
    assert "5 TUSD and 4 TUSD of the seller's bond" in shown.err
    assert "ETH for gas" in shown.err
    buyer("dispute", copied, stdin="y\n").refused(8, "was proven wrong")
    assert held(buyer) == before + 4_000_000
    buyer("buy", copied, *PLENTY).refused(8, "revoked")
    assert "do not buy" in buyer("show", copied).ok().out
    assert not (tmp_path / "d").exists()


def test_refund__another_buyer_proved_the_key_wrong__brings_the_money_back(
    net: Devnet, buyer: Person, copied: str, tmp_path: Path
) -> None:
    other = Person(net.home("buyer2"))
    before = held(other)
    buyer("buy", copied, *PLENTY).ok()
    other("buy", copied, *PLENTY).ok()
    Person(net.home("copycat"))("deliver").ok()
    buyer("get", copied, tmp_path / "d", "--yes").refused(8, "was proven wrong")
    assert "came back" in other("refund", copied).ok().out
    assert held(other) == before


def test_get__key_proven_wrong_while_waiting__brings_the_money_back(
    net: Devnet, buyer: Person, copied: str, tmp_path: Path
) -> None:
    other = Person(net.home("buyer2"))
    before = held(other)
    buyer("buy", copied, *PLENTY).ok()
    Person(net.home("copycat"))("deliver").ok()
    other("buy", copied, *PLENTY).ok()
    buyer("dispute", copied, "--yes").refused(8, "was proven wrong")
    shown = other("get", copied, tmp_path / "d", stdin="y\n").refused(8, "paid back")
    assert "the sale was ended, as its key was proven wrong" in shown.err
    assert held(other) == before


def test_dispute__key_is_right__is_refused(seller: Person, buyer: Person, sold: Lister) -> None:
    ref = sold(price="1 TUSD")
    buyer("dispute", ref).refused(8, "nothing to dispute")
    buyer("buy", ref, *PLENTY).ok()
    buyer("dispute", ref).refused(8, "has not come yet")
    seller("deliver", ref).ok()
    buyer("dispute", ref, "--yes").refused(8, "nothing to dispute")


# ------------------------------------------------------------------- what JSON promises


HEAD = {"dataset", "listing", "version", "uri", "terms_id", "seller", "price", "status"}


KEYS = {
    ("search",): HEAD
    | {"title", "description", "licence", "listed_at", "rows", "size", "sold", "sample"}
    | {"is_bought"},
    ("show", "KEPT"): HEAD
    | {"card", "problem", "size", "terms", "custody", "purchases", "time"}
    | {"sold", "is_bought", "can_be_bought", "why_not", "provenance", "reused"}
    | {"sample", "rejected", "reviews"},
    ("sales",): HEAD | {"income", "purchases", "can_be_bought"},
    ("balance",): {"account", "gas", "tokens"},
    ("wallet", "list"): {"name", "address", "file", "is_chosen"},
    ("doctor",): {"name", "result", "text", "advice"},
    ("index", "status"): {"database", "block", "time", "chain_block", "events"},
    ("devnet", "status"): {"folder", "url", "is_running", "block", "time"},
    ("fetch", "KEPT"): HEAD | {"folder"},
}


@pytest.mark.parametrize("arguments", KEYS, ids=" ".join)
def test_json__every_read__has_the_documented_keys(
    arguments: tuple[str, ...], seller: Person, kept: str
) -> None:
    shown = seller(*(kept if a == "KEPT" else a for a in arguments), "--json").ok()
    entry = shown.json[0] if isinstance(shown.json, list) else shown.json
    assert entry.keys() >= KEYS[arguments]
    text = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
    for key in entry:
        assert f"`{key}`" in text, f"docs/cli.md does not explain {key!r}"


def test_json__amounts__are_exact_texts(buyer: Person, kept: str) -> None:
    price = buyer("show", kept, "--json").ok().json["price"]
    assert price["units"] == "7500000"
    assert price["symbol"] == "TUSD"
    assert price["text"] == "7.5 TUSD"
    assert price["token"].startswith("0x")


def test_show__words__are_those_of_the_reader(buyer: Person, kept: str) -> None:
    known = buyer("show", kept).ok().out
    before, _, after = known.partition("how is this known")
    assert not re.search(r"\b(CEK|leaf|root|basis points?|bps|shards?)\b", before, re.I)
    assert "root" in after
