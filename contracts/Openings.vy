# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
"""
@title Openings
@custom:contract-name Openings
@license AGPL-3.0-only
@author The Truthmark authors
@notice Where keys of shards are published: those of a sample by its seller, those of a rotten shard
        by who has bought it.
@dev Nothing is stored and nothing is checked. The hash of a key finds its shard in the container's
     index, so every reader checks for themselves; a key that opens nothing is passed over.
@custom:security No money, no rights, no calls out, and so no lock either.
@custom:kill Nothing to stop.
"""

from .interfaces import IOpenings

implements: IOpenings

# ------------------------------------------------------------------- anyone


@external
def publish(root: bytes32, keys: DynArray[bytes32, 512]):
    """
    @notice Publish keys of shards. It cannot be taken back, and is seen under the caller's address.
    @dev Anyone.
    @param root Of the tree over the container's shards.
    @param keys K_i of any shards, in any order.
    """
    log IOpenings.KeysPublished(root=root, publisher=msg.sender, keys=keys)
