# SPDX-License-Identifier: Apache-2.0
"""What labeling has brought an account, and what the contracts hold for it."""

from collections import defaultdict
from typing import Final

from app import income_views, views
from app.services.accounts import my_session, my_synced_session
from app.services.bounties import clock_at
from app.services.one_bounty import waits_for_payout
from app.services.reading import PATIENCE_SECONDS, board, chain_now, is_local, shared_reader
from app.services.texts import amount_of
from app.services.wallets import claims_of
from truthmark.bounty.flows.earning import parts_of
from truthmark.bounty.flows.standing import Share, shares_of
from truthmark.bounty.labeling_folder import LabelingFolder
from truthmark.bounty.payouts import Status
from truthmark.bounty.phases import phase_of
from truthmark.bounty.record import Record
from truthmark.bounty.view import BountyView, Seen
from truthmark.config.units import to_checksum_address
from truthmark.errors import BountyError, ConfigError
from truthmark.flows import royalties
from truthmark.market.catalogue import Catalogue
from truthmark.market.settlement import LEDGERS, Settlement
from truthmark.session import Session
from truthmark.text import clean
from truthmark.waiting import Deadline

EARNINGS_PAGE_SIZE: Final = 10


def earnings(account: str = "", page: int = 1) -> income_views.Earnings:
    """Return what each bounty brought an account, and what it can take out.

    Args:
        account: Address; the account of this machine if empty.
        page: Of the bounties, from 1.

    Raises:
        ConfigError: This is no address, or there is none of this machine.
        ChainError: The chain cannot be read.
    """
    session = my_synced_session() if is_local() else shared_reader().session
    address = to_checksum_address(account) if account else session.address
    found = board(session)
    parts = parts_of(session, address, Deadline(2 * PATIENCE_SECONDS))
    numbers = [number for number in parts.bounties if number in found.briefs]
    pages = max(1, -(-len(numbers) // EARNINGS_PAGE_SIZE))
    page = min(max(page, 1), pages)
    shown = numbers[(page - 1) * EARNINGS_PAGE_SIZE : page * EARNINGS_PAGE_SIZE]
    view = session.part(BountyView, lambda: BountyView(session))
    view.refresh()
    seen = view.look(shown)
    titles = _titles(session, shown)
    return income_views.Earnings(
        account=address,
        rows=tuple(
            row
            for number in shown
            for row in _rows(session, address, number, seen[number], titles.get(number, ""))
        ),
        total=len(numbers),
        pages=pages,
        page=page,
        pending=parts.pending,
        owed=_owed(session, address),
    )


def draw_royalties(number: int) -> str:
    """Draw what sales owe the labelers of a bounty, and pay the account; returns what it got.

    Raises:
        BountyError: There is nothing to draw.
        ChainError: It was refused.
        ConfigError: The account is locked.
    """
    session = my_session()
    session.require_account()
    drawn = royalties.draw(session, number, payees=[session.address])
    paid = [amount_of(session, sum(it.paid.values()), it.token) for it in drawn if it.paid]
    return " and ".join(paid)


def _owed(session: Session, address: str) -> tuple[income_views.Owed, ...]:
    """Return what the contracts hold for an account, in the tokens that are listed."""
    settlement, found = Settlement(session), []
    for token in session.profile.tokens:
        credits = settlement.credits(token.address, address)
        if not credits:
            continue
        found.append(
            income_views.Owed(
                amount=amount_of(session, sum(credits.values()), token.address),
                parts=tuple(
                    (LEDGERS[role], amount_of(session, units, token.address))
                    for role, units in credits.items()
                ),
            )
        )
    return tuple(found)


def _titles(session: Session, numbers: list[int]) -> dict[int, str]:
    reader_, briefs = shared_reader(), board(session).briefs
    wanted = {number: briefs[number].terms for number in numbers}
    known = reader_.headings.read(list(wanted.values()), Deadline(PATIENCE_SECONDS))
    found = {n: known.get(reader_.headings.key(terms)) for n, terms in wanted.items()}
    return {n: clean(heading.title, 200) for n, heading in found.items() if heading is not None}


def _rows(
    session: Session, address: str, number: int, seen: Seen | Exception, title: str
) -> list[income_views.Earning]:
    """Return a row for each of the account's places in a bounty; one that says what is wrong."""
    brief, now = board(session).briefs[number], chain_now(session)
    clock = clock_at(brief, now)
    if not isinstance(seen, Seen):
        problem = clean(seen, 300)
        return [income_views.Earning(number, title, clock, "cannot be read now", problem=problem)]
    record = seen.record
    phase = phase_of(record, seen.mark, seen.now)
    folder = LabelingFolder(session.home, record.ref)
    accounts = [address]
    try:
        entry = folder.entry if is_local() else None
    except BountyError:
        entry = None
    if entry is not None and address.lower() == entry.payee.lower():
        accounts.append(entry.signer)
    shares = shares_of(record, accounts, phase, folder)
    due = _royalties(session, record)
    claims = () if is_local() else _claims(session, record, address)
    return [
        income_views.Earning(
            number,
            title,
            clock,
            _state(session, record, share),
            batches=share.committed,
            share=None if share.score is None else f"{share.score:.1%}",
            pay=None
            if share.payment is None
            else amount_of(session, share.payment.total, record.terms.token),
            problem=share.mark,
            royalties=due.get(share.worker, ()),
            claims=claims if place == 0 else (),
        )
        for place, share in enumerate(shares)
    ]


def _claims(session: Session, record: Record, payee: str) -> tuple[views.WalletAction, ...]:
    """Return what a wallet may do about a bounty, for the account that is paid by it."""
    if not record.status.has_ended:
        return ()
    try:
        waits = waits_for_payout(session, record)
        return claims_of(session, record, payee, waits_for_payout=waits)
    except (BountyError, ConfigError):
        return ()  # nothing can be drawn then


def _state(session: Session, record: Record, share: Share) -> str:
    if record.status is Status.REFUNDED:
        return "did not take place"
    if not share.committed:
        is_over = record.status >= Status.SCORED
        return "nothing was labeled in time" if is_over else "not labeled yet"
    if share.payment is None:
        return "after the score"
    if not record.status.has_ended:
        return "if nobody disproves it"
    return "to be paid out" if waits_for_payout(session, record) else "paid"


def _royalties(session: Session, record: Record) -> dict[int, tuple[str, ...]]:
    """Return by worker what sales of the labels owe, and nobody has drawn yet."""
    if not record.status.has_ended or not Catalogue.of(session).made_by(record.ref.bounty_id):
        return {}
    found: defaultdict[int, tuple[str, ...]] = defaultdict(tuple)
    try:
        for pool in royalties.read_pools(session, record):
            for worker, units in pool.due.items():
                found[worker] += (amount_of(session, units, pool.token),)
    except (BountyError, ConfigError):
        return {}  # nothing can be drawn then
    return found
