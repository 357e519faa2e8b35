# SPDX-License-Identifier: Apache-2.0
"""The one dispute: a delivered key that does not open what the seller committed to.

And what can be shown to people where no contract sees it. Pure functions: nothing here reads or
writes a chain, a file or a storage.
"""

from collections.abc import Mapping
from typing import Any

from truthmark.cid import raw_cid
from truthmark.codec import ShardIndex, Unreadable, WrongKey
from truthmark.keys.delivery import derive_key
from truthmark.market.records import Terms
from truthmark.types import Point


def draft_evidence(
    parts: Mapping[int, Point], secret: int, terms: Terms, wrong: WrongKey
) -> tuple[Any, ...]:
    """Write the contracts' `struct Evidence` of a dispute.

    It contains the buyer's secret of this one purchase: sending it makes the version's key public,
    which harms nobody but the seller, who committed to another one.

    Args:
        parts: The t verified deliveries of the purchase, in their order.
        secret: y of the purchase.
        terms: The version's.
        wrong: A shard whose committed key hash the delivered key misses.

    Raises:
        KeysError: The deliveries cannot be followed by a contract.
    """
    steps = derive_key(parts, secret, terms.public_key)
    return (
        steps.secret,
        tuple(steps.buyer_key),
        steps.buyer_slope,
        tuple(steps.blinding),
        [
            (step.custodian, tuple(step.part), step.weight, tuple(step.weighted), step.slope)
            for step in steps.parts
        ],
        steps.key_slope,
        (
            wrong.i,
            wrong.ciphertext_sha256,
            wrong.key_hash,
            wrong.wrap_word,
            list(wrong.path),
        ),
    )


def show_unreadable(
    ref: str, terms: Terms, market: str, chain_id: int, index: ShardIndex, found: Unreadable
) -> dict[str, Any]:
    """Write down what shows everybody that a shard does not open with the committed key.

    It contains the key of that one shard, which opens nothing and gives away no other.

    Args:
        ref: Name of the version that was bought.
        terms: The version's.
        market: The market's address.
        chain_id: Its chain.
        index: The version's.
        found: Where a shard does not open.

    Returns:
        A JSON object, with the steps by which it is checked.
    """
    assert found.shard is not None and found.key is not None
    i = found.shard
    return {
        "chain_id": chain_id,
        "market": market,
        "dataset": ref,
        "terms_id": f"0x{terms.terms_id.hex()}",
        "seller": terms.seller,
        "root": f"0x{terms.root.hex()}",
        "shards": terms.shard_count,
        "shard": i,
        "ciphertext": str(raw_cid(index.sha256(i))),
        "ciphertext_sha256": f"0x{index.sha256(i).hex()}",
        "key": f"0x{found.key.hex()}",
        "wrap_word": f"0x{index.wrap_word(i).hex()}",
        "path": [f"0x{node.hex()}" for node in index.tree.path(i)],
        "check": [
            "root and shards are in the terms of the dataset on the chain",
            "leaf = keccak256(0x01, u32 shard, ciphertext_sha256, sha256(key), wrap_word); with "
            "path it stands under root (docs/format.md)",
            "the block `ciphertext` of IPFS has the hash ciphertext_sha256",
            "AES-256-GCM with key, a nonce of 12 zero bytes and no further data refuses that block",
        ],
    }
