# SPDX-License-Identifier: Apache-2.0
"""What the catalogue reads from logs: names, prices, states, filters, and what it leaves out."""

import contextlib
import random
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from tests.utils.drafts import PRICE, Listing, draft_listing, draft_purchase, make_part
from tests.utils.drafts import Place as ContractPlace
from tests.utils.offline_market import (
    BIRTH,
    DOLLAR,
    EURO,
    PROFILE,
    OfflineMarket,
    address,
    kept,
    listed,
    make_custody,
    make_terms,
)
from truthmark.errors import (
    ConfigError,
    DeliveryError,
    EndpointsDisagreeError,
    MalformedReplyError,
    NotForSaleError,
)
from truthmark.market.catalogue import BUYING_SECONDS
from truthmark.market.records import PurchaseStatus, Terms, VersionStatus, parts_hash
from truthmark.types import Point

PLACE = ContractPlace(1, PROFILE.contracts["registry"].address, PROFILE.contracts["market"].address)
ENDINGS = {
    VersionStatus.OPEN: [],
    VersionStatus.PAUSED: [("VersionPaused", {"is_paused": True})],
    VersionStatus.RETIRED: [("VersionRetired", {})],
    VersionStatus.CLOSED: [
        ("VersionRetired", {}),
        ("VersionClosed", {"payee": address(1), "amount": 0}),
    ],
    VersionStatus.REVOKED: [
        ("VersionRevoked", {"rewarded": address(1), "reward": 0, "burned": 0}),
        ("VersionClosed", {"payee": address(1), "amount": 0}),
    ],
}


def test_version__number_and_place__is_found(offline: OfflineMarket) -> None:
    first = offline.list_version(17, 1)
    second = offline.list_version(17, 2, price=5)
    assert offline.catalogue.version("17").terms == second
    found = offline.catalogue.version("17@1")
    assert (found.terms, found.ref, found.price) == (first, "17@1", 1_000_000)
    assert (found.status, found.listed_at) == (VersionStatus.OPEN, BIRTH + 1)
    assert offline.catalogue.version("0x" + second.terms_id.hex()).ref == "17@2"
    assert [v.ref for v in offline.catalogue.siblings(found)] == ["17@2", "17@1"]


@pytest.mark.parametrize("ref", ["18", "17@3", "0x" + "ab" * 32, "9" * 18])
def test_version__never_listed__says_so(offline: OfflineMarket, ref: str) -> None:
    offline.list_version(17, 1)
    with pytest.raises(NotForSaleError, match="there is no dataset"):
        offline.catalogue.version(ref)


@pytest.mark.parametrize("ref", ["", "digits", "17@", "17@1@1", "-1", "0x12", "9" * 19, "17\n"])
def test_version__no_name__says_how_to_write_one(offline: OfflineMarket, ref: str) -> None:
    with pytest.raises(ConfigError, match="names no dataset"):
        offline.catalogue.version(ref)


@pytest.mark.parametrize("status", ENDINGS)
def test_versions__after_its_events__has_that_status(
    offline: OfflineMarket, status: VersionStatus
) -> None:
    terms = offline.list_version(1)
    other = offline.list_version(2)
    for event, args in ENDINGS[status]:
        offline.log("registry", event, terms_id=terms.terms_id, **args)
    assert {v.terms: v.status for v in offline.catalogue.versions()} == {
        terms: status,
        other: VersionStatus.OPEN,
    }


def test_versions__paused_and_resumed__is_open(offline: OfflineMarket) -> None:
    terms = offline.list_version(1)
    for is_paused in (True, False, True, False):
        offline.log("registry", "VersionPaused", terms_id=terms.terms_id, is_paused=is_paused)
    assert offline.catalogue.version("1").status is VersionStatus.OPEN
    offline.log("registry", "VersionPaused", terms_id=terms.terms_id, is_paused=True)
    assert offline.catalogue.version("1").status is VersionStatus.PAUSED


def test_versions__repriced__has_the_last_price(offline: OfflineMarket) -> None:
    terms = offline.list_version(1)
    for price in (7, 2**128 - 1, 3):
        offline.log("registry", "VersionRepriced", terms_id=terms.terms_id, price=price)
    assert offline.catalogue.version("1").price == 3


