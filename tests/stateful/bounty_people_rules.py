# SPDX-License-Identifier: Apache-2.0
"""Rules of the bounties' model: what requester, relay, labelers, watch nodes and challengers do."""

import random
from typing import Any

import boa
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.stateful.bounty_state import (
    ENDED,
    LIVE,
    MOST,
    ONE,
    BountyState,
    at,
    kinds,
    seeds,
)
from tests.utils import bounty_reference as ref
from tests.utils.bounty_board import (
    DRAWN,
    LABEL,
    NO_OPENING,
    NOT_DELIVERED,
    OPEN,
    PROVEN,
    REFUNDED,
    SCORED,
    SCORED_HALF,
    UNREADABLE,
    Bounty,
)
from tests.utils.drafts import word_of

LIES = ("answer", "line", "delivered", "readable")
BEGINNINGS = ("open", "label", "committed", "scored", *LIES)
"""How far the first bounty of a run is; a lie: scored by one."""


class PeopleRules(BountyState):
    """What those may do who have a part in a bounty."""

    beginning = "open"

    @initialize(seed=seeds, **kinds)
    def begin(self, seed: int, **kind: bool) -> None:
        """Begin with a bounty on its way: few runs of 50 steps led one to a score from nothing."""
        self.set_up()
        b = self.begin_bounty(self.paper(seed, **kind))
        if self.beginning == "open":
            return
        b.enroll().draw()
        if self.beginning == "label":
            return
        b.paper.commit_all()
        b.commit()
        if self.beginning != "committed":
            self._score(seed, None if self.beginning == "scored" else self.beginning)

    # -------------------------------------------------------------- requester

    @precondition(lambda self: len(self.stages) < MOST)
    @rule(seed=seeds, **kinds)
    def create(self, seed: int, team: bool, odd: bool, gated: bool) -> None:
        paper = self.paper(seed, team=team, odd=odd, gated=gated)
        if self.is_paused:
            return self.refuses(lambda: self.h.create(paper), "pausable: contract is paused")
        self.begin_bounty(paper)
        return None

    @rule(seed=seeds)
    def create_what_is_refused(self, seed: int) -> None:
        bad = random.Random(seed).choice(["price", "full", "key_x", "min_seats", "bond", "relay"])
        terms = self.h.draft(seed).terms
        changed = terms._replace(**{bad: 2**130 if bad == "price" else 0})
        self.refuses(lambda: self.h.board.create(changed, sender=self.h.requester))

    @at(LABEL)
    @rule(seed=seeds)
    def score_truly(self, seed: int) -> None:
        self._score(seed, None)

    @at(LABEL)
    @rule(seed=seeds, lie=st.sampled_from(LIES))
    def score_falsely(self, seed: int, lie: str) -> None:
        self._score(seed, lie)

    @at(LABEL)
    @rule(seed=seeds, line=st.sampled_from([ONE + 1, 2**22 + 1, 2**24 - 1]))
    def score_with_what_is_no_mark(self, seed: int, line: int) -> None:
        self._score(seed, "line", line)

    def _score(self, seed: int, lie: str | None, line: int | None = None) -> None:
        b = self.pick(seed, LABEL)
        if not b.ledger.committed:
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

    @at(LABEL)
    @rule(seed=seeds)
    def score_by_a_stranger(self, seed: int) -> None:
        b = self.pick(seed, LABEL)
        if b.ledger.committed:
            self.refuses(lambda: b.post_score(sender=self.h.stranger), "board: not the requester")

    @at(*LIVE, *ENDED, REFUNDED)
    @rule(seed=seeds)
    def cite(self, seed: int) -> None:
        b = self.pick(seed, *LIVE, *ENDED, REFUNDED)
        self.h.board.cite(*b.head, self.h.relay, sender=self.h.requester)
        assert self.h.board.citing(b.id) == self.h.relay

    # ------------------------------------------------------------------ relay

    @at(OPEN)
    @rule(seed=seeds, count=st.integers(1, 6))
    def enroll(self, seed: int, count: int) -> None:
        b = self.pick(seed, OPEN)
        first = sum(b.paper.calls)
        end = min(first + count, len(b.paper.rows))
        if first == end:
            return None
        if self.h.now > b.join_until:
            return self.refuses(lambda: b.enroll_rows(first, end), "board: too late")
        b.enroll_rows(first, end)
        return None

    @at(OPEN)
    @rule(seed=seeds)
    def enroll_all_and_close(self, seed: int) -> None:
        b = self.pick(seed, OPEN)
        if self.h.now > b.join_until:
            return
        b.enroll_rows(sum(b.paper.calls), len(b.paper.rows), closes=True)
        assert b.status == DRAWN

    @at(OPEN)
    @rule(seed=seeds)
    def enroll_whom_the_gate_refuses(self, seed: int) -> None:
        b = self.pick(seed, OPEN)
        if not b.terms.gate:
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

    @at(LABEL)
    @rule(seed=seeds)
    def commit_what_people_sealed(self, seed: int) -> None:
        self._commit(seed, is_real=True)

    @at(LABEL)
    @rule(seed=seeds)
    def commit_what_nobody_sealed(self, seed: int) -> None:
        self._commit(seed, is_real=False)

    def _commit(self, seed: int, *, is_real: bool) -> None:
        b, rng = self.pick(seed, LABEL), random.Random(seed)
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

    @at(LABEL)
    @rule(seed=seeds)
    def commit_again(self, seed: int) -> None:
        b = self.pick(seed, LABEL)
        mine = [w for w in b.paper.where if w not in b.ledger.overridden]
        if mine and self.h.now <= b.label_until:
            self.refuses(lambda: b.commit([mine[seed % len(mine)]]), "board: committed already")

    # ------------------------------------------------------ labelers, watch nodes

    @at(LABEL)
    @rule(seed=seeds)
    def override(self, seed: int) -> None:
        b, rng = self.pick(seed, LABEL), random.Random(seed)
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

    @at(LABEL)
    @rule(seed=seeds)
    def override_again(self, seed: int) -> None:
        b = self.pick(seed, LABEL)
        if b.ledger.overridden:
            worker = min(b.ledger.overridden)
            made = b.paper.label(worker, 1, variant=seed)
            self.refuses(
                lambda: b.override(worker, made), "board: overridden already", "board: too late"
            )

    @at(LABEL)
    @rule(seed=seeds)
    def override_with_a_forged_signature(self, seed: int) -> None:
        b = self.pick(seed, LABEL)
        worker = b.paper.workers[seed % len(b.paper.workers)]
        made = b.paper.label(worker, 1, variant=seed)
        self.refuses(lambda: b.override(worker, made, role="stranger"), "proofs: not signed")

    @at(LABEL)
    @rule(seed=seeds, alone=st.booleans())
    def post_sealed(self, seed: int, alone: bool) -> None:
        b = self.pick(seed, LABEL)
        if not b.ledger.committed:
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

    @at(LABEL)
    @rule(seed=seeds)
    def post_again(self, seed: int) -> None:
        b = self.pick(seed, LABEL)
        if b.ledger.posted:
            worker = min(b.ledger.posted)
            self.refuses(lambda: b.post_one(worker), "board: posted already", "board: too late")

    # ------------------------------------------------------------- challengers

    @precondition(lambda self: any(b.id in self.lies and b.status in LIVE for b in self.h.bounties))
    @rule(seed=seeds)
    def prove_a_lie(self, seed: int) -> None:
        lying = [b for b in self.h.bounties if b.id in self.lies and b.status in LIVE]
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

    @at(SCORED, SCORED_HALF)
    @rule(seed=seeds)
    def prove_what_is_true(self, seed: int) -> None:
        b, rng = self.pick(seed, SCORED, SCORED_HALF), random.Random(seed)
        if not b.paper.gold or self.lies.get(b.id, ("",))[0] in ("answer", "line"):
            return
        g, k = rng.randrange(len(b.paper.gold)), rng.randrange(b.terms.rounds)
        # Of what nobody sealed there is nothing to open.
        opening = NO_OPENING if b.paper.judge_of(g, k) in self.forged[b.id] else None
        self.refuses(lambda: b.prove_answer(g, k, None, opening), "proofs: the entry is true")
        fine = b.lives()
        if fine:
            self.refuses(
                lambda: b.prove_line(rng.choice(fine)),
                "proofs: the line is true",
                "proofs: no line counts",
            )

    @at(SCORED, SCORED_HALF)
    @rule(seed=seeds)
    def prove_a_mark_that_is_true(self, seed: int) -> None:
        b = self.pick(seed, SCORED, SCORED_HALF)
        garbage = sorted(self.forged[b.id] & set(b.paper.marks))
        if garbage:
            worker = garbage[seed % len(garbage)]
            self.refuses(lambda: b.prove_delivered(worker, bytes(65)))
            self.refuses(lambda: b.prove_readable(worker))
