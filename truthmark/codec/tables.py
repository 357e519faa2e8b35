# SPDX-License-Identifier: Apache-2.0
"""Reads tables of every supported kind as streams of Arrow batches, in flat memory.

These are the packer's own files: they are parsed in this process. What comes out of containers
is decoded elsewhere (`decoder.py`).
"""

import contextlib
import mmap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

from truthmark.arrow import pa, pq
from truthmark.codec.csv_tables import open_csv_file
from truthmark.codec.incoming import Incoming
from truthmark.codec.json_tables import JsonLines
from truthmark.codec.parquet_times import check_calendar, int96_unit, is_julian
from truthmark.codec.refusals import no_table
from truthmark.errors import CodecError

T = TypeVar("T")

_CSV: Final = frozenset({".csv", ".tsv"})
_JSON_LINES: Final = frozenset({".jsonl", ".ndjson"})
_PARQUET: Final = frozenset({".parquet", ".pq"})
_ARROW: Final = frozenset({".arrow", ".feather"})
TABLE_SUFFIXES: Final = _CSV | _JSON_LINES | _PARQUET | _ARROW

_WHOLE_FILE_SIZE: Final = 32 << 20
_CSV_BLOCK_SIZE: Final = 1 << 20
_CSV_LARGEST_BLOCK_SIZE: Final = 32 << 20
_CSV_CELLS_SIZE: Final = 8 << 10
# As Python objects, JSON is up to 60 times as large.
_JSON_CHUNK_SIZE: Final = 1 << 20
_PARQUET_BATCH_ROWS: Final = 64 << 10
# Pages of a mapped file that stay in memory before they are given back.
_MAPPED_SIZE: Final = 64 << 20


@dataclass(frozen=True)
class Table:
    """A table to pack.

    Attributes:
        path: in the container.
        split: name of its split, or None.
        schema: of all its batches.
        size: about how many bytes it has decoded, for estimates and progress.
        rows: how many, where that is known without reading it.
        batches: starts reading from the first row.
        once: `batches` can be called only once.
        extended: columns that had extension types, and are packed as their storages.
        largest: plain bytes of its largest row, where that is known without reading it.
    """

    path: str
    split: str | None
    schema: "pa.Schema"
    size: int
    rows: int | None
    batches: "Callable[[], Iterator[pa.RecordBatch]]"
    once: bool = False
    extended: tuple[str, ...] = ()
    largest: int | None = None


def is_table_file(location: Path) -> bool:
    """Tell by its suffix whether a file is read as a table."""
    return location.suffix.lower() in TABLE_SUFFIXES


def from_arrow(table: "pa.Table", path: str, split: str | None) -> Table:
    """Pack a table in memory."""
    incoming = Incoming(table.schema, path)
    batches = [incoming.take(batch) for batch in table.to_batches()]
    return _checked(
        Table(
            path,
            split,
            incoming.schema,
            table.get_total_buffer_size(),
            table.num_rows,
            lambda: iter(batches),
            extended=incoming.extended,
        )
    )


def from_reader(reader: "pa.RecordBatchReader", path: str, split: str | None) -> Table:
    """Pack a stream of batches that can be read only once."""
    incoming = Incoming(reader.schema, path)

    def batches() -> "Iterator[pa.RecordBatch]":
        return map(incoming.take, _guarded(path, reader))

    return _checked(
        Table(path, split, incoming.schema, 0, None, batches, once=True, extended=incoming.extended)
    )


def open_table(location: Path, path: str) -> Table:
    """Open a table file by the suffix of `path`: a link may lead to a file of another name.

    Raises:
        CodecError: it is not what its suffix says; the message says how to pack it anyway.
    """
    suffix = Path(path).suffix.lower()
    with _readable(location):
        before = _state(location)
        if suffix in _PARQUET:
            table = _open_parquet(location, path)
        elif suffix in _ARROW:
            table = _open_arrow(location, path)
        elif suffix in _JSON_LINES:
            table = _open_json_lines(location, path)
        else:
            table = _open_csv(location, path, "\t" if suffix == ".tsv" else ",")
        return _checked(replace(table, batches=lambda: _unchanged(location, before, table)))


@contextlib.contextmanager
def _readable(location: Path | str) -> Iterator[None]:
    try:
        yield
    except CodecError:
        raise
    except (pa.ArrowException, OSError, ValueError, KeyError, MemoryError) as error:
        raise no_table(
            f"{location} cannot be read as a table ({_one_line(error)}); repair it, or"
        ) from error


def _guarded(location: Path | str, items: "Iterator[T]") -> "Iterator[T]":
    with _readable(location):
        yield from items


def _unchanged(location: Path, before: tuple[int, int], table: Table) -> "Iterator[pa.RecordBatch]":
    # Types were found for what was in the file then.
    yield from table.batches()
    if _state(location) != before:
        raise CodecError(f"{location} changed while it was packed; try again")


