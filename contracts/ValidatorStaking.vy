# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
# pragma nonreentrancy on
"""
@title Validator Staking
@custom:contract-name ValidatorStaking
@license AGPL-3.0-only
@author The Truthmark authors
@notice Keeps validators' stake, locks it for obligations, burns it on proof, and gives it back.
        The states, callers and deadlines are tabled in docs/staking.md.
@custom:security
        * Per validator: locked <= bonded, and bonded - locked is all that `lock` and `unbond` may
          use. So an obligation is covered in full until its slasher releases or slashes it.
        * Slashers are contracts, fixed once and before the first stake: the owner cannot bring in
          one later that locks and burns what is here. They name obligations; an obligation is keyed
          by slasher.
        * What is slashed is burned: nobody earns from it.
        * Stake enters by exact transfers and leaves only as ledger entries of its owner.
@custom:kill The owner calls `pause`: nobody can register or stake until `unpause`. Unbonding,
             withdrawing, topping up, releasing and slashing cannot be stopped.
"""

from .interfaces import IValidatorStaking

implements: IValidatorStaking

from snekmate.auth import ownable

initializes: ownable

from snekmate.auth import ownable_2step

initializes: ownable_2step[ownable := ownable]

from snekmate.utils import pausable

initializes: pausable

from .modules import ledger

initializes: ledger

from .modules import accounts
from .modules import stake_packing

exports: (
    ownable_2step.owner,
    ownable_2step.pending_owner,
    ownable_2step.transfer_ownership,
    ownable_2step.accept_ownership,
    # `renounce_ownership` is left out: a paused contract needs an owner.
    pausable.paused,
    ledger.BURN,
    ledger.balances,
    ledger.withdraw,
)

# ---------------------------------------------------------------- constants

# Tickets in one call; each costs one new slot.
MAX_BATCH: constant(uint256) = 32
MAX_PAGE: constant(uint256) = 64
MAX_SLASHERS: constant(uint256) = 4
# Halvings that find a place among 2^32 changes.
SEARCH_STEPS: constant(uint256) = 33

MIN_UNBONDING_SECONDS: public(constant(uint256)) = 60
MAX_UNBONDING_SECONDS: public(constant(uint256)) = 90 * 86_400

# --------------------------------------------------------------- immutables

TOKEN: public(immutable(address))
TICKET: public(immutable(uint256))
UNBONDING_SECONDS: public(immutable(uint256))

# ------------------------------------------------------------------ storage

is_slasher: public(HashMap[address, bool])

# length of the array of tickets, free places included
place_count: public(uint256)

_slashers: DynArray[address, MAX_SLASHERS]
# validator -> the key that acts for it; zero when there is no such validator
_operators: HashMap[address, address]
_encryption_keys: HashMap[address, bytes32]
# validator -> whether it has switched new obligations off
_is_unavailable: HashMap[address, bool]
# validator -> packed figures
_funds: HashMap[address, uint256]
# validator -> stake that is unbonding
_unbonding: HashMap[address, uint256]
# validator -> times at which its tickets became ineligible and eligible, in turn
_eligibility_changes: HashMap[address, DynArray[uint256, 2**32]]
# ticket id -> packed ticket; a free place holds 1 + the id of the next free one, 0 at the end
_tickets: HashMap[uint256, uint256]
# 1 + the id of the first free place, 0 when there is none
_first_free: uint256
# slasher -> its name for the obligation -> packed obligation
_obligations: HashMap[address, HashMap[bytes32, uint256]]

# -------------------------------------------------------------- constructor


