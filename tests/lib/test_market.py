# SPDX-License-Identifier: Apache-2.0
"""The library's market on a real chain: sellers, buyers, and what goes wrong between them.

Time stands still on this chain unless a test moves it, so nothing here depends on a clock.
"""

import contextlib
import json
import random
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

import truthmark
from tests.utils.market_buyer import POINTS, SLOW, start_buyer
from tests.utils.nodes import (
    DELIVERY,
    INSPECTION,
    PERIOD,
    ManualNode,
    MarketHarness,
    Sale,
    open_harness,
    run_rounds,
)
from tests.utils.waiting import wait_for
from truthmark.cli import buy as cli_buy
from truthmark.cli.main import cli
from truthmark.codec import read_manifest
from truthmark.codec.limits import MANIFEST_NAME
from truthmark.config.profile import Windows
from truthmark.errors import (
    ChainError,
    ConfigError,
    DeliveryError,
    EndpointsDisagreeError,
    KeysError,
    MarketError,
    NotForSaleError,
    PriceError,
    ProofError,
    RevertedError,
)
from truthmark.keys.abi_hash import word
from truthmark.keys.curve import N, multiply, random_scalar
from truthmark.keys.files import write_new
from truthmark.keys.purchase import read_recovery
from truthmark.keys.typed import TypedData, admission
from truthmark.market import purchase as purchase_module
from truthmark.market.catalogue import Catalogue
from truthmark.market.choosing import CustodyWish, choose_custody
from truthmark.market.custodian import Custodian, CustodySlot
from truthmark.market.drafts.custody import DIRECT, CustodyRequest
from truthmark.market.entries import Purchase, Version
from truthmark.market.flows import purchasing
from truthmark.market.permits import sign_permit
from truthmark.market.purchase import Buyer, WrongKeyDispute, new_nonce
from truthmark.market.records import PurchaseStatus, VersionStatus, parts_hash
from truthmark.market.seller import Seller
from truthmark.market.settlement import Settlement
from truthmark.market.validator import ValidatorOwner
from truthmark.session import Session, Signer
from truthmark.storage import LocalStore
from truthmark.storage.serve import GatewayServer
from truthmark.testing.network import role_key

pytestmark = pytest.mark.chain

PRICE = 25_000_000
PLENTY = "100 TUSD"
BUYERS = ("buyer", "buyer2", "buyer3")


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MarketHarness]:
    with open_harness(tmp_path_factory.mktemp("market") / "net", []) as opened:
        yield opened


@pytest.fixture
def sale(harness: MarketHarness) -> Sale:
    """A fresh data set, whose seller keeps the key."""
    return harness.sell([])


@pytest.fixture
def buyer(harness: MarketHarness) -> Buyer:
    return Buyer(harness.session("buyer"))


def deliver(harness: MarketHarness, sale: Sale, role: str = "seller") -> None:
    """Let the seller deliver what was bought."""
    session = harness.session(role)
    Catalogue.of(session).sync()
    waiting = [
        p
        for p in Catalogue.of(session).purchases(terms_id=sale.version.terms_id)
        if p.status is PurchaseStatus.PAID
    ]
    Custodian(session).deliver(sale.version, CustodySlot(sale.epoch, 1), waiting)


def buy(buyer: Buyer, sale: Sale, **options: Any) -> Purchase:
    Catalogue.of(buyer.session).sync()
    quote = buyer.quote(sale.version, voucher=options.get("voucher", purchase_module.NO_VOUCHER))
    return buyer.buy(quote, max_total=10**9, **options)


def held(session: Session, token: str) -> int:
    return int(session.token(token).functions.balanceOf(session.address).call())


def wealth(session: Session, token: str) -> int:
    """Return what an account has, in hand and in the ledgers."""
    return held(session, token) + sum(Settlement(session).credits(token, session.address).values())


def sent_by(session: Session, at: str = "latest") -> int:
    return int(str(session.chain.rpc.call("eth_getTransactionCount", session.address, at)), 16)


def bought(harness: MarketHarness, sale: Sale) -> list[Any]:
    return harness.events("market", "Purchased", terms_id=sale.version.terms_id)


