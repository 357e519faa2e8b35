# SPDX-License-Identifier: Apache-2.0
"""Rejecting, disputing a sealing, ruling, reviewing: what each changes, and nothing else."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boa
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.utils.contracts import events, reasons, reverts
from tests.utils.drafts import (
    BOND,
    FEE,
    FEE_BPS,
    PRICE,
    Listing,
    make_content,
    opened_shard,
    tree_of,
    word_of,
)
from tests.utils.market import ZERO, MarketContracts, contracts, deployed_contracts
from tests.utils.permits import sign_voucher
from tests.utils.tokens import deployer
from truthmark.market.records import PurchaseStatus, VersionStatus
from truthmark.market.verdicts import split_price

__all__ = ["contracts", "deployed_contracts"]

ROTTEN = make_content(7, 3, unsealed=frozenset({0, 1}))


def entries(w: MarketContracts, listing: Listing) -> dict[str, int]:
    """Return the market's entries of all who may have one."""
    names = {"payee": w.payee, "treasury": w.treasury, "burned": ZERO, "buyer": w.buyer}
    names |= {f"custodian {j}": it for j, it in enumerate(listing.custodians, 1)}
    found = {name: w.entry(w.market, account) for name, account in names.items()}
    return {name: amount for name, amount in found.items() if amount}


# --------------------------------------------------------------- rejecting


@pytest.mark.parametrize("price", [0, 1, 3, 9_999, PRICE, 2**128 - 1])
@pytest.mark.parametrize("bps", [0, 1, 3_333, 9_999, 10_000])
def test_reject__any_price_and_guarantee__splits_all_of_it(
    contracts: MarketContracts, price: int, bps: int
) -> None:
    contracts.token.mint(contracts.buyer, 2**128)
    contracts.token.approve(contracts.market, 2**129, sender=contracts.buyer)
    listing = contracts.create_listing(price=price, guarantee_bps=bps)
    purchase = contracts.bought_and_delivered(listing)
    contracts.reject(purchase)
    burned = price * bps // 10_000
    fee = (price - burned) * FEE_BPS // 10_000
    assert events(contracts.market) == [
        (
            "Rejected",
            {
                "purchase_id": purchase.id,
                "custody_id": listing.custody_id,
                "paid_out": price - burned - fee,
                "burned": burned,
            },
        )
    ]
    split = split_price(price, listing.terms, is_rejected=True)
    assert (split.burned, split.fee, split.royalty) == (burned, fee, 0)
    assert split.paid_out == price - burned - fee
    shares = {"burned": burned, "treasury": fee, "payee": price - burned - fee}
    expected = {name: amount for name, amount in shares.items() if amount}
    assert entries(contracts, listing) == expected | {"custodian 1": FEE, "custodian 2": FEE}
    assert contracts.purchase(purchase)[0] == PurchaseStatus.REJECTED


@pytest.mark.parametrize("later", [-1, 0, 1])
def test_reject__around_the_end_of_the_inspection__is_the_opposite_of_settle(
    contracts: MarketContracts, later: int
) -> None:
    purchase = contracts.bought_and_delivered(contracts.create_listing(guarantee_bps=5_000))
    boa.env.timestamp = contracts.purchase(purchase)[2] + later
    if later > 0:
        with reverts(contracts.market, "market: inspection is over"):
            contracts.reject(purchase)
        contracts.settle(purchase)
        assert contracts.purchase(purchase)[0] == PurchaseStatus.SETTLED
    else:
        contracts.settle(purchase)
        assert contracts.purchase(purchase)[0] == PurchaseStatus.DELIVERED
        contracts.reject(purchase)
        assert contracts.purchase(purchase)[0] == PurchaseStatus.REJECTED


def test_reject__rejected_purchase__stays_a_readers(contracts: MarketContracts) -> None:
    purchase = contracts.bought_and_delivered(contracts.create_listing())
    contracts.reject(purchase)
    for account, is_reader in ((contracts.buyer, True), (contracts.stranger, False)):
        assert (
            contracts.market.is_reader(
                purchase.listing.custody_id, purchase.receipt.astuple(), account
            )
            is is_reader
        )


