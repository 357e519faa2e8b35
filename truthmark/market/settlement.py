# SPDX-License-Identifier: Apache-2.0
"""What anyone may do to move things on: settle, refund, release, withdraw."""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final

from truthmark.errors import ChainError, MarketError
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import Epoch, EpochState, Purchase, Version
from truthmark.market.planned_call import MAX_BATCH, PlannedCall, batch_key
from truthmark.market.records import (
    CustodyStatus,
    PurchaseStatus,
    VersionStatus,
    bits,
)
from truthmark.session import Session

if TYPE_CHECKING:
    from truthmark.chain.contracts import Call
    from truthmark.chain.transactions import TransactionReceipt

LEDGERS: Final = {
    "registry": "listings",
    "market": "sales and royalties",
    "staking": "stake",
    "bounty_board": "labeling",
}
"""By role of a contract that holds money for accounts: what that money comes from."""


def overdue(purchases: Iterable[Purchase], now: int) -> list[Purchase]:
    """Return the purchases that can be refunded because they were not delivered in time."""
    return [p for p in purchases if p.status is PurchaseStatus.PAID and now > p.deadline]


def inspected(purchases: Iterable[Purchase], now: int) -> list[Purchase]:
    """Return the purchases that can be settled because their inspection is over."""
    return [p for p in purchases if p.status is PurchaseStatus.DELIVERED and now > p.deadline]


def releasable(
    version: Version, epoch: Epoch, state: EpochState, now: int, *, version_stopped_at: int
) -> list[int]:
    """Return the custodians that `release`, or `lapse`, would free now, as docs/protocol.md says.

    Args:
        version: The epoch's version, as the chain has it now.
        epoch: The epoch.
        state: How it stands.
        now: Chain time.
        version_stopped_at: When the version was retired, 0 if it was not.
    """
    accepted = set(bits(state.accepted)) - set(bits(state.released))
    running = version.status in (VersionStatus.OPEN, VersionStatus.PAUSED)
    if state.status is CustodyStatus.OPENED:
        return sorted(accepted) if now > epoch.custody.accept_until or not running else []
    if state.status not in (CustodyStatus.LIVE, CustodyStatus.CLOSED):
        return []
    windows = version.terms.delivery_seconds + version.terms.inspection_seconds
    stops = [stop for stop in (state.stopped_at, version_stopped_at) if stop]
    if version.status is VersionStatus.REVOKED or any(now > stop + 2 * windows for stop in stops):
        return sorted(accepted)
    # After the end of an obligation there is as much time again to fine who was silent.
    if now <= state.end + windows:
        accepted -= set(bits(state.active))
    if now <= state.previous_end + windows:
        accepted -= set(bits(state.previous_active))
    return sorted(accepted)


