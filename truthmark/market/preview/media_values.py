# SPDX-License-Identifier: Apache-2.0
"""Bytes in the values of a table, at any depth, and what row or column say that they are.

What is in a list, a map, a struct, a dictionary, a run or a union is bytes as much as what is in a
column of its own. Nothing of it counts as looked at because of how it is wrapped: it is opened as
what it is said to be, or counted among that of which nothing tells the type.

Values are reached cell by cell, by what a row refers to: of no value there is a copy, and what no
row refers to vouches for nothing.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from truthmark.arrow import pa, pc
from truthmark.codec.media import is_typed, kind_of

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
_OF_A_LIST: Final = 4
"""Values of a list in one cell that are looked at, chosen by chance."""
_OF_A_CELL: Final = 16
"""The same where there are lists in lists."""
_END: Final = 4_096
"""Bytes at the end of a path beside a value that are looked at."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One place in a schema where there are bytes.

    Attributes:
        values: Some of them, by rows that were chosen.
        size: Bytes of all of them.
    """

    values: list[TypedValue]
    size: int


@dataclass(frozen=True, slots=True)
class _Way:
    """The way from a column to bytes.

    Attributes:
        steps: Of each struct or union on it, which part; None for a list, a map, a dictionary, a
            run: what has only one.
        names: Of the fields on it, the innermost first.
        beside: Which part of the innermost struct is a path; None if none is.
        by_row: Whether each row has one value, which a path of the row tells of.
    """

    steps: tuple[int | None, ...]
    names: tuple[str, ...]
    beside: int | None
    by_row: bool


def leaves(
    table: "pa.Table",
    rows: Sequence[int],
    most: int,
    *,
    values: int | None = None,
    chance: random.Random | None = None,
) -> list[Leaf]:
    """Return all places where a table has bytes, with values of some rows.

    They are described by a text beside them, in the struct or in the row, that is called like a
    path; by their own name or that of their column (`jpeg`, `photo.png`); else by how they begin.

    Args:
        table: decoded and validated.
        rows: which rows are looked at.
        most: bytes of all values; the last of each place may exceed its share.
        values: how many values, of all places; by default all that `rows` have.
        chance: chooses among values of a list, and rows and places where they are too many.
    """
    chance = chance or random.Random(0)  # noqa: S311 (not a secret)
    ways = [
        (position, way)
        for position, field in enumerate(table.schema)
        for way in _ways(field.name, field.type)
    ]
    # A share for each: or one of spaces, which take no room, would use up all there is.
    share = most // max(1, len(ways))
    count = len(rows) if values is None else max(1, values // max(1, len(ways)))
    looked_at = set(range(len(ways)))
    if values is not None and len(ways) > values:
        looked_at = set(chance.sample(range(len(ways)), values))
    named = _path_of(list(table.schema))
    paths = None if named is None else table.column(named)
    found = []
    for place, (position, way) in enumerate(ways):
        column = table.column(position)
        size = sum(_size(chunk, way.steps) for chunk in column.chunks if len(chunk))
        some: list[TypedValue] = []
        if place in looked_at and size:
            chosen = rows
            if values is not None:
                # Without order: which come first, and perhaps fill the share, no seller must know.
                chosen = chance.sample(list(rows), min(count, len(rows)))
            left = share
            for value in _of_rows(column, way, paths if way.by_row else None, chosen, chance):
                if left <= 0:
                    break
                some.append(value)
                left -= len(value[1])
        found.append(Leaf(some, size))
    return found


def _ways(name: str, kind: "pa.DataType") -> Iterator[_Way]:
    """Yield the ways to all bytes in a column."""
    waiting: list[tuple[pa.DataType, _Way]] = [(kind, _Way((), (name,), None, True))]
    while waiting:
        kind, way = waiting.pop()
        if _is_bytes(kind):
            yield way
        elif isinstance(kind, pa.StructType):
            fields = [kind.field(i) for i in range(kind.num_fields)]
            beside = _path_of(fields)
            by_row = way.by_row and beside is None
            waiting += [
                (it.type, _Way((*way.steps, i), (it.name, *way.names), beside, by_row))
                for i, it in reversed(list(enumerate(fields)))
            ]
        elif isinstance(kind, pa.UnionType):
            waiting += [
                (it.type, _Way((*way.steps, i), (it.name, *way.names), None, False))
                for i, it in reversed([(i, kind.field(i)) for i in range(kind.num_fields)])
            ]
        elif isinstance(kind, pa.MapType):
            for i, part in ((1, kind.item_type), (0, kind.key_type)):
                waiting.append((part, _Way((*way.steps, None, i), way.names, None, False)))
        elif isinstance(kind, pa.DictionaryType | pa.RunEndEncodedType | pa.BaseExtensionType):
            within = _Way((*way.steps, None), way.names, way.beside, way.by_row)
            waiting.append((_within(kind), within))
        elif kind.num_fields == 1:
            part = kind.field(0).type
            waiting.append((part, _Way((*way.steps, None), way.names, None, False)))
            if pa.types.is_uint8(part):
                yield _Way((*way.steps, None), way.names, None, False)


def _path_of(fields: "Sequence[pa.Field]") -> int | None:
    """Return which of some fields or columns says what is beside it; `path` before all others."""
    names = [field.name.lower() if _is_text(field.type) else "" for field in fields]
    if "path" in names:
        return names.index("path")
    return next((i for i, name in enumerate(names) if name in _PATHS), None)


def _within(kind: "pa.DataType") -> "pa.DataType":
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind.value_type


def _of_rows(
    column: "pa.ChunkedArray",
    way: _Way,
    paths: "pa.ChunkedArray | None",
    rows: Sequence[int],
    chance: random.Random,
) -> Iterator[TypedValue]:
    for i in rows:
        for data, beside in _reached(column[i], way, chance):
            path = beside if paths is None else _end_of(paths[i])
            yield _said(way, path, data), data


def _reached(
    cell: "pa.Scalar", way: _Way, chance: random.Random
) -> Iterator[tuple[bytes, str | None]]:
    """Yield the bytes in a cell, each with the path that its struct has for it."""
    reached: list[tuple[pa.Scalar, str | None]] = [(cell, None)]
    for depth, step in enumerate(way.steps):
        is_innermost = way.beside is not None and all(it is None for it in way.steps[depth + 1 :])
        below: list[tuple[pa.Scalar, str | None]] = []
        for scalar, path in reached:
            if not scalar.is_valid:
                continue
            if isinstance(scalar, pa.UnionScalar):
                # One part at a time: what another part has is reached by another way.
                if scalar.type.type_codes[step] == scalar.type_code:
                    below.append((scalar.value, None))
            elif isinstance(scalar, pa.StructScalar):
                has_path = is_innermost and way.beside is not None
                beside = _end_of(scalar[way.beside]) if has_path else None
                below.append((scalar[step], beside))
            elif isinstance(scalar, pa.ListScalar):
                values = scalar.values
                some: Sequence[int] = range(len(values))
                if len(values) > _OF_A_LIST:
                    some = chance.sample(some, _OF_A_LIST)
                below += [(values[i], path) for i in some]
            else:
                below.append((scalar.value, path))
        reached = below
        if (
            len(reached) > _OF_A_CELL
        ):  # four of four of four: views of lists may share what is below
            reached = chance.sample(reached, _OF_A_CELL)
    chance.shuffle(reached)
    for scalar, path in reached:
        data = scalar.as_py() if scalar.is_valid else None
        if isinstance(data, bytes):
            yield data, path


def _end_of(path: "pa.Scalar") -> str | None:
    """Return the end of a path, which says its type: it may be as long as the table is large."""
    text = path.value if isinstance(path, pa.DictionaryScalar) else path
    if not path.is_valid or text is None or not text.is_valid:
        return None
    data = text.as_buffer()
    end: bytes = data.slice(max(0, data.size - _END)).to_pybytes()
    return end.decode("utf-8", "ignore")


def _said(way: _Way, path: str | None, data: bytes) -> str | None:
    """Return what a value is said to be by its name, its path, or else by how it begins."""
    by_name = next((kind for name in way.names if (kind := kind_of(name)) is not None), None)
    # In a struct the path is nearer than what the column is called.
    if by_name is not None and way.beside is None:
        return by_name
    if path is not None and is_typed(path):
        return kind_of(path) or ""
    if data[:4] == b"RIFF" and data[8:12] in (b"WAVE", b"WEBP"):
        return "WAV" if data[8:12] == b"WAVE" else "WEBP"
    by_start = next((name for start, name in _BEGINNINGS if data.startswith(start)), None)
    return by_name if by_start is None else by_start


def _size(array: "pa.Array", steps: Sequence[int | None]) -> int:
    """Return how many bytes an array has at the end of a way; copies nothing."""
    for step in steps:
        if isinstance(array, pa.StructArray | pa.UnionArray):
            array = array.field(step)
        elif isinstance(array, pa.ExtensionArray):
            array = array.storage
        elif isinstance(array, pa.DictionaryArray):
            array = array.dictionary
        else:
            array = array.values  # of lists of all kinds, maps and runs
    if pa.types.is_uint8(array.type):
        return len(array)
    if pa.types.is_fixed_size_binary(array.type):
        return int(len(array) * array.type.byte_width)
    if pa.types.is_binary_view(array.type):
        return int(sum(buffer.size for buffer in array.buffers()[1:] if buffer is not None))
    return int(pc.sum(pc.binary_length(array)).as_py() or 0)


def _is_text(kind: "pa.DataType") -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _is_bytes(kind: "pa.DataType") -> bool:
    tests = (
        pa.types.is_binary,
        pa.types.is_large_binary,
        pa.types.is_binary_view,
        pa.types.is_fixed_size_binary,
    )
    return any(test(kind) for test in tests)
