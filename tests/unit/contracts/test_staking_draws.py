# SPDX-License-Identifier: Apache-2.0
"""Deadlines of ValidatorStaking, and which tickets a draw may pick: each at t-1, t and t+1."""

import boa
import pytest

from tests.utils.contracts import at, reverts
from tests.utils.staking import (
    OBLIGATION,
    UNBONDING,
    StakingHarness,
    deployed,
    harness,
    registered,
    staked,
)

__all__ = ["deployed", "harness", "registered", "staked"]


def eligible(it: StakingHarness, ticket_id: int, moment: int) -> list[bool]:
    """Answers around a moment: just before it, at it, just after it."""
    return [it.contract.is_eligible(ticket_id, moment + shift) for shift in (-1, 0, 1)]


@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_withdraw_tickets__around_the_end_of_unbonding__opens_at_it(
    staked: StakingHarness, shift: int
) -> None:
    staked.contract.unbond([0], sender=staked.validator)
    ready_at = boa.env.timestamp + UNBONDING
    with at(ready_at + shift):
        if shift < 0:
            with reverts(staked.contract, "staking: still unbonding"):
                staked.contract.withdraw_tickets([0], sender=staked.validator)
        else:
            assert staked.contract.withdraw_tickets([0], sender=staked.validator) == 100


@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_withdraw_tickets__one_of_two_not_ready__waits_for_the_later(
    staked: StakingHarness, shift: int
) -> None:
    staked.contract.unbond([0], sender=staked.validator)
    boa.env.timestamp += 1_000
    staked.contract.unbond([1], sender=staked.validator)
    with at(boa.env.timestamp + UNBONDING + shift):
        if shift < 0:
            with reverts(staked.contract, "staking: still unbonding"):
                staked.contract.withdraw_tickets([0, 1], sender=staked.validator)
            assert staked.contract.withdraw_tickets([0], sender=staked.validator) == 100
        else:
            assert staked.contract.withdraw_tickets([0, 1], sender=staked.validator) == 200


def test_is_eligible__after_many_changes__is_right_about_every_moment(
    staked: StakingHarness,
) -> None:
    """More changes than a few halvings find: 15 and less would not tell a search cut short."""
    changes = []
    for number in range(40):
        boa.env.timestamp += 10
        staked.contract.set_available(staked.validator, number % 2 == 1, sender=staked.validator)
        changes.append(boa.env.timestamp)
    for number, moment in enumerate(changes):
        was, comes = number % 2 == 0, number % 2 == 1
        assert eligible(staked, 0, moment) == [was, was, comes], number


def test_is_eligible__around_staking__only_after_it(registered: StakingHarness) -> None:
    staked_at = boa.env.timestamp
    registered.stake(1)
    assert eligible(registered, 0, staked_at) == [False, False, True]


def test_is_eligible__around_unbonding__until_its_request(staked: StakingHarness) -> None:
    requested_at = boa.env.timestamp
    staked.contract.unbond([0], sender=staked.validator)
    assert eligible(staked, 0, requested_at) == [True, True, False]
    assert eligible(staked, 1, requested_at) == [True, True, True]


def test_is_eligible__around_a_slash_and_a_top_up__while_covered(staked: StakingHarness) -> None:
    slashed_at = boa.env.timestamp
    staked.slash(130)
    topped_at = boa.env.timestamp = slashed_at + 50
    staked.token.mint(staked.validator, 130)
    staked.token.approve(staked.contract, 130, sender=staked.validator)
    staked.contract.top_up(129, sender=staked.validator)
    assert eligible(staked, 0, topped_at) == [False, False, False]
    staked.contract.top_up(1, sender=staked.validator)
    for ticket_id in range(3):
        assert eligible(staked, ticket_id, slashed_at) == [True, True, False]
        assert eligible(staked, ticket_id, topped_at) == [False, False, True]


def test_is_eligible__missing_stake_given_up_with_a_ticket__the_rest_recovers(
    staked: StakingHarness,
) -> None:
    staked.slash(100)
    boa.env.timestamp += 50
    given_up_at = boa.env.timestamp
    staked.contract.unbond([0], sender=staked.validator)
    assert eligible(staked, 0, given_up_at) == [False, False, False]
    assert eligible(staked, 1, given_up_at) == [False, False, True]


