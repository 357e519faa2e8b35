# SPDX-License-Identifier: Apache-2.0
"""Every kind of hostile token at every function that moves value, and calls back from all of them.

What a kind does to coming in and going out stands in one table (`KINDS`), made for the ledger that
every contract includes. Functions that only write entries must not care at all.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import boa
import pytest

from tests.utils.contracts import reverts
from tests.utils.drafts import (
    BOND,
    DELIVERY,
    INSPECTION,
    KEEPING_FEE,
    WINDOWS,
    Listing,
    Purchase,
    deliver_arguments,
    dispute_arguments,
    make_content,
    sealing_arguments,
    word_of,
)
from tests.utils.market import START, ZERO, MarketContracts, contracts, deployed_contracts
from tests.utils.staking import KEY, deploy_harness
from tests.utils.tokens import KINDS, NO_REASON, WELL_BEHAVED, Kind, Mode, deploy_hostile_token

__all__ = ["contracts", "deployed_contracts"]

GAS = 1_500_000  # enough for every kind but the one that eats it all
BAD = make_content(5, 3, frozenset({0}), frozenset({1}))


@dataclass
class HostileSale:
    """A sale in a token that misbehaves from now on, with a purchase in every state."""

    w: MarketContracts
    token: Any
    listing: Listing
    waiting: Purchase
    """PAID"""
    delivered: Purchase
    """DELIVERED, and its key is wrong"""
    lapsing: Listing
    """a further custody that nobody will accept"""
    ended: Listing
    """another version, retired"""

    @property
    def here(self) -> str:
        return str(self.token.address)


@pytest.fixture(scope="module")
def prepared(deployed_contracts: MarketContracts) -> Iterator[HostileSale]:
    """Prepare once for the file."""
    with boa.env.anchor():
        boa.env.timestamp = START
        yield prepare(replace(deployed_contracts, number=0, parts={}))


@pytest.fixture
def hostile_sale(prepared: HostileSale) -> Iterator[HostileSale]:
    with boa.env.anchor():
        yield replace(prepared, w=replace(prepared.w))


def prepare(contracts: MarketContracts) -> HostileSale:
    token = contracts.hostile_token()
    here = str(token.address)
    listing = contracts.create_listing(token=here, content=BAD, guarantee_bps=2_500, arbiter=here)
    contracts.top_up(listing, 20 * KEEPING_FEE)
    # Entries in both ledgers: of the seller in the registry, of the treasury in the market.
    lapsed = contracts.open_custody(contracts.next_custody(listing, accept_until=START))
    boa.env.timestamp += 1
    contracts.release(lapsed)
    settled = contracts.bought_and_delivered(listing)
    contracts.confirm(settled)
    ended = contracts.list_version(
        contracts.draft_listing(token=here, content=BAD, manifest=word_of("ended"))
    )
    contracts.retire(ended)
    hostile_sale = HostileSale(
        contracts,
        token,
        listing,
        waiting=contracts.buy(listing),
        delivered=contracts.bought_and_delivered(listing),
        lapsing=contracts.open_custody(contracts.next_custody(listing)),
        ended=ended,
    )
    for account in (contracts.buyer, contracts.seller, contracts.stranger, contracts.treasury):
        token.set_blocked(account, True)
    return hostile_sale


def said(contract: Any, reason: str) -> Any:
    """Expect a refusal with these words; where a token is speechless, any silence will do."""
    return reverts(contract, reason) if reason != NO_REASON else pytest.raises(boa.BoaError)


# ------------------------------------------------------------- coming in

Action = Callable[[HostileSale], tuple[Any, Callable[[], Any]]]


def list_version(s: HostileSale) -> tuple[Any, Callable[[], Any]]:
    listing = s.w.draft_listing(token=s.here, manifest=word_of("another"))
    arguments = listing.list_arguments()
    return s.w.registry, lambda: s.w.registry.list_version(*arguments, sender=s.w.seller, gas=GAS)


def open_custody(s: HostileSale) -> tuple[Any, Callable[[], Any]]:
    further = s.w.next_custody(s.listing)
    return s.w.registry, lambda: s.w.registry.open_custody(
        *further.opening, sender=s.w.seller, gas=GAS
    )


def top_up(s: HostileSale) -> tuple[Any, Callable[[], Any]]:
    terms = s.listing.terms.astuple()
    return s.w.registry, lambda: s.w.registry.top_up(terms, 1_000, sender=s.w.stranger, gas=GAS)


def buy(s: HostileSale) -> tuple[Any, Callable[[], Any]]:
    arguments = s.w.draft_purchase(s.listing).arguments()
    return s.w.market, lambda: s.w.market.buy(*arguments, sender=s.w.buyer, gas=GAS)


def buy_by_permit(s: HostileSale) -> tuple[Any, Callable[[], Any]]:
    s.token.approve(s.w.market, 0, sender=s.w.buyer)
    arguments = s.w.draft_purchase(s.listing).arguments((s.w.now, 27, bytes(32), bytes(32)))
    return s.w.market, lambda: s.w.market.buy(*arguments, sender=s.w.buyer, gas=GAS)


ENTRIES = (list_version, open_custody, top_up, buy, buy_by_permit)


def books(s: HostileSale) -> dict[str, Any]:
    """Return every figure that money depends on."""
    w = s.w
    accounts = (w.seller, w.payee, w.buyer, w.stranger, w.treasury, ZERO, *w.custodians, s.here)
    found: dict[str, Any] = {}
    for place in ("registry", "market"):
        contract = getattr(w, place)
        found[place] = int(s.token.balanceOf(contract))
        for account in accounts:
            found[f"{place} {account}"] = w.entry(contract, account, s.token)
    for account in accounts:
        found[f"coins of {account}"] = int(s.token.balanceOf(account))
    for listing in (s.listing, s.ended):
        found[f"keeping balance {listing.terms_id!r}"] = int(
            w.registry.keeping_balances(listing.terms_id)
        )
        found[f"version {listing.terms_id!r}"] = w.version(listing)
    for listing in (s.listing, s.lapsing, s.ended):
        found[f"custody {listing.custody_id!r}"] = w.custody(listing)
    for purchase in (s.waiting, s.delivered):
        found[f"purchase {purchase.id!r}"] = w.purchase(purchase)
    return found


@pytest.mark.parametrize("action", ENTRIES, ids=lambda it: it.__name__)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_entry__hostile_token__comes_in_exactly_or_not_at_all(
    hostile_sale: HostileSale, kind: Kind, action: Action
) -> None:
    contract, call = action(hostile_sale)
    reason = kind.pull
    if action is buy_by_permit and kind.mode in (Mode.PERMIT_REVERTS, Mode.PERMIT_IDLE):
        reason = NO_REASON  # no allowance came of it
    before = books(hostile_sale)
    money = int(hostile_sale.token.balanceOf(contract))
    hostile_sale.token.set_mode(kind.mode)
    if reason is None:
        call()
        hostile_sale.token.set_mode(WELL_BEHAVED)
        came = int(hostile_sale.token.balanceOf(contract)) - money
        expected = {
            list_version: BOND + 4 * KEEPING_FEE,
            open_custody: 4 * KEEPING_FEE,
            top_up: 1_000,
            buy: hostile_sale.waiting.cost,
            buy_by_permit: hostile_sale.waiting.cost,
        }
        assert came == expected[action]
    else:
        with said(contract, reason):
            call()
        hostile_sale.token.set_mode(WELL_BEHAVED)
        assert books(hostile_sale) == before
        assert int(hostile_sale.token.balanceOf(contract)) == money


# ------------------------------------------------- what only writes entries


def at_the_end(s: HostileSale) -> None:
    boa.env.timestamp = s.listing.custody.end + WINDOWS + 1


def deliver(s: HostileSale) -> None:
    arguments = deliver_arguments(s.listing, 3, [s.w.part(s.waiting, 3)])
    s.w.market.deliver(*arguments, gas=GAS)


def settle(s: HostileSale) -> None:
    at_the_end(s)
    receipts = [s.delivered.receipt.astuple()]
    s.w.market.settle(*s.listing.keeping, receipts, gas=GAS)
    assert s.w.purchase(s.delivered)[0] == 3


def confirm(s: HostileSale) -> None:
    receipt = s.delivered.receipt.astuple()
    s.w.market.confirm(*s.listing.keeping, receipt, sender=s.w.buyer, gas=GAS)


def refund(s: HostileSale) -> None:
    at_the_end(s)
    terms, custody = s.listing.terms.astuple(), s.listing.custody.astuple()
    s.w.market.refund(terms, custody, [s.waiting.receipt.astuple()], gas=GAS)
    assert s.w.purchase(s.waiting)[0] == 4


def dispute(s: HostileSale) -> None:
    evidence = s.w.draft_evidence(s.delivered)
    arguments = dispute_arguments(s.delivered, evidence)
    s.w.market.dispute_key(*arguments, gas=GAS)
    assert s.w.entry(s.w.registry, s.w.buyer, s.token) == BOND // 2


def reject(s: HostileSale) -> None:
    before = s.w.entry(s.w.market, ZERO, s.token)
    receipt = s.delivered.receipt.astuple()
    s.w.market.reject(*s.listing.keeping, receipt, sender=s.w.buyer, gas=GAS)
    assert s.w.entry(s.w.market, ZERO, s.token) - before == s.delivered.receipt.price // 4


def dispute_sealing(s: HostileSale) -> None:
    arguments = sealing_arguments(s.listing, 1)
    s.w.market.dispute_sealing(*arguments, sender=s.w.stranger, gas=GAS)
    assert s.w.entry(s.w.registry, s.w.stranger, s.token) == BOND // 2


def rule(s: HostileSale) -> None:
    s.w.market.rule(s.listing.terms.astuple(), s.w.stranger, sender=s.here, gas=GAS)
    assert s.w.entry(s.w.registry, s.w.stranger, s.token) == BOND // 2


def extend(s: HostileSale) -> None:
    boa.env.timestamp = s.listing.custody.end - 1
    for index in (1, 2, 3):
        sender = s.listing.custodians[index - 1]
        s.w.registry.extend(*s.listing.keeping, index, sender=sender, gas=GAS)
    assert s.w.registry.keeping_balances(s.listing.terms_id) == 17 * KEEPING_FEE
    at_the_end(s)
    s.w.registry.release(*s.listing.keeping, gas=GAS)
    assert s.w.entry(s.w.registry, s.listing.custodians[0], s.token) == KEEPING_FEE


def release(s: HostileSale) -> None:
    at_the_end(s)
    s.w.registry.release(*s.listing.keeping, gas=GAS)
    assert s.w.entry(s.w.registry, s.listing.custodians[0], s.token) == KEEPING_FEE


def retire_and_close_version(s: HostileSale) -> None:
    s.w.retire(s.listing)
    at_the_end(s)
    s.w.registry.close_version(s.listing.terms.astuple(), gas=GAS)
    assert s.w.entry(s.w.registry, s.w.payee, s.token) == BOND + 20 * KEEPING_FEE


INNER = (
    *(deliver, settle, confirm, reject, refund, dispute, dispute_sealing, rule, extend, release),
    retire_and_close_version,
)


@pytest.mark.parametrize("action", INNER, ids=lambda it: it.__name__)
def test_inner__every_hostile_token__is_never_asked(
    hostile_sale: HostileSale, action: Callable[[HostileSale], None]
) -> None:
    for kind in KINDS:
        with boa.env.anchor():
            hostile_sale.token.set_mode(kind.mode)
            action(hostile_sale)
    with boa.env.anchor():
        # Not even to be read: a contract without code would have failed the call.
        boa.env.set_code(hostile_sale.here, b"")
        action(hostile_sale)


# ------------------------------------------------------------- going out


@pytest.mark.parametrize("place", ["registry", "market"])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_withdraw__hostile_token__hurts_its_own_users_only(
    hostile_sale: HostileSale, kind: Kind, place: str
) -> None:
    w, token = hostile_sale.w, hostile_sale.token
    dispute(hostile_sale)
    refund(hostile_sale)
    other = w.create_listing(manifest=word_of("in good coins"))
    w.confirm(w.bought_and_delivered(other))
    contract = getattr(w, place)
    entry = w.entry(contract, w.buyer, token)
    assert entry > 0
    token.mint(contract, entry)  # of other users: a fee from the sender takes theirs
    token.set_mode(kind.mode)
    if kind.withdraw is None:
        assert contract.withdraw(token, w.buyer, 0, gas=GAS) == entry
        assert w.entry(contract, w.buyer, token) == 0
    else:
        with said(contract, kind.withdraw):
            contract.withdraw(token, w.buyer, 0, gas=GAS)
        assert w.entry(contract, w.buyer, token) == entry
        token.set_mode(WELL_BEHAVED)
        assert contract.withdraw(token, w.buyer, 0, gas=GAS) == entry
    paid = w.entry(w.market, w.payee)
    assert w.market.withdraw(w.token, w.payee, 0) == paid > 0


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_stake__hostile_stake_token__enters_exactly_or_not_at_all(
    contracts: MarketContracts, kind: Kind
) -> None:
    hostile_sale = deploy_harness(deploy_hostile_token())
    hostile_sale.contract.register(hostile_sale.operator, KEY, sender=hostile_sale.validator)
    hostile_sale.token.mint(hostile_sale.validator, 10**6)
    hostile_sale.token.approve(hostile_sale.contract, 10**6, sender=hostile_sale.validator)
    hostile_sale.token.set_blocked(hostile_sale.validator, True)
    hostile_sale.token.set_mode(kind.mode)
    if kind.pull is None:
        hostile_sale.contract.stake(3, sender=hostile_sale.validator, gas=GAS)
        assert hostile_sale.figures()[0] == 300
    else:
        with said(hostile_sale.contract, kind.pull):
            hostile_sale.contract.stake(3, sender=hostile_sale.validator, gas=GAS)
        assert hostile_sale.figures() == (0, 0, 0, 0, 0)


# --------------------------------------------------------------- re-entry

# What a token calls while it is asked to move coins: each call would succeed on its own at the
# hostile_sale and at the second that go with it.


@dataclass(frozen=True)
class Inner:
    """A call back."""

    place: str
    function: str
    arguments: Callable[[HostileSale], tuple[Any, ...]]
    seconds: int = 2
    """when it is possible, after the start"""
    asks_registry: bool = False
    """so it is shut, too, while the registry is busy: what is read there is locked as well"""

    def __str__(self) -> str:
        return f"{self.place}.{self.function}"


def receipts(*purchases: Purchase) -> list[Any]:
    return [purchase.receipt.astuple() for purchase in purchases]


INNER_CALLS = (
    Inner("registry", "top_up", lambda s: (s.listing.terms.astuple(), 5)),
    Inner("registry", "lapse", lambda s: s.lapsing.keeping, 1_002),
    Inner("registry", "close_version", lambda s: (s.ended.terms.astuple(),), WINDOWS + 2),
    Inner("registry", "withdraw", lambda s: (s.here, s.w.seller, 0)),
    Inner("registry", "versions", lambda s: (s.listing.terms_id,)),
    Inner("registry", "status", lambda s: (s.listing.terms_id, s.listing.custody_id)),
    Inner("registry", "balances", lambda s: (s.here, s.w.buyer)),
    Inner(
        "market",
        "deliver",
        lambda s: deliver_arguments(s.listing, 3, [s.w.part(s.waiting, 3)]),
        asks_registry=True,
    ),
    Inner(
        "market",
        "settle",
        lambda s: (*s.listing.keeping, receipts(s.delivered)),
        INSPECTION + 2,
        asks_registry=True,
    ),
    Inner(
        "market",
        "refund",
        lambda s: (s.listing.terms.astuple(), s.listing.custody.astuple(), receipts(s.waiting)),
        DELIVERY + 2,
        asks_registry=True,
    ),
    Inner(
        "market",
        "dispute_key",
        lambda s: dispute_arguments(s.delivered, s.w.draft_evidence(s.delivered)),
        asks_registry=True,
    ),
    # The token is the arbiter of what is sold for it.
    Inner(
        "market",
        "rule",
        lambda s: (s.listing.terms.astuple(), s.w.payee),
        asks_registry=True,
    ),
    Inner("market", "withdraw", lambda s: (s.here, s.w.payee, 0)),
    Inner("market", "purchases", lambda s: (s.waiting.id,)),
    Inner("market", "balances", lambda s: (s.here, s.w.buyer)),
)


def withdraw_from_registry(s: HostileSale) -> tuple[Any, Callable[[], Any]]:
    return s.w.registry, lambda: s.w.registry.withdraw(s.token, s.w.seller, 0, gas=GAS)


def withdraw_from_market(s: HostileSale) -> tuple[Any, Callable[[], Any]]:
    return s.w.market, lambda: s.w.market.withdraw(s.token, s.w.treasury, 0, gas=GAS)


OUTER = (list_version, open_custody, top_up, buy, withdraw_from_registry, withdraw_from_market)


@pytest.mark.parametrize("mode", [Mode.HOOK_BEFORE, Mode.HOOK_AFTER], ids=["before", "after"])
@pytest.mark.parametrize("inner", INNER_CALLS, ids=str)
@pytest.mark.parametrize("outer", OUTER, ids=lambda it: it.__name__)
def test_reentry__every_call_inside_every_other__is_shut_or_as_if_one_after_the_other(
    hostile_sale: HostileSale, outer: Action, inner: Inner, mode: Mode
) -> None:
    """A busy contract is locked, its views too; the other one is as between two calls."""
    w, token = hostile_sale.w, hostile_sale.token
    boa.env.timestamp = START + inner.seconds
    token.mint(hostile_sale.here, 5)
    token.approve(w.registry, 5, sender=hostile_sale.here)
    contract, call = outer(hostile_sale)
    called = getattr(w, inner.place)
    data = getattr(called, inner.function).prepare_calldata(*inner.arguments(hostile_sale))

    def call_inner() -> None:
        boa.env.raw_call(called.address, sender=hostile_sale.here, data=data)

    is_shut = called is contract or (contract is w.registry and inner.asks_registry)
    with boa.env.anchor():
        call()
        if is_shut:
            expected = books(hostile_sale)
        call_inner()  # it is possible, only not meanwhile
        if not is_shut:
            expected = books(hostile_sale)

    token.set_mode(mode)
    token.set_hook(called, data, 1)
    call()
    assert token.hook_count() == 0
    assert token.hook_success() != is_shut
    assert books(hostile_sale) == expected


# Calls back that buy or list: the token is the buyer or the seller then, so it needs coins.


@pytest.mark.parametrize("mode", [Mode.HOOK_BEFORE, Mode.HOOK_AFTER], ids=["before", "after"])
def test_reentry__buying_inside_buying__is_shut(hostile_sale: HostileSale, mode: Mode) -> None:
    w, token = hostile_sale.w, hostile_sale.token
    token.mint(hostile_sale.here, 10**9)
    token.approve(w.market, 10**9, sender=hostile_sale.here)
    inner = w.draft_purchase(hostile_sale.listing, hostile_sale.here)
    outer = w.draft_purchase(hostile_sale.listing)
    token.set_mode(mode)
    token.set_hook(w.market, w.market.buy.prepare_calldata(*inner.arguments()), 1)
    w.send(outer)
    assert not token.hook_success()
    assert w.purchase(inner)[0] == 0
    token.set_mode(WELL_BEHAVED)
    w.send(inner)


@pytest.mark.parametrize("mode", [Mode.HOOK_BEFORE, Mode.HOOK_AFTER], ids=["before", "after"])
@pytest.mark.parametrize("outer", OUTER[:3] + OUTER[4:5], ids=lambda it: it.__name__)
def test_reentry__buying_while_the_registry_is_busy__is_shut(
    hostile_sale: HostileSale, outer: Action, mode: Mode
) -> None:
    """`buy` reads the registry's words, and views of a busy contract are locked."""
    w, token = hostile_sale.w, hostile_sale.token
    token.mint(hostile_sale.here, 10**9)
    token.approve(w.market, 10**9, sender=hostile_sale.here)
    inner = w.draft_purchase(hostile_sale.listing, hostile_sale.here)
    _, call = outer(hostile_sale)
    token.set_mode(mode)
    token.set_hook(w.market, w.market.buy.prepare_calldata(*inner.arguments()), 1)
    call()
    assert not token.hook_success()
    assert w.purchase(inner)[0] == 0
    token.set_mode(WELL_BEHAVED)
    w.send(inner)


@pytest.mark.parametrize("n", [0, 4], ids=["direct", "custodians"])
def test_reentry__buying_the_version_that_is_being_listed__is_shut(
    hostile_sale: HostileSale, n: int
) -> None:
    """In direct mode its custody is live already, before the bond has come."""
    w, token = hostile_sale.w, hostile_sale.token
    token.mint(hostile_sale.here, 10**9)
    token.approve(w.market, 10**9, sender=hostile_sale.here)
    newer = w.draft_listing(n, token=hostile_sale.here, manifest=word_of("newer"))
    inner = w.draft_purchase(newer, hostile_sale.here)
    token.set_mode(Mode.HOOK_BEFORE)
    token.set_hook(w.market, w.market.buy.prepare_calldata(*inner.arguments()), 1)
    w.list_version(newer)
    assert not token.hook_success()
    assert w.purchase(inner)[0] == 0
