# SPDX-License-Identifier: Apache-2.0
"""What DatasetRegistry refuses, each reason by name; the table is held against the source."""

from collections.abc import Callable
from typing import Any

import boa
import pytest

from tests.utils.contracts import reasons, reverts
from tests.utils.market import ZERO, MarketContracts, contracts, deployed_contracts
from tests.utils.refusals import Refusals
from tests.utils.registry_refusals import custody, extension, listing
from tests.utils.registry_refusals.common import Call
from tests.utils.tokens import deployer

__all__ = ["contracts", "deployed_contracts"]
# What a case returns: the refused call, with its contract where that is not the registry.
Setup = Callable[[MarketContracts], Call | tuple[Any, Call]]
refused = Refusals(custody.refused, extension.refused, listing.refused)


@pytest.mark.parametrize(("reason", "setup"), refused.cases)
def test_registry__call_that_it_refuses__says_why(
    contracts: MarketContracts, reason: str, setup: Setup
) -> None:
    case = setup(contracts)
    contract, call = case if isinstance(case, tuple) else (contracts.registry, case)
    with reverts(contract, reason):
        call()


# -------------------------------------------------------------- constructor


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        ("registry: owner is zero", {0: ZERO}),
        ("registry: staking is zero", {1: ZERO}),
        ("registry: checks is zero", {2: ZERO}),
        ("registry: bad window bounds", {3: 0}),
        ("registry: bad window bounds", {3: 61, 4: 60}),
        ("registry: bad window bounds", {4: 365 * 86_400 + 1}),
    ],
)
def test_init__out_of_bounds__is_refused(
    contracts: MarketContracts, reason: str, change: dict[int, Any]
) -> None:
    arguments = [contracts.owner, contracts.staking, contracts.checks, 60, 120]
    for place, value in change.items():
        arguments[place] = value
    with boa.reverts(reason):
        deployer("DatasetRegistry").deploy(*arguments)


def test_init__checks_without_a_board__are_refused() -> None:
    with boa.reverts("listing: board is zero"):
        deployer("ListingChecks").deploy(ZERO)


def test_reasons__of_the_source__are_all_hit_by_name() -> None:
    of_constructor = {
        "registry: owner is zero",
        "registry: staking is zero",
        "registry: checks is zero",
        "registry: bad window bounds",
    }
    of_registry = {reason for reason in refused.reasons if reason.startswith("registry: ")}
    assert of_registry | of_constructor == reasons("DatasetRegistry.vy")
    of_checks = {reason for reason in refused.reasons if reason.startswith("listing: ")}
    # By the test above, and by test_royalties.py.
    elsewhere = {"listing: board is zero", "listing: bad royalty"}
    assert of_checks | elsewhere == reasons("ListingChecks.vy")
