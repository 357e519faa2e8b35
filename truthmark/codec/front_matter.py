# SPDX-License-Identifier: Apache-2.0
"""The YAML at the head of a data set's README, which tells Hugging Face `datasets` what to load.

It may come from a stranger: it is only taken apart, nothing in it is built or run, and all that is
not understood stays as it is.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from truthmark.codec.hub import Splits, escape, find_matches

README_NAME: Final = "README.md"
MAX_README_SIZE: Final = 4 << 20
_MAX_YAML_SIZE: Final = 1 << 19
# As huggingface_hub's repocard.py finds it.
_BLOCK = re.compile(r"^(\s*---[\r\n]+)([\S\s]*?)([\r\n]+---(\r\n|\n|$))")
_CONFIGS = re.compile(
    r"^(configs|'configs'|\"configs\")[ \t]*:.*(\r?\n(?:[ \t#-].*)?)*", re.MULTILINE
)
_MAX_DEPTH: Final = 8
_PROPERTIES = re.compile(r"(?:[&!][^\s,\]}]*\s+)*")
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./*?-]*")
# These say what is loaded; all others say how files are read, which holds for their format only.
_NEUTRAL: Final = frozenset(
    {
        "config_name",
        "data_files",
        "data_dir",
        "default",
        "description",
        "drop_labels",
        "drop_metadata",
        "features",
        "version",
    }
)


@dataclass(frozen=True, slots=True)
class Config:
    """One entry of `configs`.

    Attributes:
        name: its `config_name`.
        splits: the patterns of each split; None where it names no files and takes what is there.
        folder: its `data_dir`, or "".
        options: other settings, which say how the files are read.
    """

    name: str
    splits: dict[str, list[str]] | None
    folder: str
    options: Mapping[str, str]

    def files(self, paths: Sequence[str]) -> Splits:
        """Return the files of each split that it names, of `paths`, which are sorted."""
        return {
            split: [path for pattern in patterns for path in _find(pattern, self.folder, paths)[0]]
            for split, patterns in (self.splits or {}).items()
        }


def read_configs(readme: str) -> list[Config]:
    """Return the `configs` of a README; none where there are none, or they are not understood."""
    root = _compose(readme)[1]
    return [_read_config(entry) for entry in _entries(root)]


def rewrite(readme: str, names: Mapping[str, str]) -> str:
    """Return a README whose `configs` name files by their new names; nothing else is changed.

    Args:
        readme: its whole text.
        names: new name of every file in its folder by the old one, both relative to the folder.
    """
    start, root = _compose(readme)
    old, new = sorted(names), sorted(names.values())
    edits: dict[int, tuple[int, str]] = {}
    for entry in _entries(root):
        folder = _read_config(entry).folder
        for node, within in _patterns(entry):
            begin, end = start + node.start_mark.index, start + node.end_mark.index
            # An anchor stays in front of its value: `*name` elsewhere refers to it.
            begin = _PROPERTIES.match(readme, begin, end).end()  # type: ignore[union-attr]
            found, base = _find(node.value, folder, old)
            wanted = [names[path] for path in found]
            if not found or begin in edits:
                continue
            fitting = _same_pattern(node.value, found, wanted, base, new)
            if fitting == node.value:
                continue
            if fitting is not None:
                edits[begin] = (end, _scalar(fitting, node.style))
            else:
                texts = [json.dumps(escape(name.removeprefix(base))) for name in wanted]
                edits[begin] = (end, _join(texts, within))
            if node.style in ("|", ">"):
                edits[begin] = (end, edits[begin][1] + "\n")
    for begin, (end, text) in sorted(edits.items(), reverse=True):
        readme = readme[:begin] + text + readme[end:]
    return readme


def with_configs(readme: str, lines: Sequence[str]) -> str:
    """Return a README that has `configs`, which it has not yet; its text stays as it is."""
    match = _BLOCK.match(readme)
    block = "\n".join(lines)
    if match is None:
        return f"---\n{block}\n---\n\n{readme}"
    return readme[: match.end(2)] + "\n" + block + readme[match.end(2) :]


def _compose(readme: str) -> tuple[int, Any]:
    """Return where the YAML begins, and its root; None where there is none that can be read."""
    import yaml

    match = _BLOCK.match(readme)
    # Only this part: the rest may be long, and the parser written in Python takes its time.
    part = None if match is None else _CONFIGS.search(readme, match.start(2), match.end(2))
    if part is None or len(part[0]) > _MAX_YAML_SIZE or _is_deep(part[0]):
        return 0, None
    try:
        return part.start(), yaml.compose(part[0], Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError):
        return 0, None


def _is_deep(text: str) -> bool:
    """Whether brackets stand in brackets, or lists in lists, deeper than anyone writes them.

    The parser would take time that grows with the square of the depth.
    """
    depth = deepest = 0
    for char in re.findall(r"[][{}]", text):
        depth += 1 if char in "[{" else -1
        deepest = max(deepest, depth)
    return deepest > _MAX_DEPTH or re.search(r"([-?:][ \t]+){8}", text) is not None


def _entries(root: Any) -> Iterator[Any]:
    for key, value in _items(root):
        if key == "configs":
            yield from (entry for entry in _list(value) if entry.id == "mapping")


def _items(node: Any) -> Iterator[tuple[str, Any]]:
    if node is not None and node.id == "mapping":
        yield from ((key.value, value) for key, value in node.value if key.id == "scalar")


def _list(node: Any) -> list[Any]:
    return list(node.value) if node is not None and node.id == "sequence" else []


def _read_config(entry: Any) -> Config:
    fields = dict(_items(entry))
    splits: dict[str, list[str]] | None = None
    if "data_files" in fields:
        splits = {}
        value = fields["data_files"]
        for item in [value] if value.id == "scalar" else _list(value):
            part = dict(_items(item))
            split = part["split"].value if "split" in part else "train"
            path = part.get("path", item)
            patterns = [path] if path.id == "scalar" else _list(path) if part else []
            names = [pattern.value for pattern in patterns if pattern.id == "scalar"]
            splits.setdefault(str(split), []).extend(names)
    texts = {name: node.value for name, node in fields.items() if node.id == "scalar"}
    return Config(
        name=texts.get("config_name", ""),
        splits=splits,
        folder=texts.get("data_dir", "").strip("/"),
        options={name: texts.get(name, "") for name in fields if name not in _NEUTRAL},
    )


def _patterns(entry: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each pattern of a config, with the list that it stands in, or None."""
    value = dict(_items(entry)).get("data_files")
    if value is None:
        return
    for item in [value] if value.id == "scalar" else _list(value):
        path = dict(_items(item)).get("path", item)
        if path.id == "scalar":
            yield path, (value if path is item and value is not item else None)
        for one in _list(path) if path is not item else ():
            if one.id == "scalar":
                yield one, path


