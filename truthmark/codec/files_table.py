# SPDX-License-Identifier: Apache-2.0
"""The files table: what a container holds, sealed like everything else.

It is sealed because paths can be the data: the folders of an image set are its labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from truthmark.arrow import pa
from truthmark.codec.decoder import decode_schema
from truthmark.codec.limits import Limits
from truthmark.codec.names import check_paths, check_split
from truthmark.errors import LimitError, MalformedError

BYTES: Final = "bytes"
TABLE: Final = "table"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the files table.

    Attributes:
        path: relative, with `/`.
        kind: `bytes` or `table`.
        split: name of a split, or None.
        offset: where it begins, in bytes of the byte stream or in rows of the container.
        length: how many bytes or rows it has.
        schema: the encapsulated Arrow schema message of a table; None for bytes.
    """

    path: str
    kind: str
    split: str | None
    offset: int
    length: int
    schema: bytes | None = None


def schema() -> "pa.Schema":
    """Return the one schema of a files table."""
    return pa.schema(
        [
            pa.field("path", pa.string(), nullable=False),
            pa.field("kind", pa.string(), nullable=False),
            pa.field("split", pa.string()),
            pa.field("offset", pa.uint64(), nullable=False),
            pa.field("length", pa.uint64(), nullable=False),
            pa.field("schema", pa.binary()),
        ]
    )


def encode(entries: Sequence[Entry], *, compress: bool = True) -> bytes:
    """Return the files table as a whole Arrow IPC stream, schema message included."""
    batch = pa.record_batch(
        [
            pa.array([getattr(entry, field.name) for entry in entries], field.type)
            for field in schema()
        ],
        schema=schema(),
    )
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd" if compress else None)
    with pa.ipc.new_stream(sink, schema(), options=options) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue().to_pybytes())


def from_table(table: "pa.Table", stream_size: int, rows: int, limits: Limits) -> list[Entry]:
    """Check a decoded files table and return its entries.

    Args:
        table: as decoded, from outside.
        stream_size: bytes of the byte stream.
        rows: rows of all table segments.
        limits: what the reader grants.

    Raises:
        LimitError: there are more entries, or a larger schema, than granted.
        MalformedError: an entry breaks a rule of the format; the message names it.
    """
    if not table.schema.equals(schema()):
        raise MalformedError("files: the columns are not those of TMK1; get the container again")
    if table.num_rows > limits.files:
        raise LimitError(
            f"files: {table.num_rows} entries, {limits.files} allowed; "
            "raise Limits.files if you trust the seller"
        )
    if any(table[field.name].null_count for field in schema() if not field.nullable):
        raise MalformedError("files: an entry lacks a field; get the container again")
    entries = [Entry(**row) for row in table.to_pylist()]
    check_paths(entry.path for entry in entries)
    for entry in entries:
        _check_entry(entry, limits)
    _check_bytes([entry for entry in entries if entry.kind == BYTES], stream_size)
    _check_tables([entry for entry in entries if entry.kind == TABLE], rows)
    return entries


def read_schema(entry: Entry, limits: Limits) -> "pa.Schema":
    """Return the Arrow schema of a table, decoded in the child process."""
    if entry.schema is None:
        raise MalformedError(f"files: {entry.path!r} is a table without a schema")
    return decode_schema(entry.schema, what=f"schema of {entry.path!r}", seconds=limits.seconds)


def _check_entry(entry: Entry, limits: Limits) -> None:
    if entry.kind not in (BYTES, TABLE):
        raise MalformedError(
            f"files: {entry.path!r} is of an unknown kind; is the container of a newer format?"
        )
    if entry.split is not None:
        check_split(entry.split)
    if (entry.schema is None) != (entry.kind == BYTES):
        raise MalformedError(f"files: {entry.path!r} has no schema, or one too many")
    if entry.schema is not None and not _is_one_message(entry.schema):
        raise MalformedError(f"files: the schema of {entry.path!r} is not one Arrow message")
    if entry.schema is not None and len(entry.schema) > limits.schema_bytes:
        raise LimitError(
            f"files: the schema of {entry.path!r} has {len(entry.schema)} bytes, "
            f"{limits.schema_bytes} are allowed"
        )


def _is_one_message(data: bytes) -> bool:
    # Continuation mark, u32 length (little-endian), metadata. More would stand before the rows.
    return data[:4] == b"\xff" * 4 and int.from_bytes(data[4:8], "little") == len(data) - 8


def _check_bytes(entries: list[Entry], stream_size: int) -> None:
    # Files may not overlap, or a small container could be written out as a huge folder.
    end = 0
    for entry in sorted(entries, key=lambda entry: (entry.offset, entry.length)):
        if entry.offset < end or entry.offset + entry.length > stream_size:
            raise MalformedError(
                f"files: {entry.path!r} overlaps another file or lies outside the byte stream"
            )
        end = entry.offset + entry.length


def _check_tables(entries: list[Entry], rows: int) -> None:
    end = 0
    for entry in entries:
        if entry.offset != end:
            raise MalformedError(f"files: {entry.path!r} does not continue the rows")
        end += entry.length
    if end != rows:
        raise MalformedError(f"files: the tables have {end} rows, the index {rows}")