@contextlib.contextmanager
def delivering(harness: MarketHarness, sale: Sale) -> Iterator[None]:
    """Let a seller deliver in the background, from a session of their own."""
    stop = threading.Event()

    def work() -> None:
        with harness.net.session("seller") as session:
            while not stop.wait(0.05):
                Catalogue.of(session).sync()
                waiting = [
                    p
                    for p in Catalogue.of(session).purchases(terms_id=sale.version.terms_id)
                    if p.status is PurchaseStatus.PAID
                ]
                if waiting:
                    Custodian(session).deliver(sale.version, CustodySlot(sale.epoch, 1), waiting)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)


# ------------------------------------------------------------------- the usual course


def test_sale__seller_delivers__ends_with_the_frame_and_the_money(
    harness: MarketHarness, sale: Sale, buyer: Buyer
) -> None:
    session, token = buyer.session, sale.version.terms.token
    before, paid = wealth(session, token), wealth(harness.session("seller"), token)
    with delivering(harness, sale):
        opened = truthmark.get(sale.version.ref, max_price="25 TUSD", session=session)
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


class Killed(BaseException):
    """Stands for a kill: nothing of ours catches it."""


def killed(*_: object, **__: object) -> None:
    raise Killed


def dies_once_mined(session: Session) -> Callable[..., None]:
    """Return what stands for a kill after all sent by an account was mined, unseen by it."""

    def die(*_: object, **__: object) -> None:
        wait_for(lambda: sent_by(session, "latest") == sent_by(session, "pending"), "mining")
        raise Killed

    return die