def test_versions__filters__let_the_right_ones_pass(offline: OfflineMarket) -> None:
    first = offline.list_version(1)
    block = offline.log("registry", "VersionRepriced", terms_id=first.terms_id, price=1)
    offline.list_version(2, seller=address(0xB0))
    assert [v.ref for v in offline.catalogue.versions(after=(block, 0))] == ["2@1"]
    assert [v.ref for v in offline.catalogue.versions(seller=address(0xB0).lower())] == ["2@1"]
    assert [v.ref for v in offline.catalogue.versions(terms_ids=[first.terms_id])] == ["1@1"]
    assert offline.catalogue.versions(terms_ids=[]) == []
    with pytest.raises(ConfigError, match="is not an address"):
        offline.catalogue.versions(seller="me")


def test_tokens__several_listings__each_once(offline: OfflineMarket) -> None:
    assert offline.catalogue.tokens() == []
    for number, token in enumerate([DOLLAR, EURO, DOLLAR], start=1):
        offline.list_version(number, token=token.address)
    assert sorted(offline.catalogue.tokens()) == sorted([DOLLAR.address, EURO.address])


def test_with_key__listed_twice__finds_both_and_no_other(offline: OfflineMarket) -> None:
    key = Point(5, 6)
    offline.list_version(1, public_key=key)
    offline.list_version(2, public_key=key)
    offline.list_version(3, public_key=Point(5, 7))
    assert [v.ref for v in offline.catalogue.with_key(key)] == ["2@1", "1@1"]


def refs(offline: OfflineMarket, **filters: Any) -> list[str]:
    ids = offline.catalogue.offered(**filters)
    names = {v.terms_id: v.ref for v in offline.catalogue.versions()}
    return [names[terms_id] for terms_id in ids]


def test_offered__several_versions__is_the_newest_open_one(offline: OfflineMarket) -> None:
    offline.list_version(1, 1)
    second = offline.list_version(1, 2)
    offline.list_version(2, 1)
    ended = offline.list_version(3, 1)
    offline.log("registry", "VersionRetired", terms_id=ended.terms_id)
    assert refs(offline) == ["2@1", "1@2"]
    offline.log("registry", "VersionPaused", terms_id=second.terms_id, is_paused=True)
    assert refs(offline) == ["2@1", "1@1"]


def test_offered__filters__count_for_the_version_that_is_shown(offline: OfflineMarket) -> None:
    # The older one would fit, but nobody is shown it.
    offline.list_version(1, 1, price=5)
    offline.list_version(1, 2, price=50)
    offline.list_version(2, 1, price=2**100, token=EURO.address)
    terms = offline.list_version(3, 1, price=50)
    offline.log("registry", "VersionRepriced", terms_id=terms.terms_id, price=10)
    assert refs(offline, token=DOLLAR.address.lower()) == ["3@1", "1@2"]
    assert refs(offline, max_price=10) == ["3@1"]
    assert refs(offline, max_price=9) == []
    assert refs(offline, max_price=2**64) == ["3@1", "1@2"]
    assert refs(offline, max_price=2**100) == ["3@1", "2@1", "1@2"]
    assert refs(offline, older_than=3) == ["2@1", "1@2"]
    assert refs(offline, seller=address(0xB0)) == []


NOW = BIRTH + 50_000


def set_now(offline: OfflineMarket, now: int = NOW) -> None:
    with offline.index.write() as connection:
        connection.execute("UPDATE index_cursor SET timestamp = ?", [now])


WINDOWS = 1_200 + BUYING_SECONDS  # of the terms on offline, and what a block may take


