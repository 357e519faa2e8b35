# SPDX-License-Identifier: Apache-2.0
"""Which custody a node accepts without a person, and when it dares to deliver."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from truthmark.codec.manifest import Manifest
from truthmark.market.catalogue import Epoch, Offer, Version
from truthmark.market.records import VersionStatus, bits
from truthmark.types import Point


@dataclass(frozen=True)
class Policy:
    """A node's own limits, beside the offer that its validator has published.

    Attributes:
        max_acceptance_seconds: Stake stands locked while others decide; no longer than this.
        max_waiting_per_seller: Custodies of one seller that may be incomplete at once; or a seller
            could lock everybody's stake for nothing.
        min_bond: What a seller must have at stake, in the sale token's smallest unit: fees of a
            version whose key is proven wrong go back to the buyers.
        confirmations: Blocks above a purchase before its part is posted, by price: pairs of an
            amount in smallest units and the confirmations from that price on. What is posted
            cannot be taken back by a reorganisation.
        margin_seconds: Nothing is posted so close to a deadline.
        extends: Whether to stay for another term where the seller allows it.
        gas_reserve: Wei below which no new duty is taken.
    """

    max_acceptance_seconds: int = 3_600
    max_waiting_per_seller: int = 4
    min_bond: int = 0
    confirmations: Sequence[tuple[int, int]] = field(default_factory=list)
    margin_seconds: int = 60
    extends: bool = True
    gas_reserve: int = 10**16

    def confirmations_for(self, price: int, default: int) -> int:
        """Return how many confirmations a purchase at this price needs."""
        needed = default
        for least, count in sorted(self.confirmations):
            if price >= least:
                needed = count
        return needed


def version_bytes(manifest: Manifest) -> int:
    """Return how many bytes a custodian of a version keeps."""
    return manifest.size + manifest.index_size + manifest.card_size + len(manifest.to_bytes())


def refusal(
    policy: Policy,
    offer: Offer | None,
    version: Version,
    epoch: Epoch,
    *,
    now: int,
    size: int,
    waiting: int,
    known_keys: Collection[tuple[Point, bytes]],
) -> str | None:
    """Return why a custody is not accepted, or None if it is.

    Args:
        policy: The node's limits.
        offer: What its validator has published, if anything.
        version: What is to be kept.
        epoch: The custody.
        now: Chain time.
        size: Bytes to keep.
        waiting: How many other custodies of this seller wait to be complete, with stake of ours.
        known_keys: Dataset keys that were seen, each with the terms it was seen in.
    """
    custody, terms = epoch.custody, version.terms
    if offer is None:
        return "no offer is published"
    if not offer.is_available:
        return "the validator takes no new duties"
    fees = {token.lower(): amounts for token, amounts in offer.fees.items()}
    asked = fees.get(terms.token.lower())
    if asked is None:
        return "the sale token is not in the offer"
    if custody.fee < asked[0] or custody.keeping_fee < asked[1]:
        return "the fees are below the offer"
    if custody.lock > offer.max_lock:
        return "the lock is above the offer"
    if custody.lock > offer.free_stake:
        return "not enough free stake"
    if max(custody.term_seconds, custody.end - custody.accept_until) > offer.max_term_seconds:
        return "the term is longer than the offer"
    if (
        terms.delivery_seconds < offer.min_delivery_seconds
        or terms.inspection_seconds < offer.min_inspection_seconds
        or terms.delivery_seconds <= 2 * policy.margin_seconds
    ):
        return "the windows are shorter than the offer"
    if size > offer.max_bytes:
        return "more bytes than the offer"
    if terms.bond < policy.min_bond:
        return "the seller's bond is too small"
    if version.status not in (VersionStatus.OPEN, VersionStatus.PAUSED):
        return "the version has ended"
    if now + policy.margin_seconds // 2 > custody.accept_until:
        return "too late to accept"
    if custody.accept_until - now > policy.max_acceptance_seconds:
        return "stake would stand locked too long before the custody is complete"
    if waiting >= policy.max_waiting_per_seller:
        return "too many custodies of this seller wait to be complete"
    if any(key == terms.public_key and other != version.terms_id for key, other in known_keys):
        # Whoever lists a key again may be selling what somebody else's custodians hand out.
        return "this dataset key is listed elsewhere"
    return None


def wants_extension(
    policy: Policy, version: Version, epoch: Epoch, *, end: int, active: int, votes: int,
    previous_active: int, previous_end: int, index: int, now: int, pot: int,
) -> bool:  # fmt: skip
    """Whether a custodian should call `extend` now, by the rules of docs/protocol.md.

    Args:
        policy: The node's limits.
        version: What is kept.
        epoch: The custody.
        end: Of the running term.
        active: Map of those on duty.
        votes: Map of those who called already.
        previous_active: Map of those on duty in the term before.
        previous_end: Of the term before.
        index: The custodian's number.
        now: Chain time.
        pot: What can be spent on keeping fees, in the sale token's smallest unit.
    """
    custody = epoch.custody
    if not policy.extends or version.status not in (VersionStatus.OPEN, VersionStatus.PAUSED):
        return False
    if index in bits(active):
        in_window = end - custody.term_seconds // 3 <= now < end
        return (
            in_window
            and end + custody.term_seconds <= custody.last_end
            and index not in bits(votes)
            and pot >= (2 * custody.threshold - 1) * custody.keeping_fee
        )
    joins = index in bits(previous_active) and now < previous_end
    return joins and pot >= custody.keeping_fee
