# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
# pragma nonreentrancy on
"""
@title Protocol Token
@custom:contract-name ProtocolToken
@license AGPL-3.0-only
@author The Truthmark authors
@notice TMK, the token that validators stake: an ERC-20 with EIP-2612 permits and a fixed supply.
@custom:security Minting, burning and ownership of the included module are not exported and its
                 owner and minter are removed, so nobody can change the supply or stop a transfer.
@custom:kill There is nothing to kill: it holds no money but its own entries and has no owner.
"""

from ethereum.ercs import IERC20

implements: IERC20

from snekmate.auth import ownable

initializes: ownable

from snekmate.tokens import erc20

initializes: erc20[ownable := ownable]

exports: (
    erc20.name,
    erc20.symbol,
    erc20.decimals,
    erc20.totalSupply,
    erc20.balanceOf,
    erc20.allowance,
    erc20.transfer,
    erc20.approve,
    erc20.transferFrom,
    erc20.permit,
    erc20.nonces,
    erc20.DOMAIN_SEPARATOR,
    erc20.eip712Domain,
    # Left out: `mint`, `burn`, `burn_from`, `set_minter`, `is_minter` and what belongs to an
    # owner. The supply is fixed.
)

# -------------------------------------------------------------- constructor


@deploy
def __init__(holder_: address, supply_: uint256):
    """
    @notice Create the whole supply at once.
    @param holder_ Who gets it.
    @param supply_ How much, in units of 10^-18.
    """
    assert supply_ > 0, "token: supply is zero"

    ownable.__init__()
    erc20.__init__("Truthmark", "TMK", 18, "Truthmark", "1")
    erc20.is_minter[msg.sender] = False
    log erc20.RoleMinterChanged(minter=msg.sender, status=False)
    ownable._transfer_ownership(empty(address))
    erc20._mint(holder_, supply_)
