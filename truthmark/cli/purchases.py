# SPDX-License-Identifier: Apache-2.0
"""`truthmark purchases`: what was bought, how each purchase stands, and what to do next."""

from typing import Any

import click

from truthmark.cli.browse import purchase_json
from truthmark.cli.command import State, command, json_option
from truthmark.cli.output import amount_json, echo, echo_json, info, print_fields
from truthmark.cli.param_types import DATASET
from truthmark.cli.titles import titles
from truthmark.market.catalogue import Catalogue
from truthmark.market.endings import why_revoked
from truthmark.market.entries import Purchase, Version
from truthmark.market.flows.purchasing import paid, refundable
from truthmark.market.opened import opened_places
from truthmark.market.records import PurchaseStatus
from truthmark.session import Session
from truthmark.text import format_time


@command()
@click.argument("dataset", type=DATASET, required=False)
@json_option
def purchases(state: State, dataset: str | None, as_json: bool) -> None:
    """Show what you bought, and what to do next.

    All your purchases, or those of DATASET: what each cost, its state and until when, and
    where it was opened.
    """
    with state.session(signs=True) as session:
        terms_id = None if dataset is None else Catalogue.of(session).find(dataset).terms_id
        bought = Catalogue.of(session).purchases(buyer=session.address, terms_id=terms_id)
        ids = list({p.terms_id for p in bought})
        found = Catalogue.of(session).versions(terms_ids=ids) if ids else []
        versions = {version.terms_id: version for version in found}
        names = titles(session, list(versions.values()))
        now = session.chain.time()
        # The newest first: that is what people come for.
        pairs = [(versions[p.terms_id], p) for p in reversed(bought) if p.terms_id in versions]
        if as_json:
            echo_json([_as_json(session, v, p, names, now) for v, p in pairs])
            return
        if not pairs:
            what = "nothing" if dataset is None else f"{dataset} not"
            info(f"{session.address} has bought {what}; `truthmark search` shows what is for sale")
        for version, purchase in pairs:
            _show(session, version, purchase, names.get(version.terms_id), now)


def _as_json(
    session: Session, version: Version, purchase: Purchase, names: dict[bytes, str], now: int
) -> dict[str, Any]:
    _, todo = _status(session, version, purchase, now)
    return {
        **purchase_json(session, version, purchase),
        "title": names.get(version.terms_id),
        "paid": amount_json(session, paid(session, purchase), version.terms.token),
        "opened": [str(place) for place in opened_places(session, version)],
        "next": todo,
    }


def _show(
    session: Session, version: Version, purchase: Purchase, title: str | None, now: int
) -> None:
    how, todo = _status(session, version, purchase, now)
    echo(f"{version.ref}: {title or '(its card is not available)'}")
    print_fields(
        [
            ("paid", session.profile.amount(paid(session, purchase), version.terms.token)),
            ("bought", format_time(purchase.bought_at)),
            ("state", how),
            *(("opened in", place) for place in opened_places(session, version)),
            ("next", todo),
        ],
        indent=2,
    )


def _status(
    session: Session, version: Version, purchase: Purchase, now: int
) -> tuple[str, str | None]:
    """Return in words how a purchase stands, and what to do next."""
    get = f"`truthmark get {version.ref} FOLDER`"
    refund = f"`truthmark refund {version.ref}` brings your money back"
    until = format_time(purchase.deadline, now)
    if purchase.status is PurchaseStatus.REFUNDED:
        return "refunded: your money came back", None
    if refundable(session, [purchase], now):
        if purchase.status is PurchaseStatus.PAID and now > purchase.deadline:
            return f"the key did not come until {until}", refund
        return f"revoked: {why_revoked(session, version)}", refund
    if purchase.status is PurchaseStatus.PAID:
        return f"waiting for the key until {until}", f"{get} waits for it and opens the data"
    opens = None if opened_places(session, version) else f"{get} opens it, at no cost"
    if purchase.status is PurchaseStatus.REJECTED:
        return "yours: you rejected it, and the guaranteed part of its price is burned", opens
    if purchase.status is PurchaseStatus.SETTLED:
        return "yours: the key came, the seller was paid", opens
    if now <= purchase.deadline:
        dispute = f"if it does not open, `truthmark dispute {version.ref}` counts until then"
        return (
            f"the key came; you may check it until {until}",
            f"{opens}; {dispute}" if opens else None,
        )
    return "yours: the key came, and the time to check it is over", opens
