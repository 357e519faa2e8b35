# SPDX-License-Identifier: Apache-2.0
"""What DatasetMarket and DeliveryProofs refuse, each reason by name, held against the sources."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boa
import pytest

from tests.utils.contracts import reasons, reverts
from tests.utils.drafts import (
    INSPECTION,
    PRICE,
    WINDOWS,
    Evidence,
    Place,
    Purchase,
    deliver_arguments,
    make_content,
    make_part,
    scalar,
    sign_admission,
    sign_voucher,
    word_of,
)
from tests.utils.market import ZERO, MarketContracts, contracts, deployed_contracts
from tests.utils.refusals import Refusals
from tests.utils.tokens import deployer
from truthmark.keys.curve import G, N, P, add, lift_x, multiply, negate, slope, subtract
from truthmark.keys.proofs import KnowledgeProof, prove_buyer_key
from truthmark.types import Point

__all__ = ["contracts", "deployed_contracts"]

Call = Callable[[], Any]
Setup = Callable[[MarketContracts], Call]
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


def delivered(w: MarketContracts) -> Purchase:
    return w.bought_and_delivered(w.create_listing(content=make_content(5, 3, frozenset({0}))))


def ready(w: MarketContracts) -> Purchase:
    purchase = delivered(w)
    boa.env.timestamp = w.purchase(purchase)[2] + 1
    return purchase


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


# ------------------------------------------------------------------ dispute


def dispute_with(w: MarketContracts, change: Callable[[Evidence, Purchase], None]) -> Call:
    purchase = delivered(w)
    evidence = w.draft_evidence(purchase)
    change(evidence, purchase)
    return lambda: w.dispute(purchase, evidence)


@refused("market: other terms")
def dispute_with_another_root(w: MarketContracts) -> Call:
    purchase = delivered(w)
    evidence = w.draft_evidence(purchase)
    terms = replace(purchase.listing.terms, root=word_of("root"))
    other = replace(purchase, listing=replace(purchase.listing, terms=terms))
    return lambda: w.dispute(other, evidence)


@refused("market: not delivered")
def dispute_before_delivery(w: MarketContracts) -> Call:
    purchase = w.buy(w.create_listing())
    evidence = w.draft_evidence(purchase)
    return lambda: w.dispute(purchase, evidence)


@refused("market: not delivered")
def dispute_after_confirming(w: MarketContracts) -> Call:
    purchase = delivered(w)
    w.confirm(purchase)
    evidence = w.draft_evidence(purchase)
    return lambda: w.dispute(purchase, evidence)


@refused("market: inspection is over")
def dispute_too_late(w: MarketContracts) -> Call:
    purchase = ready(w)
    evidence = w.draft_evidence(purchase)
    return lambda: w.dispute(purchase, evidence)


@refused("registry: version has ended")
def dispute_twice(w: MarketContracts) -> Call:
    purchase = delivered(w)
    w.dispute(purchase)
    return lambda: w.dispute(purchase)


@refused("proofs: not what was delivered")
def dispute_with_a_part_of_another_purchase(w: MarketContracts) -> Call:
    purchase = delivered(w)
    other = w.bought_and_delivered(purchase.listing)
    foreign = w.draft_evidence(other)
    evidence = w.draft_evidence(purchase)
    evidence.parts = foreign.parts
    return lambda: w.dispute(purchase, evidence)


@refused("proofs: not what was delivered")
def dispute_with_too_few_parts(w: MarketContracts) -> Call:
    return dispute_with(w, lambda evidence, _: evidence.parts.pop())


@refused("proofs: not what was delivered")
def dispute_with_no_parts(w: MarketContracts) -> Call:
    return dispute_with(w, lambda evidence, _: evidence.parts.clear())


@refused("proofs: not what was delivered")
def dispute_with_the_parts_in_another_order(w: MarketContracts) -> Call:
    return dispute_with(w, lambda evidence, _: evidence.parts.reverse())


@refused("proofs: not what was delivered")
def dispute_with_one_part_twice(w: MarketContracts) -> Call:
    return dispute_with(w, lambda evidence, _: evidence.parts.append(evidence.parts[0]))


@refused("proofs: not what was delivered")
def dispute_with_another_index(w: MarketContracts) -> Call:
    def change(evidence: Evidence, _: Purchase) -> None:
        evidence.parts[1][0] = 3

    return dispute_with(w, change)


@refused("proofs: not what was delivered")
def dispute_with_a_part_that_was_not_counted(w: MarketContracts) -> Call:
    purchase = delivered(w)
    evidence = w.draft_evidence(purchase, [1, 3])
    return lambda: w.dispute(purchase, evidence)


@refused("proofs: wrong weight")
def dispute_with_a_wrong_weight(w: MarketContracts) -> Call:
    def change(evidence: Evidence, _: Purchase) -> None:
        evidence.parts[0][2] = (evidence.parts[0][2] + 1) % N

    return dispute_with(w, change)


@refused("proofs: wrong weight")
def dispute_with_a_weight_above_n(w: MarketContracts) -> Call:
    def change(evidence: Evidence, _: Purchase) -> None:
        evidence.parts[0][2] += N  # 2 + N still fits a word

    return dispute_with(w, change)


@refused("proofs: wrong multiple")
def dispute_with_a_wrong_multiple(w: MarketContracts) -> Call:
    def change(evidence: Evidence, _: Purchase) -> None:
        evidence.parts[1][3] = negate(evidence.parts[1][3])

    return dispute_with(w, change)


@refused("curve: wrong slope")
def dispute_with_a_wrong_slope_of_the_parts(w: MarketContracts) -> Call:
    def change(evidence: Evidence, _: Purchase) -> None:
        evidence.parts[1][4] ^= 1

    return dispute_with(w, change)


@refused("proofs: wrong buyer key")
def dispute_with_another_secret(w: MarketContracts) -> Call:
    def change(evidence: Evidence, _: Purchase) -> None:
        evidence.secret += 1

    return dispute_with(w, change)


@refused("curve: wrong slope")
def dispute_with_a_wrong_slope_of_the_buyer_key(w: MarketContracts) -> Call:
    def change(evidence: Evidence, _: Purchase) -> None:
        evidence.buyer_slope ^= 1

    return dispute_with(w, change)


@refused("proofs: not the buyer's secret")
def dispute_with_the_secret_of_another_purchase(w: MarketContracts) -> Call:
    def change(evidence: Evidence, purchase: Purchase) -> None:
        content = purchase.listing.content
        evidence.secret = scalar("another secret")
        evidence.buyer_key = multiply(evidence.secret)
        evidence.buyer_slope = slope(content.base, evidence.buyer_key)
        evidence.blinding = multiply(evidence.secret, content.key)

    return dispute_with(w, change)


@refused("proofs: wrong blinding")
def dispute_with_a_wrong_blinding(w: MarketContracts) -> Call:
    def change(evidence: Evidence, _: Purchase) -> None:
        evidence.blinding = add(evidence.blinding, G)

    return dispute_with(w, change)


@refused("curve: wrong slope")
def dispute_with_a_wrong_slope_of_the_key(w: MarketContracts) -> Call:
    def change(evidence: Evidence, _: Purchase) -> None:
        evidence.key_slope ^= 1

    return dispute_with(w, change)


for place, spoil in {
    "another ciphertext": lambda shard: [shard[0], word_of("c"), *shard[2:]],
    "another key hash": lambda shard: [*shard[:2], word_of("k"), *shard[3:]],
    "a wrap word": lambda shard: [*shard[:3], word_of("w"), shard[4]],
    "another index": lambda shard: [1, *shard[1:]],
    "padding": lambda shard: [3, *shard[1:]],
    "the next index with the same position": lambda shard: [4, *shard[1:]],
    "a path too long": lambda shard: [*shard[:4], [*shard[4], bytes(32)]],
    "a path too short": lambda shard: [*shard[:4], shard[4][:-1]],
    "another path": lambda shard: [*shard[:4], shard[4][::-1]],
}.items():

    @refused("proofs: shard not committed")
    def dispute_about_something_not_committed(
        w: MarketContracts, spoil: Callable[[Any], Any] = spoil, place: str = place
    ) -> Call:
        def change(evidence: Evidence, _: Purchase) -> None:
            evidence.shard = spoil(evidence.shard)

        return dispute_with(w, change)


@refused("proofs: key opens the shard")
def dispute_about_a_good_shard(w: MarketContracts) -> Call:
    purchase = delivered(w)
    evidence = w.draft_evidence(purchase, shard=1)
    return lambda: w.dispute(purchase, evidence)


@refused("")
def dispute_about_an_index_beyond_32_bits(w: MarketContracts) -> Call:
    def change(evidence: Evidence, _: Purchase) -> None:
        evidence.shard[0] = 2**32

    return dispute_with(w, change)


# ---------------------------------------------------------------- withdraw


@refused("ledger: burned for good")
def withdraw_what_was_burned(w: MarketContracts) -> Call:
    return lambda: w.market.withdraw(w.token, ZERO, 0, sender=w.stranger)


@pytest.mark.parametrize(("reason", "setup"), refused.cases)
def test_market__call_that_it_refuses__says_why(
    contracts: MarketContracts, reason: str, setup: Setup
) -> None:
    call = setup(contracts)
    with reverts(contracts.market, reason):
        call()


# Two keys of a buyer that only an attacker would make: Y with the x of B, and U.x from N.


def test_buy__key_with_the_x_of_the_base__is_not_provable(contracts: MarketContracts) -> None:
    # Nobody knows the logarithm of B, so the proof fails before the sum is looked at.
    listing = contracts.create_listing()
    good = contracts.draft_purchase(listing)
    for key in (listing.content.base, negate(listing.content.base)):
        order = (*good.order[:2], tuple(key), *good.order[3:])
        with reverts(contracts.market, "market: buyer key not proven"):
            contracts.send(replace(good, order=order))


def test_buy__sum_that_no_proof_could_use__is_refused(contracts: MarketContracts) -> None:
    # U.x from N to P happens once in 2^128 keys. So B is written into a version's terms that were
    # never checked: a registry of its own that says every version is open and every custody live.
    market, listing = market_without_checks(contracts)
    large = next(q for x in range(N, N + 100) if (q := lift_x(x)) is not None)
    secret = 5
    terms = replace(listing.terms, base=subtract(large, multiply(secret)))
    listing = replace(
        listing,
        terms=terms,
        custody=replace(listing.custody, terms_id=terms.terms_id),
        place=Place(listing.place.chain_id, listing.place.registry, str(market.address)),
    )
    purchase = purchase_with(contracts, listing, secret)
    with reverts(market, "market: unlucky buyer key"):
        market.buy(*purchase, sender=contracts.buyer)
    fitting = replace(terms, base=multiply(7))
    listing = replace(
        listing, terms=fitting, custody=replace(listing.custody, terms_id=fitting.terms_id)
    )
    market.buy(*purchase_with(contracts, listing, secret), sender=contracts.buyer)
    equal = replace(terms, base=multiply(secret))
    listing = replace(
        listing, terms=equal, custody=replace(listing.custody, terms_id=equal.terms_id)
    )
    with reverts(market, "curve: equal x"):
        market.buy(*purchase_with(contracts, listing, secret), sender=contracts.buyer)


GULLIBLE = """
# pragma version 0.4.3
@external
@view
def status(terms_id: bytes32, custody_id: bytes32) -> (uint256, uint256, bool):
    # An open version for nothing, a live custody that never ends.
    return 1, 2 | ((2**40 - 1) << 104), False
