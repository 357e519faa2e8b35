# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title The Order of a Round
@custom:contract-name permutation
@license AGPL-3.0-only
@author The Truthmark authors
@notice At which place of a round an item stands: a keyed permutation of [0, count).
@dev docs/bounties.md, "The order of a round". A Feistel network over Z_a x Z_b with a = ceil(sqrt(count))
     and b = ceil(count / a), so that a * b < count + a and hardly any item walks on. The seed is public: it
     shuffles, it hides nothing.
"""

# ---------------------------------------------------------------- constants

MAX_ITEMS: constant(uint256) = 2**24 - 1
# Values of [0, a * b) that are no item: fewer than a, which is at most 2^12. Who leaves [0, count)
# meets each of them once at most before they are back, as the network is a permutation.
MAX_STEPS: constant(uint256) = 2**12 + 1

MASK_32: constant(uint256) = 2**32 - 1
MASK_64: constant(uint256) = 2**64 - 1
MIX_1: constant(uint256) = 11400714819323198485
MIX_2: constant(uint256) = 15485907640880692627

# ---------------------------------------------------------------- internals


@internal
@pure
def _key(seed: bytes32, round_: uint256) -> uint256:
    return convert(keccak256(concat(seed, convert(round_, bytes32))), uint256)


@internal
@pure
def _width(count: uint256) -> uint256:
    # a = ceil(sqrt(count)). count <= MAX_ITEMS, so nothing overflows.
    root: uint256 = isqrt(count)
    if root * root < count:
        root += 1
    return root


@internal
@pure
def _place(key: uint256, count: uint256, width: uint256, item: uint256) -> uint256:
    # item < count <= MAX_ITEMS and width = _width(count) > 0 (the callers see to it): sums stay below
    # 2^33, products below 2^128, and nothing is divided by zero. Written out four times, as a call
    # each would cost a proof over 2,048 gold items half a million gas.
    height: uint256 = unsafe_div(unsafe_sub(unsafe_add(count, width), 1), width)
    k_0: uint256 = key & MASK_32
    k_1: uint256 = (key >> 32) & MASK_32
    k_2: uint256 = (key >> 64) & MASK_32
    k_3: uint256 = (key >> 96) & MASK_32
    x: uint256 = item
    for _: uint256 in range(MAX_STEPS):
        left: uint256 = x % width
        right: uint256 = unsafe_div(x, width)
        mixed: uint256 = unsafe_mul(unsafe_add(right, k_0), MIX_1) & MASK_64
        mixed = (unsafe_mul(mixed ^ (mixed >> 32), MIX_2) >> 32) & MASK_32
        left = unsafe_add(left, mixed) % width
        mixed = unsafe_mul(unsafe_add(left, k_1), MIX_1) & MASK_64
        mixed = (unsafe_mul(mixed ^ (mixed >> 32), MIX_2) >> 32) & MASK_32
        right = unsafe_add(right, mixed) % height
        mixed = unsafe_mul(unsafe_add(right, k_2), MIX_1) & MASK_64
        mixed = (unsafe_mul(mixed ^ (mixed >> 32), MIX_2) >> 32) & MASK_32
        left = unsafe_add(left, mixed) % width
        mixed = unsafe_mul(unsafe_add(left, k_3), MIX_1) & MASK_64
        mixed = (unsafe_mul(mixed ^ (mixed >> 32), MIX_2) >> 32) & MASK_32
        right = unsafe_add(right, mixed) % height
        x = unsafe_add(left, unsafe_mul(width, right))
        if x < count:
            break
    return x
