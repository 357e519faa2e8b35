# SPDX-License-Identifier: Apache-2.0
"""Asking again what is still unsure of a bounty, as another one."""

import contextlib

from app import ask_views as views
from app.services.accounts import my_session, my_synced_session
from app.services.asked import find_workspace, run
from app.services.funding import AskLaterError, offer_view
from truthmark.bounty.flows.following import follow_up
from truthmark.bounty.flows.posting import Proposal
from truthmark.bounty.waves import BELOW
from truthmark.errors import BountyError
from truthmark.types import Progress


def usual_margin(number: int) -> int:
    """Return the margin below which an item is unsure, if nothing else is said."""
    return int(find_workspace(my_session(), number).draft.get("below") or BELOW)


def review_wave(number: int, below: int, rounds: int, report: Progress) -> views.Offer:
    """Make a bounty on what is still unsure, all but sent, and return it to be agreed to.

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
            changes={"unattended": True},
            bar=lambda what, unit: contextlib.nullcontext(report),
        )
        raise BountyError(f"these items were asked again before, as bounty {posted.bounty_id}")
    return offer_view(session, seen[0])


def fund_wave(number: int, below: int, rounds: int, most: str, report: Progress) -> int:
    """Create that bounty, for at most what was shown; return its number. It is paid once.

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
        changes={"unattended": True, "max_total": most},
        bar=lambda what, unit: contextlib.nullcontext(report),
    )
    run(posted.bounty_id)
    return posted.bounty_id
