# SPDX-License-Identifier: Apache-2.0
"""What each function of ValidatorStaking does when it may: storage, events, balances."""

from typing import Any

import boa
import pytest

from tests.utils.contracts import events
from tests.utils.staking import (
    KEY,
    OBLIGATION,
    OTHER_KEY,
    OTHER_OBLIGATION,
    TICKET,
    UNBONDING,
    ZERO,
    StakingHarness,
    deploy_harness,
    deployed,
    harness,
    registered,
    staked,
)
from tests.utils.tokens import deployer

__all__ = ["deployed", "harness", "registered", "staked"]

NOBODY = {
    "operator": ZERO,
    "encryption_key": b"\0" * 32,
    "is_available": False,
    "stake": 0,
    "locked": 0,
    "unbonding": 0,
    "ticket_count": 0,
    "unbonding_ticket_count": 0,
}


def fields(struct: Any) -> dict[str, Any]:
    return dict(struct._asdict())


# ------------------------------------------------------------- constructing


def test_init__within_bounds__keeps_what_it_was_given(harness: StakingHarness) -> None:
    contract = harness.contract
    assert contract.TOKEN() == harness.token.address
    assert (contract.TICKET(), contract.UNBONDING_SECONDS()) == (TICKET, UNBONDING)
    assert contract.owner() == harness.admin
    assert contract.pending_owner() == ZERO
    assert not contract.paused()
    assert contract.place_count() == 0


@pytest.mark.parametrize("seconds", [60, 90 * 86_400])
def test_init__unbonding_at_its_bounds__is_accepted(harness: StakingHarness, seconds: int) -> None:
    contract = deployer("ValidatorStaking").deploy(harness.token, TICKET, seconds, harness.admin)
    assert contract.UNBONDING_SECONDS() == seconds


def test_fix_slashers__once__holds_for_good() -> None:
    with boa.env.anchor():
        harness = deploy_harness(fix_slashers=False)
        assert harness.contract.slashers() == []
        slashers = [harness.slasher, harness.other_slasher]
        harness.contract.fix_slashers(slashers, sender=harness.admin)
        assert events(harness.contract) == [("SlashersFixed", {"slashers": slashers})]
        assert harness.contract.slashers() == slashers
        assert [harness.contract.is_slasher(it) for it in (*slashers, harness.admin)] == [
            True,
            True,
            False,
        ]


# --------------------------------------------------------------- validators


def test_register__new_account__becomes_an_available_validator(harness: StakingHarness) -> None:
    assert fields(harness.contract.validator(harness.validator)) == NOBODY
    harness.contract.register(harness.operator, KEY, sender=harness.validator)
    assert events(harness.contract) == [
        (
            "ValidatorRegistered",
            {"validator": harness.validator, "operator": harness.operator, "encryption_key": KEY},
        )
    ]
    assert fields(harness.contract.validator(harness.validator)) == {
        **NOBODY,
        "operator": harness.operator,
        "encryption_key": KEY,
        "is_available": True,
    }


def test_register__same_operator_as_another__is_not_refused(registered: StakingHarness) -> None:
    registered.contract.register(registered.operator, KEY, sender=registered.stranger)
    assert registered.contract.is_actor(registered.stranger, registered.operator)
    assert not registered.contract.is_actor(registered.validator, registered.stranger)


def test_set_operator__owner__replaces_it_at_once(registered: StakingHarness) -> None:
    contract = registered.contract
    contract.set_operator(registered.stranger, sender=registered.validator)
    assert events(contract) == [
        ("OperatorChanged", {"validator": registered.validator, "operator": registered.stranger})
    ]
    assert contract.validator(registered.validator).operator == registered.stranger
    assert contract.is_actor(registered.validator, registered.stranger)
    assert not contract.is_actor(registered.validator, registered.operator)


def test_set_encryption_key__owner__leaves_both_keys_readable(registered: StakingHarness) -> None:
    contract = registered.contract
    contract.set_encryption_key(OTHER_KEY, sender=registered.validator)
    assert events(contract) == [
        (
            "EncryptionKeyChanged",
            {"validator": registered.validator, "encryption_key": OTHER_KEY},
        )
    ]
    assert contract.validator(registered.validator).encryption_key == OTHER_KEY


