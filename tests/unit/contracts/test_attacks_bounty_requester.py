# SPDX-License-Identifier: Apache-2.0
"""Attacks by the requester of a bounty.

Each names the rule that defends against it; numbers in names are stable: the threat model
refers to them.
"""

from typing import Any

import boa
import pytest

from tests.utils import bounty_reference as ref
from tests.utils.bounty_attacks import ONE, YES_SIGNER, find
from tests.utils.bounty_board import (
    FLAT,
    HALF,
    NO_OPENING,
    NOT_DELIVERED,
    PROVEN,
    SCORED_HALF,
    SETTLED,
    UNREADABLE,
    Bounty,
    BountyHarness,
    bounties,
    deployed_bounties,
)
from tests.utils.bounty_paper import pay_evidence, tree_levels
from tests.utils.bounty_rows import ZERO, Commit, address_number
from truthmark.keys.curve import lift_x, multiply

__all__ = ["bounties", "deployed_bounties"]


def test_1__requester_never_scores__pays_everybody_and_the_bond(bounties: BountyHarness) -> None:
    # BountyBoard._end_in_time: LABEL with commits ends FLAT.
    b = bounties.start(1)
    b.later(b.score_until).settle(FLAT)
    back = b.ledger.credited[bounties.requester]
    assert back < b.ledger.taken - b.terms.bond - b.terms.seats * b.terms.seat_price


@pytest.mark.parametrize("lie", ["other class", "skip", "no answer at all"])
def test_2__requester_forges_an_answer__labeler_opens_it(bounties: BountyHarness, lie: str) -> None:
    # BountyProofs._answer: the committed label beats the byte; a byte that is none needs no label.
    b = bounties.start(2)
    g, k = find(b, lambda g, k: b.paper.entry(g, k) < 2)
    entries = b.paper.entries()
    entries[g][k] = {"other class": 1 - entries[g][k], "skip": ref.SKIP}.get(lie, 200)
    b.post_score(entries)
    b.prove_answer(g, k, opening=NO_OPENING if lie == "no answer at all" else None)
    b.settle(PROVEN)


def test_3__requester_denies_an_answer__anyone_shows_that_the_seat_is_committed(
    bounties: BountyHarness,
) -> None:
    # BountyProofs._answer: ABSENT is never the truth of a committed seat of a fine worker.
    b = bounties.start(3)
    g, k = find(b, lambda g, k: b.paper.entry(g, k) < 2)
    entries = b.paper.entries()
    entries[g][k] = ref.ABSENT
    b.post_score(entries).prove_answer(g, k, opening=NO_OPENING)
    b.settle(PROVEN)


@pytest.mark.parametrize("where", ["not committed", "marked", "gap", "beyond the roster"])
def test_4__requester_invents_an_answer__anyone_shows_that_there_is_none(
    bounties: BountyHarness, where: str
) -> None:
    # BountyProofs.prove_answer: the truth is ABSENT where no fine worker has committed the seat.
    gap = 1 if where == "gap" else 0
    filled = 4 if where == "beyond the roster" else None
    b = bounties.start(
        4, gap=gap, filled=filled, seats=lambda w: 2 if w == 2 and where == "not committed" else 4
    )
    if where == "marked":
        b.paper.marks[2] = NOT_DELIVERED

    def fits(g: int, k: int) -> bool:
        worker = b.paper.judge_of(g, k)
        if where == "beyond the roster":
            return worker is None
        wanted = 0 if where == "gap" else 2
        return worker == wanted and b.paper.entry(g, k) == ref.ABSENT

    g, k = find(b, fits)
    entries = b.paper.entries()
    entries[g][k] = b.paper.gold[g][1]
    b.post_score(entries).prove_answer(g, k, opening=NO_OPENING)
    b.settle(PROVEN)


@pytest.mark.parametrize("change", [-1, 1, "nothing", "all"])
def test_5__requester_writes_another_line__anyone_computes_it(
    bounties: BountyHarness, change: Any
) -> None:
    # BountyProofs._millionths runs permutation and scoring over the worker's round.
    b = bounties.start(5, skill=0.8)
    lines = b.paper.lines(b.paper.entries())
    worker = next(w for w, line in enumerate(lines) if 1 < line < ONE)
    true = lines[worker]
    lines[worker] = {"nothing": 0, "all": ONE, -1: true - 1, 1: true + 1}[change]
    b.post_score(lines=lines).prove_line(worker)
    b.settle(PROVEN)