def test_reject__then_everything_else__changes_nothing(contracts: MarketContracts) -> None:
    content = make_content(5, 3, frozenset({0}))
    listing = contracts.create_listing(content=content, guarantee_bps=4_000)
    purchase, other = (contracts.bought_and_delivered(listing) for _ in range(2))
    contracts.reject(purchase)
    before = entries(contracts, listing)
    for call in (contracts.reject, contracts.confirm, contracts.dispute):
        with reverts(contracts.market, "market: not delivered"):
            call(purchase)
    contracts.refund(purchase)
    boa.env.timestamp = contracts.purchase(purchase)[2]
    contracts.settle(purchase)
    contracts.dispute(other)
    contracts.refund(purchase, other)
    assert contracts.purchase(purchase)[0] == PurchaseStatus.REJECTED
    assert contracts.purchase(other)[0] == PurchaseStatus.REFUNDED
    assert entries(contracts, listing) == before | {"buyer": PRICE + 2 * FEE}


# -------------------------------------------------------- disputing sealings


@pytest.mark.parametrize("shard", [0, 1], ids=["plain", "wrapped"])
@pytest.mark.parametrize("size", [4_096, 8_192])
def test_dispute_sealing__noise_under_its_key__revokes_the_version_and_pays_the_sender(
    contracts: MarketContracts, shard: int, size: int
) -> None:
    content = make_content(7, 3, unsealed=frozenset({0, 1}), size=size)
    listing = contracts.create_listing(content=content)
    waiting, delivered = contracts.buy(listing), contracts.bought_and_delivered(listing)
    contracts.dispute_sealing(listing, shard)
    assert events(contracts.market) == [
        (
            "SealingDisputed",
            {
                "terms_id": listing.terms_id,
                "disputer": contracts.stranger,
                "shard": shard,
                "key": content.shards[shard].key,
            },
        )
    ]
    assert contracts.version(listing)["status"] == VersionStatus.REVOKED
    assert contracts.entry(contracts.registry, contracts.stranger) == BOND // 2
    assert contracts.entry(contracts.registry, ZERO) == BOND - BOND // 2
    contracts.refund(waiting, delivered)
    assert entries(contracts, listing) == {"buyer": 2 * (PRICE + 2 * FEE)}
    assert contracts.custody(listing)["fined"] == 0


def test_dispute_sealing__nothing_ever_sold__needs_no_purchase(contracts: MarketContracts) -> None:
    listing = contracts.list_version(contracts.draft_listing(content=ROTTEN))
    contracts.dispute_sealing(listing)
    assert contracts.version(listing)["status"] == VersionStatus.REVOKED
    # Who accepted, or might have, is free at once.
    contracts.release(listing)
    contracts.close_version(listing)
    assert contracts.entry(contracts.registry, contracts.stranger) == BOND // 2


def test_dispute_sealing__settled_and_retired__counts_until_the_bond_is_out(
    contracts: MarketContracts,
) -> None:
    listing = contracts.create_listing(content=ROTTEN)
    purchase = contracts.bought_and_delivered(listing)
    contracts.confirm(purchase)
    contracts.retire(listing)
    boa.env.timestamp += 10**6
    contracts.dispute_sealing(listing)
    assert contracts.entry(contracts.registry, contracts.stranger) == BOND // 2
    contracts.refund(purchase)
    assert contracts.purchase(purchase)[0] == PurchaseStatus.SETTLED


# ------------------------------------------------------------------ ruling


