# SPDX-License-Identifier: Apache-2.0
"""What pages show of bounties to those who label; see `app.views`."""

from dataclasses import dataclass
from enum import Enum


class Stage(Enum):
    """How far a bounty is."""

    JOINABLE = "Open for joining"
    RUNNING = "Under way"
    OVER = "Ended"


class Access(Enum):
    """Who may join a bounty."""

    EVERYBODY = "everybody"
    INVITED = "by invitation"
    ADMITTED = "whom a contract admits"


class Order(Enum):
    """In which bounties are listed."""

    NEWEST = "Newest"
    CLOSING = "Closing soonest"
    BEST_PAID = "Best paid"


@dataclass(frozen=True, slots=True)
class Record:
    """What a requester's earlier bounties say of them."""

    text: str
    is_good: bool = False
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class Clock:
    """Where a bounty is.

    Attributes:
        phase: For programs, as `truthmark.bounty.phases` has it.
        says: What goes on, in words.
        until: When that ends at the latest, chain time.
        then: What comes next.
        now: Chain time.
        batches_left: That nobody has taken yet.
        batch: Items of one.
    """

    phase: str
    says: str
    until: int | None
    then: str
    now: int
    batches_left: int
    batch: int


@dataclass(frozen=True, slots=True)
class Judged:
    """From what a browser computes what a bounty pays somebody.

    Attributes:
        place: Begins the names under which the label page keeps what is of it.
        terms: Numbers of the terms; the price as text, in the token's smallest unit.
        tokens: Symbol, address and decimals of those that the network lists.
    """

    place: str
    terms: tuple[tuple[str, int | str], ...]
    tokens: tuple[tuple[tuple[str, int | str], ...], ...]


@dataclass(frozen=True, slots=True)
class Bounty:
    """A bounty, as a card of the list shows it.

    Attributes:
        number: Its number.
        title: The requester's.
        kind: What is labeled, such as pictures.
        classes: The answers, the first of them.
        flags: Warnings of content.
        price: Of a label.
        hourly: What an hour may bring; None where nobody measured how long an answer takes.
        seconds: That an answer took in the requester's trial.
        spread: Which part of the price may be expected.
        record: The requester's.
        access: Who may join.
        clock: Where it is.
        judged: What its pay follows from.
    """

    number: int
    title: str
    kind: str
    classes: str
    flags: tuple[str, ...]
    price: str
    hourly: str | None
    seconds: float | None
    spread: str
    record: Record
    access: Access
    clock: Clock
    judged: Judged


@dataclass(frozen=True, slots=True)
class FoundBounties:
    """A page of bounties.

    Attributes:
        bounties: Those of the page.
        total: How many there are on all pages.
        pages: How many pages.
        page: Which one, from 1.
        pending: Descriptions that are still being read.
        hidden: Bounties whose description cannot be read.
        is_empty: Whether there is no bounty at all on this network.
    """

    bounties: tuple[Bounty, ...]
    total: int
    pages: int
    page: int
    pending: int
    hidden: int
    is_empty: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """An item as a page may show it: one of these.

    Attributes:
        text: Of a text, a row of numbers, or why nothing can be shown.
        picture: A PNG that was drawn here.
        sound: As it came.
        mime: Of the sound.
        pair: Two items side by side.
    """

    text: str = ""
    picture: bytes | None = None
    sound: bytes | None = None
    mime: str = ""
    pair: "tuple[Sample, Sample] | None" = None


