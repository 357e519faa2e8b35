# SPDX-License-Identifier: Apache-2.0
"""What the model of bounties begins with, what must always hold, and how all is seen out."""

import random
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import boa
import pytest
from boa.contracts.base_evm_contract import BoaError
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition

from tests.utils.bounty_board import (
    DRAWN,
    FLAT,
    HALF,
    LABEL,
    OPEN,
    PROVEN,
    REFUNDED,
    SCORED,
    SCORED_HALF,
    SETTLED,
    START,
    Bounty,
    BountyHarness,
    deploy_bounties,
)
from tests.utils.bounty_paper import Paper
from tests.utils.bounty_rows import address_number
from tests.utils.tokens import deploy_hostile_token

LIVE = (OPEN, DRAWN, LABEL, SCORED, SCORED_HALF)
ENDED = (SETTLED, HALF, FLAT, PROVEN)
ONE = 10**6
MOST = 3
"""Bounties at once."""

seeds = st.integers(0, 2**32)
kinds = {"team": st.booleans(), "odd": st.booleans(), "gated": st.booleans()}


def at(*statuses: int) -> Any:
    """Let a rule run only while a bounty has one of these statuses."""
    return precondition(lambda self: not set(statuses).isdisjoint(self.stages))


@lru_cache
def deployed() -> tuple[BountyHarness, Any]:
    """Everything, once; each run undoes what it did."""
    boa.env.timestamp = START
    token = deploy_hostile_token(decimals=6)
    return deploy_bounties(token), token


class BountyState(RuleBasedStateMachine):
    """Some bounties in one token, and everybody who has to do with them."""

    h: BountyHarness
    reached: Counter[int]
    """Statuses to which calls led bounties, in all runs of one machine."""
    lies_told: int
    """In all of them."""
    stages: tuple[int, ...] = ()
    """The bounties' statuses after the last step."""

    def set_up(self) -> None:
        """Before anything else."""
        self.h, self.token = deployed()
        self.anchor = boa.env.anchor()
        self.anchor.__enter__()
        boa.env.timestamp = START
        self.h.bounties, self.h.withdrawn = [], Counter()
        self.forged: dict[int, set[int]] = {}
        self.lies: dict[int, tuple[Any, ...]] = {}
        self.seen: Counter[str] = Counter()
        self.is_paused = False

    def paper(self, seed: int, *, team: bool, odd: bool, gated: bool) -> Paper:
        """What a bounty is to be; `odd`: its items are not a multiple of its runs."""
        rng = random.Random(seed)
        terms: dict[str, Any] = {"items": 23 if odd else 24, "batch": 2, "min_run": 6}
        terms |= {"max_run": 12, "classes": rng.choice([2, 3]), "full": rng.choice([2, 3])}
        terms["gate"] = address_number(self.h.gate.address) if gated else 0
        if team:
            terms |= {"team": True, "min_run": 3, "full": 0, "rounds": rng.choice([1, 2])}
            terms["classes"] = rng.choice([0, 2])
        skill = rng.choice([0.6, 0.9, 0.9, -1])
        return self.h.draft(seed, gap=rng.choice([0, 0, 1]), skill=skill, **terms)

    def begin_bounty(self, paper: Paper) -> Bounty:
        bounty = self.h.create(paper)
        self.forged[bounty.id] = set()
        return bounty

    def pick(self, seed: int, *statuses: int) -> Bounty:
        """One of the bounties with these statuses; `at` has seen that there is one."""
        found = [b for b in self.h.bounties if b.status in statuses]
        return found[seed % len(found)]

    def refuses(self, call: Callable[[], Any], *reasons: str) -> None:
        """See that a call fails, by one of these reasons if any are named."""
        with pytest.raises(BoaError) as caught:
            call()
        if reasons:
            said = str(caught.value.stack_trace.last_frame.pretty_vm_reason)
            assert said in reasons, said

    # -------------------------------------------------------------- invariants

    @invariant()
    def board_is_solvent(self) -> None:
        if not hasattr(self, "seen"):
            return
        credited = self.h.credited()
        taken = sum(b.ledger.taken for b in self.h.bounties) - self.h.withdrawn.total()
        assert self.token.balanceOf(self.h.board) == taken >= credited.total()
        for account, amount in credited.items():
            if self.seen.get(account) != amount:
                assert self.h.board.balances(self.token, account) == amount, account
        self.seen = credited
        self.stages = tuple(b.status for b in self.h.bounties)

    def teardown(self) -> None:
        if not hasattr(self, "seen"):
            return
        type(self).lies_told += len(self.lies)
        self.reached.update(b.status for b in self.h.bounties)
        try:
            for b in self.h.bounties:
                self.see_out(b)
            self.h.check_money()
            assert all(b.ledger.is_paid_out for b in self.h.bounties)
            self.h.let_everybody_out()
        finally:
            # Whatever failed, or the next run would begin in the midst of this one.
            self.anchor.__exit__(None, None, None)

    def see_out(self, b: Bounty) -> None:
        """Strangers alone lead a bounty to its end, whatever others left undone."""
        if b.status == OPEN:
            b.later(max(b.join_until, self.h.now))
            b.close_joining()
        if b.status in (DRAWN, LABEL, SCORED, SCORED_HALF):
            moment, status = self.end_of(b)
            b.later(max(moment, self.h.now))
            b.end(status)
        if b.status != REFUNDED:
            b.pay_out()
