# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
# pragma nonreentrancy on
"""
@title Bounty Board
@custom:contract-name BountyBoard
@license AGPL-3.0-only
@author The Truthmark authors
@notice States and money of labeling bounties: a requester pays in, labelers are paid by a score that
        each of them can prove false, and what a score withholds never returns to the requester.
@custom:security
        * Every state has a deadline and an exit that anyone can call; no exit asks the owner, the
          requester, the relay or a token.
        * Evidence is checked by two contracts that are fixed once. They name rows and facts, never
          amounts, tokens or beneficiaries other than payees of the roster and their own callers.
        * What is withheld is burned. All sums of a bounty add up to its pot and bond, which came in
          as one payment: docs/protocol.md, "Where the money goes".
@custom:kill `pause` stops `create`; joining, labeling, scores, proofs, payouts and `withdraw`
             cannot be stopped.
"""

from .interfaces import IBountyBoard
from .interfaces import IBountyIntake

implements: IBountyBoard

from snekmate.auth import ownable

initializes: ownable

from snekmate.auth import ownable_2step

initializes: ownable_2step[ownable := ownable]

from snekmate.utils import pausable

initializes: pausable

from snekmate.utils import eip712_domain_separator

initializes: eip712_domain_separator

from .modules import ledger

initializes: ledger

from .modules import accounts
from .modules import bounties as b
from .modules import scoring

# Ownership cannot be renounced: somebody must be able to unpause.
exports: (
    ledger.__interface__,
    ownable_2step.owner,
    ownable_2step.pending_owner,
    ownable_2step.transfer_ownership,
    ownable_2step.accept_ownership,
    pausable.paused,
    eip712_domain_separator.eip712Domain,
)

# ---------------------------------------------------------------- constants

BPS: constant(uint256) = 10_000
MAX_FEE_BPS: public(constant(uint256)) = 250
MAX_MONEY: constant(uint256) = 2**128 - 1
# For as long a seed may be drawn again.
SEED_SECONDS: public(constant(uint256)) = 86_400
# Blocks between the end of joining and the block whose hash makes the seed, and how many back the
# chain still knows.
SEED_BLOCKS: constant(uint256) = 2
KNOWN_BLOCKS: constant(uint256) = 256

# --------------------------------------------------------------- immutables

# The ledger account that protocol fees are credited to.
TREASURY: public(immutable(address))

# ------------------------------------------------------------------ storage

# The contracts that check evidence and then call here.
intake: public(address)
proofs: public(address)
# Of what labelers' seats cost, in bounties to come.
fee_bps: public(uint256)
# Bounties are numbered from 1.
bounty_count: public(uint256)
# bounty -> hash of its terms
terms_hashes: public(HashMap[uint256, bytes32])
# bounty -> packed state
_states: HashMap[uint256, uint256]
# bounty -> its seed; while it is DRAWN the number of the block to draw from
seeds: public(HashMap[uint256, bytes32])
# bounty -> hash of its score
scores: public(HashMap[uint256, bytes32])
# bounty -> call -> hash of the heads of its chunks
rosters: public(HashMap[uint256, HashMap[uint256, bytes32]])
commits: public(HashMap[uint256, HashMap[uint256, bytes32]])
# bounty -> worker // 32 -> a byte each, the first lowest
worker_words: public(HashMap[uint256, HashMap[uint256, uint256]])
# bounty -> worker -> commitment that stands for the relay's, for good
overrides: public(HashMap[uint256, HashMap[uint256, bytes32]])
# bounty -> worker // 256 -> a bit each, whether sealed labels are on chain
posted_words: public(HashMap[uint256, HashMap[uint256, uint256]])
# bounty -> who may sell data that owe its labelers royalties
citing: public(HashMap[uint256, address])

# -------------------------------------------------------------- constructor


