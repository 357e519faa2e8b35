# SPDX-License-Identifier: Apache-2.0
"""What custodians and buyers check of a dealing, and whose turn it is."""

import os
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.utils.drafts import (
    Listing,
    Place,
    draft_listing,
    draft_purchase,
    proof_tuple,
    scalar,
)
from tests.utils.offline_market import DOLLAR, address
from tests.utils.proof_checks import verify_delivery
from truthmark.errors import KeysError, MalformedError
from truthmark.hashing import keccak256, sha256
from truthmark.keys.curve import multiply
from truthmark.keys.proofs import Proof
from truthmark.keys.sealing import (
    ShareContext,
    encryption_public_key,
    seal_share,
    write_bundle,
)
from truthmark.market.drafts.delivery import (
    check_custody,
    draft_delivery,
    receive_share,
    turn_order,
)
from truthmark.market.drafts.order import statement
from truthmark.market.records import bits, share_keys_hash
from truthmark.types import Point

PLACE = Place(5, address(0xC0), address(0xC1))
WHERE = {"chain_id": 5, "registry": address(0xC0)}
KEYS = [os.urandom(32) for _ in range(4)]


def listing(**changes: Any) -> Listing:
    return draft_listing(
        PLACE,
        seller=address(0xA0),
        token=DOLLAR.address,
        now=10_000,
        custodians=[address(n) for n in (1, 2, 3, 4)],
        **changes,
    )


SALE = listing()


def check(sale: Listing, **changes: Any) -> None:
    arguments: dict[str, Any] = {
        "terms": sale.terms,
        "custody": sale.custody,
        "custodians": sale.custodians,
        "share_keys": sale.share_keys,
        **changes,
    }
    check_custody(*arguments.values())


def test_check_custody__right_dealing__passes() -> None:
    check(SALE)
    check(listing(threshold=1))


@pytest.mark.parametrize(
    "changes",
    [
        {"terms": replace(SALE.terms, bond=1)},
        {"custody": replace(SALE.custody, terms_id=bytes(32))},
        {"custody": replace(SALE.custody, custodians=bytes(32))},
        {"custody": replace(SALE.custody, share_keys=bytes(32))},
        {"custody": replace(SALE.custody, count=3)},
        {"custodians": SALE.custodians[::-1]},
        {"custodians": SALE.custodians[:3]},
        {"share_keys": SALE.share_keys[::-1]},
        {"share_keys": SALE.share_keys[:3]},
    ],
)
def test_check_custody__record_and_lists_differ__is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(KeysError, match="contradicts itself"):
        check(SALE, **changes)


def dealt_as(*shares: int, threshold: int = 2) -> Listing:
    return listing(shares=shares, threshold=threshold)


@pytest.mark.parametrize(
    "sale",
    [
        # One share that is not on the polynomial, the first, the last, one between.
        *(dealt_as(*(s + (j == wrong) for j, s in enumerate(SALE.shares))) for wrong in range(4)),
        # All on a polynomial, but of another secret, or of too high a degree.
        listing(shares=[s + 1 for s in SALE.shares]),
        dealt_as(*(SALE.content.secret + j + j**2 for j in range(1, 5))),
        # The same share for all: one custodian could open it alone.
        dealt_as(*[SALE.content.secret] * 4),
        replace(
            SALE,
            custody=replace(SALE.custody, threshold=1),
        ),
    ],
)
def test_check_custody__shares_that_give_no_key__is_refused(sale: Listing) -> None:
    with pytest.raises(KeysError):
        check(sale)


def test_check_custody__share_key_off_the_curve__is_refused() -> None:
    keys = (*SALE.share_keys[:3], Point(5, 5))
    custody = replace(SALE.custody, share_keys=share_keys_hash(keys))
    with pytest.raises(KeysError):
        check(SALE, custody=custody, share_keys=keys)


def test_check_custody__another_base__is_refused() -> None:
    # With a chosen base, deliveries would be right and the key wrong.
    chosen = listing(base=multiply(scalar("chosen")))
    with pytest.raises(KeysError, match="another base"):
        check(chosen)


# ----------------------------------------------------------------------- shares


def bundle_of(sale: Listing, **changes: Any) -> bytes:
    def context(index: int) -> ShareContext:
        return ShareContext(
            **{
                **WHERE,
                "seller": sale.terms.seller,
                "dataset_key": sale.terms.public_key,
                "epoch": sale.custody.epoch,
                "custodian": index,
                **changes,
            }
        )

    return write_bundle(
        [
            seal_share(share, encryption_public_key(key), context(index))
            for index, (share, key) in enumerate(zip(sale.shares, KEYS, strict=True), 1)
        ]
    )


def with_bundle(sale: Listing, bundle: bytes) -> Listing:
    return replace(sale, custody=replace(sale.custody, sealed_shares=sha256(bundle)))


