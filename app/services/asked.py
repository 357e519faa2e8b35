# SPDX-License-Identifier: Apache-2.0
"""The bounties that the account asked: which, how far they are, who runs them, who is invited."""

import contextlib
from typing import Any, Final

import streamlit as st

from app import ask_views as views
from app.services.accounts import my_session, my_synced_session
from app.services.amounts import rounded_up
from app.services.bounties import what_follows
from app.services.one_bounty import waits_for_payout
from app.services.reading import is_local
from app.services.runs import runner_of
from app.services.windows import clock, must_be_on
from truthmark.bounty.client import BountyClient
from truthmark.bounty.flows import inviting
from truthmark.bounty.flows.own_bounties import own_bounties
from truthmark.bounty.flows.standing import Standing, standing_of
from truthmark.bounty.payouts import Status
from truthmark.bounty.team import invitation_link
from truthmark.bounty.terms import Terms
from truthmark.bounty.workspace import Guest, Workspace
from truthmark.errors import BountyError, TruthmarkError
from truthmark.session import Session
from truthmark.text import clean, format_duration

_STEPS: Final = (
    ("People join", ("joining", "drawing")),
    ("They label", ("labeling", "correcting")),
    ("Labels come in", ("handing-in",)),
    ("Scored", ("scoring",)),
    ("Objections", ("challenge",)),
    ("Paid", ("over", "silent", "ended")),
)
_NOT_COME: Final = ("undrawn", "unlabeled")


# ------------------------------------------------------------------------ which, how far


def asked() -> tuple[views.Asked, ...]:
    """Return the account's bounties on this network, the newest first."""
    session = my_synced_session()
    return tuple(_row(session, number) for number, _ in sorted(own_bounties(session), reverse=True))


def progress(number: int) -> views.Progress:
    """Return how far a bounty is.

    Raises:
        BountyError: This home has nothing of it.
        ChainError: The chain cannot be read.
    """
    session = my_synced_session()
    find_workspace(session, number)
    standing = standing_of(session, number)
    terms, phase = standing.record.terms, standing.phase
    status, is_over = standing.record.status, standing.record.status.has_ended
    job = find_workspace(session, number).draft.get("job")
    return views.Progress(
        number=number,
        title=clean(standing.title, 200),
        phase=phase.name,
        says=_sentence(phase.says),
        until="" if phase.until is None else _until(phase.until, standing.now),
        then=what_follows(phase, terms),
        steps=_steps(phase.name, status),
        figures=_figures(session, standing),
        must_be_on=_window(session, number, terms, status, standing.now),
        is_open=status is Status.OPEN,
        is_over=is_over,
        is_paid=is_over and not waits_for_payout(session, standing.record),
        has_labels=bool(standing.received) and status is not Status.REFUNDED,
        is_team=terms.is_team,
        wave_of=int(job["before"]) if isinstance(job, dict) else 0,
        can_follow=status in (Status.SCORED, Status.SETTLED, Status.HALF, Status.SCORED_HALF)
        and not terms.is_team,
    )


def running(session: Session) -> tuple[int, ...]:
    """Return which of the account's bounties are not over, or not paid out, for all that is known.

    Args:
        session: Whose.
    """
    return tuple(
        sorted(n for n, workspace in own_bounties(session) if not workspace.progress.get("is_over"))
    )


def hours_on() -> tuple[tuple[int, str], ...]:
    """Return when this computer must be on, by bounty; nothing where none is on its way."""
    if not is_local() or my_session().known_address is None:
        return ()
    session = my_session()
    # One that was paid for just now is on the page at once.
    numbers = tuple(sorted(number for number, _ in own_bounties(session)))
    return _hours_on(f"{session.home} {session.profile.name} {session.address}", numbers, session)


@st.cache_data(ttl=5, max_entries=16, show_spinner=False)
def _hours_on(
    place: str, numbers: tuple[int, ...], _session: Session
) -> tuple[tuple[int, str], ...]:
    found = []
    client = None
    for number, workspace in sorted(own_bounties(_session)):
        with contextlib.suppress(TruthmarkError):
            if workspace.progress.get("is_over"):
                continue
            client = client or BountyClient(_session)
            state = client.board.functions.state(number).call()
            now = _session.chain.time()
            line = _window(_session, number, workspace.terms, Status(state.status), now)
            if line:
                found.append((number, f"Bounty {number}: {line}."))
    return tuple(found)


def _window(session: Session, number: int, terms: Terms, status: Status, now: int) -> str:
    if status not in (Status.OPEN, Status.DRAWN, Status.LABEL):
        return ""
    mark = BountyClient(session).mark(number)
    if status is Status.OPEN:
        mark += terms.join_seconds
    elif status is Status.DRAWN:
        mark = now
    if now > terms.deadlines(mark).score:
        return ""
    return must_be_on(terms, mark, now, is_latest=status is Status.OPEN)


