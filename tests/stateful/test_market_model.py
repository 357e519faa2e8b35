# SPDX-License-Identifier: Apache-2.0
"""Registry, market and staking against a ledger in Python: every call of every role, in any order.

Each rule asks the ledger first, so every call must succeed or be refused as the ledger says. After
each call every word and entry is compared, read from storage, and all contracts must be solvent. At
the end everybody gets out alone, with entries paused by a hostile owner, and nothing is left.
"""

from collections import Counter
from typing import Any, ClassVar

import boa
import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.stateful.market_checks import Checks
from tests.stateful.market_listing_rules import ListingRules
from tests.stateful.market_money_rules import MoneyRules
from tests.stateful.market_state import flags, picks, shifts
from tests.stateful.market_verdict_rules import VerdictRules
from tests.stateful.running import run_machine
from tests.utils.bounty_board import PROVEN, SETTLED
from tests.utils.drafts import DELIVERY, INSPECTION, PERIOD, WINDOWS
from tests.utils.royalties import deploy_royalties
from tests.utils.tokens import deploy_hostile_token

VERDICTS = ("reject", "dispute_sealing", "rule", "review")


class MarketMachine(ListingRules, VerdictRules, MoneyRules, Checks):
    """All that may happen."""

    said: ClassVar[str] = VERDICTS[0]
    """what somebody says of the first sale: chance alone would seldom make them"""

    @initialize(hostile=flags, good=flags, n=st.integers(3, 5))
    def start_with_a_listing(self, hostile: bool, good: bool, n: int) -> None:
        good = good and self.said != "dispute_sealing"
        self.cite(0, 0)
        self.list_version(0, False, n, 2, hostile, good, 0, False, 1, False, 1, 500, 5_000, 1)
        self.accept_all(0)
        self.buy(0, 0, 0, True, True, True, False, False)
        self.top_up(0, 20)
        if self.said in ("reject", "review"):
            self.sell_and_hear(0, 0, self.said == "reject")
        elif self.said == "rule":
            self.rule_as_arbiter(0, 3, 1, 0)
        else:
            self.dispute_sealing(0, 1, False, 0)

    @rule(seconds=st.sampled_from([1, 12, 100, DELIVERY, INSPECTION, WINDOWS, PERIOD]))
    def wait(self, seconds: int) -> None:
        self.travel_to(self.now + seconds)

    @rule(pick=picks, shift=shifts)
    def wait_for_a_deadline(self, pick: int, shift: int) -> None:
        """Go to the second of a deadline, or one before or after."""
        moments = set()
        for version in self.ledger.versions.values():
            if version.stopped_at:
                moments |= {version.stopped_at + k * version.windows for k in (1, 2)}
        for custody in self.ledger.custodies.values():
            moments |= {custody.accept_until, custody.end, custody.previous_end}
            moments |= {custody.end - WINDOWS, custody.end - custody.period // 3}
            moments |= {custody.end + WINDOWS, custody.previous_end + WINDOWS}
            if custody.stopped_at:
                moments.add(custody.stopped_at + 2 * WINDOWS)
        moments |= {it.deadline for it in self.ledger.purchases.values()}
        ahead = sorted(it + shift for it in moments if it + shift >= self.now)
        if ahead:
            self.travel_to(ahead[pick % min(4, len(ahead))])


@pytest.fixture(scope="module", autouse=True)
def deployed() -> Any:
    """Deploy once; each run of the machine starts from here."""
    with boa.env.anchor():
        royal = MarketMachine.royal = deploy_royalties()
        contracts = MarketMachine.contracts = royal.contracts
        small: dict[str, Any] = {"items": 24, "batch": 2, "min_run": 6, "max_run": 12}
        MarketMachine.bounties = [
            royal.end(SETTLED, 3, **small, seats=lambda w: 5 if w == 1 else 63),
            royal.end(PROVEN, 4, **small, gap=1),
            royal.harness.start(5, **small, cuts=(2,)),
        ]
        MarketMachine.start = royal.contracts.now
        hostile = MarketMachine.hostile = deploy_hostile_token()
        for token in (contracts.token, hostile):
            for account in (
                contracts.seller,
                contracts.stranger,
                contracts.buyer,
                contracts.other_buyer,
            ):
                token.mint(account, 2**140)
                for spender in (contracts.registry, contracts.market):
                    token.approve(spender, 2**256 - 1, sender=account)
        MarketMachine.layout = {
            name: getattr(contract._storage, name).slot
            for contract, names in (
                (
                    contracts.registry,
                    ("_versions", "_custodies", "keeping_balances", "listing_count"),
                ),
                (contracts.market, ("_purchases", "purchase_count", "pools", "drawn")),
                (contracts.staking, ("_funds", "_unbonding")),
            )
            for name in names
        }
        MarketMachine.balances = {str(hostile.address): hostile._storage._balances.slot}
        for it in (contracts.token, contracts.stake_token):
            kept = it.compiler_data.storage_layout["storage_layout"]["erc20"]
            MarketMachine.balances[str(it.address)] = kept["balanceOf"]["slot"]
        for place in ("registry", "market", "staking"):
            storage = getattr(contracts, place).compiler_data.storage_layout["storage_layout"]
            MarketMachine.layout[f"{place} balances"] = storage["ledger"]["balances"]["slot"]
        yield


def run(said: str, examples: int) -> None:
    MarketMachine.said, MarketMachine.effects = said, Counter()
    run_machine(MarketMachine, examples, suppress_health_check=list(hypothesis.HealthCheck))
    # Rules whose calls are all refused would pass as well.
    found = {name: MarketMachine.effects[name] for name in VERDICTS}
    print(found, "of", examples)
    assert found[said] >= examples // 2, found


@pytest.mark.parametrize("said", VERDICTS)
def test_market__any_calls_in_any_order__agree_with_the_ledger(said: str) -> None:
    run(said, 10)


@pytest.mark.assure
@pytest.mark.parametrize("part", range(10))
def test_market__long_campaign__agrees_with_the_ledger(part: int) -> None:
    """1,000 runs in ten parts, so that a campaign can be resumed."""
    run(VERDICTS[part % len(VERDICTS)], 100)
