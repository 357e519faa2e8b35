# SPDX-License-Identifier: Apache-2.0
"""What each function of DatasetMarket does when it may: storage, events, balances."""

from typing import Any

import boa
import pytest

from tests.utils.contracts import events, reverts
from tests.utils.drafts import (
    BOND,
    FEE,
    FEE_BPS,
    NO_ADMISSION,
    NO_PERMIT,
    NO_VOUCHER,
    PENALTY,
    PRICE,
    Listing,
    Purchase,
    make_content,
    sign_admission,
    sign_permit,
    sign_voucher,
)
from tests.utils.market import INITIAL_BALANCE, ZERO, World, deployed_world, world
from truthmark.hashing import keccak256
from truthmark.keys import typed
from truthmark.keys.abi_hash import word
from truthmark.keys.curve import multiply
from truthmark.keys.delivery import combine_key
from truthmark.market.records import CustodyStatus, PurchaseStatus, VersionStatus

__all__ = ["deployed_world", "world"]

COST = PRICE + 2 * FEE
PROTOCOL_FEE = PRICE * FEE_BPS // 10_000


def money(w: World, token: Any = None) -> int:
    """Return what the market has, by the token's own books."""
    return int((token or w.token).balanceOf(w.market))


def purse(w: World, account: str) -> int:
    return int(w.token.balanceOf(account))


def parts_hash(w: World, purchase: Purchase, *indices: int) -> int:
    """Return what docs/protocol.md calls the hash of the parts."""
    noted = 0
    for index in indices:
        words = word(noted) + word(index) + word(w.part(purchase, index).point)
        noted = int.from_bytes(keccak256(words)[:24], "big")
    return noted


# ------------------------------------------------------------- constructing


def test_init__other_contracts__are_fixed(world: World) -> None:
    market = world.market
    assert market.REGISTRY() == world.registry.address
    assert market.PROOFS() == world.proofs.address
    assert market.TREASURY() == world.treasury
    assert market.BURN() == ZERO
    assert market.purchase_count() == 0
    domain = market.eip712Domain()
    assert (domain[1], domain[2], domain[3], domain[4]) == (
        "Truthmark",
        "1",
        world.place.chain_id,
        market.address,
    )


# ------------------------------------------------------------------- buying


def test_purchase_count__orders_taken_repeated_and_refused__counts_those_taken(
    world: World,
) -> None:
    listing = world.create_listing()
    free = world.create_listing(price=0, fee=0, content=make_content(1))
    first = world.buy(listing)
    assert world.market.purchase_count() == 1
    with reverts(world.market, "market: bought already"):
        world.send(first)
    with reverts(world.market, "market: other price"):
        world.buy(listing, price=PRICE - 1)
    world.token.approve(world.market, 0, sender=world.buyer)
    with reverts(world.market, "erc20: insufficient allowance"):
        world.buy(listing)
    assert world.market.purchase_count() == 1
    world.buy(free)  # calls no token, so it needs no allowance
    world.buy(listing, world.other_buyer)
    assert world.market.purchase_count() == 3
    # What becomes of a purchase does not matter.
    world.deliver(first, 1, 2)
    world.confirm(first)
    assert world.market.purchase_count() == 3


def test_buy__by_allowance__pulls_price_and_fees_and_is_paid(world: World) -> None:
    listing = world.create_listing()
    purchase = world.draft_purchase(listing)
    returned = world.send(purchase)
    deadline = world.now + listing.terms.delivery_seconds
    assert returned == purchase.id
    assert events(world.market) == [
        (
            "Purchased",
            {
                "purchase_id": purchase.id,
                "custody_id": listing.custody_id,
                "buyer": world.buyer,
                "terms_id": listing.terms_id,
                "price": PRICE,
                "salt": purchase.receipt.salt,
                "base": purchase.receipt.base._asdict(),
                "deadline": deadline,
            },
        )
    ]
    assert world.purchase(purchase) == (PurchaseStatus.PAID, 0, deadline)
    assert world.market.purchases(purchase.id).parts == 0
    assert money(world) == COST
    assert purse(world, world.buyer) == INITIAL_BALANCE - COST
    assert world.entry(world.market, world.buyer) == 0


def test_buy__free_of_price_and_fees__calls_no_token(world: World) -> None:
    listing = world.create_listing(price=0, fee=0)
    world.token.approve(world.market, 0, sender=world.buyer)
    purchase = world.buy(listing)
    assert world.purchase(purchase)[0] == PurchaseStatus.PAID
    assert money(world) == 0


