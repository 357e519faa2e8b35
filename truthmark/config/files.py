# SPDX-License-Identifier: Apache-2.0
"""Files that are written whole or not at all, and settings that are read."""

import os
import tempfile
import tomllib
from pathlib import Path
from typing import IO, Any

from truthmark.errors import ConfigError


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file by one with these bytes; a crash leaves the old file or the new one."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_path(path.parent)


def sync_path(path: Path) -> None:
    """Make a file, or the entries of a folder such as a renamed file's, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_lock(path: Path) -> IO[str]:
    """Open a file that stands for a lock; it is made if there is none.

    Raises:
        ConfigError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a+")
    except OSError as error:
        raise ConfigError(
            f"cannot write {path} ({error.strerror}); give rights to the home folder"
        ) from error


def read_toml(path: Path) -> dict[str, Any]:
    """Return what a file of settings says; nothing where there is none.

    Raises:
        ConfigError: It cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {path}: {error}; correct or remove it") from error
