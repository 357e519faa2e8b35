# SPDX-License-Identifier: Apache-2.0
"""What a bounty brought: figures, tables, single items, and files of it."""

import contextlib
import io
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import streamlit as st

from app import ask_views as views
from app.services.accounts import my_session, my_synced_session
from app.services.asked import find_workspace
from app.services.samples import sample_of
from truthmark.arrow import pq
from truthmark.bounty.client import BountyClient
from truthmark.bounty.exports import FORMATS, write_csv
from truthmark.bounty.exports import export as write
from truthmark.bounty.flows.following import job_of
from truthmark.bounty.flows.results import Brought, collect_result, labeled_of, save_result
from truthmark.bounty.items import item_key
from truthmark.bounty.quality import Quality, quality_of
from truthmark.bounty.result_tables import summary_of
from truthmark.bounty.secrets import find_secrets
from truthmark.errors import BountyError, ConfigError
from truthmark.session import Session
from truthmark.text import clean, plural
from truthmark.types import Progress

_BROUGHT: Final = "services.brought"
_ROWS: Final = 200


def quality(number: int, report: Progress) -> views.Quality:
    """Return what came so far, checked against the chain, and how good it is.

    Raises:
        BountyError: No labels came yet, or they cannot be opened.
        ChainError: The chain cannot be read.
    """
    brought = _brought(number, report)
    if brought.tables is None:
        raise BountyError("no labels came yet; look again when the first are here")
    if not brought.classes:
        raise BountyError(
            "these labels are texts, of which nothing can be measured; write all of them with"
            f" `truthmark bounty result {number} --to FOLDER`"
        )
    found = quality_of(brought.result, brought.finding, brought.classes)
    summary = summary_of(brought.tables)
    margins = [int(value) for value in brought.tables.items["margin"].to_pylist() if value >= 0]
    classes = ", ".join(
        f"{count} × {clean(name, 60)}" for name, count in summary["classes"].items()
    )
    return views.Quality(
        alpha=None if found is None else found.alpha,
        against="what you know" if found is not None and found.is_gold else "the result",
        confusion=() if found is None else _confusion(found),
        workers=_workers(my_session(), brought, found),
        margins=tuple(margins),
        items=_unclear(brought),
        flags=_flags(brought),
        warnings=tuple(clean(line, 400) for line in brought.warnings),
        problems=tuple(clean(line, 400) for line in brought.finding.problems),
        summary=(
            ("Items with a label", f"{summary['labeled']} of {summary['items']}"),
            ("Labels", f"{summary['labels']} by {plural(summary['workers'], 'labeler')}"),
            ("Classes", classes),
        ),
        formats=tuple(name for name in FORMATS if _fits(name, brought.document.kind)),
    )


def item_of(number: int, item: int) -> views.ItemView:
    """Return an item of a bounty as labelers see it.

    Raises:
        BountyError: It is not here.
    """
    session = my_session()
    workspace = find_workspace(session, number)
    secrets = find_secrets(session.vault, workspace.terms.key)
    with workspace.open_items() as items:
        key = item_key(secrets.items_secret, item) if items.is_encrypted else None
        found = items.item(item, key)
    return views.ItemView(item, clean(workspace.names[item], 200), sample_of(found))


def export(number: int, folder: str, formats: Sequence[str], report: Progress) -> tuple[str, ...]:
    """Write the result into a folder of this machine; returns what was written.

    Raises:
        ConfigError: No folder was named, or a format does not fit.
        BountyError: There are no labels yet.
    """
    if not folder.strip():
        raise ConfigError("name the folder that it is written to")
    place = Path(folder.strip()).expanduser()
    session, brought = my_session(), _brought(number, report)
    try:
        written = save_result(session, brought, place, formats)
        if brought.workspace.draft.get("job"):
            pq.write_table(job_of(session, number, last=brought).table(), place / "job.parquet")
            written.append(place / "job.parquet")
    except OSError as error:
        raise ConfigError(
            f"{place} cannot be written ({error.strerror}); choose another"
        ) from error
    return tuple(str(path) for path in dict.fromkeys(written))


def table_of(number: int, report: Progress) -> bytes:
    """Return the table of items as a CSV, to be downloaded."""
    brought = _brought(number, report)
    if brought.tables is None:
        raise BountyError("no labels came yet; look again when the first are here")
    sink = io.StringIO(newline="")
    write_csv(brought.tables.items, sink)
    return sink.getvalue().encode()