def test_buy__by_permit__needs_no_allowance(world: World) -> None:
    listing = world.create_listing()
    world.token.approve(world.market, 0, sender=world.buyer)
    expiry = world.now + 5
    permit = sign_permit(
        world.token.address, world.place.chain_id, "buyer", world.market.address, COST, expiry
    )
    purchase = world.buy(listing, permit=permit)
    assert world.purchase(purchase)[0] == PurchaseStatus.PAID
    assert world.token.allowance(world.buyer, world.market) == 0
    assert money(world) == COST


def test_buy__permit_used_up_by_another__falls_back_to_the_allowance(world: World) -> None:
    listing = world.create_listing()
    world.token.approve(world.market, 0, sender=world.buyer)
    expiry = world.now + 5
    permit = sign_permit(
        world.token.address, world.place.chain_id, "buyer", world.market.address, COST, expiry
    )
    world.token.permit(world.buyer, world.market, COST, *permit, sender=world.stranger)
    world.buy(listing, permit=permit)
    assert money(world) == COST


def test_buy__with_voucher__costs_its_price_and_uses_it_up(world: World) -> None:
    listing = world.create_listing()
    expiry = world.now + 5
    voucher = sign_voucher(listing, world.buyer, PRICE // 4, expiry)
    purchase = world.buy(listing, voucher=voucher, price=PRICE // 4)
    assert events(world.market)[0][1]["price"] == PRICE // 4
    assert money(world) == PRICE // 4 + 2 * FEE
    digest = typed.digest(
        typed.voucher(
            chain_id=world.place.chain_id,
            market=world.market.address,
            terms_id=listing.terms_id,
            account=world.buyer,
            price=PRICE // 4,
            expiry=expiry,
            nonce=bytes(32),
        )
    )
    assert world.market.used_vouchers(digest)
    assert purchase.receipt.price == PRICE // 4


def test_buy__voucher_at_exactly_the_listed_price__is_taken(world: World) -> None:
    listing = world.create_listing()
    before = world.token.balanceOf(world.buyer)
    purchase = world.buy(listing, voucher=sign_voucher(listing, world.buyer, PRICE, world.now))
    assert purchase.receipt.price == PRICE
    assert world.purchase(purchase)[0] == PurchaseStatus.PAID
    assert before - world.token.balanceOf(world.buyer) == PRICE + 2 * FEE


def test_buy__voucher_for_nothing__pays_the_custodians_alone(world: World) -> None:
    listing = world.create_listing()
    world.buy(listing, voucher=sign_voucher(listing, world.buyer, 0, world.now), price=0)
    assert money(world) == 2 * FEE


def test_buy__admitted_by_the_gate__more_than_once(world: World) -> None:
    listing = world.create_listing(gate=world.gate)
    admission = sign_admission(listing, world.buyer, world.now)
    first = world.buy(listing, admission=admission)
    second = world.buy(listing, admission=admission)
    assert {world.purchase(it)[0] for it in (first, second)} == {PurchaseStatus.PAID}


def test_buy__with_everything_at_once__is_paid(world: World) -> None:
    listing = world.create_listing(gate=world.gate)
    world.token.approve(world.market, 0, sender=world.buyer)
    amount = 5 + 2 * FEE
    permit = sign_permit(
        world.token.address,
        world.place.chain_id,
        "buyer",
        world.market.address,
        amount,
        world.now,
    )
    voucher = sign_voucher(listing, world.buyer, 5, world.now)
    admission = sign_admission(listing, world.buyer, world.now)
    world.buy(listing, permit=permit, voucher=voucher, admission=admission, price=5)
    assert money(world) == amount


def test_buy__default_arguments__are_none_of_the_three(world: World) -> None:
    listing = world.create_listing()
    purchase = world.draft_purchase(listing)
    world.market.buy(*purchase.arguments(), sender=world.buyer)
    assert (NO_PERMIT[0], NO_VOUCHER[1], NO_ADMISSION[0]) == (0, 0, 0)
    assert world.purchase(purchase)[0] == PurchaseStatus.PAID


# --------------------------------------------------------------- delivering


def test_deliver__the_first_part__is_counted_and_told(world: World) -> None:
    purchase = world.buy(world.create_listing())
    deadline = world.purchase(purchase)[2]
    world.deliver(purchase, 3)
    part = world.part(purchase, 3)
    assert events(world.market) == [
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
    assert world.purchase(purchase) == (PurchaseStatus.PAID, 0b0100, deadline)
    assert world.market.purchases(purchase.id).parts == parts_hash(world, purchase, 3)


def test_deliver__the_last_part__starts_the_inspection(world: World) -> None:
    purchase = world.buy(world.create_listing())
    boa.env.timestamp += 5
    world.deliver(purchase, 3, 1)
    until = world.now + purchase.listing.terms.inspection_seconds
    assert events(world.market)[0][1]["inspection_until"] == until
    assert world.purchase(purchase) == (PurchaseStatus.DELIVERED, 0b0101, until)
    assert world.market.purchases(purchase.id).parts == parts_hash(world, purchase, 3, 1)
    assert money(world) == COST


@pytest.mark.parametrize("threshold", range(1, 4))
def test_deliver__t_of_five__give_the_buyer_the_key(world: World, threshold: int) -> None:
    purchase = world.buy(world.create_listing(5, threshold=threshold))
    indices = range(5, 5 - threshold, -1)
    world.deliver(purchase, *indices)
    assert world.purchase(purchase)[0] == PurchaseStatus.DELIVERED
    content = purchase.listing.content
    parts = {j: world.part(purchase, j).point for j in indices}
    key = combine_key(parts, purchase.secret, content.key)
    assert key == multiply(content.secret, content.base)


def test_deliver__batch_with_done_closed_and_unknown__delivers_the_rest(world: World) -> None:
    listing = world.create_listing()
    done = world.bought_and_delivered(listing)
    has_it = world.buy(listing)
    world.deliver(has_it, 1)
    never_sent = world.draft_purchase(listing)
    good = world.buy(listing)
    world.deliver([done, has_it, never_sent, good, good], 1)
    assert [fields["purchase_id"] for _, fields in events(world.market)] == [good.id]
    assert world.purchase(good)[1] == world.purchase(has_it)[1] == 0b0001
    assert world.purchase(done)[1] == 0b0011
    assert world.purchase(never_sent)[0] == PurchaseStatus.NONE


def test_deliver__sixty_four_at_once__all_count(world: World) -> None:
    listing = world.create_listing()
    purchases = [world.buy(listing) for _ in range(64)]
    world.deliver(purchases, 2)
    assert len(events(world.market)) == 64
    assert {world.purchase(it)[1] for it in purchases} == {0b0010}


def test_deliver__direct_mode__one_part_is_enough(world: World) -> None:
    purchase = world.buy(world.create_listing(0))
    world.deliver(purchase, 1)
    assert world.purchase(purchase)[:2] == (PurchaseStatus.DELIVERED, 1)


# ----------------------------------------------------------------- settling


def settled(w: World, listing: Listing, **more: Any) -> Purchase:
    purchase = w.buy(listing, **more)
    w.deliver(purchase, 4, 2)
    boa.env.timestamp = w.purchase(purchase)[2] + 1
    w.settle(purchase)
    return purchase


def test_settle__inspection_over__pays_everybody(world: World) -> None:
    listing = world.create_listing()
    purchase = settled(world, listing)
    assert events(world.market) == [
        (
            "Settled",
            {
                "purchase_id": purchase.id,
                "custody_id": listing.custody_id,
                "paid_out": PRICE - PROTOCOL_FEE,
            },
        )
    ]
    assert world.purchase(purchase)[:2] == (PurchaseStatus.SETTLED, 0b1010)
    entries = {it: world.entry(world.market, it) for it in listing.custodians}
    assert list(entries.values()) == [0, FEE, 0, FEE]
    assert world.entry(world.market, world.payee) == PRICE - PROTOCOL_FEE
    assert world.entry(world.market, world.treasury) == PROTOCOL_FEE
    assert money(world) == COST


def test_settle__batch_of_different_deliveries__adds_up(world: World) -> None:
    listing = world.create_listing()
    one, two, three = (world.buy(listing) for _ in range(3))
    world.deliver(one, 1, 2)
    world.deliver(two, 4, 2)
    world.deliver(three, 3)
    ready = world.bought_and_delivered(listing)
    boa.env.timestamp = world.purchase(ready)[2] + 1
    late = world.draft_purchase(listing)
    world.settle(one, three, late, two, one, ready)
    assert [fields["purchase_id"] for _, fields in events(world.market)] == [
        one.id,
        two.id,
        ready.id,
    ]
    assert [world.entry(world.market, it) for it in listing.custodians] == [
        2 * FEE,
        3 * FEE,
        0,
        FEE,
    ]
    assert world.entry(world.market, world.payee) == 3 * (PRICE - PROTOCOL_FEE)
    assert world.purchase(three)[0] == PurchaseStatus.PAID


@pytest.mark.parametrize(("price", "fee"), [(1, 0), (49, 0), (50, 1), (2**128 - 1, None)])
def test_settle__rounding_and_extremes__lose_nothing(
    world: World, price: int, fee: int | None
) -> None:
    world.token.mint(world.buyer, 2**129)
    world.token.approve(world.market, 2**130, sender=world.buyer)
    listing = world.create_listing(price=price)
    settled(world, listing)
    fee = price * FEE_BPS // 10_000 if fee is None else fee
    assert world.entry(world.market, world.treasury) == fee
    assert world.entry(world.market, world.payee) == price - fee
    assert money(world) == price + 2 * FEE


def test_settle__largest_fee_and_three_custodians__pays_each(world: World) -> None:
    world.token.mint(world.buyer, 2**131)
    world.token.approve(world.market, 2**131, sender=world.buyer)
    listing = world.create_listing(5, threshold=3, fee=2**128 - 1)
    purchase = world.bought_and_delivered(listing)
    boa.env.timestamp = world.purchase(purchase)[2] + 1
    world.settle(purchase)
    assert [world.entry(world.market, it) for it in listing.custodians] == [
        *[2**128 - 1] * 3,
        0,
        0,
    ]


def test_confirm__by_the_buyer__settles_at_once(world: World) -> None:
    listing = world.create_listing()
    purchase = world.bought_and_delivered(listing)
    world.confirm(purchase)
    assert events(world.market) == [
        (
            "Settled",
            {
                "purchase_id": purchase.id,
                "custody_id": listing.custody_id,
                "paid_out": PRICE - PROTOCOL_FEE,
            },
        )
    ]
    assert world.purchase(purchase)[0] == PurchaseStatus.SETTLED
    assert [world.entry(world.market, it) for it in listing.custodians] == [FEE, FEE, 0, 0]


# ---------------------------------------------------------------- refunding


def test_refund__nobody_delivered__pays_back_closes_and_fines(world: World) -> None:
    listing = world.create_listing()
    purchase = world.buy(listing)
    boa.env.timestamp = world.purchase(purchase)[2] + 1
    world.refund(purchase)
    assert events(world.market) == [
        ("Refunded", {"purchase_id": purchase.id, "buyer": world.buyer, "amount": COST})
    ]
    assert world.purchase(purchase)[0] == PurchaseStatus.REFUNDED
    assert world.entry(world.market, world.buyer) == COST
    state = world.custody(listing)
    assert (state["status"], state["fined"]) == (CustodyStatus.CLOSED, 0b1111)
    assert world.entry(world.staking, ZERO, world.stake_token) == 4 * PENALTY


def test_refund__one_delivered__fines_the_others(world: World) -> None:
    listing = world.create_listing()
    purchase = world.buy(listing)
    world.deliver(purchase, 3)
    boa.env.timestamp = world.purchase(purchase)[2] + 1
    world.refund(purchase)
    assert world.custody(listing)["fined"] == 0b1011


def test_refund__batch__skips_what_is_not_ready(world: World) -> None:
    listing = world.create_listing()
    late = world.buy(listing)
    delivered = world.bought_and_delivered(listing)
    boa.env.timestamp = world.purchase(late)[2]
    young = world.buy(listing)
    boa.env.timestamp += 1
    unknown = world.draft_purchase(listing)
    world.refund(delivered, late, young, unknown, late)
    assert [fields["purchase_id"] for _, fields in events(world.market)] == [late.id]
    assert world.entry(world.market, world.buyer) == COST
    assert world.purchase(young)[0] == PurchaseStatus.PAID
    assert world.purchase(delivered)[0] == PurchaseStatus.DELIVERED


def test_refund__nothing_ready__touches_no_custody(world: World) -> None:
    listing = world.create_listing()
    world.refund(world.buy(listing))
    assert world.custody(listing)["status"] == CustodyStatus.LIVE


def test_refund__direct_mode__fines_nobody_and_calls_no_staking(world: World) -> None:
    listing = world.create_listing(0)
    purchase = world.buy(listing)
    boa.env.timestamp = world.purchase(purchase)[2] + 1
    world.refund(purchase)
    assert world.custody(listing)["status"] == CustodyStatus.CLOSED
    assert world.entry(world.market, world.buyer) == PRICE + FEE


def test_refund__after_a_voucher__pays_back_what_was_paid(world: World) -> None:
    listing = world.create_listing()
    voucher = sign_voucher(listing, world.buyer, 5, world.now)
    purchase = world.buy(listing, voucher=voucher, price=5)
    boa.env.timestamp = world.purchase(purchase)[2] + 1
    world.refund(purchase)
    assert world.entry(world.market, world.buyer) == 5 + 2 * FEE
    assert money(world) == 5 + 2 * FEE


# --------------------------------------------------------------- disputing


@pytest.mark.parametrize("shard", [0, 1, 4], ids=["fresh", "wrapped", "the last"])
@pytest.mark.parametrize("threshold", [1, 2, 3])
def test_dispute__wrong_key__revokes_the_version_and_pays_the_buyer(
    world: World, threshold: int, shard: int
) -> None:
    content = make_content(5, 5, frozenset({shard}))
    listing = world.create_listing(5, threshold=threshold, content=content)
    purchase = world.buy(listing)
    order = range(5, 5 - threshold, -1)
    world.deliver(purchase, *order)
    evidence = world.draft_evidence(purchase, list(order), shard)
    world.dispute(purchase, evidence)
    assert events(world.market) == [
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
    assert world.version(listing)["status"] == VersionStatus.REVOKED
    assert world.entry(world.registry, world.buyer) == BOND // 2
    assert world.entry(world.registry, ZERO) == BOND - BOND // 2
    assert world.purchase(purchase)[0] == PurchaseStatus.DELIVERED
    world.refund(purchase)
    assert world.entry(world.market, world.buyer) == PRICE + threshold * FEE
    assert world.custody(listing)["fined"] == 0


def test_dispute__then_everybody__is_refunded_and_nobody_fined(world: World) -> None:
    listing = world.create_listing(content=make_content(5, 3, frozenset({0})))
    disputed = world.bought_and_delivered(listing)
    waiting = world.buy(listing, world.other_buyer)
    settled_before = world.bought_and_delivered(listing)
    world.confirm(settled_before)
    delivered = world.bought_and_delivered(listing, buyer=world.other_buyer)
    world.dispute(disputed)
    boa.env.timestamp += 10_000
    world.refund(disputed, waiting, settled_before, delivered)
    assert world.entry(world.market, world.buyer) == COST
    assert world.entry(world.market, world.other_buyer) == 2 * COST
    assert world.purchase(settled_before)[0] == PurchaseStatus.SETTLED
    assert world.custody(listing)["fined"] == 0
    assert world.custody(listing)["status"] == CustodyStatus.LIVE
    assert [world.locked(it) for it in listing.custodians] == [1_000] * 4
    world.release(listing)
    assert [world.locked(it) for it in listing.custodians] == [0] * 4


def test_dispute__retired_version__is_heard_until_the_inspection_ends(world: World) -> None:
    listing = world.create_listing(content=make_content(5, 3, frozenset({0})))
    purchase = world.bought_and_delivered(listing)
    world.retire(listing)
    world.dispute(purchase)
    assert world.version(listing)["status"] == VersionStatus.REVOKED


# -------------------------------------------------------------------- views


def test_is_reader__through_the_life_of_a_purchase__is_true_once_delivered(world: World) -> None:
    listing = world.create_listing()

    def is_reader(purchase: Purchase, account: str = world.buyer) -> bool:
        receipt = purchase.receipt.astuple()
        return bool(world.market.is_reader(listing.custody_id, receipt, account))

    purchase = world.draft_purchase(listing)
    assert not is_reader(purchase)
    world.send(purchase)
    assert not is_reader(purchase)
    world.deliver(purchase, 1, 2)
    assert is_reader(purchase)
    assert not is_reader(purchase, world.stranger)
    world.confirm(purchase)
    assert is_reader(purchase)
    late = world.buy(listing)
    boa.env.timestamp = world.purchase(late)[2] + 1
    world.refund(late)
    assert not is_reader(late)


def test_withdraw__by_anyone__pays_only_the_account(world: World) -> None:
    listing = world.create_listing()
    settled(world, listing)
    before = purse(world, world.stranger)
    for account in (world.payee, world.treasury, *listing.custodians):
        entry = world.entry(world.market, account)
        held = purse(world, account)
        assert world.market.withdraw(world.token, account, 0, sender=world.stranger) == entry
        assert purse(world, account) == held + entry
    assert money(world) == 0
    assert purse(world, world.stranger) == before
