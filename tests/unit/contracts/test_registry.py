# SPDX-License-Identifier: Apache-2.0
"""What each function of DatasetRegistry does when it may: storage, events, balances."""

from dataclasses import replace
from typing import Any

import boa
import pytest

from tests.utils.contracts import events, plain, reverts
from tests.utils.drafts import (
    BOND,
    FEE_BPS,
    KEEPING_FEE,
    LOCK,
    PENALTY,
    PERIOD,
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
    World,
    deployed_world,
    world,
)
from tests.utils.tokens import deployer
from truthmark.keys.abi_hash import hash_words
from truthmark.market.records import (
    CustodyStatus,
    VersionStatus,
    obligation_id,
)

__all__ = ["deployed_world", "world"]

NO_CUSTODY = {
    "status": 0,
    "accepted": 0,
    "active": 0,
    "previous_active": 0,
    "votes": 0,
    "fined": 0,
    "released": 0,
    "end": 0,
    "previous_end": 0,
    "stopped_at": 0,
    "inspection_seconds": 0,
}


def event_custody(listing: Listing) -> dict[str, Any]:
    return {name: getattr(listing.custody, name) for name in listing.custody.__slots__}


def event_terms(listing: Listing) -> dict[str, Any]:
    fields = {name: getattr(listing.terms, name) for name in listing.terms.__slots__}
    return fields | {name: fields[name]._asdict() for name in ("public_key", "base")}


def opened(listing: Listing) -> dict[str, Any]:
    custody = listing.custody
    return NO_CUSTODY | {
        "status": CustodyStatus.OPENED,
        "end": custody.end,
        "inspection_seconds": listing.terms.inspection_seconds,
    }


def live(listing: Listing) -> dict[str, Any]:
    everybody = (1 << listing.custody.count) - 1
    return opened(listing) | {
        "status": CustodyStatus.LIVE,
        "accepted": everybody,
        "active": everybody,
    }


def purse(w: World, account: str) -> int:
    return int(w.token.balanceOf(account))


# ------------------------------------------------------------- constructing


def test_init__within_bounds__keeps_what_it_was_given(world: World) -> None:
    registry = world.registry
    assert registry.STAKING() == world.staking.address
    assert registry.CHECKS() == world.checks.address
    assert (registry.MIN_WINDOW(), registry.MAX_WINDOW()) == (MIN_WINDOW, MAX_WINDOW)
    assert (registry.MAX_FEE_BPS(), world.checks.MAX_ACCEPT_SECONDS()) == (250, 7 * 86_400)
    assert registry.owner() == world.owner
    assert registry.pending_owner() == ZERO
    assert not registry.paused()
    assert registry.BURN() == ZERO
    assert registry.listing_count() == 0


@pytest.mark.parametrize("bounds", [(1, 1), (60, 365 * 86_400)])
def test_init__bounds_at_their_limits__are_accepted(world: World, bounds: tuple[int, int]) -> None:
    registry = deployer("DatasetRegistry").deploy(world.owner, world.staking, world.checks, *bounds)
    assert (registry.MIN_WINDOW(), registry.MAX_WINDOW()) == bounds


def test_fix_market__once__holds_for_good(world: World) -> None:
    registry = deployer("DatasetRegistry").deploy(world.owner, world.staking, world.checks, 1, 2)
    assert registry.market() == ZERO
    registry.fix_market(world.market, sender=world.owner)
    assert events(registry) == [("MarketFixed", {"market": world.market.address})]
    assert registry.market() == world.market.address


@pytest.mark.parametrize("bps", [0, 250])
def test_set_fee_bps__at_its_limits__is_kept(world: World, bps: int) -> None:
    world.registry.set_fee_bps(bps, sender=world.owner)
    assert events(world.registry) == [("FeeSet", {"fee_bps": bps})]
    assert world.registry.fee_bps() == bps


def test_pause__and_unpause__are_told(world: World) -> None:
    world.registry.pause(sender=world.owner)
    assert events(world.registry) == [("Paused", {"account": world.owner})]
    assert world.registry.paused()
    world.registry.unpause(sender=world.owner)
    assert events(world.registry) == [("Unpaused", {"account": world.owner})]
    assert not world.registry.paused()


