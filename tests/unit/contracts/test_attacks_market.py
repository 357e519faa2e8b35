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
    World,
    deployed_world,
    edit_version,
    register,
    world,
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

__all__ = ["deployed_world", "world"]

BAD = make_content(5, 3, frozenset({0}))
"""A dataset whose key does not open its first shard."""
COST = PRICE + 2 * FEE


def status(w: World, purchase: Purchase) -> int:
    return w.purchase(purchase)[0]


def burned(w: World) -> int:
    """Return the stake that was burned."""
    return w.entry(w.staking, ZERO, w.stake_token)


def late(w: World, purchase: Purchase) -> None:
    """Go to the first second in which a purchase can be refunded or settled."""
    boa.env.timestamp = max(w.now, w.purchase(purchase)[2] + 1)


def extensible(w: World, keeping_balance: int = 100 * KEEPING_FEE, **overrides: Any) -> Listing:
    listing = w.create_listing(**overrides)
    w.top_up(listing, keeping_balance)
    boa.env.timestamp = listing.custody.end - PERIOD // 3
    return listing


# ------------------------------------------------------ deadlines and order


@pytest.mark.parametrize("moment", [0, 1])
def test_01__deliver_and_refund_around_the_deadline__are_never_both_possible(
    world: World, moment: int
) -> None:
    """`deliver` takes now <= deadline, `refund` now > deadline: one comparison, negated."""
    purchase = world.buy(world.create_listing())
    world.deliver(purchase, 1)
    boa.env.timestamp = world.purchase(purchase)[2] + moment
    for first, second in ((world.refund, None), (None, world.refund)):
        with boa.env.anchor():
            if first:
                first(purchase)
            world.deliver(purchase, 2)
            if second:
                second(purchase)
            expected = PurchaseStatus.REFUNDED if moment else PurchaseStatus.DELIVERED
            assert status(world, purchase) == expected


@pytest.mark.parametrize("moment", [0, 1])
def test_02__dispute_and_settle_around_the_deadline__are_never_both_possible(
    world: World, moment: int
) -> None:
    """`dispute_key` takes now <= deadline, `settle` now > deadline."""
    purchase = world.bought_and_delivered(world.create_listing(content=BAD))
    boa.env.timestamp = world.purchase(purchase)[2] + moment
    with boa.env.anchor():
        world.settle(purchase)
        assert status(world, purchase) == (
            PurchaseStatus.SETTLED if moment else PurchaseStatus.DELIVERED
        )
    if moment:
        with reverts(world.market, "market: inspection is over"):
            world.dispute(purchase)
    else:
        world.dispute(purchase)


def test_03__close_version_before_the_last_dispute__keeps_the_bond_until_it_is_over(
    world: World,
) -> None:
    """`close_version` waits for now > stopped_at + T + I, the last second of the latest dispute."""
    listing = world.create_listing(content=BAD)
    purchase = world.buy(listing)
    world.retire(listing)
    boa.env.timestamp += DELIVERY
    world.deliver(purchase, 1, 2)
    boa.env.timestamp += INSPECTION
    with reverts(world.registry, "registry: too early"):
        world.close_version(listing)
    world.dispute(purchase)
    assert world.entry(world.registry, world.buyer) == BOND // 2
    world.close_version(listing)
    assert world.entry(world.registry, world.payee) == 0


@pytest.mark.parametrize("bought_first", [True, False])
def test_04__buy_and_retire_in_one_block__either_sold_and_covered_or_not_sold(
    world: World, bought_first: bool
) -> None:
    """`buy` reads the version's status; bond and obligations last T + I after `stopped_at`."""
    listing = world.create_listing()
    if not bought_first:
        world.retire(listing)
        with reverts(world.market, "market: version not for sale"):
            world.buy(listing)
        return
    purchase = world.buy(listing)
    world.retire(listing)
    world.deliver(purchase, 1, 2)
    boa.env.timestamp += WINDOWS
    world.release(listing)
    assert world.custody(listing)["released"] == 0


def test_05__release_before_the_fine__comes_too_late_for_the_silent(world: World) -> None:
    """A purchase ends by `end` (`buy`), an obligation only after `end`: at end - I + 1 all are
    locked."""
    listing = world.create_listing()
    boa.env.timestamp = listing.custody.end - WINDOWS
    purchase = world.buy(listing)
    boa.env.timestamp += DELIVERY + 1
    world.release(listing)
    assert world.custody(listing)["released"] == 0
    world.refund(purchase)
    assert world.custody(listing)["fined"] == 0b1111
    assert burned(world) == 4 * PENALTY


@pytest.mark.parametrize("moment", [0, 1])
@pytest.mark.parametrize("how", ["ends", "leaves", "retired", "closed"])
def test_05__leaving_silently__does_not_escape_the_fine(
    world: World, how: str, moment: int
) -> None:
    """Lock and keeping fee stay both windows after an obligation, so that the silent can be
    fined."""
    listing = extensible(world)
    custodian = listing.custodians[3]
    boa.env.timestamp = listing.custody.end - WINDOWS
    purchase = world.buy(listing)
    stop = listing.custody.end
    if how == "leaves":
        world.extend(listing, 1, 2, 3)
    elif how == "retired":
        world.retire(listing)
        stop = world.now + WINDOWS
    elif how == "closed":
        world.close(listing, 0)  # by the refund of another purchase, for which they had delivered
        stop = world.now + WINDOWS
    boa.env.timestamp = stop + WINDOWS + moment
    world.release(listing, sender=custodian)
    assert world.custody(listing)["released"] >> 3 == moment
    assert world.entry(world.registry, custodian) == moment * KEEPING_FEE
    world.refund(purchase)
    assert world.custody(listing)["fined"] >> 3 == 1 - moment
    # Nothing that was held for the silent is theirs, once they are fined.
    boa.env.timestamp += 10 * PERIOD
    world.release(listing)
    assert world.entry(world.registry, custodian) == moment * KEEPING_FEE
    assert world.staking.validator(custodian).stake == 2 * TICKET - (1 - moment) * PENALTY


# ---------------------------------------------------------------- extension


def test_06__leaver_silent_for_an_older_purchase__is_fined(world: World) -> None:
    """`refund` adds `previous_active` where deadline + I <= previous_end."""
    listing = extensible(world)
    purchase = world.buy(listing)
    world.extend(listing, 1, 2, 3)
    late(world, purchase)
    world.refund(purchase)
    assert world.custody(listing)["fined"] == 0b1111


def test_07__leaver_framed_by_a_purchase_that_outlasts_him__is_not_fined(world: World) -> None:
    """The same comparison, a second later: deadline + I = previous_end + 1."""
    listing = extensible(world)
    world.extend(listing, 1, 2, 3)
    boa.env.timestamp = listing.custody.end - WINDOWS + 1
    purchase = world.buy(listing)
    late(world, purchase)
    world.refund(purchase)
    assert world.custody(listing)["fined"] == 0b0111
    assert world.locked(listing.custodians[3]) == LOCK


def test_08__second_extension_over_a_leaver_obliged__cannot_be_in_time(world: World) -> None:
    """Votes open two thirds of a period after `previous_end`: the time for fines is over then."""
    listing = extensible(world)
    world.extend(listing, 1, 2, 3)
    for moment in (world.now, listing.custody.end):
        boa.env.timestamp = moment
        with reverts(world.registry, "registry: too early"):
            world.extend(listing, 1)
    boa.env.timestamp = listing.custody.end + PERIOD - PERIOD // 3
    assert world.now > listing.custody.end + 2 * WINDOWS - 1
    world.extend(listing, 1, 2, 3)
    assert world.custody(listing)["previous_end"] == listing.custody.end + PERIOD


def test_09__old_leaver_after_a_second_extension__gets_exactly_one_keeping_fee(
    world: World,
) -> None:
    """`_ended` frees a custodian who is in neither map; `released` is kept for good."""
    listing = extensible(world)
    world.extend(listing, 1, 2, 3)
    boa.env.timestamp = listing.custody.end + PERIOD - 1
    world.extend(listing, 1, 2, 3)
    for _ in range(2):
        world.release(listing)
        assert world.entry(world.registry, listing.custodians[3]) == KEEPING_FEE
    assert world.custody(listing)["released"] == 0b1000
    assert world.locked(listing.custodians[3]) == 0


