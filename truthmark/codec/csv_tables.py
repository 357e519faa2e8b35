# SPDX-License-Identifier: Apache-2.0
"""Reads CSV and TSV files so that no content is lost.

A column gets a type other than text only where every one of its cells can be written back with
the same meaning:

- whole numbers: without leading zeros or plus sign, and they fit 64 bits; `007` stays text;
- decimals: a 64-bit float holds the very number that was written; `1.10` may come back as `1.1`,
  but `0.1000000000000000000001` stays text;
- `true` and `false`, also as pandas and R write them (`True`, `TRUE`);
- dates as `2024-01-31`; times as `23:59:59`; points in time as
  `2024-01-31 23:59:59`, with 3, 6 or 9 more digits, with `T` for the blank, or with `Z` at the end;
- everything else is text, also `NA`, `null`, `yes` and numbers among other words.

An empty cell is null in every column; a quoted empty cell (`""`) is the empty text. A file of one
column has an empty cell on each empty line; in other files empty lines are skipped. What a CSV
loses when it is packed as a table: its quoting, its line ends and byte order mark, empty lines,
and the spelling of numbers and times as above. Rows of other lengths than the header, and quotes
that are no quoting, are refused.
"""

import csv as plain_csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from truthmark.arrow import pa, pc
from truthmark.codec.csv_quotes import misplaced_quote, whole_rows
from truthmark.codec.exact import SAFE_DIGITS, all_of, any_of, are_floats
from truthmark.codec.refusals import no_table
from truthmark.errors import CodecError

_OTHER_DELIMITERS: Final = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
# Cells that are tried at once: a try that fails costs ten times one that does not.
_FIRST_CELLS: Final = 64
_MOST_CELLS: Final = 16 << 10


