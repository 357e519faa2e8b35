# SPDX-License-Identifier: Apache-2.0
"""What is due, against the real contracts, on both sides of every moment."""

from collections.abc import Callable
from dataclasses import replace

import boa
import pytest

from tests.utils import drafts
from tests.utils.drafts import Listing
from tests.utils.market import MarketContracts, contracts, deployed_contracts
from truthmark.chain.plan import PROTOCOL
from truthmark.market.drafts.order import Delivered
from truthmark.market.entries import Epoch, EpochState, Purchase, Version
from truthmark.market.records import CustodyStatus, PurchaseStatus, VersionStatus
from truthmark.market.settlement import LEDGERS, inspected, overdue, releasable

__all__ = ["contracts", "deployed_contracts"]

Bought = drafts.Purchase


def as_read(w: MarketContracts, bought: Bought) -> Purchase:
    """Return a purchase as the catalogue would."""
    status, _, deadline = w.purchase(bought)
    delivered: dict[int, Delivered] = {}
    return Purchase(
        purchase_id=bought.id,
        custody_id=bought.listing.custody_id,
        terms_id=bought.listing.terms_id,
        receipt=bought.receipt,
        status=PurchaseStatus(status),
        deadline=deadline,
        bought_at=w.now,
        block_number=1,
        delivered=delivered,
    )


def test_ledgers__every_contract_that_holds_money__is_named() -> None:
    found = {step.name for step in PROTOCOL.steps if "balances" in step.load().functions}
    assert found == {*LEDGERS}


def done_by_contract(w: MarketContracts, act: Callable[[Bought], None], bought: Bought) -> bool:
    with boa.env.anchor():
        before = w.purchase(bought)
        act(bought)
        return w.purchase(bought) != before


@pytest.mark.parametrize("later", [-1, 0, 1])
def test_overdue__around_the_deadline__is_what_refund_takes(
    contracts: MarketContracts, later: int
) -> None:
    bought = contracts.buy(contracts.create_listing())
    boa.env.timestamp = as_read(contracts, bought).deadline + later
    found = overdue([as_read(contracts, bought)], contracts.now) != []
    assert found == done_by_contract(contracts, contracts.refund, bought) == (later > 0)


@pytest.mark.parametrize("later", [-1, 0, 1])
def test_inspected__around_the_end__is_what_settle_takes(
    contracts: MarketContracts, later: int
) -> None:
    bought = contracts.bought_and_delivered(contracts.create_listing())
    boa.env.timestamp = as_read(contracts, bought).deadline + later
    found = inspected([as_read(contracts, bought)], contracts.now) != []
    assert found == done_by_contract(contracts, contracts.settle, bought) == (later > 0)


def test_overdue_and_inspected__what_has_ended__is_neither(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    settled = contracts.bought_and_delivered(listing)
    refunded = contracts.buy(listing)
    boa.env.timestamp += 10 * drafts.WINDOWS
    contracts.settle(settled)
    contracts.refund(refunded)
    ended = [as_read(contracts, settled), as_read(contracts, refunded)]
    assert [p.status for p in ended] == [PurchaseStatus.SETTLED, PurchaseStatus.REFUNDED]
    assert overdue(ended, contracts.now) == inspected(ended, contracts.now) == []


def test_inspected__only_paid__waits_for_its_delivery(contracts: MarketContracts) -> None:
    bought = as_read(contracts, contracts.buy(contracts.create_listing()))
    assert inspected([bought], bought.deadline + 1) == []
    assert overdue([replace(bought, status=PurchaseStatus.DELIVERED)], bought.deadline + 1) == []


# ----------------------------------------------------------------- releasing


def freed(w: MarketContracts, listing: Listing) -> list[int]:
    """Say what is releasable now, after checking that the contract frees just these."""
    state = EpochState(
        CustodyStatus((raw := w.registry.custodies(listing.custody_id))[0]), *raw[1:]
    )
    version = w.registry.versions(listing.terms_id)
    found = releasable(
        Version(1, 1, listing.terms, listing.terms_id, 0, VersionStatus(version.status), 0),
        Epoch(listing.custody, listing.custody_id, listing.custodians, listing.share_keys),
        state,
        w.now,
        version_stopped_at=version.stopped_at,
    )
    with boa.env.anchor():
        try:
            w.release(listing)
            after = w.registry.custodies(listing.custody_id).released
        except boa.BoaError:
            after = state.released
    assert found == [j for j in range(1, 17) if (after & ~state.released) >> (j - 1) & 1], w.now
    return found


def around(w: MarketContracts, listing: Listing, moment: int) -> list[list[int]]:
    found = []
    for later in (-1, 0, 1):
        boa.env.timestamp = max(moment + later, w.now)
        found.append(freed(w, listing))
    return found


def test_releasable__custody_closed_by_a_refund__after_both_windows_twice(
    contracts: MarketContracts,
) -> None:
    listing = contracts.create_listing()
    bought = contracts.buy(listing)
    boa.env.timestamp += drafts.DELIVERY + 1
    contracts.refund(bought)
    assert freed(contracts, listing) == []
    assert around(contracts, listing, contracts.now + 2 * drafts.WINDOWS) == [[], [], [1, 2, 3, 4]]


def test_releasable__revoked_version__at_once(contracts: MarketContracts) -> None:
    content = drafts.make_content(count=3, wrong=frozenset({1}))
    listing = contracts.create_listing(content=content)
    bought = contracts.bought_and_delivered(listing)
    contracts.dispute(bought, contracts.draft_evidence(bought, shard=1))
    assert freed(contracts, listing) == [1, 2, 3, 4]
    contracts.release(listing)
    assert freed(contracts, listing) == []


def test_releasable__closed_and_then_retired__whichever_ends_first(
    contracts: MarketContracts,
) -> None:
    listing = contracts.create_listing()
    bought = contracts.buy(listing)
    boa.env.timestamp += drafts.DELIVERY + 1
    contracts.refund(bought)
    closed_at = contracts.now
    boa.env.timestamp += drafts.WINDOWS // 2
    contracts.retire(listing)
    assert around(contracts, listing, closed_at + 2 * drafts.WINDOWS) == [[], [], [1, 2, 3, 4]]


def test_releasable__leaver__at_their_own_end_and_the_others_at_theirs(
    contracts: MarketContracts,
) -> None:
    listing = contracts.create_listing()
    contracts.top_up(listing, 100 * listing.custody.keeping_fee)
    end, period = listing.custody.end, listing.custody.period_seconds
    boa.env.timestamp = end - 1
    contracts.extend(listing, 1, 2, 4)
    assert around(contracts, listing, end + drafts.WINDOWS) == [[], [], [3]]
    contracts.release(listing)
    assert freed(contracts, listing) == []
    assert around(contracts, listing, end + period + drafts.WINDOWS) == [[], [], [1, 2, 4]]


def test_releasable__lapsed_before_all_accepted__those_who_did(contracts: MarketContracts) -> None:
    listing = contracts.list_version(contracts.draft_listing())
    assert freed(contracts, listing) == []
    contracts.accept(listing, 1)
    contracts.accept(listing, 4)
    assert around(contracts, listing, listing.custody.accept_until) == [[], [], [1, 4]]
    contracts.release(listing)
    assert freed(contracts, listing) == []
