# SPDX-License-Identifier: Apache-2.0
"""What the contracts of bounties refuse, each reason by name, held against the sources."""

from collections.abc import Callable
from typing import Any

import boa
import pytest

from tests.utils import bounty_reference as ref
from tests.utils.bounty_board import (
    HALF,
    LABEL,
    NOT_DELIVERED,
    UNREADABLE,
    Bounty,
    BountyHarness,
    bounties,
    deployed_bounties,
)
from tests.utils.bounty_paper import (
    ZERO,
    Row,
    account_of,
    address_number,
    chunked,
    pay_evidence,
)
from tests.utils.contracts import reasons, reverts
from tests.utils.drafts import word_of
from tests.utils.refusals import Refusals
from tests.utils.tokens import deployer
from truthmark.keys.curve import N, multiply

__all__ = ["bounties", "deployed_bounties"]

Call = Callable[[], Any]
Setup = Callable[[BountyHarness], Call]
refused = Refusals()
P = 2**256 - 2**32 - 977


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


# ------------------------------------------------------------------ create


@refused("board: not the requester")
def create_for_another(h: BountyHarness) -> Call:
    terms = h.draft().terms._replace(requester=address_number(h.stranger))
    return lambda: h.board.create(terms, sender=h.requester)


@refused("board: other protocol fee")
def create_with_another_fee(h: BountyHarness) -> Call:
    return lambda: h.create(h.draft(fee_bps=99))


@refused("board: parts not fixed")
def create_before_parts_are_fixed(h: BountyHarness) -> Call:
    h.board = deployer("BountyBoard").deploy(h.owner, h.treasury)
    return lambda: h.create(h.draft(fee_bps=0))


@refused("board: too much money")
def create_with_a_pot_beyond_all_money(h: BountyHarness) -> Call:
    return lambda: h.create(h.draft(price=2**120, bond=2**127))


@refused("intake: bad full")
def create_with_bad_terms(h: BountyHarness) -> Call:
    return lambda: h.create(h.draft(full=1))


@refused("pausable: contract is paused")
def create_while_paused(h: BountyHarness) -> Call:
    h.board.pause(sender=h.owner)
    return lambda: h.create(h.draft())


@refused("ledger: short transfer")
def create_by_an_authorization_that_moves_nothing(h: BountyHarness) -> Call:
    silent = boa.loads(SILENT_TOKEN)
    paper = h.draft(token=address_number(silent.address))
    return lambda: h.create(paper, (2**40, word_of("nonce"), 27, bytes(32), bytes(32)))


SILENT_TOKEN = """
# pragma version 0.4.3
@external
@view
def balanceOf(account: address) -> uint256:
    return 7

@external
def receiveWithAuthorization(
    a: address, b: address, c: uint256, d: uint256, e: uint256, f: bytes32,
    v: uint8, r: bytes32, s: bytes32
):
    pass
"""


# ------------------------------------------------------------------ enroll


def enrolling(*rows: Row, closes: bool = False, sender: str = "", **changed: Any) -> Setup:
    def setup(h: BountyHarness) -> Call:
        b = h.start(to="open", **changed)
        chunks = chunked([row.packed for row in rows])
        return lambda: h.intake.enroll(*b.head, chunks, closes, sender=sender or h.relay)

    return setup


SOMEBODY = account_of("somebody")


def row(seats: int, payee: str = SOMEBODY) -> Row:
    return Row(SOMEBODY, payee, seats)


refused.add("intake: bad run", enrolling(row(3)), "enroll a run that is too short")
refused.add("intake: bad run", enrolling(row(9)), "enroll a run that is too long")
refused.add("intake: payee is zero", enrolling(row(4, ZERO)), "enroll without payee")
refused.add(
    "intake: run over two rounds", enrolling(row(8), row(8)), "enroll a run over two rounds"
)
refused.add(
    "intake: run over two rounds", enrolling(Row(ZERO, ZERO, 13)), "enroll a gap over two rounds"
)
refused.add("intake: too many seats", enrolling(*[row(6)] * 11), "enroll more than there are seats")
refused.add(
    "board: not the relay", enrolling(row(6), sender=account_of("stranger")), "enroll by others"
)
refused.add("board: too few seats", enrolling(row(6), closes=True), "close below the least seats")
refused.add("board: no rows", enrolling(), "enroll nobody")


@refused("intake: bad rows")
def enroll_half_a_row(h: BountyHarness) -> Call:
    b = h.start(to="open")
    return lambda: h.intake.enroll(*b.head, [row(6).packed[:-1]], False, sender=h.relay)


@refused("intake: bad rows")
def enroll_an_empty_chunk(h: BountyHarness) -> Call:
    b = h.start(to="open")
    return lambda: h.intake.enroll(*b.head, [b""], False, sender=h.relay)


@refused("board: other terms")
def enroll_under_other_terms(h: BountyHarness) -> Call:
    b = h.start(to="open")
    terms = b.terms._replace(max_run=60)
    return lambda: h.intake.enroll(b.id, terms, [row(6).packed], False, sender=h.relay)


@refused("board: not open")
def enroll_when_joining_is_closed(h: BountyHarness) -> Call:
    b = h.start(to="drawn", filled=4)
    return lambda: h.intake.enroll(*b.head, [row(6).packed], False, sender=h.relay)


