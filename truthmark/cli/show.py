# SPDX-License-Identifier: Apache-2.0
"""`truthmark show`: all about a data set, before you buy."""

from typing import Any

import click

from truthmark import codec
from truthmark.cli.browse import can_be_bought, dataset_json, origins, own_purchases, purchase_json
from truthmark.cli.command import State, command, json_option
from truthmark.cli.dataset import card_lines
from truthmark.cli.output import amount_json, echo, echo_json, print_fields, width
from truthmark.cli.param_types import DATASET
from truthmark.errors import (
    ChainUnavailableError,
    CodecError,
    EndpointsDisagreeError,
    KeysError,
    StorageError,
)
from truthmark.market.assurance import arbiter_text, guarantee_text
from truthmark.market.catalogue import Catalogue
from truthmark.market.drafts.delivery import check_custody
from truthmark.market.endings import why_revoked
from truthmark.market.entries import Epoch, EpochState, Purchase, Version
from truthmark.market.preview import OnGet, Preview, look
from truthmark.market.purchase import Buyer
from truthmark.market.quote import Quote
from truthmark.market.records import ZERO_ADDRESS, PurchaseStatus, bits
from truthmark.market.reuse import find_reuse
from truthmark.market.reviews import Review, reviews_of
from truthmark.market.verdicts import split_price
from truthmark.session import Session
from truthmark.text import clean, format_duration, format_size, format_time, plural
from truthmark.waiting import Deadline

_PATIENCE_SECONDS = 5.0
"""For the indices of other listings, which are read once."""

_MOST_REUSED = 3
_MOST_REVIEWS = 10


@command()
@click.argument("dataset", type=DATASET)
@json_option
def show(state: State, dataset: str, as_json: bool) -> None:
    """Show everything about DATASET.

    What it holds, how it is sold, who keeps its key, who may dispute, and how this is known.
    """
    with state.version(dataset) as (session, version):
        now = session.chain.time()
        manifest, card, problem = _read_public(session, version)
        epochs = Catalogue.of(session).epochs(version.terms_id)
        states = Catalogue.of(session).states(epochs)
        purchases = Catalogue.of(session).purchases(terms_id=version.terms_id)
        mine = own_purchases(session).get(version.terms_id)
        quote, why_not = can_be_bought(session, version)
        sample, said = _look(session, version)
        reused = find_reuse(session, version, Deadline(_PATIENCE_SECONDS))
        if as_json:
            echo_json(
                {
                    **dataset_json(session, version),
                    "card": card,
                    "problem": problem,
                    "size": manifest.size if manifest else None,
                    "manifest": str(manifest.cid) if manifest else None,
                    "sold": sum(p.status is not PurchaseStatus.REFUNDED for p in purchases),
                    "is_bought": mine is not None,
                    "can_be_bought": quote is not None,
                    "why_not": why_not,
                    "provenance": _provenance_json(session, version),
                    "terms": _terms_json(session, version),
                    "sample": {"state": sample and sample.state.value, "found": said},
                    "rejected": _count_rejected(purchases),
                    "reviews": [
                        _review_json(session, version, it) for it in reviews_of(session, version)
                    ],
                    "reused": [
                        {
                            "dataset": found.older.ref,
                            "seller": found.older.terms.seller,
                            "parts": found.shards,
                        }
                        for found in reused
                    ],
                    "custody": [_epoch_json(e, s) for e, s in zip(epochs, states, strict=True)],
                    "purchases": [purchase_json(session, version, p) for p in purchases],
                    "time": now,
                }
            )
            return
        how = _STATUS.get(version.status.name) or f"{why_revoked(session, version)}: do not buy"
        if version.status.name == "OPEN":
            how = "listed, but cannot be bought now" if quote is None else "for sale"
        echo(f"data set {version.ref}: {how}")
        _show_card(version, manifest, card, problem)
        _show_status(session, version, mine, quote, why_not, sample)
        for line in said:
            echo(f"  sample: {clean(line, 400)}")
        for found in reused[:_MOST_REUSED]:
            echo(f"  beware: {found.line}")
        _show_terms(session, version)
        _show_custody(session, version, epochs, states, now)
        _show_purchases(session, version, purchases, now)
        _show_reviews(session, version, reviews_of(session, version), now)
        _show_evidence(session, version, manifest, epochs)


def _look(session: Session, version: Version) -> tuple[Preview | None, list[str]]:
    """Return the sample and what it says; None and why where too few endpoints agree on it."""
    try:
        found = look(session, version)
    except (ChainUnavailableError, EndpointsDisagreeError) as error:
        return None, [f"It was not looked at: {error}"]
    return found, found.lines


