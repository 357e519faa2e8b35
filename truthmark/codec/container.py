# SPDX-License-Identifier: Apache-2.0
"""Opens a container with its key: whole, by file, or by any range of rows."""

import io
import threading
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from truthmark.arrow import pa
from truthmark.cid import CID, cid_of_stream
from truthmark.codec import decoder, files_table
from truthmark.codec.card import read_card
from truthmark.codec.files_table import TABLE, Entry
from truthmark.codec.frames import UNREADABLE, to_frame
from truthmark.codec.hub import in_order
from truthmark.codec.limits import (
    BYTES_SEGMENT,
    CARD_NAME,
    DATA_NAME,
    DEFAULT_LIMITS,
    FILES_SEGMENT,
    INDEX_NAME,
    MANIFEST_NAME,
    MAX_CARD_SIZE,
    MAX_MANIFEST_SIZE,
    Limits,
)
from truthmark.codec.manifest import Manifest
from truthmark.codec.ordered_map import ordered_map
from truthmark.codec.reading import read_limited
from truthmark.codec.shard_index import Segment, ShardIndex, check_index_size
from truthmark.codec.shards import ContentOpener, FileShards, Opener, ShardSource
from truthmark.errors import CodecError, ConfigError, IntegrityError, LimitError, MalformedError

if TYPE_CHECKING:
    import pandas as pd

Format = Literal["parquet", "arrow", "original"]
_MANY_FILES: Final = 5


class File:
    """One file or table of an open container.

    Attributes:
        path: relative, with `/`.
        kind: `bytes` or `table`.
        split: name of its split, or None.
    """

    def __init__(self, entry: Entry, limits: Limits) -> None:
        """Describe `entry`."""
        self.path, self.kind, self.split = entry.path, entry.kind, entry.split
        self._entry, self._limits = entry, limits

    @property
    def is_table(self) -> bool:
        """Whether it is a table."""
        return self.kind == TABLE

    @property
    def rows(self) -> int | None:
        """Rows of a table; None for bytes."""
        return self._entry.length if self.is_table else None

    @property
    def size(self) -> int | None:
        """Bytes of a file; None for a table."""
        return None if self.is_table else self._entry.length

    @property
    def schema(self) -> "pa.Schema | None":
        """Arrow schema of a table; None for bytes."""
        return _schema(self._entry, self._limits) if self.is_table else None

    @property
    def entry(self) -> Entry:
        """Its row of the files table."""
        return self._entry

    @property
    def offset(self) -> int:
        """Where it begins, in bytes of the byte stream or rows of the container."""
        return self._entry.offset

    @property
    def length(self) -> int:
        """Its rows or bytes."""
        return self._entry.length

    def __repr__(self) -> str:
        """Show what it is."""
        unit = "rows" if self.is_table else "bytes"
        return f"<File {self.path!r} {self.kind}, {self.length} {unit}, split {self.split}>"


