# SPDX-License-Identifier: Apache-2.0
"""Who may call what, and what a pause stops: two tables, over every function that changes state."""

from collections.abc import Callable
from typing import Any

import boa
import pytest

from tests.utils.bounty_board import FLAT, use_board
from tests.utils.contracts import reverts
from tests.utils.drafts import WINDOWS, deliver_arguments, make_content
from tests.utils.market import MarketContracts, contracts, deployed_contracts
from tests.utils.royalties import Royalties
from tests.utils.tokens import deployer
from truthmark.market.records import PurchaseStatus, VersionStatus

__all__ = ["contracts", "deployed_contracts"]

ROLES = ("owner", "seller", "payee", "buyer", "other_buyer", "custodian", "operator", "stranger")
ANYONE = (*ROLES, "market")
OWNER = ("owner",)
SELLER = ("seller",)
MARKET = ("market",)
CUSTODIAN = ("custodian", "operator")

Send = Callable[[str], Any]
Case = Callable[[MarketContracts], Send]
CASES: list[Any] = []
FUNCTIONS: set[tuple[str, str]] = set()


def function(contract: str, name: str, *, may: tuple[str, ...], reason: str = "") -> Any:
    """Add a function: who may call it, and what the others are told."""

    def add(case: Case) -> Case:
        FUNCTIONS.add((contract, name))
        for role in ANYONE:
            told = None if role in may else reason
            CASES.append(pytest.param(contract, case, role, told, id=f"{name} by {role}"))
        return case

    return add


def address(w: MarketContracts, role: str) -> str:
    if role == "custodian":
        return w.custodians[0]
    if role == "operator":
        return w.operators[w.custodians[0]]
    if role == "market":
        return str(w.market.address)
    return str(getattr(w, role))


# ---------------------------------------------------------------- registry


@function("registry", "list_version", may=SELLER, reason="registry: not the seller")
def list_version(w: MarketContracts) -> Send:
    arguments = w.draft_listing().list_arguments()
    return lambda sender: w.registry.list_version(*arguments, sender=sender)


@function("registry", "open_custody", may=SELLER, reason="registry: not the seller")
def open_custody(w: MarketContracts) -> Send:
    arguments = w.next_custody(w.create_listing()).opening
    return lambda sender: w.registry.open_custody(*arguments, sender=sender)


@function("registry", "reprice", may=SELLER, reason="registry: not the seller")
def reprice(w: MarketContracts) -> Send:
    terms = w.create_listing().terms.astuple()
    return lambda sender: w.registry.reprice(terms, 5, sender=sender)


@function("registry", "set_version_paused", may=SELLER, reason="registry: not the seller")
def set_version_paused(w: MarketContracts) -> Send:
    terms = w.create_listing().terms.astuple()
    return lambda sender: w.registry.set_version_paused(terms, True, sender=sender)


@function("registry", "retire", may=SELLER, reason="registry: not the seller")
def retire(w: MarketContracts) -> Send:
    terms = w.create_listing().terms.astuple()
    return lambda sender: w.registry.retire(terms, sender=sender)


@function("registry", "top_up", may=ANYONE)
def top_up(w: MarketContracts) -> Send:
    terms = w.create_listing().terms.astuple()

    def send(sender: str) -> None:
        w.token.mint(sender, 5)
        w.token.approve(w.registry, 5, sender=sender)
        w.registry.top_up(terms, 5, sender=sender)

    return send


@function("registry", "close_version", may=ANYONE)
def close_version(w: MarketContracts) -> Send:
    listing = w.create_listing()
    w.retire(listing)
    boa.env.timestamp += WINDOWS + 1
    return lambda sender: w.registry.close_version(listing.terms.astuple(), sender=sender)


@function("registry", "release", may=ANYONE)
def release(w: MarketContracts) -> Send:
    listing = w.create_listing()
    boa.env.timestamp = listing.custody.end + WINDOWS + 1
    return lambda sender: w.registry.release(*listing.keeping, sender=sender)


