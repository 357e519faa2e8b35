# SPDX-License-Identifier: Apache-2.0
"""`truthmark index`: the market's events as tables."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from truthmark.cli.base import State, group, json_option
from truthmark.cli.output import bar, facts, moment, out, out_json, say, table
from truthmark.errors import ConfigError

if TYPE_CHECKING:
    from truthmark.index.database import Index
    from truthmark.index.schema import EventTable


@group()
def index() -> None:
    """All events of the market as tables."""


@index.command()
@json_option
@click.pass_obj
def sync(state: State, as_json: bool) -> None:
    """Bring the index up to the chain's newest block."""
    with state.session() as session:
        with bar("reading the chain", "blocks") as progress:
            result = session.catalogue.follower.sync(progress=progress)
        if as_json:
            out_json({"block": result.tip.number, "events": result.logs})
            return
        out(f"up to block {result.tip.number}; {result.logs} events are new")


@index.command()
@json_option
@click.pass_obj
def status(state: State, as_json: bool) -> None:
    """Show how far the index is and what it holds."""
    with state.session() as session:
        kept = session.catalogue.follower.index
        tip, head, counts = kept.tip(), session.chain.height(), kept.counts()
        where = kept.engine.url.render_as_string(hide_password=True)
        if as_json:
            out_json(
                {
                    "database": where,
                    "block": tip.number,
                    "time": tip.timestamp,
                    "chain_block": head,
                    "events": counts,
                }
            )
            return
        behind = max(head - tip.number, 0)
        facts(
            [
                ("database", where),
                ("block", f"{tip.number}, {behind} behind the chain" if behind else tip.number),
                ("time", moment(tip.timestamp)),
            ]
        )
        table([(name, count) for name, count in counts.items() if count], ("events", "how many"))


@index.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--format",
    "kind",
    type=click.Choice(("parquet", "csv")),
    default="parquet",
    show_default=True,
)
@json_option
@click.pass_obj
def export(state: State, folder: Path, kind: str, as_json: bool) -> None:
    """Write every table of events into the new FOLDER, a file each.

    Addresses and hashes are written as 0x text, amounts as decimal text, since no number of
    Parquet holds 256 bits.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} exists already; choose another folder or remove it")
    with state.session() as session:
        session.catalogue.sync()
        kept = session.catalogue.follower.index
        folder.mkdir(parents=True, exist_ok=True)
        written = {}
        for entry in kept.schema.events.values():
            found = _read(kept, entry)
            _write(found, folder / f"{entry.table.name}.{kind}", kind)
            written[entry.table.name] = found.num_rows
        if as_json:
            out_json({"folder": str(folder), "events": written})
            return
        out(str(folder))
        say(f"{sum(written.values())} events in {len(written)} tables")


def _read(kept: "Index", entry: "EventTable") -> Any:
    """Return an event's table with its blocks' times."""
    import pyarrow as pa
    import sqlalchemy as sa

    from truthmark.index.schema import WideInteger

    blocks = kept.schema.blocks
    query = (
        sa.select(blocks.c.timestamp, entry.table)
        .join(blocks, blocks.c.number == entry.table.c.block_number)
        .order_by(entry.table.c.block_number, entry.table.c.log_index)
    )
    with kept.read() as connection:
        rows = connection.execute(query).all()
    columns = [blocks.c.timestamp, *entry.table.c]
    names, arrays = [], []
    for i, column in enumerate(columns):
        values = [row[i] for row in rows]
        kind = column.type
        if isinstance(kind, WideInteger):
            arrays.append(pa.array(map(str, values), pa.string()))
        elif isinstance(kind, sa.LargeBinary):
            arrays.append(pa.array(["0x" + bytes(v).hex() for v in values], pa.string()))
        elif isinstance(kind, sa.Boolean):
            arrays.append(pa.array(map(bool, values), pa.bool_()))
        elif isinstance(kind, sa.Integer):
            arrays.append(pa.array(values, pa.int64()))
        else:
            arrays.append(pa.array(values, pa.string()))
        names.append(column.name)
    return pa.table(arrays, names=names)


def _write(found: Any, path: Path, kind: str) -> None:
    if kind == "csv":
        from pyarrow import csv

        csv.write_csv(found, path)
    else:
        from pyarrow import parquet

        parquet.write_table(found, path)
