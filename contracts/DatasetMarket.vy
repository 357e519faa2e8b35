# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
# pragma nonreentrancy on
"""
@title Dataset Market
@custom:contract-name DatasetMarket
@license AGPL-3.0-only
@author The Truthmark authors
@notice Holds a buyer's money until enough custodians have delivered verified parts of the key.
@custom:security There is no owner here. A part counts only with a proof that it is the committed
        share of the key, made for this purchase; so nobody can dispute a delivery, and what
        is missing at the deadline sends the money back.
@custom:kill The registry's `pause` stops `buy`; deliver, settle, confirm, reject, refund, dispute,
        rule and withdraw cannot be stopped.
"""

from ethereum.ercs import IERC20

from .interfaces import IBountyBoard
from .interfaces import IBountyIntake
from .interfaces import ICurve
from .interfaces import IDatasetMarket
from .interfaces import IDatasetRegistry
from .interfaces import IDeliveryProofs
from .interfaces import IListingChecks
from .interfaces import IShardJudge

implements: IDatasetMarket

from snekmate.utils import eip712_domain_separator

initializes: eip712_domain_separator

from .modules import ledger

initializes: ledger

from .modules import records
from .modules import secp256k1
from .modules import signatures

exports: (
    ledger.BURN,
    ledger.balances,
    ledger.withdraw,
    eip712_domain_separator.eip712Domain,
)

# ---------------------------------------------------------------- constants

BUYER_KEY_TAG: constant(bytes32) = keccak256("truthmark/buyer-key/1")
VOUCHER_TYPE: constant(bytes32) = keccak256(
    "Voucher(bytes32 terms_id,address account,uint256 price,uint256 expiry,bytes32 nonce)"
)
ADMISSION_TYPE: constant(bytes32) = keccak256(
    "Admission(bytes32 terms_id,address account,uint256 expiry)"
)
MAX_BATCH: constant(uint256) = 64

# --------------------------------------------------------------- immutables

REGISTRY: public(immutable(IDatasetRegistry))
PROOFS: public(immutable(IDeliveryProofs))
JUDGE: public(immutable(IShardJudge))
# Says what a bounty's workers were paid.
INTAKE: public(immutable(IBountyIntake))
# The ledger account that protocol fees are credited to.
TREASURY: public(immutable(address))

# ------------------------------------------------------------------ storage

# All that were ever made, so that who reads events notices that one is missing.
purchase_count: public(uint256)
# purchase id -> packed state
_purchases: HashMap[bytes32, uint256]
# digest of a voucher -> whether it was used
used_vouchers: public(HashMap[bytes32, bool])
# bounty -> token -> royalties that sales have paid, drawn or not
pools: public(HashMap[uint256, HashMap[address, uint256]])
# bounty -> token -> worker -> what they were credited of the pool
drawn: public(HashMap[uint256, HashMap[address, HashMap[uint256, uint256]]])

# -------------------------------------------------------------- constructor


@deploy
def __init__(
    registry_: IDatasetRegistry,
    proofs_: IDeliveryProofs,
    judge_: IShardJudge,
    intake_: IBountyIntake,
    treasury_: address,
):
    """
    @notice Fix the other contracts for good.
    @param registry_ The dataset registry; it must name this contract as its market.
    @param proofs_ The contract that decides disputes about keys.
    @param judge_ The contract that decides disputes about sealing.
    @param intake_ The contract that says what a bounty paid; of the board that the registry's
           checks ask.
    @param treasury_ Who gets the protocol fees.
    """
    assert registry_.address != empty(address), "market: registry is zero"
    assert proofs_.address != empty(address), "market: proofs is zero"
    assert judge_.address != empty(address), "market: judge is zero"
    assert treasury_ != empty(address), "market: treasury is zero"
    # Or royalties for one board's bounties would be drawn by workers of another's.
    checks: IListingChecks = IListingChecks(staticcall registry_.CHECKS())
    assert (staticcall intake_.BOARD()) == staticcall checks.BOARD(), "market: other board"
    eip712_domain_separator.__init__("Truthmark", "1")
    REGISTRY = registry_
    PROOFS = proofs_
    JUDGE = judge_
    INTAKE = intake_
    TREASURY = treasury_


# ------------------------------------------------------------------- buying


