# SPDX-License-Identifier: Apache-2.0
"""DatasetRegistry: listing, versions, views; storage, event and balances after each call."""

from dataclasses import replace
from typing import Any

import boa
import pytest

from tests.utils.contracts import events, plain
from tests.utils.drafts import (
    BOND,
    FEE_BPS,
    KEEPING_FEE,
    LOCK,
    PENALTY,
    PRICE,
    WINDOWS,
    Listing,
    make_content,
    word_of,
)
from tests.utils.market import (
    INITIAL_BALANCE,
    MAX_WINDOW,
    MIN_WINDOW,
    START,
    ZERO,
    MarketContracts,
    contracts,
    deployed_contracts,
)
from tests.utils.registry_events import NO_CUSTODY, event_custody, held_by, live, opened
from tests.utils.tokens import deployer
from truthmark.keys.abi_hash import hash_words
from truthmark.market.records import CustodyStatus, VersionStatus

__all__ = ["contracts", "deployed_contracts"]


def event_terms(listing: Listing) -> dict[str, Any]:
    fields = {name: getattr(listing.terms, name) for name in listing.terms.__slots__}
    return fields | {name: fields[name]._asdict() for name in ("public_key", "base")}


# ------------------------------------------------------------- constructing


def test_init__within_bounds__keeps_what_it_was_given(contracts: MarketContracts) -> None:
    registry = contracts.registry
    assert registry.STAKING() == contracts.staking.address
    assert registry.CHECKS() == contracts.checks.address
    assert (registry.MIN_WINDOW(), registry.MAX_WINDOW()) == (MIN_WINDOW, MAX_WINDOW)
    assert (registry.MAX_FEE_BPS(), contracts.checks.MAX_ACCEPT_SECONDS()) == (250, 7 * 86_400)
    assert registry.owner() == contracts.owner
    assert registry.pending_owner() == ZERO
    assert not registry.paused()
    assert registry.BURN() == ZERO
    assert registry.listing_count() == 0


@pytest.mark.parametrize("bounds", [(1, 1), (60, 365 * 86_400)])
def test_init__bounds_at_their_limits__are_accepted(
    contracts: MarketContracts, bounds: tuple[int, int]
) -> None:
    registry = deployer("DatasetRegistry").deploy(
        contracts.owner, contracts.staking, contracts.checks, *bounds
    )
    assert (registry.MIN_WINDOW(), registry.MAX_WINDOW()) == bounds


def test_fix_market__once__holds_for_good(contracts: MarketContracts) -> None:
    registry = deployer("DatasetRegistry").deploy(
        contracts.owner, contracts.staking, contracts.checks, 1, 2
    )
    assert registry.market() == ZERO
    registry.fix_market(contracts.market, sender=contracts.owner)
    assert events(registry) == [("MarketFixed", {"market": contracts.market.address})]
    assert registry.market() == contracts.market.address


@pytest.mark.parametrize("bps", [0, 250])
def test_set_fee_bps__at_its_limits__is_kept(contracts: MarketContracts, bps: int) -> None:
    contracts.registry.set_fee_bps(bps, sender=contracts.owner)
    assert events(contracts.registry) == [("FeeSet", {"fee_bps": bps})]
    assert contracts.registry.fee_bps() == bps


def test_pause__and_unpause__are_told(contracts: MarketContracts) -> None:
    contracts.registry.pause(sender=contracts.owner)
    assert events(contracts.registry) == [("Paused", {"account": contracts.owner})]
    assert contracts.registry.paused()
    contracts.registry.unpause(sender=contracts.owner)
    assert events(contracts.registry) == [("Unpaused", {"account": contracts.owner})]
    assert not contracts.registry.paused()


def test_transfer_ownership__two_steps__moves_all_rights(contracts: MarketContracts) -> None:
    registry = contracts.registry
    registry.transfer_ownership(contracts.gate, sender=contracts.owner)
    assert (registry.owner(), registry.pending_owner()) == (contracts.owner, contracts.gate)
    registry.accept_ownership(sender=contracts.gate)
    assert (registry.owner(), registry.pending_owner()) == (contracts.gate, ZERO)
    registry.set_fee_bps(1, sender=contracts.gate)


# ------------------------------------------------------------------ listing


