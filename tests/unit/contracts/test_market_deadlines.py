# SPDX-License-Identifier: Apache-2.0
"""Every deadline of docs/protocol.md a second before, at the second, and a second after."""

from collections.abc import Callable
from typing import Any

import boa
import pytest

from tests.utils.contracts import at, reverts
from tests.utils.drafts import (
    INSPECTION,
    KEEPING_FEE,
    PERIOD,
    WINDOWS,
    Listing,
    Purchase,
    make_content,
)
from tests.utils.market import START, MarketContracts, contracts, deployed_contracts
from tests.utils.permits import sign_admission, sign_voucher
from truthmark.market.records import CustodyStatus, PurchaseStatus, VersionStatus

__all__ = ["contracts", "deployed_contracts"]

Act = Callable[[], bool]
"""Makes the call and tells whether it had its effect; it may be refused, too."""
Deadline = Callable[[MarketContracts], tuple[int, Act]]
CASES: list[Any] = []


def deadline(*, before: bool, exactly: bool, after: bool) -> Callable[[Deadline], Deadline]:
    """Add a deadline: what is possible a second before, at it, a second after."""

    def add(case: Deadline) -> Deadline:
        for moment, possible in ((-1, before), (0, exactly), (1, after)):
            name = f"{case.__name__} {moment:+d}"
            CASES.append(pytest.param(case, moment, possible, id=name))
        return case

    return add


def accepted(w: MarketContracts, listing: Listing, index: int) -> Act:
    def act() -> bool:
        w.accept(listing, index)
        return bool(w.custody(listing)["accepted"] & 1 << index - 1)

    return act


def released(w: MarketContracts, listing: Listing, index: int = 1) -> Act:
    def act() -> bool:
        w.release(listing)
        return bool(w.custody(listing)["released"] & 1 << index - 1)

    return act


def has_status(w: MarketContracts, purchase: Purchase, status: PurchaseStatus) -> bool:
    return w.purchase(purchase)[0] == status


@deadline(before=False, exactly=True, after=True)
def accept_until_of_a_custody_is_not_past(w: MarketContracts) -> tuple[int, Act]:
    listing = w.draft_listing()
    arguments = listing.list_arguments()

    def act() -> bool:
        # Time is turned instead of the record: a second earlier now is a second later there.
        boa.env.timestamp = 2 * listing.custody.accept_until - w.now
        w.registry.list_version(*arguments, sender=w.seller)
        return True

    return listing.custody.accept_until, act


@deadline(before=True, exactly=True, after=False)
def accept_until(w: MarketContracts) -> tuple[int, Act]:
    listing = w.list_version(w.draft_listing())
    return listing.custody.accept_until, accepted(w, listing, 1)


@deadline(before=False, exactly=False, after=True)
def lapse_of_a_waiting_custody(w: MarketContracts) -> tuple[int, Act]:
    listing = w.list_version(w.draft_listing())

    def act() -> bool:
        w.release(listing)
        return bool(w.custody(listing)["status"] == CustodyStatus.LAPSED)

    return listing.custody.accept_until, act


@deadline(before=False, exactly=False, after=True)
def release_at_the_end(w: MarketContracts) -> tuple[int, Act]:
    listing = w.create_listing()
    return listing.custody.end + WINDOWS, released(w, listing)


@deadline(before=False, exactly=False, after=True)
def release_of_a_leaver_at_the_previous_end(w: MarketContracts) -> tuple[int, Act]:
    listing = w.create_listing()
    w.top_up(listing, 10**9)
    boa.env.timestamp = listing.custody.end - 10
    w.extend(listing, 1, 2, 3)
    return listing.custody.end + WINDOWS, released(w, listing, 4)


@deadline(before=False, exactly=False, after=True)
def release_pays_an_extended_term(w: MarketContracts) -> tuple[int, Act]:
    listing = w.create_listing()
    w.top_up(listing, 10**9)
    boa.env.timestamp = listing.custody.end - 10
    w.extend(listing, 1, 2, 3)

    def act() -> bool:
        w.release(listing)
        return w.entry(w.registry, listing.custodians[0]) == KEEPING_FEE

    return listing.custody.end + WINDOWS, act


