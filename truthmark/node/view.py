# SPDX-License-Identifier: Apache-2.0
"""What concerns one validator, kept up to date at the cost of its own custodies.

New events are read from where the last look ended; what depends on the moment is asked of the
chain, in one question for all custodies that are not over. All of it is asked at the index's last
block, by its hash: so a look is one picture, and an endpoint which is behind cannot answer at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from truthmark.config.units import to_checksum_address
from truthmark.errors import NodeError
from truthmark.market.catalogue import START, Catalogue
from truthmark.market.custodian import CustodySlot, custody_slots
from truthmark.market.entries import EpochState, Purchase, Version
from truthmark.market.records import (
    CustodyStatus,
    PurchaseStatus,
    VersionStatus,
    bits,
)
from truthmark.session import Session
from truthmark.types import Point

if TYPE_CHECKING:
    from truthmark.chain.connection import Block

_OPEN = (PurchaseStatus.PAID, PurchaseStatus.DELIVERED)


@dataclass(slots=True)
class CustodyView:
    """A custody in which the validator has a slot.

    Attributes:
        slot: The slot.
        version: What is kept; its status is the chain's at the last look.
        state: How the custody stood at the last look.
        version_stopped_at: When the version was retired, 0 if it was not.
        keeping_balance: What can be spent on further periods, in the sale token's smallest unit.
        purchases: Those that are neither settled nor refunded, by id.
        was_accepted: Whether the index has seen the validator accept.
    """

    slot: CustodySlot
    version: Version
    state: EpochState
    version_stopped_at: int = 0
    keeping_balance: int = 0
    purchases: dict[bytes, Purchase] = field(default_factory=dict)
    was_accepted: bool = False

    @property
    def name(self) -> str:
        """A name short enough for a line."""
        return f"0x{self.slot.epoch.custody_id.hex()[:16]}"

    @property
    def title(self) -> str:
        """The name, and of what it is a custody."""
        return f"custody {self.name} of {self.version.ref}"

    @property
    def is_outdated(self) -> bool:
        """Whether the chain's answer knows less than the index does; nothing follows from it."""
        return (
            self.state.status is CustodyStatus.NONE
            or self.version.status is VersionStatus.NONE
            or (self.was_accepted and not self.is_accepted)
        )

    @property
    def is_accepted(self) -> bool:
        """Whether the validator has accepted."""
        return self.slot.index in bits(self.state.accepted)

    @property
    def is_released(self) -> bool:
        """Whether the validator's stake is free again."""
        return self.slot.index in bits(self.state.released)

    @property
    def waiting(self) -> list[Purchase]:
        """The purchases to which this validator has not delivered their part."""
        return [p for p in self.purchases.values() if p.awaits(self.slot.index)]

    def is_obliged(self, purchase: Purchase) -> bool:
        """Whether silence about a purchase is the validator's fault, by docs/protocol.md."""
        if self.slot.index in bits(self.state.active):
            return True
        until = purchase.deadline + self.version.terms.inspection_seconds
        return (
            self.slot.index in bits(self.state.previous_active) and until <= self.state.previous_end
        )