@deploy
def __init__(token_: address, ticket_: uint256, unbonding_seconds_: uint256, owner_: address):
    """
    @notice Fix the token, the size of a ticket and the time of unbonding.
    @param token_ The ERC-20 to stake.
    @param ticket_ What a ticket costs, in the smallest unit of the token.
    @param unbonding_seconds_ How long unbonding takes; 14 days on live networks.
    @param owner_ Who may fix the slashers once, and pause.
    """
    assert token_.is_contract, "staking: token has no code"
    assert ticket_ > 0, "staking: ticket is zero"
    assert ticket_ <= stake_packing.MAX_AMOUNT, "staking: ticket is too large"
    assert unbonding_seconds_ >= MIN_UNBONDING_SECONDS, "staking: unbonding is too short"
    assert unbonding_seconds_ <= MAX_UNBONDING_SECONDS, "staking: unbonding is too long"
    assert owner_ != empty(address), "staking: owner is zero"

    ownable.__init__()
    ownable_2step.__init__()
    pausable.__init__()
    ownable._transfer_ownership(owner_)
    TOKEN = token_
    TICKET = ticket_
    UNBONDING_SECONDS = unbonding_seconds_


# --------------------------------------------------------------- validators


@external
def register(operator: address, encryption_key: bytes32):
    """
    @notice Become a validator whose owner is the caller.
    @dev Anyone, once. Several validators may name one operator: every call names its validator,
         so nothing is looked up by operator, and no validator can take up the key of another.
    @param operator The key for obligations.
    @param encryption_key The X25519 public key that shares are sealed to.
    """
    pausable._require_not_paused()
    assert self._operators[msg.sender] == empty(address), "staking: already registered"
    assert operator != empty(address), "staking: operator is zero"
    assert encryption_key != empty(bytes32), "staking: encryption key is zero"

    self._operators[msg.sender] = operator
    self._encryption_keys[msg.sender] = encryption_key
    log IValidatorStaking.ValidatorRegistered(
        validator=msg.sender, operator=operator, encryption_key=encryption_key
    )


@external
def set_operator(operator: address):
    """
    @notice Replace the key for obligations, at once.
    @dev Only a validator's owner. The old key has no say from this call on.
    @param operator The new one.
    """
    self._check_registered(msg.sender)
    assert operator != empty(address), "staking: operator is zero"

    self._operators[msg.sender] = operator
    log IValidatorStaking.OperatorChanged(validator=msg.sender, operator=operator)


@external
def set_encryption_key(encryption_key: bytes32):
    """
    @notice Replace the key that new shares are sealed to.
    @dev Only a validator's owner. Old keys stay readable in the events; running obligations use
         them.
    @param encryption_key The new X25519 public key.
    """
    self._check_registered(msg.sender)
    assert encryption_key != empty(bytes32), "staking: encryption key is zero"

    self._encryption_keys[msg.sender] = encryption_key
    log IValidatorStaking.EncryptionKeyChanged(validator=msg.sender, encryption_key=encryption_key)


@external
def set_available(validator: address, is_available: bool):
    """
    @notice Take on new obligations, or none; running ones are not touched.
    @dev Only the validator's owner or operator.
    @param validator The validator that the caller owns or operates.
    @param is_available Whether it takes on new obligations.
    """
    self._check_actor(validator, msg.sender)

    self._is_unavailable[validator] = not is_available
    self._record_eligibility(validator)
    log IValidatorStaking.AvailabilityChanged(validator=validator, is_available=is_available)


@external
def publish_offer(validator: address, offer: IValidatorStaking.ValidatorOffer):
    """
    @notice Say which custody this validator's node accepts by itself; the latest offer counts.
    @dev Only the validator's owner or operator. An announcement: nothing on chain depends on it.
    @param validator The validator that the caller owns or operates.
    @param offer The offer; without tokens it withdraws the one before.
    """
    self._check_actor(validator, msg.sender)

    log IValidatorStaking.OfferPublished(validator=validator, offer=offer)


