# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Checked Arithmetic on secp256k1
@custom:contract-name secp256k1
@license AGPL-3.0-only
@author The Truthmark authors
@notice Checks multiples, sums and proofs of equal logarithms at the price of a few `ecrecover`s.
@dev The EVM cannot multiply on this curve, but `ecrecover(e, v, r, s)` returns the address of
     (s*R - e*G) / r, where R is the point with x = r and the parity that v names. With r = q.x that
     gives the address of any a*q + b*G. So the caller brings the point, and we compare addresses.

     Two rules follow. A point's x must lie in 0 < x < N: the precompile takes r for a scalar
     and refuses anything else, although 2^128 or so points of the curve have an x from N to P.
     And it reads only the parity of y: whoever passes a point on to others must check that it
     is on the curve (`_is_valid`), or (x, y') with a wrong y' of the same parity would pass.

     An address is 160 bits, and two lists of 2^80 addresses have one in common. So wherever a
     caller could choose both sides, both are first shifted by a hash of all that was claimed:
     then no two claims share a comparison, and cheating takes 2^160 tries.

     The precompile returns nothing for what it cannot compute (r or s out of range, r not on the
     curve, the result at infinity); Vyper then gives the zero address, tested for everywhere.
"""

from ..interfaces import ICurve

# ---------------------------------------------------------------- constants

# The prime of the field, the order of the group, the generator.
P: constant(uint256) = 115792089237316195423570985008687907853269984665640564039457584007908834671663
N: constant(uint256) = 115792089237316195423570985008687907852837564279074904382605163141518161494337
G_X: constant(uint256) = 55066263022277343669578718895168534326250603453777594175500187360389116729240
G_Y: constant(uint256) = 32670510020758816978083085130507043184471273380659243275938904335757337482424

DELIVERY_TAG: constant(bytes32) = keccak256("truthmark/delivery/1")

ADDRESS_MASK: constant(uint256) = 2**160 - 1

# ------------------------------------------------------------------- points


@internal
@pure
def _generator() -> ICurve.Point:
    return ICurve.Point(x=G_X, y=G_Y)


@internal
@pure
def _is_valid(q: ICurve.Point) -> bool:
    # On the curve, in canonical coordinates, and with an x that `ecrecover` takes for an r.
    # x = 0 is on no point, since 7 is not a square, so infinity is refused too. Neither is y = 0:
    # -7 has no cube root, so no point is its own negative.
    return (
        q.x < N
        and q.y < P
        and uint256_mulmod(q.y, q.y, P)
        == uint256_addmod(uint256_mulmod(uint256_mulmod(q.x, q.x, P), q.x, P), 7, P)
    )


@internal
@pure
def _is_infinity(q: ICurve.Point) -> bool:
    return q.x == 0 and q.y == 0


@internal
@pure
def _address(q: ICurve.Point) -> address:
    # The address of an account with the public key q.
    return convert(convert(keccak256(abi_encode(q)), uint256) & ADDRESS_MASK, address)


@internal
@pure
def _negate(q: ICurve.Point) -> ICurve.Point:
    # No point has y = 0, so P - y stays below P, except for infinity, which is its own negative.
    if q.y == 0:
        return q
    return ICurve.Point(x=q.x, y=P - q.y)


@internal
@pure
def _add_distinct(a: ICurve.Point, b: ICurve.Point, slope: uint256) -> ICurve.Point:
    # a + b for points of the curve (the caller has checked) that are neither equal nor opposite.
    # With equal x every slope would satisfy the equation below when the y are equal too,
    # and so the caller could choose the sum.
    assert a.x != b.x, "curve: equal x"
    # Coordinates of points on the curve are below P, so none of these differences wraps.
    minus_ax: uint256 = unsafe_sub(P, a.x)
    minus_ay: uint256 = unsafe_sub(P, a.y)
    assert uint256_mulmod(slope, uint256_addmod(b.x, minus_ax, P), P) == uint256_addmod(
        b.y, minus_ay, P
    ), "curve: wrong slope"
    return self._third(a, b.x, slope)


@internal
@pure
def _add(a: ICurve.Point, b: ICurve.Point, slope: uint256) -> ICurve.Point:
    # a + b for any two points, infinity and equal ones included; each is on the curve or (0, 0).
    # Where the sum needs no slope, it is not looked at.
    if self._is_infinity(a):
        return b
    if self._is_infinity(b):
        return a
    if a.x != b.x:
        return self._add_distinct(a, b, slope)
    if a.y != b.y:
        # Same x, other y: opposite points.
        return ICurve.Point(x=0, y=0)
    # The tangent: slope * 2y = 3x^2. y is not 0, so there is exactly one.
    assert uint256_mulmod(slope, uint256_addmod(a.y, a.y, P), P) == uint256_mulmod(
        3, uint256_mulmod(a.x, a.x, P), P
    ), "curve: wrong tangent"
    return self._third(a, a.x, slope)


@internal
@pure
def _third(a: ICurve.Point, b_x: uint256, slope: uint256) -> ICurve.Point:
    # The sum of two points from the first, the other's x, and the slope of their line.
    # All x are below P; x is reduced by addmod; so no difference wraps.
    x: uint256 = uint256_addmod(
        uint256_addmod(uint256_mulmod(slope, slope, P), unsafe_sub(P, a.x), P),
        unsafe_sub(P, b_x),
        P,
    )
    y: uint256 = uint256_addmod(
        uint256_mulmod(slope, uint256_addmod(a.x, unsafe_sub(P, x), P), P),
        unsafe_sub(P, a.y),
        P,
    )
    return ICurve.Point(x=x, y=y)


@internal
@pure
def _is_multiple(k: uint256, q: ICurve.Point, result: ICurve.Point) -> bool:
    # Whether k*q == result, for points that the caller may have chosen. False for k = 0 mod N:
    # infinity is no valid result.
    #
    # We compare k*q + e*G with result + e*G, where e hashes the claim. Without e, somebody who
    # tries 2^80 k (say, buyer keys, before he buys) and 2^80 results finds two with one address.
    if not self._is_valid(q) or not self._is_valid(result):
        return False
    offset: uint256 = convert(keccak256(abi_encode(k, q, result)), uint256)
    left: address = self._combination(q, uint256_mulmod(k, q.x, N), offset)
    return left != empty(address) and left == self._combination(result, result.x, offset)


@internal
@pure
def _combination(q: ICurve.Point, scaled: uint256, addend: uint256) -> address:
    # The address of k*q + a*G, for scaled = k*q.x mod N: r = q.x, s = k*q.x, e = -a*q.x.
    # Zero for k = 0 mod N, as the precompile refuses s = 0, and at infinity.
    # mulmod is below N, so no difference wraps; e = N stands for 0, as the precompile reduces e.
    return ecrecover(
        convert(unsafe_sub(N, uint256_mulmod(addend, q.x, N)), bytes32),
        27 + (q.y & 1),
        q.x,
        scaled,
    )


@internal
@pure
def _is_bound_multiple(k: uint256, q: ICurve.Point, result: ICurve.Point) -> bool:
    # Whether k*q == result, at half the price, where q is valid and a challenge already binds k*q:
    # of the two sides, only `result` is free then, and the 2^160 tries are needed anyway.
    # r = q.x, s = k*q.x, e = 0. A result that passes is on the curve: it hashes to the address of a
    # point that is.
    recovered: address = ecrecover(
        empty(bytes32), 27 + (q.y & 1), q.x, uint256_mulmod(k, q.x, N)
    )
    return recovered != empty(address) and recovered == self._address(result)


# ------------------------------------------------------------------- proofs


@internal
@pure
def _commitment(q: ICurve.Point, challenge: uint256, response: uint256) -> address:
    # The address of z*G - c*q. Zero when q.x is no valid r, at infinity, and for c = 0 mod N
    # (s = N is refused), so a proof without a challenge proves nothing. mulmod is below N.
    return self._combination(q, unsafe_sub(N, uint256_mulmod(challenge, q.x, N)), response)


@internal
@pure
def _knows(context: bytes32, q: ICurve.Point, challenge: uint256, response: uint256) -> bool:
    # A Schnorr proof, made for `context`, that its author knows the logarithm of q. q is in the
    # hash, so it cannot be chosen after the challenge. c < N follows from the comparison. z counts
    # mod N; whoever wants one that fits a word twice tries 2^128 nonces, and gains nothing.
    if not self._is_valid(q):
        return False
    commitment: address = self._commitment(q, challenge, response)
    return commitment != empty(address) and challenge == (
        convert(keccak256(abi_encode(context, q, commitment)), uint256) % N
    )


@internal
@pure
def _is_base(dataset_key: ICurve.Point, base: ICurve.Point, counter: uint8) -> bool:
    # Whether `base` is hashed from the dataset key, so that nobody knows its logarithm and nobody
    # chose it. That `counter` is the first that gives a point is for clients to check:
    # a later one gives a point just as unknown.
    if base.y & 1 != 0 or not self._is_valid(base):
        return False
    return base.x == (
        convert(
            keccak256(
                concat(
                    b"tmk1/base",
                    convert(dataset_key.x, bytes32),
                    convert(dataset_key.y, bytes32),
                    convert(counter, bytes1),
                )
            ),
            uint256,
        )
        % P
    )


@internal
@view
def _verify_delivery(
    market: address,
    purchase_id: bytes32,
    custodian: uint256,
    share_key: ICurve.Point,
    base: ICurve.Point,
    share: ICurve.Point,
    proof: ICurve.Proof,
) -> bool:
    # Whether share = s*base for the s with share_key = s*G (Chaum-Pedersen). `custodian` counts
    # from 1. The caller has made sure that share_key and base are valid, by comparing
    # them with what was checked when it was committed to. False for a false proof; witnesses that
    # give no sum revert with the reason of `_add_distinct`.
    #
    # The share comes from the caller and is handed on to the buyer: it must be on the curve, not
    # only share x and parity with a point that is.
    if not self._is_valid(share):
        return False
    # A1 = z*G - c*P_j; only its address is known here, so only its address is in the hash. For a
    # share key that is no point it would be zero whatever z is, and so anybody's proof would hold.
    commitment: address = self._commitment(share_key, proof.challenge, proof.response)
    if commitment == empty(address):
        return False
    # A2 = z*U - c*D_j; both terms are checked, so the sum is on the curve.
    if not self._is_bound_multiple(proof.response, base, proof.scaled_base):
        return False
    if not self._is_bound_multiple(proof.challenge, share, proof.scaled_share):
        return False
    second: ICurve.Point = self._add_distinct(
        proof.scaled_base, self._negate(proof.scaled_share), proof.slope
    )
    # Everything that the statement is about is in the hash: a proof counts for one chain, market,
    # purchase, custodian, key, base and share.
    return proof.challenge == (
        convert(
            keccak256(
                abi_encode(
                    DELIVERY_TAG,
                    chain.id,
                    market,
                    purchase_id,
                    custodian,
                    share_key,
                    base,
                    share,
                    commitment,
                    second,
                )
            ),
            uint256,
        )
        % N
    )
