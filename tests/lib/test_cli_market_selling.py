# SPDX-License-Identifier: Apache-2.0
"""Selling at the command line, with custodians or without; network and index."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

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
from truthmark.market.validator import ValidatorOwner
from truthmark.testing.network import ROLES, Devnet

__all__ = ["buyer", "expensive", "frame", "kept", "net", "seller", "sold"]

pytestmark = pytest.mark.chain


# ------------------------------------------------------------------------- selling


def test_list__packed_folder_again__sends_nothing(
    seller: Person, sold: Lister, tmp_path: Path
) -> None:
    packed = tmp_path / "packed"
    ref = sold("--packed", packed)
    again = seller(
        *("list", packed, "--price", "25 TUSD", "--custodians", "direct", "--windows", "small"),
        *("--yes", "--json"),
    ).ok()
    assert again.json["dataset"] == ref
    assert "nothing was sent" in again.err


def test_list__no_backup__insists_on_one(
    seller: Person, frame: pd.DataFrame, tmp_path: Path
) -> None:
    source, packed = tmp_path / "t.parquet", tmp_path / "packed"
    frame.to_parquet(source)
    options = ("--price", "1 TUSD", "--custodians", "direct", "--licence", "MIT")
    seller("list", source, "--packed", packed, *options, "--yes").refused(3, "--backup")
    assert not packed.exists()
    seller("dataset", "pack", source, packed, "--licence", "MIT", "--blind", "--yes").ok()
    seller("list", packed, *options, "--yes").refused(3, "--backup")
    asked = seller("list", packed, *options, stdin=f"{tmp_path / 'backup'}\n").ok()
    assert "you could lose what you sell" in asked.err
    assert (tmp_path / "backup").is_file()
    # Enough for the next time, too.
    seller("list", packed, *options, "--yes").ok()


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Give a function that lets Ctrl-C come at the next call of a step of `list`, once."""

    def at(step: str) -> None:
        name = step if "." in step else f"truthmark.cli.sell.{step}"

        def stop(*_: object, **__: object) -> None:
            monkeypatch.undo()
            raise KeyboardInterrupt

        monkeypatch.setattr(name, stop)

    return at


def test_list__interrupted_and_repeated__goes_on_and_lists_once(
    seller: Person, frame: pd.DataFrame, tmp_path: Path, interrupt: Callable[[str], None]
) -> None:
    source, backup = tmp_path / "odd.parquet", tmp_path / "my.backup"
    frame.to_parquet(source)
    command = ("list", source, "--price", "4 TUSD", "--bond", "1 TUSD", *DIRECT, "--backup", backup)
    before = held(seller)
    interrupt("_insist_on_backup")
    stopped = seller(*command)
    assert (stopped.code, backup.exists()) == (INTERRUPTED, False)
    interrupt("agree")  # with nothing packed to pack, it is asked only after the backup
    stopped = seller(*command)
    assert (stopped.code, backup.exists()) == (INTERRUPTED, True)
    assert "going on with" in stopped.err
    assert held(seller) == before
    interrupt("truthmark.market.flows.listing.wait_or_deal_again")
    assert seller(*command).code == INTERRUPTED
    assert held(seller) == before - 1_000_000
    again = seller(*command).ok()
    assert "it was listed before; nothing was sent" in again.err
    ref = again.out.strip()
    assert len(list(tmp_path.glob("*.backup"))) == 1
    assert held(seller) == before - 1_000_000

    # Also where it is an update, which is not a version for each time it is said.
    frame.head(5).to_parquet(source)
    seller(*command, "--update", ref.partition("@")[0]).ok()
    shown = seller(*command, "--update", ref.partition("@")[0]).ok()
    assert shown.out.strip() == f"{ref.partition('@')[0]}@2"
    assert "nothing was sent" in shown.err
    # The first backup does not hold the new key, and is left alone.
    assert [f.name for f in sorted(tmp_path.glob("*.backup"))] == ["my-2.backup", "my.backup"]


