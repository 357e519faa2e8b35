# SPDX-License-Identifier: Apache-2.0
"""Updates: what one takes over from another, and what nobody may stay out of a draw by."""

from collections import Counter
from dataclasses import replace
from functools import partial

import pyarrow as pa
import pytest

from tests.utils.previews import (
    Made,
    PreviewMarket,
    make,
)
from truthmark.codec.files_table import Entry
from truthmark.codec.segments import schema_message
from truthmark.errors import MarketError
from truthmark.market.entries import Version
from truthmark.market.preview import PreviewState, looking, older
from truthmark.market.preview.remembered import Broken, Remembered
from truthmark.market.preview.strata import column_text, find_strata

BIG = {"a.parquet": 200}


class Updates:
    """Versions of a listing, each of which takes over the segments of the one before."""

    def __init__(self, market: PreviewMarket) -> None:
        self.market = market
        self.made: list[Made] = []

    def list(self, segments: int, bad: range = range(0)) -> Version:
        """List the next version, and open what chance wants of it."""
        before = [made.forged.manifest.cid for made in reversed(self.made)]
        made = make({"a.parquet": segments}, draws=32, bad=bad, previous=before)
        if self.made:
            made.take_over(self.made[-1])
        self.made.append(made)
        version = self.market.list_version(made, 1, len(self.made))
        self.market.open_sample(made, version)
        return version


def test_look__update_with_much_new__draws_only_from_what_is_new(market: PreviewMarket) -> None:
    updates = Updates(market)
    assert market.look(updates.list(200)).state is PreviewState.SHOWN
    found = market.look(updates.list(240))
    assert found.state is PreviewState.SHOWN, found.why
    assert [part.segments for part in found.parts] == [40]
    assert found.taken_over == pytest.approx(200 / 240)


def test_look__fifteen_bad_segments_an_update__are_drawn_once_there_are_sixteen(
    market: PreviewMarket,
) -> None:
    """What was too little to be drawn from stays new, however often it is listed again."""
    updates = Updates(market)
    assert market.look(updates.list(300)).state is PreviewState.SHOWN
    found = market.look(updates.list(315, range(300, 315)))
    assert found.state is PreviewState.SHOWN  # of these nothing was drawn, and that is said
    assert found.unsampled == pytest.approx(15 / 315)
    updates.made[-1].bad = []
    again = updates.list(330, range(315, 330))
    assert market.look(again).state is PreviewState.BAD


def test_look__older_version_was_not_shown__exempts_nothing(market: PreviewMarket) -> None:
    updates = Updates(market)
    assert market.look(updates.list(200, range(0, 200, 2))).state is PreviewState.BAD
    found = market.look(updates.list(220))
    assert found.state is PreviewState.BAD
    assert found.taken_over == 0.0


def test_look__older_version_is_not_to_be_had__exempts_nothing(market: PreviewMarket) -> None:
    updates = Updates(market)
    updates.list(200)
    second = updates.list(240)
    del market.shelf.blocks[updates.made[0].forged.manifest.cid]
    (market.session.index_folder / "previews.sqlite").unlink()
    assert market.look(second).state is PreviewState.WAITING
    market.publish(updates.made[1])
    assert [part.segments for part in market.look(second).parts] == [240]


def test_wanted_keys__older_version_is_not_to_be_had__opens_nothing(market: PreviewMarket) -> None:
    """Else a seller in the dark opens what is drawn from everything, and later what is new."""
    updates = Updates(market)
    updates.list(200)
    made = make({"a.parquet": 240}, draws=32, previous=[updates.made[0].forged.manifest.cid])
    version = market.list_version(made.take_over(updates.made[0]), 1, 2)
    block = market.shelf.blocks.pop(updates.made[0].forged.manifest.cid)
    with pytest.raises(MarketError, match="1@1, from which this version takes over parts"):
        market.open_sample(made, version)
    market.shelf.blocks[updates.made[0].forged.manifest.cid] = block
    market.open_sample(made, version)
    assert market.look(version).state is PreviewState.SHOWN


