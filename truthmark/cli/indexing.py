# SPDX-License-Identifier: Apache-2.0
"""`truthmark index`: the market's events as tables."""

from pathlib import Path

import click

from truthmark.cli.command import State, group, json_option
from truthmark.cli.output import echo, echo_json, info, print_fields, progress_bar, table
from truthmark.cli.param_types import FOLDER
from truthmark.errors import ConfigError
from truthmark.index.export import export_parquet
from truthmark.index.rebuild import rebuild as rebuild_index
from truthmark.market.catalogue import Catalogue
from truthmark.text import format_time, plural


@group()
def index() -> None:
    """All events of the market as tables."""


@index.command()
@json_option
def sync(state: State, as_json: bool) -> None:
    """Bring the index up to the chain's newest block."""
    with state.session() as session:
        with progress_bar("reading the chain", "blocks") as progress:
            result = Catalogue.of(session).follower.sync(progress=progress)
        if as_json:
            echo_json({"block": result.tip.number, "events": result.logs})
            return
        echo(f"up to block {result.tip.number}; {result.logs} events are new")


@index.command()
@json_option
def rebuild(state: State, as_json: bool) -> None:
    """Read all events from the chain again.

    The old tables are used until the new ones are complete. Needed only if they are damaged; what
    an endpoint left out is noticed and read again automatically.
    """
    with state.session() as session, session.exclusive("index-rebuild"):
        with progress_bar("reading the chain", "blocks") as progress:
            result = rebuild_index(session.chain, session.index_url, session.index_folder, progress)
        if as_json:
            echo_json({"block": result.tip.number, "events": result.logs})
            return
        echo(f"built again up to block {result.tip.number}; {plural(result.logs, 'event')}")


@index.command()
@json_option
def status(state: State, as_json: bool) -> None:
    """Show how far the index is and what it holds."""
    with state.session() as session:
        kept = Catalogue.of(session).follower.index
        tip, head, counts = kept.tip(), session.chain.height(), kept.counts()
        where = kept.url
        if as_json:
            echo_json(
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
        print_fields(
            [
                ("database", where),
                ("block", f"{tip.number}, {behind} behind the chain" if behind else tip.number),
                ("time", format_time(tip.timestamp)),
            ]
        )
        table([(name, count) for name, count in counts.items() if count], ("events", "how many"))


@index.command()
@click.argument("folder", type=FOLDER)
@json_option
def export(state: State, folder: Path, as_json: bool) -> None:
    """Write every table of events into the new FOLDER.

    Each is a Parquet file. Amounts are decimal text, as no number of Parquet holds 256 bits.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} exists already; choose another folder or remove it")
    with state.session() as session:
        Catalogue.of(session).sync()
        kept = Catalogue.of(session).follower.index
        export_parquet(kept, folder)
        counts = kept.counts()
        if as_json:
            echo_json({"folder": str(folder), "events": counts})
            return
        echo(str(folder))
        info(f"{plural(sum(counts.values()), 'event')} in {plural(len(counts), 'table')}")
