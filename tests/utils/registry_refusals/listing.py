# SPDX-License-Identifier: Apache-2.0
"""What the registry refuses of listings, versions and their owner."""

from dataclasses import replace
from typing import Any

import boa

from tests.utils.drafts import (
    LOCK,
    PERIOD,
    WINDOWS,
    Listing,
    deal_shares,
    make_content,
    tuples,
    word_of,
)
from tests.utils.market import MAX_WINDOW, MIN_WINDOW, START, ZERO, MarketContracts, edit_version
from tests.utils.refusals import Refusals
from tests.utils.registry_refusals.common import Call, ended
from tests.utils.tokens import deployer
from truthmark.keys.curve import N, P, lift_x, multiply, negate
from truthmark.market.records import share_keys_hash
from truthmark.types import Point

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


listing_with("listing: royalty without bounty", royalty_bps=1)


listing_with("listing: bounty not cited", royalty_bps=500, bounty=1)
listing_with("listing: bounty not cited", royalty_bps=500, bounty=2**256 - 1)


listing_with("listing: guarantee above price", guarantee_bps=10_001)
listing_with("listing: guarantee above price", guarantee_bps=2**256 - 1)


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


# ----------------------------------------------------------------- version


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
