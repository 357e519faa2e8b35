# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tests.utils.bounties import REF, make_terms
from truthmark.bounty.assignment import NO_ITEM, Assignment
from truthmark.bounty.commits import Commit, Commits, parse_commits
from truthmark.bounty.evidence import CommitsChunk
from truthmark.bounty.roster import Roster, Row, gap, parse_rows
from truthmark.errors import BountyError
from truthmark.labels.scoring import NOBODY


def row(worker: int, seats: int = 5) -> Row:
    return Row(f"0x{worker:040x}", f"0x{worker + 1000:040x}", seats)


def test_holders_of__gaps_and_seats_beyond__have_no_worker() -> None:
    roster = Roster([[row(1, 3), gap(2)], [], [gap(0), row(2, 4)]])
    assert len(roster) == 4 and roster.position == 9
    seats = np.arange(12)
    assert roster.holders_of(seats).tolist() == [0, 0, 0, NOBODY, NOBODY, 3, 3, 3, 3] + [NOBODY] * 3
    assert roster.runs.tolist() == [3, 0, 0, 4]
    assert roster.heads(1) == [] and roster.evidence(3).call == 2
    assert roster == Roster([[row(1, 3), gap(2)], [], [gap(0), row(2, 4)]])
    assert roster != Roster([[row(1, 3)]])


def test_worker_of__signers__are_found_once() -> None:
    roster = Roster([[row(1), row(2), gap(10)], [row(2)]])
    assert roster.worker_of(row(1).signer.upper().replace("0X", "0x")) == 0
    with pytest.raises(BountyError, match="not on the roster"):
        roster.worker_of(row(3).signer)
    with pytest.raises(BountyError, match="2 times"):
        roster.worker_of(row(2).signer)
    assert [signer.lower() for signer in roster.doubled_signers()] == [row(2).signer]
    with pytest.raises(BountyError, match="no row 9"):
        roster.evidence(9)


@pytest.mark.parametrize(
    "rows,why",
    [
        ([row(1, 10), row(2, 10), row(3, 10)], ""),
        ([row(1, 10), gap(10), gap(0), row(3, 5)], ""),
        ([row(1, 10), row(2, 6), row(3, 5)], "crosses a round"),
        ([row(1, 4)], "4 seats"),
        ([row(1, 11)], "11 seats"),
        ([Row(row(1).signer, "0x" + "00" * 20, 5)], "pay nobody"),
        ([gap(20), gap(20), gap(20), gap(1)], "more seats"),
    ],
)
def test_require_sound__rows__are_what_the_terms_allow(rows: list[Row], why: str) -> None:
    roster, terms = Roster([rows]), make_terms()
    if not why:
        roster.require_sound(terms)
        return
    with pytest.raises(BountyError, match=why):
        roster.require_sound(terms)


def test_roster__too_much_or_broken__is_refused() -> None:
    with pytest.raises(BountyError, match="at most 2048"):
        Roster([[row(w, 1) for w in range(2049)]])
    with pytest.raises(BountyError, match="41 bytes"):
        parse_rows(b"\0" * 40)
    with pytest.raises(BountyError, match="not full"):
        Roster.from_chunks([[row(1).pack(), row(2).pack()]])


def test_items_of__short_last_seat__has_no_items_at_its_end() -> None:
    assignment = Assignment(b"\1" * 32, items=103, batch=10, rounds=2)
    last = assignment.items_of(21, 1)
    assert (last == NO_ITEM).tolist() == [False] * 3 + [True] * 7
    whole = np.concatenate([assignment.items_of(11, 10), last[:3]])
    assert sorted(whole.tolist()) == list(range(103))
    assert assignment.labels_in(19, 3) == 23 and assignment.labels_in(0, 2) == 20
    seats, indices = assignment.seats_of(np.arange(103))
    for item, (seat, index) in enumerate(zip(seats[:, 1], indices[:, 1], strict=True)):
        assert assignment.items_of(int(seat), 1)[index] == item
    for start, count in ((22, 1), (10, 2), (-1, 1)):
        with pytest.raises(BountyError, match="one round"):
            assignment.items_of(start, count)


def test_commits__overrides__stand_for_good() -> None:
    posted = [Commit(w, 1, bytes([w]) * 32) for w in range(40)]
    signed = Commit(3, 2, b"\x77" * 32)
    commits = Commits([posted[:35], posted[35:], [posted[0]]], [signed, Commit(50, 1, b"\1" * 32)])
    assert commits.standing[3] == signed and commits.standing[4] == posted[4]
    assert commits.seats(52)[3] == 2 and commits.seats(52)[45] == 0 and commits.seats(52)[50] == 1
    assert commits.evidence(3) == CommitsChunk() == commits.evidence(50)
    shown = commits.evidence(34)
    assert (shown.call, shown.chunk, shown.row) == (0, 1, 2)
    assert parse_commits(shown.rows)[2] == posted[34]
    assert commits.evidence(0).call == 0  # the first stands, should a row come twice
    with pytest.raises(BountyError, match="committed nothing"):
        commits.evidence(41)
    with pytest.raises(BountyError, match="35 bytes"):
        parse_commits(b"\0" * 34)
    with pytest.raises(BountyError, match="not full"):
        Commits.from_chunks([[posted[0].pack(), posted[1].pack()]])
    assert REF.bounty_id == 7
