# SPDX-License-Identifier: Apache-2.0
"""Folders and lists of files as items: pictures as copies, sounds and texts as they are."""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

from truthmark.bounty.document import Kind
from truthmark.bounty.items import MAX_ITEM, Item, Media
from truthmark.bounty.sources import pictures
from truthmark.bounty.sources.found import Found, ItemSource
from truthmark.codec.walking import walk
from truthmark.errors import BountyError, ConfigError

SOUNDS: Final = {
    ".mp3": Media.MP3,
    ".ogg": Media.OGG,
    ".oga": Media.OGG,
    ".opus": Media.OGG,
    ".wav": Media.WAV,
    ".flac": Media.FLAC,
}
TEXTS: Final = frozenset({".txt", ".md"})

_WORKERS: Final = min(4, os.cpu_count() or 1)
_AHEAD: Final = 2 * _WORKERS
"""Files that are worked on at once; more would only fill the memory."""


class FileSource(ItemSource):
    """Files of one kind.

    Args:
        files: By name, where each is.
        kind: What they are: image, audio or text.
        skipped: What else was there.
    """

    def __init__(
        self, files: Sequence[tuple[str, Path]], kind: Kind, skipped: Sequence[str] = ()
    ) -> None:
        """Look at the files' sizes and times; none is read yet.

        Raises:
            ConfigError: Pictures cannot be read here, or this kind is no kind of file.
        """
        if kind not in _READERS:
            raise ConfigError(f"files are image, audio or text, not {kind}; name a table instead")
        if kind == "image":
            pictures.require_pillow()
        self.kind = kind
        self.total = len(files)
        self.skipped = list(skipped)
        self._files = list(files)
        self.fingerprint = _fingerprint(files)

    def __iter__(self) -> Generator[Found, None, None]:
        """Yield the files in their order; several are read ahead."""
        read = _READERS[self.kind]
        with ThreadPoolExecutor(_WORKERS) as pool:
            running: deque[Future[Found]] = deque()
            try:
                for name, path in self._files:
                    running.append(pool.submit(read, name, path))
                    if len(running) >= _AHEAD:
                        yield running.popleft().result()
                while running:
                    yield running.popleft().result()
            finally:
                for future in running:
                    future.cancel()


def folder_source(folder: Path, kind: Kind | None = None) -> FileSource:
    """Return the files of a folder and of those in it, by path.

    Args:
        folder: Hidden files in it are left out.
        kind: What is labeled; what most files are, if not given.

    Raises:
        BountyError: There is no such file.
        ConfigError: Pictures cannot be read here.
        CodecError: The folder cannot be read, or has links.
    """
    files = walk(folder).files
    kind = kind or _most(files)
    suffixes = _SUFFIXES.get(kind, frozenset())
    chosen = [(name, path) for name, path in files.items() if _suffix(name) in suffixes]
    if not chosen:
        raise BountyError(f"{folder} has no {kind} files; name the right folder, or a table")
    left = [name for name in files if _suffix(name) not in suffixes]
    return FileSource(chosen, kind, left)


def listed_source(table: Path, paths: Sequence[str], kind: Kind) -> FileSource:
    """Return files that a table lists, by the paths as they stand there.

    Args:
        table: Relative paths begin at its folder.
        paths: Of the files.
        kind: What they are.

    Raises:
        BountyError: A path leads out of the table's folder.
        ConfigError: Pictures cannot be read here.
    """
    folder = table.resolve().parent
    files = []
    for text in paths:
        path = folder / text
        if Path(text).is_absolute() or not path.resolve().is_relative_to(folder):
            raise BountyError(
                f"{text} leads out of {folder}, which a table must not; put the files beside it"
            )
        files.append((text, path))
    return FileSource(files, kind)


def kind_of(name: str) -> Kind | None:
    """Return what a file is, by its suffix."""
    return next((kind for kind, known in _SUFFIXES.items() if _suffix(name) in known), None)


def _read_picture(name: str, path: Path) -> Found:
    try:
        copy = pictures.copy_of(path, name)
    except pictures.PictureError as error:
        return Found(name, None, str(error))
    return Found(name, copy.item, has_place=copy.has_place)


def _read_sound(name: str, path: Path) -> Found:
    media = SOUNDS.get(_suffix(name))
    if media is None:
        return Found(name, None, "is no sound; use MP3, Ogg, WAV or FLAC")
    return _read(name, path, lambda data: Item(media, data))


def _read_text(name: str, path: Path) -> Found:
    def item(data: bytes) -> Item:
        return Item.of_text(data.decode("utf-8-sig"))

    return _read(name, path, item)


def _read(name: str, path: Path, make: Callable[[bytes], Item]) -> Found:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_ITEM)
        if not data.strip():
            return Found(name, None, "is empty")
        if len(data) >= MAX_ITEM:
            return Found(name, None, f"has {MAX_ITEM >> 20} MiB or more; make it smaller")
        return Found(name, make(data))
    except OSError as error:
        return Found(name, None, f"cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        return Found(name, None, "is no text in UTF-8")


_READERS: Final[dict[Kind, Callable[[str, Path], Found]]] = {
    "image": _read_picture,
    "audio": _read_sound,
    "text": _read_text,
}
_SUFFIXES: Final[dict[Kind, frozenset[str]]] = {
    "image": pictures.SUFFIXES,
    "audio": frozenset(SOUNDS),
    "text": TEXTS,
}


def _suffix(name: str) -> str:
    return Path(name).suffix.lower()


def _most(files: dict[str, Path]) -> Kind:
    kinds = [kind for name in files if (kind := kind_of(name)) is not None]
    return max(("image", "audio", "text"), key=kinds.count)


def _fingerprint(files: Sequence[tuple[str, Path]]) -> str:
    """Return a digest of names, sizes and times; with inodes, as one may replace another."""
    found = hashlib.sha256()
    for name, path in files:
        found.update(os.fsencode(name) + b"\0")
        try:
            known = path.stat()
        except OSError:
            continue  # said when it is read
        found.update(f"{known.st_size} {known.st_mtime_ns} {known.st_ino}\0".encode())
    return found.hexdigest()
