# SPDX-License-Identifier: Apache-2.0
"""What can be packed: files, folders, tables in memory, and splits of these."""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from truthmark.codec.frames import from_pandas
from truthmark.codec.names import check_paths, check_split
from truthmark.codec.tables import Table, from_arrow, from_reader, is_table_file, open_table
from truthmark.errors import CodecError, ConfigError

if TYPE_CHECKING:
    Source = Any

# Hugging Face `datasets`, docs/source/repository_structure.mdx: words that name a split, as a
# folder or as a part of a file name set off by anything that is no letter or digit.
_SPLIT_WORDS: Final = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "dev": "validation",
    "val": "validation",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
}


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
        skipped: hidden files of a folder, which are not packed.
    """

    files: list[BytesFile] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    @property
    def bytes_size(self) -> int:
        """Bytes of all files that are packed as they are."""
        return sum(file.size for file in self.files)


def plan(source: "Source", *, as_bytes: bool = False) -> Plan:
    """Find out what `source` holds, reading no more than it takes to know the schemas.

    Args:
        source: path of a CSV, TSV, JSON lines, Parquet, Arrow or any other file; path of a
            folder; pandas DataFrame; pyarrow Table, RecordBatch or RecordBatchReader; or a
            mapping of split names to any of these.
        as_bytes: pack table files as they are.

    Raises:
        ConfigError: `source` is none of these.
        CodecError: a file cannot be read as what it claims to be, or cannot be packed.
        MalformedError: a name is not allowed in a container.
    """
    made = Plan()
    if isinstance(source, Mapping):
        for split, part in source.items():
            check_split(split)
            _add(made, part, split=split, as_bytes=as_bytes)
    else:
        _add(made, source, split=None, as_bytes=as_bytes)
    if not made.files and not made.tables:
        raise ConfigError("there is nothing to pack: no file that is not hidden, and no table")
    made.files.sort(key=lambda file: file.path.encode("utf-8"))
    made.tables.sort(key=lambda table: table.path.encode("utf-8"))
    check_paths([*(file.path for file in made.files), *(table.path for table in made.tables)])
    return made


def split_of(path: str) -> str | None:
    """Return the split that a path in a folder names, as Hugging Face reads it.

    >>> split_of("train/cats/1.png"), split_of("data-test.csv"), split_of("trains/1.png")
    ('train', 'test', None)
    """
    top, slash, _ = path.partition("/")
    if slash:
        return _SPLIT_WORDS.get(top.lower())
    for word in re.split(r"[^A-Za-z0-9]+", top.rsplit(".", 1)[0].lower()):
        if word in _SPLIT_WORDS:
            return _SPLIT_WORDS[word]
    return None


def _add(made: Plan, source: "Source", *, split: str | None, as_bytes: bool) -> None:
    if isinstance(source, str | os.PathLike):
        _add_path(made, Path(source), split=split, as_bytes=as_bytes)
        return
    import pyarrow as pa

    path = f"{split or 'data'}.arrow"
    if isinstance(source, pa.RecordBatch):
        source = pa.Table.from_batches([source])
    if isinstance(source, pa.Table):
        made.tables.append(from_arrow(source, path, split))
    elif isinstance(source, pa.RecordBatchReader):
        made.tables.append(from_reader(source, path, split))
    elif type(source).__module__.partition(".")[0] == "pandas" and hasattr(source, "columns"):
        made.tables.append(from_arrow(from_pandas(source), path, split))
    else:
        raise ConfigError(
            f"cannot pack {type(source).__name__}: give a path, a pandas DataFrame, "
            "a pyarrow Table or reader, or a dict of splits"
        )


def _add_path(made: Plan, location: Path, *, split: str | None, as_bytes: bool) -> None:
    try:
        name, location = location.name, location.resolve()
        mode = location.stat().st_mode
    except OSError as error:
        raise ConfigError(f"{location} cannot be read: {error.strerror}") from error
    if stat.S_ISDIR(mode):
        _add_folder(made, location, split=split, as_bytes=as_bytes)
    elif stat.S_ISREG(mode):
        path = f"{split}/{name}" if split else name
        _add_file(made, location, path, split, as_bytes=as_bytes)
    else:
        raise ConfigError(f"{location} is neither a file nor a folder; only these can be packed")


def _add_folder(made: Plan, folder: Path, *, split: str | None, as_bytes: bool) -> None:
    for location in _walk(folder):
        relative = location.relative_to(folder).as_posix()
        if any(name.startswith(".") for name in relative.split("/")):
            made.skipped.append(relative)
            continue
        mode = location.lstat().st_mode
        if not stat.S_ISREG(mode):
            # A link could lead out of the folder and sell what its owner never meant to.
            raise CodecError(
                f"{location} is a link or a special file; replace it by a copy or remove it"
            )
        path = f"{split}/{relative}" if split else relative
        _add_file(made, location, path, split or split_of(relative), as_bytes=as_bytes)


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder, onerror=_raise):
        for name in (*names, *(name for name in folders if Path(parent, name).is_symlink())):
            yield Path(parent, name)


def _raise(error: OSError) -> None:
    raise CodecError(f"{error.filename} cannot be read: {error.strerror}") from error


def _add_file(made: Plan, location: Path, path: str, split: str | None, *, as_bytes: bool) -> None:
    if not as_bytes and is_table_file(location):
        table = open_table(location, path)
        made.tables.append(replace(table, split=split))
    else:
        made.files.append(BytesFile(path, split, location.stat().st_size, location))