@pytest.mark.parametrize(
    ("end", "more", "is_buyable"),
    [
        (NOW + WINDOWS, [], True),
        (NOW + WINDOWS - 1, [], False),
        (NOW - 1, [("CustodyExtended", NOW + WINDOWS)], True),
        (NOW - 1, [("CustodyExtended", NOW + WINDOWS - 1)], False),
        (NOW + WINDOWS, [("CustodyClosed", 0)], False),
    ],
)
def test_offered__custody__must_outlast_both_windows(
    offline: OfflineMarket, end: int, more: list[tuple[str, int]], is_buyable: bool
) -> None:
    set_now(offline)
    terms = make_terms(7)
    offline.log("registry", "VersionListed", **listed(terms, 1, 1, 5))
    offline.log_all(kept(terms, end=end))
    for event, value in more:
        rest = (
            {"custodian": terms.seller, "end": value, "active": 1}
            if event == "CustodyExtended"
            else {"fined": 0}
        )
        custody_id = make_custody(terms, end=end).custody_id
        offline.log("registry", event, custody_id=custody_id, **rest)
    assert offline.catalogue.offered() == [terms.terms_id] * is_buyable
    assert offline.catalogue.buyable([terms.terms_id]) == {terms.terms_id} - (
        set() if is_buyable else {terms.terms_id}
    )
    # A further custody makes it buyable whatever became of the first one.
    offline.log_all(kept(terms, 1, end=NOW + WINDOWS))
    assert offline.catalogue.offered() == [terms.terms_id]


def test_offered__waiting_for_custodians__shows_the_version_before(offline: OfflineMarket) -> None:
    set_now(offline)
    first = offline.list_version(1, 1)
    second = make_terms(8)
    offline.log("registry", "VersionListed", **listed(second, 1, 2, 5))
    offline.log_all(kept(second, is_live=False))
    assert refs(offline) == ["1@1"]
    assert offline.catalogue.buyable([first.terms_id, second.terms_id]) == {first.terms_id}
    offline.log("registry", "VersionPaused", terms_id=first.terms_id, is_paused=True)
    assert refs(offline) == []
    assert offline.catalogue.buyable([first.terms_id]) == set()
    offline.log_all(kept(second, 1))
    assert refs(offline) == ["1@2"]


def test_offered__random_history__equals_a_plain_reading(offline: OfflineMarket) -> None:
    chooser = random.Random(11)
    entries: list[tuple[str, str, dict[str, Any]]] = []
    price: dict[bytes, int] = {}
    state: dict[bytes, VersionStatus] = {}
    place: dict[bytes, tuple[int, int]] = {}
    for listing in range(1, 60):
        for number in range(1, chooser.randint(2, 4)):
            terms = replace(_terms(listing, number), token=chooser.choice([DOLLAR, EURO]).address)
            price[terms.terms_id] = chooser.choice([1, 100, 2**63, 2**90])
            place[terms.terms_id] = (listing, number)
            arguments = listed(terms, listing, number, price[terms.terms_id])
            entries += [("registry", "VersionListed", arguments), *kept(terms)]
            status = chooser.choice(list(VersionStatus)[1:])
            state[terms.terms_id] = status
            changes = [(e, dict(a)) for e, a in ENDINGS[status]]
            for _ in range(chooser.randint(0, 2)):
                price[terms.terms_id] = chooser.choice([2, 200, 2**64])
                changes.append(("VersionRepriced", {"price": price[terms.terms_id]}))
            entries += [("registry", e, {"terms_id": terms.terms_id, **a}) for e, a in changes]
    offline.log_all(entries)
    found = {v.terms_id: v for v in offline.catalogue.versions()}
    assert {key: (v.price, v.status) for key, v in found.items()} == {
        key: (price[key], state[key]) for key in state
    }
    for limit in (None, 1, 150, 2**63, 2**80):
        newest: dict[int, bytes] = {}
        for key, (listing, _) in sorted(place.items(), key=lambda item: item[1]):
            if state[key] is VersionStatus.OPEN:
                newest[listing] = key
        expected = [
            key
            for _, key in sorted(newest.items(), reverse=True)
            if limit is None or price[key] <= limit
        ]
        assert offline.catalogue.offered(max_price=limit) == expected


def _terms(listing: int, number: int) -> Terms:
    return make_terms(1_000 * listing + number)


def test_versions__terms_that_are_not_what_the_id_says__are_left_out(
    offline: OfflineMarket,
) -> None:
    terms = offline.list_version(1)
    lie = listed(replace(terms, payee=address(0xBAD)), 2, 1, 5) | {"terms_id": bytes([1]) * 32}
    offline.log("registry", "VersionListed", **lie)
    assert [v.ref for v in offline.catalogue.versions()] == ["1@1"]
    with pytest.raises(NotForSaleError):
        offline.catalogue.version("2")


