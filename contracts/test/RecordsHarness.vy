# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
"""
@title Records Harness
@custom:contract-name RecordsHarness
@license AGPL-3.0-only
@author The Truthmark authors
@notice Opens the internal functions of `signatures` and `records` to tests.
@custom:kill Holds nothing; stop calling it.
"""

from ..interfaces import ICurve
from ..interfaces import IDatasetMarket
from ..interfaces import IDatasetRegistry
from ..modules import records
from ..modules import signatures


@external
@view
def is_signer(signer: address, digest: bytes32, signature: Bytes[1024]) -> bool:
    return signatures._is_signer(signer, digest, signature)


@external
@pure
def terms_id(terms: IDatasetRegistry.Terms) -> bytes32:
    return records._terms_id(terms)


@external
@pure
def custody_id(custody: IDatasetRegistry.Custody) -> bytes32:
    return records._custody_id(custody)


@external
@pure
def custodians_hash(custodians: DynArray[address, 16]) -> bytes32:
    return records._custodians_hash(custodians)


@external
@pure
def share_keys_hash(share_keys: DynArray[ICurve.Point, 16]) -> bytes32:
    return records._share_keys_hash(share_keys)


@external
@pure
def acceptance(share_key: ICurve.Point, threshold: uint256, inspection_seconds: uint256) -> bytes32:
    return records._acceptance(share_key, threshold, inspection_seconds)


@external
@pure
def purchase_id(custody_id: bytes32, base: ICurve.Point, receipt_digest: bytes32) -> bytes32:
    return records._purchase_id(custody_id, base, receipt_digest)


@external
@pure
def obligation(custody_id: bytes32, index: uint256) -> bytes32:
    return records._obligation(custody_id, index)


@external
@pure
def pack_version(state: IDatasetRegistry.VersionState) -> uint256:
    return records._pack_version(state)


@external
@pure
def unpack_version(word: uint256) -> IDatasetRegistry.VersionState:
    return records._unpack_version(word)


@external
@pure
def pack_custody(state: IDatasetRegistry.CustodyState) -> uint256:
    return records._pack_custody(state)


@external
@pure
def unpack_custody(word: uint256) -> IDatasetRegistry.CustodyState:
    return records._unpack_custody(word)


@external
@pure
def bit(index: uint256) -> uint256:
    return records._bit(index)


@external
@pure
def count(map: uint256) -> uint256:
    return records._count(map)


@external
@pure
def pack_purchase(state: IDatasetMarket.PurchaseState) -> uint256:
    return records._pack_purchase(state)


@external
@pure
def unpack_purchase(word: uint256) -> IDatasetMarket.PurchaseState:
    return records._unpack_purchase(word)
