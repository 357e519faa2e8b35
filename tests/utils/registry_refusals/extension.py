# SPDX-License-Identifier: Apache-2.0
"""What the registry refuses of extensions, and of the market."""

from dataclasses import replace

import boa

from tests.utils.drafts import KEEPING_FEE, PERIOD, WINDOWS, Listing
from tests.utils.market import START, MarketContracts
from tests.utils.refusals import Refusals
from tests.utils.registry_refusals.common import Call, ended, opened

refused = Refusals()


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


@refused("registry: version has ended")
def revoke_an_invented_version(w: MarketContracts) -> Call:
    invented = w.draft_listing(bond=2**127)
    return lambda: w.revoke(invented)


@refused("registry: version has ended")
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
