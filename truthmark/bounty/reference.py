# SPDX-License-Identifier: Apache-2.0
"""Which bounty is meant: chain, board and number."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BountyRef:
    """What secrets and signatures of a bounty are bound to.

    Attributes:
        chain_id: The chain of the board.
        board: The address of the contract.
        bounty_id: The bounty's number on it, from 1.
    """

    chain_id: int
    board: str
    bounty_id: int