@dataclass(frozen=True, slots=True)
class BountyPage:
    """All about a bounty.

    Attributes:
        number: Its number.
        title: The requester's.
        guidelines: The requester's, as plain text.
        kind: What is labeled, such as pictures.
        classes: The answers.
        flags: Warnings of content.
        licence: What labelers grant.
        pay_rule: How one is paid, in a sentence.
        price: Of a label.
        hourly: What an hour may bring; None where nobody measured.
        seconds: That an answer took in the requester's trial.
        spread: Which part of the price may be expected.
        record: The requester's.
        requester: Address.
        access: Who may join.
        gate: The contract that admits, if there is one.
        phase: For programs, as `truthmark.bounty.phases` has it.
        items: How many there are.
        rounds: How many people answer each.
        batch: Items of a batch.
        least: Batches of one labeler, at least.
        most: And at most.
        batches: In all.
        batches_taken: By those who have joined.
        batches_needed: For it to take place.
        times: Its windows: what for, how long.
        practice: Items to try it on.
        label_link: Where one labels in a browser; empty where nobody says.
        doubts: What speaks against labeling here.
        own_gas: Whether the account could pay for what may have to be sent; nothing if nobody asks.
        can_pay_out: Whether its workers can be paid now.
        evidence: What is known from where: name, value.
        is_scored: Whether a score was posted.
        results: What became of this account's part.
        challenge: What is wrong in the score, while it can be disproved.
        kept: The reward of who disproved it, until it is taken out.
        judged: What its pay follows from.
    """

    number: int
    title: str
    guidelines: str
    kind: str
    classes: tuple[str, ...]
    flags: tuple[str, ...]
    licence: str
    pay_rule: str
    price: str
    hourly: str | None
    seconds: float | None
    spread: str
    record: Record
    requester: str
    access: Access
    gate: str | None
    phase: str
    items: int
    rounds: int
    batch: int
    least: int
    most: int
    batches: int
    batches_taken: int
    batches_needed: int
    times: tuple[tuple[str, str], ...]
    practice: int
    label_link: str
    doubts: tuple[str, ...]
    own_gas: str
    can_pay_out: bool
    evidence: tuple[tuple[str, str], ...]
    is_scored: bool
    results: "tuple[MyResult, ...]"
    challenge: "Challenge | None"
    kept: "Kept | None"
    judged: Judged


@dataclass(frozen=True, slots=True)
class GoldAnswer:
    """One answer that was held against what the requester knew.

    Attributes:
        place: Where it stood in the labeler's run.
        item: The item's number.
        right: What the requester says is right.
        said: What the score says was answered.
        own: What was really answered; None where that is not known here.
        outcome: What it counts for, in words.
        is_right: Whether it counts as right.
        is_disputed: Whether the score claims another answer than the one given.
    """

    place: str
    item: int
    right: str
    said: str
    own: str | None
    outcome: str
    is_right: bool
    is_disputed: bool


@dataclass(frozen=True, slots=True)
class MyResult:
    """What became of an account's part in a bounty.

    Attributes:
        worker: The row of the roster.
        batches: That were labeled in time.
        of_batches: That were asked for.
        is_delivered: Whether nobody can deny that the labels arrived.
        mark: Why nothing is paid; empty where nothing is wrong.
        share: Of the full price; None before a score, or where it says nothing.
        pay: What comes of it; None while nobody can say.
        withheld: Of the full price, what is not paid; None where all is.
        bond: What comes from the requester's bond; None where nothing does.
        is_final: Whether the bounty has ended.
        half: Why the requester's answers were not used, if they were not.
        is_checked: Whether this machine has computed the same as was posted.
        lines: Answers that were held against the requester's, the first ones.
        more: How many are left out of them.
        counts: How many are right, wrong, skipped and so on.
        note: Why one's own answers are not shown beside.
        evidence: What is known from where: name, value.
    """

    worker: int
    batches: int
    of_batches: int
    is_delivered: bool
    mark: str
    share: str | None
    pay: str | None
    withheld: str | None
    bond: str | None
    is_final: bool
    half: str
    is_checked: bool
    lines: tuple[GoldAnswer, ...]
    more: int
    counts: tuple[tuple[str, int], ...]
    note: str
    evidence: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Challenge:
    """A score that can still be disproved.

    Attributes:
        number: The bounty.
        until: Last moment for it, chain time.
        now: Chain time.
        wrongs: What can be proven wrong, in words; none where nothing is.
        reward: For who proves it.
    """

    number: int
    until: int
    now: int
    wrongs: tuple[str, ...]
    reward: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What the board keeps for who disproved a score.

    Attributes:
        number: The bounty.
        account: Who disproved it.
        amount: All that the board keeps for that account in this token, the reward among it.
    """

    number: int
    account: str
    amount: str
