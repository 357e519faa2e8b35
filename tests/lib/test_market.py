# SPDX-License-Identifier: Apache-2.0
"""Sales from listing to opening, on a chain: the usual course, managing, watching, validators."""

import contextlib
import random
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import truthmark
from tests.utils.market_sales import (
    PRICE,
    Killed,
    buy,
    buyer,
    deliver,
    delivering,
    dies_once_mined,
    harness,
    held,
    sale,
    sent_by,
    wealth,
)
from tests.utils.nodes import (
    DELIVERY,
    INSPECTION,
    ManualNode,
    MarketHarness,
    Sale,
    run_rounds,
)
from truthmark import session as sessions
from truthmark.cid import raw_cid
from truthmark.codec import read_manifest
from truthmark.codec.limits import DATA_NAME, MANIFEST_NAME
from truthmark.config.profile import Windows
from truthmark.errors import (
    ChainError,
    ConfigError,
    KeysError,
    MarketError,
    NotForSaleError,
    PriceError,
    RevertedError,
    StorageError,
)
from truthmark.market.catalogue import Catalogue
from truthmark.market.choosing import CustodyWish, choose_custody
from truthmark.market.drafts.custody import DIRECT, CustodyRequest
from truthmark.market.entries import Version
from truthmark.market.flows.sampling import open_sample
from truthmark.market.opened import require_room
from truthmark.market.preview import PreviewState, look
from truthmark.market.purchase import Buyer
from truthmark.market.records import PurchaseStatus, VersionStatus, parts_hash
from truthmark.market.seller import Seller
from truthmark.market.settlement import Settlement
from truthmark.market.validator import ValidatorOwner
from truthmark.session import Session, Signer
from truthmark.storage import LocalStore
from truthmark.storage.serve import GatewayServer
from truthmark.testing.network import role_key

__all__ = ["buyer", "harness", "sale"]


pytestmark = pytest.mark.chain


# ------------------------------------------------------------------- the usual course


def test_sale__seller_delivers__ends_with_the_frame_and_the_money(
    harness: MarketHarness, sale: Sale, buyer: Buyer
) -> None:
    session, token = buyer.session, sale.version.terms.token
    before, paid = wealth(session, token), wealth(harness.session("seller"), token)
    with delivering(harness, sale):
        opened = truthmark.get(sale.version.ref, max_price="25 TUSD", blind=True, session=session)
    assert opened.purchase.status is PurchaseStatus.DELIVERED
    assert "cek" not in repr(opened)
    with truthmark.load(sale.version.ref, session=session) as data:
        got = data.to_pandas()
    assert got["number"].tolist() == list(range(100))
    assert set(got["name"]) == {got["name"][0]}
    assert wealth(session, token) == before - PRICE

    harness.net.warp(INSPECTION + 1)
    seller = harness.session("seller")
    Catalogue.of(seller).sync()
    settlement = Settlement(seller)
    settlement.settle(Catalogue.of(seller).purchases(terms_id=sale.version.terms_id))
    settlement.withdraw(token, seller.address)
    assert settlement.credits(token, seller.address) == {}
    assert held(seller, token) == paid + PRICE
    assert harness.purchase(opened.purchase).status is PurchaseStatus.SETTLED