def test_10__release_twice__pays_once(world: World) -> None:
    """`ended & ~released`; and a lapsed custody is not live."""
    listing = world.create_listing()
    lapsing = world.open_custody(world.next_custody(listing))
    boa.env.timestamp = listing.custody.end + WINDOWS + 1
    for _ in range(3):
        world.release(listing)
    assert [world.entry(world.registry, it) for it in listing.custodians] == [KEEPING_FEE] * 4
    world.release(lapsing)
    with reverts(world.registry, "registry: custody not live"):
        world.release(lapsing)
    assert world.entry(world.registry, world.seller) == 4 * KEEPING_FEE


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
    world: World, before_end: int, reason: str | None
) -> None:
    """end - floor(period/3) <= now < end."""
    listing = extensible(world)
    boa.env.timestamp = listing.custody.end - before_end
    if reason is None:
        world.extend(listing, 1)
        return
    with reverts(world.registry, reason):
        world.extend(listing, 1)


def test_12__keeping_balance_a_unit_short__refuses_the_last_vote_and_keeps_the_others(
    world: World,
) -> None:
    """`_hold_period` asserts cost <= keeping balance before anything is written."""
    listing = extensible(world, 3 * KEEPING_FEE - 1)
    world.extend(listing, 1, 2)
    with reverts(world.registry, "registry: keeping balance short"):
        world.extend(listing, 3)
    assert world.custody(listing)["votes"] == 0b0011
    world.top_up(listing, 1)
    world.extend(listing, 3)
    assert world.custody(listing)["active"] == 0b0111


def test_13__two_custodies_of_one_version_race_for_the_keeping_balance__the_first_is_paid(
    world: World,
) -> None:
    """One balance a version, spent only by an assertion that it suffices: never below zero."""
    listing = world.create_listing()
    second = world.accept_all(world.open_custody(world.next_custody(listing, 3)))
    world.top_up(listing, 5 * KEEPING_FEE)
    boa.env.timestamp = listing.custody.end - 1
    world.extend(listing, 1, 2, 3)
    world.extend(second, 1, 2)
    with reverts(world.registry, "registry: keeping balance short"):
        world.extend(second, 3)
    assert world.registry.keeping_balances(listing.terms_id) == 2 * KEEPING_FEE


def test_14__votes_pending_when_custody_closes__extend_nothing(world: World) -> None:
    """`extend` wants a LIVE custody."""
    listing = extensible(world)
    purchase = world.buy(listing)
    world.extend(listing, 1, 2)
    late(world, purchase)
    world.refund(purchase)
    with reverts(world.registry, "registry: custody not live"):
        world.extend(listing, 3)
    assert world.custody(listing)["end"] == listing.custody.end


def test_15__accept_and_lapse_around_accept_until__are_never_both_possible(world: World) -> None:
    """`accept` takes now <= accept_until, `release` now > accept_until."""
    listing = world.list_version(world.draft_listing())
    boa.env.timestamp = listing.custody.accept_until
    with reverts(world.registry, "registry: too early"):
        world.release(listing)
    world.accept(listing, 1)
    boa.env.timestamp += 1
    with reverts(world.registry, "registry: too late"):
        world.accept(listing, 2)
    world.release(listing)
    assert world.custody(listing)["status"] == CustodyStatus.LAPSED
    assert world.locked(listing.custodians[0]) == 0


@pytest.mark.parametrize("how", ["retired", "revoked"])
def test_16__accept_after_the_version_ended__is_refused_and_lapse_frees_stake(
    world: World, how: str
) -> None:
    """`accept` wants a running version; an open custody of an ended one lapses at once."""
    listing = world.create_listing(content=BAD)
    waiting = world.open_custody(world.next_custody(listing))
    world.accept(waiting, 1)
    if how == "retired":
        world.retire(listing)
    else:
        world.dispute(world.bought_and_delivered(listing))
    with reverts(world.registry, "registry: version has ended"):
        world.accept(waiting, 2)
    world.release(waiting)
    assert world.custody(waiting)["status"] == CustodyStatus.LAPSED
    assert world.locked(waiting.custodians[0]) == LOCK  # of the first custody alone
    assert world.entry(world.registry, world.seller) == 4 * KEEPING_FEE


def test_17__strangers_at_the_inner_doors__are_refused(world: World) -> None:
    """`close` and `revoke`: only the market. `lock`, `release`, `slash`: only a slasher."""
    listing = world.create_listing()
    obligation = obligation_id(listing.custody_id, 1)
    for call in (
        lambda sender: world.close(listing, 15, sender),
        lambda sender: world.revoke(listing, sender),
    ):
        for role in (world.owner, world.seller, world.stranger, world.registry.address):
            with reverts(world.registry, "registry: not the market"):
                call(role)
    for call in (
        lambda sender: world.staking.lock(
            listing.custodians[0], listing.custodians[0], word_of("d"), 1, sender=sender
        ),
        lambda sender: world.staking.release(obligation, sender=sender),
        lambda sender: world.staking.slash(obligation, 1, sender=sender),
    ):
        for role in (world.owner, world.seller, world.stranger, world.market.address):
            with reverts(world.staking, "staking: caller is not a slasher"):
                call(role)


# --------------------------------------------------------------------- fines


def test_18__two_refunds_of_one_custody__fine_each_custodian_once(world: World) -> None:
    """`silent & ~fined`; with penalty = lock the obligation is empty and its release is no
    error."""
    listing = world.create_listing(penalty=LOCK)
    first, second = world.buy(listing), world.buy(listing)
    world.deliver(second, 1)
    late(world, second)
    world.refund(first)
    world.refund(second)
    assert burned(world) == 4 * LOCK
    boa.env.timestamp += 2 * WINDOWS + 1
    world.release(listing)
    assert world.custody(listing)["released"] == 0b1111
    assert [world.locked(it) for it in listing.custodians] == [0] * 4


def test_19__refund_after_everybody_was_released__pays_and_takes_nothing(world: World) -> None:
    """`close` leaves out the released, `slash` never fails: nobody's refund waits for stake."""
    listing = world.create_listing()
    purchase = world.buy(listing)
    boa.env.timestamp = listing.custody.end + WINDOWS + 1
    world.release(listing)
    world.refund(purchase)
    assert world.entry(world.market, world.buyer) == COST
    assert world.custody(listing)["fined"] == 0
    assert burned(world) == 0


def test_20__penalty_collected_by_a_puppet_buyer__is_burned(world: World) -> None:
    """`slash` burns: a custodian who buys from themselves and stays silent gains nothing."""
    listing = world.create_listing()
    puppet = listing.custodians[0]
    world.deal(world.token, puppet)
    purchase = world.buy(listing, puppet)
    late(world, purchase)
    world.refund(purchase)
    assert world.entry(world.market, puppet) == COST
    assert burned(world) == 4 * PENALTY
    assert world.entry(world.staking, puppet, world.stake_token) == 0


def test_21__seller_disputes_about_himself_first__loses_half_the_bond(world: World) -> None:
    """`revoke` burns bond - floor(bond / 2)."""
    listing = world.create_listing(content=BAD)
    world.deal(world.token, world.payee)
    purchase = world.bought_and_delivered(listing, buyer=world.payee)
    world.dispute(purchase)
    world.refund(purchase)
    world.close_version(listing)
    assert world.earned(world.payee) == COST + BOND // 2
    assert world.entry(world.registry, ZERO) == BOND - BOND // 2


