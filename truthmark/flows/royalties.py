# SPDX-License-Identifier: Apache-2.0
"""Lists data that a bounty made, with a royalty for its labelers, and draws what sales owe them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from truthmark.bounty.client import BountyClient
from truthmark.bounty.flows.paying import payees_of, require_ended, withdraw_all
from truthmark.bounty.payouts import Status
from truthmark.bounty.record import Record
from truthmark.bounty.royalties import chunk_to_draw, full_price, shares
from truthmark.bounty.score import Score
from truthmark.errors import BountyError
from truthmark.keys.abi_hash import address_bytes
from truthmark.market.catalogue import Catalogue
from truthmark.market.drafts.terms import Royalty
from truthmark.market.entries import Purchase
from truthmark.market.records import PurchaseStatus
from truthmark.session import Session
from truthmark.types import Say, quiet

if TYPE_CHECKING:
    from truthmark.chain.contracts import Call


@dataclass(frozen=True, slots=True)
class Pool:
    """What sales in one token have paid for the labelers of a bounty.

    Attributes:
        token: Address of the sale token.
        paid_in: All of it so far, in the token's smallest unit.
        shares: What each worker may have drawn in all; none while the bounty has not ended, or
            where nobody is paid.
        drawn: What each of them has been credited of it.
    """

    token: str
    paid_in: int
    shares: dict[int, int]
    drawn: dict[int, int]

    @property
    def due(self) -> dict[int, int]:
        """What each worker can still draw now, workers with nothing left out."""
        left = {worker: share - self.drawn[worker] for worker, share in self.shares.items()}
        return {worker: units for worker, units in left.items() if units}


@dataclass(frozen=True, slots=True)
class Drawn:
    """What one token's pool was drawn by.

    Attributes:
        token: Address of the sale token.
        amounts: What was credited, by payee, in the token's smallest unit.
        paid: What was paid out, by payee, in the same unit; also what was credited before.
    """

    token: str
    amounts: dict[str, int]
    paid: dict[str, int]


def cite_for_sale(session: Session, royalty: Royalty, *, say: Say = quiet) -> None:
    """Let the session's account sell data of a bounty; nothing is sent where it may already.

    Args:
        session: The seller's, who is the requester unless the requester has cited them.
        royalty: What each sale is to owe, and whom.
        say: Told what the labelers get.

    Raises:
        BountyError: There is no such bounty, it pays nobody, or another account is its requester.
        MarketError: There can be no such royalty.
        ChainError: It was refused.
    """
    royalty.require_sound()
    number, seller = royalty.bounty, session.address
    client = BountyClient(session)
    record = client.read(number)
    if record.status is Status.REFUNDED:
        raise BountyError(
            f"bounty {number} did not take place, so nobody could draw a royalty; list without"
        )
    if not record.terms.price:
        raise BountyError(
            f"the labels of bounty {number} have no price, by which royalties are shared; list"
            " without a royalty"
        )
    say(
        f"of every sale {royalty.bps / 100:g}% goes to those who labeled bounty {number}, each by"
        " what their labels earned; what was not earned is burned"
    )
    cited = str(client.board.functions.citing(number).call())
    if address_bytes(cited) == address_bytes(seller):
        return
    if address_bytes(record.terms.requester) != address_bytes(seller):
        raise BountyError(
            f"only the requester of bounty {number}, {record.terms.requester}, lets others sell"
            f" what it made; ask them to run `truthmark bounty cite {number} {seller}`"
        )
    client.cite(number, record.terms, seller)


def read_pools(session: Session, record: Record) -> list[Pool]:
    """Return what sales owe the labelers of a bounty, a pool for each token it is sold for.

    Args:
        session: Whose chain is asked.
        record: The bounty, as `BountyClient.read` gives it.

    Raises:
        BountyError: Its score cannot be read.
        ChainError: The chain cannot be read.
    """
    chain, number = session.chain, record.ref.bounty_id
    tokens = list(dict.fromkeys(it.terms.token for it in Catalogue.of(session).made_by(number)))
    market = chain.market.functions
    paid_in = chain.batch([market.pools(number, token) for token in tokens])
    has_pay = record.status.has_ended and record.status is not Status.REFUNDED
    full = full_price(record.terms, record.roster)
    if not has_pay or not full:
        return [Pool(token, pool, {}, {}) for token, pool in zip(tokens, paid_in, strict=True)]
    earned = record.payments()
    workers = np.flatnonzero(record.committed).tolist()
    found = []
    for token, pool in zip(tokens, paid_in, strict=True):
        drawn = chain.batch([market.drawn(number, token, worker) for worker in workers])
        found.append(
            Pool(token, pool, shares(pool, earned, full), dict(zip(workers, drawn, strict=True)))
        )
    return found


def draw(
    session: Session,
    bounty_id: int,
    *,
    payees: Iterable[str] | None = None,
    say: Say = quiet,
) -> list[Drawn]:
    """Credit every worker of a bounty with what sales owe them, in all tokens, and pay it out.

    Anyone may. Repeated, also after a kill, it draws and pays what is left.

    Args:
        session: Whose account sends, and pays the gas.
        bounty_id: The bounty's number.
        payees: Whom to pay out, of those on the roster; all of them if not given. What is others'
            waits for them.
        say: Told what happens.

    Raises:
        BountyError: The bounty has not ended, did not take place, or nothing is sold with a
            royalty for it.
        ChainError: Something was refused.
    """
    record = require_ended(BountyClient(session), bounty_id, "draw its royalties")
    pools = read_pools(session, record)
    if not pools:
        raise BountyError(f"nothing is sold with a royalty for bounty {bounty_id}")
    return [_draw_pool(session, record, pool, payees, say) for pool in pools]


def draw_listed(
    session: Session, bounty_id: int, *, payees: Iterable[str] | None = None, say: Say = quiet
) -> list[Drawn]:
    """Do what `draw` does in tokens that the profile lists, and say where others are left.

    Tokens of strangers may be worth less than the gas. Where nothing is sold, nothing is drawn.

    Args:
        session: Whose account sends, and pays the gas.
        bounty_id: The bounty's number; it has ended.
        payees: Whom to pay out, as `draw` has it.
        say: Told what happens.

    Raises:
        BountyError: Its score cannot be read.
        ChainError: It was refused.
    """
    if not Catalogue.of(session).made_by(bounty_id):
        return []
    record = BountyClient(session).read(bounty_id)
    listed = {address_bytes(token.address) for token in session.profile.tokens}
    pools = read_pools(session, record)
    known = [pool for pool in pools if address_bytes(pool.token) in listed]
    for pool in pools:
        if pool not in known and pool.due:
            amount = session.profile.amount(sum(pool.due.values()), pool.token)
            say(f"sales owe the labelers {amount} too: truthmark royalties draw {bounty_id}")
    return [_draw_pool(session, record, pool, payees, say) for pool in known]


def _draw_pool(
    session: Session, record: Record, pool: Pool, payees: Iterable[str] | None, say: Say
) -> Drawn:
    """Do what `draw` does, in one token."""
    amounts: dict[str, int] = {}
    for first, due in _by_chunk(record, pool.due).items():
        say(f"drawing for workers from row {first} on")
        drawing = _drawing(session, record, pool.token, first)
        session.send_repeatable(drawing, f"draw royalties of bounty {record.ref.bounty_id}")
        for worker, units in due.items():
            payee = record.roster.rows[worker].payee
            amounts[payee] = amounts.get(payee, 0) + units
    wanted = None if payees is None else {address_bytes(it) for it in payees}
    here = [it for it in payees_of(record) if wanted is None or address_bytes(it) in wanted]
    paid = withdraw_all(session, session.chain.market, pool.token, here)
    return Drawn(pool.token, amounts, paid)


def plan_draw(session: Session, record: Record, payee: str) -> list[tuple[str, int, list["Call"]]]:
    """Return by token what sales owe one payee, and the calls that credit it; anyone may send them.

    Args:
        session: Whose chain is asked.
        record: The bounty, as `BountyClient.read` gives it.
        payee: Whom.

    Raises:
        BountyError: Its score cannot be read.
        ChainError: The chain cannot be read.
    """
    rows, wanted = record.roster.rows, address_bytes(payee)
    found = []
    for pool in read_pools(session, record):
        due = {n: units for n, units in pool.due.items() if address_bytes(rows[n].payee) == wanted}
        if due:
            calls = [_drawing(session, record, pool.token, n) for n in _by_chunk(record, due)]
            found.append((pool.token, sum(due.values()), calls))
    return found


def unsettled_sales(session: Session, bounty_id: int) -> list[Purchase]:
    """Return sales that owe the labelers of a bounty, but pay only once they are settled."""
    catalogue = Catalogue.of(session)
    return [
        purchase
        for version in catalogue.made_by(bounty_id)
        for purchase in catalogue.purchases(terms_id=version.terms_id)
        if purchase.status in (PurchaseStatus.PAID, PurchaseStatus.DELIVERED)
    ]


def _score(record: Record) -> Score | None:
    """Return the score where it says what is paid."""
    return record.require_score() if record.status in (Status.SETTLED, Status.HALF) else None


def _by_chunk(record: Record, due: dict[int, int]) -> dict[int, dict[int, int]]:
    """Return what is due by the first worker of each chunk of the roster."""
    found: dict[int, dict[int, int]] = {}
    for worker, units in due.items():
        first = record.roster.evidence(worker).first_worker
        found.setdefault(first, {})[worker] = units
    return found


def _drawing(session: Session, record: Record, token: str, first: int) -> "Call":
    evidence = chunk_to_draw(record.roster, first, _score(record))
    return session.chain.market.functions.draw_royalty(
        token, record.ref.bounty_id, record.terms.to_struct(), evidence
    )