@deadline(before=False, exactly=False, after=True)
def release_of_who_stayed_at_the_new_end(w: MarketContracts) -> tuple[int, Act]:
    listing = w.create_listing()
    w.top_up(listing, 10**9)
    boa.env.timestamp = listing.custody.end - 10
    w.extend(listing, 1, 2, 3)
    return listing.custody.end + PERIOD + WINDOWS, released(w, listing, 3)


@deadline(before=False, exactly=False, after=True)
def release_after_retiring(w: MarketContracts) -> tuple[int, Act]:
    listing = w.create_listing()
    w.retire(listing)
    return w.now + 2 * WINDOWS, released(w, listing)


@deadline(before=False, exactly=False, after=True)
def release_after_closing(w: MarketContracts) -> tuple[int, Act]:
    listing = w.create_listing()
    purchase = w.buy(listing)
    boa.env.timestamp = w.purchase(purchase)[2] + 1
    w.refund(purchase)
    return w.now + 2 * WINDOWS, released(w, listing)


@deadline(before=False, exactly=True, after=True)
def extend_from_the_last_third(w: MarketContracts) -> tuple[int, Act]:
    listing = w.create_listing()

    def act() -> bool:
        w.extend(listing, 1)
        return bool(w.custody(listing)["votes"] == 1)

    return listing.custody.end - PERIOD // 3, act


@deadline(before=True, exactly=False, after=False)
def extend_before_the_end(w: MarketContracts) -> tuple[int, Act]:
    listing = w.create_listing()

    def act() -> bool:
        w.extend(listing, 1)
        return bool(w.custody(listing)["votes"] == 1)

    return listing.custody.end, act


@deadline(before=True, exactly=False, after=False)
def join_before_the_previous_end(w: MarketContracts) -> tuple[int, Act]:
    listing = w.create_listing()
    w.top_up(listing, 10**9)
    boa.env.timestamp = listing.custody.end - 10
    w.extend(listing, 1, 2, 3)

    def act() -> bool:
        w.extend(listing, 4)
        return bool(w.custody(listing)["active"] == 0b1111)

    return listing.custody.end, act


@deadline(before=False, exactly=False, after=True)
def close_version_of_a_retired_version(w: MarketContracts) -> tuple[int, Act]:
    listing = w.create_listing()
    w.retire(listing)

    def act() -> bool:
        w.close_version(listing)
        return bool(w.version(listing)["status"] == VersionStatus.CLOSED)

    return w.now + WINDOWS, act


@deadline(before=True, exactly=True, after=False)
def buy_with_both_windows_ahead(w: MarketContracts) -> tuple[int, Act]:
    listing = w.create_listing()
    return listing.custody.end - WINDOWS, lambda: has_status(w, w.buy(listing), PurchaseStatus.PAID)


@deadline(before=True, exactly=True, after=False)
def voucher(w: MarketContracts) -> tuple[int, Act]:
    listing = w.create_listing()
    signed = sign_voucher(listing, w.buyer, 5, START + 50)
    return START + 50, lambda: has_status(
        w, w.buy(listing, voucher=signed, price=5), PurchaseStatus.PAID
    )


@deadline(before=True, exactly=True, after=False)
def admission(w: MarketContracts) -> tuple[int, Act]:
    listing = w.create_listing(gate=w.gate)
    signed = sign_admission(listing, w.buyer, START + 50)
    return START + 50, lambda: has_status(w, w.buy(listing, admission=signed), PurchaseStatus.PAID)


@deadline(before=True, exactly=True, after=False)
def permit(w: MarketContracts) -> tuple[int, Act]:
    listing = w.create_listing()
    w.token.approve(w.market, 0, sender=w.buyer)
    signed = w.sign_permit(listing.cost, START + 50)
    return START + 50, lambda: has_status(w, w.buy(listing, permit=signed), PurchaseStatus.PAID)