def test_rule__arbiter_of_the_terms__revokes_and_rewards_who_is_named(
    contracts: MarketContracts,
) -> None:
    listing = contracts.create_listing(arbiter=contracts.gate)
    purchase = contracts.bought_and_delivered(listing)
    contracts.rule(listing, contracts.other_buyer)
    assert events(contracts.market) == [
        (
            "Ruled",
            {
                "terms_id": listing.terms_id,
                "arbiter": contracts.gate,
                "rewarded": contracts.other_buyer,
            },
        )
    ]
    assert contracts.version(listing)["status"] == VersionStatus.REVOKED
    assert contracts.entry(contracts.registry, contracts.other_buyer) == BOND // 2
    assert contracts.entry(contracts.registry, ZERO) == BOND - BOND // 2
    contracts.refund(purchase)
    assert entries(contracts, listing) == {"buyer": PRICE + 2 * FEE}


# --------------------------------------------------------------- reviewing


def test_review__settled_or_rejected__is_logged_with_the_price(
    contracts: MarketContracts,
) -> None:
    listing = contracts.create_listing(guarantee_bps=10_000)
    settled, confirmed, rejected = (contracts.bought_and_delivered(listing) for _ in range(3))
    contracts.confirm(confirmed)
    contracts.reject(rejected)
    boa.env.timestamp = contracts.purchase(settled)[2] + 1
    contracts.settle(settled)
    for score, purchase in enumerate((settled, confirmed, rejected), 1):
        text = "\N{SNOWMAN} text, not cut" * score
        contracts.review(purchase, score, text)
        assert events(contracts.reviews) == [
            (
                "Reviewed",
                {
                    "terms_id": listing.terms_id,
                    "reviewer": contracts.buyer,
                    "purchase_id": purchase.id,
                    "price": PRICE,
                    "is_by_voucher": False,
                    "score": score,
                    "text": text,
                },
            )
        ]
        assert contracts.reviews.has_reviewed(purchase.id)


@pytest.mark.parametrize("price", [0, 5, PRICE])
def test_review__by_voucher__says_so_through_all_of_a_purchase(
    contracts: MarketContracts, price: int
) -> None:
    listing = contracts.create_listing()
    expiry = contracts.now + 100
    voucher = sign_voucher(listing, contracts.buyer, price, expiry, word_of("nonce"))
    purchase = contracts.buy(listing, voucher=voucher, price=price)
    assert contracts.market.purchases(purchase.id).is_by_voucher
    contracts.deliver(purchase, 1, 2)
    contracts.confirm(purchase)
    assert contracts.purchase(purchase)[0] == PurchaseStatus.SETTLED
    contracts.review(purchase, 5, "x" * 1_024)
    ((_, said),) = events(contracts.reviews)
    assert (said["price"], said["is_by_voucher"]) == (price, True)


REVIEWS: dict[str, Callable[[MarketContracts], Callable[[], Any]]] = {}


def review_refused(reason: str) -> Any:
    """Add a case of what Reviews refuses."""

    def add(setup: Callable[[MarketContracts], Callable[[], Any]]) -> Any:
        REVIEWS[f"{reason} {setup.__name__}"] = setup
        return setup

    return add


@review_refused("reviews: not the buyer")
def _for_the_buyer(w: MarketContracts) -> Callable[[], Any]:
    purchase = w.bought_and_delivered(w.create_listing())
    w.confirm(purchase)
    return lambda: w.review(purchase, sender=w.seller)


@review_refused("reviews: not settled")
def _while_all_of_it_may_come_back(w: MarketContracts) -> Callable[[], Any]:
    # The seller's own arbiter, or a shard that is not sealed, would pay for such a review.
    purchase = w.bought_and_delivered(w.create_listing())
    return lambda: w.review(purchase)


@review_refused("reviews: not settled")
def _before_delivery(w: MarketContracts) -> Callable[[], Any]:
    purchase = w.buy(w.create_listing())
    return lambda: w.review(purchase)


@review_refused("reviews: not settled")
def _after_a_refund(w: MarketContracts) -> Callable[[], Any]:
    purchase = w.bought_and_delivered(w.create_listing(content=ROTTEN))
    w.dispute_sealing(purchase.listing)
    w.refund(purchase)
    return lambda: w.review(purchase)


