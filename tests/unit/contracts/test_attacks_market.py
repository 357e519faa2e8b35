# SPDX-License-Identifier: Apache-2.0
"""Attacks on the market that must fail, each with the rule that defends against it.

Numbers in names are stable: the threat model refers to them. Some worked against an earlier design;
those are at the end.
"""

import os
from dataclasses import replace
from typing import Any

import boa
import pytest
from eth.exceptions import Revert

from tests.utils.contracts import at, reverts
from tests.utils.drafts import (
    BOND,
    DELIVERY,
    FEE,
    INSPECTION,
    KEEPING_FEE,
    LOCK,
    PENALTY,
    PERIOD,
    PRICE,
    WINDOWS,
    Listing,
    Purchase,
    deal_shares,
    deliver_arguments,
    draft_purchase,
    make_content,
    make_part,
    scalar,
    sign_admission,
    sign_permit,
    sign_voucher,
    word_of,
)
from tests.utils.market import (
    INITIAL_BALANCE,
    MAX_WINDOW,
    MIN_WINDOW,
    TICKET,
    ZERO,
    MarketContracts,
    contracts,
    deployed_contracts,
    edit_version,
    register,
)
from tests.utils.tokens import Mode, deployer
from truthmark.errors import KeysError, ProofError
from truthmark.keys.curve import N, is_valid, lift_x, multiply, negate, subtract
from truthmark.keys.delivery import combine_key
from truthmark.keys.proofs import prove_buyer_key
from truthmark.keys.sealing import (
    ShareContext,
    encryption_public_key,
    open_share,
    seal_share,
)
from truthmark.keys.sharing import check_dealing
from truthmark.market.records import CustodyStatus, PurchaseStatus, VersionStatus, obligation_id
from truthmark.types import Point

__all__ = ["contracts", "deployed_contracts"]

BAD = make_content(5, 3, frozenset({0}))
"""A dataset whose key does not open its first shard."""
COST = PRICE + 2 * FEE


def status(w: MarketContracts, purchase: Purchase) -> int:
    return w.purchase(purchase)[0]


def burned(w: MarketContracts) -> int:
    """Return the stake that was burned."""
    return w.entry(w.staking, ZERO, w.stake_token)


def late(w: MarketContracts, purchase: Purchase) -> None:
    """Go to the first second in which a purchase can be refunded or settled."""
    boa.env.timestamp = max(w.now, w.purchase(purchase)[2] + 1)


def extensible(
    w: MarketContracts, keeping_balance: int = 100 * KEEPING_FEE, **overrides: Any
) -> Listing:
    listing = w.create_listing(**overrides)
    w.top_up(listing, keeping_balance)
    boa.env.timestamp = listing.custody.end - PERIOD // 3
    return listing


# ------------------------------------------------------ deadlines and order


@pytest.mark.parametrize("moment", [0, 1])
def test_01__deliver_and_refund_around_the_deadline__are_never_both_possible(
    contracts: MarketContracts, moment: int
) -> None:
    """`deliver` takes now <= deadline, `refund` now > deadline: one comparison, negated."""
    purchase = contracts.buy(contracts.create_listing())
    contracts.deliver(purchase, 1)
    boa.env.timestamp = contracts.purchase(purchase)[2] + moment
    for first, second in ((contracts.refund, None), (None, contracts.refund)):
        with boa.env.anchor():
            if first:
                first(purchase)
            contracts.deliver(purchase, 2)
            if second:
                second(purchase)
            expected = PurchaseStatus.REFUNDED if moment else PurchaseStatus.DELIVERED
            assert status(contracts, purchase) == expected


@pytest.mark.parametrize("moment", [0, 1])
def test_02__dispute_and_settle_around_the_deadline__are_never_both_possible(
    contracts: MarketContracts, moment: int
) -> None:
    """`dispute_key` takes now <= deadline, `settle` now > deadline."""
    purchase = contracts.bought_and_delivered(contracts.create_listing(content=BAD))
    boa.env.timestamp = contracts.purchase(purchase)[2] + moment
    with boa.env.anchor():
        contracts.settle(purchase)
        assert status(contracts, purchase) == (
            PurchaseStatus.SETTLED if moment else PurchaseStatus.DELIVERED
        )
    if moment:
        with reverts(contracts.market, "market: inspection is over"):
            contracts.dispute(purchase)
    else:
        contracts.dispute(purchase)


def test_03__close_version_before_the_last_dispute__keeps_the_bond_until_it_is_over(
    contracts: MarketContracts,
) -> None:
    """`close_version` waits for now > stopped_at + T + I, the last second of the latest dispute."""
    listing = contracts.create_listing(content=BAD)
    purchase = contracts.buy(listing)
    contracts.retire(listing)
    boa.env.timestamp += DELIVERY
    contracts.deliver(purchase, 1, 2)
    boa.env.timestamp += INSPECTION
    with reverts(contracts.registry, "registry: too early"):
        contracts.close_version(listing)
    contracts.dispute(purchase)
    assert contracts.entry(contracts.registry, contracts.buyer) == BOND // 2
    contracts.close_version(listing)
    assert contracts.entry(contracts.registry, contracts.payee) == 0


@pytest.mark.parametrize("bought_first", [True, False])
def test_04__buy_and_retire_in_one_block__either_sold_and_covered_or_not_sold(
    contracts: MarketContracts, bought_first: bool
) -> None:
    """`buy` reads the version's status; bond and obligations last T + I after `stopped_at`."""
    listing = contracts.create_listing()
    if not bought_first:
        contracts.retire(listing)
        with reverts(contracts.market, "market: version not for sale"):
            contracts.buy(listing)
        return
    purchase = contracts.buy(listing)
    contracts.retire(listing)
    contracts.deliver(purchase, 1, 2)
    boa.env.timestamp += WINDOWS
    contracts.release(listing)
    assert contracts.custody(listing)["released"] == 0


def test_05__release_before_the_fine__comes_too_late_for_the_silent(
    contracts: MarketContracts,
) -> None:
    """A purchase ends by `end` (`buy`), an obligation only after `end`: at end - I + 1 all are
    locked."""
    listing = contracts.create_listing()
    boa.env.timestamp = listing.custody.end - WINDOWS
    purchase = contracts.buy(listing)
    boa.env.timestamp += DELIVERY + 1
    contracts.release(listing)
    assert contracts.custody(listing)["released"] == 0
    contracts.refund(purchase)
    assert contracts.custody(listing)["fined"] == 0b1111
    assert burned(contracts) == 4 * PENALTY