@function("registry", "lapse", may=ANYONE)
def lapse(w: MarketContracts) -> Send:
    listing = w.list_version(w.draft_listing())
    boa.env.timestamp = listing.custody.accept_until + 1
    return lambda sender: w.registry.lapse(*listing.keeping, sender=sender)


@function("registry", "accept", may=CUSTODIAN, reason="staking: not owner or operator")
def accept(w: MarketContracts) -> Send:
    listing = w.list_version(w.draft_listing())
    return lambda sender: w.registry.accept(*listing.accepting, 1, sender=sender)


@function("registry", "extend", may=CUSTODIAN, reason="registry: not the custodian")
def extend(w: MarketContracts) -> Send:
    listing = w.create_listing()
    boa.env.timestamp = listing.custody.end - 1
    return lambda sender: w.registry.extend(*listing.keeping, 1, sender=sender)


@function("registry", "join_extension", may=CUSTODIAN, reason="registry: not the custodian")
def join_extension(w: MarketContracts) -> Send:
    listing = w.create_listing()
    w.top_up(listing, 10**9)
    boa.env.timestamp = listing.custody.end - 1
    w.extend(listing, 2, 3, 4)
    return lambda sender: w.registry.join_extension(*listing.keeping[1:], 1, sender=sender)


@function("registry", "close_custody", may=MARKET, reason="registry: not the market")
def close(w: MarketContracts) -> Send:
    listing = w.create_listing()
    return lambda sender: w.close(listing, 1, sender)


@function("registry", "revoke", may=MARKET, reason="registry: not the market")
def revoke(w: MarketContracts) -> Send:
    listing = w.create_listing()
    return lambda sender: w.revoke(listing, sender)


@function("registry", "fix_market", may=OWNER, reason="ownable: caller is not the owner")
def fix_market(w: MarketContracts) -> Send:
    w.registry = deployer("DatasetRegistry").deploy(w.owner, w.staking, w.checks, 1, 2)
    return lambda sender: w.registry.fix_market(w.market, sender=sender)


@function("registry", "set_fee_bps", may=OWNER, reason="ownable: caller is not the owner")
def set_fee_bps(w: MarketContracts) -> Send:
    return lambda sender: w.registry.set_fee_bps(1, sender=sender)


@function("registry", "pause", may=OWNER, reason="ownable: caller is not the owner")
def pause(w: MarketContracts) -> Send:
    return lambda sender: w.registry.pause(sender=sender)


@function("registry", "unpause", may=OWNER, reason="ownable: caller is not the owner")
def unpause(w: MarketContracts) -> Send:
    w.registry.pause(sender=w.owner)
    return lambda sender: w.registry.unpause(sender=sender)


@function("registry", "transfer_ownership", may=OWNER, reason="ownable: caller is not the owner")
def transfer_ownership(w: MarketContracts) -> Send:
    return lambda sender: w.registry.transfer_ownership(w.gate, sender=sender)


@function(
    "registry",
    "accept_ownership",
    may=("stranger",),
    reason="ownable_2step: caller is not the new owner",
)
def accept_ownership(w: MarketContracts) -> Send:
    w.registry.transfer_ownership(w.stranger, sender=w.owner)
    return lambda sender: w.registry.accept_ownership(sender=sender)


@function("registry", "withdraw", may=ANYONE)
def withdraw_from_the_registry(w: MarketContracts) -> Send:
    return lambda sender: w.registry.withdraw(w.token, w.payee, 0, sender=sender)


# ------------------------------------------------------------------ market


@function("market", "buy", may=("buyer",), reason="market: buyer key not proven")
def buy(w: MarketContracts) -> Send:
    # Another account may buy, too, but not with this buyer's proof.
    purchase = w.draft_purchase(w.create_listing())
    return lambda sender: w.send(purchase, sender=sender)


@function("market", "deliver", may=ANYONE)
def deliver(w: MarketContracts) -> Send:
    purchase = w.buy(w.create_listing())
    arguments = deliver_arguments(purchase.listing, 1, [w.part(purchase, 1)])
    return lambda sender: w.market.deliver(*arguments, sender=sender)


