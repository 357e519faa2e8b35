# SPDX-License-Identifier: Apache-2.0
"""What an opened folder says about itself, and whether it must say anything.

Tools that read a folder of tables as one (pandas, polars, Spark) take each other file in it for a
table. So nothing is added to such a folder unless its splits could not be found otherwise.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from truthmark.codec import hub
from truthmark.codec.front_matter import (
    MAX_README_SIZE,
    README_NAME,
    read_configs,
    rewrite,
    with_configs,
)
from truthmark.codec.tables import TABLE_SUFFIXES

if TYPE_CHECKING:
    from truthmark.codec.container import Container, File

_ENTITIES: Final = {ord(char): f"&#{ord(char)};" for char in "\\`*_[]()<>|#!&~"}
_MOST_FILES: Final = 20
_MOST_TABLES: Final = 200

_PARQUET: Final = b"PAR1"
_READ_AS_FOLDER: Final = TABLE_SUFFIXES | {".json", ".avro", ".orc"}

# Names of licences on the Hugging Face hub, by SPDX identifiers in lower case.
# fmt: off
_SAME_NAMES: Final = frozenset({
    "afl-3.0", "apache-2.0", "artistic-2.0", "bsd-2-clause", "bsd-3-clause", "bsd-3-clause-clear",
    "bsl-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0",
    "cc-by-nc-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0",
    "cc-by-nc-sa-4.0", "cc-by-nd-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc0-1.0",
    "cdla-permissive-1.0", "cdla-permissive-2.0", "cdla-sharing-1.0", "ecl-2.0", "epl-1.0",
    "epl-2.0", "etalab-2.0", "eupl-1.1", "eupl-1.2", "isc", "lppl-1.3c", "mit", "mpl-2.0", "ms-pl",
    "ncsa", "ofl-1.1", "osl-3.0", "postgresql", "unlicense", "wtfpl", "zlib",
})
# fmt: on
_OTHER_NAMES: Final = {
    "c-uda-1.0": "c-uda",
    "lgpllr": "lgpl-lr",
    "odbl-1.0": "odbl",
    "odc-by-1.0": "odc-by",
    "pddl-1.0": "pddl",
}
_GNU = re.compile(r"(agpl-3\.0|gpl-2\.0|gpl-3\.0|lgpl-2\.1|lgpl-3\.0)(-only|-or-later|\+)?")
_GFDL = re.compile(r"gfdl-1\.[123](-no-invariants|-invariants)?(-only|-or-later)?")


@dataclass(frozen=True, slots=True)
class Held:
    """A file or table that was written.

    Attributes:
        path: in the container, or in a table whose rows are files.
        split: name of its split, or None.
        length: its rows or bytes.
        is_table: whether it is a table.
    """

    path: str
    split: str | None
    length: int
    is_table: bool = False

    @classmethod
    def of(cls, file: "File") -> "Held":
        """Describe a file of a container."""
        return cls(file.path, file.split, file.length, file.is_table)


def complete(
    container: "Container", folder: Path, names: Mapping[str, str], held: Sequence[Held]
) -> None:
    """Correct the READMEs that were written into `folder`, and add one where it helps.

    Args:
        container: what was opened.
        folder: where all else was written.
        names: where each file and table was written, by its path in the container.
        held: these files and tables, in the order of the container.
    """
    for file in held:
        path = Path(file.path)
        if path.name == README_NAME and not file.is_table and file.length <= MAX_README_SIZE:
            _correct(folder, path.parent.as_posix(), names)
    if any(name.lower().partition("/")[0] == README_NAME.lower() for name in names.values()):
        return
    configs = _configs(_wanted(held, names), names)
    if configs or not _is_one_table(folder, names.values()):
        (folder / README_NAME).write_text(readme(container, names, held, configs), encoding="utf-8")


def readme(
    container: "Container",
    names: Mapping[str, str],
    held: Sequence[Held],
    configs: Sequence[str] = (),
) -> str:
    """Return a dataset card with Hugging Face front matter.

    Everything that the seller wrote is quoted as JSON, which YAML reads as plain text.

    Args:
        container: what was opened.
        names: where each file and table was written.
        held: these files and tables.
        configs: lines of YAML that name the splits, where names of files do not say them.
    """
    card = container.card or {}
    manifest = container.manifest
    title = str(card.get("title") or "Dataset")
    lines = ["---", f"pretty_name: {json.dumps(title)}"]
    lines += _licence_lines(manifest.licence, names.values())
    lines += [*configs, "---", "", f"# {_plain(title)}", ""]
    if card.get("description"):
        lines += [_plain(str(card["description"])), ""]
    lines += [
        f"Licence: {_plain(manifest.licence)}",
        "",
        "| split | path | holds |",
        "|---|---|---|",
    ]
    shown = [file for file in held if file.is_table] or held[:_MOST_FILES]
    for file in shown[:_MOST_TABLES]:
        holds = f"{file.length} rows" if file.is_table else f"{file.length} bytes"
        lines.append(f"| {file.split or ''} | {_plain(names[file.path])} | {holds} |")
    lines += [
        "",
        f"Opened from a TMK1 container of {manifest.count} shards with root "
        f"`0x{manifest.root.hex()}`; manifest `{manifest.cid}`.",
        "",
    ]
    return "\n".join(lines)


def hub_licence(licence: str) -> str | None:
    """Return the Hugging Face hub's name of an SPDX licence, or None where it has none.

    >>> hub_licence("CC0-1.0"), hub_licence("GPL-3.0-or-later"), hub_licence("LicenseRef-mine")
    ('cc0-1.0', 'gpl-3.0', None)
    """
    name = licence.lower()
    if name in _SAME_NAMES:
        return name
    if match := _GNU.fullmatch(name):
        return match[1]
    return "gfdl" if _GFDL.fullmatch(name) else _OTHER_NAMES.get(name)


def _licence_lines(licence: str, written: Iterable[str]) -> list[str]:
    if (known := hub_licence(licence)) is not None:
        return [f"license: {known}"]
    lines = ["license: other", f"license_name: {json.dumps(licence)}"]
    texts = {name for name in written if re.fullmatch(r"LICEN[CS]E(\.md|\.txt)?", name)}
    return [*lines, *(f"license_link: {name}" for name in sorted(texts)[:1])]


def _is_one_table(folder: Path, written: Iterable[str]) -> bool:
    """Whether a folder holds nothing but tables, leaving out what readers of folders pass over."""
    shown = [name for name in written if not any(part[0] in "._" for part in name.split("/"))]
    return bool(shown) and all(
        Path(name).suffix.lower() in _READ_AS_FOLDER or _is_parquet(folder / name) for name in shown
    )


def _is_parquet(path: Path) -> bool:
    # Those that read folders of Parquet files do not ask for a suffix.
    with path.open("rb") as file:
        return file.read(len(_PARQUET)) == _PARQUET


def _correct(folder: Path, parent: str, names: Mapping[str, str]) -> None:
    """Let the README of one folder name the files that were written."""
    prefix = "" if parent == "." else f"{parent}/"
    below = {
        old.removeprefix(prefix): new.removeprefix(prefix)
        for old, new in names.items()
        if old.startswith(prefix)
    }
    path = folder / prefix / README_NAME
    try:
        with path.open(encoding="utf-8", newline="") as file:
            text = file.read()
    except UnicodeDecodeError:
        return
    if read_configs(text):
        corrected = rewrite(text, below)
    elif lines := _configs(hub.loaded_splits(below), below):
        corrected = with_configs(text, lines)
    else:
        return
    if corrected != text:
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(corrected)


def _wanted(held: Sequence[Held], names: Mapping[str, str]) -> hub.Splits:
    """Return the files of each split, as the source had them; none where that says itself."""
    paths = [file.path for file in held]
    said = {file.path: file.split for file in held if file.split is not None}
    found: dict[str, str] = {}
    for split, members in hub.named_splits(paths).items():
        for path in members:
            found.setdefault(path, split)
    if not said or said == found:
        is_same = all(old == new for old, new in names.items())
        return {} if is_same else hub.loaded_splits(paths)
    return {
        split: [path for path in paths if said.get(path) == split]
        for split in hub.in_order(said.values())
    }


def _configs(wanted: hub.Splits, names: Mapping[str, str]) -> list[str]:
    """Return the front matter that names the splits; empty if they are found without it."""
    if not any(wanted.values()):
        return []
    expected = hub.mapped(wanted, names)
    found = hub.loaded_splits(names.values())
    if list(found.items()) == list(expected.items()):
        return []
    lines = ["configs:", "- config_name: default", "  data_files:"]
    used: set[str] = set()
    for split, members in expected.items():
        name = hub.split_name(split)
        while name in used:
            name += "_"
        used.add(name)
        lines += [f"  - split: {json.dumps(name)}", "    path:"]
        lines += [f"    - {json.dumps(path)}" for path in _short(members, sorted(names.values()))]
    return lines


def _short(members: Sequence[str], everything: Sequence[str]) -> list[str]:
    """Return patterns that find just `members`: a whole folder if that will do, else each."""
    top = members[0].partition("/")[0] + "/" if members else ""
    if len(members) > 1 and all(path.startswith(top) for path in members):
        pattern = hub.escape(top) + "**"
        if hub.find_matches(pattern, everything) == list(members):
            return [pattern]
    return [hub.escape(path) for path in members]


def _plain(text: str) -> str:
    # One line, in which nothing acts as Markdown or HTML.
    return " ".join(text.split()).translate(_ENTITIES)