def test_sale__custodians__are_chosen_by_their_offers_and_deliver(
    harness: MarketHarness, buyer: Buyer
) -> None:
    names = ("custodian1", "custodian2", "custodian3")
    for fee, name in enumerate(names, 1):
        harness.register(name, fee=fee * 10**5)
    addresses = {harness.address(name) for name in names}
    with contextlib.ExitStack() as stack:
        nodes = [stack.enter_context(ManualNode(harness.net, name)) for name in names]
        sale = harness.sell(nodes, custodians=3, fee=None)
        assert set(sale.epoch.custodians) == addresses
        # Who asks most sets the fee of all.
        assert sale.epoch.custody.fee == 3 * 10**5
        assert not Seller(harness.session("seller")).is_live(sale.epoch)
        with pytest.raises(NotForSaleError, match="not for sale yet: 0 of 3 custodians have acc"):
            Catalogue.of(buyer.session).sync()
            buyer.quote(sale.version)
        run_rounds(lambda: harness.is_live(sale), *nodes)
        assert Seller(harness.session("seller")).is_live(sale.epoch)
        # A seller who keeps the key as well, for no fee, does not lead buyers to themselves...
        Seller(harness.session("seller")).open_custody(
            sale.version, offer=DIRECT, validators=[], acceptance_seconds=60
        )
        Catalogue.of(buyer.session).sync()
        assert buyer.quote(sale.version).epoch == sale.epoch
        # ...except those who pay no fees.
        cheap = buyer.quote(sale.version, max_total=PRICE)
        assert (cheap.total, cheap.epoch.custody.is_direct) == (PRICE, True)
        assert buyer.quote(sale.version, max_total=PRICE - 1).epoch == sale.epoch
        purchase = buy(buyer, sale)
        run_rounds(lambda: harness.purchase(purchase).status is PurchaseStatus.DELIVERED, *nodes)
        parts = {j: delivery.part for j, delivery in harness.purchase(purchase).delivered.items()}
        functions = harness.session("seller").chain.market.functions
        noted = functions.purchases(purchase.purchase_id).call().parts
        assert (len(parts), noted) == (2, parts_hash(parts))
        with truthmark.load(sale.version.ref, session=buyer.session) as data:
            assert len(data.to_pandas()) == 100
    seller = harness.session("seller")
    harness.publish_offer(names[0], keeping_fee=10**6)
    before = sent_by(seller)
    with pytest.raises(PriceError, match="keeping costs 3 TUSD at once with 3 custodians"):
        harness.sell([], custodians=3)
    assert sent_by(seller) == before
    kept = harness.sell([], custodians=3, max_keeping="3 TUSD")
    assert kept.epoch.custody.keeping_fee == 10**6
    with pytest.raises(NotForSaleError, match="3 of 4 custodians offer this"):
        harness.sell([], custodians=4)
    with pytest.raises(ConfigError, match="is not a validator here"):
        harness.sell([], custodians=[seller.address])
    # Not all accept in time.
    late = harness.sell([], custodians=sorted(addresses))
    harness.warp_to(late.epoch.custody.accept_until + 1)
    with pytest.raises(NotForSaleError, match=r"in time .* `truthmark renew DATASET`"):
        Seller(seller).is_live(late.epoch)


# ------------------------------------------------------------------------ listing


def packed(harness: MarketHarness, name: str, rows: int = 100) -> Path:
    folder = harness.net.folder / name
    truthmark.pack(
        pd.DataFrame({"a": range(rows)}),
        folder,
        licence="MIT",
        title=name,
        preview=False,
        session=harness.session("seller"),
    )
    return folder


def list_it(harness: MarketHarness, folder: Path, **options: Any) -> Version:
    given = {"price": "5 TUSD", "windows": "small", "session": harness.session("seller"), **options}
    return truthmark.list_dataset(folder, **given)


def listed_with(harness: MarketHarness, folder: Path) -> list[Version]:
    catalogue = Catalogue.of(harness.session("seller"))
    catalogue.sync()
    return catalogue.with_key(read_manifest(folder).public_key)


@pytest.mark.parametrize(("name", "is_after"), [("_deal", False), ("_deal", True), ("send", True)])
def test_list_dataset__killed_and_repeated__is_listed_once(
    harness: MarketHarness, monkeypatch: pytest.MonkeyPatch, name: str, is_after: bool
) -> None:
    folder = packed(harness, f"killed-{name}-{is_after}")
    owner = Session if name == "send" else Seller
    original = getattr(owner, name)

    def fatal(*args: Any, **options: Any) -> Any:
        if is_after:
            original(*args, **options)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, fatal)
        with pytest.raises(Killed):
            list_it(harness, folder, bond="1 TUSD")
    # The allowance for the bond was sent, where it was the first thing to be sent.
    version = list_it(harness, folder, bond="1 TUSD")
    assert listed_with(harness, folder) == [version]
    before = sent_by(harness.session("seller"))
    assert list_it(harness, folder, bond="1 TUSD") == version
    assert sent_by(harness.session("seller")) == before


