# SPDX-License-Identifier: Apache-2.0
"""What a relay keeps, as the rest of it sees that."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from truthmark.bounty.commits import Commit, parse_commits
from truthmark.bounty.relay_models import Offer
from truthmark.bounty.roster import Row, parse_rows
from truthmark.node.relay.rows import Wish

if TYPE_CHECKING:
    import sqlalchemy as sa

Kind = Literal["enroll", "commit"]
SENT: Final = "sent"
DONE: Final = "done"
DROPPED: Final = "dropped"


@dataclass(frozen=True, slots=True)
class Served:
    """A bounty that the relay serves.

    Attributes:
        bounty_id: Its number.
        terms_hash: Of its terms.
        offer: The newest.
        is_over: Whether nothing is left to be done.
    """

    bounty_id: int
    terms_hash: bytes
    offer: Offer
    is_over: bool


@dataclass(frozen=True, slots=True)
class Join:
    """Somebody who asked for seats; see `schema.joins`."""

    number: int
    wish: Wish
    at: int
    guest: str | None
    batch: int | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class WaitingCommit:
    """A signed commit; see `schema.commits`."""

    commit: Commit
    at: int
    batch: int | None


@dataclass(frozen=True, slots=True)
class Batch:
    """What one call brings.

    Attributes:
        kind: Which function.
        number: Counts a bounty's batches of a kind.
        data: Packed rows.
        is_last: Whether joining ends with it.
        state: "sent" from before it is sent until it is confirmed on the chain.
    """

    kind: Kind
    number: int
    data: bytes
    is_last: bool
    state: str

    @property
    def rows(self) -> list[Row]:
        """Rows of the roster."""
        return parse_rows(self.data)

    @property
    def commits(self) -> list[Commit]:
        """Rows of commits."""
        return parse_commits(self.data)


@dataclass(frozen=True, slots=True)
class Deposit:
    """What a labeler left with a watch node."""

    worker: int
    commit: Commit
    signature: bytes
    file: bytes
    sealed_secret: bytes | None
    state: str


@dataclass(frozen=True, slots=True)
class Notice:
    """What is to be posted to a requester."""

    number: int
    url: str
    body: str
    tries: int


def served_of(row: "sa.Row[Any]") -> Served:
    """Return a bounty of its row."""
    offer = Offer.model_validate_json(row.offer)
    return Served(row.bounty_id, bytes(row.terms_hash), offer, bool(row.is_over))


def waiting_of(row: "sa.Row[Any]") -> WaitingCommit:
    """Return a commit of its row."""
    commit = Commit(row.worker, row.seats, bytes(row.commitment))
    return WaitingCommit(commit, row.at, row.batch)


def batch_of(row: "sa.Row[Any]") -> Batch:
    """Return a batch of its row."""
    return Batch(row.kind, row.number, bytes(row.rows), bool(row.is_last), row.state)


def deposit_of(row: "sa.Row[Any]") -> Deposit:
    """Return a deposit of its row."""
    secret = None if row.sealed_secret is None else bytes(row.sealed_secret)
    commit = Commit(row.worker, row.seats, bytes(row.commitment))
    return Deposit(row.worker, commit, bytes(row.signature), bytes(row.file), secret, row.state)
