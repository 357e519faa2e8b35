# SPDX-License-Identifier: Apache-2.0
"""Attacks about fines, stake and what owners may do.

Each names the rule that defends against it; numbers in names are stable: the threat model
refers to them.
"""

from dataclasses import replace

import boa
import pytest
from eth.exceptions import Revert

from tests.utils.contracts import at, reverts
from tests.utils.drafts import (
    BOND,
    FEE,
    KEEPING_FEE,
    LOCK,
    PENALTY,
    PRICE,
    WINDOWS,
    deliver_arguments,
    draft_purchase,
    make_content,
    make_part,
    word_of,
)
from tests.utils.market import ZERO, MarketContracts, contracts, deployed_contracts, register
from tests.utils.market_attacks import BAD, COST, burned, extensible, late, status
from truthmark.market.records import PurchaseStatus, VersionStatus

__all__ = ["contracts", "deployed_contracts"]


# --------------------------------------------------------------------- fines


def test_18__two_refunds_of_one_custody__fine_each_custodian_once(
    contracts: MarketContracts,
) -> None:
    """`silent & ~fined`; with penalty = lock the obligation is empty and its release is no
    error."""
    listing = contracts.create_listing(penalty=LOCK)
    first, second = contracts.buy(listing), contracts.buy(listing)
    contracts.deliver(second, 1)
    late(contracts, second)
    contracts.refund(first)
    contracts.refund(second)
    assert burned(contracts) == 4 * LOCK
    boa.env.timestamp += 2 * WINDOWS + 1
    contracts.release(listing)
    assert contracts.custody(listing)["released"] == 0b1111
    assert [contracts.locked(it) for it in listing.custodians] == [0] * 4


def test_19__refund_after_everybody_was_released__pays_and_takes_nothing(
    contracts: MarketContracts,
) -> None:
    """`close` leaves out the released, `slash` never fails: nobody's refund waits for stake."""
    listing = contracts.create_listing()
    purchase = contracts.buy(listing)
    boa.env.timestamp = listing.custody.end + WINDOWS + 1
    contracts.release(listing)
    contracts.refund(purchase)
    assert contracts.entry(contracts.market, contracts.buyer) == COST
    assert contracts.custody(listing)["fined"] == 0
    assert burned(contracts) == 0


def test_20__penalty_collected_by_a_puppet_buyer__is_burned(contracts: MarketContracts) -> None:
    """`slash` burns: a custodian who buys from themselves and stays silent gains nothing."""
    listing = contracts.create_listing()
    puppet = listing.custodians[0]
    contracts.deal(contracts.token, puppet)
    purchase = contracts.buy(listing, puppet)
    late(contracts, purchase)
    contracts.refund(purchase)
    assert contracts.entry(contracts.market, puppet) == COST
    assert burned(contracts) == 4 * PENALTY
    assert contracts.entry(contracts.staking, puppet, contracts.stake_token) == 0


def test_21__seller_disputes_their_own_version_first__loses_half_the_bond(
    contracts: MarketContracts,
) -> None:
    """`revoke` burns bond - floor(bond / 2)."""
    listing = contracts.create_listing(content=BAD)
    contracts.deal(contracts.token, contracts.payee)
    purchase = contracts.bought_and_delivered(listing, buyer=contracts.payee)
    contracts.dispute(purchase)
    contracts.refund(purchase)
    contracts.close_version(listing)
    assert contracts.earned(contracts.payee) == COST + BOND // 2
    assert contracts.entry(contracts.registry, ZERO) == BOND - BOND // 2


def test_22__copied_dispute_or_delivery__pays_those_it_is_about(contracts: MarketContracts) -> None:
    """Rewards go to the receipt's buyer, fees to custodian j, nothing to msg.sender."""
    listing = contracts.create_listing(content=BAD)
    purchase = contracts.buy(listing)
    for index in (1, 2):
        arguments = deliver_arguments(listing, index, [contracts.part(purchase, index)])
        contracts.market.deliver(*arguments, sender=contracts.other_buyer)
    contracts.dispute(purchase, sender=contracts.other_buyer)
    assert contracts.earned(contracts.other_buyer) == 0
    assert contracts.entry(contracts.registry, contracts.buyer) == BOND // 2


# ------------------------------------------------------------------- stake


def test_35__victim_named_as_custodian__has_no_obligation_without_a_call_of_theirs(
    contracts: MarketContracts,
) -> None:
    """`lock` is of the caller's stake, and only `accept` calls it."""
    listing = contracts.list_version(contracts.draft_listing())
    victim = listing.custodians[0]
    for sender in (contracts.seller, contracts.stranger, listing.custodians[1]):
        with reverts(contracts.registry, "staking: not owner or operator"):
            contracts.accept(listing, 1, sender)
    assert contracts.locked(victim) == 0
    with reverts(contracts.market, "market: custody not live"):
        contracts.buy(listing)


