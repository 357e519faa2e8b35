# SPDX-License-Identifier: Apache-2.0
"""Bounties against a ledger in Python: every call of every role, in any order, lies included.

Requester, relay, labelers, watch nodes, gate and token are hostile in turn. After each step the
board holds exactly what came in and was not withdrawn, and entries that changed are compared. At
the end strangers alone see every bounty out, everybody leaves alone, and what is left was burned.
"""

from collections import Counter

import boa
import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.stateful.bounty_people_rules import BEGINNINGS, LIES, PeopleRules
from tests.stateful.bounty_state import ENDED, LIVE, ONE, at, deployed, seeds
from tests.stateful.running import run_machine
from tests.utils import bounty_reference as ref
from tests.utils.bounty_board import (
    DRAWN,
    FLAT,
    HALF,
    LABEL,
    OPEN,
    REFUNDED,
    SCORED,
    SCORED_HALF,
    SETTLED,
    Bounty,
)
from tests.utils.bounty_paper import chunk_evidence, pay_evidence
from tests.utils.drafts import word_of
from tests.utils.royalties import full_price, pay_of
from tests.utils.tokens import Mode


class BountyMachine(PeopleRules):
    """That, and what anyone, the owner and the token do."""

    @at(OPEN)
    @rule(seed=seeds)
    def close_joining(self, seed: int) -> None:
        b = self.pick(seed, OPEN)
        if self.h.now <= b.join_until:
            return self.refuses(lambda: self.h.board.close_joining(*b.head), "board: too early")
        b.close_joining()
        return None

    @at(DRAWN)
    @rule(seed=seeds)
    def fix_seed(self, seed: int) -> None:
        b = self.pick(seed, DRAWN)
        seed_block = int.from_bytes(self.h.board.seeds(b.id), "big")
        if boa.env.evm.patch.block_number + 3 <= seed_block + 256:
            b.draw()
            assert b.status == LABEL

    @at(DRAWN)
    @rule(seed=seeds)
    def miss_the_seed(self, seed: int) -> None:
        b = self.pick(seed, DRAWN)
        boa.env.evm.patch.block_number += 300
        if self.h.now <= b.mark + 86_400:
            self.h.board.fix_seed(b.id, sender=self.h.stranger)
            assert b.status == DRAWN
        else:
            self.refuses(lambda: self.h.board.fix_seed(b.id), "board: too late")

    @rule(seconds=st.sampled_from([1, 30, 100, 400, 1_000, 90_000]))
    def let_time_pass(self, seconds: int) -> None:
        boa.env.timestamp = self.h.now + seconds
        boa.env.evm.patch.block_number += 1

    def end_of(self, b: Bounty) -> tuple[int, int]:
        """When a bounty can be ended by itself, and how."""
        status = b.status
        if status == DRAWN:
            return b.mark + 86_400, REFUNDED
        if status == LABEL:
            return (b.score_until, FLAT) if b.ledger.committed else (b.commit_until, REFUNDED)
        return b.challenge_until, SETTLED if status == SCORED else HALF

    @at(DRAWN, LABEL, SCORED, SCORED_HALF)
    @rule(seed=seeds, waits=st.booleans())
    def end_bounty(self, seed: int, waits: bool) -> None:
        b = self.pick(seed, DRAWN, LABEL, SCORED, SCORED_HALF)
        moment, status = self.end_of(b)
        if waits:
            b.later(max(moment, self.h.now))
        if self.h.now <= moment:
            return self.refuses(lambda: b.end(status), "board: too early")
        b.end(status)
        assert b.status == status
        return None

    @at(*ENDED)
    @rule(seed=seeds)
    def pay_out(self, seed: int) -> None:
        b = self.pick(seed, *ENDED)
        b.pay_out()
        assert b.ledger.is_paid_out

    @at(*ENDED)
    @rule(seed=seeds)
    def pay_again(self, seed: int) -> None:
        b = self.pick(seed, *ENDED)
        if b.ledger.is_paid_out and b.ledger.committed:
            score = b.score if b.status in (SETTLED, HALF) else None
            evidence = pay_evidence(b.paper, 0, score=score)
            self.refuses(lambda: self.h.intake.payout(*b.head, evidence), "board: paid already")

    @at(*LIVE, *ENDED, REFUNDED)
    @rule(seed=seeds)
    def read_pays(self, seed: int) -> None:
        """Ask what workers earn, for royalties: before a payout or after it is the same."""
        b = self.pick(seed, *LIVE, *ENDED, REFUNDED)
        if not b.paper.calls:
            return
        worker = seed % sum(b.paper.calls)
        score = b.score if b.status in (SETTLED, HALF) else None
        evidence = chunk_evidence(b.paper, worker, score)
        if b.status not in ENDED:
            reasons = "intake: not ended", "intake: refunded"
            self.refuses(lambda: self.h.intake.pays(*b.head, evidence), *reasons)
            return
        full, pays = self.h.intake.pays(*b.head, evidence)
        assert full == full_price(b) >= sum(it.amount for it in pays)
        first, end = evidence[3], evidence[3] + len(evidence[5]) // 41
        assert {it.worker: it.amount for it in pays} == {
            w: pay_of(b, w) for w in b.ledger.committed if first <= w < end
        }

    @at(SETTLED, HALF)
    @rule(seed=seeds)
    def pay_by_other_lines(self, seed: int) -> None:
        b = self.pick(seed, SETTLED, HALF)
        assert b.score is not None
        evidence = list(pay_evidence(b.paper, 0, score=b.score))
        evidence[7] = ref.u(ONE, 3) * len(b.paper.rows)
        if evidence[7] != b.score.lines:
            self.refuses(lambda: self.h.intake.payout(*b.head, evidence), "intake: other lines")

    @rule(seed=seeds)
    def withdraw(self, seed: int) -> None:
        accounts = sorted(a for a, n in self.h.credited().items() if n and int(a, 16))
        if accounts:
            account = accounts[seed % len(accounts)]
            entry = self.h.credited()[account]
            amount = seed % (entry + 1)
            paid = self.h.board.withdraw(self.token, account, amount, sender=self.h.stranger)
            assert paid == (amount or entry)
            self.h.withdrawn[account] += paid

    # ------------------------------------------------------------- owner, token

    @rule()
    def pause_or_unpause(self) -> None:
        getattr(self.h.board, "unpause" if self.is_paused else "pause")(sender=self.h.owner)
        self.is_paused = not self.is_paused

    @at(*LIVE, *ENDED)
    @rule(seed=seeds)
    def call_setters(self, seed: int) -> None:
        b = self.pick(seed, *LIVE, *ENDED)
        board, me = self.h.board, self.h.requester
        calls = (
            lambda: board.set_score(*b.head, bytes(32), 1, True, me, sender=me),
            lambda: board.pay(*b.head, [1], False, me, sender=me),
            lambda: board.set_override(*b.head, 0, word_of("x"), 1, me, sender=me),
            lambda: board.set_posted(*b.head, [0], True, me, sender=me),
            lambda: board.prove(*b.head, 0, 1, me, sender=me),
        )
        self.refuses(calls[seed % len(calls)], "board: not the part for it")

    @rule(seed=seeds)
    def token_calls_back(self, seed: int) -> None:
        accounts = sorted(a for a, n in self.h.credited().items() if n and int(a, 16))
        if not accounts:
            return
        account = accounts[seed % len(accounts)]
        again = self.h.board.withdraw.prepare_calldata(self.token, account, 0)
        self.token.set_hook(self.h.board, again, 3)
        self.token.set_mode(Mode.HOOK_BEFORE)
        paid = self.h.board.withdraw(self.token, account, 0, sender=self.h.stranger)
        self.h.withdrawn[account] += paid
        assert not self.token.hook_success()
        self.token.set_mode(Mode(0))

    @rule(mode=st.sampled_from([Mode.FALSE_AND_STAYS, Mode.PAUSED, Mode.REVERT_BOMB]))
    def token_refuses_to_move(self, mode: Mode) -> None:
        accounts = sorted(a for a, n in self.h.credited().items() if n and int(a, 16))
        if accounts:
            self.token.set_mode(mode)
            self.refuses(lambda: self.h.board.withdraw(self.token, accounts[0], 0))
            self.token.set_mode(Mode(0))