@deploy
def __init__(owner_: address, treasury_: address):
    """
    @notice Fix the treasury for good.
    @param owner_ Who may pause `create`, set the fee of bounties to come, and fix the parts once.
    @param treasury_ Who gets the protocol fees.
    """
    assert owner_ != empty(address), "board: owner is zero"
    assert treasury_ != empty(address), "board: treasury is zero"
    ownable.__init__()
    ownable_2step.__init__()
    pausable.__init__()
    eip712_domain_separator.__init__("Truthmark", "1")
    ownable._transfer_ownership(owner_)
    TREASURY = treasury_


# --------------------------------------------------------------- requesting


@external
def create(
    terms: IBountyBoard.Terms, permit: IBountyBoard.Permit = empty(IBountyBoard.Permit)
) -> uint256:
    """
    @notice Pay pot and bond of a bounty in; it is open for labelers at once.
    @dev Anyone, as the requester of the terms, unless paused.
    @param terms What is agreed.
    @param permit An ERC-2612 permit or an ERC-3009 authorization, if no allowance is there.
    @return The bounty's number.
    """
    pausable._require_not_paused()
    assert terms.requester == convert(msg.sender, uint256), "board: not the requester"
    assert terms.fee_bps == self.fee_bps, "board: other protocol fee"
    assert self.intake != empty(address), "board: parts not fixed"
    seats: uint256 = staticcall IBountyIntake(self.intake).check_terms(terms)
    total: uint256 = self._unused(terms, empty(IBountyBoard.State)) + terms.bond
    # So that neither this nor sums of many such payments can overflow an entry.
    assert total <= MAX_MONEY, "board: too much money"

    bounty_id: uint256 = self.bounty_count + 1
    self.bounty_count = bounty_id
    self.terms_hashes[bounty_id] = keccak256(abi_encode(terms))
    state: IBountyBoard.State = empty(IBountyBoard.State)
    state.status = b.OPEN
    state.mark = block.timestamp
    self._store(bounty_id, state)
    log IBountyBoard.BountyCreated(
        bounty_id=bounty_id,
        requester=msg.sender,
        relay=convert(terms.relay, address),
        seats=seats,
        terms=terms,
    )
    self._take(convert(terms.token, address), total, permit)
    return bounty_id


@external
def set_score(
    bounty_id: uint256,
    terms: IBountyBoard.Terms,
    root: bytes32,
    lines: uint256,
    is_half: bool,
    sender: address,
):
    """
    @notice Accept a score.
    @dev Only the intake, which has logged it; only the requester calls that.
    @param bounty_id The bounty.
    @param terms Its terms.
    @param root Hash of verdict, gold, entries and lines.
    @param lines How many lines.
    @param is_half Whether the gold says HALF.
    @param sender Who called the intake.
    """
    state: IBountyBoard.State = self._load_for(self.intake, bounty_id, terms)
    assert terms.requester == convert(sender, uint256), "board: not the requester"
    assert state.status == b.LABEL, "board: not labeling"
    assert state.committed != 0, "board: nothing to score"
    assert state.workers == lines, "board: other number of lines"
    start: uint256 = self._post_until(terms, state)
    self._check_within(start, start + terms.score_seconds)
    self.scores[bounty_id] = root
    state.status = b.SCORED_HALF if is_half else b.SCORED
    state.mark = block.timestamp
    self._store(bounty_id, state)
    log IBountyBoard.Scored(bounty_id=bounty_id, score=root, is_half=is_half)


@external
def cite(bounty_id: uint256, terms: IBountyBoard.Terms, seller: address):
    """
    @notice Name the one seller whose data may owe this bounty's labelers royalties.
    @dev Only the requester, at any time, also again: what is listed already stays as it is.
    @param bounty_id The bounty.
    @param terms Its terms.
    @param seller Who may name the bounty in their terms; zero for nobody.
    """
    assert keccak256(abi_encode(terms)) == self.terms_hashes[bounty_id], "board: other terms"
    assert terms.requester == convert(msg.sender, uint256), "board: not the requester"
    self.citing[bounty_id] = seller
    log IBountyBoard.Cited(bounty_id=bounty_id, seller=seller)


# -------------------------------------------------------------------- relay


