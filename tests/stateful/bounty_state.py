# SPDX-License-Identifier: Apache-2.0
"""What the model of bounties begins with, what must always hold, and how all is seen out."""

from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import boa
import pytest
from boa.contracts.base_evm_contract import BoaError
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

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
from tests.utils.tokens import deploy_hostile_token

LIVE = (OPEN, DRAWN, LABEL, SCORED, SCORED_HALF)
ENDED = (SETTLED, HALF, FLAT, PROVEN)
ONE = 10**6
MOST = 3
"""Bounties at once."""

seeds = st.integers(0, 2**32)


@lru_cache
def deployed() -> tuple[BountyHarness, Any]:
    """Everything, once; each run undoes what it did."""
    boa.env.timestamp = START
    token = deploy_hostile_token(decimals=6)
    return deploy_bounties(token), token


class BountyState(RuleBasedStateMachine):
    """Some bounties in one token, and everybody who has to do with them."""

    h: BountyHarness

    @initialize()
    def begin(self) -> None:
        self.h, self.token = deployed()
        self.anchor = boa.env.anchor()
        self.anchor.__enter__()
        boa.env.timestamp = START
        self.h.bounties, self.h.withdrawn = [], Counter()
        self.forged: dict[int, set[int]] = {}
        self.lies: dict[int, tuple[Any, ...]] = {}
        self.seen: Counter[str] = Counter()
        self.is_paused = False

    def pick(self, seed: int, *statuses: int) -> Bounty | None:
        found = [b for b in self.h.bounties if b.status in statuses]
        return found[seed % len(found)] if found else None

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

    def teardown(self) -> None:
        if not hasattr(self, "seen"):
            return
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
            self._close(b)
        if b.status in (DRAWN, LABEL, SCORED, SCORED_HALF):
            moment, status = self.end_of(b)
            b.later(max(moment, self.h.now))
            b.end(status)
        if b.status != REFUNDED:
            b.pay_out()

    def _close(self, b: Bounty) -> None:
        self.h.board.close_joining(*b.head, sender=self.h.stranger)
        if b.status == DRAWN:
            b.mark = self.h.now
        else:
            b.ledger.end(REFUNDED)