class Settlement:
    """Moves what is due; the session's account pays the gas.

    Args:
        session: Whose account is used.
    """

    def __init__(self, session: Session) -> None:
        """Use a session."""
        self.session = session

    def plan_settle(
        self, version: Version, epoch: Epoch, purchases: Sequence[Purchase]
    ) -> list[PlannedCall]:
        """Plan to settle purchases of one epoch; those whose inspection is not over are skipped."""
        head = version.terms.astuple(), epoch.custody.astuple(), list(epoch.custodians)
        return self._plan("settle", head, purchases)

    def plan_refund(
        self, version: Version, epoch: Epoch, purchases: Sequence[Purchase]
    ) -> list[PlannedCall]:
        """Plan to refund purchases of one epoch that were not delivered in time."""
        return self._plan("refund", (version.terms.astuple(), epoch.custody.astuple()), purchases)

    def plan_lapse(self, version: Version, epoch: Epoch) -> PlannedCall:
        """Plan to give an epoch up that was not complete in time."""
        return self._plan_end("lapse", version, epoch, f"lapse:{epoch.custody_id.hex()}")

    def plan_release(self, version: Version, epoch: Epoch, indices: Sequence[int]) -> PlannedCall:
        """Plan to free the stake of custodians of a complete epoch, and credit their keeping fees.

        Args:
            version: The epoch's version.
            epoch: The epoch.
            indices: Who is free to go, as `releasable` says.
        """
        key = f"release:{epoch.custody_id.hex()}:{','.join(map(str, indices))}"
        return self._plan_end("release", version, epoch, key)

    def settle(self, purchases: Sequence[Purchase]) -> "list[TransactionReceipt]":
        """Settle purchases whose inspection is over; those that are not are skipped."""
        return self._send_all(self.plan_settle, purchases)

    def refund(self, purchases: Sequence[Purchase]) -> "list[TransactionReceipt]":
        """Refund purchases that were not delivered in time, or whose version is revoked."""
        return self._send_all(self.plan_refund, purchases)

    def tokens_of(self, account: str) -> tuple[list[str], list[str]]:
        """Return the tokens that an account has to do with, and all others in which is listed.

        The first are the profile's, and those in which the account itself has sold or bought.
        Anyone can list in ever new tokens, whose code may cost gas for nothing.
        """
        catalogue = Catalogue.of(self.session)
        bought = {p.terms_id for p in catalogue.purchases(buyer=account)}
        versions = [
            *catalogue.versions(seller=account),
            *(catalogue.versions(terms_ids=list(bought)) if bought else ()),
        ]
        own = [token.address for token in self.session.profile.tokens]
        own += sorted({v.terms.token for v in versions} - set(own))
        return own, [token for token in catalogue.tokens() if token not in own]

    def held(self, tokens: Iterable[str], account: str) -> dict[str, int | None]:
        """Return what an account itself has of tokens; None of what cannot be read.

        Raises:
            ChainError: A token of the profile cannot be read.
        """
        session = self.session
        known = {token.address for token in session.profile.tokens}
        held: dict[str, int | None] = {}
        for token in tokens:
            balance_of = session.token(token).functions.balanceOf(account)
            if token in known:
                held[token] = balance_of.call()
                continue
            # Anyone can list in a token of their own, which need not even be a contract.
            try:
                (units,) = session.chain.try_batch([balance_of])
            except ChainError as error:
                units = error
            held[token] = None if isinstance(units, Exception) else units
        return held

    def credits(self, token: str, account: str) -> dict[str, int]:
        """Return what each contract's ledger holds for an account, by the contract's role."""
        chain = self.session.chain
        ledgers = {
            role: contract
            for role, contract in chain.contracts.items()
            if "balances" in contract.artifact.functions
        }
        amounts = chain.batch(
            [ledger.functions.balances(token, account) for ledger in ledgers.values()]
        )
        return {role: amount for role, amount in zip(ledgers, amounts, strict=True) if amount}

    def withdraw(self, token: str, account: str, amount: int = 0) -> "list[TransactionReceipt]":
        """Pay an account what the ledgers hold for it in one token.

        Args:
            token: The token's address.
            account: Who is paid.
            amount: How much, in the token's smallest unit; 0 for all of it.

        Raises:
            MarketError: Less is owed.
        """
        session = self.session
        show = session.profile.amount
        return [
            session.send_repeatable(call, f"withdraw {show(part, token)}")
            for call, part in self.plan_withdraw(token, account, amount)
        ]

    def plan_withdraw(self, token: str, account: str, amount: int = 0) -> "list[tuple[Call, int]]":
        """Return the calls that pay an account, which anyone may send, and what each brings.

        Args:
            token: The token's address.
            account: Who is paid.
            amount: How much, in the token's smallest unit; 0 for all of it.

        Raises:
            MarketError: Less is owed.
        """
        session = self.session
        show, owed = session.profile.amount, self.credits(token, account)
        total = sum(owed.values())
        if amount > total:
            raise MarketError(f"only {show(total, token)} is owed to {account}; take out no more")
        calls, left = [], amount or total
        for role, entry in owed.items():
            part = min(left, entry)
            if not part:
                break
            # All of an entry is called 0, so that what is credited meanwhile comes along, and so
            # that it does not fail where somebody else was faster.
            call = getattr(session.chain, role).functions.withdraw(
                token, account, 0 if part == entry else part
            )
            calls.append((call, part))
            left -= part
        return calls

    def _plan_end(self, function: str, version: Version, epoch: Epoch, key: str) -> PlannedCall:
        return PlannedCall(
            getattr(self.session.chain.registry.functions, function)(
                version.terms.astuple(), epoch.custody.astuple(), list(epoch.custodians)
            ),
            key,
            f"release custodians of {version.ref}",
        )

    def _plan(
        self, function: str, head: tuple[object, ...], purchases: Sequence[Purchase]
    ) -> list[PlannedCall]:
        planned = []
        for start in range(0, len(purchases), MAX_BATCH):
            batch = purchases[start : start + MAX_BATCH]
            planned.append(
                PlannedCall(
                    getattr(self.session.chain.market.functions, function)(
                        *head, [p.receipt.astuple() for p in batch]
                    ),
                    batch_key(function, batch),
                    f"{function} {len(batch)} purchase{'s' if len(batch) > 1 else ''}",
                )
            )
        return planned

    def _send_all(
        self,
        plan: Callable[[Version, Epoch, Sequence[Purchase]], list[PlannedCall]],
        purchases: Sequence[Purchase],
    ) -> "list[TransactionReceipt]":
        session, catalogue = self.session, Catalogue.of(self.session)
        receipts = []
        for custody_id, group in groupby(
            sorted(purchases, key=lambda p: p.custody_id), key=lambda p: p.custody_id
        ):
            epoch = catalogue.epoch(custody_id)
            version = catalogue.with_terms(epoch.custody.terms_id)
            # Not once for ever: what was skipped because it was too early comes again.
            receipts += [
                session.send_repeatable(it.call, it.purpose)
                for it in plan(version, epoch, list(group))
            ]
        catalogue.sync()
        return receipts
