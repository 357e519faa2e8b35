# SPDX-License-Identifier: Apache-2.0
"""What the pages of a requester show: plain values that `app.services` made.

All texts in them are cleaned and of limited length, no matter who wrote them; none is Markdown.
"""

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from app.bounty_views import Sample


@dataclass(frozen=True, slots=True)
class AskForm:
    """What a requester has filled in so far, as people write it; kept on disk.

    Attributes:
        key: Names it.
        step: Which step is shown.
        path: Of a folder or table on this machine.
        column: Of a table: what is labeled.
        kind: What an item is; found out if empty.
        names: Column of a table that names rows.
        leaves_out: Whether what is broken or equal is left out.
        title: One line.
        guidelines: What to answer when.
        classes: Names, each with the key of a keyboard or "".
        is_team: Whether people are invited; else anyone may join.
        people: A name or address a line.
        given: Path of a CSV with answers that are known already.
        predictions: Path of a CSV with a model's answers.
        is_against: Whether people are judged where that model is no better than chance.
        gate: Contract that admits labelers.
        price: Of a label.
        token: Symbol.
        hourly: What an hour of work is to pay.
        rounds: Labels an item; 0: as advised.
        waves: Labels an item of each wave, such as 2+2+3; empty for one.
        times: Name of how long the steps take.
        label_hours: How long there is to label; 0: as `times` has it.
        relay_url: Where labelers reach this machine.
        worth: What a token is worth in what gas is paid in.
        bounty: The bounty that it became; 0 before.
    """

    key: str
    step: int = 1
    path: str = ""
    column: str = ""
    kind: str = ""
    names: str = ""
    leaves_out: bool = False
    title: str = ""
    guidelines: str = ""
    classes: tuple[tuple[str, str], ...] = ()
    is_team: bool = True
    people: str = ""
    given: str = ""
    predictions: str = ""
    is_against: bool = False
    gate: str = ""
    price: str = "0.05"
    token: str = ""
    hourly: str = ""
    rounds: int = 0
    waves: str = ""
    times: str = "small"
    label_hours: int = 0
    relay_url: str = ""
    worth: str = ""
    bounty: int = 0


@dataclass(frozen=True, slots=True)
class ItemView:
    """An item as labelers see it."""

    number: int
    name: str
    sample: Sample


@dataclass(frozen=True, slots=True)
class Items:
    """What was read of a source.

    Attributes:
        count: How many can be labeled.
        kind: What each is.
        left_out: How many cannot, or are there twice.
        lines: What should be known of it.
    """

    count: int
    kind: str
    left_out: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Knowing:
    """How much the requester knows, and what is asked next.

    Attributes:
        known: Answers, skips left out.
        wanted: As advised.
        is_judging: Whether people are judged by it.
        by_class: How many of each.
        item: What is asked next; None where all is answered.
        last: What was answered last, and what the model said of it.
        seconds: What an answer took, the median; None where there are too few.
        can_undo: Whether there is an answer to take back.
    """

    known: int
    wanted: int
    is_judging: bool
    by_class: tuple[tuple[str, int], ...]
    item: ItemView | None
    last: str
    seconds: float | None
    can_undo: bool


class Desk(Protocol):
    """Where a requester answers items themselves.

    Attributes:
        key: Unlike that of any other.
    """

    @property
    def key(self) -> str:
        """Of the items and the question."""

    def look(self) -> Knowing:
        """Return how much is known, and which item is next."""

    def answers(self) -> tuple[tuple[str, str], ...]:
        """Return the answers with their keys."""

    def answer(self, number: int, code: int, seconds: float) -> None:
        """Take an answer; on disk when this returns."""

    def undo(self) -> None:
        """Take the newest one back."""


@dataclass(frozen=True, slots=True)
class Chances:
    """What somebody gets of the full price."""

    who: str
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Cost:
    """What a bounty would cost, take and pay.

    Attributes:
        total: What is paid in.
        facts: Name and value.
        chances: By the very rule that pays; none in a team.
        warnings: What should be known before.
        must_be_on: When this computer must be on.
        known: How much gold was taken into account, and whether it is only advised.
        gas: What the requester's own transactions take, in all.
    """

    total: str
    facts: tuple[tuple[str, str], ...]
    chances: tuple[Chances, ...]
    warnings: tuple[str, ...]
    must_be_on: str
    known: str = ""
    gas: int = 0