@external
def set_roster(
    bounty_id: uint256,
    terms: IBountyBoard.Terms,
    root: bytes32,
    runs: DynArray[uint256, 33],
    workers: uint256,
    seats: uint256,
    position: uint256,
    closes: bool,
    sender: address,
):
    """
    @notice Add a call's rows to the roster.
    @dev Only the intake, which has checked that they follow the rows before; only the relay calls that.
    @param bounty_id The bounty.
    @param terms Its terms.
    @param root Hash of the hashes of the call's chunks.
    @param runs A byte a row, 32 to a word, the first word as far in as the roster is.
    @param workers How many rows.
    @param seats How many seats, gaps not counted.
    @param position Seats given out after this call.
    @param closes Whether joining ends.
    @param sender Who called the intake.
    """
    state: IBountyBoard.State = self._load_for(self.intake, bounty_id, terms)
    assert terms.relay == convert(sender, uint256), "board: not the relay"
    assert state.status == b.OPEN, "board: not open"
    assert block.timestamp <= state.mark + terms.join_seconds, "board: too late"
    assert workers != 0 or closes, "board: no rows"
    assert state.workers + workers <= b.MAX_WORKERS, "board: too many workers"
    word: uint256 = state.workers // 32
    for run: uint256 in runs:
        self.worker_words[bounty_id][word] |= run
        word += 1
    self.rosters[bounty_id][state.roster_calls] = root
    log IBountyBoard.Enrolled(
        bounty_id=bounty_id,
        call=state.roster_calls,
        first_worker=state.workers,
        workers=workers,
        seats=seats,
    )
    state.roster_calls += 1
    state.workers += workers
    state.seats += seats
    state.position = position
    if closes:
        assert state.seats >= terms.min_seats, "board: too few seats"
        state = self._close_joining(bounty_id, state)
    self._store(bounty_id, state)


@external
def commit(bounty_id: uint256, terms: IBountyBoard.Terms, chunks: DynArray[Bytes[1120], 32]):
    """
    @notice Commit to what workers have sealed.
    @dev Only the relay, as often as it likes, a worker once. Nothing is signed: who is left out or
         misrepresented shows what they signed (`override_commit`), which stands for good.
    @param bounty_id The bounty.
    @param terms Its terms.
    @param chunks Worker (u16), seats (u8) and commitment each, in any order, 32 rows a chunk at most.
    """
    state: IBountyBoard.State = self._load(bounty_id, terms)
    assert terms.relay == convert(msg.sender, uint256), "board: not the relay"
    assert state.status == b.LABEL, "board: not labeling"
    assert block.timestamp <= state.mark + terms.label_seconds, "board: too late"
    heads: DynArray[bytes32, 32] = []
    index: uint256 = b.NO_WORD
    word: uint256 = 0
    seats: uint256 = 0
    fresh: uint256 = 0
    for rows: Bytes[1120] in chunks:
        count: uint256 = unsafe_div(len(rows), b.COMMIT_ROW)
        assert count != 0 and len(rows) == b.COMMIT_ROW * count, "board: bad rows"
        heads.append(keccak256(rows))
        padded: Bytes[1152] = concat(b.ZEROS, rows)
        # The word that ends with a row's first three bytes; at most 35 * 31 + 3.
        at: uint256 = 3
        for _: uint256 in range(count, bound=32):
            row: uint256 = convert(extract32(padded, at), uint256)
            at = unsafe_add(at, b.COMMIT_ROW)
            worker: uint256 = (row >> 8) & b.MASK_16
            if worker >> 5 != index:
                if index != b.NO_WORD:
                    self.worker_words[bounty_id][index] = word
                index = worker >> 5
                word = self.worker_words[bounty_id][index]
            low: uint256 = (worker & 31) << 3
            held: uint256 = (word >> low) & b.MASK_8
            if held & b.COMMITTED != 0:
                # Overridden in the meantime: the row counts for nothing. The relay's own row is final.
                assert (
                    self.overrides[bounty_id][worker] != empty(bytes32)
                ), "board: committed already"
                continue
            row &= b.MASK_8
            assert row != 0 and row <= held, "board: bad seats"
            word ^= (held ^ (row | b.COMMITTED)) << low
            # Both at most what the roster holds.
            seats = unsafe_add(seats, row)
            fresh = unsafe_add(fresh, 1)
        # So there are at most as many calls as workers.


    assert fresh != 0, "board: nothing new"
    self.worker_words[bounty_id][index] = word
    self.commits[bounty_id][state.commit_calls] = keccak256(abi_encode(heads))
    log IBountyBoard.Committed(
        bounty_id=bounty_id, call=state.commit_calls, workers=fresh, seats=seats
    )
    state.commit_calls += 1
    state.committed += seats
    state.committers += fresh
    self._store(bounty_id, state)


