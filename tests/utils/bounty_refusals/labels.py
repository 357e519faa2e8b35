# SPDX-License-Identifier: Apache-2.0
"""What the contracts of bounties refuse of commits, overrides, sealed labels and scores."""

from collections.abc import Callable
from typing import Any

from tests.utils import bounty_reference as ref
from tests.utils.bounty_board import Bounty, BountyHarness
from tests.utils.bounty_refusals.common import Call, Setup
from tests.utils.bounty_rows import ZERO, account_of
from tests.utils.drafts import word_of
from tests.utils.refusals import Refusals

refused = Refusals()


# ------------------------------------------------------------------ commit


def committing(make: Callable[[Bounty], list[bytes]], to: str = "label", **how: Any) -> Setup:
    def setup(h: BountyHarness) -> Call:
        b = h.start(to=to)
        chunks = make(b)
        return lambda: h.board.commit(*b.head, chunks, sender=how.get("sender", h.relay))

    return setup


def a_row(b: Bounty, worker: int = 0, seats: int | None = None) -> bytes:
    count = b.paper.committed(worker) if seats is None else seats
    return ref.commit_row(worker, count, word_of("commitment"))


def too_many(b: Bounty) -> list[bytes]:
    return [a_row(b, seats=b.paper.rows[0].seats + 1)]


refused.add(
    "board: not the relay",
    committing(lambda b: [a_row(b)], sender=account_of("stranger")),
    "commit by others",
)


refused.add("board: bad rows", committing(lambda b: [a_row(b)[:-1]]), "commit half a row")


refused.add("board: bad rows", committing(lambda b: [b""]), "commit an empty chunk")


refused.add("board: nothing new", committing(lambda b: []), "commit nothing")


refused.add("board: bad seats", committing(lambda b: [a_row(b, seats=0)]), "commit no seats")


refused.add("board: bad seats", committing(too_many), "commit more than the run")


refused.add("board: bad seats", committing(lambda b: [a_row(b, 99, 4)]), "commit for nobody")


refused.add(
    "board: committed already", committing(lambda b: [a_row(b) + a_row(b)]), "commit twice at once"
)


refused.add(
    "board: committed already", committing(lambda b: [a_row(b)], to="committed"), "commit twice"
)


refused.add(
    "board: not labeling",
    committing(lambda b: [ref.commit_row(0, 4, word_of())], to="drawn"),
    "commit before the seed",
)


@refused("board: too late")
def commit_too_late(h: BountyHarness) -> Call:
    b = h.start(to="label")
    b.later(b.label_until)
    return lambda: b.commit()


@refused("board: nothing new")
def commit_only_for_who_overrode(h: BountyHarness) -> Call:
    b = h.start(to="label").override(0)
    return lambda: b.commit([0])


@refused("board: bad seats")
def commit_for_a_gap(h: BountyHarness) -> Call:
    b = h.start(to="label", gap=1)
    return lambda: h.board.commit(*b.head, [a_row(b, 0, 1)], sender=h.relay)


# ---------------------------------------------------------------- override


def overriding(change: Callable[[Bounty, list[Any]], None], **signing: Any) -> Setup:
    """Override rightly, but for what is changed of the arguments."""

    def setup(h: BountyHarness) -> Call:
        b = h.start(to="label")
        made = b.paper.commits[1]
        arguments = [
            b.id,
            b.terms,
            1,
            list(b.paper.roster(1)),
            made.commitment,
            made.seats,
            b.paper.sign_commit(1, made, **signing),
        ]
        change(b, arguments)
        return lambda: h.proofs.override_commit(*arguments, sender=h.stranger)

    return setup


def setting(place: int, change: Any) -> Callable[[Bounty, list[Any]], None]:
    def apply(_: Bounty, arguments: list[Any]) -> None:
        arguments[place] = change(arguments[place]) if callable(change) else change

    return apply


def in_roster(place: int, change: Any) -> Callable[[Bounty, list[Any]], None]:
    def apply(_: Bounty, arguments: list[Any]) -> None:
        arguments[3][place] = change(arguments[3][place])

    return apply


def nothing(*_: Any) -> None:
    return None


refused.add("proofs: not signed", overriding(nothing, role="labeler 2"), "override by another key")


for name, forged in (
    ("place", (1, ZERO)),
    ("bounty_id", 99),
    ("terms_hash", bytes(32)),
    ("seed", bytes(32)),
    ("worker", 2),
    ("seats", 1),
    ("commitment", bytes(32)),
):
    refused.add(
        "proofs: not signed", overriding(nothing, **{name: forged}), f"override signed for {name}"
    )


