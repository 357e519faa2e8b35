# SPDX-License-Identifier: Apache-2.0
"""Attacks on buying, delivering and disputing, and by copycats.

Each names the rule that defends against it; numbers in names are stable: the threat model
refers to them.
"""

import os
from dataclasses import replace
from typing import Any

import boa
import pytest

from tests.utils.contracts import reverts
from tests.utils.drafts import (
    BOND,
    FEE,
    INSPECTION,
    LOCK,
    PRICE,
    deal_shares,
    deliver_arguments,
    make_content,
    make_part,
    scalar,
    word_of,
)
from tests.utils.market import MarketContracts, contracts, deployed_contracts
from tests.utils.market_attacks import COST, late, status
from truthmark.errors import KeysError, ProofError
from truthmark.keys.curve import N, is_valid, lift_x, multiply, negate, subtract
from truthmark.keys.delivery import combine_key
from truthmark.keys.proofs import prove_buyer_key
from truthmark.keys.sealing import ShareContext, encryption_public_key, open_share, seal_share
from truthmark.keys.sharing import check_dealing
from truthmark.market.records import PurchaseStatus, VersionStatus
from truthmark.types import Point

__all__ = ["contracts", "deployed_contracts"]


# ---------------------------------------------------------------- disputes


def test_23__honest_seller__cannot_be_framed(contracts: MarketContracts) -> None:
    """K is computed from the parts that the market verified, y from U, the leaf from the root."""
    listing = contracts.create_listing()
    purchase = contracts.bought_and_delivered(listing)
    other = contracts.bought_and_delivered(listing)
    evidence, foreign = contracts.draft_evidence(purchase), contracts.draft_evidence(other)
    for shard in range(3):
        good = contracts.draft_evidence(purchase, shard=shard)
        with reverts(contracts.market, "proofs: key opens the shard"):
            contracts.dispute(purchase, good)
    for field in ("parts", "secret", "buyer_key", "buyer_slope", "blinding", "key_slope"):
        mixed = replace(evidence, **{field: getattr(foreign, field)})
        with pytest.raises(boa.BoaError):
            contracts.dispute(purchase, mixed)
    own = replace(foreign, parts=evidence.parts)
    with reverts(contracts.market, "proofs: not the buyer's secret"):
        contracts.dispute(purchase, own)
    # Padding of the tree, an index out of the list, a longer path.
    for shard in ([3, *evidence.shard[1:]], [7, *evidence.shard[1:]]):
        with reverts(contracts.market, "proofs: shard not committed"):
            contracts.dispute(purchase, replace(evidence, shard=shard))
    padding = [3, bytes(32), bytes(32), bytes(32), listing.content.tree.path(2)]
    with reverts(contracts.market, "proofs: shard not committed"):
        contracts.dispute(purchase, replace(evidence, shard=padding))
    assert contracts.version(listing)["status"] == VersionStatus.OPEN


def test_24__parts_of_two_refunded_purchases__are_the_most_that_leaks(
    contracts: MarketContracts,
) -> None:
    """A refund closes the custody; the next epoch's polynomial does not combine with old parts."""
    listing = contracts.create_listing()
    first, second = contracts.buy(listing), contracts.buy(listing)
    contracts.deliver(first, 1)
    contracts.deliver(second, 2)
    late(contracts, second)
    contracts.refund(first, second)
    with reverts(contracts.market, "market: custody not live"):
        contracts.buy(listing)
    further = contracts.accept_all(contracts.open_custody(contracts.next_custody(listing)))
    third = contracts.buy(further)
    contracts.deliver(third, 2)
    y, content = third.secret, listing.content
    key = multiply(content.secret, content.base)
    mixed = {1: contracts.part(first, 1).point, 2: contracts.part(third, 2).point}
    assert combine_key(mixed, y, content.key) != key
    contracts.deliver(third, 1)
    true = {j: contracts.part(third, j).point for j in (1, 2)}
    assert combine_key(true, y, content.key) == key


def test_25__refund_of_one_purchase__leaves_the_others_of_its_custody_alive(
    contracts: MarketContracts,
) -> None:
    """CLOSED stops `buy` alone: acceptances and purchases stay."""
    listing = contracts.create_listing()
    first = contracts.buy(listing)
    boa.env.timestamp += 10
    second = contracts.buy(listing)
    late(contracts, first)
    contracts.refund(first)
    contracts.deliver(second, 1, 4)
    late(contracts, second)
    contracts.settle(second)
    assert status(contracts, second) == PurchaseStatus.SETTLED
    assert contracts.entry(contracts.market, listing.custodians[3]) == FEE


