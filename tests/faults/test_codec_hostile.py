# SPDX-License-Identifier: Apache-2.0
"""Containers made by hand to harm: every commitment holds, what is inside does not.

Each must end in one line of error, with nothing at the final path, and no decoder above 512 MiB.
"""

import io
import pickle
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.utils.containers import STREAM_END, Draft, Forged, P, Part, forge, stream_of
from tests.utils.hostile_containers import (
    Case,
    check_refused,
    open_all,
    recommitted,
    segment,
    swapped,
)
from truthmark.cid import cid_of_stream
from truthmark.codec import extract, files_table, open_container, read_card
from truthmark.codec.files_table import Entry
from truthmark.codec.shard_index import ShardIndex, schema
from truthmark.errors import CodecError


def test_run__honest_draft__opens(tmp_path: Path) -> None:
    open_all(Draft().forge(), tmp_path)
    assert (tmp_path / "out" / "hello.txt").read_bytes() == b"Hello, buyer.\n"


def named(path: str) -> Case:
    return lambda: Draft().change(0, path=path).forge()


def files_of(**columns: Any) -> Case:
    """Replace whole columns of the files table, types and all."""

    def make() -> Forged:
        draft = Draft()
        rows = [
            [getattr(entry, field.name) for entry in draft.entries]
            for field in files_table.schema()
        ]
        arrays = {
            field.name: pa.array(values, field.type)
            for field, values in zip(files_table.schema(), rows, strict=True)
        }
        arrays.update(columns)
        return draft.forge(b"".join(stream_of(pa.table(arrays))))

    return make


def raw_files(change: Callable[[bytes], bytes]) -> Case:
    return lambda: Draft().forge(change(files_table.encode(Draft().entries)))


def with_table(**fields: Any) -> Case:
    return lambda: Draft().change(1, **fields).forge()


def with_bytes(**fields: Any) -> Case:
    return lambda: Draft().change(0, **fields).forge()


def more(*entries: Entry) -> Case:
    def make() -> Forged:
        draft = Draft()
        draft.entries = [*entries, *draft.entries]
        return draft.forge()

    return make


def invalid_utf8(name: str) -> Case:
    return files_of(**{name: pa.array([b"\xff\xfe", b"ok"]).view(pa.string())})


def deep_schema() -> bytes:
    kind: pa.DataType = pa.int8()
    for _ in range(300):
        kind = pa.list_(kind)
    return pa.schema([pa.field("x", kind)]).serialize().to_pybytes()


FILES: dict[str, Case] = {
    "absolute path": named("/tmp/owned"),
    "parent": named("../owned"),
    "parent inside": named("a/../../owned"),
    "empty path": named(""),
    "dot": named("."),
    "backslash": named("..\\owned"),
    "drive": named("C:\\owned"),
    "device": named("NUL"),
    "device with suffix": named("com1.txt"),
    "null byte": named("a\0b"),
    "line break": named("a\nb"),
    "escape sequence": named("\x1b[2Jgone"),
    "trailing dot": named("a."),
    "trailing space": named("a "),
    "direction mark": named("\u202egnp.exe"),
    "name of 300 bytes": named("x" * 300),
    "path of 40 levels": named("/".join("a" * 40)),
    "path of 100 kB": named("a/" * 50_000 + "a"),
    "path that is the table's": named("t.parquet"),
    "path that differs in case": named("T.PARQUET"),
    "path that is a folder of the other": named("t.parquet/x"),
    "path not utf-8": invalid_utf8("path"),
    "kind not utf-8": invalid_utf8("kind"),
    "path null": files_of(path=pa.array(["a", None])),
    "kind unknown": with_bytes(kind="symlink"),
    "kind empty": with_bytes(kind=""),
    "bytes with a schema": with_bytes(schema=b"x"),
    "table without a schema": with_table(schema=None),
    "schema garbage": with_table(schema=b"garbage" * 9),
    "schema empty": with_table(schema=b""),
    "schema is a batch": with_table(schema=Draft().segment),
    "schema is a whole stream": with_table(schema=Draft().schema + Draft().segment),
    "schema of 9 MiB": with_table(schema=bytes(9 << 20)),
    "schema of 300 levels": with_table(schema=deep_schema()),
    "schema of other columns": with_table(
        schema=pa.schema([("x", pa.string())]).serialize().to_pybytes()
    ),
    "split that climbs": with_bytes(split="../x"),
    "split empty": with_bytes(split=""),
    "split with a line break": with_bytes(split="a\n  - b"),
    "file behind the stream": with_bytes(offset=P),
    "file longer than the stream": with_bytes(length=P + 1),
    "file of 2^63 bytes": with_bytes(length=2**63),
    "file at 2^64 - 1": with_bytes(offset=2**64 - 1),
    "files that overlap": more(Entry("again.txt", "bytes", None, 0, 10)),
    "files that overlap by one": more(Entry("again.txt", "bytes", None, 13, 1)),
    "the same file twice": more(Draft().entries[0]),
    "table rows missing": with_table(length=2),
    "table rows too many": with_table(length=4),
    "table of 2^64 - 1 rows": with_table(length=2**64 - 1),
    "table starts at 1": with_table(offset=1),
    "a table of no rows that claims some": more(Entry("z", "table", None, 3, 5, Draft().schema)),
    "column missing": raw_files(lambda _: b"".join(stream_of(pa.table({"path": ["x"]})))),
    "column of another type": files_of(offset=pa.array([0, 0], pa.int64())),
    "column too many": files_of(extra=pa.array([0, 0])),
    "no arrow": raw_files(lambda _: b"garbage" * 100),
    "nothing but zeros": raw_files(lambda _: bytes(100)),
    "cut short": raw_files(lambda data: data[:-40]),
    "an arrow file": raw_files(lambda _: Draft().forge().index_bytes),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES.values(), ids=FILES.keys())
