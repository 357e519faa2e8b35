# SPDX-License-Identifier: Apache-2.0
"""Reads JSON lines so that no value changes; see `json_fields` for the types that columns get.

Arrow's own reader makes equal floats of long integers and times without zone of texts, and may
type one block of a file other than the next. So each line is parsed by Python's parser, which
gives numbers as they are written; a first pass over the file finds types that keep all values,
a second fills columns of them.

A field that is missing is null. A key that one object has twice, `NaN` and `Infinity`, half a
surrogate pair, and all else that is not JSON in UTF-8 is refused. What JSON lines lose when they
are packed as a table: white space, empty lines, a byte order mark, the order of keys, and the
spelling of texts (which characters are escaped) and numbers (`1.50`, `1e3`).
"""

import contextlib
import gc
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NoReturn

from truthmark.arrow import pa
from truthmark.codec.json_fields import Field, NumberText
from truthmark.codec.refusals import no_table

LARGEST_LINE: Final = 64 << 20
# Objects may have other keys each: so many places are filled at a time at most.
_MOST_PLACES: Final = 2_000_000
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_WHITE_SPACE: Final = " \t\r"
# Python's parser goes as deep as its own limit lets it, which others may have set too high.
_SAFE_DEPTH: Final = 200
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_NESTING: Final = re.compile(r"[\[\]{}]")
_MINUS_ZERO: Final = re.compile(rb"-0(?![0-9.eE])")
_HALF_PAIR: Final = re.compile(rb"\\u[dD][89a-fA-F]")


class JsonLines:
    """A file of JSON lines whose types have been found.

    Attributes:
        schema: of its batches.
    """

    def __init__(self, location: Path, chunk_size: int) -> None:
        """Read all of the file, some `chunk_size` bytes at a time, to find types that lose nothing.

        Raises:
            CodecError: it is not a table, or would change as one.
        """
        self._location, self._chunk_size = location, chunk_size
        top = Field()
        rows = 0
        for found in self._rows(_parser(NumberText)):
            rows += len(found)
            try:
                top.add(found)
            except ValueError as error:
                raise no_table(f"{location}: {error}, or") from error
        self.rows = rows
        self._top = top
        self.schema = pa.schema([(name, field.type) for name, field in top.fields.items()])

    def batches(self) -> "Iterator[pa.RecordBatch]":
        """Read all rows.

        Raises:
            CodecError: the file is another by now.
        """
        step = max(1, _MOST_PLACES // self._top.count)
        parser = _parser(float if self._top.has_only_floats else NumberText)
        for rows in self._rows(parser):
            for first in range(0, len(rows), step):
                columns = self._top.columns(rows[first : first + step], self.schema)
                yield pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _rows(self, parsers: "tuple[Any, Any]") -> Iterator[list[dict[str, Any]]]:
        line = 1
        for chunk in self._chunks():
            with _no_collection():
                rows, problem = _parse(chunk, parsers)
            if problem is not None:
                number, reason = problem
                raise no_table(f"{self._location}, line {line + number}: {reason}; repair it, or")
            line += chunk.count(b"\n")
            if rows:
                yield rows

    def _chunks(self) -> Iterator[bytes]:
        with self._location.open("rb") as file:
            chunk = file.read(max(self._chunk_size, 4)).removeprefix(_BYTE_ORDER_MARK)
            while chunk:
                if not chunk.endswith(b"\n"):
                    chunk += file.readline(LARGEST_LINE)
                    if len(chunk) > LARGEST_LINE and not chunk.endswith(b"\n"):
                        raise no_table(
                            f"{self._location} has a line of more than {LARGEST_LINE >> 20} MiB; "
                            "put one object on each line, or"
                        )
                yield chunk
                chunk = file.read(self._chunk_size)


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    # So many objects at once make Python look for cycles again and again, where none can be.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _parse(
    chunk: bytes, parsers: "tuple[Any, Any]"
) -> tuple[list[dict[str, Any]], tuple[int, str] | None]:
    """Return the objects of some lines, or number and reason of the first that is none."""
    parse = parsers[1] if _MINUS_ZERO.search(chunk) else parsers[0]
    may_be_broken = _HALF_PAIR.search(chunk) is not None
    rows: list[dict[str, Any]] = []
    try:
        text = chunk.decode("utf-8")
    except UnicodeDecodeError as error:
        return [], (chunk.count(b"\n", 0, error.start), "it is not UTF-8 text")
    for number, line in enumerate(text.split("\n")):
        if not line.startswith("{"):
            line = line.strip(_WHITE_SPACE)
            if not line:
                continue
            if not line.startswith("{"):
                return [], (number, "it is not JSON object")
        try:
            if line.count("[") + line.count("{") > _SAFE_DEPTH and _depth(line) > _SAFE_DEPTH:
                return [], (number, "it is nested too deeply")
            row, end = parse(line, 0)
            if end != len(line) and line[end:].strip(_WHITE_SPACE):
                return [], (number, "something follows the JSON object")
            if may_be_broken:
                json.dumps(row, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            return [], (number, "it has half a surrogate pair, which is not a character")
        except StopIteration:
            return [], (number, "it is not JSON")
        except ValueError as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            return [], (number, f"it is not JSON that a table can hold ({reason[:100]})")
        rows.append(row)
    return rows, None


def _depth(line: str) -> int:
    depth = deepest = 0
    for bracket in _NESTING.findall(_STRING.sub("", line)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _parser(parse_float: type) -> "tuple[Any, Any]":
    """Return a parser, and a slower one that keeps the sign of zero."""
    both = []
    for parse_int in (int, _signed):
        decoder = json.JSONDecoder(
            object_pairs_hook=_unique,
            parse_float=parse_float,
            parse_int=parse_int,
            parse_constant=_refuse,
        )
        both.append(decoder.scan_once)  # type: ignore[attr-defined]
    return both[0], both[1]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:40]!r} is there twice in one object")
    return fields


def _signed(text: str) -> int | NumberText:
    # An integer has no minus zero; a float has.
    return NumberText("-0.0") if text == "-0" else int(text)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number of JSON")