@external
def stake(count: uint256) -> DynArray[uint256, MAX_BATCH]:
    """
    @notice Pay for tickets.
    @dev Only a validator's owner, for themselves, once the slashers are fixed: before, the owner of
         this contract could still name one that burns what it finds here.
    @param count How many.
    @return Their ids.
    """
    pausable._require_not_paused()
    self._check_registered(msg.sender)
    assert len(self._slashers) > 0, "staking: slashers are not fixed"
    assert count > 0, "staking: no tickets"
    assert count <= MAX_BATCH, "staking: too many tickets"
    amount: uint256 = count * TICKET
    funds: stake_packing.Funds = stake_packing._unpack_funds(self._funds[msg.sender])
    assert funds.bonded + amount <= stake_packing.MAX_AMOUNT, "staking: stake is too large"

    funds.bonded += amount
    funds.ticket_count += count
    self._funds[msg.sender] = stake_packing._pack_funds(funds)
    ticket_ids: DynArray[uint256, MAX_BATCH] = self._occupy(msg.sender, count)
    log IValidatorStaking.TicketsStaked(validator=msg.sender, ticket_ids=ticket_ids, amount=amount)
    ledger._pull(TOKEN, msg.sender, amount)
    return ticket_ids


@external
def top_up(amount: uint256):
    """
    @notice Pay back what slashing took, so that the tickets are covered again.
    @dev Only a validator's owner. Draws requested before this call do not see it.
    @param amount How much, at most what is missing.
    """
    funds: stake_packing.Funds = stake_packing._unpack_funds(self._funds[msg.sender])
    assert amount > 0, "staking: top-up is zero"
    assert amount <= self._missing(funds), "staking: not that much missing"

    funds.bonded += amount
    self._funds[msg.sender] = stake_packing._pack_funds(funds)
    self._record_eligibility(msg.sender)
    log IValidatorStaking.StakeToppedUp(validator=msg.sender, amount=amount)
    ledger._pull(TOKEN, msg.sender, amount)


@external
def unbond(ticket_ids: DynArray[uint256, MAX_BATCH]) -> uint256:
    """
    @notice Start to take tickets out.
    @dev Only their validator's owner. What slashing took is missing from the first tickets that
         go, so the last ones are covered again.
    @param ticket_ids Tickets of the caller.
    @return The stake that is unbonding with them.
    """
    assert len(ticket_ids) > 0, "staking: no tickets"
    for ticket_id: uint256 in ticket_ids:
        ticket: IValidatorStaking.Ticket = self._own_ticket(ticket_id)
        assert ticket.unbonding_since == 0, "staking: already unbonding"
        ticket.unbonding_since = block.timestamp
        self._tickets[ticket_id] = stake_packing._pack_ticket(ticket)

    funds: stake_packing.Funds = stake_packing._unpack_funds(self._funds[msg.sender])
    face: uint256 = len(ticket_ids) * TICKET
    amount: uint256 = face - min(face, self._missing(funds))
    assert amount <= funds.bonded - funds.locked, "staking: not enough free stake"
    funds.bonded -= amount
    funds.ticket_count -= len(ticket_ids)
    funds.unbonding_ticket_count += len(ticket_ids)
    self._funds[msg.sender] = stake_packing._pack_funds(funds)
    self._unbonding[msg.sender] += amount
    self._record_eligibility(msg.sender)
    log IValidatorStaking.UnbondingRequested(
        validator=msg.sender,
        ticket_ids=ticket_ids,
        amount=amount,
        ready_at=block.timestamp + UNBONDING_SECONDS,
    )
    return amount


@external
def withdraw_tickets(ticket_ids: DynArray[uint256, MAX_BATCH]) -> uint256:
    """
    @notice Turn tickets that have finished unbonding into a ledger entry of the caller.
    @dev Only their validator's owner; `withdraw` then pays it out.
    @param ticket_ids Tickets of the caller.
    @return The amount credited.
    """
    assert len(ticket_ids) > 0, "staking: no tickets"
    funds: stake_packing.Funds = stake_packing._unpack_funds(self._funds[msg.sender])
    unbonding: uint256 = self._unbonding[msg.sender]
    left: uint256 = unbonding
    first_free: uint256 = self._first_free
    for ticket_id: uint256 in ticket_ids:
        ticket: IValidatorStaking.Ticket = self._own_ticket(ticket_id)
        assert ticket.unbonding_since != 0, "staking: not unbonding"
        assert (
            block.timestamp >= ticket.unbonding_since + UNBONDING_SECONDS
        ), "staking: still unbonding"
        self._tickets[ticket_id] = first_free
        first_free = ticket_id + 1
        funds.unbonding_ticket_count -= 1
        # What is missing comes off first, so that no stake leaves before its own time.
        left = min(left, funds.unbonding_ticket_count * TICKET)

    amount: uint256 = unbonding - left
    self._first_free = first_free
    self._funds[msg.sender] = stake_packing._pack_funds(funds)
    self._unbonding[msg.sender] = left
    ledger._credit(TOKEN, msg.sender, amount)
    log IValidatorStaking.TicketsWithdrawn(
        validator=msg.sender, ticket_ids=ticket_ids, amount=amount
    )
    return amount


