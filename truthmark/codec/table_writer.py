# SPDX-License-Identifier: Apache-2.0
"""Encodes the next segment of a table while the one before it is being sealed."""

from collections.abc import Callable
from concurrent.futures import Future

from truthmark.codec.fine_cuts import FineCutter
from truthmark.codec.segments import MAX_ROWS, Cutter, Encoded, Scratch


class TableWriter:
    """Encodes into one memory while the other is being sealed."""

    def __init__(
        self, cutter: Cutter | FineCutter, seal: "Callable[[Encoded], list[Future[None]]]"
    ) -> None:
        """Cut by `cutter`; `seal` says when a segment's memory is free again."""
        self._cutter, self._seal = cutter, seal
        self._scratches: list[tuple[Scratch, list[Future[None]]]] = []

    def write(self, count: int | None) -> None:
        """Cut and seal the next `count` rows, or all."""
        left = count
        while left is None or left > 0:
            scratch = self._free_scratch()
            segment = self._cutter.next(
                scratch, at_most=MAX_ROWS if left is None else min(left, MAX_ROWS)
            )
            if segment is None:
                return
            self._scratches.append((scratch, self._seal(segment)))
            if left is not None:
                left -= segment.rows

    def wait(self) -> None:
        """Wait until everything is sealed."""
        while self._scratches:
            _wait(self._scratches.pop(0)[1])

    def _free_scratch(self) -> Scratch:
        if len(self._scratches) < 2:
            return self._cutter.scratch()
        scratch, futures = self._scratches.pop(0)
        _wait(futures)
        return scratch


def _wait(futures: "list[Future[None]]") -> None:
    for future in futures:
        future.result()
