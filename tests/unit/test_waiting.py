# SPDX-License-Identifier: Apache-2.0
"""Deadlines and pauses between attempts."""

import pytest

from tests.utils.clock import Clock
from truthmark import waiting
from truthmark.waiting import Backoff, Deadline, growing


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(waiting, "time", clock)
    return clock


def test_deadline__time_passes__counts_down_to_nothing(clock: Clock) -> None:
    deadline = Deadline(3)
    assert (deadline.left, deadline.is_over) == (3, False)
    clock.now += 2
    assert (deadline.left, deadline.is_over) == (1, False)
    clock.now += 1
    assert (deadline.left, deadline.is_over) == (0, True)
    clock.now += 50
    assert (deadline.left, deadline.is_over) == (0, True)


def test_backoff__failing_at_once__doubles_and_ends(clock: Clock) -> None:
    backoff = Backoff(attempts=4, first=0.5, patience=10)
    assert [backoff.pause() for _ in range(4)] == [0.5, 1.0, 2.0, None]


def test_backoff__asked_to_wait__does_within_reason(clock: Clock) -> None:
    backoff = Backoff(attempts=9, first=0.5, patience=10, longest=8)
    assert [backoff.pause(asked) for asked in (0.1, 5, 3_600)] == [0.5, 5, 8]


def test_backoff__attempt_that_hung__is_the_last(clock: Clock) -> None:
    backoff = Backoff(attempts=4, first=0.5, patience=10)
    assert backoff.pause() == 0.5
    clock.now += 11
    assert backoff.pause() is None


@pytest.mark.parametrize(("number", "pause"), [(0, 0.25), (1, 0.25), (2, 0.5), (5, 4), (99, 5)])
def test_growing__every_number__stays_below_the_longest(number: int, pause: float) -> None:
    assert growing(0.25, number, 5.0) == pause
