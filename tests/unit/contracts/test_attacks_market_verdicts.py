# SPDX-License-Identifier: Apache-2.0
"""Attacks by rejecting, by disputing a sealing, by ruling, and with a hostile guarantee.

Each names the rule that defends against it; numbers in names are stable: the threat model
refers to them.
"""

from random import Random

import boa
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.utils.bounty_board import FLAT
from tests.utils.contracts import reverts
from tests.utils.drafts import BOND, FEE, PRICE, WINDOWS, make_content, sealing_arguments, word_of
from tests.utils.market import ZERO, MarketContracts, contracts, deployed_contracts
from tests.utils.market_attacks import COST, burned, late, status
from tests.utils.permits import sign_voucher
from tests.utils.royalties import Royalties, deployed_royalties, royalties
from truthmark.market.records import PurchaseStatus, VersionStatus
from truthmark.market.verdicts import split_price

__all__ = ["contracts", "deployed_contracts", "deployed_royalties", "royalties"]

ROTTEN = make_content(7, 5, unsealed=frozenset({0, 1}))


# --------------------------------------------------------------- rejecting


def test_80__payee_and_buyer_together__get_no_more_by_rejecting(royalties: Royalties) -> None:
    """Fee and royalty are of what the guarantee leaves, and so is what the payee gets."""
    w, bounty, random = royalties.contracts, royalties.end(FLAT), Random("80")
    for n in range(12):
        guarantee, bps = random.choice([0, 1, 5_000, 9_999, 10_000]), random.randint(1, 9_750)
        price = random.choice([0, 1, 7, 10_001, PRICE])
        more = {"price": price, "guarantee_bps": guarantee, "lock": 10, "penalty": 1}
        listing = royalties.list_version(bounty, bps, **more)
        purchase = w.bought_and_delivered(listing)
        names = {"payee": w.payee, "treasury": w.treasury, "burned": ZERO}
        before = {name: w.entry(w.market, account) for name, account in names.items()}
        pool = royalties.pool(bounty)
        w.reject(purchase)
        got = {name: w.entry(w.market, at) - before[name] for name, at in names.items()}
        royalty = royalties.pool(bounty) - pool
        assert sum(got.values()) + royalty == price, n
        assert got["burned"] == price * guarantee // 10_000
        assert royalty == (price - got["burned"]) * bps // 10_000
        assert got["payee"] <= split_price(price, listing.terms).paid_out
        assert split_price(price, listing.terms, is_rejected=True).royalty == royalty


def test_81__guarantee_above_the_price__cannot_be_listed(contracts: MarketContracts) -> None:
    """Or what is left of the price would run below zero, and the payee be owed a fortune."""
    with reverts(contracts.registry, "listing: guarantee above price"):
        contracts.list_version(contracts.draft_listing(guarantee_bps=10_001))


def test_82__buyer_after_the_inspection__cannot_hold_up_who_is_owed(
    contracts: MarketContracts,
) -> None:
    """What may be settled can no more be rejected: nobody waits in fear for a buyer's mood."""
    purchase = contracts.bought_and_delivered(contracts.create_listing(guarantee_bps=10_000))
    late(contracts, purchase)
    with reverts(contracts.market, "market: inspection is over"):
        contracts.reject(purchase)
    contracts.settle(purchase)
    assert contracts.entry(contracts.market, ZERO) == 0


def test_83__rejecting_a_revoked_version__does_not_pay_its_seller(
    contracts: MarketContracts,
) -> None:
    """A revoked version pays nobody but its buyers."""
    purchase = contracts.bought_and_delivered(contracts.create_listing(content=ROTTEN))
    contracts.dispute_sealing(purchase.listing)
    with reverts(contracts.market, "market: version is revoked"):
        contracts.reject(purchase)
    contracts.refund(purchase)
    assert contracts.entry(contracts.market, contracts.buyer) == COST
    assert contracts.entry(contracts.market, contracts.payee) == 0