def run(beginning: str, examples: int) -> Counter[int]:
    # Before the first run: what is deployed within one is undone with it, as all that another
    # test deployed was.
    deployed.cache_clear()
    deployed()

    class Machine(BountyMachine):
        pass

    Machine.beginning, Machine.reached, Machine.lies_told = beginning, Counter(), 0
    run_machine(Machine, examples, suppress_health_check=list(hypothesis.HealthCheck))
    # Rules that find nothing to do would pass as well.
    assert Machine.lies_told or beginning not in LIES
    return Machine.reached


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_bounties__any_calls_in_any_order__keep_to_the_ledger_and_let_everybody_out(
    beginning: str,
) -> None:
    run(beginning, 4)


@pytest.mark.parametrize("seed", range(2))
def test_bounties__joining_ends_with_some_of_the_rows__go_on_with_these_alone(seed: int) -> None:
    """What a long run once met: people of the paper who were never brought in have no seats."""
    deployed.cache_clear()
    machine = BountyMachine()
    BountyMachine.reached, BountyMachine.lies_told = Counter(), 0
    machine.set_up()
    b = machine.begin_bounty(machine.paper(seed, team=False, odd=False, gated=False))
    while b.ledger.roster_seats < b.terms.min_seats:
        machine.enroll(seed, 1)
    assert sum(b.paper.calls) < len(b.paper.rows)
    b.later(b.join_until)
    machine.close_joining(seed)
    b.draw()
    for _ in range(3):
        machine.commit_what_people_sealed(seed)
    machine.score_truly(seed)
    assert b.status in (SCORED, SCORED_HALF)
    machine.teardown()


def test_bounties__commit_that_was_refused__is_no_call_of_the_board() -> None:
    """What another long run met: later calls had other numbers on paper than on the board."""
    deployed.cache_clear()
    machine = BountyMachine()
    BountyMachine.reached, BountyMachine.lies_told = Counter(), 0
    machine.set_up()
    b = machine.begin_bounty(machine.paper(1, team=False, odd=False, gated=False)).enroll().draw()
    first, last = b.paper.workers[0], b.paper.workers[-1]
    for worker in (first, last):
        b.paper.commits[worker] = b.paper.label(worker, 1)
        b.commit([worker])
        machine.commit_again(0)
    b.later(b.commit_until)
    b.post_sealed(last)
    machine.teardown()


@pytest.mark.assure
@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_bounties__long_campaign__keeps_to_the_ledger_and_lets_everybody_out(
    beginning: str,
) -> None:
    """1,000 runs in parts, so that a campaign can be resumed."""
    assert set(run(beginning, 125)) & set(ENDED)
