# SPDX-License-Identifier: Apache-2.0
"""Who shows life, by what the logs tell."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.utils.offline_market import BIRTH, OfflineMarket, address, kept, make_custody
from truthmark.market.drafts.custody import Validator
from truthmark.market.entries import ValidatorOffer
from truthmark.market.life import (
    RECENT_SECONDS,
    Signs,
    find_signs,
    is_seller_silent,
    seller_seen_at,
)

CUSTODIAN, OTHER = address(0xAB1), address(0xAB2)


def offer(validator: str) -> ValidatorOffer:
    return ValidatorOffer(Validator(validator, bytes(32)), {}, 1, 1, 1, 1, 1, True, 1)


def at(offline: OfflineMarket, now: int) -> None:
    offline.chain.time = lambda: now
    offline.chain.staking = SimpleNamespace(address=address(0xC2))


def signs(offline: OfflineMarket) -> dict[str, Signs]:
    return find_signs(offline.session, [offer(CUSTODIAN), offer(OTHER)], patience=0)


def log_offer(offline: OfflineMarket, validator: str) -> int:
    struct = {
        "fees": [],
        "max_bytes": 0,
        "max_period_seconds": 0,
        "min_delivery_seconds": 0,
        "min_inspection_seconds": 0,
        "max_lock": 0,
        "takes_unsampled": False,
        "url": "",
    }
    return offline.log("staking", "OfferPublished", validator=validator, offer=struct)


def log_delivery(offline: OfflineMarket, custody_id: bytes, index: int) -> int:
    return offline.log(
        "market",
        "Delivered",
        purchase_id=bytes(32),
        custody_id=custody_id,
        index=index,
        part={"x": 1, "y": 2},
        challenge=1,
        response=1,
        inspection_until=0,
    )


def accept(offline: OfflineMarket) -> int:
    return offline.log(
        "registry",
        "CustodyAccepted",
        custody_id=bytes(32),
        custodian=CUSTODIAN,
        index=1,
        is_live=False,
    )


def extend(offline: OfflineMarket) -> int:
    return offline.log(
        "registry", "CustodyExtended", custody_id=bytes(32), custodian=CUSTODIAN, end=1, active=1
    )


def deliver(offline: OfflineMarket) -> int:
    terms = offline.list_version(1)
    custody = make_custody(terms, 1, lock=5)
    offline.log(
        "registry",
        "CustodyOpened",
        custody_id=custody.custody_id,
        terms_id=terms.terms_id,
        custody=custody,
        custodians=[address(1), CUSTODIAN],
        share_keys=[(1, 2), (3, 4)],
    )
    return log_delivery(offline, custody.custody_id, 2)


@pytest.mark.parametrize("act", [accept, extend, deliver])
def test_find_signs__node_acted_within_a_day__shows_life(offline: OfflineMarket, act: Any) -> None:
    block = act(offline)
    at(offline, BIRTH + block + RECENT_SECONDS)
    assert signs(offline) == {CUSTODIAN: Signs(has_acted=True), OTHER: Signs()}
    at(offline, BIRTH + block + RECENT_SECONDS + 1)
    assert signs(offline) == {CUSTODIAN: Signs(), OTHER: Signs()}


def test_find_signs__only_an_offer__comes_between(offline: OfflineMarket) -> None:
    block = log_offer(offline, CUSTODIAN)
    at(offline, BIRTH + block + RECENT_SECONDS)
    found = signs(offline)
    assert found == {CUSTODIAN: Signs(has_offered=True), OTHER: Signs()}
    assert not found[CUSTODIAN].shows_life  # a person publishes it, on any machine
    assert Signs(answers=True).rank < found[CUSTODIAN].rank < found[OTHER].rank
    assert Signs(answers=True).rank == Signs(has_acted=True).rank


def test_signs__acted_but_nothing_answers_now__is_chosen_after_those_who_show_life() -> None:
    stopped = Signs(has_acted=True, has_offered=True, is_silent=True)
    assert not stopped.shows_life
    assert Signs(answers=True).rank < stopped.rank < Signs(has_offered=True).rank < Signs().rank
    assert Signs(answers=True, has_acted=True).shows_life


def test_find_signs__no_validator_offers__asks_none(offline: OfflineMarket) -> None:
    assert find_signs(offline.session, []) == {}


def test_seller_seen_at__whatever_sellers_do__counts_and_that_of_others_does_not(
    offline: OfflineMarket,
) -> None:
    mine = offline.list_version(1)
    other = offline.list_version(2, seller=address(0xB0))
    version = offline.catalogue.version("1")
    listed = BIRTH + 2  # the custody is opened in the block behind the listing
    assert seller_seen_at(offline.session, version) == listed
    offline.log("registry", "VersionRepriced", terms_id=other.terms_id, price=3)
    log_delivery(offline, make_custody(other).custody_id, 1)
    assert seller_seen_at(offline.session, version) == listed
    for act in (
        lambda: offline.log("registry", "VersionRepriced", terms_id=mine.terms_id, price=3),
        lambda: offline.log("registry", "VersionPaused", terms_id=mine.terms_id, is_paused=False),
        lambda: log_delivery(offline, make_custody(mine).custody_id, 1),
        lambda: offline.log_all(kept(mine, 1)[:1]),
        lambda: offline.log(
            "registry",
            "CustodyExtended",
            custody_id=make_custody(mine).custody_id,
            custodian=mine.seller,
            end=5,
            active=1,
        ),
    ):
        block = act()
        assert seller_seen_at(offline.session, version) == BIRTH + block
    seen = seller_seen_at(offline.session, version)
    at(offline, seen + RECENT_SECONDS)
    assert not is_seller_silent(offline.session, version)
    at(offline, seen + RECENT_SECONDS + 1)
    assert is_seller_silent(offline.session, version)


def test_seller_seen_at__custodians_deliver__says_nothing_of_the_seller(
    offline: OfflineMarket,
) -> None:
    terms = offline.list_version(1)
    custody = make_custody(terms, 1, lock=5)
    block = offline.log(
        "registry",
        "CustodyOpened",
        custody_id=custody.custody_id,
        terms_id=terms.terms_id,
        custody=custody,
        custodians=[CUSTODIAN],
        share_keys=[(1, 2)],
    )
    log_delivery(offline, custody.custody_id, 1)
    assert seller_seen_at(offline.session, offline.catalogue.version("1")) == BIRTH + block
