# SPDX-License-Identifier: Apache-2.0
"""Whole sales on a real node, from receipts: the same on a local chain and on a fork."""

from itertools import count
from typing import Any

import ape
import pytest
from ape import chain

from tests.functional.conftest import Protocol
from tests.utils.drafts import (
    BOND,
    DELIVERY,
    FEE,
    FEE_BPS,
    INSPECTION,
    KEEPING_FEE,
    LOCK,
    PENALTY,
    PERIOD,
    PRICE,
    Listing,
    Purchase,
    deliver_arguments,
    dispute_arguments,
    draft_evidence,
    draft_listing,
    draft_purchase,
    make_content,
    make_part,
)
from truthmark.market.records import CustodyStatus, PurchaseStatus, VersionStatus

_seeds = count(10_000)


def pass_time(seconds: int) -> None:
    """Let chain time pass."""
    chain.pending_timestamp += seconds
    chain.mine()


def list_it(
    protocol: Protocol, now: Any, *, direct: bool = False, wrong: frozenset[int] = frozenset()
) -> Listing:
    """List a dataset of its own, with 2 of 3 custodians who accept, or in direct mode."""
    custodians = () if direct else tuple(c.address for c in protocol.custodians)
    listing = draft_listing(
        protocol.place,
        seller=protocol.seller.address,
        token=protocol.dollar.address,
        now=now(),
        custodians=custodians,
        content=make_content(next(_seeds), wrong=wrong),
    )
    protocol.registry.list_version(*listing.list_arguments(), sender=protocol.seller)
    if not direct:
        for index, custodian in enumerate(protocol.custodians, 1):
            protocol.registry.accept(*listing.accepting, index, sender=custodian)
    return listing


def buy_it(protocol: Protocol, listing: Listing) -> Purchase:
    purchase = draft_purchase(listing, protocol.buyer.address, next(_seeds))
    protocol.market.buy(*purchase.arguments(), sender=protocol.buyer)
    return purchase


def deliver_it(protocol: Protocol, purchase: Purchase, index: int) -> Any:
    part = make_part(purchase, index)
    protocol.market.deliver(
        *deliver_arguments(purchase.listing, index, [part]), sender=protocol.stranger
    )
    return part


def status_of(protocol: Protocol, purchase: Purchase) -> PurchaseStatus:
    return PurchaseStatus(protocol.market.purchases(purchase.id).status)


def test_sale__delivered_by_two_of_three__every_role_is_paid(protocol: Protocol, now: Any) -> None:
    before = protocol.dollar.balanceOf(protocol.buyer)
    owed = {a: protocol.credits(a) for a in (protocol.seller, protocol.owner, *protocol.custodians)}
    listing = list_it(protocol, now)
    state = protocol.registry.custodies(listing.custody_id)
    assert (state.status, state.active) == (CustodyStatus.LIVE, 0b111)

    purchase = buy_it(protocol, listing)
    assert before - protocol.dollar.balanceOf(protocol.buyer) == PRICE + 2 * FEE
    for index in (1, 3):
        deliver_it(protocol, purchase, index)
    assert status_of(protocol, purchase) is PurchaseStatus.DELIVERED

    pass_time(INSPECTION + 1)
    protocol.market.settle(*listing.keeping, [purchase.receipt.astuple()], sender=protocol.stranger)
    assert status_of(protocol, purchase) is PurchaseStatus.SETTLED
    fee = PRICE * FEE_BPS // 10_000
    first, second, third = protocol.custodians
    gained = {a: protocol.credits(a) - owed[a] for a in owed}
    assert gained == {
        protocol.seller: PRICE - fee,
        protocol.owner: fee,  # which is the treasury here
        first: FEE,
        second: 0,
        third: FEE,
    }

    had = protocol.dollar.balanceOf(first)
    protocol.market.withdraw(protocol.dollar, first, 0, sender=protocol.stranger)
    assert protocol.dollar.balanceOf(first) == had + owed[first] + FEE


