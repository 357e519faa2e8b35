# SPDX-License-Identifier: Apache-2.0
"""What can be packed: files, folders, tables in memory, and splits of these."""

import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from truthmark.arrow import pa
from truthmark.codec.file_rows import choose_media, media_tables
from truthmark.codec.frames import from_pandas, from_polars
from truthmark.codec.layout import read_layout
from truthmark.codec.names import check_paths, check_split
from truthmark.codec.tables import Table, from_arrow, from_reader, is_table_file, open_table
from truthmark.codec.walking import walk
from truthmark.errors import CodecError, ConfigError

if TYPE_CHECKING:
    Source = Any


@dataclass(frozen=True, slots=True)
class BytesFile:
    """A file that is packed as it is.

    Attributes:
        path: in the container.
        split: name of its split, or None.
        size: bytes, as seen when the plan was made.
        location: where it is read.
    """

    path: str
    split: str | None
    size: int
    location: Path


@dataclass
class Plan:
    """All that goes into a container, in the order of its files table.

    Attributes:
        files: by path.
        tables: by path.
        skipped: hidden files and folders of a folder, which are not packed.
        notes: what else is lost, or is not as one might expect, a line each.
    """

    files: list[BytesFile] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def bytes_size(self) -> int:
        """Bytes of all files that are packed as they are."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How a source is read.

    Attributes:
        raw: pack table files byte for byte.
        follow_links: pack what links in a folder point to.
        hidden: pack hidden files of a folder too.
        media_rows: pack pictures, sound and the like as rows of a table, unless `raw`.
    """

    raw: bool = False
    follow_links: bool = False
    hidden: bool = False
    media_rows: bool = False


_AS_USUAL: Final = SourceOptions()


def plan(source: "Source", options: SourceOptions = _AS_USUAL) -> Plan:
    """Find out what `source` holds, reading no more than it takes to know the schemas.

    Args:
        source: path of a CSV, TSV, JSON lines, Parquet, Arrow or any other file; path of a
            folder; pandas or polars DataFrame or anything else that speaks Arrow's C stream
            interface; pyarrow Table, RecordBatch or RecordBatchReader; or a mapping of split names
            to any of these.
        options: how it is read.

    Raises:
        ConfigError: `source` is none of these.
        CodecError: a file cannot be read as what it claims to be, or cannot be packed.
        MalformedError: a name is not allowed in a container.
    """
    made = Plan()
    if isinstance(source, Mapping):
        for split, part in source.items():
            check_split(split)
            _add(made, part, split, options)
    else:
        _add(made, source, None, options)
    if not made.files and not made.tables:
        raise ConfigError("there is nothing to pack: no file that is not hidden, and no table")
    made.files.sort(key=lambda file: file.path.encode("utf-8"))
    if options.media_rows and not options.raw:
        _take_media(made)
    made.tables.sort(key=lambda table: table.path.encode("utf-8"))
    check_paths([*(file.path for file in made.files), *(table.path for table in made.tables)])
    return made


def _take_media(made: Plan) -> None:
    """Make rows of tables of the pictures, sounds and the like among the files."""
    media = choose_media(made.files)
    if not media:
        return
    rows = {file.path for file in media}
    check_paths([*(file.path for file in made.files), *(table.path for table in made.tables)])
    made.files = [file for file in made.files if file.path not in rows]
    others = [*(file.path for file in made.files), *(table.path for table in made.tables)]
    made.tables += media_tables(media, others)
    made.notes.append(
        f"{len(media):,} files are packed as rows of a table (path, label, bytes), so that a "
        "sample names only what it shows; buyers get them as files again"
    )
    if made.files:
        large = max(made.files, key=lambda file: file.size)
        made.notes.append(
            f"{len(made.files):,} other files stay files, such as {large.path}: their names "
            "become public with a sample"
        )


