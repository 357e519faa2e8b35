# SPDX-License-Identifier: Apache-2.0
"""Writing a sample into a folder: its files, and its rows as tables."""

import contextlib
from pathlib import Path
from typing import Final

from truthmark.arrow import pa, pc, pq
from truthmark.codec.storage_types import holds_type
from truthmark.errors import CodecError
from truthmark.market.preview.facts import is_flat
from truthmark.market.preview.found import Preview

_MAX_DENSE: Final = 256 << 20


def save_sample(found: Preview, folder: Path) -> None:
    """Write a sample into a folder; paths were checked when the files table was read.

    Raises:
        CodecError: Rows cannot be written to a file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path, rows in found.tables.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        write_rows(path, rows, place)
    for path, data in found.files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)


def write_rows(path: str, rows: "pa.Table", place: Path) -> None:
    """Write rows beside a place as Parquet, or as Arrow where that is smaller or must be.

    Raises:
        CodecError: Neither can hold them.
    """
    import pyarrow.feather as feather

    parquet, arrow = (place.with_name(f"{place.name}.sample.{it}") for it in ("parquet", "arrow"))
    # Parquet has no unions, and says of bytes of no length that it cannot write them.
    with contextlib.suppress(pa.ArrowException, OSError):
        if not _grows(rows):
            pq.write_table(rows, parquet)
            return
    parquet.unlink(missing_ok=True)
    try:
        feather.write_feather(rows.unify_dictionaries(), str(arrow))
    except pa.ArrowException as error:
        arrow.unlink(missing_ok=True)
        reason = " ".join(str(error).split())[:200]
        raise CodecError(
            f"the rows of {path!r} cannot be written to a file ({reason}); look at them here, "
            "without writing them"
        ) from error


def _grows(rows: "pa.Table") -> bool:
    """Whether rows that share what they hold would be far more bytes with each its own."""
    shared = (pa.DictionaryType, pa.RunEndEncodedType, pa.ListViewType, pa.LargeListViewType)
    for column in rows.columns:
        if not holds_type(column.type, shared):
            continue
        if not isinstance(column.type, pa.DictionaryType) or not is_flat(column.type):
            return True
        for chunk in column.chunks:
            longest = 8
            with contextlib.suppress(pa.ArrowException):  # of what is no text, and as short
                longest = pc.max(pc.binary_length(chunk.dictionary)).as_py() or 0
            if longest * len(chunk) > _MAX_DENSE:
                return True
    return False
