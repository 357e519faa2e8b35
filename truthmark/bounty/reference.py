# SPDX-License-Identifier: Apache-2.0
"""Which bounty is meant: chain, board and number."""

from dataclasses import dataclass

from truthmark.keys.abi_hash import address_bytes


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

    def is_on(self, chain_id: int, board: str) -> bool:
        """Whether it is a bounty of this board, however the address is written.

        Args:
            chain_id: Of the board's chain.
            board: Address of the board.
        """
        return self.chain_id == chain_id and address_bytes(self.board) == address_bytes(board)

    def is_same(self, other: "BountyRef") -> bool:
        """Whether it is the same as another one, however addresses are written."""
        return self.bounty_id == other.bounty_id and self.is_on(other.chain_id, other.board)
