# SPDX-License-Identifier: Apache-2.0
"""`truthmark refund`, and what `get` and `dispute` do with money that has to come back."""

from typing import NoReturn

import click

from truthmark.cli.browse import purchase_json
from truthmark.cli.command import State, command, json_option
from truthmark.cli.output import ask, echo, echo_json, info
from truthmark.cli.param_types import DATASET
from truthmark.config.units import Amount, about
from truthmark.errors import DeliveryError, MarketError
from truthmark.market.catalogue import Catalogue
from truthmark.market.endings import why_revoked
from truthmark.market.entries import Purchase, Version
from truthmark.market.flows import purchasing
from truthmark.market.purchase import Buyer, WrongKeyDispute
from truthmark.market.records import PurchaseStatus, VersionStatus
from truthmark.session import Session
from truthmark.text import format_time


@command()
@click.argument("dataset", type=DATASET, required=False)
@json_option
def refund(state: State, dataset: str | None, as_json: bool) -> None:
    """Get money back for keys that did not come.

    Or that were proven wrong. Of all your purchases, or those of DATASET. Pays it out to you as
    well. If DATASET is named it is an error if nothing can be refunded.
    """
    with state.session(sends=True) as session:
        catalogue = Catalogue.of(session)
        terms_id = catalogue.find(dataset).terms_id if dataset is not None else None
        mine = catalogue.purchases(buyer=session.address, terms_id=terms_id)
        due = purchasing.refundable(session, mine, session.chain.time())
        nothing = "" if due else _why_nothing(session, mine)
        if nothing and dataset is not None:
            raise MarketError(nothing)
        purchasing.refund(session, due)
        if as_json:
            done = [
                refreshed
                for purchase in due
                for refreshed in catalogue.purchases(purchase_id=purchase.purchase_id)
            ]
            echo_json([purchase_json(session, catalogue.with_terms(p.terms_id), p) for p in done])
            return
        for purchase in due:
            version = catalogue.with_terms(purchase.terms_id)
            shown = _paid_text(session, version, purchase)
            echo(f"{version.ref}: {shown} came back")
        if nothing:
            info(nothing)


def _why_nothing(session: Session, mine: list[Purchase]) -> str:
    waiting = [p for p in mine if p.status is PurchaseStatus.PAID]
    if waiting:
        first = min(waiting, key=lambda p: p.deadline)
        return (
            "nothing can be refunded yet: a key may still come until "
            f"{format_time(first.deadline, session.chain.time())}"
        )
    return "there is nothing to refund"


def settle_dispute(session: Session, dispute: WrongKeyDispute, *, yes: bool) -> NoReturn:
    """Offer to prove that a key is wrong, and do so on a yes.

    Raises:
        DeliveryError: Always, as there is no data; says where the money is.
    """
    version, purchase = dispute.opened.version, dispute.opened.purchase
    back = (
        f"{_paid_text(session, version, purchase)} and "
        f"{session.profile.amount(dispute.reward, version.terms.token)} of the seller's bond"
    )
    status, _ = Catalogue.of(session).status(version)
    if status is VersionStatus.REVOKED:
        ended = DeliveryError(
            f"{version.ref} was revoked meanwhile: {why_revoked(session, version)}"
        )
        take_money_back(session, version, purchase, ended, yes=yes)
    now = session.chain.time()
    if now > purchase.deadline:
        raise DeliveryError(
            f"the key of {version.ref} is wrong, but disputes ended at "
            f"{format_time(purchase.deadline, now)}; nothing can be done about this purchase"
        ) from dispute
    info(
        f"the key of {version.ref} is wrong: it does not open part {dispute.wrong.i} that the "
        "seller committed to; the contract decides that, and pays you back"
    )
    cost = Buyer(session).dispute_cost(dispute)
    gas = "gas" if cost is None else f"about {session.profile.native(about(cost))} for gas"
    info(f"a dispute costs {gas}; it brings back your {back}")
    info("it also makes the wrong key public and ends the listing for everybody")
    if not ask("dispute?", yes=yes):
        raise DeliveryError(
            f"the key of {version.ref} is wrong; `truthmark dispute {version.ref}` counts until "
            f"{format_time(purchase.deadline, now)}"
        ) from dispute
    purchasing.dispute(session, dispute)
    raise DeliveryError(
        f"the key of {version.ref} was proven wrong; your {back} were paid to {session.address}"
    ) from dispute


def take_money_back(
    session: Session,
    version: Version,
    purchase: Purchase,
    error: DeliveryError,
    *,
    yes: bool,
) -> NoReturn:
    """Offer to take the money of a failed purchase back, and do so on a yes.

    Raises:
        DeliveryError: Always, as there is no data; says where the money is.
    """
    if not purchasing.refundable(session, [purchase], session.chain.time()):
        raise error
    shown = _paid_text(session, version, purchase)
    info(str(error))
    if not ask(f"take your {shown} back now?", yes=yes):
        raise DeliveryError(
            f"{version.ref} was not delivered; `truthmark refund {version.ref}` brings your money "
            "back"
        ) from error
    purchasing.refund(session, [purchase])
    raise DeliveryError(
        f"{version.ref} was not delivered; your {shown} were paid back to {session.address}"
    ) from error


def _paid_text(session: Session, version: Version, purchase: Purchase) -> Amount:
    """Return what a purchase cost."""
    return session.profile.amount(purchasing.paid(session, purchase), version.terms.token)