def test_22__copied_dispute_or_delivery__pays_those_it_is_about(world: World) -> None:
    """Rewards go to the receipt's buyer, fees to custodian j, nothing to msg.sender."""
    listing = world.create_listing(content=BAD)
    purchase = world.buy(listing)
    for index in (1, 2):
        arguments = deliver_arguments(listing, index, [world.part(purchase, index)])
        world.market.deliver(*arguments, sender=world.other_buyer)
    world.dispute(purchase, sender=world.other_buyer)
    assert world.earned(world.other_buyer) == 0
    assert world.entry(world.registry, world.buyer) == BOND // 2


# ---------------------------------------------------------------- disputes


def test_23__honest_seller__cannot_be_framed(world: World) -> None:
    """K is computed from the parts that the market verified, y from U, the leaf from the root."""
    listing = world.create_listing()
    purchase = world.bought_and_delivered(listing)
    other = world.bought_and_delivered(listing)
    evidence, foreign = world.draft_evidence(purchase), world.draft_evidence(other)
    for shard in range(3):
        good = world.draft_evidence(purchase, shard=shard)
        with reverts(world.market, "proofs: key opens the shard"):
            world.dispute(purchase, good)
    for field in ("parts", "secret", "buyer_key", "buyer_slope", "blinding", "key_slope"):
        mixed = replace(evidence, **{field: getattr(foreign, field)})
        with pytest.raises(boa.BoaError):
            world.dispute(purchase, mixed)
    own = replace(foreign, parts=evidence.parts)
    with reverts(world.market, "proofs: not the buyer's secret"):
        world.dispute(purchase, own)
    # Padding of the tree, an index out of the list, a longer path.
    for shard in ([3, *evidence.shard[1:]], [7, *evidence.shard[1:]]):
        with reverts(world.market, "proofs: shard not committed"):
            world.dispute(purchase, replace(evidence, shard=shard))
    padding = [3, bytes(32), bytes(32), bytes(32), listing.content.tree.path(2)]
    with reverts(world.market, "proofs: shard not committed"):
        world.dispute(purchase, replace(evidence, shard=padding))
    assert world.version(listing)["status"] == VersionStatus.OPEN


def test_24__parts_of_two_refunded_purchases__are_the_most_that_leaks(world: World) -> None:
    """A refund closes the custody; the next epoch's polynomial does not combine with old parts."""
    listing = world.create_listing()
    first, second = world.buy(listing), world.buy(listing)
    world.deliver(first, 1)
    world.deliver(second, 2)
    late(world, second)
    world.refund(first, second)
    with reverts(world.market, "market: custody not live"):
        world.buy(listing)
    further = world.accept_all(world.open_custody(world.next_custody(listing)))
    third = world.buy(further)
    world.deliver(third, 2)
    y, content = third.secret, listing.content
    key = multiply(content.secret, content.base)
    mixed = {1: world.part(first, 1).point, 2: world.part(third, 2).point}
    assert combine_key(mixed, y, content.key) != key
    world.deliver(third, 1)
    true = {j: world.part(third, j).point for j in (1, 2)}
    assert combine_key(true, y, content.key) == key


def test_25__refund_of_one_purchase__leaves_the_others_of_its_custody_alive(world: World) -> None:
    """CLOSED stops `buy` alone: acceptances and purchases stay."""
    listing = world.create_listing()
    first = world.buy(listing)
    boa.env.timestamp += 10
    second = world.buy(listing)
    late(world, first)
    world.refund(first)
    world.deliver(second, 1, 4)
    late(world, second)
    world.settle(second)
    assert status(world, second) == PurchaseStatus.SETTLED
    assert world.entry(world.market, listing.custodians[3]) == FEE


# ------------------------------------------------------------------- buying


@pytest.mark.parametrize("after", ["paid", "delivered", "refunded", "settled"])
def test_26__one_order_sent_twice__buys_once_for_ever(world: World, after: str) -> None:
    """The word under the order's id is never cleared."""
    listing = world.create_listing()
    purchase = world.buy(listing)
    if after in ("delivered", "settled"):
        world.deliver(purchase, 1, 2)
    if after == "settled":
        world.confirm(purchase)
    if after == "refunded":
        late(world, purchase)
        world.refund(purchase)
        reason = "market: custody not live"
    else:
        reason = "market: bought already"
    with reverts(world.market, reason):
        world.send(purchase)


def test_27__proof_of_another_account_epoch_chain_market_or_salt__is_refused(
    world: World,
) -> None:
    """The buyer's proof hashes chain, market, custody (and so version and epoch), buyer, salt."""
    listing = world.create_listing()
    further = world.accept_all(world.open_custody(world.next_custody(listing, 3)))
    purchase = world.draft_purchase(listing)
    with reverts(world.market, "market: buyer key not proven"):
        world.send(purchase, sender=world.other_buyer)
    truth: dict[str, Any] = {
        "chain_id": world.place.chain_id,
        "market": world.place.market,
        "custody_id": listing.custody_id,
        "buyer": world.buyer,
        "salt": purchase.receipt.salt,
    }
    for change in (
        {"chain_id": world.place.chain_id + 1},
        {"market": world.place.registry},
        {"custody_id": further.custody_id},
        {"buyer": world.other_buyer},
        {"salt": word_of("another")},
    ):
        proof = prove_buyer_key(purchase.secret, **{**truth, **change})
        order = (*purchase.order[:3], *proof, purchase.order[5])
        with reverts(world.market, "market: buyer key not proven"):
            world.send(replace(purchase, order=order))
    proof = prove_buyer_key(purchase.secret, **truth)
    world.send(replace(purchase, order=(*purchase.order[:3], *proof, purchase.order[5])))


def test_28__key_whose_logarithm_is_unknown__cannot_be_proven(world: World) -> None:
    """`_knows` hashes Y: one recovered from a proof, or made of others' points, has no proof."""
    listing = world.create_listing()
    victim = world.buy(listing, world.other_buyer)
    base = listing.content.base
    good = world.draft_purchase(listing)
    made = subtract(victim.receipt.base, multiply(2, base))  # U' = victim's U - B
    large = next(q for x in range(N, N + 100) if (q := lift_x(x)) is not None)
    for key in (made, base, negate(base), listing.content.key, large, Point(0, 0)):
        for proof in (good.order[3:5], (1, 1), (0, 0), (N, 5), (5, 0)):
            order = (*good.order[:2], tuple(key), *proof, good.order[5])
            with reverts(world.market, "market: buyer key not proven"):
                world.send(replace(good, order=order))
    # Y recovered to fit a proof (c, z) chosen first: Y = (z*G - A) / c, for A with c = H(.., A).
    commitment = multiply(scalar("commitment"))
    challenge, response = scalar("c"), scalar("z")
    fitted = multiply(pow(challenge, -1, N), subtract(multiply(response), commitment))
    order = (*good.order[:2], tuple(fitted), challenge, response, good.order[5])
    with reverts(world.market, "market: buyer key not proven"):
        world.send(replace(good, order=order))


def test_29__chosen_base_or_odd_y__is_refused(world: World) -> None:
    """`_is_base` computes x from the dataset key; a seller who knew log B could read every part."""
    content = make_content()
    for base in (multiply(77), negate(content.base), content.key, Point(0, 0)):
        listing = world.draft_listing(base=base)
        with reverts(world.registry, "listing: wrong base"):
            world.list_version(listing)
    for counter in range(6):
        if counter != content.counter:
            with reverts(world.registry, "listing: wrong base"):
                world.list_version(world.draft_listing(), counter=counter)


# --------------------------------------------------------------- delivering


def test_31__delivery_with_other_terms_than_accepted__is_refused(world: World) -> None:
    """`deliver` compares the hash of (P_j, t, I) with what custodian j accepted."""
    listing = world.create_listing(threshold=1)
    purchase = world.buy(listing)
    part = make_part(purchase, 1)
    for change in (
        {"threshold": 2},
        {"inspection_seconds": INSPECTION + 1},
        {"share_key": (5, 5)},
        {"index": 0},
        {"index": 17},
        {"index": 2**255},
    ):
        with reverts(world.market, "market: not as accepted"):
            world.market.deliver(*deliver_arguments(listing, 1, [part], **change))
    # With t = 1 all share keys are PK, so custodian 2's acceptance is the same hash: j is in the
    # challenge, and 1's proof does not count for 2.
    with reverts(world.market, "market: wrong proof"):
        world.market.deliver(*deliver_arguments(listing, 1, [part], index=2))
    world.deliver(purchase, 2)
    assert world.purchase(purchase)[1] == 0b0010


