# SPDX-License-Identifier: Apache-2.0
"""A pool of jobs for tests of what a node does, without threads."""

from collections.abc import Callable, Hashable
from typing import Any

from truthmark.node.job_pool import Job


class AtOnce:
    """A pool that does each job when it is first asked for it, and counts."""

    def __init__(self) -> None:
        self.done = 0
        self._jobs: dict[Hashable, Job[object]] = {}

    def ask(self, name: Hashable, work: Callable[[], object], group: Hashable = None) -> Any:
        if name not in self._jobs:
            self.done += 1
            self._jobs[name] = Job(is_done=True, result=work())
        return self._jobs[name]

    def forget(self, name: Hashable, rest: float = 0.0) -> None:
        self._jobs.pop(name, None)