def test_list_dataset__same_bytes_under_other_terms__is_refused(harness: MarketHarness) -> None:
    folder = packed(harness, "other-terms")
    version = list_it(harness, folder)
    with pytest.raises(MarketError, match=f"was listed as {version.ref} under other terms"):
        list_it(harness, folder, bond="1 TUSD")
    assert len(listed_with(harness, folder)) == 1


def test_list_dataset__another_threads_session__lists_once(harness: MarketHarness) -> None:
    folder = packed(harness, "two-at-once")
    found: list[Version] = []

    def work() -> None:
        with harness.net.session("seller") as session:
            found.append(list_it(harness, folder, session=session))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found[0] == found[1] == listed_with(harness, folder)[0]


def test_list_dataset__secret_not_in_the_vault__says_to_restore_it(harness: MarketHarness) -> None:
    folder = packed(harness, "foreign")
    with pytest.raises(KeysError, match="restore a backup"):
        list_it(harness, folder, session=harness.session("stranger"))


def test_list_dataset__folder_was_changed__is_refused(harness: MarketHarness) -> None:
    folder = packed(harness, "changed")
    with (folder / "data.tmk").open("r+b") as file:
        file.write(b"x")
    with pytest.raises(MarketError, match="is not what was packed"):
        list_it(harness, folder)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"price": "5"}, ConfigError, "is not an amount"),
        ({"price": "5 GOLD"}, ConfigError, "does not list a token"),
        ({"windows": "endless"}, ConfigError, "has no windows 'endless'"),
        ({"bond": "5 TEUR"}, PriceError, "write the amount in TUSD"),
        ({"update": "999999"}, NotForSaleError, "there is no dataset 999999"),
    ],
)
def test_list_dataset__unclear_order__says_what_is_wrong_and_sends_nothing(
    harness: MarketHarness, options: dict[str, str], error: type[Exception], text: str
) -> None:
    seller = harness.session("seller")
    before = sent_by(seller)
    folder = harness.net.folder / "packed-unclear"
    if not folder.exists():
        packed(harness, "packed-unclear")
    with pytest.raises(error, match=text):
        list_it(harness, folder, **options)
    assert sent_by(seller) == before


def test_list_dataset__update__takes_over_what_is_unchanged(
    harness: MarketHarness, buyer: Buyer
) -> None:
    seller = harness.session("seller")
    rng = random.Random(3)
    rows = [rng.random() for _ in range(60_000)]
    first, second = (harness.net.folder / name for name in ("update-1", "update-2"))
    about = {
        "licence": "MIT",
        "title": "update",
        "session": seller,
        "shard_size": 1 << 14,
        "preview": False,
    }
    truthmark.pack(pd.DataFrame({"a": rows[:50_000]}), first, **about)
    older = list_it(harness, first)
    made = truthmark.pack(pd.DataFrame({"a": rows}), second, previous=first, **about)
    newer = list_it(harness, second, update=older.ref)
    assert made.inherited > 0
    assert (newer.listing_id, newer.number) == (older.listing_id, 2)

    server = GatewayServer(LocalStore(harness.net.folder / "store"))
    home = harness.net.folder / "store-of-an-owner-of-the-older-one"
    storage = (f"local:{home}", f"gateway:{server.url}")
    with contextlib.closing(server), harness.net.session("buyer", storage=storage) as session:
        Catalogue.of(session).sync()
        away = Buyer(session)
        assert away.missing_bytes(older) == read_manifest(first).size
        away.fetch(older)
        assert away.missing_bytes(older) == 0
        fresh = made.count - made.inherited
        assert away.missing_bytes(newer) == fresh * made.manifest.shard_size
        away.fetch(newer)
        assert away.missing_bytes(newer) == 0
    Catalogue.of(buyer.session).sync()
    assert Catalogue.of(buyer.session).version(str(older.listing_id)) == newer
    offered = Catalogue.of(buyer.session).offered()
    assert newer.terms_id in offered
    assert older.terms_id not in offered


