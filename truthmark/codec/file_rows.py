# SPDX-License-Identifier: Apache-2.0
"""Files that are rows of a table: path, label and bytes together.

A sample of a byte stream would have to name all files first, and where folders are the labels
that gives the labels away. In a table each row has its own name, and only what is drawn is seen.
Opening the container gives the files again.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from truthmark.arrow import pa
from truthmark.codec.names import ADVICE, PathSet, fold_path
from truthmark.codec.tables import Table
from truthmark.errors import CodecError, LimitError, MalformedError

MARK: Final = b"truthmark:files"
"""In the schema's metadata: the rows of this table are files."""
_VERSION: Final = b"1"
LARGEST: Final = 4_000_000
"""Bytes of a file that fits into a segment of 64 shards of 64 KiB, as one row."""
_FEWEST: Final = 16
_BATCH_SIZE: Final = 8 << 20
# fmt: off
_SUFFIXES: Final = frozenset({
    ".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".avif", ".svg",
    ".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac",
    ".mp4", ".webm", ".mov", ".mkv", ".avi",
    ".pdf", ".txt",
})
# fmt: on


class _File(Protocol):
    """A file to pack."""

    @property
    def path(self) -> str: ...
    @property
    def split(self) -> str | None: ...
    @property
    def size(self) -> int: ...
    @property
    def location(self) -> Path: ...


def schema() -> "pa.Schema":
    """Return the schema of a table whose rows are files."""
    fields = [
        pa.field("path", pa.string(), nullable=False),
        pa.field("label", pa.string()),
        pa.field("bytes", pa.binary(), nullable=False),
    ]
    return pa.schema(fields, {MARK: _VERSION})


def holds_files(found: "pa.Schema | None") -> bool:
    """Tell whether the rows of a table are files."""
    return (
        found is not None
        and found.equals(schema())
        and (found.metadata or {}).get(MARK) == _VERSION
    )


def choose_media(files: Sequence[_File]) -> list[_File]:
    """Return the files that are better rows of a table: many of pictures, sound, video or text."""
    found = [file for file in files if Path(file.path).suffix.lower() in _SUFFIXES]
    found = [file for file in found if file.size <= LARGEST]
    return found if len(found) >= _FEWEST else []


def media_tables(files: Sequence[_File], taken: Sequence[str]) -> list[Table]:
    """Return a table for each split of `files`, which are in the order of their paths.

    Args:
        files: those that become rows.
        taken: paths of everything else in the container.
    """
    used = {fold_path(path) for path in [*taken, *(file.path for file in files)]}
    by_split: dict[str | None, list[_File]] = {}
    for file in files:
        by_split.setdefault(file.split, []).append(file)
    tables = []
    for split, members in by_split.items():
        stem = f"{split}-files" if split else "files"
        names = (f"{stem}{n or ''}.arrow" for n in range(len(used) + 1))
        path = next(name for name in names if not _is_used(name, used))
        used.add(fold_path(path))
        tables.append(_table(path, split, members))
    return tables


def write_files(
    batches: "Iterator[pa.RecordBatch]", folder: Path, written: PathSet, most: int
) -> Iterator[tuple[str, int]]:
    """Write rows as the files that they are, below `folder`; yields path and bytes of each.

    Args:
        batches: of a table for which `holds_files` is true, from outside.
        folder: a new folder of the caller's.
        written: what is there already; a row that would be any of it is refused.
        most: how many files may be written.

    Raises:
        LimitError: there are more rows.
        MalformedError: a path is not allowed, or not there.
    """
    made: set[str] = set()
    for batch in batches:
        paths, contents = batch.column("path"), batch.column("bytes")
        if paths.null_count or contents.null_count:
            raise no_file("a row has no path or no bytes")
        for path, content in zip(paths.to_pylist(), contents, strict=True):
            most -= 1
            if most < 0:
                raise LimitError("files: more rows are files than allowed; raise Limits.files")
            try:
                written.add(path)
            except MalformedError as error:
                raise no_file(reason_of(error)) from error
            parent = path.rpartition("/")[0]
            if parent not in made:
                (folder / parent).mkdir(parents=True, exist_ok=True)
                made.add(parent)
            view = memoryview(content.as_buffer())
            _write(folder / path, view)
            yield path, len(view)


def no_file(reason: str) -> MalformedError:
    """Return what is said of rows that are no files though they are said to be."""
    return MalformedError(
        f"files: {reason}, so these rows cannot be written as the files that they are said to be; "
        "write them as a table, in the format arrow"
    )


def reason_of(error: MalformedError) -> str:
    """Return what is wrong with a path, without what its packer might do."""
    return str(error).removesuffix(ADVICE)


def labels_of(files: Sequence[_File]) -> Mapping[str, str | None]:
    """Return the label of each file, by its path: the name of its folder, but for its split's."""
    found: dict[str, str | None] = {}
    for file in files:
        parent = file.path.rpartition("/")[0].rpartition("/")[2]
        found[file.path] = parent if parent and parent != file.split else None
    return found


def _is_used(path: str, used: set[str]) -> bool:
    key = fold_path(path)
    return key in used or any(other.startswith(f"{key}/") for other in used)


def _table(path: str, split: str | None, members: Sequence[_File]) -> Table:
    sizes = [file.size for file in members]
    return Table(
        path,
        split,
        schema(),
        sum(sizes),
        len(members),
        lambda: _batches(members),
        largest=max(sizes),
    )


def _batches(members: Sequence[_File]) -> "Iterator[pa.RecordBatch]":

    labels = labels_of(members)
    rows: list[tuple[str, str | None, bytes]] = []
    size = 0
    for file in members:
        content = file.location.read_bytes()
        if len(content) != file.size:
            raise CodecError(f"{file.location} changed while it was packed; try again")
        if rows and size + len(content) > _BATCH_SIZE:
            yield _batch(rows)
            rows, size = [], 0
        rows.append((file.path, labels[file.path], content))
        size += len(content)
    if rows:
        yield _batch(rows)


def _batch(rows: Sequence[tuple[str, str | None, bytes]]) -> "pa.RecordBatch":
    fields = schema()
    columns = [
        pa.array(column, field.type)
        for column, field in zip(zip(*rows, strict=True), fields, strict=True)
    ]
    return pa.record_batch(columns, schema=fields)


def _write(path: Path, content: memoryview) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
    try:
        while len(content):
            content = content[os.write(descriptor, content) :]
    finally:
        os.close(descriptor)
