# SPDX-License-Identifier: Apache-2.0
"""`truthmark search`: find what is for sale."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from truthmark.cli.command import State, command, json_option, resolve_address
from truthmark.cli.output import amount_json, echo_json, info, table
from truthmark.cli.param_types import ACCOUNT, AMOUNT, TOKEN
from truthmark.codec.sampling import preview_asked
from truthmark.errors import CodecError, MarketError, NotForSaleError, StorageError
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import Purchase, Version
from truthmark.market.fetch import Fetcher
from truthmark.market.preview import PreviewState, remembered_states
from truthmark.market.purchase import Buyer
from truthmark.market.quote import Quote
from truthmark.market.records import PurchaseStatus
from truthmark.market.surface import Hit, dataset_uri
from truthmark.market.surface import search as find
from truthmark.session import Session
from truthmark.text import format_size, plural

if TYPE_CHECKING:
    from truthmark.flows.provenance import Provenance


@command()
@click.argument("words", nargs=-1)
@click.option("--max-price", type=AMOUNT, help='Such as "25 TUSD".')
@click.option("--token", type=TOKEN, help="Only what is sold for this token.")
@click.option("--seller", type=ACCOUNT, help="Only what this account sells.")
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many."
)
@json_option
def search(
    state: State,
    words: tuple[str, ...],
    max_price: str | None,
    token: str | None,
    seller: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Find what is for sale.

    All WORDS must be in its title or description.
    """
    with state.session() as session:
        hits = find(
            " ".join(words),
            token=token,
            max_price=max_price,
            seller=resolve_address(session, seller) if seller is not None else None,
            limit=limit,
            session=session,
        )
        if hits:
            try:
                Catalogue.of(session).require_unpaused()
            except NotForSaleError as error:
                info(str(error))
        ids = [hit.version.terms_id for hit in hits]
        sold, mine = Catalogue.of(session).sold(ids), own_purchases(session)
        sizes = {hit.version.terms_id: _size(session, hit.version) for hit in hits}
        stands = remembered_states(session, ids)
        if as_json:
            echo_json(
                [
                    {
                        **dataset_json(session, hit.version),
                        "title": hit.title,
                        "description": hit.card["description"],
                        "licence": hit.card["licence"],
                        "rows": _rows(hit.card),
                        "size": sizes[hit.version.terms_id],
                        "sold": sold.get(hit.version.terms_id, 0),
                        "sample": _sampled(hit, stands.get(hit.version.terms_id)),
                        "is_bought": hit.version.terms_id in mine,
                    }
                    for hit in hits
                ]
            )
            return
        if hits.pending:
            info(f"{hits.pending} more could not be read in time; search again")
        if not hits:
            info("nothing that fits is for sale here")
            return
        # A seller may name any bounty whose requester agreed; it says something of the data only
        # where they asked for the labels themselves, and its score stands.
        named = origins(session, [hit.version for hit in hits])
        bounties = {terms_id: it.bounty for terms_id, it in named.items() if it.is_shown}
        table(
            [
                (
                    hit.version.ref,
                    hit.title,
                    session.profile.amount(hit.version.price, hit.version.terms.token),
                    _holds(_rows(hit.card), sizes[hit.version.terms_id]),
                    sold.get(hit.version.terms_id, 0),
                    _sampled(hit, stands.get(hit.version.terms_id)),
                    hit.card["licence"],
                    _relation(session, hit.version, mine),
                    *([bounties.get(hit.version.terms_id, "")] if bounties else []),
                )
                for hit in hits
            ],
            (
                *("data set", "title", "price", "holds", "sold", "sample", "licence", "you"),
                *(["of bounty"] if bounties else []),
            ),
        )
        if hits.is_cut:
            info("there are more; raise --limit")


def _sampled(hit: Hit, stands: "tuple[PreviewState, str] | None") -> str:
    """Return how a sample stood when this machine last looked; nothing is fetched for a list."""
    if stands is not None:
        return stands[0].value
    try:
        return "not looked at" if preview_asked(hit.card) is not None else "blind"
    except CodecError:
        return "blind"


def own_purchases(session: Session) -> dict[bytes, Purchase]:
    """Return the purchases of the account in use by terms, without those that were refunded.

    Nobody is asked for a passphrase: where the address is not known there are none.
    """
    address = session.known_address
    if address is None:
        return {}
    return {
        p.terms_id: p
        for p in Catalogue.of(session).purchases(buyer=address)
        if p.status is not PurchaseStatus.REFUNDED
    }


def _relation(session: Session, version: Version, mine: Mapping[bytes, Purchase]) -> str:
    """Return in a word what a version is to the account in use."""
    if version.terms_id in mine:
        return "bought"
    return "sell it" if version.terms.seller == session.known_address else ""


def _rows(card: Mapping[str, Any]) -> int | None:
    """Return how many rows a card says there are; None where it does not say it."""
    counts = card.get("counts")
    numbers = [entry.get("rows") for entry in counts] if isinstance(counts, list) else []
    known = [number for number in numbers if isinstance(number, int)]
    return sum(known) if known and len(known) == len(numbers) else None


def _size(session: Session, version: Version) -> int | None:
    """Return how many bytes there are to fetch; None where the manifest is not to be had."""
    try:
        return Fetcher(session).manifest(version).size
    except (StorageError, CodecError):
        return None


def _holds(rows: int | None, count: int | None) -> str:
    """Return rows and size in words, as far as they are known."""
    return ", ".join(
        ([plural(rows, "row")] if rows else [])
        + ([format_size(count)] if count is not None else [])
    )


def dataset_json(session: Session, version: Version) -> dict[str, Any]:
    """Return what identifies a version and what it costs, as JSON values."""
    return {
        "dataset": version.ref,
        "listing": version.listing_id,
        "version": version.number,
        "uri": dataset_uri(session, version),
        "terms_id": "0x" + version.terms_id.hex(),
        "seller": version.terms.seller,
        "price": amount_json(session, version.price, version.terms.token),
        "bounty": version.terms.bounty or None,
        "status": version.status.name.lower(),
        "listed_at": version.listed_at,
    }


def can_be_bought(session: Session, version: Version) -> tuple[Quote | None, str | None]:
    """Return what a purchase would cost now; or None and why there can be none."""
    try:
        return Buyer(session).quote(version), None
    except MarketError as error:
        return None, str(error)


def origins(session: Session, versions: Sequence[Version]) -> "dict[bytes, Provenance]":
    """Return the bounties that versions name, by terms; loads what reads these only if one does."""
    named = [version for version in versions if version.terms.bounty]
    if not named:
        return {}
    from truthmark.flows.provenance import provenances

    return provenances(session, named)


def purchase_json(session: Session, version: Version, purchase: Purchase) -> dict[str, Any]:
    """Return a purchase as JSON values."""
    return {
        "purchase": "0x" + purchase.purchase_id.hex(),
        "dataset": version.ref,
        "buyer": purchase.receipt.buyer,
        "price": amount_json(session, purchase.receipt.price, version.terms.token),
        "status": purchase.status.name.lower(),
        "bought_at": purchase.bought_at,
        "deadline": purchase.deadline,
        "delivered": sorted(purchase.delivered),
    }