# ------------------------------------------------------------------ labeling


@external
def set_override(
    bounty_id: uint256,
    terms: IBountyBoard.Terms,
    worker: uint256,
    commitment: bytes32,
    seats: uint256,
    sender: address,
):
    """
    @notice Accept a signed commit in place of the relay's.
    @dev Only the proofs, which have checked signature, seats and that the commitment is not zero.
    @param bounty_id The bounty.
    @param terms Its terms.
    @param worker The row of the roster.
    @param commitment What the worker signed.
    @param seats How many seats it covers.
    @param sender Who called the proofs; gets what the relay would have got.
    """
    state: IBountyBoard.State = self._load_for(self.proofs, bounty_id, terms)
    assert state.status == b.LABEL, "board: not labeling"
    assert block.timestamp <= self._commit_until(terms, state), "board: too late"
    # Once and for good, or a worker could sign two and show the one that serves them.
    assert self.overrides[bounty_id][worker] == empty(bytes32), "board: overridden already"
    self.overrides[bounty_id][worker] = commitment
    word: uint256 = self.worker_words[bounty_id][worker >> 5]
    low: uint256 = (worker & 31) << 3
    held: uint256 = (word >> low) & b.MASK_8
    self.worker_words[bounty_id][worker >> 5] = word ^ ((held ^ (seats | b.COMMITTED)) << low)
    if held & b.COMMITTED == 0:
        state.committers += 1
        state.committed += seats
    else:
        state.committed = state.committed + seats - (held & b.MASK_SEATS)
    state.overrides += 1
    self._store(bounty_id, state)
    self._credit(terms, sender, terms.relay_fee)
    log IBountyBoard.CommitOverridden(
        bounty_id=bounty_id, worker=worker, commitment=commitment, seats=seats, sender=sender
    )


@external
def set_posted(
    bounty_id: uint256,
    terms: IBountyBoard.Terms,
    workers: DynArray[uint256, 32],
    is_chunk: bool,
    sender: address,
):
    """
    @notice Record whose sealed labels are on chain, and credit the fees for those who were not yet.
    @dev Only the proofs, which have checked them against the commitments.
    @param bounty_id The bounty.
    @param terms Its terms.
    @param workers Rows of the roster.
    @param is_chunk Whether they were shown by the relay's rows, which an override withdraws.
    @param sender Who called the proofs; gets the fees.
    """
    state: IBountyBoard.State = self._load_for(self.proofs, bounty_id, terms)
    assert state.status == b.LABEL, "board: not labeling"
    start: uint256 = self._commit_until(terms, state)
    self._check_within(start, start + terms.release_seconds)
    fresh: uint256 = 0
    seats: uint256 = 0
    for worker: uint256 in workers:
        assert (
            not is_chunk
            or state.overrides == 0
            or self.overrides[bounty_id][worker] == empty(bytes32)
        ), "board: overridden"
        word: uint256 = self.posted_words[bounty_id][worker >> 8]
        bit: uint256 = 1 << (worker & 255)
        if word & bit == 0:
            self.posted_words[bounty_id][worker >> 8] = word | bit
            fresh += 1
            seats += self._byte(bounty_id, worker) & b.MASK_SEATS
        # So there are at most as many calls as workers, and the pot has a fee for each.


    assert fresh != 0, "board: posted already"
    state.posted += fresh
    state.posted_seats += seats
    state.post_calls += 1
    self._store(bounty_id, state)
    self._credit(
        terms,
        sender,
        terms.post_call_fee + fresh * terms.post_worker_fee + seats * terms.post_seat_fee,
    )
    log IBountyBoard.SealedCounted(bounty_id=bounty_id, sender=sender, workers=fresh, seats=seats)


