# SPDX-License-Identifier: Apache-2.0
"""What the contracts of bounties refuse of proofs and of their ends."""

from collections.abc import Callable
from typing import Any

from tests.utils.bounty_board import HALF, LABEL, NOT_DELIVERED, UNREADABLE, Bounty, BountyHarness
from tests.utils.bounty_paper import pay_evidence
from tests.utils.bounty_refusals.common import Call
from tests.utils.bounty_rows import ZERO
from tests.utils.drafts import word_of
from tests.utils.refusals import Refusals
from truthmark.keys.curve import N, multiply

refused = Refusals()
P = 2**256 - 2**32 - 977


# ------------------------------------------------------------------ proofs


def find(b: Bounty, fits: Callable[[int, int], bool]) -> tuple[int, int]:
    """A gold item and round that fit."""
    return next(
        (g, k) for g in range(len(b.paper.gold)) for k in range(b.terms.rounds) if fits(g, k)
    )


def answered(b: Bounty) -> tuple[int, int]:
    return find(b, lambda g, k: b.paper.entry(g, k) < b.terms.classes)


def false_entry(h: BountyHarness) -> tuple[Bounty, int, int]:
    """A score with the other class in one entry."""
    b = h.start()
    g, k = answered(b)
    entries = b.paper.entries()
    entries[g][k] ^= 1
    return b.post_score(entries), g, k


def proving_answer(
    reason: str, name: str, change: Callable[[Bounty, list[Any], int, int], None]
) -> None:
    def setup(h: BountyHarness) -> Call:
        b, g, k = false_entry(h)
        assert b.score is not None
        worker = b.paper.judge_of(g, k)
        evidence = [
            list(b.score.chunk_of(g)),
            list(b.paper.roster(worker)),
            list(b.paper.posted(worker)),
            list(b.paper.opening(g, k)),
        ]
        arguments = [*b.head, g, k, worker, *evidence]
        change(b, arguments, g, k)
        return lambda: h.proofs.prove_answer(*arguments, sender=h.stranger)

    refused.add(reason, setup, name)


def at_(place: int, inner: int | None, change: Callable[[Any], Any]) -> Callable[..., None]:
    def apply(_: Bounty, arguments: list[Any], *__: int) -> None:
        if inner is None:
            arguments[place] = change(arguments[place])
        else:
            arguments[place][inner] = change(arguments[place][inner])

    return apply


def flip(word: bytes) -> bytes:
    return bytes([word[0] ^ 1]) + word[1:]


def an_entry_that_is_true(b: Bounty, arguments: list[Any], g: int, k: int) -> None:
    other = next(
        (a, c)
        for a in range(len(b.paper.gold))
        for c in range(b.terms.rounds)
        if (a, c) != (g, k) and b.paper.entry(a, c) < b.terms.classes and a // 32 == g // 32
    )
    worker = b.paper.judge_of(*other)
    arguments[2:5] = [*other, worker]
    arguments[6:9] = [b.paper.roster(worker), b.paper.posted(worker), b.paper.opening(*other)]


proving_answer("proofs: the entry is true", "answer that is true", an_entry_that_is_true)


proving_answer("proofs: no such entry", "answer beyond the gold", at_(2, None, lambda g: 30))


proving_answer("proofs: no such entry", "answer beyond the rounds", at_(3, None, lambda k: 5))


proving_answer("proofs: other chunk", "answer in another chunk", at_(5, 1, lambda c: c + 1))


proving_answer("proofs: other score", "answer, other entries", at_(5, 3, flip))


proving_answer("proofs: other score", "answer, other gold", at_(5, 2, flip))


proving_answer("proofs: other score", "answer, other verdict", at_(5, 4, flip))


proving_answer("proofs: other score", "answer, other lines", at_(5, 5, flip))


proving_answer("proofs: other score", "answer, other heads", at_(5, 0, lambda h: [*h, h[0]]))


proving_answer("proofs: other worker", "answer by another", at_(4, None, lambda w: (w + 1) % 9))


proving_answer("proofs: not committed", "answer, other label", at_(8, 0, lambda x: 1 - x))


proving_answer("proofs: not committed", "answer, other salt", at_(8, 1, flip))


proving_answer("proofs: not committed", "answer, other path", at_(8, 2, lambda p: p[:-1]))


proving_answer("proofs: not committed", "answer, other root", at_(8, 3, flip))


proving_answer("proofs: not committed", "answer, other seal", at_(8, 4, flip))


proving_answer("proofs: no such row", "answer, no commit row", at_(7, 3, lambda r: 31))


proving_answer("proofs: other chunk", "answer, other commit call", at_(7, 0, lambda c: c + 1))


@refused("board: too late")
def prove_too_late(h: BountyHarness) -> Call:
    b, g, k = false_entry(h)
    b.later(b.challenge_until)
    return lambda: b.prove_answer(g, k)


