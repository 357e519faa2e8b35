# SPDX-License-Identifier: Apache-2.0
"""DatasetRegistry: custody and its extensions; storage, event and balances after each call."""

import boa
import pytest

from tests.utils.contracts import events, reverts
from tests.utils.drafts import KEEPING_FEE, LOCK, PERIOD, WINDOWS, Listing
from tests.utils.market import MarketContracts, contracts, deployed_contracts
from tests.utils.registry_events import event_custody, held_by, live, opened
from truthmark.keys.abi_hash import hash_words
from truthmark.market.records import CustodyStatus, VersionStatus, obligation_id

__all__ = ["contracts", "deployed_contracts"]


# ------------------------------------------------------------------ custody


def test_open_custody__further_epoch__counts_up_and_pulls_keeping_fees(
    contracts: MarketContracts,
) -> None:
    listing = contracts.create_listing()
    before = held_by(contracts, contracts.seller)
    further = contracts.next_custody(listing, 3)
    returned = contracts.registry.open_custody(*further.opening, sender=contracts.seller)
    assert bytes(returned) == further.custody_id
    assert events(contracts.registry) == [
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
    assert contracts.version(listing)["epochs"] == 2
    assert contracts.custody(further) == opened(further)
    assert contracts.custody(listing) == live(listing)
    assert before - held_by(contracts, contracts.seller) == 3 * KEEPING_FEE


def test_open_custody__paused_version_and_direct_mode__opens(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    contracts.registry.set_version_paused(listing.terms.astuple(), True, sender=contracts.seller)
    further = contracts.open_custody(contracts.next_custody(listing, 0, custodians=()))
    assert contracts.custody(further) == live(further)


@pytest.mark.parametrize("by_operator", [False, True])
def test_accept__owner_or_operator__locks_stake(
    contracts: MarketContracts, by_operator: bool
) -> None:
    listing = contracts.list_version(contracts.draft_listing())
    custodian = listing.custodians[1]
    sender = contracts.operators[custodian] if by_operator else custodian
    contracts.accept(listing, 2, sender)
    assert events(contracts.registry) == [
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
    assert contracts.custody(listing) == opened(listing) | {"accepted": 0b10}
    assert bytes(contracts.registry.acceptances(listing.custody_id, 2)) == hash_words(
        listing.share_keys[1], 2, listing.terms.inspection_seconds
    )
    assert bytes(contracts.registry.acceptances(listing.custody_id, 1)) == bytes(32)
    assert contracts.locked(custodian) == LOCK
    obligation = contracts.staking.obligation(
        contracts.registry, obligation_id(listing.custody_id, 2)
    )
    assert (obligation.validator, obligation.amount) == (custodian, LOCK)


def test_accept__the_last_one__makes_it_live(contracts: MarketContracts) -> None:
    listing = contracts.list_version(contracts.draft_listing())
    for index in (4, 1, 3):
        contracts.accept(listing, index)
        assert not events(contracts.registry)[0][1]["is_live"]
    contracts.accept(listing, 2)
    assert events(contracts.registry)[0][1]["is_live"]
    assert contracts.custody(listing) == live(listing)


def test_release__not_complete_in_time__lapses_and_pays_the_seller_back(
    contracts: MarketContracts,
) -> None:
    listing = contracts.list_version(contracts.draft_listing())
    contracts.accept(listing, 1)
    contracts.accept(listing, 3)
    boa.env.timestamp = listing.custody.accept_until + 1
    contracts.release(listing)
    assert events(contracts.registry) == [
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
    assert contracts.custody(listing) == opened(listing) | {
        "status": CustodyStatus.LAPSED,
        "accepted": 0b101,
        "released": 0b101,
    }
    assert contracts.entry(contracts.registry, contracts.seller) == 4 * KEEPING_FEE
    assert [contracts.locked(it) for it in contracts.custodians] == [0] * 5
    assert bytes(contracts.registry.acceptances(listing.custody_id, 1)) == bytes(32)
    assert contracts.version(listing)["status"] == VersionStatus.OPEN


def test_release__version_retired__lapses_an_open_custody_at_once(
    contracts: MarketContracts,
) -> None:
    listing = contracts.list_version(contracts.draft_listing())
    contracts.retire(listing)
    contracts.release(listing)
    assert contracts.custody(listing)["status"] == CustodyStatus.LAPSED


def test_release__term_over__pays_keeping_fees_and_frees_stake(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    boa.env.timestamp = listing.custody.end + WINDOWS + 1
    contracts.release(listing)
    assert events(contracts.registry) == [
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
    assert contracts.custody(listing) == live(listing) | {"released": 0b1111}
    assert [contracts.entry(contracts.registry, it) for it in listing.custodians] == [
        KEEPING_FEE
    ] * 4
    assert [contracts.locked(it) for it in listing.custodians] == [0] * 4
    for index in range(1, 5):
        assert bytes(contracts.registry.acceptances(listing.custody_id, index)) == bytes(32)
        assert (
            contracts.staking.obligation(
                contracts.registry, obligation_id(listing.custody_id, index)
            ).amount
            == 0
        )


def test_release__no_custodian_to_release__does_nothing(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    contracts.release(listing)
    assert events(contracts.registry) == []
    assert contracts.custody(listing) == live(listing)


def test_extend__direct_mode__needs_nothing_of_staking(contracts: MarketContracts) -> None:
    listing = contracts.create_listing(0)
    contracts.staking.pause(sender=contracts.owner)
    boa.env.timestamp = listing.custody.end - PERIOD // 3
    with reverts(contracts.registry, "registry: not the custodian"):
        contracts.registry.extend(*listing.keeping, 1, sender=contracts.stranger)
    contracts.registry.extend(*listing.keeping, 1, sender=contracts.seller)
    assert contracts.custody(listing)["end"] == listing.custody.end + PERIOD


def test_release__direct_mode__frees_without_staking(contracts: MarketContracts) -> None:
    listing = contracts.create_listing(0)
    boa.env.timestamp = listing.custody.end + WINDOWS + 1
    contracts.release(listing)
    assert contracts.custody(listing)["released"] == 1
    assert contracts.entry(contracts.registry, contracts.seller) == 0


def test_release__fined_custodian__leaves_the_keeping_fee_in_the_keeping_balance(
    contracts: MarketContracts,
) -> None:
    listing = contracts.create_listing()
    purchase = contracts.buy(listing)
    contracts.deliver(purchase, 2)
    boa.env.timestamp += listing.terms.delivery_seconds + 1
    contracts.refund(purchase)
    assert contracts.custody(listing)["fined"] == 0b1101
    boa.env.timestamp += 2 * WINDOWS + 1
    contracts.release(listing)
    assert [fields["keeping_fee"] for _, fields in events(contracts.registry)] == [
        0,
        KEEPING_FEE,
        0,
        0,
    ]
    assert contracts.registry.keeping_balances(listing.terms_id) == 3 * KEEPING_FEE
    assert contracts.entry(contracts.registry, listing.custodians[1]) == KEEPING_FEE
    assert [contracts.locked(it) for it in listing.custodians] == [0] * 4


# ---------------------------------------------------------------- extending


def extension_opens(w: MarketContracts, listing: Listing) -> None:
    w.top_up(listing, 100 * KEEPING_FEE)
    boa.env.timestamp = listing.custody.end - listing.custody.period_seconds // 3


def test_extend__votes__take_effect_with_the_third(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    end = listing.custody.end
    extension_opens(contracts, listing)
    contracts.extend(listing, 1, 4)
    assert events(contracts.registry) == [
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
    assert contracts.custody(listing) == live(listing) | {"votes": 0b1001}
    assert contracts.registry.keeping_balances(listing.terms_id) == 100 * KEEPING_FEE
    contracts.extend(listing, 2, sender=contracts.operators[listing.custodians[1]])
    assert events(contracts.registry) == [
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
    assert contracts.custody(listing) == live(listing) | {
        "active": 0b1011,
        "previous_active": 0b1111,
        "end": end + PERIOD,
        "previous_end": end,
    }
    assert contracts.registry.keeping_balances(listing.terms_id) == 97 * KEEPING_FEE
    # The running period is not over, so nobody has earned its fee yet.
    assert [contracts.entry(contracts.registry, it) for it in listing.custodians] == [0] * 4


def test_extend__fourth_after_it_took_effect__joins(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    extension_opens(contracts, listing)
    contracts.extend(listing, 1, 2, 3, 4)
    state = contracts.custody(listing)
    assert (state["active"], state["votes"]) == (0b1111, 0)
    assert contracts.registry.keeping_balances(listing.terms_id) == 96 * KEEPING_FEE
    assert [contracts.entry(contracts.registry, it) for it in listing.custodians] == [0] * 4


def test_release__extended_term_over__pays_who_stayed_and_frees_who_left(
    contracts: MarketContracts,
) -> None:
    listing = contracts.create_listing()
    extension_opens(contracts, listing)
    contracts.extend(listing, 1, 2, 3)
    boa.env.timestamp = listing.custody.end + WINDOWS + 1
    contracts.release(listing)
    assert events(contracts.registry) == [
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
    assert contracts.custody(listing) == live(listing) | {
        "active": 0b0111,
        "released": 0b1000,
        "end": listing.custody.end + PERIOD,
    }
    assert [contracts.entry(contracts.registry, it) for it in listing.custodians] == [
        KEEPING_FEE
    ] * 4
    assert contracts.locked(listing.custodians[3]) == 0
    assert contracts.locked(listing.custodians[0]) == LOCK
    contracts.release(listing)
    assert events(contracts.registry) == []


def test_release__fined_in_an_extended_term__leaves_both_fees_in_the_keeping_balance(
    contracts: MarketContracts,
) -> None:
    listing = contracts.create_listing()
    extension_opens(contracts, listing)
    contracts.extend(listing, 1, 2, 3)
    keeping_balance = contracts.registry.keeping_balances(listing.terms_id)
    contracts.close(listing, 0b1001)
    boa.env.timestamp = listing.custody.end + WINDOWS + 1
    contracts.release(listing)
    assert events(contracts.registry)[0] == (
        "PeriodPaid",
        {"custody_id": listing.custody_id, "custodians": 0b0110},
    )
    boa.env.timestamp = listing.custody.end + 3 * PERIOD
    contracts.release(listing)
    # Custodian 1 stayed and had two held, custodian 4 left and had one.
    assert (
        contracts.registry.keeping_balances(listing.terms_id) == keeping_balance + 3 * KEEPING_FEE
    )
    assert [contracts.entry(contracts.registry, it) for it in listing.custodians] == [
        0,
        2 * KEEPING_FEE,
        2 * KEEPING_FEE,
        0,
    ]


def test_release__revoked_in_an_extended_term__pays_both_fees_at_once(
    contracts: MarketContracts,
) -> None:
    listing = contracts.create_listing()
    extension_opens(contracts, listing)
    contracts.extend(listing, 1, 2, 3)
    contracts.revoke(listing)
    contracts.release(listing)
    assert contracts.custody(listing)["released"] == 0b1111
    assert [contracts.entry(contracts.registry, it) for it in listing.custodians] == [
        *([2 * KEEPING_FEE] * 3),
        KEEPING_FEE,
    ]


def test_extend__first_vote_of_the_next_term__pays_the_one_before(
    contracts: MarketContracts,
) -> None:
    listing = contracts.create_listing()
    extension_opens(contracts, listing)
    contracts.extend(listing, 1, 2, 3)
    boa.env.timestamp = listing.custody.end + PERIOD - PERIOD // 3
    contracts.extend(listing, 1)
    assert events(contracts.registry)[0] == (
        "PeriodPaid",
        {"custody_id": listing.custody_id, "custodians": 0b0111},
    )
    state = contracts.custody(listing)
    assert (state["previous_active"], state["previous_end"], state["votes"]) == (0, 0, 1)
    paid = [KEEPING_FEE] * 3 + [0]
    assert [contracts.entry(contracts.registry, it) for it in listing.custodians] == paid
    contracts.extend(listing, 2)
    assert [contracts.entry(contracts.registry, it) for it in listing.custodians] == paid


def test_extend__three_terms__pay_each_a_fee_a_term(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    contracts.top_up(listing, 100 * KEEPING_FEE)
    for _ in range(3):
        boa.env.timestamp = contracts.custody(listing)["end"] - 1
        contracts.extend(listing, 1, 2, 3, 4)
    assert contracts.custody(listing)["end"] == listing.custody.last_end
    boa.env.timestamp = listing.custody.last_end + WINDOWS + 1
    contracts.release(listing)
    assert [contracts.entry(contracts.registry, it) for it in listing.custodians] == [
        4 * KEEPING_FEE
    ] * 4