def _add(made: Plan, source: "Source", split: str | None, options: SourceOptions) -> None:
    if isinstance(source, str | os.PathLike):
        _add_path(made, Path(source), split, options)
        return
    path = f"{split or 'data'}.arrow"
    if isinstance(source, pa.RecordBatch):
        source = pa.Table.from_batches([source])
    if isinstance(source, pa.Table):
        made.tables.append(from_arrow(source, path, split))
    elif isinstance(source, pa.RecordBatchReader):
        made.tables.append(from_reader(source, path, split))
    elif type(source).__module__.partition(".")[0] == "pandas" and hasattr(source, "columns"):
        made.tables.append(from_arrow(from_pandas(source), path, split))
    elif hasattr(source, "__arrow_c_stream__") and hasattr(source, "columns"):
        made.tables.append(from_reader(_stream_of(source), path, split))
    else:
        hint = "; collect it first" if hasattr(source, "collect") else ""
        raise ConfigError(
            f"cannot pack {type(source).__name__}: give a path, a DataFrame of pandas or polars, "
            f"a pyarrow Table or reader, or a dict of splits{hint}"
        )


def _stream_of(source: Any) -> "pa.RecordBatchReader":
    """Return what a table of polars, DuckDB or another library hands over in Arrow's C interface.

    Raises:
        CodecError: it has a column that Arrow cannot hold.
    """
    try:
        if type(source).__module__.partition(".")[0] == "polars":
            source = from_polars(source)
        return pa.RecordBatchReader.from_stream(source)
    except (pa.ArrowException, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CodecError(
            f"the {type(source).__name__} has a column that Arrow cannot hold ({reason}); "
            "convert it"
        ) from error


def _add_path(made: Plan, location: Path, split: str | None, options: SourceOptions) -> None:
    try:
        mode = location.stat().st_mode
    except OSError as error:
        raise ConfigError(f"{location} cannot be read: {error.strerror}") from error
    if stat.S_ISDIR(mode):
        _add_folder(made, location, split, options)
    elif stat.S_ISREG(mode):
        path = f"{split}/{location.name}" if split else location.name
        _add_file(made, location.resolve(), path, split, raw=options.raw)
        _note_executables(made, [location])
    else:
        raise ConfigError(f"{location} is neither a file nor a folder; only these can be packed")


def _add_folder(made: Plan, folder: Path, split: str | None, options: SourceOptions) -> None:
    found = walk(folder, follow_links=options.follow_links, hidden=options.hidden)
    made.skipped += found.hidden
    layout = read_layout(found.files)
    for relative, location in found.files.items():
        _add_file(
            made,
            location,
            f"{split}/{relative}" if split else relative,
            split or layout.splits.get(relative),
            raw=options.raw or relative in layout.kept,
        )
    if not options.raw:
        for path, reason in list(layout.kept.items())[:1]:
            more = f" and {len(layout.kept) - 1} more" if len(layout.kept) > 1 else ""
            made.notes.append(f"{path}{more} packed as files, not as tables: {reason}")
    _note(made, "{} not packed, as a container holds files only: {}", found.empty, "empty folder")
    _note(made, "{} followed out of the folder: {}", found.outside, "link")
    _note_executables(made, found.files.values())


def _add_file(made: Plan, location: Path, path: str, split: str | None, *, raw: bool) -> None:
    if not raw and is_table_file(Path(path)):
        made.tables.append(replace(open_table(location, path), split=split))
    else:
        made.files.append(BytesFile(path, split, location.stat().st_size, location))


def _note_executables(made: Plan, locations: Iterable[Path]) -> None:
    some = [str(place) for place in locations if place.stat().st_mode & stat.S_IXUSR]
    _note(made, "{} not marked as executable any more once opened: {}", some, "file")


def _note(made: Plan, line: str, names: Sequence[str], noun: str) -> None:
    if names:
        count = f"{len(names)} {noun}" + ("s" if len(names) > 1 else "")
        made.notes.append(line.format(count, names[0] + (" …" if len(names) > 1 else "")))
