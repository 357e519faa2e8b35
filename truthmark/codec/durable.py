# SPDX-License-Identifier: Apache-2.0
"""Folders and files that appear whole or not at all."""

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from truthmark.codec import barrier
from truthmark.config.files import sync_path
from truthmark.errors import CodecError, ConfigError

MANY_FILES: Final = 64
"""From so many on they are synced together."""


@contextlib.contextmanager
def new_folder(target: Path, finished: Callable[[], None] | None = None) -> Iterator[Path]:
    """Give a temporary folder that becomes `target` when the block ends without an error.

    The folder stands beside the target, so that one rename moves it; everything in it is synced
    first. A process that dies leaves only the temporary folder, which the next call for the same
    target removes (a lock tells it from that of a process still at work).

    Args:
        target: the folder.
        finished: called when all is synced, just before the folder gets its name; what it raises
            abandons the folder.

    Raises:
        ConfigError: `target` exists and is not an empty folder.
        CodecError: the disk is full or refuses, with the reason.
    """
    # Symbolic links on the way are the user's; one at the end would be replaced.
    target = target.parent.resolve() / target.name
    if target.is_symlink() or (target.exists() and not _is_empty_folder(target)):
        raise ConfigError(f"{target} exists already; choose another folder or remove it")
    with _readable(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(target)
        folder = target.parent / f"{_prefix(target)}{secrets.token_hex(8)}"
        folder.mkdir(mode=0o700)
    try:
        with _readable(target), _locked(folder) as descriptor:
            yield folder
            sync_tree(folder, descriptor)
            folder.chmod(0o755 & ~_umask())
            if finished is not None:
                finished()
            folder.rename(target)
            sync_path(target.parent)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def sync_tree(folder: Path, descriptor: int) -> None:
    """Fsync every file and folder below and including `folder`.

    Where there are many, all at once: an fsync each takes a journal's turn each, which is minutes
    for a hundred thousand small files.

    Args:
        folder: on one file system.
        descriptor: of the folder, open since before anything was written.
    """
    folders = {Path(parent): names for parent, _, names in os.walk(folder)}
    count = len(folders) + sum(len(names) for names in folders.values())
    if count >= MANY_FILES and barrier.sync_file_system(descriptor):
        return
    for parent, names in folders.items():
        for name in names:
            sync_path(parent / name)
        sync_path(parent)


def write_file(path: Path, data: bytes) -> None:
    """Write a new file; `new_folder` syncs it."""
    with path.open("xb") as file:
        file.write(data)


@contextlib.contextmanager
def _readable(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if isinstance(error, CodecError) or error.errno not in (
            errno.ENOSPC,
            errno.EDQUOT,
            errno.EFBIG,
            errno.EIO,
            errno.EACCES,
            errno.EROFS,
            errno.EPERM,
        ):
            raise
        raise CodecError(
            f"{target} could not be written ({error.strerror}); nothing was left there, "
            "make room or choose another place"
        ) from error


def _prefix(target: Path) -> str:
    return f".{target.name}.partial-"


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and next(path.iterdir(), None) is None


def _remove_abandoned(target: Path) -> None:
    for folder in target.parent.glob(f"{_escape(_prefix(target))}*"):
        with contextlib.suppress(OSError), _locked(folder):
            shutil.rmtree(folder)


def _escape(name: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in name)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[int]:
    # The kernel drops the lock when the process dies, however it dies.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield descriptor
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