@pytest.mark.parametrize("moment", [0, 1])
@pytest.mark.parametrize("how", ["ends", "leaves", "retired", "closed"])
def test_05__leaving_silently__does_not_escape_the_fine(
    contracts: MarketContracts, how: str, moment: int
) -> None:
    """Lock and keeping fee stay both windows after an obligation, so that the silent can be
    fined."""
    listing = extensible(contracts)
    custodian = listing.custodians[3]
    boa.env.timestamp = listing.custody.end - WINDOWS
    purchase = contracts.buy(listing)
    stop = listing.custody.end
    if how == "leaves":
        contracts.extend(listing, 1, 2, 3)
    elif how == "retired":
        contracts.retire(listing)
        stop = contracts.now + WINDOWS
    elif how == "closed":
        contracts.close(
            listing, 0
        )  # by the refund of another purchase, for which they had delivered
        stop = contracts.now + WINDOWS
    boa.env.timestamp = stop + WINDOWS + moment
    contracts.release(listing, sender=custodian)
    assert contracts.custody(listing)["released"] >> 3 == moment
    assert contracts.entry(contracts.registry, custodian) == moment * KEEPING_FEE
    contracts.refund(purchase)
    assert contracts.custody(listing)["fined"] >> 3 == 1 - moment
    # Nothing that was held for the silent is theirs, once they are fined.
    boa.env.timestamp += 10 * PERIOD
    contracts.release(listing)
    assert contracts.entry(contracts.registry, custodian) == moment * KEEPING_FEE
    assert contracts.staking.validator(custodian).stake == 2 * TICKET - (1 - moment) * PENALTY


# ---------------------------------------------------------------- extension


def test_06__leaver_silent_for_an_older_purchase__is_fined(contracts: MarketContracts) -> None:
    """`refund` adds `previous_active` where deadline + I <= previous_end."""
    listing = extensible(contracts)
    purchase = contracts.buy(listing)
    contracts.extend(listing, 1, 2, 3)
    late(contracts, purchase)
    contracts.refund(purchase)
    assert contracts.custody(listing)["fined"] == 0b1111


def test_07__leaver_framed_by_a_purchase_that_outlasts_him__is_not_fined(
    contracts: MarketContracts,
) -> None:
    """The same comparison, a second later: deadline + I = previous_end + 1."""
    listing = extensible(contracts)
    contracts.extend(listing, 1, 2, 3)
    boa.env.timestamp = listing.custody.end - WINDOWS + 1
    purchase = contracts.buy(listing)
    late(contracts, purchase)
    contracts.refund(purchase)
    assert contracts.custody(listing)["fined"] == 0b0111
    assert contracts.locked(listing.custodians[3]) == LOCK


def test_08__second_extension_over_a_leaver_obliged__cannot_be_in_time(
    contracts: MarketContracts,
) -> None:
    """Votes open two thirds of a period after `previous_end`: the time for fines is over then."""
    listing = extensible(contracts)
    contracts.extend(listing, 1, 2, 3)
    for moment in (contracts.now, listing.custody.end):
        boa.env.timestamp = moment
        with reverts(contracts.registry, "registry: too early"):
            contracts.extend(listing, 1)
    boa.env.timestamp = listing.custody.end + PERIOD - PERIOD // 3
    assert contracts.now > listing.custody.end + 2 * WINDOWS - 1
    contracts.extend(listing, 1, 2, 3)
    assert contracts.custody(listing)["previous_end"] == listing.custody.end + PERIOD


def test_09__old_leaver_after_a_second_extension__gets_exactly_one_keeping_fee(
    contracts: MarketContracts,
) -> None:
    """`_ended` frees a custodian who is in neither map; `released` is kept for good."""
    listing = extensible(contracts)
    contracts.extend(listing, 1, 2, 3)
    boa.env.timestamp = listing.custody.end + PERIOD - 1
    contracts.extend(listing, 1, 2, 3)
    for _ in range(2):
        contracts.release(listing)
        assert contracts.entry(contracts.registry, listing.custodians[3]) == KEEPING_FEE
    assert contracts.custody(listing)["released"] == 0b1000
    assert contracts.locked(listing.custodians[3]) == 0


def test_10__release_twice__pays_once(contracts: MarketContracts) -> None:
    """`ended & ~released`; and a lapsed custody is not live."""
    listing = contracts.create_listing()
    lapsing = contracts.open_custody(contracts.next_custody(listing))
    boa.env.timestamp = listing.custody.end + WINDOWS + 1
    for _ in range(3):
        contracts.release(listing)
    assert [contracts.entry(contracts.registry, it) for it in listing.custodians] == [
        KEEPING_FEE
    ] * 4
    contracts.release(lapsing)
    with reverts(contracts.registry, "registry: custody not live"):
        contracts.release(lapsing)
    assert contracts.entry(contracts.registry, contracts.seller) == 4 * KEEPING_FEE


