# SPDX-License-Identifier: Apache-2.0
"""Writes Parquet that reads back as what was written, or says why it cannot.

Nothing here lists what Parquet lacks: rows are written and read again.
"""

import base64
import contextlib
import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from truthmark.arrow import pa, pq
from truthmark.codec.decoder_child import rebuilt_type
from truthmark.codec.segments import RowQueue, decoded_size
from truthmark.codec.storage_types import holds_type
from truthmark.errors import CodecError

PROBE_ROWS: Final = 64
_PROBE_CELLS: Final = 20_000
_PROBE_BYTES: Final = 1 << 20
_HINT: Final = "ARROW:schema"


class CannotHoldError(Exception):
    """Parquet cannot hold a table; says why."""


class ParquetFile:
    """A Parquet file that is being written.

    Readers of Arrow make of a column what a hint in the file says that it was. pyarrow 25 fails
    where that is a fixed-size list and one of them is missing, so where one is missing the hint
    says that these are lists of any length. pandas fails at views inside of others and polars at
    views of lists, so in the hint views are plain texts, bytes and lists. pyarrow fails at
    dictionaries inside of others that differ between groups of rows, so there these are plain.
    """

    def __init__(
        self, sink: "Path | io.BytesIO", schema: "pa.Schema", *, compression: str = "zstd"
    ) -> None:
        """Begin a file of this schema.

        Raises:
            CannotHoldError: Parquet has no such type, or no two columns of one name.
        """
        self._schema = schema
        self.has_fixed = any(holds_type(kind, pa.FixedSizeListType) for kind in schema.types)
        self.has_missing = False
        twice = _name_twice([schema.field(i) for i in range(len(schema))])
        if twice is not None:
            raise CannotHoldError(f"two columns are called {twice!r}")
        with _reasons():
            self._writer = pq.ParquetWriter(
                sink, schema, compression=compression, store_schema=False
            )

    def write(self, batch: "pa.RecordBatch") -> None:
        """Write the next rows.

        Raises:
            CannotHoldError: Parquet has no such value.
        """
        if self.has_fixed and not self.has_missing:
            self.has_missing = any(_lacks_fixed(column) for column in batch.columns)
        with _reasons():
            self._writer.write_batch(batch)

    def close(self) -> None:
        """Write the end of the file."""
        with _reasons():
            fields = [_readable(field, self.has_missing) for field in self._schema]
            schema = pa.schema(fields, metadata=self._schema.metadata)
            hint = base64.b64encode(schema.serialize().to_pybytes())
            self._writer.add_key_value_metadata({_HINT: hint.decode()})
            self._writer.close()


def write_parquet(
    path: Path, schema: "pa.Schema", batches: "Callable[[], Iterable[pa.RecordBatch]]"
) -> None:
    """Write a table as a Parquet file and make sure that it can be read.

    Args:
        path: where to; nothing is there yet.
        schema: of all batches.
        batches: starts reading the table from its first row; called again where values are at
            risk, to compare them.

    Raises:
        CannotHoldError: it cannot be written, or does not come back; what is at `path` is to go.
    """
    file = ParquetFile(path, schema)
    rows = 0
    try:
        for batch in batches():
            file.write(batch)
            rows += batch.num_rows
    except BaseException:
        with contextlib.suppress(CannotHoldError, OSError):
            file.close()
        raise
    file.close()
    _check_shape(path, schema, rows)
    if file.has_missing:
        _check_values(path, schema, batches())