def test_32__batch_with_repeats_closed_and_complete__delivers_what_is_left(world: World) -> None:
    """Skips come before any check of the proof, so what is done cannot spoil a batch."""
    listing = world.create_listing()
    refunded = world.buy(listing)
    late(world, refunded)
    world.refund(refunded)
    listing = world.accept_all(world.open_custody(world.next_custody(listing)))
    half, fresh = world.buy(listing), world.buy(listing)
    world.deliver(half, 1)
    world.deliver([half, fresh, half, fresh], 2)
    assert world.purchase(half)[:2] == (PurchaseStatus.DELIVERED, 0b0011)
    assert world.purchase(fresh)[:2] == (PurchaseStatus.PAID, 0b0010)
    # A refunded one in the middle, with a proof that has become worthless.
    late_one = world.buy(listing)
    spoiled = replace(world.part(refunded, 1), point=Point(1, 1))
    parts = [world.part(half, 3), spoiled, world.part(late_one, 3)]
    world.market.deliver(*deliver_arguments(listing, 3, parts))
    assert world.purchase(late_one)[1] == 0b0100
    assert world.purchase(half)[1] == 0b0011


def test_33__one_delivery_too_many__takes_no_fee(world: World) -> None:
    """DELIVERED is not PAID: the t + 1st part is skipped, and exactly t fees are paid out."""
    listing = world.create_listing()
    purchase = world.buy(listing)
    world.deliver(purchase, 1, 2, 3, 4)
    assert world.purchase(purchase)[1] == 0b0011
    late(world, purchase)
    world.settle(purchase)
    assert [world.entry(world.market, it) for it in listing.custodians] == [FEE, FEE, 0, 0]


def test_34__silence_of_all_others__costs_the_honest_one_nothing(world: World) -> None:
    """Only who did not deliver is fined, and 2t - 1 <= n: t - 1 hostile ones cannot hinder t."""
    listing = world.create_listing()
    purchase = world.buy(listing)
    world.deliver(purchase, 2)
    late(world, purchase)
    world.refund(purchase)
    assert world.custody(listing)["fined"] == 0b1101
    assert world.locked(listing.custodians[1]) == LOCK
    with reverts(world.registry, "listing: bad threshold"):
        world.list_version(world.draft_listing(2, threshold=2, manifest=word_of("2 of 2")))


# ------------------------------------------------------------------- stake


def test_35__victim_named_as_custodian__has_no_obligation_without_his_call(world: World) -> None:
    """`lock` is of the caller's stake, and only `accept` calls it."""
    listing = world.list_version(world.draft_listing())
    victim = listing.custodians[0]
    for sender in (world.seller, world.stranger, listing.custodians[1]):
        with reverts(world.registry, "staking: not owner or operator"):
            world.accept(listing, 1, sender)
    assert world.locked(victim) == 0
    with reverts(world.market, "market: custody not live"):
        world.buy(listing)


def test_36__hostile_validator_with_the_victims_address_as_operator__binds_nobody_else(
    world: World,
) -> None:
    """Calls name the validator; an operator acts for it and its stake, never for their own."""
    victim = world.custodians[0]
    attacker = world.stranger
    register(world, attacker, victim, tickets=2)
    custodians = tuple(sorted((*world.custodians[1:3], attacker), key=lambda it: int(it, 16)))
    listing = world.list_version(world.draft_listing(custodians=custodians))
    place = custodians.index(attacker) + 1
    world.accept(listing, place, victim)
    assert (world.locked(attacker), world.locked(victim)) == (LOCK, 0)


def test_37__one_stake_for_two_things__does_not_do(world: World) -> None:
    """bonded - locked is all that `lock` and `unbond` may use."""
    custodian = world.custodians[0]
    with boa.env.anchor():
        world.staking.unbond([0, 1], sender=custodian)
        listing = world.list_version(world.draft_listing())
        with reverts(world.registry, "staking: not enough free stake"):
            world.accept(listing, 1)
    listing = world.list_version(world.draft_listing(lock=10_000))
    world.accept(listing, 1)
    with reverts(world.staking, "staking: not enough free stake"):
        world.staking.unbond([0], sender=custodian)


def test_38__release_by_the_end_of_the_record__reads_the_end_of_the_word(world: World) -> None:
    """Ends that change are read from the word, never from the preimage that callers bring."""
    listing = extensible(world)
    world.extend(listing, 1, 2, 3, 4)
    boa.env.timestamp = listing.custody.end + 1
    world.release(listing)
    assert world.custody(listing)["released"] == 0
    forged = replace(listing, custody=replace(listing.custody, end=1))
    with reverts(world.registry, "registry: custody not live"):
        world.release(forged)


def test_39__invented_custody_of_a_real_version__has_no_word(world: World) -> None:
    """Everything is looked up by the hash of what is brought; an unknown one is empty."""
    listing = world.create_listing()
    purchase = world.bought_and_delivered(listing)
    late(world, purchase)
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
        world.settle(forged)
        world.refund(forged)
        assert status(world, purchase) == PurchaseStatus.DELIVERED
        with reverts(world.registry, "registry: custody not live"):
            world.release(invented)
        with reverts(world.market, "market: custody not live"):
            world.buy(invented)
        with reverts(world.market, "market: not delivered"):
            world.confirm(forged)
    assert world.earned(world.payee) == 0


def test_40__non_canonical_calldata__names_the_same_custody_or_fails(world: World) -> None:
    """Ids hash the decoded values: dirty high bytes of an address are refused by the decoder."""
    listing = world.create_listing()
    data = world.registry.close_version.prepare_calldata(listing.terms.astuple())
    dirty = bytearray(data)
    dirty[4] = 1  # above the 20 bytes of `seller`
    assert not call_succeeds(world, bytes(dirty))
    world.retire(listing)
    boa.env.timestamp += WINDOWS + 1
    # Bytes behind the arguments change nothing.
    assert not call_succeeds(world, bytes(dirty))
    assert call_succeeds(world, data + b"\xff" * 64)
    assert world.version(listing)["status"] == VersionStatus.CLOSED


def call_succeeds(w: World, data: bytes) -> bool:
    try:
        boa.env.raw_call(w.registry.address, sender=w.stranger, data=data)
    except Revert:
        return False
    return True


# ------------------------------------------------------------------ copycats


def test_42__others_dataset_key__cannot_be_listed(world: World) -> None:
    """The seller's proof hashes chain, registry, seller and terms: it serves nobody else."""
    theirs = world.create_listing()
    copy = world.draft_listing(seller=world.stranger, payee=world.stranger)
    for proof in (theirs.proof(), (0, 0), (1, 1)):
        with reverts(world.registry, "listing: key not proven"):
            world.list_version(copy, proof=proof)
    other_terms = world.draft_listing(bond=0)
    with reverts(world.registry, "listing: key not proven"):
        world.list_version(other_terms, proof=theirs.proof())


def test_43__copycat_with_a_key_of_his_own__is_disproved_by_his_first_buyer(world: World) -> None:
    """They cannot open what they did not encrypt: `dispute_key` revokes their version."""
    original = make_content(1)
    own = make_content(2)
    copy = replace(own, shards=original.shards, tree=original.tree)
    world.deal(world.token, world.stranger)
    listing = world.create_listing(seller=world.stranger, payee=world.stranger, content=copy)
    purchase = world.bought_and_delivered(listing)
    world.dispute(purchase)
    world.refund(purchase)
    assert world.version(listing)["status"] == VersionStatus.REVOKED
    assert world.earned(world.buyer) == COST + BOND // 2
    assert world.earned(world.stranger) == 0