@dataclass(frozen=True)
class CsvFile:
    """A CSV file whose header has been read.

    Attributes:
        location: where it is read.
        delimiter: between its cells.
        names: of its columns.
        ignore_empty_lines: rather than read them as empty cells.
    """

    location: Path
    delimiter: str
    names: tuple[str, ...]
    ignore_empty_lines: bool

    def batches(
        self, types: "dict[str, pa.DataType]", block_size: int
    ) -> "Iterator[pa.RecordBatch]":
        """Read all rows, block by block; each column must be in `types`."""
        from pyarrow import csv

        names: tuple[str, ...] | None = None
        # Arrow cuts files into blocks itself, but loses line ends of cells that its cuts divide.
        for rows in whole_rows(self.location, self.delimiter, block_size):
            if self.ignore_empty_lines and not rows.strip(b"\r\n"):
                continue
            if not rows.endswith((b"\n", b"\r")):
                rows += b"\n"  # without it Arrow finds no names in a header that stands alone
            table = csv.read_csv(
                pa.BufferReader(rows),
                read_options=csv.ReadOptions(
                    block_size=len(rows) + 1, use_threads=False, column_names=names
                ),
                parse_options=csv.ParseOptions(
                    delimiter=self.delimiter,
                    newlines_in_values=True,
                    ignore_empty_lines=self.ignore_empty_lines,
                ),
                convert_options=csv.ConvertOptions(
                    column_types=types,
                    null_values=[""],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            )
            names = self.names
            if tuple(table.column_names) != self.names:
                # Columns of other names would get types that Arrow guesses.
                raise pa.ArrowInvalid("the quoting of the header is not clear")
            yield from table.to_batches()

    def infer(self, block_size: int) -> "pa.Schema":
        """Read all rows to find types that lose nothing.

        Raises:
            CodecError: the file is not UTF-8, or has quotes that are no quoting.
            pyarrow.ArrowInvalid: it is not CSV.
        """
        if found := misplaced_quote(self.location, self.delimiter, len(self.names)):
            raise no_table(f"{self.location}, {found}, or")
        columns = [_Column() for _ in self.names]
        try:
            for batch in self.batches(dict.fromkeys(self.names, pa.string()), block_size):
                for column, texts in zip(columns, batch.columns, strict=True):
                    column.add(texts)
        except pa.ArrowInvalid as error:
            if "invalid UTF8" in str(error):
                raise _not_utf8(self.location) from error
            raise
        kinds = [column.kind or pa.null() for column in columns]
        return pa.schema(list(zip(self.names, kinds, strict=True)))


def open_csv_file(location: Path, delimiter: str) -> CsvFile:
    """Read the header of a file.

    Raises:
        CodecError: it is not UTF-8, names a column twice, or seems to have another delimiter.
        ValueError: it has no header.
    """
    try:
        names, above = _header(location, delimiter)
    except UnicodeDecodeError as error:
        raise _not_utf8(location) from error
    except plain_csv.Error as error:
        raise ValueError(f"in the header: {error}") from error
    if any("\0" in name for name in names):
        raise _not_utf8(location)
    _check_delimiter(location, delimiter, names)
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        named = f"named {name!r}; rename" if name else "without a name; name"
        raise no_table(f"{location} has {count} columns {named} them, or")
    # Arrow would take an empty line above the header for the header.
    return CsvFile(location, delimiter, names, ignore_empty_lines=len(names) > 1 or above > 0)


def _header(location: Path, delimiter: str) -> tuple[tuple[str, ...], int]:
    """Return the names of the columns, and how many empty lines are above them."""
    with location.open(encoding="utf-8-sig", newline="") as file:
        for above, row in enumerate(plain_csv.reader(file, delimiter=delimiter)):
            if row:
                return tuple(row), above
    raise ValueError("the file is empty")


def _check_delimiter(location: Path, delimiter: str, names: tuple[str, ...]) -> None:
    if delimiter != "," or len(names) > 1:
        return
    found = Counter(char for char in names[0] if char in _OTHER_DELIMITERS).most_common(1)
    if found:
        raise no_table(
            f"{location} has {_OTHER_DELIMITERS[found[0][0]]} and no commas in its header; "
            "save it with commas between the columns, or"
        )


def _not_utf8(location: Path) -> CodecError:
    return no_table(f"{location} is not UTF-8 text; save it again as UTF-8, or")


class _Column:
    """What is known of a column after some of its rows.

    Attributes:
        kind: the type that holds all cells so far; None where all of them are empty.
    """

    def __init__(self) -> None:
        self.kind: pa.DataType | None = None
        self._short = True

    def add(self, texts: "pa.Array") -> None:
        """See more cells."""
        if self.kind == pa.string():
            return
        texts = texts.drop_null()
        start = 0
        while start < len(texts) and self.kind != pa.string():
            length = _FIRST_CELLS if self.kind is None else _MOST_CELLS
            self._add_few(texts.slice(start, length))
            start += length

    def _add_few(self, texts: "pa.Array") -> None:
        candidates = [self.kind]
        if self.kind is None:
            candidates = _candidates()
        elif self.kind == pa.int64() and self._short:
            # Rows before are not seen again: as floats they must be safe by their length.
            candidates.append(pa.float64())
        self.kind = next((kind for kind in candidates if _holds(kind, texts)), pa.string())
        if self.kind == pa.int64() and self._short:
            self._short = _longest(texts) <= SAFE_DIGITS


def _candidates() -> "list[pa.DataType | None]":
    times = [pa.timestamp(unit, zone) for zone in (None, "UTC") for unit in ("s", "ms", "us", "ns")]
    return [pa.int64(), pa.float64(), pa.bool_(), pa.date32(), pa.time32("s"), *times]


def _holds(kind: Any, texts: "pa.Array") -> bool:
    """Tell whether values of type `kind` keep all that `texts`, none of them null, say."""
    try:
        if pa.types.is_integer(kind):
            return _are_integers(texts)
        if pa.types.is_floating(kind):
            return are_floats(texts)
        if pa.types.is_boolean(kind):
            return _are_booleans(texts)
        if pa.types.is_time(kind):
            return _are_times(texts)
        return _come_back(kind, texts)
    except pa.ArrowInvalid:
        return False


def _are_integers(texts: "pa.Array") -> bool:
    texts.cast(pa.int64())
    return not any_of(pc.match_substring_regex(texts, "^0.|^-0"))


def _are_booleans(texts: "pa.Array") -> bool:
    return all_of(pc.match_substring_regex(texts, "^(true|false|True|False|TRUE|FALSE)$"))


def _are_times(texts: "pa.Array") -> bool:
    # Arrow makes no time of a text alone.
    return _come_back(pa.timestamp("s"), pc.binary_join_element_wise("1970-01-01", texts, " "))


def _come_back(kind: "pa.DataType", texts: "pa.Array") -> bool:
    if any_of(pc.starts_with(texts, "0000")):
        return False  # Python's dates begin with the year 1, and pandas reads them as such
    values = texts.cast(kind)
    if pa.types.is_timestamp(kind):
        texts = pc.replace_substring(texts, "T", " ")
    return all_of(pc.equal(values.cast(pa.string()), texts))


def _longest(texts: "pa.Array") -> int:
    return int(pc.max(pc.binary_length(texts)).as_py())
