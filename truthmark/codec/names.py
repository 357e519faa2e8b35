# SPDX-License-Identifier: Apache-2.0
"""Which paths a container may hold: those that every common file system writes as they are.

Packers and readers apply the same rules, so that whatever was packed can be extracted, and no
name from outside can reach beside the target folder, at a device, or fool a reader's eye.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from truthmark.errors import MalformedError

MAX_PATH_SIZE: Final = 1024
MAX_NAME_SIZE: Final = 240  # leaves room for a suffix within the usual 255 bytes
MAX_DEPTH: Final = 32
ADVICE: Final = "; rename it before packing"

# What Windows refuses in names; a backslash or a colon could leave the folder there.
_FORBIDDEN = re.compile(r'[<>:"|?*\\]')
# Devices on Windows, with or without a suffix; superscript digits count there.
_DEVICES: Final = {"con", "prn", "aux", "nul", "conin$", "conout$", "clock$"} | {
    port + digit for port in ("com", "lpt") for digit in "0123456789\u00b9\u00b2\u00b3"
}
# What most names are; they need no closer look, and a container may have a million.
_ORDINARY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(?<!\.)")
# Direction marks and invisible separators: a name must read as what it is.
_INVISIBLE: Final = frozenset(
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e"
    "\u2060\u2066\u2067\u2068\u2069\ufeff"
)


def check_path(path: str) -> str:
    """Return `path` if a container may hold it.

    Raises:
        MalformedError: the message names the rule that it breaks.
    """
    try:
        size = len(path.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise _refuse(path, "is not valid UTF-8") from error
    if not 0 < size <= MAX_PATH_SIZE:
        raise _refuse(path, f"has {size} bytes; 1 to {MAX_PATH_SIZE} are allowed")
    names = path.split("/")
    if len(names) > MAX_DEPTH:
        raise _refuse(path, f"has {len(names)} levels; {MAX_DEPTH} are allowed")
    for name in names:
        _check_name(path, name)
    return path


class PathSet:
    """Paths that can all be written into one folder."""

    def __init__(self, paths: Iterable[str] = ()) -> None:
        """Begin with `paths`; raises as `add` does."""
        self._files: dict[str, str] = {}
        self._folders: dict[str, str] = {}
        for path in paths:
            self.add(path)

    def add(self, path: str) -> None:
        """Check one more path.

        Raises:
            MalformedError: it is not allowed, differs from another at most in case or in Unicode
                form, or one of both would have to be a file and a folder.
        """
        check_path(path)
        key = fold_path(path)
        if key in self._files:
            raise _refuse(path, f"and {self._files[key]!r} would be the same file on some systems")
        if key in self._folders:
            raise _refuse(path, f"is a file, and a folder in {self._folders[key]!r}")
        self._files[key] = path
        parts = key.split("/")
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth])
            if folder in self._files:
                raise _refuse(self._files[folder], f"is a file, and a folder in {path!r}")
            self._folders.setdefault(folder, path)


def check_paths(paths: Iterable[str]) -> None:
    """Check every path, and that they can all be written into one folder.

    Raises:
        MalformedError: a path is not allowed, two of them differ at most in case or in Unicode
            form, or one would have to be a file and a folder.
    """
    PathSet(paths)


def check_split(split: str) -> str:
    """Return `split` if it is a split name as Hugging Face allows: word characters, dots, dashes.

    Raises:
        MalformedError: it is not.
    """
    if not re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,62}[A-Za-z0-9_])?", split):
        raise MalformedError(
            f"split: {split[:80]!r} is not a name; use letters, digits, dots and dashes"
        )
    return split


def _check_name(path: str, name: str) -> None:
    if _ORDINARY.fullmatch(name) and len(name) <= MAX_NAME_SIZE:
        if name.partition(".")[0].lower() in _DEVICES:
            raise _refuse(path, "has the name of a device")
        return
    if name in ("", ".", ".."):
        raise _refuse(path, "is absolute, has an empty part or climbs to a parent")
    if len(name.encode("utf-8")) > MAX_NAME_SIZE:
        raise _refuse(path, f"has a name of more than {MAX_NAME_SIZE} bytes")
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in name):
        raise _refuse(path, "has control characters")
    if not _INVISIBLE.isdisjoint(name):
        raise _refuse(path, "has invisible or direction-changing characters")
    if _FORBIDDEN.search(name):
        raise _refuse(path, 'has one of < > : " | ? * \\')
    if name[-1] in ". " or name[0] == " ":
        raise _refuse(path, "has a part that starts with a space or ends with a dot or space")
    if name.partition(".")[0].rstrip().casefold() in _DEVICES:
        raise _refuse(path, "has the name of a device")


def fold_path(path: str) -> str:
    """Return what paths have in common that are one file on some systems."""
    if path.isascii():
        return path.lower()
    # Normalised before and after: folding can denormalise (Unicode, section 3.13, D145).
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())


def _refuse(path: str, reason: str) -> MalformedError:
    shown = ascii(path if len(path) <= 120 else path[:117] + "...")
    return MalformedError(f"path: {shown} {reason}{ADVICE}")
