# SPDX-License-Identifier: Apache-2.0
"""`truthmark preview`: the sample of a data set, drawn by chance and checked on this machine."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from truthmark.cli.command import State, command, json_option
from truthmark.cli.output import echo, echo_json, info, table
from truthmark.cli.param_types import DATASET, PLACE
from truthmark.market.opened import require_free
from truthmark.market.preview import Part, Preview, look
from truthmark.market.preview.facts import is_flat, value_of
from truthmark.market.preview.figures import HEAD, ColumnFigures, Share
from truthmark.market.preview.opening import MAX_DOWNLOAD
from truthmark.market.preview.saving import save_sample
from truthmark.text import clean, plural

if TYPE_CHECKING:
    import pyarrow as pa

_MAX_PARTS = 20
_MAX_CELL = 40
_MAX_FIGURES = 40
_MAX_FIGURE = 120
_MIB = 1 << 20


@command()
@click.argument("dataset", type=DATASET)
@click.option(
    "--rows",
    type=click.IntRange(0, 1_000),
    default=5,
    show_default=True,
    help="How many rows of each table to print.",
)
@click.option(
    "--save",
    "folder",
    type=PLACE,
    metavar="FOLDER",
    help="Write all rows and files of the sample into this new folder.",
)
@click.option(
    "--max-download",
    type=click.IntRange(1, 1 << 20),
    default=MAX_DOWNLOAD // _MIB,
    show_default=True,
    metavar="MIB",
    help="Largest sample that is fetched.",
)
@json_option
def preview(
    state: State,
    dataset: str,
    rows: int,
    folder: Path | None,
    max_download: int,
    as_json: bool,
) -> None:
    """Look at parts of DATASET that chance picked, before you pay.

    The seller could not choose them. They are fetched, opened and checked on this machine; nobody
    is paid or told.
    """
    if folder is not None:
        require_free(folder)
    with state.version(dataset) as (session, version):
        found = look(session, version, max_download=max_download * _MIB)
    if folder is not None:
        save_sample(found, folder)
        info(f"{plural(len(found.tables) + len(found.files), 'file')} in {folder}")
    if as_json:
        echo_json(_as_json(found))
        return
    echo(f"data set {version.ref}: {found.state.value}")
    for line in found.lines:
        echo(f"  {clean(line, 600)}")
    _print_parts(found.parts)
    for path, rows_of in list(found.tables.items())[:_MAX_PARTS] if rows else ():
        echo(f"\n{clean(path)}: {plural(rows_of.num_rows, 'row')}, drawn by chance")
        _print_rows(rows_of, rows)
    _print_figures(found)
    if len(found.tables) > _MAX_PARTS:
        info(f"{len(found.tables) - _MAX_PARTS} more tables; --save writes all of them")


def _print_parts(parts: tuple[Part, ...]) -> None:
    if not parts:
        return
    echo()
    table(
        [
            (
                part.name,
                f"{part.bytes_share:.1%}",
                f"{part.rows_share:.1%}",
                f"{part.opened:,} of {part.segments:,}",
                "not sampled" if part.bounds is None else f"{part.bounds.one_try:.1%}",
            )
            for part in parts[:_MAX_PARTS]
        ],
        ("part", "of bytes", "of rows", "opened", "otherwise at most"),
        indent=2,
    )
    if len(parts) > _MAX_PARTS:
        echo(f"  and {len(parts) - _MAX_PARTS} more")


def _print_rows(rows: "pa.Table", count: int) -> None:
    """Print rows from all over the sample, not only from where it begins."""
    step = max(1, rows.num_rows // count)
    chosen = range(0, rows.num_rows, step)[:count]
    cells = [[_shown(column, row) for column in rows.columns] for row in chosen]
    table(cells, [clean(name, _MAX_CELL) for name in rows.schema.names], indent=2)


def _shown(column: "pa.ChunkedArray", row: int) -> str:
    if not is_flat(column.type):
        return clean(str(column.type), _MAX_CELL)
    value = value_of(column[row])
    if value is None:
        return ""
    if isinstance(value, bytes):
        return f"{plural(len(value), 'byte')}"
    return clean(value, _MAX_CELL)


def _print_figures(found: Preview) -> None:
    """Print what the sample says of the columns."""
    left = _MAX_FIGURES
    for path, columns in found.figures.items():
        some = list(columns.items())[:left]
        left -= len(some)
        if some:
            echo(f"\n{clean(path)}: of all rows, as the sample says with 99.9 % certainty")
            cells = [(name, *figures.cells) for name, figures in some]
            table([[clean(cell, _MAX_FIGURE) for cell in row] for row in cells], HEAD, indent=2)
    if (more := sum(map(len, found.figures.values())) - _MAX_FIGURES) > 0:
        info(f"{plural(more, 'more column')}; --json has their figures")


def _as_json(found: Preview) -> dict[str, Any]:
    return {
        "dataset": found.ref,
        "state": found.state.value,
        "why": found.why,
        "draws": found.draws,
        "segments": found.segments,
        "rows": found.rows,
        "bound": found.bounds.one_try if found.bounds else None,
        "bound_of_many_tries": found.bounds.many_tries if found.bounds else None,
        "unsampled": found.unsampled,
        "taken_over": found.taken_over,
        "waiting_since": found.since,
        "findings": list(found.findings),
        "contradictions": list(found.contradictions),
        "parts": [
            {
                "name": part.name,
                "draws": part.draws,
                "segments": part.segments,
                "opened": part.opened,
                "bytes_share": part.bytes_share,
                "rows_share": part.rows_share,
                "bound": part.bounds.one_try if part.bounds else None,
            }
            for part in found.parts
        ],
        "tables": {path: rows.num_rows for path, rows in found.tables.items()},
        "figures": {
            path: {name: _figures_json(figures) for name, figures in columns.items()}
            for path, columns in found.figures.items()
        },
        "files": {path: len(data) for path, data in found.files.items()},
    }


def _figures_json(figures: ColumnFigures) -> dict[str, Any]:
    distinct, values, classes = figures.distinct, figures.values, figures.classes
    return {
        "nulls": _share_json(figures.nulls),
        "distinct": distinct
        and {"seen": distinct.seen, "estimate": distinct.estimate, "high": distinct.high},
        "range": values
        and {
            "low": _number_json(values.low),
            "high": _number_json(values.high),
            "outside": values.outside,
        },
        "classes": classes and {value: _share_json(share) for value, share in classes.items()},
    }


def _number_json(value: float) -> float | str:
    """Return a number, or as text what JSON has no number for."""
    return value if math.isfinite(value) else str(value)


def _share_json(share: Share) -> dict[str, float]:
    return {"estimate": share.estimate, "low": share.low, "high": share.high}
