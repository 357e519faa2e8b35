# SPDX-License-Identifier: Apache-2.0
"""What a node accepts, and when it is its turn, without a chain."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from truthmark.keys.curve import multiply
from truthmark.market.custodian import CustodySlot, is_due
from truthmark.market.drafts.custody import Validator
from truthmark.market.drafts.delivery import turn_order
from truthmark.market.drafts.order import Delivered
from truthmark.market.entries import Epoch, EpochState, Purchase, ValidatorOffer, Version
from truthmark.market.preview import Preview, PreviewState
from truthmark.market.records import (
    ZERO_ADDRESS,
    Custody,
    CustodyStatus,
    PurchaseStatus,
    Receipt,
    Terms,
    VersionStatus,
)
from truthmark.node.policy import (
    Policy,
    place_in_line,
    refusal,
    settle_wait,
    still_suits,
    wants_extension,
)

NOW = 1_000_000
TOKEN = "0x" + "aa" * 20
OTHER_TOKEN = "0x" + "bb" * 20
POINT = multiply(7)
TERMS = Terms(
    seller="0x" + "01" * 20,
    payee="0x" + "01" * 20,
    token=TOKEN,
    manifest=bytes(32),
    root=bytes(32),
    shard_count=4,
    public_key=POINT,
    base=multiply(9),
    licence=bytes(32),
    gate=ZERO_ADDRESS,
    bond=500,
    royalty_bps=0,
    bounty=0,
    fee_bps=0,
    delivery_seconds=1_000,
    inspection_seconds=1_000,
)
CUSTODY = Custody(
    terms_id=TERMS.terms_id,
    epoch=0,
    custodians=bytes(32),
    share_keys=bytes(32),
    count=4,
    threshold=2,
    fee=10,
    keeping_fee=5,
    lock=100,
    penalty=10,
    period_seconds=9_000,
    accept_until=NOW + 600,
    end=NOW + 9_600,
    last_end=NOW + 27_600,
    sealed_shares=bytes(32),
)
OFFER = ValidatorOffer(
    validator=Validator("0x" + "02" * 20, bytes(32)),
    fees={TOKEN.upper().replace("X", "x"): (10, 5)},
    max_bytes=1_000,
    max_period_seconds=9_000,
    min_delivery_seconds=1_000,
    min_inspection_seconds=1_000,
    max_lock=100,
    is_available=True,
    free_stake=100,
)
VERSION = Version(3, 1, TERMS, TERMS.terms_id, 1_000, VersionStatus.OPEN, NOW)
LIVE = EpochState(CustodyStatus.LIVE, 15, 15, 0, 0, 0, 0, CUSTODY.end, 0, 0, 1_000)


def epoch(**changes: Any) -> Epoch:
    custody = replace(CUSTODY, **changes)
    return Epoch(custody, custody.custody_id, ("0x" + "02" * 20,), (POINT,))


def judge(
    policy: Policy | None = None,
    offer: ValidatorOffer | None = OFFER,
    *,
    terms: dict[str, Any] | None = None,
    custody: dict[str, Any] | None = None,
    status: VersionStatus = VersionStatus.OPEN,
    **changes: Any,
) -> str | None:
    given: dict[str, Any] = {
        "now": NOW,
        "waiting": 0,
        "is_listed_elsewhere": False,
        "confirming_seconds": 100,
        "size": 1_000,
    }
    version = replace(VERSION, terms=replace(TERMS, **(terms or {})), status=status)
    return refusal(
        policy or Policy(), offer, version, epoch(**(custody or {})), **(given | changes)
    )


def test_refusal__everything_just_suits__none() -> None:
    assert judge() is None
    assert judge(size=None) is None
    assert judge(status=VersionStatus.PAUSED) is None


@pytest.mark.parametrize(
    ("reason", "given"),
    [
        ("no offer is published", {"offer": None}),
        ("the validator takes no new obligations", {"offer": replace(OFFER, is_available=False)}),
        ("the sale token is not in the offer", {"terms": {"token": OTHER_TOKEN}}),
        ("the fees are below the offer", {"custody": {"fee": 9}}),
        ("the fees are below the offer", {"custody": {"keeping_fee": 4}}),
        ("the lock is above the offer", {"custody": {"lock": 101}}),
        ("not enough free stake", {"offer": replace(OFFER, free_stake=99)}),
        ("the period is longer than the offer", {"custody": {"period_seconds": 9_001}}),
        ("the period is longer than the offer", {"custody": {"end": NOW + 9_601}}),
        ("the windows are shorter than the offer", {"terms": {"delivery_seconds": 999}}),
        ("the windows are shorter than the offer", {"terms": {"inspection_seconds": 999}}),
        (
            "the delivery window is too short to wait for confirmations",
            {"confirming_seconds": 881},
        ),
        ("more bytes than the offer", {"size": 1_001}),
        ("the seller's bond is too small", {"policy": Policy(min_bonds=((TOKEN, 501),))}),
        ("the version has ended", {"status": VersionStatus.RETIRED}),
        ("the version has ended", {"status": VersionStatus.CLOSED}),
        ("the version has ended", {"status": VersionStatus.REVOKED}),
        ("too late to accept", {"now": CUSTODY.accept_until - 29}),
        (
            "stake would stand locked too long before the custody is complete",
            {"policy": Policy(max_acceptance_seconds=599)},
        ),
        ("too many custodies of this seller wait to be complete", {"waiting": 4}),
        ("this dataset key is listed elsewhere", {"is_listed_elsewhere": True}),
    ],
)
def test_refusal__one_thing_does_not_suit__is_named(reason: str, given: dict[str, Any]) -> None:
    assert judge(**given) == reason


@pytest.mark.parametrize(
    "given",
    [
        {"confirming_seconds": 880},
        {"policy": Policy(min_bonds=((TOKEN, 500), (OTHER_TOKEN, 10**9)))},
        {"now": CUSTODY.accept_until - 30},
        {"policy": Policy(max_acceptance_seconds=600)},
        {"waiting": 3},
    ],
)
def test_refusal__at_the_limit__none(given: dict[str, Any]) -> None:
    assert judge(**given) is None


# ------------------------------------------------------------- confirmations


def test_confirmations_for__expensive_purchases__wait_longer() -> None:
    policy = Policy(confirmations=((TOKEN, 1_000, 30), (TOKEN, 100, 20), (OTHER_TOKEN, 1, 99)))
    found = [
        policy.confirmations_for(TOKEN, price, 12) for price in (0, 99, 100, 999, 1_000, 10**9)
    ]
    assert found == [12, 12, 20, 20, 30, 30]
    assert policy.most_confirmations(TOKEN, 12) == 30
    assert policy.most_confirmations("0x" + "cc" * 20, 12) == 12


def test_confirmations_for__cheap_purchases__may_wait_less() -> None:
    policy = Policy(confirmations=((TOKEN, 0, 1),))
    assert policy.confirmations_for(TOKEN, 5, 12) == 1
    assert policy.most_confirmations(TOKEN, 12) == 12


# ---------------------------------------------------------------- extensions


def wants(
    state: EpochState = LIVE,
    now: int = CUSTODY.end - 100,
    keeping_balance: int = 15,
    index: int = 1,
    **policy: Any,
) -> bool:
    chosen = Policy(**{"margin_seconds": 10, **policy})
    return wants_extension(chosen, VERSION, epoch(), state, index, now, keeping_balance)


def test_wants_extension__in_the_last_third__votes_once() -> None:
    assert wants()
    assert wants(now=CUSTODY.end - 3_000)
    assert not wants(now=CUSTODY.end - 3_001)
    assert not wants(replace(LIVE, votes=1))
    assert wants(replace(LIVE, votes=2))


def test_wants_extension__close_to_the_end__posts_nothing() -> None:
    assert wants(now=CUSTODY.end - 11)
    assert not wants(now=CUSTODY.end - 10)


def test_wants_extension__keeping_balance_is_short_or_last_term__no() -> None:
    assert not wants(keeping_balance=14)
    last = replace(LIVE, end=CUSTODY.last_end)
    assert not wants(last, now=CUSTODY.last_end - 100)
    assert wants(replace(LIVE, end=CUSTODY.last_end - 9_000), now=CUSTODY.last_end - 9_100)


def test_wants_extension__told_not_to_or_version_over__no() -> None:
    assert not wants(extends=False)
    for status in (VersionStatus.RETIRED, VersionStatus.REVOKED, VersionStatus.CLOSED):
        version = replace(VERSION, status=status)
        assert not wants_extension(Policy(), version, epoch(), LIVE, 1, CUSTODY.end - 100, 15)


def test_wants_extension__others_went_on__joins_before_the_old_end() -> None:
    left_out = replace(
        LIVE, active=14, previous_active=15, previous_end=CUSTODY.end, end=CUSTODY.end + 9_000
    )
    assert wants(left_out, now=CUSTODY.end - 100, keeping_balance=5)
    assert not wants(left_out, now=CUSTODY.end - 10)
    assert not wants(left_out, keeping_balance=4)
    assert not wants(replace(left_out, previous_active=14))
    assert not wants(left_out, index=2, now=CUSTODY.end - 100)  # is in, and the window is far


@pytest.mark.parametrize(
    ("state", "takes", "reason"),
    [
        (PreviewState.SHOWN, False, None),
        (PreviewState.BLIND, True, None),
        (PreviewState.SMALL, True, None),
        (PreviewState.PARTIAL, True, None),
        (PreviewState.BLIND, False, "the offer takes no unsampled data"),
        (PreviewState.SMALL, False, "the offer takes no unsampled data"),
        (PreviewState.PARTIAL, False, "the offer takes no unsampled data"),
        (PreviewState.WAITING, True, "it waits for its seller"),
        (PreviewState.UNREACHABLE, True, "its sample is unreachable"),
        (PreviewState.BAD, True, "its sample is bad"),
        (PreviewState.BROKEN, True, "its sample is broken"),
    ],
)
def test_refusal__sample_of_each_state__goes_by_the_table_and_the_offer(
    state: PreviewState, takes: bool, reason: str | None
) -> None:
    offer = replace(OFFER, takes_unsampled=takes)
    found = judge(offer=offer, sample=Preview(state, "said so"))
    assert found is None if reason is None else found is not None and found.startswith(reason)


def test_still_suits__higher_offer_or_away__no() -> None:
    assert still_suits(OFFER, TERMS, CUSTODY)
    assert still_suits(None, TERMS, CUSTODY)
    for changes in (
        {"is_available": False},
        {"fees": {TOKEN: (11, 5)}},
        {"fees": {TOKEN: (10, 6)}},
        {"fees": {OTHER_TOKEN: (0, 0)}},
        {"max_period_seconds": 8_999},
    ):
        assert not still_suits(replace(OFFER, **changes), TERMS, CUSTODY)


# --------------------------------------------------------------------- turns


def purchase(number: int, delivered: tuple[int, ...] = (), **changes: Any) -> Purchase:
    receipt = Receipt("0x" + "05" * 20, 1_000, number.to_bytes(32, "big"), POINT)
    parts = {j: Delivered(j, POINT, 1, 1) for j in delivered}
    found = Purchase(
        purchase_id=receipt.purchase_id(CUSTODY.custody_id),
        custody_id=CUSTODY.custody_id,
        terms_id=TERMS.terms_id,
        receipt=receipt,
        status=PurchaseStatus.PAID,
        deadline=NOW + 1_000,
        bought_at=NOW,
        block_number=1,
        delivered=parts,
    )
    return replace(found, **changes)


def due(bought: Purchase, index: int, now: int, state: EpochState = LIVE) -> bool:
    return is_due(bought, CustodySlot(epoch(), index), state, now, 1_000, 100)


def test_is_due__turns__first_two_at_once_others_step_in() -> None:
    bought = purchase(1)
    first, second, third, fourth = turn_order(bought.purchase_id, 15)
    assert [due(bought, j, NOW) for j in (first, second, third, fourth)] == [
        True,
        True,
        False,
        False,
    ]
    # (1000 - 100) / 3 seconds for each who may be late.
    assert [due(bought, third, NOW + s) for s in (299, 300)] == [False, True]
    assert [due(bought, fourth, NOW + s) for s in (599, 600)] == [False, True]


def test_is_due__within_the_margin_of_the_deadline__no_custodian() -> None:
    bought = purchase(1)
    assert all(due(bought, j, NOW + 900) for j in range(1, 5))
    assert not any(due(bought, j, NOW + 901) for j in range(1, 5))


def test_is_due__done_closed_or_not_obliged__no() -> None:
    bought = purchase(1)
    first = turn_order(bought.purchase_id, 15)[0]
    assert not due(purchase(1, (first,)), first, NOW)
    for status in (PurchaseStatus.DELIVERED, PurchaseStatus.SETTLED, PurchaseStatus.REFUNDED):
        assert not due(replace(bought, status=status), first, NOW)
    assert not due(bought, first, NOW, replace(LIVE, active=15 & ~(1 << (first - 1))))


def test_is_due__leaver__until_the_old_end() -> None:
    bought = purchase(1)
    state = replace(LIVE, active=0, previous_active=15, previous_end=bought.deadline)
    first = turn_order(bought.purchase_id, 15)[0]
    assert due(bought, first, NOW, state)
    assert not due(bought, first, NOW, replace(state, previous_end=bought.deadline - 1))


def test_turn_order__many_purchases__is_fair_and_the_same_for_all() -> None:
    orders = [turn_order(purchase(n).purchase_id, 15) for n in range(2_000)]
    assert all(sorted(order) == [1, 2, 3, 4] for order in orders)
    first = Counter(order[0] for order in orders)
    assert all(400 < first[j] < 600 for j in range(1, 5))


def test_place_in_line__members__each_has_another_place() -> None:
    members = [2, 3, 7]
    places = [place_in_line(b"x" * 32, members, j) for j in members]
    assert sorted(places) == [0, 1, 2]
    assert place_in_line(b"x" * 32, members, 5) == 3
    first = Counter(
        min(members, key=lambda j, n=n: place_in_line(n.to_bytes(32, "big"), members, j))  # type: ignore[misc]
        for n in range(900)
    )
    assert all(200 < first[j] < 400 for j in members)


def test_settle_wait__short_inspection__is_short() -> None:
    assert settle_wait(Policy(), TERMS) == 125
    assert settle_wait(Policy(), replace(TERMS, inspection_seconds=86_400)) == 600
    assert settle_wait(Policy(settle_seconds=0), TERMS) == 0
