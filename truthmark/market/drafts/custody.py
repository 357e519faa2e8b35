# SPDX-License-Identifier: Apache-2.0
"""What a seller brings to the registry for a custody: the request, shares and sealed bundle.

Pure functions: nothing here reads or writes a chain, a file or a storage.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from truthmark.hashing import sha256
from truthmark.keys.curve import multiply
from truthmark.keys.sealing import ShareContext, seal_share, write_bundle
from truthmark.keys.sharing import deal
from truthmark.market.records import (
    Custody,
    Terms,
    custodians_hash,
    share_keys_hash,
)
from truthmark.types import Point

MAX_TIME = 2**40 - 1
ZERO_32 = bytes(32)


@dataclass(frozen=True, slots=True)
class CustodyRequest:
    """What a seller asks of custodians, and what they pay for it.

    Attributes:
        threshold: t, how many parts make the key.
        fee: per sale, to each custodian who delivered, in the sale token's smallest unit.
        keeping_fee: per custodian and period, in the sale token's smallest unit.
        lock: stake that each custodian locks, in the stake token's smallest unit.
        penalty: what silence costs a custodian, at most `lock`.
        period_seconds: length of a period.
        max_periods: How many periods the custodians may stay at most.
    """

    threshold: int
    fee: int
    keeping_fee: int
    lock: int
    penalty: int
    period_seconds: int
    max_periods: int = 1

    @classmethod
    def of(cls, custody: Custody) -> Self:
        """Return the offer with which a custody was dealt."""
        return cls(
            threshold=custody.threshold,
            fee=custody.fee,
            keeping_fee=custody.keeping_fee,
            lock=custody.lock,
            penalty=custody.penalty,
            period_seconds=custody.period_seconds,
            max_periods=1 + (custody.last_end - custody.end) // custody.period_seconds,
        )

    def satisfies(self, asked: "CustodyRequest") -> bool:
        """Whether this is what is asked; fees may be higher."""
        return (
            self.fee >= asked.fee
            and self.keeping_fee >= asked.keeping_fee
            and replace(self, fee=asked.fee, keeping_fee=asked.keeping_fee) == asked
        )


DIRECT = CustodyRequest(
    threshold=1, fee=0, keeping_fee=0, lock=0, penalty=0, period_seconds=365 * 86_400
)
"""Direct mode: the seller alone keeps the key and delivers with a process of their own."""


@dataclass(frozen=True, slots=True)
class Validator:
    """A validator that may become a custodian."""

    address: str
    encryption_key: bytes


@dataclass(frozen=True, slots=True)
class Dealing:
    """A custody record with all that its opening brings along."""

    custody: Custody
    custodians: tuple[str, ...]
    """ascending"""
    share_keys: tuple[Point, ...]
    """P_1 ... P_n"""
    bundle: bytes = field(repr=False)
    """the sealed shares, to be stored as one block; empty in direct mode"""

    def arguments(self) -> tuple[Any, ...]:
        """Return custody, custodians and share keys as the contract takes them."""
        return self.custody.astuple(), list(self.custodians), [tuple(k) for k in self.share_keys]


def deal_custody(
    terms: Terms,
    secret: int,
    validators: Sequence[Validator],
    offer: CustodyRequest,
    *,
    epoch: int,
    now: int,
    acceptance_seconds: int,
    chain_id: int,
    registry: str,
) -> Dealing:
    """Share a version's secret among custodians, each share sealed to its custodian's key.

    Args:
        terms: The version's.
        secret: s of the version.
        validators: Who is to keep it; empty for direct mode, where the seller does.
        offer: What is asked and paid.
        epoch: The version's count of epochs so far.
        now: Chain time.
        acceptance_seconds: How long custodians have to accept.
        chain_id: The registry's chain.
        registry: The registry's address.

    Raises:
        KeysError: t of n cannot share a key, or a validator's encryption key is unusable.
    """
    if validators:
        members = sorted(validators, key=lambda v: int(v.address, 16))
    else:
        members = [Validator(terms.seller, ZERO_32)]
    custodians = tuple(v.address for v in members)
    shares = deal(secret, offer.threshold, len(custodians))
    share_keys = tuple(map(multiply, shares))
    bundle = b""
    if validators:
        bundle = write_bundle(
            [
                seal_share(
                    share,
                    member.encryption_key,
                    ShareContext(
                        chain_id=chain_id,
                        registry=registry,
                        seller=terms.seller,
                        dataset_key=terms.public_key,
                        epoch=epoch,
                        custodian=index,
                    ),
                )
                for index, (share, member) in enumerate(zip(shares, members, strict=True), 1)
            ]
        )
    accept_until = now + acceptance_seconds
    end = accept_until + max(
        offer.period_seconds, terms.delivery_seconds + terms.inspection_seconds
    )
    custody = Custody(
        terms_id=terms.terms_id,
        epoch=epoch,
        custodians=custodians_hash(custodians),
        share_keys=share_keys_hash(share_keys),
        count=len(custodians),
        threshold=offer.threshold,
        fee=offer.fee,
        keeping_fee=offer.keeping_fee,
        lock=offer.lock,
        penalty=offer.penalty,
        period_seconds=offer.period_seconds,
        accept_until=accept_until,
        end=end,
        last_end=min(MAX_TIME, end + (offer.max_periods - 1) * offer.period_seconds),
        sealed_shares=sha256(bundle) if bundle else ZERO_32,
    )
    return Dealing(custody, custodians, share_keys, bundle)
