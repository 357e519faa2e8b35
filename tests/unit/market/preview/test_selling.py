# SPDX-License-Identifier: Apache-2.0
"""Which keys sellers publish, and buyers who found something rotten."""

import os
from pathlib import Path

import pyarrow as pa
import pytest

from tests.utils.containers import MemoryShards, Part, forge, stream_of
from tests.utils.previews import BUYER, Made, PreviewMarket, make
from truthmark.codec import files_table
from truthmark.codec.files_table import Entry
from truthmark.codec.shards import ContentOpener
from truthmark.errors import MarketError
from truthmark.market.flows import sampling
from truthmark.market.preview import PreviewState, exposing_keys, wanted_keys
from truthmark.market.verdicts import MAX_KEYS, cut_keys

BIG = {"a.parquet": 200}


def opener_of(made: Made) -> ContentOpener:
    forged = made.forged
    shards = MemoryShards(forged.shards)
    return ContentOpener(forged.index, shards, cek=forged.cek, shard_size=4096)


def test_wanted_keys__word_is_final__are_the_same_until_they_are_public(
    market: PreviewMarket,
) -> None:
    made = make(BIG)
    version = market.list_version(made)
    first = wanted_keys(market.session, version, made.container)
    assert first == wanted_keys(market.session, version, made.container)
    assert first.seed is not None and first.blocks_left == 0
    assert len(first.keys) == first.shards <= 17
    market.publish_keys(made, first.keys[:3])
    rest = wanted_keys(market.session, version, made.container)
    assert rest.keys == first.keys[3:]
    market.publish_keys(made, rest.keys)
    assert wanted_keys(market.session, version, made.container).keys == ()
    assert market.look(version).state is PreviewState.SHOWN


def test_wanted_keys__container_of_another_packing__opens_nothing(market: PreviewMarket) -> None:
    """Its keys could never be taken back, and the sample would wait for ever."""
    version = market.list_version(make(BIG))
    other = make(BIG, extra={"number": 2})
    with pytest.raises(MarketError, match=r"does not hold what was listed as 1@1.*another packing"):
        wanted_keys(market.session, version, other.container)


def test_open_sample__folder_of_another_packing__is_refused_in_one_line(
    market: PreviewMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = market.list_version(make(BIG))
    other = make(BIG, extra={"number": 2}).forged.manifest
    monkeypatch.setattr(sampling.codec, "read_manifest", lambda folder: other)
    with pytest.raises(MarketError, match=r"^packed does not hold what was listed as 1@1"):
        sampling.open_sample(market.session, version, Path("packed"))


def test_wanted_keys__word_is_not_final__is_empty(market: PreviewMarket) -> None:
    made = make(BIG)
    version = market.list_version(made)
    market.height = 4
    wanted = wanted_keys(market.session, version, made.container)
    assert (wanted.keys, wanted.seed, wanted.block, wanted.blocks_left) == ((), None, 5, 1)


def test_wanted_keys__many__are_cut_into_calls(market: PreviewMarket) -> None:
    made = make({"a.parquet": 1_600}, draws=512, is_alike=True)
    version = market.list_version(made)
    wanted = wanted_keys(market.session, version, made.container)
    calls = cut_keys(wanted.keys)
    assert all(0 < len(keys) <= MAX_KEYS for keys in calls)
    assert sum(map(len, calls)) == len(wanted.keys) > 400


def test_wanted_keys__blind__is_refused(market: PreviewMarket) -> None:
    made = make(BIG, draws=None)
    version = market.list_version(made)
    with pytest.raises(MarketError, match="asked for no sample"):
        wanted_keys(market.session, version, made.container)


@pytest.mark.parametrize("how", ["noise", "random"])
@pytest.mark.parametrize("draws", [None, 16])
def test_exposing_keys__one_rotten_segment__is_seen_by_everybody(
    market: PreviewMarket, how: str, draws: int | None
) -> None:
    made = make(BIG, bad=[70], how=how, draws=draws)
    version = market.list_version(made)
    keys = exposing_keys(market.session, version, opener_of(made), made.bad)
    # Of noise that is sealed its own, and that of segment 0, without which nobody knows columns.
    assert len(keys) == (2 if how == "noise" else 1)
    market.publish_keys(made, keys, BUYER)
    assert market.look(version).state is PreviewState.BROKEN


def test_exposing_keys__one_bad_tag_in_a_segment_of_many_shards__opens_that_shard_alone(
    market: PreviewMarket,
) -> None:
    """The rest of the segment is what was paid for, and proves nothing."""
    message, body = stream_of(pa.table({"x": [os.urandom(700) for _ in range(40)]}))
    entries = [Entry("a.parquet", "table", None, 0, 40, message)]
    parts = [Part(0, files_table.encode(entries), decoded=1 << 20), Part(2, body, 40)]
    made = Made(forge(parts, random=[4]))
    version = market.list_version(made)
    keys = exposing_keys(market.session, version, opener_of(made), range(1, 8))
    assert keys == (made.all_keys[4],)
    market.publish_keys(made, keys, BUYER)
    assert market.look(version).state is PreviewState.BROKEN


@pytest.mark.parametrize("shards", [[5], [0], []])
def test_exposing_keys__nothing_is_rotten__publishes_nothing(
    market: PreviewMarket, shards: list[int]
) -> None:
    """The last look before it is done: perhaps this computer was wrong when it looked first."""
    made = make(BIG)
    version = market.list_version(made)
    with pytest.raises(MarketError, match="nobody would see"):
        exposing_keys(market.session, version, opener_of(made), shards)


def test_exposing_keys__too_large_for_others_to_look_at__publishes_nothing(
    market: PreviewMarket,
) -> None:
    made = make(BIG, bad=[70])
    made.forged.index.decoded_bytes[made.bad[0]] = 1 << 40
    made.recommit()
    version = market.list_version(made)
    with pytest.raises(MarketError, match="too large to be looked at"):
        exposing_keys(market.session, version, opener_of(made), made.bad)


def test_exposing_keys__segment_zero_is_rotten__needs_no_open_container(
    market: PreviewMarket,
) -> None:
    made = make(BIG, draws=None)
    made.forged.shards[0] = bytes(4096)
    made.recommit()
    version = market.list_version(made)
    keys = exposing_keys(market.session, version, opener_of(made), [0])
    market.publish_keys(made, keys, BUYER)
    assert market.look(version).state is PreviewState.BROKEN
