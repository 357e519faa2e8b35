# SPDX-License-Identifier: Apache-2.0
"""Attacks on the sample: each would work without the rule that it is named after."""

import io
import itertools
import os
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from tests.utils.containers import Part, forge
from tests.utils.offline_market import address
from tests.utils.previews import (
    BUYER,
    ROWS,
    SELLER,
    STRANGER,
    Made,
    PreviewMarket,
    make,
    make_header,
)
from truthmark.cid import raw_cid
from truthmark.codec import files_table
from truthmark.codec.derive import wrap_key
from truthmark.codec.media import MediaOpener, Opened
from truthmark.codec.sampling import PreviewAsked
from truthmark.codec.shard_index import ShardIndex
from truthmark.errors import ConfigError, EndpointsDisagreeError, MalformedReplyError, MarketError
from truthmark.market.entries import Version
from truthmark.market.preview import PreviewState
from truthmark.market.preview.draw import draw_all, seed_of
from truthmark.market.preview.exposures import MAX_UNITS
from truthmark.market.preview.facts import is_flat, row_marks
from truthmark.market.preview.looking import read_seed
from truthmark.market.preview.media_values import typed_values
from truthmark.market.preview.remembered import Broken, Remembered
from truthmark.market.preview.sampling import KindCount
from truthmark.market.preview.strata import POOL, files_shards, find_strata
from truthmark.market.publishing import Publisher

BIG = {"a.parquet": 200}


# --------------------------------------------------------------------- choosing the draw


def test_seed__another_manifest_after_the_word__has_another_draw(market: PreviewMarket) -> None:
    """A seller who lists something else first knows a word, but not that of a later manifest."""
    first = market.list_version(make(BIG, draws=16), 1)
    second = market.list_version(make(BIG, draws=16), 1, 2)

    one, two = read_seed(market.session, first), read_seed(market.session, second)
    assert one.block < two.block
    assert one.seed != two.seed


def test_seed__the_same_manifest_listed_again__keeps_its_word(market: PreviewMarket) -> None:
    """Else a seller lists until the draw suits."""

    made = make(BIG)
    first = market.list_version(made, 1)
    again = market.list_version(made, 2, price=7)
    other = market.list_version(made, 3, 2, bond=5)
    seeds = {read_seed(market.session, version).seed for version in (first, again, other)}
    assert len(seeds) == 1


def test_seed__any_part_of_it_differs__differs() -> None:
    registry = address(1)
    parts = [(1, registry, b"m" * 32, b"w" * 32), (2, registry, b"m" * 32, b"w" * 32)]
    parts += [(1, address(2), b"m" * 32, b"w" * 32), (1, registry, b"n" * 32, b"w" * 32)]
    parts += [(1, registry, b"m" * 32, b"x" * 32)]
    assert len({seed_of(*part) for part in parts}) == len(parts)


@pytest.mark.parametrize("name", ["mixHash", "timestamp", "number"])
def test_look__endpoint_makes_up_a_word__is_refused(market: PreviewMarket, name: str) -> None:
    version = market.list_version(make(BIG))

    def lie(header: dict[str, object]) -> None:
        header[name] = "0x" + ("11" * 32 if name == "mixHash" else "7")

    market.lies["one"] = lie  # type: ignore[assignment]
    with pytest.raises(MalformedReplyError, match="do not make its hash"):
        market.look(version)


def test_look__endpoint_gives_the_header_of_another_block__is_refused(
    market: PreviewMarket,
) -> None:
    version = market.list_version(make(BIG))
    market.lies["one"] = lambda header: header.update(make_header(99))
    with pytest.raises(EndpointsDisagreeError, match="gives block 99"):
        market.look(version)


def test_look__two_endpoints_have_other_words__is_refused(market: PreviewMarket) -> None:

    version = market.list_version(make(BIG))
    market.endpoints.append(SimpleNamespace(place="two", is_local=True))
    market.lies["two"] = lambda header: header.update(
        make_header(int(header["number"], 16), b"fork")
    )
    with pytest.raises(EndpointsDisagreeError):
        market.look(version)


