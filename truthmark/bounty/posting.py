# SPDX-License-Identifier: Apache-2.0
"""What overrides a commit, and what puts sealed labels on chain where no acknowledgement comes."""

from dataclasses import dataclass

from truthmark.bounty.commits import Commit
from truthmark.bounty.evidence import CHUNK, CommitsChunk, RosterChunk
from truthmark.bounty.record import Record
from truthmark.bounty.sealing import SealedRun
from truthmark.errors import BountyError

MAX_FILE = 1090
"""Bytes of a file that `post_sealed` takes among others, its row included."""


@dataclass(frozen=True, slots=True)
class Override:
    """The arguments of `override_commit`, but for bounty and terms."""

    worker: int
    roster: RosterChunk
    commitment: bytes
    seats: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Posting:
    """The arguments of `post_sealed_one`, but for bounty and terms."""

    worker: int
    commits: CommitsChunk
    file: bytes


def override(record: Record, commit: Commit, signature: bytes) -> Override:
    """Return what puts a signed commit in the place of what the relay posted or left out.

    Args:
        record: The bounty, as the chain has it.
        commit: Worker, seats and commitment.
        signature: Of the worker's signer.

    Raises:
        BountyError: The roster has no such row.
    """
    return Override(
        commit.worker,
        record.roster.evidence(commit.worker),
        commit.commitment,
        commit.seats,
        signature,
    )


def posting(record: Record, worker: int, run: SealedRun) -> Posting:
    """Return what puts one worker's sealed labels on chain.

    Args:
        record: The bounty, as the chain has it.
        worker: Row of the roster, from 0.
        run: The worker's sealed labels.

    Raises:
        BountyError: They are not what stands for this worker.
    """
    standing = record.commits.standing.get(worker)
    if standing is None or standing.commitment != run.commitment:
        raise BountyError(f"these labels are not what stands on chain for worker {worker}")
    return Posting(worker, record.commits.evidence(worker), run.root + run.body)


def postings(
    record: Record, runs: dict[int, SealedRun], call: int, chunk: int
) -> tuple[CommitsChunk, list[bytes]]:
    """Return what puts the labels of the workers of one chunk of commits on chain.

    Workers who overrode, whose labels are not here, or too long for this call, are left out.

    Args:
        record: The bounty.
        runs: By worker, their sealed labels.
        call: A `commit` call.
        chunk: One of its chunks.
    """
    rows = record.commits.calls[call][32 * chunk : 32 * chunk + 32]
    files = [
        bytes([number]) + runs[row.worker].root + runs[row.worker].body
        for number, row in enumerate(rows)
        if row.worker in runs
        and row.worker not in record.commits.overrides
        and runs[row.worker].commitment == row.commitment
    ]
    shown = record.commits.chunk(call, chunk)
    return shown, [file for file in files if len(file) <= MAX_FILE]


def plan_postings(
    record: Record, runs: dict[int, SealedRun]
) -> tuple[list[tuple[CommitsChunk, list[bytes]]], list[Posting]]:
    """Return what puts the labels of workers on chain in as few calls as may be.

    Args:
        record: The bounty.
        runs: By worker, their sealed labels, which are what stands on chain.

    Returns:
        Arguments of `post_sealed`, a chunk of commits each, and those of `post_sealed_one`.
    """
    together, left = [], dict(runs)
    for call, rows in enumerate(record.commits.calls):
        for chunk in range(-(-len(rows) // CHUNK)):
            shown, files = postings(record, left, call, chunk)
            if len(files) > 1:
                together.append((shown, files))
                for file in files:
                    del left[rows[CHUNK * chunk + file[0]].worker]
    return together, [posting(record, worker, run) for worker, run in sorted(left.items())]