def test_36__hostile_validator_with_the_victims_address_as_operator__binds_nobody_else(
    contracts: MarketContracts,
) -> None:
    """Calls name the validator; an operator acts for it and its stake, never for their own."""
    victim = contracts.custodians[0]
    attacker = contracts.stranger
    register(contracts, attacker, victim, tickets=2)
    custodians = tuple(sorted((*contracts.custodians[1:3], attacker), key=lambda it: int(it, 16)))
    listing = contracts.list_version(contracts.draft_listing(custodians=custodians))
    place = custodians.index(attacker) + 1
    contracts.accept(listing, place, victim)
    assert (contracts.locked(attacker), contracts.locked(victim)) == (LOCK, 0)


def test_37__one_stake_for_two_things__does_not_do(contracts: MarketContracts) -> None:
    """bonded - locked is all that `lock` and `unbond` may use."""
    custodian = contracts.custodians[0]
    with boa.env.anchor():
        contracts.staking.unbond([0, 1], sender=custodian)
        listing = contracts.list_version(contracts.draft_listing())
        with reverts(contracts.registry, "staking: not enough free stake"):
            contracts.accept(listing, 1)
    listing = contracts.list_version(contracts.draft_listing(lock=10_000))
    contracts.accept(listing, 1)
    with reverts(contracts.staking, "staking: not enough free stake"):
        contracts.staking.unbond([0], sender=custodian)


def test_38__release_by_the_end_of_the_record__reads_the_end_of_the_word(
    contracts: MarketContracts,
) -> None:
    """Ends that change are read from the word, never from the preimage that callers bring."""
    listing = extensible(contracts)
    contracts.extend(listing, 1, 2, 3, 4)
    boa.env.timestamp = listing.custody.end + 1
    contracts.release(listing)
    assert contracts.custody(listing)["released"] == 0
    forged = replace(listing, custody=replace(listing.custody, end=1))
    with reverts(contracts.registry, "registry: custody not live"):
        contracts.release(forged)


def test_39__invented_custody_of_a_real_version__has_no_word(contracts: MarketContracts) -> None:
    """Everything is looked up by the hash of what is brought; an unknown one is empty."""
    listing = contracts.create_listing()
    purchase = contracts.bought_and_delivered(listing)
    late(contracts, purchase)
    for change in (
        {"epoch": 1},
        {"fee": 10**20},
        {"threshold": 1},
        {"keeping_fee": 10**20},
        {"lock": 0},
        {"penalty": LOCK},
    ):
        invented = listing.with_custody(replace(listing.custody, **change))
        forged = replace(purchase, listing=invented)
        contracts.settle(forged)
        contracts.refund(forged)
        assert status(contracts, purchase) == PurchaseStatus.DELIVERED
        with reverts(contracts.registry, "registry: custody not live"):
            contracts.release(invented)
        with reverts(contracts.market, "market: custody not live"):
            contracts.buy(invented)
        with reverts(contracts.market, "market: not delivered"):
            contracts.confirm(forged)
    assert contracts.earned(contracts.payee) == 0


def test_40__non_canonical_calldata__names_the_same_custody_or_fails(
    contracts: MarketContracts,
) -> None:
    """Ids hash the decoded values: dirty high bytes of an address are refused by the decoder."""
    listing = contracts.create_listing()
    data = contracts.registry.close_version.prepare_calldata(listing.terms.astuple())
    dirty = bytearray(data)
    dirty[4] = 1  # above the 20 bytes of `seller`
    assert not call_succeeds(contracts, bytes(dirty))
    contracts.retire(listing)
    boa.env.timestamp += WINDOWS + 1
    # Bytes behind the arguments change nothing.
    assert not call_succeeds(contracts, bytes(dirty))
    assert call_succeeds(contracts, data + b"\xff" * 64)
    assert contracts.version(listing)["status"] == VersionStatus.CLOSED


def call_succeeds(w: MarketContracts, data: bytes) -> bool:
    try:
        boa.env.raw_call(w.registry.address, sender=w.stranger, data=data)
    except Revert:
        return False
    return True


# ------------------------------------------------------------------- owners


def test_55__owner_raises_the_fee_and_pauses__running_sales_keep_theirs(
    contracts: MarketContracts,
) -> None:
    """`fee_bps` is a term; a pause stops `list_version`, `open_custody` and `buy` alone."""
    listing = contracts.create_listing(content=BAD)
    silent, settled, disputed = (contracts.buy(listing) for _ in range(3))
    contracts.registry.set_fee_bps(250, sender=contracts.owner)
    contracts.registry.pause(sender=contracts.owner)
    contracts.deliver([settled, disputed], 1)
    contracts.deliver([settled, disputed], 2)
    with at(contracts.purchase(settled)[2] + 1):
        contracts.settle(settled)
        assert contracts.entry(contracts.market, contracts.treasury) == PRICE * 200 // 10_000
        contracts.refund(silent)
        assert contracts.entry(contracts.market, contracts.buyer) == COST
    contracts.dispute(disputed)
    contracts.refund(silent, settled, disputed)
    assert contracts.entry(contracts.market, contracts.buyer) == 3 * COST