@external
def buy(
    order: IDatasetMarket.Order,
    terms: IDatasetRegistry.Terms,
    custody: IDatasetRegistry.Custody,
    permit: IDatasetMarket.Permit = empty(IDatasetMarket.Permit),
    voucher: IDatasetMarket.Voucher = empty(IDatasetMarket.Voucher),
    admission: IDatasetMarket.Admission = empty(IDatasetMarket.Admission),
) -> bytes32:
    """
    @notice Pay for the key of a version; custodians have the delivery window to hand it over.
    @dev Anyone the gate admits. Pulls the price and one fee for each of t custodians.
    @param order The price, the buyer's key with its proof, a salt.
    @param terms The version's terms, and so its licence, accepted.
    @param custody The epoch of custody to buy from.
    @param permit An ERC-2612 permit, if the allowance is to come with the call.
    @param voucher A price signed by the seller for the caller, if there is one.
    @param admission The gate's admission of the caller, where the terms name a gate.
    @return The id of the purchase.
    """
    terms_id: bytes32 = records._terms_id(terms)
    custody_id: bytes32 = records._custody_id(custody)
    deadline: uint256 = block.timestamp + terms.delivery_seconds
    price: uint256 = self._price(terms_id, custody_id, custody, deadline + terms.inspection_seconds)
    if voucher.expiry != 0:
        price = self._redeem(voucher, terms_id, terms.seller, price)
    # Exactly, not at most: the id contains the price, so sending one order twice buys once.
    assert price == order.price, "market: other price"
    if terms.gate != empty(address):
        self._admit(admission, terms_id, terms.gate)
    # Y could be made from the keys of others, to have parts for them delivered; so y is proven.
    assert secp256k1._knows(
        keccak256(abi_encode(BUYER_KEY_TAG, chain.id, self, custody_id, msg.sender, order.salt)),
        order.buyer_key,
        order.challenge,
        order.response,
    ), "market: buyer key not proven"
    base: ICurve.Point = secp256k1._add_distinct(terms.base, order.buyer_key, order.slope)
    # Proofs of delivery use U.x as an `ecrecover` scalar, which must be below N.
    assert base.x < secp256k1.N and base.x != 0, "market: unlucky buyer key"

    purchase_id: bytes32 = records._purchase_id(
        custody_id, base, self._receipt_digest(msg.sender, price, order.salt)
    )
    assert self._purchases[purchase_id] == 0, "market: bought already"
    self._purchases[purchase_id] = records._pack_purchase(
        IDatasetMarket.PurchaseState(
            status=records.PURCHASE_PAID,
            is_by_voucher=voucher.expiry != 0,
            delivered=0,
            deadline=deadline,
            parts=0,
        )
    )
    self.purchase_count += 1
    log IDatasetMarket.Purchased(
        purchase_id=purchase_id,
        custody_id=custody_id,
        buyer=msg.sender,
        terms_id=terms_id,
        price=price,
        salt=order.salt,
        base=base,
        deadline=deadline,
    )
    total: uint256 = self._cost(price, custody)
    if permit.deadline != 0:
        ledger._use_permit(
            terms.token, msg.sender, total, permit.deadline, permit.v, permit.r, permit.s
        )
    ledger._pull(terms.token, msg.sender, total)
    return purchase_id


@external
def confirm(
    terms: IDatasetRegistry.Terms,
    custody: IDatasetRegistry.Custody,
    custodians: DynArray[address, records.MAX_CUSTODIANS],
    receipt: IDatasetMarket.Receipt,
):
    """
    @notice Settle before the inspection window ends.
    @dev Only the buyer. It ends the right to dispute the key, so no client calls it by itself.
    @param terms The version's terms.
    @param custody The purchase's custody.
    @param custodians Their addresses, ascending.
    @param receipt The purchase.
    """
    assert receipt.buyer == msg.sender, "market: not the buyer"
    self._settle(terms, custody, custodians, [receipt], True, False)


@external
def reject(
    terms: IDatasetRegistry.Terms,
    custody: IDatasetRegistry.Custody,
    custodians: DynArray[address, records.MAX_CUSTODIANS],
    receipt: IDatasetMarket.Receipt,
):
    """
    @notice Say within the inspection window that it is not what was offered: the guaranteed part of
            the price is burned.
    @dev Only the buyer, who gets nothing, so that nobody rejects for money. Custodians are paid:
         they delivered. It ends the right to dispute the key, so no client calls it by itself.
    @param terms The version's terms.
    @param custody The purchase's custody.
    @param custodians Their addresses, ascending.
    @param receipt The purchase.
    """
    assert receipt.buyer == msg.sender, "market: not the buyer"
    self._settle(terms, custody, custodians, [receipt], True, True)