@dataclass(frozen=True, slots=True)
class Offer:
    """A bounty as it will be, for the requester to agree to.

    Attributes:
        title: Of it.
        cost: What it takes.
        items: How many are labeled.
        shown: How many are for practice.
        gold: How many known answers of each class judge people.
        lines: What became of the source.
        was_sent: Whether it was agreed to before, and only has to be gone on with.
    """

    title: str
    cost: Cost
    items: int
    shown: int
    gold: tuple[tuple[str, int], ...]
    lines: tuple[str, ...]
    was_sent: bool


@dataclass(frozen=True, slots=True)
class Run:
    """The process that serves labelers, signs, scores and pays out.

    Attributes:
        state: What it does.
        says: In words.
        lines: What it told last.
        log: Path of all that it told.
    """

    state: Literal["running", "starting", "stopped", "done"]
    says: str
    lines: tuple[str, ...]
    log: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A bounty of this machine, as a row of the list."""

    number: int
    title: str
    phase: str
    until: str
    is_over: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """A bounty as the label page would show it.

    Attributes:
        title: The requester's.
        guidelines: Likewise.
        classes: The answers with their keys.
        kind: Of the items.
        items: The first of them as a relay would give them, in base64.
    """

    title: str
    guidelines: str
    classes: tuple[tuple[str, str], ...]
    kind: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Invitation:
    """Who was invited, and how they come in.

    Attributes:
        name: By which the requester knows them.
        link: For a browser.
        command: For a terminal.
        is_by_account: Whether they come by their own account, and without a code.
        signer: Who signs their labels; empty before they have joined.
    """

    name: str
    link: str
    command: str
    is_by_account: bool
    signer: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a bounty is.

    Attributes:
        number: Its number.
        title: The requester's.
        phase: Name, for programs.
        says: What goes on.
        until: When it ends at the latest.
        then: What comes next.
        steps: The way of a bounty: name, and whether it is done, now or to come.
        figures: Name and value.
        must_be_on: When this computer must be on; empty where that is over.
        is_open: Whether people still join.
        is_over: Whether it has ended.
        is_paid: Whether nothing is left to do for it: everybody is paid.
        has_labels: Whether there may be something to look at.
        is_team: Whether people were invited.
        wave_of: The bounty whose unsure items these are; 0 for none.
        can_follow: Whether what is unsure can be asked again.
    """

    number: int
    title: str
    phase: str
    says: str
    until: str
    then: str
    steps: tuple[tuple[str, Literal["done", "now", "todo"]], ...]
    figures: tuple[tuple[str, str], ...]
    must_be_on: str
    is_open: bool
    is_over: bool
    is_paid: bool
    has_labels: bool
    is_team: bool
    wave_of: int
    can_follow: bool


@dataclass(frozen=True, slots=True)
class Quality:
    """Figures of the labels.

    Attributes:
        alpha: Agreement; None where it has no meaning yet.
        against: What people are held against.
        confusion: As it is, as it was answered, how often.
        workers: A row a labeler.
        margins: By how much each item's label leads.
        items: A row an item, the least sure first.
        flags: A row a remark.
        warnings: What to look at before trusting the labels.
        problems: What is wrong; empty where all holds.
        summary: Name and value.
        formats: In which it can be exported.
    """

    alpha: float | None
    against: str
    confusion: tuple[tuple[str, str, int], ...]
    workers: tuple[dict[str, Any], ...]
    margins: tuple[int, ...]
    items: tuple[dict[str, Any], ...]
    flags: tuple[dict[str, Any], ...]
    warnings: tuple[str, ...]
    problems: tuple[str, ...]
    summary: tuple[tuple[str, str], ...]
    formats: tuple[str, ...] = field(default=())
