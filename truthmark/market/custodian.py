# SPDX-License-Identifier: Apache-2.0
"""What a custodian does: take a share over, accept, deliver, extend.

A seller in direct mode is the only custodian of their own version, and delivers by the same code.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from truthmark.cid import raw_cid
from truthmark.errors import KeysError
from truthmark.keys.encryption import find_encryption_keys
from truthmark.keys.sealing import MAX_BUNDLE_BYTES
from truthmark.market.catalogue import Catalogue
from truthmark.market.drafts.delivery import (
    check_custody,
    draft_delivery,
    receive_share,
    turn_order,
)
from truthmark.market.entries import Epoch, EpochState, Purchase, Version
from truthmark.market.planned_call import MAX_BATCH, PlannedCall, batch_key
from truthmark.session import Session

if TYPE_CHECKING:
    from truthmark.chain.transactions import TransactionReceipt


@dataclass(frozen=True, slots=True)
class CustodySlot:
    """A custodian's place in an epoch of custody."""

    epoch: Epoch
    index: int
    """the custodian's number, from 1"""


def custody_slots(epochs: Iterable[Epoch], address: str) -> list[CustodySlot]:
    """Return the places that an address has in epochs of custody."""
    wanted = address.lower()
    return [
        CustodySlot(epoch, epoch.custodians.index(custodian) + 1)
        for epoch in epochs
        for custodian in epoch.custodians
        if custodian.lower() == wanted
    ]


def own_encryption_keys(session: Session, validator: str) -> dict[bytes, bytes]:
    """Return the private keys of a validator's registered keys, by these, the oldest first.

    Args:
        session: Its account is the validator's operator.
        validator: The validator's address.

    Raises:
        KeysError: None of the registered keys is this operator's.
    """
    return find_encryption_keys(
        session.signer.sign_typed,
        Catalogue.of(session).encryption_keys(validator),
        chain_id=session.profile.chain_id,
        market=session.chain.market.address,
        validator=validator,
    )


def is_due(
    purchase: Purchase,
    slot: CustodySlot,
    state: EpochState,
    now: int,
    delivery_seconds: int,
    margin: int,
) -> bool:
    """Whether a custodian should deliver a purchase now.

    The first t of `turn_order` deliver at once. The k-th after them steps in after k shares of the
    window, so that one who is late is replaced in time; nobody posts within `margin` of the
    deadline, where the transaction could come too late and cost gas for nothing.

    Args:
        purchase: The purchase.
        slot: The custodian.
        state: How the epoch stands.
        now: Chain time.
        delivery_seconds: The terms' delivery window.
        margin: Seconds that a transaction may take.
    """
    if not purchase.awaits(slot.index) or now + margin > purchase.deadline:
        return False
    obliged = state.active
    if purchase.deadline <= state.previous_end:
        obliged |= state.previous_active
    order = turn_order(purchase.purchase_id, obliged)
    if slot.index not in order:
        return False
    threshold = slot.epoch.custody.threshold
    place = order.index(slot.index)
    if place < threshold:
        return True
    spare = len(order) - threshold
    bought_at = purchase.deadline - delivery_seconds
    waited = (delivery_seconds - margin) * (place - threshold + 1) // (spare + 1)
    return now >= bought_at + waited


def accept_key(slot: CustodySlot) -> str:
    """Return the journal's name of the transaction that accepts a custody."""
    return f"accept:{slot.epoch.custody_id.hex()}:{slot.index}"


