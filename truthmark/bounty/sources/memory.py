# SPDX-License-Identifier: Apache-2.0
"""Tables in memory as items."""

from typing import Any

from truthmark.arrow import pa
from truthmark.bounty.document import Kind
from truthmark.bounty.sources.tables import TableSource, rows_source
from truthmark.codec.sources import plan
from truthmark.errors import ConfigError
from truthmark.hashing import sha256


def frame_source(
    frame: Any, *, column: str | None = None, kind: Kind | None = None, names: str | None = None
) -> TableSource:
    """Return the rows of a DataFrame of pandas or polars, or of a pyarrow Table.

    Args:
        frame: The table.
        column: As for `table_source`, like the others.
        kind: As there; paths to files are for table files, which stand beside them.
        names: As there.

    Raises:
        ConfigError: It is no table, or there is no such column.
        CodecError: Arrow cannot hold it.
    """
    tables = plan(frame).tables
    if len(tables) != 1 or tables[0].once:
        raise ConfigError("give one table: a DataFrame, or a pyarrow Table")
    table = tables[0]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        for batch in table.batches():
            writer.write_batch(batch)
    return rows_source(table, sha256(sink.getvalue()).hex(), column=column, kind=kind, names=names)
