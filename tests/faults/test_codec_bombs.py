# SPDX-License-Identifier: Apache-2.0
"""Containers that claim little and hold much: refused before they fill the memory."""

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.utils.containers import Draft, Forged, MemoryShards, P, Part, forge, stream_of
from tests.utils.hostile_containers import Case, check_refused, recommitted, swapped
from truthmark.codec import Limits, files_table, open_container
from truthmark.errors import CodecError

LONG = "\0" * (4 << 20)
ZEROS: dict[str, Callable[[], Any]] = {
    "int64": lambda: pa.array(np.zeros(1 << 25, dtype=np.int64)),
    "bool": lambda: pa.Array.from_buffers(
        pa.bool_(), (1 << 31) - 1, [None, pa.py_buffer(bytes(1 << 28))]
    ),
    "text": lambda: pa.array([LONG] * 64),
    "large text": lambda: pa.array([LONG] * 64, pa.large_string()),
    "binary": lambda: pa.array([LONG.encode()] * 64),
    "wide binary": lambda: pa.array([LONG.encode()] * 64, pa.binary(len(LONG))),
    "list": lambda: pa.ListArray.from_arrays([0, 1 << 25], pa.array(np.zeros(1 << 25))),
    "struct": lambda: pa.StructArray.from_arrays([np.zeros(1 << 24)] * 2, ["a", "b"]),
    "dictionary": lambda: pa.DictionaryArray.from_arrays([0, 1], np.zeros(1 << 25)),
    "decimal": lambda: pa.array(np.zeros(1 << 24, dtype=np.int64)).cast(pa.decimal128(38)),
    "view": lambda: pa.array([LONG] * 64, pa.string_view()),
    "runs": lambda: pa.RunEndEncodedArray.from_arrays(
        pa.array([1, 1 << 24], pa.int32()), pa.array([LONG * 32, LONG * 32])
    ),
}  # fmt: skip

BOMBS = list(ZEROS)


def bomb(kind: str) -> Draft:
    """A container whose one small segment decodes to a quarter of a gigabyte."""
    table = pa.table({"x": ZEROS[kind]()})
    draft = Draft(table=pa.table({"x": [0]}))
    draft.schema, draft.segment = stream_of(table, "zstd")
    assert len(draft.segment) < 64 * P, "it must fit into one segment"
    draft.entries[1] = replace(draft.entries[1], schema=draft.schema, length=table.num_rows)
    draft.table = table
    return draft


@pytest.mark.parametrize("kind", BOMBS)
def test_open__bomb_that_declares_little__is_refused(kind: str, tmp_path: Path) -> None:
    assert "declares" in str(check_refused(bomb(kind).forge(decoded=100_000), tmp_path))


@pytest.mark.parametrize("kind", BOMBS)
def test_open__bomb_that_declares_what_is_granted__is_refused(kind: str, tmp_path: Path) -> None:
    forged = bomb(kind).forge(decoded=Limits().segment_bytes - 1)
    assert "declares" in str(check_refused(forged, tmp_path))


@pytest.mark.parametrize("declared", [Limits().segment_bytes + 1, 2**40, 2**64 - 1])
def test_open__declares_more_than_granted__is_refused_unread(declared: int, tmp_path: Path) -> None:
    forged = Draft().forge(decoded=declared)
    source = MemoryShards(forged.shards)
    opened = open_container((forged.index, source), cek=forged.cek, manifest=forged.manifest)
    source.asked.clear()
    with pytest.raises(CodecError, match="raise Limits"):
        opened.to_table()
    assert source.asked == []
    check_refused(forged, tmp_path)


def claimed_length(value: int) -> Case:
    """A compressed buffer that says how long it becomes."""

    def make() -> Forged:
        table = pa.table({"x": np.zeros(10_000, dtype=np.int64)})
        draft = Draft(table=table)
        draft.segment = swapped(struct.pack("<q", 80_000), struct.pack("<q", value))(
            stream_of(table, "zstd")[1]
        )
        return draft.forge()

    return make