def test_look__listed_in_another_block_than_the_index_says__is_refused(
    market: PreviewMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = market.list_version(make(BIG))
    true = market.batch

    def moved(requests: object, endpoint: object = None) -> list[object]:
        listed, drawn = true(requests, endpoint)  # type: ignore[arg-type]
        return [{**listed, "hash": "0x" + "ab" * 32}, drawn]

    monkeypatch.setattr(market, "batch", moved)
    with pytest.raises(EndpointsDisagreeError, match="was not listed in the block"):
        market.look(version)


def test_look__beacon_by_hash__draws_otherwise_than_by_mix_hash(market: PreviewMarket) -> None:

    version = market.list_version(make(BIG))
    by_mix = read_seed(market.session, version)
    market.offline.chain.profile = replace(market.profile, beacon="hash")
    by_hash = read_seed(market.session, version)
    assert by_mix.block == by_hash.block
    assert by_mix.seed != by_hash.seed


# --------------------------------------------------------------------- staying out of the draw


def test_strata__rubbish_under_wrap_words__is_drawn_like_any_other() -> None:
    """Wrap words say nothing of what is new: 98.8 % of a first version could have some."""
    made = make(BIG, bad=range(1, 200))
    index = made.forged.index
    words = b"".join(
        bytes(32) if i < 2 else wrap_key(os.urandom(32), made.forged.cek, i, index.sha256(i))
        for i in range(index.count)
    )
    index._wrap_word = words
    strata = find_strata(made.structure, 64)
    assert strata.taken_over == ()
    assert sum(stratum.units for stratum in strata.drawn) == 200


def test_draws__few_shards_with_nearly_all_rows__are_met_by_every_second_draw() -> None:
    """By shards alone, a tenth of the shards with 99 % of the rows would be met seldom."""

    def rows(place: int) -> pa.Table:
        count = 400 if place >= 180 else 1
        return pa.table({"y": pa.array([place % 3] * count, pa.int8())})

    structure = make(BIG, rows=rows).structure
    strata = find_strata(structure, 32)
    rich = {segment.number for segment in strata.drawn[0].segments[180:]}
    for seed in (bytes([n]) * 32 for n in range(20)):
        picks = draw_all(structure, strata, seed)
        by_row = [pick.segment in rich for pick in picks if pick.draw % 2]
        assert sum(by_row) >= 14
        assert sum(pick.segment in rich for pick in picks if not pick.draw % 2) < 10


def test_draws__few_rows_in_nearly_all_shards__are_met_by_the_other_draws() -> None:
    """The reverse: rows that are fat and few fill the shards."""

    def rows(place: int) -> pa.Table:
        count = 1 if place >= 20 else 400
        return pa.table({"y": pa.array([place % 3] * count, pa.int8())})

    structure = make(BIG, rows=rows).structure
    strata = find_strata(structure, 32)
    fat = {segment.number for segment in strata.drawn[0].segments[20:]}
    for seed in (bytes([n]) * 32 for n in range(20)):
        picks = draw_all(structure, strata, seed)
        assert sum(pick.segment in fat for pick in picks if not pick.draw % 2) >= 10


def test_draws__table_with_the_rows_in_two_percent_of_the_shards__gets_as_many_draws() -> None:
    def rows(place: int) -> pa.Table:
        return pa.table({"y": pa.array([0] * (1 if place < 784 else 2000), pa.int8())})

    structure = make({"poor": 784, "rich": 16}, rows=rows).structure
    strata = find_strata(structure, 64)
    assert dict(zip((s.name for s in strata.drawn), strata.draws, strict=True)) == {
        "poor": 63,
        "rich": 8,  # half of its segments, no more
    }


def test_look__a_thousand_tables_of_fifteen_segments__are_drawn_from_together(
    market: PreviewMarket,
) -> None:
    """Each alone is too small to sample; all together they are the data."""
    tables = {f"{i}.parquet": 15 for i in range(1_000)}
    made = make(tables, draws=64, bad=range(0, 15_000, 3), is_alike=True)
    version = market.list_version(made)
    market.publish(made, files_shards(made.forged.index))
    assert market.look(version).state is PreviewState.WAITING
    market.open_sample(made, version)
    assert market.look(version).state is PreviewState.BAD


def test_strata__a_table_of_fifteen_segments_alone__is_not_sampled() -> None:
    strata = find_strata(make({"a": 15, "b": 200}).structure, 16)
    assert [stratum.name for stratum in strata.drawn] == ["b"]
    assert [stratum.name for stratum in strata.left_out] == ["a"]
    pooled = find_strata(make({"a": 15, "b": 200, "c": 1}).structure, 16)
    assert [stratum.name for stratum in pooled.drawn] == ["b", POOL]


def test_look__bytes_of_no_file__count_as_not_sampled(market: PreviewMarket) -> None:
    """A stream of noise of which the table of files says nothing would never be drawn."""
    made = make(BIG, files={"a.txt": b"x" * 100, "rest": os.urandom(4080 * 60)})
    position = 1

    structure = made.structure
    entries = [entry for i, entry in enumerate(structure.entries) if i != position]
    parts = _parts_of(made, files_table.encode(entries))
    made = Made(forge(parts, card={"extra": {"preview": PreviewAsked(16).to_json()}}))
    version = market.list_version(made)
    market.publish(made)
    found = market.look(version)
    assert found.state is PreviewState.PARTIAL
    assert found.unsampled > 0.2


def _parts_of(made: Made, files: bytes) -> list[Part]:
    """Return the parts of a container again, with another table of files."""
    opener = made.container.opener
    parts = [Part(0, files, decoded=1 << 20)]
    for segment in made.forged.index.segments.values():
        if segment.number:
            shards = range(segment.shard, segment.shard + segment.shards)
            body = b"".join(opener.open(i) for i in shards)
            rows, first, decoded = segment.rows, segment.first_row, segment.decoded_bytes
            parts.append(Part(segment.number, body, rows, first, decoded))
    return parts


# --------------------------------------------------------------------- updates


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


def test_publish__one_endpoint_alone__opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It could invent the word of chance, and so choose the parts that are opened."""
    monkeypatch.setattr("truthmark.market.publishing.can_be_sure", lambda *_: False)
    session: Any = SimpleNamespace(
        chain=SimpleNamespace(rpc=None), profile=SimpleNamespace(chain_id=1)
    )
    version: Any = SimpleNamespace(terms=SimpleNamespace(root=bytes(32)))
    with pytest.raises(ConfigError, match="one chain endpoint alone"):
        Publisher(session).publish(version, SimpleNamespace())


def test_typed_values__column_of_spaces_before_noise__both_are_opened() -> None:
    table = pa.table({"a.txt": [b" " * 10_000] * 5, "jpeg": [b"noise"] * 5})
    kinds = [kind for kind, _ in typed_values(table, range(5), 8_000)]
    assert set(kinds) == {"TEXT", "JPEG"}


def test_typed_values__pictures_beside_their_paths__are_what_these_say() -> None:
    """As `datasets` keeps media: a struct of bytes and path; and bytes with a column of paths."""
    cells = [
        {"bytes": b"noise", "path": "a.png"},
        {"bytes": b"noise", "path": "a.unheard-of"},
        {"bytes": b"RIFF\0\0\0\0WAVE", "path": None},
        {"bytes": b"RIFF\0\0\0\0WEBP", "path": None},
        {"bytes": None, "path": "b.png"},
        None,
    ]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"image": pa.array(cells, kind)})
    found = [it for it, _ in typed_values(table, range(6), 1_000)]
    assert found[0] == "PNG" and found[2:] == ["WAV", "WEBP"]
    beside = pa.table({"path": ["a.flac", None], "content": [b"noise", None]})
    assert [it for it, _ in typed_values(beside, range(2), 1_000)] == ["FLAC"]


def test_row_marks__nested_columns__are_passed_over() -> None:
    # One cell of a list of 2^31 - 1 nothings has next to no bytes, and 17 GB in Python.
    wide = pa.chunked_array([pa.nulls(2, pa.list_(pa.null()))])
    table = pa.table({"text": ["a long enough text to be told"] * 2, "lists": wide})
    assert len(row_marks(table, range(2))) == 2
    assert not is_flat(pa.list_(pa.null(), 2**31 - 1)) and not is_flat(pa.list_(pa.int8()))
    assert not is_flat(pa.dictionary(pa.int8(), pa.list_(pa.int8())))
    assert is_flat(pa.dictionary(pa.int8(), pa.string())) and is_flat(pa.binary())


def test_require_media__noise_among_many_small_files__asks() -> None:
    count = KindCount()
    for _ in range(99):
        count.add(10, is_open=True)
    assert not count.is_bad
    count.add(10_000, is_open=False)  # one of a hundred, and nine tenths of the bytes
    assert count.is_bad


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


# --------------------------------------------------------------------- looking good


def test_look__folder_of_noise_named_jpg__asks(market: PreviewMarket) -> None:
    """Noise is valid Arrow."""

    def rows(place: int) -> pa.Table:
        return pa.table(
            {
                "path": [f"{place}/{i}.jpg" for i in range(4)],
                "label": ["cat"] * 4,
                "bytes": [os.urandom(700) for _ in range(4)],
            }
        )

    made = make(BIG, rows=rows)
    version = market.list_version(made)
    market.publish(made)
    found = market.look(version)
    assert found.state is PreviewState.PARTIAL
    assert "do not open as what their names say" in found.why


def test_look__noise_of_which_nothing_tells_the_type__is_told(market: PreviewMarket) -> None:
    def rows(place: int) -> pa.Table:
        return pa.table({"image": [os.urandom(700) for _ in range(4)]})

    made = make(BIG, rows=rows)
    version = market.list_version(made)
    market.publish(made)
    found = market.look(version)
    assert any("nothing tells the type" in line for line in found.findings)


def test_look__shards_are_mostly_filling__is_told(market: PreviewMarket) -> None:
    made = make(BIG, rows=lambda place: pa.table({"n": [place]}))
    version = market.list_version(made)
    market.publish(made)
    found = market.look(version)
    assert any("are rows" in line for line in found.findings)


def test_look__one_segment_two_hundred_times__is_told(market: PreviewMarket) -> None:
    made = make(BIG)
    made.forged.shards[2:] = [made.forged.shards[1]] * 199
    made.all_keys |= dict.fromkeys(range(2, 201), made.all_keys[1])
    made.recommit()
    version = market.list_version(made)
    market.publish(made)
    found = market.look(version)
    assert any("199 shards are copies" in line for line in found.findings)
    assert any("equal rows" in line for line in found.findings)


def test_look__card_of_a_megabyte_of_claims__is_not_held_against_all(market: PreviewMarket) -> None:
    claims = [{"split": str(i), "rows": 1} for i in range(20_000)]
    made = make(BIG, card={"counts": claims})
    version = market.list_version(made)
    market.publish(made)
    assert 0 < len(market.look(version).contradictions) <= 500


def test_look__noise_in_the_byte_stream_named_png__asks(market: PreviewMarket) -> None:
    files = {f"{i}.png": os.urandom(2_000) for i in range(100)}
    made = make({"a.parquet": 100}, files=files)
    version = market.list_version(made)
    market.publish(made)
    found = market.look(version)
    assert found.state is PreviewState.PARTIAL
    assert "do not open" in found.why


def test_open_all__file_kills_or_hangs_the_child__does_not_open() -> None:
    pytest.importorskip("PIL")
    bomb = _picture((9_000, 9_000))
    with MediaOpener() as media:
        assert media.open("PNG", b"no") is Opened.NO
        assert media.open("PNG", bomb) in (Opened.YES, Opened.NO)
        assert media.open("JSON", b"[" * 10**6) is Opened.NO
        assert media.open("JSON", b"[1]") is Opened.YES


def _picture(size: tuple[int, int]) -> bytes:
    from PIL import Image

    sink = io.BytesIO()
    Image.new("1", size).save(sink, "PNG")
    return sink.getvalue()


# --------------------------------------------------------------------- exposures


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
    """What was tried is remembered, so a seller's own good keys use up nothing for ever."""
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


# --------------------------------------------------------------------- using up the looker


def test_look__thousands_of_keys__are_read_few_at_once(market: PreviewMarket) -> None:
    made = make(BIG)
    version = market.list_version(made)
    market.publish(made)
    market.publish_keys(made, [os.urandom(32) for _ in range(40_000)])
    assert market.look(version).state is PreviewState.SHOWN


def test_look__sample_is_larger_than_what_is_fetched__is_partial(market: PreviewMarket) -> None:
    made = make(BIG)
    version = market.list_version(made)
    market.publish(made)
    market.shelf.read.clear()
    found = market.look(version, max_download=8 * 4096)
    assert found.state is PreviewState.PARTIAL
    assert "draws were opened" in found.why
    assert sum(len(market.shelf.blocks[cid]) == 4096 for cid in market.shelf.read) < 64 + 9


def test_look__segments_declare_more_than_memory__is_partial(market: PreviewMarket) -> None:
    made = make(BIG)
    index = made.forged.index
    index.decoded_bytes[1:] = 100 << 30
    made.recommit()
    version = market.list_version(made)
    market.publish(made)
    found = market.look(version)
    assert found.state is PreviewState.PARTIAL
    assert found.tables == {}


def test_look__segment_decodes_to_more_than_it_declares__is_bad(market: PreviewMarket) -> None:
    def rows(place: int) -> pa.Table:
        return pa.table({"n": pa.array([0] * 300, pa.int64())})

    made = make(BIG, rows=rows)
    made.forged.index.decoded_bytes[1:] = 1
    made.recommit()
    version = market.list_version(made)
    market.publish(made)
    assert market.look(version).state in (PreviewState.BAD, PreviewState.SHOWN)


def test_look__table_of_files_is_huge__is_partial(market: PreviewMarket) -> None:
    made = make(BIG)
    made.forged.index.decoded_bytes[0] = 1 << 40
    made.recommit()
    version = market.list_version(made)
    market.publish(made)
    assert market.look(version).state is PreviewState.PARTIAL
