# SPDX-License-Identifier: Apache-2.0
"""Pays the workers of a bounty that has ended; anyone may, and nobody is paid twice."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from truthmark.bounty.client import BountyClient
from truthmark.bounty.payouts import Status
from truthmark.bounty.record import Record
from truthmark.errors import BountyError
from truthmark.keys.abi_hash import address_bytes
from truthmark.session import Session
from truthmark.text import format_time
from truthmark.types import Say, quiet

if TYPE_CHECKING:
    from truthmark.chain.contracts import Contract


@dataclass(frozen=True, slots=True)
class Paid:
    """What was paid out.

    Attributes:
        token: In which.
        amounts: By payee, in the token's smallest unit.
    """

    token: str
    amounts: dict[str, int]


def ends_at(record: Record, mark: int) -> int:
    """Return until when a bounty runs at the latest, should nothing more happen; chain time.

    Args:
        record: Of a bounty that has not ended.
        mark: When its status began.
    """
    terms = record.terms
    match record.status:
        case Status.OPEN:
            return mark + terms.join_seconds
        case Status.DRAWN:
            return mark + 86_400
        case Status.LABEL if record.committed.any():
            return terms.deadlines(mark).score
        case Status.LABEL:
            return terms.deadlines(mark).commit
    return mark + terms.challenge_seconds


def pay_all(
    session: Session, bounty_id: int, *, payees: Iterable[str] | None = None, say: Say = quiet
) -> Paid:
    """Credit every worker, then pay out what the board owes to `payees`, each to themselves.

    Repeated, it pays what is still owed. The session's account pays the gas and gets the tips.

    Args:
        session: Whose account sends.
        bounty_id: The bounty's number.
        payees: Whom to pay out; all workers' payees and the session's account if not given.
        say: Told what happens.

    Raises:
        BountyError: The bounty has not ended, or its money went back.
        ChainError: Something was refused.
    """
    client = BountyClient(session)
    record = require_ended(client, bounty_id, "pay it out")
    say("crediting everybody whose labels were committed")
    client.payout(record)
    if payees is None:
        payees = distinct([*payees_of(record), session.address])
    token = record.terms.token
    return Paid(token, withdraw_all(session, client.board, token, payees))


def require_ended(client: BountyClient, bounty_id: int, what: str) -> Record:
    """Return a bounty that has ended with labels, ended now if nobody has although it is time.

    Args:
        client: Whose account sends.
        bounty_id: The bounty's number.
        what: What can be done then, such as "pay it out".

    Raises:
        BountyError: It has not ended, or its money went back.
        ChainError: Something was refused.
    """
    record = client.read(bounty_id)
    if not record.status.has_ended:
        end, now = ends_at(record, client.mark(bounty_id)), client.session.chain.time()
        if now <= end:
            raise BountyError(
                f"bounty {bounty_id} has not ended; {what} after {format_time(end, now)}"
            )
        client.end(bounty_id, record.terms)
        record = client.read(bounty_id)
    if record.status is Status.REFUNDED:
        raise BountyError(f"bounty {bounty_id} did not take place; there is nobody to pay")
    return record


def withdraw_all(
    session: Session, ledger: "Contract", token: str, payees: Iterable[str]
) -> dict[str, int]:
    """Pay out what a contract owes to some accounts, each to themselves.

    Repeated, also after a kill, it waits for what was sent and pays what is still owed.

    Args:
        session: Whose account sends, and pays the gas.
        ledger: The contract that owes: board, or market.
        token: In which.
        payees: Whom to pay.

    Returns:
        What each got, in the token's smallest unit; who is owed nothing is left out.

    Raises:
        ChainError: It was refused.
    """
    accounts = list(payees)
    owed = session.chain.batch([ledger.functions.balances(token, it) for it in accounts])
    paid = {account: units for account, units in zip(accounts, owed, strict=True) if units}
    for account in paid:
        withdrawing = ledger.functions.withdraw(token, account, 0)
        session.send_repeatable(withdrawing, f"withdraw for {account}")
    return paid


def payees_of(record: Record) -> list[str]:
    """Return whom the roster pays, each once, in its order."""
    return distinct(row.payee for row in record.roster.rows if not row.is_gap)


def distinct(accounts: Iterable[str]) -> list[str]:
    """Return each account once, whatever its capitals, in order."""
    return list({address_bytes(account): account for account in accounts}.values())
