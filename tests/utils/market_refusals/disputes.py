# SPDX-License-Identifier: Apache-2.0
"""What the market refuses of disputes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.utils.drafts import Evidence, Purchase, scalar, word_of
from tests.utils.market import MarketContracts
from tests.utils.market_refusals.common import Call, delivered, ready
from tests.utils.refusals import Refusals
from truthmark.keys.curve import G, N, add, multiply, negate, slope

refused = Refusals()


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
