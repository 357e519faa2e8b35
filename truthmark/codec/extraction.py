# SPDX-License-Identifier: Apache-2.0
"""Writes an opened container as ordinary files that every tool reads."""

import base64
import contextlib
import os
import queue
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from truthmark.arrow import pa
from truthmark.codec import readme
from truthmark.codec.durable import new_folder
from truthmark.codec.file_rows import holds_files, write_files
from truthmark.codec.frames import readable_schema
from truthmark.codec.names import PathSet, fold_path
from truthmark.codec.ordered_map import ordered_map
from truthmark.codec.parquet import CannotHoldError, write_parquet
from truthmark.errors import CodecError, ConfigError
from truthmark.types import Progress

if TYPE_CHECKING:
    from truthmark.codec.container import Container, File, Format

_FORMATS: Final = ("parquet", "arrow", "original")
_ORIGINALS: Final = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
}


def extract(
    container: "Container",
    target: Path | str,
    format: "Format | None" = None,
    *,
    processes: int = 1,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
) -> Path:
    """Write all files and tables into the new folder `target`.

    Files keep their bytes and paths; so do those that were packed as rows of a table, unless
    Parquet or Arrow was asked for. Tables become Parquet or Arrow IPC files, or what their
    suffix says (`original`); where no format is asked for, Parquet, and Arrow for those tables
    that Parquet cannot hold. Parquet is read again once written. Hugging Face
    `load_dataset(target)` finds the splits that it found in the source: a README of the seller's
    names the files that were written (its front matter only is corrected), and one is added where
    there is something else than tables, or where names of files do not say the splits. The folder
    appears whole or not at all.

    Args:
        container: an open container.
        target: a folder that does not exist yet, or is empty.
        format: `parquet`, `arrow`, `original`, or None.
        processes: processors to use.
        progress: called with plaintext bytes of shards opened, and of all.
        note: called with a line for each table that became Arrow instead; a warning by default.

    Raises:
        ConfigError: `target` or `format` cannot be used.
        CodecError: the format that was asked for cannot hold a table, a shard does not check, or
            the disk refuses; nothing is left at `target`.
    """
    target = Path(target)
    if format not in (None, *_FORMATS):
        raise ConfigError(f"format {format!r}: choose one of {', '.join(_FORMATS)}")
    media = [] if format in ("parquet", "arrow") else _media(container)
    names = _output_names(
        [file for file in container.files if file not in media], format or "parquet"
    )
    payload = container.opener.payload
    done, total = 0, container.index.count * payload

    def advance(shards: int) -> None:
        nonlocal done
        done += shards * payload
        if progress is not None:
            progress(min(done, total), total)

    with new_folder(target) as folder:
        for parent in {name.rpartition("/")[0] for name in names.values()}:
            (folder / parent).mkdir(parents=True, exist_ok=True)
        files = [file for file in container.files if not file.is_table]
        for count in _write_bytes(container, folder, files, processes):
            advance(count)
        for table in (table for table in container.tables if table not in media):
            path = folder / names[table.path]
            try:
                _write_table(container, table, path, _kind(path, format or "parquet"), processes)
            except CannotHoldError as error:
                if format is not None:
                    raise _cannot_write(table, "parquet", error) from error
                path.unlink(missing_ok=True)
                others = (names[file.path] for file in container.files if file is not table)
                name = names[table.path] = _free_name(table.path, ".arrow", _taken(others))
                _write_table(container, table, folder / name, "arrow", processes)
                (note or _warn)(f"{name}: is in Arrow, as Parquet cannot hold it ({error})")
            advance(sum(segment.shards for segment in container.segments_of(table)))
        held = [readme.Held.of(file) for file in container.files if file not in media]
        written = PathSet(names.values())
        for table in media:
            batches = container.iter_batches(table.path, processes=processes)
            for name, size in write_files(batches, folder, written, container.limits.files):
                names[name] = name
                held.append(readme.Held(name, table.split, size))
            advance(sum(segment.shards for segment in container.segments_of(table)))
        held.sort(key=lambda file: (file.is_table, file.path.encode("utf-8")))
        names = {file.path: names[file.path] for file in held}
        readme.complete(container, folder, names, held)
    if progress is not None:
        progress(total, total)
    return target


def _media(container: "Container") -> "list[File]":
    return [table for table in container.tables if holds_files(table.schema)]


def _output_names(files: "Sequence[File]", format: "Format") -> dict[str, str]:
    """Return where each file goes; tables get the suffix of their format."""
    suffix = ".arrow" if format == "arrow" else ".parquet"
    kept = {
        file.path
        for file in files
        if not file.is_table
        or _suffix(file.path) == suffix
        or (format == "original" and _suffix(file.path) in _ORIGINALS)
    }
    # No table may become a file where another file, or the folder of one, is.
    taken = _taken(kept) | _folders(file.path for file in files)
    names = {}
    for file in files:
        name = file.path if file.path in kept else _free_name(file.path, suffix, taken)
        taken.add(fold_path(name))
        names[file.path] = name
    return names


def _free_name(path: str, suffix: str, taken: set[str]) -> str:
    """Return `path` with another suffix; its whole name, or a number, stays where it must."""
    stem = path[: -len(_suffix(path))] if _suffix(path) in _ORIGINALS else path
    numbered = (f"{path}.{number}{suffix}" for number in count(2))
    return next(
        name
        for name in chain([stem + suffix, path + suffix], numbered)
        if fold_path(name) not in taken
    )