def test_56__close_version_again_and_again__pays_each_amount_once(
    contracts: MarketContracts,
) -> None:
    """RETIRED -> CLOSED happens once; the balance is emptied each time; REVOKED pays no bond."""
    listing = contracts.create_listing()
    purchase = contracts.buy(listing)
    late(contracts, purchase)
    contracts.refund(purchase)
    contracts.retire(listing)
    boa.env.timestamp += 2 * WINDOWS + 1
    for _ in range(3):
        contracts.close_version(listing)
    assert contracts.entry(contracts.registry, contracts.payee) == BOND
    contracts.release(listing)  # all four were fined: their keeping fees go to the keeping balance
    for _ in range(3):
        contracts.close_version(listing)
    assert contracts.entry(contracts.registry, contracts.payee) == BOND + 4 * KEEPING_FEE
    revoked = contracts.create_listing(content=BAD)
    contracts.dispute(contracts.bought_and_delivered(revoked))
    for _ in range(3):
        contracts.close_version(revoked)
    assert contracts.entry(contracts.registry, contracts.payee) == BOND + 4 * KEEPING_FEE


def test_57__retired_then_revoked_then_wound_up__spends_the_bond_once(
    contracts: MarketContracts,
) -> None:
    """`revoke` takes OPEN, PAUSED or RETIRED; `close_version` pays a bond to RETIRED alone."""
    listing = contracts.create_listing(content=BAD)
    purchase = contracts.bought_and_delivered(listing)
    contracts.retire(listing)
    contracts.dispute(purchase)
    boa.env.timestamp += WINDOWS + 1
    contracts.close_version(listing)
    assert contracts.entry(contracts.registry, contracts.payee) == 0
    assert (
        contracts.entry(contracts.registry, contracts.buyer)
        + contracts.entry(contracts.registry, ZERO)
        == BOND
    )


def test_58__revoked_version__refunds_all_and_fines_no_custodian(
    contracts: MarketContracts,
) -> None:
    """REVOKED is looked at first: no settlement, no fine, whatever is late or delivered since."""
    listing = contracts.create_listing(content=BAD)
    disputed, waiting, overdue = (contracts.buy(listing) for _ in range(3))
    contracts.deliver(disputed, 1, 2)
    contracts.dispute(disputed)
    contracts.deliver(waiting, 1, 2)
    assert status(contracts, waiting) == PurchaseStatus.DELIVERED
    late(contracts, waiting)
    for call in (contracts.settle, contracts.confirm):
        with reverts(contracts.market, "market: version is revoked"):
            call(waiting)
    contracts.refund(disputed, waiting, overdue)
    assert contracts.entry(contracts.market, contracts.buyer) == 3 * COST
    assert contracts.custody(listing)["fined"] == 0
    assert burned(contracts) == 0


def test_59__silent_seller_in_direct_mode__refunds_and_can_deal_again(
    contracts: MarketContracts,
) -> None:
    """`lock` = 0 calls no staking contract; a further epoch may be opened and sells."""
    listing = contracts.create_listing(0)
    purchase = contracts.buy(listing)
    late(contracts, purchase)
    contracts.refund(purchase)
    assert contracts.entry(contracts.market, contracts.buyer) == PRICE + FEE
    with reverts(contracts.market, "market: custody not live"):
        contracts.buy(listing)
    further = contracts.open_custody(contracts.next_custody(listing, 0, custodians=()))
    sold = contracts.bought_and_delivered(further)
    late(contracts, sold)
    contracts.settle(sold)
    assert contracts.entry(contracts.market, contracts.seller) == FEE


@pytest.mark.parametrize(
    ("price", "fee"), [(0, 0), (1, 0), (0, 5), (2**128 - 1, 2**128 - 1), (49, 1)]
)
def test_60__extreme_prices__pay_out_to_the_last_unit(
    contracts: MarketContracts, price: int, fee: int
) -> None:
    """Amounts are below 2^128 each, fees round down, the payee gets the rest."""
    contracts.token.mint(contracts.buyer, 2**131)
    contracts.token.approve(contracts.market, 2**131, sender=contracts.buyer)
    listing = contracts.create_listing(price=price, fee=fee)
    purchase = contracts.bought_and_delivered(listing)
    late(contracts, purchase)
    contracts.settle(purchase)
    accounts = (contracts.payee, contracts.treasury, *listing.custodians)
    assert sum(contracts.entry(contracts.market, it) for it in accounts) == price + 2 * fee
    for account in accounts:
        contracts.market.withdraw(contracts.token, account, 0)
    assert contracts.token.balanceOf(contracts.market) == 0


