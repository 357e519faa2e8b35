# SPDX-License-Identifier: Apache-2.0
"""What buyers say of what they bought, with what they paid and what it costs to fake."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from truthmark.errors import MarketError
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import Purchase, Version
from truthmark.market.records import PurchaseStatus
from truthmark.market.verdicts import plan_review, split_price
from truthmark.session import Session

if TYPE_CHECKING:
    from truthmark.chain.transactions import TransactionReceipt


@dataclass(frozen=True, slots=True)
class Review:
    """What one buyer said; its text is a stranger's.

    Attributes:
        purchase_id: Of which purchase; each is reviewed once.
        reviewer: Who bought it.
        price: What was paid, in the sale token's smallest unit.
        is_by_voucher: Whether the seller had signed that price for this account.
        score: From 1, bad, to 5, good.
        text: Anything.
        time: Unix time of its block.
        cost: What faking it costs at least a seller who buys from themselves: the protocol's fee.
            The price comes back, and so do custodians' fees where accounts of theirs keep the key.
    """

    purchase_id: bytes
    reviewer: str
    price: int
    is_by_voucher: bool
    score: int
    text: str
    time: int
    cost: int


def reviews_of(session: Session, version: Version) -> list[Review]:
    """Return what buyers said of a version, the newest first; `sync` the catalogue before."""
    catalogue = Catalogue.of(session)
    if ("reviews", "Reviewed") not in catalogue.index.schema.events:
        return []  # a network from before there were reviews
    bought = {p.purchase_id: p for p in catalogue.purchases(terms_id=version.terms_id)}
    found = []
    for row in catalogue.index.events("reviews", "Reviewed", terms_id=version.terms_id):
        args = row.args
        purchase = bought.get(bytes(args["purchase_id"]))
        if purchase is None or not purchase.status.is_reviewable:
            continue  # no contract would have taken it: an endpoint's invention
        price = purchase.receipt.price
        found.append(
            Review(
                purchase_id=purchase.purchase_id,
                reviewer=purchase.receipt.buyer,
                price=price,
                is_by_voucher=bool(args["is_by_voucher"]),
                score=int(args["score"]),
                text=str(args["text"]),
                time=row.timestamp,
                cost=split_price(
                    price, version.terms, is_rejected=purchase.status is PurchaseStatus.REJECTED
                ).fee,
            )
        )
    return found[::-1]


def review(
    session: Session, version: Version, purchase: Purchase, score: int, text: str
) -> "TransactionReceipt":
    """Say what a purchase was worth; once, for everybody, and never taken back.

    Raises:
        MarketError: It is no score, the text is too long, the purchase is not settled, the money
            came back, or it was reviewed before.
        ChainError: The contract refuses.
    """
    if purchase.status is PurchaseStatus.DELIVERED:
        raise MarketError(
            f"{version.ref} can be reviewed once the money is paid for good: when the inspection "
            f"has ended and it is settled, or after `truthmark confirm {version.ref}`"
        )
    if not purchase.status.is_reviewable:
        raise MarketError(
            f"only who was given the key of {version.ref} and paid can review it; this purchase "
            f"is {purchase.status.name.lower()}"
        )
    epoch = Catalogue.of(session).epoch(purchase.custody_id)
    planned = plan_review(session.chain, epoch, purchase, score, text)
    if session.chain.reviews.functions.has_reviewed(purchase.purchase_id).call():
        raise MarketError(f"this purchase of {version.ref} was reviewed before, which is for good")
    receipt = session.send(*planned)
    Catalogue.of(session).sync()
    return receipt
