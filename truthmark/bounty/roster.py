# SPDX-License-Identifier: Apache-2.0
"""Who holds which seats: rows of signer, payee and seats, in the order in which they came."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final, Self

import numpy as np

from truthmark.bounty.evidence import CHUNK, RosterChunk, hash_of_heads
from truthmark.bounty.terms import MAX_WORKERS, NO_ACCOUNT, Terms
from truthmark.config.units import to_checksum_address
from truthmark.errors import BountyError
from truthmark.hashing import keccak256
from truthmark.keys.abi_hash import address_bytes
from truthmark.labels.scoring import NOBODY, Ints

ROW_BYTES: Final = 41


@dataclass(frozen=True, slots=True)
class Row:
    """A worker, or a gap whose seats nobody holds.

    Attributes:
        signer: Who labels and signs the commit; no account in a gap.
        payee: Who is paid.
        seats: The length of the run.
    """

    signer: str
    payee: str
    seats: int

    @property
    def is_gap(self) -> bool:
        """Whether nobody holds these seats."""
        return address_bytes(self.signer) == bytes(20)

    def pack(self) -> bytes:
        """Return the 41 bytes of the row."""
        return address_bytes(self.signer) + address_bytes(self.payee) + bytes([self.seats])


def gap(seats: int) -> Row:
    """Return a row that leaves seats to nobody, as at the rest of a round."""
    return Row(NO_ACCOUNT, NO_ACCOUNT, seats)


def parse_rows(data: bytes) -> list[Row]:
    """Return the rows of packed bytes.

    Raises:
        BountyError: It is not a whole number of rows.
    """
    if len(data) % ROW_BYTES:
        raise BountyError(f"roster rows are {ROW_BYTES} bytes each; fetch the call again")
    return [
        Row(
            to_checksum_address("0x" + data[at : at + 20].hex()),
            to_checksum_address("0x" + data[at + 20 : at + 40].hex()),
            data[at + 40],
        )
        for at in range(0, len(data), ROW_BYTES)
    ]


class Roster:
    """All rows, by the calls that brought them.

    Args:
        calls: The rows of each `enroll` call, in order; a call may bring none.
    """

    def __init__(self, calls: Sequence[Sequence[Row]]) -> None:
        """Number the workers and their seats.

        Raises:
            BountyError: There are more rows than a bounty takes.
        """
        self.calls = [list(call) for call in calls]
        self.rows = [row for call in self.calls for row in call]
        if len(self.rows) > MAX_WORKERS:
            raise BountyError(f"a roster has at most {MAX_WORKERS} rows; split the bounty")
        self.starts = np.concatenate([[0], np.cumsum([row.seats for row in self.rows])]).astype(
            np.int64
        )
        """The first seat of each worker; at the end, the first that is not given out."""
        self._firsts = [0]
        for call in self.calls:
            self._firsts.append(self._firsts[-1] + len(call))

    @classmethod
    def from_chunks(cls, calls: Sequence[Sequence[bytes]]) -> Self:
        """Return the roster that the chunks of each call make.

        Raises:
            BountyError: A chunk is no whole number of rows, or one but the last is not full.
        """
        for chunks in calls:
            if any(len(chunk) != CHUNK * ROW_BYTES for chunk in chunks[:-1]):
                raise BountyError("a chunk of the roster is not full; the calls are not complete")
        return cls([parse_rows(b"".join(chunks)) for chunks in calls])

    def __len__(self) -> int:
        """How many rows there are, gaps included."""
        return len(self.rows)

    def __eq__(self, other: object) -> bool:
        """Whether the same calls brought the same rows."""
        return isinstance(other, Roster) and self.calls == other.calls

    __hash__ = None  # type: ignore[assignment] # it holds lists

    @property
    def position(self) -> int:
        """Seats given out, gaps included."""
        return int(self.starts[-1])

    @cached_property
    def runs(self) -> Ints:
        """Seats of each worker; 0 for a gap."""
        return np.array([0 if row.is_gap else row.seats for row in self.rows], np.int64)

    def holders_of(self, seats: Ints) -> Ints:
        """Return the worker who holds each seat, or NOBODY."""
        rows = np.searchsorted(self.starts, seats, side="right") - 1
        held = rows < len(self.rows)
        # One more entry, for the seats that are not given out.
        is_worker = np.append(self.runs > 0, False)
        return np.where(held & is_worker[rows], rows, NOBODY)

    def worker_of(self, signer: str) -> int:
        """Return the row of a signer.

        Raises:
            BountyError: There is none, or more than one.
        """
        found = [w for w, row in enumerate(self.rows) if _same(row.signer, signer)]
        if not found:
            raise BountyError(f"{signer} is not on the roster; ask the relay")
        if len(found) > 1:
            raise BountyError(f"{signer} is on the roster {len(found)} times; do not label here")
        return found[0]

    def doubled_signers(self) -> list[str]:
        """Return the signers who have more than one row."""
        counts = Counter(row.signer.lower() for row in self.rows if not row.is_gap)
        return [to_checksum_address(signer) for signer, count in counts.items() if count > 1]

    # ------------------------------------------------------------------- bytes

    def chunks(self, call: int) -> list[bytes]:
        """Return the bytes of a call, 32 rows each, the last perhaps fewer."""
        rows = self.calls[call]
        return [
            b"".join(row.pack() for row in rows[at : at + CHUNK])
            for at in range(0, len(rows), CHUNK)
        ]

    def heads(self, call: int) -> list[bytes]:
        """Return the hash of each chunk of a call, which says where it stands."""
        first = self._firsts[call]
        return [
            keccak256(
                (first + CHUNK * i).to_bytes(2, "big")
                + int(self.starts[first + CHUNK * i]).to_bytes(4, "big")
                + chunk
            )
            for i, chunk in enumerate(self.chunks(call))
        ]

    def call_hash(self, call: int) -> bytes:
        """Return what the board keeps of a call, 32 bytes."""
        return hash_of_heads(self.heads(call))

    def evidence(self, worker: int) -> RosterChunk:
        """Return the chunk that shows a worker's row."""
        call, chunk = self.place_of(worker)
        first = self._firsts[call] + CHUNK * chunk
        return RosterChunk(
            call,
            self.heads(call),
            chunk,
            first,
            int(self.starts[first]),
            self.chunks(call)[chunk],
        )

    def place_of(self, worker: int) -> tuple[int, int]:
        """Return call and chunk of a worker's row.

        Raises:
            BountyError: There is no such row.
        """
        if not 0 <= worker < len(self.rows):
            raise BountyError(f"the roster has no row {worker}; it has {len(self.rows)}")
        call = bisect_right(self._firsts, worker) - 1
        return call, (worker - self._firsts[call]) // CHUNK

    # ------------------------------------------------------------------ checks

    def require_sound(self, terms: Terms) -> None:
        """Check what the intake checks of a roster.

        Raises:
            BountyError: A row is not what the terms allow.
        """
        per_round = terms.per_round
        if self.position > terms.seats:
            raise BountyError("the roster gives out more seats than there are")
        for worker, (row, (start, end)) in enumerate(
            zip(self.rows, pairwise(self.starts.tolist()), strict=True)
        ):
            if start // per_round != (max(end, start + 1) - 1) // per_round:
                raise BountyError(f"row {worker} of the roster crosses a round")
            if row.is_gap:
                continue
            if not terms.min_run <= row.seats <= terms.max_run:
                raise BountyError(
                    f"row {worker} of the roster has {row.seats} seats; the terms allow"
                    f" {terms.min_run} to {terms.max_run}"
                )
            if address_bytes(row.payee) == bytes(20):
                raise BountyError(f"row {worker} of the roster would pay nobody")


def _same(one: str, other: str) -> bool:
    return address_bytes(one) == address_bytes(other)
