# SPDX-License-Identifier: Apache-2.0
"""Attacks by order, deadlines and extensions of custody.

Each names the rule that defends against it; numbers in names are stable: the threat model
refers to them.
"""

import boa
import pytest

from tests.utils.contracts import reverts
from tests.utils.drafts import (
    BOND,
    DELIVERY,
    INSPECTION,
    KEEPING_FEE,
    LOCK,
    PENALTY,
    PERIOD,
    WINDOWS,
    word_of,
)
from tests.utils.market import TICKET, MarketContracts, contracts, deployed_contracts
from tests.utils.market_attacks import BAD, burned, extensible, late, status
from truthmark.market.records import CustodyStatus, PurchaseStatus, obligation_id

__all__ = ["contracts", "deployed_contracts"]


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


def test_07__leaver_framed_by_a_purchase_that_outlasts_their_time__is_not_fined(
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
