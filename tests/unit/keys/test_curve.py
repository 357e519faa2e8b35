# SPDX-License-Identifier: Apache-2.0
"""The curve against plain affine formulas; published multiples are in the contract's tests."""

import pytest
from eth_account import Account
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st

from truthmark.errors import KeysError
from truthmark.keys import curve
from truthmark.keys.curve import INFINITY, G, N, P
from truthmark.types import Point

scalars = st.integers(0, N - 1)
points = scalars.map(curve.multiply)


def plain_add(a: Point, b: Point) -> Point:
    """SEC 1, section 2.2.1, word for word."""
    if a == INFINITY:
        return b
    if b == INFINITY:
        return a
    if a.x == b.x and (a.y + b.y) % P == 0:
        return INFINITY
    if a == b:
        slope = 3 * a.x**2 * pow(2 * a.y, P - 2, P) % P
    else:
        slope = (b.y - a.y) * pow(b.x - a.x, P - 2, P) % P
    x = (slope**2 - a.x - b.x) % P
    return Point(x, (slope * (a.x - x) - a.y) % P)


def plain_multiply(k: int, q: Point) -> Point:
    result = INFINITY
    for bit in bin(k)[2:]:
        result = plain_add(result, result)
        if bit == "1":
            result = plain_add(result, q)
    return result


@given(points, points)
def test_add__any_points__follows_the_formula(a, b):
    assert curve.add(a, b) == plain_add(a, b)
    assert curve.add(a, a) == plain_add(a, a)
    assert curve.add(a, curve.negate(a)) == INFINITY
    assert curve.subtract(curve.add(a, b), b) == a


@given(scalars, points)
def test_multiply__any_scalar__follows_the_formula(k, q):
    assert curve.multiply(k, q) == plain_multiply(k, q)
    assert curve.multiply(k) == plain_multiply(k, G)


@given(points, points, st.integers(0, 2))
def test_slope__where_one_is_needed__gives_the_sum(a, b, case):
    b = [b, a, curve.negate(a)][case]
    slope = curve.slope(a, b)
    total = curve.add(a, b)
    if INFINITY in (a, b, total):
        assert slope == 0
    else:
        assert (slope**2 - a.x - b.x) % P == total.x
        assert (slope * (a.x - total.x) - a.y) % P == total.y


def test_multiply__multiple_of_the_order__is_infinity():
    for k in (0, N, -N):
        assert curve.multiply(k) == curve.multiply(k, curve.multiply(5)) == INFINITY
    assert curve.multiply(7, INFINITY) == INFINITY
    assert curve.multiply(-1) == curve.negate(G)


def test_total__of_nothing__is_infinity():
    assert curve.total([]) == INFINITY
    assert curve.total([G, G, curve.negate(G)]) == G


@pytest.mark.parametrize(
    "q", [Point(5, 1), Point(G.x, G.y + 1), Point(G.x, G.y + P), Point(P, 1), Point(-1, 1)]
)
def test_multiply__point_off_the_curve__is_refused(q):
    for k in (0, 1, 2):
        with pytest.raises(KeysError, match="not on secp256k1"):
            curve.multiply(k, q)
    for other in (G, INFINITY, curve.negate(q)):
        for a, b in ((q, other), (other, q)):
            with pytest.raises(KeysError, match="not on secp256k1"):
                curve.add(a, b)
    assert not curve.is_on_curve(q)
    with pytest.raises(KeysError, match="the test point"):
        curve.require_valid(q, "the test point")


def test_lift_x__any_x__is_the_even_point_or_none():
    found = 0
    for x in range(-2, 200):
        q = curve.lift_x(x)
        if q is None:
            # Euler's criterion: no root exists.
            assert x <= 0 or pow(x**3 + 7, (P - 1) // 2, P) == P - 1
        else:
            found += 1
            assert q.x == x
            assert q.y % 2 == 0
            assert curve.is_on_curve(q)
    assert found > 80
    assert curve.lift_x(P + 1) is None


def test_is_valid__x_from_n_to_p__is_refused():
    large = next(q for x in range(N, P) if (q := curve.lift_x(x)) is not None)
    assert curve.is_on_curve(large)
    assert not curve.is_valid(large)
    assert not curve.is_valid(INFINITY)


def test_address_of__public_key__is_the_account_of_its_secret():
    for secret in (1, 2, N - 1, 0xC0FFEE):
        account = Account.from_key(secret.to_bytes(32, "big"))
        assert curve.address_of(curve.multiply(secret)) == account.address.lower()


def test_base_of__many_keys__is_the_first_point_of_the_hashes():
    counters = []
    for k in range(1, 200):
        key = curve.multiply(k)
        base, counter = curve.base_of(key)
        counters.append(counter)
        for c in range(counter + 1):
            packed = b"tmk1/base" + key.x.to_bytes(32, "big") + key.y.to_bytes(32, "big")
            x = int.from_bytes(keccak(packed + bytes([c])), "big") % P
            assert (curve.lift_x(x) == base) == (c == counter)
    assert max(counters) > 2


def test_base_of__no_point__is_refused():
    with pytest.raises(KeysError, match="dataset key"):
        curve.base_of(INFINITY)


def test_random_scalar__many__are_in_range_and_differ():
    drawn = {curve.random_scalar() for _ in range(100)}
    assert len(drawn) == 100
    assert all(0 < k < N for k in drawn)