def test_sale__custodians_silent__refunded_and_fined(protocol: Protocol, now: Any) -> None:
    listing = list_it(protocol, now)
    purchase = buy_it(protocol, listing)
    deliver_it(protocol, purchase, 2)
    owed = protocol.credits(protocol.buyer)
    stakes = [protocol.staking.validator(c).stake for c in protocol.custodians]

    with chain.isolate():
        pass_time(DELIVERY - 5)
        protocol.market.refund(
            listing.terms.astuple(), listing.custody.astuple(), [purchase.receipt.astuple()],
            sender=protocol.stranger,
        )  # fmt: skip
        assert status_of(protocol, purchase) is PurchaseStatus.PAID

    pass_time(DELIVERY + 1)
    protocol.market.refund(
        listing.terms.astuple(), listing.custody.astuple(), [purchase.receipt.astuple()],
        sender=protocol.stranger,
    )  # fmt: skip
    assert protocol.credits(protocol.buyer) == owed + PRICE + 2 * FEE
    lost = [
        before - protocol.staking.validator(c).stake
        for before, c in zip(stakes, protocol.custodians, strict=True)
    ]
    assert lost == [PENALTY, 0, PENALTY]
    assert protocol.registry.custodies(listing.custody_id).status == CustodyStatus.CLOSED
    with ape.reverts("market: custody not live"):
        buy_it(protocol, listing)


def test_sale__wrong_part__refused(protocol: Protocol, now: Any) -> None:
    listing = list_it(protocol, now)
    purchase = buy_it(protocol, listing)
    other = make_part(purchase, 2)
    with ape.reverts("market: wrong proof"):
        protocol.market.deliver(
            *deliver_arguments(listing, 1, [other]), sender=protocol.custodians[0]
        )


def test_dispute__wrong_key__version_revoked_and_bond_shared(protocol: Protocol, now: Any) -> None:
    listing = list_it(protocol, now, wrong=frozenset({1}))
    purchase = buy_it(protocol, listing)
    parts = {index: deliver_it(protocol, purchase, index) for index in (3, 1)}
    owed = protocol.credits(protocol.buyer, protocol.registry)
    with ape.reverts("proofs: key opens the shard"):
        evidence = draft_evidence(purchase, parts, 0)
        protocol.market.dispute_key(*dispute_arguments(purchase, evidence), sender=protocol.buyer)
    evidence = draft_evidence(purchase, parts, 1)
    protocol.market.dispute_key(*dispute_arguments(purchase, evidence), sender=protocol.stranger)
    assert protocol.registry.versions(listing.terms_id).status == VersionStatus.REVOKED
    assert protocol.credits(protocol.buyer, protocol.registry) == owed + BOND // 2
    before = protocol.credits(protocol.buyer)
    protocol.market.refund(
        listing.terms.astuple(), listing.custody.astuple(), [purchase.receipt.astuple()],
        sender=protocol.stranger,
    )  # fmt: skip
    assert protocol.credits(protocol.buyer) == before + purchase.cost


def test_direct_sale__seller_delivers__no_stake_is_involved(protocol: Protocol, now: Any) -> None:
    listing = list_it(protocol, now, direct=True)
    purchase = buy_it(protocol, listing)
    deliver_it(protocol, purchase, 1)
    protocol.market.confirm(*listing.keeping, purchase.receipt.astuple(), sender=protocol.buyer)
    assert status_of(protocol, purchase) is PurchaseStatus.SETTLED


def test_release__after_the_term__stake_free_and_keeping_paid(protocol: Protocol, now: Any) -> None:
    free = [protocol.staking.free(c) for c in protocol.custodians]
    listing = list_it(protocol, now)
    assert [protocol.staking.free(c) for c in protocol.custodians] == [f - LOCK for f in free]
    owed = protocol.credits(protocol.custodians[0], protocol.registry)
    pass_time(listing.custody.end - now() + PERIOD)
    protocol.registry.release(*listing.keeping, sender=protocol.stranger)
    assert [protocol.staking.free(c) for c in protocol.custodians] == free
    assert protocol.credits(protocol.custodians[0], protocol.registry) == owed + KEEPING_FEE


def test_pause__entries_stop__exits_go_on(protocol: Protocol, now: Any) -> None:
    listing = list_it(protocol, now)
    purchase = buy_it(protocol, listing)
    protocol.registry.pause(sender=protocol.owner)
    try:
        with ape.reverts("market: entries are paused"):
            buy_it(protocol, listing)
        for index in (1, 2):
            deliver_it(protocol, purchase, index)
        protocol.market.confirm(*listing.keeping, purchase.receipt.astuple(), sender=protocol.buyer)
        assert status_of(protocol, purchase) is PurchaseStatus.SETTLED
    finally:
        protocol.registry.unpause(sender=protocol.owner)


@pytest.mark.parametrize("function", ["pause", "unpause"])
def test_pause__stranger__refused(protocol: Protocol, function: str) -> None:
    with ape.reverts("ownable: caller is not the owner"):
        getattr(protocol.registry, function)(sender=protocol.stranger)
