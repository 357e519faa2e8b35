# SPDX-License-Identifier: Apache-2.0
"""Terms and dealings as a seller writes them."""

import os
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.utils.drafts import scalar
from tests.utils.offline_market import DOLLAR, address
from tests.utils.proof_checks import verify_dataset_key
from truthmark.cid import raw_cid
from truthmark.codec import Manifest
from truthmark.config.profile import Windows
from truthmark.errors import KeysError, MarketError
from truthmark.hashing import keccak256, sha256
from truthmark.keys.curve import base_of, multiply
from truthmark.keys.sealing import encryption_public_key
from truthmark.market.drafts.custody import (
    DIRECT,
    MAX_TIME,
    ZERO_32,
    CustodyRequest,
    Dealing,
    Validator,
    deal_custody,
)
from truthmark.market.drafts.delivery import check_custody, receive_share
from truthmark.market.drafts.terms import draft_terms, licence_hash, prove_terms
from truthmark.market.records import ZERO_ADDRESS, Terms, custodians_hash, share_keys_hash

SECRET = scalar("seller")
KEY = multiply(SECRET)
WINDOWS = Windows(delivery=600, inspection=700, acceptance=1_000)
CID = raw_cid(sha256(b"any"))
MANIFEST = Manifest(4096, 3, b"\x07" * 32, CID, CID, 9, CID, 9, KEY, "CC-BY-4.0")
PLACE: dict[str, Any] = {"chain_id": 5, "registry": address(0xC0)}
OFFER = CustodyRequest(
    threshold=2, fee=7, keeping_fee=8, lock=9, penalty=3, period_seconds=9_000, max_periods=4
)
KEYS = {address(n): os.urandom(32) for n in (9, 3, 6, 1)}
VALIDATORS = [Validator(a, encryption_public_key(key)) for a, key in KEYS.items()]


def draft(**changes: Any) -> Terms:
    arguments: dict[str, Any] = {
        "seller": address(1),
        "payee": address(2),
        "token": DOLLAR.address,
        "windows": WINDOWS,
        "bond": 5,
        "fee_bps": 200,
        **changes,
    }
    return draft_terms(MANIFEST, arguments.pop("secret", SECRET), **arguments)


def deal(
    validators: list[Validator], offer: CustodyRequest, terms: Terms | None = None, **changes: Any
) -> Dealing:
    arguments: dict[str, Any] = {"epoch": 0, "now": 10_000, "acceptance_seconds": 1_000, **PLACE}
    return deal_custody(terms or draft(), SECRET, validators, offer, **(arguments | changes))


def test_draft_terms__own_secret__says_what_was_packed() -> None:
    terms = draft()
    assert terms == Terms(
        seller=address(1),
        payee=address(2),
        token=DOLLAR.address,
        manifest=MANIFEST.digest,
        root=MANIFEST.root,
        shard_count=3,
        public_key=KEY,
        base=base_of(KEY)[0],
        licence=keccak256(b"CC-BY-4.0"),
        gate=ZERO_ADDRESS,
        bond=5,
        royalty_bps=0,
        bounty=0,
        fee_bps=200,
        delivery_seconds=600,
        inspection_seconds=700,
    )


def test_draft_terms__another_secret__is_refused() -> None:
    with pytest.raises(MarketError, match="did not pack this version; restore the backup"):
        draft(secret=SECRET + 1)


def test_licence_hash__text__is_that_of_its_utf8() -> None:
    assert licence_hash("LicenseRef-é") == keccak256("LicenseRef-é".encode())


def test_prove_terms__own_secret__holds_for_these_terms_alone() -> None:
    terms = draft()
    proof, counter = prove_terms(terms, SECRET, **PLACE)
    assert counter == base_of(KEY)[1]
    about = {"seller": terms.seller, "terms_id": terms.terms_id, **PLACE}
    assert verify_dataset_key(KEY, proof, **about)
    for other in ({"seller": address(9)}, {"terms_id": bytes(32)}, {"chain_id": 6}):
        assert not verify_dataset_key(KEY, proof, **(about | other))


def test_deal_custody__direct__gives_the_seller_the_only_share() -> None:
    dealing = deal([], DIRECT)
    custody = dealing.custody
    assert (dealing.custodians, dealing.share_keys, dealing.bundle) == ((address(1),), (KEY,), b"")
    assert (custody.count, custody.threshold, custody.sealed_shares) == (1, 1, ZERO_32)
    assert (custody.lock, custody.penalty, custody.keeping_fee, custody.fee) == (0, 0, 0, 0)
    check_custody(draft(), custody, dealing.custodians, dealing.share_keys)


