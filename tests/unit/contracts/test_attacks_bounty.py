# SPDX-License-Identifier: Apache-2.0
"""Attacks on bounties, by number: who tries what, and the line that stops it.

What an attack meets is asserted to the unit: by the reason of the refusal, by the end it leads to,
or by the ledger beside the contracts, which every `settle` compares with every entry.
"""

import random
from typing import Any

import boa
import pytest

from tests.utils import bounty_reference as ref
from tests.utils.bounty_board import (
    DRAWN,
    FLAT,
    HALF,
    MONEY,
    NO_COMMITS,
    NO_OPENING,
    NOT_DELIVERED,
    OPEN,
    PROVEN,
    REFUNDED,
    SCORED,
    SCORED_HALF,
    SETTLED,
    UNREADABLE,
    Bounty,
    BountyHarness,
    bounties,
    deploy_bounties,
    deployed_bounties,
)
from tests.utils.bounty_paper import (
    ZERO,
    Commit,
    Row,
    account_of,
    address_number,
    chunked,
    pay_evidence,
    tree_levels,
)
from tests.utils.contracts import reverts
from tests.utils.drafts import sign_permit, word_of
from tests.utils.tokens import Mode, deploy_hostile_token, deployer
from truthmark.keys.curve import lift_x, multiply

__all__ = ["bounties", "deployed_bounties"]

ONE = 10**6


def find(b: Bounty, fits: Any) -> tuple[int, int]:
    return next(
        (g, k) for g in range(len(b.paper.gold)) for k in range(b.terms.rounds) if fits(g, k)
    )


def first_answer_of(b: Bounty, worker: int) -> tuple[int, int]:
    return find(
        b,
        lambda g, k: b.paper.judge_of(g, k) == worker and b.paper.entry(g, k) != ref.ABSENT,
    )


# --------------------------------------------------------------- the requester


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


YES_SIGNER = """
# pragma version 0.4.3
@external
@view
def isValidSignature(digest: bytes32, signature: Bytes[1024]) -> bytes4:
    return 0x1626BA7E
"""


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