def test_44__sealed_shares_of_another_seller__do_not_open(world: World) -> None:
    """HPKE's info string binds chain, registry, seller, dataset key, epoch and j."""
    key = os.urandom(32)
    context = ShareContext(
        chain_id=world.place.chain_id,
        registry=world.place.registry,
        seller=world.seller,
        dataset_key=make_content().key,
        epoch=0,
        custodian=1,
    )
    share = deal_shares(0, make_content().secret, 2, 4)[0]
    sealed = seal_share(share, encryption_public_key(key), context)
    assert open_share(sealed, key, context, multiply(share)) == share
    for change in (
        {"seller": world.stranger},
        {"epoch": 1},
        {"custodian": 2},
        {"chain_id": world.place.chain_id + 1},
        {"registry": world.place.market},
        {"dataset_key": make_content(1).key},
    ):
        with pytest.raises(KeysError):
            open_share(sealed, key, replace(context, **change), multiply(share))


def test_45__unusable_share_keys__are_refused_or_never_sell(world: World) -> None:
    """Points that `ecrecover` cannot take: refused on chain. A wrong dealing: by every client."""
    content = make_content()
    shares = deal_shares(0, content.secret, 2, 4)
    keys = tuple(map(multiply, shares))
    large = next(q for x in range(N, N + 100) if (q := lift_x(x)) is not None)
    for bad in (Point(0, 0), Point(keys[0].x, keys[0].y ^ 2), large, Point(keys[0].x, 2**256 - 1)):
        listing = world.draft_listing(share_keys=(*keys[:3], bad))
        with reverts(world.registry, "listing: bad share key"):
            world.list_version(listing)
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


def test_46__reprice_in_front_of_a_buyer__cannot_take_more_or_twice(world: World) -> None:
    """`buy` names the exact price, and the price is part of the purchase's id."""
    listing = world.create_listing()
    purchase = world.draft_purchase(listing)
    world.registry.reprice(listing.terms.astuple(), PRICE + 1, sender=world.seller)
    with reverts(world.market, "market: other price"):
        world.send(purchase)
    world.registry.reprice(listing.terms.astuple(), PRICE, sender=world.seller)
    world.send(purchase)
    world.registry.reprice(listing.terms.astuple(), 5, sender=world.seller)
    with reverts(world.market, "market: other price"):
        world.send(purchase)
    world.registry.reprice(listing.terms.astuple(), PRICE, sender=world.seller)
    with reverts(world.market, "market: bought already"):
        world.send(purchase)
    assert world.token.balanceOf(world.market) == COST


# ---------------------------------------------------- vouchers and admissions


def test_47__voucher_shown_wrongly__buys_nothing(world: World) -> None:
    """A voucher hashes version, account, price, expiry, nonce; it is marked used by its digest."""
    listing = world.create_listing()
    other = world.create_listing(manifest=word_of("other"))
    voucher = sign_voucher(listing, world.buyer, 5, world.now + 10)

    def refused(reason: str, sold: Listing, shown: Any, buyer: str | None = None) -> None:
        with reverts(world.market, reason):
            world.buy(sold, buyer, voucher=shown, price=shown[0])

    refused("market: voucher not signed", listing, voucher, world.other_buyer)
    refused("market: voucher not signed", other, voucher)
    refused("market: voucher not signed", listing, (4, *voucher[1:]))
    refused("market: voucher not signed", listing, (5, voucher[1] + 1, *voucher[2:]))
    refused("market: voucher not signed", listing, (*voucher[:2], word_of("nonce"), voucher[3]))
    for place in (
        replace(world.place, chain_id=world.place.chain_id + 1),
        replace(world.place, market=world.place.registry),
    ):
        elsewhere = sign_voucher(listing, world.buyer, 5, world.now + 10, place=place)
        refused("market: voucher not signed", listing, elsewhere)
    raised = sign_voucher(listing, world.buyer, PRICE + 1, world.now)
    refused("market: voucher above price", listing, raised)
    world.buy(listing, voucher=voucher, price=5)
    refused("market: voucher used", listing, voucher)
    raw = voucher[3]
    mirrored = (N - int.from_bytes(raw[32:64], "big")).to_bytes(32, "big")
    again = (*voucher[:3], raw[:32] + mirrored + bytes([55 - raw[64]]))
    refused("market: voucher used", listing, again)


def test_47__voucher_of_a_refunded_purchase__stays_used(world: World) -> None:
    """`used_vouchers` is never cleared."""
    listing = world.create_listing()
    voucher = sign_voucher(listing, world.buyer, 5, world.now + 10**6)
    purchase = world.buy(listing, voucher=voucher, price=5)
    late(world, purchase)
    world.refund(purchase)
    further = world.accept_all(world.open_custody(world.next_custody(listing)))
    with reverts(world.market, "market: voucher used"):
        world.buy(further, voucher=voucher, price=5)


def test_47__admission_shown_wrongly__admits_nobody(world: World) -> None:
    """An admission is a type of its own, over version, account and expiry."""
    listing = world.create_listing(gate=world.gate)
    other = world.create_listing(gate=world.gate, manifest=word_of("other"))
    admission = sign_admission(listing, world.buyer, world.now + 10)

    def refused(sold: Listing, shown: Any, buyer: str | None = None) -> None:
        with reverts(world.market, "market: not admitted"):
            world.buy(sold, buyer, admission=shown)

    refused(other, admission)
    refused(listing, admission, world.other_buyer)
    refused(listing, (admission[0] + 1, admission[1]))
    refused(listing, sign_admission(listing, world.buyer, world.now, signer="seller"))
    # A voucher of the gate, or a voucher shown as an admission, is another type.
    voucher = sign_voucher(listing, world.buyer, 5, world.now + 10, signer="gate")
    refused(listing, (voucher[1], voucher[3]))
    world.buy(listing, admission=admission)
    world.buy(listing, admission=admission)


@pytest.mark.parametrize("role", ["gate", "seller"])
def test_48__signer_with_delegated_code__still_signs_by_its_key(world: World, role: str) -> None:
    """ECDSA comes before ERC-1271 (EIP-7702 gives accounts code)."""
    listing = world.create_listing(gate=world.gate)
    account = getattr(world, role)
    boa.env.set_code(account, bytes.fromhex("ef0100") + bytes(19) + b"\x07")
    voucher = sign_voucher(listing, world.buyer, 5, world.now)
    admission = sign_admission(listing, world.buyer, world.now)
    world.buy(listing, voucher=voucher, admission=admission, price=5)


def test_48__identity_precompile_as_gate__admits_nobody(world: World) -> None:
    """An address without code is not asked: the precompile would echo the magic word."""
    listing = world.create_listing(gate="0x" + "00" * 19 + "04")
    with reverts(world.market, "market: not admitted"):
        world.buy(listing, admission=(world.now, b""))


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


def test_49__gate_that_calls_back__finds_every_door_shut(world: World) -> None:
    """ERC-1271 is a static call, and the market is locked during `buy` (`nonreentrancy on`)."""
    gate = boa.loads(GATE)
    listing = world.create_listing(gate=str(gate.address))
    inner = world.draft_purchase(listing, str(gate.address))
    for data in (
        world.market.buy.prepare_calldata(*inner.arguments()),
        world.market.withdraw.prepare_calldata(world.token.address, world.buyer, 0),
        world.market.purchases.prepare_calldata(inner.id),
    ):
        gate.set_call(world.market, data)
        world.buy(listing, admission=(world.now, b""))  # admitted: the gate's own call failed


# ------------------------------------------------------------------- tokens


def test_50__permit_used_up_by_a_front_runner__buys_all_the_same(world: World) -> None:
    """`_use_permit` ignores a failure; the allowance is what counts, and it is there."""
    listing = world.create_listing()
    world.token.approve(world.market, 0, sender=world.buyer)
    permit = sign_permit(
        world.token.address, world.place.chain_id, "buyer", world.market.address, COST, world.now
    )
    world.token.permit(world.buyer, world.market, COST, *permit, sender=world.stranger)
    world.buy(listing, permit=permit)


