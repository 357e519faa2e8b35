# SPDX-License-Identifier: Apache-2.0
"""Work spread over threads, in order and in flat memory.

Threads are enough: cipher, hashes, compression and file access all run outside the
interpreter's lock, and two of them reach almost twice the speed of one.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def ordered_map(work: Callable[[T], R], items: Iterable[T], processes: int) -> Iterator[R]:
    """Yield `work(item)` for all items in order, with `processes` of them done at a time.

    At most twice as many wait, however many there are. An error ends it and drops what waits.
    """
    if processes <= 1:
        yield from map(work, items)
        return
    pending: deque[Future[R]] = deque()
    with ThreadPoolExecutor(processes) as pool:
        try:
            for item in items:
                pending.append(pool.submit(work, item))
                if len(pending) > 2 * processes:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
