# SPDX-License-Identifier: Apache-2.0
"""What is on the board: all bounties in brief, and what became of each requester's, by the index.

Thousands are read by a few queries, whatever their number; nothing is asked of the chain but its
newest blocks.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from truthmark.bounty import reader
from truthmark.bounty.client import BountyClient
from truthmark.bounty.payouts import Status
from truthmark.bounty.phases import Phase, phase_at
from truthmark.bounty.terms import Terms

if TYPE_CHECKING:
    from truthmark.index.database import EventIndex


@dataclass(frozen=True, slots=True)
class Brief:
    """A bounty, by its terms and the board's few numbers.

    Attributes:
        bounty_id: Its number.
        terms: What was agreed.
        status: How it stands.
        mark: When that began, chain time.
        taken: Seats on the roster.
        has_commits: Whether anyone's labels are committed to.
    """

    bounty_id: int
    terms: Terms
    status: Status
    mark: int
    taken: int
    has_commits: bool = False

    @property
    def join_until(self) -> int:
        """Last second to be enrolled."""
        return self.mark + self.terms.join_seconds

    def is_joinable(self, now: int) -> bool:
        """Whether there is still time and room for one more labeler."""
        return (
            self.status is Status.OPEN
            and now <= self.join_until
            and self.taken + self.terms.min_run <= self.terms.seats
        )

    def phase(self, now: int) -> Phase:
        """Return what goes on at a moment of chain time."""
        return phase_at(
            self.terms,
            self.status,
            self.mark,
            now,
            taken=self.taken,
            has_commits=self.has_commits,
        )


@dataclass(frozen=True, slots=True)
class Past:
    """What became of a requester's earlier bounties.

    Attributes:
        ended: How many have ended with work done.
        flat: Those of them that ended by silence or by a lie that was proven.
        refunded: How many did not take place.
        paid: To workers, in parts of what they would have got at the full price, over all that
            were paid out; None where none was.
    """

    ended: int
    flat: int
    refunded: int
    paid: float | None


NO_PAST: Final = Past(0, 0, 0, None)


@dataclass(frozen=True, slots=True)
class Work:
    """What was done for a bounty.

    Attributes:
        seats: How many of its seats were handed in.
        paid: To workers, in parts of what they would have got at the full price; None where nobody
            was paid out yet.
    """

    seats: int
    paid: float | None


NO_WORK: Final = Work(0, None)


def briefs(client: BountyClient) -> list[Brief]:
    """Return all bounties, the newest first.

    Args:
        client: Who asks.

    Raises:
        ChainError: The chain cannot be read.
    """
    follower = client.session.follower
    follower.sync()
    return indexed_briefs(follower.index)


def indexed_briefs(index: "EventIndex") -> list[Brief]:
    """Return all bounties as far as the index knows them, the newest first."""
    created = index.events(reader.BOARD, "BountyCreated")
    opened = {int(row.args["bounty_id"]): row for row in created}
    # In the order in which a bounty goes through them; each begins when its event comes first.
    steps = [
        (Status.DRAWN, _first_times(index, "JoiningClosed")),
        (Status.LABEL, _first_times(index, "SeedFixed")),
    ]
    scored = {
        int(row.args["bounty_id"]): (
            Status.SCORED_HALF if row.args["is_half"] else Status.SCORED,
            row.timestamp,
        )
        for row in index.events(reader.BOARD, "Scored")
    }
    ended = {
        int(row.args["bounty_id"]): (Status(row.args["status"]), row.timestamp)
        for row in index.events(reader.BOARD, "BountyEnded")
    }
    taken = _sums(index, "Enrolled")
    committed = {*_sums(index, "Committed"), *_first_times(index, "CommitOverridden")}
    found = []
    for number, row in sorted(opened.items(), reverse=True):
        status, mark = Status.OPEN, row.timestamp
        for next_status, times in steps:
            if number in times:
                status, mark = next_status, times[number]
        status, mark = ended.get(number, scored.get(number, (status, mark)))
        found.append(
            Brief(
                number,
                Terms.from_struct(row.args["terms"]._asdict()),
                status,
                mark,
                taken.get(number, 0),
                number in committed,
            )
        )
    return found


def open_briefs(client: BountyClient) -> list[Brief]:
    """Return the bounties that can still be joined, those that close first in front.

    Raises:
        ChainError: The chain cannot be read.
    """
    now = client.session.chain.time()
    found = [brief for brief in briefs(client) if brief.is_joinable(now)]
    return sorted(found, key=lambda brief: brief.join_until)


def pasts_of(index: "EventIndex") -> Mapping[str, Past]:
    """Return what became of everybody's bounties, by requester; those without any have `NO_PAST`.

    Args:
        index: Of the chain.
    """
    mine: defaultdict[str, list[int]] = defaultdict(list)
    for number, requester in _rows(index, "BountyCreated", "bounty_id", "requester"):
        mine[str(requester)].append(number)
    ends = {n: Status(status) for n, status in _rows(index, "BountyEnded", "bounty_id", "status")}
    paid = _paid(index)
    return {requester: _past(numbers, ends, paid) for requester, numbers in mine.items()}


def works_of(index: "EventIndex") -> Mapping[int, Work]:
    """Return what was done for bounties, by their numbers; those without have `NO_WORK`."""
    seats = _sums(index, "Committed")
    for number, more in _sums(index, "CommitOverridden").items():
        seats[number] = seats.get(number, 0) + more
    paid = _paid(index)
    found = {}
    for number in {*seats, *paid}:
        got, burned = paid.get(number, (0, 0))
        share = got / (got + burned) if got + burned else None
        found[number] = Work(seats.get(number, 0), share)
    return found


def past_of(client: BountyClient, requester: str) -> Past:
    """Return what became of a requester's bounties, by the chain's events.

    Args:
        client: Reads the board.
        requester: Address of the account, with the capitals of ERC-55.
    """
    return pasts_of(client.session.follower.index).get(requester, NO_PAST)


def _past(
    numbers: Iterable[int], ends: Mapping[int, Status], paid: Mapping[int, Sequence[int]]
) -> Past:
    found = {number: ends[number] for number in numbers if number in ends}
    refunded = sum(status is Status.REFUNDED for status in found.values())
    got = sum(paid[number][0] for number in found if number in paid)
    burned = sum(paid[number][1] for number in found if number in paid)
    return Past(
        ended=len(found) - refunded,
        flat=sum(status in (Status.FLAT, Status.PROVEN) for status in found.values()),
        refunded=refunded,
        # Of FLAT ends, what is paid holds shares of the bond; nothing is burned there.
        paid=got / (got + burned) if got + burned else None,
    )


def _paid(index: "EventIndex") -> Mapping[int, Sequence[int]]:
    """Return by bounty what workers were paid, and what was burned of their pay."""
    paid: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
    for number, got, burned in _rows(index, "PaidOut", "bounty_id", "paid", "burned"):
        paid[number][0] += got
        paid[number][1] += burned
    return paid


def _rows(index: "EventIndex", event: str, *names: str) -> list[tuple[Any, ...]]:
    """Return some fields of all events of a kind, as their types have them."""
    return [tuple(row.args[name] for name in names) for row in index.events(reader.BOARD, event)]


def _first_times(index: "EventIndex", event: str) -> dict[int, int]:
    """Return by bounty when an event came first, chain time."""
    query = (
        f"SELECT e.bounty_id, min(b.timestamp) FROM {index.table(reader.BOARD, event)} e "  # noqa: S608
        "JOIN blocks b ON b.number = e.block_number GROUP BY e.bounty_id"
    )
    with index.read() as connection:
        return {int(number): int(first) for number, first in connection.execute(query)}


def _sums(index: "EventIndex", event: str) -> dict[int, int]:
    """Return by bounty how many seats events of a kind have brought."""
    query = (
        f"SELECT bounty_id, sum(seats) FROM {index.table(reader.BOARD, event)} "  # noqa: S608
        "GROUP BY bounty_id"
    )
    with index.read() as connection:
        return {int(number): int(seats) for number, seats in connection.execute(query)}