def test_fetched__storage_is_stopped__opens_again_and_shows_its_sample(
    harness: MarketHarness, tmp_path: Path
) -> None:
    seller = harness.session("seller")
    rows = [random.Random(i).random() for i in range(200_000)]
    about: dict[str, Any] = {"title": "kept", "licence": "MIT", "session": seller}
    truthmark.pack(pd.DataFrame({"a": rows}), tmp_path / "packed", **about)
    version = list_it(harness, tmp_path / "packed", custodians=0)
    open_sample(seller, version, tmp_path / "packed")
    server = GatewayServer(LocalStore(harness.net.folder / "store"))
    storage = (f"gateway:{server.url}",)  # of which nothing is cached
    with contextlib.closing(server), harness.net.session("buyer", storage=storage) as session:
        Catalogue.of(session).sync()
        buyer = Buyer(session)
        shown = look(session, version).state
        assert buyer.missing_bytes(version) == read_manifest(tmp_path / "packed").size
        purchase = buyer.buy(buyer.quote(version), max_total=10**9)
        deliver(harness, Sale(version, Catalogue.of(session).epoch(purchase.custody_id)))
        folder = buyer.fetch(version)
    # Another session, as the one before may still have a connection.
    with harness.net.session("buyer", storage=storage) as session:
        Catalogue.of(session).sync()
        buyer = Buyer(session)
        with pytest.raises(StorageError):
            session.storage.read_block(raw_cid(version.terms.manifest))
        told: list[tuple[int, int]] = []
        assert buyer.fetch(version, lambda *seen: told.append(seen)) == folder
        assert told[-1] == (read_manifest(folder).size,) * 2
        require_room(session, version, tmp_path / "open")
        assert buyer.preview(version)["title"] == "kept"
        assert buyer.missing_bytes(version) == 0
        assert look(session, version).state is shown is PreviewState.SHOWN
        with truthmark.load(version.ref, session=session) as data:
            assert data.to_pandas()["a"].tolist() == rows
        # What is not what was committed to counts as not here.
        for name in (MANIFEST_NAME, DATA_NAME):
            kept = (folder / name).read_bytes()
            (folder / name).write_bytes(bytes([kept[0] ^ 1]) + kept[1:])
            with pytest.raises(StorageError):
                buyer.fetch(version)
            (folder / name).write_bytes(kept)
        assert buyer.fetch(version) == folder


# ---------------------------------------------------------------------- managing


def test_retire__after_both_windows__bond_and_keeping_balance_come_back(
    harness: MarketHarness,
) -> None:
    sale = harness.sell([], bond="3 TUSD")
    session = harness.session("seller")
    seller = Seller(session)
    before = wealth(session, harness.token)
    seller.top_up(sale.version, 1_000_000)
    seller.top_up(sale.version, 1_000_000)
    assert (
        session.chain.registry.functions.keeping_balances(sale.version.terms_id).call() == 2_000_000
    )
    seller.retire(sale.version)
    with pytest.raises(RevertedError):
        seller.close(sale.version)
    harness.warp_to(harness.now() + DELIVERY + INSPECTION + 1)
    # Anyone may.
    Seller(harness.session("stranger")).close(sale.version)
    assert wealth(session, harness.token) == before + 3_000_000
    assert Catalogue.of(session).version(sale.version.ref).status is VersionStatus.RETIRED
    Catalogue.of(session).sync()
    assert Catalogue.of(session).version(sale.version.ref).status is VersionStatus.CLOSED