# ------------------------------------------------------------------- buying


@pytest.mark.parametrize("after", ["paid", "delivered", "refunded", "settled"])
def test_26__one_order_sent_twice__buys_once_for_ever(
    contracts: MarketContracts, after: str
) -> None:
    """The word under the order's id is never cleared."""
    listing = contracts.create_listing()
    purchase = contracts.buy(listing)
    if after in ("delivered", "settled"):
        contracts.deliver(purchase, 1, 2)
    if after == "settled":
        contracts.confirm(purchase)
    if after == "refunded":
        late(contracts, purchase)
        contracts.refund(purchase)
        reason = "market: custody not live"
    else:
        reason = "market: bought already"
    with reverts(contracts.market, reason):
        contracts.send(purchase)


def test_27__proof_of_another_account_epoch_chain_market_or_salt__is_refused(
    contracts: MarketContracts,
) -> None:
    """The buyer's proof hashes chain, market, custody (and so version and epoch), buyer, salt."""
    listing = contracts.create_listing()
    further = contracts.accept_all(contracts.open_custody(contracts.next_custody(listing, 3)))
    purchase = contracts.draft_purchase(listing)
    with reverts(contracts.market, "market: buyer key not proven"):
        contracts.send(purchase, sender=contracts.other_buyer)
    truth: dict[str, Any] = {
        "chain_id": contracts.place.chain_id,
        "market": contracts.place.market,
        "custody_id": listing.custody_id,
        "buyer": contracts.buyer,
        "salt": purchase.receipt.salt,
    }
    for change in (
        {"chain_id": contracts.place.chain_id + 1},
        {"market": contracts.place.registry},
        {"custody_id": further.custody_id},
        {"buyer": contracts.other_buyer},
        {"salt": word_of("another")},
    ):
        proof = prove_buyer_key(purchase.secret, **{**truth, **change})
        order = (*purchase.order[:3], *proof, purchase.order[5])
        with reverts(contracts.market, "market: buyer key not proven"):
            contracts.send(replace(purchase, order=order))
    proof = prove_buyer_key(purchase.secret, **truth)
    contracts.send(replace(purchase, order=(*purchase.order[:3], *proof, purchase.order[5])))


def test_28__key_whose_logarithm_is_unknown__cannot_be_proven(contracts: MarketContracts) -> None:
    """`_knows` hashes Y: one recovered from a proof, or made of others' points, has no proof."""
    listing = contracts.create_listing()
    victim = contracts.buy(listing, contracts.other_buyer)
    base = listing.content.base
    good = contracts.draft_purchase(listing)
    made = subtract(victim.receipt.base, multiply(2, base))  # U' = victim's U - B
    large = next(q for x in range(N, N + 100) if (q := lift_x(x)) is not None)
    for key in (made, base, negate(base), listing.content.key, large, Point(0, 0)):
        for proof in (good.order[3:5], (1, 1), (0, 0), (N, 5), (5, 0)):
            order = (*good.order[:2], tuple(key), *proof, good.order[5])
            with reverts(contracts.market, "market: buyer key not proven"):
                contracts.send(replace(good, order=order))
    # Y recovered to fit a proof (c, z) chosen first: Y = (z*G - A) / c, for A with c = H(.., A).
    commitment = multiply(scalar("commitment"))
    challenge, response = scalar("c"), scalar("z")
    fitted = multiply(pow(challenge, -1, N), subtract(multiply(response), commitment))
    order = (*good.order[:2], tuple(fitted), challenge, response, good.order[5])
    with reverts(contracts.market, "market: buyer key not proven"):
        contracts.send(replace(good, order=order))


def test_29__chosen_base_or_odd_y__is_refused(contracts: MarketContracts) -> None:
    """`_is_base` computes x from the dataset key; a seller who knew log B could read every part."""
    content = make_content()
    for base in (multiply(77), negate(content.base), content.key, Point(0, 0)):
        listing = contracts.draft_listing(base=base)
        with reverts(contracts.registry, "listing: wrong base"):
            contracts.list_version(listing)
    for counter in range(6):
        if counter != content.counter:
            with reverts(contracts.registry, "listing: wrong base"):
                contracts.list_version(contracts.draft_listing(), counter=counter)


