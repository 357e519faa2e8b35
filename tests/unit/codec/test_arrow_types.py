# SPDX-License-Identifier: Apache-2.0
"""Arrow of every type, nesting, claim and shape comes back as the same values, or is refused.

`TRUTHMARK_ARROW_SEEDS=first:count` tries other tables than the few of `make test`
(`tests/faults/test_arrow_versions.py` does, with every pyarrow that is allowed).
"""

import fcntl
import json
import os
from pathlib import Path

import pyarrow as pa
import pytest

from tests.utils import arrow_cases
from tests.utils.containers import Draft, pack
from truthmark.codec import Container, decoder, decoder_child, extract, open_container
from truthmark.codec.decoder_child import content_size
from truthmark.codec.fine_cuts import Encoder
from truthmark.codec.segments import decoded_size, one_batch, schema_message
from truthmark.codec.tables import from_arrow
from truthmark.errors import CodecError, MalformedError

OPAQUE = {
    "ARROW:extension:name": "arrow.opaque",
    "ARROW:extension:metadata": json.dumps({"type_name": "t", "vendor_name": "v"}),
}


def without_bitmap(kind: str, rows: int) -> pa.Array:
    """Return an array of a type that has no validity bitmap."""
    if kind == "null":
        return pa.nulls(rows)
    if kind == "ree":
        return pa.RunEndEncodedArray.from_arrays(pa.array([rows], pa.int32()), pa.array(["a"]))
    return pa.UnionArray.from_dense(
        pa.array([0] * rows, pa.int8()),
        pa.array(range(rows), pa.int32()),
        [pa.array(range(rows)), pa.array(["x"])],
    )


def claiming(kind: str, rows: int) -> pa.Table:
    """Return a table whose first field says that it is an extension type."""
    note = without_bitmap(kind, rows)
    fields = [pa.field("note", note.type, metadata=OPAQUE), pa.field("score", pa.int64())]
    return pa.table([note, pa.array(range(100, 100 + rows))], schema=pa.schema(fields))


def write_file(table: pa.Table, path: Path) -> Path:
    with pa.ipc.new_file(path, table.schema) as file:
        file.write_table(table)
    return path


def check_same(container: Container, table: pa.Table) -> None:
    got = container.to_table()
    assert b"ARROW:extension:" not in got.schema.serialize().to_pybytes()
    assert got.to_pylist() == table.to_pylist()
    if "extension<" not in str(table.schema):
        assert got.schema.equals(table.schema)


def opened(source: object, folder: Path) -> Container:
    _, cek = pack(source, folder)
    return open_container(folder, cek=cek)


@pytest.mark.parametrize("seed", arrow_cases.seeds())
def test_pack__table_of_any_types__comes_back(seed: int, tmp_path: Path) -> None:
    table = arrow_cases.table(seed)
    with opened(table, tmp_path / "packed") as container:
        check_same(container, table)


@pytest.mark.parametrize("seed", arrow_cases.seeds())
def test_pack__any_types_with_a_sample__come_back_in_segments_as_declared(
    seed: int, tmp_path: Path
) -> None:
    table = pa.concat_tables([arrow_cases.table(seed)] * 3)
    _, cek = pack(table, tmp_path / "packed", preview=True, shard_size=4096)
    with open_container(tmp_path / "packed", cek=cek) as container:
        check_same(container, table)
        for segment in container.segments_of(container.tables[0]):
            rows = container.decode_segment(container.tables[0], segment)
            message = len(schema_message(rows.schema))
            assert segment.decoded_bytes == pytest.approx(
                decoded_size(one_batch(rows), rows.schema) - message, abs=64 + 64 * segment.rows
            )


