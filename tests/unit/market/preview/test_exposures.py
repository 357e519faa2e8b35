# SPDX-License-Identifier: Apache-2.0
"""Exposures: what others opened, which each computer tries for itself."""

import itertools
import os
from dataclasses import replace

import pytest

from tests.utils.offline_market import address
from tests.utils.previews import (
    BUYER,
    ROWS,
    SELLER,
    STRANGER,
    Made,
    PreviewMarket,
    make,
)
from truthmark.cid import raw_cid
from truthmark.codec.shard_index import ShardIndex
from truthmark.market.entries import Version
from truthmark.market.preview import PreviewState, remembered
from truthmark.market.preview.exposures import MAX_UNITS
from truthmark.market.preview.published import Published, in_turn
from truthmark.market.preview.remembered import Broken, Remembered

BIG = {"a.parquet": 200}


def shown(market: PreviewMarket, bad: int, how: str = "noise") -> tuple[Made, Version]:
    """List a version with one bad segment, until it is one that was not drawn."""
    for listing in itertools.count(1):
        made = make(BIG, bad=[bad], how=how)
        version = market.list_version(made, listing)
        market.open_sample(made, version)
        if market.look(version).state is PreviewState.SHOWN:
            return made, version
    raise AssertionError


@pytest.mark.parametrize("how", ["noise", "random", "rows", "schema"])
def test_look__bad_segment_is_exposed__is_broken_for_everybody(
    market: PreviewMarket, how: str
) -> None:
    made, version = shown(market, 100, how)
    market.publish(made, made.bad, BUYER)
    found = market.look(version)
    assert found.state is PreviewState.BROKEN
    assert BUYER in found.why
    assert market.look(version).state is PreviewState.BROKEN


@pytest.mark.parametrize("asked", [None, {"rule": "preview-v2", "draws": 16}])
def test_look__bad_segment_of_blind_version_is_exposed__is_broken(
    market: PreviewMarket, asked: dict[str, object] | None
) -> None:
    """Or sellers could ask for what nobody understands, and be shown to nobody."""
    made = make(BIG, bad=[100], draws=None, extra={"preview": asked} if asked else {})
    version = market.list_version(made)
    assert market.look(version).state is PreviewState.BLIND
    market.publish(made, [*range(made.forged.index.segments[0].shards), *made.bad], BUYER)
    assert market.look(version).state is PreviewState.BROKEN