def _taken(paths: Iterable[str]) -> set[str]:
    """Return these paths and their folders, as systems that know no case see them."""
    paths = list(paths)
    return {fold_path(path) for path in paths} | _folders(paths)


def _folders(paths: Iterable[str]) -> set[str]:
    folders: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return {fold_path(folder) for folder in folders}


def _suffix(path: str) -> str:
    # As of `Path`, which takes ten times as long.
    name = path.rpartition("/")[2]
    dot = name.rfind(".")
    return name[dot:].lower() if 0 < dot < len(name) - 1 else ""


def _kind(path: Path, format: "Format") -> str:
    return _ORIGINALS[path.suffix.lower()] if format == "original" else format


def _write_bytes(
    container: "Container", folder: Path, files: "list[File]", processes: int
) -> Iterator[int]:
    """Write files shard by shard; yields how many shards were opened."""
    payload = container.opener.payload
    files = sorted(files, key=lambda file: file.offset)
    # For each shard the files that have bytes in it, in order.
    parts: dict[int, list[File]] = {}
    split: set[str] = set()
    for file in files:
        shards = range(file.offset // payload, -(-(file.offset + file.length) // payload))
        if len(shards) != 1 or not file.length:
            # Whichever part of it comes first finds it there.
            (folder / file.path).touch(exist_ok=False)
            split.add(file.path)
        for shard in shards if file.length else ():
            parts.setdefault(shard, []).append(file)
    first = container.stream_first

    spare: queue.SimpleQueue[memoryview] = queue.SimpleQueue()
    for _ in range(processes):
        spare.put(memoryview(bytearray(payload)))

    def work(shard: int) -> int:
        buffer = spare.get()
        try:
            container.opener.open_into(first + shard, buffer)
            start = shard * payload
            for file in parts[shard]:
                low = max(file.offset, start)
                high = min(file.offset + file.length, start + payload)
                part = buffer[low - start : high - start]
                new = 0 if file.path in split else os.O_CREAT | os.O_EXCL
                _write_at(f"{folder}/{file.path}", part, low - file.offset, new)
        finally:
            spare.put(buffer)
        return 1

    yield from ordered_map(work, parts, processes)


def _write_at(path: str, data: memoryview, offset: int, new: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | new, 0o666)
    try:
        while len(data):
            size = os.pwrite(descriptor, data, offset)
            data, offset = data[size:], offset + size
    finally:
        os.close(descriptor)


def _write_table(
    container: "Container", file: "File", path: Path, kind: str, processes: int
) -> None:
    assert file.schema is not None
    schema = readable_schema(file.schema)

    def batches() -> "Iterator[pa.RecordBatch]":
        return container.iter_batches(file.path, processes=processes)

    if kind == "parquet":
        write_parquet(path, schema, batches)
        return
    try:
        if kind == "arrow":
            _write_arrow(path, schema, batches)
            return
        with _writer(path, kind, schema) as write:
            for batch in batches():
                write(batch)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        if isinstance(error, CodecError):
            raise
        raise _cannot_write(file, kind, error) from error


def _cannot_write(file: "File", kind: str, error: Exception) -> CodecError:
    reason = " ".join(str(error).split())[:160]
    what = f"{file.path!r} cannot be written as {kind} ({reason})"
    if kind == "arrow":
        return CodecError(what)
    return CodecError(
        f"{what}; extract as arrow, with --format arrow",
        page=f"{what}; have it written as arrow, by `truthmark get` in a terminal",
    )


def _warn(line: str) -> None:
    warnings.warn(line, stacklevel=4)


def _write_arrow(
    path: Path, schema: "pa.Schema", batches: "Callable[[], Iterator[pa.RecordBatch]]"
) -> None:
    """Write an Arrow file; a stream where dictionaries change on the way, which files cannot."""
    try:
        with pa.ipc.new_file(path, schema) as file:
            for batch in batches():
                file.write_batch(batch)
    except pa.ArrowInvalid as error:
        if "ictionary" not in str(error):
            raise
        path.unlink()
        with pa.ipc.new_stream(path, schema) as stream:
            for batch in batches():
                stream.write_batch(batch)


@contextlib.contextmanager
def _writer(path: Path, kind: str, schema: "pa.Schema") -> "Iterator[Any]":
    if kind == "json":
        with path.open("xb") as lines:
            yield lambda batch: _write_lines(lines, batch)
    else:
        from pyarrow import csv

        options = csv.WriteOptions(delimiter="\t" if kind == "tsv" else ",")
        with csv.CSVWriter(path, schema, write_options=options) as text:
            yield text.write_batch


def _write_lines(lines: Any, batch: "pa.RecordBatch") -> None:
    import orjson

    options = orjson.OPT_APPEND_NEWLINE | orjson.OPT_PASSTHROUGH_DATETIME
    for row in batch.to_pylist():
        lines.write(orjson.dumps(row, default=_to_json, option=options))


def _to_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        import orjson

        return orjson.Fragment(f"{value:f}")  # a number in full: JSON lines were read as such
    return str(value)