class Custodian:
    """A custodian's side of a session; the session's account is its operator or owner.

    Args:
        session: Whose account, vault and storage are used.
    """

    def __init__(self, session: Session) -> None:
        """Use a session."""
        self.session = session

    def take_share(self, version: Version, slot: CustodySlot, encryption_key: bytes) -> int:
        """Fetch, open and check the share of a custody, and keep it in the vault.

        Raises:
            KeysError: The dealing or the share is wrong; do not accept.
            StorageError: The sealed shares cannot be fetched.
        """
        session, epoch = self.session, slot.epoch
        check_custody(version.terms, epoch.custody, epoch.custodians, epoch.share_keys)
        bundle = session.storage.read_block(raw_cid(epoch.custody.sealed_shares))
        if len(bundle) > MAX_BUNDLE_BYTES:
            raise KeysError("the sealed shares are too large; do not accept this custody")
        share = receive_share(
            bundle,
            encryption_key,
            version.terms,
            epoch.custody,
            epoch.share_keys,
            slot.index,
            chain_id=session.profile.chain_id,
            registry=session.chain.registry.address,
        )
        session.vault.put_share(share, epoch.custody_id, slot.index)
        return share

    def plan_accept(self, version: Version, slot: CustodySlot) -> PlannedCall:
        """Plan to accept a custody whose share is in the vault; locks stake."""
        epoch = slot.epoch
        return PlannedCall(
            self.session.chain.registry.functions.accept(
                epoch.custody.astuple(),
                list(epoch.custodians),
                [tuple(key) for key in epoch.share_keys],
                slot.index,
            ),
            accept_key(slot),
            f"accept custody of {version.ref}",
        )

    def plan_extend(self, version: Version, slot: CustodySlot, end: int) -> PlannedCall:
        """Plan to stay for another period after `end`, the end of the running one."""
        epoch = slot.epoch
        return PlannedCall(
            self.session.chain.registry.functions.extend(
                version.terms.astuple(),
                epoch.custody.astuple(),
                list(epoch.custodians),
                slot.index,
            ),
            f"extend:{epoch.custody_id.hex()}:{slot.index}:{end}",
            f"extend custody of {version.ref}",
        )

    def plan_join(self, version: Version, slot: CustodySlot, end: int) -> PlannedCall:
        """Plan to stay for the period until `end`, by which enough others have extended."""
        epoch = slot.epoch
        return PlannedCall(
            self.session.chain.registry.functions.join_extension(
                epoch.custody.astuple(), list(epoch.custodians), slot.index
            ),
            f"join:{epoch.custody_id.hex()}:{slot.index}:{end}",
            f"join the extension of {version.ref}",
        )

    def share(self, version: Version, slot: CustodySlot) -> int:
        """Return the share of a slot: from the vault, or in direct mode the seller's secret.

        Raises:
            KeysError: The vault does not have it.
        """
        custody = slot.epoch.custody
        if custody.is_direct:
            return self.session.vault.seller_secret(version.terms.public_key)
        share_key = slot.epoch.share_keys[slot.index - 1]
        share = self.session.vault.find_share(slot.epoch.custody_id, slot.index, share_key)
        if share is None:
            raise KeysError(
                f"the vault has no share for custody of {version.ref}; restore a backup, or let "
                "the node fetch it again"
            )
        return share

    def plan_deliver(
        self, version: Version, slot: CustodySlot, purchases: Sequence[Purchase]
    ) -> list[PlannedCall]:
        """Plan the delivery of this custodian's part of the key for purchases of one epoch.

        What is delivered or closed meanwhile is skipped by the contract.

        Raises:
            KeysError: The share is missing.
        """
        session, epoch = self.session, slot.epoch
        share = self.share(version, slot)
        calls = []
        for start in range(0, len(purchases), MAX_BATCH):
            batch = purchases[start : start + MAX_BATCH]
            call = session.chain.market.functions.deliver(
                epoch.custody_id,
                slot.index,
                tuple(epoch.share_keys[slot.index - 1]),
                epoch.custody.threshold,
                version.terms.inspection_seconds,
                [
                    draft_delivery(
                        share,
                        p.receipt,
                        epoch.custody,
                        epoch.share_keys,
                        slot.index,
                        chain_id=session.profile.chain_id,
                        market=session.chain.market.address,
                    )
                    for p in batch
                ],
            )
            parts = "1 part" if len(batch) == 1 else f"{len(batch)} parts"
            # A part that comes late earns nothing, yet everybody can read it in the transaction,
            # and the buyer has their money back.
            calls.append(
                PlannedCall(
                    call,
                    batch_key(f"deliver:{slot.index}", batch),
                    f"deliver {parts}",
                    not_after=min(p.deadline for p in batch),
                )
            )
        return calls

    def deliver(
        self, version: Version, slot: CustodySlot, purchases: Sequence[Purchase]
    ) -> "list[TransactionReceipt]":
        """Deliver this custodian's part of the key for purchases of one epoch, and wait.

        Raises:
            KeysError: The share is missing.
            ChainError: The market refuses, or is not reached.
        """
        session = self.session
        calls = self.plan_deliver(version, slot, purchases)
        receipts = [session.send(*call) for call in calls]
        Catalogue.of(session).sync()
        return receipts