@function("market", "settle", may=ANYONE)
def settle(w: MarketContracts) -> Send:
    purchase = w.bought_and_delivered(w.create_listing())
    boa.env.timestamp = w.purchase(purchase)[2] + 1
    arguments = (*purchase.listing.keeping, [purchase.receipt.astuple()])
    return lambda sender: w.market.settle(*arguments, sender=sender)


@function("market", "confirm", may=("buyer",), reason="market: not the buyer")
def confirm(w: MarketContracts) -> Send:
    purchase = w.bought_and_delivered(w.create_listing())
    return lambda sender: w.confirm(purchase, sender=sender)


@function("market", "refund", may=ANYONE)
def refund(w: MarketContracts) -> Send:
    purchase = w.buy(w.create_listing())
    boa.env.timestamp = w.purchase(purchase)[2] + 1
    listing = purchase.listing
    arguments = (
        listing.terms.astuple(),
        listing.custody.astuple(),
        [purchase.receipt.astuple()],
    )
    return lambda sender: w.market.refund(*arguments, sender=sender)


@function("market", "dispute_key", may=ANYONE)
def dispute(w: MarketContracts) -> Send:
    listing = w.create_listing(content=make_content(5, 3, frozenset({0})))
    purchase = w.bought_and_delivered(listing)
    return lambda sender: w.dispute(purchase, sender=sender)


@function("market", "reject", may=("buyer",), reason="market: not the buyer")
def reject(w: MarketContracts) -> Send:
    purchase = w.bought_and_delivered(w.create_listing())
    return lambda sender: w.reject(purchase, sender=sender)


@function("market", "dispute_sealing", may=ANYONE)
def dispute_sealing(w: MarketContracts) -> Send:
    listing = w.create_listing(content=make_content(7, 3, unsealed=frozenset({0})))
    return lambda sender: w.dispute_sealing(listing, sender=sender)


@function("market", "rule", may=("stranger",), reason="market: not the arbiter")
def rule(w: MarketContracts) -> Send:
    listing = w.create_listing(arbiter=w.stranger)
    return lambda sender: w.rule(listing, sender=sender)


@function("reviews", "review", may=("buyer",), reason="reviews: not the buyer")
def review(w: MarketContracts) -> Send:
    purchase = w.bought_and_delivered(w.create_listing())
    w.confirm(purchase)
    return lambda sender: w.review(purchase, sender=sender)


@function("market", "draw_royalty", may=ANYONE)
def draw_royalty(w: MarketContracts) -> Send:
    proofs = deployer("BountyProofs").deploy(w.board)
    parts = (w.board, w.intake, proofs, w.token)
    royalties = Royalties(w, use_board(*parts, owner=w.owner, treasury=w.treasury))
    bounty = royalties.end(FLAT)
    royalties.sell(royalties.list_version(bounty))
    arguments = (w.token, *bounty.head, royalties.evidence(bounty))

    def send(sender: str) -> None:
        assert w.market.draw_royalty(*arguments, sender=sender) > 0

    return send


@function("market", "withdraw", may=ANYONE)
def withdraw_from_the_market(w: MarketContracts) -> Send:
    return lambda sender: w.market.withdraw(w.token, w.payee, 0, sender=sender)


@pytest.mark.parametrize(("contract", "case", "role", "reason"), CASES)
def test_access__each_function_by_each_role__works_or_says_who_may(
    contracts: MarketContracts, contract: str, case: Case, role: str, reason: str | None
) -> None:
    send = case(contracts)
    if reason is None:
        send(address(contracts, role))
        return
    with reverts(getattr(contracts, contract), reason):
        send(address(contracts, role))


@pytest.mark.parametrize("contract", ["registry", "market", "reviews"])
def test_access__table__has_every_function_that_changes_state(
    contracts: MarketContracts, contract: str
) -> None:
    abi = getattr(contracts, contract).abi
    changing = {
        entry["name"]
        for entry in abi
        if entry["type"] == "function" and entry["stateMutability"] not in ("view", "pure")
    }
    assert {name for where, name in FUNCTIONS if where == contract} == changing


