# SPDX-License-Identifier: Apache-2.0
"""Asking again what is still unsure of a bounty, as another one."""

import contextlib
from dataclasses import dataclass
from typing import Final

import numpy as np
import streamlit as st

from app import ask_views as views
from app.services.accounts import my_session, my_synced_session
from app.services.asked import find_workspace, run
from app.services.funding import AskLaterError, offer_view
from app.services.knowing import given_in, keyed, pace_of
from app.services.labels import item_of
from truthmark.bounty.answer_log import AnswerLog
from truthmark.bounty.answers import Known, tally
from truthmark.bounty.flows.asks import Proposal
from truthmark.bounty.flows.following import follow_up, gold_before, job_of
from truthmark.bounty.shape import ROUNDS, advised_gold
from truthmark.bounty.waves import BELOW
from truthmark.bounty.workspace import Workspace
from truthmark.errors import BountyError
from truthmark.text import clean
from truthmark.types import Progress, bar_of

_OWN: Final = "own-answers.log"
_UNSURE: Final = "services.unsure"


@dataclass(frozen=True)
class WaveDesk:
    """What is unsure of a bounty: what its requester answers themselves judges the next wave.

    Attributes:
        number: The bounty.
        below: The margin below which an item is unsure.
    """

    number: int
    below: int

    @property
    def key(self) -> str:
        """Of the bounty and the margin."""
        return f"wave-{self.number}-{self.below}"

    def answers(self) -> tuple[tuple[str, str], ...]:
        """Return the answers with their keys."""
        return keyed([(entry.name, entry.key) for entry in self._first.document.classes])

    def look(self) -> views.Knowing:
        """Return how much is known, and which unsure item is next.

        Raises:
            BountyError: There are no labels yet.
        """
        unsure, words = self._unsure(), self._words
        with _log_of(self._first) as log:
            mine = {item: log.codes[item] for item in unsure if item in log.codes}
            known = {item: code for item, code in mine.items() if code < len(words)}
            seconds = [log.seconds[item] for item in known if log.seconds[item]]
        following = next((item for item in unsure if item not in mine), None)
        last = list(mine.values())[-1] if mine else None
        names = [words[code] for code in known.values()]
        return views.Knowing(
            known=len(known),
            wanted=min(advised_gold(len(unsure), ROUNDS), len(unsure)),
            is_judging=True,
            by_class=tuple((clean(name, 60), count) for name, count in tally(names).items()),
            item=None if following is None else item_of(_number_of(self._first), following),
            last="" if last is None else clean((*words, "skipped")[last], 60),
            seconds=pace_of(seconds),
            can_undo=bool(mine),
        )

    def answer(self, number: int, code: int, seconds: float) -> None:
        """Take an answer; on disk when this returns.

        Raises:
            BountyError: It cannot be written, or another program is answering.
        """
        with _log_of(self._first) as log:
            log.answer(number, code, seconds)

    def undo(self) -> None:
        """Take the newest answer back.

        Raises:
            BountyError: It cannot be written, or another program is answering.
        """
        with _log_of(self._first) as log:
            log.undo()

    @property
    def _first(self) -> Workspace:
        """Of the job's first bounty, which has all items."""
        return _first_of(self.number)

    @property
    def _words(self) -> list[str]:
        return [entry.name for entry in self._first.document.classes]

    def _unsure(self) -> list[int]:
        """Return the unsure items that may judge the next wave, in an order that chance drew."""
        held = st.session_state.get(_UNSURE)
        if held is None or held[0] != self:
            job = job_of(my_session(), self.number)
            unsure = job.joined.unsure(self.below)
            order = np.random.default_rng(self.number).permutation(len(unsure))
            # Of what was gold before, labelers could know the answer: it judges nobody again.
            used = gold_before(job.bounties, job.first.names)
            held = self, [item for item in unsure[order].tolist() if item not in used]
            st.session_state[_UNSURE] = held
        return list(held[1])


def _log_of(first: Workspace) -> AnswerLog:
    return AnswerLog(first.folder / _OWN)


def _first_of(number: int) -> Workspace:
    found = find_workspace(my_session(), number)
    while isinstance(job := found.draft.get("job"), dict):
        found = find_workspace(my_session(), int(job["before"]))
    return found


def _number_of(workspace: Workspace) -> int:
    assert workspace.ref is not None  # it was found by its number
    return workspace.ref.bounty_id


def _own_answers(number: int) -> dict[str, Known]:
    """Return what the requester answered on the page, by the names of items; skips left out."""
    first = _first_of(number)
    if not (first.folder / _OWN).exists():
        return {}
    words, names = [entry.name for entry in first.document.classes], first.names
    with _log_of(first) as log:
        return {
            names[item]: Known(words[code], seconds=log.seconds.get(item))
            for item, code in log.codes.items()
            if code < len(words)
        }


def own_mark(number: int) -> str:
    """Return what changes when the requester answers more on the page, or takes an answer back."""
    return repr(sorted((name, it.answer) for name, it in _own_answers(number).items()))


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
            known=_own_answers(number) | given_in(given),
            changes={"unattended": True},
            bar=bar_of(report),
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
        known=_own_answers(number) | given_in(given),
        changes={"unattended": True, "max_total": most},
        bar=bar_of(report),
    )
    run(posted.bounty_id)
    return posted.bounty_id
