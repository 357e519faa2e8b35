# SPDX-License-Identifier: Apache-2.0
"""What the requester posts: gold, what each worker said of it, and what that is worth."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

import numpy as np

from truthmark.bounty.assignment import Assignment
from truthmark.bounty.evidence import CHUNK, Judged, hash_of_heads
from truthmark.bounty.gold import ENTRY_BYTES, Gold
from truthmark.bounty.roster import Roster
from truthmark.bounty.sealing import Codes
from truthmark.bounty.terms import Terms
from truthmark.errors import BountyError
from truthmark.hashing import keccak256
from truthmark.keys.abi_hash import word
from truthmark.labels.scoring import ABSENT, NOBODY, SKIP, Ints, Mask, Verdict, judge, millionths

NOT_DELIVERED: Final = 2**22
UNREADABLE: Final = 2**23
MARKS: Final = (NOT_DELIVERED, UNREADABLE)
LINE_BYTES: Final = 3


@dataclass(frozen=True, slots=True)
class VerdictStruct:
    """A verdict as the contracts have it.

    Attributes:
        is_half: Whether the bounty ends HALF.
        classes: How many classes score.
        kept: A bit for each gold item.
        weights: Of a right answer in each class; none in HALF.
    """

    is_half: bool
    classes: int
    kept: list[int]
    weights: list[int]

    @property
    def hash(self) -> bytes:
        """keccak256 of the ABI encoding."""
        head = [32, int(self.is_half), self.classes, *self.kept, 32 * 11]
        return keccak256(b"".join(map(word, [*head, len(self.weights), *self.weights])))


@dataclass(frozen=True, eq=False)
class Score:
    """A score as it is posted, true or not.

    Attributes:
        gold: Items and answers; none in team mode.
        salt: Of the gold commitment, 32 bytes.
        entries: A row a gold item, a column a round; bytes.
        lines: Of each row of the roster: millionths, or a mark.
        classes: C, of the terms.
    """

    gold: Gold
    salt: bytes
    entries: Ints
    lines: Ints
    classes: int

    @cached_property
    def verdict(self) -> Verdict:
        """What follows from gold and entries; the contract computes the same."""
        return judge(self.entries, self.gold.answers, self.classes)

    @property
    def is_half(self) -> bool:
        """Whether the gold says HALF; never in team mode."""
        return bool(len(self.gold)) and bool(self.verdict.half)

    # ------------------------------------------------------------------- bytes

    def pack_lines(self) -> bytes:
        """Return the lines, three bytes each."""
        return self.lines.astype(">u4").view(np.uint8).reshape(-1, 4)[:, 1:].tobytes()

    def gold_chunks(self) -> list[bytes]:
        """Return the gold, 32 items a chunk, the last filled up with zero bytes."""
        packed, size = self.gold.pack(), CHUNK * ENTRY_BYTES
        return [packed[at : at + size].ljust(size, b"\0") for at in range(0, len(packed), size)]

    def entry_chunks(self) -> list[bytes]:
        """Return the entries by the same chunks."""
        rows = self.entries.astype(np.uint8)
        return [rows[at : at + CHUNK].tobytes() for at in range(0, len(rows), CHUNK)]

    @cached_property
    def heads(self) -> list[bytes]:
        """The hash of each chunk of gold with its entries."""
        return [
            keccak256(gold + entries)
            for gold, entries in zip(self.gold_chunks(), self.entry_chunks(), strict=True)
        ]

    def verdict_struct(self) -> VerdictStruct:
        """Return the verdict as the contracts' struct."""
        if not len(self.gold):
            return VerdictStruct(False, 0, [0] * 8, [])
        kept = [0] * 8
        for g in np.flatnonzero(self.verdict.kept).tolist():
            kept[g // 256] |= 1 << g % 256
        weights = [] if self.is_half else self.verdict.weights.tolist()
        return VerdictStruct(self.is_half, self.verdict.classes, kept, weights)

    @cached_property
    def verdict_hash(self) -> bytes:
        """keccak256 of the verdict's ABI encoding."""
        return self.verdict_struct().hash

    @cached_property
    def judged(self) -> bytes:
        """The hash of all but the lines."""
        return keccak256(self.verdict_hash + hash_of_heads(self.heads))

    @property
    def hash(self) -> bytes:
        """What the board keeps, 32 bytes."""
        return keccak256(self.judged + keccak256(self.pack_lines()))

    def judged_chunk(self, gold: int) -> Judged:
        """Return what shows the entries of a gold item."""
        chunk = gold // CHUNK
        return Judged(
            self.heads,
            chunk,
            self.gold_chunks()[chunk],
            self.entry_chunks()[chunk],
            self.verdict_hash,
            self.pack_lines(),
        )

    @classmethod
    def from_posted(
        cls, *, terms: Terms, salt: bytes, gold: bytes, entries: list[bytes], lines: bytes
    ) -> Self:
        """Return the score of what the contract logged.

        Args:
            terms: Of the bounty.
            salt: Of the gold's commitment, 32 bytes.
            gold: The gold as it was committed to, 4 bytes an item.
            entries: A byte for each gold item and round, in parts as they were logged.
            lines: 3 bytes for each row of the roster.

        Raises:
            BountyError: The bytes are not those of such a bounty.
        """
        packed = b"".join(entries)
        if len(packed) != terms.gold_count * terms.rounds or len(lines) % LINE_BYTES:
            raise BountyError("the score has another length than its bounty's; fetch it again")
        padded = np.zeros((len(lines) // LINE_BYTES, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(lines, np.uint8).reshape(-1, LINE_BYTES)
        return cls(
            Gold.parse(gold),
            salt,
            np.frombuffer(packed, np.uint8).astype(np.int64).reshape(-1, terms.rounds),
            padded.view(">u4")[:, 0].astype(np.int64),
            terms.classes,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Seats:
    """Where gold is judged, and by whom; arrays of (G, K): gold items by rounds.

    Attributes:
        seats: The seat of each gold item and round.
        indices: The place of the item in the seat.
        holders: Who holds the seat by the roster, or NOBODY.
        offsets: The seat's number in the holder's run.
    """

    seats: Ints
    indices: Ints
    holders: Ints
    offsets: Ints


def seats_of_gold(assignment: Assignment, roster: Roster, gold: Gold) -> Seats:
    """Find out who judges which gold item in which round.

    Args:
        assignment: By the bounty's seed.
        roster: All of it.
        gold: The gold.
    """
    seats, indices = assignment.seats_of(gold.items)
    holders = roster.holders_of(seats)
    return Seats(seats, indices, holders, seats - roster.starts[holders])


def expected_presence(seats: Seats, committed: Ints, lines: Ints) -> Mask:
    """Return whether each entry must be an answer, and not ABSENT; (G, K).

    Args:
        seats: Those of the gold.
        committed: How many seats each row of the roster committed, (W,).
        lines: Those of the score, (W,); answers of workers who are marked count as absent.
    """
    reach = np.append(np.where(is_fine(lines), committed, 0), 0)  # the last is NOBODY's
    present: Mask = (seats.offsets < reach[seats.holders]) & (seats.holders != NOBODY)
    return present


def is_fine(lines: Ints) -> Mask:
    """Return whether each line is no mark."""
    fine: Mask = (lines != NOT_DELIVERED) & (lines != UNREADABLE)
    return fine


def make_score(
    *,
    terms: Terms,
    assignment: Assignment,
    roster: Roster,
    committed: Ints,
    gold: Gold,
    salt: bytes,
    codes: Mapping[int, Codes],
    marks: Mapping[int, int],
) -> Score:
    """Return the true score.

    Args:
        terms: Of the bounty.
        assignment: By its seed.
        roster: All of it.
        committed: How many seats each row of the roster committed, (W,).
        gold: As committed to; none in team mode.
        salt: Of its commitment, 32 bytes.
        codes: By worker, the labels that opened: a code for each place of their committed seats.
        marks: By worker, why they did not.

    Raises:
        BountyError: A worker who committed has neither labels nor a mark, or both.
    """
    lines = np.zeros(len(roster), np.int64)
    for worker, mark in marks.items():
        lines[worker] = mark
    for worker in np.flatnonzero(committed).tolist():
        if (worker in codes) == (worker in marks):
            raise BountyError(f"worker {worker} committed; give their labels, or a mark")
    if terms.is_team:
        return Score(gold, salt, np.zeros((0, terms.rounds), np.int64), lines, terms.classes)
    seats = seats_of_gold(assignment, roster, gold)
    entries = read_entries(seats, committed, lines, codes, terms)
    verdict = judge(entries, gold.answers, terms.classes)
    earned = millionths(
        verdict, entries, gold.answers, seats.holders, workers=len(roster), full=terms.full
    )
    lines = np.where(is_fine(lines) & (committed > 0), earned, lines)
    return Score(gold, salt, entries, lines, terms.classes)


def read_entries(
    seats: Seats, committed: Ints, lines: Ints, codes: Mapping[int, Codes], terms: Terms
) -> Ints:
    """Return the true entries of labels that opened, (G, K).

    Args:
        seats: Those of the gold.
        committed: How many seats each row of the roster committed, (W,).
        lines: Marks by row, 0 where there is none, (W,).
        codes: By worker, the labels that opened: a code for each place of their committed seats.
        terms: Of the bounty.
    """
    present = expected_presence(seats, committed, lines)
    entries = np.full(seats.seats.shape, ABSENT, np.int64)
    places = seats.offsets * terms.batch + seats.indices
    for worker in np.unique(seats.holders[present]).tolist():
        mine = present & (seats.holders == worker)
        entries[mine] = codes[worker][places[mine]]
    entries[present & (entries >= terms.classes)] = SKIP
    return entries
