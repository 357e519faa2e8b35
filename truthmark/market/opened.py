# SPDX-License-Identifier: Apache-2.0
"""Writing what was bought into a folder, so that doing it again after a kill does no harm."""

import contextlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

from truthmark import codec
from truthmark.codec.limits import DATA_NAME
from truthmark.config.files import write_atomically
from truthmark.errors import ConfigError
from truthmark.market.entries import Version
from truthmark.market.fetch import Fetcher
from truthmark.session import Session
from truthmark.text import format_size
from truthmark.types import Progress

_MAX_PLACES = 20

_MIXED: Final = "parquet, some tables arrow"


def is_opened(session: Session, version: Version, folder: Path, kind: str | None) -> bool:
    """Whether `write_out` has put this version there, in this format, and nobody changed it."""
    try:
        places = [known for _, known in _places(session, version)]
        kinds = [kind] if kind else ["parquet", _MIXED]
        return any(_identity(folder, kind) in places for kind in kinds)
    except OSError:
        return False


def opened_places(session: Session, version: Version) -> list[Path]:
    """Return the folders into which this version was opened and in which it still is."""
    found = []
    for path, known in _places(session, version):
        with contextlib.suppress(OSError):
            if _identity(path, str(known.get("format"))) == known:
                found.append(path)
    return found


def require_free(folder: Path) -> None:
    """Refuse a folder that cannot be made.

    Raises:
        ConfigError: There is something already, or nothing can be written there.
    """
    if folder.is_symlink() or (folder.exists() and not _is_empty(folder)):
        raise ConfigError(f"{folder} exists already; choose another folder or remove it")
    above = _above(folder.absolute())
    try:
        # Rights alone do not tell: the disk may be full, or of a kind that takes no files.
        tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=above).cleanup()
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be made ({error.strerror}); choose another folder"
        ) from error


def require_room(session: Session, version: Version, folder: Path) -> None:
    """Refuse a folder where, or a home in which, there is no room for a version.

    How much it takes as files is known only when it is open; what is encrypted is about as large.

    Raises:
        ConfigError: There is less room than that.
        StorageError: No storage has the manifest.
        CodecError: It is not a manifest, or contradicts the terms.
    """
    fetcher = Fetcher(session)
    needed, fetched = fetcher.manifest(version).size, fetcher.folder(version) / DATA_NAME
    here = fetched.stat().st_blocks * 512 if fetched.is_file() else 0
    wanted = [(_above(fetched), max(needed - here, 0)), (_above(folder.absolute()), needed)]
    for place, _ in wanted:
        # What is on the same disk adds up.
        disk = place.stat().st_dev
        total = sum(size for other, size in wanted if other.stat().st_dev == disk)
        free = shutil.disk_usage(place).free
        if free < total:
            raise ConfigError(
                f"{version.ref} takes {format_size(total)} or more, and there is room for "
                f"{format_size(free)} in {place}; free some, or name another folder"
            )


def _above(path: Path) -> Path:
    """Return the nearest folder above that exists."""
    return next(above for above in path.parents if above.exists())


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def write_out(
    session: Session,
    version: Version,
    container: "codec.Container",
    folder: Path,
    kind: Any,
    progress: Progress | None,
) -> list[str]:
    """Extract a container into a new folder, which appears whole or not at all.

    The new folder is recorded before it gets its final name. So a command that is repeated after a
    kill can tell what it wrote itself from what somebody else has put there.

    Args:
        session: Whose home keeps the record.
        version: What was bought.
        container: It, opened.
        folder: Where; see `require_free`.
        kind: The format of tables, as `codec.extract` takes it.
        progress: As there.

    Returns:
        What is to be said of tables that are in another format than expected.

    Raises:
        CodecError: A table cannot be written so, or a shard does not check.
    """
    # Symbolic links on the way are the user's.
    folder = folder.parent.resolve() / folder.name
    made = folder.with_name(f".{folder.name}.opened")
    if made.exists():
        shutil.rmtree(made)
    notes: list[str] = []
    codec.extract(container, made, kind, progress=progress, note=notes.append)
    written = kind or (_MIXED if notes else "parquet")
    places = [
        {"path": os.fsencode(path).hex(), "identity": known}
        for path, known in _places(session, version)
        if path != folder
    ][-_MAX_PLACES:]
    places.append({"path": os.fsencode(folder).hex(), "identity": _identity(made, written)})
    record = _record(session, version)
    record.parent.mkdir(exist_ok=True)
    write_atomically(record, json.dumps({"places": places}).encode())
    made.rename(folder)
    return notes


def _identity(folder: Path, kind: str) -> dict[str, Any]:
    """Return what stays when a folder is renamed, and changes when something in it does."""
    found = folder.stat()
    return {
        "format": kind,
        "device": found.st_dev,
        "inode": found.st_ino,
        "changed": found.st_mtime_ns,
    }


def _places(session: Session, version: Version) -> list[tuple[Path, dict[str, Any]]]:
    """Return what was noted of earlier openings: where, and what it was like."""
    try:
        noted = json.loads(_record(session, version).read_text(encoding="utf-8"))
        return [
            (Path(os.fsdecode(bytes.fromhex(entry["path"]))), entry["identity"])
            for entry in noted["places"]
        ]
    except (OSError, AttributeError, KeyError, TypeError, ValueError):
        return []


def _record(session: Session, version: Version) -> Path:
    return session.home / "opened" / f"{version.terms_id.hex()}.json"
