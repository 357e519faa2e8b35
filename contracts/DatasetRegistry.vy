# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
# pragma nonreentrancy on
"""
@title Dataset Registry
@custom:contract-name DatasetRegistry
@license AGPL-3.0-only
@author The Truthmark authors
@notice What is for sale, on which terms, and who keeps its key: versions, prices, bonds, custody.
@custom:security Terms and custodies are named by their hash and never change. The owner can
        pause entries and set the fee of later listings; he can touch neither money nor any exit.
@custom:kill The owner calls `pause`: nothing can be listed, put into custody or bought until
        `unpause`. Everything else goes on, so that everybody gets out.
"""

from .interfaces import ICurve
from .interfaces import IDatasetRegistry
from .interfaces import IValidatorStaking

implements: IDatasetRegistry

from snekmate.auth import ownable

initializes: ownable

from snekmate.auth import ownable_2step

initializes: ownable_2step[ownable := ownable]

from snekmate.utils import pausable

initializes: pausable

from .modules import ledger

initializes: ledger

from .modules import secp256k1
from .modules import terms as t

exports: (
    ledger.__interface__,
    ownable_2step.owner,
    ownable_2step.pending_owner,
    ownable_2step.transfer_ownership,
    ownable_2step.accept_ownership,
    # `renounce_ownership` is left out on purpose: a paused registry needs an owner.
    pausable.paused,
)

# ---------------------------------------------------------------- constants

MAX_FEE_BPS: public(constant(uint256)) = 250
MAX_ACCEPT_SECONDS: public(constant(uint256)) = 7 * 86_400
DATASET_KEY_TAG: constant(bytes32) = keccak256("truthmark/dataset-key/1")

# --------------------------------------------------------------- immutables

STAKING: public(immutable(IValidatorStaking))
# Bounds of the delivery and of the inspection window, in seconds.
MIN_WINDOW: public(immutable(uint256))
MAX_WINDOW: public(immutable(uint256))

# ------------------------------------------------------------------ storage

# The only contract that may close custodies and kill versions; fixed once.
market: public(address)
# The protocol's share of later listings' prices, in hundredths of a percent.
fee_bps: public(uint256)
# Listings are numbered from 1, for people; contracts go by `terms_id`.
listing_count: public(uint256)
# terms id -> packed state
_versions: HashMap[bytes32, uint256]
# custody id -> packed state
_custodies: HashMap[bytes32, uint256]
# custody id -> custodian's number -> hash of what he accepted
_acceptances: HashMap[bytes32, HashMap[uint256, bytes32]]
# terms id -> what can be spent on keeping fees, in the sale token
pots: public(HashMap[bytes32, uint256])

# -------------------------------------------------------------- constructor


@deploy
def __init__(
    owner_: address, staking_: IValidatorStaking, min_window_: uint256, max_window_: uint256
):
    """
    @notice Fix the staking contract and the bounds of windows.
    @param owner_ Who may pause, set the fee, and fix the market.
    @param staking_ The validator-staking contract.
    @param min_window_ The shortest delivery or inspection window, in seconds.
    @param max_window_ The longest.
    """
    assert owner_ != empty(address), "registry: owner is zero"
    assert staking_.address != empty(address), "registry: staking is zero"
    assert 0 < min_window_ and min_window_ <= max_window_, "registry: bad window bounds"
    # Keeps every sum of times far below 40 bits.
    assert max_window_ <= 365 * 86_400, "registry: bad window bounds"
    ownable.__init__()
    ownable_2step.__init__()
    pausable.__init__()
    ownable._transfer_ownership(owner_)
    STAKING = staking_
    MIN_WINDOW = min_window_
    MAX_WINDOW = max_window_


# ------------------------------------------------------------------ selling


