# SPDX-License-Identifier: Apache-2.0
"""Asking again what is still unsure of a bounty, as another one."""

import contextlib
from pathlib import Path

from app import ask_views as views
from app.services.accounts import my_session, my_synced_session
from app.services.asked import find_workspace, run
from app.services.funding import AskLaterError, offer_view
from truthmark.bounty.answers import Known, read_known
from truthmark.bounty.flows.following import follow_up
from truthmark.bounty.flows.posting import Proposal
from truthmark.bounty.waves import BELOW
from truthmark.errors import BountyError
from truthmark.types import Progress


def usual_margin(number: int) -> int:
    """Return the margin below which an item is unsure, if nothing else is said."""
    return int(find_workspace(my_session(), number).draft.get("below") or BELOW)


def review_wave(number: int, below: int, rounds: int, given: str, report: Progress) -> views.Offer:
    """Make a bounty on what is still unsure, all but sent, and return it to be agreed to.

    Args:
        number: The bounty.
        below: The margin below which an item is unsure.
        rounds: Labels an item.
        given: Path of a CSV with answers that were not known before, or "".
        report: Told how far it is.

    Raises:
        TruthmarkError: It cannot be; the message says why.
    """
    session = my_synced_session()
    seen: list[Proposal] = []

    def ask_later(proposal: Proposal) -> bool:
        seen.append(proposal)
        raise AskLaterError

    with contextlib.suppress(AskLaterError):
        posted = follow_up(
            session,
            number,
            agree=ask_later,
            below=below,
            rounds=rounds,
            known=_given(given),
            changes={"unattended": True},
            bar=lambda what, unit: contextlib.nullcontext(report),
        )
        raise BountyError(f"these items were asked again before, as bounty {posted.bounty_id}")
    return offer_view(session, seen[0])


def fund_wave(number: int, below: int, rounds: int, given: str, most: str, report: Progress) -> int:
    """Create that bounty, for at most what was shown; return its number. It is paid once.

    Args:
        number: The bounty.
        below: As it was reviewed.
        rounds: As it was reviewed.
        given: As it was reviewed.
        most: What may be paid in.
        report: Told how far it is.

    Raises:
        PriceError: It takes more by now, or than the account has.
        TruthmarkError: It cannot be; the message says why.
    """
    session = my_synced_session()
    posted = follow_up(
        session,
        number,
        agree=lambda proposal: True,
        below=below,
        rounds=rounds,
        known=_given(given),
        changes={"unattended": True, "max_total": most},
        bar=lambda what, unit: contextlib.nullcontext(report),
    )
    run(posted.bounty_id)
    return posted.bounty_id


def _given(path: str) -> dict[str, Known]:
    return read_known(Path(path.strip()).expanduser()) if path.strip() else {}
