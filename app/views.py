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
        figures: Of their columns, in the order of `figures_head`, by table.
        figures_head: What is said of each column.
        is_good: Whether it was seen well enough to be bought without a second thought.
        needs_leave: Whether it can be bought after one; else it cannot.
        is_bad: Whether something was found that is not as it should be.
        is_awaited: Whether nothing is wrong, but parts are not open yet.
    """

    badge: str
    meaning: str
    lines: tuple[str, ...]
    tables: tuple[Table, ...]
    is_good: bool
    needs_leave: bool
    is_bad: bool = False
    is_awaited: bool = False
    figures: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...] = ()
    figures_head: tuple[str, ...] = ()


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


@dataclass(frozen=True, slots=True)
class LeftToken:
    """What is left of one token.

    Attributes:
        address: Of the token.
        name: Its symbol, with the address where another one is called alike.
        amount: All that there is of it.
        owed: What of that is still in the contracts; empty for nothing.
    """

    address: str
    name: str
    amount: str
    owed: str


@dataclass(frozen=True, slots=True)
class Left:
    """What is left on the account of this machine.

    Attributes:
        account: Its address.
        tokens: Those of which there is something.
        coins: Of the chain's own coin; empty for none.
        running: The account's bounties that still need gas.
    """

    account: str
    tokens: tuple[LeftToken, ...]
    coins: str
    running: tuple[int, ...]
