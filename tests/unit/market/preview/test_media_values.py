# SPDX-License-Identifier: Apache-2.0
"""Bytes in values: opened as what they are said to be, or counted, however they are wrapped."""

import io
import os
import random
from collections.abc import Callable

import pyarrow as pa
import pytest

from tests.utils.previews import PreviewMarket, make, typed_values
from truthmark.market.preview import PreviewState, media_values
from truthmark.market.preview.facts import is_flat, row_marks
from truthmark.market.preview.media_values import leaves
from truthmark.market.preview.sampling import KindCount

BIG = {"a.parquet": 200}
NOISE = [os.urandom(60) for _ in range(8)]
_SAID = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def _union(mode: str) -> pa.Array:
    types = pa.array([0, 1] * 4, pa.int8())
    if mode == "sparse":
        return pa.UnionArray.from_sparse(types, [pa.array(NOISE), pa.array(range(8))])
    offsets = pa.array([i // 2 for i in range(8)], pa.int32())
    return pa.UnionArray.from_dense(types, offsets, [pa.array(NOISE), pa.array(range(4))])


def _maps(keys: bool) -> pa.Array:
    pairs = [[(it, "k") if keys else ("k", it)] for it in NOISE]
    kinds = (pa.binary(), pa.string()) if keys else (pa.string(), pa.binary())
    return pa.array(pairs, pa.map_(*kinds))


WRAPPED: dict[str, Callable[[], pa.Array]] = {
    "binary": lambda: pa.array(NOISE),
    "large binary": lambda: pa.array(NOISE, pa.large_binary()),
    "view": lambda: pa.array(NOISE, pa.binary_view()),
    "fixed": lambda: pa.array(NOISE, pa.binary(60)),
    "list": lambda: pa.array([[it] for it in NOISE]),
    "large list": lambda: pa.array([[it] for it in NOISE], pa.large_list(pa.binary())),
    "fixed list": lambda: pa.array([[it] for it in NOISE], pa.list_(pa.binary(), 1)),
    "list view": lambda: pa.array([[it] for it in NOISE], pa.list_view(pa.binary())),
    "list of fixed": lambda: pa.array([[it] for it in NOISE], pa.list_(pa.binary(60))),
    "list of views": lambda: pa.array([[it] for it in NOISE], pa.list_(pa.binary_view())),
    "lists of lists": lambda: pa.array([[[it]] for it in NOISE]),
    "dictionary": lambda: pa.array(NOISE).dictionary_encode(),
    "dictionary of lists": lambda: pa.DictionaryArray.from_arrays(
        pa.array(range(8)), pa.array([[it] for it in NOISE])
    ),
    "list of dictionaries": lambda: pa.ListArray.from_arrays(
        pa.array(range(9), pa.int32()), pa.array(NOISE).dictionary_encode()
    ),
    "runs": lambda: pa.RunEndEncodedArray.from_arrays(
        pa.array(range(1, 9), pa.int32()), pa.array(NOISE)
    ),
    "runs of lists": lambda: pa.RunEndEncodedArray.from_arrays(
        pa.array(range(1, 9), pa.int32()), pa.array([[it] for it in NOISE])
    ),
    "struct": lambda: pa.array([{"a": 1, "b": it} for it in NOISE]),
    "struct of struct": lambda: pa.array([{"a": {"b": it}} for it in NOISE]),
    "list of structs": lambda: pa.array([[{"b": it}] for it in NOISE]),
    "map": lambda: _maps(False),
    "keys of a map": lambda: _maps(True),
    "dense union": lambda: _union("dense"),
    "sparse union": lambda: _union("sparse"),
    "small numbers": lambda: pa.array([list(it) for it in NOISE], pa.list_(pa.uint8())),
    "extension": lambda: pa.ExtensionArray.from_storage(
        pa.opaque(pa.list_(pa.binary()), "a", "b"), pa.array([[it] for it in NOISE])
    ),
}


@pytest.mark.parametrize("how", WRAPPED)
def test_leaves__noise_however_wrapped__is_counted(how: str) -> None:
    """Else it would be looked at in words only."""
    (leaf,) = leaves(pa.table({"x": WRAPPED[how]()}), range(8), 1 << 20)
    assert leaf.size >= 60 * 4
    assert {kind for kind, _ in leaf.values} <= {None}
    assert {data for _, data in leaf.values} <= set(NOISE)
    assert leaf.values or how == "small numbers"


@pytest.mark.parametrize("how", [how for how in WRAPPED if how != "small numbers"])
def test_typed_values__noise_named_jpeg_however_wrapped__is_opened(how: str) -> None:
    found = typed_values(pa.table({"jpeg": WRAPPED[how]()}), range(8), 1 << 20)
    assert found and {kind for kind, _ in found} == {"JPEG"}


def test_leaves__what_is_no_bytes__has_none() -> None:
    table = pa.table({"a": [1], "b": ["x"], "c": [[1.5]], "d": [{"e": [["x"]]}]})
    assert leaves(table, range(1), 1 << 20) == []


def test_typed_values__list_of_pictures_with_paths__are_what_these_say() -> None:
    cells = [[{"bytes": b"noise", "path": "a.png"}, {"bytes": b"noise", "path": "b.flac"}]]
    table = pa.table({"x": pa.array(cells, pa.list_(_SAID))})
    assert sorted(k or "" for k, _ in typed_values(table, range(1), 1_000)) == ["FLAC", "PNG"]


def test_typed_values__dictionary_beside_a_path__is_what_that_says() -> None:
    table = pa.table({"path": ["a.png"] * 2, "x": pa.array([b"noise"] * 2).dictionary_encode()})
    assert [kind for kind, _ in typed_values(table, range(2), 1_000)] == ["PNG"] * 2


def test_leaves__lists_that_share_what_is_below__take_no_time() -> None:
    """Four views of four views of four views: there are more ways than can be gone."""
    array = pa.array([b"noise"] * 4)
    for _ in range(40):
        offsets, sizes = pa.array([0] * 4, pa.int32()), pa.array([4] * 4, pa.int32())
        array = pa.ListViewArray.from_arrays(offsets, sizes, array)
    (leaf,) = leaves(pa.table({"x": array}), range(4), 1 << 20)
    assert leaf.size == 20 and 0 < len(leaf.values) <= 64


@pytest.mark.parametrize("is_list", [False, True])
def test_leaves__share_is_used_up_by_one_value__it_is_not_always_the_first(is_list: bool) -> None:
    """Else one good picture in front of each segment vouches for all the noise behind it."""
    values = [bytes([i]) * 100 for i in range(4)]
    cells = pa.array([values] if is_list else values)
    found = set()
    for seed in range(40):
        chance = random.Random(seed)
        (leaf,) = leaves(pa.table({"jpeg": cells}), range(len(cells)), 50, values=9, chance=chance)
        ((_, data),) = leaf.values
        found.add(data)
    assert found == set(values)


@pytest.mark.parametrize("is_struct", [False, True])
def test_typed_values__several_paths__are_told_alike_in_a_row_and_in_a_struct(
    is_struct: bool,
) -> None:
    noise = pa.array([b"noise"])
    for names, said in (
        (["filename", "file"], "PNG"),
        (["File_Name", "PATH"], "FLAC"),
        (["label", "Path"], "FLAC"),
        (["file", "label"], "PNG"),
        (["label", "text"], None),
    ):
        parts = [pa.array(["a.png"]), pa.array(["b.flac"]), noise]
        table = pa.Table.from_arrays(parts, [*names, "x"])
        if is_struct:
            table = pa.table({"y": pa.StructArray.from_arrays(parts, [*names, "x"])})
        assert typed_values(table, range(1), 1_000) == [(said, b"noise")]


@pytest.mark.parametrize("kind", ["text", "dictionary", "struct"])
def test_typed_values__long_path_beside__is_read_at_its_end(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    monkeypatch.setattr(media_values, "is_typed", lambda path: bool(read.append(len(path))) or True)
    path = pa.array(["ä/" * 10_000 + "b.png"])
    columns: dict[str, pa.Array] = {"path": path, "x": pa.array([b"noise"])}
    if kind == "dictionary":
        columns["path"] = path.dictionary_encode()
    elif kind == "struct":
        columns = {"x": pa.StructArray.from_arrays([path, columns["x"]], ["path", "bytes"])}
    assert typed_values(pa.table(columns), range(1), 1_000) == [("PNG", b"noise")]
    assert max(read) <= 4_096


def test_leaves__what_no_row_refers_to__vouches_for_nothing() -> None:
    values = pa.array([b"\xff\xd8\xff good"] * 99 + [b"noise"])
    array = pa.ListArray.from_arrays(pa.array([99, 100], pa.int32()), values)
    (leaf,) = leaves(pa.table({"x": array}), range(1), 1 << 20)
    assert leaf.values == [(None, b"noise")] and leaf.size > 700


def test_leaves__a_thousand_columns__no_more_values_than_are_asked_for() -> None:
    table = pa.table({str(i): [b"noise"] * 3 for i in range(1_000)})
    found = leaves(table, range(3), 1 << 20, values=16)
    assert len(found) == 1_000 and sum(len(leaf.values) for leaf in found) == 16


@pytest.mark.parametrize("wrap", [lambda it: [it], lambda it: {"a": [it]}])
def test_look__small_noise_in_lists__is_told(
    market: PreviewMarket, wrap: Callable[[bytes], object]
) -> None:
    """Of many rows few are looked at; what is like them is more."""

    def rows(place: int) -> pa.Table:
        return pa.table({"image": [wrap(os.urandom(40)) for _ in range(60)]})

    made = make(BIG, rows=rows)
    version = market.list_version(made)
    market.publish(made)
    found = market.look(version)
    assert any("nothing tells the type" in line for line in found.findings)


@pytest.mark.parametrize("name", ["a.jpg", "a.mp4"])
def test_look__small_noise_in_lists_under_a_name__asks(market: PreviewMarket, name: str) -> None:
    """Of one kind nothing opens, of the other nothing can."""

    def rows(place: int) -> pa.Table:
        cells = [[{"bytes": os.urandom(30), "path": name}] for _ in range(60)]
        return pa.table({"x": pa.array(cells, pa.list_(_SAID))})

    made = make(BIG, rows=rows)
    version = market.list_version(made)
    market.publish(made)
    assert market.look(version).state is PreviewState.PARTIAL


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


def test_look__noise_behind_pictures_that_open__is_told(market: PreviewMarket) -> None:
    image = pytest.importorskip("PIL.Image")
    sink = io.BytesIO()
    image.new("1", (1, 1)).save(sink, "PNG")

    def rows(place: int) -> pa.Table:
        return pa.table({"png": [sink.getvalue() + os.urandom(700) for _ in range(4)]})

    made = make(BIG, rows=rows)
    version = market.list_version(made)
    market.publish(made)
    found = market.look(version)
    assert found.state is PreviewState.SHOWN
    assert any("nothing tells the type" in line for line in found.findings)
