# SPDX-License-Identifier: Apache-2.0
"""Which files of a folder Hugging Face `datasets` loads, and as which splits.

After `datasets/data_files.py` and `load.py` (release 5): the first of these that finds files gives
the splits, each with its files in the order of their paths.

1. `data/<split>-00000-of-00003.*`, with any name for a split;
2. folders, at any depth, whose names have a split's word in them, set off by `-._ ` or digits;
3. files whose names have one;
4. all files, as `train`.

A suffix decides which reader loads a split: the most frequent one, and files that this reader
does not know are left out.
"""

import mimetypes
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import islice, takewhile
from typing import Final

Splits = dict[str, list[str]]

_WORDS: Final = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_SEP: Final = "[-._ 0-9]"
_IGNORED: Final = frozenset(
    {
        "README.md",
        "config.json",
        "dataset_info.json",
        "dataset_infos.json",
        "dummy_data.zip",
        "dataset_dict.json",
    }
)
_SHARD = re.compile(r"data/(?P<split>[^/]+)-[0-9]{5}-of-[0-9]{5}[^/]*\.[^/]*")
_SPLIT_NAME = re.compile(r"\w+(\.\w+)*")

# Reader and its setting, by suffix; media have readers by the first part of their media type.
_READERS: Final = {
    ".csv": ("csv", ","),
    ".tsv": ("csv", "\t"),
    ".json": ("json", ""),
    ".jsonl": ("json", ""),
    ".ndjson": ("json", ""),
    ".parquet": ("parquet", ""),
    ".geoparquet": ("parquet", ""),
    ".gpq": ("parquet", ""),
    ".arrow": ("arrow", ""),
    ".txt": ("text", ""),
    ".tar": ("webdataset", ""),
    ".xml": ("xml", ""),
    ".hdf5": ("hdf5", ""),
    ".h5": ("hdf5", ""),
    ".pdf": ("pdf", ""),
}
_MEDIA: Final = frozenset({"image", "audio", "video"})
_FAVOURITES: Final = (".parquet", ".lance", ".arrow", ".jsonl", ".json", ".csv")
_MAX_ANY_FOLDERS: Final = 3
_NOTHING: Final = re.compile("(?!)")
_METADATA: Final = frozenset({"metadata.csv", "metadata.jsonl", "metadata.parquet"})


def named_splits(paths: Iterable[str]) -> Splits:
    """Return the splits that the names of files and folders say, with all their files.

    Empty where no name says one; `load_dataset` then loads everything as `train`.

    Args:
        paths: files of a folder, relative to it.
    """
    known = sorted(path for path in paths if _is_seen(path))
    shards: Splits = {}
    for path in known:
        if match := _SHARD.fullmatch(path):
            shards.setdefault(match["split"], []).append(path)
    if shards:
        if not all(_SPLIT_NAME.fullmatch(split) for split in shards):
            return {}
        return {split: shards[split] for split in in_order(shards)}
    for matched in (_folder_patterns, _name_patterns):
        found: dict[str, list[tuple[int, str]]] = {}
        for path in known:
            for split, number in matched(path):
                found.setdefault(split, []).append((number, path))
        if found:
            # Pattern by pattern; what two patterns find is there twice, as it is for them.
            return {split: [path for _, path in sorted(found[split])] for split in in_order(found)}
    return {}


def loaded_splits(paths: Iterable[str]) -> Splits:
    """Return what `load_dataset` loads of a folder that has no `configs` in its README."""
    known = list(paths)
    splits = named_splits(known) or {"train": sorted(path for path in known if _is_seen(path))}
    readers = {split: _reader(members) for split, members in splits.items()}
    first = next(iter(readers.values()))
    if first is None or any(reader != first for reader in readers.values()):
        return splits  # `datasets` refuses it; so nothing is left out
    return {
        split: [path for path in members if _is_loaded_by(path, first[0])]
        for split, members in splits.items()
    }


def in_order(splits: Iterable[str]) -> list[str]:
    """Return names of splits in the hub's order: train, validation, test, then the others."""
    names = list(dict.fromkeys(splits))
    return [*(name for name in _WORDS if name in names), *sorted(set(names) - _WORDS.keys())]


def reader(path: str) -> str | None:
    """Return which reader of `datasets` may load a file, such as `csv` for `x.csv.gz`; or None."""
    for part in path.rpartition("/")[2].split(".")[1:]:
        if (found := _reader_of("." + part.lower())) is not None:
            return found[0]
    return None


def split_name(split: str) -> str:
    """Return a split's name as `datasets` allows it: words joined by dots."""
    if _SPLIT_NAME.fullmatch(split):
        return split
    return re.sub(r"\W+", "_", split)


def find_matches(pattern: str, paths: Sequence[str]) -> list[str]:
    """Return the files that a pattern of `data_files` finds, in order of their paths.

    Args:
        pattern: with `*`, `?` and `[...]` within a name, and `**` for any number of folders.
        paths: files of the folder, relative to it, sorted.
    """
    parts = [part for part in pattern.split("/") if part not in ("", ".")] or [""]
    rule = _compile("/".join(parts))
    hidden, special = _hidden(parts), _special(parts)
    start = re.split(r"[*?[]", "/".join(parts), maxsplit=1)[0]
    first = bisect_left(paths, start)
    # Sorted: all that begin alike stand together.
    near = takewhile(lambda path: path.startswith(start), islice(paths, first, None))
    return [
        path
        for path in near
        if rule.fullmatch(path)
        and (path.rpartition("/")[2] not in _IGNORED or path.rpartition("/")[2] == parts[-1])
        and _hidden(path.split("/")) == hidden
        and _special(path.split("/")) == special
    ]