@external
def dispute_key(
    terms: IDatasetRegistry.Terms,
    custody: IDatasetRegistry.Custody,
    receipt: IDatasetMarket.Receipt,
    evidence: IDeliveryProofs.Evidence,
):
    """
    @notice Prove that the delivered key does not open a shard that the seller committed to.
    @dev Anyone who holds the buyer's secret; the reward goes to the buyer of the receipt. Revokes
         the
         version: every purchase that is not settled can then be refunded. Publishes the key.
    @param terms The version's terms.
    @param custody The purchase's custody.
    @param receipt The purchase.
    @param evidence Deliveries, the buyer's secret, the shard.
    """
    custody_id: bytes32 = records._custody_id(custody)
    assert custody.terms_id == records._terms_id(terms), "market: other terms"
    purchase_id: bytes32 = self._id(custody_id, receipt)
    state: IDatasetMarket.PurchaseState = records._unpack_purchase(self._purchases[purchase_id])
    assert state.status == records.PURCHASE_DELIVERED, "market: not delivered"
    assert block.timestamp <= state.deadline, "market: inspection is over"
    key: ICurve.Point = staticcall PROOFS.wrong_key(terms, receipt.base, state.parts, evidence)
    log IDatasetMarket.KeyDisputed(
        purchase_id=purchase_id,
        terms_id=custody.terms_id,
        shard=evidence.shard.index,
        key_point=key,
    )
    # Reverts where the version has ended already, so a bond is paid once.
    extcall REGISTRY.revoke(terms, receipt.buyer)


@external
def dispute_sealing(
    terms: IDatasetRegistry.Terms,
    shard: IShardJudge.OpenedShard,
    ciphertext: Bytes[65_536],
):
    """
    @notice Prove that a shard is not sealed under the key that the seller committed to.
    @dev Anyone who has the shard's key, from a purchase or from a sample; the reward is theirs.
         Revokes the version, as `dispute_key` does. Publishes the key of this shard and no other.
    @param terms The version's terms.
    @param shard The shard with its key.
    @param ciphertext All of it.
    """
    log IDatasetMarket.SealingDisputed(
        terms_id=records._terms_id(terms), disputer=msg.sender, shard=shard.index, key=shard.key
    )
    # Before the judge is asked, so that who was overtaken by another dispute pays for the bytes alone.
    extcall REGISTRY.revoke(terms, msg.sender)
    assert not staticcall JUDGE.is_sealed(
        terms.root, terms.shard_count, shard, ciphertext
    ), "market: shard is sealed"


@external
def rule(terms: IDatasetRegistry.Terms, rewarded: address):
    """
    @notice Revoke a version as its arbiter.
    @dev Only the arbiter that the terms name. Who is caller is never zero, so where they name
         nobody, nobody can.
    @param terms The version's terms.
    @param rewarded Who gets half the bond.
    """
    assert terms.arbiter == msg.sender, "market: not the arbiter"
    assert rewarded != empty(address), "market: nobody to reward"
    log IDatasetMarket.Ruled(
        terms_id=records._terms_id(terms), arbiter=msg.sender, rewarded=rewarded
    )
    extcall REGISTRY.revoke(terms, rewarded)


# --------------------------------------------------------------- delivering


@external
def deliver(
    custody_id: bytes32,
    index: uint256,
    share_key: ICurve.Point,
    threshold: uint256,
    inspection_seconds: uint256,
    deliveries: DynArray[IDatasetMarket.Delivery, MAX_BATCH],
):
    """
    @notice Hand over a custodian's parts of the key, for any number of purchases of one custody.
    @dev Anyone who has the proofs. Skips purchases that are unknown, closed, late, complete, or
         have this part already; a wrong proof fails the call.
    @param custody_id The custody.
    @param index The custodian's number, from 1.
    @param share_key P_j.
    @param threshold The custody's threshold.
    @param inspection_seconds The terms' inspection window.
    @param deliveries Parts with their proofs.
    """
    # The custodian's acceptance binds all of it, so the terms need not be brought.
    assert staticcall REGISTRY.acceptances(custody_id, index) == records._acceptance(
        share_key, threshold, inspection_seconds
    ), "market: not as accepted"
    for delivery: IDatasetMarket.Delivery in deliveries:
        purchase_id: bytes32 = records._purchase_id(
            custody_id, delivery.base, delivery.receipt_digest
        )
        state: IDatasetMarket.PurchaseState = records._unpack_purchase(self._purchases[purchase_id])
        if (
            state.status != records.PURCHASE_PAID
            or records._has(state.delivered, index)
            or block.timestamp > state.deadline
        ):
            continue
        assert secp256k1._verify_delivery(
            self,
            purchase_id,
            index,
            share_key,
            delivery.base,
            delivery.part,
            delivery.proof,
        ), "market: wrong proof"
        state.delivered |= records._bit(index)
        # So that a dispute brings the parts and not their proofs.
        state.parts = records._with_part(state.parts, index, delivery.part)
        inspection_until: uint256 = 0
        if records._count(state.delivered) == threshold:
            inspection_until = block.timestamp + inspection_seconds
            state.status = records.PURCHASE_DELIVERED
            state.deadline = inspection_until
        self._purchases[purchase_id] = records._pack_purchase(state)
        log IDatasetMarket.Delivered(
            purchase_id=purchase_id,
            custody_id=custody_id,
            index=index,
            part=delivery.part,
            challenge=delivery.proof.challenge,
            response=delivery.proof.response,
            inspection_until=inspection_until,
        )


