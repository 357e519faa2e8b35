# SPDX-License-Identifier: Apache-2.0
"""`truthmark bounty result` and `verify`: what a bounty brought, and checking it from scratch."""

import contextlib
from pathlib import Path
from typing import Any

import click

from truthmark.arrow import pq
from truthmark.bounty import reader
from truthmark.bounty import verify as checking
from truthmark.bounty.exports import FORMATS
from truthmark.bounty.flows.following import job_of
from truthmark.bounty.flows.item_check import ItemsCheck, check_items
from truthmark.bounty.flows.results import (
    RESULT_NAME,
    Brought,
    check_without_result,
    collect_result,
    find_document,
    read_result,
    save_result,
)
from truthmark.bounty.record import Record
from truthmark.bounty.result import Result
from truthmark.bounty.result_tables import summary_of
from truthmark.bounty.text_tables import text_summary_of
from truthmark.bounty.verify import Finding
from truthmark.cli.command import State, command, json_option
from truthmark.cli.output import (
    amount_json,
    echo,
    echo_json,
    info,
    print_fields,
    progress_bar,
    table,
)
from truthmark.cli.param_types import BOUNTY, FOLDER
from truthmark.errors import BountyError, ConfigError
from truthmark.session import Session
from truthmark.text import clean, plural


@command()
@click.argument("bounty", type=BOUNTY)
@click.option("--to", "folder", type=FOLDER, help="Write it there.")
@click.option(
    "--format",
    "formats",
    multiple=True,
    metavar="NAME",
    help=f"{', '.join(FORMATS)}; more than once for several.  [default: parquet]",
)
@json_option
def result(
    state: State, bounty: int, folder: Path | None, formats: tuple[str, ...], as_json: bool
) -> None:
    """Show what BOUNTY brought so far, checked against the chain, and write it as tables.

    With --to: a row a label, a row an item (label, margin, confidence), a row a worker, and
    result.json, with which anyone can check all of it (`truthmark bounty verify`).
    """
    if formats and folder is None:
        raise ConfigError("say where it is written: --to FOLDER")
    for name in formats:
        if name not in FORMATS:
            raise ConfigError(f"there is no format {name!r}; choose one of {', '.join(FORMATS)}")
    with state.session() as session:
        brought = collect_result(session, bounty, bar=progress_bar)
        written: list[Path] = []
        if folder is not None:
            written = save_result(session, brought, folder, formats)
            if brought.workspace.draft.get("job"):
                written.append(_write_job(session, brought, folder))
        found = None
        if brought.tables is not None:
            found = (summary_of if brought.classes else text_summary_of)(brought.tables)
        warnings = [*brought.finding.problems, *brought.warnings]
        record = brought.result.record
        if as_json:
            echo_json(
                {
                    "bounty": bounty,
                    "status": record.status.name,
                    "problems": brought.finding.problems,
                    "warnings": brought.warnings,
                    "summary": found,
                    "written": [str(path) for path in written],
                }
            )
            return
        print_fields(_facts(record, found))
        for line in warnings:
            info(f"mind: {line}")
        for path in dict.fromkeys(written):
            info(f"written: {path}")
        if folder is not None and found is not None:
            _tell_next(folder, bounty)


def _write_job(session: Session, brought: Brought, folder: Path) -> Path:
    """Write what all waves up to this one say together of all items of the first."""
    path = folder / "job.parquet"
    number = brought.result.record.ref.bounty_id
    pq.write_table(job_of(session, number, last=brought).table(), path)
    return path


def _facts(record: Record, found: dict[str, Any] | None) -> list[tuple[str, object]]:
    facts: list[tuple[str, object]] = [("status", record.status.name.lower().replace("_", ", "))]
    if found is None:
        return [*facts, ("labels", "none yet")]
    if "classes" not in found:
        states = " · ".join(f"{found[state]} {state}" for state in ("written", "skipped"))
        missing = f" · {found['missing']} did not come" if found["missing"] else ""
        return [
            *facts,
            ("items", f"{found['labeled']} of {found['items']} have a text"),
            ("texts", f"{states}{missing}, by {plural(found['workers'], 'worker')}"),
        ]
    classes = ", ".join(f"{count} × {clean(n, 60)}" for n, count in found["classes"].items())
    return [
        *facts,
        ("items", f"{found['labeled']} of {found['items']} have a label"),
        ("labels", f"{found['labels']} by {plural(found['workers'], 'worker')}"),
        ("classes", classes),
        ("least sure", ", ".join(map(_unsure, found["least_sure"]))),
    ]


def _unsure(one: dict[str, str | None]) -> str:
    label = "no label" if one["label"] is None else clean(one["label"], 60)
    return f"{clean(one['name'], 80)} ({label})"