@review_refused("reviews: not settled")
def _under_another_version(w: MarketContracts) -> Callable[[], Any]:
    purchase = w.bought_and_delivered(w.create_listing())
    w.confirm(purchase)
    other = w.create_listing(manifest=word_of("other"))
    custody = replace(purchase.listing.custody, terms_id=other.terms_id)
    return lambda: w.review(replace(purchase, listing=purchase.listing.with_custody(custody)))


@review_refused("reviews: not settled")
def _at_another_price(w: MarketContracts) -> Callable[[], Any]:
    purchase = w.bought_and_delivered(w.create_listing())
    w.confirm(purchase)
    receipt = replace(purchase.receipt, price=PRICE + 1)
    return lambda: w.review(replace(purchase, receipt=receipt))


@review_refused("reviews: reviewed already")
def _twice(w: MarketContracts) -> Callable[[], Any]:
    purchase = w.bought_and_delivered(w.create_listing())
    w.confirm(purchase)
    w.review(purchase, 1)
    return lambda: w.review(purchase, 5)


@review_refused("reviews: score is not 1 to 5")
def _score_0(w: MarketContracts) -> Callable[[], Any]:
    purchase = w.bought_and_delivered(w.create_listing())
    return lambda: w.review(purchase, 0)


@review_refused("reviews: score is not 1 to 5")
def _score_6(w: MarketContracts) -> Callable[[], Any]:
    purchase = w.bought_and_delivered(w.create_listing())
    return lambda: w.review(purchase, 6)


@review_refused("")
def _text_too_long(w: MarketContracts) -> Callable[[], Any]:
    purchase = w.bought_and_delivered(w.create_listing())
    return lambda: w.review(purchase, 5, "x" * 1_025)


@pytest.mark.parametrize("name", REVIEWS)
def test_review__that_cannot_be__is_refused_and_says_why(
    contracts: MarketContracts, name: str
) -> None:
    call = REVIEWS[name](contracts)
    with reverts(contracts.reviews, name.rpartition(" ")[0]):
        call()


def test_reviews__reasons_of_the_source__are_all_hit_by_name() -> None:
    hit = {name.rpartition(" ")[0] for name in REVIEWS} - {""}
    assert hit | {"reviews: market is zero"} == reasons("Reviews.vy")
    with boa.reverts("reviews: market is zero"):
        deployer("Reviews").deploy(ZERO)


# ----------------------------------------------------------------- the judge


@pytest.fixture(scope="module")
def judge() -> Any:
    return deployer("ShardJudge").deploy()


def test_judge__changed_by_one_bit_anywhere__is_not_sealed(judge: Any) -> None:
    good = make_content(3, 2)
    key, sealed = good.shards[0].key, good.shards[0].ciphertext
    for place in (0, 15, 2_048, 4_079, 4_080, 4_095):
        spoiled = bytes(b ^ (n == place) for n, b in enumerate(sealed))
        assert judge.is_sealed(*committed(key, spoiled)) is False
    assert judge.is_sealed(*committed(key, sealed)) is True
    assert judge.is_sealed(*committed(bytes(32), sealed)) is False


@pytest.mark.parametrize("size", [0, 1, 15, 16, 31, 32, 2_048, 4_095, 4_097, 4_112, 6_144])
def test_judge__size_that_no_shard_has__is_not_sealed(judge: Any, size: int) -> None:
    key = word_of("key")
    data = AESGCM(key).encrypt(bytes(12), bytes(size - 16), None) if size >= 16 else bytes(size)
    assert len(data) == size
    assert judge.is_sealed(*committed(key, data)) is False


def committed(key: bytes, ciphertext: bytes) -> tuple[Any, ...]:
    """Return what the judge takes of the second of three shards."""
    content = make_content(4, 3)
    shards = list(content.shards)
    shards[1] = replace(shards[1], ciphertext=ciphertext, key=key)
    changed = replace(content, shards=tuple(shards), tree=tree_of(shards))
    return (changed.tree.root, 3, *opened_shard(changed, 1))
