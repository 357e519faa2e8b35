# SPDX-License-Identifier: Apache-2.0
"""`truthmark bounty list` and `truthmark bounty show`: what can be labeled, and what it pays."""

from typing import Any

import click

from truthmark.bounty.annotations import MAX_LETTERS
from truthmark.bounty.client import BountyClient
from truthmark.bounty.flows.board import NO_PAST, Brief, Past, briefs, open_briefs, pasts_of
from truthmark.bounty.flows.labeling import Labeling
from truthmark.bounty.flows.offers import USUAL_SKILL, Offer, doubts, own_gas, usual_pay
from truthmark.bounty.headings import Heading, Headings
from truthmark.bounty.payouts import Status
from truthmark.bounty.phases import phase_of
from truthmark.bounty.shape import Shape
from truthmark.bounty.terms import NO_ACCOUNT
from truthmark.cli.command import State, command, json_option
from truthmark.cli.output import amount_json, echo_json, info, print_fields, table
from truthmark.cli.param_types import BOUNTY
from truthmark.session import Session
from truthmark.text import clean, format_duration, format_time, plural
from truthmark.waiting import Deadline

_WRITE = f"a text of your own, at most {MAX_LETTERS} letters"
_PATIENCE = 4.0
"""Seconds to wait for titles; those that do not come are left out."""

_STATES = {
    Status.OPEN: "joining",
    Status.DRAWN: "drawing",
    Status.LABEL: "labeling",
    Status.SCORED: "scored",
    Status.SCORED_HALF: "scored",
    Status.SETTLED: "paid by score",
    Status.HALF: "half paid to all",
    Status.FLAT: "paid in full, as no score came",
    Status.PROVEN: "paid in full, as the score was wrong",
    Status.REFUNDED: "did not take place",
}

relay_option = click.option(
    "--relay", metavar="URL", help="Ask this relay, where the bounty's document names none."
)


@command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that can no longer be joined.")
@json_option
def list_bounties(state: State, everything: bool, as_json: bool) -> None:
    """Show which bounties can be joined, and what they pay."""
    with state.session() as session:
        client = BountyClient(session)
        found = briefs(client) if everything else open_briefs(client)
        pasts = pasts_of(session.follower.index)
        headings = Headings.of(session)
        known = headings.read([b.terms for b in found], Deadline(_PATIENCE))
        rows = [
            (b, known.get(headings.key(b.terms)), pasts.get(b.terms.requester, NO_PAST))
            for b in found
        ]
        if as_json:
            echo_json([_brief_json(session, *row) for row in rows])
            return
        if not found:
            info("no bounty can be joined just now; --all shows those before")
            return
        table(
            [_brief_row(session, *row) for row in rows],
            (
                "bounty",
                "title",
                "a label",
                "an hour, about",
                "requester pays",
                "state",
                "seats left",
            ),
        )
        skill = round(100 * USUAL_SKILL)
        info(f"an hour is for who is right in {skill} of 100; `truthmark bounty show N` tells more")


@command()
@click.argument("bounty", type=BOUNTY)
@relay_option
@json_option
def show(state: State, bounty: int, relay: str | None, as_json: bool) -> None:
    """Show all about BOUNTY: what is asked, how it pays, and who is behind it."""
    with state.session() as session, Labeling(session, bounty, relay=relay, say=info) as labeling:
        offer = labeling.offer()
        found = doubts(session, offer, seats=offer.terms.max_run)
        if as_json:
            echo_json(_offer_json(session, offer, found))
            return
        _print_offer(session, offer)
        if offer.record.status is Status.OPEN:
            info(own_gas(session, offer.record, offer.terms.max_run))
        for doubt in found:
            info(f"mind: {doubt}")


def pay_line(session: Session, offer: Offer, seconds: float | None = None) -> str:
    """Return what an hour may bring in words; nothing where nobody knows."""
    units = offer.hourly(seconds)
    if units is None:
        return ""
    return f"about {session.profile.amount(_three_digits(units), offer.terms.token)} an hour"


def _three_digits(units: int) -> int:
    """Return an amount that is only estimated as well as it is known."""
    return round(units, 3 - len(str(units)))


def _brief_row(
    session: Session, brief: Brief, heading: Heading | None, past: Past
) -> tuple[Any, ...]:
    terms, show = brief.terms, session.profile.amount
    hourly = None if heading is None else usual_pay(terms, heading.seconds_per_item)
    is_open = brief.status is Status.OPEN
    return (
        brief.bounty_id,
        "?" if heading is None else heading.title,
        show(terms.price, terms.token),
        "?" if hourly is None else show(_three_digits(hourly), terms.token),
        _paid(past),
        f"joins until {format_time(brief.join_until)}" if is_open else _STATES[brief.status],
        terms.seats - brief.taken if is_open else "",
    )


def _paid(past: Past) -> str:
    if past.paid is None:
        return "no record yet"
    return f"{past.paid:.0%} of the full price ({past.ended} before)"


def _past_json(past: Past) -> dict[str, Any]:
    return {
        "ended": past.ended,
        "flat": past.flat,
        "refunded": past.refunded,
        "paid_share": past.paid,
    }


