# SPDX-License-Identifier: Apache-2.0
"""The node's rules about ends, against the real contract, at every deadline."""

from dataclasses import replace

import boa
import pytest

from tests.utils.drafts import Listing
from tests.utils.market import MarketContracts, contracts, deployed_contracts
from truthmark.market.entries import Epoch, EpochState, Version
from truthmark.market.records import CustodyStatus, VersionStatus
from truthmark.market.settlement import releasable
from truthmark.node.policy import Policy, wants_extension

__all__ = ["contracts", "deployed_contracts"]

POLICY = Policy(margin_seconds=0)


def state_of(w: MarketContracts, listing: Listing) -> EpochState:
    raw = w.registry.custodies(listing.custody_id)
    return EpochState(CustodyStatus(raw[0]), *raw[1:])


def version_of(w: MarketContracts, listing: Listing) -> Version:
    status = VersionStatus(w.registry.versions(listing.terms_id)[0])
    return Version(1, 1, listing.terms, listing.terms_id, 0, status, 0)


def epoch_of(listing: Listing) -> Epoch:
    return Epoch(listing.custody, listing.custody_id, listing.custodians, listing.share_keys)


def node_says(w: MarketContracts, listing: Listing, index: int) -> bool:
    keeping_balance = w.registry.keeping_balances(listing.terms_id)
    return state_of(w, listing).status is CustodyStatus.LIVE and wants_extension(
        POLICY,
        version_of(w, listing),
        epoch_of(listing),
        state_of(w, listing),
        index,
        w.now,
        keeping_balance,
    )


def contract_says(w: MarketContracts, listing: Listing, index: int) -> bool:
    with boa.env.anchor():
        try:
            w.extend(listing, index)
        except boa.BoaError:
            return False
        return True


def agree(w: MarketContracts, listing: Listing) -> list[bool]:
    says = [node_says(w, listing, j) for j in range(1, 5)]
    assert says == [contract_says(w, listing, j) for j in range(1, 5)], w.now
    return says


def moments(*times: int) -> list[int]:
    return sorted({t + d for t in times for d in (-1, 0, 1)})


def test_wants_extension__every_deadline__is_what_the_contract_allows(
    contracts: MarketContracts,
) -> None:
    listing = contracts.create_listing()
    contracts.top_up(listing, 100 * listing.custody.keeping_fee)
    end, third = listing.custody.end, listing.custody.period_seconds // 3
    seen = []
    for moment in moments(end - third, end):
        with boa.env.anchor():
            boa.env.timestamp = moment
            seen.append(agree(contracts, listing))
    assert seen == [[False] * 4, [True] * 4, [True] * 4, [True] * 4, [False] * 4, [False] * 4]


@pytest.mark.parametrize("voters", [(1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)])
def test_wants_extension__some_have_called__is_what_the_contract_allows(
    contracts: MarketContracts, voters: tuple[int, ...]
) -> None:
    listing = contracts.create_listing()
    contracts.top_up(listing, 100 * listing.custody.keeping_fee)
    end, period = listing.custody.end, listing.custody.period_seconds
    boa.env.timestamp = end - period // 3
    contracts.extend(listing, *voters)
    for moment in moments(end - period // 3 + 1, end, end + period - period // 3, end + period):
        with boa.env.anchor():
            boa.env.timestamp = moment
            agree(contracts, listing)


def test_wants_extension__last_term__is_what_the_contract_allows(
    contracts: MarketContracts,
) -> None:
    listing = contracts.create_listing()
    contracts.top_up(listing, 100 * listing.custody.keeping_fee)
    end, period = listing.custody.end, listing.custody.period_seconds
    while end + period <= listing.custody.last_end:
        boa.env.timestamp = end - 1
        assert agree(contracts, listing) == [True] * 4
        contracts.extend(listing, 1, 2, 3, 4)
        end += period
    boa.env.timestamp = end - 1
    assert agree(contracts, listing) == [False] * 4


def test_wants_extension__keeping_balance_one_short__is_what_the_contract_allows(
    contracts: MarketContracts,
) -> None:
    listing = contracts.create_listing()
    fee = listing.custody.keeping_fee
    contracts.top_up(listing, 3 * fee - 1)
    boa.env.timestamp = listing.custody.end - 1
    # The contract takes votes that cannot take effect; the node saves the gas.
    assert [node_says(contracts, listing, j) for j in range(1, 5)] == [False] * 4
    contracts.extend(listing, 1, 2)
    assert not contract_says(contracts, listing, 3)
    contracts.top_up(listing, 1)
    assert agree(contracts, listing) == [False, False, True, True]
    contracts.extend(listing, 3)
    assert agree(contracts, listing) == [False] * 4
    contracts.top_up(listing, fee)
    assert agree(contracts, listing) == [False, False, False, True]


def test_wants_extension__retired__is_what_the_contract_allows(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    contracts.top_up(listing, 100 * listing.custody.keeping_fee)
    boa.env.timestamp = listing.custody.end - 1
    contracts.retire(listing)
    assert agree(contracts, listing) == [False] * 4


def freed_by_contract(w: MarketContracts, listing: Listing) -> list[int]:
    with boa.env.anchor():
        before = state_of(w, listing).released
        try:
            w.release(listing)
        except boa.BoaError:
            return []
        after = state_of(w, listing).released
    return [j for j in range(1, 17) if (after & ~before) >> (j - 1) & 1]


def same_freed(w: MarketContracts, listing: Listing, moment: int) -> list[int]:
    with boa.env.anchor():
        boa.env.timestamp = moment
        found = releasable(
            version_of(w, listing),
            epoch_of(listing),
            state_of(w, listing),
            w.now,
            version_stopped_at=w.registry.versions(listing.terms_id).stopped_at,
        )
        assert found == freed_by_contract(w, listing), moment
        return found


def test_releasable__every_way_to_end__is_what_the_contract_frees(
    contracts: MarketContracts,
) -> None:
    listing = contracts.create_listing()
    windows = listing.terms.delivery_seconds + listing.terms.inspection_seconds
    end, period = listing.custody.end, listing.custody.period_seconds
    for moment in moments(contracts.now + 1, end, end + windows):
        same_freed(contracts, listing, moment)
    assert same_freed(contracts, listing, end + windows + 1) == [1, 2, 3, 4]

    with boa.env.anchor():
        contracts.top_up(listing, 100 * listing.custody.keeping_fee)
        boa.env.timestamp = end - 1
        contracts.extend(listing, 1, 2, 3)
        for moment in moments(end, end + windows, end + period, end + period + windows):
            same_freed(contracts, listing, moment)
        assert same_freed(contracts, listing, end + windows + 1) == [4]

    with boa.env.anchor():
        contracts.retire(listing)
        for moment in moments(contracts.now + windows, contracts.now + 2 * windows):
            if moment >= contracts.now:
                same_freed(contracts, listing, moment)


def test_releasable__incomplete_custody__is_what_the_contract_frees(
    contracts: MarketContracts,
) -> None:
    listing = contracts.list_version(contracts.draft_listing())
    contracts.accept(listing, 2)
    until = listing.custody.accept_until
    assert [same_freed(contracts, listing, m) for m in moments(until)] == [[], [], [2]]
    contracts.retire(listing)
    assert same_freed(contracts, listing, contracts.now) == [2]
    assert replace(version_of(contracts, listing)).status is VersionStatus.RETIRED