refused.add("proofs: not signed", overriding(setting(6, b"")), "override unsigned")


refused.add("proofs: commitment is zero", overriding(setting(4, bytes(32))), "override by nothing")


refused.add("proofs: bad seats", overriding(setting(5, 0)), "override with no seats")


refused.add("proofs: bad seats", overriding(setting(5, 9)), "override beyond the run")


refused.add("proofs: other worker", overriding(setting(2, 40)), "override beyond the chunk")


refused.add(
    "proofs: other terms",
    overriding(setting(1, lambda terms: terms._replace(price=1))),
    "override under other terms",
)


for place, moved in enumerate((lambda c: c + 1, lambda h: h[:-1], None, lambda w: w + 1)):
    if moved:
        refused.add(
            "proofs: other chunk", overriding(in_roster(place, moved)), f"override, roster {place}"
        )


refused.add(
    "proofs: other chunk", overriding(in_roster(4, lambda s: s + 1)), "override, first seat moved"
)


refused.add("proofs: other chunk", overriding(in_roster(5, lambda r: r[41:])), "override, rows cut")


@refused("proofs: not signed")
def override_for_a_gap(h: BountyHarness) -> Call:
    b = h.start(to="label", gap=1)
    arguments = (0, b.paper.roster(0), word_of("x"), 1, bytes(65))
    return lambda: h.proofs.override_commit(*b.head, *arguments)


@refused("board: overridden already")
def override_twice(h: BountyHarness) -> Call:
    b = h.start(to="committed").override(1)
    other = b.paper.label(1, 2, variant="other")
    return lambda: b.override(1, other)


@refused("board: too late")
def override_too_late(h: BountyHarness) -> Call:
    b = h.start(to="post")
    return lambda: b.override(1)


@refused("board: not labeling")
def override_when_scored(h: BountyHarness) -> Call:
    b = h.start().post_score()
    return lambda: b.override(1)


# ------------------------------------------------------------- sealed labels


def posting(change: Callable[[Bounty, list[Any]], None]) -> Setup:
    def setup(h: BountyHarness) -> Call:
        b = h.start(to="post")
        arguments = [*b.head, list(b.paper.posted(1)), [b.paper.chunk_file(1)]]
        change(b, arguments)
        return lambda: h.proofs.post_sealed(*arguments, sender=h.stranger)

    return setup


def in_file(change: Callable[[bytes], bytes]) -> Callable[[Bounty, list[Any]], None]:
    def apply(_: Bounty, arguments: list[Any]) -> None:
        arguments[3] = [change(arguments[3][0])]

    return apply


def file_of_another(b: Bounty, arguments: list[Any]) -> None:
    arguments[3] = [arguments[3][0][:1] + b.paper.commits[2].file]


refused.add("proofs: not committed", posting(file_of_another), "post another's file")


refused.add("proofs: not committed", posting(in_file(lambda f: f + b"\0")), "post a longer file")


refused.add("proofs: not committed", posting(in_file(lambda f: f[:-1])), "post a shorter file")


refused.add(
    "proofs: not committed",
    posting(in_file(lambda f: bytes([f[0] ^ 1]) + f[1:])),
    "post under another row",
)


refused.add("proofs: no such row", posting(in_file(lambda f: b"\x1f" + f[1:])), "post under no row")


refused.add("", posting(in_file(lambda f: f[:20])), "post half a root")


refused.add("", posting(in_file(lambda f: b"")), "post nothing of somebody")


refused.add("board: posted already", posting(setting(3, [])), "post nothing at all")


@refused("board: too early")
def post_too_early(h: BountyHarness) -> Call:
    b = h.start(to="committed")
    return lambda: b.post_sealed(1)


@refused("board: too late")
def post_too_late(h: BountyHarness) -> Call:
    b = h.start()
    return lambda: b.post_sealed(1)


@refused("board: posted already")
def post_twice(h: BountyHarness) -> Call:
    b = h.start(to="post").post_sealed(1)
    return lambda: b.post_sealed(1)


@refused("board: overridden")
def post_what_was_overridden(h: BountyHarness) -> Call:
    b = h.start(to="committed")
    forged = b.paper.commits[1]
    b.override(1, b.paper.label(1, variant="true")).later(b.commit_until)
    files = [b.paper.chunk_file(1, forged)]
    return lambda: h.proofs.post_sealed(*b.head, b.paper.posted(1), files)


