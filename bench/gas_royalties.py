# SPDX-License-Identifier: Apache-2.0
"""What it costs to sell data that owe a bounty's labelers royalties, and to draw those."""

import random
from typing import TYPE_CHECKING

from tests.utils.bounty_paper import Paper, chunk_evidence
from tests.utils.bounty_rows import Commit, Row, Terms, account_of, address_number
from tests.utils.drafts import word_of
from tests.utils.permits import address_of_role

if TYPE_CHECKING:
    from bench.gas import Bench
    from tests.utils.drafts import Listing, Purchase

WORKERS = 32
"""Of one chunk of the roster, the most that one draw serves."""
ROYALTY_BPS = 500
WINDOW = 100


def measure_royalties(bench: "Bench") -> None:
    """Cite a bounty, list, settle and draw."""
    paper = _ended_bounty(bench)
    head = (paper.bounty_id, paper.terms)
    cite = bench.board.send("cite", *head, bench.seller, sender=bench.seller)
    bench.row("cite a bounty", cite)
    listing = bench.draft(bounty=paper.bounty_id, royalty_bps=ROYALTY_BPS)
    bench.row("list with bond and royalty", bench.list_version(listing))
    for index in range(1, 5):
        bench.accept(listing, index)

    bench.row("settle with royalty, the bounty's first sale", _settle(bench, listing, 1))
    bench.row("settle with royalty", _settle(bench, listing, 1), 90_000)
    each = _settle(bench, listing, 20)
    bench.row("settle with royalty, each of 20", each, 15_000, each=20)

    arguments = (bench.token.address, *head, chunk_evidence(paper, 0))
    for name in ("new accounts", "again after another sale"):
        drawn = bench.market.send("draw_royalty", *arguments, sender=bench.stranger)
        bench.row(f"draw royalties of 32 workers, {name}", drawn)
        _settle(bench, listing, 1)


def _settle(bench: "Bench", listing: "Listing", count: int) -> int:
    """Sell so often, and return the gas of settling all of it."""
    sold: list[Purchase] = bench.buy_many(listing, count)
    for index in (1, 2):
        bench.deliver(index, sold)
    bench.travel(listing.terms.inspection_seconds + 1)
    return bench.settle(sold)


def _ended_bounty(bench: "Bench") -> Paper:
    """Lead a bounty of 32 workers to its end; it is FLAT, as nobody scores."""
    per_worker = 10
    terms = Terms(
        requester=address_number(bench.seller),
        token=address_number(bench.token.address),
        relay=address_number(bench.stranger),
        items=WORKERS * per_worker,
        rounds=1,
        batch=1,
        full=0,
        reward=0,
        min_seats=1,
        min_run=per_worker,
        max_run=per_worker,
        fee_bps=0,
        **{f"{name}_seconds": WINDOW for name in ("join", "label", "grace", "release", "score")},
        challenge_seconds=WINDOW,
    )
    chain_id = bench.place.chain_id
    paper = Paper(terms, [], bytes(32), (chain_id, bench.board.address), random.Random(0))
    paper.rows = [
        Row(account_of(f"labeler {w}"), address_of_role(f"labelers' payee {w}"), per_worker)
        for w in range(WORKERS)
    ]
    bench.token.send("approve", bench.board.address, terms.pot, sender=bench.seller)
    bench.board.send("create", terms, sender=bench.seller)
    paper.bounty_id = 1
    head = (1, terms)
    rows = paper.enroll_chunks(0, WORKERS)
    bench.intake.send("enroll", *head, rows, True, sender=bench.stranger)
    paper.calls = [WORKERS]
    for _ in range(3):
        bench.chain.rpc("evm_mine")
    bench.board.send("fix_seed", 1, sender=bench.stranger)
    for worker in range(WORKERS):
        paper.commits[worker] = _blind(worker, per_worker)
    commits = paper.post(paper.commit_row(w) for w in range(WORKERS))
    bench.board.send("commit", *head, commits, sender=bench.stranger)
    bench.travel(4 * WINDOW + 1)
    bench.board.send("end_bounty", *head, sender=bench.stranger)
    return paper


def _blind(worker: int, seats: int) -> Commit:
    """A commit with no labels behind: nobody opens it."""
    big_e = (int.from_bytes(word_of("E", worker), "big"), 0)
    root, seal = word_of("root", worker), word_of("seal", worker)
    return Commit([[0]] * seats, 1, big_e, (0, 0), [], b"", [], root, seal)
