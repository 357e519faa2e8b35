# SPDX-License-Identifier: Apache-2.0
"""What the registry refuses of custodies that are opened, accepted, lapse and are released."""

from dataclasses import replace

import boa

from tests.utils.drafts import Listing, word_of
from tests.utils.market import MarketContracts, edit_version
from tests.utils.refusals import Refusals
from tests.utils.registry_refusals.common import Call, opened

refused = Refusals()


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
