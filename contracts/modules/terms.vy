# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Ids and States of Versions, Custodies and Purchases
@custom:contract-name terms
@license AGPL-3.0-only
@author The Truthmark authors
@notice What is agreed is named by its hash; how it stands is one packed word (docs/protocol.md).
@dev One word and not a struct, because the compiler does not pack: a purchase in three slots costs
     a quarter more at every step.
"""

from ..interfaces import ICurve
from ..interfaces import IDatasetRegistry

# ---------------------------------------------------------------- constants

BPS: constant(uint256) = 10_000
MAX_CUSTODIANS: constant(uint256) = 16

# Status of a version; 0 is a version that does not exist.
VERSION_OPEN: constant(uint256) = 1
VERSION_PAUSED: constant(uint256) = 2
VERSION_RETIRED: constant(uint256) = 3
VERSION_CLOSED: constant(uint256) = 4
VERSION_REVOKED: constant(uint256) = 5

# Status of an epoch of custody; 0 is an epoch that does not exist.
CUSTODY_OPENED: constant(uint256) = 1
CUSTODY_LIVE: constant(uint256) = 2
CUSTODY_CLOSED: constant(uint256) = 3
CUSTODY_LAPSED: constant(uint256) = 4

# Status of a purchase; 0 is a purchase that does not exist.
PURCHASE_PAID: constant(uint256) = 1
PURCHASE_DELIVERED: constant(uint256) = 2
PURCHASE_SETTLED: constant(uint256) = 3
PURCHASE_REFUNDED: constant(uint256) = 4

MASK_8: constant(uint256) = 2**8 - 1
MASK_16: constant(uint256) = 2**16 - 1
MASK_40: constant(uint256) = 2**40 - 1
MASK_128: constant(uint256) = 2**128 - 1

MAX_PRICE: constant(uint256) = MASK_128
MAX_TIME: constant(uint256) = MASK_40
MAX_EPOCHS: constant(uint256) = MASK_16

# ---------------------------------------------------------------------- ids


@internal
@pure
def _terms_id(terms: IDatasetRegistry.Terms) -> bytes32:
    return keccak256(abi_encode(terms))


@internal
@pure
def _custody_id(custody: IDatasetRegistry.Custody) -> bytes32:
    return keccak256(abi_encode(custody))


@internal
@pure
def _custodians_hash(custodians: DynArray[address, MAX_CUSTODIANS]) -> bytes32:
    return keccak256(abi_encode(custodians))


@internal
@pure
def _share_keys_hash(share_keys: DynArray[ICurve.Point, MAX_CUSTODIANS]) -> bytes32:
    return keccak256(abi_encode(share_keys))


@internal
@pure
def _acceptance(
    share_key: ICurve.Point, threshold: uint256, inspection_seconds: uint256
) -> bytes32:
    return keccak256(abi_encode(share_key, threshold, inspection_seconds))


@internal
@pure
def _purchase_id(custody_id: bytes32, base: ICurve.Point, receipt_digest: bytes32) -> bytes32:
    # `base` is U = B + Y, which the contract computed when the purchase was made.
    return keccak256(abi_encode(custody_id, base, receipt_digest))


@internal
@pure
def _obligation(custody_id: bytes32, index: uint256) -> bytes32:
    return keccak256(abi_encode(custody_id, index))


# ----------------------------------------------------------------- versions


@internal
@pure
def _pack_version(state: IDatasetRegistry.VersionState) -> uint256:
    # Callers keep every field within its width (price and times are checked, numbers are counted).
    return (
        state.status
        | (state.price << 8)
        | (state.listing_id << 136)
        | (state.version << 176)
        | (state.epochs << 192)
        | (state.stopped_at << 208)
        | (convert(state.is_superseded, uint256) << 248)
    )


@internal
@pure
def _unpack_version(word: uint256) -> IDatasetRegistry.VersionState:
    return IDatasetRegistry.VersionState(
        status=word & MASK_8,
        price=(word >> 8) & MASK_128,
        listing_id=(word >> 136) & MASK_40,
        version=(word >> 176) & MASK_16,
        epochs=(word >> 192) & MASK_16,
        stopped_at=(word >> 208) & MASK_40,
        is_superseded=(word >> 248) != 0,
    )


# ------------------------------------------------------------------ custody


@internal
@pure
def _pack_custody(state: IDatasetRegistry.CustodyState) -> uint256:
    return (
        state.status
        | (state.accepted << 8)
        | (state.active << 24)
        | (state.previous_active << 40)
        | (state.votes << 56)
        | (state.fined << 72)
        | (state.released << 88)
        | (state.end << 104)
        | (state.previous_end << 144)
        | (state.stopped_at << 184)
        | (state.inspection_seconds << 224)
    )


@internal
@pure
def _unpack_custody(word: uint256) -> IDatasetRegistry.CustodyState:
    return IDatasetRegistry.CustodyState(
        status=word & MASK_8,
        accepted=(word >> 8) & MASK_16,
        active=(word >> 24) & MASK_16,
        previous_active=(word >> 40) & MASK_16,
        votes=(word >> 56) & MASK_16,
        fined=(word >> 72) & MASK_16,
        released=(word >> 88) & MASK_16,
        end=(word >> 104) & MASK_40,
        previous_end=(word >> 144) & MASK_40,
        stopped_at=(word >> 184) & MASK_40,
        inspection_seconds=word >> 224,
    )


@internal
@pure
def _with_acceptance(word: uint256, index: uint256, count: uint256) -> uint256:
    # The word of an OPENED custody after custodian `index` of `count` has accepted: LIVE with the
    # last one. On the word itself, as unpacking all of it costs as much as looking up a pause.
    bit: uint256 = 1 << unsafe_sub(index, 1)
    accepted: uint256 = ((word >> 8) & MASK_16) | bit
    if accepted != (1 << count) - 1:
        return word | (bit << 8)
    return (word | (bit << 8) | (accepted << 24)) ^ (CUSTODY_OPENED ^ CUSTODY_LIVE)


# --------------------------------------------------------------------- maps


@internal
@pure
def _bit(index: uint256) -> uint256:
    # Of custodian `index`, counted from 1 to 16 (checked by the caller).
    return 1 << unsafe_sub(index, 1)


@internal
@pure
def _count(map: uint256) -> uint256:
    # How many bits of a 16-bit map are set.
    # Sums of neighbouring bits, then pairs, nibbles and bytes (masks 0x5555, 0x3333, 0x0F0F).
    bits: uint256 = map - ((map >> 1) & 21_845)
    bits = (bits & 13_107) + ((bits >> 2) & 13_107)
    bits = (bits + (bits >> 4)) & 3_855
    return (bits + (bits >> 8)) & 31
