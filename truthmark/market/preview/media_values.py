# SPDX-License-Identifier: Apache-2.0
"""Values of a table that are files by themselves, as the row's path or the column's name says."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from truthmark.codec.media import is_typed, kind_of

if TYPE_CHECKING:
    import pyarrow as pa

TypedValue = tuple[str | None, bytes]
"""What something is said to be (`kind_of`; "" for a type that is not known, None if nothing says
it), and its bytes."""

_BEGINNINGS: Final = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n", "PNG"),
    (b"GIF8", "GIF"),
    (b"fLaC", "FLAC"),
    (b"PAR1", "PARQUET"),
    (b"%PDF-", "PDF"),
    (b"PK\x03\x04", "ZIP"),
)
_PATHS: Final = frozenset({"path", "file", "filename", "file_name", "file_path", "filepath"})


def typed_values(table: "pa.Table", rows: Sequence[int], most: int) -> list[TypedValue]:
    """Return kind and bytes of the values of which path or column say what they are.

    A column of bytes is described by a text beside it that is called like a path, by its own name
    (`jpeg`, `photo.png`), or, as `datasets` has it, by the path in the same struct.

    Args:
        table: decoded and validated.
        rows: which rows are looked at.
        most: bytes of all values; the last may exceed it.
    """
    import pyarrow as pa

    texts = {
        field.name.lower(): position
        for position, field in enumerate(table.schema)
        if _is_text(field.type) and field.name.lower() in _PATHS
    }
    values: list[Iterator[TypedValue]] = []
    for position, field in enumerate(table.schema):
        column = table.column(position)
        if _is_bytes(field.type):
            paths = table.column(min(texts.values())) if texts else None
            values.append(_of_column(field.name, column, paths, rows))
        elif pa.types.is_struct(field.type):
            names = [field.type.field(i).name for i in range(field.type.num_fields)]
            if names.count("bytes") == 1 and _is_bytes(field.type.field("bytes").type):
                values.append(_of_struct(field.name, column, rows))
    found: list[TypedValue] = []
    # A share for each column: or one of spaces, which take no room, would use up all there is.
    share = most // max(1, len(values))
    for column_values in values:
        left = share
        for value in column_values:
            if left <= 0:
                break
            found.append(value)
            left -= len(value[1])
    return found


def _of_column(
    name: str,
    column: "pa.ChunkedArray",
    paths: "pa.ChunkedArray | None",
    rows: Sequence[int],
) -> Iterator[TypedValue]:
    kind = kind_of(name)
    for i in rows:
        data = column[i].as_py()
        if data is None:
            continue
        path = None if paths is None else paths[i].as_py()
        yield _said(kind, path, data), data


def _of_struct(name: str, column: "pa.ChunkedArray", rows: Sequence[int]) -> Iterator[TypedValue]:
    kind = kind_of(name)
    fields = [column.type.field(i) for i in range(column.type.num_fields)]
    has_path = sum(field.name == "path" and _is_text(field.type) for field in fields) == 1
    for i in rows:
        cell = column[i]
        if not cell.is_valid or (data := cell["bytes"].as_py()) is None:
            continue
        path = cell["path"].as_py() if has_path else None
        said = _said(None, path, data)
        yield kind if said is None else said, data


def _said(kind: str | None, path: str | None, data: bytes) -> str | None:
    """Return what a value is said to be by its column, its path, or else by how it begins."""
    if kind is not None:
        return kind
    if path is not None and is_typed(path):
        return kind_of(path) or ""
    if data[:4] == b"RIFF" and data[8:12] in (b"WAVE", b"WEBP"):
        return "WAV" if data[8:12] == b"WAVE" else "WEBP"
    return next((name for start, name in _BEGINNINGS if data.startswith(start)), None)


def _is_text(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_bytes(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
