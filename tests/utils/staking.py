# SPDX-License-Identifier: Apache-2.0
"""Validator staking on titanoboa, ready to be used, for the tests of several files."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import boa
import pytest

from tests.utils.tokens import deploy_test_token, deployer, fund

ZERO = "0x" + "00" * 20
KEY = b"\x11" * 32
OTHER_KEY = b"\x22" * 32
OBLIGATION = b"\xd1" * 32
OTHER_OBLIGATION = b"\xd2" * 32
TICKET = 100
UNBONDING = 14 * 86_400


@dataclass
class StakingHarness:
    """The contract, its token, and everybody who may have to do with it."""

    token: Any
    contract: Any
    admin: str
    validator: str
    operator: str
    stranger: str
    slasher: str
    other_slasher: str
    ids: list[int] = field(default_factory=list)

    def stake(self, count: int, validator: str | None = None) -> list[int]:
        """Fund a validator with the price of `count` tickets, stake them, and return their ids."""
        validator = validator or self.validator
        fund(self.token, validator, self.contract.address, count * TICKET)
        return list(self.contract.stake(count, sender=validator))

    def lock(self, amount: int, obligation: bytes = OBLIGATION, slasher: str | None = None) -> None:
        """Lock stake of the validator, as its operator."""
        self.contract.lock(
            self.validator, self.operator, obligation, amount, sender=slasher or self.slasher
        )

    def slash(self, amount: int, obligation: bytes = OBLIGATION) -> int:
        """Lock and burn, and release what is left."""
        self.lock(amount, obligation)
        burned = self.contract.slash(obligation, amount, sender=self.slasher)
        self.contract.release(obligation, sender=self.slasher)
        return int(burned)

    def figures(self, validator: str | None = None) -> tuple[int, int, int, int, int]:
        """Return stake, locked, unbonding, tickets and unbonding tickets."""
        it = self.contract.validator(validator or self.validator)
        return (it.stake, it.locked, it.unbonding, it.ticket_count, it.unbonding_ticket_count)

    def entry(self, account: str) -> int:
        """Return the ledger's entry of an account in the stake token."""
        return int(self.contract.balances(self.token, account))


def deploy_harness(token: Any = None, fix_slashers: bool = True) -> StakingHarness:
    """Deploy the contract over `token`, with two slashers, nobody registered yet."""
    # The clock starts at a round time, so that failing tests are easy to read.
    boa.env.timestamp = 2_000_000_000
    token = token or deploy_test_token("Stake", "STK", 18)
    account = boa.env.generate_address
    admin = account("admin")
    contract = deployer("ValidatorStaking").deploy(token, TICKET, UNBONDING, admin)
    # Slashers are contracts; which code they have does not matter to a test that speaks for them.
    slashers = [deploy_test_token().address for _ in range(2)]
    if fix_slashers:
        contract.fix_slashers(slashers, sender=admin)
    return StakingHarness(
        token,
        contract,
        admin,
        account("validator"),
        account("operator"),
        account("stranger"),
        *slashers,
    )


@pytest.fixture(scope="module")
def deployed() -> Iterator[StakingHarness]:
    """Deploy once for a file."""
    with boa.env.anchor():
        yield deploy_harness()


@pytest.fixture
def harness(deployed: StakingHarness) -> Iterator[StakingHarness]:
    """Provide a contract with slashers and nothing else; undone after the test."""
    with boa.env.anchor():
        yield deployed


@pytest.fixture
def registered(harness: StakingHarness) -> StakingHarness:
    """Add a validator without stake."""
    harness.contract.register(harness.operator, KEY, sender=harness.validator)
    return harness


@pytest.fixture
def staked(registered: StakingHarness) -> StakingHarness:
    """Give the validator three tickets, staked ten seconds ago."""
    registered.ids = registered.stake(3)
    boa.env.timestamp += 10
    return registered
