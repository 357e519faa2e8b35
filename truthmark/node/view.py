# SPDX-License-Identifier: Apache-2.0
"""What concerns one validator, kept up to date at the cost of its own custodies.

New events are read from where the last look ended; what depends on the moment is asked of the
chain, in one question for all custodies that are not over.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from truthmark.market.catalogue import START, EpochState, Purchase, Version
from truthmark.market.custodian import Seat, seats
from truthmark.market.records import (
    CustodyStatus,
    PurchaseStatus,
    VersionStatus,
    bits,
)
from truthmark.types import Point

if TYPE_CHECKING:
    from truthmark.chain.connection import Block
    from truthmark.market.session import Session

_OPEN = (PurchaseStatus.PAID, PurchaseStatus.DELIVERED)


@dataclass(slots=True)
class Held:
    """A custody in which the validator has a seat.

    Attributes:
        seat: The seat.
        version: What is kept; its status is the chain's at the last look.
        state: How the custody stood at the last look.
        version_stopped_at: When the version was retired, 0 if it was not.
        pot: What can be spent on further terms, in the sale token's smallest unit.
        purchases: Those that are neither settled nor refunded, by id.
    """

    seat: Seat
    version: Version
    state: EpochState
    version_stopped_at: int = 0
    pot: int = 0
    purchases: dict[bytes, Purchase] = field(default_factory=dict)

    @property
    def is_accepted(self) -> bool:
        """Whether the validator has accepted."""
        return self.seat.index in bits(self.state.accepted)

    @property
    def is_released(self) -> bool:
        """Whether the validator's stake is free again."""
        return self.seat.index in bits(self.state.released)

    def on_duty(self, purchase: Purchase) -> bool:
        """Whether silence about a purchase is the validator's fault, by docs/protocol.md."""
        if self.seat.index in bits(self.state.active):
            return True
        until = purchase.deadline + self.version.terms.inspection_seconds
        return (
            self.seat.index in bits(self.state.previous_active) and until <= self.state.previous_end
        )


class View:
    """A validator's custodies, and which dataset keys were ever listed.

    Args:
        session: Whose chain and index are read.
        validator: The validator's address.

    Attributes:
        block: The newest block at the last look.
        tip: Number of the last block whose events are known.
        gas: What the session's account holds, in wei.
        free_stake: The validator's, in the stake token's smallest unit.
        is_actor: Whether the account may act for the validator.
    """

    block: "Block"
    gas: int
    free_stake: int
    is_actor: bool

    def __init__(self, session: "Session", validator: str) -> None:
        """Know nothing yet; `refresh` looks."""
        self.session = session
        self.validator = validator
        self.tip = -1
        self._tip_hash: bytes | None = None
        self._versions: dict[bytes, Version] = {}
        self._terms_of: dict[Point, set[bytes]] = {}
        self._held: dict[bytes, Held] = {}

    @property
    def custodies(self) -> Sequence[Held]:
        """The custodies that are not over, and those that ended since the last look."""
        return list(self._held.values())

    def is_listed_elsewhere(self, version: Version) -> bool:
        """Whether a version's dataset key is that of other terms, too."""
        return len(self._terms_of[version.terms.public_key] - {version.terms_id}) > 0

    def refresh(self) -> None:
        """Look at everything once.

        Raises:
            ChainError: The chain cannot be read.
            ConfigError: The index cannot be used.
        """
        catalogue = self.session.catalogue
        catalogue.sync()
        index = catalogue.follower.index
        known = index.stored_blocks(self.tip + 1, 1)
        if not known or (known[0].number, known[0].hash) != (self.tip, self._tip_hash):
            # The chain was reorganised, or this is the first look.
            self.tip = -1
            self._versions, self._terms_of, self._held = {}, {}, {}
        tip = index.tip()
        self._read_events((self.tip, 2**31) if self.tip >= 0 else START)
        self.tip, self._tip_hash = tip.number, tip.hash
        self._ask_chain()

    def forget(self, held: Held) -> None:
        """Leave a custody that is over out of later looks."""
        self._held.pop(held.seat.epoch.custody_id, None)

    def _read_events(self, after: tuple[int, int]) -> None:
        catalogue = self.session.catalogue
        for version in catalogue.versions(after=after):
            self._versions[version.terms_id] = version
            self._terms_of.setdefault(version.terms.public_key, set()).add(version.terms_id)
        for seat in seats(catalogue.epochs(after=after), self.validator):
            of = self._versions.get(seat.epoch.custody.terms_id)
            if of is not None:  # else an endpoint has kept it from us, or made the custody up
                self._held.setdefault(seat.epoch.custody_id, Held(seat, of, _UNKNOWN))
        for purchase in catalogue.purchases(after=after):
            self._note(purchase)
        index = catalogue.follower.index
        known = {pid for held in self._held.values() for pid in held.purchases}
        touched = {
            bytes(row.args["purchase_id"])
            for event in ("Delivered", "Settled", "Refunded")
            for row in index.events("market", event, after=after)
        }
        for purchase_id in known & touched:
            for purchase in catalogue.purchases(purchase_id=purchase_id):
                self._note(purchase)

    def _note(self, purchase: Purchase) -> None:
        held = self._held.get(purchase.custody_id)
        if held is None:
            return
        if purchase.status in _OPEN:
            held.purchases[purchase.purchase_id] = purchase
        else:
            held.purchases.pop(purchase.purchase_id, None)

    def _ask_chain(self) -> None:
        chain = self.session.chain
        registry, staking = chain.registry.functions, chain.staking.functions
        custodies = self.custodies
        self.block = chain.block()
        self.gas = chain.balance(self.session.address)
        own = [
            staking.free(self.validator),
            staking.is_actor(self.validator, self.session.address),
        ]
        calls = [
            call
            for held in custodies
            for call in (
                registry.versions(held.version.terms_id),
                registry.pots(held.version.terms_id),
            )
        ]
        answers = chain.batch(own + calls)
        self.free_stake, self.is_actor = answers[:2]
        states = self.session.catalogue.states([held.seat.epoch for held in custodies])
        for held, state, version, pot in zip(
            custodies, states, answers[2::2], answers[3::2], strict=True
        ):
            held.state, held.pot, held.version_stopped_at = state, pot, version.stopped_at
            held.version = replace(held.version, status=VersionStatus(version[0]))


_UNKNOWN = EpochState(CustodyStatus.NONE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
