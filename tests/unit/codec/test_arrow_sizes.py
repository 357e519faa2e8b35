# SPDX-License-Identifier: Apache-2.0
"""What a child that was broken into could hand back, and would be gigabytes of its parent."""

import fcntl
import mmap
import os
import struct
from typing import Any

import pyarrow as pa
import pytest

from truthmark.codec import arrow_sizes, decoder, decoder_child
from truthmark.errors import MalformedError


def handed_back(data: bytes) -> pa.Table:
    descriptor = os.memfd_create("returned", os.MFD_ALLOW_SEALING)
    os.write(descriptor, data)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, decoder_child.SEALS)
    return decoder._map_table(descriptor, len(data), len(data), "x")


def stream(*batches: pa.RecordBatch, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    options = {"emit_dictionary_deltas": True, **options}
    with pa.ipc.new_stream(
        sink, batches[0].schema, options=pa.ipc.IpcWriteOptions(**options)
    ) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return bytes(sink.getvalue().to_pybytes())


def batch(**columns: Any) -> pa.RecordBatch:
    return pa.record_batch(columns)


def many_referring_to_one(count: int, name: bytes) -> bytes:
    """Make a schema whose vector of fields refers to one field again and again."""
    plain = stream(batch(x=[None]))
    message = bytearray(plain[8 : 8 + struct.unpack_from("<I", plain, 4)[0]])
    read = arrow_sizes._Message(bytes(message))
    fields = read.place(read.offset(read.place(read.offset(0), 2)), 1)
    vector = len(message)
    field = vector + 4 + 4 * count + 16
    places = [field - (vector + 4 + 4 * index) for index in range(count)]
    message += struct.pack(f"<{1 + count}I", count, *places)
    text = name + bytes(4 - len(name) % 4)
    # Offsets of a field's name, type and children; the field; no children; its type; its name.
    message += struct.pack("<8H", 16, 20, 4, 0, 16, 8, 0, 12)
    message += struct.pack("<iIIIBxxx", 16, 28, 20, 8, 1)
    message += struct.pack("<IHHiI", 0, 4, 4, 4, len(name)) + text
    message += bytes(-len(message) % 8)
    struct.pack_into("<I", message, fields, vector - fields)
    return struct.pack("<II", 0xFFFFFFFF, len(message)) + bytes(message) + decoder_child.STREAM_END


KINDS = [
    pa.array([1, None]),
    pa.array(["a", "b"]).dictionary_encode(),
    pa.array([{"x": [1], "y": "z"}, None]),
    pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int8())),
    pa.array([["a"], ["b"]], pa.list_(pa.string_view())),
    pa.array(["long enough not to be inlined", None], pa.string_view()),
    pa.array([1, 2], pa.timestamp("us", "Europe/Berlin")),
    pa.array([None, None]),
    pa.UnionArray.from_dense(
        pa.array([0, 1], pa.int8()), pa.array([0, 0], pa.int32()), [pa.array([1]), pa.array(["a"])]
    ),
]


def test_map_table__whatever_arrow_can_hold__comes_back() -> None:
    made = pa.record_batch(KINDS, [f"c{i}" for i in range(len(KINDS))])
    made = made.replace_schema_metadata({"k": "v" * 100})
    table = pa.Table.from_batches([made, made])
    assert handed_back(stream(made, made)).equals(table, check_metadata=True)


def test_map_table__more_arrays_than_the_child_hands_out__are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grown = [batch(x=pa.array(["a", "b", "c"][: n + 1]).dictionary_encode()) for n in range(3)]
    for many in ([batch(x=[1], y=["a"])] * 3, grown):
        monkeypatch.setattr(decoder_child, "MAX_ARRAYS", 6)
        assert handed_back(stream(*many)).num_rows
        monkeypatch.setattr(decoder_child, "MAX_ARRAYS", 5)
        with pytest.raises(MalformedError, match="more than 5 arrays"):
            handed_back(stream(*many))


def test_map_table__schema_that_refers_to_one_field_a_million_times__is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(decoder_child, "MAX_ARRAYS", 50)
    assert len(handed_back(many_referring_to_one(3, b"x")).schema) == 3  # Arrow makes all of them
    with pytest.raises(MalformedError, match="more than 50 fields"):
        handed_back(many_referring_to_one(51, b"x"))
    with pytest.raises(MalformedError, match="longer than its schema"):
        handed_back(many_referring_to_one(50, b"x" * 1000))


def test_map_table__compressed_or_endless__is_refused() -> None:
    data = stream(batch(x=[0] * 10_000), compression="zstd")
    with pytest.raises(MalformedError, match="compressed"):
        handed_back(data)
    plain = stream(batch(x=pa.array(["long enough not to be inlined"], pa.string_view())))
    count = plain.index(struct.pack("<Iq", 1, 1), 8)
    for number, text in ((4, "more buffers"), (-1, "cannot be followed")):
        with pytest.raises(MalformedError, match=text):
            handed_back(plain[: count + 4] + struct.pack("<q", number) + plain[count + 12 :])


def test_require_modest__any_word_changed__says_so_or_leaves_it_to_arrow() -> None:
    data = bytearray(stream(batch(x=[1], y=["a"])))
    refused = 0
    for at in range(0, len(data) - 4, 4):
        for value in (0, 1, 0x7FFFFFFF, 0xFFFFFFFF):
            changed = data[:at] + struct.pack("<I", value) + data[at + 4 :]
            memory = mmap.mmap(-1, len(changed))
            memory[:] = bytes(changed)
            try:
                arrow_sizes.require_modest(memory, 100)
            except ValueError:
                refused += 1
    assert refused