class View:
    """A validator's custodies, and which dataset keys were ever listed.

    Args:
        session: Whose chain and index are read.
        validator: The validator's address.

    Attributes:
        block: The block of the last look: the last one whose events are known.
        tip: Its number.
        gas: What the session's account holds, in wei.
        free_stake: The validator's, in the stake token's smallest unit.
        is_actor: Whether the account may act for the validator.
    """

    block: "Block"
    gas: int
    free_stake: int
    is_actor: bool

    def __init__(self, session: Session, validator: str) -> None:
        """Know nothing yet; `refresh` looks."""
        self.session = session
        self.validator = to_checksum_address(validator)  # as the index has it
        self.tip = -1
        self._tip_hash: bytes | None = None
        self._versions: dict[bytes, Version] = {}
        self._terms_of: dict[Point, set[bytes]] = {}
        self._held: dict[bytes, CustodyView] = {}

    @property
    def custodies(self) -> Sequence[CustodyView]:
        """The custodies that are not over, and those that ended since the last look."""
        return list(self._held.values())

    def is_listed_elsewhere(self, version: Version) -> bool:
        """Whether a version's dataset key is that of other terms, too."""
        return len(self._terms_of[version.terms.public_key] - {version.terms_id}) > 0

    def refresh(self) -> None:
        """Look at everything once, as it is at one block.

        Raises:
            ChainError: The chain cannot be read, or no endpoint is as far as the index.
            ConfigError: The index cannot be used.
        """
        try:
            self._look()
        except NodeError:
            # The block may have left the chain since it was indexed, or one of several machines
            # behind an endpoint's address lags: the index finds out, so look once more.
            self._look()

    def _look(self) -> None:
        catalogue = Catalogue.of(self.session)
        catalogue.sync()
        index = catalogue.follower.index
        known = index.stored_blocks(self.tip + 1, 1)
        if not known or (known[0].number, known[0].hash) != (self.tip, self._tip_hash):
            # The chain was reorganised, or this is the first look.
            self.tip = -1
            self._versions, self._terms_of, self._held = {}, {}, {}
        tip = index.tip()
        self._read_events((self.tip, 2**31) if self.tip >= 0 else START, tip.number)
        self.tip, self._tip_hash = tip.number, tip.hash
        self._ask_chain()

    def forget(self, held: CustodyView) -> None:
        """Leave a custody that is over out of later looks."""
        self._held.pop(held.slot.epoch.custody_id, None)

    def _read_events(self, after: tuple[int, int], tip: int) -> None:
        catalogue = Catalogue.of(self.session)
        for version in catalogue.versions(after=after):
            self._versions[version.terms_id] = version
            self._terms_of.setdefault(version.terms.public_key, set()).add(version.terms_id)
        for slot in custody_slots(catalogue.epochs(after=after), self.validator):
            of = self._versions.get(slot.epoch.custody.terms_id)
            if of is not None:  # else an endpoint has kept it from us, or made the custody up
                self._held.setdefault(slot.epoch.custody_id, CustodyView(slot, of, _UNKNOWN))
        index = catalogue.follower.index
        accepted = {
            bytes(row.args["custody_id"])
            for row in index.events(
                "registry",
                "CustodyAccepted",
                after=after,
                until_block=tip,  # another process may have brought the index farther
                custodian=self.validator,
            )
        }
        for custody_id in accepted & self._held.keys():
            self._held[custody_id].was_accepted = True
        for purchase in catalogue.purchases(after=after):
            self._note(purchase)
        known = {pid for held in self._held.values() for pid in held.purchases}
        touched = {
            bytes(row.args["purchase_id"])
            for event in ("Delivered", "Settled", "Rejected", "Refunded")
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
        chain, at = self.session.chain, self._tip_hash
        block = None if at is None else chain.find_block(at)
        if at is None or block is None:
            raise NodeError(
                f"a chain endpoint does not have block {self.tip} of the index; wait, and if it "
                "stays so use another endpoint"
            )
        registry, staking = chain.registry.functions, chain.staking.functions
        custodies = self.custodies
        own = [
            staking.free(self.validator),
            staking.is_actor(self.validator, self.session.address),
        ]
        calls = [
            call
            for held in custodies
            for call in (
                registry.custodies(held.slot.epoch.custody_id),
                registry.versions(held.version.terms_id),
                registry.keeping_balances(held.version.terms_id),
            )
        ]
        gas = chain.balance(self.session.address, at)
        answers = chain.batch(own + calls, block=at)
        self.block, self.gas = block, gas
        self.free_stake, self.is_actor = answers[:2]
        for held, state, version, keeping_balance in zip(
            custodies, answers[2::3], answers[3::3], answers[4::3], strict=True
        ):
            held.state = EpochState(CustodyStatus(state[0]), *state[1:])
            held.keeping_balance, held.version_stopped_at = keeping_balance, version.stopped_at
            held.version = replace(held.version, status=VersionStatus(version[0]))


_UNKNOWN = EpochState(CustodyStatus.NONE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