def _brief_json(
    session: Session, brief: Brief, heading: Heading | None, past: Past
) -> dict[str, Any]:
    terms = brief.terms
    hourly = None if heading is None else usual_pay(terms, heading.seconds_per_item)
    return {
        "bounty": brief.bounty_id,
        "title": None if heading is None else clean(heading.title),
        "status": brief.status.name.lower(),
        "price": amount_json(session, terms.price, terms.token),
        "hour": None if hourly is None else amount_json(session, hourly, terms.token),
        "join_until": brief.join_until,
        "seats_left": terms.seats - brief.taken,
        "items": terms.items,
        "kind": None if heading is None else heading.kind,
        "classes": None if heading is None else heading.classes,
        "requester": terms.requester,
        "record": _past_json(past),
    }


def _offer_json(session: Session, offer: Offer, found: list[str]) -> dict[str, Any]:
    terms, document = offer.terms, offer.document
    hourly = offer.hourly()
    phase = phase_of(offer.record, offer.mark, offer.now)
    return {
        "bounty": offer.record.ref.bounty_id,
        "title": clean(document.title),
        "phase": phase.name,
        "until": phase.until,
        "pay_rule": offer.pay_rule,
        "price": amount_json(session, terms.price, terms.token),
        "hour": None if hourly is None else amount_json(session, hourly, terms.token),
        "expected_share": offer.outlook.mean,
        "kind": document.kind,
        "classes": [entry.name for entry in document.classes],
        "asks_for_texts": not document.classes,
        "guidelines": document.guidelines,
        "licence": document.licence,
        "flags": list(document.flags),
        "items": terms.items,
        "rounds": terms.rounds,
        "batch": terms.batch,
        "min_seats_each": terms.min_run,
        "max_seats_each": terms.max_run,
        "seats": terms.seats,
        "seats_taken": int(offer.record.roster.runs.sum()),
        "requester": terms.requester,
        "relay": terms.relay,
        "gate": None if terms.gate == NO_ACCOUNT else terms.gate,
        "record": _past_json(offer.past),
        "doubled_signers": offer.doubled,
        "doubts": found,
    }


def _print_offer(session: Session, offer: Offer) -> None:
    terms, document, profile = offer.terms, offer.document, session.profile
    phase = phase_of(offer.record, offer.mark, offer.now)
    until = f" until {format_time(phase.until, offer.now)}" if phase.until is not None else ""
    look = offer.outlook
    share = f"{look.low:.0%} to {look.high:.0%} of the full price for who is right in "
    shape = Shape.of(terms)
    least, most = shape.least_labels, shape.most_labels
    span = str(most) if least == most else f"{least} to {most}"
    print_fields(
        [
            ("bounty", f"{offer.record.ref.bounty_id}: {document.title}"),
            ("now", f"{phase.says}{until}; then: {phase.then}" if phase.then else phase.says),
            ("you label", f"{span} of {plural(terms.items, document.kind + ' item')}"),
            ("answers", ", ".join(entry.name for entry in document.classes) or _WRITE),
            ("content", ", ".join(document.flags)),
            ("a label", profile.amount(terms.price, terms.token)),
            ("an hour", pay_line(session, offer)),
            ("how it pays", offer.pay_rule),
            ("so", "" if terms.is_team else f"{share}{offer.skill:.0%}"),
            (
                "asked of each",
                f"{plural(terms.rounds, 'labeler')}, none of whom sees another's answers",
            ),
            ("weak spot", _weakness(offer)),
            ("time to label", format_duration(terms.label_seconds)),
            ("to hand it out", format_duration(terms.grace_seconds + terms.release_seconds)),
            (
                "score after that",
                f"within {format_duration(terms.score_seconds)}, or all are paid in full",
            ),
            ("to disprove it", format_duration(terms.challenge_seconds)),
            ("requester", f"{terms.requester}; has paid: {_paid(offer.past)}"),
            ("before", _before(offer.past)),
            (
                "admits",
                f"only whom the gate {terms.gate} admits" if terms.gate != NO_ACCOUNT else "",
            ),
            ("your grant", document.licence),
            ("on the roster twice", ", ".join(offer.doubled)),
            ("guidelines", document.guidelines[:600]),
        ]
    )
    if offer.doubled:
        info("mind: a labeler stands on the roster twice; do not label for this requester")
    if document.practice:
        info(f"`truthmark bounty practice {offer.record.ref.bounty_id}` lets you try it")


def _weakness(offer: Offer) -> str:
    """Say what passes below five rounds, as recorded crowds showed."""
    terms = offer.terms
    if terms.is_team or terms.rounds >= 5:
        return ""
    return (
        f"with {terms.rounds} answers an item, hard or false gold is found less surely than with 5;"
        " the requester's record is what tells"
    )


def _before(past: Past) -> str:
    parts = [
        f"{past.flat} ended by silence or a proven lie" if past.flat else "",
        f"{past.refunded} did not take place" if past.refunded else "",
    ]
    return "; ".join(part for part in parts if part)