def test_look__forty_older_versions_that_are_not_to_be_had__are_asked_for_once_each(
    market: PreviewMarket,
) -> None:
    """Each names all before it: along every way there would be a million million looks."""
    cids, gone = [], []
    for number in range(1, 41):
        made = make({"a.parquet": 1}, previous=cids[::-1], extra={"number": number})
        market.list_version(made, 1, number)
        cids.append(made.forged.manifest.cid)
        gone += [cid for cid, data in market.shelf.blocks.items() if len(data) == 4096]
    for cid in gone:
        market.shelf.blocks.pop(cid, None)
    newest = make(BIG, previous=cids[::-1])
    version = market.list_version(newest, 1, 41)
    market.publish(newest)
    market.shelf.read.clear()
    assert market.look(version).state is PreviewState.SHOWN
    assert max(Counter(market.shelf.read)[cid] for cid in cids) == 1


def test_look__older_version_is_of_another_listing__exempts_nothing(market: PreviewMarket) -> None:
    first = make(BIG, draws=32)
    market.open_sample(first, market.list_version(first, 7))
    second = make(BIG, draws=32, previous=[first.forged.manifest.cid]).take_over(first)
    version = market.list_version(second, 8)
    market.open_sample(second, version)
    assert [part.segments for part in market.look(version).parts] == [200]


def test_look__older_version_was_opened_after_the_listing__exempts_nothing(
    market: PreviewMarket,
) -> None:
    """Who lists many and opens none could choose, after the word, which exempt what is bad."""
    first = make(BIG, draws=32)
    version = market.list_version(first, 7)
    second = make(BIG, draws=32, previous=[first.forged.manifest.cid]).take_over(first)
    update = market.list_version(second, 7, 2)
    market.open_sample(first, version)
    assert market.look(version).state is PreviewState.SHOWN
    market.open_sample(second, update)
    assert [part.segments for part in market.look(update).parts] == [200]


def test_look__older_version_is_broken__draws_the_same_and_asks(market: PreviewMarket) -> None:
    """Else who plants something rotten could choose, by exposing it, what is drawn."""
    updates = Updates(market)
    updates.list(200)
    first = updates.made[0]
    second = make({"a.parquet": 240}, draws=32, previous=[first.forged.manifest.cid])
    version = market.list_version(second.take_over(first), 1, 2)
    market.open_sample(second, version)
    before = market.look(version)
    assert before.state is PreviewState.SHOWN
    digest = first.forged.manifest.cid.digest
    Remembered.of(market.session).note_broken(digest, Broken("rotten", "0x12"))
    found = market.look(version)
    assert (found.state, found.parts) == (PreviewState.PARTIAL, before.parts)
    assert "older version" in found.why


def test_strata__taken_over_segment_is_repeated__counts_once() -> None:
    """A good segment a thousand times is a thousand segments of rows that are there already."""
    structure = make(BIG).structure
    name = structure.name_of(structure.tables[0][1][3], structure.columns(structure.entries[0]))
    strata = find_strata(structure, 16, {name})
    assert len(strata.taken_over) == 1
    index = structure.index
    repeated = index.sha256(4)
    index._sha256 = index._sha256[:32] + repeated * 200
    index._key_hash = index._key_hash[:32] + index.key_hash(4) * 200
    again = find_strata(structure, 16, {name})
    assert len(again.taken_over) == 1
    assert again.drawn[0].units == 199


def test_strata__taken_over_under_another_schema_or_row_count__is_new() -> None:
    structure = make(BIG).structure
    segment = structure.tables[0][1][0]
    schema = structure.columns(structure.entries[0])

    names = {
        structure.name_of(segment, schema + b"x"),
        structure.name_of(replace(segment, rows=segment.rows + 1), schema),
        structure.name_of(replace(segment, shards=2), schema),
        # An index that declares 2^40 decoded bytes would make a good segment one that nobody opens.
        structure.name_of(replace(segment, decoded_bytes=1 << 40), schema),
    }
    assert find_strata(structure, 16, names).taken_over == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            [pa.field("a", pa.int32()), pa.field("b", pa.int64())],
            [pa.field("a\0int32\x001\0b", pa.int64())],
        ),
        (
            [pa.field("s", pa.struct([("a", pa.int32()), ("b", pa.int64())]))],
            [pa.field("s", pa.struct([("a: int32, b", pa.int64())]))],
        ),
        (
            [pa.field("m", pa.map_(pa.string(), pa.int8()))],
            [pa.field("m", pa.map_(pa.string(), pa.field("value", pa.int8(), nullable=False)))],
        ),
    ],
    ids=["columns", "struct", "nulls in a map"],
)
def test_column_text__one_schema_reads_like_another__is_another(
    before: list[pa.Field], after: list[pa.Field]
) -> None:
    """Or segments of the first would be taken over, undrawn, under one that does not fit them."""
    texts = {
        column_text(Entry("t", "table", None, 0, 1, schema_message(pa.schema(fields))))
        for fields in (before, after)
    }
    assert len(texts) == 2


