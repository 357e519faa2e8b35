# SPDX-License-Identifier: Apache-2.0
"""What the contracts of bounties refuse, each reason by name, held against the sources."""

from typing import Any

import boa
import pytest

from tests.utils.bounty_board import BountyHarness, bounties, deployed_bounties
from tests.utils.bounty_refusals import joining, labels, proofs
from tests.utils.bounty_refusals.common import SOMEBODY, Setup
from tests.utils.bounty_rows import ZERO
from tests.utils.contracts import reasons, reverts
from tests.utils.drafts import word_of
from tests.utils.refusals import Refusals
from tests.utils.tokens import deployer

__all__ = ["bounties", "deployed_bounties"]
refused = Refusals(joining.refused, labels.refused, proofs.refused)


# ------------------------------------------------------------------- terms


POINT_OFF_THE_CURVE = {"key_x": 5, "key_y": 5}
TERMS = [
    ("intake: bad token", {"token": 0}),
    ("intake: bad token", {"token": 2**160}),
    ("intake: bad relay", {"relay": 0}),
    ("intake: bad relay", {"relay": 2**160}),
    ("intake: bad receiver", {"receiver": 2**160}),
    ("intake: bad gate", {"gate": 2**160}),
    ("intake: bad key", POINT_OFF_THE_CURVE),
    ("intake: bad key", {"key_x": 0, "key_y": 0}),
    ("intake: bad items", {"items": 0, "gold_count": 1}),
    ("intake: bad items", {"items": 2**24}),
    ("intake: bad rounds", {"rounds": 0, "gold_count": 1, "bond": 1}),
    ("intake: bad rounds", {"rounds": 10}),
    ("intake: bad rounds", {"rounds": 1, "min_seats": 12}),
    ("intake: bad batch", {"batch": 0, "gold_count": 1, "bond": 1, "min_seats": 1}),
    ("intake: bad batch", {"batch": 65}),
    ("intake: too many seats", {"items": 2**18, "batch": 1, "rounds": 2, "gold_count": 1}),
    ("intake: bad run", {"min_run": 0, "gold_count": 1}),
    ("intake: bad run", {"min_run": 9}),
    ("intake: bad run", {"max_run": 13}),
    ("intake: bad run", {"max_run": 64, "items": 64 * 4 * 2}),
    ("intake: bad least seats", {"min_seats": 0}),
    ("intake: bad least seats", {"min_seats": 61}),
    # Runs of seven fill seven of a round's twelve seats.
    ("intake: bad least seats", {"min_seats": 36, "min_run": 7}),
    *(
        ("intake: too much money", {name: 2**128})
        for name in (
            "price",
            "bond",
            "reward",
            "relay_fee",
            "tip",
            "post_call_fee",
            "post_worker_fee",
            "post_seat_fee",
        )
    ),
    *(
        ("intake: bad window", {f"{name}_seconds": seconds})
        for name in ("join", "label", "grace", "release", "score", "challenge")
        for seconds in (0, 2**23)
    ),
    ("intake: bad classes", {"classes": 0}),
    ("intake: bad classes", {"classes": 1}),
    ("intake: bad classes", {"classes": 255}),
    ("intake: bad classes", {"classes": 1, "team": True}),
    ("intake: bad classes", {"classes": 255, "team": True}),
    ("intake: bad gold", {"gold_count": 2_049, "items": 4_000}),
    ("intake: bad gold", {"gold_count": 49}),
    ("intake: bad gold", {"gold_commitment": bytes(32)}),
    ("intake: bad full", {"full": 1}),
    ("intake: bad full", {"full": 4}),
    ("intake: too few least seats", {"min_seats": 32}),
    ("intake: too little gold", {"gold_count": 29}),
    ("intake: too little gold", {"rounds": 3, "min_run": 6, "gold_count": 39}),
    ("intake: too little gold", {"rounds": 2, "min_run": 6, "gold_count": 27, "min_seats": 22}),
    ("intake: bond too small", {"bond": 23_999, "reward": 0}),
    ("intake: reward over bond", {"bond": 24_000, "reward": 24_001}),
    ("intake: bad team", {"team": True, "full": 3}),
    ("intake: bad team", {"team": True, "gold_commitment": word_of("gold")}),
    ("intake: bond of a team", {"team": True, "bond": 1}),
    ("intake: bond of a team", {"team": True, "reward": 1}),
    (
        "intake: too many codes",
        {"team": True, "classes": 0, "batch": 64, "items": 320, "max_run": 5},
    ),
]


