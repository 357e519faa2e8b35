# SPDX-License-Identifier: Apache-2.0
"""All that the chain says of a bounty, and what the board tells those who check evidence."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from truthmark.bounty.assignment import Assignment
from truthmark.bounty.commits import Commits
from truthmark.bounty.gold import Gold
from truthmark.bounty.payouts import Payment, Status, payments
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.roster import Roster
from truthmark.bounty.score import Score, make_score
from truthmark.bounty.sealing import Codes, Scheme
from truthmark.bounty.terms import Terms
from truthmark.errors import BountyError
from truthmark.labels.scoring import Ints


@dataclass(frozen=True, slots=True)
class Context:
    """What the board keeps: hashes, and facts of one worker."""

    terms_hash: bytes
    seed: bytes
    position: int
    roster: bytes
    commits: bytes
    score: bytes
    override: bytes
    committed: int
    is_posted: bool


@dataclass(frozen=True)
class Record:
    """A bounty by its events and calldata.

    Attributes:
        ref: Which one.
        terms: What was agreed.
        seed: 32 bytes; zeros until it is fixed.
        roster: All rows.
        commits: All rows and overrides.
        posted: Workers whose sealed labels are on chain.
        status: How it stands.
        score: What was posted, if anything.
    """

    ref: BountyRef
    terms: Terms
    seed: bytes
    roster: Roster
    commits: Commits
    posted: frozenset[int]
    status: Status
    score: Score | None = None

    @cached_property
    def committed(self) -> Ints:
        """Seats that each worker committed."""
        return np.array(self.commits.seats(len(self.roster)), np.int64)

    @cached_property
    def assignment(self) -> Assignment:
        """Which seat judges which item."""
        terms = self.terms
        return Assignment(self.seed, items=terms.items, batch=terms.batch, rounds=terms.rounds)

    def scheme(self, worker: int) -> Scheme:
        """Return how a worker's labels are sealed."""
        return Scheme(self.ref, worker, self.terms.batch, self.terms.classes)

    def require_score(self) -> Score:
        """Return the score.

        Raises:
            BountyError: None was posted.
        """
        if self.score is None:
            raise BountyError("this bounty has no score; wait until the requester posts it")
        return self.score

    def make_score(
        self, *, gold: Gold, salt: bytes, codes: Mapping[int, Codes], marks: Mapping[int, int]
    ) -> Score:
        """Return the true score of this bounty; see `score.make_score`.

        Args:
            gold: What the terms commit to.
            salt: Of the gold, 32 bytes.
            codes: By worker, of all places of their seats, shape (places,).
            marks: By worker, of those who are not fine.
        """
        return make_score(
            terms=self.terms,
            assignment=self.assignment,
            roster=self.roster,
            committed=self.committed,
            gold=gold,
            salt=salt,
            codes=codes,
            marks=marks,
        )

    def payments(self, status: Status | None = None) -> list[Payment]:
        """Return what each worker who committed gets; see `payouts.payments`.

        Args:
            status: How it would end; as it did end if not given.

        Raises:
            BountyError: It has not ended so, or the score is missing.
        """
        return payments(
            terms=self.terms,
            roster=self.roster,
            committed=self.committed,
            status=self.status if status is None else status,
            score=self.score,
        )

    def context(self, worker: int, roster_call: int = 0, commit_call: int = 0) -> Context:
        """Return what the board would say of a worker and two calls.

        Args:
            worker: Row of the roster, from 0.
            roster_call: Number of the `enroll` call, from 0.
            commit_call: Number of the `commit` call, from 0.
        """
        override = self.commits.overrides.get(worker)
        calls = self.commits.calls
        return Context(
            terms_hash=self.terms.hash,
            seed=self.seed,
            position=self.roster.position,
            roster=self.roster.call_hash(roster_call),
            commits=self.commits.call_hash(commit_call) if commit_call < len(calls) else bytes(32),
            score=self.score.hash if self.score else bytes(32),
            override=override.commitment if override else bytes(32),
            committed=int(self.committed[worker]) if worker < len(self.roster) else 0,
            is_posted=worker in self.posted,
        )