def test_84__rejected_purchase__is_paid_for_once(contracts: MarketContracts) -> None:
    """REJECTED is an end: neither settling, refunding nor a dispute pays anything again."""
    content = make_content(5, 3, frozenset({0}), frozenset({1}))
    listing = contracts.create_listing(content=content, guarantee_bps=2_500)
    purchase = contracts.bought_and_delivered(listing)
    contracts.reject(purchase)
    accounts = (contracts.payee, contracts.treasury, ZERO, *listing.custodians[:2])
    paid = [contracts.entry(contracts.market, it) for it in accounts]
    assert sum(paid) == COST
    assert paid[3:] == [FEE, FEE]
    with reverts(contracts.market, "market: not delivered"):
        contracts.dispute(purchase)
    contracts.dispute_sealing(listing, 1)
    contracts.refund(purchase)
    late(contracts, purchase)
    contracts.refund(purchase)
    assert [contracts.entry(contracts.market, it) for it in accounts] == paid
    assert contracts.entry(contracts.market, contracts.buyer) == 0
    assert status(contracts, purchase) == PurchaseStatus.REJECTED


def test_85__rejecting_for_nothing_by_voucher__burns_nothing_and_is_told(
    contracts: MarketContracts,
) -> None:
    """The seller signed the voucher; the receipt says the price, and the chain that it was one."""
    listing = contracts.create_listing(guarantee_bps=10_000)
    voucher = sign_voucher(listing, contracts.buyer, 0, contracts.now + 9, word_of("n"))
    purchase = contracts.buy(listing, voucher=voucher, price=0)
    contracts.deliver(purchase, 1, 2)
    contracts.reject(purchase)
    assert contracts.entry(contracts.market, ZERO) == 0
    state = contracts.market.purchases(purchase.id)
    assert (state.status, state.is_by_voucher) == (PurchaseStatus.REJECTED, True)


# ----------------------------------------------------------- judging sealings


def test_86__honest_seller__cannot_be_framed_by_a_sealing(contracts: MarketContracts) -> None:
    """Ciphertext, key, wrap word and index are under the root; what is sealed is no case."""
    content = make_content(3, 4)
    listing = contracts.create_listing(content=content)
    for i in range(4):
        with reverts(contracts.market, "market: shard is sealed"):
            contracts.dispute_sealing(listing, i)
    terms, (index, key, wrap, path), data = sealing_arguments(listing, 2)
    other = content.shards[3]
    own = AESGCM(word_of("own")).encrypt(bytes(12), bytes(4_080), None)
    for opened, shown in (
        ((index, word_of("own"), wrap, path), data),
        ((index, key, wrap, path), own),
        ((index, word_of("own"), wrap, path), own),
        ((index, other.key, wrap, path), data),
        ((index, key, other.wrap, path), data),
        ((index, key, wrap, path), other.ciphertext),
        ((index, key, wrap, path), data[:-16]),
        ((index, key, wrap, path), data[:-16] + bytes(16)),
        ((3, key, wrap, path), data),
    ):
        with reverts(contracts.market, "judge: shard not committed"):
            contracts.market.dispute_sealing(terms, opened, shown, sender=contracts.stranger)
    assert contracts.version(listing)["status"] == VersionStatus.OPEN


def test_87__dispute_that_was_overtaken__pays_little(contracts: MarketContracts) -> None:
    """The version is looked at before the judge is asked."""
    listing = contracts.create_listing(content=ROTTEN)
    contracts.dispute_sealing(listing, 0)
    judged = contracts.market._computation.get_gas_used()
    with reverts(contracts.market, "registry: version has ended"):
        contracts.dispute_sealing(listing, 1)
    assert contracts.market._computation.get_gas_used() < judged / 5


