# SPDX-License-Identifier: Apache-2.0
"""What the other files of a folder say about its tables: their splits, and which stay files."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from truthmark.codec import hub
from truthmark.codec.front_matter import MAX_README_SIZE, README_NAME, Config, read_configs
from truthmark.codec.tables import is_table_file

# How the reader of a suffix splits lines anyway; a README may say so again.
_SEPARATORS: Final = {".csv": ",", ".tsv": "\t"}

_COMPRESSED: Final = frozenset({".gz", ".bz2", ".xz", ".zst", ".lz4", ".zip"})


@dataclass
class Layout:
    """What is known of a folder before its tables are read.

    Attributes:
        splits: the split of each file that is in one, by its path.
        kept: why a table file is packed as a file; written again it would no longer be what
            something else in the folder says about it.
    """

    splits: dict[str, str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)


def read_layout(files: Mapping[str, Path]) -> Layout:
    """Return what a folder says about its tables.

    Args:
        files: where each file is read, by its path in the folder.
    """
    paths = sorted(files)
    layout = Layout()
    configs = _configs(files, README_NAME)
    named = [config.files(paths) for config in configs if config.splits is not None]
    for splits in named or [hub.named_splits(paths)]:
        for split, members in splits.items():
            for path in members:
                layout.splits.setdefault(path, split)
    for splits in named or [hub.named_splits(paths) or {"": _compressed_and_tables(paths)}]:
        layout.kept |= _loaded_with_others([path for some in splits.values() for path in some])
    for parent, reason in _descriptions(files):
        prefix = f"{parent}/" if parent else ""
        for path in paths:
            if (path == parent or path.startswith(prefix)) and is_table_file(Path(path)):
                layout.kept.setdefault(path, reason)
    for readme in paths:
        if Path(readme).name == README_NAME:
            layout.kept |= _read_with_options(files, readme, paths)
    return layout


def _compressed_and_tables(paths: Sequence[str]) -> list[str]:
    return [
        path
        for path in paths
        if is_table_file(Path(path))
        or (Path(path).suffix.lower() in _COMPRESSED and is_table_file(Path(path).with_suffix("")))
    ]


def _loaded_with_others(members: Sequence[str]) -> dict[str, str]:
    """Return the tables that `datasets` loads together with files that stay what they are.

    It has one reader for all of them, so the others would be left out beside Parquet.
    """
    others = {hub.reader(path): path for path in members if not is_table_file(Path(path))}
    others.pop(None, None)
    return {
        path: f"{others[hub.reader(path)]} is loaded together with them"
        for path in members
        if is_table_file(Path(path)) and hub.reader(path) in others
    }


def _descriptions(files: Mapping[str, Path]) -> Iterator[tuple[str, str]]:
    """Yield folders, or files, whose tables another file describes, and which file that is.

    Sizes, checksums or places within them stand there.
    """
    for path in files:
        parent, _, name = path.rpartition("/")
        if name in ("_metadata", "_common_metadata"):
            yield parent, f"{path} describes their content"
        elif name == "state.json" and f"{parent}/dataset_info.json".lstrip("/") in files:
            yield parent, f"{path}, of `save_to_disk`, names them"
        elif name.endswith(".json") and parent.rpartition("/")[2] == "_delta_log":
            yield parent.rpartition("/")[0], f"{parent}, of a Delta table, describes their content"
        elif name.endswith(".metadata.json") and parent.rpartition("/")[2] == "metadata":
            yield (
                parent.rpartition("/")[0],
                f"{parent}, of an Iceberg table, describes their content",
            )
        elif name.startswith(".") and name.endswith(".crc") and is_table_file(Path(name[1:-4])):
            yield f"{parent}/{name[1:-4]}".lstrip("/"), f"{path} is its checksum"


def _configs(files: Mapping[str, Path], readme: str) -> list[Config]:
    if readme not in files or files[readme].stat().st_size > MAX_README_SIZE:
        return []
    try:
        return read_configs(files[readme].read_bytes().decode("utf-8"))
    except UnicodeDecodeError:
        return []


def _read_with_options(
    files: Mapping[str, Path], readme: str, paths: Sequence[str]
) -> dict[str, str]:
    """Return the tables that a README says to read in a way of their own."""
    prefix = readme[: -len(README_NAME)]
    below = [path.removeprefix(prefix) for path in paths if path.startswith(prefix)]
    kept = {}
    for config in _configs(files, readme):
        named = config.files(below).values() if config.splits is not None else [below]
        for path in (path for members in named for path in members):
            suffix = Path(path).suffix.lower()
            options = {
                name
                for name, value in config.options.items()
                if name not in ("sep", "delimiter") or value != _SEPARATORS.get(suffix)
            }
            if options and suffix not in (".parquet", ".pq") and is_table_file(Path(path)):
                kept[prefix + path] = f"{readme} says how to read it ({', '.join(sorted(options))})"
    return kept
