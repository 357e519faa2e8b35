# SPDX-License-Identifier: Apache-2.0
"""What each function of DatasetMarket does when it may: storage, events, balances."""

from typing import Any

import boa
import pytest

from tests.utils.contracts import events, reverts
from tests.utils.drafts import BOND, FEE, FEE_BPS, PENALTY, PRICE, Listing, Purchase, make_content
from tests.utils.market import INITIAL_BALANCE, ZERO, MarketContracts, contracts, deployed_contracts
from tests.utils.permits import NO_ADMISSION, NO_PERMIT, NO_VOUCHER, sign_admission, sign_voucher
from truthmark.hashing import keccak256
from truthmark.keys import typed
from truthmark.keys.abi_hash import word
from truthmark.keys.curve import multiply
from truthmark.keys.delivery import combine_key
from truthmark.market.records import CustodyStatus, PurchaseStatus, VersionStatus

__all__ = ["contracts", "deployed_contracts"]

COST = PRICE + 2 * FEE
PROTOCOL_FEE = PRICE * FEE_BPS // 10_000


def money(w: MarketContracts, token: Any = None) -> int:
    """Return what the market has, by the token's own books."""
    return int((token or w.token).balanceOf(w.market))


def held_by(w: MarketContracts, account: str) -> int:
    return int(w.token.balanceOf(account))


def parts_hash(w: MarketContracts, purchase: Purchase, *indices: int) -> int:
    """Return what docs/protocol.md calls the hash of the parts."""
    noted = 0
    for index in indices:
        words = word(noted) + word(index) + word(w.part(purchase, index).point)
        noted = int.from_bytes(keccak256(words)[:24], "big")
    return noted


# ------------------------------------------------------------- constructing


def test_init__other_contracts__are_fixed(contracts: MarketContracts) -> None:
    market = contracts.market
    assert market.REGISTRY() == contracts.registry.address
    assert market.PROOFS() == contracts.proofs.address
    assert market.TREASURY() == contracts.treasury
    assert market.BURN() == ZERO
    assert market.purchase_count() == 0
    domain = market.eip712Domain()
    assert (domain[1], domain[2], domain[3], domain[4]) == (
        "Truthmark",
        "1",
        contracts.place.chain_id,
        market.address,
    )


# ------------------------------------------------------------------- buying


def test_purchase_count__orders_taken_repeated_and_refused__counts_those_taken(
    contracts: MarketContracts,
) -> None:
    listing = contracts.create_listing()
    free = contracts.create_listing(price=0, fee=0, content=make_content(1))
    first = contracts.buy(listing)
    assert contracts.market.purchase_count() == 1
    with reverts(contracts.market, "market: bought already"):
        contracts.send(first)
    with reverts(contracts.market, "market: other price"):
        contracts.buy(listing, price=PRICE - 1)
    contracts.token.approve(contracts.market, 0, sender=contracts.buyer)
    with reverts(contracts.market, "erc20: insufficient allowance"):
        contracts.buy(listing)
    assert contracts.market.purchase_count() == 1
    contracts.buy(free)  # calls no token, so it needs no allowance
    contracts.buy(listing, contracts.other_buyer)
    assert contracts.market.purchase_count() == 3
    # What becomes of a purchase does not matter.
    contracts.deliver(first, 1, 2)
    contracts.confirm(first)
    assert contracts.market.purchase_count() == 3