# ------------------------------------------------------------------ slashers


@external
def lock(validator: address, actor: address, obligation: bytes32, amount: uint256):
    """
    @notice Lock stake for an obligation that the validator has just taken on.
    @dev Only a slasher, which answers for `actor` being the account that called it.
    @param validator Whose stake.
    @param actor Who took the obligation on: the validator's owner or operator.
    @param obligation The slasher's own name for the obligation.
    @param amount How much, more than 0.
    """
    self._check_slasher()
    self._check_actor(validator, actor)
    assert not self._is_unavailable[validator], "staking: validator unavailable"
    assert amount > 0, "staking: lock is zero"
    assert self._obligations[msg.sender][obligation] == 0, "staking: obligation is in use"
    funds: stake_packing.Funds = stake_packing._unpack_funds(self._funds[validator])
    assert amount <= funds.bonded - funds.locked, "staking: not enough free stake"

    funds.locked += amount
    self._funds[validator] = stake_packing._pack_funds(funds)
    self._obligations[msg.sender][obligation] = stake_packing._pack_obligation(
        IValidatorStaking.Obligation(validator=validator, amount=amount)
    )
    log IValidatorStaking.StakeLocked(
        validator=validator, slasher=msg.sender, obligation=obligation, actor=actor, amount=amount
    )


@external
def release(obligation: bytes32):
    """
    @notice Free what an obligation still locks. No effect when there is no such obligation.
    @dev Only a slasher, and only its own obligations: they are kept by slasher.
    @param obligation The caller's name for the obligation.
    """
    self._check_slasher()
    record: IValidatorStaking.Obligation = stake_packing._unpack_obligation(
        self._obligations[msg.sender][obligation]
    )
    if record.validator == empty(address):
        return

    funds: stake_packing.Funds = stake_packing._unpack_funds(self._funds[record.validator])
    funds.locked -= record.amount
    self._funds[record.validator] = stake_packing._pack_funds(funds)
    self._obligations[msg.sender][obligation] = 0
    log IValidatorStaking.LockReleased(
        validator=record.validator, slasher=msg.sender, obligation=obligation, amount=record.amount
    )


@external
def slash(obligation: bytes32, amount: uint256) -> uint256:
    """
    @notice Burn a part of what an obligation still locks.
    @dev Only a slasher, and only its own obligations; for it this never reverts. What was burned
         locks nothing any more, so it cannot be burned twice; the obligation stays until it is
         released.
    @param obligation The caller's name for the obligation.
    @param amount How much, cut to what the obligation still locks.
    @return What was burned.
    """
    self._check_slasher()
    record: IValidatorStaking.Obligation = stake_packing._unpack_obligation(
        self._obligations[msg.sender][obligation]
    )
    burned: uint256 = min(amount, record.amount)
    if burned == 0:
        return 0

    record.amount -= burned
    self._obligations[msg.sender][obligation] = stake_packing._pack_obligation(record)
    funds: stake_packing.Funds = stake_packing._unpack_funds(self._funds[record.validator])
    funds.bonded -= burned
    funds.locked -= burned
    self._funds[record.validator] = stake_packing._pack_funds(funds)
    self._record_eligibility(record.validator)
    ledger._burn(TOKEN, burned)
    log IValidatorStaking.StakeSlashed(
        validator=record.validator, slasher=msg.sender, obligation=obligation, amount=burned
    )
    return burned


