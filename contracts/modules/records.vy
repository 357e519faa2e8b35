# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Records of Versions, Custodies and Purchases
@custom:contract-name records
@license AGPL-3.0-only
@author The Truthmark authors
@notice What is agreed is named by its hash; how it stands is one packed word (docs/protocol.md).
@dev One word and not a struct, because the compiler does not pack: a purchase in three slots costs
     a quarter more at every step. Where a field lies in its word only this module knows; every
     field is packed with a check, so that nothing can ever run over into its neighbour.
"""

from ..interfaces import ICurve
from ..interfaces import IDatasetMarket
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
PURCHASE_REJECTED: constant(uint256) = 5

MASK_7: constant(uint256) = 2**7 - 1
MASK_8: constant(uint256) = 2**8 - 1
MASK_16: constant(uint256) = 2**16 - 1
MASK_40: constant(uint256) = 2**40 - 1
MASK_128: constant(uint256) = 2**128 - 1

MAX_PRICE: constant(uint256) = MASK_128
MAX_TIME: constant(uint256) = MASK_40
MAX_EPOCHS: constant(uint256) = MASK_16
MAX_VERSION: constant(uint256) = MASK_16
# The map of custodian 1 alone; that of the next one is twice it.
BIT_1: constant(uint256) = 1
# The map of all custodians that there can be.
EVERYONE: constant(uint256) = MASK_16

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


# ------------------------------------------------------------------ custody


@internal
@pure
def _is_direct(custody: IDatasetRegistry.Custody) -> bool:
    # The seller keeps the key alone: a lock of zero is the one mark of it.
    return custody.lock == 0


# ------------------------------------------------------------------- status

# The status is in the low 8 bits of a version's and of a custody's word.


@internal
@pure
def _status(word: uint256) -> uint256:
    return word & MASK_8


@internal
@pure
def _with_status(word: uint256, status: uint256) -> uint256:
    return (word & ~MASK_8) | status


# ----------------------------------------------------------------- versions


@internal
@pure
def _is_running(word: uint256) -> bool:
    # OPEN or PAUSED; the 0 of no version becomes the largest number.
    return unsafe_sub(word & MASK_8, VERSION_OPEN) < 2


# status 8 | price 128 | listing 40 | version 16 | epochs 16 | stopped at 40 | is superseded 8


@internal
@pure
def _pack_version(state: IDatasetRegistry.VersionState) -> uint256:
    return (
        convert(convert(state.status, uint8), uint256)
        | (convert(convert(state.price, uint128), uint256) << 8)
        | (convert(convert(state.listing_id, uint40), uint256) << 136)
        | (convert(convert(state.version, uint16), uint256) << 176)
        | (convert(convert(state.epochs, uint16), uint256) << 192)
        | (convert(convert(state.stopped_at, uint40), uint256) << 208)
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


@internal
@pure
def _price(word: uint256) -> uint256:
    # Of a version.
    return (word >> 8) & MASK_128


# --------------------------------------------------------------- custodies

# status 8 | accepted 16 | active 16 | previous active 16 | votes 16 | fined 16 | released 16
# | end 40 | previous end 40 | stopped at 40 | inspection window 32


@internal
@pure
def _pack_custody(state: IDatasetRegistry.CustodyState) -> uint256:
    return (
        convert(convert(state.status, uint8), uint256)
        | (convert(convert(state.accepted, uint16), uint256) << 8)
        | (convert(convert(state.active, uint16), uint256) << 24)
        | (convert(convert(state.previous_active, uint16), uint256) << 40)
        | (convert(convert(state.votes, uint16), uint256) << 56)
        | (convert(convert(state.fined, uint16), uint256) << 72)
        | (convert(convert(state.released, uint16), uint256) << 88)
        | (convert(convert(state.end, uint40), uint256) << 104)
        | (convert(convert(state.previous_end, uint40), uint256) << 144)
        | (convert(convert(state.stopped_at, uint40), uint256) << 184)
        | (convert(convert(state.inspection_seconds, uint32), uint256) << 224)
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
def _has_accepted(word: uint256, index: uint256) -> bool:
    return (word >> unsafe_add(index, 7)) & 1 != 0


@internal
@pure
def _end(word: uint256) -> uint256:
    # Of the running period.
    return (word >> 104) & MASK_40


@internal
@pure
def _with_acceptance(word: uint256, index: uint256, count: uint256) -> (uint256, bool):
    # The word of an OPENED custody after custodian `index` of `count` has accepted, and whether it
    # is LIVE: it is with the last one. On the word itself, as unpacking all of it costs as much as
    # looking up a pause.
    bit: uint256 = 1 << unsafe_sub(index, 1)
    accepted: uint256 = ((word >> 8) & MASK_16) | bit
    if accepted != (1 << count) - 1:
        return word | (bit << 8), False
    return (word | (bit << 8) | (accepted << 24)) ^ (CUSTODY_OPENED ^ CUSTODY_LIVE), True


@internal
@pure
def _acceptance_of(word: uint256, share_key: ICurve.Point, threshold: uint256) -> bytes32:
    # What accepting this custody stores: the inspection window stands in its word.
    return keccak256(abi_encode(share_key, threshold, word >> 224))


# ---------------------------------------------------------------- purchases

# status 7 | by voucher 1 | delivered 16 | deadline 40 | hash of the parts 192


@internal
@pure
def _pack_purchase(state: IDatasetMarket.PurchaseState) -> uint256:
    assert state.status <= MASK_7
    return (
        state.status
        | (convert(state.is_by_voucher, uint256) << 7)
        | (convert(convert(state.delivered, uint16), uint256) << 8)
        | (convert(convert(state.deadline, uint40), uint256) << 24)
        | (convert(convert(state.parts, uint192), uint256) << 64)
    )


@internal
@pure
def _unpack_purchase(word: uint256) -> IDatasetMarket.PurchaseState:
    return IDatasetMarket.PurchaseState(
        status=word & MASK_7,
        is_by_voucher=(word >> 7) & 1 != 0,
        delivered=(word >> 8) & MASK_16,
        deadline=(word >> 24) & MASK_40,
        parts=word >> 64,
    )


@internal
@pure
def _with_part(parts: uint256, index: uint256, part: ICurve.Point) -> uint256:
    # The running hash of the parts after one more. 192 bits, as pairs of parts with one hash could
    # be looked for: a part follows from keys that buyer and custodians choose.
    return convert(keccak256(abi_encode(parts, index, part)), uint256) >> 64


# --------------------------------------------------------------------- maps

# Custodians count from 1 to 16, and custodian j is bit j - 1 of a map.


@internal
@pure
def _bit(index: uint256) -> uint256:
    # Of custodian `index`, counted from 1 to 16 (checked by the caller).
    return 1 << unsafe_sub(index, 1)


@internal
@pure
def _has(map: uint256, index: uint256) -> bool:
    # An internal call costs 55 gas, so this makes none.
    return (map >> unsafe_sub(index, 1)) & 1 != 0


@internal
@pure
def _everyone(count: uint256) -> uint256:
    # The map of custodians 1 to `count`, at most 16.
    return (1 << count) - 1


@internal
@pure
def _count(map: uint256) -> uint256:
    # How many bits of a 16-bit map are set.
    # Sums of neighbouring bits, then pairs, nibbles and bytes (masks 0x5555, 0x3333, 0x0F0F).
    bits: uint256 = map - ((map >> 1) & 21_845)
    bits = (bits & 13_107) + ((bits >> 2) & 13_107)
    bits = (bits + (bits >> 4)) & 3_855
    return (bits + (bits >> 8)) & 31
