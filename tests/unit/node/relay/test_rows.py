# SPDX-License-Identifier: Apache-2.0
"""Rows for those who want seats, and when they are sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.utils.bounties import make_terms
from truthmark.bounty.roster import Roster, Row
from truthmark.node.relay.rhythm import Rhythm, safe_until
from truthmark.node.relay.rows import Wish, is_full, rows_for


@given(
    per_round=st.integers(1, 40),
    rounds=st.integers(1, 4),
    runs=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    seats=st.lists(st.integers(1, 63), max_size=60),
    calls=st.integers(1, 3),
)
def test_rows_for__any_wishes__are_a_roster_that_the_intake_takes(
    per_round: int, rounds: int, runs: tuple[int, int], seats: list[int], calls: int
) -> None:
    least, most = sorted(min(run, per_round) for run in runs)
    terms = make_terms(
        items=per_round * 20, batch=20, rounds=rounds, min_run=least, max_run=most, gold_count=0
    )
    wishes = [Wish(f"0x{n + 1:040x}", "0x" + "ee" * 20, max(s, least)) for n, s in enumerate(seats)]
    left, rows = list(wishes), list[list[Row]]()
    for _ in range(calls):
        roster = Roster(rows)
        part = left[: -(-len(wishes) // calls)]
        rows.append(rows_for(terms, part, position=roster.position, workers=len(roster)))
        left = left[len(part) :]
    roster = Roster(rows)
    roster.require_sound(terms)
    workers = [row for row in roster.rows if not row.is_gap]
    assert [row.signer for row in workers] == [wish.signer for wish in wishes[: len(workers)]]
    assert all(row.seats <= wish.seats for row, wish in zip(workers, wishes, strict=False))
    assert all(not call or not call[-1].is_gap for call in rows)
    # A labeler who has no place has none because there is none.
    assert len(workers) == len(wishes) or is_full(terms, roster.position, len(roster))


def test_rows_for__2048_rows__are_the_most() -> None:
    terms = make_terms(items=40_000, batch=2, rounds=3, min_run=1, max_run=1, gold_count=0)
    wishes = [Wish(f"0x{n + 1:040x}", "0x" + "ee" * 20, 1) for n in range(3000)]
    assert len(rows_for(terms, wishes, position=0, workers=0)) == 2048
    assert is_full(terms, 2048, 2048)


@pytest.mark.parametrize(
    ("waiting", "oldest", "expected"),
    [(0, None, None), (1, 100, 220), (31, 100, 220), (32, 100, 100), (5, 950, 1000)],
)
def test_sends_at__rows_that_wait__are_sent_by_number_by_age_or_in_time(
    waiting: int, oldest: int | None, expected: int | None
) -> None:
    assert Rhythm(32, 120).sends_at(waiting, oldest, latest=1000) == expected


def test_safe_until__short_window__keeps_most_of_it() -> None:
    assert safe_until(1000, 600, margin=30) == 970
    assert safe_until(1000, 8, margin=30) == 998