def packed(harness: MarketHarness, name: str, rows: int = 100) -> Path:
    folder = harness.net.folder / name
    truthmark.pack(
        pd.DataFrame({"a": range(rows)}),
        folder,
        licence="MIT",
        title=name,
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
    about = {"licence": "MIT", "title": "update", "session": seller, "shard_size": 1 << 14}
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


# ------------------------------------------------------------------------- prices


def test_buy__repriced_after_the_quote__is_refused_and_nothing_paid(
    harness: MarketHarness, sale: Sale, buyer: Buyer
) -> None:
    Catalogue.of(buyer.session).sync()
    quote = buyer.quote(sale.version)
    Seller(harness.session("seller")).reprice(sale.version, PRICE + 1)
    before = sent_by(buyer.session)
    with pytest.raises(PriceError, match=r"costs 25\.000001 TUSD now instead of 25 TUSD"):
        buyer.buy(quote, max_total=10**9)
    assert sent_by(buyer.session) == before
    assert buyer.quote(sale.version).price == PRICE + 1


def test_buy__repriced_just_before_the_transaction__is_the_contracts_refusal(
    harness: MarketHarness, sale: Sale, buyer: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    Catalogue.of(buyer.session).sync()
    quote = buyer.quote(sale.version)
    original = buyer._pay

    def overtaken(*args: Any) -> Purchase:
        Seller(harness.session("seller")).reprice(sale.version, 1)
        return original(*args)

    monkeypatch.setattr(buyer, "_pay", overtaken)
    with pytest.raises(RevertedError, match="market: other price"):
        buyer.buy(quote, max_total=10**9)
    assert bought(harness, sale) == []


def test_buy__paused_or_retired__is_not_for_sale(
    harness: MarketHarness, sale: Sale, buyer: Buyer
) -> None:
    seller = Seller(harness.session("seller"))
    Catalogue.of(buyer.session).sync()
    quote = buyer.quote(sale.version)
    seller.set_paused(sale.version, True)
    with pytest.raises(NotForSaleError, match="is paused"):
        buyer.buy(quote, max_total=10**9)
    seller.set_paused(sale.version, False)
    assert buyer.quote(sale.version).price == PRICE
    seller.retire(sale.version)
    with pytest.raises(NotForSaleError, match="is retired"):
        buyer.quote(sale.version)


def test_buy__more_than_allowed__pays_nothing(
    harness: MarketHarness, sale: Sale, buyer: Buyer
) -> None:
    before = sent_by(buyer.session)
    with pytest.raises(PriceError, match=r"costs 25 TUSD, more than 24\.999999 TUSD"):
        truthmark.get(sale.version.ref, max_price="24.999999 TUSD", session=buyer.session)
    with pytest.raises(PriceError, match="write the amount in TUSD"):
        truthmark.get(sale.version.ref, max_price="25 TEUR", session=buyer.session)
    assert sent_by(buyer.session) == before
    assert bought(harness, sale) == []


def test_load__not_bought_and_no_price_said__is_refused(
    harness: MarketHarness, sale: Sale, buyer: Buyer
) -> None:
    with pytest.raises(MarketError, match="say how much it may cost with max_price"):
        truthmark.load(sale.version.ref, session=buyer.session)
    assert bought(harness, sale) == []


def test_load__price_said__buys(harness: MarketHarness, sale: Sale, buyer: Buyer) -> None:
    with (
        delivering(harness, sale),
        truthmark.load(sale.version.ref, max_price=PLENTY, session=buyer.session) as data,
    ):
        assert len(data.to_pandas()) == 100
    assert len(bought(harness, sale)) == 1


def test_get__not_agreed__pays_nothing(harness: MarketHarness, sale: Sale, buyer: Buyer) -> None:
    asked = []
    with pytest.raises(MarketError, match="nothing was bought"):
        purchasing.get(
            buyer.session,
            sale.version,
            agree=lambda quote: asked.append(quote),  # type: ignore[func-returns-value]
        )
    assert [quote.total for quote in asked] == [PRICE]
    assert bought(harness, sale) == []


def test_quote__several_custodies__is_of_the_cheapest(
    harness: MarketHarness, sale: Sale, buyer: Buyer
) -> None:
    seller = Seller(harness.session("seller"))
    expensive = replace(DIRECT, fee=7)
    seller.open_custody(sale.version, offer=expensive, validators=[], acceptance_seconds=60)
    Catalogue.of(buyer.session).sync()
    quote = buyer.quote(sale.version)
    assert (quote.epoch.custody.epoch, quote.total) == (0, PRICE)
    assert len(Catalogue.of(buyer.session).epochs(sale.version.terms_id)) == 2


@pytest.mark.parametrize(
    ("changes", "custodians"),
    [
        ({}, "the seller alone, who must be there to deliver"),
        ({"lock": 1, "count": 3, "threshold": 2}, "2 of 3 custodians"),
    ],
)
def test_agree__who_keeps_the_key__is_in_the_question(
    sale: Sale,
    buyer: Buyer,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, int],
    custodians: str,
) -> None:
    Catalogue.of(buyer.session).sync()
    quote = buyer.quote(sale.version)
    custody = replace(quote.epoch.custody, **changes)
    quote = replace(quote, epoch=replace(quote.epoch, custody=custody))
    asked: list[str] = []
    monkeypatch.setattr(cli_buy, "ask", lambda question, yes: asked.append(question))
    cli_buy._agree(buyer.session, quote, yes=False)
    assert asked == [f"the key is kept by {custodians}; pay 25 TUSD?"]


def test_buy_command__json__says_who_keeps_the_key(harness: MarketHarness, sale: Sale) -> None:
    order = ["buy", sale.version.ref, "--json", "--yes", "--max-price", PLENTY]
    home = {"TRUTHMARK_HOME": str(harness.net.home("buyer"))}
    done = CliRunner(mix_stderr=False, env=home).invoke(cli, order, catch_exceptions=False)
    custodians = json.loads(done.stdout)["custodians"]
    assert custodians == "the seller alone, who must be there to deliver"


def test_open_custody__killed_and_repeated__is_dealt_once(
    harness: MarketHarness, sale: Sale, monkeypatch: pytest.MonkeyPatch
) -> None:
    seller = Seller(harness.session("seller"))

    def renew() -> Any:
        return seller.open_custody(sale.version, offer=DIRECT, validators=[], acceptance_seconds=60)

    journal = seller.session.journal
    with monkeypatch.context() as patch:
        # Sent and mined, and killed before that was noticed.
        patch.setattr(journal, "wait", dies_once_mined(seller.session))
        with pytest.raises(Killed):
            renew()
    again = renew()
    Catalogue.of(seller.session).sync()
    epochs = Catalogue.of(seller.session).epochs(sale.version.terms_id)
    assert [epoch.custody.epoch for epoch in epochs] == [0, 1]
    assert again.epoch == epochs[1]
    assert renew().epoch.custody.epoch == 2


def test_open_custody__repeated_while_custodians_accept__is_dealt_and_paid_once(
    harness: MarketHarness, sale: Sale
) -> None:
    validator, seller = (
        ValidatorOwner(harness.session("treasury")),
        Seller(harness.session("seller")),
    )
    validator.register()
    validator.stake(20)
    Catalogue.of(seller.session).sync()
    validators = [
        v for v in Catalogue.of(seller.session).validators() if v.address == validator.validator
    ]
    offer = CustodyRequest(
        threshold=1,
        fee=0,
        keeping_fee=10**6,
        lock=10**20,
        penalty=1,
        period_seconds=PERIOD,
        max_periods=2,
    )

    def renew(offer: CustodyRequest) -> Any:
        return seller.open_custody(
            sale.version, offer=offer, validators=validators, acceptance_seconds=600
        )

    before = held(seller.session, harness.token)
    dealt = renew(offer)
    assert held(seller.session, harness.token) == before - 10**6
    again = renew(offer)
    assert (again.epoch, again.receipts) == (dealt.epoch, ())
    # Nor when all have accepted meanwhile.
    slot = CustodySlot(dealt.epoch, 1)
    validator.session.send_repeatable(
        *Custodian(validator.session).plan_accept(sale.version, slot)[::2]
    )
    assert seller.is_live(dealt.epoch)
    assert renew(offer).epoch == dealt.epoch
    assert held(seller.session, harness.token) == before - 10**6
    # What is not the same is dealt, and so is the same later.
    other = renew(replace(offer, fee=1))
    assert other.epoch.custody.epoch == dealt.epoch.custody.epoch + 1
    harness.warp_to(other.epoch.custody.accept_until + 1)
    assert renew(replace(offer, fee=1)).epoch.custody.epoch == dealt.epoch.custody.epoch + 2
    assert held(seller.session, harness.token) == before - 3 * 10**6


# ------------------------------------------------------------- vouchers and gates


def voucher_for(harness: MarketHarness, sale: Sale, account: str, price: int, expiry: int) -> Any:
    return Seller(harness.session("seller")).write_voucher(
        sale.version, account, price, expiry, new_nonce()
    )


def test_buy__voucher__costs_what_it_says_once(
    harness: MarketHarness, sale: Sale, buyer: Buyer
) -> None:
    account, expiry = buyer.session.address, harness.now() + 3_600
    gift = voucher_for(harness, sale, account, 0, expiry)
    before = held(buyer.session, harness.token)
    with delivering(harness, sale):
        opened = truthmark.get(
            sale.version.ref, max_price="0 TUSD", voucher=gift, session=buyer.session
        )
    assert opened.purchase.receipt.price == 0
    assert held(buyer.session, harness.token) == before


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"account": "stranger"}, "not signed"),
        ({"price": PRICE + 1}, "voucher above price"),
        ({"expiry": -1}, "voucher expired"),
    ],
)
def test_buy__voucher_that_does_not_count__is_refused(
    harness: MarketHarness, sale: Sale, buyer: Buyer, change: dict[str, Any], text: str
) -> None:
    account = harness.address(change.get("account", "buyer"))
    expiry = harness.now() + change.get("expiry", 3_600)
    note = voucher_for(harness, sale, account, change.get("price", 1), expiry)
    with pytest.raises(RevertedError, match=text):
        buy(buyer, sale, voucher=note)
    assert bought(harness, sale) == []


