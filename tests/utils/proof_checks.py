# SPDX-License-Identifier: Apache-2.0
"""Whether a contract takes a proof: what the contracts check, for the library's proofs."""

from typing import Any

from truthmark.errors import ProofError
from truthmark.keys.abi_hash import hash_words
from truthmark.keys.curve import N, address_of, is_valid, multiply, subtract
from truthmark.keys.proofs import (
    DeliveryStatement,
    KnowledgeProof,
    Proof,
    buyer_key_context,
    complete_proof,
    dataset_key_context,
)
from truthmark.types import Point


def verify_dataset_key(dataset_key: Point, proof: KnowledgeProof, **about: Any) -> bool:
    return verify_knowledge(dataset_key, dataset_key_context(**about), proof)


def verify_buyer_key(buyer_key: Point, proof: KnowledgeProof, **about: Any) -> bool:
    return verify_knowledge(buyer_key, buyer_key_context(**about), proof)


def verify_knowledge(point: Point, context: bytes, proof: KnowledgeProof) -> bool:
    if not (is_valid(point) and 0 < proof.challenge < N and 0 <= proof.response < N):
        return False
    commitment = subtract(multiply(proof.response), multiply(proof.challenge, point))
    digest = hash_words(context, point, address_of(commitment))
    return proof.challenge == int.from_bytes(digest, "big") % N


def verify_delivery(statement: DeliveryStatement, part: Point, proof: Proof) -> bool:
    """Whether the proof holds and its witnesses are the right ones."""
    try:
        return proof == complete_proof(statement, part, proof.challenge, proof.response)
    except ProofError:
        return False
