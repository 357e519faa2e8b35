# SPDX-License-Identifier: Apache-2.0
"""Proofs in Python alone; that the contract agrees is in tests/unit/contracts/test_secp256k1.py."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.utils.forgery import (
    MARKET,
    forge_with_free_witness,
    forge_with_wrong_y,
    forge_without_commitment,
    mutate_delivery,
)
from tests.utils.proof_checks import (
    verify_buyer_key,
    verify_dataset_key,
    verify_delivery,
    verify_knowledge,
)
from truthmark.errors import KeysError, ProofError
from truthmark.keys import curve, proofs
from truthmark.keys.abi_hash import hash_words
from truthmark.keys.curve import INFINITY, N
from truthmark.keys.proofs import DeliveryStatement, KnowledgeProof
from truthmark.types import Point

SELLER = "0x" + "5e" * 20
BUYER = "0x" + "b0" * 20
REGISTRY = "0x" + "4e" * 20

scalars = st.integers(1, N - 1)

SELLER_CONTEXT = {"chain_id": 1, "registry": REGISTRY, "seller": SELLER, "terms_id": b"t" * 32}
BUYER_CONTEXT = {
    "chain_id": 1,
    "market": MARKET,
    "custody_id": b"c" * 32,
    "buyer": BUYER,
    "salt": b"s" * 32,
}


@pytest.fixture
def delivery():
    share = curve.random_scalar()
    statement = DeliveryStatement(
        chain_id=1,
        market=MARKET,
        purchase_id=b"p" * 32,
        custodian=2,
        share_key=curve.multiply(share),
        base=curve.multiply(curve.random_scalar()),
    )
    return statement, share


@given(scalars)
def test_prove_dataset_key__any_secret__verifies(secret):
    proof = proofs.prove_dataset_key(secret, **SELLER_CONTEXT)
    assert verify_dataset_key(curve.multiply(secret), proof, **SELLER_CONTEXT)
    assert not verify_dataset_key(curve.multiply(secret + 1), proof, **SELLER_CONTEXT)


@given(scalars)
def test_prove_buyer_key__any_secret__verifies(secret):
    proof = proofs.prove_buyer_key(secret, **BUYER_CONTEXT)
    assert verify_buyer_key(curve.multiply(secret), proof, **BUYER_CONTEXT)
    assert not verify_buyer_key(curve.multiply(secret + 1), proof, **BUYER_CONTEXT)


OTHER = {
    "chain_id": 2,
    "registry": BUYER,
    "market": BUYER,
    "seller": BUYER,
    "buyer": SELLER,
    "terms_id": b"u" * 32,
    "custody_id": b"d" * 32,
    "salt": b"t" * 32,
}


@pytest.mark.parametrize("name", SELLER_CONTEXT)
def test_verify_dataset_key__other_context__is_refused(name):
    proof = proofs.prove_dataset_key(7, **SELLER_CONTEXT)
    changed = {**SELLER_CONTEXT, name: OTHER[name]}
    assert not verify_dataset_key(curve.multiply(7), proof, **changed)


@pytest.mark.parametrize("name", BUYER_CONTEXT)
def test_verify_buyer_key__other_context__is_refused(name):
    proof = proofs.prove_buyer_key(7, **BUYER_CONTEXT)
    changed = {**BUYER_CONTEXT, name: OTHER[name]}
    assert not verify_buyer_key(curve.multiply(7), proof, **changed)


def test_verify_knowledge__key_made_from_others_points__cannot_be_proven():
    # Y = X - B for a known X would make U a point of the buyer's choice; they lack its logarithm.
    # A proof for X says nothing about Y, whatever the base.
    base, _ = curve.base_of(curve.multiply(7))
    x = 1234
    shifted = curve.subtract(curve.multiply(x), base)
    proof = proofs.prove_knowledge(x, bytes(32))
    assert verify_knowledge(curve.multiply(x), bytes(32), proof)
    assert not verify_knowledge(shifted, bytes(32), proof)


def test_verify_knowledge__challenge_without_the_key__is_refused():
    # Weak Fiat-Shamir: with Q outside the hash, Q = (z*G - A) / c fits any chosen c and z.
    nonce, response, context = 11, 22, bytes(32)
    commitment = curve.multiply(nonce)
    weak = hash_words(context, curve.address_of(commitment))
    challenge = int.from_bytes(weak, "big") % N
    fitted = curve.multiply(
        pow(challenge, -1, N), curve.subtract(curve.multiply(response), commitment)
    )
    assert curve.subtract(curve.multiply(response), curve.multiply(challenge, fitted)) == commitment
    assert not verify_knowledge(fitted, context, KnowledgeProof(challenge, response))


@pytest.mark.parametrize("secret", [0, N, 2 * N])
def test_prove_knowledge__secret_zero__is_refused(secret):
    with pytest.raises(KeysError, match="this secret"):
        proofs.prove_knowledge(secret, bytes(32))


@given(scalars, scalars, st.integers(1, 16), st.binary(min_size=32, max_size=32))
def test_prove_delivery__any_statement__verifies(share, blinding, custodian, purchase):
    statement = DeliveryStatement(
        chain_id=1,
        market=MARKET,
        purchase_id=purchase,
        custodian=custodian,
        share_key=curve.multiply(share),
        base=curve.multiply(blinding),
    )
    part, proof = proofs.prove_delivery(statement, share)
    assert part == curve.multiply(share * blinding % N)
    assert verify_delivery(statement, part, proof)
    assert proof == proofs.complete_proof(statement, part, proof.challenge, proof.response)


def test_prove_delivery__share_of_another_key__is_refused(delivery):
    statement, share = delivery
    with pytest.raises(KeysError, match="not the share"):
        proofs.prove_delivery(statement, share + 1)


@pytest.mark.parametrize("base", [INFINITY, Point(5, 1)])
def test_prove_delivery__base_that_is_no_point__is_refused(delivery, base):
    # A point off the curve, of small order, would give the share away (invalid-curve attack).
    statement, share = delivery
    with pytest.raises(KeysError, match="base"):
        proofs.prove_delivery(replace(statement, base=base), share)


def test_prove_delivery__twice_with_the_same_randomness__uses_the_same_nonce_only_once(
    delivery, monkeypatch
):
    # If the system's randomness repeats, two statements must still get two nonces: two responses
    # to different challenges with one nonce give the share away.
    statement, share = delivery
    monkeypatch.setattr(proofs.secrets, "token_bytes", bytes)
    _, first = proofs.prove_delivery(statement, share)
    _, second = proofs.prove_delivery(replace(statement, purchase_id=b"q" * 32), share)
    difference = first.challenge - second.challenge
    guess = (first.response - second.response) * pow(difference, -1, N) % N
    assert guess != share
    nonces = [(p.response - p.challenge * share) % N for p in (first, second)]
    assert nonces[0] != nonces[1]


def test_prove_delivery__twice__differs(delivery):
    statement, share = delivery
    _, first = proofs.prove_delivery(statement, share)
    _, second = proofs.prove_delivery(statement, share)
    assert first.challenge != second.challenge


def test_prove_delivery__nonce_that_contracts_refuse__is_drawn_again(delivery, monkeypatch):
    # k = c * s makes z = 2cs ... instead of waiting for that, a response of zero: k = -c * s.
    statement, share = delivery
    real_nonce, real_challenge = proofs._nonce, proofs._delivery_challenge
    calls = []

    def nonce(*words):
        calls.append(words)
        return (-5 * share) % N if len(calls) == 1 else real_nonce(*words)

    def challenge(*words):
        return 5 if len(calls) == 1 else real_challenge(*words)

    monkeypatch.setattr(proofs, "_nonce", nonce)
    monkeypatch.setattr(proofs, "_delivery_challenge", challenge)
    part, proof = proofs.prove_delivery(statement, share)
    assert len(calls) == 2
    assert proof.response != 0
    assert verify_delivery(statement, part, proof)


def test_verify_delivery__thousands_of_mutations__are_refused():
    random = Random("python alone")
    deliveries = []
    for j in range(1, 9):
        share = random.randrange(1, N)
        statement = DeliveryStatement(
            chain_id=j,
            market=MARKET,
            purchase_id=random.randbytes(32),
            custodian=j,
            share_key=curve.multiply(share),
            base=curve.multiply(random.randrange(1, N)),
        )
        deliveries.append((statement, *proofs.prove_delivery(statement, share)))
        assert verify_delivery(*deliveries[-1])
    for _ in range(3_000):
        kind, *mutated = mutate_delivery(random, deliveries)
        assert not verify_delivery(*mutated), kind


@pytest.mark.parametrize("how", ["wrong y", "no commitment", "scaled_base", "scaled_part"])
def test_complete_proof__forgery__is_refused(delivery, how):
    statement, share = delivery
    random = Random(how)
    if how == "wrong y":
        part, proof = forge_with_wrong_y(statement, share, random)
    elif how == "no commitment":
        statement = replace(statement, share_key=INFINITY)
        part, proof = forge_without_commitment(statement, random)
    else:
        part, proof = forge_with_free_witness(statement, share, random, how)
    with pytest.raises(ProofError):
        proofs.complete_proof(statement, part, proof.challenge, proof.response)


@pytest.mark.parametrize(
    ("challenge", "response"),
    [(0, 1), (N, 1), (-1, 1), (1, 0), (1, N), (1, -1), (2**300, 1), (1, 2**300)],
)
def test_complete_proof__numbers_out_of_range__are_refused(delivery, challenge, response):
    statement, share = delivery
    part, _ = proofs.prove_delivery(statement, share)
    with pytest.raises(ProofError):
        proofs.complete_proof(statement, part, challenge, response)


def test_complete_proof__opposite_or_equal_terms__are_refused(delivery):
    # With A2 at infinity or 2zU no contract adds them; z = +-c * s gives these.
    statement, share = delivery
    part, _ = proofs.prove_delivery(statement, share)
    for response in (5 * share % N, -5 * share % N):
        with pytest.raises(ProofError, match="degenerate"):
            proofs.complete_proof(statement, part, 5, response)


def test_contexts__all_tags__are_separate():
    # Equal words under another tag must not give an equal context.
    seller = proofs.dataset_key_context(
        chain_id=1, registry=MARKET, seller=BUYER, terms_id=b"s" * 32
    )
    words = (1, MARKET, BUYER, b"s" * 32)
    assert seller == hash_words(proofs.DATASET_KEY_TAG, *words)
    assert seller != hash_words(proofs.BUYER_KEY_TAG, *words)
    assert len({proofs.DATASET_KEY_TAG, proofs.BUYER_KEY_TAG, proofs.DELIVERY_TAG}) == 3
