# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
# pragma nonreentrancy on
"""
@title Test Token
@custom:contract-name TestToken
@license AGPL-3.0-only
@author The Truthmark authors
@notice A well-behaved ERC-20 with EIP-2612 permits that anyone may mint: the six-decimal
        "Test Dollar" (TUSD) of local networks, and tokens of other decimals for tests.
@custom:kill Worthless by construction; never deploy it where tokens are worth something.
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
    # Left out: the module's `mint` for minters only, and what belongs to an owner.
)

# -------------------------------------------------------------- constructor


@deploy
def __init__(name_: String[25], symbol_: String[5], decimals_: uint8):
    """
    @notice Create a token without any supply.
    @param name_ Its name, for example "Test Dollar".
    @param symbol_ Its symbol, for example "TUSD".
    @param decimals_ Its decimals, for example 6.
    """
    ownable.__init__()
    erc20.__init__(name_, symbol_, decimals_, name_, "1")


# ------------------------------------------------------------------ anyone


@external
def mint(account: address, amount: uint256):
    """
    @notice Create tokens, as a faucet does.
    @dev Anyone, as much as they like.
    @param account Who gets them.
    @param amount How much, in the token's smallest unit.
    """
    erc20._mint(account, amount)
