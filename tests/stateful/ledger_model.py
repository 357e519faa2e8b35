# SPDX-License-Identifier: Apache-2.0
"""The market as a ledger in plain Python, written from docs/protocol.md and from nothing else.

Each method tells whether the call is allowed and, if so, has changed the ledger. It keeps sets and
lists where the contracts keep words, and derives what is held from what has happened, so that a
mistake in one is not repeated in the other. Ids are whatever the caller names things by.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.stateful.ledger_records import BURN, BountyFacts, Custody, Id, Purchase, Version
from tests.utils.staking_ledger import StakingLedger
from truthmark.market.records import CustodyStatus, PurchaseStatus, VersionStatus

LIMIT = 2**128
WEEK = 7 * 86_400


@dataclass
class MarketLedger:
    """Registry, market and staking. `pays` says of each token whether coins come in."""

    staking: StakingLedger
    registry: str
    treasury: str
    fee_bps: int
    now: int = 0
    is_paused: bool = False
    pays: dict[str, bool] = field(default_factory=lambda: defaultdict(lambda: True))
    versions: dict[Id, Version] = field(default_factory=dict)
    custodies: dict[Id, Custody] = field(default_factory=dict)
    purchases: dict[Id, Purchase] = field(default_factory=dict)
    bounties: dict[int, BountyFacts] = field(default_factory=dict)
    # (bounty, token) -> royalties of all settled sales; (bounty, token, worker) -> credited of it
    pools: dict[tuple[int, str], int] = field(default_factory=lambda: defaultdict(int))
    drawn: dict[tuple[int, str, int], int] = field(default_factory=lambda: defaultdict(int))
    listing_count: int = 0
    used_vouchers: set[Id] = field(default_factory=set)
    # contract -> (token, account) -> amount
    entries: dict[str, dict[tuple[str, str], int]] = field(
        default_factory=lambda: {"registry": defaultdict(int), "market": defaultdict(int)}
    )
    # all that ever came in, by contract and token, and all that was paid out
    paid_in: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    paid_out: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))

    # ------------------------------------------------------------- reading

    def held(self, contract: str, token: str) -> int:
        """Return what a contract must have of a token: entries and what is held beside them."""
        total = sum(
            amount
            for (its_token, _), amount in self.entries[contract].items()
            if its_token == token
        )
        if contract == "registry":
            for version_id, version in self.versions.items():
                if version.token == token:
                    total += version.held
                    total += sum(
                        it.held for it in self.custodies.values() if it.version == version_id
                    )
            return total
        for purchase in self.purchases.values():
            if purchase.status in (PurchaseStatus.PAID, PurchaseStatus.DELIVERED):
                custody = self.custodies[purchase.custody]
                if self.versions[custody.version].token == token:
                    total += purchase.price + custody.threshold * custody.fee
        return total + self.left_in_pools(token)

    def left_in_pools(self, token: str) -> int:
        """Return what sales have paid as royalties and nobody has drawn."""
        paid = sum(pool for (_, its), pool in self.pools.items() if its == token)
        return paid - sum(units for (_, its, _), units in self.drawn.items() if its == token)

    def free_after(self, custody: Custody, j: int) -> int:
        """Return after which second custodian j's time for fines is over; -1 where it is."""
        version = self.versions[custody.version]
        if version.status == VersionStatus.REVOKED:
            return -1
        if j in custody.active:
            end = custody.end
        elif j in custody.previous_active:
            end = custody.previous_end
        else:
            end = -1
        if end < 0:
            return end
        stops = [it for it in (version.stopped_at, custody.stopped_at) if it]
        obligation_end = min([end, *(stop + version.windows for stop in stops)])
        return obligation_end + version.windows

    def obligation(self, custody_id: Id, j: int) -> bytes:
        """Return the name of an obligation; only its uniqueness matters."""
        return repr((custody_id, j)).encode()

    # ------------------------------------------------------------- version

    def list_version(
        self,
        version_id: Id,
        version: Version,
        custody_id: Id,
        custody: Custody,
        sender: str,
        previous: Id | None = None,
    ) -> bool:
        """List a version with its first epoch of custody."""
        if self.is_paused or sender != version.seller or version_id in self.versions:
            return False
        if not (0 <= version.price < LIMIT and version.bond < LIMIT):
            return False
        if version.fee_bps != self.fee_bps or not self._may_owe(version):
            return False
        if version.guarantee_bps > 10_000:
            return False
        before = None
        version.listing, version.number = self.listing_count + 1, 1
        if previous is not None:
            before = self.versions.get(previous)
            if before is None or before.seller != sender or before.is_superseded:
                return False
            version.listing, version.number = before.listing, before.number + 1
        if not self._open(version, custody_id, custody, version.bond):
            return False
        self.versions[version_id] = version
        if before is not None:
            before.is_superseded = True
        else:
            self.listing_count += 1
        return True

    def _may_owe(self, version: Version) -> bool:
        """Whether the terms' royalty may be, now that it is listed."""
        if version.bounty == 0:
            return version.royalty_bps == 0
        named = self.bounties.get(version.bounty)
        is_cited = named is not None and named.citing == version.seller
        return is_cited and 1 <= version.royalty_bps <= 9_750

    def open_custody(self, custody_id: Id, custody: Custody, epoch: int, sender: str) -> bool:
        version = self.versions.get(custody.version)
        if self.is_paused or version is None or sender != version.seller or not version.is_running:
            return False
        return epoch == version.epochs and self._open(version, custody_id, custody, 0)

    def reprice(self, version_id: Id, price: int, sender: str) -> bool:
        version = self._own_running(version_id, sender)
        if version is None or price >= LIMIT:
            return False
        version.price = price
        return True

    def set_version_paused(self, version_id: Id, is_paused: bool, sender: str) -> bool:
        version = self._own_running(version_id, sender)
        if version is None:
            return False
        version.status = VersionStatus.PAUSED if is_paused else VersionStatus.OPEN
        return True

    def retire(self, version_id: Id, sender: str) -> bool:
        version = self._own_running(version_id, sender)
        if version is None:
            return False
        version.status, version.stopped_at = VersionStatus.RETIRED, self.now
        return True

    def top_up(self, version_id: Id, amount: int) -> bool:
        version = self.versions.get(version_id)
        if version is None or not version.is_running or amount >= LIMIT:
            return False
        if amount and not self.pays[version.token]:
            return False
        self._pay_in("registry", version.token, amount)
        version.keeping_balance += amount
        return True

    def close_version(self, version_id: Id) -> bool:
        version = self.versions.get(version_id)
        if version is None:
            return False
        amount = version.keeping_balance
        if version.status == VersionStatus.RETIRED:
            if not self.now > version.stopped_at + version.windows:
                return False
            version.status = VersionStatus.CLOSED
            amount += version.bond
        elif version.status not in (VersionStatus.CLOSED, VersionStatus.REVOKED):
            return False
        version.keeping_balance = 0
        self._credit("registry", version.token, version.payee, amount)
        return True

    # ------------------------------------------------------------- custody

    def accept(self, custody_id: Id, j: int, sender: str) -> bool:
        custody = self.custodies.get(custody_id)
        if self.is_paused or custody is None or custody.status != CustodyStatus.OPENED:
            return False
        if not self.now <= custody.accept_until or not self.versions[custody.version].is_running:
            return False
        if not 1 <= j <= custody.count or j in custody.accepted:
            return False
        refusal = self.staking.lock(
            self.registry,
            custody.custodians[j - 1],
            sender,
            self.obligation(custody_id, j),
            custody.lock,
        )
        if refusal is not None:
            return False
        custody.accepted.add(j)
        if len(custody.accepted) == custody.count:
            custody.status = CustodyStatus.LIVE
            custody.active = set(custody.accepted)
        return True

    def release(self, custody_id: Id) -> bool:
        custody = self.custodies.get(custody_id)
        if custody is None:
            return False
        version = self.versions[custody.version]
        if custody.status == CustodyStatus.OPENED:
            if not self.now > custody.accept_until and version.is_running:
                return False
            cost = custody.count * custody.keeping_fee
            self._credit("registry", version.token, version.seller, cost)
            custody.status = CustodyStatus.LAPSED
            custody.released = set(custody.accepted)
            for j in custody.accepted:
                self._unlock(custody_id, custody, j)
            return True
        if custody.status == CustodyStatus.LAPSED:
            return False
        everybody = custody.active | custody.previous_active
        if custody.previous_end and (
            self.now > custody.previous_end + version.windows
            or all(self.now > self.free_after(custody, j) for j in everybody)
        ):
            self._pay_owed_period(version, custody)
        for j in range(1, custody.count + 1):
            if j in custody.released or not self.now > self.free_after(custody, j):
                continue
            custody.released.add(j)
            self._unlock(custody_id, custody, j)
            if j in custody.fined:
                version.keeping_balance += custody.keeping_fee
            else:
                custodian = custody.custodians[j - 1]
                self._credit("registry", version.token, custodian, custody.keeping_fee)
        return True

    def extend(self, custody_id: Id, j: int, sender: str) -> bool:
        custody = self.custodies.get(custody_id)
        if custody is None or custody.status != CustodyStatus.LIVE:
            return False
        version = self.versions[custody.version]
        if not 1 <= j <= custody.count or not version.is_running:
            return False
        custodian = custody.custodians[j - 1]
        is_direct = custody.lock == 0  # then staking need not know the seller
        if not ((is_direct and sender == custodian) or self.staking.is_actor(custodian, sender)):
            return False
        if j not in custody.active:
            joins = j in custody.previous_active and self.now < custody.previous_end
            if not joins or not self._hold_period(version, custody, {j}):
                return False
            custody.active = custody.active | {j}
            return True
        if not custody.end - custody.period // 3 <= self.now < custody.end:
            return False
        if custody.end + custody.period > custody.last_end or j in custody.votes:
            return False
        votes = custody.votes | {j}
        takes_effect = len(votes) == 2 * custody.threshold - 1
        if takes_effect and not self._hold_period(version, custody, votes):
            return False
        if custody.previous_end:
            assert self.now > custody.previous_end + 2 * version.windows - 1
            self._pay_owed_period(version, custody)
        if takes_effect:
            custody.previous_active, custody.previous_end = custody.active, custody.end
            custody.active, votes = votes, set()
            custody.end += custody.period
        custody.votes = votes
        return True

    # ------------------------------------------------------------ purchase

    def buy(
        self,
        purchase_id: Id,
        version_id: Id,
        custody_id: Id,
        buyer: str,
        price: int,
        *,
        is_proven: bool = True,
        is_admitted: bool = True,
        voucher: tuple[Id, int, int, bool] | None = None,
    ) -> bool:
        """Buy; a voucher is its digest, price, expiry, and whether the seller signed all of it."""
        version, custody = self.versions.get(version_id), self.custodies.get(custody_id)
        if self.is_paused or version is None or version.status != VersionStatus.OPEN:
            return False
        if custody is None or custody.version != version_id:
            return False
        if custody.status != CustodyStatus.LIVE or self.now + version.windows > custody.end:
            return False
        due = version.price
        if voucher is not None:
            digest, due, expiry, is_signed = voucher
            if due > version.price or self.now > expiry or not is_signed:
                return False
            if digest in self.used_vouchers:
                return False
        if price != due or not is_proven or (version.has_gate and not is_admitted):
            return False
        if purchase_id in self.purchases:
            return False
        cost = price + custody.threshold * custody.fee
        if cost and not self.pays[version.token]:
            return False
        self._pay_in("market", version.token, cost)
        if voucher is not None:
            self.used_vouchers.add(voucher[0])
        deadline = self.now + version.delivery
        by_voucher = voucher is not None
        self.purchases[purchase_id] = Purchase(custody_id, buyer, price, deadline, by_voucher)
        return True

    def deliver(self, custody_id: Id, j: int, parts: Sequence[tuple[Id, bool]]) -> bool:
        """Deliver parts, each with whether its proof is good; all count or none."""
        custody = self.custodies.get(custody_id)
        # Whose stored hash was deleted, or who never accepted, delivers nothing.
        if custody is None or j not in custody.accepted - custody.released:
            return False
        version = self.versions[custody.version]
        done: list[tuple[Purchase, list[int], PurchaseStatus, int]] = []
        for purchase_id, is_good in parts:
            it = self.purchases.get(purchase_id)
            if it is None or it.status != PurchaseStatus.PAID or j in it.delivered:
                continue
            if self.now > it.deadline:
                continue
            if not is_good:
                for purchase, delivered, status, deadline in reversed(done):
                    purchase.delivered, purchase.status = delivered, status
                    purchase.deadline = deadline
                return False
            done.append((it, it.delivered, it.status, it.deadline))
            it.delivered = [*it.delivered, j]
            if len(it.delivered) == custody.threshold:
                it.status = PurchaseStatus.DELIVERED
                it.deadline = self.now + version.inspection
        return True

    def settle(self, version_id: Id, custody_id: Id, purchase_ids: Sequence[Id]) -> bool:
        if self.versions[version_id].status == VersionStatus.REVOKED:
            return False
        for purchase_id in purchase_ids:
            it = self.purchases.get(purchase_id)
            if it is None or it.custody != custody_id:
                continue
            if it.status == PurchaseStatus.DELIVERED and self.now > it.deadline:
                self._settle(it)
        return True

    def confirm(self, purchase_id: Id, sender: str) -> bool:
        it = self.purchases.get(purchase_id)
        if it is None or it.buyer != sender or it.status != PurchaseStatus.DELIVERED:
            return False
        if self._version_of(it).status == VersionStatus.REVOKED:
            return False
        self._settle(it)
        return True

    def reject(self, purchase_id: Id, sender: str) -> bool:
        it = self.purchases.get(purchase_id)
        if it is None or it.buyer != sender or it.status != PurchaseStatus.DELIVERED:
            return False
        if self.now > it.deadline or self._version_of(it).status == VersionStatus.REVOKED:
            return False
        self._settle(it, is_rejected=True)
        return True

    def review(self, purchase_id: Id, sender: str) -> bool:
        it = self.purchases.get(purchase_id)
        if it is None or it.buyer != sender or it.is_reviewed:
            return False
        if it.status not in (PurchaseStatus.SETTLED, PurchaseStatus.REJECTED):
            return False
        it.is_reviewed = True
        return True

    def refund(self, custody_id: Id, purchase_ids: Sequence[Id]) -> bool:
        custody = self.custodies[custody_id]
        version = self.versions[custody.version]
        silent: set[int] = set()
        is_late = False
        for purchase_id in purchase_ids:
            it = self.purchases.get(purchase_id)
            if it is None or it.custody != custody_id:
                continue
            if version.status == VersionStatus.REVOKED:
                if it.status not in (PurchaseStatus.PAID, PurchaseStatus.DELIVERED):
                    continue
            elif it.status != PurchaseStatus.PAID or not self.now > it.deadline:
                continue
            else:
                is_late = True
                obliged = set(custody.active)
                if it.deadline + version.inspection <= custody.previous_end:
                    obliged |= custody.previous_active
                silent |= obliged - set(it.delivered)
            it.status = PurchaseStatus.REFUNDED
            cost = it.price + custody.threshold * custody.fee
            self._credit("market", version.token, it.buyer, cost)
        if is_late:
            self._close(custody_id, custody, silent)
        return True

    def dispute(self, purchase_id: Id, is_true: bool) -> bool:
        it = self.purchases.get(purchase_id)
        if it is None or it.status != PurchaseStatus.DELIVERED or self.now > it.deadline:
            return False
        return is_true and self._revoke(self._version_of(it), it.buyer)

    def dispute_sealing(self, version_id: Id, is_true: bool, sender: str) -> bool:
        version = self.versions.get(version_id)
        return version is not None and is_true and self._revoke(version, sender)

    def rule(self, version_id: Id, rewarded: str, sender: str) -> bool:
        version = self.versions.get(version_id)
        if version is None or version.arbiter == BURN or version.arbiter != sender:
            return False
        return rewarded != BURN and self._revoke(version, rewarded)

    def _revoke(self, version: Version, rewarded: str) -> bool:
        if version.status in (VersionStatus.REVOKED, VersionStatus.CLOSED):
            return False
        version.status = VersionStatus.REVOKED
        reward = version.bond // 2
        self._credit("registry", version.token, rewarded, reward)
        self._credit("registry", version.token, BURN, version.bond - reward)
        return True

    def draw(self, bounty: int, token: str, workers: Sequence[int]) -> int | None:
        """Draw for workers who committed; what was credited, None where it is refused."""
        it = self.bounties.get(bounty)
        if it is None or not it.has_ended:
            return None
        total = 0
        for worker in workers:
            share = self.pools[bounty, token] * it.earned[worker] // it.full
            due = share - self.drawn[bounty, token, worker]
            assert due >= 0
            self.drawn[bounty, token, worker] = share
            self._credit("market", token, it.payees[worker], due)
            total += due
        return total

    def withdraw(self, contract: str, token: str, account: str, amount: int = 0) -> int | None:
        """Take out of an entry, all of it for 0; whether the coins arrive is the token's affair.

        Returns:
            What was taken, None where it is refused.
        """
        entry = self.entries[contract].get((token, account), 0)
        if account == BURN or amount > entry:
            return None
        paid = amount or entry
        self.entries[contract][token, account] = entry - paid
        self.paid_out[contract, token] += paid
        return paid

    # ------------------------------------------------------------ internals

    def _open(self, version: Version, custody_id: Id, custody: Custody, bond: int) -> bool:
        if not self.now <= custody.accept_until <= self.now + WEEK:
            return False
        if not custody.accept_until + version.windows <= custody.end <= custody.last_end:
            return False
        cost = custody.count * custody.keeping_fee + bond
        if cost and not self.pays[version.token]:
            return False
        self._pay_in("registry", version.token, cost)
        version.epochs += 1
        self.custodies[custody_id] = custody
        if custody.lock == 0:
            custody.accepted = custody.active = {1}
            custody.status = CustodyStatus.LIVE
        return True

    def _own_running(self, version_id: Id, sender: str) -> Version | None:
        version = self.versions.get(version_id)
        if version is None or version.seller != sender or not version.is_running:
            return None
        return version

    def _version_of(self, purchase: Purchase) -> Version:
        return self.versions[self.custodies[purchase.custody].version]

    def _credit(self, contract: str, token: str, account: str, amount: int) -> None:
        if amount:
            self.entries[contract][token, account] += amount

    def _pay_in(self, contract: str, token: str, amount: int) -> None:
        self.paid_in[contract, token] += amount

    def _unlock(self, custody_id: Id, custody: Custody, j: int) -> None:
        if custody.lock:
            self.staking.release(self.registry, self.obligation(custody_id, j))

    def _hold_period(self, version: Version, custody: Custody, stayers: set[int]) -> bool:
        cost = len(stayers) * custody.keeping_fee
        if cost > version.keeping_balance:
            return False
        version.keeping_balance -= cost
        return True

    def _pay_owed_period(self, version: Version, custody: Custody) -> None:
        custody.previous_end, custody.previous_active = 0, set()
        for j in custody.active:
            if j in custody.fined:
                version.keeping_balance += custody.keeping_fee
            else:
                custodian = custody.custodians[j - 1]
                self._credit("registry", version.token, custodian, custody.keeping_fee)

    def _settle(self, purchase: Purchase, *, is_rejected: bool = False) -> None:
        custody = self.custodies[purchase.custody]
        version = self.versions[custody.version]
        purchase.status = PurchaseStatus.REJECTED if is_rejected else PurchaseStatus.SETTLED
        burned = purchase.price * version.guarantee_bps // 10_000 if is_rejected else 0
        self._credit("market", version.token, BURN, burned)
        rest = purchase.price - burned
        fee = rest * version.fee_bps // 10_000
        royalty = rest * version.royalty_bps // 10_000
        self.pools[version.bounty, version.token] += royalty
        self._credit("market", version.token, self.treasury, fee)
        self._credit("market", version.token, version.payee, rest - fee - royalty)
        for j in purchase.delivered:
            self._credit("market", version.token, custody.custodians[j - 1], custody.fee)

    def _close(self, custody_id: Id, custody: Custody, silent: set[int]) -> None:
        if custody.status == CustodyStatus.LIVE:
            custody.status, custody.stopped_at = CustodyStatus.CLOSED, self.now
        for j in silent - custody.fined - custody.released:
            custody.fined.add(j)
            if custody.lock:
                self.staking.slash(self.registry, self.obligation(custody_id, j), custody.penalty)