@pytest.mark.parametrize("mode", [Mode.PERMIT_REVERTS, Mode.PERMIT_IDLE])
def test_50__permit_that_does_nothing__buys_nothing_without_allowance(
    world: World, mode: Mode
) -> None:
    """A permit only prepares: `_pull` decides, by what has arrived."""
    token = world.hostile_token()
    listing = world.create_listing(token=str(token.address))
    token.set_mode(mode)
    token.approve(world.market, 0, sender=world.buyer)
    with pytest.raises(boa.BoaError):
        world.buy(listing, permit=(world.now, 27, bytes(32), bytes(32)))
    token.approve(world.market, INITIAL_BALANCE, sender=world.buyer)
    world.buy(listing, permit=(world.now, 27, bytes(32), bytes(32)))


@pytest.mark.parametrize(
    "mode", [Mode.FEE_FROM_RECEIVER, Mode.TRUE_BUT_STAYS, Mode.SENDS_MORE, Mode.HUGE_BALANCE]
)
def test_51__fee_taking_or_lying_token__never_enters_the_ledger(world: World, mode: Mode) -> None:
    """`_pull` compares the balance before and after with the amount, at list, open, top up, buy."""
    token = world.hostile_token()
    listing = world.create_listing(token=str(token.address))
    further = world.next_custody(listing)
    token.set_mode(mode)
    with reverts(world.registry, "ledger: short transfer"):
        world.list_version(
            world.draft_listing(token=str(token.address), manifest=word_of("another"))
        )
    with reverts(world.registry, "ledger: short transfer"):
        world.open_custody(further)
    with reverts(world.registry, "ledger: short transfer"):
        world.top_up(listing, 1_000)
    with reverts(world.market, "ledger: short transfer"):
        world.buy(listing)


def test_52__dead_sale_token__blocks_nothing_but_its_own_withdrawal(world: World) -> None:
    """Only `_pull` and `withdraw` call a token; everything else is an entry in the ledger."""
    token = world.hostile_token()
    listing = world.create_listing(token=str(token.address), content=BAD)
    world.top_up(listing, 100 * KEEPING_FEE)
    silent, confirmed, settled, disputed = (world.buy(listing) for _ in range(4))
    token.set_mode(Mode.PAUSED)
    world.deliver([confirmed, settled, disputed], 1)
    world.deliver([confirmed, settled, disputed], 2)
    world.confirm(confirmed)
    with at(world.purchase(settled)[2] + 1):
        world.settle(settled)
        world.refund(silent)
        world.retire(listing)
        boa.env.timestamp = listing.custody.end + WINDOWS
        world.release(listing)
        world.close_version(listing)
        assert world.version(listing)["status"] == VersionStatus.CLOSED
    with at(listing.custody.end - 1):
        world.extend(listing, 1, 2, 3)
    world.dispute(disputed)
    world.refund(disputed, silent)
    world.release(listing)
    world.close_version(listing)
    with reverts(world.market, "hostile: paused"):
        world.market.withdraw(token, world.buyer, 0)
    token.set_mode(Mode(0))
    assert world.market.withdraw(token, world.buyer, 0) == 2 * COST


def test_53__token_that_calls_back__finds_every_door_of_its_caller_shut(world: World) -> None:
    """Each contract is locked while it calls a token; the other one has done its effects before."""
    token = world.hostile_token()
    listing = world.create_listing(token=str(token.address))
    old = world.buy(listing)
    late(world, old)
    outer = world.draft_purchase(listing)
    token.set_mode(Mode.HOOK_BEFORE)
    market = [
        world.market.refund.prepare_calldata(
            listing.terms.astuple(), listing.custody.astuple(), [old.receipt.astuple()]
        ),
        world.market.withdraw.prepare_calldata(token.address, world.buyer, 0),
        world.market.purchases.prepare_calldata(old.id),
    ]
    for data in market:
        with boa.env.anchor():
            token.set_hook(world.market, data, 1)
            world.send(outer)
            assert token.hook_count() == 0
            assert not token.hook_success()
    # The registry is open meanwhile, and finds everything consistent.
    with boa.env.anchor():
        token.set_hook(world.registry, world.registry.release.prepare_calldata(*listing.keeping), 1)
        world.send(outer)
        assert token.hook_success()
        assert status(world, outer) == PurchaseStatus.PAID
    # Inside `list_version` the new version exists already, but has no live custody: no sale.
    newer = world.draft_listing(token=str(token.address), manifest=word_of("newer"))
    inner = world.draft_purchase(newer, str(token.address))
    token.set_hook(world.market, world.market.buy.prepare_calldata(*inner.arguments()), 1)
    world.list_version(newer)
    assert not token.hook_success()


def test_54__withdrawing_for_others__only_pays_them(world: World) -> None:
    """`withdraw` pays the account it names and returns 0, without failing, when overtaken."""
    listing = world.create_listing()
    purchase = world.bought_and_delivered(listing)
    world.confirm(purchase)
    before = world.token.balanceOf(world.payee)
    entry = world.entry(world.market, world.payee)
    assert world.market.withdraw(world.token, world.payee, 0, sender=world.stranger) == entry
    assert world.market.withdraw(world.token, world.payee, 0, sender=world.payee) == 0
    assert world.token.balanceOf(world.payee) == before + entry


# ------------------------------------------------------------------- owners


def test_55__owner_raises_the_fee_and_pauses__running_sales_keep_theirs(world: World) -> None:
    """`fee_bps` is a term; a pause stops `list_version`, `open_custody` and `buy` alone."""
    listing = world.create_listing(content=BAD)
    silent, settled, disputed = (world.buy(listing) for _ in range(3))
    world.registry.set_fee_bps(250, sender=world.owner)
    world.registry.pause(sender=world.owner)
    world.deliver([settled, disputed], 1)
    world.deliver([settled, disputed], 2)
    with at(world.purchase(settled)[2] + 1):
        world.settle(settled)
        assert world.entry(world.market, world.treasury) == PRICE * 200 // 10_000
        world.refund(silent)
        assert world.entry(world.market, world.buyer) == COST
    world.dispute(disputed)
    world.refund(silent, settled, disputed)
    assert world.entry(world.market, world.buyer) == 3 * COST


def test_56__close_version_again_and_again__pays_each_amount_once(world: World) -> None:
    """RETIRED -> CLOSED happens once; the balance is emptied each time; REVOKED pays no bond."""
    listing = world.create_listing()
    purchase = world.buy(listing)
    late(world, purchase)
    world.refund(purchase)
    world.retire(listing)
    boa.env.timestamp += 2 * WINDOWS + 1
    for _ in range(3):
        world.close_version(listing)
    assert world.entry(world.registry, world.payee) == BOND
    world.release(listing)  # all four were fined: their keeping fees go to the keeping balance
    for _ in range(3):
        world.close_version(listing)
    assert world.entry(world.registry, world.payee) == BOND + 4 * KEEPING_FEE
    revoked = world.create_listing(content=BAD)
    world.dispute(world.bought_and_delivered(revoked))
    for _ in range(3):
        world.close_version(revoked)
    assert world.entry(world.registry, world.payee) == BOND + 4 * KEEPING_FEE


def test_57__retired_then_revoked_then_wound_up__spends_the_bond_once(world: World) -> None:
    """`revoke` takes OPEN, PAUSED or RETIRED; `close_version` pays a bond to RETIRED alone."""
    listing = world.create_listing(content=BAD)
    purchase = world.bought_and_delivered(listing)
    world.retire(listing)
    world.dispute(purchase)
    boa.env.timestamp += WINDOWS + 1
    world.close_version(listing)
    assert world.entry(world.registry, world.payee) == 0
    assert world.entry(world.registry, world.buyer) + world.entry(world.registry, ZERO) == BOND