@deadline(before=True, exactly=True, after=False)
def deliver(w: MarketContracts) -> tuple[int, Act]:
    purchase = w.buy(w.create_listing())

    def act() -> bool:
        w.deliver(purchase, 1)
        return w.purchase(purchase)[1] == 1

    return w.purchase(purchase)[2], act


@deadline(before=False, exactly=False, after=True)
def refund(w: MarketContracts) -> tuple[int, Act]:
    purchase = w.buy(w.create_listing())

    def act() -> bool:
        w.refund(purchase)
        return has_status(w, purchase, PurchaseStatus.REFUNDED)

    return w.purchase(purchase)[2], act


@deadline(before=False, exactly=False, after=True)
def settle(w: MarketContracts) -> tuple[int, Act]:
    purchase = w.bought_and_delivered(w.create_listing())

    def act() -> bool:
        w.settle(purchase)
        return has_status(w, purchase, PurchaseStatus.SETTLED)

    return w.purchase(purchase)[2], act


@deadline(before=True, exactly=True, after=False)
def dispute(w: MarketContracts) -> tuple[int, Act]:
    listing = w.create_listing(content=make_content(5, 3, frozenset({0})))
    purchase = w.bought_and_delivered(listing)

    def act() -> bool:
        w.dispute(purchase)
        return bool(w.version(listing)["status"] == VersionStatus.REVOKED)

    return w.purchase(purchase)[2], act


@deadline(before=True, exactly=True, after=True)
def confirm_has_no_deadline(w: MarketContracts) -> tuple[int, Act]:
    purchase = w.bought_and_delivered(w.create_listing())

    def act() -> bool:
        w.confirm(purchase)
        return has_status(w, purchase, PurchaseStatus.SETTLED)

    return w.purchase(purchase)[2], act


@deadline(before=True, exactly=True, after=False)
def leaver_obliged_for_a_purchase(w: MarketContracts) -> tuple[int, Act]:
    """A leaver is fined for what was bought to be over by the previous end, and for no more."""
    listing = w.create_listing()
    w.top_up(listing, 10**9)
    boa.env.timestamp = listing.custody.end - PERIOD // 3
    w.extend(listing, 1, 2, 3)
    # deadline + I = previous_end for a purchase of this second.
    moment = listing.custody.end - WINDOWS

    def act() -> bool:
        purchase = w.buy(listing)
        assert w.purchase(purchase)[2] + INSPECTION == listing.custody.end + (w.now - moment)
        boa.env.timestamp = w.purchase(purchase)[2] + 1
        w.refund(purchase)
        assert w.custody(listing)["fined"] & 0b0111 == 0b0111
        return bool(w.custody(listing)["fined"] & 0b1000)

    return moment, act


@pytest.mark.parametrize(("case", "moment", "possible"), CASES)
def test_deadline__around_it__counts_to_the_second(
    contracts: MarketContracts, case: Deadline, moment: int, possible: bool
) -> None:
    time, act = case(contracts)
    with at(time + moment):
        try:
            happened = act()
        except boa.BoaError:
            happened = False
    assert happened == possible


def test_accept_until__a_week_ahead_and_a_second_more__is_the_limit(
    contracts: MarketContracts,
) -> None:
    week = 7 * 86_400
    times = {"accept_until": START + week, "end": START + 2 * week, "last_end": START + 2 * week}
    listing = contracts.draft_listing(**times)
    with at(START - 1), reverts(contracts.registry, "listing: bad acceptance window"):
        contracts.list_version(listing)
    contracts.list_version(listing)


def test_keeping_balance__exactly_enough__extends(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    contracts.top_up(listing, 3 * KEEPING_FEE)
    boa.env.timestamp = listing.custody.end - 1
    contracts.extend(listing, 1, 2, 3)
    assert contracts.custody(listing)["active"] == 0b0111
    assert contracts.registry.keeping_balances(listing.terms_id) == 0
