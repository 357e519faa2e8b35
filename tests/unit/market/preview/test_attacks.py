# SPDX-License-Identifier: Apache-2.0
"""Attacks on the sample: each would work without the rule that it is named after."""

import io
import os
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from tests.utils.containers import Part, forge
from tests.utils.offline_market import address
from tests.utils.previews import (
    Made,
    PreviewMarket,
    make,
    make_header,
)
from truthmark.codec import file_rows, files_table
from truthmark.codec.derive import wrap_key
from truthmark.codec.media import MediaOpener, Opened
from truthmark.codec.sampling import PreviewAsked
from truthmark.errors import ConfigError, EndpointsDisagreeError, MalformedReplyError
from truthmark.market.preview import PreviewState
from truthmark.market.preview.draw import draw_all, seed_of
from truthmark.market.preview.looking import read_seed
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


@pytest.mark.parametrize("name", ["mixHash", "timestamp", "number"])
def test_seed__endpoint_gives_false_fields_under_a_true_hash__another_one_is_asked(
    market: PreviewMarket, name: str
) -> None:
    version = market.list_version(make(BIG))
    true = read_seed(market.session, version)
    market.endpoints.append(SimpleNamespace(place="two", is_local=True))
    market.lies["one"] = lambda header: header.update({name: "0x" + "11" * 32})
    assert read_seed(market.session, version) == true
    market.lies["two"] = market.lies["one"]
    with pytest.raises(MalformedReplyError, match="do not make its hash"):
        read_seed(market.session, version)


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

    def moved(requests: object, **more: object) -> list[object]:
        listed, drawn = true(requests, **more)  # type: ignore[arg-type]
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


@pytest.mark.untraced
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


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("{place}-{row}.txt", PreviewState.SHOWN),
        ("same.txt", PreviewState.PARTIAL),
        ("{row}/../../{place}.txt", PreviewState.PARTIAL),
        ("{row}\n{place};.txt", PreviewState.PARTIAL),
        ("", PreviewState.PARTIAL),
    ],
    ids=["good", "the same twice", "climbs", "control character", "empty"],
)
def test_look__rows_that_are_no_files_though_they_are_said_to_be__asks(
    market: PreviewMarket, name: str, state: PreviewState
) -> None:
    """They are valid Arrow, and no reader writes them."""

    def rows(place: int) -> pa.Table:
        paths = [name.format(row=row, place=place) for row in range(9)]
        return pa.table([paths, [None] * 9, [b"a text"] * 9], schema=file_rows.schema())

    made = make({"files.arrow": 200}, rows=rows)
    version = market.list_version(made)
    market.publish(made)
    found = market.look(version)
    assert found.state is state
    assert ("cannot be written as files" in found.why) is (state is PreviewState.PARTIAL)
    assert "\n" not in found.why


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


def test_look__some_declare_more_than_is_decoded__do_not_hide_what_is_bad(
    market: PreviewMarket,
) -> None:
    """PARTIAL is asked about; BAD is refused."""
    made = make({"a.parquet": 200}, bad=range(40, 200), draws=32)
    made.forged.index.decoded_bytes[1:41] = 129 << 20
    made.recommit()
    version = market.list_version(made)
    market.publish(made)
    assert market.look(version).state is PreviewState.BAD


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


def test_look__table_of_files_decodes_to_more_than_it_declares__is_bad(
    market: PreviewMarket,
) -> None:
    """It is no limit of who looks: as PARTIAL nobody could ever expose it."""
    files = {f"{i:0200}.txt": b"x" for i in range(2_000)}
    made = make({"a.parquet": 2}, files=files)
    made.forged.index.decoded_bytes[0] = 100
    version = market.list_version(made.recommit())
    market.publish(made)
    found = market.look(version)
    assert found.state is PreviewState.BAD
    assert "more than it declares" in found.why


def test_publish__one_endpoint_alone__opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It could invent the word of chance, and so choose the parts that are opened."""
    monkeypatch.setattr("truthmark.market.publishing.can_be_sure", lambda *_: False)
    session: Any = SimpleNamespace(
        chain=SimpleNamespace(rpc=None), profile=SimpleNamespace(chain_id=1)
    )
    version: Any = SimpleNamespace(terms=SimpleNamespace(root=bytes(32)))
    with pytest.raises(ConfigError, match="one chain endpoint alone"):
        Publisher(session).publish(version, SimpleNamespace())