class Container:
    """An open container. Nothing is read until it is asked for.

    Usage example::

        with open_container(folder, cek=cek) as container:
            frame = container.to_pandas("train.parquet", rows=range(1000, 2000))
    """

    def __init__(
        self,
        manifest: Manifest,
        opener: Opener,
        *,
        limits: Limits,
        card: dict[str, Any] | None,
        opened: FileShards | None,
    ) -> None:
        """Use `open_container`."""
        self.manifest, self.index, self.limits, self.card = manifest, opener.index, limits, card
        self._opener, self._opened = opener, opened
        self._starts = [run.first_row for run in self.index.table_segments]
        self._last_shard: tuple[int, bytes] = (-1, b"")
        self._lock = threading.Lock()
        self.files: tuple[File, ...] = tuple(
            File(entry, limits) for entry in self._read_files_table()
        )
        self._by_path = {file.path: file for file in self.files}

    def __repr__(self) -> str:
        """Show how much is in it."""
        tables, rows = len(self.tables), sum(table.length for table in self.tables)
        others = len(self.files) - tables
        return f"<Container: tables {tables:,}, rows {rows:,}, other files {others:,}>"

    def __enter__(self) -> "Container":
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the container file."""
        self.close()

    def close(self) -> None:
        """Close the container file; tables already read stay valid."""
        if self._opened is not None:
            self._opened.close()

    @property
    def opener(self) -> Opener:
        """Opens single shards of this container."""
        return self._opener

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits: train, validation, test, then the others."""
        return tuple(in_order(file.split for file in self.files if file.split is not None))

    @property
    def tables(self) -> tuple[File, ...]:
        """The tables among the files."""
        return tuple(file for file in self.files if file.is_table)

    def file(self, path: str) -> File:
        """Return the file or table at `path`.

        Raises:
            ConfigError: there is none.
        """
        if path not in self._by_path:
            raise ConfigError(f"{path!r} is not in the container; it holds {self._some_paths()}")
        return self._by_path[path]

    def to_table(
        self,
        path: str | None = None,
        *,
        split: str | None = None,
        rows: range | None = None,
        columns: Sequence[str] | None = None,
    ) -> "pa.Table":
        """Return rows of one table; only the shards that hold them are opened.

        Args:
            path: which table; not needed where there is one (in `split`).
            split: or the table of this split.
            rows: numbers of rows from 0, with step 1; all by default.
            columns: names of columns; all by default.

        Raises:
            ConfigError: there is no such table, row or column, or more than one table fits.
            IntegrityError: a shard differs from what was committed to.
        """
        file = self._one_table(path, split)
        schema = _select(file.schema, columns)
        return pa.Table.from_batches(
            list(self.iter_batches(file.path, rows=rows, columns=columns)), schema
        )

    def to_pandas(
        self,
        path: str | None = None,
        *,
        split: str | None = None,
        rows: range | None = None,
        columns: Sequence[str] | None = None,
    ) -> "pd.DataFrame":
        """Return rows of one table as a DataFrame; see `to_table`.

        Every value is kept: whole numbers beyond 2^53 with missing ones among them are of a
        nullable type (Python's own, inside of lists and structs), not of float64.
        """
        table = self.to_table(path, split=split, rows=rows, columns=columns)
        frame: pd.DataFrame
        try:
            frame = to_frame(table)
        except (pa.ArrowException, *UNREADABLE):
            # What the schema says about pandas comes from outside and may make no sense.
            try:
                frame = to_frame(table.replace_schema_metadata(None))
            except (pa.ArrowException, *UNREADABLE) as error:
                reason = " ".join(str(error).split())[:200]
                raise CodecError(
                    f"pandas cannot hold these rows ({reason}); read them with to_table"
                ) from error
        return frame

    def iter_batches(
        self,
        path: str | None = None,
        *,
        split: str | None = None,
        rows: range | None = None,
        columns: Sequence[str] | None = None,
        processes: int = 1,
    ) -> "Iterator[pa.RecordBatch]":
        """Yield rows of one table in flat memory; see `to_table`.

        Args:
            path: which table.
            split: or the table of this split.
            rows: numbers of rows.
            columns: names of columns.
            processes: segments decoded ahead at the same time.
        """
        file = self._one_table(path, split)
        wanted = _check_rows(file, rows)
        _select(file.schema, columns)
        first, stop = file.offset + wanted.start, file.offset + wanted.stop
        for segment, table in self._decoded(file, self._segments(first, stop), processes):
            start = max(first - segment.first_row, 0)
            part = table.slice(start, stop - segment.first_row - start)
            yield from (part if columns is None else part.select(list(columns))).to_batches()

    def read_bytes(self, path: str, start: int = 0, stop: int | None = None) -> bytes:
        """Return bytes `start` to `stop` of a file; opens only the shards that hold them.

        Raises:
            ConfigError: there is no such file, or it is a table.
            IntegrityError: a shard differs from what was committed to.
        """
        file = self.file(path)
        if file.is_table:
            raise ConfigError(f"{path!r} is a table; read it with to_table or to_pandas")
        start, stop, _ = slice(start, stop).indices(file.length)
        parts = []
        offset, end = file.offset + start, file.offset + max(start, stop)
        while offset < end:
            i, skip = divmod(offset, self._opener.payload)
            part = self._payload(self.stream_first + i)[skip : skip + end - offset]
            parts.append(part)
            offset += len(part)
        return b"".join(parts)

    @property
    def stream_first(self) -> int:
        """Number of the first shard of the byte stream."""
        run = self.index.segments.get(BYTES_SEGMENT)
        return run.shard if run else 0

    def segments_of(self, file: File) -> list[Segment]:
        """Return the segments of a table."""
        return self._segments(file.offset, file.offset + file.length)

    def decode_segment(self, file: File, segment: Segment) -> "pa.Table":
        """Open and decode one segment of a table.

        Raises:
            LimitError: it declares more than the limits grant.
            MalformedError: it does not hold the rows that the index declares.
        """
        message = file.entry.schema or b""
        limit, what = self.limits.segment_bytes, f"{file.path!r}"
        table = self._decode(segment, message, limit, what, head=len(message))
        if table.num_rows != segment.rows:
            raise MalformedError(
                f"{file.path!r}: segment {segment.number} has {table.num_rows} rows, "
                f"{segment.rows} were declared"
            )
        return table

    def _decode(
        self, segment: Segment, message: bytes, limit: int, what: str, *, head: int | None = None
    ) -> "pa.Table":
        if segment.decoded_bytes > limit:
            raise LimitError(
                f"{what}: segment {segment.number} declares {segment.decoded_bytes} bytes, "
                f"{limit} allowed; raise Limits if you trust the seller"
            )
        payload = self._opener.payload
        size = len(message) + segment.shards * payload
        with decoder.borrowed_decoder() as child:
            with child.buffer(size) as view:
                view[: len(message)] = message
                for k in range(segment.shards):
                    start = len(message) + k * payload
                    self._opener.open_into(segment.shard + k, view[start : start + payload])
            try:
                return child.decode(
                    size,
                    segment.decoded_bytes,
                    what=f"{what}, segment {segment.number}",
                    seconds=self.limits.seconds,
                    head=head,
                )
            except LimitError as error:
                # Not a limit of this reader: it is more than its own maker says of it.
                raise MalformedError(str(error)) from error

    def _read_files_table(self) -> list[Entry]:
        segments = self.index.segments
        stream = segments.get(BYTES_SEGMENT)
        run = segments[FILES_SEGMENT]
        if run.shards * self._opener.payload > self.limits.files_table_bytes:
            raise LimitError("files: the files table is larger than Limits.files_table_bytes")
        table = self._decode(run, b"", self.limits.files_table_bytes, "files")
        return files_table.from_table(
            table,
            stream.shards * self._opener.payload if stream else 0,
            sum(segment.rows for segment in self.index.table_segments),
            self.limits,
        )

    def _decoded(
        self, file: File, segments: Iterable[Segment], processes: int
    ) -> "Iterator[tuple[Segment, pa.Table]]":
        def work(segment: Segment) -> "tuple[Segment, pa.Table]":
            return segment, self.decode_segment(file, segment)

        return ordered_map(work, segments, processes)

    def _segments(self, first: int, stop: int) -> list[Segment]:
        if first >= stop:
            return []
        segments = self.index.table_segments
        low = bisect_right(self._starts, first) - 1
        high = bisect_right(self._starts, stop - 1)
        return segments[low:high]

    def _payload(self, i: int) -> bytes:
        # Neighbouring small files share a shard.
        with self._lock:
            if self._last_shard[0] == i:
                return self._last_shard[1]
        data = self._opener.open(i)
        with self._lock:
            self._last_shard = (i, data)
        return data

    def _one_table(self, path: str | None, split: str | None) -> File:
        if path is not None:
            file = self.file(path)
            if not file.is_table:
                raise ConfigError(f"{path!r} is not a table; read it with read_bytes")
            return file
        fitting = [file for file in self.tables if split is None or file.split == split]
        if not self.tables:
            raise ConfigError(
                f"there is no table in it, but {len(self.files)} files such as "
                f"{self.files[0].path!r}; write them to a folder with "
                "`truthmark.codec.extract`, or read one with read_bytes"
                if self.files
                else "there is nothing in it"
            )
        if len(fitting) != 1:
            raise ConfigError(
                f"{len(fitting)} tables fit; name one of the paths {self._some_paths()}"
            )
        return fitting[0]

    def _some_paths(self) -> str:
        paths = [file.path for file in self.files[:_MANY_FILES]]
        return ", ".join(map(repr, paths)) + (" …" if len(self.files) > _MANY_FILES else "")