def test_58__revoked_version__refunds_all_and_fines_nobody(world: World) -> None:
    """REVOKED is looked at first: no settlement, no fine, whatever is late or delivered since."""
    listing = world.create_listing(content=BAD)
    disputed, waiting, overdue = (world.buy(listing) for _ in range(3))
    world.deliver(disputed, 1, 2)
    world.dispute(disputed)
    world.deliver(waiting, 1, 2)
    assert status(world, waiting) == PurchaseStatus.DELIVERED
    late(world, waiting)
    for call in (world.settle, world.confirm):
        with reverts(world.market, "market: version is revoked"):
            call(waiting)
    world.refund(disputed, waiting, overdue)
    assert world.entry(world.market, world.buyer) == 3 * COST
    assert world.custody(listing)["fined"] == 0
    assert burned(world) == 0


def test_59__silent_seller_in_direct_mode__refunds_and_can_deal_anew(world: World) -> None:
    """`lock` = 0 calls no staking contract; a further epoch may be opened and sells."""
    listing = world.create_listing(0)
    purchase = world.buy(listing)
    late(world, purchase)
    world.refund(purchase)
    assert world.entry(world.market, world.buyer) == PRICE + FEE
    with reverts(world.market, "market: custody not live"):
        world.buy(listing)
    further = world.open_custody(world.next_custody(listing, 0, custodians=()))
    sold = world.bought_and_delivered(further)
    late(world, sold)
    world.settle(sold)
    assert world.entry(world.market, world.seller) == FEE


@pytest.mark.parametrize(
    ("price", "fee"), [(0, 0), (1, 0), (0, 5), (2**128 - 1, 2**128 - 1), (49, 1)]
)
def test_60__extreme_prices__pay_out_to_the_last_unit(world: World, price: int, fee: int) -> None:
    """Amounts are below 2^128 each, fees round down, the payee gets the rest."""
    world.token.mint(world.buyer, 2**131)
    world.token.approve(world.market, 2**131, sender=world.buyer)
    listing = world.create_listing(price=price, fee=fee)
    purchase = world.bought_and_delivered(listing)
    late(world, purchase)
    world.settle(purchase)
    accounts = (world.payee, world.treasury, *listing.custodians)
    assert sum(world.entry(world.market, it) for it in accounts) == price + 2 * fee
    for account in accounts:
        world.market.withdraw(world.token, account, 0)
    assert world.token.balanceOf(world.market) == 0


def test_61__reorg_without_the_purchase__same_order_same_id_same_proofs(world: World) -> None:
    """The id is made of what was agreed, so parts already made count for the same order again."""
    listing = world.create_listing()
    purchase = world.draft_purchase(listing)
    with boa.env.anchor():
        first = world.send(purchase)
        world.deliver(purchase, 1, 2)
        assert status(world, purchase) == PurchaseStatus.DELIVERED
    assert status(world, purchase) == PurchaseStatus.NONE
    boa.env.timestamp += 12
    assert world.send(purchase) == first
    world.deliver(purchase, 2, 1)
    assert status(world, purchase) == PurchaseStatus.DELIVERED


def test_62__same_purchase_in_another_market__proofs_do_not_carry_over(world: World) -> None:
    """Every challenge hashes chain id and contract."""
    listing = world.create_listing()
    purchase = world.buy(listing)
    for place in (
        replace(world.place, chain_id=world.place.chain_id + 1),
        replace(world.place, market=world.place.registry),
    ):
        part = make_part(purchase, 1, place)
        with reverts(world.market, "market: wrong proof"):
            world.market.deliver(*deliver_arguments(listing, 1, [part]))
    twin = draft_purchase(
        replace(listing, place=replace(world.place, market=world.place.registry)),
        world.buyer,
        99,
    )
    with reverts(world.market, "market: buyer key not proven"):
        world.send(twin)
    other = world.draft_listing(manifest=word_of("elsewhere"))
    with reverts(world.registry, "listing: key not proven"):
        world.list_version(other, proof=other.proof(registry=world.market.address))


@pytest.mark.parametrize(
    ("which", "reason"),
    [
        ("foreign", "registry: not the seller"),
        ("superseded", "registry: has a newer version"),
        ("unknown", "registry: no such version"),
    ],
)
def test_63__further_version_of_somebody_elses_listing__is_refused(
    world: World, which: str, reason: str
) -> None:
    """`_supersede` looks the previous terms up, and at their seller."""
    previous = world.create_listing().terms
    if which == "foreign":
        theirs = world.draft_listing(seller=world.stranger, content=make_content(3))
        previous = world.list_version(theirs).terms
    elif which == "superseded":
        world.list_version(world.draft_listing(content=make_content(1)), previous)
    else:
        previous = replace(previous, licence=word_of("unknown"))
    with reverts(world.registry, reason):
        world.list_version(world.draft_listing(content=make_content(2)), previous)


def test_64__early_confirm__ends_only_the_buyers_own_right_to_dispute(world: World) -> None:
    """`confirm` wants the receipt's buyer; a settled purchase is not DELIVERED."""
    listing = world.create_listing(content=BAD)
    hasty, careful = (
        world.bought_and_delivered(listing, buyer=b) for b in (world.buyer, world.other_buyer)
    )
    with reverts(world.market, "market: not the buyer"):
        world.confirm(careful, sender=world.seller)
    world.confirm(hasty)
    with reverts(world.market, "market: not delivered"):
        world.dispute(hasty)
    world.dispute(careful)
    world.refund(hasty, careful)
    assert world.entry(world.market, world.buyer) == 0
    assert world.entry(world.market, world.other_buyer) == COST


def test_64__expired_custody__sells_nothing(world: World) -> None:
    """A purchase must fit before `end` with both its windows."""
    listing = world.create_listing()
    boa.env.timestamp = listing.custody.end + 1
    with reverts(world.market, "market: custody ends too soon"):
        world.buy(listing)
    world.release(listing)
    with reverts(world.market, "market: custody ends too soon"):
        world.buy(listing)


def test_64__extension_by_too_few__has_no_effect(world: World) -> None:
    """2t - 1 votes make an extension: fewer could hold the key hostage, and t must stay honest."""
    listing = extensible(world)
    world.extend(listing, 1, 2)
    assert world.custody(listing)["end"] == listing.custody.end
    boa.env.timestamp = listing.custody.end + WINDOWS + 1
    world.release(listing)
    assert world.custody(listing)["released"] == 0b1111
    assert world.registry.keeping_balances(listing.terms_id) == 100 * KEEPING_FEE


# ---------------------------------------- what worked on an earlier design


def test_a1__accept_release_lapse__drains_nothing(world: World) -> None:
    """A custody that lapses holds no keeping fee any more (`held` = 0)."""
    rich = world.create_listing(bond=10**9)
    listing = world.list_version(world.draft_listing(manifest=word_of("lapsing")))
    world.accept(listing, 1)
    boa.env.timestamp = listing.custody.accept_until + 1
    world.release(listing)
    with reverts(world.registry, "registry: custody not live"):
        world.release(listing)
    assert world.entry(world.registry, listing.custodians[0]) == 0
    held = BOND + 4 * KEEPING_FEE + 10**9 + 4 * KEEPING_FEE
    assert world.token.balanceOf(world.registry) == held
    assert world.version(rich)["status"] == VersionStatus.OPEN


def test_a2__lapsed_custody__pays_once_and_never_the_custodians(world: World) -> None:
    """LAPSED is the end: neither `release` nor `accept` takes it."""
    listing = world.list_version(world.draft_listing())
    for index in range(1, 4):
        world.accept(listing, index)
    boa.env.timestamp = listing.custody.accept_until + 1
    world.release(listing)
    assert world.entry(world.registry, world.seller) == 4 * KEEPING_FEE
    for call in (lambda: world.release(listing), lambda: world.accept(listing, 4)):
        with pytest.raises(boa.BoaError):
            call()
    assert [world.entry(world.registry, it) for it in listing.custodians] == [0] * 4


@pytest.mark.parametrize("how", ["retired", "revoked"])
def test_a3__joining_after_the_version_ended__is_refused(world: World, how: str) -> None:
    """`extend` wants a running version, for votes and for joining."""
    listing = extensible(world, content=BAD)
    purchase = world.bought_and_delivered(listing)
    world.extend(listing, 1, 2, 3)
    if how == "retired":
        world.retire(listing)
    else:
        world.dispute(purchase)
    with reverts(world.registry, "registry: version has ended"):
        world.extend(listing, 4)


