# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
# pragma nonreentrancy on
"""
@title Reviews
@custom:contract-name Reviews
@license AGPL-3.0-only
@author The Truthmark authors
@notice What buyers say of what they bought: once a receipt, with the price that was paid.
@dev A contract of its own, not a part of `Openings`: this one depends on a market, that one on
     nothing.
@custom:security No money, no rights. Only a purchase whose money is paid for good is reviewed, or
        a seller would review one of their own and have all of it back. So faking a review costs
        the protocol's fee at least; price and custodians' fees come back to a seller who buys
        from themselves and keeps the key by accounts of their own.
@custom:kill Nothing to stop.
"""

from .interfaces import IDatasetMarket
from .interfaces import IDatasetRegistry
from .interfaces import IReviews

implements: IReviews

from .modules import records

# ---------------------------------------------------------------- constants

MAX_SCORE: constant(uint256) = 5

# --------------------------------------------------------------- immutables

MARKET: public(immutable(IDatasetMarket))

# ------------------------------------------------------------------ storage

# purchase id -> whether it was reviewed
has_reviewed: public(HashMap[bytes32, bool])

# -------------------------------------------------------------- constructor


@deploy
def __init__(market_: IDatasetMarket):
    """
    @notice Fix the market for good.
    @param market_ Where purchases are made.
    """
    assert market_.address != empty(address), "reviews: market is zero"
    MARKET = market_


# ------------------------------------------------------------------- buyers


@external
def review(
    custody: IDatasetRegistry.Custody,
    receipt: IDatasetMarket.Receipt,
    score: uint256,
    text: String[1024],
):
    """
    @notice Say what a purchase was worth; once, and it cannot be taken back.
    @dev Only who bought it, after `confirm`, `settle` or `reject`; who confirms need not wait.
    @param custody The purchase's custody, which names the version.
    @param receipt The purchase.
    @param score From 1, bad, to 5, good.
    @param text Anything.
    """
    custody_id: bytes32 = records._custody_id(custody)
    assert msg.sender == receipt.buyer, "reviews: not the buyer"
    assert 0 < score and score <= MAX_SCORE, "reviews: score is not 1 to 5"
    purchase_id: bytes32 = records._purchase_id(
        custody_id,
        receipt.base,
        keccak256(abi_encode(receipt.buyer, receipt.price, receipt.salt)),
    )
    state: IDatasetMarket.PurchaseState = staticcall MARKET.purchases(purchase_id)
    assert (
        state.status == records.PURCHASE_SETTLED or state.status == records.PURCHASE_REJECTED
    ), "reviews: not settled"
    assert not self.has_reviewed[purchase_id], "reviews: reviewed already"
    self.has_reviewed[purchase_id] = True
    log IReviews.Reviewed(
        terms_id=custody.terms_id,
        reviewer=msg.sender,
        purchase_id=purchase_id,
        price=receipt.price,
        is_by_voucher=state.is_by_voucher,
        score=score,
        text=text,
    )