# --------------------------------------------------------------- challenging


@external
def prove(
    bounty_id: uint256,
    terms: IBountyBoard.Terms,
    worker: uint256,
    kind: uint256,
    sender: address,
):
    """
    @notice End a bounty whose score was proven false.
    @dev Only the proofs.
    @param bounty_id The bounty.
    @param terms Its terms.
    @param worker Whom the lie is about.
    @param kind Which proof.
    @param sender Who called the proofs; gets the reward.
    """
    state: IBountyBoard.State = self._load_for(self.proofs, bounty_id, terms)
    assert state.status == b.SCORED or state.status == b.SCORED_HALF, "board: not scored"
    assert block.timestamp <= state.mark + terms.challenge_seconds, "board: too late"
    log IBountyBoard.LieProven(bounty_id=bounty_id, worker=worker, challenger=sender, kind=kind)
    self._credit(terms, sender, terms.reward)
    self._end(bounty_id, terms, state, b.PROVEN)


# ------------------------------------------------------------------- anyone


@external
def close_joining(bounty_id: uint256, terms: IBountyBoard.Terms):
    """
    @notice End joining when its time is over: the seed is drawn, or all money goes back.
    @dev Anyone.
    @param bounty_id The bounty.
    @param terms Its terms.
    """
    state: IBountyBoard.State = self._load(bounty_id, terms)
    assert state.status == b.OPEN, "board: not open"
    assert block.timestamp > state.mark + terms.join_seconds, "board: too early"
    if state.seats >= terms.min_seats:
        state = self._close_joining(bounty_id, state)
        self._store(bounty_id, state)
    else:
        self._end(bounty_id, terms, state, b.REFUNDED)


@external
def fix_seed(bounty_id: uint256):
    """
    @notice Make the seed from its block, or choose a later one where that is forgotten already.
    @dev Anyone. Labeling begins with the seed.
    @param bounty_id The bounty.
    """
    state: IBountyBoard.State = b._unpack(self._states[bounty_id])
    assert state.status == b.DRAWN, "board: nothing to draw"
    seed_block: uint256 = convert(self.seeds[bounty_id], uint256)
    assert block.number > seed_block, "board: too early"
    if block.number > seed_block + KNOWN_BLOCKS:
        assert block.timestamp <= state.mark + SEED_SECONDS, "board: too late"
        self._draw(bounty_id)
        return
    seed: bytes32 = keccak256(concat(blockhash(seed_block), convert(bounty_id, bytes32)))
    self.seeds[bounty_id] = seed
    state.status = b.LABEL
    state.mark = block.timestamp
    self._store(bounty_id, state)
    log IBountyBoard.SeedFixed(bounty_id=bounty_id, seed=seed)


@external
def end_bounty(bounty_id: uint256, terms: IBountyBoard.Terms):
    """
    @notice End a bounty whose last deadline is over.
    @dev Anyone.
    @param bounty_id The bounty.
    @param terms Its terms.
    """
    self._end_in_time(bounty_id, terms, self._load(bounty_id, terms))


