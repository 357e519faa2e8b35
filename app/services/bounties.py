# SPDX-License-Identifier: Apache-2.0
"""Bounties: what can be labeled, what it may pay, and whom one would work for."""

from collections.abc import Sequence
from typing import Final

from app import bounty_views as views
from app.services.reading import PATIENCE_SECONDS, Board, board, chain_now, shared_reader
from app.services.texts import about_of, amount_of
from truthmark.bounty.flows.board import NO_PAST, Brief, Past
from truthmark.bounty.flows.offers import USUAL_SKILL, usual_pay
from truthmark.bounty.headings import Heading
from truthmark.bounty.outlook import outlook
from truthmark.bounty.phases import Phase
from truthmark.bounty.reader import BOARD
from truthmark.bounty.terms import NO_ACCOUNT, Terms
from truthmark.session import Session
from truthmark.text import clean
from truthmark.waiting import Deadline

BOUNTY_PAGE_SIZE: Final = 12

KINDS: Final = {
    "text": "texts",
    "image": "pictures",
    "audio": "sounds",
    "pair": "pairs",
    "number": "rows of numbers",
}
_DRAWS: Final = 200
_MOST_CLASSES: Final = 8


def find_bounties(
    text: str = "",
    *,
    stage: views.Stage = views.Stage.JOINABLE,
    kind: str | None = None,
    access: views.Access | None = None,
    token: str | None = None,
    order: views.Order = views.Order.NEWEST,
    page: int = 1,
) -> views.FoundBounties:
    """Return a page of bounties.

    Args:
        text: Words that title or guidelines must contain, in any case.
        stage: How far they are.
        kind: What an item is, by one of `KINDS`.
        access: Who may join.
        token: Symbol of the token in which they pay.
        order: `BEST_PAID` counts only with `token`: amounts of different tokens do not compare.
        page: From 1; the last one where there are fewer.

    Raises:
        ConfigError: This network has no bounties.
        ChainError: The chain cannot be read.
    """
    reader = shared_reader()
    session, found = reader.session, board(reader.session)
    now = chain_now(session)
    wanted = session.profile.token(token).address.lower() if token else None
    staged = [brief for brief in found.briefs.values() if _stage_of(brief, now) is stage]
    headings = reader.headings.read([b.terms for b in staged], Deadline(PATIENCE_SECONDS))
    known = [(brief, headings.get(reader.headings.key(brief.terms))) for brief in staged]
    words = text.lower().split()
    fitting = [
        (brief, heading)
        for brief, heading in known
        if heading is not None
        and all(word in heading.searched for word in words)
        and (kind is None or heading.kind == kind)
        and (access is None or access_to(brief.terms) is access)
        and (wanted is None or brief.terms.token.lower() == wanted)
    ]
    if order is views.Order.CLOSING:
        fitting.sort(key=lambda entry: entry[0].phase(now).until or 0)
    elif order is views.Order.BEST_PAID and wanted is not None:
        fitting.sort(key=lambda entry: -(_hourly(*entry) or 0))
    pages = max(1, -(-len(fitting) // BOUNTY_PAGE_SIZE))
    page = min(max(page, 1), pages)
    return views.FoundBounties(
        bounties=tuple(
            _bounty(session, found, brief, heading, now)
            for brief, heading in fitting[(page - 1) * BOUNTY_PAGE_SIZE : page * BOUNTY_PAGE_SIZE]
        ),
        total=len(fitting),
        pages=pages,
        page=page,
        pending=sum(reader.headings.key(b.terms) not in headings for b in staged),
        hidden=sum(heading is None for heading in headings.values()),
        is_empty=not found.briefs,
    )


def access_to(terms: Terms) -> views.Access:
    """Return who may join."""
    if terms.is_team:
        return views.Access.INVITED
    return views.Access.EVERYBODY if terms.gate == NO_ACCOUNT else views.Access.ADMITTED


def record_of(past: Past) -> views.Record:
    """Return what a requester's earlier bounties say of them, in words."""
    if past.flat:
        return views.Record(
            f"{past.flat} of {past.ended} earlier bounties ended by silence or a proven lie",
            is_bad=True,
        )
    if past.paid is None:
        return views.Record("no record yet" if not past.ended else "nothing paid out yet")
    return views.Record(
        f"paid {past.paid:.0%} of the full price in {past.ended} before", is_good=True
    )


def _stage_of(brief: Brief, now: int) -> views.Stage:
    if brief.is_joinable(now):
        return views.Stage.JOINABLE
    return views.Stage.OVER if brief.status.has_ended else views.Stage.RUNNING


def _hourly(brief: Brief, heading: Heading) -> int | None:
    return usual_pay(brief.terms, heading.seconds_per_item)


def _bounty(
    session: Session, found: Board, brief: Brief, heading: Heading, now: int
) -> views.Bounty:
    terms = brief.terms
    hourly = _hourly(brief, heading)
    return views.Bounty(
        number=brief.bounty_id,
        title=clean(heading.title, 200) or "Untitled",
        kind=KINDS.get(heading.kind, "items"),
        classes=_some(heading.classes),
        flags=tuple(clean(flag, 80) for flag in heading.flags[:5]),
        price=amount_of(session, terms.price, terms.token),
        hourly=None if hourly is None else about_of(session, hourly, terms.token),
        seconds=heading.seconds_per_item,
        spread=spread_of(terms),
        record=record_of(found.pasts.get(terms.requester, NO_PAST)),
        access=access_to(terms),
        clock=clock_at(brief, now),
        judged=judged_of(session, brief.bounty_id, terms),
    )


def judged_of(session: Session, number: int, terms: Terms) -> views.Judged:
    """Return what a browser needs to know what a bounty pays at somebody's pace."""
    profile = session.profile
    numbers = ("classes", "items", "batch", "min_run", "gold_count", "full")
    return views.Judged(
        place=f"{profile.chain_id}/{profile.contracts[BOARD].address.lower()}/{number}",
        terms=(
            *((name, int(getattr(terms, name))) for name in numbers),
            ("price", str(terms.price)),
            ("token", terms.token),
        ),
        tokens=tuple(
            (("symbol", it.symbol), ("address", it.address), ("decimals", it.decimals))
            for it in profile.tokens
        ),
    )


def clock_at(brief: Brief, now: int) -> views.Clock:
    """Return where a bounty is at a moment of chain time."""
    phase = brief.phase(now)
    return views.Clock(
        phase=phase.name,
        says=phase.says,
        until=phase.until,
        then=what_follows(phase, brief.terms),
        now=now,
        batches_left=max(0, brief.terms.seats - brief.taken),
        batch=brief.terms.batch,
    )


def what_follows(phase: Phase, terms: Terms) -> str:
    """Return what comes after a phase, in the words of the pages."""
    if phase.name != "joining" or phase.until is None:
        return phase.then
    needed = terms.min_seats
    batches = "1 batch is" if needed == 1 else f"{needed:,} batches are"
    return f"labeling begins, if {batches} taken; else all money goes back"


def spread_of(terms: Terms) -> str:
    """Return which part of the full price careful people may expect, in words."""
    if terms.is_team:
        return "the full price for all who deliver"
    look = outlook(terms, skill=USUAL_SKILL, draws=_DRAWS)
    if f"{look.low:.0%}" == f"{look.high:.0%}":
        return f"{look.high:.0%} of it for careful work"
    return f"{look.low:.0%} to {look.high:.0%} of it for careful work"


def _some(classes: Sequence[str]) -> str:
    shown = ", ".join(clean(name, 60) for name in classes[:_MOST_CLASSES])
    more = len(classes) - _MOST_CLASSES
    return f"{shown} and {more} more" if more > 0 else shown