def _show_status(
    session: Session,
    version: Version,
    mine: Purchase | None,
    quote: Quote | None,
    why_not: str | None,
    sample: Preview | None,
) -> None:
    if mine is not None:
        echo(f"  you have bought it: `truthmark get {version.ref} FOLDER` opens it, at no cost")
    elif version.terms.seller == session.known_address:
        echo("  you sell it: `truthmark sales` tells more")
    if quote is None:
        echo(f"  cannot be bought now: {clean(why_not)}")
        return
    total = session.profile.amount(quote.total, version.terms.token)
    costs = f"for {total} with all fees"
    if sample is None:
        echo(f"  offered {costs}; `truthmark get` looks at its sample first")
    elif sample.rule.on_get is OnGet.REFUSE:
        echo(f"  offered {costs}, but `truthmark get` refuses it: {sample.rule.meaning}")
    elif sample.rule.on_get is OnGet.WAIT:
        echo(f"  can be bought {costs} once its seller has opened the sample")
    elif sample.rule.on_get is OnGet.ASK:
        echo(f"  can be bought now, {costs}, if you say --blind")
    else:
        echo(f"  can be bought now, {costs}")


def _read_public(
    session: Session, version: Version
) -> "tuple[codec.Manifest | None, dict[str, Any] | None, str | None]":
    """Return manifest and card, or what is wrong with them."""
    buyer = Buyer(session)
    try:
        manifest = buyer.manifest(version)
        return manifest, buyer.card(version, manifest), None
    except (StorageError, CodecError) as error:
        return None, None, str(error)


def _show_card(
    version: Version,
    manifest: "codec.Manifest | None",
    card: dict[str, Any] | None,
    problem: str | None,
) -> None:
    if card is None:
        echo(f"  its card cannot be shown: {clean(problem)}")
    else:
        for line in card_lines(card, width() - 2):
            click.echo(f"  {line}")
    if manifest is not None:
        echo(f"  size: {format_size(manifest.size)}, encrypted")
    echo(f"  seller: {version.terms.seller}, listed {format_time(version.listed_at)}")


_STATUS = {
    "OPEN": "listed",
    "PAUSED": "paused",
    "RETIRED": "sold no more",
    "CLOSED": "sold no more",
}


