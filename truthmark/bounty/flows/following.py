# SPDX-License-Identifier: Apache-2.0
"""Asks again what is still unsure: a follow-up of a bounty, with gold of its own.

The items of a job are those of its first bounty. Each wave is a bounty on some of them: those
whose margin, by all labels so far, is below a threshold, and known ones that were gold in no wave
before. Labels of all waves together are `waves.join_waves`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from truthmark.arrow import pa
from truthmark.bounty.answers import Known
from truthmark.bounty.client import BountyClient
from truthmark.bounty.flows.asks import Ask, Job, Posted
from truthmark.bounty.flows.posting import Agree, post_bounty
from truthmark.bounty.flows.results import Brought, collect_result
from truthmark.bounty.payouts import Status
from truthmark.bounty.secrets import find_secrets
from truthmark.bounty.sources.earlier import EarlierSource
from truthmark.bounty.terms import Terms
from truthmark.bounty.waves import BELOW, Joined, Wave, join_waves, wave_of
from truthmark.bounty.workspace import Workspace
from truthmark.errors import BountyError, EndpointsDisagreeError, NothingToAskError, PriceError
from truthmark.labels.scoring import Ints
from truthmark.session import Session
from truthmark.types import Bar, Say, no_bar, quiet

_FEES: Final = (
    *("relay_fee", "tip", "reward"),
    *("post_call_fee", "post_worker_fee", "post_seat_fee"),
)
_MAX_FEE_GROWTH: Final = 4
"""Gas that costs so many times more is nothing unheard of."""


@dataclass(frozen=True, slots=True)
class Followed:
    """A job: its bounties so far, and what they came to together.

    Attributes:
        bounties: In the order in which they were posted; the first has all items.
        joined: Labels and margins of all items.
    """

    bounties: list[Brought]
    joined: Joined

    def table(self) -> "pa.Table":
        """Return a row an item of the job: name, label, margin by all waves, how many asked it."""
        classes = self.bounties[0].classes
        labels, margins = self.joined.labels.labels.tolist(), self.joined.labels.margins
        names = self.first.names
        asked = dict.fromkeys(names, 0)
        for brought in self.bounties:
            for name in brought.workspace.names:
                asked[name] += 1
        return pa.table(
            {
                "item": pa.array(range(len(names)), pa.int32()),
                "name": pa.array(names, pa.string()),
                "label": pa.array(
                    [classes[one] if 0 <= one < len(classes) else None for one in labels],
                    pa.string(),
                ),
                "margin": pa.array(margins, pa.int64()),
                "waves": pa.array([asked[name] for name in names], pa.int8()),
            }
        )

    @property
    def first(self) -> Workspace:
        """The folder of the first bounty, which has all items."""
        return self.bounties[0].workspace


def job_of(
    session: Session, bounty_id: int, *, last: Brought | None = None, bar: Bar = no_bar
) -> Followed:
    """Return the job that a bounty is of, up to and with that bounty.

    Args:
        session: Of the requester.
        bounty_id: The bounty's number.
        last: What it brought, where that is opened already.
        bar: Shows how far opening is.

    Raises:
        BountyError: A bounty of it is not here, or has no labels yet.
    """
    chain: list[int] = [bounty_id]
    while (before := _draft_job(_workspace(session, chain[-1]))) is not None:
        chain.append(int(before["before"]))
    bounties = [collect_result(session, number, bar=bar) for number in reversed(chain[1:])]
    bounties.append(last or collect_result(session, bounty_id, bar=bar))
    first = bounties[0]
    waves: list[Wave] = []
    count = first.result.record.terms.items
    for brought in bounties:
        job = _draft_job(brought.workspace)
        items: Ints = np.arange(count) if job is None else np.array(job["items"], np.int64)
        waves.append(wave_of(brought.result, brought.finding.opened, items))
    return Followed(bounties, join_waves(waves, count))


def follow_up(
    session: Session,
    bounty_id: int,
    *,
    agree: Agree,
    below: int | None = None,
    rounds: int | None = None,
    price: str | None = None,
    part: float = 1.0,
    known: Mapping[str, Known] | None = None,
    changes: dict[str, Any] | None = None,
    say: Say = quiet,
    bar: Bar = no_bar,
) -> Posted:
    """Post a bounty on the items of an earlier one that are still unsure.

    Args:
        session: Of the requester.
        bounty_id: The earlier one, which has been scored.
        agree: Asked what it costs.
        below: The margin below which an item is unsure, in thousandths of a nat.
        rounds: Labels an item; as before if not given.
        price: Of a label; as before if not given.
        part: Of the known answers that were no gold yet; the rest is for waves after this one.
        known: Answers beside those that the first bounty was given, by name.
        changes: Other fields of the ask that are others.
        say: Told what happens.
        bar: Shows how far opening and storing are.

    Raises:
        NothingToAskError: Nothing is unsure, or no answers are left for gold.
        BountyError: What came before cannot be read, or it was not agreed to.
        EndpointsDisagreeError: Two endpoints say different things of the earlier one, or another
            than was read before; asked again later, they may agree.
    """
    if not _workspace(session, bounty_id).terms.classes:
        raise NothingToAskError(
            f"bounty {bounty_id} asks for texts, of which none is surer than another; create a new"
            " one of what you want asked again"
        )
    job = job_of(session, bounty_id, bar=bar)
    last = job.bounties[-1]
    if last.result.record.status in (Status.OPEN, Status.DRAWN, Status.LABEL, Status.REFUNDED):
        raise NothingToAskError(
            f"bounty {bounty_id} has no score; what is unsure is known after it"
        )
    try:
        # A pot is paid for what it says, so two endpoints must have it. Not at a final height, for
        # which who follows up a fresh score would wait: what is unsure follows from labels, and
        # only while the bounty changes do endpoints of different heights differ.
        BountyClient(session).require_certain(last.result.record)
    except BountyError as error:
        raise EndpointsDisagreeError(
            f"bounty {bounty_id} has changed while its labels were opened, or an endpoint of the "
            "chain lies; run the command again"
        ) from error
    first, draft = job.first, job.first.draft
    names = first.names
    threshold = below if below is not None else draft.get("below") or BELOW
    unsure = job.joined.unsure(threshold)
    if not len(unsure):
        raise NothingToAskError(
            f"no item has a margin below {threshold}; there is nothing to ask again"
        )
    left = _known_left(job, names, part, known or {})
    if not left:
        what = f"all that you know was gold in bounty {bounty_id} or before it; give more answers"
        raise NothingToAskError(
            f"{what}, such as `truthmark bounty gold` writes: --gold FILE",
            page=f"{what}, in a CSV of item and answer",
        )
    chosen = np.union1d(unsure, np.array(list(left), np.int64)).astype(np.int64)
    say(f"{len(unsure)} of {len(names)} items are unsure; {len(left)} known ones are gold")
    document = last.document
    secrets = find_secrets(session.vault, job.bounties[0].result.record.terms.key)
    ask = Ask(
        title=document.title,
        guidelines=document.guidelines,
        classes=document.classes,
        price=price or str(draft["price"]),
        known={names[item]: entry for item, entry in left.items()},
        practice=0,
        rounds=rounds or last.result.record.terms.rounds,
        full=last.result.record.terms.full,
        times=str(draft.get("times", "small")),
        worth=draft.get("worth"),
        relay=draft.get("relay"),
        relay_urls=document.relay_urls,
        licence=document.licence,
        flags=document.flags,
        watch=document.watch,
        encrypted=document.items.encrypted,
        seconds_per_item=document.seconds_per_item,
    )
    ref = job.bounties[0].result.record.ref
    mine = Job(ref.bounty_id, bounty_id, tuple(chosen.tolist()), len(job.bounties))
    source = EarlierSource(first, secrets, chosen.tolist())
    return post_bounty(
        session, source, replace(ask, **(changes or {})), agree=agree, job=mine, say=say, bar=bar
    )


def next_wave(session: Session, workspace: Workspace) -> tuple[int, int] | None:
    """Return how many labels an item the next wave has, and how many waves are left with it.

    None where no wave follows, or it was posted already.

    Args:
        session: Of the requester.
        workspace: Of a bounty that has ended.
    """
    ref, job = workspace.ref, workspace.draft.get("job")
    if ref is None:
        return None
    first = workspace if job is None else _workspace(session, int(job["first"]))
    waves = first.draft.get("waves") or []
    number = 1 if job is None else int(job["wave"]) + 1
    if number >= len(waves):
        return None
    for other in Workspace.all(session.home):
        theirs = other.draft.get("job")
        if theirs is not None and int(theirs["before"]) == ref.bounty_id and other.ref is not None:
            return None
    return int(waves[number]), len(waves) - number


def post_next_wave(
    session: Session, workspace: Workspace, *, say: Say = quiet, bar: Bar = no_bar
) -> Posted | None:
    """Post the wave that follows a bounty, as was agreed to when its first was posted.

    Args:
        session: Of the requester.
        workspace: Of a bounty that has ended.
        say: Told what happens.
        bar: Shows how far it is.

    Returns:
        None where no wave follows, or nothing is unsure any more.

    Raises:
        RelayError: The relay does not answer; asked again later, it may.
        PriceError: The account does not have what the wave takes.
        EndpointsDisagreeError: As `follow_up`.
        BountyError: What came before cannot be read; asked again later, it may.
    """
    ref, due = workspace.ref, next_wave(session, workspace)
    if ref is None or due is None:
        return None
    rounds, left = due
    try:
        return follow_up(
            session,
            ref.bounty_id,
            agree=lambda proposal: _is_as_agreed(session, workspace, proposal.terms),
            rounds=rounds,
            part=1 / left,
            say=say,
            bar=bar,
        )
    except NothingToAskError as error:
        say(f"no wave follows bounty {ref.bounty_id}: {error}")
        return None


def _is_as_agreed(session: Session, last: Workspace, terms: Terms) -> bool:
    """Refuse fees far above those of the wave before: nobody sees them who could say no.

    A relay says what it wants, and an endpoint what gas costs.

    Raises:
        PriceError: They are; asked again later, they may have fallen.
    """
    before, ref = last.terms, last.ref
    assert ref is not None  # it was scored
    for name in _FEES:
        asked, agreed = getattr(terms, name), getattr(before, name)
        if asked > _MAX_FEE_GROWTH * agreed:
            show = session.profile.amount
            what = (
                f"the next wave would have a {name.replace('_', ' ')} of"
                f" {show(asked, terms.token)}, and this one has {show(agreed, terms.token)}; wait,"
            )
            raise PriceError(
                f"{what} or agree to it: truthmark bounty create --like {ref.bounty_id}",
                page=f"{what} or post the next wave yourself",
            )
    return True


def gold_before(bounties: Sequence[Brought], names: Sequence[str]) -> set[int]:
    """Return the items of a job that were gold in its bounties so far, so no answer counts again.

    Args:
        bounties: Of the job.
        names: Of its items.
    """
    places = {name: item for item, name in enumerate(names)}
    return {
        places[brought.workspace.names[item]]
        for brought in bounties
        for item in brought.workspace.gold.items.tolist()
    }


def _known_left(
    job: Followed, names: Sequence[str], part: float, more: Mapping[str, Known]
) -> dict[int, Known]:
    """Return known answers that were gold in no wave yet, by item; a part of them, evenly."""
    places = {name: item for item, name in enumerate(names)}
    used = gold_before(job.bounties, names)
    told = job.first.draft.get("known") or {}
    entries = {name: Known(**entry) for name, entry in told.items()} | {**more}
    left: dict[str, list[int]] = {}
    for name, entry in entries.items():
        if name in places and places[name] not in used:
            left.setdefault(entry.answer, []).append(places[name])
    found: dict[int, Known] = {}
    for items in left.values():
        for item in sorted(items)[: max(1, round(part * len(items)))]:
            found[item] = entries[names[item]]
    return found


def _draft_job(workspace: Workspace) -> dict[str, Any] | None:
    job = workspace.draft.get("job")
    return job if isinstance(job, dict) else None


def _workspace(session: Session, bounty_id: int) -> Workspace:
    return Workspace.find(session.home, BountyClient(session).ref(bounty_id))
