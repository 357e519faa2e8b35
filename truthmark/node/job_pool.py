# SPDX-License-Identifier: Apache-2.0
"""Slow work beside the rounds: fetching what others may be slow, or unwilling, to send.

Deliveries have deadlines that cost stake, so nothing that waits for a storage happens in a round.

A seller may have many addresses, and data that nobody gives out. So no name holds a thread: a job
that has had its time makes room while others wait, and goes on behind those that had less; and
while all threads wait for a storage that does not answer, more are started, up to a limit.
"""

import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from truthmark.errors import StorageError
from truthmark.waiting import Deadline

log = logging.getLogger(__name__)

T = TypeVar("T")

TURN_SECONDS = 10.0
"""What a job gets while others wait; what it fetched by then is not fetched again."""

MOST_THREADS = 16
"""Of one kind, with those that step in for others that are stuck."""

FIRST_REST_SECONDS = 5.0
LONGEST_REST_SECONDS = 3_600.0


class StoppedError(StorageError):
    """The node stops; the work goes on after the next start."""


class TurnOverError(StorageError):
    """The job had its time and others wait; it goes on when it is its turn again."""


@dataclass
class Job(Generic[T]):
    """A piece of work, once or until it succeeds.

    Attributes:
        is_running: It waits for its turn, or is being done.
        is_done: It succeeded.
        result: What it returned.
        error: Why it failed last.
        failures: How often it failed in a row.
        rests_until: When it may be tried again, by `time.monotonic`.
        used: Seconds of a thread's time that it has had.
    """

    is_running: bool = False
    is_done: bool = False
    result: T | None = None
    error: Exception | None = None
    failures: int = 0
    rests_until: float = 0.0
    used: float = 0.0


class JobPool:
    """Some threads that work on jobs by name; what failed is tried again, ever more rarely.

    Args:
        count: How many threads.
        name: Of the threads, for those who look at the process.
        turn: Seconds that a job gets while others wait.
    """

    def __init__(self, count: int, name: str, *, turn: float = TURN_SECONDS) -> None:
        """Start the threads."""
        self._name = name
        self._turn = turn
        self._own = threading.local()
        self._begun: dict[int, float] = {}
        self._order = itertools.count()
        self._jobs: dict[Hashable, Job[object]] = {}
        self._groups: set[Hashable] = set()
        self._lock = threading.Lock()
        # By when they came, and later by the time that they have had.
        self._queue: queue.PriorityQueue[tuple[float, int, Callable[[], None] | None]] = (
            queue.PriorityQueue()
        )
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        for _ in range(count):
            self._start_thread()

    def _start_thread(self) -> None:
        # Daemons: a storage that never answers must not keep the process from ending, and
        # everything they do may be cut off at any point.
        number = len(self._threads)
        thread = threading.Thread(
            target=self._work, args=(number,), name=f"{self._name}-{number}", daemon=True
        )
        self._threads.append(thread)
        thread.start()

    def ask(
        self, name: Hashable, work: Callable[[], object], group: Hashable = None
    ) -> Job[object]:
        """Return how far a job is, having started it if it was not, or is to be tried again.

        Args:
            name: What the job is known by.
            work: Does it; must stand being cut off and repeated.
            group: Of one group, one job is taken on at a time.
        """
        with self._lock:
            job = self._jobs.setdefault(name, Job())
            may_start = not (job.is_running or job.is_done) and time.monotonic() >= job.rests_until
            if may_start and (group is None or group not in self._groups):
                job.is_running = True
                self._groups.add(group)
                self._put(job, work, group)
            self._relieve()
            return job

    def _put(self, job: Job[object], work: Callable[[], object], group: Hashable) -> None:
        # Who has had much lets those pass who come now, but not for ever.
        due = time.monotonic() + job.used
        self._queue.put((due, next(self._order), lambda: self._do(job, work, group)))

    def _relieve(self) -> None:
        """Start another thread where all are stuck and somebody waits."""
        late = time.monotonic() - 2 * self._turn
        is_stuck = len(self._begun) == len(self._threads) and max(self._begun.values()) < late
        if is_stuck and len(self._threads) < MOST_THREADS and not self._queue.empty():
            self._start_thread()

    def forget(self, name: Hashable, rest: float = 0.0) -> bool:
        """Do a job again when it is next asked for, after `rest` seconds at the earliest.

        Returns:
            Whether it is forgotten: one that is being done is not.
        """
        with self._lock:
            job = self._jobs.get(name)
            if job is not None and job.is_running:
                return False
            if job is not None:
                del self._jobs[name]
                if rest:
                    self._jobs[name] = Job(rests_until=time.monotonic() + rest)
            return True

    def check(self, done: int = 0, total: int = 0) -> None:
        """Serve as a `Progress` that ends the work when the node stops, or others wait too long.

        Raises:
            StoppedError: It does.
            TurnOverError: They do.
        """
        if self._stop.is_set():
            raise StoppedError("the node stops; start it again to go on")
        until: float | None = getattr(self._own, "until", None)
        if until is not None and time.monotonic() > until and not self._queue.empty():
            raise TurnOverError("others wait; this goes on later")

    def close(self, timeout: float = 2.0) -> None:
        """Start nothing more, and wait a moment for what is being done."""
        self._stop.set()
        for _ in self._threads:
            self._queue.put((-1.0, next(self._order), None))
        deadline = Deadline(timeout)
        for thread in self._threads:
            thread.join(deadline.left)

    def _work(self, number: int) -> None:
        while (task := self._queue.get()[2]) is not None and not self._stop.is_set():
            begun = time.monotonic()
            self._own.until = begun + self._turn
            with self._lock:
                self._begun[number] = begun
            try:
                task()
            finally:
                with self._lock:
                    del self._begun[number]

    def _do(self, job: Job[object], work: Callable[[], object], group: Hashable) -> None:
        begun = time.monotonic()
        outcome: Exception | None = None
        try:
            result = work()
        except StoppedError:
            pass
        except TurnOverError:
            with self._lock:
                job.used += time.monotonic() - begun
                self._put(job, work, group)  # still running, as far as others see
            return
        except Exception as error:  # whatever strangers' bytes do, other work goes on
            outcome = error
        else:
            with self._lock:
                job.result, job.is_done, job.error = result, True, None
        with self._lock:
            job.used += time.monotonic() - begun
            job.is_running = False
            self._groups.discard(group)
            if outcome is not None:
                job.error = outcome
                rest = min(FIRST_REST_SECONDS * 2**job.failures, LONGEST_REST_SECONDS)
                job.failures = min(job.failures + 1, 20)
                job.rests_until = time.monotonic() + rest
