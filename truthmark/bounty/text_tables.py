# SPDX-License-Identifier: Apache-2.0
"""A result as tables where labels are texts: what each person wrote, and nothing computed of it.

A text counts where it gives the hash that was committed to. What never came, or gives another
hash, is said row by row: its hash is paid all the same.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from truthmark.arrow import pa
from truthmark.bounty.annotations import SKIPPED, annotation_code
from truthmark.bounty.record import Record
from truthmark.bounty.result import Result
from truthmark.bounty.result_tables import (
    Notes,
    Tables,
    marks_of,
    provenance_of,
    stamped,
)
from truthmark.bounty.sealing import OpenedRun
from truthmark.bounty.verify import Finding, codes_by_item
from truthmark.text import plural

WRITTEN: Final = "written"
SKIP: Final = "skipped"
MISSING: Final = "missing"
_METHOD: Final = "none"


def texts_of(
    record: Record, opened: Mapping[int, OpenedRun], notes: Mapping[int, Notes]
) -> dict[int, dict[int, str]]:
    """Return by worker and item the texts that came and are what was committed to.

    Args:
        record: The bounty.
        opened: By worker, the hashes.
        notes: By worker, what they told beside.
    """
    found = {}
    for worker, run in opened.items():
        told = notes[worker].texts if worker in notes else {}
        found[worker] = {
            item: told[item]
            for item, code in codes_by_item(record, worker, run).items()
            if item in told and code != SKIPPED and annotation_code(told[item]) == code
        }
    return found


def text_tables_of(
    result: Result,
    finding: Finding,
    *,
    names: Sequence[str] = (),
    notes: Mapping[int, Notes] | None = None,
) -> Tables:
    """Return a checked result as tables; `labels` has a column `text` and one that says its state.

    Args:
        result: The bounty, with its texts.
        finding: What checking it found.
        names: Of the items; their numbers if there are none.
        notes: By worker, what they told beside.
    """
    record = result.record
    called = list(names) or [str(number) for number in range(record.terms.items)]
    rows = sorted(_rows(result, finding, notes or {}), key=lambda row: (row["item"], row["round"]))
    provenance = provenance_of(result) | {"truthmark.method": _METHOD}
    schema = pa.schema(
        [
            ("item", pa.int32()),
            ("name", pa.string()),
            ("worker", pa.int32()),
            ("round", pa.int8()),
            ("text", pa.string()),
            ("state", pa.string()),
            ("seconds", pa.float64()),
            ("flag", pa.string()),
        ]
    )
    labels = pa.Table.from_pylist([row | {"name": called[row["item"]]} for row in rows], schema)
    texts: list[list[str]] = [[] for _ in called]
    given = Counter(row["item"] for row in rows if row["state"] != SKIP)
    for row in rows:
        if row["text"] is not None:
            texts[row["item"]].append(row["text"])
    items = pa.table(
        {
            "item": pa.array(range(len(called)), pa.int32()),
            "name": pa.array(called, pa.string()),
            "texts": pa.array(texts, pa.list_(pa.string())),
            "labels": pa.array([given[item] for item in range(len(called))], pa.int16()),
        }
    )
    return Tables(
        stamped(labels, provenance),
        stamped(items, provenance),
        stamped(_workers(result, finding, rows), provenance),
        provenance,
    )


def text_warnings_of(tables: Tables) -> list[str]:
    """Return what a requester should know of the texts, a line each."""
    rows = tables.labels.select(["worker", "state"]).to_pylist()
    workers = Counter(row["worker"] for row in rows if row["state"] == MISSING)
    if not workers:
        return []
    people = ", ".join(f"worker {worker}: {count}" for worker, count in workers.items())
    return [
        f"{plural(sum(workers.values()), 'text')} did not come, or are not what was committed to"
        f" ({people}); their hashes are paid all the same"
    ]


def text_summary_of(tables: Tables) -> dict[str, Any]:
    """Return how many texts there are, as JSON values."""
    states = Counter(tables.labels["state"].to_pylist())
    return {
        "items": tables.items.num_rows,
        "labeled": sum(bool(texts) for texts in tables.items["texts"].to_pylist()),
        "labels": tables.labels.num_rows,
        "workers": tables.workers.num_rows,
        **{state: states[state] for state in (WRITTEN, SKIP, MISSING)},
    }


def _rows(result: Result, finding: Finding, notes: Mapping[int, Notes]) -> list[dict[str, Any]]:
    record, rows = result.record, []
    for worker, run in finding.opened.items():
        start = int(record.roster.starts[worker])
        told, texts = notes.get(worker, Notes()), result.texts.get(worker, {})
        for item, code in codes_by_item(record, worker, run).items():
            state = SKIP if code == SKIPPED else WRITTEN if item in texts else MISSING
            rows.append(
                {
                    "item": item,
                    "worker": worker,
                    "round": start // record.terms.per_round,
                    "text": texts.get(item),
                    "state": state,
                    "seconds": told.seconds.get(item),
                    "flag": told.flags.get(item),
                }
            )
    return rows


def _workers(result: Result, finding: Finding, rows: Sequence[Mapping[str, Any]]) -> "pa.Table":
    record = result.record
    workers = np.flatnonzero(record.committed).tolist()
    counts = {
        state: Counter(row["worker"] for row in rows if row["state"] == state)
        for state in (WRITTEN, SKIP, MISSING)
    }
    paid = {payment.worker: payment for payment in finding.payments}
    marks = marks_of(record)
    return pa.table(
        {
            "worker": pa.array(workers, pa.int32()),
            "signer": [record.roster.rows[w].signer for w in workers],
            "payee": [record.roster.rows[w].payee for w in workers],
            **{
                state: pa.array([count[w] for w in workers], pa.int32())
                for state, count in counts.items()
            },
            "mark": pa.array([marks.get(w, "") for w in workers], pa.string()),
            "paid_units": pa.array(
                [str(paid[w].total) if w in paid else None for w in workers], pa.string()
            ),
        }
    )