def receive(sale: Listing, bundle: bytes, index: int = 2, key: bytes | None = None) -> int:
    key = KEYS[index - 1] if key is None else key
    return receive_share(bundle, key, sale.terms, sale.custody, sale.share_keys, index, **WHERE)


@pytest.mark.parametrize("index", [1, 2, 3, 4])
def test_receive_share__own_share__opens(index: int) -> None:
    bundle = bundle_of(SALE)
    assert receive(with_bundle(SALE, bundle), bundle, index) == SALE.shares[index - 1]


def test_receive_share__another_bundle__is_refused() -> None:
    with pytest.raises(KeysError, match="not those of the custody"):
        receive(SALE, bundle_of(SALE))


def test_receive_share__bundle_is_none__is_refused() -> None:
    for bundle in (b"", b"TMKS", bundle_of(SALE)[:-1], bundle_of(SALE) + b"\0"):
        with pytest.raises(MalformedError):
            receive(with_bundle(SALE, bundle), bundle)


def test_receive_share__fewer_than_custodians__is_refused() -> None:
    few = bundle_of(SALE)
    few = few[:5] + bytes([3]) + few[6 : 6 + 3 * 80]
    with pytest.raises(KeysError, match="not as many as the custodians"):
        receive(with_bundle(SALE, few), few)


@pytest.mark.parametrize(
    "changes",
    [
        {"seller": address(0xBAD)},
        {"epoch": 1},
        {"chain_id": 6},
        {"registry": address(0xBAD)},
        {"dataset_key": multiply(9)},
    ],
)
def test_receive_share__sealed_for_something_else__does_not_open(changes: dict[str, Any]) -> None:
    bundle = bundle_of(SALE, **changes)
    with pytest.raises(KeysError, match="does not open with this key for this custody"):
        receive(with_bundle(SALE, bundle), bundle)


def test_receive_share__of_another_custodian__does_not_open() -> None:
    bundle = bundle_of(SALE)
    with pytest.raises(KeysError, match="does not open"):
        receive(with_bundle(SALE, bundle), bundle, 2, key=KEYS[2])


def test_receive_share__not_the_share_of_its_key__is_refused() -> None:
    wrong = replace(SALE, shares=tuple(s + 1 for s in SALE.shares))
    bundle = bundle_of(wrong)
    with pytest.raises(KeysError, match="is not the share of its share key"):
        receive(with_bundle(SALE, bundle), bundle)


# ------------------------------------------------------------------------ turns

ids = st.binary(min_size=32, max_size=32)


@given(ids, st.integers(0, 0xFFFF))
def test_turn_order__any_map__names_each_once_by_the_hash(purchase_id: bytes, active: int) -> None:
    order = turn_order(purchase_id, active)
    assert sorted(order) == bits(active)
    digests = [keccak256(purchase_id + bytes([j])) for j in order]
    assert digests == sorted(digests)


@given(ids, st.integers(1, 0xFFFF))
def test_turn_order__one_leaves__the_others_keep_their_order(
    purchase_id: bytes, active: int
) -> None:
    order = turn_order(purchase_id, active)
    without = turn_order(purchase_id, active & ~(1 << order[0] - 1))
    assert without == order[1:]


def test_turn_order__many_purchases__is_fair() -> None:
    count = 4_000
    first = Counter(turn_order(keccak256(n.to_bytes(8, "big")), 0b1111)[0] for n in range(count))
    # A fair draw is outside six standard deviations once in 10^9; the ids are always the same.
    assert all(abs(first[j] - count / 4) < 6 * (count * 3 / 16) ** 0.5 for j in range(1, 5))


# ------------------------------------------------------------------- deliveries


def test_draft_delivery__own_share__carries_a_proof_that_holds() -> None:
    bought = draft_purchase(SALE, address(0xB1))
    digest, base, part, proof = draft_delivery(
        SALE.shares[1],
        bought.receipt,
        SALE.custody,
        SALE.share_keys,
        2,
        chain_id=5,
        market=PLACE.market,
    )
    assert (digest, base) == (bought.receipt.digest, tuple(bought.receipt.base))
    assert part == tuple(multiply(SALE.shares[1], bought.receipt.base))
    about = statement(
        bought.receipt, SALE.custody_id, 2, SALE.share_keys, chain_id=5, market=PLACE.market
    )
    challenge, response, scaled_base, scaled_part, slope = proof
    made = Proof(challenge, response, Point(*scaled_base), Point(*scaled_part), slope)
    assert proof_tuple(made) == proof
    assert verify_delivery(about, Point(*part), made)


def test_draft_delivery__another_share__is_refused() -> None:
    bought = draft_purchase(SALE, address(0xB1))
    with pytest.raises(KeysError):
        draft_delivery(
            SALE.shares[0],
            bought.receipt,
            SALE.custody,
            SALE.share_keys,
            2,
            chain_id=5,
            market=PLACE.market,
        )
