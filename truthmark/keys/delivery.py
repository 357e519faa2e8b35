# SPDX-License-Identifier: Apache-2.0
"""From verified deliveries to the key point, and what a contract needs to follow that path."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from truthmark.errors import KeysError
from truthmark.keys.curve import INFINITY, add, base_of, is_valid, multiply, negate, slope
from truthmark.keys.sharing import combine, lagrange
from truthmark.types import Point


def combine_key(shares: Mapping[int, Point], secret: int, dataset_key: Point) -> Point:
    """Return the key point K = sum of lambda_j * D_j - y * PK of one purchase.

    With t parts D_j = s_j * (B + y * G) the sum is s * B + y * PK.

    Args:
        shares: D_j of t custodians, by j.
        secret: y, the buyer's secret of this purchase.
        dataset_key: PK of the version.

    Raises:
        KeysError: The parts cannot be combined: none, a wrong j, or a point off the curve.
    """
    blinded = combine(list(shares), list(shares.values()))
    key = add(blinded, negate(multiply(secret, dataset_key)))
    if key == INFINITY:
        raise KeysError("the parts give no key; check that all are of this purchase")
    return key


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum of points as a contract follows it: term by term, one slope for each addition."""

    terms: tuple[Point, ...]
    slopes: tuple[int, ...]
    """slopes[i] adds terms[i + 1] to the sum so far; 0 where no slope is needed."""
    result: Point


def sum_of(terms: Sequence[Point]) -> Sum:
    """Add points from the left, and keep the slopes.

    Raises:
        KeysError: There is no term, or one is not on the curve.
    """
    if not terms:
        raise KeysError("a sum needs at least one point")
    result = terms[0]
    slopes = []
    for term in terms[1:]:
        slopes.append(slope(result, term))
        result = add(result, term)
    return Sum(tuple(terms), tuple(slopes), result)


@dataclass(frozen=True, slots=True)
class KeyDerivation:
    """K step by step, for the contract that decides a complaint: every witness it cannot compute.

    The contract checks each multiple and follows `blinded`, then takes `mask` off:
    y * G, B + y * G; lambda_j * D_j and their sum; y * PK; the sum minus y * PK.
    """

    custodians: tuple[int, ...]
    """j of each delivery, ascending."""
    coefficients: tuple[int, ...]
    """lambda_j"""
    buyer_key: Point
    """Y = y * G"""
    base: Point
    """B"""
    base_counter: int
    """with which B is hashed from PK"""
    base_slope: int
    """of B + Y"""
    purchase_base: Point
    """U = B + Y"""
    blinded: Sum
    """over lambda_j * D_j"""
    mask: Point
    """y * PK"""
    mask_slope: int
    """of the sum and -y * PK"""
    key: Point
    """K"""


def derive_key(shares: Mapping[int, Point], secret: int, dataset_key: Point) -> KeyDerivation:
    """Combine the deliveries of one purchase with all that a contract needs to check it.

    Args:
        shares: D_j of t custodians, by j.
        secret: y, the buyer's secret of this purchase.
        dataset_key: PK of the version.

    Raises:
        KeysError: The parts cannot be combined, or a contract could not use one of the points.
    """
    custodians = tuple(sorted(shares))
    coefficients = tuple(lagrange(custodians))
    blinded = sum_of(
        [multiply(k, shares[j]) for k, j in zip(coefficients, custodians, strict=True)]
    )
    base, counter = base_of(dataset_key)
    buyer_key = multiply(secret)
    mask = multiply(secret, dataset_key)
    minus_mask = negate(mask)
    derivation = KeyDerivation(
        custodians=custodians,
        coefficients=coefficients,
        buyer_key=buyer_key,
        base=base,
        base_counter=counter,
        base_slope=slope(base, buyer_key),
        purchase_base=add(base, buyer_key),
        blinded=blinded,
        mask=mask,
        mask_slope=slope(blinded.result, minus_mask),
        key=add(blinded.result, minus_mask),
    )
    if not all(map(is_valid, (buyer_key, mask, *blinded.terms))):
        raise KeysError("a contract cannot follow this derivation; ask for a refund instead")
    return derivation