@refused("board: not scored")
def prove_twice(h: BountyHarness) -> Call:
    b, g, k = false_entry(h)
    b.prove_answer(g, k)
    return lambda: b.prove_answer(g, k)


@refused("proofs: the line is true")
def prove_a_true_line(h: BountyHarness) -> Call:
    b = h.start().post_score()
    return lambda: b.prove_line(1)


@refused("proofs: marked")
def prove_the_line_of_a_marked(h: BountyHarness) -> Call:
    b = h.start()
    b.paper.marks[1] = UNREADABLE
    b.post_score()
    return lambda: b.prove_line(1)


@refused("proofs: nothing committed")
def prove_the_line_of_who_committed_nothing(h: BountyHarness) -> Call:
    b = h.start(seats=lambda w: 0 if w == 1 else 4)
    lines = b.paper.lines(b.paper.entries())
    lines[1] = 7
    b.post_score(lines=lines)
    return lambda: b.prove_line(1)


@refused("proofs: no line counts")
def prove_a_line_in_half(h: BountyHarness) -> Call:
    b = h.start(skill=-1)
    lines = b.paper.lines(b.paper.entries())
    lines[1] = 7
    b.post_score(lines=lines)
    assert b.score is not None and b.score.is_half
    return lambda: b.prove_line(1)


@refused("proofs: no line counts")
def prove_a_line_of_a_team(h: BountyHarness) -> Call:
    b = h.start(team=True, min_run=2).post_score()
    return lambda: b.prove_line(1)


def proving_line(reason: str, name: str, place: int, change: Callable[[Any], Any]) -> None:
    def setup(h: BountyHarness) -> Call:
        b = h.start()
        lines = b.paper.lines(b.paper.entries())
        lines[1] ^= 1
        b.post_score(lines=lines)
        assert b.score is not None
        arguments = list(b.score.line_arguments(1))
        arguments[place] = change(arguments[place])
        return lambda: h.proofs.prove_line(*b.head, *arguments)

    refused.add(reason, setup, name)


proving_line("proofs: other score", "line, shorter gold", 1, lambda g: [g[0][:-4]])


proving_line("proofs: other score", "line, other gold", 1, lambda g: [flip(g[0])])


proving_line("proofs: other score", "line, other entries", 2, lambda e: [flip(e[0])])


proving_line("proofs: other score", "line, other verdict", 3, lambda v: (v[0], v[1] + 1, *v[2:]))


proving_line("proofs: other score", "line, other lines", 4, flip)


proving_line("", "line, gold without entries", 2, lambda e: [])


def marked(h: BountyHarness, mark: int, **changed: Any) -> Bounty:
    b = h.start(**changed)
    b.paper.marks[1] = mark
    return b.post_score()


@refused("proofs: not so marked")
def prove_delivered_of_a_fine_one(h: BountyHarness) -> Call:
    b = marked(h, NOT_DELIVERED)
    return lambda: b.prove_delivered(2, b.paper.acknowledge(2))


@refused("proofs: not so marked")
def prove_readable_of_one_who_did_not_deliver(h: BountyHarness) -> Call:
    b = marked(h, NOT_DELIVERED)
    return lambda: b.prove_readable(1)


@refused("proofs: nothing committed")
def prove_delivered_of_who_committed_nothing(h: BountyHarness) -> Call:
    b = marked(h, NOT_DELIVERED, seats=lambda w: 0 if w == 1 else 4)
    return lambda: b.prove_delivered(1, bytes(65), b.paper.posted(2))


@refused("proofs: other score")
def prove_delivered_by_other_lines(h: BountyHarness) -> Call:
    b = marked(h, NOT_DELIVERED)
    assert b.score is not None
    lines = flip(b.score.lines)
    return lambda: h.proofs.prove_delivered(
        *b.head, 1, b.score.judged, lines, b.paper.posted(1), b.paper.acknowledge(1)
    )


for name, forged in (
    ("place", (1, ZERO)),
    ("bounty_id", 99),
    ("terms_hash", bytes(32)),
    ("worker", 2),
    ("commitment", word_of("other")),
    ("role", "labeler 1"),
):

    def not_acknowledged(h: BountyHarness, name: str = name, forged: Any = forged) -> Call:
        b = marked(h, NOT_DELIVERED)
        return lambda: b.prove_delivered(1, b.paper.acknowledge(1, **{name: forged}))

    refused.add("proofs: not acknowledged", not_acknowledged, f"delivered, other {name}")


@refused("proofs: not acknowledged")
def prove_delivered_by_nothing(h: BountyHarness) -> Call:
    b = marked(h, NOT_DELIVERED)
    return lambda: b.prove_delivered(1, b"")


