# SPDX-License-Identifier: Apache-2.0
"""Shamir sharing of a version's secret among custodians, and what anyone can check of it.

The secret is f(0) of a polynomial of degree t - 1; custodian j, counted from 1, holds f(j), and
everybody knows P_j = f(j) * G. (A. Shamir, "How to share a secret", 1979; public share keys as in
P. Feldman, "A practical scheme for non-interactive verifiable secret sharing", 1987.)
"""

from collections.abc import Sequence

from truthmark.errors import KeysError, ProofError
from truthmark.keys.curve import INFINITY, N, is_valid, multiply, random_scalar, total
from truthmark.types import Point

MAX_CUSTODIANS = 16
"""A map of custodians is 16 bits."""


def require_threshold(threshold: int, custodians: int) -> None:
    """Refuse t of n that a custody record cannot have.

    Raises:
        KeysError: Not 1 <= t and 2t - 1 <= n <= 16.
    """
    if threshold < 1 or not 2 * threshold - 1 <= custodians <= MAX_CUSTODIANS:
        raise KeysError(
            f"{threshold} of {custodians} custodians cannot share a key; choose 1 <= t, "
            f"2t - 1 <= n <= {MAX_CUSTODIANS}, for example 2 of 4"
        )


def deal(secret: int, threshold: int, custodians: int) -> list[int]:
    """Share a secret by a fresh random polynomial.

    Args:
        secret: The scalar s, 0 < s < N.
        threshold: How many shares (t) give the secret; fewer say nothing about it.
        custodians: How many shares (n) to make.

    Returns:
        The shares of custodians 1 to n. For t = 1 each is the secret itself; for more they are
        distinct, so that no sum of two share keys is degenerate.

    Raises:
        KeysError: The secret or t of n cannot be used.
    """
    require_threshold(threshold, custodians)
    if not 0 < secret < N:
        raise KeysError("the secret of a version must be a scalar from 1 to N - 1; pack again")
    while True:
        shares = _evaluate([secret, *(random_scalar() for _ in range(threshold - 1))], custodians)
        if _is_usable(shares, threshold):
            return shares


def _evaluate(coefficients: Sequence[int], custodians: int) -> list[int]:
    """Return f(1) to f(n) by Horner's rule."""
    shares = []
    for index in range(1, custodians + 1):
        value = 0
        for coefficient in reversed(coefficients):
            value = (value * index + coefficient) % N
        shares.append(value)
    return shares


def _is_usable(shares: Sequence[int], threshold: int) -> bool:
    """Whether contracts take the share keys: chance says no less than once in 2^120 dealings."""
    if 0 in shares or (threshold > 1 and len(set(shares)) < len(shares)):
        return False
    return all(is_valid(multiply(share)) for share in shares)


def check_dealing(dataset_key: Point, share_keys: Sequence[Point], threshold: int) -> None:
    """Check that any `threshold` of the shares give the dataset key's secret.

    P_1 to P_n lie on one polynomial of degree <= t - 1 that gives PK at 0 if and only if the points
    (0, PK), (1, P_1), ..., (n, P_n) are a word of a Reed-Solomon code, that is, orthogonal to all
    words of the dual code. We try one random dual word; a wrong dealing passes with probability
    1/N. (SCRAPE, I. Cascudo and B. David, 2017, lemma 1.)

    Args:
        dataset_key: PK of the version.
        share_keys: P_1 to P_n, in the custodians' order.
        threshold: t of the custody record.

    Raises:
        KeysError: t of n cannot be.
        ProofError: The dealing is wrong; the message says how.
    """
    require_threshold(threshold, len(share_keys))
    for name, point in [
        ("the dataset key", dataset_key),
        *((f"the share key of custodian {j}", q) for j, q in enumerate(share_keys, start=1)),
    ]:
        if not is_valid(point):
            raise ProofError(f"{name} is no usable point of secp256k1; do not accept this custody")
    if threshold > 1 and len(set(share_keys)) < len(share_keys):
        raise ProofError("two custodians have one share key; do not accept this custody")
    points = [dataset_key, *share_keys]
    # A random polynomial of degree <= (n + 1) - t - 1, evaluated at 0 to n.
    check = [random_scalar() for _ in range(len(points) - threshold)]
    values = [check[0], *_evaluate(check, len(share_keys))]
    weights = [value * _barycentric(i, len(points)) for i, value in enumerate(values)]
    if total(multiply(k, q) for k, q in zip(weights, points, strict=True)) != INFINITY:
        raise ProofError(
            f"the shares do not lie on one polynomial of degree {threshold - 1} through the "
            "dataset key; do not accept this custody"
        )


def _barycentric(i: int, count: int) -> int:
    """Return 1 / prod(i - m) mod N over all other m below `count`."""
    product = 1
    for m in range(count):
        if m != i:
            product = product * (i - m) % N
    return pow(product, -1, N)


def lagrange(indices: Sequence[int]) -> list[int]:
    """Return the coefficients with which shares at `indices` give the value at 0.

    lambda_j = prod m / (m - j) mod N over the other indices m.

    Raises:
        KeysError: An index is not from 1 to 16, or stands twice, or there is none.
    """
    if (
        not indices
        or len(set(indices)) < len(indices)
        or not all(1 <= j <= MAX_CUSTODIANS for j in indices)
    ):
        raise KeysError(
            f"shares of custodians {list(indices)} cannot be combined; name each once, from 1 to "
            f"{MAX_CUSTODIANS}"
        )
    coefficients = []
    for j in indices:
        numerator = denominator = 1
        for m in indices:
            if m != j:
                numerator = numerator * m % N
                denominator = denominator * (m - j) % N
        coefficients.append(numerator * pow(denominator, -1, N) % N)
    return coefficients


def combine(indices: Sequence[int], points: Sequence[Point]) -> Point:
    """Return the sum of lambda_j * points_j: f(0) * Q from the points f(j) * Q.

    Raises:
        KeysError: The indices cannot be used, or a point is not on the curve.
        ValueError: There are more indices than points, or fewer.
    """
    return total(multiply(k, q) for k, q in zip(lagrange(indices), points, strict=True))
