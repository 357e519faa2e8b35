# SPDX-License-Identifier: Apache-2.0
"""What anyone may do to move things on: settle, refund, release, withdraw."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from truthmark.market.catalogue import Epoch, EpochState, Purchase, Version
from truthmark.market.records import (
    CustodyStatus,
    PurchaseStatus,
    VersionStatus,
    bits,
)

if TYPE_CHECKING:
    from truthmark.chain.transactions import Receipt
    from truthmark.market.session import Session

MAX_BATCH = 20


def overdue(purchases: Iterable[Purchase], now: int) -> list[Purchase]:
    """Return the purchases that can be refunded because they were not delivered in time."""
    return [p for p in purchases if p.status is PurchaseStatus.PAID and now > p.deadline]


def inspected(purchases: Iterable[Purchase], now: int) -> list[Purchase]:
    """Return the purchases that can be settled because their inspection is over."""
    return [p for p in purchases if p.status is PurchaseStatus.DELIVERED and now > p.deadline]


def releasable(version: Version, epoch: Epoch, state: EpochState, now: int) -> list[int]:
    """Return the custodians that `release` would free now, as docs/protocol.md says.

    Args:
        version: The epoch's version, as the chain has it now.
        epoch: The epoch.
        state: How it stands.
        now: Chain time.
    """
    accepted = set(bits(state.accepted)) - set(bits(state.released))
    running = version.status in (VersionStatus.OPEN, VersionStatus.PAUSED)
    if state.status is CustodyStatus.OPENED:
        return sorted(accepted) if now > epoch.custody.accept_until or not running else []
    if state.status not in (CustodyStatus.LIVE, CustodyStatus.CLOSED):
        return []
    windows = version.terms.delivery_seconds + version.terms.inspection_seconds
    if version.status is VersionStatus.DEAD or (
        state.stopped_at and now > state.stopped_at + windows
    ):
        return sorted(accepted)
    if now <= state.end:
        accepted -= set(bits(state.active))
    if now <= state.previous_end:
        accepted -= set(bits(state.previous_active))
    return sorted(accepted)


class Upkeep:
    """Moves what is due; the session's account pays the gas.

    Args:
        session: Whose account is used.
    """

    def __init__(self, session: "Session") -> None:
        """Use a session."""
        self.session = session

    def settle(self, purchases: Sequence[Purchase]) -> "list[Receipt]":
        """Settle purchases whose inspection is over; those that are not are skipped."""
        return [
            self._send(
                "settle",
                batch,
                (version.terms.astuple(), epoch.custody.astuple(), list(epoch.custodians)),
            )
            for version, epoch, batch in self._batches(purchases)
        ]

    def refund(self, purchases: Sequence[Purchase]) -> "list[Receipt]":
        """Refund purchases that were not delivered in time, or whose version is dead."""
        return [
            self._send("refund", batch, (version.terms.astuple(), epoch.custody.astuple()))
            for version, epoch, batch in self._batches(purchases)
        ]

    def release(self, version: Version, epoch: Epoch, indices: Sequence[int]) -> "Receipt":
        """Free the stake of custodians whose duty has ended, and credit their keeping fees."""
        session = self.session
        receipt = session.send(
            session.chain.registry.functions.release(
                version.terms.astuple(), epoch.custody.astuple(), list(epoch.custodians)
            ),
            f"release:{epoch.custody_id.hex()}:{list(indices)}",
            f"release custodians of {version.ref}",
        )
        session.catalogue.sync()
        return receipt

    def owed(self, token: str, account: str) -> dict[str, int]:
        """Return what each contract's ledger holds for an account, by the contract's role."""
        chain = self.session.chain
        roles = ("registry", "market", "staking")
        amounts = chain.batch(
            [getattr(chain, role).functions.balances(token, account) for role in roles]
        )
        return {role: amount for role, amount in zip(roles, amounts, strict=True) if amount}

    def withdraw(self, token: str, account: str) -> "list[Receipt]":
        """Pay an account all that the ledgers hold for it in one token."""
        session = self.session
        nonce = session.chain.rpc.call("eth_getTransactionCount", session.address, "latest")
        return [
            session.send(
                getattr(session.chain, role).functions.withdraw(token, account),
                f"withdraw:{role}:{token}:{account}:{nonce}",
                f"withdraw {session.profile.format_amount(amount, token)}",
            )
            for role, amount in self.owed(token, account).items()
        ]

    def _send(
        self, function: str, batch: Sequence[Purchase], head: tuple[object, ...]
    ) -> "Receipt":
        session = self.session
        receipt = session.send(
            getattr(session.chain.market.functions, function)(
                *head, [p.receipt.astuple() for p in batch]
            ),
            # Nothing can be done twice to a purchase, so its first one names the batch.
            f"{function}:{batch[0].purchase_id.hex()}:{len(batch)}",
            f"{function} {len(batch)} purchase{'s' if len(batch) > 1 else ''}",
        )
        session.catalogue.sync()
        return receipt

    def _batches(
        self, purchases: Sequence[Purchase]
    ) -> "Iterable[tuple[Version, Epoch, list[Purchase]]]":
        catalogue = self.session.catalogue
        ordered = sorted(purchases, key=lambda p: p.custody_id)
        for custody_id, group in groupby(ordered, key=lambda p: p.custody_id):
            epoch = catalogue.epoch(custody_id)
            version = catalogue.version(f"0x{epoch.custody.terms_id.hex()}")
            together = list(group)
            for start in range(0, len(together), MAX_BATCH):
                yield version, epoch, together[start : start + MAX_BATCH]
