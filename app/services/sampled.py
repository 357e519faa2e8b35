# SPDX-License-Identifier: Apache-2.0
"""The sample of a data set: what chance picked of it, as this machine has checked it."""

import re
from dataclasses import replace
from typing import Final

import pyarrow as pa
import streamlit as st

from app import views
from app.services.reading import find_version, mark_of, shared_reader
from app.services.texts import MAX_COLUMNS, MAX_TABLES, rows_of
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import Version
from truthmark.market.preview import OnGet, Preview, PreviewState, look, remembered_states
from truthmark.market.preview.facts import is_flat, value_of
from truthmark.market.preview.figures import HEAD
from truthmark.session import Session
from truthmark.text import clean, plural

_ROWS: Final = 20
_SHARD: Final = re.compile(r"\bshard\b")
_EVENTS: Final = (("openings", "KeysPublished"),)
_BADGES: Final = {
    PreviewState.SHOWN: "sampled",
    PreviewState.SMALL: "too small to sample",
    PreviewState.PARTIAL: "partly sampled",
    PreviewState.BLIND: "no sample",
    PreviewState.WAITING: "sample not open yet",
    PreviewState.UNREACHABLE: "cannot be fetched",
    PreviewState.BAD: "bad sample",
    PreviewState.BROKEN: "shown to be rotten",
}


def sample_of_dataset(ref: str) -> views.Drawn:
    """Return how the sample of a version stands, and some of its rows; fetches and checks them.

    Raises:
        NotForSaleError: There is none of this name.
        ChainError: The chain cannot be read.
    """
    session = shared_reader().session
    version = find_version(session, ref)
    found = seen(session, version)
    first, *lines = found.lines
    return views.Drawn(
        badge=_BADGES[found.state],
        meaning=clean(first, 300),
        # Pages say "part", as people do who have not read how a container is made.
        lines=tuple(clean(_SHARD.sub("part", line), 400) for line in lines if line),
        tables=_tables(found),
        figures=_figures(found),
        figures_head=HEAD,
        is_good=found.rule.on_get is OnGet.GO,
        needs_leave=found.rule.on_get is OnGet.ASK,
        is_bad=found.state in (PreviewState.BAD, PreviewState.BROKEN),
        is_awaited=found.rule.on_get is OnGet.WAIT,
    )


def seen(session: Session, version: Version) -> Preview:
    """Return what was found of a version; looked at again when somebody opens something."""
    has_openings = _EVENTS[0] in Catalogue.of(session).index.schema.events
    mark = mark_of(session, _EVENTS) if has_openings else b""
    key = f"{session.home} {session.profile.name}"
    found = _look(key, version.terms_id, mark, session, version)
    if found.state in (PreviewState.WAITING, PreviewState.UNREACHABLE):
        _look.clear(key, version.terms_id, mark, session, version)
    return found


@st.cache_resource(max_entries=32, ttl=600, show_spinner="Looking at the parts that chance picked")
def _look(key: str, terms_id: bytes, mark: bytes, _session: Session, _version: Version) -> Preview:
    return look(_session, _version)


def badges_of(session: Session, versions: list[Version]) -> dict[bytes, str]:
    """Return in words how versions stood when this machine last looked; nothing is fetched."""
    states = remembered_states(session, [version.terms_id for version in versions])
    return {terms_id: _BADGES[state] for terms_id, (state, _) in states.items()}


def _figures(found: Preview) -> tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]:
    return tuple(
        (
            clean(path, 200),
            tuple(
                tuple(clean(cell, 200) for cell in (name, *figures.cells))
                for name, figures in columns.items()
            ),
        )
        for path, columns in list(found.figures.items())[:MAX_TABLES]
    )


def _tables(found: Preview) -> tuple[views.Table, ...]:
    tables = []
    for path, table in list(found.tables.items())[:MAX_TABLES]:
        shown = views.Table(name=clean(path, 200), rows=table.num_rows)
        step = max(1, table.num_rows // _ROWS)
        columns = list(zip(table.schema.names, table.columns, strict=True))[:MAX_COLUMNS]
        rows = [
            {name: _cell(column, i) for name, column in columns}
            for i in range(0, table.num_rows, step)[:_ROWS]
        ]
        tables.append(replace(shown, example_rows=rows_of(rows)))
    return tuple(tables)


def _cell(column: pa.ChunkedArray, row: int) -> object:
    """Return a cell as it is shown: rows may share a text as large as the table."""
    if not is_flat(column.type):
        # One of next to no bytes may be gigabytes in Python.
        return clean(column.type, 200)
    value = value_of(column[row])
    if isinstance(value, bytes):
        return plural(len(value), "byte")
    return clean(value, 200) if isinstance(value, str) else value