@external
def pay(
    bounty_id: uint256,
    terms: IBountyBoard.Terms,
    rows: DynArray[uint256, 512],
    has_lines: bool,
    sender: address,
):
    """
    @notice Credit workers who are not paid yet.
    @dev Only the intake, which has checked the rows against roster and score. Ends the bounty if
         its time has come.
    @param bounty_id The bounty.
    @param terms Its terms.
    @param rows Payee, missing labels, run, worker, line: 160, 8, 8, 16 and 24 bits.
    @param has_lines Whether the lines are the score's.
    @param sender Who called the intake; gets the tips.
    """
    state: IBountyBoard.State = self._load_for(self.intake, bounty_id, terms)
    if state.status < b.REFUNDED:
        state.status = self._end_in_time(bounty_id, terms, state)
    assert state.status != b.REFUNDED, "board: refunded"
    is_flat: bool = state.status >= b.FLAT
    assert is_flat or has_lines, "board: lines missing"
    share: uint256 = 0
    if is_flat:
        share = self._bond_left(terms, state.status) // state.seats
    # What lines do not decide: in HALF, and in a team, whose lines say nothing but marks.
    fixed: uint256 = 0
    if state.status == b.HALF:
        fixed = scoring.HALF
    elif terms.gold_count == 0:
        fixed = scoring.ONE
    token: address = convert(terms.token, address)
    seat_price: uint256 = terms.price * terms.batch
    index: uint256 = b.NO_WORD
    word: uint256 = 0
    workers: uint256 = 0
    paid: uint256 = 0
    burned: uint256 = 0
    back: uint256 = 0
    for row: uint256 in rows:
        worker: uint256 = (row >> 24) & b.MASK_16
        if worker >> 5 != index:
            if index != b.NO_WORD:
                self.worker_words[bounty_id][index] = word
            index = worker >> 5
            word = self.worker_words[bounty_id][index]
        low: uint256 = (worker & 31) << 3
        held: uint256 = (word >> low) & b.MASK_8
        # Committed, and not paid: nobody is paid twice.
        if held & (b.COMMITTED | b.PAID) != b.COMMITTED:
            continue
        word |= b.PAID << low
        held &= b.MASK_SEATS
        # Money is below 2^128 and all of it came in with the pot: nothing wraps.
        price: uint256 = unsafe_mul(held, seat_price)
        missing: uint256 = (row >> 48) & b.MASK_8
        if missing != 0 and held == (row >> 40) & b.MASK_8:
            # The last seat of a round is short: what it lacks was never labeled.
            missing = unsafe_mul(missing, terms.price)
            price = unsafe_sub(price, missing)
            back = unsafe_add(back, missing)
        amount: uint256 = price
        if not is_flat:
            line: uint256 = row & b.MASK_24
            # As `b._is_mark`, written out.
            if line == b.NOT_DELIVERED or line == b.UNREADABLE:
                amount = 0
            else:
                # A line above the full price that is no mark is a lie; where nobody proves it, it
                # must not serve to pay less.
                amount = unsafe_div(
                    unsafe_mul(price, fixed if fixed != 0 else min(line, scoring.ONE)),
                    scoring.ONE,
                )
        burned = unsafe_add(burned, unsafe_sub(price, amount))
        amount = unsafe_add(amount, unsafe_mul(held, share))
        paid = unsafe_add(paid, amount)
        ledger._credit(token, convert(row >> 56, address), amount)
        workers = unsafe_add(workers, 1)
    assert workers != 0, "board: paid already"
    self.worker_words[bounty_id][index] = word
    ledger._credit(token, convert(terms.requester, address), back)
    self._credit(terms, sender, workers * terms.tip)
    ledger._burn(token, burned)
    log IBountyBoard.PaidOut(
        bounty_id=bounty_id, payer=sender, workers=workers, paid=paid, burned=burned
    )


# -------------------------------------------------------------------- views


@external
@view
def state(bounty_id: uint256) -> IBountyBoard.State:
    """
    @notice Read how a bounty stands.
    @param bounty_id The bounty.
    @return Its state; status 0 if there is none.
    """
    return b._unpack(self._states[bounty_id])


@external
@view
def context(
    bounty_id: uint256, worker: uint256, roster_call: uint256, commit_call: uint256
) -> IBountyBoard.Context:
    """
    @notice Read what evidence is checked against.
    @param bounty_id The bounty.
    @param worker A row of the roster.
    @param roster_call A call of `enroll`.
    @param commit_call A call of `commit`.
    @return Hashes and facts; zero where there is nothing.
    """
    state: IBountyBoard.State = b._unpack(self._states[bounty_id])
    held: uint256 = self._byte(bounty_id, worker)
    is_posted: bool = False
    if state.posted != 0:
        is_posted = (self.posted_words[bounty_id][worker >> 8] >> (worker & 255)) & 1 == 1
    override: bytes32 = empty(bytes32)
    if state.overrides != 0:
        override = self.overrides[bounty_id][worker]
    return IBountyBoard.Context(
        terms_hash=self.terms_hashes[bounty_id],
        seed=self.seeds[bounty_id],
        position=state.position,
        roster=self.rosters[bounty_id][roster_call],
        commits=self.commits[bounty_id][commit_call],
        score=self.scores[bounty_id],
        override=override,
        committed=held & b.MASK_SEATS if held & b.COMMITTED != 0 else 0,
        is_posted=is_posted,
    )


