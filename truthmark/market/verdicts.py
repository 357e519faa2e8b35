# SPDX-License-Identifier: Apache-2.0
"""What people say of data on the chain: keys made public, rejections, disputes, rulings, reviews.

Each function plans one transaction and sends nothing. What may be said when, and what it does to
whose money, is in docs/protocol.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from truthmark.errors import MarketError
from truthmark.hashing import keccak256
from truthmark.market.planned_call import PlannedCall
from truthmark.market.records import BPS, ZERO_ADDRESS, Terms

if TYPE_CHECKING:
    from truthmark.chain.connection import Chain
    from truthmark.codec import ShardIndex
    from truthmark.market.entries import Epoch, Purchase, Version

MAX_KEYS = 512
"""Keys in one transaction."""

MAX_JUDGED = 65_536
"""Bytes of the largest shard that a contract can judge."""

SCORES = range(1, 6)
MAX_REVIEW = 1_024
"""Bytes of the longest review, as UTF-8."""


@dataclass(frozen=True, slots=True)
class Split:
    """What becomes of a price; the parts add up to it.

    Attributes:
        burned: The guarantee, if the buyer rejected.
        fee: The protocol's.
        royalty: The labelers'.
        paid_out: The payee's.
    """

    burned: int
    fee: int
    royalty: int
    paid_out: int


def split_price(price: int, terms: Terms, *, is_rejected: bool = False) -> Split:
    """Return what becomes of a price when its purchase is settled, or rejected.

    Args:
        price: That was paid, without the custodians' fees.
        terms: The version's.
        is_rejected: Whether the buyer burns the guarantee.
    """
    burned = price * terms.guarantee_bps // BPS if is_rejected else 0
    rest = price - burned
    fee, royalty = rest * terms.fee_bps // BPS, rest * terms.royalty_bps // BPS
    return Split(burned, fee, royalty, rest - fee - royalty)


def plan_publish(chain: "Chain", root: bytes, keys: Sequence[bytes]) -> list[PlannedCall]:
    """Plan to publish keys of shards, in as many transactions as they need.

    It cannot be taken back, and is seen under the account that sends it.

    Args:
        chain: Where.
        root: Of the tree over the container's shards.
        keys: K_i, in any order.
    """
    return [
        PlannedCall(
            chain.openings.functions.publish(root, part),
            f"publish:{root.hex()}:{keccak256(b''.join(part)).hex()[:32]}",
            f"publish {len(part)} key{'s' if len(part) > 1 else ''}",
        )
        for part in cut_keys(keys)
    ]


def cut_keys(keys: Sequence[bytes]) -> list[list[bytes]]:
    """Return keys in parts, each of as many as one call of `Openings.publish` takes."""
    return [list(keys[start : start + MAX_KEYS]) for start in range(0, len(keys), MAX_KEYS)]


def plan_confirm(
    chain: "Chain", version: "Version", epoch: "Epoch", purchase: "Purchase"
) -> PlannedCall:
    """Plan to settle a purchase before its inspection ends, as its buyer.

    It is final: what was confirmed is never refunded, nor can it be disputed by its key.
    """
    return PlannedCall(
        chain.market.functions.confirm(*_of_purchase(version, epoch, purchase)),
        f"confirm:{purchase.purchase_id.hex()}",
        f"confirm {version.ref}",
    )


def plan_reject(
    chain: "Chain", version: "Version", epoch: "Epoch", purchase: "Purchase"
) -> PlannedCall:
    """Plan to reject a purchase, as its buyer: the guarantee is burned, the rest is paid out.

    It is final: what was rejected is never refunded, nor can it be disputed by its key.
    """
    return PlannedCall(
        chain.market.functions.reject(*_of_purchase(version, epoch, purchase)),
        f"reject:{purchase.purchase_id.hex()}",
        f"reject {version.ref}",
        purchase.deadline,
    )


def _of_purchase(version: "Version", epoch: "Epoch", purchase: "Purchase") -> tuple[Any, ...]:
    return (
        version.terms.astuple(),
        epoch.custody.astuple(),
        list(epoch.custodians),
        purchase.receipt.astuple(),
    )


def plan_sealing_dispute(
    chain: "Chain", version: "Version", index: "ShardIndex", i: int, key: bytes, ciphertext: bytes
) -> PlannedCall:
    """Plan to prove that a shard is not sealed under the key that the seller committed to.

    No purchase is needed. It makes the key of this one shard public and ends the version for
    everybody; half the bond goes to the account that sends it.

    Args:
        chain: Where.
        version: Whose shard it is.
        index: The version's.
        i: Number of the shard.
        key: K_i, as committed to.
        ciphertext: The shard, whole.

    Raises:
        MarketError: The shard is too large for a contract to judge.
    """
    if len(ciphertext) > MAX_JUDGED:
        raise MarketError(
            f"shards of {version.ref} have {len(ciphertext):,} bytes, and a contract can judge "
            f"{MAX_JUDGED:,} at most; `truthmark expose` shows everybody what is wrong"
        )
    return PlannedCall(
        chain.market.functions.dispute_sealing(
            version.terms.astuple(), open_shard(index, i, key), ciphertext
        ),
        f"dispute-sealing:{version.terms_id.hex()}:{i}",
        f"dispute the sealing of {version.ref}",
    )


def open_shard(index: "ShardIndex", i: int, key: bytes) -> tuple[Any, ...]:
    """Write the contracts' `struct OpenedShard`."""
    return (i, key, index.wrap_word(i), list(index.tree.path(i)))


def plan_rule(chain: "Chain", version: "Version", rewarded: str) -> PlannedCall:
    """Plan to revoke a version, as the arbiter that its terms name.

    Args:
        chain: Where.
        version: What is ruled against.
        rewarded: Who gets half the bond.

    Raises:
        MarketError: The terms name no arbiter, or nobody is to be rewarded.
    """
    if not version.terms.has_arbiter:
        raise MarketError(f"{version.ref} has no arbiter, so nobody can rule on it")
    if rewarded == ZERO_ADDRESS:
        raise MarketError("name who gets half the bond; the zero address cannot")
    return PlannedCall(
        chain.market.functions.rule(version.terms.astuple(), rewarded),
        f"rule:{version.terms_id.hex()}",
        f"rule against {version.ref}",
    )


def plan_review(
    chain: "Chain", epoch: "Epoch", purchase: "Purchase", score: int, text: str = ""
) -> PlannedCall:
    """Plan to review a purchase, as its buyer; once, and it cannot be taken back.

    Args:
        chain: Where.
        epoch: The purchase's.
        purchase: What was bought and delivered.
        score: From 1, bad, to 5, good.
        text: Anything, at most 1,024 bytes.

    Raises:
        MarketError: The score or the text cannot be.
    """
    if score not in SCORES:
        raise MarketError("a review has a score from 1, bad, to 5, good; name one of them")
    if (size := len(text.encode())) > MAX_REVIEW:
        raise MarketError(
            f"this review has {size:,} bytes, and {MAX_REVIEW:,} is the most; shorten it"
        )
    return PlannedCall(
        chain.reviews.functions.review(
            epoch.custody.astuple(), purchase.receipt.astuple(), score, text
        ),
        f"review:{purchase.purchase_id.hex()}",
        "review a purchase",
    )
