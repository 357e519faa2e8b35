# SPDX-License-Identifier: Apache-2.0
"""Rows of a table as items: a text, two texts side by side, numbers, or pictures in the table."""

import io
import json
import math
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from truthmark.arrow import pa
from truthmark.bounty.document import Kind
from truthmark.bounty.items import Item, Media
from truthmark.bounty.sources import pictures
from truthmark.bounty.sources.files import FileSource, kind_of, listed_source
from truthmark.bounty.sources.found import Found, ItemSource
from truthmark.codec.refusals import to_be_read
from truthmark.codec.tables import Table, open_table
from truthmark.errors import BountyError, ConfigError, did_you_mean

_USUAL: Final = ("text", "sentence", "content", "image", "path", "file", "prompt")
"""Columns that are meant where none is named, the first of them that is there."""


class TableSource(ItemSource):
    """The rows of a table.

    Args:
        table: The table.
        fingerprint: Changes when the table does.
        kind: What a row is: text, pair, number, or image for pictures in the table.
        columns: Which hold it: one for a text or a picture, two for a pair.
        names: The column that names rows; their numbers from 0, if not given.
    """

    def __init__(
        self,
        table: Table,
        fingerprint: str,
        kind: Kind,
        columns: Sequence[str],
        names: str | None,
    ) -> None:
        """Look at the columns; no row is read yet.

        Raises:
            ConfigError: There are no such columns, or they hold something else.
        """
        self.kind, self.total, self.skipped = kind, table.rows, []
        self._table, self._columns, self._names = table, list(columns), names
        self.fingerprint = fingerprint
        if kind == "image":
            pictures.require_pillow()

    def __iter__(self) -> Generator[Found, None, None]:
        """Yield the rows in their order."""
        seen: set[str] = set()
        number = 0
        for batch in _batches(self._table):
            columns = {name: batch.column(name).to_pylist() for name in self._columns}
            labels = batch.column(self._names).to_pylist() if self._names is not None else None
            for row in range(batch.num_rows):
                name = str(number) if labels is None else _name(labels[row], number)
                if name in seen:
                    raise BountyError(
                        f"two rows are named {name!r}; take names from another column"
                    )
                seen.add(name)
                yield self._found(name, [columns[column][row] for column in self._columns])
                number += 1

    def _found(self, name: str, values: list[Any]) -> Found:
        if any(value is None for value in values):
            return Found(name, None, "has an empty cell")
        if self.kind == "number":
            return _numbers(name, dict(zip(self._columns, values, strict=True)))
        if self.kind == "image":
            return _picture(name, values[0])
        texts = [str(value) for value in values]
        if any(not text.strip() for text in texts):
            return Found(name, None, "is empty")
        items = [Item.of_text(text) for text in texts]
        return Found(name, items[0] if len(items) == 1 else Item.of_pair(items[0], items[1]))


def _batches(table: Table) -> "Iterator[pa.RecordBatch]":
    with to_be_read():
        yield from table.batches()


def table_source(
    path: Path,
    *,
    column: str | None = None,
    kind: Kind | None = None,
    names: str | None = None,
) -> TableSource | FileSource:
    """Return the rows of a table file, or the files that it lists.

    Args:
        path: CSV, TSV, JSON lines, Parquet or Arrow, by its suffix.
        column: What is labeled: a column, two with a comma between for pairs, or any number of
            them for rows of numbers. If not given, the only column of texts, or one that is
            called `text`, `image` or the like.
        kind: What is in it; seen from the column, if not given.
        names: The column that names rows.

    Raises:
        ConfigError: There is no such column, or it is not told which one.
        CodecError: The file is no table.
        BountyError: A path in it leads elsewhere.
    """
    with to_be_read():
        table = open_table(path, path.name)
    columns, kind = _chosen(table, column, kind, names)
    if kind in ("image", "audio") and _is_text(table, columns[0]):
        if len(columns) != 1:
            raise ConfigError(f"name one column of paths to {kind} files")
        paths = [
            str(value)
            for batch in _batches(table)
            for value in batch.column(columns[0]).to_pylist()
            if value is not None
        ]
        return listed_source(path, paths, kind)
    known = path.stat()
    fingerprint = f"{known.st_size}-{known.st_mtime_ns}-{known.st_ino}"
    return rows_source(table, fingerprint, column=column, kind=kind, names=names)


def rows_source(
    table: Table, fingerprint: str, *, column: str | None, kind: Kind | None, names: str | None
) -> TableSource:
    """Return the rows of a table that is open.

    Args:
        table: The table.
        fingerprint: Changes when the table does.
        column: As for `table_source`, like the others.
        kind: As there.
        names: As there.

    Raises:
        ConfigError: There is no such column, or it holds something else.
    """
    columns, kind = _chosen(table, column, kind, names)
    _require_kind(table, columns, kind)
    return TableSource(table, fingerprint, kind, columns, names)


