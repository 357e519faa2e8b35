# SPDX-License-Identifier: Apache-2.0
"""What a requester makes of labelers' files: labels that open to what stands, and the score.

Whether a file belongs to a worker is decided by what is on chain alone. What opens is opened whole:
every root is built again, so that no label counts that was not committed to.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from truthmark.bounty import messages
from truthmark.bounty.gold import Gold
from truthmark.bounty.label_file import LabelFile
from truthmark.bounty.lies import Knowledge, find_lies
from truthmark.bounty.payouts import Status
from truthmark.bounty.record import Record
from truthmark.bounty.score import NOT_DELIVERED, UNREADABLE, Score
from truthmark.bounty.sealing import OpenedRun, SealedRun, UnreadableError, open_with_key
from truthmark.errors import BountyError
from truthmark.keys.typed import TypedData


@dataclass(frozen=True, slots=True)
class Received:
    """A worker's sealed labels, which are what stands on chain.

    Attributes:
        run: As handed out or posted.
        opened: The labels; None where they do not open to what was committed.
    """

    run: SealedRun
    opened: OpenedRun | None


def receive(record: Record, worker: int, run: SealedRun, secret: int) -> Received:
    """Open a worker's sealed labels.

    Args:
        record: The bounty.
        worker: The row of the roster.
        run: What is said to be theirs.
        secret: p.

    Raises:
        BountyError: They are not what stands on chain for this worker.
    """
    standing = record.commits.standing.get(worker)
    if standing is None or standing.commitment != run.commitment:
        raise BountyError(f"these labels are not what stands on chain for worker {worker}")
    try:
        opened = open_with_key(record.scheme(worker), run, secret, standing.seats)
    except UnreadableError:
        return Received(run, None)
    return Received(run, opened)


def read_file(record: Record, worker: int, data: bytes) -> LabelFile:
    """Read a label file that is said to be a worker's of this bounty.

    Args:
        record: The bounty, as the chain has it.
        worker: Row of the roster, from 0.
        data: The file.

    Raises:
        BountyError: It is none, or another one's.
    """
    file = LabelFile.from_bytes(data)
    if not file.ref.is_same(record.ref):
        raise BountyError("this label file is of another bounty; ask the labeler for the right one")
    if file.worker != worker:
        raise BountyError(f"this label file is of worker {file.worker}, not of {worker}")
    return file


def acknowledgement(record: Record, worker: int) -> TypedData:
    """Return what the receiver signs of the commitment that stands for a worker.

    Args:
        record: The bounty, as the chain has it.
        worker: Row of the roster, from 0.

    Raises:
        BountyError: None stands.
    """
    standing = record.commits.standing.get(worker)
    if standing is None:
        raise BountyError(f"worker {worker} committed nothing; there is nothing to acknowledge")
    return messages.acknowledged(
        record.ref, record.terms.hash, worker=worker, commitment=standing.commitment
    )


def true_score(
    record: Record,
    *,
    gold: Gold,
    salt: bytes,
    received: Mapping[int, Received],
    unreadable: Collection[int] = (),
    acknowledgements: Mapping[int, bytes],
) -> Score:
    """Return the score of what was received, which nobody can disprove.

    Args:
        record: The bounty, after the last labels could be posted.
        gold: As committed to; none in team mode.
        salt: Of its commitment.
        received: By worker, what stands on chain and is here.
        unreadable: Workers who posted on chain what holds no point, which nobody can open.
        acknowledgements: By worker, what the receiver signed.

    Raises:
        BountyError: It would be a lie: labels that were acknowledged or posted are missing.
    """
    codes = {w: one.opened.codes for w, one in received.items() if one.opened is not None}
    closed = {w for w, one in received.items() if one.opened is None} | set(unreadable)
    marks = {
        worker: UNREADABLE if worker in closed else NOT_DELIVERED
        for worker in np.flatnonzero(record.committed).tolist()
        if worker not in codes
    }
    score = record.make_score(
        gold=gold,
        salt=salt,
        codes={worker: codes[worker] for worker in codes if record.committed[worker]},
        marks=marks,
    )
    require_true(record, score, received, acknowledgements)
    return score


def require_true(
    record: Record,
    score: Score,
    received: Mapping[int, Received],
    acknowledgements: Mapping[int, bytes],
) -> None:
    """Refuse a score that anyone could disprove, whatever the labelers have.

    Args:
        record: The bounty, as the chain has it.
        score: The score.
        received: What came of labels, by worker.
        acknowledgements: The receiver's signatures, by worker.

    Raises:
        BountyError: It holds a lie; posting it would cost the full price and the bond.
    """
    status = Status.SCORED_HALF if score.is_half else Status.SCORED
    opened = {w: one.opened for w, one in received.items() if one.opened is not None}
    known = Knowledge(opened, acknowledgements)
    lie = next(find_lies(replace(record, score=score, status=status), known), None)
    if lie is not None:
        raise BountyError(
            f"this score could be disproved ({lie.says}); fetch the labels again before"
            " you score: `truthmark bounty run`"
        )