def test_look__notes_of_other_rules__are_forgotten_and_it_is_looked_at_again(
    market: PreviewMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(BIG)
    version = market.list_version(made)
    market.open_sample(made, version)
    notes = Remembered.of(market.session)
    for rules, state in ((0, PreviewState.SHOWN), (remembered.RULES_VERSION, PreviewState.BROKEN)):
        with monkeypatch.context() as earlier:
            earlier.setattr(remembered, "RULES_VERSION", rules)
            notes.note_broken(version.terms.manifest, Broken("as it was judged then", STRANGER))
            notes.note_stands(version.terms_id, PreviewState.BROKEN, "likewise")
            assert notes.stands([version.terms_id])
        assert bool(notes.stands([version.terms_id])) is bool(rules)
        assert market.look(version).state is state


def test_look__good_shards_and_wrong_keys_are_exposed__changes_nothing(
    market: PreviewMarket,
) -> None:
    """An honest seller cannot be framed: it needs preimages of their own hashes."""
    made = make(BIG)
    version = market.list_version(made)
    market.open_sample(made, version)
    before = market.look(version)
    market.publish_keys(made, [os.urandom(32) for _ in range(600)], STRANGER)
    market.publish(made, range(50, 90), STRANGER)
    after = market.look(version)
    assert before.state is after.state is PreviewState.SHOWN
    assert after.rows == before.rows


def test_look__root_is_listed_by_others_with_a_false_index__does_not_frame_its_seller(
    market: PreviewMarket,
) -> None:
    """The root covers hashes and keys; which rows a segment has only the index says."""
    made = make(BIG)
    version = market.list_version(made, 1)
    market.open_sample(made, version)
    copy = Made(made.forged)
    index = made.forged.index
    wrong = ShardIndex(
        index._sha256,
        index._key_hash,
        index._wrap_word,
        (
            index.segment,
            *(column.copy() for column in (index.first_row, index.rows)),
            index.decoded_bytes,
        ),
    )
    wrong.rows[1] += 1
    wrong.first_row[2:] += 1
    copy.forged = replace(made.forged, index=wrong)
    copy.recommit()
    assert copy.forged.manifest.root == made.forged.manifest.root
    copied = market.list_version(copy, 2)
    market.publish(made, by=STRANGER)
    assert market.look(copied).state in (PreviewState.BAD, PreviewState.BROKEN)
    assert market.look(version).state is PreviewState.SHOWN


def test_look__rows_are_handed_out_by_exposure__shows_none_of_them(market: PreviewMarket) -> None:
    """Else a buyer could give the data away through everybody's client."""
    made = make(BIG)
    version = market.list_version(made)
    drawn = market.open_sample(made, version)
    before = market.look(version)
    market.publish(made, by=BUYER)
    market.buy(version)
    for _ in range(3):
        after = market.look(version)
        assert after.state is PreviewState.SHOWN
        assert after.tables["a.parquet"].equals(before.tables["a.parquet"])
        assert after.rows == (drawn - 1) * ROWS


def test_look__many_good_keys_before_one_bad__are_all_tried_in_time(
    market: PreviewMarket,
) -> None:
    """What was tried is remembered, so a seller's own good keys use up nothing for ever.

    More keys are only more looks, 64 units each; of ten thousand the order is tried below.
    """
    made = make({"a.parquet": 600}, bad=[300], draws=None, is_alike=True)
    version = market.list_version(made)
    market.publish(made, made.bad, STRANGER)
    market.publish(made, [i for i in range(601) if i not in made.bad], STRANGER)
    looks = 0
    while market.look(version).state is not PreviewState.BROKEN:
        looks += 1
        assert looks <= 601 // MAX_UNITS + 1
    assert looks > 1


def test_look__buyers_bad_key_among_hundreds_of_others__is_tried_first(
    market: PreviewMarket,
) -> None:
    made = make({"a.parquet": 600}, bad=[300], draws=None, is_alike=True)
    version = market.list_version(made)
    market.buy(version)
    good = [i for i in range(601) if i not in made.bad]
    for friend in range(MAX_UNITS + 5):  # each has a turn
        market.publish(made, good[4 * friend : 4 * friend + 4], address(0xF000 + friend))
    market.publish(made, [0, *made.bad], BUYER)
    assert market.look(version).state is PreviewState.BROKEN


def test_look__sellers_friend_has_bought_and_exposes_good_shards__takes_turns(
    market: PreviewMarket,
) -> None:
    """Buyers come first, but one of them does not come before another with all they have."""
    made = make({"a.parquet": 600}, bad=[300], draws=None, is_alike=True)
    version = market.list_version(made)
    market.buy(version)
    market.buy(version, SELLER)
    market.publish(made, [i for i in range(601) if i not in made.bad], SELLER)
    market.publish(made, [0, *made.bad], BUYER)
    assert market.look(version).state is PreviewState.BROKEN


def test_look__friend_publishes_the_bad_key_before_the_buyer__still_comes_first(
    market: PreviewMarket,
) -> None:
    made = make({"a.parquet": 600}, bad=[300], draws=None, is_alike=True)
    version = market.list_version(made)
    market.buy(version)
    market.publish(made, by=STRANGER)
    market.publish(made, [0, *made.bad], BUYER)
    assert market.look(version).state is PreviewState.BROKEN


@pytest.mark.parametrize("readers", [{BUYER, SELLER}, set[str]()])
def test_in_turn__large_unit_comes_after_a_friends__each_of_them_begins_now_and_then(
    readers: set[str],
) -> None:
    """Of what is fetched in a look it takes almost all: it is tried only where it comes first."""
    published = Published(by={SELLER: dict.fromkeys(range(50)), BUYER: {99: None}})
    lowered = {reader.lower() for reader in readers}
    orders = [list(in_turn(published, lowered, lambda shard: shard, ())) for _ in range(50)]
    assert {order[0] for order in orders} == {49, 99}
    assert all(sorted(order) == [*range(50), 99] for order in orders)
    assert all(99 in order[:2] for order in orders)


def test_in_turn__ten_thousand_good_keys_before_one_bad__it_has_its_turn() -> None:
    """Each look tries the first 64 that were not tried before, and they are right but one."""
    many, bad = 10_000, 10_000
    apart = Published(by={SELLER: dict.fromkeys(range(many)), BUYER: {bad: None}})
    for readers in ({BUYER.lower()}, {BUYER.lower(), SELLER.lower()}, set[str]()):
        order = list(in_turn(apart, readers, lambda shard: shard, ()))
        assert bad in order[:2]  # others' keys, however many, are one before it
        assert sorted(order) == [*range(many + 1)]
    # Of one publisher it is found, too: the newest are first, and what was tried is left out.
    alone = Published(by={STRANGER: dict.fromkeys([bad, *range(many)])})
    done: set[int] = set()
    looks = 0
    while bad not in done:
        tried = list(
            itertools.islice(in_turn(alone, set[str](), lambda shard: shard, done), MAX_UNITS)
        )
        assert len(tried) == min(MAX_UNITS, many + 1 - len(done)) and done.isdisjoint(tried)
        done.update(tried)
        looks += 1
    assert looks == -(-(many + 1) // MAX_UNITS) == 157


def test_look__only_an_undrawn_shard_is_gone__stays_shown(market: PreviewMarket) -> None:
    """Exposing what nobody serves accuses nobody."""
    made = make(BIG)
    version = market.list_version(made)
    market.open_sample(made, version)
    market.look(version)
    read = set(market.shelf.read)
    shards = {i: raw_cid(made.forged.index.sha256(i)) for i in range(1, 200)}
    gone = next(i for i, cid in shards.items() if cid not in read)
    del market.shelf.blocks[shards[gone]]
    market.publish(made, [gone], STRANGER)
    assert market.look(version).state is PreviewState.SHOWN


def test_look__update_keeps_an_exposed_segment__is_broken_too(market: PreviewMarket) -> None:
    made, version = shown(market, 100)
    market.publish(made, made.bad, BUYER)
    assert market.look(version).state is PreviewState.BROKEN
    newer = make({"a.parquet": 220}, draws=None).take_over(made)
    update = market.list_version(newer, version.listing_id, 2)
    market.publish(newer, [0])
    assert market.look(update).state is PreviewState.BROKEN
