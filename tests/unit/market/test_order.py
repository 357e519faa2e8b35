# SPDX-License-Identifier: Apache-2.0
"""Orders, and deliveries checked and combined; the one dispute."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.utils.drafts import (
    Listing,
    Place,
    draft_listing,
    draft_purchase,
    make_content,
    make_part,
    scalar,
)
from tests.utils.drafts import draft_evidence as plain_evidence
from tests.utils.offline_market import DOLLAR, address
from tests.utils.proof_checks import verify_buyer_key
from tests.utils.rpc_server import results, serve
from truthmark.chain.rpc import RpcClient
from truthmark.cli import doctor
from truthmark.codec import WrongKey
from truthmark.codec.derive import cek_from_point
from truthmark.errors import DeliveryError, KeysError, MalformedReplyError, ProofError
from truthmark.hashing import keccak256
from truthmark.keys.curve import N, multiply, negate
from truthmark.keys.purchase import PurchaseKey
from truthmark.market.drafts.evidence import draft_evidence
from truthmark.market.drafts.order import (
    Delivered,
    content_key,
    draft_order,
    purchase_cost,
    verified_parts,
)
from truthmark.market.purchase import Buyer
from truthmark.market.records import parts_hash
from truthmark.types import Point

MARKET = address(0xC1)
PLACE = Place(5, address(0xC0), MARKET)
BUYER = address(0xB1)
WHERE: dict[str, Any] = {"chain_id": 5, "market": MARKET}


def listing(n: int = 4, threshold: int = 2, **changes: Any) -> Listing:
    return draft_listing(
        PLACE,
        seller=address(0xA0),
        token=DOLLAR.address,
        now=10_000,
        custodians=[address(j) for j in range(1, n + 1)],
        threshold=threshold,
        **changes,
    )


SALE = listing()
BOUGHT = draft_purchase(SALE, BUYER)


def key_of(secret: int) -> PurchaseKey:
    return PurchaseKey(5, MARKET, BUYER, b"\x01" * 32, secret, from_wallet=True)


def test_purchase_cost__price_and_fees__are_for_t_custodians() -> None:
    assert purchase_cost(100, SALE.custody) == 100 + 2 * SALE.custody.fee


@settings(max_examples=30)
@given(st.integers(1, N - 1), st.integers(0, 2**128 - 1))
def test_draft_order__any_key__is_what_the_contract_takes(secret: int, price: int) -> None:
    key = key_of(secret)
    order = draft_order(SALE.terms, SALE.custody, key, price)
    assert verify_buyer_key(
        order.buyer_key,
        order.proof,
        custody_id=SALE.custody_id,
        buyer=BUYER,
        salt=key.salt,
        **WHERE,
    )
    assert (order.receipt.buyer, order.receipt.price, order.receipt.salt) == (
        BUYER,
        price,
        key.salt,
    )
    # The line through B and Y meets the curve in -(B + Y).
    base, total = SALE.terms.base, order.receipt.base
    p = 2**256 - 2**32 - 977
    assert (order.slope * (base.x - total.x) - base.y - total.y) % p == 0
    assert order.astuple() == (
        price,
        key.salt,
        tuple(multiply(secret)),
        order.proof.challenge,
        order.proof.response,
        order.slope,
    )


def test_draft_order__no_usable_key__is_refused() -> None:
    with pytest.raises(KeysError, match="buy with another salt"):
        draft_order(SALE.terms, SALE.custody, key_of(0), 5)


# -------------------------------------------------------------------- deliveries


def delivered(*indices: int, bought: Any = BOUGHT) -> dict[int, Delivered]:
    found = {}
    for j in indices:
        part = make_part(bought, j)
        found[j] = Delivered(j, part.point, part.proof.challenge, part.proof.response)
    return found


def verify(parts: dict[int, Delivered], **changes: Any) -> dict[int, Point]:
    arguments: dict[str, Any] = {
        "share_keys": SALE.share_keys,
        "receipt": BOUGHT.receipt,
        "custody_id": SALE.custody_id,
        "threshold": 2,
        **WHERE,
        **changes,
    }
    return verified_parts(parts, **arguments)


@pytest.mark.parametrize("indices", [(1, 2), (4, 1), (3, 2)])
def test_verified_parts__true_deliveries__give_the_key(indices: tuple[int, ...]) -> None:
    parts = verify(delivered(*indices))
    assert list(parts) == list(indices)
    content = SALE.content
    expected = cek_from_point(multiply(content.secret, content.base))
    assert content_key(parts, BOUGHT.secret, SALE.terms) == expected


@pytest.mark.parametrize("indices", [(), (1,), (1, 2, 3)])
def test_verified_parts__left_out_or_too_many__blames_the_endpoint(
    indices: tuple[int, ...],
) -> None:
    # Each is true, but fewer than two combine to a wrong key: the seller would be accused.
    with pytest.raises(ProofError, match=rf"tells of {len(indices)} parts .* instead of 2; use an"):
        verify(delivered(*indices))


@pytest.mark.parametrize("indices", [(1, 2), (2, 1), (3,)])
def test_parts_hash__parts__is_that_of_the_protocol(indices: tuple[int, ...]) -> None:
    parts = {j: multiply(j + 5) for j in indices}
    noted = bytes(24)
    for j, point in parts.items():
        words = (int.from_bytes(noted, "big"), j, point.x, point.y)
        noted = keccak256(b"".join(word.to_bytes(32, "big") for word in words))[:24]
    assert parts_hash(parts) == int.from_bytes(noted, "big")


def forged(**changes: Any) -> dict[int, Delivered]:
    parts = delivered(1, 2)
    return {**parts, 2: replace(parts[2], **changes)}


TRUE = delivered(1, 2)[2]


@pytest.mark.parametrize(
    "parts",
    [
        forged(part=multiply(5)),
        forged(part=negate(TRUE.part)),
        forged(part=Point(0, 0)),
        forged(part=Point(1, 1)),
        forged(challenge=TRUE.challenge ^ 1),
        forged(response=TRUE.response ^ 1),
        forged(challenge=0),
        forged(response=0),
        forged(challenge=TRUE.challenge + N),
        forged(response=N),
        {1: delivered(1)[1], 3: TRUE},
        {1: delivered(1)[1], 5: TRUE},
        {0: TRUE, 1: delivered(1)[1]},
    ],
)
def test_verified_parts__forged_delivery__is_refused(parts: dict[int, Delivered]) -> None:
    with pytest.raises(KeysError):
        verify(parts)


@pytest.mark.parametrize(
    "changes",
    [
        {"chain_id": 6},
        {"market": address(0xBAD)},
        {"custody_id": bytes(32)},
        {"receipt": replace(BOUGHT.receipt, price=1)},
        {"receipt": draft_purchase(SALE, BUYER, 1).receipt},
        {"share_keys": SALE.share_keys[::-1]},
    ],
)
def test_verified_parts__of_something_else__is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ProofError):
        verify(delivered(1, 2), **changes)


def test_content_key__another_secret__gives_another_key() -> None:
    parts = verify(delivered(1, 2))
    right = content_key(parts, BOUGHT.secret, SALE.terms)
    assert content_key(parts, BOUGHT.secret + 1, SALE.terms) != right


def test_content_key__parts_that_cancel_out__say_so() -> None:
    secret = BOUGHT.secret
    nothing = {1: multiply(secret, SALE.terms.public_key)}
    with pytest.raises(DeliveryError, match="the delivered parts give no key"):
        content_key(nothing, secret, SALE.terms)
    with pytest.raises(DeliveryError):
        content_key({}, secret, SALE.terms)


# --------------------------------------------------------------------- dispute


@pytest.mark.parametrize(("n", "t"), [(1, 1), (4, 2), (5, 3)])
def test_draft_evidence__wrong_shard__is_what_the_contract_takes(n: int, t: int) -> None:
    content = make_content(seed=3, count=5, wrong=frozenset({3}))
    sale = listing(n, t, content=content)
    bought = draft_purchase(sale, BUYER)
    parts = {j: make_part(bought, j) for j in range(n, n - t, -1)}
    it = content.shards[3]
    wrong = WrongKey(3, it.ciphertext_hash, it.key_hash, it.wrap, tuple(content.tree.path(3)))
    points = {j: part.point for j, part in parts.items()}
    expected = plain_evidence(bought, parts, 3).astuple()
    assert _plain(draft_evidence(points, bought.secret, sale.terms, wrong)) == _plain(expected)


def _plain(value: Any) -> Any:
    return [_plain(v) for v in value] if isinstance(value, (tuple, list)) else value


def test_draft_evidence__no_parts__is_refused() -> None:
    wrong = WrongKey(0, bytes(32), bytes(32), bytes(32), ())
    with pytest.raises(KeysError):
        draft_evidence({}, scalar("y"), SALE.terms, wrong)


# -------------------------------------------------------------------------- gas


@pytest.mark.parametrize(("says", "expected"), [("0x2", 2 * 300_000), (None, None), ("two", None)])
def test_dispute_cost__whatever_the_endpoint_says__is_a_figure_or_none(
    says: Any, expected: int | None
) -> None:
    dispute: Any = SimpleNamespace(
        opened=SimpleNamespace(epoch=SimpleNamespace(custody=SALE.custody))
    )
    with serve(results(eth_gasPrice=says)) as server:
        session: Any = SimpleNamespace(chain=SimpleNamespace(rpc=RpcClient([server.url])))
        assert Buyer(session).dispute_cost(dispute) == expected


def test_doctor__gas_price_is_no_number__is_an_error_of_the_endpoint() -> None:
    with serve(results(eth_gasPrice=None)) as server:
        chain = SimpleNamespace(balance=lambda _: 1, rpc=RpcClient([server.url], attempts=1))
        session: Any = SimpleNamespace(
            settings=SimpleNamespace(account="me"), address=BUYER, chain=chain
        )
        with pytest.raises(MalformedReplyError, match="try another one"):
            list(doctor._gas(session))