@external
def list_version(
    terms: IDatasetRegistry.Terms,
    price: uint256,
    proof: IDatasetRegistry.SchnorrProof,
    base_counter: uint8,
    custody: IDatasetRegistry.Custody,
    custodians: DynArray[address, t.MAX_CUSTODIANS],
    share_keys: DynArray[ICurve.Point, t.MAX_CUSTODIANS],
    previous: IDatasetRegistry.Terms = empty(IDatasetRegistry.Terms),
) -> bytes32:
    """
    @notice Offer a dataset, or the next version of one, for sale, with its first custody.
    @dev Only the seller of the terms. Pulls the bond and the first keeping fees.
    @param terms What is sold and how; never changes.
    @param price In the sale token's smallest unit; may be zero.
    @param proof That the seller knows the dataset key.
    @param base_counter The counter that gives the base.
    @param custody The first epoch of custody.
    @param custodians Their addresses, ascending.
    @param share_keys P_1 to P_n, in the same order.
    @param previous The terms of the newest version so far, which stays for sale until retired;
           none for a new listing.
    @return The id of the version.
    """
    pausable._require_not_paused()
    # Whoever names the market later could name himself, and kill what was listed before.
    assert self.market != empty(address), "registry: no market yet"
    assert terms.seller == msg.sender, "registry: not the seller"
    assert (
        terms.payee != empty(address) and terms.token != empty(address)
    ), "registry: payee or token is zero"
    assert (
        terms.manifest != empty(bytes32) and terms.root != empty(bytes32)
    ), "registry: nothing to sell"
    assert 0 < terms.shard_count and terms.shard_count < 2**32, "registry: bad shard count"
    assert terms.royalty_bps == 0 and terms.bounty == 0, "registry: no bounties yet"
    assert terms.fee_bps == self.fee_bps, "registry: other protocol fee"
    assert terms.bond <= t.MAX_PRICE, "registry: bond too large"
    assert price <= t.MAX_PRICE, "registry: price too large"
    assert (
        min(terms.delivery_seconds, terms.inspection_seconds) >= MIN_WINDOW
        and max(terms.delivery_seconds, terms.inspection_seconds) <= MAX_WINDOW
    ), "registry: window out of bounds"

    terms_id: bytes32 = t._terms_id(terms)
    assert self._versions[terms_id] == 0, "registry: listed already"
    # Bound to chain, registry, seller and terms, so nobody lists a key that is not his.
    assert secp256k1._knows(
        keccak256(abi_encode(DATASET_KEY_TAG, chain.id, self, msg.sender, terms_id)),
        terms.public_key,
        proof.challenge,
        proof.response,
    ), "registry: key not proven"
    assert secp256k1._is_base(terms.public_key, terms.base, base_counter), "registry: wrong base"

    listing_id: uint256 = 0
    version: uint256 = 1
    if previous.seller == empty(address):
        listing_id = self.listing_count + 1
        self.listing_count = listing_id
    else:
        listing_id, version = self._supersede(previous)
    self._versions[terms_id] = t._pack_version(
        IDatasetRegistry.VersionState(
            status=t.VERSION_OPEN,
            price=price,
            listing_id=listing_id,
            version=version,
            epochs=1,
            stopped_at=0,
            is_superseded=False,
        )
    )
    log IDatasetRegistry.VersionListed(
        terms_id=terms_id,
        listing_id=listing_id,
        seller=msg.sender,
        version=version,
        price=price,
        terms=terms,
    )
    self._open(terms_id, terms, 0, custody, custodians, share_keys)
    ledger._pull(terms.token, msg.sender, terms.bond + custody.count * custody.keeping_fee)
    return terms_id


@external
def open_custody(
    terms: IDatasetRegistry.Terms,
    custody: IDatasetRegistry.Custody,
    custodians: DynArray[address, t.MAX_CUSTODIANS],
    share_keys: DynArray[ICurve.Point, t.MAX_CUSTODIANS],
) -> bytes32:
    """
    @notice Deal the key anew, to the same or to other custodians.
    @dev Only the seller. Pulls the keeping fees.
    @param terms The version's terms.
    @param custody The new epoch; its number is the version's count of epochs.
    @param custodians Their addresses, ascending.
    @param share_keys P_1 to P_n, in the same order.
    @return The id of the custody.
    """
    pausable._require_not_paused()
    terms_id: bytes32 = t._terms_id(terms)
    state: IDatasetRegistry.VersionState = self._running_of(terms, terms_id)

    custody_id: bytes32 = self._open(terms_id, terms, state.epochs, custody, custodians, share_keys)
    state.epochs += 1
    self._versions[terms_id] = t._pack_version(state)
    ledger._pull(terms.token, msg.sender, custody.count * custody.keeping_fee)
    return custody_id


