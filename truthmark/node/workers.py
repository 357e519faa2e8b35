# SPDX-License-Identifier: Apache-2.0
"""Slow work beside the rounds: fetching what others may be slow, or unwilling, to send.

Deliveries have deadlines that cost stake, so nothing that waits for a storage happens in a round.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from truthmark.errors import StorageError

log = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_REST_SECONDS = 5.0
LONGEST_REST_SECONDS = 3_600.0


class StoppedError(StorageError):
    """The node stops; the work goes on after the next start."""


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
    """

    is_running: bool = False
    is_done: bool = False
    result: T | None = None
    error: Exception | None = None
    failures: int = 0
    rests_until: float = 0.0


class Workers:
    """Some threads that work on jobs by name; what failed is tried again, ever more rarely.

    Args:
        count: How many threads.
        name: Of the threads, for those who look at the process.
    """

    def __init__(self, count: int, name: str) -> None:
        """Start the threads."""
        self._jobs: dict[Hashable, Job[object]] = {}
        self._groups: set[Hashable] = set()
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        # Daemons: a storage that never answers must not keep the process from ending, and
        # everything they do may be cut off at any point.
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True)
            for number in range(count)
        ]
        for thread in self._threads:
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
                self._queue.put(lambda: self._do(job, work, group))
            return job

    def forget(self, name: Hashable) -> None:
        """Do a job anew when it is next asked for."""
        with self._lock:
            job = self._jobs.get(name)
            if job is not None and not job.is_running:
                del self._jobs[name]

    def check(self, done: int = 0, total: int = 0) -> None:
        """Serve as a `Progress` that ends the work when the node stops.

        Raises:
            StoppedError: It does.
        """
        if self._stop.is_set():
            raise StoppedError("the node stops; start it again to go on")

    def close(self, timeout: float = 2.0) -> None:
        """Start nothing more, and wait a moment for what is being done."""
        self._stop.set()
        for _ in self._threads:
            self._queue.put(None)
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _work(self) -> None:
        while (task := self._queue.get()) is not None and not self._stop.is_set():
            task()

    def _do(self, job: Job[object], work: Callable[[], object], group: Hashable) -> None:
        try:
            result = work()
        except StoppedError:
            outcome: Exception | None = None
        except Exception as error:  # whatever strangers' bytes do, other work goes on
            outcome = error
        else:
            with self._lock:
                job.result, job.is_done, job.error = result, True, None
            outcome = None
        with self._lock:
            job.is_running = False
            self._groups.discard(group)
            if outcome is not None:
                job.error = outcome
                rest = min(FIRST_REST_SECONDS * 2**job.failures, LONGEST_REST_SECONDS)
                job.failures = min(job.failures + 1, 20)
                job.rests_until = time.monotonic() + rest
