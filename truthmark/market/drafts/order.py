# SPDX-License-Identifier: Apache-2.0
"""What a buyer brings to the market, and how deliveries become the key.

Pure functions: nothing here reads or writes a chain, a file or a storage.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from truthmark.codec.derive import cek_from_point
from truthmark.errors import DeliveryError, KeysError, ProofError
from truthmark.keys.delivery import combine_key, purchase_base
from truthmark.keys.proofs import (
    DeliveryStatement,
    KnowledgeProof,
    complete_proof,
    prove_buyer_key,
)
from truthmark.keys.purchase import PurchaseKey
from truthmark.market.records import Custody, Receipt, Terms
from truthmark.types import Point


@dataclass(frozen=True, slots=True)
class Order:
    """The contracts' `struct Order`, with the receipt that it becomes."""

    price: int
    salt: bytes
    buyer_key: Point
    proof: KnowledgeProof
    slope: int
    receipt: Receipt

    def astuple(self) -> tuple[Any, ...]:
        """Return the fields in the contract's order."""
        return (
            self.price,
            self.salt,
            tuple(self.buyer_key),
            self.proof.challenge,
            self.proof.response,
            self.slope,
        )


@dataclass(frozen=True, slots=True)
class Delivered:
    """One delivery as the market's event has it."""

    index: int
    part: Point
    challenge: int
    response: int


def purchase_cost(price: int, custody: Custody) -> int:
    """Return what `buy` takes: the price and one fee for each of t custodians."""
    return price + custody.threshold * custody.fee


def draft_order(terms: Terms, custody: Custody, key: PurchaseKey, price: int) -> Order:
    """Write the order for a purchase.

    Raises:
        KeysError: No contract takes this key with this dataset; buy with another salt.
    """
    base, slope = purchase_base(terms.public_key, key.point)
    proof = prove_buyer_key(
        key.secret,
        chain_id=key.chain_id,
        market=key.market,
        custody_id=custody.custody_id,
        buyer=key.account,
        salt=key.salt,
    )
    receipt = Receipt(buyer=key.account, price=price, salt=key.salt, base=base)
    return Order(price, key.salt, key.point, proof, slope, receipt)


def verified_parts(
    delivered: Mapping[int, Delivered],
    share_keys: tuple[Point, ...],
    receipt: Receipt,
    custody_id: bytes,
    *,
    threshold: int,
    chain_id: int,
    market: str,
) -> dict[int, Point]:
    """Check deliveries as the contract did, so that a lying endpoint is noticed.

    Returns:
        The parts D_j by j, in the order of delivery.

    Raises:
        ProofError: A delivery is false, left out or invented; ask another endpoint.
    """
    # Fewer true parts combine as well, to a wrong key for which the seller would be blamed.
    if len(delivered) != threshold:
        raise ProofError(
            f"the chain endpoint tells of {len(delivered)} parts of the key instead of "
            f"{threshold}; use another endpoint, then run `truthmark index rebuild`"
        )
    for index, delivery in delivered.items():
        complete_proof(
            statement(receipt, custody_id, index, share_keys, chain_id=chain_id, market=market),
            delivery.part,
            delivery.challenge,
            delivery.response,
        )
    return {index: delivery.part for index, delivery in delivered.items()}


def statement(
    receipt: Receipt,
    custody_id: bytes,
    index: int,
    share_keys: tuple[Point, ...],
    *,
    chain_id: int,
    market: str,
) -> DeliveryStatement:
    """Return what custodian `index`'s delivery of a purchase is about.

    Raises:
        ProofError: There is no such custodian.
    """
    if not 1 <= index <= len(share_keys):
        raise ProofError(f"there is no custodian {index}; ask another chain endpoint")
    return DeliveryStatement(
        chain_id=chain_id,
        market=market,
        purchase_id=receipt.purchase_id(custody_id),
        custodian=index,
        share_key=share_keys[index - 1],
        base=receipt.base,
    )


def key_point(parts: Mapping[int, Point], secret: int, terms: Terms) -> Point:
    """Combine verified parts into K, of which the key that opens the version is made.

    Raises:
        DeliveryError: The parts do not combine.
    """
    try:
        return combine_key(parts, secret, terms.public_key)
    except KeysError as error:
        raise DeliveryError(f"the delivered parts give no key: {error}") from error


def content_key(parts: Mapping[int, Point], secret: int, terms: Terms) -> bytes:
    """Combine verified parts into the key that opens the version, 32 bytes.

    Raises:
        DeliveryError: The parts do not combine.
    """
    return cek_from_point(key_point(parts, secret, terms))
