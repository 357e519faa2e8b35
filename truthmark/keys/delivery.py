# SPDX-License-Identifier: Apache-2.0
"""From verified deliveries to the key point, and what a contract needs to follow that path."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from truthmark.errors import KeysError
from truthmark.keys.curve import INFINITY, add, base_of, is_valid, multiply, negate, slope
from truthmark.keys.sharing import combine, lagrange
from truthmark.types import Point


def combine_key(parts: Mapping[int, Point], secret: int, dataset_key: Point) -> Point:
    """Return the key point K = sum of lambda_j * D_j - y * PK of one purchase.

    With t parts D_j = s_j * (B + y * G) the sum is s * B + y * PK.

    Args:
        parts: D_j of t custodians, by j.
        secret: y, the buyer's secret of this purchase.
        dataset_key: PK of the version.

    Raises:
        KeysError: The parts cannot be combined: none, a wrong j, or a point off the curve.
    """
    blinded = combine(list(parts), list(parts.values()))
    key = add(blinded, negate(multiply(secret, dataset_key)))
    if key == INFINITY:
        raise KeysError("the parts give no key; check that all are of this purchase")
    return key


def purchase_base(dataset_key: Point, buyer_key: Point) -> tuple[Point, int]:
    """Return U = B + Y, which a purchase commits to, and the slope with which `buy` computes it.

    Raises:
        KeysError: No contract would take this pair (once in 2^127); buy with another salt.
    """
    base, _ = base_of(dataset_key)
    total = add(base, buyer_key)
    if not is_valid(buyer_key) or base.x == buyer_key.x or not is_valid(total):
        raise KeysError("this buyer key does not go with the dataset; buy with another salt")
    return total, slope(base, buyer_key)


class WeightedPart(NamedTuple):
    """The contracts' `struct WeightedPart`: one delivery, weighted for the sum."""

    custodian: int
    """j, counted from 1; the contracts' `index`"""
    part: Point
    """D_j"""
    weight: int
    """lambda_j"""
    weighted: Point
    """lambda_j * D_j"""
    slope: int
    """of the sum so far and `weighted`; 0 for the first part and where none is needed"""


@dataclass(frozen=True, slots=True)
class Derivation:
    """K step by step: the fields of the contracts' `struct Evidence`, save the shard, and K."""

    secret: int = field(repr=False)
    """y; anyone who knows it and the deliveries can open the data"""
    buyer_key: Point
    """Y = y * G"""
    buyer_slope: int
    """of B + Y"""
    blinding: Point
    """y * PK"""
    parts: tuple[WeightedPart, ...]
    """in the order of their delivery"""
    key_slope: int
    """of the parts' sum and -y * PK"""
    key: Point
    """K"""


def derive_key(parts: Mapping[int, Point], secret: int, dataset_key: Point) -> Derivation:
    """Combine the parts of one purchase with all that a contract needs to check it.

    Args:
        parts: D_j of t custodians, by j, in the order in which they were delivered: the contract
            has noted a hash of them in that order.
        secret: y, the buyer's secret of this purchase.
        dataset_key: PK of the version.

    Raises:
        KeysError: The parts cannot be combined, or a contract could not use one of the points.
    """
    indices = list(parts)
    steps: list[WeightedPart] = []
    total = INFINITY
    for index, weight in zip(indices, lagrange(indices), strict=True):
        part = parts[index]
        weighted = multiply(weight, part)
        steps.append(WeightedPart(index, part, weight, weighted, slope(total, weighted)))
        total = add(total, weighted)
    buyer_key = multiply(secret)
    _, buyer_slope = purchase_base(dataset_key, buyer_key)
    blinding = multiply(secret, dataset_key)
    if not all(map(is_valid, (blinding, *(step.weighted for step in steps)))):
        raise KeysError("no contract can follow this derivation; ask for another purchase")
    return Derivation(
        secret=secret,
        buyer_key=buyer_key,
        buyer_slope=buyer_slope,
        blinding=blinding,
        parts=tuple(steps),
        key_slope=slope(total, negate(blinding)),
        key=add(total, negate(blinding)),
    )
