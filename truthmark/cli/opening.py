# SPDX-License-Identifier: Apache-2.0
"""Writing what was bought into a folder, so that doing it again after a kill does no harm."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from truthmark.errors import ConfigError
from truthmark.types import Progress

if TYPE_CHECKING:
    from truthmark.codec import Container
    from truthmark.market.catalogue import Version
    from truthmark.market.session import Session


def is_opened(session: "Session", version: "Version", folder: Path, kind: str) -> bool:
    """Whether `write_out` has put this version there, in this format, and nobody changed it."""
    try:
        known = json.loads(_record(session, version).read_text(encoding="utf-8"))
        return bool(known == _identity(folder, kind))
    except (OSError, ValueError):
        return False


def require_free(folder: Path) -> None:
    """Refuse a folder that cannot be made.

    Raises:
        ConfigError: There is something already, or nothing can be written there.
    """
    if folder.is_symlink() or (folder.exists() and not _is_empty(folder)):
        raise ConfigError(f"{folder} exists already; choose another folder or remove it")
    above = next(path for path in folder.absolute().parents if path.exists())
    try:
        # Rights alone do not tell: the disk may be full, or of a kind that takes no files.
        tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=above).cleanup()
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be made ({error.strerror}); choose another folder"
        ) from error


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def write_out(
    session: "Session",
    version: "Version",
    container: "Container",
    folder: Path,
    kind: Any,
    progress: Progress | None,
) -> None:
    """Extract a container into `folder`, which appears whole or not at all.

    The new folder is recorded before it gets its final name. So a command that is repeated after a
    kill can tell what it wrote itself from what somebody else has put there.
    """
    from truthmark.config import write_atomically

    # Symbolic links on the way are the user's.
    folder = folder.parent.resolve() / folder.name
    made = folder.with_name(f".{folder.name}.opened")
    if made.exists():
        shutil.rmtree(made)
    container.extract(made, kind, progress=progress)
    record = _record(session, version)
    record.parent.mkdir(exist_ok=True)
    write_atomically(record, json.dumps(_identity(made, kind)).encode())
    made.rename(folder)


def _identity(folder: Path, kind: str) -> dict[str, Any]:
    """Return what stays when a folder is renamed, and changes when something in it does."""
    found = folder.stat()
    return {
        "format": kind,
        "device": found.st_dev,
        "inode": found.st_ino,
        "changed": found.st_mtime_ns,
    }


def _record(session: "Session", version: "Version") -> Path:
    return session.home / "opened" / f"{version.terms_id.hex()}.json"
