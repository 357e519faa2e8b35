# SPDX-License-Identifier: Apache-2.0
"""When a custodian is to deliver, and where their slots are."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.utils.drafts import Place, draft_listing, draft_purchase
from tests.utils.offline_market import DOLLAR, address
from truthmark.market.custodian import CustodySlot, custody_slots, is_due
from truthmark.market.drafts.delivery import turn_order
from truthmark.market.entries import Epoch, EpochState, Purchase
from truthmark.market.planned_call import batch_key, named_purchases, short_id
from truthmark.market.records import CustodyStatus, PurchaseStatus

WINDOW, MARGIN, BOUGHT_AT = 600, 60, 10_000
SALE = draft_listing(
    Place(5, address(0xC0), address(0xC1)),
    seller=address(0xA0),
    token=DOLLAR.address,
    now=0,
    custodians=[address(j) for j in range(1, 6)],
    threshold=2,
)
EPOCH = Epoch(SALE.custody, SALE.custody_id, SALE.custodians, SALE.share_keys)
ALL = 0b11111


def purchase(number: int = 0, **changes: Any) -> Purchase:
    receipt = draft_purchase(SALE, address(0xB1), number).receipt
    found = Purchase(
        purchase_id=receipt.purchase_id(SALE.custody_id),
        custody_id=SALE.custody_id,
        terms_id=SALE.terms_id,
        receipt=receipt,
        status=PurchaseStatus.PAID,
        deadline=BOUGHT_AT + WINDOW,
        bought_at=BOUGHT_AT,
        block_number=1,
        delivered={},
    )
    return replace(found, **changes)


def state(active: int = ALL, previous: int = 0, previous_end: int = 0) -> EpochState:
    return EpochState(
        CustodyStatus.LIVE, ALL, active, previous, 0, 0, 0, 10**6, previous_end, 0, 700
    )


def due(p: Purchase, index: int, now: int, s: EpochState | None = None) -> bool:
    return is_due(p, CustodySlot(EPOCH, index), s or state(), now, WINDOW, MARGIN)


def due_at(p: Purchase, index: int, s: EpochState | None = None) -> int | None:
    """Return the first second in which a custodian is due, by trying all."""
    moments = range(BOUGHT_AT, p.deadline + 2)
    return next((now for now in moments if due(p, index, now, s)), None)


def test_is_due__just_bought__the_first_t_deliver_and_nobody_else() -> None:
    p = purchase()
    order = turn_order(p.purchase_id, ALL)
    assert [due(p, j, BOUGHT_AT) for j in order] == [True, True, False, False, False]


def test_is_due__first_are_late__the_others_step_in_one_after_the_other() -> None:
    p = purchase()
    moments = [due_at(p, j) for j in turn_order(p.purchase_id, ALL)]
    share = (WINDOW - MARGIN) // 4
    assert moments == [BOUGHT_AT, BOUGHT_AT, *(BOUGHT_AT + k * share for k in (1, 2, 3))]


def test_is_due__margin_and_deadline__nobody_posts_too_late() -> None:
    p = purchase()
    last = p.deadline - MARGIN
    for j in range(1, 6):
        assert due(p, j, last)
        assert not due(p, j, last + 1)


@pytest.mark.parametrize("status", [s for s in PurchaseStatus if s is not PurchaseStatus.PAID])
def test_is_due__not_paid_any_more__is_nobodys(status: PurchaseStatus) -> None:
    p = purchase(status=status)
    assert not any(due(p, j, p.deadline - MARGIN) for j in range(1, 6))


def test_is_due__delivered_by_one__is_the_others() -> None:
    p = purchase()
    first, *_ = turn_order(p.purchase_id, ALL)
    p = replace(p, delivered={first: None})  # type: ignore[dict-item]
    assert not due(p, first, p.deadline - MARGIN)
    assert all(due(p, j, p.deadline - MARGIN) for j in range(1, 6) if j != first)


def test_is_due__leaver_until_their_end__is_obliged() -> None:
    p = purchase()
    leaver = turn_order(p.purchase_id, ALL)[0]
    rest = ALL & ~(1 << leaver - 1)
    within = state(rest, ALL, previous_end=p.deadline)
    assert due(p, leaver, BOUGHT_AT, within)
    after = state(rest, ALL, previous_end=p.deadline - 1)
    assert due_at(p, leaver, after) is None
    # The turns go on without them.
    assert [due(p, j, BOUGHT_AT, after) for j in turn_order(p.purchase_id, rest)][:3] == [
        True,
        True,
        False,
    ]


def test_is_due__not_obliged_at_all__is_never_due() -> None:
    p = purchase()
    assert due_at(p, 5, state(0b01111)) is None


@given(st.integers(0, 10**6), st.integers(0b11, ALL), st.integers(0, WINDOW + 10))
def test_is_due__any_purchase_and_moment__t_are_due_unless_it_is_too_late(
    number: int, active: int, waited: int
) -> None:
    p = purchase(number)
    now = BOUGHT_AT + waited
    ready = [j for j in range(1, 6) if due(p, j, now, state(active))]
    if waited <= WINDOW - MARGIN:
        obliged = active.bit_count()
        assert len(ready) >= min(2, obliged)
        # As time passes more are due, never others.
        order = turn_order(p.purchase_id, active)
        assert set(ready) == set(order[: len(ready)])
    else:
        assert ready == []


def test_seats__address_in_any_capitals__finds_its_numbers() -> None:
    third = address(3)
    assert custody_slots([EPOCH, EPOCH], third.lower()) == [CustodySlot(EPOCH, 3)] * 2
    assert custody_slots([EPOCH], address(77)) == []


def test_batch_key__several_purchases__are_read_back() -> None:
    some = [purchase(n) for n in range(3)]
    key = batch_key("deliver:2", some)
    assert named_purchases("deliver:2", [key, key + "#1", "deliver:22:x", "settle:y"]) == {
        short_id(p) for p in some
    }
    assert named_purchases("settle", [key]) == set()
