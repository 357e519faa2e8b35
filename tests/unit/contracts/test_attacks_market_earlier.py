# SPDX-License-Identifier: Apache-2.0
"""Attacks that worked on an earlier design of the market.

Each names the rule that defends against it; numbers in names are stable: the threat model
refers to them.
"""

from dataclasses import replace

import boa
import pytest

from tests.utils.contracts import reverts
from tests.utils.drafts import (
    BOND,
    KEEPING_FEE,
    LOCK,
    PENALTY,
    PERIOD,
    PRICE,
    WINDOWS,
    make_content,
    word_of,
)
from tests.utils.market import (
    MAX_WINDOW,
    MIN_WINDOW,
    ZERO,
    MarketContracts,
    contracts,
    deployed_contracts,
    edit_version,
)
from tests.utils.market_attacks import BAD, COST, burned, extensible, late, status
from tests.utils.tokens import Mode, deployer
from truthmark.market.records import PurchaseStatus, VersionStatus

__all__ = ["contracts", "deployed_contracts"]


def test_a1__accept_release_lapse__drains_nothing(contracts: MarketContracts) -> None:
    """A custody that lapses holds no keeping fee any more (`held` = 0)."""
    rich = contracts.create_listing(bond=10**9)
    listing = contracts.list_version(contracts.draft_listing(manifest=word_of("lapsing")))
    contracts.accept(listing, 1)
    boa.env.timestamp = listing.custody.accept_until + 1
    contracts.release(listing)
    with reverts(contracts.registry, "registry: custody not live"):
        contracts.release(listing)
    assert contracts.entry(contracts.registry, listing.custodians[0]) == 0
    held = BOND + 4 * KEEPING_FEE + 10**9 + 4 * KEEPING_FEE
    assert contracts.token.balanceOf(contracts.registry) == held
    assert contracts.version(rich)["status"] == VersionStatus.OPEN


def test_a2__lapsed_custody__pays_once_and_never_the_custodians(contracts: MarketContracts) -> None:
    """LAPSED is the end: neither `release` nor `accept` takes it."""
    listing = contracts.list_version(contracts.draft_listing())
    for index in range(1, 4):
        contracts.accept(listing, index)
    boa.env.timestamp = listing.custody.accept_until + 1
    contracts.release(listing)
    assert contracts.entry(contracts.registry, contracts.seller) == 4 * KEEPING_FEE
    for call in (lambda: contracts.release(listing), lambda: contracts.accept(listing, 4)):
        with pytest.raises(boa.BoaError):
            call()
    assert [contracts.entry(contracts.registry, it) for it in listing.custodians] == [0] * 4


@pytest.mark.parametrize("how", ["retired", "revoked"])
def test_a3__joining_after_the_version_ended__is_refused(
    contracts: MarketContracts, how: str
) -> None:
    """`extend` wants a running version, for votes and for joining."""
    listing = extensible(contracts, content=BAD)
    purchase = contracts.bought_and_delivered(listing)
    contracts.extend(listing, 1, 2, 3)
    if how == "retired":
        contracts.retire(listing)
    else:
        contracts.dispute(purchase)
    with reverts(contracts.registry, "registry: version has ended"):
        contracts.extend(listing, 4)


def test_a4__votes_of_an_old_term__do_not_count_in_the_next(contracts: MarketContracts) -> None:
    """An extension sets `votes` to 0; without one the custody ends."""
    listing = extensible(contracts)
    contracts.extend(listing, 1, 2, 3)
    assert contracts.custody(listing)["votes"] == 0
    boa.env.timestamp = listing.custody.end + PERIOD - 1
    contracts.extend(listing, 1, 2)
    assert contracts.custody(listing)["end"] == listing.custody.end + PERIOD
    with reverts(contracts.registry, "registry: extended already"):
        contracts.extend(listing, 1)


