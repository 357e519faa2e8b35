# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
# pragma nonreentrancy on
"""
@title Delivery Proofs
@custom:contract-name DeliveryProofs
@license AGPL-3.0-only
@author The Truthmark authors
@notice Decides whether a delivered key fails to open a shard that the seller committed to.
@dev Stateless: it says what follows from its arguments. That they are those of a purchase, the
     market checks.
@custom:security Nothing is stored, no money is held, nobody has rights.
@custom:kill Nothing to stop.
"""

from .interfaces import ICurve
from .interfaces import IDatasetRegistry
from .interfaces import IDeliveryProofs

implements: IDeliveryProofs

from .modules import merkle
from .modules import records
from .modules import secp256k1

# ------------------------------------------------------------------- anyone


@external
@view
def wrong_key(
    terms: IDatasetRegistry.Terms,
    base: ICurve.Point,
    parts_hash: uint256,
    evidence: IDeliveryProofs.Evidence,
) -> ICurve.Point:
    """
    @notice Compute the key point from delivered parts; revert unless it fails the shard.
    @param terms The version's terms.
    @param base U of the purchase.
    @param parts_hash What the market noted of the parts that it verified.
    @param evidence The parts, the buyer's secret, the shard.
    @return The key point K.
    """
    key: ICurve.Point = self._key_point(terms, base, parts_hash, evidence)
    shard: IDeliveryProofs.Shard = evidence.shard
    assert merkle._verify(
        terms.root,
        terms.shard_count,
        shard.index,
        merkle._shard_leaf(shard.index, shard.ciphertext_hash, shard.key_hash, shard.wrap),
        shard.path,
    ), "proofs: shard not committed"
    assert self._shard_key_hash(key, shard) != shard.key_hash, "proofs: key opens the shard"
    return key


# ---------------------------------------------------------------- internals


@internal
@view
def _key_point(
    terms: IDatasetRegistry.Terms,
    base: ICurve.Point,
    parts_hash: uint256,
    evidence: IDeliveryProofs.Evidence,
) -> ICurve.Point:
    # K = sum of weight_j*D_j - y*PK, every term checked. A seller can deal so that terms coincide
    # or cancel; the additions handle it, or they could make a dispute impossible.
    # The parts are those that the market verified and noted: t of t custodians, 1 <= j <= 16.
    noted: uint256 = 0
    for entry: IDeliveryProofs.WeightedPart in evidence.parts:
        noted = records._with_part(noted, entry.index, entry.part)
    assert noted == parts_hash, "proofs: not what was delivered"

    total: ICurve.Point = empty(ICurve.Point)
    for entry: IDeliveryProofs.WeightedPart in evidence.parts:
        assert self._is_weight(entry.weight, entry.index, evidence.parts), "proofs: wrong weight"
        # A weight is never 0 mod N, so the multiple is a point.
        assert secp256k1._is_multiple(
            entry.weight, entry.part, entry.weighted
        ), "proofs: wrong multiple"
        total = secp256k1._add(total, entry.weighted, entry.slope)
    # y is the purchase's: B + y*G = U.
    assert secp256k1._is_multiple(
        evidence.secret, secp256k1._generator(), evidence.buyer_key
    ), "proofs: wrong buyer key"
    sum: ICurve.Point = secp256k1._add_distinct(
        terms.base, evidence.buyer_key, evidence.buyer_slope
    )
    assert sum.x == base.x and sum.y == base.y, "proofs: not the buyer's secret"
    assert secp256k1._is_multiple(
        evidence.secret, terms.public_key, evidence.blinding
    ), "proofs: wrong blinding"
    return secp256k1._add(total, secp256k1._negate(evidence.blinding), evidence.key_slope)


@internal
@pure
def _is_weight(
    weight: uint256, index: uint256, parts: DynArray[IDeliveryProofs.WeightedPart, 8]
) -> bool:
    # weight = product over the other parts m of m / (m - index), mod N: the Lagrange coefficient
    # at 0 (Shamir 1979). Multiplied out, so that nothing is inverted here.
    numerator: uint256 = 1
    denominator: uint256 = 1
    for entry: IDeliveryProofs.WeightedPart in parts:
        if entry.index == index:
            continue
        numerator = uint256_mulmod(numerator, entry.index, secp256k1.N)
        # Indices are at most 16; N + m - index is positive.
        denominator = uint256_mulmod(denominator, secp256k1.N + entry.index - index, secp256k1.N)
    return weight < secp256k1.N and uint256_mulmod(weight, denominator, secp256k1.N) == numerator


@internal
@pure
def _shard_key_hash(key: ICurve.Point, shard: IDeliveryProofs.Shard) -> bytes32:
    # sha256(K_i) as docs/format.md derives it from the key point.
    cek: bytes32 = sha256(concat(b"tmk1/cek", convert(key.x, bytes32), convert(key.y, bytes32)))
    index: bytes4 = convert(convert(shard.index, uint32), bytes4)
    if shard.wrap == empty(bytes32):
        return sha256(sha256(concat(b"tmk1/shard", cek, index)))
    mask: bytes32 = sha256(concat(b"tmk1/wrap", cek, index, shard.ciphertext_hash))
    return sha256(convert(convert(shard.wrap, uint256) ^ convert(mask, uint256), bytes32))
