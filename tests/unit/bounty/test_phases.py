# SPDX-License-Identifier: Apache-2.0
"""The phase clock: every state, at every deadline."""

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.bounty.test_team import TEAM
from tests.utils.bounties import REF, make_terms
from truthmark.bounty.commits import Commit, Commits
from truthmark.bounty.payouts import Status
from truthmark.bounty.phases import phase_of
from truthmark.bounty.record import Record
from truthmark.bounty.roster import Roster, Row

MARK = 1_000
LABEL, COMMIT, POST, SCORE = make_terms().deadlines(MARK)


def make_record(status: Status, *, rows: int = 6, commits: int = 1, **terms: Any) -> Record:
    roster = Roster([[Row(f"0x{n + 1:040x}", "0x" + "aa" * 20, 10) for n in range(rows)]])
    standing = Commits([[Commit(n, 10, b"\x01" * 32) for n in range(commits)]] if commits else [])
    return Record(REF, make_terms(**terms), bytes(32), roster, standing, frozenset(), status)


@pytest.mark.parametrize(
    "status,now,name,until",
    [
        (Status.OPEN, MARK + 60, "joining", MARK + 60),
        (Status.OPEN, MARK + 61, "joining", None),
        (Status.DRAWN, MARK + 86_400, "drawing", MARK + 86_400),
        (Status.DRAWN, MARK + 86_401, "undrawn", None),
        (Status.LABEL, LABEL, "labeling", LABEL),
        (Status.LABEL, LABEL + 1, "correcting", COMMIT),
        (Status.LABEL, COMMIT, "correcting", COMMIT),
        (Status.LABEL, COMMIT + 1, "handing-in", POST),
        (Status.LABEL, POST, "handing-in", POST),
        (Status.LABEL, POST + 1, "scoring", SCORE),
        (Status.LABEL, SCORE, "scoring", SCORE),
        (Status.LABEL, SCORE + 1, "silent", None),
        (Status.SCORED, MARK + 600, "challenge", MARK + 600),
        (Status.SCORED, MARK + 601, "over", None),
        (Status.SCORED_HALF, MARK + 600, "challenge", MARK + 600),
        *((status, MARK, "ended", None) for status in Status if status.has_ended),
    ],
)
def test_phase_of__each_deadline__is_the_last_second_in_time(
    status: Status, now: int, name: str, until: int | None
) -> None:
    phase = phase_of(make_record(status), MARK, now)
    assert (phase.name, phase.until) == (name, until)
    assert phase.says
    assert phase.then or name == "ended"


def test_phase_of__nobody_committed__money_goes_back() -> None:
    for now in (COMMIT + 1, SCORE + 1):
        phase = phase_of(make_record(Status.LABEL, commits=0), MARK, now)
        assert (phase.name, phase.until) == ("unlabeled", None)
    assert phase_of(make_record(Status.LABEL, commits=0), MARK, COMMIT).name == "correcting"


@pytest.mark.parametrize("rows,then", [(6, "labeling begins"), (5, "all money goes back")])
def test_phase_of__joining_is_over__says_whether_it_takes_place(rows: int, then: str) -> None:
    assert phase_of(make_record(Status.OPEN, rows=rows), MARK, MARK + 61).then.startswith(then)


def test_phase_of__team__speaks_of_no_score() -> None:
    for status in (Status.SCORED, Status.SETTLED):
        phase = phase_of(make_record(status, **TEAM), MARK, MARK)
        assert "everybody whose labels arrived is paid in full" in phase.says + phase.then
    half = phase_of(make_record(Status.SCORED_HALF), MARK, MARK)
    assert "half" in half.then
    scored = replace(make_record(Status.SCORED))
    assert "by their score" in phase_of(scored, MARK, MARK).then