@pytest.mark.parametrize("seed", arrow_cases.seeds())
def test_encoder__any_types__counts_decoded_bytes_as_writing_them_would(seed: int) -> None:
    table = from_arrow(arrow_cases.table(seed), "t", None)
    batches = [batch for batch in table.batches() if batch.num_rows]
    if batches:
        encoder = Encoder(table.schema)
        encoder.learn(batches)
        found = encoder.encode(batches)
        assert found is not None
        rows = one_batch(pa.Table.from_batches(batches, table.schema))
        written = decoded_size(rows, table.schema) - len(schema_message(table.schema))
        assert found[1] == written == content_size(memoryview(b"".join(found[0][1:])))


@pytest.mark.parametrize("seed", arrow_cases.seeds())
def test_pack__file_of_any_types__comes_back_or_is_refused(seed: int, tmp_path: Path) -> None:
    table = arrow_cases.table(seed, made=False)
    with pa.ipc.new_stream(tmp_path / "t.arrow", table.schema) as stream:
        stream.write_table(table)
    try:
        container = opened(tmp_path / "t.arrow", tmp_path / "packed")
    except CodecError as error:  # what it claims to be makes no sense to the seller's pyarrow
        assert str(error).isprintable()
        return
    with container:
        check_same(container, table)


@pytest.mark.parametrize("seed", arrow_cases.seeds())
def test_open__stranger_claims_any_types__shows_the_storage(seed: int) -> None:
    table = arrow_cases.table(seed, made=False)
    forged = Draft(table=table).forge()
    with open_container(forged.source, cek=forged.cek, manifest=forged.manifest) as container:
        check_same(container, table)


@pytest.mark.parametrize("rows", [3, 200_000])
@pytest.mark.parametrize("kind", ["null", "union", "ree"])
def test_open__stranger_claims_an_extension_type__shows_no_foreign_memory(
    kind: str, rows: int, tmp_path: Path
) -> None:
    table = claiming(kind, rows)
    with opened(table, tmp_path / "packed") as container:
        assert container.to_table()["score"].equals(table["score"])
        extract(container, tmp_path / "out", "arrow")
    with pa.ipc.open_file(tmp_path / "out" / "data.arrow") as file:
        again = file.read_all()
    assert again["score"].equals(table["score"])
    assert again.schema.field("note").type == table.schema.field("note").type
    assert again.schema.field("note").metadata[b"truthmark:extension:name"] == b"arrow.opaque"


@pytest.mark.parametrize("kind", ["null", "union", "ree"])
def test_pack__file_with_an_extension_type__is_packed_as_its_storage(
    kind: str, tmp_path: Path
) -> None:
    path = write_file(claiming(kind, 5), tmp_path / "t.arrow")
    with pa.ipc.open_file(path) as file:
        assert isinstance(file.schema.field("note").type, pa.OpaqueType)  # pyarrow believes it
    with opened(path, tmp_path / "packed") as container:
        check_same(container, claiming(kind, 5))


def test_pack__known_extension_types__are_packed_as_their_storages(tmp_path: Path) -> None:
    storages = [
        (pa.uuid(), pa.array([b"0123456789abcdef", None])),
        (pa.json_(), pa.array(['{"a":1}', None])),
        (pa.bool8(), pa.array([1, None], pa.int8())),
        (pa.fixed_shape_tensor(pa.int32(), [2]), pa.array([[1, 2], None], pa.list_(pa.int32(), 2))),
    ]
    columns = {
        f"c{i}": pa.ExtensionArray.from_storage(kind, storage.cast(kind.storage_type))
        for i, (kind, storage) in enumerate(storages)
    }
    with opened(pa.table(columns), tmp_path / "packed") as container:
        got = container.to_table()
    for column, (kind, storage) in zip(got.columns, storages, strict=True):
        assert column.type == kind.storage_type
        assert column.to_pylist() == storage.to_pylist()
    assert got.schema.field("c0").metadata[b"truthmark:extension:name"] == b"arrow.uuid"


