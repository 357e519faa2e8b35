# SPDX-License-Identifier: Apache-2.0
"""What the market's contracts agree on, and how its ids are made (docs/protocol.md).

Each class mirrors the struct of the same name in `contracts/interfaces`, field by field, so that
`astuple()` is what a contract call takes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Self

from truthmark.keys.abi_hash import hash_words
from truthmark.types import Point

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

BPS = 10_000
ZERO_ADDRESS = "0x" + "00" * 20


class VersionStatus(IntEnum):
    """How a version stands; values are the contract's."""

    NONE = 0
    OPEN = 1
    PAUSED = 2
    RETIRED = 3
    CLOSED = 4
    REVOKED = 5


class CustodyStatus(IntEnum):
    """How an epoch of custody stands; values are the contract's."""

    NONE = 0
    OPENED = 1
    LIVE = 2
    CLOSED = 3
    LAPSED = 4


class PurchaseStatus(IntEnum):
    """How a purchase stands; values are the contract's."""

    NONE = 0
    PAID = 1
    DELIVERED = 2
    SETTLED = 3
    REFUNDED = 4
    REJECTED = 5

    @property
    def has_key(self) -> bool:
        """Whether the buyer was given the key, and not the money back."""
        return self in (PurchaseStatus.DELIVERED, PurchaseStatus.SETTLED, PurchaseStatus.REJECTED)

    @property
    def is_reviewable(self) -> bool:
        """Whether its money is paid for good, and so its buyer may review it."""
        return self in (PurchaseStatus.SETTLED, PurchaseStatus.REJECTED)

    @property
    def is_over(self) -> bool:
        """Whether it never changes again."""
        return self in (PurchaseStatus.SETTLED, PurchaseStatus.REFUNDED, PurchaseStatus.REJECTED)


class Record:
    """A dataclass that mirrors a contract's struct."""

    __slots__ = ()

    def astuple(self: "DataclassInstance") -> tuple[Any, ...]:
        """Return the fields in the contract's order."""
        return tuple(getattr(self, f.name) for f in fields(self))

    @classmethod
    def from_chain(cls, value: Sequence[Any]) -> Self:
        """Read the struct as the chain layer decodes it."""
        names = [f.name for f in fields(cls)]  # type: ignore[arg-type]
        return cls(
            *(
                Point(*v) if name in ("public_key", "base") else v
                for name, v in zip(names, value, strict=True)
            )
        )


@dataclass(frozen=True, slots=True)
class Terms(Record):
    """What a version is and how it is sold; it never changes, and its hash is the version's id."""

    seller: str
    payee: str
    token: str
    manifest: bytes
    """sha256 of the manifest"""
    root: bytes
    """of the tree over the shards"""
    shard_count: int
    public_key: Point
    base: Point
    licence: bytes
    """keccak256 of the licence's UTF-8 text in the manifest"""
    gate: str
    bond: int
    """in the token's smallest unit"""
    royalty_bps: int
    bounty: int
    fee_bps: int
    delivery_seconds: int
    inspection_seconds: int
    guarantee_bps: int = 0
    """of the price; what a buyer may burn"""
    arbiter: str = ZERO_ADDRESS
    """who may revoke the version; zero: nobody"""

    @property
    def has_arbiter(self) -> bool:
        """Whether somebody may revoke the version by their own judgement."""
        return self.arbiter != ZERO_ADDRESS

    @property
    def terms_id(self) -> bytes:
        """The version's id, 32 bytes."""
        return hash_words(*self.astuple())


@dataclass(frozen=True, slots=True)
class Custody(Record):
    """One epoch of custody; it never changes, and its hash is its id."""

    terms_id: bytes
    epoch: int
    custodians: bytes
    """hash of the custodians' addresses (`custodians_hash`)"""
    share_keys: bytes
    """hash of P_1 ... P_n (`share_keys_hash`)"""
    count: int
    threshold: int
    fee: int
    keeping_fee: int
    lock: int
    penalty: int
    period_seconds: int
    accept_until: int
    end: int
    last_end: int
    sealed_shares: bytes
    """sha256 of the sealed shares"""

    @property
    def custody_id(self) -> bytes:
        """The epoch's id, 32 bytes."""
        return hash_words(*self.astuple())

    @property
    def is_direct(self) -> bool:
        """Whether the seller alone keeps the key: nothing at stake is the one mark of that."""
        return self.lock == 0

    @property
    def custodians_text(self) -> str:
        """Who keeps the key, in words for buyers."""
        if self.is_direct:
            return "the seller alone, who must be there to deliver"
        return f"{self.threshold} of {self.count} custodians"


@dataclass(frozen=True, slots=True)
class Receipt(Record):
    """All that a purchase's id is made of, beside its custody."""

    buyer: str
    price: int
    salt: bytes
    base: Point
    """U = B + Y"""

    @property
    def digest(self) -> bytes:
        """The hash that stands in the purchase's id and in deliveries."""
        return hash_words(self.buyer, self.price, self.salt)

    def purchase_id(self, custody_id: bytes) -> bytes:
        """Return the purchase's id, 32 bytes."""
        return hash_words(custody_id, self.base, self.digest)


def custodians_hash(custodians: Sequence[str]) -> bytes:
    """Return the hash of an ABI-encoded `address[]`."""
    return hash_words(0x20, len(custodians), *custodians)


def share_keys_hash(share_keys: Sequence[Point]) -> bytes:
    """Return the hash of an ABI-encoded `(uint256,uint256)[]`."""
    return hash_words(0x20, len(share_keys), *share_keys)


def parts_hash(parts: Mapping[int, Point]) -> int:
    """Return the 192 bits that the market stores of delivered parts.

    Args:
        parts: D_j by j, in the order of their delivery.
    """
    noted = 0
    for index, part in parts.items():
        noted = int.from_bytes(hash_words(noted, index, part), "big") >> 64
    return noted


def obligation_id(custody_id: bytes, index: int) -> bytes:
    """Return the name under which the registry locks custodian `index`'s stake."""
    return hash_words(custody_id, index)


def bits(bitmap: int) -> list[int]:
    """Return the custodians' numbers, from 1, that a 16-bit map names."""
    return [j for j in range(1, 17) if bitmap >> (j - 1) & 1]
