# SPDX-License-Identifier: Apache-2.0
"""What `BountyProofs` checks, here too, so that nobody sends what would be refused.

Each function returns when the proof holds, and raises where it does not.
"""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np

from truthmark.bounty import messages
from truthmark.bounty.commits import Commit, parse_commits
from truthmark.bounty.evidence import (
    CHUNK,
    CommitsChunk,
    Judged,
    Opening,
    RosterChunk,
    hash_of_heads,
)
from truthmark.bounty.gold import ENTRY_BYTES, Gold
from truthmark.bounty.record import Context
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.roster import Row, parse_rows
from truthmark.bounty.score import LINE_BYTES, MARKS, NOT_DELIVERED, UNREADABLE, VerdictStruct
from truthmark.bounty.sealing import OpenedRun, Scheme, SealedRun, UnreadableError
from truthmark.bounty.terms import Terms
from truthmark.codec.tree import verify as verify_path
from truthmark.errors import BountyError
from truthmark.hashing import keccak256
from truthmark.keys.abi_hash import address_bytes, word
from truthmark.keys.curve import N, multiply
from truthmark.keys.typed import signer_of
from truthmark.labels.permutation import places_of, round_key
from truthmark.labels.scoring import ABSENT, LEAST_HELD, ONE, SKIP
from truthmark.types import Point


class ProofKind(IntEnum):
    """The board's numbers of proofs."""

    ANSWER = 1
    LINE = 2
    DELIVERED = 3
    READABLE = 4


class NotProvenError(BountyError):
    """Evidence does not prove a lie; the message says what is wrong with it."""


