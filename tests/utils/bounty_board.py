# SPDX-License-Identifier: Apache-2.0
"""Bounties on titanoboa: all contracts, everybody around them, and a ledger beside them.

`bounties` is the fixture. `start` makes a bounty and leads it up to a state; a test names what it
wants changed and leaves the rest.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import boa
import pytest

from tests.utils.bounty_ledger import FLAT, HALF, PROVEN, REFUNDED, SETTLED, Ledger
from tests.utils.bounty_paper import NO_COMMITS, NO_OPENING, Paper, Score, pay_evidence
from tests.utils.bounty_reference import NOT_DELIVERED, UNREADABLE, gold_bytes
from tests.utils.bounty_rows import (
    Commit,
    Terms,
    account_of,
    address_number,
    chunked,
    fill_roster,
    make_gold,
)
from tests.utils.contracts import events
from tests.utils.drafts import word_of
from tests.utils.tokens import deploy_test_token, deployer
from truthmark.hashing import keccak256

__all__ = [
    "FLAT",
    "HALF",
    "NOT_DELIVERED",
    "NO_COMMITS",
    "NO_OPENING",
    "PROVEN",
    "REFUNDED",
    "SETTLED",
    "UNREADABLE",
    "bounties",
    "deployed_bounties",
]

START = 2_000_000_000
OPEN, DRAWN, LABEL, SCORED, SCORED_HALF = 1, 2, 3, 4, 5
FEE_BPS = 100
MONEY = 10**30
HASHES = [word_of("hash", age) for age in range(255)]

GATE = """
# pragma version 0.4.3
refused: public(HashMap[address, bool])
mode: public(uint256)

@external
def refuse(account: address):
    self.refused[account] = True

@external
def set_mode(mode: uint256):
    self.mode = mode

@external
@view
def admits(bounty_id: uint256, account: address) -> bool:
    if self.mode == 1:
        raise "gate: out of order"
    if self.mode == 2:
        x: uint256 = 0
        for i: uint256 in range(2**40):
            x += i
        return x != 0
    if self.mode == 3:
        x: Bytes[4] = b""
        raw_revert(x)
    return not self.refused[account]
