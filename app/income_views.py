# SPDX-License-Identifier: Apache-2.0
"""What pages show to those who earn: what they are owed, validators and their obligations."""

from dataclasses import dataclass

from app.bounty_views import Clock
from app.views import WalletAction


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
    claims: tuple[WalletAction, ...] = ()


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