def _find(pattern: str, folder: str, paths: Sequence[str]) -> tuple[list[str], str]:
    """Return what a pattern finds, and the folder below which it stands."""
    if "://" in pattern or pattern.startswith("/"):
        return [], ""
    # A `data_dir` counts for all configs but the first, for which it does if nothing is found.
    bases = [f"{folder}/", ""] if folder else [""]
    for base in bases:
        if found := find_matches(pattern, _below(base, paths)):
            return [base + path for path in found], base
    return [], ""


def _same_pattern(
    pattern: str, found: Sequence[str], wanted: Sequence[str], base: str, new: Sequence[str]
) -> str | None:
    """Return a pattern that finds just the new names: this one, or this with another suffix."""
    below = _below(base, new)
    target = [path.removeprefix(base) for path in wanted]
    candidates = [pattern]
    old = {_suffix(path) for path in found}
    if len(old) == 1 and pattern.endswith(suffix := old.pop()):
        stem = pattern[: len(pattern) - len(suffix)]
        candidates += [stem + other for other in sorted({_suffix(path) for path in wanted})]
    fitting: Callable[[str], bool] = lambda one: find_matches(one, below) == target  # noqa: E731
    return next(filter(fitting, candidates), None)


def _below(base: str, paths: Sequence[str]) -> Sequence[str]:
    return [path.removeprefix(base) for path in paths if path.startswith(base)] if base else paths


def _suffix(path: str) -> str:
    name = path.rpartition("/")[2]
    return name[name.rfind(".") :] if "." in name else ""


def _scalar(value: str, style: str | None) -> str:
    if style is None and _PLAIN.fullmatch(value):
        return value
    if style == "'":
        return "'" + value.replace("'", "''") + "'"
    return json.dumps(value, ensure_ascii=False)


def _join(texts: Sequence[str], within: Any) -> str:
    if within is None:
        return f"[{', '.join(texts)}]"
    if within.flow_style:
        return ", ".join(texts)
    return f"\n{' ' * within.start_mark.column}- ".join(texts)
