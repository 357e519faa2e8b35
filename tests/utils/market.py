# SPDX-License-Identifier: Apache-2.0
"""The market on titanoboa, whole and with the real staking contract, ready to be used.

`contracts` is the fixture: all contracts, everybody who has to do with them, money and stake. Its
methods draft and send calls; a test names what it wants changed and leaves the rest.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import boa
import pytest

from tests.utils.drafts import (
    FEE_BPS,
    Evidence,
    Listing,
    Part,
    Place,
    Purchase,
    deliver_arguments,
    dispute_arguments,
    draft_evidence,
    draft_listing,
    draft_purchase,
    make_part,
    sealing_arguments,
)
from tests.utils.permits import NO_ADMISSION, NO_PERMIT, NO_VOUCHER, address_of_role, sign_permit
from tests.utils.tokens import deploy_hostile_token, deploy_test_token, deployer
from truthmark.hashing import keccak256
from truthmark.market.records import CustodyStatus, Terms, bits

__all__ = ["contracts", "deployed_contracts"]

ZERO = "0x" + "00" * 20
START = 2_000_000_000
MIN_WINDOW = 60
MAX_WINDOW = 7 * 86_400
TICKET = 5_000
UNBONDING = 14 * 86_400
INITIAL_BALANCE = 10**15
CUSTODIANS = 5


@dataclass
class MarketContracts:
    """The contracts, and everybody who may have to do with them."""

    token: Any
    stake_token: Any
    staking: Any
    registry: Any
    proofs: Any
    judge: Any
    checks: Any
    board: Any
    intake: Any
    market: Any
    reviews: Any
    owner: str
    treasury: str
    seller: str
    payee: str
    buyer: str
    other_buyer: str
    gate: str
    stranger: str
    custodians: tuple[str, ...]
    """ascending; each with two tickets and an operator"""
    operators: dict[str, str]
    place: Place
    number: int = 0
    """of the next purchase"""
    parts: dict[tuple[bytes, int], Part] = field(default_factory=dict)

    @property
    def now(self) -> int:
        return int(boa.env.timestamp)

    # ------------------------------------------------------------- listing

    def draft_listing(self, n: int = 4, **overrides: Any) -> Listing:
        """Draft a listing of the seller with the first `n` custodians, none in direct mode."""
        defaults: dict[str, Any] = {
            "seller": self.seller,
            "payee": self.payee,
            "token": str(self.token.address),
            "now": self.now,
            "custodians": self.custodians[:n],
        }
        return draft_listing(self.place, **{**defaults, **overrides})

    def list_version(
        self, listing: Listing, previous: Terms | None = None, **overrides: Any
    ) -> Listing:
        """List, without any acceptance."""
        self.registry.list_version(
            *listing.list_arguments(previous, **overrides), sender=listing.terms.seller
        )
        return listing

    def create_listing(
        self, n: int = 4, previous: Terms | None = None, **overrides: Any
    ) -> Listing:
        """List, and let everybody accept."""
        listing = self.list_version(self.draft_listing(n, **overrides), previous)
        return self.accept_all(listing)

    def next_custody(self, listing: Listing, n: int = 4, **overrides: Any) -> Listing:
        """Draft the next epoch of a version."""
        state = self.registry.versions(listing.terms_id)
        defaults = {
            "terms": listing.terms,
            "content": listing.content,
            "epoch": state.epochs,
            "dealing": state.epochs,
        }
        drafted = self.draft_listing(n, **{**defaults, **overrides})
        return replace(drafted, price=listing.price)

    def open_custody(self, listing: Listing) -> Listing:
        self.registry.open_custody(*listing.opening, sender=listing.terms.seller)
        return listing

    def accept(self, listing: Listing, index: int, sender: str | None = None) -> None:
        self.registry.accept(
            *listing.accepting, index, sender=sender or listing.custodians[index - 1]
        )

    def accept_all(self, listing: Listing) -> Listing:
        if listing.custody.lock:
            for index in range(1, listing.custody.count + 1):
                self.accept(listing, index)
        return listing

    def extend(self, listing: Listing, *indices: int, sender: str | None = None) -> None:
        for index in indices:
            staying, *arguments = self.staying(listing, index)
            staying(*arguments, sender=sender or listing.custodians[index - 1])

    def release(self, listing: Listing, sender: str | None = None) -> None:
        """Free what can be freed; a custody that was not complete in time lapses."""
        is_open = self.custody(listing)["status"] == CustodyStatus.OPENED
        function = self.registry.lapse if is_open else self.registry.release
        function(*listing.keeping, sender=sender or self.stranger)

    def staying(self, listing: Listing, index: int) -> tuple[Any, ...]:
        """Return the function by which a custodian stays for another period, and its arguments."""
        state = self.custody(listing)
        left = state["previous_active"] & ~state["active"]
        if 1 <= index <= listing.custody.count and left & 1 << index - 1:
            return self.registry.join_extension, *listing.keeping[1:], index
        return self.registry.extend, *listing.keeping, index

    def close(self, listing: Listing, silent: int, sender: str | None = None) -> None:
        """Close a custody as the market does, fining the custodians of a map."""
        self.registry.close_custody(
            listing.custody.astuple(), silent, sender=sender or self.market.address
        )

    def revoke(self, listing: Listing, sender: str | None = None) -> None:
        """Revoke a version as the market does, for the buyer."""
        self.registry.revoke(
            listing.terms.astuple(), self.buyer, sender=sender or self.market.address
        )

    def retire(self, listing: Listing) -> None:
        self.registry.retire(listing.terms.astuple(), sender=listing.terms.seller)

    def close_version(self, listing: Listing) -> None:
        self.registry.close_version(listing.terms.astuple(), sender=self.stranger)

    def top_up(self, listing: Listing, amount: int, sender: str | None = None) -> None:
        self.registry.top_up(listing.terms.astuple(), amount, sender=sender or self.stranger)

    # ------------------------------------------------------------- selling

    def draft_purchase(
        self, listing: Listing, buyer: str | None = None, number: int | None = None, **more: Any
    ) -> Purchase:
        """Draft a purchase; each has a number, and so a key and a salt, of its own."""
        if number is None:
            number, self.number = self.number, self.number + 1
        return draft_purchase(listing, buyer or self.buyer, number, **more)

    def buy(
        self,
        listing: Listing,
        buyer: str | None = None,
        permit: Any = NO_PERMIT,
        voucher: Any = NO_VOUCHER,
        admission: Any = NO_ADMISSION,
        **more: Any,
    ) -> Purchase:
        purchase = self.draft_purchase(listing, buyer, **more)
        self.send(purchase, permit, voucher, admission)
        return purchase

    def send(
        self,
        purchase: Purchase,
        permit: Any = NO_PERMIT,
        voucher: Any = NO_VOUCHER,
        admission: Any = NO_ADMISSION,
        sender: str | None = None,
    ) -> bytes:
        """Send a drafted purchase."""
        return bytes(
            self.market.buy(
                *purchase.arguments(permit, voucher, admission),
                sender=sender or purchase.receipt.buyer,
            )
        )

    def sign_permit(self, amount: int, deadline: int) -> tuple[Any, ...]:
        """Let the buyer sign a permit for the market."""
        place = self.token.address, self.place.chain_id
        return sign_permit(*place, "buyer", self.market.address, amount, deadline)

    def part(self, purchase: Purchase, index: int) -> Part:
        """Make a custodian's part, once."""
        key = (purchase.id, index)
        if key not in self.parts:
            self.parts[key] = make_part(purchase, index)
        return self.parts[key]

    def deliver(self, purchases: Purchase | Sequence[Purchase], *indices: int) -> None:
        """Deliver purchases of one custody, by each of several custodians."""
        batch = [purchases] if isinstance(purchases, Purchase) else list(purchases)
        listing = batch[0].listing
        for index in indices:
            parts = [self.part(purchase, index) for purchase in batch]
            self.market.deliver(*deliver_arguments(listing, index, parts), sender=self.stranger)

    def bought_and_delivered(self, listing: Listing, **more: Any) -> Purchase:
        """Buy, and let the first t custodians deliver."""
        purchase = self.buy(listing, **more)
        self.deliver(purchase, *range(1, listing.custody.threshold + 1))
        return purchase

    def settle(self, *purchases: Purchase) -> None:
        self.market.settle(
            *purchases[0].listing.keeping,
            [purchase.receipt.astuple() for purchase in purchases],
            sender=self.stranger,
        )

    def confirm(self, purchase: Purchase, sender: str | None = None) -> None:
        self.market.confirm(
            *purchase.listing.keeping,
            purchase.receipt.astuple(),
            sender=sender or purchase.receipt.buyer,
        )

    def reject(self, purchase: Purchase, sender: str | None = None) -> None:
        self.market.reject(
            *purchase.listing.keeping,
            purchase.receipt.astuple(),
            sender=sender or purchase.receipt.buyer,
        )

    def review(
        self, purchase: Purchase, score: int = 3, text: str = "", sender: str | None = None
    ) -> None:
        self.reviews.review(
            purchase.listing.custody.astuple(),
            purchase.receipt.astuple(),
            score,
            text,
            sender=sender or purchase.receipt.buyer,
        )

    def dispute_sealing(self, listing: Listing, shard: int = 0, sender: str | None = None) -> None:
        """Show a shard to the judge."""
        self.market.dispute_sealing(
            *sealing_arguments(listing, shard), sender=sender or self.stranger
        )

    def rule(
        self, listing: Listing, rewarded: str | None = None, sender: str | None = None
    ) -> None:
        self.market.rule(
            listing.terms.astuple(),
            rewarded or self.buyer,
            sender=sender or listing.terms.arbiter,
        )

    def refund(self, *purchases: Purchase) -> None:
        listing = purchases[0].listing
        self.market.refund(
            listing.terms.astuple(),
            listing.custody.astuple(),
            [purchase.receipt.astuple() for purchase in purchases],
            sender=self.stranger,
        )

    def draft_evidence(
        self, purchase: Purchase, indices: Sequence[int] | None = None, shard: int = 0
    ) -> Evidence:
        """Write a dispute about a shard from the parts of some custodians, the first t."""
        indices = indices or range(1, purchase.listing.custody.threshold + 1)
        return draft_evidence(purchase, {j: self.part(purchase, j) for j in indices}, shard)

    def dispute(
        self, purchase: Purchase, evidence: Evidence | None = None, sender: str | None = None
    ) -> None:
        evidence = evidence or self.draft_evidence(purchase)
        self.market.dispute_key(
            *dispute_arguments(purchase, evidence), sender=sender or self.stranger
        )

    # ------------------------------------------------------------- figures

    def version(self, listing: Listing) -> dict[str, Any]:
        return dict(self.registry.versions(listing.terms_id)._asdict())

    def custody(self, listing: Listing) -> dict[str, Any]:
        return dict(self.registry.custodies(listing.custody_id)._asdict())

    def purchase(self, purchase: Purchase) -> tuple[int, int, int]:
        """Return status, map of deliveries and deadline."""
        state = self.market.purchases(purchase.id)
        return (state.status, state.delivered, state.deadline)

    def entry(self, contract: Any, account: str, token: Any = None) -> int:
        """Return a ledger's entry in the sale token."""
        return int(contract.balances(token or self.token, account))

    def locked(self, custodian: str) -> int:
        return int(self.staking.validator(custodian).locked)

    def earned(self, account: str) -> int:
        """Return what both ledgers hold for an account in the sale token."""
        return self.entry(self.registry, account) + self.entry(self.market, account)

    def deal(self, token: Any, *accounts: str) -> None:
        """Give accounts money, which registry and market may take."""
        for account in accounts:
            token.mint(account, INITIAL_BALANCE)
            for spender in (self.registry, self.market):
                token.approve(spender, INITIAL_BALANCE, sender=account)

    def hostile_token(self) -> Any:
        """Deploy a token that behaves until told otherwise, with money for all who pay."""
        token = deploy_hostile_token()
        self.deal(token, self.seller, self.buyer, self.other_buyer, self.stranger)
        return token


