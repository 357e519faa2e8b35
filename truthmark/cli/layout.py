# SPDX-License-Identifier: Apache-2.0
"""Text for terminals of any width: wrapped lines, and tables that become lists where they must.

What is copied from here as a whole (ids, addresses, paths, commands' words) is never broken.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

NO_WIDTH = 10_000
"""Where nobody says how wide it is, as in a pipe."""

_LEAST_COLUMN = 8
_MOST_LINES = 3
"""Of a cell in columns."""
_WHOLE = re.compile(
    r"""[("']*(?:0x[0-9a-fA-F]+|baf[a-z2-7]{50,}|[0-9a-f]{40,})[)"',.;:]*|.*[/\\@:`].*"""
)
"""Of a word that is left whole however long it is."""


def cells(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.category(char) in ("Mn", "Me")
        else 2
        if unicodedata.east_asian_width(char) in "WF"
        else 1
        for char in text
    )


def wrap(text: str, width: int, first: str = "", rest: str | None = None) -> list[str]:
    """Break a text into lines.

    Args:
        text: On one line.
        width: Columns.
        first: Before the first line.
        rest: Before the others; as wide a space as `first` if not given.
    """
    rest = " " * cells(first) if rest is None else rest
    if cells(first) + cells(text) <= width:
        return [first + text]
    indent = max(cells(first), cells(rest))
    room = max(width - indent, _LEAST_COLUMN if indent else 1)
    lines: list[str] = []
    line = ""
    for word in _words(text, room):
        longer = f"{line} {word}" if line else word
        if line and cells(longer) > room:
            lines.append(line)
            line = word
        else:
            line = longer
    lines.append(line)
    return [(rest if i else first) + line for i, line in enumerate(lines)]


def _words(text: str, room: int) -> Iterator[str]:
    """Yield the words; those that are too long, and need not stay whole, in parts."""
    for word in text.split():
        if cells(word) <= room or _WHOLE.fullmatch(word):
            yield word
            continue
        part = ""
        for char in word:
            if part and cells(part + char) > room:
                yield part
                part = ""
            part += char
        yield part


def table_lines(rows: Iterable[Sequence[str]], head: Sequence[str], width: int) -> list[str]:
    """Lay rows out in columns; cells are wrapped, or each row becomes a list, where it is narrow.

    Args:
        rows: Cells, as many as in the head.
        head: Names of the columns.
        width: Columns of the terminal.
    """
    filled = [list(head), *map(list, rows)]
    widths = [max(cells(row[i]) for row in filled) for i in range(len(head))]
    least = [max(_least(row[i]) for row in filled) for i in range(len(head))]
    room = width - 2 * (len(head) - 1)
    if sum(least) > room:
        return _as_lists(filled[1:], head, width)
    while (over := sum(widths) - room) > 0:
        # The widest gives way first, down to the next one, as far as it can.
        widest = max((i for i in range(len(head)) if widths[i] > least[i]), key=lambda i: widths[i])
        next_one = max((w for i, w in enumerate(widths) if i != widest), default=0)
        step = max(1, min(over, widths[widest] - next_one))
        widths[widest] = max(least[widest], widths[widest] - step)
    lines = []
    for row in filled:
        wrapped = [wrap(cell, w) for cell, w in zip(row, widths, strict=True)]
        if max(map(len, wrapped)) > _MOST_LINES:
            return _as_lists(filled[1:], head, width)
        for level in range(max(map(len, wrapped))):
            texts = [part[level] if level < len(part) else "" for part in wrapped]
            padded = [t + " " * (w - cells(t)) for t, w in zip(texts, widths, strict=True)]
            lines.append("  ".join(padded).rstrip())
    return lines


def _least(cell: str) -> int:
    """Return the width below which a cell cannot go; short ones, such as amounts, stay whole."""
    if cells(cell) <= _LEAST_COLUMN:
        return cells(cell)
    longest = max((cells(word) for word in cell.split()), default=0)
    whole = max((cells(word) for word in cell.split() if _WHOLE.fullmatch(word)), default=0)
    return max(whole, min(longest, 2 * _LEAST_COLUMN))


def _as_lists(rows: Sequence[Sequence[str]], head: Sequence[str], width: int) -> list[str]:
    lines: list[str] = []
    for row in rows:
        pairs = [(name, cell) for name, cell in zip(head, row, strict=True) if cell]
        for i, line in enumerate(fact_lines(pairs, width - 2)):
            lines.append(("  " if i else "- ") + line)
    return lines


def fact_lines(pairs: Sequence[tuple[str, str]], width: int, indent: int = 0) -> list[str]:
    """Lay names out beside what they stand for."""
    most = max((cells(name) for name, _ in pairs), default=0)
    most = min(most, max(width // 3, _LEAST_COLUMN))
    lines: list[str] = []
    for name, value in pairs:
        first = " " * indent + name + " " * (most - cells(name)) + "  "
        if cells(name) > most:
            lines += wrap(name, width, " " * indent)
            first = " " * (indent + most + 2)
        lines += wrap(value, width, first)
    return lines