def test_open__hostile_files_table__is_refused(case: Case, tmp_path: Path) -> None:
    check_refused(case(), tmp_path)
    assert not Path("/tmp/owned").exists()


def with_index(
    change: Callable[[dict[str, pa.Array]], dict[str, pa.Array]], **options: Any
) -> Case:
    """Replace the index by one with other columns; the manifest commits to it."""

    def make() -> Forged:
        forged = Draft().forge()
        table = pa.ipc.open_file(forged.index_bytes).read_all()
        columns = change({name: table[name].combine_chunks() for name in table.column_names})
        fields = [
            pa.field(name, array.type, nullable=array.null_count > 0)
            for name, array in columns.items()
        ]
        sink = pa.BufferOutputStream()
        made = pa.Table.from_arrays(list(columns.values()), schema=pa.schema(fields))
        with pa.ipc.new_file(
            sink, made.schema, options=pa.ipc.IpcWriteOptions(**options)
        ) as writer:
            writer.write_table(made)
        return recommitted(forged, sink.getvalue().to_pybytes())

    return make


def numbers(name: str, values: list[int]) -> Case:
    return with_index(lambda c: {**c, name: pa.array(values, c[name].type)})


def raw_index(change: Callable[[bytes], bytes]) -> Case:
    def make() -> Forged:
        forged = Draft().forge()
        return recommitted(forged, change(forged.index_bytes))

    return make


def long_segment() -> Forged:
    draft = Draft()
    return forge(draft.parts(shards=65))


INDEX: dict[str, Case] = {
    "column renamed": with_index(
        lambda c: {"sha512" if k == "sha256" else k: v for k, v in c.items()}
    ),
    "column missing": with_index(lambda c: {k: v for k, v in c.items() if k != "rows"}),
    "column too many": with_index(lambda c: {**c, "x": c["rows"]}),
    "columns in another order": with_index(lambda c: dict(reversed(c.items()))),
    "digests of 31 bytes": with_index(
        lambda c: {**c, "sha256": pa.array([bytes(31)] * 3, pa.binary(31))}
    ),
    "digests as text": with_index(lambda c: {**c, "sha256": pa.array(["x"] * 3)}),
    "digests with nulls": with_index(
        lambda c: {**c, "sha256": pa.array([None, bytes(32), bytes(32)], pa.binary(32))}
    ),
    "another digest": with_index(
        lambda c: {**c, "sha256": pa.array([bytes(32)] * 3, pa.binary(32))}
    ),
    "another wrap word": with_index(
        lambda c: {**c, "wrap_word": pa.array([b"\1" * 32] * 3, pa.binary(32))}
    ),
    "a row too few": with_index(lambda c: {k: v.slice(1) for k, v in c.items()}),
    "a row too many": with_index(
        lambda c: {k: pa.concat_arrays([v, v.slice(2)]) for k, v in c.items()}
    ),
    "compressed": with_index(
        lambda c: {k: v.slice(0, 2) for k, v in c.items()}, compression="zstd"
    ),
    "starts with segment 1": numbers("segment", [1, 1, 2]),
    "starts with segment 2": numbers("segment", [2, 2, 3]),
    "a gap": numbers("segment", [0, 1, 3]),
    "descends": numbers("segment", [0, 2, 1]),
    "segment of 2^32 - 1": numbers("segment", [0, 1, 2**32 - 1]),
    "all the files table": numbers("segment", [0, 0, 0]),
    "table without rows": numbers("rows", [0, 0, 0]),
    "bytes with rows": numbers("rows", [0, 3, 0]),
    "files with rows": numbers("rows", [3, 0, 3]),
    "rows of 2^32 - 1": numbers("rows", [0, 0, 2**32 - 1]),
    "first row 1": numbers("first_row", [0, 0, 1]),
    "first row 2^64 - 1": numbers("first_row", [0, 0, 2**64 - 1]),
    "segment of 65 shards": long_segment,
    "empty": raw_index(lambda _: b""),
    "garbage": raw_index(lambda _: b"ARROW1\0\0" + b"garbage" * 99 + b"ARROW1"),
    "a stream": raw_index(lambda _: b"".join(stream_of(pa.table({"x": [1]})))),
    "cut short": raw_index(lambda data: data[:-1]),
    "longer": raw_index(lambda data: data + b"\0"),
    "footer length of 2^31 - 1": raw_index(
        lambda d: d[:-10] + struct.pack("<i", 2**31 - 1) + d[-6:]
    ),
    "footer length of -1": raw_index(lambda data: data[:-10] + struct.pack("<i", -1) + data[-6:]),
}


