# SPDX-License-Identifier: Apache-2.0
"""Where a picture or a sound ends: what comes behind it no reader looks at.

A picture of a few bytes opens, whatever stands behind it. Some cameras put a film or a second
picture there, so it is not wrong; but nothing tells what it is.
"""

import re
from typing import Final

_MARKER: Final = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
"""In the data of a JPEG: no stuffed zero, and no mark by which a reader finds its place again."""
_EOI: Final = 0xD9
_ALONE: Final = frozenset({0x01, 0xD8})
_MOST: Final = 200_000
"""Blocks of a file that are gone through; in one of more nothing is said to be behind its end."""


def bytes_behind(kind: str, data: bytes) -> int:
    """Return how many bytes stand behind the end of a file that opens; 0 where that is not known.

    Args:
        kind: what it opens as, as `media.kind_of` returns it.
        data: the file.
    """
    end = _ENDS[kind](data) if kind in _ENDS else None
    return 0 if end is None else max(0, len(data) - end)


def _png(data: bytes) -> int | None:
    at = 8
    for _ in range(_MOST):
        if at + 12 > len(data):
            return None
        name, at = data[at + 4 : at + 8], at + 12 + int.from_bytes(data[at : at + 4], "big")
        if name == b"IEND":
            return at
    return None


def _jpeg(data: bytes) -> int | None:
    at = 2
    for _ in range(_MOST):
        # Between segments there is nothing else, and in data the next mark is looked for.
        found = _MARKER.search(data, at)
        if found is None:
            return None
        mark, at = found[1][0], found.end()
        if mark == _EOI:
            return at
        if mark in _ALONE:
            continue
        at += int.from_bytes(data[at : at + 2], "big")
    return None


def _riff(data: bytes) -> int | None:
    size = int.from_bytes(data[4:8], "little")
    # Recorders that could not go back leave a length of nothing or of everything.
    if data[:4] != b"RIFF" or size in (0, 0xFFFFFFFF):
        return None
    return 8 + size + size % 2


def _gif(data: bytes) -> int | None:
    at = 13 + _colours(data[10:11])
    for _ in range(_MOST):
        block = data[at : at + 1]
        if block == b";":
            return at + 1
        if block == b"!":
            at += 2
        elif block == b",":
            at += 11 + _colours(data[at + 9 : at + 10])
        else:
            return None
        while size := data[at] if at < len(data) else 0:
            at += 1 + size
        at += 1
    return None


def _colours(flags: bytes) -> int:
    """Return the bytes of a table of colours."""
    return 3 << ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0


_ENDS: Final = {"PNG": _png, "JPEG": _jpeg, "GIF": _gif, "WEBP": _riff, "WAV": _riff}
