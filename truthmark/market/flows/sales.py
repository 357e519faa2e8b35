# SPDX-License-Identifier: Apache-2.0
"""After listing: what was sold is delivered, samples are opened, and sales settled."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Final, NoReturn

from truthmark.errors import MarketError, TruthmarkError
from truthmark.market.catalogue import Catalogue
from truthmark.market.custodian import Custodian, CustodySlot
from truthmark.market.entries import Purchase, Version
from truthmark.market.flows.sampling import open_sample
from truthmark.market.preview import PreviewState
from truthmark.market.records import PurchaseStatus, VersionStatus
from truthmark.market.settlement import Settlement, inspected
from truthmark.market.verdicts import split_price
from truthmark.session import Session
from truthmark.types import Say, quiet

_MARGIN_BLOCKS: Final = 5
"""Nothing is delivered so close to its deadline."""


def own_versions(session: Session, dataset: str | None) -> list[Version]:
    """Return the versions that this account sells; of one listing if named.

    Raises:
        MarketError: That one is not its own.
    """
    address = session.address.lower()
    if dataset is None:
        return Catalogue.of(session).versions(seller=session.address)
    version = Catalogue.of(session).find(dataset)
    if version.terms.seller.lower() != address:
        raise MarketError(f"{version.ref} is sold by {version.terms.seller}; use that account")
    return [version]


def income(version: Version, purchases: Sequence[Purchase]) -> int:
    """Return what settled and rejected purchases brought the payee."""
    return sum(
        split_price(
            p.receipt.price, version.terms, is_rejected=p.status is PurchaseStatus.REJECTED
        ).paid_out
        for p in purchases
        if p.status in (PurchaseStatus.SETTLED, PurchaseStatus.REJECTED)
    )


def deliver_due(session: Session, version: Version, tell: Say = quiet) -> tuple[int, int]:
    """Deliver what can be delivered of a version that its seller delivers alone.

    Args:
        session: Of the seller.
        version: What.
        tell: Told of each delivery.

    Returns:
        How many were delivered, and how many must wait until their payment is final.
    """
    margin = _MARGIN_BLOCKS * session.profile.block_time
    functions = session.chain.market.functions
    done = waiting = 0
    for epoch in Catalogue.of(session).epochs(version.terms_id):
        found = Catalogue.of(session).purchases(custody_id=epoch.custody_id)
        paid = [p for p in found if p.status is PurchaseStatus.PAID]
        if not epoch.custody.is_direct or not paid:
            continue
        final, now = session.chain.final_block(), session.chain.time()
        # A part that comes too late is public all the same: the buyer would have key and money.
        in_time = [p for p in paid if now + margin <= p.deadline]
        # What is delivered cannot be taken back, so the payment must not be either.
        due = [
            p
            for p in in_time
            if p.block_number <= final.number
            and session.chain.agreed_call(functions.purchases(p.purchase_id), final).status
            == PurchaseStatus.PAID
        ]
        waiting += len(in_time) - len(due)
        if due:
            Custodian(session).deliver(version, CustodySlot(epoch, 1), due)
            for purchase in due:
                tell(f"{version.ref}: delivered to {purchase.receipt.buyer}")
            done += len(due)
    return done, waiting


def settle_due(
    session: Session, versions: Sequence[Version], now: int, tell: Say = quiet
) -> list[tuple[Version, Purchase]]:
    """Settle the sales of versions whose inspection is over, and return them.

    Args:
        session: Who pays the gas.
        versions: Which.
        now: Chain time.
        tell: Told of each sale.
    """
    done = []
    for version in versions:
        # The purchases of a version whose key was proven wrong can only be refunded.
        if version.status is VersionStatus.REVOKED:
            continue
        due = inspected(Catalogue.of(session).purchases(terms_id=version.terms_id), now)
        if due:
            Settlement(session).settle(due)
        for purchase in due:
            shown = session.profile.amount(purchase.receipt.price, version.terms.token)
            tell(f"{version.ref}: {shown} from {purchase.receipt.buyer} settled")
            done.append((version, purchase))
    return done


def follow(session: Session, dataset: str | None, *, tell: Say, say: Say) -> NoReturn:
    """Deliver and settle for ever; no failure ends it, nor keeps one version from another.

    Args:
        session: Of the seller.
        dataset: Which; all that are sold if not named.
        tell: Told of each delivery and settlement.
        say: Told what else happens, and of failures.
    """
    say("waiting for sales; Ctrl-C stops it, and nothing is lost")
    said: dict[str, str] = {}
    opened: set[bytes] = set()
    while True:
        versions: list[Version] = []
        now = 0
        with _surviving("", said, say):
            Catalogue.of(session).sync()
            now = session.chain.time()
            versions = own_versions(session, dataset)
        for version in versions:
            with _surviving(f"{version.ref} is not delivered: ", said, say):
                deliver_due(session, version, tell)
            with _surviving(f"the sample of {version.ref} is not opened: ", said, say):
                _open_due(session, version, opened, say)
            with _surviving(f"{version.ref} is not settled: ", said, say):
                settle_due(session, [version], now, tell)
        time.sleep(session.profile.poll_seconds)


def _open_due(session: Session, version: Version, opened: set[bytes], say: Say) -> None:
    """Open what chance has picked by now of a version, once; `opened` keeps which are done."""
    if version.terms_id in opened or version.status is not VersionStatus.OPEN:
        return
    found = open_sample(session, version, waits=False, say=say)
    if found.state is not PreviewState.WAITING:
        opened.add(version.terms_id)


@contextlib.contextmanager
def _surviving(what: str, said: dict[str, str], say: Say) -> Iterator[None]:
    """Say a failure once, not at every look, and go on.

    Args:
        what: Begins what is said.
        said: The last failure of each, which is kept here.
        say: Told of it.
    """
    try:
        yield
    except TruthmarkError as error:
        if said.get(what) != str(error):
            say(f"{what}{error}; going on")
        said[what] = str(error)
    else:
        said.pop(what, None)
