# SPDX-License-Identifier: Apache-2.0
"""Market and bounties on titanoboa over one board, and what royalties must come to beside them.

`royalties` is the fixture. `end` leads a bounty to an end of one's choice; `sell` sells data that
owe its labelers a royalty.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import boa
import pytest

from tests.utils.bounty_board import (
    FLAT,
    HALF,
    NO_OPENING,
    PROVEN,
    REFUNDED,
    SETTLED,
    START,
    Bounty,
    BountyHarness,
    deploy_bounties,
)
from tests.utils.bounty_paper import chunk_evidence
from tests.utils.bounty_rows import CHUNK
from tests.utils.drafts import Listing, word_of
from tests.utils.market import MarketContracts, deploy_contracts

__all__ = ["deployed_royalties", "royalties"]

ONE = 10**6
MARKS = (2**22, 2**23)
ENDS = (SETTLED, HALF, FLAT, PROVEN)


@dataclass
class Royalties:
    """The contracts of market and bounties, with everybody around both."""

    contracts: MarketContracts
    harness: BountyHarness
    number: int = 0
    sold: list[Any] = field(default_factory=list)

    @property
    def market(self) -> Any:
        return self.contracts.market

    # ------------------------------------------------------------- bounties

    def end(self, status: int, seed: int = 0, **changed: Any) -> Bounty:
        """Lead a bounty to an end; HALF by a crowd that says nothing but the wrong class."""
        if status == REFUNDED:
            b = self.harness.start(seed, to="label", **changed)
            return b.later(b.commit_until).end(REFUNDED)
        b = self.harness.start(seed, **({"skill": -1} if status == HALF else {}), **changed)
        if status == FLAT:
            return b.later(b.score_until).end(FLAT)
        entries = b.paper.entries()
        if status == PROVEN:
            g, k = next(
                (g, k)
                for g in range(len(entries))
                for k in range(b.terms.rounds)
                if entries[g][k] < b.terms.classes
            )
            entries[g][k] = 200
        b.post_score(entries)
        if status == PROVEN:
            b.prove_answer(g, k, opening=NO_OPENING)
            return b
        assert b.score is not None and b.score.is_half == (status == HALF)
        return b.later(b.challenge_until).end(status)

    def cite(self, b: Bounty, seller: str | None = None) -> None:
        """Let the requester name a seller, the market tests' if none is given."""
        seller = self.contracts.seller if seller is None else seller
        self.harness.board.cite(*b.head, seller, sender=self.harness.requester)

    def evidence(self, b: Bounty, worker: int = 0) -> tuple[Any, ...]:
        """The struct `ChunkEvidence` of a worker's chunk, with lines where the score stands."""
        score = b.score if b.status in (SETTLED, HALF) else None
        return chunk_evidence(b.paper, worker, score)

    def chunks(self, b: Bounty) -> list[int]:
        """The first worker of each chunk of a roster."""
        calls = zip(b.paper.first_workers, b.paper.calls, strict=False)
        return [w for first, n in calls for w in range(first, first + n, CHUNK)]

    def pays(self, b: Bounty, worker: int = 0) -> tuple[int, list[Any]]:
        """Ask the view."""
        full, pays = self.harness.intake.pays(*b.head, self.evidence(b, worker))
        return full, pays

    # -------------------------------------------------------------- selling

    def draft(self, b: Bounty, bps: int = 500, **more: Any) -> Listing:
        """Draft a listing whose sales owe the bounty's labelers a royalty."""
        self.number += 1
        more.setdefault("manifest", word_of("royalty", self.number))
        return self.contracts.draft_listing(bounty=b.id, royalty_bps=bps, **more)

    def list_version(self, b: Bounty, bps: int = 500, **more: Any) -> Listing:
        """Cite and list, with custodians ready."""
        listing = self.draft(b, bps, **more)
        self.cite(b, listing.terms.seller)
        return self.contracts.accept_all(self.contracts.list_version(listing))

    def sell(self, listing: Listing, count: int = 1) -> int:
        """Sell and settle; returns the royalty that this makes."""
        sales = [self.contracts.bought_and_delivered(listing) for _ in range(count)]
        boa.env.timestamp += listing.terms.inspection_seconds + 1
        self.contracts.settle(*sales)
        return sum(it.receipt.price * listing.terms.royalty_bps // 10_000 for it in sales)

    # -------------------------------------------------------------- drawing

    def pool(self, b: Bounty, token: Any = None) -> int:
        return int(self.market.pools(b.id, token or self.contracts.token))

    def draw(self, b: Bounty, worker: int = 0, token: Any = None) -> int:
        """Draw for a worker's chunk; anyone may."""
        arguments = (token or self.contracts.token, *b.head, self.evidence(b, worker))
        return int(self.market.draw_royalty(*arguments, sender=self.contracts.stranger))

    def draw_all(self, b: Bounty, token: Any = None) -> int:
        return sum(self.draw(b, worker, token) for worker in self.chunks(b))


def pay_of(b: Bounty, worker: int) -> int:
    """What a worker's labels earned, by docs/protocol.md; shares of the bond are no part of it."""
    ledger, seats = b.ledger, b.ledger.committed.get(worker, 0)
    price = b.terms.price * b.paper.labels_in(worker, seats) if seats else 0
    if ledger.status in (FLAT, PROVEN):
        return price
    if ledger.status == REFUNDED:
        return 0
    assert b.score is not None
    line = b.score.line_values[worker]
    if line in MARKS:
        return 0
    if ledger.status == HALF:
        return price * (ONE // 2) // ONE
    return price if b.terms.gold_count == 0 else price * min(line, ONE) // ONE


def full_price(b: Bounty) -> int:
    """What all seats of the roster would cost."""
    return b.ledger.roster_seats * b.terms.seat_price


def deploy_royalties() -> Royalties:
    """Deploy market and bounties over one board, in one token."""
    harness = deploy_bounties()
    contracts = deploy_contracts(harness.token, harness.board, harness.intake)
    return Royalties(contracts, harness)


@pytest.fixture(scope="session")
def deployed_royalties() -> Royalties:
    boa.env.timestamp = START
    return deploy_royalties()


@pytest.fixture
def royalties(deployed_royalties: Royalties) -> Iterator[Royalties]:
    """Everything deployed; what a test does is undone after it."""
    with boa.env.anchor():
        boa.env.timestamp = START
        contracts = deployed_royalties.contracts
        deployed_royalties.harness.bounties.clear()
        deployed_royalties.harness.withdrawn.clear()
        contracts.number, contracts.parts = 0, {}
        yield deployed_royalties