def parquet_problem(rows: "pa.Table") -> str | None:
    """Tell why Parquet cannot hold tables that begin with these rows; None if it can.

    Some of them are written and read as the buyer's programs will.
    """
    most = max(1, min(PROBE_ROWS, _PROBE_CELLS // max(rows.num_columns, 1)))
    size = decoded_size(rows.to_batches(), rows.schema) // max(rows.num_rows, 1)
    rows = rows.slice(0, max(1, min(most, _PROBE_BYTES // max(size, 1))))
    sink = io.BytesIO()
    try:
        # To compress each column changes nothing but the time that this takes.
        file = ParquetFile(sink, rows.schema, compression="none")
        for batch in rows.to_batches():
            file.write(batch)
        file.close()
        with _reasons():
            back = pq.read_table(io.BytesIO(sink.getvalue()))
        if not _is_same(rows, back):
            return "values come back changed"
    except CannotHoldError as error:
        return str(error)
    return None


@contextlib.contextmanager
def _reasons() -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, ValueError, TypeError, OverflowError, OSError) as error:
        if isinstance(error, CodecError) or getattr(error, "errno", None) is not None:
            raise  # the container or the disk, not the table
        raise CannotHoldError(" ".join(str(error).split())[:160]) from error


def _name_twice(fields: "list[pa.Field]") -> str | None:
    seen: set[str] = set()
    for field in fields:
        if field.name in seen:
            return str(field.name)
        seen.add(field.name)
        kind = field.type
        below = _name_twice([kind.field(i) for i in range(kind.num_fields)])
        if below is not None:
            return below
    return None


def _lacks_fixed(array: "pa.Array", *, above: bool = False) -> bool:
    """Tell whether a fixed-size list is missing, itself or with what it is in, or has no size."""
    if not holds_type(array.type, pa.FixedSizeListType):
        return False
    if isinstance(array, pa.FixedSizeListArray):
        if above or array.null_count or not array.type.list_size:
            return True
        return _lacks_fixed(array.values)
    if isinstance(array, pa.StructArray):
        above = above or bool(array.null_count)
        parts = (array.field(i) for i in range(array.type.num_fields))
        return any(_lacks_fixed(part, above=above) for part in parts)
    if isinstance(array, pa.DictionaryArray):
        return _lacks_fixed(array.dictionary, above=bool(array.null_count))
    return _lacks_fixed(array.values)  # of a list or map: what is missing has nothing below


def _readable(field: "pa.Field", any_length: bool, *, is_nested: bool = False) -> "pa.Field":
    """Return a field whose type every reader can make of what Parquet holds."""
    return field.with_type(_readable_type(field.type, any_length, is_nested))


def _readable_type(kind: "pa.DataType", any_length: bool, is_nested: bool) -> "pa.DataType":
    if isinstance(kind, pa.DictionaryType):
        values = _readable_type(kind.value_type, any_length, is_nested)
        if is_nested:
            return values
        return pa.dictionary(kind.index_type, values, ordered=kind.ordered)
    plain = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}
    if kind in plain:
        return plain[kind]
    fields = [kind.field(i) for i in range(kind.num_fields)]
    parts = [_readable(field, any_length, is_nested=True) for field in fields]
    if isinstance(kind, pa.ListViewType) or (any_length and isinstance(kind, pa.FixedSizeListType)):
        return pa.list_(parts[0])
    if isinstance(kind, pa.LargeListViewType):
        return pa.large_list(parts[0])
    return rebuilt_type(kind, parts) if parts else kind


def _check_shape(path: Path, schema: "pa.Schema", rows: int) -> None:
    with _reasons(), pq.ParquetFile(path) as file:
        if file.schema_arrow.names != schema.names or file.metadata.num_rows != rows:
            raise CannotHoldError("columns or rows come back changed")


def _check_values(path: Path, schema: "pa.Schema", batches: "Iterable[pa.RecordBatch]") -> None:
    """Compare everything, as the file will be read, with what it was made of."""
    with _reasons(), pq.ParquetFile(path) as file:
        stored = RowQueue(file.iter_batches(), file.schema_arrow, path.name)
        for batch in batches:
            found = stored.peek(stored.fill(batch.num_rows))
            if not _is_same(pa.Table.from_batches([batch], schema), found):
                raise CannotHoldError("values come back changed")
            stored.drop(batch.num_rows)


def _is_same(table: "pa.Table", back: "pa.Table") -> bool:
    with contextlib.suppress(pa.ArrowException):
        if table.cast(back.schema).equals(back):
            return True
    with _reasons():
        # As text NaN is like itself.
        return str(table.to_pylist()) == str(back.to_pylist())