@pytest.mark.parametrize(
    ("method", "arguments"), [("reprice", (5,)), ("set_paused", (True,)), ("retire", ())]
)
def test_manage__stranger__is_told_whose_it_is(
    harness: MarketHarness, sale: Sale, method: str, arguments: Sequence[Any]
) -> None:
    stranger = Seller(harness.session("stranger"))
    before = sent_by(stranger.session)
    with pytest.raises(ConfigError, match="use that account"):
        getattr(stranger, method)(sale.version, *arguments)
    assert sent_by(stranger.session) == before


def test_top_up__killed_after_it_was_mined__is_not_paid_again(
    harness: MarketHarness, sale: Sale, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = harness.session("seller")
    keeping_balances = session.chain.registry.functions.keeping_balances(sale.version.terms_id)
    # So that the order itself is all that is sent, even if it were sent twice.
    session.allow(harness.token, session.chain.registry.address, 14)
    with monkeypatch.context() as patch:
        patch.setattr(session.journal, "wait", dies_once_mined(session))
        with pytest.raises(Killed):
            Seller(session).top_up(sale.version, 7)
    assert keeping_balances.call() == 7
    Seller(session).top_up(sale.version, 7)
    assert keeping_balances.call() == 7
    Seller(session).top_up(sale.version, 7)
    assert keeping_balances.call() == 14


def test_quote__chain_is_gone__is_one_line(harness: MarketHarness, sale: Sale) -> None:
    with harness.net.session("buyer", rpc=("http://127.0.0.1:9",), rpc_timeout=0.2) as session:
        with pytest.raises(ChainError) as caught:
            truthmark.search(session=session)
        assert "\n" not in str(caught.value)


# ---------------------------------------------------------------------- watching


def test_watch__events__are_yielded_from_the_call_on(
    harness: MarketHarness, sale: Sale, buyer: Buyer
) -> None:
    events = truthmark.follow(session=harness.session("stranger"), poll=0.01)
    purchase = buy(buyer, sale)
    deliver(harness, sale)
    seen = []
    for event in events:
        seen.append((event.contract, event.event))
        if event.event == "Delivered":
            break
    wanted = [name for name in seen if name[0] == "market"]
    assert wanted == [("market", "Purchased"), ("market", "Delivered")]
    assert event.args["purchase_id"] == purchase.purchase_id


def test_watch__reorganisation__yields_what_stands_in_its_place(
    harness: MarketHarness, sale: Sale, buyer: Buyer
) -> None:
    events = truthmark.follow(session=harness.session("stranger"), poll=0.01)
    buy(buyer, sale)
    purchased = (e for e in events if e.event == "Purchased")
    harness.net.chain.rpc("anvil_mine", hex(2))
    first = next(purchased)
    harness.net.chain.rpc("anvil_rollback", 3)
    harness.net.warp(5)  # else the new block could be the old one
    buyer.session.journal.resume()
    second = next(purchased)
    assert second.args["purchase_id"] == first.args["purchase_id"]


def test_watch__no_session_given__closes_its_own(
    harness: MarketHarness, sale: Sale, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = harness.net.session("stranger")
    closed: list[bool] = []
    monkeypatch.setattr(own, "close", lambda: closed.append(True))
    monkeypatch.setattr(sessions, "connect", lambda: own)
    events = truthmark.follow(poll=0.01)
    Seller(harness.session("seller")).reprice(sale.version, 3)
    assert next(events).event == "VersionRepriced"
    assert not closed
    events.close()  # type: ignore[attr-defined]
    assert closed == [True]


def test_offer__asked_of_custodians__has_a_tenth_as_penalty(harness: MarketHarness) -> None:
    session = harness.session("seller")
    Catalogue.of(session).sync()
    validator = next(iter(Catalogue.of(session).validators()))
    choice = choose_custody(
        session,
        session.profile.token("TUSD"),
        Windows(DELIVERY, INSPECTION, 60),
        1,
        CustodyWish(custodians=[validator.address.lower()], threshold=1, period_seconds=86_400),
    )
    assert choice.validators == (validator,)
    assert choice.offer == CustodyRequest(
        threshold=1,
        fee=0,
        keeping_fee=0,
        lock=100 * 10**18,
        penalty=10 * 10**18,
        period_seconds=86_400,
        max_periods=4,
    )


# -------------------------------------------------------------------- validators


TICKET = 100 * 10**18


def test_validator__from_registration_to_the_last_ticket__is_read_back(
    harness: MarketHarness,
) -> None:
    operator = Signer(role_key("copycat"))
    session = harness.session("custodian4")
    owner = ValidatorOwner(session)
    with pytest.raises(ConfigError, match="pass what it prints with --encryption-key"):
        owner.register(operator.address)
    key = owner.next_encryption_key(operator)
    owner.register(operator.address, key)
    assert Catalogue.of(session).encryption_keys(owner.validator) == [key]
    owner.stake(3)
    assert [ticket.unbonding_until for ticket in owner.tickets()] == [0, 0, 0]
    owner.stake(1)
    first, *_, last = owner.tickets()
    owner.unbond([last.ticket_id])
    (leaving,) = (t for t in owner.tickets() if t.unbonding_until)
    assert leaving.ticket_id == last.ticket_id
    assert leaving.unbonding_until > harness.now()
    harness.warp_to(leaving.unbonding_until + 1)
    before = held(session, session.profile.contracts["token"].address)
    owner.withdraw_tickets([leaving.ticket_id])
    token = session.profile.contracts["token"].address
    assert Settlement(session).credits(token, session.address) == {"staking": TICKET}
    Settlement(session).withdraw(token, session.address)
    assert held(session, token) == before + TICKET
    assert len(owner.tickets()) == 3
    assert first in owner.tickets()


def test_validator__keys_operator_and_offer__are_changed(harness: MarketHarness) -> None:
    session = harness.session("custodian4")
    owner = ValidatorOwner(session)
    catalogue = Catalogue.of(session)
    owner.set_operator(session.address)
    owner.rotate_encryption_key()
    newest = catalogue.encryption_keys(owner.validator)[-1]
    assert {v.address: v.encryption_key for v in catalogue.validators()}[session.address] == newest
    assert len(catalogue.encryption_keys(owner.validator)) == 2
    harness.publish_offer("custodian4", fee=7, keeping_fee=8)
    owner.set_available(False)
    (offer,) = catalogue.offers(owner.validator)
    assert (offer.fees, offer.is_available) == ({harness.token: (7, 8)}, False)
    assert offer.validator.encryption_key == newest
    owner.set_available(True)
    assert catalogue.offers(owner.validator)[0].is_available
    owner.publish_offer(
        {},
        max_bytes=0,
        max_period_seconds=0,
        min_delivery_seconds=0,
        min_inspection_seconds=0,
        max_lock=0,
    )
    assert catalogue.offers(owner.validator) == []


def test_validator__silent__is_fined_and_pays_it_back(harness: MarketHarness, buyer: Buyer) -> None:
    session = harness.session("custodian4")
    owner = ValidatorOwner(session)
    harness.publish_offer("custodian4", fee=0)
    with ManualNode(harness.net, "custodian4") as node:
        sale = harness.sell([node], threshold=1)
        run_rounds(lambda: harness.is_live(sale), node)
    Catalogue.of(session).sync()
    (obligation,) = owner.obligations()
    assert (obligation.ref, obligation.index, obligation.locked) == (sale.version.ref, 1, TICKET)
    assert (obligation.is_active, obligation.fined, obligation.end) == (
        True,
        False,
        sale.epoch.custody.end,
    )
    assert owner.missing() == 0
    purchase = buy(buyer, sale)
    harness.warp_to(purchase.deadline + 1)
    Settlement(buyer.session).refund([purchase])
    assert owner.missing() == TICKET // 10
    Catalogue.of(session).sync()
    (fined,) = owner.obligations()
    assert fined.fined
    owner.top_up(TICKET // 10)
    assert owner.missing() == 0
