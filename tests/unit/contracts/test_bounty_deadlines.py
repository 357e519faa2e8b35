# SPDX-License-Identifier: Apache-2.0
"""Every deadline of a bounty a second before, at the second, and a second after."""

from collections.abc import Callable
from typing import Any

import boa
import pytest

from tests.utils import bounty_reference as ref
from tests.utils.bounty_board import (
    FLAT,
    HALF,
    NOT_DELIVERED,
    REFUNDED,
    SETTLED,
    UNREADABLE,
    Bounty,
    BountyHarness,
    bounties,
    deployed_bounties,
)
from tests.utils.bounty_paper import pay_evidence
from tests.utils.contracts import at, reverts

__all__ = ["bounties", "deployed_bounties"]

Act = Callable[[], Any]
Deadline = Callable[[BountyHarness], tuple[int, Act]]
CASES: list[Any] = []
EARLY, LATE = "board: too early", "board: too late"


def until(case: Deadline) -> Deadline:
    """Add a call that is possible up to a moment, that second included."""
    for step, reason in ((-1, None), (0, None), (1, LATE)):
        CASES.append(pytest.param(case, step, reason, id=f"{case.__name__} {step:+d}"))
    return case


def after(case: Deadline) -> Deadline:
    """Add a call that is possible only when a moment is over."""
    for step, reason in ((-1, EARLY), (0, EARLY), (1, None)):
        CASES.append(pytest.param(case, step, reason, id=f"{case.__name__} {step:+d}"))
    return case


@until
def enroll_until_joining_ends(h: BountyHarness) -> tuple[int, Act]:
    b = h.start(to="open")
    return b.join_until, lambda: b.enroll_rows(0, 2)


@after
def close_joining_after_its_end(h: BountyHarness) -> tuple[int, Act]:
    b = h.start(to="open").enroll(closes=False)
    return b.join_until, lambda: h.board.close_joining(*b.head)


@after
def refund_a_bounty_nobody_joined(h: BountyHarness) -> tuple[int, Act]:
    b = h.start(to="open")
    return b.join_until, lambda: h.board.close_joining(*b.head)


@until
def draw_again_for_a_day(h: BountyHarness) -> tuple[int, Act]:
    b = h.start(to="drawn")
    boa.env.evm.patch.block_number += 300
    return b.mark + 86_400, lambda: h.board.fix_seed(b.id)


@after
def refund_without_a_seed_after_a_day(h: BountyHarness) -> tuple[int, Act]:
    b = h.start(to="drawn")
    return b.mark + 86_400, lambda: end(b, REFUNDED)


def end(b: Bounty, status: int) -> None:
    b.harness.board.end_bounty(*b.head)
    assert b.status == status


@until
def commit_until_labeling_ends(h: BountyHarness) -> tuple[int, Act]:
    b = h.start(to="label")
    return b.label_until, lambda: b.commit()


@until
def override_until_grace_ends(h: BountyHarness) -> tuple[int, Act]:
    b = h.start(to="committed")
    return b.commit_until, lambda: b.override(1)


@after
def refund_where_nobody_committed_after_grace(h: BountyHarness) -> tuple[int, Act]:
    b = h.start(to="label")
    return b.commit_until, lambda: end(b, REFUNDED)


@after
def post_after_grace(h: BountyHarness) -> tuple[int, Act]:
    b = h.start(to="committed")
    return b.commit_until, lambda: b.post_sealed(1)


@until
def post_until_scoring_begins(h: BountyHarness) -> tuple[int, Act]:
    b = h.start(to="committed")
    return b.post_until, lambda: b.post_one(1)


@after
def score_when_posting_is_over(h: BountyHarness) -> tuple[int, Act]:
    b = h.start(to="committed")
    return b.post_until, lambda: b.post_score()


@until
def score_until_silence_is_flat(h: BountyHarness) -> tuple[int, Act]:
    b = h.start(to="committed")
    return b.score_until, lambda: b.post_score()


@after
def flat_after_silence(h: BountyHarness) -> tuple[int, Act]:
    b = h.start(to="committed")
    return b.score_until, lambda: end(b, FLAT)


@after
def pay_flat_after_silence(h: BountyHarness) -> tuple[int, Act]:
    b = h.start(to="committed")
    return b.score_until, lambda: h.intake.payout(*b.head, pay_evidence(b.paper, 0))


@after
def settle_after_challenges(h: BountyHarness) -> tuple[int, Act]:
    b = h.start().post_score()
    return b.challenge_until, lambda: end(b, SETTLED)


@after
def half_after_challenges(h: BountyHarness) -> tuple[int, Act]:
    b = h.start(skill=-1).post_score()
    return b.challenge_until, lambda: end(b, HALF)


@until
def prove_an_answer_while_challenges_last(h: BountyHarness) -> tuple[int, Act]:
    b = h.start()
    entries = b.paper.entries()
    g, k = next((g, k) for g in range(30) for k in range(5) if entries[g][k] < 2)
    entries[g][k] = ref.ABSENT
    b.post_score(entries)
    return b.challenge_until, lambda: b.prove_answer(g, k)


@until
def prove_a_line_while_challenges_last(h: BountyHarness) -> tuple[int, Act]:
    b = h.start()
    lines = b.paper.lines(b.paper.entries())
    lines[1] ^= 1
    b.post_score(lines=lines)
    return b.challenge_until, lambda: b.prove_line(1)


@until
def prove_a_delivery_while_challenges_last(h: BountyHarness) -> tuple[int, Act]:
    b = h.start()
    b.paper.marks[1] = NOT_DELIVERED
    b.post_score()
    return b.challenge_until, lambda: b.prove_delivered(1, b.paper.acknowledge(1))


@until
def prove_readability_while_challenges_last(h: BountyHarness) -> tuple[int, Act]:
    b = h.start()
    b.paper.marks[1] = UNREADABLE
    b.post_score()
    return b.challenge_until, lambda: b.prove_readable(1)


@pytest.mark.parametrize(("case", "step", "reason"), CASES)
def test_deadline__a_second_before_at_and_after__decides(
    bounties: BountyHarness, case: Deadline, step: int, reason: str | None
) -> None:
    moment, act = case(bounties)
    with at(moment + step):
        if reason is None:
            act()
        else:
            with boa.reverts(reason):
                act()


def test_fix_seed__blocks_before_at_and_after__decide(bounties: BountyHarness) -> None:
    b = bounties.start(to="drawn")
    seed_block = int.from_bytes(bounties.board.seeds(b.id), "big")
    for block, is_fixed in ((0, None), (1, True), (256, True), (257, False)):
        with boa.env.anchor():
            boa.env.evm.patch.block_number = seed_block + block
            if is_fixed is None:
                with reverts(bounties.board, EARLY):
                    bounties.board.fix_seed(b.id)
                continue
            bounties.board.fix_seed(b.id)
            assert (b.status == 3) is is_fixed
            if not is_fixed:
                again = int.from_bytes(bounties.board.seeds(b.id), "big")
                assert again == seed_block + block + 2