"""


def market_without_checks(w: MarketContracts) -> tuple[Any, Any]:
    registry = boa.loads(GULLIBLE)
    market = deployer("DatasetMarket").deploy(registry, w.proofs, w.treasury)
    return market, w.draft_listing(price=0, fee=0)


def purchase_with(w: MarketContracts, listing: Any, secret: int) -> tuple[Any, ...]:
    key, salt = multiply(secret), word_of("salt")
    proof = prove_buyer_key(
        secret,
        chain_id=listing.place.chain_id,
        market=listing.place.market,
        custody_id=listing.custody_id,
        buyer=w.buyer,
        salt=salt,
    )
    order = (0, salt, tuple(key), *proof, slope(listing.terms.base, key))
    return (order, listing.terms.astuple(), listing.custody.astuple())


@pytest.mark.parametrize(
    ("reason", "place"),
    [
        ("market: registry is zero", 0),
        ("market: proofs is zero", 1),
        ("market: treasury is zero", 2),
    ],
)
def test_init__zero_address__is_refused(
    contracts: MarketContracts, reason: str, place: int
) -> None:
    arguments = [contracts.registry, contracts.proofs, contracts.treasury]
    arguments[place] = ZERO
    with boa.reverts(reason):
        deployer("DatasetMarket").deploy(*arguments)


OF_CONSTRUCTOR = {
    "market: registry is zero",
    "market: proofs is zero",
    "market: treasury is zero",
}
# By `test_buy__sum_that_no_proof_could_use__is_refused`.
BY_ITSELF = {"market: unlucky buyer key"}


def test_reasons__of_the_sources__are_all_hit_by_name() -> None:
    own = {reason for reason in refused.reasons if reason.startswith(("market: ", "proofs: "))}
    sources = reasons("DatasetMarket.vy") | reasons("DeliveryProofs.vy")
    assert own | OF_CONSTRUCTOR | BY_ITSELF == sources


def test_reasons__of_modules_that_the_market_uses__are_named_here_or_in_their_own_tests() -> None:
    # signatures, records and merkle answer with booleans; the curve's words are the additions'.
    for module in ("signatures", "records", "merkle"):
        assert reasons(f"modules/{module}.vy") == set()
    assert reasons("modules/secp256k1.vy") == {
        "curve: equal x",
        "curve: wrong slope",
        "curve: wrong tangent",
    }
