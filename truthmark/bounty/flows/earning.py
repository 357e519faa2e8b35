# SPDX-License-Identifier: Apache-2.0
"""Which bounties an account takes part in, as signer or payee.

Rosters are in calldata and in no event, so that nobody pays for a list. Each call is read once, in
the background, and then kept; what it holds of one bounty is proven only when that bounty is read
(`BountyClient.read`).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from truthmark.bounty import reader
from truthmark.bounty.labeling_folder import LabelingFolder
from truthmark.bounty.roster import ROW_BYTES
from truthmark.errors import BountyError
from truthmark.keys.abi_hash import address_bytes
from truthmark.session import Session
from truthmark.storage.read_once import RETRY_SECONDS, ReadOnce

if TYPE_CHECKING:
    from truthmark.index.database import EventRow
    from truthmark.waiting import Deadline


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a roster as one call brought them: signer, payee and seats of each."""

    packed: bytes


class Rosters(ReadOnce["EventRow", Rows]):
    """Calls that enrolled, by the hashes of their transactions."""

    kind = Rows  # that none can be read may be an endpoint's fault, so it is tried again

    @classmethod
    def of(cls, session: Session, *, retry_seconds: float = RETRY_SECONDS) -> Self:
        """Return those of a session, which all that use it share.

        Args:
            session: Whose chain, storage and home are used.
            retry_seconds: After how long what could not be read is tried again.
        """
        path = session.index_folder / "rosters.sqlite"

        def read(row: "EventRow") -> Rows:
            return Rows(reader.read_enrolled(session.chain, row))

        return session.part(cls, lambda: cls(path, read, retry_seconds=retry_seconds))

    def key(self, question: "EventRow") -> bytes:
        """Return the hash of the transaction."""
        return bytes.fromhex(question.tx_hash[2:])


@dataclass(frozen=True, slots=True)
class Parts:
    """Where an account takes part.

    Attributes:
        bounties: Numbers, the newest first.
        pending: Calls that are still being read.
    """

    bounties: list[int]
    pending: int


def parts_of(session: Session, account: str, deadline: "Deadline") -> Parts:
    """Return the bounties in which an account is enrolled, or which this home has joined.

    Args:
        session: Whose chain and home; its index is in step with the chain.
        account: The signer's, or the payee's.
        deadline: When to go on without rosters that were not read before.
    """
    index, rosters = session.follower.index, Rosters.of(session)
    enrolled = index.events(reader.BOARD, "Enrolled")
    known = rosters.read(enrolled[::-1], deadline)
    wanted = address_bytes(account)
    found = {
        int(row.args["bounty_id"])
        for row in enrolled
        if (rows := known.get(rosters.key(row))) is not None and _names(rows.packed, wanted)
    }
    board = getattr(session.chain, reader.BOARD).address
    for number, folder in LabelingFolder.all(session.home, session.profile.chain_id, board):
        if _has_joined(folder):
            found.add(number)
    pending = sum(rosters.key(row) not in known for row in enrolled)
    return Parts(sorted(found, reverse=True), pending)


def _names(packed: bytes, account: bytes) -> bool:
    """Whether rows name an account, at the places where they name accounts."""
    at = packed.find(account)
    while at >= 0:
        if at % ROW_BYTES in (0, len(account)):
            return True
        at = packed.find(account, at + 1)
    return False


def _has_joined(folder: LabelingFolder) -> bool:
    try:
        return folder.entry is not None
    except BountyError:  # damaged, and said where it is used
        return False
