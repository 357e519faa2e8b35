# SPDX-License-Identifier: Apache-2.0
"""From a source to a packed folder, once: what an interrupted `list` packed is found again."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from truthmark.cli.dataset import is_packed, pack_source
from truthmark.cli.output import info, progress_bar
from truthmark.errors import ConfigError

if TYPE_CHECKING:
    from truthmark.codec import Manifest
    from truthmark.market.catalogue import Version
    from truthmark.market.session import Session


class Packing:
    """Packs a source into a folder of its own, or finds what an earlier run packed.

    Args:
        session: Whose home and vault are used.
        source: A file or folder of data.
        packed: Where it is packed, if that was said.
        options: Those of `pack_options`.
    """

    def __init__(
        self, session: "Session", source: Path, packed: Path | None, options: dict[str, Any]
    ) -> None:
        self._session = session
        self._source = source
        self._packed = packed
        self._options = options
        self._chosen: Path | None = None

    def find(self, siblings: "Sequence[Version]") -> Path | None:
        """Return the folder into which an earlier run of this command packed, if there is one.

        Args:
            siblings: The listing's versions if this is an update of it, the newest first.

        Raises:
            ConfigError: The folder is there, but made of something else.
        """
        from truthmark.codec import read_manifest

        if len(siblings) > 1:
            # An update that was listed, and interrupted only then, is the newest version by now.
            for listed in self._candidates(siblings[1]):
                if not listed.exists():
                    break
                if self._is_made_here(listed, siblings[1]):
                    key = read_manifest(listed).public_key
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
            raise ConfigError(
                f"{other} is packed already, maybe of other data or with other options; go on "
                f"with `truthmark list {other} …`, or give another place with --packed"
            )
        if other is not None:
            info(
                f"{other} holds other data, or the same with other texts; this is packed beside it"
            )
        return None

    def _candidates(self, previous: "Version | None") -> Iterator[Path]:
        """Yield the places where it may be, up to a free one: a name may be taken by other data."""
        first = self._folder(previous)
        yield first
        if self._packed is None:
            for number in count(2):
                yield first.with_name(f"{first.name}-{number}")

    def pack(self, previous: "Version | None", *, yes: bool) -> Path:
        """Pack the source, and remember what it was."""
        from truthmark.config import write_atomically
        from truthmark.market.buyer import Buyer

        session, folder = self._session, self._chosen or self._folder(previous)
        older = None
        if previous is not None:
            with progress_bar("fetching the version before") as progress:
                older = Buyer(session).fetch(previous, progress)
        # Before it is read: what changes meanwhile is not what was packed.
        description = self._describe(previous)
        record = self._record(folder)

        def note(manifest: "Manifest") -> None:
            # Before the folder is there: a kill in between must not leave one that nobody knows.
            record.parent.mkdir(parents=True, exist_ok=True)
            content = {**description, "manifest": str(manifest.cid)}
            write_atomically(record, json.dumps(content).encode())

        made = pack_source(
            self._source,
            folder,
            session.vault,
            self._options,
            yes=yes,
            previous=older,
            note=note,
        )
        info(f"packed into {made.folder}")
        return made.folder

    def _folder(self, previous: "Version | None") -> Path:
        if self._packed is not None:
            return self._packed
        name = self._source.resolve().stem or "dataset"
        if previous is not None:
            name += f"-v{previous.number + 1}"
        return self._session.home / "packed" / name

    def _record(self, folder: Path) -> Path:
        name = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()
        return self._session.home / "sources" / f"{name[:32]}.json"

    def _is_made_here(self, folder: Path, previous: "Version | None") -> bool:
        """Whether this command packed just this source into a folder, and nothing changed since."""
        from truthmark.codec import read_manifest

        try:
            record = json.loads(self._record(folder).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        if not is_packed(folder) or not isinstance(record, dict):
            return False
        made = record.pop("manifest", None) == str(read_manifest(folder).cid)
        return made and record == self._describe(previous)

    def _describe(self, previous: "Version | None") -> dict[str, Any]:
        """Return what a packed folder is made of, as JSON values; files by size and time."""
        how = {name: value for name, value in self._options.items() if name != "processes"}
        return {
            "source": os.fsencode(self._source.resolve()).hex(),
            "files": _fingerprint(self._source.resolve(), self._options),
            "options": hashlib.sha256(json.dumps(how, sort_keys=True).encode()).hexdigest(),
            "previous": None if previous is None else "0x" + previous.terms_id.hex(),
        }

    def _going_on(self, folder: Path) -> Path:
        info(f"going on with {folder}, which was packed before")
        return folder


def _fingerprint(source: Path, options: dict[str, Any]) -> str:
    """Return a digest of the sizes and times of all files to pack, which are not read.

    With their inodes: a file that was put in place of another one may have its size and time.
    """
    from truthmark.codec.walking import walk

    found = hashlib.sha256()
    files = {"": source}
    if source.is_dir():
        files = walk(source, follow_links=options["follow_links"], hidden=options["hidden"]).files
    for path, file in files.items():
        found.update(os.fsencode(path) + b"\0")
        known = file.stat()
        found.update(f"{known.st_size} {known.st_mtime_ns} {known.st_ino}\0".encode())
    return found.hexdigest()
