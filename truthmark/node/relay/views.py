# SPDX-License-Identifier: Apache-2.0
"""How the bounties of a board stand, read again only where something happened to them."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from truthmark.bounty.client import BountyClient
from truthmark.bounty.reader import BOARD, INTAKE, PROOFS, read_record
from truthmark.bounty.record import Record
from truthmark.bounty.terms import Terms
from truthmark.errors import BountyError, NodeError
from truthmark.session import Session

if TYPE_CHECKING:
    from truthmark.chain.connection import Block

EVENTS: Final = (
    *((BOARD, name) for name in ("BountyCreated", "Enrolled", "JoiningClosed", "SeedFixed")),
    *((BOARD, name) for name in ("Committed", "CommitOverridden", "Scored", "LieProven")),
    (BOARD, "BountyEnded"),
    (INTAKE, "ScoreGold"),
    (PROOFS, "SealedPosted"),
)
"""All that changes how a bounty stands."""

_MAX_KEPT: Final = 256


@dataclass(frozen=True, slots=True)
class View:
    """A bounty at two moments.

    Attributes:
        record: At the newest block.
        final: At the newest block that has the profile's confirmations; None where the bounty is
            not as old.
        mark: When the status began, chain time.
        sent: Transaction and block of each `commit` call.
        changed_at: The block of its last event.
        seed_block: Whose hash makes the seed; 0 while joining goes on.
    """

    record: Record
    final: Record | None
    mark: int
    sent: tuple[tuple[str, int], ...]
    changed_at: int
    seed_block: int = 0

    @property
    def terms(self) -> Terms:
        """Of the bounty."""
        return self.record.terms

    @property
    def is_settled(self) -> bool:
        """Whether both moments show the same roster and seed."""
        final = self.final
        record = self.record
        return final is record or (
            final is not None and (final.seed, final.roster) == (record.seed, record.roster)
        )


class Views:
    """Reads bounties for a relay's rounds and for those who ask it; safe for several threads.

    Args:
        session: Whose chain and index are read.

    Attributes:
        block: The newest block whose events are known.
    """

    block: "Block"

    def __init__(self, session: Session) -> None:
        """Know nothing yet; `refresh` looks."""
        self.session = session
        self.client = BountyClient(session, waits=False)
        self._lock = threading.RLock()
        self._tip, self._tip_hash = -1, b""
        self._final: Block | None = None
        self._kept: OrderedDict[int, View] = OrderedDict()
        self._dirty: set[int] = set()

    def refresh(self) -> "Block":
        """Look which bounties something happened to, and return the newest block.

        Raises:
            ChainError: The chain cannot be read.
        """
        with self._lock:
            session = self.session
            session.follower.sync()
            index = session.follower.index
            tip = index.tip()
            known = index.stored_blocks(self._tip + 1, 1) if self._tip >= 0 else []
            if not known or (known[0].number, known[0].hash) != (self._tip, self._tip_hash):
                self._dirty.update(self._kept)  # the first look, or the chain was reorganised
            else:
                touched = {
                    row.args["bounty_id"]
                    for contract, event in EVENTS
                    for row in index.events(contract, event, after=(self._tip, 2**31))
                }
                self._dirty |= touched & self._kept.keys()
            block = session.chain.find_block(tip.hash or "latest")
            if block is None:
                raise NodeError(
                    f"a chain endpoint does not have block {tip.number} of the index; wait, and if "
                    "it stays so use another endpoint"
                )
            self._tip, self._tip_hash = tip.number, tip.hash or block.hash
            confirmed = session.chain.final_block()
            self.block = block
            self._final = confirmed if confirmed.number < block.number else block
            return block

    def get(self, bounty_id: int) -> View:
        """Return how a bounty stands at the newest block that `refresh` saw.

        Raises:
            BountyError: There is no such bounty, or it cannot be read.
            ChainError: The chain cannot be read.
        """
        with self._lock:
            view = self._kept.get(bounty_id)
            if view is not None and bounty_id not in self._dirty and self._is_final(view):
                self._kept.move_to_end(bounty_id)
                return view
            view = self._read(bounty_id)
            self._dirty.discard(bounty_id)
            self._kept[bounty_id] = view
            self._kept.move_to_end(bounty_id)
            if len(self._kept) > _MAX_KEPT:
                forgotten, _ = self._kept.popitem(last=False)
                self._dirty.discard(forgotten)
            return view

    def _is_final(self, view: View) -> bool:
        """Whether reading again would show nothing more that is confirmed."""
        assert self._final is not None
        return view.final is view.record or self._final.number < view.changed_at

    def _read(self, bounty_id: int) -> View:
        chain, index = self.session.chain, self.session.follower.index
        block, final = self.block, self._final
        assert final is not None
        record = read_record(chain, index, bounty_id, block)
        state = self.client.board.functions.state(bounty_id).call(block=block.hash)
        if (state.workers, state.position, state.status) != (
            len(record.roster),
            record.roster.position,
            record.status,
        ):
            raise BountyError(f"bounty {bounty_id} cannot be read as the board holds it; wait")
        rows = [
            row
            for contract, event in EVENTS
            for row in index.events(contract, event, bounty_id=bounty_id, until_block=block.number)
        ]
        changed_at = max(row.block_number for row in rows)
        settled: Record | None = record
        if changed_at > final.number:
            settled = None
            if min(row.block_number for row in rows) <= final.number:
                settled = read_record(chain, index, bounty_id, final)
        sent = sorted(
            (row.block_number, row.log_index, row.tx_hash)
            for row in rows
            if row.event == "Committed"
        )
        return View(
            record=record,
            final=settled,
            mark=int(state.mark),
            sent=tuple((tx_hash, number) for number, _, tx_hash in sent),
            changed_at=changed_at,
            seed_block=max(
                (row.args["seed_block"] for row in rows if row.event == "JoiningClosed"), default=0
            ),
        )
