# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
# pragma nonreentrancy on
"""
@title Ledger Harness
@custom:contract-name LedgerHarness
@license AGPL-3.0-only
@author The Truthmark authors
@notice The smallest host of the ledger module, for its tests: the internals with a door each.
@custom:kill Never deployed.
"""

from ..modules import ledger

initializes: ledger

exports: (
    ledger.withdraw,
    ledger.balances,
    ledger.BURN,
)


@external
def pull(token: address, from_: address, amount: uint256):
    """
    @notice Take tokens in and credit them to the account that gave them.
    @param token The ERC-20.
    @param from_ Who gives.
    @param amount How much.
    """
    ledger._pull(token, from_, amount)
    ledger._credit(token, from_, amount)


@external
def credit(token: address, account: address, amount: uint256):
    """
    @notice Add to an entry.
    @param token The ERC-20.
    @param account Whose entry.
    @param amount How much.
    """
    ledger._credit(token, account, amount)


@external
@view
@reentrant
def peek(token: address, account: address) -> uint256:
    """
    @notice Read an entry while this contract is locked, as one that trusts it could.
    @param token The ERC-20.
    @param account Whose entry.
    @return The entry.
    """
    return ledger.balances[token][account]


@external
def burn(token: address, amount: uint256):
    """
    @notice Burn what is already here.
    @param token The ERC-20.
    @param amount How much.
    """
    ledger._burn(token, amount)
