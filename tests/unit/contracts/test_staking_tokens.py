# SPDX-License-Identifier: Apache-2.0
"""ValidatorStaking over hostile tokens, re-entry from their hooks, and its size and interface."""

from collections.abc import Iterator
from typing import Any

import boa
import pytest

from tests.utils.contracts import CONTRACTS, reverts
from tests.utils.staking import (
    KEY,
    OBLIGATION,
    OTHER_OBLIGATION,
    UNBONDING,
    ZERO,
    StakingHarness,
    deploy_harness,
)
from tests.utils.tokens import KINDS, WELL_BEHAVED, Kind, Mode, deploy_hostile_token, deployer

GAS = 4_000_000
CODE_LIMIT = 24_576 * 95 // 100


@pytest.fixture
def hostile() -> Iterator[StakingHarness]:
    """Stake in a token that behaves until told, itself one of the slashers, so it can do most."""
    with boa.env.anchor():
        token = deploy_hostile_token()
        harness = deploy_harness(token, fix_slashers=False)
        harness.contract.fix_slashers([harness.slasher, token], sender=harness.admin)
        harness.contract.register(harness.operator, KEY, sender=harness.validator)
        harness.ids = harness.stake(3)
        harness.slash(50)
        harness.contract.unbond([0], sender=harness.validator)
        boa.env.timestamp += UNBONDING
        token.mint(harness.validator, 1_000)
        token.approve(harness.contract, 1_000, sender=harness.validator)
        token.set_blocked(harness.validator, True)
        yield harness


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("name", ["stake", "top_up"])
def test_pull__hostile_token__enters_exactly_or_not_at_all(
    hostile: StakingHarness, kind: Kind, name: str
) -> None:
    amount = 100
    hostile.slash(amount)
    before = hostile.figures()
    held = hostile.token.balanceOf(hostile.contract)
    hostile.token.set_mode(kind.mode)
    call = getattr(hostile.contract, name)
    argument = {"stake": 1, "top_up": amount}[name]
    if kind.pull is None:
        call(argument, sender=hostile.validator, gas=GAS)
        assert hostile.figures()[0] == before[0] + amount
        assert hostile.token.balanceOf(hostile.contract) == held + amount
    else:
        with reverts(hostile.contract, kind.pull) if kind.pull else pytest.raises(boa.BoaError):
            call(argument, sender=hostile.validator, gas=GAS)
        assert hostile.figures() == before


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_exit__hostile_token__only_the_last_step_can_fail(
    hostile: StakingHarness, kind: Kind
) -> None:
    """Everything up to the ledger entry works without the token; it waits there for the token."""
    contract = hostile.contract
    hostile.token.set_mode(kind.mode)
    hostile.lock(40)
    assert contract.slash(OBLIGATION, 10, sender=hostile.slasher) == 10
    contract.release(OBLIGATION, sender=hostile.slasher)
    contract.unbond([1, 2], sender=hostile.validator)
    boa.env.timestamp += UNBONDING
    assert contract.withdraw_tickets([0, 1, 2], sender=hostile.validator) == 240
    assert hostile.entry(hostile.validator) == 240
    if kind.withdraw is None:
        assert contract.withdraw(hostile.token, hostile.validator, 0, gas=GAS) == 240
        assert hostile.entry(hostile.validator) == 0
    else:
        with pytest.raises(boa.BoaError):
            contract.withdraw(hostile.token, hostile.validator, 0, gas=GAS)
        hostile.token.set_mode(WELL_BEHAVED)
        assert contract.withdraw(hostile.token, hostile.validator, 0) == 240
    assert hostile.entry(ZERO) == 60


