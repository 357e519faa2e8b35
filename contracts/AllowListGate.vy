# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
# pragma nonreentrancy on
"""
@title Allow-List Gate
@custom:contract-name AllowListGate
@license AGPL-3.0-only
@author The Truthmark authors
@notice Admits to bounties, whose terms name it, whom its owner has named.
@custom:security Holds no money and calls nobody. Its owner decides who may join from now on; a gate
        is asked when somebody is enrolled and never again, so nobody loses a place that they have.
@custom:kill Its owner empties the list; bounties that name it then enroll nobody more.
"""

from .interfaces import IAllowListGate
from .interfaces import IGate

implements: IGate
implements: IAllowListGate

MAX_ACCOUNTS: constant(uint256) = 256

# --------------------------------------------------------------- immutables

OWNER: public(immutable(address))

# ------------------------------------------------------------------ storage

is_allowed: public(HashMap[address, bool])

# -------------------------------------------------------------- constructor


@deploy
def __init__(owner_: address, accounts: DynArray[address, MAX_ACCOUNTS]):
    """
    @notice Fix the owner for good, and begin the list.
    @param owner_ Who names the accounts.
    @param accounts Those who may join from the beginning.
    """
    assert owner_ != empty(address), "gate: owner is zero"
    OWNER = owner_
    self._set(accounts, True)


# -------------------------------------------------------------------- owner


@external
def set_allowed(accounts: DynArray[address, MAX_ACCOUNTS], is_allowed: bool):
    """
    @notice Admit accounts from now on, or no more.
    @dev Only the owner. Who is enrolled already stays so.
    @param accounts The accounts.
    @param is_allowed Whether they may join.
    """
    assert msg.sender == OWNER, "gate: not the owner"
    self._set(accounts, is_allowed)


# -------------------------------------------------------------------- views


@external
@view
def admits(bounty_id: uint256, account: address) -> bool:
    """
    @notice Tell whether an account may label.
    @param bounty_id The bounty; all are the same to this gate.
    @param account Who would sign the commit.
    @return Whether the account may.
    """
    return self.is_allowed[account]


# ---------------------------------------------------------------- internals


@internal
def _set(accounts: DynArray[address, MAX_ACCOUNTS], is_allowed: bool):
    for account: address in accounts:
        assert account != empty(address), "gate: account is zero"
        self.is_allowed[account] = is_allowed
        log IAllowListGate.AllowedSet(account=account, is_allowed=is_allowed)
