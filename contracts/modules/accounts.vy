# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Kinds of Accounts
@custom:contract-name accounts
@license AGPL-3.0-only
@author The Truthmark authors
@notice Whether an address that is fixed for good is a contract, or a person who can become one.
@dev Contracts trust what they fix because its code cannot change. That holds neither for a key nor
     for a key that delegates its code (EIP-7702): its holder takes the code back at any time. Where
     there is no code yet, anything may come later. A contract that replaces its own code (a proxy)
     cannot be told here; people read it before they pay in.
"""

# ---------------------------------------------------------------- constants

# 0xef0100 and an address. No contract worth fixing is as small, so the size alone decides.
DELEGATION_SIZE: constant(uint256) = 23

# ---------------------------------------------------------------- internals


@internal
@view
def _may_be_key(account: address) -> bool:
    # Whether `account` has no code, or no more than what marks a key that delegates its code.
    return account.codesize <= DELEGATION_SIZE
