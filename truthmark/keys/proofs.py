# SPDX-License-Identifier: Apache-2.0
"""Proofs that a contract checks: who knows a key, and that a delivered part is the right one.

Knowledge of a logarithm: C. P. Schnorr, "Efficient signature generation by smart cards", 1991, with
the point in the hash. Equality of two logarithms: D. Chaum and T. P. Pedersen, "Wallet databases
with observers", 1992. Both are made non-interactive by hashing all of the statement (Fiat-Shamir).
"""

import hmac
import secrets
from dataclasses import dataclass
from typing import NamedTuple

from truthmark.errors import KeysError, ProofError
from truthmark.keys.abi_hash import Word, hash_words, tag, word
from truthmark.keys.curve import (
    N,
    address_of,
    is_valid,
    multiply,
    negate,
    require_valid,
    slope,
    subtract,
)
from truthmark.types import Point

DATASET_KEY_TAG = tag("truthmark/dataset-key/1")
BUYER_KEY_TAG = tag("truthmark/buyer-key/1")
DELIVERY_TAG = tag("truthmark/delivery/1")


class KnowledgeProof(NamedTuple):
    """A proof of knowledge of a logarithm: both numbers are below N."""

    challenge: int
    response: int


class Proof(NamedTuple):
    """The contracts' `struct Proof`: a proof of delivery and its witnesses.

    The witnesses follow from challenge and response (`complete_proof`), so events leave them out.
    """

    challenge: int
    response: int
    scaled_base: Point
    """z * U"""
    scaled_part: Point
    """c * D"""
    slope: int
    """of the line through z * U and -c * D"""


@dataclass(frozen=True, slots=True)
class DeliveryStatement:
    """What a delivery is about: everything that its challenge hashes, save the part itself."""

    chain_id: int
    market: str
    purchase_id: bytes
    custodian: int
    """j, counted from 1."""
    share_key: Point
    """P_j = s_j * G"""
    base: Point
    """U = B + Y"""

    def words(self) -> tuple[Word, ...]:
        """Return the values in the order in which the contract hashes them."""
        return (
            DELIVERY_TAG,
            self.chain_id,
            self.market,
            self.purchase_id,
            self.custodian,
            self.share_key,
            self.base,
        )


def dataset_key_context(*, chain_id: int, registry: str, seller: str, terms_id: bytes) -> bytes:
    """Return the context in which a seller proves their dataset key."""
    return hash_words(DATASET_KEY_TAG, chain_id, registry, seller, terms_id)


def buyer_key_context(
    *, chain_id: int, market: str, custody_id: bytes, buyer: str, salt: bytes
) -> bytes:
    """Return the context in which a buyer proves the key of one purchase."""
    return hash_words(BUYER_KEY_TAG, chain_id, market, custody_id, buyer, salt)


def prove_dataset_key(
    secret: int, *, chain_id: int, registry: str, seller: str, terms_id: bytes
) -> KnowledgeProof:
    """Prove that the seller knows the secret s of PK = s * G, so nobody lists another's key."""
    return prove_knowledge(
        secret,
        dataset_key_context(chain_id=chain_id, registry=registry, seller=seller, terms_id=terms_id),
    )


def prove_buyer_key(
    secret: int, *, chain_id: int, market: str, custody_id: bytes, buyer: str, salt: bytes
) -> KnowledgeProof:
    """Prove that the buyer knows the y of Y = y * G, so they cannot make it from others' points."""
    return prove_knowledge(
        secret,
        buyer_key_context(
            chain_id=chain_id, market=market, custody_id=custody_id, buyer=buyer, salt=salt
        ),
    )


def prove_knowledge(secret: int, context: bytes) -> KnowledgeProof:
    """Prove knowledge of the logarithm of secret * G.

    Args:
        secret: The scalar, not 0 mod N.
        context: 32 bytes that say what the proof is for.

    Raises:
        KeysError: The secret's point cannot be used by contracts.
    """
    point = multiply(secret)
    require_valid(point, "the point of this secret")
    while True:
        nonce = _nonce(secret, context, point)
        challenge = _knowledge_challenge(context, point, multiply(nonce))
        response = (nonce + challenge * secret) % N
        if challenge != 0:
            return KnowledgeProof(challenge, response)