def test_a5__repriced_between_two_sends__takes_money_once(contracts: MarketContracts) -> None:
    """The price is in the id, so the order at the old price is no order at the new one."""
    listing = contracts.create_listing()
    purchase = contracts.buy(listing)
    contracts.registry.reprice(listing.terms.astuple(), PRICE // 2, sender=contracts.seller)
    with reverts(contracts.market, "market: other price"):
        contracts.send(purchase)
    assert contracts.token.balanceOf(contracts.market) == COST


def test_a6__token_with_an_absurd_balance__cannot_lock_stake_by_overflow(
    contracts: MarketContracts,
) -> None:
    """Every amount that comes in is below 2^133, so no entry overflows and `release` works."""
    token = contracts.hostile_token()
    listing = contracts.create_listing(token=str(token.address))
    token.set_mode(Mode.LYING_BALANCE)  # money that exists in `balanceOf` alone
    token.approve(contracts.registry, 2**256 - 1, sender=contracts.stranger)
    with reverts(contracts.registry, "registry: amount too large"):
        contracts.top_up(listing, 2**256 - 1)
    for _ in range(8):
        contracts.top_up(listing, 2**128 - 1)
    boa.env.timestamp = listing.custody.end + WINDOWS + 1
    contracts.release(listing)
    assert [contracts.locked(it) for it in listing.custodians] == [0] * 4
    contracts.retire(listing)
    boa.env.timestamp += WINDOWS + 1
    contracts.close_version(listing)
    assert contracts.entry(contracts.registry, contracts.payee, token) == 8 * (2**128 - 1) + BOND


def test_a7__counters_at_their_widths__stop_instead_of_overflowing(
    contracts: MarketContracts,
) -> None:
    """Epochs and versions are counted to 2^16 - 1 and refused then; times are below 2^40."""
    listing = contracts.create_listing()
    edit_version(contracts, listing, epochs=2**16 - 1)
    with reverts(contracts.registry, "registry: wrong epoch"):
        contracts.open_custody(contracts.next_custody(listing))
    edit_version(contracts, listing, epochs=2**16 - 2)
    contracts.open_custody(contracts.next_custody(listing))
    assert contracts.version(listing)["epochs"] == 2**16 - 1
    edit_version(contracts, listing, version=2**16 - 1)
    with reverts(contracts.registry, "registry: too many versions"):
        contracts.list_version(contracts.draft_listing(content=make_content(1)), listing.terms)
    edit_version(contracts, listing, version=2**16 - 2)
    newer = contracts.list_version(contracts.draft_listing(content=make_content(1)), listing.terms)
    assert contracts.version(newer)["version"] == 2**16 - 1
    # The latest end there is: its custody extends up to it and no further.
    last = contracts.draft_listing(
        manifest=word_of("late"),
        period_seconds=2**40 - 1,
        end=2**40 - 1,
        last_end=2**40 - 1,
    )
    contracts.accept_all(contracts.list_version(last))
    assert contracts.custody(last)["end"] == 2**40 - 1
    boa.env.timestamp = 2**40 - 2
    with reverts(contracts.registry, "registry: last period"):
        contracts.extend(last, 1)


def test_a8__foreign_terms_with_a_custody__are_refused_everywhere(
    contracts: MarketContracts,
) -> None:
    """Wherever terms and custody come together, the custody must name the terms."""
    listing = contracts.create_listing(content=BAD)
    token = contracts.hostile_token()
    foreign = contracts.draft_listing(token=str(token.address), payee=contracts.stranger).terms
    purchase = contracts.bought_and_delivered(listing)
    mixed = replace(listing, terms=foreign)
    forged = replace(purchase, listing=mixed)
    evidence = contracts.draft_evidence(purchase)
    boa.env.timestamp = listing.custody.end - 1
    for contract, call in (
        (contracts.registry, lambda: contracts.release(mixed)),
        (contracts.registry, lambda: contracts.extend(mixed, 1)),
        (contracts.market, lambda: contracts.settle(forged)),
        (contracts.market, lambda: contracts.confirm(forged)),
        (contracts.market, lambda: contracts.refund(forged)),
        (contracts.market, lambda: contracts.dispute(forged, evidence)),
    ):
        name = "registry" if contract is contracts.registry else "market"
        with reverts(contract, f"{name}: other terms"):
            call()
    with reverts(contracts.market, "market: version not for sale"):
        contracts.buy(mixed)


def test_a14__released_leaver__delivers_no_more(contracts: MarketContracts) -> None:
    """`release` deletes the acceptance: who risks nothing takes no fee from those who do."""
    listing = extensible(contracts)
    contracts.extend(listing, 1, 2, 3)
    boa.env.timestamp = listing.custody.end + WINDOWS + 1
    contracts.release(listing)
    purchase = contracts.buy(listing)
    with reverts(contracts.market, "market: not as accepted"):
        contracts.deliver(purchase, 4)
    contracts.deliver(purchase, 3, 1)
    assert status(contracts, purchase) == PurchaseStatus.DELIVERED


def test_a15__joiner__takes_over_what_is_not_delivered_and_is_fined_for_it(
    contracts: MarketContracts,
) -> None:
    """Who joins is in `active`: written down, so their node refunds what is overdue first."""
    listing = extensible(contracts)
    contracts.extend(listing, 1, 2, 3)
    purchase = contracts.buy(listing)
    contracts.extend(listing, 4)
    late(contracts, purchase)
    contracts.refund(purchase)
    assert contracts.custody(listing)["fined"] == 0b1111


def test_a16__faulty_market__reaches_no_more_than_was_agreed(contracts: MarketContracts) -> None:
    """`close_custody` and `revoke` take preimages: token, bond, lock, penalty, obligations are the
    registry's."""
    market = contracts.market.address
    listing = contracts.create_listing()
    other = contracts.create_listing(manifest=word_of("other"), bond=7 * BOND)
    contracts.top_up(other, 100 * KEEPING_FEE)
    held = contracts.token.balanceOf(contracts.registry)
    for forged in (
        replace(listing, terms=replace(listing.terms, bond=8 * BOND)),
        replace(listing, terms=replace(listing.terms, token=str(contracts.stake_token.address))),
        contracts.draft_listing(bond=held, manifest=word_of("invented")),
    ):
        with boa.reverts():
            contracts.revoke(forged)
    with reverts(contracts.registry, "registry: custody not live"):
        contracts.close(replace(listing, custody=replace(listing.custody, penalty=LOCK)), 0b1111)
    with reverts(contracts.registry, "registry: not obliged"):
        contracts.close(listing, 0b11111)
    # The worst: each penalty once, and the bond of a version whose key was never wrong.
    for _ in range(2):
        contracts.close(listing, 0b1111)
    contracts.revoke(listing)
    with reverts(contracts.registry, "registry: version has ended"):
        contracts.revoke(listing)
    assert burned(contracts) == 4 * PENALTY
    assert contracts.entry(contracts.registry, contracts.buyer) == BOND // 2
    assert contracts.entry(contracts.registry, ZERO) == BOND - BOND // 2
    assert contracts.entry(contracts.registry, market) == 0
    assert contracts.registry.keeping_balances(other.terms_id) == 100 * KEEPING_FEE
    assert contracts.custody(other)["fined"] == 0


def test_a15__market_named_after_a_listing__is_impossible(contracts: MarketContracts) -> None:
    """Nothing is listed before the market is named, and it is named once."""
    registry = deployer("DatasetRegistry").deploy(
        contracts.owner, contracts.staking, contracts.checks, MIN_WINDOW, MAX_WINDOW
    )
    place = replace(contracts.place, registry=str(registry.address))
    listing = replace(contracts.draft_listing(fee_bps=0), place=place)
    with reverts(registry, "registry: no market yet"):
        registry.list_version(*listing.list_arguments(), sender=contracts.seller)
    registry.fix_market(contracts.market, sender=contracts.owner)
    with reverts(registry, "registry: market is fixed"):
        registry.fix_market(contracts.stranger, sender=contracts.owner)