def test_look__update_under_a_schema_that_reads_like_the_old_one__is_drawn_and_bad(
    market: PreviewMarket,
) -> None:
    def rows(place: int) -> pa.Table:
        pair = pa.StructArray.from_arrays(
            [pa.array([place] * 9, pa.int32()), pa.array([place] * 9, pa.int64())], ["a", "b"]
        )
        return pa.table({"s": pair})

    def other(place: int) -> pa.Table:
        return pa.table({"s": pa.array([{"a: int32, b": place}] * 9)})

    before = make(BIG, rows=rows)
    market.open_sample(before, market.list_version(before, 1, 1))
    after = make(BIG, rows=other, previous=[before.forged.manifest.cid]).take_over(before)
    version = market.list_version(after, 1, 2)
    market.open_sample(after, version)
    assert market.look(version).state is PreviewState.BAD


def chain_of(market: PreviewMarket, length: int, names: int = 1) -> list[Made]:
    """List versions, each of which names those before it, and open all of the first."""
    made: list[Made] = []
    for number in range(1, length + 1):
        before = [it.forged.manifest.cid for it in reversed(made)][:names]
        extra = {"number": number}
        made.append(make({"a.parquet": 1}, previous=before, extra=extra, is_alike=True))
        market.list_version(made[-1], 1, number)
    return made


def test_look__updates_one_from_the_other__are_looked_at_one_after_the_other(
    market: PreviewMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each within the one that names it would end after some two hundred of them."""
    made = chain_of(market, 12)
    newest = make(BIG, previous=[made[-1].forged.manifest.cid])
    version = market.list_version(newest, 1, 13)
    market.publish(newest)
    depth: list[int] = [0]
    seen: list[tuple[int, int]] = []
    true = looking._Look.run

    def run(self: looking._Look) -> object:
        depth[0] += 1
        seen.append((self._version.number, depth[0]))
        try:
            return true(self)
        finally:
            depth[0] -= 1

    monkeypatch.setattr(looking._Look, "run", run)
    assert market.look(version).state is PreviewState.SHOWN
    assert seen == [(13, 1), *((number, 2) for number in range(1, 13))]


def test_look__more_updates_than_are_looked_at__is_partial(
    market: PreviewMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(older, "MAX_BEFORE", 5)
    made = chain_of(market, 6)
    newest = make(BIG, previous=[made[-1].forged.manifest.cid])
    version = market.list_version(newest, 1, 7)
    market.publish(newest)
    found = market.look(version)
    assert found.state is PreviewState.PARTIAL and "too many" in found.why
    with pytest.raises(MarketError, match="too many"):
        market.open_sample(newest, version)


def test_look__older_versions_are_more_than_is_fetched__gets_further_each_time(
    market: PreviewMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index of each counts: it may have 64 MiB, as much as its sample."""
    updates = Updates(market)
    newest = [updates.list(200 + 20 * i) for i in range(4)][-1]
    (market.session.index_folder / "previews.sqlite").unlink()
    first = updates.made[0].forged.manifest
    most = first.index_size + 34 * 4096 + 40_000  # and so not those of two
    assert first.index_size > 24_000
    monkeypatch.setattr(looking, "MAX_BYTES", 0)  # for what others opened of the newest
    monkeypatch.setattr(looking, "Allowance", partial(older.Allowance, most))
    states = []
    while len(states) < 6:
        market.shelf.read.clear()
        found = market.look(newest)
        states.append(found.state)
        if found.state is PreviewState.SHOWN:
            break
        read = sum(len(market.shelf.blocks[cid]) for cid in market.shelf.read)
        # And, of the newest itself, what is read before there is anything to draw from.
        assert read <= most + updates.made[-1].forged.manifest.index_size + 40_000
        assert "look again" in found.why
    assert states == [PreviewState.PARTIAL] * (len(states) - 1) + [PreviewState.SHOWN]
    assert len(states) > 1
