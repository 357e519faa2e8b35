# SPDX-License-Identifier: Apache-2.0
"""Finds the files of a folder, and tells what of it a container cannot hold."""

import errno
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from truthmark.errors import CodecError


@dataclass
class Found:
    """What is in a folder.

    Attributes:
        files: where each file is read, links followed, by its path in the folder.
        hidden: hidden files and folders that were left out.
        empty: folders without a file.
        outside: links that lead out of the folder and were followed.
    """

    files: dict[str, Path] = field(default_factory=dict)
    hidden: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)


def walk(folder: Path, *, follow_links: bool = False, hidden: bool = False) -> Found:
    """Find all files below `folder`.

    Args:
        folder: where to look; links on the way to it are followed.
        follow_links: take what links point to, wherever that is.
        hidden: take files and folders whose names begin with a dot.

    Raises:
        CodecError: there is a link and `follow_links` is not set, a link that leads nowhere or to
            a folder that holds it, something that is neither file nor folder, or something that
            cannot be read; the message names it.
    """
    root = folder.resolve()
    found = Found()
    _walk(root, "", (), found, root, follow_links, hidden)
    return found


def _walk(
    folder: Path,
    prefix: str,
    above: tuple[tuple[int, int], ...],
    found: Found,
    root: Path,
    follow_links: bool,
    hidden: bool,
) -> None:
    known = folder.stat()
    identity = (known.st_dev, known.st_ino)
    if identity in above:
        raise CodecError(f"{root / prefix} is a link to a folder that holds it; remove it")
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
    except OSError as error:
        raise CodecError(f"{folder} cannot be read: {error.strerror}") from error
    if not names:
        found.empty.append(prefix.rstrip("/") or ".")
    for name in names:
        path, place = prefix + name, folder / name
        if name.startswith(".") and not hidden:
            found.hidden.append(path)
            continue
        mode = place.lstat().st_mode
        if stat.S_ISLNK(mode):
            place = _follow(place, root / path, follow_links)
            if not place.is_relative_to(root):
                found.outside.append(path)
            mode = place.stat().st_mode
        if stat.S_ISDIR(mode):
            _walk(place, path + "/", (*above, identity), found, root, follow_links, hidden)
        elif stat.S_ISREG(mode):
            found.files[path] = place
        else:
            raise CodecError(f"{root / path} is neither a file nor a folder; remove it")


def _follow(link: Path, name: Path, follow_links: bool) -> Path:
    if not follow_links:
        # It could lead out of the folder and sell what its owner never meant to.
        raise CodecError(
            f"{name} is a link; pack what it points to with --follow-links "
            "(follow_links=True), or remove it",
            page=f"{name} is a link; have what links point to packed, or remove it",
        )
    try:
        return link.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        # Before Python 3.13 a loop is a RuntimeError.
        loop = isinstance(error, RuntimeError) or error.errno == errno.ELOOP
        why = "leads round in a loop" if loop else "leads nowhere"
        raise CodecError(f"{name} is a link that {why}; repair or remove it") from error
