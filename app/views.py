# SPDX-License-Identifier: Apache-2.0
"""What pages show: plain values that `app.services` made of what the library knows.

All texts in them are cleaned and of limited length, no matter who wrote them; none is Markdown.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Mark(Enum):
    """How far a step is."""

    DONE = "done"
    NOW = "now"
    TODO = "todo"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a purchase."""

    label: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class Listing:
    """A version for sale, as a card of the market shows it."""

    ref: str
    title: str
    summary: str
    licence: str
    price: str
    rows: int | None
    files: int | None
    size: str
    bond: str | None
    custody: str
    is_kept: bool
    is_direct: bool
    sampled: str = ""
    """how its sample stood when this machine last looked; empty where it never did"""


@dataclass(frozen=True, slots=True)
class Found:
    """A page of what a search found.

    Attributes:
        listings: Those of the page.
        total: How many there are on all pages.
        pages: How many pages.
        page: Which one, from 1.
        pending: Descriptions that are still being read.
        hidden: Listings whose description cannot be read.
        licences: All licences that are for sale.
    """

    listings: tuple[Listing, ...]
    total: int
    pages: int
    page: int
    pending: int
    hidden: int
    licences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table as far as it may be seen."""

    name: str
    columns: tuple[tuple[str, str], ...] = ()
    """names and types"""
    rows: int | None = None
    example_rows: tuple[dict[str, Any], ...] = ()
    note: str = ""
    """why there are no rows, where they cannot be shown"""


@dataclass(frozen=True, slots=True)
class Count:
    """What a split holds."""

    split: str
    rows: int
    tables: int
    files: int


@dataclass(frozen=True, slots=True)
class Price:
    """What a purchase costs now."""

    price: str
    custodians_text: str
    """who keeps the key"""
    fee: str | None
    """of each custodian"""
    custodians: int
    """how many are paid it"""
    fees: str
    """of all of them"""
    total: str
    protocol_fee: str | None
    """part of the price"""
    warning: str = ""
    """why to think twice"""


@dataclass(frozen=True, slots=True)
class Custody:
    """Who keeps the key, in words."""

    headline: str
    details: tuple[str, ...]
    custodians: tuple[str, ...]
    is_good: bool
    """whether it can be bought from"""


@dataclass(frozen=True, slots=True)
class Sibling:
    """A version of the same listing."""

    ref: str
    listed: str
    price: str
    status: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """What chance picked of a version, as this machine has found it.

    Attributes:
        badge: How it stands, in a few words.
        meaning: The same in a sentence.
        lines: What was found, with the bounds in words.
        tables: Some of the rows that were drawn.
        is_good: Whether it was seen well enough to be bought without a second thought.
        needs_leave: Whether it can be bought after one; else it cannot.
        is_bad: Whether something was found that is not as it should be.
    """

    badge: str
    meaning: str
    lines: tuple[str, ...]
    tables: tuple[Table, ...]
    is_good: bool
    needs_leave: bool
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class Dataset:
    """All that is public of a version.

    Attributes:
        ref: Such as `17@2`.
        title: The seller's.
        description: The seller's, with its paragraphs.
        licence: An SPDX expression, or the seller's name of a licence.
        status: In words; empty where it is for sale.
        size: Of what is downloaded.
        seller: Address.
        listed: When.
        problem: Why there is no card; empty where there is one.
        warnings: What makes doubtful that it is the seller's own.
        counts: What it holds, for each split.
        tables: Columns and, where the seller published some, first rows.
        price: None where it cannot be bought now.
        why_not: Why it cannot be bought now.
        listed_price: Also where it cannot be bought now.
        delivery: How long the key may take.
        inspection: How long a buyer may dispute.
        bond: What the seller put up, if anything.
        assurance: What its guarantee and its arbiter mean.
        gate: Who admits buyers, if anyone.
        royalty: What of each sale goes to those who labeled it, if anything.
        provenance: What the chain says of the bounty that its terms name.
        custody: The newest first.
        versions: Of the listing, the newest first.
        sold: How often.
        uri: Its name that says on which chain and market it is.
        evidence: What is known from where: name, value.
    """

    ref: str
    title: str
    description: str
    licence: str
    status: str
    size: str
    seller: str
    listed: str
    problem: str
    warnings: tuple[str, ...]
    counts: tuple[Count, ...]
    tables: tuple[Table, ...]
    price: Price | None
    why_not: str
    listed_price: str
    delivery: str
    inspection: str
    bond: str | None
    assurance: tuple[str, ...]
    gate: str | None
    royalty: str | None
    provenance: tuple[str, ...]
    custody: tuple[Custody, ...]
    versions: tuple[Sibling, ...]
    sold: int
    uri: str
    evidence: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Account:
    """Who acts from this machine."""

    name: str
    address: str
    balances: tuple[str, ...]
    is_locked: bool
    """whether its passphrase has to be typed first"""


@dataclass(frozen=True, slots=True)
class Purchase:
    """A purchase of the account.

    Attributes:
        key: Names it.
        ref: What was bought.
        title: The seller's.
        paid: With all fees.
        bought: When.
        steps: For the tracker.
        note: What happens next, in words.
        can_open: Whether the key is there.
        can_refund: Whether the money can be taken back now.
        is_over: Whether nothing more will happen.
    """

    key: str
    ref: str
    title: str
    paid: str
    bought: str
    steps: tuple[Step, ...]
    note: str
    can_open: bool
    can_refund: bool
    is_over: bool


@dataclass(frozen=True, slots=True)
class Opened:
    """The first rows of what was bought, and what else is in it."""

    tables: tuple[Table, ...]
    files: tuple[tuple[str, str], ...]
    """paths and sizes, the first ones"""
    file_count: int


@dataclass(frozen=True, slots=True)
class WrongKey:
    """A key that was proven wrong on this machine, and what a dispute costs and brings.

    Attributes:
        cost: For gas; empty where nobody says it.
        brings: What comes back and what of the bond comes on top.
        until: When disputes end; empty where the sale is refundable without one.
        is_late: Whether that has passed.
    """

    cost: str
    brings: str
    until: str
    is_late: bool


@dataclass(frozen=True, slots=True)
class Packed:
    """Data that was packed on this machine and is not listed yet.

    Attributes:
        folder: Where.
        title: As it will be public.
        description: As it will be public.
        licence: As it will be public.
        size: Of what is uploaded.
        counts: As they will be public.
        tables: As they will be public.
        skipped: Files that were left out.
        notes: What else is lost, or packed otherwise than one might expect.
        sample: What a sample will make public, a sentence each; nothing if it is sold blind.
        needs_backup: Whether its key is in no backup yet.
    """

    folder: str
    title: str
    description: str
    licence: str
    size: str
    counts: tuple[Count, ...]
    tables: tuple[Table, ...]
    skipped: int
    notes: tuple[str, ...]
    sample: tuple[str, ...]
    needs_backup: bool


@dataclass(frozen=True, slots=True)
class SellOptions:
    """What a seller may choose from."""

    tokens: tuple[str, ...]
    windows: tuple[tuple[str, str], ...]
    """names and what they mean"""
    custodians: int
    """validators that offer custody and show life"""
    silent: int
    """validators that offer custody and were not seen for a day"""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """How far the custodians of a new listing are."""

    accepted: int
    count: int
    is_live: bool
    is_direct: bool
    problem: str
    missing: tuple[str, ...] = ()
    """addresses of those who have not accepted"""
    until: str = ""
    """when their time to accept ends"""
    can_deal_again: bool = False
    """their time is over, and it was not done too often"""


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
        needs_relay: Whether its document does not say where to join.
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
    needs_relay: bool
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
class Owed:
    """What the contracts hold for an account in one token.

    Attributes:
        amount: All of it.
        parts: What for, and how much.
    """

    amount: str
    parts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Earning:
    """What an account has from a bounty.

    Attributes:
        number: The bounty.
        title: The requester's; empty where it cannot be read now.
        clock: Where the bounty is.
        state: How sure the pay is, in words.
        batches: That were labeled.
        share: Of the full price; None before the score.
        pay: In the bounty's token; None while nobody can say.
        problem: Why nothing is paid, or cannot be read; empty where nothing is wrong.
        royalties: What sales of the labels owe, for each token, and can be drawn.
        claims: What a wallet may do for it.
    """

    number: int
    title: str
    clock: Clock
    state: str
    batches: int = 0
    share: str | None = None
    pay: str | None = None
    problem: str = ""
    royalties: tuple[str, ...] = ()
    claims: tuple["WalletAction", ...] = ()


@dataclass(frozen=True, slots=True)
class Earnings:
    """What labeling has brought an account.

    Attributes:
        account: Its address.
        rows: A page of its parts in bounties, the newest first.
        total: In how many bounties it takes part.
        pages: How many pages.
        page: Which one, from 1.
        pending: Lists of labelers that are still being read.
        owed: What can be taken out, for each token.
    """

    account: str
    rows: tuple[Earning, ...]
    total: int
    pages: int
    page: int
    pending: int
    owed: tuple[Owed, ...]


@dataclass(frozen=True, slots=True)
class Validator:
    """Who keeps keys for others, as a row of the list.

    Attributes:
        address: Of the owner.
        stake: All of it.
        at_risk: What running obligations lock.
        offer: What they ask, in words; empty where they offer nothing.
        is_available: Whether they take new obligations.
        is_alive: Whether their node was seen within a day, or answers.
    """

    address: str
    stake: str
    at_risk: str
    offer: str
    is_available: bool
    is_alive: bool


@dataclass(frozen=True, slots=True)
class Validators:
    """A page of validators.

    Attributes:
        rows: Those of the page.
        total: How many there are.
        pages: How many pages.
        page: Which one, from 1.
        ticket: What one ticket of stake costs.
        unbonding: How long stake takes to come back.
    """

    rows: tuple[Validator, ...]
    total: int
    pages: int
    page: int
    ticket: str
    unbonding: str


@dataclass(frozen=True, slots=True)
class Obligation:
    """A key that a validator keeps.

    Attributes:
        ref: Of the data set.
        part: Which part of the key.
        status: In words.
        locked: Stake at risk for it.
        ends: When; empty where that is not known.
        is_fined: Whether a delivery was missed.
    """

    ref: str
    part: int
    status: str
    locked: str
    ends: str
    is_fined: bool


@dataclass(frozen=True, slots=True)
class MyValidator:
    """The stake and the obligations of this machine's account.

    Attributes:
        address: Its address.
        is_registered: Whether it is a validator.
        operator: Whose node acts for it.
        is_available: Whether it takes new obligations.
        stake: All of it.
        free: What no obligation locks.
        at_risk: What obligations lock.
        missing: What was slashed and not paid back; None where nothing is.
        standing: Tickets that stand for stake.
        leaving: When the next tickets can be taken out.
        leaving_count: How many wait for that.
        can_take_out: Whether something can be taken out now.
        free_tickets: How many tickets can begin to leave.
        offer: What it asks, in words; empty where it offers nothing.
        obligations: The keys that it keeps.
    """

    address: str
    is_registered: bool
    operator: str = ""
    is_available: bool = False
    stake: str = ""
    free: str = ""
    at_risk: str = ""
    missing: str | None = None
    standing: int = 0
    leaving: tuple[str, ...] = ()
    leaving_count: int = 0
    can_take_out: bool = False
    free_tickets: int = 0
    offer: str = ""
    obligations: tuple[Obligation, ...] = ()


@dataclass(frozen=True, slots=True)
class Scored:
    """A score that can still be disproved, as a row of the list.

    Attributes:
        number: The bounty.
        title: The requester's; empty where it cannot be read.
        clock: Where it is.
        reward: For who proves a lie.
    """

    number: int
    title: str
    clock: Clock
    reward: str


@dataclass(frozen=True, slots=True)
class Health:
    """What one check found."""

    name: str
    is_good: bool
    text: str


@dataclass(frozen=True, slots=True)
class Network:
    """What the app is connected to."""

    name: str
    height: int
    time: str
    indexed: int
    health: tuple[Health, ...]
    contracts: tuple[tuple[str, str, str], ...]
    """names, what they do, addresses"""
    tokens: tuple[tuple[str, str], ...]
    """symbols and addresses"""
    parameters: tuple[tuple[str, str], ...]
    totals: tuple[tuple[str, str], ...] = field(default=())
    """figures of the whole market"""


@dataclass(frozen=True, slots=True)
class WalletCall:
    """A transaction, as a wallet is given it.

    Attributes:
        to: The contract, or who is paid.
        data: What is called, as hex; empty for a payment in the chain's own coin.
        value: Of that coin, in its smallest unit.
    """

    to: str
    data: str
    value: int = 0


@dataclass(frozen=True, slots=True)
class WalletAction:
    """What a person may confirm in a wallet of their browser, all of it or none.

    Attributes:
        key: Unlike that of any other on the page.
        title: What it does, in words.
        action: What the button says.
        details: Names and values, which are shown before the wallet shows it.
        calls: Its transactions in their order, which a wallet may send as one.
    """

    key: str
    title: str
    action: str
    details: tuple[tuple[str, str], ...]
    calls: tuple[WalletCall, ...]


@dataclass(frozen=True, slots=True)
class WalletOffer:
    """What a page lets a browser's wallet do.

    Attributes:
        chain_id: Of the network on which the wallet must be.
        network: Its name.
        currency: In which gas is paid.
        confirmations: After how many blocks it counts.
        endpoints: That the wallet may be told, for a network that it does not know.
        account: For which the actions are; empty for none.
        actions: What can be confirmed.
    """

    chain_id: int
    network: str
    currency: str
    confirmations: int
    endpoints: tuple[str, ...]
    account: str = ""
    actions: tuple[WalletAction, ...] = ()
