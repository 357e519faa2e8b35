# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
"""
@title Merkle Harness
@custom:contract-name MerkleHarness
@license AGPL-3.0-only
@author The Truthmark authors
@notice Opens the internal functions of `merkle` to tests.
@custom:kill Holds nothing; stop calling it.
"""

from ..modules import merkle


@external
@pure
def shard_leaf(
    index: uint256, ciphertext_hash: bytes32, key_hash: bytes32, wrap: bytes32
) -> bytes32:
    return merkle._shard_leaf(index, ciphertext_hash, key_hash, wrap)


@external
@pure
def verify(
    root: bytes32, count: uint256, index: uint256, leaf: bytes32, path: DynArray[bytes32, 32]
) -> bool:
    return merkle._verify(root, count, index, leaf, path)