# -------------------------------------------------------------------- views


@external
@view
def validator(account: address) -> IValidatorStaking.Validator:
    """
    @notice Read a validator.
    @param account The validator's address, that is its owner's.
    @return What it is and has; all zero when there is none.
    """
    funds: stake_packing.Funds = stake_packing._unpack_funds(self._funds[account])
    operator: address = self._operators[account]
    return IValidatorStaking.Validator(
        operator=operator,
        encryption_key=self._encryption_keys[account],
        is_available=operator != empty(address) and not self._is_unavailable[account],
        stake=funds.bonded + self._unbonding[account],
        locked=funds.locked,
        unbonding=self._unbonding[account],
        ticket_count=funds.ticket_count,
        unbonding_ticket_count=funds.unbonding_ticket_count,
    )


@external
@view
def free(validator: address) -> uint256:
    """
    @notice Read what may be locked or unbonded: stake, less locked, less unbonding.
    @param validator The validator.
    @return The free stake.
    """
    funds: stake_packing.Funds = stake_packing._unpack_funds(self._funds[validator])
    return funds.bonded - funds.locked


@external
@view
def is_actor(validator: address, account: address) -> bool:
    """
    @notice Tell whether an account may act for a validator.
    @param validator The validator.
    @param account The account.
    @return True for the owner and the operator of a validator that exists.
    """
    return self._is_actor(validator, account)


@external
@view
def slashers() -> DynArray[address, MAX_SLASHERS]:
    """
    @notice Read the contracts that may lock stake.
    @return All of them; empty until they are fixed.
    """
    return self._slashers


@external
@view
def obligation(slasher: address, obligation_id: bytes32) -> IValidatorStaking.Obligation:
    """
    @notice Read what an obligation locks.
    @param slasher The contract that locked it.
    @param obligation_id Its name for the obligation.
    @return The validator and the amount; all zero when there is no such obligation.
    """
    return stake_packing._unpack_obligation(self._obligations[slasher][obligation_id])


@external
@view
def tickets(start: uint256, count: uint256) -> DynArray[IValidatorStaking.Ticket, MAX_PAGE]:
    """
    @notice Read a page of the array of tickets.
    @param start The first id.
    @param count How many at most; capped at 64.
    @return The places that exist in that range.
    """
    page: DynArray[IValidatorStaking.Ticket, MAX_PAGE] = []
    first: uint256 = min(start, self.place_count)
    stop: uint256 = first + min(min(count, MAX_PAGE), self.place_count - first)
    for ticket_id: uint256 in range(first, stop, bound=MAX_PAGE):
        page.append(self._read_ticket(ticket_id))
    return page


@external
@view
def is_eligible(ticket_id: uint256, moment: uint256) -> bool:
    """
    @notice Tell whether a draw requested at a moment may pick a ticket.
    @dev Nothing that happens after a moment changes the answer for it, until the ticket's place
         is freed, at least `UNBONDING_SECONDS` later.
    @param ticket_id The place.
    @param moment The time of the block of the request.
    @return True if the ticket was staked before it, its unbonding not requested before it, and
            its validator then available and not short of stake.
    """
    ticket: IValidatorStaking.Ticket = self._read_ticket(ticket_id)
    if ticket.validator == empty(address) or ticket.since >= moment:
        return False
    if ticket.unbonding_since != 0 and ticket.unbonding_since < moment:
        return False
    return self._count_changes_before(ticket.validator, moment) % 2 == 0


# -------------------------------------------------------------------- admin


