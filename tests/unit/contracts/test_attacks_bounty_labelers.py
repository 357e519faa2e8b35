# SPDX-License-Identifier: Apache-2.0
"""Attacks by the labelers of a bounty.

Each names the rule that defends against it; numbers in names are stable: the threat model
refers to them.
"""

import random

import boa
import pytest

from tests.utils import bounty_reference as ref
from tests.utils.bounty_attacks import ONE
from tests.utils.bounty_board import (
    HALF,
    PROVEN,
    SCORED_HALF,
    SETTLED,
    UNREADABLE,
    BountyHarness,
    bounties,
    deploy_bounties,
    deployed_bounties,
)
from tests.utils.contracts import reverts
from tests.utils.tokens import Mode, deploy_hostile_token, deployer

__all__ = ["bounties", "deployed_bounties"]


def test_29__labeler_commits_a_prefix__is_scored_on_the_whole_run(bounties: BountyHarness) -> None:
    # BountyProofs._millionths: `scored` counts the run by the roster: one seat is no way to HALF.
    b = bounties.start(29, to="label", skill=0.95)
    b.paper.commits[1] = b.paper.label(1, 1, skill=-1)
    b.commit().later(b.post_until)
    lines = b.paper.lines(b.paper.entries())
    assert lines[1] != ONE // 2
    lines[1] = ONE // 2
    b.post_score(lines=lines).prove_line(1)
    b.settle(PROVEN)


def test_30__labeler_signs_two_commits__one_stands_for_good(bounties: BountyHarness) -> None:
    # BountyBoard.set_override: once a worker.
    b = bounties.start(31, to="committed").override(1)
    better = b.paper.label(1, variant="better")
    with boa.reverts("board: overridden already"):
        b.override(1, better)


def test_31__labeler_overrides_when_labels_can_be_read__is_too_late(
    bounties: BountyHarness,
) -> None:
    # BountyBoard.set_override: until the end of grace; posting begins after it.
    b = bounties.start(32, to="post")
    with boa.reverts("board: too late"):
        b.override(1, b.paper.label(1, variant="better"))


def test_32__labeler_copies_a_file__it_opens_to_nothing(bounties: BountyHarness) -> None:
    # BountyProofs.prove_readable: board, bounty and worker are in the secrets.
    b = bounties.start(33, to="label")
    b.paper.commits[1] = b.paper.commits[2] = b.paper.label(1, 4)
    b.commit().later(b.post_until)
    b.paper.marks[2] = UNREADABLE
    b.post_score()
    with boa.reverts():
        b.prove_readable(2)
    b.later(b.challenge_until).settle(SETTLED)
    assert b.ledger.credited[b.paper.rows[2].payee] == 0


def test_33__labeler_spoils_one_seat__no_good_one_can_be_named(bounties: BountyHarness) -> None:
    # BountyProofs._root rebuilds all seats.
    b = bounties.start(34, to="label")
    good = b.paper.commits[1]
    other = b.paper.label(1, skill=0.0)
    good.root, good.levels = other.root, other.levels
    b.commit().later(b.post_until)
    b.paper.marks[1] = UNREADABLE
    b.post_score()
    with boa.reverts("proofs: not committed"):
        b.prove_readable(1)


def test_34__labelers_commit_garbage__paid_nothing_and_burned(bounties: BountyHarness) -> None:
    # BountyBoard._accepted: a mark pays nothing, to nobody.
    b = bounties.start(35, to="label")
    b.paper.commits[1] = b.paper.label(1, is_real=False)
    b.commit().later(b.post_until)
    b.paper.marks[1] = UNREADABLE
    b.post_score().later(b.challenge_until).settle(SETTLED)
    assert b.ledger.credited[b.paper.rows[1].payee] == 0


def test_35__labelers_do_not_come__their_seats_are_paid_back(bounties: BountyHarness) -> None:
    # BountyBoard._unused counts seats that nobody committed.
    b = bounties.start(36, seats=lambda w: 0 if w % 3 == 0 else 4)
    b.post_score()
    b.later(b.challenge_until).settle(HALF if b.score.is_half else SETTLED)


def test_36__no_shows_leave_gold_with_too_few_answers__it_does_not_count(
    bounties: BountyHarness,
) -> None:
    # scoring._judge: n >= min(3, K).
    b = bounties.start(37)
    entries = [[a, a, ref.ABSENT, ref.ABSENT, ref.ABSENT] for _, a in b.paper.gold]
    b.post_score(entries)
    assert b.score.verdict["half"] == "nothing counts" and b.status == SCORED_HALF


@pytest.mark.parametrize("strategy", ["constant", "random", "skip"])
def test_37__labelers_guess__get_next_to_nothing(bounties: BountyHarness, strategy: str) -> None:
    # scoring._millionths: class points, guessing is worth 0 of them.
    rng = random.Random(5)
    answers = {"constant": lambda _: 1, "random": lambda _: rng.randrange(2), "skip": lambda _: 2}
    b = bounties.start(
        38, to="label", skill=0.95, items=96, min_run=8, max_run=16, gold=even_gold()
    )
    for worker in (0, 1):
        b.paper.commits[worker] = b.paper.label(worker, answer=answers[strategy])
    lines = b.paper.lines(b.paper.entries())
    honest = [line for w, line in enumerate(lines) if w > 1]
    assert max(lines[0], lines[1]) < 0.5 * sum(honest) / len(honest)


def even_gold() -> list[tuple[int, int]]:
    return [(i, i // 2 % 2) for i in range(0, 96, 2)]


def test_38__labelers_guess_half__are_not_paid_in_full(bounties: BountyHarness) -> None:
    # full = 3: three quarters of the way to full pay. Half right by knowledge, half by a coin.
    classes, scored, q = 2, 8, 8_000_000
    # 75 % right of 8 items of weight 10^6.
    harness = deployer("test/ScoringHarness").deploy()
    paid = harness.millionths([[classes, scored, q * 3 // 4, q, full] for full in (2, 3)])
    assert paid == [(4 * 3_000_000) * ONE // (full * 9_000_000) for full in (2, 3)]
    assert paid[1] < ONE // 2


def test_39__payee_is_blocked_by_the_token__others_are_paid(bounties: BountyHarness) -> None:
    # ledger: payouts are entries; only that account's withdraw fails.
    token = deploy_hostile_token(decimals=6)
    h = deploy_bounties(token)
    b = h.start(39).post_score()
    b.later(b.challenge_until).pay_out()
    token.set_mode(Mode.BLOCKS)
    token.set_blocked(b.paper.rows[1].payee, True)
    with reverts(h.board, "hostile: blocked"):
        h.board.withdraw(token, b.paper.rows[1].payee, 0)
    assert h.board.withdraw(token, b.paper.rows[2].payee, 0) > 0


def test_40__ring_votes_gold_out__all_get_half(bounties: BountyHarness) -> None:
    # scoring._judge excludes at m >= 3 and 3m >= 2n.
    b = bounties.start(40)
    entries = [[1 - a] * 3 + [a, a] if g < 10 else [a] * 5 for g, (_, a) in enumerate(b.paper.gold)]
    verdict = b.paper.verdict(entries)
    # Three of five are 60 %: not enough. Four of five are.
    assert not any(verdict["excluded"])
    entries = [[1 - a] * 4 + [a] if g < 10 else [a] * 5 for g, (_, a) in enumerate(b.paper.gold)]
    b.post_score(entries)
    assert b.status == SCORED_HALF
