# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Packing of the Stake
@custom:contract-name stake_packing
@license AGPL-3.0-only
@author The Truthmark authors
@notice Packs what validator staking keeps into one storage slot each: a ticket, an obligation, and
        all of a validator's figures. Locking stake then writes one new slot instead of three or
        four.
@dev The host keeps amounts below 2^96, times and counts below their widths; `_pack` functions
     convert with a check, so that nothing can ever run over into its neighbour.
"""

from ..interfaces import IValidatorStaking

# ---------------------------------------------------------------- constants

MAX_AMOUNT: constant(uint256) = 2**96 - 1
TIME_MASK: constant(uint256) = 2**48 - 1
COUNT_MASK: constant(uint256) = 2**32 - 1


# A validator's figures. `bonded` is its stake without what is unbonding.
struct Funds:
    bonded: uint256
    locked: uint256
    ticket_count: uint256
    unbonding_ticket_count: uint256


# ------------------------------------------------------------------ tickets

# validator 160 | since 48 | unbonding since 48


@internal
@pure
def _pack_ticket(ticket: IValidatorStaking.Ticket) -> uint256:
    return (
        (convert(ticket.validator, uint256) << 96)
        | (convert(convert(ticket.since, uint48), uint256) << 48)
        | convert(convert(ticket.unbonding_since, uint48), uint256)
    )


@internal
@pure
def _unpack_ticket(word: uint256) -> IValidatorStaking.Ticket:
    return IValidatorStaking.Ticket(
        validator=convert(word >> 96, address),
        since=(word >> 48) & TIME_MASK,
        unbonding_since=word & TIME_MASK,
    )


# ------------------------------------------------------------------- obligations

# validator 160 | amount 96


@internal
@pure
def _pack_obligation(obligation: IValidatorStaking.Obligation) -> uint256:
    return (convert(obligation.validator, uint256) << 96) | convert(
        convert(obligation.amount, uint96), uint256
    )


@internal
@pure
def _unpack_obligation(word: uint256) -> IValidatorStaking.Obligation:
    return IValidatorStaking.Obligation(
        validator=convert(word >> 96, address),
        amount=word & MAX_AMOUNT,
    )


# -------------------------------------------------------------------- funds

# bonded 96 | locked 96 | tickets 32 | unbonding tickets 32


@internal
@pure
def _pack_funds(funds: Funds) -> uint256:
    return (
        (convert(convert(funds.bonded, uint96), uint256) << 160)
        | (convert(convert(funds.locked, uint96), uint256) << 64)
        | (convert(convert(funds.ticket_count, uint32), uint256) << 32)
        | convert(convert(funds.unbonding_ticket_count, uint32), uint256)
    )


@internal
@pure
def _unpack_funds(word: uint256) -> Funds:
    return Funds(
        bonded=word >> 160,
        locked=(word >> 64) & MAX_AMOUNT,
        ticket_count=(word >> 32) & COUNT_MASK,
        unbonding_ticket_count=word & COUNT_MASK,
    )
