# SPDX-License-Identifier: Apache-2.0
"""What a deployment of Truthmark consists of, in order (docs/deploy.md)."""

from truthmark.chain.deployment import Expect, Invoke, Param, Plan, Ref, Step
from truthmark.chain.roles import SLASHERS

SUPPLY = 10**9 * 10**18
"""Of the stake token, in its smallest unit."""

TOKEN = Step("token", "ProtocolToken", (Param("holder"), SUPPLY))

PROTOCOL = Plan(
    parameters=(
        "deployer",
        "owner",
        "treasury",
        "holder",
        "ticket",
        "unbonding_seconds",
        "min_window",
        "max_window",
    ),
    steps=(
        TOKEN,
        Step(
            "staking",
            "ValidatorStaking",
            (Ref("token"), Param("ticket"), Param("unbonding_seconds"), Param("deployer")),
            checks=(
                Expect("TOKEN", Ref("token")),
                Expect("TICKET", Param("ticket")),
                Expect("UNBONDING_SECONDS", Param("unbonding_seconds")),
            ),
        ),
        Step(
            "bounty_board",
            "BountyBoard",
            (Param("deployer"), Param("treasury")),
            checks=(Expect("TREASURY", Param("treasury")),),
        ),
        Step(
            "bounty_intake",
            "BountyIntake",
            (Ref("bounty_board"),),
            checks=(Expect("BOARD", Ref("bounty_board")),),
        ),
        Step(
            "bounty_proofs",
            "BountyProofs",
            (Ref("bounty_board"),),
            calls=(
                Invoke(
                    "fix_parts",
                    (Ref("bounty_intake"), Ref("bounty_proofs")),
                    target="bounty_board",
                ),
                Invoke("transfer_ownership", (Param("owner"),), target="bounty_board"),
            ),
            checks=(
                Expect("BOARD", Ref("bounty_board")),
                Expect("intake", Ref("bounty_intake"), target="bounty_board"),
                Expect("proofs", Ref("bounty_proofs"), target="bounty_board"),
            ),
        ),
        Step("proofs", "DeliveryProofs"),
        Step("judge", "ShardJudge"),
        Step("openings", "Openings"),
        Step(
            "checks",
            "ListingChecks",
            (Ref("bounty_board"),),
            checks=(Expect("BOARD", Ref("bounty_board")),),
        ),
        Step(
            "registry",
            "DatasetRegistry",
            (
                Param("deployer"),
                Ref("staking"),
                Ref("checks"),
                Param("min_window"),
                Param("max_window"),
            ),
            checks=(
                Expect("STAKING", Ref("staking")),
                Expect("CHECKS", Ref("checks")),
            ),
        ),
        Step(
            "market",
            "DatasetMarket",
            (
                Ref("registry"),
                Ref("proofs"),
                Ref("judge"),
                Ref("bounty_intake"),
                Param("treasury"),
            ),
            calls=(
                # They name each other; what is deployed first is told afterwards, once.
                Invoke("fix_slashers", ([Ref(role) for role in SLASHERS],), target="staking"),
                Invoke("fix_market", (Ref("market"),), target="registry"),
                # The owner accepts with a call of their own; until then the deployer may pause.
                Invoke("transfer_ownership", (Param("owner"),), target="registry"),
                Invoke("transfer_ownership", (Param("owner"),), target="staking"),
            ),
            checks=(
                Expect("REGISTRY", Ref("registry")),
                Expect("PROOFS", Ref("proofs")),
                Expect("JUDGE", Ref("judge")),
                Expect("INTAKE", Ref("bounty_intake")),
                Expect("TREASURY", Param("treasury")),
                Expect("market", Ref("market"), target="registry"),
                Expect("slashers", [Ref(role) for role in SLASHERS], target="staking"),
            ),
        ),
        Step(
            "reviews",
            "Reviews",
            (Ref("market"),),
            checks=(Expect("MARKET", Ref("market")),),
        ),
    ),
)
