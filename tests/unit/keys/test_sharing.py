# SPDX-License-Identifier: Apache-2.0
"""Dealings that hold, and every way in which one can be wrong."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truthmark.errors import KeysError, ProofError
from truthmark.keys import curve, sharing
from truthmark.keys.curve import INFINITY, G, N
from truthmark.types import Point

# All t of n that a custody record can have.
RECORDS = [(t, n) for n in range(1, 17) for t in range(1, (n + 1) // 2 + 1)]
records = st.sampled_from(RECORDS)
scalars = st.integers(1, N - 1)


def keys_of(shares: list[int]) -> list[Point]:
    return [curve.multiply(share) for share in shares]


@pytest.mark.parametrize(("threshold", "custodians"), RECORDS)
def test_deal__every_record__passes_the_check(threshold, custodians):
    secret = curve.random_scalar()
    shares = sharing.deal(secret, threshold, custodians)
    assert len(shares) == custodians
    sharing.check_dealing(curve.multiply(secret), keys_of(shares), threshold)
    assert len(set(shares)) == (1 if threshold == 1 else custodians)


@given(scalars, records, st.randoms(use_true_random=False))
def test_combine__any_t_shares__give_the_secret_times_the_point(secret, record, random):
    threshold, custodians = record
    shares = sharing.deal(secret, threshold, custodians)
    indices = random.sample(range(1, custodians + 1), threshold)
    weights = sharing.lagrange(indices)
    assert sum(w * shares[j - 1] for w, j in zip(weights, indices, strict=True)) % N == secret
    q = curve.multiply(random.randrange(1, N))
    parts = [curve.multiply(shares[j - 1], q) for j in indices]
    assert sharing.combine(indices, parts) == curve.multiply(secret, q)


def test_combine__every_t_of_a_small_dealing__agrees():
    secret = curve.random_scalar()
    shares = sharing.deal(secret, 3, 6)
    for indices in combinations(range(1, 7), 3):
        parts = [curve.multiply(shares[j - 1]) for j in indices]
        assert sharing.combine(indices, parts) == curve.multiply(secret)


def test_combine__fewer_than_t_shares__give_something_else():
    secret = curve.random_scalar()
    shares = sharing.deal(secret, 3, 6)
    for count in (1, 2):
        for indices in combinations(range(1, 7), count):
            parts = [curve.multiply(shares[j - 1]) for j in indices]
            assert sharing.combine(indices, parts) != curve.multiply(secret)


def test_deal__twice__draws_a_fresh_polynomial():
    first, second = sharing.deal(7, 2, 4), sharing.deal(7, 2, 4)
    assert not set(first) & set(second)


@pytest.mark.parametrize(
    ("threshold", "custodians"), [(0, 1), (-1, 3), (2, 2), (3, 4), (9, 16), (1, 17), (1, 0)]
)
def test_deal__impossible_record__is_refused(threshold, custodians):
    with pytest.raises(KeysError, match="cannot share a key"):
        sharing.deal(5, threshold, custodians)
    with pytest.raises(KeysError, match="cannot share a key"):
        sharing.check_dealing(G, [G] * custodians, threshold)


@pytest.mark.parametrize("secret", [0, N, -1])
def test_deal__secret_out_of_range__is_refused(secret):
    with pytest.raises(KeysError, match="scalar"):
        sharing.deal(secret, 2, 4)


@pytest.mark.parametrize("degenerate", [[0], [5, 5], [3]])
def test_deal__degenerate_draw__is_drawn_again(monkeypatch, degenerate):
    # Coefficients of f(x) = 7 + a x (+ b x^2) that give equal shares or the share 0: a = 0 makes
    # all equal; for a = -7 the first is 0.
    draws = {1: [0], 2: [N - 7], 3: [0, 0]}[degenerate[0] if degenerate == [3] else len(degenerate)]
    threshold = len(draws) + 1
    good = [11, 13][: len(draws)]
    queue = [*draws, *good]
    monkeypatch.setattr(sharing, "random_scalar", lambda: queue.pop(0))
    shares = sharing.deal(7, threshold, 2 * threshold - 1)
    assert not queue
    expected = [(7 + sum(c * j ** (i + 1) for i, c in enumerate(good))) % N for j in range(1, 6)]
    assert shares == expected[: len(shares)]


@given(records.filter(lambda r: r[0] < r[1]), st.data())
def test_check_dealing__one_share_key_changed__is_refused(record, data):
    threshold, custodians = record
    secret = curve.random_scalar()
    keys = keys_of(sharing.deal(secret, threshold, custodians))
    j = data.draw(st.integers(0, custodians - 1))
    change = data.draw(st.sampled_from(["negated", "plus G", "doubled"]))
    keys[j] = {
        "negated": curve.negate(keys[j]),
        "plus G": curve.add(keys[j], G),
        "doubled": curve.multiply(2, keys[j]),
    }[change]
    with pytest.raises(ProofError, match="polynomial"):
        sharing.check_dealing(curve.multiply(secret), keys, threshold)


@pytest.mark.parametrize(("threshold", "custodians"), RECORDS)
def test_check_dealing__degree_one_too_high__is_refused(threshold, custodians):
    secret = curve.random_scalar()
    coefficients = [secret, *(curve.random_scalar() for _ in range(threshold))]
    keys = keys_of(sharing._evaluate(coefficients, custodians))
    with pytest.raises(ProofError, match="polynomial"):
        sharing.check_dealing(curve.multiply(secret), keys, threshold)


def test_check_dealing__of_another_secret__is_refused():
    keys = keys_of(sharing.deal(5, 2, 4))
    sharing.check_dealing(curve.multiply(5), keys, 2)
    with pytest.raises(ProofError, match="polynomial"):
        sharing.check_dealing(curve.multiply(6), keys, 2)


def test_check_dealing__share_keys_in_another_order__is_refused():
    keys = keys_of(sharing.deal(5, 2, 4))
    with pytest.raises(ProofError, match="polynomial"):
        sharing.check_dealing(curve.multiply(5), [keys[1], keys[0], *keys[2:]], 2)


def test_check_dealing__constant_polynomial__is_refused_above_one():
    keys = [curve.multiply(5)] * 4
    sharing.check_dealing(curve.multiply(5), keys, 1)
    with pytest.raises(ProofError, match="two custodians have one share key"):
        sharing.check_dealing(curve.multiply(5), keys, 2)


def test_check_dealing__two_equal_share_keys__is_refused():
    # f(x) = (x - 1)(x - 2) + 5 has f(1) = f(2): a true dealing of degree 2, but degenerate.
    keys = keys_of(sharing._evaluate([7, N - 3, 1], 5))
    with pytest.raises(ProofError, match="two custodians have one share key"):
        sharing.check_dealing(curve.multiply(7), keys, 3)


@pytest.mark.parametrize("bad", ["infinity", "off the curve", "large x"])
def test_check_dealing__unusable_point__is_refused(bad):
    large = next(q for x in range(N, N + 100) if (q := curve.lift_x(x)) is not None)
    point = {"infinity": INFINITY, "off the curve": Point(5, 1), "large x": large}[bad]
    keys = keys_of(sharing.deal(5, 2, 4))
    with pytest.raises(ProofError, match="custodian 3"):
        sharing.check_dealing(curve.multiply(5), [*keys[:2], point, keys[3]], 2)
    with pytest.raises(ProofError, match="the dataset key"):
        sharing.check_dealing(point, keys, 2)


@pytest.mark.parametrize("indices", [[], [0], [17], [1, 1], [-1, 2]])
def test_lagrange__unusable_indices__are_refused(indices):
    with pytest.raises(KeysError, match="cannot be combined"):
        sharing.lagrange(indices)


def test_combine__points_missing__is_refused():
    with pytest.raises(ValueError, match="zip"):
        sharing.combine([1, 2], [G])
