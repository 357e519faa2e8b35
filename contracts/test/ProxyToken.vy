# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
# pragma nonreentrancy off
"""
@title Second Door
@custom:contract-name ProxyToken
@license AGPL-3.0-only
@author The Truthmark authors
@notice The second address of a token with two addresses and one set of balances, as some old
        tokens have: who counts by address could count one coin twice.
@custom:kill Never deployed outside tests.
"""


interface IFirstDoor:
    def balanceOf(account: address) -> uint256: view
    def door_transfer(sender: address, to: address, amount: uint256): nonpayable


FIRST: public(immutable(IFirstDoor))

allowance: public(HashMap[address, HashMap[address, uint256]])


@deploy
def __init__(first_: address):
    """
    @notice Open a second way to the same balances.
    @param first_ The token, which must let this contract in.
    """
    FIRST = IFirstDoor(first_)


@external
@view
def balanceOf(account: address) -> uint256:
    """
    @notice Read a balance of the first door.
    @param account Whose.
    @return The balance.
    """
    return staticcall FIRST.balanceOf(account)


@external
def approve(spender: address, amount: uint256) -> bool:
    """
    @notice Let another account spend through this door.
    @param spender Who.
    @param amount How much.
    @return True.
    """
    self.allowance[msg.sender][spender] = amount
    return True


@external
def transfer(to: address, amount: uint256) -> bool:
    """
    @notice Move tokens.
    @param to Who gets them.
    @param amount How many.
    @return True.
    """
    extcall FIRST.door_transfer(msg.sender, to, amount)
    return True


@external
def transferFrom(owner: address, to: address, amount: uint256) -> bool:
    """
    @notice Move tokens by an allowance of this door.
    @param owner Whose.
    @param to Who gets them.
    @param amount How many.
    @return True.
    """
    self.allowance[owner][msg.sender] -= amount
    extcall FIRST.door_transfer(owner, to, amount)
    return True