def test_list_version__first__opens_listing_and_custody(contracts: MarketContracts) -> None:
    listing = contracts.draft_listing()
    returned = contracts.registry.list_version(*listing.list_arguments(), sender=contracts.seller)
    assert bytes(returned) == listing.terms_id
    assert events(contracts.registry) == [
        (
            "VersionListed",
            {
                "terms_id": listing.terms_id,
                "listing_id": 1,
                "seller": contracts.seller,
                "version": 1,
                "price": PRICE,
                "terms": event_terms(listing),
            },
        ),
        (
            "CustodyOpened",
            {
                "custody_id": listing.custody_id,
                "terms_id": listing.terms_id,
                "custody": event_custody(listing),
                "custodians": list(listing.custodians),
                "share_keys": [key._asdict() for key in listing.share_keys],
            },
        ),
    ]
    assert contracts.version(listing) == {
        "status": VersionStatus.OPEN,
        "price": PRICE,
        "listing_id": 1,
        "version": 1,
        "epochs": 1,
        "stopped_at": 0,
        "is_superseded": False,
    }
    assert contracts.custody(listing) == opened(listing)
    assert contracts.registry.listing_count() == 1
    paid = BOND + 4 * KEEPING_FEE
    assert held_by(contracts, contracts.seller) == INITIAL_BALANCE - paid
    assert held_by(contracts, contracts.registry.address) == paid


def test_list_version__nothing_to_pay__calls_no_token(contracts: MarketContracts) -> None:
    listing = contracts.draft_listing(bond=0, keeping_fee=0, token=contracts.stranger)
    contracts.list_version(listing)  # a token without code would have failed
    assert contracts.version(listing)["status"] == VersionStatus.OPEN


def test_list_version__direct_mode__is_live_at_once_and_locks_nothing(
    contracts: MarketContracts,
) -> None:
    listing = contracts.draft_listing(0)
    contracts.list_version(listing)
    names = [name for name, _ in events(contracts.registry)]
    assert names == ["VersionListed", "CustodyOpened", "CustodyAccepted"]
    assert events(contracts.registry)[2][1] == {
        "custody_id": listing.custody_id,
        "custodian": contracts.seller,
        "index": 1,
        "is_live": True,
    }
    assert contracts.custody(listing) == live(listing)
    assert bytes(contracts.registry.acceptances(listing.custody_id, 1)) == hash_words(
        listing.share_keys[0], 1, listing.terms.inspection_seconds
    )
    assert held_by(contracts, contracts.registry.address) == BOND


def test_list_version__further_version__continues_the_listing(contracts: MarketContracts) -> None:
    first = contracts.create_listing()
    contracts.create_listing(manifest=word_of("another listing"))
    second = contracts.draft_listing(content=make_content(1))
    contracts.list_version(second, first.terms)
    assert contracts.version(second) | {"price": 0} == {
        "status": VersionStatus.OPEN,
        "price": 0,
        "listing_id": 1,
        "version": 2,
        "epochs": 1,
        "stopped_at": 0,
        "is_superseded": False,
    }
    assert contracts.version(first)["is_superseded"]
    assert contracts.version(first)["status"] == VersionStatus.OPEN
    assert contracts.registry.listing_count() == 2
    third = contracts.draft_listing(content=make_content(2))
    contracts.retire(second)
    contracts.list_version(third, second.terms)
    assert (contracts.version(third)["listing_id"], contracts.version(third)["version"]) == (1, 3)


@pytest.mark.parametrize(
    "overrides",
    [
        {"shard_count": 1},
        {"shard_count": 2**32 - 1},
        {"delivery_seconds": MIN_WINDOW, "inspection_seconds": MIN_WINDOW},
        {"bond": 0},
        {"price": 0},
        {"price": 2**128 - 1},
        {"n": 1, "threshold": 1},
        {"n": 5, "threshold": 3},
        {"fee": 2**128 - 1},
        {"penalty": 0},
        {"penalty": LOCK},
        {"lock": 1, "penalty": 1},
        {"accept_until": START},
        {"accept_until": START + 7 * 86_400, "end": START + 8 * 86_400, "last_end": 2**40 - 1},
        {"accept_until": START, "end": START + WINDOWS},
        {"period_seconds": 3 * WINDOWS},
        {"period_seconds": 2**40 - 1},
        {"last_end": START + 10_000},
    ],
    ids=str,
)
def test_list_version__values_at_their_limits__are_taken(
    contracts: MarketContracts, overrides: dict[str, Any]
) -> None:
    listing = contracts.list_version(contracts.draft_listing(**overrides))
    assert contracts.version(listing)["status"] == VersionStatus.OPEN
    assert contracts.custody(listing)["status"] == CustodyStatus.OPENED


def test_list_version__windows_at_their_longest__are_taken(contracts: MarketContracts) -> None:
    listing = contracts.draft_listing(
        delivery_seconds=MAX_WINDOW,
        inspection_seconds=MAX_WINDOW,
        period_seconds=6 * MAX_WINDOW,
        end=START + 3 * MAX_WINDOW,
        last_end=START + 4 * MAX_WINDOW,
    )
    contracts.list_version(listing)
    assert contracts.custody(listing)["inspection_seconds"] == MAX_WINDOW


