# SPDX-License-Identifier: Apache-2.0
"""Labels that come to the requester: only what stands counts, and no score can be disproved."""

import random
from dataclasses import replace

import numpy as np
import pytest

from tests.utils.bounties import REF, SECRET, Case, make_case
from truthmark.bounty.gold import Gold
from truthmark.bounty.label_file import LabelFile
from truthmark.bounty.receiving import Received, read_file, receive, require_true, true_score
from truthmark.bounty.score import NOT_DELIVERED, UNREADABLE, Score
from truthmark.bounty.sealing import SealedRun
from truthmark.errors import BountyError


@pytest.fixture(scope="module")
def case() -> Case:
    return make_case(random.Random(5), overrides=False)


def file_of(case: Case, worker: int) -> LabelFile:
    seats = int(case.record.committed[worker])
    return LabelFile(REF, worker, seats, case.runs[worker])


def all_received(case: Case) -> dict[int, Received]:
    return {w: receive(case.record, w, run, SECRET) for w, run in case.runs.items()}


def score_of(case: Case, received: dict[int, Received], **more: object) -> Score:
    items, answers = np.array(case.plain["gold"]).T
    arguments: dict[str, object] = {"acknowledgements": {}} | more
    return true_score(
        case.record,
        gold=Gold(items, answers),
        salt=b"\5" * 32,
        received=received,
        **arguments,  # type: ignore[arg-type]
    )


def bent(run: SealedRun) -> SealedRun:
    """Labels whose root is another one."""
    return replace(run, root=bytes(32))


def test_receive__what_stands__opens_to_what_was_committed(case: Case) -> None:
    for worker, one in all_received(case).items():
        assert one.opened is not None
        assert one.opened.codes.tolist() == case.plain["labels"][worker]


def test_receive__not_what_stands__refused(case: Case) -> None:
    worker, other = list(case.runs)[:2]
    for run in (case.runs[other], bent(case.runs[worker])):
        with pytest.raises(BountyError, match=f"stands on chain for worker {worker}"):
            receive(case.record, worker, run, SECRET)
    with pytest.raises(BountyError, match="stands on chain"):
        receive(case.record, 2047, case.runs[worker], SECRET)


def test_receive__opens_to_something_else__is_unreadable(case: Case) -> None:
    worker = next(iter(case.runs))
    assert receive(case.record, worker, case.runs[worker], SECRET + 1).opened is None


@pytest.mark.parametrize(
    "changed,why",
    [
        ({"ref": replace(REF, bounty_id=8)}, "another bounty"),
        ({"ref": replace(REF, chain_id=1)}, "another bounty"),
        ({"ref": replace(REF, board="0x" + "b1" * 20)}, "another bounty"),
        ({"worker": 1000}, "of worker 1000"),
    ],
)
def test_read_file__another_bounty_or_worker__refused(
    case: Case, changed: dict[str, object], why: str
) -> None:
    worker = next(iter(case.runs))
    mine = file_of(case, worker)
    assert read_file(case.record, worker, mine.to_bytes()).run == mine.run
    other = replace(mine, **changed)  # type: ignore[arg-type]
    with pytest.raises(BountyError, match=why):
        read_file(case.record, worker, other.to_bytes())


def test_true_score__all_received__is_the_true_one(case: Case) -> None:
    plain = replace(case, plain=case.plain | {"marks": [0] * len(case.plain["marks"])})
    assert score_of(case, all_received(case)).hash == plain.true_score.hash


def test_true_score__some_missing_or_unreadable__marked(case: Case) -> None:
    received = all_received(case)
    missing, closed, posted = list(received)[:3]
    del received[missing], received[posted]
    received[closed] = replace(received[closed], opened=None)
    score = score_of(case, received, unreadable={posted})
    assert [int(score.lines[w]) for w in (missing, closed, posted)] == [
        NOT_DELIVERED,
        UNREADABLE,
        UNREADABLE,
    ]


def test_true_score__acknowledged_labels_lost__refused(case: Case) -> None:
    received = all_received(case)
    lost = next(iter(received))
    del received[lost]
    with pytest.raises(BountyError, match="said not to have delivered"):
        score_of(case, received, acknowledgements={lost: case.acknowledge(lost)})


def test_true_score__posted_on_chain_and_not_read__refused(case: Case) -> None:
    received = all_received(case)
    lost = next(iter(received))
    del received[lost]
    posted = replace(case, record=replace(case.record, posted=frozenset({lost})))
    with pytest.raises(BountyError, match="could be disproved"):
        score_of(posted, received)


def test_require_true__any_wrong_answer_or_line__refused(case: Case) -> None:
    received = all_received(case)
    score = score_of(case, received)
    lines = score.lines.copy()
    lines[next(iter(received))] ^= 1
    g, k = np.argwhere(score.entries < case.record.terms.classes)[0]
    entries = score.entries.copy()
    entries[g, k] = (entries[g, k] + 1) % case.record.terms.classes
    for wrong in (replace(score, lines=lines), replace(score, entries=entries)):
        with pytest.raises(BountyError, match="could be disproved"):
            require_true(case.record, wrong, received, {})
