# SPDX-License-Identifier: Apache-2.0
"""The one Merkle tree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truthmark.codec import tree
from truthmark.errors import LimitError
from truthmark.hashing import keccak256


def leaves_of(count: int) -> list[bytes]:
    return [keccak256(b"\x01" + i.to_bytes(4, "big")) for i in range(count)]


def padded_root(leaves: list[bytes]) -> bytes:
    level = leaves + [bytes(32)] * ((1 << (len(leaves) - 1).bit_length()) - len(leaves))
    while len(level) > 1:
        level = [keccak256(b"\x02" + a + b) for a, b in zip(level[::2], level[1::2], strict=True)]
    return keccak256(b"\x03" + len(leaves).to_bytes(4, "big") + level[0])


@pytest.mark.parametrize("count", [*range(1, 35), 1000, 1024, 1025])
def test_root__any_count__equals_the_padded_tree(count: int) -> None:
    assert tree.root(leaves_of(count)) == padded_root(leaves_of(count))


@given(st.integers(1, 70), st.data())
def test_verify__every_path__holds(count: int, data: st.DataObject) -> None:
    i = data.draw(st.integers(0, count - 1))
    made = tree.Tree(leaves_of(count))
    assert tree.verify(made.root, count, i, leaves_of(count)[i], made.path(i))


@given(st.integers(2, 70), st.data())
def test_verify__anything_changed__is_refused(count: int, data: st.DataObject) -> None:
    i = data.draw(st.integers(0, count - 1))
    leaves = leaves_of(count)
    made = tree.Tree(leaves)
    path = made.path(i)
    other = data.draw(st.integers(0, count - 1).filter(lambda j: j != i))
    at = data.draw(st.integers(0, len(path) - 1))
    flipped = [*path[:at], bytes([path[at][0] ^ 1]) + path[at][1:], *path[at + 1 :]]
    assert not tree.verify(made.root, count, other, leaves[i], path)
    assert not tree.verify(made.root, count, i, leaves[other], path)
    assert not tree.verify(made.root, count, i, leaves[i], flipped)
    assert not tree.verify(made.root, count, i, leaves[i], path[:-1])
    assert not tree.verify(made.root, count, i, leaves[i], [*path, bytes(32)])
    assert not tree.verify(made.root, count + 1, i, leaves[i], path)
    assert not tree.verify(keccak256(made.root), count, i, leaves[i], path)


def test_verify__padding_claimed_as_a_leaf__is_refused() -> None:
    made = tree.Tree(leaves_of(3))
    path = [leaves_of(3)[2], made.path(0)[1]]
    assert not tree.verify(made.root, 3, 3, bytes(32), path)
    assert not tree.verify(made.root, 4, 3, bytes(32), path)


@pytest.mark.parametrize("i", [-1, 3, 2**32])
def test_verify__index_outside__is_refused(i: int) -> None:
    made = tree.Tree(leaves_of(3))
    assert not tree.verify(made.root, 3, i, leaves_of(3)[2], made.path(2))


def test_verify__pieces_of_odd_length__are_refused() -> None:
    made = tree.Tree(leaves_of(4))
    path = made.path(0)
    assert not tree.verify(made.root, 4, 0, leaves_of(4)[0][:31], path)
    assert not tree.verify(made.root, 4, 0, leaves_of(4)[0], [path[0] + b"\0", path[1]])


def test_tree__no_leaves__is_refused() -> None:
    with pytest.raises(LimitError, match="0 leaves"):
        tree.Tree([])


def test_path__no_such_leaf__raises() -> None:
    with pytest.raises(IndexError):
        tree.Tree(leaves_of(3)).path(3)
