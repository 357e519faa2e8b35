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
@custom:security No money, no rights. What faking a review costs is what a purchase costs: the
        protocol's fee and the custodians'; the price comes back to a seller who buys from
        themselves.
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
    @dev Only who bought it and was given the key, also who rejected it.
    @param custody The purchase's custody, which names the version.
    @param receipt The purchase.
    @param score From 1, bad, to 5, good.
    @param text Anything.
    """
    custody_id: bytes32 = records._custody_id(custody)
    assert staticcall MARKET.is_reader(custody_id, receipt, msg.sender), "reviews: not a reader"
    assert 0 < score and score <= MAX_SCORE, "reviews: score is not 1 to 5"
    purchase_id: bytes32 = records._purchase_id(
        custody_id,
        receipt.base,
        keccak256(abi_encode(receipt.buyer, receipt.price, receipt.salt)),
    )
    assert not self.has_reviewed[purchase_id], "reviews: reviewed already"
    self.has_reviewed[purchase_id] = True
    state: IDatasetMarket.PurchaseState = staticcall MARKET.purchases(purchase_id)
    log IReviews.Reviewed(
        terms_id=custody.terms_id,
        reviewer=msg.sender,
        purchase_id=purchase_id,
        price=receipt.price,
        is_by_voucher=state.is_by_voucher,
        score=score,
        text=text,
    )
