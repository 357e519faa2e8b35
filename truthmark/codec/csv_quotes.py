# SPDX-License-Identifier: Apache-2.0
"""Finds quotes in CSV files that are no quoting, before they swallow rows.

A cell that begins with a quote ends at the next quote that is not doubled, and there must end:
the delimiter or the end of the line follows. Parsers forgive what breaks this rule, each in its
own way, and rows silently become part of a text. Two lone quotes keep the rule and still swallow
what is between them, so a cell of several lines is refused too where these read as rows.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

CHUNK_SIZE: Final = 1 << 20
LARGEST_CELL: Final = 64 << 20
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_QUOTED: Final = re.compile(rb'"[^"]*+(?:""[^"]*+)*+"')
_NUMBER: Final = re.compile(rb"\s*[0-9]+\s*")


def misplaced_quote(
    location: Path, delimiter: str, columns: int, *, chunk_size: int = CHUNK_SIZE
) -> str | None:
    """Return what is wrong with the quotes of a file and in which line, None if nothing is.

    Args:
        location: where the file is.
        delimiter: between its cells.
        columns: how many cells each row should have.
        chunk_size: bytes that are read at a time.
    """
    scan = _Scan(delimiter.encode(), columns)
    with location.open("rb") as file:
        chunk = file.read(max(chunk_size, 4)).removeprefix(_BYTE_ORDER_MARK)
        while chunk:
            if chunk.endswith(b"\r"):
                chunk += file.read(1)  # "\r\n" is one line end, not two
            if found := scan.feed(chunk):
                return found
            chunk = file.read(chunk_size)
    return scan.feed(b"")


def whole_rows(location: Path, delimiter: str, chunk_size: int) -> Iterator[bytes]:
    """Yield the file in pieces that end where rows end; its quotes must have been checked.

    Args:
        location: where the file is.
        delimiter: between its cells.
        chunk_size: about how many bytes a piece has; more where rows are longer.
    """
    separators = re.escape(delimiter).encode()
    cell = rb'(?:"[^"]*+(?:""[^"]*+)*+"|[^"%b\r\n][^%b\r\n]*+)?' % (separators, separators)
    rows = re.compile(rb"(?:(?:%b%b)*+%b(?:\r\n|\r|\n))*+" % (cell, separators, cell))
    rest = b""
    with location.open("rb") as file:
        if file.read(len(_BYTE_ORDER_MARK)) != _BYTE_ORDER_MARK:
            file.seek(0)
        while chunk := file.read(max(chunk_size, len(rest))):
            if chunk.endswith(b"\r"):
                chunk += file.read(1)  # "\r\n" is one line end, not two
            text = rest + chunk
            if b'"' in text:
                end = rows.match(text).end()  # type: ignore[union-attr]
            else:
                end = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
            if end:
                yield text[:end]
            rest = text[end:]
    if rest:
        yield rest


class _Scan:
    """What is left of the file so far: `_text` begins with a line that is not all checked."""

    def __init__(self, delimiter: bytes, columns: int) -> None:
        self._delimiter, self._columns = delimiter, columns
        separators = re.escape(delimiter) + rb"\r\n"
        # As many whole cells of one line, each with what separates it from the next, as there are.
        self._cells = re.compile(
            rb'(?:(?:"[^"\r\n]*+(?:""[^"\r\n]*+)*+"|[^"%b][^%b]*+)?[%b])*+' % ((separators,) * 3)
        )
        self._separators = delimiter + b"\r\n"
        self._line = 1
        self._text = b""
        self._position = 0

    def feed(self, chunk: bytes) -> str | None:
        """Check what can be checked once `chunk`, which is empty at the end, has been read."""
        text = self._text + (chunk or b"\n")
        position = self._position
        # Looking back for what is not there would be looking at everything, at each cell.
        ends = [end for end in (b"\n", b"\r") if end in text]
        while True:
            position = self._cells.match(text, position).end()  # type: ignore[union-attr]
            if not text.startswith(b'"', position):
                break
            cell = _QUOTED.match(text, position)
            # What follows the last quote may still be to come: then it may be doubled.
            if cell is None or cell.end() == len(text):
                if not chunk or len(text) - position > LARGEST_CELL:
                    return self._say(text, position, "a cell begins with a quote that never closes")
                break
            if text[cell.end()] not in self._separators:
                return self._say(
                    text, position, 'a quote inside a quoted cell is not doubled; write it as ""'
                )
            start = _line_start(text, position, ends)
            if self._may_hold_rows(text, start, position):
                end = _LINE_END.search(text, cell.end())
                if end is None and chunk and len(text) - cell.end() < LARGEST_CELL:
                    break  # the rest of the line is needed
                stop = end.start() if end else len(text)
                if self._holds_rows(text[start:stop], text[position : cell.end()]):
                    return self._say(
                        text,
                        position,
                        "what stands between two quotes reads as rows; double the quotes that "
                        "belong to the text",
                    )
            position = cell.end() + 1
        start = _line_start(text, position, ends)
        self._line += _lines(text, start)
        self._text, self._position = text[start:], position - start
        return None

    def _may_hold_rows(self, text: bytes, start: int, position: int) -> bool:
        # Most texts of several lines have other cells in their first line than rows have.
        if self._delimiter == b"\t":
            return True
        end = _LINE_END.search(text, position)
        assert end is not None  # else the cell were one of a line
        return text.count(self._delimiter, start, end.start()) == self._columns - 1

    def _holds_rows(self, record: bytes, cell: bytes) -> bool:
        if self._delimiter == b"\t" and (b"\t" in cell or self._columns == 1):
            return True  # tabs and line ends have no place in a cell of a TSV file
        rows = [line.split(self._delimiter) for line in _LINE_END.split(record)]
        if any(len(row) != self._columns for row in rows):
            return False
        alone = [b'"' in rows[0], b'"' in rows[-1]]
        if self._columns == 1:
            return all(alone)
        return any(alone) or any(
            all(_NUMBER.fullmatch(part) for part in column) for column in zip(*rows, strict=True)
        )

    def _say(self, text: bytes, position: int, reason: str) -> str:
        return f"line {self._line + _lines(text, position)}: {reason}"


def _line_start(text: bytes, position: int, ends: list[bytes]) -> int:
    return max((text.rfind(end, 0, position) for end in ends), default=-1) + 1


def _lines(text: bytes, end: int) -> int:
    lines = text.count(b"\n", 0, end)
    if b"\r" in text:
        lines += text.count(b"\r", 0, end) - text.count(b"\r\n", 0, end)
    return lines