@refused("board: not labeling")
def post_when_scored(h: BountyHarness) -> Call:
    b = h.start().post_score()
    return lambda: b.post_sealed(1)


@refused("proofs: other worker")
def post_one_by_anothers_row(h: BountyHarness) -> Call:
    b = h.start(to="post")
    arguments = (1, b.paper.posted(2), b.paper.commits[1].file)
    return lambda: h.proofs.post_sealed_one(*b.head, *arguments)


@refused("proofs: other chunk")
def post_one_without_a_commit(h: BountyHarness) -> Call:
    b = h.start(to="post")
    return lambda: h.proofs.post_sealed_one(*b.head, 1, (0, [], 0, 0, b""), b"x" * 70)


# ------------------------------------------------------------------- score


def scoring(
    reason: str, name: str, change: Callable[[Bounty, list[Any]], None], **changed: Any
) -> None:
    def setup(h: BountyHarness) -> Call:
        b = h.start(**changed)
        arguments = [*b.head, *b.paper.score().arguments()]
        change(b, arguments)
        return lambda: h.intake.score(*arguments, sender=h.requester)

    refused.add(reason, setup, name)


scoring("intake: other gold", "score with another salt", setting(2, bytes(32)))


scoring("intake: other gold", "score with less gold", setting(3, lambda g: g[:-4]))


scoring(
    "intake: other gold", "score with other gold", setting(3, lambda g: bytes([g[0] ^ 1]) + g[1:])
)


scoring("intake: bad entries", "score with a chunk less", setting(4, lambda e: e[:-1]))


scoring("intake: bad entries", "score with an entry less", setting(4, lambda e: [e[0][:-1]]))


scoring("intake: bad entries", "score with an entry more", setting(4, lambda e: [e[0] + b"\0"]))


scoring("intake: bad lines", "score with half a line", setting(5, lambda x: x[:-1]))


scoring("board: other number of lines", "score with a line less", setting(5, lambda x: x[:-3]))


scoring("board: other number of lines", "score with a line more", setting(5, lambda x: x + x[:3]))


scoring("board: other terms", "score under other terms", setting(1, lambda t: t._replace(price=1)))


scoring("intake: other gold", "score a team with gold", setting(3, bytes(4)), team=True, min_run=2)


scoring("intake: bad entries", "score a team's entries", setting(4, [b""]), team=True, min_run=2)


def malformed(name: str, gold: list[tuple[int, int]]) -> None:
    def setup(h: BountyHarness) -> Call:
        b = h.create(h.draft(gold=gold))
        b.enroll().draw()
        b.paper.commit_all()
        b.commit().later(b.post_until)
        blank = [bytes(5 * len(gold[i : i + 32])) for i in range(0, len(gold), 32)]
        lines = bytes(3 * len(b.paper.rows))
        arguments = (b.paper.gold_salt, b.paper.gold_bytes, blank, lines)
        return lambda: h.intake.score(*b.head, *arguments, sender=h.requester)

    refused.add("intake: malformed gold", setup, f"score with gold that is malformed: {name}")


EVEN = [(i, i % 2) for i in range(32)]


malformed("doubled", [*EVEN[:31], (30, 1)])


malformed("out of order", [*EVEN[:30], (31, 0), (30, 1)])


malformed("beyond the items", [*EVEN[:31], (48, 1)])


malformed("of no class", [*EVEN[:31], (31, 2)])


malformed("of one class", [(i, 0) for i in range(32)])


malformed("with one rare class", [(i, int(i < 7)) for i in range(32)])


@refused("board: not the requester")
def score_by_another(h: BountyHarness) -> Call:
    b = h.start()
    return lambda: b.post_score(sender=h.relay)


@refused("board: not labeling")
def score_twice(h: BountyHarness) -> Call:
    b = h.start().post_score()
    return lambda: b.post_score()


@refused("board: nothing to score")
def score_where_nobody_committed(h: BountyHarness) -> Call:
    b = h.start(seats=lambda _: 0)
    return lambda: b.post_score()


@refused("board: too early")
def score_too_early(h: BountyHarness) -> Call:
    b = h.start(to="post")
    return lambda: b.post_score()


@refused("board: too late")
def score_too_late(h: BountyHarness) -> Call:
    b = h.start()
    b.later(b.score_until)
    return lambda: b.post_score()