# ----------------------------------------------------------------------- custody


@pytest.fixture
def sale() -> Listing:
    return draft_listing(
        PLACE,
        seller=address(0xA0),
        token=DOLLAR.address,
        now=BIRTH,
        custodians=[address(n) for n in (1, 2, 3)],
    )


def opened(sale: Listing, **changes: Any) -> dict[str, Any]:
    return {
        "custody_id": sale.custody_id,
        "terms_id": sale.terms_id,
        "custody": sale.custody,
        "custodians": list(sale.custodians),
        "share_keys": [tuple(key) for key in sale.share_keys],
        **changes,
    }


def test_epochs__opened__are_as_the_seller_wrote_them(
    offline: OfflineMarket, sale: Listing
) -> None:
    offline.log("registry", "CustodyOpened", **opened(sale))
    (epoch,) = offline.catalogue.epochs(sale.terms_id)
    assert (epoch.custody, epoch.custody_id) == (sale.custody, sale.custody_id)
    assert (epoch.custodians, epoch.share_keys) == (sale.custodians, sale.share_keys)
    assert offline.catalogue.epoch(sale.custody_id) == epoch
    assert offline.catalogue.epochs(bytes(32)) == []


def test_epoch__unknown_or_not_what_its_id_says__is_not_there(
    offline: OfflineMarket, sale: Listing
) -> None:
    lie = replace(sale.custody, fee=sale.custody.fee - 1)
    offline.log("registry", "CustodyOpened", **opened(sale, custody=lie))
    with pytest.raises(NotForSaleError, match="there is no custody"):
        offline.catalogue.epoch(sale.custody_id)
    assert offline.catalogue.epochs() == []


# --------------------------------------------------------------------- purchases


def log_purchase(offline: OfflineMarket, sale: Listing, number: int, **changes: Any) -> Any:
    bought = draft_purchase(sale, changes.pop("buyer", address(0xB1)), number)
    offline.log(
        "market",
        "Purchased",
        **{
            "purchase_id": bought.id,
            "custody_id": sale.custody_id,
            "buyer": bought.receipt.buyer,
            "terms_id": sale.terms_id,
            "price": bought.receipt.price,
            "salt": bought.receipt.salt,
            "base": bought.receipt.base,
            "deadline": 900,
            **changes,
        },
    )
    return bought


def log_delivery(offline: OfflineMarket, bought: Any, index: int, until: int = 0) -> None:
    part = make_part(bought, index)
    offline.log(
        "market",
        "Delivered",
        purchase_id=bought.id,
        custody_id=bought.listing.custody_id,
        index=index,
        part=part.point,
        challenge=part.proof.challenge,
        response=part.proof.response,
        inspection_until=until,
    )


def log_end(offline: OfflineMarket, bought: Any, event: str) -> None:
    if event == "Refunded":
        args: dict[str, Any] = {"buyer": bought.receipt.buyer, "amount": 1}
    else:
        table = offline.index.event_table("market", event)
        known = {"payee": address(1), "buyer": bought.receipt.buyer}
        args = {
            p.name: known.get(p.name, bytes(32) if p.type == "bytes32" else 0)
            for p in table.event.inputs
        }
    offline.log("market", event, **(args | {"purchase_id": bought.id}))


def test_purchases__each_stage__has_its_status(offline: OfflineMarket, sale: Listing) -> None:
    paid, delivered, settled, refunded, rejected = (
        log_purchase(offline, sale, n) for n in range(5)
    )
    log_delivery(offline, paid, 3)
    for bought in (delivered, settled, rejected):
        log_delivery(offline, bought, 2)
        log_delivery(offline, bought, 1, until=1_500)
    log_end(offline, settled, "Settled")
    log_end(offline, refunded, "Refunded")
    log_end(offline, rejected, "Rejected")
    found = {p.purchase_id: p for p in offline.catalogue.purchases()}
    assert [found[b.id].status for b in (paid, delivered, settled, refunded, rejected)] == [
        PurchaseStatus.PAID,
        PurchaseStatus.DELIVERED,
        PurchaseStatus.SETTLED,
        PurchaseStatus.REFUNDED,
        PurchaseStatus.REJECTED,
    ]
    assert list(found) == [b.id for b in (paid, delivered, settled, refunded, rejected)]
    assert (found[paid.id].deadline, found[delivered.id].deadline) == (900, 1_500)
    # The market has noted a hash of the parts in this order.
    assert list(found[delivered.id].delivered) == [2, 1]
    assert found[paid.id].delivered[3].part == make_part(paid, 3).point
    assert (found[paid.id].receipt, found[paid.id].bought_at) == (paid.receipt, BIRTH + 1)


