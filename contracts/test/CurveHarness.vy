# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
"""
@title Curve Harness
@custom:contract-name CurveHarness
@license AGPL-3.0-only
@author The Truthmark authors
@notice Opens the internal functions of `secp256k1` to tests.
@custom:kill Holds nothing; stop calling it.
"""

from ..interfaces import ICurve
from ..modules import secp256k1


@external
@pure
def is_valid(q: ICurve.Point) -> bool:
    return secp256k1._is_valid(q)


@external
@pure
def generator() -> ICurve.Point:
    return secp256k1._generator()


@external
@pure
def address_of(q: ICurve.Point) -> address:
    return secp256k1._address(q)


@external
@pure
def negate(q: ICurve.Point) -> ICurve.Point:
    return secp256k1._negate(q)


@external
@pure
def add_distinct(a: ICurve.Point, b: ICurve.Point, slope: uint256) -> ICurve.Point:
    return secp256k1._add_distinct(a, b, slope)


@external
@pure
def add(a: ICurve.Point, b: ICurve.Point, slope: uint256) -> ICurve.Point:
    return secp256k1._add(a, b, slope)


@external
@pure
def is_multiple(k: uint256, q: ICurve.Point, result: ICurve.Point) -> bool:
    return secp256k1._is_multiple(k, q, result)


@external
@pure
def commitment(q: ICurve.Point, challenge: uint256, response: uint256) -> address:
    return secp256k1._commitment(q, challenge, response)


@external
@pure
def knows(context: bytes32, q: ICurve.Point, challenge: uint256, response: uint256) -> bool:
    return secp256k1._knows(context, q, challenge, response)


@external
@pure
def is_base(dataset_key: ICurve.Point, base: ICurve.Point, counter: uint8) -> bool:
    return secp256k1._is_base(dataset_key, base, counter)


@external
@view
def verify_delivery(
    market: address,
    purchase_id: bytes32,
    custodian: uint256,
    share_key: ICurve.Point,
    base: ICurve.Point,
    part: ICurve.Point,
    proof: ICurve.Proof,
) -> bool:
    return secp256k1._verify_delivery(market, purchase_id, custodian, share_key, base, part, proof)