def open_container(
    source: "Path | str | tuple[ShardIndex, ShardSource]",
    *,
    cek: bytes,
    manifest: Manifest | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Container:
    """Open a container with its content key.

    Args:
        source: the folder that `pack` made, or an index whose CID was checked with a source of
            shards.
        cek: content key; see `truthmark.codec.cek_from_point`.
        manifest: what the container must be; required unless `source` is a folder.
        limits: what may be spent on it.

    Raises:
        IntegrityError: index, card or container are not those of the manifest.
        WrongKeyError: `cek` does not give the committed key of the first shard.
        LimitError: it declares more than `limits` grant.
        MalformedError: a part does not follow the format.
    """
    decoder.warm_up()
    opened: FileShards | None = None
    if isinstance(source, tuple):
        if manifest is None:
            raise ConfigError("opening shards from elsewhere needs the manifest; pass it")
        index, shards = source
        card = None
    else:
        folder = Path(source)
        manifest = _read_manifest(folder, manifest)
        index = read_index(folder, manifest, limits)
        card = _read_card(folder, manifest)
        shards = opened = FileShards(
            folder / DATA_NAME, shard_size=manifest.shard_size, count=manifest.count
        )
    try:
        check_index(index, manifest)
        opener = ContentOpener(index, shards, cek=cek, shard_size=manifest.shard_size)
        return Container(manifest, opener, limits=limits, card=card, opened=opened)
    except BaseException:
        if opened is not None:
            opened.close()
        raise


def read_index(
    folder: Path | str, manifest: Manifest, limits: Limits = DEFAULT_LIMITS
) -> ShardIndex:
    """Read the index of a folder, which must be the file that the manifest names.

    Raises:
        IntegrityError: it is another file.
        LimitError: it is larger than `manifest.count` rows can be.
        MalformedError: it is not the index of a container.
    """
    check_index_size(manifest.index_size, manifest.count)
    data = _read_named(Path(folder) / INDEX_NAME, manifest.index_size, manifest.index)
    return ShardIndex.from_bytes(data, manifest.count, limits)


def check_index(index: ShardIndex, manifest: Manifest) -> None:
    """Check that the tree over `index` is the one that the manifest commits to.

    The tree covers hashes and wrap words. The other columns are covered by the CID of the index
    alone, which `read_index` and storages check.

    Raises:
        IntegrityError: its tree has another root or count.
    """
    if index.count != manifest.count or index.tree.root != manifest.root:
        raise IntegrityError("index: its tree is not the one of the manifest; get it again")


def read_manifest(folder: Path | str) -> Manifest:
    """Read the manifest of a folder."""
    return Manifest.from_bytes(read_limited(Path(folder) / MANIFEST_NAME, MAX_MANIFEST_SIZE))


def _read_manifest(folder: Path, expected: Manifest | None) -> Manifest:
    manifest = read_manifest(folder)
    if expected is not None and manifest.digest != expected.digest:
        raise IntegrityError(f"{folder}: holds another manifest than expected; get it again")
    return manifest


def _read_card(folder: Path, manifest: Manifest) -> dict[str, Any] | None:
    # Data can be opened without its card, which only describes it, but not with another's.
    path = folder / CARD_NAME
    if not path.exists():
        return None
    return read_card(_read_named(path, min(manifest.card_size, MAX_CARD_SIZE), manifest.card))


def _read_named(path: Path, size: int, cid: CID) -> bytes:
    data = read_limited(path, size)
    if len(data) != size or cid_of_stream(io.BytesIO(data)) != cid:
        raise IntegrityError(f"{path}: is not the file that the manifest names; fetch it again")
    return data


def _check_rows(file: File, rows: range | None) -> range:
    if rows is None:
        return range(file.length)
    if rows.step != 1 or rows.start < 0 or rows.stop > file.length or rows.start > rows.stop:
        raise ConfigError(f"rows {rows}: {file.path!r} has rows 0 to {file.length}, in steps of 1")
    return rows


def _select(schema: "pa.Schema | None", columns: Sequence[str] | None) -> "pa.Schema":
    assert schema is not None
    if columns is None:
        return schema
    missing = [name for name in columns if schema.get_field_index(name) < 0]
    if missing:
        raise ConfigError(f"column {missing[0]!r} is not in the table, or is there twice")
    return pa.schema([schema.field(name) for name in columns], metadata=schema.metadata)


@lru_cache(maxsize=256)
def _schema(entry: Entry, limits: Limits) -> "pa.Schema":
    return files_table.read_schema(entry, limits)
