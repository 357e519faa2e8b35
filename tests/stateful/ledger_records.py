# SPDX-License-Identifier: Apache-2.0
"""What the ledger of the market keeps of a version, a custody, a purchase and a bounty."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from truthmark.market.records import CustodyStatus, PurchaseStatus, VersionStatus

BURN = "0x" + "00" * 20
RUNNING = (VersionStatus.OPEN, VersionStatus.PAUSED)
Id = Hashable


@dataclass
class Version:
    """A version, with what of its terms matters to money and time."""

    seller: str
    payee: str
    token: str
    bond: int
    fee_bps: int
    delivery: int
    inspection: int
    has_gate: bool
    price: int
    listing: int
    number: int
    status: VersionStatus = VersionStatus.OPEN
    epochs: int = 0
    stopped_at: int = 0
    is_superseded: bool = False
    keeping_balance: int = 0
    royalty_bps: int = 0
    bounty: int = 0
    guarantee_bps: int = 0
    arbiter: str = BURN

    @property
    def windows(self) -> int:
        return self.delivery + self.inspection

    @property
    def is_running(self) -> bool:
        return self.status in RUNNING

    @property
    def held(self) -> int:
        """What the registry holds for it: keeping balance, and the bond while it can be lost."""
        bonded = self.status in (*RUNNING, VersionStatus.RETIRED)
        return self.keeping_balance + (self.bond if bonded else 0)


@dataclass
class Custody:
    """An epoch of custody; custodians are named by their number from 1."""

    version: Id
    custodians: Sequence[str]
    threshold: int
    fee: int
    keeping_fee: int
    lock: int
    penalty: int
    period: int
    accept_until: int
    end: int
    last_end: int
    status: CustodyStatus = CustodyStatus.OPENED
    accepted: set[int] = field(default_factory=set)
    active: set[int] = field(default_factory=set)
    previous_active: set[int] = field(default_factory=set)
    votes: set[int] = field(default_factory=set)
    fined: set[int] = field(default_factory=set)
    released: set[int] = field(default_factory=set)
    previous_end: int = 0
    stopped_at: int = 0

    @property
    def count(self) -> int:
        return len(self.custodians)

    @property
    def held(self) -> int:
        """Keeping fees: n while OPENED, none once LAPSED, one for each not released once LIVE.

        And a second one for each who stayed, while the period that was extended is owed.
        """
        if self.status == CustodyStatus.OPENED:
            return self.count * self.keeping_fee
        if self.status == CustodyStatus.LAPSED:
            return 0
        owed = len(self.active) if self.previous_end else 0
        return (self.count - len(self.released) + owed) * self.keeping_fee


@dataclass
class Purchase:
    """A purchase with the custodians who delivered, in their order."""

    custody: Id
    buyer: str
    price: int
    deadline: int
    is_by_voucher: bool = False
    status: PurchaseStatus = PurchaseStatus.PAID
    delivered: list[int] = field(default_factory=list)
    is_reviewed: bool = False


@dataclass
class BountyFacts:
    """A bounty that data may be made of: what its workers earned, or will by its end.

    Attributes:
        earned: worker -> pay, shares of the bond left out.
        payees: worker -> account.
        full: The price of all seats of the roster.
        has_ended: Whether anything can be drawn.
        citing: Who may name it when something is listed.
    """

    earned: dict[int, int]
    payees: dict[int, str]
    full: int
    has_ended: bool
    citing: str = BURN