def test_purchases__filters__let_the_right_ones_pass(offline: OfflineMarket, sale: Listing) -> None:
    mine = log_purchase(offline, sale, 0)
    log_delivery(offline, mine, 1)
    other = log_purchase(offline, sale, 1, buyer=address(0xB2))
    log_delivery(offline, other, 2)
    catalogue = offline.catalogue
    for filters, expected in (
        ({"buyer": address(0xB1)}, [mine]),
        ({"purchase_id": other.id}, [other]),
        ({"custody_id": sale.custody_id}, [mine, other]),
        ({"terms_id": sale.terms_id, "buyer": address(0xB2)}, [other]),
        ({"terms_id": bytes(32)}, []),
        ({"after": (2, 0)}, [other]),
    ):
        found = catalogue.purchases(**filters)
        assert [p.purchase_id for p in found] == [b.id for b in expected]
        assert all(len(p.delivered) == 1 for p in found)


def test_purchases__receipt_that_is_not_what_its_id_says__is_left_out(
    offline: OfflineMarket, sale: Listing
) -> None:
    log_purchase(offline, sale, 0, price=PRICE - 1)
    assert offline.catalogue.purchases() == []


# -------------------------------------------------------------------- the chain


def registry_says(offline: OfflineMarket, *answers: Any, endpoints: int = 1) -> list[Any]:
    """Let the registry's `versions` answer this at each endpoint; return what is asked."""
    asked: list[Any] = []

    def versions(terms_id: bytes) -> Any:
        asked.append(terms_id)
        return SimpleNamespace(call=lambda: answers[0])

    def agreed(call: Any, block: Any) -> Any:
        asked.append(block)
        if any(answer != answers[0] for answer in answers):
            raise EndpointsDisagreeError("two endpoints")
        return answers[0]

    offline.chain.registry = SimpleNamespace(functions=SimpleNamespace(versions=versions))
    offline.chain.rpc = SimpleNamespace(endpoints=("one", "two")[:endpoints])
    offline.chain.agreed_call = agreed
    offline.chain.final_block = lambda: "final"
    return asked


def word(status: int = 1, price: int = 9, listing_id: int = 4, version: int = 1) -> Any:
    return SimpleNamespace(status=status, price=price, listing_id=listing_id, version=version)


def test_standing__named_the_same__gives_status_and_price(offline: OfflineMarket) -> None:
    offline.list_version(4)
    registry_says(offline, word(status=2))
    status = offline.catalogue.status(offline.catalogue.version("4"))
    assert status == (VersionStatus.PAUSED, 9)


@pytest.mark.parametrize("named", [{"listing_id": 5}, {"version": 2}])
def test_standing__chain_has_it_under_another_name__is_refused(
    offline: OfflineMarket, named: dict[str, int]
) -> None:
    offline.list_version(4)
    registry_says(offline, word(**named))
    with pytest.raises(EndpointsDisagreeError, match="does not know these terms as 4@1"):
        offline.catalogue.status(offline.catalogue.version("4"))


def test_standing__status_that_there_is_not__is_the_endpoints_fault(offline: OfflineMarket) -> None:
    offline.list_version(4)
    registry_says(offline, word(status=77))
    with pytest.raises(MalformedReplyError, match="unknown status 77; try another one"):
        offline.catalogue.status(offline.catalogue.version("4"))


def test_states__status_that_there_is_not__is_the_endpoints_fault(offline: OfflineMarket) -> None:
    custodies = SimpleNamespace(custodies=lambda custody_id: custody_id)
    offline.chain.registry = SimpleNamespace(functions=custodies)
    offline.chain.batch = lambda calls, *, block: [(77, *[0] * 10) for _ in calls]
    epoch: Any = SimpleNamespace(custody_id=bytes(32))
    with pytest.raises(MalformedReplyError, match="unknown status 77; try another one"):
        offline.catalogue.states([epoch])


