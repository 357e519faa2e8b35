# SPDX-License-Identifier: Apache-2.0
"""What lies on the disk, and that nothing that somebody may still ask for is freed."""

from collections.abc import Iterator

import pytest

import truthmark.market.stored as stored_module
from tests.utils.cli import Person
from tests.utils.nodes import ManualNode, MarketHarness, open_harness, run_rounds
from truthmark.errors import ConfigError
from truthmark.market.catalogue import Catalogue
from truthmark.market.custodian import Custodian, CustodySlot
from truthmark.market.purchase import Buyer
from truthmark.market.seller import Seller
from truthmark.market.settlement import Settlement
from truthmark.market.stored import Stored, find_stored, free, local_store

pytestmark = pytest.mark.chain


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MarketHarness]:
    with open_harness(tmp_path_factory.mktemp("stored") / "net", ["custodian1"]) as opened:
        yield opened


@pytest.fixture
def rested(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if nothing had been touched for a day."""
    monkeypatch.setattr(stored_module, "RESTING_SECONDS", -60)
    monkeypatch.setattr(stored_module, "CACHE_SECONDS", 0)


def of(harness: MarketHarness, role: str, ref: str, **settings: object) -> Stored | None:
    with harness.net.session(role, **settings) as session:
        return next((e for e in find_stored(session) if e.name == ref), None)


def own_store(harness: MarketHarness, role: str) -> dict[str, object]:
    home = harness.net.home(role)
    return {"storage": (f"local:{home}/store", f"local:{harness.net.folder}/store")}


def test_stored__fetched_bought_settled__is_kept_until_nothing_needs_it(
    harness: MarketHarness, rested: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale = harness.sell([])
    ref = sale.version.ref
    store = own_store(harness, "buyer")
    with harness.net.session("buyer", **store) as session:
        buyer = Buyer(session)
        Catalogue.of(session).sync()
        folder = buyer.fetch(sale.version)
        entry = of(harness, "buyer", ref, **store)
        assert entry is not None
        assert (entry.kind, entry.is_needed, entry.is_freed(bought=False)) == (
            "fetched",
            False,
            True,
        )
        assert entry.size > 0
        monkeypatch.setattr(stored_module, "RESTING_SECONDS", 86_400)
        fresh = of(harness, "buyer", ref, **store)
        assert fresh is not None
        assert fresh.is_needed  # a `get` may be between fetching and opening
        with pytest.raises(ConfigError, match="is needed"):
            free(session, [fresh])
        monkeypatch.setattr(stored_module, "RESTING_SECONDS", -60)
        purchase = buyer.buy(buyer.quote(sale.version), max_total=10**9)
        bought = of(harness, "buyer", ref, **store)
        assert bought is not None
        assert (bought.kind, bought.is_needed) == ("bought", True)
        seller = harness.session("seller")
        Catalogue.of(seller).sync()
        Custodian(seller).deliver(
            sale.version, CustodySlot(sale.epoch, 1), [harness.purchase(purchase)]
        )
        bought = of(harness, "buyer", ref, **store)
        assert bought is not None
        assert bought.is_needed
        harness.warp_to(harness.purchase(purchase).deadline + 1)
        Settlement(seller).settle([harness.purchase(purchase)])
        done = of(harness, "buyer", ref, **store)
        assert done is not None
        assert (done.is_needed, done.is_freed(bought=False), done.is_freed(bought=True)) == (
            False,
            False,
            True,
        )
        assert free(session, [done]) > 0
        assert not folder.exists()
        assert of(harness, "buyer", ref, **store) is None
        assert buyer.fetch(sale.version) == folder  # from where it came


def test_stored__own_listing__is_needed_until_it_is_closed(
    harness: MarketHarness, rested: None
) -> None:
    sale = harness.sell([])
    ref = sale.version.ref
    entry = of(harness, "seller", ref)
    assert entry is not None
    assert (entry.kind, entry.is_needed) == ("listing", True)
    seller = harness.session("seller")
    Seller(seller).retire(sale.version)
    still = of(harness, "seller", ref)
    assert still is not None
    assert still.is_needed  # the seller's own custody is not released
    harness.net.warp(30_000)
    Catalogue.of(seller).sync()
    order = Settlement(seller).plan_release(sale.version, sale.epoch, [1])
    seller.send(order.call, order.key, order.purpose)
    over = of(harness, "seller", ref)
    assert over is not None
    assert not over.is_needed
    with harness.net.session("seller") as session:
        store = local_store(session)
        assert store is not None
        others = len(store.pins())
        assert free(session, [over]) > 0
        assert len(store.pins()) == others - 4
        for pin in store.pins():
            assert store.check(pin) == []


def test_free__store_is_shared__leaves_what_others_pinned(
    harness: MarketHarness, rested: None
) -> None:
    sale = harness.sell([])
    with harness.net.session("buyer2") as session:
        Catalogue.of(session).sync()
        folder = Buyer(session).fetch(sale.version)
        store = local_store(session)
        assert store is not None
        before = store.pins()
        found = [e for e in find_stored(session) if e.is_freed(bought=True)]
        assert sale.version.ref in {entry.name for entry in found}
        # What others pinned is told in a line, and not by the names of its blocks.
        pinned = [e for e in find_stored(session) if e.kind == "pinned"]
        assert len(pinned) == 1
        assert pinned[0].is_needed
        assert pinned[0].name == f"{len(before)} files in the store"
        assert "pinned by others who share the store: 1@1" in pinned[0].why
        free(session, found)
        assert not folder.exists()
        assert store.pins() == before
        for pin in before:
            assert store.check(pin) == []


def test_free__needed_by_now__stays(harness: MarketHarness, rested: None) -> None:
    sale = harness.sell([])
    with harness.net.session("buyer3", **own_store(harness, "buyer3")) as session:
        Catalogue.of(session).sync()
        buyer = Buyer(session)
        folder = buyer.fetch(sale.version)
        found = [e for e in find_stored(session) if e.name == sale.version.ref]
        assert [entry.is_needed for entry in found] == [False]
        buyer.buy(buyer.quote(sale.version), max_total=10**9)  # while somebody reads the list
        assert free(session, found) == 0
        assert folder.is_dir()


def test_let_go__obligation_is_over__frees_the_nodes_disk(
    harness: MarketHarness, rested: None
) -> None:
    with ManualNode(harness.net, "custodian1") as node:
        sale = harness.sell([node], threshold=1)
        run_rounds(lambda: harness.is_live(sale), node)
        store = own_store(harness, "custodian1")
        kept = of(harness, "custodian1", sale.version.ref, **store)
        assert kept is not None
        assert (kept.kind, kept.is_needed) == ("custody", True)
        Seller(harness.session("seller")).retire(sale.version)
        harness.net.warp(30_000)
        place = harness.net.home("custodian1") / "node" / "kept" / sale.version.terms_id.hex()
        run_rounds(lambda: not place.exists(), node)
        own = local_store(node.session)
        assert own is not None
        assert own.pins() == []
        assert not list((own.root / "files").iterdir())


def test_gc__leftovers__are_asked_for_and_go(harness: MarketHarness, rested: None) -> None:
    home = harness.net.home("buyer2")
    (home / ".gone-1").mkdir()
    (home / ".gone-1" / "data.tmk").write_bytes(bytes(9_000))
    person = Person(home)
    listed = person("storage", "list", "--json").ok().json
    assert [e["kind"] for e in listed if e["name"].endswith(".gone-1")] == ["leftover"]
    person("storage", "gc", "--dry-run").ok()
    assert (home / ".gone-1").exists()
    person("storage", "gc", stdin="n\n").refused(8, "nothing was freed")
    assert person("storage", "gc", "--yes", "--json").ok().json["freed_bytes"] >= 9_000
    assert not (home / ".gone-1").exists()
    assert "nothing to free" in person("storage", "gc").ok().err
