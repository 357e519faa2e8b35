# SPDX-License-Identifier: Apache-2.0
"""What each worker may draw of the royalties for data that a bounty made (docs/protocol.md)."""

from collections.abc import Iterable
from dataclasses import asdict

from truthmark.bounty.evidence import ChunkEvidence
from truthmark.bounty.payouts import Payment
from truthmark.bounty.roster import Roster
from truthmark.bounty.score import Score
from truthmark.bounty.terms import Terms


def full_price(terms: Terms, roster: Roster) -> int:
    """Return what all seats of the roster would cost: of it each pay is a part.

    In the token's smallest unit.

    Args:
        terms: The bounty's terms.
        roster: All its rows.
    """
    return int(roster.runs.sum()) * terms.batch * terms.price


def shares(pool: int, payments: Iterable[Payment], full: int) -> dict[int, int]:
    """Return what each worker may have drawn in all, drawn already or not.

    Args:
        pool: All royalties that sales in a token have paid so far.
        payments: Of all workers who committed, as the bounty ended.
        full: The full price of the roster, not 0.

    Returns:
        Worker to units; together at most `pool`, as each is rounded down. What is left is nobody's.
    """
    return {it.worker: pool * it.price // full for it in payments}


def chunk_to_draw(roster: Roster, worker: int, score: Score | None) -> ChunkEvidence:
    """Return the evidence by which royalties of a worker's chunk of the roster are drawn.

    Args:
        roster: All of it.
        worker: Any row of the chunk.
        score: The score, where it stands: SETTLED or HALF.
    """
    return ChunkEvidence(
        **asdict(roster.evidence(worker)),
        judged=score.judged if score else bytes(32),
        lines=score.pack_lines() if score else b"",
    )
