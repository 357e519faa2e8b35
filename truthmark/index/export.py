# SPDX-License-Identifier: Apache-2.0
"""Event tables as Parquet files."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from truthmark.index.database import Index
from truthmark.index.schema import EventTable, Leaf, WideInteger

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 50_000


def export_parquet(index: Index, folder: Path) -> list[Path]:
    """Write each event table to `folder/<table>.parquet`, all as of one moment.

    Each row also has its block's time (`timestamp`, UTC) and hash. Integers of more than 64 bits
    are written as decimal text, since Parquet has no type that holds 256 bits.

    Args:
        index: What to export.
        folder: Made if there is none; files of the same names are replaced.

    Returns:
        The files.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    parts = {}
    try:
        with index.read() as connection:
            for entry in index.schema.events.values():
                schema = _arrow_schema(entry)
                part = folder / f".{entry.table.name}.parquet.part"
                parts[part] = folder / f"{entry.table.name}.parquet"
                blocks = index.schema.blocks
                query = (
                    sa.select(entry.table, blocks.c.timestamp, blocks.c.hash)
                    .join(blocks, blocks.c.number == entry.table.c.block_number)
                    .order_by(entry.table.c.block_number, entry.table.c.log_index)
                )
                with pq.ParquetWriter(part, schema, compression="zstd") as writer:
                    result = connection.execution_options(yield_per=_ROWS).execute(query)
                    for rows in result.partitions():
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
    columns = list(entry.table.c)
    if place < len(columns) and isinstance(columns[place].type, WideInteger):
        return [str(value) for value in values]
    return list(values)


def _arrow_schema(entry: EventTable) -> "pa.Schema":
    import pyarrow as pa

    return pa.schema(
        [
            ("block_number", pa.int64()),
            ("log_index", pa.int64()),
            ("tx_hash", pa.binary(32)),
            *((leaf.column, _arrow_type(leaf)) for leaf in entry.leaves),
            (
                "timestamp_" if "timestamp" in entry.table.c else "timestamp",
                pa.timestamp("s", "UTC"),
            ),
            ("block_hash_" if "block_hash" in entry.table.c else "block_hash", pa.binary(32)),
        ],
        metadata={"contract": entry.role, "event": entry.event.signature},
    )


def _arrow_type(leaf: Leaf) -> "pa.DataType":
    import pyarrow as pa

    kind = leaf.sql_type
    if isinstance(kind, sa.BigInteger):
        return pa.int64()
    if isinstance(kind, sa.Boolean):
        return pa.bool_()
    if isinstance(kind, sa.LargeBinary):
        size = re.fullmatch(r"bytes(\d+)", leaf.type)
        return pa.binary(32 if leaf.is_hash else int(size[1]) if size else -1)
    return pa.string()