def test_buy__by_allowance__pulls_price_and_fees_and_is_paid(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    purchase = contracts.draft_purchase(listing)
    returned = contracts.send(purchase)
    deadline = contracts.now + listing.terms.delivery_seconds
    assert returned == purchase.id
    assert events(contracts.market) == [
        (
            "Purchased",
            {
                "purchase_id": purchase.id,
                "custody_id": listing.custody_id,
                "buyer": contracts.buyer,
                "terms_id": listing.terms_id,
                "price": PRICE,
                "salt": purchase.receipt.salt,
                "base": purchase.receipt.base._asdict(),
                "deadline": deadline,
            },
        )
    ]
    assert contracts.purchase(purchase) == (PurchaseStatus.PAID, 0, deadline)
    assert contracts.market.purchases(purchase.id).parts == 0
    assert money(contracts) == COST
    assert held_by(contracts, contracts.buyer) == INITIAL_BALANCE - COST
    assert contracts.entry(contracts.market, contracts.buyer) == 0


def test_buy__free_of_price_and_fees__calls_no_token(contracts: MarketContracts) -> None:
    listing = contracts.create_listing(price=0, fee=0)
    contracts.token.approve(contracts.market, 0, sender=contracts.buyer)
    purchase = contracts.buy(listing)
    assert contracts.purchase(purchase)[0] == PurchaseStatus.PAID
    assert money(contracts) == 0


def test_buy__by_permit__needs_no_allowance(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    contracts.token.approve(contracts.market, 0, sender=contracts.buyer)
    permit = contracts.sign_permit(COST, contracts.now + 5)
    purchase = contracts.buy(listing, permit=permit)
    assert contracts.purchase(purchase)[0] == PurchaseStatus.PAID
    assert contracts.token.allowance(contracts.buyer, contracts.market) == 0
    assert money(contracts) == COST


def test_buy__permit_used_up_by_another__falls_back_to_the_allowance(
    contracts: MarketContracts,
) -> None:
    listing = contracts.create_listing()
    contracts.token.approve(contracts.market, 0, sender=contracts.buyer)
    permit = contracts.sign_permit(COST, contracts.now + 5)
    contracts.token.permit(
        contracts.buyer, contracts.market, COST, *permit, sender=contracts.stranger
    )
    contracts.buy(listing, permit=permit)
    assert money(contracts) == COST


def test_buy__with_voucher__costs_its_price_and_uses_it_up(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    expiry = contracts.now + 5
    voucher = sign_voucher(listing, contracts.buyer, PRICE // 4, expiry)
    purchase = contracts.buy(listing, voucher=voucher, price=PRICE // 4)
    assert events(contracts.market)[0][1]["price"] == PRICE // 4
    assert money(contracts) == PRICE // 4 + 2 * FEE
    digest = typed.digest(
        typed.voucher(
            chain_id=contracts.place.chain_id,
            market=contracts.market.address,
            terms_id=listing.terms_id,
            account=contracts.buyer,
            price=PRICE // 4,
            expiry=expiry,
            nonce=bytes(32),
        )
    )
    assert contracts.market.used_vouchers(digest)
    assert purchase.receipt.price == PRICE // 4


def test_buy__voucher_at_exactly_the_listed_price__is_taken(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    before = contracts.token.balanceOf(contracts.buyer)
    purchase = contracts.buy(
        listing, voucher=sign_voucher(listing, contracts.buyer, PRICE, contracts.now)
    )
    assert purchase.receipt.price == PRICE
    assert contracts.purchase(purchase)[0] == PurchaseStatus.PAID
    assert before - contracts.token.balanceOf(contracts.buyer) == PRICE + 2 * FEE


def test_buy__voucher_for_nothing__pays_the_custodians_alone(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    contracts.buy(
        listing, voucher=sign_voucher(listing, contracts.buyer, 0, contracts.now), price=0
    )
    assert money(contracts) == 2 * FEE


def test_buy__admitted_by_the_gate__more_than_once(contracts: MarketContracts) -> None:
    listing = contracts.create_listing(gate=contracts.gate)
    admission = sign_admission(listing, contracts.buyer, contracts.now)
    first = contracts.buy(listing, admission=admission)
    second = contracts.buy(listing, admission=admission)
    assert {contracts.purchase(it)[0] for it in (first, second)} == {PurchaseStatus.PAID}


def test_buy__with_everything_at_once__is_paid(contracts: MarketContracts) -> None:
    listing = contracts.create_listing(gate=contracts.gate)
    contracts.token.approve(contracts.market, 0, sender=contracts.buyer)
    amount = 5 + 2 * FEE
    permit = contracts.sign_permit(amount, contracts.now)
    voucher = sign_voucher(listing, contracts.buyer, 5, contracts.now)
    admission = sign_admission(listing, contracts.buyer, contracts.now)
    contracts.buy(listing, permit=permit, voucher=voucher, admission=admission, price=5)
    assert money(contracts) == amount


def test_buy__default_arguments__are_none_of_the_three(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    purchase = contracts.draft_purchase(listing)
    contracts.market.buy(*purchase.arguments(), sender=contracts.buyer)
    assert (NO_PERMIT[0], NO_VOUCHER[1], NO_ADMISSION[0]) == (0, 0, 0)
    assert contracts.purchase(purchase)[0] == PurchaseStatus.PAID


# --------------------------------------------------------------- delivering


def test_deliver__the_first_part__is_counted_and_told(contracts: MarketContracts) -> None:
    purchase = contracts.buy(contracts.create_listing())
    deadline = contracts.purchase(purchase)[2]
    contracts.deliver(purchase, 3)
    part = contracts.part(purchase, 3)
    assert events(contracts.market) == [
        (
            "Delivered",
            {
                "purchase_id": purchase.id,
                "custody_id": purchase.listing.custody_id,
                "index": 3,
                "part": part.point._asdict(),
                "challenge": part.proof.challenge,
                "response": part.proof.response,
                "inspection_until": 0,
            },
        )
    ]
    assert contracts.purchase(purchase) == (PurchaseStatus.PAID, 0b0100, deadline)
    assert contracts.market.purchases(purchase.id).parts == parts_hash(contracts, purchase, 3)


def test_deliver__the_last_part__starts_the_inspection(contracts: MarketContracts) -> None:
    purchase = contracts.buy(contracts.create_listing())
    boa.env.timestamp += 5
    contracts.deliver(purchase, 3, 1)
    until = contracts.now + purchase.listing.terms.inspection_seconds
    assert events(contracts.market)[0][1]["inspection_until"] == until
    assert contracts.purchase(purchase) == (PurchaseStatus.DELIVERED, 0b0101, until)
    assert contracts.market.purchases(purchase.id).parts == parts_hash(contracts, purchase, 3, 1)
    assert money(contracts) == COST


@pytest.mark.parametrize("threshold", range(1, 4))
def test_deliver__t_of_five__give_the_buyer_the_key(
    contracts: MarketContracts, threshold: int
) -> None:
    purchase = contracts.buy(contracts.create_listing(5, threshold=threshold))
    indices = range(5, 5 - threshold, -1)
    contracts.deliver(purchase, *indices)
    assert contracts.purchase(purchase)[0] == PurchaseStatus.DELIVERED
    content = purchase.listing.content
    parts = {j: contracts.part(purchase, j).point for j in indices}
    key = combine_key(parts, purchase.secret, content.key)
    assert key == multiply(content.secret, content.base)


def test_deliver__batch_with_done_closed_and_unknown__delivers_the_rest(
    contracts: MarketContracts,
) -> None:
    listing = contracts.create_listing()
    done = contracts.bought_and_delivered(listing)
    has_it = contracts.buy(listing)
    contracts.deliver(has_it, 1)
    never_sent = contracts.draft_purchase(listing)
    good = contracts.buy(listing)
    contracts.deliver([done, has_it, never_sent, good, good], 1)
    assert [fields["purchase_id"] for _, fields in events(contracts.market)] == [good.id]
    assert contracts.purchase(good)[1] == contracts.purchase(has_it)[1] == 0b0001
    assert contracts.purchase(done)[1] == 0b0011
    assert contracts.purchase(never_sent)[0] == PurchaseStatus.NONE


def test_deliver__sixty_four_at_once__all_count(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    purchases = [contracts.buy(listing) for _ in range(64)]
    contracts.deliver(purchases, 2)
    assert len(events(contracts.market)) == 64
    assert {contracts.purchase(it)[1] for it in purchases} == {0b0010}


def test_deliver__direct_mode__one_part_is_enough(contracts: MarketContracts) -> None:
    purchase = contracts.buy(contracts.create_listing(0))
    contracts.deliver(purchase, 1)
    assert contracts.purchase(purchase)[:2] == (PurchaseStatus.DELIVERED, 1)


# ----------------------------------------------------------------- settling


def settled(w: MarketContracts, listing: Listing, **more: Any) -> Purchase:
    purchase = w.buy(listing, **more)
    w.deliver(purchase, 4, 2)
    boa.env.timestamp = w.purchase(purchase)[2] + 1
    w.settle(purchase)
    return purchase


def test_settle__inspection_over__pays_every_role(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    purchase = settled(contracts, listing)
    assert events(contracts.market) == [
        (
            "Settled",
            {
                "purchase_id": purchase.id,
                "custody_id": listing.custody_id,
                "paid_out": PRICE - PROTOCOL_FEE,
            },
        )
    ]
    assert contracts.purchase(purchase)[:2] == (PurchaseStatus.SETTLED, 0b1010)
    entries = {it: contracts.entry(contracts.market, it) for it in listing.custodians}
    assert list(entries.values()) == [0, FEE, 0, FEE]
    assert contracts.entry(contracts.market, contracts.payee) == PRICE - PROTOCOL_FEE
    assert contracts.entry(contracts.market, contracts.treasury) == PROTOCOL_FEE
    assert money(contracts) == COST


def test_settle__batch_of_different_deliveries__adds_up(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    one, two, three = (contracts.buy(listing) for _ in range(3))
    contracts.deliver(one, 1, 2)
    contracts.deliver(two, 4, 2)
    contracts.deliver(three, 3)
    ready = contracts.bought_and_delivered(listing)
    boa.env.timestamp = contracts.purchase(ready)[2] + 1
    late = contracts.draft_purchase(listing)
    contracts.settle(one, three, late, two, one, ready)
    assert [fields["purchase_id"] for _, fields in events(contracts.market)] == [
        one.id,
        two.id,
        ready.id,
    ]
    assert [contracts.entry(contracts.market, it) for it in listing.custodians] == [
        2 * FEE,
        3 * FEE,
        0,
        FEE,
    ]
    assert contracts.entry(contracts.market, contracts.payee) == 3 * (PRICE - PROTOCOL_FEE)
    assert contracts.purchase(three)[0] == PurchaseStatus.PAID


@pytest.mark.parametrize(("price", "fee"), [(1, 0), (49, 0), (50, 1), (2**128 - 1, None)])
def test_settle__rounding_and_extremes__lose_nothing(
    contracts: MarketContracts, price: int, fee: int | None
) -> None:
    contracts.token.mint(contracts.buyer, 2**129)
    contracts.token.approve(contracts.market, 2**130, sender=contracts.buyer)
    listing = contracts.create_listing(price=price)
    settled(contracts, listing)
    fee = price * FEE_BPS // 10_000 if fee is None else fee
    assert contracts.entry(contracts.market, contracts.treasury) == fee
    assert contracts.entry(contracts.market, contracts.payee) == price - fee
    assert money(contracts) == price + 2 * FEE


def test_settle__largest_fee_and_three_custodians__pays_each(contracts: MarketContracts) -> None:
    contracts.token.mint(contracts.buyer, 2**131)
    contracts.token.approve(contracts.market, 2**131, sender=contracts.buyer)
    listing = contracts.create_listing(5, threshold=3, fee=2**128 - 1)
    purchase = contracts.bought_and_delivered(listing)
    boa.env.timestamp = contracts.purchase(purchase)[2] + 1
    contracts.settle(purchase)
    assert [contracts.entry(contracts.market, it) for it in listing.custodians] == [
        *[2**128 - 1] * 3,
        0,
        0,
    ]


def test_confirm__by_the_buyer__settles_at_once(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    purchase = contracts.bought_and_delivered(listing)
    contracts.confirm(purchase)
    assert events(contracts.market) == [
        (
            "Settled",
            {
                "purchase_id": purchase.id,
                "custody_id": listing.custody_id,
                "paid_out": PRICE - PROTOCOL_FEE,
            },
        )
    ]
    assert contracts.purchase(purchase)[0] == PurchaseStatus.SETTLED
    assert [contracts.entry(contracts.market, it) for it in listing.custodians] == [FEE, FEE, 0, 0]


# ---------------------------------------------------------------- refunding


def test_refund__no_custodian_delivered__pays_back_closes_and_fines(
    contracts: MarketContracts,
) -> None:
    listing = contracts.create_listing()
    purchase = contracts.buy(listing)
    boa.env.timestamp = contracts.purchase(purchase)[2] + 1
    contracts.refund(purchase)
    assert events(contracts.market) == [
        ("Refunded", {"purchase_id": purchase.id, "buyer": contracts.buyer, "amount": COST})
    ]
    assert contracts.purchase(purchase)[0] == PurchaseStatus.REFUNDED
    assert contracts.entry(contracts.market, contracts.buyer) == COST
    state = contracts.custody(listing)
    assert (state["status"], state["fined"]) == (CustodyStatus.CLOSED, 0b1111)
    assert contracts.entry(contracts.staking, ZERO, contracts.stake_token) == 4 * PENALTY


def test_refund__one_delivered__fines_the_others(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    purchase = contracts.buy(listing)
    contracts.deliver(purchase, 3)
    boa.env.timestamp = contracts.purchase(purchase)[2] + 1
    contracts.refund(purchase)
    assert contracts.custody(listing)["fined"] == 0b1011


def test_refund__batch__skips_what_is_not_ready(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    late = contracts.buy(listing)
    delivered = contracts.bought_and_delivered(listing)
    boa.env.timestamp = contracts.purchase(late)[2]
    young = contracts.buy(listing)
    boa.env.timestamp += 1
    unknown = contracts.draft_purchase(listing)
    contracts.refund(delivered, late, young, unknown, late)
    assert [fields["purchase_id"] for _, fields in events(contracts.market)] == [late.id]
    assert contracts.entry(contracts.market, contracts.buyer) == COST
    assert contracts.purchase(young)[0] == PurchaseStatus.PAID
    assert contracts.purchase(delivered)[0] == PurchaseStatus.DELIVERED


def test_refund__nothing_ready__touches_no_custody(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    contracts.refund(contracts.buy(listing))
    assert contracts.custody(listing)["status"] == CustodyStatus.LIVE


def test_refund__direct_mode__fines_no_custodian_and_calls_no_staking(
    contracts: MarketContracts,
) -> None:
    listing = contracts.create_listing(0)
    purchase = contracts.buy(listing)
    boa.env.timestamp = contracts.purchase(purchase)[2] + 1
    contracts.refund(purchase)
    assert contracts.custody(listing)["status"] == CustodyStatus.CLOSED
    assert contracts.entry(contracts.market, contracts.buyer) == PRICE + FEE


def test_refund__after_a_voucher__pays_back_what_was_paid(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    voucher = sign_voucher(listing, contracts.buyer, 5, contracts.now)
    purchase = contracts.buy(listing, voucher=voucher, price=5)
    boa.env.timestamp = contracts.purchase(purchase)[2] + 1
    contracts.refund(purchase)
    assert contracts.entry(contracts.market, contracts.buyer) == 5 + 2 * FEE
    assert money(contracts) == 5 + 2 * FEE


# --------------------------------------------------------------- disputing


@pytest.mark.parametrize("shard", [0, 1, 4], ids=["fresh", "wrapped", "the last"])
@pytest.mark.parametrize("threshold", [1, 2, 3])
def test_dispute__wrong_key__revokes_the_version_and_pays_the_buyer(
    contracts: MarketContracts, threshold: int, shard: int
) -> None:
    content = make_content(5, 5, frozenset({shard}))
    listing = contracts.create_listing(5, threshold=threshold, content=content)
    purchase = contracts.buy(listing)
    order = range(5, 5 - threshold, -1)
    contracts.deliver(purchase, *order)
    evidence = contracts.draft_evidence(purchase, list(order), shard)
    contracts.dispute(purchase, evidence)
    assert events(contracts.market) == [
        (
            "KeyDisputed",
            {
                "purchase_id": purchase.id,
                "terms_id": listing.terms_id,
                "shard": shard,
                "key_point": multiply(content.secret, content.base)._asdict(),
            },
        )
    ]
    assert contracts.version(listing)["status"] == VersionStatus.REVOKED
    assert contracts.entry(contracts.registry, contracts.buyer) == BOND // 2
    assert contracts.entry(contracts.registry, ZERO) == BOND - BOND // 2
    assert contracts.purchase(purchase)[0] == PurchaseStatus.DELIVERED
    contracts.refund(purchase)
    assert contracts.entry(contracts.market, contracts.buyer) == PRICE + threshold * FEE
    assert contracts.custody(listing)["fined"] == 0


def test_dispute__then_everybody__is_refunded_and_no_custodian_fined(
    contracts: MarketContracts,
) -> None:
    listing = contracts.create_listing(content=make_content(5, 3, frozenset({0})))
    disputed = contracts.bought_and_delivered(listing)
    waiting = contracts.buy(listing, contracts.other_buyer)
    settled_before = contracts.bought_and_delivered(listing)
    contracts.confirm(settled_before)
    delivered = contracts.bought_and_delivered(listing, buyer=contracts.other_buyer)
    contracts.dispute(disputed)
    boa.env.timestamp += 10_000
    contracts.refund(disputed, waiting, settled_before, delivered)
    assert contracts.entry(contracts.market, contracts.buyer) == COST
    assert contracts.entry(contracts.market, contracts.other_buyer) == 2 * COST
    assert contracts.purchase(settled_before)[0] == PurchaseStatus.SETTLED
    assert contracts.custody(listing)["fined"] == 0
    assert contracts.custody(listing)["status"] == CustodyStatus.LIVE
    assert [contracts.locked(it) for it in listing.custodians] == [1_000] * 4
    contracts.release(listing)
    assert [contracts.locked(it) for it in listing.custodians] == [0] * 4


def test_dispute__retired_version__is_heard_until_the_inspection_ends(
    contracts: MarketContracts,
) -> None:
    listing = contracts.create_listing(content=make_content(5, 3, frozenset({0})))
    purchase = contracts.bought_and_delivered(listing)
    contracts.retire(listing)
    contracts.dispute(purchase)
    assert contracts.version(listing)["status"] == VersionStatus.REVOKED


# -------------------------------------------------------------------- views


def test_is_reader__through_the_life_of_a_purchase__is_true_once_delivered(
    contracts: MarketContracts,
) -> None:
    listing = contracts.create_listing()

    def is_reader(purchase: Purchase, account: str = contracts.buyer) -> bool:
        receipt = purchase.receipt.astuple()
        return bool(contracts.market.is_reader(listing.custody_id, receipt, account))

    purchase = contracts.draft_purchase(listing)
    assert not is_reader(purchase)
    contracts.send(purchase)
    assert not is_reader(purchase)
    contracts.deliver(purchase, 1, 2)
    assert is_reader(purchase)
    assert not is_reader(purchase, contracts.stranger)
    contracts.confirm(purchase)
    assert is_reader(purchase)
    late = contracts.buy(listing)
    boa.env.timestamp = contracts.purchase(late)[2] + 1
    contracts.refund(late)
    assert not is_reader(late)


def test_withdraw__by_a_stranger__pays_only_the_account(contracts: MarketContracts) -> None:
    listing = contracts.create_listing()
    settled(contracts, listing)
    before = held_by(contracts, contracts.stranger)
    for account in (contracts.payee, contracts.treasury, *listing.custodians):
        entry = contracts.entry(contracts.market, account)
        held = held_by(contracts, account)
        assert (
            contracts.market.withdraw(contracts.token, account, 0, sender=contracts.stranger)
            == entry
        )
        assert held_by(contracts, account) == held + entry
    assert money(contracts) == 0
    assert held_by(contracts, contracts.stranger) == before