@pytest.mark.parametrize("role", ["validator", "operator"])
def test_set_available__owner_or_operator__switches(registered: StakingHarness, role: str) -> None:
    for is_available in (False, False, True):
        registered.contract.set_available(
            registered.validator, is_available, sender=getattr(registered, role)
        )
        assert events(registered.contract) == [
            (
                "AvailabilityChanged",
                {"validator": registered.validator, "is_available": is_available},
            )
        ]
        assert registered.contract.validator(registered.validator).is_available == is_available


@pytest.mark.parametrize("role", ["validator", "operator"])
@pytest.mark.parametrize("token_count", [0, 1, 8])
def test_publish_offer__owner_or_operator__announces_every_field(
    registered: StakingHarness, role: str, token_count: int
) -> None:
    fees = [(boa.env.generate_address(), 5 + i, 70 + i) for i in range(token_count)]
    registered.contract.publish_offer(
        registered.validator,
        (fees, 2**40, 90 * 86_400, 3_600, 7_200, 55, True, "https://node.example:8080/tm"),
        sender=getattr(registered, role),
    )
    assert events(registered.contract) == [
        (
            "OfferPublished",
            {
                "validator": registered.validator,
                "offer": {
                    "fees": [
                        {"token": str(token), "fee_per_sale": sale, "keeping_fee": keeping}
                        for token, sale, keeping in fees
                    ],
                    "max_bytes": 2**40,
                    "max_period_seconds": 90 * 86_400,
                    "min_delivery_seconds": 3_600,
                    "min_inspection_seconds": 7_200,
                    "max_lock": 55,
                    "takes_unsampled": True,
                    "url": "https://node.example:8080/tm",
                },
            },
        )
    ]


def test_stake__owner__pays_for_tickets(registered: StakingHarness) -> None:
    contract = registered.contract
    assert registered.stake(3) == [0, 1, 2]
    assert events(contract) == [
        (
            "TicketsStaked",
            {"validator": registered.validator, "ticket_ids": [0, 1, 2], "amount": 300},
        )
    ]
    assert registered.figures() == (300, 0, 0, 3, 0)
    assert contract.free(registered.validator) == 300
    assert registered.token.balanceOf(contract) == 300
    assert registered.token.balanceOf(registered.validator) == 0
    assert contract.place_count() == 3
    now = boa.env.timestamp
    assert [tuple(it) for it in contract.tickets(0, 64)] == [(registered.validator, now, 0)] * 3


def test_stake__most_at_once__fits_one_transaction(registered: StakingHarness) -> None:
    assert registered.stake(32) == list(range(32))
    gas = registered.contract._computation.get_gas_used()
    assert gas < 2**24  # the cap of one transaction (EIP-7825)
    assert registered.contract.unbond(list(range(32)), sender=registered.validator) == 3_200


def test_stake__freed_places__come_first_and_the_array_never_moves(staked: StakingHarness) -> None:
    contract = staked.contract
    contract.unbond([2, 0], sender=staked.validator)
    boa.env.timestamp += UNBONDING
    contract.withdraw_tickets([2, 0], sender=staked.validator)
    assert [it.validator for it in contract.tickets(0, 3)] == [ZERO, staked.validator, ZERO]
    assert [tuple(contract.tickets(i, 1)[0]) for i in (0, 2)] == [(ZERO, 0, 0)] * 2
    contract.register(staked.stranger, KEY, sender=staked.stranger)
    assert staked.stake(3, staked.stranger) == [0, 2, 3]
    assert contract.place_count() == 4
    now = boa.env.timestamp
    assert [tuple(it) for it in contract.tickets(0, 9)] == [
        (staked.stranger, now, 0),
        (staked.validator, now - UNBONDING - 10, 0),
        (staked.stranger, now, 0),
        (staked.stranger, now, 0),
    ]


