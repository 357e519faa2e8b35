# SPDX-License-Identifier: Apache-2.0
"""What must hold in the market's model: after each call, and when everybody gets out."""

from typing import Any

import boa
from hypothesis.stateful import invariant

from tests.stateful.ledger_records import BURN
from tests.stateful.market_state import MarketState, mask
from tests.utils.drafts import DELIVERY, INSPECTION, WINDOWS
from tests.utils.market import UNBONDING
from tests.utils.tokens import WELL_BEHAVED
from truthmark.hashing import keccak256
from truthmark.keys.abi_hash import word
from truthmark.market.records import CustodyStatus, PurchaseStatus, VersionStatus


class Checks(MarketState):
    """Compares words, entries and sums with the ledger."""

    def teardown(self) -> None:
        self.effects.update(self.done)
        try:
            self.everybody_gets_out()
        finally:
            self.undo.close()

    # ---------------------------------------------------------- comparing

    def read(self, place: str, slot: int, *keys: bytes) -> int:
        """Read a word of a contract's storage; a hash map's is keyed in turn."""
        key = (slot, *keys)
        if key not in self.slots:
            at = word(slot)
            for part in keys:
                at = keccak256(at + part)
            self.slots[key] = int.from_bytes(at, "big")
        return int(boa.env.get_storage(getattr(self.w, place).address, self.slots[key]))

    def held_in(self, token: Any, contract: Any) -> int:
        """Read what a contract has of a token: calls of views would be half of the time."""
        place = keccak256(word(self.balances[str(token.address)]) + word(str(contract.address)))
        return int(boa.env.get_storage(token.address, int.from_bytes(place, "big")))

    @invariant()
    def words_agree(self) -> None:
        ledger, slot = self.ledger, self.layout
        for version_id, it in ledger.versions.items():
            found = self.read("registry", slot["_versions"], version_id)
            assert found == pack(
                (it.status, 8),
                (it.price, 128),
                (it.listing, 40),
                (it.number, 16),
                (it.epochs, 16),
                (it.stopped_at, 40),
                (it.is_superseded, 8),
            )
            assert self.read("registry", slot["keeping_balances"], version_id) == it.keeping_balance
        for custody_id, c in ledger.custodies.items():
            found = self.read("registry", slot["_custodies"], custody_id)
            assert found == pack(
                (c.status, 8),
                *((mask(it), 16) for it in (c.accepted, c.active, c.previous_active)),
                *((mask(it), 16) for it in (c.votes, c.fined, c.released)),
                (c.end, 40),
                (c.previous_end, 40),
                (c.stopped_at, 40),
                (INSPECTION, 32),
            )
        for purchase_id, p in ledger.purchases.items():
            found = self.read("market", slot["_purchases"], purchase_id)
            assert found & 2**64 - 1 == pack(
                (p.status, 7), (p.is_by_voucher, 1), (mask(p.delivered), 16), (p.deadline, 40)
            )
            assert self.w.reviews.has_reviewed(purchase_id) == p.is_reviewed
        for (bounty, token), pool in ledger.pools.items():
            if bounty:
                found = self.read("market", slot["pools"], word(bounty), word(token))
                assert found == pool
        for (bounty, token, worker), units in ledger.drawn.items():
            keys = word(bounty), word(token), word(worker)
            assert self.read("market", slot["drawn"], *keys) == units
        assert self.read("registry", slot["listing_count"]) == ledger.listing_count
        assert self.read("market", slot["purchase_count"]) == len(ledger.purchases)

    @invariant()
    def entries_agree_and_all_are_solvent(self) -> None:
        for place in ("registry", "market"):
            slot = self.layout[f"{place} balances"]
            for token in self.tokens:
                for account in self.accounts:
                    found = self.read(place, slot, word(token), word(account))
                    assert found == self.ledger.entries[place].get((token, account), 0)
                contract = getattr(self.w, place)
                held = self.ledger.held(place, token)
                ledger = self.ledger
                flow = ledger.paid_in[place, token] - ledger.paid_out[place, token]
                assert held == flow
                lost = self.lost.get((place, token), 0)
                assert self.held_in(self.tokens[token], contract) == held + lost
        slot = self.layout["market balances"]
        for token in self.tokens:
            assert self.ledger.left_in_pools(token) >= 0
            for account in self.payees:
                found = self.read("market", slot, word(token), word(account))
                assert found == self.ledger.entries["market"].get((token, account), 0)
        staking = self.ledger.staking
        slot = self.layout["staking balances"]
        owed = 0
        for custodian in self.w.custodians:
            funds = self.read("staking", self.layout["_funds"], word(custodian))
            bonded, locked = funds >> 160, funds >> 64 & 2**96 - 1
            unbonding = self.read("staking", self.layout["_unbonding"], word(custodian))
            assert locked == staking.locked(custodian)
            assert bonded == staking.people[custodian].bonded
            assert unbonding == staking.unbonding(custodian)
            token = word(str(self.w.stake_token.address))
            entry = self.read("staking", slot, token, word(custodian))
            assert entry == staking.entries.get(custodian, 0)
            owed += bonded + unbonding + entry
        burned = self.read("staking", slot, word(str(self.w.stake_token.address)), word(BURN))
        assert burned == staking.burned
        assert self.held_in(self.w.stake_token, self.w.staking) == owed + burned

    # ---------------------------------------------------------------- exit

    def everybody_gets_out(self) -> None:
        """Let each role alone empty what is its own, with the owner hostile and entries paused."""
        if not self.listings:
            return
        w, ledger = self.w, self.ledger
        self.set_mode(WELL_BEHAVED)
        if not ledger.is_paused:
            w.registry.pause(sender=w.owner)
            ledger.is_paused = True
        self.everything_ends()
        self.words_agree()
        self.entries_agree_and_all_are_solvent()
        for role in self.accounts:
            if role != BURN:
                with boa.env.anchor():  # none has left before them
                    self.gets_out(role)
        for role in (*self.accounts, *self.payees):
            if role != BURN:
                self.gets_out(role)
        for place in ("registry", "market"):
            contract = getattr(w, place)
            for token in self.tokens.values():
                burned = contract.balances(token, BURN)
                left = token.balanceOf(contract)
                if place == "market":
                    burned += ledger.left_in_pools(str(token.address))
                assert left == burned + self.lost.get((place, str(token.address)), 0)
        assert w.stake_token.balanceOf(w.staking) == ledger.staking.burned

    def everything_ends(self) -> None:
        """Do what anyone may: deliver nothing more, refund, settle, retire, release, close."""
        w, ledger = self.w, self.ledger
        self.travel_to(self.now + DELIVERY + 1)
        for purchase in self.orders:
            if ledger.purchases[purchase.id].status == PurchaseStatus.PAID:
                ledger.refund(purchase.listing.custody_id, [purchase.id])
                w.refund(purchase)
        self.travel_to(self.now + INSPECTION + 1)
        for purchase in self.orders:
            if ledger.purchases[purchase.id].status != PurchaseStatus.DELIVERED:
                continue
            listing = purchase.listing
            if ledger.versions[listing.terms_id].status == VersionStatus.REVOKED:
                ledger.refund(listing.custody_id, [purchase.id])
                w.refund(purchase)
            else:
                assert ledger.settle(listing.terms_id, listing.custody_id, [purchase.id])
                w.settle(purchase)
        for listing in self.listings:
            if ledger.versions[listing.terms_id].is_running:
                ledger.retire(listing.terms_id, listing.terms.seller)
                w.retire(listing)
        self.travel_to(self.now + 2 * WINDOWS + 1)
        for listing in self.epochs:
            if ledger.custodies[listing.custody_id].status != CustodyStatus.LAPSED:
                assert ledger.release(listing.custody_id)
                w.release(listing)
        for listing in self.listings:
            assert ledger.close_version(listing.terms_id)
            w.close_version(listing)
        for b in self.bounties:
            if not ledger.bounties[b.id].has_ended:
                self.travel_to(max(self.now, b.score_until + 1))
                self.end_bounty(0)
            for token in self.tokens.values():
                for first, end in self.chunks(b):
                    workers = [it for it in range(first, end) if it in b.ledger.committed]
                    assert self.royal.draw(b, first, token) == ledger.draw(
                        b.id, str(token.address), workers
                    )
        for token in self.tokens:
            for place in ("registry", "market"):
                entries = ledger.entries[place].items()
                due = sum(amount for (its_token, _), amount in entries if its_token == token)
                if place == "market":
                    due += ledger.left_in_pools(token)
                assert ledger.held(place, token) == due
        assert not ledger.staking.obligations

    def gets_out(self, role: str) -> None:
        w, ledger = self.w, self.ledger
        for place in ("registry", "market"):
            for address, token in self.tokens.items():
                entry = ledger.entries[place].get((address, role), 0)
                before = token.balanceOf(role)
                assert getattr(w, place).withdraw(token, role, 0, sender=role) == entry
                assert token.balanceOf(role) - before == entry
        if role not in ledger.staking.people:
            return
        staking = ledger.staking
        entitled = staking.people[role].bonded + staking.unbonding(role)
        entitled += staking.entries.get(role, 0)
        before = w.stake_token.balanceOf(role)
        active = staking.tickets_of(role, unbonding=False)
        every = active + staking.tickets_of(role, unbonding=True)
        if active:
            w.staking.unbond(active, sender=role)
        boa.env.timestamp += UNBONDING
        if every:
            w.staking.withdraw_tickets(every, sender=role)
        w.staking.withdraw(w.stake_token, role, 0, sender=role)
        assert w.stake_token.balanceOf(role) - before == entitled


def pack(*fields: tuple[int, int]) -> int:
    found = offset = 0
    for value, width in fields:
        assert 0 <= value < 1 << width
        found |= int(value) << offset
        offset += width
    return found