def test_a4__votes_of_an_old_term__do_not_count_in_the_next(world: World) -> None:
    """An extension sets `votes` to 0; without one the custody ends."""
    listing = extensible(world)
    world.extend(listing, 1, 2, 3)
    assert world.custody(listing)["votes"] == 0
    boa.env.timestamp = listing.custody.end + PERIOD - 1
    world.extend(listing, 1, 2)
    assert world.custody(listing)["end"] == listing.custody.end + PERIOD
    with reverts(world.registry, "registry: extended already"):
        world.extend(listing, 1)


def test_a5__repriced_between_two_sends__takes_money_once(world: World) -> None:
    """The price is in the id, so the order at the old price is no order at the new one."""
    listing = world.create_listing()
    purchase = world.buy(listing)
    world.registry.reprice(listing.terms.astuple(), PRICE // 2, sender=world.seller)
    with reverts(world.market, "market: other price"):
        world.send(purchase)
    assert world.token.balanceOf(world.market) == COST


def test_a6__token_with_an_absurd_balance__cannot_lock_stake_by_overflow(world: World) -> None:
    """Every amount that comes in is below 2^133, so no entry overflows and `release` works."""
    token = world.hostile_token()
    listing = world.create_listing(token=str(token.address))
    token.set_mode(Mode.LYING_BALANCE)  # money that exists in `balanceOf` alone
    token.approve(world.registry, 2**256 - 1, sender=world.stranger)
    with reverts(world.registry, "registry: amount too large"):
        world.top_up(listing, 2**256 - 1)
    for _ in range(8):
        world.top_up(listing, 2**128 - 1)
    boa.env.timestamp = listing.custody.end + WINDOWS + 1
    world.release(listing)
    assert [world.locked(it) for it in listing.custodians] == [0] * 4
    world.retire(listing)
    boa.env.timestamp += WINDOWS + 1
    world.close_version(listing)
    assert world.entry(world.registry, world.payee, token) == 8 * (2**128 - 1) + BOND


def test_a7__counters_at_their_widths__stop_instead_of_overflowing(world: World) -> None:
    """Epochs and versions are counted to 2^16 - 1 and refused then; times are below 2^40."""
    listing = world.create_listing()
    edit_version(world, listing, epochs=2**16 - 1)
    with reverts(world.registry, "registry: wrong epoch"):
        world.open_custody(world.next_custody(listing))
    edit_version(world, listing, epochs=2**16 - 2)
    world.open_custody(world.next_custody(listing))
    assert world.version(listing)["epochs"] == 2**16 - 1
    edit_version(world, listing, version=2**16 - 1)
    with reverts(world.registry, "registry: too many versions"):
        world.list_version(world.draft_listing(content=make_content(1)), listing.terms)
    edit_version(world, listing, version=2**16 - 2)
    newer = world.list_version(world.draft_listing(content=make_content(1)), listing.terms)
    assert world.version(newer)["version"] == 2**16 - 1
    # The latest end there is: its custody extends up to it and no further.
    last = world.draft_listing(
        manifest=word_of("late"),
        period_seconds=2**40 - 1,
        end=2**40 - 1,
        last_end=2**40 - 1,
    )
    world.accept_all(world.list_version(last))
    assert world.custody(last)["end"] == 2**40 - 1
    boa.env.timestamp = 2**40 - 2
    with reverts(world.registry, "registry: last period"):
        world.extend(last, 1)


def test_a8__foreign_terms_with_a_custody__are_refused_everywhere(world: World) -> None:
    """Wherever terms and custody come together, the custody must name the terms."""
    listing = world.create_listing(content=BAD)
    token = world.hostile_token()
    foreign = world.draft_listing(token=str(token.address), payee=world.stranger).terms
    purchase = world.bought_and_delivered(listing)
    mixed = replace(listing, terms=foreign)
    forged = replace(purchase, listing=mixed)
    evidence = world.draft_evidence(purchase)
    boa.env.timestamp = listing.custody.end - 1
    for contract, call in (
        (world.registry, lambda: world.release(mixed)),
        (world.registry, lambda: world.extend(mixed, 1)),
        (world.market, lambda: world.settle(forged)),
        (world.market, lambda: world.confirm(forged)),
        (world.market, lambda: world.refund(forged)),
        (world.market, lambda: world.dispute(forged, evidence)),
    ):
        name = "registry" if contract is world.registry else "market"
        with reverts(contract, f"{name}: other terms"):
            call()
    with reverts(world.market, "market: version not for sale"):
        world.buy(mixed)


def test_a14__released_leaver__delivers_no_more(world: World) -> None:
    """`release` deletes the acceptance: who risks nothing takes no fee from those who do."""
    listing = extensible(world)
    world.extend(listing, 1, 2, 3)
    boa.env.timestamp = listing.custody.end + WINDOWS + 1
    world.release(listing)
    purchase = world.buy(listing)
    with reverts(world.market, "market: not as accepted"):
        world.deliver(purchase, 4)
    world.deliver(purchase, 3, 1)
    assert status(world, purchase) == PurchaseStatus.DELIVERED


def test_a15__joiner__takes_over_what_is_not_delivered_and_is_fined_for_it(world: World) -> None:
    """Who joins is in `active`: written down, so their node refunds what is overdue first."""
    listing = extensible(world)
    world.extend(listing, 1, 2, 3)
    purchase = world.buy(listing)
    world.extend(listing, 4)
    late(world, purchase)
    world.refund(purchase)
    assert world.custody(listing)["fined"] == 0b1111


def test_a16__faulty_market__reaches_no_more_than_was_agreed(world: World) -> None:
    """`close_custody` and `revoke` take preimages: token, bond, lock, penalty, obligations are the
    registry's."""
    market = world.market.address
    listing = world.create_listing()
    other = world.create_listing(manifest=word_of("other"), bond=7 * BOND)
    world.top_up(other, 100 * KEEPING_FEE)
    held = world.token.balanceOf(world.registry)
    for forged in (
        replace(listing, terms=replace(listing.terms, bond=8 * BOND)),
        replace(listing, terms=replace(listing.terms, token=str(world.stake_token.address))),
        replace(listing, custody=other.custody),
        replace(listing, custody=replace(listing.custody, penalty=LOCK)),
        world.draft_listing(bond=held, manifest=word_of("invented")),
    ):
        with boa.reverts():
            world.revoke(forged)
    with reverts(world.registry, "registry: custody not live"):
        world.close(replace(listing, custody=replace(listing.custody, penalty=LOCK)), 0b1111)
    with reverts(world.registry, "registry: not obliged"):
        world.close(listing, 0b11111)
    # The worst: each penalty once, and the bond of a version whose key was never wrong.
    for _ in range(2):
        world.close(listing, 0b1111)
    world.revoke(listing)
    with reverts(world.registry, "registry: version has ended"):
        world.revoke(listing)
    assert burned(world) == 4 * PENALTY
    assert world.entry(world.registry, world.buyer) == BOND // 2
    assert world.entry(world.registry, ZERO) == BOND - BOND // 2
    assert world.entry(world.registry, market) == 0
    assert world.registry.keeping_balances(other.terms_id) == 100 * KEEPING_FEE
    assert world.custody(other)["fined"] == 0


def test_a15__market_named_after_a_listing__is_impossible(world: World) -> None:
    """Nothing is listed before the market is named, and it is named once."""
    registry = deployer("DatasetRegistry").deploy(
        world.owner, world.staking, world.checks, MIN_WINDOW, MAX_WINDOW
    )
    place = replace(world.place, registry=str(registry.address))
    listing = replace(world.draft_listing(fee_bps=0), place=place)
    with reverts(registry, "registry: no market yet"):
        registry.list_version(*listing.list_arguments(), sender=world.seller)
    registry.fix_market(world.market, sender=world.owner)
    with reverts(registry, "registry: market is fixed"):
        registry.fix_market(world.stranger, sender=world.owner)