@external
@view
def next_row(bounty_id: uint256) -> (uint256, uint256):
    """
    @notice Read where a roster continues.
    @param bounty_id The bounty.
    @return The number of rows, the number of seats given out.
    """
    state: IBountyBoard.State = b._unpack(self._states[bounty_id])
    return state.workers, state.position


# -------------------------------------------------------------------- admin


@external
def set_fee_bps(fee_bps: uint256):
    """
    @notice Set the protocol fee of bounties to come.
    @dev Only the owner.
    @param fee_bps Of what labelers' seats cost, in hundredths of a percent; at most 250.
    """
    ownable._check_owner()
    assert fee_bps <= MAX_FEE_BPS, "board: fee too large"
    self.fee_bps = fee_bps
    log IBountyBoard.FeeSet(fee_bps=fee_bps)


@external
def fix_parts(intake: address, proofs: address):
    """
    @notice Name the contracts that check evidence, for good.
    @dev Only the owner, once. Before that no bounty can be created.
    @param intake A `BountyIntake` of this board.
    @param proofs A `BountyProofs` of this board.
    """
    ownable._check_owner()
    assert self.intake == empty(address), "board: parts are fixed"
    # A person could take all pots.
    assert not accounts._may_be_key(intake), "board: intake is no contract"
    assert not accounts._may_be_key(proofs), "board: proofs is no contract"
    self.intake = intake
    self.proofs = proofs
    log IBountyBoard.PartsFixed(intake=intake, proofs=proofs)


@external
def pause():
    """
    @notice Stop `create`.
    @dev Only the owner.
    """
    ownable._check_owner()
    pausable._pause()


@external
def unpause():
    """
    @notice Allow `create` again.
    @dev Only the owner.
    """
    ownable._check_owner()
    pausable._unpause()


# ------------------------------------------------------ internals: deadlines


@internal
@view
def _commit_until(terms: IBountyBoard.Terms, state: IBountyBoard.State) -> uint256:
    return state.mark + terms.label_seconds + terms.grace_seconds


@internal
@view
def _post_until(terms: IBountyBoard.Terms, state: IBountyBoard.State) -> uint256:
    return self._commit_until(terms, state) + terms.release_seconds


@internal
@view
def _check_within(start: uint256, end: uint256):
    assert block.timestamp > start, "board: too early"
    assert block.timestamp <= end, "board: too late"


@internal
def _draw(bounty_id: uint256):
    # Nobody knows the hash of a block that is yet to come.
    seed_block: uint256 = block.number + SEED_BLOCKS
    self.seeds[bounty_id] = convert(seed_block, bytes32)
    log IBountyBoard.JoiningClosed(bounty_id=bounty_id, seed_block=seed_block)


@internal
def _close_joining(bounty_id: uint256, state: IBountyBoard.State) -> IBountyBoard.State:
    self._draw(bounty_id)
    closed: IBountyBoard.State = state
    closed.status = b.DRAWN
    closed.mark = block.timestamp
    return closed


@internal
def _end_in_time(
    bounty_id: uint256, terms: IBountyBoard.Terms, state: IBountyBoard.State
) -> uint256:
    # What a bounty comes to when the deadline of its status is over.
    deadline: uint256 = 0
    status: uint256 = b.REFUNDED
    if state.status == b.DRAWN:
        deadline = state.mark + SEED_SECONDS
    elif state.status == b.LABEL:
        if state.committed == 0:
            deadline = self._commit_until(terms, state)
        else:
            deadline = self._post_until(terms, state) + terms.score_seconds
            status = b.FLAT
    else:
        assert state.status == b.SCORED or state.status == b.SCORED_HALF, "board: not to be ended"
        deadline = state.mark + terms.challenge_seconds
        status = b.SETTLED if state.status == b.SCORED else b.HALF
    assert block.timestamp > deadline, "board: too early"
    self._end(bounty_id, terms, state, status)
    return status


