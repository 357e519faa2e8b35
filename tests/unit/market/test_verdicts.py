# SPDX-License-Identifier: Apache-2.0
"""What is planned of verdicts: calls as the contracts take them, and what cannot be said."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.utils.drafts import Place, draft_listing, draft_purchase, make_content, word_of
from tests.utils.offline_market import address, make_terms
from truthmark.chain.abi import load_artifact
from truthmark.chain.contracts import Contract
from truthmark.errors import MarketError
from truthmark.market import verdicts
from truthmark.market.drafts.terms import Assurance
from truthmark.market.entries import Epoch, Version
from truthmark.market.records import ZERO_ADDRESS, PurchaseStatus, VersionStatus

ROLES = {"market": "DatasetMarket", "openings": "Openings", "reviews": "Reviews"}
CHAIN: Any = SimpleNamespace(
    **{
        role: Contract(None, role, address(0xC0 + i), load_artifact(name))  # type: ignore[arg-type]
        for i, (role, name) in enumerate(ROLES.items())
    }
)


def arguments(planned: verdicts.PlannedCall) -> list[Any]:
    """Decode what a planned call says."""
    return planned.call.function.decode_arguments(planned.call.data)


def sold(**changes: Any) -> tuple[Version, Epoch, Any]:
    """Return a version, an epoch and a purchase, as a catalogue would."""
    place = Place(1, address(1), address(2))
    listing = draft_listing(
        place,
        seller=address(3),
        token=address(4),
        now=10**9,
        custodians=[address(n) for n in (5, 6, 7)],
        **changes,
    )
    terms = listing.terms
    version = Version(7, 2, terms, terms.terms_id, 5, VersionStatus.OPEN, 10**9)
    epoch = Epoch(
        listing.custody, listing.custody_id, tuple(listing.custodians), tuple(listing.share_keys)
    )
    bought = draft_purchase(listing, address(9), 1)
    purchase = SimpleNamespace(
        purchase_id=bought.id,
        receipt=bought.receipt,
        deadline=10**9 + 50,
        status=PurchaseStatus.DELIVERED,
    )
    return version, epoch, purchase


@given(
    price=st.integers(0, 2**128 - 1),
    guarantee=st.integers(0, 10_000),
    fee=st.integers(0, 250),
    royalty=st.integers(0, 9_750),
    is_rejected=st.booleans(),
)
def test_split_price__anything__adds_up_and_leaves_nobody_below_zero(
    price: int, guarantee: int, fee: int, royalty: int, is_rejected: bool
) -> None:
    terms = make_terms(1, guarantee_bps=guarantee, fee_bps=fee, royalty_bps=royalty)
    split = verdicts.split_price(price, terms, is_rejected=is_rejected)
    parts = (split.burned, split.fee, split.royalty, split.paid_out)
    assert sum(parts) == price
    assert min(parts) >= 0
    assert split.burned == (price * guarantee // 10_000 if is_rejected else 0)


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (512, [512]), (513, [512, 1])])
def test_plan_publish__any_number_of_keys__is_cut_into_calls(count: int, sizes: list[int]) -> None:
    keys = [word_of("key", i) for i in range(count)]
    planned = verdicts.plan_publish(CHAIN, word_of("root"), keys)
    assert [len(arguments(it)[1]) for it in planned] == sizes
    assert [key for it in planned for key in arguments(it)[1]] == keys
    assert {bytes(arguments(it)[0]) for it in planned} <= {word_of("root")}
    assert len({it.key for it in planned}) == len(planned)
    # Under the same name again, so that who goes on after a kill pays once.
    again = verdicts.plan_publish(CHAIN, word_of("root"), keys)
    assert [it.key for it in again] == [it.key for it in planned]


def test_plan_confirm__purchase__brings_what_reject_does() -> None:
    version, epoch, purchase = sold(guarantee_bps=5_000)
    planned = verdicts.plan_confirm(CHAIN, version, epoch, purchase)
    rejected = verdicts.plan_reject(CHAIN, version, epoch, purchase)
    assert planned.call.function.name == "confirm"
    assert arguments(planned) == arguments(rejected)
    assert planned.key != rejected.key


def test_plan_reject__purchase__brings_what_its_id_is_made_of() -> None:
    version, epoch, purchase = sold()
    planned = verdicts.plan_reject(CHAIN, version, epoch, purchase)
    terms, custody, custodians, receipt = arguments(planned)
    assert type(version.terms).from_chain(terms).terms_id == version.terms_id
    assert type(epoch.custody).from_chain(custody).custody_id == epoch.custody_id
    assert (list(custodians), receipt[0]) == (list(epoch.custodians), purchase.receipt.buyer)
    assert planned.not_after == purchase.deadline


def test_plan_sealing_dispute__shard__is_opened_with_its_path() -> None:
    version, _, _ = sold()
    content = make_content(3, 3)
    shard = content.shards[1]
    index: Any = SimpleNamespace(
        wrap_word=lambda i: content.shards[i].wrap, tree=SimpleNamespace(path=content.tree.path)
    )
    planned = verdicts.plan_sealing_dispute(CHAIN, version, index, 1, shard.key, shard.ciphertext)
    _, opened, ciphertext = arguments(planned)
    assert list(opened) == [1, shard.key, shard.wrap, content.tree.path(1)]
    assert ciphertext == shard.ciphertext
    with pytest.raises(MarketError, match="65,536 at most; `truthmark expose`"):
        verdicts.plan_sealing_dispute(CHAIN, version, index, 1, shard.key, bytes(2**17))


def test_plan_rule__version_without_arbiter_or_nobody_rewarded__is_refused() -> None:
    version, _, _ = sold(arbiter=address(11))
    terms, rewarded = arguments(verdicts.plan_rule(CHAIN, version, address(12)))
    assert (terms[-1], rewarded) == (address(11), address(12))
    with pytest.raises(MarketError, match="name who gets half the bond"):
        verdicts.plan_rule(CHAIN, version, ZERO_ADDRESS)
    with pytest.raises(MarketError, match="has no arbiter, so nobody can rule on it"):
        verdicts.plan_rule(CHAIN, sold()[0], address(12))


def test_plan_review__text_or_score_that_cannot_be__is_refused() -> None:
    _, epoch, purchase = sold()
    planned = verdicts.plan_review(CHAIN, epoch, purchase, 4, "\N{SNOWMAN}" * 341)
    assert arguments(planned)[2:] == [4, "\N{SNOWMAN}" * 341]
    for score in (0, 6, -1):
        with pytest.raises(MarketError, match="from 1, bad, to 5, good"):
            verdicts.plan_review(CHAIN, epoch, purchase, score)
    with pytest.raises(MarketError, match="1,026 bytes, and 1,024 is the most"):
        verdicts.plan_review(CHAIN, epoch, purchase, 4, "\N{SNOWMAN}" * 342)


@pytest.mark.parametrize("bps", [-1, 10_001])
def test_assurance__guarantee_above_the_price__is_refused(bps: int) -> None:
    with pytest.raises(MarketError, match="0% to 100% of the price"):
        Assurance(guarantee_bps=bps).require_sound()
    Assurance(guarantee_bps=10_000).require_sound()