# --------------------------------------------------------------- delivering


def test_31__delivery_with_other_terms_than_accepted__is_refused(
    contracts: MarketContracts,
) -> None:
    """`deliver` compares the hash of (P_j, t, I) with what custodian j accepted."""
    listing = contracts.create_listing(threshold=1)
    purchase = contracts.buy(listing)
    part = make_part(purchase, 1)
    for change in (
        {"threshold": 2},
        {"inspection_seconds": INSPECTION + 1},
        {"share_key": (5, 5)},
        {"index": 0},
        {"index": 17},
        {"index": 2**255},
    ):
        with reverts(contracts.market, "market: not as accepted"):
            contracts.market.deliver(*deliver_arguments(listing, 1, [part], **change))
    # With t = 1 all share keys are PK, so custodian 2's acceptance is the same hash: j is in the
    # challenge, and 1's proof does not count for 2.
    with reverts(contracts.market, "market: wrong proof"):
        contracts.market.deliver(*deliver_arguments(listing, 1, [part], index=2))
    contracts.deliver(purchase, 2)
    assert contracts.purchase(purchase)[1] == 0b0010


def test_32__batch_with_repeats_closed_and_complete__delivers_what_is_left(
    contracts: MarketContracts,
) -> None:
    """Skips come before any check of the proof, so what is done cannot spoil a batch."""
    listing = contracts.create_listing()
    refunded = contracts.buy(listing)
    late(contracts, refunded)
    contracts.refund(refunded)
    listing = contracts.accept_all(contracts.open_custody(contracts.next_custody(listing)))
    half, fresh = contracts.buy(listing), contracts.buy(listing)
    contracts.deliver(half, 1)
    contracts.deliver([half, fresh, half, fresh], 2)
    assert contracts.purchase(half)[:2] == (PurchaseStatus.DELIVERED, 0b0011)
    assert contracts.purchase(fresh)[:2] == (PurchaseStatus.PAID, 0b0010)
    # A refunded one in the middle, with a proof that has become worthless.
    late_one = contracts.buy(listing)
    spoiled = replace(contracts.part(refunded, 1), point=Point(1, 1))
    parts = [contracts.part(half, 3), spoiled, contracts.part(late_one, 3)]
    contracts.market.deliver(*deliver_arguments(listing, 3, parts))
    assert contracts.purchase(late_one)[1] == 0b0100
    assert contracts.purchase(half)[1] == 0b0011


def test_33__one_delivery_too_many__takes_no_fee(contracts: MarketContracts) -> None:
    """DELIVERED is not PAID: the t + 1st part is skipped, and exactly t fees are paid out."""
    listing = contracts.create_listing()
    purchase = contracts.buy(listing)
    contracts.deliver(purchase, 1, 2, 3, 4)
    assert contracts.purchase(purchase)[1] == 0b0011
    late(contracts, purchase)
    contracts.settle(purchase)
    assert [contracts.entry(contracts.market, it) for it in listing.custodians] == [FEE, FEE, 0, 0]


def test_34__silence_of_all_others__costs_the_honest_one_nothing(
    contracts: MarketContracts,
) -> None:
    """Only who did not deliver is fined, and 2t - 1 <= n: t - 1 hostile ones cannot hinder t."""
    listing = contracts.create_listing()
    purchase = contracts.buy(listing)
    contracts.deliver(purchase, 2)
    late(contracts, purchase)
    contracts.refund(purchase)
    assert contracts.custody(listing)["fined"] == 0b1101
    assert contracts.locked(listing.custodians[1]) == LOCK
    with reverts(contracts.registry, "listing: bad threshold"):
        contracts.list_version(contracts.draft_listing(2, threshold=2, manifest=word_of("2 of 2")))


# ------------------------------------------------------------------ copycats


def test_42__others_dataset_key__cannot_be_listed(contracts: MarketContracts) -> None:
    """The seller's proof hashes chain, registry, seller and terms: it serves nobody else."""
    theirs = contracts.create_listing()
    copy = contracts.draft_listing(seller=contracts.stranger, payee=contracts.stranger)
    for proof in (theirs.proof(), (0, 0), (1, 1)):
        with reverts(contracts.registry, "listing: key not proven"):
            contracts.list_version(copy, proof=proof)
    other_terms = contracts.draft_listing(bond=0)
    with reverts(contracts.registry, "listing: key not proven"):
        contracts.list_version(other_terms, proof=theirs.proof())