def test_require_agreed__two_endpoints_say_the_same__passes(offline: OfflineMarket) -> None:
    offline.list_version(4)
    asked = registry_says(offline, word(), word(), endpoints=2)
    offline.catalogue.require_agreed(offline.catalogue.version("4"))
    assert asked[-1] == "final"


def test_require_agreed__one_endpoint__has_nobody_to_ask(offline: OfflineMarket) -> None:
    offline.list_version(4)
    asked = registry_says(offline, word(listing_id=5))
    offline.catalogue.require_agreed(offline.catalogue.version("4"))
    assert asked == []


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ([word(), word(listing_id=5)], EndpointsDisagreeError),
        ([word(listing_id=5), word(listing_id=5)], EndpointsDisagreeError),
        ([word(status=0, listing_id=0), word(status=0, listing_id=0)], NotForSaleError),
    ],
)
def test_require_agreed__another_name_or_not_final__is_refused(
    offline: OfflineMarket, answers: list[Any], kind: type[Exception]
) -> None:
    offline.list_version(4)
    registry_says(offline, *answers, endpoints=2)
    with pytest.raises(kind):
        offline.catalogue.require_agreed(offline.catalogue.version("4"))


PARTS = {2: Point(3, 4), 1: Point(5, 6)}


@pytest.mark.parametrize(
    ("status", "noted", "kind"),
    [
        (PurchaseStatus.DELIVERED, PARTS, None),
        (PurchaseStatus.SETTLED, PARTS, None),
        (PurchaseStatus.DELIVERED, dict(sorted(PARTS.items())), EndpointsDisagreeError),
        (PurchaseStatus.DELIVERED, {2: PARTS[2]}, EndpointsDisagreeError),
        (PurchaseStatus.DELIVERED, {**PARTS, 1: Point(5, 7)}, EndpointsDisagreeError),
        (PurchaseStatus.PAID, {2: PARTS[2]}, DeliveryError),
        (PurchaseStatus.NONE, {}, DeliveryError),
    ],
)
def test_require_parts_recorded__what_the_market_noted__must_be_these_parts(
    offline: OfflineMarket,
    status: PurchaseStatus,
    noted: dict[int, Point],
    kind: type[Exception] | None,
) -> None:
    purchase: Any = SimpleNamespace(purchase_id=b"\1" * 32)
    asked: list[Any] = []

    def agreed(call: Any, block: Any) -> Any:
        asked.append((call, block))
        return SimpleNamespace(status=int(status), parts=parts_hash(noted))

    offline.chain.market = SimpleNamespace(functions=SimpleNamespace(purchases=lambda it: it))
    offline.chain.agreed_call = agreed
    offline.chain.final_block = lambda: "final"
    with contextlib.nullcontext() if kind is None else pytest.raises(kind, match="use another end"):
        offline.catalogue.require_parts_recorded(purchase, PARTS)
    assert asked == [(purchase.purchase_id, "final")]


# ------------------------------------------------------------------- validators


def test_validators__key_changed__has_the_last_and_remembers_all(offline: OfflineMarket) -> None:
    for validator in (address(1), address(2)):
        offline.log(
            "staking",
            "ValidatorRegistered",
            **_arguments(offline, "ValidatorRegistered", validator, bytes([1]) * 32),
        )
    offline.log(
        "staking",
        "EncryptionKeyChanged",
        **_arguments(offline, "EncryptionKeyChanged", address(1), bytes([2]) * 32),
    )
    keys = {v.address: v.encryption_key for v in offline.catalogue.validators()}
    assert keys == {address(1): bytes([2]) * 32, address(2): bytes([1]) * 32}
    assert offline.catalogue.encryption_keys(address(1)) == [bytes([1]) * 32, bytes([2]) * 32]
    assert offline.catalogue.encryption_keys(address(3)) == []


def _arguments(offline: OfflineMarket, event: str, validator: str, key: bytes) -> dict[str, Any]:
    known = {"validator": validator, "operator": validator, "encryption_key": key}
    return {p.name: known[p.name] for p in offline.index.event_table("staking", event).event.inputs}
