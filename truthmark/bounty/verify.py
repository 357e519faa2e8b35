# SPDX-License-Identifier: Apache-2.0
"""Checks a finished bounty from scratch: gold, score, every millionth, every root, every label."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from truthmark.bounty.annotations import annotation_code
from truthmark.bounty.assignment import NO_ITEM
from truthmark.bounty.lies import Knowledge, find_lies
from truthmark.bounty.payouts import Payment, Status
from truthmark.bounty.record import Record
from truthmark.bounty.result import Result
from truthmark.bounty.score import NOT_DELIVERED, UNREADABLE
from truthmark.bounty.sealing import OpenedRun, UnreadableError
from truthmark.errors import BountyError, TruthmarkError
from truthmark.keys.curve import is_on_curve
from truthmark.labels.goldw import NONE, Votes, Weighted, goldw
from truthmark.labels.scoring import Ints, Verdict
from truthmark.types import Progress


@dataclass(frozen=True, slots=True)
class Anchors:
    """What the chain itself holds, against which a result is checked.

    Attributes:
        terms_hash: Of the terms.
        seed: Of the bounty.
        status: How it stands.
        roster: What the board keeps of each `enroll` call.
        commits: The same of each `commit` call.
        overrides: By worker, the commitment they signed.
        committed: Seats that each worker committed.
        posted: Workers whose sealed labels are on chain.
        score: What the board keeps of the score; zeros for none.
    """

    terms_hash: bytes
    seed: bytes
    status: Status
    roster: tuple[bytes, ...]
    commits: tuple[bytes, ...]
    overrides: dict[int, bytes]
    committed: tuple[int, ...]
    posted: frozenset[int]
    score: bytes

    @classmethod
    def of(cls, record: Record) -> "Anchors":
        """Return what the chain would hold if a record were true."""
        return cls(
            record.terms.hash,
            record.seed,
            record.status,
            tuple(record.roster.call_hash(n) for n in range(len(record.roster.calls))),
            tuple(record.commits.call_hash(n) for n in range(len(record.commits.calls))),
            {worker: c.commitment for worker, c in record.commits.overrides.items()},
            tuple(record.committed.tolist()),
            record.posted,
            record.score.hash if record.score else bytes(32),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """What a check found.

    Attributes:
        problems: What is wrong, a line each; empty where all holds.
        warnings: What people should know, and is no lie.
        payments: What each worker gets; empty before the end.
        opened: By worker, the labels.
        labels: Label, margin and weights; None where there is nothing to make them of.
    """

    problems: list[str]
    warnings: list[str]
    payments: list[Payment]
    opened: dict[int, OpenedRun]
    labels: Weighted | None


def verify(
    result: Result, anchors: Anchors | None = None, *, progress: Progress | None = None
) -> Finding:
    """Check a result.

    Args:
        result: The bounty, with what opens its labels.
        anchors: What the chain holds; without it, whether the record is the chain's is not checked.
        progress: Told workers opened and workers in all.
    """
    record = result.record
    problems = [*_record_problems(record, anchors)]
    if problems:
        return Finding(problems, [], [], {}, None)  # all else would be computed from what is wrong
    opened: dict[int, OpenedRun] = {}
    closed: list[int] = []
    for number, (worker, run) in enumerate(result.runs.items()):
        try:
            opened_run = _open(result, worker)
        except UnreadableError as error:
            # What a worker committed to may be rubbish, or a copy: that is said, and paid nothing.
            # Only a score that takes it for labels makes the result wrong.
            if not _says_unreadable(record, worker):
                problems.append(str(error))
            closed.append(worker)
        else:
            if opened_run is not None:
                opened[worker] = opened_run
        standing = record.commits.standing.get(worker)
        if standing is None or standing.commitment != run.commitment:
            problems.append(f"the labels of worker {worker} are not those committed")
            opened.pop(worker, None)
        if progress:
            progress(number + 1, len(result.runs))
    problems += _gold_problems(result)
    problems += _text_problems(result, opened)
    if record.score is not None and not problems:
        known = Knowledge(opened)
        problems += [f"the score lies: {lie.says}" for lie in find_lies(record, known)]
        is_half, status = record.score.is_half, record.status
        if status in (Status.SETTLED, Status.HALF) and is_half != (status is Status.HALF):
            problems.append(f"the bounty is said to be {status.name}; its gold says otherwise")
    warnings = [*_warnings(result, opened, closed)]
    paid: list[Payment] = []
    if record.status.has_ended and not problems:
        paid = record.payments()
    labels = labels_of(result, opened) if opened and not problems else None
    return Finding(problems, warnings, paid, opened, labels)


def labels_of(result: Result, opened: dict[int, OpenedRun]) -> Weighted | None:
    """Return the labels of items by `goldw-v3`; None where codes are hashes.

    What the gold says of itself comes from the opened labels, not from the score, which may lie.
    Without gold all begin with the same weight, and only who disagrees with the others has less.

    Args:
        result: The bounty.
        opened: By worker, their labels.
    """
    record, gold = result.record, result.known_gold()
    votes = votes_of(record, opened)
    if votes is None:
        return None
    known = np.full(record.terms.items, NONE, np.int64)
    known[gold.items] = gold.answers
    verdict = verdict_of(result, opened)
    if verdict is None:
        return goldw(votes, known)
    scored, excluded = np.zeros((2, record.terms.items), np.bool_)
    scored[gold.items], excluded[gold.items] = verdict.kept, verdict.excluded
    return goldw(votes, known, scored=scored, excluded=excluded)


def verdict_of(result: Result, opened: dict[int, OpenedRun]) -> Verdict | None:
    """Return what opened labels say of the gold; None without gold.

    Args:
        result: The bounty.
        opened: By worker, their labels; who is not there is as who delivered nothing.
    """
    record, gold = result.record, result.known_gold()
    if not len(gold):
        return None
    absent = {
        worker: NOT_DELIVERED
        for worker in np.flatnonzero(record.committed).tolist()
        if worker not in opened
    }
    score = record.make_score(
        gold=gold,
        salt=bytes(32),
        codes={worker: run.codes for worker, run in opened.items()},
        marks=absent,
    )
    return score.verdict


def votes_of(record: Record, opened: dict[int, OpenedRun]) -> Votes | None:
    """Return all opened labels as arrays; None where codes are hashes.

    Args:
        record: The bounty, as the chain has it.
        opened: Labels that were opened, by worker.
    """
    terms = record.terms
    if not terms.classes:
        return None
    items, workers, labels = [], [], []
    for worker, run in opened.items():
        mine = record.assignment.items_of(int(record.roster.starts[worker]), run.seats)
        is_item = mine != NO_ITEM
        items.append(mine[is_item])
        workers.append(np.full(int(is_item.sum()), worker, np.int64))
        labels.append(np.minimum(run.codes[is_item].astype(np.int64), terms.classes))
    none = np.zeros(0, np.int64)
    return Votes(
        np.concatenate([none, *items]),
        np.concatenate([none, *workers]),
        np.concatenate([none, *labels]),
        terms.items,
        len(record.roster),
        terms.classes,
    )


def codes_by_item(record: Record, worker: int, run: OpenedRun) -> dict[int, bytes]:
    """Return what a worker committed to for each of their items, where codes are hashes.

    Args:
        record: The bounty, as the chain has it.
        worker: Row of the roster, from 0.
        run: The worker's labels, opened.
    """
    mine = record.assignment.items_of(int(record.roster.starts[worker]), run.seats)
    return {
        item: bytes(code)
        for item, code in zip(mine.tolist(), run.codes, strict=True)
        if item != NO_ITEM
    }


def _open(result: Result, worker: int) -> OpenedRun | None:
    """Return a worker's labels; None where the result does not say how they open."""
    record, shared = result.record, result.shared.get(worker)
    standing = record.commits.standing.get(worker)
    if shared is None or standing is None:
        return None
    if not is_on_curve(shared):
        raise UnreadableError(f"S of worker {worker} is no point of secp256k1")
    return OpenedRun(record.scheme(worker), result.runs[worker], shared, standing.seats)