@external
def reprice(terms: IDatasetRegistry.Terms, price: uint256):
    """
    @notice Set the price of later purchases.
    @dev Only the seller. A buyer names the most he pays, so he cannot be surprised.
    @param terms The version's terms.
    @param price In the sale token's smallest unit; may be zero.
    """
    terms_id: bytes32 = t._terms_id(terms)
    state: IDatasetRegistry.VersionState = self._running_of(terms, terms_id)
    assert price <= t.MAX_PRICE, "registry: price too large"
    state.price = price
    self._versions[terms_id] = t._pack_version(state)
    log IDatasetRegistry.VersionRepriced(terms_id=terms_id, price=price)


@external
def set_version_paused(terms: IDatasetRegistry.Terms, is_paused: bool):
    """
    @notice Stop sales for a while, or sell again.
    @dev Only the seller.
    @param terms The version's terms.
    @param is_paused Whether to stop.
    """
    terms_id: bytes32 = t._terms_id(terms)
    state: IDatasetRegistry.VersionState = self._running_of(terms, terms_id)
    state.status = t.VERSION_PAUSED if is_paused else t.VERSION_OPEN
    self._versions[terms_id] = t._pack_version(state)
    log IDatasetRegistry.VersionPaused(terms_id=terms_id, is_paused=is_paused)


@external
def retire(terms: IDatasetRegistry.Terms):
    """
    @notice Stop sales for good.
    @dev Only the seller. Bond and pot come back by `wind_up` once every purchase has had
         both its windows.
    @param terms The version's terms.
    """
    terms_id: bytes32 = t._terms_id(terms)
    state: IDatasetRegistry.VersionState = self._running_of(terms, terms_id)
    state.status = t.VERSION_RETIRED
    state.stopped_at = block.timestamp
    self._versions[terms_id] = t._pack_version(state)
    log IDatasetRegistry.VersionRetired(terms_id=terms_id)


# ------------------------------------------------------------------- anyone


@external
def fund(terms: IDatasetRegistry.Terms, amount: uint256):
    """
    @notice Pay into the pot from which custodians are paid for extending.
    @dev Anyone. What is left goes to the payee when the version has ended.
    @param terms The version's terms.
    @param amount In the sale token's smallest unit.
    """
    terms_id: bytes32 = t._terms_id(terms)
    self._running(terms_id)
    # Every amount that comes in is below 2^132, so no sum overflows, whatever a token invents; or
    # an absurd entry could make `release` fail and keep others' stake locked.
    assert amount <= t.MAX_PRICE, "registry: amount too large"
    self.pots[terms_id] += amount
    log IDatasetRegistry.PotFunded(terms_id=terms_id, funder=msg.sender, amount=amount)
    ledger._pull(terms.token, msg.sender, amount)


@external
def wind_up(terms: IDatasetRegistry.Terms):
    """
    @notice Credit bond and pot of a version that has ended to its payee.
    @dev Anyone. The bond stays while a purchase may still be complained about; that of a dead
         version is gone. May be called again when a late custody has paid into the pot.
    @param terms The version's terms.
    """
    terms_id: bytes32 = t._terms_id(terms)
    state: IDatasetRegistry.VersionState = t._unpack_version(self._versions[terms_id])
    amount: uint256 = self.pots[terms_id]
    if state.status == t.VERSION_RETIRED:
        assert block.timestamp > state.stopped_at + self._windows(terms), "registry: too early"
        state.status = t.VERSION_CLOSED
        self._versions[terms_id] = t._pack_version(state)
        amount += terms.bond
    else:
        assert (
            state.status == t.VERSION_CLOSED or state.status == t.VERSION_DEAD
        ), "registry: not ended"
    self.pots[terms_id] = 0
    ledger._credit(terms.token, terms.payee, amount)
    log IDatasetRegistry.VersionWoundUp(terms_id=terms_id, payee=terms.payee, amount=amount)