def _chosen(
    table: Table, column: str | None, kind: Kind | None, names: str | None
) -> tuple[list[str], Kind]:
    """Return which columns are labeled, and what they hold."""
    columns = _columns(table, column, kind)
    for name in [*columns, *([names] if names is not None else [])]:
        if name not in table.schema.names:
            hint = did_you_mean(name, table.schema.names)
            known = ", ".join(table.schema.names[:20])
            raise ConfigError(f"{table.path} has no column {name!r}{hint or f'; it has {known}'}")
    return columns, kind or _kind_of(table, columns)


def _columns(table: Table, column: str | None, kind: Kind | None) -> list[str]:
    if column is not None:
        if column in table.schema.names:
            return [column]
        return [name.strip() for name in column.split(",")]
    if kind == "number":
        return [
            f.name for f in table.schema if _is_number(f.type) and not pa.types.is_boolean(f.type)
        ]
    texts = [field.name for field in table.schema if _is_text(table, field.name)]
    usual = [name for name in _USUAL if name in table.schema.names]
    if usual or len(texts) == 1:
        return (usual or texts)[:1]
    known = ", ".join(table.schema.names[:20])
    raise ConfigError(
        f"say which column is labeled: --column NAME; there are {known}",
        page=f"say which column is labeled; there are {known}",
    )


def _kind_of(table: Table, columns: Sequence[str]) -> Kind:
    if all(_is_number(table.schema.field(name).type) for name in columns) and len(columns) > 1:
        return "number"
    if len(columns) == 2:
        return "pair"
    if not _is_text(table, columns[0]):
        return "image" if _is_picture(table.schema.field(columns[0]).type) else "text"
    if table.once:
        return "text"
    first = next(table.batches(), None)
    values = [] if first is None else first.column(columns[0]).slice(0, 20).to_pylist()
    kinds = {kind_of(str(value)) for value in values if value is not None}
    return kinds.pop() or "text" if len(kinds) == 1 and kinds & {"image", "audio"} else "text"


def _require_kind(table: Table, columns: Sequence[str], kind: Kind) -> None:
    types = {name: table.schema.field(name).type for name in columns}
    if kind == "number":
        wrong = [name for name, type_ in types.items() if not _is_number(type_)]
        if wrong or not types:
            what = f"column {wrong[0]} holds none" if wrong else "there is no column of numbers"
            raise ConfigError(f"rows of numbers are labeled, but {what}; name other columns")
        return
    if len(columns) != (2 if kind == "pair" else 1):
        raise ConfigError(f"a {kind} needs {'two columns' if kind == 'pair' else 'one column'}")
    for name, type_ in types.items():
        fits = _is_picture(type_) if kind == "image" else _is_text(table, name) or _is_whole(type_)
        if not fits:
            raise ConfigError(
                f"column {name} holds {type_}, which is no {kind if kind != 'pair' else 'text'}; "
                "name another column, or say that it is a number"
            )


def _is_text(table: Table, name: str) -> bool:
    type_ = table.schema.field(name).type
    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    return bool(
        pa.types.is_string(type_)
        or pa.types.is_large_string(type_)
        or pa.types.is_string_view(type_)
    )


def _is_number(type_: "pa.DataType") -> bool:
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_))


def _is_whole(type_: "pa.DataType") -> bool:
    return bool(pa.types.is_integer(type_))


def _is_picture(type_: "pa.DataType") -> bool:
    """Whether values are the bytes of files, as Hugging Face keeps pictures in Parquet, too."""
    if pa.types.is_struct(type_):
        index = type_.get_field_index("bytes")
        return index >= 0 and _is_picture(type_.field(index).type)
    return bool(
        pa.types.is_binary(type_)
        or pa.types.is_large_binary(type_)
        or pa.types.is_binary_view(type_)
    )


def _name(value: Any, number: int) -> str:
    if value is None or not str(value).strip():
        raise BountyError(f"row {number} has no name; fill the column, or number the rows")
    return str(value)


def _numbers(name: str, values: dict[str, Any]) -> Found:
    if any(isinstance(value, float) and not math.isfinite(value) for value in values.values()):
        return Found(name, None, "has a number that is none")
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return Found(name, Item(Media.JSON, text.encode()))


def _picture(name: str, value: Any) -> Found:
    path = name
    if isinstance(value, dict):
        path, value = str(value.get("path") or name), value.get("bytes")
    if not value:
        return Found(name, None, "has no bytes")
    try:
        copy = pictures.copy_of(io.BytesIO(value), path)
    except pictures.PictureError as error:
        return Found(name, None, str(error))
    return Found(name, copy.item, has_place=copy.has_place)