def test_43__copycat_with_a_key_of_their_own__is_disproved_by_the_first_buyer(
    contracts: MarketContracts,
) -> None:
    """They cannot open what they did not encrypt: `dispute_key` revokes their version."""
    original = make_content(1)
    own = make_content(2)
    copy = replace(own, shards=original.shards, tree=original.tree)
    contracts.deal(contracts.token, contracts.stranger)
    listing = contracts.create_listing(
        seller=contracts.stranger, payee=contracts.stranger, content=copy
    )
    purchase = contracts.bought_and_delivered(listing)
    contracts.dispute(purchase)
    contracts.refund(purchase)
    assert contracts.version(listing)["status"] == VersionStatus.REVOKED
    assert contracts.earned(contracts.buyer) == COST + BOND // 2
    assert contracts.earned(contracts.stranger) == 0


def test_44__sealed_shares_of_another_seller__do_not_open(contracts: MarketContracts) -> None:
    """HPKE's info string binds chain, registry, seller, dataset key, epoch and j."""
    key = os.urandom(32)
    context = ShareContext(
        chain_id=contracts.place.chain_id,
        registry=contracts.place.registry,
        seller=contracts.seller,
        dataset_key=make_content().key,
        epoch=0,
        custodian=1,
    )
    share = deal_shares(0, make_content().secret, 2, 4)[0]
    sealed = seal_share(share, encryption_public_key(key), context)
    assert open_share(sealed, key, context, multiply(share)) == share
    for change in (
        {"seller": contracts.stranger},
        {"epoch": 1},
        {"custodian": 2},
        {"chain_id": contracts.place.chain_id + 1},
        {"registry": contracts.place.market},
        {"dataset_key": make_content(1).key},
    ):
        with pytest.raises(KeysError):
            open_share(sealed, key, replace(context, **change), multiply(share))


def test_45__unusable_share_keys__are_refused_or_never_sell(contracts: MarketContracts) -> None:
    """Points that `ecrecover` cannot take: refused on chain. A wrong dealing: by every client."""
    content = make_content()
    shares = deal_shares(0, content.secret, 2, 4)
    keys = tuple(map(multiply, shares))
    large = next(q for x in range(N, N + 100) if (q := lift_x(x)) is not None)
    for bad in (Point(0, 0), Point(keys[0].x, keys[0].y ^ 2), large, Point(keys[0].x, 2**256 - 1)):
        listing = contracts.draft_listing(share_keys=(*keys[:3], bad))
        with reverts(contracts.registry, "listing: bad share key"):
            contracts.list_version(listing)
        with pytest.raises(ProofError):
            check_dealing(content.key, listing.share_keys, 2)
    for dealt in (
        (keys[0], keys[0], *keys[2:]),
        (keys[0], negate(keys[0]), *keys[2:]),
        (multiply(1), *keys[1:]),
    ):
        assert all(map(is_valid, dealt))
        with pytest.raises(ProofError):
            check_dealing(content.key, dealt, 2)
    check_dealing(content.key, keys, 2)


def test_46__reprice_in_front_of_a_buyer__cannot_take_more_or_twice(
    contracts: MarketContracts,
) -> None:
    """`buy` names the exact price, and the price is part of the purchase's id."""
    listing = contracts.create_listing()
    purchase = contracts.draft_purchase(listing)
    contracts.registry.reprice(listing.terms.astuple(), PRICE + 1, sender=contracts.seller)
    with reverts(contracts.market, "market: other price"):
        contracts.send(purchase)
    contracts.registry.reprice(listing.terms.astuple(), PRICE, sender=contracts.seller)
    contracts.send(purchase)
    contracts.registry.reprice(listing.terms.astuple(), 5, sender=contracts.seller)
    with reverts(contracts.market, "market: other price"):
        contracts.send(purchase)
    contracts.registry.reprice(listing.terms.astuple(), PRICE, sender=contracts.seller)
    with reverts(contracts.market, "market: bought already"):
        contracts.send(purchase)
    assert contracts.token.balanceOf(contracts.market) == COST
