# SPDX-License-Identifier: Apache-2.0
"""What a labeler sees of their part: before the score, by it, and at every end."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.bounty.test_phases import make_record
from tests.utils.bounties import Case, make_case
from truthmark.bounty.flows.standing import Share, expected_payments, shares_of
from truthmark.bounty.labeling_folder import LabelingFolder
from truthmark.bounty.payouts import Status
from truthmark.bounty.phases import phase_of
from truthmark.bounty.record import Record
from truthmark.bounty.score import NOT_DELIVERED

MARK = 1_000


@pytest.fixture(scope="module")
def case() -> Case:
    made = make_case(random.Random(5), overrides=False)
    return replace(made, plain=made.plain | {"marks": [0] * len(made.plain["marks"])})


def share(record: Record, worker: int, folder: Path, now: int = MARK) -> Share:
    row = record.roster.rows[worker]
    phase = phase_of(record, MARK, now)
    found = shares_of(record, [row.signer], phase, LabelingFolder(folder, record.ref))
    return next(one for one in found if one.worker == worker)


def test_shares_of__before_the_score__seats_and_delivery_and_no_pay(
    case: Case, tmp_path: Path
) -> None:
    worker = next(iter(case.runs))
    mine = share(case.record, worker, tmp_path)
    assert mine.committed == int(case.record.committed[worker])
    assert (mine.score, mine.mark, mine.payment, mine.is_acknowledged) == (None, "", None, False)
    folder = LabelingFolder(tmp_path, case.record.ref)
    commitment = case.record.commits.standing[worker].commitment
    folder.keep_acknowledgement(commitment, b"\x01" * 65)  # of nobody
    assert not share(case.record, worker, tmp_path).is_acknowledged


def test_shares_of__receiver_has_signed__said(case: Case, tmp_path: Path) -> None:
    worker = next(iter(case.runs))
    folder = LabelingFolder(tmp_path, case.record.ref)
    commitment = case.record.commits.standing[worker].commitment
    folder.keep_acknowledgement(commitment, case.acknowledge(worker))
    assert share(case.record, worker, tmp_path).is_acknowledged


def test_shares_of__scored__what_the_line_gives(case: Case, tmp_path: Path) -> None:
    record = case.posted(case.true_score)
    for worker in case.runs:
        mine = share(record, worker, tmp_path)
        line = int(case.true_score.lines[worker])
        assert mine.score == line / 1e6
        assert mine.payment is not None
        full = mine.payment.price + mine.payment.withheld
        assert mine.payment.price == full * line // 10**6


def test_shares_of__marked__says_so_and_pays_nothing(case: Case, tmp_path: Path) -> None:
    worker = next(iter(case.runs))
    lines = case.true_score.lines.copy()
    lines[worker] = NOT_DELIVERED
    mine = share(case.posted(replace(case.true_score, lines=lines)), worker, tmp_path)
    assert (mine.score, mine.mark) == (None, "said not to be delivered")
    assert mine.payment is not None and mine.payment.total == 0


@pytest.mark.parametrize("name", ["silent", "proven", "half"])
def test_expected_payments__silent_proven_half__full_or_half(case: Case, name: str) -> None:
    if name == "silent":
        record, now = case.record, MARK + 10**8
    elif name == "proven":
        record, now = replace(case.posted(case.true_score), status=Status.PROVEN), MARK
    else:
        record, now = replace(case.posted(case.true_score), status=Status.SCORED_HALF), MARK
    found = expected_payments(record, phase_of(record, MARK, now))
    assert set(found) == set(case.runs)
    for payment in found.values():
        whole = payment.price + payment.withheld
        assert payment.price == (whole // 2 if name == "half" else whole)
        assert (payment.bond > 0) is (name != "half")


def test_expected_payments__nothing_is_decided__nothing(case: Case) -> None:
    for status in (Status.OPEN, Status.DRAWN, Status.LABEL):
        record = make_record(status)
        assert expected_payments(record, phase_of(record, MARK, MARK)) == {}
