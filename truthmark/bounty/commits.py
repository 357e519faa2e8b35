# SPDX-License-Identifier: Apache-2.0
"""What the relay posts of workers' commits, and what stands when it is overridden."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from truthmark.bounty.evidence import CHUNK, CommitsChunk, hash_of_heads
from truthmark.errors import BountyError
from truthmark.hashing import keccak256
from truthmark.keys.abi_hash import word

ROW_BYTES: Final = 35


@dataclass(frozen=True, slots=True)
class Commit:
    """A worker's word for their labels.

    Attributes:
        worker: The row of the roster.
        seats: How many seats of the run, from its first.
        commitment: 32 bytes.
    """

    worker: int
    seats: int
    commitment: bytes

    def pack(self) -> bytes:
        """Return the 35 bytes of the row."""
        return self.worker.to_bytes(2, "big") + bytes([self.seats]) + word(self.commitment)


def parse_commits(data: bytes) -> list[Commit]:
    """Return the rows of packed bytes.

    Raises:
        BountyError: It is not a whole number of rows.
    """
    if len(data) % ROW_BYTES:
        raise BountyError(f"commit rows are {ROW_BYTES} bytes each; fetch the call again")
    return [
        Commit(int.from_bytes(data[at : at + 2], "big"), data[at + 2], data[at + 3 : at + 35])
        for at in range(0, len(data), ROW_BYTES)
    ]


def chunks_of(rows: Sequence[Commit]) -> list[bytes]:
    """Return what one `commit` call brings: 32 rows each, the last perhaps fewer."""
    return [
        b"".join(row.pack() for row in rows[at : at + CHUNK]) for at in range(0, len(rows), CHUNK)
    ]


class Commits:
    """All commits of a bounty.

    Args:
        calls: The rows of each `commit` call, in order, those included that were dead when they
            came because the worker had overridden before.
        overrides: What workers signed in place of what was posted or left out.
    """

    def __init__(self, calls: Sequence[Sequence[Commit]], overrides: Sequence[Commit] = ()) -> None:
        """Find what stands for each worker."""
        self.calls = [list(call) for call in calls]
        self.overrides = {commit.worker: commit for commit in overrides}
        self._places: dict[int, tuple[int, int]] = {}
        for number, call in enumerate(self.calls):
            for row, commit in enumerate(call):
                self._places.setdefault(commit.worker, (number, row))
        self.standing: dict[int, Commit] = {
            worker: self.calls[call][row] for worker, (call, row) in self._places.items()
        } | self.overrides
        """By worker, what counts."""

    @classmethod
    def from_chunks(
        cls, calls: Sequence[Sequence[bytes]], overrides: Sequence[Commit] = ()
    ) -> Self:
        """Return the commits that the chunks of each call hold.

        Args:
            calls: By call its chunks, each of at most 32 rows of 35 bytes.
            overrides: Commits that stand in the place of what a call brought.

        Raises:
            BountyError: A chunk is no whole number of rows, or one but the last is not full.
        """
        for chunks in calls:
            if any(len(chunk) != CHUNK * ROW_BYTES for chunk in chunks[:-1]):
                raise BountyError("a chunk of commits is not full; the calls are not complete")
        return cls([parse_commits(b"".join(chunks)) for chunks in calls], overrides)

    def seats(self, workers: int) -> list[int]:
        """Return how many seats each of `workers` workers committed."""
        return [
            self.standing[worker].seats if worker in self.standing else 0
            for worker in range(workers)
        ]

    def heads(self, call: int) -> list[bytes]:
        """Return the hash of each chunk of a call."""
        return [keccak256(chunk) for chunk in chunks_of(self.calls[call])]

    def call_hash(self, call: int) -> bytes:
        """Return what the board keeps of a call, 32 bytes."""
        return hash_of_heads(self.heads(call))

    def evidence(self, worker: int) -> CommitsChunk:
        """Return the chunk that shows a worker's commit; empty where they overrode.

        Raises:
            BountyError: The worker committed nothing.
        """
        if worker in self.overrides:
            return CommitsChunk()
        if worker not in self._places:
            raise BountyError(f"worker {worker} committed nothing")
        call, row = self._places[worker]
        return self.chunk(call, row // CHUNK, row % CHUNK)

    def chunk(self, call: int, chunk: int, row: int = 0) -> CommitsChunk:
        """Return a chunk of a call, with one of its rows named.

        Args:
            call: Number of the `commit` call, from 0.
            chunk: Of the call, from 0.
            row: Of the chunk, from 0.
        """
        return CommitsChunk(call, self.heads(call), chunk, row, chunks_of(self.calls[call])[chunk])
