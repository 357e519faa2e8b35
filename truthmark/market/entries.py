# SPDX-License-Identifier: Apache-2.0
"""What the logs of a market say: versions, epochs of custody, purchases and validators' offers."""

from collections.abc import Mapping
from dataclasses import dataclass

from truthmark.market.drafts.custody import Validator
from truthmark.market.drafts.order import Delivered
from truthmark.market.records import (
    ZERO_ADDRESS,
    Custody,
    CustodyStatus,
    PurchaseStatus,
    Receipt,
    Terms,
    VersionStatus,
)
from truthmark.types import Point


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a listing, as the logs have it."""

    listing_id: int
    number: int
    terms: Terms
    terms_id: bytes
    price: int
    """in the sale token's smallest unit"""
    status: VersionStatus
    listed_at: int
    """Unix time of its block"""

    @property
    def ref(self) -> str:
        """How people name it, such as `17@2`."""
        return f"{self.listing_id}@{self.number}"

    def __repr__(self) -> str:
        """Show its name, state and price; of its terms, who sells."""
        return (
            f"<Version {self.ref} {self.status.name}, {self.price} units of {self.terms.token}, "
            f"by {self.terms.seller}>"
        )


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch of custody with its dealing, as the logs have it."""

    custody: Custody
    custody_id: bytes
    custodians: tuple[str, ...]
    share_keys: tuple[Point, ...]

    def __repr__(self) -> str:
        """Show how many keep the key, and until when they may."""
        custody = self.custody
        return (
            f"<Epoch {custody.epoch}: {custody.threshold} of {custody.count} custodians, "
            f"0x{self.custody_id.hex()}>"
        )


@dataclass(frozen=True, slots=True)
class EpochState:
    """How an epoch stands on the chain; maps have bit j - 1 for custodian j."""

    status: CustodyStatus
    accepted: int
    active: int
    previous_active: int
    votes: int
    fined: int
    released: int
    end: int
    previous_end: int
    stopped_at: int
    inspection_seconds: int

    def is_awaited(self, custody: Custody, now: int) -> bool:
        """Whether custodians may still accept."""
        return self.status is CustodyStatus.OPENED and now <= custody.accept_until

    def outlasts(self, terms: Terms, now: int) -> bool:
        """Whether it lasts through both windows of a purchase that is made now."""
        windows = terms.delivery_seconds + terms.inspection_seconds
        return self.status is CustodyStatus.LIVE and now + windows <= self.end


@dataclass(frozen=True, slots=True)
class Purchase:
    """A purchase, as the logs have it."""

    purchase_id: bytes
    custody_id: bytes
    terms_id: bytes
    receipt: Receipt
    status: PurchaseStatus
    deadline: int
    """of the delivery while PAID, of the inspection while DELIVERED"""
    bought_at: int
    block_number: int
    delivered: Mapping[int, Delivered]
    """by custodian's number, in the order of delivery"""

    def awaits(self, index: int) -> bool:
        """Whether it is paid, and this custodian's part is not delivered."""
        return self.status is PurchaseStatus.PAID and index not in self.delivered


@dataclass(frozen=True, slots=True)
class ValidatorOffer:
    """The custody that a validator's node accepts by itself; times in seconds."""

    validator: Validator
    fees: Mapping[str, tuple[int, int]]
    """by token's address: fee per sale and keeping fee per period, in its smallest unit"""
    max_bytes: int
    max_period_seconds: int
    min_delivery_seconds: int
    min_inspection_seconds: int
    max_lock: int
    is_available: bool
    free_stake: int
    takes_unsampled: bool = False
    """keeps also what no client has seen a sample of that chance drew"""
    operator: str = ZERO_ADDRESS
    """whose key signs what the node answers"""
    url: str = ""
    """where the node answers; a stranger's text"""