@refused("board: too late")
def enroll_too_late(h: BountyHarness) -> Call:
    b = h.start(to="open")
    b.later(b.join_until)
    return lambda: h.intake.enroll(*b.head, [row(6).packed], False, sender=h.relay)


@refused("board: too many workers")
def enroll_more_than_2048(h: BountyHarness) -> Call:
    b = h.start(to="open", team=True, min_run=1, items=2_060, batch=1)
    chunks = chunked([row(1).packed] * 1_024)
    for _ in range(2):
        h.intake.enroll(*b.head, chunks, False, sender=h.relay)
    return lambda: h.intake.enroll(*b.head, [row(1).packed], False, sender=h.relay)


def gated(h: BountyHarness) -> Bounty:
    return h.start(to="open", gate=address_number(h.gate.address))


@refused("intake: not admitted")
def enroll_whom_the_gate_refuses(h: BountyHarness) -> Call:
    b = gated(h)
    h.gate.refuse(SOMEBODY)
    return lambda: h.intake.enroll(*b.head, [row(6).packed], False, sender=h.relay)


@refused("gate: out of order")
def enroll_at_a_gate_that_is_out_of_order(h: BountyHarness) -> Call:
    b = gated(h)
    h.gate.set_mode(1)
    return lambda: h.intake.enroll(*b.head, [row(6).packed], False, sender=h.relay)


@refused("")
def enroll_at_a_gate_without_code(h: BountyHarness) -> Call:
    b = h.start(to="open", gate=1234)
    return lambda: h.intake.enroll(*b.head, [row(6).packed], False, sender=h.relay)


# -------------------------------------------------------------- joining, seed


@refused("board: not open")
def close_joining_twice(h: BountyHarness) -> Call:
    b = h.start(to="drawn")
    return lambda: h.board.close_joining(*b.head)


@refused("board: too early")
def close_joining_too_early(h: BountyHarness) -> Call:
    b = h.start(to="open")
    return lambda: h.board.close_joining(*b.head)


@refused("board: other terms")
def close_joining_under_other_terms(h: BountyHarness) -> Call:
    b = h.start(to="open")
    b.later(b.join_until)
    return lambda: h.board.close_joining(b.id, b.terms._replace(min_seats=1))


@refused("board: nothing to draw")
def fix_a_seed_too_soon(h: BountyHarness) -> Call:
    b = h.start(to="open")
    return lambda: h.board.fix_seed(b.id)


@refused("board: too early")
def fix_a_seed_before_its_block(h: BountyHarness) -> Call:
    b = h.start(to="drawn")
    return lambda: h.board.fix_seed(b.id)


@refused("board: too late")
def fix_a_seed_a_day_later(h: BountyHarness) -> Call:
    b = h.start(to="drawn")
    boa.env.evm.patch.block_number += 300
    b.later(b.mark + 86_400)
    return lambda: h.board.fix_seed(b.id)


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


# ------------------------------------------------------------ royalties, owner


@refused("board: not the requester")
def cite_by_another(h: BountyHarness) -> Call:
    b = h.start(to="open")
    return lambda: h.board.cite(*b.head, h.stranger, sender=h.stranger)


@refused("board: other terms")
def cite_under_other_terms(h: BountyHarness) -> Call:
    b = h.start(to="open")
    terms = b.terms._replace(requester=address_number(h.stranger))
    return lambda: h.board.cite(b.id, terms, h.stranger, sender=h.stranger)


NOT_OWNER = "ownable: caller is not the owner"
for function, given in (
    ("set_fee_bps", (1,)),
    ("fix_parts", (ZERO, ZERO)),
    ("pause", ()),
    ("unpause", ()),
):

    def by_a_stranger(
        h: BountyHarness, function: str = function, given: tuple[Any, ...] = given
    ) -> Call:
        return lambda: getattr(h.board, function)(*given, sender=h.stranger)

    refused.add(NOT_OWNER, by_a_stranger, f"{function} by a stranger")


@refused("board: fee too large")
def set_a_fee_above_the_cap(h: BountyHarness) -> Call:
    return lambda: h.board.set_fee_bps(251, sender=h.owner)


@refused("board: parts are fixed")
def fix_parts_twice(h: BountyHarness) -> Call:
    return lambda: h.board.fix_parts(h.intake, h.proofs, sender=h.owner)


def fixing(reason: str, name: str, place: int) -> None:
    def setup(h: BountyHarness) -> Call:
        h.board = deployer("BountyBoard").deploy(h.owner, h.treasury)
        parts: list[Any] = [h.intake, h.proofs]
        parts[place] = h.stranger
        return lambda: h.board.fix_parts(*parts, sender=h.owner)

    refused.add(reason, setup, name)


fixing("board: intake is no contract", "fix a person as intake", 0)
fixing("board: proofs is no contract", "fix a person as proofs", 1)

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
    sources = set().union(
        *(reasons(f"{name}.vy") for name in ("BountyBoard", "BountyIntake", "BountyProofs"))
    )
    assert sources <= own
    assert {
        reason for reason in own if reason.startswith(("board:", "intake:", "proofs:"))
    } <= sources
