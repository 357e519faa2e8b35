# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
# pragma nonreentrancy off
"""
@title Hostile Token
@custom:contract-name HostileToken
@license AGPL-3.0-only
@author The Truthmark authors
@notice An ERC-20 that misbehaves in one way at a time, switched by `set_mode`.
        Every kind exists or existed on a main network, or is the worst that could.
@custom:kill Never deployed outside tests and throw-away networks.
"""

from ethereum.ercs import IERC20

flag Mode:
    # `transfer` and `transferFrom` move the tokens and return nothing.
    NO_RETURN
    # They move nothing and return False.
    RETURNS_FALSE
    # They move the tokens and return False.
    FALSE_BUT_MOVES
    # They return True and move nothing.
    TRUE_BUT_STAYS
    # The receiver gets 1 % less.
    FEE_ON_TRANSFER
    # The sender pays 1 % more.
    FEE_ON_TOP
    # The receiver gets one more than asked.
    SENDS_MORE
    # They call `hook_target` with `hook_data` before they move anything.
    HOOK_BEFORE
    # They call it after they moved the tokens.
    HOOK_AFTER
    # They revert when either side is blocked.
    BLOCKLIST
    # They revert always.
    PAUSED
    # They move the tokens and return 100,000 bytes.
    RETURN_BOMB
    # They revert with 100,000 bytes.
    REVERT_BOMB
    # They burn all the gas they get.
    GAS_EATER
    # They return 2, which is not a bool.
    NOT_A_BOOL
    # They return a single byte.
    SHORT_RETURN
    # `balanceOf` grows by one with every transfer, without any token behind it.
    LYING_BALANCE
    # `balanceOf` is always the largest number.
    HUGE_BALANCE
    # `permit` reverts.
    PERMIT_REVERTS
    # `permit` succeeds and approves nothing.
    PERMIT_IDLE


struct Hook:
    target: address
    # Revert when the called contract does.
    is_strict: bool


BOMB: constant(uint256) = 100_000

name: public(constant(String[13])) = "Hostile Token"
symbol: public(constant(String[4])) = "EVIL"

decimals: public(immutable(uint8))

mode: public(Mode)
hook: public(Hook)