def escape(path: str) -> str:
    """Return the pattern that finds only `path`."""
    return path.replace("[", "[[]")


def mapped(splits: Mapping[str, Sequence[str]], names: Mapping[str, str]) -> Splits:
    """Return splits with each path replaced by its new name."""
    return {split: [names[path] for path in members] for split, members in splits.items()}


def _is_seen(path: str) -> bool:
    if "/." in path or "__" in path or path[0] == ".":
        parts = path.split("/")
        if _hidden(parts) or _special(parts):
            return False
    return path.rpartition("/")[2] not in _IGNORED


def _hidden(parts: Sequence[str]) -> int:
    return sum(part.startswith(".") for part in parts)


def _special(parts: Sequence[str]) -> int:
    return sum(part.startswith("__") for part in parts[:-1])


def _folder_patterns(path: str) -> tuple[tuple[str, int], ...]:
    return _patterns_of_folder(path.rpartition("/")[0])


@lru_cache(maxsize=1 << 16)
def _patterns_of_folder(folder: str) -> tuple[tuple[str, int], ...]:
    parts = folder.split("/")
    return tuple(
        (split, number)
        for split, rules in _FOLDER_RULES.items()
        for number, rule in enumerate(rules)
        if any(rule.fullmatch(part) for part in parts)
    )


def _name_patterns(path: str) -> list[tuple[str, int]]:
    name = path.rpartition("/")[2]
    if not _ANY_WORD.search(name):
        return []
    return [
        (split, number)
        for split, rules in _NAME_RULES.items()
        for number, rule in enumerate(rules)
        if rule.fullmatch(name)
    ]


def _rules(forms: Sequence[str]) -> dict[str, list[re.Pattern[str]]]:
    return {
        split: [
            re.compile(form.format(word=word, sep=_SEP), re.DOTALL)
            for word in words
            for form in forms
        ]
        for split, words in _WORDS.items()
    }


_FOLDER_RULES: Final = _rules(("{word}", "{word}{sep}.*", ".*{sep}{word}", ".*{sep}{word}{sep}.*"))
_NAME_RULES: Final = _rules(("{word}{sep}.*", ".*{sep}{word}{sep}.*"))
_ANY_WORD: Final = re.compile("|".join(word for words in _WORDS.values() for word in words))


def _reader(paths: Sequence[str]) -> tuple[str, str] | None:
    counts: Counter[tuple[str, bool]] = Counter()
    for path in paths:
        name = path.rpartition("/")[2]
        counts.update(("." + part.lower(), name in _METADATA) for part in name.split(".")[1:])

    def rank(entry: tuple[tuple[str, bool], int]) -> tuple[object, ...]:
        (suffix, is_metadata), count = entry
        return (not is_metadata, count, *(suffix == one for one in _FAVOURITES), suffix)

    for (suffix, _), _ in sorted(counts.items(), key=rank, reverse=True):
        if (reader := _reader_of(suffix)) is not None:
            return reader
    return None


@lru_cache(maxsize=1024)
def _reader_of(suffix: str) -> tuple[str, str] | None:
    if suffix in _READERS:
        return _READERS[suffix]
    kind = (mimetypes.guess_type("x" + suffix)[0] or "").partition("/")[0]
    return (kind, "") if kind in _MEDIA else None


def _is_loaded_by(path: str, reader: str) -> bool:
    name = path.rpartition("/")[2]
    if reader in _MEDIA and name in _METADATA:
        return True
    found = (_reader_of("." + part.lower()) for part in name.split(".")[1:])
    return any(one is not None and one[0] == reader for one in found)


@lru_cache(maxsize=4096)
def _compile(pattern: str) -> re.Pattern[str]:
    parts = pattern.split("/")
    if parts.count("**") > _MAX_ANY_FOLDERS:
        return _NOTHING  # it would take too long, and nobody writes that
    rule = ""
    for part in parts[:-1]:
        rule += "(?:[^/]+/)*" if part == "**" else _translate(part) + "/"
    rule += ".+" if parts[-1] == "**" else _translate(parts[-1])
    try:
        return re.compile(rule, re.DOTALL)
    except (re.error, OverflowError):
        return _NOTHING  # such as a range from z to a


def _translate(part: str) -> str:
    """Return the rule for one name.

    The pattern may come from a stranger, and a plain rule for many `*` takes for ever on some
    names. So the shortest text up to what follows a `*` is taken for good (as `fnmatch` does,
    whose `*` would cross a slash).
    """
    fixed = [_translate_fixed(piece) for piece in re.split(r"\*+", _shield(part))]
    if len(fixed) == 1:
        return fixed[0]
    middle = "".join(f"(?>[^/]*?{piece})" for piece in fixed[1:-1])
    return f"{fixed[0]}{middle}[^/]*{fixed[-1]}"


def _shield(part: str) -> str:
    # A star within brackets is a plain one.
    return re.sub(r"\[!?\]?[^]]*\]", lambda match: match[0].replace("*", "\0"), part)


def _translate_fixed(piece: str) -> str:
    rule, rest = "", piece
    while rest:
        char, rest = rest[0], rest[1:]
        end = rest.find("]", 2 if rest.startswith("!") else 1)
        if char == "?":
            rule += "[^/]"
        elif char == "[" and end > 0:
            chosen, rest = rest[:end], rest[end + 1 :]
            sign = "^/" if chosen.startswith("!") else ""
            inner = re.sub(r"([\\[^\]&~|])", r"\\\1", chosen.removeprefix("!"))
            rule += f"[{sign}{inner}]".replace("\0", "*")
        else:
            rule += re.escape(char)
    return rule