def silent(listing: Listing, *delivered: int) -> int:
    """Return the map of a listing's custodians less those who delivered."""
    everybody = (1 << listing.custody.count) - 1
    return everybody & ~sum(1 << j - 1 for j in delivered)


def named(listing: Listing, bitmap: int) -> list[str]:
    """Return the custodians that a map names."""
    return [listing.custodians[j - 1] for j in bits(bitmap)]


def deploy_contracts(token: Any = None, board: Any = None, intake: Any = None) -> MarketContracts:
    """Deploy everything over `token`, or over a test dollar; give each account what it needs.

    Bounties that terms may name are those of `board`, of which `intake` is a part.
    """
    boa.env.timestamp = START
    token = token or deploy_test_token()
    stake_token = deploy_test_token("Stake", "STK", 18)
    roles = {
        role: address_of_role(role)
        for role in (
            *("owner", "treasury", "seller", "payee", "buyer", "other_buyer", "gate", "stranger"),
        )
    }
    owner = roles["owner"]
    staking = deployer("ValidatorStaking").deploy(stake_token, TICKET, UNBONDING, owner)
    proofs = deployer("DeliveryProofs").deploy()
    if board is None:
        board = deployer("BountyBoard").deploy(owner, roles["treasury"])
        intake = deployer("BountyIntake").deploy(board)
    checks = deployer("ListingChecks").deploy(board)
    registry = deployer("DatasetRegistry").deploy(owner, staking, checks, MIN_WINDOW, MAX_WINDOW)
    judge = deployer("ShardJudge").deploy()
    market = deployer("DatasetMarket").deploy(registry, proofs, judge, intake, roles["treasury"])
    reviews = deployer("Reviews").deploy(market)
    registry.fix_market(market, sender=owner)
    registry.set_fee_bps(FEE_BPS, sender=owner)
    staking.fix_slashers([registry], sender=owner)
    custodians = sorted(
        (address_of_role(f"custodian {i}") for i in range(CUSTODIANS)), key=lambda it: int(it, 16)
    )
    contracts = MarketContracts(
        token=token,
        stake_token=stake_token,
        staking=staking,
        registry=registry,
        proofs=proofs,
        judge=judge,
        checks=checks,
        board=board,
        intake=intake,
        market=market,
        reviews=reviews,
        **roles,
        custodians=tuple(custodians),
        operators={it: address_of_role(f"operator of {it}") for it in custodians},
        place=Place(boa.env.evm.patch.chain_id, str(registry.address), str(market.address)),
    )
    contracts.deal(
        token, contracts.seller, contracts.buyer, contracts.other_buyer, contracts.stranger
    )
    for custodian in custodians:
        register(contracts, custodian, contracts.operators[custodian], tickets=2)
    return contracts