def calls(it: StakingHarness) -> dict[str, tuple[str, tuple[Any, ...], str]]:
    """Calls that all go through when nothing is going on: name, arguments, sender."""
    return {
        "register": ("register", (it.operator, KEY), it.token.address),
        "set_available": ("set_available", (it.token.address, False), it.token.address),
        "stake": ("stake", (1,), it.validator),
        "top_up": ("top_up", (20,), it.validator),
        "unbond": ("unbond", ([1],), it.validator),
        "withdraw_tickets": ("withdraw_tickets", ([0],), it.validator),
        "withdraw": ("withdraw", (it.token.address, it.validator, 0), it.stranger),
        "lock": ("lock", (it.validator, it.operator, OTHER_OBLIGATION, 5), it.token.address),
        "slash": ("slash", (OBLIGATION, 5), it.token.address),
        "release": ("release", (OBLIGATION,), it.token.address),
        "free": ("free", (it.validator,), it.stranger),
        "validator": ("validator", (it.validator,), it.stranger),
        "balances": ("balances", (it.token.address, it.validator), it.stranger),
        "is_eligible": ("is_eligible", (1, 2_000_000_001), it.stranger),
    }


@pytest.mark.parametrize("mode", [Mode.HOOK_BEFORE, Mode.HOOK_AFTER])
@pytest.mark.parametrize("outer", ["stake", "top_up", "withdraw"])
@pytest.mark.parametrize(
    "inner",
    [
        "register",
        "set_available",
        "withdraw",
        "lock",
        "slash",
        "release",
        "free",
        "validator",
        "balances",
        "is_eligible",
    ],
)
def test_reentry__from_the_tokens_hook__is_locked_out(
    hostile: StakingHarness, outer: str, inner: str, mode: Mode
) -> None:
    """The hook calls as the token, which is a slasher here, and where it must a validator."""
    contract, token = hostile.contract, hostile.token
    contract.withdraw_tickets([0], sender=hostile.validator)  # so that there is an entry
    hostile.slash(20, OTHER_OBLIGATION)
    contract.lock(hostile.validator, hostile.operator, OBLIGATION, 5, sender=token.address)
    if inner == "set_available":
        contract.register(hostile.operator, KEY, sender=token.address)
    name, arguments, _ = calls(hostile)[inner]
    with boa.env.anchor():
        getattr(contract, name)(*arguments, sender=token.address)
    token.set_hook(contract, getattr(contract, name).prepare_calldata(*arguments), 1)
    token.set_mode(mode)
    name, arguments, sender = calls(hostile)[outer]
    getattr(contract, name)(*arguments, sender=sender)
    assert token.hook_count() == 0
    assert not token.hook_success()
    assert token.hook_response() == b""


def test_code__of_each_contract__leaves_five_per_cent() -> None:
    with boa.env.anchor():
        harness = deploy_harness()
        token = deployer("ProtocolToken").deploy(harness.admin, 1)
        for contract in (harness.contract, token):
            assert len(boa.env.get_code(contract.address)) < CODE_LIMIT


def test_abi__of_the_contract__holds_all_of_its_interface() -> None:
    """The compiler takes a function that lacks its return value, so signatures are compared."""
    interface = boa.load_vyi(str(CONTRACTS / "interfaces/IValidatorStaking.vyi"))
    ledger = boa.load_vyi(str(CONTRACTS / "interfaces/ILedger.vyi"))
    with boa.env.anchor():
        have = [signature(entry) for entry in deploy_harness().contract.abi]
    want = [signature(entry) for source in (interface, ledger) for entry in source.abi]
    assert len(want) > 40
    assert [entry for entry in want if entry not in have] == []


def signature(entry: dict[str, Any]) -> tuple[Any, ...]:
    """What a caller depends on; getters have no names for their arguments."""

    def types(parameters: list[dict[str, Any]]) -> tuple[Any, ...]:
        return tuple(
            (it["type"], it.get("indexed"), types(it.get("components", []))) for it in parameters
        )

    return (
        entry["type"],
        entry.get("name"),
        entry.get("stateMutability"),
        types(entry.get("inputs", [])),
        types(entry.get("outputs", [])),
    )
