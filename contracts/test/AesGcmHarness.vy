# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
"""
@title AES-256-GCM Harness
@custom:contract-name AesGcmHarness
@license AGPL-3.0-only
@author The Truthmark authors
@notice Opens the internal functions of `aes_gcm` to tests.
@custom:kill Holds nothing; stop calling it.
"""

from ..modules import aes_gcm


@external
@pure
def encrypt(key: uint256, first: uint256, second: uint256) -> (uint256, uint256):
    return aes_gcm._encrypt(key, first, second)


@external
@pure
def hash(hash_key: uint256, sealed: Bytes[aes_gcm.MAX_SIZE]) -> (uint256, uint256):
    return aes_gcm._hash(hash_key, sealed)