def test_14__requester_says_half_himself__the_contract_computes_it(
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
    # prove_readable needs e alone: S = e*P whoever knows p.
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


# ------------------------------------------------------------------- the relay


def test_19__relay_leaves_a_commit_out__anyone_overrides(bounties: BountyHarness) -> None:
    # BountyProofs.override_commit; its fee goes to who sent it.
    b = bounties.start(19, to="label")
    b.commit([w for w in b.paper.commits if w != 1]).override(1)
    assert b.ledger.credited[bounties.stranger] == b.terms.relay_fee
    b.later(b.commit_until).post_one(1)
    b.later(b.post_until).post_score().later(b.challenge_until).settle(SETTLED)


def test_20__relay_posts_another_commit__the_signed_one_stands(bounties: BountyHarness) -> None:
    # BountyBoard.set_override: counters and byte are those of the signed one.
    b = bounties.start(20, to="label")
    true = b.paper.commits[1]
    b.paper.commits[1] = b.paper.label(1, 1, variant="forged")
    b.commit().override(1, true)
    assert b.state.committed == sum(b.paper.committed(w) for w in b.paper.commits)
    b.later(b.post_until)
    g, k = first_answer_of(b, 1)
    entries = b.paper.entries()
    entries[g][k] = 1 - entries[g][k] if entries[g][k] < 2 else 0
    b.post_score(entries)
    # Evidence of the override: no row of the relay's.
    chunk, roster = b.score.chunk_of(g), b.paper.roster(1)
    opening = b.paper.opening(g, k)
    bounties.proofs.prove_answer(*b.head, g, k, 1, chunk, roster, NO_COMMITS, opening)
    assert b.status == PROVEN


def test_21__relay_posts_after_the_override__its_row_is_dead(bounties: BountyHarness) -> None:
    # BountyBoard.commit passes over who overrode, so the rest of the call stands.
    b = bounties.start(21, to="label").override(1)
    forged = ref.commit_row(1, 1, word_of("forged"))
    rows = [forged, *(b.paper.commit_row(w) for w in b.paper.commits if w != 1)]
    bounties.board.commit(*b.head, b.paper.post(rows), sender=bounties.relay)
    for worker in b.paper.commits:
        b.ledger.commit(worker, b.paper.committed(worker))
    b.later(b.post_until).post_score().later(b.challenge_until).settle(SETTLED)


def test_22__relay_posts_in_the_last_second__grace_is_left(bounties: BountyHarness) -> None:
    # The terms have a grace window of at least a second, for overrides alone.
    b = bounties.start(22, to="label")
    boa.env.timestamp = b.label_until
    true = b.paper.commits[1]
    b.paper.commits[1] = b.paper.label(1, 1, variant="forged")
    b.commit()
    boa.env.timestamp = b.commit_until
    b.override(1, true)


def test_23__relay_counts_more_seats_than_the_run__is_refused(bounties: BountyHarness) -> None:
    # BountyBoard.commit: seats of the row <= the byte.
    b = bounties.start(23, to="label")
    row = ref.commit_row(1, b.paper.rows[1].seats + 1, word_of("x"))
    with reverts(bounties.board, "board: bad seats"):
        bounties.board.commit(*b.head, [row], sender=bounties.relay)


def test_24__relay_commits_for_nobody__its_price_is_burned_as_of_garbage(
    bounties: BountyHarness,
) -> None:
    # Nothing stops it (docs/threat-model.md, "Not defended"): only, the relay gets no more of it.
    b = bounties.start(24, to="label")
    invented = b.paper.label(1, is_real=False)
    b.paper.commits[1] = invented
    b.commit().later(b.post_until)
    b.paper.marks[1] = NOT_DELIVERED
    b.post_score().later(b.challenge_until).settle(SETTLED)
    assert b.ledger.credited[b.paper.rows[1].payee] == 0
    assert b.ledger.credited[ZERO] >= b.terms.price * b.paper.labels_in(1, invented.seats)


def test_25__relay_repeats_dead_rows_for_ever__counters_do_not_move(
    bounties: BountyHarness,
) -> None:
    # BountyBoard.commit: at least one new worker a call, so calls fit their field.
    b = bounties.start(25, to="label").override(1)
    before = b.state
    with reverts(bounties.board, "board: nothing new"):
        b.commit([1])
    assert b.state == before


def test_26__relay_never_closes_and_never_fills__all_money_goes_back(
    bounties: BountyHarness,
) -> None:
    # BountyBoard.close_joining, by anybody.
    b = bounties.start(26, to="open")
    b.enroll_rows(0, 2)
    b.later(b.join_until)
    bounties.board.close_joining(*b.head, sender=bounties.stranger)
    b.ledger.end(REFUNDED)
    b.settle(REFUNDED)
    assert b.ledger.credited == {bounties.requester: b.ledger.taken}


def test_27__relay_never_closes_a_full_roster__anyone_does(bounties: BountyHarness) -> None:
    b = bounties.start(27, to="open").enroll(closes=False)
    b.later(b.join_until)
    bounties.board.close_joining(*b.head, sender=bounties.stranger)
    assert b.status == DRAWN


def test_28__relay_moves_rows_of_the_roster__evidence_has_one_place(
    bounties: BountyHarness,
) -> None:
    # bounties._roster_head: first worker and first seat are in the hash.
    b = bounties.start(28, to="label", cuts=(3,))
    roster = list(b.paper.roster(4))
    roster[4] -= b.paper.rows[3].seats
    made = b.paper.commits[4]
    arguments = (4, roster, made.commitment, made.seats, b.paper.sign_commit(4))
    with reverts(bounties.proofs, "proofs: other chunk"):
        bounties.proofs.override_commit(*b.head, *arguments)


# ---------------------------------------------------------------- the labelers


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


# ---------------------------------------------------------------- the bystanders


def test_41__stranger_posts_commits__only_the_relay_may(bounties: BountyHarness) -> None:
    # BountyBoard.commit: garbage of strangers would force overrides.
    b = bounties.start(41, to="label")
    with reverts(bounties.board, "board: not the relay"):
        b.commit(sender=bounties.stranger)


def test_42__copier_takes_a_proof__gets_the_reward_and_changes_nothing_else(
    bounties: BountyHarness,
) -> None:
    # A proof names no beneficiary; the bounty is FLAT whoever sends it.
    b = bounties.start(42)
    b.paper.marks[1] = NOT_DELIVERED
    b.post_score()
    arguments = (1, b.score.judged, b.score.lines, b.paper.posted(1), b.paper.acknowledge(1))
    copier = account_of("copier")
    bounties.proofs.prove_delivered(*b.head, *arguments, sender=copier)
    b.ledger.end(PROVEN, copier)
    with boa.reverts("board: not scored"):
        bounties.proofs.prove_delivered(*b.head, *arguments, sender=bounties.stranger)
    b.settle(PROVEN)


def test_43__payer_pays_some_twice__each_is_paid_once(bounties: BountyHarness) -> None:
    # BountyBoard.pay: bit PAID; who is paid is passed over, no tip for it.
    b = bounties.start(43, cuts=(3,)).post_score()
    b.later(b.challenge_until)
    evidence = pay_evidence(b.paper, 0, score=b.score)
    bounties.intake.payout(*b.head, evidence, sender=bounties.stranger)
    b.ledger.end(SETTLED)
    for worker in range(3):
        b.note_pay(worker)
    with boa.reverts("board: paid already"):
        bounties.intake.payout(*b.head, evidence, sender=bounties.stranger)
    rest = pay_evidence(b.paper, 1, score=b.score)
    bounties.intake.payout(*b.head, rest, sender=bounties.stranger)
    for worker in range(3, len(b.paper.rows)):
        b.note_pay(worker)
    b.settle(SETTLED)


def test_44__poster_farms_fees__one_a_worker(bounties: BountyHarness) -> None:
    # BountyBoard.set_posted: a bit each; the pot has a fee for each and a call for each.
    b = bounties.start(44, to="post")
    files = [b.paper.chunk_file(1)] * 3
    bounties.proofs.post_sealed(*b.head, b.paper.posted(1), files, sender=bounties.stranger)
    b.ledger.post({1}, bounties.stranger)
    for worker in b.paper.commits:
        if worker != 1:
            b.post_one(worker)
    with boa.reverts("board: posted already"):
        b.post_one(1)
    b.later(b.post_until).post_score().later(b.challenge_until).settle(SETTLED)


def test_45__signature_is_replayed_elsewhere__it_counts_for_one_bounty(
    bounties: BountyHarness,
) -> None:
    # BountyProofs._digest: chain, board, bounty, terms, seed, worker, seats, commitment.
    one, other = bounties.start(45, to="label"), bounties.start(45, to="label", price=2)
    made = one.paper.commits[1]
    arguments = (1, other.paper.roster(1), made.commitment, made.seats, one.paper.sign_commit(1))
    with reverts(bounties.proofs, "proofs: not signed"):
        bounties.proofs.override_commit(*other.head, *arguments)


def test_46__commit_signed_before_a_reorganisation__overrides_nothing_after_it(
    bounties: BountyHarness,
) -> None:
    # The seed is signed: items behind the seats are others now.
    b = bounties.start(46, to="label")
    made, stale = b.paper.commits[1], b.paper.sign_commit(1)
    arguments = (1, b.paper.roster(1), made.commitment, made.seats, stale)
    with boa.env.anchor():
        bounties.proofs.override_commit(*b.head, *arguments)
    # On another branch the seed's block has another hash.
    bounties.board.eval(f"self.seeds[{b.id}] = keccak256(b'another branch')")
    with reverts(bounties.proofs, "proofs: not signed"):
        bounties.proofs.override_commit(*b.head, *arguments)


@pytest.mark.parametrize("mode", [1, 2, 3])
def test_47__gate_misbehaves__nobody_is_admitted_and_nothing_is_stuck(
    bounties: BountyHarness, mode: int
) -> None:
    # BountyIntake.enroll: a static call with little gas; joining ends by time all the same.
    b = bounties.start(47, to="open", gate=address_number(bounties.gate.address))
    bounties.gate.set_mode(mode)
    with boa.reverts():
        b.enroll_rows(0, 1)
    b.paper.calls.clear()
    b.later(b.join_until)
    bounties.board.close_joining(*b.head)
    b.ledger.end(REFUNDED)
    b.settle(REFUNDED)


def test_48__gate_changes_its_mind__who_is_in_stays_in(bounties: BountyHarness) -> None:
    b = bounties.start(48, to="open", gate=address_number(bounties.gate.address)).enroll().draw()
    for row in b.paper.rows:
        bounties.gate.refuse(row.signer)
    b.paper.commit_all()
    b.commit().later(b.post_until).post_score().later(b.challenge_until)
    b.settle(HALF if b.score.is_half else SETTLED)


@pytest.mark.parametrize(
    "mode", [Mode.FEE_FROM_RECEIVER, Mode.TRUE_BUT_STAYS, Mode.SENDS_MORE, Mode.FALSE_BUT_MOVES]
)
def test_49__token_lies_about_what_came_in__no_bounty(bounties: BountyHarness, mode: Mode) -> None:
    # ledger._pull: exactly what was asked for.
    token = deploy_hostile_token(mode, decimals=6)
    h = deploy_bounties(token)
    with boa.reverts():
        h.start(49, to="open")
    assert h.board.bounty_count() == 0


def test_50__token_calls_back__the_board_is_locked(bounties: BountyHarness) -> None:
    # nonreentrancy on: neither creating twice nor withdrawing inside of a payment.
    token = deploy_hostile_token(Mode.HOOK_AFTER, decimals=6)
    h = deploy_bounties(token)
    inner = h.board.withdraw.prepare_calldata(token, h.requester, 0)
    token.set_hook(h.board, inner, 5)
    b = h.start(50)
    assert not token.hook_success()
    token.set_mode(Mode(0))
    b.later(b.score_until).pay_out()
    token.set_mode(Mode.HOOK_BEFORE)
    again = h.intake.payout.prepare_calldata(*b.head, pay_evidence(b.paper, 0))[:4096]
    token.set_hook(h.intake, again, 5)
    payee = b.paper.rows[0].payee
    amount = h.board.withdraw(token, payee, 0)
    assert not token.hook_success() and token.balanceOf(payee) == amount


def test_51__owner_changes_fee_and_pauses__running_bounties_do_not_notice(
    bounties: BountyHarness,
) -> None:
    # The fee stands in the terms; pause stops `create` alone.
    b = bounties.start(51, to="open")
    bounties.board.set_fee_bps(250, sender=bounties.owner)
    bounties.board.pause(sender=bounties.owner)
    b.enroll().draw()
    b.paper.commit_all()
    b.commit().later(b.post_until).post_score().later(b.challenge_until).settle(SETTLED)
    with boa.reverts("pausable: contract is paused"):
        bounties.create(bounties.draft(52, fee_bps=250))


def test_52__owner_names_a_person_as_a_part__is_refused(bounties: BountyHarness) -> None:
    # accounts._may_be_key.
    board = deployer("BountyBoard").deploy(bounties.owner, bounties.treasury)
    delegated = account_of("delegated")
    boa.env.set_code(delegated, bytes.fromhex("ef0100") + bytes(20))
    for person in (bounties.stranger, delegated):
        with reverts(board, "board: intake is no contract"):
            board.fix_parts(person, bounties.proofs, sender=bounties.owner)


def test_53__nobody_fixes_the_seed__a_later_block_or_all_money_back(
    bounties: BountyHarness,
) -> None:
    # BountyBoard.fix_seed: within a day a later block; then `end_bounty` refunds.
    b = bounties.start(53, to="drawn")
    first = bounties.board.seeds(b.id)
    boa.env.evm.patch.block_number += 300
    bounties.board.fix_seed(b.id, sender=bounties.stranger)
    assert b.status == DRAWN and bounties.board.seeds(b.id) != first
    b.later(b.mark + 86_400)
    bounties.board.end_bounty(*b.head, sender=bounties.stranger)
    b.ledger.end(REFUNDED)
    b.settle(REFUNDED)


def test_54__permit_is_used_up_by_another__the_allowance_counts(bounties: BountyHarness) -> None:
    # ledger._use_permit: its failure means nothing.
    h, token = bounties, bounties.token
    paper = h.draft(54)
    total = paper.terms.pot + paper.terms.bond
    token.approve(h.board, 0, sender=h.requester)
    deadline = h.now + 60
    chain_id = boa.env.evm.patch.chain_id
    _, v, r, s = sign_permit(
        token.address, chain_id, "requester", str(h.board.address), total, deadline
    )
    token.permit(h.requester, h.board, total, deadline, v, r, s, sender=h.stranger)
    b = h.create(paper, (deadline, bytes(32), v, r, s))
    assert b.status == OPEN and token.allowance(h.requester, h.board) == 0


def test_55__erc1271_signer_says_yes_to_all__only_its_own_seats_are_touched(
    bounties: BountyHarness,
) -> None:
    # signatures._is_signer asks the row's signer; a careless one hurts itself, once.
    yes = boa.loads(YES_SIGNER)
    b = bounties.start(55, to="open")
    b.paper.rows[1] = Row(str(yes.address), b.paper.rows[1].payee, b.paper.rows[1].seats)
    b.enroll().draw()
    b.paper.commit_all()
    b.commit()
    arguments = (1, b.paper.roster(1), word_of("anything"), 1, b"")
    bounties.proofs.override_commit(*b.head, *arguments, sender=bounties.stranger)
    arguments = (2, b.paper.roster(2), word_of("anything"), 1, b"")
    with reverts(bounties.proofs, "proofs: not signed"):
        bounties.proofs.override_commit(*b.head, *arguments, sender=bounties.stranger)


def test_56__one_bounty_is_ruined__the_others_money_stays(bounties: BountyHarness) -> None:
    # Sums by bounty: pots of two bounties in one token do not mix.
    ruined = bounties.start(56)
    ruined.paper.marks[1] = NOT_DELIVERED
    ruined.post_score().prove_delivered(1, ruined.paper.acknowledge(1))
    fine = bounties.start(57).post_score()
    ruined.pay_out()
    bounties.check_money()
    fine.later(fine.challenge_until).settle(HALF if fine.score.is_half else SETTLED)


def test_57__overflow_by_absurd_money__is_refused_at_create(bounties: BountyHarness) -> None:
    # MAX_MONEY: entries of many such bounties stay below 2^256.
    assert MONEY < 2**128
    with boa.reverts("board: too much money"):
        bounties.create(bounties.draft(58, price=2**120, bond=2**127))


def test_58__chunk_brings_rows_of_the_next_round__positions_are_checked(
    bounties: BountyHarness,
) -> None:
    # BountyIntake.enroll keeps what is left of the round over calls.
    b = bounties.start(59, to="open", min_run=4, max_run=8)
    somebody = account_of("somebody")
    bounties.intake.enroll(
        *b.head, [Row(somebody, somebody, 8).packed], False, sender=bounties.relay
    )
    with reverts(bounties.intake, "intake: run over two rounds"):
        rows = chunked([Row(somebody, somebody, 5).packed])
        bounties.intake.enroll(*b.head, rows, False, sender=bounties.relay)


def test_59__status_of_a_bounty_that_does_not_exist__offers_nothing(
    bounties: BountyHarness,
) -> None:
    terms = bounties.draft().terms
    with reverts(bounties.board, "board: other terms"):
        bounties.board.end_bounty(77, terms)
    with reverts(bounties.board, "board: nothing to draw"):
        bounties.board.fix_seed(77)
    assert bounties.board.state(77).status == 0


def test_60__score_comes_by_an_inner_call__all_of_it_is_logged(bounties: BountyHarness) -> None:
    # IBountyIntake.ScoreEntries and ScoreGold: nobody is left without evidence.
    b = bounties.start(60).post_score()
    logs = [log for log in bounties.intake.get_logs() if log.address == bounties.intake.address]
    entries = b"".join(log.entries for log in logs if type(log).__name__ == "ScoreEntries")
    (gold,) = (log for log in logs if type(log).__name__ == "ScoreGold")
    assert entries == b"".join(b.score.entry_chunks)
    assert (gold.gold, gold.lines) == (b.paper.gold_bytes, b.score.lines)
    assert gold.salt == b.paper.gold_salt and b.status == SCORED
