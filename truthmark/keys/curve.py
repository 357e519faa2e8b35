# SPDX-License-Identifier: Apache-2.0
"""Arithmetic on secp256k1, as `contracts/modules/secp256k1.vy` checks it.

Multiplication is libsecp256k1's through coincurve. Its `multiply` is not constant-time for
points other than the generator, so do not let strangers time it closely with one secret.

Domain parameters: SEC 2, version 2, section 2.4.1.
"""

import secrets
from collections.abc import Iterable
from functools import reduce
from typing import Final

from coincurve import PrivateKey, PublicKey

from truthmark.errors import KeysError
from truthmark.hashing import keccak256
from truthmark.keys.abi_hash import word
from truthmark.types import Point

P: Final = 2**256 - 2**32 - 977
"""The prime of the field."""
N: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""The order of the group."""
G: Final = Point(
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)
INFINITY: Final = Point(0, 0)
"""Stands for the point at infinity; (0, 0) is not on the curve."""


def is_on_curve(q: Point) -> bool:
    """Whether `q` is a point of the curve in canonical coordinates; infinity is not."""
    return 0 <= q.x < P and 0 <= q.y < P and (q.y * q.y - q.x**3 - 7) % P == 0


def is_valid(q: Point) -> bool:
    """Whether contracts take `q`: on the curve, with an x from 1 to N - 1 (for `ecrecover`)."""
    return 0 < q.x < N and is_on_curve(q)


def require_valid(q: Point, name: str) -> None:
    """Refuse a point that contracts would not take.

    Raises:
        KeysError: `q` is not valid; the message calls it `name`.
    """
    if not is_valid(q):
        raise KeysError(f"{name} is no usable point of secp256k1; it was not made by Truthmark")


def random_scalar() -> int:
    """Return a uniform scalar from 1 to N - 1 from the system's randomness."""
    return 1 + secrets.randbelow(N - 1)


def multiply(k: int, q: Point = G) -> Point:
    """Return k * q; infinity when k is a multiple of N or q is infinity.

    Raises:
        KeysError: `q` is not on the curve.
    """
    _require_on_curve(q)
    scalar = k % N
    if scalar == 0 or q == INFINITY:
        return INFINITY
    encoded = scalar.to_bytes(32, "big")
    if q == G:
        return Point(*PrivateKey(encoded).public_key.point())
    return Point(*PublicKey.from_point(q.x, q.y).multiply(encoded).point())


def negate(q: Point) -> Point:
    """Return -q."""
    return Point(q.x, -q.y % P)


def add(a: Point, b: Point) -> Point:
    """Return a + b; doubling, opposite points and infinity included.

    Raises:
        KeysError: A point is not on the curve.
    """
    _require_on_curve(a)
    _require_on_curve(b)
    if a == INFINITY:
        return b
    if b == INFINITY:
        return a
    if a.x == b.x and a.y != b.y:
        return INFINITY
    keys = [PublicKey.from_point(q.x, q.y) for q in (a, b)]
    return Point(*PublicKey.combine_keys(keys).point())


def subtract(a: Point, b: Point) -> Point:
    """Return a - b."""
    return add(a, negate(b))


def total(points: Iterable[Point]) -> Point:
    """Return the sum of `points`; infinity when there are none."""
    return reduce(add, points, INFINITY)


def slope(a: Point, b: Point) -> int:
    """Return the witness with which a contract computes a + b.

    Returns:
        The slope of the line through `a` and `b`, of the tangent when they are equal, and 0 where
        the sum needs none (a point is infinity, or they are opposite).
    """
    if INFINITY in (a, b) or (a.x == b.x and a.y != b.y):
        return 0
    if a == b:
        return 3 * a.x * a.x * pow(2 * a.y, -1, P) % P
    return (b.y - a.y) * pow(b.x - a.x, -1, P) % P


def lift_x(x: int) -> Point | None:
    """Return the point with this x and an even y, or None where there is none."""
    if not 0 <= x < P:
        return None
    square = (pow(x, 3, P) + 7) % P
    # P = 3 mod 4, so a root, if there is one, is this power.
    y = pow(square, (P + 1) // 4, P)
    if y * y % P != square:
        return None
    return Point(x, P - y if y & 1 else y)


def address_of(q: Point) -> str:
    """Return the lower-case hex address of an account with the public key `q`."""
    return "0x" + keccak256(word(q))[12:].hex()


def base_of(dataset_key: Point) -> tuple[Point, int]:
    """Hash a dataset key to its base point B, whose logarithm nobody knows.

    x = keccak256("tmk1/base" || x || y || u8 counter) mod P for the first counter that gives a
    point with 0 < x < N; y is even (docs/format.md).

    Returns:
        The base and its counter, which a contract needs to check it.

    Raises:
        KeysError: `dataset_key` is not valid. (That 256 counters fail happens once in 2^256 keys.)
    """
    require_valid(dataset_key, "the dataset key")
    for counter in range(256):
        digest = keccak256(b"tmk1/base" + word(dataset_key) + bytes([counter]))
        base = lift_x(int.from_bytes(digest, "big") % P)
        if base is not None and is_valid(base):
            return base, counter
    raise KeysError("no base point belongs to this dataset key; pack again with another secret")


def _require_on_curve(q: Point) -> None:
    if q != INFINITY and not is_on_curve(q):
        raise KeysError("a point is not on secp256k1; it was not made by Truthmark")
