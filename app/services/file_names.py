# SPDX-License-Identifier: Apache-2.0
"""Names of files that a browser sent: whatever they are, a file of its own in one folder."""

from collections.abc import Collection
from typing import Final

from truthmark.codec.names import fold_path

_FORBIDDEN: Final = '<>:"|?*\\'
_MOST_BYTES: Final = 120
_MOST_SUFFIX: Final = 12


def file_name(name: str, nameless: str, taken: Collection[str] = (), number: int = 0) -> str:
    """Return a name that any system takes, for one that a browser gave.

    Folders, what cannot be printed, and dots before it, which would hide it, are left out; a long
    name is cut before its suffix.

    Args:
        name: As it came.
        nameless: Stands for a name of which nothing is left.
        taken: Names, as `fold_path` has them, that it may not have.
        number: Put in front of one that is taken.
    """
    last = name.replace("\\", "/").rpartition("/")[2]
    plain = "".join(c for c in last if c.isprintable() and c not in _FORBIDDEN).strip(". ")
    stem, dot, suffix = plain.rpartition(".")
    if not stem or len(suffix) > _MOST_SUFFIX:
        stem, dot, suffix = plain, "", ""
    stem = stem.encode()[:_MOST_BYTES].decode(errors="ignore").strip(". ") or nameless
    found = f"{stem}{dot}{suffix}"
    while fold_path(found) in taken:
        found = f"{number}-{found}"
    return found
