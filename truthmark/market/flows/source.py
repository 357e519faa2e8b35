# SPDX-License-Identifier: Apache-2.0
"""From a source to a packed folder, once: what an interrupted `list` packed is found again."""

import contextlib
import hashlib
import json
import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from truthmark import codec
from truthmark.codec.limits import is_packed
from truthmark.codec.walking import walk
from truthmark.config.files import write_atomically
from truthmark.errors import CodecError, ConfigError
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import Version
from truthmark.market.fetch import Fetcher
from truthmark.session import Session
from truthmark.types import Bar, Say, no_bar, quiet

Pack = Callable[..., "codec.Packed"]
"""Packs `(source, folder, previous=..., note=...)`, as `pack_dataset` does."""


class SaleSource:
    """Packs a source into a folder of its own, or finds what an earlier run packed.

    Args:
        session: Whose home and vault are used.
        source: What is sold: a folder that was packed, or data if `pack` is given.
        place: Where it is packed, if that was said.
        options: How it is packed; another way makes another folder.
        pack: Packs it.
        say: Told what happens.
        bar: Shows how far fetching an older version is.
    """

    def __init__(
        self,
        session: Session,
        source: Path,
        place: Path | None = None,
        options: Mapping[str, Any] | None = None,
        pack: Pack | None = None,
        say: Say = quiet,
        bar: Bar = no_bar,
    ) -> None:
        self._session = session
        self._source = source
        self._packed = place
        self._options = options or {}
        self._pack = pack
        self._say = say
        self._bar = bar
        self._chosen: Path | None = None

    def find(self, siblings: Sequence[Version]) -> Path | None:
        """Return the packed folder: the source itself, or what an earlier run made of it, if any.

        Args:
            siblings: The listing's versions if this is an update of it, the newest first.

        Raises:
            ConfigError: The folder is there, but made of something else.
        """
        if self._pack is None or is_packed(self._source):
            return self._source
        if len(siblings) > 1:
            # An update that was listed, and interrupted only then, is the newest version by now.
            for listed in self._candidates(siblings[1]):
                if not listed.exists():
                    break
                if self._is_made_here(listed, siblings[1]):
                    key = codec.read_manifest(listed).public_key
                    if key == siblings[0].terms.public_key:
                        return self._going_on(listed)
        previous = siblings[0] if siblings else None
        other = None
        for folder in self._candidates(previous):
            if not folder.exists() or (self._packed is not None and not is_packed(folder)):
                self._chosen = folder
                break
            if self._is_made_here(folder, previous):
                return self._going_on(folder)
            other = folder
        if other is not None and self._chosen is None:
            packed = f"{other} is packed already, maybe of other data or with other options; "
            raise ConfigError(
                f"{packed}go on with `truthmark list {other} …`, or give another place with "
                "--packed",
                page=f"{packed}list that folder, or choose another place",
            )
        if other is not None:
            self._tell_beside(other, previous)
        return None

    def _tell_beside(self, other: Path, previous: Version | None) -> None:
        """Say what lies where this would have been packed, where it goes, and what to do."""
        listed = self._listed_as(other)
        what = self._difference(other, previous)
        whose = f", listed as {listed.ref}" if listed is not None else ", not listed yet"
        self._say(f"{other} holds {what}{whose}; this is packed beside it, into {self._chosen}")
        if previous is not None:
            return
        if listed is None:
            line = f"`truthmark list {shlex.quote(str(other))} …`"
            self._say(f"to list what was packed there: {line}")
        else:
            number = listed.ref.partition("@")[0]
            self._say(
                f"it becomes a data set of its own, with a key of its own, and {listed.ref} stays "
                f"as it is; to make it the next version of {number}, stop here (Ctrl-C) and "
                f"list it as an update of {number}"
            )

    def _listed_as(self, folder: Path) -> Version | None:
        """Return what a packed folder is listed as; None if it is not."""
        with contextlib.suppress(CodecError, OSError):
            digest = codec.read_manifest(folder).digest
            for version in Catalogue.of(self._session).versions():
                if version.terms.manifest == digest:
                    return version
        return None

    def _difference(self, folder: Path, previous: Version | None) -> str:
        """Return in words how what was packed into a folder differs from what is packed now."""
        before, now = self._read_record(folder), self._describe(previous)
        if before.get("source") is None:
            return "something else"
        if before["source"] != now["source"]:
            return "other data of the same name"
        if before.get("files") != now["files"]:
            return f"{self._source} as it was before it changed"
        known, wanted = before.get("how"), now["how"]
        if not isinstance(known, dict):
            return "the same data with other options"
        names = sorted(name for name in wanted if known.get(name) != wanted[name])
        options = ", ".join("--" + name.replace("_", "-") for name in names)
        return f"the same data with another {options}" if names else "the same data"

    def _candidates(self, previous: Version | None) -> Iterator[Path]:
        """Yield the places where it may be, up to a free one: a name may be taken by other data."""
        first = self._folder(previous)
        yield first
        if self._packed is None:
            for number in count(2):
                yield first.with_name(f"{first.name}-{number}")

    def pack(self, previous: Version | None) -> Path:
        """Pack the source, and remember what it was."""
        assert self._pack is not None  # else `find` has returned the source
        session, folder = self._session, self._chosen or self._folder(previous)
        older = None
        if previous is not None:
            with self._bar("fetching the version before", "bytes") as progress:
                older = Fetcher(session).fetch(previous, progress)
        # Before it is read: what changes meanwhile is not what was packed.
        description = self._describe(previous)
        record = self._record(folder)

        def note(manifest: "codec.Manifest") -> None:
            # Before the folder is there: a kill in between must not leave one that nobody knows.
            record.parent.mkdir(parents=True, exist_ok=True)
            content = {**description, "manifest": str(manifest.cid)}
            write_atomically(record, json.dumps(content).encode())

        made = self._pack(self._source, folder, previous=older, note=note)
        self._say(f"packed into {made.folder}")
        return made.folder

    def _folder(self, previous: Version | None) -> Path:
        if self._packed is not None:
            return self._packed
        name = self._source.resolve().stem or "dataset"
        if previous is not None:
            name += f"-v{previous.number + 1}"
        return self._session.home / "packed" / name

    def _record(self, folder: Path) -> Path:
        name = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()
        return self._session.home / "sources" / f"{name[:32]}.json"

    def _is_made_here(self, folder: Path, previous: Version | None) -> bool:
        """Whether this command packed just this source into a folder, and nothing changed since."""
        record = self._read_record(folder)
        if not is_packed(folder) or not record:
            return False
        description = self._describe(previous)
        # Not `how`, which older releases did not note.
        names = description.keys() - {"how"}
        made = record.get("manifest") == str(codec.read_manifest(folder).cid)
        return made and all(record.get(name) == description[name] for name in names)

    def _read_record(self, folder: Path) -> dict[str, Any]:
        """Return what was noted when a folder was packed; nothing if it was not packed here."""
        try:
            record = json.loads(self._record(folder).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return record if isinstance(record, dict) else {}

    def _describe(self, previous: Version | None) -> dict[str, Any]:
        """Return what a packed folder is made of, as JSON values; files by size and time."""
        how = {name: value for name, value in self._options.items() if name != "processes"}
        return {
            "source": os.fsencode(self._source.resolve()).hex(),
            "files": _fingerprint(self._source.resolve(), self._options),
            "options": _digest(how),
            "how": {name: _digest(value) for name, value in how.items()},
            "previous": None if previous is None else "0x" + previous.terms_id.hex(),
        }

    def _going_on(self, folder: Path) -> Path:
        self._say(f"going on with {folder}, which was packed before")
        return folder


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _fingerprint(source: Path, options: Mapping[str, Any]) -> str:
    """Return a digest of the sizes and times of all files to pack, which are not read.

    With their inodes: a file that was put in place of another one may have its size and time.
    """
    found = hashlib.sha256()
    files = {"": source}
    if source.is_dir():
        files = walk(source, follow_links=options["follow_links"], hidden=options["hidden"]).files
    for path, file in files.items():
        found.update(os.fsencode(path) + b"\0")
        known = file.stat()
        found.update(f"{known.st_size} {known.st_mtime_ns} {known.st_ino}\0".encode())
    return found.hexdigest()
