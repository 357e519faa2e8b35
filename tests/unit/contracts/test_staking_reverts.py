# SPDX-License-Identifier: Apache-2.0
"""When each function of ValidatorStaking refuses: every reason by its words, access, pause."""

from collections.abc import Callable
from typing import Any

import boa
import pytest

from tests.utils.contracts import reasons, reverts
from tests.utils.staking import (
    KEY,
    OBLIGATION,
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

OFFER = ([], 0, 0, 0, 0, 0, False, "")

# ---------------------------------------------------------------- the reasons

# reason -> functions of a validator with three tickets, each of which must be refused with it
REFUSED: dict[str, list[Callable[[StakingHarness], Any]]] = {
    "staking: slashers are fixed": [
        lambda it: it.contract.fix_slashers([it.other_slasher], sender=it.admin),
    ],
    "staking: already registered": [
        lambda it: it.contract.register(it.operator, KEY, sender=it.validator),
    ],
    "staking: operator is zero": [
        lambda it: it.contract.register(ZERO, KEY, sender=it.stranger),
        lambda it: it.contract.set_operator(ZERO, sender=it.validator),
    ],
    "staking: encryption key is zero": [
        lambda it: it.contract.register(it.operator, b"\0" * 32, sender=it.stranger),
        lambda it: it.contract.set_encryption_key(b"\0" * 32, sender=it.validator),
    ],
    "staking: no tickets": [
        lambda it: it.contract.stake(0, sender=it.validator),
        lambda it: it.contract.unbond([], sender=it.validator),
        lambda it: it.contract.withdraw_tickets([], sender=it.validator),
    ],
    "staking: too many tickets": [
        lambda it: it.contract.stake(33, sender=it.validator),
        lambda it: it.contract.stake(2**256 - 1, sender=it.validator),
    ],
    "staking: top-up is zero": [
        lambda it: it.contract.top_up(0, sender=it.validator),
    ],
    "staking: not that much missing": [
        lambda it: it.contract.top_up(1, sender=it.validator),
        lambda it: (it.slash(30), it.contract.top_up(31, sender=it.validator)),
        lambda it: it.contract.top_up(1, sender=it.stranger),
    ],
    "staking: not the caller's ticket": [
        lambda it: it.contract.unbond([0], sender=it.stranger),
        lambda it: it.contract.unbond([0], sender=it.operator),
        lambda it: it.contract.unbond([3], sender=it.validator),
        lambda it: it.contract.unbond([2**256 - 1], sender=it.validator),
        lambda it: it.contract.withdraw_tickets([0], sender=it.stranger),
        lambda it: free_all_and(it, lambda: it.contract.unbond([1], sender=it.validator)),
        # one ticket twice: its place is free after the first
        lambda it: free_all_and(it, lambda: it.contract.withdraw_tickets([0], sender=it.validator)),
    ],
    "staking: already unbonding": [
        lambda it: it.contract.unbond([1, 1], sender=it.validator),
        lambda it: (
            it.contract.unbond([1], sender=it.validator),
            it.contract.unbond([0, 1], sender=it.validator),
        ),
    ],
    "staking: not enough free stake": [
        lambda it: it.lock(301),
        lambda it: it.lock(2**256 - 1),
        lambda it: (it.lock(200), it.lock(101, OTHER_OBLIGATION)),
        lambda it: (it.contract.unbond([0], sender=it.validator), it.lock(201)),
        lambda it: (it.lock(1), it.contract.unbond([0, 1, 2], sender=it.validator)),
        lambda it: (it.lock(201), it.contract.unbond([0], sender=it.validator)),
        # all of it: bonded 50 are locked, the ticket that goes is worth the 50
        lambda it: (it.slash(250), it.lock(50), unbond_each(it)),
    ],
    "staking: not unbonding": [
        lambda it: it.contract.withdraw_tickets([0], sender=it.validator),
    ],
    "staking: still unbonding": [
        lambda it: (
            it.contract.unbond([0], sender=it.validator),
            it.contract.withdraw_tickets([0], sender=it.validator),
        ),
    ],
    "staking: validator unavailable": [
        lambda it: (
            it.contract.set_available(it.validator, False, sender=it.operator),
            it.lock(1),
        ),
    ],
    "staking: lock is zero": [lambda it: it.lock(0)],
    "staking: obligation is in use": [
        lambda it: (it.lock(1), it.lock(1)),
        # slashed to nothing, but not released
        lambda it: (
            it.lock(1),
            it.contract.slash(OBLIGATION, 1, sender=it.slasher),
            it.lock(1),
        ),
    ],
}


def free_all_and(it: StakingHarness, call: Callable[[], Any]) -> None:
    """Give all tickets back first."""
    it.contract.unbond([0, 1, 2], sender=it.validator)
    boa.env.timestamp += UNBONDING
    it.contract.withdraw_tickets([0, 1, 2], sender=it.validator)
    call()


def unbond_each(it: StakingHarness) -> None:
    for ticket_id in range(3):
        it.contract.unbond([ticket_id], sender=it.validator)


@pytest.mark.parametrize(
    ("reason", "call"),
    [(reason, call) for reason, calls in REFUSED.items() for call in calls],
    ids=lambda value: value.removeprefix("staking: ") if isinstance(value, str) else "",
)
def test_call__forbidden__is_refused_by_its_words(
    staked: StakingHarness, reason: str, call: Callable[[StakingHarness], Any]
) -> None:
    with reverts(staked.contract, reason):
        call(staked)


BAD_ARGUMENTS = {
    "staking: token has no code": {"token": "0x" + "77" * 20},
    "staking: ticket is zero": {"ticket": 0},
    "staking: ticket is too large": {"ticket": 2**96},
    "staking: unbonding is too short": {"seconds": 59},
    "staking: unbonding is too long": {"seconds": 90 * 86_400 + 1},
    "staking: owner is zero": {"owner": ZERO},
}


@pytest.mark.parametrize("reason", BAD_ARGUMENTS, ids=lambda text: text.removeprefix("staking: "))
def test_init__bad_argument__is_refused_by_its_words(harness: StakingHarness, reason: str) -> None:
    arguments = {
        "token": harness.token,
        "ticket": TICKET,
        "seconds": UNBONDING,
        "owner": harness.admin,
    }
    with boa.reverts(vm_error=reason):
        deployer("ValidatorStaking").deploy(*(arguments | BAD_ARGUMENTS[reason]).values())


def test_fix_slashers__none_or_a_person__is_refused() -> None:
    with boa.env.anchor():
        harness = deploy_harness(fix_slashers=False)
        with reverts(harness.contract, "staking: no slashers"):
            harness.contract.fix_slashers([], sender=harness.admin)
        with reverts(harness.contract, "staking: slasher has no code"):
            harness.contract.fix_slashers([harness.slasher, harness.stranger], sender=harness.admin)
        # A key that lends itself code (EIP-7702) would be a person again a moment later.
        boa.env.set_code(
            harness.stranger, b"\xef\x01\x00" + bytes.fromhex(str(harness.slasher)[2:])
        )
        with reverts(harness.contract, "staking: slasher is a key"):
            harness.contract.fix_slashers([harness.stranger], sender=harness.admin)
        assert harness.contract.slashers() == []
        assert not harness.contract.is_slasher(harness.slasher)


def test_stake__before_slashers_are_fixed__is_refused() -> None:
    """Attack: the admin names a slasher that burns everything, once there is something."""
    with boa.env.anchor():
        harness = deploy_harness(fix_slashers=False)
        harness.contract.register(harness.operator, KEY, sender=harness.validator)
        with reverts(harness.contract, "staking: slashers are not fixed"):
            harness.stake(1)
        assert harness.token.balanceOf(harness.contract) == 0


def test_stake__figures_would_run_over__is_refused(harness: StakingHarness) -> None:
    largest = 2**96 - 1
    contract = deployer("ValidatorStaking").deploy(harness.token, largest, UNBONDING, harness.admin)
    contract.fix_slashers([harness.slasher], sender=harness.admin)
    contract.register(harness.operator, KEY, sender=harness.validator)
    harness.token.mint(harness.validator, 2 * largest)
    harness.token.approve(contract, 2 * largest, sender=harness.validator)
    with reverts(contract, "staking: stake is too large"):
        contract.stake(2, sender=harness.validator)
    assert contract.stake(1, sender=harness.validator) == [0]
    with reverts(contract, "staking: stake is too large"):
        contract.stake(1, sender=harness.validator)
    # The largest figures there can be do not touch their neighbours in the word.
    contract.lock(harness.validator, harness.validator, OBLIGATION, largest, sender=harness.slasher)
    it = contract.validator(harness.validator)
    assert (it.stake, it.locked, it.ticket_count) == (largest, largest, 1)
    assert tuple(contract.obligation(harness.slasher, OBLIGATION)) == (harness.validator, largest)
    assert contract.slash(OBLIGATION, largest, sender=harness.slasher) == largest
    it = contract.validator(harness.validator)
    assert (it.stake, it.locked, it.ticket_count) == (0, 0, 1)


def test_reasons__in_the_source__are_all_tested_here() -> None:
    elsewhere = {
        "staking: no slashers",
        "staking: slasher has no code",
        "staking: slasher is a key",
        "staking: slashers are not fixed",
        "staking: stake is too large",
        "staking: not registered",  # the access table
        "staking: not owner or operator",
        "staking: caller is not a slasher",
    }
    assert reasons("ValidatorStaking.vy") == {*REFUSED, *BAD_ARGUMENTS, *elsewhere}


# --------------------------------------------------------------------- access

ROLES = ["admin", "validator", "operator", "stranger", "slasher", "other_slasher"]
OWNABLE = "ownable: caller is not the owner"
NOT_REGISTERED = "staking: not registered"
NOT_ACTOR = "staking: not owner or operator"
NOT_SLASHER = "staking: caller is not a slasher"

# function -> arguments, who may, what the others hear
ACCESS: dict[str, tuple[Callable[[StakingHarness], tuple[Any, ...]], set[str], str]] = {
    "pause": (lambda it: (), {"admin"}, OWNABLE),
    "unpause": (lambda it: (), {"admin"}, OWNABLE),
    "fix_slashers": (lambda it: ([it.slasher],), {"admin"}, OWNABLE),
    "transfer_ownership": (lambda it: (it.stranger,), {"admin"}, OWNABLE),
    "accept_ownership": (lambda it: (), {"admin"}, "ownable_2step: caller is not the new owner"),
    "set_operator": (lambda it: (it.stranger,), {"validator"}, NOT_REGISTERED),
    "set_encryption_key": (lambda it: (KEY,), {"validator"}, NOT_REGISTERED),
    "stake": (lambda it: (1,), {"validator"}, NOT_REGISTERED),
    "set_available": (
        lambda it: (it.validator, False),
        {"validator", "operator"},
        NOT_ACTOR,
    ),
    "publish_offer": (
        lambda it: (it.validator, OFFER),
        {"validator", "operator"},
        NOT_ACTOR,
    ),
    "unbond": (lambda it: ([0],), {"validator"}, "staking: not the caller's ticket"),
    "withdraw_tickets": (lambda it: ([2],), {"validator"}, "staking: not the caller's ticket"),
    "top_up": (lambda it: (5,), {"validator"}, "staking: not that much missing"),
    "lock": (
        lambda it: (it.validator, it.operator, OTHER_OBLIGATION, 5),
        {"slasher", "other_slasher"},
        NOT_SLASHER,
    ),
    "release": (lambda it: (OBLIGATION,), {"slasher", "other_slasher"}, NOT_SLASHER),
    "slash": (lambda it: (OBLIGATION, 5), {"slasher", "other_slasher"}, NOT_SLASHER),
    "register": (
        lambda it: (it.operator, KEY),
        set(ROLES) - {"validator"},
        "staking: already registered",
    ),
    "withdraw": (lambda it: (it.token.address, it.validator, 0), set(ROLES), ""),
}


@pytest.fixture
def ready(staked: StakingHarness, request: pytest.FixtureRequest) -> StakingHarness:
    """Bring about a state in which every function works for all who may call it."""
    contract = staked.contract
    staked.token.mint(staked.validator, 1_000)
    staked.token.approve(contract, 1_000, sender=staked.validator)
    staked.slash(5, OTHER_OBLIGATION)
    staked.lock(5)
    contract.unbond([2], sender=staked.validator)
    boa.env.timestamp += UNBONDING
    contract.set_available(staked.validator, True, sender=staked.validator)
    return staked


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", ACCESS)
def test_access__each_function_by_each_role__only_for_those_named(
    ready: StakingHarness, name: str, role: str
) -> None:
    arguments, allowed, refusal = ACCESS[name]
    contract = ready.contract
    if name == "unpause":
        contract.pause(sender=ready.admin)
    if name == "accept_ownership":
        contract.transfer_ownership(ready.admin, sender=ready.admin)
    if name == "top_up":  # unbonding paid what was missing; lose some more
        contract.slash(OBLIGATION, 5, sender=ready.slasher)
    sender = getattr(ready, role)
    if name == "fix_slashers" and role in allowed:
        refusal, allowed = "staking: slashers are fixed", set()
    if role in allowed:
        getattr(contract, name)(*arguments(ready), sender=sender)
    else:
        with reverts(contract, refusal):
            getattr(contract, name)(*arguments(ready), sender=sender)


def test_access__table__holds_every_function_that_writes(harness: StakingHarness) -> None:
    writing = {
        entry["name"]
        for entry in harness.contract.abi
        if entry["type"] == "function" and entry["stateMutability"] == "nonpayable"
    }
    assert writing == set(ACCESS)


@pytest.mark.parametrize("actor", ["stranger", "admin", "slasher"])
def test_lock__for_an_actor_who_is_not_the_validators__is_refused(
    ready: StakingHarness, actor: str
) -> None:
    with reverts(ready.contract, NOT_ACTOR):
        ready.contract.lock(
            ready.validator, getattr(ready, actor), OTHER_OBLIGATION, 1, sender=ready.slasher
        )


def test_lock__by_the_replaced_operator__is_refused(ready: StakingHarness) -> None:
    ready.contract.set_operator(ready.stranger, sender=ready.validator)
    with reverts(ready.contract, NOT_ACTOR):
        ready.lock(1, OTHER_OBLIGATION)


def test_lock__for_no_validator__is_refused(ready: StakingHarness) -> None:
    """An account without an operator must not be served by the zero address."""
    with reverts(ready.contract, NOT_ACTOR):
        ready.contract.lock(ZERO, ZERO, OTHER_OBLIGATION, 1, sender=ready.slasher)


# ---------------------------------------------------------------------- pause


@pytest.mark.parametrize("name", sorted(set(ACCESS) - {"pause", "unpause", "fix_slashers"}))
def test_pause__each_function__stops_entries_only(ready: StakingHarness, name: str) -> None:
    arguments, allowed, _ = ACCESS[name]
    contract = ready.contract
    role = "stranger" if name == "register" else min(allowed)
    if name == "accept_ownership":
        contract.transfer_ownership(ready.admin, sender=ready.admin)
    if name == "top_up":
        contract.slash(OBLIGATION, 5, sender=ready.slasher)
    contract.pause(sender=ready.admin)
    if name in ("register", "stake"):
        with reverts(contract, "pausable: contract is paused"):
            getattr(contract, name)(*arguments(ready), sender=getattr(ready, role))
    else:
        getattr(contract, name)(*arguments(ready), sender=getattr(ready, role))


def test_pause__twice_or_unpause_unpaused__is_refused(harness: StakingHarness) -> None:
    with reverts(harness.contract, "pausable: contract is not paused"):
        harness.contract.unpause(sender=harness.admin)
    harness.contract.pause(sender=harness.admin)
    with reverts(harness.contract, "pausable: contract is paused"):
        harness.contract.pause(sender=harness.admin)


def test_abi__of_the_admin__has_no_way_to_leave(harness: StakingHarness) -> None:
    assert not hasattr(harness.contract, "renounce_ownership")
