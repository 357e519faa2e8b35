# SPDX-License-Identifier: Apache-2.0
"""One call that brings everything written so far in a file system onto its disk."""

import ctypes
import os
import re
import sys
from functools import cache
from typing import Any, Final

# Kinds of file systems (linux/magic.h) whose `syncfs` waits for their own disk. One that hands
# files on to somebody else (FUSE, a network) need not wait for them there: it is left out.
_LOCAL: Final = frozenset(
    {
        0xEF53,  # ext2, ext3, ext4
        0x58465342,  # XFS
        0x9123683E,  # Btrfs
        0xF2F52010,  # F2FS
        0x2FC12FC1,  # ZFS
        0xCA451A4E,  # bcachefs
        0x794C7630,  # overlay, which syncs the one below
        0x01021994,  # tmpfs
    }
)
_FIRST_TO_TELL: Final = (5, 8)
"""The Linux from which on `syncfs` returns an error when something could not be written."""


def sync_file_system(descriptor: int) -> bool:
    """Sync all that was written into a file system; wait until it is on disk.

    Args:
        descriptor: Of a folder in it, opened before anything of that was written: an error in
            between is told to those who had it open.

    Returns:
        False where that cannot be relied on, and nothing was done: each file is to be synced.

    Raises:
        OSError: Something could not be written.
    """
    libc = _libc()
    if libc is None:
        return False
    if not _is_local(libc, descriptor):
        return False
    if libc.syncfs(descriptor):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return True


@cache
def _libc() -> Any:
    """Return the C library where `syncfs` is there and tells of errors; else None."""
    release = re.match(r"(\d+)\.(\d+)", os.uname().release)
    if sys.platform != "linux" or release is None:
        return None
    if (int(release[1]), int(release[2])) < _FIRST_TO_TELL:
        return None
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        return libc if libc.syncfs and libc.fstatfs else None
    except (OSError, AttributeError):
        return None


def _is_local(libc: Any, descriptor: int) -> bool:
    # struct statfs begins with the kind, a long (on s390x an int), and has less than 256 bytes.
    answer = (ctypes.c_uint32 * 64)()
    if libc.fstatfs(descriptor, answer):
        return False
    kind = answer[0] if sys.byteorder == "little" else answer[1]
    return kind in _LOCAL