def test_pack__extension_of_an_extension__is_refused(tmp_path: Path) -> None:
    inner = pa.ExtensionArray.from_storage(pa.opaque(pa.int8(), "t", "v"), pa.array([1], pa.int8()))
    outer = pa.ExtensionArray.from_storage(pa.opaque(inner.type, "t", "v"), inner)
    with pytest.raises(CodecError, match="pack the inner one"):
        pack(pa.table({"x": outer}), tmp_path / "packed")


def test_pack__dictionary_of_a_dictionary__is_refused(tmp_path: Path) -> None:
    inner = pa.array(["a", "b"]).dictionary_encode()
    outer = pa.DictionaryArray.from_arrays(pa.array([1, 0]), inner)
    with pytest.raises(CodecError, match="pack the inner one"):
        pack(pa.table({"x": outer}), tmp_path / "packed")


def test_pack__column_called_like_the_mark_of_extensions__is_refused(tmp_path: Path) -> None:
    table = pa.table(
        {
            "ARROW:extension:name": pa.ExtensionArray.from_storage(
                pa.uuid(), pa.array([b"0123456789abcdef"], pa.binary(16))
            )
        }
    )
    with pytest.raises(CodecError, match="ARROW:extension"):
        pack(table, tmp_path / "packed")


def test_pack__union_without_rows_from_a_file__comes_back(tmp_path: Path) -> None:
    kind = pa.list_(pa.sparse_union([pa.field("a", pa.int8())]))
    values = pa.Array.from_buffers(
        kind.value_type, 0, [None, pa.py_buffer(b"")], children=[pa.array([], pa.int8())]
    )
    table = pa.table(
        {"x": pa.ListArray.from_arrays(pa.array([0, 0], pa.int32()), values, type=kind)}
    )
    with opened(write_file(table, tmp_path / "t.arrow"), tmp_path / "packed") as container:
        assert container.to_table().to_pylist() == [{"x": []}]
        assert container.to_table().nbytes  # pyarrow died of it


def test_pack__file_with_broken_offsets__is_refused_before_it_is_encoded(tmp_path: Path) -> None:
    path = write_file(pa.table({"x": ["a" * 5, "b" * 300]}), tmp_path / "t.arrow")
    offsets = [n.to_bytes(4, "little") for n in (0, 5, 305)]
    good = path.read_bytes()
    assert b"".join(offsets) in good
    path.write_bytes(good.replace(b"".join(offsets), b"".join(offsets[:2]) + b"\xff\xff\xff\x7f"))
    with pytest.raises(MalformedError, match="repair them before packing"):
        pack(path, tmp_path / "packed")


def test_pack__dictionaries_of_half_floats_that_differ__come_back(tmp_path: Path) -> None:
    parts = [
        pa.DictionaryArray.from_arrays(pa.array(range(len(values))), pa.array(values, pa.float16()))
        for values in ([-7.0, 1.5], [2.0])
    ]
    with opened(pa.table({"x": pa.chunked_array(parts)}), tmp_path / "packed") as container:
        assert container.to_table()["x"].to_pylist() == [-7.0, 1.5, 2.0]


def returned(data: bytes) -> pa.Table:
    """Return what the parent makes of bytes that the child hands back."""
    descriptor = os.memfd_create("returned", os.MFD_ALLOW_SEALING)
    os.write(descriptor, data)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, decoder_child.SEALS)
    return decoder._map_table(descriptor, len(data), len(data), "x")


def stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def test_decode__child_in_hostile_hands__is_checked_once_more() -> None:
    good = stream(pa.table({"x": ["aaaa"]}))
    assert returned(good)["x"].to_pylist() == ["aaaa"]
    with pytest.raises(MalformedError, match="not valid Arrow"):
        returned(good.replace(b"aaaa", b"\xff" * 4))
    with pytest.raises(MalformedError, match="not valid Arrow"):
        returned(good[:100])
    with pytest.raises(MalformedError, match="extension type"):
        returned(stream(claiming("null", 3)))
