# SPDX-License-Identifier: Apache-2.0
"""What a requester asks for, what they are shown before they agree, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from truthmark.bounty.answers import Known
from truthmark.bounty.document import Document, LabelClass, WatchNode
from truthmark.bounty.planning import (
    Estimate,
)
from truthmark.bounty.sources.found import Reading
from truthmark.bounty.team import Member
from truthmark.bounty.terms import NO_ACCOUNT, Terms
from truthmark.bounty.workspace import Workspace

OWN_RELAY_URL: Final = "http://127.0.0.1:8645"
"""Where `truthmark bounty run` serves labelers unless it is told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a requester wants, as people write it.

    Attributes:
        title: One line.
        guidelines: What to answer when, in Markdown.
        classes: What may be answered; none for texts, which a team alone may give.
        price: Of a label, such as "0.05 USDC".
        known: Answers by the name of items: for gold, and a few for practice.
        against: A model's answers by name; gold is then drawn where it is no better than chance.
        gold_count: How many gold items; as many as are known and balanced if not given.
        practice: How many known items are for practice; ten or a tenth of them if not given.
        team: Who may join; with a team there is no gold and no bond. Empty for everyone.
        rounds: Labels an item.
        batch: Items of a seat.
        full: At how many quarters of the way from guessing to perfect the full price is paid.
        times: Name of how long the steps take: demo, small, careful.
        label_seconds: How long there is to label, instead of what `times` has.
        join_seconds: How long there is to join, likewise.
        gate: Contract that admits labelers.
        relay: URL of somebody's relay; the requester's own (`bounty run`) if not given.
        relay_urls: Where labelers reach the requester's own relay.
        receiver_urls: Where labelers bring files to the requester, where somebody's relay is away.
        worth: Wei that the smallest unit of the token is worth; for fees.
        licence: What labelers grant.
        flags: Warnings of content.
        watch: Nodes for labelers who leave.
        encrypted: Whether only labelers can read the items.
        seconds_per_item: As a pilot measured.
        waves: Labels an item of each wave, the first included; empty for one wave.
        below: The margin below which later waves ask again, in thousandths of a nat.
        uploads: Whether items are brought to somebody's relay; else it fetches them from storage.
        leaves_out: Whether broken and equal items may be left out without a question.
        max_total: The most to pay in, bond included, such as "300 USDC".
        again: Create another one, where the same was created before.
        unattended: Nobody is there who could agree.
    """

    title: str
    guidelines: str
    classes: tuple[LabelClass, ...]
    price: str
    known: Mapping[str, Known] = field(default_factory=dict)
    against: Mapping[str, str] | None = None
    gold_count: int | None = None
    practice: int | None = None
    team: tuple[Member, ...] = ()
    rounds: int | None = None
    batch: int | None = None
    full: int = 3
    times: str = "small"
    label_seconds: int | None = None
    join_seconds: int | None = None
    gate: str = NO_ACCOUNT
    relay: str | None = None
    relay_urls: tuple[str, ...] = (OWN_RELAY_URL,)
    receiver_urls: tuple[str, ...] = ()
    worth: float | None = None
    licence: str = "CC0-1.0"
    flags: tuple[str, ...] = ()
    watch: tuple[WatchNode, ...] = ()
    encrypted: bool = True
    seconds_per_item: float | None = None
    waves: tuple[int, ...] = ()
    below: int | None = None
    uploads: bool = True
    leaves_out: bool = False
    max_total: str | None = None
    again: bool = False
    unattended: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """Which items of an earlier bounty these are, where it is a later wave.

    Attributes:
        first: The bounty whose items the job's are.
        before: The bounty before this one.
        items: Of the job's items, ascending, the number of each item here.
        wave: Which wave it is, from 1 for the first one after `first`.
    """

    first: int
    before: int
    items: tuple[int, ...]
    wave: int


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a requester agrees to.

    Attributes:
        terms: As they will be.
        document: Likewise.
        estimate: What they lead to.
        reading: What became of the source.
        gold: How many gold items by class.
        warnings: What should be known before.
        idle: People of the team for whom there is no work.
    """

    terms: Terms
    document: Document
    estimate: Estimate
    reading: Reading
    gold: dict[str, int]
    warnings: list[str]
    idle: int


@dataclass(frozen=True, slots=True)
class Posted:
    """A bounty that is on chain.

    Attributes:
        bounty_id: Its number.
        workspace: Where everything of it is.
        terms: What was agreed.
        is_new: Whether it was created now, and not by an earlier run.
        is_offered: Whether its relay serves it already.
    """

    bounty_id: int
    workspace: Workspace
    terms: Terms
    is_new: bool
    is_offered: bool