def test_61__reorg_without_the_purchase__same_order_same_id_same_proofs(
    contracts: MarketContracts,
) -> None:
    """The id is made of what was agreed, so parts already made count for the same order again."""
    listing = contracts.create_listing()
    purchase = contracts.draft_purchase(listing)
    with boa.env.anchor():
        first = contracts.send(purchase)
        contracts.deliver(purchase, 1, 2)
        assert status(contracts, purchase) == PurchaseStatus.DELIVERED
    assert status(contracts, purchase) == PurchaseStatus.NONE
    boa.env.timestamp += 12
    assert contracts.send(purchase) == first
    contracts.deliver(purchase, 2, 1)
    assert status(contracts, purchase) == PurchaseStatus.DELIVERED


def test_62__same_purchase_in_another_market__proofs_do_not_carry_over(
    contracts: MarketContracts,
) -> None:
    """Every challenge hashes chain id and contract."""
    listing = contracts.create_listing()
    purchase = contracts.buy(listing)
    for place in (
        replace(contracts.place, chain_id=contracts.place.chain_id + 1),
        replace(contracts.place, market=contracts.place.registry),
    ):
        part = make_part(purchase, 1, place)
        with reverts(contracts.market, "market: wrong proof"):
            contracts.market.deliver(*deliver_arguments(listing, 1, [part]))
    twin = draft_purchase(
        replace(listing, place=replace(contracts.place, market=contracts.place.registry)),
        contracts.buyer,
        99,
    )
    with reverts(contracts.market, "market: buyer key not proven"):
        contracts.send(twin)
    other = contracts.draft_listing(manifest=word_of("elsewhere"))
    with reverts(contracts.registry, "listing: key not proven"):
        contracts.list_version(other, proof=other.proof(registry=contracts.market.address))


@pytest.mark.parametrize(
    ("which", "reason"),
    [
        ("foreign", "registry: not the seller"),
        ("superseded", "registry: has a newer version"),
        ("unknown", "registry: no such version"),
    ],
)
def test_63__further_version_of_another_sellers_listing__is_refused(
    contracts: MarketContracts, which: str, reason: str
) -> None:
    """`_supersede` looks the previous terms up, and at their seller."""
    previous = contracts.create_listing().terms
    if which == "foreign":
        theirs = contracts.draft_listing(seller=contracts.stranger, content=make_content(3))
        previous = contracts.list_version(theirs).terms
    elif which == "superseded":
        contracts.list_version(contracts.draft_listing(content=make_content(1)), previous)
    else:
        previous = replace(previous, licence=word_of("unknown"))
    with reverts(contracts.registry, reason):
        contracts.list_version(contracts.draft_listing(content=make_content(2)), previous)


def test_64__early_confirm__ends_only_the_buyers_own_right_to_dispute(
    contracts: MarketContracts,
) -> None:
    """`confirm` wants the receipt's buyer; a settled purchase is not DELIVERED."""
    listing = contracts.create_listing(content=BAD)
    hasty, careful = (
        contracts.bought_and_delivered(listing, buyer=b)
        for b in (contracts.buyer, contracts.other_buyer)
    )
    with reverts(contracts.market, "market: not the buyer"):
        contracts.confirm(careful, sender=contracts.seller)
    contracts.confirm(hasty)
    with reverts(contracts.market, "market: not delivered"):
        contracts.dispute(hasty)
    contracts.dispute(careful)
    contracts.refund(hasty, careful)
    assert contracts.entry(contracts.market, contracts.buyer) == 0
    assert contracts.entry(contracts.market, contracts.other_buyer) == COST


def test_64__expired_custody__sells_nothing(contracts: MarketContracts) -> None:
    """A purchase must fit before `end` with both its windows."""
    listing = contracts.create_listing()
    boa.env.timestamp = listing.custody.end + 1
    with reverts(contracts.market, "market: custody ends too soon"):
        contracts.buy(listing)
    contracts.release(listing)
    with reverts(contracts.market, "market: custody ends too soon"):
        contracts.buy(listing)


def test_64__extension_by_too_few__has_no_effect(contracts: MarketContracts) -> None:
    """2t - 1 votes make an extension: fewer could hold the key hostage, and t must stay honest."""
    listing = extensible(contracts)
    contracts.extend(listing, 1, 2)
    assert contracts.custody(listing)["end"] == listing.custody.end
    boa.env.timestamp = listing.custody.end + WINDOWS + 1
    contracts.release(listing)
    assert contracts.custody(listing)["released"] == 0b1111
    assert contracts.registry.keeping_balances(listing.terms_id) == 100 * KEEPING_FEE