@pytest.mark.parametrize(("n", "t"), [(1, 1), (3, 2), (4, 2), (4, 1)])
def test_deal_custody__n_custodians__each_opens_their_own_share(n: int, t: int) -> None:
    terms = draft()
    dealing = deal(VALIDATORS[:n], replace(OFFER, threshold=t), terms, epoch=3)
    custody = dealing.custody
    assert list(dealing.custodians) == sorted(dealing.custodians, key=lambda a: int(a, 16))
    assert custody.custodians == custodians_hash(dealing.custodians)
    assert custody.share_keys == share_keys_hash(dealing.share_keys)
    assert (custody.epoch, custody.count, custody.threshold) == (3, n, t)
    assert custody.sealed_shares == sha256(dealing.bundle)
    check_custody(terms, custody, dealing.custodians, dealing.share_keys)
    for index, custodian in enumerate(dealing.custodians, 1):
        share = receive_share(
            dealing.bundle, KEYS[custodian], terms, custody, dealing.share_keys, index, **PLACE
        )
        assert multiply(share) == dealing.share_keys[index - 1]


@settings(max_examples=20)
@given(st.permutations(VALIDATORS))
def test_deal_custody__any_order__is_that_of_the_addresses(validators: list[Validator]) -> None:
    assert deal(validators, OFFER).custodians == tuple(sorted(KEYS, key=lambda a: int(a, 16)))


def test_deal_custody__twice__shares_nothing_between_dealings() -> None:
    first, second = deal(VALIDATORS, OFFER), deal(VALIDATORS, OFFER)
    assert not set(first.share_keys) & set(second.share_keys)
    assert first.bundle != second.bundle


@pytest.mark.parametrize(("n", "t"), [(2, 2), (4, 3), (3, 0), (1, 2)])
def test_deal_custody__threshold_that_cannot_be__is_refused(n: int, t: int) -> None:
    with pytest.raises(KeysError):
        deal(VALIDATORS[:n], replace(OFFER, threshold=t))


def test_deal_custody__too_many__is_refused() -> None:
    validators = [Validator(address(n), VALIDATORS[0].encryption_key) for n in range(1, 18)]
    with pytest.raises(KeysError):
        deal(validators, OFFER)


def test_deal_custody__unusable_key__names_the_custodian() -> None:
    broken = [*VALIDATORS[:3], Validator(address(99), bytes(32))]
    with pytest.raises(KeysError, match="custodian 4 registered no usable"):
        deal(broken, OFFER)


def test_deal_custody__ends__follow_from_acceptance_and_terms() -> None:
    custody = deal(VALIDATORS, OFFER).custody
    assert (custody.accept_until, custody.end) == (11_000, 20_000)
    assert (custody.last_end, custody.period_seconds) == (20_000 + 3 * 9_000, 9_000)
    short = deal(VALIDATORS, replace(OFFER, period_seconds=10)).custody
    # Both windows fit in front of the end, or nothing could be sold.
    assert short.end == 11_000 + 600 + 700
    long = deal(VALIDATORS, replace(OFFER, period_seconds=2**38, max_periods=9)).custody
    assert long.last_end == MAX_TIME


def test_dealing_arguments__for_the_contract__are_tuples_and_lists() -> None:
    dealing = deal(VALIDATORS, OFFER)
    custody, custodians, keys = dealing.arguments()
    assert custody == dealing.custody.astuple()
    assert (custodians, keys) == (list(dealing.custodians), [tuple(k) for k in dealing.share_keys])
    assert "bundle" not in repr(dealing)


# ------------------------------------------------------------------- offers of custody


@pytest.mark.parametrize(
    "changes", [{}, {"max_periods": 1}, {"period_seconds": 10**9, "max_periods": 9}]
)
def test_offer_of__dealt_custody__is_what_was_offered(changes: dict[str, int]) -> None:
    offer = replace(OFFER, **changes)
    assert CustodyRequest.of(deal(VALIDATORS, offer).custody) == offer
    assert CustodyRequest.of(deal([], DIRECT).custody) == DIRECT


@pytest.mark.parametrize(
    ("changes", "is_granted"),
    [
        ({}, True),
        ({"fee": 6}, True),
        ({"keeping_fee": 0}, True),
        ({"fee": 8}, False),
        ({"keeping_fee": 9}, False),
        ({"threshold": 1}, False),
        ({"lock": 8}, False),
        ({"penalty": 4}, False),
        ({"period_seconds": 8_999}, False),
        ({"max_periods": 3}, False),
    ],
)
def test_offer_grants__what_is_asked__but_may_pay_more(
    changes: dict[str, int], is_granted: bool
) -> None:
    assert OFFER.satisfies(replace(OFFER, **changes)) is is_granted
