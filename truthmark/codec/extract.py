# SPDX-License-Identifier: Apache-2.0
"""Writes an opened container as ordinary files that every tool reads."""

import base64
import contextlib
import json
import os
import queue
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from truthmark.codec import readme
from truthmark.codec.durable import new_folder
from truthmark.codec.names import check_paths
from truthmark.codec.workers import ordered_map
from truthmark.errors import CodecError, ConfigError
from truthmark.types import Progress

if TYPE_CHECKING:
    import pyarrow as pa

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
    target: Path,
    format: "Format",
    *,
    processes: int = 1,
    progress: Progress | None = None,
) -> Path:
    """Write all files and tables into the new folder `target`.

    Files keep their bytes and paths. Tables become Parquet or Arrow IPC files, or what their
    suffix says (`original`). Hugging Face `load_dataset(target)` finds the splits that it found in
    the source: a README of the seller's names the files that were written (its front matter only
    is corrected), and one is added where there is something else than tables, or where names of
    files do not say the splits. The folder appears whole or not at all.

    Args:
        container: an open container.
        target: a folder that does not exist yet, or is empty.
        format: `parquet`, `arrow` or `original`.
        processes: processors to use.
        progress: called with plaintext bytes of shards opened, and of all.

    Raises:
        ConfigError: `target` or `format` cannot be used.
        CodecError: a shard does not check, or the disk refuses; nothing is left at `target`.
    """
    if format not in _FORMATS:
        raise ConfigError(f"format {format!r}: choose one of {', '.join(_FORMATS)}")
    names = _output_names(container.files, format)
    payload = container.opener.payload
    done, total = 0, container.index.count * payload

    def advance(shards: int) -> None:
        nonlocal done
        done += shards * payload
        if progress is not None:
            progress(min(done, total), total)

    with new_folder(target) as folder:
        for parent in {Path(name).parent for name in names.values()}:
            (folder / parent).mkdir(parents=True, exist_ok=True)
        files = [file for file in container.files if not file.is_table]
        for count in _write_bytes(container, folder, files, processes):
            advance(count)
        for table in container.tables:
            path = folder / names[table.path]
            _write_table(container, table, path, _kind(path, format), processes)
            advance(sum(segment.shards for segment in container.segments_of(table)))
        readme.complete(container, folder, names)
    if progress is not None:
        progress(total, total)
    return target


def _output_names(files: "Sequence[File]", format: "Format") -> dict[str, str]:
    """Return where each file goes; tables get the suffix of their format."""
    names = {}
    taken = {file.path.lower() for file in files if not file.is_table}
    for file in files:
        name = file.path
        if file.is_table and (format != "original" or Path(name).suffix.lower() not in _ORIGINALS):
            suffix = ".arrow" if format == "arrow" else ".parquet"
            stem = name[: -len(Path(name).suffix)] if _has_table_suffix(name) else name
            # Where a.csv and a.jsonl would become one file, they keep their whole names.
            name = stem + suffix if (stem + suffix).lower() not in taken else name + suffix
            taken.add(name.lower())
        names[file.path] = name
    check_paths(names.values())
    return names


def _has_table_suffix(name: str) -> bool:
    return Path(name).suffix.lower() in _ORIGINALS


def _kind(path: Path, format: "Format") -> str:
    return _ORIGINALS[path.suffix.lower()] if format == "original" else format


def _write_bytes(
    container: "Container", folder: Path, files: "list[File]", processes: int
) -> Iterator[int]:
    """Write files shard by shard; yields how many shards were opened."""
    payload = container.opener.payload
    files = sorted(files, key=lambda file: file.offset)
    for file in files:
        (folder / file.path).touch(exist_ok=False)
    # For each shard the files that have bytes in it, in order.
    parts: dict[int, list[File]] = {}
    for file in files:
        for shard in range(file.offset // payload, -(-(file.offset + file.length) // payload)):
            if file.length:
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
                _write_at(folder / file.path, part, low - file.offset)
        finally:
            spare.put(buffer)
        return 1

    yield from ordered_map(work, parts, processes)


def _write_at(path: Path, data: memoryview, offset: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
    try:
        while len(data):
            size = os.pwrite(descriptor, data, offset)
            data, offset = data[size:], offset + size
    finally:
        os.close(descriptor)


def _write_table(
    container: "Container", file: "File", path: Path, kind: str, processes: int
) -> None:
    import pyarrow as pa

    schema = file.schema
    assert schema is not None
    batches = container.iter_batches(file.path, processes=processes)
    try:
        with _writer(path, kind, schema) as write:
            for batch in batches:
                write(batch)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        if isinstance(error, CodecError):
            raise
        reason = " ".join(str(error).split())[:160]
        raise CodecError(
            f"{file.path!r} cannot be written as {kind} ({reason}); "
            "extract as arrow, with --format arrow"
        ) from error


@contextlib.contextmanager
def _writer(path: Path, kind: str, schema: "pa.Schema") -> "Iterator[Any]":
    if kind == "parquet":
        import pyarrow.parquet as pq

        with pq.ParquetWriter(path, schema, compression="zstd") as parquet:
            yield parquet.write_batch
    elif kind == "arrow":
        import pyarrow as pa

        with pa.ipc.new_file(path, schema) as arrow:
            yield arrow.write_batch
    elif kind == "json":
        with path.open("x", encoding="utf-8") as lines:
            yield lambda batch: _write_lines(lines, batch)
    else:
        from pyarrow import csv

        options = csv.WriteOptions(delimiter="\t" if kind == "tsv" else ",")
        with csv.CSVWriter(path, schema, write_options=options) as text:
            yield text.write_batch


def _write_lines(lines: Any, batch: "pa.RecordBatch") -> None:
    for row in batch.to_pylist():
        lines.write(json.dumps(row, ensure_ascii=False, default=_to_json) + "\n")


def _to_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return str(value)
    return str(value)