def test_6__requester_overpays_a_friend__it_is_capped_and_can_be_proven(
    bounties: BountyHarness,
) -> None:
    # scoring.ONE caps every line; BountyBoard._accepted.
    b = bounties.start(6, skill=0.8)
    lines = b.paper.lines(b.paper.entries())
    lines[1] = 2**24 - 1
    b.post_score(lines=lines)
    with boa.env.anchor():
        bounties.proofs.prove_line(*b.head, *b.score.line_arguments(1))
        assert b.status == PROVEN
    b.later(b.challenge_until).settle(SETTLED)
    price = b.terms.price * b.paper.labels_in(1, b.paper.committed(1))
    assert b.ledger.credited[b.paper.rows[1].payee] == price


@pytest.mark.parametrize("line", [ONE + 1, 2**22 + 1, 2**23 + 1, 2**22 | 2**23, 2**24 - 1])
def test_7__requester_writes_what_is_no_mark_in_half__it_pays_half(
    bounties: BountyHarness, line: int
) -> None:
    # bounties._is_mark: two numbers are marks, nothing else can take the half away unproven.
    b = bounties.start(7, skill=-1)
    lines = b.paper.lines(b.paper.entries())
    lines[0] = line
    b.post_score(lines=lines)
    assert b.status == SCORED_HALF
    b.later(b.challenge_until).settle(HALF)
    price = b.terms.price * b.paper.labels_in(0, b.paper.committed(0))
    assert b.ledger.credited[b.paper.rows[0].payee] == price // 2


def test_8__requester_refuses_acknowledgements__labels_go_on_chain(
    bounties: BountyHarness,
) -> None:
    # BountyBoard.set_posted notes it; prove_delivered reads it.
    b = bounties.start(8, to="post").post_sealed(1, 2)
    b.later(b.post_until)
    b.paper.marks[1] = NOT_DELIVERED
    b.post_score().prove_delivered(1)
    b.settle(PROVEN)


def test_9__requester_denies_an_acknowledgement__it_is_shown(bounties: BountyHarness) -> None:
    # BountyProofs.prove_delivered: the receiver's signature over what was committed.
    b = bounties.start(9)
    b.paper.marks[1] = NOT_DELIVERED
    b.post_score().prove_delivered(1, b.paper.acknowledge(1))
    b.settle(PROVEN)


def test_10__receiver_is_a_contract_that_takes_back_what_it_said__it_never_counts(
    bounties: BountyHarness,
) -> None:
    # BountyProofs.prove_delivered takes `ecrecover` alone, so clients refuse such a receiver.
    says_yes = boa.loads(YES_SIGNER)
    b = bounties.start(10, receiver=address_number(says_yes.address))
    b.paper.marks[1] = NOT_DELIVERED
    b.post_score()
    with boa.reverts("proofs: not acknowledged"):
        b.prove_delivered(1, b.paper.acknowledge(1))


def test_11__requester_calls_readable_labels_unreadable__the_run_is_shown(
    bounties: BountyHarness,
) -> None:
    # BountyProofs._root opens all of it by e.
    b = bounties.start(11)
    b.paper.marks[1] = UNREADABLE
    b.post_score().prove_readable(1)
    b.settle(PROVEN)


@pytest.mark.parametrize(
    ("gold", "name"),
    [
        ([(i, i % 2) for i in range(31)] + [(30, 0)], "doubled"),
        ([(i, 0) for i in range(32)], "one class"),
    ],
)
def test_12__requester_commits_to_malformed_gold__cannot_score_and_pays_all(
    bounties: BountyHarness, gold: list[tuple[int, int]], name: str
) -> None:
    # BountyIntake._judge: strictly ascending; scoring._is_balanced.
    b = bounties.create(bounties.draft(12, gold=gold))
    b.enroll().draw()
    b.paper.commit_all()
    b.commit().later(b.post_until)
    lines = bytes(3 * len(b.paper.rows))
    with boa.reverts("intake: malformed gold"):
        arguments = (b.paper.gold_salt, b.paper.gold_bytes, [bytes(160)], lines)
        bounties.intake.score(*b.head, *arguments, sender=bounties.requester)
    b.later(b.score_until).settle(FLAT)


def test_13__requester_picks_false_gold__half_and_nothing_returns(bounties: BountyHarness) -> None:
    # scoring._judge excludes what people contradict; over 30 % is HALF; what is withheld is burned.
    b = bounties.start(13, skill=-1)
    b.post_score()
    assert b.score.verdict["half"] == "excluded"
    b.later(b.challenge_until).settle(HALF)
    seats = sum(b.paper.committed(w) for w in b.paper.commits)
    kept = (b.terms.seats - seats) * (b.terms.seat_price + b.terms.seat_fee)
    assert b.ledger.credited[ZERO] >= seats * b.terms.seat_price // 2 - len(b.paper.commits)
    assert kept == 0


