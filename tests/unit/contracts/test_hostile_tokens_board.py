# SPDX-License-Identifier: Apache-2.0
"""Every kind of hostile token at the board of bounties, and calls back from all that moves value.

The bounties here are in a token that misbehaves from some moment on. For the calls back that token
is requester, relay and payee at once, so that each call would succeed if it came alone.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import boa
import pytest

from tests.utils.bounty_board import FLAT, START, Bounty, BountyHarness
from tests.utils.bounty_paper import pay_evidence
from tests.utils.bounty_rows import account_of
from tests.utils.contracts import reverts
from tests.utils.royalties import Royalties, deployed_royalties
from tests.utils.tokens import KINDS, NO_REASON, WELL_BEHAVED, Kind, Mode, deploy_hostile_token

__all__ = ["deployed_royalties"]

GAS = 3_000_000  # enough for every kind but the one that eats it all
SMALL: dict[str, Any] = {"items": 24, "batch": 2, "min_run": 6, "max_run": 12}
MONEY = 10**15


@dataclass
class HostileBoard:
    """Market and bounties, whose token behaves until told otherwise and plays every role."""

    royalties: Royalties
    h: BountyHarness
    token: Any

    @property
    def here(self) -> str:
        return str(self.token.address)

    def start(self, to: str, seed: int = 1) -> Bounty:
        return self.h.start(seed, to=to, **SMALL)


@pytest.fixture(scope="module")
def hostile_board(deployed_royalties: Royalties) -> Iterator[HostileBoard]:
    with boa.env.anchor():
        boa.env.timestamp = START
        token = deploy_hostile_token(decimals=6)
        here = str(token.address)
        h = replace(deployed_royalties.harness, token=token, requester=here, relay=here)
        h.bounties = []
        token.mint(here, MONEY)
        token.approve(h.board, MONEY, sender=here)
        yield HostileBoard(deployed_royalties, h, token)


@pytest.fixture
def s(hostile_board: HostileBoard) -> Iterator[HostileBoard]:
    with boa.env.anchor():
        boa.env.timestamp = START
        yield hostile_board


def said(contract: Any, reason: str) -> Any:
    """Expect a refusal with these words; where a token is speechless, any silence will do."""
    return reverts(contract, reason) if reason != NO_REASON else pytest.raises(boa.BoaError)


# --------------------------------------------------------------- coming in


@pytest.mark.parametrize("by", ["allowance", "permit"])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_create__hostile_token__comes_in_exactly_or_not_at_all(
    s: HostileBoard, kind: Kind, by: str
) -> None:
    terms, board, token = s.h.draft(2, **SMALL).terms, s.h.board, s.token
    arguments: list[Any] = [terms]
    reason = kind.pull
    token.set_blocked(s.here, True)
    if by == "permit":
        token.approve(board, 0, sender=s.here)
        arguments.append((s.h.now, bytes(32), 27, bytes(32), bytes(32)))
        if kind.mode in (Mode.PERMIT_REVERTS, Mode.PERMIT_IDLE):
            reason = NO_REASON  # no allowance came of it
    before = int(token.balanceOf(board))
    token.set_mode(kind.mode)
    if reason is None:
        board.create(*arguments, sender=s.here, gas=GAS)
        token.set_mode(WELL_BEHAVED)
        assert int(token.balanceOf(board)) - before == terms.pot + terms.bond
        assert board.bounty_count() == 1
    else:
        with said(board, reason):
            board.create(*arguments, sender=s.here, gas=GAS)
        token.set_mode(WELL_BEHAVED)
        assert int(token.balanceOf(board)) == before
        assert board.bounty_count() == 0


# -------------------------------------------- what only writes entries, or nothing

Act = tuple[Any, str, tuple[Any, ...]]
"""A contract, its function, and what that takes."""


def enroll(s: HostileBoard) -> Act:
    b = s.start("open")
    rows = b.paper.enroll_chunks(0, len(b.paper.rows))
    return s.h.intake, "enroll", (*b.head, rows, True)


def close_joining(s: HostileBoard) -> Act:
    b = s.start("open")
    b.later(b.join_until)
    return s.h.board, "close_joining", b.head


def fix_seed(s: HostileBoard) -> Act:
    b = s.start("drawn")
    boa.env.evm.patch.block_number += 3
    return s.h.board, "fix_seed", (b.id,)


def commit(s: HostileBoard) -> Act:
    b = s.start("label")
    return s.h.board, "commit", (*b.head, b.paper.post(map(b.paper.commit_row, b.paper.commits)))


def override(s: HostileBoard) -> Act:
    b = s.start("committed")
    made, signature = b.paper.commits[1], b.paper.sign_commit(1)
    shown = (1, b.paper.roster(1), made.commitment, made.seats, signature)
    return s.h.proofs, "override_commit", (*b.head, *shown)


def post_sealed(s: HostileBoard) -> Act:
    b = s.start("post")
    shown = (1, b.paper.posted(1), b.paper.commits[1].file)
    return s.h.proofs, "post_sealed_one", (*b.head, *shown)


def score(s: HostileBoard) -> Act:
    b = s.start("score")
    return s.h.intake, "score", (*b.head, *b.paper.score().arguments())


def prove(s: HostileBoard) -> Act:
    b = s.start("score")
    b.paper.marks[1] = 2**22
    b.post_score()
    assert b.score is not None
    shown = (b.score.judged, b.score.lines, b.paper.posted(1), b.paper.acknowledge(1))
    return s.h.proofs, "prove_delivered", (*b.head, 1, *shown)


def end_bounty(s: HostileBoard) -> Act:
    b = s.start("score").post_score()
    b.later(b.challenge_until)
    return s.h.board, "end_bounty", b.head


def payout(s: HostileBoard) -> Act:
    b = s.start("score")
    b.later(b.score_until).end(FLAT)
    return s.h.intake, "payout", (*b.head, pay_evidence(b.paper, 0))


def cite(s: HostileBoard) -> Act:
    return s.h.board, "cite", (*s.start("open").head, account_of("seller"))


def draw_royalty(s: HostileBoard) -> Act:
    """A draw of a pool in this token, of a bounty in it."""
    r = s.royalties
    b = s.start("score")
    b.later(b.score_until).end(FLAT)
    c = r.contracts
    c.deal(s.token, c.seller, c.buyer)
    s.h.board.cite(*b.head, c.seller, sender=s.here)
    listing = r.draft(b, token=s.here)
    c.accept_all(c.list_version(listing))
    assert r.sell(listing) > 0
    return c.market, "draw_royalty", (s.token, *b.head, r.evidence(b))


CALLS = (
    *(enroll, close_joining, fix_seed, commit, override, post_sealed, score, prove, end_bounty),
    *(payout, cite, draw_royalty),
)


def call(s: HostileBoard, act: Act) -> None:
    contract, function, arguments = act
    getattr(contract, function)(*arguments, sender=s.here, gas=GAS)


@pytest.mark.parametrize("make", CALLS, ids=lambda it: it.__name__)
def test_inner__every_hostile_token__is_never_asked(
    s: HostileBoard, make: Callable[[HostileBoard], Act]
) -> None:
    act = make(s)
    for kind in KINDS:
        with boa.env.anchor():
            s.token.set_mode(kind.mode)
            call(s, act)
    with boa.env.anchor():
        # Not even to be read: a contract without code would have failed the call.
        boa.env.set_code(s.here, b"")
        call(s, act)


# -------------------------------------------------------------- going out


def ended(s: HostileBoard) -> Bounty:
    b = s.start("score")
    return b.later(b.score_until).end(FLAT).pay_out()


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_withdraw__hostile_token__hurts_its_own_users_only(s: HostileBoard, kind: Kind) -> None:
    b, board, token = ended(s), s.h.board, s.token
    payee = b.paper.rows[1].payee
    entry = int(board.balances(token, payee))
    assert entry > 0
    token.set_blocked(payee, True)
    token.mint(board, entry)  # of other users: a fee from the sender takes theirs
    token.set_mode(kind.mode)
    if kind.withdraw is None:
        assert board.withdraw(token, payee, 0, gas=GAS) == entry
        assert board.balances(token, payee) == 0
    else:
        with said(board, kind.withdraw):
            board.withdraw(token, payee, 0, gas=GAS)
        assert board.balances(token, payee) == entry
        token.set_mode(WELL_BEHAVED)
        assert board.withdraw(token, payee, 0, gas=GAS) == entry


# --------------------------------------------------------------- re-entry


def create(s: HostileBoard) -> Act:
    return s.h.board, "create", (s.h.draft(3, **SMALL).terms,)


def withdraw(s: HostileBoard) -> Act:
    return s.h.board, "withdraw", (s.token, ended(s).paper.rows[2].payee, 0)


def reading(function: str, *more: int) -> Callable[[HostileBoard], Act]:
    def make(s: HostileBoard) -> Act:
        return s.h.board, function, (s.start("open").id, *more)

    make.__name__ = function
    return make


VIEWS = (reading("state"), reading("context", 0, 0, 0), reading("citing"), reading("next_row"))


@pytest.mark.parametrize("make", (create, withdraw, *CALLS, *VIEWS), ids=lambda it: it.__name__)
def test_reentry__every_call_inside_every_other__is_shut(
    s: HostileBoard, make: Callable[[HostileBoard], Act]
) -> None:
    """A busy board is locked, its views too, and so is all that asks it; alone each would work."""
    done = ended(s)
    outer = (
        (s.h.board.create, (s.h.draft(4, **SMALL).terms,)),
        (s.h.board.withdraw, (s.token, done.paper.rows[1].payee, 0)),
    )
    act = make(s)
    contract, function, arguments = act
    data = getattr(contract, function).prepare_calldata(*arguments)
    with boa.env.anchor():
        call(s, act)
    for mode in (Mode.HOOK_BEFORE, Mode.HOOK_AFTER):
        for busy, its in outer:
            with boa.env.anchor():
                s.token.set_hook(contract, data, 1)
                s.token.set_mode(mode)
                busy(*its, sender=s.here)
                assert not s.token.hook_success()
                s.token.set_mode(WELL_BEHAVED)
                call(s, act)
