# SPDX-License-Identifier: Apache-2.0
"""`truthmark bounty status`: how a bounty stands, and what comes next."""

from dataclasses import replace
from typing import Any

import click

from truthmark.bounty.flows.standing import Share, Standing, standing_of
from truthmark.bounty.headings import Headings
from truthmark.cli.command import State, command, json_option
from truthmark.cli.output import amount_json, echo, echo_json, print_fields
from truthmark.cli.param_types import BOUNTY
from truthmark.config.units import Amount
from truthmark.session import Session
from truthmark.text import clean, format_time, plural
from truthmark.waiting import Deadline

_PATIENCE = 4.0
"""Seconds to wait for a title that is not on this disk."""


@command()
@click.argument("bounty", type=BOUNTY)
@json_option
def status(state: State, bounty: int, as_json: bool) -> None:
    """Show how BOUNTY stands, what comes next, and what you earn.

    For its requester also how many label files are here and signed for.
    """
    with state.session() as session:
        found = standing_of(session, bounty)
        found = replace(found, title=_title(session, found))
        if as_json:
            echo_json(_as_json(session, found))
        else:
            _show(session, found)


def _title(session: Session, found: Standing) -> str:
    """Return what the requester calls it, safe to show; empty if that is not to be had."""
    known, terms = found.title, found.record.terms
    if not known:  # its document is not on this disk
        headings = Headings.of(session)
        heading = headings.read([terms], Deadline(_PATIENCE)).get(headings.key(terms))
        known = "" if heading is None else heading.title
    return clean(known, 200)


def _show(session: Session, found: Standing) -> None:
    record, terms, phase = found.record, found.record.terms, found.phase

    def amount(units: int) -> Amount:
        return session.profile.amount(units, terms.token)

    echo(f"bounty {record.ref.bounty_id}{f': {found.title}' if found.title else ''}")
    until = None if phase.until is None else format_time(phase.until, found.now)
    seats = plural(terms.seats, "seat")
    print_fields(
        [
            ("now", phase.says),
            ("until", until),
            ("then", phase.then),
            ("joined", f"{plural(found.joined, 'labeler')}, {found.taken} of {seats}"),
            ("needed", plural(terms.min_seats, "seat") if phase.name == "joining" else None),
            ("committed", f"{plural(found.committed, 'labeler')}, {found.seats_committed} seats"),
            ("files here", found.received),
            ("signed for", found.acknowledged),
            ("posted on chain", plural(len(record.posted), "labeler") if record.posted else None),
            ("paid", f"{plural(found.paid, 'labeler')}, {amount(found.paid_units)}"),
            ("withheld", f"{amount(found.burned_units)}, burned" if found.burned_units else None),
            ("waits for you", amount(found.owed_units) if found.owed_units else None),
            ("folder", found.workspace.folder if found.workspace is not None else None),
        ],
        indent=2,
    )
    for share in found.shares:
        echo(f"  you, worker {share.worker}")
        print_fields(
            [
                ("seats", f"{share.committed} of {share.seats} committed"),
                ("labels", _delivery(share)),
                ("score", None if share.score is None else f"{share.score:.1%} of the full price"),
                ("mark", share.mark),
                (_earns(found), None if share.payment is None else amount(share.payment.total)),
            ],
            indent=4,
        )


def _delivery(share: Share) -> str | None:
    if share.is_posted:
        return "delivered: posted on chain, sealed"
    return "delivered: the requester has signed for them" if share.is_acknowledged else None


def _earns(found: Standing) -> str:
    return "earned" if found.record.status.has_ended else "earns, if that stands"


def _as_json(session: Session, found: Standing) -> dict[str, Any]:
    record, terms, phase = found.record, found.record.terms, found.phase
    return {
        "bounty": record.ref.bounty_id,
        "title": found.title or None,
        "status": record.status.name,
        "phase": phase.name,
        "says": phase.says,
        "until": phase.until,
        "then": phase.then or None,
        "chain_time": found.now,
        "joined": found.joined,
        "seats": terms.seats,
        "seats_taken": found.taken,
        "seats_needed": terms.min_seats,
        "committed": found.committed,
        "seats_committed": found.seats_committed,
        "files_here": found.received,
        "acknowledged": found.acknowledged,
        "posted": sorted(record.posted),
        "paid": found.paid,
        "paid_amount": amount_json(session, found.paid_units, terms.token),
        "burned": amount_json(session, found.burned_units, terms.token),
        "owed_to_you": amount_json(session, found.owed_units, terms.token),
        "yours": [_share_json(session, share, terms.token) for share in found.shares],
    }


def _share_json(session: Session, share: Share, token: str) -> dict[str, Any]:
    payment = share.payment
    return {
        "worker": share.worker,
        "seats": share.seats,
        "committed": share.committed,
        "is_posted": share.is_posted,
        "is_acknowledged": share.is_acknowledged,
        "score": share.score,
        "mark": share.mark or None,
        "earned": None if payment is None else amount_json(session, payment.total, token),
    }