def _show_terms(session: Session, version: Version) -> None:
    terms, show = version.terms, session.profile.amount
    echo("\nterms")
    echo(f"  price: {show(version.price, terms.token)}")
    delivery = format_duration(terms.delivery_seconds)
    echo(f"  the key comes within {delivery}, or your money comes back")
    echo(
        f"  after that you have {format_duration(terms.inspection_seconds)} to check it: if the "
        "key is wrong, you prove that with one transaction and all open sales are refunded"
    )
    if terms.bond:
        echo(
            f"  the seller put up {show(terms.bond, terms.token)}; a wrong key loses it, and half "
            "goes to the buyer who proves it"
        )
    else:
        echo("  the seller put up no bond")
    echo(f"  {guarantee_text(terms.guarantee_bps)}")
    echo(f"  {arbiter_text(terms.arbiter)}")
    echo(
        "  everybody may buy"
        if terms.gate == ZERO_ADDRESS
        else f"  buyers need to be admitted by {terms.gate}"
    )
    if fee := version.price * terms.fee_bps // 10_000:
        echo(f"  of the price {show(fee, terms.token)} goes to the protocol")
    if terms.bounty:
        owed = show(version.price * terms.royalty_bps // 10_000, terms.token)
        echo(
            f"  of the price {owed} ({terms.royalty_bps / 100:g}%) goes to those who labeled for "
            f"bounty {terms.bounty}"
        )
    origin = origins(session, [version]).get(version.terms_id)
    for line in origin.lines if origin is not None else ():
        echo(f"  {line}")
    if terms.payee.lower() != terms.seller.lower():
        echo(f"  the rest goes to {terms.payee}")


def _show_custody(
    session: Session, version: Version, epochs: list[Epoch], states: list[EpochState], now: int
) -> None:
    show = session.profile.amount
    echo("\nwho keeps the key")
    for epoch, state in zip(epochs, states, strict=True):
        custody = epoch.custody
        if state.status.name == "OPENED":
            how = f"waiting for custodians until {format_time(custody.accept_until, now)}"
        elif state.status.name == "LIVE" and now <= state.end:
            how = f"until {format_time(state.end, now)}"
        else:
            how = "ended"
        if custody.is_direct:
            echo(f"  the seller alone, {how}: deliveries need the seller's own process")
        else:
            accepted = len(bits(state.accepted))
            echo(
                f"  {custody.threshold} of {custody.count} custodians deliver, {how}; "
                f"{accepted} accepted"
            )
            stake = session.profile.stake_token
            echo(
                f"    each risks {show(custody.lock, stake)}; silence costs "
                f"{show(custody.penalty, stake)}; a delivery pays "
                f"{show(custody.fee, version.terms.token)}"
            )
            for custodian in epoch.custodians:
                echo(f"    {custodian}")
        try:
            check_custody(version.terms, custody, epoch.custodians, epoch.share_keys)
        except KeysError as error:
            echo(f"    do not buy from these: {clean(error)}")


def _show_purchases(
    session: Session, version: Version, purchases: list[Purchase], now: int
) -> None:
    line = f"\nsold {plural(len(purchases), 'time')}"
    if rejected := _count_rejected(purchases):
        # Of a free listing a rejection costs hardly anything, so what it cost is said beside it.
        burned = sum(
            split_price(p.receipt.price, version.terms, is_rejected=True).burned
            for p in purchases
            if p.status is PurchaseStatus.REJECTED
        )
        line += f", rejected {plural(rejected, 'time')}, which burned "
        line += str(session.profile.amount(burned, version.terms.token))
    echo(line)
    for purchase in purchases:
        if purchase.status.name == "DELIVERED" and now <= purchase.deadline:
            until = format_time(purchase.deadline, now)
            echo(f"  {purchase.receipt.buyer} may dispute until {until}")


def _count_rejected(purchases: list[Purchase]) -> int:
    return sum(p.status is PurchaseStatus.REJECTED for p in purchases)


def _show_reviews(session: Session, version: Version, reviews: list[Review], now: int) -> None:
    """Show what buyers say, and what each would cost a seller who made it up."""
    if not reviews:
        echo("  no buyer has reviewed it")
        return
    show, token = session.profile.amount, version.terms.token
    echo(f"\n{plural(len(reviews), 'review')}")
    for found in reviews[:_MOST_REVIEWS]:
        how = ", at a price that the seller signed for them" if found.is_by_voucher else ""
        echo(
            f"  {found.score} of 5, by {found.reviewer}, who paid {show(found.price, token)}{how} "
            f"({format_time(found.time, now)}; faking it costs at least {show(found.cost, token)})"
        )
        if found.text:
            echo(f"    {clean(found.text, 400)}")


def _review_json(session: Session, version: Version, found: Review) -> dict[str, Any]:
    token = version.terms.token
    return {
        "purchase": "0x" + found.purchase_id.hex(),
        "reviewer": found.reviewer,
        "score": found.score,
        "text": found.text,
        "price": amount_json(session, found.price, token),
        "is_by_voucher": found.is_by_voucher,
        "costs_to_fake": amount_json(session, found.cost, token),
        "time": found.time,
    }


def _show_evidence(
    session: Session, version: Version, manifest: "codec.Manifest | None", epochs: list[Epoch]
) -> None:
    terms = version.terms
    echo("\nhow is this known")
    print_fields(
        [
            ("terms, status, price", f"{session.chain.registry.address} on this chain"),
            ("id of the terms", "0x" + version.terms_id.hex()),
            ("manifest", manifest.cid if manifest else "0x" + terms.manifest.hex()),
            ("root of the shards", "0x" + terms.root.hex()),
            ("number of shards", terms.shard_count),
            ("dataset key", f"0x{terms.public_key.x:064x}"),
            *((f"custody {e.custody.epoch + 1}", "0x" + e.custody_id.hex()) for e in epochs),
        ],
        indent=2,
    )
    echo(
        "  The card is the seller's word: it is what the manifest commits to, and nothing proves "
        "that it fits the data."
    )
    echo(
        "  `truthmark fetch` checks every byte against the root before you pay; a part of the key "
        "counts only once the contract has verified it."
    )


def _terms_json(session: Session, version: Version) -> dict[str, Any]:
    terms = version.terms
    return {
        "payee": terms.payee,
        "bond": amount_json(session, terms.bond, terms.token),
        "gate": None if terms.gate == ZERO_ADDRESS else terms.gate,
        "delivery_seconds": terms.delivery_seconds,
        "inspection_seconds": terms.inspection_seconds,
        "fee_bps": terms.fee_bps,
        "royalty_bps": terms.royalty_bps,
        "bounty": terms.bounty or None,
        "guarantee_bps": terms.guarantee_bps,
        "arbiter": terms.arbiter if terms.has_arbiter else None,
        "manifest": "0x" + terms.manifest.hex(),
        "root": "0x" + terms.root.hex(),
        "parts": terms.shard_count,
    }


def _provenance_json(session: Session, version: Version) -> dict[str, Any] | None:
    origin = origins(session, [version]).get(version.terms_id)
    if origin is None:
        return None
    return {
        "bounty": origin.bounty,
        "requester": origin.requester,
        "is_requesters": origin.is_requesters,
        "status": origin.status.name.lower(),
        "counts": origin.is_shown,
        "items": origin.items,
        "labels_an_item": origin.rounds,
        "seats": origin.work.seats,
        "paid": origin.work.paid,
    }


def _epoch_json(epoch: Epoch, state: EpochState) -> dict[str, Any]:
    custody = epoch.custody
    return {
        "custody_id": "0x" + epoch.custody_id.hex(),
        "status": state.status.name.lower(),
        "is_direct": custody.is_direct,
        "threshold": custody.threshold,
        "custodians": list(epoch.custodians),
        "accepted": [epoch.custodians[j - 1] for j in bits(state.accepted)],
        "accept_until": custody.accept_until,
        "end": state.end,
        "fee": str(custody.fee),
        "lock": str(custody.lock),
        "penalty": str(custody.penalty),
    }
