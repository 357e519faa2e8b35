# SPDX-License-Identifier: Apache-2.0
"""A look at a sample: each state, and what it takes to come into it."""

import pytest

from tests.utils.previews import PreviewMarket, make
from truthmark.market.preview import OnAccept, OnGet, OnList, PreviewState
from truthmark.market.preview.states import RULES

BIG = {"a.parquet": 200}


def test_preview__honest_and_open__is_shown_with_its_rows(market: PreviewMarket) -> None:
    made = make(BIG, draws=32)
    version = market.list_version(made)
    market.publish(made)
    found = market.look(version)
    assert found.state is PreviewState.SHOWN, found.why
    assert found.draws == 32
    assert found.tables["a.parquet"].num_rows == found.rows == found.segments * 40
    assert found.bounds is not None
    assert found.bounds.one_try == pytest.approx(1 - 0.05 ** (2 / 32))
    assert (found.unsampled, found.contradictions) == (0.0, ())


def test_preview__no_sample_asked__is_blind(market: PreviewMarket) -> None:
    version = market.list_version(make(BIG, draws=None))
    assert market.look(version).state is PreviewState.BLIND


def test_preview__word_is_not_final__waits_for_blocks(market: PreviewMarket) -> None:
    made = make(BIG)
    version = market.list_version(made)
    market.publish(made)
    market.height = 3
    found = market.look(version)
    assert found.state is PreviewState.WAITING
    assert "block 5, which is final in 2 blocks" in found.why


def test_preview__one_drawn_key_is_missing__waits(market: PreviewMarket) -> None:
    made = make(BIG)
    version = market.list_version(made)
    market.publish(made, [0])
    found = market.look(version)
    assert found.state is PreviewState.WAITING
    assert found.since is not None
    assert found.tables == {}


@pytest.mark.parametrize("how", ["noise", "random", "rows", "schema"])
def test_preview__half_is_bad__is_bad(market: PreviewMarket, how: str) -> None:
    made = make(BIG, bad=range(0, 200, 2), how=how)
    version = market.list_version(made)
    market.publish(made)
    found = market.look(version)
    assert found.state is PreviewState.BAD
    assert found.tables == {}


def test_preview__ciphertext_is_gone__is_unreachable_and_not_bad(market: PreviewMarket) -> None:
    made = make(BIG)
    version = market.list_version(made)
    market.publish(made)
    for cid in [cid for cid, data in market.shelf.blocks.items() if len(data) == 4096]:
        del market.shelf.blocks[cid]
    assert market.look(version).state is PreviewState.UNREACHABLE


def test_preview__few_segments__is_small(market: PreviewMarket) -> None:
    made = make({"a.parquet": 127})
    version = market.list_version(made)
    market.publish(made)
    found = market.look(version)
    assert found.state is PreviewState.SMALL
    assert found.rows > 0


def test_preview__one_draw__is_not_shown(market: PreviewMarket) -> None:
    made = make(BIG, draws=1)
    version = market.list_version(made)
    market.publish(made)
    found = market.look(version)
    assert found.state is PreviewState.PARTIAL
    assert "asked for 1 draw" in found.why


def test_rules__every_state__says_what_all_three_do() -> None:
    assert set(RULES) == set(PreviewState)
    assert RULES[PreviewState.SHOWN].on_get is OnGet.GO
    assert RULES[PreviewState.SHOWN].on_accept is OnAccept.ACCEPT
    for state in (PreviewState.BAD, PreviewState.BROKEN):
        assert RULES[state].on_get is OnGet.REFUSE
        assert RULES[state].on_accept is OnAccept.REFUSE
        assert RULES[state].on_list is OnList.STOP
    for state in (PreviewState.BLIND, PreviewState.SMALL, PreviewState.PARTIAL):
        assert RULES[state].on_get is OnGet.ASK
        assert RULES[state].on_accept is OnAccept.BY_OFFER