@pytest.mark.parametrize(
    ("before_end", "reason"),
    [
        (PERIOD // 3 + 1, "registry: too early"),
        (PERIOD // 3, None),
        (1, None),
        (0, "registry: too late"),
    ],
)
def test_11__extension_outside_the_last_third__is_refused(
    contracts: MarketContracts, before_end: int, reason: str | None
) -> None:
    """end - floor(period/3) <= now < end."""
    listing = extensible(contracts)
    boa.env.timestamp = listing.custody.end - before_end
    if reason is None:
        contracts.extend(listing, 1)
        return
    with reverts(contracts.registry, reason):
        contracts.extend(listing, 1)


def test_12__keeping_balance_a_unit_short__refuses_the_last_vote_and_keeps_the_others(
    contracts: MarketContracts,
) -> None:
    """`_hold_period` asserts cost <= keeping balance before anything is written."""
    listing = extensible(contracts, 3 * KEEPING_FEE - 1)
    contracts.extend(listing, 1, 2)
    with reverts(contracts.registry, "registry: keeping balance short"):
        contracts.extend(listing, 3)
    assert contracts.custody(listing)["votes"] == 0b0011
    contracts.top_up(listing, 1)
    contracts.extend(listing, 3)
    assert contracts.custody(listing)["active"] == 0b0111


def test_13__two_custodies_of_one_version_race_for_the_keeping_balance__the_first_is_paid(
    contracts: MarketContracts,
) -> None:
    """One balance a version, spent only by an assertion that it suffices: never below zero."""
    listing = contracts.create_listing()
    second = contracts.accept_all(contracts.open_custody(contracts.next_custody(listing, 3)))
    contracts.top_up(listing, 5 * KEEPING_FEE)
    boa.env.timestamp = listing.custody.end - 1
    contracts.extend(listing, 1, 2, 3)
    contracts.extend(second, 1, 2)
    with reverts(contracts.registry, "registry: keeping balance short"):
        contracts.extend(second, 3)
    assert contracts.registry.keeping_balances(listing.terms_id) == 2 * KEEPING_FEE


def test_14__votes_pending_when_custody_closes__extend_nothing(contracts: MarketContracts) -> None:
    """`extend` wants a LIVE custody."""
    listing = extensible(contracts)
    purchase = contracts.buy(listing)
    contracts.extend(listing, 1, 2)
    late(contracts, purchase)
    contracts.refund(purchase)
    with reverts(contracts.registry, "registry: custody not live"):
        contracts.extend(listing, 3)
    assert contracts.custody(listing)["end"] == listing.custody.end


def test_15__accept_and_lapse_around_accept_until__are_never_both_possible(
    contracts: MarketContracts,
) -> None:
    """`accept` takes now <= accept_until, `release` now > accept_until."""
    listing = contracts.list_version(contracts.draft_listing())
    boa.env.timestamp = listing.custody.accept_until
    with reverts(contracts.registry, "registry: too early"):
        contracts.release(listing)
    contracts.accept(listing, 1)
    boa.env.timestamp += 1
    with reverts(contracts.registry, "registry: too late"):
        contracts.accept(listing, 2)
    contracts.release(listing)
    assert contracts.custody(listing)["status"] == CustodyStatus.LAPSED
    assert contracts.locked(listing.custodians[0]) == 0


@pytest.mark.parametrize("how", ["retired", "revoked"])
def test_16__accept_after_the_version_ended__is_refused_and_lapse_frees_stake(
    contracts: MarketContracts, how: str
) -> None:
    """`accept` wants a running version; an open custody of an ended one lapses at once."""
    listing = contracts.create_listing(content=BAD)
    waiting = contracts.open_custody(contracts.next_custody(listing))
    contracts.accept(waiting, 1)
    if how == "retired":
        contracts.retire(listing)
    else:
        contracts.dispute(contracts.bought_and_delivered(listing))
    with reverts(contracts.registry, "registry: version has ended"):
        contracts.accept(waiting, 2)
    contracts.release(waiting)
    assert contracts.custody(waiting)["status"] == CustodyStatus.LAPSED
    assert contracts.locked(waiting.custodians[0]) == LOCK  # of the first custody alone
    assert contracts.entry(contracts.registry, contracts.seller) == 4 * KEEPING_FEE


def test_17__strangers_at_the_inner_doors__are_refused(contracts: MarketContracts) -> None:
    """`close` and `revoke`: only the market. `lock`, `release`, `slash`: only a slasher."""
    listing = contracts.create_listing()
    obligation = obligation_id(listing.custody_id, 1)
    for call in (
        lambda sender: contracts.close(listing, 15, sender),
        lambda sender: contracts.revoke(listing, sender),
    ):
        for role in (
            contracts.owner,
            contracts.seller,
            contracts.stranger,
            contracts.registry.address,
        ):
            with reverts(contracts.registry, "registry: not the market"):
                call(role)
    for call in (
        lambda sender: contracts.staking.lock(
            listing.custodians[0], listing.custodians[0], word_of("d"), 1, sender=sender
        ),
        lambda sender: contracts.staking.release(obligation, sender=sender),
        lambda sender: contracts.staking.slash(obligation, 1, sender=sender),
    ):
        for role in (
            contracts.owner,
            contracts.seller,
            contracts.stranger,
            contracts.market.address,
        ):
            with reverts(contracts.staking, "staking: caller is not a slasher"):
                call(role)


# --------------------------------------------------------------------- fines


def test_18__two_refunds_of_one_custody__fine_each_custodian_once(
    contracts: MarketContracts,
) -> None:
    """`silent & ~fined`; with penalty = lock the obligation is empty and its release is no
    error."""
    listing = contracts.create_listing(penalty=LOCK)
    first, second = contracts.buy(listing), contracts.buy(listing)
    contracts.deliver(second, 1)
    late(contracts, second)
    contracts.refund(first)
    contracts.refund(second)
    assert burned(contracts) == 4 * LOCK
    boa.env.timestamp += 2 * WINDOWS + 1
    contracts.release(listing)
    assert contracts.custody(listing)["released"] == 0b1111
    assert [contracts.locked(it) for it in listing.custodians] == [0] * 4


def test_19__refund_after_everybody_was_released__pays_and_takes_nothing(
    contracts: MarketContracts,
) -> None:
    """`close` leaves out the released, `slash` never fails: nobody's refund waits for stake."""
    listing = contracts.create_listing()
    purchase = contracts.buy(listing)
    boa.env.timestamp = listing.custody.end + WINDOWS + 1
    contracts.release(listing)
    contracts.refund(purchase)
    assert contracts.entry(contracts.market, contracts.buyer) == COST
    assert contracts.custody(listing)["fined"] == 0
    assert burned(contracts) == 0


def test_20__penalty_collected_by_a_puppet_buyer__is_burned(contracts: MarketContracts) -> None:
    """`slash` burns: a custodian who buys from themselves and stays silent gains nothing."""
    listing = contracts.create_listing()
    puppet = listing.custodians[0]
    contracts.deal(contracts.token, puppet)
    purchase = contracts.buy(listing, puppet)
    late(contracts, purchase)
    contracts.refund(purchase)
    assert contracts.entry(contracts.market, puppet) == COST
    assert burned(contracts) == 4 * PENALTY
    assert contracts.entry(contracts.staking, puppet, contracts.stake_token) == 0


def test_21__seller_disputes_about_himself_first__loses_half_the_bond(
    contracts: MarketContracts,
) -> None:
    """`revoke` burns bond - floor(bond / 2)."""
    listing = contracts.create_listing(content=BAD)
    contracts.deal(contracts.token, contracts.payee)
    purchase = contracts.bought_and_delivered(listing, buyer=contracts.payee)
    contracts.dispute(purchase)
    contracts.refund(purchase)
    contracts.close_version(listing)
    assert contracts.earned(contracts.payee) == COST + BOND // 2
    assert contracts.entry(contracts.registry, ZERO) == BOND - BOND // 2


def test_22__copied_dispute_or_delivery__pays_those_it_is_about(contracts: MarketContracts) -> None:
    """Rewards go to the receipt's buyer, fees to custodian j, nothing to msg.sender."""
    listing = contracts.create_listing(content=BAD)
    purchase = contracts.buy(listing)
    for index in (1, 2):
        arguments = deliver_arguments(listing, index, [contracts.part(purchase, index)])
        contracts.market.deliver(*arguments, sender=contracts.other_buyer)
    contracts.dispute(purchase, sender=contracts.other_buyer)
    assert contracts.earned(contracts.other_buyer) == 0
    assert contracts.entry(contracts.registry, contracts.buyer) == BOND // 2


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


# ------------------------------------------------------------------- stake


def test_35__victim_named_as_custodian__has_no_obligation_without_his_call(
    contracts: MarketContracts,
) -> None:
    """`lock` is of the caller's stake, and only `accept` calls it."""
    listing = contracts.list_version(contracts.draft_listing())
    victim = listing.custodians[0]
    for sender in (contracts.seller, contracts.stranger, listing.custodians[1]):
        with reverts(contracts.registry, "staking: not owner or operator"):
            contracts.accept(listing, 1, sender)
    assert contracts.locked(victim) == 0
    with reverts(contracts.market, "market: custody not live"):
        contracts.buy(listing)


def test_36__hostile_validator_with_the_victims_address_as_operator__binds_nobody_else(
    contracts: MarketContracts,
) -> None:
    """Calls name the validator; an operator acts for it and its stake, never for their own."""
    victim = contracts.custodians[0]
    attacker = contracts.stranger
    register(contracts, attacker, victim, tickets=2)
    custodians = tuple(sorted((*contracts.custodians[1:3], attacker), key=lambda it: int(it, 16)))
    listing = contracts.list_version(contracts.draft_listing(custodians=custodians))
    place = custodians.index(attacker) + 1
    contracts.accept(listing, place, victim)
    assert (contracts.locked(attacker), contracts.locked(victim)) == (LOCK, 0)


def test_37__one_stake_for_two_things__does_not_do(contracts: MarketContracts) -> None:
    """bonded - locked is all that `lock` and `unbond` may use."""
    custodian = contracts.custodians[0]
    with boa.env.anchor():
        contracts.staking.unbond([0, 1], sender=custodian)
        listing = contracts.list_version(contracts.draft_listing())
        with reverts(contracts.registry, "staking: not enough free stake"):
            contracts.accept(listing, 1)
    listing = contracts.list_version(contracts.draft_listing(lock=10_000))
    contracts.accept(listing, 1)
    with reverts(contracts.staking, "staking: not enough free stake"):
        contracts.staking.unbond([0], sender=custodian)


def test_38__release_by_the_end_of_the_record__reads_the_end_of_the_word(
    contracts: MarketContracts,
) -> None:
    """Ends that change are read from the word, never from the preimage that callers bring."""
    listing = extensible(contracts)
    contracts.extend(listing, 1, 2, 3, 4)
    boa.env.timestamp = listing.custody.end + 1
    contracts.release(listing)
    assert contracts.custody(listing)["released"] == 0
    forged = replace(listing, custody=replace(listing.custody, end=1))
    with reverts(contracts.registry, "registry: custody not live"):
        contracts.release(forged)


def test_39__invented_custody_of_a_real_version__has_no_word(contracts: MarketContracts) -> None:
    """Everything is looked up by the hash of what is brought; an unknown one is empty."""
    listing = contracts.create_listing()
    purchase = contracts.bought_and_delivered(listing)
    late(contracts, purchase)
    for change in (
        {"epoch": 1},
        {"fee": 10**20},
        {"threshold": 1},
        {"keeping_fee": 10**20},
        {"lock": 0},
        {"penalty": LOCK},
    ):
        invented = listing.with_custody(replace(listing.custody, **change))
        forged = replace(purchase, listing=invented)
        contracts.settle(forged)
        contracts.refund(forged)
        assert status(contracts, purchase) == PurchaseStatus.DELIVERED
        with reverts(contracts.registry, "registry: custody not live"):
            contracts.release(invented)
        with reverts(contracts.market, "market: custody not live"):
            contracts.buy(invented)
        with reverts(contracts.market, "market: not delivered"):
            contracts.confirm(forged)
    assert contracts.earned(contracts.payee) == 0


def test_40__non_canonical_calldata__names_the_same_custody_or_fails(
    contracts: MarketContracts,
) -> None:
    """Ids hash the decoded values: dirty high bytes of an address are refused by the decoder."""
    listing = contracts.create_listing()
    data = contracts.registry.close_version.prepare_calldata(listing.terms.astuple())
    dirty = bytearray(data)
    dirty[4] = 1  # above the 20 bytes of `seller`
    assert not call_succeeds(contracts, bytes(dirty))
    contracts.retire(listing)
    boa.env.timestamp += WINDOWS + 1
    # Bytes behind the arguments change nothing.
    assert not call_succeeds(contracts, bytes(dirty))
    assert call_succeeds(contracts, data + b"\xff" * 64)
    assert contracts.version(listing)["status"] == VersionStatus.CLOSED


def call_succeeds(w: MarketContracts, data: bytes) -> bool:
    try:
        boa.env.raw_call(w.registry.address, sender=w.stranger, data=data)
    except Revert:
        return False
    return True


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


def test_43__copycat_with_a_key_of_his_own__is_disproved_by_his_first_buyer(
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


# ---------------------------------------------------- vouchers and admissions


def test_47__voucher_shown_wrongly__buys_nothing(contracts: MarketContracts) -> None:
    """A voucher hashes version, account, price, expiry, nonce; it is marked used by its digest."""
    listing = contracts.create_listing()
    other = contracts.create_listing(manifest=word_of("other"))
    voucher = sign_voucher(listing, contracts.buyer, 5, contracts.now + 10)

    def refused(reason: str, sold: Listing, shown: Any, buyer: str | None = None) -> None:
        with reverts(contracts.market, reason):
            contracts.buy(sold, buyer, voucher=shown, price=shown[0])

    refused("market: voucher not signed", listing, voucher, contracts.other_buyer)
    refused("market: voucher not signed", other, voucher)
    refused("market: voucher not signed", listing, (4, *voucher[1:]))
    refused("market: voucher not signed", listing, (5, voucher[1] + 1, *voucher[2:]))
    refused("market: voucher not signed", listing, (*voucher[:2], word_of("nonce"), voucher[3]))
    for place in (
        replace(contracts.place, chain_id=contracts.place.chain_id + 1),
        replace(contracts.place, market=contracts.place.registry),
    ):
        elsewhere = sign_voucher(listing, contracts.buyer, 5, contracts.now + 10, place=place)
        refused("market: voucher not signed", listing, elsewhere)
    raised = sign_voucher(listing, contracts.buyer, PRICE + 1, contracts.now)
    refused("market: voucher above price", listing, raised)
    contracts.buy(listing, voucher=voucher, price=5)
    refused("market: voucher used", listing, voucher)
    raw = voucher[3]
    mirrored = (N - int.from_bytes(raw[32:64], "big")).to_bytes(32, "big")
    again = (*voucher[:3], raw[:32] + mirrored + bytes([55 - raw[64]]))
    refused("market: voucher used", listing, again)


def test_47__voucher_of_a_refunded_purchase__stays_used(contracts: MarketContracts) -> None:
    """`used_vouchers` is never cleared."""
    listing = contracts.create_listing()
    voucher = sign_voucher(listing, contracts.buyer, 5, contracts.now + 10**6)
    purchase = contracts.buy(listing, voucher=voucher, price=5)
    late(contracts, purchase)
    contracts.refund(purchase)
    further = contracts.accept_all(contracts.open_custody(contracts.next_custody(listing)))
    with reverts(contracts.market, "market: voucher used"):
        contracts.buy(further, voucher=voucher, price=5)


def test_47__admission_shown_wrongly__admits_nobody(contracts: MarketContracts) -> None:
    """An admission is a type of its own, over version, account and expiry."""
    listing = contracts.create_listing(gate=contracts.gate)
    other = contracts.create_listing(gate=contracts.gate, manifest=word_of("other"))
    admission = sign_admission(listing, contracts.buyer, contracts.now + 10)

    def refused(sold: Listing, shown: Any, buyer: str | None = None) -> None:
        with reverts(contracts.market, "market: not admitted"):
            contracts.buy(sold, buyer, admission=shown)

    refused(other, admission)
    refused(listing, admission, contracts.other_buyer)
    refused(listing, (admission[0] + 1, admission[1]))
    refused(listing, sign_admission(listing, contracts.buyer, contracts.now, signer="seller"))
    # A voucher of the gate, or a voucher shown as an admission, is another type.
    voucher = sign_voucher(listing, contracts.buyer, 5, contracts.now + 10, signer="gate")
    refused(listing, (voucher[1], voucher[3]))
    contracts.buy(listing, admission=admission)
    contracts.buy(listing, admission=admission)


@pytest.mark.parametrize("role", ["gate", "seller"])
def test_48__signer_with_delegated_code__still_signs_by_its_key(
    contracts: MarketContracts, role: str
) -> None:
    """ECDSA comes before ERC-1271 (EIP-7702 gives accounts code)."""
    listing = contracts.create_listing(gate=contracts.gate)
    account = getattr(contracts, role)
    boa.env.set_code(account, bytes.fromhex("ef0100") + bytes(19) + b"\x07")
    voucher = sign_voucher(listing, contracts.buyer, 5, contracts.now)
    admission = sign_admission(listing, contracts.buyer, contracts.now)
    contracts.buy(listing, voucher=voucher, admission=admission, price=5)


def test_48__identity_precompile_as_gate__admits_nobody(contracts: MarketContracts) -> None:
    """An address without code is not asked: the precompile would echo the magic word."""
    listing = contracts.create_listing(gate="0x" + "00" * 19 + "04")
    with reverts(contracts.market, "market: not admitted"):
        contracts.buy(listing, admission=(contracts.now, b""))


GATE = """
# pragma version 0.4.3
# pragma evm-version prague
target: address
data: Bytes[4096]
@external
def set_call(target: address, data: Bytes[4096]):
    self.target = target
    self.data = data
@external
@view
def isValidSignature(digest: bytes32, signature: Bytes[1024]) -> bytes4:
    success: bool = raw_call(
        self.target, self.data, is_static_call=True, revert_on_failure=False
    )
    if success:
        return 0x00000000
    return 0x1626ba7e
"""


def test_49__gate_that_calls_back__finds_every_door_shut(contracts: MarketContracts) -> None:
    """ERC-1271 is a static call, and the market is locked during `buy` (`nonreentrancy on`)."""
    gate = boa.loads(GATE)
    listing = contracts.create_listing(gate=str(gate.address))
    inner = contracts.draft_purchase(listing, str(gate.address))
    for data in (
        contracts.market.buy.prepare_calldata(*inner.arguments()),
        contracts.market.withdraw.prepare_calldata(contracts.token.address, contracts.buyer, 0),
        contracts.market.purchases.prepare_calldata(inner.id),
    ):
        gate.set_call(contracts.market, data)
        contracts.buy(
            listing, admission=(contracts.now, b"")
        )  # admitted: the gate's own call failed


# ------------------------------------------------------------------- tokens


def test_50__permit_used_up_by_a_front_runner__buys_all_the_same(
    contracts: MarketContracts,
) -> None:
    """`_use_permit` ignores a failure; the allowance is what counts, and it is there."""
    listing = contracts.create_listing()
    contracts.token.approve(contracts.market, 0, sender=contracts.buyer)
    permit = sign_permit(
        contracts.token.address,
        contracts.place.chain_id,
        "buyer",
        contracts.market.address,
        COST,
        contracts.now,
    )
    contracts.token.permit(
        contracts.buyer, contracts.market, COST, *permit, sender=contracts.stranger
    )
    contracts.buy(listing, permit=permit)


@pytest.mark.parametrize("mode", [Mode.PERMIT_REVERTS, Mode.PERMIT_IDLE])
def test_50__permit_that_does_nothing__buys_nothing_without_allowance(
    contracts: MarketContracts, mode: Mode
) -> None:
    """A permit only prepares: `_pull` decides, by what has arrived."""
    token = contracts.hostile_token()
    listing = contracts.create_listing(token=str(token.address))
    token.set_mode(mode)
    token.approve(contracts.market, 0, sender=contracts.buyer)
    with pytest.raises(boa.BoaError):
        contracts.buy(listing, permit=(contracts.now, 27, bytes(32), bytes(32)))
    token.approve(contracts.market, INITIAL_BALANCE, sender=contracts.buyer)
    contracts.buy(listing, permit=(contracts.now, 27, bytes(32), bytes(32)))


@pytest.mark.parametrize(
    "mode", [Mode.FEE_FROM_RECEIVER, Mode.TRUE_BUT_STAYS, Mode.SENDS_MORE, Mode.HUGE_BALANCE]
)
def test_51__fee_taking_or_lying_token__never_enters_the_ledger(
    contracts: MarketContracts, mode: Mode
) -> None:
    """`_pull` compares the balance before and after with the amount, at list, open, top up, buy."""
    token = contracts.hostile_token()
    listing = contracts.create_listing(token=str(token.address))
    further = contracts.next_custody(listing)
    token.set_mode(mode)
    with reverts(contracts.registry, "ledger: short transfer"):
        contracts.list_version(
            contracts.draft_listing(token=str(token.address), manifest=word_of("another"))
        )
    with reverts(contracts.registry, "ledger: short transfer"):
        contracts.open_custody(further)
    with reverts(contracts.registry, "ledger: short transfer"):
        contracts.top_up(listing, 1_000)
    with reverts(contracts.market, "ledger: short transfer"):
        contracts.buy(listing)


def test_52__dead_sale_token__blocks_nothing_but_its_own_withdrawal(
    contracts: MarketContracts,
) -> None:
    """Only `_pull` and `withdraw` call a token; everything else is an entry in the ledger."""
    token = contracts.hostile_token()
    listing = contracts.create_listing(token=str(token.address), content=BAD)
    contracts.top_up(listing, 100 * KEEPING_FEE)
    silent, confirmed, settled, disputed = (contracts.buy(listing) for _ in range(4))
    token.set_mode(Mode.PAUSED)
    contracts.deliver([confirmed, settled, disputed], 1)
    contracts.deliver([confirmed, settled, disputed], 2)
    contracts.confirm(confirmed)
    with at(contracts.purchase(settled)[2] + 1):
        contracts.settle(settled)
        contracts.refund(silent)
        contracts.retire(listing)
        boa.env.timestamp = listing.custody.end + WINDOWS
        contracts.release(listing)
        contracts.close_version(listing)
        assert contracts.version(listing)["status"] == VersionStatus.CLOSED
    with at(listing.custody.end - 1):
        contracts.extend(listing, 1, 2, 3)
    contracts.dispute(disputed)
    contracts.refund(disputed, silent)
    contracts.release(listing)
    contracts.close_version(listing)
    with reverts(contracts.market, "hostile: paused"):
        contracts.market.withdraw(token, contracts.buyer, 0)
    token.set_mode(Mode(0))
    assert contracts.market.withdraw(token, contracts.buyer, 0) == 2 * COST


def test_53__token_that_calls_back__finds_every_door_of_its_caller_shut(
    contracts: MarketContracts,
) -> None:
    """Each contract is locked while it calls a token; the other one has done its effects before."""
    token = contracts.hostile_token()
    listing = contracts.create_listing(token=str(token.address))
    old = contracts.buy(listing)
    late(contracts, old)
    outer = contracts.draft_purchase(listing)
    token.set_mode(Mode.HOOK_BEFORE)
    market = [
        contracts.market.refund.prepare_calldata(
            listing.terms.astuple(), listing.custody.astuple(), [old.receipt.astuple()]
        ),
        contracts.market.withdraw.prepare_calldata(token.address, contracts.buyer, 0),
        contracts.market.purchases.prepare_calldata(old.id),
    ]
    for data in market:
        with boa.env.anchor():
            token.set_hook(contracts.market, data, 1)
            contracts.send(outer)
            assert token.hook_count() == 0
            assert not token.hook_success()
    # The registry is open meanwhile, and finds everything consistent.
    with boa.env.anchor():
        token.set_hook(
            contracts.registry, contracts.registry.release.prepare_calldata(*listing.keeping), 1
        )
        contracts.send(outer)
        assert token.hook_success()
        assert status(contracts, outer) == PurchaseStatus.PAID
    # Inside `list_version` the new version exists already, but has no live custody: no sale.
    newer = contracts.draft_listing(token=str(token.address), manifest=word_of("newer"))
    inner = contracts.draft_purchase(newer, str(token.address))
    token.set_hook(contracts.market, contracts.market.buy.prepare_calldata(*inner.arguments()), 1)
    contracts.list_version(newer)
    assert not token.hook_success()


def test_54__withdrawing_for_others__only_pays_them(contracts: MarketContracts) -> None:
    """`withdraw` pays the account it names and returns 0, without failing, when overtaken."""
    listing = contracts.create_listing()
    purchase = contracts.bought_and_delivered(listing)
    contracts.confirm(purchase)
    before = contracts.token.balanceOf(contracts.payee)
    entry = contracts.entry(contracts.market, contracts.payee)
    assert (
        contracts.market.withdraw(contracts.token, contracts.payee, 0, sender=contracts.stranger)
        == entry
    )
    assert (
        contracts.market.withdraw(contracts.token, contracts.payee, 0, sender=contracts.payee) == 0
    )
    assert contracts.token.balanceOf(contracts.payee) == before + entry


# ------------------------------------------------------------------- owners


def test_55__owner_raises_the_fee_and_pauses__running_sales_keep_theirs(
    contracts: MarketContracts,
) -> None:
    """`fee_bps` is a term; a pause stops `list_version`, `open_custody` and `buy` alone."""
    listing = contracts.create_listing(content=BAD)
    silent, settled, disputed = (contracts.buy(listing) for _ in range(3))
    contracts.registry.set_fee_bps(250, sender=contracts.owner)
    contracts.registry.pause(sender=contracts.owner)
    contracts.deliver([settled, disputed], 1)
    contracts.deliver([settled, disputed], 2)
    with at(contracts.purchase(settled)[2] + 1):
        contracts.settle(settled)
        assert contracts.entry(contracts.market, contracts.treasury) == PRICE * 200 // 10_000
        contracts.refund(silent)
        assert contracts.entry(contracts.market, contracts.buyer) == COST
    contracts.dispute(disputed)
    contracts.refund(silent, settled, disputed)
    assert contracts.entry(contracts.market, contracts.buyer) == 3 * COST


def test_56__close_version_again_and_again__pays_each_amount_once(
    contracts: MarketContracts,
) -> None:
    """RETIRED -> CLOSED happens once; the balance is emptied each time; REVOKED pays no bond."""
    listing = contracts.create_listing()
    purchase = contracts.buy(listing)
    late(contracts, purchase)
    contracts.refund(purchase)
    contracts.retire(listing)
    boa.env.timestamp += 2 * WINDOWS + 1
    for _ in range(3):
        contracts.close_version(listing)
    assert contracts.entry(contracts.registry, contracts.payee) == BOND
    contracts.release(listing)  # all four were fined: their keeping fees go to the keeping balance
    for _ in range(3):
        contracts.close_version(listing)
    assert contracts.entry(contracts.registry, contracts.payee) == BOND + 4 * KEEPING_FEE
    revoked = contracts.create_listing(content=BAD)
    contracts.dispute(contracts.bought_and_delivered(revoked))
    for _ in range(3):
        contracts.close_version(revoked)
    assert contracts.entry(contracts.registry, contracts.payee) == BOND + 4 * KEEPING_FEE


def test_57__retired_then_revoked_then_wound_up__spends_the_bond_once(
    contracts: MarketContracts,
) -> None:
    """`revoke` takes OPEN, PAUSED or RETIRED; `close_version` pays a bond to RETIRED alone."""
    listing = contracts.create_listing(content=BAD)
    purchase = contracts.bought_and_delivered(listing)
    contracts.retire(listing)
    contracts.dispute(purchase)
    boa.env.timestamp += WINDOWS + 1
    contracts.close_version(listing)
    assert contracts.entry(contracts.registry, contracts.payee) == 0
    assert (
        contracts.entry(contracts.registry, contracts.buyer)
        + contracts.entry(contracts.registry, ZERO)
        == BOND
    )


def test_58__revoked_version__refunds_all_and_fines_nobody(contracts: MarketContracts) -> None:
    """REVOKED is looked at first: no settlement, no fine, whatever is late or delivered since."""
    listing = contracts.create_listing(content=BAD)
    disputed, waiting, overdue = (contracts.buy(listing) for _ in range(3))
    contracts.deliver(disputed, 1, 2)
    contracts.dispute(disputed)
    contracts.deliver(waiting, 1, 2)
    assert status(contracts, waiting) == PurchaseStatus.DELIVERED
    late(contracts, waiting)
    for call in (contracts.settle, contracts.confirm):
        with reverts(contracts.market, "market: version is revoked"):
            call(waiting)
    contracts.refund(disputed, waiting, overdue)
    assert contracts.entry(contracts.market, contracts.buyer) == 3 * COST
    assert contracts.custody(listing)["fined"] == 0
    assert burned(contracts) == 0


def test_59__silent_seller_in_direct_mode__refunds_and_can_deal_anew(
    contracts: MarketContracts,
) -> None:
    """`lock` = 0 calls no staking contract; a further epoch may be opened and sells."""
    listing = contracts.create_listing(0)
    purchase = contracts.buy(listing)
    late(contracts, purchase)
    contracts.refund(purchase)
    assert contracts.entry(contracts.market, contracts.buyer) == PRICE + FEE
    with reverts(contracts.market, "market: custody not live"):
        contracts.buy(listing)
    further = contracts.open_custody(contracts.next_custody(listing, 0, custodians=()))
    sold = contracts.bought_and_delivered(further)
    late(contracts, sold)
    contracts.settle(sold)
    assert contracts.entry(contracts.market, contracts.seller) == FEE


@pytest.mark.parametrize(
    ("price", "fee"), [(0, 0), (1, 0), (0, 5), (2**128 - 1, 2**128 - 1), (49, 1)]
)
def test_60__extreme_prices__pay_out_to_the_last_unit(
    contracts: MarketContracts, price: int, fee: int
) -> None:
    """Amounts are below 2^128 each, fees round down, the payee gets the rest."""
    contracts.token.mint(contracts.buyer, 2**131)
    contracts.token.approve(contracts.market, 2**131, sender=contracts.buyer)
    listing = contracts.create_listing(price=price, fee=fee)
    purchase = contracts.bought_and_delivered(listing)
    late(contracts, purchase)
    contracts.settle(purchase)
    accounts = (contracts.payee, contracts.treasury, *listing.custodians)
    assert sum(contracts.entry(contracts.market, it) for it in accounts) == price + 2 * fee
    for account in accounts:
        contracts.market.withdraw(contracts.token, account, 0)
    assert contracts.token.balanceOf(contracts.market) == 0


def test_61__reorg_without_the_purchase__same_order_same_id_same_proofs(
    contracts: MarketContracts,
) -> None:
    """The id is made of what was agreed, so parts already made count for the same order again."""
    listing = contracts.create_listing()
    purchase = contracts.draft_purchase(listing)
    with boa.env.anchor():
        first = contracts.send(purchase)
        contracts.deliver(purchase, 1, 2)
        assert status(contracts, purchase) == PurchaseStatus.DELIVERED
    assert status(contracts, purchase) == PurchaseStatus.NONE
    boa.env.timestamp += 12
    assert contracts.send(purchase) == first
    contracts.deliver(purchase, 2, 1)
    assert status(contracts, purchase) == PurchaseStatus.DELIVERED


def test_62__same_purchase_in_another_market__proofs_do_not_carry_over(
    contracts: MarketContracts,
) -> None:
    """Every challenge hashes chain id and contract."""
    listing = contracts.create_listing()
    purchase = contracts.buy(listing)
    for place in (
        replace(contracts.place, chain_id=contracts.place.chain_id + 1),
        replace(contracts.place, market=contracts.place.registry),
    ):
        part = make_part(purchase, 1, place)
        with reverts(contracts.market, "market: wrong proof"):
            contracts.market.deliver(*deliver_arguments(listing, 1, [part]))
    twin = draft_purchase(
        replace(listing, place=replace(contracts.place, market=contracts.place.registry)),
        contracts.buyer,
        99,
    )
    with reverts(contracts.market, "market: buyer key not proven"):
        contracts.send(twin)
    other = contracts.draft_listing(manifest=word_of("elsewhere"))
    with reverts(contracts.registry, "listing: key not proven"):
        contracts.list_version(other, proof=other.proof(registry=contracts.market.address))


@pytest.mark.parametrize(
    ("which", "reason"),
    [
        ("foreign", "registry: not the seller"),
        ("superseded", "registry: has a newer version"),
        ("unknown", "registry: no such version"),
    ],
)
def test_63__further_version_of_somebody_elses_listing__is_refused(
    contracts: MarketContracts, which: str, reason: str
) -> None:
    """`_supersede` looks the previous terms up, and at their seller."""
    previous = contracts.create_listing().terms
    if which == "foreign":
        theirs = contracts.draft_listing(seller=contracts.stranger, content=make_content(3))
        previous = contracts.list_version(theirs).terms
    elif which == "superseded":
        contracts.list_version(contracts.draft_listing(content=make_content(1)), previous)
    else:
        previous = replace(previous, licence=word_of("unknown"))
    with reverts(contracts.registry, reason):
        contracts.list_version(contracts.draft_listing(content=make_content(2)), previous)


def test_64__early_confirm__ends_only_the_buyers_own_right_to_dispute(
    contracts: MarketContracts,
) -> None:
    """`confirm` wants the receipt's buyer; a settled purchase is not DELIVERED."""
    listing = contracts.create_listing(content=BAD)
    hasty, careful = (
        contracts.bought_and_delivered(listing, buyer=b)
        for b in (contracts.buyer, contracts.other_buyer)
    )
    with reverts(contracts.market, "market: not the buyer"):
        contracts.confirm(careful, sender=contracts.seller)
    contracts.confirm(hasty)
    with reverts(contracts.market, "market: not delivered"):
        contracts.dispute(hasty)
    contracts.dispute(careful)
    contracts.refund(hasty, careful)
    assert contracts.entry(contracts.market, contracts.buyer) == 0
    assert contracts.entry(contracts.market, contracts.other_buyer) == COST


def test_64__expired_custody__sells_nothing(contracts: MarketContracts) -> None:
    """A purchase must fit before `end` with both its windows."""
    listing = contracts.create_listing()
    boa.env.timestamp = listing.custody.end + 1
    with reverts(contracts.market, "market: custody ends too soon"):
        contracts.buy(listing)
    contracts.release(listing)
    with reverts(contracts.market, "market: custody ends too soon"):
        contracts.buy(listing)


def test_64__extension_by_too_few__has_no_effect(contracts: MarketContracts) -> None:
    """2t - 1 votes make an extension: fewer could hold the key hostage, and t must stay honest."""
    listing = extensible(contracts)
    contracts.extend(listing, 1, 2)
    assert contracts.custody(listing)["end"] == listing.custody.end
    boa.env.timestamp = listing.custody.end + WINDOWS + 1
    contracts.release(listing)
    assert contracts.custody(listing)["released"] == 0b1111
    assert contracts.registry.keeping_balances(listing.terms_id) == 100 * KEEPING_FEE


# ---------------------------------------- what worked on an earlier design


def test_a1__accept_release_lapse__drains_nothing(contracts: MarketContracts) -> None:
    """A custody that lapses holds no keeping fee any more (`held` = 0)."""
    rich = contracts.create_listing(bond=10**9)
    listing = contracts.list_version(contracts.draft_listing(manifest=word_of("lapsing")))
    contracts.accept(listing, 1)
    boa.env.timestamp = listing.custody.accept_until + 1
    contracts.release(listing)
    with reverts(contracts.registry, "registry: custody not live"):
        contracts.release(listing)
    assert contracts.entry(contracts.registry, listing.custodians[0]) == 0
    held = BOND + 4 * KEEPING_FEE + 10**9 + 4 * KEEPING_FEE
    assert contracts.token.balanceOf(contracts.registry) == held
    assert contracts.version(rich)["status"] == VersionStatus.OPEN


def test_a2__lapsed_custody__pays_once_and_never_the_custodians(contracts: MarketContracts) -> None:
    """LAPSED is the end: neither `release` nor `accept` takes it."""
    listing = contracts.list_version(contracts.draft_listing())
    for index in range(1, 4):
        contracts.accept(listing, index)
    boa.env.timestamp = listing.custody.accept_until + 1
    contracts.release(listing)
    assert contracts.entry(contracts.registry, contracts.seller) == 4 * KEEPING_FEE
    for call in (lambda: contracts.release(listing), lambda: contracts.accept(listing, 4)):
        with pytest.raises(boa.BoaError):
            call()
    assert [contracts.entry(contracts.registry, it) for it in listing.custodians] == [0] * 4


@pytest.mark.parametrize("how", ["retired", "revoked"])
def test_a3__joining_after_the_version_ended__is_refused(
    contracts: MarketContracts, how: str
) -> None:
    """`extend` wants a running version, for votes and for joining."""
    listing = extensible(contracts, content=BAD)
    purchase = contracts.bought_and_delivered(listing)
    contracts.extend(listing, 1, 2, 3)
    if how == "retired":
        contracts.retire(listing)
    else:
        contracts.dispute(purchase)
    with reverts(contracts.registry, "registry: version has ended"):
        contracts.extend(listing, 4)


def test_a4__votes_of_an_old_term__do_not_count_in_the_next(contracts: MarketContracts) -> None:
    """An extension sets `votes` to 0; without one the custody ends."""
    listing = extensible(contracts)
    contracts.extend(listing, 1, 2, 3)
    assert contracts.custody(listing)["votes"] == 0
    boa.env.timestamp = listing.custody.end + PERIOD - 1
    contracts.extend(listing, 1, 2)
    assert contracts.custody(listing)["end"] == listing.custody.end + PERIOD
    with reverts(contracts.registry, "registry: extended already"):
        contracts.extend(listing, 1)


def test_a5__repriced_between_two_sends__takes_money_once(contracts: MarketContracts) -> None:
    """The price is in the id, so the order at the old price is no order at the new one."""
    listing = contracts.create_listing()
    purchase = contracts.buy(listing)
    contracts.registry.reprice(listing.terms.astuple(), PRICE // 2, sender=contracts.seller)
    with reverts(contracts.market, "market: other price"):
        contracts.send(purchase)
    assert contracts.token.balanceOf(contracts.market) == COST


def test_a6__token_with_an_absurd_balance__cannot_lock_stake_by_overflow(
    contracts: MarketContracts,
) -> None:
    """Every amount that comes in is below 2^133, so no entry overflows and `release` works."""
    token = contracts.hostile_token()
    listing = contracts.create_listing(token=str(token.address))
    token.set_mode(Mode.LYING_BALANCE)  # money that exists in `balanceOf` alone
    token.approve(contracts.registry, 2**256 - 1, sender=contracts.stranger)
    with reverts(contracts.registry, "registry: amount too large"):
        contracts.top_up(listing, 2**256 - 1)
    for _ in range(8):
        contracts.top_up(listing, 2**128 - 1)
    boa.env.timestamp = listing.custody.end + WINDOWS + 1
    contracts.release(listing)
    assert [contracts.locked(it) for it in listing.custodians] == [0] * 4
    contracts.retire(listing)
    boa.env.timestamp += WINDOWS + 1
    contracts.close_version(listing)
    assert contracts.entry(contracts.registry, contracts.payee, token) == 8 * (2**128 - 1) + BOND


def test_a7__counters_at_their_widths__stop_instead_of_overflowing(
    contracts: MarketContracts,
) -> None:
    """Epochs and versions are counted to 2^16 - 1 and refused then; times are below 2^40."""
    listing = contracts.create_listing()
    edit_version(contracts, listing, epochs=2**16 - 1)
    with reverts(contracts.registry, "registry: wrong epoch"):
        contracts.open_custody(contracts.next_custody(listing))
    edit_version(contracts, listing, epochs=2**16 - 2)
    contracts.open_custody(contracts.next_custody(listing))
    assert contracts.version(listing)["epochs"] == 2**16 - 1
    edit_version(contracts, listing, version=2**16 - 1)
    with reverts(contracts.registry, "registry: too many versions"):
        contracts.list_version(contracts.draft_listing(content=make_content(1)), listing.terms)
    edit_version(contracts, listing, version=2**16 - 2)
    newer = contracts.list_version(contracts.draft_listing(content=make_content(1)), listing.terms)
    assert contracts.version(newer)["version"] == 2**16 - 1
    # The latest end there is: its custody extends up to it and no further.
    last = contracts.draft_listing(
        manifest=word_of("late"),
        period_seconds=2**40 - 1,
        end=2**40 - 1,
        last_end=2**40 - 1,
    )
    contracts.accept_all(contracts.list_version(last))
    assert contracts.custody(last)["end"] == 2**40 - 1
    boa.env.timestamp = 2**40 - 2
    with reverts(contracts.registry, "registry: last period"):
        contracts.extend(last, 1)


def test_a8__foreign_terms_with_a_custody__are_refused_everywhere(
    contracts: MarketContracts,
) -> None:
    """Wherever terms and custody come together, the custody must name the terms."""
    listing = contracts.create_listing(content=BAD)
    token = contracts.hostile_token()
    foreign = contracts.draft_listing(token=str(token.address), payee=contracts.stranger).terms
    purchase = contracts.bought_and_delivered(listing)
    mixed = replace(listing, terms=foreign)
    forged = replace(purchase, listing=mixed)
    evidence = contracts.draft_evidence(purchase)
    boa.env.timestamp = listing.custody.end - 1
    for contract, call in (
        (contracts.registry, lambda: contracts.release(mixed)),
        (contracts.registry, lambda: contracts.extend(mixed, 1)),
        (contracts.market, lambda: contracts.settle(forged)),
        (contracts.market, lambda: contracts.confirm(forged)),
        (contracts.market, lambda: contracts.refund(forged)),
        (contracts.market, lambda: contracts.dispute(forged, evidence)),
    ):
        name = "registry" if contract is contracts.registry else "market"
        with reverts(contract, f"{name}: other terms"):
            call()
    with reverts(contracts.market, "market: version not for sale"):
        contracts.buy(mixed)


def test_a14__released_leaver__delivers_no_more(contracts: MarketContracts) -> None:
    """`release` deletes the acceptance: who risks nothing takes no fee from those who do."""
    listing = extensible(contracts)
    contracts.extend(listing, 1, 2, 3)
    boa.env.timestamp = listing.custody.end + WINDOWS + 1
    contracts.release(listing)
    purchase = contracts.buy(listing)
    with reverts(contracts.market, "market: not as accepted"):
        contracts.deliver(purchase, 4)
    contracts.deliver(purchase, 3, 1)
    assert status(contracts, purchase) == PurchaseStatus.DELIVERED


def test_a15__joiner__takes_over_what_is_not_delivered_and_is_fined_for_it(
    contracts: MarketContracts,
) -> None:
    """Who joins is in `active`: written down, so their node refunds what is overdue first."""
    listing = extensible(contracts)
    contracts.extend(listing, 1, 2, 3)
    purchase = contracts.buy(listing)
    contracts.extend(listing, 4)
    late(contracts, purchase)
    contracts.refund(purchase)
    assert contracts.custody(listing)["fined"] == 0b1111


def test_a16__faulty_market__reaches_no_more_than_was_agreed(contracts: MarketContracts) -> None:
    """`close_custody` and `revoke` take preimages: token, bond, lock, penalty, obligations are the
    registry's."""
    market = contracts.market.address
    listing = contracts.create_listing()
    other = contracts.create_listing(manifest=word_of("other"), bond=7 * BOND)
    contracts.top_up(other, 100 * KEEPING_FEE)
    held = contracts.token.balanceOf(contracts.registry)
    for forged in (
        replace(listing, terms=replace(listing.terms, bond=8 * BOND)),
        replace(listing, terms=replace(listing.terms, token=str(contracts.stake_token.address))),
        replace(listing, custody=other.custody),
        replace(listing, custody=replace(listing.custody, penalty=LOCK)),
        contracts.draft_listing(bond=held, manifest=word_of("invented")),
    ):
        with boa.reverts():
            contracts.revoke(forged)
    with reverts(contracts.registry, "registry: custody not live"):
        contracts.close(replace(listing, custody=replace(listing.custody, penalty=LOCK)), 0b1111)
    with reverts(contracts.registry, "registry: not obliged"):
        contracts.close(listing, 0b11111)
    # The worst: each penalty once, and the bond of a version whose key was never wrong.
    for _ in range(2):
        contracts.close(listing, 0b1111)
    contracts.revoke(listing)
    with reverts(contracts.registry, "registry: version has ended"):
        contracts.revoke(listing)
    assert burned(contracts) == 4 * PENALTY
    assert contracts.entry(contracts.registry, contracts.buyer) == BOND // 2
    assert contracts.entry(contracts.registry, ZERO) == BOND - BOND // 2
    assert contracts.entry(contracts.registry, market) == 0
    assert contracts.registry.keeping_balances(other.terms_id) == 100 * KEEPING_FEE
    assert contracts.custody(other)["fined"] == 0


def test_a15__market_named_after_a_listing__is_impossible(contracts: MarketContracts) -> None:
    """Nothing is listed before the market is named, and it is named once."""
    registry = deployer("DatasetRegistry").deploy(
        contracts.owner, contracts.staking, contracts.checks, MIN_WINDOW, MAX_WINDOW
    )
    place = replace(contracts.place, registry=str(registry.address))
    listing = replace(contracts.draft_listing(fee_bps=0), place=place)
    with reverts(registry, "registry: no market yet"):
        registry.list_version(*listing.list_arguments(), sender=contracts.seller)
    registry.fix_market(contracts.market, sender=contracts.owner)
    with reverts(registry, "registry: market is fixed"):
        registry.fix_market(contracts.stranger, sender=contracts.owner)
