# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
# pragma nonreentrancy on
"""
@title Listing Checks
@custom:contract-name ListingChecks
@license AGPL-3.0-only
@author The Truthmark authors
@notice Checks terms and custodies before the registry records them.
@dev Stateless: it says what follows from its arguments, and from whom a bounty lets sell. That the
     caller is the seller, what was listed before, and the protocol's fee of the day, the registry
     checks.
@custom:security Nothing is stored, no money is held, nobody has rights. The registry names this
        contract for good when it is deployed.
@custom:kill Nothing to stop.
"""

from .interfaces import IBountyBoard
from .interfaces import ICurve
from .interfaces import IDatasetRegistry
from .interfaces import IListingChecks

implements: IListingChecks

from .modules import records
from .modules import secp256k1

# ---------------------------------------------------------------- constants

MAX_ACCEPT_SECONDS: public(constant(uint256)) = 7 * 86_400
# With the largest protocol fee it is the whole price.
MAX_ROYALTY_BPS: public(constant(uint256)) = 9_750
DATASET_KEY_TAG: constant(bytes32) = keccak256("truthmark/dataset-key/1")

# --------------------------------------------------------------- immutables

BOARD: public(immutable(IBountyBoard))

# -------------------------------------------------------------- constructor


@deploy
def __init__(board_: IBountyBoard):
    """
    @notice Fix the board for good.
    @param board_ The board whose bounties terms may name.
    """
    assert board_.address != empty(address), "listing: board is zero"
    BOARD = board_


# ------------------------------------------------------------------- anyone


@external
@view
def check_terms(
    terms: IDatasetRegistry.Terms,
    price: uint256,
    proof: IDatasetRegistry.SchnorrProof,
    base_counter: uint8,
    min_window: uint256,
    max_window: uint256,
) -> bytes32:
    """
    @notice Check terms that are to be listed; revert where they cannot be.
    @param terms What is sold and how.
    @param price In the sale token's smallest unit.
    @param proof That the seller knows the dataset key, for the calling registry.
    @param base_counter The counter that gives the base.
    @param min_window The shortest delivery or inspection window, in seconds.
    @param max_window The longest.
    @return The id of the version.
    """
    assert (
        terms.payee != empty(address) and terms.token != empty(address)
    ), "listing: payee or token is zero"
    assert (
        terms.manifest != empty(bytes32) and terms.root != empty(bytes32)
    ), "listing: nothing to sell"
    assert 0 < terms.shard_count and terms.shard_count < 2**32, "listing: bad shard count"
    if terms.bounty != 0:
        # Or strangers could sell as if a bounty's labelers had made it.
        assert (staticcall BOARD.citing(terms.bounty)) == terms.seller, "listing: bounty not cited"
        assert (
            0 < terms.royalty_bps and terms.royalty_bps <= MAX_ROYALTY_BPS
        ), "listing: bad royalty"
    else:
        assert terms.royalty_bps == 0, "listing: royalty without bounty"
    assert terms.bond <= records.MAX_PRICE, "listing: bond too large"
    assert price <= records.MAX_PRICE, "listing: price too large"
    assert (
        min(terms.delivery_seconds, terms.inspection_seconds) >= min_window
        and max(terms.delivery_seconds, terms.inspection_seconds) <= max_window
    ), "listing: window out of bounds"
    # Or what is burned would be more than the price.
    assert terms.guarantee_bps <= records.BPS, "listing: guarantee above price"

    terms_id: bytes32 = records._terms_id(terms)
    # Bound to chain, registry, seller and terms, so nobody lists a key that is not theirs.
    assert secp256k1._knows(
        keccak256(abi_encode(DATASET_KEY_TAG, chain.id, msg.sender, terms.seller, terms_id)),
        terms.public_key,
        proof.challenge,
        proof.response,
    ), "listing: key not proven"
    assert secp256k1._is_base(terms.public_key, terms.base, base_counter), "listing: wrong base"
    return terms_id


@external
@view
def check_custody(
    custody: IDatasetRegistry.Custody,
    custodians: DynArray[address, records.MAX_CUSTODIANS],
    share_keys: DynArray[ICurve.Point, records.MAX_CUSTODIANS],
    seller: address,
    windows: uint256,
) -> bytes32:
    """
    @notice Check a custody that is to be opened; revert where it cannot be.
    @param custody The custody.
    @param custodians Their addresses, ascending.
    @param share_keys P_1 to P_n, in the same order.
    @param seller The seller of its terms.
    @param windows The terms' delivery and inspection window together, in seconds.
    @return The id of the custody.
    """
    count: uint256 = len(custodians)
    assert custody.custodians == records._custodians_hash(custodians), "listing: other custodians"
    assert custody.share_keys == records._share_keys_hash(share_keys), "listing: other share keys"
    assert custody.count == count and len(share_keys) == count, "listing: wrong count"
    # So that t - 1 custodians, who cannot read, cannot keep the others from delivering either.
    assert (
        0 < custody.threshold
        and custody.threshold <= records.MAX_CUSTODIANS
        and 2 * custody.threshold - 1 <= count
    ), "listing: bad threshold"
    assert max(custody.fee, custody.keeping_fee) <= records.MAX_PRICE, "listing: fee too large"
    assert custody.penalty <= custody.lock, "listing: penalty above lock"
    assert (
        block.timestamp <= custody.accept_until
        and custody.accept_until <= block.timestamp + MAX_ACCEPT_SECONDS
    ), "listing: bad acceptance window"
    # Sales need both windows ahead, and the last third is for extending: so they never pause.
    assert (
        custody.accept_until + windows <= custody.end
        and custody.end <= custody.last_end
        and custody.last_end <= records.MAX_TIME
        and 3 * windows <= custody.period_seconds
        and custody.period_seconds <= records.MAX_TIME
    ), "listing: bad period"

    before: address = empty(address)
    for i: uint256 in range(count, bound=records.MAX_CUSTODIANS):
        assert convert(custodians[i], uint160) > convert(
            before, uint160
        ), "listing: custodians not ascending"
        before = custodians[i]
        assert secp256k1._is_valid(share_keys[i]), "listing: bad share key"
    if records._is_direct(custody):
        # The seller keeps the key alone and nobody's stake answers for it.
        assert count == 1 and custodians[0] == seller, "listing: lock is zero"
        assert custody.keeping_fee == 0, "listing: keeping fee to oneself"
    return records._custody_id(custody)