def _state(location: Path) -> tuple[int, int]:
    found = location.stat()
    return found.st_size, found.st_mtime_ns


def _checked(table: Table) -> Table:
    if not table.schema.names:
        raise CodecError(f"{table.path}: the table has no columns; there is nothing to pack")
    return table


def _open_parquet(location: Path, path: str) -> Table:
    # Damage is noticed where the writer left checksums of its pages.
    options = {
        "coerce_int96_timestamp_unit": int96_unit(location),
        "page_checksum_verification": True,
    }
    with pq.ParquetFile(location, **options) as file:
        metadata = file.metadata
        schema = file.schema_arrow
        size = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    incoming = Incoming(schema, path)

    def batches() -> "Iterator[pa.RecordBatch]":
        # Pages are read as they are needed: row groups may be larger than memory.
        with pq.ParquetFile(location, buffer_size=1 << 20, pre_buffer=False, **options) as file:
            for batch in _guarded(location, file.iter_batches(_PARQUET_BATCH_ROWS)):
                taken = incoming.take(batch)
                if is_julian(metadata):
                    check_calendar(taken, location)
                yield taken

    return Table(
        path, None, incoming.schema, size, metadata.num_rows, batches, extended=incoming.extended
    )


def _open_arrow(location: Path, path: str) -> Table:
    with location.open("rb") as file:
        is_file = file.read(6) == b"ARROW1"
    size = location.stat().st_size
    if size == 0:
        raise pa.ArrowInvalid("the file is empty")
    with _mapped(location) as memory:
        source = pa.py_buffer(memory)
        if is_file:
            reader = pa.ipc.open_file(source)
            rows = sum(reader.get_batch(i).num_rows for i in range(reader.num_record_batches))
        else:
            reader, rows = pa.ipc.open_stream(source), None
        schema = reader.schema

    incoming = Incoming(schema, path)

    def batches() -> "Iterator[pa.RecordBatch]":
        with _mapped(location) as memory:
            source = pa.py_buffer(memory)
            found = _stream(pa.BufferReader(source))
            if is_file:
                file = pa.ipc.open_file(source)
                found = (file.get_batch(i) for i in range(file.num_record_batches))
            for batch in _guarded(location, found):
                yield from _in_small_steps(incoming.take(batch), memory)

    return Table(path, None, incoming.schema, size, rows, batches, extended=incoming.extended)


def _stream(source: "pa.BufferReader") -> "Iterator[pa.RecordBatch]":
    yield from pa.ipc.open_stream(source)
    while rest := source.read(_MAPPED_SIZE):
        # Zeros are what a writer filled a block with; a second stream has rows of its own.
        if rest.strip(b"\0"):
            raise pa.ArrowInvalid("something follows the end of the stream")


@contextlib.contextmanager
def _mapped(location: Path) -> "Iterator[mmap.mmap]":
    # Arrow's buffers keep the mapping alive as long as they need it.
    with location.open("rb") as file:
        yield mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)


def _in_small_steps(batch: "pa.RecordBatch", memory: mmap.mmap) -> "Iterator[pa.RecordBatch]":
    # A batch may be the whole file; pages that were read are given back as we go.
    step = max(1, batch.num_rows * _MAPPED_SIZE // max(batch.get_total_buffer_size(), 1))
    for first in range(0, batch.num_rows, step):
        yield batch.slice(first, step)
        memory.madvise(mmap.MADV_DONTNEED)


def _open_csv(location: Path, path: str, delimiter: str) -> Table:
    file = open_csv_file(location, delimiter)
    size = location.stat().st_size
    is_small = size <= _WHOLE_FILE_SIZE
    # Blocks of wide files are longer, so that columns have more than a few rows in them.
    block_size = size if is_small else max(_CSV_BLOCK_SIZE, len(file.names) * _CSV_CELLS_SIZE)
    block_size = min(block_size, _CSV_LARGEST_BLOCK_SIZE)
    schema = file.infer(block_size)
    types = dict(zip(schema.names, schema.types, strict=True))
    if is_small:
        table = pa.Table.from_batches(file.batches(types, block_size), schema)
        return from_arrow(table, path, None)

    def batches() -> "Iterator[pa.RecordBatch]":
        return _guarded(location, file.batches(types, block_size))

    return Table(path, None, schema, size, None, batches)


def _open_json_lines(location: Path, path: str) -> Table:
    size = location.stat().st_size
    file = JsonLines(location, _JSON_CHUNK_SIZE)
    if not file.rows:
        raise pa.ArrowInvalid("the file is empty")
    if size <= _WHOLE_FILE_SIZE:
        return from_arrow(pa.Table.from_batches(file.batches(), file.schema), path, None)
    batches = file.batches
    return Table(path, None, file.schema, size, file.rows, lambda: _guarded(location, batches()))


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