def _tell_next(folder: Path, bounty: int) -> None:
    info(f"anyone can check it with: truthmark bounty verify {folder / RESULT_NAME}")
    if (folder / "items.parquet").is_file():
        info(f"to sell it: truthmark list {folder / 'items.parquet'} --bounty {bounty} …")


@command()
@click.argument("what", metavar="RESULT|BOUNTY")
@click.option("--offline", is_flag=True, help="Check the file in itself, without the chain.")
@click.option("--no-items", is_flag=True, help="Do not read the items from storage.")
@json_option
def verify(state: State, what: str, offline: bool, no_items: bool, as_json: bool) -> None:
    """Check any finished bounty from scratch.

    With a result file: chain, gold, score, and every commitment, label, share and payout.
    With a bounty's number alone: all of that except the labels, which only the requester can open.
    Items are held against list, document and terms where a storage has them.
    """
    if what.isdecimal() and not Path(what).exists():
        if offline:
            raise ConfigError("without a chain a result file is needed; name one")
        with state.session() as session:
            record, finding = check_without_result(session, int(what))
            items = _items(session, record, skips=no_items)
            _show(state, session, Result(record), finding, items, as_json=as_json)
        return
    try:
        data = Path(what).read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{what} cannot be read ({error.strerror}); name a result file"
        ) from error
    found = read_result(data)
    if offline:
        with progress_bar("opening", "workers") as progress:
            finding = checking.verify(found, progress=progress)
        items = ItemsCheck(unchecked="without a network")
        _show(state, None, found, finding, items, as_json=as_json)
        return
    with state.session() as session:
        anchors = reader.read_anchors(session.chain, found.record)
        with progress_bar("opening", "workers") as progress:
            finding = checking.verify(found, anchors, progress=progress)
        items = _items(session, found.record, skips=no_items)
        _show(state, session, found, finding, items, as_json=as_json)


def _items(session: Session, record: Record, *, skips: bool) -> ItemsCheck:
    """Hold the items in storage against list, document and terms."""
    if skips:
        return ItemsCheck(unchecked="as asked for")
    try:
        document = find_document(session, record)
    except BountyError as error:
        return ItemsCheck(problem=str(error))
    return check_items(session, document, bar=progress_bar)


def _items_line(items: ItemsCheck) -> str:
    if items.unchecked:
        return f"not checked: {items.unchecked}"
    if items.problem:
        return "not those of the terms"
    return f"{plural(items.count, 'item')} in storage, as list, document and terms name them"


def _texts_line(result: Result) -> str | None:
    """Return how many texts are what was committed to; None where labels are classes."""
    if result.record.terms.classes:
        return None
    count = sum(map(len, result.texts.values()))
    return f"{count}, each as it was committed to" if count else "none here; hashes alone"


def _show(
    state: State,
    session: Session | None,
    result: Result,
    finding: Finding,
    items: ItemsCheck,
    *,
    as_json: bool,
) -> None:
    """Print what was found, and end with an error where something is wrong."""
    record = result.record
    terms, number = record.terms, record.ref.bounty_id
    document = None
    if session is not None:
        with contextlib.suppress(BountyError):  # which is said of the items
            document = find_document(session, record)
    problems = [*finding.problems, *([items.problem] if items.problem else [])]
    opened = sum(run.seats for run in finding.opened.values())
    if as_json:
        echo_json(
            {
                "bounty": number,
                "status": record.status.name,
                "problems": problems,
                "warnings": finding.warnings,
                "items_checked": items.count,
                "items_unchecked": items.unchecked or None,
                "seats_opened": opened,
                "labels_made": finding.labels is not None,
                "texts": sum(map(len, result.texts.values())),
                "payments": [
                    {
                        "worker": payment.worker,
                        "payee": payment.payee,
                        "units": str(payment.total),
                        **(
                            {}
                            if session is None
                            else amount_json(session, payment.total, terms.token)
                        ),
                    }
                    for payment in finding.payments
                ],
            }
        )
    else:
        print_fields(
            [
                ("bounty", number),
                ("title", document.title if document is not None else None),
                ("status", record.status.name.lower().replace("_", ", ")),
                (
                    "labels",
                    f"{opened} seats opened, each root built again" if opened else "not checked",
                ),
                ("texts", _texts_line(result)),
                ("items", _items_line(items)),
                ("workers", f"{int((record.committed > 0).sum())} committed"),
            ]
        )
        if finding.payments:
            echo()
            show = state.profile.amount
            table(
                [(p.worker, p.payee, show(p.total, terms.token)) for p in finding.payments],
                ("worker", "payee", "gets"),
            )
        for line in finding.warnings:
            info(f"mind: {line}")
    if problems:
        for line in problems[1:]:
            info(f"wrong: {line}")
        raise BountyError(f"{problems[0]}; do not trust this bounty's result")
    if not as_json:
        info("everything holds" if session is not None else "everything holds, the chain unasked")