def test_buy__gate__admits_only_with_its_signature(harness: MarketHarness, buyer: Buyer) -> None:
    gate = Signer(role_key("treasury"))
    sale = harness.sell([], gate=gate.address)

    def leave(account: str) -> tuple[int, bytes]:
        expiry = harness.now() + 3_600
        message = admission(
            chain_id=buyer.session.profile.chain_id,
            market=buyer.session.chain.market.address,
            terms_id=sale.version.terms_id,
            account=account,
            expiry=expiry,
        )
        return expiry, gate.sign_typed(message)

    with pytest.raises(RevertedError, match="market: "):
        buy(buyer, sale)
    with pytest.raises(RevertedError, match="market: "):
        buy(buyer, sale, admission=leave(harness.address("stranger")))
    assert bought(harness, sale) == []
    purchase = buy(buyer, sale, admission=leave(buyer.session.address))
    assert purchase.status is PurchaseStatus.PAID


# --------------------------------------------------------------------- allowances


def revoke(session: Session, token: str) -> None:
    market = session.chain.market.address
    session.send_repeatable(session.token(token).functions.approve(market, 0), "revoke")


def test_buy__token_with_permits__takes_one_transaction(
    harness: MarketHarness, sale: Sale, buyer: Buyer
) -> None:
    revoke(buyer.session, harness.token)
    before = sent_by(buyer.session)
    buy(buyer, sale)
    assert sent_by(buyer.session) == before + 1


