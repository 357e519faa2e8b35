# SPDX-License-Identifier: Apache-2.0
"""The command line on a local chain: a seller and a buyer, each with a home of their own."""

import json
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count, cycle, islice
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import truthmark
from tests.utils.cli import Person
from tests.utils.token_chain import compile_vyper
from truthmark.chain.transactions import Intent
from truthmark.cli.main import BUG, INTERRUPTED
from truthmark.config.profile import TokenInfo, Windows
from truthmark.config.units import to_checksum_address
from truthmark.errors import ConfigError
from truthmark.market.catalogue import Catalogue
from truthmark.market.drafts.custody import DIRECT as IN_PERSON
from truthmark.market.entries import Version
from truthmark.market.seller import Seller
from truthmark.market.validator import ValidatorOwner
from truthmark.session import Session
from truthmark.testing.anvil import anvil_binary
from truthmark.testing.network import ROLES, Devnet, role_key

pytestmark = pytest.mark.chain

DIRECT = ("--custodians", "direct", "--licence", "MIT", "--yes")
PLENTY = ("--yes", "--max-price", "100 TUSD")


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    try:
        anvil_binary()
    except ConfigError as error:
        pytest.skip(str(error))
    with Devnet.start(tmp_path_factory.mktemp("net")) as started:
        yield started


@pytest.fixture(scope="module")
def seller(net: Devnet) -> Person:
    return Person(net.home("seller"))


@pytest.fixture(scope="module")
def buyer(net: Devnet) -> Person:
    return Person(net.home("buyer"))


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return pd.DataFrame({"x": range(3_000), "text": [f"row {i}" for i in range(3_000)]})


Lister = Callable[..., str]


