# SPDX-License-Identifier: Apache-2.0
"""What the market refuses of rejecting, disputing a sealing, and ruling."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boa

from tests.utils.drafts import WINDOWS, Listing, make_content, sealing_arguments, word_of
from tests.utils.market import ZERO, MarketContracts
from tests.utils.market_refusals.common import Call, delivered, ready
from tests.utils.market_refusals.purchases import other_custodians, other_terms
from tests.utils.refusals import Refusals

refused = Refusals()

# --------------------------------------------------------------- rejecting


@refused("market: not the buyer")
def reject_for_the_buyer(w: MarketContracts) -> Call:
    purchase = delivered(w)
    return lambda: w.reject(purchase, sender=w.seller)


@refused("market: not delivered")
def reject_before_delivery(w: MarketContracts) -> Call:
    purchase = w.buy(w.create_listing())
    return lambda: w.reject(purchase)


@refused("market: not delivered")
def reject_twice(w: MarketContracts) -> Call:
    purchase = delivered(w)
    w.reject(purchase)
    return lambda: w.reject(purchase)


@refused("market: not delivered")
def reject_what_was_confirmed(w: MarketContracts) -> Call:
    purchase = delivered(w)
    w.confirm(purchase)
    return lambda: w.reject(purchase)


@refused("market: not delivered")
def reject_what_was_settled(w: MarketContracts) -> Call:
    purchase = ready(w)
    w.settle(purchase)
    return lambda: w.reject(purchase)


@refused("market: not delivered")
def reject_an_unknown_purchase(w: MarketContracts) -> Call:
    purchase = w.draft_purchase(w.create_listing())
    return lambda: w.reject(purchase)


@refused("market: inspection is over")
def reject_too_late(w: MarketContracts) -> Call:
    purchase = ready(w)
    return lambda: w.reject(purchase)


@refused("market: other terms")
def reject_to_another_payee(w: MarketContracts) -> Call:
    purchase = other_terms(w, delivered(w))
    return lambda: w.reject(purchase)


@refused("market: other terms")
def reject_with_another_guarantee(w: MarketContracts) -> Call:
    purchase = delivered(w)
    terms = replace(purchase.listing.terms, guarantee_bps=10_000)
    other = replace(purchase, listing=replace(purchase.listing, terms=terms))
    return lambda: w.reject(other)


@refused("market: other custodians")
def reject_to_other_custodians(w: MarketContracts) -> Call:
    purchase = other_custodians(w, delivered(w))
    return lambda: w.reject(purchase)


@refused("market: version is revoked")
def reject_when_revoked(w: MarketContracts) -> Call:
    purchase = delivered(w)
    w.dispute(purchase)
    return lambda: w.reject(purchase)


# -------------------------------------------------------- disputing sealings


def rotten(w: MarketContracts) -> Listing:
    return w.create_listing(content=make_content(7, 5, unsealed=frozenset({0, 1})))


@refused("market: shard is sealed")
def dispute_a_good_sealing(w: MarketContracts) -> Call:
    listing = rotten(w)
    return lambda: w.dispute_sealing(listing, 2)


@refused("market: shard is sealed")
def dispute_a_good_sealing_of_a_wrapped_shard(w: MarketContracts) -> Call:
    listing = rotten(w)
    return lambda: w.dispute_sealing(listing, 3)


@refused("registry: version has ended")
def dispute_a_sealing_twice(w: MarketContracts) -> Call:
    listing = rotten(w)
    w.dispute_sealing(listing, 0)
    return lambda: w.dispute_sealing(listing, 1)


@refused("registry: version has ended")
def dispute_the_sealing_of_what_was_never_listed(w: MarketContracts) -> Call:
    listing = w.draft_listing(content=make_content(7, 5, unsealed=frozenset({0})))
    return lambda: w.dispute_sealing(listing, 0)


@refused("registry: version has ended")
def dispute_the_sealing_of_a_closed_version(w: MarketContracts) -> Call:
    listing = rotten(w)
    close(w, listing)
    return lambda: w.dispute_sealing(listing, 0)


@refused("registry: version has ended")
def dispute_a_sealing_under_another_root(w: MarketContracts) -> Call:
    listing = w.create_listing()
    content = make_content(7, 5, unsealed=frozenset({0}))
    terms = replace(listing.terms, root=content.tree.root, shard_count=5)
    other = replace(listing, terms=terms, content=content)
    return lambda: w.dispute_sealing(other, 0)


def close(w: MarketContracts, listing: Listing) -> None:
    w.retire(listing)
    boa.env.timestamp += WINDOWS + 1
    w.close_version(listing)


Opened = tuple[Any, ...]
for what, spoil in {
    "another key": lambda shard, data: ((shard[0], word_of("k"), *shard[2:]), data),
    "another wrap word": lambda shard, data: ((*shard[:2], word_of("w"), shard[3]), data),
    "another index": lambda shard, data: ((1, *shard[1:]), data),
    "padding": lambda shard, data: ((5, *shard[1:]), data),
    "the next index with the same position": lambda shard, data: ((8, *shard[1:]), data),
    "a path too long": lambda shard, data: ((*shard[:3], [*shard[3], bytes(32)]), data),
    "a path too short": lambda shard, data: ((*shard[:3], shard[3][:-1]), data),
    "another path": lambda shard, data: ((*shard[:3], shard[3][::-1]), data),
    "another ciphertext": lambda shard, data: (shard, bytes(4_096)),
    "half of the ciphertext": lambda shard, data: (shard, data[:2_048]),
    "a byte more": lambda shard, data: (shard, data + b"\0"),
    "nothing": lambda shard, data: (shard, b""),
}.items():

    @refused("judge: shard not committed")
    def dispute_the_sealing_of_something_not_committed(
        w: MarketContracts, spoil: Callable[..., Any] = spoil, what: str = what
    ) -> Call:
        terms, shard, data = sealing_arguments(rotten(w), 0)
        return lambda: w.market.dispute_sealing(terms, *spoil(shard, data), sender=w.stranger)


@refused("")
def dispute_the_sealing_of_an_index_beyond_32_bits(w: MarketContracts) -> Call:
    terms, shard, data = sealing_arguments(rotten(w), 0)
    return lambda: w.market.dispute_sealing(terms, (2**32, *shard[1:]), data, sender=w.stranger)


# ------------------------------------------------------------------ ruling


@refused("market: not the arbiter")
def rule_without_being_named(w: MarketContracts) -> Call:
    listing = w.create_listing(arbiter=w.gate)
    return lambda: w.rule(listing, sender=w.seller)


@refused("market: not the arbiter")
def rule_where_nobody_is_named(w: MarketContracts) -> Call:
    listing = w.create_listing()
    return lambda: w.rule(listing, sender=w.seller)


@refused("registry: version has ended")
def rule_under_terms_that_name_oneself(w: MarketContracts) -> Call:
    listing = w.create_listing(arbiter=w.gate)
    own = replace(listing, terms=replace(listing.terms, arbiter=w.stranger))
    return lambda: w.rule(own)


@refused("market: nobody to reward")
def rule_for_nobody(w: MarketContracts) -> Call:
    listing = w.create_listing(arbiter=w.gate)
    return lambda: w.market.rule(listing.terms.astuple(), ZERO, sender=w.gate)


@refused("registry: version has ended")
def rule_twice(w: MarketContracts) -> Call:
    listing = w.create_listing(arbiter=w.gate)
    w.rule(listing)
    return lambda: w.rule(listing)


@refused("registry: version has ended")
def rule_when_the_bond_is_out(w: MarketContracts) -> Call:
    listing = w.create_listing(arbiter=w.gate)
    close(w, listing)
    return lambda: w.rule(listing)


@refused("registry: version has ended")
def rule_on_what_was_never_listed(w: MarketContracts) -> Call:
    listing = w.draft_listing(arbiter=w.gate)
    return lambda: w.rule(listing)
