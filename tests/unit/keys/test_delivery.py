# SPDX-License-Identifier: Apache-2.0
"""The key point from deliveries, and the witnesses that the dispute's contract follows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.utils.compiled import deployer
from truthmark.errors import KeysError
from truthmark.keys import curve, sharing
from truthmark.keys.curve import INFINITY, G, N
from truthmark.keys.delivery import combine_key, derive_key, purchase_base
from truthmark.keys.proofs import DeliveryStatement, complete_proof, prove_delivery
from truthmark.types import Point

RECORDS = [(t, n) for n in range(1, 17) for t in range(1, (n + 1) // 2 + 1)]
scalars = st.integers(1, N - 1)


def deliver(secret: int, y: int, threshold: int, custodians: int, indices: list[int]):
    """Everything from dealing to the deliveries of `indices`; by j."""
    dataset_key = curve.multiply(secret)
    shares = sharing.deal(secret, threshold, custodians)
    base, _ = purchase_base(dataset_key, curve.multiply(y))
    deliveries = {}
    for j in indices:
        statement = DeliveryStatement(
            chain_id=1,
            market="0x" + "4d" * 20,
            purchase_id=b"p" * 32,
            custodian=j,
            share_key=curve.multiply(shares[j - 1]),
            base=base,
        )
        part, proof = prove_delivery(statement, shares[j - 1])
        # As the buyer has it: from the event, completed.
        deliveries[j] = (
            part,
            complete_proof(statement, part, proof.challenge, proof.response),
        )
    return dataset_key, base, deliveries


@given(scalars, scalars, st.sampled_from(RECORDS), st.randoms(use_true_random=False))
def test_combine_key__any_t_deliveries__give_the_key_point(secret, y, record, random):
    threshold, custodians = record
    indices = random.sample(range(1, custodians + 1), threshold)
    dataset_key, _, deliveries = deliver(secret, y, threshold, custodians, indices)
    base, _ = curve.base_of(dataset_key)
    parts = {j: part for j, (part, _) in deliveries.items()}
    assert combine_key(parts, y, dataset_key) == curve.multiply(secret, base)
    assert derive_key(parts, y, dataset_key).key == curve.multiply(secret, base)


def test_combine_key__too_few_or_foreign_parts__give_another_point():
    dataset_key, _, deliveries = deliver(5, 9, 2, 4, [1, 3])
    base, _ = curve.base_of(dataset_key)
    key = curve.multiply(5, base)
    parts = {j: part for j, (part, _) in deliveries.items()}
    assert combine_key(parts, 9, dataset_key) == key
    assert combine_key({1: parts[1]}, 9, dataset_key) != key
    assert combine_key(parts, 10, dataset_key) != key
    assert combine_key({1: parts[3], 3: parts[1]}, 9, dataset_key) != key
    assert combine_key({1: parts[1], 4: parts[3]}, 9, dataset_key) != key


@pytest.mark.parametrize("parts", [{}, {0: G}, {17: G}, {1: Point(5, 1)}])
def test_combine_key__unusable_parts__are_refused(parts):
    with pytest.raises(KeysError):
        combine_key(parts, 9, curve.multiply(5))


def test_combine_key__parts_that_cancel__are_refused():
    y, dataset_key = 9, curve.multiply(5)
    with pytest.raises(KeysError, match="no key"):
        combine_key({1: curve.multiply(y, dataset_key)}, y, dataset_key)


@given(scalars, scalars)
def test_purchase_base__random_keys__is_the_sum_with_its_slope(secret, y):
    dataset_key, buyer_key = curve.multiply(secret), curve.multiply(y)
    base, _ = curve.base_of(dataset_key)
    total, slope = purchase_base(dataset_key, buyer_key)
    assert total == curve.add(base, buyer_key)
    assert slope == curve.slope(base, buyer_key)


def test_purchase_base__degenerate_buyer_key__is_refused():
    dataset_key = curve.multiply(5)
    base, _ = curve.base_of(dataset_key)
    large = next(q for x in range(N, N + 100) if (q := curve.lift_x(x)) is not None)
    for buyer_key in (base, curve.negate(base), INFINITY, large, curve.subtract(large, base)):
        with pytest.raises(KeysError, match="another salt"):
            purchase_base(dataset_key, buyer_key)


@pytest.fixture(scope="module")
def harness():
    return deployer("test/CurveHarness").deploy()


def follow(harness, derivation, dataset_key: Point, base: Point) -> Point:
    """Do with the witnesses what a contract does, every step checked by the contract's module."""
    assert harness.is_multiple(derivation.secret, G, derivation.buyer_key)
    own_base, counter = curve.base_of(dataset_key)
    assert harness.is_base(dataset_key, own_base, counter)
    total = harness.add_distinct(own_base, derivation.buyer_key, derivation.buyer_slope)
    assert tuple(total) == base
    assert harness.is_multiple(derivation.secret, dataset_key, derivation.blinding)
    running = INFINITY
    for step in derivation.parts:
        assert harness.is_multiple(step.weight, step.part, step.weighted)
        running = tuple(harness.add(running, step.weighted, step.slope))
    minus_blinding = tuple(harness.negate(derivation.blinding))
    return Point(*harness.add(running, minus_blinding, derivation.key_slope))


