# SPDX-License-Identifier: Apache-2.0
"""What the market refuses of buying, delivering, settling and paying out."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boa

from tests.utils.drafts import (
    INSPECTION,
    PRICE,
    WINDOWS,
    Purchase,
    deliver_arguments,
    make_part,
    word_of,
)
from tests.utils.market import ZERO, MarketContracts
from tests.utils.market_refusals.common import Call, delivered, ready
from tests.utils.permits import sign_admission, sign_voucher
from tests.utils.refusals import Refusals
from truthmark.keys.curve import G, N, P, add, negate
from truthmark.keys.proofs import KnowledgeProof
from truthmark.types import Point

refused = Refusals()


# --------------------------------------------------------------------- buy


@refused("market: entries are paused")
def buy_while_paused(w: MarketContracts) -> Call:
    purchase = w.draft_purchase(w.create_listing())
    w.registry.pause(sender=w.owner)
    return lambda: w.send(purchase)


@refused("market: version not for sale")
def buy_a_paused_version(w: MarketContracts) -> Call:
    listing = w.create_listing()
    w.registry.set_version_paused(listing.terms.astuple(), True, sender=w.seller)
    return lambda: w.buy(listing)


@refused("market: version not for sale")
def buy_a_retired_version(w: MarketContracts) -> Call:
    listing = w.create_listing()
    w.retire(listing)
    return lambda: w.buy(listing)


@refused("market: version not for sale")
def buy_an_unknown_version(w: MarketContracts) -> Call:
    listing = w.draft_listing()
    return lambda: w.buy(listing)


@refused("market: other terms")
def buy_with_the_custody_of_another_version(w: MarketContracts) -> Call:
    listing = w.create_listing()
    other = w.create_listing(manifest=word_of("other"))
    return lambda: w.buy(replace(listing, custody=other.custody))


@refused("market: custody not live")
def buy_before_custody_is_complete(w: MarketContracts) -> Call:
    listing = w.list_version(w.draft_listing())
    w.accept(listing, 1)
    return lambda: w.buy(listing)


@refused("market: custody not live")
def buy_from_an_invented_custody(w: MarketContracts) -> Call:
    listing = w.create_listing()
    invented = replace(listing.custody, fee=0)
    return lambda: w.buy(listing.with_custody(invented))


@refused("market: custody not live")
def buy_from_a_closed_custody(w: MarketContracts) -> Call:
    listing = w.create_listing()
    late = w.buy(listing)
    boa.env.timestamp = w.purchase(late)[2] + 1
    w.refund(late)
    return lambda: w.buy(listing)


@refused("market: custody ends too soon")
def buy_shortly_before_the_end(w: MarketContracts) -> Call:
    listing = w.create_listing()
    boa.env.timestamp = listing.custody.end - WINDOWS + 1
    return lambda: w.buy(listing)


@refused("market: other price")
def buy_for_less(w: MarketContracts) -> Call:
    listing = w.create_listing()
    return lambda: w.buy(listing, price=PRICE - 1)


@refused("market: other price")
def buy_for_more(w: MarketContracts) -> Call:
    listing = w.create_listing()
    return lambda: w.buy(listing, price=PRICE + 1)


@refused("market: other price")
def buy_with_a_voucher_for_another_price(w: MarketContracts) -> Call:
    listing = w.create_listing()
    voucher = sign_voucher(listing, w.buyer, 5, w.now)
    return lambda: w.buy(listing, voucher=voucher)


@refused("market: voucher expired")
def buy_with_an_expired_voucher(w: MarketContracts) -> Call:
    listing = w.create_listing()
    voucher = sign_voucher(listing, w.buyer, 5, w.now - 1)
    return lambda: w.buy(listing, voucher=voucher, price=5)


@refused("market: voucher above price")
def buy_with_a_voucher_above_the_list_price(w: MarketContracts) -> Call:
    listing = w.create_listing()
    voucher = sign_voucher(listing, w.buyer, PRICE + 1, w.now)
    return lambda: w.buy(listing, voucher=voucher, price=PRICE + 1)


@refused("market: voucher used")
def buy_twice_with_one_voucher(w: MarketContracts) -> Call:
    listing = w.create_listing()
    voucher = sign_voucher(listing, w.buyer, 5, w.now)
    w.buy(listing, voucher=voucher, price=5)
    return lambda: w.buy(listing, voucher=voucher, price=5)


@refused("market: voucher not signed")
def buy_with_a_voucher_of_a_stranger(w: MarketContracts) -> Call:
    listing = w.create_listing()
    voucher = sign_voucher(listing, w.buyer, 5, w.now, signer="stranger")
    return lambda: w.buy(listing, voucher=voucher, price=5)


@refused("market: admission expired")
def buy_without_an_admission(w: MarketContracts) -> Call:
    listing = w.create_listing(gate=w.gate)
    return lambda: w.buy(listing)


@refused("market: admission expired")
def buy_with_an_expired_admission(w: MarketContracts) -> Call:
    listing = w.create_listing(gate=w.gate)
    return lambda: w.buy(listing, admission=sign_admission(listing, w.buyer, w.now - 1))


@refused("market: not admitted")
def buy_with_an_admission_of_another(w: MarketContracts) -> Call:
    listing = w.create_listing(gate=w.gate)
    admission = sign_admission(listing, w.other_buyer, w.now)
    return lambda: w.buy(listing, admission=admission)


@refused("market: buyer key not proven")
def buy_with_a_false_proof(w: MarketContracts) -> Call:
    listing = w.create_listing()
    return lambda: w.buy(listing, proof=KnowledgeProof(1, 1))


@refused("market: buyer key not proven")
def buy_with_the_zero_proof(w: MarketContracts) -> Call:
    listing = w.create_listing()
    return lambda: w.buy(listing, proof=KnowledgeProof(0, 0))


@refused("curve: wrong slope")
def buy_with_a_wrong_slope(w: MarketContracts) -> Call:
    purchase = w.draft_purchase(w.create_listing())
    order = (*purchase.order[:5], (purchase.order[5] + 1) % P)
    return lambda: w.send(replace(purchase, order=order))


@refused("market: bought already")
def buy_the_same_twice(w: MarketContracts) -> Call:
    purchase = w.buy(w.create_listing())
    return lambda: w.send(purchase)


@refused("erc20: insufficient allowance")
def buy_without_allowance(w: MarketContracts) -> Call:
    listing = w.create_listing()
    w.token.approve(w.market, 0, sender=w.buyer)
    return lambda: w.buy(listing)


# ----------------------------------------------------------------- deliver


def deliver_with(w: MarketContracts, **changed: Any) -> Call:
    purchase = w.buy(w.create_listing())
    arguments = deliver_arguments(purchase.listing, 1, [make_part(purchase, 1)], **changed)
    return lambda: w.market.deliver(*arguments, sender=w.stranger)


for name, value in {
    "custody_id": word_of("another custody"),
    "index": 2,
    "share_key": tuple(G),
    "threshold": 1,
    "inspection_seconds": INSPECTION - 1,
}.items():

    @refused("market: not as accepted")
    def deliver_other_than_accepted(
        w: MarketContracts, name: str = name, value: Any = value
    ) -> Call:
        return deliver_with(w, **{name: value})


for index in (0, 5, 17, 2**255):

    @refused("market: not as accepted")
    def deliver_as_nobody(w: MarketContracts, index: int = index) -> Call:
        return deliver_with(w, index=index)


@refused("market: not as accepted")
def deliver_with_the_empty_acceptance(w: MarketContracts) -> Call:
    # The hash of what nobody accepted is zero, which nobody can hash to.
    return deliver_with(w, share_key=(0, 0), threshold=0, inspection_seconds=0, index=9)


def spoiled(w: MarketContracts, change: Callable[[Any], Any]) -> Call:
    purchase = w.buy(w.create_listing())
    part = make_part(purchase, 1)
    changed = deliver_arguments(purchase.listing, 1, [change(part)])
    return lambda: w.market.deliver(*changed, sender=w.stranger)


@refused("market: wrong proof")
def deliver_another_point(w: MarketContracts) -> Call:
    return spoiled(w, lambda part: replace(part, point=add(part.point, G)))


@refused("market: wrong proof")
def deliver_the_negative_point(w: MarketContracts) -> Call:
    return spoiled(w, lambda part: replace(part, point=negate(part.point)))


@refused("market: wrong proof")
def deliver_infinity(w: MarketContracts) -> Call:
    return spoiled(w, lambda part: replace(part, point=Point(0, 0)))


@refused("market: wrong proof")
def deliver_a_point_off_the_curve(w: MarketContracts) -> Call:
    return spoiled(w, lambda part: replace(part, point=Point(part.point.x, part.point.y ^ 2)))


@refused("market: wrong proof")
def deliver_with_another_challenge(w: MarketContracts) -> Call:
    return spoiled(
        w,
        lambda part: replace(
            part, proof=part.proof._replace(challenge=(part.proof.challenge + 1) % N)
        ),
    )


@refused("curve: wrong slope")
def deliver_with_a_wrong_slope(w: MarketContracts) -> Call:
    return spoiled(
        w, lambda part: replace(part, proof=part.proof._replace(slope=part.proof.slope ^ 1))
    )


@refused("market: wrong proof")
def deliver_one_wrong_part_among_good_ones(w: MarketContracts) -> Call:
    listing = w.create_listing()
    purchases = [w.buy(listing) for _ in range(3)]
    parts = [make_part(purchase, 1) for purchase in purchases]
    parts[2] = replace(parts[2], point=G)
    arguments = deliver_arguments(listing, 1, parts)
    return lambda: w.market.deliver(*arguments, sender=w.stranger)


# ------------------------------------------------------- settle and confirm


def other_terms(w: MarketContracts, purchase: Purchase) -> Purchase:
    terms = replace(purchase.listing.terms, payee=w.stranger)
    return replace(purchase, listing=replace(purchase.listing, terms=terms))


def other_custodians(w: MarketContracts, purchase: Purchase) -> Purchase:
    listing = replace(purchase.listing, custodians=w.custodians[1:])
    return replace(purchase, listing=listing)


@refused("market: other terms")
def settle_to_another_payee(w: MarketContracts) -> Call:
    purchase = other_terms(w, ready(w))
    return lambda: w.settle(purchase)


@refused("market: other custodians")
def settle_to_other_custodians(w: MarketContracts) -> Call:
    purchase = other_custodians(w, ready(w))
    return lambda: w.settle(purchase)


@refused("market: version is revoked")
def settle_when_revoked(w: MarketContracts) -> Call:
    purchase = delivered(w)
    w.dispute(purchase)
    boa.env.timestamp = w.purchase(purchase)[2] + 1
    return lambda: w.settle(purchase)


@refused("market: not the buyer")
def confirm_for_the_buyer(w: MarketContracts) -> Call:
    purchase = delivered(w)
    return lambda: w.confirm(purchase, sender=w.seller)


@refused("market: not delivered")
def confirm_before_delivery(w: MarketContracts) -> Call:
    purchase = w.buy(w.create_listing())
    return lambda: w.confirm(purchase)


@refused("market: not delivered")
def confirm_twice(w: MarketContracts) -> Call:
    purchase = delivered(w)
    w.confirm(purchase)
    return lambda: w.confirm(purchase)


@refused("market: not delivered")
def confirm_an_unknown_purchase(w: MarketContracts) -> Call:
    purchase = w.draft_purchase(w.create_listing())
    return lambda: w.confirm(purchase)


@refused("market: other terms")
def confirm_to_another_payee(w: MarketContracts) -> Call:
    purchase = other_terms(w, delivered(w))
    return lambda: w.confirm(purchase)


@refused("market: other custodians")
def confirm_to_other_custodians(w: MarketContracts) -> Call:
    purchase = other_custodians(w, delivered(w))
    return lambda: w.confirm(purchase)


@refused("market: version is revoked")
def confirm_when_revoked(w: MarketContracts) -> Call:
    purchase = delivered(w)
    w.dispute(purchase)
    return lambda: w.confirm(purchase)


@refused("market: other terms")
def refund_with_another_token(w: MarketContracts) -> Call:
    purchase = w.buy(w.create_listing())
    terms = replace(purchase.listing.terms, token=w.stake_token.address)
    other = replace(purchase, listing=replace(purchase.listing, terms=terms))
    boa.env.timestamp = w.purchase(purchase)[2] + 1
    return lambda: w.refund(other)


# ---------------------------------------------------------------- withdraw


@refused("ledger: burned for good")
def withdraw_what_was_burned(w: MarketContracts) -> Call:
    return lambda: w.market.withdraw(w.token, ZERO, 0, sender=w.stranger)