def test_14__requester_says_half_themselves__the_contract_computes_it(
    bounties: BountyHarness,
) -> None:
    # BountyIntake.score: the verdict is not an argument; lying bytes that lead to HALF are proven.
    b = bounties.start(14)
    entries = [[1 - answer] * 5 for _, answer in b.paper.gold]
    b.post_score(entries)
    assert b.status == SCORED_HALF
    g, k = find(b, lambda g, k: b.paper.entry(g, k) not in (ref.ABSENT, entries[g][k]))
    b.prove_answer(g, k)
    b.settle(PROVEN)


def test_15__requester_has_a_key_that_nobody_knows__marks_are_disproved_all_the_same(
    bounties: BountyHarness,
) -> None:
    # prove_readable needs e alone: S = e*P for anyone who knows p.
    point = next(q for x in range(1, 50) if (q := lift_x(x)) is not None)
    b = bounties.create(bounties.draft(15, key_x=point.x, key_y=point.y))
    b.enroll().draw()
    made = b.paper.label(1)
    shared = multiply(made.e, point)
    # Sealed for that point instead of the usual key.
    sealed = seal_for(b, 1, made, shared)
    b.paper.commit_all()
    b.paper.commits[1] = sealed
    b.commit().later(b.post_until)
    b.paper.marks[1] = UNREADABLE
    b.post_score().prove_readable(1)
    b.settle(PROVEN)


def seal_for(b: Bounty, worker: int, made: Commit, shared: Any) -> Commit:
    """Seal the same labels under another shared point."""
    chain_id, board = b.paper.place
    words = (shared.x, shared.y, chain_id, board, b.id, worker)
    base = ref.keccak(*map(ref.word, words))
    bits, places = ref.bits_of(b.terms.classes), 2 ** (b.terms.batch - 1).bit_length()
    salts, leaves, stream = [], [], ""
    for offset, codes in enumerate(made.labels):
        secret = ref.keccak(base, ref.word(offset))
        for i, code in enumerate(codes):
            salt = ref.keccak(secret, ref.word(i))
            salts.append(salt)
            leaves.append(ref.keccak(b"\1", salt, ref.word(code)))
            stream += format((code ^ int.from_bytes(salt, "big")) % 2**bits, f"0{bits}b")
        leaves += [bytes(32)] * (places - len(codes))
    stream += "0" * (-len(stream) % 8)
    sealed = int(stream, 2).to_bytes(len(stream) // 8, "big")
    levels = tree_levels(leaves)
    root = ref.keccak(b"\3", ref.u(len(leaves), 4), levels[-1][0])
    seal = ref.keccak(ref.word(made.E[0]), ref.u(made.E[1] & 1, 1), sealed)
    return Commit(made.labels, made.e, made.E, tuple(shared), salts, sealed, levels, root, seal)


def test_16__requester_brings_other_terms__they_are_refused_everywhere(
    bounties: BountyHarness,
) -> None:
    # BountyBoard._load, BountyProofs._context: terms are what was hashed.
    b = bounties.start(16).post_score()
    other = b.terms._replace(price=1)
    b.later(b.challenge_until)
    for call in (
        lambda: bounties.board.end_bounty(b.id, other),
        lambda: bounties.intake.payout(b.id, other, pay_evidence(b.paper, 0, score=b.score)),
    ):
        with boa.reverts("board: other terms"):
            call()


def test_17__requester_asks_for_more_seats_than_runs_can_fill__cannot_create(
    bounties: BountyHarness,
) -> None:
    # BountyIntake.check_terms: least seats can be reached.
    with boa.reverts("intake: bad least seats"):
        bounties.create(bounties.draft(17, min_run=7, min_seats=36))


def test_18__requester_pays_out_a_short_seat_in_full__pays_for_what_it_holds(
    bounties: BountyHarness,
) -> None:
    # BountyIntake._rows names what is missing; the board gives it back.
    b = bounties.start(18, items=46, skill=1.0)
    lacking = b.terms.seats * b.terms.batch - 5 * 46
    assert lacking == 10
    b.post_score().later(b.challenge_until).settle(SETTLED)
    paid = sum(b.ledger.credited[row.payee] for row in b.paper.rows)
    # Everybody is right about everything, but where a run has too little gold.
    assert paid <= 5 * 46 * b.terms.price