# ------------------------------------------------------------------- anyone


@external
def settle(
    terms: IDatasetRegistry.Terms,
    custody: IDatasetRegistry.Custody,
    custodians: DynArray[address, records.MAX_CUSTODIANS],
    receipts: DynArray[IDatasetMarket.Receipt, MAX_BATCH],
):
    """
    @notice Credit payee, treasury and custodians for purchases whose inspection is over.
    @dev Anyone. Skips purchases that are not ready.
    @param terms The version's terms.
    @param custody The purchases' custody.
    @param custodians Their addresses, ascending.
    @param receipts The purchases.
    """
    self._settle(terms, custody, custodians, receipts, False, False)


@external
def refund(
    terms: IDatasetRegistry.Terms,
    custody: IDatasetRegistry.Custody,
    receipts: DynArray[IDatasetMarket.Receipt, MAX_BATCH],
):
    """
    @notice Credit the buyers of purchases that were not delivered in time, or whose version is
            dead.
    @dev Anyone. Skips purchases that are not ready. A late delivery closes the custody to
         buyers and fines each custodian who was obliged and silent; a revoked version
         is the seller's fault and fines nobody.
    @param terms The version's terms.
    @param custody The purchases' custody.
    @param receipts The purchases.
    """
    custody_id: bytes32 = records._custody_id(custody)
    assert custody.terms_id == records._terms_id(terms), "market: other terms"
    version_word: uint256 = 0
    custody_word: uint256 = 0
    is_paused: bool = False
    version_word, custody_word, is_paused = staticcall REGISTRY.status(custody.terms_id, custody_id)
    is_revoked: bool = records._status(version_word) == records.VERSION_REVOKED
    custody_state: IDatasetRegistry.CustodyState = records._unpack_custody(custody_word)
    silent: uint256 = 0
    is_late: bool = False
    for receipt: IDatasetMarket.Receipt in receipts:
        purchase_id: bytes32 = self._id(custody_id, receipt)
        state: IDatasetMarket.PurchaseState = records._unpack_purchase(self._purchases[purchase_id])
        if state.status == records.PURCHASE_PAID and not is_revoked:
            if block.timestamp <= state.deadline:
                continue
            is_late = True
            obliged: uint256 = custody_state.active
            # Who left at the end of a period owed what was bought to be over by then.
            if state.deadline + terms.inspection_seconds <= custody_state.previous_end:
                obliged |= custody_state.previous_active
            silent |= obliged & ~state.delivered
        elif not is_revoked or (
            state.status != records.PURCHASE_PAID and state.status != records.PURCHASE_DELIVERED
        ):
            continue
        amount: uint256 = self._cost(receipt.price, custody)
        state.status = records.PURCHASE_REFUNDED
        self._purchases[purchase_id] = records._pack_purchase(state)
        ledger._credit(terms.token, receipt.buyer, amount)
        log IDatasetMarket.Refunded(purchase_id=purchase_id, buyer=receipt.buyer, amount=amount)
    if is_late:
        extcall REGISTRY.close_custody(custody, silent)