def test_transfer_ownership__two_steps__moves_all_rights(world: World) -> None:
    registry = world.registry
    registry.transfer_ownership(world.gate, sender=world.owner)
    assert (registry.owner(), registry.pending_owner()) == (world.owner, world.gate)
    registry.accept_ownership(sender=world.gate)
    assert (registry.owner(), registry.pending_owner()) == (world.gate, ZERO)
    registry.set_fee_bps(1, sender=world.gate)


# ------------------------------------------------------------------ listing


def test_list_version__first__opens_listing_and_custody(world: World) -> None:
    listing = world.draft_listing()
    returned = world.registry.list_version(*listing.list_arguments(), sender=world.seller)
    assert bytes(returned) == listing.terms_id
    assert events(world.registry) == [
        (
            "VersionListed",
            {
                "terms_id": listing.terms_id,
                "listing_id": 1,
                "seller": world.seller,
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
    assert world.version(listing) == {
        "status": VersionStatus.OPEN,
        "price": PRICE,
        "listing_id": 1,
        "version": 1,
        "epochs": 1,
        "stopped_at": 0,
        "is_superseded": False,
    }
    assert world.custody(listing) == opened(listing)
    assert world.registry.listing_count() == 1
    paid = BOND + 4 * KEEPING_FEE
    assert purse(world, world.seller) == INITIAL_BALANCE - paid
    assert purse(world, world.registry.address) == paid


def test_list_version__nothing_to_pay__calls_no_token(world: World) -> None:
    listing = world.draft_listing(bond=0, keeping_fee=0, token=world.stranger)
    world.list_version(listing)  # a token without code would have failed
    assert world.version(listing)["status"] == VersionStatus.OPEN


def test_list_version__direct_mode__is_live_at_once_and_locks_nothing(world: World) -> None:
    listing = world.draft_listing(0)
    world.list_version(listing)
    names = [name for name, _ in events(world.registry)]
    assert names == ["VersionListed", "CustodyOpened", "CustodyAccepted"]
    assert events(world.registry)[2][1] == {
        "custody_id": listing.custody_id,
        "custodian": world.seller,
        "index": 1,
        "is_live": True,
    }
    assert world.custody(listing) == live(listing)
    assert bytes(world.registry.acceptances(listing.custody_id, 1)) == hash_words(
        listing.share_keys[0], 1, listing.terms.inspection_seconds
    )
    assert purse(world, world.registry.address) == BOND


def test_list_version__further_version__continues_the_listing(world: World) -> None:
    first = world.create_listing()
    world.create_listing(manifest=word_of("another listing"))
    second = world.draft_listing(content=make_content(1))
    world.list_version(second, first.terms)
    assert world.version(second) | {"price": 0} == {
        "status": VersionStatus.OPEN,
        "price": 0,
        "listing_id": 1,
        "version": 2,
        "epochs": 1,
        "stopped_at": 0,
        "is_superseded": False,
    }
    assert world.version(first)["is_superseded"]
    assert world.version(first)["status"] == VersionStatus.OPEN
    assert world.registry.listing_count() == 2
    third = world.draft_listing(content=make_content(2))
    world.retire(second)
    world.list_version(third, second.terms)
    assert (world.version(third)["listing_id"], world.version(third)["version"]) == (1, 3)


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
    world: World, overrides: dict[str, Any]
) -> None:
    listing = world.list_version(world.draft_listing(**overrides))
    assert world.version(listing)["status"] == VersionStatus.OPEN
    assert world.custody(listing)["status"] == CustodyStatus.OPENED


def test_list_version__windows_at_their_longest__are_taken(world: World) -> None:
    listing = world.draft_listing(
        delivery_seconds=MAX_WINDOW,
        inspection_seconds=MAX_WINDOW,
        period_seconds=6 * MAX_WINDOW,
        end=START + 3 * MAX_WINDOW,
        last_end=START + 4 * MAX_WINDOW,
    )
    world.list_version(listing)
    assert world.custody(listing)["inspection_seconds"] == MAX_WINDOW


def test_list_version__largest_bond_and_keeping_fee__are_taken(world: World) -> None:
    most = 2**128 - 1
    world.token.mint(world.seller, 2**134)
    world.token.approve(world.registry, 2**134, sender=world.seller)
    listing = world.list_version(world.draft_listing(5, bond=most, keeping_fee=most))
    assert purse(world, world.registry.address) == 6 * most
    boa.env.timestamp = listing.custody.accept_until + 1
    world.release(listing)
    assert world.entry(world.registry, world.seller) == 5 * most


def test_list_version__sixteen_custodians__can_be_kept_and_delivered(world: World) -> None:
    custodians = sorted((boa.env.generate_address() for _ in range(16)), key=lambda a: int(a, 16))
    listing = world.draft_listing(custodians=custodians, threshold=8)
    world.list_version(listing)
    assert world.custody(listing)["status"] == CustodyStatus.OPENED


# ------------------------------------------------------------------ custody


def test_open_custody__further_epoch__counts_up_and_pulls_keeping_fees(world: World) -> None:
    listing = world.create_listing()
    before = purse(world, world.seller)
    further = world.next_custody(listing, 3)
    returned = world.registry.open_custody(*further.opening, sender=world.seller)
    assert bytes(returned) == further.custody_id
    assert events(world.registry) == [
        (
            "CustodyOpened",
            {
                "custody_id": further.custody_id,
                "terms_id": listing.terms_id,
                "custody": event_custody(further),
                "custodians": list(further.custodians),
                "share_keys": [key._asdict() for key in further.share_keys],
            },
        )
    ]
    assert world.version(listing)["epochs"] == 2
    assert world.custody(further) == opened(further)
    assert world.custody(listing) == live(listing)
    assert before - purse(world, world.seller) == 3 * KEEPING_FEE


def test_open_custody__paused_version_and_direct_mode__opens(world: World) -> None:
    listing = world.create_listing()
    world.registry.set_version_paused(listing.terms.astuple(), True, sender=world.seller)
    further = world.open_custody(world.next_custody(listing, 0, custodians=()))
    assert world.custody(further) == live(further)


@pytest.mark.parametrize("by_operator", [False, True])
def test_accept__owner_or_operator__locks_stake(world: World, by_operator: bool) -> None:
    listing = world.list_version(world.draft_listing())
    custodian = listing.custodians[1]
    sender = world.operators[custodian] if by_operator else custodian
    world.accept(listing, 2, sender)
    assert events(world.registry) == [
        (
            "CustodyAccepted",
            {
                "custody_id": listing.custody_id,
                "custodian": custodian,
                "index": 2,
                "is_live": False,
            },
        )
    ]
    assert world.custody(listing) == opened(listing) | {"accepted": 0b10}
    assert bytes(world.registry.acceptances(listing.custody_id, 2)) == hash_words(
        listing.share_keys[1], 2, listing.terms.inspection_seconds
    )
    assert bytes(world.registry.acceptances(listing.custody_id, 1)) == bytes(32)
    assert world.locked(custodian) == LOCK
    obligation = world.staking.obligation(world.registry, obligation_id(listing.custody_id, 2))
    assert (obligation.validator, obligation.amount) == (custodian, LOCK)


def test_accept__the_last_one__makes_it_live(world: World) -> None:
    listing = world.list_version(world.draft_listing())
    for index in (4, 1, 3):
        world.accept(listing, index)
        assert not events(world.registry)[0][1]["is_live"]
    world.accept(listing, 2)
    assert events(world.registry)[0][1]["is_live"]
    assert world.custody(listing) == live(listing)


def test_release__not_complete_in_time__lapses_and_pays_the_seller_back(world: World) -> None:
    listing = world.list_version(world.draft_listing())
    world.accept(listing, 1)
    world.accept(listing, 3)
    boa.env.timestamp = listing.custody.accept_until + 1
    world.release(listing)
    assert events(world.registry) == [
        ("CustodyLapsed", {"custody_id": listing.custody_id}),
        *(
            (
                "CustodianReleased",
                {
                    "custody_id": listing.custody_id,
                    "custodian": listing.custodians[i],
                    "keeping_fee": 0,
                },
            )
            for i in (0, 2)
        ),
    ]
    assert world.custody(listing) == opened(listing) | {
        "status": CustodyStatus.LAPSED,
        "accepted": 0b101,
        "released": 0b101,
    }
    assert world.entry(world.registry, world.seller) == 4 * KEEPING_FEE
    assert [world.locked(it) for it in world.custodians] == [0] * 5
    assert bytes(world.registry.acceptances(listing.custody_id, 1)) == bytes(32)
    assert world.version(listing)["status"] == VersionStatus.OPEN


def test_release__version_retired__lapses_an_open_custody_at_once(world: World) -> None:
    listing = world.list_version(world.draft_listing())
    world.retire(listing)
    world.release(listing)
    assert world.custody(listing)["status"] == CustodyStatus.LAPSED


def test_release__term_over__pays_keeping_fees_and_frees_stake(world: World) -> None:
    listing = world.create_listing()
    boa.env.timestamp = listing.custody.end + WINDOWS + 1
    world.release(listing)
    assert events(world.registry) == [
        (
            "CustodianReleased",
            {
                "custody_id": listing.custody_id,
                "custodian": custodian,
                "keeping_fee": KEEPING_FEE,
            },
        )
        for custodian in listing.custodians
    ]
    assert world.custody(listing) == live(listing) | {"released": 0b1111}
    assert [world.entry(world.registry, it) for it in listing.custodians] == [KEEPING_FEE] * 4
    assert [world.locked(it) for it in listing.custodians] == [0] * 4
    for index in range(1, 5):
        assert bytes(world.registry.acceptances(listing.custody_id, index)) == bytes(32)
        assert (
            world.staking.obligation(
                world.registry, obligation_id(listing.custody_id, index)
            ).amount
            == 0
        )


def test_release__nobody_to_release__does_nothing(world: World) -> None:
    listing = world.create_listing()
    world.release(listing)
    assert events(world.registry) == []
    assert world.custody(listing) == live(listing)


def test_extend__direct_mode__needs_nothing_of_staking(world: World) -> None:
    listing = world.create_listing(0)
    world.staking.pause(sender=world.owner)
    boa.env.timestamp = listing.custody.end - PERIOD // 3
    with reverts(world.registry, "registry: not the custodian"):
        world.registry.extend(*listing.keeping, 1, sender=world.stranger)
    world.registry.extend(*listing.keeping, 1, sender=world.seller)
    assert world.custody(listing)["end"] == listing.custody.end + PERIOD


def test_release__direct_mode__frees_without_staking(world: World) -> None:
    listing = world.create_listing(0)
    boa.env.timestamp = listing.custody.end + WINDOWS + 1
    world.release(listing)
    assert world.custody(listing)["released"] == 1
    assert world.entry(world.registry, world.seller) == 0


def test_release__fined_custodian__leaves_his_keeping_fee_in_the_keeping_balance(
    world: World,
) -> None:
    listing = world.create_listing()
    purchase = world.buy(listing)
    world.deliver(purchase, 2)
    boa.env.timestamp += listing.terms.delivery_seconds + 1
    world.refund(purchase)
    assert world.custody(listing)["fined"] == 0b1101
    boa.env.timestamp += 2 * WINDOWS + 1
    world.release(listing)
    assert [fields["keeping_fee"] for _, fields in events(world.registry)] == [
        0,
        KEEPING_FEE,
        0,
        0,
    ]
    assert world.registry.keeping_balances(listing.terms_id) == 3 * KEEPING_FEE
    assert world.entry(world.registry, listing.custodians[1]) == KEEPING_FEE
    assert [world.locked(it) for it in listing.custodians] == [0] * 4


# ---------------------------------------------------------------- extending


def extension_opens(w: World, listing: Listing) -> None:
    w.top_up(listing, 100 * KEEPING_FEE)
    boa.env.timestamp = listing.custody.end - listing.custody.period_seconds // 3


def test_extend__votes__take_effect_with_the_third(world: World) -> None:
    listing = world.create_listing()
    end = listing.custody.end
    extension_opens(world, listing)
    world.extend(listing, 1, 4)
    assert events(world.registry) == [
        (
            "CustodyExtended",
            {
                "custody_id": listing.custody_id,
                "custodian": listing.custodians[3],
                "end": end,
                "active": 0b1111,
            },
        )
    ]
    assert world.custody(listing) == live(listing) | {"votes": 0b1001}
    assert world.registry.keeping_balances(listing.terms_id) == 100 * KEEPING_FEE
    world.extend(listing, 2, sender=world.operators[listing.custodians[1]])
    assert events(world.registry) == [
        (
            "CustodyExtended",
            {
                "custody_id": listing.custody_id,
                "custodian": listing.custodians[1],
                "end": end + PERIOD,
                "active": 0b1011,
            },
        )
    ]
    assert world.custody(listing) == live(listing) | {
        "active": 0b1011,
        "previous_active": 0b1111,
        "end": end + PERIOD,
        "previous_end": end,
    }
    assert world.registry.keeping_balances(listing.terms_id) == 97 * KEEPING_FEE
    # The running period is not over, so nobody has earned its fee yet.
    assert [world.entry(world.registry, it) for it in listing.custodians] == [0] * 4


def test_extend__fourth_after_it_took_effect__joins(world: World) -> None:
    listing = world.create_listing()
    extension_opens(world, listing)
    world.extend(listing, 1, 2, 3, 4)
    state = world.custody(listing)
    assert (state["active"], state["votes"]) == (0b1111, 0)
    assert world.registry.keeping_balances(listing.terms_id) == 96 * KEEPING_FEE
    assert [world.entry(world.registry, it) for it in listing.custodians] == [0] * 4


def test_release__extended_term_over__pays_who_stayed_and_frees_who_left(world: World) -> None:
    listing = world.create_listing()
    extension_opens(world, listing)
    world.extend(listing, 1, 2, 3)
    boa.env.timestamp = listing.custody.end + WINDOWS + 1
    world.release(listing)
    assert events(world.registry) == [
        ("PeriodPaid", {"custody_id": listing.custody_id, "custodians": 0b0111}),
        (
            "CustodianReleased",
            {
                "custody_id": listing.custody_id,
                "custodian": listing.custodians[3],
                "keeping_fee": KEEPING_FEE,
            },
        ),
    ]
    assert world.custody(listing) == live(listing) | {
        "active": 0b0111,
        "released": 0b1000,
        "end": listing.custody.end + PERIOD,
    }
    assert [world.entry(world.registry, it) for it in listing.custodians] == [KEEPING_FEE] * 4
    assert world.locked(listing.custodians[3]) == 0
    assert world.locked(listing.custodians[0]) == LOCK
    world.release(listing)
    assert events(world.registry) == []


def test_release__fined_in_an_extended_term__leaves_both_fees_in_the_keeping_balance(
    world: World,
) -> None:
    listing = world.create_listing()
    extension_opens(world, listing)
    world.extend(listing, 1, 2, 3)
    keeping_balance = world.registry.keeping_balances(listing.terms_id)
    world.close(listing, 0b1001)
    boa.env.timestamp = listing.custody.end + WINDOWS + 1
    world.release(listing)
    assert events(world.registry)[0] == (
        "PeriodPaid",
        {"custody_id": listing.custody_id, "custodians": 0b0110},
    )
    boa.env.timestamp = listing.custody.end + 3 * PERIOD
    world.release(listing)
    # Custodian 1 stayed and had two held, custodian 4 left and had one.
    assert world.registry.keeping_balances(listing.terms_id) == keeping_balance + 3 * KEEPING_FEE
    assert [world.entry(world.registry, it) for it in listing.custodians] == [
        0,
        2 * KEEPING_FEE,
        2 * KEEPING_FEE,
        0,
    ]


def test_release__revoked_in_an_extended_term__pays_both_fees_at_once(world: World) -> None:
    listing = world.create_listing()
    extension_opens(world, listing)
    world.extend(listing, 1, 2, 3)
    world.revoke(listing)
    world.release(listing)
    assert world.custody(listing)["released"] == 0b1111
    assert [world.entry(world.registry, it) for it in listing.custodians] == [
        *([2 * KEEPING_FEE] * 3),
        KEEPING_FEE,
    ]


def test_extend__first_vote_of_the_next_term__pays_the_one_before(world: World) -> None:
    listing = world.create_listing()
    extension_opens(world, listing)
    world.extend(listing, 1, 2, 3)
    boa.env.timestamp = listing.custody.end + PERIOD - PERIOD // 3
    world.extend(listing, 1)
    assert events(world.registry)[0] == (
        "PeriodPaid",
        {"custody_id": listing.custody_id, "custodians": 0b0111},
    )
    state = world.custody(listing)
    assert (state["previous_active"], state["previous_end"], state["votes"]) == (0, 0, 1)
    paid = [KEEPING_FEE] * 3 + [0]
    assert [world.entry(world.registry, it) for it in listing.custodians] == paid
    world.extend(listing, 2)
    assert [world.entry(world.registry, it) for it in listing.custodians] == paid


def test_extend__three_terms__pay_each_a_fee_a_term(world: World) -> None:
    listing = world.create_listing()
    world.top_up(listing, 100 * KEEPING_FEE)
    for _ in range(3):
        boa.env.timestamp = world.custody(listing)["end"] - 1
        world.extend(listing, 1, 2, 3, 4)
    assert world.custody(listing)["end"] == listing.custody.last_end
    boa.env.timestamp = listing.custody.last_end + WINDOWS + 1
    world.release(listing)
    assert [world.entry(world.registry, it) for it in listing.custodians] == [4 * KEEPING_FEE] * 4


# ------------------------------------------------------------------ version


def test_reprice__running_version__changes_the_price_alone(world: World) -> None:
    listing = world.create_listing()
    before = world.version(listing)
    world.registry.reprice(listing.terms.astuple(), 2**128 - 1, sender=world.seller)
    assert events(world.registry) == [
        ("VersionRepriced", {"terms_id": listing.terms_id, "price": 2**128 - 1})
    ]
    assert world.version(listing) == before | {"price": 2**128 - 1}


def test_set_version_paused__on_and_off__changes_the_status_alone(world: World) -> None:
    listing = world.create_listing()
    before = world.version(listing)
    for is_paused, status in ((True, VersionStatus.PAUSED), (False, VersionStatus.OPEN)):
        world.registry.set_version_paused(listing.terms.astuple(), is_paused, sender=world.seller)
        assert events(world.registry) == [
            ("VersionPaused", {"terms_id": listing.terms_id, "is_paused": is_paused})
        ]
        assert world.version(listing) == before | {"status": status}


@pytest.mark.parametrize("is_paused", [False, True])
def test_retire__running_version__stops_for_good(world: World, is_paused: bool) -> None:
    listing = world.create_listing()
    world.registry.set_version_paused(listing.terms.astuple(), is_paused, sender=world.seller)
    before = world.version(listing)
    world.retire(listing)
    assert events(world.registry) == [("VersionRetired", {"terms_id": listing.terms_id})]
    assert world.version(listing) == before | {
        "status": VersionStatus.RETIRED,
        "stopped_at": world.now,
    }


@pytest.mark.parametrize("amount", [0, 5, 2**128 - 1])
def test_top_up__anyone__adds_to_the_keeping_balance(world: World, amount: int) -> None:
    world.token.mint(world.stranger, 2**128)
    world.token.approve(world.registry, 2**128, sender=world.stranger)
    listing = world.create_listing()
    before = purse(world, world.registry.address)
    world.top_up(listing, amount)
    assert events(world.registry) == [
        (
            "KeepingToppedUp",
            {"terms_id": listing.terms_id, "payer": world.stranger, "amount": amount},
        )
    ]
    assert world.registry.keeping_balances(listing.terms_id) == amount
    assert purse(world, world.registry.address) == before + amount


def test_close_version__retired_long_ago__credits_bond_and_keeping_balance(world: World) -> None:
    listing = world.create_listing()
    world.top_up(listing, 77)
    world.retire(listing)
    before = world.version(listing)
    boa.env.timestamp += WINDOWS + 1
    world.close_version(listing)
    assert events(world.registry) == [
        (
            "VersionClosed",
            {"terms_id": listing.terms_id, "payee": world.payee, "amount": BOND + 77},
        )
    ]
    assert world.version(listing) == before | {"status": VersionStatus.CLOSED}
    assert world.entry(world.registry, world.payee) == BOND + 77
    assert world.registry.keeping_balances(listing.terms_id) == 0


def test_close_version__again__credits_only_what_came_later(world: World) -> None:
    listing = world.create_listing()
    purchase = world.buy(listing)
    boa.env.timestamp += listing.terms.delivery_seconds + 1
    world.refund(purchase)
    world.retire(listing)
    boa.env.timestamp += 2 * WINDOWS + 1
    world.close_version(listing)
    world.release(listing)
    world.close_version(listing)
    assert events(world.registry)[0][1]["amount"] == 4 * KEEPING_FEE
    world.close_version(listing)
    assert events(world.registry)[0][1]["amount"] == 0
    assert world.entry(world.registry, world.payee) == BOND + 4 * KEEPING_FEE


# ------------------------------------------------------------------- market


def test_close__live_custody__stops_it_and_fines_the_silent(world: World) -> None:
    listing = world.create_listing()
    world.close(listing, 0b0101)
    assert events(world.registry) == [
        ("CustodyClosed", {"custody_id": listing.custody_id, "fined": 0b0101})
    ]
    assert world.custody(listing) == live(listing) | {
        "status": CustodyStatus.CLOSED,
        "fined": 0b0101,
        "stopped_at": world.now,
    }
    assert [world.locked(it) for it in listing.custodians] == [
        LOCK - PENALTY,
        LOCK,
        LOCK - PENALTY,
        LOCK,
    ]
    assert world.entry(world.staking, ZERO, world.stake_token) == 2 * PENALTY


def test_close__again__keeps_the_time_and_fines_only_new_ones(world: World) -> None:
    listing = world.create_listing()
    world.close(listing, 0b0001)
    stopped_at = world.now
    boa.env.timestamp += 10
    world.close(listing, 0b0011)
    assert events(world.registry)[-1][1]["fined"] == 0b0010
    assert world.custody(listing)["stopped_at"] == stopped_at
    assert world.custody(listing)["fined"] == 0b0011
    assert world.entry(world.staking, ZERO, world.stake_token) == 2 * PENALTY


@pytest.mark.parametrize("n", [0, 4], ids=["no lock", "no penalty"])
def test_close__nothing_to_take__calls_no_staking(world: World, n: int) -> None:
    listing = world.create_listing(n, penalty=0)
    world.close(listing, 1)
    assert world.custody(listing)["fined"] == 1
    assert world.entry(world.staking, ZERO, world.stake_token) == 0


@pytest.mark.parametrize("bond", [0, 1, BOND, 2**128 - 1])
def test_revoke__running_version__halves_the_bond(world: World, bond: int) -> None:
    world.token.mint(world.seller, 2**128)
    world.token.approve(world.registry, 2**129, sender=world.seller)
    listing = world.create_listing(bond=bond)
    world.revoke(listing)
    assert events(world.registry) == [
        (
            "VersionRevoked",
            {
                "terms_id": listing.terms_id,
                "buyer": world.buyer,
                "reward": bond // 2,
                "burned": bond - bond // 2,
            },
        )
    ]
    assert world.version(listing)["status"] == VersionStatus.REVOKED
    assert world.entry(world.registry, world.buyer) == bond // 2
    assert world.entry(world.registry, ZERO) == bond - bond // 2


def test_revoke__revoked_version__ends_all_obligations_at_once(world: World) -> None:
    listing = world.create_listing()
    world.revoke(listing)
    world.release(listing)
    assert world.custody(listing)["released"] == 0b1111
    world.close_version(listing)
    assert world.entry(world.registry, world.payee) == 0


# -------------------------------------------------------------------- views


def test_views__unknown_ids__are_empty(world: World) -> None:
    listing = world.draft_listing()
    assert set(world.version(listing).values()) == {0}
    assert world.custody(listing) == NO_CUSTODY
    assert plain(world.registry.status(listing.terms_id, listing.custody_id)) == [0, 0, False]
    assert world.registry.keeping_balances(listing.terms_id) == 0


def test_status__paused__tells_words_and_pause(world: World) -> None:
    listing = world.create_listing()
    world.registry.pause(sender=world.owner)
    version, custody, is_paused = world.registry.status(listing.terms_id, listing.custody_id)
    assert version & 0xFF == VersionStatus.OPEN
    assert version >> 8 & 2**128 - 1 == PRICE
    assert custody & 0xFF == CustodyStatus.LIVE
    assert custody >> 104 & 2**40 - 1 == listing.custody.end
    assert is_paused


def test_terms__of_an_older_fee__keep_it(world: World) -> None:
    listing = world.create_listing()
    world.registry.set_fee_bps(250, sender=world.owner)
    assert listing.terms.fee_bps == FEE_BPS
    newer = world.create_listing(fee_bps=250)
    assert world.version(newer)["listing_id"] == 2
    assert replace(newer.terms, fee_bps=FEE_BPS).terms_id == listing.terms_id