@external
def fix_slashers(slashers: DynArray[address, MAX_SLASHERS]):
    """
    @notice Name the contracts that may lock stake, once and for good.
    @dev Only the owner. They name this contract in their constructors, so they come later.
    @param slashers The contracts.
    """
    ownable._check_owner()
    assert len(self._slashers) == 0, "staking: slashers are fixed"
    assert len(slashers) > 0, "staking: no slashers"

    for slasher: address in slashers:
        assert slasher.is_contract, "staking: slasher has no code"
        assert not accounts._may_be_key(slasher), "staking: slasher is a key"
        self.is_slasher[slasher] = True
    self._slashers = slashers
    log IValidatorStaking.SlashersFixed(slashers=slashers)


@external
def pause():
    """
    @notice Stop registering and staking.
    @dev Only the owner.
    """
    ownable._check_owner()
    pausable._pause()


@external
def unpause():
    """
    @notice Allow registering and staking again.
    @dev Only the owner.
    """
    ownable._check_owner()
    pausable._unpause()


# ---------------------------------------------------------------- internals


@internal
@view
def _check_slasher():
    assert self.is_slasher[msg.sender], "staking: caller is not a slasher"


@internal
@view
def _check_registered(account: address):
    assert self._operators[account] != empty(address), "staking: not registered"


@internal
@view
def _check_actor(validator: address, actor: address):
    assert self._is_actor(validator, actor), "staking: not owner or operator"


@internal
@view
def _is_actor(validator: address, account: address) -> bool:
    operator: address = self._operators[validator]
    return operator != empty(address) and (account == validator or account == operator)


@internal
@view
def _missing(funds: stake_packing.Funds) -> uint256:
    # `bonded` starts as the tickets' worth, and only slashing takes it below.
    return funds.ticket_count * TICKET - funds.bonded


@internal
@view
def _read_ticket(ticket_id: uint256) -> IValidatorStaking.Ticket:
    ticket: IValidatorStaking.Ticket = stake_packing._unpack_ticket(self._tickets[ticket_id])
    if ticket.validator == empty(address):
        # The rest is the link to the next free place.
        return empty(IValidatorStaking.Ticket)
    return ticket


@internal
@view
def _own_ticket(ticket_id: uint256) -> IValidatorStaking.Ticket:
    ticket: IValidatorStaking.Ticket = self._read_ticket(ticket_id)
    assert ticket.validator == msg.sender, "staking: not the caller's ticket"
    return ticket


@internal
def _occupy(validator: address, count: uint256) -> DynArray[uint256, MAX_BATCH]:
    # Freed places first, then new ones at the end; ids are never moved.
    ticket_ids: DynArray[uint256, MAX_BATCH] = []
    word: uint256 = stake_packing._pack_ticket(
        IValidatorStaking.Ticket(validator=validator, since=block.timestamp, unbonding_since=0)
    )
    first_free: uint256 = self._first_free
    end: uint256 = self.place_count
    for _: uint256 in range(count, bound=MAX_BATCH):
        ticket_id: uint256 = end
        if first_free == 0:
            end += 1
        else:
            ticket_id = first_free - 1
            first_free = self._tickets[ticket_id]
        self._tickets[ticket_id] = word
        ticket_ids.append(ticket_id)
    self._first_free = first_free
    self.place_count = end
    return ticket_ids


@internal
def _record_eligibility(validator: address):
    """
    @dev Note the time if the validator's tickets have just become ineligible or eligible. They
         start eligible, so the parity of the number of changes tells which it was.
    """
    funds: stake_packing.Funds = stake_packing._unpack_funds(self._funds[validator])
    is_ineligible: bool = self._is_unavailable[validator] or self._missing(funds) > 0
    if is_ineligible != (len(self._eligibility_changes[validator]) % 2 == 1):
        self._eligibility_changes[validator].append(block.timestamp)


@internal
@view
def _count_changes_before(validator: address, moment: uint256) -> uint256:
    low: uint256 = 0
    high: uint256 = len(self._eligibility_changes[validator])
    for _: uint256 in range(SEARCH_STEPS):
        if low == high:
            break
        middle: uint256 = (low + high) // 2
        if self._eligibility_changes[validator][middle] < moment:
            low = middle + 1
        else:
            high = middle
    return low