def test_top_up__after_a_slash__covers_the_tickets_again(staked: StakingHarness) -> None:
    staked.slash(130)
    staked.token.mint(staked.validator, 130)
    staked.token.approve(staked.contract, 130, sender=staked.validator)
    for amount, stake in ((30, 200), (100, 300)):
        staked.contract.top_up(amount, sender=staked.validator)
        assert events(staked.contract) == [
            ("StakeToppedUp", {"validator": staked.validator, "amount": amount})
        ]
        assert staked.figures() == (stake, 0, 0, 3, 0)
    assert staked.token.balanceOf(staked.contract) == 430  # with the 130 that are burned
    assert staked.token.balanceOf(staked.validator) == 0


def test_unbond__free_tickets__stop_standing_for_stake(staked: StakingHarness) -> None:
    contract = staked.contract
    assert contract.unbond([1, 2], sender=staked.validator) == 200
    now = boa.env.timestamp
    assert events(contract) == [
        (
            "UnbondingRequested",
            {
                "validator": staked.validator,
                "ticket_ids": [1, 2],
                "amount": 200,
                "ready_at": now + UNBONDING,
            },
        )
    ]
    assert staked.figures() == (300, 0, 200, 1, 2)
    assert contract.free(staked.validator) == 100
    assert [it.unbonding_since for it in contract.tickets(0, 3)] == [0, now, now]
    assert staked.token.balanceOf(contract) == 300


def test_withdraw_tickets__after_unbonding__credits_the_owner(staked: StakingHarness) -> None:
    contract = staked.contract
    contract.unbond([1, 2], sender=staked.validator)
    boa.env.timestamp += UNBONDING
    assert contract.withdraw_tickets([2, 1], sender=staked.validator) == 200
    assert events(contract) == [
        (
            "TicketsWithdrawn",
            {"validator": staked.validator, "ticket_ids": [2, 1], "amount": 200},
        )
    ]
    assert staked.figures() == (100, 0, 0, 1, 0)
    assert staked.entry(staked.validator) == 200
    assert contract.withdraw(staked.token, staked.validator, 0, sender=staked.stranger) == 200
    assert events(contract) == [
        (
            "Withdrawn",
            {"token": staked.token.address, "account": staked.validator, "amount": 200},
        )
    ]
    assert staked.token.balanceOf(staked.validator) == 200
    assert staked.token.balanceOf(contract) == 100


def test_unbond__something_missing__comes_off_the_first(staked: StakingHarness) -> None:
    contract = staked.contract
    staked.slash(150)
    assert contract.unbond([0], sender=staked.validator) == 0
    assert contract.unbond([1], sender=staked.validator) == 50
    assert staked.figures() == (150, 0, 50, 1, 2)
    assert contract.unbond([2], sender=staked.validator) == 100
    assert staked.figures() == (150, 0, 150, 0, 3)


def test_withdraw_tickets__something_missing__pays_no_ticket_before_its_time(
    staked: StakingHarness,
) -> None:
    """Ticket 0 is worth nothing, 1 fifty; 2 is asked back a day later, worth a hundred."""
    contract = staked.contract
    staked.slash(150)
    contract.unbond([0, 1], sender=staked.validator)
    boa.env.timestamp += 86_400
    contract.unbond([2], sender=staked.validator)
    boa.env.timestamp += UNBONDING - 86_400
    assert contract.withdraw_tickets([1], sender=staked.validator) == 0
    assert contract.withdraw_tickets([0], sender=staked.validator) == 50
    boa.env.timestamp += 86_400
    assert contract.withdraw_tickets([2], sender=staked.validator) == 100
    assert staked.figures() == (0, 0, 0, 0, 0)


def test_withdraw_tickets__most_is_missing__pays_with_the_last(staked: StakingHarness) -> None:
    staked.slash(250)
    assert staked.contract.unbond([0, 1, 2], sender=staked.validator) == 50
    boa.env.timestamp += UNBONDING
    paid = [staked.contract.withdraw_tickets([i], sender=staked.validator) for i in (2, 0, 1)]
    assert paid == [0, 0, 50]
    assert staked.figures() == (0, 0, 0, 0, 0)