def changed_terms(h: BountyHarness, changed: dict[str, Any]) -> Any:
    """Terms that are fine, but for what is changed after all else was derived."""
    later = {k: v for k, v in changed.items() if k != "team"}
    paper = h.draft(team=True, min_run=2) if "team" in changed else h.draft()
    return paper.terms._replace(**later)


@pytest.mark.parametrize(("reason", "changed"), TERMS, ids=str)
def test_check_terms__something_wrong__says_what(
    bounties: BountyHarness, reason: str, changed: dict[str, Any]
) -> None:
    terms = changed_terms(bounties, changed)
    with reverts(bounties.intake, reason):
        bounties.intake.check_terms(terms)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"min_seats": 33},
        {"gold_count": 30},
        {"bond": 24_000, "reward": 24_000},
        {"rounds": 3, "min_run": 8, "gold_count": 30, "min_seats": 24, "bond": 20_000}
        | {"gold_count": 30, "items": 32, "max_run": 8},
        {"rounds": 2, "min_run": 8, "max_run": 8, "items": 32, "gold_count": 14}
        | {"min_seats": 15, "bond": 9_999},
        {"classes": 254},
        {"team": True, "classes": 0, "batch": 32, "max_run": 2, "items": 64, "min_seats": 2},
        {"team": True, "classes": 0, "batch": 64, "items": 256, "max_run": 4},
        {"join_seconds": 1, "challenge_seconds": 2**23 - 1},
        {"receiver": 0, "gate": 2**160 - 1},
    ],
    ids=str,
)
def test_check_terms__at_the_edges__are_fine(
    bounties: BountyHarness, changed: dict[str, Any]
) -> None:
    terms = changed_terms(bounties, changed)
    assert bounties.intake.check_terms(terms) == terms.seats


# ------------------------------------------------------------ royalties, owner


# Called by everybody but the part for it; both parts are tried in the test of access.
SETTERS = {
    "set_roster": (bytes(32), [1], 1, 1, 1, True),
    "set_score": (bytes(32), 1, False),
    "pay": ([1], False),
    "set_override": (0, word_of("x"), 1),
    "set_posted": ([0], True),
    "prove": (0, 1),
}


@pytest.mark.parametrize("function", SETTERS)
@pytest.mark.parametrize("role", ["requester", "relay", "owner", "stranger", "part"])
def test_setters__not_by_their_part__are_refused(
    bounties: BountyHarness, function: str, role: str
) -> None:
    b = bounties.start(to="open")
    of_intake = function in ("set_roster", "set_score", "pay")
    other_part = bounties.proofs if of_intake else bounties.intake
    sender = str(other_part.address) if role == "part" else getattr(bounties, role)
    call = getattr(bounties.board, function)
    with reverts(bounties.board, "board: not the part for it"):
        call(*b.head, *SETTERS[function], bounties.requester, sender=sender)


@pytest.mark.parametrize(("reason", "setup"), refused.cases)
def test_bounties__call_that_they_refuse__say_why(
    bounties: BountyHarness, reason: str, setup: Setup
) -> None:
    board = bounties.board
    call = setup(bounties)
    with boa.reverts(reason) if reason else boa.reverts():
        call()
    bounties.board = board


@pytest.mark.parametrize(
    ("contract", "arguments", "reason"),
    [
        ("BountyBoard", (ZERO, SOMEBODY), "board: owner is zero"),
        ("BountyBoard", (SOMEBODY, ZERO), "board: treasury is zero"),
        ("BountyIntake", (ZERO,), "intake: board is zero"),
        ("BountyProofs", (ZERO,), "proofs: board is zero"),
    ],
)
def test_init__zero_address__is_refused(
    contract: str, arguments: tuple[Any, ...], reason: str
) -> None:
    with boa.reverts(reason):
        deployer(contract).deploy(*arguments)


def test_reasons__of_the_sources__are_all_hit_by_name() -> None:
    own = refused.reasons | {reason for reason, _ in TERMS}
    own |= {"board: not the part for it", "board: owner is zero", "board: treasury is zero"}
    own |= {"intake: board is zero", "proofs: board is zero"}
    # Of `pays`, by test_royalties.py.
    own |= {"intake: not ended", "intake: refunded", "intake: other terms"}
    sources = set().union(
        *(reasons(f"{name}.vy") for name in ("BountyBoard", "BountyIntake", "BountyProofs"))
    )
    assert sources <= own
    assert {
        reason for reason in own if reason.startswith(("board:", "intake:", "proofs:"))
    } <= sources