def test_88__seller_who_disputes_their_own_listing__loses_half_the_bond(
    contracts: MarketContracts,
) -> None:
    """Half is burned, and what is not settled goes back to its buyers."""
    listing = contracts.create_listing(content=ROTTEN)
    purchase = contracts.bought_and_delivered(listing)
    contracts.dispute_sealing(listing, sender=contracts.seller)
    assert contracts.entry(contracts.registry, contracts.seller) == BOND // 2
    assert contracts.entry(contracts.registry, ZERO) == BOND - BOND // 2
    with reverts(contracts.market, "market: version is revoked"):
        contracts.confirm(purchase)
    contracts.close_version(listing)
    assert contracts.entry(contracts.registry, contracts.payee) == 0


def test_89__bond_of_a_rotten_version__is_paid_once(contracts: MarketContracts) -> None:
    """A version ends once, by whichever of the three comes first."""
    content = make_content(5, 3, frozenset({0}), frozenset({1}))
    listing = contracts.create_listing(content=content, arbiter=contracts.gate)
    purchase = contracts.bought_and_delivered(listing)
    calls = {
        "key": lambda: contracts.dispute(purchase),
        "sealing": lambda: contracts.dispute_sealing(listing, 1),
        "arbiter": lambda: contracts.rule(listing, contracts.other_buyer),
    }
    for first in calls.values():
        with boa.env.anchor():
            first()
            for again in calls.values():
                with reverts(contracts.market, "registry: version has ended"):
                    again()
            accounts = (contracts.buyer, contracts.stranger, contracts.other_buyer, ZERO)
            paid = sum(contracts.entry(contracts.registry, it) for it in accounts)
            assert paid == BOND


def test_90__custodians_who_were_late__cannot_take_the_buyers_money_with_them(
    contracts: MarketContracts,
) -> None:
    """A rotten shard saves them from the fine, as it always did; the money goes back whole."""
    listing = contracts.create_listing(content=ROTTEN)
    purchase = contracts.buy(listing)
    late(contracts, purchase)
    contracts.dispute_sealing(listing, sender=listing.custodians[0])
    contracts.refund(purchase)
    assert contracts.entry(contracts.market, contracts.buyer) == COST
    assert burned(contracts) == 0


# ------------------------------------------------------------------ ruling


def test_91__zero_arbiter__is_nobody(contracts: MarketContracts) -> None:
    """No caller is the zero address, so where terms name none, none can rule."""
    listing = contracts.create_listing()
    for role in (contracts.seller, contracts.owner, contracts.stranger, contracts.gate):
        with reverts(contracts.market, "market: not the arbiter"):
            contracts.rule(listing, sender=role)


def test_92__arbiter_of_other_terms__rules_on_nothing_else(contracts: MarketContracts) -> None:
    """The arbiter stands in the terms, whose hash is the version."""
    contracts.create_listing(arbiter=contracts.gate)
    other = contracts.create_listing(manifest=word_of("other"), arbiter=contracts.owner)
    with reverts(contracts.market, "market: not the arbiter"):
        contracts.rule(other, sender=contracts.gate)
    assert contracts.version(other)["status"] == VersionStatus.OPEN


@pytest.mark.parametrize("later", [0, 1])
def test_93__ruling_when_the_bond_is_out__takes_nothing(
    contracts: MarketContracts, later: int
) -> None:
    """Until the bond is out an arbiter may rule, also when all is settled; then no more."""
    listing = contracts.create_listing(arbiter=contracts.gate)
    contracts.confirm(contracts.bought_and_delivered(listing))
    contracts.retire(listing)
    boa.env.timestamp += WINDOWS + 1
    if later:
        contracts.close_version(listing)
        with reverts(contracts.market, "registry: version has ended"):
            contracts.rule(listing)
        assert contracts.entry(contracts.registry, contracts.payee) == BOND
    else:
        contracts.rule(listing)
        contracts.close_version(listing)
        assert contracts.entry(contracts.registry, contracts.payee) == 0
