# SPDX-License-Identifier: Apache-2.0
"""What DatasetRegistry refuses, each reason by name; the table is held against the source."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boa
import pytest

from tests.utils.contracts import reasons, reverts
from tests.utils.drafts import (
    KEEPING_FEE,
    LOCK,
    PERIOD,
    WINDOWS,
    Listing,
    deal_shares,
    make_content,
    tuples,
    word_of,
)
from tests.utils.market import (
    MAX_WINDOW,
    MIN_WINDOW,
    START,
    ZERO,
    MarketContracts,
    contracts,
    deployed_contracts,
    edit_version,
)
from tests.utils.refusals import Refusals
from tests.utils.tokens import deployer
from truthmark.keys.curve import N, P, lift_x, multiply, negate
from truthmark.market.records import share_keys_hash
from truthmark.types import Point

__all__ = ["contracts", "deployed_contracts"]

Call = Callable[[], Any]
# What a case returns: the refused call, with its contract where that is not the registry.
Setup = Callable[[MarketContracts], Call | tuple[Any, Call]]
refused = Refusals()


# ------------------------------------------------------------ list_version


def listing_with(reason: str, *, n: int = 4, **overrides: Any) -> None:
    """Add a case: a listing with these terms, custody or price."""

    def setup(w: MarketContracts) -> Call:
        arguments = w.draft_listing(n, **overrides).list_arguments()
        return lambda: w.registry.list_version(*arguments, sender=w.seller)

    refused.add(reason, setup, f"list {overrides} n={n}")


def listing_sent_with(reason: str, **arguments: Any) -> None:
    """Add a case: a good listing, of which an argument of the call is changed."""

    def setup(w: MarketContracts) -> Call:
        listing = w.draft_listing()
        changed = {
            name: value(w, listing) if callable(value) else value
            for name, value in arguments.items()
        }
        sent = listing.list_arguments(**changed)
        return lambda: w.registry.list_version(*sent, sender=w.seller)

    refused.add(reason, setup, f"list with {list(arguments)}: {reason}")


def wrong_point(kind: str) -> Point:
    """Return a point that no contract takes."""
    good = multiply(5)
    large = next(q for x in range(N, N + 100) if (q := lift_x(x)) is not None)
    return {
        "infinity": Point(0, 0),
        "off the curve": Point(good.x, good.y ^ 2),
        "x from N": large,
        "y above P": Point(1, lift_x(1).y + P) if lift_x(1).y + P < 2**256 else Point(good.x, P),
    }[kind]


POINTS = ("infinity", "off the curve", "x from N", "y above P")

listing_with("listing: payee or token is zero", payee=ZERO)
listing_with("listing: payee or token is zero", token=ZERO)
listing_with("listing: nothing to sell", manifest=bytes(32))
listing_with("listing: nothing to sell", root=bytes(32))
listing_with("listing: bad shard count", shard_count=0)
listing_with("listing: bad shard count", shard_count=2**32)
listing_with("listing: no bounties yet", royalty_bps=1)
listing_with("listing: no bounties yet", bounty=1)
listing_with("registry: other protocol fee", fee_bps=201)
listing_with("registry: other protocol fee", fee_bps=0)
listing_with("listing: bond too large", bond=2**128)
listing_with("listing: price too large", price=2**128)
listing_with("listing: window out of bounds", delivery_seconds=MIN_WINDOW - 1)
listing_with("listing: window out of bounds", inspection_seconds=MIN_WINDOW - 1)
listing_with("listing: window out of bounds", delivery_seconds=MAX_WINDOW + 1)
listing_with("listing: window out of bounds", inspection_seconds=MAX_WINDOW + 1)
listing_with("listing: wrong base", base=multiply(1234))
listing_with("listing: wrong base", base=negate(make_content().base))
for kind in POINTS:
    listing_with("listing: key not proven", public_key=wrong_point(kind))
    listing_with("listing: wrong base", base=wrong_point(kind))
    listing_with(
        "listing: bad share key",
        share_keys=(
            *map(multiply, deal_shares(0, make_content().secret, 2, 4)[:3]),
            wrong_point(kind),
        ),
    )
listing_with("registry: other terms", terms_id=word_of("other terms"))
listing_with("registry: wrong epoch", epoch=1)
listing_with("registry: wrong epoch", epoch=2**256 - 1)
listing_with("listing: wrong count", count=3)
listing_with("listing: wrong count", count=5)
listing_with("listing: bad threshold", threshold=3)
listing_with("listing: bad threshold", n=2, threshold=2)
listing_sent_with(
    "listing: bad threshold",
    custody=lambda w, it: replace(it.custody, threshold=0).astuple(),
)
listing_sent_with(
    "listing: bad threshold",
    custody=lambda w, it: replace(it.custody, threshold=2**255).astuple(),
)
listing_with("listing: fee too large", fee=2**128)
listing_with("listing: fee too large", keeping_fee=2**128)
listing_with("listing: penalty above lock", penalty=LOCK + 1)
listing_with("listing: bad acceptance window", accept_until=START - 1)
listing_with("listing: bad acceptance window", accept_until=START + 7 * 86_400 + 1)
listing_with("listing: bad period", end=START + 1_000 + WINDOWS - 1)
listing_with("listing: bad period", last_end=START + 1_000 + PERIOD - 1)
listing_with("listing: bad period", last_end=2**40)
listing_with("listing: bad period", period_seconds=3 * WINDOWS - 1)
listing_with("listing: bad period", period_seconds=2**40)
listing_with("listing: lock is zero", lock=0, penalty=0)
listing_with("listing: lock is zero", n=1, threshold=1, lock=0, penalty=0)
listing_with("listing: keeping fee to oneself", n=0, keeping_fee=1)
listing_sent_with("listing: other custodians", custodians=lambda w, it: list(w.custodians[1:]))
listing_sent_with("listing: other custodians", custodians=[])
listing_sent_with("listing: other share keys", share_keys=lambda w, it: tuples(it.share_keys)[::-1])
listing_sent_with(
    "listing: wrong count",
    share_keys=lambda w, it: tuples(it.share_keys[:3]),
    custody=lambda w, it: replace(
        it.custody, share_keys=share_keys_hash(it.share_keys[:3])
    ).astuple(),
)
listing_sent_with("listing: wrong base", counter=lambda w, it: it.content.counter ^ 1)
listing_sent_with("listing: key not proven", proof=(0, 0))
listing_sent_with(
    "listing: key not proven", proof=lambda w, it: (it.proof()[0], (it.proof()[1] + 1) % N)
)


def other_context(**context: Any) -> Any:
    def proof(w: MarketContracts, listing: Listing) -> Any:
        values = {k: v(w) if callable(v) else v for k, v in context.items()}
        return listing.proof(**values)

    return proof


listing_sent_with("listing: key not proven", proof=other_context(chain_id=2))
listing_sent_with(
    "listing: key not proven", proof=other_context(registry=lambda w: w.market.address)
)
listing_sent_with("listing: key not proven", proof=other_context(seller=lambda w: w.stranger))
listing_sent_with("listing: key not proven", proof=other_context(terms_id=word_of("other")))


@refused("listing: custodians not ascending")
def list_two_custodians_the_wrong_way_round(w: MarketContracts) -> Call:
    return list_with_custodians(w, (*w.custodians[:2][::-1], *w.custodians[2:4]))


@refused("listing: custodians not ascending")
def list_one_custodian_twice(w: MarketContracts) -> Call:
    return list_with_custodians(w, (w.custodians[0], w.custodians[0], *w.custodians[1:3]))


@refused("listing: custodians not ascending")
def list_the_zero_address_as_custodian(w: MarketContracts) -> Call:
    return list_with_custodians(w, (ZERO, *w.custodians[:3]))


def list_with_custodians(w: MarketContracts, custodians: tuple[str, ...]) -> Call:
    arguments = w.draft_listing(custodians=custodians).list_arguments()
    return lambda: w.registry.list_version(*arguments, sender=w.seller)


@refused("registry: no market yet")
def list_before_the_market_is_named(w: MarketContracts) -> tuple[Any, Call]:
    registry = deployer("DatasetRegistry").deploy(
        w.owner, w.staking, w.checks, MIN_WINDOW, MAX_WINDOW
    )
    arguments = w.draft_listing(fee_bps=0).list_arguments()
    return registry, lambda: registry.list_version(*arguments, sender=w.seller)


@refused("registry: not the seller")
def list_for_somebody_else(w: MarketContracts) -> Call:
    arguments = w.draft_listing().list_arguments()
    return lambda: w.registry.list_version(*arguments, sender=w.stranger)


@refused("registry: listed already")
def list_the_same_terms_twice(w: MarketContracts) -> Call:
    arguments = w.create_listing().list_arguments()
    return lambda: w.registry.list_version(*arguments, sender=w.seller)


@refused("registry: listed already")
def list_the_same_terms_after_they_ended(w: MarketContracts) -> Call:
    listing = w.create_listing()
    w.retire(listing)
    boa.env.timestamp += WINDOWS + 1
    w.close_version(listing)
    arguments = w.draft_listing().list_arguments()
    return lambda: w.registry.list_version(*arguments, sender=w.seller)


def list_after(w: MarketContracts, previous: Any) -> Call:
    arguments = w.draft_listing(content=make_content(9)).list_arguments(previous)
    return lambda: w.registry.list_version(*arguments, sender=w.seller)


@refused("registry: no such version")
def list_after_an_unknown_version(w: MarketContracts) -> Call:
    return list_after(w, replace(w.create_listing().terms, manifest=word_of("unknown")))


@refused("registry: not the seller")
def list_after_a_foreign_version(w: MarketContracts) -> Call:
    theirs = w.draft_listing(content=make_content(8), seller=w.stranger, payee=w.stranger)
    w.list_version(theirs)
    return list_after(w, theirs.terms)


@refused("registry: has a newer version")
def list_after_a_superseded_version(w: MarketContracts) -> Call:
    first = w.create_listing()
    w.list_version(w.draft_listing(content=make_content(1)), first.terms)
    return list_after(w, first.terms)


@refused("registry: too many versions")
def list_after_the_last_version_number(w: MarketContracts) -> Call:
    listing = w.create_listing()
    edit_version(w, listing, version=2**16 - 1)
    return list_after(w, listing.terms)


# ------------------------------------------------------------ open_custody


@refused("registry: wrong epoch")
def open_an_epoch_that_was(w: MarketContracts) -> Call:
    listing = w.create_listing()
    further = w.next_custody(listing, epoch=0)
    return lambda: w.registry.open_custody(*further.opening, sender=w.seller)


@refused("registry: wrong epoch")
def open_an_epoch_too_far(w: MarketContracts) -> Call:
    further = w.next_custody(w.create_listing(), epoch=2)
    return lambda: w.registry.open_custody(*further.opening, sender=w.seller)


@refused("registry: wrong epoch")
def open_the_epoch_that_would_overflow(w: MarketContracts) -> Call:
    listing = w.create_listing()
    edit_version(w, listing, epochs=2**16 - 1)
    further = w.next_custody(listing)
    assert further.custody.epoch == 2**16 - 1
    return lambda: w.registry.open_custody(*further.opening, sender=w.seller)


@refused("registry: other terms")
def open_a_custody_of_other_terms(w: MarketContracts) -> Call:
    listing = w.create_listing()
    further = w.next_custody(listing, terms_id=word_of("other"))
    return lambda: w.registry.open_custody(*further.opening, sender=w.seller)


# ------------------------------------------------------------------ accept


@refused("pausable: contract is paused")
def accept_while_entries_are_paused(w: MarketContracts) -> Call:
    listing = opened(w)
    w.registry.pause(sender=w.owner)
    return accept_by(w, listing, 1, listing.custodians[0])


def accept_by(w: MarketContracts, listing: Listing, index: int, sender: str) -> Call:
    return lambda: w.registry.accept(*listing.accepting, index, sender=sender)


def opened(w: MarketContracts) -> Listing:
    return w.list_version(w.draft_listing())


@refused("registry: other custodians")
def accept_with_other_custodians(w: MarketContracts) -> Call:
    listing = replace(opened(w), custodians=w.custodians[1:])
    return accept_by(w, listing, 1, listing.custodians[0])


@refused("registry: other share keys")
def accept_with_other_share_keys(w: MarketContracts) -> Call:
    listing = opened(w)
    return accept_by(
        w, replace(listing, share_keys=listing.share_keys[::-1]), 1, listing.custodians[0]
    )


@refused("registry: not waiting")
def accept_an_unknown_custody(w: MarketContracts) -> Call:
    listing = w.draft_listing()
    return accept_by(w, listing, 1, listing.custodians[0])


@refused("registry: not waiting")
def accept_a_live_custody(w: MarketContracts) -> Call:
    listing = w.create_listing()
    return accept_by(w, listing, 1, listing.custodians[0])


@refused("registry: not waiting")
def accept_a_lapsed_custody(w: MarketContracts) -> Call:
    listing = opened(w)
    w.retire(listing)
    w.release(listing)
    return accept_by(w, listing, 1, listing.custodians[0])


@refused("registry: too late")
def accept_too_late(w: MarketContracts) -> Call:
    listing = opened(w)
    boa.env.timestamp = listing.custody.accept_until + 1
    return accept_by(w, listing, 1, listing.custodians[0])


@refused("registry: version has ended")
def accept_of_a_retired_version(w: MarketContracts) -> Call:
    listing = opened(w)
    w.retire(listing)
    return accept_by(w, listing, 1, listing.custodians[0])


@refused("registry: no such custodian")
def accept_as_custodian_zero(w: MarketContracts) -> Call:
    listing = opened(w)
    return accept_by(w, listing, 0, listing.custodians[0])


@refused("registry: no such custodian")
def accept_as_custodian_after_the_last(w: MarketContracts) -> Call:
    listing = opened(w)
    return accept_by(w, listing, 5, listing.custodians[0])


@refused("registry: accepted already")
def accept_twice(w: MarketContracts) -> Call:
    listing = opened(w)
    w.accept(listing, 1)
    return accept_by(w, listing, 1, listing.custodians[0])


@refused("staking: not owner or operator")
def accept_for_another(w: MarketContracts) -> Call:
    listing = opened(w)
    return accept_by(w, listing, 1, listing.custodians[1])


@refused("staking: not enough free stake")
def accept_without_stake(w: MarketContracts) -> Call:
    listing = w.list_version(w.draft_listing(lock=10_001, penalty=1))
    return accept_by(w, listing, 1, listing.custodians[0])


@refused("staking: validator unavailable")
def accept_while_away(w: MarketContracts) -> Call:
    listing = opened(w)
    custodian = listing.custodians[0]
    w.staking.set_available(custodian, False, sender=custodian)
    return accept_by(w, listing, 1, custodian)


# ------------------------------------------------------------------ extend


def extend_by(w: MarketContracts, listing: Listing, index: int, sender: str | None = None) -> Call:
    sender = sender or listing.custodians[(index - 1) % listing.custody.count]
    staying, *arguments = w.staying(listing, index)
    return lambda: staying(*arguments, sender=sender)


def extensible(w: MarketContracts, keeping_balance: int = 100 * KEEPING_FEE) -> Listing:
    listing = w.create_listing()
    w.top_up(listing, keeping_balance)
    boa.env.timestamp = listing.custody.end - 1
    return listing


@refused("registry: other terms")
def extend_with_other_terms(w: MarketContracts) -> Call:
    listing = extensible(w)
    return extend_by(w, replace(listing, terms=replace(listing.terms, bond=1)), 1)


@refused("registry: other custodians")
def extend_with_other_custodians(w: MarketContracts) -> Call:
    return extend_by(w, replace(extensible(w), custodians=w.custodians[1:]), 1)


@refused("registry: no such custodian")
def extend_as_custodian_zero(w: MarketContracts) -> Call:
    return extend_by(w, extensible(w), 0)


@refused("registry: no such custodian")
def extend_as_custodian_after_the_last(w: MarketContracts) -> Call:
    return extend_by(w, extensible(w), 5)


@refused("registry: not the custodian")
def extend_for_another(w: MarketContracts) -> Call:
    return extend_by(w, extensible(w), 1, w.custodians[1])


@refused("registry: version has ended")
def extend_of_a_retired_version(w: MarketContracts) -> Call:
    listing = extensible(w)
    w.retire(listing)
    return extend_by(w, listing, 1)


@refused("registry: custody not live")
def extend_a_waiting_custody(w: MarketContracts) -> Call:
    return extend_by(w, opened(w), 1)


@refused("registry: custody not live")
def extend_a_closed_custody(w: MarketContracts) -> Call:
    listing = extensible(w)
    w.close(listing, 0)
    return extend_by(w, listing, 1)


@refused("registry: extended already")
def extend_twice(w: MarketContracts) -> Call:
    listing = extensible(w)
    w.extend(listing, 1)
    return extend_by(w, listing, 1)


@refused("registry: too late")
def extend_at_the_end(w: MarketContracts) -> Call:
    listing = extensible(w)
    boa.env.timestamp += 1
    return extend_by(w, listing, 1)


@refused("registry: too early")
def extend_before_the_last_third(w: MarketContracts) -> Call:
    listing = extensible(w)
    boa.env.timestamp = listing.custody.end - PERIOD // 3 - 1
    return extend_by(w, listing, 1)


@refused("registry: last period")
def extend_past_the_last_end(w: MarketContracts) -> Call:
    listing = w.create_listing(last_end=START + 1_000 + 2 * PERIOD - 1)
    boa.env.timestamp = listing.custody.end - 1
    return extend_by(w, listing, 1)


@refused("registry: keeping balance short")
def extend_with_a_keeping_balance_one_unit_short(w: MarketContracts) -> Call:
    listing = extensible(w, 3 * KEEPING_FEE - 1)
    w.extend(listing, 1, 2)
    return extend_by(w, listing, 3)


@refused("registry: keeping balance short")
def join_with_a_keeping_balance_one_unit_short(w: MarketContracts) -> Call:
    listing = extensible(w, 4 * KEEPING_FEE - 1)
    w.extend(listing, 1, 2, 3)
    return extend_by(w, listing, 4)


@refused("registry: too late")
def join_at_the_old_end(w: MarketContracts) -> Call:
    listing = extensible(w)
    w.extend(listing, 1, 2, 3)
    boa.env.timestamp += 1
    return extend_by(w, listing, 4)


@refused("registry: has left")
def join_after_leaving_two_terms_ago(w: MarketContracts) -> Call:
    listing = extensible(w)
    w.extend(listing, 1, 2, 3)
    boa.env.timestamp = listing.custody.end + PERIOD - 1
    w.extend(listing, 1, 2, 3)
    return extend_by(w, listing, 4)


def join_by(w: MarketContracts, listing: Listing, index: int, sender: str | None = None) -> Call:
    sender = sender or listing.custodians[(index - 1) % listing.custody.count]
    return lambda: w.registry.join_extension(*listing.keeping[1:], index, sender=sender)


def extended(w: MarketContracts) -> Listing:
    """Extend by all but custodian 4."""
    listing = extensible(w)
    w.extend(listing, 1, 2, 3)
    return listing


@refused("registry: is staying")
def join_twice(w: MarketContracts) -> Call:
    listing = extended(w)
    w.extend(listing, 4)
    return join_by(w, listing, 4)


@refused("registry: is staying")
def join_before_the_others_have_extended(w: MarketContracts) -> Call:
    return join_by(w, extensible(w), 4)


@refused("registry: has left")
def join_an_extension_after_leaving(w: MarketContracts) -> Call:
    listing = extended(w)
    boa.env.timestamp = listing.custody.end + PERIOD - 1
    w.extend(listing, 1, 2, 3)
    return join_by(w, listing, 4)


@refused("registry: other custodians")
def join_with_other_custodians(w: MarketContracts) -> Call:
    return join_by(w, replace(extended(w), custodians=w.custodians[1:]), 4)


@refused("registry: no such custodian")
def join_as_custodian_zero(w: MarketContracts) -> Call:
    return join_by(w, extended(w), 0)


@refused("registry: no such custodian")
def join_as_custodian_after_the_last(w: MarketContracts) -> Call:
    return join_by(w, extended(w), 5)


@refused("registry: not the custodian")
def join_for_another(w: MarketContracts) -> Call:
    return join_by(w, extended(w), 4, w.custodians[0])


@refused("registry: version has ended")
def join_in_a_retired_version(w: MarketContracts) -> Call:
    listing = extended(w)
    w.retire(listing)
    return join_by(w, listing, 4)


@refused("registry: custody not live")
def join_a_closed_custody(w: MarketContracts) -> Call:
    listing = extended(w)
    w.close(listing, 0)
    return join_by(w, listing, 4)


# ------------------------------------------------------- lapse and release


@refused("registry: not waiting")
def lapse_a_live_custody(w: MarketContracts) -> Call:
    listing = w.create_listing()
    boa.env.timestamp = listing.custody.accept_until + 1
    return lambda: w.registry.lapse(*listing.keeping)


@refused("registry: not waiting")
def lapse_twice(w: MarketContracts) -> Call:
    listing = opened(w)
    boa.env.timestamp = listing.custody.accept_until + 1
    w.registry.lapse(*listing.keeping)
    return lambda: w.registry.lapse(*listing.keeping)


@refused("registry: other terms")
def lapse_with_other_terms(w: MarketContracts) -> Call:
    listing = opened(w)
    boa.env.timestamp = listing.custody.accept_until + 1
    other = replace(listing, terms=replace(listing.terms, token=w.stake_token.address))
    return lambda: w.registry.lapse(*other.keeping)


@refused("registry: other custodians")
def lapse_to_other_custodians(w: MarketContracts) -> Call:
    listing = opened(w)
    boa.env.timestamp = listing.custody.accept_until + 1
    other = replace(listing, custodians=w.custodians[1:])
    return lambda: w.registry.lapse(*other.keeping)


@refused("registry: custody not live")
def release_a_waiting_custody(w: MarketContracts) -> Call:
    listing = opened(w)
    boa.env.timestamp = listing.custody.accept_until + 1
    return lambda: w.registry.release(*listing.keeping)


@refused("registry: too early")
def release_a_waiting_custody_too_early(w: MarketContracts) -> Call:
    listing = opened(w)
    boa.env.timestamp = listing.custody.accept_until
    return lambda: w.release(listing)


@refused("registry: custody not live")
def release_an_unknown_custody(w: MarketContracts) -> Call:
    listing = w.draft_listing()
    return lambda: w.release(listing)


@refused("registry: custody not live")
def release_a_lapsed_custody_again(w: MarketContracts) -> Call:
    listing = opened(w)
    boa.env.timestamp = listing.custody.accept_until + 1
    w.release(listing)
    return lambda: w.release(listing)


@refused("registry: other terms")
def release_with_other_terms(w: MarketContracts) -> Call:
    listing = w.create_listing()
    other = replace(listing, terms=replace(listing.terms, token=w.stake_token.address))
    return lambda: w.release(other)


@refused("registry: other custodians")
def release_to_other_custodians(w: MarketContracts) -> Call:
    other = replace(w.create_listing(), custodians=w.custodians[1:])
    return lambda: w.release(other)


# ----------------------------------------------------------------- version


def ended(w: MarketContracts) -> Listing:
    listing = w.create_listing()
    w.retire(listing)
    return listing


@refused("registry: price too large")
def reprice_beyond_128_bits(w: MarketContracts) -> Call:
    terms = w.create_listing().terms.astuple()
    return lambda: w.registry.reprice(terms, 2**128, sender=w.seller)


@refused("registry: version has ended")
def reprice_a_retired_version(w: MarketContracts) -> Call:
    terms = ended(w).terms.astuple()
    return lambda: w.registry.reprice(terms, 1, sender=w.seller)


@refused("registry: version has ended")
def reprice_an_unknown_version(w: MarketContracts) -> Call:
    terms = w.draft_listing().terms.astuple()
    return lambda: w.registry.reprice(terms, 1, sender=w.seller)


@refused("registry: version has ended")
def pause_a_retired_version(w: MarketContracts) -> Call:
    terms = ended(w).terms.astuple()
    return lambda: w.registry.set_version_paused(terms, False, sender=w.seller)


@refused("registry: version has ended")
def retire_twice(w: MarketContracts) -> Call:
    listing = ended(w)
    return lambda: w.retire(listing)


@refused("registry: version has ended")
def top_up_a_retired_version(w: MarketContracts) -> Call:
    listing = ended(w)
    return lambda: w.top_up(listing, 1)


@refused("registry: version has ended")
def open_custody_of_a_retired_version(w: MarketContracts) -> Call:
    further = w.next_custody(ended(w))
    return lambda: w.registry.open_custody(*further.opening, sender=w.seller)


@refused("registry: amount too large")
def top_up_beyond_128_bits(w: MarketContracts) -> Call:
    listing = w.create_listing()
    return lambda: w.top_up(listing, 2**128)


@refused("registry: too early")
def close_version_too_early(w: MarketContracts) -> Call:
    listing = ended(w)
    boa.env.timestamp += WINDOWS
    return lambda: w.close_version(listing)


@refused("registry: not ended")
def close_version_a_running_version(w: MarketContracts) -> Call:
    listing = w.create_listing()
    return lambda: w.close_version(listing)


@refused("registry: not ended")
def close_version_an_unknown_version(w: MarketContracts) -> Call:
    listing = w.draft_listing()
    return lambda: w.close_version(listing)


# ------------------------------------------------------------------ market


@refused("registry: version has ended")
def revoke_a_closed_version(w: MarketContracts) -> Call:
    listing = ended(w)
    boa.env.timestamp += WINDOWS + 1
    w.close_version(listing)
    return revoke(w, listing)


@refused("registry: version has ended")
def revoke_twice(w: MarketContracts) -> Call:
    listing = w.create_listing()
    revoke(w, listing)()
    return revoke(w, listing)


def revoke(w: MarketContracts, listing: Listing) -> Call:
    return lambda: w.revoke(listing)


@refused("registry: other terms")
def revoke_with_a_custody_of_other_terms(w: MarketContracts) -> Call:
    listing, other = w.create_listing(), w.create_listing(3, manifest=word_of("other"))
    return lambda: w.revoke(replace(listing, custody=other.custody))


@refused("registry: custody not live")
def revoke_over_a_custody_that_sells_nothing(w: MarketContracts) -> Call:
    listing = opened(w)
    return lambda: w.revoke(listing)


@refused("registry: custody not live")
def revoke_an_invented_version(w: MarketContracts) -> Call:
    invented = w.draft_listing(bond=2**127)
    return lambda: w.revoke(invented)


@refused("registry: other terms")
def revoke_for_a_larger_bond(w: MarketContracts) -> Call:
    listing = w.create_listing()
    return lambda: w.revoke(replace(listing, terms=replace(listing.terms, bond=2**127)))


@refused("registry: custody not live")
def close_an_invented_custody(w: MarketContracts) -> Call:
    listing = w.create_listing()
    other = replace(listing.custody, penalty=listing.custody.lock)
    return lambda: w.close(replace(listing, custody=other), 0)


@refused("registry: custody not live")
def close_a_waiting_custody(w: MarketContracts) -> Call:
    listing = opened(w)
    return lambda: w.close(listing, 0)


@refused("registry: custody not live")
def close_a_lapsed_custody(w: MarketContracts) -> Call:
    listing = opened(w)
    boa.env.timestamp = listing.custody.accept_until + 1
    w.release(listing)
    return lambda: w.close(listing, 0)


@refused("registry: version is revoked")
def close_a_custody_of_a_revoked_version(w: MarketContracts) -> Call:
    listing = w.create_listing()
    w.revoke(listing)
    return lambda: w.close(listing, 0)


@refused("registry: not obliged")
def close_against_a_custodian_who_is_not_there(w: MarketContracts) -> Call:
    listing = w.create_listing()
    return lambda: w.close(listing, 0b10001)


@refused("registry: not obliged")
def close_against_one_who_left_long_ago(w: MarketContracts) -> Call:
    listing = extensible(w)
    w.extend(listing, 1, 2, 3)
    boa.env.timestamp = listing.custody.end + WINDOWS + 1
    w.release(listing)
    return lambda: w.close(listing, 0b1000)


@refused("registry: not the market")
def revoke_by_a_stranger(w: MarketContracts) -> Call:
    listing = w.create_listing()
    return lambda: w.revoke(listing, w.stranger)


@refused("registry: not the market")
def close_by_a_stranger(w: MarketContracts) -> Call:
    listing = w.create_listing()
    return lambda: w.close(listing, 1, w.stranger)


# ------------------------------------------------------------------- admin


@refused("registry: market is fixed")
def fix_the_market_twice(w: MarketContracts) -> Call:
    return lambda: w.registry.fix_market(w.stranger, sender=w.owner)


@refused("registry: market has no code")
def fix_no_market(w: MarketContracts) -> tuple[Any, Call]:
    return fix(w, ZERO)


@refused("registry: market has no code")
def fix_a_key_as_the_market(w: MarketContracts) -> tuple[Any, Call]:
    return fix(w, w.stranger)


@refused("registry: market is a key")
def fix_a_key_that_delegates_its_code_as_the_market(w: MarketContracts) -> tuple[Any, Call]:
    boa.env.set_code(w.stranger, b"\xef\x01\x00" + bytes.fromhex(str(w.market.address)[2:]))
    return fix(w, w.stranger)


def fix(w: MarketContracts, market: str) -> tuple[Any, Call]:
    registry = deployer("DatasetRegistry").deploy(w.owner, w.staking, w.checks, 1, 2)
    return registry, lambda: registry.fix_market(market, sender=w.owner)


@refused("registry: fee too large")
def set_a_fee_above_the_cap(w: MarketContracts) -> Call:
    return lambda: w.registry.set_fee_bps(251, sender=w.owner)


@pytest.mark.parametrize(("reason", "setup"), refused.cases)
def test_registry__call_that_it_refuses__says_why(
    contracts: MarketContracts, reason: str, setup: Setup
) -> None:
    case = setup(contracts)
    contract, call = case if isinstance(case, tuple) else (contracts.registry, case)
    with reverts(contract, reason):
        call()


# -------------------------------------------------------------- constructor


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        ("registry: owner is zero", {0: ZERO}),
        ("registry: staking is zero", {1: ZERO}),
        ("registry: checks is zero", {2: ZERO}),
        ("registry: bad window bounds", {3: 0}),
        ("registry: bad window bounds", {3: 61, 4: 60}),
        ("registry: bad window bounds", {4: 365 * 86_400 + 1}),
    ],
)
def test_init__out_of_bounds__is_refused(
    contracts: MarketContracts, reason: str, change: dict[int, Any]
) -> None:
    arguments = [contracts.owner, contracts.staking, contracts.checks, 60, 120]
    for place, value in change.items():
        arguments[place] = value
    with boa.reverts(reason):
        deployer("DatasetRegistry").deploy(*arguments)


def test_reasons__of_the_source__are_all_hit_by_name() -> None:
    of_constructor = {
        "registry: owner is zero",
        "registry: staking is zero",
        "registry: checks is zero",
        "registry: bad window bounds",
    }
    of_registry = {reason for reason in refused.reasons if reason.startswith("registry: ")}
    assert of_registry | of_constructor == reasons("DatasetRegistry.vy")
    of_checks = {reason for reason in refused.reasons if reason.startswith("listing: ")}
    assert of_checks == reasons("ListingChecks.vy")