@pytest.mark.parametrize(
    ("threshold", "custodians", "indices"),
    [(1, 1, [1]), (1, 3, [3]), (2, 4, [4, 2]), (3, 5, [5, 1, 2]), (8, 16, list(range(16, 0, -2)))],
)
def test_derive_key__deliveries_in_any_order__a_contract_can_follow(
    harness, threshold, custodians, indices
):
    secret, y = curve.random_scalar(), curve.random_scalar()
    dataset_key, base, deliveries = deliver(secret, y, threshold, custodians, indices)
    parts = {j: part for j, (part, _) in deliveries.items()}
    derivation = derive_key(parts, y, dataset_key)
    assert [part.custodian for part in derivation.parts] == indices
    own_base, _ = curve.base_of(dataset_key)
    assert follow(harness, derivation, dataset_key, base) == curve.multiply(secret, own_base)
    assert derivation.key == curve.multiply(secret, own_base)


def test_derive_key__terms_that_coincide_and_cancel__a_contract_can_follow(harness):
    # A hostile dealer knows the polynomial and can make weighted parts equal or opposite, whatever
    # the buyer's key: lambda_1 s_1 = +- lambda_2 s_2 (+- lambda_3 s_3 ...).
    y, base = 9, curve.multiply(77)
    dataset_key = curve.multiply(5)
    weights = sharing.lagrange([1, 2, 3])
    for signs in ([1, 1, 1], [1, -1, 1], [1, 1, -2], [1, 2, -3]):
        parts = {
            j: curve.multiply(sign * pow(weight, -1, N) % N, base)
            for j, sign, weight in zip((1, 2, 3), signs, weights, strict=True)
        }
        derivation = derive_key(parts, y, dataset_key)
        expected = curve.subtract(curve.multiply(sum(signs), base), curve.multiply(y, dataset_key))
        total = curve.add(curve.base_of(dataset_key)[0], curve.multiply(y))
        assert follow(harness, derivation, dataset_key, total) == expected == derivation.key


def test_derive_key__secrets__do_not_show_in_its_text():
    _, _, deliveries = deliver(5, 987654321, 1, 1, [1])
    parts = {1: deliveries[1][0]}
    assert "987654321" not in repr(derive_key(parts, 987654321, curve.multiply(5)))


def test_derive_key__part_that_contracts_cannot_take__is_refused():
    large = next(q for x in range(N, N + 100) if (q := curve.lift_x(x)) is not None)
    with pytest.raises(KeysError, match="no contract"):
        derive_key({1: large}, 9, curve.multiply(5))
