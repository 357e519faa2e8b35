# SPDX-License-Identifier: Apache-2.0
"""Slow work beside the rounds."""

import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from tests.utils.waiting import wait_for
from truthmark.node import job_pool
from truthmark.node.job_pool import MOST_THREADS, JobPool, StoppedError


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[JobPool]:
    monkeypatch.setattr(job_pool, "FIRST_REST_SECONDS", 0.0)
    made = JobPool(2, "test")
    yield made
    made.close()


def test_ask__work_that_succeeds__is_done_once(workers: JobPool) -> None:
    calls: list[int] = []

    def work() -> str:
        calls.append(1)
        return "made"

    wait_for(lambda: workers.ask("a", work).is_done, "the end of the work")
    assert workers.ask("a", work).result == "made"
    assert calls == [1]
    workers.forget("a")
    wait_for(lambda: workers.ask("a", work).is_done, "the end of the work")
    assert calls == [1, 1]


def test_ask__work_that_fails__keeps_the_reason_and_is_tried_again(workers: JobPool) -> None:
    failures = [ValueError("first"), KeyError("second")]

    def work() -> None:
        if failures:
            raise failures.pop(0)

    wait_for(lambda: workers.ask("a", work).is_done, "the end of the work")
    job = workers.ask("a", work)
    assert (job.error, job.failures) == (None, 2)


def test_ask__after_a_failure__rests_longer_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rests, now = [], 1_000.0
    # Its clock stands still, so that a rest is as long on a machine that is busy.
    monkeypatch.setattr(job_pool, "time", SimpleNamespace(monotonic=lambda: now))
    made = JobPool(1, "test")

    def fail() -> None:
        raise ValueError

    for _ in range(14):
        job = made.ask("a", fail)
        wait_for(lambda job=job: not job.is_running, "the end of the work")  # type: ignore[misc]
        rests.append(job.rests_until - now)
        assert made.ask("a", fail).is_running is False  # it rests
        job.rests_until = 0
    made.close()
    assert [round(rest) for rest in rests[:3]] == [5, 10, 20]
    assert round(rests[-1]) == job_pool.LONGEST_REST_SECONDS


def test_ask__one_group__one_at_a_time(workers: JobPool) -> None:
    busy, most = [0], [0]

    def work() -> None:
        busy[0] += 1
        most[0] = max(most[0], busy[0])
        time.sleep(0.01)
        busy[0] -= 1

    names = ["a", "b", "c"]
    wait_for(
        lambda: sum([workers.ask(n, work, group="seller").is_done for n in names]) == 3,
        "the end of the work",
    )
    assert most == [1]


def test_ask__slow_job__does_not_keep_another_thread_waiting(workers: JobPool) -> None:
    gate = threading.Event()
    workers.ask("slow", lambda: gate.wait(30), group="one")
    wait_for(lambda: workers.ask("quick", lambda: None, group="two").is_done, "the end of the work")
    assert not workers.ask("slow", lambda: None, group="one").is_done
    gate.set()


def test_close__work_that_looks__is_cut_off() -> None:
    made, started = JobPool(1, "test"), threading.Event()
    ended: list[str] = []

    def work() -> None:
        try:
            while True:
                started.set()
                made.check(1, 2)
                time.sleep(0.001)
        except StoppedError:
            ended.append("cut off")
            raise

    job = made.ask("a", work)
    assert started.wait(30)
    made.close(30)
    assert ended == ["cut off"]
    assert (job.is_done, job.error) == (False, None)


def test_ask__seller_with_many_addresses__holds_nobody_up() -> None:
    """Whatever many names ask first, an honest request is read, and a long one too."""
    made = JobPool(2, "test", turn=0.02)

    def never_ends() -> None:
        while True:
            made.check()
            time.sleep(0.001)

    for number in range(60):
        made.ask(("bytes", number), never_ends, group=f"address {number}")
    steps: list[int] = []

    def long() -> str:
        while len(steps) < 40:
            made.check()
            steps.append(1)
            time.sleep(0.001)
        return "read"

    wait_for(lambda: made.ask("short", lambda: "read", group="honest").is_done, "a short one")
    wait_for(lambda: made.ask("long", long, group="honest too").is_done, "a long one")
    assert made.ask("long", long).result == "read"
    made.close()


def test_ask__all_threads_are_stuck__others_step_in_up_to_a_limit() -> None:
    made = JobPool(2, "test", turn=0.01)
    gate = threading.Event()
    for number in range(5):
        made.ask(number, lambda: gate.wait(60), group=f"address {number}")
    wait_for(lambda: made.ask("honest", lambda: "read", group="honest").is_done, "the honest one")
    for number in range(5, 50):
        made.ask(number, lambda: gate.wait(60), group=f"address {number}")
    for _ in range(100):
        made.ask("look", lambda: None)
        time.sleep(0.001)
    assert len(made._threads) <= MOST_THREADS
    gate.set()
    made.close()


def test_ask__alone__is_not_interrupted() -> None:
    made = JobPool(1, "test", turn=0.0)

    def work() -> str:
        for _ in range(20):
            made.check()
            time.sleep(0.001)
        return "made"

    wait_for(lambda: made.ask("a", work).is_done, "the end of the work")
    assert made.ask("a", work).error is None
    made.close()
