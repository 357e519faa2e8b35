# SPDX-License-Identifier: Apache-2.0
"""What the contracts of bounties refuse from creation to the seed."""

from typing import Any

import boa

from tests.utils.bounty_board import Bounty, BountyHarness
from tests.utils.bounty_refusals.common import SOMEBODY, Call, Setup
from tests.utils.bounty_rows import ZERO, Row, account_of, address_number, chunked
from tests.utils.drafts import word_of
from tests.utils.refusals import Refusals
from tests.utils.tokens import deployer

refused = Refusals()


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