def register(contracts: MarketContracts, validator: str, operator: str, tickets: int) -> None:
    """Make a validator with stake."""
    contracts.stake_token.mint(validator, tickets * TICKET)
    contracts.stake_token.approve(contracts.staking, tickets * TICKET, sender=validator)
    contracts.staking.register(operator, b"\x11" * 32, sender=validator)
    contracts.staking.stake(tickets, sender=validator)


def edit_version(contracts: MarketContracts, listing: Listing, **fields: int) -> None:
    """Set fields of a version's word, as thousands of calls would."""
    places = {"version": (176, 16), "epochs": (192, 16)}
    slot = contracts.registry._storage._versions.slot
    place = int.from_bytes(keccak256(slot.to_bytes(32, "big") + listing.terms_id), "big")
    word = boa.env.get_storage(contracts.registry.address, place)
    for name, value in fields.items():
        offset, width = places[name]
        word = word & ~(((1 << width) - 1) << offset) | value << offset
    boa.env.set_storage(contracts.registry.address, place, word)
    assert contracts.version(listing).items() >= fields.items()


@pytest.fixture(scope="session")
def deployed_contracts() -> MarketContracts:
    """Deploy once."""
    return deploy_contracts()


@pytest.fixture
def contracts(deployed_contracts: MarketContracts) -> Iterator[MarketContracts]:
    """Provide contracts as good as new; what the test does is undone after it."""
    with boa.env.anchor():
        boa.env.timestamp = START
        yield replace(deployed_contracts, number=0, parts={})