def check_answer(
    terms: Terms,
    context: Context,
    *,
    gold: int,
    round_: int,
    worker: int,
    judged: Judged,
    roster: RosterChunk,
    commits: CommitsChunk,
    opening: Opening,
) -> None:
    """Check that an entry is not what roster, commits, marks and opening make it.

    Args:
        terms: The bounty's.
        context: What the board says of the worker and both calls.
        gold: Number of the gold item.
        round_: The round.
        worker: Who holds the seat; not read where nobody can.
        judged: The chunk of the score.
        roster: The chunk with the worker's row.
        commits: The chunk with the worker's commit.
        opening: The label; not read where the entry is no answer, or must be ABSENT.

    Raises:
        NotProvenError: The entry is true, or the evidence is not the bounty's.
    """
    _require(round_ < terms.rounds and gold < terms.gold_count, "there is no such entry")
    _require(judged.chunk == gold // CHUNK, "this is another chunk")
    _check_score(context, judged.verdict, judged.heads, judged.lines)
    _require(
        keccak256(judged.gold + judged.entries) == judged.heads[judged.chunk],
        "this is another score",
    )
    at = gold % CHUNK
    item = int.from_bytes(judged.gold[ENTRY_BYTES * at : ENTRY_BYTES * at + 3], "big")
    claimed = judged.entries[terms.rounds * at + round_]
    (place,) = places_of(round_key(context.seed, round_), terms.items, np.array([item])).tolist()
    seat, index = round_ * terms.per_round + place // terms.batch, place % terms.batch
    truth = ABSENT
    if seat < context.position:
        row, start = _row(context, roster, worker)
        _require(start <= seat < start + row.seats, "another worker holds the seat")
        line = _line(judged.lines, worker)
        if seat - start < context.committed and line not in MARKS:
            if claimed >= terms.classes and claimed != SKIP:
                # Denied, or no answer at all: whatever they said, it was something else.
                truth = SKIP
            else:
                _check_commitment(context, commits, worker, opening.root, opening.seal)
                depth = (terms.batch - 1).bit_length()
                leaf = keccak256(b"\x01" + opening.salt + word(opening.label))
                _require(
                    verify_path(
                        opening.root,
                        context.committed << depth,
                        ((seat - start) << depth) + index,
                        leaf,
                        opening.path,
                    ),
                    "the label was not committed",
                )
                truth = opening.label if opening.label < terms.classes else SKIP
    _require(claimed != truth, "the entry is true")


def check_line(
    terms: Terms,
    context: Context,
    *,
    worker: int,
    gold: Sequence[bytes],
    entries: Sequence[bytes],
    verdict: VerdictStruct,
    lines: bytes,
    roster: RosterChunk,
) -> None:
    """Check that a worker marked fine has other millionths than gold and entries give.

    Args:
        terms: The bounty's.
        context: What the board says of the worker and the roster's call.
        worker: The row of the roster.
        gold: All chunks of it.
        entries: All chunks of them.
        verdict: The score's.
        lines: The score's.
        roster: The chunk with the worker's row.

    Raises:
        NotProvenError: The line is true, no line counts, or the evidence is not the bounty's.
    """
    _require(not terms.is_team, "no line counts in team mode")
    heads = [keccak256(a + b) for a, b in zip(gold, entries, strict=True)]
    _check_score(context, verdict.hash, heads, lines)
    _require(not verdict.is_half, "no line counts in HALF")
    claimed = _line(lines, worker)
    _require(claimed not in MARKS, "the worker is marked")
    _require(context.committed > 0, "the worker committed nothing")
    row, start = _row(context, roster, worker)
    per_round = terms.per_round
    round_, first = divmod(start, per_round)
    known = Gold.parse(b"".join(gold)[: ENTRY_BYTES * terms.gold_count])
    places = places_of(round_key(context.seed, round_), terms.items, known.items)
    given = np.frombuffer(b"".join(entries), np.uint8).reshape(-1, terms.rounds)[:, round_]
    held = right = answered = 0
    for g, (place, answer, entry) in enumerate(
        zip(places.tolist(), known.answers.tolist(), given.tolist(), strict=True)
    ):
        offset = place // terms.batch - first
        weight = verdict.weights[answer]
        is_kept = verdict.kept[g // 256] >> g % 256 & 1
        if not 0 <= offset < row.seats or not weight or not (is_kept or entry == ABSENT):
            continue
        held += 1
        if entry != ABSENT:
            answered += weight
            right += weight if entry == answer else 0
    truth = ONE // 2
    if held >= LEAST_HELD:
        q = ONE + answered
        x = 4 * (verdict.classes * right - q)
        way = terms.full * (verdict.classes - 1) * q
        truth = 0 if x <= 0 else min(ONE, ONE * x // way)
    _require(claimed != truth, "the line is true")


def check_delivered(
    ref: BountyRef,
    terms: Terms,
    context: Context,
    *,
    worker: int,
    judged: bytes,
    lines: bytes,
    commits: CommitsChunk,
    signature: bytes,
) -> None:
    """Check that a worker marked as not delivered has delivered.

    Args:
        ref: The bounty.
        terms: Its terms.
        context: What the board says of the worker and the commits' call.
        worker: The row of the roster.
        judged: Hash of the rest of the score.
        lines: The score's.
        commits: The chunk with their commit; not read where the labels are on chain.
        signature: The receiver's, of `Acknowledged`; empty where the labels are on chain.

    Raises:
        NotProvenError: They are not marked so, or have not delivered.
    """
    _check_mark(context, judged, lines, worker, NOT_DELIVERED)
    if context.is_posted:
        return
    commitment = _commitment(context, commits, worker)
    signer = signer_of(
        messages.acknowledged(ref, context.terms_hash, worker=worker, commitment=commitment),
        signature,
    )
    _require(
        signer is not None and address_bytes(signer) == address_bytes(terms.receiver),
        "the receiver did not acknowledge these labels",
    )


def check_readable(
    ref: BountyRef,
    terms: Terms,
    context: Context,
    *,
    worker: int,
    judged: bytes,
    lines: bytes,
    commits: CommitsChunk,
    e: int,
    big_e: Point,
    shared: Point,
    sealed: bytes,
) -> None:
    """Check that labels marked as unreadable open to what was committed.

    Args:
        ref: The bounty.
        terms: Its terms.
        context: What the board says of the worker and the commits' call.
        worker: The row of the roster.
        judged: Hash of the rest of the score.
        lines: The score's.
        commits: The chunk with their commit.
        e: The worker's secret.
        big_e: E.
        shared: S.
        sealed: The sealed labels.

    Raises:
        NotProvenError: They are not marked so, or do not open.
    """
    _check_mark(context, judged, lines, worker, UNREADABLE)
    _require(0 < e < N and multiply(e) == big_e, "E is another point")
    _require(multiply(e, terms.key) == shared, "S is another point")
    commitment = _commitment(context, commits, worker)
    scheme = Scheme(ref, worker, terms.batch, terms.classes)
    try:
        seats = context.committed
        codes = scheme.unpack(sealed, seats)
        salts = scheme.salts(scheme.secrets(shared, seats))
        root = scheme.tree(salts, scheme.apply_pads(salts, codes)).root
        opened = OpenedRun(scheme, SealedRun(root, big_e, sealed), shared, seats)
    except UnreadableError as error:
        raise NotProvenError(str(error)) from error
    _require(opened.run.commitment == commitment, "these labels were not committed")


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise NotProvenError(f"this proves nothing: {what}")


def _line(lines: bytes, worker: int) -> int:
    packed = lines[LINE_BYTES * worker : LINE_BYTES * worker + LINE_BYTES]
    _require(len(packed) == LINE_BYTES, "the score has no line for this worker")
    return int.from_bytes(packed, "big")


def _check_score(context: Context, verdict: bytes, heads: list[bytes], lines: bytes) -> None:
    judged = keccak256(verdict + hash_of_heads(heads))
    _require(keccak256(judged + keccak256(lines)) == context.score, "this is another score")


def _check_mark(context: Context, judged: bytes, lines: bytes, worker: int, mark: int) -> None:
    _require(keccak256(judged + keccak256(lines)) == context.score, "this is another score")
    _require(_line(lines, worker) == mark, "the worker is not so marked")


def _row(context: Context, roster: RosterChunk, worker: int) -> tuple[Row, int]:
    """Return a worker's row and first seat, shown by a chunk."""
    head = keccak256(
        roster.first_worker.to_bytes(2, "big") + roster.first_seat.to_bytes(4, "big") + roster.rows
    )
    _require(
        hash_of_heads(roster.heads) == context.roster and roster.heads[roster.chunk] == head,
        "this is another roster",
    )
    rows = parse_rows(roster.rows)
    at = worker - roster.first_worker
    _require(0 <= at < len(rows), "the chunk does not hold this worker")
    return rows[at], roster.first_seat + sum(row.seats for row in rows[:at])


def _commitment(context: Context, commits: CommitsChunk, worker: int) -> bytes:
    """Return what a worker stands by: the override, or the relay's row."""
    if context.override != bytes(32):
        return context.override
    _require(
        hash_of_heads(commits.heads) == context.commits
        and commits.chunk < len(commits.heads)
        and commits.heads[commits.chunk] == keccak256(commits.rows),
        "these are other commits",
    )
    rows = parse_commits(commits.rows)
    _require(commits.row < len(rows), "the chunk has no such row")
    commit: Commit = rows[commits.row]
    _require(commit.worker == worker, "this is another worker's commit")
    return commit.commitment


def _check_commitment(
    context: Context, commits: CommitsChunk, worker: int, root: bytes, seal: bytes
) -> None:
    _require(
        _commitment(context, commits, worker) == keccak256(root + seal),
        "these labels were not committed",
    )