@external
def release(
    terms: IDatasetRegistry.Terms,
    custody: IDatasetRegistry.Custody,
    custodians: DynArray[address, t.MAX_CUSTODIANS],
):
    """
    @notice Free the stake, and credit the keeping fee, of every custodian whose duty has ended.
    @dev Anyone. A custody that was not complete in time lapses: nobody has earned anything, and the
         seller gets the keeping fees back. Those of the fined go to the version's pot.
    @param terms The version's terms.
    @param custody The custody.
    @param custodians Their addresses, ascending.
    """
    custody_id: bytes32 = t._custody_id(custody)
    self._check(terms, custody, custodians)
    state: IDatasetRegistry.CustodyState = t._unpack_custody(self._custodies[custody_id])
    # What is held for each custodian: nothing once lapsed, one keeping fee while not released.
    held: uint256 = custody.keeping_fee
    ended: uint256 = 0
    if state.status == t.CUSTODY_OPENED:
        assert (
            block.timestamp > custody.accept_until or not self._is_running(custody.terms_id)
        ), "registry: too early"
        state.status = t.CUSTODY_LAPSED
        ended = state.accepted
        held = 0
        ledger._credit(terms.token, terms.seller, custody.count * custody.keeping_fee)
        log IDatasetRegistry.CustodyLapsed(custody_id=custody_id)
    else:
        assert (
            state.status == t.CUSTODY_LIVE or state.status == t.CUSTODY_CLOSED
        ), "registry: custody not live"
        ended = self._ended(terms, custody.terms_id, state) & ~state.released
        ended &= (1 << custody.count) - 1
    state.released |= ended
    self._custodies[custody_id] = t._pack_custody(state)
    for i: uint256 in range(len(custodians), bound=t.MAX_CUSTODIANS):
        if ended & (1 << i) == 0:
            continue
        paid: uint256 = held
        if state.fined & (1 << i) == 0:
            ledger._credit(terms.token, custodians[i], paid)
        else:
            self.pots[custody.terms_id] += paid
            paid = 0
        # Who has no stake at risk any more delivers no more, and takes no fee from those who have.
        self._acceptances[custody_id][i + 1] = empty(bytes32)
        log IDatasetRegistry.CustodianReleased(
            custody_id=custody_id, custodian=custodians[i], keeping_fee=paid
        )
        if custody.lock != 0:
            extcall STAKING.release(t._duty(custody_id, i + 1))


# --------------------------------------------------------------- custodians


@external
def accept(
    custody: IDatasetRegistry.Custody,
    custodians: DynArray[address, t.MAX_CUSTODIANS],
    share_keys: DynArray[ICurve.Point, t.MAX_CUSTODIANS],
    index: uint256,
):
    """
    @notice Take a share of the key into custody.
    @dev Only the custodian, as owner or operator of his stake; he has checked his share and the
         dealing, and pinned the bytes. Locks stake until `release`.
    @param custody The custody.
    @param custodians Their addresses, ascending.
    @param share_keys P_1 to P_n, in the same order.
    @param index The custodian's number, from 1.
    """
    # The custody is checked by its word, and names the terms; what is needed of them is in the word.
    custody_id: bytes32 = t._custody_id(custody)
    assert custody.custodians == t._custodians_hash(custodians), "registry: other custodians"
    assert custody.share_keys == t._share_keys_hash(share_keys), "registry: other share keys"
    state: IDatasetRegistry.CustodyState = t._unpack_custody(self._custodies[custody_id])
    assert state.status == t.CUSTODY_OPENED, "registry: not waiting"
    assert block.timestamp <= custody.accept_until, "registry: too late"
    assert self._is_running(custody.terms_id), "registry: version has ended"
    assert 1 <= index and index <= custody.count, "registry: no such custodian"
    assert state.accepted & t._bit(index) == 0, "registry: accepted already"

    custodian: address = custodians[index - 1]
    self._accept(custody, custody_id, state, custodian, share_keys[index - 1], index)
    # The stake of whoever calls is locked, never that of somebody who did not.
    extcall STAKING.lock(custodian, msg.sender, t._duty(custody_id, index), custody.lock)


