# SPDX-License-Identifier: Apache-2.0
"""From what is filled in to a bounty that is paid for, by the flow of the command line.

What was agreed to is on disk before anything is paid, and whatever is changed afterwards, or gone,
funding goes on with just that: once.
"""

import contextlib
from dataclasses import asdict, replace
from typing import Any, Final

from app import ask_views as views
from app.services.accounts import my_session, my_synced_session
from app.services.asking import ask_of, cost_view
from app.services.drafts import drop_note, find_note, save_form, save_note
from app.services.shelves import shelf_of
from truthmark.bounty.answers import Known
from truthmark.bounty.document import LabelClass, WatchNode
from truthmark.bounty.flows.asks import Ask, Proposal
from truthmark.bounty.flows.posting import post_bounty, was_sent
from truthmark.bounty.sources.found import ItemSource, ReadBefore
from truthmark.bounty.team import Member
from truthmark.errors import BountyError
from truthmark.session import Session
from truthmark.text import clean
from truthmark.types import Progress, bar_of

_OFFER: Final = "offer"


class AskLaterError(Exception):
    """Ends the flow where the requester is to be asked."""


def review(form: views.AskForm, progress: Progress) -> views.Offer:
    """Make the bounty as it will be, all but sent, and return it to be agreed to.

    Raises:
        TruthmarkError: It cannot be; the message says why.
    """
    session = my_synced_session()
    # The copies that were shown and answered, and not what has become of the source since.
    shelf = shelf_of(form)
    source, ask = shelf.source(), ask_of(form, session)
    seen: list[Proposal] = []

    def ask_later(proposal: Proposal) -> bool:
        seen.append(proposal)
        raise AskLaterError

    drop_note(form, _OFFER)
    with contextlib.suppress(AskLaterError):
        posted = post_bounty(session, source, ask, agree=ask_later, bar=bar_of(progress))
        # The very same was created before, or agreed to: it is what this form became.
        save_form(replace(form, bounty=posted.bounty_id))
        raise BountyError(
            f"the same was asked before: it is bounty {posted.bounty_id}, and nothing was paid"
            " again; change something, such as the title, to ask once more"
        )
    (proposal,) = seen
    offer = replace(
        offer_view(session, proposal),
        lines=tuple(clean(line, 400) for line in shelf.reading.lines()),
    )
    save_note(
        form,
        _OFFER,
        {
            "ask": asdict(replace(ask, max_total=offer.cost.total)),
            "kind": source.kind,
            "fingerprint": source.fingerprint,
            "shown": asdict(offer),
        },
    )
    return offer


def offer_of(form: views.AskForm) -> views.Offer | None:
    """Return what was made to be agreed to, and whether it was; None before.

    Raises:
        ChainError: The journal cannot be read.
    """
    note = find_note(form, _OFFER)
    if note is None:
        return None
    shown = note["shown"]
    chances = tuple(views.Chances(**entry) for entry in shown["cost"]["chances"])
    known = {
        "facts": tuple(map(tuple, shown["cost"]["facts"])),
        "warnings": tuple(shown["cost"]["warnings"]),
        "chances": chances,
    }
    return views.Offer(
        **shown
        | {
            "cost": views.Cost(**shown["cost"] | known),
            "gold": tuple((name, count) for name, count in shown["gold"]),
            "lines": tuple(shown["lines"]),
            "was_sent": was_sent(my_session(), *_agreed(note)),
        }
    )


def withdraw_offer(form: views.AskForm) -> None:
    """Go back to changing it; refused once it was sent.

    Raises:
        BountyError: It was.
    """
    note = find_note(form, _OFFER)
    if note is not None and was_sent(my_session(), *_agreed(note)):
        raise BountyError("this was sent and cannot be changed any more; go on with it")
    drop_note(form, _OFFER)


def fund(form: views.AskForm, progress: Progress) -> int:
    """Create the bounty that was reviewed, for at most what was shown; return its number.

    Again after a kill, or in another window, it goes on; it is paid once.

    Raises:
        BountyError: Nothing was reviewed.
        PriceError: It takes more by now, or than the account has.
        ChainError: The board refuses.
    """
    note = find_note(form, _OFFER)
    if note is None:
        raise BountyError("nothing was agreed to yet; review it first")
    source, ask = _agreed(note)
    posted = post_bounty(
        my_synced_session(), source, ask, agree=lambda proposal: True, bar=bar_of(progress)
    )
    save_form(replace(form, bounty=posted.bounty_id))
    return posted.bounty_id


def _agreed(note: dict[str, Any]) -> tuple[ItemSource, Ask]:
    value = dict(note["ask"])
    value |= {
        "classes": tuple(LabelClass(**entry) for entry in value["classes"]),
        "known": {name: Known(**entry) for name, entry in value["known"].items()},
        "team": tuple(Member(**entry) for entry in value["team"]),
        "watch": tuple(WatchNode(**entry) for entry in value["watch"]),
        "relay_urls": tuple(value["relay_urls"]),
        "receiver_urls": tuple(value.get("receiver_urls", ())),
        "flags": tuple(value["flags"]),
        "waves": tuple(value["waves"]),
    }
    return ReadBefore(note["kind"], note["fingerprint"]), Ask(**value)


def offer_view(session: Session, proposal: Proposal) -> views.Offer:
    """Return a proposal as a page shows it."""
    warnings = list(proposal.warnings)
    if proposal.idle:
        warnings.append(f"there is no work for {proposal.idle} of those who are invited")
    return views.Offer(
        title=clean(proposal.document.title, 200),
        cost=cost_view(session, proposal.terms, proposal.estimate, warnings),
        items=proposal.terms.items,
        shown=len(proposal.reading.shown),
        gold=tuple((clean(name, 60), count) for name, count in proposal.gold.items()),
        lines=tuple(clean(line, 400) for line in proposal.reading.lines()),
        was_sent=False,
    )