def test_unbond__all_stake_burned__clears_the_tickets_for_nothing(staked: StakingHarness) -> None:
    staked.slash(300)
    assert staked.contract.unbond([0, 1, 2], sender=staked.validator) == 0
    boa.env.timestamp += UNBONDING
    assert staked.contract.withdraw_tickets([0, 1, 2], sender=staked.validator) == 0
    assert staked.figures() == (0, 0, 0, 0, 0)
    assert staked.entry(staked.validator) == 0
    assert staked.entry(ZERO) == staked.token.balanceOf(staked.contract) == 300


# ------------------------------------------------------------------ slashers


@pytest.mark.parametrize("role", ["validator", "operator"])
def test_lock__free_stake__is_kept_for_the_obligation(staked: StakingHarness, role: str) -> None:
    contract = staked.contract
    actor = getattr(staked, role)
    contract.lock(staked.validator, actor, OBLIGATION, 120, sender=staked.slasher)
    assert events(contract) == [
        (
            "StakeLocked",
            {
                "validator": staked.validator,
                "slasher": staked.slasher,
                "obligation": OBLIGATION,
                "actor": actor,
                "amount": 120,
            },
        )
    ]
    assert staked.figures() == (300, 120, 0, 3, 0)
    assert contract.free(staked.validator) == 180
    assert tuple(contract.obligation(staked.slasher, OBLIGATION)) == (staked.validator, 120)
    assert tuple(contract.obligation(staked.other_slasher, OBLIGATION)) == (ZERO, 0)


def test_lock__same_name_at_two_slashers__makes_two_obligations(staked: StakingHarness) -> None:
    staked.lock(100)
    staked.lock(50, slasher=staked.other_slasher)
    assert staked.figures()[1] == 150
    staked.contract.release(OBLIGATION, sender=staked.other_slasher)
    assert staked.figures()[1] == 100
    assert tuple(staked.contract.obligation(staked.slasher, OBLIGATION)) == (staked.validator, 100)


def test_lock__all_of_the_free_stake__leaves_none(staked: StakingHarness) -> None:
    staked.lock(300)
    assert staked.contract.free(staked.validator) == 0


def test_release__obligation__frees_what_it_locks(staked: StakingHarness) -> None:
    contract = staked.contract
    staked.lock(120)
    contract.release(OBLIGATION, sender=staked.slasher)
    assert events(contract) == [
        (
            "LockReleased",
            {
                "validator": staked.validator,
                "slasher": staked.slasher,
                "obligation": OBLIGATION,
                "amount": 120,
            },
        )
    ]
    assert staked.figures() == (300, 0, 0, 3, 0)
    assert tuple(contract.obligation(staked.slasher, OBLIGATION)) == (ZERO, 0)
    staked.lock(10)  # the name may be used again
    assert tuple(contract.obligation(staked.slasher, OBLIGATION)) == (staked.validator, 10)


def test_release__no_such_obligation_or_released_before__has_no_effect(
    staked: StakingHarness,
) -> None:
    staked.lock(120)
    for obligation, slasher in (
        (OTHER_OBLIGATION, staked.slasher),
        (OBLIGATION, staked.other_slasher),
    ):
        staked.contract.release(obligation, sender=slasher)
        assert events(staked.contract) == []
        assert staked.figures() == (300, 120, 0, 3, 0)
    staked.contract.release(OBLIGATION, sender=staked.slasher)
    staked.contract.release(OBLIGATION, sender=staked.slasher)
    assert events(staked.contract) == []
    assert staked.figures() == (300, 0, 0, 3, 0)


def test_slash__part_then_more_than_is_left__burns_the_lock_once(staked: StakingHarness) -> None:
    contract = staked.contract
    staked.lock(120)
    left = 120
    for asked, burned in ((50, 50), (1_000, 70), (1, 0), (0, 0)):
        assert contract.slash(OBLIGATION, asked, sender=staked.slasher) == burned
        left -= burned
        assert events(contract) == [
            (
                "StakeSlashed",
                {
                    "validator": staked.validator,
                    "slasher": staked.slasher,
                    "obligation": OBLIGATION,
                    "amount": burned,
                },
            )
        ] * bool(burned)
        assert staked.figures() == (180 + left, left, 0, 3, 0)
        assert tuple(contract.obligation(staked.slasher, OBLIGATION)) == (staked.validator, left)
        assert staked.entry(ZERO) == 120 - left
    assert contract.free(staked.validator) == 180
    assert staked.token.balanceOf(contract) == 300
    contract.release(OBLIGATION, sender=staked.slasher)
    assert staked.figures() == (180, 0, 0, 3, 0)