@external
def extend(
    terms: IDatasetRegistry.Terms,
    custody: IDatasetRegistry.Custody,
    custodians: DynArray[address, t.MAX_CUSTODIANS],
    index: uint256,
):
    """
    @notice Stay in custody for another term.
    @dev Only the custodian, in the last third of a term. Takes effect with the call that makes
         2t - 1 of them; the others may still join until the old end, or leave then.
    @param terms The version's terms.
    @param custody The custody.
    @param custodians Their addresses, ascending.
    @param index The custodian's number, from 1.
    """
    custody_id: bytes32 = t._custody_id(custody)
    self._check(terms, custody, custodians)
    assert 1 <= index and index <= custody.count, "registry: no such custodian"
    custodian: address = custodians[index - 1]
    assert staticcall STAKING.is_actor(custodian, msg.sender), "registry: not the custodian"
    assert self._is_running(custody.terms_id), "registry: version has ended"
    state: IDatasetRegistry.CustodyState = t._unpack_custody(self._custodies[custody_id])
    assert state.status == t.CUSTODY_LIVE, "registry: custody not live"

    bit: uint256 = t._bit(index)
    if state.active & bit == 0:
        # Not released yet: a live custody of a running version frees leavers after their end only.
        # Who joins takes over what is not delivered yet, so nodes `refund` what is overdue first.
        assert state.previous_active & bit != 0, "registry: has left"
        assert block.timestamp < state.previous_end, "registry: too late"
        state.active |= bit
        self._pay_term(terms, custody, custodians, bit)
    else:
        assert state.votes & bit == 0, "registry: extended already"
        assert block.timestamp < state.end, "registry: too late"
        assert (block.timestamp + custody.term_seconds // 3 >= state.end), "registry: too early"
        assert state.end + custody.term_seconds <= custody.last_end, "registry: last term"
        state.votes |= bit
        if t._count(state.votes) == 2 * custody.threshold - 1:
            self._pay_term(terms, custody, custodians, state.votes)
            state.previous_active = state.active
            state.previous_end = state.end
            state.active = state.votes
            state.votes = 0
            state.end += custody.term_seconds
    self._custodies[custody_id] = t._pack_custody(state)
    log IDatasetRegistry.CustodyExtended(
        custody_id=custody_id, custodian=custodian, end=state.end, active=state.active
    )


# ------------------------------------------------------------------- market


@external
def close(custody_id: bytes32, lock: uint256, penalty: uint256, silent: uint256):
    """
    @notice Stop an epoch whose custodians failed, and fine the silent ones.
    @dev Only the market, which has checked all of it. A part of the key that a refunded buyer got
         and a part from another purchase could add up, so nothing more is sold on this dealing.
    @param custody_id The epoch of custody.
    @param lock The custody's lock; where it is zero there is no stake to take.
    @param penalty The custody's penalty.
    @param silent Map of the custodians to fine.
    """
    assert msg.sender == self.market, "registry: not the market"
    state: IDatasetRegistry.CustodyState = t._unpack_custody(self._custodies[custody_id])
    if state.status == t.CUSTODY_LIVE:
        state.status = t.CUSTODY_CLOSED
        state.stopped_at = block.timestamp
    fined: uint256 = silent & ~state.fined & ~state.released
    state.fined |= fined
    self._custodies[custody_id] = t._pack_custody(state)
    log IDatasetRegistry.CustodyClosed(custody_id=custody_id, fined=fined)
    if lock == 0 or penalty == 0:
        return
    for i: uint256 in range(t.MAX_CUSTODIANS):
        if fined & (1 << i) != 0:
            extcall STAKING.slash(t._duty(custody_id, i + 1), penalty)


@external
def kill(terms_id: bytes32, token: address, bond: uint256, complainant: address):
    """
    @notice Stop a version whose key was proven wrong; half the bond goes to the complainant.
    @dev Only the market, which has checked all of it. The other half is burned, or a seller who
         complains about himself first would lose nothing.
    @param terms_id The version.
    @param token The sale token of the terms.
    @param bond The bond of the terms.
    @param complainant The buyer who proved it.
    """
    assert msg.sender == self.market, "registry: not the market"
    state: IDatasetRegistry.VersionState = t._unpack_version(self._versions[terms_id])
    assert (
        state.status == t.VERSION_OPEN
        or state.status == t.VERSION_PAUSED
        or state.status == t.VERSION_RETIRED
    ), "registry: version has ended"
    state.status = t.VERSION_DEAD
    self._versions[terms_id] = t._pack_version(state)
    reward: uint256 = bond // 2
    ledger._credit(token, complainant, reward)
    ledger._burn(token, bond - reward)
    log IDatasetRegistry.VersionKilled(
        terms_id=terms_id, complainant=complainant, reward=reward, burned=bond - reward
    )


# -------------------------------------------------------------------- views


@external
@view
def standing(terms_id: bytes32, custody_id: bytes32) -> (uint256, uint256, bool):
    """
    @notice Read all that a purchase depends on.
    @param terms_id The version.
    @param custody_id The epoch of custody.
    @return The version's word, the custody's word, whether entries are paused.
    """
    return self._versions[terms_id], self._custodies[custody_id], pausable.paused


@external
@view
def acceptances(custody_id: bytes32, index: uint256) -> bytes32:
    """
    @notice Read what a custodian accepted.
    @param custody_id The epoch of custody.
    @param index The custodian's number, from 1.
    @return Hash of share key, threshold and inspection window; zero if not accepted.
    """
    return self._acceptances[custody_id][index]


@external
@view
def versions(terms_id: bytes32) -> IDatasetRegistry.VersionState:
    """
    @notice Read how a version stands.
    @param terms_id The version.
    @return Its state; status 0 if there is none.
    """
    return t._unpack_version(self._versions[terms_id])


@external
@view
def custodies(custody_id: bytes32) -> IDatasetRegistry.CustodyState:
    """
    @notice Read how an epoch of custody stands.
    @param custody_id The epoch.
    @return Its state; status 0 if there is none.
    """
    return t._unpack_custody(self._custodies[custody_id])


# -------------------------------------------------------------------- admin


@external
def fix_market(market: address):
    """
    @notice Name the market, once and for good.
    @dev Only the owner. The two contracts name each other, so one of them is told afterwards.
    @param market The market contract.
    """
    ownable._check_owner()
    assert self.market == empty(address), "registry: market is fixed"
    assert market != empty(address), "registry: market is zero"
    self.market = market
    log IDatasetRegistry.MarketFixed(market=market)


@external
def set_fee_bps(fee_bps: uint256):
    """
    @notice Set the protocol's share of the prices of later listings.
    @dev Only the owner. Terms carry the share, so listed versions keep theirs.
    @param fee_bps In hundredths of a percent.
    """
    ownable._check_owner()
    assert fee_bps <= MAX_FEE_BPS, "registry: fee too large"
    self.fee_bps = fee_bps
    log IDatasetRegistry.FeeSet(fee_bps=fee_bps)


@external
def pause():
    """
    @notice Stop listing, opening custody and buying.
    @dev Only the owner.
    """
    ownable._check_owner()
    pausable._pause()


@external
def unpause():
    """
    @notice Allow listing, opening custody and buying again.
    @dev Only the owner.
    """
    ownable._check_owner()
    pausable._unpause()


# ---------------------------------------------------------------- internals


@internal
@view
def _running(terms_id: bytes32) -> IDatasetRegistry.VersionState:
    # The state of a version that has not ended.
    state: IDatasetRegistry.VersionState = t._unpack_version(self._versions[terms_id])
    assert (
        state.status == t.VERSION_OPEN or state.status == t.VERSION_PAUSED
    ), "registry: version has ended"
    return state


@internal
@view
def _is_running(terms_id: bytes32) -> bool:
    status: uint256 = self._versions[terms_id] & t.MASK_8
    return status == t.VERSION_OPEN or status == t.VERSION_PAUSED


@internal
@view
def _running_of(terms: IDatasetRegistry.Terms, terms_id: bytes32) -> IDatasetRegistry.VersionState:
    # The same, for the seller only.
    assert terms.seller == msg.sender, "registry: not the seller"
    return self._running(terms_id)


@internal
def _supersede(previous: IDatasetRegistry.Terms) -> (uint256, uint256):
    # The listing and the number of the version after `previous`.
    previous_id: bytes32 = t._terms_id(previous)
    state: IDatasetRegistry.VersionState = t._unpack_version(self._versions[previous_id])
    assert state.status != 0, "registry: no such version"
    assert previous.seller == msg.sender, "registry: not the seller"
    assert not state.is_superseded, "registry: has a newer version"
    assert state.version < t.MASK_16, "registry: too many versions"
    state.is_superseded = True
    self._versions[previous_id] = t._pack_version(state)
    return state.listing_id, state.version + 1


@internal
def _open(
    terms_id: bytes32,
    terms: IDatasetRegistry.Terms,
    epoch: uint256,
    custody: IDatasetRegistry.Custody,
    custodians: DynArray[address, t.MAX_CUSTODIANS],
    share_keys: DynArray[ICurve.Point, t.MAX_CUSTODIANS],
) -> bytes32:
    # Record a custody; the caller pulls its keeping fees. Epochs count up, so an id never repeats.
    count: uint256 = len(custodians)
    assert custody.terms_id == terms_id, "registry: other terms"
    assert custody.epoch == epoch and epoch < t.MAX_EPOCHS, "registry: wrong epoch"
    assert custody.custodians == t._custodians_hash(custodians), "registry: other custodians"
    assert custody.share_keys == t._share_keys_hash(share_keys), "registry: other share keys"
    assert custody.count == count and len(share_keys) == count, "registry: wrong count"
    # So that t - 1 custodians, who cannot read, cannot keep the others from delivering either.
    assert (
        0 < custody.threshold
        and custody.threshold <= t.MAX_CUSTODIANS
        and 2 * custody.threshold - 1 <= count
    ), "registry: bad threshold"
    assert max(custody.fee, custody.keeping_fee) <= t.MAX_PRICE, "registry: fee too large"
    assert custody.penalty <= custody.lock, "registry: penalty above lock"
    assert (
        block.timestamp <= custody.accept_until
        and custody.accept_until <= block.timestamp + MAX_ACCEPT_SECONDS
    ), "registry: bad acceptance window"
    # Sales need both windows ahead, and the last third is for extending: so they never pause.
    windows: uint256 = self._windows(terms)
    assert (
        custody.accept_until + windows <= custody.end
        and custody.end <= custody.last_end
        and custody.last_end <= t.MAX_TIME
        and 3 * windows <= custody.term_seconds
        and custody.term_seconds <= t.MAX_TIME
    ), "registry: bad term"

    before: address = empty(address)
    for i: uint256 in range(count, bound=t.MAX_CUSTODIANS):
        assert convert(custodians[i], uint160) > convert(
            before, uint160
        ), "registry: custodians not ascending"
        before = custodians[i]
        assert secp256k1._is_valid(share_keys[i]), "registry: bad share key"

    custody_id: bytes32 = t._custody_id(custody)
    state: IDatasetRegistry.CustodyState = IDatasetRegistry.CustodyState(
        status=t.CUSTODY_OPENED,
        accepted=0,
        active=0,
        previous_active=0,
        votes=0,
        fined=0,
        released=0,
        end=custody.end,
        previous_end=0,
        stopped_at=0,
        # At most 365 days, so 32 bits.
        inspection_seconds=terms.inspection_seconds,
    )
    log IDatasetRegistry.CustodyOpened(
        custody_id=custody_id,
        terms_id=terms_id,
        custody=custody,
        custodians=custodians,
        share_keys=share_keys,
    )
    if custody.lock != 0:
        self._custodies[custody_id] = t._pack_custody(state)
        return custody_id
    # Direct mode: the seller keeps the key himself and nobody's stake answers for it.
    assert count == 1 and custodians[0] == terms.seller, "registry: lock is zero"
    assert custody.keeping_fee == 0, "registry: keeping fee to oneself"
    self._accept(custody, custody_id, state, terms.seller, share_keys[0], 1)
    return custody_id


@internal
def _accept(
    custody: IDatasetRegistry.Custody,
    custody_id: bytes32,
    state_: IDatasetRegistry.CustodyState,
    custodian: address,
    share_key: ICurve.Point,
    index: uint256,
):
    state: IDatasetRegistry.CustodyState = state_
    state.accepted |= t._bit(index)
    is_live: bool = state.accepted == (1 << custody.count) - 1
    if is_live:
        state.status = t.CUSTODY_LIVE
        state.active = state.accepted
    self._custodies[custody_id] = t._pack_custody(state)
    self._acceptances[custody_id][index] = t._acceptance(
        share_key, custody.threshold, state.inspection_seconds
    )
    log IDatasetRegistry.CustodyAccepted(
        custody_id=custody_id, custodian=custodian, index=index, is_live=is_live
    )


@internal
def _pay_term(
    terms: IDatasetRegistry.Terms,
    custody: IDatasetRegistry.Custody,
    custodians: DynArray[address, t.MAX_CUSTODIANS],
    map: uint256,
):
    # Credit the finished term of the custodians in the map, and take their next one from the pot:
    # what is held for each of them stays one keeping fee.
    cost: uint256 = t._count(map) * custody.keeping_fee
    assert cost <= self.pots[custody.terms_id], "registry: pot is short"
    self.pots[custody.terms_id] -= cost
    for i: uint256 in range(len(custodians), bound=t.MAX_CUSTODIANS):
        if map & (1 << i) != 0:
            ledger._credit(terms.token, custodians[i], custody.keeping_fee)


@internal
@view
def _ended(
    terms: IDatasetRegistry.Terms, terms_id: bytes32, state: IDatasetRegistry.CustodyState
) -> uint256:
    # Map of the custodians (among all bits) whose duty has ended. Nobody has one to a dead version;
    # once custody or version has stopped, the last purchase has had both its windows.
    version: IDatasetRegistry.VersionState = t._unpack_version(self._versions[terms_id])
    windows: uint256 = self._windows(terms)
    if (
        version.status == t.VERSION_DEAD
        or (version.stopped_at != 0 and block.timestamp > version.stopped_at + windows)
        or (state.stopped_at != 0 and block.timestamp > state.stopped_at + windows)
    ):
        return t.MASK_16
    ended: uint256 = t.MASK_16
    if block.timestamp <= state.end:
        ended &= ~state.active
    if block.timestamp <= state.previous_end:
        ended &= ~state.previous_active
    return ended


@internal
@view
def _check(
    terms: IDatasetRegistry.Terms,
    custody: IDatasetRegistry.Custody,
    custodians: DynArray[address, t.MAX_CUSTODIANS],
):
    # The custody itself is checked by its word: an id that was never opened has none.
    assert custody.terms_id == t._terms_id(terms), "registry: other terms"
    assert custody.custodians == t._custodians_hash(custodians), "registry: other custodians"


@internal
@pure
def _windows(terms: IDatasetRegistry.Terms) -> uint256:
    return terms.delivery_seconds + terms.inspection_seconds
