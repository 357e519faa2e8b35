# SPDX-License-Identifier: Apache-2.0
"""Event tables as Parquet files."""

import re
from pathlib import Path
from typing import Any

from truthmark.arrow import pa, pq
from truthmark.index.database import EventIndex
from truthmark.index.schema import EventTable, Leaf
from truthmark.index.sql import Kind, from_database

_ROWS = 50_000


def export_parquet(index: EventIndex, folder: Path) -> list[Path]:
    """Write each event table to `folder/<table>.parquet`, all as of one moment.

    Each row also has its block's time (`timestamp`, UTC) and hash. Integers of more than 64 bits
    are written as decimal text, since Parquet has no type that holds 256 bits.

    Args:
        index: What to export.
        folder: Made if there is none; files of the same names are replaced.

    Returns:
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts = {}
    try:
        with index.read() as connection:
            for entry in index.schema.events.values():
                schema = _arrow_schema(entry)
                part = folder / f".{entry.table.name}.parquet.part"
                parts[part] = folder / f"{entry.table.name}.parquet"
                query = index.timed_rows(entry)
                with pq.ParquetWriter(part, schema, compression="zstd") as writer:
                    for rows in connection.parts(query.text, _ROWS):
                        columns = [
                            pa.array(_values(entry, place, values), field.type)
                            for place, (field, values) in enumerate(
                                zip(schema, zip(*rows, strict=True), strict=True)
                            )
                        ]
                        writer.write_table(pa.Table.from_arrays(columns, schema=schema))
        for part, path in parts.items():
            part.replace(path)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)
    return list(parts.values())


def _values(entry: EventTable, place: int, values: tuple[Any, ...]) -> list[Any]:
    kinds = [*(column.kind for column in entry.table.columns), Kind.INTEGER, Kind.BINARY]
    kind = kinds[place]  # the last two are the block's time and hash
    found = [from_database(kind, value) for value in values]
    return [str(value) for value in found] if kind.is_wide else found


def _arrow_schema(entry: EventTable) -> "pa.Schema":
    return pa.schema(
        [
            ("block_number", pa.int64()),
            ("log_index", pa.int64()),
            ("tx_hash", pa.binary(32)),
            *((leaf.column, _arrow_type(leaf)) for leaf in entry.leaves),
            (
                "timestamp_" if "timestamp" in entry.table.names else "timestamp",
                pa.timestamp("s", "UTC"),
            ),
            ("block_hash_" if "block_hash" in entry.table.names else "block_hash", pa.binary(32)),
        ],
        metadata={"contract": entry.role, "event": entry.event.signature},
    )


def _arrow_type(leaf: Leaf) -> "pa.DataType":
    if leaf.kind is Kind.INTEGER:
        return pa.int64()
    if leaf.kind is Kind.BOOLEAN:
        return pa.bool_()
    if leaf.kind is Kind.BINARY:
        size = re.fullmatch(r"bytes(\d+)", leaf.type)
        return pa.binary(32 if leaf.is_hash else int(size[1]) if size else -1)
    return pa.string()