@refused("proofs: not acknowledged")
def prove_delivered_where_the_receiver_is_nobody(h: BountyHarness) -> Call:
    b = marked(h, NOT_DELIVERED, receiver=0)
    return lambda: b.prove_delivered(1, bytes(65))


def proving_readable(
    reason: str, name: str, change: Callable[[Bounty], dict[str, Any]], **changed: Any
) -> None:
    def setup(h: BountyHarness) -> Call:
        b = marked(h, UNREADABLE, **changed)
        values = change(b)
        return lambda: b.prove_readable(1, **values)

    refused.add(reason, setup, name)


def other_shared(b: Bounty) -> dict[str, Any]:
    x, y = b.paper.commits[1].S
    return {"shared": (x, P - y)}


proving_readable("proofs: other E", "readable, other e", lambda b: {"e": 5})


proving_readable("proofs: other E", "readable, e is zero", lambda b: {"e": 0})


proving_readable("proofs: other E", "readable, other E", lambda b: {"big_e": tuple(multiply(5))})


proving_readable("proofs: other S", "readable, S mirrored", other_shared)


proving_readable(
    "proofs: other S", "readable, S of another", lambda b: {"shared": b.paper.commits[2].S}
)


proving_readable(
    "proofs: other length",
    "readable, shorter",
    lambda b: {"sealed": b.paper.commits[1].sealed[:-1]},
)


proving_readable(
    "proofs: other length",
    "readable, longer",
    lambda b: {"sealed": b.paper.commits[1].sealed + b"\0"},
)


proving_readable(
    "proofs: not committed",
    "readable, a bit flipped",
    lambda b: {"sealed": flip(b.paper.commits[1].sealed)},
)


proving_readable(
    "proofs: other worker", "readable, another's row", lambda b: {"commits": b.paper.posted(2)}
)


# The same e with the other sign gives E mirrored: x alone does not name it.
proving_readable(
    "proofs: other S",
    "readable, e mirrored",
    lambda b: {
        "e": N - b.paper.commits[1].e,
        "big_e": (b.paper.commits[1].E[0], P - b.paper.commits[1].E[1]),
    },
)


# -------------------------------------------------------------------- ends


@refused("board: not to be ended")
def end_while_open(h: BountyHarness) -> Call:
    b = h.start(to="open")
    return lambda: b.end(HALF)


@refused("board: too early")
def end_while_labeling(h: BountyHarness) -> Call:
    b = h.start(to="committed")
    assert b.status == LABEL
    return lambda: b.end(HALF)


@refused("board: not to be ended")
def end_twice(h: BountyHarness) -> Call:
    b = h.start().post_score()
    b.later(b.challenge_until).end(7)
    return lambda: b.end(7)


def paying(reason: str, name: str, place: int, change: Callable[[Any], Any]) -> None:
    def setup(h: BountyHarness) -> Call:
        b = h.start().post_score()
        b.later(b.challenge_until)
        evidence = list(pay_evidence(b.paper, 0, score=b.score))
        evidence[place] = change(evidence[place])
        return lambda: h.intake.payout(*b.head, evidence, sender=h.stranger)

    refused.add(reason, setup, name)


paying("intake: other roster", "pay by another call", 0, lambda c: c + 1)


paying("intake: other roster", "pay by fewer heads", 1, lambda h: h[:-1])


paying("", "pay by another chunk", 2, lambda c: c + 1)


paying("intake: other roster", "pay from another worker", 3, lambda w: w + 1)


paying("intake: other roster", "pay from another seat", 4, lambda s: s + 1)


paying("intake: other roster", "pay by fewer rows", 5, lambda r: [r[0][:-41]])


paying("intake: other lines", "pay by another rest of the score", 6, flip)


paying("intake: other lines", "pay by other lines", 7, flip)


paying("board: lines missing", "pay without lines", 7, lambda _: b"")


paying("board: paid already", "pay nobody", 5, lambda _: [])


@refused("board: paid already")
def pay_twice(h: BountyHarness) -> Call:
    b = h.start().post_score()
    b.later(b.challenge_until).pay_out()
    evidence = pay_evidence(b.paper, 0, score=b.score)
    return lambda: h.intake.payout(*b.head, evidence)


@refused("board: refunded")
def pay_where_all_was_refunded(h: BountyHarness) -> Call:
    b = h.start(seats=lambda _: 0)
    return lambda: h.intake.payout(*b.head, pay_evidence(b.paper, 0))


@refused("board: too early")
def pay_too_early(h: BountyHarness) -> Call:
    b = h.start().post_score()
    return lambda: b.pay_out()


@refused("ledger: burned for good")
def withdraw_what_was_burned(h: BountyHarness) -> Call:
    return lambda: h.board.withdraw(h.token, ZERO, 0)