def test_list_version__largest_bond_and_keeping_fee__are_taken(contracts: MarketContracts) -> None:
    most = 2**128 - 1
    contracts.token.mint(contracts.seller, 2**134)
    contracts.token.approve(contracts.registry, 2**134, sender=contracts.seller)
    listing = contracts.list_version(contracts.draft_listing(5, bond=most, keeping_fee=most))
    assert held_by(contracts, contracts.registry.address) == 6 * most
    boa.env.timestamp = listing.custody.accept_until + 1
    contracts.release(listing)
    assert contracts.entry(contracts.registry, contracts.seller) == 5 * most


def test_list_version__sixteen_custodians__can_be_kept_and_delivered(
    contracts: MarketContracts,
) -> None:
    custodians = sorted((boa.env.generate_address() for _ in range(16)), key=lambda a: int(a, 16))
    listing = contracts.draft_listing(custodians=custodians, threshold=8)
    contracts.list_version(listing)
    assert contracts.custody(listing)["status"] == CustodyStatus.OPENED


# ------------------------------------------------------------------ version


def test_reprice__running_version__changes_the_price_alone(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    before = contracts.version(listing)
    contracts.registry.reprice(listing.terms.astuple(), 2**128 - 1, sender=contracts.seller)
    assert events(contracts.registry) == [
        ("VersionRepriced", {"terms_id": listing.terms_id, "price": 2**128 - 1})
    ]
    assert contracts.version(listing) == before | {"price": 2**128 - 1}


def test_set_version_paused__on_and_off__changes_the_status_alone(
    contracts: MarketContracts,
) -> None:
    listing = contracts.create_listing()
    before = contracts.version(listing)
    for is_paused, status in ((True, VersionStatus.PAUSED), (False, VersionStatus.OPEN)):
        contracts.registry.set_version_paused(
            listing.terms.astuple(), is_paused, sender=contracts.seller
        )
        assert events(contracts.registry) == [
            ("VersionPaused", {"terms_id": listing.terms_id, "is_paused": is_paused})
        ]
        assert contracts.version(listing) == before | {"status": status}


@pytest.mark.parametrize("is_paused", [False, True])
def test_retire__running_version__stops_for_good(
    contracts: MarketContracts, is_paused: bool
) -> None:
    listing = contracts.create_listing()
    contracts.registry.set_version_paused(
        listing.terms.astuple(), is_paused, sender=contracts.seller
    )
    before = contracts.version(listing)
    contracts.retire(listing)
    assert events(contracts.registry) == [("VersionRetired", {"terms_id": listing.terms_id})]
    assert contracts.version(listing) == before | {
        "status": VersionStatus.RETIRED,
        "stopped_at": contracts.now,
    }


@pytest.mark.parametrize("amount", [0, 5, 2**128 - 1])
def test_top_up__stranger__adds_to_the_keeping_balance(
    contracts: MarketContracts, amount: int
) -> None:
    contracts.token.mint(contracts.stranger, 2**128)
    contracts.token.approve(contracts.registry, 2**128, sender=contracts.stranger)
    listing = contracts.create_listing()
    before = held_by(contracts, contracts.registry.address)
    contracts.top_up(listing, amount)
    assert events(contracts.registry) == [
        (
            "KeepingToppedUp",
            {"terms_id": listing.terms_id, "payer": contracts.stranger, "amount": amount},
        )
    ]
    assert contracts.registry.keeping_balances(listing.terms_id) == amount
    assert held_by(contracts, contracts.registry.address) == before + amount


def test_close_version__retired_long_ago__credits_bond_and_keeping_balance(
    contracts: MarketContracts,
) -> None:
    listing = contracts.create_listing()
    contracts.top_up(listing, 77)
    contracts.retire(listing)
    before = contracts.version(listing)
    boa.env.timestamp += WINDOWS + 1
    contracts.close_version(listing)
    assert events(contracts.registry) == [
        (
            "VersionClosed",
            {"terms_id": listing.terms_id, "payee": contracts.payee, "amount": BOND + 77},
        )
    ]
    assert contracts.version(listing) == before | {"status": VersionStatus.CLOSED}
    assert contracts.entry(contracts.registry, contracts.payee) == BOND + 77
    assert contracts.registry.keeping_balances(listing.terms_id) == 0


def test_close_version__again__credits_only_what_came_later(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    purchase = contracts.buy(listing)
    boa.env.timestamp += listing.terms.delivery_seconds + 1
    contracts.refund(purchase)
    contracts.retire(listing)
    boa.env.timestamp += 2 * WINDOWS + 1
    contracts.close_version(listing)
    contracts.release(listing)
    contracts.close_version(listing)
    assert events(contracts.registry)[0][1]["amount"] == 4 * KEEPING_FEE
    contracts.close_version(listing)
    assert events(contracts.registry)[0][1]["amount"] == 0
    assert contracts.entry(contracts.registry, contracts.payee) == BOND + 4 * KEEPING_FEE


# ------------------------------------------------------------------- market


def test_close__live_custody__stops_it_and_fines_the_silent(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    contracts.close(listing, 0b0101)
    assert events(contracts.registry) == [
        ("CustodyClosed", {"custody_id": listing.custody_id, "fined": 0b0101})
    ]
    assert contracts.custody(listing) == live(listing) | {
        "status": CustodyStatus.CLOSED,
        "fined": 0b0101,
        "stopped_at": contracts.now,
    }
    assert [contracts.locked(it) for it in listing.custodians] == [
        LOCK - PENALTY,
        LOCK,
        LOCK - PENALTY,
        LOCK,
    ]
    assert contracts.entry(contracts.staking, ZERO, contracts.stake_token) == 2 * PENALTY


def test_close__again__keeps_the_time_and_fines_only_new_ones(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    contracts.close(listing, 0b0001)
    stopped_at = contracts.now
    boa.env.timestamp += 10
    contracts.close(listing, 0b0011)
    assert events(contracts.registry)[-1][1]["fined"] == 0b0010
    assert contracts.custody(listing)["stopped_at"] == stopped_at
    assert contracts.custody(listing)["fined"] == 0b0011
    assert contracts.entry(contracts.staking, ZERO, contracts.stake_token) == 2 * PENALTY


@pytest.mark.parametrize("n", [0, 4], ids=["no lock", "no penalty"])
def test_close__nothing_to_take__calls_no_staking(contracts: MarketContracts, n: int) -> None:
    listing = contracts.create_listing(n, penalty=0)
    contracts.close(listing, 1)
    assert contracts.custody(listing)["fined"] == 1
    assert contracts.entry(contracts.staking, ZERO, contracts.stake_token) == 0


@pytest.mark.parametrize("bond", [0, 1, BOND, 2**128 - 1])
def test_revoke__running_version__halves_the_bond(contracts: MarketContracts, bond: int) -> None:
    contracts.token.mint(contracts.seller, 2**128)
    contracts.token.approve(contracts.registry, 2**129, sender=contracts.seller)
    listing = contracts.create_listing(bond=bond)
    contracts.revoke(listing)
    assert events(contracts.registry) == [
        (
            "VersionRevoked",
            {
                "terms_id": listing.terms_id,
                "rewarded": contracts.buyer,
                "reward": bond // 2,
                "burned": bond - bond // 2,
            },
        )
    ]
    assert contracts.version(listing)["status"] == VersionStatus.REVOKED
    assert contracts.entry(contracts.registry, contracts.buyer) == bond // 2
    assert contracts.entry(contracts.registry, ZERO) == bond - bond // 2


def test_revoke__revoked_version__ends_all_obligations_at_once(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    contracts.revoke(listing)
    contracts.release(listing)
    assert contracts.custody(listing)["released"] == 0b1111
    contracts.close_version(listing)
    assert contracts.entry(contracts.registry, contracts.payee) == 0


# -------------------------------------------------------------------- views


def test_views__unknown_ids__are_empty(contracts: MarketContracts) -> None:
    listing = contracts.draft_listing()
    assert set(contracts.version(listing).values()) == {0}
    assert contracts.custody(listing) == NO_CUSTODY
    assert plain(contracts.registry.status(listing.terms_id, listing.custody_id)) == [0, 0, False]
    assert contracts.registry.keeping_balances(listing.terms_id) == 0


def test_status__paused__tells_words_and_pause(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    contracts.registry.pause(sender=contracts.owner)
    version, custody, is_paused = contracts.registry.status(listing.terms_id, listing.custody_id)
    assert version & 0xFF == VersionStatus.OPEN
    assert version >> 8 & 2**128 - 1 == PRICE
    assert custody & 0xFF == CustodyStatus.LIVE
    assert custody >> 104 & 2**40 - 1 == listing.custody.end
    assert is_paused


def test_terms__of_an_older_fee__keep_it(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    contracts.registry.set_fee_bps(250, sender=contracts.owner)
    assert listing.terms.fee_bps == FEE_BPS
    newer = contracts.create_listing(fee_bps=250)
    assert contracts.version(newer)["listing_id"] == 2
    assert replace(newer.terms, fee_bps=FEE_BPS).terms_id == listing.terms_id