def many_files(count: int) -> Forged:
    arrays = [
        pa.array([str(i) for i in range(count)]),
        pa.array(["bytes"]).take(pa.array(np.zeros(count, dtype=np.int8))),
        pa.nulls(count, pa.string()),
        pa.array(np.zeros(count, dtype=np.uint64)),
        pa.array(np.zeros(count, dtype=np.uint64)),
        pa.nulls(count, pa.binary()),
    ]
    table = pa.Table.from_arrays(arrays, schema=files_table.schema())
    data = b"".join(stream_of(table, "zstd"))
    return forge([Part(0, data, decoded=90 << 20), *Draft().parts()[1:2]])


def deltas(count: int) -> Forged:
    """A dictionary that grows with every message."""
    kind = pa.dictionary(pa.int32(), pa.string())
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd", emit_dictionary_deltas=True)
    schema = pa.schema([("d", kind)])
    words: list[str] = []
    with pa.ipc.new_stream(sink, schema, options=options) as writer:
        for i in range(count):
            words.append(f"{i}" + LONG)
            array = pa.DictionaryArray.from_arrays(pa.array([i], pa.int32()), pa.array(words))
            writer.write_batch(pa.record_batch([array], schema=schema))
    message = schema.serialize().to_pybytes()
    draft = Draft(table=pa.table({"d": pa.array(["x"] * count).dictionary_encode()}))
    draft.schema = message
    draft.segment = sink.getvalue().to_pybytes()[len(message) :]
    draft.entries[1] = replace(draft.entries[1], schema=message, length=count)
    return draft.forge(decoded=1 << 20)


def many_batches(count: int) -> Forged:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    part = pa.table({"x": np.zeros(1 << 20, dtype=np.int64)}).to_batches()[0]
    with pa.ipc.new_stream(sink, part.schema, options=options) as writer:
        for _ in range(count):
            writer.write_batch(part)
    draft = Draft(table=pa.table({"x": [0]}))
    message = part.schema.serialize().to_pybytes()
    draft.segment = sink.getvalue().to_pybytes()[len(message) :]
    return draft.forge(decoded=1 << 20)


def wide_schema(columns: int) -> Forged:
    schema = pa.schema([(f"c{i}", pa.int8()) for i in range(columns)])
    return Draft().change(1, schema=schema.serialize().to_pybytes()).forge()


OTHER_BOMBS: dict[str, Case] = {
    "buffer that claims 2^40": claimed_length(2**40),
    "buffer that claims 2^62": claimed_length(2**62),
    "buffer that claims -7": claimed_length(-7),
    "buffer that claims a byte": claimed_length(1),
    "files table of 1,100,000 entries": lambda: many_files(1_100_000),
    "dictionary that grows": lambda: deltas(40),
    "many batches": lambda: many_batches(200),
    "schema of 200,000 columns": lambda: wide_schema(200_000),
    "files table that declares 2^40": lambda: forge(
        [Part(0, files_table.encode(Draft().entries), decoded=2**40), *Draft().parts()[1:]]
    ),
    "files table that declares nothing": lambda: forge(
        [Part(0, b"".join(stream_of(pa.table({"x": ZEROS["int64"]()}), "zstd")), decoded=0)]
    ),
    "index of a compressed gigabyte": lambda: recommitted(
        Draft().forge(), index_bomb()
    ),
}  # fmt: skip


def index_bomb() -> bytes:
    table = pa.table({"x": np.zeros(1 << 27, dtype=np.int64)})
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("case", OTHER_BOMBS.values(), ids=OTHER_BOMBS.keys())
def test_open__other_bomb__is_refused(case: Case, tmp_path: Path) -> None:
    check_refused(case(), tmp_path)


def test_open__manifest_that_promises_a_huge_index__is_refused_unread(tmp_path: Path) -> None:
    forged = Draft().forge()
    forged.manifest = replace(forged.manifest, index_size=2**40, count=2**32 - 1)
    check_refused(forged, tmp_path)


def test_bombs__count__is_that_promised() -> None:
    assert 2 * len(BOMBS) + len(OTHER_BOMBS) + 3 >= 25
