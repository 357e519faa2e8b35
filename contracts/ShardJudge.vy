# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
# pragma nonreentrancy on
"""
@title Shard Judge
@custom:contract-name ShardJudge
@license AGPL-3.0-only
@author The Truthmark authors
@notice Decides whether a committed shard is sealed under its committed key.
@dev Stateless: it says what follows from its arguments. That they are those of a version, the
     market checks.
@custom:security Nothing is stored, no money is held, nobody has rights.
@custom:kill Nothing to stop.
"""

from .interfaces import IShardJudge

implements: IShardJudge

from .modules import aes_gcm
from .modules import merkle

# ---------------------------------------------------------------- constants

MIN_SHARD: constant(uint256) = 4_096

# ------------------------------------------------------------------- anyone


@external
@view
def is_sealed(
    root: bytes32,
    shard_count: uint256,
    shard: IShardJudge.OpenedShard,
    ciphertext: Bytes[aes_gcm.MAX_SIZE],
) -> bool:
    """
    @notice Tell whether a ciphertext is what AES-256-GCM makes of something under the shard's key;
            revert unless ciphertext and key are those that the root commits to.
    @param root Of the tree over the shards.
    @param shard_count How many shards there are.
    @param shard The shard with its key.
    @param ciphertext All of it, its tag at the end.
    @return Whether it opens.
    """
    assert merkle._verify(
        root,
        shard_count,
        shard.index,
        merkle._shard_leaf(shard.index, sha256(ciphertext), sha256(shard.key), shard.wrap),
        shard.path,
    ), "judge: shard not committed"
    # A container's shards have a power of two from 4,096 on; what has not is not one of its shards.
    size: uint256 = len(ciphertext)
    if size < MIN_SHARD or size & (size - 1) != 0:
        return False
    hash_key: uint256 = 0
    mask: uint256 = 0
    hash_key, mask = aes_gcm._encrypt(convert(shard.key, uint256), 0, 1)
    hash: uint256 = 0
    tag: uint256 = 0
    hash, tag = aes_gcm._hash(hash_key, ciphertext)
    return hash ^ mask == tag