@pytest.mark.parametrize("case", INDEX.values(), ids=INDEX.keys())
def test_open__hostile_index__is_refused(case: Case, tmp_path: Path) -> None:
    check_refused(case(), tmp_path)


def test_index__rows_on_a_continued_shard__are_refused() -> None:
    forged = forge([*Draft().parts()[:2], Part(2, bytes(2 * P), rows=3)])
    for column in ("rows", "decoded_bytes", "first_row"):
        values = getattr(forged.index, column).copy()
        values[-1] += np.uint64(1)
        broken = ShardIndex(
            *(
                b"".join(part(i) for i in range(4))
                for part in (forged.index.sha256, forged.index.key_hash, forged.index.wrap_word)
            ),
            tuple(
                values if name == column else getattr(forged.index, name)
                for name in ("segment", "first_row", "rows", "decoded_bytes")
            ),
        )
        with pytest.raises(CodecError, match="continued"):
            ShardIndex.from_bytes(broken.to_bytes(), 4)


def test_index__null_in_a_column_declared_without__is_refused() -> None:
    batch = pa.ipc.open_file(Draft().forge().index_bytes).get_batch(0)
    arrays = [*batch.columns]
    position = batch.schema.get_field_index("decoded_bytes")
    arrays[position] = pa.array([None, *arrays[position].to_pylist()[1:]], pa.uint64())
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=batch.schema))
    with pytest.raises(CodecError, match="nulls"):
        ShardIndex.from_bytes(sink.getvalue().to_pybytes(), 3)


def test_index__schema__is_that_of_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "format.md").read_text()
    assert all(f"`{name}`" in page for name in schema().names)


def of_table(
    table: pa.Table, change: Callable[[bytes], bytes] = lambda d: d, **options: Any
) -> Case:
    """A container of this table, whose segment's bytes are changed."""

    def make() -> Forged:
        draft = Draft(table=table)
        draft.segment = change(draft.segment)
        return draft.forge(**options)

    return make


def ints(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}i", *values)


TEXT = pa.table({"s": ["abc", "defg", "hi"]})
LISTS = pa.table({"l": [[1, 2], [3], [4, 5, 6]]})
CODES = pa.table({"d": pa.array(["x", "y", "x"]).dictionary_encode()})
UNION = pa.table(
    {
        "u": pa.UnionArray.from_dense(
            pa.array([0, 1, 0], pa.int8()),
            pa.array([7, 0, 11], pa.int32()),
            [pa.array(range(20)), pa.array(["t"])],
        )
    }
)

RUNS = pa.table(
    {"r": pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array(["a", "b"]))}
)