def _row(session: Session, number: int) -> views.Asked:
    standing = standing_of(session, number)
    phase = standing.phase
    return views.Asked(
        number,
        clean(standing.title, 200) or f"Bounty {number}",
        _sentence(phase.says),
        "" if phase.until is None else _until(phase.until, standing.now),
        standing.record.status.has_ended,
    )


def find_workspace(session: Session, number: int) -> Workspace:
    """Return the folder of one of the account's bounties.

    Raises:
        BountyError: It has none here.
    """
    for found, workspace in own_bounties(session):
        if found == number:
            return workspace
    raise BountyError(
        f"bounty {number} was not asked by this account here; choose its account at the top"
    )


def _steps(phase: str, status: Status) -> tuple[tuple[str, Any], ...]:
    names = ["Joining", *(name for name, _ in _STEPS[1:])]
    if phase in _NOT_COME or status is Status.REFUNDED:
        return ((names[0], "done"), ("Paid back", "done" if status.has_ended else "now"))
    at = next((n for n, (_, phases) in enumerate(_STEPS) if phase in phases), 0)
    is_done = status.has_ended
    return tuple(
        (name, "done" if n < at or is_done else "now" if n == at else "todo")
        for n, (name, _) in enumerate(_STEPS)
    )


def _figures(session: Session, standing: Standing) -> tuple[tuple[str, str], ...]:
    terms = standing.record.terms
    found = [
        ("Labelers", f"{standing.joined:,}"),
        ("Batches taken", f"{standing.taken:,} of {terms.seats:,}"),
        ("Labels on chain", f"{standing.committed} of {standing.joined}"),
        ("Labels here", f"{standing.received or 0} of {standing.committed}"),
    ]
    if standing.paid:
        found.append(("Paid", str(session.profile.amount(standing.paid_units, terms.token))))
    else:
        paid_in = session.profile.amount(terms.pot + terms.bond, terms.token)
        found.append(("Paid in", rounded_up(paid_in)))
    return tuple(found)


def _until(unix: int, now: int) -> str:
    left = unix - now
    away = f"in {format_duration(left)}" if left >= 0 else f"{format_duration(-left)} ago"
    return f"{clock(unix, now)} ({away})"


def _sentence(text: str) -> str:
    said = clean(text, 400)
    return said[:1].upper() + said[1:]


# ----------------------------------------------------------------------------- running


def run_state(number: int) -> views.Run:
    """Return how the process that runs a bounty is; a dead one is started again.

    Raises:
        BountyError: This home has nothing of it.
    """
    session = my_session()
    workspace, runner = find_workspace(session, number), runner_of(str(session.home))
    if "signer" in session.__dict__:
        runner.trust(session)
    return runner.state(session, workspace)


def run(number: int) -> None:
    """Run a bounty from now on, in a process that outlives this page.

    Raises:
        TruthmarkError: The account is locked, or this home has nothing of it.
    """
    session = my_session()
    _ = session.signer
    runner_of(str(session.home)).start(session, find_workspace(session, number))


# ------------------------------------------------------------------------- invitations


def invitations(number: int) -> tuple[views.Invitation, ...]:
    """Return who is invited to a bounty of a team, and how each comes in."""
    workspace = find_workspace(my_session(), number)
    urls = workspace.document.relay_urls
    came = {name: signer for signer, name in workspace.people.items()}
    return tuple(
        _invitation(number, urls[0] if urls else "", guest, came.get(guest.name, ""))
        for guest in workspace.guests
    )


def _invitation(number: int, url: str, guest: Guest, signer: str) -> views.Invitation:
    base = url.rstrip("/")
    line = f"truthmark bounty join {number} --relay {base}"
    return views.Invitation(
        name=clean(guest.name, 100),
        link=invitation_link(base, number, guest.code),
        command=f"{line} --code {guest.code}" if guest.code else line,
        is_by_account=not guest.code,
        signer=signer,
    )


def revoke(number: int, name: str) -> None:
    """Take an invitation back; see `inviting.revoke`."""
    inviting.revoke(my_synced_session(), number, _guest_name(number, name))


def invite_again(number: int, name: str) -> None:
    """Make a new invitation for somebody; see `inviting.invite_again`."""
    inviting.invite_again(my_synced_session(), number, _guest_name(number, name))


def invite(number: int, text: str) -> None:
    """Invite one more; see `inviting.invite`."""
    inviting.invite(my_synced_session(), number, text)


def _guest_name(number: int, shown: str) -> str:
    """Return the name that a page shows cleaned."""
    for guest in find_workspace(my_session(), number).guests:
        if clean(guest.name, 100) == shown:
            return guest.name
    raise BountyError(f"nobody is invited to bounty {number} as {shown}; reload the page")