"""


@dataclass
class Bounty:
    """A bounty on the chain, on paper, and in the ledger beside it."""

    harness: "BountyHarness"
    paper: Paper
    ledger: Ledger
    score: Score | None = None
    mark: int = 0
    """when its status began"""

    @property
    def terms(self) -> Terms:
        return self.paper.terms

    @property
    def id(self) -> int:
        return self.paper.bounty_id

    @property
    def head(self) -> tuple[int, Terms]:
        """What nearly every call begins with."""
        return self.id, self.terms

    @property
    def state(self) -> Any:
        return self.harness.board.state(self.id)

    @property
    def status(self) -> int:
        return int(self.state.status)

    # ------------------------------------------------------------ deadlines

    @property
    def join_until(self) -> int:
        return self.mark + self.terms.join_seconds

    @property
    def label_until(self) -> int:
        return self.mark + self.terms.label_seconds

    @property
    def commit_until(self) -> int:
        return self.label_until + self.terms.grace_seconds

    @property
    def post_until(self) -> int:
        return self.commit_until + self.terms.release_seconds

    @property
    def score_until(self) -> int:
        return self.post_until + self.terms.score_seconds

    @property
    def challenge_until(self) -> int:
        return self.mark + self.terms.challenge_seconds

    # ---------------------------------------------------------------- calls

    def enroll(self, cuts: Iterable[int] = (), *, closes: bool = True) -> "Bounty":
        """Post the roster, in calls that are cut before the rows of these numbers."""
        at = sorted({0, len(self.paper.rows), *cuts})
        for first, end in pairwise(at):
            self.enroll_rows(first, end, closes=closes and end == len(self.paper.rows))
        return self

    def enroll_rows(self, first: int, end: int, *, closes: bool = False) -> None:
        h, rows = self.harness, self.paper.rows[first:end]
        chunks = self.paper.enroll_chunks(first, end - first)
        h.intake.enroll(*self.head, chunks, closes, sender=h.relay)
        self.paper.calls.append(end - first)
        self.ledger.roster_seats += sum(row.seats for row in rows if not row.is_gap)
        if closes:
            self.mark = h.now

    def close_joining(self) -> None:
        """Let a stranger close joining after its time; rows that are not in by then never are."""
        h = self.harness
        h.board.close_joining(*self.head, sender=h.stranger)
        del self.paper.rows[sum(self.paper.calls) :]
        if self.ledger.roster_seats >= self.terms.min_seats:
            self.mark = h.now
            assert self.status == DRAWN
        else:
            self.ledger.end(REFUNDED)
            assert self.status == REFUNDED

    def draw(self) -> "Bounty":
        h = self.harness
        boa.env.evm.patch.block_number += 3
        # Else hashes hang on the time of the run, and now and then no gold falls where a test
        # looks for some.
        boa.env.evm.patch.prev_hashes = HASHES
        h.board.fix_seed(self.id, sender=h.stranger)
        self.paper.seed = bytes(h.board.seeds(self.id))
        self.mark = h.now
        return self

    def commit(
        self, workers: Iterable[int] | None = None, *, calls: int = 1, sender: str | None = None
    ) -> "Bounty":
        """Let the relay post workers' commits, in some calls."""
        chosen = list(self.paper.commits if workers is None else workers)
        size = -(-len(chosen) // calls) if chosen else 1
        for i in range(0, len(chosen), size):
            part = chosen[i : i + size]
            rows = [self.paper.commit_row(worker) for worker in part]
            relay = sender or self.harness.relay
            self.harness.board.commit(*self.head, chunked(rows), sender=relay)
            self.paper.post(rows)  # not before: what is refused has no number on the board
            for worker in part:
                if worker not in self.ledger.overridden:
                    self.ledger.commit(worker, self.paper.commits[worker].seats)
        return self

    def override(self, worker: int, commit: Commit | None = None, **signing: Any) -> "Bounty":
        h = self.harness
        made = commit or self.paper.commits[worker]
        signature = self.paper.sign_commit(worker, made, **signing)
        roster = self.paper.roster(worker)
        arguments = (worker, roster, made.commitment, made.seats, signature)
        h.proofs.override_commit(*self.head, *arguments, sender=h.stranger)
        self.paper.commits[worker] = made
        self.ledger.override(worker, made.seats, h.stranger)
        return self

    def post_sealed(self, *workers: int) -> "Bounty":
        """Post sealed labels of workers of one chunk of commits."""
        h = self.harness
        files = [self.paper.chunk_file(worker) for worker in workers]
        commits = self.paper.posted(workers[0])
        h.proofs.post_sealed(*self.head, commits, files, sender=h.stranger)
        self.ledger.post(set(workers), h.stranger)
        return self

    def post_one(self, worker: int) -> "Bounty":
        h = self.harness
        commits = NO_COMMITS if worker in self.ledger.overridden else self.paper.posted(worker)
        file = self.paper.commits[worker].file
        h.proofs.post_sealed_one(*self.head, worker, commits, file, sender=h.stranger)
        self.ledger.post({worker}, h.stranger)
        return self

    def post_score(
        self,
        entries: list[list[int]] | None = None,
        lines: list[int] | None = None,
        sender: str | None = None,
    ) -> "Bounty":
        h = self.harness
        score = self.paper.score(entries, lines)
        h.intake.score(*self.head, *score.arguments(), sender=sender or h.requester)
        self.score, self.mark = score, h.now
        return self

    # --------------------------------------------------------------- proofs

    def prove_answer(
        self, gold: int, round_: int, worker: int | None = None, opening: Any = None
    ) -> None:
        h, assumed = self.harness, self.paper.judge_of(gold, round_)
        assert self.score is not None
        who = worker if worker is not None else assumed if assumed is not None else 0
        shown = self.paper.opening(gold, round_) if opening is None else opening
        evidence = self.score.chunk_of(gold), self.paper.roster(who), self.paper.posted(who), shown
        h.proofs.prove_answer(*self.head, gold, round_, who, *evidence, sender=h.stranger)
        self.ledger.end(PROVEN, h.stranger)

    def prove_line(self, worker: int) -> None:
        h = self.harness
        assert self.score is not None
        h.proofs.prove_line(*self.head, *self.score.line_arguments(worker), sender=h.stranger)
        self.ledger.end(PROVEN, h.stranger)

    def prove_delivered(self, worker: int, signature: bytes = b"", commits: Any = None) -> None:
        h = self.harness
        assert self.score is not None
        shown = self.paper.posted(worker) if commits is None else commits
        arguments = (worker, self.score.judged, self.score.lines, shown, signature)
        h.proofs.prove_delivered(*self.head, *arguments, sender=h.stranger)
        self.ledger.end(PROVEN, h.stranger)

    def prove_readable(self, worker: int, commit: Commit | None = None, **changed: Any) -> None:
        h, made = self.harness, commit or self.paper.commits[worker]
        assert self.score is not None
        values = {
            "worker": worker,
            "judged": self.score.judged,
            "lines": self.score.lines,
            "commits": self.paper.posted(worker),
            "e": made.e,
            "big_e": made.E,
            "shared": made.S,
            "sealed": made.sealed,
        } | changed
        h.proofs.prove_readable(*self.head, *values.values(), sender=h.stranger)
        self.ledger.end(PROVEN, h.stranger)

    # ----------------------------------------------------------------- ends

    def end(self, status: int) -> "Bounty":
        h = self.harness
        h.board.end_bounty(*self.head, sender=h.stranger)
        self.ledger.end(status)
        return self

    def pay_out(self) -> "Bounty":
        """Pay everybody; the first call ends the bounty if its time has come."""
        h = self.harness
        uses_score = self.status in (SCORED, SCORED_HALF, SETTLED, HALF)
        for call, count in enumerate(self.paper.calls):
            first = self.paper.first_workers[call]
            workers = [w for w in range(first, first + count) if self.paper.committed(w)]
            if not set(workers) - self.ledger.paid:
                continue
            evidence = pay_evidence(self.paper, call, score=self.score if uses_score else None)
            h.intake.payout(*self.head, evidence, sender=h.stranger)
            if not self.ledger.status:
                self.ledger.end(self.status)
            for worker in set(workers) - self.ledger.paid:
                self.note_pay(worker)
        return self

    def note_pay(self, worker: int) -> None:
        """Tell the ledger beside that a worker was paid."""
        line = self.score.line_values[worker] if self.score else 0
        labels = self.paper.labels_in(worker, self.paper.committed(worker))
        payee = self.paper.rows[worker].payee
        self.ledger.pay(worker, payee, labels, line, self.harness.stranger)

    def settle(self, status: int) -> "Bounty":
        """See a bounty out: pay, compare every entry, and let everybody withdraw alone."""
        if status != REFUNDED:
            self.pay_out()
        assert self.status == status == self.ledger.status
        assert self.ledger.is_paid_out
        self.harness.check_money()
        self.harness.let_everybody_out()
        return self

    def later(self, moment: int) -> "Bounty":
        """Let time pass until a second after a deadline."""
        boa.env.timestamp = moment + 1
        return self

    def lives(self) -> list[int]:
        """Workers who committed and bear no mark."""
        return [w for w in self.paper.commits if w not in self.paper.marks]


@dataclass
class BountyHarness:
    """The contracts, and everybody who may have to do with them."""

    board: Any
    intake: Any
    proofs: Any
    token: Any
    gate: Any
    owner: str
    treasury: str
    requester: str
    relay: str
    stranger: str
    bounties: list[Bounty] = field(default_factory=list)
    withdrawn: Counter[str] = field(default_factory=Counter)

    @property
    def now(self) -> int:
        return int(boa.env.timestamp)

    @property
    def place(self) -> tuple[int, str]:
        return boa.env.evm.patch.chain_id, str(self.board.address)

    def draft_terms(self, *, team: bool = False, gold: int | None = None, **changed: Any) -> Terms:
        """Draft terms; gold and bond are as small as they may be unless given."""
        base = Terms(
            requester=address_number(self.requester),
            token=address_number(self.token.address),
            relay=address_number(self.relay),
            receiver=address_number(account_of("receiver")),
            fee_bps=FEE_BPS,
        )._replace(**{k: v for k, v in changed.items() if k != "gold_commitment"})
        if team:
            base = base._replace(full=0, reward=0, bond=0)
            if "rounds" not in changed:
                base = base._replace(rounds=1)
        if "min_seats" not in changed:
            least = -(-9 * min(3, base.rounds) * base.per_round // 10)
            base = base._replace(min_seats=1 if team else least)
        if team:
            return base._replace(**changed)
        if "bond" not in changed:
            base = base._replace(bond=base.seats * base.seat_price // 10 + 6_007)
        if gold is None:
            least = {2: 14, 3: 20}.get(base.rounds, 10)
            gold = min(base.items, -(-least * base.seats // (base.min_run * base.rounds)))
        return base._replace(gold_count=changed.get("gold_count", gold))

    def draft(
        self,
        seed: int = 0,
        *,
        gold: list[tuple[int, int]] | None = None,
        filled: int | None = None,
        gap: int = 0,
        skill: float = 0.9,
        **changed: Any,
    ) -> Paper:
        """Draft a bounty with a roster of random runs, of all rounds or of the first `filled`."""
        rng = random.Random(seed)
        terms = self.draft_terms(**changed)
        drawn = make_gold(terms, terms.gold_count, rng) if gold is None else gold
        salt = word_of("gold salt", seed)
        if drawn:
            terms = terms._replace(
                gold_count=len(drawn), gold_commitment=keccak256(salt + gold_bytes(drawn))
            )
        terms = terms._replace(
            salt=word_of("terms", seed), **{k: v for k, v in changed.items() if k == "salt"}
        )
        if "gold_commitment" in changed:
            terms = terms._replace(gold_commitment=changed["gold_commitment"])
        paper = Paper(terms, drawn, salt, self.place, rng, skill=skill)
        paper.rows = fill_roster(terms, rng, filled, gap=gap)
        return paper

    def create(self, paper: Paper, *permit: Any) -> Bounty:
        paper.bounty_id = self.board.create(paper.terms, *permit, sender=self.requester)
        ledger = Ledger(paper.terms, self.requester, self.relay, self.treasury)
        bounty = Bounty(self, paper, ledger, mark=self.now)
        self.bounties.append(bounty)
        return bounty

    def start(
        self,
        seed: int = 0,
        *,
        to: str = "score",
        seats: Callable[[int], int] | None = None,
        cuts: Iterable[int] = (),
        calls: int = 1,
        **changed: Any,
    ) -> Bounty:
        """Make a bounty and lead it up to a state.

        Args:
            seed: Of everything drawn.
            to: "open", "drawn", "label", "committed", "post" (when posting begins) or "score".
            seats: worker -> seats that they commit.
            cuts: Where the roster is cut into calls.
            calls: How many commit calls.
            changed: For `draft`.
        """
        bounty = self.create(self.draft(seed, **changed))
        if to == "open":
            return bounty
        bounty.enroll(cuts)
        if to == "drawn":
            return bounty
        bounty.draw()
        bounty.paper.commit_all(seats)
        if to == "label":
            return bounty
        bounty.commit(calls=calls)
        if to == "committed":
            return bounty
        return bounty.later(bounty.commit_until if to == "post" else bounty.post_until)

    # ---------------------------------------------------------------- money

    def credited(self) -> Counter[str]:
        """What all ledgers beside say was credited and not withdrawn."""
        total: Counter[str] = Counter()
        for bounty in self.bounties:
            total.update(bounty.ledger.credited)
        total.subtract(self.withdrawn)
        return total

    def check_money(self) -> None:
        """Compare every entry with the ledger beside, and the sums with what came in."""
        for account, amount in self.credited().items():
            entry = self.board.balances(self.token, account)
            assert entry == amount, (account, entry, amount)
        taken = sum(bounty.ledger.taken for bounty in self.bounties) - self.withdrawn.total()
        assert self.token.balanceOf(self.board) == taken
        if all(bounty.ledger.is_paid_out for bounty in self.bounties):
            assert sum(self.credited().values()) == taken

    def let_everybody_out(self) -> None:
        """Everybody withdraws by themselves; left is what was burned, and what is not paid."""
        burned = 0
        credited = self.credited()
        for account, amount in credited.items():
            if int(account, 16) == 0:
                burned = amount
            elif amount:
                before = self.token.balanceOf(account)
                self.board.withdraw(self.token, account, 0, sender=self.stranger)
                assert self.token.balanceOf(account) - before == amount
                self.withdrawn[account] += amount
        if all(bounty.ledger.is_paid_out for bounty in self.bounties):
            assert self.token.balanceOf(self.board) == burned

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        return events(self.board)


def deploy_bounties(token: Any = None) -> BountyHarness:
    """Deploy everything for bounties, with money for the requester."""
    owner, treasury = account_of("owner"), account_of("treasury")
    board = deployer("BountyBoard").deploy(owner, treasury)
    intake = deployer("BountyIntake").deploy(board)
    proofs = deployer("BountyProofs").deploy(board)
    money = token or deploy_test_token()
    return use_board(board, intake, proofs, money, owner=owner, treasury=treasury)


def use_board(
    board: Any, intake: Any, proofs: Any, token: Any, *, owner: str, treasury: str
) -> BountyHarness:
    """Give a board that has none yet its parts, and the requester money."""
    board.fix_parts(intake, proofs, sender=owner)
    board.set_fee_bps(FEE_BPS, sender=owner)
    requester, relay = account_of("requester"), account_of("relay")
    token.mint(requester, MONEY)
    token.approve(board, MONEY, sender=requester)
    gate = boa.loads(GATE)
    stranger = account_of("stranger")
    return BountyHarness(
        board, intake, proofs, token, gate, owner, treasury, requester, relay, stranger
    )


@pytest.fixture(scope="session")
def deployed_bounties() -> BountyHarness:
    boa.env.timestamp = START
    return deploy_bounties()


@pytest.fixture
def bounties(deployed_bounties: BountyHarness) -> Iterator[BountyHarness]:
    """Everything deployed; what a test does is undone after it."""
    with boa.env.anchor():
        boa.env.timestamp = START
        deployed_bounties.bounties, deployed_bounties.withdrawn = [], Counter()
        yield deployed_bounties