def prove_delivery(statement: DeliveryStatement, share: int) -> tuple[Point, Proof]:
    """Make the part of the key that one purchase gets from one custodian, and prove it.

    Args:
        statement: The purchase, the custodian and their share key, as the chain has them.
        share: s_j, the custodian's share.

    Returns:
        D = s_j * U and the proof that `deliver` takes.

    Raises:
        KeysError: The share is not that of the share key, or a point cannot be used.
    """
    require_valid(statement.base, "the purchase's base")
    if not is_valid(statement.share_key) or multiply(share) != statement.share_key:
        raise KeysError(
            f"this is not the share of custodian {statement.custodian}'s share key; "
            "take the share of this custody and epoch from the vault"
        )
    part = multiply(share, statement.base)
    if not is_valid(part):
        # Contracts take no x from N to P. One base in 2^128 has such a multiple.
        raise KeysError("the part of this purchase cannot be delivered; let it be refunded")
    while True:
        nonce = _nonce(share, *statement.words(), part)
        challenge = _delivery_challenge(
            statement, part, multiply(nonce), multiply(nonce, statement.base)
        )
        response = (nonce + challenge * share) % N
        try:
            return part, complete_proof(statement, part, challenge, response)
        except ProofError:
            # A witness that contracts do not take; the next nonce gives others.
            continue


def complete_proof(
    statement: DeliveryStatement, part: Point, challenge: int, response: int
) -> Proof:
    """Check a delivery as it stands in an event, and compute the witnesses that go with it.

    Args:
        statement: What the delivery is for.
        part: D, the delivered part.
        challenge: c of the event.
        response: z of the event.

    Raises:
        ProofError: The proof is false; somebody invented the event, or a contract is broken.
    """
    if not (
        is_valid(part)
        and is_valid(statement.share_key)
        and is_valid(statement.base)
        and _are_scalars(challenge, response)
    ):
        raise ProofError("a delivery has numbers out of range; ask another chain endpoint for it")
    scaled_base = multiply(response, statement.base)
    scaled_part = multiply(challenge, part)
    # As the contract, which knows no infinity here and adds only points with different x.
    if response == 0 or scaled_base.x == scaled_part.x:
        raise ProofError("a delivery's proof is degenerate; ask another chain endpoint for it")
    first = subtract(multiply(response), multiply(challenge, statement.share_key))
    second = subtract(scaled_base, scaled_part)
    if challenge != _delivery_challenge(statement, part, first, second):
        raise ProofError(
            f"the part of custodian {statement.custodian} is not proven; "
            "ask another chain endpoint for it"
        )
    return Proof(
        challenge, response, scaled_base, scaled_part, slope(scaled_base, negate(scaled_part))
    )


def _are_scalars(challenge: int, response: int) -> bool:
    return 0 < challenge < N and 0 <= response < N


def _knowledge_challenge(context: bytes, point: Point, commitment: Point) -> int:
    digest = hash_words(context, point, address_of(commitment))
    return int.from_bytes(digest, "big") % N


def _delivery_challenge(
    statement: DeliveryStatement, part: Point, first: Point, second: Point
) -> int:
    digest = hash_words(*statement.words(), part, address_of(first), second)
    return int.from_bytes(digest, "big") % N


def _nonce(secret: int, *statement: Word) -> int:
    """Return a nonce from the secret, all of the statement and fresh randomness, never 0.

    Two statements never share a nonce even if the system's randomness repeats (which would give
    the secret away), and the nonce stays unknown even if somebody learns that randomness.
    512 bits are reduced, so it is uniform to 2^-256.
    """
    key = word(secret % N)
    while True:
        message = b"".join(map(word, statement)) + secrets.token_bytes(32)
        nonce = int.from_bytes(hmac.digest(key, message, "sha512"), "big") % N
        if nonce != 0:
            return nonce