def _record_problems(record: Record, anchors: Anchors | None) -> Iterator[str]:
    for check in (record.terms.require_sound, lambda: record.roster.require_sound(record.terms)):
        try:
            check()
        except TruthmarkError as error:
            yield str(error)
    runs: Ints = record.roster.runs
    for worker, commit in record.commits.standing.items():
        if worker >= len(record.roster) or not 0 < commit.seats <= runs[worker]:
            yield f"worker {worker} committed seats that they do not hold"
    if anchors is not None:
        mine = Anchors.of(record)
        for name in Anchors.__slots__:
            if getattr(mine, name) != getattr(anchors, name):
                yield f"the chain says something else: {name.replace('_', ' ')}"


def _gold_problems(result: Result) -> Iterator[str]:
    terms, score = result.record.terms, result.record.score
    if score is not None and len(score.lines) != len(result.record.roster):
        yield "the score has not one line for each row of the roster"
    if terms.is_team:
        return
    gold = result.known_gold()
    salt = score.salt if score is not None else result.gold_salt
    if score is None and result.gold is None:
        return
    if len(gold) != terms.gold_count or gold.commitment(salt) != terms.gold_commitment:
        yield "the gold is not what the requester committed to"
    try:
        gold.require_sound(items=terms.items, classes=terms.classes)
    except BountyError as error:
        yield f"the gold is malformed: {error}"


def _text_problems(result: Result, opened: dict[int, OpenedRun]) -> Iterator[str]:
    """Say which texts of a result are not what was committed to."""
    for worker, texts in result.texts.items():
        run = opened.get(worker)
        if result.record.terms.classes or run is None:
            yield f"the result has texts of worker {worker}, who has committed to none"
            continue
        codes = codes_by_item(result.record, worker, run)
        for item, text in texts.items():
            if codes.get(item) != annotation_code(text):
                yield f"the text of worker {worker} on item {item} is not what they committed to"


def _says_unreadable(record: Record, worker: int) -> bool:
    """Whether the score, if there is one, says that a worker's labels do not open."""
    score = record.score
    if score is None:
        return True
    return worker < len(score.lines) and int(score.lines[worker]) == UNREADABLE


def _warnings(result: Result, opened: dict[int, OpenedRun], closed: list[int]) -> Iterator[str]:
    record = result.record
    for signer in record.roster.doubled_signers():
        yield f"{signer} stands on the roster more than once"
    for worker in closed:
        yield f"the labels of worker {worker} do not open to what they committed to"
    missing = int((record.committed > 0).sum()) - len(opened) - len(closed)
    if missing:
        yield f"the labels of {missing} workers who committed cannot be checked with what is here"
