# SPDX-License-Identifier: Apache-2.0
"""How bounties are cut and what that costs: whatever is proposed, the board takes."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.utils.offline_market import PROFILE
from truthmark.bounty.facts import estimate_facts
from truthmark.bounty.planning import (
    TIMES,
    Gas,
    Plan,
    estimate,
    fees_for,
    majority_accuracy,
    suggest,
    warnings_of,
    with_times,
)
from truthmark.bounty.shape import Shape, advised_gold, shape_open, shape_team
from truthmark.bounty.terms import MAX_HASHES, MAX_RUN
from truthmark.errors import BountyError
from truthmark.labels.scoring import least_gold

GAS = Gas(10**9, 10**18 / 3_000 / 10**6)


def plan_of(shape: Shape, *, price: int = 50_000, classes: int = 2, full: int = 3) -> Plan:
    fees = fees_for(shape, classes, GAS)
    return Plan.make(
        shape, classes=classes, price=price, fees=fees, times=TIMES["small"], full=full, fee_bps=100
    )


@given(
    st.integers(1, 30_000), st.integers(2, 9), st.integers(2, 2_048), st.sampled_from([2, 3, 50])
)
def test_shape_open__whatever_is_asked__sound_or_refused_with_what_to_do(
    items: int, rounds: int, gold: int, classes: int
) -> None:
    gold = min(gold, items)
    try:
        shape = shape_open(items, rounds=rounds, gold=gold)
    except BountyError as error:
        # What is said to be needed is more than there is.
        needed = re.search(r"about (\d+) are needed", str(error))
        assert needed is None or int(needed[1]) > gold
        return
    terms = plan_of(shape, classes=classes).example()  # which checks what the board checks
    assert shape.gold_in_least >= least_gold(rounds)
    assert shape.per_round % shape.min_run == 0 and shape.max_run % shape.min_run == 0
    assert shape.min_run <= shape.max_run <= MAX_RUN
    assert Shape.of(terms) == shape


@given(st.integers(1, 5_000), st.integers(1, 40), st.one_of(st.none(), st.integers(1, 9)))
def test_shape_team__whatever_is_asked__all_items_have_somebody(
    items: int, people: int, rounds: int | None
) -> None:
    try:
        shape = shape_team(items, people=people, rounds=rounds)
    except BountyError:
        each_round = people // (rounds or 1)
        assert (rounds or 1) > people or items > each_round * MAX_RUN * 64 // 2
        return
    plan_of(shape).example()
    runs = -(-shape.per_round // shape.max_run)
    assert shape.rounds * runs <= people
    assert shape.idle == people - shape.rounds * runs
    if rounds is None and items >= 20 * people:
        assert shape.idle == 0


@pytest.mark.parametrize(("items", "people"), [(9, 2), (256, 1), (700, 6), (1_000, 4)])
def test_shape_team__texts__no_run_is_longer_than_hashes_may_be(items: int, people: int) -> None:
    found = shape_team(items, people=people, rounds=1, most=MAX_HASHES)
    assert found.max_run * found.batch <= MAX_HASHES
    with pytest.raises(BountyError, match=f"{256 * people} at most"):
        shape_team(256 * people + 1, people=people, rounds=1, most=MAX_HASHES)


def test_shape_open__gold_for_a_run_of_twenty__short_runs() -> None:
    shape = shape_open(2_000, gold=100)
    assert (shape.batch, shape.min_run, shape.least_labels) == (50, 8, 400)
    assert shape.gold_in_least == 20


def test_shape_team__five_people_and_a_hundred_items__twenty_each() -> None:
    shape = shape_team(100, people=5)
    assert (shape.rounds, shape.least_labels, shape.most_labels, shape.idle) == (1, 20, 20, 0)


@pytest.mark.parametrize(
    ("items", "gold", "rounds", "says"),
    [
        (1, 0, 5, "too few items .1. to judge people on gold among them: about 10"),
        (60, 3, 5, "3 gold items are too few for 60 items .* about 10 are needed, 30 are good"),
        (1_000, 5, 5, "too few"),
        (100_000, 100, 5, "too few"),
        (10**6, 2_048, 3, "split"),
        (100, 50, 1, "2 labels an item"),
    ],
)
def test_shape_open__not_to_be_judged__says_what_to_do(
    items: int, gold: int, rounds: int, says: str
) -> None:
    with pytest.raises(BountyError, match=says):
        shape_open(items, rounds=rounds, gold=gold)


@pytest.mark.parametrize("items", [100, 1_000, 10_000, 100_000])
@pytest.mark.parametrize("rounds", [2, 3, 5])
def test_advised_gold__any_size__enough(items: int, rounds: int) -> None:
    shape_open(items, rounds=rounds, gold=advised_gold(items, rounds))


def test_fees__gas_of_the_day__covered_with_room() -> None:
    shape = shape_open(2_000, gold=100)
    fees = fees_for(shape, 2, GAS, relay_asks=10**6)
    sealed = 10 * 13  # ten seats of fifty labels of two bits
    posting = (150_000 + 36 * sealed) * GAS.price
    paid = fees.post_call_fee + fees.post_worker_fee + 10 * fees.post_seat_fee
    assert paid * GAS.worth >= 1.4 * posting
    assert fees.reward * GAS.worth >= 1.4 * 600_000 * GAS.price
    assert fees.relay_fee == 10**6


def test_plan__bond__a_tenth_and_not_below_the_reward() -> None:
    assert plan_of(shape_open(2_000, gold=100)).bond == 50_000 * 10_000 // 10
    cheap = plan_of(shape_open(2_000, gold=100), price=1)
    assert cheap.bond == cheap.fees.reward
    assert plan_of(shape_team(100, people=5)).bond == 0


def test_estimate__bounty_with_gold__what_is_paid_is_what_the_board_takes() -> None:
    terms = plan_of(shape_open(2_000, gold=100)).example()
    found = estimate(terms, seconds_per_item=4)
    assert found.labels == 10_000 and found.for_labels == 500_000_000
    assert found.for_labels + found.for_others == found.pot == terms.pot
    assert found.total == terms.pot + terms.bond
    assert found.an_hour == 45_000_000
    assert found.least_seconds == 1_600
    assert found.seconds == TIMES["small"].total
    assert found.guesser is not None and found.guesser.mean < 0.25
    assert found.honest[0.95].mean > 0.9 > found.honest[0.8].mean > 0.5
    assert warnings_of(terms, found) == []


def test_estimate_facts__last_batches_are_short__the_rows_are_what_is_paid_in() -> None:
    full, short = (
        plan_of(shape_open(items, gold=100, batch=20)).example() for items in (2_000, 1_993)
    )
    for terms, padding in ((full, 0), (short, 7 * 5 * 50_000)):
        found = estimate(terms)
        assert found.padding == padding
        assert found.for_labels + found.for_others + found.padding + found.bond == found.total
        facts = dict(estimate_facts(PROFILE, terms, found))
        assert (facts["for empty places"] is not None) == (padding > 0)
    assert str(PROFILE.amount(7 * 5 * 50_000, short.token)) in str(facts["for empty places"])


def test_warnings__little_gold_half_full_few_labels__each_said() -> None:
    terms = plan_of(shape_open(1_000, rounds=2, gold=14), full=2).example()
    lines = warnings_of(terms, estimate(terms, seconds_per_item=30))
    for word in ("guesses", "smallest run expects 14", "2 labels an item", "to label"):
        assert any(word in line for line in lines), (word, lines)
    team = plan_of(shape_team(100, people=5)).example()
    assert "without gold" in warnings_of(team, estimate(team))[0]


def test_warnings__seconds_meant_as_hours__said_with_what_to_write() -> None:
    hasty = with_times(TIMES["small"], label=10)
    for shape in (shape_open(2_000, gold=100), shape_team(100, people=5)):
        terms = replace(plan_of(shape), times=hasty).example()
        assert "10 s to label, less than a second" in warnings_of(terms, estimate(terms))[0]


def test_times__some_others__the_rest_stays() -> None:
    changed = with_times(TIMES["small"], label=5)
    assert (changed.label, changed.join) == (5, TIMES["small"].join)


def test_suggest__good_and_bad_crowds__more_labels_for_the_worse() -> None:
    sure = suggest(seconds=[4.0] * 20, accuracy=0.98, classes=2, hourly=15_000_000)
    unsure = suggest(seconds=[4.0] * 20, accuracy=0.75, classes=2, hourly=15_000_000)
    assert (sure.rounds, sure.full) == (3, 3)
    assert unsure.rounds > sure.rounds and unsure.full == 2
    assert sure.price == round(15_000_000 * 4 / 3_600)
    with pytest.raises(BountyError):
        suggest(seconds=[4.0], accuracy=0.9, classes=2, hourly=1)


def test_majority_accuracy__three_of_nine_tenths__as_computed_by_hand() -> None:
    assert majority_accuracy(0.9, 3, 2) == pytest.approx(0.972, abs=0.004)
    assert majority_accuracy(0.9, 1, 5) == pytest.approx(0.9, abs=0.01)