def test_is_eligible__around_going_away_and_coming_back__while_available(
    staked: StakingHarness,
) -> None:
    left_at = boa.env.timestamp
    staked.contract.set_available(staked.validator, False, sender=staked.operator)
    came_back_at = boa.env.timestamp = left_at + 50
    staked.contract.set_available(staked.validator, True, sender=staked.operator)
    assert eligible(staked, 0, left_at) == [True, True, False]
    assert eligible(staked, 0, came_back_at) == [False, False, True]


def test_is_eligible__away_and_short__needs_both_to_end(staked: StakingHarness) -> None:
    contract = staked.contract
    staked.lock(50)
    staked.token.mint(staked.validator, 50)
    staked.token.approve(contract, 50, sender=staked.validator)
    steps = [
        lambda: contract.set_available(staked.validator, False, sender=staked.operator),
        lambda: contract.slash(OBLIGATION, 50, sender=staked.slasher),
        lambda: contract.set_available(staked.validator, True, sender=staked.operator),
        lambda: contract.top_up(50, sender=staked.validator),
    ]
    answers = []
    for step in steps:
        boa.env.timestamp += 10
        step()
        answers.append(contract.is_eligible(0, boa.env.timestamp + 1))
    assert answers == [False, False, False, True]


def test_is_eligible__many_changes__finds_each_stretch(staked: StakingHarness) -> None:
    """Halving over an odd and an even number of changes, at every moment."""
    start = boa.env.timestamp
    expected: dict[int, bool] = {}
    for second in range(40):
        boa.env.timestamp = start + second
        expected[boa.env.timestamp] = staked.contract.validator(staked.validator).is_available
        if second % 3 == 1 or second in (18, 21):
            staked.contract.set_available(
                staked.validator,
                not staked.contract.validator(staked.validator).is_available,
                sender=staked.operator,
            )
    assert {moment: staked.contract.is_eligible(0, moment) for moment in expected} == expected
    assert set(expected.values()) == {True, False}


def test_is_eligible__after_the_seed_is_known__nothing_changes_it(staked: StakingHarness) -> None:
    """Attack: a validator who does not like a draw acts once they can compute it."""
    contract = staked.contract
    contract.register(staked.operator, b"\x01" * 32, sender=staked.stranger)
    contract.set_available(staked.stranger, False, sender=staked.stranger)
    contract.unbond([2], sender=staked.validator)
    boa.env.timestamp += 10
    drawn_at = boa.env.timestamp
    length = contract.place_count()
    before = [contract.is_eligible(i, drawn_at) for i in range(length)]
    assert before == [True, True, False]

    def top_up() -> None:
        staked.token.mint(staked.validator, 100)
        staked.token.approve(contract, 100, sender=staked.validator)
        contract.top_up(100, sender=staked.validator)

    acts = [
        lambda: staked.slash(100),
        lambda: contract.set_available(staked.validator, False, sender=staked.operator),
        top_up,
        lambda: contract.set_available(staked.validator, True, sender=staked.operator),
        lambda: staked.stake(2),
        lambda: contract.set_available(staked.stranger, True, sender=staked.stranger),
        lambda: staked.stake(1, staked.stranger),
        lambda: contract.set_available(staked.stranger, False, sender=staked.stranger),
    ]
    for seconds in (0, 1):  # in the block of the draw, and later
        for act in acts:
            boa.env.timestamp += seconds
            act()
            assert [contract.is_eligible(i, drawn_at) for i in range(length)] == before
    contract.unbond([0, 1], sender=staked.validator)
    assert [contract.is_eligible(i, drawn_at) for i in range(length)] == before
    assert [contract.is_eligible(i, drawn_at) for i in range(length, contract.place_count())] == [
        False
    ] * (contract.place_count() - length)


@pytest.mark.parametrize("ticket_id", [3, 2**256 - 1])
def test_is_eligible__no_such_place__is_not(staked: StakingHarness, ticket_id: int) -> None:
    assert not staked.contract.is_eligible(ticket_id, boa.env.timestamp)


def test_is_eligible__freed_and_reused_place__starts_again(staked: StakingHarness) -> None:
    contract = staked.contract
    contract.unbond([1, 0], sender=staked.validator)
    boa.env.timestamp += UNBONDING
    contract.withdraw_tickets([1, 0], sender=staked.validator)
    # The link of a free list that is not empty must not read as a ticket.
    assert eligible(staked, 0, boa.env.timestamp) == [False] * 3
    assert staked.stake(1) == [0]
    assert eligible(staked, 0, boa.env.timestamp) == [False, False, True]
    assert eligible(staked, 1, boa.env.timestamp) == [False] * 3
