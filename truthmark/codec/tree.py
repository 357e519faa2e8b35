# SPDX-License-Identifier: Apache-2.0
"""The one Merkle tree of the protocol, the twin of `contracts/modules/merkle.vy`.

Leaves are 32-byte hashes that the caller has already made with prefix 0x01. They are addressed
by index and padded with 32 zero bytes to a power of two; an inner node is
`keccak256(0x02 ‖ left ‖ right)`; the root binds the count: `keccak256(0x03 ‖ u32 count ‖ top)`.
Because every kind of hash has a prefix of its own, no leaf can pass for a node or a root, and
because the count is hashed in, no padding can pass for a leaf.
"""

from collections.abc import Sequence
from typing import Final

from truthmark.errors import LimitError
from truthmark.hashing import keccak256

MAX_COUNT: Final = 2**32 - 1
_ZERO_LEAF: Final = bytes(32)


class Tree:
    """All levels of the tree over `leaves`, for making proofs.

    Usage example::

        >>> tree = Tree([bytes([i]) * 32 for i in range(3)])
        >>> verify(tree.root, 3, 2, bytes([2]) * 32, tree.path(2))
        True
    """

    def __init__(self, leaves: Sequence[bytes]) -> None:
        """Build the tree; 32 bytes of memory for each of about `2 * len(leaves)` nodes.

        Raises:
            LimitError: there are no leaves, or more than a u32 counts.
        """
        if not 0 < len(leaves) <= MAX_COUNT:
            raise LimitError(f"tree: {len(leaves)} leaves; a tree holds 1 to {MAX_COUNT}")
        self.count = len(leaves)
        # The rightmost nodes that stand for padding alone are not stored: they are _zeros[depth].
        self._levels: list[list[bytes]] = [list(leaves)]
        self._zeros = [_ZERO_LEAF]
        while len(self._levels[-1]) > 1:
            level, zero = self._levels[-1], self._zeros[-1]
            if len(level) % 2:
                level = [*level, zero]
            self._levels.append(
                [keccak256(b"\x02" + level[i] + level[i + 1]) for i in range(0, len(level), 2)]
            )
            self._zeros.append(keccak256(b"\x02" + zero + zero))
        self.root = _bind(self.count, self._levels[-1][0])

    def path(self, i: int) -> list[bytes]:
        """Return the siblings of leaf `i` from the leaf upwards.

        Raises:
            IndexError: there is no leaf `i`.
        """
        if not 0 <= i < self.count:
            raise IndexError(f"tree: leaf {i} of {self.count}")
        siblings = []
        for level, zero in zip(self._levels[:-1], self._zeros[:-1], strict=True):
            sibling = i ^ 1
            siblings.append(level[sibling] if sibling < len(level) else zero)
            i >>= 1
        return siblings


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over `leaves` (32 bytes each, already hashed with prefix 0x01)."""
    return Tree(leaves).root


def depth(count: int) -> int:
    """Return the length of every path in a tree of `count` leaves."""
    return (count - 1).bit_length()


def verify(root: bytes, count: int, i: int, leaf: bytes, path: Sequence[bytes]) -> bool:
    """Tell whether `leaf` is leaf `i` of the `count` leaves under `root`."""
    if not 0 <= i < count <= MAX_COUNT or len(path) != depth(count):
        return False
    if len(leaf) != 32 or any(len(sibling) != 32 for sibling in path):
        return False
    node = leaf
    for sibling in path:
        node = keccak256(b"\x02" + (sibling + node if i & 1 else node + sibling))
        i >>= 1
    return _bind(count, node) == root


def _bind(count: int, top: bytes) -> bytes:
    return keccak256(b"\x03" + count.to_bytes(4, "big") + top)