@pytest.fixture(scope="module")
def sold(seller: Person, frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Lister:
    """Give a function that lists a fresh data set in direct mode, and returns its name."""
    numbers = count(1)

    def list_one(*options: object, price: str = "25 TUSD", who: Person = seller) -> str:
        folder = tmp_path_factory.mktemp("source")
        source = folder / f"rows{next(numbers)}.parquet"
        frame.to_parquet(source)
        done = who(
            *("list", source, "--price", price, "--custodians", "direct", "--windows", "small"),
            *("--licence", "CC-BY-4.0", "--backup", folder / "backup", "--yes", *options),
        )
        return done.ok().out.strip()

    return list_one


@pytest.fixture(scope="module")
def kept(sold: Lister) -> str:
    """Name a data set that nobody buys and nothing happens to."""
    return sold(price="7.5 TUSD")


def address(who: Person) -> str:
    return who("wallet", "address").ok().out.strip()


def held(who: Person, symbol: str = "TUSD") -> int:
    tokens = who("balance", "--json").ok().json["tokens"]
    return next(int(t["held"]["units"]) for t in tokens if t["held"]["symbol"] == symbol)


# --------------------------------------------------------------------- the main path


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
        buyer("get", ref, "--to", place).ok()
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
    buyer("get", kept, *PLENTY).refused(2, "say where to open it")


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
    assert f"truthmark get {ref} --to FOLDER" in failed.err
    buyer("get", ref, "--to", tmp_path / "other").ok()
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
        done = buyer.run("get", ref, tmp_path / "data", "--yes", "--max-price", "3 TUSD")
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
        _, err = watching.communicate(timeout=30)
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
    shown = buyer("get", kept, tmp_path / "data", stdin="n\n").refused(8, "nothing was bought")
    assert "pay 7.5 TUSD?" in shown.err
    buyer("get", kept, tmp_path / "data").refused(3, "no terminal to answer")
    buyer("get", kept, tmp_path / "data", "--yes").refused(3, "--max-price")
    buyer("get", kept, tmp_path / "data", "--yes", "--max-price", "7 TUSD").refused(8, "costs")
    buyer("get", kept, tmp_path / "data", "--yes", "--max-price", "9 TEUR").refused(8, "another")
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
    expensive = buyer("get", ref, tmp_path / "data", "--yes", "--max-price", "6 TUSD").refused(
        8, "costs"
    )
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
    buyer("get", ref, data).ok()
    assert "already" in buyer("get", ref, data).ok().err
    buyer("get", ref, data, "--format", "arrow").refused(3, "exists already")
    (data / "note.txt").write_text("mine")
    buyer("get", ref, data).refused(3, "exists already")


def test_buy__more_than_the_account_has__says_what_it_has(buyer: Person, sold: Lister) -> None:
    ref = sold(price="10000000 TUSD")
    buyer("buy", ref, "--yes", "--max-price", "10000000 TUSD").refused(8, "not enough")


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
    assert "another buyer proved" in shown.err
    assert held(other) == before


@pytest.mark.parametrize("how", ["random bytes", "no table"])
def test_dispute__right_key_opens_nothing_readable__says_that_no_contract_sees_it(
    net: Devnet, buyer: Person, tmp_path: Path, how: str
) -> None:
    from tests.utils.containers import Draft, Part, forge
    from truthmark.keys.curve import random_scalar
    from truthmark.market.seller_secret import seller_cek

    parts = Draft().parts()
    random = {len(parts) - 1} if how == "random bytes" else set()
    if how == "no table":
        parts[-1] = Part(2, b"no table of Arrow", rows=3)
    with net.session("copycat") as session:
        key = session.vault.put_seller_secret(random_scalar())
        cek = seller_cek(session.vault, key)
    folder = forge(parts, cek=cek, public_key=key, random=random).write(tmp_path / "rubbish")
    seller = Person(net.home("copycat"))
    listed = seller(
        *("list", folder, "--price", "5 TUSD", "--custodians", "direct", "--windows", "small"),
        *("--bond", "8 TUSD", "--backup", tmp_path / "b", "--yes"),
    )
    ref = listed.ok().out.strip()
    buyer("buy", ref, *PLENTY).ok()
    seller("deliver", ref).ok()
    before = held(buyer)
    evidence = tmp_path / "evidence.json"
    shown = buyer("dispute", ref, "--evidence", evidence, "--yes").refused(8, "cannot be read")
    assert "is the one that the seller committed to" in shown.err
    assert "no contract sees that" in shown.err
    assert evidence.exists() == (how == "random bytes")
    assert held(buyer) == before
    if evidence.exists():
        assert json.loads(evidence.read_text())["shard"] == len(parts) - 1
        buyer("dispute", ref, "--evidence", evidence).refused(3, "exists; name a new file")
    else:
        assert "have to show the key" in shown.err
    buyer("get", ref, tmp_path / "got", *PLENTY).refused(4, "error")
    assert not (tmp_path / "got").exists()


def test_dispute__key_is_right__is_refused(seller: Person, buyer: Person, sold: Lister) -> None:
    ref = sold(price="1 TUSD")
    buyer("dispute", ref).refused(8, "not bought")
    buyer("buy", ref, *PLENTY).ok()
    buyer("dispute", ref).refused(8, "has not come yet")
    seller("deliver", ref).ok()
    buyer("dispute", ref, "--yes").refused(8, "nothing to dispute")


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
    seller("dataset", "pack", source, packed, "--licence", "MIT", "--yes").ok()
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
        seller("dataset", "pack", source, packed, "--licence", "MIT", "--yes").ok()
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
    packed = seller.home / "packed" / "rows1"
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
    buyer("buy", ref, "--yes", "--max-price", "0.5 TUSD", "--voucher", note).ok()
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


# ------------------------------------------------------------------- what JSON promises

HEAD = {"dataset", "listing", "version", "uri", "terms_id", "seller", "price", "status"}
KEYS = {
    ("search",): HEAD
    | {"title", "description", "licence", "listed_at", "rows", "size", "sold", "is_bought"},
    ("show", "KEPT"): HEAD
    | {"card", "problem", "size", "terms", "custody", "purchases", "time"}
    | {"sold", "is_bought", "can_be_bought", "why_not"},
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


# ---------------------------------------------------------------------- malformed input

GARBAGE = [
    " ",
    "-",
    "0",
    "1e9",
    "9" * 5_000,
    "17@",
    "@",
    "1@0",
    "1@2@3",
    "0x",
    "0x" + "f" * 63,
    "0x" + "0" * 40,
    "0x" + "F" * 39 + "g",
    "../../etc/passwd",
    "\x1b[31mred",
    "💥",
    "\udc80",
    "truthmark://",
    "truthmark://1/0x" + "0" * 40 + "/1",
    "NaN TUSD",
    "1 TUSD TUSD",
    "1.00000000001 TUSD",
    "-5 TUSD",
    "424242",
    "5 NOPE",
    "9" * 80 + " TUSD",
    "'; drop table",
    "x" * 20_000,
    "%s%n{}",
    "null",
    "\u0661\u0667",
]

PLACES = [
    ("show", "X"),
    ("fetch", "X"),
    ("buy", "X", *PLENTY),
    ("buy", "KEPT", "--yes", "--max-price", "X"),
    ("get", "X", "OUT", *PLENTY),
    ("dispute", "X"),
    ("refund", "X"),
    ("sales", "X"),
    ("deliver", "X"),
    ("settle", "X"),
    ("reprice", "X", "1 TUSD"),
    ("reprice", "KEPT", "X"),
    ("top-up", "KEPT", "X", "--yes"),
    ("voucher", "KEPT", "X", "--price", "1 TUSD"),
    ("voucher", "KEPT", "seller", "--price", "X"),
    ("search", "--max-price", "X"),
    ("search", "--token", "X"),
    ("renew", "KEPT", "--custodians", "X", "--yes"),
    ("list", "PACKED", "--custodians", "direct", "--yes", "--price", "X"),
    ("list", "PACKED", "--price", "1 TUSD", "--yes", "--windows", "X"),
    ("withdraw", "--token", "X"),
    ("devnet", "warp", "X"),
    ("wallet", "address", "X"),
    ("init", "--profile", "X"),
]
# Where some of the above are answers: an address, seconds.
FINE = {("voucher", "0x" + "0" * 40), ("withdraw", "0x" + "0" * 40), ("devnet", "424242")}
EACH = 9  # of GARBAGE for each place, another part for the next


@pytest.mark.parametrize("place", PLACES, ids=lambda place: " ".join(place)[:40])
def test_arguments__malformed__are_one_clean_line(
    place: tuple[str, ...], seller: Person, kept: str, tmp_path: Path
) -> None:
    start = PLACES.index(place) * EACH
    known = {"KEPT": kept, "OUT": str(tmp_path / "out")}
    known["PACKED"] = str(seller.home / "packed" / "rows1")
    for text in islice(cycle(GARBAGE), start, start + EACH):
        if (place[0], text) in FINE:
            continue
        shown = seller(*(known.get(part, text if part == "X" else part) for part in place))
        lines = shown.err.splitlines()
        assert shown.code not in (0, BUG), (text[:50], shown.out, shown.err)
        assert len([line for line in lines if line.startswith("error: ")]) == 1, shown.err
        assert "Traceback" not in shown.err
        assert "\x1b" not in shown.err
        assert not shown.out
    assert not (tmp_path / "out").exists()


# ------------------------------------------------------------- tokens that nobody knows

# Anyone who is paid in it pays for what it does, or gets nothing if it is broken.
STRANGE = """
# pragma version 0.4.3
balanceOf: public(HashMap[address, uint256])
is_broken: public(bool)

@external
def break_it():
    self.is_broken = True

@external
@view
def allowance(holder: address, spender: address) -> uint256:
    return max_value(uint256)

@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    self.balanceOf[receiver] += amount
    return True

@external
def transfer(receiver: address, amount: uint256) -> bool:
    assert not self.is_broken, "no money for you"
    self.balanceOf[receiver] += amount
    return True
"""


def list_in(session: Session, token: TokenInfo, folder: Path, **options: Any) -> Version:
    """List something for direct delivery in a token that the profile need not know."""
    frame = pd.DataFrame({"a": [1]})
    truthmark.pack(frame, folder, licence="MIT", title="in any token", session=session)
    listed = Seller(session).list_dataset(
        folder,
        price=1_000,
        token=token,
        windows=Windows(60, 60, 60),
        offer=IN_PERSON,
        **options,
    )
    return Catalogue.of(session).version(f"0x{listed.terms.terms_id.hex()}")


Creditor = Callable[..., str]


@pytest.fixture
def credit(net: Devnet, tmp_path: Path) -> Creditor:
    """Give a function that credits an account with 1,000 units; of a new token if none is named."""
    artifact = compile_vyper("Strange", STRANGE)
    numbers = count(1)

    def credit(role: str, payee: str, token: TokenInfo | None = None) -> str:
        number = next(numbers)
        with net.session(role) as session:
            if token is None:
                made = session.journal.send(Intent(f"{tmp_path}{number}", None, artifact.bytecode))
                token = TokenInfo("STRANGE", str(made.contract_address), 0)
            folder = tmp_path / f"packed{number}"
            version = list_in(session, token, folder, bond=1_000, payee=payee)
            Seller(session).retire(version)
            net.warp(121)
            Seller(session).close(version)
        return token.address

    return credit


def test_withdraw__tokens_of_strangers__are_told_of_and_only_paid_when_named(
    net: Devnet, credit: Creditor
) -> None:
    victim = Person(net.home("buyer3"))
    token = credit("stranger", address(victim))
    with net.session("buyer3") as session:
        before = session.chain.balance(session.address)
        for command in ("balance", "withdraw"):
            told = victim(command).ok().err
            assert f"tokens of strangers: {token}; `truthmark withdraw --token" in told
        assert "nothing is owed" not in told
        assert session.chain.balance(session.address) == before
    done = victim("withdraw", "--token", token.lower(), "--json").ok()
    assert [(p["units"], p["token"]) for p in done.json] == [("1000", token)]
    assert "nothing is owed" in victim("withdraw").ok().err
    told = [credit("stranger", address(victim)) for _ in range(4)]
    shown = victim("withdraw").ok().err
    assert sum(token in shown for token in told) == 3
    assert "and 1 more" in shown
    for token in told:
        victim("withdraw", "--token", token).ok()


def test_withdraw__one_token_fails__pays_the_others_and_says_so_at_the_end(
    net: Devnet, credit: Creditor
) -> None:
    me = Person(net.home("copycat"))
    me("withdraw").ok()
    broken, sound = sorted(credit("copycat", address(me)) for _ in range(2))
    credit("copycat", address(me), net.profile.token("TUSD"))
    with net.session("copycat") as session:
        functions = session.chain.at(broken, compile_vyper("Strange", STRANGE)).functions
        session.send_repeatable(functions.break_it(), "break it")
    shown = me("withdraw").refused(6, f"1000 base units of unknown token {broken} (")
    assert "no money for you" in shown.err
    assert f"0.001 TUSD paid to {address(me)}" in shown.out
    assert f"1000 base units of unknown token {sound} paid to" in shown.out
    assert me("withdraw", "--json").refused(6, "not paid out").json == []


def test_withdraw__amount__pays_just_that_and_never_more_than_is_owed(
    net: Devnet, credit: Creditor
) -> None:
    me = Person(net.home("copycat"))
    me("withdraw", "--token", "TUSD").ok()
    credit("copycat", address(me), net.profile.token("TUSD"))
    before = held(me)
    me("withdraw", "--amount", "0.002 TUSD").refused(8, "only 0.001 TUSD is owed")
    me("withdraw", "--amount", "0 TUSD").refused(3, "without --amount all of it is paid out")
    me("withdraw", "--amount", "400").refused(3, "400 of what?")
    me("withdraw", "--amount", "0.0004 TUSD", "--token", "TMK").refused(8, "in another")
    assert held(me) == before
    assert "0.0004 TUSD paid to" in me("withdraw", "--amount", "0.0004 TUSD").ok().out
    assert held(me) == before + 400
    done = me("withdraw", "--amount", "0.0006 TUSD", "--json").ok()
    assert [p["units"] for p in done.json] == ["600"]
    assert held(me) == before + 1_000
    assert "nothing is owed" in me("withdraw", "--amount", "0.001 TUSD").ok().err

    stranger = credit("copycat", address(me))
    done = me("withdraw", "--amount", "400", "--token", stranger, "--json").ok()
    assert [p["units"] for p in done.json] == ["400"]
    assert "600 base units" in me("withdraw", "--token", stranger).ok().out


def test_entries_paused__by_the_registrys_owner__is_said_before_anything_is_packed_or_paid(
    net: Devnet, seller: Person, buyer: Person, kept: str, frame: pd.DataFrame, tmp_path: Path
) -> None:
    frame.to_parquet(tmp_path / "t.parquet")
    said = "the owner of the registry has paused new listings and purchases"
    assert said not in buyer("search").ok().err
    with net.session("owner") as owner:
        functions = owner.chain.registry.functions
        owner.send_repeatable(functions.pause(), "pause")
        try:
            before = held(buyer)
            shown = buyer("search", "--json").ok()
            assert said in shown.err
            assert kept in [hit["dataset"] for hit in shown.json]
            assert said in buyer("show", kept).ok().out
            buyer("get", kept, tmp_path / "data", *PLENTY).refused(8, said)
            assert (held(buyer), (tmp_path / "data").exists()) == (before, False)
            command = ("list", tmp_path / "t.parquet", "--packed", tmp_path / "packed", *DIRECT)
            command += ("--price", "1 TUSD", "--backup", tmp_path / "b")
            seller(*command).refused(8, said)
            assert not (tmp_path / "packed").exists()
            seller("renew", kept, "--custodians", "direct", "--yes").refused(8, said)
        finally:
            owner.send_repeatable(functions.unpause(), "unpause")
    seller(*command).ok()


def test_balance__token_that_is_no_contract__is_left_out(
    net: Devnet, buyer: Person, tmp_path: Path
) -> None:
    nothing = TokenInfo("NOTHING", to_checksum_address("0x" + "00" * 18 + "dead"), 0)
    before = buyer("balance", "--json").ok().json["tokens"]
    with net.session("stranger") as session:
        list_in(session, nothing, tmp_path / "packed")
    assert f"cannot be read: {nothing.address}" in buyer("balance").ok().err
    assert buyer("balance", "--json").ok().json["tokens"] == before


# ------------------------------------------------------------------------ custodians


def test_stake__not_registered__says_to_register_first(net: Devnet, seller: Person) -> None:
    first = "you are not a validator yet; run `truthmark stake register` first"
    seller("stake", "offer", "--fee", "0.1 TUSD").refused(3, first)
    seller("stake", "available", "on").refused(3, first)
    seller("stake", "add", 1, "--yes").refused(3, first)
    seller("stake", "rotate-key").refused(3, first)


@pytest.fixture
def expensive(net: Devnet) -> Iterator[str]:
    """Name a validator who asks 5 TUSD for keeping; the only one for locks of 150 TMK."""
    with net.session("custodian4") as session:
        owner = ValidatorOwner(session)
        owner.register()
        owner.stake(20)
        token, keeping = session.profile.parse_amount("5 TUSD")
        owner.publish_offer(
            {token.address: (100_000, keeping)},
            max_bytes=1 << 30,
            max_period_seconds=400 * 86_400,
            min_delivery_seconds=60,
            min_inspection_seconds=60,
            max_lock=150 * 10**18,
        )
        yield owner.validator


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
    seller("dataset", "pack", source, packed, "--licence", "MIT", "--yes").ok()
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
    buyer("get", ref, tmp_path / "d", "--yes", "--max-price", "12.19 TUSD").refused(8, "12.2 TUSD")
    buyer("get", ref, tmp_path / "d", "--yes", "--max-price", "12.2 TUSD").ok()
    assert held(buyer) == before - 12_200_000
    table = pd.read_parquet(next((tmp_path / "d").glob("*.parquet")))
    pd.testing.assert_frame_equal(table, frame)
    assert "nothing to deliver" in seller("deliver", ref).ok().err
    named = shown["custodians"]
    seller("renew", ref, "--custodians", ",".join(named), "--fee", "0.2 TUSD", "--yes").ok()
    assert len(buyer("show", ref, "--json").ok().json["custody"]) == 2