def to_sell(number: int, report: Progress) -> str:
    """Write what is sold of a bounty, and return its path: the items with their labels.

    Of pictures these are the copies that labelers saw, in a folder a class; else a table. Who
    labeled how, and what proves it, is not sold.

    Raises:
        BountyError: There are no labels yet.
    """
    session, brought = my_session(), _brought(number, report)
    is_picture = brought.document.kind == "image"
    place = session.home / "results" / f"{session.profile.chain_id}-{number}"
    target = place / ("pictures" if is_picture else "table")
    shutil.rmtree(target, ignore_errors=True)
    labeled = labeled_of(session, brought)
    if is_picture:
        write(labeled, "image-folder", target)
        return str(target)
    return str(next(p for p in write(labeled, "parquet", target) if p.name == "items.parquet"))


def _brought(number: int, report: Progress) -> Brought:
    """Return the result, opened again only where there is more of it."""
    session = my_synced_session()
    workspace = find_workspace(session, number)
    record = BountyClient(session).read(number)
    mark = (
        number,
        record.status,
        len(record.commits.standing),
        len(record.posted),
        sum(1 for _ in (workspace.folder / "files").glob("*")),
    )
    held = st.session_state.get(_BROUGHT)
    if held is None or held[0] != mark:
        held = (
            mark,
            collect_result(session, number, bar=lambda what, unit: contextlib.nullcontext(report)),
        )
        st.session_state[_BROUGHT] = held
    return held[1]


def _fits(name: str, kind: str) -> bool:
    needed = {"coco": "image", "image-folder": "image", "trl": "pair"}
    return needed.get(name, kind) == kind


def _confusion(found: Quality) -> tuple[tuple[str, str, int], ...]:
    return tuple(
        (clean(truth, 60), clean(said, 60), int(count))
        for truth, row in found.confusion.iterrows()
        for said, count in row.items()
    )


def _workers(
    session: Session, brought: Brought, found: Quality | None
) -> tuple[dict[str, Any], ...]:
    assert brought.tables is not None  # the caller has looked
    table = None if found is None else found.workers
    record = brought.result.record
    token, roster = record.terms.token, record.roster.rows
    people = find_workspace(session, record.ref.bounty_id).people
    rows = []
    for row in brought.tables.workers.to_pylist():
        number, units = row["worker"], row["paid_units"]
        known = None if table is None or number not in table.index else table.loc[number]
        entry: dict[str, Any] = {
            "labeler": number,
            **({"name": clean(people.get(roster[number].signer, ""), 100)} if people else {}),
            "address": row["payee"],
            "labels": row["labels"],
            "agrees with others": None if known is None else _per_cent(known["agreement"]),
            "judged on": 0 if known is None else int(known["gold"]),
            "right": None if known is None else _per_cent(known["share"]),
            "from": None if known is None else _per_cent(known["low"]),
            "to": None if known is None else _per_cent(known["high"]),
            "gets": "" if units is None else str(session.profile.amount(int(units), token)),
            "remark": row["mark"],
        }
        rows.append(entry)
    return tuple(rows)


def _per_cent(value: float | None) -> float | None:
    return None if value is None or value != value else round(100 * float(value), 1)


def _unclear(brought: Brought) -> tuple[dict[str, Any], ...]:
    assert brought.tables is not None  # the caller has looked
    # What the requester knows is clear to them.
    unknown = [row for row in brought.tables.items.to_pylist() if not row["is_gold"]]
    rows = sorted(unknown, key=lambda row: row["margin"])
    return tuple(
        {
            "item": row["item"],
            "name": clean(row["name"], 200),
            "label": "" if row["label"] is None else clean(row["label"], 60),
            "margin": row["margin"],
            "confidence": _per_cent(row["confidence"]),
            "labels": row["labels"],
            "agreement": _per_cent(row["agreement"]),
        }
        for row in rows[:_ROWS]
    )


def _flags(brought: Brought) -> tuple[dict[str, Any], ...]:
    assert brought.tables is not None  # the caller has looked
    return tuple(
        {
            "item": row["item"],
            "name": clean(row["name"], 200),
            "labeler": row["worker"],
            "says": clean(row["flag"], 500),
        }
        for row in brought.tables.labels.to_pylist()
        if row["flag"]
    )[:_ROWS]