# ---------------------------------------------------------- internals: money


@internal
def _end(bounty_id: uint256, terms: IBountyBoard.Terms, state: IBountyBoard.State, status: uint256):
    # Everything that does not depend on single workers.
    ended: IBountyBoard.State = state
    ended.status = status
    ended.mark = block.timestamp
    self._store(bounty_id, ended)
    back: uint256 = self._unused(terms, ended)
    if status >= b.FLAT:
        left: uint256 = self._bond_left(terms, status)
        # Shares of seats that nobody committed, and what does not divide.
        ledger._burn(convert(terms.token, address), left - left // ended.seats * ended.committed)
    else:
        back += terms.bond
    self._credit(
        terms,
        convert(terms.relay, address),
        (ended.committers - ended.overrides) * terms.relay_fee,
    )
    self._credit(terms, TREASURY, ended.committed * self._seat_fee(terms))
    self._credit(terms, convert(terms.requester, address), back)
    log IBountyBoard.BountyEnded(bounty_id=bounty_id, status=status)


@internal
@view
def _unused(terms: IBountyBoard.Terms, state: IBountyBoard.State) -> uint256:
    # The pot, less what is needed for what was committed and posted; all of it in the beginning.
    seats: uint256 = terms.rounds * b._per_round(terms.items, terms.batch)
    workers: uint256 = min(b.MAX_WORKERS, seats // terms.min_run)
    return (
        (seats - state.committed) * (terms.price * terms.batch + self._seat_fee(terms))
        + (workers - state.committers) * (terms.relay_fee + terms.tip)
        + (workers - state.post_calls) * terms.post_call_fee
        + (workers - state.posted) * terms.post_worker_fee
        + (seats - state.posted_seats) * terms.post_seat_fee
    )


@internal
@view
def _seat_fee(terms: IBountyBoard.Terms) -> uint256:
    return terms.price * terms.batch * terms.fee_bps // BPS


@internal
@view
def _bond_left(terms: IBountyBoard.Terms, status: uint256) -> uint256:
    return terms.bond - (terms.reward if status == b.PROVEN else 0)


@internal
def _credit(terms: IBountyBoard.Terms, account: address, amount: uint256):
    ledger._credit(convert(terms.token, address), account, amount)


@internal
def _take(token: address, amount: uint256, permit: IBountyBoard.Permit):
    if permit.nonce != empty(bytes32):
        ledger._pull_authorized(
            token, msg.sender, amount, permit.deadline, permit.nonce, permit.v, permit.r, permit.s
        )
        return
    if permit.deadline != 0:
        ledger._use_permit(
            token,
            msg.sender,
            amount,
            permit.deadline,
            convert(permit.v, uint256),
            permit.r,
            permit.s,
        )
    ledger._pull(token, msg.sender, amount)


# ---------------------------------------------------------- internals: state


@internal
@view
def _load(bounty_id: uint256, terms: IBountyBoard.Terms) -> IBountyBoard.State:
    assert keccak256(abi_encode(terms)) == self.terms_hashes[bounty_id], "board: other terms"
    return b._unpack(self._states[bounty_id])


@internal
@view
def _load_for(part: address, bounty_id: uint256, terms: IBountyBoard.Terms) -> IBountyBoard.State:
    assert msg.sender == part, "board: not the part for it"
    return self._load(bounty_id, terms)


@internal
def _store(bounty_id: uint256, state: IBountyBoard.State):
    self._states[bounty_id] = b._pack(state)


@internal
@view
def _byte(bounty_id: uint256, worker: uint256) -> uint256:
    return (self.worker_words[bounty_id][worker >> 5] >> ((worker & 31) << 3)) & b.MASK_8