@external
def draw_royalty(
    token: address,
    bounty_id: uint256,
    terms: IBountyBoard.Terms,
    evidence: IBountyIntake.ChunkEvidence,
) -> uint256:
    """
    @notice Credit workers of a bounty with what sales of data made from it owe them, and they have
            not had yet: of the pool the part that their pay was of the full price of the roster.
    @dev Anyone, once the bounty has ended. What nobody earned stays in the pool for good, so that
         nobody gains by what another is not paid.
    @param token The sale token.
    @param bounty_id The bounty.
    @param terms Its terms.
    @param evidence A chunk of the roster, and the lines where the score stands.
    @return What was credited.
    """
    full: uint256 = 0
    pays: DynArray[IBountyIntake.Pay, 32] = []
    full, pays = staticcall INTAKE.pays(bounty_id, terms, evidence)
    assert full != 0, "market: no price"
    pool: uint256 = self.pools[bounty_id][token]
    total: uint256 = 0
    for pay: IBountyIntake.Pay in pays:
        # Rounded down, and all pays together are at most `full`: no more than the pool is drawn.
        share: uint256 = pool * pay.amount // full
        before: uint256 = self.drawn[bounty_id][token][pay.worker]
        if share == before:
            continue
        # The pool never shrinks, and pays do not change once a bounty has ended.
        self.drawn[bounty_id][token][pay.worker] = share
        total += share - before
        ledger._credit(token, pay.payee, share - before)
    # With nothing to draw it is 0, so that a caller who was overtaken by another does not fail.
    if total != 0:
        log IDatasetMarket.RoyaltyDrawn(
            bounty_id=bounty_id, token=token, first_worker=evidence.first_worker, amount=total
        )
    return total


# -------------------------------------------------------------------- views


@external
@view
def purchases(purchase_id: bytes32) -> IDatasetMarket.PurchaseState:
    """
    @notice Read how a purchase stands.
    @param purchase_id The purchase.
    @return Its state; status 0 if there is none.
    """
    return records._unpack_purchase(self._purchases[purchase_id])


@external
@view
def is_reader(custody_id: bytes32, receipt: IDatasetMarket.Receipt, account: address) -> bool:
    """
    @notice Tell whether an account bought a purchase and has been given its key.
    @param custody_id The purchase's custody.
    @param receipt The purchase.
    @param account Who claims to have bought it.
    @return Whether it was delivered to that account and not refunded.
    """
    status: uint256 = records._unpack_purchase(
        self._purchases[self._id(custody_id, receipt)]
    ).status
    return receipt.buyer == account and (
        status == records.PURCHASE_DELIVERED
        or status == records.PURCHASE_SETTLED
        or status == records.PURCHASE_REJECTED
    )


# ---------------------------------------------------------------- internals


@internal
@view
def _price(
    terms_id: bytes32, custody_id: bytes32, custody: IDatasetRegistry.Custody, over_at: uint256
) -> uint256:
    # The listed price of something that is for sale now, with both windows (until `over_at`) ahead.
    version_word: uint256 = 0
    custody_word: uint256 = 0
    is_paused: bool = False
    version_word, custody_word, is_paused = staticcall REGISTRY.status(terms_id, custody_id)
    assert not is_paused, "market: entries are paused"
    assert records._status(version_word) == records.VERSION_OPEN, "market: version not for sale"
    assert custody.terms_id == terms_id, "market: other terms"
    assert records._status(custody_word) == records.CUSTODY_LIVE, "market: custody not live"
    assert over_at <= records._end(custody_word), "market: custody ends too soon"
    return records._price(version_word)


@internal
def _redeem(
    voucher: IDatasetMarket.Voucher, terms_id: bytes32, seller: address, listed: uint256
) -> uint256:
    assert block.timestamp <= voucher.expiry, "market: voucher expired"
    assert voucher.price <= listed, "market: voucher above price"
    digest: bytes32 = eip712_domain_separator._hash_typed_data_v4(
        keccak256(
            abi_encode(
                VOUCHER_TYPE,
                terms_id,
                msg.sender,
                voucher.price,
                voucher.expiry,
                voucher.nonce,
            )
        )
    )
    assert not self.used_vouchers[digest], "market: voucher used"
    self.used_vouchers[digest] = True
    assert signatures._is_signer(seller, digest, voucher.signature), "market: voucher not signed"
    return voucher.price


@internal
@view
def _admit(admission: IDatasetMarket.Admission, terms_id: bytes32, gate: address):
    assert block.timestamp <= admission.expiry, "market: admission expired"
    digest: bytes32 = eip712_domain_separator._hash_typed_data_v4(
        keccak256(abi_encode(ADMISSION_TYPE, terms_id, msg.sender, admission.expiry))
    )
    assert signatures._is_signer(gate, digest, admission.signature), "market: not admitted"