@pytest.mark.parametrize("amount", [0, 1, 2**256 - 1])
def test_slash__no_such_obligation_or_released__burns_nothing(
    staked: StakingHarness, amount: int
) -> None:
    staked.lock(120)
    assert staked.contract.slash(OTHER_OBLIGATION, amount, sender=staked.slasher) == 0
    assert staked.contract.slash(OBLIGATION, amount, sender=staked.other_slasher) == 0
    staked.contract.release(OBLIGATION, sender=staked.slasher)
    assert staked.contract.slash(OBLIGATION, amount, sender=staked.slasher) == 0
    assert staked.figures() == (300, 0, 0, 3, 0)


def test_slash__validator_away_unbonding_and_rekeyed__reaches_the_lock(
    staked: StakingHarness,
) -> None:
    contract = staked.contract
    staked.lock(100)
    contract.set_available(staked.validator, False, sender=staked.validator)
    contract.set_operator(staked.stranger, sender=staked.validator)
    contract.unbond([0, 1], sender=staked.validator)
    contract.pause(sender=staked.admin)
    assert contract.slash(OBLIGATION, 100, sender=staked.slasher) == 100
    assert staked.figures() == (200, 0, 200, 1, 2)


def test_slash__then_new_tickets__leaves_missing_what_was_missing(staked: StakingHarness) -> None:
    staked.slash(30)
    ids = staked.stake(1)
    boa.env.timestamp += 1
    assert staked.figures() == (370, 0, 0, 4, 0)
    assert not staked.contract.is_eligible(ids[0], boa.env.timestamp)


# -------------------------------------------------------------------- views


@pytest.mark.parametrize(
    ("start", "count", "ids"),
    [
        (0, 70, range(64)),
        (0, 2**256 - 1, range(64)),
        (6, 64, range(6, 70)),
        (60, 64, range(60, 70)),
        (69, 1, [69]),
        (70, 5, []),
        (2**256 - 1, 2**256 - 1, []),
        (3, 0, []),
    ],
)
def test_tickets__any_page__holds_the_places_that_exist(
    registered: StakingHarness, start: int, count: int, ids: Any
) -> None:
    for number in (32, 32, 6):
        registered.stake(number)
        boa.env.timestamp += 1
    born = [boa.env.timestamp - 3] * 32 + [boa.env.timestamp - 2] * 32
    born += [boa.env.timestamp - 1] * 6
    page = registered.contract.tickets(start, count)
    assert [it.since for it in page] == [born[i] for i in ids]


def test_is_actor__unregistered_account__is_nobody(harness: StakingHarness) -> None:
    """The zero operator of an account that is not registered must not match the zero address."""
    for account in (ZERO, harness.stranger):
        assert not harness.contract.is_actor(harness.stranger, account)
        assert not harness.contract.is_actor(ZERO, account)


# -------------------------------------------------------------------- admin


def test_pause__admin__stops_and_allows(harness: StakingHarness) -> None:
    harness.contract.pause(sender=harness.admin)
    assert events(harness.contract) == [("Paused", {"account": harness.admin})]
    assert harness.contract.paused()
    harness.contract.unpause(sender=harness.admin)
    assert events(harness.contract) == [("Unpaused", {"account": harness.admin})]
    assert not harness.contract.paused()


def test_transfer_ownership__two_steps__hands_over(harness: StakingHarness) -> None:
    contract = harness.contract
    contract.transfer_ownership(harness.stranger, sender=harness.admin)
    assert events(contract) == [
        (
            "OwnershipTransferStarted",
            {"previous_owner": harness.admin, "new_owner": harness.stranger},
        )
    ]
    assert contract.owner() == harness.admin
    contract.accept_ownership(sender=harness.stranger)
    assert events(contract) == [
        ("OwnershipTransferred", {"previous_owner": harness.admin, "new_owner": harness.stranger})
    ]
    assert contract.owner() == harness.stranger
