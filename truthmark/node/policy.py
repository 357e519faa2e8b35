# SPDX-License-Identifier: Apache-2.0
"""Which custody a node accepts without a person, and when it dares to act."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from truthmark.hashing import keccak256
from truthmark.market.entries import Epoch, EpochState, ValidatorOffer, Version
from truthmark.market.preview import OnAccept, Preview
from truthmark.market.records import Custody, Terms, VersionStatus, bits

if TYPE_CHECKING:
    from truthmark.codec import Manifest

MAX_ACCEPTANCE_SECONDS = 86_400
MAX_SETTLE_SECONDS = 600


@dataclass(frozen=True)
class Policy:
    """A node's own limits, beside the offer that its validator has published.

    Attributes:
        max_acceptance_seconds: Stake stands locked while others decide; no longer than this.
        max_waiting_per_seller: Custodies of one seller that may be incomplete at once; or a seller
            could lock everybody's stake for nothing.
        min_bonds: What a seller must have at stake, by sale token: address and amount in its
            smallest unit. Fees of a version whose key is proven wrong go back to the buyers.
        confirmations: Blocks, its own included, that a purchase must have before its part is
            posted: sale token, price from which on, blocks. What is posted cannot be taken back
            by a reorganisation. The chain profile's number where nothing is said.
        margin_seconds: Nothing is posted so close to a deadline; also how long each custodian
            leaves to the one before them where any of them could act.
        extends: Whether to stay for another period where the seller allows it.
        gas_reserve: Wei below which no new obligation is taken.
        settle_seconds: How long settlements wait for others to share a transaction with, at
            most; never longer than an eighth of the inspection window.
    """

    max_acceptance_seconds: int = MAX_ACCEPTANCE_SECONDS
    max_waiting_per_seller: int = 4
    min_bonds: Sequence[tuple[str, int]] = ()
    confirmations: Sequence[tuple[str, int, int]] = ()
    margin_seconds: int = 60
    extends: bool = True
    gas_reserve: int = 10**16
    settle_seconds: int = MAX_SETTLE_SECONDS

    def confirmations_for(self, token: str, price: int, default: int) -> int:
        """Return how many blocks a purchase at this price must have, its own included."""
        fitting = [
            (least, count)
            for address, least, count in self.confirmations
            if address.lower() == token.lower() and price >= least
        ]
        return max(fitting)[1] if fitting else default

    def most_confirmations(self, token: str, default: int) -> int:
        """Return how many blocks a purchase in a token may have to wait for, at any price."""
        counts = [count for t, _, count in self.confirmations if t.lower() == token.lower()]
        return max([default, *counts])

    def min_bond(self, token: str) -> int:
        """Return the least bond in a token, in its smallest unit."""
        return max([0, *(least for t, least in self.min_bonds if t.lower() == token.lower())])


def version_bytes(manifest: "Manifest") -> int:
    """Return how many bytes a custodian of a version keeps."""
    return manifest.size + manifest.index_size + manifest.card_size + len(manifest.to_bytes())


def refusal(
    policy: Policy,
    offer: ValidatorOffer | None,
    version: Version,
    epoch: Epoch,
    *,
    now: int,
    waiting: int,
    is_listed_elsewhere: bool,
    confirming_seconds: int = 0,
    size: int | None = None,
    sample: Preview | None = None,
) -> str | None:
    """Return why a custody is not accepted, or None if it is.

    Args:
        policy: The node's limits.
        offer: What its validator has published, if anything.
        version: What is to be kept.
        epoch: The custody.
        now: Chain time.
        waiting: How many other custodies of this seller wait to be complete, with stake of ours.
        is_listed_elsewhere: Whether the dataset key was seen in other terms.
        confirming_seconds: How long the node waits before it trusts a purchase.
        size: Bytes to keep; None before the manifest was fetched.
        sample: What this node has found of the parts that chance picked; None before it looked.
    """
    custody, terms = epoch.custody, version.terms
    if offer is None:
        return "no offer is published"
    if not offer.is_available:
        return "the validator takes no new obligations"
    fees = _asked(offer, terms)
    if fees is None:
        return "the sale token is not in the offer"
    if custody.fee < fees[0] or custody.keeping_fee < fees[1]:
        return "the fees are below the offer"
    if custody.lock > offer.max_lock:
        return "the lock is above the offer"
    if custody.lock > offer.free_stake:
        return "not enough free stake"
    if max(custody.period_seconds, custody.end - custody.accept_until) > offer.max_period_seconds:
        return "the period is longer than the offer"
    if (
        terms.delivery_seconds < offer.min_delivery_seconds
        or terms.inspection_seconds < offer.min_inspection_seconds
    ):
        return "the windows are shorter than the offer"
    if terms.delivery_seconds < confirming_seconds + 2 * policy.margin_seconds:
        return "the delivery window is too short to wait for confirmations"
    if size is not None and size > offer.max_bytes:
        return "more bytes than the offer"
    if terms.bond < policy.min_bond(terms.token):
        return "the seller's bond is too small"
    if version.status not in (VersionStatus.OPEN, VersionStatus.PAUSED):
        return "the version has ended"
    if now + policy.margin_seconds // 2 > custody.accept_until:
        return "too late to accept"
    if custody.accept_until - now > policy.max_acceptance_seconds:
        return "stake would stand locked too long before the custody is complete"
    if waiting >= policy.max_waiting_per_seller:
        return "too many custodies of this seller wait to be complete"
    if is_listed_elsewhere:
        # Anyone who lists a key again may be selling what somebody else's custodians hand out.
        return "this dataset key is listed elsewhere"
    return None if sample is None else _unseen(offer, sample)


def _unseen(offer: ValidatorOffer, sample: Preview) -> str | None:
    """Return why a version is not kept for what is seen of it, by the one table of states."""
    rule = sample.rule
    if rule.on_accept is OnAccept.REFUSE:
        return f"its sample is {sample.state.value}: {sample.why}"
    if rule.on_accept is OnAccept.BY_OFFER and not offer.takes_unsampled:
        return f"the offer takes no unsampled data: {rule.meaning}"
    if rule.on_accept is OnAccept.WAIT:
        return f"it waits for its seller: {sample.why}"
    return None


def still_suits(offer: ValidatorOffer | None, terms: Terms, custody: Custody) -> bool:
    """Whether a running custody is worth another period to its validator.

    A withdrawn offer only keeps new custodies away; who wants to leave switches `available` off.
    """
    if offer is None:
        return True
    fees = _asked(offer, terms)
    return (
        offer.is_available
        and fees is not None
        and custody.fee >= fees[0]
        and custody.keeping_fee >= fees[1]
        and custody.period_seconds <= offer.max_period_seconds
    )


def wants_extension(
    policy: Policy,
    version: Version,
    epoch: Epoch,
    state: EpochState,
    index: int,
    now: int,
    keeping_balance: int,
) -> bool:
    """Whether a custodian should call `extend` now, by the rules of docs/protocol.md.

    Args:
        policy: The node's limits.
        version: What is kept.
        epoch: The custody.
        state: How it stands; LIVE.
        index: The custodian's number.
        now: Chain time.
        keeping_balance: What can be spent on keeping fees, in the sale token's smallest unit.
    """
    custody = epoch.custody
    if not policy.extends or version.status not in (VersionStatus.OPEN, VersionStatus.PAUSED):
        return False
    if index in bits(state.active):
        return (
            state.end - custody.period_seconds // 3 <= now
            and now + policy.margin_seconds < state.end
            and state.end + custody.period_seconds <= custody.last_end
            and index not in bits(state.votes)
            and keeping_balance >= (2 * custody.threshold - 1) * custody.keeping_fee
        )
    return (
        index in bits(state.previous_active)
        and now + policy.margin_seconds < state.previous_end
        and keeping_balance >= custody.keeping_fee
    )


def place_in_line(name: bytes, members: Sequence[int], index: int) -> int:
    """Return how many others act first where any of them could, fairly and the same for all.

    Args:
        name: What is to be done, such as a purchase's id.
        members: Numbers of those who could do it.
        index: One's own number; who is not a member comes last.
    """
    order = sorted(members, key=lambda j: keccak256(b"line" + name + bytes([j])))
    return order.index(index) if index in order else len(order)


def settle_wait(policy: Policy, terms: Terms) -> int:
    """Return how many seconds a settlement may wait for others to go with it."""
    return min(policy.settle_seconds, terms.inspection_seconds // 8)


def _asked(offer: ValidatorOffer, terms: Terms) -> tuple[int, int] | None:
    """Return fee per sale and keeping fee that an offer asks in the terms' token."""
    fees = {token.lower(): amounts for token, amounts in offer.fees.items()}
    return fees.get(terms.token.lower())