def test_buy__token_without_permits__is_allowed_first(
    harness: MarketHarness, sale: Sale, buyer: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    revoke(buyer.session, harness.token)
    monkeypatch.setattr(purchase_module, "sign_permit", lambda *_: None)
    before = sent_by(buyer.session)
    buy(buyer, sale)
    assert sent_by(buyer.session) == before + 2


def test_buy__allowance_is_there__signs_no_permit(
    harness: MarketHarness, sale: Sale, buyer: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    buyer.session.allow(harness.token, buyer.session.chain.market.address, PRICE)
    monkeypatch.setattr(purchase_module, "sign_permit", lambda *_: pytest.fail("it was asked for"))
    assert buy(buyer, sale).status is PurchaseStatus.PAID


def test_buy__permit_used_up_by_another__goes_by_the_allowance(
    harness: MarketHarness, sale: Sale, buyer: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    revoke(buyer.session, harness.token)
    stranger = harness.session("stranger")

    def overtaken(session: Session, token: Any, spender: str, amount: int) -> Any:
        signed = sign_permit(session, token, spender, amount)
        assert signed is not None
        deadline, v, r, s = signed
        call = stranger.token(harness.token).functions.permit(
            session.address, spender, amount, deadline, v, r, s
        )
        stranger.send_repeatable(call, "use somebody's permit up")
        return signed

    monkeypatch.setattr(purchase_module, "sign_permit", overtaken)
    assert buy(buyer, sale).status is PurchaseStatus.PAID


# ------------------------------------------------------------------- paying twice


def test_buy__twice__pays_once(harness: MarketHarness, sale: Sale, buyer: Buyer) -> None:
    Catalogue.of(buyer.session).sync()
    quote = buyer.quote(sale.version)
    first = buyer.buy(quote, max_total=10**9)
    assert buyer.buy(quote, max_total=10**9) == first
    assert len(bought(harness, sale)) == 1


def test_buy__many_processes_at_once__pays_once_and_all_open_it(
    harness: MarketHarness, sale: Sale
) -> None:
    token = harness.token
    before = wealth(harness.session("buyer"), token)
    with delivering(harness, sale):
        processes = [
            start_buyer(harness.net, "buyer", sale.version.ref, PLENTY, SLOW) for _ in range(3)
        ]
        for process in processes:
            process.join(120)
    assert [process.exitcode for process in processes] == [0] * 3
    assert len(bought(harness, sale)) == 1
    assert wealth(harness.session("buyer"), token) == before - PRICE


def test_buy__killed_anywhere__is_paid_once_and_opens_the_same(harness: MarketHarness) -> None:
    """Kill a buyer at every point in turn, then let them finish: once with each."""
    sales = {point: harness.sell([]) for point in POINTS}
    token, session = harness.token, harness.session("buyer2")
    before = wealth(session, token)
    for point, sale in sales.items():
        known = len(session.vault.names("purchase-key"))
        with delivering(harness, sale):
            process = start_buyer(harness.net, "buyer2", sale.version.ref, PLENTY, point)
            process.join(120)
            assert process.exitcode == -9, point
            # Whatever may yet be paid for has its key on the disk.
            kept = len(session.vault.names("purchase-key"))
            assert kept - known == (point not in ("after fetching", "before the key is kept")), (
                point
            )
            with truthmark.load(sale.version.ref, max_price=PLENTY, session=session) as data:
                rows = data.to_pandas()
        assert rows["number"].tolist() == list(range(100)), point
        session.journal.resume()  # else the next would begin with what this one left
        assert len(bought(harness, sale)) == 1, point
    assert wealth(session, token) == before - PRICE * len(sales)


def test_buy__killed_at_random_moments__is_paid_once(harness: MarketHarness, sale: Sale) -> None:
    chance = random.Random(20)
    session = harness.session("buyer3")
    before = wealth(session, harness.token)
    with delivering(harness, sale):
        for _ in range(4):
            process = start_buyer(harness.net, "buyer3", sale.version.ref, PLENTY)
            process.join(chance.uniform(0.05, 1.5))
            process.kill()
            process.join()
        with truthmark.load(sale.version.ref, max_price=PLENTY, session=session) as data:
            assert len(data.to_pandas()) == 100
    assert len(bought(harness, sale)) == 1
    assert wealth(session, harness.token) == before - PRICE


@pytest.mark.parametrize("depth", [1, 3])
def test_buy__reorganisation_takes_it_back__is_bought_once(
    harness: MarketHarness, sale: Sale, buyer: Buyer, depth: int
) -> None:
    rpc = harness.net.chain.rpc
    rpc("anvil_mine", hex(3))
    before = wealth(buyer.session, harness.token)
    purchase = buy(buyer, sale)
    rpc("anvil_mine", hex(depth - 1))
    rpc("anvil_rollback", depth)
    rpc("anvil_mine", hex(depth + 1))
    assert harness.events("market", "Purchased", purchase_id=purchase.purchase_id) == []
    # As users do who repeat their command.
    deliver_later = delivering(harness, sale)
    with deliver_later:
        opened = truthmark.get(sale.version.ref, max_price=PLENTY, session=buyer.session)
    assert opened.purchase.purchase_id == purchase.purchase_id
    assert len(bought(harness, sale)) == 1
    assert wealth(buyer.session, harness.token) == before - PRICE


def test_wait__reorganisation_meanwhile__puts_the_purchase_back(
    harness: MarketHarness, sale: Sale, buyer: Buyer
) -> None:
    purchase = buy(buyer, sale)
    harness.net.chain.rpc("anvil_rollback", 1)
    with delivering(harness, sale):
        done = buyer.wait(purchase, poll=0.01)
    assert (done.purchase_id, done.status) == (purchase.purchase_id, PurchaseStatus.DELIVERED)
    assert len(bought(harness, sale)) == 1


def test_wait__reorganisation_and_nobody_to_send_it_again__says_so(
    harness: MarketHarness, sale: Sale, buyer: Buyer
) -> None:
    purchase = buy(buyer, sale)
    harness.net.chain.rpc("anvil_rollback", 1)
    with (
        other_machine(harness, "buyer", "watching-only") as session,
        pytest.raises(MarketError, match="is not on the chain any more"),
    ):
        Buyer(session).wait(purchase, poll=0.01)


# --------------------------------------------------------------------- lost homes


def other_machine(harness: MarketHarness, role: str, name: str) -> Session:
    """Return a session with a role's account and nothing else of it."""
    home = harness.net.folder / name
    home.mkdir()
    for part in ("accounts", "profiles"):
        shutil.copytree(harness.net.home(role) / part, home / part)
    shutil.copy(harness.net.home(role) / "config.toml", home)
    opened = harness.net.session(role)
    settings = replace(opened.settings, home=home, keystore=home / "accounts")
    return Session(settings, signer=Signer(role_key(role)))


def test_load__home_lost__the_wallet_alone_opens_it_again(
    harness: MarketHarness, sale: Sale, buyer: Buyer
) -> None:
    buy(buyer, sale)
    deliver(harness, sale)
    with other_machine(harness, "buyer", "elsewhere") as session:
        with truthmark.load(sale.version.ref, session=session) as data:
            assert len(data.to_pandas()) == 100
        assert len(session.vault.names("purchase-key")) == 1
    assert len(bought(harness, sale)) == 1


class UnrepeatableSigner(Signer):
    """A wallet that signs differently each time, as those of several parties do."""

    def __init__(self, private_key: bytes) -> None:
        super().__init__(private_key)
        self._secret = int.from_bytes(private_key, "big")

    def sign_typed(self, message: TypedData) -> bytes:
        if message["primaryType"] != "PurchaseKey":
            return super().sign_typed(message)
        from eth_account.messages import _hash_eip191_message, encode_typed_data

        digest = _hash_eip191_message(encode_typed_data(full_message=message))
        nonce = random_scalar()
        point = multiply(nonce)
        s = (int.from_bytes(digest, "big") + point.x * self._secret) * pow(nonce, -1, N) % N
        v = 27 + point.y % 2
        if s > N // 2:
            s, v = N - s, 55 - v
        return word(point.x % N) + word(s) + bytes([v])


def test_buy__wallet_cannot_repeat__needs_its_recovery_file(
    harness: MarketHarness, sale: Sale
) -> None:
    wallet = UnrepeatableSigner(role_key("copycat"))
    said: list[str] = []
    folder = harness.net.folder / "recovery"
    with harness.net.session("copycat") as session:
        session._signer = wallet
        buyer = Buyer(session, said.append)
        buy(buyer, sale, recovery_folder=folder)
        deliver(harness, sale)
        (file,) = folder.iterdir()
        assert str(file) in said[0]
        with truthmark.load(sale.version.ref, session=session) as data:
            assert len(data.to_pandas()) == 100
    with other_machine(harness, "copycat", "no-file") as session:
        session._signer = wallet
        # It must not look as if the seller had cheated.
        with pytest.raises(KeysError, match="restore the recovery file"):
            truthmark.load(sale.version.ref, session=session)
        session.vault.put_purchase_key(read_recovery(file))
        with truthmark.load(sale.version.ref, session=session) as data:
            assert len(data.to_pandas()) == 100


# ------------------------------------------------------------------ nothing comes


def test_wait__nothing_delivered__is_refunded_and_can_be_bought_again(
    harness: MarketHarness, sale: Sale, buyer: Buyer
) -> None:
    session = buyer.session
    before = held(session, harness.token)
    purchase = buy(buyer, sale)
    settlement = Settlement(session)
    # Too early: the contract skips it, and it must not count as done.
    settlement.refund([purchase])
    assert buyer.find_purchase(sale.version) == purchase
    harness.warp_to(purchase.deadline + 1)
    seen: list[tuple[int, int]] = []
    with pytest.raises(DeliveryError, match="0 of 1 parts came in time; take your money back"):
        buyer.wait(purchase, lambda done, total: seen.append((done, total)))
    assert seen == [(0, 1)]
    settlement.refund([purchase])
    settlement.withdraw(harness.token, session.address)
    assert held(session, harness.token) == before
    with pytest.raises(DeliveryError, match="was refunded"):
        buyer.wait(purchase)
    assert buyer.find_purchase(sale.version) is None
    with pytest.raises(MarketError, match="was not bought by this account"):
        truthmark.load(sale.version.ref, session=session)
    # A refund closes the custody; the seller opens another.
    with pytest.raises(NotForSaleError, match="those who kept its key failed or left"):
        buyer.quote(sale.version)
    opened = Seller(harness.session("seller")).open_custody(
        sale.version, offer=DIRECT, validators=[], acceptance_seconds=60
    )
    again = buy(buyer, sale)
    deliver(harness, replace(sale, epoch=opened.epoch))
    assert buyer.wait(again).status is PurchaseStatus.DELIVERED


# ------------------------------------------------------------------- a wrong key


@pytest.fixture
def copied(harness: MarketHarness, sale: Sale) -> Sale:
    """The bytes of a sale under a key of a copycat's own, with a bond."""
    with harness.net.session("copycat") as copycat:
        Catalogue.of(copycat).sync()
        original = Buyer(copycat).fetch(sale.version)
        public_key = copycat.vault.put_seller_secret(random_scalar())
        folder = harness.net.folder / f"copied-{sale.version.listing_id}"
        shutil.copytree(original, folder)
        (folder / MANIFEST_NAME).unlink()
        manifest = replace(read_manifest(original), public_key=public_key)
        write_new(folder / MANIFEST_NAME, manifest.to_bytes())
        listed = Seller(copycat).list_dataset(
            folder,
            price=PRICE,
            token=copycat.profile.token("TUSD"),
            windows=Windows(DELIVERY, INSPECTION, 3_600),
            offer=DIRECT,
            bond=8_000_001,
        )
        version = Catalogue.of(copycat).version(f"0x{listed.terms.terms_id.hex()}")
    return Sale(version, listed.epoch)


def dispute_of(buyer: Buyer, copied: Sale) -> WrongKeyDispute:
    with pytest.raises(WrongKeyDispute, match="does not open shard") as caught:
        truthmark.load(copied.version.ref, session=buyer.session)
    return caught.value


def test_dispute__key_is_wrong__brings_the_money_and_half_the_bond(
    harness: MarketHarness, copied: Sale
) -> None:
    first, second, third = (Buyer(harness.session(role)) for role in BUYERS)
    before = [wealth(b.session, harness.token) for b in (first, second, third)]
    for buyer in (first, second):
        buy(buyer, copied)
    deliver(harness, copied, "copycat")
    waiting = buy(third, copied)
    dispute = dispute_of(first, copied)
    assert dispute.reward == 4_000_000
    assert "cek" not in repr(dispute.opened)
    late = dispute_of(second, copied)
    first.dispute(dispute)
    # The others only have to take their money.
    second.dispute(late)
    with pytest.raises(DeliveryError, match="another buyer proved that this key is wrong"):
        third.wait(waiting)
    Settlement(third.session).refund([waiting])
    after = [wealth(b.session, harness.token) for b in (first, second, third)]
    assert [a - b for a, b in zip(after, before, strict=True)] == [4_000_000, 0, 0]
    Catalogue.of(first.session).sync()
    revoked = Catalogue.of(first.session).version(copied.version.ref)
    assert revoked.status is VersionStatus.REVOKED
    with pytest.raises(NotForSaleError, match="proven wrong; do not buy it"):
        truthmark.get(copied.version.ref, max_price=PLENTY, session=first.session)
    # Again, as after a kill: nothing more is paid.
    first.dispute(dispute)
    assert wealth(first.session, harness.token) == after[0]


def test_receive__endpoint_leaves_a_part_out__blames_the_endpoint(
    harness: MarketHarness, sale: Sale, buyer: Buyer
) -> None:
    purchase = buy(buyer, sale)
    deliver(harness, sale)
    told = replace(harness.purchase(purchase), delivered={})
    with pytest.raises(ProofError, match="tells of 0 parts of the key instead of 1"):
        buyer.receive(sale.version, told, buyer.fetch(sale.version))


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"parts": 1}, EndpointsDisagreeError),
        ({"status": PurchaseStatus.PAID, "parts": 0}, DeliveryError),
    ],
)
def test_receive__market_noted_other_parts__accuses_nobody(
    harness: MarketHarness,
    copied: Sale,
    buyer: Buyer,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    kind: type[Exception],
) -> None:
    purchase = buy(buyer, copied)
    deliver(harness, copied, "copycat")
    chain, functions = buyer.session.chain, harness.session("seller").chain.market.functions
    state = functions.purchases(purchase.purchase_id).call()._replace(**changes)
    monkeypatch.setattr(chain, "agreed_call", lambda call, block: state)
    with pytest.raises(kind, match="use another endpoint") as caught:
        truthmark.load(copied.version.ref, session=buyer.session)
    assert not isinstance(caught.value, WrongKeyDispute)
    monkeypatch.undo()
    assert dispute_of(buyer, copied).reward == 4_000_000


def test_dispute__inspection_is_over__is_the_contracts_refusal(
    harness: MarketHarness, copied: Sale, buyer: Buyer
) -> None:
    purchase = buy(buyer, copied)
    deliver(harness, copied, "copycat")
    dispute = dispute_of(buyer, copied)
    harness.warp_to(harness.purchase(purchase).deadline + 1)
    with pytest.raises(RevertedError, match="inspection is over"):
        buyer.dispute(dispute)


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
def test_manage__somebody_else__is_told_whose_it_is(
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
    from truthmark.market import surface

    own = harness.net.session("stranger")
    closed: list[bool] = []
    monkeypatch.setattr(own, "close", lambda: closed.append(True))
    monkeypatch.setattr(surface, "connect", lambda: own)
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