def test_access__no_function__takes_money_or_renounces(contracts: MarketContracts) -> None:
    c = contracts
    for contract in (c.registry, c.market, c.proofs, c.judge, c.reviews):
        for entry in contract.abi:
            assert entry.get("stateMutability") != "payable"
            assert "renounce" not in entry.get("name", "")


# ------------------------------------------------------------------- pause

STOPPED = {
    "list_version": (list_version, "seller", "pausable: contract is paused"),
    "open_custody": (open_custody, "seller", "pausable: contract is paused"),
    "accept": (accept, "custodian", "pausable: contract is paused"),
    "buy": (buy, "buyer", "market: entries are paused"),
}
OPEN = {
    "reprice": (reprice, "seller"),
    "set_version_paused": (set_version_paused, "seller"),
    "retire": (retire, "seller"),
    "top_up": (top_up, "stranger"),
    "close_version": (close_version, "stranger"),
    "lapse": (lapse, "stranger"),
    "release": (release, "stranger"),
    "extend": (extend, "custodian"),
    "join_extension": (join_extension, "custodian"),
    "deliver": (deliver, "stranger"),
    "settle": (settle, "stranger"),
    "confirm": (confirm, "buyer"),
    "refund": (refund, "stranger"),
    "reject": (reject, "buyer"),
    "dispute_key": (dispute, "stranger"),
    "dispute_sealing": (dispute_sealing, "stranger"),
    "rule": (rule, "stranger"),
    "review": (review, "buyer"),
    "draw_royalty": (draw_royalty, "stranger"),
    "withdraw": (withdraw_from_the_market, "stranger"),
    "withdraw from the registry": (withdraw_from_the_registry, "stranger"),
}


@pytest.mark.parametrize(("case", "role", "reason"), STOPPED.values(), ids=STOPPED)
def test_pause__entry__is_stopped_until_unpaused(
    contracts: MarketContracts, case: Case, role: str, reason: str
) -> None:
    send = case(contracts)
    contracts.registry.pause(sender=contracts.owner)
    contract = contracts.market if case is buy else contracts.registry
    with reverts(contract, reason):
        send(address(contracts, role))
    contracts.registry.unpause(sender=contracts.owner)
    send(address(contracts, role))


@pytest.mark.parametrize(("case", "role"), OPEN.values(), ids=OPEN)
def test_pause__exit__stays_open(contracts: MarketContracts, case: Case, role: str) -> None:
    send = case(contracts)
    contracts.registry.pause(sender=contracts.owner)
    send(address(contracts, role))


def test_pause__twice__is_refused(contracts: MarketContracts) -> None:
    contracts.registry.pause(sender=contracts.owner)
    with reverts(contracts.registry, "pausable: contract is paused"):
        contracts.registry.pause(sender=contracts.owner)
    contracts.registry.unpause(sender=contracts.owner)
    with reverts(contracts.registry, "pausable: contract is not paused"):
        contracts.registry.unpause(sender=contracts.owner)


def test_pause__whole_life_of_a_sale__goes_on(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    purchase = contracts.buy(listing)
    contracts.registry.pause(sender=contracts.owner)
    contracts.deliver(purchase, 1, 2)
    boa.env.timestamp = contracts.purchase(purchase)[2] + 1
    contracts.settle(purchase)
    assert contracts.purchase(purchase)[0] == PurchaseStatus.SETTLED
    contracts.retire(listing)
    boa.env.timestamp += 2 * WINDOWS + 1
    contracts.release(listing)
    contracts.close_version(listing)
    assert contracts.version(listing)["status"] == VersionStatus.CLOSED
    for contract in (contracts.registry, contracts.market):
        for account in (contracts.payee, contracts.treasury, *listing.custodians):
            contract.withdraw(contracts.token, account, 0, sender=contracts.stranger)
        assert contracts.token.balanceOf(contract) == 0
