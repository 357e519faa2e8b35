# SPDX-License-Identifier: Apache-2.0
"""Files with secrets in them: readable by their owner alone, whole or not there at all."""

import errno
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from truthmark.config.files import sync_path
from truthmark.errors import KeysError

TEMPORARY_SUFFIX = ".partial"

_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP})
"""What a file system that has no hard links, such as a memory stick's, answers."""


def make_private_folder(folder: Path) -> None:
    """Create a folder and its missing parents, each for its owner alone.

    Raises:
        KeysError: It cannot be created.
    """
    missing = [part for part in (folder, *folder.parents) if not part.exists()]
    try:
        for part in reversed(missing):
            part.mkdir(mode=0o700, exist_ok=True)
            sync_path(part.parent)
    except OSError as error:
        raise KeysError(
            f"{folder} cannot be created ({error.strerror}); choose a folder of your own"
        ) from error


def save_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record as JSON that people may read into a new file, as `write_new` does.

    Raises:
        KeysError: There is such a file already, or it cannot be written.
    """
    try:
        write_new(path, (json.dumps(record, indent=2) + "\n").encode())
    except FileExistsError as error:
        raise KeysError(f"{path} exists and is left alone; choose another name") from error


def write_new(path: Path, data: bytes) -> None:
    """Write a file that must not exist yet, mode 0600, and return when it is on disk.

    After a kill or a power cut there is either the whole file or none (perhaps with a
    temporary file beside it, which nobody reads). Only a file system without hard links, such as
    that of a memory stick, can be left with a part of it.

    Raises:
        FileExistsError: There is such a file already, and it is on disk; it was left alone.
        KeysError: It cannot be written.
    """
    make_private_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}{TEMPORARY_SUFFIX}")
    try:
        _create(temporary, data)
        try:
            # Unlike a rename, a link never replaces what another process wrote meanwhile.
            os.link(temporary, path)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _create(path, data)
        finally:
            temporary.unlink()
            # Also where the file was there: its writer may have died before it came to this.
            sync_path(path.parent)
    except FileExistsError:
        raise
    except OSError as error:
        raise KeysError(
            f"{path} cannot be written ({error.strerror}); free some space or choose another place"
        ) from error


def _create(path: Path, data: bytes) -> None:
    """Write a file that must not exist yet to the disk; what cannot be finished is removed."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink()
        raise


def read_limited(path: Path, limit: int) -> bytes:
    """Return the bytes of a file that cannot be larger than `limit`.

    Raises:
        FileNotFoundError: There is no such file.
        KeysError: It cannot be read, or is larger.
    """
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise KeysError(f"{path} cannot be read ({error.strerror}); check its owner") from error
    if len(data) > limit:
        raise KeysError(f"{path} is larger than {limit} bytes; it is another kind of file")
    return data