VIEWS = pa.table({"v": pa.array(["a string that is not stored inline"] * 3, pa.string_view())})
SEGMENTS: dict[str, Case] = {
    "garbage": segment(b"garbage" * 50),
    "zeros": segment(bytes(100)),
    "the end alone": segment(STREAM_END),
    "a schema again": segment(Draft().schema + Draft().segment),
    "another table": segment(stream_of(TEXT)[1]),
    "rows too few": segment(stream_of(Draft().table.slice(1))[1]),
    "rows too many": segment(stream_of(pa.concat_tables([Draft().table] * 2))[1]),
    "cut short": segment(Draft().segment[:-90]),
    "length of -5": segment(b"\xff\xff\xff\xff" + struct.pack("<i", -5) + Draft().segment[8:]),
    "length of 2^31 - 1": segment(b"\xff\xff\xff\xff" + struct.pack("<i", 2**31 - 1)),
    "offsets outside": of_table(
        TEXT, swapped(ints(0, 3, 7, 9), ints(0, 2**30, 2**30 + 4, 2**31 - 10))
    ),
    "offsets negative": of_table(TEXT, swapped(ints(0, 3, 7, 9), ints(0, -3, 7, 9))),
    "offsets that fall": of_table(TEXT, swapped(ints(0, 3, 7, 9), ints(0, 7, 3, 9))),
    "text not utf-8": of_table(TEXT, swapped(b"abcdefghi", b"abc\xff\xfe\xfdghi")),
    "list offsets outside": of_table(LISTS, swapped(ints(0, 2, 3, 6), ints(0, 2, 3, 600))),
    "list offsets that fall": of_table(LISTS, swapped(ints(0, 2, 3, 6), ints(0, 5, 3, 6))),
    "dictionary code outside": of_table(CODES, swapped(ints(0, 1, 0), ints(0, 99, 0))),
    "dictionary code negative": of_table(CODES, swapped(ints(0, 1, 0), ints(0, -1, 0))),
    "union offset outside": of_table(UNION, swapped(ints(7, 0, 11), ints(7, 0, 9999))),
    "union of unknown type": of_table(
        UNION, swapped(bytes([0, 1, 0]) + bytes(5), bytes([0, 9, 0]) + bytes(5))
    ),
    "run ends that fall": of_table(RUNS, swapped(ints(2, 3), ints(3, 2))),
    "run ends negative": of_table(RUNS, swapped(ints(2, 3), ints(-2, 3))),
    "run ends short": of_table(RUNS, swapped(ints(2, 3), ints(1, 2))),
    "view outside": of_table(VIEWS, swapped(b"a st" + ints(0, 0), b"a st" + ints(0, 10**6))),
    "view of another buffer": of_table(VIEWS, swapped(b"a st" + ints(0, 0), b"a st" + ints(7, 0))),
}


@pytest.mark.parametrize("case", SEGMENTS.values(), ids=SEGMENTS.keys())
def test_open__hostile_segment__is_refused(case: Case, tmp_path: Path) -> None:
    check_refused(case(), tmp_path)


class Trap:
    """Runs when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("import pathlib; pathlib.Path('/tmp/unpickled').touch()",)


@pytest.mark.parametrize("name", ["arrow.py_extension_type", "pandas.period", "datasets.features"])
def test_open__pickle_in_the_schema__is_never_run(name: str, tmp_path: Path) -> None:
    metadata = {
        "ARROW:extension:name": name,
        "ARROW:extension:metadata": pickle.dumps(Trap()),
    }
    fields = [pa.field("x", pa.binary(), metadata=metadata)]
    table = pa.table([pa.array([b"a"])], schema=pa.schema(fields, {"pandas": pickle.dumps(Trap())}))
    forged = Draft(table=table).forge()
    forged.write(tmp_path / "in")
    import pandas.core.arrays.arrow.extension_types  # noqa: F401 (registers "pandas.period")

    with open_container(tmp_path / "in", cek=forged.cek) as container:
        assert container.to_table()["x"].to_pylist() == [b"a"]
        assert list(container.to_pandas()["x"]) == [b"a"]
        extract(container, tmp_path / "out", "arrow")
    assert not Path("/tmp/unpickled").exists()


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[]", b"x" * (1 << 21), b'{"format":"tmk1-card"}', b"[" * 1_000_000],
    ids=["empty", "no fields", "list", "two MiB", "no texts", "deep"],
)
def test_open__hostile_card__is_refused(data: bytes, tmp_path: Path) -> None:
    forged = Draft().forge()
    forged.card_bytes = data
    forged.manifest = replace(
        forged.manifest, card=cid_of_stream(io.BytesIO(data)), card_size=max(len(data), 1)
    )
    check_refused(forged, tmp_path)
    with pytest.raises(CodecError):
        read_card(data)


def test_hostile__count__is_that_promised() -> None:
    assert len(FILES) + len(INDEX) + len(SEGMENTS) >= 60


@pytest.fixture(autouse=True)
def _nothing_escapes() -> Iterator[None]:
    yield
    assert not Path("/tmp/owned").exists()
