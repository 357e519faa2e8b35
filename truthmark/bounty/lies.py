# SPDX-License-Identifier: Apache-2.0
"""Lies in a posted score, with the evidence that disproves each.

Some need nothing but the chain, so anyone finds them: an answer where none can be, "absent" where
somebody committed, a line that does not follow. Others need what the labeler has: the opened
labels, the acknowledgement, e.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from truthmark.bounty import proofs
from truthmark.bounty.evidence import CommitsChunk, Opening
from truthmark.bounty.proofs import ProofKind
from truthmark.bounty.record import Record
from truthmark.bounty.score import (
    NOT_DELIVERED,
    UNREADABLE,
    Score,
    expected_presence,
    is_fine,
    seats_of_gold,
)
from truthmark.bounty.sealing import OpenedRun
from truthmark.labels.scoring import ABSENT, NOBODY, SKIP, millionths


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What a party knows beside the chain; a stranger knows nothing.

    Attributes:
        opened: By worker, labels that open to the commitment.
        acknowledgements: By worker, the receiver's signature.
        secrets: By worker, e.
    """

    opened: Mapping[int, OpenedRun] = field(default_factory=dict)
    acknowledgements: Mapping[int, bytes] = field(default_factory=dict)
    secrets: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lie:
    """A lie, and what proves it.

    Attributes:
        kind: Which proof.
        worker: Whom it is about; NOBODY where nobody holds the seat.
        says: The lie in words.
        evidence: The proof's arguments by name, but for bounty and terms.
    """

    kind: ProofKind
    worker: int
    says: str
    evidence: Mapping[str, Any]


def find_lies(record: Record, known: Knowledge) -> Iterator[Lie]:
    """Yield every lie of the score that can be proven with what is known, the cheapest first.

    Args:
        record: With a score.
        known: What the party has.

    Raises:
        BountyError: There is no score.
    """
    score = record.require_score()
    yield from _marks(record, score, known)
    if record.terms.is_team:
        return
    yield from _entries(record, score, known)
    if not score.is_half:
        yield from _lines(record, score)


def require_proven(record: Record, lie: Lie) -> None:
    """Check a lie's evidence as the contract will.

    Args:
        record: The bounty, as the chain has it.
        lie: What is wrong, with its evidence.

    Raises:
        NotProvenError: It proves nothing.
    """
    evidence = dict(lie.evidence)
    roster, commits = evidence.get("roster"), evidence.get("commits")
    context = record.context(
        evidence["worker"], roster.call if roster else 0, commits.call if commits else 0
    )
    match lie.kind:
        case ProofKind.ANSWER:
            proofs.check_answer(record.terms, context, **evidence)
        case ProofKind.LINE:
            proofs.check_line(record.terms, context, **evidence)
        case ProofKind.DELIVERED:
            proofs.check_delivered(record.ref, record.terms, context, **evidence)
        case ProofKind.READABLE:
            proofs.check_readable(record.ref, record.terms, context, **evidence)


def _marks(record: Record, score: Score, known: Knowledge) -> Iterator[Lie]:
    for worker in np.flatnonzero(record.committed > 0).tolist():
        mark = int(score.lines[worker])
        if mark not in (NOT_DELIVERED, UNREADABLE):
            continue
        common = {"worker": worker, "judged": score.judged, "lines": score.pack_lines()}
        if mark == NOT_DELIVERED:
            signature = known.acknowledgements.get(worker, b"")
            if worker in record.posted or signature:
                commits = CommitsChunk() if worker in record.posted else _commits(record, worker)
                yield Lie(
                    ProofKind.DELIVERED,
                    worker,
                    f"worker {worker} is said not to have delivered",
                    common | {"commits": commits, "signature": signature},
                )
        elif worker in known.opened and worker in known.secrets:
            opened = known.opened[worker]
            yield Lie(
                ProofKind.READABLE,
                worker,
                f"the labels of worker {worker} are said to be unreadable",
                common
                | {
                    "commits": _commits(record, worker),
                    "e": known.secrets[worker],
                    "big_e": opened.run.point,
                    "shared": opened.shared,
                    "sealed": opened.run.sealed,
                },
            )


def _entries(record: Record, score: Score, known: Knowledge) -> Iterator[Lie]:
    terms = record.terms
    seats = seats_of_gold(record.assignment, record.roster, score.gold)
    present = expected_presence(seats, record.committed, score.lines)
    claimed = score.entries
    truth = np.where(present, claimed, ABSENT)
    is_answer = (claimed < terms.classes) | (claimed == SKIP)
    truth[present & ~is_answer] = SKIP
    places = seats.offsets * terms.batch + seats.indices
    for worker, opened in known.opened.items():
        mine = present & (seats.holders == worker)
        codes = opened.codes[places[mine]].astype(np.int64)
        truth[mine] = np.where(codes < terms.classes, codes, SKIP)
    for g, k in np.argwhere(truth != claimed).tolist():
        worker = int(seats.holders[g, k])
        opening = Opening()
        if present[g, k] and is_answer[g, k]:
            opening = known.opened[worker].opening(
                int(seats.offsets[g, k]), int(seats.indices[g, k])
            )
        shown = worker
        if worker == NOBODY:
            # Of a gap, its own row shows that nobody holds it; beyond the roster, none is read.
            row = int(np.searchsorted(record.roster.starts, seats.seats[g, k], side="right")) - 1
            shown = min(row, len(record.roster) - 1)
        yield Lie(
            ProofKind.ANSWER,
            worker,
            f"gold item {g}, round {k}: the score says {claimed[g, k]}",
            {
                "gold": g,
                "round_": k,
                "worker": shown,
                "judged": score.judged_chunk(g),
                "roster": record.roster.evidence(shown),
                "commits": _commits(record, worker)
                if opening.path or opening.salt != bytes(32)
                else CommitsChunk(),
                "opening": opening,
            },
        )


def _lines(record: Record, score: Score) -> Iterator[Lie]:
    seats = seats_of_gold(record.assignment, record.roster, score.gold)
    earned = millionths(
        score.verdict,
        score.entries,
        score.gold.answers,
        seats.holders,
        workers=len(record.roster),
        full=record.terms.full,
    )
    wrong = is_fine(score.lines) & (record.committed > 0) & (score.lines != earned)
    for worker in np.flatnonzero(wrong).tolist():
        yield Lie(
            ProofKind.LINE,
            worker,
            f"worker {worker} is given {score.lines[worker]} millionths for {earned[worker]}",
            {
                "worker": worker,
                "gold": score.gold_chunks(),
                "entries": score.entry_chunks(),
                "verdict": score.verdict_struct(),
                "lines": score.pack_lines(),
                "roster": record.roster.evidence(worker),
            },
        )


def _commits(record: Record, worker: int) -> CommitsChunk:
    return record.commits.evidence(worker)
