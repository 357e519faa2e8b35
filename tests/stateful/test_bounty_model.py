# SPDX-License-Identifier: Apache-2.0
"""Bounties against a ledger in Python: every call of every role, in any order, lies included.

Requester, relay, labelers, watch nodes, gate and token are hostile in turn. After each step the
board holds exactly what came in and was not withdrawn, and entries that changed are compared. At
the end strangers alone see every bounty out, everybody leaves alone, and what is left was burned.
"""

import random
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import boa
import hypothesis
import pytest
from boa.contracts.base_evm_contract import BoaError
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.stateful.running import run_machine
from tests.utils import bounty_reference as ref
from tests.utils.bounty_board import (
    DRAWN,
    FLAT,
    HALF,
    LABEL,
    NO_OPENING,
    NOT_DELIVERED,
    OPEN,
    PROVEN,
    REFUNDED,
    SCORED,
    SCORED_HALF,
    SETTLED,
    START,
    UNREADABLE,
    Bounty,
    BountyHarness,
    deploy_bounties,
)
from tests.utils.bounty_paper import address_number, chunk_evidence, pay_evidence
from tests.utils.drafts import word_of
from tests.utils.royalties import full_price, pay_of
from tests.utils.tokens import Mode, deploy_hostile_token

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


class BountyMachine(RuleBasedStateMachine):
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

    # --------------------------------------------------------------- choosing

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

    # -------------------------------------------------------------- requester

    @precondition(lambda self: len(self.h.bounties) < MOST)
    @rule(seed=seeds, team=st.booleans(), odd=st.booleans(), gated=st.booleans())
    def create(self, seed: int, team: bool, odd: bool, gated: bool) -> None:
        rng = random.Random(seed)
        terms: dict[str, Any] = {"items": 23 if odd else 24, "batch": 2, "min_run": 6}
        terms |= {"max_run": 12, "classes": rng.choice([2, 3]), "full": rng.choice([2, 3])}
        terms["gate"] = address_number(self.h.gate.address) if gated else 0
        if team:
            terms |= {"team": True, "min_run": 3, "full": 0, "rounds": rng.choice([1, 2])}
            terms["classes"] = rng.choice([0, 2])
        skill = rng.choice([0.6, 0.9, 0.9, -1])
        paper = self.h.draft(seed, gap=rng.choice([0, 0, 1]), skill=skill, **terms)
        if self.is_paused:
            return self.refuses(lambda: self.h.create(paper), "pausable: contract is paused")
        bounty = self.h.create(paper)
        self.forged[bounty.id] = set()
        return None

    @rule(seed=seeds)
    def create_what_is_refused(self, seed: int) -> None:
        bad = random.Random(seed).choice(["price", "full", "key_x", "min_seats", "bond", "relay"])
        terms = self.h.draft(seed).terms
        changed = terms._replace(**{bad: 2**130 if bad == "price" else 0})
        self.refuses(lambda: self.h.board.create(changed, sender=self.h.requester))

    @rule(seed=seeds)
    def score_truly(self, seed: int) -> None:
        self._score(seed, None)

    @rule(seed=seeds, lie=st.sampled_from(["answer", "line", "delivered", "readable"]))
    def score_falsely(self, seed: int, lie: str) -> None:
        self._score(seed, lie)

    @rule(seed=seeds, line=st.sampled_from([ONE + 1, 2**22 + 1, 2**24 - 1]))
    def score_with_what_is_no_mark(self, seed: int, line: int) -> None:
        self._score(seed, "line", line)

    def _score(self, seed: int, lie: str | None, line: int | None = None) -> None:
        b = self.pick(seed, LABEL)
        if b is None or not b.ledger.committed:
            return None
        b.later(max(b.post_until, self.h.now - 1))
        rng, paper = random.Random(seed), b.paper
        for worker in self.forged[b.id] & set(paper.commits):
            paper.marks[worker] = rng.choice([NOT_DELIVERED, UNREADABLE])
        # Whose labels nobody delivered is marked so; posted ones only as unreadable.
        for worker in b.ledger.posted & set(paper.marks):
            paper.marks[worker] = UNREADABLE
        if self.h.now > b.score_until:
            return self.refuses(b.post_score, "board: too late")
        honest = b.lives()
        told: tuple[Any, ...] = ()
        if lie in ("delivered", "readable") and honest:
            worker = rng.choice(honest)
            paper.marks[worker] = NOT_DELIVERED if lie == "delivered" else UNREADABLE
            told = (lie, worker)
        entries = paper.entries()
        if lie == "answer" and paper.gold:
            g, k = rng.randrange(len(entries)), rng.randrange(b.terms.rounds)
            bytes_ = [*range(b.terms.classes), ref.SKIP, ref.ABSENT, 200]
            entries[g][k] = rng.choice([e for e in bytes_ if e != entries[g][k]])
            told = ("answer", g, k)
        lines = paper.lines(entries)
        if lie == "line" and paper.gold and honest:
            worker = rng.choice(honest)
            lines[worker] = (lines[worker] + 1) % ONE if line is None else line
            told = ("line", worker)
        b.post_score(entries, lines)
        assert b.status == (SCORED_HALF if b.score and b.score.is_half else SCORED)
        if told and not (told[0] == "line" and b.status == SCORED_HALF):
            self.lies[b.id] = told
        return None

    @rule(seed=seeds)
    def score_by_a_stranger(self, seed: int) -> None:
        b = self.pick(seed, LABEL)
        if b is not None and b.ledger.committed:
            self.refuses(lambda: b.post_score(sender=self.h.stranger), "board: not the requester")

    @rule(seed=seeds)
    def cite(self, seed: int) -> None:
        b = self.pick(seed, *LIVE, *ENDED, REFUNDED)
        if b is not None:
            self.h.board.cite(*b.head, self.h.relay, sender=self.h.requester)
            assert self.h.board.citing(b.id) == self.h.relay

    # ------------------------------------------------------------------ relay

    @rule(seed=seeds, count=st.integers(1, 6))
    def enroll(self, seed: int, count: int) -> None:
        b = self.pick(seed, OPEN)
        if b is None:
            return None
        first = sum(b.paper.calls)
        end = min(first + count, len(b.paper.rows))
        if first == end:
            return None
        if self.h.now > b.join_until:
            return self.refuses(lambda: b.enroll_rows(first, end), "board: too late")
        b.enroll_rows(first, end)
        return None

    @rule(seed=seeds)
    def enroll_all_and_close(self, seed: int) -> None:
        b = self.pick(seed, OPEN)
        if b is None or self.h.now > b.join_until:
            return
        b.enroll_rows(sum(b.paper.calls), len(b.paper.rows), closes=True)
        assert b.status == DRAWN

    @rule(seed=seeds)
    def enroll_whom_the_gate_refuses(self, seed: int) -> None:
        b = self.pick(seed, OPEN)
        if b is None or not b.terms.gate:
            return
        first = sum(b.paper.calls)
        rows = [w for w in b.paper.workers if w >= first]
        if rows:
            with boa.env.anchor():
                self.h.gate.refuse(b.paper.rows[rows[0]].signer)
                chunks = b.paper.enroll_chunks(first, rows[0] + 1 - first)
                self.refuses(
                    lambda: self.h.intake.enroll(*b.head, chunks, False, sender=self.h.relay)
                )

    def _rows_to_commit(self, b: Bounty, rng: random.Random) -> list[int]:
        open_ = [w for w in b.paper.workers if w not in b.ledger.committed]
        return rng.sample(open_, rng.randint(1, len(open_))) if open_ else []

    @rule(seed=seeds)
    def commit_what_people_sealed(self, seed: int) -> None:
        self._commit(seed, is_real=True)

    @rule(seed=seeds)
    def commit_what_nobody_sealed(self, seed: int) -> None:
        self._commit(seed, is_real=False)

    def _commit(self, seed: int, *, is_real: bool) -> None:
        b, rng = self.pick(seed, LABEL), random.Random(seed)
        if b is None:
            return None
        workers = self._rows_to_commit(b, rng)
        if not workers:
            return None
        if self.h.now > b.label_until:
            rows = [ref.commit_row(workers[0], 1, word_of("late"))]
            late = lambda: self.h.board.commit(*b.head, rows, sender=self.h.relay)  # noqa: E731
            return self.refuses(late, "board: too late")
        for worker in workers:
            seats = rng.randint(1, b.paper.rows[worker].seats)
            b.paper.commits[worker] = b.paper.label(worker, seats, is_real=is_real)
            if not is_real:
                self.forged[b.id].add(worker)
        b.commit(workers)
        return None

    @rule(seed=seeds)
    def commit_again(self, seed: int) -> None:
        b = self.pick(seed, LABEL)
        mine = [w for w in b.paper.where if w not in b.ledger.overridden] if b else []
        if b is not None and mine and self.h.now <= b.label_until:
            self.refuses(lambda: b.commit([mine[seed % len(mine)]]), "board: committed already")

    # ------------------------------------------------------ labelers, watch nodes

    @rule(seed=seeds)
    def override(self, seed: int) -> None:
        b, rng = self.pick(seed, LABEL), random.Random(seed)
        if b is None:
            return None
        worker = rng.choice(b.paper.workers)
        if worker in b.ledger.overridden:
            return None
        seats = rng.randint(1, b.paper.rows[worker].seats)
        made = b.paper.label(worker, seats, variant=seed)
        if self.h.now > b.commit_until:
            return self.refuses(lambda: b.override(worker, made), "board: too late")
        b.override(worker, made)
        self.forged[b.id].discard(worker)
        return None

    @rule(seed=seeds)
    def override_again(self, seed: int) -> None:
        b = self.pick(seed, LABEL)
        if b is not None and b.ledger.overridden:
            worker = min(b.ledger.overridden)
            made = b.paper.label(worker, 1, variant=seed)
            self.refuses(
                lambda: b.override(worker, made), "board: overridden already", "board: too late"
            )

    @rule(seed=seeds)
    def override_with_a_forged_signature(self, seed: int) -> None:
        b = self.pick(seed, LABEL)
        if b is not None:
            worker = b.paper.workers[seed % len(b.paper.workers)]
            made = b.paper.label(worker, 1, variant=seed)
            self.refuses(lambda: b.override(worker, made, role="stranger"), "proofs: not signed")

    @rule(seed=seeds, alone=st.booleans())
    def post_sealed(self, seed: int, alone: bool) -> None:
        b = self.pick(seed, LABEL)
        if b is None or not b.ledger.committed:
            return
        b.later(max(b.commit_until, self.h.now - 1))
        real = set(b.ledger.committed) - self.forged[b.id]
        left = sorted(real - b.ledger.posted)
        if not left or self.h.now > b.post_until:
            return
        worker = left[seed % len(left)]
        if alone or worker in b.ledger.overridden:
            b.post_one(worker)
        else:
            place = b.paper.where[worker][0], b.paper.where[worker][1] // 32
            mates = [
                w
                for w in left
                if w not in b.ledger.overridden
                and (b.paper.where[w][0], b.paper.where[w][1] // 32) == place
            ]
            b.post_sealed(*mates)

    @rule(seed=seeds)
    def post_again(self, seed: int) -> None:
        b = self.pick(seed, LABEL)
        if b is not None and b.ledger.posted:
            worker = min(b.ledger.posted)
            self.refuses(lambda: b.post_one(worker), "board: posted already", "board: too late")

    # ------------------------------------------------------------- challengers

    @rule(seed=seeds)
    def prove_a_lie(self, seed: int) -> None:
        lying = [b for b in self.h.bounties if b.id in self.lies and b.status in LIVE]
        if not lying:
            return None
        b = lying[seed % len(lying)]
        kind, *where = self.lies[b.id]
        if self.h.now > b.challenge_until:
            return self.refuses(lambda: self._prove(b, kind, where), "board: too late")
        self._prove(b, kind, where)
        assert b.status == PROVEN
        return None

    def _prove(self, b: Bounty, kind: str, where: list[Any]) -> None:
        assert b.score is not None
        if kind == "answer":
            g, k = where
            claimed, worker = b.score.said[g][k], b.paper.judge_of(g, k)
            is_class = claimed < b.terms.classes or claimed == ref.SKIP
            is_held = b.paper.entry(g, k) != ref.ABSENT
            b.prove_answer(g, k, worker, None if is_class and is_held else NO_OPENING)
        elif kind == "line":
            b.prove_line(where[0])
        elif kind == "readable":
            b.prove_readable(where[0])
        else:
            is_posted = where[0] in b.ledger.posted
            b.prove_delivered(where[0], b"" if is_posted else self._acknowledged(b, where[0]))

    def _acknowledged(self, b: Bounty, worker: int) -> bytes:
        return b.paper.acknowledge(worker)

    @rule(seed=seeds)
    def prove_what_is_true(self, seed: int) -> None:
        b, rng = self.pick(seed, SCORED, SCORED_HALF), random.Random(seed)
        if b is None or not b.paper.gold or self.lies.get(b.id, ("",))[0] in ("answer", "line"):
            return
        g, k = rng.randrange(len(b.paper.gold)), rng.randrange(b.terms.rounds)
        self.refuses(lambda: b.prove_answer(g, k), "proofs: the entry is true")
        fine = b.lives()
        if fine:
            self.refuses(
                lambda: b.prove_line(rng.choice(fine)),
                "proofs: the line is true",
                "proofs: no line counts",
            )

    @rule(seed=seeds)
    def prove_a_mark_that_is_true(self, seed: int) -> None:
        b = self.pick(seed, SCORED, SCORED_HALF)
        if b is None:
            return
        garbage = sorted(self.forged[b.id] & set(b.paper.marks))
        if garbage:
            worker = garbage[seed % len(garbage)]
            self.refuses(lambda: b.prove_delivered(worker, bytes(65)))
            self.refuses(lambda: b.prove_readable(worker))

    # ------------------------------------------------------------------ anyone

    @rule(seed=seeds)
    def close_joining(self, seed: int) -> None:
        b = self.pick(seed, OPEN)
        if b is None:
            return None
        if self.h.now <= b.join_until:
            return self.refuses(lambda: self.h.board.close_joining(*b.head), "board: too early")
        self.h.board.close_joining(*b.head, sender=self.h.stranger)
        if b.ledger.roster_seats >= b.terms.min_seats:
            b.mark = self.h.now
            assert b.status == DRAWN
        else:
            b.ledger.end(REFUNDED)
            assert b.status == REFUNDED
        return None

    @rule(seed=seeds)
    def fix_seed(self, seed: int) -> None:
        b = self.pick(seed, DRAWN)
        if b is not None:
            seed_block = int.from_bytes(self.h.board.seeds(b.id), "big")
            if boa.env.evm.patch.block_number + 3 <= seed_block + 256:
                b.draw()
                assert b.status == LABEL

    @rule(seed=seeds)
    def miss_the_seed(self, seed: int) -> None:
        b = self.pick(seed, DRAWN)
        if b is None:
            return
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

    @rule(seed=seeds)
    def end_bounty(self, seed: int) -> None:
        b = self.pick(seed, DRAWN, LABEL, SCORED, SCORED_HALF)
        if b is None:
            return None
        moment, status = self.end_of(b)
        if self.h.now <= moment:
            return self.refuses(lambda: b.end(status), "board: too early")
        b.end(status)
        assert b.status == status
        return None

    @rule(seed=seeds)
    def pay_out(self, seed: int) -> None:
        b = self.pick(seed, *ENDED)
        if b is not None:
            b.pay_out()
            assert b.ledger.is_paid_out

    @rule(seed=seeds)
    def pay_again(self, seed: int) -> None:
        b = self.pick(seed, *ENDED)
        if b is not None and b.ledger.is_paid_out and b.ledger.committed:
            score = b.score if b.status in (SETTLED, HALF) else None
            evidence = pay_evidence(b.paper, 0, score=score)
            self.refuses(lambda: self.h.intake.payout(*b.head, evidence), "board: paid already")

    @rule(seed=seeds)
    def read_pays(self, seed: int) -> None:
        """Ask what workers earn, for royalties: before a payout or after it is the same."""
        b = self.pick(seed, *LIVE, *ENDED, REFUNDED)
        if b is None or not b.paper.calls:
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

    @rule(seed=seeds)
    def pay_by_other_lines(self, seed: int) -> None:
        b = self.pick(seed, SETTLED, HALF)
        if b is not None:
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

    @rule(seed=seeds)
    def call_setters(self, seed: int) -> None:
        b = self.pick(seed, *LIVE, *ENDED)
        if b is not None:
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


def run(examples: int) -> None:
    # Before the first run: what is deployed within one is undone with it.
    deployed()
    run_machine(BountyMachine, examples, suppress_health_check=list(hypothesis.HealthCheck))


@pytest.mark.timeout(600)
def test_bounties__any_calls_in_any_order__keep_to_the_ledger_and_let_everybody_out() -> None:
    run(40)


@pytest.mark.assure
@pytest.mark.parametrize("part", range(10))
def test_bounties__long_campaign__keeps_to_the_ledger_and_lets_everybody_out(part: int) -> None:
    """1,000 runs in ten parts, so that a campaign can be resumed."""
    run(100)