@internal
def _settle(
    terms: IDatasetRegistry.Terms,
    custody: IDatasetRegistry.Custody,
    custodians: DynArray[address, records.MAX_CUSTODIANS],
    receipts: DynArray[IDatasetMarket.Receipt, MAX_BATCH],
    is_by_buyer: bool,
    is_rejected: bool,
):
    # The sums are credited at the end, once for each account. They are below 2^136.
    custody_id: bytes32 = records._custody_id(custody)
    # The custody itself is checked through the purchase's id, which contains its hash.
    assert custody.terms_id == records._terms_id(terms), "market: other terms"
    assert custody.custodians == records._custodians_hash(custodians), "market: other custodians"
    assert not self._is_revoked(custody.terms_id), "market: version is revoked"
    to_payee: uint256 = 0
    to_treasury: uint256 = 0
    to_pool: uint256 = 0
    # Of the one purchase that is rejected.
    burned: uint256 = 0
    # How many parts each custodian delivered.
    counts: uint256[records.MAX_CUSTODIANS] = empty(uint256[records.MAX_CUSTODIANS])
    for receipt: IDatasetMarket.Receipt in receipts:
        purchase_id: bytes32 = self._id(custody_id, receipt)
        state: IDatasetMarket.PurchaseState = records._unpack_purchase(self._purchases[purchase_id])
        if is_by_buyer:
            assert state.status == records.PURCHASE_DELIVERED, "market: not delivered"
        elif state.status != records.PURCHASE_DELIVERED or block.timestamp <= state.deadline:
            continue
        state.status = records.PURCHASE_SETTLED
        price: uint256 = receipt.price
        # A price is below 2^128, and all parts together are the whole price: nothing wraps.
        if is_rejected:
            assert block.timestamp <= state.deadline, "market: inspection is over"
            state.status = records.PURCHASE_REJECTED
            burned = unsafe_div(unsafe_mul(price, terms.guarantee_bps), records.BPS)
            # Everybody else has their part of what is left.
            price = unsafe_sub(price, burned)
        self._purchases[purchase_id] = records._pack_purchase(state)
        fee: uint256 = unsafe_div(unsafe_mul(price, terms.fee_bps), records.BPS)
        royalty: uint256 = unsafe_div(unsafe_mul(price, terms.royalty_bps), records.BPS)
        paid_out: uint256 = unsafe_sub(unsafe_sub(price, fee), royalty)
        to_treasury = unsafe_add(to_treasury, fee)
        to_pool = unsafe_add(to_pool, royalty)
        to_payee = unsafe_add(to_payee, paid_out)
        # Exactly t bits are set, and t fees were paid.
        # The same as `_has` of each, without its calls: 20 purchases make 80 of them.
        bit: uint256 = records.BIT_1
        for i: uint256 in range(len(custodians), bound=records.MAX_CUSTODIANS):
            if state.delivered & bit != 0:
                counts[i] += 1
            bit = unsafe_add(bit, bit)
        if is_rejected:
            log IDatasetMarket.Rejected(
                purchase_id=purchase_id, custody_id=custody_id, paid_out=paid_out, burned=burned
            )
        else:
            log IDatasetMarket.Settled(
                purchase_id=purchase_id, custody_id=custody_id, paid_out=paid_out
            )
    ledger._burn(terms.token, burned)
    if to_pool != 0:
        self.pools[terms.bounty][terms.token] += to_pool
    ledger._credit(terms.token, TREASURY, to_treasury)
    ledger._credit(terms.token, terms.payee, to_payee)
    for i: uint256 in range(len(custodians), bound=records.MAX_CUSTODIANS):
        ledger._credit(terms.token, custodians[i], counts[i] * custody.fee)


@internal
@view
def _is_revoked(terms_id: bytes32) -> bool:
    version_word: uint256 = 0
    custody_word: uint256 = 0
    is_paused: bool = False
    version_word, custody_word, is_paused = staticcall REGISTRY.status(terms_id, empty(bytes32))
    return records._status(version_word) == records.VERSION_REVOKED


@internal
@pure
def _cost(price: uint256, custody: IDatasetRegistry.Custody) -> uint256:
    return price + custody.threshold * custody.fee


@internal
@pure
def _receipt_digest(buyer: address, price: uint256, salt: bytes32) -> bytes32:
    return keccak256(abi_encode(buyer, price, salt))


@internal
@pure
def _id(custody_id: bytes32, receipt: IDatasetMarket.Receipt) -> bytes32:
    return records._purchase_id(
        custody_id, receipt.base, self._receipt_digest(receipt.buyer, receipt.price, receipt.salt)
    )
