# SPDX-License-Identifier: Apache-2.0
"""What the chain says of several bounties, look after look; read again where something happened.

A roster and its commits are in calldata, so reading a bounty takes as many questions as it had
calls. In most looks nothing has happened: then one question for all bounties is enough.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from truthmark.bounty import reader
from truthmark.bounty.record import Record
from truthmark.errors import BountyError, NodeError, TruthmarkError
from truthmark.session import Session

if TYPE_CHECKING:
    from truthmark.chain.connection import Block


@dataclass(frozen=True, slots=True)
class Seen:
    """A bounty at one look.

    Attributes:
        record: What has the profile's confirmations, held against what the board keeps.
        mark: When its status began, chain time.
        block: The newest block that counts as final, at which this is so.
        now: Chain time by the newest block of all.
        head: The number of that block.
    """

    record: Record
    mark: int
    block: "Block"
    now: int
    head: int


class BountyView:
    """Bounties by number.

    Args:
        session: Whose chain and index are read.

    Attributes:
        block: The newest block that counts as final, at the last look.
        now: Chain time by the newest block of all.
        head: The number of that block.
        has_turned: Whether the chain has left a block that was looked at before, so that what was
            read of it may not have happened.
    """

    block: "Block"

    def __init__(self, session: Session) -> None:
        """Know nothing yet; `refresh` looks."""
        self.session = session
        self.now = self.head = 0
        self.has_turned = False
        self._known: dict[int, tuple[Any, Record]] = {}
        self._last: tuple[int, bytes] | None = None

    def refresh(self) -> "Block":
        """Look where the chain is, and return the newest block that counts as final.

        Raises:
            ChainError: The chain cannot be read.
            ConfigError: The index cannot be used.
        """
        chain, follower = self.session.chain, self.session.follower
        follower.sync()
        index = follower.index
        tip = index.tip()
        confirmed = chain.final_block()
        is_known = tip.hash is not None and tip.number < confirmed.number
        block = chain.block(tip.hash) if is_known and tip.hash is not None else confirmed
        self.has_turned = False
        if self._last is not None:
            before = index.stored_blocks(self._last[0] + 1, 1)
            self.has_turned = not before or (before[0].number, before[0].hash) != self._last
        if self.has_turned:
            self._known.clear()
        self._last = (tip.number, tip.hash) if tip.hash is not None else None
        self.block, self.now, self.head = block, tip.timestamp, tip.number
        return block

    def look(self, bounty_ids: Iterable[int]) -> dict[int, Seen | TruthmarkError]:
        """Return how bounties stand at the block of the last `refresh`.

        Trouble with one of them is no trouble of the others: it stands in its place.

        Raises:
            ChainError: The chain cannot be read.
        """
        wanted = list(dict.fromkeys(bounty_ids))
        for gone in self._known.keys() - set(wanted):
            del self._known[gone]
        board = getattr(self.session.chain, reader.BOARD).functions
        states = self.session.chain.batch(
            [board.state(bounty_id) for bounty_id in wanted], block=self.block.hash
        )
        found: dict[int, Seen | TruthmarkError] = {}
        for bounty_id, state in zip(wanted, states, strict=True):
            try:
                record = self._record(bounty_id, state)
            except (BountyError, NodeError) as error:
                found[bounty_id] = error
                continue
            found[bounty_id] = Seen(record, state.mark, self.block, self.now, self.head)
        return found

    def certain(self, seen: Seen) -> Record:
        """Return a record for what costs money: held against the board by two endpoints' word.

        Raises:
            BountyError: The board holds something else.
            EndpointsDisagreeError: They say different things.
            ChainError: The chain cannot be read.
        """
        record, chain = seen.record, self.session.chain
        anchors = reader.read_anchors(chain, record, seen.block.hash, certain=True)
        try:
            reader.require_anchored(record, anchors)
        except BountyError:
            self._known.pop(record.ref.bounty_id, None)  # next time from the beginning
            raise
        return record

    def _record(self, bounty_id: int, state: Any) -> Record:
        known = self._known.get(bounty_id)
        if known is not None and known[0] == state:
            return known[1]
        chain, index = self.session.chain, self.session.follower.index
        record = reader.read_record(chain, index, bounty_id, self.block)
        reader.require_anchored(record, reader.read_anchors(chain, record, self.block.hash))
        self._known[bounty_id] = state, record
        return record