def test_list__interrupted_as_the_packed_folder_appears__goes_on(
    seller: Person, frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from truthmark.codec import durable

    source, packed = tmp_path / "odd.parquet", tmp_path / "packed"
    frame.to_parquet(source)
    command = ("list", source, "--packed", packed, "--price", "4 TUSD", *DIRECT)
    synced = durable.sync_path

    def stop(path: Path) -> None:
        if path == tmp_path:  # what is done last, when the folder has its name
            monkeypatch.undo()
            raise KeyboardInterrupt
        synced(path)

    monkeypatch.setattr(durable, "sync_path", stop)
    stopped = seller(*command, "--backup", tmp_path / "b")
    assert (stopped.code, packed.exists()) == (INTERRUPTED, True)
    again = seller(*command, "--backup", tmp_path / "b").ok()
    assert "going on with" in again.err


@pytest.mark.parametrize("change", ["data", "options", "by hand"])
def test_list__packed_of_something_else__is_said(
    change: str, seller: Person, frame: pd.DataFrame, tmp_path: Path
) -> None:
    source, packed = tmp_path / "t.parquet", tmp_path / "packed"
    frame.to_parquet(source)
    command = ("list", source, "--packed", packed, "--price", "4 TUSD", *DIRECT)
    if change == "by hand":
        seller("dataset", "pack", source, packed, "--licence", "MIT", "--blind", "--yes").ok()
    else:
        seller(*command, "--backup", tmp_path / "b").ok()
    if change == "data":
        frame.head(5).to_parquet(source)
    more = ("--title", "new") if change == "options" else ()
    seller(*command, *more, "--backup", tmp_path / "b2").refused(
        3, "packed already, maybe of other"
    )
    assert not (tmp_path / "b2").exists()


def test_list__what_can_be_known_before__is_refused_before_packing(
    seller: Person, frame: pd.DataFrame, tmp_path: Path
) -> None:
    source, packed = tmp_path / "t.parquet", tmp_path / "packed"
    frame.to_parquet(source)
    (tmp_path / "mine").write_text("x")
    command = ("list", source, "--packed", packed, "--price", "4 TUSD", *DIRECT)
    free = ("--backup", tmp_path / "b")
    seller(*command, "--bond", "99999999 TUSD", *free).refused(8, "not enough; send it more")
    seller(*command, "--custodians", "auto", *free).refused(8, "custodians offer this")
    seller(*command, "--custodians", address(seller), *free).refused(3, "at least 3 custodians")
    seller(*command, "--backup", tmp_path / "mine").refused(3, "exists and is left alone")
    seller(*command, "--backup", tmp_path / "none" / "b").refused(3, "there is no folder")
    seller(*command).refused(3, "--backup")
    assert not packed.exists()
    seller(*command, *free).ok()
    assert (tmp_path / "mine").read_text() == "x"


def test_list__update__is_the_next_version(seller: Person, sold: Lister, buyer: Person) -> None:
    ref = sold()
    updated = sold("--update", ref)
    assert updated == f"{ref.partition('@')[0]}@2"
    shown = buyer("show", ref.partition("@")[0], "--json").ok().json
    assert shown["dataset"] == updated


def test_list__what_cannot_be_listed__is_refused(
    seller: Person, buyer: Person, kept: str, tmp_path: Path
) -> None:
    packed = min((seller.home / "packed").glob("rows*"))
    options = ("--custodians", "direct", "--yes")
    seller("list", packed, "--price", "25", *options).refused(3, 'in quotes: "25 TUSD"')
    seller("list", packed, "--price", "1.0000001 TUSD", *options).refused(3, "decimal places")
    seller("list", packed, "--price", "1 TUSD", "--windows", "x", *options).refused(3, "windows")
    seller("list", packed, "--price", "1 TUSD", "--bond", "1 TMK", *options).refused(8, "another")
    seller("list", packed, "--price", "1 TUSD", "--yes").refused(8, "under other terms")
    for custodians in (buyer.home.name, f"{address(buyer)},{address(buyer)}", "0x12"):
        seller("list", packed, "--price", "1 TUSD", "--custodians", custodians, "--yes").refused(3)
    buyer("list", packed, "--price", "1 TUSD", *options).refused(7, "restore a backup")


def test_reprice_pause_resume_retire__by_the_seller__take_effect(
    seller: Person, buyer: Person, sold: Lister, net: Devnet
) -> None:
    ref = sold("--bond", "9 TUSD")
    seller("reprice", ref, "30.5 TUSD").ok()
    assert buyer("show", ref, "--json").json["price"]["units"] == "30500000"
    seller("pause", ref).ok()
    buyer("buy", ref, *PLENTY).refused(8, "paused")
    seller("resume", ref).ok()
    assert "paid into" in seller("top-up", ref, "2 TUSD").ok().out
    assert "paid into" in buyer("top-up", ref, "1 TUSD", stdin="y\n").ok().out
    buyer("top-up", ref, "1 TUSD", stdin="n\n").refused(8, "nothing was paid")
    seller("close", ref).refused(8, "truthmark retire")
    seller("retire", ref, stdin="n\n").refused(8, "nothing was changed")
    seller("retire", ref, "--yes").ok()
    seller("close", ref).refused(8, "come back after")
    seller("withdraw").ok()
    before = held(seller)
    net.warp(3 * 3_600 + 60)
    done = seller("close", ref).ok().out
    assert "the bond of 9 TUSD and 3 TUSD from the keeping balance credited to" in done
    seller("close", ref).refused(8, "closed before")
    seller("withdraw").ok()
    assert held(seller) == before + 12_000_000
    buyer("buy", ref, *PLENTY).refused(8, "nothing is sold")


def test_retire__no_bond__promises_none_and_nothing_can_be_changed_later(
    seller: Person, sold: Lister, tmp_path: Path
) -> None:
    packed = tmp_path / "packed"
    ref = sold("--packed", packed)
    assert seller("retire", ref, "--yes").ok().out == f"{ref} is retired\n"
    seller("close", ref).refused(8, "has no bond, and its keeping balance is empty")
    for command in (
        ("retire",),
        ("resume",),
        ("pause",),
        ("top-up", "1 TUSD"),
        ("reprice", "1 TUSD"),
    ):
        yes = ("--yes",) if command[0] in ("retire", "top-up") else ()
        seller(command[0], ref, *command[1:], *yes).refused(8, f"{ref} was retired; nothing can")
    seller("renew", ref, "--custodians", "direct").refused(8, f"{ref} was retired")
    again = ("--custodians", "direct", "--windows", "small", "--price", "25 TUSD", "--yes")
    seller("list", packed, *again).refused(8, "pack the data into another folder")


def test_refund_and_settle__nothing_to_do__is_an_error_only_for_a_named_data_set(
    net: Devnet, kept: str
) -> None:
    idle = Person(net.home("buyer3"))
    for command, verb in (("refund", "refund"), ("settle", "settle")):
        assert f"nothing to {verb}" in idle(command).ok().err
        assert idle(command, "--json").ok().json == []
        idle(command, kept).refused(8, f"nothing to {verb}")
        error = idle(command, kept, "--json").refused_json(8, f"nothing to {verb}")
        assert error["kind"] == "MarketError"


@pytest.mark.parametrize("arguments", [("reprice", "1 TUSD"), ("pause",), ("retire", "--yes")])
def test_manage__not_the_seller__is_refused(
    arguments: tuple[str, ...], buyer: Person, kept: str
) -> None:
    buyer(arguments[0], kept, *arguments[1:]).refused(3, "use that account")


def test_voucher__for_one_account__lowers_its_price_once(
    seller: Person, buyer: Person, sold: Lister, net: Devnet, tmp_path: Path
) -> None:
    ref, note = sold(), tmp_path / "voucher.json"
    seller("voucher", ref, address(buyer), "--price", "30 TUSD").refused(3, "at most")
    buyer("voucher", ref, address(buyer), "--price", "1 TUSD").refused(3, "use that account")
    seller("voucher", ref, address(buyer), "--price", "0.5 TUSD", "--out", note).ok()
    seller("voucher", ref, address(buyer), "--price", "1 TUSD", "--out", note).refused(3, "exists")
    other = Person(net.home("buyer3"))
    other("buy", ref, *PLENTY, "--voucher", note).refused(8, "another account")
    before = held(buyer)
    buyer("buy", ref, "--yes", "--blind", "--max-price", "0.5 TUSD", "--voucher", note).ok()
    assert held(buyer) == before - 500_000


def test_voucher__damaged_or_of_another_kind__is_refused(
    seller: Person, buyer: Person, kept: str, tmp_path: Path
) -> None:
    shown = seller("voucher", kept, address(buyer), "--price", "1 TUSD").ok().json
    assert set(shown) >= {"kind", "dataset", "account", "price", "expiry", "nonce", "signature"}
    bad = tmp_path / "bad.json"
    for change in (
        {"signature": 5},
        {"nonce": "0x12"},
        {"price": {}},
        {"expiry": "soon"},
        {"expiry": -1},
    ):
        bad.write_text(json.dumps({**shown, **change}))
        buyer("buy", kept, *PLENTY, "--voucher", bad).refused(8, "ask for")
    for text in ("", "[]", "{", "\x00", json.dumps({**shown, "kind": "admission"})):
        bad.write_text(text)
        buyer("buy", kept, *PLENTY, "--voucher", bad).refused(8, "no voucher")
    bad.write_text(json.dumps({**shown, "signature": "0x" + "11" * 65}))
    buyer("buy", kept, *PLENTY, "--voucher", bad).refused(6)


def test_admit__by_the_gate__lets_a_buyer_in(
    seller: Person, buyer: Person, sold: Lister, kept: str, tmp_path: Path
) -> None:
    ref, note = sold("--gate", address(seller), price="1 TUSD"), tmp_path / "pass.json"
    buyer("buy", ref, *PLENTY).refused(6)
    buyer("admit", ref, address(buyer)).refused(3, "use that account")
    seller("admit", kept, address(buyer)).refused(8, "no gate")
    seller("admit", ref, address(buyer), "--out", note).ok()
    buyer("buy", ref, *PLENTY, "--admission", note).ok()


def test_account__named_by_its_address__signs(seller: Person, sold: Lister, net: Devnet) -> None:
    ref = sold()
    seller("--account", address(seller).lower(), "reprice", ref, "9 TUSD").ok()
    assert seller("show", ref, "--json").json["price"]["text"] == "9 TUSD"


# --------------------------------------------------------------------- network and index


@pytest.mark.untraced
def test_devnet__up_status_warp_down__keep_the_state(tmp_path: Path) -> None:
    folder, me = tmp_path / "net", Person(tmp_path / "home")
    me("devnet", "status", folder).refused(3, "no devnet")
    folder.mkdir()
    for damaged in ("{", "[]", "{}", '{"url": 1, "pid": 2, "log": 3}'):
        (folder / "devnet.json").write_text(damaged)
        me("devnet", "status", folder).refused(3, "delete the folder")
    (folder / "devnet.json").unlink()
    try:
        up = me("devnet", "up", folder, "--json").ok().json
        assert set(up["homes"]) == set(ROLES)
        role = Person(Path(up["homes"]["seller"]))
        assert role("devnet", "status", "--json").ok().json["is_running"] is True
        before = role("devnet", "status", "--json").json["time"]
        assert "it is now" in role("devnet", "warp", "2h").ok().out
        assert role("devnet", "status", "--json").json["time"] >= before + 7_200
        assert role("doctor", "--json").ok().json
        assert "export TRUTHMARK_HOME=" in me("devnet", "up", folder).ok().out
        me("devnet", "down", folder).ok()
        assert role("devnet", "status", "--json").ok().json["is_running"] is False
        role("devnet", "warp", "5").refused(3, "devnet up")
        role("search").refused(6, f"start it with `truthmark devnet up {folder}`")
        assert "it was not running" in me("devnet", "down", folder).ok().err
        me("devnet", "up", folder).ok()
        # Chain time does not fall back to this machine's clock, also in blocks to come.
        role("list", __file__, "--price", "1 TUSD", *DIRECT, "--backup", tmp_path / "b").ok()
        assert role("devnet", "status", "--json").json["time"] >= before + 7_200
    finally:
        me("devnet", "down", folder, "--remove")
    assert not folder.exists()


def test_index__sync_status_export__gives_tables(buyer: Person, kept: str, tmp_path: Path) -> None:
    where = buyer("index", "status", "--json").ok().json["database"]
    assert Path(where.removeprefix("sqlite:///")).parent == buyer.home / "index"
    assert buyer("index", "sync", "--json").ok().json["block"] > 0
    shown = buyer("index", "status", "--json").ok().json
    assert shown["events"]["registry_version_listed"] >= 1
    done = buyer("index", "export", tmp_path / "events", "--json").ok().json
    listed = pd.read_parquet(tmp_path / "events" / "registry_version_listed.parquet")
    assert len(listed) == done["events"]["registry_version_listed"]
    assert "7500000" in set(listed["price"])
    buyer("index", "export", tmp_path / "events").refused(3, "exists already")


def test_fetch__no_account__is_free(net: Devnet, kept: str, tmp_path: Path) -> None:
    nobody = Person(tmp_path / "nobody")
    nobody("init", "--devnet", net.folder).ok()
    folder = nobody("fetch", kept, "--json").ok().json["folder"]
    assert nobody("dataset", "verify", folder, "--json").ok().json["holds"] is True
    nobody("buy", kept, *PLENTY).refused(3, "no account is chosen")
    assert nobody("search").ok().out


def test_fetch__nobody_has_the_bytes__is_a_storage_error(
    net: Devnet, kept: str, tmp_path: Path
) -> None:
    nobody = Person(tmp_path / "nobody")
    nobody("init", "--devnet", net.folder, "--storage", "local").ok()
    nobody("fetch", kept).refused(5)
    shown = nobody("show", kept, "--json").ok().json
    assert shown["card"] is None
    assert shown["problem"]
    assert "cannot be shown" in nobody("show", kept).ok().out


def test_devnet_fund__any_account__gets_gas_and_tokens(net: Devnet, tmp_path: Path) -> None:
    me = Person(tmp_path / "home")
    me("init", "--devnet", net.folder).ok()
    made = me("wallet", "new", "me").ok().out.strip()
    me("devnet", "fund", "me", net.folder).ok()
    shown = me("balance", "--json").ok().json
    assert shown["gas"]["text"] == "10 ETH"
    assert held(me) == 1_000_000_000
    given = me("devnet", "fund", made, net.folder, "--amount", "2.5 TUSD", "--amount", "1 TMK")
    assert given.ok().out == f"{made} was given 2.5 TUSD, 1 TMK\n"
    assert held(me) == 1_002_500_000
    assert held(me, "TMK") == 1_001 * 10**18
    for amount, told in (("0 TUSD", "nothing"), ("1 TUDS", "did you mean TUSD?"), ("5", "token")):
        me("devnet", "fund", "me", net.folder, "--amount", amount).refused(3, told)
    me("devnet", "fund", "buyr", net.folder).refused(3, "did you mean buyer?")


@pytest.mark.parametrize("problem", ["not a folder", "no space"])
@pytest.mark.untraced
def test_read__home_that_cannot_be_written__reads_all_the_same_and_says_so(
    problem: str, net: Devnet, kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    shutil.copytree(net.home("buyer"), home)
    me = Person(home)
    if problem == "not a folder":
        shutil.rmtree(home / "index")
        (home / "index").write_text("in the way")
    else:
        usage = shutil.disk_usage(tmp_path)
        monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=0))
    before = sorted(path.relative_to(home) for path in home.rglob("*"))
    database = me("index", "status", "--json").ok().json["database"]
    assert not database.startswith(f"sqlite:///{home}")
    for command in (("search",), ("show", kept), ("balance",), ("purchases",)):
        shown = me(*command).ok()
        told = [line for line in shown.err.splitlines() if "kept for this command only" in line]
        assert len(told) == 1, shown.err
    assert kept in me("search").out
    assert not Path(database.removeprefix("sqlite:///")).exists()
    assert sorted(path.relative_to(home) for path in home.rglob("*")) == before


# ------------------------------------------------------------------------ custodians


def test_stake__not_registered__says_to_register_first(net: Devnet, seller: Person) -> None:
    first = "you are not a validator yet; run `truthmark stake register` first"
    seller("stake", "offer", "--fee", "0.1 TUSD").refused(3, first)
    seller("stake", "available", "on").refused(3, first)
    seller("stake", "add", 1, "--yes").refused(3, first)
    seller("stake", "rotate-key").refused(3, first)


def test_list_and_renew__keeping_fees__are_shown_asked_for_and_paid_once(
    seller: Person,
    expensive: str,
    net: Devnet,
    frame: pd.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, packed = tmp_path / "t.parquet", tmp_path / "packed"
    frame.to_parquet(source)
    asked = ("--count", 1, "--threshold", 1, "--lock", "150 TMK", "--windows", "small")
    options = ("--price", "25 TUSD", "--bond", "3 TUSD", *asked)
    first = ("--packed", packed, "--licence", "MIT", "--backup", tmp_path / "b")
    # Nobody is there to accept: as if it was interrupted while it waits.
    monkeypatch.setattr("truthmark.market.flows.listing.wait_until_live", lambda *_: None)
    before = held(seller)

    seller("list", source, *options, *first, "--yes").refused(8, '--max-keeping "5 TUSD"')
    assert not packed.exists()
    seller("dataset", "pack", source, packed, "--licence", "MIT", "--blind", "--yes").ok()
    seller("wallet", "backup", tmp_path / "b").ok()
    below = ("--max-keeping", "4.99 TUSD")
    seller("list", packed, *options, *below).refused(8, "keeping costs 5 TUSD at once")
    seller("list", packed, *options, "--max-keeping", "5 TEUR", "--yes").refused(8, "another token")
    shown = seller("list", packed, *options, stdin="n\n").refused(8, "nothing was listed")
    assert "1 custodian for 90 d: you pay 5 TUSD at once for keeping the key" in shown.err
    assert "each buyer pays 0.1 TUSD more for each of 1 of them" in shown.err
    assert "bond of 3 TUSD" in shown.err
    assert "pay 8 TUSD now and go on? [y/N]" in shown.err
    assert held(seller) == before

    ref = seller("list", packed, *options, stdin="y\n").ok().out.strip()
    assert held(seller) == before - 8_000_000
    # Going on is not paying again, and needs no leave to pay.
    again = seller("list", packed, *options, "--yes").ok()
    assert (again.out.strip(), "keeping" in again.err) == (ref, False)

    asked = asked[:-2]
    net.warp(3_700)
    seller("renew", ref, *asked, "--yes").refused(8, '--max-keeping "5 TUSD"')
    seller("renew", ref, *asked, stdin="n\n").refused(8, "nothing was changed")
    assert held(seller) == before - 8_000_000
    renewed = seller("renew", ref, *asked, "--yes", "--max-keeping", "5 TUSD").ok()
    # Nobody accepted the first custody: what was paid for it comes back and pays for this one.
    assert "5 TUSD came back" in renewed.err
    assert held(seller) == before - 8_000_000
    with net.session("custodian4") as session:
        # By now it would not be chosen: all its stake is locked elsewhere, and it asks more.
        ValidatorOwner(session).set_available(False)
    assert "dealt before; nothing was sent" in seller("renew", ref, *asked, "--yes").ok().err
    assert held(seller) == before - 8_000_000
    assert len(seller("show", ref, "--json").json["custody"]) == 2
    seller("renew", ref, *asked, "--fee", "1 TUSD", "--yes").refused(8, "0 of 1 custodians")


def test_list__custodians_by_their_offers__deliver_while_the_seller_is_unavailable(
    net: Devnet, sold: Lister, seller: Person, buyer: Person, frame: pd.DataFrame, tmp_path: Path
) -> None:
    net.start_custodians(3)
    options = ("--custodians", "auto", "--count", 3, "--threshold", 2)
    ref = sold(*options, price="12 TUSD")
    shown = buyer("show", ref, "--json").ok().json["custody"][0]
    assert (shown["status"], shown["threshold"], len(shown["accepted"])) == ("live", 2, 3)
    assert "2 of 3 custodians deliver" in buyer("show", ref).ok().out
    before = held(buyer)
    # 0.1 TUSD for each of the two who deliver.
    buyer("get", ref, tmp_path / "d", "--yes", "--blind", "--max-price", "12.19 TUSD").refused(
        8, "12.2 TUSD"
    )
    buyer("get", ref, tmp_path / "d", "--yes", "--blind", "--max-price", "12.2 TUSD").ok()
    assert held(buyer) == before - 12_200_000
    table = pd.read_parquet(next((tmp_path / "d").glob("*.parquet")))
    pd.testing.assert_frame_equal(table, frame)
    assert "nothing to deliver" in seller("deliver", ref).ok().err
    named = shown["custodians"]
    seller("renew", ref, "--custodians", ",".join(named), "--fee", "0.2 TUSD", "--yes").ok()
    assert len(buyer("show", ref, "--json").ok().json["custody"]) == 2
